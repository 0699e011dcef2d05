//! Scripts as the executor takes them: opened, split to the end, and hashed before anything runs.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use crate::code::Code;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::execute::attached::Attached;
use crate::execute::between::Between;
use crate::execute::directives;
use crate::execute::group::Marks;
use crate::execute::opened::{Opened, no_transaction_control};
pub(crate) use crate::execute::prepared::Prepared;
use crate::execute::walk::{Place, place_of};
use crate::revision::checksum::{self, Checksum};
use crate::revision::{Header, Revision, Script, Transaction};
use crate::shell;
use crate::source::SourceFile;
use crate::sql::split::{Fault, Piece, SplitRules, Statement, Statements};
use crate::sql::token;

/// Larger upgrades are not kept in the version table: their text only serves to show what was changed.
pub(crate) const KEPT: usize = 1 << 20;

/// Where downgrades come from that nobody has read yet.
pub trait Sources {
    /// The downgrade of a revision; none when it has none.
    fn downgrade(&self, revision: &Revision) -> Result<Option<Script>>;

    /// What `sqlrev test` is told of a revision by a file beside it, where there is one.
    fn test(&self, revision: &Revision, variants: &[&str]) -> Result<Option<SourceFile>> {
        let _ = (revision, variants);
        Ok(None)
    }
}

/// For revisions whose downgrades are in memory.
#[derive(Debug, Clone, Copy)]
pub struct InMemory;

impl Sources for InMemory {
    fn downgrade(&self, revision: &Revision) -> Result<Option<Script>> {
        Ok(revision.downgrade.clone())
    }
}

/// Whether ALTERs that a database lacks become batch plans in this build.
pub(super) const PLANS: bool = cfg!(feature = "batch");

impl Script {
    /// The statements of the script, from the end of its header.
    pub(crate) fn statements(&self, rules: &'static SplitRules) -> Result<Statements<'_>> {
        let mut statements = match &self.large {
            None => Statements::of_text(&self.file.text, rules),
            Some(large) => Statements::of_reader(large.open().map_err(|error| self.unreadable(&error))?, rules),
        };
        statements.skip(self.body).map_err(|fault| self.fault(&fault))?;
        Ok(statements)
    }

    fn unreadable(&self, error: &std::io::Error) -> Error {
        Error::new(Code::FileIo, format!("`{}` cannot be read", self.file.name))
            .cause(error.to_string())
            .help(format!("see what is there: ls -l {}", shell::word(&self.file.name)))
    }

    /// The error for a place where the script does not split.
    pub(crate) fn fault(&self, fault: &Fault) -> Error {
        fault.error(&self.file.name)
    }

    /// The checksum of the file as it is now.
    pub(crate) fn checksum(&self, header: Option<&Header>, rules: &'static SplitRules) -> Result<Checksum> {
        match &self.large {
            None => Ok(checksum::of(&self.file.text, self.body, header, rules)),
            Some(_) => self.read_through(header, rules, |_| Ok(())),
        }
    }

    /// Reads a large file once, statement by statement.
    fn read_through(
        &self,
        header: Option<&Header>,
        rules: &'static SplitRules,
        mut each: impl FnMut(&Statement<'_>) -> Result<()>,
    ) -> Result<Checksum> {
        let Some(large) = &self.large else {
            return Ok(checksum::of(&self.file.text, self.body, header, rules));
        };
        let reader = large.open().map_err(|error| self.unreadable(&error))?;
        let read = checksum::read(reader, self.body, header, rules, |piece| match piece {
            Piece::Statement(statement) => each(statement).map_err(Stop::Error),
            _ => Ok(()),
        });
        read.map_err(|stop| self.stopped(stop))
    }

    fn stopped(&self, stop: Stop) -> Error {
        match stop {
            Stop::Error(error) => error,
            Stop::Fault(fault) => self.fault(&fault),
        }
    }

    /// Reads the script once to its end: it splits, nothing in it tears the transaction, and what its checksum is.
    pub(crate) fn prepare(&self, header: &Header, upgrade: bool, dialect: &'static dyn Dialect) -> Result<Prepared> {
        let mut survey = Survey {
            script: self,
            dialect,
            in_transaction: header.transaction == Transaction::Revision,
            statements: 0,
            alters: false,
            altered: BTreeSet::new(),
            // Where no transaction ends them, the end of the revision does.
            pragmas: dialect.ddl_commits() && (header.lock_timeout.is_some() || header.statement_timeout.is_some()),
            reads_schema: &[],
            attached: Attached::default(),
            commits: false,
            dropped: BTreeSet::new(),
            replaced: BTreeSet::new(),
            renamed: BTreeSet::new(),
            created: BTreeSet::new(),
            switches: false,
            defers: false,
            unsettles: false,
            needs_plan: None,
            analyzes: false,
            asks_count: false,
            counted: false,
            marks: (header.transaction == Transaction::None && dialect.references().is_some()).then(Marks::default),
            between: Between::default(),
            temporary: Vec::new(),
            opened: Opened::default(),
        };
        let header = upgrade.then_some(header);
        let mark = self.mark();
        let checksum = if self.large.is_some() {
            self.read_through(header, dialect.rules(), |statement| survey.statement(statement))?
        } else {
            let text = &*self.file.text;
            let each = |piece: &Piece<'_>| match piece {
                Piece::Statement(statement) => survey.statement(statement).map_err(Stop::Error),
                _ => Ok(()),
            };
            let read = checksum::of_pieces(text, self.body, header, dialect.rules(), each);
            let (checksum, rest) = read.map_err(|stop| self.stopped(stop))?;
            survey.altered.extend(directives::altered(rest, dialect));
            survey.directives(rest, text.len() - rest.len())?;
            survey.needs_plan = survey
                .needs_plan
                .or(directives::first(rest, dialect, survey.statements));
            checksum
        };
        if let Some(error) = std::mem::take(&mut survey.opened).refused(!survey.replaced.is_empty()) {
            return Err(error);
        }
        Ok(survey.prepared(checksum, mark))
    }

    /// The error for an ALTER that may need a batch plan, of which this build makes none.
    pub(crate) fn refuse_left_out(&self, prepared: &Prepared, dialect: &'static dyn Dialect) -> Result<()> {
        match prepared.needs_plan {
            Some(index) if !PLANS => Err(self.left_out(index, dialect)),
            _ => Ok(()),
        }
    }

    /// Likewise, whatever the build.
    pub(crate) fn left_out(&self, index: u64, dialect: &'static dyn Dialect) -> Error {
        let message = format!(
            "`{}` may need a batch plan, and this program was built without them",
            self.file.name
        );
        let error = Error::new(Code::BatchLeftOut, message);
        let error = match place_of(self, index, dialect.rules()) {
            Some((file, span)) => error.at(&file, span, "the first that may"),
            None => error.at(&self.file, self.body..self.body, "a directive does"),
        };
        error.help("add the feature `batch` to sqlrev in [dependencies]: features = [\"sqlite\", \"batch\"]")
    }

    fn mark(&self) -> Option<u128> {
        self.large.as_ref().map(|large| large.mark())
    }

    /// Refuses a large file that was written between its check and its run.
    pub(crate) fn check_unchanged(&self, prepared: &Prepared) -> Result<()> {
        if self.mark() == prepared.mark {
            return Ok(());
        }
        let message = format!("`{}` was changed while it ran", self.file.name);
        Err(Error::new(Code::FileIo, message).help("see that the file is complete, then run the same command again"))
    }

    /// The text as the version table keeps it.
    pub(crate) fn kept(&self, most: usize) -> Option<&str> {
        (self.large.is_none() && self.file.text.len() <= most).then_some(&*self.file.text)
    }

    /// The text of a file that need not be in memory, unless it has more than `most` bytes.
    pub(crate) fn whole(&self, most: usize) -> Result<Option<Arc<str>>> {
        let Some(large) = &self.large else {
            return Ok(self.kept(most).map(|_| self.file.text.clone()));
        };
        if large.size() > most as u64 {
            return Ok(None);
        }
        let mut text = String::new();
        let mut reader = large.open().map_err(|error| self.unreadable(&error))?;
        reader
            .read_to_string(&mut text)
            .map_err(|error| self.unreadable(&error))?;
        Ok(Some(text.into()))
    }
}

/// Why a large file was not read to its end.
enum Stop {
    Fault(Fault),
    Error(Error),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What is found out about a script as its statements go by.
pub(super) struct Survey<'s> {
    pub(super) script: &'s Script,
    pub(super) dialect: &'static dyn Dialect,
    pub(super) in_transaction: bool,
    pub(super) statements: u64,
    pub(super) alters: bool,
    pub(super) altered: BTreeSet<String>,
    pragmas: bool,
    reads_schema: &'static [&'static str],
    attached: Attached,
    commits: bool,
    pub(super) dropped: BTreeSet<String>,
    pub(super) renamed: BTreeSet<String>,
    /// The tables that the script has made.
    pub(super) created: BTreeSet<String>,
    pub(super) replaced: BTreeSet<String>,
    switches: bool,
    defers: bool,
    unsettles: bool,
    pub(super) needs_plan: Option<u64>,
    pub(super) asks_count: bool,
    analyzes: bool,
    /// A statement has come by that counts the rows which it changes.
    pub(super) counted: bool,
    marks: Option<Marks>,
    between: Between,
    temporary: Vec<String>,
    opened: Opened,
}

impl Survey<'_> {
    /// What is known at the end.
    fn prepared(self, checksum: Checksum, mark: Option<u128>) -> Prepared {
        Prepared {
            statements: self.statements,
            alters: self.alters || !self.altered.is_empty(),
            altered: self.altered,
            pragmas: self.pragmas || !self.replaced.is_empty(),
            reads_schema: self.reads_schema,
            attached: self.attached,
            switches: self.switches,
            defers: self.defers,
            unsettles: self.unsettles,
            drops: self.marks.as_ref().map(Marks::drops),
            for_good: self.marks.as_ref().map_or_else(Vec::new, Marks::for_good),
            between: self.between,
            groups: self.marks.map_or_else(Vec::new, |marks| marks.groups(self.statements)),
            temporary: self.temporary,
            needs_plan: self.needs_plan,
            analyzes: self.analyzes,
            asks_count: self.asks_count,
            commits: self.commits,
            dropped: self.dropped,
            replaced: self.replaced,
            renamed: self.renamed,
            checksum,
            mark,
        }
    }

    /// What it does that would last for the next revision.
    fn lasts(&mut self, statement: &str) {
        self.attached.read(statement, self.dialect);
        if self.reads_schema.is_empty() {
            self.reads_schema = self.dialect.reads_schema(statement);
        }
    }

    fn statement(&mut self, statement: &Statement<'_>) -> Result<()> {
        if self.in_transaction {
            self.between.read(self.statements, statement.text, self.dialect);
        }
        // Of the millions of statements in a large script nearly all change rows and do nothing else.
        if self.in_transaction
            && self.dialect.rules().is_about_rows(statement.text)
            && !statement.gap_before.contains("--")
        {
            self.asks(statement)?;
            self.statements += 1;
            return Ok(());
        }
        let table = self.dialect.batch_table(statement.text);
        let needs_plan = table.is_some() && self.dialect.may_need_a_plan(statement.text);
        if self.needs_plan.is_none() {
            let own = needs_plan.then_some(self.statements);
            self.needs_plan = own.or_else(|| directives::first(statement.gap_before, self.dialect, self.statements));
        }
        self.altered.extend(table);
        self.altered
            .extend(directives::altered(statement.gap_before, self.dialect));
        self.asks(statement)?;
        self.pragmas |= self.dialect.touches_session(statement.text);
        self.lasts(statement.text);
        let words = token::keywords(statement.text, self.dialect.rules(), 3);
        self.analyzes |= ["ANALYZE", "OPTIMIZE"]
            .iter()
            .any(|what| words.iter().any(|word| word == what));
        if let Some(drop) = self.dialect.drops_temporary(statement.text, &self.temporary)
            && !self.temporary.contains(&drop)
        {
            self.temporary.push(drop);
        }
        if let Some((what, instead)) = self.dialect.refused(statement.text) {
            let place = Place {
                script: self.script,
                statement,
                index: self.statements,
            };
            return Err(takes_from_the_run(&place, what, instead));
        }
        let start = usize::try_from(statement.offset).unwrap_or(usize::MAX);
        self.directives(statement.gap_before, start.saturating_sub(statement.gap_before.len()))?;
        self.within(statement.raw, start)?;
        self.tables(statement.text);
        if let Some(marks) = &mut self.marks {
            marks.read(self.statements, statement.text, self.dialect);
        }
        if let Some(references) = self.dialect.references() {
            self.unsettles |= references.unsettles(statement.text);
            self.defers |= self.in_transaction && references.defers(statement.text);
        }
        if self.in_transaction && self.dialect.meant_switch(statement.text).is_some_and(|(_, on)| !on) {
            // A script that does so needs the schema at hand, to see whom it would concern.
            (self.alters, self.switches) = (true, true);
        }
        let place = Place {
            script: self.script,
            statement,
            index: self.statements,
        };
        if self.in_transaction {
            no_transaction_control(&place, self.dialect)?;
            can_stand_in_transaction(&place, self.dialect)?;
        } else {
            self.opened.read(&place, self.dialect);
        }
        self.commits = self.commits || self.dialect.ddl_commits() && self.dialect.stands_alone(statement.text);
        self.statements += 1;
        Ok(())
    }
}

/// The error for a statement that would take from the session what the run stands on.
fn takes_from_the_run(place: &Place<'_>, what: &str, instead: &str) -> Error {
    let (file, span) = place.in_file();
    let message = format!("`{}` would change what the run itself stands on", file.name);
    Error::new(Code::ScriptSession, message)
        .at(&file, span, what)
        .state("nothing was run")
        .help(instead)
}

/// Refuses statements that the database would refuse in the revision's transaction.
fn can_stand_in_transaction(place: &Place<'_>, dialect: &'static dyn Dialect) -> Result<()> {
    let Some(what) = dialect.not_in_transaction(place.statement.text) else {
        return Ok(());
    };
    let (file, span) = place.in_file();
    let message = format!("`{}` has a statement that cannot run in a transaction", file.name);
    Err(Error::new(Code::OutsideTransaction, message)
        .at(&file, span, format!("{what} runs outside of transactions only"))
        .state("nothing was run")
        .help("write `transaction: none` into the revision's header; best, let it stand there alone"))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::code::Code;
    use crate::dialect::sqlite::Sqlite;
    use crate::revision::{Header, LargeText, Script};
    use crate::source::SourceFile;

    /// A file that somebody may write.
    #[derive(Debug, Default)]
    struct Written(AtomicBool);

    impl LargeText for Written {
        fn size(&self) -> u64 {
            9
        }

        fn open(&self) -> io::Result<Box<dyn Read>> {
            Ok(Box::new(&b"SELECT 1;"[..]))
        }

        fn mark(&self) -> u128 {
            u128::from(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn a_large_file_that_is_written_while_it_runs_is_refused() {
        let large = Arc::new(Written::default());
        let script = Script {
            file: SourceFile::new("a.sql", ""),
            body: 0,
            large: Some(large.clone()),
            known: None,
        };
        let prepared = script.prepare(&Header::new("a"), true, &Sqlite).unwrap();
        script.check_unchanged(&prepared).unwrap();
        large.0.store(true, Ordering::Relaxed);
        assert_eq!(script.check_unchanged(&prepared).unwrap_err().code(), Code::FileIo);
    }
}
