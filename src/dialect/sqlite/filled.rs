//! Which tables have rows while a plan is made: the plan runs on a schema without any, and its statements on rows are
//! passed over there. Where only the run can tell, a table is taken to have rows.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::sqlite::inspect::{TriggerHeader, words};
use crate::dialect::sqlite::rebuild;
use crate::dialect::sqlite::table::Table;
use crate::dialect::{AlterStatement, Ask, COPY, Mirror, Replaces, Rewrite};
use crate::error::Result;
use crate::sorted::Gather as _;
use crate::sql::parse::alter::{self, ActionKind};
use crate::sql::parse::define::ClauseKind;
use crate::sql::split::SQLITE;
use crate::sql::token::{keywords, significant, unquoted};

/// What SQLite says of things that an application may have given to its own connection.
const APPLICATIONS: [&str; 4] = [
    "no such function",
    "no such collation sequence",
    "no such module",
    "tokenizer",
];

/// The tables of `main` by their names in lower case, and whether each has rows; `None` when that is not known any more.
type Known = BTreeMap<String, Option<bool>>;

/// What is known at a point of the plan.
pub(super) struct Filled {
    /// Whether a table has rows.
    tables: Known,
    /// The statements on rows whose effect is not worked out yet.
    waiting: BTreeSet<Effect>,
    /// The connection has put a row into a table.
    inserted: bool,
    /// The tables and views there are, and which have no rowids, until a statement changes that.
    names: Option<BTreeMap<String, bool>>,
    /// A statement was passed over that may have made the schema another one: of an attached file.
    astray: bool,
    /// Which tables had rows where a ROLLBACK may lead back to: at each savepoint by its name, and at a BEGIN without one.
    marks: Vec<(Option<String>, Known)>,
}

/// What a statement on rows may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    /// It puts a row into this table, unless a trigger keeps it from that.
    Fills(String),
    /// It may change these tables and views.
    Changes(BTreeSet<(String, Kind)>),
}

/// What a statement does to rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Delete,
    Insert,
    Update,
}

impl Filled {
    /// From what the database said of its tables, and of what the connection has done before.
    pub(super) fn new(tables: BTreeMap<String, bool>, inserted: bool) -> Self {
        Self {
            tables: tables.into_iter().map(|(name, rows)| (name, Some(rows))).into_map(),
            waiting: BTreeSet::new(),
            inserted,
            names: None,
            astray: false,
            marks: Vec::new(),
        }
    }

    fn effect(&mut self, statement: &str, ask: &mut dyn Ask) -> Result<()> {
        if !self.inserted
            && let Some(table) = into(statement)
        {
            let without_rowid = self.names(ask)?.get(&table).copied().unwrap_or(false);
            self.inserted = !without_rowid;
        }
        if self.tables.is_empty() {
            return Ok(());
        }
        if let Some(table) = filled(statement) {
            self.waiting.insert(Effect::Fills(table));
            return Ok(());
        }
        let words = words(statement);
        let kinds = kinds(&words);
        let names = self.names(ask)?;
        let named = words.into_iter().filter(|word| names.contains_key(word));
        let changes = named.flat_map(|name| kinds.iter().map(move |kind| (name.clone(), *kind)));
        let changes = changes.into_set();
        self.waiting.insert(Effect::Changes(changes));
        Ok(())
    }

    /// The tables and views there are, and which of them have no rowids.
    fn names(&mut self, ask: &mut dyn Ask) -> Result<&BTreeMap<String, bool>> {
        if self.names.is_none() {
            let rows = ask.query(
                "SELECT lower(name), CASE WHEN instr(lower(sql), 'rowid') > 0 THEN sql END FROM \
                 (SELECT * FROM main.sqlite_schema UNION ALL SELECT * FROM sqlite_temp_schema) \
                 WHERE type IN ('table', 'view')",
            )?;
            let without_rowid = |sql: String| Table::read(&sql).is_some_and(|table| table.without_rowid());
            let named = rows.into_iter().filter_map(|row| {
                let mut row = row.into_iter();
                Some((row.next()??, row.next()?.is_some_and(without_rowid)))
            });
            self.names = Some(named.into_map());
        }
        Ok(self.names.get_or_insert_default())
    }

    /// Keeps what may be led back to, and goes back there.
    fn transaction(&mut self, statement: &str) {
        let words: Vec<String> = significant(statement, &SQLITE)
            .map(|token| unquoted(&statement[token.span]).to_ascii_lowercase())
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let at = |marks: &[(Option<String>, _)], name: &str| {
            marks.iter().rposition(|(mark, _)| mark.as_deref() == Some(name))
        };
        match words.as_slice() {
            ["begin", ..] => self.marks = vec![(None, self.tables.clone())],
            ["savepoint", name, ..] => self.marks.push((Some((*name).to_owned()), self.tables.clone())),
            ["release", .., name] => {
                let at = at(&self.marks, name);
                self.marks.truncate(at.unwrap_or(self.marks.len()));
            }
            ["rollback", rest @ .., name] if rest.contains(&"to") => {
                if let Some(at) = at(&self.marks, name) {
                    self.marks.truncate(at + 1);
                    self.tables.clone_from(&self.marks[at].1);
                }
            }
            ["rollback", ..] => {
                if let Some((_, tables)) = self.marks.drain(..).next() {
                    self.tables = tables;
                }
            }
            _ => self.marks.clear(),
        }
        self.names = None;
    }

    /// Works out what the statements have done that wait for it.
    fn settle(&mut self, ask: &mut dyn Ask) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let hanging = Hanging::read(ask)?;
        for effect in std::mem::take(&mut self.waiting) {
            let changes = match effect {
                Effect::Fills(table) if !hanging.touched_by_triggers(&table) => {
                    self.tables.insert(table, Some(true));
                    continue;
                }
                Effect::Fills(table) => [(table, Kind::Insert)].into_iter().into_set(),
                Effect::Changes(changes) => changes,
            };
            for (name, kind) in hanging.reach(changes) {
                if let Some(rows) = self.tables.get_mut(&name)
                    && (*rows == Some(true) && kind == Kind::Delete || *rows == Some(false) && kind == Kind::Insert)
                {
                    *rows = None;
                }
            }
        }
        Ok(())
    }
}

impl Mirror for Filled {
    fn before(&mut self, statement: &str, ask: &mut dyn Ask) -> Result<()> {
        let first = keywords(statement, &SQLITE, 1).pop().unwrap_or_default();
        match first.as_str() {
            "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "WITH" => return self.effect(statement, ask),
            "ATTACH" | "DETACH" => self.astray = true,
            "BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" => {
                self.settle(ask)?;
                self.transaction(statement);
                return Ok(());
            }
            "CREATE" | "DROP" => {}
            _ => return Ok(()),
        }
        self.settle(ask)?;
        self.names = None;
        match rebuild::replaces(statement) {
            Some(Replaces::Drops(table)) => drop(self.tables.insert(table, None)),
            Some(Replaces::Creates { table, .. }) => {
                let there = ask.query(&format!(
                    "SELECT 1 FROM main.sqlite_schema WHERE lower(name) = {}",
                    crate::sql::write::sqlite_literal(&table)
                ))?;
                if there.is_empty() {
                    // CREATE TABLE … AS SELECT
                    let from_rows = words(statement).contains("select");
                    self.tables.insert(table, (!from_rows).then_some(false));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn altered(&mut self, run: &[AlterStatement], rewrite: &Rewrite, ask: &mut dyn Ask) -> Result<()> {
        self.settle(ask)?;
        self.names = None;
        for statement in run {
            let Ok(alter) = alter::read(&statement.text) else {
                continue;
            };
            for action in &alter.actions {
                if let ActionKind::RenameTable(to) = &action.kind {
                    let from = alter.table.text.to_ascii_lowercase();
                    let rows = self.tables.insert(from, None).flatten();
                    self.tables.insert(to.text.to_ascii_lowercase(), rows);
                }
            }
        }
        let table = rewrite.table.to_ascii_lowercase();
        if rewrite.strategy == COPY && self.tables.get(&table) != Some(&Some(false)) {
            self.inserted |= !self.names(ask)?.get(&table).copied().unwrap_or(false);
        }
        Ok(())
    }

    fn recorded(&mut self) {
        // The log is a table with rowids.
        self.inserted = true;
    }

    fn has_inserted(&self) -> bool {
        self.inserted
    }

    fn has_rows(&mut self, schema: &str, table: &str, ask: &mut dyn Ask) -> Result<Option<bool>> {
        self.settle(ask)?;
        if schema != "main" {
            return Ok(None);
        }
        // What may have rows mostly has.
        let known = self.tables.get(&table.to_ascii_lowercase());
        Ok(known.map(|rows| rows.unwrap_or(true)))
    }

    fn refuses_too(&self, message: &str) -> bool {
        !self.astray && !APPLICATIONS.iter().any(|words| message.contains(words))
    }
}

/// What the words of a statement may do to rows.
fn kinds(words: &BTreeSet<String>) -> Vec<Kind> {
    let has = |word: &str| words.contains(word);
    let kinds = [
        (has("delete") || has("replace"), Kind::Delete),
        (has("insert") || has("replace"), Kind::Insert),
        (has("update"), Kind::Update),
    ];
    kinds
        .into_iter()
        .filter_map(|(may, kind)| may.then_some(kind))
        .collect()
}

/// The table that a statement inserts into.
fn into(statement: &str) -> Option<String> {
    let mut tokens = significant(statement, &SQLITE).map(|token| &statement[token.span]);
    let first = tokens.next()?;
    let inserts = ["INSERT", "REPLACE"]
        .iter()
        .any(|word| first.eq_ignore_ascii_case(word));
    if !inserts && !first.eq_ignore_ascii_case("WITH") {
        return None;
    }
    tokens.find(|token| token.eq_ignore_ascii_case("INTO"))?;
    tokens.next().map(|name| unquoted(name).to_ascii_lowercase())
}

/// The table of `INSERT INTO t … VALUES …`. That there is a row afterwards is certain: one that conflicts is there already.
fn filled(statement: &str) -> Option<String> {
    let mut tokens = significant(statement, &SQLITE).map(|token| &statement[token.span]);
    let mut is = |word: &str| tokens.next().is_some_and(|token| token.eq_ignore_ascii_case(word));
    if !(is("INSERT") && is("INTO")) {
        return None;
    }
    let table = unquoted(tokens.next()?).to_ascii_lowercase();
    let mut depth = 0;
    for token in tokens {
        match token {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ if depth > 0 => {}
            _ => return token.eq_ignore_ascii_case("VALUES").then_some(table),
        }
    }
    None
}

/// When a trigger fires, and its words.
struct Trigger {
    on: String,
    event: Kind,
    words: BTreeSet<String>,
}

impl Trigger {
    fn read(on: String, sql: &str) -> Self {
        let event = TriggerHeader::read(sql).map(|header| header.event);
        Self {
            on,
            event: match event.as_deref() {
                Some("DELETE") => Kind::Delete,
                Some("INSERT") => Kind::Insert,
                _ => Kind::Update,
            },
            words: words(sql),
        }
    }
}

/// What statements on rows of one table do to those of others.
struct Hanging {
    triggers: Vec<Trigger>,
    /// The tables that follow others when rows are deleted, and those others.
    followers: Vec<(String, BTreeSet<String>)>,
    /// The temporary tables, which hide others of their names.
    hiding: BTreeSet<String>,
}

impl Hanging {
    fn read(ask: &mut dyn Ask) -> Result<Self> {
        let pair = |row: Vec<Option<String>>| {
            let mut row = row.into_iter().map(Option::unwrap_or_default);
            (row.next().unwrap_or_default(), row.next().unwrap_or_default())
        };
        let triggers = ask.query(
            "SELECT lower(tbl_name), sql FROM main.sqlite_schema WHERE type = 'trigger' \
             UNION ALL SELECT lower(tbl_name), sql FROM sqlite_temp_schema WHERE type = 'trigger'",
        )?;
        let followers = ask.query(
            "SELECT lower(name), sql FROM main.sqlite_schema WHERE type = 'table' AND instr(lower(sql), 'cascade')",
        )?;
        let hiding = ask.query("SELECT lower(name) FROM sqlite_temp_schema WHERE type IN ('table', 'view')")?;
        let parents = |sql: &str| -> BTreeSet<String> {
            // Where it cannot be read, any of its words may be a table that it follows.
            let Some(table) = Table::read(sql) else {
                return words(sql);
            };
            let keys = table.constraints().filter_map(|(_, clause)| match &clause.kind {
                ClauseKind::References(key) => Some(key.table.text.to_ascii_lowercase()),
                _ => None,
            });
            keys.into_set()
        };
        Ok(Self {
            triggers: triggers
                .into_iter()
                .map(pair)
                .map(|(on, sql)| Trigger::read(on, &sql))
                .collect(),
            followers: followers
                .into_iter()
                .map(pair)
                .map(|(name, sql)| (name, parents(&sql)))
                .collect(),
            hiding: hiding.into_iter().flatten().flatten().into_set(),
        })
    }

    fn touched_by_triggers(&self, table: &str) -> bool {
        self.hiding.contains(table) || self.triggers.iter().any(|trigger| trigger.on == table)
    }

    /// All that may come of these changes.
    fn reach(&self, mut changes: BTreeSet<(String, Kind)>) -> BTreeSet<(String, Kind)> {
        loop {
            let before = changes.len();
            for trigger in &self.triggers {
                if changes.contains(&(trigger.on.clone(), trigger.event)) {
                    let kinds = kinds(&trigger.words);
                    let words = trigger.words.iter();
                    changes.extend(words.flat_map(|word| kinds.iter().map(move |kind| (word.clone(), *kind))));
                }
            }
            for (follower, parents) in &self.followers {
                let does = |kind: Kind| parents.iter().any(|parent| changes.contains(&(parent.clone(), kind)));
                let (go, move_on) = (does(Kind::Delete), does(Kind::Update));
                if go {
                    changes.insert((follower.clone(), Kind::Delete));
                }
                if go || move_on {
                    changes.insert((follower.clone(), Kind::Update));
                }
            }
            if changes.len() == before {
                return changes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_puts_a_row_into_a_table_for_certain() {
        let check = |sql: &str, expect: Option<&str>| assert_eq!(filled(sql).as_deref(), expect, "{sql}");
        check("INSERT INTO t VALUES (1)", Some("t"));
        check(
            "insert into \"T t\" (a, b) values (1, (SELECT 2)) ON CONFLICT DO NOTHING",
            Some("t t"),
        );
        check("INSERT INTO t SELECT * FROM u", None);
        check("INSERT INTO t DEFAULT VALUES", None);
        check("INSERT OR IGNORE INTO t VALUES (NULL)", None);
        check("INSERT INTO main.t VALUES (1)", None);
    }
}
