//! Invalid indexes: what a statement CONCURRENTLY leaves behind when it fails.

use crate::dialect::Leftovers;
use crate::dialect::postgres::words::Words;

/// What a statement CONCURRENTLY leaves behind, and nobody else's: the index that it makes, on its table; what a REINDEX
/// was building; the index that it did not drop to the end. None for other statements.
pub(super) fn of(statement: &str) -> Option<Leftovers> {
    // Scripts of millions of statements come by here.
    if !statement
        .as_bytes()
        .first()
        .is_some_and(|first| b"cCdDrR".contains(first))
    {
        return None;
    }
    let words = Words::of(statement);
    if !words.have("CONCURRENTLY") {
        return None;
    }
    if words.is(0, "CREATE") {
        return words.created();
    }
    if words.is(0, "DROP") {
        return words.dropped();
    }
    words.is(0, "REINDEX").then(|| words.reindexed()).flatten()
}

impl Words<'_> {
    /// `CREATE [UNIQUE] INDEX CONCURRENTLY [IF NOT EXISTS] [name] ON [ONLY] table`.
    fn created(&self) -> Option<Leftovers> {
        let mut at = self.find("CONCURRENTLY")? + 1;
        let passes_over = self.is(at, "IF");
        if passes_over {
            at += 3;
        }
        let name = (!self.is(at, "ON")).then(|| self.name(at));
        at += 1 + usize::from(name.is_some());
        if self.is(at, "ONLY") {
            at += 1;
        }
        let table = self.relation(at);
        let is_it = match &name {
            Some(name) => format!("i.indrelid = {table} AND c.relname = {name}"),
            None => format!("i.indrelid = {table}"),
        };
        let left = leftovers(&is_it, name.is_some());
        Some(Leftovers { passes_over, ..left })
    }

    /// `DROP INDEX CONCURRENTLY [IF EXISTS] name`, which marks the index as invalid before it waits for those who read it.
    fn dropped(&self) -> Option<Leftovers> {
        let at = self.find("CONCURRENTLY")? + 1;
        let at = if self.is(at, "IF") { at + 2 } else { at };
        let left = leftovers(&format!("i.indexrelid = {}", self.relation(at)), true);
        Some(Leftovers {
            goes_again: true,
            ..left
        })
    }

    /// `REINDEX [(…)] INDEX|TABLE|SCHEMA|DATABASE|SYSTEM [CONCURRENTLY] name`.
    fn reindexed(&self) -> Option<Leftovers> {
        let kinds = ["INDEX", "TABLE", "SCHEMA", "DATABASE", "SYSTEM"];
        let kind = (1..self.count()).find(|&at| kinds.iter().any(|kind| self.is(at, kind)))?;
        let at = kind + 1 + usize::from(self.is(kind + 1, "CONCURRENTLY"));
        let is_new = "c.relname ~ '_cc(new|old)[0-9]*$'";
        if self.is(kind, "INDEX") {
            let index = self.relation(at);
            let is_it = format!(
                "i.indrelid = (SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = {index}) AND {is_new} \
                 AND pg_catalog.regexp_replace(c.relname, '_cc(new|old)[0-9]*$', '') = \
                 (SELECT relname FROM pg_catalog.pg_class WHERE oid = {index})"
            );
            return Some(leftovers(&is_it, true));
        }
        let is_it = if self.is(kind, "TABLE") {
            format!("i.indrelid = {} AND {is_new}", self.relation(at))
        } else if self.is(kind, "SCHEMA") {
            let schema = self.name(at);
            format!("c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {schema}) AND {is_new}")
        } else {
            is_new.to_owned()
        };
        Some(leftovers(&is_it, false))
    }
}

/// The invalid indexes of which this is true, unless somebody is building them at this moment.
fn leftovers(is_it: &str, certain: bool) -> Leftovers {
    Leftovers {
        query: format!(
            "SELECT 'index ' || i.indexrelid::pg_catalog.regclass, \
             'DROP INDEX CONCURRENTLY ' || i.indexrelid::pg_catalog.regclass \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             WHERE NOT i.indisvalid AND c.relkind = 'i' AND {is_it} AND NOT EXISTS \
             (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) ORDER BY 1"
        ),
        certain,
        passes_over: false,
        goes_again: false,
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn only_its_own() {
        let check = |sql: &str, has: &[&str], certain: bool| {
            let leftovers = of(sql).unwrap_or_else(|| panic!("{sql}"));
            for part in has {
                assert!(leftovers.query.contains(part), "{sql}: {}", leftovers.query);
            }
            assert_eq!(leftovers.certain, certain, "{sql}");
        };
        check(
            "CREATE INDEX CONCURRENTLY By_Name ON shop.\"Items\" USING btree (a)",
            &["to_regclass('shop.\"Items\"')", "c.relname = 'by_name'"],
            true,
        );
        check(
            "create unique index concurrently if not exists \"By Name\" on only items (a)",
            &["to_regclass('items')", "c.relname = 'By Name'"],
            true,
        );
        check(
            "CREATE INDEX CONCURRENTLY ON items (a)",
            &["to_regclass('items')"],
            false,
        );
        check(
            "REINDEX INDEX CONCURRENTLY shop.i",
            &["to_regclass('shop.i')", "_cc(new|old)"],
            true,
        );
        check("REINDEX (CONCURRENTLY, VERBOSE) INDEX i", &["to_regclass('i')"], true);
        check(
            "REINDEX TABLE CONCURRENTLY t",
            &["to_regclass('t')", "_cc(new|old)"],
            false,
        );
        check(
            "drop index concurrently if exists shop.i",
            &["i.indexrelid = pg_catalog.to_regclass('shop.i')"],
            true,
        );
        for sql in [
            "CREATE INDEX concurrently_not ON t (a)",
            "DROP INDEX i",
            "REINDEX INDEX i",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        ] {
            assert!(of(sql).is_none(), "{sql}");
        }
    }
}
