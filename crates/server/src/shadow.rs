//! Shadows: versions that get copies of a share of the requests, after those were answered. What they make of them is logged
//! beside the prediction that they mirror, and answers nobody.
//!
//! They take no place from those who wait: so many run at once, and what is beyond is not made up for, but counted.

use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, Json, ModelIdPath, Params};
use crate::models::{probe, require, version_in, wire};
use crate::openapi::{path, problems};
use crate::predict::Prediction;
use crate::predictions::range;
use crate::snapshot::Model;
use crate::state::AppState;
use api::{
    ExperimentShadow, SetShadow, ShadowBeside, ShadowPairs, ShadowReport, ShadowSide, Version,
};
use axum::Json as Reply;
use axum::extract::State;
use catalog::Command;
use journal::Frame;
use judge::mcnemar::Pairs;
use runtime::{Calling, RuntimeError, Turn};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::entry::encode_shadow;
use store::{LogStore, ShadowAnswer, ShadowPair, ShadowQuery, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use types::{
    Experiment, Input, KeptPart, LatencyHistogram, Outcome, Percent, PredictionId, ShadowRecord,
    Status, TimeRange, Timestamp, UnitId, VersionKey, labels,
};
use utoipa::IntoParams;

/// Copies that are answered at once, and those of one version: one that is slow leaves places to others.
const AT_ONCE: usize = 64;
const OF_ONE: usize = 16;
/// Pairs that a report is made of, the newest.
const REPORTED: usize = 100_000;
/// The same in the results of an experiment, which are read often.
const IN_RESULTS: usize = 10_000;

/// What shadows may take, and what was left out.
pub(crate) struct Shadows {
    places: Arc<Semaphore>,
    dropped: Mutex<HashMap<VersionKey, u64>>,
    under_way: Mutex<HashMap<VersionKey, usize>>,
}

/// A place for a copy of a version.
struct Place {
    state: AppState,
    version: VersionKey,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// A place, where there is one.
    fn take(state: &AppState, version: VersionKey) -> Option<Self> {
        let permit = Arc::clone(&state.shadows.places).try_acquire_owned().ok()?;
        let mut under_way = state
            .shadows
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = under_way.entry(version).or_default();
        if *count >= OF_ONE {
            return None;
        }
        *count += 1;
        drop(under_way);
        Some(Self {
            state: state.clone(),
            version,
            _permit: permit,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = self
            .state
            .shadows
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = under_way.get_mut(&self.version) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.version);
            }
        }
    }
}

impl Default for Shadows {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            dropped: Mutex::default(),
            under_way: Mutex::default(),
        }
    }
}

impl Shadows {
    /// Whether no copy is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.places.available_permits() == AT_ONCE
    }

    fn drop_one(&self, version: VersionKey) {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        *dropped.entry(version).or_default() += 1;
    }

    fn dropped(&self, version: VersionKey) -> u64 {
        let dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        dropped.get(&version).copied().unwrap_or_default()
    }
}

/// Sends copies of an answered request to the versions that get some.
pub(crate) fn mirror(state: &AppState, prediction: &Prediction) {
    let model = prediction.model();
    if !model.routes.has_shadows() {
        return;
    }
    for at in model.routes.shadows(prediction.chosen(), clock::random()) {
        let version = &model.traffic().versions[at];
        let place = Place::take(state, version.key);
        let (Some(place), true) = (place, model.is_callable(at)) else {
            state.shadows.drop_one(version.key);
            continue;
        };
        let copy = Copy {
            state: state.clone(),
            model: Arc::clone(model),
            at,
            input: prediction.input().clone(),
            mirrors: prediction.id(),
            unit: prediction.unit().cloned(),
        };
        state.spawn(async move {
            copy.run().await;
            drop(place);
        });
    }
}

/// A copy of a request.
struct Copy {
    state: AppState,
    model: Arc<Model>,
    /// The place of the version that gets it.
    at: usize,
    input: Input,
    mirrors: PredictionId,
    /// Who asked.
    unit: Option<UnitId>,
}

impl Copy {
    async fn run(self) {
        let Self {
            state,
            model,
            at,
            input,
            mirrors,
            unit,
        } = self;
        let (version, began) = (&model.traffic().versions[at], Instant::now());
        let called = async {
            let how = Calling {
                turn: Turn::InPlace,
                within: state.config.predict_timeout,
                has_full_time: false,
            };
            model.runtime(at)?.call(&input, how).await
        };
        let called = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(called)).await;
        let called = called.unwrap_or_else(|_| {
            state.count_panic();
            let why = "the runtime panicked".into();
            Err(RuntimeError::Failed(types::Failure::Panicked, why))
        });
        if matches!(called, Err(RuntimeError::Overloaded(_))) {
            // It was not called: it says nothing of the version.
            return state.shadows.drop_one(version.key);
        }
        let latency = began.elapsed();
        let (answer, error) = match called {
            Ok(output) => (Some((version.key, output)), None),
            Err(error) => (None, Some(error)),
        };
        let now = state.clock.now();
        let shadow = ShadowRecord {
            id: state.ids.next(now, clock::random()),
            version: version.key,
            share: version.shadow.get() / 100.0,
            mirrors,
            outcome: Outcome {
                answer,
                failure: error.as_ref().and_then(RuntimeError::failure),
                rejected: matches!(error, Some(RuntimeError::Rejected(_))),
                error: error.as_ref().map(ToString::to_string),
                latency_ns: Some(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX)),
                partial: None,
            },
            kept: KeptPart::Full,
        };
        let shadow = match &model.rules {
            None => shadow,
            Some(rules) => rules.of_shadow(&shadow, unit.as_ref().map(UnitId::as_str)),
        };
        let mut frame = Frame::default();
        encode_shadow(&shadow, now, frame.payload());
        let bytes = frame.payload().len() as u64;
        // Room is for answers first.
        let room = (bytes <= state.log.largest())
            .then(|| state.log.reserve_at_once(bytes))
            .flatten();
        let appended =
            room.is_some_and(|mut room| state.log.append_frame(&mut room, &mut frame).is_ok());
        if !appended {
            state.shadows.drop_one(version.key);
        }
    }
}

/// Sends a version copies of a share of its model's requests, after they were answered; 0 ends this.
#[utoipa::path(
    put,
    path = "/models/{model_id}/shadow",
    tag = "models",
    params(path::Version),
    request_body = SetShadow,
    responses(
        (status = 200, description = "the version", body = Version),
        problems::NoVersion,
        problems::NotReady,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn set(
    State(state): State<AppState>,
    ModelIdPath(id): ModelIdPath,
    Json(body): Json<SetShadow>,
) -> ApiResult<Reply<Version>> {
    let percent = Percent::new(body.percent);
    let percent = percent.map_err(|error| ApiError::field("/percent", error))?;
    let version = require(&state, id).await?;
    if percent > Percent::ZERO && !version.status.answers() {
        return Err(ApiError::new(
            api::ErrorCode::TransitionNotAllowed,
            "Only a version that is testing or active gets copies: set its status to `testing` with `PATCH /models/{model_id}` first.",
        ));
    }
    if percent > Percent::ZERO {
        probe(&state, &version).await?;
    }
    let after = state
        .command(&version.name, Command::SetShadow { id, percent })
        .await?;
    Ok(Reply(wire(&state, version_in(&after, id)?)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportParams {
    since: Option<String>,
    until: Option<String>,
}

/// Compares how a version answered its copies with what callers got: agreement, errors, confidence, latency, and, where
/// labels have come, who was right.
///
/// Of the newest 100,000 pairs. The test is McNemar's, for one look.
#[utoipa::path(
    get,
    path = "/models/{model_id}/shadow-report",
    tag = "models",
    params(path::Version, ReportParams),
    responses(
        (status = 200, description = "both sides, pair by pair", body = ShadowReport),
        problems::NoVersion,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn report(
    State(state): State<AppState>,
    ModelIdPath(id): ModelIdPath,
    Params(params): Params<ReportParams>,
) -> ApiResult<Reply<ShadowReport>> {
    let mut fields = Fields::default();
    let range = range(
        &mut fields,
        params.since.as_deref(),
        params.until.as_deref(),
    );
    let range = fields.finish(Some(range))?;
    let version = require(&state, id).await?;
    let _ = state.log.catch_up(Duration::from_secs(2)).await;
    let query = ShadowQuery {
        version: version.key,
        experiment: None,
        range,
        limit: REPORTED,
    };
    let pairs = state.store.shadow_pairs(query).await?;
    let model = state.snapshot.model(version.name.as_str());
    let by_version = model.map(|model| beside(&model, &pairs));
    Ok(Reply(ShadowReport {
        model_id: version.model_id.to_string(),
        model_version: version.version.to_string(),
        shadow_percent: version.shadow_percent.get(),
        dropped: state.shadows.dropped(version.key),
        all: summed(&pairs.iter().collect::<Vec<_>>()),
        by_version: by_version.unwrap_or_default(),
    }))
}

/// What versions made of copies of the requests of an experiment, beside each of its arms.
pub(crate) async fn of_experiment(
    state: &AppState,
    experiment: &Experiment,
) -> Result<Vec<ExperimentShadow>, StoreError> {
    let Some(model) = state.snapshot.model(experiment.definition.name.as_str()) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for (at, version) in model.traffic().versions.iter().enumerate() {
        let query = ShadowQuery {
            version: version.key,
            experiment: Some(experiment.key),
            range: TimeRange {
                since: experiment.started_at,
                until: None,
            },
            limit: IN_RESULTS,
        };
        let pairs = state.store.shadow_pairs(query).await?;
        let beside = beside(&model, &pairs).into_iter();
        found.extend(beside.map(|beside| ExperimentShadow {
            shadow_model_id: model.model_ids[at].clone(),
            shadow_version: version.version.to_string(),
            beside,
        }));
    }
    Ok(found)
}

/// Pairs by the version that was chosen for callers, in the order of the model's versions.
fn beside(model: &Model, pairs: &[ShadowPair]) -> Vec<ShadowBeside> {
    let mut of: BTreeMap<VersionKey, Vec<&ShadowPair>> = BTreeMap::new();
    for pair in pairs {
        of.entry(pair.chosen).or_default().push(pair);
    }
    let versions = model.traffic().versions.iter().zip(&model.model_ids);
    let found = versions.filter_map(|(version, model_id)| {
        let pairs = of.get(&version.key)?;
        Some(ShadowBeside {
            model_id: model_id.clone(),
            model_version: version.version.to_string(),
            pairs: summed(pairs),
        })
    });
    found.collect()
}

fn summed(pairs: &[&ShadowPair]) -> ShadowPairs {
    let (mut agreed, mut both_answered) = (0u64, 0u64);
    let mut labelled = Pairs::default();
    for pair in pairs {
        let (Some(answer), Some(shadow)) = (&pair.answer.prediction, &pair.shadow.prediction)
        else {
            continue;
        };
        let same = |a: &types::Json, b: &types::Json| labels::are_same(a.as_str(), b.as_str());
        both_answered += 1;
        agreed += u64::from(same(answer, shadow));
        if let Some(label) = &pair.label {
            match (same(answer, label), same(shadow, label)) {
                (true, true) => labelled.both += 1,
                (true, false) => labelled.first += 1,
                (false, true) => labelled.second += 1,
                (false, false) => labelled.neither += 1,
            }
        }
    }
    let time = |pair: &&ShadowPair| pair.mirrors.time();
    let interval = labelled.interval(0.05);
    ShadowPairs {
        pairs: pairs.len() as u64,
        oldest: pairs.last().map(time).map(|at: Timestamp| at.to_string()),
        both_answered,
        agreed,
        agreement: (both_answered > 0).then(|| agreed as f64 / both_answered as f64),
        answered: side(pairs.iter().map(|pair| &pair.answer)),
        shadow: side(pairs.iter().map(|pair| &pair.shadow)),
        labelled: labelled.count(),
        both_right: labelled.both,
        answer_alone_right: labelled.first,
        shadow_alone_right: labelled.second,
        neither_right: labelled.neither,
        accuracy_difference: labelled.difference(),
        accuracy_difference_interval: interval.map(|interval| [interval.lower, interval.upper]),
        p_value: (labelled.count() > 0).then(|| labelled.p_value()),
    }
}

fn side<'a>(answers: impl Iterator<Item = &'a ShadowAnswer>) -> ShadowSide {
    let mut side = ShadowSide::default();
    let (mut latency, mut sum, mut sure, mut count) = (LatencyHistogram::default(), 0.0, 0.0, 0u64);
    for answer in answers {
        match answer.status {
            Status::Ok => {}
            Status::Rejected => side.rejected += 1,
            Status::Error | Status::Fallback => side.errors += 1,
        }
        if let Some(nanoseconds) = answer
            .latency_ns
            .filter(|_| answer.status != Status::Rejected)
        {
            latency.add(nanoseconds);
            sum += nanoseconds as f64 / 1e6;
        }
        if let Some(confidence) = answer.confidence {
            sure += confidence;
            count += 1;
        }
    }
    let timed = latency.count();
    side.avg_confidence = (count > 0).then(|| sure / count as f64);
    side.avg_latency_ms = (timed > 0).then(|| sum / timed as f64);
    side.p50_latency_ms = latency.quantile(0.5).map(|latency| latency / 1e6);
    side.p99_latency_ms = latency.quantile(0.99).map(|latency| latency / 1e6);
    side
}
