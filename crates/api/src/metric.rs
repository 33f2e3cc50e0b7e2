//! Metrics on the wire.

use crate::word::EvidenceRule;
use serde::{Deserialize, Serialize};
use types::{Combine, Covariate, Direction, MetricKind, Missing, Per};
use utoipa::ToSchema;

/// The declaration of a metric.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclareMetric {
    /// What values it has.
    pub kind: MetricKind,
    /// Which way is better; `up` when left out.
    #[serde(default = "up")]
    pub direction: Direction,
    /// How long after a prediction its value may arrive, in seconds. Predictions younger than this
    /// are left out of comparisons; with 0 every value counts at once. For a metric per unit: how long after the first
    /// exposure of a unit its outcomes count.
    #[serde(default)]
    pub window_seconds: u64,
    /// The least value that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_bound: Option<f64>,
    /// The greatest value that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_bound: Option<f64>,
    /// What a prediction without a value counts as once the window has passed. When left out:
    /// `failure` for a binary metric with direction up and a window, else `excluded`; for a metric per unit `zero` instead
    /// of `excluded`, because a unit that bought nothing has spent 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// Values below count as this in comparisons. When left out: found from values that the control had before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// Values above count as this in comparisons, so that one of them cannot decide. When left out: the value below
    /// which 99 % of the control's earlier values lay, not counting zeros.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<f64>,
    /// Whether each prediction or each unit has a value. Outcomes of a metric per unit are sent by `unit_id`.
    #[serde(default)]
    pub per: Per,
    /// How the outcomes of a unit become its value, for a metric per unit: `any` for a binary one when left out, else `sum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combine: Option<Combine>,
    /// Something that was known about a unit before its first exposure and correlates with its value, to make comparisons
    /// sharper: an attribute (`{"attribute": "spent_last_month"}`), or the unit's own value of this metric per unit in the
    /// window before (`"before"`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariate: Option<Covariate>,
}

fn up() -> Direction {
    Direction::Up
}

/// A metric.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Metric {
    /// Its name.
    pub metric: String,
    /// Whether it needs no declaration.
    pub built_in: bool,
    /// What values it has.
    pub kind: MetricKind,
    /// Which way is better.
    pub direction: Direction,
    /// How long after a prediction its value may arrive, in seconds.
    pub window_seconds: u64,
    /// The least value that is accepted.
    pub lower_bound: Option<f64>,
    /// The greatest value that is accepted.
    pub upper_bound: Option<f64>,
    /// What a matured prediction without a value counts as.
    pub missing: Missing,
    /// Values below count as this in comparisons, where it is declared.
    pub floor: Option<f64>,
    /// Values above count as this in comparisons, where it is declared.
    pub cap: Option<f64>,
    /// Whose values they are.
    pub per: Per,
    /// How the outcomes of a unit become its value; null for a metric per prediction.
    pub combine: Option<Combine>,
    /// What makes comparisons sharper, where it is declared.
    pub covariate: Option<Covariate>,
    /// How evidence on it is counted.
    pub rule: EvidenceRule,
}

impl Metric {
    /// The same as it is declared; `None` where its name is not valid.
    pub fn declared(&self) -> Option<types::Metric> {
        Some(types::Metric {
            name: types::MetricName::parse(&self.metric).ok()?,
            kind: self.kind,
            direction: self.direction,
            window_seconds: self.window_seconds,
            lower_bound: self.lower_bound,
            upper_bound: self.upper_bound,
            missing: self.missing,
            floor: self.floor,
            cap: self.cap,
            per: self.per,
            combine: self.combine.unwrap_or_default(),
            covariate: self.covariate.clone(),
        })
    }
}

impl From<types::Metric> for Metric {
    fn from(metric: types::Metric) -> Self {
        Self {
            built_in: metric.built_in().is_some(),
            floor: metric.floor,
            cap: metric.cap,
            rule: metric.rule().into(),
            per: metric.per,
            combine: (metric.per == Per::Unit).then_some(metric.combine),
            covariate: metric.covariate,
            metric: metric.name.to_string(),
            kind: metric.kind,
            direction: metric.direction,
            window_seconds: metric.window_seconds,
            lower_bound: metric.lower_bound,
            upper_bound: metric.upper_bound,
            missing: metric.missing,
        }
    }
}
