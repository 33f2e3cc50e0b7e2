use super::*;
use crate::made::with_values;
use crate::results::{History, results};
use types::{
    Algorithm, Arm, ArmEvidence, BanditProgress, BanditSettings, BuiltIn, Decision, EpochEvidence,
    ExperimentDefinition, ExperimentId, ExperimentKey, Exposures, Metric, MetricEvidence,
    MetricSums, ModelId, ModelName, Promotion, RolloutProgress, RolloutSettings, VersionKey,
    VersionName,
};

const MINUTE: i64 = 60_000_000;

fn minutes(minutes: i64) -> Timestamp {
    Timestamp::from_micros(minutes * MINUTE)
}

/// Sums of a binary metric with `bad` events in `n` units. For `error`, bad is 1.
fn binary(metric: &Metric, bad: u64, n: u64) -> MetricEvidence {
    let ones = match metric.direction {
        types::Direction::Down => bad,
        types::Direction::Up => n - bad,
    } as f64;
    let sums = MetricSums {
        units: n,
        count: n,
        about: 0.0,
        sum: ones,
        sum_squares: ones,
        sum_count_squares: n as f64,
        sum_products: ones,
        values: n,
        value_units: n,
        fresh_values: n,
        events: bad,
        ..MetricSums::default()
    };
    MetricEvidence {
        matured: sums,
        all: sums,
        parts: Vec::new(),
        bets: types::BetSums {
            units: n,
            fresh: n,
            powers: [ones; 3],
            counted: n,
            ones: ones as u64,
            ..types::BetSums::default()
        },
    }
}

/// By epoch: shares, and by arm bad events and units of every metric.
type Epoch<'a> = (&'a [f64], &'a [(u64, u64)]);

struct World {
    experiment: Experiment,
    evidence: Evidence,
    /// Whether the log has been counted to its end.
    complete: bool,
}

impl World {
    fn new(policy: Policy, arms: usize, metrics: Vec<Metric>) -> Self {
        let arm = |at: usize| Arm {
            key: VersionKey(at as i64),
            model_id: ModelId::from_bits(at as u64),
            version: VersionName::parse(&format!("{}.0.0", at + 1)).unwrap(),
            weight: 1.0,
        };
        let guardrails = vec![metrics[metrics.len() - 1].name.clone()];
        let progress = begin(&policy);
        let name = ModelName::parse("m").unwrap();
        let definition = ExperimentDefinition {
            policy,
            guardrails,
            ..ExperimentDefinition::new(name, (0..arms).map(arm).collect(), metrics)
        };
        assert_eq!(definition.problems(), []);
        let id = ExperimentId::from_bits(1);
        let draft = Experiment::draft(ExperimentKey(1), id, definition, minutes(0));
        Self {
            experiment: Experiment {
                progress,
                ..draft.running_since(minutes(0))
            },
            evidence: Evidence {
                minutes: Some(Vec::new()),
                ..Evidence::default()
            },
            complete: true,
        }
    }

    fn rollout(settings: RolloutSettings) -> Self {
        Self::new(Policy::Rollout(settings), 2, vec![BuiltIn::Error.metric()])
    }

    fn has(&mut self, epochs: &[Epoch<'_>]) {
        let metrics = &self.experiment.definition.metrics;
        let arm = |&(bad, n): &(u64, u64)| ArmEvidence {
            exposures: Exposures {
                units: n,
                first: n,
                left_out: 0,
                predictions: n,
                fallbacks: 0,
            },
            metrics: metrics
                .iter()
                .map(|metric| binary(metric, bad, n))
                .collect(),
        };
        let epoch = |(at, (shares, arms)): (usize, &Epoch<'_>)| EpochEvidence {
            epoch: at as i64,
            started_at: minutes(60 * at as i64),
            shares: shares.to_vec(),
            scales: metrics
                .iter()
                .map(|_| Some(types::Scale::binary(0.1)))
                .collect(),
            arms: arms.iter().map(arm).collect(),
            days: Vec::new(),
        };
        self.evidence.epochs = epochs.iter().enumerate().map(epoch).collect();
    }

    fn look(&mut self, now: Timestamp) -> Next {
        let results = results(&self.experiment, &self.evidence, &History::default(), now);
        let next = step(&Look {
            experiment: &self.experiment,
            evidence: &self.evidence,
            results: &results,
            now,
            complete: self.complete,
        });
        self.take(&next);
        next
    }

    fn take(&mut self, next: &Next) {
        self.experiment.progress = next.progress.clone();
        if let Some(shares) = next.decision.as_ref().and_then(Decision::shares) {
            self.experiment.shares = shares.to_vec();
        }
    }

    fn by_person(&mut self, command: Intervention) -> Result<Next, NotAllowed> {
        let next = super::by_person(&self.experiment, command, 1)?;
        self.take(&next);
        Ok(next)
    }

    fn rollout_progress(&self) -> &RolloutProgress {
        match &self.experiment.progress {
            Some(Progress::Rollout(progress)) => progress,
            other => panic!("{other:?}"),
        }
    }
}

fn quick() -> RolloutSettings {
    RolloutSettings {
        soak_seconds: vec![60],
        min_units: vec![100],
        ..RolloutSettings::default()
    }
}

/// Looks every minute for `n` minutes from `from`, with ever more traffic that does no harm.
fn climb(world: &mut World, from: i64, n: i64) -> Vec<(i64, Decision)> {
    let mut actions = Vec::new();
    for minute in from..from + n {
        let units = 1000 * (minute as u64 + 1);
        let step = world.rollout_progress().step;
        // All units are of the last epoch, at even shares: no mismatch.
        let mut epochs: Vec<Epoch<'_>> = vec![(&[0.5, 0.5], &[(0, 0), (0, 0)]); step];
        let counts = [(0, units), (0, units)];
        epochs.push((&[0.5, 0.5], &counts));
        world.has(&epochs);
        actions.extend(
            world
                .look(minutes(minute))
                .decision
                .map(|action| (minute, action)),
        );
    }
    actions
}

#[test]
fn a_harmless_candidate_climbs_one_step_at_a_time_and_is_promoted() {
    let mut world = World::rollout(quick());
    let actions = climb(&mut world, 0, 20);
    let advanced: Vec<f64> = actions
        .iter()
        .filter_map(|(_, action)| action.shares().map(|shares| shares[1]))
        .collect();
    assert_eq!(advanced, [0.05, 0.25, 0.5, 0.98]);
    assert!(
        actions
            .iter()
            .any(|(_, action)| *action == Decision::Promote { arm: 1 })
    );
    assert!(
        actions.windows(2).take(4).all(|pair| pair[0].0 < pair[1].0),
        "{actions:?}"
    );
}

#[test]
fn while_answers_are_to_be_counted_nothing_advances_and_harm_still_goes_back() {
    let mut world = World::rollout(quick());
    world.complete = false;
    // Long enough for every step, and for silence to be no traffic.
    assert_eq!(climb(&mut world, 0, 40), []);
    let silent = (40..2000)
        .step_by(20)
        .find_map(|minute| world.look(minutes(minute)).decision);
    assert_eq!(silent, None);
    world.complete = true;
    let (since, _) = climb(&mut world, 2000, 5)[0];
    assert!(since > 2000, "time in which the log was behind was counted");
    world.complete = false;
    world.has(&[(&[0.99, 0.01], &[(5, 990), (8, 10)])]);
    assert_eq!(world.look(minutes(2010)).decision, Some(Decision::RollBack));
}

#[test]
fn harm_goes_back_before_any_minimum_even_when_paused() {
    for paused in [false, true] {
        let mut world = World::rollout(RolloutSettings::default());
        if paused {
            world.by_person(Intervention::Pause).unwrap();
        }
        world.has(&[(&[0.99, 0.01], &[(5, 990), (8, 10)])]);
        let next = world.look(minutes(1));
        assert_eq!(next.decision, Some(Decision::RollBack), "{next:?}");
        let words = "guardrail error: 8 of 10 (80 %) against 5 of 990 (0.505 %) at this step.";
        assert!(next.because.contains(words), "{}", next.because);
    }
}

#[test]
fn a_ceiling_goes_back_when_both_arms_are_broken() {
    let error = BuiltIn::Error.metric();
    let mut world = World::rollout(RolloutSettings {
        ceilings: [(error.name, 0.2)].into(),
        ..RolloutSettings::default()
    });
    world.has(&[(&[0.5, 0.5], &[(250, 500), (250, 500)])]);
    let next = world.look(minutes(1));
    assert_eq!(next.decision, Some(Decision::RollBack), "{next:?}");
    assert!(next.because.contains("ceiling of 20 %"), "{}", next.because);
    world.has(&[(&[0.5, 0.5], &[(90, 500), (90, 500)])]);
    assert_eq!(world.look(minutes(2)).decision, None);
}

#[test]
fn soak_counts_observed_time_with_traffic_only() {
    let mut world = World::rollout(quick());
    let soaked = |world: &mut World, minute: i64, units: u64| {
        world.has(&[(&[0.5, 0.5], &[(0, units), (0, units)])]);
        world.look(minutes(minute));
        world.rollout_progress().soaked_micros / MINUTE
    };
    assert_eq!(soaked(&mut world, 0, 10), 0);
    // The server was away for an hour, a look without traffic, and a clock that went back.
    assert_eq!(soaked(&mut world, 60, 20), 0);
    assert_eq!(soaked(&mut world, 61, 20), 0);
    assert_eq!(soaked(&mut world, 30, 30), 0);
    assert_eq!(soaked(&mut world, 31, 40), 1);
}

#[test]
fn what_is_not_there_is_waited_for() {
    let mut world = World::rollout(RolloutSettings {
        soak_seconds: vec![300],
        ..quick()
    });
    world.has(&[(&[0.5, 0.5], &[(0, 500), (0, 500)])]);
    let mut held = Vec::new();
    let day = 24 * 60;
    for minute in 0..=day {
        let action = world.look(minutes(minute)).decision;
        held.extend(action.map(|action| (minute, action)));
    }
    assert_eq!(
        held,
        [
            (10, Decision::Hold(Hold::NoTraffic)),
            (day, Decision::Hold(Hold::NoTrafficGraceOver)),
        ]
    );
    // A server that was away has not seen silence either.
    let mut world = World::rollout(quick());
    world.has(&[(&[0.5, 0.5], &[(0, 500), (0, 500)])]);
    world.look(minutes(0));
    assert_eq!(world.look(minutes(2 * day)).decision, None);
    let mut world = World::rollout(RolloutSettings {
        soak_seconds: vec![300],
        ..quick()
    });
    world.has(&[(&[0.5, 0.5], &[(0, 500), (0, 500)])]);
    for minute in 0..=day {
        world.look(minutes(minute));
    }
    world.has(&[(&[0.5, 0.5], &[(0, 600), (0, 600)])]);
    assert_eq!(
        world.look(minutes(day + 1)).decision,
        Some(Decision::Release)
    );

    // A mismatch of the sample ratio holds, and does not go back.
    let mut world = World::rollout(quick());
    world.has(&[(&[0.5, 0.5], &[(0, 900), (0, 500)])]);
    assert_eq!(
        world.look(minutes(0)).decision,
        Some(Decision::Hold(Hold::SampleRatioMismatch))
    );
}

#[test]
fn labels_that_can_never_match_hold_and_take_nothing_back() {
    let metrics = || vec![BuiltIn::Correct.metric()];
    let settings = RolloutSettings {
        ceilings: [(BuiltIn::Correct.metric().name, 0.2)].into(),
        ..quick()
    };
    let policies = [
        Policy::Rollout(settings),
        Policy::Bandit(BanditSettings::default()),
    ];
    for policy in policies {
        let mut world = World::new(policy, 2, metrics());
        world.has(&[(&[0.5, 0.5], &[(10, 900), (900, 900)])]);
        let unlike = |count| types::UnlikeLabels {
            arm: 1,
            mismatch: types::Mismatch {
                prediction: types::JsonType::Boolean,
                label: types::JsonType::Number,
            },
            count,
        };
        world.evidence.unlike_labels = vec![unlike(900)];
        let held = Some(Decision::Hold(Hold::LabelsNeverMatch));
        assert_eq!(world.look(minutes(0)).decision, held);
        // It is said once.
        assert_eq!(world.look(minutes(1)).decision, None);
        // They came again as they should be, and the candidate is as good as the control.
        world.evidence.unlike_labels = vec![unlike(2)];
        world.has(&[(&[0.5, 0.5], &[(10, 900), (12, 900)])]);
        assert_eq!(world.look(minutes(2)).decision, Some(Decision::Release));
    }
}

#[test]
fn a_candidate_that_answers_another_type_than_its_labels_goes_back() {
    let unlike = |arm, count| types::UnlikeLabels {
        arm,
        mismatch: types::Mismatch {
            prediction: types::JsonType::Object,
            label: types::JsonType::Text,
        },
        count,
    };
    let decided = |metrics: Vec<Metric>, unlike: Vec<types::UnlikeLabels>| {
        let mut world = World::new(Policy::Rollout(quick()), 2, metrics);
        world.has(&[(&[0.5, 0.5], &[(10, 900), (10, 900)])]);
        // The candidate has not one label that counts.
        for metric in &mut world.evidence.epochs[0].arms[1].metrics[..1] {
            *metric = MetricEvidence::default();
        }
        world.evidence.unlike_labels = unlike;
        world.look(minutes(0))
    };
    let correct = || vec![BuiltIn::Correct.metric()];
    let back = decided(correct(), vec![unlike(1, 100)]);
    assert_eq!(back.decision, Some(Decision::RollBack));
    assert!(
        back.because
            .starts_with("100 of the 100 labels for 2.0.0 have a text, as 1.0.0 answers"),
        "{}",
        back.because
    );
    // Labels that fit neither are at fault themselves, and a few say nothing yet.
    let held = Some(Decision::Hold(Hold::LabelsNeverMatch));
    for unlike in [vec![unlike(0, 100), unlike(1, 100)], vec![unlike(1, 19)]] {
        assert_eq!(decided(correct(), unlike).decision, held);
    }
}

#[test]
fn nothing_goes_far_without_outcomes() {
    let metrics = vec![BuiltIn::Correct.metric(), BuiltIn::Error.metric()];
    let mut world = World::new(Policy::Rollout(quick()), 2, metrics);
    let empty = |world: &mut World, units: u64| {
        world.has(&[(&[0.5, 0.5], &[(0, units), (0, units)])]);
        for arm in &mut world.evidence.epochs[0].arms {
            arm.metrics[0] = MetricEvidence::default();
        }
    };
    let mut actions = Vec::new();
    for minute in 0..12 {
        empty(&mut world, 200 * (minute as u64 + 1));
        actions.extend(world.look(minutes(minute)).decision);
    }
    assert_eq!(actions.last(), Some(&Decision::Hold(Hold::NoOutcomes)));
    assert_eq!(world.experiment.shares[1], 0.25);
}

#[test]
fn people_pause_resume_agree_and_push() {
    let mut world = World::rollout(RolloutSettings {
        approval: true,
        ..quick()
    });
    let actions = climb(&mut world, 0, 6);
    let held = |action: &Decision| *action == Decision::Hold(Hold::Approval);
    assert!(actions.len() == 1 && held(&actions[0].1), "{actions:?}");
    let next = world.by_person(Intervention::Advance).unwrap();
    assert_eq!(next.decision.unwrap().shares(), Some(&[0.95, 0.05][..]));

    world.by_person(Intervention::Pause).unwrap();
    assert_eq!(world.by_person(Intervention::Advance), Err(NotAllowed));
    assert_eq!(world.by_person(Intervention::Pause), Err(NotAllowed));
    assert_eq!(climb(&mut world, 10, 10), []);
    world.by_person(Intervention::Resume).unwrap();
    assert_eq!(world.rollout_progress().soaked_micros, 0);
    let promoted = world.by_person(Intervention::Promote).unwrap();
    assert_eq!(promoted.decision, Some(Decision::Promote { arm: 1 }));
}

#[test]
fn strict_promotion_lets_a_candidate_without_an_error_pass() {
    let strict = |ratio_margins: Vec<f64>, absolute_margin| RolloutSettings {
        promotion: Promotion::Strict,
        ratio_margins,
        absolute_margin,
        ..quick()
    };
    let after = |settings: RolloutSettings, bad: u64| {
        let mut world = World::rollout(settings);
        for (minute, units) in [(0, 4000), (1, 5000), (2, 6000)] {
            world.has(&[(&[0.5, 0.5], &[(bad, units), (bad, units)])]);
            world.look(minutes(minute));
        }
        world.rollout_progress().step
    };
    assert_eq!(after(strict(vec![1.5], None), 0), 0);
    assert!(after(strict(vec![1.5], Some(0.01)), 0) > 0);
    // As many errors: shown to be below 2 times, not below 1.1 times.
    assert!(after(strict(vec![2.0], None), 100) > 0);
    assert_eq!(after(strict(vec![1.1], None), 100), 0);
}

fn bandit(settings: BanditSettings, arms: usize) -> World {
    let metrics = vec![BuiltIn::Correct.metric(), BuiltIn::Error.metric()];
    World::new(Policy::Bandit(settings), arms, metrics)
}

/// Right answers of `correct`, and no errors.
fn answered(world: &mut World, epochs: &[Epoch<'_>]) {
    world.has(epochs);
    for epoch in &mut world.evidence.epochs {
        for arm in &mut epoch.arms {
            let n = arm.exposures.units;
            arm.metrics[1] = binary(&BuiltIn::Error.metric(), 0, n);
        }
    }
}

const THIRDS: [f64; 3] = [1.0 / 3.0; 3];

#[test]
fn every_algorithm_favours_the_best_arm_and_keeps_the_floor() {
    for algorithm in Algorithm::ALL {
        let mut world = bandit(
            BanditSettings {
                algorithm,
                max_change: 1.0,
                ..BanditSettings::default()
            },
            3,
        );
        answered(
            &mut world,
            &[(&THIRDS, &[(300, 1000), (290, 1000), (150, 1000)])],
        );
        // The first look may name a winner; the weights follow at the next.
        world.look(minutes(1));
        world.look(minutes(2));
        let shares = &world.experiment.shares;
        let sum: f64 = shares.iter().sum();
        assert!((sum - 1.0).abs() < 1e-12, "{algorithm:?} {shares:?}");
        assert!(
            shares.iter().all(|share| *share >= 0.05 - 1e-12),
            "{algorithm:?} {shares:?}"
        );
        assert!(
            shares[2] > shares[0] && shares[2] > 1.0 / 3.0,
            "{algorithm:?} {shares:?}"
        );
    }
}

#[test]
fn lower_is_better_for_every_algorithm_too() {
    for algorithm in Algorithm::ALL {
        let settings = BanditSettings {
            algorithm,
            max_change: 1.0,
            ..BanditSettings::default()
        };
        // The metric that decides is the rate of errors, and nothing guards.
        let mut world = World::new(Policy::Bandit(settings), 3, vec![BuiltIn::Error.metric()]);
        world.experiment.definition.guardrails.clear();
        world.has(&[(&THIRDS, &[(300, 1000), (290, 1000), (150, 1000)])]);
        world.look(minutes(1));
        world.look(minutes(2));
        let shares = &world.experiment.shares;
        assert!(
            shares[2] > shares[0] && shares[2] > 1.0 / 3.0,
            "{algorithm:?} {shares:?}"
        );
        match &world.experiment.progress {
            Some(Progress::Bandit(progress)) => assert_eq!(progress.winner, Some(2)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn guardrails_that_are_means_or_must_stay_high_take_back_too() {
    // `correct` is better high: wrong answers are its bad events.
    let metrics = vec![BuiltIn::Error.metric(), BuiltIn::Correct.metric()];
    let mut world = World::new(Policy::Rollout(RolloutSettings::default()), 2, metrics);
    world.has(&[(&[0.5, 0.5], &[(50, 1000), (100, 1000)])]);
    world.evidence.epochs[0].arms[1].metrics[0] = binary(&BuiltIn::Error.metric(), 50, 1000);
    assert_eq!(world.look(minutes(1)).decision, Some(Decision::RollBack));

    // A mean, up to a margin.
    for (margin, taken_back) in [(0.0, true), (10.0, false)] {
        let name = BuiltIn::LatencyMs.metric().name;
        let settings = RolloutSettings {
            margins: [(name, margin)].into(),
            ..RolloutSettings::default()
        };
        let metrics = vec![BuiltIn::LatencyMs.metric()];
        let mut world = World::new(Policy::Rollout(settings), 2, metrics);
        world.has(&[(&[0.5, 0.5], &[(0, 1000), (0, 1000)])]);
        let latencies = [(1000, 50.0, 10.0), (1000, 55.0, 10.0)];
        let definition = &world.experiment.definition;
        with_values(&mut world.evidence.epochs[0], definition, 0, &latencies);
        let back = world.look(minutes(1)).decision == Some(Decision::RollBack);
        assert_eq!(back, taken_back, "margin {margin}");
    }
}

#[test]
fn a_bandit_waits_for_its_burn_in_its_period_and_moves_within_the_cap() {
    let settings = BanditSettings {
        max_change: 0.1,
        ..BanditSettings::default()
    };
    let mut world = bandit(settings, 2);
    answered(&mut world, &[(&[0.5, 0.5], &[(20, 99), (5, 120)])]);
    assert_eq!(world.look(minutes(1)).decision, None);
    answered(&mut world, &[(&[0.5, 0.5], &[(40, 150), (5, 150)])]);
    assert_eq!(
        world.look(minutes(2)).decision,
        None,
        "five minutes have not passed"
    );
    let next = world.look(minutes(6));
    assert_eq!(next.decision.unwrap().shares(), Some(&[0.4, 0.6][..]));
    // The clock went back: the next look is not as far away as it went.
    assert!(world.look(minutes(3)).decision.is_some());
}

#[test]
fn a_winner_is_decided_once() {
    let mut world = bandit(BanditSettings::default(), 2);
    let arms = [(700, 3000), (300, 3000)];
    answered(&mut world, &[(&[0.5, 0.5], &arms)]);
    assert_eq!(
        world.look(minutes(1)).decision,
        Some(Decision::Winner { arm: 1 })
    );
    let even = [(700, 3000), (700, 3000)];
    answered(&mut world, &[(&[0.5, 0.5], &even)]);
    world.look(minutes(2));
    match &world.experiment.progress {
        Some(Progress::Bandit(BanditProgress { winner, .. })) => assert_eq!(*winner, Some(1)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_arm_that_is_dead_or_perfect_keeps_no_winner_back() {
    for algorithm in Algorithm::ALL {
        for (arms, best) in [
            // Bad answers: the last one is perfect; the last one is dead.
            ([(500, 1000), (900, 1000), (0, 1000)], 2),
            ([(500, 1000), (100, 1000), (1000, 1000)], 1),
        ] {
            let settings = BanditSettings {
                algorithm,
                max_change: 1.0,
                ..BanditSettings::default()
            };
            let mut world = bandit(settings, 3);
            answered(&mut world, &[(&THIRDS, &arms)]);
            let decision = world.look(minutes(1)).decision;
            assert_eq!(
                decision,
                Some(Decision::Winner { arm: best }),
                "{algorithm:?}"
            );
            world.look(minutes(2));
            let shares = &world.experiment.shares;
            assert!(*shares != THIRDS, "{algorithm:?}: {shares:?}");
        }
    }
    // All of them dead: nothing is known to be better, and nothing is said.
    let mut world = bandit(BanditSettings::default(), 3);
    answered(&mut world, &[(&THIRDS, &[(1000, 1000); 3])]);
    assert_eq!(world.look(minutes(1)).decision, None);
}

#[test]
fn a_harmful_arm_is_dropped_and_the_last_one_goes_back() {
    let mut world = bandit(BanditSettings::default(), 3);
    let third = [(100, 1000); 3];
    answered(&mut world, &[(&THIRDS, &third)]);
    world.evidence.epochs[0].arms[2].metrics[1] = binary(&BuiltIn::Error.metric(), 90, 1000);
    let next = world.look(minutes(1));
    assert_eq!(next.decision.unwrap().shares(), Some(&[0.5, 0.5, 0.0][..]));
    assert_eq!(
        world.look(minutes(7)).decision,
        None,
        "equal arms stay as they are"
    );
    world.evidence.epochs[0].arms[1].metrics[1] = binary(&BuiltIn::Error.metric(), 90, 1000);
    assert_eq!(world.look(minutes(8)).decision, Some(Decision::RollBack));
}

#[test]
fn old_evidence_counts_less() {
    let settle = |half_life_seconds| {
        let settings = BanditSettings {
            half_life_seconds,
            max_change: 1.0,
            delta: 1e-9,
            ..BanditSettings::default()
        };
        let mut world = bandit(settings, 2);
        // The better arm changed an hour ago, and the past has more evidence.
        let (before, after) = ([(100, 2000), (300, 2000)], [(150, 1000), (50, 1000)]);
        let half = [0.5, 0.5];
        answered(&mut world, &[(&half, &before), (&half, &after)]);
        world.look(minutes(600));
        world.experiment.shares[1]
    };
    assert!(settle(None) < 0.2);
    assert!(settle(Some(3600)) > 0.8);
}

#[test]
fn a_ceiling_divides_units_by_units_however_often_they_come_back() {
    let settings = RolloutSettings {
        ceilings: [(BuiltIn::Error.metric().name, 0.2)].into(),
        ..RolloutSettings::default()
    };
    let mut world = World::rollout(settings);
    // Two in five of the same 400 users of the candidate have an error, in the first of ten steps.
    let shares = [0.5, 0.5];
    let epochs: Vec<Epoch<'_>> = (0..10)
        .map(|at| -> Epoch<'_> {
            let first: &[(u64, u64)] = &[(160, 400), (160, 400)];
            let later: &[(u64, u64)] = &[(0, 400), (0, 400)];
            (&shares, if at == 0 { first } else { later })
        })
        .collect();
    world.has(&epochs);
    for (at, epoch) in world.evidence.epochs.iter_mut().enumerate() {
        for arm in &mut epoch.arms {
            arm.exposures.predictions = 4000;
            if at > 0 {
                (arm.exposures.first, arm.exposures.left_out) = (0, 400);
            }
        }
    }
    assert_eq!(world.look(minutes(1)).decision, Some(Decision::RollBack));
}

#[test]
fn users_are_waited_for_where_their_share_promises_enough() {
    let settings = RolloutSettings {
        soak_seconds: vec![0],
        ..RolloutSettings::default()
    };
    let mut world = World::rollout(settings.clone());
    // A hundredth of 200 customers is two: the step passes by its soak.
    world.has(&[(&[0.99, 0.01], &[(0, 198), (0, 2)])]);
    world.evidence.epochs[0].arms[0].exposures.predictions = 5000;
    assert!(matches!(
        world.look(minutes(1)).decision,
        Some(Decision::Advance { .. })
    ));
    // A hundredth of 3,500 is 35, and 19 have come.
    let mut world = World::rollout(settings);
    world.has(&[(&[0.99, 0.01], &[(0, 3481), (0, 19)])]);
    world.evidence.epochs[0].arms[0].exposures.predictions = 50_000;
    assert_eq!(world.look(minutes(1)).decision, None);
}
