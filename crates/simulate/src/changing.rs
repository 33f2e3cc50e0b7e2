//! Fixed experiments whose effect does not stay: whether that is told, and whether the numbers beside it stay consistent.

use crate::hostile::{BEFORE, HostileReport};
use crate::law::Law;
use crate::ledger::Ledger;
use crate::run::{definition, play_all};
use crate::world::binomial;
use judge::results::Comparison;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use types::{DayEvidence, Metric, Timestamp};

/// How an effect goes, by units of both arms that came before, or by the day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// It stays.
    Constant,
    /// After so many units it is as large the other way.
    Reverses(u64),
    /// It fades away: what is left falls to a third (1/e) in so many units.
    Fades(f64),
    /// It is there on two days of seven only.
    Weekends,
    /// It grows from nothing, and is whole after so many units.
    Grows(u64),
}

impl Course {
    /// Which part of the effect there is.
    fn at(self, units: u64, day: i64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Reverses(after) if units < after => 1.0,
            Self::Reverses(_) => -1.0,
            Self::Fades(units_to_a_third) => (-(units as f64) / units_to_a_third).exp(),
            Self::Weekends => f64::from(day.rem_euclid(7) < 2),
            Self::Grows(whole) => (units as f64 / whole.max(1) as f64).min(1.0),
        }
    }
}

/// A fixed experiment whose effect takes a course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostileChange {
    /// What people call it.
    pub title: String,
    /// The primary metric.
    pub metric: Metric,
    /// Its law in the control.
    pub law: Law,
    /// What is added to the mean of the candidate, where all of the effect is there.
    pub effect: f64,
    /// How it goes.
    pub course: Course,
    /// The candidate's share.
    pub share: f64,
    /// Units of both arms a day.
    pub per_day: u64,
    /// How long it runs.
    pub days: u64,
    /// How many. Whoever plays says it, and no file.
    #[serde(skip)]
    pub runs: u64,
    /// Where the randomness begins, likewise.
    #[serde(skip)]
    pub seed: u64,
}

/// Units of both arms between two looks.
const PEEK: u64 = 100;

/// What became of one.
#[derive(Debug, Clone, Copy)]
struct Played {
    /// Units of both arms when it was told that the effect has changed.
    told: Option<u64>,
    /// Whether the estimate was in its interval at every look.
    inside: bool,
    /// Whether the interval held the average effect so far at every look.
    covered: bool,
}

/// Plays them on `threads` threads. Found is what was told to have changed.
pub(crate) fn simulate_changes(
    design: &HostileChange,
    threads: usize,
    done: impl Fn() + Sync,
) -> HostileReport {
    let played = play_all(design.runs, design.seed, threads, done, |rng| {
        play(design, rng)
    });
    let runs = played.len() as f64;
    let share = |of: fn(&Played) -> bool| played.iter().filter(|p| of(p)).count() as f64 / runs;
    let mut told: Vec<u64> = played.iter().filter_map(|played| played.told).collect();
    told.sort_unstable();
    let found = share(|played| played.told.is_some());
    HostileReport {
        runs: played.len() as u64,
        found,
        error: (found * (1.0 - found) / runs).sqrt(),
        median_until: told.get(told.len() / 2).copied(),
        ninth_until: told.get((0.9 * runs) as usize).copied(),
        coverage: Some(share(|played| played.covered)),
        inside: Some(share(|played| played.inside)),
        ..HostileReport::default()
    }
}

fn play(design: &HostileChange, rng: &mut ChaCha8Rng) -> Played {
    let mut definition = definition(2, vec![design.metric.clone()]);
    definition.arms[0].weight = 1.0 - design.share;
    definition.arms[1].weight = design.share;
    let before = (0..BEFORE).map(|_| design.law.one(rng)).collect();
    let mut ledger = Ledger::new(definition, vec![before]);
    let mut played = Played {
        told: None,
        inside: true,
        covered: true,
    };
    let wait = design.metric.window_seconds as i64 + design.metric.bucket_seconds().unwrap_or(0);
    // The sum of the effects of all units so far, of those that count at each look.
    let (mut effects, mut seen) = (0.0, 0u64);
    while seen < design.days * design.per_day {
        let second = |units: u64| (units as f64 / design.per_day as f64 * 86_400.0) as i64;
        let now = second(seen);
        let effect = design.effect * design.course.at(seen, DayEvidence::of(now));
        let of_candidate = binomial(PEEK, design.share, rng);
        for (arm, units, law) in [
            (0, PEEK - of_candidate, design.law),
            (1, of_candidate, design.law.plus(effect)),
        ] {
            let drawn = law.many(units, rng);
            ledger.expose(arm, units, now);
            ledger.worth(arm, 0, now, drawn.zeros, &drawn.others);
        }
        seen += PEEK;
        effects += effect * PEEK as f64;
        // Each look comes when all that was drawn has matured.
        let look = second(seen).max(now + wait);
        let at = Timestamp::from_micros(look * 1_000_000);
        ledger.look(at);
        let results = ledger.results(at);
        let comparison = &results.metrics[0].comparisons[0];
        note(&mut played, comparison, effects / seen as f64, seen);
    }
    played
}

fn note(played: &mut Played, comparison: &Comparison, average: f64, seen: u64) {
    if comparison.effect_changed() {
        played.told.get_or_insert(seen);
    }
    if let Some(interval) = comparison.sequential.interval {
        let estimate = comparison.difference;
        played.inside &= estimate.is_none_or(|estimate| interval.contains(estimate));
        played.covered &= interval.contains(average);
    }
}

#[cfg(test)]
mod tests {
    use crate::cells::{Hostile, hostile_cells};
    use crate::hostile::{HostileReport, simulate_hostile};

    fn played(title: &str, runs: u64) -> HostileReport {
        let mut cells = hostile_cells(title, runs, 1);
        assert_eq!(
            cells.iter().map(Hostile::title).collect::<Vec<_>>(),
            [title]
        );
        simulate_hostile(&cells.remove(0), 2, || ())
    }

    #[test]
    fn an_effect_that_reverses_is_told_and_one_that_stays_is_not() {
        for (title, least, most) in [
            (
                "the effect reverses after 6,000: clicks 10 % + 10, share 0.5",
                0.8,
                1.0,
            ),
            (
                "the effect reverses after 6,000: normal + .3 sd, share 0.5",
                0.8,
                1.0,
            ),
            ("the effect stays: clicks 10 % + 10, share 0.5", 0.0, 0.05),
            ("the effect stays: clicks 1 %, share 0.05", 0.0, 0.05),
        ] {
            let report = played(title, 30);
            let error = (0.05f64 * 0.95 / 30.0).sqrt();
            let most = if most < 1.0 { most + 3.0 * error } else { most };
            assert!(
                (least..=most).contains(&report.found),
                "{title}: {report:?}"
            );
            assert_eq!(report.inside, Some(1.0), "{title}");
            assert!(
                report.coverage.unwrap() >= 0.95 - 3.0 * error,
                "{title}: {report:?}"
            );
        }
    }
}
