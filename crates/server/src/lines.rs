//! Bodies that have one thing or many: a JSON object, an array of them, or an object per line. One that does not fit keeps
//! none of the others from being taken.

use crate::access;
use crate::error::{ApiError, ApiResult};
use crate::extract::{content_type, parse, parse_object, plain, read_bytes};
use crate::snapshot::Model;
use crate::state::AppState;
use crate::unknown;
use api::{ErrorCode, FieldError, LineError};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use types::Timestamp;

/// The most of a batch.
const MAX_BATCH: usize = 10_000;
/// The errors that are listed of a batch in which nothing fits.
const MAX_SAID: usize = 20;
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

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self {
            code: error.code(),
            pointer: "",
            detail: error.detail().to_owned(),
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

/// The answer to a batch in which nothing fits, which is no batch.
pub(crate) fn nothing_fits(refused: impl IntoIterator<Item = (u64, Refusal)>) -> ApiError {
    let each = refused.into_iter().map(|(line, refusal)| FieldError {
        // JSON pointers count from 0.
        pointer: format!("/{}{}", line - 1, refusal.pointer),
        detail: refusal.detail,
    });
    ApiError::invalid(each.take(MAX_SAID).collect())
}

/// The model that one of them names, or the only one. `which` ends the sentence that asks for it: "say which one ...".
///
/// # Errors
/// When there is none of this name; without a name, when there is not exactly one model.
pub(crate) fn model(
    state: &AppState,
    name: Option<&str>,
    which: &str,
) -> Result<Arc<Model>, Refusal> {
    if let Some(name) = name {
        check(name)?;
        return state.snapshot.model(name).ok_or_else(|| Refusal {
            code: ErrorCode::ModelNotFound,
            pointer: "",
            detail: format!("There is no model {name}; `GET /models` lists them."),
        });
    }
    let only = state.snapshot.only();
    let model = only.and_then(|name| state.snapshot.model(name.as_str()));
    let is_others = |model: &Arc<Model>| !access::covers(model.traffic().name.as_str());
    if model.as_ref().is_some_and(is_others) {
        all_or_named(None)?;
    }
    model.ok_or_else(|| {
        let missing = "is missing: there is not exactly one model, so name the one you mean";
        Refusal::field("/name", format!("{missing} {which}"))
    })
}

/// Whether who calls may deal with a model.
fn check(name: &str) -> Result<(), Refusal> {
    all_or_named(Some(name))
}

/// The same of all models at once, where none is named.
pub(crate) fn all_or_named(name: Option<&str>) -> Result<(), Refusal> {
    access::check_option(name).map_err(|error| Refusal {
        code: error.code(),
        pointer: "",
        detail: error.detail().to_owned(),
    })
}

/// How far ahead the clock of a caller may be, in microseconds: a time within it is now.
pub(crate) const AHEAD: i64 = 5 * 60 * 1_000_000;
/// Nothing is older than this, in microseconds: a year, which is the longest window of a metric.
const OLDEST: i64 = 366 * 86_400 * 1_000_000;

/// When something happened elsewhere. A clock may be a little ahead.
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
    Ok(at)
}

/// One thing, or many with their lines, or places in the array, from 1. Each is read when its turn comes, so that a large
/// body is not there several times.
pub(crate) struct Lines<T> {
    /// It came as one object, so that it is answered as one.
    single: Option<T>,
    items: std::vec::IntoIter<(u64, Box<RawValue>)>,
    bad: std::vec::IntoIter<(u64, Refusal)>,
    /// What one of them may have, in bytes.
    most: usize,
    /// Keeps others from bringing as much at the same time.
    _room: Option<OwnedSemaphorePermit>,
}

impl<T> Lines<T> {
    /// Whether it came as one object.
    pub(crate) fn is_single(&self) -> bool {
        self.single.is_some()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.is_single()) + self.items.len() + self.bad.len()
    }
}

impl<T: DeserializeOwned> Lines<T> {
    /// The same made into others.
    pub(crate) fn each<U>(
        self,
        make: impl Fn(T) -> U,
    ) -> impl Iterator<Item = (u64, Result<U, Refusal>)> {
        self.map(move |(line, item)| (line, item.map(&make)))
    }
}

impl<T: DeserializeOwned> Iterator for Lines<T> {
    type Item = (u64, Result<T, Refusal>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(one) = self.single.take() {
            return Some((1, Ok(one)));
        }
        let next = self.items.as_slice().first().map(|(line, _)| *line);
        let bad = self.bad.as_slice().first().map(|(line, _)| *line);
        if bad.is_some_and(|bad| next.is_none_or(|next| bad < next)) {
            return self.bad.next().map(|(line, refusal)| (line, Err(refusal)));
        }
        let (line, raw) = self.items.next()?;
        Some((line, item(raw.get(), self.most)))
    }
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
    let most = state.config.max_body_bytes;
    let limit = most.max(MAX_BYTES);
    let by_line = matches!(
        media.as_str(),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl"
    );
    if !by_line && media != "application/json" && !media.ends_with("+json") {
        let detail = "Send JSON with `Content-Type: application/json`, or a JSON object per line with \
                      `Content-Type: application/x-ndjson`.";
        return Err(ApiError::new(ErrorCode::UnsupportedMediaType, detail));
    }
    let room = room(&parts.headers, limit, state).await?;
    let bytes = read_bytes(body, limit, &state.config).await?;
    let bytes = plain(bytes, &parts.headers, limit).await?;
    let bytes = &*bytes;
    let mut lines = Lines {
        single: None,
        items: Vec::new().into_iter(),
        bad: Vec::new().into_iter(),
        most,
        _room: room,
    };
    if by_line {
        let numbered = (1..).zip(bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii));
        let some: Vec<(u64, &[u8])> = numbered.filter(|(_, line)| !line.is_empty()).collect();
        refuse_large(some.len())?;
        let (mut items, mut bad) = (Vec::with_capacity(some.len()), Vec::new());
        for (number, line) in some {
            match serde_json::from_slice::<Box<RawValue>>(line) {
                Ok(raw) => items.push((number, raw)),
                Err(error) => bad.push((
                    number,
                    Refusal::field("", format!("is no JSON: {}", without_place(&error))),
                )),
            }
        }
        (lines.items, lines.bad) = (items.into_iter(), bad.into_iter());
    } else if bytes.trim_ascii_start().first() == Some(&b'[') {
        let values: Vec<Box<RawValue>> = parse(bytes)?;
        refuse_large(values.len())?;
        let numbered: Vec<(u64, Box<RawValue>)> = (1..).zip(values).collect();
        lines.items = numbered.into_iter();
    } else {
        if bytes.len() > most {
            let detail = format!("The body may have {most} bytes at most.");
            return Err(ApiError::new(ErrorCode::BodyTooLarge, detail));
        }
        lines.single = Some(parse_object(bytes)?);
    }
    Ok(lines)
}

/// What large bodies may have together, in KiB.
pub(crate) const LARGE_BODIES: usize = 64 << 10;
/// A body that is no larger needs no room among them.
const SMALL: usize = 64 << 10;
/// How long one waits for room.
const WAIT: Duration = Duration::from_secs(5);

/// Room for a large body, before it is read: what many bring at once is bounded, however slowly they do.
async fn room(
    headers: &HeaderMap,
    limit: usize,
    state: &AppState,
) -> ApiResult<Option<OwnedSemaphorePermit>> {
    let said = headers
        .get(CONTENT_LENGTH)
        .and_then(|said| said.to_str().ok()?.parse().ok());
    let packed = headers.contains_key(CONTENT_ENCODING);
    let bytes = said.filter(|_| !packed).unwrap_or(limit).min(limit);
    if bytes <= SMALL {
        return Ok(None);
    }
    let room = Arc::clone(&state.large_bodies);
    let room = room.acquire_many_owned((bytes >> 10) as u32);
    match tokio::time::timeout(WAIT, room).await {
        Ok(Ok(room)) => Ok(Some(room)),
        _ => {
            let detail = "Too many large bodies are being sent; send this one again in a moment, or in smaller parts.";
            Err(ApiError::new(ErrorCode::TooManyRequests, detail))
        }
    }
}

fn refuse_large(values: usize) -> ApiResult<()> {
    if values > MAX_BATCH {
        let detail = format!("has {values} values: send at most {MAX_BATCH} at once");
        return Err(ApiError::field("", detail));
    }
    Ok(())
}

pub(crate) fn item<T: DeserializeOwned>(json: &str, most: usize) -> Result<T, Refusal> {
    if json.len() > most {
        return Err(Refusal {
            code: ErrorCode::BodyTooLarge,
            pointer: "",
            detail: format!(
                "has {} bytes, but may have at most {most}: send less",
                json.len()
            ),
        });
    }
    if !json.starts_with('{') {
        return Err(Refusal::field("", "is not a JSON object"));
    }
    serde_json::from_str(json).map_err(|error| {
        let said = without_place(&error);
        match unknown::field(&said) {
            Some((name, why)) => Refusal::field("", format!("has a field {name}, which {why}")),
            None => Refusal::field("", said),
        }
    })
}

/// What is wrong, without the place within the line: the line is said.
fn without_place(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match said.rfind(" at line ") {
        Some(at) => said[..at].to_owned(),
        None => said,
    }
}
