//! What is the whole server's, and so not a scratch database's: roles, databases, tablespaces, settings, and rights on
//! them.

use crate::dialect::Replay;
use crate::sql::split::POSTGRESQL;
use crate::sql::token::{self, Kind};
use crate::sql::write;

/// What belongs to no database, as it stands behind CREATE, ALTER and DROP.
const SHARED: [&str; 6] = ["DATABASE", "TABLESPACE", "ROLE", "USER", "GROUP", "SUBSCRIPTION"];

/// What has rights or a text and belongs to no database, as it stands behind ON.
const NAMED: [&str; 5] = ["DATABASE", "TABLESPACE", "ROLE", "SUBSCRIPTION", "PARAMETER"];

/// How deep texts in blocks are read: a text in a text in a block.
const DEPTH: usize = 3;

/// Whether a statement, in upper case and in words, changes what is the whole server's; none where it begins with no
/// word for that.
pub(super) fn is_shared(words: &[&str]) -> Option<bool> {
    let on = || {
        let on = words.iter().position(|word| *word == "ON")?;
        let what = words.get(on + 1)?;
        // Something else may be called so.
        let is_name = !matches!(words.get(on + 2), None | Some(&("TO" | "FROM" | "," | "." | ";")));
        Some(NAMED.contains(what) && is_name)
    };
    Some(match words {
        ["CREATE" | "DROP" | "ALTER", what, rest @ ..] if SHARED.contains(what) => rest.first() != Some(&"MAPPING"),
        ["ALTER", "SYSTEM", ..] | ["REASSIGN", ..] | ["DROP", "OWNED", ..] => true,
        ["COMMENT", "ON", ..] | ["SECURITY", "LABEL", ..] => on().unwrap_or(false),
        // Roles are granted to roles without ON.
        ["GRANT" | "REVOKE", ..] => on().unwrap_or(true),
        ["CREATE" | "DROP" | "ALTER" | "TRUNCATE", ..] => false,
        _ => return None,
    })
}

/// The words and signs of a text in upper case, comments left out.
pub(super) fn words(text: &str) -> Vec<String> {
    token::significant(text, &POSTGRESQL)
        .map(|token| text[token.span].to_ascii_uppercase())
        .collect()
}

/// What becomes of a block on scratch: passed over where it changes nothing but what is the whole server's, and watched
/// where it changes something else as well. None where it names nothing of the kind.
pub(super) fn block(statement: &str) -> Option<Replay> {
    let mut said = Vec::new();
    gather(statement, DEPTH, &mut said);
    let (mut shares, mut defines) = (false, false);
    for (at, word) in said.iter().enumerate() {
        // A right may be called like a statement.
        let of_option = at > 1 && said[at - 2] == "OPTION" && said[at - 1] == "FOR";
        let begins = at == 0 || !of_option && !matches!(said[at - 1].as_str(), "." | "," | "GRANT" | "REVOKE");
        if !begins
            || !matches!(
                &**word,
                "CREATE"
                    | "DROP"
                    | "ALTER"
                    | "COMMENT"
                    | "SECURITY"
                    | "REASSIGN"
                    | "GRANT"
                    | "REVOKE"
                    | "TRUNCATE"
                    | "EXECUTE"
            )
        {
            continue;
        }
        let rest: Vec<&str> = said[at..].iter().map(String::as_str).collect();
        let end = rest.iter().position(|word| *word == ";").unwrap_or(rest.len());
        match is_shared(&rest[..end]) {
            Some(true) => shares = true,
            Some(false) => defines = true,
            // A statement that comes from elsewhere.
            None => {
                defines |= rest.first() == Some(&"EXECUTE") && !matches!(rest.get(1), Some(&(";" | "FORMAT")));
            }
        }
    }
    match (shares, defines) {
        (false, _) => None,
        (true, false) => Some(Replay::Skip),
        (true, true) => Some(Replay::Instead(watched(statement))),
    }
}

/// What a text says, with what stands in the texts in it, each of which ends like a statement.
fn gather(text: &str, depth: usize, said: &mut Vec<String>) {
    for token in token::significant(text, &POSTGRESQL) {
        let written = &text[token.span];
        if token.kind != Kind::Text {
            said.push(written.to_ascii_uppercase());
        } else if let Some(inner) = inner(written).filter(|_| depth > 0) {
            said.push(";".to_owned());
            gather(&inner, depth - 1, said);
            said.push(";".to_owned());
        }
    }
}

/// What stands between the quotes of a text.
fn inner(written: &str) -> Option<String> {
    if let Some(rest) = written.strip_prefix('$') {
        let (tag, rest) = rest.split_once('$')?;
        return rest.strip_suffix(&format!("${tag}$")).map(str::to_owned);
    }
    let quoted = &written[written.find('\'')?..];
    Some(token::unquoted(quoted).into_owned())
}

/// The block, undone with an error where something is the server's that it changes.
fn watched(statement: &str) -> String {
    let block = write::postgres_literal(statement);
    let table = |columns: &str, from: &str| {
        format!("(SELECT string_agg(t::text, ',' ORDER BY t::text) FROM (SELECT {columns} FROM {from}) t)")
    };
    let state = [
        table("*", "pg_catalog.pg_roles"),
        table("roleid, member, admin_option", "pg_catalog.pg_auth_members"),
        table("datname, datdba, datacl", "pg_catalog.pg_database WHERE datname !~ '^sqlrev_scratch_'"),
        table("*", "pg_catalog.pg_db_role_setting WHERE setdatabase NOT IN (SELECT oid FROM pg_catalog.pg_database WHERE datname ~ '^sqlrev_scratch_')"),
        table("spcname, spcowner, spcacl, spcoptions", "pg_catalog.pg_tablespace"),
        table("objoid, description", "pg_catalog.pg_shdescription WHERE description <> 'sqlrev: a database to throw away'"),
    ]
    .join(", ");
    format!(
        "DO $sqlrev$ DECLARE before text[]; now text[]; BEGIN \
         SELECT ARRAY[{state}] INTO before; \
         EXECUTE {block}; \
         SELECT ARRAY[{state}] INTO now; \
         IF before IS DISTINCT FROM now THEN \
         RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = {MESSAGE}, HINT = {HINT}; \
         END IF; END $sqlrev$"
    )
}

const MESSAGE: &str = "'this block changes what is the whole server''s, which scratch databases share with all others'";
const HINT: &str = "'a block with nothing else in it is passed over on scratch: give roles, and rights on databases, one of their own'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_servers() {
        let check = |sql: &str, expect: Option<bool>| {
            let words = words(sql);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            assert_eq!(is_shared(&words), expect, "{sql}");
        };
        check("grant connect on database d to r", Some(true));
        check("REVOKE ALL ON DATABASE \"d\" FROM PUBLIC", Some(true));
        check("GRANT SET ON PARAMETER x TO r", Some(true));
        check("GRANT CREATE ON TABLESPACE s TO r", Some(true));
        check("GRANT a TO b", Some(true));
        check("GRANT SELECT ON database TO r", Some(false));
        check("GRANT SELECT ON database.t TO r", Some(false));
        check("GRANT SELECT (a) ON t TO r", Some(false));
        check("COMMENT ON ROLE r IS 'on database d'", Some(true));
        check("COMMENT ON TABLE t IS 'x'", Some(false));
        check("CREATE USER MAPPING FOR r SERVER s", Some(false));
        check("ALTER SYSTEM SET x = 1", Some(true));
        check("SELECT 1", None);
    }

    #[test]
    fn blocks() {
        let skipped = |body: &str| block(&format!("DO $$ BEGIN {body} END $$"));
        assert_eq!(skipped("CREATE TABLE t (a text); -- create role r"), None);
        assert_eq!(skipped("PERFORM 1;"), None);
        for body in [
            "IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'r') THEN CREATE ROLE r; END IF;",
            "EXECUTE 'ALTER DATABASE d SET work_mem = ''1MB''';",
            "EXECUTE format('GRANT CONNECT ON DATABASE %I TO r', current_database());",
            "GRANT a TO b; EXCEPTION WHEN others THEN NULL;",
            "CREATE ROLE r; EXECUTE format('grant create, connect on database %I to r', current_database());",
            "EXECUTE format('revoke grant option for create on database %I from r', current_database());",
        ] {
            assert_eq!(skipped(body), Some(Replay::Skip), "{body}");
        }
        for body in [
            "CREATE ROLE r; GRANT SELECT ON t TO r;",
            "CREATE ROLE r; EXECUTE made;",
            "CREATE ROLE r; GRANT EXECUTE ON FUNCTION f() TO r;",
            "CREATE TABLE t (a int); EXECUTE 'CREATE ROLE r';",
        ] {
            assert!(matches!(skipped(body), Some(Replay::Instead(_))), "{body}");
        }
    }
}
