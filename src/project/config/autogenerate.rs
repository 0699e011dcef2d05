//! `autogenerate:` in the configuration: what of a schema is compared, and how revisions are made of it.

use crate::error::Result;
use crate::project::glob;
use crate::schema::{self, Key, Kind, Model};
use crate::yaml::{Node, Value};

use super::read::Reader;
use super::{Command, Raw};

/// A way to write a change that is safer where the tables are large and busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A new NOT NULL column comes nullable, is filled, and is made NOT NULL then.
    NotNullInSteps,
    /// PostgreSQL: indexes of tables that are there are built CONCURRENTLY, in a revision without a transaction.
    IndexConcurrently,
    /// PostgreSQL: foreign keys and CHECKs of tables that are there come as NOT VALID and are validated then.
    ConstraintNotValid,
}

/// The rules, as they are written.
const RULES: [(&str, Rule); 3] = [
    ("not_null_in_steps", Rule::NotNullInSteps),
    ("index_concurrently", Rule::IndexConcurrently),
    ("constraint_not_valid", Rule::ConstraintNotValid),
];

/// The keys.
const KEYS: [&str; 9] = [
    "include",
    "exclude",
    "compare_types",
    "compare_defaults",
    "owners",
    "grants",
    "no_drop",
    "rules",
    "process_revision",
];

/// Those that may be empty.
const LISTS: [&str; 3] = ["include", "exclude", "rules"];

/// What of a schema is compared, and how revisions are made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Autogenerate {
    /// Only these objects, when there are any: `NAME`, `SCHEMA.NAME` or `KIND:NAME`, with `*` and `?`.
    pub include: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
    /// Whether types of columns are compared.
    pub compare_types: bool,
    /// Whether defaults of columns are compared.
    pub compare_defaults: bool,
    /// PostgreSQL: whether owners are compared, with the role that compares.
    pub owners: bool,
    /// PostgreSQL: whether privileges are compared.
    pub grants: bool,
    /// Whether dropping tables and columns is refused.
    pub no_drop: bool,
    /// The rules that hold.
    pub rules: Vec<Rule>,
    /// A command that is given the operations as JSON and gives them back; without words when there is none.
    pub process_revision: Command,
}

impl Default for Autogenerate {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
            compare_types: true,
            compare_defaults: true,
            owners: false,
            grants: false,
            no_drop: false,
            rules: Vec::new(),
            process_revision: Command::default(),
        }
    }
}

impl Autogenerate {
    /// Whether an object is compared. What stands on a table is when the table is, and what is in a schema when
    /// `schema:NAME` is said of that.
    pub fn wants(&self, object: &Key, on: Option<&Key>) -> bool {
        let within = Key::new(Kind::Schema, object.schema.clone());
        let fits = |patterns: &[String], key: &Key| {
            patterns.iter().any(|pattern| {
                let of_schema = || pattern.starts_with("schema:") && !object.schema.is_empty();
                fits(pattern, key) || of_schema() && fits(pattern, &within)
            })
        };
        let included =
            self.include.is_empty() || fits(&self.include, object) || on.is_some_and(|on| fits(&self.include, on));
        included && !fits(&self.exclude, object) && !on.is_some_and(|on| fits(&self.exclude, on))
    }

    /// Whether everything is compared.
    pub fn looks_at_all(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty() && self.compare_types && self.compare_defaults
    }

    /// Leaves what is compared.
    pub fn look_at(&self, model: &mut Model) {
        let whole = self.include.is_empty() && self.exclude.is_empty();
        if !whole {
            model.objects.retain(|key, object| self.wants(key, object.on.as_ref()));
        }
        if self.compare_types && self.compare_defaults {
            return;
        }
        let tables = model.objects.values_mut().filter_map(|object| object.table.as_mut());
        for column in tables.flat_map(|table| &mut table.columns) {
            if !self.compare_types {
                column.data_type.meaning.clear();
            }
            if !self.compare_defaults {
                column.default = None;
            }
        }
    }
}

/// Whether an object fits `NAME`, `SCHEMA.NAME` or `KIND:NAME`.
fn fits(pattern: &str, key: &Key) -> bool {
    let (kind, name) = match pattern.split_once(':') {
        Some((kind, name)) => (Some(kind), name),
        None => (None, pattern),
    };
    let name = name.to_lowercase();
    let fits = |text: &str| glob::fits(name.as_bytes(), text.to_lowercase().as_bytes());
    kind.is_none_or(|kind| kind == key.kind.name()) && (fits(&key.name) || fits(&key.shown()))
}

/// The same as it is written; what one database says takes the place of what is said at the top, key by key.
#[derive(Debug, Clone, Default)]
pub(super) struct Written(Vec<(&'static str, Vec<Raw>)>);

impl Written {
    pub(super) fn over(self, base: Self) -> Self {
        let mut all = self.0;
        let inherited = base.0.into_iter();
        let new: Vec<_> = inherited
            .filter(|(key, _)| all.iter().all(|(own, _)| own != key))
            .collect();
        all.extend(new);
        Self(all)
    }
}

impl Reader<'_> {
    pub(super) fn autogenerate(&self, node: &Node<'_>) -> Result<Written> {
        let mut written = Vec::new();
        for (key, node) in self.entries(node, "the keys of `autogenerate`")? {
            let Some(known) = KEYS.iter().find(|known| **known == key.text) else {
                return Err(self.unknown_key(key, &KEYS));
            };
            let none = matches!(&node.value, Value::List(items) if items.is_empty());
            let words = if none && LISTS.contains(known) {
                Some(Vec::new())
            } else {
                self.words(key, node, takes(known))?
            };
            written.extend(words.map(|words| (*known, words)));
        }
        Ok(Written(written))
    }

    /// The values, expanded and checked.
    pub(super) fn autogenerate_values(&self, written: &Written) -> Result<Autogenerate> {
        let mut values = Autogenerate::default();
        for (key, raws) in &written.0 {
            let words = raws.iter().map(|raw| self.expand(raw)).collect::<Result<Vec<_>>>()?;
            match *key {
                "include" | "exclude" => {
                    let is_wrong = |word: &String| {
                        let kind = word.split_once(':').map(|(kind, _)| kind);
                        kind.is_some_and(|kind| Kind::named(kind).is_none())
                    };
                    if let Some(at) = words.iter().position(is_wrong) {
                        return Err(self.wrong_at(key, raws[at].span.clone(), takes(key)).help(kinds()));
                    }
                    match *key {
                        "include" => values.include = words,
                        _ => values.exclude = words,
                    }
                }
                "process_revision" => values.process_revision = Command::new(raws, words),
                "rules" => {
                    for (word, raw) in words.iter().zip(raws) {
                        let rule = RULES.iter().find(|(name, _)| name == word);
                        let wrong = || self.wrong_at(key, raw.span.clone(), takes(key));
                        values.rules.push(rule.ok_or_else(wrong)?.1);
                    }
                }
                _ => {
                    let wrong = || self.wrong_at(key, raws[0].span.clone(), takes(key));
                    let on = match words.as_slice() {
                        [word] if word == "true" => true,
                        [word] if word == "false" => false,
                        _ => return Err(wrong()),
                    };
                    match *key {
                        "compare_types" => values.compare_types = on,
                        "compare_defaults" => values.compare_defaults = on,
                        "owners" => values.owners = on,
                        "grants" => values.grants = on,
                        _ => values.no_drop = on,
                    }
                }
            }
        }
        Ok(values)
    }
}

/// The kinds that a pattern may name.
fn kinds() -> String {
    let names: Vec<&str> = schema::kinds().map(Kind::name).collect();
    format!("the kinds are {}", names.join(", "))
}

fn takes(key: &str) -> &'static str {
    match key {
        "include" | "exclude" => "a pattern or a list of them: NAME, SCHEMA.NAME or KIND:NAME, with * and ?",
        "rules" => "some of not_null_in_steps, index_concurrently, constraint_not_valid",
        "process_revision" => "a program or a list of a program and its arguments",
        _ => "true or false",
    }
}
