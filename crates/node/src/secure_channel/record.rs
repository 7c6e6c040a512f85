//! Data records.
