//! Schemas as models: what a database's catalogs say, in words that every dialect shares, and how two of them differ.
//!
//! Tables are taken apart into columns, constraints and options. Everything else is an object with a definition, which
//! is dropped and made anew when its meaning changed. Both sides of a comparison were built by the same engine, so that
//! two texts with one meaning have one spelling.

pub mod diff;
pub mod order;
pub(crate) mod part;

use std::collections::{BTreeMap, BTreeSet};

use crate::sorted::Gather as _;

/// A kind of object. The order is the one in which objects of a schema are made when nothing else orders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names of SQL")]
pub enum Kind {
    Schema,
    Extension,
    Collation,
    TextSearchDictionary,
    TextSearchConfiguration,
    Type,
    Domain,
    Sequence,
    Function,
    Procedure,
    Operator,
    Cast,
    Table,
    Index,
    Statistics,
    View,
    Rule,
    Trigger,
    Policy,
    EventTrigger,
    Event,
    Comment,
    Owner,
    Grant,
}

/// Every kind with its name.
const KINDS: [(Kind, &str); 24] = [
    (Kind::Schema, "schema"),
    (Kind::Extension, "extension"),
    (Kind::Collation, "collation"),
    (Kind::TextSearchDictionary, "text_search_dictionary"),
    (Kind::TextSearchConfiguration, "text_search_configuration"),
    (Kind::Type, "type"),
    (Kind::Domain, "domain"),
    (Kind::Sequence, "sequence"),
    (Kind::Function, "function"),
    (Kind::Procedure, "procedure"),
    (Kind::Operator, "operator"),
    (Kind::Cast, "cast"),
    (Kind::Table, "table"),
    (Kind::Index, "index"),
    (Kind::Statistics, "statistics"),
    (Kind::View, "view"),
    (Kind::Rule, "rule"),
    (Kind::Trigger, "trigger"),
    (Kind::Policy, "policy"),
    (Kind::EventTrigger, "event_trigger"),
    (Kind::Event, "event"),
    (Kind::Comment, "comment"),
    (Kind::Owner, "owner"),
    (Kind::Grant, "grant"),
];

/// All kinds, in the order in which they are made.
pub fn kinds() -> impl Iterator<Item = Kind> {
    KINDS.iter().map(|(kind, _)| *kind)
}

impl Kind {
    /// As people and programs read it: `table`, `event_trigger`.
    pub fn name(self) -> &'static str {
        KINDS
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("", |(_, name)| name)
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        KINDS.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

/// What tells an object from all others of its database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// The schema it is in; empty where there is but one.
    pub schema: String,
    /// Its name, capital letters undone where they do not count; for what is named only within something else, such as
    /// a trigger of PostgreSQL, both names, with a dot between.
    pub name: String,
}

impl Key {
    /// A key in the one schema that there is.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            kind,
            schema: String::new(),
            name: name.into(),
        }
    }

    /// The name with its schema, as people read it.
    pub fn shown(&self) -> String {
        if self.schema.is_empty() {
            self.name.clone()
        } else {
            format!("{}.{}", self.schema, self.name)
        }
    }
}

/// Words of SQL, and what they mean: two with one meaning are equal, whatever their layout.
#[derive(Debug, Clone, Default)]
pub struct Text {
    /// As they are written.
    pub written: String,
    /// As they are compared.
    pub meaning: String,
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.meaning == other.meaning
    }
}

impl Eq for Text {}

/// The expression of a generated column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The expression, without the parentheses around it.
    pub expression: Text,
    /// Whether its values are stored.
    pub stored: bool,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The name as names are compared.
    pub folded: String,
    /// Its type; empty where there is none.
    pub data_type: Text,
    /// Whether it refuses NULL.
    pub not_null: bool,
    /// What it holds when nothing is said.
    pub default: Option<Text>,
    /// Its collation, where it has one of its own.
    pub collation: Option<Text>,
    /// What it is computed from.
    pub generated: Option<Generated>,
    /// How it numbers rows: the words of GENERATED … AS IDENTITY.
    pub identity: Option<Text>,
    /// What else there is to it, which no ALTER changes.
    pub other: Text,
    /// All of it as it may stand behind ADD COLUMN; not compared.
    pub definition: Definition,
}

/// Words that two columns may differ in without being different.
#[derive(Debug, Clone, Default)]
pub struct Definition(pub String);

impl PartialEq for Definition {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Definition {}

/// What a constraint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names of SQL")]
pub enum ConstraintKind {
    PrimaryKey,
    Unique,
    Check,
    ForeignKey,
    Exclude,
}

/// A constraint of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// The name by which it can be called.
    pub name: String,
    /// The name as names are compared.
    pub folded: String,
    /// What it is.
    pub kind: ConstraintKind,
    /// It without its name, as it stands behind ADD CONSTRAINT.
    pub definition: Text,
    /// The columns that it is about, as names are compared.
    pub columns: BTreeSet<String>,
    /// The table that it refers to.
    pub parent: Option<Key>,
    /// The column in whose definition it is written, as names are compared.
    pub inside: Option<String>,
    /// Whether its name is written.
    pub named: Named,
}

/// Whether a name is written, and not one that follows what the table and its columns are called. Two constraints may
/// differ in it without being different.
#[derive(Debug, Clone, Copy)]
pub struct Named(pub bool);

impl PartialEq for Named {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Named {}

impl Constraint {
    /// Whether both say the same, whatever they are called.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.definition == other.definition
    }
}

/// A table that can be altered.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Its constraints, NOT NULL aside.
    pub constraints: Vec<Constraint>,
    /// What is said of it as a whole, by its name: `strict` → `on`.
    pub options: BTreeMap<&'static str, String>,
    /// The indexes that it has from the table above, and keeps when it is below that no more; not compared.
    pub inherited: Vec<Inherited>,
}

/// An index that a table has since there is one above.
#[derive(Debug, Clone)]
pub struct Inherited {
    /// Its name, which is that of its constraint as well.
    pub name: String,
    /// The index above, or the table whose constraint it is.
    pub of: Key,
    /// The name of the constraint above; empty where it is an index.
    pub constraint: String,
}

impl Table {
    /// Whether it has columns of a table above it: a partition, or one that inherits.
    pub fn is_below(&self) -> bool {
        self.options.contains_key("partition_of") || self.options.contains_key("inherits")
    }

    /// The column of a name, as names are compared.
    pub fn column(&self, folded: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.folded == folded)
    }
}

/// An object of a database.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// Its name as it is spelled, without quotes and without its schema.
    pub name: String,
    /// The table that it is on and goes with.
    pub on: Option<Key>,
    /// What is compared, for all but tables that can be altered.
    pub meaning: String,
    /// The statements that make it.
    pub create: Vec<String>,
    /// The statements that complete it when everything else that is new is there: foreign keys in a circle.
    pub late: Vec<String>,
    /// The statements that fill it from the rows of what it uses, where it is made beside some; no part of a dump.
    pub fill: Vec<String>,
    /// The statement that drops it.
    pub drop: String,
    /// What must be there before it.
    pub uses: BTreeSet<Key>,
    /// What must be there before the statements that complete it, and may need it itself: a function over the rows of the
    /// table whose CHECK calls it.
    pub late_uses: BTreeSet<Key>,
    /// Its parts, where it is a table that can be altered.
    pub table: Option<Table>,
    /// Whether rows are lost with it.
    pub holds_rows: bool,
    /// The columns of its table that an index is over, as names are compared, where it stands in their way.
    pub columns: BTreeSet<String>,
    /// Whether it may be led to another definition where it is, without being dropped: a function, a comment.
    pub redefinable: bool,
    /// The constraint of its table that an index is as good as, where the dialect makes one from the other.
    pub as_constraint: Option<Constraint>,
}

/// Adds a statement to a script, with its semicolon and the end of the line.
pub fn append(script: &mut String, statement: &str) {
    script.push_str(statement);
    // A directive is a comment and has no end of its own; a comment behind a statement would swallow the semicolon.
    let last_line = statement.rsplit('\n').next().unwrap_or_default();
    let is_comment = statement.starts_with("--") && !statement.contains('\n');
    // What clients would cut at the semicolons in it brings its own end.
    let is_ended = last_line.starts_with("DELIMITER ");
    script.push_str(match last_line.contains("--") {
        _ if is_comment || is_ended => "\n",
        true => "\n;\n",
        false => ";\n",
    });
}

/// Everything that a database holds, sqlrev's own tables aside.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// The objects.
    pub objects: BTreeMap<Key, Object>,
    /// Whether a scratch database made all of them.
    pub tried: bool,
}

impl Model {
    /// The table of a key, where it can be altered.
    pub fn table(&self, key: &Key) -> Option<&Table> {
        self.objects.get(key)?.table.as_ref()
    }

    /// The whole schema as statements, in an order that can be run.
    pub fn statements(&self) -> Vec<&str> {
        let keys = order::creation(self, &self.objects.keys().cloned().into_set());
        let objects: Vec<&Object> = keys.iter().filter_map(|key| self.objects.get(key)).collect();
        let first = objects.iter().flat_map(|object| &object.create);
        let late = objects.iter().flat_map(|object| &object.late);
        first.chain(late).map(String::as_str).collect()
    }

    /// The schema as a script. `ended` gives a statement with an end of its own, where a semicolon would not do.
    pub fn script(&self, ended: &dyn Fn(&str) -> Option<String>) -> String {
        let mut out = String::new();
        for statement in self.statements() {
            match ended(statement) {
                Some(ended) => append(&mut out, ended.trim_end()),
                None => append(&mut out, statement),
            }
            out.push('\n');
        }
        out.truncate(out.trim_end().len());
        if !out.is_empty() {
            out.push('\n');
        }
        out
    }

    /// These objects of it.
    #[must_use]
    pub fn part(&self, keys: &BTreeSet<Key>) -> Self {
        let objects = keys.iter().filter_map(|key| self.objects.get_key_value(key));
        Self {
            objects: objects.map(|(key, object)| (key.clone(), object.clone())).into_map(),
            tried: self.tried,
        }
    }

    /// Leaves only what is wanted.
    pub fn keep(&mut self, wanted: &dyn Fn(&Key) -> bool) {
        let gone: BTreeSet<Key> = self.objects.keys().filter(|key| !wanted(key)).cloned().into_set();
        self.objects
            .retain(|key, object| !gone.contains(key) && object.on.as_ref().is_none_or(|table| !gone.contains(table)));
    }

    /// An object, and where it is a table those below it, whose columns change along with its own.
    pub fn with_below(&self, key: &Key) -> BTreeSet<Key> {
        let mut found: BTreeSet<Key> = [key.clone()].into_iter().into_set();
        loop {
            let before = found.len();
            for (key, object) in &self.objects {
                let is_below = object.table.as_ref().is_some_and(Table::is_below);
                if is_below && object.uses.iter().any(|above| found.contains(above)) {
                    found.insert(key.clone());
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }

    /// Everything that uses one of these objects, or something that does, or stands on it.
    pub fn dependents(&self, of: &BTreeSet<Key>) -> BTreeSet<Key> {
        let mut found: BTreeSet<Key> = BTreeSet::new();
        loop {
            let before = found.len();
            for (key, object) in &self.objects {
                let uses = |other: &Key| of.contains(other) || found.contains(other);
                if !of.contains(key)
                    && key.kind != Kind::Table
                    && (object.uses.iter().any(uses) || object.on.as_ref().is_some_and(uses))
                {
                    found.insert(key.clone());
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }
}
