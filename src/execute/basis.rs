//! What a plan for a database that is there stands on: the schema that the database has, and how far a revision came that
//! stopped half-way.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::Setting;
use crate::error::Result;
use crate::execute::online::OnDriver;
use crate::execute::record::{self, Scripted};
use crate::execute::replay::Replay;
use crate::execute::seen::Seen;
use crate::execute::{Executor, bookkeeping, fault, lock, run};
use crate::revision::plan::Plan;
use crate::revision::{RevisionId, Transaction};
use crate::sorted::Gather as _;

/// The scripts of a plan, and what it begins with.
pub struct Basis<'p> {
    pub(crate) scripts: Vec<Scripted<'p>>,
    pub(crate) start: Start,
}

impl std::fmt::Debug for Basis<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Basis({} scripts)", self.scripts.len())
    }
}

/// Where a plan begins.
#[derive(Default)]
pub(crate) struct Start {
    /// The schema of the database, without its rows.
    pub(crate) schema: Option<Replay>,
    /// Why there is none, where there should be one.
    pub(crate) without: Option<String>,
    /// How many statements of a revision have run that stopped half-way.
    pub(crate) done: BTreeMap<RevisionId, u64>,
}

impl Executor<'_> {
    /// Reads what a plan for this database has to know of it. The database is only read, and not locked for longer than
    /// each query takes.
    ///
    /// # Errors
    /// `script::…`, `execute::unfinished`, `lock::timeout` and `database::…`.
    pub fn basis<'p>(&mut self, seen: &Seen, plan: &'p Plan) -> Result<Basis<'p>> {
        let scripts = record::prepare(self.graph, self.sources, self.driver.dialect(), plan)?;
        let mut start = Start {
            done: self.half_done(seen, &scripts)?,
            ..Start::default()
        };
        if !scripts.is_empty() {
            self.mirror(seen, &scripts, &mut start)?;
        }
        Ok(Basis { scripts, start })
    }

    /// How far the revisions came that stopped half-way; refuses what their runs would refuse.
    fn half_done(&mut self, seen: &Seen, scripts: &[Scripted<'_>]) -> Result<BTreeMap<RevisionId, u64>> {
        let dialect = self.driver.dialect();
        let mut done = BTreeMap::new();
        for Scripted { step, prepared, .. } in scripts {
            let id = &step.revision;
            let Some(unfinished) = seen.row(id).and_then(|row| row.unfinished) else {
                continue;
            };
            let revision = self.graph.revision(step.node);
            let alone = prepared.commits || dialect.ddl_commits() || revision.header.transaction == Transaction::None;
            if !alone {
                return Err(run::changed_half_way(revision));
            }
            if unfinished.direction != step.direction {
                continue;
            }
            let ready = self.ready((*step).clone())?;
            self.refuse_to_go_on(&ready, Some(unfinished))?;
            done.insert(id.clone(), unfinished.statements);
        }
        Ok(done)
    }

    /// Makes the schema of the database again, as the first step will find it.
    fn mirror(&mut self, seen: &Seen, scripts: &[Scripted<'_>], start: &mut Start) -> Result<()> {
        let Some(mirrors) = self.driver.dialect().mirrors() else {
            return Ok(());
        };
        let altered: BTreeSet<String> = scripts
            .iter()
            .flat_map(|scripted| scripted.prepared.altered.iter().cloned())
            .into_set();
        let made = lock::retry(self.driver, self.patience, self.events, |driver| {
            let mut scratch = OnDriver(driver.scratch()?);
            let mut failed = None;
            let mut live = |sql: &str| {
                driver.query(sql).map_err(|error| {
                    let words = fault::database(&error);
                    failed = Some(error);
                    words
                })
            };
            let mirror = mirrors.mirror(&mut live, &altered, &mut scratch);
            match failed {
                Some(error) => Err(error),
                None => Ok((scratch.0, mirror)),
            }
        });
        let (mut scratch, mirror) = made?;
        let mirror = match mirror {
            Ok(mirror) => mirror,
            Err(error) => {
                start.without = Some(error.message().to_owned());
                return Ok(());
            }
        };
        bookkeeping::own_tables(&self.table, self.lent.index, seen.table, &mut *scratch)
            .and_then(|creates| creates.iter().try_for_each(|create| scratch.execute(create)))
            .map_err(|error| fault::database(&error))?;
        if let Ok(defensive) = self.driver.setting(Setting::Defensive, None) {
            let _ = scratch.setting(Setting::Defensive, Some(defensive));
        }
        // There are no rows that foreign keys would keep, and a script may have switched them off.
        let _ = scratch.setting(Setting::ForeignKeys, Some(false));
        start.schema = Some(Replay::over(scratch, mirror));
        Ok(())
    }
}
