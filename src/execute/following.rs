//! What follows a table that a script drops: rows of others that would go or change with it.

use std::collections::BTreeMap;

use crate::dialect::{Along, Dialect, Leads, References, Replaces, Rows};
use crate::driver::Driver;
use crate::error::{Error, Label, Result};
use crate::execute::fault;
use crate::execute::scripts::Prepared;

/// A table whose rows may follow those of one that is dropped, and what becomes of them.
#[derive(Debug)]
pub(crate) struct Follower {
    /// Its name.
    pub child: String,
    /// The column that changes; none where rows go.
    pub column: Option<String>,
    /// The table that the script drops as well, and through which they follow.
    pub through: Option<String>,
    /// The script drops it for good.
    pub dropped: bool,
    /// Its triggers would fire.
    pub fires: bool,
    /// It is dropped as well, but its rows are read before.
    pub read: bool,
}

impl Follower {
    /// What becomes of its rows is nothing to anybody.
    pub(crate) fn goes(&self) -> bool {
        self.dropped && !self.fires
    }
}

/// What follows a table, and by which ways.
pub(crate) struct Following<'r> {
    references: &'r dyn References,
    followers: Vec<Follower>,
    /// From which to which, the table itself being `0` and the first follower `1`, and a query that finds a row which follows
    /// so.
    edges: Vec<(usize, usize, String)>,
}

/// What is known of keys and triggers, which a script that drops many tables in a row asks for again and again.
#[derive(Debug, Default)]
pub(crate) struct Known {
    leads: BTreeMap<String, Vec<Leads>>,
    /// Of a table and its column.
    fires: Vec<(String, Option<String>, bool)>,
    /// The table of the database itself that the next statement drops: another one may have its name.
    dropping: Option<String>,
}

impl Known {
    /// Behind a statement: what drops a table leaves the keys of the others as they are.
    pub(crate) fn after(&mut self, statement: &str, dialect: &dyn Dialect) {
        if self.leads.is_empty() {
            return;
        }
        let dropping = self.dropping.take();
        let dropped = match dialect.replaces(statement) {
            Some(Replaces::Drops(table)) => Some(table).filter(|table| dropping.as_ref() == Some(table)),
            _ => None,
        };
        let Some(table) = dropped else {
            *self = Self::default();
            return;
        };
        self.leads.remove(&table.to_ascii_lowercase());
        for keys in self.leads.values_mut() {
            keys.retain(|key| !key.child.eq_ignore_ascii_case(&table));
        }
        self.fires.retain(|(of, ..)| !of.eq_ignore_ascii_case(&table));
    }

    fn fires(
        &mut self,
        references: &dyn References,
        (table, column): (&str, Option<&str>),
        ask: &mut dyn FnMut(&str) -> Result<Rows>,
    ) -> Result<bool> {
        let known = self
            .fires
            .iter()
            .find(|(of, by, _)| of == table && by.as_deref() == column);
        if let Some((.., fires)) = known {
            return Ok(*fires);
        }
        let fires = references.fires(table, column, ask)?;
        self.fires.push((table.to_owned(), column.map(str::to_owned), fires));
        Ok(fires)
    }
}

/// The tables that follow the one which the statement drops that so many come before. Those that the script drops for good
/// may, but not what follows their rows in turn, nor what their triggers do.
///
/// # Errors
/// What the database says to the questions.
pub(crate) fn of<'r>(
    (at, table): (u64, &str),
    references: &'r dyn References,
    prepared: &Prepared,
    known: &mut Known,
    ask: &mut dyn FnMut(&str) -> Result<Rows>,
) -> Result<Following<'r>> {
    let mut found = Following {
        references,
        followers: Vec::new(),
        edges: Vec::new(),
    };
    known.dropping = Some(table.to_owned());
    let mut next = 0;
    while next <= found.followers.len() {
        let parent = next.checked_sub(1).map(|last| &found.followers[last]);
        let (name, column) = match parent {
            Some(follower) if !follower.goes() => {
                next += 1;
                continue;
            }
            Some(follower) => (follower.child.clone(), follower.column.clone()),
            None => (table.to_owned(), None),
        };
        let by_name = name.to_ascii_lowercase();
        let keys = match known.leads.remove(&by_name) {
            Some(keys) => keys,
            None => references.leads(&name, ask)?,
        };
        for key in &keys {
            if key.child.eq_ignore_ascii_case(table) {
                continue;
            }
            for changes in changes(key, column.as_deref()) {
                let same = |one: &Follower| one.child == key.child && one.column == changes;
                let to = match found.followers.iter().position(same) {
                    Some(to) => to,
                    None => {
                        let gone = goes_for_good((at, &key.child), references, prepared, ask)?;
                        let fires = gone && known.fires(references, (&key.child, changes.as_deref()), ask)?;
                        let read = gone && !fires && is_read((at, &key.child), references, prepared, ask)?;
                        found.followers.push(Follower {
                            fires,
                            child: key.child.clone(),
                            column: changes,
                            through: (next > 0).then(|| name.clone()),
                            dropped: gone && !read,
                            read,
                        });
                        found.followers.len() - 1
                    }
                };
                found.edges.push((next, to + 1, key.pointing.clone()));
            }
        }
        known.leads.insert(by_name, keys);
        next += 1;
    }
    Ok(found)
}

/// The error of a table that could not be dropped, with what to do where rows of others point at its own.
pub(crate) fn refused(error: Error, table: &str, prepared: &Prepared, driver: &mut dyn Driver) -> Error {
    let Some(references) = driver.dialect().references() else {
        return error;
    };
    let kept = |label: &Label| label.text == "FOREIGN KEY constraint failed";
    if !error.labels().iter().any(kept) {
        return error;
    }
    let Some(key) = points_at(table, references, driver).into_iter().next() else {
        return error.help(
            "rows of other tables point at those that would go with it: drop these tables before, or say what is meant: DELETE",
        );
    };
    let child = &key.child;
    if prepared.renamed.contains(table) {
        return error.help(
            "rows of other tables refer to those of this one, and a RENAME of it leads them along: CREATE the new table under \
             another name, INSERT, DROP the old one, and RENAME the new one; then nothing follows it",
        );
    }
    let is_dropped = prepared.dropped.contains(&child.to_ascii_lowercase());
    if is_dropped && is_circle(table, child, references, driver) {
        return error.help(format!(
            "rows of `{table}` and `{child}` point at each other: take a key away before, by its name or the usual one: \
             ALTER TABLE {child} DROP CONSTRAINT {child}_{}_fkey",
            key.from.join("_")
        ));
    }
    if is_dropped {
        return error.help(format!(
            "rows of `{child}` point at those of `{table}`: drop `{child}` before `{table}`"
        ));
    }
    error
        .help(format!(
            "rows of `{child}` point at those of `{table}`: drop `{child}` before it, or say what is meant: DELETE FROM {child}"
        ))
        .help("to change the table: ALTER TABLE; or CREATE the new one, INSERT, DROP the old one, RENAME")
}

/// The keys by which rows of other tables point at some of a table, and keep it from going.
fn points_at(table: &str, references: &dyn References, driver: &mut dyn Driver) -> Vec<Leads> {
    let mut ask = |sql: &str| driver.query(sql).map_err(|error| fault::database(&error));
    let keys = references.leads(table, &mut ask).unwrap_or_default().into_iter();
    let others = keys.filter(|key| key.deleted == Along::Stays && !key.child.eq_ignore_ascii_case(table));
    others
        .filter(|key| ask(&key.pointing).is_ok_and(|rows| !rows.is_empty()))
        .collect()
}

/// The queries for rows of a table that follow others of it, where triggers would fire for them.
///
/// # Errors
/// What the database says to the questions.
pub(crate) fn fires_itself(
    table: &str,
    references: &dyn References,
    ask: &mut dyn FnMut(&str) -> Result<Rows>,
) -> Result<Vec<String>> {
    let mut queries = Vec::new();
    let keys = references.leads(table, ask)?;
    for key in keys.iter().filter(|key| key.child.eq_ignore_ascii_case(table)) {
        for column in changes(key, None) {
            if references.fires(table, column.as_deref(), ask)? && !queries.contains(&key.pointing) {
                queries.push(key.pointing.clone());
            }
        }
    }
    Ok(queries)
}

/// Whether rows of a table keep those of another one that points at it, by others in between or not.
fn is_circle(table: &str, child: &str, references: &dyn References, driver: &mut dyn Driver) -> bool {
    let mut seen = vec![child.to_ascii_lowercase()];
    let mut next = 0;
    while let Some(name) = seen.get(next).cloned() {
        for key in points_at(&name, references, driver) {
            let child = key.child.to_ascii_lowercase();
            if child == table.to_ascii_lowercase() {
                return true;
            }
            if !seen.contains(&child) {
                seen.push(child);
            }
        }
        next += 1;
    }
    false
}

/// What a key does to rows when those that they point at go, or a column of these changes: to which of their columns, and
/// `None` where they go.
fn changes(key: &Leads, column: Option<&str>) -> Vec<Option<String>> {
    let along = match column {
        None => key.deleted,
        Some(column) if key.computed || key.to.iter().any(|to| to.eq_ignore_ascii_case(column)) => key.changed,
        Some(_) => Along::Stays,
    };
    match along {
        Along::Stays => Vec::new(),
        Along::Follows if column.is_none() => vec![None],
        Along::Follows | Along::Changes => key.from.iter().cloned().map(Some).collect(),
    }
}

/// Whether the script drops a table for good. What no transaction holds cannot be taken back when it turns out that it did
/// not, so nothing but other tables that are dropped may stand before it there.
fn goes_for_good(
    (at, table): (u64, &str),
    references: &dyn References,
    prepared: &Prepared,
    ask: &mut dyn FnMut(&str) -> Result<Rows>,
) -> Result<bool> {
    let name = table.to_ascii_lowercase();
    // What is dropped by its name may be another one where it gets another name.
    let renamed = || {
        let apart = prepared.drops.is_some();
        prepared.renamed.contains(&name) && (apart || prepared.between.is_another(at, &name))
    };
    let another = prepared.replaced.contains(&name) || renamed();
    if !prepared.dropped.contains(&name) || another {
        return Ok(false);
    }
    let Some(drops) = &prepared.drops else {
        return Ok(true);
    };
    let after = drops.iter().skip_while(|(index, _)| *index <= at);
    let mut row = (at + 1..).zip(after).take_while(|(want, (index, _))| want == index);
    if !row.any(|(_, (_, dropped))| *dropped == name) {
        return Ok(false);
    }
    match references.shadowed("", table) {
        Some(query) => Ok(ask(&query)?.is_empty()),
        None => Ok(true),
    }
}

/// Whether the rows of a table that is dropped later may be read before.
fn is_read(
    (at, table): (u64, &str),
    references: &dyn References,
    prepared: &Prepared,
    ask: &mut dyn FnMut(&str) -> Result<Rows>,
) -> Result<bool> {
    Ok(match prepared.between.reads(at, &table.to_ascii_lowercase()) {
        None => false,
        Some(true) => true,
        // By a view or trigger that stands there.
        Some(false) => references.mentions(table, ask)?,
    })
}

impl Following<'_> {
    /// Those that do follow it.
    ///
    /// # Errors
    /// What the database says to the question.
    pub(crate) fn there(self, ask: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<Vec<Follower>> {
        let mut reached = vec![false; self.followers.len() + 1];
        let mut open = vec![0];
        while let Some(node) = open.pop() {
            for (_, to, query) in self.edges.iter().filter(|(from, ..)| *from == node) {
                if !reached[*to] && !ask(query)?.is_empty() {
                    reached[*to] = true;
                    open.push(*to);
                }
            }
        }
        let nodes = reached.into_iter().skip(1).zip(self.followers);
        Ok(nodes
            .filter_map(|(there, follower)| there.then_some(follower))
            .collect())
    }

    /// Queries that find rows which may not follow, and those that may, which have to be dropped in the end.
    pub(crate) fn looked_for(self) -> (Vec<String>, Vec<String>) {
        let (mut queries, mut far): (Vec<String>, Vec<(usize, String)>) = Default::default();
        for (at, follower) in self.followers.iter().enumerate().filter(|(_, one)| !one.goes()) {
            let ways = self.edges.iter().filter(|(_, to, _)| *to == at + 1);
            for (from, _, query) in ways {
                let words = match &follower.column {
                    _ if follower.fires => format!("a row of {}, whose triggers would fire", follower.child),
                    _ => format!("a row of {}", follower.child),
                };
                if *from == 0 && !queries.contains(query) {
                    queries.push(query.clone());
                } else if *from > 0 && far.last().is_none_or(|(node, _)| *node != at + 1) {
                    far.push((at + 1, words));
                }
            }
        }
        if !far.is_empty() {
            queries.push(self.references.reached(&self.edges, &far));
        }
        let goes = self.followers.into_iter().filter(Follower::goes);
        (queries, goes.map(|follower| follower.child).collect())
    }
}
