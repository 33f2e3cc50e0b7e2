//! A/A experiments on a log of one's own: its units, dealt to two equal arms at random, again and again.

use crate::ledger::{Gained, Ledger, Valued};
use crate::run::{definition, play_all};
use evidence::{Delta, Drawn, ExactSum};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use types::{Direction, Finding, Metric, MetricKind, Timestamp};

/// Units of a log, and how they are dealt.
#[derive(Debug, Clone, PartialEq)]
pub struct AaDesign {
    /// The metric, which decides.
    pub metric: Metric,
    /// Of each unit how many of its predictions count, and the sum of their values.
    pub units: Vec<[f64; 2]>,
    /// The candidate's share.
    pub share: f64,
    /// The chance of a false claim that is promised.
    pub alpha: f64,
    /// How many experiments.
    pub runs: u64,
    /// Where the randomness begins.
    pub seed: u64,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq)]
pub struct AaReport {
    /// Experiments.
    pub runs: u64,
    /// Experiments that claimed a difference at some look.
    pub claims: u64,
    /// Experiments whose interval held 0 at every look.
    pub covered: u64,
    /// The width of the last interval, in the middle of all experiments.
    pub median_width: Option<f64>,
    /// Why nothing can be claimed on this metric, where that is so.
    pub silent: Option<String>,
}

struct Played {
    claimed: bool,
    covered: bool,
    known: bool,
    width: Option<f64>,
}

/// Plays a design on `threads` threads; the answer does not depend on how many.
pub fn simulate_aa(design: &AaDesign, threads: usize, done: impl Fn() + Sync) -> AaReport {
    let played = play_all(design.runs, design.seed, threads, done, |rng| {
        play(design, rng)
    });
    let count = |of: fn(&Played) -> bool| played.iter().filter(|played| of(played)).count() as u64;
    let mut widths: Vec<f64> = played.iter().filter_map(|played| played.width).collect();
    widths.sort_by(f64::total_cmp);
    let equal = design.units.windows(2).all(|pair| pair[0] == pair[1]);
    AaReport {
        median_width: widths.get(widths.len() / 2).copied(),
        runs: design.runs,
        claims: count(|played| played.claimed),
        covered: count(|played| played.covered),
        silent: (equal || count(|played| played.known) == 0).then(|| why_silent(design)),
    }
}

fn why_silent(design: &AaDesign) -> String {
    let outcomes: Vec<f64> = design.units.iter().map(|[n, sum]| sum / n).collect();
    let definition = definition(2, vec![design.metric.clone()]);
    if outcomes.windows(2).all(|pair| pair[0] == pair[1]) {
        return types::NoScale::AllEqual.to_string();
    }
    match judge::scales::scale_of(&definition, &design.metric, &outcomes, &[]) {
        Err(why) => why.to_string(),
        Ok(_) => {
            "it has no window, so that more values may always come: declare window_seconds".into()
        }
    }
}

/// The first look, and how many more units come before each later one: 3 %, and a hundred at least.
const PEEK: usize = 100;

fn play(design: &AaDesign, rng: &mut ChaCha8Rng) -> Played {
    let mut definition = definition(2, vec![design.metric.clone()]);
    definition.alpha = design.alpha;
    definition.arms[0].weight = 1.0 - design.share;
    definition.arms[1].weight = design.share;
    let mut units = design.units.clone();
    units.shuffle(rng);
    let log: Vec<Valued> = units.iter().map(|[n, sum]| (sum / n, None)).collect();
    let mut ledger = Ledger::with_covariates(definition, vec![log]);
    let mut played = Played {
        claimed: false,
        covered: true,
        known: false,
        width: None,
    };
    let metric = &design.metric;
    let wait = metric.window_seconds as i64 + metric.bucket_seconds().unwrap_or(0);
    let (mut seen, mut now) = (0, 0i64);
    while seen < units.len() {
        let batch = PEEK.max(seen * 3 / 100).min(units.len() - seen);
        for unit in &units[seen..seen + batch] {
            let arm = usize::from(rng.random::<f64>() < design.share);
            ledger.expose(arm, 1, now);
            let gained = gained(&ledger, metric, arm, *unit);
            ledger.expect(ledger.epoch(), (arm, 0), now, &gained);
        }
        seen += batch;
        now += 120 + wait;
        let at = Timestamp::from_micros(now * 1_000_000);
        ledger.look(at);
        let results = ledger.results(at);
        let found = &results.metrics[0].comparisons[0];
        played.claimed |= matches!(found.finding, Finding::Better | Finding::Worse);
        if let Some(interval) = found.sequential.interval {
            played.known = true;
            played.width = Some(interval.upper - interval.lower);
            played.covered &= interval.contains(0.0);
        }
    }
    played
}

/// What a unit adds that has so many values with this sum.
fn gained(ledger: &Ledger, metric: &Metric, arm: usize, [count, sum]: [f64; 2]) -> Gained {
    let mut sums = Delta::of_unit(count as u64, &ExactSum::from(sum), 1).sums();
    let bad = match metric.direction {
        Direction::Up => sum < count,
        Direction::Down => sum > 0.0,
    };
    sums.events = u64::from(metric.kind == MetricKind::Binary && bad);
    Gained {
        sums,
        bets: ledger.terms().of_unit(0, Drawn::fresh(arm), sum / count),
        ..Gained::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostile::declared;
    use crate::law::Law;
    use rand::SeedableRng;

    fn played(metric: Metric, unit: impl Fn(&mut ChaCha8Rng) -> [f64; 2]) -> AaReport {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let design = AaDesign {
            metric,
            units: (0..2000).map(|_| unit(&mut rng)).collect(),
            share: 0.5,
            alpha: 0.05,
            runs: 40,
            seed: 1,
        };
        let report = simulate_aa(&design, 2, || ());
        assert_eq!(report, simulate_aa(&design, 1, || ()));
        report
    }

    #[test]
    fn a_log_whose_units_are_dealt_at_random_has_few_false_alarms() {
        let clicks = declared("clicked", MetricKind::Binary, Direction::Up);
        let revenue = declared("revenue", MetricKind::Continuous, Direction::Up);
        let arrivals = types::BuiltIn::Correct.metric();
        for (metric, law) in [
            (clicks, Law::Binary(0.1)),
            (revenue.clone(), Law::Buyers(0.05, 1.5)),
            (arrivals, Law::Binary(0.7)),
        ] {
            let report = played(metric, |rng| [1.0, law.one(rng)]);
            assert!(report.claims <= 6 && report.covered >= 34, "{report:?}");
            assert_eq!(report.silent, None);
        }
        // Users with several values.
        let report = played(revenue, |rng| {
            let n = rng.random_range(1..20);
            let own = Law::Normal(10.0, 5.0).one(rng);
            [f64::from(n), f64::from(n) * own]
        });
        assert!(report.claims <= 6, "{report:?}");
    }

    #[test]
    fn what_nothing_can_be_claimed_of_is_told_by_its_reason() {
        let revenue = Metric {
            missing: types::Missing::Excluded,
            ..declared("revenue", MetricKind::Continuous, Direction::Up)
        };
        let equal = played(revenue.clone(), |_| [1.0, 3.1]);
        assert_eq!(
            (equal.claims, equal.silent.as_deref()),
            (0, Some("all values are equal"))
        );
        let without = Metric {
            window_seconds: 0,
            ..revenue
        };
        let report = played(without, |rng| [1.0, Law::Normal(0.0, 1.0).one(rng)]);
        assert!(report.silent.unwrap().contains("declare window_seconds"));
    }
}
