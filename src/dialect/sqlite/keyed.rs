//! Rows without rowids that point at nothing, told by their keys before a table changes and after it.

use crate::dialect::Ask;
use crate::dialect::sqlite::draft::{Draft, Source};
use crate::dialect::sqlite::table::Table;
use crate::error::Result;
use crate::sorted;
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::ClauseKind;
use crate::sql::write::{quoted, sqlite_literal};

/// The queries for them: the key in words, and the columns that refer.
#[derive(Debug)]
pub(super) struct Keyed {
    /// Before anything changes.
    pub(super) before: String,
    /// When all is done.
    pub(super) after: String,
}

impl Keyed {
    /// Those of another table that refer to the draft's.
    pub(super) fn other(draft: &Draft<'_>, other: &Table) -> Option<Self> {
        let same: Vec<[String; 2]> = other
            .primary_key()
            .into_iter()
            .map(|name| [name.clone(), name])
            .collect();
        let query = |after| {
            Side {
                draft,
                of: other,
                own: false,
                after,
                parents: &[],
            }
            .query(&same)
        };
        Some(Self {
            before: query(false)?,
            after: query(true)?,
        })
    }

    /// Those of the draft's own table; none where it has rowids, or its keys change as well.
    ///
    /// # Errors
    /// What the database says to the question for keys of other tables.
    pub(super) fn own(draft: &Draft<'_>, ask: &mut dyn Ask) -> Result<Option<Self>> {
        let mut parents = Vec::new();
        for (_, clause) in draft.state.table.constraints().chain(draft.table.constraints()) {
            if let ClauseKind::References(reference) = &clause.kind {
                let (name, schema) = (&reference.table.text, sqlite_literal(&draft.state.schema));
                let key = ask.query(&format!(
                    "SELECT name FROM pragma_table_info({}, {schema}) WHERE pk > 0 ORDER BY pk",
                    sqlite_literal(name)
                ))?;
                parents.push((name.clone(), key.into_iter().flatten().flatten().collect()));
            }
        }
        Ok(Self::of_own(draft, &parents))
    }

    fn of_own(draft: &Draft<'_>, parents: &[(String, Vec<String>)]) -> Option<Self> {
        if !draft.state.table.without_rowid() || !draft.table.without_rowid() {
            return None;
        }
        let old = |name: &String| {
            let column = &draft.columns[draft.position(name)?];
            match &column.source {
                Source::Same(old) => Some([old.clone(), name.clone()]),
                _ => None,
            }
        };
        let after: Vec<[String; 2]> = draft.table.primary_key().iter().map(old).collect::<Option<_>>()?;
        let mut known: Vec<String> = after.iter().map(|[old, _]| old.to_ascii_lowercase()).collect();
        let key = draft.state.table.primary_key();
        let mut keys: Vec<String> = key.iter().map(|name| name.to_ascii_lowercase()).collect();
        sorted::sort(&mut keys);
        sorted::sort(&mut known);
        if keys != known {
            return None;
        }
        let before: Vec<[String; 2]> = after.iter().map(|[old, _]| [old.clone(), old.clone()]).collect();
        let side = |of, after| Side {
            draft,
            of,
            own: true,
            after,
            parents,
        };
        Some(Self {
            before: side(&draft.state.table, false).query(&before)?,
            after: side(&draft.table, true).query(&after)?,
        })
    }
}

/// A table as it is before or after.
struct Side<'s> {
    draft: &'s Draft<'s>,
    of: &'s Table,
    /// It is the draft's own.
    own: bool,
    after: bool,
    /// The primary keys of tables that are referred to.
    parents: &'s [(String, Vec<String>)],
}

impl Side<'_> {
    /// The rows, by a key: what each column was called, and is.
    fn query(&self, key: &[[String; 2]]) -> Option<String> {
        let words = |[old, name]: &[String; 2]| {
            let label = sqlite_literal(&format!("{old} = "));
            format!("{label} || quote(c.{})", quoted(name, '"'))
        };
        let id: Vec<String> = key.iter().map(words).collect();
        let schema = quoted(&self.draft.state.schema, '"');
        let mut parts = Vec::new();
        for (owner, clause) in self.of.constraints() {
            let ClauseKind::References(reference) = &clause.kind else {
                continue;
            };
            if !self.own && !reference.table.is(self.draft.name()) {
                continue;
            }
            let own = owner.map(|owner| &owner.name.text).into_iter();
            let own: Vec<&String> = own.chain(reference.columns.iter().map(|column| &column.text)).collect();
            let parent = self.parent(&reference.table, &reference.parent)?;
            let there = own
                .iter()
                .map(|column| format!("c.{} IS NOT NULL", quoted(column, '"')));
            // The parent's affinity and collation count (foreignkeys.html, section 3).
            let same = own
                .iter()
                .zip(&parent)
                .map(|(own, parent)| format!("p.{} = +c.{}", quoted(parent, '"'), quoted(own, '"')));
            let made_of: Vec<String> = own.iter().map(|column| self.old_name(column)).collect();
            parts.push(format!(
                "SELECT {} AS id, {} AS made_of FROM {schema}.{} c WHERE {} \
                 AND NOT EXISTS (SELECT 1 FROM {schema}.{} p WHERE {})",
                id.join(" || ', ' || "),
                sqlite_literal(&made_of.join(", ")),
                quoted(&self.of.name().text, '"'),
                there.collect::<Vec<_>>().join(" AND "),
                quoted(&reference.table.text, '"'),
                same.collect::<Vec<_>>().join(" AND ")
            ));
        }
        (!parts.is_empty()).then(|| parts.join(" UNION ALL "))
    }

    /// The columns that a key refers to, as they are called on this side.
    fn parent(&self, table: &Name, named: &[Name]) -> Option<Vec<String>> {
        let draft = self.draft;
        if !table.is(draft.name()) {
            if !named.is_empty() {
                return Some(named.iter().map(|name| name.text.clone()).collect());
            }
            let mut parents = self.parents.iter();
            return parents.find(|(name, _)| table.is(name)).map(|(_, key)| key.clone());
        }
        if named.is_empty() {
            let of = if self.after { &draft.table } else { &draft.state.table };
            return Some(of.primary_key());
        }
        // The text of another table follows a new name when all is done.
        let then = |name: &Name| {
            let origin = |origin: &String| name.is(origin);
            let mut columns = draft.columns.iter().filter(|_| self.after && !self.own);
            let column = columns.find(|column| column.origin.as_ref().is_some_and(origin));
            column.map_or_else(|| name.text.clone(), |column| column.name.clone())
        };
        Some(named.iter().map(then).collect())
    }

    fn old_name(&self, name: &str) -> String {
        let mut columns = self.draft.columns.iter().filter(|_| self.own && self.after);
        let column = columns.find(|column| column.name.eq_ignore_ascii_case(name));
        let old = column.and_then(|column| column.origin.clone());
        old.unwrap_or_else(|| name.to_owned()).to_ascii_lowercase()
    }
}
