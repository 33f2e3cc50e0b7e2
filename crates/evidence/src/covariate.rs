//! Covariates: what was known of a unit before it was exposed and goes with its value of a metric.

use crate::outcome::{Happened, UnitWorth, without_value};
use smallvec::SmallVec;
use types::{Attributes, Covariate, ExperimentDefinition, Metric};

/// The covariates of a unit, by the place of the metric; none where no metric of the experiment has one.
pub type Covariates = SmallVec<[Option<f64>; 4]>;

/// Those that attributes tell.
pub fn of_attributes(definition: &ExperimentDefinition, attributes: &Attributes) -> Covariates {
    if !definition.has_covariates() {
        return Covariates::new();
    }
    let metrics = definition.metrics.iter();
    metrics
        .map(|metric| covariate_of(metric, attributes))
        .collect()
}

/// The covariate of a metric, where an attribute is one.
pub fn covariate_of(metric: &Metric, attributes: &Attributes) -> Option<f64> {
    match &metric.covariate {
        Some(Covariate::Attribute(name)) => attributes.get(name)?.number(),
        Some(Covariate::Before) | None => None,
    }
}

/// The value of a unit before it was exposed first at `exposed`, in microseconds: of the outcomes within the window before that
/// were told at `known_by` or earlier, in the order in which they came. What is told later may be the arm's doing.
pub fn before(metric: &Metric, exposed: i64, known_by: i64, outcomes: &[Happened]) -> Option<f64> {
    let told = outcomes.iter().filter(|outcome| outcome.told <= known_by);
    let told: Vec<Happened> = told.copied().collect();
    let worth = UnitWorth::of(metric, began_before(metric, exposed), &told);
    let value = worth.value.filter(|value| metric.counts(*value));
    value.or_else(|| without_value(metric))
}

/// The value of a unit of the past before it was exposed first, where that is the covariate: of what had been told by then.
pub fn earlier_value(metric: &Metric, exposed: i64, outcomes: &[Happened]) -> Option<f64> {
    if metric.covariate != Some(Covariate::Before) {
        return None;
    }
    before(metric, exposed, exposed, outcomes)
}

/// When the window before an exposure began, in microseconds: outcomes after that, and not after the exposure, are of it.
pub fn began_before(metric: &Metric, exposed: i64) -> i64 {
    let window = i64::try_from(metric.window_seconds).unwrap_or(i64::MAX);
    exposed.saturating_sub(window.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{BuiltIn, Combine, Missing, Per};

    #[test]
    fn what_is_told_after_an_exposure_was_not_known_before_it() {
        let metric = Metric {
            window_seconds: 100,
            per: Per::Unit,
            combine: Combine::Sum,
            missing: Missing::Zero,
            covariate: Some(Covariate::Before),
            ..BuiltIn::Confidence.metric()
        };
        let metric = Metric {
            name: types::MetricName::parse("spent").unwrap(),
            ..metric
        };
        let happened = |at: i64, told: i64, value: f64| Happened {
            at: at * 1_000_000,
            told: told * 1_000_000,
            value,
        };
        let outcomes = [
            // Before the window, at its end, and after the exposure.
            happened(100, 100, 1.0),
            happened(101, 150, 2.0),
            happened(200, 200, 4.0),
            happened(201, 201, 8.0),
            // Before, and told after.
            happened(150, 201, 16.0),
            happened(150, 195, 32.0),
        ];
        let exposed = 200_000_000;
        assert_eq!(before(&metric, exposed, exposed, &outcomes), Some(38.0));
        // The version was asked for a while before.
        let decided = 190_000_000;
        assert_eq!(before(&metric, exposed, decided, &outcomes), Some(2.0));
        assert_eq!(before(&metric, exposed, 0, &outcomes), Some(0.0));
        assert_eq!(earlier_value(&metric, exposed, &outcomes), Some(38.0));
    }
}
