//! What is measured per prediction, with a direction. The same form is stored and sent, so these
//! types derive `Serialize`.

use crate::attribute::is_attribute_name;
use crate::{MetricName, Scale, Status};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// What values a metric has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// 0 or 1.
    Binary,
    /// Any number.
    Continuous,
    /// A whole number, 0 or more.
    Count,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better.
    Up,
    /// Less is better.
    Down,
}

/// What a prediction without feedback counts as, once it has matured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// A failure of a binary metric, which is a value of 0.
    Failure,
    /// A value of 0 of a count or another number: somebody who has bought nothing has spent 0.
    Zero,
    /// Nothing.
    Excluded,
}

/// Whose values a metric has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Each prediction's: they are sent for a prediction.
    #[default]
    Prediction,
    /// Each unit's: outcomes are sent for a unit, by whoever knows it.
    Unit,
}

/// How the outcomes of one unit become its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// Their sum.
    #[default]
    Sum,
    /// How many outcomes there are, whatever their values.
    Count,
    /// 1 if one of them is 1.
    Any,
    /// The one that happened last.
    Last,
    /// The greatest.
    Max,
}

/// What was known of a unit before it was exposed and goes with its value: a part of what units differ by that has nothing to
/// do with versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Covariate {
    /// A number (or true or false, as 1 or 0) among the attributes of its first exposure, by its name.
    Attribute(String),
    /// Its own value of the metric per unit, of the outcomes within a window before its first exposure that were told by
    /// then.
    Before,
}

impl<'de> Deserialize<'de> for Covariate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Word(String),
            Attribute(Attribute),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Attribute {
            attribute: String,
        }
        match Form::deserialize(deserializer) {
            Ok(Form::Attribute(Attribute { attribute })) => Ok(Self::Attribute(attribute)),
            Ok(Form::Word(word)) if word == "before" => Ok(Self::Before),
            _ => Err(D::Error::custom(InvalidMetric::CovariateName)),
        }
    }
}

impl fmt::Display for Covariate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(name) => f.write_str(name),
            Self::Before => f.write_str("its own value before"),
        }
    }
}

/// The longest window, in seconds: a year.
const MAX_WINDOW: u64 = 366 * 86_400;

/// The largest value, and the largest confidence: whole numbers up to here are exact, and sums of squares
/// over any number of predictions stay numbers.
pub const MAX_VALUE: f64 = 1e15;
/// Older releases took values up to here, and what they counted is counted again.
const MAX_COUNTED: f64 = 1e100;
/// The same for counts: 2^53.
const MAX_COUNT: f64 = 9_007_199_254_740_992.0;

/// A quantity per prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name within the model.
    pub name: MetricName,
    /// What values it has.
    pub kind: MetricKind,
    /// Which way is better.
    pub direction: Direction,
    /// How long after a prediction its value may arrive, in seconds. Predictions younger than this
    /// are left out of comparisons; with 0 every value counts at once.
    pub window_seconds: u64,
    /// The least value that is accepted.
    pub lower_bound: Option<f64>,
    /// The greatest value that is accepted.
    pub upper_bound: Option<f64>,
    /// What a matured prediction without a value counts as.
    pub missing: Missing,
    /// Values below count as this in comparisons. When left out it is found from values that the control had before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// Values above count as this in comparisons, so that one of them cannot decide. When left out it is found likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<f64>,
    /// Whose values they are.
    #[serde(default, skip_serializing_if = "is_default")]
    pub per: Per,
    /// How the outcomes of one unit become its value, where they are units'.
    #[serde(default, skip_serializing_if = "is_default")]
    pub combine: Combine,
    /// What makes comparisons sharper where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariate: Option<Covariate>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

crate::words! {
    /// How evidence on a metric is counted, so that it holds when values come late or users come back.
    pub enum EvidenceRule as "EvidenceRule" {
        /// Known at once: the first bad outcome of each unit.
        Events = "events",
        /// Values that come at their own time, or not at all: bad ones among those that have come.
        Arrivals = "arrivals",
        /// One number for each exposed unit, once its window has passed.
        Exposures = "exposures",
        /// The metric is shown but decides nothing: without a window it is unknown whether more values will
        /// come.
        None = "none",
    }
}

/// Why a metric cannot be declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetric {
    /// A built-in metric has this name.
    #[error("{0} is built in and needs no declaration")]
    BuiltIn(MetricName),
    /// The bounds are no numbers or in the wrong order.
    #[error("the bounds must be numbers, the lower one below the upper one")]
    Bounds,
    /// The window is too long.
    #[error("the window must be at most {MAX_WINDOW} seconds")]
    Window,
    /// A failure is the value 0, which is bad only where more is better.
    #[error("a missing value can count as a failure only for a binary metric with direction up")]
    NoFailure,
    /// Failure as the missing value needs a window, or nothing would ever be judged fairly.
    #[error(
        "a missing value can count as a failure or as zero only after a window: set window_seconds"
    )]
    NoWindow,
    /// A binary metric has failures, and a bound may forbid 0.
    #[error(
        "a missing value can count as zero only where the bounds hold 0; for a binary metric with direction up it is a failure"
    )]
    NoZero,
    /// Outcomes of a unit are looked for in a window after its first exposure.
    #[error(
        "a metric per unit needs window_seconds: how long after its first exposure the outcomes of a unit count"
    )]
    NoUnitWindow,
    /// Outcomes of this kind cannot be combined so.
    #[error(
        "a binary metric per unit combines by any, last or max, a count by sum, count, last or max, and a number by sum, last or max; a metric per prediction combines nothing"
    )]
    Combine,
    /// Floor and cap are no numbers or in the wrong order.
    #[error(
        "floor and cap must be numbers from -1e15 to 1e15, the floor below the cap and both within the bounds; a binary metric has none"
    )]
    Caps,
    /// No attribute has this name.
    #[error(
        "must be {{\"attribute\": NAME}} with the name of an attribute, as requests have them, or \"before\""
    )]
    CovariateName,
    /// Only a metric per unit has a value of the unit before its exposure.
    #[error(
        "\"before\" is the unit's own value before its first exposure: it needs a metric with per \"unit\""
    )]
    CovariateBefore,
    /// Evidence of such metrics is counts of events.
    #[error(
        "a covariate needs a metric that has one number for each unit: set window_seconds, and missing for a binary one"
    )]
    CovariateRule,
}

/// Why a value is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InvalidValue {
    /// It is not a number, or larger than any value may be.
    #[error("must be a number from -1e15 to 1e15")]
    NotFinite,
    /// A binary metric has two values.
    #[error("must be 0 or 1 (or false or true): the metric is binary")]
    NotBinary,
    /// A count is a whole number.
    #[error("must be a whole number from 0 to 1e15: the metric is a count")]
    NotCount,
    /// It is outside the declared bounds.
    #[error("must be {}: the bounds of the metric", between(*.0, *.1))]
    OutOfBounds(Option<f64>, Option<f64>),
}

/// Bounds as people say them.
fn between(lower: Option<f64>, upper: Option<f64>) -> String {
    match (lower, upper) {
        (Some(lower), Some(upper)) => format!("from {lower} to {upper}"),
        (Some(lower), None) => format!("at least {lower}"),
        (None, Some(upper)) => format!("at most {upper}"),
        (None, None) => "a number".into(),
    }
}

impl Metric {
    /// Checks a declaration by a person.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), InvalidMetric> {
        if BuiltIn::find(self.name.as_str()).is_some() {
            return Err(InvalidMetric::BuiltIn(self.name.clone()));
        }
        let bounds = [self.lower_bound, self.upper_bound];
        let ordered = match bounds {
            [Some(lower), Some(upper)] => lower < upper,
            _ => true,
        };
        if !ordered || bounds.iter().flatten().any(|bound| !bound.is_finite()) {
            return Err(InvalidMetric::Bounds);
        }
        if self.window_seconds > MAX_WINDOW {
            return Err(InvalidMetric::Window);
        }
        self.check_units()?;
        let can_fail = self.kind == MetricKind::Binary && self.direction == Direction::Up;
        if self.missing == Missing::Failure && !can_fail {
            return Err(InvalidMetric::NoFailure);
        }
        // Where less is better, nothing that came is the good outcome of a binary metric.
        let is_good = self.kind != MetricKind::Binary || self.direction == Direction::Down;
        let zero_fits = is_good && (self.adds_up() || self.check_counted(0.0).is_ok());
        if self.missing == Missing::Zero && !zero_fits {
            return Err(InvalidMetric::NoZero);
        }
        if self.missing != Missing::Excluded && self.window_seconds == 0 {
            return Err(InvalidMetric::NoWindow);
        }
        self.check_covariate()?;
        self.check_caps()
    }

    fn check_covariate(&self) -> Result<(), InvalidMetric> {
        match &self.covariate {
            None => Ok(()),
            Some(Covariate::Attribute(name)) if !is_attribute_name(name) => {
                Err(InvalidMetric::CovariateName)
            }
            Some(Covariate::Before) if self.per != Per::Unit => Err(InvalidMetric::CovariateBefore),
            Some(_) if self.rule() != EvidenceRule::Exposures => Err(InvalidMetric::CovariateRule),
            Some(_) => Ok(()),
        }
    }

    fn check_units(&self) -> Result<(), InvalidMetric> {
        if self.per == Per::Prediction {
            return match self.combine {
                Combine::Sum => Ok(()),
                _ => Err(InvalidMetric::Combine),
            };
        }
        if self.window_seconds == 0 {
            return Err(InvalidMetric::NoUnitWindow);
        }
        let fits = match self.combine {
            Combine::Sum => self.kind != MetricKind::Binary,
            Combine::Count => self.kind == MetricKind::Count,
            Combine::Any => self.kind == MetricKind::Binary,
            Combine::Last | Combine::Max => true,
        };
        fits.then_some(()).ok_or(InvalidMetric::Combine)
    }

    fn check_caps(&self) -> Result<(), InvalidMetric> {
        let ends = [self.floor, self.cap];
        if ends == [None, None] {
            return Ok(());
        }
        let within = |end: f64| {
            let fits = self.lower_bound.is_none_or(|bound| end >= bound)
                && self.upper_bound.is_none_or(|bound| end <= bound);
            end.abs() <= MAX_VALUE && (fits || self.adds_up())
        };
        let ordered = match ends {
            [Some(floor), Some(cap)] => Scale::between(floor, cap, &[]).is_ok(),
            _ => true,
        };
        if self.kind == MetricKind::Binary || !ordered || !ends.iter().flatten().all(|e| within(*e))
        {
            return Err(InvalidMetric::Caps);
        }
        Ok(())
    }

    /// Checks a value that was sent.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn check_value(&self, value: f64) -> Result<f64, InvalidValue> {
        if value.is_nan() || value.abs() > MAX_VALUE {
            return Err(InvalidValue::NotFinite);
        }
        self.check_counted(value)
    }

    /// Whether a value that was stored counts: another declaration, or another release, may have let it in.
    pub fn counts(&self, value: f64) -> bool {
        // Bounds are those of an outcome, and a sum of several may lie beyond.
        value.abs() <= MAX_COUNTED && (self.adds_up() || self.check_counted(value).is_ok())
    }

    /// Whether the value of a unit is made of several outcomes that add up.
    fn adds_up(&self) -> bool {
        self.per == Per::Unit && matches!(self.combine, Combine::Sum | Combine::Count)
    }

    fn check_counted(&self, value: f64) -> Result<f64, InvalidValue> {
        let whole = value.fract() == 0.0 && (0.0..=MAX_COUNT).contains(&value);
        match self.kind {
            MetricKind::Binary if value != 0.0 && value != 1.0 => Err(InvalidValue::NotBinary),
            MetricKind::Count if !whole => Err(InvalidValue::NotCount),
            _ => {
                let low = self.lower_bound.is_none_or(|bound| value >= bound);
                let high = self.upper_bound.is_none_or(|bound| value <= bound);
                let bounds = InvalidValue::OutOfBounds(self.lower_bound, self.upper_bound);
                (low && high).then_some(value).ok_or(bounds)
            }
        }
    }

    /// Whether its values have both ends.
    pub fn is_bounded(&self) -> bool {
        let both = self.lower_bound.is_some() && self.upper_bound.is_some();
        self.kind == MetricKind::Binary || both && !self.adds_up()
    }

    /// The built-in metric that this is.
    pub fn built_in(&self) -> Option<BuiltIn> {
        BuiltIn::find(self.name.as_str())
    }

    /// Whether its values come with feedback and not with the prediction.
    pub fn from_feedback(&self) -> bool {
        matches!(self.built_in(), None | Some(BuiltIn::Correct))
    }

    /// Whether no value of it can be below 0.
    pub fn is_never_negative(&self) -> bool {
        self.kind != MetricKind::Continuous || self.lower_bound.is_some_and(|bound| bound >= 0.0)
    }

    /// How evidence on it is counted.
    pub fn rule(&self) -> EvidenceRule {
        let binary = self.kind == MetricKind::Binary;
        match self.built_in() {
            Some(BuiltIn::Error | BuiltIn::Rejected | BuiltIn::Slow) => EvidenceRule::Events,
            Some(BuiltIn::LatencyMs | BuiltIn::Confidence) => EvidenceRule::Exposures,
            _ if self.missing != Missing::Excluded || self.per == Per::Unit => {
                EvidenceRule::Exposures
            }
            _ if binary => EvidenceRule::Arrivals,
            _ if self.window_seconds > 0 => EvidenceRule::Exposures,
            _ => EvidenceRule::None,
        }
    }

    /// Whether a value is the bad outcome of a binary metric.
    pub fn is_bad(&self, value: f64) -> bool {
        let bad = match self.direction {
            Direction::Up => 0.0,
            Direction::Down => 1.0,
        };
        self.kind == MetricKind::Binary && value == bad
    }

    /// The length of the stretches of exposure time by which its evidence is kept, in seconds: a
    /// 32nd of its window. `None` without a window.
    pub fn bucket_seconds(&self) -> Option<i64> {
        let window = i64::try_from(self.window_seconds).unwrap_or(i64::MAX);
        (window > 0).then(|| (window / 32).max(1))
    }
}

/// A metric that needs no declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// The chosen version failed.
    Error,
    /// The chosen version refused the input.
    Rejected,
    /// How long choosing and calling took.
    LatencyMs,
    /// The latency is over the objective of the experiment.
    Slow,
    /// How sure the version is.
    Confidence,
    /// The label equals the prediction.
    Correct,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Error,
        Self::Rejected,
        Self::LatencyMs,
        Self::Slow,
        Self::Confidence,
        Self::Correct,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Rejected => "rejected",
            Self::LatencyMs => "latency_ms",
            Self::Slow => "slow",
            Self::Confidence => "confidence",
            Self::Correct => "correct",
        }
    }

    /// The one with this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == name)
    }

    /// Its definition.
    pub fn metric(self) -> Metric {
        let (kind, direction) = match self {
            Self::Error | Self::Rejected | Self::Slow => (MetricKind::Binary, Direction::Down),
            Self::LatencyMs => (MetricKind::Continuous, Direction::Down),
            Self::Confidence => (MetricKind::Continuous, Direction::Up),
            Self::Correct => (MetricKind::Binary, Direction::Up),
        };
        let (lower_bound, upper_bound) = match self {
            Self::LatencyMs => (Some(0.0), None),
            _ => (None, None),
        };
        Metric {
            name: MetricName::parse(self.as_str()).expect("built-in names are plain"),
            kind,
            direction,
            window_seconds: 0,
            lower_bound,
            upper_bound,
            missing: Missing::Excluded,
            floor: None,
            cap: None,
            per: Per::Prediction,
            combine: Combine::Sum,
            covariate: None,
        }
    }

    /// Its value of a prediction; `None` where the prediction has none, or only feedback will say. What a
    /// version refused says nothing about how fast or how sure it is.
    pub fn value_of(self, measured: Measured, slo_ms: Option<f64>) -> Option<f64> {
        let Measured { status, .. } = measured;
        let latency_ms = measured.latency_ns.map(|latency| latency as f64 / 1e6);
        let taken = status != Status::Rejected;
        match self {
            Self::Error => Some(f64::from(status.is_failure())),
            Self::Rejected => Some(f64::from(!taken)),
            Self::LatencyMs => latency_ms.filter(|_| taken),
            Self::Slow => slo_ms
                .filter(|_| taken)
                .zip(latency_ms)
                .map(|(slo, latency_ms)| f64::from(latency_ms > slo)),
            // How sure another version is says nothing about this one.
            Self::Confidence => measured
                .confidence
                .filter(|value| status == Status::Ok && value.abs() <= MAX_COUNTED),
            Self::Correct => None,
        }
    }
}

/// What built-in metrics need to know of a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// How it ended.
    pub status: Status,
    /// How long it took, in nanoseconds; `None` where it was made elsewhere and nobody says.
    pub latency_ns: Option<u64>,
    /// How sure the answering version was.
    pub confidence: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(kind: MetricKind) -> Metric {
        Metric {
            name: MetricName::parse("score").unwrap(),
            kind,
            lower_bound: Some(0.0),
            upper_bound: Some(10.0),
            ..BuiltIn::LatencyMs.metric()
        }
    }

    #[test]
    fn values_are_checked() {
        use MetricKind::{Binary, Continuous, Count};
        for (kind, value, accepted) in [
            (Binary, 1.0, true),
            (Binary, 0.5, false),
            (Count, 3.0, true),
            (Count, 3.5, false),
            (Count, -1.0, false),
            (Continuous, 9.99, true),
            (Continuous, 10.01, false),
            (Continuous, f64::NAN, false),
            (Continuous, f64::INFINITY, false),
        ] {
            let got = metric(kind).check_value(value);
            assert_eq!(got.is_ok(), accepted, "{kind:?} {value}: {got:?}");
        }
    }

    #[test]
    fn declarations_are_checked() {
        let good = metric(MetricKind::Continuous);
        assert_eq!(good.check(), Ok(()));
        let backwards = Metric {
            lower_bound: Some(11.0),
            ..good.clone()
        };
        assert_eq!(backwards.check(), Err(InvalidMetric::Bounds));
        let no_failure = Metric {
            missing: Missing::Failure,
            ..good
        };
        assert_eq!(no_failure.check(), Err(InvalidMetric::NoFailure));
        let impatient = Metric {
            missing: Missing::Failure,
            direction: Direction::Up,
            ..metric(MetricKind::Binary)
        };
        assert_eq!(impatient.check(), Err(InvalidMetric::NoWindow));
        let built_in = BuiltIn::Correct.metric();
        assert!(matches!(built_in.check(), Err(InvalidMetric::BuiltIn(_))));
        let with = |covariate: &str, metric: Metric| Metric {
            window_seconds: 60,
            covariate: serde_json::from_str(covariate).unwrap(),
            ..metric
        };
        let number = || metric(MetricKind::Continuous);
        let age = r#"{"attribute": "age"}"#;
        assert_eq!(with(age, number()).check(), Ok(()));
        let unnamed = with(r#"{"attribute": "a b"}"#, number());
        assert_eq!(unnamed.check(), Err(InvalidMetric::CovariateName));
        let before = with(r#""before""#, number());
        assert_eq!(before.check(), Err(InvalidMetric::CovariateBefore));
        let arrivals = with(age, metric(MetricKind::Binary));
        let arrivals = Metric {
            lower_bound: None,
            upper_bound: None,
            ..arrivals
        };
        assert_eq!(arrivals.check(), Err(InvalidMetric::CovariateRule));
    }
}
