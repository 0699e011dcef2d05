//! Revisions replayed on an empty database, for the schema they build: what batch plans need where no database is at
//! hand. Rows are left out; what fails in a replay is remembered and told when a plan then misses something.

use std::cell::RefCell;

use crate::code::Code;
use crate::dialect::{AlterStatement, Ask, Dialect, Lack, Mirror, Op, Replay as Fate, Rewrite, Rows, Scratch};
use crate::driver::{Driver, DriverError, Failure};
use crate::error::{Error, Result};
use crate::execute::attached::Attached;
use crate::execute::fault;
use crate::execute::online::OnDriver;
use crate::execute::scripts::Sources;
use crate::execute::switches::Switches;
use crate::execute::walk::{Place, Runner, Walk};
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::{Node, NodeSet};
use crate::revision::{Direction, Recreate, Script};
use crate::sql::{filled, token};

mod step;
mod undone;

/// Makes an empty database to replay on.
pub type MakeScratch<'a> = &'a dyn Fn() -> Result<Box<dyn Driver>, DriverError>;

/// An in-memory database with the schema at some point of the history.
pub(crate) struct Replay {
    db: Box<dyn Driver>,
    /// For a script that any SQLite may run, not for this one's own connection.
    offline: bool,
    /// It began as the schema of a database: what is known of the rows there.
    mirror: Option<Box<dyn Mirror>>,
    /// The statements that drop what a step made that must not outlive it.
    temporary: Vec<String>,
    /// The databases that a step has attached.
    attached: Attached,
    /// The first thing that failed.
    trouble: RefCell<Option<String>>,
    /// A statement was passed over that brings rows, which others may need.
    without_rows: bool,
    /// Foreign keys are on where the revision has them on.
    keys: bool,
    /// What fails in a revision is an error, unless it may have failed for what scratch lacks.
    exact: bool,
    /// All that runs is undone.
    undone: bool,
    /// Something of that was refused for standing in one transaction with what came before.
    tied: bool,
}

impl Replay {
    /// An empty one.
    pub(crate) fn new(scratch: MakeScratch<'_>, offline: bool) -> Result<Self> {
        Ok(Self {
            db: scratch().map_err(|error| fault::database(&error))?,
            offline,
            mirror: None,
            temporary: Vec::new(),
            attached: Attached::default(),
            trouble: RefCell::new(None),
            without_rows: false,
            keys: false,
            exact: false,
            undone: false,
            tied: false,
        })
    }

    /// One that begins as the schema of a database.
    pub(crate) fn over(db: Box<dyn Driver>, mirror: Box<dyn Mirror>) -> Self {
        Self {
            db,
            offline: false,
            mirror: Some(mirror),
            temporary: Vec::new(),
            attached: Attached::default(),
            trouble: RefCell::new(None),
            without_rows: false,
            keys: false,
            exact: false,
            undone: false,
            tied: false,
        }
    }

    /// One in which revisions may fail for nothing but what scratch lacks.
    pub(crate) fn exactly(self) -> Self {
        Self { exact: true, ..self }
    }

    /// The schema that these applied revisions build, in order of the graph.
    pub(crate) fn at(
        scratch: MakeScratch<'_>,
        graph: &RevisionGraph,
        applied: &NodeSet,
        sources: &dyn Sources,
        offline: bool,
    ) -> Result<Self> {
        let mut replay = Self::new(scratch, offline)?;
        replay.all(graph, applied, sources)?;
        Ok(replay)
    }

    /// Replays these revisions.
    pub(crate) fn all(&mut self, graph: &RevisionGraph, applied: &NodeSet, sources: &dyn Sources) -> Result<()> {
        self.follow(false);
        let nodes: Vec<Node> = graph
            .order()
            .iter()
            .copied()
            .filter(|node| applied.contains(*node))
            .collect();
        for node in nodes {
            self.step(graph, node, Direction::Upgrade, sources)?;
        }
        Ok(())
    }

    /// Runs a script as a revision would be: in a transaction where replays have any. What fails is an error.
    pub(crate) fn as_revision(&mut self, script: &Script) -> Result<()> {
        if !self.dialect().replays_transactions() {
            return self.strictly(script, Recreate::Auto);
        }
        self.begin()?;
        self.strictly(script, Recreate::Auto)?;
        let ended = self.db.execute("COMMIT");
        ended.map_err(|error| fault::commit(&error, script))
    }

    fn begin(&mut self) -> Result<()> {
        let begin = self.dialect().begin();
        self.db.execute(begin).map_err(|error| fault::database(&error))
    }

    /// Replays a revision as it runs in truth. What fails is an error, unless it may have failed for what scratch lacks:
    /// then the rest goes on, and it is remembered.
    fn revision(&mut self, script: &Script, recreate: Recreate, in_transaction: bool) -> Result<()> {
        if in_transaction && self.whole(script, recreate)? {
            return Ok(());
        }
        if in_transaction {
            self.begin()?;
        }
        let ran = self.passing(script, recreate, in_transaction);
        if in_transaction {
            let ended = self.db.execute(if ran.is_ok() { "COMMIT" } else { "ROLLBACK" });
            ran?;
            return ended.map_err(|error| fault::commit(&error, script));
        }
        ran
    }

    fn passing(&mut self, script: &Script, recreate: Recreate, in_transaction: bool) -> Result<()> {
        let walk = self.walk(script, recreate);
        walk.run(&mut Passing {
            replay: self,
            in_transaction,
        })
    }

    /// Replays a script in one transaction; `false` when that fails, and nothing of it was done.
    fn whole(&mut self, script: &Script, recreate: Recreate) -> Result<bool> {
        self.begin()?;
        let ran = self.strictly(script, recreate);
        if let Err(error) = &ran
            && error.code() == Code::Interrupted
        {
            return Err(error.clone());
        }
        let ended = self.db.execute(if ran.is_ok() { "COMMIT" } else { "ROLLBACK" });
        Ok(ran.is_ok() && ended.is_ok())
    }

    /// Whether a statement may have failed for what scratch lacks.
    fn may_pass(&mut self, sql: &str, error: &DriverError) -> bool {
        let code = error.code.as_deref().unwrap_or_default();
        if error.failure != Failure::Statement {
            return false;
        }
        match self.dialect().lacks(sql, code, &error.message) {
            Lack::Nothing => false,
            Lack::Server => true,
            Lack::Object => self.trouble.borrow().is_some(),
            Lack::Rows => self.trouble.borrow().is_some() || self.without_rows,
        }
    }

    fn remember(&self, error: &DriverError, sql: &str) {
        let mut trouble = self.trouble.borrow_mut();
        trouble.get_or_insert_with(|| format!("{}: {}", error.message, first_line(sql)));
    }

    /// Runs a script; what fails is an error.
    pub(crate) fn strictly(&mut self, script: &Script, recreate: Recreate) -> Result<()> {
        let walk = self.walk(script, recreate);
        walk.run(&mut Strict { replay: self })
    }

    fn script(&mut self, script: &Script, recreate: Recreate) -> Result<()> {
        let walk = self.walk(script, recreate);
        walk.run(self)
    }

    fn walk<'s>(&self, script: &'s Script, recreate: Recreate) -> Walk<'s> {
        Walk {
            dialect: self.db.dialect(),
            script,
            recreate,
            skip: 0,
        }
    }

    fn dialect(&self) -> &'static dyn Dialect {
        self.db.dialect()
    }

    /// Replays a statement that stands as it is written, or says why the database refuses it.
    pub(crate) fn try_native(&mut self, sql: &str) -> Result<(), DriverError> {
        if self.keys
            && let Some((setting, on)) = self.dialect().meant_switch(sql)
        {
            self.db.setting(setting, Some(on))?;
        }
        let instead = match self.dialect().replay(sql) {
            Fate::Skip => {
                let first = token::keywords(sql, self.dialect().rules(), 1);
                let first = first.first().map(String::as_str);
                self.without_rows |= first.is_some_and(|word| BRINGS_ROWS.contains(&word));
                return Ok(());
            }
            Fate::Run => None,
            Fate::Instead(sql) => Some(sql),
        };
        let drop = self.dialect().drops_temporary(sql, &self.temporary);
        self.temporary.extend(drop);
        self.db.execute(instead.as_deref().unwrap_or(sql))?;
        self.attached.read(sql, self.db.dialect());
        // A query may make a row of nothing; where the revision runs in truth it makes others.
        match filled::table(sql, self.dialect().rules()) {
            Some(table) => self.db.execute(&format!("DELETE FROM {table}")),
            None => Ok(()),
        }
    }

    /// Replays a statement that stands as it is written, and remembers what fails. Returns what to say of that in a plan.
    pub(crate) fn native(&mut self, sql: &str) -> Result<Option<String>> {
        self.with_mirror(|mirror, ask| mirror.before(sql, ask))?;
        match self.try_native(sql) {
            Err(error) if error.failure == Failure::Interrupted => return Err(fault::database(&error)),
            Err(error) => {
                self.remember(&error, sql);
                let mirror = self.mirror.as_deref();
                let note = mirror.filter(|mirror| mirror.refuses_too(&error.message));
                return Ok(note.map(|_| {
                    let what = first_line(sql);
                    format!("`{what}` fails on the schema that the database has: {}", error.message)
                }));
            }
            Ok(()) => {}
        }
        Ok(None)
    }

    /// Replays what ALTERs became. Checks are about rows, and there are none. Returns what to say of it in a plan.
    pub(crate) fn ops(&mut self, run: &[AlterStatement], rewrite: &Rewrite) -> Result<Option<String>> {
        let mut switches = Switches::new(&mut *self.db);
        let matters = |op: &&Op| matches!(op, Op::Sql { .. } | Op::Set(..));
        let ran = rewrite
            .ops
            .iter()
            .filter(matters)
            .try_for_each(|op| switches.run(op, run));
        let ran = switches.restore().and(ran);
        self.with_mirror(|mirror, ask| mirror.altered(run, rewrite, ask))?;
        let Some(mirror) = &self.mirror else {
            return ran.map(|()| None);
        };
        let Err(error) = ran else { return Ok(None) };
        match error.causes().iter().find(|words| !mirror.refuses_too(words)) {
            Some(words) => {
                let words = format!("what `{}` becomes cannot be tried here: {words}", rewrite.table);
                self.trouble.borrow_mut().get_or_insert_with(|| words.clone());
                Ok(Some(words))
            }
            None => Err(error),
        }
    }

    /// A revision is written down.
    pub(crate) fn recorded(&mut self) {
        if let Some(mirror) = &mut self.mirror {
            mirror.recorded();
        }
    }

    fn with_mirror<T>(&mut self, action: impl FnOnce(&mut dyn Mirror, &mut dyn Ask) -> Result<T>) -> Result<Option<T>> {
        let Some(mut mirror) = self.mirror.take() else {
            return Ok(None);
        };
        let done = action(&mut *mirror, &mut *self.asker());
        self.mirror = Some(mirror);
        done.map(Some)
    }

    /// The replayed database.
    pub(crate) fn driver(&mut self) -> &mut dyn Driver {
        &mut *self.db
    }

    /// The first thing that failed in the replay.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// Asks the replayed database.
    pub(crate) fn asker(&mut self) -> Box<dyn Ask + '_> {
        Box::new(Asker { replay: self })
    }

    /// Adds what went wrong before to an error that it may explain.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match &*self.trouble.borrow() {
            Some(trouble) if self.mirror.is_some() => error.cause(format!(
                "earlier in this plan, tried on the schema that the database has: {trouble}"
            )),
            Some(trouble) => error.cause(format!("earlier in the replay of the history: {trouble}")),
            None => error,
        }
    }
}

/// The first words of statements that bring or change rows.
const BRINGS_ROWS: [&str; 7] = ["COPY", "INSERT", "REPLACE", "LOAD", "UPDATE", "DELETE", "WITH"];

fn first_line(sql: &str) -> &str {
    sql.lines().next().unwrap_or_default()
}

/// A replay in which nothing may fail.
struct Strict<'r> {
    replay: &'r mut Replay,
}

impl Runner for Strict<'_> {
    fn statement(&mut self, place: &Place<'_>) -> Result<()> {
        let rules = self.replay.dialect().rules();
        self.replay.try_native(place.sql()).map_err(|error| {
            self.replay.note(&error);
            let (file, span) = place.in_file();
            fault::statement(&error, &file, &span, rules)
        })
    }

    fn rewrite(&mut self, run: &[AlterStatement], rewrite: &Rewrite, _done: u64) -> Result<()> {
        self.replay.ops(run, rewrite).map(drop)
    }

    fn ask(&mut self) -> Result<Box<dyn Ask + '_>> {
        Ok(self.replay.asker())
    }
}

/// A replay in which that may fail which lacks what scratch may not have.
struct Passing<'r> {
    replay: &'r mut Replay,
    in_transaction: bool,
}

/// What a failed statement of a transaction is undone to.
const ASIDE: [&str; 3] = [
    "SAVEPOINT sqlrev_replay",
    "RELEASE SAVEPOINT sqlrev_replay",
    "ROLLBACK TO SAVEPOINT sqlrev_replay",
];

impl Runner for Passing<'_> {
    fn statement(&mut self, place: &Place<'_>) -> Result<()> {
        let sql = place.sql();
        let replay = &mut *self.replay;
        let [save, release, back] = ASIDE;
        let aside = self.in_transaction && !replay.dialect().comes_first(sql);
        let send = |replay: &mut Replay, sql: &str| {
            let done = if aside { replay.db.execute(sql) } else { Ok(()) };
            done.map_err(|error| fault::database(&error))
        };
        send(replay, save)?;
        if let Err(error) = replay.try_native(sql) {
            if !replay.may_pass(sql, &error) {
                let (file, span) = place.in_file();
                return Err(fault::statement(&error, &file, &span, replay.dialect().rules()));
            }
            replay.remember(&error, sql);
            send(replay, back)?;
        }
        send(replay, release)
    }

    fn rewrite(&mut self, run: &[AlterStatement], rewrite: &Rewrite, _done: u64) -> Result<()> {
        self.replay.ops(run, rewrite).map(drop)
    }

    fn ask(&mut self) -> Result<Box<dyn Ask + '_>> {
        Ok(self.replay.asker())
    }
}

impl Runner for Replay {
    fn statement(&mut self, place: &Place<'_>) -> Result<()> {
        self.native(place.sql()).map(drop)
    }

    fn rewrite(&mut self, run: &[AlterStatement], rewrite: &Rewrite, _index: u64) -> Result<()> {
        self.ops(run, rewrite).map(drop)
    }

    fn ask(&mut self) -> Result<Box<dyn Ask + '_>> {
        Ok(self.asker())
    }
}

struct Asker<'a> {
    replay: &'a mut Replay,
}

impl Ask for Asker<'_> {
    fn query(&mut self, sql: &str) -> Result<Rows> {
        let rows = self.replay.db.query(sql);
        rows.map_err(|error| self.replay.explain(fault::database(&error)))
    }

    fn scratch(&mut self) -> Result<Box<dyn Scratch>> {
        let db = self.replay.db.scratch().map_err(|error| fault::database(&error))?;
        Ok(Box::new(OnDriver(db)))
    }

    fn offline(&self) -> bool {
        self.replay.offline
    }

    fn knows_rows(&self) -> bool {
        false
    }

    fn will_have_rows(&mut self, schema: &str, table: &str) -> Result<Option<bool>> {
        let known = self
            .replay
            .with_mirror(|mirror, ask| mirror.has_rows(schema, table, ask));
        known.map(Option::flatten)
    }

    fn will_have_inserted(&self) -> Option<bool> {
        self.replay.mirror.as_ref().map(|mirror| mirror.has_inserted())
    }
}
