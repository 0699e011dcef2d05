//! How a run is stopped from another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Interrupter = Box<dyn Fn() + Send + Sync>;

/// Stops runs: a copy of it goes to the thread that may want to.
#[derive(Clone, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    interrupter: Arc<Mutex<Option<Interrupter>>>,
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

    /// Set once the run is to stop.
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// Whether it was asked for.
    pub fn is_fired(&self) -> bool {
        self.flag().load(Ordering::Relaxed)
    }

    /// What makes the statement that runs now fail.
    pub fn set_interrupter(&self, interrupter: Option<Interrupter>) {
        *self.interrupter.lock().unwrap_or_else(PoisonError::into_inner) = interrupter;
    }

    /// Stops the run, whose revision is rolled back; tells whether it was asked to stop before.
    pub fn fire(&self) -> bool {
        let before = self.flag.swap(true, Ordering::Relaxed);
        if let Some(interrupt) = &*self.interrupter.lock().unwrap_or_else(PoisonError::into_inner) {
            interrupt();
        }
        before
    }
}
