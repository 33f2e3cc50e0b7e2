//! Damage limits of rollouts: what `judge::limits` needs is counted in memory, as entries are journalled, and looked at
//! every ten seconds, and before a rollout could take a step. Where the rollback cannot be stored, the candidate gets no
//! calls until it is.

use crate::results;
use crate::snapshot::Model;
use crate::state::AppState;
use catalog::ExperimentDecision;
use judge::limits::{Limit, Met, SLOT, Units};
use judge::results::bad_units_differ;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::LogStore;
use types::{
    Actor, AtOnce, Decision, Evidence, EvidenceRule, Experiment, ExperimentDefinition,
    ExperimentId, ExperimentKey, Measured, MinuteEvidence, PredictionRecord, Timestamp,
};

/// Entries that are kept until it is known what came before them.
const MOST_WAITING: usize = 1 << 20;
/// How long it is waited for that; then only what comes from now on counts.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What a rollout meets.
pub(crate) struct Watch {
    key: ExperimentKey,
    id: ExperimentId,
    definition: ExperimentDefinition,
    /// The guardrails about what is known at once, by their places.
    guardrails: Vec<usize>,
    at_once: AtOnce,
    /// The candidate gets no calls.
    held: AtomicBool,
    /// What it has passed: it goes back by that, however long it takes to store it.
    passed: Mutex<Option<(usize, Limit)>>,
    counts: Mutex<Counts>,
    /// By guardrail, whether each bad request is of another unit, as the last look at the evidence found.
    differ: Vec<AtomicBool>,
}

enum Counts {
    /// The server has just started: what came before is still to be read.
    Waiting(Vec<Request>),
    /// By guardrail.
    Known {
        met: Vec<Met>,
        /// The candidate's bad requests by guardrail, and those of them that named a unit.
        bad: Vec<Bad>,
    },
}

/// Bad requests.
#[derive(Debug, Clone, Copy, Default)]
struct Bad {
    all: u64,
    named: u64,
}

/// One in so many bad requests may name a unit where they are taken as units of their own.
const FEW_NAMED: u64 = 20;

impl Bad {
    /// `differ` is whether the evidence says that each is of another unit.
    fn units(self, differ: bool) -> Units {
        if self.named * FEW_NAMED < self.all {
            Units::Own
        } else if differ {
            Units::Differ
        } else {
            Units::Return
        }
    }
}

/// A request of an arm.
#[derive(Debug, Clone)]
struct Request {
    position: u64,
    seconds: i64,
    /// The candidate's published share.
    share: f64,
    candidate: bool,
    /// The guardrails of which it is a bad event.
    bad: Vec<usize>,
    /// The unit that it named, by a hash, where it is a bad one of the candidate.
    unit: Option<u64>,
}

impl Watch {
    /// Of an experiment, where it is a rollout with limits; `known` where nothing has come before.
    pub(crate) fn of(experiment: &Experiment, known: bool) -> Option<Arc<Self>> {
        let definition = experiment.definition.clone();
        let limits = definition.policy.rollout()?.damage_limits;
        let guardrails: Vec<usize> = (0..definition.metrics.len())
            .filter(|at| {
                let metric = &definition.metrics[*at];
                let at_once = metric.rule() == EvidenceRule::Events;
                at_once && definition.guardrails.contains(&metric.name)
            })
            .collect();
        if !limits || guardrails.is_empty() {
            return None;
        }
        let counts = if known {
            Counts::none(&definition, &guardrails)
        } else {
            Counts::Waiting(Vec::new())
        };
        let differ = guardrails.iter().map(|_| AtomicBool::new(false)).collect();
        Some(Arc::new(Self {
            differ,
            key: experiment.key,
            id: experiment.id,
            at_once: AtOnce::of(&definition),
            definition,
            guardrails,
            held: AtomicBool::new(false),
            passed: Mutex::new(None),
            counts: Mutex::new(counts),
        }))
    }

    pub(crate) fn key(&self) -> ExperimentKey {
        self.key
    }

    /// The experiment as it is now.
    fn experiment(&self, state: &AppState) -> Option<Experiment> {
        let model = state.catalogue.state(&self.definition.name).ok()?;
        model.experiment(self.id).cloned()
    }

    /// Whether the candidate gets no calls, because a limit is passed and that cannot be stored yet.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    fn because(&self, at: usize, limit: Limit) -> String {
        let candidate = self.definition.arms[1].version.as_str();
        limit.say(candidate, self.definition.metrics[at].name.as_str())
    }

    /// The candidate gets no calls from now on.
    fn hold(&self, at: usize, limit: Limit) {
        if !self.held.swap(true, Ordering::Relaxed) {
            let because = self.because(at, limit);
            tracing::warn!(experiment = %self.id, limit = limit.as_str(), "{because}");
        }
    }

    /// Counts a request whose entry has a position.
    pub(crate) fn count(&self, position: u64, record: &PredictionRecord) {
        let arm = self.definition.arm(record.version);
        let (Some(arm), true) = (arm, record.experiment == Some(self.key)) else {
            return;
        };
        let measured = Measured {
            status: record.status(),
            latency_ns: record.outcome.latency_ns,
            confidence: None,
        };
        let candidate = arm > 0;
        let bad: Vec<usize> = self.at_once.bad(measured).collect();
        // Only whose the candidate's bad ones were is asked.
        let unit = record
            .unit_id
            .as_ref()
            .filter(|_| candidate && !bad.is_empty());
        let request = Request {
            position,
            seconds: record.made().seconds(),
            share: if candidate {
                record.propensity
            } else {
                1.0 - record.propensity
            },
            candidate,
            unit: unit.map(|unit| foldhash(unit.as_str())),
            bad,
        };
        match &mut *self.lock() {
            Counts::Waiting(waiting) if waiting.len() < MOST_WAITING => waiting.push(request),
            Counts::Waiting(_) => {}
            known @ Counts::Known { .. } => known.add(&self.guardrails, &request),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the database has up to a position; what has come after it is kept.
    fn take(
        &self,
        position: u64,
        minutes: &[MinuteEvidence],
        named_before: bool,
        began: Option<i64>,
        shares: impl Fn(i64) -> f64,
    ) {
        let mut counts = self.lock();
        let Counts::Waiting(waiting) = &mut *counts else {
            return;
        };
        let waiting = std::mem::take(waiting);
        let mut known = Counts::none(&self.definition, &self.guardrails);
        if let (Counts::Known { met, .. }, Some(began)) = (&mut known, began) {
            met.iter_mut().for_each(|met| met.began(began));
        }
        for minute in minutes {
            for (arm, of_arm) in minute.arms.iter().enumerate() {
                for (slot, sums) in (0..).zip(&of_arm.slots) {
                    let seconds = minute.minute * 60 + slot * SLOT;
                    let share = shares(minute.epoch);
                    let Counts::Known { met, bad } = &mut known else {
                        continue;
                    };
                    for ((met, counted), at) in met.iter_mut().zip(bad).zip(&self.guardrails) {
                        let (_, bad) = sums.of(*at);
                        met.add(seconds, share, arm > 0, sums.calls, bad);
                        let bad = if arm > 0 { bad } else { 0 };
                        counted.all += bad;
                        counted.named += if named_before { bad } else { 0 };
                    }
                }
            }
        }
        let later = waiting.iter().filter(|request| request.position > position);
        later.for_each(|request| known.add(&self.guardrails, request));
        *counts = known;
    }

    /// Takes from the evidence whether each bad request of the candidate is of another unit.
    pub(crate) fn tell(&self, evidence: &Evidence) {
        for (at, differ) in self.guardrails.iter().zip(&self.differ) {
            differ.store(bad_units_differ(evidence, (*at, 1)), Ordering::Relaxed);
        }
    }

    /// What it has passed, for people, where that is not stored yet.
    pub(crate) fn overdue(&self) -> Option<String> {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, limit) = (*passed).filter(|_| self.is_held())?;
        let name = &self.definition.name;
        Some(format!("{name}: rollback: {}", self.because(at, limit)))
    }

    /// What the evidence says is passed: it is held and goes back at the next look at the limits.
    pub(crate) fn pass(&self, at: usize, limit: Limit) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.get_or_insert((at, limit));
    }

    /// The guardrail of which a limit is passed at a moment, in seconds.
    fn passed(&self, now: i64) -> Option<(usize, Limit)> {
        let counts = self.lock();
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        if let (None, Counts::Known { met, bad }) = (*passed, &*counts) {
            let of_each = met.iter().zip(bad).zip(&self.differ).zip(&self.guardrails);
            *passed = of_each.into_iter().find_map(|(((met, bad), differ), at)| {
                let units = bad.units(differ.load(Ordering::Relaxed));
                Some((*at, met.passed(now, units)?))
            });
        }
        *passed
    }
}

fn foldhash(unit: &str) -> u64 {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
    BuildHasherDefault::<DefaultHasher>::new().hash_one(unit)
}

impl Counts {
    fn none(definition: &ExperimentDefinition, guardrails: &[usize]) -> Self {
        let tolerated = |at: &usize| definition.tolerated_ratio(&definition.metrics[*at]);
        Self::Known {
            bad: vec![Bad::default(); guardrails.len()],
            met: guardrails
                .iter()
                .map(|at| Met::new(tolerated(at)))
                .collect(),
        }
    }

    fn add(&mut self, guardrails: &[usize], request: &Request) {
        let Self::Known { met, bad: counted } = self else {
            return;
        };
        for ((met, counted), at) in met.iter_mut().zip(counted).zip(guardrails) {
            let bad = u64::from(request.bad.contains(at));
            met.add(request.seconds, request.share, request.candidate, 1, bad);
            if request.candidate {
                counted.all += bad;
                counted.named += if request.unit.is_some() { bad } else { 0 };
            }
            if let Some(unit) = request.unit.filter(|_| bad > 0 && request.candidate) {
                met.add_unit(request.seconds, unit);
            }
        }
    }
}

/// Reads what rollouts met before the start, and looks at the limits every ten seconds, for ever: whether the database can
/// be written or not.
pub(crate) async fn run(state: &AppState) {
    remember(state).await;
    let slot = Duration::from_secs(SLOT.unsigned_abs());
    let mut slots = tokio::time::interval(state.config.tick.min(slot));
    slots.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        slots.tick().await;
        look(state).await;
    }
}

/// Has every watch know what came before the start.
async fn remember(state: &AppState) {
    // What the journal holds is counted first.
    if state.log.catch_up(LONGEST_WAIT).await.is_err() {
        tracing::warn!("the log is still being counted: damage limits begin with what comes now");
    }
    for watch in state.snapshot.watches() {
        let known = async {
            let experiment = watch.experiment(state)?;
            let began = experiment.started_at.map(Timestamp::seconds);
            let evidence = state
                .store
                .evidence(experiment.clone(), state.clock.now())
                .await
                .ok()?;
            let (position, minutes) = state.store.minutes(experiment).await.ok()?;
            Some((evidence, position, minutes, began))
        };
        match known.await {
            Some((evidence, position, minutes, began)) => {
                let share = |epoch: i64| {
                    let found = evidence.epochs.iter().find(|known| known.epoch == epoch);
                    found.map_or(0.0, |epoch| epoch.shares[1])
                };
                let exposures = evidence.epochs.iter().flat_map(|epoch| &epoch.arms);
                let exposures = exposures.map(|arm| arm.exposures);
                let (all, units) = exposures.fold((0, 0), |(all, units), arm| {
                    (all + arm.predictions, units + arm.units)
                });
                // Who came back had a name.
                let named = all > units + units / FEW_NAMED;
                watch.take(position, &minutes, named, began, share);
            }
            None => watch.take(0, &[], false, None, |_| 0.0),
        }
    }
}

/// Looks once: who passes a limit goes back.
pub(crate) async fn look(state: &AppState) {
    let now = state.clock.now().seconds();
    let passed: Vec<_> = state
        .snapshot
        .watches()
        .into_iter()
        .filter_map(|watch| watch.passed(now).map(|(at, limit)| (watch, at, limit)))
        .collect();
    // Callers are not left on any of them while the others are written.
    for (watch, at, limit) in &passed {
        watch.hold(*at, *limit);
    }
    for (watch, at, limit) in passed {
        go_back(state, &watch, at, limit).await;
    }
}

async fn go_back(state: &AppState, watch: &Watch, at: usize, limit: Limit) {
    let definition = &watch.definition;
    let Some(experiment) = watch.experiment(state) else {
        return;
    };
    let because = watch.because(at, limit);
    let after = Experiment {
        status: Decision::RollBack.leads_to(),
        ..experiment.clone()
    };
    let decision = ExperimentDecision {
        id: experiment.id,
        revision: experiment.revision,
        decision: Decision::RollBack,
        by: Actor::Controller,
        reason: Some(because.clone()),
        because,
        progress: experiment.progress.clone(),
        scales: Vec::new(),
        limit: Some(limit.as_str().into()),
        evidence: results::or_null(state, after).await,
        look: None,
    };
    let name = definition.name.clone();
    match state.decide_all(vec![(name, decision)]).await {
        Ok(taken) => {
            for error in taken.into_iter().filter_map(Result::err) {
                // Somebody was faster: the next look decides anew.
                tracing::info!(experiment = %watch.id, error = error.to_string(), "not taken back by a limit");
            }
        }
        Err(error) => tracing::error!(
            %error, experiment = %watch.id, "a rollback cannot be stored: the candidate gets no calls until it is"
        ),
    }
}

/// The rollout of a model as its next snapshot watches it: what was counted stays.
pub(crate) fn next(
    running: Option<&Experiment>,
    last: Option<&Model>,
    known: bool,
) -> Option<Arc<Watch>> {
    let running = running?;
    let last = last.and_then(|last| last.watch.as_ref());
    let same = last.filter(|last| last.key() == running.key);
    same.cloned().or_else(|| Watch::of(running, known))
}
