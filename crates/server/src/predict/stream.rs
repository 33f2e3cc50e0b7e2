//! Answers that come in parts. That a call has begun is in the journal before its first byte goes out, and what came of it
//! before its end does: what has begun and has no outcome after a restart broke off.

use super::{Begin, Call, Ended, Failure, Given, UnderWay, begin, settle};
use crate::shadow;
use crate::state::AppState;
use axum::body::Bytes;
use journal::Frame;
use route::Assignment;
use runtime::{OpenStream, OpenaiRuntime, Part, Runtime, RuntimeError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::entry::{Entry, Kind, broken_off, encode_begun};
use store::{LogStore, LoggedPrediction};
use tokio::sync::{mpsc, oneshot};
use types::{ExperimentId, Failure as FailureClass, PredictionId};

/// Parts that wait for a caller who reads slowly.
const WAITING: usize = 64;
/// How long a caller may not read before he counts as gone.
const NOT_READING: Duration = Duration::from_secs(60);

/// How long an answer may go on when the server ends.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What a request for an answer in parts gets.
pub(crate) enum Streamed {
    /// The parts.
    New(Streaming),
    /// The answer that the request got when it came first.
    Repeated(Box<LoggedPrediction>),
}

/// An answer that has begun.
pub(crate) struct Streaming {
    pub(crate) id: PredictionId,
    pub(crate) model_id: String,
    pub(crate) version: String,
    pub(crate) propensity: f64,
    pub(crate) experiment: Option<ExperimentId>,
    /// The events, as they are sent on.
    pub(crate) parts: mpsc::Receiver<Bytes>,
}

/// Asks for an answer in parts; `usage` is whether the caller wants the event with the tokens.
///
/// # Errors
/// Why there is none.
pub(crate) async fn stream(state: &AppState, call: Call, usage: bool) -> Result<Streamed, Failure> {
    let under_way = match begin(state, call).await? {
        Begin::Call(under_way) => under_way,
        Begin::Repeated(first) => return Ok(Streamed::Repeated(first)),
    };
    let (tell, told) = oneshot::channel();
    // It goes on whether or not its caller waits.
    state.spawn(Box::pin(run(under_way, usage, tell)));
    let gone = |_| Failure::NotLogged("the call ended without an answer".into());
    told.await.map_err(gone)?.map(Streamed::New)
}

async fn run(
    mut under_way: UnderWay,
    usage: bool,
    tell: oneshot::Sender<Result<Streaming, Failure>>,
) {
    let state = under_way.state.clone();
    let opened = under_way.ask_in_turn(async |runtime, how| {
        openai(runtime)?.open(&under_way.record.input, how).await
    });
    let opened = match opened.await {
        Ok(opened) => opened,
        Err(error) => {
            let failed = under_way.conclude(Ended::Failed(error)).await;
            let failed = failed.and_then(|recorded| recorded.answered.map(drop));
            // Where nobody waits any more, it is in the log.
            let _ = tell.send(Err(failed
                .err()
                .unwrap_or_else(|| Failure::NotLogged("it was not told".into()))));
            return;
        }
    };
    if let Err(failure) = under_way.note_begun().await {
        let _ = tell.send(Err(failure));
        return;
    }
    let (sender, parts) = mpsc::channel(WAITING);
    let model = Arc::clone(&under_way.model);
    let Assignment {
        version,
        propensity,
        ..
    } = under_way.assignment;
    let streaming = Streaming {
        id: under_way.record.id,
        model_id: model.model_ids[version].clone(),
        version: model.traffic().versions[version].version.to_string(),
        propensity,
        experiment: under_way.assignment.experiment.map(|(_, id)| id),
        parts,
    };
    // Where nobody waits any more, the first part finds that out.
    let _ = tell.send(Ok(streaming));
    let (end, done) = pass_on(&state, &model, opened, usage, &sender).await;
    match under_way.conclude(end).await {
        Ok(recorded) => {
            let deadline = Instant::now() + state.config.predict_timeout;
            let settled = settle(&state, recorded.position, deadline, Some(recorded.permit)).await;
            if let Err(failure) = settled {
                tracing::error!(
                    ?failure,
                    "the outcome of an answer in parts was not written"
                );
                return;
            }
            if let Ok(prediction) = &recorded.answered {
                shadow::mirror(&state, prediction);
            }
        }
        Err(failure) => {
            tracing::error!(?failure, "the outcome of an answer in parts was not logged");
            return;
        }
    }
    // Only now its end: whoever has seen it can rely on the log.
    if let Some(done) = done {
        let _ = tokio::time::timeout(NOT_READING, sender.send(done)).await;
    }
}

fn openai(runtime: &Runtime) -> Result<&OpenaiRuntime, RuntimeError> {
    match runtime {
        Runtime::Openai(openai) => Ok(openai),
        _ => {
            let why = "it does not answer in parts: ask without `stream`".to_owned();
            Err(RuntimeError::Rejected(why.into()))
        }
    }
}

impl UnderWay {
    /// Writes that it has begun, and takes room for its outcome.
    async fn note_begun(&mut self) -> Result<(), Failure> {
        let mut frame = Frame::default();
        let now = self.begun_at.after(self.start.elapsed());
        encode_begun(&self.model.kept(&self.record), now, frame.payload());
        let log = &self.state.log;
        let bytes = frame.payload().len() as u64 + super::ENTRY_BYTES + super::ANSWER_BYTES;
        let room = log.reserve(bytes.min(log.largest()), self.deadline).await;
        let room = room.ok_or_else(|| Failure::NotLogged(log.why_full()))?;
        let mut first = std::mem::replace(&mut self.room, room);
        let position = log
            .append_frame(&mut first, &mut frame)
            .map_err(|error| Failure::NotLogged(error.to_string()))?;
        settle(&self.state, position, self.deadline, None).await
    }
}

/// Passes parts on until there are no more. Says how that ended, and what is still to be sent when that is in the log.
async fn pass_on(
    state: &AppState,
    model: &crate::snapshot::Model,
    opened: Given<OpenStream>,
    usage: bool,
    to: &mpsc::Sender<Bytes>,
) -> (Ended, Option<Bytes>) {
    let Given {
        what: mut stream,
        at,
        error,
    } = opened;
    let gave = match model.runtime(at).and_then(openai) {
        Ok(gave) => gave,
        Err(error) => return (Ended::Failed(error), None),
    };
    let left = || {
        RuntimeError::Failed(
            FailureClass::BrokenOff,
            "its caller left before the end of the answer".into(),
        )
    };
    let broke_off =
        |error: RuntimeError, stream: &OpenStream| Ended::BrokeOff(at, error, gave.partial(stream));
    let mut ends = std::pin::pin!(ends(state));
    loop {
        let next = tokio::select! {
            next = stream.next() => next,
            () = to.closed() => return (broke_off(left(), &stream), None),
            () = &mut ends => {
                let why = "the server ended before the answer did".into();
                let error = RuntimeError::Failed(FailureClass::BrokenOff, why);
                return (broke_off(error, &stream), None);
            }
        };
        let (event, failed) = match next {
            Ok(Some(Part::Done(event))) => {
                gave.ended(&stream, None);
                let answered = Ended::Answered(at, gave.whole(&stream), error);
                return (answered, Some(event.into()));
            }
            Ok(Some(Part::Usage(_))) if !usage => continue,
            Ok(Some(Part::Event(event) | Part::Usage(event))) => (event, None),
            Ok(Some(Part::Failed(event, said))) => (
                event,
                Some(RuntimeError::Failed(FailureClass::Failed, said)),
            ),
            Ok(None) => {
                let why = "the service ended its answer without `data: [DONE]`".into();
                let error = RuntimeError::Failed(FailureClass::BrokenOff, why);
                gave.ended(&stream, Some(&error));
                return (broke_off(error, &stream), None);
            }
            Err(error) => {
                gave.ended(&stream, Some(&error));
                return (broke_off(error, &stream), None);
            }
        };
        let sent = tokio::select! {
            sent = tokio::time::timeout(NOT_READING, to.send(event.into())) => sent,
            () = &mut ends => return (broke_off(left(), &stream), None),
        };
        if let Some(error) = failed {
            gave.ended(&stream, Some(&error));
            return (broke_off(error, &stream), None);
        }
        if !matches!(sent, Ok(Ok(()))) {
            return (broke_off(left(), &stream), None);
        }
    }
}

/// Returns when the server ends, and answers have had their time to come to an end.
async fn ends(state: &AppState) {
    state.closing.cancelled().await;
    tokio::time::sleep(LAST_WORDS).await;
}

/// Logs that calls broke off which had begun before this process did.
pub(crate) async fn end_begun(state: &AppState) {
    let began = state.clock.now();
    // What the journal holds may be the outcome of some.
    while state.log.catch_up(Duration::from_secs(60)).await.is_err() {
        if state.closing.is_cancelled() {
            return;
        }
    }
    let begun = match state.store.begun().await {
        Ok(begun) => begun,
        Err(error) => {
            tracing::error!(%error, "calls that broke off at the end of the last process cannot be read");
            return;
        }
    };
    for entry in begun {
        let before = matches!(Entry::decode(&entry), Ok(Entry { kind: Kind::Begun(call), .. }) if call.id.time() < began);
        let why = "the server ended before the answer did";
        let Ok(bytes) = broken_off(&entry, why, state.clock.now()) else {
            continue;
        };
        if !before {
            continue;
        }
        let mut frame = Frame::default();
        frame.payload().extend_from_slice(&bytes);
        let deadline = Instant::now() + state.config.predict_timeout;
        let Some(mut room) = state.log.reserve(bytes.len() as u64, deadline).await else {
            tracing::warn!("calls that broke off wait for room in the log until the next start");
            return;
        };
        if let Err(error) = state.log.append_frame(&mut room, &mut frame) {
            tracing::error!(%error, "a call that broke off could not be logged");
        }
    }
    state.log.hurry();
}
