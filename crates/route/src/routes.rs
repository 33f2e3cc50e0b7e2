//! The routes of one model and the choice among them.

use crate::alias_table::AliasTable;
use crate::hash::{Hash, unit_interval};
use std::collections::HashMap;
use types::{
    Attributes, Condition, ExperimentId, ExperimentKey, ModelTraffic, Percent, Reason,
    RunningExperiment, VersionName, VersionStatus,
};

/// The choice of a version for one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assignment {
    /// Its place in [`ModelTraffic::versions`].
    pub version: usize,
    /// The probability with which it was chosen.
    pub propensity: f64,
    /// Why it was chosen.
    pub reason: Reason,
    /// The epoch of the weights.
    pub epoch: i64,
    /// The experiment that the request takes part in.
    pub experiment: Option<(ExperimentKey, ExperimentId)>,
}

/// Why no version could be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoVersion {
    /// No active version has a weight.
    #[error("no active version has a weight")]
    NoneActive,
    /// The version that was asked for does not exist, or answers nothing now.
    #[error("the version asked for is not active or testing")]
    NotAnswering,
}

/// How the requests of one model are routed; made again whenever its traffic changes.
#[derive(Debug)]
pub struct Routes {
    traffic: ModelTraffic,
    arms: Vec<Arm>,
    /// Active versions without a weight: they answer only for others.
    resting: Vec<Arm>,
    /// `None` without arms.
    table: Option<AliasTable>,
    experiment: Option<Trial>,
    /// Conditions on attributes, and the place of the version of each.
    rules: Vec<(Condition, usize)>,
    /// The places of the versions that get copies, and the share of each.
    shadows: Vec<(usize, f64)>,
    /// The versions that answer when they are named.
    by_name: HashMap<VersionName, usize>,
}

/// A running experiment, whose weights rule over its enrolled units.
#[derive(Debug)]
struct Trial {
    key: (ExperimentKey, ExperimentId),
    enrolment: f64,
    audience: Option<Condition>,
    /// `v1`, `enroll` and the salt of the experiment.
    prefix: Prefix,
    /// The control first.
    arms: Vec<Arm>,
    /// Draws an arm, or one place beyond them who is not enrolled.
    table: AliasTable,
}

/// A hash that all units share.
struct Prefix(Hash);

impl std::fmt::Debug for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prefix")
    }
}

/// An active version with a weight.
struct Arm {
    version: usize,
    propensity: f64,
    /// `v1`, `arm`, salt and `model_id`, hashed once for all units.
    prefix: Hash,
}

impl std::fmt::Debug for Arm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Arm({} at {})", self.version, self.propensity)
    }
}

impl Routes {
    /// Prepares the routes of a model.
    pub fn new(traffic: ModelTraffic) -> Self {
        let total = traffic.total_weight();
        let active = traffic
            .versions
            .iter()
            .enumerate()
            .filter(|(_, v)| v.status == VersionStatus::Active);
        let (mut arms, resting): (Vec<Arm>, Vec<Arm>) = active
            .map(|(version, v)| Arm {
                version,
                propensity: if total > 0.0 {
                    v.weight.get() / total
                } else {
                    0.0
                },
                prefix: arm_prefix(&traffic.salt, &v.model_id.to_string()),
            })
            .partition(|arm| traffic.versions[arm.version].weight > Percent::ZERO);
        // Equal scores go to the smaller key (they have never been seen).
        arms.sort_by_key(|arm| traffic.versions[arm.version].model_id);
        let weights: Vec<f64> = arms.iter().map(|arm| arm.propensity).collect();
        let table = (!weights.is_empty()).then(|| AliasTable::new(&weights));
        let experiment = traffic.experiment.as_ref();
        let experiment = experiment.and_then(|experiment| Trial::new(experiment, &traffic));
        let answering = traffic.versions.iter().enumerate();
        let answering = answering.filter(|(_, v)| v.status.answers());
        let by_name: HashMap<VersionName, usize> =
            answering.map(|(at, v)| (v.version.clone(), at)).collect();
        // One whose version answers nothing rests.
        let rules = traffic.rules.iter().filter_map(|rule| {
            let version = by_name.get(&rule.version)?;
            Some((rule.when.clone(), *version))
        });
        let rules = rules.collect();
        let shadows = traffic
            .versions
            .iter()
            .enumerate()
            .filter_map(|(at, version)| {
                let copies = version.status.answers() && version.shadow > Percent::ZERO;
                copies.then(|| (at, version.shadow.get() / 100.0))
            });
        let shadows = shadows.collect();
        Self {
            traffic,
            shadows,
            arms,
            resting,
            table,
            experiment,
            rules,
            by_name,
        }
    }

    /// The traffic these routes were made from.
    pub fn traffic(&self) -> &ModelTraffic {
        &self.traffic
    }

    /// Whether any version gets copies of requests.
    pub fn has_shadows(&self) -> bool {
        !self.shadows.is_empty()
    }

    /// The places of the versions that get a copy of a request, for which another one was chosen: each by its own share,
    /// independently of the others and of the choice.
    pub fn shadows(&self, chosen: usize, random: u64) -> impl Iterator<Item = usize> {
        let shadows = self.shadows.iter().enumerate();
        shadows.filter_map(move |(number, (version, share))| {
            let own = unit_interval(mixed(random, number as u64));
            (*version != chosen && own < *share).then_some(*version)
        })
    }

    /// Whether requests that name no version are answered.
    pub fn is_active(&self) -> bool {
        !self.arms.is_empty()
    }

    /// Chooses a version: the one that was asked for, else by the first rule that is met, else by the running experiment,
    /// else by the weights. A unit always gets the same version while the weights stay the same; without a unit, `random`
    /// decides.
    ///
    /// # Errors
    /// When the version asked for does not answer, or no version is active.
    pub fn assign(
        &self,
        pinned: Option<&str>,
        unit: Option<&str>,
        attributes: &Attributes,
        random: u64,
    ) -> Result<Assignment, NoVersion> {
        if let Some(pinned) = pinned {
            let version = self.by_name.get(pinned).ok_or(NoVersion::NotAnswering)?;
            return Ok(self.certain(*version, Reason::Pinned));
        }
        let mut rules = self.rules.iter();
        if let Some((_, version)) = rules.find(|(when, _)| when.is_met(attributes)) {
            return Ok(self.certain(*version, Reason::Rule));
        }
        if let Some(experiment) = &self.experiment {
            return Ok(experiment.assign(unit, attributes, random, self.traffic.epoch));
        }
        let Some(table) = &self.table else {
            return Err(NoVersion::NoneActive);
        };
        let arm = match unit {
            Some(unit) => rendezvous(&self.arms, unit),
            None => &self.arms[table.draw(random)],
        };
        Ok(Assignment {
            version: arm.version,
            propensity: arm.propensity,
            reason: Reason::Weights,
            epoch: self.traffic.epoch,
            experiment: None,
        })
    }

    /// Nothing is left to chance.
    fn certain(&self, version: usize, reason: Reason) -> Assignment {
        Assignment {
            version,
            propensity: 1.0,
            reason,
            epoch: self.traffic.epoch,
            experiment: None,
        }
    }

    /// Whether another version would answer when the chosen one fails, of those that can be called.
    pub fn has_fallbacks(
        &self,
        assignment: &Assignment,
        is_callable: impl Fn(usize) -> bool,
    ) -> bool {
        let mut active = self.arms.iter().chain(&self.resting);
        self.traffic.fallback
            && assignment.reason != Reason::Pinned
            && active.any(|arm| arm.version != assignment.version && is_callable(arm.version))
    }

    /// Who answers when the chosen version failed: the other active versions, best first by the
    /// hash of the unit, so that the same unit falls back to the same version; those without a weight
    /// come last. A request that named its version has no fallback: it asked for that version and no other.
    pub fn fallbacks(&self, assignment: &Assignment, unit: &str) -> Vec<usize> {
        if !self.has_fallbacks(assignment, |_| true) {
            return Vec::new();
        }
        let best_first = |arms: &[Arm], weight: fn(&Arm) -> f64| {
            let others = arms.iter().filter(|arm| arm.version != assignment.version);
            let mut scored: Vec<(f64, usize)> = others
                .map(|arm| (score(&arm.prefix, unit, weight(arm)), arm.version))
                .collect();
            scored.sort_by(|a, b| a.0.total_cmp(&b.0));
            scored.into_iter().map(|(_, version)| version)
        };
        let weighted = best_first(&self.arms, |arm| arm.propensity);
        weighted.chain(best_first(&self.resting, |_| 1.0)).collect()
    }
}

/// Weighted rendezvous hashing: the arm with the smallest −ln(u)/w, which is each arm with
/// probability w/Σw because −ln(u) is exponential (Efraimidis and Spirakis, Information Processing
/// Letters 97, 2006). A unit moves only between arms whose ratio of weights moves.
/// Random bits of their own for each number (the finalizer of SplitMix64: G. Steele, D. Lea, C. Flood, 2014).
fn mixed(random: u64, number: u64) -> u64 {
    let mut bits = random.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn rendezvous<'a>(arms: &'a [Arm], unit: &str) -> &'a Arm {
    let mut best = &arms[0];
    let mut best_score = f64::INFINITY;
    for arm in arms {
        let score = arm.score(unit);
        if score < best_score {
            (best, best_score) = (arm, score);
        }
    }
    best
}

impl Trial {
    /// `None` when a version of the experiment is gone, which the catalogue does not allow.
    fn new(experiment: &RunningExperiment, traffic: &ModelTraffic) -> Option<Self> {
        let mut arms = Vec::with_capacity(experiment.shares.len());
        for (key, share) in &experiment.shares {
            let version = traffic.versions.iter().position(|v| v.key == *key)?;
            let model_id = traffic.versions[version].model_id.to_string();
            arms.push(Arm {
                version,
                propensity: *share,
                prefix: arm_prefix(&experiment.salt, &model_id),
            });
        }
        let enrolled = arms.iter().map(|arm| arm.propensity * experiment.enrolment);
        let rest = (1.0 - experiment.enrolment).max(0.0);
        let weights: Vec<f64> = enrolled.chain([rest]).collect();
        Some(Self {
            key: (experiment.key, experiment.id),
            enrolment: experiment.enrolment,
            audience: experiment.audience.clone(),
            prefix: Prefix(Hash::new("v1").part("enroll").part(&experiment.salt)),
            arms,
            table: AliasTable::new(&weights),
        })
    }

    fn assign(
        &self,
        unit: Option<&str>,
        attributes: &Attributes,
        random: u64,
        epoch: i64,
    ) -> Assignment {
        let audience = self.audience.as_ref();
        let arm = match unit {
            _ if audience.is_some_and(|audience| !audience.is_met(attributes)) => None,
            Some(unit) if self.enrols(unit) => Some(rendezvous(&self.arms, unit)),
            Some(_) => None,
            None => self.arms.get(self.table.draw(random)),
        };
        match arm {
            Some(arm) => Assignment {
                version: arm.version,
                propensity: arm.propensity,
                reason: Reason::Experiment,
                epoch,
                experiment: Some(self.key),
            },
            // Who takes no part gets the control.
            None => Assignment {
                version: self.arms[0].version,
                propensity: 1.0,
                reason: Reason::Weights,
                epoch,
                experiment: None,
            },
        }
    }

    /// u of the unit is in (0, 1], so that an enrolment of 1 is everybody.
    fn enrols(&self, unit: &str) -> bool {
        self.enrolment >= 1.0
            || unit_interval(self.prefix.0.clone().part(unit).finish()) < self.enrolment
    }
}

impl Arm {
    fn score(&self, unit: &str) -> f64 {
        score(&self.prefix, unit, self.propensity)
    }
}

/// The parts of an arm's hash that all units share.
fn arm_prefix(salt: &str, arm_key: &str) -> Hash {
    Hash::new("v1").part("arm").part(salt).part(arm_key)
}

fn score(prefix: &Hash, unit: &str, weight: f64) -> f64 {
    let u = unit_interval(prefix.clone().part(unit).finish());
    // libm's logarithm, so that every target gives the same bits.
    -libm::log(u) / weight
}

#[cfg(test)]
mod tests;
