//! Tokens of SQL, with their places.
