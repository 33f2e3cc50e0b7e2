//! `POST /feedback`: what came later for predictions, one value or a batch.

use crate::error::{ApiError, ApiResult};
use crate::extract::{Params, content_type, parse, read_bytes};
use crate::openapi::problems;
use crate::state::AppState;
use api::{ErrorCode, FeedbackError, FeedbackReceipt, FeedbackReply, FieldError};
use axum::Json as Reply;
use axum::extract::{Request, State};
use serde::Deserialize;
use serde_json::Value;
use store::{Feedback, FeedbackContent, FeedbackRefusal, FeedbackStatus, Receipt};
use types::{BuiltIn, MetricName, PredictionId};
use utoipa::IntoParams;

/// The most values in a batch.
const MAX_BATCH: usize = 10_000;
/// What a batch may have in bytes, when the limit for other bodies is smaller.
const MAX_BYTES: usize = 8 << 20;
/// Of a batch in which no value fits, so many are said why.
const MAX_SAID: usize = 20;
/// The longest label, in bytes of JSON.
const MAX_LABEL: usize = 10_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedbackParams {
    /// Whether to list a receipt per value; true when left out.
    receipts: Option<bool>,
}

/// Stores feedback for predictions.
///
/// One value as a JSON object, or up to 10,000 as a JSON array or as NDJSON, a line each. A value that
/// does not fit does not keep the others from being stored. Sending the same again changes nothing.
#[utoipa::path(post, path = "/feedback", tag = "feedback", params(FeedbackParams), request_body(content((api::FeedbackBody = "application/json"), (String = "application/x-ndjson")), description = "an object, an array of them, or a line each"), responses((status = 200, description = "what became of each value", body = FeedbackReply), problems::Refused, problems::Busy, problems::NoMetric, problems::Body, problems::Stored))]
pub(crate) async fn send(
    State(state): State<AppState>,
    Params(params): Params<FeedbackParams>,
    request: Request,
) -> ApiResult<Reply<FeedbackReply>> {
    let Ok(_permit) = state.permits.try_acquire() else {
        let detail = "Too many requests are under way; try again in a moment.";
        return Err(ApiError::new(ErrorCode::TooManyRequests, detail));
    };
    let lines = read(request, &state).await?;
    let single = lines.single;
    let mut answers: Vec<Answer> = Vec::with_capacity(lines.items.len());
    let (mut places, mut items) = (Vec::new(), Vec::new());
    let mut numbers = Vec::with_capacity(lines.items.len());
    for (at, (number, item)) in lines.items.into_iter().enumerate() {
        numbers.push(number);
        match item.and_then(check) {
            Ok(item) => {
                places.push(at);
                items.push(item);
                answers.push(Answer::Waiting);
            }
            Err(refusal) => answers.push(Answer::Refused(refusal)),
        }
    }
    let ids: Vec<PredictionId> = items.iter().map(|item| item.prediction_id).collect();
    let results = state.store.feedback(items, state.clock.now()).await?;
    for ((at, id), result) in places.into_iter().zip(ids).zip(results) {
        answers[at] = match result {
            Ok(receipt) => Answer::Receipt(id, receipt),
            Err(refusal) => Answer::Refused(refused(&refusal)),
        };
    }
    if single
        && let Some(Answer::Refused(refusal)) = answers.pop_if(|a| matches!(a, Answer::Refused(_)))
    {
        return Err(refusal.into());
    }
    let malformed = |answer: &Answer| match answer {
        Answer::Refused(refusal) => refusal.code == ErrorCode::InvalidRequest,
        Answer::Waiting | Answer::Receipt(..) => false,
    };
    if !answers.is_empty() && answers.iter().all(malformed) {
        return Err(nothing_fits(answers, &numbers));
    }
    Ok(Reply(reply(
        answers,
        &numbers,
        params.receipts.unwrap_or(true),
    )))
}

/// A batch in which no value fits is no batch of feedback.
fn nothing_fits(answers: Vec<Answer>, numbers: &[u64]) -> ApiError {
    let refused = answers
        .into_iter()
        .zip(numbers)
        .filter_map(|(answer, number)| match answer {
            Answer::Refused(refusal) => Some(FieldError {
                // JSON pointers count from 0.
                pointer: format!("/{}{}", number - 1, refusal.pointer),
                detail: refusal.detail,
            }),
            Answer::Waiting | Answer::Receipt(..) => None,
        });
    ApiError::invalid(refused.take(MAX_SAID).collect())
}

/// What became of a value.
enum Answer {
    Waiting,
    Receipt(PredictionId, Receipt),
    Refused(Refusal),
}

/// Why a value is refused, with what a single one would be answered.
struct Refusal {
    code: ErrorCode,
    pointer: &'static str,
    detail: String,
}

impl Refusal {
    fn field(pointer: &'static str, detail: impl std::fmt::Display) -> Self {
        Self {
            code: ErrorCode::InvalidRequest,
            pointer,
            detail: detail.to_string(),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        if refusal.code == ErrorCode::InvalidRequest {
            let (pointer, detail) = (refusal.pointer.to_owned(), refusal.detail);
            return Self::invalid(vec![FieldError { pointer, detail }]);
        }
        Self::new(refusal.code, refusal.detail)
    }
}

struct Lines {
    /// It came as one object, so that it is answered as one.
    single: bool,
    /// With their lines, or places in the array, from 1.
    items: Vec<(u64, Result<api::Feedback, Refusal>)>,
}

async fn read(request: Request, state: &AppState) -> ApiResult<Lines> {
    let (parts, body) = request.into_parts();
    let media = content_type(&parts.headers).to_ascii_lowercase();
    let limit = state.limits.body_bytes.max(MAX_BYTES);
    let by_line = matches!(
        media.as_str(),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl"
    );
    if !by_line && media != "application/json" && !media.ends_with("+json") {
        let detail = "Send JSON with `Content-Type: application/json`, or a JSON object per line with \
                      `Content-Type: application/x-ndjson`.";
        return Err(ApiError::new(ErrorCode::UnsupportedMediaType, detail));
    }
    let bytes = read_bytes(body, limit, &state.limits).await?;
    let lines = if by_line {
        let lines = bytes.split(|byte| *byte == b'\n');
        let lines: Vec<&[u8]> = lines.map(<[u8]>::trim_ascii).collect();
        let last = lines.iter().rposition(|line| !line.is_empty());
        let lines = &lines[..last.map_or(0, |last| last + 1)];
        refuse_large(lines.len())?;
        let some = lines.iter().zip(1..).filter(|(line, _)| !line.is_empty());
        let item = |(line, number): (&&[u8], u64)| {
            let value = serde_json::from_slice(line);
            let value = value.map_err(|error| Refusal::field("", format!("is no JSON: {error}")));
            (number, value.and_then(item))
        };
        Lines {
            single: false,
            items: some.map(item).collect(),
        }
    } else {
        match parse(&bytes)? {
            Value::Array(values) => {
                refuse_large(values.len())?;
                Lines {
                    single: false,
                    items: (1..).zip(values.into_iter().map(item)).collect(),
                }
            }
            // Read again from the bytes, so that the refusal says where.
            _ => Lines {
                single: true,
                items: vec![(1, Ok(parse(&bytes)?))],
            },
        }
    };
    Ok(lines)
}

fn refuse_large(values: usize) -> ApiResult<()> {
    if values > MAX_BATCH {
        let detail = format!("has {values} values: send at most {MAX_BATCH} at once");
        return Err(ApiError::field("", detail));
    }
    Ok(())
}

fn item(value: Value) -> Result<api::Feedback, Refusal> {
    if !value.is_object() {
        return Err(Refusal::field("", "is no JSON object"));
    }
    serde_json::from_value(value).map_err(|error| Refusal::field("", error))
}

fn check(item: api::Feedback) -> Result<Feedback, Refusal> {
    let id = item.prediction_id.parse();
    let prediction_id = id.map_err(|error| Refusal::field("/prediction_id", error))?;
    let content = match (item.label, item.metric, item.value) {
        (Some(label), None, None) => {
            if label.to_string().len() > MAX_LABEL {
                return Err(Refusal::field("/label", "must have at most 10000 bytes"));
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
            let detail = "cannot stand beside `metric` and `value`: give one of both";
            return Err(Refusal::field("/label", detail));
        }
        (None, Some(_), None) => return Err(Refusal::field("/value", "is missing")),
        (None, None, _) => {
            let detail = "is missing: give `label`, or `metric` and `value`";
            return Err(Refusal::field("/label", detail));
        }
    };
    Ok(Feedback {
        prediction_id,
        content,
        replace: item.replace,
    })
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
    }
}

fn reply(answers: Vec<Answer>, numbers: &[u64], with_receipts: bool) -> FeedbackReply {
    let mut reply = FeedbackReply {
        recorded: 0,
        duplicate: 0,
        replaced: 0,
        unmatched: 0,
        rejected: 0,
        receipts: Vec::with_capacity(if with_receipts { answers.len() } else { 0 }),
        errors: Vec::new(),
    };
    for (answer, &line) in answers.into_iter().zip(numbers) {
        match answer {
            Answer::Receipt(id, receipt) => {
                match receipt.status {
                    FeedbackStatus::Recorded => reply.recorded += 1,
                    FeedbackStatus::Duplicate => reply.duplicate += 1,
                    FeedbackStatus::Replaced => reply.replaced += 1,
                    FeedbackStatus::Unmatched => reply.unmatched += 1,
                }
                if with_receipts {
                    reply.receipts.push(wire(id, &receipt));
                }
            }
            Answer::Refused(refusal) => {
                reply.rejected += 1;
                reply.errors.push(FeedbackError {
                    line,
                    code: refusal.code.as_str().into(),
                    detail: format!("{} {}", refusal.pointer, refusal.detail)
                        .trim()
                        .into(),
                });
            }
            // Every value that was sent to the store has an answer.
            Answer::Waiting => {}
        }
    }
    reply
}

fn wire(id: PredictionId, receipt: &Receipt) -> FeedbackReceipt {
    let counted = receipt.counted.as_ref();
    FeedbackReceipt {
        prediction_id: id.to_string(),
        status: receipt.status.as_str().into(),
        metric: receipt.metric.to_string(),
        value: receipt.value,
        name: counted.map(|c| c.name.to_string()),
        model_id: counted.map(|c| c.model_id.to_string()),
        model_version: counted.map(|c| c.version.to_string()),
        experiment: counted.and_then(|c| c.experiment).map(|id| id.to_string()),
    }
}
