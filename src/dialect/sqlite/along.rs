//! What becomes of other rows when those of a table go or change: the foreign keys by which they follow, and the triggers
//! that fire then.

use crate::dialect::sqlite::inspect::TriggerHeader;
use crate::dialect::{Along, Leads, Rows};
use crate::error::Result;
use crate::sql::write::{quoted, sqlite_literal};

type Query<'q> = &'q mut dyn FnMut(&str) -> Result<Rows>;

/// The foreign keys by which rows point at those of a table.
pub(super) fn leads(table: &str, query: Query<'_>) -> Result<Vec<Leads>> {
    // Each list of foreign keys costs more than a look at the text, and a name with a quote is written otherwise there.
    let plain = !table.contains(['"', '`', '\'', ']']);
    let name = sqlite_literal(table);
    let named = if plain {
        format!("AND instr(lower(s.sql), lower({name})) > 0")
    } else {
        String::new()
    };
    let keys = texts(query(&format!(
        "SELECT s.name, f.id, f.on_delete, f.on_update, f.\"from\", coalesce(f.\"to\", '') FROM main.sqlite_schema s, \
         pragma_foreign_key_list(s.name, 'main') f WHERE s.type = 'table' AND instr(lower(s.sql), 'references') {named} \
         AND lower(f.\"table\") = lower({name}) ORDER BY s.name, f.id, f.seq"
    ))?);
    let mut found = Vec::new();
    for pairs in keys.chunk_by(|one, other| one[..2] == other[..2]) {
        let (deleted, changed) = (along(&pairs[0][2]), along(&pairs[0][3]));
        let parent = Parent::read(&name, query)?;
        let to = pairs.iter().enumerate().map(|(at, pair)| match &pair[5] {
            to if to.is_empty() => parent.key.get(at).cloned().unwrap_or_default(),
            to => to.to_ascii_lowercase(),
        });
        let to: Vec<String> = to.collect();
        let from: Vec<String> = pairs.iter().map(|pair| pair[4].clone()).collect();
        found.push(Leads {
            pointing: pointing(&pairs[0][0], &from, table, parent.fits(&to).then_some(&to)),
            child: pairs[0][0].clone(),
            computed: to.iter().any(|column| parent.computed.contains(column)),
            from,
            to,
            deleted,
            changed,
        });
    }
    Ok(found)
}

fn along(action: &str) -> Along {
    match action {
        "NO ACTION" | "RESTRICT" => Along::Stays,
        "CASCADE" => Along::Follows,
        _ => Along::Changes,
    }
}

/// Finds a row that points at one of the parent's. Where the key fits none of the parent's there is no index to find it by.
fn pointing(child: &str, from: &[String], parent: &str, to: Option<&Vec<String>>) -> String {
    let words = sqlite_literal(&format!("a row of {child}"));
    let columns = from.iter().map(|column| format!("c.{}", quoted(column, '"')));
    let holds = match to {
        // The parent's affinity and collation count (foreignkeys.html, section 3).
        Some(to) => {
            let same = columns
                .zip(to)
                .map(|(column, to)| format!("p.{} = +{column}", quoted(to, '"')));
            let same = same.collect::<Vec<String>>().join(" AND ");
            format!("EXISTS (SELECT 1 FROM main.{} p WHERE {same})", quoted(parent, '"'))
        }
        None => columns
            .map(|column| format!("{column} IS NOT NULL"))
            .collect::<Vec<String>>()
            .join(" AND "),
    };
    format!(
        "SELECT {words} FROM main.{} c WHERE {holds} LIMIT 1",
        quoted(child, '"')
    )
}

/// What a table has that keys may refer to; names in lower case.
struct Parent {
    key: Vec<String>,
    unique: Vec<Vec<String>>,
    computed: Vec<String>,
}

impl Parent {
    fn read(name: &str, query: Query<'_>) -> Result<Self> {
        let mut list = |sql: String| query(&sql).map(texts);
        let key = list(format!(
            "SELECT lower(name) FROM pragma_table_info({name}, 'main') WHERE pk > 0 ORDER BY pk"
        ))?;
        let computed = list(format!(
            "SELECT lower(name) FROM pragma_table_xinfo({name}, 'main') WHERE hidden > 1"
        ))?;
        let unique = list(format!(
            "SELECT i.name, lower(c.name) FROM pragma_index_list({name}, 'main') i, pragma_index_info(i.name, 'main') c \
             WHERE i.\"unique\" AND NOT i.partial ORDER BY i.seq, c.seqno"
        ))?;
        let unique = unique.chunk_by(|one, other| one[0] == other[0]);
        let unique = unique.map(|columns| columns.iter().map(|column| column[1].clone()).collect());
        Ok(Self {
            unique: unique.collect(),
            key: key.concat(),
            computed: computed.concat(),
        })
    }

    fn fits(&self, to: &[String]) -> bool {
        let mut keys = self.unique.iter().chain([&self.key]);
        keys.any(|key| key.len() == to.len() && to.iter().all(|column| key.contains(column)))
    }
}

/// Whether a trigger fires when rows of a table go, or a column of theirs changes.
pub(super) fn fires(table: &str, column: Option<&str>, query: Query<'_>) -> Result<bool> {
    let triggers = query(&format!(
        "SELECT sql FROM (SELECT type, tbl_name, sql FROM main.sqlite_schema \
         UNION ALL SELECT type, tbl_name, sql FROM sqlite_temp_schema) \
         WHERE type = 'trigger' AND lower(tbl_name) = lower({})",
        sqlite_literal(table)
    ))?;
    let mut triggers = triggers.into_iter().flatten().flatten();
    Ok(triggers.any(|sql| {
        let Some(header) = TriggerHeader::read(&sql) else {
            return true;
        };
        match column {
            None => header.event == "DELETE",
            Some(column) => {
                let of = header.columns.is_empty() || header.columns.iter().any(|name| name.is(column));
                header.event == "UPDATE" && of
            }
        }
    }))
}

/// The words of the nodes that are reached from the first one, `0`, over edges that hold.
pub(super) fn reached(edges: &[(usize, usize, String)], words: &[(usize, String)]) -> String {
    let edges = edges
        .iter()
        .map(|(from, to, query)| format!("({from}, {to}, EXISTS ({query}))"));
    let words = words
        .iter()
        .map(|(node, words)| format!("({node}, {})", sqlite_literal(words)));
    format!(
        "WITH RECURSIVE leads(parent, child, holds) AS (VALUES {}), words(node, said) AS (VALUES {}), \
         reached(node) AS (SELECT 0 UNION SELECT leads.child FROM reached, leads \
         WHERE leads.parent = reached.node AND leads.holds) \
         SELECT words.said FROM words WHERE words.node IN (SELECT node FROM reached) ORDER BY words.node",
        edges.collect::<Vec<String>>().join(", "),
        words.collect::<Vec<String>>().join(", ")
    )
}

fn texts(rows: Rows) -> Vec<Vec<String>> {
    let row = |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect();
    rows.into_iter().map(row).collect()
}
