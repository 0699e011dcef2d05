//! The table as a run of ALTERs means it to be, while the run is read: definition, columns by identity, indexes,
//! and what has to be true of the rows for that.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::dialect::Op;
use crate::dialect::sqlite::expr;
use crate::dialect::sqlite::inspect::{Object, State};
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::table::Table;
use crate::dialect::sqlite::types::Affinity;
use crate::error::{Result, nearest};
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::ClauseKind;
use crate::sql::write::{quoted, sqlite_literal};

/// A table on its way from what it was to what it shall be.
#[derive(Debug, Clone)]
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
    pub(super) checks: Vec<Op>,
    /// Why the table must be copied, if it must.
    pub(super) copy: Option<String>,
    /// What is done to the definition alone.
    pub(super) reasons: Vec<String>,
    /// The default of a column that rows may still read from the definition changes.
    pub(super) default_changed: bool,
    /// Foreign keys need not be enforced while a column with a default that refers is added.
    pub(super) refers_by_default: bool,
    /// Keys or what refers to them may mean other rows after this: the statement and place that caused it.
    pub(super) keys_converted: Option<(usize, crate::source::Span)>,
    /// The primary key changes.
    pub(super) key_changed: bool,
    /// How many foreign keys there are more (or fewer) than before.
    pub(super) foreign_keys: i64,
    /// Constraints are written into the definition even where an index would do.
    pub(super) inline: bool,
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
    /// Where its values come from.
    pub(super) source: Source,
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
            source: Source::Same(column.name.text.clone()),
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
            key_changed: false,
            foreign_keys: 0,
            inline,
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

    /// The place of a column among the columns.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.name.eq_ignore_ascii_case(name))
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
        uses_new_values(&self.settled, &[text])
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

    /// The rows that a condition holds for, in the words of a FROM clause, a key to name a row by, and an order:
    /// the table itself, or the rows as they will be where the condition uses values that are yet to come.
    fn rows(&self, used: &[&str]) -> (String, String, String) {
        let name = quoted(self.name(), '"');
        let key = self.key();
        let order = self.order();
        let table = format!("{} AS {name}", self.state.qualified());
        if !uses_new_values(&self.columns, used) {
            return (table, key, order);
        }
        let columns: Vec<String> = (0..self.columns.len())
            .filter(|&position| !self.is_generated(&self.columns[position].name))
            .map(|position| {
                format!(
                    "{} AS {}",
                    self.value(position),
                    quoted(&self.columns[position].name, '"')
                )
            })
            .collect();
        let generated = self.table.columns().filter_map(|column| {
            let expression = column.clauses.iter().find_map(|clause| match &clause.kind {
                ClauseKind::Generated { expression, .. } => Some(expression),
                _ => None,
            });
            expression.map(|span| format!("({}) AS {}", self.table.at(span), quoted(&column.name.text, '"')))
        });
        let generated: Vec<String> = generated.collect();
        let order = self
            .rowid()
            .map_or_else(|| key.clone(), |rowid| format!("{name}.{rowid}"));
        let inner = format!(
            "SELECT {key} AS sqlrev_key, {order} AS sqlrev_order, {} FROM {table}",
            columns.join(", ")
        );
        let from = if generated.is_empty() {
            format!("({inner}) AS {name}")
        } else {
            format!(
                "(SELECT *, {} FROM ({inner}) AS {name}) AS {name}",
                generated.join(", ")
            )
        };
        (from, "sqlrev_key".to_owned(), "sqlrev_order".to_owned())
    }

    /// The name by which SQL reaches the rowid of the old table, if it has one that no column hides.
    pub(super) fn rowid(&self) -> Option<&'static str> {
        rowid_name(&self.state.table)
    }

    fn key(&self) -> String {
        let name = quoted(self.name(), '"');
        let parts: Vec<String> = self
            .state
            .table
            .primary_key()
            .iter()
            .map(|column| {
                let label = sqlite_literal(&format!("{column} = "));
                format!("{label} || quote({name}.{})", quoted(column, '"'))
            })
            .collect();
        match (parts.is_empty(), self.rowid()) {
            (false, _) => parts.join(" || ', ' || "),
            (true, Some(rowid)) => format!("'rowid ' || {name}.{rowid}"),
            (true, None) => "'a row'".to_owned(),
        }
    }

    fn order(&self) -> String {
        match self.rowid() {
            Some(rowid) => rowid.to_owned(),
            None => {
                let key = self.state.table.primary_key();
                let columns: Vec<String> = key.iter().map(|column| quoted(column, '"')).collect();
                if columns.is_empty() {
                    "1".to_owned()
                } else {
                    columns.join(", ")
                }
            }
        }
    }

    /// Demands that no row meets a condition; `shown` are the columns that the message shows of a row that does.
    pub(super) fn demand(&mut self, site: &Site<'_>, demand: Demand<'_>, condition: &str, shown: &[&str]) {
        let shown_names: Vec<String> = shown.iter().map(|name| quoted(name, '"')).collect();
        let mut used: Vec<&str> = shown_names.iter().map(String::as_str).collect();
        used.push(condition);
        let (from, key, order) = self.rows(&used);
        let values: String = shown_names.iter().map(|name| format!(", {name}")).collect();
        let sql = format!("SELECT {key}{values} FROM {from} WHERE {condition} ORDER BY {order} LIMIT 10");
        self.checks.push(demand.into_op(site, sql));
    }

    /// Demands that no two rows are equal in these columns; rows with a NULL among them never are.
    pub(super) fn demand_unique(&mut self, site: &Site<'_>, demand: Demand<'_>, columns: &[&str]) {
        let names: Vec<String> = columns.iter().map(|column| quoted(column, '"')).collect();
        let used: Vec<&str> = names.iter().map(String::as_str).collect();
        let (from, key, _) = self.rows(&used);
        let compared: Vec<String> = columns
            .iter()
            .zip(&names)
            .map(|(column, name)| match self.collation(column) {
                Some(collation) => format!("{name} COLLATE {}", quoted(&collation, '"')),
                None => name.clone(),
            })
            .collect();
        let list = compared.join(", ");
        let vector = if compared.len() == 1 {
            list.clone()
        } else {
            format!("({list})")
        };
        let not_null: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
        let sql = format!(
            "SELECT {key}, {} FROM {from} WHERE {vector} IN (SELECT {list} FROM {from} WHERE {} GROUP BY {list} \
             HAVING count(*) > 1) ORDER BY {list} LIMIT 10",
            names.join(", "),
            not_null.join(" AND ")
        );
        self.checks.push(demand.into_op(site, sql));
    }

    /// The groups of columns that must be unique together, by constraint or by index, that a column is part of.
    pub(super) fn unique_groups(&self, column: &str) -> Vec<Vec<String>> {
        let mut groups = Vec::new();
        for (owner, clause) in self.table.constraints() {
            let (ClauseKind::Unique { columns, .. } | ClauseKind::PrimaryKey { columns, .. }) = &clause.kind else {
                continue;
            };
            groups.push(match owner {
                Some(owner) => vec![owner.name.text.clone()],
                None => columns.iter().map(|name| name.text.clone()).collect::<Vec<_>>(),
            });
        }
        for index in self.indexes.iter().filter(|index| index.kept) {
            groups.extend(unique_columns(&index.object.sql));
        }
        groups.retain(|group| group.iter().any(|name| name.eq_ignore_ascii_case(column)));
        groups
    }
}

/// Whether one of these texts uses a column whose values are not those of the old table's column of that name.
fn uses_new_values(columns: &[Column], texts: &[&str]) -> bool {
    columns.iter().any(|column| {
        let same = matches!(&column.source, Source::Same(old) if old.eq_ignore_ascii_case(&column.name));
        !same && texts.iter().any(|text| expr::mentions(text, &column.name))
    })
}

/// The columns of a unique index over whole columns and all rows; `None` for any other index.
pub(super) fn unique_columns(sql: &str) -> Option<Vec<String>> {
    let mut cursor = crate::sql::parse::cursor::Cursor::new(sql);
    if !cursor.take(&["CREATE", "UNIQUE", "INDEX"]) {
        return None;
    }
    while !cursor.sees(&["("]) && !cursor.at_end() {
        cursor.skip();
    }
    cursor.take(&["("]);
    let mut columns = Vec::new();
    loop {
        columns.push(cursor.name()?.text);
        while cursor.sees_any(&["ASC", "DESC"]) {
            cursor.skip();
        }
        if cursor.take(&["COLLATE"]) {
            return None;
        }
        if cursor.take(&[")"]) {
            break;
        }
        if !cursor.take(&[","]) {
            return None;
        }
    }
    cursor.at_end().then_some(columns)
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

/// What an error says when a demand is not met.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand<'a> {
    /// The code.
    pub(super) code: Code,
    /// The message.
    pub(super) message: &'a str,
    /// What to do.
    pub(super) help: &'a str,
}

impl Demand<'_> {
    /// The demand as something to do.
    pub(super) fn into_op(self, site: &Site<'_>, sql: String) -> Op {
        Op::Check {
            sql,
            code: self.code,
            message: self.message.to_owned(),
            help: self.help.to_owned(),
            at: site.at(),
        }
    }
}
