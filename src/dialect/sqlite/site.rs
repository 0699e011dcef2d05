//! Where in the author's files an action stands.

use crate::code::Code;
use crate::dialect::AlterStatement;
use crate::error::Error;
use crate::source::Span;

/// An action of one of a run's statements.
#[derive(Debug, Clone)]
pub(super) struct Site<'a> {
    /// The statement.
    pub(super) statement: &'a AlterStatement,
    /// Its place in the run.
    pub(super) index: usize,
    /// The words of the action in the statement.
    pub(super) span: Span,
}

impl<'a> Site<'a> {
    /// The whole of a statement.
    pub(super) fn whole(statement: &'a AlterStatement, index: usize) -> Self {
        Self {
            statement,
            index,
            span: 0..statement.text.len(),
        }
    }

    /// The words at a place in the statement.
    pub(super) fn words(&self, span: &Span) -> &'a str {
        &self.statement.text[span.clone()]
    }

    /// The statement's place in the run and the action's place in the statement.
    pub(super) fn at(&self) -> (usize, Span) {
        (self.index, self.span.clone())
    }

    /// An error with its label under words of the statement.
    pub(super) fn error(&self, code: Code, message: impl Into<String>, span: &Span, label: impl Into<String>) -> Error {
        let start = self.statement.offset + span.start;
        Error::new(code, message).at(&self.statement.file, start..self.statement.offset + span.end, label)
    }

    /// An error with its label under the action.
    pub(super) fn refuse(&self, code: Code, message: impl Into<String>, label: impl Into<String>) -> Error {
        self.error(code, message, &self.span, label)
    }

    /// An error about a defect of ours: the definition that came out cannot be read.
    pub(super) fn broken(&self, text: &str) -> Error {
        self.refuse(Code::BatchInternal, "the changed definition cannot be read", "")
            .cause(text.to_owned())
    }
}
