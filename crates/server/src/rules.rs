//! `/rules/{name}`: who gets a certain version of a model, by the attributes of their requests.

use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, Json, TextPath};
use crate::models::probe;
use crate::openapi::{path, problems};
use crate::state::AppState;
use api::{Rules, SetRules};
use axum::Json as Reply;
use axum::extract::State;
use catalog::Command;
use types::{Condition, MAX_RULES, ModelName, ModelTraffic, Rule, VersionName};

/// Lists the rules that give certain callers a certain version, before any experiment.
#[utoipa::path(
    get,
    path = "/rules/{name}",
    tag = "traffic",
    params(path::Model),
    responses((status = 200, description = "the rules of the model, the first that is met first", body = Rules), problems::NoModel),
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    TextPath(name): TextPath<String>,
) -> ApiResult<Reply<Rules>> {
    published(&state, &name).map(Reply)
}

fn published(state: &AppState, name: &str) -> ApiResult<Rules> {
    let missing = || ApiError::model_not_found(name);
    let model = state.snapshot.model(name).ok_or_else(missing)?;
    Ok(wire(model.traffic()))
}

/// Sets all rules of a model at once.
#[utoipa::path(
    put,
    path = "/rules/{name}",
    tag = "traffic",
    params(path::Model),
    request_body = SetRules,
    responses(
        (status = 200, description = "the rules as they are now", body = Rules),
        problems::NoModelOrVersion,
        problems::StaleOrNotReady,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn set(
    State(state): State<AppState>,
    TextPath(name): TextPath<String>,
    Json(body): Json<SetRules>,
) -> ApiResult<Reply<Rules>> {
    let missing = |_| ApiError::model_not_found(&name);
    let model = ModelName::parse(&name).map_err(missing)?;
    let rules = check(&body)?;
    for version in &state.catalogue.state(&model)?.versions {
        let is_named = rules.iter().any(|rule| rule.version == version.version);
        if is_named && version.status.answers() {
            probe(&state, version).await?;
        }
    }
    let revision = body.revision;
    let set = Command::SetRules { revision, rules };
    state.command(&model, set).await?;
    published(&state, &name).map(Reply)
}

fn check(body: &SetRules) -> ApiResult<Vec<Rule>> {
    let mut fields = Fields::default();
    let mut rules = Vec::new();
    if body.rules.len() > MAX_RULES {
        fields.wrong(
            "/rules",
            format!("must have at most {MAX_RULES} rules; several can be one with `or`"),
        );
    }
    for (at, rule) in body.rules.iter().take(MAX_RULES).enumerate() {
        let when = fields.take(&format!("/rules/{at}/when"), Condition::parse(&rule.when));
        let version = VersionName::parse(&rule.model_version);
        let version = fields.take(&format!("/rules/{at}/model_version"), version);
        rules.extend(
            when.zip(version)
                .map(|(when, version)| Rule { when, version }),
        );
    }
    fields.finish(Some(rules))
}

fn wire(traffic: &ModelTraffic) -> Rules {
    let rests = |rule: &Rule| {
        let mut versions = traffic.versions.iter();
        !versions.any(|version| version.version == rule.version && version.status.answers())
    };
    let rules = traffic.rules.iter().map(|rule| api::Rule {
        when: rule.when.to_string(),
        model_version: rule.version.to_string(),
        rests: rests(rule),
    });
    Rules {
        name: traffic.name.to_string(),
        revision: traffic.revision,
        rules: rules.collect(),
    }
}
