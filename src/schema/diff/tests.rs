use super::*;
use crate::schema::{ConstraintKind, Definition, Named, Object, Table, Text};

fn text(words: &str) -> Text {
    Text {
        written: words.to_owned(),
        meaning: words.to_owned(),
    }
}

/// A column written `name type`, with `!` behind it for NOT NULL.
fn column(words: &str) -> Column {
    let (words, not_null) = words.strip_suffix('!').map_or((words, false), |words| (words, true));
    let (name, data_type) = words.split_once(' ').expect("a name and a type");
    Column {
        name: name.to_owned(),
        folded: name.to_owned(),
        data_type: text(data_type),
        not_null,
        default: None,
        collation: None,
        generated: None,
        identity: None,
        other: Text::default(),
        definition: Definition(words.to_owned()),
    }
}

/// A UNIQUE or, with `->` in it, a foreign key: `name:column`, `name:column->table`.
fn constraint(words: &str) -> Constraint {
    let (name, rest) = words.split_once(':').expect("a name and a column");
    let (column, parent) = rest
        .split_once("->")
        .map_or((rest, None), |(column, parent)| (column, Some(parent)));
    Constraint {
        name: name.to_owned(),
        folded: name.to_owned(),
        kind: if parent.is_some() {
            ConstraintKind::ForeignKey
        } else {
            ConstraintKind::Unique
        },
        definition: text(rest),
        columns: BTreeSet::from([column.to_owned()]),
        parent: parent.map(|parent| Key::new(Kind::Table, parent)),
        inside: None,
        named: Named(true),
    }
}

/// Tables written `name: column, column; constraint, constraint`, and views written `name = used, used`.
fn model(lines: &[&str]) -> Model {
    let mut model = Model::default();
    for line in lines {
        let list = |words: &str| -> Vec<String> {
            words
                .split(',')
                .map(|word| word.trim().to_owned())
                .filter(|word| !word.is_empty())
                .collect()
        };
        if let Some((name, used)) = line.split_once(" = ") {
            let object = Object {
                name: name.to_owned(),
                meaning: (*line).to_owned(),
                uses: list(used)
                    .iter()
                    .map(|name| Key::new(Kind::Table, name.as_str()))
                    .collect(),
                ..Object::default()
            };
            model.objects.insert(Key::new(Kind::View, name), object);
            continue;
        }
        let (name, rest) = line.split_once(": ").expect("a table");
        let (columns, constraints) = rest.split_once(';').unwrap_or((rest, ""));
        let constraints: Vec<Constraint> = list(constraints).iter().map(|words| constraint(words)).collect();
        let object = Object {
            name: name.to_owned(),
            uses: constraints
                .iter()
                .filter_map(|constraint| constraint.parent.clone())
                .collect(),
            table: Some(Table {
                columns: list(columns).iter().map(|words| column(words)).collect(),
                constraints,
                ..Table::default()
            }),
            holds_rows: true,
            ..Object::default()
        };
        model.objects.insert(Key::new(Kind::Table, name), object);
    }
    model
}

fn shown(change: &Change) -> String {
    match change {
        Change::Alter(table, alter) => format!("{} {}.{}", alter.name(), table.name, alter.object()),
        other => format!("{} {}", other.name(), other.key().name),
    }
}

fn check(from: &[&str], to: &[&str], apart: bool, expect: &[&str]) {
    let manner = Manner {
        foreign_keys_apart: apart,
        privileges: false,
        ..Manner::default()
    };
    let (from, to) = (model(from), model(to));
    let found: Vec<String> = changes(&from, &to, manner, &Force::default())
        .iter()
        .map(shown)
        .collect();
    assert_eq!(found, expect);
    for model in [&from, &to] {
        assert_eq!(
            changes(model, model, manner, &Force::default()),
            [],
            "a schema differs from itself"
        );
    }
}

#[test]
fn parents_come_first_and_go_last() {
    let two = ["child: id int; k:id->parent", "parent: id int"];
    check(&[], &two, false, &["create_table parent", "create_table child"]);
    check(&two, &[], false, &["drop_table child", "drop_table parent"]);
}

#[test]
fn views_go_before_a_change_and_come_back_after_it() {
    let from = ["t: a int", "v = t"];
    let to = ["t: a int, b int", "v = t, t"];
    check(&from, &to, false, &["drop_view v", "add_column t.b", "create_view v"]);
}

#[test]
fn columns_and_constraints_change_in_an_order_that_runs() {
    let from = ["p: id int; u:id", "t: a int, b int; k:b->p, gone:a"];
    let to = ["p: id int", "t: a text!, c int; new:c, k2:a->p"];
    let together = [
        "drop_constraint p.u",
        "drop_constraint t.gone",
        "add_column t.c",
        "drop_column t.b",
        "set_type t.a",
        "set_not_null t.a",
        "add_constraint t.new",
        "add_constraint t.k2",
    ];
    check(&from, &to, false, &together);
    check(&from, &to, true, &together);
}

#[test]
fn foreign_keys_go_before_what_they_point_at() {
    let from = ["p: id int; u:id", "t: a int; k:a->p"];
    let to = ["p: id int", "t: a int"];
    check(&from, &to, false, &["drop_constraint p.u", "drop_constraint t.k"]);
    check(&from, &to, true, &["drop_constraint t.k", "drop_constraint p.u"]);
    check(&to, &from, true, &["add_constraint p.u", "add_constraint t.k"]);
}

#[test]
fn a_constraint_with_another_name_is_renamed() {
    check(
        &["t: a int; u:a"],
        &["t: a int; v:a"],
        false,
        &["rename_constraint t.v"],
    );
    check(
        &["t: a int, b int; u:a, v:b"],
        &["t: a int, b int; u:b, v:a"],
        false,
        &[
            "drop_constraint t.v",
            "drop_constraint t.u",
            "add_constraint t.u",
            "add_constraint t.v",
        ],
    );
}

#[test]
fn only_what_can_be_one_thing_looks_like_a_rename() {
    let names = |from: &[&str], to: &[&str]| -> Vec<String> {
        likely_renames(&model(from), &model(to), &[])
            .iter()
            .map(Rename::shown)
            .collect()
    };
    assert_eq!(names(&["t: a int"], &["t: b int"]), ["t.a=b"]);
    assert_eq!(names(&["t: a int"], &["t: b text"]), [""; 0]);
    assert_eq!(names(&["t: a int, x int"], &["t: x int, b int, c int"]), [""; 0]);
    assert_eq!(names(&["t: a int"], &["t: b int, c int"]), ["t.a=b"]);
    assert_eq!(names(&["t: a int, b int"], &["t: c int, d int"]), ["t.a=c", "t.b=d"]);
    assert_eq!(names(&["t: a int, b int"], &["t: c int, d text"]), ["t.a=c"]);
    assert_eq!(names(&["t: a int"], &["u: a int"]), ["t=u"]);
    assert_eq!(names(&["t: a int"], &["u: a int", "v: a int"]), [""; 0]);
    let (old, new) = (["t: a int, b int, c int"], ["u: a int, b int, d int"]);
    assert_eq!(names(&old, &new), ["t=u", "u.c=d"]);
    assert_eq!(names(&["t: a int, b int"], &["u: a int, c int"]), [""; 0]);
    let known = likely_renames(&model(&old), &model(&new), &[]);
    assert_eq!(likely_renames(&model(&old), &model(&new), &known[..1]), known[1..]);
    assert_eq!(likely_renames(&model(&old), &model(&new), &known), []);
}
