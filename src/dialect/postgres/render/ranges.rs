//! Range types that are made anew.

use crate::dialect::postgres::inspect::{qualified, quoted};
use crate::dialect::postgres::render::types::{is_inherited, keys_of, lossy};
use crate::schema::{Column, Key, Model};

/// A range type made anew, while the columns of that type are texts: its functions have its name, so that two of them cannot
/// be there under names that are exchanged.
pub(super) fn anew(key: &Key, from: &Model, to: &Model) -> Option<Vec<String>> {
    let (old, new) = (from.objects.get(key)?, to.objects.get(key)?);
    let place = qualified(&key.schema, &key.name);
    let (mut first, again) = keys_of(key, from, to);
    let (mut own, mut back, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for (table, object) in &from.objects {
        let Some(holds) = &object.table else { continue };
        let action = |column: &Column, words: &str| {
            let table = qualified(&table.schema, &table.name);
            format!("ALTER TABLE {table} ALTER COLUMN {} {words}", quoted(&column.name))
        };
        let columns = holds.columns.iter().filter(|column| column.data_type.written == place);
        for column in columns {
            let then = to.table(table).and_then(|table| table.column(&column.folded));
            // What goes has gone before.
            let Some(then) = then.filter(|then| then.generated.is_some() == column.generated.is_some()) else {
                continue;
            };
            if column.default.is_some() {
                first.push(action(column, "DROP DEFAULT"));
            }
            if !is_inherited(holds, column, from) {
                own.extend(lossy(table, column, from, to));
                own.push(action(column, "TYPE text"));
                back.push(action(
                    column,
                    &format!("TYPE {place} USING {}::{place}", quoted(&column.name)),
                ));
            }
            // Another default comes by itself.
            if let Some(default) = &column.default
                && then.default == column.default
            {
                last.push(action(column, &format!("SET DEFAULT {}", default.written)));
            }
        }
    }
    let mut out = [first, own, vec![old.drop.clone()], new.create.clone()].concat();
    out.extend([back, last, again].concat());
    Some(out)
}
