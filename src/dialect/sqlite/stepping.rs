//! Views and triggers that step aside while SQLite renames something: it refuses while one of them does not compile, and
//! what does not compile cannot follow. They come back as they were.

use std::collections::BTreeSet;

use crate::dialect::sqlite::inspect::{Object, State, views_and_triggers, words};
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::{bytes, still, strangers};
use crate::dialect::{Ask, Op};
use crate::error::Result;
use crate::sql::write::quoted;

/// What steps aside, in the order in which it comes back.
#[derive(Debug)]
pub(super) struct Aside(Vec<Object>);

impl Aside {
    /// What does not compile, and what hangs on that: temporary triggers of a view, which go with it, and the triggers behind
    /// one of the same table, which would fire before it otherwise. `renamed` are the names that change: whoever says one is
    /// led along by SQLite, and stays where it is.
    ///
    /// # Errors
    /// `batch::unsupported` where the text of one is not what is stored, and what the database says to the questions.
    pub(super) fn of(
        broken: &[Object],
        renamed: &[&str],
        state: &State,
        site: &Site<'_>,
        ask: &mut dyn Ask,
    ) -> Result<Self> {
        if broken.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let of_kind = |kind: &'static str| broken.iter().filter(move |object| object.kind == kind);
        let mut aside: Vec<Object> = of_kind("view").cloned().collect();
        let mut tables: Vec<String> = Vec::new();
        let says = |object: &Object| {
            let words = words(&object.sql);
            renamed.iter().any(|name| words.contains(&name.to_ascii_lowercase()))
        };
        let all = views_and_triggers(ask, &state.schema)?.into_iter();
        for trigger in all.filter(|object| object.kind == "trigger") {
            let table = trigger.table.to_ascii_lowercase();
            if of_kind("trigger").any(|one| one.name == trigger.name) {
                tables.push(table);
            } else if !tables.contains(&table) || says(&trigger) {
                continue;
            }
            aside.push(trigger);
        }
        if of_kind("view").next().is_some() {
            let is_view = |table: &str| of_kind("view").any(|view| view.name.eq_ignore_ascii_case(table));
            let temporary = views_and_triggers(ask, "temp")?.into_iter();
            aside.extend(temporary.filter(|object| object.kind == "trigger" && is_view(&object.table)));
        }
        let why = "it steps aside, since SQLite renames nothing beside what does not compile: others would come back";
        bytes::refuse_any(aside.iter(), why, site, ask)?;
        Ok(Self(aside))
    }

    /// What a script asks first: that all of it is as the revisions make it, and that nothing else hangs on it.
    ///
    /// # Errors
    /// Those of the replay.
    pub(super) fn checks(
        &self,
        broken: &[Object],
        state: &State,
        site: &Site<'_>,
        ask: &mut dyn Ask,
    ) -> Result<Vec<Op>> {
        let mut names: BTreeSet<String> = BTreeSet::from([state.table.name().text.to_ascii_lowercase()]);
        let views = state.related.iter().filter(|object| object.kind == "view");
        names.extend(views.map(|view| view.name.to_ascii_lowercase()));
        // What reads something else comes back as it was, whether or not it compiles.
        let reads = |object: &&Object| !words(&object.sql).is_disjoint(&names);
        let broken: Vec<&Object> = broken.iter().filter(reads).collect();
        let mut checks = still::broken(&broken, state, site.index, ask)?;
        checks.extend(still::stored(&self.0, state, site.index));
        checks.extend(strangers::none_on(&self.0, site.index));
        Ok(checks)
    }

    /// It goes.
    pub(super) fn goes(&self, site: &Site<'_>) -> Vec<Op> {
        let drop = |object: &Object| {
            let kind = object.kind.to_ascii_uppercase();
            format!(
                "DROP {kind} {}.{}",
                quoted(&object.schema, '"'),
                quoted(&object.name, '"')
            )
        };
        let all = self.0.iter().rev();
        all.map(|object| Op::sql(drop(object), site.index)).collect()
    }

    /// It comes back.
    pub(super) fn comes_back(&self, site: &Site<'_>) -> Vec<Op> {
        let all = self.0.iter();
        all.map(|object| Op::sql(object.statement(), site.index)).collect()
    }
}
