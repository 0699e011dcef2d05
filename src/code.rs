//! Every code an [`Error`](crate::error::Error) can carry, with the page `sqlrev explain CODE` prints.

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $explain:literal;)*) => {
        /// What went wrong, to branch on. Names are stable; new ones are added, none is renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "each variant's page is its `explain` text")]
        pub enum Code { $($variant,)* }

        impl Code {
            /// Every code, in the order of the list.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable name, `sqlrev::area::what`.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => concat!("sqlrev::", $name),)* }
            }

            /// A paragraph for people: what it means, why it is refused, what to do.
            pub fn explain(self) -> &'static str {
                match self { $(Code::$variant => $explain,)* }
            }
        }
    };
}

codes! {
    // -- targets: what was typed on the command line --
    InvalidTarget = "target::invalid",
        "The target is not written in the language of targets. It is one of: head, heads, base, current, a revision id or the first characters of one (at least 4), +N or -N, ID+N, ID-N, LABEL, LABEL@head, LABEL@base, LABEL@+N, LABEL@-N, LABEL@ID, and ranges A:B where a range is taken.";
    UnknownRevision = "target::unknown_revision",
        "No revision has this id or an id that starts like this. A partial id needs at least 4 characters. `sqlrev history` lists the ids.";
    AmbiguousPrefix = "target::ambiguous_prefix",
        "Several revisions have ids that start with these characters. Type more of them.";
    UnknownBranch = "target::unknown_branch",
        "No revision carries this branch label. `sqlrev branches` and `sqlrev heads` show the labels that exist.";
    NotInBranch = "target::not_in_branch",
        "The revision exists, but it is not on the branch that the label names.";
    MultipleHeads = "target::multiple_heads",
        "`head` means the one newest revision, but several revisions have none after them. Name one of them, say `heads` for all of them, or join them with `sqlrev merge`.";
    Ambiguous = "target::ambiguous",
        "The steps could go several ways: from several current revisions, or past a branch point. Name the revision, or put a branch label before the number: LABEL@-1.";
    RelativeOutOfRange = "target::relative_out_of_range",
        "The number of steps leads past the first or the last revision. `sqlrev history` shows how many there are.";
    RangeNotAncestor = "target::range_not_ancestor",
        "The two ends are not on one line: the left end of a range A:B does not lead to the right one, or a downgrade goes to a revision that is not applied or that no applied revision comes after. So there is nothing between them.";
    InvalidDowngradeTarget = "target::invalid_downgrade_target",
        "LABEL@TARGET takes down one branch above the target, the one that the label names. This label stands at the target or below it, so it names none.";
    OverlappingRevisions = "target::overlapping_revisions",
        "The revisions that were named lie on one line: one is an ancestor of another, so they cannot both be heads. Name only the newest of each line.";
    NotAHead = "target::not_a_head",
        "A new revision comes after a head. This one already has revisions after it; a second one would start a branch. `--splice` says that this is meant.";
    NothingToMerge = "target::nothing_to_merge",
        "A merge joins two heads or more, and there are not so many. `sqlrev heads` shows them.";
    NotOneRevision = "target::not_one_revision",
        "This command takes one revision, and the target names none or several.";

    // -- schemas that are declared and compared --
    SchemaMissing = "schema::not_configured",
        "The command compares with the schema as it should be, and nothing says where that is written down. `schema: schema.sql` in migrations.yaml names a file, a folder, a list of them, or {command: [PROGRAM, ARGUMENT]} whose output it is; a file `schema.sql` beside migrations.yaml is found without it. A folder without `.sql` files, and files without a letter in them, say nothing either: they would drop everything.";
    SchemaCommand = "schema::command_failed",
        "The command under `schema:` or `process_revision:` in migrations.yaml does not start, or ended with an error. It runs in the folder of migrations.yaml, with the environment that sqlrev has; what it wrote to standard error is shown.";
    SchemaScratch = "schema::scratch",
        "To find and to prove the difference between two schemas they are built on a scratch database. The database refused a statement there that it once took elsewhere: it may need an extension, a module or a function that only the live database has. `exclude:` under `autogenerate:` leaves objects out. Or the schema is another one each time it is built there: of `DEFAULT 'now()'` PostgreSQL keeps the moment at which the statement ran, where `DEFAULT now()` is that at which a row comes.";
    SchemaNoWords = "schema::no_words",
        "Every generated revision is run on scratch before it is written, up and down. For this difference no statement was found that the database takes and that leads to the wanted schema. Nothing was written. With --from-database it has to lead there from what the revisions build as well, since other databases have no more than that. Write the revision by hand; `sqlrev check` says when it leads there. Nor are there words for a definition with bytes that are no UTF-8.";
    SchemaDrops = "schema::drops",
        "With --no-drop, or `no_drop: true` under `autogenerate:`, a difference that would drop a table or a column is refused. If it is another name for something that stays, say so with --rename or with a comment in the schema file: `-- sqlrev:renamed from=old_name` above the column or the table.";
    SchemaRename = "schema::rename",
        "A rename names what is there now and the name that it gets: --rename table.column=new_name or --rename table=new_name. The old name must be in the present schema and not in the wanted one, the new name the other way round.";

    // -- the graph that the files make --
    Cycle = "graph::cycle",
        "These revisions come after one another in a circle by down_revision, so none of them can be first. Correct the header of one of them.";
    DependencyCycle = "graph::dependency_cycle",
        "These revisions wait for one another in a circle by down_revision and depends_on together, so none of them can be first. Correct the header of one of them.";
    SelfLoop = "graph::self_loop",
        "The revision names itself as its down_revision.";
    DependencySelfLoop = "graph::dependency_self_loop",
        "The revision names itself, or its own branch label, in depends_on.";
    DuplicateBranchLabel = "graph::duplicate_branch_label",
        "Two revisions carry the same branch label. A label is written once, on the revision where the branch begins, and holds for all that come after it.";
    DuplicateRevision = "graph::duplicate_revision",
        "Two files carry the same revision id. Give one of them a new id; if it is the copy of an applied revision, delete the copy.";
    IllegalRevisionId = "graph::illegal_revision_id",
        "A revision id or branch label holds characters that targets need for themselves, or is a word with a meaning of its own (head, heads, base, current). Ids and labels are letters, digits, `_`, `.` and the like, without `@`, `+`, `-`, `:` and `,`, white space, control characters and those that turn the direction of text.";
    MissingReference = "graph::missing_reference",
        "A header's down_revision or depends_on names a revision that no file holds. Restore the file, or correct the header.";
    Irreversible = "graph::irreversible",
        "A revision on the way down has no downgrade: its file is missing, or its header says `irreversible: true`. Nothing was run. Restore a backup, or write a new revision that undoes it by hand.";

    // -- revision files and their headers --
    HeaderMissing = "header::missing",
        "An upgrade file begins with its header: line comments between two `-- ---` lines that hold YAML, with at least `revision: ID`. `sqlrev revision -m TEXT` writes one.";
    HeaderUnclosed = "header::unclosed",
        "The header's first `-- ---` line has no second one that closes it.";
    HeaderSyntax = "header::syntax",
        "The header is not YAML, or not a mapping of keys to values.";
    HeaderUnknownKey = "header::unknown_key",
        "The header has a key that has no meaning. The keys are revision, down_revision, message, created, branch_labels, depends_on, transaction, recreate, irreversible and code.";
    HeaderDuplicateKey = "header::duplicate_key",
        "The header has a key twice.";
    HeaderWrongType = "header::wrong_type",
        "A value of the header is not of the kind that its key takes: a list where a word belongs, a word that is none of those allowed.";
    HeaderNoRevision = "header::no_revision",
        "The header has no `revision:`, so the file has no id.";
    HeaderMismatch = "header::mismatch",
        "The text for one dialect and the plain one both have a header, and the two do not agree. They are one revision, so id, down_revision and depends_on must be the same; or leave the header to the plain file.";
    HeaderInDowngrade = "header::in_downgrade",
        "A downgrade file has a header that says something else than its upgrade's. A revision has one header, in its upgrade file, and it is for both directions: what the other one says, `transaction: none` for instance, would be passed over without a word.";
    FileEncoding = "file::invalid_utf8",
        "The file is not UTF-8. Convert it, for instance: iconv -f latin1 -t utf-8 OLD > NEW";
    FileOrphanDowngrade = "file::downgrade_without_upgrade",
        "A downgrade file has no upgrade file beside it, so it belongs to no revision.";
    FileDuplicate = "file::duplicate",
        "Two files claim to be the same half of one revision, such as `up.sql` and `upgrade.sql` in one folder.";
    FileUnknownDialect = "file::unknown_dialect",
        "The file's name says that it is the text for a dialect, but there is no dialect of this name, so the file would never run. The dialects are sqlite, postgresql, mysql and mariadb: upgrade.postgresql.sql.";
    FileMisspelled = "file::misspelled",
        "The file's name is almost that of a revision's file, such as upgarde.sql or Upgrade.sql, so it would be passed over without a word; or the file begins as a revision does, and has a name that no revision has, such as 0001_init.sql. The names are upgrade.sql and downgrade.sql, or up.sql and down.sql, alone in a folder or behind a name: users.upgrade.sql. A file that is something else needs a name less like these.";
    FileNested = "file::nested",
        "A revision's files lie in a folder of a folder of the location, where nothing is looked for, so they would be passed over without a word. A location holds a folder for each revision, or flat pairs. Name the folder in between under `locations:` in migrations.yaml, several are allowed; or move the revisions up.";
    NoDialectText = "file::no_dialect_text",
        "The revision's files are the texts for other dialects: neither a plain upgrade.sql nor one for this database is among them. Write one; if there is nothing to do here, an upgrade file with only a comment says so.";
    FileIo = "file::io",
        "A file or folder could not be read or written. The message of the operating system says why.";
    FileExists = "file::exists",
        "A file that would be written is there already, and nothing is overwritten without being asked.";

    // -- configuration --
    ConfigMissing = "config::not_found",
        "There is no `migrations.yaml` in this folder or above it. `sqlrev init` writes one, `-c FILE` names one.";
    ConfigSyntax = "config::syntax",
        "`migrations.yaml` is not YAML, or not a mapping of keys to values.";
    ConfigUnknownKey = "config::unknown_key",
        "`migrations.yaml` has a key that has no meaning.";
    ConfigDuplicateKey = "config::duplicate_key",
        "`migrations.yaml` has a key twice.";
    ConfigWrongType = "config::wrong_type",
        "A value of `migrations.yaml` is not of the kind that its key takes.";
    ConfigUnknownDatabase = "config::unknown_database",
        "The name given with `-n` is not under `databases:` in `migrations.yaml`.";
    ConfigVariable = "config::variable",
        "A `${VARIABLE}` has no value in the environment or in `.env`, and no default (`${VARIABLE:-default}`).";
    EnvSyntax = "config::env_syntax",
        "A `.env` file has a line that is not KEY=VALUE, a comment or blank. Values may stand in single or double quotes.";
    ConfigNoUrl = "config::no_url",
        "No database is named: neither `url:` in `migrations.yaml` nor `--url`.";
    ConfigUrl = "config::url",
        "The URL of the database cannot be read. It is sqlite:PATH, sqlite::memory:, postgresql://… or mysql://….";

    // -- statements --
    ScriptMetaCommand = "script::meta_command",
        "The file has a line for a command-line client (a backslash command of psql, a dot command of sqlite3), which is not SQL. Take the line out; SQL goes to the database directly.";
    ScriptUnterminated = "script::unterminated",
        "A string, a quoted name, a comment or a trigger body begins here and never ends.";
    ScriptDirective = "script::directive",
        "A comment that begins with `sqlrev:` is a directive, and this one is none that there is: `-- sqlrev:reorder TABLE (COLUMN, …)` puts columns in another order, `-- sqlrev:strict TABLE`, `-- sqlrev:without_rowid TABLE` and `-- sqlrev:autoincrement TABLE` switch these options of an SQLite table on, and with `off` behind them off, `-- sqlrev:allow RULE` is for lint, `-- sqlrev:renamed from=NAME` is for schema.sql. A directive that nobody heeds would be missed in silence.";
    ScriptNul = "script::nul",
        "The file holds a NUL byte. SQLite would silently leave out whatever comes after it, so the file is refused. Take the byte out; in a value, write it as CAST(x'00' AS TEXT) or as a blob.";
    NotInTransaction = "execute::not_in_transaction",
        "`--single-transaction` runs all or nothing, and a revision on the way says `transaction: none`, since it holds statements that cannot run in a transaction.";
    OutsideTransaction = "script::outside_transaction",
        "The database refuses this statement in a transaction (CREATE INDEX CONCURRENTLY, VACUUM, CREATE DATABASE, ALTER SYSTEM and the like), and a revision runs in one. Write `transaction: none` into the header of the revision: then each statement stands alone and is counted, so that a run that stopped goes on with the statement that failed. Best such a revision holds nothing else.";
    ScriptAfterCopy = "script::after_copy",
        "Something follows `COPY … FROM stdin;` on its line. The data begins on the next line, so psql would run the rest of this line only after the data. Put it on a line of its own, after the line `\\.` that ends the data.";
    ScriptTransaction = "script::transaction_control",
        "A revision runs in a transaction that sqlrev opens and closes, together with its row in the version table. A BEGIN, COMMIT or ROLLBACK of its own would tear the two apart. Take the statement out; `transaction: none` in the header is for statements that cannot run in a transaction. In a transaction that such a revision begins itself, SQLite passes over PRAGMA foreign_keys, so it stands before the BEGIN.";
    ScriptSession = "script::session",
        "A statement would take from the session what the run stands on. DISCARD ALL and pg_advisory_unlock_all() give up the lock that keeps other runs away; another client_encoding garbles what is sent, since files are UTF-8; standard_conforming_strings = off makes statements end elsewhere than sqlrev sees; SQLite's short_column_names = OFF gives the columns of queries other names. Take the statement out: settings, roles and temporary tables of a script end with its revision by themselves.";
    StatementFailed = "execute::statement_failed",
        "The database refused a statement. The label stands under it, or under the word that the database pointed at.";
    BeyondCopy = "execute::beyond_copy",
        "`sqlrev rehearse` runs revisions on a copy of the database, and one of them attaches another file or writes one (ATTACH, VACUUM INTO), which is not copied: what the revision does there would be done to the real file. So it is refused before anything runs. A database in memory may be attached. `sqlrev test` tries such a revision on empty databases, where other files are left alone.";
    Interrupted = "execute::interrupted",
        "The run was interrupted. What was not complete was rolled back; running the same command again goes on.";
    UnfinishedRevision = "execute::unfinished",
        "A revision with `transaction: none` stopped half-way, and cannot go on: its file was changed in the part that had run already, so it is not known where; or that part kept rows in a temporary table, which went with its connection. Made again it would be empty, and a statement such as DELETE … WHERE id NOT IN (SELECT id FROM it) would take that for the truth. Do the rest by hand and stamp the revision, or undo by hand what has run and `sqlrev stamp --purge` where the database was before. A statement may also have been begun when a run or its connection was killed, so that nobody knows whether it ran: any on MySQL and MariaDB, where data definition commits by itself, and on PostgreSQL one that stands outside of transactions, which the server brings to its end alone: see what the database has, and say it with `sqlrev repair REVISION --ran` or `--not-run`.";
    ForeignKeys = "execute::foreign_keys",
        "Rows would point at rows that do not exist. Everything of this revision was rolled back; with `transaction: none`, everything of the replacement of a table that left them, which is done as one.";

    WouldDeleteRows = "execute::would_delete_rows",
        "SQLite deletes every row of a table before it drops it, and by ON DELETE CASCADE, SET NULL or SET DEFAULT rows of other tables go or change with them. A DROP TABLE that would do so is refused, unless the other tables are dropped in the same script. Say what is meant with a DELETE or UPDATE before it; or change the table with ALTER TABLE.";

    // -- inside an application --
    InTransaction = "execute::in_transaction",
        "The application's connection has a transaction open, and a revision needs one of its own. Commit or roll back first.";
    OwnCodeFailed = "execute::code_failed",
        "The code that the application registered for a revision returned an error. The revision was rolled back, its SQL with it.";
    OwnCodeMissing = "execute::code_missing",
        "The header of a revision says `code: true`: code of its application runs in it, and this program does not have that code. Run the application, or a version of it that has the code.";
    OwnCodeUnexpected = "execute::code_unexpected",
        "An application registered code for a revision that cannot run it: there is no such revision, its header does not say `code: true`, so the command line would leave the code out without a word, or it says `transaction: none`.";

    // -- the database and the version table --
    Connect = "database::connect",
        "The database could not be opened or reached.";
    ConnectRefused = "connect::refused",
        "Nothing listens at the host and port, or the server there takes no connections now: it is starting, stopping or full. `--wait SECONDS` waits for a server that is starting.";
    ConnectUnknownHost = "connect::unknown_host",
        "The name of the host in the URL cannot be found.";
    ConnectionLost = "connect::lost",
        "The connection to the server ended while something ran: the server stopped, somebody ended the session, or the network failed. What became of the revision is looked up on a new connection, after the old session has ended, and told; where the server does not come back, that is said to be unknown.";
    ConnectAuthentication = "connect::authentication",
        "The server does not let this user in: the password is wrong or missing, or its rules (pg_hba.conf) do not allow it. A password stands in the URL, in PGPASSWORD, or in ~/.pgpass, a file that nobody else may read.";
    ConnectNoDatabase = "connect::no_database",
        "The server is there, but it has no database of this name.";
    ConnectNoSchema = "connect::no_schema",
        "The URL names a schema (`?schema=NAME`), and the session does not work in it: there is none of this name in the database, the role may not use it, or a pooler in between does not hand the name on. Revisions would run somewhere else, so nothing is run. Or the schema of the version table (`version_table: SCHEMA.NAME`) is not there. Schemas are named as they are stored: small letters, where they were created without quotes.";
    ConnectTls = "connect::tls",
        "The connection could not be made secure as `sslmode` asks for: the server has no TLS, its certificate is not signed by a root that is trusted or is for another host, or a certificate or key of this side cannot be used.";
    Database = "database::failed",
        "The database refused something that sqlrev itself asked for.";
    NotADatabase = "database::not_a_database",
        "The file is not an SQLite database, or it is encrypted or damaged.";
    ReadOnly = "database::read_only",
        "The database cannot be written to: the file, its folder or the connection is read-only.";
    DiskFull = "database::disk_full",
        "There is no space left for the database, its journal or its temporary files.";
    UnsupportedDatabase = "database::unsupported",
        "This build of sqlrev has no driver for this kind of database, or the command does not know it: the message says which.";
    LockTimeout = "lock::timeout",
        "Somebody else held the database for longer than `--lock-timeout`. Nothing was run.";
    Contended = "lock::contended",
        "A statement waited for a lock that another session held, and the database gave up: its `lock_timeout` was over, or the two waited for each other (a deadlock). The revision was rolled back and tried again until `--lock-timeout` was over. A revision without a transaction is not tried again by itself.";
    VersionTable = "version::unreadable",
        "The version table is there, but not as sqlrev writes it. It may belong to another tool; `version_table:` in `migrations.yaml` chooses another name.";
    NewerDatabase = "version::newer_database",
        "Revisions are applied that this program does not have: a newer version of it has been here. Install that version; or, where the revisions can be undone, roll them back with the downgrades that the database keeps (`downgrade_to_mine` in the library, `sqlrev downgrade` on the command line); or only read.";
    VersionTooNew = "version::too_new",
        "The version table was written by a newer sqlrev, in a form that this one does not know. Use that version, or a newer one.";
    Edited = "checksum::edited",
        "The upgrade file of an applied revision was changed after it ran, in more than comments and layout. The database does not have what the file now says. Put the file back and write the change as a new revision; or, where the change is known to make no difference, accept it with `sqlrev repair REV --accept`.";

    // -- batch plans --
    BatchUnreadable = "batch::unreadable",
        "SQLite cannot run this ALTER TABLE as it is written, and sqlrev cannot read it, so it is refused before anything ran. Write it in PostgreSQL's spelling, or spell the copy out by hand.";
    BatchUnsupported = "batch::unsupported",
        "This change has no safe batch plan. Nothing was run.";
    BatchNoTable = "batch::no_such_table",
        "The table does not exist at this point of the history.";
    BatchNoColumn = "batch::no_such_column",
        "The table has no such column at this point of the history.";
    BatchNoConstraint = "batch::no_such_constraint",
        "The table has no such constraint at this point of the history.";
    BatchDuplicate = "batch::already_exists",
        "The table already has a column, constraint or index of this name.";
    BatchNever = "batch::recreate_never",
        "The change needs the table to be copied, and the header says `recreate: never`.";
    BatchNullValues = "batch::null_values",
        "The column cannot become NOT NULL (or part of a primary key) while rows hold NULL in it. The rows are named in the message. UPDATE them first, in the same revision if you like.";
    BatchDuplicates = "batch::duplicate_values",
        "The rows named in the message have the same values, so the UNIQUE constraint or primary key cannot be added.";
    BatchCheckViolated = "batch::check_violated",
        "The rows named in the message violate the CHECK constraint.";
    BatchValueLost = "batch::value_lost",
        "A value would not survive the change of type. Say how it is converted: ALTER COLUMN c TYPE t USING expression.";
    BatchForeignKey = "batch::foreign_key_violated",
        "The rows named in the message would point at rows that do not exist.";
    BatchInUse = "batch::in_use",
        "A view, a trigger, a generated column or another table uses what would go or change. Drop or change that first.";
    BatchMixed = "batch::mixed_offline",
        "An offline script cannot switch foreign keys off for a copy and leave them on for the other statements of the same revision. Split the revision in two, or run it online.";
    BatchLeftOut = "batch::left_out",
        "The program that runs this was built without batch plans, and an ALTER TABLE of the revision may need one: SQLite alone cannot do it, or not whatever the table is like. Nothing ran. Build the program with the feature `batch` of sqlrev. Without it, ALTER TABLE t ADD COLUMN c TYPE runs, with NOT NULL, COLLATE and a literal as DEFAULT; every other change of a table there is takes the feature.";
    BatchInternal = "batch::verification_failed",
        "After the change the schema was not what the plan meant it to be, so everything was rolled back. This is a defect of sqlrev; the database is as it was.";

    // -- usage --
    Usage = "usage::invalid",
        "The command line is not one that sqlrev understands. `sqlrev COMMAND --help` shows what is.";
    UnknownCode = "usage::unknown_code",
        "There is no error code of this name. `sqlrev explain` lists them all.";
}

impl Code {
    /// The code of a name: in full, without `sqlrev::`, or only its last part where that is unique.
    pub fn from_name(name: &str) -> Option<Code> {
        let name = name.trim().trim_start_matches("sqlrev::");
        let full = |code: &&Code| &code.name()["sqlrev::".len()..] == name;
        let mut last = Code::ALL
            .iter()
            .filter(|code| code.name().rsplit("::").next() == Some(name));
        Code::ALL
            .iter()
            .find(full)
            .or_else(|| last.next().filter(|_| last.next().is_none()))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for (i, code) in Code::ALL.iter().enumerate() {
            assert_eq!(Code::from_name(code.name()), Some(*code));
            assert!(
                Code::ALL[..i].iter().all(|other| other.name() != code.name()),
                "{}",
                code.name()
            );
            assert!(
                code.explain().ends_with('.') || code.explain().contains("iconv"),
                "{}",
                code.name()
            );
        }
    }
}
