//! The project on disk: the only file that touches the file system.
