//! Why a way from one schema to another does not lead there, in words.

use crate::code::Code;
use crate::error::Error;
use crate::revision::Script;
use crate::schema::diff::{self, Change, Manner};
use crate::schema::{Key, Model};
use crate::sql::split::{Piece, SplitRules};

/// Why a way does not lead there.
pub(super) struct Stuck {
    /// The object at which it stopped.
    pub key: Key,
    /// A change that the database refused may pass when nothing stands in its way; one that led elsewhere will not.
    pub refused: bool,
    /// There are no words for it at all.
    pub wordless: bool,
    /// It is a function, whose body the database looked at when it was made.
    pub reads_bodies: bool,
    /// How the dialect orders changes, where one was refused.
    pub manner: Manner,
    /// What the database said; empty where it did not refuse anything.
    pub said: String,
    /// Other tables whose changes it refused in the same words.
    pub alike: Vec<Key>,
    /// The schema with its new names, where something was renamed before.
    pub renamed: Option<Box<Model>>,
    /// It was a rename that the database refused.
    pub renaming: bool,
    pub error: Error,
}

fn not_reached(change: &Change, found: &str) -> Error {
    let name = |name: &str| name.replace('_', " ");
    let what = match change {
        Change::Alter(table, alter) => format!("{} {} of table {}", name(alter.name()), alter.object(), table.shown()),
        other => format!("{} {}", name(&other.name()), other.key().shown()),
    };
    Error::new(Code::SchemaNoWords, format!("{found} for this difference: {what}"))
        .help("write this revision by hand: sqlrev revision -m \"what it does\"")
}

/// Why the database refused it, and which statement.
pub(super) fn refused(change: &Change, error: &Error, script: &Script, rules: &'static SplitRules) -> Error {
    let failed = error.labels().first().filter(|_| error.code() == Code::StatementFailed);
    let failed = failed.and_then(|label| statement_at(script, label.span.start, rules));
    let labels = error
        .labels()
        .iter()
        .map(|label| label.text.as_str())
        .filter(|text| !text.is_empty());
    let head = match &failed {
        Some(statement) => format!("`{statement}` failed"),
        None => error.message().to_owned(),
    };
    let words: Vec<&str> = std::iter::once(head.as_str()).chain(labels).collect();
    let failed = not_reached(change, "a statement was refused").cause(words.join(": "));
    error
        .causes()
        .iter()
        .fold(failed, |failed, cause| failed.cause(cause.as_str()))
}

/// What else there is to say of a difference that no statement makes.
pub(super) fn advice(stuck: &Stuck, from: &Model, wanted: &Model) -> Option<String> {
    let parent = parent_of_nobody(&stuck.key, from, wanted).filter(|_| stuck.refused);
    parent.or_else(|| {
        let table = diff::spread_otherwise(from, wanted)?;
        let (name, old) = (table.shown(), format!("old_{}", table.name));
        Some(format!(
            "no statement changes how table {name} is spread over partitions: let the revision rename it to {old}, and its keys \
             and indexes as well, make it anew with its partitions, INSERT INTO {name} SELECT * FROM {old}, let foreign keys and \
             sequences belong to the new one, and drop {old}"
        ))
    })
}

/// What to do where a foreign key points at a table that no revision makes, as it is left out of comparisons: it is not on
/// scratch, whatever the live database has.
fn parent_of_nobody(table: &Key, from: &Model, wanted: &Model) -> Option<String> {
    let constraints = &wanted.table(table)?.constraints;
    let is_nowhere = |parent: &&Key| [from, wanted].iter().all(|model| !model.objects.contains_key(parent));
    let parent = constraints
        .iter()
        .filter_map(|one| one.parent.as_ref())
        .find(is_nowhere)?;
    Some(format!(
        "table {0} is made by no revision, so it is not on scratch: let one that comes before, with `irreversible: true` in its \
         header, say CREATE TABLE IF NOT EXISTS {0} (…), which does nothing where it is",
        parent.shown()
    ))
}

/// The words of the database in an error.
pub(super) fn said(error: &Error) -> String {
    let labels = error.labels().iter().map(|label| label.text.as_str());
    labels.collect::<Vec<_>>().join(" ")
}

/// A statement on one line, which may end in dots.
fn shown(statement: &str) -> String {
    const MOST: usize = 160;
    let line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} …", line[..end].trim_end()),
        None => line,
    }
}

/// The statement at a place of a script.
fn statement_at(script: &Script, at: usize, rules: &'static SplitRules) -> Option<String> {
    let mut statements = script.statements(rules).ok()?;
    while let Ok(Some(piece)) = statements.next() {
        if let Piece::Statement(statement) = piece {
            let start = usize::try_from(statement.offset).ok()?;
            if (start..=start + statement.text.len()).contains(&at) {
                return Some(shown(statement.text));
            }
        }
    }
    None
}

/// Where the statements lead, or that there are none.
pub(super) fn led_elsewhere(change: &Change) -> Stuck {
    Stuck {
        key: change.key().clone(),
        refused: false,
        wordless: false,
        reads_bodies: false,
        manner: Manner::default(),
        said: String::new(),
        alike: Vec::new(),
        renamed: None,
        renaming: false,
        error: not_reached(change, "no statement was found"),
    }
}
