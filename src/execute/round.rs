//! Up, down and up again: the way back of a generated revision, from what its upgrade leaves, and proved with it.

use std::borrow::Cow;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::execute::autogenerate::{Autogenerate, generated};
use crate::execute::declared;
use crate::execute::naming::unnamed;
use crate::execute::piece::{Piece, script};
use crate::execute::replay::Replay;
use crate::revision::Header;
use crate::schema::diff::{self, Alter, Change, Force, Rename};
use crate::schema::{Column, Constraint, Key, Kind, Model, Object, Table};

/// The way back of a revision.
pub struct Back<'m> {
    /// The schema after the upgrade.
    pub left: Cow<'m, Model>,
    /// What leads back, or why nothing does.
    pub down: Result<Vec<Piece>>,
}

impl Autogenerate<'_> {
    /// Finds the way back for a way from one schema to another. After both the upgrade runs once more, and leaves what it
    /// left before.
    ///
    /// # Errors
    /// What the database refuses of the upgrade; `execute::interrupted`.
    pub fn back<'m>(
        &self,
        up: &[Piece],
        (now, wanted): (&Model, &'m Model),
        (renames, undone): (&[Rename], &[Rename]),
    ) -> Result<Back<'m>> {
        let left = if renames.is_empty() {
            self.left(now, Cow::Borrowed(wanted))
        } else {
            // What has no name of its own in the wanted schema may have one there.
            let mut left = self.tried(now, &script(up, self.dialect))?;
            left.tried = now.tried;
            self.left(now, Cow::Owned(left))
        };
        let down = self.led_back(&left, now, undone);
        let proves = !renames.is_empty() || self.dialect.manner().names_follow;
        let down = down.and_then(|down| self.without_names(now, up, down));
        let down = match down {
            Ok(down) if proves => self.again((now, &left), (up, &down), renames).map(|()| down),
            down => down,
        };
        match down {
            Err(error) if error.code() != Code::SchemaNoWords => Err(error),
            down => Ok(Back { left, down }),
        }
    }

    /// What a script that somebody else wrote makes of a schema, as a revision.
    ///
    /// # Errors
    /// What no revision may hold, and what the database refuses, labelled in the script.
    pub fn ran(&self, from: &Model, script: &str) -> Result<Model> {
        let script = generated(script);
        script.prepare(&Header::new("generated"), true, self.dialect)?;
        let mut replay = self.holding(from)?;
        replay.as_revision(&script)?;
        declared::model(replay.driver(), self.table).map(Option::unwrap_or_default)
    }

    /// Says what goes along with tables and columns and is left out of the comparison, so that nothing brings it back.
    pub fn say_what_goes_along(&self, now: &Model, renames: &[Rename], up: &mut [Piece]) {
        let seen = self.seen(now);
        let Cow::Owned(seen) = seen else { return };
        for piece in up {
            let table = piece.change.key();
            let renamed = renames
                .iter()
                .find(|rename| rename.column.is_none() && rename.becomes() == *table);
            let table = renamed.map_or(table, |rename| &rename.table);
            let is_over = |object: &Object, column: &Column| {
                object.columns.contains(&column.folded)
                    || object.create.iter().any(|words| {
                        // Behind its own name and the table's.
                        let columns = words.find('(').map_or("", |at| &words[at..]);
                        diff::names(columns, &column.name)
                    })
            };
            // Elsewhere an index goes on over the columns that are left.
            let goes_along = !self.dialect.manner().constraints_first;
            let goes = |key: &Key, object: &Object| match &piece.change {
                Change::Drop(_) => true,
                Change::Alter(_, alter) => match &**alter {
                    Alter::DropColumn(column) => {
                        goes_along && matches!(key.kind, Kind::Index | Kind::Statistics) && is_over(object, column)
                    }
                    _ => false,
                },
                _ => false,
            };
            let along = now.objects.iter().filter(|(key, object)| {
                object.on.as_ref() == Some(table) && !seen.objects.contains_key(*key) && goes(key, object)
            });
            let along = along.map(|(key, object)| format!("{} {}", key.kind.name().replace('_', " "), object.name));
            let all: Vec<String> = piece.loses.iter().cloned().chain(along).collect();
            piece.loses = Some(all.join(", ")).filter(|all| !all.is_empty());
        }
    }

    /// The schema after an upgrade, with what is left out of the comparison as it is now.
    fn left<'m>(&self, now: &Model, reached: Cow<'m, Model>) -> Cow<'m, Model> {
        let mut left = match self.seen(&reached) {
            Cow::Owned(left) => left,
            Cow::Borrowed(_) => return reached,
        };
        left.tried &= now.tried;
        let seen = self.seen(now);
        for (key, object) in &now.objects {
            if !seen.objects.contains_key(key) {
                left.objects.insert(key.clone(), object.clone());
            }
        }
        for (key, object) in &reached.objects {
            // With their types and defaults, which may not be compared.
            if let Some(there) = left
                .objects
                .get_mut(key)
                .filter(|_| !now.objects.contains_key(key) || seen.objects.contains_key(key))
            {
                *there = object.clone();
            }
        }
        Cow::Owned(left)
    }

    /// The changes that lead back. What had no name of its own gets none, where that is possible.
    fn led_back(&self, left: &Model, now: &Model, undone: &[Rename]) -> Result<Vec<Piece>> {
        let tables = now.objects.values().filter_map(|object| object.table.as_ref());
        let mut constraints = tables.flat_map(|table| &table.constraints);
        if constraints.any(|constraint| !constraint.named.0) {
            let force = Force {
                unnamed: true,
                ..Force::default()
            };
            match self.lead_by(left, now, undone, &force) {
                Err(error) if error.code() != Code::Interrupted => {}
                led => return led,
            }
        }
        self.lead(left, now, undone)
    }

    /// Takes the names again from constraints that had none, and that the upgrade took aside and had to give one: those of
    /// later revisions would be counted otherwise.
    fn without_names(&self, now: &Model, up: &[Piece], mut down: Vec<Piece>) -> Result<Vec<Piece>> {
        let nameless = |table: &Table, same: &Constraint| {
            let mut constraints = table.constraints.iter();
            constraints.any(|constraint| !constraint.named.0 && constraint.same(same))
        };
        let came_again = |piece: &Piece| match &piece.change {
            Change::Alter(_, alter) => match &**alter {
                Alter::AddConstraint(added) => {
                    let mut tables = now.objects.values().filter_map(|object| object.table.as_ref());
                    tables.any(|table| nameless(table, added))
                }
                _ => false,
            },
            _ => false,
        };
        if !self.dialect.manner().names_follow || !up.iter().any(came_again) {
            return Ok(down);
        }
        let both = format!("{}\n{}", script(up, self.dialect), script(&down, self.dialect));
        let reached = match self.tried(now, &both) {
            Err(error) if error.code() == Code::Interrupted => return Err(error),
            // The proof says so.
            Err(_) => return Ok(down),
            Ok(reached) => reached,
        };
        for (key, object) in &now.objects {
            let (Some(meant), Some(there)) = (&object.table, reached.table(key)) else {
                continue;
            };
            let names = there.constraints.iter().filter(|constraint| {
                constraint.named.0
                    && !meant
                        .constraints
                        .iter()
                        .any(|one| one.named.0 && one.name == constraint.name)
            });
            for named in names.filter(|named| nameless(meant, named)) {
                let mut bare = named.clone();
                bare.named.0 = false;
                for alter in [Alter::DropConstraint(named.clone()), Alter::AddConstraint(bare)] {
                    let change = Change::Alter(key.clone(), Box::new(alter));
                    if let Some(statements) = self.dialect.render(&unnamed(&change), &reached, now) {
                        down.push(Piece::new(&change, statements, &reached, now));
                    }
                }
            }
        }
        Ok(down)
    }

    /// Runs both, and the first once more, where the one before left off.
    fn again(&self, (now, left): (&Model, &Model), (up, down): (&[Piece], &[Piece]), renames: &[Rename]) -> Result<()> {
        let scripts = (script(up, self.dialect), script(down, self.dialect));
        if renames.is_empty() {
            let changed = diff::compare(&self.seen(now), &self.seen(left));
            if let Some(part) = self.part(now, left, &changed)
                && self.up_down_up((&now.part(&part), &left.part(&part)), &scripts).is_ok()
            {
                return Ok(());
            }
        }
        self.up_down_up((now, left), &scripts)
    }

    fn up_down_up(&self, (now, left): (&Model, &Model), (up, down): &(String, String)) -> Result<()> {
        let turns = [
            (up, left, "the upgrade"),
            (down, now, "the downgrade"),
            (up, left, "the upgrade after the downgrade"),
        ];
        // Each was proved alone before. In one transaction they may fail for that.
        if self.undoes() && self.undone(now, &mut |replay| self.turns_undone(replay, &turns))? {
            return Ok(());
        }
        let mut replay = self.holding(now)?;
        for (script, meant, what) in turns {
            replay.as_revision(&generated(script)).map_err(|error| {
                if error.code() == Code::Interrupted {
                    return error;
                }
                let labels = error.labels().iter().map(|label| label.text.as_str());
                let words: Vec<&str> = std::iter::once(error.message()).chain(labels).collect();
                Error::new(Code::SchemaNoWords, format!("{what} fails")).cause(words.join(": "))
            })?;
            self.is_there(&mut replay, &self.seen(meant))??;
        }
        Ok(())
    }

    /// Whether scripts that are undone lead where they are meant to.
    fn turns_undone(&self, replay: &mut Replay, turns: &[(&String, &Model, &str)]) -> Result<bool> {
        for (script, meant, _) in turns {
            let failed = replay.refuses(&generated(script))?;
            if failed.is_some() || self.is_there(replay, &self.seen(meant))?.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
