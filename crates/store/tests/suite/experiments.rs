//! Experiments, and the evidence that the log keeps for them.

use crate::{Opened, append, at, feedback, name, record, register};
use std::collections::HashMap;
use store::{
    Actor, AuditFilter, CatalogError, ExperimentEnd, ExperimentEvent, ExperimentStep, Feedback,
    FeedbackContent, LookRecord, NewWebhook, Store, Takeover, WeightChange,
};
use types::{
    Arm, BuiltIn, Evidence, Experiment, ExperimentDefinition, ExperimentId, ExperimentStatus,
    Metric, MetricKind, MetricName, Missing, Percent, PredictionRecord, Progress, Reason,
    RolloutProgress, TimeRange, Timestamp, UnitId, Version, VersionStatus, WebhookId,
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
    let experiment = store.start_experiment(id, None, None, at(2)).await.unwrap();
    (experiment, versions)
}

pub(crate) async fn an_experiment_sets_the_weights_until_it_ends(opened: Opened) {
    let store = &opened.store;
    let (experiment, versions) = running(store, vec![BuiltIn::Correct.metric()]).await;
    let traffic = store.traffic(None).await.unwrap().remove(0).0;
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
    let refused = store
        .start_experiment(other, None, None, at(3))
        .await
        .unwrap_err();
    assert!(matches!(refused, CatalogError::AnotherRuns(_)), "{refused}");

    // A takeover stops it, on the record.
    let revision = store.traffic(None).await.unwrap()[0].0.revision;
    let change = WeightChange {
        revision,
        ..change(Some(Takeover::default()))
    };
    store.set_weights(name("m"), change, at(4)).await.unwrap();
    let ended = store.experiment(experiment.id).await.unwrap().unwrap();
    assert_eq!(ended.status, ExperimentStatus::Stopped);
    assert_eq!(ended.ended_at, Some(at(4)));
    let actions = store.audit(entries(10)).await.unwrap();
    let actions: Vec<&str> = actions.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions[..2], ["traffic.set", "experiment.stopped"]);

    // Aborting puts everything on the control.
    store
        .start_experiment(other, None, None, at(5))
        .await
        .unwrap();
    let running = store.experiment(other).await.unwrap().unwrap();
    let step = ending(&running, ExperimentStatus::Aborted);
    take(store, step.clone(), at(6)).await.unwrap();
    let ended = store.experiment(other).await.unwrap().unwrap();
    assert_eq!(ended.decided.as_deref(), Some("{}"));
    let traffic = store.traffic(None).await.unwrap().remove(0).0;
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
    let twice = take(store, step, at(7)).await.unwrap_err();
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
    let refused = store
        .start_experiment(id, None, None, at(2))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, CatalogError::MetricChanged(_)),
        "{refused}"
    );
    declare(store, clicked()).await;
    store.start_experiment(id, None, None, at(3)).await.unwrap();
    let refused = store
        .delete_metric(name("m"), clicked().name, at(4))
        .await
        .unwrap_err();
    assert!(matches!(refused, CatalogError::MetricInUse(_)), "{refused}");
    // What was shown is kept while it runs, and no longer.
    let running = store.experiment(id).await.unwrap().unwrap();
    let shown = |history: &str| ExperimentStep {
        look: Some(LookRecord {
            history: history.into(),
            verdict: "keep_going".into(),
        }),
        ..ExperimentStep::staying(&running)
    };
    take(store, shown("[]"), at(4)).await.unwrap();
    let step = ending(&running, ExperimentStatus::Stopped);
    take(store, step, at(5)).await.unwrap();
    let refused = take(store, shown("[1]"), at(6)).await.unwrap_err();
    assert!(
        matches!(refused, CatalogError::ExperimentStatus(_)),
        "{refused}"
    );
    let history = store.experiment(id).await.unwrap().unwrap().history;
    assert_eq!(history.as_deref(), Some("[]"));
}

fn entries(limit: u32) -> AuditFilter {
    AuditFilter {
        name: Some(name("m")),
        limit,
        ..AuditFilter::default()
    }
}

async fn take(store: &Store, step: ExperimentStep, now: Timestamp) -> Result<(), CatalogError> {
    store
        .step_experiments(vec![step], now)
        .await
        .unwrap()
        .remove(0)
}

fn event(action: &'static str, shares: Option<Vec<f64>>) -> ExperimentEvent {
    ExperimentEvent {
        action,
        by: Actor::Controller,
        because: "it was so".into(),
        shares,
        end: None,
        evidence: serde_json::json!({"verdict": "keep_going"}),
    }
}

fn ending(experiment: &Experiment, status: ExperimentStatus) -> ExperimentStep {
    let end = ExperimentEnd {
        status,
        winner: 1,
        reason: Some("it was wrong".into()),
        decided: Some("{}".into()),
    };
    ExperimentStep {
        event: Some(ExperimentEvent {
            end: Some(end),
            ..event(status.as_str(), None)
        }),
        ..ExperimentStep::staying(experiment)
    }
}

pub(crate) async fn steps_are_decided_by_a_revision_and_leave_an_event(opened: Opened) {
    let store = &opened.store;
    let (experiment, _) = running(store, vec![clicked()]).await;
    let progress = Progress::Rollout(RolloutProgress {
        step: 1,
        ..RolloutProgress::default()
    });
    let step = ExperimentStep {
        progress: Some(progress.clone()),
        event: Some(event("advanced", Some(vec![0.9, 0.1]))),
        ..ExperimentStep::staying(&experiment)
    };
    take(store, step.clone(), at(3)).await.unwrap();
    let moved = store.experiment(experiment.id).await.unwrap().unwrap();
    assert_eq!(moved.shares, [0.9, 0.1]);
    assert_eq!(moved.progress, Some(progress));
    assert_eq!(moved.revision, experiment.revision + 1);
    let gathered = evidence(store, &moved, 4).await;
    let epochs: Vec<_> = gathered
        .epochs
        .iter()
        .map(|e| (e.started_at, &e.shares))
        .collect();
    assert_eq!(epochs.len(), 2);
    assert_eq!(epochs[1], (at(3), &vec![0.9, 0.1]));
    let traffic = store.traffic(None).await.unwrap().remove(0).0;
    // Half of the units are enrolled.
    let weights: Vec<f64> = traffic.versions.iter().map(|v| v.weight.get()).collect();
    assert_eq!(weights, [95.0, 5.0]);

    // The same decision again is stale, and another experiment's step beside it stands.
    let stale = take(store, step, at(4)).await.unwrap_err();
    assert!(
        matches!(stale, CatalogError::StaleExperiment { .. }),
        "{stale}"
    );
    let filter = AuditFilter {
        experiment: Some(experiment.id),
        ..entries(10)
    };
    let newest = store.audit(filter).await.unwrap().remove(0);
    assert_eq!(newest.action, "experiment.advanced");
    assert_eq!(newest.detail["to"]["2"], 5.0);
    assert_eq!(newest.detail["evidence"]["verdict"], "keep_going");

    // Promotion gives everything to the winner, and the alias.
    take(store, ending(&moved, ExperimentStatus::Promoted), at(5))
        .await
        .unwrap();
    let traffic = store.traffic(None).await.unwrap().remove(0).0;
    let after: Vec<_> = traffic
        .versions
        .iter()
        .map(|v| (v.status, v.weight.get()))
        .collect();
    assert_eq!(
        after,
        [(VersionStatus::Active, 0.0), (VersionStatus::Active, 100.0)]
    );
    let aliases = store.aliases(name("m")).await.unwrap();
    assert_eq!(aliases[0].version.as_str(), "2");
}

pub(crate) async fn webhooks_remember_how_far_they_were_told(opened: Opened) {
    let store = &opened.store;
    register(store, 1, "1").await;
    let new = NewWebhook {
        id: WebhookId::from_bits(5),
        name: None,
        url: "https://example.com/".into(),
        secret: "s".into(),
    };
    let made = store.create_webhook(new, at(1)).await.unwrap();
    assert_eq!(made.delivered, store.changed_models(0).await.unwrap().0);
    store
        .webhook_failed(made.id, "refused".into(), at(9), None)
        .await
        .unwrap();
    let failed = store.webhooks().await.unwrap().remove(0);
    assert_eq!((failed.attempts, failed.next_attempt_at), (1, at(9)));
    store
        .webhook_failed(made.id, "refused".into(), at(9), Some(7))
        .await
        .unwrap();
    let given_up = store.webhooks().await.unwrap().remove(0);
    assert_eq!(
        (given_up.attempts, given_up.delivered, given_up.given_up),
        (0, 7, 1)
    );
    store.webhook_delivered(made.id, 8).await.unwrap();
    let told = store.webhooks().await.unwrap().remove(0);
    assert_eq!((told.delivered, told.last_error), (8, None));
    assert!(!format!("{made:?}").contains("secret"));
    assert!(store.delete_webhook(made.id).await.unwrap());
    assert!(!store.delete_webhook(made.id).await.unwrap());
}

pub(crate) async fn logged_choices_are_added_up_by_epoch_and_propensity(opened: Opened) {
    let store = &opened.store;
    let (experiment, _) = running(store, vec![clicked()]).await;
    let records = [
        exposure(&experiment, 0, 1_000_000, None),
        exposure(&experiment, 0, 2_000_000, None),
        exposure(&experiment, 1, 9_000_000, Some("u")),
        PredictionRecord {
            reason: Reason::Pinned,
            ..exposure(&experiment, 1, 3_000_000, None)
        },
    ];
    for record in records.clone() {
        append(store, record).await;
    }
    let values: Vec<Feedback> = records.iter().map(|r| value(r, "clicked", 1.0)).collect();
    feedback(store, values, at(10)).await;
    let groups =
        |metric: &str, range| store.logged_groups(name("m"), metric_name(metric), range, 5000);
    let found = groups("clicked", TimeRange::ALL).await.unwrap();
    let counts: Vec<_> = found.iter().map(|g| (g.n, g.sum, g.reason)).collect();
    assert_eq!(
        counts,
        [(2, 2.0, Reason::Experiment), (1, 1.0, Reason::Experiment)]
    );
    assert!(found[1].period > found[0].period);
    let range = TimeRange {
        since: Some(at(5)),
        until: None,
    };
    let late = groups("latency_ms", range).await.unwrap();
    assert_eq!(late.len(), 1);
    assert_eq!((late[0].sum, late[0].sum_squares), (2.0, 4.0));
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
        append(store, record.clone()).await;
    }
    let click = vec![value(&late, "clicked", 1.0)];
    feedback(store, click, at(140)).await.remove(0).unwrap();
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
    feedback(store, click, at(5000)).await.remove(0).unwrap();
    let matured = evidence(store, &experiment, 5000).await.epochs[0].arms[1].metrics[0].matured;
    assert_eq!((matured.sum, matured.sum_squares), (2.0, 4.0));
    assert_eq!(opened.verify().problems, Vec::<String>::new());
}
