//! A column that gets another name. MySQL refuses to rename one that a CHECK, a computed column, a default or the partitions
//! of its table name, unless the same ALTER says these anew; MariaDB renames it there by itself.

use crate::dialect::mysql::render::{add_of, drop_of};
use crate::dialect::mysql::schema::{fold, quoted, words};
use crate::schema::{ConstraintKind, Table, Text};
use crate::sql::split::MYSQL;
use crate::sql::token::{self, Kind};

/// The clauses of the ALTER.
pub(super) fn clauses(now: &Table, from: &str, to: &str) -> Vec<String> {
    let collation = now.options.get("collation").map_or("", String::as_str);
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for check in now.constraints.iter().filter(|one| one.kind == ConstraintKind::Check) {
        if let Some(definition) = said(&check.definition, from, to) {
            first.push(drop_of(check));
            let mut check = check.clone();
            check.definition = definition;
            last.push(add_of(&check));
        }
    }
    for column in &now.columns {
        let mut column = column.clone();
        let computed = column.generated.as_mut().map(|generated| &mut generated.expression);
        let texts = computed.into_iter().chain(column.default.as_mut());
        let mut is_said = false;
        for text in texts {
            if let Some(new) = said(text, from, to) {
                *text = new;
                is_said = true;
            }
        }
        if is_said {
            if fold(&column.name) == fold(from) {
                to.clone_into(&mut column.name);
            }
            last.push(format!("MODIFY COLUMN {}", words(&column, collation)));
        }
    }
    first.push(format!("RENAME COLUMN {} TO {}", quoted(from), quoted(to)));
    first.extend(last);
    let partitions = now.options.get("partitions").and_then(|words| renamed(words, from, to));
    if let (Some(partitions), Some(last)) = (partitions, first.last_mut()) {
        last.push('\n');
        last.push_str(&partitions);
    }
    first
}

/// An expression with the new name; none where it does not name the column.
fn said(text: &Text, from: &str, to: &str) -> Option<Text> {
    renamed(&text.written, from, to).map(crate::dialect::mysql::schema::same)
}

/// Words of the server's, in which all names are quoted, with the new name; none where they do not name the column.
fn renamed(written: &str, from: &str, to: &str) -> Option<String> {
    let (mut out, mut done, mut before) = (String::new(), 0, "");
    for token in token::significant(written, &MYSQL) {
        let text = &written[token.span.clone()];
        // A partition may be called as the column is.
        let is_partition = ["PARTITION", "SUBPARTITION"].contains(&before);
        let is_it = token.kind == Kind::Quoted && fold(&token::unquoted(text)) == fold(from);
        if is_it && !is_partition {
            out.push_str(&written[done..token.span.start]);
            out.push_str(&quoted(to));
            done = token.span.end;
        }
        before = text;
    }
    out.push_str(&written[done..]);
    (done > 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::renamed;

    #[test]
    fn the_column_alone_gets_the_name() {
        for (words, expect) in [
            ("(`a` + `b`)", Some("(`c``d` + `b`)")),
            ("concat(_utf8mb4'`a`',`A`)", Some("concat(_utf8mb4'`a`',`c``d`)")),
            ("lower(`b`)", None),
            (
                "PARTITION BY HASH (`a`)\n(PARTITION `a` COMMENT = '`a`')",
                Some("PARTITION BY HASH (`c``d`)\n(PARTITION `a` COMMENT = '`a`')"),
            ),
        ] {
            assert_eq!(renamed(words, "a", "c`d").as_deref(), expect);
        }
    }
}
