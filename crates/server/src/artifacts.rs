//! `/models/{model_id}/artifact`: the files of a version.

use crate::error::{ApiError, ApiResult};
use crate::extract::{ModelIdPath, Params};
use crate::models::{require, version_in, wire};
use crate::openapi::{path, problems};
use crate::state::AppState;
use api::{ErrorCode, Version};
use axum::Json as Reply;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use catalog::Command;
use http_body_util::BodyExt;
use hyper::body::Bytes;
use serde::Deserialize;
use std::collections::HashSet;
use std::io;
use std::sync::PoisonError;
use store::{Artifacts, IncomingArtifact, InvalidArtifact};
use tokio::sync::mpsc;
use tokio_util::io::ReaderStream;
use types::{Artifact, ContentHash, RuntimeSpec};
use utoipa::IntoParams;

/// Parts of an upload that wait to be written.
const WAITING_PARTS: usize = 8;
/// What an archive may become, as a multiple of the largest upload.
const UNPACKED: u64 = 4;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PutParams {
    /// The SHA-256 of the bytes: what comes is taken only if it has that.
    sha256: Option<String>,
}

/// Uploads the files of a version: an ONNX file, or a folder with `model.onnx` as a tar archive, gzipped or not.
///
/// They are opened and tried in a process of their own first, and are taken when that works. A version has one artifact for
/// ever; the same once more changes nothing.
#[utoipa::path(
    put,
    path = "/models/{model_id}/artifact",
    tag = "models",
    params(PutParams, path::Version),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "the version, with its artifact", body = Version),
        problems::NoVersion,
        problems::ArtifactRefused,
        problems::Upload,
        problems::Stored,
    ),
)]
pub(crate) async fn put(
    State(state): State<AppState>,
    ModelIdPath(id): ModelIdPath,
    Params(params): Params<PutParams>,
    request: Request,
) -> ApiResult<Reply<Version>> {
    let promised = params.sha256.as_deref().map(str::parse::<ContentHash>);
    let promised = promised
        .transpose()
        .map_err(|error| ApiError::field("?sha256", error))?;
    let version = require(&state, id).await?;
    let RuntimeSpec::Onnx(spec) = &version.runtime else {
        return Err(catalog::Refusal::NoArtifactNeeded(version.version).into());
    };
    if let (Some(known), Some(promised)) = (&version.artifact, &promised) {
        // One that was lost is taken again.
        let there = state.artifacts.is_there(known);
        match known.sha256 == *promised {
            true if there => return Ok(Reply(wire(&state, version))),
            true => {}
            false => return Err(catalog::Refusal::HasArtifact(version.version).into()),
        }
    }
    let busy = |_| {
        let detail =
            "Other artifacts are being uploaded; try again when these uploads have finished.";
        ApiError::new(ErrorCode::TooManyRequests, detail)
    };
    let _upload = state.uploads.try_acquire().map_err(busy)?;
    let (artifact, pin) = receive(&state, request, promised.as_ref()).await?;
    if version.artifact.is_none() {
        let files = state.artifacts.path(&artifact.sha256);
        let tried = state.loader.try_artifact(&files, spec).await;
        let found = match tried {
            Ok(found) => found,
            Err(why) => {
                tracing::info!(model_id = %id, why, "an artifact was refused");
                drop(pin);
                state.tidy_artifacts().await;
                return Err(unusable(&why));
            }
        };
        tracing::info!(model_id = %id, sha256 = %artifact.sha256, found, "an artifact was uploaded");
    }
    let command = Command::SetArtifact { id, artifact };
    let after = state.command(&version.name, command).await;
    drop(pin);
    match after {
        Ok(after) => Ok(Reply(wire(&state, version_in(&after, id)?))),
        Err(error) => {
            state.tidy_artifacts().await;
            Err(error.into())
        }
    }
}

fn unusable(why: &str) -> ApiError {
    ApiError::new(
        ErrorCode::ArtifactInvalid,
        format!("The artifact cannot be used: {why}."),
    )
}

fn not_stored(error: &io::Error) -> ApiError {
    tracing::error!(%error, "an artifact cannot be stored");
    ApiError::new(
        ErrorCode::StoreUnavailable,
        format!(
            "The artifact cannot be stored: {error}. See that the data directory has room, and send it again."
        ),
    )
}

/// Keeps a hash from being tidied away until somebody names it.
struct Pin {
    state: AppState,
    hash: ContentHash,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pinned = self
            .state
            .pinned
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = pinned.iter().position(|hash| *hash == self.hash) {
            pinned.swap_remove(at);
        }
    }
}

/// Takes the bytes in, and keeps them when they are whole.
async fn receive(
    state: &AppState,
    request: Request,
    promised: Option<&ContentHash>,
) -> ApiResult<(Artifact, Pin)> {
    let most = state.config.max_artifact_bytes;
    let too_large = || {
        let detail = format!("An artifact may have at most {most} bytes (--max-artifact-bytes).");
        ApiError::new(ErrorCode::BodyTooLarge, detail)
    };
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let (parts, writing) = mpsc::channel::<Bytes>(WAITING_PARTS);
    let artifacts = state.artifacts.clone();
    let written = tokio::task::spawn_blocking(move || write(&artifacts, writing));
    let read = async {
        let mut body = request.into_body();
        let mut bytes = 0;
        loop {
            let frame = tokio::time::timeout(state.config.body_timeout, body.frame()).await;
            let late =
                |_| ApiError::new(ErrorCode::BodyTimeout, "Send the artifact without a pause.");
            let Some(frame) = frame.map_err(late)? else {
                return Ok(());
            };
            let broke_off = |_| ApiError::field("", "the body broke off; send the artifact again");
            let Ok(part) = frame.map_err(broke_off)?.into_data() else {
                continue;
            };
            bytes += part.len() as u64;
            if bytes > most {
                return Err(too_large());
            }
            // Where nobody writes any more, the writer says why.
            if parts.send(part).await.is_err() {
                return Ok(());
            }
        }
    };
    let read: ApiResult<()> = read.await;
    drop(parts);
    let ended = |error: tokio::task::JoinError| not_stored(&io::Error::other(error));
    let written = written.await.map_err(ended)?;
    read?;
    let incoming = written.map_err(|error| not_stored(&error))?;
    if incoming.bytes() == 0 {
        return Err(unusable("it is empty"));
    }
    let (artifacts, unpacked) = (state.artifacts.clone(), most.saturating_mul(UNPACKED));
    let turn = state.artifacts_turn.lock().await;
    let kept = tokio::task::spawn_blocking(move || artifacts.keep(incoming, unpacked));
    let artifact = match kept.await.map_err(ended)? {
        Ok(artifact) => artifact,
        Err(InvalidArtifact::Io(error)) => return Err(not_stored(&error)),
        Err(InvalidArtifact::Archive(why)) => return Err(unusable(&why)),
    };
    let pin = state.pin(&artifact.sha256);
    drop(turn);
    if let Some(promised) = promised.filter(|promised| **promised != artifact.sha256) {
        let came = artifact.sha256.to_string();
        drop(pin);
        state.tidy_artifacts().await;
        return Err(unusable(&format!(
            "the upload has the SHA-256 {came} instead of {promised}: it was changed on its way"
        )));
    }
    Ok((artifact, pin))
}

fn write(artifacts: &Artifacts, mut parts: mpsc::Receiver<Bytes>) -> io::Result<IncomingArtifact> {
    let mut incoming = artifacts.incoming()?;
    while let Some(part) = parts.blocking_recv() {
        incoming.write(&part)?;
    }
    Ok(incoming)
}

/// Downloads what was uploaded for a version, as it came.
#[utoipa::path(
    get,
    path = "/models/{model_id}/artifact",
    tag = "models",
    params(path::Version),
    responses(
        (status = 200, description = "the bytes, whose SHA-256 is in `ETag`", body = Vec<u8>, content_type = "application/octet-stream"),
        problems::NoArtifact,
        problems::Stored,
    ),
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    ModelIdPath(id): ModelIdPath,
) -> ApiResult<Response> {
    let version = require(&state, id).await?;
    let artifact = version.artifact.ok_or_else(|| {
        let detail = "The version has no artifact; `PUT /models/{model_id}/artifact` uploads one.";
        ApiError::new(ErrorCode::ArtifactNotFound, detail)
    })?;
    let path = state.artifacts.content(&artifact.sha256);
    let file = tokio::fs::File::open(&path).await.map_err(|error| {
        tracing::error!(%error, path = %path.display(), "an artifact cannot be read");
        ApiError::new(
            ErrorCode::Internal,
            "The artifact is not in the data directory any more, or cannot be read; see the server's log.",
        )
    })?;
    let mut response =
        Body::from_stream(ReaderStream::with_capacity(file, 64 << 10)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(artifact.bytes));
    let tag = HeaderValue::from_str(&format!("\"{}\"", artifact.sha256));
    headers.extend(tag.ok().map(|tag| (header::ETAG, tag)));
    // A browser keeps it, and shows nothing of it.
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    Ok(response)
}

impl AppState {
    fn pin(&self, hash: &ContentHash) -> Pin {
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        pinned.push(hash.clone());
        Pin {
            state: self.clone(),
            hash: hash.clone(),
        }
    }

    /// Removes the artifacts that no version names. Where something cannot be read, nobody knows what it names: nothing is
    /// removed then.
    pub(crate) async fn tidy_artifacts(&self) {
        // What was forgotten with the database may be wanted again when that is put back.
        if self.config.allow_empty || self.config.allow_empty_journal {
            return;
        }
        let _turn = self.artifacts_turn.lock().await;
        let Some(states) = self.catalogue.all_if_readable() else {
            return;
        };
        let versions = || states.iter().flat_map(|state| &state.versions);
        if versions().any(|version| matches!(version.runtime, RuntimeSpec::Unreadable(_))) {
            return;
        }
        let named = versions().filter_map(|version| version.artifact.as_ref());
        let mut named: HashSet<ContentHash> =
            named.map(|artifact| artifact.sha256.clone()).collect();
        let pinned = self
            .pinned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        named.extend(pinned);
        let artifacts = self.artifacts.clone();
        let tidied = tokio::task::spawn_blocking(move || artifacts.keep_only(&named)).await;
        match tidied {
            Ok(Ok(removed)) => {
                for sha256 in removed {
                    tracing::info!(%sha256, "an artifact that no version names was removed");
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "artifacts that no version names cannot be removed")
            }
            Err(error) => tracing::warn!(%error, "artifacts could not be looked at"),
        }
    }
}
