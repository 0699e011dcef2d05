//! One change with the statements that make it, and a script of several.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::dialect::Dialect;
use crate::schema::diff::{Alter, Change};
use crate::schema::{self, Kind, Model};

/// One change with the statements that make it.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The change.
    pub change: Change,
    /// What is lost by it: `column nick of users with its values`.
    pub loses: Option<String>,
    /// The statements, without semicolons.
    pub statements: Vec<String>,
    /// The table of an index or trigger.
    pub table: Option<String>,
    /// The object's name, as it is spelled.
    pub object: String,
}

impl Piece {
    /// The statements of a change between two models.
    pub fn new(change: &Change, statements: Vec<String>, from: &Model, to: &Model) -> Piece {
        let object = from.objects.get(change.key()).or_else(|| to.objects.get(change.key()));
        let name = object.map_or_else(|| change.key().name.clone(), |object| object.name.clone());
        // Tables are called one way, whatever stands on them.
        let on = object.and_then(|object| object.on.as_ref()).map(|key| {
            let table = from.objects.get(key).or_else(|| to.objects.get(key));
            table.map_or_else(|| key.shown(), |table| table.name.clone())
        });
        let (table, object) = match change {
            Change::Alter(_, alter) => (Some(name), alter.object().to_owned()),
            _ if change.key().kind == Kind::Table => (Some(name.clone()), name),
            _ => (on, name),
        };
        Piece {
            loses: loses(change, from),
            change: change.clone(),
            statements,
            table,
            object,
        }
    }
}

/// What is lost by a change.
fn loses(change: &Change, from: &Model) -> Option<String> {
    match change {
        Change::Drop(key) => {
            let object = from.objects.get(key)?;
            match key.kind {
                Kind::Sequence => Some(format!("sequence {} with its number", object.name)),
                _ => object
                    .holds_rows
                    .then(|| format!("table {} with its rows", object.name)),
            }
        }
        Change::Alter(key, alter) => match &**alter {
            Alter::DropColumn(column) if column.generated.is_none() => {
                let table = from
                    .objects
                    .get(key)
                    .map_or(key.name.as_str(), |object| object.name.as_str());
                Some(format!("column {} of {table} with its values", column.name))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Of a comment that values are others after a statement, whose values these are.
pub fn changes_values(comment: &str) -> Option<&str> {
    let values = ["-- This rounds ", "-- This may change "]
        .iter()
        .find_map(|head| comment.strip_prefix(head))?;
    values.strip_suffix('.')
}

/// The statements as a script: a paragraph for each object, and what is lost said above the statement that loses it.
pub fn script(pieces: &[Piece], dialect: &dyn Dialect) -> String {
    let mut out = String::new();
    let mut set: BTreeMap<&str, &str> = BTreeMap::new();
    let mut last: Option<&Change> = None;
    let says = |piece: &&Piece| piece.loses.is_some() || !piece.statements.is_empty();
    let pieces: Vec<&Piece> = pieces.iter().filter(says).collect();
    for (at, piece) in pieces.iter().enumerate() {
        let usual = dialect.usual();
        // What is set for one piece and for the next as well stays so between them.
        let next = pieces.get(at + 1).and_then(|next| next.statements.first());
        let sets_again = next.is_some_and(|first| first.starts_with("SET ") && piece.statements.first() == Some(first));
        let goes_on = sets_again && piece.statements.last().map(String::as_str) == usual;
        let together = matches!((last, &piece.change), (Some(Change::Alter(a, _)), Change::Alter(b, _)) if a == b)
            || matches!((last, &piece.change), (Some(Change::Drop(_)), Change::Drop(_)));
        if last.is_some() && !together {
            out.push('\n');
        }
        let mut statements = Vec::with_capacity(piece.statements.len());
        let kept = piece.statements.len() - usize::from(goes_on);
        for statement in &piece.statements[..kept] {
            // What is set for the session holds until something else is.
            if statement.starts_with("SET ") {
                let variable = statement.split('=').next().unwrap_or_default();
                let is_usual = usual == Some(statement.as_str());
                if set
                    .insert(variable, statement)
                    .map_or(is_usual, |before| before == statement)
                {
                    continue;
                }
            }
            statements.push(statement.clone());
        }
        append(&mut out, piece.loses.as_deref(), &statements);
        last = Some(&piece.change);
    }
    out
}

/// Adds the statements of one change to a script.
pub fn append(out: &mut String, loses: Option<&str>, statements: &[String]) {
    if let Some(loses) = loses {
        let _ = writeln!(out, "-- This drops {}.", loses.replace('\n', " "));
    }
    for statement in statements {
        schema::append(out, statement);
    }
}
