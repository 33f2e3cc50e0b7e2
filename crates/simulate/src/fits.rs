//! What a world must be to be played: worlds come from files, too.

use crate::cells::Hostile;
use crate::changing::{Course, HostileChange};
use crate::hostile::{Delays, HostileFixed, HostileRollout, Trouble};
use crate::hostile_bandit::{HostileBandit, Reward};
use crate::law::Law;
use crate::users::{HostileUsers, Worth};
use std::ops::RangeInclusive;
use types::{BuiltIn, Metric, MetricKind};

/// Calls and units of a run, at most: more would take hours, and memory.
const MANY: f64 = 1e8;
/// Users of a run, at most.
const USERS: RangeInclusive<u64> = 1..=1_000_000;
/// What an experiment has, at most; as in production.
const ARMS: RangeInclusive<usize> = 2..=21;
/// Seconds of a run, at most: a year.
const YEAR: f64 = 366.0 * 86_400.0;

impl Hostile {
    /// Everything that does not fit, each as "field must ...".
    pub fn problems(&self) -> Vec<String> {
        let mut found = Found::default();
        found.need(!self.title().trim().is_empty(), "title must be a name");
        match self {
            Self::Rollout(design) => rollout(design, &mut found),
            Self::Fixed(design) => fixed(design, &mut found),
            Self::Users(design) => users(design, &mut found),
            Self::Change(design) => change(design, &mut found),
            Self::Bandit(design) => bandit(design, &mut found),
        }
        found.0
    }
}

#[derive(Default)]
struct Found(Vec<String>);

impl Found {
    fn need(&mut self, fits: bool, problem: impl Into<String>) {
        if !fits {
            self.0.push(problem.into());
        }
    }

    fn within(&mut self, value: f64, range: RangeInclusive<f64>, field: &str) {
        let (low, high) = (range.start(), range.end());
        self.need(
            range.contains(&value),
            format!("{field} must be from {low} to {high}"),
        );
    }

    /// A share of a whole that has two parts.
    fn share(&mut self, share: f64, field: &str) {
        let fits = share > 0.0 && share < 1.0;
        self.need(fits, format!("{field} must be above 0 and below 1"));
    }

    fn law(&mut self, law: Law, field: &str) {
        match law {
            Law::Binary(rate) => self.within(rate, 0.0..=1.0, &format!("{field}: the rate")),
            Law::Buyers(rate, sigma) => {
                self.within(rate, 0.0..=1.0, &format!("{field}: the share that buys"));
                self.within(sigma, 0.0..=5.0, &format!("{field}: sigma"));
            }
            Law::Lognormal(sigma) => self.within(sigma, 0.0..=5.0, &format!("{field}: sigma")),
            Law::Pareto(tail) => self.within(tail, 1.01..=100.0, &format!("{field}: the tail")),
            Law::Poisson(mean) => self.within(mean, 0.0..=1e6, &format!("{field}: the mean")),
            Law::Normal(mean, sd) => {
                self.within(mean, -1e14..=1e14, &format!("{field}: the mean"));
                self.within(sd, 0.0..=1e14, &format!("{field}: the standard deviation"));
            }
            Law::Constant(value) => {
                self.within(value, -1e14..=1e14, &format!("{field}: the value"))
            }
            Law::Latency(level) => self.within(level, 1e-3..=1e6, &format!("{field}: the level")),
        }
    }

    /// A metric, and whether it can have values of the law.
    fn metric(&mut self, metric: &Metric, law: Law, field: &str) {
        let built_in = BuiltIn::find(metric.name.as_str());
        if let (None, Err(problem)) = (built_in, metric.check()) {
            self.need(false, format!("{field}: {problem}"));
        }
        let fits = match metric.kind {
            MetricKind::Binary if built_in == Some(BuiltIn::Slow) => matches!(law, Law::Latency(_)),
            MetricKind::Binary => matches!(law, Law::Binary(_)),
            MetricKind::Count => matches!(law, Law::Poisson(_) | Law::Binary(_)),
            MetricKind::Continuous => true,
        };
        let kind = match metric.kind {
            MetricKind::Binary => {
                "a binary metric takes the law {\"binary\": RATE}, and `slow` takes {\"latency\": LEVEL}"
            }
            _ => "a count takes the law {\"poisson\": MEAN} or {\"binary\": RATE}",
        };
        self.need(fits, format!("{field}: {kind}"));
    }

    fn outages(&mut self, (per_day, length): (f64, f64), field: &str) {
        self.within(per_day, 0.0..=86_400.0, &format!("{field}: how many a day"));
        self.within(length, 0.0..=86_400.0, &format!("{field}: the mean length"));
    }
}

fn rollout(design: &HostileRollout, found: &mut Found) {
    found.need(
        (1..=20).contains(&design.guardrails.len()) || design.delays.is_some(),
        "guardrails must be from 1 to 20, each [metric, law]",
    );
    for (at, (metric, law)) in design.guardrails.iter().enumerate() {
        let field = format!("guardrails[{at}]");
        found.law(*law, &field);
        found.metric(metric, *law, &field);
        if let Law::Binary(rate) | Law::Buyers(rate, _) = law {
            let fits = rate * design.ratio <= 1.0;
            found.need(
                fits,
                format!("{field}: the rate times ratio must be at most 1"),
            );
        }
    }
    found.within(design.ratio, 0.0..=1000.0, "ratio");
    found.within(design.rate, 1e-3..=1000.0, "rate");
    found.within(design.slo_ms, 1e-3..=1e9, "slo_ms");
    match design.trouble {
        Trouble::None | Trouble::Days => {}
        Trouble::Shared(per_day, length, share) | Trouble::Own(per_day, length, share) => {
            found.outages((per_day, length), "trouble");
            found.within(share, 0.0..=1.0, "trouble: the share that fails");
        }
        Trouble::Spells(per_day, length, times) => {
            found.outages((per_day, length), "trouble");
            found.within(times, 1e-3..=1e6, "trouble: how many times as long");
        }
        Trouble::Wander(sd, time) => {
            found.within(sd, 0.0..=5.0, "trouble: the standard deviation");
            found.within(time, 1.0..=YEAR, "trouble: the time constant");
        }
        Trouble::Dies(at, share) => {
            found.within(at, 0.0..=YEAR, "trouble: the second");
            found.within(share, 0.0..=1.0, "trouble: the share that fails");
        }
    }
    if let Some(late) = design.delays {
        delays(late, found);
    }
    if let Some(ladder) = design.ladder {
        let fits = ladder
            .iter()
            .all(|requests| (1..=10_000_000).contains(requests));
        found.need(fits, "ladder must be four numbers from 1 to 10000000");
    }
}

fn delays(late: Delays, found: &mut Found) {
    found.within(late.answered, 0.0..=1.0, "delays.answered");
    found.within(late.bad, 0.0..=1.0, "delays.bad");
    found.within(late.means.0, 0.0..=YEAR, "delays.means[0]");
    found.within(late.means.1, 0.0..=YEAR, "delays.means[1]");
    found.within(late.window as f64, 0.0..=YEAR, "delays.window");
}

fn fixed(design: &HostileFixed, found: &mut Found) {
    let (control, candidate) = design.laws;
    found.law(control, "laws[0]");
    found.law(candidate, "laws[1]");
    found.metric(&design.metric, control, "metric");
    found.metric(&design.metric, candidate, "metric");
    found.share(design.share, "share");
    found.within(design.units as f64, 1.0..=MANY, "units");
    found.within(design.segments as f64, 1.0..=100.0, "segments");
    if let Some(correlation) = design.correlation {
        found.within(correlation, -1.0..=1.0, "correlation");
    }
}

fn users(design: &HostileUsers, found: &mut Found) {
    let fits = USERS.contains(&(design.users as u64));
    found.need(fits, "users must be from 1 to 1000000");
    found.within(design.power, 0.0..=10.0, "power");
    if let Some((giants, share)) = design.giants {
        let fits = giants > 0 && giants < design.users;
        found.need(fits, "giants[0] must be at least 1 and less than users");
        found.share(share, "giants[1]");
    }
    match design.worth {
        Worth::Errors(rate) => {
            found.within(rate, 0.0..=1.0, "worth: the rate");
            let fits = (0.0..=1.0).contains(&(rate * design.harm));
            found.need(
                fits,
                "harm must be at least 0, and leave rates of at most 1",
            );
        }
        Worth::FewMakeMost(rate) => {
            found.within(rate, 0.0..=0.5, "worth: the rate");
            found.within(design.harm, 0.0..=1000.0, "harm");
        }
        Worth::Score => found.within(design.harm, -1e6..=1e6, "harm"),
    }
    if let Some(outages) = design.outages {
        found.outages(outages, "outages");
    }
    found.within(design.rate, 1e-3..=1000.0, "rate");
    let steps = &design.steps;
    let fits = steps.iter().all(|step| *step > 0.0 && *step <= 100.0) && steps.is_sorted();
    found.need(
        fits && steps.len() <= 20,
        "steps must be up to 20 shares in percent that rise, above 0 and at most 100",
    );
    found.within(design.soak as f64, 0.0..=YEAR, "soak");
    found.within(design.seconds as f64, 1.0..=YEAR, "seconds");
    let requests = design.rate * design.seconds as f64;
    found.need(
        requests <= MANY,
        "rate times seconds must be at most 100000000",
    );
}

fn change(design: &HostileChange, found: &mut Found) {
    found.law(design.law, "law");
    found.metric(&design.metric, design.law, "metric");
    found.within(design.effect, -1e14..=1e14, "effect");
    match (design.law, design.effect) {
        (Law::Binary(rate), effect) => {
            let rates = match design.course {
                Course::Reverses(_) => [rate + effect, rate - effect],
                _ => [rate + effect, rate],
            };
            let fits = rates.iter().all(|rate| (0.0..=1.0).contains(rate));
            found.need(fits, "effect must leave rates from 0 to 1");
        }
        (Law::Poisson(_) | Law::Normal(..), _) | (_, 0.0) => {}
        _ => found.need(false, "effect must be 0 with this law"),
    }
    if let Course::Fades(units) = design.course {
        found.within(units, 1.0..=MANY, "course: the units");
    }
    found.share(design.share, "share");
    found.within(design.per_day as f64, 1.0..=MANY, "per_day");
    found.within(design.days as f64, 1.0..=366.0, "days");
    let units = design.per_day as f64 * design.days as f64;
    found.need(
        units <= MANY,
        "per_day times days must be at most 100000000",
    );
}

fn bandit(design: &HostileBandit, found: &mut Found) {
    let arms = match &design.reward {
        Reward::Success(rates, spread) => {
            let fits = rates.iter().all(|rate| *rate > 0.0 && *rate < 1.0);
            found.need(fits, "reward: the rates must be above 0 and below 1");
            found.within(*spread, 0.0..=10.0, "reward: the spread");
            rates.len()
        }
        Reward::Lognormal(means, sigma) => {
            let fits = means.iter().all(|mean| *mean > 0.0 && *mean <= 1e12);
            found.need(fits, "reward: the means must be above 0 and at most 1e12");
            found.within(*sigma, 0.0..=5.0, "reward: sigma");
            means.len()
        }
    };
    found.need(ARMS.contains(&arms), "reward must have from 2 to 21 arms");
    if let Some(users) = design.users {
        let fits = USERS.contains(&(users as u64));
        found.need(
            fits,
            "users must be from 1 to 1000000, or null where each call is a unit of its own",
        );
    }
    found.within(design.rises, 1e-3..=1000.0, "rises");
    if let Reward::Success(rates, _) = &design.reward {
        let fits = rates.iter().all(|rate| rate * design.rises <= 1.0);
        found.need(fits, "rises must leave rates of at most 1");
    }
    found.within(design.calls as f64, 1.0..=1e7, "calls");
    found.within(design.updates as f64, 1.0..=110_000.0, "updates");
    let calls = design.calls as f64 * design.updates as f64;
    found.need(
        calls <= MANY,
        "calls times updates must be at most 100000000",
    );
    if let Some(floor) = design.floor {
        let fits = floor >= 0.0 && floor * (arms as f64) < 1.0;
        found.need(
            fits,
            "floor must be at least 0, and floor times arms below 1",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::hostile_cells;
    use crate::simulate_hostile;

    #[test]
    fn every_world_of_the_documentation_fits_and_is_read_back_as_it_was_written() {
        for cell in hostile_cells("", 1, 1) {
            assert_eq!(cell.problems(), Vec::<String>::new(), "{}", cell.title());
            let text = serde_json::to_string(&cell).unwrap();
            let read: Hostile = serde_json::from_str(&text).unwrap();
            assert_eq!(read.played(1, 1), cell);
        }
    }

    /// Plays a world of the documentation in which some of its text was replaced, if it may be played.
    fn problems(words: &str, from: &str, to: &str) -> Vec<String> {
        let cell = hostile_cells(words, 1, 1).swap_remove(0);
        let text = serde_json::to_string(&cell).unwrap();
        assert!(text.contains(from), "{text}");
        let read = serde_json::from_str::<Hostile>(&text.replacen(from, to, 1));
        let cell = match read {
            Ok(cell) => cell.played(1, 1),
            Err(error) => return vec![error.to_string()],
        };
        let problems = cell.problems();
        if problems.is_empty() {
            simulate_hostile(&cell, 1, || ());
        }
        problems
    }

    #[test]
    fn worlds_that_cannot_be_are_refused_with_the_field() {
        let bandit = "bandit: 500 users, arms differ";
        for (words, from, to, said) in [
            (bandit, r#""users":500"#, r#""users":0"#, "users must be"),
            (bandit, r#""calls":"#, r#""calls":1e"#, "invalid type"),
            (
                bandit,
                r#""updates":"#,
                r#""updates":9999"#,
                "updates must be",
            ),
            (
                bandit,
                r#""success":[["#,
                r#""success":[[1.5,"#,
                "above 0 and below 1",
            ),
            (bandit, r#""rises":1.0"#, r#""rises":-1.0"#, "rises must"),
            (bandit, r#""log":"#, r#""logs":"#, "unknown field `logs`"),
            (
                "revenue",
                r#""ratio":1.0"#,
                r#""ratio":-1.0"#,
                "ratio must be",
            ),
            ("revenue", r#""rate":"#, r#""rate":-"#, "rate must be"),
        ] {
            let found = problems(words, from, to).join("; ");
            assert!(found.contains(said), "{from} -> {to}: {found}");
        }
    }
}
