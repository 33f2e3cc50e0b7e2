//! The controller: looks at every running experiment again and again, and moves what has to move. It
//! decides nothing: `judge` does.

use crate::experiments::start::start_due;
use crate::log::FRESH_WITHIN;
use crate::results;
use crate::state::AppState;
use api::LogLag;
use judge::control::{Action, Look, Next, step};
use judge::results::{View, view};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use store::{Actor, CatalogError, ExperimentEnd, ExperimentEvent, ExperimentStep, LookRecord};
use tokio::time::{Interval, MissedTickBehavior};
use types::{Evidence, Experiment, ExperimentStatus, ModelName, Timestamp};

/// Ticks for ever. Evidence is valid at any time, so looking often costs nothing but the work.
pub(crate) async fn run(state: &AppState) {
    let mut ticks = ticks(state);
    loop {
        ticks.tick().await;
        // What cannot be looked at stays as it is: that is no failure of a candidate, and no success.
        if let Err(error) = tick(state).await {
            tracing::warn!(%error, "experiments could not be looked at; their weights stay");
        }
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
        for experiment in due {
            // Why one cannot start is on its record; here only the store can have failed.
            if let Err(error) = start_due(state, &experiment).await {
                let error = error.detail();
                tracing::warn!(error, "a scheduled experiment could not be started");
            }
        }
    }
}

fn ticks(state: &AppState) -> Interval {
    let mut ticks = tokio::time::interval(state.limits.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Looks once at every running experiment: one read, one write.
async fn tick(state: &AppState) -> Result<(), CatalogError> {
    let (began, now) = (tokio::time::Instant::now(), state.clock.now());
    // A change whose snapshot could not be made must not wait for the next change.
    if let Err(error) = state.publish_changed().await {
        tracing::error!(%error, "the routes are not what the catalogue says");
    }
    // Who looks wants to see everything that was answered; harm that is seen without it is acted on.
    let within = FRESH_WITHIN.max(state.limits.tick / 4);
    let lag = state.log.catch_up(within).await.err();
    if let Some(lag) = lag {
        tracing::warn!(
            entries = lag.entries,
            "the log is still being counted: experiments may go back, and none goes on"
        );
    }
    let lag = lag.map(results::lag);
    let running = state.store.running_evidence(now).await?;
    if running.is_empty() {
        state.set_overdue(Vec::new());
        return Ok(());
    }
    let experiments = running.len();
    let judging = move || -> Vec<(ExperimentStep, ModelName)> {
        let readable = running.into_iter().filter_map(|found| {
            let unreadable = |error| tracing::error!(%error, "an experiment cannot be read");
            found.map_err(unreadable).ok()
        });
        readable
            .filter_map(|(experiment, evidence)| {
                look_alone(&experiment, &evidence, now, lag.as_ref())
            })
            .collect()
    };
    let (steps, names): (Vec<ExperimentStep>, Vec<ModelName>) =
        results::away(judging).await?.into_iter().unzip();
    let changed = steps.len();
    take(state, steps, names, now).await?;
    let micros = began.elapsed().as_micros();
    tracing::debug!(experiments, changed, micros, "looked at experiments");
    Ok(())
}

/// Takes the steps, and publishes what has moved.
async fn take(
    state: &AppState,
    steps: Vec<ExperimentStep>,
    names: Vec<ModelName>,
    now: Timestamp,
) -> Result<(), CatalogError> {
    if steps.is_empty() {
        state.set_overdue(Vec::new());
        return Ok(());
    }
    let happened: Vec<Option<String>> = steps.iter().map(told).collect();
    let taken = match state.store.step_experiments(steps, now).await {
        Ok(taken) => taken,
        Err(error) => {
            let due = happened
                .into_iter()
                .zip(&names)
                .filter_map(|(what, name)| what.map(|what| format!("{name}: {what}")));
            state.set_overdue(due.collect());
            return Err(error);
        }
    };
    state.set_overdue(Vec::new());
    for ((taken, happened), name) in taken.into_iter().zip(happened).zip(names) {
        match (taken, happened) {
            // Somebody was faster: the next look sees what they did.
            (Err(error), _) => tracing::info!(%error, "a step was not taken"),
            (Ok(()), Some(what)) => {
                tracing::info!("{what}");
                state.publish(&name).await?;
            }
            (Ok(()), None) => {}
        }
    }
    Ok(())
}

/// A look that cannot keep others from being looked at.
fn look_alone(
    experiment: &Experiment,
    evidence: &Evidence,
    now: Timestamp,
    lag: Option<&LogLag>,
) -> Option<(ExperimentStep, ModelName)> {
    let looking = AssertUnwindSafe(|| look(experiment, evidence, now, lag));
    let step = catch_unwind(looking).unwrap_or_else(|_| {
        tracing::error!(experiment = %experiment.id, "the judge failed");
        None
    })?;
    let shares = step.event.as_ref().and_then(|event| event.shares.as_ref());
    let fits = |shares: &Vec<f64>| {
        let sum: f64 = shares.iter().sum();
        shares.iter().all(|share| *share >= 0.0) && (sum - 1.0).abs() < 1e-6
    };
    if shares.is_some_and(|shares| !fits(shares)) {
        tracing::error!(experiment = %experiment.id, ?shares, "shares that are none are not published");
        return None;
    }
    Some((step, experiment.definition.name.clone()))
}

fn told(step: &ExperimentStep) -> Option<String> {
    let event = step.event.as_ref()?;
    Some(format!("experiment {}: {}", event.action, event.because))
}

/// The next step of an experiment; `None` where nothing changes.
fn look(
    experiment: &Experiment,
    evidence: &Evidence,
    now: Timestamp,
    lag: Option<&LogLag>,
) -> Option<ExperimentStep> {
    let history = results::history_of(experiment);
    let judged = view(experiment, evidence, &history, now, View::Deciding);
    let next = step(&Look {
        experiment,
        evidence,
        results: &judged,
        now,
        complete: lag.is_none(),
    });
    let verdict = judged.verdict.as_str();
    let before = experiment.verdict.as_deref().unwrap_or("keep_going");
    // Where something happens, all that people are shown is on the record. What has ended is spoken of as
    // ended.
    let whole = |status| {
        let then = Experiment {
            status,
            ..experiment.clone()
        };
        let judged = judge::results::results(&then, evidence, &history, now);
        let evidence = results::as_value(&then, &judged, now, lag.cloned());
        (judged.summary, evidence)
    };
    let mut event = event_of(&next, Actor::Controller, |status| whole(status).1);
    if event.is_none() && verdict != before {
        let (because, evidence) = whole(ExperimentStatus::Running);
        event = Some(ExperimentEvent {
            action: "verdict",
            by: Actor::Controller,
            because,
            shares: None,
            end: None,
            evidence,
        });
    }
    let record = LookRecord {
        history: results::history_text(&judged.history()),
        verdict: verdict.to_owned(),
    };
    let same = event.is_none()
        && next.progress == experiment.progress
        && Some(&record.history) == experiment.history.as_ref()
        && Some(&record.verdict) == experiment.verdict.as_ref();
    (!same).then_some(ExperimentStep {
        progress: next.progress,
        look: Some(record),
        event,
        ..ExperimentStep::staying(experiment)
    })
}

/// What a decision leaves on the record. `evidence` is asked only where something happens, for the results
/// as they are with the status that follows.
pub(crate) fn event_of(
    next: &Next,
    by: Actor,
    evidence: impl FnOnce(ExperimentStatus) -> Value,
) -> Option<ExperimentEvent> {
    let action = next.action.as_ref()?;
    let (status, winner) = match action {
        Action::RollBack => (ExperimentStatus::RolledBack, 0),
        Action::Promote { arm } => (ExperimentStatus::Promoted, *arm),
        _ => (ExperimentStatus::Running, 0),
    };
    let evidence = evidence(status);
    let end = status.has_ended().then(|| ExperimentEnd {
        status,
        winner,
        reason: Some(next.because.clone()),
        decided: decided(&evidence),
    });
    Some(ExperimentEvent {
        action: action.as_str(),
        by,
        because: next.because.clone(),
        shares: action.shares().map(<[f64]>::to_vec),
        end,
        evidence,
    })
}

/// The results as they are kept with what has ended; none where the judge could not give any.
pub(crate) fn decided(evidence: &Value) -> Option<String> {
    (!evidence.is_null()).then(|| evidence.to_string())
}
