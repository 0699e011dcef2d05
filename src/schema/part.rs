//! The part of a schema that has to do with a few of its objects: what names them, and what all of these need.

use std::collections::{BTreeMap, BTreeSet};

use crate::schema::{ConstraintKind, Key, Kind, Model, Object, diff};
use crate::sorted::Gather as _;

/// The part of both schemas around these objects. `passes` says whether what uses a user of an object may have to do with
/// it too: of a view on a table, say, and not of a table that refers to it.
pub(crate) fn of(
    from: &Model,
    to: &Model,
    changed: &BTreeSet<Key>,
    passes: &dyn Fn(&Key, &Key) -> bool,
) -> BTreeSet<Key> {
    Around::new(from, to).part(changed, passes)
}

/// With fewer objects there is nothing to gain where a server makes them.
const FEW: usize = 8;

/// The objects of both schemas that matter where these change, on a server that knows what depends on what, or lets an
/// ALTER pass whatever else says; none where all may matter.
pub(crate) fn on_server(from: &Model, to: &Model, changed: &BTreeSet<Key>) -> Option<BTreeSet<Key>> {
    // An event trigger may run with any ALTER.
    let any = |model: &Model| model.objects.keys().any(|key| key.kind == Kind::EventTrigger);
    if from.objects.len() < FEW || any(from) || any(to) {
        return None;
    }
    // A table that refers to another has to do with it, and what stands on that table has not. One that inherits from it, or
    // has a column of its type, is altered along.
    let refers = |model: &Model, key: &Key, user: &Key| {
        model.table(user).is_some_and(|table| {
            let mut keys = table.constraints.iter();
            keys.any(|constraint| {
                constraint.kind == ConstraintKind::ForeignKey && constraint.parent.as_ref() == Some(key)
            })
        })
    };
    let passes =
        |key: &Key, user: &Key| user.kind != Kind::Table || !(refers(from, key, user) || refers(to, key, user));
    let around = Around::new(from, to);
    let mut part = around.part(changed, &passes);
    let referring = referring(from, to, changed);
    if !referring.is_empty() {
        part.extend(referring);
        part = around.below(part.iter().collect());
    }
    let small = part.len() * 2 <= from.objects.len();
    (small && !collides(from, to, changed, &part)).then_some(part)
}

/// The tables that refer to those above partitions that come, go or move: their foreign keys may have to go for that long.
fn referring(from: &Model, to: &Model, changed: &BTreeSet<Key>) -> BTreeSet<Key> {
    let models = [from, to];
    let moved = changed.iter().filter(|key| diff::moves(key, from, to));
    let mut to_these = BTreeSet::new();
    for key in moved {
        to_these.extend(models.into_iter().flat_map(|model| diff::parted_above(key, model)));
        to_these.insert(key.clone());
    }
    let objects = models.into_iter().flat_map(|model| &model.objects);
    let refers = |object: &Object| {
        let mut parents = object.table.iter().flat_map(|table| &table.constraints);
        parents.any(|constraint| {
            constraint
                .parent
                .as_ref()
                .is_some_and(|parent| to_these.contains(parent))
        })
    };
    let tables = objects.filter(|(_, object)| !to_these.is_empty() && refers(object));
    tables.map(|(key, _)| key.clone()).into_set()
}

/// What uses what, before and after.
struct Around<'m> {
    models: [&'m Model; 2],
    users: BTreeMap<&'m Key, Vec<&'m Key>>,
}

impl<'m> Around<'m> {
    fn new(from: &'m Model, to: &'m Model) -> Self {
        let mut users: BTreeMap<&Key, Vec<&Key>> = BTreeMap::new();
        for (key, object) in from.objects.iter().chain(&to.objects) {
            for used in needs(object) {
                users.entry(used).or_default().push(key);
            }
        }
        Self {
            models: [from, to],
            users,
        }
    }

    fn objects(&self, key: &'m Key) -> impl Iterator<Item = &'m Object> {
        self.models.into_iter().filter_map(move |model| model.objects.get(key))
    }

    fn users(&self, key: &Key) -> impl Iterator<Item = &'m Key> {
        self.users.get(key).into_iter().flatten().copied()
    }

    fn part(&self, changed: &'m BTreeSet<Key>, passes: &dyn Fn(&Key, &Key) -> bool) -> BTreeSet<Key> {
        let mut part: BTreeSet<&Key> = changed.iter().into_set();
        let tables = changed
            .iter()
            .flat_map(|key| self.objects(key))
            .filter_map(|object| object.on.as_ref());
        part.extend(tables.collect::<Vec<_>>());
        let [from, to] = self.models;
        let goes = |key: &Key| from.objects.contains_key(key) && !to.objects.contains_key(key);
        // What names it, and what names a view that does. Where a table goes, so may rows of its children, and theirs.
        let mut above: Vec<&Key> = part.iter().copied().collect();
        let mut gone: BTreeSet<&Key> = part.iter().copied().filter(|key| goes(key)).into_set();
        while let Some(key) = above.pop() {
            for user in self.users(key) {
                let follows = user.kind == Kind::Table && gone.contains(key) && gone.insert(user);
                let is_new = part.insert(user);
                if follows || is_new && passes(key, user) {
                    above.push(user);
                }
            }
        }
        self.below(part)
    }

    /// These, and what they need and what stands on that.
    fn below(&self, mut part: BTreeSet<&'m Key>) -> BTreeSet<Key> {
        let mut below: Vec<&Key> = part.iter().copied().collect();
        while let Some(key) = below.pop() {
            let hanging = self
                .users(key)
                .filter(|user| self.objects(user).any(|user| user.on.as_ref() == Some(key)));
            for other in self.objects(key).flat_map(needs).chain(hanging) {
                if part.insert(other) {
                    below.push(other);
                }
            }
        }
        part.into_iter().cloned().into_set()
    }
}

/// What an object names.
pub(crate) fn needs(object: &Object) -> impl Iterator<Item = &Key> {
    object.uses.iter().chain(&object.late_uses).chain(object.on.as_ref())
}

/// Whether something outside of the part has a name that something in it is given.
pub(crate) fn collides(from: &Model, to: &Model, changed: &BTreeSet<Key>, part: &BTreeSet<Key>) -> bool {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (key, object) in changed
        .iter()
        .filter_map(|key| to.objects.get_key_value(key))
        .chain(changed.iter().filter_map(|key| from.objects.get_key_value(key)))
    {
        names.insert(&key.name);
        // An index may come of one.
        let constraints = object.table.iter().flat_map(|table| &table.constraints);
        names.extend(constraints.map(|constraint| constraint.folded.as_str()));
    }
    let mut rest = from.objects.keys().filter(|key| !part.contains(key));
    rest.any(|key| names.contains(key.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Constraint, Named, Table, Text};

    fn key(name: &str) -> Key {
        Key::new(Kind::Table, name)
    }

    /// Tables, of which some refer to others, and a view on the first one.
    fn model(refers: &[(&str, &str)]) -> Model {
        let mut model = Model::default();
        for at in 0..20 {
            let own = key(&format!("t{at}"));
            let parents: Vec<Key> = refers
                .iter()
                .filter(|(child, _)| key(child) == own)
                .map(|(_, parent)| key(parent))
                .collect();
            let constraints = parents.iter().map(|parent| Constraint {
                name: "fk".to_owned(),
                folded: "fk".to_owned(),
                kind: ConstraintKind::ForeignKey,
                definition: Text::default(),
                columns: BTreeSet::new(),
                parent: Some(parent.clone()),
                inside: None,
                named: Named(true),
            });
            let object = Object {
                table: Some(Table {
                    constraints: constraints.collect(),
                    ..Table::default()
                }),
                uses: parents.iter().cloned().into_set(),
                ..Object::default()
            };
            model.objects.insert(own, object);
        }
        let view = Object {
            uses: [key("t0")].into_iter().into_set(),
            ..Object::default()
        };
        model.objects.insert(Key::new(Kind::View, "v"), view);
        model
    }

    #[test]
    fn what_refers_is_a_part_and_what_refers_to_that_is_not() {
        let model = model(&[("t1", "t0"), ("t2", "t1"), ("t0", "t3"), ("t4", "t3")]);
        let changed = [key("t0")].into_iter().into_set();
        let part = on_server(&model, &model, &changed).expect("a part");
        let names: Vec<&str> = part.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["t0", "t1", "t3", "v"]);
    }

    #[test]
    fn beside_an_event_trigger_all_matters() {
        let mut model = model(&[]);
        let changed = [key("t0")].into_iter().into_set();
        assert!(on_server(&model, &model, &changed).is_some());
        model
            .objects
            .insert(Key::new(Kind::EventTrigger, "e"), Object::default());
        assert!(on_server(&model, &model, &changed).is_none());
    }
}
