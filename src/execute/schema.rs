//! Schemas as their definitions: what the database holds, what revisions build, and how the two differ.

use std::collections::BTreeMap;

use crate::driver::Driver;
use crate::error::Result;
use crate::execute::fault;
use crate::execute::replay::{MakeScratch, Replay};
use crate::execute::scripts::Sources;
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::sql::token::{self, Kind};
use crate::version::VersionTable;

/// The definitions of a database's tables, views, indexes and triggers, sqlrev's own tables aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// By kind and name.
    pub objects: BTreeMap<(String, String), String>,
}

impl Schema {
    /// What the database holds.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn stored(driver: &mut dyn Driver, table: &VersionTable) -> Result<Self> {
        let Some(objects) = driver.dialect().objects() else {
            return Ok(Self::default());
        };
        let rows = driver.query(objects).map_err(|error| fault::database(&error))?;
        let objects = rows.into_iter().filter_map(|row| {
            let mut values = row.into_iter().map(Option::unwrap_or_default);
            let (kind, name, sql) = (values.next()?, values.next()?, values.next()?);
            (!table.is_own(&name)).then_some(((kind, name), sql))
        });
        Ok(Self {
            objects: objects.collect(),
        })
    }

    /// What the applied revisions build, replayed in memory; and what failed in that, if something did.
    ///
    /// # Errors
    /// Those of reading and rewriting the scripts.
    pub fn built(
        scratch: MakeScratch<'_>,
        graph: &RevisionGraph,
        applied: &Applied,
        sources: &dyn Sources,
        table: &VersionTable,
    ) -> Result<(Self, Option<String>)> {
        let mut replay = Replay::at(scratch, graph, applied.set(), sources, false)?;
        let schema = Self::stored(replay.driver(), table)?;
        Ok((schema, replay.trouble()))
    }

    /// The schema as a script: tables before indexes, views and triggers, each kind by name.
    pub fn script(&self) -> String {
        let order = ["table", "index", "view", "trigger"];
        let place = |kind: &str| order.iter().position(|known| *known == kind);
        let mut objects: Vec<_> = self.objects.iter().collect();
        objects.sort_by_key(|((kind, name), _)| (place(kind), name.as_str()));
        objects.into_iter().map(|(_, sql)| format!("{sql};\n")).collect()
    }
}

/// How an object of the database differs from what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What is the matter.
    pub how: How,
    /// `table`, `index`, `view` or `trigger`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The definition that was meant; of an unexpected object its own.
    pub want: String,
    /// The definition that there is.
    pub got: Option<String>,
}

/// What is the matter with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is not there.
    Missing,
    /// It is there and should not be.
    Unexpected,
    /// It is defined otherwise.
    Changed,
}

impl How {
    /// As people and programs read it.
    pub fn name(self) -> &'static str {
        match self {
            How::Missing => "missing",
            How::Unexpected => "unexpected",
            How::Changed => "changed",
        }
    }
}

/// How a schema differs from the one that was meant. Layout, comments, quotes around names and their capital letters
/// do not count.
pub fn differences(want: &Schema, got: &Schema) -> Vec<Difference> {
    let mut found = Vec::new();
    for ((kind, name), sql) in &want.objects {
        let there = got.objects.get(&(kind.clone(), name.clone()));
        let how = match there {
            None => How::Missing,
            Some(now) if canonical(now) != canonical(sql) => How::Changed,
            Some(_) => continue,
        };
        found.push(Difference {
            how,
            kind: kind.clone(),
            name: name.clone(),
            want: sql.clone(),
            got: there.cloned(),
        });
    }
    for (key, sql) in &got.objects {
        if !want.objects.contains_key(key) {
            found.push(Difference {
                how: How::Unexpected,
                kind: key.0.clone(),
                name: key.1.clone(),
                want: sql.clone(),
                got: Some(sql.clone()),
            });
        }
    }
    found
}

/// A definition without its layout, the quotes of its names and their capital letters.
fn canonical(sql: &str) -> Vec<String> {
    let tokens = token::significant(sql, &crate::sql::split::SQLITE);
    let word = |token: token::Token| {
        let text = &sql[token.span.clone()];
        match token.kind {
            Kind::Word | Kind::Quoted => token::unquoted(text).to_lowercase(),
            _ => text.to_owned(),
        }
    };
    tokens.map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(objects: &[(&str, &str, &str)]) -> Schema {
        let objects = objects
            .iter()
            .map(|(kind, name, sql)| (((*kind).to_owned(), (*name).to_owned()), (*sql).to_owned()));
        Schema {
            objects: objects.collect(),
        }
    }

    #[test]
    fn layout_and_quotes_do_not_count() {
        let want = schema(&[("table", "t", "CREATE TABLE t (a INT)")]);
        let got = schema(&[("table", "t", "create table \"t\"(\n  A INT -- a\n)")]);
        assert_eq!(differences(&want, &got), []);
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let want = schema(&[
            ("index", "i", "CREATE INDEX i ON t (a)"),
            ("table", "t", "CREATE TABLE t (a)"),
        ]);
        let got = schema(&[
            ("table", "t", "CREATE TABLE t (b)"),
            ("view", "v", "CREATE VIEW v AS SELECT 1"),
        ]);
        let found: Vec<(How, String)> = differences(&want, &got)
            .into_iter()
            .map(|difference| (difference.how, difference.name))
            .collect();
        let expect = [(How::Missing, "i"), (How::Changed, "t"), (How::Unexpected, "v")];
        assert_eq!(found, expect.map(|(how, name)| (how, name.to_owned())));
        assert_eq!(want.script(), "CREATE TABLE t (a);\nCREATE INDEX i ON t (a);\n");
    }
}
