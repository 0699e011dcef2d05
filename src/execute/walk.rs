//! The walk over one script: its statements in order, runs of ALTERs handed to the dialect, each piece given to a
//! runner. Online, in a script, in a plan and in a replay it is the same walk over another [`Runner`].

use crate::dialect::{AlterStatement, Ask, Dialect, Rewrite};
use crate::error::Result;
use crate::revision::{Recreate, Script};
use crate::source::{SourceFile, Span};
use crate::sql::split::{Data, Piece, SplitRules, Statement};
use crate::sql::token;

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
        let raw = self.statement.raw;
        // Nearly all statements end with their terminator.
        if raw.len() == self.statement.text.len() && raw.as_bytes().last().is_some_and(u8::is_ascii_graphic) {
            return raw;
        }
        let sql = raw.trim_end();
        let comment = &sql[self.statement.text.len().min(sql.len())..];
        if comment.rsplit('\n').next().is_none_or(|line| !line.contains("--")) {
            return sql;
        }
        // A script cannot end a comment otherwise, and what is kept shall be the same from there.
        let behind = &raw[sql.len()..];
        let line_end = ["\n", "\r\n"].into_iter().find(|end| behind.starts_with(end));
        line_end.map_or(sql, |end| &raw[..sql.len() + end.len()])
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

/// The file and the place of a statement, by how many come before it.
pub(crate) fn place_of(script: &Script, index: u64, rules: &'static SplitRules) -> Option<(SourceFile, Span)> {
    let mut statements = script.statements(rules).ok()?;
    let mut at = 0;
    while let Ok(Some(piece)) = statements.next() {
        if let Piece::Statement(statement) = piece {
            if at == index {
                let statement = &statement;
                return Some(
                    Place {
                        script,
                        statement,
                        index,
                    }
                    .in_file(),
                );
            }
            at += 1;
        }
    }
    None
}

/// What becomes of the pieces of a script.
pub(crate) trait Runner {
    /// A statement that is sent as it is written.
    fn statement(&mut self, place: &Place<'_>) -> Result<()>;

    /// Lines of data for the statement before, which takes them.
    fn data(&mut self, data: &Data<'_>) -> Result<()> {
        let _ = data;
        Ok(())
    }

    /// The data of the statement before ended.
    fn data_end(&mut self) -> Result<()> {
        Ok(())
    }

    /// What the ALTERs of `run` became; when they are done, `done` statements of the script are.
    fn rewrite(&mut self, run: &[AlterStatement], rewrite: &Rewrite, done: u64) -> Result<()>;

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
            let statement = match piece {
                Piece::Statement(statement) => statement,
                // What belongs to a statement that has run is stepped over with it.
                _ if index <= self.skip => continue,
                Piece::Data(data) => {
                    runner.data(&data)?;
                    continue;
                }
                Piece::DataEnd => {
                    runner.data_end()?;
                    continue;
                }
            };
            if index >= self.skip {
                let place = Place {
                    script: self.script,
                    statement: &statement,
                    index,
                };
                self.directives(&place, &mut waiting, runner)?;
                self.piece(&place, &mut waiting, runner)?;
            }
            index += 1;
        }
        self.last_directives(statements.rest(), index, &mut waiting, runner)?;
        self.flush(&mut waiting, runner)
    }

    fn piece(&self, place: &Place<'_>, waiting: &mut Waiting, runner: &mut dyn Runner) -> Result<()> {
        let Some(table) = self.dialect.batch_table(place.statement.text) else {
            self.flush(waiting, runner)?;
            return runner.statement(place);
        };
        let (file, span) = place.in_file();
        let alter = AlterStatement {
            text: place.statement.text.to_owned(),
            file,
            offset: span.start,
        };
        self.wait(alter, table, (true, place.index), waiting, runner)
    }

    /// The directives among the comments before a statement, each of which changes a table like an ALTER.
    fn directives(&self, place: &Place<'_>, waiting: &mut Waiting, runner: &mut dyn Runner) -> Result<()> {
        let gap = place.statement.gap_before;
        for (at, text) in directives(gap, self.dialect.rules()) {
            let Some(table) = self.dialect.batch_table(text) else {
                continue;
            };
            let (mut file, span) = place.in_file();
            let mut offset = (span.start + at).saturating_sub(gap.len());
            if place.script.large.is_some() {
                file.text = text.into();
                file.lines_before = place.statement.line - gap[at..].matches('\n').count();
                offset = 0;
            }
            let alter = AlterStatement {
                text: text.to_owned(),
                file,
                offset,
            };
            self.wait(alter, table, (false, place.index), waiting, runner)?;
        }
        Ok(())
    }

    /// Likewise those after the last statement.
    fn last_directives(&self, rest: &str, index: u64, waiting: &mut Waiting, runner: &mut dyn Runner) -> Result<()> {
        let text = &self.script.file.text;
        for (at, directive) in directives(rest, self.dialect.rules()) {
            let Some(table) = self.dialect.batch_table(directive) else {
                continue;
            };
            let whole = self.script.large.is_none();
            let alter = AlterStatement {
                text: directive.to_owned(),
                file: if whole {
                    self.script.file.clone()
                } else {
                    SourceFile::new(&*self.script.file.name, directive)
                },
                offset: if whole {
                    (text.len() + at).saturating_sub(rest.len())
                } else {
                    0
                },
            };
            self.wait(alter, table, (false, index), waiting, runner)?;
        }
        Ok(())
    }

    /// Lets one wait; `counts` says whether it is a statement, `index` how many came before it.
    fn wait(
        &self,
        alter: AlterStatement,
        table: String,
        (counts, index): (bool, u64),
        waiting: &mut Waiting,
        runner: &mut dyn Runner,
    ) -> Result<()> {
        if waiting.table != table {
            self.flush(waiting, runner)?;
            waiting.table = table;
        }
        if waiting.run.is_empty() {
            waiting.index = index;
        }
        waiting.counts.push(counts);
        waiting.run.push(alter);
        Ok(())
    }

    /// Rewrites the ALTERs that wait. Each rewrite sees the database as the one before left it.
    fn flush(&self, waiting: &mut Waiting, runner: &mut dyn Runner) -> Result<()> {
        if waiting.run.is_empty() {
            return Ok(());
        }
        let Waiting {
            mut run,
            mut counts,
            mut index,
            ..
        } = std::mem::take(waiting);
        while !run.is_empty() {
            let rewrite = {
                let mut ask = runner.ask()?;
                self.dialect.rewrite(&run, self.recreate, &mut *ask)?
            };
            let done = rewrite.consumed.clamp(1, run.len());
            let statements = counts.drain(..done).filter(|counts| *counts).count() as u64;
            runner.rewrite(&run[..done], &rewrite, index + statements)?;
            run.drain(..done);
            index += statements;
        }
        Ok(())
    }
}

/// Consecutive ALTERs and directives for one table.
#[derive(Default)]
struct Waiting {
    table: String,
    run: Vec<AlterStatement>,
    /// Which of them are statements, and count as such.
    counts: Vec<bool>,
    /// How many statements came before the first of them.
    index: u64,
}

/// The line comments that begin with `-- sqlrev:`, and where they begin.
pub(super) fn directives<'g>(gap: &'g str, rules: &SplitRules) -> impl Iterator<Item = (usize, &'g str)> {
    const MARK: &str = "-- sqlrev:";
    // Most gaps are a newline: nothing else is done for them.
    let any = gap.contains(MARK).then(|| token::comments(gap, rules));
    any.into_iter().flatten().filter_map(|token| {
        let text = gap[token.span.clone()].trim_end();
        text.starts_with(MARK).then_some((token.span.start, text))
    })
}
