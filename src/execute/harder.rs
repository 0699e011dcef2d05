//! Harder means, where a difference is not made by the change that it asks for first; and changes made in steps.

use std::collections::BTreeSet;

use crate::execute::joined;
use crate::execute::stuck::Stuck;
use crate::schema::diff::{self, Alter, Change, Force, Manner};
use crate::schema::{Column, Key, Kind, Model, Object, Table};
use crate::sorted::Gather as _;
use crate::sql::parse::define;

/// Takes the next harder means at the place where a way stopped; `false` when there is none left.
pub(super) fn harder(force: &mut Force, from: &Model, wanted: &Model, stuck: &Stuck) -> bool {
    let key = &stuck.key;
    let is_function = matches!(key.kind, Kind::Function | Kind::Procedure);
    if is_function && stuck.refused && !std::mem::replace(&mut force.functions_late, true) {
        return true;
    }
    if stuck.reads_bodies && !std::mem::replace(&mut force.bodies_unread, true) {
        return true;
    }
    // What calls it gives it up, where another one with more arguments is called in the same words.
    if is_function && stuck.refused && !wanted.objects.contains_key(key) && force.recreate.insert(key.clone()) {
        return true;
    }
    let redefinable = |model: &Model| model.objects.get(key).is_some_and(|object| object.redefinable);
    let is_redefined = redefinable(from) && redefinable(wanted);
    if is_redefined && anew(force, from, stuck) {
        return true;
    }
    if stuck.manner.constraints_first {
        // Nothing else stands in the way of an ALTER there.
        return stuck.refused
            && (changed_indexes(force, from, wanted, key)
                || joined::ask(force, stuck, (stuck.renamed.as_deref().unwrap_or(from), wanted))
                || !std::mem::replace(&mut force.foreign_keys_apart, true));
    }
    if is_redefined {
        let is_type = matches!(key.kind, Kind::Type | Kind::Domain);
        return stuck.refused && is_type && !std::mem::replace(&mut force.computed_apart, true);
    }
    // What is refused has its new name.
    let present = stuck.renamed.as_deref().unwrap_or(from);
    stuck.refused
        && (stuck.renaming && filled_again(force, present, key)
            || computed_first(force, present, wanted, key)
            || out_of_the_way(force, present, stuck)
            || !std::mem::replace(&mut force.functions_late, true)
            || !std::mem::replace(&mut force.foreign_keys_apart, true)
            || !std::mem::replace(&mut force.foreign_keys_free, true)
            || !std::mem::replace(&mut force.defaults_apart, true))
        // Where no name is said, a taken one is no error: the database chooses another.
        || key.kind == Kind::Table && !stuck.wordless && !std::mem::replace(&mut force.drops_first, true)
}

/// Lets the indexes of a table that will be others go before it is altered; `false` when that is so already.
fn changed_indexes(force: &mut Force, from: &Model, wanted: &Model, table: &Key) -> bool {
    let changes = |key: &Key| {
        let (now, then) = (from.objects.get(key), wanted.objects.get(key));
        now.zip(then)
            .is_some_and(|(now, then)| now.on.as_ref() == Some(table) && now.meaning != then.meaning)
    };
    let indexes = from
        .objects
        .keys()
        .filter(|key| key.kind == Kind::Index && changes(key));
    let before = force.recreate.len();
    force.recreate.extend(indexes.cloned());
    force.recreate.len() > before
}

/// Lets the columns of a table go that are computed from others which change, and come again; `false` when that is so
/// already, and where there are none.
fn computed_first(force: &mut Force, from: &Model, wanted: &Model, table: &Key) -> bool {
    let is_any = from.with_below(table).iter().any(|table| {
        let both = from.table(table).zip(wanted.table(table));
        both.is_some_and(|(now, then)| !diff::computed_from_changed(now, then, &|_| false).is_empty())
    });
    is_any && !std::mem::replace(&mut force.computed_apart, true)
}

/// Lets the tables go, and come again, that are filled from the rows of one which cannot be renamed beside them, and what
/// uses these; `false` when that is so already, and where there are none.
fn filled_again(force: &mut Force, from: &Model, table: &Key) -> bool {
    let is_one = |key: &Key| {
        let object = from.objects.get(key);
        let fills = object.is_some_and(|object| !object.fill.is_empty() && object.uses.contains(table));
        fills && key.kind == Kind::Table
    };
    let filled = from.objects.keys().filter(|key| is_one(key)).cloned().into_set();
    let before = force.recreate.len();
    force.recreate.extend(from.dependents(&filled));
    force.recreate.extend(filled);
    force.recreate.len() > before
}

/// Lets more of what uses an object be dropped and made again, and of the tables that were refused in the same words.
/// `false` when nothing is left.
fn out_of_the_way(force: &mut Force, from: &Model, stuck: &Stuck) -> bool {
    for (step, keys) in in_the_way(from, &stuck.key).into_iter().enumerate() {
        let before = force.recreate.len();
        force.recreate.extend(keys);
        if force.recreate.len() > before {
            let alike = stuck
                .alike
                .iter()
                .filter_map(|key| in_the_way(from, key).into_iter().nth(step));
            force.recreate.extend(alike.flatten());
            // What was dropped for it is not to stand there again before.
            force.functions_late = true;
            return true;
        }
    }
    false
}

/// What uses an object: views, then all but indexes. An index is no obstacle, and goes along with its table.
fn in_the_way(from: &Model, key: &Key) -> [BTreeSet<Key>; 2] {
    let around = from.dependents(&from.with_below(key));
    let views: BTreeSet<Key> = around.iter().filter(|key| key.kind == Kind::View).cloned().into_set();
    let on_views = from.dependents(&views);
    let views = views.union(&on_views).cloned().into_set();
    let all = around.into_iter().filter(|key| key.kind != Kind::Index).into_set();
    [views, all]
}

/// What could not be altered where it is, is made anew; a type of columns in its tables, without what stands on these.
fn anew(force: &mut Force, from: &Model, stuck: &Stuck) -> bool {
    let key = &stuck.key;
    if force.recreate.insert(key.clone()) {
        return true;
    }
    if !matches!(key.kind, Kind::Type | Kind::Domain) {
        return false;
    }
    if force.replace.insert(key.clone()) {
        return true;
    }
    let users = from.objects.iter().filter(|(_, object)| object.uses.contains(key));
    let tables = users.map(|(key, _)| key).filter(|key| key.kind == Kind::Table);
    let before = force.recreate.len();
    let around = from.dependents(&tables.cloned().into_set());
    force
        .recreate
        .extend(around.into_iter().filter(|key| key.kind != Kind::Index));
    stuck.refused && force.recreate.len() > before
}

/// Whether a table is not as it should be after its changes; one below another, or that was, may need a second look.
pub(super) fn is_astray(change: &Change, from: &Model, wanted: &Model) -> bool {
    let is_below = |model: &Model| model.table(change.key()).is_some_and(Table::is_below);
    match change {
        Change::Alter(_, alter) if diff::follows_column(alter) => false,
        Change::Alter(_, alter) if is_below(from) || is_below(wanted) => !diff::follows_above(alter),
        change => change.key().kind == Kind::Table,
    }
}

/// A NOT NULL column without a default that a change adds, and its table: rows that are there have no value for it.
fn unfilled(change: &Change) -> Option<(&Key, &Column)> {
    let Change::Alter(table, alter) = change else {
        return None;
    };
    let Alter::AddColumn(column) = &**alter else {
        return None;
    };
    let filled = column.default.is_some() || column.generated.is_some() || column.identity.is_some();
    (!filled && column.not_null).then_some((table, column))
}

/// How the types begin that have no value for nothing.
const SPATIAL: [&str; 5] = ["geom", "point", "line", "poly", "multi"];

/// What a change does to rows that are there and have no value for its column, said above its statements.
pub(super) fn say_unfilled(change: &Change, wanted: &Model, manner: Manner, statements: &mut Vec<String>) {
    let Some((table, column)) = unfilled(change) else {
        return;
    };
    // A domain may have a default of its own.
    let uses = wanted.objects.get(table).into_iter().flat_map(|object| &object.uses);
    let of_type = |key: &&Key| key.kind == Kind::Domain && column.data_type.written.contains(key.name.as_str());
    let mut domains = uses.filter(of_type).filter_map(|key| wanted.objects.get(key));
    let has_default = |domain: &Object| domain.create.iter().any(|words| words.contains(" DEFAULT "));
    // What is set for zeros says itself what comes of it.
    let is_said = statements.iter().any(|words| words.starts_with("-- This fills "));
    if statements.is_empty() || is_said || domains.any(has_default) {
        return;
    }
    let data_type = column.data_type.written.to_ascii_lowercase();
    let is_of = |types: &[&str]| types.iter().any(|name| data_type.starts_with(name));
    let word = if !manner.fills {
        format!(
            "-- This fails where rows are there: they have no value for column {}, which has no DEFAULT.",
            column.name
        )
    } else if is_of(&SPATIAL) {
        format!(
            "-- Rows that are there have no value for column {}: MySQL refuses this, MariaDB leaves it empty.",
            column.name
        )
    } else if is_of(&["date", "timestamp"]) {
        format!(
            "-- This fails where rows are there, unless zero dates are allowed: column {} has no DEFAULT.",
            column.name
        )
    } else {
        format!(
            "-- Rows that are there get what the server puts for nothing (0, '', the first value) in column {}.",
            column.name
        )
    };
    let sets = statements.iter().take_while(|statement| statement.starts_with("SET "));
    statements.insert(sets.count(), word.replace('\n', " "));
}

/// The parts of what adds a NOT NULL column without a default.
pub(super) fn in_steps(change: &Change) -> Option<(Change, String, Change)> {
    let (table, column) = unfilled(change)?;
    let mut nullable = column.clone();
    nullable.not_null = false;
    nullable.definition.0 = define::without_not_null(&column.definition.0)?;
    let word = format!(
        "-- Fill column {} here where rows are there; NULL is refused below.",
        column.name
    );
    let alter = |alter| Change::Alter(table.clone(), Box::new(alter));
    Some((
        alter(Alter::AddColumn(nullable)),
        word,
        alter(Alter::SetNotNull(column.clone())),
    ))
}

/// The statements of both steps around the word between them, where somebody may write one: whatever is set for the second
/// step stands before the first one, so that all that ran before stands above the word.
pub(super) fn around(first: Vec<String>, word: &str, last: Vec<String>) -> Vec<String> {
    let sets = |statement: &&String| statement.starts_with("SET ");
    let count = last.iter().take_while(sets).count();
    if count == 0 {
        return [first, vec![word.to_owned()], last].concat();
    }
    let (set, last) = last.split_at(count);
    let first = first.into_iter().filter(|statement| !sets(&statement));
    let mut out = set.to_vec();
    out.extend(first);
    out.push(word.to_owned());
    out.extend_from_slice(last);
    out
}
