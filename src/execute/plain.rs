//! Plain scripts: statements that a run sends as they are, one after the other, with nothing to look at in between. A build
//! script finds out which ones are, and where their statements stand, with the same code that a run would use.

use std::borrow::Cow;
use std::sync::Arc;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::execute::Executor;
use crate::execute::event::Event;
use crate::execute::fault;
use crate::execute::kit;
use crate::execute::scripts::{KEPT, Prepared};
use crate::execute::shown::Shown;
use crate::execute::step::Ready;
use crate::execute::walk::Place;
use crate::revision::{Extent, Header, Known, Script, Transaction, header};
use crate::source::Span;
use crate::sql::split::Piece;
use crate::sql::token;
use crate::version;

/// What the statements of plain scripts begin with, in the order in which they are tried.
const BEGINNINGS: &[&[&str]] = &[
    &["CREATE", "TABLE"],
    &["CREATE", "INDEX"],
    &["CREATE", "UNIQUE", "INDEX"],
    &["CREATE", "VIEW"],
    &["CREATE", "TRIGGER"],
    &["INSERT"],
    &["REPLACE"],
    &["UPDATE"],
    &["DELETE"],
];

/// Words of which none stands in a plain script, in any case and place: a key that is looked at in the end may be the reason
/// why a commit fails, and to say which rows are behind it takes the kit.
const UNUSUAL: &[&str] = &["defer", "delimiter", "pragma", "-- sqlrev:"];

/// What is known of a script that was read to its end, for the bytes that are embedded. It has the header of its revision
/// where it is an upgrade; no downgrade is plain, since those that a program may meet are not all its own.
pub(crate) fn known(
    script: &Script,
    upgrade: Option<&Header>,
    prepared: &Prepared,
    dialect: &'static dyn Dialect,
) -> Result<Known> {
    let plain = match upgrade {
        Some(header) if is_plain(script, header, prepared, dialect) => extents(script, dialect)?,
        _ => None,
    };
    Ok(Known {
        checksum: prepared.checksum,
        kept: match upgrade {
            Some(_) if plain.is_none() => None,
            _ => shorter(script),
        },
        plain,
    })
}

/// The form in which the version table keeps a text, where that is another one than the text.
fn shorter(script: &Script) -> Option<Arc<str>> {
    match version::packed(&script.file.text) {
        Cow::Owned(packed) => Some(packed.into()),
        Cow::Borrowed(_) => None,
    }
}

/// What needs the whole script to be known; its statements are looked at one by one.
fn is_plain(script: &Script, header: &Header, prepared: &Prepared, dialect: &'static dyn Dialect) -> bool {
    let lower = script.file.text.to_ascii_lowercase();
    // Databases where nothing goes along by foreign keys have other ways, which are not light.
    dialect.references().is_some()
        && header.transaction == Transaction::Revision
        && header::is_there(&script.file)
        && !UNUSUAL.iter().any(|word| lower.contains(word))
        && script.kept(KEPT).is_some()
        && prepared.is_plain()
}

/// Where the statements stand, if each of them is one that a plain script may have.
fn extents(script: &Script, dialect: &'static dyn Dialect) -> Result<Option<Vec<Extent>>> {
    let mut statements = script.statements(dialect.rules())?;
    let mut extents = Vec::new();
    while let Some(piece) = statements.next().map_err(|fault| script.fault(&fault))? {
        let Piece::Statement(statement) = piece else {
            return Ok(None);
        };
        let words = token::keywords(statement.text, dialect.rules(), 3);
        let begins = |words: &[String], with: &[&str]| {
            words.len() >= with.len() && words.iter().zip(with).all(|(word, with)| word == with)
        };
        let place = Place {
            script,
            statement: &statement,
            index: extents.len() as u64,
        };
        let (sql, start) = (place.sql(), place.in_file().1.start);
        let stands = script.file.text.get(start..start + sql.len()) == Some(sql);
        if !stands || !BEGINNINGS.iter().any(|beginning| begins(&words, beginning)) {
            return Ok(None);
        }
        extents.push(Extent {
            start,
            length: statement.text.len(),
            sent: sql.len(),
        });
    }
    Ok(Some(extents))
}

impl Script {
    /// Its statements, where a build script has found that they are plain.
    pub(crate) fn plain(&self) -> Option<&[Extent]> {
        self.known.as_ref()?.plain.as_deref()
    }

    /// The place of the statement that so many come before.
    pub(super) fn plain_place(&self, index: u64) -> Option<Span> {
        let extent = self.plain()?.get(usize::try_from(index).ok()?)?;
        self.part(*extent).map(|(_, span)| span)
    }

    /// The text of a statement as it is sent, and the place of its own words.
    fn part(&self, extent: Extent) -> Option<(&str, Span)> {
        let sql = self
            .file
            .text
            .get(extent.start..extent.start.checked_add(extent.sent)?)?;
        let span = extent.start..extent.start.checked_add(extent.length)?;
        self.file.text.get(span.clone())?;
        Some((sql, span))
    }
}

impl Executor<'_> {
    /// Runs the script of a step in the transaction that is open: by itself where it is plain, else by the kit.
    pub(super) fn run_script(&mut self, ready: &Ready<'_>, shown: &mut Vec<Shown>) -> Result<()> {
        match ready.script.plain() {
            // Whoever watches, or has a database only to try things on, wants more than this does.
            Some(extents) if ready.record.is_some() && !self.watch && !self.lent.no_code => {
                self.plainly(ready, extents, shown)
            }
            _ => kit::needed(self.lent.kit)?.script(self, ready, shown),
        }
    }

    fn plainly(&mut self, ready: &Ready<'_>, extents: &[Extent], shown: &mut Vec<Shown>) -> Result<()> {
        let script = &ready.script;
        for (index, extent) in (0..).zip(extents) {
            self.patience.check()?;
            let (sql, span) = script.part(*extent).ok_or_else(kit::missing)?;
            (self.events)(Event::Statement { sql, index });
            if self.keep_statements {
                shown.push(Shown::at(sql, &script.file, span.start));
            }
            let sent = self.driver.queue(sql, Some(index));
            sent.map_err(|error| {
                // An earlier one whose answer came only now.
                let other = error.ticket.and_then(|other| script.plain_place(other));
                fault::sent(&error, &script.file, &other.unwrap_or(span))
            })?;
            for notice in self.driver.notices() {
                (self.events)(Event::Notice(&notice));
            }
        }
        Ok(())
    }
}
