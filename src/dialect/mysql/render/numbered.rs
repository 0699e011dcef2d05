//! A column that is there and is to number rows from now on. Both servers give a row whose value is 0 the next number then,
//! as they do where a row comes, and a foreign key may point at it.

use crate::dialect::mysql::render::keys::Keys;
use crate::schema::diff::Change;
use crate::schema::{Column, Key, Model};

/// Lets a 0 be a 0.
const ZERO: &str = "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',NO_AUTO_VALUE_ON_ZERO')";

/// Sets what an ALTER needs that begins to number rows, and says which get a number; whether it does.
pub(super) fn begin(statements: &mut Vec<String>, change: &Change, from: &Model, to: &Model, on_mariadb: bool) -> bool {
    let on = |model: &Model| model.objects.get(change.key()).and_then(|object| object.on.clone());
    let table = on(from).or_else(|| on(to)).unwrap_or_else(|| change.key().clone());
    let Some(was) = there(&table, from, to) else {
        return false;
    };
    let begins = |sql: &String| {
        let modifies = sql.contains("MODIFY COLUMN ") && sql.contains(" AUTO_INCREMENT");
        // With its key a column gets back what it gave up with another one.
        sql.starts_with("ALTER TABLE ") && modifies && (sql.contains(" ADD ") || was.identity.is_none())
    };
    let Some(at) = statements.iter().position(begins) else {
        return false;
    };
    let name = was.name.replace('\n', " ");
    match (was.not_null, on_mariadb) {
        // There a NULL would be a 0 then.
        (false, true) => statements.insert(at, format!("-- This numbers the rows whose {name} is NULL or 0.")),
        (false, false) => {
            statements.insert(at, ZERO.to_owned());
            statements.insert(at, format!("-- This numbers the rows whose {name} is NULL."));
        }
        (true, _) => statements.insert(at, ZERO.to_owned()),
    }
    was.not_null || !on_mariadb
}

/// The column that is to number rows, as it is now; none where it is new, since its values are 0 until they get numbers.
fn there<'m>(table: &Key, from: &'m Model, to: &Model) -> Option<&'m Column> {
    let mut then = to.table(table)?.columns.iter();
    let name = &then.find(|column| column.identity.is_some())?.folded;
    let goes = Keys::of(table, from, to)?.goes(name);
    from.table(table)?.column(name).filter(|_| !goes)
}
