//! The worlds of the documentation: harmless candidates in worlds that are not kind, and bad ones that must be found.

use crate::changing::{Course, HostileChange};
use crate::hostile::{Delays, HostileFixed, HostileRollout, Trouble, declared};
use crate::hostile_bandit::{HostileBandit, Reward};
use crate::law::Law;
use crate::users::{HostileUsers, Worth};
use serde::{Deserialize, Serialize};
use types::{BuiltIn, Covariate, Direction, Metric, MetricKind, Missing};

/// A world and what is played in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hostile {
    /// A rollout.
    Rollout(HostileRollout),
    /// A fixed experiment.
    Fixed(HostileFixed),
    /// A rollout by users.
    Users(HostileUsers),
    /// A fixed experiment whose effect changes.
    Change(HostileChange),
    /// A bandit.
    Bandit(HostileBandit),
}

impl Hostile {
    /// What people call it.
    pub fn title(&self) -> &str {
        match self {
            Self::Rollout(design) => &design.title,
            Self::Fixed(design) => &design.title,
            Self::Users(design) => &design.title,
            Self::Change(design) => &design.title,
            Self::Bandit(design) => &design.title,
        }
    }

    /// The same, played so often, with another beginning of the randomness.
    #[must_use]
    pub fn played(mut self, runs: u64, seed: u64) -> Self {
        let (its_runs, its_seed) = match &mut self {
            Self::Rollout(design) => (&mut design.runs, &mut design.seed),
            Self::Fixed(design) => (&mut design.runs, &mut design.seed),
            Self::Users(design) => (&mut design.runs, &mut design.seed),
            Self::Change(design) => (&mut design.runs, &mut design.seed),
            Self::Bandit(design) => (&mut design.runs, &mut design.seed),
        };
        (*its_runs, *its_seed) = (runs, seed);
        self
    }

    /// How many are played.
    pub fn runs(&self) -> u64 {
        match self {
            Self::Rollout(design) => design.runs,
            Self::Fixed(design) => design.runs,
            Self::Users(design) => design.runs,
            Self::Change(design) => design.runs,
            Self::Bandit(design) => design.runs,
        }
    }
}

/// Requests of the steps to 50 %, where power is compared.
const LADDER: Option<[u64; 4]> = Some([12_000, 24_000, 24_000, 24_000]);

/// Every world whose title has these words, each played so often; `rollouts` first.
pub fn hostile_cells(words: &str, runs: u64, seed: u64) -> Vec<Hostile> {
    let rollouts = harmless()
        .into_iter()
        .chain(neighbours())
        .chain(troubles())
        .chain(late())
        .chain(harmful())
        .map(Hostile::Rollout);
    let by_users = by_users().into_iter().map(Hostile::Users);
    let fixed = fixed().into_iter().map(Hostile::Fixed);
    let changing = changing().into_iter().map(Hostile::Change);
    let bandits = bandits().into_iter().map(Hostile::Bandit);
    let all = rollouts.chain(by_users).chain(fixed);
    let all = all.chain(changing).chain(bandits);
    all.filter(|cell| cell.title().contains(words))
        .map(|cell| cell.played(runs, seed))
        .collect()
}

fn rollout(title: String, guardrails: Vec<(Metric, Law)>) -> HostileRollout {
    HostileRollout {
        title,
        guardrails,
        ratio: 1.0,
        rate: 20.0,
        slo_ms: 500.0,
        trouble: Trouble::None,
        delays: None,
        ladder: None,
        runs: 1000,
        seed: 1,
    }
}

fn clicks(base: f64) -> (Metric, Law) {
    let metric = declared("clicked", MetricKind::Binary, Direction::Up);
    (metric, Law::Binary(base))
}

fn revenue(law: Law) -> (Metric, Law) {
    let metric = declared("revenue", MetricKind::Continuous, Direction::Up);
    (metric, law)
}

fn error(base: f64) -> (Metric, Law) {
    (BuiltIn::Error.metric(), Law::Binary(base))
}

fn skewed() -> [(&'static str, Law); 3] {
    [
        ("2 % buy", Law::Buyers(0.02, 1.0)),
        ("10 % buy, σ 1.5", Law::Buyers(0.1, 1.5)),
        ("all buy, σ 1.5", Law::Lognormal(1.5)),
    ]
}

/// Rare and skewed outcomes, no difference.
fn harmless() -> Vec<HostileRollout> {
    let mut cells = Vec::new();
    for base in [0.5, 0.1, 0.03, 0.01, 0.002] {
        let percent = 100.0 * base;
        cells.push(rollout(format!("clicks {percent} %"), vec![clicks(base)]));
        cells.push(HostileRollout {
            rate: 2.0,
            ..rollout(
                format!("clicks {percent} %, 2 requests a second"),
                vec![clicks(base)],
            )
        });
    }
    for (name, law) in skewed() {
        cells.push(rollout(format!("revenue, {name}"), vec![revenue(law)]));
    }
    let others = [
        ("Poisson .01", Law::Poisson(0.01)),
        ("Pareto 2.5", Law::Pareto(2.5)),
        ("lognormal σ 2", Law::Lognormal(2.0)),
        ("normal 1.7e12 ± 60,000", Law::Normal(1.7e12, 60_000.0)),
    ];
    for (name, law) in others {
        let ladder = LADDER;
        cells.push(HostileRollout {
            ladder,
            ..rollout(format!("{name}, ladder"), vec![revenue(law)])
        });
    }
    for base in [0.005, 0.05] {
        let percent = 100.0 * base;
        cells.push(rollout(format!("errors {percent} %"), vec![error(base)]));
    }
    let three = vec![
        error(0.005),
        (BuiltIn::Slow.metric(), Law::Latency(1.0)),
        (BuiltIn::LatencyMs.metric(), Law::Latency(1.0)),
    ];
    cells.push(rollout(
        "errors .5 %, slow and latency beside".into(),
        three,
    ));
    cells
}

/// What lies between and beside these: other rates, tails, directions and speeds, no difference.
fn neighbours() -> Vec<HostileRollout> {
    let bad = |base: f64| {
        let metric = declared("complained", MetricKind::Binary, Direction::Down);
        (metric, Law::Binary(base))
    };
    let cost = |law: Law| {
        let metric = declared("cost", MetricKind::Continuous, Direction::Down);
        (metric, law)
    };
    let cells = [
        ("clicks 5 %", 20.0, vec![clicks(0.05)]),
        ("clicks .5 %", 50.0, vec![clicks(0.005)]),
        ("clicks 99 %", 20.0, vec![clicks(0.99)]),
        ("complaints 1 %", 20.0, vec![bad(0.01)]),
        ("complaints .1 %", 20.0, vec![bad(0.001)]),
        (
            "revenue, 1 % buy",
            20.0,
            vec![revenue(Law::Buyers(0.01, 1.0))],
        ),
        (
            "revenue, 5 % buy, σ 2",
            20.0,
            vec![revenue(Law::Buyers(0.05, 2.0))],
        ),
        ("cost, lognormal σ 2", 5.0, vec![cost(Law::Lognormal(2.0))]),
        ("cost, Pareto 1.5", 20.0, vec![cost(Law::Pareto(1.5))]),
        ("Poisson .1", 20.0, vec![revenue(Law::Poisson(0.1))]),
        ("normal −3 ± 1", 20.0, vec![revenue(Law::Normal(-3.0, 1.0))]),
        (
            "three guardrails",
            20.0,
            vec![clicks(0.01), revenue(Law::Buyers(0.02, 1.5)), error(0.002)],
        ),
    ];
    let cell = |(name, rate, guardrails): (&str, f64, Vec<(Metric, Law)>)| HostileRollout {
        rate,
        ..rollout(
            format!("beside: {name}, {rate} requests a second"),
            guardrails,
        )
    };
    cells.map(cell).into()
}

/// Outages, slow spells and levels that wander, no difference.
fn troubles() -> Vec<HostileRollout> {
    let mut cells = vec![
        HostileRollout {
            trouble: Trouble::Days,
            ..rollout("errors by the hour of the day".into(), vec![error(0.005)])
        },
        HostileRollout {
            trouble: Trouble::Shared(24.0, 60.0, 0.5),
            ..rollout("shared outages, 1 an hour".into(), vec![error(0.005)])
        },
        HostileRollout {
            trouble: Trouble::Shared(144.0, 60.0, 1.0),
            ..rollout("shared outages, 6 an hour".into(), vec![error(0.005)])
        },
    ];
    let own = [
        ("1 a day, 10 s", Trouble::Own(1.0, 10.0, 1.0)),
        ("1 a day, 60 s", Trouble::Own(1.0, 60.0, 1.0)),
        ("3 a day, 25 s", Trouble::Own(3.0, 25.0, 1.0)),
        ("1 an hour, 10 s", Trouble::Own(24.0, 10.0, 1.0)),
        ("12 an hour, 5 s, 20 % fail", Trouble::Own(288.0, 5.0, 0.2)),
    ];
    for (name, trouble) in own {
        for rate in [10.0, 20.0, 100.0] {
            cells.push(HostileRollout {
                trouble,
                rate,
                ..rollout(
                    format!("own outages, {name}, {rate} requests a second"),
                    vec![error(0.005)],
                )
            });
        }
    }
    let latency = |metric: BuiltIn| vec![(metric.metric(), Law::Latency(1.0))];
    for metric in [BuiltIn::Slow, BuiltIn::LatencyMs] {
        let name = metric.as_str();
        cells.push(HostileRollout {
            trouble: Trouble::Wander(0.05, 600.0),
            slo_ms: 260.0,
            ..rollout(format!("{name}, level wanders by 5 %"), latency(metric))
        });
        cells.push(HostileRollout {
            trouble: Trouble::Spells(24.0, 30.0, 20.0),
            ..rollout(format!("{name}, slow spells, 1 an hour"), latency(metric))
        });
    }
    cells
}

/// Feedback at its own time, no difference but in the delay.
fn late() -> Vec<HostileRollout> {
    let mut cells = Vec::new();
    for window in [0, 21_600] {
        for candidate in [3600.0, 3000.0, 1800.0, 600.0] {
            let delays = Delays {
                answered: 0.1,
                bad: 0.3,
                means: (3600.0, candidate),
                window,
                only_bad: false,
            };
            let title = format!(
                "feedback after 60 and {} min, window {window} s",
                candidate / 60.0
            );
            cells.push(HostileRollout {
                rate: 10.0,
                delays: Some(delays),
                ..rollout(title, Vec::new())
            });
        }
    }
    // What has not come counts as a failure: of the control's clicks e^-6 come too late, of the candidate's e^-12.
    let (mut metric, law) = clicks(0.03);
    metric.window_seconds = 21_600;
    cells.push(HostileRollout {
        rate: 10.0,
        ratio: (1.0 - (-12f64).exp()) / (1.0 - (-6f64).exp()),
        ..rollout(
            "clicks 3 % after 60 and 30 min, window 6 h".into(),
            vec![(metric, law)],
        )
    });
    let delays = Delays {
        answered: 0.1,
        bad: 0.3,
        means: (3600.0, 1800.0),
        window: 0,
        only_bad: true,
    };
    cells.push(HostileRollout {
        rate: 10.0,
        delays: Some(delays),
        ..rollout(
            "feedback of bad outcomes only, after 60 and 30 min".into(),
            Vec::new(),
        )
    });
    cells
}

/// Candidates that are worse.
fn harmful() -> Vec<HostileRollout> {
    let mut cells = Vec::new();
    for ratio in [1.5, 2.0, 4.0, 20.0] {
        cells.push(HostileRollout {
            ratio,
            ..rollout(format!("power: errors .5 % × {ratio}"), vec![error(0.005)])
        });
    }
    // A tick brings 100 requests.
    let prompt = |mut guardrail: (Metric, Law)| {
        guardrail.0.window_seconds = 1;
        vec![guardrail]
    };
    for (title, guardrail, ratio) in [
        ("clicks 10 % halved", clicks(0.1), 0.5),
        ("clicks 1 % halved", clicks(0.01), 0.5),
        ("clicks 1 % to 0", clicks(0.01), 0.0),
        (
            "revenue of 2 % halved",
            revenue(Law::Buyers(0.02, 1.0)),
            0.5,
        ),
    ] {
        cells.push(HostileRollout {
            ratio,
            rate: 3.34,
            ladder: LADDER,
            ..rollout(format!("power: {title}, ladder"), prompt(guardrail))
        });
    }
    for (title, at, share) in [
        ("from its first call", 0.0, 1.0),
        ("after an hour", 3600.0, 1.0),
        ("half of its calls", 0.0, 0.5),
        ("a fifth of its calls", 0.0, 0.2),
    ] {
        for rate in [1.0, 10.0, 100.0] {
            cells.push(HostileRollout {
                rate,
                trouble: Trouble::Dies(at, share),
                ..rollout(
                    format!("dead: {title}, {rate} requests a second"),
                    vec![error(0.005)],
                )
            });
        }
    }
    cells
}

/// Traffic by users and customers.
fn by_users() -> Vec<HostileUsers> {
    let users = |title: String, users: usize, power: f64, worth: Worth, harm: f64| HostileUsers {
        title,
        users,
        power,
        worth,
        harm,
        giants: None,
        outages: None,
        rate: 20.0,
        steps: Vec::new(),
        soak: 0,
        seconds: 12 * 3600,
        runs: 100,
        seed: 1,
    };
    let mut cells = Vec::new();
    for (count, steps, soak) in [(2000, 20, 1800), (2000, 10, 1800), (20_000, 20, 1800)] {
        let each = 100.0 / f64::from(steps);
        cells.push(HostileUsers {
            steps: (1..=steps)
                .map(|step| (f64::from(step) * each).min(100.0))
                .collect(),
            soak,
            ..users(
                format!("users: {count}, score, {steps} steps"),
                count,
                0.0,
                Worth::Score,
                0.0,
            )
        });
    }
    let title = "users: 2000, score − .3, default steps".into();
    cells.push(users(title, 2000, 0.0, Worth::Score, 0.3));
    for count in [500, 200] {
        for harm in [1.0, 2.0, 4.0, 10.0] {
            let title = format!("tenants: {count}, errors .5 % × {harm}");
            cells.push(users(title, count, 1.0, Worth::Errors(0.005), harm));
        }
    }
    for count in [500, 200] {
        let title = format!("tenants: {count}, 1 % make 90 % of the errors, × 1");
        cells.push(users(title, count, 1.0, Worth::FewMakeMost(0.005), 1.0));
        let title = format!("tenants: {count}, steep, errors .5 % × 1");
        cells.push(users(title, count, 1.2, Worth::Errors(0.005), 1.0));
    }
    for (count, outages) in [
        (500, (1.0, 60.0)),
        (20_000, (1.0, 10.0)),
        (20_000, (1.0, 60.0)),
        (20_000, (3.0, 25.0)),
        (20_000, (24.0, 10.0)),
    ] {
        let (per_day, length) = outages;
        let title = format!("users: {count}, own outages, {per_day} a day, {length} s");
        cells.push(HostileUsers {
            outages: Some(outages),
            ..users(title, count, 1.0, Worth::Errors(0.005), 1.0)
        });
    }
    for (giants, share) in [(2, 0.99), (3, 0.95), (4, 0.9), (10, 0.9)] {
        let title = format!("users: 2000, {giants} make {share} of the calls");
        cells.push(HostileUsers {
            giants: Some((giants, share)),
            ..users(title, 2000, 0.0, Worth::Errors(0.02), 1.0)
        });
    }
    for harm in [1.0, 2.0, 4.0] {
        let title = format!("users: 20000, 1 % make 90 % of the errors, × {harm}");
        cells.push(users(title, 20_000, 1.0, Worth::FewMakeMost(0.005), harm));
    }
    cells
}

/// Fixed experiments.
fn fixed() -> Vec<HostileFixed> {
    let mut cells = Vec::new();
    let mut add = |title: String, metric: Metric, laws: (Law, Law), share: f64| {
        cells.push(HostileFixed {
            laws,
            share,
            units: 40_000,
            log: !title.ends_with("no log"),
            segments: if title.starts_with("segments") { 10 } else { 1 },
            correlation: metric.covariate.as_ref().map(|_| 0.7),
            title,
            metric,
            runs: 1000,
            seed: 1,
        });
    };
    for base in [0.5, 0.05, 0.005, 0.995] {
        for share in [0.5, 0.05, 0.01, 0.95] {
            let (metric, law) = clicks(base);
            add(
                format!("claim: rate {base}, share {share}"),
                metric,
                (law, law),
                share,
            );
        }
    }
    for buyers in [0.01, 0.03, 0.05] {
        for share in [0.1, 0.05] {
            let (metric, law) = revenue(Law::Buyers(buyers, 1.0));
            add(
                format!("claim: {buyers} buy, share {share}"),
                metric,
                (law, law),
                share,
            );
        }
    }
    for (name, law) in [
        ("lognormal σ 1", Law::Lognormal(1.0)),
        ("lognormal σ 1.5", Law::Lognormal(1.5)),
        ("lognormal σ 2", Law::Lognormal(2.0)),
        ("Pareto 2.5", Law::Pareto(2.5)),
        ("Poisson .01", Law::Poisson(0.01)),
        ("Poisson .2", Law::Poisson(0.2)),
    ] {
        let (metric, law) = revenue(law);
        add(
            format!("claim: {name}, share 0.05"),
            metric,
            (law, law),
            0.05,
        );
    }
    for (name, law) in [
        ("5 % buy", Law::Buyers(0.05, 1.0)),
        ("lognormal σ 1.5", Law::Lognormal(1.5)),
    ] {
        let (metric, law) = revenue(law);
        add(
            format!("claim: {name}, share 0.05, no log"),
            metric,
            (law, law),
            0.05,
        );
    }
    let score = |law: Law| {
        let metric = Metric {
            missing: Missing::Excluded,
            ..revenue(law).0
        };
        (metric, law)
    };
    for (name, law) in [
        ("1e8 ± 3", Law::Normal(1e8, 3.0)),
        ("1.7e12 ± 60,000", Law::Normal(1.7e12, 60_000.0)),
        ("1e9 ± 1", Law::Normal(1e9, 1.0)),
        ("always 3.1", Law::Constant(3.1)),
    ] {
        let (metric, law) = score(law);
        add(format!("claim: {name}, share 0.5"), metric, (law, law), 0.5);
    }
    for share in [0.5, 0.1] {
        let (metric, law) = clicks(0.1);
        add(
            format!("segments: 10, clicks 10 %, share {share}"),
            metric,
            (law, law),
            share,
        );
        let (metric, law) = revenue(Law::Buyers(0.05, 1.0));
        add(
            format!("segments: 10, 5 % buy, share {share}"),
            metric,
            (law, law),
            share,
        );
    }
    let with_covariate = |(metric, law): (Metric, Law)| {
        let covariate = Some(Covariate::Attribute("before".into()));
        let metric = Metric {
            covariate,
            window_seconds: 60,
            ..metric
        };
        (metric, law)
    };
    for share in [0.5, 0.1] {
        for (name, of) in [
            ("normal", score(Law::Normal(0.0, 1.0))),
            ("lognormal σ 1", revenue(Law::Lognormal(1.0))),
            ("5 % buy", revenue(Law::Buyers(0.05, 1.0))),
            ("clicks 10 %", clicks(0.1)),
        ] {
            for log in ["", ", no log"] {
                let (metric, law) = with_covariate(of.clone());
                add(
                    format!("covariate of correlation .7: {name}, share {share}{log}"),
                    metric,
                    (law, law),
                    share,
                );
            }
        }
    }
    let (metric, law) = with_covariate(score(Law::Normal(0.0, 1.0)));
    add(
        "power of a claim: normal + .1 sd, covariate of correlation .7".into(),
        metric,
        (law, Law::Normal(0.1, 1.0)),
        0.5,
    );
    for (name, (metric, law), to) in [
        (".5 to .55", clicks(0.5), Law::Binary(0.55)),
        (".1 to .12", clicks(0.1), Law::Binary(0.12)),
        (
            "normal + .1 sd",
            score(Law::Normal(0.0, 1.0)),
            Law::Normal(0.1, 1.0),
        ),
    ] {
        add(format!("power of a claim: {name}"), metric, (law, to), 0.5);
    }
    cells
}

/// Fixed experiments whose effect stays, and whose effect changes: 1,000 units a day.
fn changing() -> Vec<HostileChange> {
    let mut cells = Vec::new();
    let mut add = |title: String, (metric, law): (Metric, Law), effect, course, share| {
        cells.push(HostileChange {
            title,
            metric,
            law,
            effect,
            course,
            share,
            per_day: 1000,
            // What reverses has then lasted as long each way.
            days: if matches!(course, Course::Reverses(_)) {
                12
            } else {
                14
            },
            runs: 1000,
            seed: 1,
        });
    };
    let score = |law: Law| {
        let metric = Metric {
            missing: Missing::Excluded,
            ..revenue(law).0
        };
        (metric, law)
    };
    for share in [0.5, 0.05] {
        for (name, of, effect) in [
            ("clicks 50 %", clicks(0.5), 0.1),
            ("clicks 10 %", clicks(0.1), 0.0),
            ("clicks 10 % + 10", clicks(0.1), 0.1),
            ("clicks 1 %", clicks(0.01), 0.0),
            ("2 % buy", revenue(Law::Buyers(0.02, 1.0)), 0.0),
            ("lognormal σ 1.5", revenue(Law::Lognormal(1.5)), 0.0),
            ("normal + .1 sd", score(Law::Normal(0.0, 1.0)), 0.1),
        ] {
            let title = format!("the effect stays: {name}, share {share}");
            add(title, of, effect, Course::Constant, share);
        }
        for (name, course) in [
            ("reverses after 6,000", Course::Reverses(6000)),
            ("fades", Course::Fades(4000.0)),
            ("is there on weekends", Course::Weekends),
            ("grows for 6,000", Course::Grows(6000)),
        ] {
            let title = format!("the effect {name}: clicks 10 % + 10, share {share}");
            add(title, clicks(0.1), 0.1, course, share);
        }
    }
    add(
        "the effect reverses after 6,000: normal + .3 sd, share 0.5".into(),
        score(Law::Normal(0.0, 1.0)),
        0.3,
        Course::Reverses(6000),
        0.5,
    );
    cells
}

/// Bandits of three arms: users who come back, rewards with heavy tails, arms that change places.
fn bandits() -> Vec<HostileBandit> {
    let mut cells = Vec::new();
    let like = |title: String, reward: Reward| HostileBandit {
        title,
        users: None,
        reward,
        swaps: false,
        rises: 1.0,
        calls: 200,
        updates: 100,
        floor: None,
        window: true,
        log: true,
        runs: 1000,
        seed: 1,
    };
    let differ = || vec![0.10, 0.12, 0.15];
    for floor in [None, Some(0.1)] {
        let kept = floor.map_or("default floor".into(), |floor: f64| {
            format!("floor {floor}")
        });
        for users in [500, 2000, 5000] {
            for (arms, rates) in [("differ", differ()), ("are equal", vec![0.10; 3])] {
                for (spread, calls, updates) in [
                    (1.0, 200, 100),
                    (2.0, 200, 100),
                    (1.0, 1000, 100),
                    (2.0, 200, 288),
                ] {
                    // The same numbers come with a window: one is enough.
                    let both = [(false, ""), (true, ", within a minute")];
                    let first = users == 500 && arms == "differ" && (spread, updates) == (1.0, 100);
                    let variants = if first && calls == 200 { 2 } else { 1 };
                    for (window, within) in both.into_iter().take(variants) {
                        let title = format!(
                            "bandit: {users} users, arms {arms}, spread {spread}, {calls} calls, {updates} updates, \
                             {kept}{within}"
                        );
                        cells.push(HostileBandit {
                            users: Some(users),
                            calls,
                            updates,
                            floor,
                            window,
                            log: false,
                            ..like(title, Reward::Success(rates.clone(), spread))
                        });
                    }
                }
            }
        }
        for sigma in [1.0, 1.5, 2.0] {
            for (log, with) in [(true, ""), (false, ", no log")] {
                let title = format!("bandit: lognormal σ {sigma}, means .5 .6 .75, {kept}{with}");
                let reward = Reward::Lognormal(vec![0.5, 0.6, 0.75], sigma);
                cells.push(HostileBandit {
                    floor,
                    log,
                    ..like(title, reward)
                });
            }
        }
        let title = format!("bandit: calls of nobody, .10 .12 .15, {kept}");
        cells.push(HostileBandit {
            floor,
            ..like(title, Reward::Success(differ(), 0.0))
        });
        for (name, rates) in [("all are .10", vec![0.10; 3]), (".10 .12 .15", differ())] {
            let title = format!(
                "bandit: calls of nobody, {name}, and twice that in the second half, {kept}"
            );
            cells.push(HostileBandit {
                floor,
                rises: 2.0,
                ..like(title, Reward::Success(rates, 0.0))
            });
        }
        let title = format!("bandit: .10 and .15 change places half way, {kept}");
        cells.push(HostileBandit {
            floor,
            swaps: true,
            ..like(title, Reward::Success(vec![0.10, 0.15], 0.0))
        });
    }
    cells
}
