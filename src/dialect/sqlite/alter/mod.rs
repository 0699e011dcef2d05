//! What each action of an ALTER TABLE does to the draft of the table. One file for each kind of action.

mod add_column;
mod add_constraint;
mod change_column;
mod default;
mod drop_column;
mod drop_constraint;
mod foreign_key;
mod identity;
mod not_null;
mod rename_constraint;
mod reorder;
mod set_option;
mod set_type;

use crate::dialect::Ask;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::site::Site;
use crate::error::Result;
use crate::sql::parse::alter::ActionKind;

/// Applies one action to the draft.
///
/// `verbatim` says that SQLite itself takes the statement, so that a definition in it stays as it is written.
///
/// # Errors
/// The `batch::…` codes, labelled in the file.
pub(super) fn apply(
    draft: &mut Draft<'_>,
    site: &Site<'_>,
    action: &ActionKind,
    verbatim: bool,
    ask: &mut dyn Ask,
) -> Result<()> {
    match action {
        ActionKind::AddColumn {
            if_not_exists,
            column,
            place,
        } => {
            let add = add_column::Add {
                if_not_exists: *if_not_exists,
                place: place.as_ref(),
                verbatim,
            };
            add_column::apply(draft, site, column, add, ask)
        }
        ActionKind::DropColumn { if_exists, name } => drop_column::apply(draft, site, name, *if_exists, ask),
        ActionKind::SetNotNull(column) => not_null::set(draft, site, column),
        ActionKind::DropNotNull(column) => not_null::drop(draft, site, column),
        ActionKind::Nullable(column) => not_null::drop_from_key(draft, site, column),
        ActionKind::SetDefault { column, value } => default::set(draft, site, column, value),
        ActionKind::DropDefault(column) => default::drop(draft, site, column),
        ActionKind::SetType {
            column,
            data_type,
            collation,
            using,
            literal,
        } => {
            let change = set_type::Change {
                column,
                data_type,
                collation: collation.as_ref(),
                using: using.as_ref(),
                literal: *literal,
            };
            set_type::apply(draft, site, &change)
        }
        ActionKind::ChangeColumn { from, column, place } => {
            change_column::apply(draft, site, from, column, place.as_ref())
        }
        ActionKind::AddConstraint(clause) => add_constraint::apply(draft, site, clause, ask),
        ActionKind::AddIndex { unique, name, list } => add_constraint::index(draft, site, *unique, name.as_ref(), list),
        ActionKind::DropConstraint { if_exists, name, what } => {
            drop_constraint::apply(draft, site, name, *if_exists, *what)
        }
        ActionKind::DropPrimaryKey => drop_constraint::primary_key(draft, site),
        ActionKind::RenameConstraint { from, to } => rename_constraint::apply(draft, site, from, to),
        ActionKind::ValidateConstraint(name) => add_constraint::validate(draft, site, name, ask),
        ActionKind::AddIdentity(column) => identity::add(draft, site, column),
        ActionKind::DropIdentity { if_exists, column } => identity::drop(draft, site, column, *if_exists),
        ActionKind::DropExpression { if_exists, column } => identity::drop_expression(draft, site, column, *if_exists),
        ActionKind::SetExpression { column, expression } => identity::set_expression(draft, site, column, expression),
        ActionKind::Reorder(columns) => reorder::apply(draft, site, columns),
        ActionKind::SetOption { option, on } => set_option::apply(draft, site, *option, *on),
        ActionKind::RenameColumn { .. } if site.index > 0 => {
            // The statements before this one have to run first.
            draft.split = true;
            Ok(())
        }
        ActionKind::RenameTable(_) | ActionKind::RenameColumn { .. } => Err(site
            .refuse(
                crate::code::Code::BatchUnsupported,
                "this RENAME cannot come before the other actions of its statement",
                "among other actions",
            )
            .help("write it as an ALTER TABLE of its own")),
    }
}
