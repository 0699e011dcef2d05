//! Databases in which a URL names the schemas that a session works in.

use crate::dialect::Dialect;
use crate::error::Result;

/// What such a database says of schemas.
pub trait Schemas: Sync + std::fmt::Debug {
    /// The schemas that a URL names, in which a session looks for names; the version table stands in the first one. None
    /// where the whole database is meant.
    ///
    /// # Errors
    /// `config::url`
    fn named_by(&self, url: &str) -> Result<Vec<String>>;

    /// A query for the names of the schemas among which a pattern chooses.
    fn there(&self) -> &'static str;

    /// The name of a table of sqlrev's own in a schema, unless the name says another one, as it stands in statements.
    fn table(&self, schema: &str, name: &str) -> String;

    /// The statement that leads a session to these schemas.
    fn enter(&self, schemas: &[String]) -> String;
}

impl dyn Dialect {
    /// The schemas that a URL names; none as well where none can be named.
    ///
    /// # Errors
    /// `config::url`
    pub fn schemas_named_by(&self, url: &str) -> Result<Vec<String>> {
        let named = self.schemas().map(|schemas| schemas.named_by(url));
        named.unwrap_or_else(|| Ok(Vec::new()))
    }

    /// The statement that leads a session to these schemas; none where there are none.
    pub fn enter(&self, schemas: &[String]) -> Option<String> {
        let known = self.schemas().filter(|_| !schemas.is_empty())?;
        Some(known.enter(schemas))
    }
}
