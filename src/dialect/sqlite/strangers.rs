//! For scripts, whose databases have not been seen: what stops them where something that no revision makes would break
//! although every column stays in its place, and where a foreign key that none makes would lose its parent.

use std::collections::BTreeSet;

use crate::code::Code;
use crate::dialect::sqlite::dependents::{origin, says, stays};
use crate::dialect::sqlite::draft::{Draft, Index, Source};
use crate::dialect::sqlite::inspect::{Object, State, views_and_triggers, words};
use crate::dialect::sqlite::types::Affinity;
use crate::dialect::sqlite::unique::Unique;
use crate::dialect::sqlite::{readers, still};
use crate::dialect::{Ask, Op};
use crate::error::Result;
use crate::sorted::Gather as _;
use crate::sql::parse::define::ClauseKind;
use crate::sql::write::{quoted, sqlite_literal};

/// What a script asks before it changes a table.
///
/// # Errors
/// Those of the replay.
pub(super) fn none_broken(draft: &Draft<'_>, last: usize, ask: &mut dyn Ask) -> Result<Vec<Op>> {
    let mut ops = Vec::new();
    ops.extend(keys(draft, last, ask)?);
    ops.extend(by_places(draft, last, ask)?);
    Ok(ops)
}

/// The columns of keys, by their old names in lower case, in which other values may be found than before, or that are no
/// longer what tells rows apart.
fn parents(draft: &Draft<'_>) -> BTreeSet<String> {
    let old = Draft::new(draft.state, false);
    let all = groups(&old, |index| index.old);
    let columns = old.columns.iter().map(|column| column.name.as_str());
    let changed = columns
        .filter(|name| !same_values(&old, draft, name))
        .map(str::to_ascii_lowercase)
        .filter(|name| all.iter().any(|group| group.contains(name)));
    changed.chain(lost(draft).into_iter().flatten()).into_set()
}

/// The groups of columns that told rows apart, and do so no longer.
fn lost(draft: &Draft<'_>) -> Vec<BTreeSet<String>> {
    let kept: Vec<BTreeSet<String>> = groups(draft, |index| index.kept)
        .into_iter()
        .map(|group| group.iter().map(|name| before(draft, name)).into_set())
        .collect();
    let old = groups(&Draft::new(draft.state, false), |index| index.old);
    old.into_iter().filter(|group| !kept.contains(group)).collect()
}

/// Whether a column goes on under its name with the very values that it has, compared as they are.
fn same_values(old: &Draft<'_>, draft: &Draft<'_>, name: &str) -> bool {
    draft.columns.iter().enumerate().any(|(at, column)| {
        let expression = |draft: &Draft<'_>, name: &str| {
            let span = draft.table.expression_of(name);
            span.map(|span| draft.table.at(&span).to_owned())
        };
        let collation = |draft: &Draft<'_>, name: &str| draft.collation(name).map(|name| name.to_ascii_lowercase());
        origin(draft, at).is_some_and(|from| from.eq_ignore_ascii_case(name))
            && column.name.eq_ignore_ascii_case(name)
            && matches!(&column.source, Source::Same(_))
            && Affinity::of(old.type_of(name)) == Affinity::of(draft.type_of(&column.name))
            && collation(old, name) == collation(draft, &column.name)
            && expression(old, name) == expression(draft, &column.name)
    })
}

/// The old name of a column.
fn before(draft: &Draft<'_>, name: &str) -> String {
    let old = draft.position(name).and_then(|at| origin(draft, at));
    // A new column has a name that none of the old ones is found by.
    old.map_or_else(|| format!("new {name}"), str::to_ascii_lowercase)
}

/// The groups of columns that tell rows apart, by constraints and by some of the indexes.
fn groups(draft: &Draft<'_>, index: impl Fn(&Index) -> bool) -> Vec<BTreeSet<String>> {
    let lower = |names: Vec<String>| names.iter().map(|name| name.to_ascii_lowercase()).into_set();
    let constraints = draft.table.constraints().filter_map(|(owner, clause)| {
        let (ClauseKind::Unique { columns, .. } | ClauseKind::PrimaryKey { columns, .. }) = &clause.kind else {
            return None;
        };
        Some(match owner {
            Some(owner) => vec![owner.name.text.clone()],
            None => columns.iter().map(|column| column.text.clone()).collect(),
        })
    });
    let mut groups: Vec<BTreeSet<String>> = constraints.map(lower).collect();
    let indexes = draft.indexes.iter().filter(|known| index(known));
    groups.extend(indexes.filter_map(
        |index| match Unique::of_index(&index.object.sql).and_then(|unique| unique.plain()) {
            Some(columns) => Some(lower(columns)),
            // One that says a collation may be a key; an expression is none, and its words do no harm.
            None => Some(words(&index.object.sql)).filter(|words| words.contains("unique")),
        },
    ));
    groups
}

/// A check that no foreign key that no revision makes refers to what changes. Online its rows and its parent are looked at.
fn keys(draft: &Draft<'_>, last: usize, ask: &mut dyn Ask) -> Result<Option<Op>> {
    let changed = parents(draft);
    if changed.is_empty() {
        return Ok(None);
    }
    let (schema, place) = (quoted(&draft.state.schema, '"'), sqlite_literal(&draft.state.schema));
    let name = sqlite_literal(&draft.name().to_ascii_lowercase());
    let refer = format!(
        "FROM {schema}.sqlite_schema AS child, pragma_foreign_key_list(child.name, {place}) AS key \
         WHERE child.type = 'table' AND lower(key.\"table\") = {name} AND lower(child.name) <> {name}"
    );
    let columns: Vec<String> = changed.iter().map(|column| sqlite_literal(column)).collect();
    let mut to = format!("lower(key.\"to\") IN ({})", columns.join(", "));
    let key = draft.state.table.primary_key();
    if key.iter().any(|column| changed.contains(&column.to_ascii_lowercase())) {
        to = format!("(key.\"to\" IS NULL OR {to})");
    }
    let this = "lower(child.name), lower(key.\"from\"), ifnull(lower(key.\"to\"), '')";
    // Where a rename comes first the replay has the old names yet, in the same places.
    let old = ask.query(&format!(
        "SELECT lower(name) FROM pragma_table_xinfo({}, {place}) ORDER BY cid",
        sqlite_literal(draft.name())
    ))?;
    let old: Vec<String> = old.into_iter().flatten().flatten().collect();
    let new: Vec<String> = draft
        .state
        .table
        .columns()
        .map(|column| column.name.text.to_ascii_lowercase())
        .collect();
    let mut known = ask.query(&format!("SELECT DISTINCT {this} {refer} ORDER BY 1, 2"))?;
    for to in known.iter_mut().filter_map(|row| row.get_mut(2)?.as_mut()) {
        if let Some(name) = old.iter().position(|name| name == to).and_then(|at| new.get(at)) {
            to.clone_from(name);
        }
    }
    let known: Vec<String> = known
        .into_iter()
        .map(|row| {
            let names: Vec<String> = row.into_iter().flatten().map(|name| sqlite_literal(&name)).collect();
            format!("({})", names.join(", "))
        })
        .collect();
    let unknown = if known.is_empty() {
        String::new()
    } else {
        format!(" AND ({this}) NOT IN (VALUES {})", known.join(", "))
    };
    Ok(Some(Op::Check {
        sql: format!("SELECT DISTINCT 'table ' || child.name {refer} AND {to}{unknown} ORDER BY 1"),
        code: Code::BatchInUse,
        message: format!(
            "a foreign key that no revision makes refers to what changes in `{}`",
            draft.name()
        ),
        help: "drop it first and add it anew afterwards; or run the upgrade online, which looks at it".to_owned(),
        at: (last, 0..0),
    }))
}

/// A check that no view or trigger that no revision makes goes by the number of the columns or says a name where there will
/// be more, by the rowid where that goes, or by a key that goes.
fn by_places(draft: &Draft<'_>, last: usize, ask: &mut dyn Ask) -> Result<Option<Op>> {
    if !stays(draft) {
        // Then whatever may read the table stops the script.
        return Ok(None);
    }
    let mut breaks = Vec::new();
    let settable = |draft: &Draft<'_>| {
        let columns = draft.columns.iter().filter(|column| !draft.is_generated(&column.name));
        columns.count()
    };
    let old = Draft::new(draft.state, false);
    if draft.columns.len() > old.columns.len() || settable(draft) != settable(&old) {
        breaks.push(goes_by_places(&draft.state.schema));
    }
    let had = |name: &str| draft.state.table.column(name).is_some();
    let names = draft.columns.iter().map(|column| column.name.as_str());
    breaks.extend(names.filter(|name| !had(name)).map(takes));
    if readers::moves_rowids(draft) {
        breaks.extend(readers::ROWID.map(says));
    }
    if !lost(draft).is_empty() {
        breaks.push("type = 'trigger' AND said GLOB '* on conflict*'".to_owned());
    }
    if breaks.is_empty() {
        return Ok(None);
    }
    Ok(Some(unfit(draft.state, &breaks, last, ask)?))
}

/// A check that none takes the new name of a column for what it says now.
///
/// # Errors
/// Those of the replay.
pub(super) fn none_takes(state: &State, name: &str, last: usize, ask: &mut dyn Ask) -> Result<Op> {
    unfit(state, &[takes(name)], last, ask)
}

/// A check that every view compiles which no revision makes: SQLite's own RENAMEs refuse while one does not. Those of the
/// revisions step aside where they do not, and may call what the runner of the script lacks, which hinders no RENAME.
///
/// # Errors
/// Those of the replay.
pub(super) fn none_uncompiled(state: &State, last: usize, ask: &mut dyn Ask) -> Result<Op> {
    let known = views_and_triggers(ask, &state.schema)?;
    let known: Vec<String> = known
        .iter()
        .filter(|object| object.kind == "view")
        .map(|object| sqlite_literal(&object.name))
        .collect();
    Ok(Op::Check {
        // SQLite finds no columns in a view that does not compile, and says nothing of it here.
        sql: format!(
            "SELECT type || ' ' || name FROM pragma_table_list WHERE schema = {} AND type = 'view' AND ncol = 0 \
             AND name NOT IN ({}) ORDER BY 1",
            sqlite_literal(&state.schema),
            known.join(", ")
        ),
        code: Code::BatchInUse,
        message: format!(
            "a view that no revision makes does not compile where `{}` is renamed",
            state.table.name().text
        ),
        help: "drop it first and create it anew afterwards; or run the upgrade online".to_owned(),
        at: (last, 0..0),
    })
}

/// A check that views which step aside have no triggers but these, which come back.
pub(super) fn none_on(aside: &[Object], last: usize) -> Option<Op> {
    let literals = |kind: &str| -> Vec<String> {
        let of_kind = aside.iter().filter(|object| object.kind == kind);
        of_kind
            .map(|object| sqlite_literal(&object.name.to_ascii_lowercase()))
            .collect()
    };
    let view = aside.iter().find(|object| object.kind == "view")?;
    let known = literals("trigger");
    Some(Op::Check {
        sql: format!(
            "SELECT type || ' ' || name FROM (SELECT * FROM {}.sqlite_schema UNION ALL SELECT * FROM sqlite_temp_schema) \
             WHERE type = 'trigger' AND lower(tbl_name) IN ({}) AND lower(name) NOT IN ({}) ORDER BY 1",
            quoted(&view.schema, '"'),
            literals("view").join(", "),
            known.join(", ")
        ),
        code: Code::BatchInUse,
        message: format!(
            "a trigger that no revision makes stands on a view such as `{}`, which does not compile and steps aside",
            view.name
        ),
        help: "drop it first and create it anew afterwards; or run the upgrade online, which takes it along".to_owned(),
        at: (last, 0..0),
    })
}

/// A check that there is no view or trigger of which one of these conditions holds.
fn unfit(state: &State, breaks: &[String], last: usize, ask: &mut dyn Ask) -> Result<Op> {
    let table = &state.table.name().text;
    let message = format!("a view or trigger that no revision makes like this may not fit what changes in `{table}`");
    let breaks = format!("type <> 'table' AND ({})", breaks.join(" OR "));
    reading(state, &[breaks], message, last, ask)
}

/// A check that no virtual table may take its rows from the table, or from a view of it, but those that the revisions make.
///
/// # Errors
/// Those of the replay.
pub(super) fn none_virtual(state: &State, last: usize, ask: &mut dyn Ask) -> Result<Op> {
    let table = &state.table.name().text;
    let message = format!("a virtual table that no revision makes like this may read the rows of `{table}`");
    reading(state, &["type = 'table'".to_owned()], message, last, ask)
}

/// A check that no view or trigger would mean something else by the new name of a table: where it calls something so, or
/// where SQLite writes the name in place of `excluded`.
///
/// # Errors
/// Those of the replay.
pub(super) fn none_calls(state: &State, name: &str, last: usize, ask: &mut dyn Ask) -> Result<Op> {
    let says = sqlite_literal(&format!("*[^a-z0-9_$]{}[^a-z0-9_$]*", pattern(name)));
    let breaks = [
        format!("said GLOB {says}"),
        "said GLOB '*[^a-z0-9_$]excluded[^a-z0-9_$]*'".to_owned(),
    ];
    unfit(state, &breaks, last, ask)
}

/// A check that nothing which reads the table, itself or by a view, meets one of these conditions, except what does so in
/// the replay.
fn reading(state: &State, breaks: &[String], message: String, last: usize, ask: &mut dyn Ask) -> Result<Op> {
    let (schema, table) = (&state.schema, &state.table.name().text);
    let views = state.related.iter().filter(|object| object.kind == "view");
    let names: Vec<String> = views
        .map(|view| view.name.as_str())
        .chain([table.as_str()])
        .map(|name| format!("({})", sqlite_literal(&pattern(name))))
        .collect();
    // A view may be read by others.
    let with = format!(
        "WITH RECURSIVE reader AS MATERIALIZED (SELECT type, name, sql, {said} AS said FROM {schema}.sqlite_schema \
         WHERE type IN ('view', 'trigger') OR {IS_VIRTUAL}), \
         read(name) AS (SELECT column1 FROM (VALUES {names}) UNION SELECT CASE WHEN reader.name GLOB '*[]*?[\"`'']*' THEN '*' \
         ELSE lower(reader.name) END FROM read CROSS JOIN reader WHERE reader.type = 'view' AND {reads})",
        said = said(),
        schema = quoted(schema, '"'),
        names = names.join(", "),
        reads = READS,
    );
    // The many patterns are looked for in few of them, in this order.
    let found = format!(
        "FROM read CROSS JOIN reader WHERE CASE WHEN {READS} THEN {} END",
        breaks.join(" OR ")
    );
    let known = format!("{with} SELECT DISTINCT type, reader.name, sql {found} ORDER BY 1, 2");
    let unknown = still::none_of(&known, "reader", state, ask)?;
    Ok(Op::Check {
        sql: format!("{with} SELECT DISTINCT type || ' ' || reader.name {found}{unknown} ORDER BY 1"),
        code: Code::BatchInUse,
        message,
        help: "drop it first and create it anew afterwards; or run the upgrade online, which looks at it".to_owned(),
        at: (last, 0..0),
    })
}

/// The condition that a reader says a name.
const READS: &str =
    "(read.name = '*' OR instr(said, read.name)) AND said GLOB '*[^a-z0-9_$]' || read.name || '[^a-z0-9_$]*'";

/// The condition that something is a virtual table.
const IS_VIRTUAL: &str = "type = 'table' AND lower(substr(sql, 1, 20)) = 'create virtual table'";

/// A name as GLOB finds it; one that may be written in several ways is taken to stand everywhere.
fn pattern(name: &str) -> String {
    if name.contains(['"', '`', ']', '[', '\'', '*', '?']) {
        "*".to_owned()
    } else {
        name.to_ascii_lowercase()
    }
}

/// The text of an object in lower case, without quotes, and with one space wherever there are any.
fn said() -> String {
    let mut text = "lower(sql)".to_owned();
    for quote in ["'\"'", "'`'", "'['", "']'", "''''", "char(9)", "char(10)", "char(13)"] {
        text = format!("replace({text}, {quote}, ' ')");
    }
    for (what, by) in [
        ("' '", "' ' || char(1)"),
        ("char(1) || ' '", "''"),
        ("char(1)", "''"),
        ("' .'", "'.'"),
        ("'. '", "'.'"),
        ("')as '", "') as '"),
        ("'exists ('", "'exists('"),
        ("'exists(select *'", ASKS),
    ] {
        text = format!("replace({text}, {what}, {by})");
    }
    format!("{text} || ' '")
}

/// Nobody gets the columns of `EXISTS (SELECT *`, but parts of such a query may go by them.
const ASKS: &str = "CASE WHEN lower(sql) GLOB '*group*' OR lower(sql) GLOB '*union*' OR lower(sql) GLOB '*intersect*' \
    OR lower(sql) GLOB '*except*' THEN 'exists(select *' ELSE 'exists(select 1' END";

/// The condition that a name may be that of a new column by now: a text in double quotes, or a column of another table that
/// is not said to be that one's.
fn takes(column: &str) -> String {
    let lower = column.to_ascii_lowercase();
    let text = sqlite_literal(&quoted(&lower, '"'));
    let named = sqlite_literal(&format!("*[^a-z0-9_$.]{}[^a-z0-9_$]*", pattern(column)));
    let alias = sqlite_literal(&format!(" as {lower}"));
    format!(
        "instr(lower(sql), {text}) OR (type = 'view' OR instr(said, ' from ')) AND replace(said, {alias}, '') GLOB {named}"
    )
}

/// The condition that `said` may go by the number of the columns of `read.name`: `SELECT *` where it is put beside other
/// columns or sorted by a place behind it, an INSERT without a list of them, row values, and NATURAL JOINs. Where a comment may stand between the words,
/// less is enough.
fn goes_by_places(schema: &str) -> String {
    let star =
        ["select", "select ", " distinct ", " all ", ",", ", ", "."].map(|word| format!("said GLOB '*{word}[*]*'"));
    let star = star.join(" OR ");
    // What stands behind a star moves.
    let places: Vec<String> = [" by ", " by", " by *,", " by *, "]
        .iter()
        .flat_map(|by| ["", "(", "+", "-"].map(|sign| format!("said GLOB '*{by}{sign}[0-9]*'")))
        .collect();
    let sorts = format!(
        "({}) AND (said GLOB '*[*],*' OR said GLOB '*[*] ,*' OR instr(said, ' join ') OR said GLOB '* from *,*')",
        places.join(" OR ")
    );
    let commented = "(instr(said, '--') OR instr(said, '/*'))";
    format!(
        "instr(said, ' natural ') OR said GLOB '* in ' || read.name || '[^a-z0-9_$]*' \
         OR said GLOB {} || read.name || '[^a-z0-9_$]*' \
         OR type = 'view' AND ({star} OR {commented} AND instr(replace(replace(said, '/*', ''), '*/', ''), '*')) \
         AND (said GLOB '*select*select*' OR said GLOB '*select*values*' OR said GLOB '*values*select*' \
         OR instr(said, '(') BETWEEN 1 AND instr(said, ' as ') OR {sorts}) \
         OR type = 'trigger' AND ({star} OR {commented} \
         OR said GLOB '* into ' || read.name || ' [^(]*')",
        sqlite_literal(&format!("* in {}.", pattern(schema)))
    )
}
