//! The core of a prediction: choose a version, call it, log what came of it. It knows no protocol: the
//! codecs make a [`Call`] and say in their own words what became of it.
//!
//! A call that was made is recorded with its true outcome, whether or not its caller still listens.

mod stream;
mod values;

pub(crate) use stream::{Streamed, Streaming, end_begun, stream};
pub(crate) use values::declare as declare_values;

use crate::access;
use crate::clock;
use crate::error::ApiError;
use crate::requests::{self, Claim, Guard, Kind};
use crate::shadow;
use crate::snapshot::{Model, NoModel};
use crate::state::AppState;
use journal::{AppendError, Room};
use route::{Assignment, NoVersion};
use runtime::{Calling, Rejection, Runtime, RuntimeError, Turn};
use sha2::{Digest, Sha256};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use store::{LoggedPrediction, StoreError};
use tokio::sync::OwnedSemaphorePermit;
use types::{
    Attributes, Input, Json, Kept, KeptPart, Outcome, Output, PredictionId, PredictionRecord,
    Reason, RequestId, RequestKey, Timestamp, UnitId, VersionKey,
};

/// What is asked for.
pub(crate) struct Call {
    /// What the version is given.
    pub(crate) input: Input,
    /// The model; the only active one where none is named.
    pub(crate) name: Option<String>,
    /// The version that must answer.
    pub(crate) pinned: Option<String>,
    /// Who asks.
    pub(crate) unit_id: Option<UnitId>,
    /// Whether the caller said so; requests of an array that name nobody get a unit together.
    pub(crate) names_unit: bool,
    /// What is known of who asks.
    pub(crate) attributes: Attributes,
    /// A request of an array waits for its turn, and all of them have this long together.
    pub(crate) until: Option<Instant>,
    /// What the caller calls this request.
    pub(crate) request_id: Option<RequestId>,
}

/// An answer, which is logged.
pub(crate) struct Prediction {
    model: Arc<Model>,
    assignment: Assignment,
    /// The place of the version that answered.
    served: usize,
    record: PredictionRecord,
}

impl Prediction {
    /// What the version said.
    pub(crate) fn output(&self) -> &Output {
        let answer = self.record.outcome.answer.as_ref();
        &answer.expect("a prediction was answered").1
    }

    pub(crate) fn id(&self) -> PredictionId {
        self.record.id
    }

    /// The probability with which the version was chosen.
    pub(crate) fn propensity(&self) -> f64 {
        self.assignment.propensity
    }

    /// Who asked, where the caller said so.
    pub(crate) fn unit(&self) -> Option<&UnitId> {
        self.record.unit_id.as_ref()
    }

    /// What it was asked.
    pub(crate) fn input(&self) -> &Input {
        &self.record.input
    }

    /// The model.
    pub(crate) fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The place of the version that was chosen.
    pub(crate) fn chosen(&self) -> usize {
        self.assignment.version
    }

    /// How long it took to get an answer.
    pub(crate) fn model_time(&self) -> Duration {
        Duration::from_nanos(self.latency_ns())
    }

    pub(crate) fn latency_ns(&self) -> u64 {
        self.record.outcome.latency_ns.unwrap_or_default()
    }

    /// The model.
    pub(crate) fn name(&self) -> &str {
        self.model.traffic().name.as_str()
    }

    /// The version string of the version that was chosen.
    pub(crate) fn version(&self) -> &str {
        self.model.traffic().versions[self.assignment.version]
            .version
            .as_str()
    }

    /// The `model_id` of the version that was chosen.
    pub(crate) fn model_id(&self) -> &str {
        &self.model.model_ids[self.assignment.version]
    }

    /// The `model_id` of the version that answered.
    pub(crate) fn served_model_id(&self) -> &str {
        &self.model.model_ids[self.served]
    }

    pub(crate) fn experiment(&self) -> Option<types::ExperimentId> {
        self.assignment.experiment.map(|(_, id)| id)
    }
}

/// What a call gets.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are new, and need no allocation"
)]
pub(crate) enum Answer {
    /// A prediction.
    New(Prediction),
    /// The one that was made when the request came first.
    Repeated(Box<LoggedPrediction>),
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Too many calls are under way.
    Busy,
    /// The request fits no model, or several.
    Model(NoModel),
    /// The model is none of those that the caller may deal with.
    Forbidden(ApiError),
    /// No version of the model is active.
    NoneActive { name: String },
    /// The version that was asked for does not answer.
    NotAnswering { version: String },
    /// The version refused the input. That is logged.
    Rejected {
        rejection: Rejection,
        id: PredictionId,
    },
    /// Neither the version nor another one answered. That is logged.
    Failed {
        error: RuntimeError,
        id: PredictionId,
    },
    /// It was answered, and the answer is not kept.
    AnswerNotKept(PredictionId),
    /// Another request has the id of this one.
    RequestIdTaken(PredictionId),
    /// Whether the request is a repeat cannot be said: the log is still being counted, or the store is away.
    RequestUnknown(Option<StoreError>),
    /// The input is larger than the log takes, so nothing was called.
    TooLarge { bytes: u64, most: u64 },
    /// Nothing could be logged, so nothing is answered.
    NotLogged(String),
}

/// Bytes of an entry beside its input and its answer: ids, numbers, a `unit_id` and an error.
const ENTRY_BYTES: u64 = 6 << 10;
/// Room that is kept for an answer. Few are larger; those take more room when they are there, so that a model
/// that could answer at length takes none from the others.
const ANSWER_BYTES: u64 = 64 << 10;
/// A version is called only when at least this part of the time is left after the wait for room: it would be
/// blamed for the wait.
const LEAST_PART: u32 = 4;

/// Predicts: chooses a version, calls it, logs the prediction.
///
/// # Errors
/// Why there is no answer.
pub(crate) async fn predict(state: &AppState, call: Call) -> Result<Answer, Failure> {
    let under_way = match begin(state, call).await? {
        Begin::Call(under_way) => under_way,
        Begin::Repeated(first) => return Ok(Answer::Repeated(first)),
    };
    let deadline = under_way.deadline;
    let Recorded {
        position,
        answered,
        permit,
    } = outlive(state, under_way.finish()).await?;
    settle(state, position, deadline, Some(permit)).await?;
    let prediction = answered?;
    shadow::mirror(state, &prediction);
    Ok(Answer::New(prediction))
}

/// Waits until an entry is as safe as the durability wants it. `place` is given to another call as soon as the
/// entry is written.
async fn settle(
    state: &AppState,
    position: u64,
    deadline: Instant,
    place: Option<OwnedSemaphorePermit>,
) -> Result<(), Failure> {
    let written = state.log.write_out(position).await;
    written.map_err(|error| Failure::NotLogged(error.0))?;
    drop(place);
    let confirmed = state.log.confirm(position..=position, deadline).await;
    confirmed.map_err(|error| Failure::NotLogged(error.0))
}

/// What a request leads to.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are calls, and need no allocation"
)]
enum Begin {
    /// A version is called for it.
    Call(UnderWay),
    /// It was answered before.
    Repeated(Box<LoggedPrediction>),
}

/// Chooses a version, and takes room in the log: all that comes before a call.
async fn begin(state: &AppState, call: Call) -> Result<Begin, Failure> {
    let permit = permit(state, call.until).await.ok_or(Failure::Busy)?;
    let model = find(state, call.name.as_deref(), call.pinned.as_deref())?;
    let request = call.request_id.clone().map(|id| RequestKey {
        body: asked(state, &model, &call),
        id,
    });
    let mut claimed = None;
    if let Some(request) = &request {
        let name = &model.traffic().name;
        let unknown = |error| Failure::RequestUnknown(Some(error));
        match requests::claim(state, name, request, Kind::Call)
            .await
            .map_err(unknown)?
        {
            Claim::New(guard, failed) => claimed = Some((guard, failed)),
            // What it was is not known any more, and asking again would be another answer.
            Claim::Repeat(first) if first.kept.output != KeptPart::Full => {
                return Err(Failure::AnswerNotKept(first.id));
            }
            Claim::Repeat(first) => return Ok(Begin::Repeated(first)),
            Claim::Conflict(id) => return Err(Failure::RequestIdTaken(id)),
            Claim::Behind => return Err(Failure::RequestUnknown(None)),
        }
    }
    let (guard, failed) = claimed.unzip();
    let random = clock::random();
    let (pinned, alias) = call
        .pinned
        .as_deref()
        .map(|named| model.named(named))
        .unzip();
    let assignment = match failed
        .flatten()
        .and_then(|failed| again(&model, failed.version))
    {
        Some(again) => again,
        None => {
            let unit = call.unit_id.as_ref().map(UnitId::as_str);
            assign(&model, (unit, &call.attributes), pinned, random)?
        }
    };
    let alias = alias.flatten().cloned();
    let timeout = state.config.predict_timeout;
    let mut start = Instant::now();
    let deadline = call.until.unwrap_or(start + timeout);
    // What is left of the time of an array is too little to blame a version for it.
    if call.until.is_some() && deadline.saturating_duration_since(start) < timeout / LEAST_PART {
        return Err(Failure::Busy);
    }
    // Room in the log first: no call without a record.
    let (input, most) = (input_bytes(&call), state.log.largest());
    if ENTRY_BYTES + input > most {
        return Err(Failure::TooLarge {
            bytes: input,
            most: most.saturating_sub(ENTRY_BYTES),
        });
    }
    let bytes = ENTRY_BYTES + input + model.largest_answer.min(ANSWER_BYTES);
    let room = match state.log.reserve_at_once(bytes) {
        Some(room) => room,
        None => {
            let room = state.log.reserve(bytes, deadline).await;
            start = Instant::now();
            let enough = deadline.saturating_duration_since(start) >= timeout / LEAST_PART;
            let full = || Failure::NotLogged(state.log.why_full());
            room.filter(|_| enough).ok_or_else(full)?
        }
    };
    let begun_at = state.clock.now();
    let record = PredictionRecord {
        id: state.ids.next(begun_at, random),
        version: model.traffic().versions[assignment.version].key,
        reason: assignment.reason,
        experiment: assignment.experiment.map(|(key, _)| key),
        epoch: assignment.epoch,
        propensity: assignment.propensity,
        unit_id: call.unit_id,
        attributes: call.attributes,
        alias,
        request,
        made_at: None,
        decided_at: None,
        input: call.input,
        outcome: Outcome::default(),
        kept: Kept::default(),
    };
    Ok(Begin::Call(UnderWay {
        record,
        begun_at,
        start,
        deadline,
        state: state.clone(),
        model,
        assignment,
        guard,
        random,
        room,
        permit,
    }))
}

/// The model that a request means, where who asks may deal with it.
///
/// # Errors
/// When none is meant, or it is none of his.
pub(crate) fn find(
    state: &AppState,
    name: Option<&str>,
    pinned: Option<&str>,
) -> Result<Arc<Model>, Failure> {
    // Whether there is one of this name is nobody's business who may not deal with it.
    if let Some(name) = name {
        access::check(name).map_err(Failure::Forbidden)?;
    }
    let found = state.snapshot.find(name, pinned, &state.settings);
    let model = found.map_err(Failure::Model)?;
    if !access::covers(model.traffic().name.as_str()) {
        access::check_option(None).map_err(Failure::Forbidden)?;
    }
    Ok(model)
}

/// A place among the calls under way, where there is one or will be one in time.
async fn permit(state: &AppState, until: Option<Instant>) -> Option<OwnedSemaphorePermit> {
    let permits = Arc::clone(&state.permits);
    match until {
        None => permits.try_acquire_owned().ok(),
        Some(until) => {
            let acquired = tokio::time::timeout_at(until.into(), permits.acquire_owned()).await;
            acquired.ok()?.ok()
        }
    }
}

/// A hash of what is asked, keyed by the salt of the model: a repeat asks the same. Where not all of it is kept, nobody shall find out
/// by the hash what it was.
fn asked(state: &AppState, model: &Model, call: &Call) -> u64 {
    let salt = &model.traffic().salt;
    let unit = call.unit_id.as_ref().filter(|_| call.names_unit);
    let unit = unit.map(UnitId::as_str);
    let (pinned, attributes) = (&call.pinned, &call.attributes);
    let bytes = match &call.input {
        Input::Text(text) => serde_json::to_vec(&(salt, "text", text, pinned, unit, attributes)),
        Input::Json(json) => serde_json::to_vec(&(salt, "json", json, pinned, unit, attributes)),
    };
    let bytes = bytes.expect("texts, numbers and JSON are JSON");
    if model.rules.is_some() {
        return state.hasher.number(&bytes);
    }
    let digest = Sha256::digest(&bytes);
    u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

/// The version that failed for the same request is called once more, where it still answers. That is no evidence.
fn again(model: &Model, version: VersionKey) -> Option<Assignment> {
    let traffic = model.traffic();
    let mut versions = traffic.versions.iter();
    let at = versions.position(|known| known.key == version && known.status.answers())?;
    Some(Assignment {
        version: at,
        propensity: 1.0,
        reason: Reason::Retry,
        epoch: traffic.epoch,
        experiment: None,
    })
}

/// How long the input may be in the log, in bytes.
fn input_bytes(call: &Call) -> u64 {
    let length = match &call.input {
        Input::Text(text) => text.len(),
        Input::Json(json) => json.as_str().len(),
    };
    length as u64
}

/// Chooses a version for a unit with attributes.
///
/// # Errors
/// When none can be chosen.
pub(crate) fn assign(
    model: &Model,
    (unit, attributes): (Option<&str>, &Attributes),
    pinned: Option<&str>,
    random: u64,
) -> Result<Assignment, Failure> {
    let assigned = model.routes.assign(pinned, unit, attributes, random);
    let assigned = assigned.map(|assigned| while_held(model, assigned));
    assigned.map_err(|error| match error {
        NoVersion::NoneActive => Failure::NoneActive {
            name: model.traffic().name.to_string(),
        },
        NoVersion::NotAnswering => Failure::NotAnswering {
            version: pinned.unwrap_or_default().to_owned(),
        },
    })
}

/// While a candidate gets no calls, everything that its rollout would choose goes to the control, and is no evidence.
fn while_held(model: &Model, assigned: Assignment) -> Assignment {
    let held = model.watch.as_ref().is_some_and(|watch| watch.is_held());
    if !held || assigned.experiment.is_none() {
        return assigned;
    }
    let experiment = model.traffic().experiment.as_ref();
    let control = experiment.and_then(|experiment| experiment.shares.first());
    let mut versions = model.traffic().versions.iter();
    let control = control.and_then(|(key, _)| versions.position(|version| version.key == *key));
    control.map_or(assigned, |version| Assignment {
        version,
        propensity: 1.0,
        reason: Reason::Held,
        epoch: assigned.epoch,
        experiment: None,
    })
}

/// Runs work to its end, even when its caller goes away. Most calls are answered in process, at once: only
/// those that have to wait get a task of their own.
async fn outlive<T: Send + 'static>(
    state: &AppState,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let mut work: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(work);
    let at_once = std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
    match at_once {
        Poll::Ready(value) => value,
        Poll::Pending => state.detached(work).await,
    }
}

/// A call that is being made, with all that it holds until its entry is written.
struct UnderWay {
    /// What is logged of it; how it ended is not known yet.
    record: PredictionRecord,
    /// The same moment by both clocks.
    begun_at: Timestamp,
    start: Instant,
    deadline: Instant,
    state: AppState,
    model: Arc<Model>,
    assignment: Assignment,
    guard: Option<Box<Guard>>,
    random: u64,
    room: Room,
    permit: OwnedSemaphorePermit,
}

/// A call whose entry has a position.
struct Recorded {
    position: u64,
    answered: Result<Prediction, Failure>,
    permit: OwnedSemaphorePermit,
}

/// How a call went.
enum Ended {
    /// A version answered, by its place; and why the chosen one did not, if another one did.
    Answered(usize, Output, Option<RuntimeError>),
    /// Nobody did.
    Failed(RuntimeError),
    /// An answer did not come to its end: who gave it, why, and what is known of it.
    BrokeOff(usize, RuntimeError, Json),
}

/// What a version gave that was asked.
struct Given<T> {
    what: T,
    /// Its place.
    at: usize,
    /// Why the chosen one gave nothing, where this is another one.
    error: Option<RuntimeError>,
}

impl UnderWay {
    /// Calls the version, and appends what came of it.
    async fn finish(self) -> Result<Recorded, Failure> {
        let given = self
            .ask_in_turn(|runtime, how| runtime.call(&self.record.input, how))
            .await;
        let ended = match given {
            Ok(Given { what, at, error }) => Ended::Answered(at, what, error),
            Err(error) => Ended::Failed(error),
        };
        self.conclude(ended).await
    }

    /// Appends what came of it.
    async fn conclude(self, ended: Ended) -> Result<Recorded, Failure> {
        let latency = self.start.elapsed();
        let Self {
            mut record,
            state,
            model,
            assignment,
            guard,
            begun_at,
            deadline,
            mut room,
            permit,
            ..
        } = self;
        let id = record.id;
        let versions = &model.traffic().versions;
        let (mut answer, mut partial) = (None, None);
        let (served, error) = match ended {
            Ended::Answered(at, output, error) => {
                answer = Some((versions[at].key, output));
                (at, error)
            }
            Ended::Failed(error) => (assignment.version, Some(error)),
            Ended::BrokeOff(at, error, known) => {
                partial = Some(known);
                (at, Some(error))
            }
        };
        record.outcome = Outcome {
            answer,
            failure: error.as_ref().and_then(RuntimeError::failure),
            rejected: matches!(error, Some(RuntimeError::Rejected(_))),
            error: error.as_ref().map(ToString::to_string),
            latency_ns: Some(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX)),
            partial,
        };
        let ended_at = begun_at.after(latency);
        let (position, error) = append(
            &state,
            &model,
            &mut room,
            &mut record,
            error,
            (ended_at, deadline),
        )
        .await?;
        if let Some(guard) = guard {
            guard.ended(position, &record);
        }
        if let Some(watch) = &model.watch {
            watch.count(position, &record);
        }
        if let Some(outputs) = record
            .outcome
            .answer
            .as_ref()
            .and_then(|(_, output)| output.outputs.as_ref())
            && matches!(model.spec(served), types::RuntimeSpec::Openai(_))
        {
            values::append(&state, model.traffic(), id, outputs, deadline).await;
        }
        let answered = match error {
            Some(RuntimeError::Rejected(rejection)) => Err(Failure::Rejected { rejection, id }),
            Some(error) if record.outcome.answer.is_none() => Err(Failure::Failed { error, id }),
            _ => Ok(Prediction {
                model,
                assignment,
                served,
                record,
            }),
        };
        Ok(Recorded {
            position,
            answered,
            permit,
        })
    }

    /// Asks the version that was chosen, and where it fails others in its place, each with its part of the time.
    async fn ask_in_turn<'a, T, F>(
        &'a self,
        ask: impl Fn(&'a Runtime, Calling) -> F,
    ) -> Result<Given<T>, RuntimeError>
    where
        F: Future<Output = Result<T, RuntimeError>>,
    {
        let chosen = self.assignment.version;
        let all = self.deadline.saturating_duration_since(self.start);
        let callable = |version| self.model.is_callable(version);
        let others = self.model.routes.has_fallbacks(&self.assignment, callable);
        let own = Calling {
            turn: Turn::Own,
            within: part(all, others),
            has_full_time: 10 * all >= 9 * self.state.config.predict_timeout,
        };
        let error = match self.ask(chosen, own, &ask).await {
            Ok(what) => {
                return Ok(Given {
                    what,
                    at: chosen,
                    error: None,
                });
            }
            // Another version would be asked for an input that may be no version's fault.
            Err(error @ RuntimeError::Rejected(_)) => return Err(error),
            Err(error) => error,
        };
        // A request without a unit is its own unit: its random bits stand for it.
        let own = format!("{:016x}", self.random);
        let unit = self.record.unit_id.as_ref();
        let unit = unit.map_or(own.as_str(), UnitId::as_str);
        let next = self.model.routes.fallbacks(&self.assignment, unit);
        let mut next = next
            .into_iter()
            .filter(|version| callable(*version))
            .peekable();
        while let Some(at) = next.next() {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let in_place = Calling {
                turn: Turn::InPlace,
                within: part(left, next.peek().is_some()),
                has_full_time: false,
            };
            match self.ask(at, in_place, &ask).await {
                Ok(what) => {
                    let error = Some(error);
                    return Ok(Given { what, at, error });
                }
                Err(error) => {
                    let id = self.record.id;
                    let version = self.model.model_ids[at].as_str();
                    // What it says may repeat what came in.
                    let error = self.model.rules.is_none().then(|| error.to_string());
                    tracing::debug!(%id, version, error, "a version in place of another one failed too");
                }
            }
        }
        Err(error)
    }

    /// Asks one version. One that panics has failed, and harms nobody else.
    async fn ask<'a, T, F>(
        &'a self,
        version: usize,
        how: Calling,
        ask: impl Fn(&'a Runtime, Calling) -> F,
    ) -> Result<T, RuntimeError>
    where
        F: Future<Output = Result<T, RuntimeError>>,
    {
        let asked = ask(self.model.runtime(version)?, how);
        let asked = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(asked)).await;
        asked.unwrap_or_else(|_| {
            self.state.count_panic();
            let why = "the runtime panicked".into();
            Err(RuntimeError::Failed(types::Failure::Panicked, why))
        })
    }
}

/// How long a version may take of the time that is left, where others would answer in its place: two thirds, so that one that
/// hangs leaves them time.
fn part(left: Duration, others: bool) -> Duration {
    if others { left * 2 / 3 } else { left }
}

/// Appends a record. For a long answer more room is taken; where there is none, it is no answer, and that is
/// recorded instead, for which there is room.
async fn append(
    state: &AppState,
    model: &Model,
    room: &mut Room,
    record: &mut PredictionRecord,
    error: Option<RuntimeError>,
    (at, deadline): (Timestamp, Instant),
) -> Result<(u64, Option<RuntimeError>), Failure> {
    let not_logged = |error: AppendError| Failure::NotLogged(error.to_string());
    let too_large = match state.log.append(room, &model.kept(record), at) {
        Err(AppendError::TooLarge { bytes, .. }) => bytes,
        appended => {
            return appended
                .map(|position| (position, error))
                .map_err(not_logged);
        }
    };
    if too_large <= state.log.largest()
        && let Some(mut larger) = state.log.reserve(too_large, deadline).await
    {
        let appended = state.log.append(&mut larger, &model.kept(record), at);
        let position = appended.map_err(not_logged)?;
        return Ok((position, error));
    }
    let most = state.log.largest();
    let why = format!(
        "the answer has no room in the log: the entry would have {too_large} bytes, and {most} are the most"
    );
    let error = RuntimeError::Failed(types::Failure::BadReply, why);
    let chosen_answered =
        matches!(&record.outcome.answer, Some((served, _)) if *served == record.version);
    if chosen_answered {
        record.outcome.failure = error.failure();
    }
    record.outcome.answer = None;
    record.outcome.partial = None;
    record.outcome.error = Some(error.to_string());
    let appended = state.log.append(room, &model.kept(record), at);
    Ok((appended.map_err(not_logged)?, Some(error)))
}
