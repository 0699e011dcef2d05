//! An application's connection while a run has it.

use std::time::Duration;

use crate::code::Code;
use crate::dialect::Setting;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::inherit::value;

/// How a run wants the connection, which is how the command line opens one: the same revisions then do the same.
const WANTED: [(Setting, bool); 6] = [
    (Setting::ForeignKeys, true),
    (Setting::LegacyAlterTable, false),
    (Setting::Triggers, true),
    (Setting::IgnoreCheckConstraints, false),
    (Setting::WritableSchema, false),
    (Setting::Defensive, false),
];

/// How long a statement waits before the run hears of it, so that it can tell who is waited for, and be stopped.
const WAIT: Duration = Duration::from_millis(100);

/// The connection. However the run ends, with a panic of the application's own code too, what is open is rolled back
/// and every setting is as it was.
pub(super) struct Borrowed<'d> {
    pub driver: &'d mut dyn Driver,
    settings: Vec<(Setting, bool)>,
    /// What else it had, in the order of [`Dialect::kept`](crate::dialect::Dialect::kept).
    kept: Vec<Option<String>>,
    wait: Option<Duration>,
}

impl<'d> Borrowed<'d> {
    /// Takes the connection.
    ///
    /// # Errors
    /// `execute::in_transaction`.
    pub(super) fn take(driver: &'d mut dyn Driver) -> Result<Self> {
        no_transaction(driver)?;
        let mut borrowed = Self {
            driver,
            settings: Vec::new(),
            kept: Vec::new(),
            wait: None,
        };
        let asked = borrowed.driver.dialect().kept().iter().map(|[query, _]| *query);
        borrowed.kept = asked.map(|query| value(borrowed.driver, query)).collect();
        for (setting, want) in WANTED {
            // A driver that has no such switch has nothing to put back. One that is as it should be is remembered as
            // well: a run may end, in a panic, while it is thrown.
            if let Ok(was) = borrowed.driver.setting(setting, None) {
                borrowed.settings.push((setting, was));
                if was != want {
                    let _ = borrowed.driver.setting(setting, Some(want));
                }
            }
        }
        if let Ok(Some(was)) = borrowed.driver.wait(None)
            && was > WAIT
            && borrowed.driver.wait(Some(WAIT)).is_ok()
        {
            borrowed.wait = Some(was);
        }
        Ok(borrowed)
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if self.driver.in_transaction() == Some(true) {
            let _ = self.driver.execute("ROLLBACK");
        }
        for (setting, was) in self.settings.drain(..).rev() {
            if !self.driver.setting(setting, None).is_ok_and(|is| is == was) {
                let _ = self.driver.setting(setting, Some(was));
            }
        }
        if let Some(was) = self.wait {
            let _ = self.driver.wait(Some(was));
        }
        let mut changed = false;
        for ([query, set], was) in self.driver.dialect().kept().iter().zip(self.kept.drain(..)) {
            if let Some(was) = was
                && value(self.driver, query).as_ref() != Some(&was)
            {
                let _ = self.driver.execute(&format!("{set}{was}"));
                changed = true;
            }
        }
        if let (true, Some(read)) = (changed, self.driver.dialect().any_object()) {
            // A lock that a script had kept is given up with the next read.
            let _ = value(self.driver, read);
        }
    }
}

/// Refuses a connection with a transaction open.
#[inline]
pub(super) fn no_transaction(driver: &dyn Driver) -> Result<()> {
    match driver.in_transaction() {
        Some(true) => Err(in_transaction()),
        _ => Ok(()),
    }
}

#[cold]
fn in_transaction() -> Error {
    Error::new(Code::InTransaction, "the connection has a transaction open")
        .state("nothing was run")
        .help("commit it or roll it back first: each revision has a transaction of its own")
}
