//! Schema migrations as plain SQL files: the library behind the `sqlrev` command.
//!
//! [`project`] reads the configuration and the files of the revisions, [`revision`] makes a graph of them and plans
//! through it, [`execute`] runs a plan over a [`driver`] or writes it as an offline script; what differs from database to
//! database is a [`dialect`]. Everything fails with one [`error::Error`], whose [`code::Code`] is there to branch on.

pub mod build;
pub mod code;
pub mod dialect;
pub mod driver;
pub mod error;
pub mod execute;
pub mod migrator;
pub mod percent;
pub mod project;
pub mod revision;
pub mod schema;
pub mod source;
pub mod sql;
pub mod version;
pub mod yaml;

#[cfg(feature = "cli")]
pub mod cli;

pub use code::Code;
pub use driver::Driver;
pub use error::Error;
pub use execute::event::Event;
pub use execute::{Cancel, Report};
pub use migrator::{Embedded, Migrator, Status};
