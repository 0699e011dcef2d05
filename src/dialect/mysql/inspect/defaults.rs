//! Defaults that `information_schema` does not show as they are: MySQL cuts those of bytes at their first zero, and both
//! servers show `?` for a letter that does not fit UTF-8 of three bytes, MariaDB also for bytes that are no UTF-8.

use crate::code::Code;
use crate::dialect::mysql::inspect::Reading;
use crate::dialect::mysql::inspect::draft::Draft;
use crate::dialect::mysql::inspect::tables::Drafts;
use crate::dialect::mysql::schema::{literal, quoted, same, words};
use crate::error::{Error, Result};
use crate::schema::{Column, ConstraintKind, Definition, Text};
use crate::sql::split::MYSQL;
use crate::sql::token::{self, Kind};

/// A table of this session alone, whose one row has the defaults of another one.
const ROW: &str = "`sqlrev_defaults`";

impl Reading<'_> {
    /// Reads anew the defaults that may not be what is shown.
    pub(super) fn unshown_defaults(&mut self, drafts: &mut Drafts) -> Result<()> {
        for draft in drafts.values_mut() {
            // SHOW CREATE TABLE has the others as a whole.
            if draft.whole.is_some() || !draft.table.columns.iter().any(may_be_another) {
                continue;
            }
            if self.server.is_mariadb() {
                self.values_of(draft)?;
            } else {
                let words = self.show("TABLE", &draft.name, 1)?;
                draft.take_defaults(&|column| {
                    let shown = default_of(&words, &quoted(&column.name))?;
                    (is_bytes(column) || shown.starts_with("0x")).then_some(shown)
                });
            }
        }
        Ok(())
    }

    /// Gives expressions their letters of four bytes, which MariaDB shows as they are in the whole definition alone.
    pub(super) fn unshown_letters(&mut self, drafts: &mut Drafts) -> Result<()> {
        if !self.server.is_mariadb() {
            return Ok(());
        }
        for draft in drafts.values_mut() {
            if draft.whole.is_some() || !draft.expressions().any(|text| text.written.contains(HIDDEN)) {
                continue;
            }
            let create = self.show("TABLE", &draft.name, 1)?;
            for text in draft.expressions() {
                if let Some(shown) = uncovered(&create, &text.written) {
                    *text = same(shown);
                }
            }
            let collation = draft.collation.clone();
            for column in &mut draft.table.columns {
                column.definition = Definition(words(column, &collation));
            }
        }
        Ok(())
    }

    /// The defaults as values, which nothing but a query for them shows on MariaDB. For a column that takes no NULL it
    /// needs a row, if not of the table then one that its primary key does not find, which some engines give, or one of a
    /// table like it.
    fn values_of(&mut self, draft: &mut Draft) -> Result<()> {
        let columns: Vec<&Column> = draft
            .table
            .columns
            .iter()
            .filter(|column| may_be_another(column))
            .collect();
        let list =
            |of: &dyn Fn(&Column) -> String| columns.iter().map(|column| of(column)).collect::<Vec<_>>().join(", ");
        let table = quoted(&draft.name);
        let asked = list(&|column| hex(column, &format!("DEFAULT({})", quoted(&column.name))));
        let key = draft.table.constraints.iter();
        let key = key.filter(|constraint| constraint.kind == ConstraintKind::PrimaryKey);
        let key = key.flat_map(|constraint| &constraint.columns);
        let parts: Vec<String> = key
            .map(|column| format!("{table}.{} IS NULL", quoted(column)))
            .collect();
        let mut ask = |on: &str| -> Result<Vec<Option<String>>> {
            let row = "(SELECT 1 AS sqlrev_one) sqlrev_row";
            let rows = (self.query)(&format!("SELECT {asked} FROM {row} LEFT JOIN {table} ON {on} LIMIT 1"))?;
            Ok(rows.into_iter().next().unwrap_or_default())
        };
        let mut values = ask("TRUE")?;
        if values.iter().any(Option::is_none) && !parts.is_empty() {
            values = ask(&parts.join(" AND "))?;
        }
        if values.iter().any(Option::is_none) {
            let names = list(&|column| quoted(&column.name));
            let asked = list(&|column| hex(column, &quoted(&column.name)));
            let make = format!("CREATE TEMPORARY TABLE {ROW} AS SELECT {names} FROM {table} LIMIT 0");
            let cannot = |error: Error| match error.code() {
                Code::Interrupted => error,
                _ => Error::new(
                    Code::Database,
                    format!("a default of table {table} is not shown by the server"),
                )
                .cause(
                    error
                        .causes()
                        .first()
                        .map_or(error.message(), String::as_str)
                        .to_owned(),
                )
                .help("let the user make tables of a session: GRANT CREATE TEMPORARY TABLES ON … TO …"),
            };
            (self.query)(&make).map_err(cannot)?;
            let filled = (self.query)(&format!("INSERT INTO {ROW} () VALUES ()"));
            let read = filled.and_then(|_| (self.query)(&format!("SELECT {asked} FROM {ROW}")));
            (self.query)(&format!("DROP TEMPORARY TABLE {ROW}"))?;
            values = read.map_err(cannot)?.into_iter().next().unwrap_or_default();
        }
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        draft.take_defaults(&|column| {
            let at = names.iter().position(|name| *name == column.name)?;
            let value = values.get(at)?.as_deref()?;
            // What is shown as it is stays in the server's words.
            let shown = column.default.as_ref()?.written.as_str();
            let text = text_of(value).map(|text| literal(&text));
            match text.filter(|text| text == shown || !is_bytes(column)) {
                Some(text) => (text != shown).then_some(text),
                None => Some(format!("0x{value}")),
            }
        });
        Ok(())
    }
}

impl Draft {
    /// What is computed or checked.
    fn expressions(&mut self) -> impl Iterator<Item = &mut Text> {
        let columns = self.table.columns.iter_mut().flat_map(|column| {
            let generated = column.generated.as_mut().map(|generated| &mut generated.expression);
            let texts = generated.into_iter().chain(column.default.as_mut());
            texts.chain(Some(&mut column.other))
        });
        columns.chain(
            self.table
                .constraints
                .iter_mut()
                .map(|constraint| &mut constraint.definition),
        )
    }

    /// Gives the columns whose defaults may be others than shown those that are found for them.
    fn take_defaults(&mut self, found: &dyn Fn(&Column) -> Option<String>) {
        for column in self.table.columns.iter_mut().filter(|column| may_be_another(column)) {
            if let Some(default) = found(column) {
                column.default = Some(same(default));
                column.definition = Definition(words(column, &self.collation));
            }
        }
    }
}

/// What stands for each of these letters.
const HIDDEN: &str = "????";

/// The part of a definition that reads as this text, but for the letters that do not show in it; none where there are none.
fn uncovered(create: &str, text: &str) -> Option<String> {
    let head = &text[..text.find(HIDDEN)?];
    create.match_indices(head).find_map(|(start, _)| {
        let (mut rest, mut letters) = (text, create[start..].chars());
        let mut out = String::new();
        while let Some(wanted) = rest.chars().next() {
            let letter = letters.next()?;
            let covered = if letter == wanted {
                letter.len_utf8()
            } else {
                HIDDEN.len()
            };
            if letter != wanted && !(letter.len_utf8() == 4 && rest.starts_with(HIDDEN)) {
                return None;
            }
            out.push(letter);
            rest = &rest[covered..];
        }
        (out != text).then_some(out)
    })
}

/// The kind of a type, without its length.
fn base(column: &Column) -> &str {
    column.data_type.written.split('(').next().unwrap_or_default()
}

fn is_bytes(column: &Column) -> bool {
    base(column).ends_with("binary") || base(column).ends_with("blob")
}

/// Whether the default of the column may be another one than it seems: bytes up to a zero, or a text with a `?`.
fn may_be_another(column: &Column) -> bool {
    let is_text = base(column).ends_with("char") || base(column).ends_with("text");
    let seems = |default: &Text| {
        let mut tokens = token::significant(&default.written, &MYSQL);
        let is_one = tokens.next().is_some_and(|token| token.kind == Kind::Text) && tokens.next().is_none();
        default.written.starts_with("0x") || is_one && default.written.contains('?')
    };
    (is_text || is_bytes(column)) && column.default.as_ref().is_some_and(seems)
}

/// A value of a column in digits, texts in UTF-8.
fn hex(column: &Column, value: &str) -> String {
    if is_bytes(column) {
        format!("HEX({value})")
    } else {
        format!("HEX(CONVERT({value} USING utf8mb4))")
    }
}

/// The text whose UTF-8 these digits are; none where they are no UTF-8.
pub(super) fn text_of(digits: &str) -> Option<String> {
    let pairs = digits.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

/// The default of a column in the statement that makes a table; none where that is an expression.
fn default_of(create: &str, column: &str) -> Option<String> {
    let tokens: Vec<token::Token> = token::significant(create, &MYSQL).collect();
    let text = |at: usize| tokens.get(at).map_or("", |token| &create[token.span.clone()]);
    let mut depth = 0_usize;
    let mut is_in_it = false;
    for at in 0..tokens.len() {
        match text(at) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "DEFAULT" if is_in_it && depth == 1 => {
                let value = text(at + 1);
                return (value != "(").then(|| value.to_owned());
            }
            _ => {}
        }
        if depth == 1 && matches!(text(at), "(" | ",") {
            is_in_it = text(at + 1) == column;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{default_of, uncovered};

    #[test]
    fn letters_that_do_not_show() {
        let create = "CREATE TABLE `t` (\n  `g` text GENERATED ALWAYS AS (concat('?','😀é😀',`id`)) VIRTUAL,\n  CHECK (`c` <> '????'))";
        let found = |text: &str| uncovered(create, text);
        assert_eq!(
            found("concat('?','????é????',`id`)").as_deref(),
            Some("concat('?','😀é😀',`id`)")
        );
        assert_eq!(found("`c` <> '????'"), None);
        assert_eq!(found("`c` <> '?'"), None);
        assert_eq!(found("concat('????',`other`)"), None);
    }

    #[test]
    fn defaults_of_bytes() {
        let create = "CREATE TABLE `t` (\n  `a, b` varbinary(9) DEFAULT 0x4100FF,\n  `n` decimal(9,2) DEFAULT (1),\n  \
                      `c` binary(3) NOT NULL DEFAULT '\\0(,' COMMENT 'DEFAULT `e`',\n  `e` varbinary(2) DEFAULT NULL,\n  \
                      KEY `a` (`c`,`e`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";
        let default = |column: &str| default_of(create, column);
        assert_eq!(default("`a, b`").as_deref(), Some("0x4100FF"));
        assert_eq!(default("`n`"), None);
        assert_eq!(default("`c`").as_deref(), Some("'\\0(,'"));
        assert_eq!(default("`e`").as_deref(), Some("NULL"));
    }
}
