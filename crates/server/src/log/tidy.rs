//! The thread that does what can wait: it erases units, and removes what is deleted or kept no longer. It gives way to all others.

use super::Shared;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often it is looked for something to do.
const IDLE: Duration = Duration::from_secs(1);
/// How much longer than a piece took others have the database and the disk for themselves.
const OTHERS: u32 = 9;
/// And at least so long: the disk has to keep up as well.
const LEAST: Duration = Duration::from_millis(15);
/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// Ends the thread.
#[derive(Default)]
pub(super) struct End {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl End {
    pub(super) fn now(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// Waits for so long; says false at the end.
    fn wait(&self, time: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(asked, time, |asked| !*asked);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Runs to the end. A piece that panics is tried again, later.
pub(super) fn run(log: &Shared) {
    give_way();
    let mut pause = Duration::ZERO;
    while log.tidying.wait(pause) {
        let began = Instant::now();
        let tidied = catch_unwind(AssertUnwindSafe(|| log.store.tidy()));
        pause = match tidied {
            // Most of the time belongs to others.
            Ok(Ok(true)) => (OTHERS * began.elapsed()).max(LEAST),
            Ok(Ok(false)) => IDLE,
            Ok(Err(error)) => {
                tracing::debug!(%error, "tidying up waits for the store");
                RETRY
            }
            Err(_) => {
                tracing::error!("tidying up panicked, and is tried again");
                IDLE
            }
        };
    }
}

/// Whoever else has something to do goes first. A lower priority alone is not enough: a thread that has begun its slice keeps the
/// processor for milliseconds.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
            set_thread_priority_and_policy, thread_native_id,
        };
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        if let Err(error) =
            set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle)
        {
            tracing::debug!(
                ?error,
                "the thread that tidies up has the priority of others"
            );
        }
    }
}
