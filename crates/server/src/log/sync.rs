//! The thread that has the journal reach the disk: one sync for everybody who waits.

use super::{NotLogged, Shared};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use tokio::sync::watch;

/// What is known of syncs.
#[derive(Debug, Clone, Default)]
struct State {
    /// Everything up to here is settled: on the disk, or in doubt.
    settled: u64,
    /// Positions in doubt, the latest last, with the reason.
    doubtful: Vec<(RangeInclusive<u64>, String)>,
}

/// So many stretches in doubt are remembered: who waits for one hears of it at once.
const REMEMBERED: usize = 64;

pub(super) struct Syncs {
    state: watch::Sender<State>,
    asked: Mutex<Asked>,
    changed: Condvar,
}

#[derive(Default)]
struct Asked {
    wanted: u64,
    end: bool,
}

impl Syncs {
    pub(super) fn new(settled: u64) -> Self {
        Self {
            state: watch::Sender::new(State {
                settled,
                doubtful: Vec::new(),
            }),
            asked: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Waits until entries have reached the disk.
    pub(super) async fn wait(&self, positions: RangeInclusive<u64>) -> Result<(), NotLogged> {
        let position = *positions.end();
        let mut state = self.state.subscribe();
        {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.wanted = asked.wanted.max(position);
        }
        self.changed.notify_one();
        let settled = state.wait_for(|state| state.settled >= position).await;
        let settled = settled.map_err(|_| NotLogged("the server ends".into()))?;
        let mut doubtful = settled.doubtful.iter();
        let overlap = |doubtful: &RangeInclusive<u64>| {
            doubtful.start() <= positions.end() && positions.start() <= doubtful.end()
        };
        match doubtful.find(|(doubtful, _)| overlap(doubtful)) {
            None => Ok(()),
            Some((_, reason)) => Err(NotLogged(reason.clone())),
        }
    }

    pub(super) fn end(&self) {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .end = true;
        self.changed.notify_one();
    }

    /// Sleeps until somebody waits for more than is settled; says false at the end.
    fn wait_for_work(&self) -> bool {
        let settled = self.state.borrow().settled;
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = |asked: &mut Asked| asked.wanted <= settled && !asked.end;
        let asked = self.changed.wait_while(asked, nothing);
        let asked = asked.unwrap_or_else(PoisonError::into_inner);
        asked.wanted > settled || !asked.end
    }
}

/// Runs to the end. After a panic it goes on: without this thread everybody would wait for ever.
pub(super) fn run(log: &Shared) {
    while catch_unwind(AssertUnwindSafe(|| run_once(log))).is_err() {
        tracing::error!("syncing the journal panicked, and is tried again");
    }
}

fn run_once(log: &Shared) {
    let Some(syncs) = &log.syncs else {
        return;
    };
    while syncs.wait_for_work() {
        let synced = log.journal.sync();
        if let Err(error) = &synced {
            tracing::error!(%error, "entries may not have reached the disk; their callers are told");
        }
        syncs.state.send_modify(|state| match synced {
            Ok(position) => state.settled = position,
            Err(failed) => {
                state.settled = *failed.positions.end();
                if state.doubtful.len() == REMEMBERED {
                    state.doubtful.remove(0);
                }
                let reason = failed.source.to_string();
                state.doubtful.push((failed.positions, reason));
            }
        });
    }
}
