//! The walk over one script: its statements in order, runs of ALTERs handed to the dialect, each piece given to a
//! runner. Online, in a script, in a plan and in a replay it is the same walk over another [`Runner`].

use crate::dialect::{AlterStatement, Ask, Dialect, Rewrite};
use crate::error::Result;
use crate::revision::{Recreate, Script};
use crate::source::{SourceFile, Span};
use crate::sql::split::{Piece, Statement};

/// One statement of a script, where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'s> {
    /// The script.
    pub script: &'s Script,
    /// The statement.
    pub statement: &'s Statement<'s>,
    /// How many statements came before it.
    pub index: u64,
}

impl Place<'_> {
    /// The statement as it is sent: with the comment before its semicolon, which the database keeps with a definition.
    pub(crate) fn sql(&self) -> &str {
        self.statement.raw.trim_end()
    }

    /// The file and the statement's span in it. For a large file it is a piece of the file with just the statement.
    pub(crate) fn in_file(&self) -> (SourceFile, Span) {
        let text = self.statement.text;
        if self.script.large.is_none() {
            let start = usize::try_from(self.statement.offset).unwrap_or(usize::MAX);
            return (self.script.file.clone(), start..start.saturating_add(text.len()));
        }
        let indent = self.statement.column.saturating_sub(1);
        let file = SourceFile {
            name: self.script.file.name.clone(),
            text: format!("{:indent$}{text}", "").into(),
            lines_before: self.statement.line,
        };
        (file, indent..indent + text.len())
    }
}

/// What becomes of the pieces of a script.
pub(crate) trait Runner {
    /// A statement that is sent as it is written.
    fn statement(&mut self, place: &Place<'_>) -> Result<()>;

    /// What some ALTERs at the front of `run` became; `index` counts the statements before them.
    fn rewrite(&mut self, run: &[AlterStatement], rewrite: &Rewrite, index: u64) -> Result<()>;

    /// The database to ask while ALTERs are rewritten.
    fn ask(&mut self) -> Result<Box<dyn Ask + '_>>;
}

/// What the walk must know of a script.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'a> {
    pub dialect: &'static dyn Dialect,
    pub script: &'a Script,
    pub recreate: Recreate,
    /// How many statements have run in an earlier try and are stepped over.
    pub skip: u64,
}

impl Walk<'_> {
    /// Gives every piece of the script to the runner.
    ///
    /// # Errors
    /// What the runner and the dialect's rewriting return, and a script that no longer splits.
    pub(super) fn run(&self, runner: &mut dyn Runner) -> Result<()> {
        let mut statements = self.script.statements(self.dialect.rules())?;
        let mut waiting = Waiting::default();
        let mut index = 0;
        while let Some(piece) = statements.next().map_err(|fault| self.script.fault(&fault))? {
            let Piece::Statement(statement) = piece else {
                continue;
            };
            if index >= self.skip {
                let place = Place {
                    script: self.script,
                    statement: &statement,
                    index,
                };
                self.piece(&place, &mut waiting, runner)?;
            }
            index += 1;
        }
        self.flush(&mut waiting, runner)
    }

    fn piece(&self, place: &Place<'_>, waiting: &mut Waiting, runner: &mut dyn Runner) -> Result<()> {
        let Some(table) = self.dialect.batch_table(place.statement.text) else {
            self.flush(waiting, runner)?;
            return runner.statement(place);
        };
        if waiting.table != table {
            self.flush(waiting, runner)?;
            waiting.table = table;
        }
        if waiting.run.is_empty() {
            waiting.index = place.index;
        }
        let (file, span) = place.in_file();
        waiting.run.push(AlterStatement {
            text: place.statement.text.to_owned(),
            file,
            offset: span.start,
        });
        Ok(())
    }

    /// Rewrites the ALTERs that wait. Each rewrite sees the database as the one before left it.
    fn flush(&self, waiting: &mut Waiting, runner: &mut dyn Runner) -> Result<()> {
        let mut run = std::mem::take(&mut waiting.run);
        let mut index = waiting.index;
        while !run.is_empty() {
            let rewrite = {
                let mut ask = runner.ask()?;
                self.dialect.rewrite(&run, self.recreate, &mut *ask)?
            };
            let done = rewrite.consumed.clamp(1, run.len());
            runner.rewrite(&run[..done], &rewrite, index)?;
            run.drain(..done);
            index += done as u64;
        }
        Ok(())
    }
}

/// Consecutive ALTERs of one table.
#[derive(Default)]
struct Waiting {
    table: String,
    run: Vec<AlterStatement>,
    index: u64,
}
