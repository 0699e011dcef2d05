//! The schemas that a URL names, `?schema=tenant_a`: a session looks for names there, and its version table stands in the
//! first one.

use crate::code::Code;
use crate::dialect::postgres::Postgres;
use crate::dialect::{Dialect as _, Schemas};
use crate::error::{Error, Result};
use crate::percent;
use crate::sql::write;

/// PostgreSQL's.
#[derive(Debug)]
pub(crate) struct OfUrl;

impl Schemas for OfUrl {
    fn named_by(&self, url: &str) -> Result<Vec<String>> {
        named_by(url)
    }

    fn there(&self) -> &'static str {
        THERE
    }

    fn table(&self, schema: &str, name: &str) -> String {
        if name.contains('.') {
            return Postgres.table(name);
        }
        format!("{}.{}", Postgres.ident(schema), Postgres.ident(name))
    }

    fn enter(&self, schemas: &[String]) -> String {
        format!("SET search_path TO {}", path(schemas))
    }
}

/// The schemas that people made and may take for tenants. `public` is the one that every database has: it is taken only
/// where it is named. What extensions brought is theirs.
const THERE: &str = "SELECT n.nspname FROM pg_catalog.pg_namespace n \
     WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public') \
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e \
     WHERE e.classid = 2615 AND e.objid = n.oid AND e.deptype = 'e') ORDER BY n.nspname COLLATE \"C\"";

/// The schemas that a URL names, in the order in which they are searched.
fn named_by(url: &str) -> Result<Vec<String>> {
    let Some(list) = percent::parameter(url, "schema") else {
        return Ok(Vec::new());
    };
    let names = list.split(',').map(percent::part).collect::<Result<Vec<_>>>()?;
    if let Some(wrong) = names.iter().find(|name| name.is_empty() || *name == "$user") {
        let message = format!("`schema={list}` in the URL is no list of schemas: `{wrong}` is none");
        return Err(Error::new(Code::ConfigUrl, message)
            .help("?schema=NAME is one; with ?schema=NAME,public what is not in it is looked for in public"));
    }
    Ok(names)
}

/// They as a `search_path`.
pub(crate) fn path(schemas: &[String]) -> String {
    let quoted: Vec<String> = schemas.iter().map(|name| write::quoted(name, '"')).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{OfUrl, Schemas as _};

    fn check(url: &str, expect: &str) {
        let got = match OfUrl.named_by(url) {
            Ok(schemas) if schemas.is_empty() => "none".to_owned(),
            Ok(schemas) => OfUrl.enter(&schemas),
            Err(error) => error.message().to_owned(),
        };
        assert_eq!(got, expect, "{url}");
    }

    #[test]
    fn schemas_of_urls() {
        check("postgresql://h/d", "none");
        check("postgresql://h/d?schema=a", "SET search_path TO \"a\"");
        check(
            "postgresql://u:p@h/d?user=x&schema=A%20b,public&sslmode=disable",
            "SET search_path TO \"A b\", \"public\"",
        );
        check("postgresql://h/d?schema=a%2Cb%22", "SET search_path TO \"a,b\"\"\"");
        check(
            "postgresql://h/d?schema=",
            "`schema=` in the URL is no list of schemas: `` is none",
        );
        check(
            "postgresql://h/d?schema=a,$user",
            "`schema=a,$user` in the URL is no list of schemas: `$user` is none",
        );
    }
}
