//! `GET /models/timeline`: requests, errors and latencies over time.

use crate::error::ApiResult;
use crate::extract::{Fields, Params};
use crate::openapi::problems;
use crate::performance::versions_of;
use crate::results::fresh;
use crate::state::AppState;
use api::{Timeline, TimelineSeries};
use axum::Json as Reply;
use axum::extract::State;
use serde::Deserialize;
use std::collections::BTreeMap;
use store::{LogStore, Rollup};
use types::{ModelName, TimeRange, Timestamp};
use utoipa::IntoParams;

/// The most steps of a timeline.
const MOST_STEPS: u32 = 120;
/// A step is a number of these, in seconds: finer sums are not kept, and these only for some days.
const MINUTE: u64 = 60;
/// The longest step.
const LONGEST: u64 = 31 * 86_400;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TimelineParams {
    /// Only this model.
    name: Option<String>,
    /// The length of a step: a number of whole minutes; a minute where it is left out.
    #[param(minimum = 60, maximum = 2_678_400, multiple_of = 60)]
    step_seconds: Option<u64>,
    /// How many steps, the newest ones; 60 where it is left out.
    #[param(minimum = 1, maximum = 120)]
    steps: Option<u32>,
    /// One series for each model instead of one for each version.
    #[serde(default)]
    by_model: bool,
}

/// What versions did, step by step.
///
/// The last step is the one that has begun. Steps begin at whole multiples of their length since 1970, in UTC.
#[utoipa::path(
    get,
    path = "/models/timeline",
    tag = "predictions",
    params(TimelineParams),
    responses(
        (status = 200, description = "a series for each version, or for each model", body = Timeline),
        problems::NoModel,
        problems::Query,
        problems::Busy,
        problems::Stored,
    ),
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    Params(params): Params<TimelineParams>,
) -> ApiResult<Reply<Timeline>> {
    let mut fields = Fields::default();
    let name = fields.take_option("?name", params.name.as_deref().map(ModelName::parse));
    let step = params.step_seconds.unwrap_or(MINUTE);
    if step == 0 || step > LONGEST || !step.is_multiple_of(MINUTE) {
        fields.wrong("?step_seconds", "must be whole minutes, from 60 to 2678400");
    }
    let steps = params.steps.unwrap_or(60);
    if !(1..=MOST_STEPS).contains(&steps) {
        fields.wrong("?steps", "must be from 1 to 120");
    }
    // Minutes are kept for three days; beyond that, the ends of finer steps would be counted from rows.
    let reaches = step.saturating_mul(u64::from(steps));
    if !step.is_multiple_of(3600) && reaches > 2 * 86_400 {
        fields.wrong(
            "?step_seconds",
            "must be whole hours where the steps reach back more than two days",
        );
    }
    fields.finish(Some(()))?;
    let versions = versions_of(&state, name.as_ref()).await?;
    let log_lag = fresh(&state).await;
    let now = state.clock.now().seconds();
    let step = step as i64;
    let newest = now - now.rem_euclid(step);
    let first = newest - i64::from(steps - 1) * step;
    // By the name of the model, and by the version where each has one.
    let key = |version: &types::Version| {
        let version_of = (!params.by_model).then(|| version.model_id.to_string());
        (version.name.to_string(), version_of)
    };
    let empty = || vec![Rollup::default(); steps as usize];
    let mut series: BTreeMap<_, _> = versions.iter().map(|v| (key(v), empty())).collect();
    let by_key: BTreeMap<_, _> = versions.iter().map(|v| (v.key, v)).collect();
    for at in 0..steps as usize {
        let begin = first + at as i64 * step;
        let moment = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let range = TimeRange {
            since: Some(moment(begin)),
            until: Some(moment(begin + step)),
        };
        for totals in state.store.totals(range).await? {
            let of = by_key.get(&totals.version);
            if let Some(sums) = of.and_then(|version| series.get_mut(&key(version))) {
                sums[at].merge(&totals.rollup);
            }
        }
    }
    let of_id: BTreeMap<String, &types::Version> = versions
        .iter()
        .map(|version| (version.model_id.to_string(), version))
        .collect();
    let wire = |((name, model_id), sums): ((String, Option<String>), Vec<Rollup>)| {
        let version = model_id.as_ref().and_then(|id| of_id.get(id));
        let quantile = |q: f64| -> Vec<Option<f64>> {
            let each = sums.iter().map(|sums| sums.latency.quantile(q));
            // Microseconds are enough for a line.
            each.map(|found| found.map(|nanoseconds| (nanoseconds / 1e3).round() / 1e3))
                .collect()
        };
        TimelineSeries {
            name,
            version: version.map(|version| version.version.to_string()),
            requests: sums.iter().map(|sums| sums.count).collect(),
            errors: sums
                .iter()
                .map(|sums| sums.errors + sums.fallbacks)
                .collect(),
            rejected: sums.iter().map(|sums| sums.rejected).collect(),
            p50_ms: quantile(0.5),
            p95_ms: quantile(0.95),
            p99_ms: quantile(0.99),
            model_id,
        }
    };
    Ok(Reply(Timeline {
        since: Timestamp::from_micros(first * 1_000_000).to_string(),
        step_seconds: step as u64,
        steps,
        series: series.into_iter().map(wire).collect(),
        log_lag,
    }))
}
