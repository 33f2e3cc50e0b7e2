//! `/privacy/{name}` and `/retention/{name}`: what is kept of the predictions of a model, and for how long.

use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, Json, TextPath};
use crate::keeping::compile;
use crate::metrics::model;
use crate::openapi::{path, problems};
use crate::state::AppState;
use api::{Keep, Keeping, Privacy, Retention, SetPrivacy, SetRetention};
use axum::Json as Reply;
use axum::extract::State;
use catalog::Command;
use types::{ModelName, PredictionId};

/// What is kept of the predictions of a model.
#[utoipa::path(
    get,
    path = "/privacy/{name}",
    tag = "privacy",
    params(path::Model),
    responses((status = 200, description = "what is kept", body = Privacy), problems::NoModel, problems::Stored),
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    TextPath(name): TextPath<String>,
) -> ApiResult<Reply<Privacy>> {
    let name = model(&state, &name)?;
    Ok(Reply(wire(&name, &state.catalogue.state(&name)?.privacy)))
}

/// Sets what is kept of the predictions of a model from now on, all of it at once. What was logged before stays as it is.
#[utoipa::path(
    put,
    path = "/privacy/{name}",
    tag = "privacy",
    params(path::Model),
    request_body = SetPrivacy,
    responses(
        (status = 200, description = "what is kept from now on", body = Privacy),
        problems::NoModel,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn set(
    State(state): State<AppState>,
    TextPath(name): TextPath<String>,
    Json(body): Json<SetPrivacy>,
) -> ApiResult<Reply<Privacy>> {
    let name = model(&state, &name)?;
    let privacy = check(body)?;
    let set = Command::SetPrivacy(Box::new(privacy));
    let after = state.command(&name, set).await?;
    Ok(Reply(wire(&name, &after.privacy)))
}

fn check(body: SetPrivacy) -> ApiResult<types::Privacy> {
    let part = |keeping: Keeping| types::Keeping {
        keep: match keeping.keep {
            Keep::Full => types::Keep::Full,
            Keep::Hashed => types::Keep::Hashed,
            Keep::None => types::Keep::None,
        },
        sample_percent: keeping.sample_percent,
        redact_pointers: keeping.redact_pointers,
        redact_patterns: keeping.redact_patterns,
    };
    let privacy = types::Privacy {
        inputs: part(body.inputs),
        outputs: part(body.outputs),
        attributes: part(body.attributes),
    };
    let mut fields = Fields::default();
    let problems = privacy.problems();
    for (pointer, why) in &problems {
        fields.wrong(pointer, why);
    }
    if problems.is_empty() {
        for (name, part) in privacy.parts() {
            if let Err((at, why)) = compile(&part.redact_patterns) {
                fields.wrong(&format!("/{name}/redact_patterns/{at}"), why);
            }
        }
    }
    fields.finish(Some(privacy))
}

fn wire(name: &ModelName, privacy: &types::Privacy) -> Privacy {
    let part = |keeping: &types::Keeping| Keeping {
        keep: match keeping.keep {
            types::Keep::Full => Keep::Full,
            types::Keep::Hashed => Keep::Hashed,
            types::Keep::None => Keep::None,
        },
        sample_percent: keeping.sample_percent,
        redact_pointers: keeping.redact_pointers.clone(),
        redact_patterns: keeping.redact_patterns.clone(),
    };
    Privacy {
        name: name.to_string(),
        inputs: part(&privacy.inputs),
        outputs: part(&privacy.outputs),
        attributes: part(&privacy.attributes),
    }
}

/// How long the predictions of a model are kept, and what has been removed.
#[utoipa::path(
    get,
    path = "/retention/{name}",
    tag = "privacy",
    params(path::Model),
    responses(
        (status = 200, description = "how long they are kept", body = Retention),
        problems::NoModel,
        problems::Stored,
    ),
)]
pub(crate) async fn retention(
    State(state): State<AppState>,
    TextPath(name): TextPath<String>,
) -> ApiResult<Reply<Retention>> {
    let name = model(&state, &name)?;
    kept_for(&state, &name).await.map(Reply)
}

/// Sets how long the predictions of a model are kept, all of it at once. Predictions that are then too old are removed in
/// small pieces, in the background; what was counted of them stays.
#[utoipa::path(
    put,
    path = "/retention/{name}",
    tag = "privacy",
    params(path::Model),
    request_body = SetRetention,
    responses(
        (status = 200, description = "how long they are kept from now on", body = Retention),
        problems::NoModel,
        problems::KeptTooShort,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn set_retention(
    State(state): State<AppState>,
    TextPath(name): TextPath<String>,
    Json(body): Json<SetRetention>,
) -> ApiResult<Reply<Retention>> {
    let name = model(&state, &name)?;
    let retention = types::Retention {
        max_age_seconds: body.max_age_seconds,
        max_rows: body.max_rows,
        content_max_age_seconds: body.content_max_age_seconds,
    };
    let mut fields = Fields::default();
    for (pointer, why) in retention.problems() {
        fields.wrong(&pointer, why);
    }
    fields.finish(Some(()))?;
    state
        .command(&name, Command::SetRetention(retention))
        .await?;
    state.retaining.notify_one();
    kept_for(&state, &name).await.map(Reply)
}

async fn kept_for(state: &AppState, name: &ModelName) -> ApiResult<Retention> {
    let retention = state.catalogue.state(name)?.retention.clone();
    let done = state.store.retained(name.clone()).await;
    let done = done.map_err(ApiError::from)?;
    let time = |order: u64| (order > 0).then(|| PredictionId::new(order, 0).time().to_string());
    Ok(Retention {
        name: name.to_string(),
        max_age_seconds: retention.max_age_seconds,
        max_rows: retention.max_rows,
        content_max_age_seconds: retention.content_max_age_seconds,
        rows_removed: done.rows_removed,
        content_removed: done.content_removed,
        rows_since: time(done.rows_until),
        content_since: time(done.content_until),
    })
}
