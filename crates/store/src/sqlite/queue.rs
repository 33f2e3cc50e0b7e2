//! The queue before the writer: bounded, filled by async callers, emptied by a thread.
//!
//! A channel wakes its receiver for whatever arrives first. This one lets the receiver say for how
//! much it wants to be woken, so that a group costs one wake-up however many records it holds.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For a first item; for ever when `None`.
    pub(super) first: Option<Duration>,
    /// How many items are worth waiting for once there is one.
    pub(super) gather: usize,
    /// For those, at most.
    pub(super) gather_for: Duration,
}

/// A bounded queue. When it is full, callers wait for room.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    enough: Condvar,
    room: Semaphore,
    capacity: usize,
}

struct State<T> {
    items: Vec<T>,
    /// The receiver sleeps and is to be woken for this many items.
    wake_at: usize,
    /// Something that should not wait for more to gather.
    urgent: bool,
    closed: bool,
}

/// No item is taken any more.
#[derive(Debug)]
pub(super) struct Closed;

impl<T> Queue<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::new(State {
                items: Vec::new(),
                wake_at: usize::MAX,
                urgent: false,
                closed: false,
            }),
            enough: Condvar::new(),
            room: Semaphore::new(capacity),
            capacity,
        }
    }

    /// Adds an item, and waits while there is no room. An urgent one ends the gathering.
    pub(super) async fn push(&self, item: T, urgent: bool) -> Result<(), Closed> {
        let place = match self.room.try_acquire() {
            Ok(place) => place,
            Err(_) => self.room.acquire().await.map_err(|_| Closed)?,
        };
        let wake = {
            let mut state = self.lock();
            if state.closed {
                return Err(Closed);
            }
            state.items.push(item);
            state.urgent |= urgent;
            let wake = urgent || state.items.len() >= state.wake_at;
            if wake {
                state.wake_at = usize::MAX;
            }
            wake
        };
        // Given back by `take`.
        place.forget();
        if wake {
            self.enough.notify_one();
        }
        Ok(())
    }

    /// Moves all that is queued into `items`, which must be empty. Says false when the queue is
    /// closed and nothing was left in it.
    pub(super) fn take(&self, items: &mut Vec<T>, patience: Patience) -> bool {
        let mut state = self.wait(self.lock(), 1, patience.first);
        // More than fits is not worth waiting for.
        let gather = patience.gather.min(self.capacity);
        if !state.items.is_empty() && state.items.len() < gather {
            state = self.wait(state, gather, Some(patience.gather_for));
        }
        state.urgent = false;
        std::mem::swap(items, &mut state.items);
        let closed = state.closed;
        drop(state);
        self.room.add_permits(items.len());
        !(closed && items.is_empty())
    }

    /// Sleeps until there are enough items, one of them is urgent, or the time is up.
    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, State<T>>,
        enough: usize,
        at_most: Option<Duration>,
    ) -> MutexGuard<'a, State<T>> {
        let short =
            |state: &mut State<T>| state.items.len() < enough && !state.urgent && !state.closed;
        state.wake_at = enough;
        let mut state = match at_most {
            None => self
                .enough
                .wait_while(state, short)
                .unwrap_or_else(PoisonError::into_inner),
            Some(at_most) => {
                let waited = self.enough.wait_timeout_while(state, at_most, short);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.wake_at = usize::MAX;
        state
    }

    pub(super) fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Refuses all that comes from now on.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.room.close();
        self.enough.notify_one();
    }

    /// Drops what nobody will take.
    pub(super) fn clear(&self) {
        let items = std::mem::take(&mut self.lock().items);
        drop(items);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// A panic while the lock was held left the items whole: they are only moved.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const LONG: Duration = Duration::from_secs(600);

    fn patience(gather: usize) -> Patience {
        Patience {
            first: None,
            gather,
            gather_for: LONG,
        }
    }

    /// Takes in another thread, as the writer does.
    fn take(queue: &Arc<Queue<u32>>, gather: usize) -> std::thread::JoinHandle<Vec<u32>> {
        let queue = Arc::clone(queue);
        std::thread::spawn(move || {
            let mut items = Vec::new();
            assert!(queue.take(&mut items, patience(gather)));
            items
        })
    }

    #[tokio::test]
    async fn a_group_gathers_until_it_is_large_enough_or_something_is_urgent() {
        let queue = Arc::new(Queue::new(10));
        let taken = take(&queue, 3);
        for n in 0..3 {
            queue.push(n, false).await.unwrap();
        }
        assert_eq!(taken.join().unwrap(), [0, 1, 2]);
        let taken = take(&queue, 3);
        queue.push(7, true).await.unwrap();
        assert_eq!(taken.join().unwrap(), [7]);
    }

    #[tokio::test]
    async fn time_ends_the_waiting() {
        let queue = Queue::<u32>::new(10);
        let mut items = Vec::new();
        let none = Some(Duration::ZERO);
        let hurried = Patience {
            first: none,
            gather: 5,
            gather_for: Duration::ZERO,
        };
        assert!(queue.take(&mut items, hurried));
        assert!(items.is_empty());
        queue.push(1, false).await.unwrap();
        assert!(queue.take(&mut items, hurried));
        assert_eq!(items, [1]);
    }

    #[tokio::test]
    async fn a_full_queue_makes_callers_wait_and_a_closed_one_refuses_them() {
        let queue = Arc::new(Queue::new(2));
        queue.push(1, false).await.unwrap();
        queue.push(2, false).await.unwrap();
        let full = tokio::time::timeout(Duration::ZERO, queue.push(3, false)).await;
        assert!(full.is_err(), "there was room for a third");
        assert_eq!(take(&queue, 1).join().unwrap(), [1, 2]);
        queue.push(4, false).await.unwrap();
        queue.close();
        assert!(queue.push(5, false).await.is_err());
        assert_eq!(take(&queue, 9).join().unwrap(), [4]);
        assert!(!queue.take(&mut Vec::new(), patience(1)));
    }
}
