//! Range types that are made anew.

use crate::dialect::postgres::inspect::{qualified, quoted};
use crate::dialect::postgres::render::types::{is_inherited, keys_of, lossy};
use crate::schema::{Column, Key, Kind, Model, diff};

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
        let array = format!("{place}[]");
        let mut all = Vec::new();
        let is_one = |column: &&Column| [&place, &array].contains(&&column.data_type.written);
        for column in holds.columns.iter().filter(is_one) {
            let data_type = &column.data_type.written;
            let brackets = &data_type[place.len()..];
            all.push(column);
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
                let name = quoted(&column.name);
                let using = if brackets.is_empty() {
                    String::new()
                } else {
                    format!(" USING {name}::text[]")
                };
                own.push(action(column, &format!("TYPE text{brackets}{using}")));
                back.push(action(column, &format!("TYPE {data_type} USING {name}::{data_type}")));
            }
            // Another default comes by itself.
            if let Some(default) = &column.default
                && then.default == column.default
            {
                last.push(action(column, &format!("SET DEFAULT {}", default.written)));
            }
        }
        let (gone, come) = indexes(table, &all, from, to);
        first.extend(gone);
        last.extend(come);
    }
    let mut out = [first, own, vec![old.drop.clone()], new.create.clone()].concat();
    out.extend([back, last, again].concat());
    Some(out)
}

/// The statements that take the indexes away which stay, over columns that are texts for a moment, and that bring them back.
fn indexes(table: &Key, columns: &[&Column], from: &Model, to: &Model) -> (Vec<String>, Vec<String>) {
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for (key, index) in &from.objects {
        let Some(words) = index.create.first().filter(|words| words.starts_with("CREATE ")) else {
            continue;
        };
        let stays = to.objects.get(key).is_some_and(|then| then.meaning == index.meaning);
        let is_over = columns.iter().any(|column| diff::names(words, &column.name));
        if key.kind == Kind::Index && index.on.as_ref() == Some(table) && stays && is_over {
            gone.push(index.drop.clone());
            come.extend(index.create.iter().cloned());
        }
    }
    (gone, come)
}
