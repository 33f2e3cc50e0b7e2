//! Who moves the weights of an experiment, by which rules, and how far it has come. The same forms are
//! stored and sent, so they derive `Serialize`.

use crate::{InvalidExperiment, MetricName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Who sets the weights of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// They stay as they are: an A/B test.
    Fixed,
    /// A candidate climbs a ladder of steps, or goes back.
    Rollout(RolloutSettings),
    /// They follow what has been learnt.
    Bandit(BanditSettings),
}

impl Policy {
    /// The word for it in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Rollout(_) => "rollout",
            Self::Bandit(_) => "bandit",
        }
    }

    /// The settings of a rollout.
    pub fn rollout(&self) -> Option<&RolloutSettings> {
        match self {
            Self::Rollout(settings) => Some(settings),
            _ => None,
        }
    }
}

/// What a rollout asks for before it takes the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Promotion {
    /// Time, units, and no alarm.
    Permissive,
    /// Also that the candidate is shown to be not much worse on every guardrail: the upper end of the
    /// ratio of the rates below the step's ratio margin, or the upper end of the harm below the absolute
    /// margin.
    Strict,
}

/// What becomes of a rollout without traffic once the grace is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoTraffic {
    /// It stays where it is.
    Hold,
    /// It goes back.
    RollBack,
}

/// How a rollout climbs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutSettings {
    /// The candidate's share of the traffic at each step, in percent, increasing. 100 means everything
    /// but the holdback.
    pub steps: Vec<f64>,
    /// How long each step lasts at least, in seconds of time with traffic under observation: one for all
    /// or one per step. The last is the check after the last step. When left out: 600, 1800, 3600, then
    /// 14400, and 14400 for the last step.
    pub soak_seconds: Vec<u64>,
    /// Units that the candidate needs at a step before the next: one for all or one per step. When left
    /// out, as many as are needed to find twice the control's error rate in 80 % of cases.
    pub min_units: Vec<u64>,
    /// What is asked for before the next step.
    pub promotion: Promotion,
    /// For `strict`: what the ratio of the rates must be shown to be below, one for all or one per step. When
    /// left out: 2 up to 5 %, 1.5 up to 25 %, then 1.25.
    pub ratio_margins: Vec<f64>,
    /// For `strict`, as an alternative: what the harm on a guardrail must be shown to be below, in the unit
    /// of the metric.
    pub absolute_margin: Option<f64>,
    /// The ratio of candidate to control up to which a guardrail does not count as harmed; 1 tolerates no harm. When
    /// left out: 1, and 1.25 for `slow` and `latency_ms`, whose level drifts in every service. It applies to metrics
    /// without negative values.
    pub ratio_tolerated: Option<f64>,
    /// For guardrails that are not rates of events: how much worse the candidate may be, as a difference,
    /// before the guardrail counts as harmed; 0 when left out.
    #[schema(value_type = BTreeMap<String, f64>)]
    pub margins: BTreeMap<MetricName, f64>,
    /// For binary metrics: the share of units with a bad event above which the candidate is rolled back,
    /// whatever the control does.
    #[schema(value_type = BTreeMap<String, f64>)]
    pub ceilings: BTreeMap<MetricName, f64>,
    /// Whether the candidate is rolled back when it does too much damage, even before the evidence is
    /// conclusive.
    pub damage_limits: bool,
    /// The control's share during the last step, in percent, so that there is still something to compare
    /// with.
    pub holdback: f64,
    /// Whether a person has to agree before each step.
    pub approval: bool,
    /// How long a rollout may be without traffic, in seconds, before `no_traffic` applies.
    pub no_traffic_grace_seconds: u64,
    /// What happens after that time: the rollout stays where it is, or goes back.
    pub no_traffic: NoTraffic,
    /// The share, in percent, beyond which the candidate does not go until there are outcomes of the
    /// metrics that come with feedback.
    pub max_step_without_outcomes: f64,
}

impl Default for RolloutSettings {
    fn default() -> Self {
        Self {
            steps: vec![1.0, 5.0, 25.0, 50.0, 100.0],
            soak_seconds: Vec::new(),
            min_units: Vec::new(),
            promotion: Promotion::Permissive,
            ratio_margins: Vec::new(),
            absolute_margin: None,
            ratio_tolerated: None,
            margins: BTreeMap::new(),
            ceilings: BTreeMap::new(),
            damage_limits: true,
            holdback: 2.0,
            approval: false,
            no_traffic_grace_seconds: 86_400,
            no_traffic: NoTraffic::Hold,
            max_step_without_outcomes: 25.0,
        }
    }
}

/// How long the first steps last, in seconds, where nothing else is said; later ones last as the last.
const SOAK: [u64; 4] = [600, 1800, 3600, 14_400];

fn micros(seconds: u64) -> i64 {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    seconds.saturating_mul(1_000_000)
}

/// The value of a step where one may stand for all.
fn at_step<T: Copy>(values: &[T], step: usize) -> Option<T> {
    values.get(step).or(values.last()).copied()
}

impl RolloutSettings {
    /// The candidate's share at a step, in (0, 1).
    pub fn share(&self, step: usize) -> f64 {
        let percent = at_step(&self.steps, step).unwrap_or(0.0);
        percent.min(100.0 - self.holdback) / 100.0
    }

    /// How long a step lasts at least, in microseconds.
    pub fn soak_micros(&self, step: usize) -> i64 {
        let last = step + 1 == self.steps.len();
        let usual = if last {
            14_400
        } else {
            at_step(&SOAK, step).unwrap_or(0)
        };
        micros(at_step(&self.soak_seconds, step).unwrap_or(usual))
    }

    /// How long a rollout may be without traffic before that is told, in microseconds.
    pub fn no_traffic_grace_micros(&self) -> i64 {
        micros(self.no_traffic_grace_seconds)
    }

    /// Units that the candidate needs at a step, where they are given.
    pub fn min_units(&self, step: usize) -> Option<u64> {
        at_step(&self.min_units, step)
    }

    /// What the ratio of the rates must be shown to be below.
    pub fn ratio_margin(&self, step: usize) -> f64 {
        let usual = match at_step(&self.steps, step) {
            Some(percent) if percent <= 5.0 => 2.0,
            Some(percent) if percent <= 25.0 => 1.5,
            _ => 1.25,
        };
        at_step(&self.ratio_margins, step).unwrap_or(usual)
    }

    /// Everything that does not fit.
    pub fn problems(&self) -> Vec<InvalidExperiment> {
        let mut found = Vec::new();
        let mut need = |fits: bool, pointer, problem: &str| {
            if !fits {
                let problem = problem.into();
                found.push(InvalidExperiment { pointer, problem });
            }
        };
        let steps = &self.steps;
        need(
            (1..=100).contains(&steps.len()),
            "/rollout/steps",
            "must be from 1 to 100 steps",
        );
        need(
            steps.iter().all(|s| *s >= 0.01 && *s <= 100.0) && steps.is_sorted_by(|a, b| a < b),
            "/rollout/steps",
            "must increase, from at least 0.01 to at most 100 percent",
        );
        need(
            steps.last() == Some(&100.0),
            "/rollout/steps",
            "must end at 100, which is everything but the holdback: the last check before promotion",
        );
        let fits = |length: usize| length <= 1 || length == steps.len();
        let many = "must be one for all steps or one per step";
        need(fits(self.soak_seconds.len()), "/rollout/soak_seconds", many);
        need(
            self.soak_seconds.iter().all(|s| *s <= 366 * 86_400),
            "/rollout/soak_seconds",
            "must be at most a year each",
        );
        need(fits(self.min_units.len()), "/rollout/min_units", many);
        need(
            fits(self.ratio_margins.len()),
            "/rollout/ratio_margins",
            many,
        );
        need(
            (60..=366 * 86_400).contains(&self.no_traffic_grace_seconds),
            "/rollout/no_traffic_grace_seconds",
            "must be from 60 to a year",
        );
        let tolerated = self.ratio_tolerated;
        need(
            tolerated.is_none_or(|ratio| (1.0..=100.0).contains(&ratio)),
            "/rollout/ratio_tolerated",
            "must be from 1 to 100",
        );
        let strict = self.promotion == Promotion::Strict;
        need(
            !strict || self.ratio_margins.iter().all(|m| *m > 1.0 && m.is_finite()),
            "/rollout/ratio_margins",
            "must be above 1: a harmless candidate that is no better could never be shown to stay below it",
        );
        need(
            self.absolute_margin
                .is_none_or(|m| m > 0.0 && m.is_finite()),
            "/rollout/absolute_margin",
            "must be above 0",
        );
        need(
            self.margins.values().all(|m| *m >= 0.0 && m.is_finite()),
            "/rollout/margins",
            "must be 0 or more",
        );
        need(
            self.ceilings.values().all(|c| *c > 0.0 && *c < 1.0),
            "/rollout/ceilings",
            "must be above 0 and below 1",
        );
        need(
            (0.1..=50.0).contains(&self.holdback),
            "/rollout/holdback",
            "must be from 0.1 to 50 percent: without a control there is no comparison",
        );
        need(
            steps.is_empty()
                || steps[..steps.len() - 1]
                    .iter()
                    .all(|s| *s < 100.0 - self.holdback),
            "/rollout/holdback",
            "is too large: the last step would not be larger than the steps before it",
        );
        need(
            (0.0..=100.0).contains(&self.max_step_without_outcomes),
            "/rollout/max_step_without_outcomes",
            "must be from 0 to 100 percent",
        );
        found
    }
}

/// How a bandit chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Thompson sampling: each arm is chosen as often as it is likely to be the best.
    Thompson,
    /// The best half the time, else the best of the others: finds the best arm sooner.
    TopTwo,
    /// The proportions that prove the best arm soonest.
    TrackAndStop,
    /// The highest upper confidence bound.
    Ucb1,
    /// The same with the bound of a binary outcome.
    KlUcb,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [
        Self::Thompson,
        Self::TopTwo,
        Self::TrackAndStop,
        Self::Ucb1,
        Self::KlUcb,
    ];

    /// The word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Thompson => "thompson",
            Self::TopTwo => "top_two",
            Self::TrackAndStop => "track_and_stop",
            Self::Ucb1 => "ucb1",
            Self::KlUcb => "kl_ucb",
        }
    }
}

impl Algorithm {
    /// Whether it reads values as from 0 to 1.
    pub fn needs_bounds(self) -> bool {
        matches!(self, Self::Ucb1 | Self::KlUcb)
    }
}

impl std::str::FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|a| a.as_str() == text);
        found.ok_or_else(|| "must be thompson, top_two, track_and_stop, ucb1 or kl_ucb".into())
    }
}

/// How a bandit moves the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BanditSettings {
    /// How it chooses.
    pub algorithm: Algorithm,
    /// The share that every arm keeps; when left out 0.05, or 0.2 divided by the number of arms if that is less. From 0.1 on
    /// intervals are reliable; below 0.05 they are approximate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// How often the weights are updated, in seconds.
    pub update_seconds: u64,
    /// Matured units that each arm needs before the weights move.
    pub burn_in_units: u64,
    /// How much a weight may change at once.
    pub max_change: f64,
    /// After how long evidence counts half, in seconds: for tastes that drift.
    pub half_life_seconds: Option<u64>,
    /// How old evidence may be, in seconds: an alternative to `half_life_seconds`.
    pub window_seconds: Option<u64>,
    /// The chance of naming a wrong winner.
    pub delta: f64,
    /// A difference that does not matter, in the unit of the metric: with it a winner is named even
    /// between equals.
    pub epsilon: f64,
    /// Whether a winner gets all traffic at once, and the alias `champion`.
    pub promote_winner: bool,
}

/// The share that each of so many arms keeps where nobody says: a fifth of all traffic is for learning at most.
pub fn default_floor(arms: usize) -> f64 {
    (0.2 / arms.max(1) as f64).min(0.05)
}

/// Whether so many arms can keep a share, and leave something to be given to the best.
pub fn fits_as_floor(floor: f64, arms: usize) -> bool {
    floor >= 0.001 && floor * (arms as f64) < 1.0
}

impl Default for BanditSettings {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Thompson,
            floor: None,
            update_seconds: 300,
            burn_in_units: 100,
            max_change: 0.25,
            half_life_seconds: None,
            window_seconds: None,
            delta: 0.05,
            epsilon: 0.0,
            promote_winner: false,
        }
    }
}

impl BanditSettings {
    /// Everything that does not fit an experiment with `arms` arms.
    pub fn problems(&self, arms: usize) -> Vec<InvalidExperiment> {
        let mut found = Vec::new();
        let mut need = |fits: bool, pointer, problem: &str| {
            if !fits {
                let problem = problem.into();
                found.push(InvalidExperiment { pointer, problem });
            }
        };
        need(
            fits_as_floor(self.floor(arms), arms),
            "/bandit/floor",
            "must be from 0.001 to less than 1 divided by the number of arms: at that value all weights would stay equal",
        );
        need(
            (1..=30 * 86_400).contains(&self.update_seconds),
            "/bandit/update_seconds",
            "must be from 1 to 2592000",
        );
        need(
            self.burn_in_units >= 2,
            "/bandit/burn_in_units",
            "must be at least 2",
        );
        need(
            self.max_change > 0.0 && self.max_change <= 1.0,
            "/bandit/max_change",
            "must be above 0 and at most 1",
        );
        let memory = [self.half_life_seconds, self.window_seconds];
        need(
            memory.iter().flatten().all(|s| *s >= self.update_seconds),
            "/bandit/half_life_seconds",
            "and window_seconds must be at least update_seconds",
        );
        need(
            memory.iter().flatten().count() < 2,
            "/bandit/window_seconds",
            "cannot go with half_life_seconds: choose one",
        );
        need(
            self.delta > 0.0 && self.delta < 0.5,
            "/bandit/delta",
            "must be above 0 and below 0.5",
        );
        need(
            self.epsilon >= 0.0 && self.epsilon.is_finite(),
            "/bandit/epsilon",
            "must be 0 or more",
        );
        found
    }

    /// The share that each of so many arms keeps.
    pub fn floor(&self, arms: usize) -> f64 {
        self.floor.unwrap_or_else(|| default_floor(arms))
    }

    /// How often the weights follow, in microseconds.
    pub fn update_micros(&self) -> i64 {
        micros(self.update_seconds)
    }

    /// How old an epoch may become, in seconds, so that what is in it is of about the same age.
    pub fn longest_epoch_seconds(&self) -> Option<u64> {
        let memory = self.half_life_seconds.or(self.window_seconds);
        memory.map(|seconds| (seconds / 8).max(self.update_seconds))
    }
}

/// How far a policy has come: what the controller keeps between two looks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Of a rollout.
    Rollout(RolloutProgress),
    /// Of a bandit.
    Bandit(BanditProgress),
}

impl Progress {
    /// Whether a person has paused it.
    pub fn is_paused(&self) -> bool {
        match self {
            Self::Rollout(progress) => progress.paused,
            Self::Bandit(progress) => progress.paused,
        }
    }

    /// The same without what looks have observed since: what is left was decided, and is told by events.
    #[must_use]
    pub fn without_observations(self) -> Self {
        match self {
            Self::Rollout(progress) => Self::Rollout(RolloutProgress {
                step: progress.step,
                paused: progress.paused,
                held: progress.held,
                ..RolloutProgress::default()
            }),
            Self::Bandit(progress) => Self::Bandit(BanditProgress {
                updated_at: None,
                ..progress
            }),
        }
    }
}

/// Why a policy waits for something that is not time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// The arms did not get the units that their weights promise.
    SampleRatioMismatch,
    /// Feedback comes more often for one arm.
    DifferentialFeedback,
    /// Many labels can never equal what a version answers: they are of another type.
    LabelsNeverMatch,
    /// No prediction has come for a while.
    NoTraffic,
    /// No prediction has come for the whole grace period.
    NoTrafficGraceOver,
    /// No outcome has come for a metric that needs feedback.
    NoOutcomes,
    /// Too few users or customers have come to the candidate to go beyond half of them.
    TooFewUnits,
    /// A person has to agree.
    Approval,
}

impl Hold {
    /// The word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SampleRatioMismatch => "sample_ratio_mismatch",
            Self::DifferentialFeedback => "differential_feedback",
            Self::LabelsNeverMatch => "labels_never_match",
            Self::NoTraffic => "no_traffic",
            Self::NoTrafficGraceOver => "no_traffic_grace_over",
            Self::NoOutcomes => "no_outcomes",
            Self::TooFewUnits => "too_few_units",
            Self::Approval => "approval",
        }
    }
}

/// What a step of a rollout still lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// It has not lasted long enough.
    Time,
    /// The candidate has too few units.
    Units,
    /// Bad events of the candidate have come in a burst: whether it is an accident is known when it is over.
    Burst,
    /// It is not shown yet that the candidate is not much worse, which `promotion: strict` asks for.
    Proof,
}

/// How far a rollout has come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RolloutProgress {
    /// The step, from 0.
    pub step: usize,
    /// Whether a person has paused it. Rollback stays armed.
    pub paused: bool,
    /// Why it waits, where it is not for time or units.
    pub held: Option<Hold>,
    /// Time with traffic under observation at this step, in microseconds.
    pub soaked_micros: i64,
    /// When it was last looked at, in microseconds since 1970.
    pub looked_at: Option<i64>,
    /// Predictions of both arms then.
    pub predictions: u64,
    /// When predictions had last come, in microseconds since 1970.
    pub traffic_at: Option<i64>,
    /// Units that the candidate has at this step.
    pub units: u64,
    /// Units that it needs there.
    pub min_units: u64,
    /// What the step still lacked at the last look, where nothing held it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<Wait>,
}

/// How far a bandit has come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct BanditProgress {
    /// Whether a person has paused it: the weights stay.
    pub paused: bool,
    /// Why the weights stay, where it is not for time or units.
    pub held: Option<Hold>,
    /// When the weights were last made, in microseconds since 1970.
    pub updated_at: Option<i64>,
    /// Arms that harmed a guardrail and get nothing any more.
    pub dropped: Vec<usize>,
    /// The arm that was found to be the best. It stays so.
    pub winner: Option<usize>,
}

crate::words! {
    /// What a person may do to an experiment.
    pub enum Intervention as "Intervention" {
        /// The weights stay until it is resumed; rollback stays armed.
        Pause = "pause",
        /// It goes on. A rollout begins its step again.
        Resume = "resume",
        /// A rollout takes the next step, whatever it waits for. This is also how a person agrees to a
        /// step.
        Advance = "advance",
        /// A candidate gets everything, and the alias `champion`.
        Promote = "promote",
        /// Everything goes to the control: the candidate is no good.
        RollBack = "rollback",
        /// It starts: its weights set the traffic.
        Start = "start",
        /// A draft is deleted.
        Delete = "delete",
        /// It ends with the weights as they are.
        Stop = "stop",
        /// It ends with everything on the control.
        Abort = "abort",
    }
}
