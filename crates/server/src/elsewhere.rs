//! `POST /predictions` and `POST /exposures`: predictions that were made elsewhere. They go into the same log, and with the
//! token of a decision they are evidence like any other.

use crate::clock;
use crate::decisions::{BadToken, Decision};
use crate::error::{ApiError, ApiResult};
use crate::extract::attributes_of;
use crate::lines::{self, AHEAD, Refusal, happened};
use crate::openapi::problems;
use crate::requests::{self, Attempt, Claim, Guard, Kind};
use crate::snapshot::Model;
use crate::state::AppState;
use api::{ErrorCode, ObservedPrediction, ObservedReceipt, ObservedReply};
use axum::Json as Reply;
use axum::extract::{Request, State};
use journal::Frame;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Instant;
use store::entry::encode_prediction;
use types::{
    AliasName, FeedbackStatus, Input, Outcome, Output, PredictionRecord, Reason, RequestId,
    RequestKey, Timestamp, UnitId, VersionKey,
};

/// The longest error, in characters.
const MAX_ERROR: usize = 1000;
/// The least propensity: what is rarer would count thousands of times.
const LEAST: f64 = 1e-4;
/// The longest latency, in milliseconds: a day.
const MAX_LATENCY: f64 = 86_400_000.0;

/// Logs predictions that were made elsewhere.
///
/// One as a JSON object, or up to 10,000 as a JSON array or as NDJSON, a line each. With the `token` of `POST /decide` they
/// are evidence like any other; without one they are logged as `observed`, and no experiment uses them as evidence. One
/// that is not valid does not keep the others from being logged. With a `request_id`, sending one again changes nothing.
#[utoipa::path(
    post,
    path = "/predictions",
    tag = "predictions",
    request_body(
        content((api::ObservedBody = "application/json"), (String = "application/x-ndjson")),
        description = "an object, an array of them, or a line each",
    ),
    responses(
        (status = 200, description = "what became of each", body = ObservedReply),
        problems::Observe,
    ),
)]
pub(crate) async fn send(
    State(state): State<AppState>,
    request: Request,
) -> ApiResult<Reply<ObservedReply>> {
    let lines = lines::read::<ObservedPrediction>(request, &state).await?;
    let single = lines.is_single();
    log(&state, single, lines).await
}

/// Logs that units met the versions that were chosen for them.
///
/// For decisions that are no predictions, and for flags that were evaluated: from here on the unit counts. One, or up to
/// 10,000, as `POST /predictions` takes them.
#[utoipa::path(
    post,
    path = "/exposures",
    tag = "decisions",
    request_body(
        content((api::ExposureBody = "application/json"), (String = "application/x-ndjson")),
        description = "an object, an array of them, or a line each",
    ),
    responses(
        (status = 200, description = "what became of each", body = ObservedReply),
        problems::Observe,
    ),
)]
pub(crate) async fn expose(
    State(state): State<AppState>,
    request: Request,
) -> ApiResult<Reply<ObservedReply>> {
    let lines = lines::read::<api::Exposure>(request, &state).await?;
    let prediction = |exposure: api::Exposure| ObservedPrediction {
        token: Some(exposure.token),
        attributes: exposure.attributes,
        request_id: exposure.request_id,
        at: exposure.at,
        ..ObservedPrediction::default()
    };
    let single = lines.is_single();
    log(&state, single, lines.each(prediction)).await
}

async fn log(
    state: &AppState,
    single: bool,
    lines: impl Iterator<Item = (u64, Result<ObservedPrediction, Refusal>)>,
) -> ApiResult<Reply<ObservedReply>> {
    // A body that comes slowly takes no place of a prediction.
    let _permit = state.permit()?;
    let deadline = Instant::now() + state.config.predict_timeout;
    let mut reply = ObservedReply::default();
    let mut refused = Vec::new();
    let mut positions: Option<(u64, u64)> = None;
    for (line, item) in lines {
        let logged = match item {
            Ok(item) => log_one(state, line, item, deadline).await,
            Err(refusal) => Err(refusal),
        };
        match logged {
            Ok((receipt, position)) => {
                match position {
                    Some(position) => {
                        let first = positions.map_or(position, |(first, _)| first);
                        positions = Some((first, position));
                        reply.recorded += 1;
                    }
                    None => reply.duplicate += 1,
                }
                reply.receipts.push(receipt);
            }
            Err(refusal) => refused.push((line, refusal)),
        }
    }
    if let Some((first, last)) = positions {
        let unavailable = |error: crate::log::NotLogged| ApiError::log_unavailable(&error.0);
        state.log.write_out(last).await.map_err(unavailable)?;
        let confirmed = state.log.confirm(first..=last, deadline).await;
        confirmed.map_err(unavailable)?;
    }
    if reply.receipts.is_empty() && !refused.is_empty() {
        if single && let Some((_, refusal)) = refused.pop() {
            return Err(refusal.into());
        }
        let code = refused[0].1.code;
        if refused.iter().all(|(_, refusal)| refusal.code == code) {
            if code == ErrorCode::InvalidRequest {
                return Err(lines::nothing_fits(refused));
            }
            // Nothing can be logged now.
            if code.status() >= 500
                && let Some((_, refusal)) = refused.pop()
            {
                return Err(refusal.into());
            }
        }
    }
    reply.rejected = refused.len() as u64;
    let errors = refused.iter();
    reply.errors = errors
        .map(|(line, refusal)| refusal.of_line(*line))
        .collect();
    Ok(Reply(reply))
}

/// What is to be logged, but for its id.
struct Checked {
    model: Arc<Model>,
    version: VersionKey,
    decision: Option<Decision>,
    alias: Option<AliasName>,
    unit: Option<UnitId>,
    attributes: types::Attributes,
    request: Option<RequestKey>,
    made_at: Option<Timestamp>,
    decided_at: Option<Timestamp>,
    propensity: f64,
    input: Input,
    outcome: Outcome,
}

/// Logs one; gives its position where it is new.
async fn log_one(
    state: &AppState,
    line: u64,
    item: ObservedPrediction,
    deadline: Instant,
) -> Result<(ObservedReceipt, Option<u64>), Refusal> {
    let now = state.clock.now();
    let checked = check(state, item, now)?;
    let (model, name) = (
        Arc::clone(&checked.model),
        checked.model.traffic().name.clone(),
    );
    let mut retries = false;
    let mut guard: Option<Box<Guard>> = None;
    if let Some(request) = &checked.request {
        let claimed = requests::claim(state, &name, request, Kind::Report).await;
        match claimed.map_err(|error| Refusal::from(ApiError::from(error)))? {
            Claim::New(claimed, failed) => {
                retries = repeats(&checked, failed.as_ref())?;
                guard = Some(claimed);
            }
            Claim::Repeat(first) => {
                let receipt = ObservedReceipt {
                    line,
                    prediction_id: first.id.to_string(),
                    status: FeedbackStatus::Duplicate.into(),
                    request_id: Some(request.id.to_string()),
                    name: first.name.to_string(),
                    model_version: first.version.to_string(),
                    reason: first.reason.into(),
                };
                return Ok((receipt, None));
            }
            Claim::Conflict(id) => return Err(taken(&format!("the prediction {id}"))),
            Claim::Behind => return Err(ApiError::log_behind().into()),
        }
    }
    let record = record(state, checked, retries, now);
    let mut frame = Frame::default();
    encode_prediction(&model.kept(&record), now, frame.payload());
    let bytes = frame.payload().len() as u64;
    let most = state.log.largest();
    if bytes > most {
        let detail =
            format!("It takes {bytes} bytes in the log, which takes at most {most}: send less.");
        return Err(Refusal {
            code: ErrorCode::BodyTooLarge,
            pointer: "",
            detail,
        });
    }
    let full = || Refusal::from(ApiError::log_unavailable(&state.log.why_full()));
    let room = match state.log.reserve_at_once(bytes) {
        Some(room) => Some(room),
        None => state.log.reserve(bytes, deadline).await,
    };
    let mut room = room.ok_or_else(full)?;
    let appended = state.log.append_frame(&mut room, &mut frame);
    let unavailable =
        |error: journal::AppendError| Refusal::from(ApiError::log_unavailable(&error.to_string()));
    let position = appended.map_err(unavailable)?;
    if let Some(guard) = guard {
        guard.ended(position, &record);
    }
    if let Some(watch) = &model.watch {
        watch.count(position, &record);
    }
    let mut versions = model.traffic().versions.iter();
    let version = versions.find(|version| version.key == record.version);
    let receipt = ObservedReceipt {
        line,
        prediction_id: record.id.to_string(),
        status: FeedbackStatus::Recorded.into(),
        request_id: record.request.map(|request| request.id.to_string()),
        name: name.to_string(),
        model_version: version.map_or_else(String::new, |version| version.version.to_string()),
        reason: record.reason.into(),
    };
    Ok((receipt, Some(position)))
}

fn taken(by: &str) -> Refusal {
    Refusal {
        code: ErrorCode::RequestIdTaken,
        pointer: "",
        detail: format!(
            "Another request within `--request-hours` has this `request_id` ({by}), and was for another unit or \
             version, or says something else; give each request its own id."
        ),
    }
}

/// Whether it repeats an attempt that failed and was the exposure. One of another unit or version is another request.
fn repeats(checked: &Checked, failed: Option<&Attempt>) -> Result<bool, Refusal> {
    let (Some(failed), Some(decision)) = (failed, &checked.decision) else {
        return Ok(false);
    };
    let same = failed.version == decision.version
        && failed.unit.as_deref() == Some(decision.unit.as_str());
    match (failed.is_evidence, same) {
        // It was no exposure.
        (false, _) => Ok(false),
        (true, true) => Ok(true),
        (true, false) => Err(taken("an attempt that failed")),
    }
}

fn record(state: &AppState, checked: Checked, retries: bool, now: Timestamp) -> PredictionRecord {
    let id = state.ids.next(now, clock::random());
    let epoch = checked.model.traffic().epoch;
    let (reason, experiment, epoch, propensity) = match &checked.decision {
        // The attempt that failed was the exposure.
        Some(_) if retries => (Reason::Retry, None, epoch, 1.0),
        Some(d) => (d.reason, d.experiment, d.epoch, d.propensity),
        None => (Reason::Observed, None, epoch, checked.propensity),
    };
    PredictionRecord {
        id,
        version: checked.version,
        reason,
        experiment,
        epoch,
        propensity,
        unit_id: checked.unit,
        attributes: checked.attributes,
        alias: checked.alias,
        request: checked.request,
        made_at: checked.made_at,
        decided_at: checked.decided_at,
        input: checked.input,
        outcome: checked.outcome,
        kept: types::Kept::default(),
    }
}

fn check(
    state: &AppState,
    mut item: ObservedPrediction,
    now: Timestamp,
) -> Result<Checked, Refusal> {
    let request_id = item.request_id.as_deref().map(RequestId::parse).transpose();
    let request_id = request_id.map_err(|error| Refusal::field("/request_id", error))?;
    let unit = item.unit_id.as_deref().map(UnitId::parse).transpose();
    let unit = unit.map_err(|error| Refusal::field("/unit_id", error))?;
    let made_at = item.at.as_deref().map(|at| happened(at, now)).transpose()?;
    // What a clock that is a little ahead says is now.
    let made_at = made_at.map(|at| at.min(now));
    let Chosen {
        model,
        version,
        alias,
        decision,
    } = chosen(state, &item, now)?;
    if let Some(decision) = &decision {
        agree(&item, decision, (&model, version), (unit.as_ref(), made_at))?;
    }
    let propensity = item.propensity.unwrap_or(0.0);
    if item.propensity.is_some() && !(LEAST..=1.0).contains(&propensity) {
        let detail = "must be from 0.0001 to 1";
        return Err(Refusal::field("/propensity", detail));
    }
    let unit = unit.or_else(|| decision.as_ref().map(|decision| decision.unit.clone()));
    let request = request_id.map(|id| RequestKey {
        body: asked(
            state,
            &item,
            &model,
            version,
            (unit.as_ref(), decision.is_some()),
        ),
        id,
    });
    let issued = decision.as_ref().map(|decision| decision.issued);
    let decided_at = issued.map(|issued| Timestamp::from_micros(issued * 1_000_000));
    let attributes = attributes_of(item.attributes.take());
    let attributes =
        attributes.map_err(|(pointer, error)| Refusal::field("", format!("{pointer} {error}")))?;
    let outcome = outcome(&mut item, version)?;
    let input = match (item.text, item.inputs) {
        (Some(text), None) => Input::Text(text),
        (None, Some(inputs)) => Input::Json(inputs),
        (None, None) => Input::Json(types::Json::default()),
        (Some(_), Some(_)) => {
            let detail = "cannot be combined with `text`: give only one of them";
            return Err(Refusal::field("/inputs", detail));
        }
    };
    Ok(Checked {
        model,
        version,
        decision,
        alias,
        unit,
        attributes,
        request,
        made_at,
        decided_at,
        propensity,
        input,
        outcome,
    })
}

/// Which version it was.
struct Chosen {
    model: Arc<Model>,
    version: VersionKey,
    alias: Option<AliasName>,
    decision: Option<Decision>,
}

fn chosen(state: &AppState, item: &ObservedPrediction, now: Timestamp) -> Result<Chosen, Refusal> {
    if let Some(token) = &item.token {
        let bad = |error: BadToken| Refusal {
            code: match error {
                BadToken::Unknown => ErrorCode::TokenInvalid,
                BadToken::Expired => ErrorCode::TokenExpired,
            },
            pointer: "",
            detail: format!("The token {error}."),
        };
        let decision = state.tokens.read(token, now).map_err(bad)?;
        let model = state.snapshot.model(decision.name.as_str());
        let mut versions = model.iter().flat_map(|model| &model.traffic().versions);
        let is_there = versions.any(|version| version.key == decision.version);
        let gone = || Refusal {
            code: ErrorCode::VersionNotFound,
            pointer: "",
            detail: "The version that the token names is deleted, so this counts for nothing."
                .into(),
        };
        let model = model.filter(|_| is_there).ok_or_else(gone)?;
        return Ok(Chosen {
            model,
            version: decision.version,
            alias: None,
            decision: Some(decision),
        });
    }
    let model = lines::model(state, item.name.as_deref(), "it was")?;
    let Some(named) = &item.model_version else {
        let detail = "is missing: say which version it was, or give the `token` of `POST /decide`";
        return Err(Refusal::field("/model_version", detail));
    };
    let (text, alias) = model.named(named);
    let mut versions = model.traffic().versions.iter();
    let version = versions.find(|version| version.version.as_str() == text);
    let no_version = || Refusal {
        code: ErrorCode::VersionNotFound,
        pointer: "",
        detail: format!("{} has no version {named}.", model.traffic().name),
    };
    let version = version.ok_or_else(no_version)?.key;
    let alias = alias.cloned();
    Ok(Chosen {
        model,
        version,
        alias,
        decision: None,
    })
}

/// Whether what is said beside a token agrees with it.
fn agree(
    item: &ObservedPrediction,
    decision: &Decision,
    (model, version): (&Model, VersionKey),
    (unit, made_at): (Option<&UnitId>, Option<Timestamp>),
) -> Result<(), Refusal> {
    let wrong = |detail: String| {
        Err(Refusal {
            code: ErrorCode::TokenInvalid,
            pointer: "",
            detail,
        })
    };
    if let Some(name) = item
        .name
        .as_deref()
        .filter(|name| *name != decision.name.as_str())
    {
        return wrong(format!(
            "The token is for the model {}, not for {name}.",
            decision.name
        ));
    }
    if unit.is_some_and(|unit| *unit != decision.unit) {
        return wrong("The token was issued for a unit other than `unit_id`.".into());
    }
    let mut versions = model.traffic().versions.iter();
    let chosen = versions.find(|known| known.key == version);
    let chosen = chosen.map_or("", |known| known.version.as_str());
    if let Some(named) = item.model_version.as_deref()
        && model.named(named).0 != chosen
    {
        return wrong(format!(
            "The token chose version {chosen}, not {named}. If another version answered, send that as an `error` of {chosen}."
        ));
    }
    if item.propensity.is_some() {
        return Err(Refusal::field(
            "/propensity",
            "is in the token: leave it out",
        ));
    }
    if made_at.is_some_and(|at| at.micros() + AHEAD < decision.issued * 1_000_000) {
        return Err(Refusal::field("/at", "is before the decision of the token"));
    }
    Ok(())
}

fn outcome(item: &mut ObservedPrediction, version: VersionKey) -> Result<Outcome, Refusal> {
    if let Some(confidence) = item.confidence
        && !(0.0..=1.0).contains(&confidence)
    {
        return Err(Refusal::field("/confidence", "must be from 0 to 1"));
    }
    if let Some(latency) = item.latency_ms
        && !(0.0..=MAX_LATENCY).contains(&latency)
    {
        return Err(Refusal::field(
            "/latency_ms",
            "must be from 0 to 86400000, a day",
        ));
    }
    let error = match &item.error {
        Some(_) if item.prediction.is_some() => {
            let detail =
                "cannot be combined with `prediction`: a version that failed has given no answer";
            return Err(Refusal::field("/error", detail));
        }
        Some(error) if error.is_empty() => {
            return Err(Refusal::field("/error", "must have at least one character"));
        }
        Some(error) => Some(error.chars().take(MAX_ERROR).collect::<String>()),
        None => None,
    };
    let output = Output {
        prediction: item.prediction.take().unwrap_or_default(),
        confidence: item.confidence,
        outputs: None,
    };
    Ok(Outcome {
        answer: error.is_none().then_some((version, output)),
        failure: error.is_some().then_some(types::Failure::Failed),
        error,
        rejected: false,
        partial: None,
        latency_ns: item.latency_ms.map(|latency| (latency * 1e6) as u64),
    })
}

/// A hash of what is said, and of whom, keyed by the salt of the model: a repeat says the same. The token may be another one
/// of the same decision.
fn asked(
    state: &AppState,
    item: &ObservedPrediction,
    model: &Model,
    version: VersionKey,
    (unit, by_token): (Option<&UnitId>, bool),
) -> u64 {
    let salt = &model.traffic().salt;
    let unit = unit.map(UnitId::as_str);
    let attributes = item.attributes.as_ref();
    let input = (&item.text, &item.inputs);
    let output = (
        &item.prediction,
        item.confidence,
        item.latency_ms,
        &item.error,
    );
    let said = (attributes, input, output, &item.at, item.propensity);
    let bytes = serde_json::to_vec(&(salt, "elsewhere", version.0, unit, by_token, said));
    let bytes = bytes.expect("texts, numbers and JSON are JSON");
    if model.rules.is_some() {
        return state.hasher.number(&bytes);
    }
    let digest = Sha256::digest(&bytes);
    u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}
