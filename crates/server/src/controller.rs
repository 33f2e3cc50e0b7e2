//! The controller: looks at every running experiment again and again, and moves what has to move. It
//! decides nothing: `judge` does.

use crate::state::AppState;
use crate::{experiments, results};
use judge::control::{Action, Look, Next, step};
use serde_json::Value;
use store::{Actor, CatalogError, ExperimentEnd, ExperimentEvent, ExperimentStep};
use tokio::time::MissedTickBehavior;
use types::{Evidence, Experiment, ExperimentStatus, Timestamp};

/// Ticks for ever. Evidence is valid at any time, so looking often costs nothing but the work.
pub(crate) async fn run(state: &AppState) {
    let mut ticks = tokio::time::interval(state.limits.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // What cannot be looked at stays as it is: that is no failure of a candidate, and no success.
        if let Err(error) = tick(state).await {
            tracing::warn!(%error, "experiments could not be looked at; their weights stay");
        }
    }
}

/// Looks once at every running experiment: one read, one write.
async fn tick(state: &AppState) -> Result<(), CatalogError> {
    let (began, now) = (tokio::time::Instant::now(), state.clock.now());
    for due in state.store.due_experiments(now).await? {
        // The reason why one cannot start is on its record; here only the store can have failed.
        if let Err(error) = experiments::start_due(state, &due).await {
            tracing::warn!(
                error = error.detail(),
                "a scheduled experiment could not be started"
            );
        }
    }
    let running = state.store.running_evidence(now).await?;
    if running.is_empty() {
        return Ok(());
    }
    let experiments = running.len();
    let judging = move || -> Vec<ExperimentStep> {
        let each = running.iter();
        each.filter_map(|(experiment, evidence)| look(experiment, evidence, now))
            .collect()
    };
    let steps = results::away(judging).await?;
    let changed = steps.len();
    let happened: Vec<String> = steps.iter().filter_map(told).collect();
    let moved = steps.iter().any(|step| step.event.is_some());
    let taken = if steps.is_empty() {
        Vec::new()
    } else {
        state.store.step_experiments(steps, now).await?
    };
    for done in taken {
        // Somebody was faster: the next look sees what they did.
        if let Err(error) = done {
            tracing::info!(%error, "a step was not taken");
        }
    }
    for what in happened {
        tracing::info!("{what}");
    }
    if moved {
        state.refresh().await?;
    }
    let micros = began.elapsed().as_micros();
    tracing::debug!(experiments, changed, micros, "looked at experiments");
    Ok(())
}

fn told(step: &ExperimentStep) -> Option<String> {
    let event = step.event.as_ref()?;
    Some(format!("experiment {}: {}", event.action, event.because))
}

/// The next step of an experiment; `None` where nothing changes.
fn look(experiment: &Experiment, evidence: &Evidence, now: Timestamp) -> Option<ExperimentStep> {
    let history = results::history_of(experiment);
    let judged = judge::results::results(experiment, evidence, &history, now);
    let next = step(&Look {
        experiment,
        evidence,
        results: &judged,
        now,
    });
    let verdict = judged.verdict.as_str();
    let before = experiment.verdict.as_deref().unwrap_or("keep_going");
    let mut event = event_of(&next, Actor::Controller, |status| {
        if status == ExperimentStatus::Running {
            return results::as_value(experiment, &judged, now);
        }
        // What has ended is spoken of as ended.
        let ended = Experiment {
            status,
            ..experiment.clone()
        };
        let judged = judge::results::results(&ended, evidence, &history, now);
        results::as_value(&ended, &judged, now)
    });
    if event.is_none() && verdict != before {
        event = Some(ExperimentEvent {
            action: "verdict",
            by: Actor::Controller,
            because: judged.summary.clone(),
            shares: None,
            end: None,
            evidence: results::as_value(experiment, &judged, now),
        });
    }
    let step = ExperimentStep {
        progress: next.progress,
        history: Some(results::history_text(&judged.history())),
        verdict: Some(verdict.to_owned()),
        event,
        ..ExperimentStep::staying(experiment)
    };
    let same = step.event.is_none()
        && step.progress == experiment.progress
        && step.history == experiment.history
        && step.verdict == experiment.verdict;
    (!same).then_some(step)
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
