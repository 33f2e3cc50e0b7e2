//! What looks at experiments showed over time: the controller keeps a point now and then, for a chart. Nothing is decided by
//! them.

use crate::error::ApiResult;
use crate::experiments::require;
use crate::extract::ExperimentPath;
use crate::openapi::{path, problems};
use crate::state::AppState;
use api::{LookArm, LookPage, Looked};
use axum::Json as Reply;
use axum::extract::State;
use judge::results::Results;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use store::{LookPoint, ModelStore};
use types::{Experiment, ExperimentKey, Timestamp};

/// A point is kept when so much of the time since the start has passed since the last one: a chart of a day is as fine as
/// one of a year, and grows with the logarithm of the time.
const PART: i64 = 128;

/// When a point was kept last, by experiment.
#[derive(Default)]
pub(crate) struct Looks(Mutex<HashMap<ExperimentKey, Timestamp>>);

impl Looks {
    /// Which of the running experiments a point is due of.
    pub(crate) fn due<'a>(
        &self,
        running: impl Iterator<Item = &'a Experiment>,
        now: Timestamp,
    ) -> HashSet<ExperimentKey> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut due, mut known) = (HashSet::new(), HashSet::new());
        for experiment in running {
            known.insert(experiment.key);
            let age = experiment
                .started_at
                .map_or(0, |started| now.micros_since(started));
            let last = kept.get(&experiment.key);
            let is_due = last.is_none_or(|last| {
                // A clock that went back begins anew.
                now < *last || now.micros_since(*last) >= age / PART
            });
            if is_due {
                due.insert(experiment.key);
                kept.insert(experiment.key, now);
            }
        }
        kept.retain(|key, _| known.contains(key));
        due
    }

    /// Keeps points. What cannot be kept is missing from a chart, and nothing else.
    pub(crate) async fn keep(&self, state: &AppState, points: Vec<LookPoint>) {
        if points.is_empty() {
            return;
        }
        if let Err(error) = state.store.keep_points(points).await {
            tracing::warn!(%error, "what looks showed cannot be kept now");
        }
    }
}

/// What a look showed of the primary metric, by candidate.
pub(crate) fn point(experiment: &Experiment, judged: &Results, now: Timestamp) -> LookPoint {
    let finite = |value: f64| value.is_finite().then_some(value);
    let comparisons = judged.metrics.first().map(|metric| &metric.comparisons);
    let arms = comparisons.into_iter().flatten().map(|found| {
        let interval = found.sequential.interval;
        LookArm {
            version: experiment.definition.arms[found.arm].version.to_string(),
            units: found.sequential.units,
            difference: found.difference.and_then(finite),
            lower: interval.and_then(|interval| finite(interval.lower)),
            upper: interval.and_then(|interval| finite(interval.upper)),
            p: found.sequential.p,
        }
    });
    let regret = judged.regret(&experiment.definition);
    let shown = Looked {
        at: now.to_string(),
        arms: arms.collect(),
        shares: experiment.shares.clone(),
        regret: regret.map(|regret| regret.so_far),
        regret_of_equal_split: regret.map(|regret| regret.of_equal_split),
    };
    LookPoint {
        key: experiment.key,
        at: now,
        shown: serde_json::to_string(&shown).unwrap_or_default(),
    }
}

/// What looks at an experiment showed over time, of its primary metric: at most a point for each look, thinned out with time.
#[utoipa::path(
    get,
    path = "/experiments/{experiment}/history",
    tag = "experiments",
    params(path::Experiment),
    responses(
        (status = 200, description = "points, oldest first", body = LookPage),
        problems::NoExperiment,
        problems::Stored,
    ),
)]
pub(crate) async fn history(
    State(state): State<AppState>,
    ExperimentPath(id): ExperimentPath,
) -> ApiResult<Reply<LookPage>> {
    let experiment = require(&state, id).await?;
    let points = state.store.points(experiment.key).await?;
    let definition = &experiment.definition;
    Ok(Reply(LookPage {
        experiment: id.to_string(),
        metric: definition.primary_metric.to_string(),
        alpha: definition.alpha,
        looks: points
            .iter()
            .filter_map(|point| serde_json::from_str(&point.shown).ok())
            .collect(),
    }))
}
