//! Statements as a plan shows them.

use crate::dialect::{AlterStatement, Ask, Op, Rewrite, Size};
use crate::error::Result;
use crate::execute::Ran;
use crate::execute::record::{Piece, Reader};
use crate::execute::scripts::Prepared;
use crate::execute::walk::Place;
use crate::revision::plan::Step;
use crate::revision::{Direction, Revision, Transaction};
use crate::source::SourceFile;

/// One statement of a plan, or one that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shown {
    /// The text.
    pub sql: String,
    /// Where it comes from.
    pub kind: Kind,
    /// The table, for what the dialect rewrote.
    pub table: Option<String>,
    /// `native`, `in_place`, `index` or `copy`, for what the dialect rewrote.
    pub strategy: Option<&'static str>,
    /// Why that way, for what the dialect rewrote.
    pub reason: Option<String>,
    /// How large the table is, for a copy whose table the database was asked for.
    pub size: Option<Size>,
    /// The file of the statement in the revision that it stands for; empty for the version table's own.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
}

/// Where a statement comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The file, as it is written.
    Native,
    /// A batch plan.
    Batch,
    /// Code of the application, in words.
    Code,
    /// The bookkeeping.
    Version,
}

impl Kind {
    /// As `--format json` has it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Native => "native",
            Kind::Batch => "batch",
            Kind::Code => "code",
            Kind::Version => "version",
        }
    }
}

impl Shown {
    /// A statement sent as it is written; those of files too large for memory are not kept.
    pub(crate) fn native(place: &Place<'_>) -> Option<Self> {
        place.script.large.is_none().then(|| Self {
            sql: place.sql().trim_end().to_owned(),
            kind: Kind::Native,
            table: None,
            strategy: None,
            reason: None,
            size: None,
            file: place.script.file.name.to_string(),
            line: place.statement.line + 1,
            column: place.statement.column,
        })
    }

    /// A statement that begins at a place of a file and is sent as it is written there.
    pub(crate) fn at(sql: &str, file: &SourceFile, start: usize) -> Self {
        let (line, column) = file.line_column(start);
        Self {
            kind: Kind::Native,
            file: file.name.to_string(),
            line,
            column,
            ..Self::version(sql.trim_end())
        }
    }

    /// What some ALTERs became.
    pub(crate) fn rewritten(run: &[AlterStatement], rewrite: &Rewrite) -> Vec<Self> {
        let native = rewrite.strategy == "native";
        let statements = rewrite.ops.iter().filter_map(|op| match op {
            Op::Sql { sql, at, .. } | Op::Statistics { sql, at } => Some((sql, *at)),
            _ => None,
        });
        let shown = statements.map(|(sql, at)| {
            let at = run.get(at).or(run.first());
            let (line, column) = at.map_or((0, 0), |alter| alter.file.line_column(alter.offset));
            Self {
                sql: sql.clone(),
                kind: if native { Kind::Native } else { Kind::Batch },
                table: Some(rewrite.table.clone()),
                strategy: Some(rewrite.strategy),
                reason: Some(rewrite.reason.clone()).filter(|reason| !reason.is_empty()),
                size: None,
                file: at.map(|alter| alter.file.name.to_string()).unwrap_or_default(),
                line,
                column,
            }
        });
        shown.collect()
    }

    /// The place of the application's code in a plan.
    pub(crate) fn code(direction: Direction) -> Self {
        Self {
            kind: Kind::Code,
            ..Self::version(&format!("-- code of the application: {}", direction.name()))
        }
    }

    /// A statement of the bookkeeping.
    pub(crate) fn version(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            kind: Kind::Version,
            table: None,
            strategy: None,
            reason: None,
            size: None,
            file: String::new(),
            line: 0,
            column: 0,
        }
    }
}

/// Keeps the statements of each step.
#[derive(Default)]
pub(crate) struct Shower {
    pub(crate) steps: Vec<Ran>,
    /// Code runs in the step, and was not shown yet.
    code: bool,
}

impl Reader for Shower {
    fn step(&mut self, step: &Step, revision: &Revision, prepared: &Prepared) -> Result<()> {
        self.steps.push(Ran {
            step: step.clone(),
            transaction: if prepared.commits {
                Transaction::None
            } else {
                revision.header.transaction
            },
            statements: Vec::new(),
            notices: Vec::new(),
            duration: None,
        });
        self.code = revision.header.code;
        if step.direction == Direction::Downgrade {
            self.code();
        }
        Ok(())
    }

    fn piece(&mut self, piece: &Piece<'_>, _ask: Option<&mut dyn Ask>) -> Result<()> {
        if matches!(piece, Piece::Version(_)) {
            self.code();
        }
        let Some(ran) = self.steps.last_mut() else {
            return Ok(());
        };
        match piece {
            Piece::Native(place) => ran.statements.extend(Shown::native(place)),
            Piece::Rewritten(run, rewrite) => {
                ran.statements.extend(Shown::rewritten(run, rewrite));
                ran.notices.extend(rewrite.notices.iter().cloned());
            }
            Piece::Version(sql) => ran.statements.push(Shown::version(sql)),
            Piece::Data(_) | Piece::DataEnd => {}
        }
        Ok(())
    }

    fn note(&mut self, note: String) {
        if let Some(ran) = self.steps.last_mut() {
            ran.notices.push(note);
        }
    }

    fn end(&mut self, _step: &Step) -> Result<()> {
        Ok(())
    }
}

impl Shower {
    fn code(&mut self) {
        if let (Some(ran), true) = (self.steps.last_mut(), std::mem::take(&mut self.code)) {
            ran.statements.push(Shown::code(ran.step.direction));
        }
    }
}

/// The text on one line, without control characters: it goes into a comment.
pub(super) fn one_line(text: &str) -> String {
    if text
        .split(' ')
        .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return text.to_owned();
    }
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
