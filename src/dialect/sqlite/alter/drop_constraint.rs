//! DROP CONSTRAINT, and MySQL's DROP PRIMARY KEY, DROP FOREIGN KEY, DROP CHECK and DROP INDEX.

use crate::code::Code;
use crate::dialect::sqlite::alter::{drop_column, not_null};
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::names::{self, Named};
use crate::dialect::sqlite::site::Site;
use crate::error::Result;
use crate::sql::parse::alter::Dropped;
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::ClauseKind;

pub(super) fn apply(draft: &mut Draft<'_>, site: &Site<'_>, name: &Name, if_exists: bool, what: Dropped) -> Result<()> {
    let index = draft.indexes.iter_mut().find(|index| {
        let unique = index.object.sql.to_ascii_uppercase().starts_with("CREATE UNIQUE");
        let fits = matches!(what, Dropped::Index) || what == Dropped::Any && unique;
        index.kept && fits && name.is(&index.object.name)
    });
    if let Some(index) = index {
        index.kept = false;
        index.at = site.index;
        draft.reasons.push("an index is dropped, the table stays".to_owned());
        return Ok(());
    }
    let fits = |named: &Named| match (&named.clause.kind, what) {
        (_, Dropped::Any)
        | (ClauseKind::References(_), Dropped::ForeignKey)
        | (ClauseKind::Check(_), Dropped::Check)
        | (ClauseKind::Unique { .. }, Dropped::Index) => name.is(&named.name),
        _ => false,
    };
    let Some(named) = names::constraints(draft).into_iter().find(fits) else {
        if if_exists {
            draft
                .notices
                .push(format!("`{}` has no constraint `{}`: skipped", draft.name(), name.text));
            return Ok(());
        }
        return Err(names::missing(draft, site, name));
    };
    remove(draft, site, &named)
}

pub(super) fn primary_key(draft: &mut Draft<'_>, site: &Site<'_>) -> Result<()> {
    let key = |named: &Named| matches!(named.clause.kind, ClauseKind::PrimaryKey { .. });
    if let Some(named) = names::constraints(draft).into_iter().find(key) {
        remove(draft, site, &named)
    } else {
        let message = format!("table `{}` has no primary key", draft.name());
        Err(site.refuse(Code::BatchNoConstraint, message, "nothing to drop"))
    }
}

fn remove(draft: &mut Draft<'_>, site: &Site<'_>, named: &Named) -> Result<()> {
    match &named.clause.kind {
        ClauseKind::PrimaryKey { .. } => {
            if draft.table.without_rowid() {
                let message = format!("`{}` is stored by its primary key (WITHOUT ROWID)", draft.name());
                return Err(site
                    .refuse(Code::BatchUnsupported, message, "cannot be without one")
                    .help(drop_column::with_rowids(draft.name())));
            }
            let columns = draft.table.primary_key();
            let never_null = draft.table.rowid_alias().is_some() || draft.table.strict();
            erase(draft, site, named)?;
            draft.key_changed = true;
            draft.must_copy("the primary key is part of how the table is stored");
            if never_null {
                for column in columns {
                    not_null::write_not_null(draft, site, &column)?;
                }
            }
            Ok(())
        }
        ClauseKind::Unique { .. } => {
            draft.must_copy("a UNIQUE constraint of the table is part of how it is stored");
            erase(draft, site, named)
        }
        ClauseKind::References(key) => {
            draft.references_dropped += key.columns.len().max(1);
            draft
                .reasons
                .push("a foreign key is a matter of the definition".to_owned());
            erase(draft, site, named)
        }
        ClauseKind::NotNull => {
            let column = Name {
                text: named.column.clone().unwrap_or_default(),
                span: site.span.clone(),
            };
            not_null::drop(draft, site, &column)
        }
        _ => {
            draft.reasons.push("a CHECK is a matter of the definition".to_owned());
            erase(draft, site, named)
        }
    }
}

/// Takes a constraint out of the definition, and with a foreign key the DEFERRABLE that speaks of it.
pub(super) fn erase(draft: &mut Draft<'_>, site: &Site<'_>, named: &Named) -> Result<()> {
    if named.written.is_none() {
        draft.dropped.push(named.name.clone());
    }
    let Some(column) = &named.column else {
        return draft
            .table
            .remove_element(&named.clause.span)
            .map_err(|text| site.broken(&text));
    };
    if matches!(named.clause.kind, ClauseKind::References(_)) {
        let after = |start: usize| move |clause: &&crate::sql::parse::define::Clause| clause.span.start > start;
        let stray = draft.table.column(column).and_then(|column| {
            column
                .clauses
                .iter()
                .filter(after(named.clause.span.start))
                .take_while(|clause| !matches!(clause.kind, ClauseKind::References(_)))
                .find(|clause| matches!(clause.kind, ClauseKind::Deferrable))
                .map(|clause| clause.span.clone())
        });
        if let Some(span) = stray {
            draft.table.remove_clause(&span).map_err(|text| site.broken(&text))?;
        }
    }
    draft
        .table
        .remove_clause(&named.clause.span)
        .map_err(|text| site.broken(&text))
}
