//! How much room a file system has.

use std::path::Path;

/// The bytes that are free for this process on the file system of a file or a folder; known on Linux.
#[cfg(target_os = "linux")]
pub(crate) fn free(path: &Path) -> Option<u64> {
    let system = rustix::fs::statvfs(path).ok()?;
    system.f_bavail.checked_mul(system.f_frsize)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn free(_path: &Path) -> Option<u64> {
    None
}
