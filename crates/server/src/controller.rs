//! The controller: looks at every running experiment again and again, and moves what has to move. It
//! decides nothing: `judge` does.

use crate::catalogue::CommandError;
use crate::experiments::start::start_due;
use crate::log::FRESH_WITHIN;
use crate::state::AppState;
use crate::{limits, looks, results, scales};
use api::LogLag;
use catalog::ExperimentDecision;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use judge::control::{Look, Next, step};
use judge::limits::Limit;
use judge::results::{History, Results, View, changes, needs_minutes, view};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use store::{Checkpoint, LogStore, LookPoint, ModelStore, StoreError};
use tokio::time::{Interval, MissedTickBehavior};
use types::{
    Actor, Decision, Evidence, Experiment, ExperimentKey, ExperimentStatus, LookRecord,
    MinuteEvidence, ModelName, Progress, Scale, Timestamp, VerdictKind,
};

/// Ticks for ever. Evidence is valid at any time, so looking often costs nothing but the work.
pub(crate) async fn run(state: &AppState) {
    let mut ticks = ticks(state);
    loop {
        ticks.tick().await;
        state.look_at_files().await;
        state.keep_uses().await;
        let began = tokio::time::Instant::now();
        // What cannot be looked at stays as it is: that is no failure of a candidate, and no success.
        match tick(state).await {
            Ok(()) => {
                let now = state.clock.now().micros();
                state.meters.ticked_at.store(now, Ordering::Relaxed);
            }
            Err(error) => {
                tracing::warn!(%error, "experiments could not be looked at; their weights stay");
            }
        }
        state.meters.tick.add(began.elapsed());
    }
}

/// Starts scheduled experiments when their time has come, for ever. Probing their versions may take long, so
/// this is not a part of the tick.
pub(crate) async fn start(state: &AppState) {
    let mut ticks = ticks(state);
    loop {
        ticks.tick().await;
        let due = state.store.due_experiments(state.clock.now()).await;
        let due = due.unwrap_or_else(|error| {
            tracing::warn!(%error, "scheduled experiments could not be read");
            Vec::new()
        });
        // Each for itself: the probes of one, which may hang, keep no other from starting.
        let start = async |experiment: Experiment| {
            // Why one cannot start is on its record; here only the store can have failed.
            if let Err(error) = start_due(state, &experiment).await {
                let error = error.detail();
                tracing::warn!(error, "a scheduled experiment could not be started");
            }
        };
        let all: FuturesUnordered<_> = due.into_iter().map(start).collect();
        all.collect::<()>().await;
    }
}

fn ticks(state: &AppState) -> Interval {
    let mut ticks = tokio::time::interval(state.config.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Looks once at every running experiment: one read, and a write where something is decided or seen.
pub(crate) async fn tick(state: &AppState) -> Result<(), StoreError> {
    let (began, now) = (tokio::time::Instant::now(), state.clock.now());
    // A change whose snapshot could not be made must not wait for the next change.
    if let Err(error) = state.publish_changed().await {
        tracing::error!(%error, "the routes are not what the catalogue says");
    }
    state.choose_default().await;
    limits::look(state).await;
    // Who looks wants to see everything that was answered; harm that is seen without it is acted on.
    let within = FRESH_WITHIN.max(state.config.tick / 4);
    let lag = state.log.catch_up(within).await.err();
    if let Some(lag) = lag {
        tracing::warn!(
            entries = lag.entries,
            "the log is still being counted: experiments may go back, and none goes on"
        );
    }
    let lag = lag.map(results::lag);
    // What came later than that is not counted: a window that ends there has not passed.
    let counted_until = lag
        .as_ref()
        .map_or(now, |lag| results::counted_until(now, lag));
    let running = state.store.running_evidence(counted_until).await?;
    if running.is_empty() {
        state.set_overdue(Vec::new());
        return Ok(());
    }
    let experiments = running.len();
    let mut readable = Vec::with_capacity(experiments);
    let watches = state.snapshot.watches();
    for found in running {
        match found {
            Ok((experiment, mut evidence)) => {
                match minutes(state, &experiment, &evidence).await {
                    Ok(None) => {}
                    Ok(minutes) => Arc::make_mut(&mut evidence).minutes = minutes,
                    Err(error) => {
                        tracing::warn!(%error, experiment = %experiment.id, "its minutes cannot be read now");
                        continue;
                    }
                }
                let watch = watches.iter().find(|watch| watch.key() == experiment.key);
                watch.inspect(|watch| watch.tell(&evidence));
                let scales = rescaled(state, &experiment, &evidence).await;
                readable.push((experiment, evidence, scales));
            }
            Err(error) => tracing::error!(%error, "an experiment cannot be read"),
        }
    }
    let due = state
        .looks
        .due(readable.iter().map(|(found, ..)| found), now);
    let judging = move || -> (Vec<Seen>, Vec<LookPoint>) {
        let (mut seen, mut points) = (Vec::new(), Vec::new());
        for (experiment, evidence, scales) in readable {
            let Some(look) = look_alone(&experiment, &evidence, scales, now, lag.as_ref()) else {
                continue;
            };
            seen.extend(look.seen);
            if due.contains(&experiment.key) {
                points.push(look.point);
            }
        }
        (seen, points)
    };
    let (seen, points) = results::away(judging).await?;
    let changed = seen.len();
    let limited = seen.iter().any(|seen| matches!(seen, Seen::Limit(..)));
    let taken = take(state, seen).await;
    if limited {
        limits::look(state).await;
    }
    state.looks.keep(state, points).await;
    taken?;
    let micros = began.elapsed().as_micros();
    tracing::debug!(experiments, changed, micros, "looked at experiments");
    Ok(())
}

/// The minutes of an experiment, where a guardrail needs them to decide.
pub(crate) async fn minutes(
    state: &AppState,
    experiment: &Experiment,
    evidence: &Evidence,
) -> Result<Option<Vec<MinuteEvidence>>, StoreError> {
    if !needs_minutes(&experiment.definition, evidence) {
        return Ok(None);
    }
    let (_, minutes) = state.store.minutes(experiment.clone()).await?;
    Ok(Some(minutes))
}

/// The scales of a new epoch, where some are missing and can be told now.
async fn rescaled(
    state: &AppState,
    experiment: &Experiment,
    evidence: &Evidence,
) -> Option<Vec<Option<Scale>>> {
    let units = |at: usize| -> u64 {
        let epochs = evidence.epochs.iter();
        let of = epochs.flat_map(|epoch| epoch.arms.iter().map(move |arm| arm.metrics[at].matured));
        of.filter(|sums| sums.total() != 0.0)
            .map(|sums| sums.units)
            .sum()
    };
    let found = scales::found_since(state, experiment, units).await;
    // The others are looked at all the same.
    found.unwrap_or_else(|error| {
        tracing::warn!(%error, experiment = %experiment.id, "no scale can be read now");
        None
    })
}

/// The same decisions, with the scales of the epochs that they open.
async fn with_scales(
    state: &AppState,
    mut steps: Vec<(ModelName, ExperimentDecision)>,
) -> Vec<(ModelName, ExperimentDecision)> {
    for (name, step) in &mut steps {
        // One that only sets scales has them; going back waits for nothing.
        if step.decision.shares().is_none() || matches!(step.decision, Decision::Rescale { .. }) {
            continue;
        }
        let known = state.catalogue.state(name).ok();
        let experiment = known.as_ref().and_then(|model| model.experiment(step.id));
        if let Some(experiment) = experiment {
            let found = scales::after(state, experiment, &step.decision).await;
            step.scales = found.unwrap_or_else(|error| {
                tracing::warn!(%error, experiment = %step.id, "scales stay as they are");
                experiment.scales.clone()
            });
        }
    }
    steps
}

/// What a look has led to.
enum Seen {
    /// Nothing but what it has shown.
    Checkpoint(Checkpoint),
    /// A decision.
    Decision(ModelName, Box<ExperimentDecision>),
    /// A damage limit, by the place of its guardrail.
    Limit(ExperimentKey, usize, Limit),
}

/// Takes the steps, which publishes what has moved, and keeps what the other looks have shown.
async fn take(state: &AppState, seen: Vec<Seen>) -> Result<(), StoreError> {
    let (mut checkpoints, mut steps, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for seen in seen {
        match seen {
            Seen::Checkpoint(checkpoint) => checkpoints.push(checkpoint),
            Seen::Decision(name, step) => {
                let what = step.decision.action();
                told.push(format!("{name}: {what}: {}", step.because));
                steps.push((name, *step));
            }
            Seen::Limit(key, at, limit) => {
                let watches = state.snapshot.watches();
                let watch = watches.iter().find(|watch| watch.key() == key);
                watch.inspect(|watch| watch.pass(at, limit));
            }
        }
    }
    let taken = if steps.is_empty() {
        Ok(Vec::new())
    } else {
        state.decide_all(with_scales(state, steps).await).await
    };
    let taken = taken.inspect_err(|_| state.set_overdue(told.clone()))?;
    let mut overdue = Vec::new();
    for (taken, what) in taken.into_iter().zip(told) {
        match taken {
            Ok(()) => tracing::info!("{what}"),
            // Somebody was faster, or a rule forbids it: the next look decides anew.
            Err(CommandError::Refused(refusal)) if !refusal.is_fault() => {
                tracing::info!(%refusal, "not done: {what}");
            }
            Err(error) => {
                tracing::error!(%error, "not done: {what}");
                overdue.push(what);
            }
        }
    }
    state.set_overdue(overdue);
    if !checkpoints.is_empty() {
        state.store.checkpoint(checkpoints).await?;
    }
    Ok(())
}

/// Why an experiment of a release without scales goes on in a new epoch.
const OF_AN_OLDER_RELEASE: &str = "This release compares by new rules, which need a scale that is fixed when an \
     epoch begins, so a new epoch begins with the same weights. Values that are known with the answer, and rates of \
     feedback that comes at its own time, are compared over all epochs; other values only from here on.";

/// Why an epoch begins whose scales the first units have told.
fn scales_are_known(experiment: &Experiment, scales: &[Option<Scale>]) -> String {
    let metrics = experiment.definition.metrics.iter();
    let each = metrics.zip(experiment.scales.iter().zip(scales));
    let (mut scale, mut rate, mut line) = (Vec::new(), Vec::new(), Vec::new());
    for (metric, (known, found)) in each {
        match (known, found) {
            (None, Some(_)) => scale.push(metric.name.as_str()),
            (Some(known), Some(found)) if known.line.is_none() && found.line.is_some() => {
                line.push(metric.name.as_str());
            }
            (Some(known), Some(found)) if known != found => rate.push(metric.name.as_str()),
            _ => {}
        }
    }
    let mut said = Vec::new();
    let mut say = |names: &[&str], what: &str| {
        if !names.is_empty() {
            said.push(format!("{} {what}", names.join(" and ")));
        }
    };
    say(
        &scale,
        "had no scale: units that came before do not count in its always-valid comparison",
    );
    say(
        &rate,
        "had no known base rate: units that came before count all the same",
    );
    say(
        &line,
        "had no line fitted through its covariate: units that came before count without it",
    );
    format!(
        "The first units have shown how to compare values, so a new epoch begins with the same weights: {}.",
        said.join("; ")
    )
}

/// A look that cannot keep others from being looked at.
fn look_alone(
    experiment: &Experiment,
    evidence: &Evidence,
    scales: Option<Vec<Option<Scale>>>,
    now: Timestamp,
    lag: Option<&LogLag>,
) -> Option<Looked> {
    let looking = AssertUnwindSafe(|| Some(look(experiment, evidence, scales, now, lag)));
    catch_unwind(looking).unwrap_or_else(|_| {
        tracing::error!(experiment = %experiment.id, "the judge failed");
        None
    })
}

/// What a look at an experiment leads to, and what it shows.
struct Looked {
    /// Nothing where nothing changes.
    seen: Option<Seen>,
    point: LookPoint,
}

fn look(
    experiment: &Experiment,
    evidence: &Evidence,
    scales: Option<Vec<Option<Scale>>>,
    now: Timestamp,
    lag: Option<&LogLag>,
) -> Looked {
    let history = results::history_of(experiment);
    let judged = view(experiment, evidence, &history, now, View::Deciding);
    let point = looks::point(experiment, &judged, now);
    let seen = led_to(experiment, evidence, scales, now, lag, (&history, judged));
    Looked { seen, point }
}

/// What a look leads to; `None` where nothing changes.
fn led_to(
    experiment: &Experiment,
    evidence: &Evidence,
    scales: Option<Vec<Option<Scale>>>,
    now: Timestamp,
    lag: Option<&LogLag>,
    (history, judged): (&History, Results),
) -> Option<Seen> {
    let next = step(&Look {
        experiment,
        evidence,
        results: &judged,
        now,
        complete: lag.is_none(),
    });
    if let Some((at, limit)) = next.limit {
        return Some(Seen::Limit(experiment.key, at, limit));
    }
    let verdict = judged.verdict.kind();
    let before = experiment.verdict.unwrap_or(VerdictKind::KeepGoing);
    // Where something happens, all that people are shown is on the record. What has ended is spoken of as
    // ended.
    let whole = |status| {
        let then = Experiment {
            status,
            ..experiment.clone()
        };
        let judged = judge::results::results(&then, evidence, history, now);
        let evidence = results::as_value(&then, &judged, now, lag.cloned());
        (judged.summary, evidence)
    };
    let shown = judged.history();
    let effect_changed = shown.has_new_change(history);
    // New weights can wait for a look, as there may be some at each; an arm that does harm cannot.
    let dropped = |progress: &Option<Progress>| match progress {
        Some(Progress::Bandit(bandit)) => bandit.dropped.len(),
        _ => 0,
    };
    let drops = dropped(&next.progress) > dropped(&experiment.progress);
    let next = match next.decision {
        Some(Decision::Reweigh { .. }) if effect_changed && !drops => Next {
            decision: None,
            progress: experiment.progress.clone(),
            ..next
        },
        _ => next,
    };
    // What another decision takes the turn of is told by the next look.
    let shown = match next.decision.is_some() || scales.is_some() {
        true => shown.without_new_changes(history),
        false => shown,
    };
    // A new epoch says nothing of a verdict.
    let only_rescales = next.decision.is_none() && scales.is_some();
    let look = LookRecord {
        history: results::history_text(&shown),
        // One thing is told at a time: a new verdict by the next look.
        verdict: if effect_changed || only_rescales {
            before
        } else {
            verdict
        },
    };
    let decided = match &next.decision {
        Some(decision) => {
            let (_, mut evidence) = whole(decision.leads_to());
            if let Decision::Reweigh { .. } = decision {
                results::leave_what_weights_are_made_of(&mut evidence);
            }
            Some((decision.clone(), next.because.clone(), evidence))
        }
        None if scales.is_some() => {
            let shares = experiment.shares.clone();
            let (_, evidence) = whole(ExperimentStatus::Running);
            let because = match &scales {
                Some(found) if !experiment.scales.is_empty() => scales_are_known(experiment, found),
                _ => OF_AN_OLDER_RELEASE.into(),
            };
            Some((Decision::Rescale { shares }, because, evidence))
        }
        None if effect_changed => {
            let (_, evidence) = whole(ExperimentStatus::Running);
            let because = changes(&experiment.definition, &judged).join(" ");
            Some((Decision::EffectChanged, because, evidence))
        }
        None if verdict != before => {
            let (because, evidence) = whole(ExperimentStatus::Running);
            Some((Decision::Verdict, because, evidence))
        }
        None => None,
    };
    if let Some((decision, because, evidence)) = decided {
        let ends = decision.leads_to().has_ended();
        let step = ExperimentDecision {
            id: experiment.id,
            revision: experiment.revision,
            decision,
            by: Actor::Controller,
            reason: ends.then(|| because.clone()),
            because,
            progress: next.progress,
            scales: scales.unwrap_or_default(),
            limit: None,
            evidence,
            look: Some(look),
        };
        return Some(Seen::Decision(
            experiment.definition.name.clone(),
            Box::new(step),
        ));
    }
    let same = next.progress == experiment.progress
        && Some(&look.history) == experiment.history.as_ref()
        && Some(look.verdict) == experiment.verdict;
    let checkpoint = Checkpoint {
        key: experiment.key,
        revision: experiment.revision,
        progress: next.progress,
        look,
    };
    (!same).then_some(Seen::Checkpoint(checkpoint))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use types::{
        Arm, ArmEvidence, BetSums, BuiltIn, DayEvidence, DaySums, EpochEvidence,
        ExperimentDefinition, ExperimentId, Exposures, MetricEvidence, MetricSums, ModelId,
        VersionKey, VersionName,
    };

    const DAY: i64 = 86_400_000_000;
    /// Units of each arm on a day.
    const UNITS: u64 = 500;

    /// An experiment of two versions on `correct`.
    pub(crate) fn running() -> Experiment {
        let arm = |at: i64| Arm {
            key: VersionKey(at),
            model_id: ModelId::from_bits(at as u64),
            version: VersionName::parse(&format!("{at}.0.0")).unwrap(),
            weight: 1.0,
        };
        let metrics = vec![BuiltIn::Correct.metric()];
        let name = ModelName::parse("m").unwrap();
        let definition = ExperimentDefinition::new(name, vec![arm(1), arm(2)], metrics);
        let (key, id) = (ExperimentKey(1), ExperimentId::from_bits(1));
        let start = Timestamp::from_micros(0);
        Experiment {
            scales: vec![Some(Scale::binary(0.1))],
            ..Experiment::draft(key, id, definition, start).running_since(start)
        }
    }

    /// Of the candidate so many units are right on each day; of the control one in ten.
    fn evidence(right: &[u64]) -> Evidence {
        let arm = |ones: u64| {
            let n = UNITS * right.len() as u64;
            let sum = ones as f64;
            let sums = MetricSums {
                units: n,
                count: n,
                sum,
                sum_squares: sum,
                sum_count_squares: n as f64,
                sum_products: sum,
                values: n,
                value_units: n,
                fresh_values: n,
                events: n - ones,
                ..MetricSums::default()
            };
            ArmEvidence {
                exposures: Exposures {
                    units: n,
                    first: n,
                    predictions: n,
                    ..Exposures::default()
                },
                metrics: vec![MetricEvidence {
                    matured: sums,
                    all: sums,
                    bets: BetSums::default(),
                    parts: Vec::new(),
                }],
            }
        };
        let of_day = |ones: u64| {
            vec![DaySums {
                units: UNITS,
                powers: [ones as f64; 3],
            }]
        };
        let days = (0..).zip(right).map(|(day, ones)| DayEvidence {
            day,
            arms: vec![of_day(UNITS / 10), of_day(*ones)],
        });
        let control = UNITS / 10 * right.len() as u64;
        Evidence {
            epochs: vec![EpochEvidence {
                epoch: 1,
                started_at: Timestamp::from_micros(0),
                shares: vec![0.5; 2],
                scales: vec![Some(Scale::binary(0.1))],
                arms: vec![arm(control), arm(right.iter().sum())],
                days: days.collect(),
            }],
            minutes: Some(Vec::new()),
            ..Evidence::default()
        }
    }

    #[test]
    fn an_effect_that_changes_is_told_once_and_the_verdict_after_it() {
        let mut experiment = running();
        let mut right = vec![100; 6];
        let mut told = Vec::new();
        for day in 6..14 {
            // Several looks a day.
            for hour in [1, 7, 13] {
                let now = Timestamp::from_micros(day * DAY + hour * DAY / 24);
                let looked = look(&experiment, &evidence(&right), None, now, None).seen;
                let look = match looked {
                    None => continue,
                    Some(Seen::Checkpoint(checkpoint)) => checkpoint.look,
                    Some(Seen::Decision(_, step)) => {
                        told.push((step.decision.action().to_string(), step.because.clone()));
                        step.look.unwrap()
                    }
                    Some(Seen::Limit(..)) => panic!("there is no limit"),
                };
                experiment.history = Some(look.history);
                experiment.verdict = Some(look.verdict);
            }
            right.push(0);
        }
        let actions: Vec<&str> = told.iter().map(|(action, _)| action.as_str()).collect();
        assert_eq!(
            actions,
            [
                "experiment.verdict",
                "experiment.effect_changed",
                "experiment.verdict"
            ],
            "{told:#?}"
        );
        assert!(
            told[0].1.contains("2.0.0 is better than 1.0.0"),
            "{told:#?}"
        );
        let changed = "+10 points for units that came until 1970-01-06, −10 points for those that came from 1970-01-07 on";
        assert!(told[1].1.contains(changed), "{told:#?}");
        assert!(told[2].1.contains("That claim ended at"), "{told:#?}");
    }

    #[test]
    fn a_change_is_told_after_a_decision_that_takes_its_turn_and_only_once() {
        let mut experiment = running();
        let mut right = vec![100; 6];
        right.extend([0; 3]);
        let now = Timestamp::from_micros(9 * DAY + DAY / 24);
        let changed = evidence(&right);
        // Scales that are new have the turn.
        let scales = Some(vec![Some(Scale::binary(0.2))]);
        let mut told = Vec::new();
        for (scales, corrected) in [(scales, false), (None, false), (None, true), (None, false)] {
            let steady = evidence(&[100; 9]);
            let seen = if corrected { &steady } else { &changed };
            let look = match look(&experiment, seen, scales, now, None).seen {
                None => continue,
                Some(Seen::Checkpoint(checkpoint)) => checkpoint.look,
                Some(Seen::Decision(_, step)) => {
                    told.push(step.decision.action().to_string());
                    step.look.unwrap()
                }
                Some(Seen::Limit(..)) => panic!("there is no limit"),
            };
            experiment.history = Some(look.history);
            experiment.verdict = Some(look.verdict);
        }
        let changes = told
            .iter()
            .filter(|told| *told == "experiment.effect_changed");
        assert_eq!(
            (told[0].as_str(), changes.count()),
            ("experiment.rescaled", 1),
            "{told:?}"
        );
    }
}
