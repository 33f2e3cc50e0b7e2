//! `GET /experiments/{experiment}/results`: what the judge says of the evidence now.

use crate::controller::minutes;
use crate::error::ApiResult;
use crate::experiments::{never_started, require};
use crate::extract::ExperimentPath;
use crate::feedback::what_to_do;
use crate::log::{FRESH_WITHIN, Lag};
use crate::openapi::{path, problems};
use crate::scales;
use crate::shadow;
use crate::state::AppState;
use api::{
    Adaptive, AdaptiveEstimate, AdjustedBy, Bayesian, Comparison, DayEffect, EffectByDay,
    EffectChange, Events, Excluded, ExperimentResults, FeedbackCheck, FixedHorizon, Guard,
    Interval, LabelCheck, LogLag, MetricArm, MetricResults, Needed, OverWord, ResultArm,
    SampleRatio, SegmentComparison, SegmentMetric, SegmentResults, SegmentWord, Sequential,
    WindowCheck,
};
use axum::Json as Reply;
use axum::extract::State;
use judge::adaptive::{HONEST_FLOOR, LEAST_FLOOR};
use judge::results::{
    AdaptiveResult, Claimed, Corrected, History, Over, Results, SegmentResult, Shown, Verdict,
    begin, changes, end, results, segments,
};
use judge::words::significant;
use serde_json::Value;
use store::{LogStore, StoreError};
use types::{
    Algorithm, ArmRole, BanditSettings, EvidenceRule, Experiment, ExperimentDefinition, Metric,
    MetricKind, Per, Policy, Progress, Scale, SegmentOf, SequenceMethod, Timestamp,
};

/// What the evidence of an experiment says.
#[utoipa::path(
    get,
    path = "/experiments/{experiment}/results",
    tag = "experiments",
    params(path::Experiment),
    responses(
        (
            status = 200,
            description = "the verdict, and every number that it stands on",
            body = ExperimentResults,
        ),
        problems::NoExperiment,
        problems::WrongState,
        problems::Stored,
    ),
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    ExperimentPath(id): ExperimentPath,
) -> ApiResult<Reply<ExperimentResults>> {
    let experiment = require(&state, id).await?;
    if experiment.started_at.is_none() {
        return Err(never_started(id));
    }
    // Reading changes nothing: what looks have shown is kept by the ticks.
    judged(&state, experiment).await.map(Reply)
}

/// Waits for what was answered before; says how much is missing where that takes too long.
pub(crate) async fn fresh(state: &AppState) -> Option<LogLag> {
    state.log.catch_up(FRESH_WITHIN).await.err().map(lag)
}

/// The moment up to which everything that was answered is counted.
pub(crate) fn counted_until(now: Timestamp, lag: &LogLag) -> Timestamp {
    let micros = (lag.seconds * 1e6).ceil() as i64;
    Timestamp::from_micros(now.micros().saturating_sub(micros))
}

pub(crate) fn lag(lag: Lag) -> LogLag {
    LogLag {
        entries: lag.entries,
        seconds: lag.micros as f64 / 1e6,
    }
}

/// The judge's view of the evidence now: of everything that was answered, or it says how much is missing.
pub(crate) async fn judged(
    state: &AppState,
    experiment: Experiment,
) -> ApiResult<ExperimentResults> {
    let log_lag = fresh(state).await;
    let now = state.clock.now();
    let counted = log_lag.as_ref().map_or(now, |lag| counted_until(now, lag));
    let (experiment, judged) = judge(state, experiment, (now, counted)).await?;
    let segments = of_segments(state, &experiment, counted, judged.mislabelled()).await?;
    let shadows = shadow::of_experiment(state, &experiment).await?;
    let mut results = wire(&experiment, &judged, now);
    results.notes.extend(mismatches(state, &experiment).await?);
    Ok(ExperimentResults {
        log_lag,
        segments,
        shadows,
        ..results
    })
}

/// Labels that have come since the experiment began and can never equal what a version answers.
async fn mismatches(state: &AppState, experiment: &Experiment) -> Result<Vec<String>, StoreError> {
    let definition = &experiment.definition;
    let correct = types::BuiltIn::Correct.as_str();
    let (Some(started), Some(_)) = (experiment.started_at, definition.metric(correct)) else {
        return Ok(Vec::new());
    };
    let found = state.store.label_mismatches(started).await?;
    let notes = found.iter().filter_map(|found| {
        let arm = definition
            .arms
            .iter()
            .find(|arm| arm.key == found.version)?;
        Some(mismatch(found, arm.version.as_str()))
    });
    Ok(notes.collect())
}

/// Labels that can never equal what a version answers, in a sentence.
pub(crate) fn mismatch(found: &store::CountedMismatch, version: &str) -> String {
    let labels = match found.count {
        1 => "1 label".to_owned(),
        count => format!("{count} labels"),
    };
    format!(
        "{labels} for version {version} {} {}, where its answer has {}: they can never be equal. {}",
        if found.count == 1 { "has" } else { "have" },
        found.mismatch.label.with_article(),
        found.mismatch.prediction.with_article(),
        what_to_do(&found.mismatch)
    )
}

/// What the judge says of the segments, where the experiment has dimensions.
async fn of_segments(
    state: &AppState,
    experiment: &Experiment,
    now: Timestamp,
    mislabelled: Option<usize>,
) -> Result<Vec<SegmentResults>, StoreError> {
    if experiment.definition.dimensions.is_empty() {
        return Ok(Vec::new());
    }
    let evidence = state.store.segments(experiment.clone(), now).await?;
    let definition = experiment.definition.clone();
    away(move || {
        let judged = segments(&definition, &evidence, mislabelled);
        judged
            .into_iter()
            .map(|segment| wire_segment(&definition, segment))
            .collect()
    })
    .await
}

fn wire_segment(definition: &ExperimentDefinition, segment: SegmentResult) -> SegmentResults {
    let (kind, value) = match segment.of {
        SegmentOf::Value(value) => (SegmentWord::Value, Some(value)),
        SegmentOf::Other => (SegmentWord::Other, None),
        SegmentOf::None => (SegmentWord::None, None),
    };
    let comparison = |found: &judge::results::Comparison| SegmentComparison {
        version: definition.arms[found.arm].version.to_string(),
        difference: found.difference,
        interval: found.sequential.interval.map(interval),
        adjusted_p: found.sequential.adjusted_p,
        finding: found.finding.into(),
    };
    let metrics = definition.metrics.iter().zip(&segment.metrics);
    let metrics = metrics.map(|(metric, found)| SegmentMetric {
        metric: metric.name.to_string(),
        means: found.arms.iter().map(|arm| arm.mean).collect(),
        units: found.arms.iter().map(|arm| arm.units).collect(),
        comparisons: found.comparisons.iter().map(comparison).collect(),
    });
    SegmentResults {
        dimension: segment.dimension,
        kind: kind.into(),
        value,
        units: segment.units,
        metrics: metrics.collect(),
    }
}

async fn judge(
    state: &AppState,
    experiment: Experiment,
    (now, counted_until): (Timestamp, Timestamp),
) -> Result<(Experiment, Results), StoreError> {
    let mut evidence = state
        .store
        .evidence(experiment.clone(), counted_until)
        .await?;
    evidence.minutes = minutes(state, &experiment, &evidence).await?;
    let judging = move || {
        let history = history_of(&experiment);
        let judged = results(&experiment, &evidence, &history, now);
        (experiment, judged)
    };
    let (experiment, mut judged) = away(judging).await?;
    for at in scales::missing(&experiment) {
        // What is there so far, and what it takes.
        if let Err(why) = scales::of_first_units(state, &experiment, at).await? {
            judged.explain(&experiment, at, &why.to_string());
        }
    }
    Ok((experiment, judged))
}

/// The results as they are kept with what ends an experiment. A judge that fails must keep nobody from ending one.
pub(crate) async fn or_null(state: &AppState, ending: Experiment) -> Value {
    let judged = judged(state, ending).await;
    judged.map_or(Value::Null, |results| {
        serde_json::to_value(results).unwrap_or_default()
    })
}

/// Runs the judge away from the async threads: what takes milliseconds should keep no request waiting.
pub(crate) async fn away<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| StoreError::Unavailable(format!("the judge did not end: {error}")))
}

/// The results as they are kept with what was decided by them.
pub(crate) fn as_value(
    experiment: &Experiment,
    judged: &Results,
    now: Timestamp,
    log_lag: Option<LogLag>,
) -> Value {
    let results = ExperimentResults {
        log_lag,
        ..wire(experiment, judged, now)
    };
    serde_json::to_value(results).unwrap_or_default()
}

/// Of results only what the weights of a bandit are made of: its objective, by arm. A bandit decides every few minutes, and all that is
/// known of many arms and metrics would be half a megabyte each time.
pub(crate) fn leave_what_weights_are_made_of(results: &mut Value) {
    let Some(metrics) = results["metrics"].as_array_mut() else {
        return;
    };
    metrics.retain(|metric| metric["role"] == "primary");
    for metric in metrics {
        metric["comparisons"] = Value::Array(Vec::new());
    }
}

pub(crate) fn history_of(experiment: &Experiment) -> History {
    // What looks of an older release have shown stood on other rules.
    if experiment.scales.is_empty() {
        return History::default();
    }
    let stored = experiment.history.as_deref().unwrap_or("[]");
    let shown: Vec<api::Shown> = serde_json::from_str(stored).unwrap_or_else(|error| {
        tracing::warn!(%error, experiment = %experiment.id, "what was shown cannot be read");
        Vec::new()
    });
    let interval = |lower: Option<f64>, upper: Option<f64>| judge::Interval {
        lower: lower.unwrap_or(f64::NEG_INFINITY),
        upper: upper.unwrap_or(f64::INFINITY),
    };
    let shown = shown.into_iter().map(|shown| Shown {
        metric: shown.metric,
        arm: shown.arm,
        p: shown.p,
        more: shown.more,
        interval: (shown.lower.is_some() || shown.upper.is_some())
            .then(|| interval(shown.lower, shown.upper)),
        ln_e_harm: shown.ln_e_harm,
        claimed: shown.claimed.and_then(|claimed| {
            Some(Claimed {
                finding: claimed.finding.parse().ok()?,
                since: Timestamp::from_micros(claimed.since),
                until: claimed.until.map(|over| {
                    let why = match (over.why, over.difference) {
                        (OverWord::Changed, _) => Over::Changed,
                        (OverWord::Turned, difference) => Over::Turned(difference.unwrap_or(0.0)),
                        (OverWord::Corrected, _) => Over::Corrected,
                    };
                    (Timestamp::from_micros(over.at), why)
                }),
            })
        }),
        effect_changed: shown.effect_changed,
        corrected: Corrected {
            replaced: shown.replaced,
            tolerated: shown.tolerated,
        },
    });
    History(shown.collect())
}

pub(crate) fn history_text(history: &History) -> String {
    let stored = history.0.iter().map(|shown| {
        let ends = shown.interval.map(interval);
        api::Shown {
            metric: shown.metric,
            arm: shown.arm,
            p: shown.p,
            more: shown.more,
            lower: ends.and_then(|ends| ends.lower),
            upper: ends.and_then(|ends| ends.upper),
            ln_e_harm: shown.ln_e_harm,
            claimed: shown.claimed.map(|claimed| api::Claimed {
                finding: claimed.finding.as_str().to_owned(),
                since: claimed.since.micros(),
                until: claimed.until.map(|(at, why)| {
                    let (why, difference) = match why {
                        Over::Changed => (OverWord::Changed, None),
                        Over::Turned(difference) => (OverWord::Turned, Some(difference)),
                        Over::Corrected => (OverWord::Corrected, None),
                    };
                    api::Over {
                        at: at.micros(),
                        why,
                        difference,
                    }
                }),
            }),
            effect_changed: shown.effect_changed,
            replaced: shown.corrected.replaced,
            tolerated: shown.corrected.tolerated,
        }
    });
    let stored: Vec<api::Shown> = stored.collect();
    serde_json::to_string(&stored).expect("finite numbers are JSON")
}

fn wire(experiment: &Experiment, judged: &Results, now: Timestamp) -> ExperimentResults {
    let definition = &experiment.definition;
    let version = |arm: usize| definition.arms[arm].version.to_string();
    let verdict_version = match judged.verdict {
        Verdict::Winner { arm } | Verdict::GuardrailHarmed { arm, .. } => Some(version(arm)),
        _ => None,
    };
    let check = |check: &judge::results::FeedbackCheck| FeedbackCheck {
        metric: definition.metrics[check.metric].name.to_string(),
        version: version(check.arm),
        p: check.p,
        alarm: check.alarm,
    };
    let labels = |check: &judge::results::LabelCheck| LabelCheck {
        version: version(check.arm),
        unlike: check.unlike,
        labels: check.labels,
        prediction: check.mismatch.prediction.to_string(),
        label: check.mismatch.label.to_string(),
        alarm: check.alarm,
    };
    let window = |check: &judge::results::WindowCheck| WindowCheck {
        metric: definition.metrics[check.metric].name.to_string(),
        version: version(check.arm),
        held: check.held,
        timing_p: check.timing_p,
        timing_alarm: check.timing_alarm,
    };
    let metrics = 0..definition.metrics.len();
    let decided = experiment.decided.as_deref();
    ExperimentResults {
        experiment: experiment.id.to_string(),
        name: definition.name.to_string(),
        status: experiment.status.into(),
        as_of: now.to_string(),
        verdict: judged.verdict.kind().into(),
        verdict_version,
        summary: judged.summary.clone(),
        arms: arms(definition, &experiment.shares, judged),
        sample_ratio: SampleRatio {
            p: judged.sample_ratio.p,
            ln_e: judged.sample_ratio.ln_e,
            chi_square_p: judged.sample_ratio.chi_square_p,
            alarm: judged.sample_ratio.alarm,
        },
        feedback_checks: judged.feedback.iter().map(check).collect(),
        label_checks: judged.labels.iter().map(labels).collect(),
        window_checks: judged.windows.iter().map(window).collect(),
        metrics: metrics.map(|at| metric(definition, judged, at)).collect(),
        segments: Vec::new(),
        shadows: Vec::new(),
        excluded: excluded(definition, judged),
        notes: notes(experiment, judged),
        log_lag: None,
        decided: decided.and_then(|text| serde_json::from_str(text).ok()),
    }
}

fn arms(definition: &ExperimentDefinition, shares: &[f64], judged: &Results) -> Vec<ResultArm> {
    let arm = |(at, arm): (usize, &types::Arm)| ResultArm {
        model_id: arm.model_id.to_string(),
        version: arm.version.to_string(),
        role: ArmRole::of(at).into(),
        share: shares[at],
        units: judged.units[at],
        predictions: judged.predictions[at],
        fallbacks: judged.fallbacks[at],
    };
    definition.arms.iter().enumerate().map(arm).collect()
}

fn excluded(definition: &ExperimentDefinition, judged: &Results) -> Vec<Excluded> {
    let mut excluded = Vec::new();
    let mut add = |predictions: u64, reason: String| {
        if predictions > 0 {
            excluded.push(Excluded {
                predictions,
                reason,
            });
        }
    };
    add(
        judged.outside,
        "took no part: the request named a version, or its unit is not enrolled".into(),
    );
    let all: u64 = judged.predictions.iter().sum();
    for (metric, result) in definition.metrics.iter().zip(&judged.metrics) {
        let sum = |f: fn(&judge::results::ArmResult) -> u64| result.arms.iter().map(f).sum::<u64>();
        let (counted, immature) = (sum(|arm| arm.predictions), sum(|arm| arm.immature));
        let name = &metric.name;
        add(
            immature,
            format!(
                "have not matured: a value of {name} may come for {} seconds after the prediction, counted in steps \
                 of {} seconds",
                metric.window_seconds,
                metric.bucket_seconds().unwrap_or(0)
            ),
        );
        // A unit has one value of a metric per unit, however many predictions.
        if metric.per == Per::Unit {
            continue;
        }
        let without = all.saturating_sub(counted + immature);
        add(without, format!("have no value of {name}"));
    }
    excluded
}

/// By how much more of the traffic another arm must have than the winner, so that the weights are not only wandering.
const OVERTAKEN_BY: f64 = 0.1;

/// Whether a winner that was decided has less of the traffic than another arm now: weights follow what is remembered.
fn overtaken_note(experiment: &Experiment) -> Option<String> {
    let Some(Progress::Bandit(progress)) = &experiment.progress else {
        return None;
    };
    // The others give more to whatever is less certain, by design.
    let follows_the_best = match &experiment.definition.policy {
        Policy::Bandit(settings) => !matches!(
            settings.algorithm,
            Algorithm::TrackAndStop | Algorithm::TopTwo
        ),
        _ => true,
    };
    if !follows_the_best {
        return None;
    }
    let (winner, shares) = (progress.winner?, &experiment.shares);
    let by_share = |a: &usize, b: &usize| shares[*a].total_cmp(&shares[*b]);
    let first = (0..shares.len()).max_by(by_share)?;
    let is_overtaken = shares[first] > shares.get(winner)? + OVERTAKEN_BY;
    let name = |arm: usize| &experiment.definition.arms[arm].version;
    is_overtaken.then(|| {
        format!(
            "{} was decided to be the best arm, but {} has more of the traffic now. Either the arms have changed places since, \
             or the decision was wrong. It stands as long as the experiment runs: stop it, and begin another one.",
            name(winner),
            name(first)
        )
    })
}

fn notes(experiment: &Experiment, judged: &Results) -> Vec<String> {
    let definition = &experiment.definition;
    let mut notes = changes(definition, judged);
    for (metric, (replaced, late)) in definition.metrics.iter().zip(&judged.corrected) {
        let (name, seconds) = (&metric.name, metric.window_seconds);
        if *replaced > 0 {
            notes.push(format!(
                "Values of {name} that took the place of others: {replaced}. The means and all that is decided go by the new ones."
            ));
        }
        if *late > 0 {
            notes.push(format!(
                "Values of {name} that were corrected after their window ({seconds} s): {late}. The means have the new values, but \
                 intervals, p-values, guardrails and the verdict go by those that had come in time. Where corrections come \
                 that late, declare a longer window and begin another experiment."
            ));
        }
    }
    for check in &judged.windows {
        let (name, seconds) = {
            let metric = &definition.metrics[check.metric];
            (&metric.name, metric.window_seconds)
        };
        let version = &definition.arms[check.arm].version;
        if let Some(held) = check.held.filter(|held| *held < 0.99) {
            notes.push(format!(
                "The window of {name} ({seconds} s) holds only {:.1} % of the values of the slower arm ({version} or the \
                 control): declare a longer window, or late values are missing from comparisons.",
                100.0 * held
            ));
        }
        if check.timing_alarm {
            notes.push(format!(
                "Feedback on {name} does not take as long for {version} as for the control, so early results are \
                 not a fair comparison."
            ));
        }
    }
    for (metric, result) in definition.metrics.iter().zip(&judged.metrics) {
        // The summary or the guard says why nothing is compared yet.
        let compared = metric.rule() == EvidenceRule::Exposures && result.no_scale.is_none();
        let rests_on = |c: &judge::results::Comparison| {
            let of = result.arms[0].units + result.arms[c.arm].units;
            // Without units of both there is no comparison at all.
            let is_one = c.sequential.method != SequenceMethod::None;
            (compared && is_one && c.sequential.units < of).then_some((c.sequential.units, of))
        };
        if let Some((units, of)) = result.comparisons.iter().find_map(rests_on) {
            // What is known of a rate before it has a centre counts all the same.
            let before = match metric.kind {
                MetricKind::Binary => "",
                _ => "came before its scale was known, or ",
            };
            notes.push(format!(
                "The always-valid comparison of {} uses {units} of {of} units (a unit that comes back in a later \
                 epoch is counted there again). The others count only in the means: they {before}came back when \
                 their arm was no longer left to chance.",
                metric.name
            ));
        }
    }
    for (metric, result) in definition.metrics.iter().zip(&judged.metrics) {
        let nothing_fits = |c: &&judge::results::Comparison| {
            c.sequential.interval.is_none() && c.sequential.method != SequenceMethod::None
        };
        for found in result.comparisons.iter().filter(nothing_fits) {
            notes.push(format!(
                "There is no always-valid interval of {} for {}: the effect differs so much between epochs that no \
                 single difference fits all of them.",
                metric.name, definition.arms[found.arm].version
            ));
        }
    }
    if let Policy::Bandit(settings) = &definition.policy {
        notes.extend(floor_note(settings.floor(definition.arms.len())));
        notes.extend(memory_note(settings));
        notes.extend(overtaken_note(experiment));
        notes.extend(burn_in_note(experiment, settings, judged));
        let metrics = definition.metrics.iter().zip(&judged.metrics);
        notes.extend(
            metrics.filter_map(|(metric, result)| estimate_note(definition, metric, result)),
        );
        let metrics = definition.metrics.iter().zip(&experiment.scales);
        notes.extend(metrics.filter_map(|(metric, scale)| capped_note(definition, metric, *scale)));
    }
    notes
}

/// What the weights of a bandit wait for, where they do.
fn burn_in_note(
    experiment: &Experiment,
    settings: &BanditSettings,
    judged: &Results,
) -> Option<String> {
    let definition = &experiment.definition;
    let primary = &definition.primary_metric;
    let at = definition
        .metrics
        .iter()
        .position(|metric| metric.name == *primary)?;
    let dropped: &[usize] = match &experiment.progress {
        Some(Progress::Bandit(progress)) => &progress.dropped,
        _ => &[],
    };
    let arms = judged.metrics[at].arms.iter().enumerate();
    let arms = arms.filter(|(arm, _)| !dropped.contains(arm));
    let (fewest, found) = arms.min_by_key(|(_, found)| found.units)?;
    let waits = found.units < settings.burn_in_units && !experiment.status.has_ended();
    waits.then(|| {
        format!(
            "The weights do not follow the evidence yet: every version needs {} units with a value of {primary} (burn_in_units), \
             and {} has {}. A user who comes back is one unit.",
            settings.burn_in_units, definition.arms[fewest].version, found.units
        )
    })
}

/// Why a bandit has no estimate of a metric, where something has matured.
fn estimate_note(
    definition: &ExperimentDefinition,
    metric: &Metric,
    result: &judge::results::MetricResult,
) -> Option<String> {
    let estimated = result
        .adaptive
        .as_ref()
        .map_or(0, |found| found.comparisons.len());
    let unknown = |arm: usize| {
        let arms = result.adaptive.as_ref().map(|found| &found.arms);
        arms.is_none_or(|arms| arms[arm].is_none())
    };
    let unknown: Vec<usize> = (0..definition.arms.len())
        .filter(|arm| unknown(*arm))
        .collect();
    let missing = definition.keeps_parts(metric)
        && (estimated + 1 < definition.arms.len() || !unknown.is_empty());
    let matured = result.arms.iter().all(|arm| arm.units > 0);
    // With so many units it is not their number that is lacking.
    let are_many = unknown.iter().all(|arm| result.arms[*arm].units >= 30);
    (missing && matured).then(|| match &result.no_scale {
        Some(why) => format!("{} has no adaptive estimates yet: {why}.", metric.name),
        None if are_many && !unknown.is_empty() => {
            let named = unknown.iter().map(|arm| definition.arms[*arm].version.as_str());
            format!(
                "{} has no adaptive estimate for {}: its values are all the same so far, or come from too few users, and say nothing \
                 of how much they vary.",
                metric.name,
                named.collect::<Vec<_>>().join(" and ")
            )
        }
        None => format!(
            "{} does not have an adaptive estimate for every version yet: that takes about fifteen units of each, \
             with values that are not all the same.",
            metric.name
        ),
    })
}

/// What a bandit that forgets does, and what its estimates do not.
fn memory_note(settings: &BanditSettings) -> Option<String> {
    let forgets = match (settings.half_life_seconds, settings.window_seconds) {
        (Some(half_life), _) => {
            format!("evidence counts half after every {half_life} seconds")
        }
        (None, Some(window)) => format!("they follow only the last {window} seconds"),
        (None, None) => return None,
    };
    Some(format!(
        "The weights forget ({forgets}); the adaptive estimates do not: they are averages over the whole time."
    ))
}

/// What is learned of values that have a floor and a cap.
fn capped_note(
    definition: &ExperimentDefinition,
    metric: &Metric,
    scale: Option<Scale>,
) -> Option<String> {
    let scale = scale.filter(|_| metric.kind != MetricKind::Binary)?;
    let number = |value: f64| significant(value, 4);
    // A bandit learns its primary metric alone.
    let what = match definition.role(metric) {
        types::MetricRole::Primary => "the bandit learns and estimates",
        _ => "what is estimated is",
    };
    definition.keeps_parts(metric).then(|| {
        format!(
            "Values of {} are limited to the range from {} to {}: {what} the mean of the limited values. Set floor and cap of \
             the metric to change the range.",
            metric.name,
            number(scale.floor),
            number(scale.cap)
        )
    })
}

/// What a floor means for the intervals of a bandit.
fn floor_note(floor: f64) -> Option<String> {
    let percent = significant(100.0 * floor, 3);
    if floor < LEAST_FLOOR {
        Some(format!(
            "The floor of {percent} % is too low for reliable intervals: read the adaptive estimates as \
             approximate. They are reliable from 10 % on."
        ))
    } else if floor < HONEST_FLOOR {
        Some(format!(
            "At a floor of {percent} % the adaptive intervals may contain the true value a little less often than \
             stated; they are reliable from 10 % on."
        ))
    } else {
        None
    }
}

fn metric(definition: &ExperimentDefinition, judged: &Results, at: usize) -> MetricResults {
    let result = &judged.metrics[at];
    let arms = definition.arms.iter().zip(&result.arms);
    MetricResults {
        metric: definition.metrics[at].clone().into(),
        role: result.role.into(),
        arms: arms
            .map(|(arm, result)| MetricArm {
                version: arm.version.to_string(),
                units: result.units,
                predictions: result.predictions,
                immature: result.immature,
                missing: result.missing,
                events: result.events,
                mean: result.mean,
                interval: result.interval.map(interval),
                beyond: result.beyond,
            })
            .collect(),
        comparisons: result
            .comparisons
            .iter()
            .map(|c| comparison(definition, c))
            .collect(),
        adaptive: result.adaptive.as_ref().map(|a| adaptive(definition, a)),
    }
}

fn adaptive(definition: &ExperimentDefinition, judged: &AdaptiveResult) -> Adaptive {
    let estimate = |arm: usize, estimate, standard_error, ends| AdaptiveEstimate {
        version: definition.arms[arm].version.to_string(),
        estimate,
        standard_error,
        interval: interval(ends),
    };
    let arms = judged.arms.iter().enumerate();
    let differences = judged.comparisons.iter();
    Adaptive {
        arms: arms
            .filter_map(|(arm, a)| Some((arm, a.as_ref()?)))
            .map(|(arm, a)| estimate(arm, a.mean, a.error, a.interval))
            .collect(),
        differences: differences
            .map(|c| estimate(c.arm, c.difference, c.error, c.interval))
            .collect(),
    }
}

fn comparison(definition: &ExperimentDefinition, c: &judge::results::Comparison) -> Comparison {
    Comparison {
        version: definition.arms[c.arm].version.to_string(),
        finding: c.finding.into(),
        difference: c.difference,
        lift: c.lift,
        sequential: Sequential {
            interval: c.sequential.interval.map(interval),
            lift_interval: c.lift_interval.map(interval),
            p: c.sequential.p,
            adjusted_p: c.sequential.adjusted_p,
            ln_e: c.sequential.ln_e,
            method: c.sequential.method.into(),
            units: c.sequential.units,
        },
        fixed_horizon: c.fixed.map(|test| FixedHorizon {
            interval: interval(test.interval),
            p: test.p,
            statistic: test.statistic,
        }),
        bayesian: c.bayesian.map(|posterior| Bayesian {
            chance_to_win: posterior.chance_to_win,
            loss_candidate: posterior.loss_candidate,
            loss_control: posterior.loss_control,
        }),
        by_day: c.by_day.as_ref().map(by_day),
        covariate: c.covariate.map(|by| AdjustedBy {
            units: by.units,
            of: by.of,
            variance_reduction: by.variance_reduction,
        }),
        events: c.events.map(|events| Events {
            ln_e: events.ln_e,
            rate_ratio: interval(events.rate_ratio),
        }),
        guard: c.guard.as_ref().map(guard),
        ln_e_harm: c.ln_e_harm,
        needed: c.needed.map(|needed| Needed {
            units: needed.units,
            more: needed.more,
            days: needed.days,
            for_minimum_effect: needed.for_minimum_effect,
        }),
    }
}

fn by_day(found: &judge::results::EffectByDay) -> EffectByDay {
    let days = found.days.iter().map(|day| DayEffect {
        first: begin(day.from),
        last: end(day.to),
        units: [day.units.0, day.units.1],
        difference: day.difference,
        interval: interval(day.interval),
    });
    EffectByDay {
        days: days.collect(),
        ln_e: found.ln_e,
        change: found.change.map(|change| EffectChange {
            until: end(change.until),
            before: change.before,
            from: begin(change.from),
            after: change.after,
        }),
    }
}

fn guard(guard: &judge::results::Guard) -> Guard {
    let scale = guard.scale;
    Guard {
        rule: guard.rule.into(),
        docs: format!("docs/statistics.md#{}", guard.rule.as_str()),
        ln_e: guard.ln_e,
        line: guard.line,
        tolerated_ratio: guard.tolerated_ratio,
        floor: scale.map(|scale| scale.floor),
        cap: scale.map(|scale| scale.cap),
        units: guard.units,
        left_out: guard.left_out,
        silent: guard.silent.clone(),
        ln_e_with_bursts: guard.with_bursts,
        burst: guard.burst.clone(),
    }
}

pub(crate) fn interval(interval: judge::Interval) -> Interval {
    let end = |value: f64| value.is_finite().then_some(value);
    Interval {
        lower: end(interval.lower),
        upper: end(interval.upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::BanditProgress;

    #[test]
    fn a_winner_that_lost_the_traffic_is_spoken_of() {
        let experiment = crate::controller::tests::running();
        let said = |winner, shares: [f64; 2]| {
            let progress = BanditProgress {
                winner,
                ..BanditProgress::default()
            };
            overtaken_note(&Experiment {
                progress: Some(Progress::Bandit(progress)),
                shares: shares.to_vec(),
                ..experiment.clone()
            })
        };
        assert_eq!(said(None, [0.9, 0.1]), None);
        assert_eq!(said(Some(1), [0.1, 0.9]), None);
        assert_eq!(said(Some(1), [0.54, 0.46]), None);
        let note = said(Some(1), [0.8, 0.2]).unwrap();
        assert!(
            note.starts_with("2.0.0 was decided to be the best arm, but 1.0.0 has more"),
            "{note}"
        );
    }
}
