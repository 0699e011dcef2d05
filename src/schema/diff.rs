//! Differences of two schemas.
