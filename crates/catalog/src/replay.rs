//! A state from its events.

use crate::event::Event;
use std::sync::Arc;
use types::{ModelName, ModelState, Progress, RuntimeSpec, StoredEvent, Version};

/// Why a state cannot be made from events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReplayed {
    /// An event is not of this form, or of a newer release.
    #[error("it cannot be read")]
    Unreadable,
    /// It is about something that is not there.
    #[error("it is about {0}, which is not there")]
    Unknown(String),
}

/// The state of a model after its events, oldest first.
///
/// # Errors
/// The place of an event that could not be applied, and why.
pub fn replay(name: ModelName, events: &[StoredEvent]) -> Result<ModelState, (usize, NotReplayed)> {
    let mut state = ModelState::new(name);
    for (place, stored) in events.iter().enumerate() {
        let version = stored.version.as_ref();
        let event = Event::read(&state.name, stored.action, version, &stored.detail);
        let applied = event
            .ok_or(NotReplayed::Unreadable)
            .and_then(|event| event.apply(&mut state, stored.at));
        applied.map_err(|error| (place, error))?;
    }
    Ok(state)
}

/// What differs between a state and the replay of its events, in words.
pub fn differences(stored: &ModelState, replayed: &ModelState) -> Vec<String> {
    let (stored, replayed) = (decided(stored), decided(replayed));
    let mut found = Vec::new();
    let mut compare = |what: &str, same: bool| {
        if !same {
            found.push(what.to_owned());
        }
    };
    compare("the number of changes", stored.changes == replayed.changes);
    compare("the revision", stored.revision == replayed.revision);
    compare("the epoch", stored.epoch == replayed.epoch);
    compare("the salt", stored.salt == replayed.salt);
    compare(
        "whether another version answers",
        stored.fallback == replayed.fallback,
    );
    let same = stored.versions.len() == replayed.versions.len();
    let mut versions = stored.versions.iter().zip(&replayed.versions);
    let differs = versions.find(|(stored, replayed)| !same_version(stored, replayed));
    match differs {
        Some((stored, _)) => compare(&format!("the version {}", stored.version), false),
        None => compare("which versions there are", same),
    }
    compare("the rules", stored.rules == replayed.rules);
    compare("what is kept", stored.privacy == replayed.privacy);
    compare(
        "how long predictions are kept",
        stored.retention == replayed.retention,
    );
    compare("the aliases", stored.aliases == replayed.aliases);
    compare("the metrics", stored.metrics == replayed.metrics);
    compare(
        "the experiments",
        stored.experiments == replayed.experiments,
    );
    found
}

/// What could not be read when the first event was written may be mended since.
fn same_version(stored: &Version, replayed: &Version) -> bool {
    let unknown = matches!(replayed.runtime, RuntimeSpec::Unreadable(_));
    if !unknown {
        return stored == replayed;
    }
    let known = |v: &Version| {
        (
            v.key,
            v.model_id,
            v.status,
            v.traffic_percent,
            v.activated_at,
        )
    };
    known(stored) == known(replayed)
}

/// A state without what only passes by.
fn decided(state: &ModelState) -> ModelState {
    let mut state = state.clone();
    for experiment in state.experiments.iter_mut().map(Arc::make_mut) {
        (experiment.history, experiment.verdict, experiment.decided) = (None, None, None);
        experiment.progress = experiment
            .progress
            .take()
            .map(Progress::without_observations);
    }
    state
}
