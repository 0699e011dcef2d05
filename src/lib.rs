//! Schema migrations as plain SQL files.

pub mod code;
pub mod dialect;
pub mod driver;
pub mod error;
pub mod project;
pub mod revision;
pub mod schema;
pub mod source;
pub mod sql;
pub mod yaml;

#[cfg(feature = "cli")]
pub mod cli;
