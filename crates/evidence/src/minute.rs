//! What an arm met in each minute: of guardrails about what is known at once.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use types::{ArmMinute, EvidenceRule, ExperimentDefinition, Measured};

/// Sums over the predictions of an arm in a minute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinuteSums {
    /// Predictions.
    pub calls: u64,
    /// By metric of the definition that had one: its place, first events of units, and predictions with an event.
    pub events: SmallVec<[(u32, u64, u64); 2]>,
}

impl MinuteSums {
    /// Counts events of a metric.
    pub fn add_events(&mut self, metric: usize, first: u64, bad: u64) {
        let place = u32::try_from(metric).unwrap_or(u32::MAX);
        match self.events.binary_search_by_key(&place, |event| event.0) {
            Ok(at) => {
                self.events[at].1 += first;
                self.events[at].2 += bad;
            }
            Err(at) => self.events.insert(at, (place, first, bad)),
        }
    }

    /// Adds what others have counted.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        for (metric, first, bad) in &other.events {
            self.add_events(*metric as usize, *first, *bad);
        }
    }

    /// The same by the place of each of so many metrics.
    pub fn by_metric(&self, metrics: usize) -> ArmMinute {
        let mut minute = ArmMinute {
            calls: self.calls,
            first: vec![0; metrics],
            bad: vec![0; metrics],
        };
        for (metric, first, bad) in &self.events {
            let at = *metric as usize;
            if at < metrics {
                (minute.first[at], minute.bad[at]) = (*first, *bad);
            }
        }
        minute
    }
}

/// The minute that a moment falls into, both since 1970.
pub fn minute_of(seconds: i64) -> i64 {
    seconds.div_euclid(60)
}

/// The metrics of which a prediction is a bad event that is known at once, by their places.
pub fn bad_at_once(definition: &ExperimentDefinition, measured: Measured) -> SmallVec<[usize; 3]> {
    let metrics = definition.metrics.iter().enumerate();
    let bad = metrics.filter(|(_, metric)| {
        let value = metric
            .built_in()
            .filter(|_| metric.rule() == EvidenceRule::Events)
            .and_then(|built_in| built_in.value_of(measured, definition.slo_ms));
        value.is_some_and(|value| metric.is_bad(value))
    });
    bad.map(|(at, _)| at).collect()
}
