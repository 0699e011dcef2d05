//! What a copy to rehearse on cannot hold: statements that write to other files are refused before anything runs.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::execute::walk::Place;
use crate::revision::Script;
use crate::sql::split::Piece;

/// Refuses a script that reaches beyond the copy: what it does there would be done to the real thing.
pub(crate) fn refuse(script: &Script, dialect: &'static dyn Dialect) -> Result<()> {
    let mut statements = script.statements(dialect.rules())?;
    let mut index = 0;
    while let Some(piece) = statements.next().map_err(|fault| script.fault(&fault))? {
        let Piece::Statement(statement) = &piece else {
            continue;
        };
        if dialect.beyond(statement.text).is_some() {
            let place = Place {
                script,
                statement,
                index,
            };
            return Err(reaches_beyond(&place));
        }
        index += 1;
    }
    Ok(())
}

fn reaches_beyond(place: &Place<'_>) -> Error {
    let (file, span) = place.in_file();
    let message = format!("`{}` reaches beyond the copy that it would be rehearsed on", file.name);
    Error::new(Code::BeyondCopy, message)
        .at(
            &file,
            span,
            "another file, which is not copied and would be changed in earnest",
        )
        .help("see what would run: sqlrev plan upgrade heads; try it on an empty database: sqlrev test")
        .help("or rehearse the revisions before it: sqlrev rehearse TARGET")
}
