//! What is known of a script that was read to its end.

use std::collections::BTreeSet;

use crate::dialect::{AlterStatement, Dialect, Replaces};
use crate::execute::attached::Attached;
use crate::execute::between::Between;
use crate::execute::group::Group;
use crate::revision::Script;
use crate::revision::checksum::Checksum;
use crate::sorted::Gather as _;

/// What is known of a script after it was read once to its end.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// How many statements it has.
    pub statements: u64,
    /// Whether one of them may have to be rewritten.
    pub alters: bool,
    /// The tables whose statements may have to be rewritten.
    pub altered: BTreeSet<String>,
    /// Whether one of them sets the connection up.
    pub pragmas: bool,
    /// The databases that it attaches.
    pub attached: Attached,
    /// What has the connection read the schema again at its end.
    pub reads_schema: &'static [&'static str],
    /// Whether one of them commits by itself.
    pub commits: bool,
    /// The tables that are dropped.
    pub dropped: BTreeSet<String>,
    /// Those of them whose name another one takes afterwards.
    pub replaced: BTreeSet<String>,
    /// The tables that were there and get another name, and these names.
    pub renamed: BTreeSet<String>,
    /// Whether a statement means to switch foreign keys off.
    pub switches: bool,
    /// Whether a statement says when foreign keys are checked.
    pub defers: bool,
    /// Whether a statement may leave views and triggers behind that do not compile, or foreign keys that fit no key, and
    /// drops no table.
    pub unsettles: bool,
    /// Without a transaction: the statements that replace tables, which are done together.
    pub groups: Vec<Group>,
    /// Likewise: what drops a table, by how many statements come before it.
    pub drops: Option<Vec<(u64, String)>>,
    /// Likewise: the statements, by how many come before them, whose tables are not replaced, though others of their names
    /// may be.
    pub for_good: Vec<u64>,
    /// In a transaction: what is read between statements that drop tables.
    pub between: Between,
    /// The statements that drop what would stay in the session after the revision, in the order in which it is made.
    pub temporary: Vec<String>,
    /// Whether a statement makes the planner's statistics.
    pub analyzes: bool,
    /// Whether a statement asks how many rows the one before it has changed, where others may have come between.
    pub asks_count: bool,
    /// Which statement is the first that may need a batch plan, itself or by a directive before it.
    pub needs_plan: Option<u64>,
    /// The checksum of the file.
    pub checksum: Checksum,
    /// The mark of a large file, which is read once more when it runs.
    pub(super) mark: Option<u128>,
}

impl Prepared {
    /// What is known of a plain script.
    pub(crate) fn plain(statements: u64, checksum: Checksum) -> Self {
        Self {
            statements,
            alters: false,
            altered: BTreeSet::new(),
            pragmas: false,
            attached: Attached::default(),
            reads_schema: &[],
            commits: false,
            dropped: BTreeSet::new(),
            replaced: BTreeSet::new(),
            renamed: BTreeSet::new(),
            switches: false,
            defers: false,
            unsettles: false,
            groups: Vec::new(),
            drops: None,
            for_good: Vec::new(),
            between: Between::default(),
            temporary: Vec::new(),
            analyzes: false,
            asks_count: false,
            needs_plan: None,
            checksum,
            mark: None,
        }
    }

    /// Whether nothing of the script is rewritten, watched, or ended behind it: all that [`Prepared::plain`] says.
    pub(crate) fn is_plain(&self) -> bool {
        let Self {
            statements: _,
            alters,
            altered,
            pragmas,
            attached,
            reads_schema,
            commits,
            dropped,
            replaced,
            renamed,
            switches,
            defers,
            unsettles,
            groups,
            drops,
            for_good,
            between,
            temporary,
            analyzes,
            asks_count,
            needs_plan,
            checksum: _,
            mark,
        } = self;
        let flags = [
            alters, pragmas, commits, switches, defers, unsettles, analyzes, asks_count,
        ];
        let tables = [altered, dropped, replaced, renamed];
        !flags.into_iter().any(|flag| *flag)
            && tables.into_iter().all(BTreeSet::is_empty)
            && attached.is_empty()
            && reads_schema.is_empty()
            && groups.is_empty()
            && drops.is_none()
            && for_good.is_empty()
            && between.is_empty()
            && temporary.is_empty()
            && needs_plan.is_none()
            && mark.is_none()
    }

    /// Whether the author replaces a table by hand, or means to switch foreign keys.
    pub(crate) fn rebuilds(&self) -> bool {
        self.switches || !self.replaced.is_empty()
    }

    /// Whether the statement that so many come before drops a table so that another one takes its place.
    pub(crate) fn replaces(&self, at: u64, table: &str) -> bool {
        self.replaced.contains(table) && !self.for_good.contains(&at)
    }

    /// Whether a table that is replaced by hand gets or loses its name by one of these: what is known of the old one goes with
    /// it, and nothing is known of one that the script made and did not look at.
    pub(crate) fn renames_replaced(&self, run: &[AlterStatement], dialect: &dyn Dialect) -> bool {
        if self.analyzes {
            return false;
        }
        let mut renames = run.iter().filter_map(|alter| dialect.replaces(&alter.text));
        renames.any(|replaces| match replaces {
            Replaces::Renames { from, to } => {
                self.replaced.contains(&from) || self.replaced.contains(&to) && !self.renamed.contains(&from)
            }
            _ => false,
        })
    }

    /// The names under which the tables are and were that are dropped.
    pub(crate) fn taken_away(&self) -> BTreeSet<String> {
        if self.dropped.is_disjoint(&self.renamed) {
            self.dropped.clone()
        } else {
            self.dropped.union(&self.renamed).cloned().into_set()
        }
    }

    /// The tables whose rows may have other numbers afterwards, or another table's name.
    pub(crate) fn loose(&self) -> BTreeSet<String> {
        self.replaced.union(&self.renamed).cloned().into_set()
    }
}

impl Script {
    /// Whether it may hold a RENAME under SQLite's `legacy_alter_table`, which goes by whether foreign keys are on.
    pub(crate) fn may_rename_by_keys(&self) -> bool {
        let text = self.file.text.as_bytes();
        let mut parts = text.windows(LEGACY.len());
        parts.any(|part| part.eq_ignore_ascii_case(LEGACY))
    }
}

const LEGACY: &[u8] = b"legacy_alter_table";
