//! What differs from database to database in SQL: text in, text out.
//!
//! A dialect knows SQL and never sees a connection. Where it must ask the database, it asks through [`Ask`].

mod answer;
mod ask;
mod counts;
mod handwork;
mod mirror;
pub mod mysql;
mod named;
pub mod postgres;
mod references;
mod rewrite;
mod row;
mod schemas;
mod script;
pub mod sqlite;

pub use answer::{
    Broken, CHANGES, CopiedBy, Followed, Held, Lack, Leftovers, Look, Replaces, Replay, RowChange, Size, SizeSql,
    TOTAL_CHANGES, Told, VersionSql,
};
pub use ask::{Ask, ColumnRead, Rows, Scratch, ScratchError};
pub use counts::Counts;
pub use handwork::Handwork;
pub use mirror::{Mirror, Mirrors};
pub use named::named;
pub use references::{Along, Leads, References};
pub use rewrite::{AlterStatement, COPY, Op, Rewrite, Setting};
pub use schemas::Schemas;
pub use script::{Renumbered, ScriptHead, ScriptSql};

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::Result;
use crate::schema::diff::{Change, Manner};
use crate::schema::{Constraint, Key, Model, part};
use crate::sql::split::SplitRules;
use crate::sql::temporary;

/// The SQL of one kind of database.
pub trait Dialect: Counts + Sync + std::fmt::Debug {
    /// `sqlite`, `postgresql`, `mysql` or `mariadb`.
    fn name(&self) -> &'static str;

    /// The names that `upgrade.NAME.sql` may carry for this dialect, the best first.
    fn variants(&self) -> &'static [&'static str];

    /// How files are cut into statements.
    fn rules(&self) -> &'static SplitRules;

    /// A name in quotes.
    fn ident(&self, name: &str) -> String;

    /// The name of a table of sqlrev's own, as it stands in statements.
    fn table(&self, name: &str) -> String {
        self.ident(name)
    }

    /// What it says of the schemas that a URL names; none where it names none.
    fn schemas(&self) -> Option<&'static dyn Schemas> {
        None
    }

    /// The schema of what is named without one, unless the session says another.
    fn usual_schema(&self) -> &'static str {
        ""
    }

    /// The one spelling of a table or a column that this name in SQL means; none where capital letters do not count.
    fn spelled(&self, name: &str, is_quoted: bool) -> Option<String> {
        let _ = (name, is_quoted);
        None
    }

    /// Adds a text as a literal.
    fn append_literal(&self, out: &mut String, text: &str);

    /// A text as a literal.
    fn literal(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 2);
        self.append_literal(&mut out, text);
        out
    }

    /// The version table.
    fn version_sql(&self) -> &'static VersionSql;

    /// Begins the transaction of a step, and keeps others from writing until it ends.
    fn begin(&self) -> &'static str;

    /// A statement after which [`VersionSql::elapsed`] counts, where that is not the beginning of the transaction.
    fn stopwatch(&self) -> Option<&'static str> {
        None
    }

    /// Whether what changes the schema commits by itself, so that a revision with such a statement has no transaction.
    fn ddl_commits(&self) -> bool {
        false
    }

    /// Whether the statement, when it fails outside of transactions, may have done a part of its work nevertheless.
    fn may_stop_half_way(&self, statement: &str) -> bool {
        let _ = statement;
        false
    }

    /// A query for the number of the session's transaction, where they are numbered: tells of some within a program.
    fn transaction_number(&self) -> Option<&'static str> {
        None
    }

    /// Whether an error tells that the statement was refused before it did anything.
    fn failed_before_it_began(&self, statement: &str, told: Told<'_>) -> bool {
        let _ = (statement, told);
        false
    }

    /// The statement that shows whether this one has run.
    fn look_at(&self, statement: &str) -> Option<Look> {
        let _ = statement;
        None
    }

    /// Whether the statement does nothing but open or close a transaction of the author's, so that it may be run again when
    /// that transaction was rolled back, or when it was committed.
    fn controls_transaction(&self, statement: &str) -> bool {
        let _ = statement;
        false
    }

    /// Whether the statement opens a transaction, or closes the one that is open; none where it does neither, or where
    /// nobody can tell.
    fn begins_or_ends_transaction(&self, statement: &str) -> Option<bool> {
        let _ = statement;
        None
    }

    /// Whether the statement runs others, which may open transactions and close them: a procedure, a block.
    fn runs_program(&self, statement: &str) -> bool {
        let _ = statement;
        false
    }

    /// A query whose answer changes when another connection has written to the database.
    fn change_mark(&self) -> Option<&'static str> {
        None
    }

    /// A query that returns a row when the database holds anything at all.
    fn any_object(&self) -> Option<&'static str> {
        None
    }

    /// What to run on scratch instead of a statement that these words refuse, where it needs something that only an
    /// application has and nothing else does; none where there is nothing.
    fn without(&self, statement: &str, words: &str) -> Vec<String> {
        let _ = (statement, words);
        Vec::new()
    }

    /// A query for every table, view, index and trigger: its kind, its name, and the statement that makes it.
    fn objects(&self) -> Option<&'static str> {
        None
    }

    /// The database as a model, read by few queries whatever its size; none where schemas are not compared.
    fn model(&self, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Option<Result<Model>> {
        let _ = query;
        None
    }

    /// The same within a transaction that goes on after it.
    fn model_within(&self, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Option<Result<Model>> {
        self.model(query)
    }

    /// The same on scratch before expressions have the words that stay, where [`Dialect::manner`] says that they get some.
    fn model_as_made(&self, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Option<Result<Model>> {
        self.model(query)
    }

    /// The model that [`Dialect::model`] would have of an empty database on which these statements ran, where it is found
    /// for less; none where it is not, and where one of them fails.
    fn model_apart(
        &self,
        statements: &[String],
        scratch: &mut dyn FnMut() -> Option<Box<dyn Scratch>>,
    ) -> Option<Model> {
        let _ = (statements, scratch);
        None
    }

    /// The objects of two schemas that are enough to try on scratch what leads from one to the other, where only these
    /// change and none gets another name: what is tried with them alone has the same outcome beside all others. None where
    /// all are needed.
    fn part(
        &self,
        from: &Model,
        to: &Model,
        changed: &BTreeSet<Key>,
        scratch: &mut dyn FnMut() -> Option<Box<dyn Scratch>>,
    ) -> Option<BTreeSet<Key>> {
        let _ = scratch;
        part::on_server(from, to, changed)
    }

    /// An expression that tells every value of a column from every other, whatever its kind.
    fn exact(&self, column: &str) -> String {
        column.to_owned()
    }

    /// Whether [`Dialect::model`] has a model, and drivers make databases to try things on.
    fn compares_schemas(&self) -> bool {
        false
    }

    /// How changes of a schema are put in order.
    fn manner(&self) -> Manner {
        Manner::default()
    }

    /// The statements of a change, without semicolons, or a directive; none when it has no words for it.
    fn render(&self, change: &Change, from: &Model, to: &Model) -> Option<Vec<String>> {
        let _ = (change, from, to);
        None
    }

    /// The statement of `render` that gives a session its usual settings back; where nothing was set it is left out. None
    /// where there is none.
    fn usual(&self) -> Option<&'static str> {
        None
    }

    /// The statements after which the bodies of functions are not looked at, and are again; none where they never are.
    fn bodies_unread(&self) -> Option<[&'static str; 2]> {
        None
    }

    /// Whether replays run each revision in a transaction, as it runs in truth: where that makes a difference.
    fn replays_transactions(&self) -> bool {
        false
    }

    /// Whether the database refuses with this code what it takes in a transaction of its own: what comes before has to be
    /// committed.
    fn is_tied(&self, code: &str) -> bool {
        let _ = code;
        false
    }

    /// The place of a default in a statement of a schema file that is another one each time it runs, and what to write
    /// instead.
    fn fixed(&self, statement: &str, made: &Model) -> Option<(std::ops::Range<usize>, &'static str)> {
        let _ = (statement, made);
        None
    }

    /// A new index built while others write, which no transaction takes, and what drops it likewise; none where there is
    /// no such way.
    fn concurrently(&self, index: &Key, wanted: &Model) -> Option<(Vec<String>, String)> {
        let _ = (index, wanted);
        None
    }

    /// A constraint that is added without a look at the rows, the look at them, and what undoes that; none where there is
    /// no such way.
    fn validated_later(
        &self,
        table: &Key,
        constraint: &Constraint,
        wanted: &Model,
    ) -> Option<([String; 2], Vec<String>)> {
        let _ = (table, constraint, wanted);
        None
    }

    /// What spares memory while a table is copied, which reads and writes in order: a query, what it answers where nobody
    /// has chosen otherwise, the statement to run then, and the one that takes it back.
    fn spares_memory(&self) -> Option<[&'static str; 4]> {
        None
    }

    /// Whether the statement cannot stand in a transaction, or is one that opens or closes it.
    fn stands_alone(&self, statement: &str) -> bool;

    /// How copies of a database are made and put back, where a driver makes none itself.
    fn copied_by(&self) -> Option<&'static CopiedBy> {
        None
    }

    /// What the statement is, where the database would refuse it in a transaction: `VACUUM`.
    fn not_in_transaction(&self, statement: &str) -> Option<&'static str> {
        let _ = statement;
        None
    }

    /// How the progress of the statement is seen from another connection, where the database tells it.
    fn followed(&self, statement: &str) -> Option<Followed> {
        let _ = statement;
        None
    }

    /// What the statement leaves behind when it fails outside of transactions.
    fn leftovers(&self, statement: &str) -> Option<Leftovers> {
        let _ = statement;
        None
    }

    /// The statements that set how long a statement of a revision waits for a lock and how long it may take: until the
    /// end of the transaction that is open, or of the session where there is none.
    fn timeouts(&self, lock: Option<Duration>, statement: Option<Duration>, in_transaction: bool) -> Vec<String> {
        let _ = (lock, statement, in_transaction);
        Vec::new()
    }

    /// Whether the statement has to come before any query of its transaction.
    fn comes_first(&self, statement: &str) -> bool {
        let _ = statement;
        false
    }

    /// Whether the statement may change settings of the connection, which the next revision must not inherit.
    fn touches_session(&self, statement: &str) -> bool;

    /// The statement that detaches the database which this one attaches, and `true`; or detaches, and `false`.
    fn attaches(&self, statement: &str) -> Option<(String, bool)> {
        let _ = statement;
        None
    }

    /// The statements that have a connection read the schema again when a revision ends, where this statement lets it be
    /// written by hand.
    fn reads_schema(&self, statement: &str) -> &'static [&'static str] {
        let _ = statement;
        &[]
    }

    /// The statements that put a connection back to what it was at its beginning, in the transaction of a step.
    fn reset(&self) -> &'static [&'static str] {
        &[]
    }

    /// What else a script may change of a connection that it only borrows: a query for the value of each, and how the
    /// statement begins that sets it.
    fn kept(&self) -> &'static [[&'static str; 2]] {
        &[]
    }

    /// The statements that give the session its own rights back until the end of the transaction, whatever role a script
    /// has taken.
    fn own_role(&self) -> &'static [&'static str] {
        &[]
    }

    /// The statements that give a script the role back that [`Dialect::own_role`] took from it, in the same transaction.
    fn role_again(&self) -> &'static [&'static str] {
        &[]
    }

    /// Why a statement would take from the session what the run itself stands on, and what to do instead.
    fn refused(&self, statement: &str) -> Option<(&'static str, &'static str)> {
        let _ = statement;
        None
    }

    /// What the statement makes that holds rows and goes with the connection: `temporary table` and its name.
    fn temporary(&self, statement: &str) -> Option<(&'static str, String)> {
        temporary::made(statement, self.rules())
    }

    /// A query for the statements that drop what is temporary in the session now, in an order in which they run.
    fn temporary_now(&self) -> Option<&'static str> {
        None
    }

    /// The statement that drops what this one makes, where a revision's end does not; `others` are those for what was made
    /// before it.
    fn drops_temporary(&self, statement: &str, others: &[String]) -> Option<String> {
        let _ = (statement, others);
        None
    }

    /// What the statement keeps in the session that its text does not say: `user variable @a`. Done again on another
    /// connection, it might come to something else.
    fn works_out(&self, statement: &str) -> Option<String> {
        let _ = statement;
        None
    }

    /// Adds the functions that a statement calls, where those may set something for the session.
    fn calls(&self, statement: &str, names: &mut BTreeSet<String>) {
        let _ = (statement, names);
    }

    /// A query for those of these functions that set something for the session; none where there are none.
    fn that_set(&self, names: &BTreeSet<String>) -> Option<String> {
        let _ = names;
        None
    }

    /// Whether the session may remember another id of a row after the statement.
    fn gives_id(&self, statement: &str) -> bool {
        let _ = statement;
        false
    }

    /// What the statement asks the session for that an earlier one made it remember.
    fn asks_id(&self, statement: &str) -> Option<&'static str> {
        let _ = statement;
        None
    }

    /// A query for the variables of the session and their values, where statements that reset them may leave some out.
    fn session(&self) -> Option<&'static str> {
        None
    }

    /// The statements that give a variable of the session a value back, the second one where the first is refused; none
    /// for a variable that is not a script's.
    fn put_back(&self, variable: &str, value: &str) -> Option<[String; 2]> {
        let _ = (variable, value);
        None
    }

    /// Whether what the statement does lasts only as long as the connection.
    fn sets_up_connection(&self, statement: &str) -> bool;

    /// The names of tables that the database makes by itself, in small letters.
    fn internal(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether a statement makes what the database makes by itself, and refuses to be told: clients print it with the rest
    /// of a schema.
    fn makes_by_itself(&self, statement: &str) -> bool {
        let _ = statement;
        false
    }

    /// What becomes of a statement on a database that is there to try things on, when it reaches beyond that one: to
    /// other files, or to what is the whole server's.
    fn beyond(&self, statement: &str) -> Option<Replay> {
        let _ = statement;
        None
    }

    /// How plans know the schema of a database that is there; none where they need not.
    fn mirrors(&self) -> Option<&'static dyn Mirrors> {
        None
    }

    /// What becomes of the statement when revisions are replayed on an empty database only for their schema.
    fn replay(&self, statement: &str) -> Replay;

    /// Why a statement may fail in a replay and not in truth, by the database's code and words.
    fn lacks(&self, statement: &str, code: &str, message: &str) -> Lack {
        let _ = (statement, code, message);
        Lack::Nothing
    }

    /// The table that the statement alters, when it is an ALTER TABLE; in lower case, unquoted, with its schema where one
    /// is written. Consecutive statements on one table go together.
    fn batch_table(&self, statement: &str) -> Option<String> {
        let _ = statement;
        None
    }

    /// Whether the statement may become others, which takes the feature `batch`.
    fn may_need_a_plan(&self, statement: &str) -> bool {
        let _ = statement;
        false
    }

    /// How to ask for the size of a table.
    fn size(&self, table: &str) -> Option<SizeSql> {
        let _ = table;
        None
    }

    /// About how many steps of the database's own, as [`crate::driver::Driver::work_done`] counts them, a statement
    /// takes that goes over so many rows; `None` where it goes over none, or that cannot be foreseen.
    fn work(&self, statement: &str, rows: u64, ask: &mut dyn Ask) -> Option<u64> {
        let _ = (statement, rows, ask);
        None
    }
}
