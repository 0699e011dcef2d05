//! Which process holds a lock on a database file.

/// The processes that hold a lock on the database file or on one of the files beside it, as Linux lists them.
#[cfg(target_os = "linux")]
#[expect(
    clippy::disallowed_methods,
    reason = "the kernel's list of locks is part of what the driver knows"
)]
pub(super) fn of(path: &str) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let inodes: Vec<String> = ["", "-shm", super::exclusive::SUFFIX]
        .iter()
        .filter_map(|suffix| std::fs::metadata(format!("{path}{suffix}")).ok())
        .map(|file| format!(":{}", file.ino()))
        .collect();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let mut pids: Vec<u32> = locks
        .lines()
        .filter_map(|line| held(line, &inodes))
        .filter(|pid| *pid != std::process::id())
        .collect();
    pids.sort_unstable();
    pids.dedup();
    let names: Vec<String> = pids
        .iter()
        .map(|pid| match std::fs::read_to_string(format!("/proc/{pid}/comm")) {
            Ok(name) => format!("process {pid} ({})", name.trim_end()),
            Err(_) => format!("process {pid}"),
        })
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The process of a line of `/proc/locks` (`proc_locks(5)`) that is a lock for writing on one of the files.
#[cfg(target_os = "linux")]
fn held(line: &str, inodes: &[String]) -> Option<u32> {
    let mut words = line.split_whitespace().skip(3).filter(|word| *word != "->");
    let (mode, pid, file) = (words.next()?, words.next()?, words.next()?);
    let ours = mode == "WRITE" && inodes.iter().any(|inode| file.ends_with(inode));
    ours.then(|| pid.parse().ok()).flatten()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn of(_path: &str) -> Option<String> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::held;

    #[test]
    fn a_lock_for_writing_names_its_process() {
        let line = "12: POSIX  ADVISORY  WRITE 4711 fe:00:991 1073741825 1073741825";
        assert_eq!(held(line, &[":991".to_owned()]), Some(4711));
        assert_eq!(held(line, &[":99".to_owned()]), None);
        assert_eq!(held(&line.replace("WRITE", "READ"), &[":991".to_owned()]), None);
    }
}
