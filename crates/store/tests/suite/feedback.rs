//! Feedback: joined, repeated, replaced, early and refused.

use crate::experiments::{clicked, declare, reweighed, running, running_on, score, value};
use crate::{Backend, Opened, append, at, command, feedback, record, register};
use serde_json::json;
use store::entry::{FeedbackEntry, encode_feedback};
use store::{Appended, Feedback, FeedbackContent, FeedbackOf, FeedbackRefusal, Incoming, Receipt};
use types::{
    BuiltIn, Experiment, FeedbackStatus, PredictionRecord, Reason, ReceiptId, Scale, TimeRange,
    Timestamp, UnitId, VersionKey,
};

async fn send<S: Backend>(store: &S, item: Feedback) -> Result<Receipt, FeedbackRefusal> {
    feedback(store, vec![item], at(50)).await.remove(0)
}

fn label(record: &PredictionRecord, label: &str) -> Feedback {
    Feedback {
        of: FeedbackOf::Prediction(record.id),
        content: FeedbackContent::Label((&json!(label)).into()),
        replace: false,
    }
}

/// The same prediction in an epoch of an experiment.
fn exposed(experiment: &Experiment, epoch: i64, record: PredictionRecord) -> PredictionRecord {
    PredictionRecord {
        reason: Reason::Experiment,
        experiment: Some(experiment.key),
        epoch,
        ..record
    }
}

fn replacing(item: Feedback) -> Feedback {
    Feedback {
        replace: true,
        ..item
    }
}

pub(crate) async fn values_are_joined_once_and_can_be_replaced<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let (experiment, versions) = running(store, vec![BuiltIn::Correct.metric()]).await;
    let record = exposed(&experiment, 1, record(versions[1].key, 1_000_000, 0.5, 1));
    append(store, record.clone()).await;
    let receipt = send(store, label(&record, "negative")).await.unwrap();
    assert_eq!(receipt.status, FeedbackStatus::Recorded);
    assert_eq!(receipt.value, Some(0.0));
    let counted = receipt.counted.unwrap();
    assert_eq!(counted.model_id, versions[1].model_id);
    assert_eq!(counted.experiment_id, Some(experiment.id));

    let again = send(store, label(&record, "negative")).await.unwrap();
    assert_eq!(again.status, FeedbackStatus::Duplicate);
    let refused = send(store, label(&record, "positive")).await.unwrap_err();
    assert_eq!(
        refused,
        FeedbackRefusal::Conflict {
            stored: "\"negative\"".into()
        }
    );
    let sums = |evidence: types::Evidence| evidence.epochs[0].arms[1].metrics[0].all;
    let before = sums(store.evidence(experiment.clone(), at(60)).await.unwrap());
    assert_eq!((before.sum, before.values, before.events), (0.0, 1, 1));

    // Another wrong label is another value.
    let refused = send(store, label(&record, "neutral")).await.unwrap_err();
    assert!(
        matches!(refused, FeedbackRefusal::Conflict { .. }),
        "{refused}"
    );
    let replaced = send(store, replacing(label(&record, "positive")))
        .await
        .unwrap();
    assert_eq!(replaced.status, FeedbackStatus::Replaced);
    let after = sums(store.evidence(experiment.clone(), at(60)).await.unwrap());
    // All is corrected: the only bad value of the unit was none.
    assert_eq!((after.sum, after.values, after.events), (1.0, 1, 0));
    // A correction that makes a prediction bad is an event, and the one that takes it back ends it.
    let other = PredictionRecord {
        id: types::PredictionId::new(record.id.order() + 1, 1),
        ..record.clone()
    };
    append(store, other.clone()).await;
    send(store, label(&other, "positive")).await.unwrap();
    send(store, replacing(label(&other, "negative")))
        .await
        .unwrap();
    send(store, replacing(label(&record, "neutral")))
        .await
        .unwrap();
    send(store, replacing(label(&record, "positive")))
        .await
        .unwrap();
    let evidence = store.evidence(experiment, at(60)).await.unwrap();
    let corrections = types::Corrections {
        metric: 0,
        arm: 1,
        replaced: 4,
        late: 0,
    };
    assert_eq!(evidence.corrections, [corrections]);
    let now = sums(evidence);
    assert_eq!((now.sum, now.values, now.events), (1.0, 2, 1));
    let stored = store.feedback_of(record.id).await.unwrap();
    assert_eq!((stored.len(), stored[0].value), (1, 1.0));
    assert_eq!(opened.verify().await.problems, Vec::<String>::new());
}

pub(crate) async fn an_event_is_taken_back_with_the_last_bad_value_of_its_unit<S: Backend>(
    opened: Opened<S>,
) {
    let store = &opened.store;
    let (experiment, versions) = running(store, vec![BuiltIn::Correct.metric()]).await;
    let of_unit = |order: i64| PredictionRecord {
        unit_id: Some(UnitId::parse("u").unwrap()),
        ..exposed(&experiment, 1, record(versions[1].key, order, 0.5, 1))
    };
    let records = [1_000_000, 1_100_000, 1_200_000].map(of_unit);
    for record in &records {
        append(store, record.clone()).await;
        send(store, label(record, "negative")).await.unwrap();
    }
    // Of each step: which label comes, and how many events there are then.
    for (at_record, said, events) in [
        (0, "positive", 1),
        (2, "positive", 1),
        (1, "positive", 0),
        (2, "negative", 1),
        (1, "negative", 1),
        (2, "neutral", 1),
        (2, "positive", 1),
        (1, "positive", 0),
    ] {
        let corrected = replacing(label(&records[at_record], said));
        send(store, corrected).await.unwrap();
        let evidence = store.evidence(experiment.clone(), at(60)).await.unwrap();
        let sums = evidence.epochs[0].arms[1].metrics[0].all;
        assert_eq!(sums.events, events, "{at_record} {said}");
        assert_eq!(opened.verify().await.problems, Vec::<String>::new());
    }
}

pub(crate) async fn an_event_that_is_taken_back_is_counted_in_another_epoch_with_a_bad_value<
    S: Backend,
>(
    opened: Opened<S>,
) {
    let store = &opened.store;
    // The bad value of a click is 1 where less is better.
    let complained = types::Metric {
        direction: types::Direction::Down,
        missing: types::Missing::Excluded,
        window_seconds: 0,
        ..clicked()
    };
    let metrics = vec![BuiltIn::Correct.metric(), complained.clone()];
    let (experiment, versions) = running(store, metrics).await;
    let second = reweighed(store, &experiment).await;
    let of_unit = |order: i64, epoch: i64| PredictionRecord {
        unit_id: Some(UnitId::parse("u").unwrap()),
        ..exposed(&experiment, epoch, record(versions[1].key, order, 0.5, 1))
    };
    let records = [of_unit(1_000_000, 1), of_unit(11_000_000, second)];
    let name = complained.name.as_str();
    for record in &records {
        append(store, record.clone()).await;
        send(store, label(record, "negative")).await.unwrap();
        send(store, value(record, name, 1.0)).await.unwrap();
    }
    let events = async || {
        let evidence = store.evidence(experiment.clone(), at(60)).await.unwrap();
        let of = |metric: usize| {
            let each = evidence.epochs.iter();
            let each = each.map(|epoch| epoch.arms[1].metrics[metric].all.events);
            each.collect::<Vec<_>>()
        };
        [of(0), of(1)]
    };
    assert_eq!(events().await, [[1, 0], [1, 0]]);
    for (at_record, right, wanted) in [(0, true, [0, 1]), (1, true, [0, 0]), (0, false, [1, 0])] {
        let record = &records[at_record];
        let (said, complaints) = if right {
            ("positive", 0.0)
        } else {
            ("negative", 1.0)
        };
        send(store, replacing(label(record, said))).await.unwrap();
        let item = replacing(value(record, name, complaints));
        send(store, item).await.unwrap();
        assert_eq!(events().await, [wanted, wanted], "{at_record} {right}");
        assert_eq!(opened.verify().await.problems, Vec::<String>::new());
    }
}

pub(crate) async fn an_event_is_taken_back_where_it_was_counted<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let complained = types::Metric {
        direction: types::Direction::Down,
        missing: types::Missing::Excluded,
        ..clicked()
    };
    let (experiment, versions) = running(store, vec![complained.clone()]).await;
    let of_unit = |order: i64| PredictionRecord {
        unit_id: Some(UnitId::parse("u").unwrap()),
        ..exposed(&experiment, 1, record(versions[1].key, order, 0.5, 1))
    };
    // Both are within the window of 60 seconds for a while, and then the second one is.
    let records = [of_unit(1_000_000), of_unit(40_000_000)];
    let name = complained.name.as_str();
    for record in &records {
        append(store, record.clone()).await;
        send(store, value(record, name, 1.0)).await.unwrap();
    }
    for record in &records {
        let corrected = replacing(value(record, name, 0.0));
        send(store, corrected).await.unwrap();
    }
    for (now, units) in [(55, 0), (80, 1), (200, 1)] {
        let evidence = store.evidence(experiment.clone(), at(now)).await.unwrap();
        let metric = &evidence.epochs[0].arms[1].metrics[0];
        let found = (
            metric.matured.units,
            metric.matured.events,
            metric.all.events,
        );
        assert_eq!(found, (units, 0, 0), "{now}");
    }
    // One bad value of a matured prediction is one, whatever else was corrected.
    let again = replacing(value(&records[0], name, 1.0));
    send(store, again).await.unwrap();
    let evidence = store.evidence(experiment.clone(), at(80)).await.unwrap();
    assert_eq!(evidence.epochs[0].arms[1].metrics[0].matured.events, 1);
    assert_eq!(opened.verify().await.problems, Vec::<String>::new());
}

pub(crate) async fn a_correction_after_its_window_is_counted<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let clicked = clicked();
    let scales = vec![Some(Scale::binary(0.5))];
    let (experiment, versions) = running_on(store, vec![clicked.clone()], scales).await;
    let record = exposed(&experiment, 1, record(versions[1].key, 50_000, 0.5, 1));
    append(store, record.clone()).await;
    let come = async |clicks: f64, seconds: i64| {
        let item = replacing(value(&record, clicked.name.as_str(), clicks));
        feedback(store, vec![item], at(seconds))
            .await
            .remove(0)
            .unwrap();
        let evidence = store.evidence(experiment.clone(), at(1000)).await.unwrap();
        let events = evidence.epochs[0].arms[1].metrics[0].all.events;
        let found = evidence.corrections.first().copied();
        let found = found.unwrap_or_default();
        (found.replaced, found.late, events)
    };
    assert_eq!(come(1.0, 10).await, (0, 0, 0));
    assert_eq!(come(0.0, 20).await, (1, 0, 1));
    assert_eq!(come(1.0, 500).await, (1, 1, 0));
    assert_eq!(come(0.0, 501).await, (1, 0, 1));
    assert_eq!(come(1.0, 502).await, (1, 1, 0));
    assert_eq!(opened.verify().await.problems, Vec::<String>::new());
}

pub(crate) async fn feedback_waits_for_its_prediction<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let version = register(store, 1, "1").await.key;
    let record = record(version, 1_000_000, 0.5, 1);
    let receipt = send(store, label(&record, "positive")).await.unwrap();
    assert_eq!(receipt.status, FeedbackStatus::Unmatched);
    assert_eq!(waiting(store).await, (1, 0));
    // A value that nobody can check yet; the model has no such metric.
    send(store, value(&record, "nonsense", 3.0)).await.unwrap();
    append(store, record.clone()).await;
    assert_eq!(waiting(store).await, (0, 1));
    let totals = store.totals(TimeRange::ALL).await.unwrap();
    assert_eq!(
        (totals[0].rollup.labelled, totals[0].rollup.correct),
        (1, 1)
    );
    let again = send(store, label(&record, "positive")).await.unwrap();
    assert_eq!(again.status, FeedbackStatus::Duplicate);
    // What never finds its prediction is dropped after a week.
    let stranger = crate::record(version, 9_000_000, 0.5, 1);
    send(store, label(&stranger, "positive")).await.unwrap();
    let other = label(&crate::record(version, 9_500_000, 0.5, 1), "positive");
    let later = at(50 + 8 * 86_400);
    feedback(store, vec![other], later).await.remove(0).unwrap();
    assert_eq!(waiting(store).await, (1, 2));
    assert_eq!(opened.verify().await.problems, Vec::<String>::new());
}

pub(crate) async fn bad_values_are_refused_one_by_one<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let version = register(store, 1, "1").await.key;
    declare(store, score()).await;
    declare(store, clicked()).await;
    let record = record(version, 1_000_000, 0.5, 1);
    append(store, record.clone()).await;
    let batch = vec![
        value(&record, "score", 11.0),
        value(&record, "score", 7.5),
        value(&record, "clicked", 0.5),
        value(&record, "latency_ms", 3.0),
        value(&record, "unheard", 1.0),
    ];
    let results = feedback(store, batch, at(50)).await;
    let said: Vec<String> = results
        .iter()
        .map(|result| match result {
            Ok(receipt) => receipt.status.as_str().to_owned(),
            Err(refusal) => refusal.to_string(),
        })
        .collect();
    assert_eq!(
        said,
        [
            "must be from 0 to 10: the bounds of the metric",
            "recorded",
            "must be 0 or 1 (or false or true): the metric is binary",
            "m has no metric latency_ms that takes feedback",
            "m has no metric unheard that takes feedback",
        ]
    );
    // A metric that a running experiment counts keeps its declaration.
    assert!(
        command(store, catalog::Command::DeleteMetric(score().name), at(60))
            .await
            .is_ok()
    );
}

pub(crate) async fn labels_are_counted_in_every_window<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let versions: [VersionKey; 2] = [
        register(store, 1, "1").await.key,
        register(store, 2, "2").await.key,
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let mut expected = Vec::new();
    let mut time = 1_700_000_000_000_000;
    for n in 0..600 {
        time += random.i64(1..600_000_000);
        let record = record(versions[n % 2], time, 0.5, 1);
        append(store, record.clone()).await;
        if random.bool() {
            let right = random.bool();
            let text = if right { "positive" } else { "negative" };
            send(store, label(&record, text)).await.unwrap();
            expected.push((record.version, time, right));
        }
    }
    for _ in 0..100 {
        let since = 1_700_000_000_000_000 + random.i64(0..180_000_000_000);
        let until = since + random.i64(1..180_000_000_000);
        let range = TimeRange {
            since: Some(Timestamp::from_micros(since)),
            until: Some(Timestamp::from_micros(until)),
        };
        let totals = store.totals(range).await.unwrap();
        for version in versions {
            let inside = expected
                .iter()
                .filter(|(of, at, _)| *of == version && (since..until).contains(at));
            let (labelled, correct) = inside.fold((0, 0), |(labelled, correct), (_, _, right)| {
                (labelled + 1, correct + u64::from(*right))
            });
            let got = totals.iter().find(|t| t.version == version);
            let got = got.map_or((0, 0), |t| (t.rollup.labelled, t.rollup.correct));
            assert_eq!(got, (labelled, correct));
        }
    }
    assert_eq!(opened.verify().await.problems, Vec::<String>::new());
}

pub(crate) async fn receipts_are_kept_where_nobody_waited<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let (_, versions) = running(store, vec![BuiltIn::Correct.metric()]).await;
    let record = record(versions[0].key, 1_000_000, 0.5, 1);
    append(store, record.clone()).await;
    let send = async |seconds: i64, part: u32, values: Vec<Feedback>, awaited: bool| {
        let receipt = ReceiptId::new(at(seconds), 1);
        let request = FeedbackEntry {
            receipt,
            part,
            parts: if seconds == 30 { 2 } else { 1 },
            values: (1..).zip(values).collect(),
        };
        let mut bytes = Vec::new();
        encode_feedback(&request, at(seconds), &mut bytes);
        let (store, position) = (store.clone(), store.position() + 1);
        let append = move || {
            let incoming = Incoming {
                entries: vec![(position, &bytes)],
                missing: &[],
                awaited: &|_| awaited,
                now: at(seconds),
            };
            store.append(&incoming, &mut Appended::default()).unwrap();
        };
        tokio::task::spawn_blocking(append).await.unwrap();
        opened.store.receipt(receipt).await.unwrap()
    };
    let right = || vec![label(&record, "positive")];
    let wrong = || vec![label(&record, "negative")];
    assert_eq!(send(10, 0, right(), true).await, None);
    let kept = send(11, 0, right(), false).await.unwrap();
    assert_eq!((kept.duplicate, kept.is_complete()), (1, true));
    let refused = send(12, 0, wrong(), true).await.unwrap();
    assert_eq!((refused.refused, refused.refusals[0].line), (1, 1));
    // In two parts: until both are there, the receipt says that it is not complete.
    let half = send(30, 0, right(), true).await.unwrap();
    assert_eq!((half.parts, half.is_complete()), (2, false));
    assert_eq!(send(30, 1, right(), true).await, None);
}

pub(crate) async fn corrections_leave_nothing_behind<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let score = types::Metric {
        lower_bound: None,
        upper_bound: None,
        ..score()
    };
    let (experiment, versions) = running(store, vec![score.clone()]).await;
    let mut records = Vec::new();
    for n in 0..20 {
        let record = PredictionRecord {
            unit_id: types::UnitId::parse(&format!("user-{}", n % 7)).ok(),
            // A unit keeps its arm.
            ..exposed(
                &experiment,
                1,
                record(versions[(n % 7 % 2) as usize].key, n * 1_000_000, 0.5, 1),
            )
        };
        append(store, record.clone()).await;
        records.push(record);
    }
    let mut values = Vec::new();
    for (n, record) in records.iter().enumerate() {
        let huge = [1e12, -1e15, 3e14, 1e12][n % 4];
        values.push(value(record, score.name.as_str(), huge));
    }
    for result in feedback(store, values, at(50)).await {
        result.unwrap();
    }
    let small = |n: usize| 0.1 * (n as f64 + 1.0);
    for (n, record) in records.iter().enumerate() {
        let correction = replacing(value(record, score.name.as_str(), small(n)));
        assert_eq!(
            send(store, correction).await.unwrap().status,
            FeedbackStatus::Replaced
        );
    }
    let evidence = store.evidence(experiment, at(60)).await.unwrap();
    let sum: f64 = evidence.epochs[0]
        .arms
        .iter()
        .map(|arm| arm.metrics[0].all.total())
        .sum();
    assert!(
        (sum - (0..20).map(small).sum::<f64>()).abs() < 1e-12,
        "{sum}"
    );
    assert_eq!(opened.verify().await.problems, [""; 0]);
}

/// Values that wait for their prediction, and values that were dropped.
async fn waiting<S: Backend>(store: &S) -> (u64, u64) {
    let state = store.log_state().await.unwrap();
    (state.feedback_waiting, state.feedback_dropped)
}
