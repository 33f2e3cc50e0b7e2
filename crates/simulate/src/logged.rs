//! Logs of what was chosen, evaluated by the function that production evaluates with.

#[cfg(test)]
mod tests {
    use judge::bandit::with_floor;
    use judge::off_policy::{Plan, evaluate};
    use judge::thompson::{Posterior, weights};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::BTreeMap;
    use types::{BuiltIn, LoggedGroup, Reason, VersionKey};

    /// Groups of a log, as the store adds them up.
    #[derive(Default)]
    struct Log(BTreeMap<(i64, i64, u32), LoggedGroup>);

    impl Log {
        fn add(&mut self, period: i64, version: usize, share: f64, part: u32, value: f64) {
            let version = version as i64;
            let group = self
                .0
                .entry((period, version, part))
                .or_insert(LoggedGroup {
                    period,
                    epoch: period,
                    reason: Reason::Weights,
                    version: VersionKey(version),
                    propensity: share,
                    part,
                    n: 0,
                    sum: 0.0,
                    sum_squares: 0.0,
                });
            group.n += 1;
            group.sum += value;
            group.sum_squares += value * value;
        }

        /// Whether the interval of what one version for all would have earned holds its rate.
        fn holds(self, version: usize, rate: f64) -> bool {
            let groups: Vec<LoggedGroup> = self.0.into_values().collect();
            let all = Plan::Split(vec![(VersionKey(version as i64), 1.0)]);
            let found = evaluate(&groups, &BuiltIn::Correct.metric(), &all).unwrap();
            let e = &found.estimates;
            let interval = found.interval(e.doubly_robust, e.doubly_robust_error);
            interval.is_some_and(|interval| interval.contains(rate))
        }
    }

    /// By a hash, as the store deals them.
    fn part_of(unit: u64) -> u32 {
        (ChaCha8Rng::seed_from_u64(unit).random::<u64>() % 256) as u32
    }

    /// How many logs: as many as `WEIR_TEST_LOGS` says, for the figures of docs/statistics.md (10,000, in a release build and with
    /// `--nocapture`), else few.
    fn runs(usual: u64) -> u64 {
        let said = std::env::var("WEIR_TEST_LOGS").ok();
        said.and_then(|runs| runs.parse().ok()).unwrap_or(usual)
    }

    #[expect(clippy::print_stdout, reason = "the figures are what it is run for")]
    fn share_of(what: &dyn std::fmt::Debug, runs: u64, holds: impl Fn(u64) -> bool) -> f64 {
        let share = (0..runs).filter(|seed| holds(*seed)).count() as f64 / runs as f64;
        println!("{what:?}: {share:.4} of {runs} logs");
        share
    }

    /// 93 % less three standard errors.
    fn least(runs: u64) -> f64 {
        0.93 - 3.0 * (0.93f64 * 0.07 / runs as f64).sqrt()
    }

    /// One log of users who keep their version and have a rate of their own.
    fn of_users(seed: u64, users: u64, share: f64, rates: (f64, f64)) -> bool {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut log = Log::default();
        for user in 0..users {
            let version = if rng.random::<f64>() < share { 2 } else { 1 };
            let propensity = if version == 2 { share } else { 1.0 - share };
            let rate = rates.0 + (rates.1 - rates.0) * rng.random::<f64>();
            for _ in 0..rng.random_range(1..40) {
                let value = f64::from(u8::from(rng.random::<f64>() < rate));
                log.add(0, version, propensity, part_of(user), value);
            }
        }
        log.holds(2, 0.5 * (rates.0 + rates.1))
    }

    #[test]
    fn intervals_hold_the_truth_where_few_users_come_often() {
        for (users, share, rates) in [
            (300, 0.5, (0.0, 0.6)),
            (2000, 0.5, (0.0, 0.6)),
            (300, 0.25, (0.1, 0.9)),
            (1000, 0.1, (0.0, 0.2)),
            (60, 0.5, (0.0, 0.6)),
            (2000, 0.5, (0.0, 0.002)),
        ] {
            let runs = runs(600);
            let of = (users, share, rates);
            let held = share_of(&of, runs, |seed| of_users(seed, users, share, rates));
            assert!(held >= least(runs), "{users} users: {held}");
        }
    }

    /// How a log was made.
    #[derive(Debug, Clone, Copy)]
    enum Chose {
        Shares([f64; 3]),
        /// A Thompson bandit with a floor.
        Bandit(f64),
    }

    /// One log of 50 periods of calls that are each a unit of their own, asked about one version for all.
    fn of_periods(seed: u64, chose: Chose, rates: [f64; 3], calls: u64, asked: usize) -> bool {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut log = Log::default();
        let mut known = [(0.0, 0.0); 3];
        for period in 0..50 {
            let shares = match chose {
                Chose::Shares(shares) => shares.to_vec(),
                Chose::Bandit(_) if period == 0 => vec![1.0 / 3.0; 3],
                Chose::Bandit(floor) => {
                    let each = known.map(|(ones, n)| Posterior::of_share(ones, n));
                    with_floor(&weights(&each), floor)
                }
            };
            for _ in 0..calls {
                let draw = rng.random::<f64>();
                let arm = usize::from(draw > shares[0]) + usize::from(draw > shares[0] + shares[1]);
                let value = f64::from(u8::from(rng.random::<f64>() < rates[arm]));
                (known[arm].0, known[arm].1) = (known[arm].0 + value, known[arm].1 + 1.0);
                log.add(period, arm, shares[arm], rng.random_range(0..256), value);
            }
        }
        log.holds(asked, rates[asked])
    }

    #[test]
    fn intervals_hold_the_truth_where_successes_are_rare() {
        let rates = [0.001, 0.001, 0.003];
        for (chose, asked) in [
            (Chose::Shares([1.0 / 3.0; 3]), 1),
            (Chose::Shares([0.9, 0.05, 0.05]), 1),
            (Chose::Shares([0.9, 0.05, 0.05]), 2),
            (Chose::Bandit(0.05), 0),
            (Chose::Bandit(0.05), 2),
        ] {
            let runs = runs(150);
            let of = (chose, asked);
            let held = share_of(&of, runs, |seed| of_periods(seed, chose, rates, 400, asked));
            assert!(held >= least(runs), "{chose:?}, {asked}: {held}");
        }
    }
}
