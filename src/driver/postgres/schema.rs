//! The schema that a session works in: asked for when it begins, so that `RESET ALL` leads back to it, and looked at
//! before anything runs in another one.

use crate::code::Code;
use crate::dialect::Dialect as _;
use crate::dialect::postgres::Postgres as Sql;
use crate::dialect::postgres::schemas;
use crate::driver::postgres::Postgres;
use crate::driver::{DriverError, Failure, Remarks};
use crate::error::Error;
use crate::shell;

/// The schemas that are there, the role's right to use the first one, and what names are looked for in: now, and when
/// the session is put back to its beginning.
const WHERE: &str = "SELECT pg_catalog.to_regnamespace({schema}) IS NOT NULL, \
     coalesce(pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace({schema}), 'USAGE'), false), \
     pg_catalog.current_database(), current_user, setting, reset_val \
     FROM pg_catalog.pg_settings WHERE name = 'search_path'";

/// What makes a session begin in these schemas, as an option of the server; none where there are none.
pub(super) fn option(schemas: &[String]) -> Option<String> {
    if schemas.is_empty() {
        return None;
    }
    let mut option = "-csearch_path=".to_owned();
    for letter in schemas::path(schemas).chars() {
        if letter.is_whitespace() || letter == '\\' {
            option.push('\\');
        }
        option.push(letter);
    }
    Some(option)
}

impl Postgres {
    /// Refuses a session that does not work in the schema that it was opened for.
    pub(super) fn is_in_its_schema(&mut self) -> Result<(), DriverError> {
        let Some(schema) = self.opener.schemas.first().cloned() else {
            return Ok(());
        };
        let place = Sql.ident(&schema);
        let rows = self.send(&WHERE.replace("{schema}", &Sql.literal(&place)))?;
        let value = |at: usize| rows.first()?.get(at)?.as_deref();
        let wanted = schemas::path(&self.opener.schemas);
        let (database, user) = (value(2).unwrap_or_default(), value(3).unwrap_or_default());
        let (words, hint) = if value(0) != Some("t") {
            let create = format!("psql -c {} DATABASE", shell::word(format!("CREATE SCHEMA {place}")));
            (
                format!("there is no schema `{schema}` in database `{database}`"),
                format!("create it, with the same options: sqlrev create; or: {create}"),
            )
        } else if value(1) != Some("t") {
            let user = Sql.ident(user);
            (
                format!("the role may not use the schema `{schema}` of database `{database}`"),
                format!("give it the right: GRANT USAGE, CREATE ON SCHEMA {place} TO {user}"),
            )
        } else if value(4) != Some(&*wanted) || value(5) != Some(&*wanted) {
            (
                format!("the session does not begin in the schema `{schema}`"),
                "a pooler in between does not hand on the option search_path: connect to the server itself".to_owned(),
            )
        } else {
            return Ok(());
        };
        Err(DriverError {
            failure: Failure::Disconnected,
            remarks: Box::new(Remarks {
                hint: Some(hint),
                ..Remarks::default()
            }),
            code: Some(NOT_THERE.to_owned()),
            ..DriverError::new(words)
        })
    }

    /// Creates the schemas of the session, where they are not there.
    pub(super) fn make_its_schemas(&mut self) -> Result<(), DriverError> {
        for schema in self.opener.schemas.clone() {
            self.send_blindly(&format!("CREATE SCHEMA IF NOT EXISTS {}", Sql.ident(&schema)))?;
        }
        Ok(())
    }
}

/// The SQLSTATE of a schema that is not there.
const NOT_THERE: &str = "3F000";

/// The error as one of connecting.
pub(super) fn not_there(error: DriverError) -> Error {
    if error.code.as_deref() != Some(NOT_THERE) {
        return crate::error::Error::new(Code::Connect, "the session cannot be looked at").cause(error.message);
    }
    let refused = Error::new(Code::ConnectNoSchema, error.message);
    match error.remarks.hint {
        Some(hint) => refused.help(hint),
        None => refused,
    }
}
