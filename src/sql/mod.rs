//! SQL as text: where statements begin and end, what a statement says, how names and literals are written.

pub mod filled;
pub(crate) mod lex;
pub mod parse;
pub mod split;
pub(crate) mod squeeze;
pub mod temporary;
pub mod token;
pub mod words;
pub mod write;
