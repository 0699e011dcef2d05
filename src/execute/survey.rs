//! The first reading of a plan that becomes a script: what its head has to say, and what a script cannot carry.

use crate::code::Code;
use crate::dialect::{AlterStatement, Ask, COPY, Dialect, Op, Rewrite, ScriptSql};
use crate::error::{Error, Result};
use crate::execute::alike::Alike;
use crate::execute::group::Group;
use crate::execute::record::{Piece, Reader, needs_foreign_keys_off};
use crate::execute::script::{Scribe, authors};
use crate::execute::scripts::Prepared;
use crate::execute::shown::one_line;
use crate::execute::walk::Place;
use crate::revision::plan::Step;
use crate::revision::{Revision, Transaction};
use crate::source::{SourceFile, Span};
use crate::sql::token;

/// Goes through a plan first: which revisions need foreign keys off, and that this does not change what their other
/// statements do.
pub(super) struct Surveyor {
    dialect: &'static dyn Dialect,
    /// Whether the author's own statements stand where he means foreign keys to be off.
    switched_off: bool,
    /// A line about each revision: its id, message and checksum.
    pub(super) lines: Vec<String>,
    /// Which revisions need foreign keys off.
    pub(super) foreign_keys_off: Vec<bool>,
    /// Which revisions may change rows beside that, which foreign keys would have watched.
    pub(super) changes_rows: Vec<bool>,
    /// What is done together in revisions without a transaction: the author's own transactions that copy a table or replace
    /// one by hand, since foreign keys cannot be switched within.
    pub(super) together: Vec<Vec<Group>>,
    /// In a revision without a transaction.
    apart: Option<Apart>,
    /// The revision replaces a table by hand.
    by_hand: bool,
    /// What is known of the revision's script.
    prepared: Option<Prepared>,
    /// Which revisions ask for the number of the author's last row behind a copy, which inserts rows as well.
    pub(super) asks_id: Vec<bool>,
    /// Whether statistics of the planner get other names in some revision.
    pub(super) statistics: bool,
    /// The revision has copied a table.
    copied: bool,
    /// A statement whose effect would differ with foreign keys off: the error to give if they are.
    differs: Option<Error>,
    /// The statements that were looked at, where that holds of those like them.
    alike: Alike,
}

/// Where foreign keys are off in a revision without a transaction.
#[derive(Default)]
struct Apart {
    /// What replaces a table by hand.
    groups: Vec<Group>,
    /// How many statements were read.
    at: u64,
    open: Option<Open>,
}

/// The author's own transaction.
struct Open {
    at: u64,
    savepoint: Option<String>,
    /// A table is copied in it, or replaced by hand, so foreign keys are off in all of it.
    copies: bool,
    differs: Option<Error>,
}

impl Surveyor {
    /// Nothing is known yet.
    pub(super) fn new(dialect: &'static dyn Dialect) -> Self {
        Self {
            dialect,
            switched_off: false,
            lines: Vec::new(),
            foreign_keys_off: Vec::new(),
            changes_rows: Vec::new(),
            asks_id: Vec::new(),
            statistics: false,
            together: Vec::new(),
            apart: None,
            by_hand: false,
            prepared: None,
            copied: false,
            differs: None,
            alike: Alike::default(),
        }
    }
}

impl Reader for Surveyor {
    fn step(&mut self, step: &Step, revision: &Revision, prepared: &Prepared) -> Result<()> {
        let checksum = prepared.checksum.stored();
        let checksum = checksum.rsplit_once(':').map_or(checksum.as_str(), |(text, _)| text);
        let message = &revision.header.message;
        self.lines
            .push(format!("{}  {}  {checksum}", step.revision, one_line(message)));
        self.by_hand = prepared.rebuilds();
        self.prepared = Some(prepared.clone());
        self.foreign_keys_off.push(self.by_hand);
        self.changes_rows.push(false);
        self.asks_id.push(false);
        self.together.push(Vec::new());
        self.apart = (revision.header.transaction == Transaction::None).then(|| Apart {
            groups: prepared.groups.clone(),
            ..Apart::default()
        });
        self.differs = None;
        self.alike.forget();
        self.switched_off = false;
        self.copied = false;
        Ok(())
    }

    fn piece(&mut self, piece: &Piece<'_>, mut ask: Option<&mut dyn Ask>) -> Result<()> {
        let mut again = false;
        match piece {
            Piece::Rewritten(run, rewrite) => {
                self.alike.forget();
                carries_texts(self.dialect.script(), run, rewrite)?;
                self.copied |= rewrite.strategy == COPY;
                let prepared = self.prepared.as_ref();
                if !prepared.is_some_and(|prepared| prepared.renames_replaced(run, self.dialect)) {
                    self.statistics |= rewrite.ops.iter().any(Op::is_statistics);
                }
            }
            Piece::Native(place) => {
                let text = place.statement.text;
                again = self.alike.again(text, self.dialect.rules());
                if let Some(asks) = self.asks_id.last_mut().filter(|asks| self.copied && !**asks && !again) {
                    *asks = self.dialect.asks_id(text).is_some()
                        || match (ask.as_deref_mut(), self.dialect.script().asks_id_around()) {
                            (Some(ask), Some(query)) => !ask.query(query)?.is_empty(),
                            _ => false,
                        };
                }
                let open = self.apart.as_ref().and_then(|apart| apart.open.as_ref());
                let copies = open.is_some_and(|open| open.copies);
                if (self.by_hand || copies) && goes_back(place, self.dialect) {
                    return Err(back(
                        place,
                        if self.by_hand {
                            "replaces a table by hand"
                        } else {
                            "copies a table"
                        },
                    ));
                }
                let creates = token::keywords(place.statement.text, self.dialect.rules(), 1) == ["CREATE"];
                if let Some(changes) = self.changes_rows.last_mut() {
                    *changes |= !creates;
                }
            }
            Piece::Version(_) | Piece::Data(_) | Piece::DataEnd => {}
        }
        match piece {
            Piece::Rewritten(run, rewrite) => {
                if needs_foreign_keys_off(rewrite) {
                    self.copies();
                }
                if let Some(ask) = ask {
                    for alter in *run {
                        let span = alter.offset..alter.offset + alter.text.len();
                        self.differs(&alter.text, &mut || (alter.file.clone(), span.clone()), ask)?;
                    }
                }
                if let Some(apart) = &mut self.apart {
                    apart.at += Scribe::count(run);
                }
                Ok(())
            }
            Piece::Native(place) => {
                let text = place.statement.text;
                if let Some((_, on)) = self.dialect.meant_switch(text) {
                    self.switched_off = !on;
                }
                self.opens(text);
                if let Some(ask) = ask.filter(|_| !again) {
                    self.differs(text, &mut || place.in_file(), ask)?;
                }
                self.closes(text);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn wants_statements(&self) -> bool {
        false
    }

    fn end(&mut self, _step: &Step) -> Result<()> {
        match (self.foreign_keys_off.last(), self.differs.take()) {
            (Some(true), Some(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

impl Surveyor {
    /// A table is copied, with foreign keys off.
    fn copies(&mut self) {
        if let Some(off) = self.foreign_keys_off.last_mut() {
            *off = true;
        }
        let switched_off = self.switched_off;
        if let Some(apart) = self.apart.as_mut().filter(|apart| !switched_off && !apart.is_grouped())
            && let Some(open) = &mut apart.open
        {
            open.copies = true;
        }
    }

    /// Finds out what a statement does by foreign keys, where they may be off.
    fn differs(&mut self, sql: &str, at: &mut dyn FnMut() -> (SourceFile, Span), ask: &mut dyn Ask) -> Result<()> {
        let differs = match &mut self.apart {
            Some(apart) if !apart.is_grouped() => match &mut apart.open {
                Some(open) => &mut open.differs,
                None => return Ok(()),
            },
            _ => &mut self.differs,
        };
        if differs.is_some() || self.switched_off {
            return Ok(());
        }
        let effect = self.dialect.script().foreign_key_effect(sql, ask)?;
        let renames = token::keywords(sql, self.dialect.rules(), 1) == ["ALTER"];
        let what = if renames { "a name" } else { "rows" };
        *differs = effect.map(|effect| mixed(at(), what, &effect));
        Ok(())
    }

    fn opens(&mut self, statement: &str) {
        let Some(apart) = self.apart.as_mut().filter(|apart| apart.open.is_none()) else {
            return;
        };
        if authors::opens(statement, self.dialect) {
            let mut groups = apart.groups.iter();
            apart.open = Some(Open {
                at: apart.at,
                savepoint: authors::savepoint(statement, self.dialect),
                copies: groups.any(|group| group.opened == Some(apart.at)) && !self.switched_off,
                differs: None,
            });
        }
    }

    fn closes(&mut self, statement: &str) {
        let Some(apart) = &mut self.apart else { return };
        let at = apart.at;
        apart.at += 1;
        let ends =
            |open: &mut Open| open.at < at && !authors::stays_open(statement, open.savepoint.as_deref(), self.dialect);
        let Some(open) = apart.open.take_if(ends).filter(|open| open.copies) else {
            return;
        };
        let differs = open.differs.filter(|_| self.differs.is_none());
        self.differs = differs.or(self.differs.take());
        if let Some(together) = self.together.last_mut() {
            together.push(Group {
                range: open.at + 1..at,
                opened: Some(open.at),
            });
        }
    }
}

impl Apart {
    /// Whether the next statement is a part of what replaces a table by hand.
    fn is_grouped(&self) -> bool {
        self.groups.iter().any(|group| group.range.contains(&self.at))
    }
}

/// `ROLLBACK TO`: what a script has remembered of a table that it replaces by hand would go as well.
fn goes_back(place: &Place<'_>, dialect: &dyn Dialect) -> bool {
    let words = token::keywords(place.statement.text, dialect.rules(), 3);
    words.first().is_some_and(|word| word == "ROLLBACK") && words.iter().any(|word| word == "TO")
}

fn back(place: &Place<'_>, what: &str) -> Error {
    let (file, span) = place.in_file();
    Error::new(
        Code::BatchMixed,
        format!("`{}` {what} and goes back to a savepoint", file.name),
    )
    .at(&file, span, "a script would forget what it has to put back".to_owned())
    .help("put the change of the table into a revision of its own, or run the upgrade online")
}

fn mixed((file, span): (SourceFile, Span), what: &str, effect: &str) -> Error {
    Error::new(
        Code::BatchMixed,
        format!(
            "`{}` changes a table with foreign keys off, and {what} that others follow",
            file.name
        ),
    )
    .at(&file, span, effect.to_owned())
    .help("put this statement into a revision of its own, or run the upgrade online")
}

/// Refuses a plan that a script cannot carry: the definitions that it compares hold the text as it is written, and the
/// runner of a script drops carriage returns at line ends, and takes some lines for the end of a statement.
fn carries_texts(sql: &dyn ScriptSql, run: &[AlterStatement], rewrite: &Rewrite) -> Result<()> {
    let differs = |text: &str| sql.statement(text) != *text;
    let ends = rewrite.ops.iter().any(|op| match op {
        Op::Sql { sql: text, .. } => text.starts_with("CREATE ") && differs(&text.replace('\r', "")),
        _ => false,
    });
    let returns = || {
        rewrite.ops.iter().any(|op| match op {
            Op::Sql { sql: text, .. } | Op::Check { sql: text, .. } => text.contains('\r') && differs(text),
            _ => false,
        })
    };
    let (holds, help) = if ends {
        (
            "a line that the runner takes for the end of a statement",
            "put more on the line that holds nothing but `/` or `go`",
        )
    } else if returns() {
        ("a carriage return", "save the file with LF line ends")
    } else {
        return Ok(());
    };
    let table = one_line(&rewrite.table);
    let error = Error::new(
        Code::BatchUnsupported,
        format!("a text that the change of `{table}` writes anew holds {holds}, which a script cannot carry"),
    );
    let error = match run.first() {
        Some(alter) => error.at(
            &alter.file,
            alter.offset..alter.offset + alter.text.len(),
            "changes this table",
        ),
        None => error,
    };
    Err(error.help(format!("run the upgrade online, or {help}")))
}
