//! A rollout whose requests were drawn elsewhere: whether a simulation decides what a server decides.

use crate::ledger::Ledger;
use judge::limits::{Met, Units};
use types::{BuiltIn, Decision, ExperimentDefinition, Timestamp};

/// A rollout of a candidate over a control, on requests that are units of their own and fail or do not.
pub struct ReplayedRollout {
    ledger: Ledger,
    met: Met,
    /// The place of `error` among the metrics.
    error: Option<usize>,
    limits: bool,
}

impl ReplayedRollout {
    /// One that begins at the second 0, before which the control has no log.
    pub fn new(definition: ExperimentDefinition) -> Self {
        let name = BuiltIn::Error.metric().name;
        let error = definition.metrics.iter().position(|m| m.name == name);
        let limits = definition.policy.rollout();
        let limits = limits.is_some_and(|settings| settings.damage_limits);
        let log = vec![Vec::new(); definition.metrics.len()];
        let mut met = Met::new(1.0);
        met.began(0);
        Self {
            ledger: Ledger::new(definition, log),
            met,
            error,
            limits,
        }
    }

    /// A request at a second, of an arm.
    pub fn request(&mut self, at: i64, arm: usize, failed: bool) {
        let share = self.ledger.experiment.shares[1];
        self.ledger.expose(arm, 1, at);
        let (zeros, ones) = (u64::from(!failed), [1.0]);
        let others = &ones[..usize::from(failed)];
        if let Some(error) = self.error {
            self.ledger.worth(arm, error, at, zeros, others);
        }
        self.met.add(at, share, arm == 1, 1, u64::from(failed));
    }

    /// Looks at a second, and does what is decided.
    pub fn look(&mut self, at: i64) -> Option<Decision> {
        if self.limits && self.met.passed(at, Units::Own).is_some() {
            return Some(Decision::RollBack);
        }
        self.ledger
            .look(Timestamp::from_micros(at * 1_000_000))
            .decision
    }
}
