//! What is said of a table as a whole, and of how the values of its columns are kept.

use std::collections::BTreeMap;

use crate::dialect::postgres::inspect::quoted;
use crate::dialect::postgres::render::{below, family};
use crate::schema::Table;
use crate::sorted::Gather as _;

/// Words about columns, by their names.
pub(super) fn by_column(words: Option<&str>) -> BTreeMap<&str, &str> {
    let words = words.into_iter().flat_map(str::lines);
    words.filter_map(|part| part.rsplit_once(' ')).into_map()
}

/// What the planner is told of columns: how many values are sampled, and how many there are.
pub(super) fn planned(place: &str, name: &str, old: Option<&str>, new: Option<&str>, table: &Table) -> Vec<String> {
    let (old, new) = (by_column(old), by_column(new));
    let mut out = Vec::new();
    for column in table.columns.iter().map(|column| quoted(&column.name)) {
        let (now, then) = (old.get(column.as_str()), new.get(column.as_str()));
        if now == then {
            continue;
        }
        let actions = if name == "statistics" {
            vec![format!("SET STATISTICS {}", then.unwrap_or(&"-1"))]
        } else {
            let [now, then] = [now, then].map(|words| words.map(|words| words.replace(',', ", ")));
            parameters(now.as_deref(), then.as_deref())
        };
        out.extend(
            actions
                .iter()
                .map(|action| format!("ALTER TABLE ONLY {place} ALTER COLUMN {column} {action}")),
        );
    }
    out
}

/// How the values of columns are kept. That of a type has no name before PostgreSQL 16.
pub(super) fn kept(
    place: &str,
    name: &str,
    old: Option<&str>,
    new: Option<&str>,
    table: &Table,
) -> Option<Vec<String>> {
    let (old, new) = (by_column(old), by_column(new));
    let word = name.to_uppercase();
    let set = |column: &str, kept: &str| format!("ALTER TABLE {place} ALTER COLUMN {column} SET {word} {kept}");
    let mut out = Vec::new();
    for column in old.keys().filter(|column| !new.contains_key(*column)) {
        let Some(there) = table.columns.iter().find(|there| quoted(&there.name) == *column) else {
            continue;
        };
        let usual = match family(&there.data_type.written).as_str() {
            _ if name == "compression" => "DEFAULT",
            "number" | "inet" => "MAIN",
            "text" | "json" | "bytea" | "xml" | "bits" => "EXTENDED",
            array if array.ends_with("[]") => "EXTENDED",
            _ => return None,
        };
        out.push(set(column, usual));
    }
    let changed = new.iter().filter(|(column, kept)| old.get(*column) != Some(kept));
    out.extend(changed.map(|(column, kept)| set(column, kept)));
    Some(out)
}

/// What is said of a table as a whole.
pub(super) fn option(place: &str, name: &str, old: Option<&str>, new: Option<&str>) -> Option<Vec<String>> {
    let table = |action: &str| format!("ALTER TABLE {place} {action}");
    Some(match name {
        "unlogged" => vec![table(if new.is_some() { "SET UNLOGGED" } else { "SET LOGGED" })],
        "row_level_security" => vec![table(if new.is_some() {
            "ENABLE ROW LEVEL SECURITY"
        } else {
            "DISABLE ROW LEVEL SECURITY"
        })],
        "forced_row_level_security" => vec![table(if new.is_some() {
            "FORCE ROW LEVEL SECURITY"
        } else {
            "NO FORCE ROW LEVEL SECURITY"
        })],
        "replica_identity" => vec![table(&format!("REPLICA IDENTITY {}", new.unwrap_or("DEFAULT")))],
        "clustered_on" => vec![match new {
            Some(key) => table(&format!("CLUSTER ON {key}")),
            None => table("SET WITHOUT CLUSTER"),
        }],
        "with" => storage_parameters(place, old, new),
        // One that gets another place leaves its own by itself.
        "partition_of" => match (old.and_then(below::parent), new.and_then(below::parent)) {
            (_, Some((above, bound))) => vec![format!("ALTER TABLE {above} ATTACH PARTITION {place} {bound}")],
            (Some((above, _)), None) => vec![format!("ALTER TABLE {above} DETACH PARTITION {place}")],
            (None, None) => Vec::new(),
        },
        "inherits" => {
            let parents = |words: Option<&str>| -> Vec<String> {
                words
                    .into_iter()
                    .flat_map(|words| words.split(", "))
                    .map(str::to_owned)
                    .collect()
            };
            let (old, new) = (parents(old), parents(new));
            let gone = old.iter().filter(|parent| !new.contains(parent));
            let come = new.iter().filter(|parent| !old.contains(parent));
            gone.map(|parent| table(&format!("NO INHERIT {parent}")))
                .chain(come.map(|parent| table(&format!("INHERIT {parent}"))))
                .collect()
        }
        "access_method" => vec![table(&format!("SET ACCESS METHOD {}", new.unwrap_or("heap")))],
        // How rows are spread over partitions is said when the table is made.
        _ => return None,
    })
}

fn storage_parameters(place: &str, old: Option<&str>, new: Option<&str>) -> Vec<String> {
    let actions = parameters(old, new).into_iter();
    actions.map(|action| format!("ALTER TABLE {place} {action}")).collect()
}

/// The actions that lead from storage parameters to others.
pub(in crate::dialect::postgres) fn parameters(old: Option<&str>, new: Option<&str>) -> Vec<String> {
    let parse = |words: Option<&str>| -> BTreeMap<String, String> {
        let parts = words.map(str::to_owned).unwrap_or_default();
        let parts = parts.split(", ").filter_map(|part| part.split_once('='));
        parts
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_map()
    };
    let (old, new) = (parse(old), parse(new));
    let mut out = Vec::new();
    let gone: Vec<&str> = old
        .keys()
        .filter(|name| !new.contains_key(*name))
        .map(String::as_str)
        .collect();
    if !gone.is_empty() {
        out.push(format!("RESET ({})", gone.join(", ")));
    }
    let set: Vec<String> = new
        .iter()
        .filter(|(name, value)| old.get(*name) != Some(value))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !set.is_empty() {
        out.push(format!("SET ({})", set.join(", ")));
    }
    out
}
