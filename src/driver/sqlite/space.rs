//! How much room a file system has.

/// The bytes that are free for this process on the file system of a file; known on Linux, for the command.
#[cfg(all(feature = "cli", target_os = "linux"))]
pub(super) fn free(path: &str) -> Option<u64> {
    let system = rustix::fs::statvfs(path).ok()?;
    system.f_bavail.checked_mul(system.f_frsize)
}

#[cfg(not(all(feature = "cli", target_os = "linux")))]
pub(super) fn free(_path: &str) -> Option<u64> {
    None
}
