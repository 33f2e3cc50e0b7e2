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

/// The value of a unit before it was exposed first at `exposed`, in microseconds: of the outcomes within the window before,
/// in the order in which they came.
pub fn before(metric: &Metric, exposed: i64, outcomes: &[Happened]) -> Option<f64> {
    let worth = UnitWorth::of(metric, began_before(metric, exposed), outcomes);
    let value = worth.value.filter(|value| metric.counts(*value));
    value.or_else(|| without_value(metric))
}

/// The value of a unit of the past before it was exposed first, where that is the covariate: of what had been told by then.
pub fn earlier_value(metric: &Metric, exposed: i64, outcomes: &[Happened]) -> Option<f64> {
    if metric.covariate != Some(Covariate::Before) {
        return None;
    }
    let told = outcomes.iter().filter(|outcome| outcome.told <= exposed);
    let told: Vec<Happened> = told.copied().collect();
    before(metric, exposed, &told)
}

/// When the window before an exposure began, in microseconds: outcomes after that, and not after the exposure, are of it.
pub fn began_before(metric: &Metric, exposed: i64) -> i64 {
    let window = i64::try_from(metric.window_seconds).unwrap_or(i64::MAX);
    exposed.saturating_sub(window.saturating_mul(1_000_000))
}
