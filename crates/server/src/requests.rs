//! Requests that their callers have named: a repeat within a time, a day by default, is not a second prediction.
//!
//! An id is bound when the entry of its answer is in the journal. What is under way, or not yet in the store, is in memory;
//! the store knows the rest. A filter says at once that an id is new, so that new ones cost no look-up.

mod filter;

use crate::state::AppState;
use filter::Filter;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{LogStore, LoggedPrediction, RequestQuery, StoreError, request_number};
use tokio::sync::watch;
use types::{
    ModelName, PredictionId, PredictionRecord, RequestId, RequestKey, Timestamp, VersionKey,
};

/// So many are kept in memory before those that the store has are let go.
const MANY: usize = 1 << 14;
/// Ids that are read at a time when the server starts.
const CHUNK: usize = 10_000;
/// How long a repeat waits for its first answer to be counted, and a start for what the journal holds.
const COUNTED_WITHIN: Duration = Duration::from_secs(2);

/// What requests have become.
pub(crate) struct Requests {
    /// How long an id stands for the same request, in microseconds.
    window: i64,
    known: Mutex<Table>,
    filter: Mutex<Filter>,
    /// Whether the filter has what came before the start.
    is_filled: AtomicBool,
}

/// Requests by model and id.
#[derive(Default)]
struct Table {
    of: HashMap<(ModelName, RequestId), Known>,
    /// With more than this, those that the store has are let go.
    most: usize,
}

enum Known {
    /// Goes when it ends, which tells those who wait, if any.
    UnderWay(Option<watch::Sender<()>>),
    Ended(Ended),
}

/// An attempt whose entry has a position.
#[derive(Debug, Clone)]
struct Ended {
    position: u64,
    id: PredictionId,
    body: u64,
    answered: bool,
    attempt: Attempt,
}

/// Which version was to answer, and for whom.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attempt {
    pub(crate) version: VersionKey,
    pub(crate) unit: Option<String>,
    /// Whether it is evidence of an experiment.
    pub(crate) is_evidence: bool,
}

/// Who asks what a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A version is to be called: an attempt that failed is made again.
    Call,
    /// It is told what was called elsewhere: the same again, a failure too, is a repeat.
    Report,
}

/// What a request is.
pub(crate) enum Claim {
    /// It has not been answered; and the attempt that failed, where one has.
    New(Box<Guard>, Option<Attempt>),
    /// It was answered.
    Repeat(Box<LoggedPrediction>),
    /// Another one has its id.
    Conflict(PredictionId),
    /// What it became is not counted yet.
    Behind,
}

/// The place of a request under way. Left without an end, it has not happened.
pub(crate) struct Guard {
    state: AppState,
    key: (ModelName, RequestId),
    body: u64,
    ended: Option<Ended>,
    /// The attempt before, which failed.
    before: Option<Ended>,
}

impl Guard {
    /// Its entry has a position.
    pub(crate) fn ended(mut self, position: u64, record: &PredictionRecord) {
        self.ended = Some(Ended {
            position,
            id: record.id,
            body: self.body,
            answered: record.outcome.answer.is_some(),
            attempt: Attempt {
                version: record.version,
                unit: record.unit_id.as_ref().map(ToString::to_string),
                is_evidence: record.experiment.is_some(),
            },
        });
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut known = self.state.requests.lock();
        match self.ended.take().or(self.before.take()) {
            Some(ended) => match known.of.get_mut(&self.key) {
                Some(under_way) => *under_way = Known::Ended(ended),
                None => drop(known.of.insert(self.key.clone(), Known::Ended(ended))),
            },
            None => drop(known.of.remove(&self.key)),
        }
        if known.of.len() > known.most.max(MANY) {
            let stored = self.state.store.position();
            known.of.retain(|_, known| match known {
                Known::UnderWay(_) => true,
                Known::Ended(ended) => ended.position > stored,
            });
            // Where the store is behind, they are not all looked at with each request.
            known.most = 2 * known.of.len();
        }
    }
}

impl Requests {
    /// Of which none is known, whose ids stand for so long.
    pub(crate) fn new(window: Duration) -> Self {
        Self {
            window: i64::try_from(window.as_micros()).unwrap_or(i64::MAX),
            known: Mutex::default(),
            filter: Mutex::new(Filter::new(window)),
            is_filled: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn filter(&self) -> MutexGuard<'_, Filter> {
        self.filter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known in memory; a request of which nothing is known is under way from now on.
    fn look(&self, state: &AppState, name: &ModelName, request: &RequestKey) -> Looked {
        let key = (name.clone(), request.id.clone());
        let since = state.clock.now().micros() - self.window;
        let mut known = self.lock();
        let before = match known.of.get_mut(&key) {
            Some(Known::UnderWay(done)) => {
                let done = done.get_or_insert_with(|| watch::channel(()).0);
                return Looked::UnderWay(done.subscribe());
            }
            // Its day is over.
            Some(Known::Ended(ended)) if ended.id.time().micros() < since => None,
            Some(Known::Ended(ended)) if ended.answered => return Looked::Answered(ended.clone()),
            Some(Known::Ended(ended)) => Some(ended.clone()),
            None => None,
        };
        known.of.insert(key.clone(), Known::UnderWay(None));
        drop(known);
        Looked::New(Guard {
            state: state.clone(),
            key,
            body: request.body,
            ended: None,
            before,
        })
    }

    /// Forgets an attempt whose version was deleted, and it with it.
    fn forget(&self, name: &ModelName, request: &RequestKey, id: PredictionId) {
        let key = (name.clone(), request.id.clone());
        let mut known = self.lock();
        if matches!(known.of.get(&key), Some(Known::Ended(ended)) if ended.id == id) {
            known.of.remove(&key);
        }
    }

    /// Whether an id may have come before; it has from now on.
    fn may_be_known(&self, request: &RequestKey, now: Timestamp) -> bool {
        let number = request_number(request.id.as_str());
        let seen = self.filter().insert(number, now.seconds());
        seen || !self.is_filled.load(Ordering::Acquire)
    }
}

enum Looked {
    New(Guard),
    UnderWay(watch::Receiver<()>),
    Answered(Ended),
}

/// What a request of a model is: new, or a repeat.
///
/// # Errors
/// When the store is needed to say so and cannot be read.
pub(crate) async fn claim(
    state: &AppState,
    name: &ModelName,
    request: &RequestKey,
    kind: Kind,
) -> Result<Claim, StoreError> {
    let guard = loop {
        match state.requests.look(state, name, request) {
            Looked::New(guard) => break guard,
            Looked::UnderWay(mut told) => {
                // An error is the end of who would tell.
                let _ = told.changed().await;
            }
            Looked::Answered(ended) => {
                let same = ended.body == request.body;
                if !same && kind == Kind::Call {
                    if is_erased(state, ended.id).await? {
                        state.requests.forget(name, request, ended.id);
                        continue;
                    }
                    return Ok(Claim::Conflict(ended.id));
                }
                let behind = state.log.catch_up(COUNTED_WITHIN).await.is_err();
                let found = match same {
                    true => state.store.prediction(ended.id).await?,
                    // An attempt that failed before it may be told again.
                    false => stored(state, name, request, kind)
                        .await?
                        .filter(|p| is(p, request)),
                };
                // Who asked is erased, and the name of the request with that.
                let found = found.filter(|first| first.request.is_some());
                match found {
                    Some(first) => return Ok(Claim::Repeat(Box::new(first))),
                    None if behind => return Ok(Claim::Behind),
                    None if !same => return Ok(Claim::Conflict(ended.id)),
                    // Its version was deleted, and it with it.
                    None => state.requests.forget(name, request, ended.id),
                }
            }
        }
    };
    let now = state.clock.now();
    let failed = guard.before.as_ref();
    let retries = failed.is_some_and(|_| kind == Kind::Call);
    let is_new = failed.is_none() && !state.requests.may_be_known(request, now);
    if retries || is_new {
        let failed = failed.map(|ended| ended.attempt.clone());
        return Ok(Claim::New(Box::new(guard), failed));
    }
    // What the journal held at the start may be a repeat, and what failed may be told again.
    let waits = failed.is_some() || !state.requests.is_filled.load(Ordering::Acquire);
    if waits && state.log.catch_up(COUNTED_WITHIN).await.is_err() {
        return Ok(Claim::Behind);
    }
    let Some(first) = stored(state, name, request, kind).await? else {
        let failed = guard.before.as_ref().map(|ended| ended.attempt.clone());
        return Ok(Claim::New(Box::new(guard), failed));
    };
    let told = kind == Kind::Report && is(&first, request);
    if first.served_model_id.is_some() || told {
        return Ok(match is(&first, request) {
            true => Claim::Repeat(Box::new(first)),
            false => Claim::Conflict(first.id),
        });
    }
    let failed = state.catalogue.state(name).ok().and_then(|model| {
        let mut versions = model.versions.iter();
        let version = versions.find(|version| version.model_id == first.model_id)?;
        Some(Attempt {
            version: version.key,
            unit: first.unit_id.clone(),
            is_evidence: first.experiment_id.is_some(),
        })
    });
    Ok(Claim::New(Box::new(guard), failed))
}

/// Whether who asked is erased, and the name of the request with that.
async fn is_erased(state: &AppState, id: PredictionId) -> Result<bool, StoreError> {
    let found = state.store.prediction(id).await?;
    Ok(found.is_some_and(|found| found.request.is_none()))
}

/// Whether a prediction is of a request that asked or said the same.
fn is(prediction: &LoggedPrediction, request: &RequestKey) -> bool {
    let mut known = prediction.request.iter();
    known.any(|known| known.body == request.body)
}

/// What the store has of a request: of a report an attempt that said the same, else the one that was answered, else the
/// first.
async fn stored(
    state: &AppState,
    name: &ModelName,
    request: &RequestKey,
    kind: Kind,
) -> Result<Option<LoggedPrediction>, StoreError> {
    let query = RequestQuery {
        name: name.clone(),
        id: request.id.clone(),
        body: (kind == Kind::Report).then_some(request.body),
        since: Timestamp::from_micros(state.clock.now().micros() - state.requests.window),
    };
    state.store.of_request(query).await
}

/// Fills the filter with what came within the window before the start.
pub(crate) async fn fill(state: &AppState) {
    let since = Timestamp::from_micros(state.clock.now().micros() - state.requests.window);
    let mut after = PredictionId::order_at(since);
    while state.log.catch_up(COUNTED_WITHIN).await.is_err() {}
    loop {
        let Ok(numbers) = state.store.request_numbers(after, CHUNK).await else {
            tracing::warn!("ids of requests cannot be read now: each new one is looked up");
            tokio::time::sleep(COUNTED_WITHIN).await;
            continue;
        };
        let Some((last, _)) = numbers.last() else {
            break;
        };
        after = *last;
        let mut filter = state.requests.filter();
        for (order, number) in numbers {
            let at = PredictionId::new(order, 0).time();
            filter.insert(number, at.seconds());
        }
    }
    state.requests.is_filled.store(true, Ordering::Release);
}
