//! The runner that runs nothing: it hands each piece of a plan on, for a script or for people to read.

use std::collections::BTreeSet;

use crate::dialect::Dialect;
use crate::dialect::{AlterStatement, Ask, Op, Replaces, Rewrite};
use crate::error::Result;
use crate::execute::basis::Start;
use crate::execute::bookkeeping::{self, Record};
use crate::execute::course::{Act, Course};
use crate::execute::losses::Losses;
use crate::execute::replay::{MakeScratch, Replay};
use crate::execute::scripts::{Prepared, Sources};
use crate::execute::walk::{Place, Runner, Walk};
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::NodeSet;
use crate::revision::plan::{Plan, Step};
use crate::revision::{Direction, Revision, Script, Transaction};
use crate::source::{SourceFile, Span};
use crate::sql::split::Data;
use crate::version::{Stamp, VersionTable};

/// A piece of a plan.
pub(crate) enum Piece<'p> {
    /// A statement as it is written.
    Native(&'p Place<'p>),
    /// Lines of data for the statement before.
    Data(&'p str),
    /// The end of those lines.
    DataEnd,
    /// What some ALTERs became.
    Rewritten(&'p [AlterStatement], &'p Rewrite),
    /// The bookkeeping.
    Version(&'p str),
}

/// What becomes of the pieces of a plan.
pub(crate) trait Reader {
    /// A step begins.
    fn step(&mut self, step: &Step, revision: &Revision, prepared: &Prepared) -> Result<()>;
    /// Whether the pieces of a script without ALTERs are wanted.
    fn wants_statements(&self) -> bool {
        true
    }
    /// A piece of it. `ask` answers from the schema as it is just before the piece, where that was needed at all.
    fn piece(&mut self, piece: &Piece<'_>, ask: Option<&mut dyn Ask>) -> Result<()>;
    /// What a script stops at where the query finds something.
    fn guard(&mut self, query: &str, why: &str) -> Result<()> {
        let _ = (query, why);
        Ok(())
    }
    /// Something that a reader of the plan should know of the step.
    fn note(&mut self, note: String) {
        drop(note);
    }
    /// The step ends.
    fn end(&mut self, step: &Step) -> Result<()>;
}

/// A step with its script, which was read to its end.
pub(crate) struct Scripted<'p> {
    pub step: &'p Step,
    pub script: Script,
    pub prepared: Prepared,
}

/// Reads plans aloud.
pub struct Recorder<'a> {
    /// The revisions.
    pub graph: &'a RevisionGraph,
    /// Where downgrades are read from.
    pub sources: &'a dyn Sources,
    /// The version table.
    pub table: VersionTable,
    /// The statement that leads a session to the schema in which the revisions run, where the URL names one.
    pub enter: Option<String>,
    /// The SQL.
    pub dialect: &'static dyn Dialect,
    /// Makes empty databases.
    pub scratch: MakeScratch<'a>,
    /// Who will be said to have run it.
    pub by: &'a str,
    /// Plans for a script that any version of the database may run, not for this program's own connection.
    pub offline: bool,
}

impl Recorder<'_> {
    /// Reads the scripts of a plan to their ends.
    pub(crate) fn prepare<'p>(&self, plan: &'p Plan) -> Result<Vec<Scripted<'p>>> {
        prepare(self.graph, self.sources, self.dialect, plan)
    }

    /// Hands every piece of the plan to the reader. The schema that it starts with is the database's, where that is there;
    /// otherwise it is built in memory when the first ALTER needs it, from the revisions that are applied before the plan
    /// begins.
    pub(crate) fn read(
        &self,
        scripts: &[Scripted<'_>],
        start: Start,
        applied: &Applied,
        reader: &mut dyn Reader,
    ) -> Result<()> {
        let (mut replay, mut without) = (start.schema, start.without);
        let mut done: NodeSet = applied.set().clone();
        for Scripted { step, script, prepared } in scripts {
            let revision = self.graph.revision(step.node);
            if prepared.alters && replay.is_none() {
                replay = Some(Replay::at(self.scratch, self.graph, &done, self.sources, self.offline)?);
            }
            reader.step(step, revision, prepared)?;
            if let Some(why) = without.take_if(|_| replay.is_some()) {
                reader.note(format!(
                    "planned on what the revisions build, as the schema of the database cannot be made in memory: {why}"
                ));
            }
            let skip = start.done.get(&step.revision).copied().unwrap_or(0);
            if skip > 0 {
                let statements = if skip == 1 { "statement" } else { "statements" };
                reader.note(format!("{skip} {statements} of it ran before it stopped half-way"));
            }
            if replay.is_none() && !reader.wants_statements() {
                reader.end(step)?;
                mark(&mut done, step);
                continue;
            }
            let walk = Walk {
                dialect: self.dialect,
                script,
                recreate: revision.header.recreate,
                skip,
            };
            let mut reading = Reading {
                reader: &mut *reader,
                replay: replay.as_mut(),
                course: Course::new(prepared, self.dialect),
                losses: Losses::default(),
                at: None,
                dropped: prepared.dropped.clone(),
                taken_away: prepared.taken_away(),
                unsettles: prepared.unsettles,
            };
            if let Some(replay) = &mut reading.replay {
                replay.follow(script.may_rename_by_keys());
            }
            let held = revision.header.transaction == Transaction::Revision && !prepared.commits;
            let began = reading.begin(self.offline);
            let walked = began
                .and_then(|()| walk.run(&mut reading))
                .and_then(|()| reading.notes(held));
            walked.map_err(|error| match &replay {
                Some(replay) => replay.explain(error),
                None => error,
            })?;
            if let Some(replay) = &mut replay {
                replay.end_step()?;
            }
            script.check_unchanged(prepared)?;
            self.bookkeeping(step, revision, prepared, reader)?;
            if let Some(replay) = &mut replay {
                replay.recorded();
            }
            reader.end(step)?;
            mark(&mut done, step);
        }
        Ok(())
    }

    fn bookkeeping(
        &self,
        step: &Step,
        revision: &Revision,
        prepared: &Prepared,
        reader: &mut dyn Reader,
    ) -> Result<()> {
        let record = match step.direction {
            Direction::Upgrade => Some(Record::of(revision, Some(prepared), self.sources, self.dialect)?),
            Direction::Downgrade => None,
        };
        let id = step.revision.as_str();
        for sql in bookkeeping::of_step(&self.table, step.direction, record.as_ref(), id, &self.stamp()) {
            reader.piece(&Piece::Version(&sql), None)?;
        }
        Ok(())
    }

    /// The moment is the database's own, and nobody measures.
    pub(crate) fn stamp(&self) -> Stamp<'_> {
        Stamp {
            at: None,
            by: self.by,
            took: None,
        }
    }
}

/// Reads the scripts of a plan to their ends.
pub(crate) fn prepare<'p>(
    graph: &RevisionGraph,
    sources: &dyn Sources,
    dialect: &'static dyn Dialect,
    plan: &'p Plan,
) -> Result<Vec<Scripted<'p>>> {
    let prepare = |step: &'p Step| {
        let revision = graph.revision(step.node);
        let upgrade = step.direction == Direction::Upgrade;
        let script = if upgrade {
            revision.upgrade.clone()
        } else {
            sources.downgrade(revision)?
        };
        let script = script.ok_or_else(|| crate::execute::step::no_text(revision, dialect.name()))?;
        let prepared = script.prepare(&revision.header, upgrade, dialect)?;
        script.refuse_left_out(&prepared, dialect)?;
        Ok(Scripted { step, script, prepared })
    };
    plan.steps.iter().map(prepare).collect()
}

fn mark(done: &mut NodeSet, step: &Step) {
    match step.direction {
        Direction::Upgrade => {
            done.insert(step.node);
        }
        Direction::Downgrade => done.remove(step.node),
    }
}

struct Reading<'r> {
    reader: &'r mut dyn Reader,
    replay: Option<&'r mut Replay>,
    /// What the script replaces by hand.
    course: Course,
    losses: Losses,
    /// Where the first of that goes.
    at: Option<(SourceFile, Span)>,
    /// The tables that the script drops.
    dropped: BTreeSet<String>,
    /// The names under which tables were that it drops.
    taken_away: BTreeSet<String>,
    /// See [`Prepared::unsettles`](crate::execute::scripts::Prepared::unsettles).
    unsettles: bool,
}

impl Reading<'_> {
    /// Looks at what compiles before tables go.
    fn begin(&mut self, offline: bool) -> Result<()> {
        let looks = self.unsettles || !self.dropped.is_empty();
        let Some(replay) = self.replay.as_deref_mut().filter(|_| looks) else {
            return Ok(());
        };
        self.losses.begin(replay.driver())?;
        if !offline {
            return Ok(());
        }
        let dialect = replay.driver().dialect();
        for (query, why) in dialect.mended(&self.taken_away, &mut *replay.asker())? {
            self.reader.guard(&query, why)?;
        }
        Ok(())
    }

    /// Looks at what goes with a table that is replaced.
    fn looks(&mut self, statement: &str, place: Option<&Place<'_>>) -> Result<()> {
        let Some(replay) = self.replay.as_deref_mut() else {
            return Ok(());
        };
        let mut drops = || matches!(replay.driver().dialect().replaces(statement), Some(Replaces::Drops(_)));
        if self.at.is_none() && drops() {
            self.at = place.map(Place::in_file);
        }
        for act in self.course.before(statement) {
            if let Act::Keep { table, of } = act {
                self.losses.keep(replay.driver(), &table, &of)?;
            }
        }
        self.course.after(statement);
        Ok(())
    }

    /// Tells at the end of a script what did not come back; `held` by a transaction, what must is asked for.
    fn notes(&mut self, held: bool) -> Result<()> {
        let Some(replay) = self.replay.as_deref_mut() else {
            return Ok(());
        };
        if held && self.losses.replaced(replay.driver(), &self.taken_away)? {
            self.losses.compiles(replay.driver(), self.at.as_ref())?;
        }
        let notes = self.losses.said(replay.driver())?;
        for note in notes {
            self.reader.note(note);
        }
        Ok(())
    }
}

impl Runner for Reading<'_> {
    fn statement(&mut self, place: &Place<'_>) -> Result<()> {
        self.looks(place.statement.text, Some(place))?;
        match self.replay.as_deref_mut() {
            Some(replay) => {
                self.reader.piece(&Piece::Native(place), Some(&mut *replay.asker()))?;
                if let Some(note) = replay.native(place.sql())? {
                    self.reader.note(note);
                }
                Ok(())
            }
            None => self.reader.piece(&Piece::Native(place), None),
        }
    }

    fn data(&mut self, data: &Data<'_>) -> Result<()> {
        self.reader.piece(&Piece::Data(data.text), None)
    }

    fn data_end(&mut self) -> Result<()> {
        self.reader.piece(&Piece::DataEnd, None)
    }

    fn rewrite(&mut self, run: &[AlterStatement], rewrite: &Rewrite, _index: u64) -> Result<()> {
        run.iter().try_for_each(|statement| self.looks(&statement.text, None))?;
        self.losses.leave(&rewrite.broken);
        let piece = Piece::Rewritten(run, rewrite);
        match self.replay.as_deref_mut() {
            Some(replay) => self.reader.piece(&piece, Some(&mut *replay.asker()))?,
            None => self.reader.piece(&piece, None)?,
        }
        if let Some(replay) = self.replay.as_deref_mut()
            && let Some(note) = replay.ops(run, rewrite)?
        {
            self.reader.note(note);
        }
        Ok(())
    }

    fn ask(&mut self) -> Result<Box<dyn Ask + '_>> {
        let replay = self.replay.as_deref_mut();
        Ok(replay
            .expect("the schema is built before a script with an ALTER is read")
            .asker())
    }
}

/// Whether some op of a rewrite needs foreign keys off.
pub(crate) fn needs_foreign_keys_off(rewrite: &Rewrite) -> bool {
    let off = |op: &Op| matches!(op, Op::Set(crate::dialect::Setting::ForeignKeys, Some(false)));
    rewrite.ops.iter().any(off)
}
