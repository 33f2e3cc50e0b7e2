//! Experiments, and the evidence that the log keeps for them.

use crate::{Backend, Opened, append, at, command, feedback, name, record, register, replayed};
use catalog::{Command, ExperimentDecision, differences};
use std::collections::HashMap;
use store::{AuditFilter, Checkpoint, Feedback, FeedbackContent, FeedbackOf, LookPoint};
use types::{
    Action, Actor, Arm, BuiltIn, Decision, Evidence, Experiment, ExperimentDefinition,
    ExperimentId, LookRecord, Metric, MetricKind, MetricName, Missing, ModelState,
    PredictionRecord, Progress, Reason, RolloutProgress, Scale, TimeRange, Timestamp, UnitId,
    VerdictKind, Version, VersionStatus,
};

pub(crate) fn metric_name(text: &str) -> MetricName {
    MetricName::parse(text).unwrap()
}

/// A metric that feedback gives, within a minute or else it is a failure.
pub(crate) fn clicked() -> Metric {
    Metric {
        name: metric_name("clicked"),
        window_seconds: 60,
        missing: Missing::Failure,
        ..BuiltIn::Correct.metric()
    }
}

pub(crate) fn score() -> Metric {
    Metric {
        name: metric_name("score"),
        kind: MetricKind::Continuous,
        lower_bound: Some(0.0),
        upper_bound: Some(10.0),
        ..BuiltIn::Correct.metric()
    }
}

pub(crate) fn definition(versions: &[&Version], metrics: Vec<Metric>) -> ExperimentDefinition {
    let arm = |version: &&Version| Arm {
        key: version.key,
        model_id: version.model_id,
        version: version.version.clone(),
        weight: 1.0,
    };
    ExperimentDefinition {
        title: "a test".into(),
        secondary_metrics: metrics[1..].iter().map(|m| m.name.clone()).collect(),
        guardrails: Vec::new(),
        enrolment: 0.5,
        salt: "salt".into(),
        ..ExperimentDefinition::new(name("m"), versions.iter().map(arm).collect(), metrics)
    }
}

pub(crate) async fn declare<S: Backend>(store: &S, metric: Metric) {
    let set = Command::SetMetric(Box::new(metric));
    command(store, set, at(0)).await.unwrap();
}

/// A model with two versions and a running experiment on them.
pub(crate) async fn running<S: Backend>(
    store: &S,
    metrics: Vec<Metric>,
) -> (Experiment, [Version; 2]) {
    running_on(store, metrics, Vec::new()).await
}

/// The same, with scales.
pub(crate) async fn running_on<S: Backend>(
    store: &S,
    metrics: Vec<Metric>,
    scales: Vec<Option<Scale>>,
) -> (Experiment, [Version; 2]) {
    let versions = [register(store, 1, "1").await, register(store, 2, "2").await];
    for metric in metrics.iter().filter(|metric| metric.built_in().is_none()) {
        declare(store, metric.clone()).await;
    }
    let definition = definition(&[&versions[0], &versions[1]], metrics);
    (started(store, definition, scales).await, versions)
}

/// An experiment that runs.
async fn started<S: Backend>(
    store: &S,
    definition: ExperimentDefinition,
    scales: Vec<Option<Scale>>,
) -> Experiment {
    let id = ExperimentId::from_bits(7);
    let create = Command::CreateExperiment {
        key: store.unused_keys().await.unwrap().1,
        id,
        definition: Box::new(definition),
    };
    command(store, create, at(1)).await.unwrap();
    let start = Command::StartExperiment {
        scales,
        id,
        progress: None,
        revision: None,
        by: Actor::Person,
    };
    command(store, start, at(2)).await.unwrap();
    store.experiment(id).await.unwrap().unwrap()
}

fn step(experiment: &Experiment, decision: Decision) -> ExperimentDecision {
    ExperimentDecision {
        limit: None,
        scales: Vec::new(),
        id: experiment.id,
        revision: experiment.revision,
        decision,
        by: Actor::Controller,
        because: "it was so".into(),
        reason: None,
        progress: experiment.progress.clone(),
        evidence: serde_json::json!({"verdict": "keep_going"}),
        look: None,
    }
}

async fn take<S: Backend>(store: &S, step: ExperimentDecision, now: Timestamp) -> ModelState {
    let step = Command::DecideExperiment(Box::new(step));
    command(store, step, now).await.unwrap()
}

/// Gives the arms other shares, which opens an epoch; gives its number.
pub(crate) async fn reweighed<S: Backend>(store: &S, experiment: &Experiment) -> i64 {
    let running = store.experiment(experiment.id).await.unwrap().unwrap();
    let reweigh = Decision::Reweigh {
        shares: vec![0.3, 0.7],
    };
    take(store, step(&running, reweigh), at(10)).await;
    let evidence = store.evidence(running, at(10)).await.unwrap();
    evidence.epochs.last().unwrap().epoch
}

fn weights(state: &ModelState) -> Vec<(VersionStatus, f64)> {
    let weight = |version: &Version| (version.status, version.traffic_percent.get());
    state.versions.iter().map(weight).collect()
}

pub(crate) async fn looks_are_kept_while_an_experiment_runs<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let (experiment, _) = running(store, vec![clicked()]).await;
    let progress = Progress::Rollout(RolloutProgress {
        soaked_micros: 77,
        ..RolloutProgress::default()
    });
    let shown = |history: &str, revision| Checkpoint {
        key: experiment.key,
        revision,
        progress: Some(progress.clone()),
        look: LookRecord {
            history: history.into(),
            verdict: VerdictKind::KeepGoing,
        },
    };
    let looks = vec![shown("[]", experiment.revision), shown("[1]", 99)];
    let kept = store.checkpoint(looks).await.unwrap();
    assert!(kept[0].is_ok() && kept[1].is_err(), "{kept:?}");
    let seen = store.experiment(experiment.id).await.unwrap().unwrap();
    assert_eq!(seen.progress, Some(progress.clone()));
    assert_eq!(seen.verdict, Some(VerdictKind::KeepGoing));
    // That is no change, and has no event.
    assert_eq!(seen.revision, experiment.revision);
    let events = store.events_of(name("m")).await.unwrap().len();
    take(store, step(&seen, Decision::Stop), at(5)).await;
    assert_eq!(store.events_of(name("m")).await.unwrap().len(), events + 1);
    let late = shown("[2]", seen.revision + 1);
    assert!(store.checkpoint(vec![late]).await.unwrap()[0].is_err());
    let point = |seconds, shown: &str| LookPoint {
        key: seen.key,
        at: at(seconds),
        shown: shown.to_owned(),
    };
    let points = vec![point(20, "[2]"), point(10, "[1]")];
    store.keep_points(points).await.unwrap();
    // What was seen is not seen anew.
    let again = vec![point(10, "[3]"), point(30, "[4]")];
    store.keep_points(again).await.unwrap();
    let all = [point(10, "[1]"), point(20, "[2]"), point(30, "[4]")];
    assert_eq!(store.points(seen.key).await.unwrap(), all);
    let ended = store.experiment(experiment.id).await.unwrap().unwrap();
    assert_eq!(ended.history.as_deref(), Some("[]"));
    assert_eq!(ended.ended_at, Some(at(5)));
    assert_eq!(
        ended.decided.as_deref(),
        Some(r#"{"verdict":"keep_going"}"#)
    );
}

pub(crate) async fn steps_open_epochs_and_leave_an_event<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let (experiment, versions) = running(store, vec![clicked()]).await;
    let traffic = store.model(name("m")).await.unwrap().unwrap().traffic();
    let ran = traffic.experiment.as_ref().unwrap();
    assert_eq!((ran.id, ran.enrolment), (experiment.id, 0.5));
    assert_eq!(ran.shares, [(versions[0].key, 0.5), (versions[1].key, 0.5)]);
    assert_eq!(traffic.epoch, 1);
    let advance = ExperimentDecision {
        progress: Some(Progress::Rollout(RolloutProgress {
            step: 1,
            ..RolloutProgress::default()
        })),
        look: Some(LookRecord {
            history: "[3]".into(),
            verdict: VerdictKind::KeepGoing,
        }),
        ..step(
            &experiment,
            Decision::Advance {
                shares: vec![0.9, 0.1],
            },
        )
    };
    let state = take(store, advance.clone(), at(3)).await;
    // Half of the units are enrolled; the rest goes to the control.
    let active = VersionStatus::Active;
    assert_eq!(weights(&state), [(active, 95.0), (active, 5.0)]);
    let moved = store.experiment(experiment.id).await.unwrap().unwrap();
    assert_eq!(moved.shares, [0.9, 0.1]);
    assert_eq!(moved.progress, advance.progress);
    assert_eq!(moved.revision, experiment.revision + 1);
    assert_eq!(moved.history.as_deref(), Some("[3]"));
    let gathered = evidence(store, &moved, 4).await;
    let epochs: Vec<_> = gathered
        .epochs
        .iter()
        .map(|e| (e.started_at, &e.shares))
        .collect();
    assert_eq!(epochs.len(), 2);
    assert_eq!(epochs[1], (at(3), &vec![0.9, 0.1]));
    let filter = AuditFilter {
        name: Some(name("m")),
        experiment_id: Some(experiment.id),
        limit: 10,
        ..AuditFilter::default()
    };
    let newest = store.audit(filter).await.unwrap().remove(0);
    assert_eq!(newest.action, Action::ExperimentAdvanced);
    assert_eq!(newest.detail["to"]["2"], 5.0);
    assert_eq!(newest.detail["evidence"]["verdict"], "keep_going");
    let due = store.due_experiments(at(100)).await.unwrap();
    assert_eq!(due.len(), 0);

    // Promotion gives everything to the winner, and the alias.
    let state = take(store, step(&moved, Decision::Promote { arm: 1 }), at(5)).await;
    assert_eq!(weights(&state), [(active, 0.0), (active, 100.0)]);
    let aliases = store.aliases(name("m")).await.unwrap();
    assert_eq!(aliases[0].version.as_str(), "2");
    assert_eq!(differences(&state, &replayed(store).await), [""; 0]);
}

pub(crate) async fn logged_choices_are_added_up_by_epoch_and_propensity<S: Backend>(
    opened: Opened<S>,
) {
    let store = &opened.store;
    let (experiment, _) = running(store, vec![clicked()]).await;
    let records = [
        exposure(&experiment, 0, 1_000_000, Some("t")),
        exposure(&experiment, 0, 2_000_000, Some("t")),
        exposure(&experiment, 1, 9_000_000, Some("u")),
        // Its value comes after a minute, and nothing ever comes for the next.
        exposure(&experiment, 1, 9_100_000, Some("u")),
        exposure(&experiment, 1, 9_200_000, Some("u")),
        exposure(&experiment, 1, 9_300_000, Some("v")),
        PredictionRecord {
            reason: Reason::Pinned,
            ..exposure(&experiment, 1, 3_000_000, None)
        },
    ];
    for record in records.clone() {
        append(store, record).await;
    }
    let of = |at: &[usize]| -> Vec<Feedback> {
        let each = at.iter();
        each.map(|at| value(&records[*at], "clicked", 1.0))
            .collect()
    };
    feedback(store, of(&[0, 1, 2, 6]), at(10)).await;
    feedback(store, of(&[3]), at(70)).await;
    let groups = |metric: Metric, range| store.logged_groups(name("m"), metric, range, 5000);
    let found = groups(clicked(), TimeRange::ALL).await.unwrap();
    let mut counts: Vec<_> = found.iter().map(|g| (g.period, g.n, g.sum)).collect();
    counts.sort_by(|a, b| a.partial_cmp(b).unwrap());
    // Both of a unit are in one part; what has no value in time counts as a failure.
    assert_eq!(counts, [(0, 2, 2.0), (1, 1, 0.0), (1, 3, 1.0)]);
    let alone = Metric {
        missing: Missing::Excluded,
        ..clicked()
    };
    let found = groups(alone, TimeRange::ALL).await.unwrap();
    let counts: Vec<_> = found.iter().map(|g| (g.period, g.n, g.sum)).collect();
    assert_eq!(counts, [(0, 2, 2.0), (1, 1, 1.0)]);
    let range = TimeRange {
        since: Some(at(5)),
        until: None,
    };
    let late = groups(BuiltIn::LatencyMs.metric(), range).await.unwrap();
    let mut sums: Vec<_> = late.iter().map(|g| (g.sum, g.sum_squares)).collect();
    sums.sort_by(|a, b| a.partial_cmp(b).unwrap());
    assert_eq!(sums, [(2.0, 4.0), (6.0, 12.0)]);
}

/// A prediction in the experiment, of the arm that its unit has.
fn exposure(
    experiment: &Experiment,
    arm: usize,
    micros: i64,
    unit: Option<&str>,
) -> PredictionRecord {
    PredictionRecord {
        reason: Reason::Experiment,
        experiment: Some(experiment.key),
        epoch: 1,
        unit_id: unit.map(|unit| UnitId::parse(unit).unwrap()),
        ..record(experiment.definition.arms[arm].key, micros, 0.5, 2_000_000)
    }
}

pub(crate) fn value(record: &PredictionRecord, metric: &str, value: f64) -> Feedback {
    Feedback {
        of: FeedbackOf::Prediction(record.id),
        content: FeedbackContent::Value(metric_name(metric), value),
        replace: false,
    }
}

async fn evidence<S: Backend>(store: &S, experiment: &Experiment, seconds: i64) -> Evidence {
    let evidence = store.evidence(experiment.clone(), at(seconds)).await;
    evidence.unwrap()
}

pub(crate) async fn evidence_counts_units_once_and_survives_a_recount<S: Backend>(
    opened: Opened<S>,
) {
    let store = &opened.store;
    let metrics = vec![
        score(),
        BuiltIn::Error.metric(),
        BuiltIn::LatencyMs.metric(),
    ];
    let (experiment, _) = running(store, metrics).await;
    let mut random = fastrand::Rng::with_seed(7);
    let mut by_unit: HashMap<(usize, String), Vec<f64>> = HashMap::new();
    let mut failed: HashMap<usize, Vec<String>> = HashMap::new();
    let (mut records, mut values) = (Vec::new(), Vec::new());
    for n in 0..600i64 {
        // Every third prediction is a unit of its own.
        let number = random.usize(..100);
        let (arm, unit) = (number % 2, format!("user-{number}"));
        let own = n % 3 == 0;
        let mut record = exposure(&experiment, arm, n * 1_000_000, (!own).then_some(&unit));
        let key = if own { format!("own-{n}") } else { unit };
        if random.u8(..20) == 0 {
            record.outcome.answer = None;
            let units = failed.entry(arm).or_default();
            if !units.contains(&key) {
                units.push(key.clone());
            }
        }
        if random.bool() {
            let score = f64::from(random.u8(..10));
            values.push(value(&record, "score", score));
            by_unit.entry((arm, key)).or_default().push(score);
        }
        records.push(record);
    }
    for record in &records {
        append(store, record.clone()).await;
    }
    random.shuffle(&mut values);
    let results = feedback(store, values, at(700)).await;
    assert!(results.iter().all(Result::is_ok));

    let evidence = evidence(store, &experiment, 700).await;
    for arm in 0..2 {
        let got = &evidence.epochs[0].arms[arm];
        let units = by_unit.iter().filter(|((of, _), _)| *of == arm);
        let sums: Vec<(f64, f64)> = units
            .map(|(_, scores)| (scores.iter().sum(), scores.len() as f64))
            .collect();
        let total = |f: fn(&(f64, f64)) -> f64| sums.iter().map(f).sum::<f64>();
        let scores = got.metrics[0].matured;
        assert_eq!(scores.units, sums.len() as u64);
        assert_eq!(scores.value_units, sums.len() as u64);
        assert_eq!(scores.count as f64, total(|(_, d)| *d));
        assert_eq!(scores.sum, total(|(m, _)| *m));
        assert_eq!(scores.sum_squares, total(|(m, _)| m * m));
        assert_eq!(scores.sum_count_squares, total(|(_, d)| d * d));
        assert_eq!(scores.sum_products, total(|(m, d)| m * d));
        // Two failures of one user are one event.
        let events = failed.get(&arm).map_or(0, Vec::len);
        assert_eq!(got.metrics[1].all.events, events as u64);
        let of_arm = |r: &&PredictionRecord| r.version == experiment.definition.arms[arm].key;
        let predictions = records.iter().filter(of_arm).count();
        assert_eq!(got.exposures.predictions, predictions as u64);
    }
    let report = opened.verify().await;
    assert_eq!(report.problems, Vec::<String>::new());
    if opened.directory.is_some() {
        assert_eq!(report.evidence, 8);
    }
    let again = opened.reopen().await;
    let reread = again.evidence(experiment, at(700)).await.unwrap();
    assert_eq!(reread, evidence);
}

pub(crate) async fn young_predictions_wait_for_their_window<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let (experiment, _) = running(store, vec![clicked()]).await;
    // One user, exposed at 100 s and at 130 s, and a prediction of its own at 131 s.
    let early = exposure(&experiment, 1, 100_000_000, Some("user"));
    let late = exposure(&experiment, 1, 130_000_000, Some("user"));
    let own = exposure(&experiment, 1, 131_000_000, None);
    for record in [&early, &late, &own] {
        append(store, record.clone()).await;
    }
    let click = vec![value(&late, "clicked", 1.0)];
    feedback(store, click, at(140)).await.remove(0).unwrap();
    // Matured are: nothing; the early exposure, which counts as a failure; all three.
    for (seconds, units, count, sum) in [(150, 0, 0, 0.0), (165, 1, 1, 0.0), (200, 2, 3, 1.0)] {
        let evidence = evidence(store, &experiment, seconds).await;
        let got = &evidence.epochs[0].arms[1].metrics[0];
        let matured = (got.matured.units, got.matured.count, got.matured.sum);
        assert_eq!(matured, (units, count, sum), "after {seconds} s");
        assert_eq!((got.all.units, got.all.count, got.all.sum), (2, 3, 1.0));
    }
    // A click that comes late still goes to its exposure.
    let click = vec![value(&early, "clicked", 1.0)];
    feedback(store, click, at(5000)).await.remove(0).unwrap();
    let matured = evidence(store, &experiment, 5000).await.epochs[0].arms[1].metrics[0].matured;
    assert_eq!((matured.sum, matured.sum_squares), (2.0, 4.0));
    assert_eq!(opened.verify().await.problems, Vec::<String>::new());
}

pub(crate) async fn units_are_counted_by_the_day_on_which_they_came<S: Backend>(opened: Opened<S>) {
    const DAY: i64 = 86_400;
    let store = &opened.store;
    let bought = Metric {
        name: metric_name("bought"),
        ..BuiltIn::Correct.metric()
    };
    let metrics = vec![clicked(), bought, BuiltIn::Error.metric()];
    let scales = vec![Some(Scale::binary(0.5)); 3];
    let (experiment, _) = running_on(store, metrics, scales).await;
    let mut records = Vec::new();
    for n in 0..400i64 {
        // A day, a day later, and two days later; users come back, the others are units of their own.
        let (day, number) = (n / 100 % 3, n % 50);
        let unit = (n % 4 != 0).then(|| format!("user-{number}"));
        let micros = (day * DAY + n) * 1_000_000;
        let arm = number as usize % 2;
        records.push(exposure(&experiment, arm, micros, unit.as_deref()));
    }
    let mut expected: HashMap<(i64, usize, usize), (u64, f64)> = HashMap::new();
    let mut seen: HashMap<String, i64> = HashMap::new();
    let mut bought_by: HashMap<String, f64> = HashMap::new();
    let mut clicks: HashMap<String, (u64, f64)> = HashMap::new();
    for (n, record) in records.iter().enumerate() {
        append(store, record.clone()).await;
        let unit = record
            .unit_id
            .as_ref()
            .map_or(format!("own {n}"), |unit| unit.to_string());
        let made = record.id.time().seconds();
        let began = *seen.entry(unit.clone()).or_insert(made);
        let (day, arm) = (began / DAY, n % 50 % 2);
        let mut values = Vec::new();
        // Clicks count within a minute of the first exposure, a click that does not come is a failure.
        if made <= began + 60 {
            let click = f64::from((n as u32).is_multiple_of(3));
            if click == 1.0 {
                values.push(value(record, "clicked", 1.0));
            }
            let (count, sum) = clicks.entry(unit.clone()).or_insert_with(|| {
                expected.entry((day, arm, 0)).or_default().0 += 1;
                (0, 0.0)
            });
            let mean = |count: u64, sum: f64| if count == 0 { 0.0 } else { sum / count as f64 };
            let before = mean(*count, *sum);
            (*count, *sum) = (*count + 1, *sum + click);
            expected.entry((day, arm, 0)).or_default().1 += mean(*count, *sum) - before;
        }
        // Of purchases, the first value of a unit counts.
        if n % 5 < 2 {
            let worth = f64::from(n as u32 % 5);
            values.push(value(record, "bought", worth));
            bought_by.entry(unit).or_insert_with(|| {
                let sums = expected.entry((day, arm, 1)).or_default();
                (sums.0, sums.1) = (sums.0 + 1, sums.1 + worth);
                worth
            });
        }
        let told = feedback(store, values, at(made + 1)).await;
        assert!(told.iter().all(Result::is_ok));
    }
    // A unit whose first value is corrected is corrected on its day.
    let corrected = Feedback {
        replace: true,
        ..value(&records[0], "bought", 1.0)
    };
    feedback(store, vec![corrected], at(5 * DAY))
        .await
        .remove(0)
        .unwrap();
    expected.entry((0, 0, 1)).or_default().1 += 1.0;

    let found = evidence(store, &experiment, 6 * DAY).await;
    let days = &found.epochs[0].days;
    assert_eq!(
        days.iter().map(|day| day.day).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    for day in days {
        for (arm, metrics) in day.arms.iter().enumerate() {
            for (at, sums) in metrics.iter().take(2).enumerate() {
                let (units, sum) = expected.remove(&(day.day, arm, at)).unwrap_or_default();
                assert_eq!(sums.units, units, "day {}, arm {arm}, metric {at}", day.day);
                assert!((sums.powers[0] - sum).abs() < 1e-9, "{sums:?} {sum}");
            }
        }
    }
    assert_eq!(expected, HashMap::new());
    // Days add up to what bets have.
    for (arm, all) in found.epochs[0].arms.iter().enumerate() {
        for at in 0..2 {
            let by_day: u64 = days.iter().map(|day| day.arms[arm][at].units).sum();
            assert_eq!(by_day, all.metrics[at].bets.fresh);
        }
    }
    assert_eq!(opened.verify().await.problems, Vec::<String>::new());
    let again = opened.reopen().await;
    let reread = again.evidence(experiment, at(6 * DAY)).await.unwrap();
    assert_eq!(reread, found);
}

pub(crate) async fn a_bandit_keeps_sums_by_parts_of_its_units<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let versions = [register(store, 1, "1").await, register(store, 2, "2").await];
    for metric in [clicked(), score()] {
        declare(store, metric).await;
    }
    let metrics = vec![clicked(), score(), BuiltIn::Error.metric()];
    let definition = ExperimentDefinition {
        policy: types::Policy::Bandit(types::BanditSettings::default()),
        secondary_metrics: vec![metric_name("score")],
        guardrails: vec![metric_name("error")],
        dimensions: vec!["country".into()],
        ..definition(&[&versions[0], &versions[1]], metrics)
    };
    let scales = vec![Some(Scale::binary(0.5)), None, Some(Scale::binary(0.0))];
    let experiment = started(store, definition, scales).await;
    let id = experiment.id;
    let mut random = fastrand::Rng::with_seed(3);
    let mut scores = Vec::new();
    let mut epoch = 1;
    let part = |found: &Evidence| -> Vec<Option<usize>> {
        let parts = found
            .epochs
            .iter()
            .map(|epoch| &epoch.arms[1].metrics[0].parts);
        parts
            .map(|parts| parts.iter().position(|part| part.count > 0))
            .collect()
    };
    let mut first = None;
    for n in 0..400i64 {
        if n == 1 {
            first = part(&evidence(store, &experiment, 10_000).await)[0];
            assert!(first.is_some());
        }
        if n == 200 {
            let running = store.experiment(id).await.unwrap().unwrap();
            let reweigh = Decision::Reweigh {
                shares: vec![0.3, 0.7],
            };
            take(store, step(&running, reweigh), at(1000)).await;
            epoch = store.evidence(running, at(1000)).await.unwrap().epochs[1].epoch;
        }
        // Who was first comes first in the second epoch, too.
        let number = if n % 200 == 0 { 1 } else { random.usize(..40) };
        let unit = (n % 5 != 0 || n % 200 == 0).then(|| format!("user-{number}"));
        let attributes = format!(r#"{{"country": "c{}"}}"#, number % 3);
        let record = PredictionRecord {
            epoch,
            attributes: serde_json::from_str(&attributes).unwrap(),
            ..exposure(&experiment, number % 2, n * 5_000_000, unit.as_deref())
        };
        append(store, record.clone()).await;
        if n == 200 {
            assert_eq!(part(&evidence(store, &experiment, 10_000).await)[1], first);
        }
        scores.push(value(&record, "score", f64::from(random.u8(..10))));
    }
    random.shuffle(&mut scores);
    let told = feedback(store, scores, at(3000)).await;
    assert!(told.iter().all(Result::is_ok));
    let found = evidence(store, &experiment, 10_000).await;
    assert_eq!(found.epochs.len(), 2);
    for of_epoch in &found.epochs {
        assert_eq!(of_epoch.days, []);
        for gathered in &of_epoch.arms {
            assert_eq!(gathered.metrics[2].parts, [], "what only guards has none");
            for metric in &gathered.metrics[..2] {
                let (all, parts) = (metric.matured, &metric.parts);
                assert_eq!(parts.len(), types::PARTS);
                assert_eq!(parts.iter().map(|part| part.count).sum::<u64>(), all.count);
                let sum: f64 = parts.iter().map(|part| part.sum).sum();
                assert!((sum - all.sum).abs() < 1e-6, "{sum} {}", all.sum);
            }
        }
    }
    assert_eq!(opened.verify().await.problems, Vec::<String>::new());
    for segment in store
        .segments(experiment.clone(), at(10_000))
        .await
        .unwrap()
    {
        let arms = segment.evidence.epochs.iter().flat_map(|epoch| &epoch.arms);
        let mut metrics = arms.flat_map(|arm| &arm.metrics);
        assert!(
            metrics.all(|metric| metric.parts.is_empty()),
            "all units alone have parts"
        );
    }
    let again = opened.reopen().await;
    assert_eq!(again.evidence(experiment, at(10_000)).await.unwrap(), found);
}
