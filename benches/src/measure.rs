//! One child, what it took; several, their medians.

use std::mem::MaybeUninit;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a child took.
#[derive(Clone, Copy)]
pub struct Cost {
    /// User and system time, in milliseconds.
    pub cpu: f64,
    /// The most memory it held at once, in megabytes.
    pub memory: f64,
}

/// Runs a command to its end, which must be a good one.
#[expect(clippy::zombie_processes, reason = "`wait4` waits for it, and tells what it took")]
pub fn run(command: &mut Command) -> Cost {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("it starts");
    let pid = i32::try_from(child.id()).expect("a process id");
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are valid for the call; the child is ours and has not been waited for.
    let usage = unsafe {
        let ended = libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr());
        assert_eq!(ended, pid, "the child cannot be waited for");
        usage.assume_init()
    };
    assert_eq!(status, 0, "{command:?} failed");
    let milliseconds = |time: libc::timeval| time.tv_sec as f64 * 1e3 + time.tv_usec as f64 / 1e3;
    Cost {
        cpu: milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime),
        memory: usage.ru_maxrss as f64 / 1024.0,
    }
}

/// A command, and what is done before each run of it.
pub struct Contender<'a> {
    pub before: Box<dyn Fn() + 'a>,
    pub command: Box<dyn Fn() -> Command + 'a>,
}

/// Lets the contenders take turns for so many rounds, and gives the median cost of each.
pub fn rounds(count: usize, contenders: &[Contender<'_>]) -> Vec<Cost> {
    let mut costs: Vec<Vec<Cost>> = contenders.iter().map(|_| Vec::new()).collect();
    for _ in 0..count {
        for (contender, costs) in contenders.iter().zip(&mut costs) {
            (contender.before)();
            costs.push(run(&mut (contender.command)()));
        }
    }
    costs.iter().map(|costs| median(costs)).collect()
}

fn median(costs: &[Cost]) -> Cost {
    let middle = |value: fn(&Cost) -> f64| {
        let mut values: Vec<f64> = costs.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Cost {
        cpu: middle(|cost| cost.cpu),
        memory: middle(|cost| cost.memory),
    }
}

/// How often the command, which must succeed, flushes to the disk; none without strace.
pub fn flushes(command: &Command, folder: &Path) -> Option<usize> {
    let report = folder.join("strace.txt");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-c", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(&report);
    strace.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        strace.current_dir(folder);
    }
    let status = strace.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    assert!(status.success(), "{strace:?} failed");
    let text = std::fs::read_to_string(report).ok()?;
    let calls = text
        .lines()
        .filter(|line| line.ends_with("fsync") || line.ends_with("fdatasync"));
    Some(
        calls
            .filter_map(|line| line.split_whitespace().nth(3)?.parse::<usize>().ok())
            .sum(),
    )
}
