//! What hangs on a table by more than its names: by the order of its columns, by its rowids, by which columns its
//! primary key has. SQLite compiles all of it after a change, and it means something else.

use crate::code::Code;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::inspect::words;
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::table::Table;
use crate::dialect::sqlite::{captures, places, readers, still};
use crate::dialect::{Ask, Op};
use crate::error::{Error, Result};
use crate::sql::parse::define::ClauseKind;
use crate::sql::write::{quoted, sqlite_literal};

/// Refuses a draft that would give something else a new meaning.
pub(super) fn keep_their_meaning(draft: &Draft<'_>, site: &Site<'_>, ask: &mut dyn Ask) -> Result<()> {
    implied_keys(draft, site)?;
    readers::keep(draft, site)?;
    shared_names(draft, site, ask)?;
    places::keep(draft, site)
}

/// Without a column a NATURAL JOIN joins by fewer, or by none at all; and a column that is named like the rowid gives way
/// to it. Both compile.
fn shared_names(draft: &Draft<'_>, site: &Site<'_>, ask: &mut dyn Ask) -> Result<()> {
    let kept = |name: &str| {
        (0..draft.columns.len()).any(|at| origin(draft, at).is_some_and(|old| old.eq_ignore_ascii_case(name)))
    };
    let columns = draft.state.table.columns().map(|column| column.name.text.as_str());
    let dropped: Vec<&str> = columns.filter(|name| !kept(name)).collect();
    for object in draft.state.related.iter().chain(&draft.state.triggers) {
        if dropped.is_empty() || !matches!(object.kind.as_str(), "view" | "trigger") {
            continue;
        }
        let words = words(&object.sql);
        let what = format!("{} `{}`", object.kind, object.name);
        let rowid = dropped.iter().find(|name| is_rowid(name));
        if rowid.is_some_and(|name| words.contains(&name.to_ascii_lowercase())) {
            let why = "would read the rowid in place of the column of that name";
            return Err(refuse(site, &what, why));
        }
        let mut shared = dropped.iter();
        if words.contains("natural") && shared.any(|name| captures::is_joined(draft.state, object, name, ask)) {
            let why = format!(
                "joins by the names that tables share, and `{}` would share fewer",
                draft.name()
            );
            return Err(refuse(site, &what, &why));
        }
    }
    Ok(())
}

fn is_rowid(name: &str) -> bool {
    readers::ROWID.iter().any(|rowid| name.eq_ignore_ascii_case(rowid))
}

/// The name in the old table of the column that a column of the draft is.
pub(super) fn origin<'d>(draft: &'d Draft<'_>, position: usize) -> Option<&'d str> {
    draft.columns.get(position)?.origin.as_deref()
}

/// Whether every column stays in its place under its name.
pub(super) fn stays(draft: &Draft<'_>) -> bool {
    let mut columns = draft.state.table.columns().enumerate();
    columns.all(|(position, column)| {
        let now = draft.columns.get(position).map(|column| column.name.as_str());
        now.is_some_and(|now| column.name.is(now))
            && origin(draft, position).is_some_and(|origin| column.name.is(origin))
    })
}

/// For a script, whose database has not been seen: stops it where columns go or move while a view or a trigger that the
/// revisions do not make may read them, by the table's name or through a view that they do make.
///
/// # Errors
/// Those of the replay.
pub(super) fn none_unknown(draft: &Draft<'_>, last: usize, ask: &mut dyn Ask) -> Result<Option<Op>> {
    if stays(draft) {
        return Ok(None);
    }
    let views = draft.state.related.iter().filter(|object| object.kind == "view");
    let says: Vec<String> = views
        .map(|view| view.name.as_str())
        .chain([draft.name()])
        .map(says)
        .collect();
    let reads = format!(
        "FROM {}.sqlite_schema AS reader WHERE type IN ('view', 'trigger') AND ({})",
        quoted(&draft.state.schema, '"'),
        says.join(" OR ")
    );
    let unknown = still::none_of(&format!("SELECT type, name, sql {reads}"), "reader", draft.state, ask)?;
    Ok(Some(Op::Check {
        sql: format!("SELECT type || ' ' || name {reads}{unknown} ORDER BY 1"),
        code: Code::BatchInUse,
        message: format!(
            "a view or trigger that no revision makes like this may read what changes in `{}`",
            draft.name()
        ),
        help: "drop it first and create it anew afterwards; or run the upgrade online, which looks at it".to_owned(),
        at: (last, 0..0),
    }))
}

/// A condition that holds where the text of a view or trigger says this name. A name that may be written in several ways
/// is taken to stand in all of them.
pub(super) fn says(name: &str) -> String {
    if name.contains(['"', '`', ']', '\'']) {
        return "1".to_owned();
    }
    let mut pattern = String::new();
    for letter in name.to_ascii_lowercase().chars() {
        match letter {
            '[' | '*' | '?' => pattern.extend(['[', letter, ']']),
            letter => pattern.push(letter),
        }
    }
    let pattern = sqlite_literal(&format!("*[^a-z0-9_$]{pattern}[^a-z0-9_$]*"));
    format!("lower(sql) || ' ' GLOB {pattern}")
}

pub(super) fn refuse(site: &Site<'_>, what: &str, why: &str) -> Error {
    site.refuse(Code::BatchInUse, format!("{what} {why}"), "")
        .help("drop it first and create it anew afterwards, in the same revision")
}

/// A foreign key that names no columns means the primary key of its parent, whatever that is.
fn implied_keys(draft: &Draft<'_>, site: &Site<'_>) -> Result<()> {
    let before = draft.state.table.primary_key();
    let after = draft.table.primary_key();
    let same = before.len() == after.len()
        && before.iter().zip(&after).all(|(before, after)| {
            let position = draft.position(after);
            position
                .and_then(|position| origin(draft, position))
                .is_some_and(|origin| origin.eq_ignore_ascii_case(before))
        });
    if same {
        return Ok(());
    }
    let implies = |table: &Table| {
        table.constraints().any(|(_, clause)| {
            matches!(&clause.kind, ClauseKind::References(key) if key.table.is(draft.name()) && key.parent.is_empty())
        })
    };
    let others = draft.state.related.iter().filter(|object| object.kind == "table");
    let other = others
        .filter_map(|object| Table::read(&object.sql))
        .find(|table| implies(table))
        .map(|table| table.name().text.clone());
    // A key of its own that is new means the new primary key.
    let own = implies(&draft.state.table) && implies(&draft.table);
    match other.or_else(|| own.then(|| draft.name().to_owned())) {
        Some(table) => {
            let message = format!(
                "a foreign key of table `{table}` means the primary key of `{}` and would mean other columns",
                draft.name()
            );
            Err(site.refuse(Code::BatchInUse, message, "").help(format!(
                "drop that key of `{table}` first, and add it again with the columns that it means: REFERENCES {} (…)",
                quoted(draft.name(), '"')
            )))
        }
        None => Ok(()),
    }
}
