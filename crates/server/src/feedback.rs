//! `POST /feedback`: what came later for predictions, one value or a batch.

mod stored;

pub(crate) use stored::{
    __path_list, __path_outcomes, __path_receipt, list, outcomes, receipt, wire_value,
};

use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::extract::Params;
use crate::lines::{self, Refusal, happened};
use crate::log::{Answered, Awaited, NotLogged};
use crate::openapi::problems;
use crate::state::AppState;
use api::{AcceptedFeedback, AcceptedWord, ErrorCode, FeedbackReceipt, FeedbackReply};
use axum::Json as Reply;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use journal::Frame;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::time::Instant;
use store::entry::{FeedbackEntry, encode_feedback};
use store::{
    Feedback, FeedbackContent, FeedbackOf, FeedbackRefusal, Missed, Receipt, UnitFeedback,
};
use types::{
    BuiltIn, FeedbackStatus, MetricName, Mismatch, ModelName, ReceiptId, RequestId, UnitId,
};
use utoipa::IntoParams;

/// Values in one entry of the log: nothing waits for more.
const PART: usize = 250;
/// The longest label, in bytes of JSON.
const MAX_LABEL: usize = 10_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedbackParams {
    /// Whether to list a receipt per value; true when left out.
    receipts: Option<bool>,
}

/// Stores feedback for predictions, and outcomes of units.
///
/// One value as a JSON object, or up to 10,000 as a JSON array or as NDJSON, a line each. A value that
/// does not fit does not keep the others from being stored. Sending the same again changes nothing. The
/// answer says what each value counted for; where counting takes too long it is 202, with a receipt to ask
/// for later.
#[utoipa::path(
    post,
    path = "/feedback",
    tag = "feedback",
    params(FeedbackParams),
    request_body(
        content((api::FeedbackBody = "application/json"), (String = "application/x-ndjson")),
        description = "an object, an array of them, or a line each",
    ),
    responses(
        (status = 200, description = "what became of each value", body = FeedbackReply),
        (status = 202, description = "the values are safe and will be counted", body = AcceptedFeedback),
        problems::Refused,
        problems::Busy,
        problems::NoMetric,
        problems::Body,
        problems::NotLogged,
    ),
)]
pub(crate) async fn send(
    State(state): State<AppState>,
    Params(params): Params<FeedbackParams>,
    request: Request,
) -> ApiResult<Response> {
    // A body that comes slowly takes no place of a prediction.
    let lines = lines::read::<api::Feedback>(request, &state).await?;
    let permit = state.permit()?;
    let single = lines.is_single();
    let mut answers: Vec<Answer> = Vec::with_capacity(lines.len());
    let mut values = Vec::new();
    let mut numbers = Vec::with_capacity(lines.len());
    for (number, item) in lines {
        match item.and_then(|item| check(&state, item)) {
            Ok(item) => {
                answers.push(Answer::Waiting(item.of.clone()));
                values.push((number, item));
            }
            Err(refusal) => answers.push(Answer::Refused(refusal)),
        }
        numbers.push(number);
    }
    let mut refused_later = None;
    if !values.is_empty() {
        let (receipt, awaited) = append(&state, values).await?;
        // What waits now waits for the database, and takes no place of a prediction.
        drop(permit);
        let wait = state.config.feedback_wait;
        let Some(results) = state.log.receipts().wait(awaited, wait).await else {
            return Ok(accepted(receipt, answers, &numbers));
        };
        refused_later = results
            .iter()
            .any(|(_, result)| result.is_err())
            .then_some(receipt);
        fill_in(&mut answers, &numbers, results);
    }
    if single
        && let Some(Answer::Refused(refusal)) = answers.pop_if(|a| matches!(a, Answer::Refused(_)))
    {
        return Err(refusal.into());
    }
    let malformed = |answer: &Answer| match answer {
        Answer::Refused(refusal) => refusal.code == ErrorCode::InvalidRequest,
        Answer::Waiting(_) | Answer::Receipt(..) => false,
    };
    if !answers.is_empty() && answers.iter().all(malformed) {
        let refused = numbers.into_iter().zip(answers);
        let refused = refused.filter_map(|(number, answer)| match answer {
            Answer::Refused(refusal) => Some((number, refusal)),
            Answer::Waiting(_) | Answer::Receipt(..) => None,
        });
        return Err(lines::nothing_fits(refused));
    }
    let with_receipts = params.receipts.unwrap_or(true);
    let reply = FeedbackReply {
        receipt: refused_later.map(|receipt| receipt.to_string()),
        ..reply(answers, &numbers, with_receipts)
    };
    Ok(Reply(reply).into_response())
}

/// Appends values to the log, in parts, so that nothing waits for a long request. All have room before the
/// first is written.
async fn append(state: &AppState, values: Vec<(u64, Feedback)>) -> ApiResult<(ReceiptId, Awaited)> {
    let now = state.clock.now();
    let receipt = ReceiptId::new(now, clock::random());
    let deadline = Instant::now() + state.config.predict_timeout;
    let cut = cut(values, state.log.largest() / 2);
    let parts = cut.len() as u32;
    let mut frames = Vec::with_capacity(cut.len());
    for (part, values) in (0..).zip(cut) {
        let entry = FeedbackEntry {
            receipt,
            part,
            parts,
            values,
        };
        let mut frame = Frame::default();
        encode_feedback(&entry, now, frame.payload());
        frames.push(frame);
    }
    let sizes: Vec<u64> = frames
        .iter_mut()
        .map(|frame| frame.payload().len() as u64)
        .collect();
    let (bytes, most) = (sizes.iter().sum::<u64>(), state.log.largest_request());
    if bytes > most {
        let detail = format!(
            "The values take {bytes} bytes in the log, which takes at most {most} at once: send fewer, or raise \
             `--journal-max-bytes`."
        );
        return Err(ApiError::new(ErrorCode::BodyTooLarge, detail));
    }
    let Some(rooms) = state.log.reserve_all(&sizes, deadline).await else {
        return Err(ApiError::log_unavailable(&state.log.why_full()));
    };
    let awaited = state.log.receipts().expect(receipt, parts);
    let mut positions = Vec::with_capacity(frames.len());
    for (mut room, mut frame) in rooms.into_iter().zip(frames) {
        match state.log.append_frame(&mut room, &mut frame) {
            Ok(position) => positions.push(position),
            Err(error) => {
                state.log.receipts().forget(receipt);
                return Err(ApiError::log_unavailable(&error.to_string()));
            }
        }
    }
    let (first, last) = (positions[0], positions[positions.len() - 1]);
    let confirmed = async {
        state.log.write_out(last).await?;
        state.log.confirm(first..=last, deadline).await
    };
    let unavailable = |error: NotLogged| ApiError::log_unavailable(&error.0);
    confirmed.await.map_err(unavailable)?;
    state.log.hurry();
    Ok((receipt, awaited))
}

/// Cuts values into parts of at most so many values, and so many bytes of what they say.
fn cut(values: Vec<(u64, Feedback)>, most_bytes: u64) -> Vec<Vec<(u64, Feedback)>> {
    let mut parts: Vec<Vec<(u64, Feedback)>> = Vec::new();
    let mut bytes = 0;
    for (line, value) in values {
        let named = match &value.of {
            FeedbackOf::Prediction(_) => 0,
            FeedbackOf::Request(name, id) => (name.as_str().len() + id.as_str().len()) as u64,
            FeedbackOf::Unit(of) => {
                let name = of.name.as_ref().map_or(0, |name| name.as_str().len());
                let id = of.outcome.as_ref().map_or(0, |id| id.as_str().len());
                (name + id + of.unit.as_str().len()) as u64
            }
        };
        let size = VALUE_BYTES
            + named
            + match &value.content {
                FeedbackContent::Label(label) => label.as_str().len() as u64,
                FeedbackContent::Value(metric, _) => metric.as_str().len() as u64,
            };
        match parts.last_mut() {
            Some(part) if part.len() < PART && bytes + size <= most_bytes => {
                bytes += size;
                part.push((line, value));
            }
            _ => {
                bytes = size;
                parts.push(vec![(line, value)]);
            }
        }
    }
    parts
}

/// What a value takes in an entry beside its label or its metric, in bytes, at most.
const VALUE_BYTES: u64 = 64;

/// Puts the results where they belong.
fn fill_in(answers: &mut [Answer], numbers: &[u64], results: Answered) {
    let mut results: HashMap<u64, store::FeedbackResult> = results.into_iter().collect();
    for (answer, number) in answers.iter_mut().zip(numbers) {
        let Answer::Waiting(of) = answer else {
            continue;
        };
        *answer = match results.remove(number) {
            Some(Ok(receipt)) => Answer::Receipt(of.clone(), receipt),
            Some(Err(refusal)) => Answer::Refused(refused(&refusal)),
            None => Answer::Refused(Refusal {
                code: ErrorCode::SetAside,
                pointer: "",
                detail: "The database could not store it, so it is not counted; it is kept, and `weir journal list` says why."
                    .into(),
            }),
        };
    }
}

/// The values are safe; what becomes of them is said later.
fn accepted(receipt: ReceiptId, answers: Vec<Answer>, numbers: &[u64]) -> Response {
    let mut accepted = AcceptedFeedback {
        status: AcceptedWord::Accepted.into(),
        receipt: receipt.to_string(),
        accepted: 0,
        rejected: 0,
        errors: Vec::new(),
    };
    for (answer, &line) in answers.into_iter().zip(numbers) {
        match answer {
            Answer::Refused(refusal) => {
                accepted.rejected += 1;
                accepted.errors.push(refusal.of_line(line));
            }
            Answer::Waiting(_) | Answer::Receipt(..) => accepted.accepted += 1,
        }
    }
    let location = format!("/feedback/receipts/{receipt}");
    let headers = [(LOCATION, location), (RETRY_AFTER, "1".into())];
    (StatusCode::ACCEPTED, headers, Reply(accepted)).into_response()
}

/// What became of a value.
enum Answer {
    /// It is in the log, for this.
    Waiting(FeedbackOf),
    Receipt(FeedbackOf, Receipt),
    Refused(Refusal),
}

fn check(state: &AppState, item: api::Feedback) -> Result<Feedback, Refusal> {
    let of = subject(state, &item)?;
    let content = match (item.label, item.metric, item.value) {
        (Some(label), None, None) => {
            let value = label.value();
            // Written in the shortest way: some programs write six bytes for a letter.
            let length = label.as_str().len();
            if length > MAX_LABEL && (length > 6 * MAX_LABEL || value.to_string().len() > MAX_LABEL)
            {
                return Err(Refusal::field("/label", "must have at most 10000 bytes"));
            }
            if value.is_null() {
                let why = "has a number that is too large, or a text that is not Unicode";
                return Err(Refusal::field("/label", why));
            }
            FeedbackContent::Label(label)
        }
        (None, Some(metric), Some(value)) => {
            let metric = MetricName::parse(&metric).map_err(|e| Refusal::field("/metric", e))?;
            let value = match value {
                Value::Bool(value) => f64::from(value),
                Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
                _ => return Err(Refusal::field("/value", "must be a number, true or false")),
            };
            if !value.is_finite() {
                return Err(Refusal::field("/value", "must be a finite number"));
            }
            FeedbackContent::Value(metric, value)
        }
        (Some(_), _, _) => {
            let detail =
                "cannot be combined with `metric` and `value`: give either a label or these";
            return Err(Refusal::field("/label", detail));
        }
        (None, Some(_), None) => return Err(Refusal::field("/value", "is missing")),
        (None, None, _) => {
            let detail = "is missing: give `label`, or `metric` and `value`";
            return Err(Refusal::field("/label", detail));
        }
    };
    Ok(Feedback {
        of,
        content,
        replace: item.replace,
    })
}

/// What feedback is for.
fn subject(state: &AppState, item: &api::Feedback) -> Result<FeedbackOf, Refusal> {
    if let Some(unit) = &item.unit_id {
        return outcome(state, item, unit);
    }
    for (given, pointer) in [(&item.at, "/at"), (&item.outcome_id, "/outcome_id")] {
        if given.is_some() {
            return Err(Refusal::field(
                pointer,
                "is only for values with a `unit_id`",
            ));
        }
    }
    match (&item.prediction_id, &item.request_id) {
        (Some(id), None) => {
            if item.name.is_some() {
                let detail = "is only for values with a `request_id`: a `prediction_id` already says which model it belongs to";
                return Err(Refusal::field("/name", detail));
            }
            let id = id.parse();
            let id = id.map_err(|error| Refusal::field("/prediction_id", error))?;
            Ok(FeedbackOf::Prediction(id))
        }
        (None, Some(id)) => {
            let id = RequestId::parse(id);
            let id = id.map_err(|error| Refusal::field("/request_id", error))?;
            Ok(FeedbackOf::Request(model(state, item.name.as_deref())?, id))
        }
        (Some(_), Some(_)) => Err(Refusal::field(
            "/request_id",
            "cannot be combined with `prediction_id`: give only one of them",
        )),
        (None, None) => Err(Refusal::field(
            "/prediction_id",
            "is missing: give `prediction_id`, `request_id` or `unit_id`",
        )),
    }
}

/// Whose outcome it is.
fn outcome(state: &AppState, item: &api::Feedback, unit: &str) -> Result<FeedbackOf, Refusal> {
    let unit = UnitId::parse(unit).map_err(|error| Refusal::field("/unit_id", error))?;
    let others = [
        (item.prediction_id.is_some(), "/prediction_id"),
        (item.request_id.is_some(), "/request_id"),
        (item.label.is_some(), "/label"),
    ];
    if let Some((_, pointer)) = others.iter().find(|(given, _)| *given) {
        let detail =
            "cannot be combined with `unit_id`: an outcome of a unit belongs to no prediction";
        return Err(Refusal::field(pointer, detail));
    }
    if item.metric.is_none() {
        return Err(Refusal::field(
            "/metric",
            "is missing: a metric that is declared as per unit",
        ));
    }
    if item.replace {
        let detail = "is not for outcomes of units, which are combined: send another one with the difference, or a later one \
                      for a metric that takes the last";
        return Err(Refusal::field("/replace", detail));
    }
    let name = match &item.name {
        Some(name) => Some(model(state, Some(name))?),
        None => None,
    };
    // Where no model is named, it is for every one that declares the metric.
    lines::all_or_named(item.name.as_deref())?;
    let id = item.outcome_id.as_deref().map(RequestId::parse).transpose();
    let id = id.map_err(|error| Refusal::field("/outcome_id", error))?;
    let now = state.clock.now();
    let at = item.at.as_deref().map(|at| happened(at, now)).transpose()?;
    Ok(FeedbackOf::Unit(Box::new(UnitFeedback {
        name,
        unit,
        at,
        outcome: id,
    })))
}

/// The model that is named, or the only one there is.
fn model(state: &AppState, name: Option<&str>) -> Result<ModelName, Refusal> {
    if let Some(name) = name {
        ModelName::parse(name).map_err(|error| Refusal::field("/name", error))?;
    }
    let model = lines::model(state, name, "the request was sent to")?;
    Ok(model.traffic().name.clone())
}

fn refused(refusal: &FeedbackRefusal) -> Refusal {
    match refusal {
        FeedbackRefusal::Conflict { stored } => Refusal {
            code: ErrorCode::FeedbackConflict,
            pointer: "",
            detail: format!(
                "Another value is stored for this prediction and metric: {stored}. Say `replace` to \
                 correct it."
            ),
        },
        FeedbackRefusal::UnknownMetric { name, metric } => Refusal {
            code: ErrorCode::MetricNotFound,
            pointer: "",
            detail: if BuiltIn::find(metric.as_str()).is_some() {
                format!("{metric} is measured by the server and takes no feedback.")
            } else {
                format!(
                    "{name} has no metric {metric}; `PUT /metrics/{name}/{metric}` declares it."
                )
            },
        },
        FeedbackRefusal::Invalid(error) => Refusal::field("/value", error),
        FeedbackRefusal::OutcomeTaken { stored } => Refusal {
            code: ErrorCode::FeedbackConflict,
            pointer: "",
            detail: format!(
                "Another outcome already has this `outcome_id`: its value is {stored}, and its unit, time or value \
                 differs; give each outcome its own id."
            ),
        },
        FeedbackRefusal::PerUnit(metric) => Refusal::field(
            "/metric",
            format!("{metric} is per unit: send its outcomes with `unit_id`"),
        ),
        FeedbackRefusal::PerPrediction(metric) => Refusal::field(
            "/metric",
            format!(
                "No model that this outcome could be for declares {metric} per unit: declare it with `per` as \
                 `unit`, or send the value with a `prediction_id` if the metric is per prediction"
            ),
        ),
        FeedbackRefusal::UsedTwice => Refusal {
            code: ErrorCode::RequestIdUsedTwice,
            pointer: "",
            detail: "Several requests had this `request_id`, because it was used again after `--request-hours`; \
                 send the `prediction_id` of the one you mean."
                .into(),
        },
        FeedbackRefusal::AnswerNotKept => Refusal {
            code: ErrorCode::AnswerNotKept,
            pointer: "",
            detail: "The answer is not kept, or was erased (`kept` of the prediction says which), so a label cannot \
                 be compared with it; send a metric and its value instead."
                .into(),
        },
        FeedbackRefusal::Rejected => Refusal {
            code: ErrorCode::PredictionRejected,
            pointer: "",
            detail: "The version refused the input of this prediction, so it has no answer that a label could \
                     be compared with."
                .into(),
        },
    }
}

fn reply(answers: Vec<Answer>, numbers: &[u64], with_receipts: bool) -> FeedbackReply {
    let mut reply = FeedbackReply {
        recorded: 0,
        duplicate: 0,
        replaced: 0,
        unmatched: 0,
        dropped: 0,
        set_aside: 0,
        rejected: 0,
        warned: 0,
        receipts: Vec::with_capacity(if with_receipts { answers.len() } else { 0 }),
        errors: Vec::new(),
        receipt: None,
    };
    for (answer, &line) in answers.into_iter().zip(numbers) {
        match answer {
            Answer::Receipt(of, receipt) => {
                match receipt.status {
                    FeedbackStatus::Recorded => reply.recorded += 1,
                    FeedbackStatus::Duplicate => reply.duplicate += 1,
                    FeedbackStatus::Replaced => reply.replaced += 1,
                    FeedbackStatus::Unmatched => reply.unmatched += 1,
                    FeedbackStatus::Dropped => reply.dropped += 1,
                }
                reply.warned += u64::from(receipt.mismatch.is_some());
                if with_receipts {
                    reply.receipts.push(wire(&of, &receipt));
                }
            }
            Answer::Refused(refusal) => {
                match refusal.code {
                    ErrorCode::SetAside => reply.set_aside += 1,
                    _ => reply.rejected += 1,
                }
                reply.errors.push(refusal.of_line(line));
            }
            // Every value that was appended has an answer.
            Answer::Waiting(_) => {}
        }
    }
    reply
}

fn wire(of: &FeedbackOf, receipt: &Receipt) -> FeedbackReceipt {
    let counted = receipt.counted.as_ref();
    let request_id = match of {
        FeedbackOf::Request(_, id) => Some(id.to_string()),
        FeedbackOf::Prediction(_) | FeedbackOf::Unit(_) => None,
    };
    let of_unit = match of {
        FeedbackOf::Unit(of) => Some(of),
        FeedbackOf::Prediction(_) | FeedbackOf::Request(..) => None,
    };
    let experiments = receipt.experiments.iter().map(ToString::to_string);
    let missed = receipt.missed.map(|missed| match missed {
        Missed::BeforeExposure => "before_exposure",
        Missed::AfterWindow => "after_window",
    });
    FeedbackReceipt {
        prediction_id: receipt.prediction_id.map(|id| id.to_string()),
        request_id,
        status: receipt.status.into(),
        metric: receipt.metric.to_string(),
        value: receipt.value,
        name: counted.map(|c| c.name.to_string()),
        model_id: counted.map(|c| c.model_id.to_string()),
        model_version: counted.map(|c| c.version.to_string()),
        experiment: counted
            .and_then(|c| c.experiment_id)
            .map(|id| id.to_string()),
        unit_id: of_unit.map(|of| of.unit.to_string()),
        outcome_id: of_unit.and_then(|of| of.outcome.as_ref().map(ToString::to_string)),
        experiments: of_unit.map(|_| experiments.collect()),
        not_counted: missed.map(str::to_owned),
        warning: receipt.mismatch.map(|mismatch| warning(&mismatch)),
    }
}

fn warning(mismatch: &Mismatch) -> String {
    let (label, prediction) = (mismatch.label, mismatch.prediction);
    format!(
        "The label has {} where the prediction has {}: they can never be equal. {}",
        label.with_article(),
        prediction.with_article(),
        what_to_do(mismatch)
    )
}

/// What to do about a label that can never equal an answer.
pub(crate) fn what_to_do(mismatch: &Mismatch) -> &'static str {
    match mismatch.is_of_label() {
        true => {
            "Send labels of the type that the version answers; one that is there already comes again with \"replace\": true."
        }
        false => "An answer that is null counts as wrong.",
    }
}
