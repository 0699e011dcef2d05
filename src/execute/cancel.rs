//! How runs are stopped from another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Interrupter = Box<dyn Fn() + Send + Sync>;

/// What makes the statements fail that run now, each under a number of its own.
#[derive(Default)]
struct Running {
    next: u64,
    all: Vec<(u64, Interrupter)>,
}

/// Stops runs, any number of them at once: a copy of it goes to the thread that may want to. It stays fired, and a run
/// that begins with it later fails at once: another run wants another one.
#[derive(Clone, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    running: Arc<Mutex<Running>>,
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cancel({})", self.flag.load(Ordering::Relaxed))
    }
}

impl Cancel {
    /// Nobody wants to stop yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Set once the runs are to stop.
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// Whether it was asked for.
    pub fn is_fired(&self) -> bool {
        self.flag().load(Ordering::Relaxed)
    }

    /// Takes what makes the statement that runs now fail, for as long as the guard is there.
    #[must_use = "it is forgotten with the guard"]
    pub fn interrupts(&self, interrupter: Option<Interrupter>) -> Interrupts {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let number = running.next;
        running.next += 1;
        running.all.extend(interrupter.map(|interrupter| (number, interrupter)));
        Interrupts {
            number,
            running: Arc::clone(&self.running),
        }
    }

    /// Stops the runs, each of which rolls back its revision; tells whether it was asked for before.
    pub fn fire(&self) -> bool {
        let before = self.flag.swap(true, Ordering::Relaxed);
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.all.iter().for_each(|(_, interrupt)| interrupt());
        before
    }
}

/// For as long as this is there, a statement is interrupted.
pub struct Interrupts {
    number: u64,
    running: Arc<Mutex<Running>>,
}

impl std::fmt::Debug for Interrupts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Interrupts({})", self.number)
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.all.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn all_that_run_are_interrupted_and_none_that_has_ended() {
        let cancel = Cancel::new();
        let counts: Vec<Arc<AtomicUsize>> = (0..3).map(|_| Arc::default()).collect();
        let mut guards: Vec<Interrupts> = counts
            .iter()
            .map(|count| {
                let count = Arc::clone(count);
                cancel.interrupts(Some(Box::new(move || {
                    count.fetch_add(1, Ordering::Relaxed);
                })))
            })
            .collect();
        guards.remove(1);
        assert!(!cancel.fire());
        assert!(cancel.fire());
        let counts: Vec<usize> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        assert_eq!(counts, [2, 0, 2]);
    }
}
