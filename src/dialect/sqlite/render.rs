//! Changes as SQL, in words that the batch engine and PostgreSQL understand alike.

use crate::dialect::sqlite::types;
use crate::schema::diff::{Alter, Change};
use crate::schema::{Column, ConstraintKind, Model, Table};
use crate::sql::write::name;

/// The statements of a change, without semicolons; none when no statement says it.
pub(super) fn statements(change: &Change, from: &Model, to: &Model) -> Option<Vec<String>> {
    match change {
        Change::Create(key) => Some(to.objects.get(key)?.create.clone()),
        Change::Complete(key) => Some(to.objects.get(key)?.late.clone()),
        Change::Drop(key) => Some(vec![from.objects.get(key)?.drop.clone()]),
        Change::Replace(_) | Change::Redefine(_) => None,
        Change::RenameTable { table, to: new } => {
            let old = &from.objects.get(table)?.name;
            Some(vec![format!("ALTER TABLE {} RENAME TO {}", quoted(old), quoted(new))])
        }
        Change::Alter(table, alter) => {
            let object = from.objects.get(table).or_else(|| to.objects.get(table))?;
            let strict = to
                .table(table)
                .is_some_and(|table| table.options.contains_key("strict"));
            if let Alter::SetOther { to, .. } = &**alter
                && !to.not_null
            {
                // The ON CONFLICT clause goes with its NOT NULL.
                return Some(Vec::new());
            }
            if let Alter::DropNotNull(column) = &**alter
                && [from, to]
                    .iter()
                    .any(|model| is_of_key(model.table(table), &column.folded))
            {
                return Some(vec![nullable(&object.name, column)]);
            }
            let mut statements = vec![self::alter(&object.name, alter, strict)?];
            statements.extend(keys(&object.name, alter, from.table(table), to.table(table)?));
            Some(statements)
        }
    }
}

/// The statements that let columns be NULL which an ALTER of the primary key makes NOT NULL.
fn keys(name: &str, alter: &Alter, from: Option<&Table>, to: &Table) -> Vec<String> {
    let (Alter::AddConstraint(key) | Alter::DropConstraint(key)) = alter else {
        return Vec::new();
    };
    if key.kind != ConstraintKind::PrimaryKey {
        return Vec::new();
    }
    let nullable_then = to.columns.iter().filter(|column| !column.not_null);
    let of_key = nullable_then.filter(|column| key.columns.contains(&column.folded));
    if matches!(alter, Alter::AddConstraint(_)) {
        return of_key.map(|column| nullable(name, column)).collect();
    }
    // The rowid and the keys of STRICT tables are never NULL, and stay so.
    let strict = from.is_some_and(|table| table.options.contains_key("strict"));
    let was_rowid = |column: &Column| {
        let before = from.and_then(|table| table.column(&column.folded));
        key.columns.len() == 1 && before.is_some_and(|before| before.data_type.meaning == "integer")
    };
    of_key
        .filter(|column| strict || was_rowid(column))
        .filter_map(|column| self::alter(name, &Alter::DropNotNull(column.clone()), strict))
        .collect()
}

fn nullable(table: &str, column: &Column) -> String {
    format!("-- sqlrev:nullable {} ({})", quoted(table), quoted(&column.name))
}

fn is_of_key(table: Option<&Table>, column: &str) -> bool {
    let constraints = table.into_iter().flat_map(|table| &table.constraints);
    let mut keys = constraints.filter(|other| other.kind == ConstraintKind::PrimaryKey);
    keys.any(|key| key.columns.contains(column))
}

fn quoted(text: &str) -> String {
    name(text, '"')
}

fn alter(table: &str, alter: &Alter, strict: bool) -> Option<String> {
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
        Alter::SetType { from, to } => {
            let words = set_type(from, to);
            if !to.data_type.written.is_empty() && types::written(&to.data_type.written, strict) == to.data_type.written
            {
                format!("ALTER COLUMN {} TYPE {words}", quoted(&to.name))
            } else {
                // An ALTER would write another type, or knows no column without one.
                return Some(format!(
                    "-- sqlrev:retype {} ({})",
                    quoted(table),
                    format!("{} {words}", quoted(&to.name)).trim_end()
                ));
            }
        }
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
        Alter::SetIdentity { .. } | Alter::SetOther { .. } => return None,
    };
    Some(format!("ALTER TABLE {} {action}", quoted(table)))
}

/// The type and the collation, as they stand behind TYPE.
fn set_type(from: &Column, to: &Column) -> String {
    let collation = match (&from.collation, &to.collation) {
        (_, Some(collation)) => format!(" COLLATE {}", collation.written),
        (Some(_), None) => " COLLATE BINARY".to_owned(),
        (None, None) => String::new(),
    };
    format!("{}{collation}", to.data_type.written).trim_start().to_owned()
}
