//! All that changes of a table as one ALTER TABLE, where a database refuses its parts one after the other: an engine that
//! has no such key, a type that only the next engine has. MySQL and MariaDB look at the table that there is in the end
//! (MySQL's manual, section "ALTER TABLE Statement").

use crate::dialect::Dialect;
use crate::execute::piece::Piece;
use crate::execute::stuck::Stuck;
use crate::schema::diff::{Alter, Change, Force};
use crate::schema::{ConstraintKind, Key, Kind, Model};
use crate::sql::split::SplitRules;
use crate::sql::token;

/// How the statements begin that can be joined.
const HEAD: &str = "ALTER TABLE ";

/// Asks for it where a way stopped, and takes the changes of the table apart again where all in one are refused; `false`
/// when both was tried.
pub(super) fn ask(force: &mut Force, stuck: &Stuck, (from, to): (&Model, &Model)) -> bool {
    let on = |model: &Model| model.objects.get(&stuck.key).and_then(|object| object.on.clone());
    let table = match stuck.key.kind {
        Kind::Table => Some(stuck.key.clone()),
        Kind::Index => on(from).or_else(|| on(to)),
        _ => None,
    };
    let stays = |table: &Key| from.table(table).is_some() && to.table(table).is_some();
    let Some(table) = table.filter(stays) else {
        return false;
    };
    force.joined.insert(table.clone()) || force.apart.insert(table)
}

/// The tables that another engine is to hold: it may have no such keys and columns as there are, nor the old one those that
/// come.
pub(super) fn moved<'m>(dialect: &dyn Dialect, from: &'m Model, to: &'m Model) -> impl Iterator<Item = Key> + 'm {
    let one_engine = !dialect.manner().whole_columns;
    let tables = from
        .objects
        .keys()
        .filter(move |key| !one_engine && key.kind == Kind::Table);
    let both = tables.filter_map(|key| Some((key, from.table(key)?, to.table(key)?)));
    let moved = both.filter(|(_, now, then)| now.options.get("engine") != then.options.get("engine"));
    moved.map(|(key, ..)| key.clone())
}

/// The table that a change is joined with others of. Foreign keys have to do with other tables as well.
fn joined<'m>(change: &'m Change, force: &Force, (from, to): (&'m Model, &'m Model)) -> Option<&'m Key> {
    let table = match change {
        Change::Alter(table, alter) => match &**alter {
            Alter::AddConstraint(key) | Alter::DropConstraint(key) if key.kind == ConstraintKind::ForeignKey => None,
            _ => Some(table),
        },
        Change::Create(key) | Change::Drop(key) | Change::Redefine(key) if key.kind == Kind::Index => {
            let object = to.objects.get(key).or_else(|| from.objects.get(key));
            object.and_then(|object| object.on.as_ref())
        }
        _ => None,
    };
    table.filter(|table| force.joined.contains(*table) && !force.apart.contains(*table))
}

/// Whether two changes, one behind the other, are one run.
pub(super) fn is_one(one: &Change, other: &Change, force: &Force, models: (&Model, &Model)) -> bool {
    let both_alter = matches!((one, other), (Change::Alter(a, _), Change::Alter(b, _)) if a == b);
    let (first, second) = (joined(one, force, models), joined(other, force, models));
    first == second && (first.is_some() || both_alter)
}

/// The changes with those of each table that are joined at the place of the first one.
pub(super) fn together(changes: Vec<Change>, force: &Force, models: (&Model, &Model)) -> Vec<Change> {
    if force.joined.is_empty() {
        return changes;
    }
    let mut out: Vec<Change> = Vec::with_capacity(changes.len());
    for change in changes {
        let table = joined(&change, force, models);
        let last = table.and_then(|table| {
            out.iter()
                .rposition(|other| joined(other, force, models) == Some(table))
        });
        match last {
            Some(last) => out.insert(last + 1, change),
            None => out.push(change),
        }
    }
    out
}

/// Makes one statement of a run's; one piece has it, and the others say nothing. What cannot be joined stays as it
/// is.
pub(super) fn join(pieces: &mut [Piece], force: &Force, models: (&Model, &Model), rules: &SplitRules) {
    let can = pieces.len() > 1
        && pieces
            .iter()
            .all(|piece| joined(&piece.change, force, models).is_some());
    let Some(statements) = can.then(|| one_of(pieces, rules)).flatten() else {
        return;
    };
    let lost: Vec<String> = pieces.iter_mut().filter_map(|piece| piece.loses.take()).collect();
    for piece in pieces.iter_mut() {
        piece.statements.clear();
    }
    // What is lost stands beside what loses it, also for a command that takes operations out.
    let loses = |piece: &Piece| {
        let Change::Alter(_, alter) = &piece.change else {
            return false;
        };
        matches!(**alter, Alter::DropColumn(_))
    };
    let at = pieces.iter().position(loses).unwrap_or_default();
    pieces[at].statements = statements;
    pieces[at].loses = Some(lost.join(", ")).filter(|lost| !lost.is_empty());
}

fn one_of(pieces: &[Piece], rules: &SplitRules) -> Option<Vec<String>> {
    let (mut before, mut after): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut table: Option<&str> = None;
    let mut clauses: Vec<&str> = Vec::new();
    for piece in pieces {
        let mut altered = false;
        for statement in &piece.statements {
            if let Some(rest) = statement.strip_prefix(HEAD) {
                let name = &rest[..token::tokens(rest, rules).next()?.span.end];
                if altered || !name.ends_with('`') || table.is_some_and(|table| table != name) {
                    return None;
                }
                (table, altered) = (Some(name), true);
                clauses.extend(parts(&rest[name.len() + 1..], rules));
            } else if statement.starts_with("--") || statement.starts_with("SET ") {
                let list = if altered { &mut after } else { &mut before };
                if !list.contains(statement) {
                    list.push(statement.clone());
                }
            } else {
                return None;
            }
        }
    }
    // One that adds to the mode leaves what others have set.
    let sets = |statement: &&String| statement.starts_with("SET ") && !statement.contains("= CONCAT(@@SESSION.");
    let modes = before.iter().filter(sets);
    let apart = |clause: &&str| {
        ["PARTITION ", "REMOVE ", "ALTER ", "CHANGE "]
            .iter()
            .any(|word| clause.starts_with(word))
    };
    if modes.count() > 1 || after.len() > 1 || clauses.iter().any(apart) {
        return None;
    }
    // A column may be said once, and what is said last holds; nothing is to be said of one that comes or goes.
    let column = |clause: &str, head: &str| {
        let name = clause.strip_prefix(head)?;
        let end = token::tokens(name, rules).next()?.span.end;
        Some(name[..end].to_owned())
    };
    let said: Vec<Option<String>> = clauses.iter().map(|clause| column(clause, "MODIFY COLUMN ")).collect();
    let gone: Vec<String> = clauses
        .iter()
        .filter_map(|clause| column(clause, "DROP COLUMN "))
        .collect();
    let comes = |name: &String| {
        clauses
            .iter()
            .any(|clause| column(clause, "ADD COLUMN ").as_ref() == Some(name))
    };
    if said.iter().flatten().any(comes) {
        return None;
    }
    let is_gone = |name: &String| gone.contains(name);
    let is_last = |at: &usize| match &said[*at] {
        Some(name) => !is_gone(name) && !said[at + 1..].contains(&said[*at]),
        None => true,
    };
    let clauses: Vec<&str> = (0..clauses.len()).filter(is_last).map(|at| clauses[at]).collect();
    before.push(format!("{HEAD}{} {}", table?, clauses.join(", ")));
    before.extend(after);
    Some(before)
}

/// The clauses of a statement, cut at the commas between them.
fn parts<'s>(text: &'s str, rules: &SplitRules) -> Vec<&'s str> {
    let (mut depth, mut start, mut out) = (0_i32, 0, Vec::new());
    for token in token::tokens(text, rules) {
        match &text[token.span.clone()] {
            "(" => depth += 1,
            ")" => depth -= 1,
            "," if depth == 0 => {
                out.push(text[start..token.span.start].trim());
                start = token.span.end;
            }
            _ => {}
        }
    }
    out.push(text[start..].trim());
    out
}
