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
                && [from, to].iter().any(|model| is_of_key(model.table(table), &column.folded))
            {
                return Some(vec![nullable(&object.name, column)]);
            }
            let mut statements = vec![self::alter(&object.name, alter, strict)?];
            if let Alter::AddConstraint(key) = &**alter
                && key.kind == ConstraintKind::PrimaryKey
            {
                // An ALTER makes them NOT NULL.
                let nullable = to.table(table)?.columns.iter().filter(|column| !column.not_null);
                let of_key = nullable.filter(|column| key.columns.contains(&column.folded));
                statements.extend(of_key.map(|column| self::nullable(&object.name, column)));
            }
            Some(statements)
        }
    }
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
