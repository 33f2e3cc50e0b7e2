//! `POST /evaluate`: what another split, or another policy, would have earned on the log.

use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, Json};
use crate::metrics::model;
use crate::openapi::problems;
use crate::results::{away, fresh, interval};
use crate::state::AppState;
use api::{ErrorCode, Estimate, EvaluateReply, EvaluateRequest};
use axum::Json as Reply;
use axum::extract::State;
use judge::off_policy::{
    Evaluation, LEAST_EFFECTIVE, LEAST_UNITS, MOST_WEIGHT, Plan, Refusal, evaluate, last_together,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::LogStore;
use types::{
    BuiltIn, Experiment, Metric, MetricName, ModelName, ModelState, Per, PredictionId, Reason,
    TimeRange, Timestamp, Version, VersionKey,
};

/// Periods for which the weights of a bandit are made.
const MOST_PERIODS: usize = 10_000;
/// How often a bandit moves the weights, in seconds, where nothing else is said.
const HOUR: u64 = 3600;
const WEEK_MICROS: i64 = 7 * 86_400_000_000;

/// What a split or a policy would have earned.
#[utoipa::path(
    post,
    path = "/evaluate",
    tag = "experiments",
    request_body = EvaluateRequest,
    responses(
        (status = 200, description = "the estimates", body = EvaluateReply),
        problems::NoModelOrMetric,
        problems::CannotAnswer,
        problems::Stored,
    ),
)]
pub(crate) async fn answer(
    State(state): State<AppState>,
    Json(body): Json<EvaluateRequest>,
) -> ApiResult<Reply<EvaluateReply>> {
    let name = model(&state, &body.name)?;
    let known = state.catalogue.state(&name)?;
    let metric = metric_of(&known, &body.name, &body.metric)?;
    let versions = &known.versions;
    let log_lag = fresh(&state).await;
    let now = state.clock.now();
    let (mut plan, range) = asked(&body, &metric, versions, now)?;
    let kept = kept_since(&state, &name, range).await?;
    let (range, removed) = (kept, kept != range);
    let (range, waits) = matured(range, &metric, now)?;
    // A split has no use for periods.
    let seconds = match plan {
        Plan::Split(_) => None,
        Plan::Bandit { .. } => i64::try_from(body.update_seconds.unwrap_or(HOUR)).ok(),
    };
    let period_ms = seconds.map_or(i64::MAX, |seconds| seconds.saturating_mul(1000));
    let log = state
        .store
        .logged_groups(name, metric.clone(), range, period_ms);
    let mut groups = log.await?;
    // Beside an experiment with an audience the weights are what those outside get: that was certain.
    let has_audience = |experiment: &Arc<Experiment>| experiment.definition.audience.is_some();
    if known.experiments.iter().any(has_audience) {
        let of_experiments = groups
            .iter()
            .filter(|group| group.reason == Reason::Experiment);
        let epochs: BTreeSet<i64> = of_experiments.map(|group| group.epoch).collect();
        groups.retain(|group| group.reason != Reason::Weights || !epochs.contains(&group.epoch));
    }
    let periods: BTreeSet<i64> = groups.iter().map(|group| group.period).collect();
    if body.algorithm.is_some() && periods.len() > MOST_PERIODS {
        let detail = format!(
            "is too short: it makes {} periods with predictions, but at most {MOST_PERIODS} are allowed",
            periods.len()
        );
        return Err(ApiError::field("/update_seconds", detail));
    }
    if let Plan::Bandit { floor, .. } = &mut plan {
        let arms = last_together(&groups).len();
        *floor = body.floor.unwrap_or_else(|| types::default_floor(arms));
        if *floor * arms as f64 >= 1.0 {
            let detail = format!(
                "times the {arms} versions that were last chosen side by side must be less than 1, or nothing is learned"
            );
            return Err(ApiError::field("/floor", detail));
        }
    }
    let judging = move || evaluate(&groups, &metric, &plan);
    let found = away(judging).await?;
    let named = |key: VersionKey| {
        let version = versions.iter().find(|version| version.key == key);
        version.map_or_else(|| "?".to_owned(), |version| version.version.to_string())
    };
    let found = found.map_err(|refusal| refused(refusal, &body, named))?;
    let shares = found
        .shares
        .iter()
        .map(|(key, share)| (named(*key), *share));
    let mut reply = wire(&body, &found, range, now, shares.collect());
    if removed {
        let since = &reply.since;
        let note =
            format!(" Predictions from before {since} have been removed and are not included.");
        reply.summary.push_str(&note);
    }
    if waits {
        let until = &reply.until;
        let note = format!(
            " Predictions from {until} on still wait for values (window_seconds of {}) and are not included.",
            body.metric
        );
        reply.summary.push_str(&note);
    }
    Ok(Reply(EvaluateReply { log_lag, ..reply }))
}

/// The part of a stretch of time of which predictions are still there: what is said is about that.
///
/// # Errors
/// When none are.
async fn kept_since(state: &AppState, name: &ModelName, range: TimeRange) -> ApiResult<TimeRange> {
    let removed = state.store.retained(name.clone()).await?.rows_until;
    if removed == 0 {
        return Ok(range);
    }
    let kept = PredictionId::new(removed, 0).time();
    if range.until.is_some_and(|until| until <= kept) {
        let detail = format!(
            "The predictions of this time have been removed: those of {name} are kept from {kept} on \
             (`GET /retention/{name}`). Ask for a later \
             time."
        );
        return Err(ApiError::new(ErrorCode::CannotEvaluate, detail));
    }
    Ok(TimeRange {
        since: range.since.map(|since| since.max(kept)),
        ..range
    })
}

/// The part of a stretch of time whose predictions have had their window to get a value, and whether that is less.
///
/// # Errors
/// When none have.
fn matured(range: TimeRange, metric: &Metric, now: Timestamp) -> ApiResult<(TimeRange, bool)> {
    let matured = matured_at(metric, now);
    if range.until.is_some_and(|until| until <= matured) {
        return Ok((range, false));
    }
    if range.since.is_some_and(|since| since >= matured) {
        let detail = match metric.window_seconds {
            0 => "This time is still to come: ask for one that has begun.".to_owned(),
            window => format!(
                "No prediction of this time is older than the {window} seconds in which a value of {} may come \
                 (window_seconds). Ask for a time before {matured}, or wait.",
                metric.name
            ),
        };
        return Err(ApiError::new(ErrorCode::CannotEvaluate, detail));
    }
    let range = TimeRange {
        until: Some(matured),
        ..range
    };
    Ok((range, true))
}

/// Predictions from before have had their window to get a value.
fn matured_at(metric: &Metric, now: Timestamp) -> Timestamp {
    if metric.window_seconds == 0 || !metric.from_feedback() {
        return now;
    }
    let seconds = store::matured_before(metric, now.seconds());
    Timestamp::from_micros(seconds.saturating_mul(1_000_000))
}

/// A metric that is built in or declared.
pub(crate) fn metric_of(model: &ModelState, name: &str, metric: &str) -> ApiResult<Metric> {
    if let Some(built_in) = BuiltIn::find(metric) {
        return Ok(built_in.metric());
    }
    let known = MetricName::parse(metric).ok();
    let found = known.and_then(|name| model.metrics.get(&name).cloned());
    found.ok_or_else(|| {
        let detail = format!(
            "names {metric}, which is neither built in nor declared: `PUT /metrics/{name}/{metric}` declares it"
        );
        ApiError::field("/metric", detail)
    })
}

fn asked(
    body: &EvaluateRequest,
    metric: &Metric,
    versions: &[Version],
    now: Timestamp,
) -> ApiResult<(Plan, TimeRange)> {
    let mut fields = Fields::default();
    let since = fields.take_option("/since", body.since.as_deref().map(str::parse::<Timestamp>));
    let until = fields.take_option("/until", body.until.as_deref().map(str::parse::<Timestamp>));
    if metric.per == Per::Unit {
        let detail = "is a metric per unit: what a unit does later cannot be attributed to a single choice; use a \
             metric per prediction";
        fields.wrong("/metric", detail);
    }
    if body.metric == BuiltIn::Slow.as_str() {
        let detail = "cannot be slow: its limit (slo_ms) is set per experiment; use latency_ms";
        fields.wrong("/metric", detail);
    }
    let plan = match (&body.weights, body.algorithm) {
        (Some(weights), None) => {
            let mut shares = Vec::new();
            for (text, weight) in weights {
                match versions.iter().find(|v| v.version.as_str() == text) {
                    None => {
                        let detail =
                            format!("names {text}, which is not a version of {}", body.name);
                        fields.wrong("/weights", detail);
                    }
                    Some(version) => shares.push((version.key, *weight)),
                }
            }
            let total: f64 = shares.iter().map(|(_, weight)| weight).sum();
            let fits = shares.iter().all(|(_, w)| *w >= 0.0 && w.is_finite());
            if !(fits && total > 0.0 && total.is_finite()) {
                fields.wrong("/weights", "must be 0 or more, and one above 0");
            }
            let share = |(key, weight)| (key, weight / total);
            Some(Plan::Split(shares.into_iter().map(share).collect()))
        }
        (None, Some(algorithm)) => {
            if !(0.0..=0.5).contains(&body.floor.unwrap_or_default()) {
                fields.wrong("/floor", "must be from 0 to 0.5");
            }
            if algorithm.needs_bounds() && !metric.is_bounded() {
                let detail = "needs a metric that is binary or has both bounds";
                fields.wrong("/algorithm", detail);
            }
            let period = body.update_seconds.unwrap_or(HOUR).max(1);
            let waits = if metric.from_feedback() {
                metric.window_seconds
            } else {
                0
            };
            Some(Plan::Bandit {
                algorithm,
                // Which versions there are is known when the log has been read.
                floor: 0.0,
                delay: i64::try_from(waits.div_ceil(period)).unwrap_or(i64::MAX),
            })
        }
        _ => {
            fields.wrong("/weights", "or algorithm must be given, and not both");
            None
        }
    };
    if body.update_seconds == Some(0) {
        fields.wrong("/update_seconds", "must be at least 1");
    }
    let plan = fields.finish(plan)?;
    // What may still get a value says nothing yet.
    let matured = matured_at(metric, now);
    let until = until.unwrap_or(match since {
        Some(since) if since >= matured => now,
        _ => matured,
    });
    let since = since.unwrap_or(Timestamp::from_micros(until.micros() - WEEK_MICROS));
    if since >= until {
        return Err(ApiError::field("/since", "must be before until"));
    }
    let range = TimeRange {
        since: Some(since),
        until: Some(until),
    };
    Ok((plan, range))
}

fn refused(
    refusal: Refusal,
    body: &EvaluateRequest,
    named: impl Fn(VersionKey) -> String,
) -> ApiError {
    let metric = &body.metric;
    let detail = match refusal {
        Refusal::Empty => format!(
            "No prediction of {} in this time has a value of {metric}; send feedback, or ask for \
             another time.",
            body.name
        ),
        Refusal::NoSupport { version } => format!(
            "Version {} was never chosen in this time, so the log cannot say what it would have \
             earned; give it some traffic first.",
            named(version)
        ),
        Refusal::NeverTogether => {
            "The versions never received traffic at the same time, so the log cannot compare them on similar \
             requests; run them side by side first."
                .into()
        }
        Refusal::FewEffective {
            effective_sample_size,
        } => format!(
            "For this policy, the predictions of this time are worth only {effective_sample_size:.0}, and at least \
             {LEAST_EFFECTIVE} are needed; ask for a longer time, or for a split closer to the one that was logged."
        ),
        Refusal::FewUnits { units } => format!(
            "A version of this policy was given to about {units} units in this time, but at least {LEAST_UNITS} are \
             needed to see how much units differ; ask for a longer time."
        ),
        Refusal::LargeWeight { weight } => format!(
            "One prediction would count {weight:.0} times, but more than {MOST_WEIGHT} times is not accepted as evidence: \
             the policy prefers a version that was rarely chosen. Give that version more traffic first."
        ),
    };
    ApiError::new(ErrorCode::CannotEvaluate, detail)
}

fn wire(
    body: &EvaluateRequest,
    found: &Evaluation,
    range: TimeRange,
    now: Timestamp,
    weights: BTreeMap<String, f64>,
) -> EvaluateReply {
    let estimates = &found.estimates;
    let estimate = |value: f64, error: f64| Estimate {
        value,
        standard_error: error,
        interval: found
            .interval(value, error)
            .map_or_else(api::Interval::default, interval),
    };
    let dr = estimate(estimates.doubly_robust, estimates.doubly_robust_error);
    let within = match (dr.interval.lower, dr.interval.upper) {
        (Some(lower), Some(upper)) => format!("95 % interval {lower:.4} to {upper:.4}"),
        _ => format!(
            "no interval: the values of {} are all the same",
            body.metric
        ),
    };
    let what = match body.algorithm {
        Some(algorithm) => algorithm.as_str().to_owned(),
        None => "This split".to_owned(),
    };
    let updates = body.algorithm.map(|_| found.updates);
    let never = if updates == Some(0) {
        " The bandit never moved the weights: no period began with 100 predictions of every version; ask for a longer \
         time, or a shorter update_seconds."
    } else {
        ""
    };
    let summary = format!(
        "{what} would have earned {:.4} of {} per prediction ({within}); the log earned {:.4}.{never}",
        dr.value, body.metric, found.logged
    );
    EvaluateReply {
        name: body.name.clone(),
        metric: body.metric.clone(),
        summary,
        since: range.since.unwrap_or(now).to_string(),
        until: range.until.unwrap_or(now).to_string(),
        weights,
        updates,
        predictions: estimates.n as u64,
        without_support: found.without_support,
        effective_sample_size: estimates.effective_sample_size,
        largest_weight: estimates.largest_weight,
        logged: found.logged,
        log_lag: None,
        dr,
        snips: estimate(estimates.snips, estimates.snips_error),
        ips: estimate(estimates.ips, estimates.ips_error),
    }
}
