//! The state of every model is what its events say, and `weir verify` sees where it is not.

use crate::weir::{BINARY, Weir, assert_clean, directory};
use serde_json::json;
use std::path::Path;
use std::process::Command;

fn problems(data_dir: &Path) -> String {
    let output = Command::new(BINARY)
        .args(["verify", "--data-dir"])
        .arg(data_dir)
        .output()
        .unwrap();
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn verify_replays_the_events_of_every_model() {
    let data = directory();
    let weir = Weir::start(data.path());
    let id = weir.register("1.0.0", json!({"type": "sentiment"})).await;
    weir.activate(&id, 100.0).await;
    let other = weir.register("2.0.0", json!({"type": "sentiment"})).await;
    let body = json!({"name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"],
        "primary_metric": "correct"});
    let (_, draft) = weir.post("/experiments", body).await;
    let experiment = draft["experiment"].as_str().unwrap();
    let start = format!("/experiments/{experiment}/start");
    assert_eq!(weir.post(&start, json!({})).await.0, 200);
    // A takeover is two changes: the experiment stops, and then the weights move.
    let activate = format!("/models/{other}/activate");
    let body = json!({"traffic_percent": 20, "takeover": true});
    assert_eq!(weir.post(&activate, body).await.0, 200);
    let (_, events) = weir.get("/audit?limit=2").await;
    let actions: Vec<&str> = events["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["version.activated", "experiment.stopped"]);
    drop(weir);
    assert_clean(data.path());
    // What somebody changes by hand has no event.
    for (sql, told) in [
        (
            "UPDATE versions SET traffic_percent = 30 WHERE version = '2.0.0'",
            "the version 2.0.0",
        ),
        ("UPDATE models SET revision = revision + 1", "the revision"),
        (
            "UPDATE experiments SET status = 'aborted'",
            "the experiments",
        ),
        ("UPDATE models SET changes = changes + 1", "some are gone"),
        (
            "INSERT INTO aliases VALUES ('sentiment', 'champion', 1, 0)",
            "the aliases",
        ),
    ] {
        let copy = directory();
        let from = data.path().join("weir.db");
        std::fs::copy(from, copy.path().join("weir.db")).unwrap();
        let database = rusqlite::Connection::open(copy.path().join("weir.db")).unwrap();
        assert!(database.execute(sql, []).unwrap() > 0);
        drop(database);
        let problems = problems(copy.path());
        assert!(problems.contains(told), "{sql}: {problems}");
    }
}
