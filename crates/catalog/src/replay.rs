//! A state from its events.

use crate::event::Event;
use types::{ModelName, ModelState, Progress, Timestamp, VersionName};

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

/// The state of a model after its events: when each happened, its action, the version it was done to, and its
/// detail.
///
/// # Errors
/// The place of an event that could not be applied, and why.
pub fn replay<'a>(
    name: ModelName,
    events: impl IntoIterator<Item = (Timestamp, &'a str, Option<&'a VersionName>, &'a str)>,
) -> Result<ModelState, (usize, NotReplayed)> {
    let mut state = ModelState::new(name);
    for (at_event, (at, action, version, detail)) in events.into_iter().enumerate() {
        let event = Event::read(&state.name, action, version, detail);
        let event = event.ok_or((at_event, NotReplayed::Unreadable))?;
        event
            .apply(&mut state, at)
            .map_err(|error| (at_event, error))?;
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
    compare("the versions", stored.versions == replayed.versions);
    compare("the aliases", stored.aliases == replayed.aliases);
    compare("the metrics", stored.metrics == replayed.metrics);
    compare(
        "the experiments",
        stored.experiments == replayed.experiments,
    );
    found
}

/// A state without what only passes by.
fn decided(state: &ModelState) -> ModelState {
    let mut state = state.clone();
    for experiment in &mut state.experiments {
        (experiment.history, experiment.verdict, experiment.decided) = (None, None, None);
        experiment.progress = experiment
            .progress
            .take()
            .map(Progress::without_observations);
    }
    state
}
