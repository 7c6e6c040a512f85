//! Postern's hub.
