//! Schema migrations as plain SQL files: the library behind the `sqlrev` command.
//!
//! An application begins with a [`Migrator`]: its revisions, [embedded](build) or read, applied over its own connection,
//! or over one that [`Migrator::connect`] opens for a URL. Underneath, [`revision`] makes a graph of them and plans
//! through it, [`execute`] runs a plan over a [`driver`], and what differs from database to database is a [`dialect`].
//! Everything fails with one [`error::Error`], whose [`code::Code`] is there to branch on.

pub mod build;
pub mod code;
pub mod dialect;
pub mod driver;
pub mod error;
pub mod execute;
pub mod migrator;
mod moment;
#[doc(hidden)]
pub mod percent;
#[doc(hidden)]
pub mod project;
pub mod revision;
#[doc(hidden)]
pub mod schema;
mod secret;
mod shell;
mod sorted;
pub mod source;
#[doc(hidden)]
pub mod sql;
#[doc(hidden)]
pub mod version;
#[doc(hidden)]
pub mod yaml;

#[cfg(feature = "cli")]
pub mod cli;

pub use code::Code;
pub use driver::Driver;
pub use error::Error;
pub use execute::event::Event;
pub use execute::{Cancel, Report};
pub use migrator::{Embedded, Migrator, Status};
