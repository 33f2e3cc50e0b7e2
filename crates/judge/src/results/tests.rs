//! What must hold of every verdict.

use super::*;
use crate::made::{with_scale, with_values};
use proptest::prelude::*;
use types::{
    Arm, ArmEvidence, BetSums, BuiltIn, Direction, EpochEvidence, ExperimentId, ExperimentKey,
    Exposures, Finding, JsonType, MetricEvidence, Mismatch, ModelId, ModelName, Scale,
    SequenceMethod, UnlikeLabels, VersionKey, VersionName,
};

/// A binary metric of units with one prediction each.
fn binary(successes: u64, units: u64, direction: Direction) -> MetricSums {
    let bad = match direction {
        Direction::Up => units - successes,
        Direction::Down => successes,
    };
    MetricSums {
        units,
        count: units,
        about: 0.0,
        sum: successes as f64,
        sum_squares: successes as f64,
        sum_count_squares: units as f64,
        sum_products: successes as f64,
        values: units,
        value_units: units,
        fresh_values: units,
        events: bad,
        ..MetricSums::default()
    }
}

fn continuous(n: u64, mean: f64, deviation: f64) -> MetricSums {
    let units = n as f64;
    MetricSums {
        units: n,
        count: n,
        about: mean,
        sum: 0.0,
        sum_squares: (units - 1.0).max(0.0) * deviation * deviation,
        sum_count_squares: units,
        sum_products: 0.0,
        values: n,
        value_units: n,
        fresh_values: n,
        events: 0,
        ..MetricSums::default()
    }
}

fn arm(metrics: &[MetricSums]) -> ArmEvidence {
    ArmEvidence {
        exposures: Exposures {
            units: metrics[0].units,
            first: metrics[0].units,
            left_out: 0,
            predictions: metrics[0].count,
            fallbacks: 0,
        },
        metrics: metrics
            .iter()
            .map(|&sums| MetricEvidence {
                matured: sums,
                all: sums,
                bets: BetSums::default(),
                parts: Vec::new(),
            })
            .collect(),
    }
}

fn epoch(number: i64, arms: &[ArmEvidence]) -> EpochEvidence {
    EpochEvidence {
        epoch: number,
        started_at: Timestamp::from_micros(0),
        shares: vec![1.0 / arms.len() as f64; arms.len()],
        scales: vec![Some(Scale::binary(0.5)); arms[0].metrics.len()],
        arms: arms.to_vec(),
        days: Vec::new(),
    }
}

fn evidence(epochs: Vec<EpochEvidence>) -> Evidence {
    Evidence {
        epochs,
        minutes: Some(Vec::new()),
        ..Evidence::default()
    }
}

fn metric(built_in: BuiltIn, direction: Direction) -> Metric {
    Metric {
        direction,
        ..built_in.metric()
    }
}

/// The first metric decides, the others guard.
fn experiment(arms: usize, metrics: Vec<Metric>) -> Experiment {
    let arm = |at: usize| Arm {
        key: VersionKey(at as i64),
        model_id: ModelId::from_bits(at as u64),
        version: VersionName::parse(&format!("{}.0.0", at + 1)).unwrap(),
        weight: 1.0,
    };
    let all = (0..arms).map(arm).collect();
    let definition = ExperimentDefinition {
        slo_ms: Some(100.0),
        ..ExperimentDefinition::new(ModelName::parse("m").unwrap(), all, metrics)
    };
    let start = Timestamp::from_micros(0);
    Experiment::draft(
        ExperimentKey(1),
        ExperimentId::from_bits(1),
        definition,
        start,
    )
    .running_since(start)
}

fn judge(experiment: &Experiment, evidence: &Evidence) -> Results {
    // After a day.
    let now = Timestamp::from_micros(86_400_000_000);
    results(experiment, evidence, &History::default(), now)
}

fn judge_shares(successes: &[(u64, u64)], direction: Direction) -> Results {
    let arms: Vec<ArmEvidence> = successes
        .iter()
        .map(|&(x, n)| arm(&[binary(x, n, direction)]))
        .collect();
    let metric = metric(BuiltIn::Correct, direction);
    judge(
        &experiment(arms.len(), vec![metric]),
        &evidence(vec![epoch(1, &arms)]),
    )
}

#[test]
fn verdicts_and_their_words() {
    for (arms, direction, verdict, words) in [
        (
            vec![(5500, 10_000), (6000, 10_000)],
            Direction::Up,
            Verdict::Winner { arm: 1 },
            "2.0.0 is better than 1.0.0 on correct: 60 % against 55 % of 1.0.0 (difference +5 points, \
             always-valid 95 % interval +2.7 points to +7.3 points).",
        ),
        (
            vec![(5500, 10_000), (6000, 10_000)],
            Direction::Down,
            Verdict::ControlBetter,
            "Keep 1.0.0: 2.0.0 is at 60 % against 55 % of 1.0.0 (difference +5 points",
        ),
        (
            vec![(550, 1000), (600, 1000)],
            Direction::Up,
            Verdict::KeepGoing,
            "Keep going: 2.0.0 is at 60 % against 55 % of 1.0.0 (difference +5 points, always-valid \
             95 % interval −2.29 points to +12.3 points), which does not rule out that they are equal. \
             About",
        ),
        (
            vec![(30, 50), (20, 50)],
            Direction::Up,
            Verdict::KeepGoing,
            "Keep going: 2.0.0 is at 40 % against 60 % of 1.0.0 (difference −20 points, always-valid",
        ),
        (
            vec![(0, 0), (0, 0)],
            Direction::Up,
            Verdict::KeepGoing,
            "Keep going: 2.0.0 has no matured feedback for correct yet.",
        ),
        (
            vec![(5000, 10_000), (6000, 10_000), (5500, 10_000)],
            Direction::Up,
            Verdict::Winner { arm: 1 },
            "3.0.0 is also better than the control; which candidate is best is not tested.",
        ),
        (
            vec![(5000, 10_000), (6000, 12_000)],
            Direction::Up,
            Verdict::SampleRatioMismatch,
            "Do not trust this experiment: the arms did not get the units that their weights promise (p < \
             0.0001).",
        ),
    ] {
        let got = judge_shares(&arms, direction);
        assert_eq!(got.verdict, verdict, "{}", got.summary);
        assert!(got.summary.contains(words), "{}", got.summary);
    }
}

#[test]
fn a_guardrail_is_named_before_any_gain() {
    let metrics = vec![
        metric(BuiltIn::Correct, Direction::Up),
        metric(BuiltIn::Error, Direction::Down),
        metric(BuiltIn::LatencyMs, Direction::Down),
    ];
    let arm = |right, failed, latency| {
        arm(&[
            binary(right, 10_000, Direction::Up),
            binary(failed, 10_000, Direction::Down),
            continuous(10_000, latency, 5.0),
        ])
    };
    let experiment = experiment(2, metrics);
    for (candidate, harmed) in [
        (arm(6000, 20, 10.0), None),
        (arm(6000, 120, 10.0), Some(1)),
        (arm(6000, 20, 12.0), None),
        (arm(6000, 20, 15.0), Some(2)),
    ] {
        let arms = [arm(5000, 20, 10.0), candidate.clone()];
        let mut epoch = epoch(1, &arms);
        let latency = |arm: &ArmEvidence| (10_000, arm.metrics[2].matured.about, 5.0);
        let latencies = [latency(&arms[0]), latency(&candidate)];
        with_values(&mut epoch, &experiment.definition, 2, &latencies);
        let got = judge(&experiment, &evidence(vec![epoch]));
        let expected = match harmed {
            None => Verdict::Winner { arm: 1 },
            Some(metric) => Verdict::GuardrailHarmed { arm: 1, metric },
        };
        assert_eq!(got.verdict, expected, "{}", got.summary);
        if harmed == Some(1) {
            let words = "Take 2.0.0 back: it is worse than 1.0.0 on the guardrail error: 120 of 10,000 \
                         (1.2 %) against 20 of 10,000 (0.2 %).";
            assert!(got.summary.starts_with(words), "{}", got.summary);
        }
    }
}

#[test]
fn feedback_that_comes_for_one_arm_only_is_seen() {
    let metrics = vec![metric(BuiltIn::Correct, Direction::Up)];
    let mut arms = [
        arm(&[binary(500, 1000, Direction::Up)]),
        arm(&[binary(700, 1000, Direction::Up)]),
    ];
    arms[1].metrics[0].all.fresh_values = 700;
    let got = judge(&experiment(2, metrics), &evidence(vec![epoch(1, &arms)]));
    assert_eq!(
        got.verdict,
        Verdict::DifferentialFeedback,
        "{}",
        got.summary
    );
}

#[test]
fn labels_that_can_never_match_are_no_claim() {
    let metrics = vec![
        metric(BuiltIn::Correct, Direction::Up),
        metric(BuiltIn::Error, Direction::Down),
    ];
    // The candidate is right nine times of ten, and the control answers numbers where labels are texts.
    let arms = [(0, 5000), (4500, 5000)].map(|(right, n)| {
        arm(&[
            binary(right, n, Direction::Up),
            binary(0, n, Direction::Down),
        ])
    });
    let unlike = |prediction, count| UnlikeLabels {
        arm: 0,
        mismatch: Mismatch {
            prediction,
            label: JsonType::Text,
        },
        count,
    };
    let judged = |unlike: Vec<UnlikeLabels>| {
        let evidence = Evidence {
            unlike_labels: unlike,
            ..evidence(vec![epoch(1, &arms)])
        };
        judge(&experiment(2, metrics.clone()), &evidence)
    };
    assert_eq!(judged(vec![]).verdict, Verdict::Winner { arm: 1 });
    let got = judged(vec![unlike(JsonType::Number, 5000)]);
    assert_eq!(got.verdict, Verdict::LabelsNeverMatch);
    let said = "5000 of the 10000 labels for 1.0.0 have a text, where it answered a number";
    assert!(got.summary.contains(said), "{}", got.summary);
    let comparison = &got.metrics[0].comparisons[0];
    assert_eq!(comparison.finding, Finding::Unclear);
    assert_eq!(
        (comparison.sequential.p, comparison.sequential.interval),
        (1.0, None)
    );
    // What is remembered of this look claims nothing later.
    assert_eq!(got.history().0[0].p, 1.0);
    // The other metric is judged as ever.
    assert!(got.metrics[1].comparisons[0].sequential.interval.is_some());
    // One in a hundred may be.
    let few = judged(vec![unlike(JsonType::Number, 50)]);
    assert_eq!(few.verdict, Verdict::Winner { arm: 1 });
    assert_eq!(
        judged(vec![unlike(JsonType::Number, 51)]).verdict,
        Verdict::LabelsNeverMatch
    );
}

#[test]
fn a_drifting_baseline_under_changing_weights_is_no_effect() {
    // The candidate gets 10 % while the base is low, then 50 % while it is high. Pooled, it would
    // look far better.
    let epochs = [(0.1, 0.2), (0.5, 0.6)].map(|(share, base): (f64, f64)| {
        let n = 20_000.0;
        let arm = |share: f64| {
            let units = (n * share) as u64;
            arm(&[binary((units as f64 * base) as u64, units, Direction::Up)])
        };
        EpochEvidence {
            epoch: (share * 10.0) as i64,
            started_at: Timestamp::from_micros(0),
            shares: vec![1.0 - share, share],
            scales: vec![Some(Scale::binary(base))],
            arms: vec![arm(1.0 - share), arm(share)],
            days: Vec::new(),
        }
    });
    let metrics = vec![metric(BuiltIn::Correct, Direction::Up)];
    let got = judge(&experiment(2, metrics), &evidence(epochs.to_vec()));
    assert_eq!(got.verdict, Verdict::KeepGoing, "{}", got.summary);
    let comparison = &got.metrics[0].comparisons[0];
    assert!(comparison.difference.unwrap().abs() < 1e-3);
    let pooled = got.metrics[0].arms.iter().map(|arm| arm.mean.unwrap());
    let pooled: Vec<f64> = pooled.collect();
    assert!(pooled[1] - pooled[0] > 0.1, "{pooled:?}");
}

#[test]
fn a_claim_is_that_of_its_oracle() {
    let arms = [(1000, 10_000), (1100, 10_000)].map(|(x, n)| arm(&[binary(x, n, Direction::Up)]));
    let mut epoch = epoch(1, &arms);
    epoch.scales = vec![Some(Scale::binary(0.1))];
    let metrics = vec![metric(BuiltIn::Correct, Direction::Up)];
    let got = judge(&experiment(2, metrics), &evidence(vec![epoch]));
    let comparison = &got.metrics[0].comparisons[0];
    // bets-claim and prop-newcombe-1100-1000 of the oracles.
    let ln_e = comparison.sequential.ln_e;
    assert!((ln_e - 0.428_349_002_062_2).abs() < 1e-12, "{ln_e}");
    let newcombe = comparison.fixed.unwrap().interval;
    assert!(
        (newcombe.lower - 0.001_502_065_065_65).abs() < 1e-12,
        "{newcombe:?}"
    );
}

/// A scale that becomes known begins an epoch and moves nothing: what one look says goes on over both.
#[test]
fn epochs_of_the_same_shares_are_like_one() {
    let experiment = experiment(2, vec![metric(BuiltIn::Correct, Direction::Up)]);
    let of = |number, control, candidate, units| {
        let arms = [control, candidate].map(|right| arm(&[binary(right, units, Direction::Up)]));
        epoch(number, &arms)
    };
    let whole = judge(&experiment, &evidence(vec![of(1, 500, 560, 1000)]));
    let whole = whole.metrics[0].comparisons[0].clone();
    let two = [of(1, 100, 110, 200), of(2, 400, 450, 800)];
    let seen = |epochs: &[EpochEvidence]| {
        let found = judge(&experiment, &evidence(epochs.to_vec()));
        found.metrics[0].comparisons[0].clone()
    };
    let found = seen(&two);
    assert!(whole.fixed.is_some() && whole.bayesian.is_some());
    assert_eq!((found.fixed, found.bayesian), (whole.fixed, whole.bayesian));
    // Where the weights have moved, means of all epochs compare what is not alike; and who came back would count twice.
    let mut moved = two.clone();
    moved[1].shares = vec![0.3, 0.7];
    assert!(seen(&moved).fixed.is_none() && seen(&moved).bayesian.is_none());
    let mut returned = two;
    returned[1].arms[0].exposures.first -= 100;
    assert!(seen(&returned).fixed.is_none());
}

#[test]
fn a_lift_is_over_the_means_that_the_difference_is_of() {
    let rates = |number, [control, candidate]: [(u64, u64); 2]| {
        let arms = [control, candidate].map(|(x, n)| arm(&[binary(x, n, Direction::Up)]));
        epoch(number, &arms)
    };
    // Half as much again in both epochs, on levels of which one is a tenth of the other.
    let epochs = vec![
        rates(1, [(600, 1500), (900, 1500)]),
        rates(2, [(20, 500), (30, 500)]),
    ];
    let experiment = experiment(2, vec![metric(BuiltIn::Correct, Direction::Up)]);
    let found = judge(&experiment, &evidence(epochs));
    let lift = found.metrics[0].comparisons[0].lift.unwrap();
    assert!((lift - 0.5).abs() < 1e-9, "{lift}");
}

#[test]
fn what_was_shown_stays_shown() {
    let shares = |b| {
        evidence(vec![epoch(
            1,
            &[
                arm(&[binary(5000, 10_000, Direction::Up)]),
                arm(&[binary(b, 10_000, Direction::Up)]),
            ],
        )])
    };
    let experiment = experiment(2, vec![metric(BuiltIn::Correct, Direction::Up)]);
    let now = Timestamp::from_micros(86_400_000_000);
    let first = results(&experiment, &shares(5300), &History::default(), now);
    assert_eq!(first.verdict, Verdict::Winner { arm: 1 });
    let alone = results(&experiment, &shares(5150), &History::default(), now);
    assert_eq!(alone.verdict, Verdict::KeepGoing);
    let after = results(&experiment, &shares(5150), &first.history(), now);
    assert_eq!(after.verdict, Verdict::Winner { arm: 1 });
    let interval = |r: &Results| r.metrics[0].comparisons[0].sequential.interval.unwrap();
    // It is about the effect so far, and does not deny what was claimed.
    assert!(interval(&alone).lower < 0.0 && interval(&after).lower == 0.0);
    assert_eq!(interval(&after).upper, interval(&alone).upper);
    // Remembering changes nothing more.
    assert_eq!(
        results(&experiment, &shares(5150), &after.history(), now),
        after
    );
}

#[test]
fn what_was_shown_with_values_that_were_corrected_is_forgotten() {
    let experiment = experiment(2, vec![metric(BuiltIn::Correct, Direction::Up)]);
    let look = |x, replaced, history: &History| {
        let arms = [5000, x].map(|x| arm(&[binary(x, 10_000, Direction::Up)]));
        let corrections = types::Corrections {
            metric: 0,
            arm: 1,
            replaced,
            late: 0,
        };
        let evidence = Evidence {
            corrections: vec![corrections],
            ..evidence(vec![epoch(1, &arms)])
        };
        let now = Timestamp::from_micros(86_400_000_000);
        results(&experiment, &evidence, history, now)
    };
    // Labels were wrong from the start, and are corrected a few at each look: no interval is far from the one before.
    let first = look(5400, 7, &History::default());
    assert_eq!(first.verdict, Verdict::Winner { arm: 1 });
    let mut last = first.clone();
    for step in 1..=40 {
        last = look(5400 - 10 * step, 7 + 10 * step, &last.history());
    }
    assert_eq!(last.verdict, Verdict::KeepGoing, "{}", last.summary);
    let comparison = &last.metrics[0].comparisons[0];
    assert_eq!(comparison.sequential.p, 1.0);
    let over = comparison.claimed.unwrap().until.map(|(_, why)| why);
    assert_eq!(over, Some(Over::Corrected));
    assert_eq!(last.corrected, [(407, 0)]);
    // A few move less than chance does, a quarter of √2500 here, and forget nothing.
    let few = look(5150, 7 + 12, &first.history());
    assert_eq!(few.verdict, Verdict::Winner { arm: 1 });
    let more = look(5150, 7 + 13, &first.history());
    assert_eq!(more.verdict, Verdict::KeepGoing);
    // They are counted from the look that was remembered, however many looks come between.
    let later = look(5150, 7 + 13, &few.history());
    assert_eq!(later.verdict, Verdict::KeepGoing);
    // Without a correction nothing is forgotten, however far the effect so far has moved; with one it is.
    let far = look(5900, 7, &History::default());
    let p = |results: &Results| results.metrics[0].comparisons[0].sequential.p;
    assert_eq!(p(&look(5150, 7, &far.history())), p(&far));
    let alone = look(5150, 8, &History::default());
    assert_eq!(p(&look(5150, 8, &far.history())), p(&alone));
    // What still holds is claimed, whatever was corrected.
    assert_eq!(
        look(5400, 5000, &first.history()).verdict,
        Verdict::Winner { arm: 1 }
    );
}

#[test]
fn what_few_values_have_shown_few_corrections_take_away() {
    let experiment = experiment(2, vec![metric(BuiltIn::Correct, Direction::Up)]);
    let look = |[(a, n), (b, m)]: [(u64, u64); 2], replaced, history: &History| {
        let arms = [(a, n), (b, m)].map(|(x, n)| arm(&[binary(x, n, Direction::Up)]));
        let evidence = Evidence {
            corrections: vec![types::Corrections {
                metric: 0,
                arm: 1,
                replaced,
                late: 0,
            }],
            ..evidence(vec![epoch(1, &arms)])
        };
        let now = Timestamp::from_micros(86_400_000_000);
        let found = results(&experiment, &evidence, history, now);
        let p = found.metrics[0].comparisons[0].sequential.p;
        (found, p)
    };
    // A hundred of each arm can bear one correction, and five hundred two.
    let (first, early) = look([(50, 100), (80, 100)], 0, &History::default());
    assert!(early < 0.05, "{early}");
    let grown = [(250, 500), (270, 500)];
    assert_eq!(look(grown, 0, &first.history()).1, early);
    assert_eq!(look(grown, 2, &History::default()).1, 1.0);
    assert_eq!(look(grown, 2, &first.history()).1, 1.0);
    // The values of the control are no reason to keep what few of the candidate have shown.
    let (first, early) = look([(5000, 10_000), (80, 100)], 0, &History::default());
    assert!(early < 0.05, "{early}");
    let (_, corrected) = look([(5000, 10_000), (68, 100)], 12, &first.history());
    assert!(corrected > 2.0 * early, "{corrected}");
}

#[test]
fn without_events_the_interval_keeps_a_width() {
    let got = judge_shares(&[(0, 5000), (0, 5000)], Direction::Down);
    let sequential = got.metrics[0].comparisons[0].sequential;
    assert_eq!(sequential.method, SequenceMethod::Betting);
    let interval = sequential.interval.unwrap();
    assert!(
        interval.lower < -1e-4 && interval.upper > 1e-4,
        "{interval:?}"
    );
}

/// Every number that is said is finite, but for ends of intervals that nothing bounds.
fn assert_numbers(results: &Results) {
    let finite = |x: f64| assert!(x.is_finite(), "{results:?}");
    let interval = |i: Interval| {
        assert!(
            !i.lower.is_nan() && !i.upper.is_nan() && i.lower <= i.upper,
            "{results:?}"
        );
    };
    finite(results.sample_ratio.p);
    for metric in &results.metrics {
        for arm in &metric.arms {
            arm.mean.map(finite);
            arm.interval.map(interval);
        }
        for c in &metric.comparisons {
            c.difference.map(finite);
            c.lift.map(finite);
            finite(c.sequential.p);
            finite(c.sequential.adjusted_p);
            finite(c.sequential.ln_e);
            c.sequential.interval.map(interval);
            c.lift_interval.map(interval);
            if let Some(test) = c.fixed {
                finite(test.p);
                finite(test.statistic);
                interval(test.interval);
            }
            if let Some(posterior) = c.bayesian {
                finite(posterior.chance_to_win);
                finite(posterior.loss_candidate);
                finite(posterior.loss_control);
            }
            if let Some(events) = c.events {
                finite(events.ln_e);
                interval(events.rate_ratio);
            }
            c.ln_e_harm.map(finite);
            if let Some(needed) = c.needed {
                finite(needed.units);
            }
        }
    }
    assert!(!results.summary.contains("NaN") && !results.summary.contains("inf"));
}

#[test]
fn extreme_counts_are_answered() {
    let trillion = 1_000_000_000_000;
    for arms in [
        [(0, 0), (0, 0)],
        [(0, 1), (1, 1)],
        [(0, 1), (0, 0)],
        [(1, 1), (0, trillion)],
        [(trillion / 2, trillion), (trillion / 2 + 1, trillion)],
        [(trillion, trillion), (trillion, trillion)],
        [(0, trillion), (trillion, trillion)],
        [(10, 20), (trillion / 10, trillion)],
        [(100, 200), (trillion / 10, trillion)],
    ] {
        for direction in [Direction::Up, Direction::Down] {
            assert_numbers(&judge_shares(&arms, direction));
        }
    }
    // No variance at all, and one unit.
    let metrics = vec![metric(BuiltIn::LatencyMs, Direction::Down)];
    for (n, mean, deviation) in [
        (1, 5.0, 0.0),
        (1000, 5.0, 0.0),
        (2, 1e300, 0.0),
        (1000, 0.0, 1e-300),
    ] {
        let arms = [
            arm(&[continuous(n, mean, deviation)]),
            arm(&[continuous(n, mean, deviation)]),
        ];
        assert_numbers(&judge(
            &experiment(2, metrics.clone()),
            &evidence(vec![epoch(1, &arms)]),
        ));
    }
}

fn counts() -> impl Strategy<Value = (u64, u64)> {
    (0u64..100_000).prop_flat_map(|n| (0..=n, Just(n)))
}

proptest! {
    #[test]
    fn nothing_is_ever_not_a_number(
        a in counts(), b in counts(), c in counts(), up in any::<bool>(),
        mean in -1e6..1e6f64, deviation in 0.0..1e6f64,
    ) {
        let direction = if up { Direction::Up } else { Direction::Down };
        assert_numbers(&judge_shares(&[a, b, c], direction));
        let metrics = vec![metric(BuiltIn::LatencyMs, direction)];
        let arms = [arm(&[continuous(a.1, mean, deviation)]), arm(&[continuous(b.1, mean + 1.0, deviation)])];
        assert_numbers(&judge(&experiment(2, metrics), &evidence(vec![epoch(1, &arms)])));
    }

    #[test]
    fn swapping_the_arms_mirrors_everything(a in counts(), b in counts()) {
        let one = judge_shares(&[a, b], Direction::Up);
        let other = judge_shares(&[b, a], Direction::Up);
        let (one, other) = (&one.metrics[0].comparisons[0], &other.metrics[0].comparisons[0]);
        let near = |x: f64, y: f64| (x - y).abs() <= 1e-9 * x.abs().max(1.0);
        prop_assert!(near(one.sequential.p, other.sequential.p));
        if let (Some(x), Some(y)) = (one.sequential.interval, other.sequential.interval) {
            prop_assert!(near(x.lower, -y.upper) && near(x.upper, -y.lower), "{x:?} {y:?}");
        }
        if let (Some(x), Some(y)) = (one.bayesian, other.bayesian) {
            prop_assert!((x.chance_to_win + y.chance_to_win - 1.0).abs() < 1e-6);
        }
        if let (Some(x), Some(y)) = (one.fixed, other.fixed) {
            prop_assert!(near(x.p, y.p) && near(x.interval.lower, -y.interval.upper));
        }
        let mirrored = match one.finding {
            Finding::Better => Finding::Worse,
            Finding::Worse => Finding::Better,
            same => same,
        };
        prop_assert_eq!(mirrored, other.finding);
    }

    #[test]
    fn the_other_direction_says_the_opposite(a in counts(), b in counts()) {
        // More successes of what is good are fewer of what is bad.
        let up = judge_shares(&[a, b], Direction::Up);
        let down = judge_shares(&[(a.1 - a.0, a.1), (b.1 - b.0, b.1)], Direction::Down);
        let (up, down) = (&up.metrics[0].comparisons[0], &down.metrics[0].comparisons[0]);
        prop_assert_eq!(up.finding, down.finding);
        prop_assert!((up.events.unwrap().ln_e - down.events.unwrap().ln_e).abs() < 1e-9);
        if let (Some(x), Some(y)) = (up.bayesian, down.bayesian) {
            prop_assert!((x.chance_to_win - y.chance_to_win).abs() < 1e-6, "{x:?} {y:?}");
        }
    }

    #[test]
    fn a_larger_effect_never_has_less_evidence(n in 200u64..50_000, x in 0.2..0.5f64, step in 0.001..0.1f64) {
        let successes = |share: f64| (share * n as f64).round() as u64;
        let control = (successes(x), n);
        let near = judge_shares(&[control, (successes(x + step), n)], Direction::Up);
        let far = judge_shares(&[control, (successes(x + 2.0 * step), n)], Direction::Up);
        let (near, far) = (&near.metrics[0].comparisons[0], &far.metrics[0].comparisons[0]);
        prop_assert!(far.sequential.ln_e >= near.sequential.ln_e - 1e-12);
        prop_assert!(far.sequential.p <= near.sequential.p + 1e-12);
        prop_assert!(far.bayesian.unwrap().chance_to_win >= near.bayesian.unwrap().chance_to_win - 1e-9);
        prop_assert!(far.events.unwrap().ln_e <= near.events.unwrap().ln_e + 1e-9);
    }

    #[test]
    fn adding_up_batches_is_the_same_as_one(
        batches in prop::collection::vec((1u64..500, 0.0..1.0f64), 1..10),
    ) {
        let (mut sums, mut whole) = (MetricSums::default(), (0, 0));
        for (n, share) in batches {
            let successes = (share * n as f64) as u64;
            sums.add(&binary(successes, n, Direction::Up));
            whole = (whole.0 + successes, whole.1 + n);
        }
        prop_assert_eq!(sums, binary(whole.0, whole.1, Direction::Up));
    }
}

#[test]
fn what_decides_is_the_same_in_both_views() {
    for arms in [
        [(50, 500), (80, 500)],
        [(5, 50), (9, 50)],
        [(500, 900), (500, 1000)],
    ] {
        let metric = metric(BuiltIn::Correct, Direction::Up);
        let experiment = experiment(2, vec![metric]);
        let each = arms.map(|(x, n)| arm(&[binary(x, n, Direction::Up)]));
        let evidence = evidence(vec![epoch(1, &each)]);
        let now = Timestamp::from_micros(86_400_000_000);
        let whole = judge(&experiment, &evidence);
        let deciding = view(
            &experiment,
            &evidence,
            &History::default(),
            now,
            View::Deciding,
        );
        assert_eq!(deciding.verdict, whole.verdict);
        assert_eq!(deciding.history(), whole.history());
        let (got, want) = (
            &deciding.metrics[0].comparisons[0],
            &whole.metrics[0].comparisons[0],
        );
        assert_eq!((got.finding, got.ln_e_harm), (want.finding, want.ln_e_harm));
        assert!(want.bayesian.is_some() && got.bayesian.is_none());
    }
}

/// Where the centre of the scale is far from the values, bets follow the number of units that each arm happened to get: the
/// asymptotic evidence decides then, and says which way.
#[test]
fn a_claim_has_the_direction_of_its_difference_wherever_the_centre_is() {
    let metric = Metric {
        window_seconds: 60,
        ..BuiltIn::LatencyMs.metric()
    };
    for (units, better) in [
        ((5200, 5000), 51.5),
        ((5000, 5200), 51.5),
        ((5200, 5000), 49.5),
        ((5000, 5200), 49.5),
    ] {
        let means = [(units.0, 50.5, 0.3), (units.1, better, 0.3)];
        let arms = means.map(|(n, mean, sd)| arm(&[continuous(n, mean, sd)]));
        let experiment = experiment(2, vec![metric.clone()]);
        let mut epochs = Vec::new();
        // In one epoch, and in two.
        for number in 1..3 {
            let mut epoch = epoch(number, &arms);
            let scale = Some(Scale {
                floor: 0.0,
                cap: 1000.0,
                centre: 0.5,
                line: None,
            });
            with_scale(&mut epoch, &experiment.definition, 0, scale, &means);
            epochs.push(epoch);
            let got = judge(&experiment, &evidence(epochs.clone()));
            let comparison = &got.metrics[0].comparisons[0];
            let truth: f64 = better - 50.5;
            let difference = comparison.difference.unwrap();
            assert!(
                (difference - truth).abs() < 1e-6,
                "{units:?} {better}: {difference}"
            );
            // Less latency is better.
            let wanted = if truth < 0.0 {
                Finding::Better
            } else {
                Finding::Worse
            };
            assert_eq!(comparison.finding, wanted, "{}", got.summary);
            let interval = comparison.sequential.interval.unwrap();
            assert!(
                interval.contains(truth) && interval.lower < interval.upper,
                "{interval:?}"
            );
        }
    }
}

/// A segment that has all units says what the whole says, whatever the metric is for and however many arms there are.
#[test]
fn a_segment_with_all_units_has_the_evidence_of_the_whole() {
    let named = |name: &str| Metric {
        name: types::MetricName::parse(name).unwrap(),
        window_seconds: 60,
        direction: Direction::Up,
        ..BuiltIn::LatencyMs.metric()
    };
    let rule = |metric: &Metric| metric.rule();
    for arms in [2, 3] {
        let metrics = vec![named("first"), named("second"), named("guard")];
        assert!(
            metrics
                .iter()
                .all(|m| rule(m) == types::EvidenceRule::Exposures)
        );
        let mut experiment = experiment(arms, metrics);
        let definition = &mut experiment.definition;
        definition.dimensions = vec!["country".into()];
        definition.secondary_metrics = vec![definition.metrics[1].name.clone()];
        // The one that decides guards too.
        definition.guardrails = vec![
            definition.metrics[0].name.clone(),
            definition.metrics[2].name.clone(),
        ];
        let means: Vec<(u64, f64, f64)> =
            (0..arms).map(|at| (4000, 50.0 + at as f64, 4.0)).collect();
        let sums: Vec<MetricSums> = means
            .iter()
            .map(|(n, m, sd)| continuous(*n, *m, *sd))
            .collect();
        let all: Vec<ArmEvidence> = sums.iter().map(|sums| arm(&[*sums; 3])).collect();
        let mut epoch = epoch(1, &all);
        for at in 0..3 {
            with_values(&mut epoch, definition, at, &means);
        }
        let whole = evidence(vec![epoch]);
        let got = judge(&experiment, &whole);
        let segment = types::SegmentEvidence {
            dimension: "country".into(),
            of: types::SegmentOf::Value("DE".into()),
            evidence: whole.clone(),
        };
        let of_part = &segments(&experiment.definition, &[segment], None)[0];
        for (at, (part, whole)) in of_part.metrics.iter().zip(&got.metrics).enumerate() {
            for (part, whole) in part.comparisons.iter().zip(&whole.comparisons) {
                assert_eq!(part.finding, Finding::Better, "{arms} arms, metric {at}");
                let interval = part.sequential.interval.unwrap();
                assert!(
                    interval.lower > 0.0 && interval.lower < interval.upper,
                    "{interval:?}"
                );
                // A guardrail claims nothing as a whole, and the asymptotic half is made for its own part of alpha.
                let (part, whole) = (part.sequential.ln_e, whole.sequential.ln_e);
                let near = (part - whole).abs() < 0.1 * whole.abs();
                assert!(near || at == 2, "{arms} arms, metric {at}: {part} {whole}");
            }
        }
    }
}

/// Clicks of the control and of the candidate on a day, each of so many units.
type Clicks = [(u64, u64); 2];

/// An epoch of days that follow each other.
fn epoch_of_days(number: i64, first: i64, days: &[Clicks]) -> EpochEvidence {
    let total = |arm: usize| {
        let all = days.iter().map(|day| day[arm]);
        all.fold((0, 0), |sum, (x, n)| (sum.0 + x, sum.1 + n))
    };
    let arms = [0, 1].map(|at| {
        let (x, n) = total(at);
        arm(&[binary(x, n, Direction::Up)])
    });
    let sums = |(x, n): (u64, u64)| {
        vec![types::DaySums {
            units: n,
            powers: [x as f64; 3],
        }]
    };
    let of_day = |(at, day): (i64, &Clicks)| types::DayEvidence {
        day: first + at,
        arms: day.map(sums).to_vec(),
    };
    EpochEvidence {
        scales: vec![Some(Scale::binary(0.1))],
        days: (0..).zip(days).map(of_day).collect(),
        ..epoch(number, &arms)
    }
}

/// Clicks of feedback, of which the first value of a unit counts.
fn clicks() -> Experiment {
    experiment(2, vec![metric(BuiltIn::Correct, Direction::Up)])
}

/// The end of a day, in seconds and a little.
fn after_day(day: i64) -> Timestamp {
    Timestamp::from_micros((day + 1) * 86_400_000_000 + 1)
}

#[test]
fn a_claim_goes_with_the_effect_that_it_stood_on() {
    let experiment = clicks();
    let mut days: Vec<Clicks> = vec![[(50, 500), (100, 500)]; 6];
    let look = |days: &[Clicks], history: &History| {
        let evidence = evidence(vec![epoch_of_days(1, 0, days)]);
        results(
            &experiment,
            &evidence,
            history,
            after_day(days.len() as i64 - 1),
        )
    };
    let first = look(&days, &History::default());
    assert_eq!(first.verdict, Verdict::Winner { arm: 1 });
    assert!(!first.history().has_new_change(&History::default()));
    // The candidate clicks no more.
    let (mut before, mut told) = (first.clone(), Vec::new());
    for day in 6..12 {
        days.push([(50, 500), (0, 500)]);
        let now = look(&days, &before.history());
        if now.history().has_new_change(&before.history()) {
            told.push(day);
        }
        let comparison = &now.metrics[0].comparisons[0];
        let (interval, difference) = (
            comparison.sequential.interval.unwrap(),
            comparison.difference.unwrap(),
        );
        assert!(interval.contains(difference), "{interval:?} {difference}");
        // Evidence against "no effect at any time" does not go away.
        assert!(comparison.sequential.p <= before.metrics[0].comparisons[0].sequential.p);
        before = now;
    }
    assert_eq!(told, [6], "it is told once, after the first day of it");
    let last = before;
    assert_eq!(last.verdict, Verdict::KeepGoing);
    let comparison = &last.metrics[0].comparisons[0];
    assert_eq!(comparison.finding, Finding::Unclear);
    let claimed = comparison.claimed.unwrap();
    assert_eq!(claimed.finding, Finding::Better);
    assert_eq!(
        (claimed.since, claimed.until),
        (after_day(5), Some((after_day(6), Over::Changed)))
    );
    let change = comparison.by_day.as_ref().unwrap().change.unwrap();
    assert_eq!((change.until, change.from), (6 * 86_400, 6 * 86_400));
    let words = changes(&experiment.definition, &last);
    assert_eq!(
        words,
        [
            "The effect of 2.0.0 on correct has changed: +10 points for units that came until 1970-01-06, −10 points for \
             those that came from 1970-01-07 on. The difference and its interval describe the average so far.",
            "2.0.0 was found to be better on correct at 1970-01-07T00:00:00.000001Z. That claim ended at \
             1970-01-08T00:00:00.000001Z: the effect has changed.",
        ]
    );
    assert!(
        words.iter().all(|said| last.summary.contains(said)),
        "{}",
        last.summary
    );
    // What was over begins again by new evidence alone.
    days.extend(vec![[(50, 500), (200, 500)]; 12]);
    let again = look(&days, &last.history());
    assert_eq!(again.verdict, Verdict::Winner { arm: 1 });
    assert_eq!(again.metrics[0].comparisons[0].claimed.unwrap().until, None);
}

#[test]
fn a_difference_that_turns_takes_its_claim_back_without_days_too() {
    let experiment = clicks();
    let look = |x, history: &History, day| {
        let epoch = EpochEvidence {
            days: Vec::new(),
            ..epoch_of_days(1, 0, &[[(5000, 10_000), (x, 10_000)]])
        };
        results(&experiment, &evidence(vec![epoch]), history, after_day(day))
    };
    let first = look(5300, &History::default(), 0);
    assert_eq!(first.verdict, Verdict::Winner { arm: 1 });
    let second = look(4990, &first.history(), 1);
    assert_eq!(second.verdict, Verdict::KeepGoing);
    assert!(
        second
            .summary
            .ends_with(": the difference so far was −0.1 points then."),
        "{}",
        second.summary
    );
    // It does not come back with the next swing of chance, and its reason stays what it was.
    let third = look(5150, &second.history(), 2);
    assert_eq!(third.verdict, Verdict::KeepGoing);
    assert_eq!(
        changes(&experiment.definition, &third),
        changes(&experiment.definition, &second)
    );
    // A claim the other way stands as the first did.
    let worse = look(4600, &third.history(), 3);
    assert_eq!(worse.verdict, Verdict::ControlBetter);
    let still = look(4950, &worse.history(), 4);
    assert_eq!(still.verdict, Verdict::ControlBetter);
    assert!(
        still.metrics[0].comparisons[0]
            .sequential
            .interval
            .unwrap()
            .upper
            == 0.0
    );
    assert_eq!(
        look(5300, &third.history(), 3).verdict,
        Verdict::Winner { arm: 1 }
    );
}

#[test]
fn days_close_when_they_have_passed_and_have_enough_units() {
    let experiment = clicks();
    let by_day = |epochs: Vec<EpochEvidence>, now: Timestamp| {
        let found = results(&experiment, &evidence(epochs), &History::default(), now);
        found.metrics[0].comparisons[0].by_day.clone().unwrap()
    };
    let many = [[(50, 500), (60, 500)]; 5];
    let ends = |found: &EffectByDay| -> Vec<(i64, i64)> {
        let days = found.days.iter();
        days.map(|day| (day.from / 86_400, day.to / 86_400 - 1))
            .collect()
    };
    let before_the_last_ends = Timestamp::from_micros(5 * 86_400_000_000 - 1);
    let found = by_day(vec![epoch_of_days(1, 0, &many)], before_the_last_ends);
    assert_eq!(ends(&found), [(0, 0), (1, 1), (2, 2), (3, 3)]);
    assert!((found.days[0].difference - 0.02).abs() < 1e-12);
    assert_eq!(found.days[0].units, (500, 500));
    assert!(found.ln_e == 0.0 && found.change.is_none());
    // 60 units of the candidate on each day: two days make a hundred.
    let few = [[(50, 500), (6, 60)]; 5];
    let found = by_day(vec![epoch_of_days(1, 0, &few)], after_day(5));
    assert_eq!(ends(&found), [(0, 1), (2, 3)]);
    // At 2 % the squared skewness is 47, so that it takes 470 units.
    let rare = [[(10, 500), (2, 100)]; 11];
    let found = by_day(vec![epoch_of_days(1, 0, &rare)], after_day(11));
    assert_eq!(ends(&found), [(0, 4), (5, 9)]);
    // Days of different weights stay apart, and what is left of the first does not count with the second.
    let epochs = vec![
        epoch_of_days(1, 0, &few[..3]),
        epoch_of_days(2, 2, &many[..2]),
    ];
    assert_eq!(
        ends(&by_day(epochs, after_day(5))),
        [(0, 1), (2, 2), (3, 3)]
    );
    // Nobody clicks: nothing can be said, and nothing is.
    let none = [[(0, 500), (0, 500)]; 5];
    assert_eq!(
        ends(&by_day(vec![epoch_of_days(1, 0, &none)], after_day(5))),
        []
    );
}

#[test]
fn what_cannot_be_said_is_told_by_its_own_reason() {
    let mut experiment = experiment(2, vec![metric(BuiltIn::Confidence, Direction::Up)]);
    experiment.scales = vec![None];
    let arms = [
        arm(&[continuous(500, 3.1, 0.0)]),
        arm(&[continuous(500, 3.1, 0.0)]),
    ];
    let mut epoch = epoch(1, &arms);
    epoch.scales = vec![None];
    let mut got = judge(&experiment, &evidence(vec![epoch]));
    assert!(
        got.summary.contains("no scale is set yet"),
        "{}",
        got.summary
    );
    got.explain(&experiment, 0, &types::NoScale::AllEqual.to_string());
    let told = "too little is known about confidence: all values are equal";
    assert!(got.summary.contains(told), "{}", got.summary);
}
