//! Tables below others: what they need not be told, since the table above was.

use crate::dialect::postgres::inspect::qualified;
use crate::schema::diff::Alter;
use crate::schema::{Column, ConstraintKind, Key, Kind, Model, Table};

/// The table above and the bound, of the words that say which partition a table is.
pub(super) fn parent(words: &str) -> Option<(&str, &str)> {
    let at = words.find(" FOR VALUES ").or_else(|| words.rfind(" DEFAULT"))?;
    Some((&words[..at], &words[at + 1..]))
}

/// What takes a partition out of its table before it goes: where foreign keys refer to one above it that stays, it cannot
/// go while it is in there. Rows that are referred to stop it.
pub(super) fn detached(key: &Key, from: &Model, to: &Model) -> Option<String> {
    let words = from.table(key)?.options.get("partition_of")?;
    let (above, _) = parent(words)?;
    let is_above = |other: &Key| {
        let stays = to.table(other);
        let has_parts = stays.is_some_and(|table| table.options.contains_key("partition_by"));
        has_parts && other != key && from.with_below(other).contains(key)
    };
    let mut constraints = from
        .objects
        .values()
        .filter_map(|object| object.table.as_ref())
        .flat_map(|table| &table.constraints)
        .filter(|constraint| constraint.kind == ConstraintKind::ForeignKey);
    let is_kept = constraints.any(|constraint| constraint.parent.as_ref().is_some_and(is_above));
    is_kept.then(|| {
        format!(
            "ALTER TABLE {above} DETACH PARTITION {}",
            qualified(&key.schema, &key.name)
        )
    })
}

/// Whether an inherited column changes along with that of the table above: ALTER TABLE says it once for all. A partition that
/// is detached is so before.
pub(super) fn comes_from_above(key: &Key, alter: &Alter, from: &Model, to: &Model) -> bool {
    let is_partition = |model: &Model| {
        model
            .table(key)
            .is_some_and(|table| table.options.contains_key("partition_of"))
    };
    if !from.table(key).is_some_and(Table::is_below) || is_partition(from) && !is_partition(to) {
        return false;
    }
    let name = match alter {
        Alter::AddColumn(column)
        | Alter::DropColumn(column)
        | Alter::SetNotNull(column)
        | Alter::DropNotNull(column)
        | Alter::SetDefault(column)
        | Alter::DropDefault(column)
        | Alter::SetExpression(column)
        | Alter::DropExpression(column)
        | Alter::SetType { to: column, .. } => &column.folded,
        _ => return false,
    };
    // One that goes and comes again is there above, before and after.
    let is_again = matches!(alter, Alter::AddColumn(_) | Alter::DropColumn(_));
    let above = from.objects.get(key).into_iter().flat_map(|object| &object.uses);
    let column = |model: &Model, key: &Key| model.table(key).and_then(|table| table.column(name)).cloned();
    above.filter(|above| above.kind == Kind::Table).any(|above| {
        let (now, then) = (column(from, above), column(to, above));
        if let Alter::SetType { to: own, .. } = alter {
            // What else there is to it may be its own.
            let same = |one: &Option<Column>| one.as_ref().is_some_and(|one| one.data_type == own.data_type);
            return now.is_some() && !same(&now) && same(&then);
        }
        if let (Alter::AddColumn(own), None, Some(then)) = (alter, &now, &then) {
            // A default and NOT NULL of its own follow.
            return then.data_type == own.data_type
                && then.collation == own.collation
                && then.generated == own.generated;
        }
        then == column(to, key) && (now != then || is_again && now.is_some())
    })
}

/// Whether a table that comes below another one, or is below it no more, shares a constraint with that: the one becomes the
/// other.
pub(super) fn is_shared(key: &Key, alter: &Alter, from: &Model, to: &Model) -> bool {
    let (constraint, below, apart) = match alter {
        Alter::DropConstraint(constraint) => (constraint, to, from),
        Alter::AddConstraint(constraint) => (constraint, from, to),
        _ => return false,
    };
    let is_below = |model: &Model| model.table(key).is_some_and(Table::is_below);
    let above = below.objects.get(key).into_iter().flat_map(|object| &object.uses);
    let mut others = above
        .filter_map(|above| below.table(above))
        .flat_map(|table| &table.constraints);
    is_below(below)
        && !is_below(apart)
        && others.any(|other| other.name == constraint.name && other.definition == constraint.definition)
}

/// Whether it is a trigger of the table above that is switched in a partition alone, which is one no more.
pub(super) fn leaves_trigger(key: &Key, from: &Model, to: &Model) -> bool {
    let is_partition = |model: &Model, table: &Key| {
        let table = model.table(table);
        table.is_some_and(|table| table.options.contains_key("partition_of"))
    };
    let object = from.objects.get(key).filter(|_| key.kind == Kind::Trigger);
    let on = object.and_then(|object| {
        object
            .on
            .as_ref()
            .filter(|_| object.meaning.starts_with("ALTER TABLE "))
    });
    on.is_some_and(|on| is_partition(from, on) && to.table(on).is_some() && !is_partition(to, on))
}
