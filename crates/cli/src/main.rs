//! Postern cli.
fn main() {}
