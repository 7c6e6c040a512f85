//! `postern-app`: Postern in the tray.
fn main() {}
