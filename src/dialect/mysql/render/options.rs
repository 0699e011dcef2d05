//! What is said of a table as a whole.

use crate::dialect::mysql::schema::{charset, literal};

/// The clause that brings an option to a value, or takes it away; none where no clause does.
pub(super) fn clause(name: &str, old: Option<&str>, new: Option<&str>) -> Option<String> {
    Some(match (name, new) {
        ("engine", Some(engine)) => format!("ENGINE={engine}"),
        ("collation", Some(collation)) => format!("DEFAULT CHARACTER SET {} COLLATE {collation}", charset(collation)),
        ("comment", comment) => format!("COMMENT={}", literal(comment.unwrap_or_default())),
        ("partitions", Some(partitions)) => partitions.to_owned(),
        ("partitions", None) => "REMOVE PARTITIONING".to_owned(),
        ("options", new) => options(old.unwrap_or_default(), new.unwrap_or_default()),
        _ => return None,
    })
}

/// Options that change or come, and those that go.
fn options(old: &str, new: &str) -> String {
    let name = |option: &str| option.split('=').next().unwrap_or_default().to_owned();
    let kept: Vec<String> = new.split(' ').map(name).collect();
    let gone = old
        .split(' ')
        .map(name)
        .filter(|option| !option.is_empty() && !kept.contains(option));
    let gone = gone.map(|option| {
        let none = match option.to_ascii_lowercase().as_str() {
            "key_block_size" | "max_rows" | "min_rows" | "avg_row_length" | "checksum" | "delay_key_write"
            | "autoextend_size" => "0",
            "compression" => "''",
            // That of Aria is on where nothing was said, and DEFAULT leaves it as it is.
            "page_checksum" => "1",
            _ => "DEFAULT",
        };
        format!("{option}={none}")
    });
    let there: Vec<&str> = old.split(' ').collect();
    let come = new
        .split(' ')
        .filter(|option| !option.is_empty() && !there.contains(option))
        .map(str::to_owned);
    gone.chain(come).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::clause;

    #[test]
    fn options_come_and_go() {
        assert_eq!(
            clause(
                "options",
                Some("max_rows=5 row_format=COMPRESSED"),
                Some("row_format=DYNAMIC")
            )
            .as_deref(),
            Some("max_rows=0 row_format=DYNAMIC")
        );
        assert_eq!(
            clause("options", Some("COMPRESSION=\"zlib\""), None).as_deref(),
            Some("COMPRESSION=''")
        );
        assert_eq!(clause("comment", Some("a"), None).as_deref(), Some("COMMENT=''"));
        assert_eq!(
            clause("partitions", Some("PARTITION BY HASH (a)"), None).as_deref(),
            Some("REMOVE PARTITIONING")
        );
    }
}
