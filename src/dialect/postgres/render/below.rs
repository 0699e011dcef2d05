//! Tables below others: what they need not be told, since the table above was.

use crate::dialect::postgres::inspect::qualified;
use crate::dialect::postgres::render::words;
use crate::schema::diff::{self, Alter};
use crate::schema::{Column, Constraint, ConstraintKind, Key, Kind, Model, Table};

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
    if !from.table(key).is_some_and(Table::is_below) || diff::leaves_first(key, from, to) {
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
        if matches!(alter, Alter::DropColumn(_)) && stays_below(above, name, from, to) {
            return false;
        }
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

/// Whether a column that goes stays in a table right below, which is then the only one that has it.
pub(super) fn stays_below(table: &Key, column: &str, from: &Model, to: &Model) -> bool {
    let stays = to.table(table).is_some_and(|table| table.column(column).is_some());
    let has = |model: &Model, key: &Key| model.table(key).is_some_and(|table| table.column(column).is_some());
    let mut below = from.objects.iter().filter(|(key, object)| {
        let inherits = object
            .table
            .as_ref()
            .map(|table| table.options.contains_key("inherits"));
        inherits == Some(true) && object.uses.contains(table) && has(from, key)
    });
    !stays && below.any(|(key, _)| has(to, key))
}

/// The tables above, from the nearest to the furthest.
fn above(key: &Key, model: &Model) -> Vec<Key> {
    let mut found: Vec<Key> = Vec::new();
    let mut next = vec![key.clone()];
    while let Some(key) = next.pop() {
        let Some(object) = model.objects.get(&key) else {
            continue;
        };
        let options = object.table.iter().flat_map(|table| &table.options);
        let words = options.filter(|(name, _)| matches!(**name, "partition_of" | "inherits"));
        for (_, words) in words {
            let is_it = |other: &&Key| {
                let place = qualified(&other.schema, &other.name);
                words.starts_with(&format!("{place} ")) || words.split(", ").any(|name| name == place)
            };
            let tables = object.uses.iter().filter(|other| other.kind == Kind::Table);
            let new: Vec<Key> = tables
                .filter(is_it)
                .filter(|other| !found.contains(other))
                .cloned()
                .collect();
            found.extend(new.iter().cloned());
            next.extend(new);
        }
    }
    found
}

/// The CHECKs of the tables above that a table lacks which gets its place as a partition.
pub(super) fn checks_from_above(key: &Key, place: &str, from: &Model, to: &Model) -> Vec<String> {
    let of = |model: &Model, with_own: bool| -> Vec<Constraint> {
        let own = Some(key.clone()).filter(|_| with_own);
        let tables = own.into_iter().chain(above(key, model));
        let constraints = tables
            .filter_map(|key| model.table(&key))
            .flat_map(|table| table.constraints.clone());
        constraints.collect()
    };
    let (own, wanted) = (of(from, true), of(to, false));
    let checks = wanted
        .iter()
        .filter(|check| check.kind == ConstraintKind::Check && !check.definition.written.contains(" NO INHERIT"));
    let lacks = checks.filter(|check| !own.iter().any(|own| own.name == check.name && own.same(check)));
    lacks
        .map(|check| format!("ALTER TABLE {place} ADD {}", words(check)))
        .collect()
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
