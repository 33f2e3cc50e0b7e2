//! The rows that differ between two states.

use std::sync::Arc;
use types::{Experiment, ExperimentRow, ExperimentStatus, ModelState, Version, Write};

/// What has to be written so that rows of the one state become those of the next.
pub(crate) fn between(old: &ModelState, new: &ModelState) -> Vec<Write> {
    let mut writes = Vec::new();
    let counted = |state: &ModelState| (state.revision, state.epoch, state.fallback);
    let set = |state: &ModelState| {
        (
            state.rules.clone(),
            state.privacy.clone(),
            state.retention.clone(),
        )
    };
    if old.changes == 0 || counted(old) != counted(new) || set(old) != set(new) {
        writes.push(Write::Model {
            salt: new.salt.clone(),
            revision: new.revision,
            epoch: new.epoch,
            fallback: new.fallback,
            rules: new.rules.clone(),
            privacy: Box::new(new.privacy.clone()),
            retention: new.retention.clone(),
        });
    }
    versions(old, new, &mut writes);
    for (alias, _) in old
        .aliases
        .iter()
        .filter(|(a, _)| !new.aliases.contains_key(*a))
    {
        let (alias, version) = (alias.clone(), None);
        writes.push(Write::Alias { alias, version });
    }
    for (alias, version) in &new.aliases {
        if old.aliases.get(alias) != Some(version) {
            let (alias, version) = (alias.clone(), Some(*version));
            writes.push(Write::Alias { alias, version });
        }
    }
    for (metric, _) in old
        .metrics
        .iter()
        .filter(|(m, _)| !new.metrics.contains_key(*m))
    {
        let (metric, declared) = (metric.clone(), None);
        writes.push(Write::Metric { metric, declared });
    }
    for (metric, declared) in &new.metrics {
        if old.metrics.get(metric) != Some(declared) {
            let (metric, declared) = (metric.clone(), Some(Box::new(declared.clone())));
            writes.push(Write::Metric { metric, declared });
        }
    }
    experiments(old, new, &mut writes);
    writes
}

fn versions(old: &ModelState, new: &ModelState, writes: &mut Vec<Write>) {
    for before in &old.versions {
        if !new.versions.iter().any(|after| after.key == before.key) {
            writes.push(Write::DeleteVersion(before.key));
        }
    }
    for after in &new.versions {
        let before = old.versions.iter().find(|before| before.key == after.key);
        match before {
            None => writes.push(Write::NewVersion(Box::new(after.clone()))),
            Some(before) => writes.extend(version(before, after)),
        }
    }
}

/// Only what differs: what cannot be read of a row is not written over.
fn version(before: &Version, after: &Version) -> Vec<Write> {
    let mut writes = Vec::new();
    let weight = |v: &Version| (v.status, v.traffic_percent, v.activated_at);
    if weight(before) != weight(after) {
        writes.push(Write::Weight {
            key: after.key,
            status: after.status,
            traffic_percent: after.traffic_percent,
            activated_at: after.activated_at,
        });
    }
    if before.described != after.described {
        writes.push(Write::Described {
            key: after.key,
            described: after.described.clone(),
        });
    }
    if before.shadow_percent != after.shadow_percent {
        writes.push(Write::Shadow {
            key: after.key,
            percent: after.shadow_percent,
        });
    }
    if before.artifact != after.artifact {
        writes.extend(after.artifact.clone().map(|artifact| Write::Artifact {
            key: after.key,
            artifact,
        }));
    }
    writes
}

/// Both are in the order of their keys, and nearly all are the same.
fn experiments(old: &ModelState, new: &ModelState, writes: &mut Vec<Write>) {
    let mut before = old.experiments.iter().peekable();
    for after in &new.experiments {
        while let Some(gone) = before.next_if(|before| before.key < after.key) {
            writes.push(Write::DeleteExperiment(gone.key));
        }
        let Some(before) = before.next_if(|before| before.key == after.key) else {
            writes.push(Write::NewExperiment(Box::new((**after).clone())));
            continue;
        };
        if Arc::ptr_eq(before, after) || before == after {
            continue;
        }
        writes.push(experiment(after));
        // While one runs nothing else moves the weights.
        let began = before.status != after.status || old.epoch != new.epoch;
        if after.status == ExperimentStatus::Running && began {
            writes.push(Write::Epoch {
                experiment: after.key,
                epoch: new.epoch,
                shares: after.shares.clone(),
                scales: after.scales.clone(),
            });
        }
    }
    writes.extend(before.map(|gone| Write::DeleteExperiment(gone.key)));
}

fn experiment(experiment: &Experiment) -> Write {
    let promoted = experiment.status == ExperimentStatus::Promoted;
    let winner = experiment.shares.iter().position(|share| *share == 1.0);
    Write::Experiment(Box::new(ExperimentRow {
        key: experiment.key,
        status: experiment.status,
        revision: experiment.revision,
        starts_at: experiment.starts_at,
        started_at: experiment.started_at,
        ended_at: experiment.ended_at,
        end_reason: experiment.end_reason.clone(),
        winner: winner.filter(|_| promoted),
        progress: experiment.progress.clone(),
    }))
}
