//! A way as steps: what is sent to the database, and the guards behind it.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::dialect::sqlite::copy::{self, Copy};
use crate::dialect::sqlite::demand::Demanded;
use crate::dialect::sqlite::draft::{Draft, Index};
use crate::dialect::sqlite::inspect::Object;
use crate::dialect::sqlite::prove::{self, Proof};
use crate::dialect::sqlite::session::{READS_SCHEMA, WRITES};
use crate::dialect::sqlite::ways::Way;
use crate::dialect::sqlite::{aside, bytes, counts, dependents, kept, readers, still, strangers};
use crate::dialect::{Ask, Op, Rows, Setting};
use crate::error::Result;
use crate::sql::parse::define::ClauseKind;
use crate::sql::write::{quoted, sqlite_literal};

/// What to do, in order.
pub(super) fn ops(draft: &Draft<'_>, way: &Way, proof: &Proof, last: usize, ask: &mut dyn Ask) -> Result<Vec<Op>> {
    let Checks {
        first: mut ops,
        by_index,
        by_copy,
    } = checks(draft, way, ask.offline());
    let stored = stored_before(draft);
    let expected = expected(draft);
    let keys = kept::keys(draft, ask)?;
    if ask.offline() {
        // A script meets a database that this program has not seen: what it would replace, or takes for done, must be what
        // it knows.
        let known = stored_as(
            draft,
            &stored,
            (last, true),
            "is not stored as the revisions build it, word for word; a run online reads it as it is",
            "compare them: sqlrev check --drift; or run the upgrade online, which reads the table as it is",
        );
        ops.insert(0, known);
    }
    // A column that goes and comes again leaves the text as it was, and the rows not.
    if stored == expected && !way.copies() && draft.natives.is_empty() {
        return Ok(ops);
    }
    if ask.offline() {
        if way.copies() {
            ops.extend(dependents::none_unknown(draft, last, ask)?);
        }
        ops.extend(strangers::none_broken(draft, last, ask)?);
        let reads: Vec<&Object> = draft.state.related.iter().chain(&draft.state.triggers).collect();
        ops.extend(still::broken(&reads, draft.state, last, ask)?);
        if readers::takes_from(draft) {
            ops.push(strangers::none_virtual(draft.state, last, ask)?);
        }
    }
    let counts = if way.copies() {
        counts::of_others(draft, last)
    } else {
        kept::Keys::default()
    };
    ops.extend(keys.before);
    ops.extend(counts.before);
    match way {
        Way::Copy => copied(draft, &by_copy, last, ask, &mut ops)?,
        Way::Native { edit, materialise } => {
            natively(draft, *edit, materialise.as_deref(), last, ask, &mut ops)?;
            ops.extend(draft.late_checks(last));
            for index in draft.indexes.iter().filter(|index| !index.old && index.kept) {
                let demanded = index.check.and_then(|check| by_index.get(&check));
                ops.push(built(draft, index, index.at, demanded));
            }
        }
    }
    ops.push(stored_as(
        draft,
        &expected,
        (last, ask.offline()),
        "is not stored as the plan meant it to be",
        "please report this",
    ));
    ops.push(Op::Compiles {
        sql: format!("EXPLAIN SELECT * FROM {}", draft.state.qualified()),
        object: format!("table `{}`", draft.name()),
        at: (last, 0..0),
    });
    ops.extend(prove::compiles(&proof.probes, &(last, 0..0)));
    ops.extend(counts.after);
    ops.extend(keys.after);
    Ok(ops)
}

/// The checks of a draft, by when they are asked.
struct Checks {
    /// Before anything else.
    first: Vec<Op>,
    /// When an index cannot be built.
    by_index: BTreeMap<usize, Op>,
    /// When the copy stops at a row.
    by_copy: Vec<Demanded>,
}

/// Building an index finds equal rows, and a copy sees every row: asking before takes the time a second time. A check
/// that others follow stays in its place, and so does one over rows whose columns change before the index is built.
/// A script has nobody to ask when a statement fails, so its checks all come first.
fn checks(draft: &Draft<'_>, way: &Way, offline: bool) -> Checks {
    let mut rest = draft.checks.clone();
    let mut checks = Checks {
        first: Vec::new(),
        by_index: BTreeMap::new(),
        by_copy: Vec::new(),
    };
    let index = |at: usize| draft.indexes.iter().any(|index| index.kept && index.check == Some(at));
    while let Some(demanded) = rest.pop() {
        if way.copies() && !offline && demanded.condition.is_some() {
            checks.by_copy.insert(0, demanded);
        } else if !way.copies() && !offline && draft.natives.is_empty() && index(rest.len()) {
            checks.by_index.insert(rest.len(), demanded.check);
        } else {
            rest.push(demanded);
            break;
        }
    }
    checks.first = if offline {
        rest.into_iter().map(|demanded| demanded.check).collect()
    } else {
        together(draft, rest)
    };
    checks
}

/// Consecutive demands of single rows are asked about in one go.
fn together(draft: &Draft<'_>, demands: Vec<Demanded>) -> Vec<Op> {
    let mut ops = Vec::new();
    let mut group: Vec<Demanded> = Vec::new();
    let from = format!("{} AS {}", draft.state.qualified(), quoted(draft.name(), '"'));
    let close = |group: &mut Vec<Demanded>, ops: &mut Vec<Op>| {
        let conditions: Vec<String> = group
            .iter()
            .flat_map(|demanded| &demanded.condition)
            .map(|text| format!("({text})"))
            .collect();
        if !conditions.is_empty() {
            ops.push(Op::AnyOf {
                sql: format!("SELECT 1 FROM {from} WHERE {} LIMIT 1", conditions.join(" OR ")),
                checks: group.drain(..).map(|demanded| demanded.check).collect(),
            });
        }
    };
    for demanded in demands {
        if demanded.condition.is_some() {
            group.push(demanded);
        } else {
            close(&mut group, &mut ops);
            ops.push(demanded.check);
        }
    }
    close(&mut group, &mut ops);
    ops
}

/// The making of an index, and what says which rows are equal where it must be unique.
fn built(draft: &Draft<'_>, index: &Index, at: usize, demanded: Option<&Op>) -> Op {
    Op::Sql {
        sql: index.object.statement(),
        at,
        diagnosis: demanded.cloned().into_iter().chain(draft.equal_in(index, at)).collect(),
    }
}

fn copied(draft: &Draft<'_>, demanded: &[Demanded], last: usize, ask: &mut dyn Ask, ops: &mut Vec<Op>) -> Result<()> {
    let statistics = kept::statistics(&draft.state.schema, ask)?;
    let renumbered = kept::renumbered(draft, ask)?;
    let aside = aside::free_name(draft, ask)?;
    if ask.offline() {
        ops.push(aside::is_free(draft.state, &aside, last));
    }
    let copy = Copy {
        aside: &aside,
        at: last,
        offline: ask.offline(),
        statistics: &statistics,
        forgets: ask.offline() && renumbered.any(),
        demanded,
    };
    // The copy inserts rows; the author's next statement may still ask for the rowid of his own last one.
    let inserted = match ask.will_have_inserted() {
        Some(inserted) => inserted,
        None => has_inserted(ask.query(LAST_INSERT)?),
    };
    // Nor does a copy into a table without rowids leave one, except by what stands aside.
    let inserted = inserted || draft.table.without_rowid() && copy::names_itself(draft);
    if inserted {
        ops.push(Op::sql(KEEP_ID, last));
    }
    ops.extend(copy.ops(draft));
    ops.extend(draft.late_checks(last));
    for index in draft.indexes.iter().filter(|index| index.kept) {
        let at = if index.old { last } else { index.at };
        // What the demands left out of account would stop a script in SQLite's words.
        ops.extend(
            draft
                .equal_in(index, at)
                .filter(|_| ask.offline() && draft.retypes(index)),
        );
        ops.push(built(draft, index, at, None));
    }
    for trigger in &draft.state.triggers {
        ops.push(Op::sql(trigger.statement(), last));
    }
    kept::forget_statistics(draft, &statistics, &renumbered, ask.offline(), last, ops);
    if inserted {
        ops.push(Op::sql(GIVE_ID, last));
        ops.push(Op::sql(FORGET_ID, last));
    }
    for setting in [
        Setting::IgnoreCheckConstraints,
        Setting::LegacyAlterTable,
        Setting::ForeignKeys,
    ] {
        ops.push(Op::Set(setting, None));
    }
    Ok(())
}

fn natively(
    draft: &Draft<'_>,
    edit: bool,
    materialise: Option<&str>,
    last: usize,
    ask: &mut dyn Ask,
    ops: &mut Vec<Op>,
) -> Result<()> {
    let table = draft.state.qualified();
    if let Some(column) = materialise {
        let column = quoted(column, '"');
        ops.push(Op::Set(Setting::Triggers, Some(false)));
        ops.push(Op::Set(Setting::ForeignKeys, Some(false)));
        ops.push(Op::Set(Setting::IgnoreCheckConstraints, Some(true)));
        ops.push(Op::sql(format!("UPDATE {table} SET {column} = {column}"), last));
        for setting in [Setting::IgnoreCheckConstraints, Setting::ForeignKeys, Setting::Triggers] {
            ops.push(Op::Set(setting, None));
        }
    }
    let schema = quoted(&draft.state.schema, '"');
    for index in draft.indexes.iter().filter(|index| index.old && !index.kept) {
        ops.push(Op::sql(
            format!("DROP INDEX {schema}.{}", quoted(&index.object.name, '"')),
            index.at,
        ));
    }
    if draft.refers_by_default {
        ops.push(Op::Set(Setting::ForeignKeys, Some(false)));
    }
    for (sql, at) in &draft.natives {
        ops.push(Op::sql(sql.clone(), *at));
    }
    if draft.refers_by_default {
        ops.push(Op::Set(Setting::ForeignKeys, None));
    }
    if edit {
        edit_definition(draft, last, ask, ops)?;
    }
    Ok(())
}

/// Exchanges the stored text. The schema's version has to grow, or other connections would go on with what they
/// know; RESET makes this one read the schema anew.
fn edit_definition(draft: &Draft<'_>, last: usize, ask: &mut dyn Ask, ops: &mut Vec<Op>) -> Result<()> {
    let schema = quoted(&draft.state.schema, '"');
    let version = ask.query(&format!("PRAGMA {schema}.schema_version"))?;
    let version: i64 = version
        .into_iter()
        .flatten()
        .flatten()
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    // Each statement before this one adds one at most.
    let version = (version + i64::try_from(ops.len()).unwrap_or(0) + 1) % i64::from(i32::MAX);
    if has_virtual(ask)? {
        ops.extend(WRITES.map(|sql| Op::sql(sql.to_owned(), last)));
    }
    ops.push(Op::Set(Setting::WritableSchema, Some(true)));
    let name = sqlite_literal(draft.name());
    let text = sqlite_literal(draft.table.text());
    for sql in [
        format!("UPDATE {schema}.sqlite_schema SET sql = {text} WHERE type = 'table' AND name = {name}"),
        format!("PRAGMA {schema}.schema_version = {version}"),
        READS_SCHEMA.to_owned(),
    ] {
        ops.push(Op::sql(sql, last));
    }
    ops.push(Op::Set(Setting::WritableSchema, None));
    Ok(())
}

/// Whether any schema of the connection has a virtual table: RESET is for all of them.
fn has_virtual(ask: &mut dyn Ask) -> Result<bool> {
    let schemas = ask.query("SELECT name FROM pragma_database_list")?;
    for schema in schemas.into_iter().flatten().flatten() {
        let found = ask.query(&format!(
            "SELECT 1 FROM {}.sqlite_schema WHERE lower(substr(sql, 1, 20)) = 'create virtual table' LIMIT 1",
            quoted(&schema, '"')
        ))?;
        if !found.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn stored_before(draft: &Draft<'_>) -> Vec<(String, String, String)> {
    let mut rows = vec![(
        "table".to_owned(),
        draft.name().to_owned(),
        draft.state.table.text().to_owned(),
    )];
    let indexes = draft.state.indexes.iter().chain(own_triggers(draft));
    rows.extend(indexes.map(|object| (object.kind.clone(), object.name.clone(), object.sql.clone())));
    rows
}

fn own_triggers<'d>(draft: &'d Draft<'_>) -> impl Iterator<Item = &'d Object> {
    draft
        .state
        .triggers
        .iter()
        .filter(|object| object.schema == draft.state.schema)
}

fn expected(draft: &Draft<'_>) -> Vec<(String, String, String)> {
    let mut rows = vec![(
        "table".to_owned(),
        draft.name().to_owned(),
        draft.table.text().to_owned(),
    )];
    let indexes = draft
        .indexes
        .iter()
        .filter(|index| index.kept)
        .map(|index| &index.object);
    rows.extend(
        indexes
            .chain(own_triggers(draft))
            .map(|object| (object.kind.clone(), object.name.clone(), object.sql.clone())),
    );
    rows
}

/// A check that exactly these definitions are stored for the table. In a script quotes around names of tables do not count:
/// SQLite writes its own where a table gets another name, and where an upgrade and its downgrade have run they stay.
fn stored_as(
    draft: &Draft<'_>,
    expected: &[(String, String, String)],
    (last, in_script): (usize, bool),
    what: &str,
    help: &str,
) -> Op {
    let quoted_names = if in_script {
        quoted_in(draft, expected)
    } else {
        Vec::new()
    };
    let values: Vec<String> = expected
        .iter()
        .map(|(kind, name, sql)| {
            let (kind, name) = (sqlite_literal(kind), sqlite_literal(name));
            if bytes::may_differ(sql) {
                return format!("({kind}, {name}, NULL)");
            }
            let sql = sql.replace("\r\n", "\n");
            let bare = quoted_names
                .iter()
                .fold(sql, |sql, (quoted, name)| sql.replace(quoted, name));
            let sql = sqlite_literal(bare.trim_end());
            format!("({kind}, {name}, {sql})")
        })
        .collect();
    // SQLite's own ALTERs leave what is no UTF-8 as it is.
    let odd = expected.iter().filter(|(_, _, sql)| bytes::may_differ(sql));
    let odd: Vec<String> = odd.map(|(_, name, _)| sqlite_literal(name)).collect();
    // One is put into another, and SQLite's parser goes no deeper than a hundred.
    let mut from = format!("{}.sqlite_schema", quoted(&draft.state.schema, '"'));
    for names in quoted_names.chunks(12) {
        let bare = names.iter().fold("sql".to_owned(), |sql, (quoted, name)| {
            format!("replace({sql}, {}, {})", sqlite_literal(quoted), sqlite_literal(name))
        });
        from = format!("(SELECT type, name, tbl_name, {bare} AS sql FROM {from})");
    }
    let text = "rtrim(replace(sql, char(13) || char(10), char(10)), char(9, 10, 12, 13, 32))";
    // The `sqlite3` command drops carriage returns at line ends, so they do not count; nor does the line end behind a comment,
    // which is stored where it is sent along.
    let sql = format!(
        "WITH expected(type, name, sql) AS (VALUES {}), stored AS (SELECT type, name, \
         {} FROM {from} \
         WHERE tbl_name = {} COLLATE NOCASE AND sql IS NOT NULL) \
         SELECT 'missing: ' || type || ' ' || name FROM (SELECT * FROM expected EXCEPT SELECT * FROM stored) \
         UNION ALL SELECT 'unexpected: ' || type || ' ' || name FROM (SELECT * FROM stored EXCEPT SELECT * FROM expected)",
        values.join(", "),
        if odd.is_empty() {
            text.to_owned()
        } else {
            format!("CASE WHEN name IN ({}) THEN NULL ELSE {text} END", odd.join(", "))
        },
        sqlite_literal(draft.name())
    );
    Op::Check {
        sql,
        code: Code::BatchInternal,
        message: format!("`{}` {what}", draft.name()),
        help: help.to_owned(),
        at: (last, 0..0),
    }
}

/// The names of tables in these definitions as they may stand there in quotes, each with the bare name.
fn quoted_in(draft: &Draft<'_>, expected: &[(String, String, String)]) -> Vec<(String, String)> {
    let tables = draft.state.related.iter().filter(|object| object.kind == "table");
    let parents = draft
        .state
        .table
        .constraints()
        .filter_map(|(_, clause)| match &clause.kind {
            ClauseKind::References(key) => Some(key.table.text.as_str()),
            _ => None,
        });
    let others = tables.map(|object| object.name.as_str());
    let mut found = Vec::new();
    for name in [draft.name()]
        .into_iter()
        .chain(parents)
        .chain(others)
        .filter(|name| !name.contains(['"', '[', ']', '`']))
    {
        let says = |text: &str| expected.iter().any(|(.., sql)| sql.contains(text));
        let ways = [format!("\"{name}\""), format!("[{name}]"), format!("`{name}`")];
        if !says(name) || found.iter().any(|(known, _)| *known == ways[0]) {
            continue;
        }
        // SQLite itself writes the first.
        let ways = ways.into_iter().enumerate().filter(|(at, way)| *at == 0 || says(way));
        found.extend(ways.map(|(_, way)| (way, name.to_owned())));
    }
    found
}

/// The rowid of the connection's last insert.
pub(super) const LAST_INSERT: &str = "SELECT last_insert_rowid()";

/// Whether there was one, by the answer to that.
pub(super) fn has_inserted(rows: Rows) -> bool {
    rows.into_iter().flatten().flatten().any(|rowid| rowid != "0")
}

/// Keeps it while rows of our own are inserted.
pub(super) const KEEP_ID: &str = "CREATE TABLE temp.sqlrev_last_insert_rowid AS SELECT last_insert_rowid() AS x";

/// Gives it back.
pub(super) const GIVE_ID: &str =
    "INSERT OR REPLACE INTO temp.sqlrev_last_insert_rowid (rowid, x) SELECT x, x FROM temp.sqlrev_last_insert_rowid";

/// Forgets it.
pub(super) const FORGET_ID: &str = "DROP TABLE temp.sqlrev_last_insert_rowid";
