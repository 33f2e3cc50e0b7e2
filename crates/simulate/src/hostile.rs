//! Worlds that are not kind: rare and skewed outcomes, values that come late, outages of one arm. Whole rollouts and fixed
//! experiments are played in them, by the functions that count, judge and decide in production.

use crate::cells::Hostile;
use crate::changing::simulate_changes;
use crate::hostile_bandit::simulate_hostile_bandit;
use crate::law::{Drawn, Law, exponential, poisson};
use crate::ledger::{Gained, Ledger, Valued};
use crate::run::{definition, play_all};
use crate::users::simulate_users;
use crate::world::binomial;
use judge::control::Next;
use judge::limits::{Met, SLOT, Units};
use judge::results::segments;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use types::{
    BuiltIn, Decision, Direction, EvidenceRule, ExperimentDefinition, Finding, Metric, MetricKind,
    MetricName, MetricSums, Missing, Policy, RolloutSettings, SegmentEvidence, SegmentOf,
    Timestamp, VerdictKind,
};

/// What happens beside requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Nothing.
    None,
    /// Outages that hit both arms alike: so many a day, of exponential length with this mean in seconds, in which this
    /// share of the calls fails.
    Shared(f64, f64, f64),
    /// Outages of each arm by itself, likewise.
    Own(f64, f64, f64),
    /// Slow spells of each arm by itself, likewise; the latency is this many times as long.
    Spells(f64, f64, f64),
    /// The logarithm of each arm's latency level wanders by itself: standard deviation and time constant in seconds.
    Wander(f64, f64),
    /// Traffic and error rate follow the hour of the day.
    Days,
    /// From this second on the candidate fails this share of its calls.
    Dies(f64, f64),
}

/// Feedback that takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delays {
    /// The share of predictions that get feedback.
    pub answered: f64,
    /// The share of it that is bad.
    pub bad: f64,
    /// The mean delay of the control's, and of the candidate's, in seconds, exponential.
    pub means: (f64, f64),
    /// The window of the metric in seconds; 0 for none.
    pub window: u64,
    /// Whether only bad outcomes report.
    pub only_bad: bool,
}

/// A rollout in a world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostileRollout {
    /// What people call it.
    pub title: String,
    /// Guardrails with their laws. Those of feedback come at once, and count when their window has passed.
    pub guardrails: Vec<(Metric, Law)>,
    /// What the candidate's values are times the control's: 1 for a harmless one.
    pub ratio: f64,
    /// Requests a second.
    pub rate: f64,
    /// The latency over which a call is `slow`, in milliseconds.
    pub slo_ms: f64,
    /// What happens beside.
    pub trouble: Trouble,
    /// Feedback that takes its time, on a guardrail of its own.
    pub delays: Option<Delays>,
    /// Requests of each step up to 50 %, in place of the default ladder and its soaks.
    pub ladder: Option<[u64; 4]>,
    /// How many. Whoever plays says it, and no file.
    #[serde(skip)]
    pub runs: u64,
    /// Where the randomness begins, likewise.
    #[serde(skip)]
    pub seed: u64,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostileReport {
    /// How many were played.
    pub runs: u64,
    /// The share that went back, or made a claim, by evidence.
    pub found: f64,
    /// Its standard error.
    pub error: f64,
    /// The share that went back by a damage limit.
    pub limited: f64,
    /// The share that reached the end.
    pub promoted: f64,
    /// The candidate's units until it was found by evidence, in the middle.
    pub median_treated: Option<u64>,
    /// Seconds until it went back, by evidence or by a limit, in the middle; units of both arms of a fixed experiment.
    pub median_until: Option<u64>,
    /// The same of nine in ten of all, found or not.
    pub ninth_until: Option<u64>,
    /// Where effects are estimated: the share whose interval held the effect at every look.
    pub coverage: Option<f64>,
    /// The share whose estimate was in its interval at every look.
    pub inside: Option<f64>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Back, or a claim, by evidence.
    Evidence,
    /// Back by a damage limit.
    Limit,
    Promoted,
    /// Neither, when its time was over.
    Open,
}

impl End {
    /// What a decision of the controller ends.
    pub(crate) fn by(next: &Next) -> Option<Self> {
        match next.decision.as_ref()? {
            Decision::RollBack if next.limit.is_some() => Some(Self::Limit),
            Decision::RollBack => Some(Self::Evidence),
            Decision::Promote { .. } => Some(Self::Promoted),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) end: End,
    pub(crate) treated: u64,
    pub(crate) until: u64,
}

pub(crate) fn report(ended: &[Ended]) -> HostileReport {
    let runs = ended.len() as f64;
    let share = |end: End| ended.iter().filter(|run| run.end == end).count() as f64 / runs;
    let sorted = |ends: &[End], of: fn(&Ended) -> u64| {
        let some = ended.iter().filter(|run| ends.contains(&run.end));
        let mut all: Vec<u64> = some.map(of).collect();
        all.sort_unstable();
        all
    };
    let treated = sorted(&[End::Evidence], |run| run.treated);
    let until = sorted(&[End::Evidence, End::Limit], |run| run.until);
    let found = share(End::Evidence);
    HostileReport {
        runs: ended.len() as u64,
        found,
        error: (found * (1.0 - found) / runs).sqrt(),
        limited: share(End::Limit),
        promoted: share(End::Promoted),
        median_treated: treated.get(treated.len() / 2).copied(),
        median_until: until.get(until.len() / 2).copied(),
        ninth_until: until.get((0.9 * runs) as usize).copied(),
        ..HostileReport::default()
    }
}

/// Plays what a world has on `threads` threads.
pub fn simulate_hostile(cell: &Hostile, threads: usize, done: impl Fn() + Sync) -> HostileReport {
    match cell {
        Hostile::Rollout(design) => simulate_hostile_rollout(design, threads, done),
        Hostile::Fixed(design) => simulate_hostile_fixed(design, threads, done),
        Hostile::Users(design) => simulate_users(design, threads, done),
        Hostile::Change(design) => simulate_changes(design, threads, done),
        Hostile::Bandit(design) => simulate_hostile_bandit(design, threads, done),
    }
}

/// Plays a rollout on `threads` threads; the answer does not depend on how many.
fn simulate_hostile_rollout(
    design: &HostileRollout,
    threads: usize,
    done: impl Fn() + Sync,
) -> HostileReport {
    let play = |rng: &mut ChaCha8Rng| Play::new(design, rng).play(rng);
    report(&play_all(design.runs, design.seed, threads, done, play))
}

/// A metric of feedback with the window of a minute, in which values come at once.
pub fn declared(name: &str, kind: MetricKind, direction: Direction) -> Metric {
    let missing = match (kind, direction) {
        (MetricKind::Binary, Direction::Up) => Missing::Failure,
        (MetricKind::Binary, Direction::Down) => Missing::Excluded,
        _ => Missing::Zero,
    };
    Metric {
        name: MetricName::parse(name).expect("a plain name"),
        kind,
        direction,
        window_seconds: 60,
        missing,
        ..BuiltIn::Correct.metric()
    }
}

/// Seconds between two looks.
pub(crate) const TICK: i64 = 30;
/// The longest that a rollout is played, in seconds.
const LONGEST: i64 = 30 * 3600;
/// Outcomes of the control that are known before it starts.
pub(crate) const BEFORE: u64 = 10_000;

/// Outages of one kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outages {
    per_second: f64,
    length: f64,
    next: f64,
    until: f64,
}

impl Outages {
    pub(crate) fn new(per_day: f64, length: f64, rng: &mut ChaCha8Rng) -> Self {
        let per_second = per_day / 86_400.0;
        Self {
            per_second,
            length,
            next: exponential(1.0 / per_second, rng),
            until: -1.0,
        }
    }

    /// How many seconds of a stretch are an outage.
    pub(crate) fn seconds(&mut self, from: f64, to: f64, rng: &mut ChaCha8Rng) -> f64 {
        let mut seconds = (self.until.min(to) - from).max(0.0);
        while self.next < to {
            let ends = self.next + exponential(self.length, rng);
            seconds += ends.min(to) - self.next.max(from.max(self.until));
            self.until = self.until.max(ends);
            self.next += exponential(1.0 / self.per_second, rng);
        }
        seconds.clamp(0.0, to - from)
    }
}

/// Values of feedback that are under way, by the second in which they come.
#[derive(Debug, Clone, Copy)]
struct UnderWay {
    due: i64,
    made: i64,
    epoch: usize,
    arm: usize,
    bad: bool,
}

struct Play<'a> {
    design: &'a HostileRollout,
    ledger: Ledger,
    shared: Option<Outages>,
    own: [Option<Outages>; 2],
    levels: [f64; 2],
    under_way: BTreeMap<i64, Vec<UnderWay>>,
    /// What damage limits count, by guardrail.
    met: Vec<Met>,
    treated: u64,
}

impl<'a> Play<'a> {
    fn new(design: &'a HostileRollout, rng: &mut ChaCha8Rng) -> Self {
        let mut metrics: Vec<Metric> = design.guardrails.iter().map(|(m, _)| m.clone()).collect();
        metrics.extend(design.delays.map(answered));
        let settings = match design.ladder {
            None => RolloutSettings::default(),
            Some(requests) => {
                let steps = vec![1.0, 5.0, 25.0, 50.0, 100.0];
                let seconds = |n: &u64| (*n as f64 / design.rate) as u64;
                let mut soak: Vec<u64> = requests.iter().map(seconds).collect();
                soak.push(u64::from(u32::MAX) / 100);
                RolloutSettings {
                    steps,
                    soak_seconds: soak.iter().map(|s| (*s).min(30_000_000)).collect(),
                    min_units: vec![1],
                    max_step_without_outcomes: 100.0,
                    ..RolloutSettings::default()
                }
            }
        };
        let guardrails: Vec<MetricName> = metrics.iter().map(|m| m.name.clone()).collect();
        // The first metric guards too, and decides nothing beside it.
        let definition = ExperimentDefinition {
            policy: Policy::Rollout(settings),
            primary_metric: MetricName::parse("nothing").expect("a plain name"),
            guardrails,
            slo_ms: Some(design.slo_ms),
            ..definition(2, metrics)
        };
        let log = design.guardrails.iter().map(|(_, law)| {
            let drawn = law.many(BEFORE, rng);
            let mut all = drawn.others;
            all.resize(all.len() + drawn.zeros as usize, 0.0);
            all
        });
        let mut log: Vec<Vec<f64>> = log.collect();
        log.extend(design.delays.map(|_| Vec::new()));
        let met = design.guardrails.iter();
        let met = met.map(|(metric, _)| Met::new(definition.tolerated_ratio(metric)));
        let met = met.collect();
        let own = |rng: &mut ChaCha8Rng| match design.trouble {
            Trouble::Own(per_day, length, _) | Trouble::Spells(per_day, length, _) => {
                Some(Outages::new(per_day, length, rng))
            }
            _ => None,
        };
        Self {
            design,
            ledger: Ledger::new(definition, log),
            shared: match design.trouble {
                Trouble::Shared(per_day, length, _) => Some(Outages::new(per_day, length, rng)),
                _ => None,
            },
            own: [own(rng), own(rng)],
            levels: [0.0; 2],
            under_way: BTreeMap::new(),
            met,
            treated: 0,
        }
    }

    fn play(mut self, rng: &mut ChaCha8Rng) -> Ended {
        let longest = match self.design.ladder {
            None => LONGEST,
            Some(requests) => (requests.iter().sum::<u64>() as f64 / self.design.rate) as i64,
        };
        let mut now = 0;
        while now < longest {
            now += SLOT;
            self.draw(now, rng);
            if self
                .met
                .iter()
                .any(|met| met.passed(now, Units::Own).is_some())
            {
                return self.ended(End::Limit, now);
            }
            if now % TICK != 0 {
                continue;
            }
            self.arrive(now);
            let next = self.ledger.look(Timestamp::from_micros(now * 1_000_000));
            if let Some(end) = End::by(&next) {
                return self.ended(end, now);
            }
        }
        self.ended(End::Open, now)
    }

    fn ended(&self, end: End, now: i64) -> Ended {
        Ended {
            end,
            treated: self.treated,
            until: now as u64,
        }
    }

    /// The requests of a slot.
    fn draw(&mut self, now: i64, rng: &mut ChaCha8Rng) {
        let design = self.design;
        let (from, to) = ((now - SLOT) as f64, now as f64);
        let sin = (2.0 * std::f64::consts::PI * from / 86_400.0).sin();
        let days = design.trouble == Trouble::Days;
        let traffic = if days { 1.0 + 0.8 * sin } else { 1.0 };
        let all = poisson(design.rate * traffic * SLOT as f64, rng);
        let treated = binomial(all, self.ledger.experiment.shares[1], rng);
        self.treated += treated;
        let shared = self
            .shared
            .as_mut()
            .map_or(0.0, |o| o.seconds(from, to, rng));
        if let Trouble::Wander(sd, time) = design.trouble {
            let keep = (-(SLOT as f64) / time).exp();
            for level in &mut self.levels {
                let noise = Law::Normal(0.0, sd * (1.0 - keep * keep).sqrt()).one(rng);
                *level = keep * *level + noise;
            }
        }
        for (arm, units) in [(0, all - treated), (1, treated)] {
            self.ledger.expose(arm, units, now - 1);
            let own = self.own[arm]
                .as_mut()
                .map_or(0.0, |o| o.seconds(from, to, rng));
            let out = match design.trouble {
                Trouble::Shared(_, _, fail) => fail * shared / SLOT as f64,
                Trouble::Own(_, _, fail) => fail * own / SLOT as f64,
                Trouble::Dies(at, share) if arm == 1 && to > at => share,
                _ => 0.0,
            };
            // Failures of an outage come together.
            let failed = binomial(units, out, rng);
            let slow = match design.trouble {
                Trouble::Spells(_, _, factor) => {
                    Some((binomial(units, own / SLOT as f64, rng), factor))
                }
                _ => None,
            };
            let level = self.levels[arm].exp();
            for (metric, (declared, law)) in design.guardrails.iter().enumerate() {
                let law = if arm == 1 {
                    law.times(design.ratio)
                } else {
                    *law
                };
                let law = if days {
                    law.times(1.0 - 0.72 * sin)
                } else {
                    law
                };
                self.guardrail(
                    (arm, metric),
                    declared,
                    law,
                    (units, failed),
                    (level, slow),
                    now,
                    rng,
                );
            }
            if let Some(delays) = design.delays {
                self.feedback(arm, units, delays, now, rng);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one place calls it")]
    fn guardrail(
        &mut self,
        (arm, metric): (usize, usize),
        declared: &Metric,
        law: Law,
        (units, failed): (u64, u64),
        (level, slow): (f64, Option<(u64, f64)>),
        now: i64,
        rng: &mut ChaCha8Rng,
    ) {
        let drawn = match (declared.built_in(), law) {
            (Some(BuiltIn::Error), law) => {
                let mut drawn = law.many(units - failed, rng);
                drawn
                    .others
                    .extend(std::iter::repeat_n(1.0, failed as usize));
                drawn
            }
            (Some(BuiltIn::Slow), Law::Latency(base)) => {
                let (spelled, factor) = slow.unwrap_or((0, 1.0));
                let mut all = Law::Latency(base * level).many(units - spelled, rng).others;
                all.extend(
                    Law::Latency(base * level * factor)
                        .many(spelled, rng)
                        .others,
                );
                let over = all
                    .iter()
                    .filter(|latency| **latency > self.design.slo_ms)
                    .count();
                Drawn {
                    zeros: units - over as u64,
                    others: vec![1.0; over],
                }
            }
            (_, Law::Latency(base)) => {
                let (spelled, factor) = slow.unwrap_or((0, 1.0));
                let mut drawn = Law::Latency(base * level).many(units - spelled, rng);
                drawn.others.extend(
                    Law::Latency(base * level * factor)
                        .many(spelled, rng)
                        .others,
                );
                drawn
            }
            (_, law) => law.many(units, rng),
        };
        if declared.rule() == EvidenceRule::Events {
            let share = self.ledger.experiment.shares[1];
            let bad = drawn.others.len() as u64;
            self.met[metric].add(now - 1, share, arm == 1, units, bad);
        }
        self.ledger
            .worth(arm, metric, now - 1, drawn.zeros, &drawn.others);
    }

    /// Feedback on predictions of this tick, which comes later.
    fn feedback(&mut self, arm: usize, units: u64, delays: Delays, now: i64, rng: &mut ChaCha8Rng) {
        let share = if delays.only_bad {
            delays.answered * delays.bad
        } else {
            delays.answered
        };
        let mean = if arm == 0 {
            delays.means.0
        } else {
            delays.means.1
        };
        let epoch = self.ledger.epoch();
        for _ in 0..binomial(units, share, rng) {
            let bad = delays.only_bad || rng.random::<f64>() < delays.bad;
            let due = now + exponential(mean, rng) as i64;
            self.under_way.entry(due).or_default().push(UnderWay {
                due,
                made: now,
                epoch,
                arm,
                bad,
            });
        }
    }

    /// Feedback that comes until now.
    fn arrive(&mut self, now: i64) {
        let Some(delays) = self.design.delays else {
            return;
        };
        let metric = self.design.guardrails.len();
        let later = self.under_way.split_off(&(now + 1));
        let come = std::mem::replace(&mut self.under_way, later);
        for value in come.into_values().flatten() {
            let one = f64::from(!value.bad);
            let sums = MetricSums {
                units: 1,
                count: 1,
                sum: one,
                sum_squares: one,
                sum_count_squares: 1.0,
                sum_products: one,
                values: 1,
                value_units: 1,
                fresh_values: 1,
                events: u64::from(value.bad),
                ..MetricSums::default()
            };
            let in_time = delays.window == 0 || value.due - value.made <= delays.window as i64;
            if in_time {
                let place = (value.arm, metric);
                let gained = Gained {
                    sums,
                    ..Gained::default()
                };
                self.ledger.expect(value.epoch, place, value.made, &gained);
            }
        }
    }
}

/// The metric of feedback that takes its time.
fn answered(delays: Delays) -> Metric {
    Metric {
        name: MetricName::parse("answered").expect("a plain name"),
        window_seconds: delays.window,
        ..BuiltIn::Correct.metric()
    }
}

/// A fixed experiment in a world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostileFixed {
    /// What people call it.
    pub title: String,
    /// The primary metric.
    pub metric: Metric,
    /// Its law in the control, and in the candidate.
    pub laws: (Law, Law),
    /// The candidate's share.
    pub share: f64,
    /// Units of both arms when it ends.
    pub units: u64,
    /// Whether the control has a log.
    pub log: bool,
    /// How values go with what is known of a unit before, where that is the metric's covariate.
    pub correlation: Option<f64>,
    /// How many segments of equal size it has; with several a claim in any of them is one.
    pub segments: u64,
    /// How many. Whoever plays says it, and no file.
    #[serde(skip)]
    pub runs: u64,
    /// Where the randomness begins, likewise.
    #[serde(skip)]
    pub seed: u64,
}

/// Plays a fixed experiment on `threads` threads.
fn simulate_hostile_fixed(
    design: &HostileFixed,
    threads: usize,
    done: impl Fn() + Sync,
) -> HostileReport {
    let play = |rng: &mut ChaCha8Rng| play_fixed(design, rng);
    report(&play_all(design.runs, design.seed, threads, done, play))
}

/// Whether something is claimed: of all units, or of one of several segments.
fn claims(ledgers: &mut [Ledger], at: Timestamp) -> bool {
    for ledger in &mut *ledgers {
        ledger.look(at);
    }
    if let [ledger] = ledgers {
        let verdict = ledger.results(at).verdict.kind();
        return matches!(verdict, VerdictKind::Winner | VerdictKind::ControlBetter);
    }
    let segment = |(at, ledger): (usize, &Ledger)| SegmentEvidence {
        dimension: "segment".into(),
        of: SegmentOf::Value(at.to_string()),
        evidence: ledger.evidence.clone(),
    };
    let evidence: Vec<SegmentEvidence> = ledgers.iter().enumerate().map(segment).collect();
    let judged = segments(&ledgers[0].experiment.definition, &evidence, None);
    let metrics = judged.iter().flat_map(|segment| &segment.metrics);
    let mut comparisons = metrics.flat_map(|metric| &metric.comparisons);
    comparisons.any(|found| matches!(found.finding, Finding::Better | Finding::Worse))
}

fn play_fixed(design: &HostileFixed, rng: &mut ChaCha8Rng) -> Ended {
    let mut definition = definition(2, vec![design.metric.clone()]);
    definition.arms[0].weight = 1.0 - design.share;
    definition.arms[1].weight = design.share;
    if design.segments > 1 {
        definition.dimensions = vec!["segment".into()];
    }
    let log = if let Some(correlation) = design.correlation {
        let one = |_| {
            design
                .laws
                .0
                .with_covariate(design.laws.0, correlation, rng)
        };
        (0..BEFORE * u64::from(design.log)).map(one).collect()
    } else if design.log {
        let drawn = design.laws.0.many(BEFORE, rng);
        let mut all = drawn.others;
        all.resize(all.len() + drawn.zeros as usize, 0.0);
        all.into_iter().map(|value| (value, None)).collect()
    } else {
        Vec::new()
    };
    let ledger = || Ledger::with_covariates(definition.clone(), vec![log.clone()]);
    let mut ledgers: Vec<Ledger> = (0..design.segments).map(|_| ledger()).collect();
    let (mut seen, mut now, mut treated) = (0u64, 0i64, 0u64);
    while seen < design.units {
        let batch = if seen == 0 {
            100
        } else {
            100.max(seen * 3 / 100)
        };
        let batch = batch.min(design.units - seen);
        seen += batch;
        now += 120;
        let mut left = batch;
        for (ledger, others) in ledgers.iter_mut().zip((1..=design.segments).rev()) {
            let units = binomial(left, 1.0 / others as f64, rng);
            left -= units;
            let of_candidate = binomial(units, design.share, rng);
            treated += of_candidate;
            for (arm, units, law) in [
                (0, units - of_candidate, design.laws.0),
                (1, of_candidate, design.laws.1),
            ] {
                ledger.expose(arm, units, now - 119);
                if let Some(correlation) = design.correlation {
                    let one = |_| law.with_covariate(design.laws.0, correlation, rng);
                    let units: Vec<Valued> = (0..units).map(one).collect();
                    ledger.worth_with_covariates(arm, 0, now - 119, &units);
                    continue;
                }
                let drawn = law.many(units, rng);
                ledger.worth(arm, 0, now - 119, drawn.zeros, &drawn.others);
            }
        }
        let at = Timestamp::from_micros(now * 1_000_000);
        if claims(&mut ledgers, at) {
            return Ended {
                end: End::Evidence,
                treated,
                until: seen,
            };
        }
    }
    Ended {
        end: End::Open,
        treated,
        until: seen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::hostile_cells;
    use judge::results::results;
    use rand::SeedableRng;

    /// Width of the always-valid interval and of that for one look after an experiment without a difference.
    fn widths(share: f64, correlation: Option<f64>, seed: u64) -> (f64, f64) {
        let title = format!("covariate of correlation .7: normal, share {share}");
        let cells = hostile_cells(&title, 1, 1);
        let Some(crate::cells::Hostile::Fixed(design)) = cells.into_iter().next() else {
            panic!("{title}");
        };
        let mut metric = design.metric.clone();
        if correlation.is_none() {
            metric.covariate = None;
        }
        let mut definition = definition(2, vec![metric]);
        definition.arms[0].weight = 1.0 - share;
        definition.arms[1].weight = share;
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |n: u64| -> Vec<Valued> {
            let one = |_| design.laws.0.with_covariate(design.laws.0, 0.7, rng);
            let units = (0..n).map(one);
            units
                .map(|(value, x)| (value, x.filter(|_| correlation.is_some())))
                .collect()
        };
        let mut ledger = Ledger::with_covariates(definition, vec![draw(10_000)]);
        let candidates = (20_000.0 * share) as u64;
        for (arm, units) in [(0, 20_000 - candidates), (1, candidates)] {
            ledger.expose(arm, units, 0);
            ledger.worth_with_covariates(arm, 0, 0, &draw(units));
        }
        ledger.mature(1000);
        let now = Timestamp::from_micros(1_000_000_000);
        let judged = results(&ledger.experiment, &ledger.evidence, &ledger.history, now);
        let comparison = &judged.metrics[0].comparisons[0];
        let (sequential, fixed) = (
            comparison.sequential.interval.unwrap(),
            comparison.fixed.unwrap().interval,
        );
        (
            sequential.upper - sequential.lower,
            fixed.upper - fixed.lower,
        )
    }

    #[test]
    fn a_covariate_makes_intervals_as_much_narrower_as_it_explains() {
        for share in [0.5, 0.1] {
            let (mut with, mut without) = ((0.0, 0.0), (0.0, 0.0));
            for seed in 0..10 {
                let (a, b) = widths(share, Some(0.7), seed);
                with = (with.0 + a, with.1 + b);
                let (a, b) = widths(share, None, seed);
                without = (without.0 + a, without.1 + b);
            }
            let ratios = (with.0 / without.0, with.1 / without.1);
            // √(1 − .7²).
            for ratio in [ratios.0, ratios.1] {
                assert!((ratio - 0.714).abs() < 0.03, "share {share}: {ratios:?}");
            }
        }
    }
}
