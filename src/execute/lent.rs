//! What an application lends to its runs.

use std::path::{Path, PathBuf};

use crate::code::Code;
use crate::dialect::Dialect;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::Executor;
use crate::execute::event::Event;
use crate::execute::fault;
use crate::execute::kit::{self, Kit, Whole};
use crate::execute::lock::Patience;
use crate::execute::shown::Shown;
use crate::execute::step::Ready;
use crate::revision::{Direction, Revision, Script, Transaction};
use crate::sql::split::Piece;
use crate::sql::token;

/// What an application lends to its runs; the command line lends nothing.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Lent<'a> {
    /// Creates the index that answers whether there is anything to do, in the transaction of the first step.
    pub index: bool,
    /// Leaves the code of applications out, on a database that is there to try the SQL alone.
    pub no_code: bool,
    /// Refuses what reaches beyond a copy to rehearse on, before anything runs.
    pub copy: bool,
    /// The code that runs inside revisions.
    pub code: Option<&'a dyn OwnCode>,
    /// What is done before the first step.
    pub first: Option<&'a dyn First>,
    /// What is done for scripts that are not plain; none where there are no others.
    pub(crate) kit: Option<&'static dyn Kit>,
}

impl Default for Lent<'_> {
    fn default() -> Self {
        Self {
            index: false,
            no_code: false,
            copy: false,
            code: None,
            first: None,
            kit: Some(&Whole),
        }
    }
}

/// Code of the application's own that runs inside the transaction of a revision.
pub trait OwnCode {
    /// Whether there is any for a revision in this direction.
    fn is_there(&self, revision: &str, direction: Direction) -> bool;

    /// Runs it.
    ///
    /// # Errors
    /// Whatever the application fails with; the revision is rolled back.
    fn run(&self, revision: &str, direction: Direction, driver: &mut dyn Driver) -> Result<()>;
}

/// Something that is done when a plan is made and read, and nothing was changed yet.
pub trait First {
    /// Whether there is anything to be done before these steps.
    ///
    /// # Errors
    /// Where it is to be done and cannot be.
    fn is_wanted(&self, driver: &mut dyn Driver, changes: Changes<'_>) -> Result<bool>;

    /// Does it, and returns the file that it made. The database is locked for writing, where the driver can copy it then.
    ///
    /// # Errors
    /// Whatever stops the run before anything is changed.
    fn before(
        &self,
        driver: &mut dyn Driver,
        patience: Patience<'_>,
        events: &mut dyn FnMut(Event<'_>),
    ) -> Result<Option<PathBuf>>;

    /// The database is as it was, so what was made is not needed.
    fn was_for_nothing(&self, file: &Path);

    /// The steps are done.
    fn after(&self, driver: &mut dyn Driver, file: &Path);
}

/// Tells whether the steps do more than create tables, indexes, views and triggers.
pub type Changes<'c> = &'c dyn Fn() -> Result<bool>;

impl Lent<'_> {
    /// Whether code runs in a step; refuses where it should and is not here.
    pub(crate) fn runs_code(&self, revision: &Revision, direction: Direction) -> Result<bool> {
        if !revision.header.code || self.no_code {
            return Ok(false);
        }
        let id = revision.id().as_str();
        let here = |direction| self.code.is_some_and(|code| code.is_there(id, direction));
        if revision.header.transaction == Transaction::None {
            return Err(alone(revision));
        }
        // A downgrade may need none, but whoever has none at all cannot know.
        if here(direction) || direction == Direction::Downgrade && here(Direction::Upgrade) {
            return Ok(here(direction));
        }
        Err(missing(revision))
    }
}

/// The error for code in a revision without a transaction.
#[cold]
pub(crate) fn alone(revision: &Revision) -> Error {
    let message = format!("revision `{}` says `code: true` and `transaction: none`", revision.id());
    placed(Error::new(Code::OwnCodeUnexpected, message), revision)
        .help("code runs in the transaction of its revision: give it a revision of its own")
}

/// The error for code in a revision whose statements commit by themselves.
#[cold]
pub(crate) fn not_held(revision: &Revision) -> Error {
    let id = revision.id().as_str();
    let message = format!("revision `{id}` says `code: true`, and a statement of it commits by itself");
    placed(Error::new(Code::OwnCodeUnexpected, message), revision)
        .help("code runs in the transaction of its revision: give it a revision of its own")
}

/// The error for code that ended the transaction of its revision. Whether it was committed nobody can tell.
#[cold]
fn ended(ready: &Ready<'_>) -> Error {
    let id = &ready.step.revision;
    let message = format!("the code of revision `{id}` ended the transaction it ran in");
    Error::new(Code::ScriptTransaction, message)
        .state(format!(
            "what the code committed of revision `{id}` stays, and the version table does not know of it; the rest was \
             rolled back"
        ))
        .help("leave COMMIT and ROLLBACK to the run")
}

/// The error where the code of a revision is not at hand.
#[cold]
pub(crate) fn missing(revision: &Revision) -> Error {
    let message = format!(
        "code of its application runs in revision `{}`, and it is not here",
        revision.id()
    );
    placed(Error::new(Code::OwnCodeMissing, message), revision)
        .state("nothing was run")
        .help("run the application that has it; or, when what it does was done in another way: sqlrev stamp TARGET")
}

fn placed(error: Error, revision: &Revision) -> Error {
    match revision.places.file() {
        Some(file) => error.at(file, revision.places.id(), "says `code: true`"),
        None => error,
    }
}

impl Executor<'_> {
    /// Runs the code of the application, where there is any.
    pub(crate) fn code(&mut self, ready: &Ready<'_>, statements: &mut Vec<Shown>) -> Result<()> {
        let (Some(code), true) = (self.lent.code, ready.code) else {
            return Ok(());
        };
        self.patience.check()?;
        self.settle(ready)?;
        // Gone with the transaction, also where the code began another one.
        let begun = self.driver.execute("SAVEPOINT sqlrev_code");
        begun.map_err(|error| fault::database(&error))?;
        code.run(ready.step.revision.as_str(), ready.step.direction, self.driver)?;
        if self.driver.in_transaction() == Some(false) || self.driver.execute("RELEASE SAVEPOINT sqlrev_code").is_err()
        {
            return Err(ended(ready));
        }
        if self.keep_statements {
            statements.push(Shown::code(ready.step.direction));
        }
        Ok(())
    }
}

impl Ready<'_> {
    /// Whether the step does more than create tables, indexes, views and triggers.
    pub(crate) fn changes(&self, dialect: &'static dyn Dialect, kit: Option<&'static dyn Kit>) -> Result<bool> {
        if self.step.direction == Direction::Downgrade || self.code {
            return Ok(true);
        }
        kit::needed(kit)?.changes(&self.script, dialect)
    }
}

impl Script {
    /// Whether it does more than create tables, indexes, views and triggers.
    pub(crate) fn changes(&self, dialect: &'static dyn Dialect) -> Result<bool> {
        let mut statements = self.statements(dialect.rules())?;
        while let Some(piece) = statements.next().map_err(|fault| self.fault(&fault))? {
            match piece {
                Piece::Statement(statement) if !only_creates(statement.text, dialect) => return Ok(true),
                Piece::Statement(_) => {}
                _ => return Ok(true),
            }
        }
        Ok(false)
    }
}

fn only_creates(statement: &str, dialect: &'static dyn Dialect) -> bool {
    let words = token::keywords(statement, dialect.rules(), 2);
    matches!(words.first().map(String::as_str), Some("CREATE" | "ANALYZE" | "PRAGMA"))
        && words.get(1).is_none_or(|word| word != "OR")
}
