//! `GET /models/performance`: what was measured about every version.

use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, Params};
use crate::openapi::problems;
use crate::predictions::range;
use crate::state::AppState;
use api::{Performance, Recommendation, VersionPerformance};
use axum::Json as Reply;
use axum::extract::State;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use store::{Rollup, VersionFilter};
use types::{ModelName, Version, VersionKey};
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportParams {
    name: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

/// What was measured.
#[utoipa::path(get, path = "/models/performance", tag = "predictions", params(ReportParams), responses((status = 200, description = "counts, errors, latencies and confidence by version", body = Performance), problems::NoModel, problems::Query, problems::Stored))]
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
    let range = fields.finish(Some(range))?;
    let filter = VersionFilter {
        name: name.clone(),
        ..VersionFilter::default()
    };
    let versions = state.store.versions(filter).await?;
    if let (Some(name), true) = (&name, versions.is_empty()) {
        return Err(ApiError::model_not_found(name.as_str()));
    }
    let totals = state.store.totals(range).await?;
    let totals: HashMap<VersionKey, Rollup> = totals
        .into_iter()
        .map(|totals| (totals.version, totals.rollup))
        .collect();
    let none = Rollup::default();
    let models: Vec<VersionPerformance> = versions
        .iter()
        .map(|v| report(v, totals.get(&v.key).unwrap_or(&none)))
        .collect();
    let recommendations = recommendations(&models);
    let recommendation = match recommendations.as_slice() {
        [only] => Some(only.recommendation.clone()),
        _ => None,
    };
    Ok(Reply(Performance {
        total_requests: models.iter().map(|model| model.request_count).sum(),
        models,
        recommendation,
        recommendations,
    }))
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
        status: version.status.to_string(),
        traffic_percent: version.traffic_percent.get(),
        request_count: rollup.count,
        error_count: rollup.errors + rollup.fallbacks,
        fallback_count: rollup.fallbacks,
        avg_latency_ms: rollup.mean_latency_ms().unwrap_or(0.0),
        p50_latency_ms: quantile(0.5),
        p95_latency_ms: quantile(0.95),
        p99_latency_ms: quantile(0.99),
        avg_confidence: rollup.mean_confidence().unwrap_or(0.0),
        claimed_accuracy: version.accuracy.get(),
        measured_accuracy: None,
    }
}

fn recommendations(models: &[VersionPerformance]) -> Vec<Recommendation> {
    let mut by_name: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for model in models {
        let (versions, predictions) = by_name.entry(&model.name).or_default();
        *versions += 1;
        *predictions += model.request_count;
    }
    let compared = by_name
        .into_iter()
        .filter(|(_, (versions, _))| *versions > 1);
    let say = |(name, (_, predictions)): (&str, (usize, u64))| Recommendation {
        name: name.to_owned(),
        recommendation: judge::recommendation_without_feedback(name, predictions),
    };
    compared.map(say).collect()
}
