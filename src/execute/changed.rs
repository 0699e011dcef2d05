//! How many rows the author's last statement has changed, for the next one that asks: plans, checks and what is written
//! down change rows as well.

use crate::code::Code;
use crate::dialect::{CHANGES, TOTAL_CHANGES};
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::fault;
use crate::execute::scripts::{PLANS, Survey};
use crate::execute::walk::Place;

use crate::sql::split::Statement;

/// The count as the author's statements left it.
#[derive(Debug)]
pub(crate) struct Changed {
    /// The script asks for it.
    asked: bool,
    last: String,
}

impl Changed {
    /// That of a script that begins.
    pub(crate) fn new(asked: bool) -> Self {
        Self {
            asked,
            last: "0".to_owned(),
        }
    }

    /// Gives it back before a statement that asks for it.
    pub(crate) fn before(&self, driver: &mut dyn Driver, statement: &str) -> Result<()> {
        let dialect = driver.dialect();
        if !self.asked || dialect.asks_count(statement).is_none() || now(driver)? == self.last {
            return Ok(());
        }
        for sql in dialect.give_count(&self.last) {
            driver.execute(&sql).map_err(|error| fault::database(&error))?;
        }
        Ok(())
    }

    /// Keeps it after a statement that may have set it.
    pub(crate) fn after(&mut self, driver: &mut dyn Driver, statement: &str) -> Result<()> {
        if self.asked && driver.dialect().sets_count(statement) {
            self.last = now(driver)?;
        }
        Ok(())
    }
}

fn now(driver: &mut dyn Driver) -> Result<String> {
    let rows = driver.query(&format!("SELECT {CHANGES}"));
    let rows = rows.map_err(|error| fault::database(&error))?;
    Ok(rows.into_iter().flatten().flatten().next().unwrap_or_default())
}

impl Survey<'_> {
    /// Sees whether a statement asks for changed rows where others than the author's may have changed some.
    pub(super) fn asks(&mut self, statement: &Statement<'_>) -> Result<()> {
        // What another revision has changed in the same run is no answer either.
        let first = !self.counted;
        self.counted = self.counted || self.dialect.sets_count(statement.text);
        let plan = PLANS && self.needs_plan.is_some();
        let ours = plan || !self.in_transaction || !self.altered.is_empty() || !self.dropped.is_empty();
        if !ours && !first {
            return Ok(());
        }
        match self.dialect.asks_count(statement.text) {
            Some(TOTAL_CHANGES) if plan => Err(counts_ours(&Place {
                script: self.script,
                statement,
                index: self.statements,
            })),
            asks => {
                self.asks_count |= asks.is_some();
                Ok(())
            }
        }
    }
}

/// That of the connection goes up alone, so nothing gives it back.
fn counts_ours(place: &Place<'_>) -> Error {
    let (file, span) = place.in_file();
    let message = format!(
        "`{}` asks for {TOTAL_CHANGES} behind an ALTER that may change rows by itself",
        file.name
    );
    Error::new(Code::BatchUnsupported, message)
        .at(&file, span, "would count the rows of a batch plan as well")
        .state("nothing was run")
        .help(format!(
            "let it come before the ALTERs; or ask for {CHANGES}, which is the author's own behind them"
        ))
}
