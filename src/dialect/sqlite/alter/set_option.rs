//! The directives `-- sqlrev:strict`, `-- sqlrev:without_rowid` and `-- sqlrev:autoincrement`: what SQLite says of a
//! table as a whole, which no ALTER can change.

use crate::code::Code;
use crate::dialect::sqlite::alter::not_null;
use crate::dialect::sqlite::demand::Demand;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::table::unquoted_type;
use crate::error::Result;
use crate::sql::parse::alter::TableOption;
use crate::sql::write::quoted;

pub(super) fn apply(draft: &mut Draft<'_>, site: &Site<'_>, option: TableOption, on: bool) -> Result<()> {
    let (name, is) = match option {
        TableOption::Strict => ("STRICT", draft.table.strict()),
        TableOption::WithoutRowid => ("WITHOUT ROWID", draft.table.without_rowid()),
        TableOption::Autoincrement => ("AUTOINCREMENT", draft.table.autoincrement()),
    };
    if is == on {
        let already = if on { "already" } else { "not" };
        draft
            .notices
            .push(format!("`{}` is {already} {name}: skipped", draft.name()));
        return Ok(());
    }
    let comments = draft.table.comments_behind();
    match (option, on) {
        (TableOption::Strict, true) => strict(draft, site)?,
        (TableOption::Strict, false) => loose(draft, site)?,
        (TableOption::WithoutRowid, true) => without_rowid(draft, site)?,
        (TableOption::WithoutRowid, false) => with_rowid(draft, site)?,
        (TableOption::Autoincrement, true) => autoincrement(draft, site)?,
        (TableOption::Autoincrement, false) => {
            if let Some(span) = draft.table.autoincrement_word() {
                draft.table.remove_clause(&span).map_err(|text| site.broken(&text))?;
            }
            draft.must_copy("AUTOINCREMENT is part of how rows are numbered");
            draft.notices.push(format!(
                "the numbers of the rows that were deleted from `{}` may be given again",
                draft.name()
            ));
        }
    }
    if draft.table.comments_behind() < comments {
        draft.notices.push(format!(
            "SQLite keeps no comment behind the definition of `{}`: it goes with the change",
            draft.name()
        ));
    }
    Ok(())
}

/// The types of STRICT tables (<https://www.sqlite.org/stricttables.html>) and the storage class of each; ANY has none.
const STRICT_TYPES: [(&str, &str); 6] = [
    ("INT", "integer"),
    ("INTEGER", "integer"),
    ("REAL", "real"),
    ("TEXT", "text"),
    ("BLOB", "blob"),
    ("ANY", ""),
];

fn strict(draft: &mut Draft<'_>, site: &Site<'_>) -> Result<()> {
    let names: Vec<String> = draft.columns.iter().map(|column| column.name.clone()).collect();
    let mut classes = Vec::new();
    for name in &names {
        let written = unquoted_type(draft.type_of(name)).to_ascii_uppercase();
        let Some((_, class)) = STRICT_TYPES.iter().find(|(known, _)| *known == written) else {
            let what = match draft.type_of(name) {
                "" => "no type",
                written => written,
            };
            let message = format!(
                "column `{name}` of `{}` has {what}, which a STRICT table cannot have",
                draft.name()
            );
            return Err(site
                .refuse(Code::BatchUnsupported, message, "")
                .help(format!(
                    "change it before, in the same revision: ALTER TABLE {} ALTER COLUMN {} TYPE TEXT;",
                    quoted(draft.name(), '"'),
                    quoted(name, '"')
                ))
                .help("the types are INT, INTEGER, REAL, TEXT, BLOB and ANY"));
        };
        classes.push((name, *class));
    }
    draft.table.add_option("STRICT").map_err(|text| site.broken(&text))?;
    for (name, class) in classes {
        if class.is_empty() || draft.is_generated(name) {
            continue;
        }
        let message = format!(
            "a value of `{name}` in `{}` is of another kind than its type",
            draft.name()
        );
        let demand = Demand {
            code: Code::BatchValueLost,
            message: &message,
            help: "change these values first, in the same revision if you like, or give the column the type ANY",
        };
        let column = quoted(name, '"');
        draft.demand(
            site,
            demand,
            &format!("typeof({column}) NOT IN ('{class}', 'null')"),
            &[name],
        );
    }
    // In a STRICT table the columns of a primary key hold no NULL.
    for name in draft.table.primary_key() {
        not_null::demand_values(draft, site, &name);
    }
    draft.must_copy("STRICT is a matter of every value of the table");
    Ok(())
}

/// Without STRICT a column of type ANY would take `'007'` for 7: it loses its type instead and keeps its values.
fn loose(draft: &mut Draft<'_>, site: &Site<'_>) -> Result<()> {
    let any = |name: &&str| draft.type_of(name).eq_ignore_ascii_case("ANY");
    let names = draft.columns.iter().map(|column| column.name.as_str());
    let names: Vec<String> = names.filter(any).map(str::to_owned).collect();
    for name in &names {
        let span = draft.table.column(name).and_then(|column| {
            let end = column.data_type.as_ref()?.end;
            Some(column.name.span.end..end)
        });
        if let Some(span) = span {
            draft.table.edit(&span, "").map_err(|text| site.broken(&text))?;
        }
        if let Some(position) = draft.position(name) {
            draft.columns[position].expect.insert("type", String::new());
        }
        draft.notices.push(format!(
            "`{name}` keeps its values as they are: outside a STRICT table that is a column without a type, and not ANY"
        ));
    }
    keep_key_not_null(draft, site)?;
    draft.table.remove_option("STRICT").map_err(|text| site.broken(&text))?;
    draft.must_copy("STRICT is a matter of every value of the table");
    Ok(())
}

/// The columns of a key that could not hold NULL go on like that where the table no longer says so for them.
fn keep_key_not_null(draft: &mut Draft<'_>, site: &Site<'_>) -> Result<()> {
    let alias = draft.table.rowid_alias().map(|alias| alias.name.text.clone());
    for column in draft.table.primary_key() {
        if alias.as_ref().is_none_or(|alias| !alias.eq_ignore_ascii_case(&column)) {
            not_null::write_not_null(draft, site, &column)?;
        }
    }
    Ok(())
}

fn without_rowid(draft: &mut Draft<'_>, site: &Site<'_>) -> Result<()> {
    let key = draft.table.primary_key();
    if key.is_empty() {
        let message = format!(
            "`{}` has no primary key, which is what a WITHOUT ROWID table goes by",
            draft.name()
        );
        return Err(site
            .refuse(Code::BatchUnsupported, message, "no primary key")
            .help("ALTER TABLE … ADD PRIMARY KEY (…) before, in the same revision"));
    }
    if draft.table.autoincrement() {
        let message = format!(
            "`{}` is AUTOINCREMENT, which a WITHOUT ROWID table cannot be",
            draft.name()
        );
        return Err(site.refuse(Code::BatchUnsupported, message, "").help(format!(
            "-- sqlrev:autoincrement {} off, on the line before",
            quoted(draft.name(), '"')
        )));
    }
    if draft.table.rowid_alias().is_none() && draft.rowid().is_some() {
        draft.notices.push(format!(
            "the rowids of `{}` go: whatever outside the schema names its rows by rowid finds them no more",
            draft.name()
        ));
    }
    for name in &key {
        not_null::demand_values(draft, site, name);
    }
    draft
        .table
        .add_option("WITHOUT ROWID")
        .map_err(|text| site.broken(&text))?;
    draft.key_changed = true;
    draft.must_copy("rows are stored by their primary key");
    Ok(())
}

fn with_rowid(draft: &mut Draft<'_>, site: &Site<'_>) -> Result<()> {
    draft.table.remove_option("ROWID").map_err(|text| site.broken(&text))?;
    if !draft.table.strict() {
        keep_key_not_null(draft, site)?;
    }
    draft.key_changed = true;
    draft.must_copy("rows are stored by a rowid");
    Ok(())
}

fn autoincrement(draft: &mut Draft<'_>, site: &Site<'_>) -> Result<()> {
    let refuse = |what: &str| {
        let message = format!("`{}` cannot be AUTOINCREMENT: {what}", draft.name());
        Err(site
            .refuse(Code::BatchUnsupported, message, "")
            .help("AUTOINCREMENT is for a primary key of one column of the type INTEGER"))
    };
    if draft.table.without_rowid() {
        return refuse("it is WITHOUT ROWID");
    }
    let place = draft.table.autoincrement_place();
    let Some(at) = place.filter(|_| draft.table.rowid_alias().is_some()) else {
        return refuse("its primary key is no INTEGER PRIMARY KEY");
    };
    draft
        .table
        .edit(&(at..at), " AUTOINCREMENT")
        .map_err(|text| site.broken(&text))?;
    draft.must_copy("AUTOINCREMENT is part of how rows are numbered");
    Ok(())
}
