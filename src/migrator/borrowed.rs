//! An application's connection while a run has it.

use std::time::Duration;

use crate::code::Code;
use crate::dialect::Setting;
use crate::driver::Driver;
use crate::error::{Error, Result};

/// How a run wants the connection, which is how the command line opens one: the same revisions then do the same.
const WANTED: [(Setting, bool); 5] = [
    (Setting::ForeignKeys, true),
    (Setting::LegacyAlterTable, false),
    (Setting::Triggers, true),
    (Setting::IgnoreCheckConstraints, false),
    (Setting::Defensive, false),
];

/// How long a statement waits before the run hears of it, so that it can tell who is waited for, and be stopped.
const WAIT: Duration = Duration::from_millis(100);

/// The connection. However the run ends, with a panic of the application's own code too, what is open is rolled back
/// and every setting is as it was.
pub(super) struct Borrowed<'d> {
    pub driver: &'d mut dyn Driver,
    settings: Vec<(Setting, bool)>,
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
            wait: None,
        };
        for (setting, want) in WANTED {
            // A driver that has no such switch has nothing to put back.
            if let Ok(was) = borrowed.driver.setting(setting, None)
                && was != want
                && borrowed.driver.setting(setting, Some(want)).is_ok()
            {
                borrowed.settings.push((setting, was));
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
            let _ = self.driver.setting(setting, Some(was));
        }
        if let Some(was) = self.wait {
            let _ = self.driver.wait(Some(was));
        }
    }
}

/// Refuses a connection with a transaction open.
pub(super) fn no_transaction(driver: &dyn Driver) -> Result<()> {
    if driver.in_transaction() == Some(true) {
        let message = "the connection has a transaction open";
        return Err(Error::new(Code::InTransaction, message)
            .state("nothing was run")
            .help("commit it or roll it back first: each revision has a transaction of its own"));
    }
    Ok(())
}
