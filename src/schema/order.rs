//! In which order objects can be made and dropped.

use std::collections::BTreeSet;

use crate::schema::{Key, Kind, Model};
use crate::sorted::Gather as _;

/// The keys in an order in which their objects can be made: what an object uses comes before it, then the order of
/// kinds and names. In a circle the first by name comes first.
pub fn creation(model: &Model, keys: &BTreeSet<Key>) -> Vec<Key> {
    let mut done = BTreeSet::new();
    let mut out = Vec::with_capacity(keys.len());
    for key in keys {
        visit(model, keys, key, &mut done, &mut out);
    }
    out
}

/// The keys in an order in which their objects can be dropped: the opposite.
pub fn removal(model: &Model, keys: &BTreeSet<Key>) -> Vec<Key> {
    let mut keys = creation(model, keys);
    keys.reverse();
    keys
}

/// Depth first, without recursion: chains of views may be long.
fn visit(model: &Model, keys: &BTreeSet<Key>, first: &Key, done: &mut BTreeSet<Key>, out: &mut Vec<Key>) {
    let mut stack = vec![(first, false)];
    while let Some((key, seen)) = stack.pop() {
        if seen {
            out.push(key.clone());
            continue;
        }
        if !done.insert(key.clone()) {
            continue;
        }
        stack.push((key, true));
        let Some(object) = model.objects.get(key) else {
            continue;
        };
        let needs = object.uses.iter().chain(object.on.as_ref());
        let needs: BTreeSet<&Key> = needs.filter(|other| keys.contains(other)).into_set();
        stack.extend(
            needs
                .into_iter()
                .rev()
                .filter(|other| !done.contains(*other))
                .map(|other| (other, false)),
        );
    }
}

/// What these need, and what that needs in its turn.
pub fn needs(model: &Model, keys: &BTreeSet<Key>) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    let mut stack: Vec<&Key> = keys.iter().collect();
    while let Some(key) = stack.pop() {
        let needs = model
            .objects
            .get(key)
            .into_iter()
            .flat_map(|object| object.uses.iter().chain(&object.late_uses));
        stack.extend(needs.filter(|need| found.insert((*need).clone())));
    }
    found
}

/// Of the keys in the order of creation, those that are no table and nothing that tables may need, these others, and what
/// needs one of those in its turn: a function that reads a view, and a table that calls it.
pub fn late<'k>(model: &Model, keys: impl Iterator<Item = &'k Key>, others: &BTreeSet<Key>) -> BTreeSet<Key> {
    let mut keys: Vec<&Key> = keys.collect();
    let mut late = BTreeSet::new();
    loop {
        let before = late.len();
        keys.retain(|key| {
            let object = model.objects.get(*key);
            let mut needs = object
                .into_iter()
                .flat_map(|object| object.uses.iter().chain(&object.late_uses));
            let is_late = key.kind > Kind::Table || others.contains(*key) || needs.any(|need| late.contains(need));
            if is_late {
                late.insert((*key).clone());
            }
            !is_late
        });
        if late.len() == before {
            return late;
        }
    }
}

/// Of the keys in the order of removal, what takes or gives rows of a table that goes as well, such as a function, and
/// what uses that in its turn.
pub fn of_rows(model: &Model, drop: &[Key]) -> BTreeSet<Key> {
    let tables: BTreeSet<&Key> = drop.iter().filter(|key| key.kind == Kind::Table).into_set();
    let uses = |key: &Key, those: &dyn Fn(&Key) -> bool| {
        let object = model.objects.get(key);
        object.is_some_and(|object| object.uses.iter().any(those))
    };
    let found: BTreeSet<Key> = drop
        .iter()
        .filter(|key| {
            matches!(key.kind, Kind::Type | Kind::Domain | Kind::Function) && uses(key, &|used| tables.contains(used))
        })
        .cloned()
        .into_set();
    users(model, drop, found)
}

/// These, and of the keys in the order of removal what uses one of them, or what does in its turn.
pub fn users(model: &Model, drop: &[Key], mut found: BTreeSet<Key>) -> BTreeSet<Key> {
    // What uses something stands before it in this order.
    for key in drop.iter().rev() {
        let object = model.objects.get(key);
        if object.is_some_and(|object| object.uses.iter().any(|used| found.contains(used))) {
            found.insert(key.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Object;

    fn model(edges: &[(&str, &[&str])]) -> Model {
        let mut model = Model::default();
        for (name, uses) in edges {
            let object = Object {
                uses: uses.iter().map(|name| Key::new(Kind::View, *name)).collect(),
                ..Object::default()
            };
            model.objects.insert(Key::new(Kind::View, *name), object);
        }
        model
    }

    fn check(edges: &[(&str, &[&str])], expect: &[&str]) {
        let model = model(edges);
        let order = creation(&model, &model.objects.keys().cloned().collect());
        let names: Vec<&str> = order.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, expect);
    }

    #[test]
    fn what_is_used_comes_first() {
        check(&[("a", &["c"]), ("b", &[]), ("c", &["b"])], &["b", "c", "a"]);
        check(&[("a", &["b"]), ("b", &["a"])], &["b", "a"]);
        check(&[("a", &["a"])], &["a"]);
    }
}
