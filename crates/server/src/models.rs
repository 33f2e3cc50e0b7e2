//! `/models`: the registry.

use crate::access;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::experiments;
use crate::extract::{Fields, Json, ModelIdPath, Params, pointed};
use crate::openapi::{path, problems};
use crate::predict::declare_values;
use crate::state::AppState;
use crate::unknown;
use api::{Activate, ErrorCode, Message, PatchVersion, RegisterVersion, Version};
use axum::Json as Reply;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use catalog::{Command, NewVersion, Patch};
use serde::Deserialize;
use store::{ModelStore, VersionFilter};
use types::{
    Accuracy, Described, DescribedChange, ModelId, ModelName, ModelState, Percent, RuntimeSpec,
    VersionKey, VersionName, VersionStatus, check_new_name,
};
use utoipa::IntoParams;

/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 10_000;
/// The most versions of all models.
const MOST_VERSIONS: usize = 10_000;
const MAX_TAGS: usize = 100;

/// Registers a version.
#[utoipa::path(
    post,
    path = "/models",
    tag = "models",
    request_body = RegisterVersion,
    responses(
        (status = 200, description = "the version, inactive", body = Version),
        problems::Duplicate,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn register(
    State(state): State<AppState>,
    Json(body): Json<RegisterVersion>,
) -> ApiResult<Reply<Version>> {
    let (name, new) = check(body)?;
    access::check(name.as_str())?;
    let all = state.catalogue.all();
    let versions: usize = all.iter().map(|model| model.versions.len()).sum();
    if versions >= MOST_VERSIONS {
        let detail = format!("A server has at most {MOST_VERSIONS} versions; delete some first.");
        return Err(ApiError::new(ErrorCode::TooMany, detail));
    }
    let (id, speaks) = (new.model_id, matches!(new.runtime, RuntimeSpec::Openai(_)));
    let after = state
        .command(&name, Command::Register(Box::new(new)))
        .await?;
    if speaks {
        declare_values(&state, &name).await;
    }
    Ok(Reply(version_in(&after, id)?.into()))
}

/// A version as it is after a command.
pub(crate) fn version_in(after: &ModelState, id: ModelId) -> ApiResult<types::Version> {
    let found = after.versions.iter().find(|version| version.model_id == id);
    found
        .cloned()
        .ok_or_else(|| ApiError::version_not_found(&id.to_string()))
}

fn check(mut body: RegisterVersion) -> ApiResult<(ModelName, NewVersion)> {
    let mut fields = Fields::default();
    let name = fields.take("/name", ModelName::parse(&body.name));
    let version = fields.take("/version", VersionName::parse(&body.version));
    for (pointer, text) in [("/name", &body.name), ("/version", &body.version)] {
        if let Err(why) = check_new_name(text) {
            fields.wrong(pointer, why);
        }
    }
    if body.version.starts_with('@') {
        fields.wrong(
            "/version",
            "must not begin with @: that is how requests name an alias",
        );
    }
    let accuracy = fields.take("/accuracy", Accuracy::new(body.accuracy));
    let described = body.take_described();
    check_described(&mut fields, &described);
    let runtime: RuntimeSpec = body.runtime.unwrap_or_default();
    let stranger = match &runtime {
        RuntimeSpec::Oip(oip) => oip.stranger(),
        RuntimeSpec::Openai(openai) => openai.stranger(),
        _ => None,
    };
    if let Some((name, known)) = stranger {
        let pointer = format!("/runtime/{}", pointed(name));
        fields.wrong(&pointer, unknown::said(name, known.into_iter()));
    } else if let Err(error) = runtime.check() {
        fields.wrong(&format!("/runtime{}", error.pointer), error.problem);
    }
    let new = name
        .zip(version)
        .zip(accuracy)
        .map(|((name, version), accuracy)| {
            let new = NewVersion {
                // It gets one that was never used.
                key: VersionKey::default(),
                model_id: ModelId::from_bits(clock::random()),
                version,
                described: Described::default().changed(&described),
                accuracy,
                runtime,
                salt: format!("{:016x}{:016x}", clock::random(), clock::random()),
            };
            (name, new)
        });
    fields.finish(new)
}

fn check_described(fields: &mut Fields, described: &DescribedChange) {
    let description = described.description.as_deref().unwrap_or_default();
    if description.chars().count() > MAX_DESCRIPTION {
        let detail = format!("must have at most {MAX_DESCRIPTION} characters");
        fields.wrong("/description", detail);
    }
    let mut tags = described.tags.iter().flatten();
    let long = |text: &str| text.chars().count() > 200;
    if tags.clone().count() > MAX_TAGS || tags.any(|(key, tag)| long(key) || long(tag)) {
        let detail = format!("must be at most {MAX_TAGS}, of at most 200 characters each");
        fields.wrong("/tags", detail);
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    #[param(value_type = Option<api::VersionStatus>)]
    status: Option<String>,
    name: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Lists versions.
///
/// An array, newest first; with `limit`, a page, and the next one in `Link`.
#[utoipa::path(
    get,
    path = "/models",
    tag = "models",
    params(ListParams),
    responses(
        (
            status = 200,
            description = "versions, newest first; with `limit`, the next page is in the `Link` header",
            body = Vec<Version>,
        ),
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(params): Params<ListParams>,
) -> ApiResult<(HeaderMap, Reply<Vec<Version>>)> {
    let mut fields = Fields::default();
    let status = params.status.as_deref().map(str::parse::<VersionStatus>);
    let status = fields.take_option("?status", status);
    let name = fields.take_option("?name", params.name.as_deref().map(ModelName::parse));
    if params
        .limit
        .is_some_and(|limit| !(1..=1000).contains(&limit))
    {
        fields.wrong("?limit", "must be from 1 to 1000");
    }
    let cursor = params.cursor.as_deref().map(str::parse::<ModelId>);
    let cursor = fields.take_option("?cursor", cursor);
    fields.finish(Some(()))?;
    let before = match cursor {
        None => None,
        Some(id) => {
            let gone = || ApiError::field("?cursor", "names a version that is gone; begin again");
            Some(state.store.version(id).await?.ok_or_else(gone)?.key)
        }
    };
    let filter = VersionFilter {
        name,
        status,
        before,
        limit: params.limit,
    };
    let versions = own(&state, filter).await?;
    let mut headers = HeaderMap::new();
    if let (Some(limit), Some(last)) = (params.limit, versions.last())
        && versions.len() == limit as usize
    {
        let mut link = format!("</models?limit={limit}&cursor={}", last.model_id);
        for (key, value) in [("status", params.status), ("name", params.name)] {
            if let Some(value) = value {
                link.push_str(&format!("&{key}={}", percent_encode(&value)));
            }
        }
        let link = HeaderValue::from_str(&format!("{link}>; rel=\"next\""));
        headers.extend(link.ok().map(|link| (header::LINK, link)));
    }
    Ok((
        headers,
        Reply(versions.into_iter().map(|v| wire(&state, v)).collect()),
    ))
}

/// The versions that fit and are of models that who asks may deal with: as many as there shall be, where there are so many.
async fn own(state: &AppState, filter: VersionFilter) -> ApiResult<Vec<types::Version>> {
    let mut found: Vec<types::Version> = Vec::new();
    let mut before = filter.before;
    loop {
        let chunk = VersionFilter {
            before,
            ..filter.clone()
        };
        let chunk = state.store.versions(chunk).await?;
        let is_last = filter
            .limit
            .is_none_or(|limit| chunk.len() < limit as usize);
        before = chunk.last().map(|version| version.key);
        let covered = |version: &types::Version| access::covers(version.name.as_str());
        found.extend(chunk.into_iter().filter(covered));
        let most = filter.limit.map_or(usize::MAX, |limit| limit as usize);
        if is_last || found.len() >= most {
            found.truncate(most);
            return Ok(found);
        }
    }
}

fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// Reads a version.
#[utoipa::path(
    get,
    path = "/models/{model_id}",
    tag = "models",
    params(path::Version),
    responses(
        (status = 200, description = "the version", body = Version),
        problems::NoVersion,
        problems::Stored,
    ),
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    ModelIdPath(id): ModelIdPath,
) -> ApiResult<Reply<Version>> {
    Ok(Reply(wire(&state, require(&state, id).await?)))
}

pub(crate) async fn require(state: &AppState, id: ModelId) -> ApiResult<types::Version> {
    let found = state.store.version(id).await?;
    found.ok_or_else(|| ApiError::version_not_found(&id.to_string()))
}

/// Gives a version a weight in the traffic of its model.
#[utoipa::path(
    post,
    path = "/models/{model_id}/activate",
    tag = "models",
    params(path::Version),
    request_body = Activate,
    responses(
        (
            status = 200,
            description = "the version, active; `warning` where the weights of the model are not 100 together, or where requests \
                           that name no model go to another one",
            body = Version,
        ),
        problems::NoVersion,
        problems::NotReady,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn activate(
    State(state): State<AppState>,
    ModelIdPath(id): ModelIdPath,
    Json(body): Json<Activate>,
) -> ApiResult<Reply<Version>> {
    let weight = Percent::new(body.traffic_percent);
    let weight = weight.map_err(|error| ApiError::field("/traffic_percent", error))?;
    let version = require(&state, id).await?;
    probe(&state, &version).await?;
    let activate = Command::Activate { id, weight };
    let after = experiments::set_weights(&state, body.takeover, &version.name, activate).await?;
    let of_others = not_default(&state, &version.name);
    let activated = with_warning(&state, version_in(&after, id)?);
    let warnings = activated.warning.into_iter().chain(of_others);
    let warnings: Vec<String> = warnings.collect();
    Ok(Reply(Version {
        warning: (!warnings.is_empty()).then(|| warnings.join(" ")),
        ..activated
    }))
}

/// Said where requests that name no model mean another one.
fn not_default(state: &AppState, name: &types::ModelName) -> Option<String> {
    let settings = state.settings.load();
    let default = settings
        .default_model
        .as_ref()
        .filter(|default| *default != name)?;
    let known = state.snapshot.model(default.as_str())?;
    known.routes.is_active().then(|| {
        format!(
            "Requests that name no model go to {default}, the default model; name {name} in `name` or in the path."
        )
    })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeactivateParams {
    /// Whether to stop a running experiment for it; else the change is refused.
    #[serde(default)]
    takeover: bool,
}

/// Takes a version out of the traffic.
#[utoipa::path(
    post,
    path = "/models/{model_id}/deactivate",
    tag = "models",
    params(DeactivateParams, path::Version),
    responses(
        (status = 200, description = "the version, inactive", body = Version),
        problems::NoVersion,
        problems::NotAllowed,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn deactivate(
    State(state): State<AppState>,
    ModelIdPath(id): ModelIdPath,
    Params(params): Params<DeactivateParams>,
) -> ApiResult<Reply<Version>> {
    let version = require(&state, id).await?;
    let (takeover, deactivate) = (params.takeover, Command::Deactivate { id });
    let after = experiments::set_weights(&state, takeover, &version.name, deactivate).await?;
    Ok(Reply(with_warning(&state, version_in(&after, id)?)))
}

fn with_warning(state: &AppState, version: types::Version) -> Version {
    let model = state.snapshot.model(version.name.as_str());
    let warning = model.and_then(|model| model.traffic().warning());
    Version {
        warning,
        ..wire(state, version)
    }
}

/// A version, and whether it can be called.
pub(crate) fn wire(state: &AppState, version: types::Version) -> Version {
    let model = state.snapshot.model(version.name.as_str());
    let model = model.as_ref();
    let broken = model.and_then(|model| model.broken(version.key).map(str::to_owned));
    let refusing = model.and_then(|model| model.refusing(version.key));
    let version = Version::from(version);
    Version {
        broken: version.broken.clone().or(broken),
        refusing: refusing.map(|why| why.to_string()),
        ..version
    }
}

/// A version takes traffic only when it answers; one that does already is not asked again, unless it is known
/// that it cannot.
pub(crate) async fn probe(state: &AppState, version: &types::Version) -> ApiResult<()> {
    let model = state.snapshot.model(version.name.as_str());
    let broken = model.is_some_and(|model| model.broken(version.key).is_some());
    if version.status.answers() && !broken {
        return Ok(());
    }
    let probe = async {
        // What was loaded for this is still at hand when the version is published.
        let runtime = state.loader.load(&state.sources().wanted(version)).await?;
        runtime.probe().await
    };
    probe.await.map_err(|error| {
        let detail = format!(
            "Version {} of {} does not answer its probe, so it takes no traffic: {error}.",
            version.version, version.name
        );
        ApiError::new(ErrorCode::RuntimeNotReady, detail)
    })
}

/// Changes the description, the tags or the status of a version.
#[utoipa::path(
    patch,
    path = "/models/{model_id}",
    tag = "models",
    params(path::Version),
    request_body = PatchVersion,
    responses(
        (status = 200, description = "the version", body = Version),
        problems::NoVersion,
        problems::NotReady,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn patch(
    State(state): State<AppState>,
    ModelIdPath(id): ModelIdPath,
    Json(mut body): Json<PatchVersion>,
) -> ApiResult<Reply<Version>> {
    let mut fields = Fields::default();
    let described = body.take_described();
    check_described(&mut fields, &described);
    let status = body.status.map(|status| match status.0 {
        VersionStatus::Active => {
            Err("must be inactive, testing or deprecated; `activate` makes a version active")
        }
        status => Ok(status),
    });
    let status = fields.take_option("/status", status);
    let patch = Patch {
        id,
        described,
        status,
    };
    let patch = fields.finish(Some(patch))?;
    let version = require(&state, id).await?;
    if patch.status == Some(VersionStatus::Testing) {
        probe(&state, &version).await?;
    }
    let after = state
        .command(&version.name, Command::Patch(Box::new(patch)))
        .await?;
    Ok(Reply(wire(&state, version_in(&after, id)?)))
}

/// Deletes a version and its predictions.
#[utoipa::path(
    delete,
    path = "/models/{model_id}",
    tag = "models",
    params(path::Version),
    responses(
        (status = 200, description = "what was deleted", body = Message),
        problems::StillActive,
        problems::NoVersion,
        problems::Stored,
    ),
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    ModelIdPath(id): ModelIdPath,
) -> ApiResult<Reply<Message>> {
    let old = require(&state, id).await?;
    state.command(&old.name, Command::Delete { id }).await?;
    // Rows that are to go need not wait for the next look.
    state.log.hurry();
    state.tidy_artifacts().await;
    let message = format!(
        "Version {} of {} and its predictions are deleted.",
        old.version, old.name
    );
    Ok(Reply(Message { message }))
}
