//! Sequences that stay while what they number, or their names, change.

use crate::dialect::postgres::inspect::{next_value, qualified, quoted};
use crate::dialect::postgres::render::numbering::{self, sequence_of};
use crate::dialect::postgres::render::options::by_column;
use crate::schema::diff::Change;
use crate::schema::{Column, Key, Kind, Model, Object};

/// The name in the words behind CREATE SEQUENCE.
pub(super) fn place_in(words: &str) -> &str {
    words.split(" AS ").next().unwrap_or_default()
}

fn object<'m>(model: &'m Model, words: &str) -> Option<&'m Object> {
    let place = place_in(words);
    let is_it = |key: &Key| key.kind == Kind::Sequence && qualified(&key.schema, &key.name) == place;
    let mut objects = model.objects.iter();
    objects.find(|(key, _)| is_it(key)).map(|(_, object)| object)
}

/// Whether the sequence of these words is no part of a table.
pub(super) fn alone(model: &Model, words: &str) -> bool {
    object(model, words).is_some()
}

/// What is said of a sequence but for its owner.
fn without_owner(meaning: &str) -> &str {
    meaning.split(" OWNED BY ").next().unwrap_or_default()
}

/// What leads a sequence that stands alone to these words; none where there is no such one.
pub(super) fn found(words: &str, from: &Model) -> Option<Vec<String>> {
    let place = place_in(words);
    let now = without_owner(&object(from, words)?.meaning);
    numbering::sequence(place, now, words[place.len()..].trim_start())
}

/// The words behind CREATE SEQUENCE of one that numbers the rows of a column, without its name.
fn part_of_table(model: &Model, key: &Key) -> Option<String> {
    let head = format!("{} AS ", qualified(&key.schema, &key.name));
    let tables = model.objects.values().filter_map(|object| object.table.as_ref());
    let words = tables
        .flat_map(|table| &table.columns)
        .filter_map(|column| column.identity.as_ref());
    words
        .filter_map(|words| words.written.strip_prefix(&head))
        .map(|rest| format!("AS {rest}"))
        .next()
}

/// A sequence that numbered rows and stays without its column's default, or the other way round: it is neither made nor
/// dropped.
pub(super) fn kept(change: &Change, from: &Model, to: &Model) -> Option<Vec<String>> {
    match change {
        Change::Create(key) if key.kind == Kind::Sequence => {
            let now = part_of_table(from, key)?;
            let place = qualified(&key.schema, &key.name);
            let mut out = vec![format!("ALTER SEQUENCE {place} OWNED BY NONE")];
            let then = without_owner(&to.objects.get(key)?.meaning);
            out.extend(numbering::sequence(&place, &now, then)?);
            Some(out)
        }
        Change::Drop(key) if key.kind == Kind::Sequence => part_of_table(to, key).map(|_| Vec::new()),
        _ => None,
    }
}

/// Sequences of columns that are stored otherwise than their table, or no more so. What is said no more is so before anything
/// else of the table changes.
pub(super) fn persistence(
    table: &Key,
    old: Option<&str>,
    new: Option<&str>,
    (from, to): (&Model, &Model),
) -> Vec<String> {
    let model = if new.is_some() { to } else { from };
    let (old, new) = (by_column(old), by_column(new));
    let is_unlogged = to
        .table(table)
        .is_some_and(|table| table.options.contains_key("unlogged"));
    let usual = if is_unlogged { "UNLOGGED" } else { "LOGGED" };
    let mut out = Vec::new();
    for column in model.table(table).iter().flat_map(|table| &table.columns) {
        let name = quoted(&column.name);
        let word = new.get(name.as_str()).copied().unwrap_or(usual);
        let changes = old.get(name.as_str()).copied().unwrap_or(usual) != word;
        let stays = to.table(table).and_then(|table| table.column(&column.folded));
        if let Some(words) = &column.identity
            && changes
            && stays.is_some_and(|column| column.identity.is_some())
        {
            let sequence = if words.written.starts_with("GENERATED ") {
                sequence_of(table, column, &words.written)
            } else {
                place_in(&words.written).to_owned()
            };
            out.push(format!("ALTER SEQUENCE {sequence} SET {word}"));
        }
    }
    out
}

/// A new column that is numbered by a sequence which stands alone so far, and goes on with its number.
pub(super) fn added_over(place: &str, column: &Column, from: &Model) -> Option<Vec<String>> {
    let words = column.identity.as_ref().map(|text| text.written.as_str())?;
    let mut out = found(words, from)?;
    let (name, data_type) = (quoted(&column.name), &column.data_type.written);
    let not_null = if column.not_null { " NOT NULL" } else { "" };
    let (next, sequence) = (next_value(words), place_in(words));
    out.push(format!(
        "ALTER TABLE {place} ADD COLUMN {name} {data_type} DEFAULT {next}{not_null}"
    ));
    out.push(format!("ALTER SEQUENCE {sequence} OWNED BY {place}.{name}"));
    Some(out)
}

/// A sequence under another name in the same schema. Where that is the name of one whose turn comes later, this one waits
/// under a third name; so did the sequence itself, where another one has its name by now.
pub(super) fn renamed(was: &str, is: &str, (from, to): (&Model, &Model)) -> Option<Vec<String>> {
    let schema = |place: &str| place.rsplit_once('.').map(|(schema, _)| schema.to_owned());
    if schema(was) != schema(is) {
        return None;
    }
    let moves = renames(from, to);
    let at = moves.iter().position(|(now, _)| now == was)?;
    let name = |place: &str| place.rsplit_once('.').map(|(_, name)| name.to_owned());
    let aside = |place: &str| Some(quoted(&format!("aside_{}", name(place)?.trim_matches('"'))));
    let mut out = Vec::new();
    if moves[at..].iter().any(|(now, _)| now == is) {
        out.push(format!("ALTER SEQUENCE {is} RENAME TO {}", aside(is)?));
    }
    let now = if moves[..at].iter().any(|(_, then)| then == was) {
        format!("{}.{}", schema(was)?, aside(was)?)
    } else {
        was.to_owned()
    };
    out.push(format!("ALTER SEQUENCE {now} RENAME TO {}", name(is)?));
    Some(out)
}

/// The schema of a sequence, and a name there that nothing has, under which it waits to be dropped.
pub(super) fn aside(place: &str, from: &Model, to: &Model) -> Option<(String, String)> {
    let mut is_quoted = false;
    let dots = place.char_indices().filter(|(_, letter)| {
        is_quoted ^= *letter == '"';
        *letter == '.' && !is_quoted
    });
    let schema = place[..dots.last()?.0].to_owned();
    let mut name = "numbers_until_now".to_owned();
    let is_there = |name: &str| {
        let keys = from.objects.keys().chain(to.objects.keys());
        keys.into_iter().any(|key| key.name == name)
    };
    while is_there(&name) {
        name.push('_');
    }
    Some((schema, name))
}

/// The sequences of columns that get other names, in the order in which tables are altered.
fn renames(from: &Model, to: &Model) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, object) in &from.objects {
        for now in object.table.iter().flat_map(|table| &table.columns) {
            let then = to.table(key).and_then(|table| table.column(&now.folded));
            let place = |column: &Column| {
                let words = &column.identity.as_ref()?.written;
                Some(if words.starts_with("GENERATED ") {
                    (true, sequence_of(key, column, words))
                } else {
                    (false, place_in(words).to_owned())
                })
            };
            if let (Some((kind, now)), Some((same, then))) = (place(now), then.and_then(place))
                && kind == same
                && now != then
            {
                found.push((now, then));
            }
        }
    }
    found
}
