//! What is SQLite's own.

use crate::experiments::{running, value};
use crate::settings::{key, set};
use crate::{
    Opened, append, append_entries, at, delete, entry_of, feedback, open_sqlite, record, register,
};
use rusqlite::Connection;
use std::path::Path;
use store::{ExportFilter, LogStore, ModelStore, OpenError, Piece, RequestQuery, Store};
use types::{
    BuiltIn, ModelName, PredictionRecord, Reason, RequestId, RequestKey, TimeRange, UnitId,
    VersionKey,
};

/// Opens a store with some predictions, closes it, changes its database, and verifies.
async fn verify_after(sql: &str) -> Vec<String> {
    let Opened { store, directory } = open_sqlite();
    let directory = directory.unwrap();
    let metrics = vec![BuiltIn::Correct.metric(), BuiltIn::Error.metric()];
    let (experiment, versions) = running(&store, metrics).await;
    for n in 0..100 {
        let record = PredictionRecord {
            experiment: (n % 2 == 0).then_some(experiment.key),
            epoch: 1,
            unit_id: UnitId::parse(&format!("user-{}", n % 10)).ok(),
            ..record(versions[0].key, n * 1_000_000, 0.5, 5)
        };
        append(&store, record.clone()).await;
        let right = value(&record, "correct", f64::from(n % 3 == 0));
        feedback(&store, vec![right], at(200))
            .await
            .remove(0)
            .unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    let connection = Connection::open(directory.path().join("weir.db")).unwrap();
    assert!(
        connection.execute(sql, []).unwrap() > 0,
        "{sql} changed nothing"
    );
    drop(connection);
    store::verify(directory.path()).unwrap().problems
}

#[tokio::test]
async fn verify_sees_every_kind_of_damage() {
    for sql in [
        "DELETE FROM predictions WHERE prediction_order = (SELECT max(prediction_order) FROM predictions)",
        "UPDATE predictions SET latency_ns = 6 WHERE prediction_order = (SELECT max(prediction_order) FROM predictions)",
        "UPDATE predictions SET status = 2 WHERE prediction_order = (SELECT max(prediction_order) FROM predictions)",
        "UPDATE rollups SET confidence_sum = confidence_sum * 1.000001 WHERE tier = 2",
        "UPDATE rollups SET count = count + 1 WHERE tier = 0",
        "UPDATE rollups SET latency = x'ff' WHERE tier = 1",
        "UPDATE predictions SET status = 77 WHERE prediction_order = (SELECT max(prediction_order) FROM predictions)",
        "UPDATE predictions SET status = 77 WHERE prediction_order = (SELECT min(prediction_order) FROM predictions)",
        "UPDATE evidence SET exact = x'ffff' WHERE metric = 0",
        "UPDATE experiments SET definition = '{'",
        "UPDATE predictions SET latency_ns = 'x' WHERE prediction_order = (SELECT max(prediction_order) FROM predictions)",
        "DELETE FROM rollups WHERE tier = 3 AND start = 0",
        "UPDATE rollups SET correct = correct + 1 WHERE tier = 0",
        "UPDATE evidence SET units = units + 1 WHERE metric = -1",
        "UPDATE evidence SET sum_squares = sum_squares * 1.000001 WHERE metric = 0",
        "UPDATE evidence SET events = events - 1 WHERE metric = 0",
        "DELETE FROM evidence WHERE metric = 1",
        "UPDATE feedback SET value = 1 - value WHERE prediction_order = (SELECT max(prediction_order) FROM feedback)",
        "DELETE FROM feedback WHERE prediction_order = (SELECT min(prediction_order) FROM feedback)",
        "UPDATE versions SET runtime = '{}' WHERE version_key = 1",
        "UPDATE versions SET accuracy = 7 WHERE version_key = 1",
        "UPDATE experiments SET progress = '{'",
        "INSERT INTO metrics VALUES ('m', 'odd', '[]', 0)",
        "INSERT INTO rollups (tier, start, version_key, epoch, server_key) SELECT tier, 600000, version_key, epoch, 1 FROM rollups WHERE tier = 3 LIMIT 1",
    ] {
        assert!(!verify_after(sql).await.is_empty(), "not seen: {sql}");
    }
    assert!(verify_after("UPDATE state SET probes = 1").await.is_empty());
}

#[tokio::test]
async fn a_rollup_that_cannot_be_read_is_counted_from_what_is_finer() {
    let Opened { store, directory } = open_sqlite();
    let directory = directory.unwrap();
    let versions = [
        register(&store, 1, "1").await,
        register(&store, 2, "2").await,
    ];
    let every_hour = |n: i64| {
        entry_of(&record(
            versions[n as usize % 2].key,
            n * 3_600_000_000,
            0.5,
            5,
        ))
    };
    let half_past = |n: i64| {
        let version = versions[n as usize % 2].key;
        entry_of(&record(version, n * 3_600_000_000 + 1_800_000_000, 0.5, 5))
    };
    append_entries(&store, (0..35).map(every_hour).collect())
        .await
        .unwrap();
    // The buckets of this hour and day, and of all time, are of two servers.
    let store = renewed(store, directory.path()).await;
    append_entries(&store, (30..60).map(half_past).collect())
        .await
        .unwrap();
    let windows = [
        TimeRange::ALL,
        TimeRange {
            since: Some(at(100)),
            until: Some(at(200_000)),
        },
    ];
    let mut expected = Vec::new();
    for window in windows {
        expected.push(by_version(&store, window).await);
    }
    let connection = Connection::open(directory.path().join("weir.db")).unwrap();
    for tier in 0..4 {
        // One server's; at last both servers'.
        let whose = if tier == 3 { "" } else { "AND server_key = 1" };
        let sql = format!(
            "UPDATE rollups SET latency = x'ff' WHERE tier = {tier} AND version_key = 1 {whose}"
        );
        assert!(connection.execute(&sql, []).unwrap() > 0);
        for (window, expected) in windows.iter().zip(&expected) {
            assert_eq!(&by_version(&store, *window).await, expected, "tier {tier}");
        }
    }
    let problems = store::verify(directory.path()).unwrap().problems;
    assert!(problems.len() > 60, "{problems:?}");
}

/// The same directory, written to by another server from now on.
async fn renewed(store: Store, directory: &Path) -> Store {
    store.close().await.unwrap();
    let another = store::OpenOptions {
        renewed: true,
        ..store::OpenOptions::default()
    };
    Store::open_with(directory, another).unwrap()
}

/// What was set aside comes last and keeps its position, which may be the first of a stretch or far behind.
#[tokio::test]
async fn what_is_taken_late_is_read_on_from_its_position_once() {
    let Opened { store, directory } = open_sqlite();
    let directory = directory.unwrap();
    let version = register(&store, 1, "1").await.key;
    let connection = Connection::open(directory.path().join("weir.db")).unwrap();
    connection
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON predictions \
             WHEN NEW.position IN (1, 5, 4095, 4096, 4097, 9000) BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .unwrap();
    let entry = |n: i64| entry_of(&record(version, (n * 7919) % 12_289 * 1_000, 0.5, 5));
    let appended = append_entries(&store, (1..=9_000).map(entry).collect())
        .await
        .unwrap();
    assert_eq!(appended.set_aside.len(), 6);
    connection.execute_batch("DROP TRIGGER refuse").unwrap();
    assert_eq!(store.retry_set_aside(at(1)).await.unwrap(), 6);
    append_entries(&store, (9_001..=9_010).map(entry).collect())
        .await
        .unwrap();
    for limit in [11, 1000] {
        let (mut position, mut read) = (0, Vec::new());
        loop {
            let page = store.predictions_after(position, limit).await.unwrap();
            read.extend(page.iter().filter_map(|row| row.position));
            let Some(last) = page.last() else { break };
            position = last.position.unwrap();
        }
        assert!(read.iter().copied().eq(1..=9_010), "pages of {limit}");
    }
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
    // A stretch that hides a prediction is a problem.
    let all = "CREATE TABLE kept AS SELECT * FROM stretches";
    connection.execute_batch(all).unwrap();
    for harm in [
        "DELETE FROM stretches WHERE first = 4096",
        "UPDATE stretches SET lowest = highest WHERE first = 0",
        "UPDATE stretches SET first = 8191 WHERE first = 8192",
        "UPDATE stretches SET highest = 'far'",
    ] {
        connection.execute_batch(harm).unwrap();
        let problems = store::verify(directory.path()).unwrap().problems;
        assert!(
            problems.iter().any(|p| p.contains("its stretch")),
            "{harm}: {problems:?}"
        );
        let mended = "DELETE FROM stretches; INSERT INTO stretches SELECT * FROM kept";
        connection.execute_batch(mended).unwrap();
        assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
    }
}

/// A directory of the release before, whose rows have hashes and whose sums name no server.
#[tokio::test]
async fn a_directory_of_schema_6_is_brought_here_without_loss() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("weir.db");
    let connection = Connection::open(&database).unwrap();
    connection
        .execute_batch(concat!(
            "PRAGMA foreign_keys = OFF;",
            include_str!("../schema_6.sql")
        ))
        .unwrap();
    let sums = |connection: &Connection| -> (i64, i64, i64, i64, i64) {
        let sql = "SELECT (SELECT count(*) FROM predictions), (SELECT count(*) FROM feedback), \
                   (SELECT sum(count) FROM rollups WHERE tier = 0), (SELECT sum(units) FROM evidence), \
                   (SELECT sum(value_count) FROM evidence)";
        let read = |row: &rusqlite::Row<'_>| row.try_into();
        connection.query_row(sql, [], read).unwrap()
    };
    let before = sums(&connection);
    assert_eq!((before.0, before.1, before.2), (240, 168, 240));
    drop(connection);
    let store = Store::open(directory.path()).unwrap();
    let connection = Connection::open(&database).unwrap();
    assert_eq!(sums(&connection), before);
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
    // It goes on: what comes is added to what is there.
    let [model] = <[_; 1]>::try_from(store.models().await.unwrap()).unwrap();
    let model = model.unwrap();
    let running = model.running().unwrap();
    let record = PredictionRecord {
        experiment: Some(running.key),
        epoch: 1,
        unit_id: UnitId::parse("u3").ok(),
        ..record(model.versions[0].key, 1_795_700_000_000_000, 0.5, 5)
    };
    append(&store, record.clone()).await;
    feedback(
        &store,
        vec![value(&record, "clicked", 1.0)],
        at(1_795_700_001),
    )
    .await
    .remove(0)
    .unwrap();
    assert_eq!(store.predictions_after(0, 10).await.unwrap().len(), 1);
    let (predictions, values, counted, ..) = sums(&connection);
    assert_eq!((predictions, values, counted), (241, 169, 241));
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
}

#[tokio::test]
async fn a_directory_of_schema_7_is_brought_here_without_loss() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("weir.db");
    let connection = Connection::open(&database).unwrap();
    connection
        .execute_batch(concat!(
            "PRAGMA foreign_keys = OFF;",
            include_str!("../schema_7.sql")
        ))
        .unwrap();
    drop(connection);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
    let [model] = <[_; 1]>::try_from(store.models().await.unwrap()).unwrap();
    let running = model.unwrap().running().unwrap().clone();
    assert!(running.scales.is_empty());
    // A unit that it knows comes back while its epoch lasts: nothing is left to chance about it.
    let last = store
        .evidence(running.clone(), at(1_800_000_000))
        .await
        .unwrap();
    let epoch = last.epochs.last().unwrap().epoch;
    let record = PredictionRecord {
        reason: Reason::Experiment,
        experiment: Some(running.key),
        epoch,
        unit_id: UnitId::parse("u3").ok(),
        ..record(
            running.definition.arms[0].key,
            1_800_000_000_000_000,
            0.5,
            5,
        )
    };
    append(&store, record.clone()).await;
    feedback(
        &store,
        vec![value(&record, "spent", 3.0)],
        at(1_800_000_001),
    )
    .await
    .remove(0)
    .unwrap();
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
}

#[tokio::test]
async fn a_directory_of_schema_9_is_brought_here_without_loss() {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("weir.db")).unwrap();
    connection
        .execute_batch(concat!(
            "PRAGMA foreign_keys = OFF;",
            include_str!("../schema_9.sql")
        ))
        .unwrap();
    drop(connection);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
    // A value that waited still does, and finds its prediction.
    assert_eq!(store.log_state().await.unwrap().feedback_waiting, 1);
    let models = store.models().await.unwrap();
    let running = models
        .iter()
        .find_map(|model| model.as_ref().unwrap().running());
    let running = running.unwrap();
    let waited: types::PredictionId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    let record = PredictionRecord {
        id: waited,
        ..record(running.definition.arms[0].key, 0, 0.5, 5)
    };
    append(&store, record).await;
    assert_eq!(store.log_state().await.unwrap().feedback_waiting, 0);
    assert_eq!(store.feedback_of(waited).await.unwrap()[0].value, 1.5);
    let older = store.request_numbers(0, 1000).await.unwrap();
    assert_eq!(older.len(), 20);
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
}

#[tokio::test]
async fn requests_of_schema_10_are_found_by_their_ids() {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("weir.db")).unwrap();
    connection
        .execute_batch(concat!(
            "PRAGMA foreign_keys = OFF;",
            include_str!("../schema_10.sql")
        ))
        .unwrap();
    drop(connection);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
    let find = async |id: &str| {
        let query = RequestQuery {
            name: ModelName::parse("shop").unwrap(),
            id: RequestId::parse(id).unwrap(),
            body: None,
            since: at(0),
        };
        store.of_request(query).await.unwrap()
    };
    for n in 0..30 {
        let id = format!("order-{n}");
        let found = find(&id).await.unwrap();
        assert_eq!(found.request.unwrap().id.as_str(), id);
        assert_eq!(found.unit_id.unwrap(), format!("user-{}", n % 12));
    }
    assert!(find("order-30").await.is_none());
    // A value that waited for a request finds it.
    assert_eq!(store.log_state().await.unwrap().feedback_waiting, 1);
    let version = find("order-1").await.unwrap().model_id;
    let version = store.version(version).await.unwrap().unwrap().key;
    let record = PredictionRecord {
        request: Some(RequestKey {
            id: RequestId::parse("order-99").unwrap(),
            body: 7,
        }),
        ..record(version, 1_900_000_000_000_000, 0.5, 5)
    };
    append(&store, record.clone()).await;
    assert_eq!(store.feedback_of(record.id).await.unwrap()[0].value, 1.0);
    assert_eq!(find("order-99").await.unwrap().id, record.id);
    assert_eq!(store.request_numbers(0, 1000).await.unwrap().len(), 31);
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
}

#[tokio::test]
async fn artifacts_and_outputs_come_to_schema_11() {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("weir.db")).unwrap();
    connection
        .execute_batch(concat!(
            "PRAGMA foreign_keys = OFF;",
            include_str!("../schema_11.sql")
        ))
        .unwrap();
    drop(connection);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
    let name = ModelName::parse("shop").unwrap();
    let state = store.model(name.clone()).await.unwrap().unwrap();
    assert_eq!(state.versions.len(), 3);
    assert!(state.versions.iter().all(|v| v.artifact.is_none()));
    let mut record = record(state.versions[0].key, 1_900_000_000_000_000, 0.5, 5);
    let outputs = types::Json::parse(r#"{"score":2}"#.into()).unwrap();
    if let Some((_, output)) = &mut record.outcome.answer {
        output.outputs = Some(outputs.clone());
    }
    append(&store, record.clone()).await;
    let found = store.prediction(record.id).await.unwrap().unwrap();
    assert_eq!(found.outputs, Some(outputs));
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
}

#[tokio::test]
async fn keys_and_the_chain_of_the_audit_come_to_schema_12() {
    for (broken, entry) in [
        ("", 0),
        ("UPDATE audit SET detail = '{}' WHERE id = 3", 11),
        ("DELETE FROM audit WHERE id = 10", 11),
        ("UPDATE audit SET author = '{}' WHERE id = 11", 11),
        (
            "UPDATE audit SET at = at + 1, row_hash = NULL WHERE id = 12",
            12,
        ),
        ("DELETE FROM audit WHERE id = 11", 12),
        ("UPDATE audit SET chain = NULL WHERE id = 12", 12),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let connection = Connection::open(directory.path().join("weir.db")).unwrap();
        connection
            .execute_batch(concat!(
                "PRAGMA foreign_keys = OFF;",
                include_str!("../schema_12.sql")
            ))
            .unwrap();
        let store = Store::open(directory.path()).unwrap();
        let report = store::verify(directory.path()).unwrap();
        assert_eq!((report.problems, report.audit_entries), (vec![], 10));
        assert_eq!(store.settings().await.unwrap().keys, []);
        // The first new entry chains all that were there.
        for bits in [4, 5] {
            set(&store, key(bits), 1_900_000_000).await;
        }
        let triggers = "DROP TRIGGER audit_is_never_updated; DROP TRIGGER audit_is_never_deleted;";
        connection
            .execute_batch(&format!("{triggers}{broken}"))
            .unwrap();
        let problems = store::verify(directory.path()).unwrap().problems;
        let breaks = format!("the chain of the audit breaks at entry {entry}:");
        let found = problems.iter().any(|problem| problem.starts_with(&breaks));
        assert_eq!(found, entry > 0, "{broken}: {problems:?}");
        assert_eq!(problems.is_empty(), entry == 0, "{broken}: {problems:?}");
    }
}

#[tokio::test]
async fn an_epoch_of_the_release_before_goes_on_without_days() {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("weir.db")).unwrap();
    connection
        .execute_batch(concat!(
            "PRAGMA foreign_keys = OFF;",
            include_str!("../schema_14.sql")
        ))
        .unwrap();
    drop(connection);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
    let now = at(1_900_000_000);
    let (experiment, before) = store
        .running_evidence(now)
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let epoch = before.epochs[0].epoch;
    // Somebody new, and a purchase that an earlier one had not made yet.
    let record = PredictionRecord {
        experiment: Some(experiment.key),
        epoch,
        unit_id: UnitId::parse("newcomer").ok(),
        reason: types::Reason::Experiment,
        ..record(
            experiment.definition.arms[1].key,
            1_800_000_000_000_000,
            0.5,
            1,
        )
    };
    append(&store, record.clone()).await;
    let values = vec![crate::experiments::value(&record, "clicked", 1.0)];
    crate::feedback(&store, values, at(1_800_000_001))
        .await
        .remove(0)
        .unwrap();
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
    let evidence = store.evidence(experiment, now).await.unwrap();
    let clicks = |evidence: &types::Evidence| {
        let arms = evidence.epochs[0].arms.iter();
        arms.map(|arm| arm.metrics[0].all.values).sum::<u64>()
    };
    assert_eq!(clicks(&evidence), clicks(&before) + 1);
    assert_eq!(evidence.epochs[0].days, []);
}

/// Predictions and their confidence by version.
async fn by_version(store: &Store, window: TimeRange) -> Vec<(VersionKey, u64, f64)> {
    let totals = store.totals(window).await.unwrap().into_iter();
    let mut totals: Vec<_> = totals
        .map(|t| (t.version, t.rollup.count, t.rollup.confidence_sum))
        .collect();
    totals.sort_by_key(|(version, ..)| *version);
    totals
}

#[tokio::test]
async fn what_several_servers_add_is_added_up() {
    let Opened { store, directory } = open_sqlite();
    let directory = directory.unwrap();
    let (experiment, versions) = running(
        &store,
        vec![crate::experiments::clicked(), BuiltIn::Error.metric()],
    )
    .await;
    let record = |n: i64| PredictionRecord {
        experiment: Some(experiment.key),
        epoch: 1,
        unit_id: UnitId::parse(&format!("user-{}", n % 5)).ok(),
        ..record(versions[0].key, n * 1_000_000, 0.5, 5)
    };
    let right = |n: i64, metric: &str| value(&record(n), metric, 1.0);
    let fill = async |store: &Store, numbers: std::ops::Range<i64>| {
        for n in numbers {
            append(store, record(n)).await;
            // Every other one has its label from the server that follows.
            let labelled = if n % 2 == 0 { n } else { (n - 21).max(0) };
            for metric in ["correct", "clicked"] {
                let result = feedback(store, vec![right(labelled, metric)], at(n)).await;
                result.into_iter().next().unwrap().unwrap();
            }
        }
    };
    let whole = open_sqlite();
    running(
        &whole.store,
        vec![crate::experiments::clicked(), BuiltIn::Error.metric()],
    )
    .await;
    fill(&whole.store, 0..60).await;
    fill(&store, 0..20).await;
    let mut store = store;
    for numbers in [20..40, 40..60] {
        store = renewed(store, directory.path()).await;
        fill(&store, numbers).await;
    }
    // Who reads on from a position reads what all of them wrote.
    for (limit, after) in [(7, 0), (1000, 0), (7, 100)] {
        let ids = |page: Vec<store::LoggedPrediction>| -> Vec<_> {
            page.into_iter().map(|row| (row.id, row.position)).collect()
        };
        let page = ids(store.predictions_after(after, limit).await.unwrap());
        let expected = whole.store.predictions_after(after, limit).await.unwrap();
        assert_eq!(page, ids(expected));
        let page = store.feedback_after(after, limit).await.unwrap();
        assert_eq!(
            page,
            whole.store.feedback_after(after, limit).await.unwrap()
        );
    }
    // An export in pieces misses none of them, wherever a piece ends.
    for rows in [1, 7, 20, 1000] {
        let (mut after, mut exported) = (0, Vec::new());
        while after < store.position() {
            let piece = Piece {
                after,
                until: store.position(),
                rows,
                bytes: usize::MAX,
            };
            let found = store.export_predictions(ExportFilter::default(), piece);
            let found = found.await.unwrap();
            assert!(found.reached > after);
            after = found.reached;
            exported.extend(found.rows.into_iter().map(|row| row.prediction.id));
        }
        let all = whole.store.predictions_after(0, 1000).await.unwrap();
        let all: Vec<_> = all.into_iter().map(|row| row.id).collect();
        assert_eq!(exported, all, "pieces of {rows}");
    }
    assert_ne!(store.server(), whole.store.server());
    let (both, one) = (
        store.totals(TimeRange::ALL).await.unwrap(),
        whole.store.totals(TimeRange::ALL).await.unwrap(),
    );
    // The hashes of rows are of the servers too.
    let plain = |totals: &[store::VersionTotals]| {
        let r = &totals[0].rollup;
        (r.count, r.labelled, r.correct, r.latency.clone())
    };
    assert_eq!(plain(&both), plain(&one));
    let until = at(61);
    assert_eq!(
        store.evidence(experiment.clone(), until).await.unwrap(),
        whole.store.evidence(experiment, until).await.unwrap()
    );
    store.close().await.unwrap();
    assert_eq!(store::verify(directory.path()).unwrap().problems, [""; 0]);
    let connection = Connection::open(directory.path().join("weir.db")).unwrap();
    for table in ["rollups", "evidence", "predictions", "feedback"] {
        let sql = format!("SELECT count(DISTINCT server_key) FROM {table}");
        let servers: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(servers, 3, "{table}");
    }
}

#[tokio::test]
async fn the_audit_cannot_be_changed() {
    let Opened { store, directory } = open_sqlite();
    let directory = directory.unwrap();
    register(&store, 1, "1").await;
    drop(store);
    let connection = Connection::open(directory.path().join("weir.db")).unwrap();
    for sql in ["DELETE FROM audit", "UPDATE audit SET action = 'x'"] {
        let error = connection.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("append-only"), "{error}");
    }
}

#[tokio::test]
async fn a_directory_is_opened_once() {
    let Opened { store, directory } = open_sqlite();
    let directory = directory.unwrap();
    let again = Store::open(directory.path());
    assert!(matches!(again, Err(OpenError::InUse(_))));
    store.close().await.unwrap();
    let version = types::VersionKey(1);
    assert!(
        append_entries(&store, vec![entry_of(&record(version, 1, 0.5, 5))])
            .await
            .is_err(),
        "a closed store took a record"
    );
    drop(store);
    assert!(Store::open(directory.path()).is_ok());
}

#[tokio::test]
async fn versions_deleted_one_after_the_other_leave_no_rows() {
    let Opened { store, directory } = open_sqlite();
    let directory = directory.unwrap();
    let ids = [1, 2, 3].map(|n| (n, n.to_string()));
    let mut versions = Vec::new();
    for (id, name) in ids {
        versions.push(register(&store, id, &name).await);
    }
    let entry = |n: i64| entry_of(&record(versions[n as usize % 3].key, n, 0.5, 5));
    append_entries(&store, (0..10_000).map(entry).collect())
        .await
        .unwrap();
    // The later one first, so that the earlier one comes while the later one is being removed.
    for version in [&versions[1], &versions[0]] {
        delete(&store, version.model_id).await;
        let tidy = store.clone();
        assert!(
            tokio::task::spawn_blocking(move || tidy.tidy().unwrap())
                .await
                .unwrap()
        );
    }
    let tidy = store.clone();
    tokio::task::spawn_blocking(move || while tidy.tidy().unwrap() {})
        .await
        .unwrap();
    store.close().await.unwrap();
    let connection = Connection::open(directory.path().join("weir.db")).unwrap();
    let count = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table} WHERE version_key <> 3");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("predictions"), count("rollups")), (0, 0));
    drop(connection);
    let report = store::verify(directory.path()).unwrap();
    assert_eq!((report.predictions, report.problems), (3_333, vec![]));
}

#[tokio::test]
async fn a_database_of_the_first_schema_is_brought_to_the_present_one() {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("weir.db")).unwrap();
    connection
        .execute_batch(include_str!("schema_1.sql"))
        .unwrap();
    connection
        .execute_batch(
            "INSERT INTO models VALUES ('m', 'salt', 1, 0, 1);
             INSERT INTO versions (model_id, name, version, description, accuracy, tags, runtime, \
              status, traffic_percent, created_at) VALUES ('model-000000000001', 'm', '1', '', 0.5, \
              '{}', '{\"type\":\"sentiment\",\"method\":\"vader\"}', 'inactive', 0, 0);
             INSERT INTO predictions VALUES (4096, 1, 1, NULL, 2, 0, 0, 1, NULL, 0, 'a', NULL, NULL, \
              1, 'failed');
             INSERT INTO rollups SELECT tier, 0, 1, 0, 1, 1, 0, 0, 0, 0, 1, 1e-12, x'0001' FROM \
              (SELECT 0 AS tier UNION SELECT 1 UNION SELECT 2 UNION SELECT 3);
             PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(connection);
    let store = Store::open(directory.path()).unwrap();
    let version = types::VersionKey(1);
    append(&store, record(version, 2_000, 0.5, 5)).await;
    let totals = store.totals(TimeRange::ALL).await.unwrap();
    assert_eq!((totals[0].rollup.count, totals[0].rollup.errors), (2, 1));
    let report = store::verify(directory.path()).unwrap();
    assert_eq!((report.predictions, report.problems), (2, vec![]));
}

/// What a table, its indexes and its triggers are, whatever the order of its columns.
fn shape(connection: &Connection) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut objects = connection
        .prepare("SELECT type, name, COALESCE(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
        .unwrap();
    let objects = objects.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let mut shape = std::collections::BTreeMap::new();
    for object in objects.unwrap() {
        let (kind, name, sql): (String, String, String) = object.unwrap();
        let mut lines: Vec<String> = if kind == "table" {
            let columns = format!(
                "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('{name}')"
            );
            let mut columns = connection.prepare(&columns).unwrap();
            let rows = columns.query_map([], |row| {
                let texts = (0..2).map(|at| row.get::<_, String>(at));
                let texts = texts.collect::<Result<Vec<_>, _>>()?.join(" ");
                let default: Option<String> = row.get(3)?;
                Ok(format!(
                    "{texts} {} {default:?} {}",
                    row.get::<_, i64>(2)?,
                    row.get::<_, i64>(4)?
                ))
            });
            rows.unwrap().map(Result::unwrap).collect()
        } else {
            vec![sql.split_whitespace().collect::<Vec<_>>().join(" ")]
        };
        lines.sort();
        shape.insert(format!("{kind} {name}"), lines);
    }
    shape
}

#[tokio::test]
async fn migrations_lead_to_the_schema_that_a_new_database_has() {
    let old = tempfile::tempdir().unwrap();
    let connection = Connection::open(old.path().join("weir.db")).unwrap();
    connection
        .execute_batch(include_str!("schema_1.sql"))
        .unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    let new = tempfile::tempdir().unwrap();
    let shapes = [&old, &new].map(|directory| {
        drop(Store::open(directory.path()).unwrap());
        let connection = Connection::open(directory.path().join("weir.db")).unwrap();
        shape(&connection)
    });
    assert!(shapes[1].len() > 20, "{:?}", shapes[1].keys());
    assert_eq!(shapes[0], shapes[1]);
}

/// What of a row is looked at when bits flip: its table, where its rows are, and what is no content.
const FLIPPED: [(&str, &str, &[&str]); 12] = [
    ("predictions", "1", &[]),
    ("feedback", "1", &[]),
    ("rollups", "1", &["rollup_id"]),
    ("evidence", "1", &["evidence_id"]),
    ("audit", "1", &["id"]),
    ("versions", "deleted_at IS NULL", &["purged_at"]),
    ("models", "1", &[]),
    ("aliases", "1", &["updated_at"]),
    ("metrics", "1", &["updated_at"]),
    ("settings", "1", &[]),
    ("secrets", "1", &[]),
    // How far one was told is no content: it is written again with the next delivery.
    (
        "webhooks",
        "1",
        &[
            "webhook_key",
            "delivered",
            "attempts",
            "next_attempt_at",
            "given_up",
        ],
    ),
];

/// Flips a bit of a value; nothing where it has none.
fn flipped(
    value: &rusqlite::types::Value,
    random: &mut fastrand::Rng,
) -> Option<rusqlite::types::Value> {
    use rusqlite::types::Value;
    let mut bytes = match value {
        Value::Null => return None,
        Value::Integer(number) => number.to_le_bytes().to_vec(),
        Value::Real(number) => number.to_bits().to_le_bytes().to_vec(),
        Value::Text(text) => text.clone().into_bytes(),
        Value::Blob(bytes) => bytes.clone(),
    };
    if bytes.is_empty() {
        return None;
    }
    let at = random.usize(..bytes.len());
    bytes[at] ^= 1 << random.u8(..8);
    let eight = || <[u8; 8]>::try_from(&bytes[..]).unwrap();
    let flipped = match value {
        Value::Integer(_) => Value::Integer(i64::from_le_bytes(eight())),
        Value::Real(_) => Value::Real(f64::from_bits(u64::from_le_bytes(eight()))),
        // A text that is none any more cannot be bound as one.
        Value::Text(_) => Value::Text(String::from_utf8(bytes).ok()?),
        _ => Value::Blob(bytes),
    };
    let same = match (value, &flipped) {
        // SQLite keeps no NaN, and 0 and -0 are one number to it.
        (Value::Real(old), Value::Real(new)) => new.is_nan() || old == new,
        _ => false,
    };
    (!same).then_some(flipped)
}

/// Whether two texts declare the same metric: a null under another name says what no field says.
fn same_metric(column: &str, old: &rusqlite::types::Value, new: &rusqlite::types::Value) -> bool {
    use rusqlite::types::Value::Text;
    let (Text(old), Text(new)) = (old, new) else {
        return false;
    };
    let metric = |text: &str| serde_json::from_str::<types::Metric>(text).ok();
    column == "definition" && metric(new).is_some() && metric(old) == metric(new)
}

/// What `weir verify` says: the recount, and the replay of the events.
fn problems(directory: &std::path::Path) -> Vec<String> {
    let mut problems = store::verify(directory).unwrap().problems;
    for model in store::stored_models(directory).unwrap() {
        let (Ok(state), Ok(events)) = (model.state, model.events) else {
            problems.push(format!("{} cannot be read", model.name));
            continue;
        };
        let numbers = events.iter().map(|event| event.change);
        if !numbers.eq(1..=state.changes) {
            problems.push("events are missing".into());
        }
        match catalog::replay(state.name.clone(), &events) {
            Ok(replayed) => problems.extend(catalog::differences(&state, &replayed)),
            Err(error) => problems.push(format!("{error:?}")),
        }
    }
    let stored = store::stored_settings(directory).unwrap();
    let replayed = stored
        .events
        .map(|events| catalog::replay_settings(&events));
    match (stored.settings, replayed) {
        (Ok(settings), Ok(Ok(replayed))) if replayed == settings => {}
        other => problems.push(format!("the settings: {other:?}")),
    }
    problems
}

#[tokio::test]
async fn every_flipped_bit_that_changes_content_is_found() {
    let asked = std::env::var("STORE_FLIPS").ok();
    let flips = asked.map_or(200, |asked| asked.parse().unwrap());
    let Opened { store, directory } = open_sqlite();
    let directory = directory.unwrap();
    let metrics = vec![
        crate::experiments::clicked(),
        BuiltIn::Confidence.metric(),
        BuiltIn::Error.metric(),
    ];
    let (experiment, versions) = running(&store, metrics).await;
    let set = catalog::Command::SetAlias {
        alias: types::AliasName::parse("champion").unwrap(),
        version: crate::version_name("1"),
    };
    crate::command(&store, set, at(3)).await.unwrap();
    let default = catalog::SettingsCommand::SetDefaultModel(crate::name("m"));
    crate::settings::set(&store, default, 3).await;
    crate::settings::set(&store, crate::settings::webhook(6), 3).await;
    for n in 0..60 {
        let record = PredictionRecord {
            experiment: (n % 2 == 0).then_some(experiment.key),
            epoch: 1,
            unit_id: UnitId::parse(&format!("user-{}", n % 7)).ok(),
            ..record(
                versions[n as usize % 2].key,
                n * 40_000_000,
                0.1 * n as f64,
                5_000 + n as u64,
            )
        };
        append(&store, record.clone()).await;
        if n % 3 == 0 {
            let clicked = value(&record, "clicked", f64::from(n % 2 == 0));
            feedback(&store, vec![clicked], at(n * 40))
                .await
                .remove(0)
                .unwrap();
        }
    }
    store.close().await.unwrap();
    let database = directory.path().join("weir.db");
    let whole = std::fs::read(&database).unwrap();
    assert_eq!(problems(directory.path()), [""; 0]);
    let mut random = fastrand::Rng::with_seed(11);
    let (mut seen, mut missed) = (0, Vec::new());
    while seen < flips {
        std::fs::write(&database, &whole).unwrap();
        let connection = Connection::open(&database).unwrap();
        connection
            .execute_batch("DROP TRIGGER audit_is_never_updated")
            .unwrap();
        let (table, condition, passed_over) = FLIPPED[random.usize(..FLIPPED.len())];
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let mut select = connection.prepare(&columns).unwrap();
        let columns = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let columns: Vec<String> = columns.map(Result::unwrap).collect();
        let column = &columns[random.usize(..columns.len())];
        let rows: i64 = connection
            .query_row(
                &format!("SELECT count(*) FROM {table} WHERE {condition}"),
                [],
                |row| row.get(0),
            )
            .unwrap();
        let offset = random.i64(..rows);
        // Tables without row numbers are told by their place.
        let old: rusqlite::types::Value = connection
            .query_row(
                &format!("SELECT {column} FROM {table} WHERE {condition} LIMIT 1 OFFSET {offset}"),
                [],
                |row| row.get(0),
            )
            .unwrap();
        let Some(new) = flipped(&old, &mut random) else {
            continue;
        };
        if passed_over.contains(&column.as_str()) || same_metric(column, &old, &new) {
            continue;
        }
        let keys = format!(
            "SELECT COALESCE(group_concat(name), 'rowid') FROM pragma_table_info('{table}') WHERE pk > 0"
        );
        let keys: String = connection.query_row(&keys, [], |row| row.get(0)).unwrap();
        connection
            .execute_batch("PRAGMA foreign_keys = OFF")
            .unwrap();
        let update = format!(
            "UPDATE OR IGNORE {table} SET {column} = ?1 WHERE ({keys}) = \
             (SELECT {keys} FROM {table} WHERE {condition} LIMIT 1 OFFSET {offset})"
        );
        if connection.execute(&update, [&new]).unwrap() != 1 {
            continue;
        }
        drop(select);
        drop(connection);
        seen += 1;
        if problems(directory.path()).is_empty() {
            missed.push(format!("{table}.{column}: {old:?} became {new:?}"));
        }
    }
    assert!(
        missed.is_empty(),
        "{} of {flips} passed: {missed:#?}",
        missed.len()
    );
}

/// As a kill leaves it: a transaction has reached the file, and its rollback journal is there to take it back.
#[tokio::test]
async fn a_transaction_that_was_cut_short_is_taken_back_at_the_start() {
    let Opened { store, directory } = open_sqlite();
    let directory = directory.unwrap();
    register(&store, 1, "1").await;
    store.close().await.unwrap();
    drop(store);
    let database = directory.path().join("weir.db");
    let connection = Connection::open(&database).unwrap();
    connection
        .pragma_update(None, "journal_mode", "DELETE")
        .unwrap();
    connection.pragma_update(None, "cache_size", 1).unwrap();
    connection
        .execute_batch(
            "BEGIN; UPDATE models SET salt = hex(zeroblob(50000)); UPDATE state SET probes = 1",
        )
        .unwrap();
    let killed = tempfile::tempdir().unwrap();
    for file in ["weir.db", "weir.db-journal", "weir.lock"] {
        let from = directory.path().join(file);
        std::fs::copy(from, killed.path().join(file)).unwrap();
    }
    let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let hot = Connection::open_with_flags(killed.path().join("weir.db"), read_only).unwrap();
    let refused = hot.query_row("PRAGMA user_version", [], |_| Ok(()));
    assert!(refused.is_err(), "there is nothing to take back");
    drop(hot);
    let store = Store::open(killed.path()).unwrap();
    let model = store.model(crate::name("m")).await.unwrap().unwrap();
    assert_eq!(model.salt, "salt");
    store.close().await.unwrap();
    assert_eq!(store::verify(killed.path()).unwrap().problems, [""; 0]);
}

#[tokio::test]
async fn a_closed_store_takes_nothing() {
    let Opened { store, .. } = open_sqlite();
    store.probe().await.unwrap();
    assert_eq!(store.failure(), None);
    store.close().await.unwrap();
    assert!(store.probe().await.is_err(), "a closed store was written");
}

/// Webhooks of a release that had no events of settings keep their secrets and how far they were told.
#[tokio::test]
async fn webhooks_of_an_earlier_release_are_settings() {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("weir.db")).unwrap();
    connection
        .execute_batch(include_str!("schema_1.sql"))
        .unwrap();
    for step in include_str!("../../src/sqlite/migrations.sql")
        .split("-- To schema ")
        .skip(1)
        .take(5)
    {
        let (_, sql) = step.split_once('\n').unwrap();
        connection.execute_batch(sql).unwrap();
    }
    connection
        .execute_batch(
            "INSERT INTO webhooks (webhook_id, name, url, secret, created_at, delivered, attempts) VALUES \
              ('hook-000000000005', NULL, 'https://a.example/', 'one', 7, 3, 2), \
              ('hook-000000000006', 'm', 'https://b.example/', 'two', 8, 4, 0);
             PRAGMA user_version = 6;",
        )
        .unwrap();
    drop(connection);
    let store = Store::open(directory.path()).unwrap();
    let webhooks = store.webhooks().await.unwrap();
    let told = |at: usize| {
        let webhook = &webhooks[at];
        let name = webhook.webhook.definition.name.as_ref();
        (
            name.map(ToString::to_string),
            webhook.secrets.secret.as_str(),
            webhook.delivery.delivered,
            webhook.delivery.attempts,
        )
    };
    assert_eq!(told(0), (None, "one", 3, 2));
    assert_eq!(told(1), (Some("m".into()), "two", 4, 0));
    let settings = store.settings().await.unwrap();
    assert_eq!((settings.changes, settings.webhooks.len()), (0, 2));
    crate::settings::set(&store, catalog::SettingsCommand::Baseline, 9).await;
    crate::settings::set(&store, crate::settings::webhook(7), 10).await;
}
