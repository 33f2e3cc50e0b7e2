//! Experiments, and the evidence that the log keeps for them.

use crate::{Opened, at, name, record, register};
use std::collections::HashMap;
use store::{
    CatalogError, ExperimentEnd, Feedback, FeedbackContent, Store, Takeover, WeightChange,
};
use types::{
    Arm, BuiltIn, Evidence, Experiment, ExperimentDefinition, ExperimentId, ExperimentStatus,
    Metric, MetricKind, MetricName, Missing, Percent, Policy, PredictionRecord, Reason, UnitId,
    Version, VersionStatus,
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

fn definition(versions: &[&Version], metrics: Vec<Metric>) -> ExperimentDefinition {
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

pub(crate) async fn declare(store: &Store, metric: Metric) {
    store.set_metric(name("m"), metric, at(0)).await.unwrap();
}

/// A model with two versions and a running experiment on them.
pub(crate) async fn running(store: &Store, metrics: Vec<Metric>) -> (Experiment, [Version; 2]) {
    let versions = [register(store, 1, "1").await, register(store, 2, "2").await];
    for metric in metrics.iter().filter(|metric| metric.built_in().is_none()) {
        declare(store, metric.clone()).await;
    }
    let definition = definition(&[&versions[0], &versions[1]], metrics);
    let id = ExperimentId::from_bits(7);
    store
        .create_experiment(id, definition, at(1))
        .await
        .unwrap();
    let experiment = store.start_experiment(id, at(2)).await.unwrap();
    (experiment, versions)
}

pub(crate) async fn an_experiment_sets_the_weights_until_it_ends(opened: Opened) {
    let store = &opened.store;
    let (experiment, versions) = running(store, vec![BuiltIn::Correct.metric()]).await;
    let traffic = store.traffic().await.unwrap().remove(0);
    let running = traffic.experiment.as_ref().unwrap();
    assert_eq!((running.id, running.enrolment), (experiment.id, 0.5));
    assert_eq!(
        running.shares,
        [(versions[0].key, 0.5), (versions[1].key, 0.5)]
    );
    // Half of the traffic is enrolled and split evenly; the rest goes to the control.
    let weights: Vec<f64> = traffic.versions.iter().map(|v| v.weight.get()).collect();
    assert_eq!(weights, [75.0, 25.0]);
    assert_eq!(traffic.epoch, 1);

    // Nothing else moves the weights, and no second experiment starts.
    let id = versions[0].model_id;
    let half = Percent::new(50.0).unwrap();
    let refused = store.activate(id, half, None, at(3)).await.unwrap_err();
    assert!(
        matches!(refused, CatalogError::ExperimentRunning(_)),
        "{refused}"
    );
    assert!(store.deactivate(id, None, at(3)).await.is_err());
    let change = |takeover| WeightChange {
        revision: traffic.revision,
        weights: vec![(versions[1].version.clone(), half)],
        fallback: None,
        takeover,
    };
    assert!(
        store
            .set_weights(name("m"), change(None), at(3))
            .await
            .is_err()
    );
    let other = ExperimentId::from_bits(8);
    let second = experiment.definition.clone();
    store.create_experiment(other, second, at(3)).await.unwrap();
    let refused = store.start_experiment(other, at(3)).await.unwrap_err();
    assert!(matches!(refused, CatalogError::AnotherRuns(_)), "{refused}");

    // A takeover stops it, on the record.
    let revision = store.traffic().await.unwrap()[0].revision;
    let change = WeightChange {
        revision,
        ..change(Some(Takeover::default()))
    };
    store.set_weights(name("m"), change, at(4)).await.unwrap();
    let ended = store.experiment(experiment.id).await.unwrap().unwrap();
    assert_eq!(ended.status, ExperimentStatus::Stopped);
    assert_eq!(ended.ended_at, Some(at(4)));
    let actions = store.audit(Some(name("m")), None, 10).await.unwrap();
    let actions: Vec<&str> = actions.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions[..2], ["traffic.set", "experiment.stopped"]);

    // Aborting puts everything on the control.
    store.start_experiment(other, at(5)).await.unwrap();
    let end = ExperimentEnd {
        status: ExperimentStatus::Aborted,
        reason: Some("it was wrong".into()),
        decided: Some("{}".into()),
    };
    let ended = store
        .end_experiment(other, end.clone(), at(6))
        .await
        .unwrap();
    assert_eq!(ended.decided.as_deref(), Some("{}"));
    let traffic = store.traffic().await.unwrap().remove(0);
    let after: Vec<_> = traffic
        .versions
        .iter()
        .map(|v| (v.status, v.weight.get()))
        .collect();
    assert_eq!(
        after,
        [
            (VersionStatus::Active, 100.0),
            (VersionStatus::Inactive, 0.0)
        ]
    );
    assert!(traffic.experiment.is_none());
    let twice = store.end_experiment(other, end, at(7)).await.unwrap_err();
    assert!(
        matches!(twice, CatalogError::ExperimentStatus(_)),
        "{twice}"
    );
}

pub(crate) async fn a_metric_that_changed_keeps_a_draft_from_starting(opened: Opened) {
    let store = &opened.store;
    let versions = [register(store, 1, "1").await, register(store, 2, "2").await];
    declare(store, clicked()).await;
    let definition = definition(&[&versions[0], &versions[1]], vec![clicked()]);
    let id = ExperimentId::from_bits(7);
    store
        .create_experiment(id, definition, at(1))
        .await
        .unwrap();
    let other = Metric {
        window_seconds: 30,
        ..clicked()
    };
    declare(store, other).await;
    let refused = store.start_experiment(id, at(2)).await.unwrap_err();
    assert!(
        matches!(refused, CatalogError::MetricChanged(_)),
        "{refused}"
    );
    declare(store, clicked()).await;
    store.start_experiment(id, at(3)).await.unwrap();
    let refused = store
        .delete_metric(name("m"), clicked().name, at(4))
        .await
        .unwrap_err();
    assert!(matches!(refused, CatalogError::MetricInUse(_)), "{refused}");
    // What was shown is kept while it runs, and no longer.
    let key = store.experiment(id).await.unwrap().unwrap().key;
    store.save_history(key, "[]".into()).await.unwrap();
    let history = store.experiment(id).await.unwrap().unwrap().history;
    assert_eq!(history.as_deref(), Some("[]"));
    let end = ExperimentEnd {
        status: ExperimentStatus::Stopped,
        reason: None,
        decided: None,
    };
    store.end_experiment(id, end, at(5)).await.unwrap();
    store.save_history(key, "[1]".into()).await.unwrap();
    let history = store.experiment(id).await.unwrap().unwrap().history;
    assert_eq!(history.as_deref(), Some("[]"));
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
        prediction_id: record.id,
        content: FeedbackContent::Value(metric_name(metric), value),
        replace: false,
    }
}

async fn evidence(store: &Store, experiment: &Experiment, seconds: i64) -> Evidence {
    let evidence = store.evidence(experiment.clone(), at(seconds)).await;
    evidence.unwrap()
}

pub(crate) async fn evidence_counts_units_once_and_survives_a_recount(opened: Opened) {
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
        store.append(record.clone()).await.unwrap();
    }
    random.shuffle(&mut values);
    let results = store.feedback(values, at(700)).await.unwrap();
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
    let report = opened.verify();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.evidence, 8);
    let again = opened.reopen().await;
    let reread = again.evidence(experiment, at(700)).await.unwrap();
    assert_eq!(reread, evidence);
}

pub(crate) async fn young_predictions_wait_for_their_window(opened: Opened) {
    let store = &opened.store;
    let (experiment, _) = running(store, vec![clicked()]).await;
    // One user, exposed at 100 s and at 130 s, and a prediction of its own at 131 s.
    let early = exposure(&experiment, 1, 100_000_000, Some("user"));
    let late = exposure(&experiment, 1, 130_000_000, Some("user"));
    let own = exposure(&experiment, 1, 131_000_000, None);
    for record in [&early, &late, &own] {
        store.append(record.clone()).await.unwrap();
    }
    let click = vec![value(&late, "clicked", 1.0)];
    store
        .feedback(click, at(140))
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    // Matured are: nothing; the early exposure, which counts as a failure; all three.
    for (seconds, units, count, sum) in [(150, 0, 0, 0.0), (165, 1, 1, 0.0), (200, 2, 3, 1.0)] {
        let evidence = evidence(store, &experiment, seconds).await;
        let got = evidence.epochs[0].arms[1].metrics[0];
        let matured = (got.matured.units, got.matured.count, got.matured.sum);
        assert_eq!(matured, (units, count, sum), "after {seconds} s");
        assert_eq!((got.all.units, got.all.count, got.all.sum), (2, 3, 1.0));
    }
    // A click that comes late still goes to its exposure.
    let click = vec![value(&early, "clicked", 1.0)];
    store
        .feedback(click, at(5000))
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let matured = evidence(store, &experiment, 5000).await.epochs[0].arms[1].metrics[0].matured;
    assert_eq!((matured.sum, matured.sum_squares), (2.0, 4.0));
    assert_eq!(opened.verify().problems, Vec::<String>::new());
}
