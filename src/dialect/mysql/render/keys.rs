//! Which keys come in the place of which, and what becomes of the column that numbers rows meanwhile: it has to lead a key
//! at every moment, and a foreign key has to have one.
//!
//! Changes come in this order: indexes that go, the primary key that goes, columns, the primary key that comes, indexes that
//! come. All is said of two models alone, so that each change can be put into words by itself.

use std::collections::BTreeMap;

use crate::dialect::mysql::schema::{columns_of, fold, words};
use crate::schema::{Column, Constraint, ConstraintKind, Key, Kind, Model, Table};
use crate::sorted::Gather as _;

const PRIMARY: &str = "primary";

/// An index of a table.
struct Index<'m> {
    name: &'m str,
    words: &'m str,
    columns: Vec<String>,
    /// Whether it may number rows by a column that is not its first.
    counts_in_groups: bool,
}

impl Index<'_> {
    /// Whether the column may number rows as far as this index goes.
    fn leads(&self, column: &str) -> bool {
        leads(&self.columns, column, self.counts_in_groups)
    }

    /// Its words without its name.
    fn nameless(&self) -> String {
        self.words
            .replacen(&crate::dialect::mysql::schema::quoted(self.name), "", 1)
    }
}

type Indexes<'m> = BTreeMap<String, Index<'m>>;

/// The keys of a table in both models.
pub(super) struct Keys<'m> {
    pub table: &'m Key,
    now: &'m Table,
    then: &'m Table,
    before: Indexes<'m>,
    after: Indexes<'m>,
    /// Of indexes that come, those that do so in the statement that takes another one.
    in_place: BTreeMap<String, String>,
    /// Of indexes that come, those that are others under a new name.
    renamed: BTreeMap<String, String>,
}

impl<'m> Keys<'m> {
    /// Those of a table that is in both.
    pub(super) fn of(table: &'m Key, from: &'m Model, to: &'m Model) -> Option<Self> {
        let mut keys = Self {
            table,
            now: from.table(table)?,
            then: to.table(table)?,
            before: indexes(table, from),
            after: indexes(table, to),
            in_place: BTreeMap::new(),
            renamed: BTreeMap::new(),
        };
        keys.pair();
        Some(keys)
    }

    fn pair(&mut self) {
        let goes = |name: &&String| !self.after.contains_key(*name);
        let mut gone: Vec<&String> = self.before.keys().filter(goes).collect();
        // The order in which they go.
        gone.reverse();
        let come: Vec<&String> = self
            .after
            .keys()
            .filter(|name| !self.before.contains_key(*name))
            .collect();
        let mut renamed: BTreeMap<String, String> = BTreeMap::new();
        for old in &gone {
            let words = self.before[*old].nameless();
            let same = |new: &&&String| !renamed.contains_key(**new) && self.after[**new].nameless() == words;
            if let Some(new) = come.iter().find(same) {
                renamed.insert((*new).clone(), (*old).clone());
            }
        }
        let taken = |old: &String| renamed.values().any(|other| other == old);
        let mut in_place = BTreeMap::new();
        for new in come.iter().filter(|new| !renamed.contains_key(**new)) {
            let index = &self.after[*new];
            let is_plain = !["FULLTEXT ", "SPATIAL "]
                .iter()
                .any(|kind| index.words.starts_with(kind));
            let Some(first) = index.columns.first() else { continue };
            let old = gone.iter().find(|old| !taken(old) && self.before[**old].leads(first));
            if let Some(old) = old.filter(|_| is_plain && self.are_as_they_will_be(&index.columns)) {
                in_place.insert((*new).clone(), (*old).clone());
            }
        }
        (self.renamed, self.in_place) = (renamed, in_place);
    }

    /// Whether a column of the present table goes, if only to come again as another one.
    pub(super) fn goes(&self, column: &str) -> bool {
        let (now, then) = (self.now.column(column), self.then.column(column));
        match (now, then) {
            (Some(now), Some(then)) => match (&now.generated, &then.generated) {
                (Some(one), Some(other)) => one.stored != other.stored,
                (None, Some(_)) => true,
                // Its values are written down in another column.
                (Some(one), None) => !one.stored,
                (None, None) => false,
            },
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    fn are_there(&self, columns: &[String]) -> bool {
        columns
            .iter()
            .all(|column| self.now.column(column).is_some() && !self.goes(column))
    }

    fn are_as_they_will_be(&self, columns: &[String]) -> bool {
        let is_same = |name: &String| {
            let (now, then) = (self.now.column(name), self.then.column(name));
            now.zip(then)
                .is_some_and(|(now, then)| now.data_type == then.data_type && now.collation == then.collation)
        };
        self.are_there(columns) && columns.iter().all(is_same)
    }

    /// The index that goes in the statement in which this one comes.
    pub(super) fn comes_in_place_of(&self, index: &str) -> Option<&String> {
        let folded = fold(index);
        self.in_place.get(&folded).or_else(|| self.renamed.get(&folded))
    }

    /// The indexes that come in the statement in which this one goes: names and words.
    pub(super) fn in_place_of(&self, index: &str) -> Vec<(String, String)> {
        let folded = fold(index);
        let new = self.in_place.iter().filter(|(_, old)| **old == folded);
        new.map(|(name, _)| (self.after[name].name.to_owned(), self.after[name].words.to_owned()))
            .collect()
    }

    /// The name that an index gets.
    pub(super) fn new_name_of(&self, index: &str) -> Option<String> {
        let folded = fold(index);
        let (new, _) = self.renamed.iter().find(|(_, old)| **old == folded)?;
        Some(self.after[new].name.to_owned())
    }

    pub(super) fn new_primary(&self) -> Option<&'m Constraint> {
        primary(self.then)
    }

    /// Whether the primary key makes room for another one in one statement.
    pub(super) fn primary_is_swapped(&self) -> bool {
        let (Some(old), Some(new)) = (primary(self.now), primary(self.then)) else {
            return false;
        };
        let columns = |key: &Constraint| columns_of(&key.definition.written);
        old != new && self.are_there(&columns(new))
    }

    /// Whether a key of the wanted schema begins with a column.
    fn will_lead(&self, key: &str, column: &str) -> bool {
        match fold(key).as_str() {
            PRIMARY => leads_primary(self.then, column),
            name => self.after.get(name).is_some_and(|index| index.leads(column)),
        }
    }

    /// Whether a key begins with the column from the first moment to the last, at most in other words.
    fn is_led_throughout(&self, column: &str) -> bool {
        let both = primary(self.now).is_some_and(|old| primary(self.then) == Some(old));
        let renamed = self.renamed.keys().chain(self.in_place.keys());
        let stays = |name: &String, index: &Index<'_>| {
            let old = self.before.get(name);
            index.leads(column) && old.is_some_and(|old| old.leads(column) && self.are_there(&old.columns))
        };
        both && leads_primary(self.then, column)
            || renamed.into_iter().any(|name| self.after[name].leads(column))
            || self.after.iter().any(|(name, index)| stays(name, index))
    }

    /// Whether a key begins with the column while columns are changed.
    fn is_led_meanwhile(&self, column: &str) -> bool {
        self.is_led_throughout(column) || self.primary_is_swapped() && leads_primary(self.then, column)
    }

    /// A column as it may be said while columns are changed: without its numbering where no key is there for it yet.
    pub(super) fn as_it_may_be(&self, column: &Column) -> Column {
        let mut said = column.clone();
        if said.identity.is_some() && !self.is_led_meanwhile(&said.folded) {
            said.identity = None;
        }
        said
    }

    fn modify(&self, column: &Column) -> String {
        let collation = self.now.options.get("collation").map_or("", String::as_str);
        format!("MODIFY COLUMN {}", words(column, collation))
    }

    /// What takes the numbering off a column before its key goes, or goes for another one in the same statement.
    pub(super) fn before_loss(&self, key: &str, instead: &str) -> Option<String> {
        let column = numbered(self.now)?;
        let name = column.folded.as_str();
        let is_primary = key == PRIMARY;
        let leads = if is_primary {
            leads_primary(self.now, name)
        } else {
            self.before.get(&fold(key)).is_some_and(|index| index.leads(name))
        };
        let still = !is_primary && leads_primary(self.now, name);
        if !leads || still || self.is_led_throughout(name) {
            return None;
        }
        let goes_on = numbered(self.then).is_some_and(|then| then.folded == name);
        if goes_on && !instead.is_empty() && self.will_lead(instead, name) {
            return None;
        }
        let mut said = column.clone();
        said.identity = None;
        Some(self.modify(&said))
    }

    /// What gives a column its numbering once its key is there.
    pub(super) fn after_gain(&self, key: &str) -> Option<String> {
        let column = numbered(self.then)?;
        let name = column.folded.as_str();
        if !self.will_lead(key, name) || self.is_led_throughout(name) {
            return None;
        }
        let is_primary = fold(key) == PRIMARY;
        if self.is_led_meanwhile(name) {
            // The primary key took the place of the other one; an index may have gone before.
            let was = numbered(self.now).is_some_and(|now| now.folded == name);
            let is_new = self.now.column(name).is_none() || self.goes(name);
            let kept = was && leads_primary(self.now, name);
            return (is_primary && !kept && !is_new).then(|| self.modify(column));
        }
        if self.comes_with(column).is_some() {
            return None;
        }
        let first = self
            .after
            .iter()
            .find(|(_, index)| index.leads(name))
            .map(|(name, _)| name);
        let is_first = if leads_primary(self.then, name) {
            is_primary
        } else {
            first == Some(&fold(key))
        };
        is_first.then(|| self.modify(column))
    }

    /// The key with which a new column that numbers rows comes: its name and its words.
    fn comes_with(&self, column: &Column) -> Option<(&str, &'m str)> {
        let name = column.folded.as_str();
        let is_new = self.now.column(name).is_none() || self.goes(name);
        if column.identity.is_none() || !is_new {
            return None;
        }
        let can = |columns: &[String]| {
            let others: Vec<String> = columns.iter().filter(|other| *other != name).cloned().collect();
            columns.first().is_some_and(|first| first == name) && self.are_there(&others)
        };
        if let Some(key) = self
            .new_primary()
            .filter(|key| can(&columns_of(&key.definition.written)))
        {
            return Some((PRIMARY, &key.definition.written));
        }
        let mut indexes = self
            .after
            .values()
            .filter(|index| !self.before.contains_key(&fold(index.name)));
        indexes
            .find(|index| can(&index.columns))
            .map(|index| (index.name, index.words))
    }

    /// The words of that key.
    pub(super) fn key_that_comes_with(&self, column: &Column) -> Option<&'m str> {
        self.comes_with(column).map(|(_, words)| words)
    }

    /// Whether a key comes with the column that it is for.
    pub(super) fn comes_with_column(&self, key: &str) -> bool {
        let column = numbered(self.then);
        let with = column.and_then(|column| self.comes_with(column));
        with.is_some_and(|(name, _)| fold(name) == fold(key))
    }
}

fn indexes<'m>(table: &Key, model: &'m Model) -> Indexes<'m> {
    let prefix = format!("{}.", table.name);
    let first = Key::new(Kind::Index, prefix.clone());
    let own = model
        .objects
        .range(first..)
        .take_while(|(key, _)| key.kind == Kind::Index && key.name.starts_with(&prefix));
    let own = own.filter(|(_, object)| object.on.as_ref() == Some(table));
    own.map(|(_, object)| {
        let index = Index {
            name: &object.name,
            columns: columns_of(&object.meaning),
            words: &object.meaning,
            counts_in_groups: model.table(table).is_some_and(counts_in_groups),
        };
        (fold(&object.name), index)
    })
    .into_map()
}

fn primary(table: &Table) -> Option<&Constraint> {
    table
        .constraints
        .iter()
        .find(|constraint| constraint.kind == ConstraintKind::PrimaryKey)
}

fn leads_primary(table: &Table, column: &str) -> bool {
    let columns = primary(table).map(|key| columns_of(&key.definition.written));
    columns.is_some_and(|columns| leads(&columns, column, counts_in_groups(table)))
}

fn leads(columns: &[String], column: &str, in_groups: bool) -> bool {
    let place = columns.iter().position(|other| other == column);
    place.is_some_and(|place| place == 0 || in_groups)
}

/// Whether the table is of an engine whose columns behind the first of a key may number the rows that have the same
/// values in those before it.
fn counts_in_groups(table: &Table) -> bool {
    table
        .options
        .get("engine")
        .is_some_and(|engine| ["MyISAM", "Aria"].contains(&engine.as_str()))
}

/// The column that numbers rows.
fn numbered(table: &Table) -> Option<&Column> {
    table.columns.iter().find(|column| column.identity.is_some())
}
