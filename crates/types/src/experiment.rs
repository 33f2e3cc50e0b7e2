//! A control and candidates compared on metrics. The definition is stored in the form it has, so it
//! derives `Serialize`.

use crate::{
    BuiltIn, Condition, EvidenceRule, ExperimentId, Intervention, Measured, Metric, MetricKind,
    MetricName, MetricRole, ModelId, ModelName, Per, Policy, Progress, Scale, Timestamp,
    VerdictKind, VersionKey, VersionName,
};
use serde::{Deserialize, Serialize};

/// The small integer by which stored rows name an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExperimentKey(pub i64);

crate::words! {
    /// Where an experiment is in its life.
    pub enum ExperimentStatus as "ExperimentStatus" {
        /// Defined; moves no traffic.
        Draft = "draft",
        /// Defined, and starts by itself at its time; moves no traffic yet.
        Scheduled = "scheduled",
        /// Its weights rule.
        Running = "running",
        /// Ended with the weights as they were.
        Stopped = "stopped",
        /// Ended with everything on the control.
        Aborted = "aborted",
        /// Ended with everything on a candidate.
        Promoted = "promoted",
        /// Ended with everything on the control, because a candidate was no good.
        RolledBack = "rolled_back",
    }
}

impl ExperimentStatus {
    /// Whether it ran and runs no more.
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Draft | Self::Scheduled | Self::Running)
    }

    /// Whether it can still be started or deleted.
    pub fn has_not_begun(self) -> bool {
        matches!(self, Self::Draft | Self::Scheduled)
    }
}

/// A version's part in an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// What stored rows call the version.
    pub key: VersionKey,
    /// What callers call it.
    pub model_id: ModelId,
    /// Its version string.
    pub version: VersionName,
    /// Its weight; only ratios count.
    pub weight: f64,
}

/// The most attributes by whose values results are told apart.
pub const MAX_DIMENSIONS: usize = 5;
/// The values of one of them that are told apart: the first that came. The others count together.
pub const MAX_VALUES: usize = 20;
/// The most sums of an experiment: arms × (metrics and exposures) × values.
pub const MAX_CELLS: usize = 10_000;

/// What alpha, the chance of a false claim, may be. Below it the tails of the normal distribution are no longer known to
/// anybody, least of all from data.
pub const ALPHAS: std::ops::Range<f64> = 1e-9..0.5;

/// What an experiment compares and how; fixed once it has begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExperimentDefinition {
    /// The model.
    pub name: ModelName,
    /// What people call the experiment.
    pub title: String,
    /// Who sets the weights.
    pub policy: Policy,
    /// The control and the candidates, in this order.
    pub arms: Vec<Arm>,
    /// The metric that decides.
    pub primary_metric: MetricName,
    /// Metrics that inform.
    pub secondary_metrics: Vec<MetricName>,
    /// Metrics that must not get worse.
    pub guardrails: Vec<MetricName>,
    /// All of these, as they were declared when the experiment was made; each once.
    pub metrics: Vec<Metric>,
    /// The chance of a false claim about the primary metric, over all candidates.
    pub alpha: f64,
    /// The chance of finding the minimum detectable effect.
    pub power: f64,
    /// The smallest effect on the primary metric that matters.
    pub minimum_detectable_effect: Option<f64>,
    /// Whether that is relative to the control.
    pub relative: bool,
    /// Units of a comparison (both arms) at which the sequences are tightest.
    pub planned_units: f64,
    /// The share of the units that take part, in (0, 1].
    pub enrolment: f64,
    /// Who can take part, by the attributes of a request; everybody else gets the control, and is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Condition>,
    /// Attributes by whose values results are told apart too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dimensions: Vec<String>,
    /// What the hash of its units is salted with.
    pub salt: String,
    /// The latency over which a prediction is `slow`, in milliseconds.
    pub slo_ms: Option<f64>,
    /// Whether bad events of one short burst count as one accident.
    #[serde(default = "on")]
    pub burst_protection: bool,
    /// By which rules its evidence is counted: [`EVIDENCE_RULES`] since it was made.
    #[serde(default)]
    pub evidence_rules: u32,
}

fn on() -> bool {
    true
}

/// The rules by which evidence is counted now. 0: `confidence` counts also where another version answered.
pub const EVIDENCE_RULES: u32 = 1;

/// What does not fit in a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer} {problem}")]
pub struct InvalidExperiment {
    /// JSON pointer within the experiment.
    pub pointer: &'static str,
    /// What is wrong there.
    pub problem: String,
}

/// The most candidates of an experiment.
pub const MAX_CANDIDATES: usize = 20;
/// The most metrics of an experiment.
pub const MAX_METRICS: usize = 50;

impl ExperimentDefinition {
    /// Whether one of the metrics has a covariate.
    pub fn has_covariates(&self) -> bool {
        self.metrics.iter().any(|metric| metric.covariate.is_some())
    }

    /// Whether evidence needs the attributes of predictions.
    pub fn needs_attributes(&self) -> bool {
        !self.dimensions.is_empty() || self.has_covariates()
    }

    /// Whether one of the metrics is per unit.
    pub fn counts_units(&self) -> bool {
        self.metrics.iter().any(|metric| metric.per == Per::Unit)
    }

    /// With the defaults: an A/B test of all units. The first metric decides, the others guard.
    pub fn new(name: ModelName, arms: Vec<Arm>, metrics: Vec<Metric>) -> Self {
        Self {
            name,
            title: String::new(),
            policy: Policy::Fixed,
            arms,
            primary_metric: metrics[0].name.clone(),
            secondary_metrics: Vec::new(),
            guardrails: metrics[1..].iter().map(|m| m.name.clone()).collect(),
            metrics,
            alpha: 0.05,
            power: 0.8,
            minimum_detectable_effect: None,
            relative: false,
            planned_units: 5000.0,
            enrolment: 1.0,
            audience: None,
            dimensions: Vec::new(),
            salt: String::new(),
            slo_ms: None,
            burst_protection: true,
            evidence_rules: EVIDENCE_RULES,
        }
    }

    /// The control.
    pub fn control(&self) -> &Arm {
        &self.arms[0]
    }

    /// The weights as shares; they sum to 1.
    fn shares(&self) -> Vec<f64> {
        let total: f64 = self.arms.iter().map(|arm| arm.weight).sum();
        self.arms.iter().map(|arm| arm.weight / total).collect()
    }

    /// The share of each arm when it starts; they sum to 1. A rollout starts with its first step.
    pub fn first_shares(&self) -> Vec<f64> {
        match &self.policy {
            Policy::Rollout(settings) => vec![1.0 - settings.share(0), settings.share(0)],
            Policy::Fixed | Policy::Bandit(_) => self.shares(),
        }
    }

    /// The share of all traffic that each arm gets: of the enrolled, and for the control the rest. With an audience, what
    /// everybody outside gets, because nobody knows how many are in it: so a stop gives nobody a candidate who had none.
    pub fn effective_shares(&self, shares: &[f64]) -> Vec<f64> {
        if self.audience.is_some() {
            let mut outside = vec![0.0; shares.len()];
            outside[0] = 1.0;
            return outside;
        }
        let mut shares = shares.to_vec();
        for share in &mut shares {
            *share *= self.enrolment;
        }
        shares[0] += 1.0 - self.enrolment;
        shares
    }

    /// Whether what comes in each minute is kept: some guardrail is about what is known at once.
    pub fn keeps_minutes(&self) -> bool {
        let mut metrics = self.metrics.iter();
        metrics.any(|metric| {
            metric.rule() == EvidenceRule::Events && self.guardrails.contains(&metric.name)
        })
    }

    /// Whether the effect on a metric is followed from day to day. What only guards is not; and the epochs of a bandit are
    /// shorter than days.
    pub fn keeps_days(&self, metric: &Metric) -> bool {
        let is_bandit = matches!(self.policy, Policy::Bandit(_));
        let is_judged = metric.rule() != EvidenceRule::None;
        is_judged && !is_bandit && self.role(metric) != MetricRole::Guardrail
    }

    /// Whether the sums of a metric are kept by parts of the units, too: under a bandit units come back in hundreds of epochs,
    /// and what they do there is not independent. What only guards is judged by first events.
    pub fn keeps_parts(&self, metric: &Metric) -> bool {
        let is_bandit = matches!(self.policy, Policy::Bandit(_));
        is_bandit && self.role(metric) != MetricRole::Guardrail
    }

    /// The ratio of candidate and control up to which a guardrail is not harmed.
    pub fn tolerated_ratio(&self, metric: &Metric) -> f64 {
        if !metric.is_never_negative() {
            return 1.0;
        }
        let said = self
            .policy
            .rollout()
            .and_then(|settings| settings.ratio_tolerated);
        said.unwrap_or_else(|| match metric.built_in() {
            Some(BuiltIn::Slow | BuiltIn::LatencyMs) => 1.25,
            _ => 1.0,
        })
    }

    /// The difference up to which a guardrail is not harmed, in the unit of the metric, where one is declared.
    pub fn margin(&self, metric: &Metric) -> Option<f64> {
        self.policy.rollout()?.margins.get(&metric.name).copied()
    }

    /// The place of an arm among the arms, by the key of its version.
    pub fn arm(&self, version: VersionKey) -> Option<usize> {
        self.arms.iter().position(|arm| arm.key == version)
    }

    /// The role that a metric has first.
    pub fn role(&self, metric: &Metric) -> MetricRole {
        if metric.name == self.primary_metric {
            MetricRole::Primary
        } else if self.guardrails.contains(&metric.name) {
            MetricRole::Guardrail
        } else {
            MetricRole::Secondary
        }
    }

    /// The place of a metric in `metrics`.
    pub fn metric(&self, name: &str) -> Option<usize> {
        self.metrics.iter().position(|m| m.name.as_str() == name)
    }

    /// Everything that does not fit.
    pub fn problems(&self) -> Vec<InvalidExperiment> {
        let mut found = Vec::new();
        let mut wrong = |pointer, problem: String| {
            found.push(InvalidExperiment { pointer, problem });
        };
        let candidates = self.arms.len() - 1;
        if candidates == 0 || candidates > MAX_CANDIDATES {
            let problem =
                format!("must name from 1 to {MAX_CANDIDATES} versions, without the control");
            wrong("/candidates", problem);
        }
        let mut keys: Vec<VersionKey> = self.arms.iter().map(|arm| arm.key).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.len() != self.arms.len() {
            wrong(
                "/candidates",
                "must name each version once, and not the control".into(),
            );
        }
        let weight = |w: f64| w.is_finite() && w > 0.0 && w <= 1e6;
        if !self.arms.iter().all(|arm| weight(arm.weight)) {
            wrong(
                "/weights",
                "must give every arm a weight above 0 (at most 1000000)".into(),
            );
        } else if self.shares().iter().any(|&share| share < 1e-4) {
            wrong(
                "/weights",
                "must give every arm at least 0.01 % of the sum".into(),
            );
        }
        if !ALPHAS.contains(&self.alpha) {
            wrong("/alpha", "must be at least 1e-9 and below 0.5".into());
        }
        if !(self.power > 0.0 && self.power < 1.0 && self.power > self.alpha) {
            wrong("/power", "must be above alpha and below 1".into());
        }
        let effect = self.minimum_detectable_effect;
        if effect.is_some_and(|effect| !(effect.is_finite() && effect > 0.0)) {
            wrong(
                "/minimum_detectable_effect",
                "must be a number above 0".into(),
            );
        }
        if !(self.planned_units >= 100.0 && self.planned_units <= 1e12) {
            wrong("/planned_units", "must be from 100 to 1000000000000".into());
        }
        if !(self.enrolment > 0.0 && self.enrolment <= 1.0) {
            wrong("/enrolment", "must be above 0 and at most 1".into());
        }
        if self.metrics.len() > MAX_METRICS {
            wrong(
                "/secondary_metrics",
                format!("must be at most {MAX_METRICS} metrics together"),
            );
        }
        let slow = self.metric(BuiltIn::Slow.as_str()).is_some();
        if self
            .slo_ms
            .is_some_and(|slo| !(slo.is_finite() && slo > 0.0))
        {
            wrong("/slo_ms", "must be a number of milliseconds above 0".into());
        } else if slow && self.slo_ms.is_none() {
            wrong("/slo_ms", "is needed by the metric slow".into());
        }
        found.extend(self.policy_problems());
        found
    }

    /// What does not fit of the settings of the policy.
    fn policy_problems(&self) -> Vec<InvalidExperiment> {
        let mut found = match &self.policy {
            Policy::Fixed => Vec::new(),
            Policy::Rollout(settings) => settings.problems(),
            Policy::Bandit(settings) => settings.problems(self.arms.len()),
        };
        let mut need = |fits: bool, pointer, problem: &str| {
            if !fits {
                let problem = problem.into();
                found.push(InvalidExperiment { pointer, problem });
            }
        };
        let find = |name: &MetricName| self.metrics.iter().find(|m| m.name == *name);
        match &self.policy {
            Policy::Fixed => {}
            Policy::Rollout(settings) => {
                need(
                    self.arms.len() == 2,
                    "/candidates",
                    "must be one version for a rollout",
                );
                need(
                    !self.guardrails.is_empty(),
                    "/guardrails",
                    "must name a metric: without one nothing would take a bad candidate back",
                );
                need(
                    self.enrolment >= 1.0,
                    "/enrolment",
                    "must be 1 for a rollout: its steps say what the candidate gets",
                );
                let guarded = |name: &MetricName| self.guardrails.contains(name);
                need(
                    settings.margins.keys().all(guarded),
                    "/rollout/margins",
                    "must name guardrails of the experiment",
                );
                let by_ratio = |name: &MetricName| {
                    let rule = find(name).map(Metric::rule);
                    matches!(rule, Some(EvidenceRule::Events | EvidenceRule::Arrivals))
                };
                need(
                    !settings.margins.keys().any(by_ratio),
                    "/rollout/margins",
                    "are for metrics with a number for each unit (means, counts, rates with a window); rates that are \
                     known at once or come at their own time are compared by ratios: set ratio_tolerated",
                );
                let binary = |name: &MetricName| {
                    find(name).is_some_and(|metric| metric.kind == MetricKind::Binary)
                };
                need(
                    settings.ceilings.keys().all(binary),
                    "/rollout/ceilings",
                    "must name binary metrics of the experiment",
                );
            }
            Policy::Bandit(settings) => {
                let needs_bounds = settings.algorithm.needs_bounds();
                let primary = find(&self.primary_metric);
                need(
                    !needs_bounds || primary.is_none_or(Metric::is_bounded),
                    "/bandit/algorithm",
                    "needs a primary metric that is binary or has both bounds",
                );
            }
        }
        found
    }
}

/// The metrics of an experiment that are known with the answer, made ready to be asked for each prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct AtOnce {
    metrics: Vec<(usize, BuiltIn)>,
    slo_ms: Option<f64>,
    /// Whether what comes in each minute is kept.
    pub kept: bool,
}

impl AtOnce {
    /// Of a definition.
    pub fn of(definition: &ExperimentDefinition) -> Self {
        let metrics = definition.metrics.iter().enumerate();
        let known = metrics.filter(|(_, metric)| metric.rule() == EvidenceRule::Events);
        Self {
            metrics: known
                .filter_map(|(at, metric)| Some((at, metric.built_in()?)))
                .collect(),
            slo_ms: definition.slo_ms,
            kept: definition.keeps_minutes(),
        }
    }

    /// The metrics of which a prediction is a bad event, by their places.
    pub fn bad(&self, measured: Measured) -> impl Iterator<Item = usize> {
        let bad = move |(_, built_in): &&(usize, BuiltIn)| {
            built_in.value_of(measured, self.slo_ms) == Some(1.0)
        };
        self.metrics.iter().filter(bad).map(|(at, _)| *at)
    }
}

/// An experiment as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// What stored rows call it.
    pub key: ExperimentKey,
    /// What callers call it.
    pub id: ExperimentId,
    /// What it compares and how.
    pub definition: ExperimentDefinition,
    /// Where it is in its life.
    pub status: ExperimentStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it starts by itself, where it is scheduled.
    pub starts_at: Option<Timestamp>,
    /// When its weights began to rule.
    pub started_at: Option<Timestamp>,
    /// When they ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended, where somebody said so.
    pub end_reason: Option<String>,
    /// Counts the changes of what follows.
    pub revision: i64,
    /// The share of each arm as it is published, or as it was left at the end, the control first; they sum
    /// to 1.
    pub shares: Vec<f64>,
    /// By metric: the scale of its bets in the present epoch, where there is one. Empty before it starts, and while it
    /// goes on in the epoch of an older release.
    pub scales: Vec<Option<Scale>>,
    /// How far its policy has come, where it has one that moves the weights.
    pub progress: Option<Progress>,
    /// What earlier looks have shown, as JSON.
    pub history: Option<String>,
    /// What the last look said, in a word.
    pub verdict: Option<VerdictKind>,
    /// The results as they were when it ended, as JSON.
    pub decided: Option<String>,
}

impl Experiment {
    /// The same, running since a moment.
    pub fn running_since(self, started_at: Timestamp) -> Self {
        Self {
            status: ExperimentStatus::Running,
            started_at: Some(started_at),
            ..self
        }
    }

    /// A new experiment, which moves no traffic.
    pub fn draft(
        key: ExperimentKey,
        id: ExperimentId,
        definition: ExperimentDefinition,
        created_at: Timestamp,
    ) -> Self {
        Self {
            key,
            id,
            shares: definition.first_shares(),
            scales: Vec::new(),
            definition,
            status: ExperimentStatus::Draft,
            created_at,
            starts_at: None,
            started_at: None,
            ended_at: None,
            end_reason: None,
            revision: 0,
            progress: None,
            history: None,
            verdict: None,
            decided: None,
        }
    }

    /// What a person may do to it now.
    pub fn allowed(&self) -> Vec<Intervention> {
        let running = self.status == ExperimentStatus::Running;
        let paused = self.progress.as_ref().is_some_and(Progress::is_paused);
        let fits = |intervention: &Intervention| match intervention {
            Intervention::Start | Intervention::Delete => self.status.has_not_begun(),
            _ if !running => false,
            Intervention::Pause => self.progress.is_some() && !paused,
            Intervention::Resume => paused,
            Intervention::Advance => matches!(self.progress, Some(Progress::Rollout(_))) && !paused,
            Intervention::Promote
            | Intervention::RollBack
            | Intervention::Stop
            | Intervention::Abort => true,
        };
        Intervention::ALL.iter().copied().filter(fits).collect()
    }

    /// The share of all traffic that each arm gets.
    pub fn effective_shares(&self) -> Vec<f64> {
        self.definition.effective_shares(&self.shares)
    }
}
