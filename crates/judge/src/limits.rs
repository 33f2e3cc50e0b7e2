//! Damage limits of a rollout: they claim nothing, and end it where a candidate is so bad for so long that waiting for
//! evidence would only cost callers. Evidence takes outages as accidents; a limit asks how much has been lost.
//!
//! Requests are counted in slots of 10 seconds. A stretch is ill when the candidate failed at least 8 times, in at least a
//! fifth of its calls, ten times as often as the control in the same stretch, and a likelihood ratio says that this is no
//! chance. Where both fail, nothing is ill: only a ceiling acts then.

use crate::events::{DEFAULT_TAU, EventStage, ln_e_one_sided};
use std::collections::{HashMap, VecDeque};

/// Seconds of a slot.
pub const SLOT: i64 = 10;
/// Slots of an hour.
const HOUR: i64 = 360;
/// The windows in which a candidate is ill and stays ill, in minutes: each has six parts.
const WINDOWS: [i64; 6] = [3, 4, 5, 10, 30, 60];
/// Minutes that may be accidents.
pub(crate) const ACCIDENTS: usize = 5;
/// Bad requests beyond what the control's rate promises.
pub(crate) const BUDGET: f64 = 100.0;

/// Requests of both arms, and bad ones among them; the control first.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Requests {
    calls: [f64; 2],
    bad: [f64; 2],
    /// The greatest share that was published for the candidate.
    published: f64,
}

impl Requests {
    fn add(&mut self, other: &Self) {
        for arm in 0..2 {
            self.calls[arm] += other.calls[arm];
            self.bad[arm] += other.bad[arm];
        }
        self.published = self.published.max(other.published);
    }

    fn share(&self, arm: usize) -> f64 {
        if self.calls[arm] > 0.0 {
            self.bad[arm] / self.calls[arm]
        } else {
            0.0
        }
    }

    fn is_ill(&self) -> bool {
        let (mine, theirs) = (self.share(1), self.share(0));
        self.bad[1] >= 8.0
            && mine >= 0.2
            && mine >= 10.0 * theirs
            && self.calls[0] >= 1.0
            && self.ln_ratio() >= 16.0
    }

    /// Whether the candidate has more of the bad requests than its published share makes likely, whoever called how often:
    /// a few users who call all the time and are well make the rates of calls differ.
    fn is_beyond_its_share(&self) -> bool {
        let bad = self.bad[0] + self.bad[1];
        let (mine, published) = (self.bad[1] / bad, self.published);
        let of = |count: f64, share: f64, usual: f64| {
            if count > 0.0 {
                count * (share / usual).ln()
            } else {
                0.0
            }
        };
        let ln_ratio =
            of(self.bad[1], mine, published) + of(self.bad[0], 1.0 - mine, 1.0 - published);
        mine > published && ln_ratio >= 16.0
    }

    /// ln of the likelihood ratio of two rates against one.
    fn ln_ratio(&self) -> f64 {
        let all = (self.bad[0] + self.bad[1]) / (self.calls[0] + self.calls[1]);
        let of = |count: f64, own: f64, pooled: f64| {
            if count > 0.0 {
                count * (own / pooled).ln()
            } else {
                0.0
            }
        };
        let arm = |arm: usize| {
            let (bad, good) = (self.bad[arm], self.calls[arm] - self.bad[arm]);
            of(bad, self.share(arm), all) + of(good, 1.0 - self.share(arm), 1.0 - all)
        };
        arm(0) + arm(1)
    }
}

/// Units with bad requests that are told apart in a slot.
const FEW_UNITS: usize = 3;

/// Whose bad requests are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// Each is a unit of its own.
    Own,
    /// They name units, of which each has one.
    Differ,
    /// Units may have several. Those of one user fail together: no budget is counted in calls, the evidence tells it, which
    /// knows how much users vary.
    Return,
}

/// A limit that was passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// It has failed since its first call.
    DeadOnArrival {
        /// Its bad calls, and all of them.
        bad: f64,
        /// Its calls.
        calls: f64,
    },
    /// It is ill, and has been for as long as a window.
    Ill {
        /// The length of the window.
        minutes: i64,
        /// The share of its calls that were bad.
        share: f64,
        /// The same of the control.
        control: f64,
    },
    /// It has had too many bad requests beyond the control's rate, outside its worst minutes.
    Budget {
        /// How many.
        excess: f64,
    },
}

impl Limit {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeadOnArrival { .. } => "dead_on_arrival",
            Self::Ill { .. } => "ill",
            Self::Budget { .. } => "budget",
        }
    }

    /// What happened, after the name of the candidate and of what is counted.
    pub fn say(self, candidate: &str, metric: &str) -> String {
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        let what = match self {
            Self::DeadOnArrival { bad, calls } => {
                format!("{bad:.0} of its {calls:.0} calls so far were bad ({metric})")
            }
            Self::Ill {
                minutes,
                share,
                control,
            } => format!(
                "{} of its calls were bad ({metric}) in the last {minutes} minutes, without a break, against {} of the \
                 control's",
                percent(share),
                percent(control)
            ),
            Self::Budget { excess } => format!(
                "it has had {excess:.0} more bad calls ({metric}) than the control's rate predicts, even without \
                 its five worst minutes"
            ),
        };
        format!("A limit, not a finding: {candidate} goes back because {what}.")
    }
}

/// What a rollout has met of one kind of bad request.
#[derive(Debug, Clone, PartialEq)]
pub struct Met {
    /// A candidate may have so many times the control's rate without that being damage.
    tolerated: f64,
    /// The slot of the first request of the candidate.
    start: Option<i64>,
    /// Everything since then, in the first hour.
    first_hour: Requests,
    /// Slots of the last hour that had requests, oldest first.
    recent: VecDeque<(i64, Requests)>,
    /// Units of the candidate with bad requests, by slot, at most three of each; those of the first hour beside them.
    units: VecDeque<(i64, u64)>,
    first_units: Vec<u64>,
    /// Bad requests by minute and published share, where there were some.
    minutes: HashMap<(i64, u64), [f64; 2]>,
}

impl Met {
    /// Nothing yet, of a guardrail that tolerates so many times the control's rate.
    pub fn new(tolerated: f64) -> Self {
        Self {
            tolerated,
            start: None,
            first_hour: Requests::default(),
            recent: VecDeque::new(),
            units: VecDeque::new(),
            first_units: Vec::new(),
            minutes: HashMap::new(),
        }
    }

    /// Counts requests of an arm at a moment, in seconds, under a published share of the candidate.
    pub fn add(&mut self, seconds: i64, share: f64, candidate: bool, calls: u64, bad: u64) {
        let slot = seconds.div_euclid(SLOT);
        let arm = usize::from(candidate);
        let mut requests = Requests::default();
        (requests.calls[arm], requests.bad[arm]) = (calls as f64, bad as f64);
        requests.published = share;
        if candidate && calls > 0 {
            self.start = Some(self.start.map_or(slot, |start| start.min(slot)));
        }
        if self.start.is_none_or(|start| slot < start + HOUR) {
            self.first_hour.add(&requests);
        }
        // Nearly always the newest one or the one before it: calls end in another order than they began.
        let at = self.recent.iter().rposition(|(known, _)| *known <= slot);
        match at {
            Some(at) if self.recent[at].0 == slot => self.recent[at].1.add(&requests),
            Some(at) => self.recent.insert(at + 1, (slot, requests)),
            None => self.recent.push_front((slot, requests)),
        }
        while let (Some((oldest, _)), Some((newest, _))) = (self.recent.front(), self.recent.back())
            && oldest + HOUR <= *newest
        {
            self.recent.pop_front();
        }
        if bad > 0 {
            let minute = (seconds.div_euclid(60), share.to_bits());
            self.minutes.entry(minute).or_default()[arm] += bad as f64;
        }
    }

    /// Says when the rollout began, in seconds: before any request that is counted here, perhaps.
    pub fn began(&mut self, seconds: i64) {
        self.start = Some(seconds.div_euclid(SLOT));
    }

    /// Says whose a bad request of the candidate was, at a moment in seconds.
    pub fn add_unit(&mut self, seconds: i64, unit: u64) {
        let slot = seconds.div_euclid(SLOT);
        if self.first_units.len() < FEW_UNITS && !self.first_units.contains(&unit) {
            self.first_units.push(unit);
        }
        let of_slot = self.units.iter().filter(|(at, _)| *at == slot);
        let known = of_slot.clone().any(|(_, known)| *known == unit);
        if !known && of_slot.count() < FEW_UNITS {
            self.units.push_back((slot, unit));
        }
        while self
            .units
            .front()
            .is_some_and(|(oldest, _)| oldest + HOUR <= slot)
        {
            self.units.pop_front();
        }
    }

    /// Whether bad requests since a slot are of several users: one who sends what cannot be answered is no outage.
    fn of_several(&self, since: i64) -> bool {
        let mut found: Vec<u64> = Vec::new();
        for (slot, unit) in &self.units {
            if *slot >= since && !found.contains(unit) {
                found.push(*unit);
            }
        }
        found.len() >= FEW_UNITS
    }

    /// The limit that is passed at a moment, in seconds.
    pub fn passed(&self, now: i64, of: Units) -> Option<Limit> {
        let own_units = of == Units::Own;
        // The last one that is over.
        let slot = now.div_euclid(SLOT) - 1;
        let start = self.start?;
        let several = own_units || self.first_units.len() >= FEW_UNITS;
        let dead = self.first_hour.is_ill()
            && self.first_hour.share(1) >= 0.5
            && (own_units || self.first_hour.is_beyond_its_share());
        if slot < start + HOUR && dead && several {
            return Some(Limit::DeadOnArrival {
                bad: self.first_hour.bad[1],
                calls: self.first_hour.calls[1],
            });
        }
        let ill = WINDOWS.iter().find_map(|minutes| {
            let (ill, whole) = self.stays_ill(*minutes, slot)?;
            let several = || self.of_several(slot - 6 * minutes + 1) && whole.is_beyond_its_share();
            (own_units || several()).then_some(ill)
        });
        ill.or_else(|| self.over_budget().filter(|_| of != Units::Return))
    }

    /// A window of so many minutes that ends with a slot: ill as a whole, and in each of its six parts.
    fn stays_ill(&self, minutes: i64, slot: i64) -> Option<(Limit, Requests)> {
        let mut parts = [Requests::default(); 6];
        let first = slot - 6 * minutes + 1;
        for (at, requests) in self.recent.iter().rev() {
            if *at < first {
                break;
            }
            if *at <= slot {
                let part = (at - first) / minutes;
                parts[part as usize].add(requests);
            }
        }
        let mut whole = Requests::default();
        parts.iter().for_each(|part| whole.add(part));
        let share = whole.share(1);
        let each = |part: &Requests| part.bad[1] >= 1.0 && part.share(1) >= 0.5 * share;
        let ill = Limit::Ill {
            minutes,
            share,
            control: whole.share(0),
        };
        (whole.is_ill() && parts.iter().all(each)).then_some((ill, whole))
    }

    fn over_budget(&self) -> Option<Limit> {
        let mut minutes: Vec<(f64, f64, [f64; 2])> = self
            .minutes
            .iter()
            .filter_map(|((_, share), bad)| {
                let share = f64::from_bits(*share);
                let odds = share / (1.0 - share);
                odds.is_finite()
                    .then(|| (bad[1] - self.tolerated * odds * bad[0], share, *bad))
            })
            .collect();
        let excess: f64 = minutes.iter().map(|minute| minute.0).sum();
        if excess < BUDGET {
            return None;
        }
        minutes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let usual = minutes.get(ACCIDENTS..)?;
        let excess: f64 = usual.iter().map(|minute| minute.0).sum();
        if excess < BUDGET {
            return None;
        }
        let mut stages: HashMap<u64, EventStage> = HashMap::new();
        for (_, share, bad) in usual {
            let stage = stages.entry(share.to_bits()).or_insert(EventStage {
                share: *share,
                treated: 0.0,
                control: 0.0,
            });
            stage.treated += bad[1];
            stage.control += bad[0];
        }
        let stages: Vec<EventStage> = stages.into_values().collect();
        let ln_e = ln_e_one_sided(&stages, self.tolerated, DEFAULT_TAU);
        (ln_e >= 1000f64.ln()).then_some(Limit::Budget { excess })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests of so many seconds at ten a second, of which the candidate has a share, with rates of bad ones.
    fn met(from: i64, seconds: i64, share: f64, rates: (f64, f64), met: &mut Met) {
        let mut due = [0.0f64; 2];
        for second in from..from + seconds {
            for (candidate, of, rate) in [(false, 1.0 - share, rates.0), (true, share, rates.1)] {
                let arm = usize::from(candidate);
                due[arm] += 10.0 * of;
                let calls = due[arm].floor();
                due[arm] -= calls;
                let bad = (calls * rate).round();
                met.add(second, share, candidate, calls as u64, bad as u64);
            }
        }
    }

    #[test]
    fn who_is_dead_from_the_first_call_goes_back_and_who_shares_an_outage_does_not() {
        let mut dead = Met::new(1.0);
        met(0, 100, 0.05, (0.0, 1.0), &mut dead);
        assert!(matches!(
            dead.passed(100, Units::Own),
            Some(Limit::DeadOnArrival { .. })
        ));
        let mut both = Met::new(1.0);
        met(0, 600, 0.05, (1.0, 1.0), &mut both);
        assert_eq!(both.passed(600, Units::Own), None);
        assert_eq!(Met::new(1.0).passed(0, Units::Own), None);
    }

    #[test]
    fn an_outage_of_a_minute_is_an_accident_and_one_that_stays_is_not() {
        let mut one = Met::new(1.0);
        met(0, 4000, 0.2, (0.0, 0.0), &mut one);
        met(4000, 60, 0.2, (0.0, 1.0), &mut one);
        met(4060, 300, 0.2, (0.0, 0.0), &mut one);
        for now in 4060..4360 {
            assert_eq!(one.passed(now, Units::Own), None, "at {now}");
        }
        met(4360, 190, 0.2, (0.0, 1.0), &mut one);
        assert!(matches!(
            one.passed(4550, Units::Own),
            Some(Limit::Ill { minutes: 3, .. })
        ));
    }

    #[test]
    fn what_is_a_little_worse_for_long_uses_up_the_budget() {
        let mut met = Met::new(1.0);
        for second in 0..20_000 {
            met.add(second, 0.5, false, 5, u64::from(second % 20 == 0));
            met.add(second, 0.5, true, 5, u64::from(second % 8 == 0));
        }
        assert!(matches!(
            met.passed(20_000, Units::Own),
            Some(Limit::Budget { .. })
        ));
        assert_eq!(met.passed(20_000, Units::Return), None);
    }

    #[test]
    fn users_who_call_all_the_time_and_are_well_make_nobody_ill() {
        // Three giants of the control make nearly all calls; three in ten of the others' fail with both.
        let mut giants = Met::new(1.0);
        let mut alike = Met::new(1.0);
        for second in 0..600 {
            giants.add(second, 0.05, false, 100, 0);
            giants.add(second, 0.05, false, 4, u64::from(second % 5 != 0));
            giants.add(second, 0.05, true, 1, u64::from(second % 10 < 1));
            giants.add_unit(second, second.unsigned_abs());
            alike.add(second, 0.05, false, 100, u64::from(second % 5 == 0));
            alike.add(second, 0.05, true, 5, 2);
            alike.add_unit(second, second.unsigned_abs());
        }
        assert_eq!(giants.passed(600, Units::Return), None);
        assert!(matches!(
            alike.passed(600, Units::Return),
            Some(Limit::Ill { .. })
        ));
    }
}
