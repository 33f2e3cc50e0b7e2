//! The scales of the epoch that opens, from outcomes in the log: `judge::scales` says by which rules.

use crate::state::AppState;
use judge::scales::{
    MIN_UNITS, WANTED, better, needs_scale, scale_of, waits_for_centre, waits_for_line,
    waits_for_scale,
};
use std::sync::Arc;
use store::{Earlier, LogStore, StoreError};
use types::{
    Decision, Experiment, ExperimentDefinition, ExperimentKey, ExperimentStatus, NoScale, Policy,
    Scale, Timestamp, VersionKey,
};

/// By metric, the scale of its bets.
type Scales = Vec<Option<Scale>>;

/// Of an experiment that starts: from what its control has done before.
pub(crate) async fn at_start(
    state: &AppState,
    definition: &ExperimentDefinition,
) -> Result<Scales, StoreError> {
    from_log(state, definition, &[]).await
}

/// Of the epoch that a decision opens, where it opens one. A rollout's are made anew, other experiments keep theirs.
pub(crate) async fn after(
    state: &AppState,
    experiment: &Experiment,
    decision: &Decision,
) -> Result<Scales, StoreError> {
    if decision.shares().is_none() {
        return Ok(Vec::new());
    }
    match experiment.definition.policy {
        Policy::Rollout(_) => from_log(state, &experiment.definition, &experiment.scales).await,
        Policy::Fixed | Policy::Bandit(_) => Ok(experiment.scales.clone()),
    }
}

/// From what the control has done; `known` stay where that tells none.
async fn from_log(
    state: &AppState,
    definition: &ExperimentDefinition,
    known: &[Option<Scale>],
) -> Result<Scales, StoreError> {
    let control = vec![definition.control().key];
    let now = state.clock.now();
    let shared = Arc::new(definition.clone());
    let mut scales = Vec::with_capacity(definition.metrics.len());
    for (at, metric) in definition.metrics.iter().enumerate() {
        let known = known.get(at).copied().flatten();
        if !needs_scale(metric) {
            scales.push(None);
            continue;
        }
        let found = found(state, &shared, at, (&control, None), now).await?.ok();
        // A line that is known is not lost where the log tells none.
        let keeps = |known: &Scale| {
            let has_line = found.is_some_and(|found| found.line.is_some());
            known.line.is_some() && !has_line
        };
        scales.push(known.filter(keeps).or(found).or(known));
    }
    Ok(scales)
}

/// The scales of a running experiment in which some are missing, where its first units, of all arms, tell one of those
/// now; those of an older release, which had none, from what its control has done.
pub(crate) async fn found_since(
    state: &AppState,
    experiment: &Experiment,
    units: impl Fn(usize) -> u64,
) -> Result<Option<Scales>, StoreError> {
    let definition = &experiment.definition;
    if experiment.scales.is_empty() {
        return from_log(state, definition, &[]).await.map(Some);
    }
    let mut scales = experiment.scales.clone();
    scales.resize(definition.metrics.len(), None);
    let mut some = false;
    let scales_of = experiment.scales.iter().copied().enumerate();
    let centres = scales_of.filter_map(|(at, scale)| {
        let metric = definition.metrics.get(at)?;
        let waits = waits_for_centre(definition, metric, scale?) || waits_for_line(metric, scale?);
        waits.then_some(at)
    });
    for at in missing(experiment).into_iter().chain(centres) {
        // What told none is asked again when there is a tenth more.
        if units(at) < MIN_UNITS as u64 || !state.try_scale((experiment.key, at), units(at)) {
            continue;
        }
        let found = of_first_units(state, experiment, at).await?;
        if let Ok(found) = found
            && let Some(scale) = better(found, scales[at])
        {
            scales[at] = Some(scale);
            some = true;
        }
    }
    Ok(some.then_some(scales))
}

/// The metrics of a running experiment whose scale is still to be found, by their places.
pub(crate) fn missing(experiment: &Experiment) -> Vec<usize> {
    let metrics = experiment.definition.metrics.iter().enumerate();
    let runs = experiment.status == ExperimentStatus::Running && !experiment.scales.is_empty();
    let missing = metrics.filter(|(at, metric)| {
        runs && waits_for_scale(metric) && experiment.scales.get(*at).copied().flatten().is_none()
    });
    missing.map(|(at, _)| at).collect()
}

/// What the first units of a running experiment tell of the scale of a metric.
pub(crate) async fn of_first_units(
    state: &AppState,
    experiment: &Experiment,
    at: usize,
) -> Result<Result<Scale, NoScale>, StoreError> {
    let definition = Arc::new(experiment.definition.clone());
    let arms: Vec<VersionKey> = definition.arms.iter().map(|arm| arm.key).collect();
    let now = state.clock.now();
    found(state, &definition, at, (&arms, Some(experiment.key)), now).await
}

async fn found(
    state: &AppState,
    definition: &Arc<ExperimentDefinition>,
    at: usize,
    (versions, experiment): (&[VersionKey], Option<ExperimentKey>),
    now: Timestamp,
) -> Result<Result<Scale, NoScale>, StoreError> {
    let query = Earlier {
        definition: Arc::clone(definition),
        metric: at,
        versions: versions.to_vec(),
        experiment,
        since: None,
        now,
        limit: WANTED,
    };
    let outcomes = state.store.earlier_outcomes(query).await?;
    Ok(scale_of(
        definition,
        &definition.metrics[at],
        &outcomes.means(),
        &outcomes.with_covariates(),
    ))
}
