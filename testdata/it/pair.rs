//! Pairs of schemas: the generated revision leads from one to the other and back, a second one finds nothing, a dump
//! declares what there is, and rows stay in columns that did not change.

use std::collections::BTreeMap;

use crate::place::{Done, Place};
use crate::random::Random;

/// The rows of each table.
pub(crate) type Rows<V> = BTreeMap<String, Vec<V>>;

/// Two schemas on one kind of database.
pub(crate) trait Pair {
    /// A row, as it is compared.
    type Row: PartialEq;

    /// The statements of both.
    fn texts(&self) -> [String; 2];

    /// Puts rows into the tables of the first.
    fn fill(&self, place: &Place, random: &mut Random);

    /// The rows of the columns that both have with the same type and the same way to be computed.
    fn rows(&self, place: &Place) -> Rows<Self::Row>;

    /// Whether a step failed by values that a type, a constraint or NOT NULL refuses.
    fn is_refused(&self, done: &Done) -> bool;
}

/// A project between two schemas.
pub(crate) struct Game<P> {
    pub(crate) seed: u64,
    pub(crate) place: Place,
    pub(crate) pair: P,
}

impl<P: Pair> Game<P> {
    fn wrong(&self, what: &str, done: &Done) -> String {
        let folders = std::fs::read_dir(self.place.path("migrations"));
        let scripts: String = folders
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().contains("two0"))
            .map(|entry| {
                let read = |name: &str| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
                format!("{}\n--- down ---\n{}", read("upgrade.sql"), read("downgrade.sql"))
            })
            .collect();
        let (seed, stdout, stderr) = (self.seed, &done.stdout, &done.stderr);
        let [from, to] = self.pair.texts();
        format!(
            "seed {seed}: {what}\n{stdout}\n{stderr}\n--- from ---\n{from}\n--- to ---\n{to}\n--- by ---\n{scripts}"
        )
    }

    fn must(&self, args: &[&str]) -> Result<Done, String> {
        let done = self.place.run(args);
        if done.status == Some(0) {
            Ok(done)
        } else {
            Err(self.wrong(&format!("{args:?}"), &done))
        }
    }

    /// A step on the way, which the rows may be in the way of; whether it was made.
    fn step(&self, args: &[&str], kept: &Rows<P::Row>) -> Result<bool, String> {
        let done = self.place.run(args);
        if done.status == Some(1) && self.pair.is_refused(&done) {
            return Ok(false);
        }
        if done.status != Some(0) {
            return Err(self.wrong(&format!("{args:?}"), &done));
        }
        if self.pair.rows(&self.place) != *kept {
            return Err(self.wrong("rows are lost", &done));
        }
        Ok(true)
    }

    fn play(&self, random: &mut Random) -> Result<(), String> {
        let [before, after] = self.pair.texts();
        self.place.write("schema.sql", before);
        let first = self.must(&["revision", "-m", "one", "--autogenerate", "--rev-id", "one0"])?;
        self.must(&["upgrade"])?;
        self.pair.fill(&self.place, random);
        self.place.write("schema.sql", after);
        let made = self.must(&["revision", "-m", "two", "--autogenerate", "--rev-id", "two0"])?;
        if made.stdout.trim().is_empty() {
            return Ok(());
        }
        let again = self.must(&["revision", "-m", "three", "--autogenerate"])?;
        if !again.stdout.trim().is_empty() {
            return Err(self.wrong("a second one finds something", &again));
        }
        let kept = self.pair.rows(&self.place);
        if !self.step(&["upgrade"], &kept)? {
            return Ok(());
        }
        self.must(&["check", "--drift"])?;
        let dump = self.must(&["dump"])?;
        self.place.write("dump.sql", dump.stdout);
        self.must(&["diff", "database", "dump.sql", "--exit-code"])?;
        // Nothing is written for an empty schema.
        let (down, back) = if first.stdout.trim().is_empty() {
            ("base", "empty")
        } else {
            ("one0", "one0")
        };
        if !self.step(&["downgrade", down], &kept)? {
            return Ok(());
        }
        self.must(&["diff", "database", back, "--exit-code"]).map(drop)
    }
}

/// Plays the games of so many seeds; `SQLREV_FIRST_SEED` and `SQLREV_SEEDS` name others.
pub(crate) fn seeds<P: Pair>(from: u64, count: u64, game: impl Fn(u64, &mut Random) -> Game<P>) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let (from, count) = match number("SQLREV_SEEDS") {
        Some(count) => (number("SQLREV_FIRST_SEED").unwrap_or(0), count),
        None => (from, count),
    };
    let failures: Vec<String> = (from..from + count)
        .filter_map(|seed| {
            let mut random = Random(seed);
            game(seed, &mut random).play(&mut random).err()
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {count} fail\n{}",
        failures.len(),
        failures[..failures.len().min(4)].join("\n=====\n")
    );
}

/// A column of a random table.
#[derive(Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) data_type: &'static str,
    pub(crate) clauses: Vec<String>,
}

/// The tables of another schema that has much in common with this one.
pub(crate) fn changed<T>(
    random: &mut Random,
    names: &[String],
    tables: &[T],
    name_of: impl Fn(&T) -> &str,
    mut new: impl FnMut(&mut Random, &str) -> T,
    mut altered: impl FnMut(&mut Random, &T) -> T,
) -> Vec<T> {
    let mut out = Vec::new();
    for name in names {
        match tables.iter().find(|table| name_of(table) == name) {
            Some(_) if random.chance(10) => {}
            None if random.chance(40) => {}
            Some(there) => out.push(altered(random, there)),
            None => out.push(new(random, name)),
        }
    }
    out
}

/// Other columns than these: some are made anew, one goes, one comes.
pub(crate) fn change_columns(
    random: &mut Random,
    columns: &mut Vec<Column>,
    mut new: impl FnMut(&mut Random, &str) -> Column,
) {
    for column in columns.iter_mut() {
        if random.chance(25) {
            *column = new(random, &column.name);
        }
    }
    if !columns.is_empty() && random.chance(20) {
        let at = random.below(columns.len());
        columns.remove(at);
    }
    if random.chance(30) {
        columns.push(new(random, "g"));
    }
}

/// Takes references to tables away that are none of these.
pub(crate) fn keep_references<'c>(columns: impl Iterator<Item = &'c mut Column>, to: &[String]) {
    for column in columns {
        column.clauses.retain(|clause| {
            let parent = clause.strip_prefix("REFERENCES ");
            let parent = parent.and_then(|rest| rest.split(' ').next());
            parent.is_none_or(|parent| to.iter().any(|name| name == parent))
        });
    }
}
