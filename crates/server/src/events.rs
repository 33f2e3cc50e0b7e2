//! What happens, as it happens: `GET /events`, server-sent events out of the audit.

use crate::access::{self, Who};
use crate::audit::entry;
use crate::error::{ApiError, ApiResult};
use crate::experiments;
use crate::extract::{Fields, Params};
use crate::openapi::problems;
use crate::state::AppState;
use api::{AuditEvent, ErrorCode};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::{AuditEntry, AuditFilter, ModelStore};
use tokio::sync::{Semaphore, watch};
use types::{ExperimentId, KeyId, ModelName};
use utoipa::IntoParams;

/// Entries that are read at once: what nobody reads waits in memory, for each stream.
const CHUNK: u32 = 16;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamParams {
    /// Only what happens to this model.
    name: Option<String>,
    /// Only what happens to this experiment.
    experiment: Option<String>,
    /// Only what happens to experiments.
    #[serde(default)]
    experiments_only: bool,
    /// Begins after this entry of the audit; with what happens from now on when left out. The header
    /// `Last-Event-ID` says the same.
    after: Option<i64>,
}

/// Every change as it happens: the id of an event is that of the audit entry, its type is the action, and
/// its data is the entry as JSON.
#[utoipa::path(
    get,
    path = "/events",
    tag = "audit",
    params(StreamParams),
    responses(
        (
            status = 200,
            description = "a stream of server-sent events",
            content_type = "text/event-stream",
            body = AuditEvent,
        ),
        problems::Gone,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn stream(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(params): Params<StreamParams>,
) -> ApiResult<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let mut fields = Fields::default();
    let name = fields.take_option("?name", params.name.as_deref().map(ModelName::parse));
    let experiment = params.experiment.as_deref().map(str::parse::<ExperimentId>);
    let experiment_id = fields.take_option("?experiment", experiment);
    fields.finish(Some(()))?;
    experiments::check_of(&state, params.name.as_deref(), experiment_id.as_ref()).await?;
    let place = Places::take(&state.streams, access::who())?;
    let key = access::key();
    let resumed = headers.get("last-event-id");
    let resumed = resumed.map(|id| id.to_str().unwrap_or("not a text"));
    let resumed = resumed.filter(|id| !id.is_empty());
    let resumed = match resumed.and_then(|id| id.rsplit_once('-')) {
        // Ids of releases before had no generation.
        None => resumed.map(place_of).transpose()?,
        Some((generation, id)) => {
            state.check_generation("Last-Event-ID", Some(generation))?;
            Some(place_of(id)?)
        }
    };
    // Listens before it reads, so that nothing falls between.
    let news = state.news.subscribe();
    let end = state.store.changed_models(i64::MAX).await?.0;
    let after = resumed.or(params.after).unwrap_or(end);
    if after > end {
        let asked = resumed.map_or("?after", |_| "Last-Event-ID");
        return Err(ApiError::beyond_the_end(asked, "audit", end));
    }
    let reader = Reader {
        place,
        key,
        state,
        news,
        filter: AuditFilter {
            name,
            experiment_id,
            experiments_only: params.experiments_only,
            before: None,
            limit: CHUNK,
        },
        after,
        waiting: VecDeque::new(),
    };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok(event), reader))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)))
}

/// From where somebody goes on; what cannot be read is not taken for now, or events would be missed in silence.
fn place_of(id: &str) -> ApiResult<i64> {
    let wrong = |_| ApiError::field("Last-Event-ID", "is no id of an event of this stream");
    id.parse().map_err(wrong)
}

fn event(found: AuditEntry, generation: &str) -> Event {
    let named = Event::default()
        .id(format!("{generation}-{}", found.id))
        .event(found.action.as_str());
    let data = serde_json::to_string(&entry(found)).unwrap_or_default();
    named.data(data)
}

/// How long more is waited for when something has happened.
const MOMENT: Duration = Duration::from_millis(100);
/// How often a stream says that it lives: whoever has hung up is found out by that.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// Streams that read at a time. Each has a connection to the database for that, and a thread: a change wakes all of them.
const READ_AT_A_TIME: usize = 4;
/// Streams that are open at a time.
const MOST_STREAMS: usize = 256;
/// Of these, streams of one key or user, so that one program that opens streams and reads none leaves places for others.
const MOST_OF_ONE: usize = 64;

/// Who has how many streams open. Whoever needs no key is nobody, and may have all of them.
#[derive(Debug)]
pub(crate) struct Places {
    open: Mutex<HashMap<Who, usize>>,
    reading: Semaphore,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            open: Mutex::default(),
            reading: Semaphore::new(READ_AT_A_TIME),
        }
    }
}

/// A place for a stream, until it is dropped.
struct Place {
    places: Arc<Places>,
    who: Who,
}

impl Places {
    fn take(places: &Arc<Self>, who: Who) -> ApiResult<Place> {
        let mut of = places.open.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |detail: String| Err(ApiError::new(ErrorCode::TooManyRequests, detail));
        if of.values().sum::<usize>() >= MOST_STREAMS {
            return full(format!(
                "{MOST_STREAMS} streams of events are open, the most there may be; try again later."
            ));
        }
        let open = of.get(&who).copied().unwrap_or(0);
        if open >= MOST_OF_ONE && who != Who::default() {
            return full(format!(
                "{MOST_OF_ONE} streams of events are open for you, the most that one key or user may have; close some of them."
            ));
        }
        of.insert(who.clone(), open + 1);
        Ok(Place {
            places: Arc::clone(places),
            who,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut of = self
            .places
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = of.get_mut(&self.who) {
            *open -= 1;
            if *open == 0 {
                of.remove(&self.who);
            }
        }
    }
}

struct Reader {
    place: Place,
    /// Whose stream it is: it ends with the key.
    key: Option<KeyId>,
    state: AppState,
    news: watch::Receiver<u64>,
    filter: AuditFilter,
    after: i64,
    /// Events, with the entries that they are of. As texts they take a tenth of what entries do.
    waiting: VecDeque<(i64, Event)>,
}

impl Reader {
    /// The next event; `None` when the server ends, or the audit cannot be read.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((id, event)) = self.waiting.pop_front() {
                self.after = id;
                return Some(event);
            }
            self.news.mark_unchanged();
            let found = {
                let _reading = self.place.places.reading.acquire().await;
                let store = &self.state.store;
                store.audit_after(self.filter.clone(), self.after).await
            };
            match found {
                Err(error) => {
                    tracing::warn!(%error, "a stream of events ends");
                    return None;
                }
                Ok(found) => {
                    let generation = self.state.generation();
                    let events = found
                        .into_iter()
                        .map(|entry| (entry.id, event(entry, &generation)));
                    self.waiting.extend(events);
                }
            }
            if self.waiting.is_empty() {
                let closing = self.state.closing.clone();
                let changed = async {
                    let changed = self.news.changed().await;
                    // What happens within a moment is read at once, however many streams there are.
                    tokio::time::sleep(MOMENT).await;
                    changed
                };
                tokio::select! {
                    () = closing.cancelled() => return None,
                    changed = changed => changed.ok()?,
                }
                let now = self.state.clock.now();
                if self
                    .key
                    .is_some_and(|key| !self.state.keys.is_good(key, now))
                {
                    return None;
                }
            }
        }
    }
}
