//! Postern's engine.
