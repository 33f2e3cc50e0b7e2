//! Experiments as callers see them.

use api::{Experiment, ExperimentArm, PhaseWord};
use types::{ArmRole, Hold, MetricName, Policy, Progress};

pub(crate) fn wire(experiment: &types::Experiment) -> Experiment {
    let definition = &experiment.definition;
    let names = |names: &[MetricName]| names.iter().map(ToString::to_string).collect();
    let arms = definition.arms.iter().zip(&experiment.shares).enumerate();
    let (rollout, bandit) = match &definition.policy {
        Policy::Fixed => (None, None),
        Policy::Rollout(settings) => (Some(settings.clone()), None),
        Policy::Bandit(settings) => (None, Some(settings.clone())),
    };
    Experiment {
        experiment: experiment.id.to_string(),
        name: definition.name.to_string(),
        title: definition.title.clone(),
        policy: match definition.policy {
            Policy::Fixed => api::Policy::Fixed,
            Policy::Rollout(_) => api::Policy::Rollout,
            Policy::Bandit(_) => api::Policy::Bandit,
        },
        rollout,
        bandit,
        status: experiment.status.into(),
        revision: experiment.revision,
        progress: progress(experiment),
        allowed: experiment.allowed().into_iter().map(Into::into).collect(),
        arms: arms
            .map(|(at, (arm, share))| ExperimentArm {
                model_id: arm.model_id.to_string(),
                version: arm.version.to_string(),
                role: ArmRole::of(at).into(),
                weight: arm.weight,
                share: *share,
            })
            .collect(),
        primary_metric: definition.primary_metric.to_string(),
        secondary_metrics: names(&definition.secondary_metrics),
        guardrails: names(&definition.guardrails),
        metrics: definition.metrics.iter().cloned().map(Into::into).collect(),
        alpha: definition.alpha,
        power: definition.power,
        minimum_detectable_effect: definition.minimum_detectable_effect,
        relative: definition.relative,
        planned_units: definition.planned_units,
        enrolment: definition.enrolment,
        audience: definition.audience.as_ref().map(ToString::to_string),
        dimensions: definition.dimensions.clone(),
        salt: definition.salt.clone(),
        slo_ms: definition.slo_ms,
        created_at: experiment.created_at.to_string(),
        starts_at: experiment.starts_at.map(|at| at.to_string()),
        started_at: experiment.started_at.map(|at| at.to_string()),
        ended_at: experiment.ended_at.map(|at| at.to_string()),
        end_reason: experiment.end_reason.clone(),
    }
}

fn progress(experiment: &types::Experiment) -> Option<api::Progress> {
    if experiment.status.has_ended() {
        return None;
    }
    let definition = &experiment.definition;
    let progress = experiment.progress.as_ref()?;
    let held = |held: Option<Hold>| held.filter(|_| !progress.is_paused());
    let phase = |held: Option<Hold>, otherwise: PhaseWord| {
        let phase = match held {
            _ if progress.is_paused() => PhaseWord::Paused,
            Some(_) => PhaseWord::Held,
            None => otherwise,
        };
        phase.into()
    };
    let version = |arm: &usize| definition.arms.get(*arm).map(|arm| arm.version.to_string());
    match (&definition.policy, progress) {
        (Policy::Rollout(settings), Progress::Rollout(rollout)) => {
            let soak = settings.soak_micros(rollout.step);
            let otherwise = if rollout.soaked_micros < soak {
                PhaseWord::Soaking
            } else {
                PhaseWord::Evaluating
            };
            Some(api::Progress {
                phase: phase(rollout.held, otherwise),
                held: held(rollout.held),
                step: Some(rollout.step + 1),
                steps: Some(settings.steps.len()),
                soaked_seconds: Some(rollout.soaked_micros as f64 / 1e6),
                soak_seconds: u64::try_from(soak / 1_000_000).ok(),
                units: Some(rollout.units),
                min_units: Some(rollout.min_units),
                waits_for: rollout.waits_for.clone(),
                seconds_left: seconds_left(rollout, soak),
                winner: None,
                dropped: Vec::new(),
            })
        }
        (_, Progress::Bandit(bandit)) => {
            let otherwise = match bandit.winner {
                Some(_) => PhaseWord::Decided,
                None => PhaseWord::Adapting,
            };
            Some(api::Progress {
                phase: phase(bandit.held, otherwise),
                held: held(bandit.held),
                step: None,
                steps: None,
                soaked_seconds: None,
                soak_seconds: None,
                units: None,
                min_units: None,
                waits_for: Vec::new(),
                seconds_left: None,
                winner: bandit.winner.as_ref().and_then(version),
                dropped: bandit.dropped.iter().filter_map(version).collect(),
            })
        }
        _ => None,
    }
}

/// How long a step is likely to last still, if units come as they did: of what is missing, the one that takes longer.
fn seconds_left(rollout: &types::RolloutProgress, soak: i64) -> Option<f64> {
    // Nobody knows when a proof is there, or a burst over.
    let unknown = [types::Wait::Proof, types::Wait::Burst];
    if unknown.iter().any(|wait| rollout.waits_for.contains(wait)) {
        return None;
    }
    let soaked = rollout.soaked_micros as f64 / 1e6;
    let to_soak = (soak as f64 / 1e6 - soaked).max(0.0);
    let missing = rollout.min_units.saturating_sub(rollout.units) as f64;
    if missing == 0.0 {
        return Some(to_soak);
    }
    // Sooner, a few units would say too much.
    let known = soaked >= 10.0 && rollout.units > 0;
    known.then(|| to_soak.max(missing * soaked / rollout.units as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::RolloutProgress;

    #[test]
    fn what_is_missing_longest_says_when() {
        let at = |soaked_seconds: i64, units, min_units| {
            let rollout = RolloutProgress {
                soaked_micros: soaked_seconds * 1_000_000,
                units,
                min_units,
                ..RolloutProgress::default()
            };
            seconds_left(&rollout, 600_000_000)
        };
        assert_eq!(at(100, 2500, 2500), Some(500.0));
        // 400 more units, at 5 in a second.
        assert_eq!(at(420, 2100, 2500), Some(180.0));
        assert_eq!(at(600, 2100, 2500).map(f64::round), Some(114.0));
        assert_eq!(at(700, 3000, 2500), Some(0.0));
        // Nothing is known yet.
        assert_eq!(at(1, 3, 2500), None);
        assert_eq!(at(600, 0, 2500), None);
    }
}
