//! From the difference of two schemas to the scripts of a revision, proved on scratch before anybody sees them.
//!
//! What is generated is tried at once: the engine runs each change, and the model is read again. Where a change fails,
//! harder means are tried in turn: what stands in the way is dropped and made again, then foreign keys go first and come
//! last. Tables are never made anew by hand: the batch engine of SQLite does so where it must, with all its guards.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::code::Code;
use crate::dialect::{Dialect, Scratch};
use crate::error::{Error, Result};
use crate::execute::declared::{self, Lens, has_body};
use crate::execute::harder::{around, harder, in_steps, is_astray, say_unfilled};
use crate::execute::joined;
use crate::execute::naming;
use crate::execute::online::OnDriver;
use crate::execute::piece::{Piece, script};
use crate::execute::replay::{MakeScratch, Replay};
use crate::execute::stuck::{Stuck, advice, led_elsewhere, refused, said};
use crate::execute::undone::{Kept, Resume};
use crate::revision::Script;
use crate::schema::diff::{self, Change, Force, Manner, Rename};
use crate::schema::{Key, Kind, Model, order};
use crate::sorted::Gather as _;
use crate::source::SourceFile;
use crate::version::VersionTable;

/// How often the model is read again for what a change brought along, such as views that a rename rewrote.
const ROUNDS: usize = 4;

/// What a comparison needs.
pub struct Autogenerate<'a> {
    /// Whose schemas they are.
    pub dialect: &'static dyn Dialect,
    /// Makes databases to try things on.
    pub scratch: MakeScratch<'a>,
    /// Goes on with one that was made before another.
    pub resume: Resume<'a>,
    /// Those that are used again.
    pub kept: &'a Kept,
    /// The version table, which is no part of a schema.
    pub table: &'a VersionTable,
    /// What is left out, if something is.
    pub lens: Option<Lens<'a>>,
    /// A new NOT NULL column without a default comes nullable, and is made NOT NULL when it was filled.
    pub not_null_in_steps: bool,
}

impl Autogenerate<'_> {
    /// The changes that lead from one schema to the other, with the statements that make them. They were run on scratch
    /// and lead there.
    ///
    /// # Errors
    /// `schema::no_words` for a difference that no statement makes; what the database refuses on scratch.
    pub fn lead(&self, from: &Model, to: &Model, renames: &[Rename]) -> Result<Vec<Piece>> {
        self.lead_by(from, to, renames, &Force::default())
    }

    /// Likewise by these means at least.
    pub(super) fn lead_by(&self, from: &Model, to: &Model, renames: &[Rename], force: &Force) -> Result<Vec<Piece>> {
        // What is the same is the same through any lens, and a copy of a large schema is not cheap. An index that stands for a
        // constraint is not the same: the lens may take the one away and leave the other.
        let named_alike = from.objects.len() == to.objects.len() && from.objects.keys().eq(to.objects.keys());
        let is_whole = self.lens.is_none();
        if self.respelled(from, to, renames).is_empty()
            && named_alike
            && !is_whole
            && diff::compare(from, to).is_empty()
        {
            return Ok(Vec::new());
        }
        let to = &*self.settled(to, from)?;
        let (present, wanted) = (self.seen(from), self.seen(to));
        let renames = &*self.respelled(&present, &wanted, renames);
        let changed = diff::compare(&present, &wanted);
        if renames.is_empty() && changed.is_empty() {
            return Ok(Vec::new());
        }
        // A renamed table goes and another one comes.
        let is_in = |part: &BTreeSet<Key>, rename: &Rename| {
            part.contains(&rename.table) && (rename.column.is_some() || part.contains(&rename.becomes()))
        };
        if let Some(part) = self.part(from, to, &changed)
            && renames.iter().all(|rename| is_in(&part, rename))
        {
            let (from, present, wanted) = (from.part(&part), present.part(&part), wanted.part(&part));
            match self.led((&from, &present), &wanted, renames, force) {
                Err(error) if error.code() != Code::Interrupted => {}
                led => return led,
            }
        }
        self.led((from, &present), &wanted, renames, force)
    }

    /// The renames, and those of columns whose names differ in letters that others read.
    fn respelled(&self, from: &Model, to: &Model, renames: &[Rename]) -> Vec<Rename> {
        let mut renames = renames.to_vec();
        if self.dialect.manner().letters_shown {
            renames.extend(diff::respelled(from, to, &renames));
        }
        renames
    }

    /// What is enough to try the changes with.
    pub(super) fn part(&self, from: &Model, to: &Model, changed: &BTreeSet<Key>) -> Option<BTreeSet<Key>> {
        let mut scratch = || Some(Box::new(OnDriver((self.scratch)().ok()?)) as Box<dyn Scratch>);
        self.dialect.part(from, to, changed, &mut scratch)
    }

    /// Tries means after means.
    fn led(
        &self,
        (from, present): (&Model, &Model),
        wanted: &Model,
        renames: &[Rename],
        force: &Force,
    ) -> Result<Vec<Piece>> {
        let mut force = force.clone();
        force.joined.extend(joined::moved(self.dialect, present, wanted));
        let mut before: BTreeMap<Key, Error> = BTreeMap::new();
        loop {
            let stuck = match self.attempt(from, wanted, renames, &force)? {
                Ok(pieces) => match self.proved(from, wanted, &pieces) {
                    Ok(()) => return Ok(pieces),
                    // A value that was added to a type cannot be used before the end of the transaction.
                    Err(error)
                        if error.code() == Code::Interrupted || !self.types_anew(&mut force, from, wanted, &pieces) =>
                    {
                        return Err(error);
                    }
                    Err(_) => continue,
                },
                Err(stuck) => stuck,
            };
            if !harder(&mut force, present, wanted, &stuck) {
                // What could not be done says more than that there is no harder way.
                let advice = advice(&stuck, from, wanted);
                let before = before.remove(&stuck.key).filter(|_| stuck.wordless);
                let error = before.unwrap_or(stuck.error);
                return Err(match advice {
                    Some(help) => error.help(help),
                    None => error,
                });
            }
            before.insert(stuck.key, stuck.error);
        }
    }

    /// Of a model what is compared.
    pub fn seen<'m>(&self, model: &'m Model) -> Cow<'m, Model> {
        let Some(lens) = self.lens else {
            return Cow::Borrowed(model);
        };
        let mut seen = model.clone();
        lens(&mut seen);
        Cow::Owned(seen)
    }

    /// How the two differ, whether or not statements are found for it.
    ///
    /// # Errors
    /// Those of [`Autogenerate::lead`] but for `schema::no_words`.
    pub fn differences(&self, from: &Model, to: &Model, renames: &[Rename]) -> Result<Vec<Piece>> {
        match self.lead(from, to, renames) {
            Err(error) if error.code() == Code::SchemaNoWords => {
                let (from, to) = (self.settled(from, to)?, self.settled(to, from)?);
                let (from, to) = (self.seen(&from), self.seen(&to));
                let changes = diff::changes(&from, &to, Manner::default(), &Force::default());
                Ok(changes
                    .iter()
                    .map(|change| Piece::new(change, Vec::new(), &from, &to))
                    .collect())
            }
            lead => lead,
        }
    }

    /// What a script makes of a schema, when it runs on scratch.
    ///
    /// # Errors
    /// What the database refuses, labelled in the script.
    pub fn tried(&self, from: &Model, script: &str) -> Result<Model> {
        let script = generated(script);
        if self.undoes()
            && let Some(model) = self.tried_undone(from, &script)?
        {
            return Ok(model);
        }
        let mut replay = self.holding(from)?;
        declared::run(&mut replay, &script)?;
        declared::model(replay.driver(), self.table).map(Option::unwrap_or_default)
    }

    pub(super) fn model(&self, replay: &mut Replay) -> Result<Model> {
        let mut model = declared::model(replay.driver(), self.table)?.unwrap_or_default();
        if let Some(lens) = self.lens {
            lens(&mut model);
        }
        Ok(model)
    }

    fn attempt(
        &self,
        from: &Model,
        wanted: &Model,
        renames: &[Rename],
        force: &Force,
    ) -> Result<Result<Vec<Piece>, Stuck>> {
        if self.undoes() {
            let (found, tied) = self.undone(from, &mut |replay| {
                let found = self.attempt_on(replay, (from, wanted), renames, force)?;
                Ok((found, replay.is_tied()))
            })?;
            if !tied {
                return Ok(found);
            }
        }
        self.attempt_on(&mut self.holding(from)?, (from, wanted), renames, force)
    }

    fn attempt_on(
        &self,
        replay: &mut Replay,
        (from, wanted): (&Model, &Model),
        renames: &[Rename],
        force: &Force,
    ) -> Result<Result<Vec<Piece>, Stuck>> {
        let dialect = replay.driver().dialect();
        let mut pieces = Vec::new();
        let mut present = self.model(replay)?;
        // What columns stand on is let go by its changes, and is in the way of no rename.
        let stands_under =
            |key: &&Key| matches!(key.kind, Kind::Type | Kind::Domain | Kind::Function | Kind::Procedure);
        let in_the_way: BTreeSet<Key> = force
            .recreate
            .iter()
            .filter(|key| !stands_under(key))
            .cloned()
            .into_set();
        if !renames.is_empty() && !in_the_way.is_empty() {
            let drops = order::removal(&present, &in_the_way).into_iter();
            // Others have these names when tables have theirs.
            let drops = drops.filter(|key| present.objects.contains_key(key));
            let drops = drops.map(Change::Drop).collect();
            if let Err(stuck) = self.run_all(drops, replay, &mut present, wanted, force, &mut pieces)? {
                return Ok(Err(stuck));
            }
        }
        let ran = self.renamed(renames, replay, &mut present, wanted, force, &mut pieces)?;
        if let Err(stuck) = ran {
            return Ok(Err(stuck));
        }
        let none = Force {
            bodies_unread: force.bodies_unread,
            unnamed: force.unnamed,
            ..Force::default()
        };
        for round in 0..ROUNDS {
            let force = if round == 0 { force } else { &none };
            let changes = diff::changes(&present, wanted, dialect.manner(), force);
            let changes = joined::together(changes, force, (&present, wanted));
            if changes.is_empty() {
                let fills = filled(&pieces, wanted);
                let ran = self.run(replay, &fills, (&present, wanted), force, &mut pieces)?;
                return Ok(ran.map(|()| pieces));
            }
            if round > 0
                && let Some(change) = changes.iter().find(|change| is_astray(change, from, wanted))
            {
                return Ok(Err(led_elsewhere(change)));
            }
            // ALTERs of one table are one run, of which the engine makes one copy.
            let mut groups = changes.chunk_by(|one, other| joined::is_one(one, other, force, (&present, wanted)));
            while let Some(group) = groups.next() {
                if let Err(mut stuck) = self.run(replay, group, (&present, wanted), force, &mut pieces)? {
                    // Elsewhere nothing is taken out of the way of an ALTER.
                    if matches!(group, [Change::Alter(..), ..]) && !stuck.manner.constraints_first {
                        stuck.alike = self.alike(replay, &stuck, groups, (&present, wanted), force)?;
                    }
                    stuck.renamed = (!renames.is_empty()).then(|| Box::new(present));
                    return Ok(Err(stuck));
                }
            }
            present = self.model(replay)?;
        }
        let left = diff::changes(&present, wanted, dialect.manner(), &none);
        Ok(match left.first() {
            Some(change) => Err(led_elsewhere(change)),
            None => Ok(pieces),
        })
    }

    /// The tables, other than the one where a way stopped, whose changes the database refuses in the same words: to begin
    /// anew for each of them would take its time.
    fn alike<'c>(
        &self,
        replay: &mut Replay,
        stuck: &Stuck,
        groups: impl Iterator<Item = &'c [Change]>,
        (from, to): (&Model, &Model),
        force: &Force,
    ) -> Result<Vec<Key>> {
        let mut alike = Vec::new();
        for group in groups.filter(|group| matches!(group, [Change::Alter(..), ..])) {
            let ran = self.run(replay, group, (from, to), force, &mut Vec::new())?;
            alike.extend(
                ran.err()
                    .filter(|other| other.said == stuck.said)
                    .map(|other| other.key),
            );
        }
        Ok(alike)
    }

    /// Has the types made anew that the changes would give values; whether there are any.
    fn types_anew(&self, force: &mut Force, from: &Model, wanted: &Model, pieces: &[Piece]) -> bool {
        let before = force.replace.len();
        let adds = |piece: &Piece| {
            let mut statements = piece.statements.iter();
            statements.any(|statement| statement.contains(" ADD VALUE "))
        };
        let altered = pieces.iter().filter_map(|piece| match &piece.change {
            Change::Redefine(key) if key.kind == Kind::Type && adds(piece) => Some(key.clone()),
            _ => None,
        });
        let can = |key: &Key| {
            self.dialect
                .render(&Change::Replace(key.clone()), from, wanted)
                .is_some()
        };
        force.replace.extend(altered.filter(can));
        force.replace.len() > before
    }

    /// Runs changes on scratch, as they will stand in the script.
    pub(super) fn run(
        &self,
        replay: &mut Replay,
        changes: &[Change],
        (from, to): (&Model, &Model),
        force: &Force,
        pieces: &mut Vec<Piece>,
    ) -> Result<Result<(), Stuck>> {
        let dialect = replay.driver().dialect();
        let mut group = Vec::new();
        for change in changes {
            let steps = if self.not_null_in_steps { in_steps(change) } else { None };
            let statements = match &steps {
                Some((first, word, last)) => {
                    let both = dialect.render(first, from, to).zip(dialect.render(last, from, to));
                    both.map(|(first, last)| around(first, word, last))
                }
                None if force.unnamed => dialect.render(&naming::unnamed(change), from, to),
                None => dialect.render(change, from, to),
            };
            let Some(statements) = statements else {
                return Ok(Err(Stuck {
                    wordless: true,
                    ..led_elsewhere(change)
                }));
            };
            let mut statements = statements;
            if steps.is_none() {
                say_unfilled(change, to, dialect.manner(), &mut statements);
            }
            let compared = self.table.compares(Kind::Owner) && self.table.compares(Kind::Grant);
            if dialect.manner().privileges && !compared && is_made_anew(change, from, to) {
                let word = format!(
                    "-- Owner and privileges of {} are not brought back.",
                    change.key().shown()
                );
                statements.insert(0, word.replace('\n', " "));
            }
            let makes = matches!(change, Change::Create(_) | Change::Redefine(_)) && has_body(change.key());
            if let Some([unread, _]) = dialect.bodies_unread().filter(|_| force.bodies_unread && makes) {
                statements.insert(0, unread.to_owned());
            }
            // What a parent's change brings along needs no words of its own.
            if !statements.is_empty() {
                group.push(Piece::new(change, statements, from, to));
            }
        }
        if group.is_empty() {
            return Ok(Ok(()));
        }
        joined::join(&mut group, force, (from, to), dialect.rules());
        let script = generated(&script(&group, dialect));
        let ran = declared::run(replay, &script);
        pieces.extend(group);
        if let Err(error) = &ran
            && error.code() == Code::Interrupted
        {
            return Err(error.clone());
        }
        Ok(ran.map_err(|error| Stuck {
            key: changes[0].key().clone(),
            refused: true,
            wordless: false,
            reads_bodies: dialect.bodies_unread().is_some() && has_body(changes[0].key()),
            manner: dialect.manner(),
            said: said(&error),
            alike: Vec::new(),
            renamed: None,
            renaming: false,
            error: refused(&changes[0], &error, &script, dialect.rules()),
        }))
    }

    /// Runs the whole once more in one piece, as it will be read.
    fn proved(&self, from: &Model, wanted: &Model, pieces: &[Piece]) -> Result<()> {
        let script = script(pieces, self.dialect);
        if !self.undoes() {
            return self.in_parts(from, wanted, &[(script, false)]);
        }
        self.undone(from, &mut |replay| {
            Ok(match replay.refuses(&generated(&script))? {
                Some(error) => Err(error),
                None => self.is_there(replay, wanted)?,
            })
        })?
    }

    /// Runs scripts one after the other as revisions, each in a transaction or `alone`, and sees whether they lead there.
    ///
    /// # Errors
    /// `schema::no_words` when they lead elsewhere; what the database refuses.
    pub fn in_parts(&self, from: &Model, wanted: &Model, parts: &[(String, bool)]) -> Result<()> {
        let wanted = self.settled(wanted, from)?;
        let wanted = self.seen(&wanted);
        let mut replay = self.holding(from)?;
        for (text, alone) in parts {
            if *alone {
                declared::run(&mut replay, &generated(text))?;
            } else {
                replay.as_revision(&generated(text))?;
            }
        }
        self.is_there(&mut replay, &wanted)?
    }

    /// Whether scratch holds a schema now; the outer error is one of reading it.
    pub(super) fn is_there(&self, replay: &mut Replay, wanted: &Model) -> Result<Result<()>> {
        let reached = self.model(replay)?;
        let manner = replay.driver().dialect().manner();
        let changes = diff::changes(&reached, wanted, manner, &Force::default());
        Ok(match changes.first() {
            None => Ok(()),
            Some(change) => Err(led_elsewhere(change).error),
        })
    }
}

/// Whether an object is dropped that comes back.
fn is_made_anew(change: &Change, from: &Model, to: &Model) -> bool {
    let Change::Drop(key) = change else {
        return matches!(change, Change::Replace(_));
    };
    let has_owner = matches!(
        key.kind,
        Kind::Type | Kind::Domain | Kind::Sequence | Kind::Function | Kind::View
    );
    has_owner && from.objects.contains_key(key) && to.objects.contains_key(key)
}

pub(super) fn generated(text: &str) -> Script {
    Script {
        file: SourceFile::new("the generated script", text),
        body: 0,
        large: None,
        known: None,
    }
}

/// The fills of what is made anew beside rows that it takes from elsewhere.
fn filled(pieces: &[Piece], wanted: &Model) -> Vec<Change> {
    let created = |key: &Key| pieces.iter().any(|piece| piece.change == Change::Create(key.clone()));
    let fills = |key: &&Key| {
        let object = &wanted.objects[*key];
        // A view that is made anew stands on tables with rows.
        let mut uses = object.uses.iter();
        !object.fill.is_empty() && uses.any(|key| key.kind == Kind::View || !created(key))
    };
    let made = pieces.iter().filter_map(|piece| match &piece.change {
        Change::Create(key) => Some(key),
        _ => None,
    });
    made.filter(fills).cloned().map(Change::Complete).collect()
}

#[cfg(all(test, feature = "cli"))]
mod tests;
