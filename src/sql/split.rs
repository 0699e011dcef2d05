//! Where statements end.

/// How a dialect's scripts are cut into statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitRules {
    /// The dialect the rules are for.
    pub flavor: Flavor,
}

/// Whose lexical rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Flavor {
    Sqlite,
    Postgresql,
    Mysql,
}

/// SQLite's rules.
pub const SQLITE: SplitRules = SplitRules { flavor: Flavor::Sqlite };
/// PostgreSQL's rules, as psql applies them.
pub const POSTGRESQL: SplitRules = SplitRules {
    flavor: Flavor::Postgresql,
};
/// MySQL's and MariaDB's rules, as the mysql client applies them.
pub const MYSQL: SplitRules = SplitRules { flavor: Flavor::Mysql };
