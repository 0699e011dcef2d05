//! Revisions in a program, put there by its build script and checked while it is built.
//!
//! In `build.rs`, this is all:
//!
//! ```no_run
//! sqlrev::build::embed("migrations");
//! ```
//!
//! In the program it is `Migrator::new(sqlrev::embedded!())`. A mistake in a revision (its header, its place in the graph,
//! SQL that cannot be cut into statements) stops the build, with file, line and column. A file that is added, changed or
//! removed is noticed. `sqlrev` stands in `[build-dependencies]` too, best with `default-features = false`: nothing of a
//! database is needed there.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::code::Code;
use crate::dialect::Dialect;
use crate::dialect::sqlite::Sqlite;
use crate::error::{Error, Result};
use crate::execute::{lent, plain, step};
use crate::project;
use crate::revision::graph::RevisionGraph;
use crate::revision::{Revision, Script, Transaction, packed};

/// The name of what is written for the program, in its `OUT_DIR`.
const FILE: &str = "sqlrev_revisions.bin";
/// The largest file that is embedded.
const LARGEST: usize = 64 << 20;

/// Embeds the revisions of a folder, given from the folder of the package, for SQLite. `embedded!()`
/// takes them into the program.
pub fn embed(folder: impl AsRef<Path>) {
    embed_for(&Sqlite, folder);
}

/// Likewise, with the texts for another dialect.
pub fn embed_for(dialect: &'static dyn Dialect, folder: impl AsRef<Path>) {
    embed_as(FILE, dialect, folder);
}

/// Likewise, under a name of its own in `OUT_DIR`, for a program with several databases: `embedded!("audit.bin")`.
pub fn embed_as(file: &str, dialect: &'static dyn Dialect, folder: impl AsRef<Path>) {
    let place = |name: &str| variable(name).map(PathBuf::from);
    let (Some(package), Some(out)) = (place("CARGO_MANIFEST_DIR"), place("OUT_DIR")) else {
        say("error", "this is for build scripts, which Cargo runs");
        return;
    };
    let folder = package.join(folder);
    watch(&folder);
    let packed = match packed(&folder, dialect) {
        Ok(packed) => packed,
        Err(errors) => {
            for error in errors {
                say("error", &told(&error, &package, &folder));
            }
            return;
        }
    };
    if let Err(error) = write(&out.join(file), &packed) {
        say("error", &format!("cannot write {}: {error}", out.join(file).display()));
    }
}

/// The revisions of a folder in one piece, as `Embedded::new` takes them: for build
/// systems other than Cargo.
///
/// # Errors
/// Every mistake that was found; those in headers and names of files one at a time.
pub fn packed(folder: &Path, dialect: &'static dyn Dialect) -> Result<Vec<u8>, Vec<Error>> {
    let one = |error| vec![error];
    let revisions = project::in_folder(folder, dialect.variants()).map_err(one)?;
    let revisions: Vec<Revision> = revisions
        .into_iter()
        .map(in_memory)
        .collect::<Result<_>>()
        .map_err(one)?;
    let graph = RevisionGraph::build(revisions).map_err(one)?;
    let (mut known, mut errors) = (Vec::new(), Vec::new());
    let mut needs_plan = None;
    for revision in graph.revisions() {
        // What would only fail on the user's machine fails here.
        if revision.missing_text {
            errors.push(step::no_text(revision, dialect.name()));
        }
        if revision.header.code && revision.header.transaction == Transaction::None {
            errors.push(lent::alone(revision));
        }
        let mut check = |script: &Option<Script>, upgrade| {
            let script = script.as_ref()?;
            match script.prepare(&revision.header, upgrade, dialect) {
                Ok(prepared) => {
                    if let Some(index) = prepared.needs_plan {
                        needs_plan.get_or_insert_with(|| told(&script.left_out(index, dialect), folder, folder));
                    }
                    if revision.header.code && prepared.commits && revision.header.transaction != Transaction::None {
                        errors.push(lent::not_held(revision));
                    }
                    let header = upgrade.then_some(&revision.header);
                    let known = plain::known(script, header, &prepared, dialect);
                    known.map_err(|error| errors.push(error)).ok()
                }
                Err(error) => {
                    errors.push(error);
                    None
                }
            }
        };
        known.push([check(&revision.upgrade, true), check(&revision.downgrade, false)]);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    packed::pack(dialect.name(), &graph, &known, needs_plan.as_deref()).ok_or_else(|| {
        let error = Error::new(Code::FileIo, "the revisions are too large to be embedded");
        one(error.help("read them at run time: Migrator::from_folder"))
    })
}

/// A revision with its texts in memory.
fn in_memory(mut revision: Revision) -> Result<Revision> {
    for script in [&mut revision.upgrade, &mut revision.downgrade].into_iter().flatten() {
        if script.large.is_some() {
            let Some(text) = script.whole(LARGEST)? else {
                let message = format!("`{}` is too large to be embedded", script.file.name);
                return Err(Error::new(Code::FileIo, message).help("insert the data from a file at run time"));
            };
            script.file.text = text;
            script.large = None;
        }
    }
    Ok(revision)
}

/// An error in one line, as the compiler's: where, what, and what to do. Names begin in the folder of the package.
fn told(error: &Error, package: &Path, folder: &Path) -> String {
    let above = folder.parent().and_then(|parent| parent.strip_prefix(package).ok());
    let mut out = String::new();
    if let Some(label) = error.labels().first() {
        let (line, column) = label.file.line_column(label.span.start);
        let name = above.map_or_else(
            || PathBuf::from(&*label.file.name),
            |above| above.join(&*label.file.name),
        );
        let _ = write!(out, "{}:{line}:{column}: ", name.display());
    }
    let _ = write!(out, "{}", error.message());
    if let Some(label) = error.labels().first().filter(|label| !label.text.is_empty()) {
        let _ = write!(out, ": {}", label.text);
    }
    for more in error.causes().iter().chain(error.help_lines()) {
        let _ = write!(out, "; {more}");
    }
    let _ = write!(out, " [{}]", error.code().name());
    out.replace(['\n', '\r'], " ")
}

/// Has Cargo run the build script again when anything in the folder changes.
#[expect(clippy::disallowed_methods, reason = "a build script reads folders")]
fn watch(folder: &Path) {
    say("rerun-if-changed", &folder.display().to_string());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            say("rerun-if-changed", &entry.path().display().to_string());
        }
    }
}

/// Cargo reads what a build script writes.
fn say(what: &str, text: &str) {
    let _ = writeln!(io::stdout(), "cargo::{what}={text}");
}

/// Cargo speaks to a build script by the environment.
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// Writes the file unless it says that already, so that the program is not built for nothing.
#[expect(clippy::disallowed_methods, reason = "a build script writes for the compiler")]
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|before| before == bytes) {
        return Ok(());
    }
    std::fs::write(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes revisions")]
    fn what_would_fail_on_the_users_machine_stops_the_build() {
        let code = |name: &str, text: &str| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("a")).unwrap();
            std::fs::write(folder.path().join("a").join(name), text).unwrap();
            let errors = packed(folder.path(), &Sqlite).map(drop).err().unwrap_or_default();
            errors.iter().map(Error::code).collect::<Vec<_>>()
        };
        let sql = |header: &str| format!("-- ---\n-- revision: aaaa\n{header}-- ---\nCREATE TABLE t (x);\n");
        assert_eq!(code("upgrade.sql", &sql("-- code: true\n")), []);
        assert_eq!(code("upgrade.postgresql.sql", &sql("")), [Code::NoDialectText]);
        let both = sql("-- code: true\n-- transaction: none\n");
        assert_eq!(code("upgrade.sql", &both), [Code::OwnCodeUnexpected]);
    }
}
