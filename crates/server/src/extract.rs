//! From bytes to checked values.

use crate::Config;
use crate::error::{ApiError, ApiResult};
use crate::state::AppState;
use crate::{shapes, unknown};
use api::{ErrorCode, FieldError};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Path, Query, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::future::poll_fn;
use std::io::Read;
use std::pin::pin;
use std::task::Poll;
use types::{Attributes, ExperimentId, InvalidAttribute, Members, ModelId};

/// A JSON body: typed, limited in size and in time.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<AppState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> ApiResult<Self> {
        let path = request.extensions().get::<MatchedPath>().cloned();
        let method = request.method().clone();
        let bytes = read_json_bytes(request, &state.config).await?;
        if let Some(path) = path {
            shapes::check(&method, path.as_str(), &bytes)?;
        }
        let value = parse_object(&bytes)?;
        Ok(Self(value))
    }
}

/// The bytes of a JSON body, also of a request that came past the router.
pub(crate) async fn read_json_bytes<B>(request: Request<B>, config: &Config) -> ApiResult<Bytes>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    check_content_type(request.headers())?;
    let limit = config.max_body_bytes;
    let (parts, body) = request.into_parts();
    let bytes = read_bytes(body, limit, config).await?;
    plain(bytes, &parts.headers, limit).await
}

/// A body as it is meant: unpacked where it was packed, and without a mark of the order of bytes.
///
/// # Errors
/// When it is not what its headers say, or becomes larger than it may.
pub(crate) async fn plain(bytes: Bytes, headers: &HeaderMap, most: usize) -> ApiResult<Bytes> {
    opened(bytes, headers, most).await.map(without_mark)
}

/// A body, unpacked where it was packed.
///
/// # Errors
/// When it is not what its headers say, or becomes larger than it may.
pub(crate) async fn opened(bytes: Bytes, headers: &HeaderMap, most: usize) -> ApiResult<Bytes> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(bytes),
        (Some(encoding), None) => unpacked(bytes, encoding.clone(), most).await,
        (Some(_), Some(_)) => {
            let detail = "The body is packed several times (Content-Encoding): pack it once, by gzip or deflate.";
            Err(ApiError::new(ErrorCode::UnsupportedMediaType, detail))
        }
    }
}

/// A mark of the order of bytes says nothing in UTF-8, and some editors write it.
fn without_mark(bytes: Bytes) -> Bytes {
    match bytes.starts_with(b"\xef\xbb\xbf") {
        true => bytes.slice(3..),
        false => bytes,
    }
}

/// A body that was packed; unpacked it may be as large as any other.
/// It is done away from the threads that answer: a small body may become a large one.
///
/// # Errors
/// When it is not what it says, or becomes larger.
async fn unpacked(bytes: Bytes, encoding: HeaderValue, most: usize) -> ApiResult<Bytes> {
    let unpacking = tokio::task::spawn_blocking(move || unpack(bytes, &encoding, most));
    let ended = |_| ApiError::field("", "the body cannot be unpacked");
    unpacking.await.map_err(ended)?
}

fn unpack(bytes: Bytes, encoding: &HeaderValue, most: usize) -> ApiResult<Bytes> {
    let mut unpacked = Vec::new();
    let limit = most as u64 + 1;
    let named = encoding
        .to_str()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let read = match named.as_str() {
        "" | "identity" => return Ok(bytes),
        "gzip" | "x-gzip" => MultiGzDecoder::new(&*bytes)
            .take(limit)
            .read_to_end(&mut unpacked),
        "deflate" => ZlibDecoder::new(&*bytes)
            .take(limit)
            .read_to_end(&mut unpacked),
        other => {
            let shown: String = other.chars().take(60).collect();
            let detail =
                format!("The Content-Encoding {shown} is not supported: use gzip or deflate.");
            return Err(ApiError::new(ErrorCode::UnsupportedMediaType, detail));
        }
    };
    read.map_err(|error| ApiError::field("", format!("the body cannot be unpacked: {error}")))?;
    if unpacked.len() > most {
        let detail = format!("The body may have {most} bytes at most, unpacked.");
        return Err(ApiError::new(ErrorCode::BodyTooLarge, detail));
    }
    Ok(unpacked.into())
}

/// The bytes of a body, up to a limit.
pub(crate) async fn read_bytes<B>(body: B, limit: usize, config: &Config) -> ApiResult<Bytes>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = pin!(Limited::new(body, limit).collect());
    let late = |_| ApiError::new(ErrorCode::BodyTimeout, "Send the body without a pause.");
    // Most bodies are there already, and need no timer.
    let at_once = poll_fn(|context| Poll::Ready(body.as_mut().poll(context))).await;
    let body = match at_once {
        Poll::Ready(body) => body,
        Poll::Pending => tokio::time::timeout(config.body_timeout, body)
            .await
            .map_err(late)?,
    };
    let bytes = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            let detail = format!("The body may have {limit} bytes at most.");
            return ApiError::new(ErrorCode::BodyTooLarge, detail);
        }
        ApiError::field("", "the body broke off")
    })?;
    Ok(bytes.to_bytes())
}

/// The media type of a body, without parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    let given = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = given.unwrap_or_default().split(';').next();
    essence.unwrap_or_default().trim()
}

fn check_content_type(headers: &HeaderMap) -> ApiResult<()> {
    let essence = content_type(headers);
    if essence.eq_ignore_ascii_case("application/json") || essence.ends_with("+json") {
        return Ok(());
    }
    let detail = "Send JSON with the header `Content-Type: application/json`.";
    Err(ApiError::new(ErrorCode::UnsupportedMediaType, detail))
}

pub(crate) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> ApiResult<T> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    // Read once more, slowly, to say where.
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut deserializer) else {
        return Err(ApiError::field("", "the body goes on after the JSON value"));
    };
    let mut pointer = String::new();
    for segment in error.path() {
        match segment {
            serde_path_to_error::Segment::Map { key } => {
                pointer = format!("{pointer}/{}", pointed(key));
            }
            serde_path_to_error::Segment::Seq { index } => pointer = format!("{pointer}/{index}"),
            _ => {}
        }
    }
    let said = error.inner().to_string();
    match unknown::field(&said) {
        Some((name, why)) => {
            // Where it was met is the last step of the path, or the path ends before it.
            let name = format!("/{}", pointed(&name));
            let within = pointer.strip_suffix(&name).unwrap_or(&pointer);
            Err(ApiError::field(format!("{within}{name}"), why))
        }
        None => Err(ApiError::field(pointer, said)),
    }
}

/// The same of what must be an object: a list of values would be taken for its fields in their order.
pub(crate) fn parse_object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> ApiResult<T> {
    match bytes.trim_ascii_start().first() {
        Some(b'{') | None => parse(bytes),
        Some(_) => Err(ApiError::field("", "must be a JSON object")),
    }
}

/// A name as a part of a JSON pointer (RFC 6901).
pub(crate) fn pointed(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A checked `{model_id}`. What has not the form of one is the id of no version.
pub(crate) struct ModelIdPath(pub(crate) ModelId);

impl FromRequestParts<AppState> for ModelIdPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> ApiResult<Self> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = text.map_err(|_| ApiError::version_not_found("with this id"))?;
        text.parse()
            .map(Self)
            .map_err(|_| ApiError::version_not_found(&text))
    }
}

/// A checked `{experiment}`. What has not the form of one is the id of no experiment.
pub(crate) struct ExperimentPath(pub(crate) ExperimentId);

impl FromRequestParts<AppState> for ExperimentPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> ApiResult<Self> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = text.map_err(|_| ApiError::experiment_not_found("with this id"))?;
        text.parse()
            .map(Self)
            .map_err(|_| ApiError::experiment_not_found(&text))
    }
}

/// Checked path parameters that are plain text.
pub(crate) struct TextPath<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for TextPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> ApiResult<Self> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(ApiError::path_not_found()),
        }
    }
}

/// Query parameters.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> ApiResult<Self> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(error) => Err(ApiError::field("?", error.body_text())),
        }
    }
}

/// The longest name of an attribute that is said, in characters.
const MAX_SAID: usize = 80;

/// Attributes as they came; the error has the pointer of the one that is wrong.
///
/// # Errors
/// When they are none.
pub(crate) fn attributes_of(
    given: Option<Members>,
) -> Result<Attributes, (String, InvalidAttribute)> {
    Attributes::parse(given.unwrap_or_default().0).map_err(|(name, error)| {
        let said = |name: String| pointed(&name.chars().take(MAX_SAID).collect::<String>());
        let pointer = name.map_or_else(String::new, |name| format!("/{}", said(name)));
        (format!("/attributes{pointer}"), error)
    })
}

/// Collects what does not fit, so that a caller hears of everything at once.
#[derive(Default)]
pub(crate) struct Fields(Vec<FieldError>);

impl Fields {
    /// The value, or a note of what is wrong with it.
    pub(crate) fn take<T, E: Display>(&mut self, pointer: &str, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(pointer, error);
                None
            }
        }
    }

    /// The same for a value that may be left out.
    pub(crate) fn take_option<T, E: Display>(
        &mut self,
        pointer: &str,
        result: Option<Result<T, E>>,
    ) -> Option<T> {
        result.and_then(|result| self.take(pointer, result))
    }

    pub(crate) fn wrong(&mut self, pointer: &str, detail: impl Display) {
        let (pointer, detail) = (pointer.to_owned(), detail.to_string());
        self.0.push(FieldError { pointer, detail });
    }

    /// The attributes of a request; none, and a note, where they are wrong.
    pub(crate) fn attributes(&mut self, given: Option<Members>) -> Attributes {
        attributes_of(given).unwrap_or_else(|(pointer, error)| {
            self.wrong(&pointer, error);
            Attributes::default()
        })
    }

    /// A position of the journal to read on from.
    pub(crate) fn position(&mut self, given: Option<i64>) -> Option<u64> {
        let position = u64::try_from(given?).ok();
        if position.is_none() {
            self.wrong("?after_position", "must be 0 or more");
        }
        position
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The checked value, when nothing is wrong.
    pub(crate) fn finish<T>(self, value: Option<T>) -> ApiResult<T> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(ApiError::invalid(self.0)),
        }
    }
}
