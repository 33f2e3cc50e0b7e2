//! `GET /models/performance`: what was measured about every version.

use crate::access;
use crate::error::{ApiError, ApiResult};
use crate::experiments::running;
use crate::extract::{Fields, Params};
use crate::openapi::problems;
use crate::predictions::range;
use crate::results::{fresh, interval, judged};
use crate::state::AppState;
use api::{ErrorCode, ExperimentResults, Performance, Recommendation, VersionPerformance};
use axum::Json as Reply;
use axum::extract::State;
use judge::Labels;
use judge::fixed::{Proportion, wilson};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use store::{ByAttributes, ExperimentFilter, LogStore, ModelStore, Rollup, VersionFilter};
use types::{Condition, Experiment, ExperimentStatus, ModelName, Version, VersionKey};
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportParams {
    name: Option<String>,
    since: Option<String>,
    until: Option<String>,
    /// Only predictions whose attributes meet a condition: `country in [DE, AT]`. They are read one by one, at most the newest
    /// million.
    r#where: Option<String>,
}

/// So many predictions are looked at for a report by attributes.
const LOOKED_AT: usize = 1_000_000;

/// What was measured of versions: counts, errors, latencies, confidence and accuracy.
#[utoipa::path(
    get,
    path = "/models/performance",
    tag = "predictions",
    params(ReportParams),
    responses(
        (
            status = 200,
            description = "counts, errors, latencies and confidence by version",
            body = Performance,
        ),
        problems::NoModel,
        problems::Query,
        problems::Busy,
        problems::Stored,
    ),
)]
pub(crate) async fn performance(
    State(state): State<AppState>,
    Params(params): Params<ReportParams>,
) -> ApiResult<Reply<Performance>> {
    let mut fields = Fields::default();
    let name = fields.take_option("?name", params.name.as_deref().map(ModelName::parse));
    let range = range(
        &mut fields,
        params.since.as_deref(),
        params.until.as_deref(),
    );
    let condition = fields.take_option("?where", params.r#where.as_deref().map(Condition::parse));
    let range = fields.finish(Some(range))?;
    let versions = versions_of(&state, name.as_ref()).await?;
    let log_lag = fresh(&state).await;
    let is_of_all = condition.is_none();
    let (totals, looked_back_to) = match condition {
        None => (state.store.totals(range).await?, None),
        Some(condition) => {
            // Each reads for up to a second.
            let permit = state.reports.try_acquire();
            let _permit = permit.map_err(|_| {
                let detail = "Other reports by attributes are being made; ask again in a second.";
                ApiError::new(ErrorCode::TooManyRequests, detail)
            })?;
            let query = ByAttributes {
                name: name.clone(),
                range,
                condition,
                limit: LOOKED_AT,
            };
            state.store.totals_by_attributes(query).await?
        }
    };
    let totals: HashMap<VersionKey, Rollup> = totals
        .into_iter()
        .map(|totals| (totals.version, totals.rollup))
        .collect();
    let none = Rollup::default();
    let models: Vec<VersionPerformance> = versions
        .iter()
        .map(|v| report(v, totals.get(&v.key).unwrap_or(&none)))
        .collect();
    // Experiments are judged by all of their units.
    let recommendations = match is_of_all {
        true => recommendations(&state, &models).await?,
        false => Vec::new(),
    };
    let recommendation = match recommendations.as_slice() {
        [only] => Some(only.recommendation.clone()),
        _ => None,
    };
    Ok(Reply(Performance {
        total_requests: models.iter().map(|model| model.request_count).sum(),
        models,
        recommendation,
        recommendations,
        looked_back_to: looked_back_to.map(|time| time.to_string()),
        log_lag,
    }))
}

/// The versions of a model, or of all of them, that whoever asks may see.
///
/// # Errors
/// Where a model is named that has none of these.
pub(crate) async fn versions_of(
    state: &AppState,
    name: Option<&ModelName>,
) -> ApiResult<Vec<Version>> {
    let filter = VersionFilter {
        name: name.cloned(),
        ..VersionFilter::default()
    };
    let mut versions = state.store.versions(filter).await?;
    versions.retain(|version| access::covers(version.name.as_str()));
    match name {
        Some(name) if versions.is_empty() => Err(ApiError::model_not_found(name.as_str())),
        _ => Ok(versions),
    }
}

fn report(version: &Version, rollup: &Rollup) -> VersionPerformance {
    let quantile = |q| {
        rollup
            .latency
            .quantile(q)
            .map(|nanoseconds| nanoseconds / 1e6)
    };
    VersionPerformance {
        model_id: version.model_id.to_string(),
        name: version.name.to_string(),
        version: version.version.to_string(),
        status: version.status.into(),
        traffic_percent: version.traffic_percent.get(),
        request_count: rollup.count,
        error_count: rollup.errors + rollup.fallbacks,
        fallback_count: rollup.fallbacks,
        rejected_count: rollup.rejected,
        avg_latency_ms: rollup.mean_latency_ms().unwrap_or(0.0),
        p50_latency_ms: quantile(0.5),
        p95_latency_ms: quantile(0.95),
        p99_latency_ms: quantile(0.99),
        avg_confidence: rollup.mean_confidence().unwrap_or(0.0),
        claimed_accuracy: version.accuracy.get(),
        labelled_count: rollup.labelled,
        measured_accuracy: (rollup.labelled > 0)
            .then(|| rollup.correct as f64 / rollup.labelled as f64),
        measured_accuracy_interval: (rollup.labelled > 0).then(|| {
            let share = Proportion {
                successes: rollup.correct as f64,
                n: rollup.labelled as f64,
            };
            interval(wilson(share, 0.05))
        }),
    }
}

/// What the judge says of each model with two versions or more.
async fn recommendations(
    state: &AppState,
    models: &[VersionPerformance],
) -> ApiResult<Vec<Recommendation>> {
    let mut by_name: BTreeMap<&str, Vec<&VersionPerformance>> = BTreeMap::new();
    for model in models {
        by_name.entry(&model.name).or_default().push(model);
    }
    let mut said = Vec::new();
    for (name, versions) in by_name
        .into_iter()
        .filter(|(_, versions)| versions.len() > 1)
    {
        let recommendation = match last_experiment(state, name).await? {
            Some(e) if e.status == ExperimentStatus::Running => judged(state, e).await?.summary,
            Some(ended) => of_ended(state, ended).await?,
            None => without_experiment(name, &versions),
        };
        said.push(Recommendation {
            name: name.to_owned(),
            recommendation,
        });
    }
    Ok(said)
}

/// The experiment that runs, else the one that was made last of those that ended.
async fn last_experiment(state: &AppState, name: &str) -> ApiResult<Option<Experiment>> {
    if let Some(id) = running(state, name) {
        return Ok(state.store.experiment(id).await?);
    }
    let filter = ExperimentFilter {
        name: ModelName::parse(name).ok(),
        limit: Some(RECENT),
        ..ExperimentFilter::default()
    };
    let recent = state.store.experiments(filter).await?;
    let ended = recent.into_iter().filter(|e| e.status.has_ended());
    Ok(ended.max_by_key(|experiment| experiment.ended_at))
}

/// So many experiments are looked through for the one that ended last.
const RECENT: u32 = 20;

/// What an experiment had decided when it ended.
async fn of_ended(state: &AppState, experiment: Experiment) -> ApiResult<String> {
    let id = experiment.id;
    let stored = experiment.decided.as_deref();
    let stored = stored.and_then(|text| serde_json::from_str::<ExperimentResults>(text).ok());
    let summary = match stored {
        Some(decided) => decided.summary,
        None => judged(state, experiment).await?.summary,
    };
    Ok(format!("The last experiment, {id}, has ended. {summary}"))
}

fn without_experiment(name: &str, versions: &[&VersionPerformance]) -> String {
    let labels: Vec<Labels<'_>> = versions
        .iter()
        .map(|v| Labels {
            version: &v.version,
            labelled: v.labelled_count,
            correct: (v.measured_accuracy.unwrap_or(0.0) * v.labelled_count as f64).round() as u64,
        })
        .collect();
    let predictions = versions.iter().map(|v| v.request_count).sum();
    judge::recommendation_without_experiment(name, predictions, &labels)
}
