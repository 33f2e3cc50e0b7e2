//! Plays whole experiments through the production judge under an invented world: seeded, so that
//! the same design gives the same answer on every machine, and pure but for the threads it runs on.
//!
//! Outcomes of units that arrive between two looks are drawn as sums, which is the same as drawing
//! each and adding up, and fast enough for ten thousand experiments.
#![warn(missing_docs)]

mod aa;
mod bandit;
mod cells;
mod changing;
mod fits;
mod hostile;
mod hostile_bandit;
mod law;
mod ledger;
#[cfg(test)]
mod logged;
mod method;
mod replay;
mod rollout;
mod run;
mod stage;
mod table;
mod users;
mod world;

pub use aa::{AaDesign, AaReport, simulate_aa};
pub use bandit::{BanditDesign, BanditReport, simulate_bandit};
pub use cells::{Hostile, hostile_cells};
pub use changing::{Course, HostileChange};
pub use hostile::{
    Delays, HostileFixed, HostileReport, HostileRollout, Trouble, declared, simulate_hostile,
};
pub use hostile_bandit::{HostileBandit, Reward};
pub use law::Law;
pub use method::Method;
pub use replay::ReplayedRollout;
pub use rollout::{RolloutDesign, RolloutReport, Rule, rollout_table, simulate_rollout};
pub use run::{Outcome, Report, simulate};
pub use table::{Cell, table};
pub use users::{HostileUsers, Worth};
pub use world::{Design, InvalidDesign};
