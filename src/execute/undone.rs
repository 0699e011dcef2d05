//! Scratch databases that hold a schema and are used again: what is tried on one is undone, so that the next try, which
//! may be harder by one means alone, need not wait until the whole schema is built once more.

use std::cell::RefCell;

use crate::code::Code;
use crate::driver::{Driver, DriverError, Failure};
use crate::error::{Error, Result};
use crate::execute::autogenerate::Autogenerate;
use crate::execute::replay::Replay;
use crate::execute::{declared, fault};
use crate::revision::Script;
use crate::schema::{Model, order};
use crate::sorted::Gather as _;

/// How many are kept: one for the way there and one for the way back.
const MOST: usize = 2;

/// What PostgreSQL says when it takes no more connections of a role, or at all (`errcodes-appendix.html`).
const TOO_MANY_CONNECTIONS: &str = "53300";

/// Says that a scratch database is used from now on that was made before another one; refused when all is to stop.
pub type Resume<'a> = &'a dyn Fn(&mut dyn Driver) -> Result<(), DriverError>;

/// The scratch databases that are kept, the last one used at the end.
#[derive(Default)]
pub struct Kept(RefCell<Vec<(blake3::Hash, Replay)>>);

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({})", self.0.borrow().len())
    }
}

impl Kept {
    /// The one that holds this schema, or none, and then there is room for one more.
    fn take(&self, hash: &blake3::Hash) -> Option<Replay> {
        let mut kept = self.0.borrow_mut();
        if let Some(at) = kept.iter().position(|(other, _)| other == hash) {
            return Some(kept.remove(at).1);
        }
        if kept.len() >= MOST {
            kept.remove(0);
        }
        None
    }

    /// Lets all go where their connections are those that a new one lacks (PostgreSQL's 53300); `false` where there are none.
    fn gives_way(&self, error: &Error) -> bool {
        let is_lack = error.causes().iter().any(|cause| cause.contains(TOO_MANY_CONNECTIONS));
        is_lack && !std::mem::take(&mut *self.0.borrow_mut()).is_empty()
    }
}

impl Autogenerate<'_> {
    /// A scratch database that holds the schema. What is not compared may be missing there.
    pub(super) fn holding(&self, schema: &Model) -> Result<Replay> {
        let mut replay = match Replay::new(self.scratch, false) {
            Err(error) if self.kept.gives_way(&error) => Replay::new(self.scratch, false)?,
            made => made?,
        };
        let seen = self.seen(schema);
        let bodies = replay.driver().dialect().bodies_unread();
        let bodies = bodies.filter(|_| declared::has_bodies(schema));
        if let Some([unread, _]) = bodies {
            run_for(&mut replay, unread, true)?;
        }
        let mut late = Vec::new();
        for key in order::creation(schema, &schema.objects.keys().cloned().into_set()) {
            let object = &schema.objects[&key];
            late.extend(object.late.iter().map(|statement| (key.clone(), statement)));
            for statement in &object.create {
                run_for(&mut replay, statement, seen.objects.contains_key(&key))?;
            }
        }
        for (key, statement) in late {
            run_for(&mut replay, statement, seen.objects.contains_key(&key))?;
        }
        if let Some([_, read]) = bodies {
            run_for(&mut replay, read, true)?;
        }
        Ok(replay)
    }

    /// Whether all that is tried can be undone.
    pub(super) fn undoes(&self) -> bool {
        self.dialect.replays_transactions() && !self.dialect.ddl_commits()
    }

    /// One that was kept, in a transaction; none where a server has closed it since.
    fn resumed(&self, mut replay: Replay) -> Result<Option<Replay>> {
        (self.resume)(replay.driver()).map_err(|error| fault::database(&error))?;
        match replay.begin_undone() {
            Err(error) if error.code() == Code::Interrupted => Err(error),
            begun => Ok(begun.is_ok().then_some(replay)),
        }
    }

    /// Tries something in a transaction on a scratch database that holds the schema, and undoes it. An error of the work is
    /// one that ends the comparison.
    pub(super) fn undone<T>(&self, schema: &Model, work: &mut dyn FnMut(&mut Replay) -> Result<T>) -> Result<T> {
        let hash = hash(schema);
        let kept = self.kept.take(&hash).map(|replay| self.resumed(replay)).transpose()?;
        let mut replay = match kept.flatten() {
            Some(replay) => replay,
            None => {
                let mut replay = self.holding(schema)?;
                replay.begin_undone()?;
                replay
            }
        };
        // What failed is not used again.
        let done = work(&mut replay)?;
        replay.undo()?;
        self.kept.0.borrow_mut().push((hash, replay));
        Ok(done)
    }

    /// What a script makes of a schema; none where it fails, which may be for its being tried in a transaction.
    pub(super) fn tried_undone(&self, from: &Model, script: &Script) -> Result<Option<Model>> {
        self.undone(from, &mut |replay| {
            Ok(match replay.refuses(script)? {
                Some(_) => None,
                None => Some(declared::model(replay.driver(), self.table)?.unwrap_or_default()),
            })
        })
    }
}

/// Tells schemas apart by the statements that make them, in their order.
fn hash(schema: &Model) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for key in order::creation(schema, &schema.objects.keys().cloned().into_set()) {
        let object = &schema.objects[&key];
        for statement in object.create.iter().chain(&object.late) {
            hasher.update(&statement.len().to_le_bytes());
            hasher.update(statement.as_bytes());
        }
        hasher.update(&[0]);
    }
    hasher.finalize()
}

fn run_for(replay: &mut Replay, statement: &str, is_compared: bool) -> Result<()> {
    match replay.driver().execute(statement) {
        Err(error) if error.failure == Failure::Interrupted => Err(fault::database(&error)),
        Err(error) if is_compared => {
            let first_line = statement.lines().next().unwrap_or_default();
            Err(Error::new(Code::SchemaScratch, "the present schema cannot be built on scratch")
                .cause(format!("{}: {first_line}", error.message))
                .help("leave out what only the live database can build: `exclude:` under `autogenerate:` in migrations.yaml"))
        }
        _ => Ok(()),
    }
}
