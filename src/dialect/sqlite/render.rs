//! Changes as SQL, in words that the batch engine and PostgreSQL understand alike.

use crate::dialect::sqlite::types;
use crate::schema::diff::{Alter, Change};
use crate::schema::{Column, Constraint, ConstraintKind, Model, Table};
use crate::sql::write::name;

/// The statements of a change, without semicolons; none when no statement says it.
pub(super) fn statements(change: &Change, from: &Model, to: &Model) -> Option<Vec<String>> {
    match change {
        Change::Create(key) => Some(to.objects.get(key)?.create.clone()),
        Change::Complete(key) => {
            let object = to.objects.get(key)?;
            Some([&object.late[..], &object.fill[..]].concat())
        }
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
            let (now, then) = (from.table(table), to.table(table));
            if let (Alter::DropNotNull(column), Some(then)) = (&**alter, then) {
                if is_rowid(then, column) {
                    // It is another name for the rowid, whatever is said of it.
                    return Some(Vec::new());
                }
                let key = key_over(then, column);
                if key.is_some() && key == now.and_then(|now| key_over(now, column)) {
                    return Some(vec![nullable(&object.name, column)]);
                }
            }
            if let (Alter::SetType { from, to }, Some(now), Some(then)) = (&**alter, now, then)
                && is_rowid(now, from)
                && !is_rowid(then, to)
                && let Some(key) = key_over(then, to)
            {
                return no_rowid(&object.name, alter, strict, key, to);
            }
            let mut statements = vec![self::alter(&object.name, alter, strict)?];
            statements.extend(then.into_iter().flat_map(|then| keys(&object.name, alter, now, then)));
            if let (Some(now), Some(then)) = (now, then) {
                statements.extend(typed_again(&object.name, alter, now, then));
            }
            Some(statements)
        }
    }
}

/// The statements that let columns be NULL which an ALTER of the primary key makes NOT NULL.
fn keys(name: &str, alter: &Alter, now: Option<&Table>, then: &Table) -> Vec<String> {
    let (Alter::AddConstraint(key) | Alter::DropConstraint(key)) = alter else {
        return Vec::new();
    };
    if key.kind != ConstraintKind::PrimaryKey {
        return Vec::new();
    }
    let may_be_null = then.columns.iter().filter(|column| !column.not_null);
    let of_key = may_be_null.filter(|column| key.columns.contains(&column.folded));
    if matches!(alter, Alter::AddConstraint(_)) {
        let plain = of_key.filter(|column| !is_rowid(then, column));
        return plain.map(|column| nullable(name, column)).collect();
    }
    // The rowid is never NULL, and stays so.
    let was_rowid = |column: &&Column| now.is_some_and(|now| is_rowid(now, column));
    of_key
        .filter(was_rowid)
        .filter_map(|column| self::alter(name, &Alter::DropNotNull(column.clone()), false))
        .collect()
}

/// The statements that give columns the type ANY again, which they lose with STRICT so that their values stay as they are.
fn typed_again(name: &str, alter: &Alter, now: &Table, then: &Table) -> Vec<String> {
    if !matches!(
        alter,
        Alter::SetOption {
            name: "strict",
            value: None
        }
    ) {
        return Vec::new();
    }
    let is_any = |column: &Column| column.data_type.meaning == "any";
    let stay = then.columns.iter().filter(|column| is_any(column));
    let stay = stay.filter_map(|column| now.column(&column.folded).filter(|now| is_any(now)).zip(Some(column)));
    // An ALTER would want numbers alone; what is no number stays as it is.
    stay.map(|(from, to)| retyped(name, from, to)).collect()
}

/// The directive that gives a column a type as it is written, or none.
fn retyped(table: &str, from: &Column, to: &Column) -> String {
    let words = format!("{} {}", quoted(&to.name), set_type(from, to));
    format!("-- sqlrev:retype {} ({})", quoted(table), words.trim_end())
}

/// A primary key that is another name for the rowid takes no other type: it goes, and comes again as a key like others.
fn no_rowid(table: &str, alter: &Alter, strict: bool, key: &Constraint, column: &Column) -> Option<Vec<String>> {
    let again = |alter: Alter| self::alter(table, &alter, strict);
    let mut statements = vec![
        again(Alter::DropConstraint(key.clone()))?,
        self::alter(table, alter, strict)?,
        again(Alter::AddConstraint(key.clone()))?,
    ];
    if !column.not_null {
        statements.push(nullable(table, column));
    }
    Some(statements)
}

fn nullable(table: &str, column: &Column) -> String {
    format!("-- sqlrev:nullable {} ({})", quoted(table), quoted(&column.name))
}

/// The primary key, where a column is of it.
fn key_over<'t>(table: &'t Table, column: &Column) -> Option<&'t Constraint> {
    let mut keys = table.constraints.iter();
    keys.find(|key| key.kind == ConstraintKind::PrimaryKey && key.columns.contains(&column.folded))
}

/// Whether a column is another name for the rowid (`lang_createtable.html`, section 5).
fn is_rowid(table: &Table, column: &Column) -> bool {
    let is_integer = table
        .column(&column.folded)
        .is_some_and(|column| column.data_type.meaning == "integer");
    is_integer
        && !table.options.contains_key("without_rowid")
        && key_over(table, column)
            .is_some_and(|key| key.columns.len() == 1 && !key.definition.meaning.contains("inside"))
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
            if !to.data_type.written.is_empty() && types::written(&to.data_type.written, strict) == to.data_type.written
            {
                format!("ALTER COLUMN {} TYPE {}", quoted(&to.name), set_type(from, to))
            } else {
                // An ALTER would write another type, or knows no column without one.
                return Some(retyped(table, from, to));
            }
        }
        Alter::SetExpression(column) => {
            let expression = &column.generated.as_ref()?.expression.written;
            format!("ALTER COLUMN {} SET EXPRESSION AS ({expression})", quoted(&column.name))
        }
        Alter::DropExpression(column) => format!("ALTER COLUMN {} DROP EXPRESSION", quoted(&column.name)),
        Alter::AddConstraint(constraint) if constraint.name.is_empty() => unnamed(constraint),
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
        Alter::SetOther { to, .. } => modified(to)?,
        Alter::SetIdentity { .. } => return None,
    };
    Some(format!("ALTER TABLE {} {action}", quoted(table)))
}

/// A constraint with no name but the default one, which follows renames. Elsewhere a UNIQUE becomes an index, and an index
/// has a name; what it does on a conflict is said in the table alone.
fn unnamed(constraint: &Constraint) -> String {
    let written = &constraint.definition.written;
    let conflict = written.to_ascii_uppercase().contains(" ON CONFLICT ");
    let in_table = constraint.kind == ConstraintKind::Unique && !conflict;
    format!("ADD {written}{}", if in_table { " ON CONFLICT ABORT" } else { "" })
}

/// The column said anew as a whole, as no shorter words change what its NOT NULL does on a conflict.
fn modified(column: &Column) -> Option<String> {
    if column.generated.is_some() {
        return None;
    }
    let mut words = format!("MODIFY COLUMN {} {}", quoted(&column.name), column.data_type.written);
    if let Some(collation) = &column.collation {
        words.push_str(&format!(" COLLATE {}", collation.written));
    }
    if column.not_null {
        let plain = column.other.written.is_empty();
        words.push_str(&format!(" {}", if plain { "NOT NULL" } else { &column.other.written }));
    }
    if let Some(default) = &column.default {
        words.push_str(&format!(" DEFAULT {}", default.written));
    }
    Some(words)
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
