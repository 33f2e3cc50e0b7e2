//! Requests that wait for a model, and the threads that run it. Requests that wait at the same time run together.

use super::engine::{EngineError, Session, Stop, Value};
use super::model::{Model, Prepared};
use crate::RuntimeError;
use crate::gate::Pass;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use types::{BatchSpec, Failure, Output};

/// How much runs together, in elements of its longest input, padding included. Longer texts fill the cores by themselves:
/// run together they only wait for each other.
const MOST_TOGETHER: usize = 768;

/// What became of a request.
type Answered = Result<Output, RuntimeError>;

/// The requests that wait.
pub(crate) struct Queue {
    model: Arc<Model>,
    batch: BatchSpec,
    /// Whether requests run together: not where the model turns out to answer them differently then.
    together: AtomicBool,
    waiting: Mutex<Waiting>,
    came: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Arc<Job>>,
    closed: bool,
}

/// A request that waits, or runs.
struct Job {
    input: Prepared,
    length: usize,
    came: Instant,
    state: Mutex<JobState>,
}

struct JobState {
    reply: Option<oneshot::Sender<Answered>>,
    /// Its place among the calls of the version, until its run has ended or it is given up before it runs.
    pass: Option<Arc<Pass>>,
    run: Option<Arc<Run>>,
}

/// A run for one request or several.
struct Run {
    /// How many wait for it.
    waiting: AtomicUsize,
    stop: Stop,
}

/// Whoever waits; when he goes, his request does not run any more.
pub(crate) struct Ticket {
    job: Arc<Job>,
    reply: oneshot::Receiver<Answered>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.job.state();
        state.reply = None;
        match state.run.take() {
            // What runs keeps its place until it has ended.
            Some(run) => {
                if run.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
                    run.stop.stop();
                }
            }
            None => state.pass = None,
        }
    }
}

impl Ticket {
    /// Waits for the answer.
    pub(crate) async fn answer(&mut self) -> Answered {
        let answered = (&mut self.reply).await;
        let ended = |_| Err(RuntimeError::not_loaded("the model was unloaded".into()));
        answered.unwrap_or_else(ended)
    }
}

impl Job {
    fn state(&self) -> MutexGuard<'_, JobState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_awaited(&self) -> bool {
        self.state().reply.is_some()
    }

    fn answer(&self, answered: Answered) {
        let mut state = self.state();
        // Its run has ended: it is not to be stopped any more.
        state.run = None;
        state.pass = None;
        if let Some(reply) = state.reply.take() {
            // Who has gone needs no answer.
            let _ = reply.send(answered);
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Queue")
    }
}

impl Queue {
    /// For a model, with a thread for each session.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(crate) fn start(
        model: Arc<Model>,
        sessions: Vec<Box<dyn Session>>,
        batch: BatchSpec,
        together: bool,
    ) -> std::io::Result<Arc<Self>> {
        let queue = Arc::new(Self {
            model,
            batch,
            together: AtomicBool::new(together && batch.max_size > 1),
            waiting: Mutex::default(),
            came: Condvar::new(),
        });
        for session in sessions {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name("model".into());
            thread.spawn(move || queue.work(session))?;
        }
        Ok(queue)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a request behind the others.
    pub(crate) fn enter(&self, input: Prepared, pass: Arc<Pass>) -> Ticket {
        let (sender, reply) = oneshot::channel();
        let job = Arc::new(Job {
            length: Model::length(&input),
            input,
            came: Instant::now(),
            state: Mutex::new(JobState {
                reply: Some(sender),
                pass: Some(pass),
                run: None,
            }),
        });
        let mut waiting = self.waiting();
        waiting.jobs.push_back(Arc::clone(&job));
        drop(waiting);
        self.came.notify_one();
        Ticket { job, reply }
    }

    /// Ends its threads, each when its run has ended.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.jobs.clear();
        drop(waiting);
        self.came.notify_all();
    }

    /// Runs what waits until the queue is closed.
    fn work(&self, mut session: Box<dyn Session>) {
        while let Some(batch) = self.next() {
            self.run(&mut *session, &batch);
        }
    }

    /// The requests that run next, oldest first; `None` when the queue is closed.
    fn next(&self) -> Option<Vec<Arc<Job>>> {
        let wait = Duration::from_millis(self.batch.max_wait_ms);
        let mut waiting = self.waiting();
        loop {
            if waiting.closed {
                return None;
            }
            waiting.jobs.retain(|job| job.is_awaited());
            let Some(oldest) = waiting.jobs.front() else {
                waiting = self
                    .came
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let until = oldest.came + wait;
            let full = waiting.jobs.len() >= self.batch.max_size as usize;
            let left = until.saturating_duration_since(Instant::now());
            if full || left.is_zero() || !self.together.load(Ordering::Relaxed) {
                let batch = self.take(&mut waiting.jobs);
                if !waiting.jobs.is_empty() {
                    // Another session may be free for those that did not fit.
                    self.came.notify_one();
                }
                return Some(batch);
            }
            let waited = self.came.wait_timeout(waiting, left);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes the oldest request, and those that are about as long.
    fn take(&self, jobs: &mut VecDeque<Arc<Job>>) -> Vec<Arc<Job>> {
        let Some(oldest) = jobs.pop_front() else {
            return Vec::new();
        };
        if !self.together.load(Ordering::Relaxed) || jobs.is_empty() {
            return vec![oldest];
        }
        let (mut longest, mut rows) = (oldest.length, oldest.input.rows);
        let alike = |length: usize| {
            let (less, more) = (length.min(oldest.length), length.max(oldest.length));
            more <= less + less / 4 + 4
        };
        let mut batch = vec![oldest.clone()];
        let mut at = 0;
        while at < jobs.len() && batch.len() < self.batch.max_size as usize {
            let job = &jobs[at];
            let (length, count) = (longest.max(job.length), rows + job.input.rows);
            let fits = alike(job.length)
                && length * count <= MOST_TOGETHER
                && self.model.fit_together(&oldest.input, &job.input);
            if fits {
                (longest, rows) = (length, count);
                batch.extend(jobs.remove(at));
            } else {
                at += 1;
            }
        }
        batch
    }

    fn run(&self, session: &mut dyn Session, batch: &[Arc<Job>]) {
        let run = Arc::new(Run {
            waiting: AtomicUsize::new(0),
            stop: Stop::default(),
        });
        let joined = |job: &&Arc<Job>| {
            let mut state = job.state();
            if state.reply.is_none() {
                return false;
            }
            run.waiting.fetch_add(1, Ordering::AcqRel);
            state.run = Some(Arc::clone(&run));
            true
        };
        // Counted before any of them could go.
        run.waiting.fetch_add(1, Ordering::AcqRel);
        let jobs: Vec<&Arc<Job>> = batch.iter().filter(joined).collect();
        if run.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            return;
        }
        let inputs: Vec<&Prepared> = jobs.iter().map(|job| &job.input).collect();
        let rows: usize = inputs.iter().map(|input| input.rows).sum();
        let outputs = run_guarded(session, self.model.stack(&inputs), Some(&run.stop));
        let by_row = |outputs: &Vec<Value>| jobs.len() == 1 || Model::are_by_row(outputs, rows);
        match outputs {
            Ok(outputs) if by_row(&outputs) => {
                let mut from = 0;
                for job in jobs {
                    let answer = catch_unwind(AssertUnwindSafe(|| {
                        self.model.answer(&outputs, from, &job.input)
                    }));
                    job.answer(
                        answer.unwrap_or_else(|_| Err(panicked("the answer could not be read"))),
                    );
                    from += job.input.rows;
                }
            }
            Ok(_) => {
                self.together.store(false, Ordering::Relaxed);
                self.run_each(session, &jobs);
            }
            // One that cannot be run must not take the others with it.
            Err(_) if jobs.len() > 1 => self.run_each(session, &jobs),
            Err(error) => jobs
                .iter()
                .for_each(|job| job.answer(Err(failed(&error, &job.input)))),
        }
    }

    fn run_each(&self, session: &mut dyn Session, jobs: &[&Arc<Job>]) {
        for job in jobs {
            job.state().run = None;
            self.run(session, std::slice::from_ref(*job));
            // Whoever has gone meanwhile gives its place back.
            job.answer(Err(RuntimeError::not_loaded("it was not run".into())));
        }
    }
}

/// Runs a model; a panic of its engine is an error.
pub(crate) fn run_guarded(
    session: &mut dyn Session,
    inputs: Vec<types::Tensor>,
    stop: Option<&Stop>,
) -> Result<Vec<Value>, EngineError> {
    let run = catch_unwind(AssertUnwindSafe(|| session.run(inputs, stop)));
    run.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(EngineError::Panicked(
            said.unwrap_or("it does not say why").into(),
        ))
    })
}

fn panicked(why: &str) -> RuntimeError {
    RuntimeError::Failed(Failure::Panicked, why.into())
}

/// What a failed run is for the record. Of the caller's own tensors (a class that the table does not have, a shape that does
/// not go with another) nobody can say before whether a model takes them.
pub(crate) fn failed(error: &EngineError, input: &Prepared) -> RuntimeError {
    match error {
        EngineError::Stopped => RuntimeError::Failed(Failure::Failed, error.to_string()),
        _ if input.is_given => {
            RuntimeError::rejected(format!("the model cannot run on these inputs: {error}"))
        }
        EngineError::Panicked(_) => RuntimeError::Failed(Failure::Panicked, error.to_string()),
        EngineError::Failed(_) => RuntimeError::Failed(Failure::Failed, error.to_string()),
    }
}
