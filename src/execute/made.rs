//! A schema that a scratch database was made to hold, in the words in which that was said. Where a database writes
//! expressions anew when their table is altered, it is altered only if somebody asks: two schemas in the same words are the
//! same.

use crate::error::Result;
use crate::execute::declared;
use crate::execute::fault;
use crate::execute::replay::Replay;
use crate::execute::undone::Resume;
use crate::schema::Model;
use crate::version::VersionTable;

/// A schema, and the scratch database that holds it as long as its expressions may get other words.
pub struct Made {
    model: Model,
    replay: Option<Replay>,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let settled = self.replay.is_none();
        write!(f, "Made({} objects, settled: {settled})", self.model.objects.len())
    }
}

impl Made {
    /// What a database holds now.
    pub(super) fn on(mut replay: Replay, table: &VersionTable) -> Result<Self> {
        if !replay.driver().dialect().manner().settles {
            let model = declared::model(replay.driver(), table)?.unwrap_or_default();
            return Ok(Self::apart(model));
        }
        Ok(Self {
            model: declared::as_made(replay.driver(), table)?,
            replay: Some(replay),
        })
    }

    /// What no database holds.
    pub(super) fn apart(mut model: Model) -> Self {
        model.tried = true;
        Self { model, replay: None }
    }

    /// The schema, as far as it is known.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Gives expressions the words that stay.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn settle(&mut self, table: &VersionTable, resume: Resume<'_>) -> Result<()> {
        let Some(mut replay) = self.replay.take() else {
            return Ok(());
        };
        resume(replay.driver()).map_err(|error| fault::database(&error))?;
        self.model = declared::model(replay.driver(), table)?.unwrap_or_default();
        self.model.tried = true;
        Ok(())
    }

    /// The schema alone.
    pub fn into_model(self) -> Model {
        self.model
    }
}
