//! The ways from the stored table to the draft, the cheapest first: SQLite's own ALTERs, an edit of the stored
//! definition, an index, a copy.

use crate::code::Code;
use crate::dialect::sqlite::demand::Demand;
use crate::dialect::sqlite::draft::{Draft, Source};
use crate::dialect::sqlite::expr;
use crate::dialect::sqlite::oracle::Model;
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::{prove, uncompiled};
use crate::dialect::{Ask, COPY};
use crate::error::Result;
use crate::sql::parse::define::ClauseKind;
use crate::sql::write::quoted;

/// A way.
#[derive(Debug)]
pub(super) enum Way {
    /// SQLite's own ALTERs, then, where the definition still differs, an edit of it.
    Native {
        /// The stored definition has to be edited.
        edit: bool,
        /// The column to write back to itself first, so that no row reads a default from the definition.
        materialise: Option<String>,
    },
    /// Copy and recreate.
    Copy,
}

impl Way {
    /// Whether the table is copied.
    pub(super) fn copies(&self) -> bool {
        matches!(self, Way::Copy)
    }

    /// Whether it writes stored definitions anew.
    pub(super) fn writes(&self) -> bool {
        !matches!(self, Way::Native { edit: false, .. })
    }

    /// The strategy as plans show it.
    pub(super) fn name(&self, draft: &Draft<'_>) -> &'static str {
        match self {
            Way::Copy => COPY,
            Way::Native { edit: true, .. } => "in_place",
            Way::Native { .. }
                if draft.natives.is_empty() && draft.indexes.iter().any(|index| index.old != index.kept) =>
            {
                "index"
            }
            Way::Native { .. } => "native",
        }
    }

    /// Why this way.
    pub(super) fn reason(&self, draft: &Draft<'_>) -> String {
        match (self, &draft.copy) {
            (Way::Copy, Some(reason)) => reason.clone(),
            (Way::Copy, None) => "a script for any SQLite cannot edit the stored definition".to_owned(),
            (Way::Native { .. }, _) => {
                let mut reasons = draft.reasons.clone();
                reasons.dedup();
                if reasons.is_empty() {
                    "there is nothing to do".to_owned()
                } else {
                    reasons.join("; ")
                }
            }
        }
    }
}

/// Where a column becomes another name for the rowid, or stops being one, the rows have to be copied and its values
/// have to be whole numbers.
pub(super) fn settle_rowid(draft: &mut Draft<'_>, site: &Site<'_>) {
    let old = draft.state.table.rowid_alias().map(|alias| alias.name.text.clone());
    let new = draft.table.rowid_alias().map(|alias| alias.name.text.clone());
    let source = new
        .as_ref()
        .and_then(|new| draft.position(new))
        .map(|at| draft.columns[at].source.clone());
    let same = match (&old, &source) {
        (Some(old), Some(Source::Same(from))) => old.eq_ignore_ascii_case(from),
        (None, None) => true,
        _ => false,
    };
    if same {
        return;
    }
    draft.must_copy("the primary key is part of how the table is stored");
    tell_of_rowids(draft, old.as_deref(), new.as_deref());
    if let (Some(new), Some(Source::Same(_) | Source::Converted(..))) = (new, source) {
        let message = format!("a value of `{new}` in `{}` is no whole number", draft.name());
        let demand = Demand {
            code: Code::BatchValueLost,
            message: &message,
            help: "an INTEGER PRIMARY KEY holds whole numbers and nothing else",
        };
        let name = quoted(&new, '"');
        let other = format!(
            "typeof({name}) NOT IN ('integer', 'null') AND NOT (typeof({name}) = 'real' AND {name} = CAST({name} AS INTEGER))"
        );
        draft.demand(site, demand, &other, &[&new]);
        let message = format!("column `{new}` of `{}` holds NULL", draft.name());
        let demand = Demand {
            code: Code::BatchNullValues,
            message: &message,
            help: "give these rows a key first",
        };
        draft.demand(site, demand, &format!("{name} IS NULL"), &[]);
    }
}

/// A column with values of its own that becomes another name for the rowid: the rows had other ones until now.
fn tell_of_rowids(draft: &mut Draft<'_>, old: Option<&str>, new: Option<&str>) {
    let column = new.and_then(|new| draft.columns.get(draft.position(new)?));
    let Some(column) = column.filter(|_| !draft.state.table.without_rowid()) else {
        return;
    };
    let rowid = draft
        .rowid()
        .map(|rowid| format!("{}.{rowid}", quoted(draft.name(), '"')));
    let same = match (&column.origin, &column.source) {
        (Some(from), _) => old.is_some_and(|old| old.eq_ignore_ascii_case(from)),
        // A new column takes the rowids that there are, unless it has a default.
        (None, Source::Added(value)) => value.is_none(),
        (None, Source::Converted(value, _)) => rowid.as_ref() == Some(value),
        (None, Source::Same(_)) => true,
    };
    if same {
        return;
    }
    draft.notices.push(format!(
        "the values of `{}` become the rowids of `{}`: whatever outside the schema names its rows by rowid finds others, \
         or none",
        new.unwrap_or_default(),
        draft.name()
    ));
}

/// Chooses the way, and writes the definition so that it comes out the same on every one.
pub(super) fn choose(draft: &mut Draft<'_>, ask: &mut dyn Ask) -> Result<Way> {
    if draft.is_as_found() {
        draft.natives.clear();
    }
    let only_adds = draft.natives.iter().all(|(sql, _)| sql.contains(" ADD COLUMN "));
    let natively = prove::natively(ask, draft)?;
    let text_fits = natively.as_ref().is_some_and(|(text, _)| text == draft.table.text());
    if draft.copy.is_none() && only_adds && text_fits {
        return Ok(Way::Native {
            edit: false,
            materialise: None,
        });
    }
    if draft.copy.is_some() {
        return Ok(Way::Copy);
    }
    if ask.offline() || !writable(ask)? {
        return Ok(Way::Copy);
    }
    if draft.natives.iter().any(|(sql, _)| sql.contains(" DROP COLUMN "))
        && let Some(broken) = uncompiled::broken_anyway(ask, draft.state)?.first()
    {
        let reason = format!(
            "SQLite's own DROP COLUMN refuses while {} `{}` does not compile",
            broken.kind, broken.name
        );
        draft.must_copy(reason);
        return Ok(Way::Copy);
    }
    let model = prove::model(ask, draft)?;
    let Some(edit) = fits(draft, natively.as_ref(), model.as_ref()) else {
        draft.must_copy("SQLite's own ALTERs refuse the change");
        return Ok(Way::Copy);
    };
    let materialise = if draft.default_changed && draft.state.rows == Some(true) {
        // Temporary triggers fire whatever is said (SQLITE_DBCONFIG_ENABLE_TRIGGER), by rows written to themselves too.
        let mut triggers = draft.state.triggers.iter();
        if triggers.any(|trigger| trigger.schema == "temp") {
            draft.must_copy("a temporary trigger would see rows that are written to themselves");
            return Ok(Way::Copy);
        }
        let column = writable_column(draft);
        if column.is_none() {
            draft.must_copy("older rows read the default from the definition");
            return Ok(Way::Copy);
        }
        column
    } else {
        None
    };
    Ok(Way::Native { edit, materialise })
}

/// Whether SQLite's own ALTERs lead to a table that is stored as the draft is, and if so whether its text still
/// differs.
fn fits(draft: &Draft<'_>, natively: Option<&(String, Model)>, model: Option<&Model>) -> Option<bool> {
    match (natively, model) {
        (Some((text, native)), Some(model)) => {
            (native.layout() == model.layout()).then_some(text != draft.table.text())
        }
        // Scratch cannot build the table, for want of a function say: only the definition may change.
        (None, None) if draft.natives.is_empty() => Some(draft.table.text() != draft.state.table.text()),
        _ => None,
    }
}

/// A column that can be written back to itself without touching an index or a constraint.
fn writable_column(draft: &Draft<'_>) -> Option<String> {
    let table = &draft.state.table;
    if table.without_rowid() {
        return None;
    }
    let free = |name: &str| {
        let in_index = draft.state.indexes.iter().any(|index| expr::mentions(&index.sql, name));
        let in_constraint = table.constraints().any(|(owner, clause)| {
            let own = owner.is_some_and(|owner| owner.name.is(name));
            let among = |columns: &[crate::sql::parse::cursor::Name]| columns.iter().any(|column| column.is(name));
            match &clause.kind {
                ClauseKind::PrimaryKey { columns, .. } | ClauseKind::Unique { columns, .. } => own || among(columns),
                ClauseKind::References(key) => own || among(&key.columns) || among(&key.parent),
                ClauseKind::Generated { expression, .. } => own || expr::mentions(table.at(expression), name),
                _ => false,
            }
        });
        !in_index && !in_constraint
    };
    table
        .columns()
        .map(|column| column.name.text.clone())
        .find(|name| free(name))
}

/// Whether the schema table can be written to: a defensive connection ignores the switch.
fn writable(ask: &mut dyn Ask) -> Result<bool> {
    let read = |ask: &mut dyn Ask| -> Result<bool> {
        let rows = ask.query("PRAGMA writable_schema")?;
        Ok(rows
            .into_iter()
            .flatten()
            .flatten()
            .next()
            .is_some_and(|value| value != "0"))
    };
    if read(ask)? {
        return Ok(true);
    }
    ask.query("PRAGMA writable_schema = ON")?;
    let took = read(ask)?;
    ask.query("PRAGMA writable_schema = OFF")?;
    Ok(took)
}
