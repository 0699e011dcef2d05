//! Types and domains led to what they should be.

use std::collections::BTreeSet;

use crate::dialect::postgres::inspect::{qualified, quoted};
use crate::dialect::postgres::render::{base, cast, family, ranges, rounded, set_type, without_length};
use crate::schema::{Column, Constraint, ConstraintKind, Key, Kind, Model, Object, Table, diff};
use crate::sorted::Gather as _;

/// The parts of a meaning, behind the word that says what it is.
fn parts(meaning: &str) -> (&str, Vec<&str>) {
    let mut lines = meaning.split('\n');
    (
        lines.next().unwrap_or_default(),
        lines.filter(|line| !line.is_empty()).collect(),
    )
}

/// A type or domain altered where it is.
pub(super) fn altered(key: &Key, from: &Model, to: &Model) -> Option<Vec<String>> {
    let (old, new) = (from.objects.get(key)?, to.objects.get(key)?);
    let place = qualified(&key.schema, &key.name);
    let ((kind, now), (other, then)) = (parts(&old.meaning), parts(&new.meaning));
    match (kind, other) {
        ("enum", "enum") => enumeration(&place, &now, &then),
        ("domain", "domain") => domain(&place, &now, &then),
        ("composite", "composite") => {
            let made_of_it = made_of(key, from);
            let holds_rows = |object: &Object| object.table.is_some() && !object.uses.is_disjoint(&made_of_it);
            // A table or column that goes has gone before.
            let stays = |key: &Key| to.objects.get(key).is_some_and(holds_rows);
            let mut objects = from.objects.iter();
            let kept = !objects.any(|(key, object)| holds_rows(object) && stays(key));
            composite(&place, &now, &then, kept)
        }
        _ => None,
    }
}

/// The type, and the types and domains that are made of it.
fn made_of(key: &Key, model: &Model) -> BTreeSet<Key> {
    let mut found = [key.clone()].into_iter().into_set();
    loop {
        let before = found.len();
        let users = model.objects.iter().filter(|(other, object)| {
            matches!(other.kind, Kind::Type | Kind::Domain) && !object.uses.is_disjoint(&found)
        });
        let users: Vec<Key> = users.map(|(other, _)| other.clone()).collect();
        found.extend(users);
        if found.len() == before {
            return found;
        }
    }
}

/// Values that come, each beside one that is there. One that goes and one that comes are not taken for one with another
/// name: rows would change their meaning unasked.
fn enumeration(place: &str, now: &[&str], then: &[&str]) -> Option<Vec<String>> {
    let kept: Vec<&&str> = then.iter().filter(|value| now.contains(value)).collect();
    if kept.len() != now.len() || kept.iter().zip(now).any(|(one, other)| *one != other) {
        return None;
    }
    let mut out = Vec::new();
    for (at, value) in then.iter().enumerate().filter(|(_, value)| !now.contains(value)) {
        let beside = match at.checked_sub(1) {
            Some(before) => format!(" AFTER {}", then[before]),
            None => then
                .iter()
                .find(|value| now.contains(value))
                .map_or_else(String::new, |next| format!(" BEFORE {next}")),
        };
        // At the end a value comes by itself.
        let last = then[at..].iter().all(|value| !now.contains(value));
        let beside = if last { String::new() } else { beside };
        out.push(format!("ALTER TYPE {place} ADD VALUE {value}{beside}"));
    }
    Some(out)
}

fn domain(place: &str, now: &[&str], then: &[&str]) -> Option<Vec<String>> {
    let base = |lines: &[&str]| lines.first().map(|line| (*line).to_owned());
    if base(now) != base(then) {
        return None;
    }
    let mut out = Vec::new();
    let gone = now.iter().filter(|line| !then.contains(line));
    for line in gone {
        if let Some(constraint) = line.strip_prefix("CONSTRAINT ") {
            let name = constraint.split(" CHECK ").next()?;
            out.push(format!("ALTER DOMAIN {place} DROP CONSTRAINT {name}"));
        } else if *line == "NOT NULL" {
            out.push(format!("ALTER DOMAIN {place} DROP NOT NULL"));
        } else if !then.iter().any(|line| line.starts_with("DEFAULT ")) {
            out.push(format!("ALTER DOMAIN {place} DROP DEFAULT"));
        }
    }
    for line in then.iter().filter(|line| !now.contains(line)) {
        let action = if line.starts_with("CONSTRAINT ") { "ADD" } else { "SET" };
        out.push(format!("ALTER DOMAIN {place} {action} {line}"));
    }
    Some(out)
}

/// The name of an attribute, as it is quoted.
fn attribute(line: &str) -> String {
    if let Some(rest) = line.strip_prefix('"') {
        let end = rest.replace("\"\"", "__").find('"').unwrap_or(rest.len());
        return format!("\"{}\"", &rest[..end]);
    }
    line.split(' ').next().unwrap_or_default().to_owned()
}

/// What an attribute held in the rows of tables is not dropped: no comment on a table would say what is lost.
fn composite(place: &str, now: &[&str], then: &[&str], may_drop: bool) -> Option<Vec<String>> {
    let name = attribute;
    let named = |lines: &[&str], wanted: &str| lines.iter().any(|line| name(line) == wanted);
    let mut out = Vec::new();
    for line in now.iter().filter(|line| !named(then, &name(line))) {
        if !may_drop {
            return None;
        }
        out.push(format!("ALTER TYPE {place} DROP ATTRIBUTE {} CASCADE", name(line)));
    }
    for line in then.iter().filter(|line| !now.contains(line)) {
        let attribute = name(line);
        if named(now, &attribute) {
            let data_type = line[attribute.len()..].trim_start();
            out.push(format!(
                "ALTER TYPE {place} ALTER ATTRIBUTE {attribute} TYPE {data_type} CASCADE"
            ));
        } else {
            out.push(format!("ALTER TYPE {place} ADD ATTRIBUTE {line} CASCADE"));
        }
    }
    Some(out)
}

/// The type that says how finely the values of a column are told apart: that under a domain, or of which a range is.
pub(super) fn measured(column: &Column, model: &Model) -> String {
    let data_type = base(column.data_type.written.trim_end_matches("[]"), model);
    let range = model.objects.iter().find_map(|(key, object)| {
        let words = object.meaning.strip_prefix("range\nSUBTYPE = ")?;
        (key.kind == Kind::Type && qualified(&key.schema, &key.name) == data_type).then_some(words)
    });
    range.map_or(data_type, |words| {
        words.split(", ").next().unwrap_or_default().to_owned()
    })
}

/// A type made anew under its name, or one that becomes a domain or the other way round, and the columns of that type with
/// it. A value that is no more stops it.
pub(super) fn swapped(key: &Key, from: &Model, to: &Model) -> Option<Vec<String>> {
    let new = to.objects.get(key)?;
    let other = diff::other_kind(key).filter(|_| !from.objects.contains_key(key));
    let turns = other.is_some();
    let before = other.unwrap_or_else(|| key.clone());
    let old = from.objects.get(&before)?;
    let place = qualified(&key.schema, &key.name);
    let sort = parts(&old.meaning).0;
    if !turns && sort != parts(&new.meaning).0 || turns && !new.late.is_empty() {
        return None;
    }
    // An explicit cast would cut in silence.
    if turns && key.kind == Kind::Domain && base(&place, to).contains('(') {
        return None;
    }
    if sort == "range" {
        return if turns { None } else { ranges::anew(key, from, to) };
    }
    // What is another sort of type is led over by its text.
    let way = if turns { "enum" } else { sort };
    let word = |key: &Key| if key.kind == Kind::Domain { "DOMAIN" } else { "TYPE" };
    let mut aside = format!("old_{}", key.name);
    while from.objects.keys().any(|other| other.name == aside) {
        aside.insert(0, '_');
    }
    let mut out = vec![format!("ALTER {} {place} RENAME TO {}", word(&before), quoted(&aside))];
    out.extend(new.create.iter().cloned());
    let (apart, again) = keys_of(&before, from, to);
    let (mut first, mut types, mut last) = (apart, Vec::new(), Vec::new());
    for (table, object) in &from.objects {
        let Some(holds) = &object.table else { continue };
        let action = |column: &Column, words: &str| {
            let table = qualified(&table.schema, &table.name);
            format!("ALTER TABLE {table} ALTER COLUMN {} {words}", quoted(&column.name))
        };
        for column in &holds.columns {
            let then = to.table(table).and_then(|table| table.column(&column.folded));
            // What goes has gone before.
            let Some(then) = then.filter(|then| then.generated.is_some() == column.generated.is_some()) else {
                continue;
            };
            let data_type = &column.data_type.written;
            if *data_type != place && *data_type != format!("{place}[]") {
                continue;
            }
            // An inherited column gets its type along with its parent's, and has a default of its own.
            let inherited = is_inherited(holds, column, from);
            if column.default.is_some() {
                let list = if inherited { &mut first } else { &mut types };
                list.push(action(column, "DROP DEFAULT"));
            }
            if !inherited {
                types.extend(lossy(table, column, from, to));
                types.push(action(column, &retyped(way, key, column, (from, to))?));
            }
            // Another default comes by itself, and this one may be a value that is no more.
            if let Some(default) = &column.default
                && then.default == column.default
            {
                let list = if inherited { &mut last } else { &mut types };
                list.push(action(column, &format!("SET DEFAULT {}", default.written)));
            }
        }
    }
    out.extend([first, types, last, again].concat());
    out.push(format!("DROP {} {}", word(&before), qualified(&key.schema, &aside)));
    Some(out)
}

/// The comment that values are others in the type that is made anew.
pub(super) fn lossy(table: &Key, column: &Column, from: &Model, to: &Model) -> Option<String> {
    let verb = rounded::verb(&measured(column, from), &measured(column, to))?;
    let word = format!("-- This {verb} the values of column {} of {}.", column.name, table.name);
    Some(word.replace('\n', " "))
}

/// How the values of a column become those of the type that comes under the name of its own.
fn retyped(sort: &str, key: &Key, column: &Column, (from, to): (&Model, &Model)) -> Option<String> {
    let data_type = &column.data_type.written;
    let (name, is_array) = (quoted(&column.name), data_type.ends_with("[]"));
    let using = match sort {
        "enum" if is_array => format!("{name}::text[]::{data_type}"),
        "enum" => format!("{name}::text::{data_type}"),
        "domain" if is_array => {
            let element = data_type.trim_end_matches("[]");
            let (old, new) = (base(element, from), base(element, to));
            // The length is that of the domain, which refuses what is longer.
            let loose = without_length(&new);
            let way = cast(&family(&old), &family(&new), |_| false).unwrap_or_default();
            let way = way.replace("::text", "::text[]");
            (!cast::misleads(&old, &new)).then(|| format!("{name}{way}::{loose}[]"))?
        }
        _ if is_array => return None,
        // As it is for a column of that type.
        "domain" => {
            let (old, new) = (base(data_type, from), base(data_type, to));
            return (!cast::misleads(&old, &new)).then(|| set_type(column, column, from, to));
        }
        "composite" => row_of(
            &name,
            &from.objects.get(key)?.meaning,
            &to.objects.get(key)?.meaning,
            data_type,
            (from, to),
        )?,
        _ => return None,
    };
    Some(format!("TYPE {data_type} USING {using}"))
}

/// The values of a composite type as those of another one with the same attributes, or more. One that is cut or rounded has
/// no words, nor has one that goes.
fn row_of(column: &str, old: &str, new: &str, data_type: &str, (from, to): (&Model, &Model)) -> Option<String> {
    let [now, then] = [old, new].map(|meaning| parts(meaning).1);
    let divided = |line: &str| -> (String, String) {
        let name = attribute(line);
        let rest = line[name.len()..].trim_start().to_owned();
        (name, rest)
    };
    let then: Vec<(String, String)> = then.into_iter().map(divided).collect();
    let now: Vec<(String, String)> = now.into_iter().map(divided).collect();
    if now.iter().any(|(name, _)| !then.iter().any(|(other, _)| other == name)) {
        return None;
    }
    let mut fields = Vec::new();
    for (name, data_type) in &then {
        let Some((_, was)) = now.iter().find(|(other, _)| other == name) else {
            fields.push("NULL".to_owned());
            continue;
        };
        // Under a domain as well.
        let (old_base, new_base) = (base(was, from), base(data_type, to));
        let becomes_others = || rounded::verb(&old_base, &new_base).is_some() || cast::misleads(&old_base, &new_base);
        if old_base != new_base && (new_base.contains('(') || becomes_others()) {
            return None;
        }
        let way = cast(&family(was), &family(data_type), |_| false).filter(|_| was != data_type);
        let way = way.map(|way| format!("{way}::{data_type}")).unwrap_or_default();
        fields.push(format!("({column}).{name}{way}"));
    }
    Some(format!(
        "CASE WHEN {column} IS NOT DISTINCT FROM NULL THEN NULL ELSE ROW({})::{data_type} END",
        fields.join(", ")
    ))
}

/// Whether a column is that of a table above.
pub(super) fn is_inherited(table: &Table, column: &Column, model: &Model) -> bool {
    let Some(parents) = table.options.get("inherits") else {
        return table.options.contains_key("partition_of");
    };
    let parents: Vec<&str> = parents.split(", ").collect();
    let mut above = model
        .objects
        .iter()
        .filter(|(key, _)| key.kind == Kind::Table && parents.contains(&qualified(&key.schema, &key.name).as_str()));
    above.any(|(_, parent)| {
        let parent = parent.table.as_ref();
        parent.is_some_and(|parent| parent.column(&column.folded).is_some())
    })
}

/// The statements that take the foreign keys, CHECKs and conditions of EXCLUDE away which stay, over columns of a type or
/// of values of its, and those that bring them back: for a moment both ends, or a column and a value, would be of
/// different types. What goes or comes does so by itself, and so does a CHECK of a column whose type is made of this one.
pub(super) fn keys_of(key: &Key, from: &Model, to: &Model) -> (Vec<String>, Vec<String>) {
    let written = |key: &Key| {
        let place = qualified(&key.schema, &key.name);
        [format!("{place}[]"), place]
    };
    let types = written(key);
    let is_range = from
        .objects
        .get(key)
        .is_some_and(|object| object.meaning.starts_with("range\n"));
    let made_of_it = made_of(key, from);
    let others: Vec<String> = made_of_it
        .iter()
        .filter(|other| *other != key)
        .flat_map(written)
        .collect();
    let (mut apart, mut again) = (Vec::new(), Vec::new());
    for (key, object) in &from.objects {
        let Some(table) = &object.table else { continue };
        let stays = |constraint: &Constraint| {
            let then = to.table(key).map(|table| &table.constraints);
            then.is_some_and(|then| then.contains(constraint))
        };
        let is_of = |types: &[String], columns: &BTreeSet<String>| {
            let mut columns = columns.iter().filter_map(|column| table.column(column));
            columns.any(|column| types.contains(&column.data_type.written))
        };
        let keys = table.constraints.iter().filter(|constraint| {
            let names = |name: &String| constraint.definition.written.contains(&format!("::{name}"));
            let condition = constraint
                .definition
                .written
                .split_once(" WHERE (")
                .map(|(_, words)| words);
            let is_in_condition = |column: &Column| {
                types.contains(&column.data_type.written)
                    && condition.is_some_and(|words| words.contains(&quoted(&column.name)))
            };
            let concerned = match constraint.kind {
                ConstraintKind::ForeignKey => is_of(&types, &constraint.columns),
                ConstraintKind::Check if is_of(&others, &constraint.columns) => false,
                ConstraintKind::Check => is_of(&types, &constraint.columns) || types.iter().any(names),
                ConstraintKind::Exclude if is_range && is_of(&types, &constraint.columns) => true,
                ConstraintKind::Exclude => table.columns.iter().any(is_in_condition),
                _ => false,
            };
            concerned && stays(constraint)
        });
        for constraint in keys {
            let (table, name) = (qualified(&key.schema, &key.name), quoted(&constraint.name));
            apart.push(format!("ALTER TABLE {table} DROP CONSTRAINT {name}"));
            again.push(format!(
                "ALTER TABLE {table} ADD CONSTRAINT {name} {}",
                constraint.definition.written
            ));
        }
    }
    (apart, again)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(now: &[&str], then: &[&str]) -> Option<Vec<String>> {
        enumeration("t", now, then)
    }

    #[test]
    fn values_come_beside_those_that_are_there() {
        assert_eq!(
            values(&["'b'", "'d'"], &["'a'", "'b'", "'c'", "'d'", "'e'", "'f'"]),
            Some(vec![
                "ALTER TYPE t ADD VALUE 'a' BEFORE 'b'".to_owned(),
                "ALTER TYPE t ADD VALUE 'c' AFTER 'b'".to_owned(),
                "ALTER TYPE t ADD VALUE 'e'".to_owned(),
                "ALTER TYPE t ADD VALUE 'f'".to_owned(),
            ])
        );
        assert_eq!(values(&["'a'", "'b'"], &["'a'", "'c'"]), None);
        assert_eq!(values(&["'a'", "'b'"], &["'b'", "'a'"]), None);
        assert_eq!(values(&["'a'", "'b'"], &["'a'"]), None);
    }
}
