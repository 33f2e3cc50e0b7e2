//! What a unit puts into the bets of an epoch, and their sums: exact whatever the order in which units come, additive
//! over servers, and nothing stays of what is taken away.

use crate::betting::{BETS, Bet, Harm, Scale, Staked, Tolerance};
use crate::exact::ExactSum;
use crate::part::Parts;
use crate::segment::Segments;
use crate::unit::Gain;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use types::{
    BetSums, DaySums, Direction, EvidenceRule, ExperimentDefinition, Metric, MetricKind,
    MetricRole, PredictedSums,
};

/// What is left to chance about the arm of a unit when it is seen in an epoch for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Coin {
    /// It is new to the experiment: each arm has its published share.
    Fresh,
    /// It was seen under other shares, and its hash decides between both arms within what these have left open: it is
    /// the candidate's with this probability, in (0, 1).
    Between(f64),
    /// Nothing: it had to be where it is.
    LeftOut,
}

/// A unit as bets see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// The place of its arm.
    pub arm: usize,
    /// What was left to chance about it.
    pub coin: Coin,
    /// What was known of it before, for the metric; `None` where it is not.
    pub covariate: Option<f64>,
}

impl Drawn {
    /// A unit that is new to the experiment, of which nothing is known.
    pub fn fresh(arm: usize) -> Self {
        Self {
            arm,
            coin: Coin::Fresh,
            covariate: None,
        }
    }
}

/// What a unit has shown of its hash: it was the control's or the candidate's under a share of the candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// The candidate's share.
    pub share: f64,
    /// Whether it was the candidate's.
    pub candidate: bool,
}

impl Coin {
    /// Of a unit that comes to an epoch in which the candidate has `share`, of two arms, by where it was before. Its hash
    /// lies between the largest share under which it was the control's and the smallest under which it was the
    /// candidate's, and anywhere in between alike.
    pub fn between(before: impl IntoIterator<Item = Seen>, share: f64) -> Self {
        let (mut low, mut high, mut fresh) = (0.0f64, 1.0f64, true);
        for seen in before {
            fresh = false;
            if seen.candidate {
                high = high.min(seen.share);
            } else {
                low = low.max(seen.share);
            }
        }
        if fresh {
            Self::Fresh
        } else if low < share && share < high {
            Self::Between((share - low) / (high - low))
        } else {
            Self::LeftOut
        }
    }
}

/// The questions that are asked of a metric: which way is worse, and what is tolerated. A guardrail asks whether the
/// candidate is worse; what may be claimed asks both ways.
pub fn questions(
    definition: &ExperimentDefinition,
    metric: &Metric,
    scale: &Scale,
) -> SmallVec<[(Harm, Tolerance); 3]> {
    let mut asked = SmallVec::new();
    if definition.guardrails.contains(&metric.name) {
        let harm = match metric.direction {
            Direction::Up => Harm::Less,
            Direction::Down => Harm::More,
        };
        let tolerance = match definition.margin(metric) {
            // In units of the scale; halved, because the difference of two large ends is not finite.
            Some(margin) => {
                let width = 0.5 * scale.cap - 0.5 * scale.floor;
                Tolerance::Margin((0.5 * margin / width).min(1.0))
            }
            None if scale.floor == 0.0 => Tolerance::Ratio(definition.tolerated_ratio(metric)),
            None => Tolerance::NONE,
        };
        asked.push((harm, tolerance));
    }
    if definition.role(metric) != MetricRole::Guardrail {
        for harm in [Harm::More, Harm::Less] {
            if !asked.contains(&(harm, Tolerance::NONE)) {
                asked.push((harm, Tolerance::NONE));
            }
        }
    }
    asked
}

/// Whether units put something into bets on a metric. What is known at once, or comes at its own time, is judged by
/// counts of events.
pub fn has_bets(definition: &ExperimentDefinition, metric: &Metric) -> bool {
    match metric.rule() {
        EvidenceRule::Exposures => true,
        EvidenceRule::Events => definition.role(metric) != MetricRole::Guardrail,
        EvidenceRule::Arrivals | EvidenceRule::None => false,
    }
}

/// The candidate's part of what it and the control have together.
pub fn pair_share(shares: &[f64], candidate: usize) -> f64 {
    shares[candidate] / (shares[candidate] + shares[0])
}

/// The terms of all bets of an epoch.
#[derive(Debug, Clone)]
pub struct Terms {
    shares: Vec<f64>,
    /// Releases before there were any wrote none.
    have_scales: bool,
    keeps_parts: bool,
    metrics: Vec<Option<MetricTerms>>,
}

#[derive(Debug, Clone)]
struct MetricTerms {
    scale: Scale,
    binary: bool,
    questions: SmallVec<[(Harm, Tolerance); 3]>,
    /// By candidate and question: the bets on a fresh unit.
    fresh: Vec<Staked>,
    /// Whether units are counted by day, too.
    days: bool,
}

/// So many parts has 1 in sums of numbers from 0 to 1 and of logarithms.
const PARTS: f64 = (1u64 << 60) as f64;

/// A number in whole parts, which add up exactly.
fn parts(number: f64) -> i128 {
    (number * PARTS).round() as i128
}

fn number(parts: i128) -> f64 {
    parts as f64 / PARTS
}

fn staked((harm, tolerance): (Harm, Tolerance), share: f64, centre: f64) -> Staked {
    Staked::of(&Bet {
        harm,
        tolerance,
        share,
        centre,
    })
}

/// What units add to the bets on a metric; corrections can be negative.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Bets {
    /// Fresh units with a 0 or a 1 of a binary metric.
    counted: i64,
    /// Those with a 1.
    ones: i64,
    other: Option<Box<Others>>,
}

/// Units of which counts do not say all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Others {
    units: i64,
    fresh: i64,
    /// Of fresh ones.
    powers: [i128; 3],
    logs: SmallVec<[[i128; BETS]; 2]>,
    beyond: ExactSum,
    /// Where the scale has a line, with z the centre of a unit: Σz, Σz², Σz³, Σgz, Σg²z and Σgz² of fresh ones.
    predicted: Option<Box<[i128; PREDICTED]>>,
}

/// Sums of what is predicted.
const PREDICTED: usize = 6;

impl Terms {
    /// Of an epoch with these shares and scales.
    pub fn new(
        definition: &ExperimentDefinition,
        shares: &[f64],
        scales: &[Option<Scale>],
    ) -> Self {
        Self::of(definition, shares, scales, true)
    }

    /// Of an epoch that was opened by a release that kept no days and no parts.
    pub fn without_parts(
        definition: &ExperimentDefinition,
        shares: &[f64],
        scales: &[Option<Scale>],
    ) -> Self {
        Self::of(definition, shares, scales, false)
    }

    fn of(
        definition: &ExperimentDefinition,
        shares: &[f64],
        scales: &[Option<Scale>],
        with_parts: bool,
    ) -> Self {
        let fits = shares.len() == definition.arms.len();
        let metrics = definition.metrics.iter().enumerate().map(|(at, metric)| {
            let scale = scales.get(at).copied().flatten();
            let has_bets = has_bets(definition, metric);
            let days = with_parts && definition.keeps_days(metric);
            let usable = |scale: &Scale| fits && scale.is_one() && (has_bets || days);
            let scale = scale.filter(usable)?;
            let questions = if has_bets {
                questions(definition, metric, &scale)
            } else {
                SmallVec::new()
            };
            let staked = |candidate: usize| {
                let share = pair_share(shares, candidate);
                let of = move |question: &(Harm, Tolerance)| staked(*question, share, scale.centre);
                questions.iter().map(of).collect::<Vec<Staked>>()
            };
            Some(MetricTerms {
                fresh: (1..shares.len()).flat_map(staked).collect(),
                scale,
                binary: metric.kind == MetricKind::Binary,
                questions,
                days,
            })
        });
        Self {
            metrics: metrics.collect(),
            shares: shares.to_vec(),
            have_scales: !scales.is_empty(),
            keeps_parts: with_parts,
        }
    }

    /// The candidate's share, of two arms.
    pub fn share(&self) -> Option<f64> {
        match self.shares[..] {
            [_, candidate] => Some(candidate),
            _ => None,
        }
    }

    /// Whether the epoch was opened by a release that knows of scales.
    pub fn have_scales(&self) -> bool {
        self.have_scales
    }

    /// Whether sums are kept by parts of the units, of metrics that have them.
    pub fn keeps_parts(&self) -> bool {
        self.keeps_parts
    }

    /// What a gain of a unit in these segments changes in the sums by parts, where they are kept for the metric at a place of the
    /// definition: values count up to the cap of the scale, and down to its floor.
    pub fn parts(
        &self,
        segments: &Segments,
        (definition, at): (&ExperimentDefinition, usize),
        gain: &Gain,
    ) -> Parts {
        let part = segments.part(definition, &definition.metrics[at]);
        let Some(part) = part.filter(|_| self.keeps_parts) else {
            return Parts::default();
        };
        let mut sum = ExactSum::from(self.within(at, gain.after));
        if let Some(before) = gain.before {
            sum.add(-self.within(at, before));
        }
        Parts::one(part, gain.count as i64, &sum)
    }

    /// A value within floor and cap of the scale, where the metric at a place of the definition has one.
    pub fn within(&self, metric: usize, value: f64) -> f64 {
        match self.metrics.get(metric) {
            Some(Some(terms)) => value.clamp(terms.scale.floor, terms.scale.cap),
            _ => value,
        }
    }

    /// Whether the metric at a place of the definition is counted by day, too.
    pub fn has_days(&self, metric: usize) -> bool {
        let terms = self.metrics.get(metric).and_then(Option::as_ref);
        terms.is_some_and(|terms| terms.days)
    }

    /// Whether each unit has one number for the metric at a place of the definition: there are bets on it, or it is counted
    /// by day.
    pub fn has(&self, metric: usize) -> bool {
        self.metrics.get(metric).is_some_and(Option::is_some)
    }

    /// What a unit of an arm adds with an outcome, in the unit of the metric.
    pub fn of_unit(&self, metric: usize, unit: Drawn, outcome: f64) -> Bets {
        let Some(Some(terms)) = self.metrics.get(metric) else {
            return Bets::default();
        };
        let Drawn {
            arm,
            coin,
            covariate,
        } = unit;
        let fresh = coin == Coin::Fresh;
        let centre = terms.scale.centre_of(covariate);
        // Units of one centre are bet on alike.
        let alike = terms.scale.line.is_none();
        if alike && terms.binary && fresh && (outcome == 0.0 || outcome == 1.0) {
            return Bets {
                counted: 1,
                ones: outcome as i64,
                other: None,
            };
        }
        let g = terms.scale.number(outcome);
        let mut logs = SmallVec::new();
        let pairs = if arm == 0 {
            1..self.shares.len()
        } else {
            arm..arm + 1
        };
        for candidate in pairs {
            match coin {
                Coin::Fresh if alike => {
                    let asked = terms.questions.len();
                    let staked = &terms.fresh[(candidate - 1) * asked..candidate * asked];
                    logs.extend(staked.iter().map(|bet| bet.logs(arm > 0, g).map(parts)));
                }
                Coin::Fresh | Coin::Between(_) => {
                    let share = match coin {
                        Coin::Between(share) => share,
                        _ => pair_share(&self.shares, candidate),
                    };
                    let staked = terms.questions.iter().map(|of| staked(*of, share, centre));
                    logs.extend(staked.map(|bet| bet.logs(arm > 0, g).map(parts)));
                }
                Coin::LeftOut => return Bets::default(),
            }
        }
        let power = |g: f64| if fresh { parts(g) } else { 0 };
        let z = centre;
        let predicted = [z, z * z, z * z * z, g * z, g * g * z, g * z * z];
        let predicted = (!alike).then(|| Box::new(predicted.map(power)));
        let mut beyond = ExactSum::from(outcome);
        beyond.add(-outcome.clamp(terms.scale.floor, terms.scale.cap));
        Bets {
            counted: 0,
            ones: 0,
            other: Some(Box::new(Others {
                units: 1,
                fresh: i64::from(fresh),
                powers: [power(g), power(g * g), power(g * g * g)],
                logs,
                beyond,
                predicted,
            })),
        }
    }
}

impl Terms {
    /// What changes when the outcome of a unit does; `None` is one that it does not have.
    pub fn change(
        &self,
        (metric, unit): (usize, Drawn),
        before: Option<f64>,
        after: Option<f64>,
    ) -> Bets {
        // The logarithms of both cost more than all else that a prediction adds.
        if before == after {
            return Bets::default();
        }
        let of = |outcome: f64| self.of_unit(metric, unit, outcome);
        let mut change = after.map(of).unwrap_or_default();
        if let Some(before) = before {
            change.subtract(&of(before));
        }
        change
    }
}

impl Bets {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.counted == 0
            && self.ones == 0
            && self.other.as_ref().is_none_or(|other| other.is_empty())
    }

    /// Adds what other units have added.
    pub fn add(&mut self, other: &Self) {
        self.shift(other, 1);
    }

    /// Takes away what was added.
    pub fn subtract(&mut self, other: &Self) {
        self.shift(other, -1);
    }

    fn shift(&mut self, other: &Self, sign: i64) {
        self.counted += sign * other.counted;
        self.ones += sign * other.ones;
        let Some(more) = &other.other else { return };
        let own = self.other.get_or_insert_default();
        own.units += sign * more.units;
        own.fresh += sign * more.fresh;
        let sign = i128::from(sign);
        for (power, by) in own.powers.iter_mut().zip(more.powers) {
            *power += sign * by;
        }
        if own.logs.len() < more.logs.len() {
            own.logs.resize(more.logs.len(), [0; BETS]);
        }
        for (logs, by) in own.logs.iter_mut().zip(&more.logs) {
            for (log, by) in logs.iter_mut().zip(by) {
                *log += sign * by;
            }
        }
        if let Some(more) = &more.predicted {
            let own = own.predicted.get_or_insert_default();
            for (sum, by) in own.iter_mut().zip(more.iter()) {
                *sum += sign * by;
            }
        }
        if sign > 0 {
            own.beyond.add_sum(&more.beyond);
        } else {
            own.beyond.subtract_sum(&more.beyond);
        }
        if own.is_empty() {
            self.other = None;
        }
    }

    /// The same of so many times as many units that are alike.
    #[must_use]
    pub fn times(mut self, n: u64) -> Self {
        let factor = i64::try_from(n).unwrap_or(i64::MAX);
        self.counted *= factor;
        self.ones *= factor;
        if let Some(other) = &mut self.other {
            other.units *= factor;
            other.fresh *= factor;
            let wide = i128::from(factor);
            other.powers.iter_mut().for_each(|power| *power *= wide);
            other.logs.iter_mut().flatten().for_each(|log| *log *= wide);
            let predicted = other.predicted.iter_mut();
            predicted
                .flat_map(|sums| sums.iter_mut())
                .for_each(|sum| *sum *= wide);
            let one = std::mem::take(&mut other.beyond);
            other.beyond.add_multiple(&one, factor as f64);
        }
        if n == 0 { Self::default() } else { self }
    }

    /// What of it is kept by day: numbers of fresh units.
    #[must_use]
    pub fn of_day(&self) -> Self {
        let other = self.other.as_ref().map(|other| Others {
            units: other.fresh,
            fresh: other.fresh,
            powers: other.powers,
            ..Others::default()
        });
        Self {
            counted: self.counted,
            ones: self.ones,
            other: other.filter(|other| !other.is_empty()).map(Box::new),
        }
    }

    /// The sums of a day, where these are all of it.
    pub fn day_sums(&self) -> DaySums {
        let sums = self.sums();
        DaySums {
            units: sums.fresh,
            powers: sums.powers,
        }
    }

    /// The sums that have come together, where these are all.
    pub fn sums(&self) -> BetSums {
        let whole = |n: i64| u64::try_from(n).unwrap_or(0);
        let (counted, ones) = (whole(self.counted), whole(self.ones));
        let Some(other) = &self.other else {
            return BetSums {
                units: counted,
                fresh: counted,
                powers: [ones as f64; 3],
                counted,
                ones,
                ..BetSums::default()
            };
        };
        BetSums {
            units: counted + whole(other.units),
            fresh: counted + whole(other.fresh),
            powers: other.powers.map(|power| ones as f64 + number(power)),
            counted,
            ones,
            logs: other.logs.iter().map(|logs| logs.map(number)).collect(),
            beyond: other.beyond.value(),
            predicted: other.predicted.as_ref().map(|sums| {
                let [z, zz, zzz, gz, ggz, gzz] = sums.map(number);
                PredictedSums {
                    powers: [z, zz, zzz],
                    products: [gz, ggz, gzz],
                }
            }),
        }
    }
}

/// [`Bets`] as releases wrote them whose scales had no lines.
#[derive(Debug, Deserialize)]
pub struct WithoutLines {
    counted: i64,
    ones: i64,
    other: Option<OthersWithoutLines>,
}

impl From<WithoutLines> for Bets {
    fn from(old: WithoutLines) -> Self {
        let other = old.other.map(|old| Others {
            units: old.units,
            fresh: old.fresh,
            powers: old.powers,
            logs: old.logs,
            beyond: old.beyond,
            predicted: None,
        });
        Self {
            counted: old.counted,
            ones: old.ones,
            other: other.map(Box::new),
        }
    }
}

#[derive(Debug, Deserialize)]
struct OthersWithoutLines {
    units: i64,
    fresh: i64,
    powers: [i128; 3],
    logs: SmallVec<[[i128; BETS]; 2]>,
    beyond: ExactSum,
}

impl Others {
    fn is_empty(&self) -> bool {
        self.units == 0
            && self.fresh == 0
            && self.powers == [0; 3]
            && self.logs.iter().flatten().all(|log| *log == 0)
            && self.beyond == ExactSum::default()
            && self
                .predicted
                .iter()
                .flat_map(|sums| sums.iter())
                .all(|sum| *sum == 0)
    }
}
