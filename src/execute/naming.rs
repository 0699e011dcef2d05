//! Renames on the way from one schema to another, and constraints that have the name which a rename gives them.

use crate::error::Result;
use crate::execute::autogenerate::Autogenerate;
use crate::execute::piece::Piece;
use crate::execute::replay::Replay;
use crate::execute::stuck::Stuck;
use crate::schema::diff::{Alter, Change, Force, Rename};
use crate::schema::{Kind, Model};

impl Autogenerate<'_> {
    /// Makes room for renames, and renames.
    pub(super) fn renamed(
        &self,
        renames: &[Rename],
        replay: &mut Replay,
        present: &mut Model,
        wanted: &Model,
        force: &Force,
        pieces: &mut Vec<Piece>,
    ) -> Result<Result<(), Stuck>> {
        let first = in_the_way(renames, present);
        if let Err(stuck) = self.run_all(first, replay, present, wanted, force, pieces)? {
            return Ok(Err(stuck));
        }
        for rename in renames {
            // It was dropped to be made anew, under the new name.
            if force.recreate.contains(&rename.table) && !present.objects.contains_key(&rename.table) {
                continue;
            }
            let change = renaming(rename, present);
            if let Err(mut stuck) = self.run_all(vec![change], replay, present, wanted, force, pieces)? {
                stuck.renaming = true;
                stuck.renamed = Some(Box::new(present.clone()));
                return Ok(Err(stuck));
            }
        }
        Ok(Ok(()))
    }

    /// Runs changes one by one, and reads the schema after them.
    pub(super) fn run_all(
        &self,
        changes: Vec<Change>,
        replay: &mut Replay,
        present: &mut Model,
        wanted: &Model,
        force: &Force,
        pieces: &mut Vec<Piece>,
    ) -> Result<Result<(), Stuck>> {
        if changes.is_empty() {
            return Ok(Ok(()));
        }
        for change in changes {
            if let Err(stuck) = self.run(replay, &[change], (present, wanted), force, pieces)? {
                return Ok(Err(stuck));
            }
        }
        *present = self.model(replay)?;
        Ok(Ok(()))
    }
}

/// A change that adds a constraint, without the name that nobody wrote.
pub(super) fn unnamed(change: &Change) -> Change {
    let mut change = change.clone();
    if let Change::Alter(_, alter) = &mut change
        && let Alter::AddConstraint(constraint) = &mut **alter
        && !constraint.named.0
    {
        constraint.name.clear();
    }
    change
}

/// What has a name that is given to something else, and does not get another one: it goes first.
fn in_the_way(renames: &[Rename], present: &Model) -> Vec<Change> {
    let mut found = Vec::new();
    for rename in renames {
        if rename.column.is_some() {
            let columns = present
                .table(&rename.table)
                .map(|table| &table.columns[..])
                .unwrap_or_default();
            let stays = |folded: &str| {
                let gone = |other: &Rename| other.table == rename.table && other.column.as_deref() == Some(folded);
                !renames.iter().any(gone)
            };
            let taken = columns.iter().find(|column| column.folded == rename.folded);
            let taken = taken.filter(|column| stays(&column.folded));
            found.extend(
                taken.map(|column| Change::Alter(rename.table.clone(), Box::new(Alter::DropColumn(column.clone())))),
            );
        } else {
            let taken = present.objects.keys().find(|key| {
                key.kind == Kind::Table
                    && key.schema == rename.table.schema
                    && key.name == rename.folded
                    && !renames
                        .iter()
                        .any(|other| other.column.is_none() && other.table == **key)
            });
            found.extend(taken.map(|key| Change::Drop(key.clone())));
        }
    }
    found
}

fn renaming(rename: &Rename, present: &Model) -> Change {
    match &rename.column {
        None => Change::RenameTable {
            table: rename.table.clone(),
            to: rename.to.clone(),
        },
        Some(column) => {
            let spelled = present.table(&rename.table).and_then(|table| table.column(column));
            let alter = Alter::RenameColumn {
                from: spelled.map_or_else(|| column.clone(), |column| column.name.clone()),
                to: rename.to.clone(),
            };
            Change::Alter(rename.table.clone(), Box::new(alter))
        }
    }
}
