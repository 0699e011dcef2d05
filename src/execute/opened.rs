//! The transactions that a script opens for itself, and what does nothing in them.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::execute::walk::Place;
use crate::sql::token;

/// Where a script stands while its statements go by.
#[derive(Debug, Default)]
pub(super) struct Opened {
    open: bool,
    /// The savepoint that has opened the transaction.
    savepoint: Option<String>,
    /// The error for the first switch that does nothing.
    vain: Option<Error>,
    /// Rows that others follow may have gone after it, where the author takes foreign keys to be off.
    deletes: bool,
}

impl Opened {
    pub(super) fn read(&mut self, place: &Place<'_>, dialect: &'static dyn Dialect) {
        let text = place.statement.text;
        let first = text.as_bytes().first();
        if !first.is_some_and(|first| b"bBcCdDeErRsSpP".contains(first)) {
            return;
        }
        let words = token::keywords(text, dialect.rules(), 3);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let name = || {
            let last = token::significant(text, dialect.rules()).last();
            last.map(|token| token::unquoted(&text[token.span]).to_ascii_lowercase())
        };
        match words.as_slice() {
            ["BEGIN", ..] | ["START", "TRANSACTION", ..] => self.open = true,
            ["COMMIT" | "END", ..] => *self = self.closed(),
            ["ROLLBACK", rest @ ..] if !rest.contains(&"TO") => *self = self.closed(),
            ["SAVEPOINT", ..] if !self.open => (self.open, self.savepoint) = (true, name()),
            ["RELEASE", ..] if self.savepoint.is_some() && self.savepoint == name() => *self = self.closed(),
            ["DELETE" | "REPLACE", ..] => self.deletes |= self.open && self.vain.is_some(),
            _ => {
                if self.open && self.vain.is_none() && matches!(dialect.meant_switch(text), Some((_, false))) {
                    self.vain = Some(vain(place));
                }
            }
        }
    }

    fn closed(&mut self) -> Self {
        Self {
            vain: self.vain.take(),
            deletes: self.deletes,
            ..Self::default()
        }
    }

    /// The error, where nothing else sees to it that no row follows another: while a table is `replaced` by hand, nothing
    /// follows its rows, wherever that is said.
    pub(super) fn refused(self, replaced: bool) -> Option<Error> {
        self.vain.filter(|_| !replaced || self.deletes)
    }
}

fn vain(place: &Place<'_>) -> Error {
    let (file, span) = place.in_file();
    let message = format!("`{}` switches foreign keys off where that does nothing", file.name);
    Error::new(Code::ScriptTransaction, message)
        .at(
            &file,
            span,
            "the script has begun a transaction, in which this is no switch",
        )
        .state("nothing was run")
        .help("put it before the BEGIN; rows that follow others would be deleted or changed along with them")
}

/// Refuses statements that would end or begin the transaction in which the revision and its row stand together.
pub(super) fn no_transaction_control(place: &Place<'_>, dialect: &'static dyn Dialect) -> Result<()> {
    let Some(length) = controls_transaction(place.statement.text, dialect) else {
        return Ok(());
    };
    let (file, span) = place.in_file();
    let word = span.start..span.start + length;
    Err(Error::new(
        Code::ScriptTransaction,
        format!("`{}` controls the transaction it runs in", file.name),
    )
    .at(&file, word, "sqlrev begins and commits around the revision")
    .help(
        "take the statement out; where statements cannot run in a transaction, say `transaction: none` in the header",
    ))
}

/// Whether a statement begins or ends a transaction: the length of its first word.
pub(super) fn controls_transaction(text: &str, dialect: &'static dyn Dialect) -> Option<usize> {
    const FIRST: [&str; 7] = ["BEGIN", "COMMIT", "END", "ABORT", "START", "PREPARE", "ROLLBACK"];
    let begins = |word: &&str| {
        text.get(..word.len())
            .is_some_and(|first| first.eq_ignore_ascii_case(word))
    };
    if !FIRST.iter().any(begins) {
        return None;
    }
    let words = token::keywords(text, dialect.rules(), 3);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let tears = match words.as_slice() {
        // BEGIN NOT ATOMIC
        ["BEGIN", ..] => !dialect.runs_program(text),
        ["COMMIT" | "END" | "ABORT", ..] | ["START" | "PREPARE", "TRANSACTION", ..] => true,
        ["ROLLBACK", rest @ ..] => !rest.contains(&"TO"),
        _ => false,
    };
    tears.then(|| words[0].len())
}
