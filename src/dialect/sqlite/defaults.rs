//! A column whose type changes keeps its default, which has to be of the new type as well.

use crate::code::Code;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::types::Affinity;
use crate::dialect::{AlterStatement, Ask};
use crate::error::Result;
use crate::sql::write::quoted;

/// Whether a bare word in a default is a value: of the others none is a column, and each is a text.
pub(super) fn is_value(word: &str) -> bool {
    const VALUES: [&str; 6] = [
        "NULL",
        "TRUE",
        "FALSE",
        "CURRENT_TIME",
        "CURRENT_DATE",
        "CURRENT_TIMESTAMP",
    ];
    VALUES.iter().any(|value| word.eq_ignore_ascii_case(value))
}

/// Refuses a default that a column of its new type would not keep as a value of that type, as PostgreSQL does.
pub(super) fn fit(ask: &mut dyn Ask, draft: &Draft<'_>, run: &[AlterStatement]) -> Result<()> {
    for (name, (index, span)) in &draft.retyped {
        let Some(value) = draft.table.default_of(name).map(str::to_owned) else {
            continue;
        };
        let data_type = draft.type_of(name).to_owned();
        // Whatever is made of a value there, it is one of this type.
        if data_type.eq_ignore_ascii_case("ANY") {
            continue;
        }
        let Some((class, is_moment)) = stored(ask, &data_type, &value)? else {
            continue;
        };
        let affinity = Affinity::of(&data_type);
        if class == "null" || affinity.classes().contains(&class.as_str()) {
            continue;
        }
        // The texts of moments are what such a type is for, and stay texts (datatype3.html, section 2.2).
        if is_moment && affinity == Affinity::Numeric && names_moment(&data_type) {
            continue;
        }
        let site = Site {
            statement: &run[*index],
            index: *index,
            span: span.clone(),
        };
        let message = format!(
            "the default of `{name}` in `{}` is no {data_type}: {value}",
            draft.name()
        );
        let (table, column) = (quoted(draft.name(), '"'), quoted(name, '"'));
        return Err(site
            .refuse(Code::BatchValueLost, message, "the column keeps its default")
            .help(format!(
                "give it another one in the same statement: ALTER TABLE {table} ALTER COLUMN {column} TYPE {data_type}, \
                 ALTER COLUMN {column} SET DEFAULT …"
            ))
            .help(format!("or none: ALTER COLUMN {column} DROP DEFAULT")));
    }
    Ok(())
}

/// Whether a type is one of moments: DATETIME, DATE, TIMESTAMP.
fn names_moment(data_type: &str) -> bool {
    let data_type = data_type.to_ascii_uppercase();
    ["DATE", "TIME"].iter().any(|word| data_type.contains(word))
}

/// The storage class that the default has in a column of the type, and whether it is the text of a moment; `None` where
/// scratch cannot say, for want of a function of the application's, say.
fn stored(ask: &mut dyn Ask, data_type: &str, value: &str) -> Result<Option<(String, bool)>> {
    let mut scratch = ask.scratch()?;
    let made = scratch
        .execute(&format!("CREATE TABLE t (c {data_type} DEFAULT {value})"))
        .and_then(|()| scratch.execute("INSERT INTO t DEFAULT VALUES"));
    if made.is_err() {
        return Ok(None);
    }
    let is_moment = "CASE WHEN typeof(c) = 'text' AND datetime(c) IS NOT NULL THEN 1 END";
    let rows = scratch.query(&format!("SELECT typeof(c), {is_moment} FROM t"));
    let mut row = rows.unwrap_or_default().into_iter().flatten();
    let class = row.next().flatten();
    Ok(class.map(|class| (class, row.next().flatten().is_some())))
}
