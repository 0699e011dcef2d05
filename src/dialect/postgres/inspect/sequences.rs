//! Sequences: those that stand alone, and those that number the rows of a table, which belong to its column.

use std::collections::BTreeMap;

use crate::dialect::postgres::inspect::{Reading, catalog, made, qualified};
use crate::error::Result;
use crate::schema::{Key, Kind, Object};

/// A sequence that belongs to a column.
pub(super) struct Sequence {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    /// Its type and what is said of it beside, where that does not hold anyway: `AS integer INCREMENT BY 2`.
    pub data_type: String,
    pub options: String,
    /// Whether it is the one of an identity.
    identity: bool,
    /// Whether a crash takes its number back to the first one: `UNLOGGED`; none where that is as it is for every sequence.
    pub persistence: Option<&'static str>,
}

/// The sequences that belong to columns, by table and column.
#[derive(Default)]
pub(super) struct Sequences(BTreeMap<(u32, i32), Vec<Sequence>>);

impl Sequences {
    /// Reads all of them; those that belong to no column become objects.
    pub(super) fn read(reading: &mut Reading<'_>) -> Result<Self> {
        let sql = format!(
            "SELECT c.oid, n.nspname, c.relname, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, \
             s.seqmax, s.seqcache, s.seqcycle, d.refobjid, d.refobjsubid, d.deptype, c.relpersistence \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid \
             LEFT JOIN pg_depend d ON d.classid = 1259 AND d.objid = c.oid AND d.objsubid = 0 AND d.refclassid = 1259 \
             AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') \
             WHERE c.relkind = 'S' AND {}",
            made(catalog::RELATION, "c.oid")
        );
        let mut owned = Self::default();
        // Before, the sequences of all tables are logged.
        let kept = reading.version >= 150_000;
        for mut row in reading.rows(&sql)? {
            let (oid, schema, name, data_type) = (row.oid(), row.text(), row.text(), row.text());
            let options = options(
                &data_type,
                [row.text(), row.text(), row.text(), row.text(), row.text()],
                row.flag(),
            );
            let (table, column, how) = (row.oid(), row.oid(), row.text());
            let unlogged = row.text() == "u";
            if table == 0 {
                alone(reading, oid, (schema, name), &data_type, &options, unlogged);
                continue;
            }
            let sequence = Sequence {
                oid,
                schema,
                name,
                data_type,
                options,
                identity: how == "i",
                persistence: kept.then_some(if unlogged { "UNLOGGED" } else { "LOGGED" }),
            };
            let column = i32::try_from(column).unwrap_or_default();
            owned.0.entry((table, column)).or_default().push(sequence);
        }
        Ok(owned)
    }

    /// The sequence of an identity.
    pub(super) fn of_identity(&self, table: u32, column: i32) -> Option<&Sequence> {
        self.0.get(&(table, column))?.iter().find(|sequence| sequence.identity)
    }

    /// The sequence that a column's default takes its values from, when it belongs to the column.
    pub(super) fn of_default(&self, table: u32, column: i32, default: &str) -> Option<&Sequence> {
        let sequences = self.0.get(&(table, column))?.iter();
        let mut own = sequences.filter(|sequence| !sequence.identity);
        own.find(|sequence| default == sequence.next_value())
    }

    /// Those that belong to a column of the table and number nothing, with their column's number.
    pub(super) fn of_table(&self, table: u32) -> impl Iterator<Item = (i32, &Sequence)> {
        let range = self.0.range((table, i32::MIN)..=(table, i32::MAX));
        range.flat_map(|((_, column), list)| list.iter().map(move |sequence| (*column, sequence)))
    }
}

impl Sequence {
    pub(super) fn is_identity(&self) -> bool {
        self.identity
    }

    pub(super) fn place(&self) -> String {
        qualified(&self.schema, &self.name)
    }

    /// The default that takes the next value.
    pub(super) fn next_value(&self) -> String {
        format!("nextval('{}'::regclass)", self.place().replace('\'', "''"))
    }

    /// Everything behind CREATE SEQUENCE.
    pub(super) fn definition(&self) -> String {
        definition(&self.place(), &self.data_type, &self.options)
    }
}

fn definition(place: &str, data_type: &str, options: &str) -> String {
    format!("{place} AS {data_type}{options}")
}

fn alone(
    reading: &mut Reading<'_>,
    oid: u32,
    (schema, name): (String, String),
    data_type: &str,
    options: &str,
    unlogged: bool,
) {
    let place = qualified(&schema, &name);
    let unlogged = if unlogged { "UNLOGGED " } else { "" };
    let object = Object {
        name: name.clone(),
        meaning: format!("{unlogged}AS {data_type}{options}"),
        create: vec![format!(
            "CREATE {unlogged}SEQUENCE {}",
            definition(&place, data_type, options)
        )],
        drop: format!("DROP SEQUENCE {place}"),
        redefinable: true,
        ..Object::default()
    };
    let key = Key {
        kind: Kind::Sequence,
        schema,
        name,
    };
    reading.add((catalog::RELATION, oid), format!("SEQUENCE {place}"), key, object);
}

/// What does not hold anyway.
fn options(data_type: &str, [start, increment, min, max, cache]: [String; 5], cycle: bool) -> String {
    let (low, high) = match data_type {
        "smallint" => (i64::from(i16::MIN), i64::from(i16::MAX)),
        "integer" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let (usual_min, usual_max) = if increment.starts_with('-') {
        (low, -1)
    } else {
        (1, high)
    };
    let usual_start = if increment.starts_with('-') { &max } else { &min };
    let mut out = String::new();
    let mut say = |words: &str, value: &str, usual: &str| {
        if value != usual {
            out.push_str(&format!(" {words} {value}"));
        }
    };
    say("INCREMENT BY", &increment, "1");
    say("MINVALUE", &min, &usual_min.to_string());
    say("MAXVALUE", &max, &usual_max.to_string());
    say("START WITH", &start, usual_start);
    say("CACHE", &cache, "1");
    if cycle {
        out.push_str(" CYCLE");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_hold_anyway_is_said() {
        let of = |data_type: &str, values: [&str; 5], cycle| options(data_type, values.map(str::to_owned), cycle);
        assert_eq!(of("integer", ["1", "1", "1", "2147483647", "1"], false), "");
        assert_eq!(
            of("bigint", ["5", "2", "1", "100", "10"], true),
            " INCREMENT BY 2 MAXVALUE 100 START WITH 5 CACHE 10 CYCLE"
        );
        assert_eq!(
            of("smallint", ["-1", "-1", "-32768", "-1", "1"], false),
            " INCREMENT BY -1"
        );
    }
}
