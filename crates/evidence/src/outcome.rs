//! What a prediction is worth for a metric, and what changes when it is made or a value comes for it.

use crate::bets::Coin;
use crate::exact::ExactSum;
use crate::unit::{Delta, Gain};
use smallvec::SmallVec;
use std::collections::HashMap;
use types::{
    BuiltIn, Combine, ExperimentDefinition, ExperimentKey, Measured, Metric, Missing, Per, Status,
    Timestamp, VersionKey,
};

/// A prediction's place in an experiment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exposure {
    /// The experiment.
    pub experiment: ExperimentKey,
    /// The epoch of the weights.
    pub epoch: i64,
    /// The version that was chosen.
    pub version: VersionKey,
    /// The number of its unit; `None` for a prediction that is a unit of its own.
    pub unit: Option<i64>,
    /// When it was made, in seconds.
    pub seconds: i64,
    /// The order of its id.
    pub order: u64,
}

impl Exposure {
    /// What one exposure of a kind adds to the sums of exposures; `new` is what is left to chance about its unit, where
    /// that was not exposed in the epoch before. Its first exposure in the experiment is counted as `value_units`, and
    /// a unit that is left out of bets as `values`.
    pub fn delta(status: Status, new: Option<Coin>) -> Delta {
        Delta {
            units: i64::from(new.is_some()),
            count: 1,
            value_units: i64::from(new == Some(Coin::Fresh)),
            values: i64::from(new == Some(Coin::LeftOut)),
            events: i64::from(status == Status::Fallback),
            ..Delta::default()
        }
    }
}

/// What a prediction is worth for a metric of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Outcome {
    /// Whether it counts.
    pub counts: bool,
    /// Its value, where it has one. One that counts without a value is a failure so far, and counts as 0.
    pub value: Option<f64>,
}

impl Outcome {
    /// Of a prediction, and of the value that feedback gave for the metric, where it has.
    pub fn of(
        definition: &ExperimentDefinition,
        metric: &Metric,
        measured: Measured,
        feedback: Option<f64>,
    ) -> Self {
        let value = if metric.from_feedback() {
            // The metric was declared otherwise since: the experiment counts what it was made for.
            feedback.filter(|value| metric.counts(*value))
        } else {
            let built_in = metric.built_in();
            built_in.and_then(|built_in| built_in_value(definition, built_in, measured))
        };
        Self {
            counts: value.is_some() || without_value(metric).is_some(),
            value,
        }
    }

    /// What it is worth so far, where it counts.
    pub fn worth(self) -> Option<f64> {
        self.counts.then(|| self.value.unwrap_or(0.0))
    }

    /// What has to be added so that what was worth `before` is worth this.
    fn since(self, before: Self, metric: &Metric) -> Gain {
        let mut sum = ExactSum::from(self.value.unwrap_or(0.0));
        sum.add(-before.value.unwrap_or(0.0));
        let is_bad = |outcome: Self| {
            let bad = outcome.value.is_some_and(|value| metric.is_bad(value));
            bad && metric.per == Per::Prediction
        };
        Gain {
            count: u64::from(self.counts && !before.counts),
            sum,
            before: before.worth(),
            after: self.value.unwrap_or(0.0),
            valued: self.value.is_some() && before.value.is_none(),
            bad: is_bad(self),
            was_bad: is_bad(before),
            counted_elsewhere: false,
            fresh: true,
            delay: 0,
        }
    }
}

/// What a prediction counts as while no value has come for it.
pub fn without_value(metric: &Metric) -> Option<f64> {
    (metric.from_feedback() && metric.missing != Missing::Excluded).then_some(0.0)
}

/// Feedback that came for a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Came {
    /// Its value now.
    pub value: f64,
    /// When that came.
    pub at: Timestamp,
    /// The value that an experiment took for the one in time.
    pub in_time: Option<f64>,
}

/// What a prediction was worth that became known at `known` and whose window has passed: what came within the window, or what
/// nothing counts as. One that was made elsewhere is known when it is told, and its feedback comes after that.
pub fn matured_worth(metric: &Metric, known: Timestamp, came: Option<Came>) -> Option<f64> {
    let window = i64::try_from(metric.window_seconds).unwrap_or(i64::MAX);
    let until = known
        .micros()
        .saturating_add(window.saturating_mul(1_000_000));
    let in_time = |came: Came| {
        let now = (window == 0 || came.at.micros() <= until).then_some(came.value);
        came.in_time.or(now)
    };
    let value = came.and_then(in_time).filter(|value| metric.counts(*value));
    value.or_else(|| without_value(metric))
}

/// A unit of the past.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct EarlierUnit {
    /// How many predictions it has.
    pub count: f64,
    /// The sum of their values.
    pub sum: f64,
    /// What was known of it before, where the metric has a covariate.
    pub covariate: Option<f64>,
}

impl EarlierUnit {
    /// The mean over its predictions.
    pub fn mean(&self) -> f64 {
        self.sum / self.count
    }
}

/// Units of the past, put together from their predictions.
#[derive(Debug, Default)]
pub struct UnitOutcomes {
    alone: Vec<EarlierUnit>,
    named: HashMap<i64, EarlierUnit>,
}

impl UnitOutcomes {
    /// Adds what a prediction is worth, of a named unit or of one of its own. Of a unit the covariate of the prediction that is
    /// added last stays.
    pub fn add(&mut self, unit: Option<i64>, worth: f64, covariate: Option<f64>) {
        let of_unit = match unit {
            None => {
                self.alone.push(EarlierUnit::default());
                self.alone.last_mut()
            }
            Some(unit) => Some(self.named.entry(unit).or_default()),
        };
        if let Some(unit) = of_unit {
            unit.count += 1.0;
            unit.sum += worth;
            unit.covariate = covariate;
        }
    }

    /// How many units there are.
    pub fn len(&self) -> usize {
        self.alone.len() + self.named.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, in no order.
    pub fn units(self) -> Vec<EarlierUnit> {
        let mut units = self.alone;
        units.extend(self.named.into_values());
        units
    }
}

/// Experiments of the first rules counted the confidence of whoever answered, also in place of the chosen version.
fn built_in_value(
    definition: &ExperimentDefinition,
    built_in: BuiltIn,
    measured: Measured,
) -> Option<f64> {
    let whoever = definition.evidence_rules == 0 && built_in == BuiltIn::Confidence;
    let measured = Measured {
        status: if whoever { Status::Ok } else { measured.status },
        ..measured
    };
    built_in.value_of(measured, definition.slo_ms)
}

/// What a prediction adds to its unit when it is made, by the place of the metric in the definition.
pub fn exposed(
    definition: &ExperimentDefinition,
    measured: Measured,
) -> SmallVec<[(usize, Gain); 8]> {
    let each = definition.metrics.iter().enumerate();
    let each = each.filter(|(_, metric)| metric.per == Per::Prediction);
    let gains = each.filter_map(|(at, metric)| {
        let outcome = Outcome::of(definition, metric, measured, None);
        let gain = || outcome.since(Outcome::default(), metric);
        outcome.counts.then(|| (at, gain()))
    });
    gains.collect()
}

/// What a value that came for a prediction, perhaps in place of an older one, adds to its unit; `None` where the
/// experiment does not count it.
pub fn valued(
    definition: &ExperimentDefinition,
    metric: &Metric,
    old: Option<f64>,
    new: f64,
) -> Option<Gain> {
    let before = Outcome::of(definition, metric, NOTHING, old);
    let after = Outcome::of(definition, metric, NOTHING, Some(new));
    after.value.is_some().then(|| after.since(before, metric))
}

/// An outcome of a unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Happened {
    /// When it happened, in microseconds.
    pub at: i64,
    /// When it was told, in microseconds.
    pub told: i64,
    /// Its value.
    pub value: f64,
}

impl Happened {
    /// Whether it happened when somebody says, in microseconds: the time of a clock that was ahead was taken for the one when
    /// it came. Where nobody says, any time is right.
    pub fn is_at(&self, given: Option<i64>) -> bool {
        given.is_none_or(|given| given.min(self.told) == self.at)
    }
}

/// What the outcomes of a unit make it worth for a metric per unit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct UnitWorth {
    /// The value; `None` where nothing has come.
    pub value: Option<f64>,
    /// The same of what was told before the window of the unit had passed: bets see no more.
    pub in_time: Option<f64>,
}

/// The outcomes of a unit within the window of its first exposure, put together so far.
#[derive(Debug, Clone, Default)]
pub struct Together {
    all: Combined,
    in_time: Combined,
}

impl Together {
    /// Of outcomes in the order in which they came, of a unit that was exposed first at `exposed`, in microseconds.
    pub fn of(metric: &Metric, exposed: i64, outcomes: &[Happened]) -> Self {
        let mut together = Self::default();
        for outcome in outcomes {
            together.add(metric, exposed, outcome);
        }
        together
    }

    /// Takes one more.
    pub fn add(&mut self, metric: &Metric, exposed: i64, outcome: &Happened) {
        let until = until(metric, exposed);
        if outcome.at <= exposed || outcome.at > until {
            return;
        }
        self.all.add(outcome);
        if outcome.told.div_euclid(SECOND) <= until.div_euclid(SECOND) {
            self.in_time.add(outcome);
        }
    }

    /// What they make the unit worth.
    pub fn worth(&self, metric: &Metric) -> UnitWorth {
        UnitWorth {
            value: self.all.value(metric.combine),
            in_time: self.in_time.value(metric.combine),
        }
    }
}

impl UnitWorth {
    /// Of the outcomes of a unit, in the order in which they came, that was exposed first at `exposed`, in microseconds.
    pub fn of(metric: &Metric, exposed: i64, outcomes: &[Happened]) -> Self {
        Together::of(metric, exposed, outcomes).worth(metric)
    }

    /// What bets see of it so far, where it counts.
    pub fn worth_in_time(self, metric: &Metric) -> Option<f64> {
        self.in_time
            .filter(|value| metric.counts(*value))
            .or_else(|| without_value(metric))
    }
}

/// A second, in microseconds.
const SECOND: i64 = 1_000_000;

/// When the window of a unit ends that was exposed first at `exposed`, in microseconds.
pub fn until(metric: &Metric, exposed: i64) -> i64 {
    let window = i64::try_from(metric.window_seconds).unwrap_or(i64::MAX);
    exposed.saturating_add(window.saturating_mul(SECOND))
}

/// Outcomes put together in every way.
#[derive(Debug, Clone, Default)]
struct Combined {
    count: u64,
    sum: ExactSum,
    any: bool,
    /// The one that happened last, and when; of two at once the one that came last.
    last: (i64, f64),
    max: f64,
}

impl Combined {
    fn add(&mut self, outcome: &Happened) {
        let value = outcome.value;
        self.max = match self.count {
            0 => value,
            _ => self.max.max(value),
        };
        if self.count == 0 || outcome.at >= self.last.0 {
            self.last = (outcome.at, value);
        }
        self.count += 1;
        self.sum.add(value);
        self.any |= value != 0.0;
    }

    fn value(&self, combine: Combine) -> Option<f64> {
        let value = match combine {
            Combine::Sum => self.sum.value(),
            Combine::Count => self.count as f64,
            Combine::Any => f64::from(self.any),
            Combine::Last => self.last.1,
            Combine::Max => self.max,
        };
        (self.count > 0).then_some(value)
    }
}

/// What a unit adds when it is exposed in an experiment for the first time, with what is known of its outcomes by then.
pub fn first_exposed(
    definition: &ExperimentDefinition,
    metric: &Metric,
    of_unit: UnitWorth,
) -> Option<Gain> {
    let outcome = Outcome::of(definition, metric, NOTHING, of_unit.value);
    outcome
        .counts
        .then(|| outcome.since(Outcome::default(), metric))
}

/// A metric of feedback needs to know nothing of the prediction.
const NOTHING: Measured = Measured {
    status: Status::Ok,
    latency_ns: None,
    confidence: None,
};

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Arm, MetricName, ModelId, ModelName, VersionName};

    fn definition(metrics: Vec<Metric>, rules: u32) -> ExperimentDefinition {
        let arm = |n: i64| Arm {
            key: VersionKey(n),
            model_id: ModelId::from_bits(n as u64),
            version: VersionName::parse(&n.to_string()).expect("a version"),
            weight: 1.0,
        };
        let name = ModelName::parse("m").expect("a name");
        ExperimentDefinition {
            evidence_rules: rules,
            ..ExperimentDefinition::new(name, vec![arm(1), arm(2)], metrics)
        }
    }

    fn clicked(missing: Missing) -> Metric {
        Metric {
            name: MetricName::parse("clicked").expect("a metric"),
            window_seconds: 60,
            missing,
            ..BuiltIn::Correct.metric()
        }
    }

    fn measured(status: Status) -> Measured {
        Measured {
            status,
            latency_ns: Some(2_000_000),
            confidence: Some(0.9),
        }
    }

    #[test]
    fn the_confidence_of_another_version_counts_by_the_first_rules_only() {
        for (rules, status, counted) in [
            (1, Status::Ok, Some(0.9)),
            (1, Status::Fallback, None),
            (0, Status::Ok, Some(0.9)),
            (0, Status::Fallback, Some(0.9)),
        ] {
            let definition = definition(vec![BuiltIn::Confidence.metric()], rules);
            let metric = &definition.metrics[0];
            let outcome = Outcome::of(&definition, metric, measured(status), None);
            assert_eq!(outcome.value, counted, "{rules} {status:?}");
            assert_eq!(
                exposed(&definition, measured(status)).len(),
                usize::from(counted.is_some())
            );
        }
    }

    #[test]
    fn a_value_counts_once_and_a_correction_adds_the_difference() {
        for missing in [Missing::Failure, Missing::Excluded] {
            let definition = definition(vec![clicked(missing)], 1);
            let metric = &definition.metrics[0];
            let made = exposed(&definition, measured(Status::Ok));
            let waits = missing == Missing::Failure;
            assert_eq!(made.len(), usize::from(waits));
            let first = valued(&definition, metric, None, 1.0).expect("it counts");
            assert_eq!(
                (first.count, first.valued, first.bad),
                (u64::from(!waits), true, false)
            );
            assert_eq!(first.sum, ExactSum::from(1.0));
            let second = valued(&definition, metric, Some(1.0), 0.0).expect("it counts");
            assert_eq!((second.count, second.valued, second.bad), (0, false, true));
            assert_eq!(second.sum, ExactSum::from(-1.0));
            assert_eq!(
                valued(&definition, metric, None, 0.5),
                None,
                "it is no click"
            );
        }
    }
}
