use crate::dialect::Dialect;

/// The query that tells in one small read what is applied in the version table of this name; none where the dialect has
/// none. Made of nothing else, since a program asks it at each start.
#[inline]
pub fn brief(dialect: &dyn Dialect, name: &str) -> Option<String> {
    let [before, after] = dialect.version_sql().brief?;
    // Whoever has a quote in the name does without.
    if name.as_bytes().contains(&b'"') {
        return None;
    }
    let mut query = String::with_capacity(before.len() + name.len() + after.len());
    query.push_str(before);
    query.push_str(name);
    query.push_str(after);
    Some(query)
}
