//! Random indexes, triggers and views.

use crate::dialect::sqlite::model::random::Random;
use crate::dialect::sqlite::model::scene::some_columns;
use crate::dialect::sqlite::model::schema::{Hanging, Id, Index, Phrase, Piece, Schema};

/// Indexes, triggers and views.
pub(super) fn hang(random: &mut Random, schema: &mut Schema, log: (Id, Id)) {
    for at in 0..schema.tables.len() {
        if schema.tables[at].id == log.0 {
            continue;
        }
        let Some(columns) = some_columns(random, &schema.tables[at], 2) else {
            continue;
        };
        for number in 0..random.below(3) {
            let index = index(random, &columns, format!("i_{number}_{at}"));
            schema.tables[at].indexes.push(index);
        }
        let table = schema.tables[at].id;
        let other = random.pick(&schema.tables).id;
        for number in 0..random.below(3) {
            schema.triggers.push(Hanging {
                name: format!("tr {number} {at}"),
                body: trigger(random, &columns, table, other, log),
            });
        }
        if random.chance(30) {
            let (one, from) = (Piece::Column(columns[0]), Piece::Table(table));
            let bodies = [
                vec![
                    Piece::Words("AS SELECT "),
                    one.clone(),
                    Piece::Words(" AS x, count(*) AS n FROM "),
                    from.clone(),
                    Piece::Words(" GROUP BY 1"),
                ],
                vec![
                    Piece::Words("(y) AS SELECT max(length("),
                    one,
                    Piece::Words(")) FROM "),
                    from,
                    Piece::Words(" -- kept"),
                ],
            ];
            schema.views.push(Hanging {
                name: format!("v{at}"),
                body: random.pick(&bodies).clone(),
            });
        }
    }
}

pub(super) fn index(random: &mut Random, columns: &[Id], name: String) -> Index {
    let (one, other) = (Piece::Column(columns[0]), Piece::Column(columns[1]));
    let kinds = [
        (
            false,
            vec![
                Piece::Words("("),
                other.clone(),
                Piece::Words(" DESC, "),
                one.clone(),
                Piece::Words(")"),
            ],
            Vec::new(),
        ),
        (
            false,
            vec![
                Piece::Words("(lower("),
                one.clone(),
                Piece::Words(")) WHERE "),
                other.clone(),
                Piece::Words(" IS NOT NULL /* kept */"),
            ],
            Vec::new(),
        ),
        (
            true,
            vec![
                Piece::Words("("),
                one.clone(),
                Piece::Words(", "),
                other,
                Piece::Words(")"),
            ],
            columns.to_vec(),
        ),
        (
            true,
            vec![Piece::Words("("), one, Piece::Words(" COLLATE RTRIM)")],
            Vec::new(),
        ),
    ];
    let (unique, body, columns) = random.pick(&kinds).clone();
    Index {
        name,
        unique,
        body,
        columns,
    }
}

fn trigger(random: &mut Random, columns: &[Id], table: Id, other: Id, (log, written): (Id, Id)) -> Phrase {
    let (one, two) = (Piece::Column(columns[0]), Piece::Column(columns[1]));
    let (on, log, written) = (Piece::Table(table), Piece::Table(log), Piece::Column(written));
    let bodies = [
        vec![
            Piece::Words("AFTER UPDATE OF "),
            one.clone(),
            Piece::Words(" ON "),
            on.clone(),
            Piece::Words(" BEGIN INSERT INTO "),
            log.clone(),
            Piece::Words(" ("),
            written.clone(),
            Piece::Words(") VALUES (new."),
            two.clone(),
            Piece::Words("); END"),
        ],
        vec![
            Piece::Words("AFTER DELETE ON "),
            on.clone(),
            Piece::Words(" BEGIN INSERT INTO "),
            log.clone(),
            Piece::Words(" ("),
            written.clone(),
            Piece::Words(") VALUES (old."),
            one.clone(),
            Piece::Words("); END"),
        ],
        vec![
            Piece::Words("BEFORE INSERT ON "),
            on.clone(),
            Piece::Words(" WHEN new."),
            one.clone(),
            Piece::Words(" IS '12' BEGIN SELECT RAISE(ABORT, 'no; not this'); END"),
        ],
        vec![
            Piece::Words("AFTER INSERT ON "),
            Piece::Table(other),
            Piece::Words(" BEGIN UPDATE "),
            on.clone(),
            Piece::Words(" SET "),
            one,
            Piece::Words(" = 7 WHERE "),
            two,
            Piece::Words(" IS 7; END"),
        ],
        vec![
            Piece::Words("AFTER DELETE ON "),
            Piece::Table(other),
            Piece::Words(" BEGIN INSERT INTO "),
            log,
            Piece::Words(" ("),
            written,
            Piece::Words(") SELECT count(*) FROM "),
            on,
            Piece::Words("; END"),
        ],
    ];
    random.pick(&bodies).clone()
}
