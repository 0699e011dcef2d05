//! Reads what statements say, as far as sqlrev must know it, and always with the places of the words.
//!
//! Nothing here is printed again: a definition or an expression is used by cutting it out of its own text.

pub mod alter;
pub mod cursor;
pub mod define;
mod directive;
pub mod elsewhere;
pub mod renamed;
