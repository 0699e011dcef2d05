//! PostgreSQL's identity columns and DROP EXPRESSION.

use crate::code::Code;
use crate::dialect::sqlite::alter::not_null;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::site::Site;
use crate::error::Result;
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::ClauseKind;

fn is_alias(draft: &Draft<'_>, name: &str) -> bool {
    draft.table.rowid_alias().is_some_and(|alias| alias.name.is(name))
}

pub(super) fn add(draft: &mut Draft<'_>, site: &Site<'_>, column: &Name) -> Result<()> {
    let position = draft.column(site, column)?;
    let name = draft.columns[position].name.clone();
    if is_alias(draft, &name) {
        draft
            .notices
            .push(format!("`{name}` numbers itself already: it is an INTEGER PRIMARY KEY"));
        return Ok(());
    }
    let message = format!("`{name}` cannot number itself: on SQLite only an INTEGER PRIMARY KEY does");
    Err(site
        .error(Code::BatchUnsupported, message, &column.span, "not the primary key")
        .help("make it the primary key: ALTER TABLE … ADD PRIMARY KEY (…)"))
}

pub(super) fn drop(draft: &mut Draft<'_>, site: &Site<'_>, column: &Name, if_exists: bool) -> Result<()> {
    let position = draft.column(site, column)?;
    let name = draft.columns[position].name.clone();
    if if_exists && !is_alias(draft, &name) {
        draft.notices.push(format!("`{name}` is no identity column: skipped"));
        return Ok(());
    }
    let message = format!("`{name}` cannot stop numbering itself and stay an INTEGER PRIMARY KEY");
    let error = site.error(
        Code::BatchUnsupported,
        message,
        &column.span,
        "an INTEGER PRIMARY KEY numbers itself",
    );
    Err(error.help("drop the primary key if that is meant"))
}

pub(super) fn drop_expression(draft: &mut Draft<'_>, site: &Site<'_>, column: &Name, if_exists: bool) -> Result<()> {
    let position = draft.column(site, column)?;
    let name = draft.columns[position].name.clone();
    if !draft.is_generated(&name) {
        if if_exists {
            draft.notices.push(format!("`{name}` is no generated column: skipped"));
            return Ok(());
        }
        let message = format!("column `{name}` of `{}` is not generated", draft.name());
        return Err(site.error(Code::BatchUnsupported, message, &column.span, "an ordinary column"));
    }
    not_null::remove(draft, site, &name, |kind| matches!(kind, ClauseKind::Generated { .. }))?;
    draft.columns[position].expect.insert("hidden", "0".to_owned());
    draft.must_copy(format!("the values of `{name}` have to be stored"));
    Ok(())
}
