//! Postern xtask.
fn main() {}
