//! The directive `-- sqlrev:reorder table (column, …)`: another order of the columns, which no ALTER can say.

use crate::code::Code;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::site::Site;
use crate::error::Result;
use crate::sql::parse::cursor::Name;

pub(super) fn apply(draft: &mut Draft<'_>, site: &Site<'_>, columns: &[Name]) -> Result<()> {
    let mut order = Vec::new();
    for name in columns {
        let position = draft.column(site, name)?;
        if order.contains(&position) {
            let message = format!("column `{}` is listed twice", name.text);
            return Err(site.error(Code::BatchDuplicate, message, &name.span, "listed before"));
        }
        order.push(position);
    }
    // Columns that are not listed follow in the order they have.
    let rest: Vec<usize> = (0..draft.columns.len())
        .filter(|position| !order.contains(position))
        .collect();
    order.extend(rest);
    if order.is_sorted() {
        draft
            .notices
            .push(format!("the columns of `{}` are in this order already", draft.name()));
        return Ok(());
    }
    draft.table.reorder_columns(&order).map_err(|text| site.broken(&text))?;
    draft.columns = order.iter().map(|&position| draft.columns[position].clone()).collect();
    draft.must_copy("the columns go into another order");
    Ok(())
}
