//! Changes as SQL, in words that the batch engine and PostgreSQL understand alike.

use std::collections::BTreeSet;

use crate::dialect::sqlite::table::Table as Definition;
use crate::schema::diff::{Alter, Change};
use crate::schema::{Column, Key, Model, Object, Table};
use crate::sql::write::name;

/// The statements of a change, without semicolons; none when no statement says it.
pub(super) fn statements(change: &Change, from: &Model, to: &Model) -> Option<Vec<String>> {
    match change {
        Change::Create(key) => Some(to.objects.get(key)?.create.clone()),
        Change::Complete(key) => Some(to.objects.get(key)?.late.clone()),
        Change::Drop(key) => Some(vec![from.objects.get(key)?.drop.clone()]),
        Change::Replace(key) => replacement(key, from, to),
        Change::RenameTable { table, to: new } => {
            let old = &from.objects.get(table)?.name;
            Some(vec![format!("ALTER TABLE {} RENAME TO {}", quoted(old), quoted(new))])
        }
        Change::Alter(table, alter) => {
            let object = from.objects.get(table).or_else(|| to.objects.get(table))?;
            self::alter(&object.name, alter).map(|statement| vec![statement])
        }
    }
}

fn quoted(text: &str) -> String {
    name(text, '"')
}

fn alter(table: &str, alter: &Alter) -> Option<String> {
    let action = match alter {
        Alter::AddColumn(column) => format!("ADD COLUMN {}", column.definition.0),
        Alter::DropColumn(column) => format!("DROP COLUMN {}", quoted(&column.name)),
        Alter::RenameColumn { from, to } => format!("RENAME COLUMN {} TO {}", quoted(from), quoted(to)),
        Alter::SetNotNull(column) => format!("ALTER COLUMN {} SET NOT NULL", quoted(&column.name)),
        Alter::DropNotNull(column) => format!("ALTER COLUMN {} DROP NOT NULL", quoted(&column.name)),
        Alter::SetDefault(column) => {
            let value = &column.default.as_ref()?.written;
            format!("ALTER COLUMN {} SET DEFAULT {value}", quoted(&column.name))
        }
        Alter::DropDefault(column) => format!("ALTER COLUMN {} DROP DEFAULT", quoted(&column.name)),
        Alter::SetType { from, to } => set_type(from, to)?,
        Alter::SetExpression(column) => {
            let expression = &column.generated.as_ref()?.expression.written;
            format!("ALTER COLUMN {} SET EXPRESSION AS ({expression})", quoted(&column.name))
        }
        Alter::DropExpression(column) => format!("ALTER COLUMN {} DROP EXPRESSION", quoted(&column.name)),
        Alter::AddConstraint(constraint) => {
            format!(
                "ADD CONSTRAINT {} {}",
                quoted(&constraint.name),
                constraint.definition.written
            )
        }
        Alter::DropConstraint(constraint) => format!("DROP CONSTRAINT {}", quoted(&constraint.name)),
        Alter::RenameConstraint { from, to } => {
            format!("RENAME CONSTRAINT {} TO {}", quoted(&from.name), quoted(&to.name))
        }
        Alter::SetOption { name, value } => {
            let off = if value.is_some() { "" } else { " off" };
            return Some(format!("-- sqlrev:{name} {}{off}", quoted(table)));
        }
        Alter::SetIdentity { .. } => return None,
    };
    Some(format!("ALTER TABLE {} {action}", quoted(table)))
}

/// SQLite knows columns without a type; no ALTER takes a type away.
fn set_type(from: &Column, to: &Column) -> Option<String> {
    if to.data_type.written.is_empty() {
        return None;
    }
    let collation = match (&from.collation, &to.collation) {
        (_, Some(collation)) => format!(" COLLATE {}", collation.written),
        (Some(_), None) => " COLLATE BINARY".to_owned(),
        (None, None) => String::new(),
    };
    Some(format!(
        "ALTER COLUMN {} TYPE {}{collation}",
        quoted(&to.name),
        to.data_type.written
    ))
}

/// The table made anew under another name, its rows moved, and the name given back.
fn replacement(key: &Key, from: &Model, to: &Model) -> Option<Vec<String>> {
    let (old, new) = (from.objects.get(key)?, to.objects.get(key)?);
    let scratch = free_name(&new.name, from, to);
    let definition = Definition::read(new.create.first()?)?;
    let span = definition.name().span.clone();
    let mut create = definition.text().to_owned();
    create.replace_range(span, &quoted(&scratch));
    let columns = common(old, new)?;
    let list = columns.join(", ");
    let mut out = vec![create];
    if !columns.is_empty() {
        out.push(format!(
            "INSERT INTO {} ({list}) SELECT {list} FROM {}",
            quoted(&scratch),
            quoted(&old.name)
        ));
    }
    out.push(format!("DROP TABLE {}", quoted(&old.name)));
    out.push(format!(
        "ALTER TABLE {} RENAME TO {}",
        quoted(&scratch),
        quoted(&new.name)
    ));
    Some(out)
}

fn free_name(name: &str, from: &Model, to: &Model) -> String {
    let taken = |name: &str| {
        let mut names = from.objects.keys().chain(to.objects.keys());
        names.any(|key| key.name.eq_ignore_ascii_case(name))
    };
    let mut free = format!("new_{name}");
    while taken(&free) {
        free.insert(0, '_');
    }
    free
}

/// The columns that hold values in both, with the rowid where nothing else keeps it.
fn common(old: &Object, new: &Object) -> Option<Vec<String>> {
    let (now, then) = (old.table.as_ref()?, new.table.as_ref()?);
    let kept = then.columns.iter().filter(|column| {
        column.generated.is_none()
            && now
                .column(&column.folded)
                .is_some_and(|column| column.generated.is_none())
    });
    let mut columns: Vec<String> = kept.map(|column| quoted(&column.name)).collect();
    let numbered = |object: &Object, table: &Table| {
        let definition = Definition::read(object.create.first()?)?;
        let taken: BTreeSet<&str> = table.columns.iter().map(|column| column.folded.as_str()).collect();
        let own = !definition.without_rowid() && definition.rowid_alias().is_none() && !taken.contains("rowid");
        Some(own)
    };
    if numbered(old, now) == Some(true) && numbered(new, then) == Some(true) {
        columns.insert(0, "rowid".to_owned());
    }
    Some(columns)
}
