//! What follows a table that a script drops: rows of others that would go or change with it.

use std::collections::BTreeSet;

use crate::dialect::{References, Rows};
use crate::error::Result;
use crate::execute::scripts::Prepared;

/// A table whose rows may follow one that is dropped.
pub(crate) struct Follower {
    /// Its name.
    pub child: String,
    /// The table that the script drops as well, and through which they follow; the same one, where its triggers would
    /// fire.
    pub through: Option<String>,
    /// The script drops it for good, and nothing hangs on it.
    pub goes: bool,
    /// A query that finds a row which follows.
    pub query: String,
}

/// The tables that follow one. Those that the script drops for good may, but not what follows their rows in turn, nor
/// what their triggers do.
///
/// # Errors
/// What the database says to the questions.
pub(crate) fn of(
    table: &str,
    references: &dyn References,
    prepared: &Prepared,
    ask: &mut dyn FnMut(&str) -> Result<Rows>,
) -> Result<Vec<Follower>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![(table.to_owned(), None)];
    while let Some((parent, way)) = open.pop() {
        for row in ask(&references.followers(&parent))? {
            let mut values = row.into_iter().flatten();
            let (Some(child), Some(column)) = (values.next(), values.next()) else {
                continue;
            };
            if child.eq_ignore_ascii_case(table) || !seen.insert((child.clone(), column.clone(), parent.clone())) {
                continue;
            }
            let query = match &way {
                Some(way) => format!(
                    "SELECT * FROM ({}) WHERE EXISTS ({way})",
                    references.follows(&child, &column)
                ),
                None => references.follows(&child, &column),
            };
            let name = child.to_ascii_lowercase();
            let goes = prepared.dropped.contains(&name) && !prepared.replaced.contains(&name);
            let fires = goes && !ask(&references.fires(&child))?.is_empty();
            if goes {
                open.push((child.clone(), Some(query.clone())));
            }
            found.push(Follower {
                through: if fires {
                    Some(child.clone())
                } else {
                    way.is_some().then(|| parent.clone())
                },
                goes: goes && !fires,
                child,
                query,
            });
        }
    }
    Ok(found)
}
