//! The frame of an offline script.

use std::collections::BTreeSet;

use crate::dialect::{Ask, Held, Setting};
use crate::error::Result;

/// What a script is about, for its head.
#[derive(Debug)]
pub struct ScriptHead<'a> {
    /// Who wrote it: `sqlrev 0.1.0`.
    pub tool: &'a str,
    /// What it does: `upgrade base -> a1f0`.
    pub title: &'a str,
    /// The revisions, a line each: id, message, checksum.
    pub revisions: &'a [String],
    /// Whether some transaction in it needs the enforcement of foreign keys off.
    pub foreign_keys_off: bool,
    /// Whether statistics of the planner get other names.
    pub statistics: bool,
}

/// What stands around a statement that gives rows other numbers.
#[derive(Debug)]
pub struct Renumbered {
    /// Their table.
    pub table: String,
    /// Before the statement.
    pub before: String,
    /// Behind it.
    pub after: String,
}

/// The frame around the statements of an offline script.
pub trait ScriptSql: Sync + std::fmt::Debug {
    /// What comes first: how to run it, and what it sets up.
    fn head(&self, head: &ScriptHead<'_>) -> String;

    /// What comes last.
    fn foot(&self, _head: &ScriptHead<'_>) -> &'static str {
        ""
    }

    /// A statement of the author's as the script's runner must read it to send it on unchanged.
    fn statement<'s>(&self, sql: &'s str) -> std::borrow::Cow<'s, str> {
        std::borrow::Cow::Borrowed(sql)
    }

    /// Whether the statement would take away what the script keeps for its guards, and changes nothing else that lasts.
    fn takes_guards(&self, _statement: &str) -> bool {
        false
    }

    /// A guard before a statement that [`ScriptSql::statement`] writes in a way which not every session reads alike.
    fn guard_reading(&self, sql: &str) -> String {
        let _ = sql;
        String::new()
    }

    /// Keeps other runs on the version table of this name away until the script ends, or stops it.
    fn lock(&self, table: &str) -> String {
        let _ = table;
        String::new()
    }

    /// The comments before a statement, without what only the splitter of a client obeys.
    fn comments<'s>(&self, gap: &'s str) -> std::borrow::Cow<'s, str> {
        std::borrow::Cow::Borrowed(gap)
    }

    /// A statement with its terminator, where a semicolon would not do.
    fn terminated(&self, sql: &str) -> Option<String> {
        let _ = sql;
        None
    }

    /// Begins the transaction of a step.
    fn begin(&self, foreign_keys_off: bool) -> String;

    /// Ends it.
    fn commit(&self, foreign_keys_off: bool) -> String;

    /// Puts the session back to what it was at the beginning of the script.
    fn reset(&self) -> String {
        String::new()
    }

    /// A statement of ours whose rows nobody wants to see.
    fn silent(&self, sql: &str) -> String {
        format!("{sql};\n")
    }

    /// Stops the script, and keeps what came before in the transaction from being committed, when the query returns a
    /// row: the database is not where the script begins.
    fn guard_place(&self, query: &str) -> String;

    /// Likewise when a row of the version table, whose name stands so in statements, says that a revision stopped half-way:
    /// with words that say how to go on.
    fn guard_half_way(&self, table: &str) -> String {
        let _ = table;
        String::new()
    }

    /// Whether a script writes down between the statements of a revision without a transaction how far it has come.
    fn counts(&self) -> bool {
        false
    }

    /// Stops the script as [`ScriptSql::guard_place`] does when the query returns rows that stand in the way; they are shown with the message.
    fn guard_rows(&self, query: &str, message: &str) -> String;

    /// Remembers the rows that point at nothing, which the query gives as [`Dialect::orphans`](super::Dialect::orphans) has them.
    fn keep_orphans(&self, query: &str) -> String {
        let _ = query;
        String::new()
    }

    /// Stops the script when there are others than those that were remembered.
    fn guard_orphans(&self, query: &str) -> String {
        let _ = query;
        String::new()
    }

    /// Forgets those of them that the query does not give.
    fn forget_mended(&self, query: &str) -> String {
        let _ = query;
        String::new()
    }

    /// The rows that point at nothing already and may point elsewhere after a statement of the author's.
    ///
    /// # Errors
    /// As [`Ask::query`].
    fn held(&self, statement: &str, ask: &mut dyn Ask) -> Result<Vec<Held>> {
        let _ = (statement, ask);
        Ok(Vec::new())
    }

    /// What stands around a statement of the author's that gives rows of a table other numbers, where some point at nothing
    /// already.
    ///
    /// # Errors
    /// As [`Ask::query`].
    fn renumbered(&self, statement: &str, ask: &mut dyn Ask) -> Result<Option<Renumbered>> {
        let _ = (statement, ask);
        Ok(None)
    }

    /// What stands behind a statement that gives a table another name, by which its rows that point at nothing are told; rows of
    /// tables that are `replaced` are told apart otherwise.
    fn orphans_renamed(&self, statement: &str, replaced: &BTreeSet<String>) -> Option<String> {
        let _ = (statement, replaced);
        None
    }

    /// A query for rows of attached databases that point at nothing, where a statement of the author's may change rows there.
    ///
    /// # Errors
    /// As [`Ask::query`].
    fn orphans_elsewhere(&self, statement: &str, ask: &mut dyn Ask) -> Result<Option<&'static str>> {
        let _ = (statement, ask);
        Ok(None)
    }

    /// Remembers what they hold, or stops the script where that cannot be told; the number is one of this step.
    fn keep_held(&self, number: usize, held: &Held) -> String {
        let _ = (number, held);
        String::new()
    }

    /// Takes those that hold something else by now for new ones, and forgets the rest.
    fn forget_held(&self, number: usize, held: &Held) -> String {
        let _ = (number, held);
        String::new()
    }

    /// Throws the switch of foreign keys, outside of a transaction.
    fn foreign_keys(&self, on: bool) -> String {
        let _ = on;
        String::new()
    }

    /// Remembers what a table has that is called `of` now, before it is dropped and `table` is replaced: its rows, what
    /// hangs on it, where there may be one, the last number that it gave to a row, and how often the columns that refer to
    /// other tables are not NULL. `if_exists`: it may be gone already, and then it has no row.
    fn keep_replaced(&self, table: &str, of: &str, counter: bool, referring: &[String], if_exists: bool) -> String {
        let _ = (table, of, counter, referring, if_exists);
        String::new()
    }

    /// Says so when the table in the place of one that was remembered has not as many rows, or refers to others in
    /// fewer.
    fn say_rows(&self, table: &str, referring: &[String]) -> String {
        let _ = (table, referring);
        String::new()
    }

    /// Says what did not come back of all that was remembered, and forgets it.
    fn say_lost(&self, counters: bool) -> String {
        let _ = counters;
        String::new()
    }

    /// Remembers what [`CHANGES`](super::CHANGES) gives, or at the beginning of a step that nothing was changed yet.
    fn keep_count(&self, begins: bool) -> String {
        let _ = begins;
        String::new()
    }

    /// Gives it back what was remembered.
    fn give_count(&self) -> String {
        String::new()
    }

    /// Forgets that.
    fn forget_count(&self) -> String {
        String::new()
    }

    /// A query that returns a row when the table is not there: its name, and the name as it stands in statements.
    fn missing_table(&self, name: &str, place: &str) -> String;

    /// Whether a statement of the author's leads the session away from the schema that the URL named, back to what the
    /// session of another program begins with.
    fn leaves_schema(&self, statement: &str) -> bool {
        let _ = statement;
        false
    }

    /// Creates a table unless it is there, from the statement that creates it.
    fn create_if_missing(&self, create: &str) -> String {
        create.replacen("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1)
    }

    /// Throws a switch inside a transaction; none for one that the script's frame takes care of.
    fn switch(&self, setting: Setting, on: Option<bool>) -> Option<String> {
        let _ = (setting, on);
        None
    }

    /// What a statement of the author's switches of that which rewrites switch, so that it can be put back after them.
    fn switches(&self, statement: &str) -> Option<(Setting, bool)> {
        let _ = statement;
        None
    }

    /// The statement after which a setting that the author's statement may change is again what it is in a new session,
    /// where a later revision might mean something else by it.
    fn undone(&self, statement: &str) -> Option<String> {
        let _ = statement;
        None
    }

    /// A query that gives a row where something in the schema asks for the number of the row that was inserted last, so
    /// that a statement may which says nothing of it.
    fn asks_id_around(&self) -> Option<&'static str> {
        None
    }

    /// What stands before and after a change of the schema that inserts rows, so that the number of the row that was
    /// inserted last is the author's again.
    fn keeps_id(&self) -> [String; 2] {
        [String::new(), String::new()]
    }

    /// The effect that the enforcement of foreign keys would have on this statement, beyond refusing it, when there is
    /// one: what it would do to which table.
    fn foreign_key_effect(&self, statement: &str, ask: &mut dyn Ask) -> Result<Option<String>> {
        let _ = (statement, ask);
        Ok(None)
    }

    /// The table of which a statement may delete rows, or replace them by others with the same keys: those that follow a row
    /// go with it while foreign keys are on.
    fn deletes_rows(&self, statement: &str, ask: &mut dyn Ask) -> Result<Option<String>> {
        let _ = (statement, ask);
        Ok(None)
    }
}
