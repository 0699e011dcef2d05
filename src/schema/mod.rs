//! The neutral model of a schema.

pub mod diff;
