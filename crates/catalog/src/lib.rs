//! What a command does to the state of a model, and whether it may.
//!
//! [`decide`] is a function of values: the state, the command and the time. What follows is a [`types::Change`]: a
//! few rows and one event. The next state is the event applied to the present one ([`Event::apply`]), and the
//! rows are what differs between both (and what a look has shown, and frozen results, which are no part of the
//! state), so a state always equals the replay of its events ([`replay`]).
//!
//! This crate knows nothing of storage, HTTP, async, clocks or randomness: ids, keys and salts come in with the
//! commands.
#![warn(missing_docs)]

mod command;
mod decide;
mod event;
mod form;
#[cfg(any(test, feature = "random"))]
pub mod random;
mod refusal;
mod replay;
mod settings;
#[cfg(test)]
mod tests;
mod writes;

pub use command::{Command, ExperimentDecision, NewVersion, Patch};
pub use decide::{Decided, decide, decide_by_takeover};
pub use event::{Event, Moved, Scales, Weights};
pub use refusal::Refusal;
pub use replay::{NotReplayed, differences, replay};
pub use settings::{
    DecidedSettings, SettingsCommand, administers, decide_settings, default_of, replay_settings,
};
