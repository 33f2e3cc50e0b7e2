//! Bodies that have one thing or many: a JSON object, an array of them, or an object per line. One that does not fit keeps
//! none of the others from being taken.

use crate::error::{ApiError, ApiResult};
use crate::extract::{content_type, parse, read_bytes};
use crate::state::AppState;
use api::{ErrorCode, FieldError, LineError};
use axum::extract::Request;
use serde::de::DeserializeOwned;
use serde_json::Value;
use types::Timestamp;

/// The most of a batch.
const MAX_BATCH: usize = 10_000;
/// What a batch may have in bytes, when the limit for other bodies is smaller.
const MAX_BYTES: usize = 8 << 20;

/// Why one of them is refused, with what a single one would be answered.
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) pointer: &'static str,
    pub(crate) detail: String,
}

impl Refusal {
    pub(crate) fn field(pointer: &'static str, detail: impl std::fmt::Display) -> Self {
        Self {
            code: ErrorCode::InvalidRequest,
            pointer,
            detail: detail.to_string(),
        }
    }

    /// As it is said of a line.
    pub(crate) fn of_line(&self, line: u64) -> LineError {
        LineError {
            line,
            code: self.code,
            detail: format!("{} {}", self.pointer, self.detail).trim().into(),
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

/// How far ahead the clock of a caller may be, in microseconds: a time within it is now.
pub(crate) const AHEAD: i64 = 5 * 60 * 1_000_000;
/// Nothing is older than this, in microseconds: a year, which is the longest window of a metric.
const OLDEST: i64 = 366 * 86_400 * 1_000_000;

/// When something happened elsewhere. What a clock that is a little ahead says is now.
///
/// # Errors
/// When it is no time, in the future or more than a year ago.
pub(crate) fn happened(text: &str, now: Timestamp) -> Result<Timestamp, Refusal> {
    let at: Timestamp = text.parse().map_err(|error| Refusal::field("/at", error))?;
    let ahead = at.micros().saturating_sub(now.micros());
    if ahead > AHEAD {
        return Err(Refusal::field("/at", "is in the future"));
    }
    if ahead < -OLDEST {
        return Err(Refusal::field("/at", "is more than a year ago"));
    }
    Ok(at.min(now))
}

pub(crate) struct Lines<T> {
    /// It came as one object, so that it is answered as one.
    pub(crate) single: bool,
    /// With their lines, or places in the array, from 1.
    pub(crate) items: Vec<(u64, Result<T, Refusal>)>,
}

/// Reads a body.
///
/// # Errors
/// When it cannot be read, is of another media type, or has too many.
pub(crate) async fn read<T: DeserializeOwned>(
    request: Request,
    state: &AppState,
) -> ApiResult<Lines<T>> {
    let (parts, body) = request.into_parts();
    let media = content_type(&parts.headers).to_ascii_lowercase();
    let limit = state.config.max_body_bytes.max(MAX_BYTES);
    let by_line = matches!(
        media.as_str(),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl"
    );
    if !by_line && media != "application/json" && !media.ends_with("+json") {
        let detail = "Send JSON with `Content-Type: application/json`, or a JSON object per line with \
                      `Content-Type: application/x-ndjson`.";
        return Err(ApiError::new(ErrorCode::UnsupportedMediaType, detail));
    }
    let bytes = read_bytes(body, limit, &state.config).await?;
    let lines = if by_line {
        let lines = bytes.split(|byte| *byte == b'\n');
        let lines: Vec<&[u8]> = lines.map(<[u8]>::trim_ascii).collect();
        let last = lines.iter().rposition(|line| !line.is_empty());
        let lines = &lines[..last.map_or(0, |last| last + 1)];
        refuse_large(lines.len())?;
        let some = lines.iter().zip(1..).filter(|(line, _)| !line.is_empty());
        let read_line = |(line, number): (&&[u8], u64)| {
            let value = serde_json::from_slice(line);
            let value = value.map_err(|error| Refusal::field("", format!("is no JSON: {error}")));
            (number, value.and_then(item))
        };
        Lines {
            single: false,
            items: some.map(read_line).collect(),
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

fn item<T: DeserializeOwned>(value: Value) -> Result<T, Refusal> {
    if !value.is_object() {
        return Err(Refusal::field("", "is no JSON object"));
    }
    serde_json::from_value(value).map_err(|error| Refusal::field("", error))
}
