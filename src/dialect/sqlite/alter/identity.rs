//! PostgreSQL's identity columns, SET EXPRESSION and DROP EXPRESSION.

use crate::code::Code;
use crate::dialect::sqlite::alter::{not_null, set_type};
use crate::dialect::sqlite::draft::{Draft, Source, uses_new_values};
use crate::dialect::sqlite::expr;
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::types::Affinity;
use crate::error::Result;
use crate::source::Span;
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
    let is_stored = matches!(draft.columns[position].source, Source::Same(_));
    let expression = draft.table.expression_of(&name);
    let expression = expression.map(|span| draft.table.at(&span).to_owned());
    if let Some(expression) = &expression {
        draft.split |= uses_new_values(&draft.columns, &draft.table, &[expression]);
    }
    if let Some(expression) = expression.filter(|_| !is_stored) {
        // What is new keeps what its expression gives for each row.
        let affinity = Affinity::of(draft.type_of(&name));
        draft.columns[position].source = Source::Converted(format!("({expression})"), affinity);
    }
    not_null::remove(draft, site, &name, |kind| matches!(kind, ClauseKind::Generated { .. }))?;
    draft.columns[position].expect.insert("hidden", "0".to_owned());
    draft.must_copy(format!("the values of `{name}` have to be stored"));
    Ok(())
}

pub(super) fn set_expression(draft: &mut Draft<'_>, site: &Site<'_>, column: &Name, words: &Span) -> Result<()> {
    let position = draft.column(site, column)?;
    let name = draft.columns[position].name.clone();
    let Some(old) = draft.table.expression_of(&name) else {
        let message = format!("column `{name}` of `{}` is not generated", draft.name());
        return Err(site.error(Code::BatchUnsupported, message, &column.span, "an ordinary column"));
    };
    draft.quoted_names(site, words)?;
    let written = expr::written(site.words(words));
    draft.table.edit(&old, &written).map_err(|text| site.broken(&text))?;
    let affinity = Affinity::of(draft.type_of(&name));
    draft.columns[position].source = Source::Converted(format!("({written})"), affinity);
    draft.must_copy(format!("the values of `{name}` are computed anew"));
    set_type::demand_constraints(draft, site, &name, true, true);
    Ok(())
}
