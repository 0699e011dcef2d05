//! A transaction of a replay of which nothing stays.

use super::Replay;
use crate::code::Code;
use crate::driver::DriverError;
use crate::error::{Error, Result};
use crate::execute::fault;
use crate::revision::{Recreate, Script};

/// What a script that fails within the transaction is undone to.
const APART: [&str; 3] = [
    "SAVEPOINT sqlrev_apart",
    "RELEASE SAVEPOINT sqlrev_apart",
    "ROLLBACK TO SAVEPOINT sqlrev_apart",
];

impl Replay {
    /// Begins what is undone.
    pub(crate) fn begin_undone(&mut self) -> Result<()> {
        self.undone = true;
        self.tied = false;
        self.begin()
    }

    /// Undoes it.
    pub(crate) fn undo(&mut self) -> Result<()> {
        self.undone = false;
        self.temporary.clear();
        self.send("ROLLBACK")
    }

    /// Whether something was refused that another transaction would have had to come before.
    pub(crate) fn is_tied(&self) -> bool {
        self.tied
    }

    /// Takes note of what the database refused.
    pub(super) fn note(&mut self, error: &DriverError) {
        let code = error.code.as_deref().unwrap_or_default();
        self.tied |= self.undone && self.dialect().is_tied(code);
    }

    /// Runs a script; what fails is an error, and has left nothing behind where all is undone.
    pub(crate) fn apart(&mut self, script: &Script) -> Result<()> {
        if !self.undone {
            return self.strictly(script, Recreate::Auto);
        }
        let [save, release, back] = APART;
        self.send(save)?;
        let ran = self.strictly(script, Recreate::Auto);
        if let Err(error) = &ran {
            if error.code() == Code::Interrupted {
                return ran;
            }
            self.send(back)?;
        }
        self.send(release)?;
        ran
    }

    /// Runs a script as a revision would be that is undone: why it fails, if it does.
    pub(crate) fn refuses(&mut self, script: &Script) -> Result<Option<Error>> {
        let ran = self.apart(script).and_then(|()| {
            // As its COMMIT would.
            let ended = self.db.execute("SET CONSTRAINTS ALL IMMEDIATE");
            ended.map_err(|error| fault::commit(&error, script))
        });
        match ran {
            Err(error) if error.code() == Code::Interrupted => Err(error),
            ran => Ok(ran.err()),
        }
    }

    fn send(&mut self, sql: &str) -> Result<()> {
        self.db.execute(sql).map_err(|error| fault::database(&error))
    }
}
