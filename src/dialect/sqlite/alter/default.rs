//! ALTER COLUMN … SET DEFAULT and DROP DEFAULT.

use crate::code::Code;
use crate::dialect::sqlite::alter::not_null;
use crate::dialect::sqlite::defaults;
use crate::dialect::sqlite::draft::{Draft, Source};
use crate::dialect::sqlite::expr;
use crate::dialect::sqlite::site::Site;
use crate::error::Result;
use crate::source::Span;
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::ClauseKind;
use crate::sql::split::SQLITE;
use crate::sql::token::{Kind, significant, unquoted};
use crate::sql::write::sqlite_literal;

pub(super) fn set(draft: &mut Draft<'_>, site: &Site<'_>, column: &Name, value: &Span) -> Result<()> {
    let position = draft.column(site, column)?;
    let name = draft.columns[position].name.clone();
    if draft.is_generated(&name) {
        let message = format!(
            "column `{name}` of `{}` is generated and takes no default",
            draft.name()
        );
        return Err(site.error(Code::BatchUnsupported, message, &column.span, "a generated column"));
    }
    refuse_column(draft, site, value)?;
    write(draft, site, &name, &expr::default(site.words(value)))
}

/// The name of a column is a text to SQLite here, and the column to whoever wrote it.
fn refuse_column(draft: &Draft<'_>, site: &Site<'_>, value: &Span) -> Result<()> {
    let words = site.words(value);
    let mut tokens = significant(words, &SQLITE);
    let (Some(token), None) = (tokens.next(), tokens.next()) else {
        return Ok(());
    };
    let name = unquoted(&words[token.span]);
    if token.kind == Kind::Word && defaults::is_value(&name) {
        return Ok(());
    }
    if !matches!(token.kind, Kind::Word | Kind::Quoted) || draft.position(&name).is_none() {
        return Ok(());
    }
    let message = format!("a default cannot be the value of `{name}`");
    Err(site
        .error(Code::BatchUnsupported, message, value, "the name of a column")
        .help(format!("a text stands in single quotes: {}", sqlite_literal(&name))))
}

/// Writes a default into the definition of a column, in the place of the one it has.
pub(super) fn write(draft: &mut Draft<'_>, site: &Site<'_>, name: &str, value: &str) -> Result<()> {
    let old = draft.table.column(name).and_then(|column| {
        column.clauses.iter().find_map(|clause| match &clause.kind {
            ClauseKind::Default(value) => Some(value.clone()),
            _ => None,
        })
    });
    let edited = match old {
        Some(span) => draft.table.edit(&span, value),
        None => draft.table.insert_clause(name, &format!("DEFAULT {value}"), |kind| {
            matches!(kind, ClauseKind::NotNull | ClauseKind::Null)
        }),
    };
    edited.map_err(|text| site.broken(&text))?;
    changed(draft, name, value);
    Ok(())
}

pub(super) fn drop(draft: &mut Draft<'_>, site: &Site<'_>, column: &Name) -> Result<()> {
    let position = draft.column(site, column)?;
    let name = draft.columns[position].name.clone();
    erase(draft, site, &name)
}

/// Takes the default of a column out of its definition.
pub(super) fn erase(draft: &mut Draft<'_>, site: &Site<'_>, name: &str) -> Result<()> {
    not_null::remove(draft, site, name, |kind| matches!(kind, ClauseKind::Default(_)))?;
    changed(draft, name, "");
    Ok(())
}

fn changed(draft: &mut Draft<'_>, name: &str, value: &str) {
    let Some(position) = draft.position(name) else { return };
    draft.columns[position].expect.insert("dflt_value", value.to_owned());
    let alias = draft.state.table.rowid_alias().is_some_and(|alias| alias.name.is(name));
    // A row that was written before the column was added reads its value from the definition's DEFAULT, so the
    // definition alone must not change while such rows may be there.
    if matches!(draft.columns[position].source, Source::Added(_)) {
        draft.must_copy(format!(
            "the new column `{name}` starts with another default than it keeps"
        ));
    } else if !alias {
        draft.default_changed = true;
    }
    draft.reasons.push("a default is a matter of the definition".to_owned());
}
