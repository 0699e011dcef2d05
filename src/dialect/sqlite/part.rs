//! The part of a schema that matters where a few of its objects change.
//!
//! SQLite reads the whole schema again after an ALTER, and all views and triggers with it, so that what it takes to try ten
//! changes on scratch grows with what does not change. What changes, all that names it, and all that those need is tried
//! by itself instead. That the rest has no say in it is looked at first: SQLite refuses a DROP COLUMN beside a view or
//! trigger that does not compile, and writes texts in double quotes anew in the whole schema, so whatever may be one of
//! these is made in a small database, where it has to stand such an ALTER unchanged. Names must not collide either.

use std::collections::BTreeSet;

use crate::dialect::Scratch;
use crate::schema::{Key, Kind, Model, Object, order, part};
use crate::sorted::{self, Gather as _};
use crate::sql::split::SQLITE;
use crate::sql::token::{self, significant, unquoted};

/// With fewer objects there is nothing to gain.
const FEW: usize = 64;
/// How many objects are looked at in one database.
const TOGETHER: usize = 96;

/// The objects of both schemas that matter where these change; none where all may.
pub(super) fn part(
    from: &Model,
    to: &Model,
    changed: &BTreeSet<Key>,
    scratch: &mut dyn FnMut() -> Option<Box<dyn Scratch>>,
) -> Option<BTreeSet<Key>> {
    let unreadable = |model: &Model| {
        let mut objects = model.objects.iter();
        objects.any(|(key, object)| key.kind == Kind::Table && object.table.is_none())
    };
    if from.objects.len() < FEW || unreadable(from) || unreadable(to) {
        return None;
    }
    let part = part::of(from, to, changed, &|_, user| user.kind == Kind::View);
    if part.len() * 2 > from.objects.len() || part::collides(from, to, changed, &part) || ours(from, &part) {
        return None;
    }
    let suspects: Vec<&Key> = from
        .objects
        .iter()
        .filter(|(key, object)| !part.contains(key) && is_suspect(key, object, from, to))
        .map(|(key, _)| key)
        .collect();
    let sound = together(from, &suspects)?
        .iter()
        .all(|keys| stands(from, keys, scratch).is_some());
    sound.then_some(part)
}

/// Whether something outside of the part has a name such as batch plans use.
fn ours(from: &Model, part: &BTreeSet<Key>) -> bool {
    let mut rest = from.objects.keys().filter(|key| !part.contains(key));
    rest.any(|key| key.name.starts_with("sqlrev"))
}

/// Whether SQLite may refuse an ALTER of another table because of it, or write it anew.
fn is_suspect(key: &Key, object: &Object, from: &Model, to: &Model) -> bool {
    let runs = || {
        let then = to.objects.get(key).filter(|_| to.tried);
        from.tried || then.is_some_and(|then| then.create == object.create)
    };
    let table = match &object.on {
        Some(table) => from.table(table),
        None => object.table.as_ref(),
    };
    let is_column = |name: &str| table.is_some_and(|table| table.column(name).is_some());
    matches!(key.kind, Kind::View | Kind::Trigger)
        || !runs()
        || object.create.iter().any(|sql| says_text(sql, key.kind, &is_column))
}

/// Whether the definition of a table or index may say a text in double quotes: in an expression, by no name of a column.
fn says_text(sql: &str, kind: Kind, is_column: &dyn Fn(&str) -> bool) -> bool {
    if !sql.contains('"') {
        return false;
    }
    // How deep in parentheses, and how deep those of an expression are.
    let (mut depth, mut inside) = (0_usize, None);
    let mut before = "";
    for token in significant(sql, &SQLITE) {
        let text = &sql[token.span.clone()];
        let is_word = |words: &[&str]| words.iter().any(|word| before.eq_ignore_ascii_case(word));
        match text {
            "(" => {
                depth += 1;
                if inside.is_none() && (kind == Kind::Index || is_word(&["CHECK", "AS", "DEFAULT"])) {
                    inside = Some(depth);
                }
            }
            ")" => {
                if inside == Some(depth) && kind != Kind::Index {
                    inside = None;
                }
                depth = depth.saturating_sub(1);
            }
            _ if token.kind == token::Kind::Quoted && text.starts_with('"') => {
                let is_name = is_column(&unquoted(text).to_ascii_lowercase());
                if (inside.is_some() || is_word(&["DEFAULT"])) && !is_name {
                    return true;
                }
            }
            _ => {}
        }
        before = if token.kind == token::Kind::Word { text } else { "" };
    }
    false
}

/// The objects, each with all that it needs, in groups; none where that would be no less than all of them.
fn together(from: &Model, suspects: &[&Key]) -> Option<Vec<BTreeSet<Key>>> {
    let mut groups: Vec<BTreeSet<Key>> = Vec::new();
    let mut group: BTreeSet<&Key> = BTreeSet::new();
    let mut made = 0;
    let mut done: BTreeSet<&Key> = BTreeSet::new();
    // Those on one table stand together.
    let mut suspects = suspects.to_vec();
    sorted::sort_by_key(&mut suspects, |key| {
        from.objects
            .get(*key)
            .and_then(|object| part::needs(object).next())
            .map_or(&key.name, |key| &key.name)
    });
    for suspect in suspects {
        if !done.insert(suspect) {
            continue;
        }
        let mut open = vec![suspect];
        while let Some(key) = open.pop() {
            let Some(object) = from.objects.get(key).filter(|_| group.insert(key)) else {
                continue;
            };
            done.insert(key);
            // A table is made without its parents.
            let used = object.uses.iter().filter(|_| key.kind != Kind::Table);
            open.extend(used.chain(object.on.as_ref()));
        }
        if group.len() >= TOGETHER {
            made += group.len();
            groups.push(group.iter().map(|key| (*key).clone()).into_set());
            group.clear();
        }
    }
    groups.push(group.into_iter().cloned().into_set());
    (made < 3 * from.objects.len()).then_some(groups)
}

/// Whether the objects can be made, and stand an ALTER of another table as they are.
fn stands(from: &Model, keys: &BTreeSet<Key>, scratch: &mut dyn FnMut() -> Option<Box<dyn Scratch>>) -> Option<()> {
    const TEXTS: &str = "SELECT sql FROM sqlite_schema WHERE name <> 'sqlrev_part' ORDER BY rowid";
    if keys.is_empty() {
        return Some(());
    }
    let mut db = scratch()?;
    db.execute("BEGIN").ok()?;
    for key in order::creation(from, keys) {
        for statement in &from.objects.get(&key)?.create {
            db.execute(statement).ok()?;
        }
    }
    db.execute("CREATE TABLE sqlrev_part (a, b)").ok()?;
    let before = db.query(TEXTS).ok()?;
    db.execute("ALTER TABLE sqlrev_part DROP COLUMN b").ok()?;
    let after = db.query(TEXTS).ok()?;
    (before == after).then_some(())
}
