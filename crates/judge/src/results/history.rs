//! What looks leave for the next one: the smallest p-value and the largest evidence of harm, which are as valid as any
//! single look. Intervals are about the effect so far, and are not intersected.

use super::{Comparison, Results};
use crate::sample::Interval;
use types::{Direction, Evidence, Finding, Metric, Timestamp};

/// What earlier looks have shown, so that a decision does not go away when chance swings back: p is evidence against "no
/// effect at any time".
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History(pub Vec<Shown>);

/// What earlier looks have shown of a candidate on a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// The metric, by its place in the definition.
    pub metric: usize,
    /// The candidate.
    pub arm: usize,
    /// The smallest p-value, before any adjustment.
    pub p: f64,
    /// Which way that was: whether the candidate's mean is the greater one.
    pub more: bool,
    /// The interval of the last look.
    pub interval: Option<Interval>,
    /// The largest ln of the e-value that the candidate is worse.
    pub ln_e_harm: Option<f64>,
    /// What was claimed last.
    pub claimed: Option<Claimed>,
    /// Whether the effect has changed since the beginning.
    pub effect_changed: bool,
    /// How far values had been corrected when `p` and `ln_e_harm` were found.
    pub corrected: Corrected,
}

/// Values of a pair of arms that took the place of others, control first, by a look.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Corrected {
    /// How many there were.
    pub replaced: [u64; 2],
    /// So many more of an arm move the sum of its values by less than chance does.
    pub tolerated: [f64; 2],
}

/// Corrections that move the sum of an arm by this part of its standard deviation leave what was shown before as it is: a quarter
/// of it is far from what decides.
const TOLERATED: f64 = 0.25;

impl Corrected {
    /// By now; `spread` is the standard deviation of the sum of each arm's values, which go from 0 to 1.
    pub(super) fn of(evidence: &Evidence, (at, arm): (usize, usize), spread: [f64; 2]) -> Self {
        let replaced = |arm: usize| {
            let all = evidence.corrections.iter();
            let own = all.filter(|of| (of.metric, of.arm) == (at, arm));
            own.map(|of| of.replaced).sum()
        };
        Self {
            replaced: [replaced(0), replaced(arm)],
            tolerated: spread.map(|spread| TOLERATED * spread),
        }
    }

    /// Whether anything was corrected since an earlier look.
    fn is_after(&self, before: &Self) -> bool {
        self.replaced
            .iter()
            .zip(&before.replaced)
            .any(|(now, before)| now > before)
    }

    /// Whether more was corrected since an earlier look than what it has shown can bear. What few values have shown, few corrections
    /// can have made.
    fn exceeds(&self, before: &Self) -> bool {
        (0..2).any(|arm| {
            let since = self.replaced[arm].saturating_sub(before.replaced[arm]);
            since as f64 > self.tolerated[arm].min(before.tolerated[arm])
        })
    }
}

/// That a candidate was better, or worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Claimed {
    /// Which.
    pub finding: Finding,
    /// When a look said so first.
    pub since: Timestamp,
    /// The first look at which it did not hold any more, and why.
    pub until: Option<(Timestamp, Over)>,
}

/// Why a claim does not hold any more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Over {
    /// The effect has changed, and is not on its side now.
    Changed,
    /// The difference was this, which is not on its side.
    Turned(f64),
    /// Values were corrected: so many, or by so much, that what was shown before does not count any more.
    Corrected,
}

impl Shown {
    fn of(metric: usize, comparison: &Comparison) -> Self {
        Self {
            metric,
            arm: comparison.arm,
            p: comparison.sequential.p,
            more: comparison.sequential.more,
            interval: comparison.sequential.interval,
            ln_e_harm: comparison.ln_e_harm,
            claimed: comparison.claimed,
            effect_changed: comparison.effect_changed() || comparison.change_was_told,
            corrected: comparison.kept_of.unwrap_or(comparison.corrected),
        }
    }
}

impl Claimed {
    /// Whether it is that the candidate's mean is the greater one.
    pub(super) fn more(&self, metric: &Metric) -> bool {
        (self.finding == Finding::Better) == (metric.direction == Direction::Up)
    }
}

impl Comparison {
    /// Whether the effect has changed since the beginning.
    pub fn effect_changed(&self) -> bool {
        let by_day = self.by_day.as_ref();
        by_day.is_some_and(|days| days.change.is_some())
    }

    pub(super) fn remember(&mut self, shown: &Shown) {
        self.claimed = shown.claimed;
        self.change_was_told = shown.effect_changed;
        let sequential = &mut self.sequential;
        // What was shown with values that were corrected since does not count any more: where they are many, and where intervals
        // have nothing in common. Whoever forgets claims less, so the claims that are left hold. Without a correction it is the
        // effect that has changed: what was shown of it stays.
        let pair = sequential.interval.zip(shown.interval);
        let is_elsewhere =
            pair.is_some_and(|(now, before)| now.lower > before.upper || now.upper < before.lower);
        let is_corrected = self.corrected.is_after(&shown.corrected);
        if self.corrected.exceeds(&shown.corrected) || is_corrected && is_elsewhere {
            self.was_corrected = true;
            return;
        }
        if shown.p < sequential.p {
            (sequential.p, sequential.more) = (shown.p, shown.more);
            self.kept_of = Some(shown.corrected);
        }
        if let Some(before) = shown.ln_e_harm
            && self.ln_e_harm.is_none_or(|now| before > now)
        {
            self.ln_e_harm = Some(before);
            self.kept_of = Some(shown.corrected);
        }
    }

    /// What was claimed by an earlier look and holds.
    pub(super) fn standing(&self, metric: &Metric) -> Option<Finding> {
        let claimed = self.claimed.filter(|claimed| claimed.until.is_none())?;
        self.over(metric, &claimed)
            .is_none()
            .then_some(claimed.finding)
    }

    /// Why a claim does not hold now.
    fn over(&self, metric: &Metric, claimed: &Claimed) -> Option<Over> {
        let against = self.against(claimed.more(metric));
        against.or(self.was_corrected.then_some(Over::Corrected))
    }

    /// Notes what is claimed at a moment, or that what was does not hold any more.
    pub(super) fn note_claim(&mut self, metric: &Metric, now: Timestamp) {
        let is_claim = matches!(self.finding, Finding::Better | Finding::Worse);
        match self.claimed {
            Some(known) if known.until.is_none() && known.finding == self.finding => {}
            _ if is_claim => {
                self.claimed = Some(Claimed {
                    finding: self.finding,
                    since: now,
                    until: None,
                });
            }
            Some(known) if known.until.is_none() => {
                let why = self.over(metric, &known).unwrap_or(Over::Corrected);
                self.claimed = Some(Claimed {
                    until: Some((now, why)),
                    ..known
                });
            }
            _ => {}
        }
    }
}

impl History {
    /// The same without changes of an effect that had not been told: a later look tells them.
    #[must_use]
    pub fn without_new_changes(mut self, before: &Self) -> Self {
        for shown in &mut self.0 {
            let mut known = before.0.iter();
            let is_known =
                |before: &Shown| (before.metric, before.arm) == (shown.metric, shown.arm);
            shown.effect_changed &= known.any(|before| is_known(before) && before.effect_changed);
        }
        self
    }

    /// Whether an effect has changed that had not in what was shown before.
    pub fn has_new_change(&self, before: &Self) -> bool {
        let changed = |shown: &&Shown| shown.effect_changed;
        let mut now = self.0.iter().filter(changed);
        now.any(|now| {
            let mut known = before.0.iter().filter(changed);
            !known.any(|before| (before.metric, before.arm) == (now.metric, now.arm))
        })
    }
}

impl Results {
    /// What the next look has to remember.
    pub fn history(&self) -> History {
        let each = self
            .metrics
            .iter()
            .enumerate()
            .flat_map(|(metric, result)| {
                let comparisons = result.comparisons.iter();
                comparisons.map(move |comparison| Shown::of(metric, comparison))
            });
        History(each.collect())
    }
}
