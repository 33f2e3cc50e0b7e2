//! Evidence counted again from predictions and feedback, in the plainest way: what a writer adds up piece by piece must
//! come to the same.

use crate::exact::ExactSum;
use crate::outcome::{Exposure, Outcome};
use crate::unit::{Delta, cutoff, start_of};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use types::{ExperimentDefinition, Measured, Metric, VersionKey};

/// A unit of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// By the number of its `unit_id`.
    Named(i64),
    /// A prediction without a `unit_id`, by the order of its id.
    Own(u64),
}

/// A prediction of an experiment.
#[derive(Debug, Clone, Copy)]
pub struct Exposed {
    /// The epoch of the weights.
    pub epoch: i64,
    /// The version that was chosen.
    pub version: VersionKey,
    /// Whose it is.
    pub unit: Unit,
    /// When it was made, in seconds.
    pub seconds: i64,
    /// How it went.
    pub measured: Measured,
}

/// A value that came for a prediction.
#[derive(Debug, Clone, Copy)]
pub struct Given {
    /// The value.
    pub value: f64,
    /// It was counted as the first event of its unit, and stands as one.
    pub event: bool,
}

/// Where sums belong: an epoch, the version of an arm, and the place of a metric in the definition; without one they
/// are sums of exposures.
pub type Cell = (i64, VersionKey, Option<usize>);

/// What one unit gathered for one metric.
#[derive(Debug, Default)]
struct Gathered {
    count: u64,
    sum: ExactSum,
    values: i64,
}

/// Counts the evidence of one experiment.
#[derive(Debug)]
pub struct Recount {
    definition: Arc<ExperimentDefinition>,
    /// Only what has matured by then counts, in seconds; all where it is not said.
    matured_at: Option<i64>,
    /// The arm of each unit in each epoch: that of its first exposure there.
    arms: HashMap<(i64, Unit), VersionKey>,
    exposures: HashMap<(i64, VersionKey), Delta>,
    units: HashMap<(Cell, Unit), Gathered>,
    /// Whose first event of a metric was seen.
    had_event: HashSet<(usize, Unit)>,
    /// First events by metric.
    events: Vec<i64>,
}

impl Recount {
    /// Of everything, or of what has matured by a moment, in seconds.
    pub fn new(definition: Arc<ExperimentDefinition>, matured_at: Option<i64>) -> Self {
        Self {
            events: vec![0; definition.metrics.len()],
            definition,
            matured_at,
            arms: HashMap::new(),
            exposures: HashMap::new(),
            units: HashMap::new(),
            had_event: HashSet::new(),
        }
    }

    /// Counts a prediction, with what came for it by metric.
    pub fn add(&mut self, p: &Exposed, given: impl Fn(&Metric) -> Option<Given>) {
        let arms = self.arms.len();
        let arm = *self.arms.entry((p.epoch, p.unit)).or_insert(p.version);
        let new = self.arms.len() > arms;
        let exposures = self.exposures.entry((p.epoch, arm)).or_default();
        exposures.add(&Exposure::delta(p.measured.status, new));
        for (at, metric) in self.definition.metrics.iter().enumerate() {
            let given = given(metric);
            let feedback = given.map(|given| given.value);
            let outcome = Outcome::of(&self.definition, metric, p.measured, feedback);
            let first_event = if metric.from_feedback() {
                given.is_some_and(|given| given.event)
            } else {
                outcome.value.is_some_and(|value| metric.is_bad(value))
                    && self.had_event.insert((at, p.unit))
            };
            self.events[at] += i64::from(first_event);
            let matured = |now| start_of(metric, p.seconds) <= cutoff(metric, now);
            if outcome.counts && self.matured_at.is_none_or(matured) {
                let cell = (p.epoch, arm, Some(at));
                let gathered = self.units.entry((cell, p.unit)).or_default();
                gathered.count += 1;
                gathered.sum.add(outcome.value.unwrap_or(0.0));
                gathered.values += i64::from(outcome.value.is_some());
            }
        }
    }

    /// The sums over units, without events of metrics.
    pub fn sums(&self) -> HashMap<Cell, Delta> {
        let exposures = self.exposures.iter();
        let mut sums: HashMap<Cell, Delta> = exposures
            .map(|((epoch, arm), delta)| ((*epoch, *arm, None), delta.clone()))
            .collect();
        for ((cell, _), unit) in &self.units {
            let of_unit = Delta::of_unit(unit.count, &unit.sum, unit.values);
            sums.entry(*cell).or_default().add(&of_unit);
        }
        sums
    }

    /// How many units had an event, by the place of the metric.
    pub fn events(&self) -> &[i64] {
        &self.events
    }
}
