//! What is SQLite's own.

use crate::experiments::{running, value};
use crate::{
    Opened, append, append_entries, at, delete, entry_of, feedback, open_sqlite, record, register,
};
use rusqlite::Connection;
use store::{OpenError, Store};
use types::{BuiltIn, PredictionRecord, TimeRange, UnitId, VersionKey};

/// Opens a store with some predictions, closes it, changes its database, and verifies.
async fn verify_after(sql: &str) -> Vec<String> {
    let Opened { store, directory } = open_sqlite();
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
        "INSERT INTO rollups (tier, start, version_key, epoch) SELECT tier, 600000, version_key, epoch FROM rollups WHERE tier = 3 LIMIT 1",
    ] {
        assert!(!verify_after(sql).await.is_empty(), "not seen: {sql}");
    }
    assert!(verify_after("UPDATE state SET probes = 1").await.is_empty());
}

#[tokio::test]
async fn a_rollup_that_cannot_be_read_is_counted_from_what_is_finer() {
    let Opened { store, directory } = open_sqlite();
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
    append_entries(&store, (0..60).map(every_hour).collect())
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
        let sql =
            format!("UPDATE rollups SET latency = x'ff' WHERE tier = {tier} AND version_key = 1");
        assert!(connection.execute(&sql, []).unwrap() > 0);
        for (window, expected) in windows.iter().zip(&expected) {
            assert_eq!(&by_version(&store, *window).await, expected, "tier {tier}");
        }
    }
    let problems = store::verify(directory.path()).unwrap().problems;
    assert!(problems.len() > 60, "{problems:?}");
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
async fn the_audit_cannot_be_changed() {
    let Opened { store, directory } = open_sqlite();
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
