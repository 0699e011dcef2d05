//! Views and triggers that compile, before a script and after it.

use std::collections::BTreeSet;

use crate::dialect::{Broken, Lack, Setting};
use crate::driver::{Driver, DriverError};
use crate::error::Result;
use crate::execute::fault;
use crate::execute::online::Live;
use crate::sorted::{self, Gather as _};

/// The views and triggers that a database had.
#[derive(Debug)]
pub(crate) struct Sound {
    all: BTreeSet<[String; 2]>,
    /// Those that did not compile.
    broken: BTreeSet<[String; 2]>,
    /// Likewise where a name in double quotes is never a text.
    quoted: BTreeSet<[String; 2]>,
}

impl Sound {
    /// Those that there are.
    pub(crate) fn read(driver: &mut dyn Driver) -> Result<Self> {
        let mut all = BTreeSet::new();
        if let Some(query) = driver.dialect().objects() {
            let rows = driver.query(query).map_err(|error| fault::database(&error))?;
            all.extend(rows.into_iter().filter_map(|row| {
                let mut values = row.into_iter().flatten();
                Some([values.next()?, values.next()?])
            }));
        }
        let objects = |broken: Vec<Broken>| broken.into_iter().map(|broken| broken.object).into_set();
        Ok(Self {
            all,
            broken: objects(broken(driver)?),
            quoted: objects(without_texts(driver)?),
        })
    }

    /// Those that compiled and do not now. What is new is its author's own, and so is what a connection lacks that its
    /// application has.
    pub(crate) fn lost(&self, driver: &mut dyn Driver) -> Result<Vec<Broken>> {
        let mut lost = broken(driver)?;
        lost.retain(|broken| !self.broken.contains(&broken.object));
        let mut texts = without_texts(driver)?;
        texts.retain(|other| {
            !self.quoted.contains(&other.object) && lost.iter().all(|lost| lost.object != other.object)
        });
        lost.extend(texts);
        let dialect = driver.dialect();
        lost.retain(|broken| self.all.contains(&broken.object) && dialect.lacks("", "", &broken.words) != Lack::Server);
        sorted::sort_by(&mut lost, |one, other| one.object.cmp(&other.object));
        Ok(lost)
    }
}

/// What does not compile, foreign keys aside: whether those fit is asked elsewhere.
pub(crate) fn broken(driver: &mut dyn Driver) -> Result<Vec<Broken>> {
    with(driver, Setting::ForeignKeys, |driver| {
        let dialect = driver.dialect();
        dialect.broken(&mut Live { driver })
    })
}

/// Likewise where a name in double quotes that nothing has is an error: that of a column which is gone is a text.
fn without_texts(driver: &mut dyn Driver) -> Result<Vec<Broken>> {
    with(driver, Setting::QuotedTexts, broken)
}

/// Does something with a setting off, where the driver has it.
fn with<T>(driver: &mut dyn Driver, setting: Setting, action: impl FnOnce(&mut dyn Driver) -> Result<T>) -> Result<T> {
    let failed = |error: DriverError| fault::database(&error);
    let Ok(was) = driver.setting(setting, None) else {
        return action(driver);
    };
    driver.setting(setting, Some(false)).map_err(failed)?;
    let done = action(driver);
    driver.setting(setting, Some(was)).map_err(failed)?;
    done
}
