//! The table as a run of ALTERs means it to be, while the run is read: definition, columns by identity, indexes,
//! and what has to be true of the rows for that.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::dialect::sqlite::demand::Demanded;
use crate::dialect::sqlite::expr;
use crate::dialect::sqlite::inspect::{Object, State};
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::table::Table;
use crate::dialect::sqlite::types::Affinity;
use crate::dialect::sqlite::unique::Unique;
use crate::error::{Result, nearest};
use crate::source::Span;
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::ClauseKind;
use crate::sql::write::quoted;

/// A table on its way from what it was to what it shall be.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact that one kind of action notes and the planner reads"
)]
pub(super) struct Draft<'s> {
    /// The table as it was found.
    pub(super) state: &'s State,
    /// The definition as it is by now.
    pub(super) table: Table,
    /// The columns of `table`, in its order.
    pub(super) columns: Vec<Column>,
    /// The indexes with a definition of their own.
    pub(super) indexes: Vec<Index>,
    /// SQLite's own ALTERs that bring the columns of the stored table to those of the draft.
    pub(super) natives: Vec<(String, usize)>,
    /// What must hold of the rows, in the order of the statements.
    pub(super) checks: Vec<Demanded>,
    /// Why the table must be copied, if it must.
    pub(super) copy: Option<String>,
    /// What is done to the definition alone.
    pub(super) reasons: Vec<String>,
    /// The default of a column that rows may still read from the definition changes.
    pub(super) default_changed: bool,
    /// Foreign keys need not be enforced while a column with a default that refers is added.
    pub(super) refers_by_default: bool,
    /// Keys or what refers to them may mean other rows after this: the statement and place that caused it.
    pub(super) keys_converted: Option<(usize, Span)>,
    /// Columns whose values are converted: the statement and place that said so.
    pub(super) retyped: Vec<(String, (usize, Span))>,
    /// The primary key changes.
    pub(super) key_changed: bool,
    /// How many columns of foreign keys are new.
    pub(super) references_added: usize,
    /// How many columns of foreign keys are gone.
    pub(super) references_dropped: usize,
    /// Constraints are written into the definition even where an index would do.
    pub(super) inline: bool,
    /// The default names of constraints that were dropped or got names of their own: no other one of the run moves up.
    pub(super) dropped: Vec<String>,
    /// The conditions of CHECKs that rows need not meet.
    pub(super) not_valid: Vec<String>,
    /// What the reader should know.
    pub(super) notices: Vec<String>,
    /// The columns as they were before the statement that is being read.
    pub(super) settled: Vec<Column>,
    /// The statement that is being read has to wait until those before it have run.
    pub(super) split: bool,
}

/// A column, followed through the run whatever it is called.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its name by now.
    pub(super) name: String,
    /// Its name in the old table; a new column has none, though it may get the name of one that was dropped.
    pub(super) origin: Option<String>,
    /// Where its values come from.
    pub(super) source: Source,
    /// Its values are compared otherwise than in the old table.
    pub(super) recollated: bool,
    /// What `pragma_table_xinfo` shall say of it where that changes: attribute and value.
    pub(super) expect: BTreeMap<&'static str, String>,
}

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The same values as in this column of the old table.
    Same(String),
    /// The value of an expression over the old row, as a column of this affinity keeps it.
    Converted(String, Affinity),
    /// A new column: the default that its rows get.
    Added(Option<String>),
}

/// An index, and what becomes of it.
#[derive(Debug, Clone)]
pub(super) struct Index {
    /// Its definition.
    pub(super) object: Object,
    /// It was there before.
    pub(super) old: bool,
    /// It shall be there.
    pub(super) kept: bool,
    /// The statement that makes or drops it.
    pub(super) at: usize,
    /// The check that says which rows are equal where it must be unique.
    pub(super) check: Option<usize>,
}

impl<'s> Draft<'s> {
    /// A draft of the table as it is.
    pub(super) fn new(state: &'s State, inline: bool) -> Self {
        let columns = state.table.columns().map(|column| Column {
            name: column.name.text.clone(),
            origin: Some(column.name.text.clone()),
            source: Source::Same(column.name.text.clone()),
            recollated: false,
            expect: BTreeMap::new(),
        });
        let indexes = state.indexes.iter().map(|object| Index {
            object: object.clone(),
            old: true,
            kept: true,
            at: 0,
            check: None,
        });
        let columns: Vec<Column> = columns.collect();
        Self {
            state,
            table: state.table.clone(),
            settled: columns.clone(),
            split: false,
            columns,
            indexes: indexes.collect(),
            natives: Vec::new(),
            checks: Vec::new(),
            copy: None,
            reasons: Vec::new(),
            default_changed: false,
            refers_by_default: false,
            keys_converted: None,
            retyped: Vec::new(),
            key_changed: false,
            references_added: 0,
            references_dropped: 0,
            inline,
            dropped: Vec::new(),
            not_valid: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// The name of the table.
    pub(super) fn name(&self) -> &str {
        &self.table.name().text
    }

    /// Says that the table must be copied, and why; the first reason is kept.
    pub(super) fn must_copy(&mut self, reason: impl Into<String>) {
        self.copy.get_or_insert(reason.into());
    }

    /// Whether the definition, the columns and what is in them come out as they were: what was added has gone again.
    pub(super) fn is_as_found(&self) -> bool {
        let same = |column: &Column| matches!((&column.source, &column.origin), (Source::Same(old), Some(_)) if *old == column.name);
        self.table.text() == self.state.table.text() && self.columns.iter().all(same)
    }

    /// The place of a column among the columns.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Whether a column of the old table is there under its name.
    pub(super) fn keeps(&self, name: &str) -> bool {
        let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
        let mut columns = self.columns.iter();
        columns.any(|column| is(&column.name, name) && column.origin.as_deref().is_some_and(|old| is(old, name)))
    }

    /// The place of a column that must be there.
    pub(super) fn column(&self, site: &Site<'_>, name: &Name) -> Result<usize> {
        if let Some(position) = self.position(&name.text) {
            return Ok(position);
        }
        let known: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let message = format!("table `{}` has no column `{}`", self.name(), name.text);
        let mut error = site.error(
            Code::BatchNoColumn,
            message,
            &name.span,
            "not a column of the table at this point",
        );
        if let Some(near) = nearest(&name.text, known.iter().copied()) {
            error = error.help(format!("perhaps `{near}`"));
        }
        Err(error.help(format!("its columns are: {}", known.join(", "))))
    }

    /// Refuses a name in double quotes that is no column, which SQLite would take for a string.
    pub(super) fn quoted_names(&self, site: &Site<'_>, expression: &Span) -> Result<()> {
        for (span, text) in expr::quoted_names(site.words(expression)) {
            let name = Name {
                text,
                span: expression.start + span.start..expression.start + span.end,
            };
            if !name.is(self.name()) {
                self.column(site, &name)?;
            }
        }
        Ok(())
    }

    /// Whether a column is generated.
    pub(super) fn is_generated(&self, name: &str) -> bool {
        let generated = |kind: &ClauseKind| matches!(kind, ClauseKind::Generated { .. });
        self.table
            .column(name)
            .is_some_and(|column| column.clauses.iter().any(|clause| generated(&clause.kind)))
    }

    /// Whether a column cannot hold NULL.
    pub(super) fn is_not_null(&self, name: &str) -> bool {
        self.table.column(name).is_some_and(|column| {
            column
                .clauses
                .iter()
                .any(|clause| matches!(clause.kind, ClauseKind::NotNull))
        })
    }

    /// The type of a column as written; empty when it has none.
    pub(super) fn type_of(&self, name: &str) -> &str {
        let data_type = self.table.column(name).and_then(|column| column.data_type.as_ref());
        data_type.map_or("", |span| self.table.at(span))
    }

    /// The collation that a column declares.
    pub(super) fn collation(&self, name: &str) -> Option<String> {
        self.table
            .column(name)?
            .clauses
            .iter()
            .find_map(|clause| match &clause.kind {
                ClauseKind::Collate(collation) => Some(collation.text.clone()),
                _ => None,
            })
    }

    /// Whether an expression uses a column that an earlier statement of the run gives other values.
    pub(super) fn settled_values_in(&self, text: &str) -> bool {
        uses_new_values(&self.settled, &self.table, &[text])
    }

    /// The generated columns whose values follow those of a column, one by way of another too.
    pub(super) fn computed_from(&self, name: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut from = vec![name.to_owned()];
        while let Some(name) = from.pop() {
            for column in self.table.columns().map(|column| &column.name.text) {
                let uses = |span: Span| expr::mentions(self.table.at(&span), &name);
                if !found.contains(column) && self.table.expression_of(column).is_some_and(uses) {
                    found.push(column.clone());
                    from.push(column.clone());
                }
            }
        }
        found
    }

    /// The value of a column as an expression over a row of the old table, which goes by the table's name.
    pub(super) fn value(&self, position: usize) -> String {
        let column = &self.columns[position];
        let value = match &column.source {
            Source::Same(old) => return format!("{}.{}", quoted(self.name(), '"'), quoted(old, '"')),
            Source::Converted(value, affinity) => affinity.converted(value),
            Source::Added(value) => value.clone().unwrap_or_else(|| "NULL".to_owned()),
        };
        match self.collation(&column.name) {
            Some(collation) => format!("{value} COLLATE {}", quoted(&collation, '"')),
            None => value,
        }
    }

    /// The name by which SQL reaches the rowid of the old table, if it has one that no column hides.
    pub(super) fn rowid(&self) -> Option<&'static str> {
        rowid_name(&self.state.table)
    }

    /// What must be unique, by constraint or by index, that looks at one of these columns.
    pub(super) fn unique_groups(&self, columns: &[String]) -> Vec<Unique> {
        let constraints = self.table.constraints().filter_map(|(owner, clause)| {
            let (ClauseKind::Unique { columns, .. } | ClauseKind::PrimaryKey { columns, .. }) = &clause.kind else {
                return None;
            };
            Some(match owner {
                Some(owner) => Unique::columns([owner.name.text.as_str()]),
                None => Unique::columns(columns.iter().map(|name| name.text.as_str())),
            })
        });
        let indexes = self.indexes.iter().filter(|index| index.kept);
        let mut groups: Vec<Unique> = constraints
            .chain(indexes.filter_map(|index| Unique::of_index(&index.object.sql)))
            .collect();
        groups.retain(|group| columns.iter().any(|name| group.uses(name)));
        groups
    }
}

/// The first name of the rowid that no column of the table takes.
pub(super) fn rowid_name(table: &Table) -> Option<&'static str> {
    if table.without_rowid() {
        return None;
    }
    ["_rowid_", "rowid", "oid"]
        .into_iter()
        .find(|name| table.column(name).is_none())
}

/// Whether one of these texts uses a column whose values are not those of the old table's column of that name, itself or
/// by way of the expressions of generated columns.
pub(super) fn uses_new_values(columns: &[Column], table: &Table, texts: &[&str]) -> bool {
    let same = |column: &Column| {
        matches!(&column.source, Source::Same(old) if old.eq_ignore_ascii_case(&column.name)) && !column.recollated
    };
    let (mut old, mut new): (Vec<&Column>, Vec<&Column>) = columns.iter().partition(|column| same(column));
    let mut at = 0;
    while let Some(column) = new.get(at) {
        let name = &column.name;
        let computed = |other: &&Column| {
            let expression = table.expression_of(&other.name);
            expression.is_some_and(|span| expr::mentions(table.at(&span), name))
        };
        let (follow, rest) = old.into_iter().partition(computed);
        new.extend::<Vec<&Column>>(follow);
        old = rest;
        at += 1;
    }
    let used = |column: &&Column| texts.iter().any(|text| expr::mentions(text, &column.name));
    new.iter().any(used)
}
