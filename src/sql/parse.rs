//! Reads single statements with sqlparser; the only file that knows it.
