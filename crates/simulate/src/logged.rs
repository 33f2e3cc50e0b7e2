//! Logs whose users come back, evaluated by the function that production evaluates with.

#[cfg(test)]
mod tests {
    use judge::off_policy::{Plan, evaluate};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::BTreeMap;
    use types::{BuiltIn, LoggedGroup, Reason, VersionKey};

    /// One log of users who keep their version and have a rate of their own: does the interval hold the truth?
    fn is_covered(seed: u64, users: u32, share: f64, rates: (f64, f64)) -> bool {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut groups: BTreeMap<(i64, u32), LoggedGroup> = BTreeMap::new();
        for user in 0..users {
            let version = if rng.random::<f64>() < share { 2 } else { 1 };
            let propensity = if version == 2 { share } else { 1.0 - share };
            let rate = rates.0 + (rates.1 - rates.0) * rng.random::<f64>();
            // By a hash, as the store deals them.
            let part = (rand_chacha::ChaCha8Rng::seed_from_u64(u64::from(user)).random::<u64>()
                % 256) as u32;
            let group = groups.entry((version, part)).or_insert(LoggedGroup {
                period: 0,
                epoch: 1,
                reason: Reason::Weights,
                version: VersionKey(version),
                propensity,
                part,
                n: 0,
                sum: 0.0,
                sum_squares: 0.0,
            });
            for _ in 0..rng.random_range(1..40) {
                let value = f64::from(u8::from(rng.random::<f64>() < rate));
                group.n += 1;
                group.sum += value;
                group.sum_squares += value;
            }
        }
        let groups: Vec<LoggedGroup> = groups.into_values().collect();
        let all = Plan::Split(vec![(VersionKey(2), 1.0)]);
        let found = evaluate(&groups, &BuiltIn::Correct.metric(), &all).unwrap();
        let e = &found.estimates;
        let interval = found.interval(e.doubly_robust, e.doubly_robust_error);
        interval.contains(0.5 * (rates.0 + rates.1))
    }

    #[test]
    fn intervals_hold_the_truth_where_few_users_come_often() {
        // Of 600 runs 93 % less 3 standard errors.
        for (users, share, rates) in [
            (300, 0.5, (0.0, 0.6)),
            (2000, 0.5, (0.0, 0.6)),
            (300, 0.25, (0.1, 0.9)),
            (1000, 0.1, (0.0, 0.2)),
            (60, 0.5, (0.0, 0.6)),
            (2000, 0.5, (0.0, 0.002)),
        ] {
            let runs = 600;
            let covered = (0..runs)
                .filter(|seed| is_covered(*seed, users, share, rates))
                .count();
            let share = covered as f64 / runs as f64;
            assert!(
                share >= 0.93 - 3.0 * (0.93f64 * 0.07 / runs as f64).sqrt(),
                "{users} users: {share}"
            );
        }
    }
}
