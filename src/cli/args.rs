//! The command line: every option, its help, and from them completions and the man page.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cli::{check, database};
use crate::revision::header::duration;

/// Schema migrations as plain SQL files: a graph of revisions, each a pair upgrade.sql / downgrade.sql.
#[derive(Debug, Parser)]
#[command(name = "sqlrev", version, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Exit status: 0 done, 1 it failed, 2 wrong usage, 3 a check found something, 130 interrupted.\n\
                        `sqlrev explain CODE` tells what an error code means."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Global {
    /// Reads this file instead of the migrations.yaml found in this folder or above it
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Takes this one of the `databases:` in migrations.yaml
    #[arg(short, long, global = true, value_name = "NAME")]
    pub name: Option<String>,
    /// The database, instead of the one in migrations.yaml
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help = "The database: sqlite:PATH, sqlite::memory:, postgresql://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE"
    )]
    pub url: Option<String>,
    /// How many seconds to wait for a server that is starting
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds)]
    pub wait: Option<f64>,
    /// What results look like: for people, or one JSON document
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Sets a variable for ${KEY} in migrations.yaml
    #[arg(short = 'x', global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub variables: Vec<(String, String)>,
    /// Says more: each statement as it runs
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Says nothing but results and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Colours the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// One JSON document
    Json,
    /// The results of `test` as `JUnit` writes them, for build servers
    Junit,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lays out migrations.yaml and the migrations folder
    Init(Init),
    /// Writes a new revision: a folder with upgrade.sql and downgrade.sql
    Revision(NewRevision),
    /// Writes a revision that joins several heads
    Merge(Merge),
    /// Runs the upgrades that lead to the target
    Upgrade(Upgrade),
    /// Runs the downgrades that lead back to the target
    Downgrade(Downgrade),
    /// Runs the upgrades on a copy of the database and tells what became of it; exits with 3 on a finding
    Rehearse(Rehearse),
    /// Puts a copy of the database back; lists the copies when none is named
    Restore(Restore),
    /// Shows the steps and their statements, and runs nothing
    Plan(Plan),
    /// Shows the revisions at which the database is
    Current(Current),
    /// Shows the newest revisions
    Heads(Heads),
    /// Shows the revisions after which the history branches
    Branches,
    /// Draws the history, newest first
    History(History),
    /// Shows one revision
    Show(Show),
    /// Sets the version table and runs nothing
    Stamp(Stamp),
    /// Finds what is pending, edited, missing, stopped half-way or other than declared; exits with 3 when it finds something
    Check(Check),
    /// Prints the SQL that leads from one schema to another: from the database to the declared one
    Diff(Diff),
    /// Prints the database's schema as SQL
    Dump,
    /// Tries each revision up, down and up again on a scratch database; exits with 3 on a finding
    Test(Test),
    /// Takes edited files as the applied ones
    Repair(check::Repair),
    /// Opens a revision's upgrade file in $VISUAL or $EDITOR
    Edit(Edit),
    /// Creates the database, unless it is there
    Create,
    /// Drops the database with everything in it, after asking
    Drop(database::Drop),
    /// Creates the version table
    EnsureVersion(EnsureVersion),
    /// Explains an error code
    Explain(Explain),
    /// Prints a script that completes commands in a shell
    Completions(Completions),
    /// Prints the manual page
    Man,
}

/// `init`
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The folder
    #[arg(default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
}

/// How a rename is said.
const RENAME: &str =
    "Says that a column or table has another name now: TABLE.COLUMN=NEW_NAME or TABLE=NEW_NAME; may come again";

/// `revision`
#[derive(Debug, Args)]
pub(super) struct NewRevision {
    /// What the revision does, in a few words
    #[arg(short, long, value_name = "TEXT")]
    pub message: String,
    /// The revision it comes after; several make a merge point, `base` starts a history of its own
    #[arg(long, value_name = "TARGET", default_value = "head", allow_hyphen_values = true)]
    pub head: Vec<String>,
    /// Allows a parent that is not a head
    #[arg(long)]
    pub splice: bool,
    /// A name for the branch that begins here
    #[arg(long, value_name = "LABEL")]
    pub branch_label: Vec<String>,
    /// A revision that must be applied before this one
    #[arg(long, value_name = "REVISION")]
    pub depends_on: Vec<String>,
    /// The id, instead of one made up
    #[arg(long, value_name = "ID")]
    pub rev_id: Option<String>,
    /// The location to write into, when there are several
    #[arg(long, value_name = "DIR")]
    pub location: Option<String>,
    /// Writes what leads from the schema that the revisions build to the one that `schema:` declares
    #[arg(long)]
    pub autogenerate: bool,
    /// Takes the schema now from the database instead of from the revisions
    #[arg(long, requires = "autogenerate")]
    pub from_database: bool,
    /// Says that a column or table has another name now
    #[arg(long, value_name = "OLD=NEW", requires = "autogenerate", help = RENAME)]
    pub rename: Vec<String>,
    /// Refuses to drop tables and columns
    #[arg(long, requires = "autogenerate")]
    pub no_drop: bool,
}

/// `diff`
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// What is there: database, schema, empty, a revision, a file or folder of SQL, or a URL [default: database]
    #[arg(value_name = "FROM", allow_negative_numbers = true)]
    pub from: Option<String>,
    /// What it should be, in the same words [default: schema]
    #[arg(value_name = "TO", allow_negative_numbers = true)]
    pub to: Option<String>,
    /// Says that a column or table has another name now
    #[arg(long, value_name = "OLD=NEW", help = RENAME)]
    pub rename: Vec<String>,
    /// Exits with 3 when there is a difference
    #[arg(long)]
    pub exit_code: bool,
}

/// `merge`
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// The heads to join; all of them when none is named
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// What the revision does, in a few words
    #[arg(short, long, value_name = "TEXT")]
    pub message: String,
    /// The id, instead of one made up
    #[arg(long, value_name = "ID")]
    pub rev_id: Option<String>,
    /// A name for the branch that begins here
    #[arg(long, value_name = "LABEL")]
    pub branch_label: Vec<String>,
    /// Allows parents that are not heads
    #[arg(long)]
    pub splice: bool,
}

/// How steps are run.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// Writes the script to standard output instead of running it; needs no database
    #[arg(long, conflicts_with_all = ["dry_run", "single_transaction"])]
    pub sql: bool,
    /// Shows the plan instead of running it
    #[arg(long)]
    pub dry_run: bool,
    /// Makes a copy of an SQLite database first, instead of what `backup:` in migrations.yaml says
    #[arg(long, value_name = "WHEN", conflicts_with_all = ["sql", "dry_run"])]
    pub backup: Option<When>,
    /// Runs all steps in one transaction: all or nothing
    #[arg(long)]
    pub single_transaction: bool,
    /// Drops an invalid index that an earlier try left, before the statement is tried again
    #[arg(long)]
    pub clean_invalid: bool,
    #[command(flatten)]
    pub lock: Lock,
}

/// When to make a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// Not at all
    Never,
    /// Before steps that do more than create
    Auto,
    /// Before every step
    Always,
}

/// How long to wait for others.
#[derive(Debug, Args)]
pub(super) struct Lock {
    /// How many seconds to wait for somebody else who holds the database [default: 60, or `lock_timeout`]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub lock_timeout: Option<f64>,
}

/// A number of seconds, or a time as headers take it.
fn seconds(text: &str) -> Result<f64, String> {
    let time = || duration::duration(text).map(|time| time.as_secs_f64());
    let seconds = text.parse().ok().or_else(time);
    seconds.ok_or_else(|| format!("it takes {}", duration::TAKES))
}

/// `upgrade`
#[derive(Debug, Args)]
pub(super) struct Upgrade {
    /// Where to: head, heads, an id, +2, a label …; with --sql a range A:B
    #[arg(value_name = "TARGET", default_value = "heads", allow_negative_numbers = true)]
    pub targets: Vec<String>,
    #[command(flatten)]
    pub run: Run,
    #[command(flatten)]
    pub fleet: Fleet,
}

/// Many databases.
#[derive(Debug, Args)]
#[command(next_help_heading = "Many databases")]
pub(super) struct Fleet {
    /// Upgrades each of these databases: a pattern for files ('tenants/*.db', 'data/**'), a URL, or schemas of PostgreSQL
    /// (`postgresql://HOST/DATABASE?schema=tenant_*`); may come again
    #[arg(long, value_name = "PATTERN", conflicts_with_all = ["sql", "dry_run"])]
    pub each: Vec<String>,
    /// Upgrades each database that stands in this file, a path, pattern or URL a line; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sql", "dry_run"])]
    pub each_from: Option<PathBuf>,
    /// How many are upgraded at once [default: one for each processor]
    #[arg(long, value_name = "NUMBER")]
    pub jobs: Option<usize>,
    /// How many go first, one after the other; when one of them fails, the others are left alone [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub canary: Option<usize>,
}

impl Fleet {
    pub(super) fn is_asked(&self) -> bool {
        !self.each.is_empty() || self.each_from.is_some()
    }
}

/// `downgrade`
#[derive(Debug, Args)]
pub(super) struct Downgrade {
    /// Where to: base, an id, -1, LABEL@base …; with --sql a range A:B
    #[arg(value_name = "TARGET", allow_negative_numbers = true)]
    pub target: String,
    #[command(flatten)]
    pub run: Run,
}

/// `rehearse`
#[derive(Debug, Args)]
pub(super) struct Rehearse {
    /// Where to: head, heads, an id, +2, a label …
    #[arg(value_name = "TARGET", default_value = "heads", allow_negative_numbers = true)]
    pub targets: Vec<String>,
    #[command(flatten)]
    pub lock: Lock,
}

/// `restore`
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The copy; what is in the database now is kept as a copy too
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// `plan`
#[derive(Debug, Args)]
pub(super) struct Plan {
    /// What to plan
    pub direction: PlanKind,
    /// Where to, or a range A:B
    #[arg(value_name = "TARGET", required = true, allow_negative_numbers = true)]
    pub targets: Vec<String>,
    /// The current revisions, instead of those of the database; `base` for an empty one
    #[arg(long, value_name = "ID,ID…", value_delimiter = ',')]
    pub from: Option<Vec<String>>,
    /// With stamp: takes every row away first
    #[arg(long)]
    pub purge: bool,
}

/// What `plan` plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PlanKind {
    /// Upgrades
    Upgrade,
    /// Downgrades
    Downgrade,
    /// Changes of the version table alone
    Stamp,
}

/// `current`
#[derive(Debug, Args)]
pub(super) struct Current {
    /// Exits with 3 unless the database is at every head
    #[arg(long)]
    pub check_heads: bool,
}

/// `heads`
#[derive(Debug, Args)]
pub(super) struct Heads {
    /// Leaves out heads that other revisions depend on
    #[arg(long)]
    pub resolve_dependencies: bool,
}

/// `history`
#[derive(Debug, Args)]
pub(super) struct History {
    /// Only these revisions
    #[arg(short, long, value_name = "A:B", allow_hyphen_values = true)]
    pub range: Option<String>,
    /// Marks the current revisions; needs the database
    #[arg(short, long)]
    pub indicate_current: bool,
}

/// `show`
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The revision
    #[arg(value_name = "TARGET", allow_negative_numbers = true)]
    pub target: String,
    /// Prints the schema that the revisions up to this one build, as SQL
    #[arg(long)]
    pub schema: bool,
}

/// `check`
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Also compares the database's schema with the one that its applied revisions build
    #[arg(long)]
    pub drift: bool,
}

/// `stamp`
#[derive(Debug, Args)]
pub(super) struct Stamp {
    /// The revisions the database is at; with --sql a range A:B
    #[arg(value_name = "TARGET", required = true, allow_negative_numbers = true)]
    pub targets: Vec<String>,
    /// Takes every row away first, also those of unknown revisions
    #[arg(long)]
    pub purge: bool,
    /// Writes the script to standard output instead; needs no database
    #[arg(long, conflicts_with = "purge")]
    pub sql: bool,
    /// Stamps only when the database holds what these revisions build; else prints the difference and exits with 3
    #[arg(long, conflicts_with = "sql")]
    pub verify: bool,
    #[command(flatten)]
    pub lock: Lock,
}

/// `test`
#[derive(Debug, Args)]
pub(super) struct Test {
    /// Only these revisions
    #[arg(value_name = "A:B", allow_negative_numbers = true)]
    pub range: Option<String>,
}

/// `edit`
#[derive(Debug, Args)]
pub(super) struct Edit {
    /// The revision
    #[arg(value_name = "TARGET", allow_negative_numbers = true)]
    pub target: String,
}

/// `ensure-version`
#[derive(Debug, Args)]
pub(super) struct EnsureVersion {
    /// Writes the statements to standard output instead
    #[arg(long)]
    pub sql: bool,
}

/// `explain`
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The code, in full or its last part; none lists them all
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

/// `completions`
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() {
        return Err("a variable is written KEY=VALUE".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn minus_one_needs_no_dashes() {
        let cli = Cli::parse_from(["sqlrev", "downgrade", "-1", "--sql"]);
        assert!(matches!(cli.command, Command::Downgrade(d) if d.target == "-1" && d.run.sql));
    }
}
