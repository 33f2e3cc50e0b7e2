//! `/aliases/{name}`: movable names for versions. Their history is in the audit.

use crate::error::{ApiError, ApiResult};
use crate::extract::{Json, TextPath};
use crate::metrics::model;
use crate::openapi::{path, problems};
use crate::state::AppState;
use api::{Alias, ErrorCode, Message, SetAlias};
use axum::Json as Reply;
use axum::extract::State;
use catalog::Command;
use store::ModelStore;
use types::{AliasName, ModelName, VersionName};

/// Lists the aliases of a model.
#[utoipa::path(
    get,
    path = "/aliases/{name}",
    tag = "aliases",
    params(path::Model),
    responses(
        (status = 200, description = "the aliases of the model", body = Vec<Alias>),
        problems::NoModel,
        problems::Stored,
    ),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    TextPath(name): TextPath<String>,
) -> ApiResult<Reply<Vec<Alias>>> {
    let name = model(&state, &name)?;
    let found = state.store.aliases(name.clone()).await?;
    Ok(Reply(
        found.into_iter().map(|alias| wire(&name, &alias)).collect(),
    ))
}

/// Reads an alias.
#[utoipa::path(
    get,
    path = "/aliases/{name}/{alias}",
    tag = "aliases",
    params(
        path::Alias,
    ),
    responses(
        (status = 200, description = "where it points", body = Alias),
        problems::NoAlias,
        problems::Stored,
    ),
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    TextPath((name, alias)): TextPath<(String, String)>,
) -> ApiResult<Reply<Alias>> {
    let name = model(&state, &name)?;
    let found = state.store.aliases(name.clone()).await?;
    let found = found
        .into_iter()
        .find(|found| found.alias.as_str() == alias);
    Ok(Reply(wire(&name, &found.ok_or_else(|| missing(&alias))?)))
}

/// Points an alias at a version.
#[utoipa::path(
    put,
    path = "/aliases/{name}/{alias}",
    tag = "aliases",
    params(
        path::Alias,
    ),
    request_body = SetAlias,
    responses(
        (status = 200, description = "where it points now", body = Alias),
        problems::NoModelOrVersion,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn set(
    State(state): State<AppState>,
    TextPath((name, alias)): TextPath<(String, String)>,
    Json(body): Json<SetAlias>,
) -> ApiResult<Reply<Alias>> {
    let name = model(&state, &name)?;
    let wrong = |why: String| ApiError::field("", format!("the alias {why}"));
    types::check_new_name(&alias).map_err(|why| wrong(why.into()))?;
    let alias = AliasName::parse(&alias).map_err(|why| wrong(why.to_string()))?;
    let version = VersionName::parse(&body.version).map_err(|e| ApiError::field("/version", e))?;
    let set = Command::SetAlias {
        alias: alias.clone(),
        version,
    };
    state.command(&name, set).await?;
    let found = state.store.aliases(name.clone()).await?;
    let found = found.into_iter().find(|found| found.alias == alias);
    let gone = || missing(alias.as_str());
    Ok(Reply(wire(&name, &found.ok_or_else(gone)?)))
}

/// Deletes an alias.
#[utoipa::path(
    delete,
    path = "/aliases/{name}/{alias}",
    tag = "aliases",
    params(
        path::Alias,
    ),
    responses(
        (status = 200, description = "what was deleted", body = Message),
        problems::NoAlias,
        problems::Stored,
    ),
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    TextPath((name, alias)): TextPath<(String, String)>,
) -> ApiResult<Reply<Message>> {
    let name = model(&state, &name)?;
    let checked = AliasName::parse(&alias).map_err(|_| missing(&alias))?;
    if !state.catalogue.state(&name)?.aliases.contains_key(&checked) {
        return Err(missing(&alias));
    }
    state.command(&name, Command::DeleteAlias(checked)).await?;
    Ok(Reply(Message {
        message: format!("The alias {alias} is deleted."),
    }))
}

fn missing(alias: &str) -> ApiError {
    let detail = format!("There is no alias {alias}; `PUT` makes one.");
    ApiError::new(ErrorCode::AliasNotFound, detail)
}

fn wire(name: &ModelName, alias: &store::Alias) -> Alias {
    Alias {
        name: name.to_string(),
        alias: alias.alias.to_string(),
        model_id: alias.model_id.to_string(),
        version: alias.version.to_string(),
        updated_at: alias.updated_at.to_string(),
    }
}
