//! The journal between an answer and the database: what is away, full or damaged.

use crate::http_runtime::ModelService;
use crate::weir::{BINARY, Weir, assert_clean, directory, serve, vader};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Holds the write lock of a server's database, as another program might.
struct Lock(Connection);

impl Lock {
    fn take(data_dir: &Path) -> Self {
        let connection = Connection::open(data_dir.join("weir.db")).unwrap();
        connection
            .busy_timeout(std::time::Duration::from_secs(60))
            .unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(connection)
    }

    fn release(self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

/// A server with one active version.
async fn serving(mut command: Command, arguments: &[&str]) -> (Weir, String) {
    command.args(arguments);
    let weir = Weir::spawn(command);
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    (weir, id)
}

async fn predict(weir: &Weir) -> String {
    let (status, reply) = weir.post("/predict", json!({"text": "good"})).await;
    assert_eq!(status, 200, "{reply}");
    reply["prediction_id"].as_str().unwrap().to_owned()
}

fn verify(data_dir: &Path) -> Value {
    let output = Command::new(BINARY)
        .args(["verify", "--json", "--data-dir"])
        .arg(data_dir)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn segments(data_dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data_dir.join("journal")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn answers_go_on_while_the_database_is_locked() {
    let data = directory();
    let (weir, id) = serving(serve(data.path()), &["--feedback-wait-ms", "100"]).await;
    let counted = predict(&weir).await;
    assert_eq!(weir.get(&format!("/predictions/{counted}")).await.0, 200);

    let lock = Lock::take(data.path());
    let mut waiting = Vec::new();
    for _ in 0..200 {
        waiting.push(predict(&weir).await);
    }
    let path = format!("/predictions/{}", waiting[7]);
    let (status, problem) = weir.get(&path).await;
    assert_eq!((status, &problem["code"]), (503, &json!("log_behind")));
    let (_, page) = weir.get("/predictions?limit=1").await;
    assert_eq!(page["log_lag"]["entries"], 200, "{page}");
    let (_, report) = weir.get("/models/performance").await;
    assert_eq!(
        (&report["total_requests"], &report["log_lag"]["entries"]),
        (&json!(1), &json!(200))
    );
    let body = json!({"traffic_percent": 50});
    let (status, problem) = weir.post(&format!("/models/{id}/activate"), body).await;
    assert_eq!(
        (status, &problem["code"]),
        (503, &json!("store_unavailable"))
    );
    let (_, traffic) = weir.get("/traffic/sentiment").await;
    assert_eq!(
        traffic["versions"][0]["traffic_percent"], 100.0,
        "{traffic}"
    );
    let (status, ready) = weir.get("/health/ready").await;
    assert_eq!(
        (status, &ready["status"]),
        (200, &json!("degraded")),
        "{ready}"
    );
    assert_eq!(ready["log"]["lag_entries"], 200, "{ready}");

    // Feedback is taken, and what became of it is told when it is known.
    let label = json!({"prediction_id": waiting[0], "label": "positive"});
    let (status, accepted) = weir.post("/feedback", label.clone()).await;
    assert_eq!(
        (status, &accepted["status"]),
        (202, &json!("accepted")),
        "{accepted}"
    );
    let receipt = format!(
        "/feedback/receipts/{}",
        accepted["receipt"].as_str().unwrap()
    );
    assert_eq!(weir.get(&receipt).await.1["status"], "pending");

    lock.release();
    let mut told = weir.get(&receipt).await;
    for _ in 0..20_000 {
        if told.1["status"] == "complete" {
            break;
        }
        told = weir.get(&receipt).await;
    }
    assert_eq!(
        (told.0, &told.1["recorded"]),
        (200, &json!(1)),
        "{}",
        told.1
    );
    assert_eq!(weir.get(&path).await.0, 200);
    let (_, report) = weir.get("/models/performance").await;
    assert_eq!(
        (&report["total_requests"], &report["log_lag"]),
        (&json!(201), &json!(null))
    );
    let (_, again) = weir.post("/feedback", label).await;
    assert_eq!(again["duplicate"], 1, "{again}");
    let unknown = "/feedback/receipts/01890a5d-ac96-774b-bcce-b302099a8057";
    assert_eq!(weir.get(unknown).await.1["code"], "receipt_not_found");
    drop(weir);
    assert_clean(data.path());
}

#[tokio::test]
async fn a_full_journal_refuses_before_the_call_and_loses_nothing() {
    let data = directory();
    let arguments = [
        "--journal-max-bytes",
        "1048576",
        "--predict-timeout-ms",
        "2000",
    ];
    let (weir, _) = serving(serve(data.path()), &arguments).await;
    let lock = Lock::take(data.path());
    let mut answered = 0;
    let refused = loop {
        let response = weir
            .http
            .post(weir.url("/predict"))
            .json(&json!({"text": "good ".repeat(100)}));
        let response = response.send().await.unwrap();
        if response.status() != 200 {
            break response;
        }
        answered += 1;
        assert!(answered < 10_000, "the journal is never full");
    };
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "log_unavailable", "{problem}");
    let (status, ready) = weir.get("/health/ready").await;
    assert_eq!(
        (status, &ready["status"]),
        (503, &json!("not_ready")),
        "{ready}"
    );
    assert!(answered > 300, "{answered}");
    lock.release();
    // Room is made as soon as the store has what was waiting.
    predict(&weir).await;
    let (_, report) = weir.get("/models/performance").await;
    assert_eq!(report["total_requests"], answered + 1);
    drop(weir);
    assert_clean(data.path());
}

/// A directory whose server was killed while `waiting` predictions were in the journal alone.
async fn killed_with_a_backlog(data_dir: &Path, waiting: usize) {
    let (mut weir, _) = serving(serve(data_dir), &[]).await;
    let lock = Lock::take(data_dir);
    for _ in 0..waiting {
        predict(&weir).await;
    }
    weir.signal("-KILL");
    lock.release();
}

#[tokio::test]
async fn what_waits_in_the_journal_is_counted_after_a_kill() {
    let data = directory();
    killed_with_a_backlog(data.path(), 100).await;
    let report = verify(data.path());
    assert_eq!(
        (&report["waiting"], &report["clean"]),
        (&json!(100), &json!(true)),
        "{report}"
    );
    let weir = Weir::start(data.path());
    let newest = predict(&weir).await;
    let (_, page) = weir.get("/predictions?limit=1000").await;
    let ids: Vec<&str> = page["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["prediction_id"].as_str().unwrap())
        .collect();
    assert_eq!((ids.len(), ids[0]), (101, newest.as_str()));
    drop(weir);
    assert_eq!(verify(data.path())["waiting"], 0);
}

#[tokio::test]
async fn damage_in_the_journal_is_told_and_the_rest_is_counted() {
    let data = directory();
    killed_with_a_backlog(data.path(), 100).await;
    let path = segments(data.path()).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    // Somewhere in the middle of what was written, and half of the last frame.
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end / 2] ^= 0x10;
    bytes[end - 40..].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let report = verify(data.path());
    assert_eq!(
        (&report["waiting"], &report["clean"]),
        (&json!(98), &json!(false)),
        "{report}"
    );
    let weir = Weir::start(data.path());
    predict(&weir).await;
    let (_, report) = weir.get("/models/performance").await;
    assert_eq!(report["total_requests"], 99);
    let (_, ready) = weir.get("/health/ready").await;
    assert_eq!(
        (&ready["status"], &ready["log"]["missing"]),
        (&json!("ready"), &json!(2)),
        "{ready}"
    );
    drop(weir);
    let report = verify(data.path());
    assert_eq!(
        (&report["missing"], &report["clean"]),
        (&json!(2), &json!(true)),
        "{report}"
    );
}

#[tokio::test]
async fn a_damaged_end_is_told_before_and_after_the_start() {
    let data = directory();
    killed_with_a_backlog(data.path(), 10).await;
    let path = segments(data.path()).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let report = verify(data.path());
    assert_eq!(
        (&report["waiting"], &report["clean"]),
        (&json!(9), &json!(false)),
        "{report}"
    );
    let weir = Weir::start(data.path());
    predict(&weir).await;
    let (_, report) = weir.get("/models/performance").await;
    assert_eq!(report["total_requests"], 10);
    let (_, ready) = weir.get("/health/ready").await;
    assert_eq!(ready["log"]["missing"], 1, "{ready}");
}

#[tokio::test]
async fn an_entry_that_cannot_be_stored_is_set_aside_and_tried_again() {
    let data = directory();
    killed_with_a_backlog(data.path(), 10).await;
    let database = Connection::open(data.path().join("weir.db")).unwrap();
    let version = "UPDATE versions SET version_key = 77";
    database.execute_batch(version).unwrap();
    let weir = Weir::start(data.path());
    let (_, ready) = weir.get("/health/ready").await;
    assert_eq!(
        weir.get("/models/performance").await.1["total_requests"],
        0,
        "{ready}"
    );
    let (_, ready) = weir.get("/health/ready").await;
    assert_eq!(ready["status"], "degraded", "{ready}");
    let (_, page) = weir.get("/journal/set-aside?limit=4").await;
    assert_eq!(
        (&page["total"], &page["next_after"]),
        (&json!(10), &json!(4)),
        "{page}"
    );
    let list = |what: &str| {
        let mut command = Command::new(BINARY);
        command.args(["journal", what, "--url", &weir.address]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert_eq!(list("list").matches("of no version").count(), 10);
    database
        .execute_batch("UPDATE versions SET version_key = 1")
        .unwrap();
    assert_eq!(list("retry").trim(), "10 stored, 0 still set aside");
    assert_eq!(list("list").trim(), "nothing is set aside");
    assert_eq!(
        weir.get("/models/performance").await.1["total_requests"],
        10
    );
    drop(weir);
    assert_clean(data.path());
}

/// A directory as a release left it that had no journal yet, with a running rollout.
fn of_an_earlier_release() -> tempfile::TempDir {
    filled_with(include_str!("../before_the_journal.sql"))
}

fn filled_with(dump: &str) -> tempfile::TempDir {
    let data = directory();
    let database = Connection::open(data.path().join("weir.db")).unwrap();
    database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    database.execute_batch(dump).unwrap();
    data
}

/// A process that is killed while it brings a directory to the present schema, or gives its models their first
/// events, has done all of a step or nothing.
#[tokio::test]
async fn a_migration_may_be_killed_at_any_moment() {
    let mut killed_before_ready = 0;
    for round in 0..40 {
        let last_release = include_str!("../../../store/tests/schema_6.sql");
        let data = if round % 2 == 0 {
            of_an_earlier_release()
        } else {
            filled_with(last_release)
        };
        // The journal of the last release is not in the dump: all that it had has been counted.
        let serve = || {
            let mut command = serve(data.path());
            command.arg("--allow-empty-journal");
            command
        };
        let mut process = serve()
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // The moment is what this test is about.
        tokio::time::sleep(std::time::Duration::from_millis(round)).await;
        process.kill().unwrap();
        let output = process.wait_with_output().unwrap();
        killed_before_ready += u32::from(output.stdout.is_empty());
        let weir = Weir::spawn(serve());
        let (_, events) = weir.get("/audit?limit=1000").await;
        let entries = events["entries"].as_array().unwrap();
        let baselines = entries
            .iter()
            .filter(|entry| entry["action"] == "model.baseline");
        let (_, models) = weir.get("/models").await;
        let mut names: Vec<&str> = models
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["name"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        names.dedup();
        // The last release told everything from the first version on.
        let expected = if round % 2 == 0 { names.len() } else { 0 };
        assert_eq!(baselines.count(), expected, "one for each model");
        drop(weir);
        let report = verify(data.path());
        assert_eq!(report["problems"], json!([]), "{report}");
    }
    assert!(
        killed_before_ready > 3,
        "{killed_before_ready} were killed in time"
    );
}

#[tokio::test]
async fn a_directory_of_the_last_release_goes_on_with_its_rollout() {
    let data = of_an_earlier_release();
    let mut command = serve(data.path());
    command.args(["--tick-ms", "50"]);
    let weir = Weir::spawn(command);
    let (_, ready) = weir.get("/health/ready").await;
    assert_eq!(ready["status"], "ready", "{ready}");
    // The version that kept the last release from publishing anything is broken, and harms nobody.
    let (_, models) = weir.get("/models?name=sentiment").await;
    let models = models.as_array().unwrap();
    let unreachable = models
        .iter()
        .find(|model| model["version"] == "unreachable")
        .unwrap();
    let path = format!(
        "/models/{}/activate",
        unreachable["model_id"].as_str().unwrap()
    );
    let (status, problem) = weir
        .post(&path, json!({"traffic_percent": 1, "takeover": true}))
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("runtime_not_ready")),
        "{problem}"
    );

    let (_, experiments) = weir.get("/experiments").await;
    let id = experiments[0]["experiment"].as_str().unwrap();
    let results = format!("/experiments/{id}/results");
    let (_, before) = weir.get(&results).await;
    let predictions = |results: &Value| -> u64 {
        let arms = results["arms"].as_array().unwrap();
        arms.iter()
            .map(|arm| arm["predictions"].as_u64().unwrap())
            .sum()
    };
    assert_eq!(
        (&before["status"], predictions(&before)),
        (&json!("running"), 300),
        "{before}"
    );
    let mut answered = Vec::new();
    for n in 0..60 {
        let request = json!({"name": "sentiment", "text": "good", "unit_id": format!("user-{n}")});
        let (status, reply) = weir.post("/predict", request).await;
        assert_eq!((status, &reply["experiment"]), (200, &json!(id)));
        answered.push(json!({
            "prediction_id": reply["prediction_id"], "metric": "score", "value": 0.1 * f64::from(n),
        }));
    }
    let (_, reply) = weir.post("/feedback", json!(answered)).await;
    assert_eq!(reply["recorded"], 60, "{reply}");
    let (_, after) = weir.get(&results).await;
    assert_eq!(predictions(&after), 360);
    // It keeps the guardrails that it started with.
    let (_, experiment) = weir.get(&format!("/experiments/{id}")).await;
    assert_eq!(experiment["guardrails"], json!(["error", "clicked"]));
    let (status, ended) = weir
        .post(&format!("/experiments/{id}/rollback"), json!({}))
        .await;
    assert_eq!(
        (status, &ended["status"]),
        (200, &json!("rolled_back")),
        "{ended}"
    );
    drop(weir);
    assert_clean(data.path());
}

#[tokio::test]
async fn a_journal_that_was_given_up_is_not_taken_for_the_new_one() {
    let data = directory();
    killed_with_a_backlog(data.path(), 3).await;
    // Once more, so that something is counted before something waits.
    drop(Weir::start(data.path()));
    let weir = Weir::start(data.path());
    predict(&weir).await;
    assert_eq!(weir.get("/models/performance").await.0, 200);
    let lock = Lock::take(data.path());
    predict(&weir).await;
    drop(weir);
    lock.release();
    let (journal, away) = (data.path().join("journal"), data.path().join("away"));
    std::fs::rename(&journal, &away).unwrap();
    let refused = |arguments: &[&str]| {
        let output = serve(data.path()).args(arguments).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let says = refused(&[]);
    assert!(says.contains("--allow-empty-journal"), "{says}");
    let mut command = serve(data.path());
    command.arg("--allow-empty-journal");
    let weir = Weir::spawn(command);
    predict(&weir).await;
    let (_, report) = weir.get("/models/performance").await;
    assert_eq!(report["total_requests"], 5, "{report}");
    drop(weir);
    // With the flag left on, the new journal is not lost.
    let mut command = serve(data.path());
    command.arg("--allow-empty-journal");
    drop(Weir::spawn(command));
    assert_clean(data.path());
    // Its positions are given twice by now: what waited in it would be passed over in silence.
    let says = refused(&["--journal-dir", away.to_str().unwrap()]);
    assert!(says.contains("another database"), "{says}");
    // And segments that somebody has removed are missed.
    drop(Weir::start(data.path()));
    for path in segments(data.path()) {
        if path.extension().is_some_and(|end| end == "segment") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let says = refused(&[]);
    let folder = data.path().join("journal");
    let gone = format!("the journal in {}: the journal is gone", folder.display());
    assert!(says.contains(&gone), "{says}");
    let mut command = serve(data.path());
    command.arg("--allow-empty-journal");
    let weir = Weir::spawn(command);
    predict(&weir).await;
    drop(weir);
    drop(Weir::start(data.path()));
}

#[tokio::test]
async fn a_batch_of_feedback_finds_room_in_a_small_journal_or_is_told_what_to_do() {
    let data = directory();
    let small = ["--journal-max-bytes", "1048576"];
    let (weir, _) = serving(serve(data.path()), &small).await;
    let id = predict(&weir).await;
    let values = |count: usize, bytes: usize| {
        let label = "x".repeat(bytes);
        let value = json!({"prediction_id": id, "label": label, "replace": true});
        Value::Array(vec![value; count])
    };
    // More than there is room for at the start: room is made.
    let (status, reply) = weir.post("/feedback", values(2000, 60)).await;
    assert_eq!((status, &reply["rejected"]), (200, &json!(0)), "{reply}");
    // More than there can ever be.
    let (status, problem) = weir.post("/feedback", values(900, 900)).await;
    assert_eq!(
        (status, &problem["code"]),
        (413, &json!("body_too_large")),
        "{problem}"
    );
    assert_eq!(weir.get("/health/ready").await.1["status"], "ready");
}

#[tokio::test]
async fn who_is_dead_gets_no_calls_while_that_cannot_be_stored() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--tick-ms", "20"]);
    let weir = Weir::spawn(command);
    let service = ModelService::start();
    weir.register("1.0.0", vader()).await;
    weir.register("2.0.0", service.runtime()).await;
    let body = json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "policy": "rollout",
        "rollout": {"steps": [50, 100], "soak_seconds": [3600]}, "primary_metric": "error",
    });
    let (_, draft) = weir.post("/experiments", body).await;
    let id = draft["experiment"].as_str().unwrap();
    let (status, started) = weir
        .post(&format!("/experiments/{id}/start"), json!({}))
        .await;
    assert_eq!(status, 200, "{started}");
    let lock = Lock::take(data.path());
    drop(service);
    // Soon nothing takes part in the rollout any more, although the database is locked.
    let mut clean = 0;
    for _ in 0..50_000 {
        let (status, reply) = weir.post("/predict", json!({"text": "good"})).await;
        assert_eq!(status, 200, "{reply}");
        let outside = reply["experiment"].is_null();
        clean = if outside { clean + 1 } else { 0 };
        if clean == 100 {
            break;
        }
    }
    assert_eq!(clean, 100, "the candidate is still called");
    let (status, health) = weir.get("/health/ready").await;
    let overdue = health["overdue"].to_string();
    assert!(
        overdue.contains("A limit, not a finding"),
        "{status} {health}"
    );
    lock.release();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let (_, experiment) = weir.get(&format!("/experiments/{id}")).await;
        if experiment["status"] == "rolled_back" {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{experiment}");
    }
    let (_, page) = weir.get("/predictions?limit=50").await;
    let held = page["predictions"].as_array().unwrap().iter();
    let held: Vec<_> = held.filter(|p| p["reason"] == "held").collect();
    assert!(!held.is_empty(), "{page}");
    let outside = |p: &&Value| p["experiment"].is_null() && p["model_version"] == "1.0.0";
    assert!(held.iter().all(outside), "{held:?}");
    drop(weir);
    assert_clean(data.path());
}

/// The running rollout of the last schema goes on by the present rules: its rates over all epochs, other values from a new
/// one on, and the audit says so.
#[tokio::test]
async fn a_running_rollout_of_schema_7_goes_on_in_a_new_epoch() {
    let data = filled_with(include_str!("../../../store/tests/schema_7.sql"));
    let mut command = serve(data.path());
    command.args(["--allow-empty-journal", "--tick-ms", "20"]);
    let weir = Weir::spawn(command);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let rescaled = loop {
        let (_, audit) = weir.get("/audit?limit=1000").await;
        let entries = audit["entries"].as_array().unwrap();
        let found = entries
            .iter()
            .find(|e| e["action"] == "experiment.rescaled");
        if let Some(found) = found {
            break found.clone();
        }
        assert!(std::time::Instant::now() < deadline, "{audit}");
    };
    let because = rescaled["detail"]["because"].as_str().unwrap();
    assert!(because.contains("a new epoch begins"), "{because}");
    // clicked, spent, error and latency_ms have a scale as far as 240 predictions tell one.
    let id = rescaled["detail"]["experiment"].as_str().unwrap();
    for n in 0..40 {
        let body = json!({"text": "good", "unit_id": format!("u{n}")});
        let (status, reply) = weir.post("/predict", body).await;
        assert_eq!(status, 200, "{reply}");
        let given =
            json!({"prediction_id": reply["prediction_id"], "metric": "clicked", "value": true});
        assert_eq!(weir.post("/feedback", given).await.0, 200);
    }
    let (_, results) = weir.get(&format!("/experiments/{id}/results")).await;
    let metrics = results["metrics"].as_array().unwrap();
    let guard = |name: &str| {
        let found = metrics.iter().find(|m| m["metric"]["metric"] == name);
        found.unwrap()["comparisons"][0]["guard"].clone()
    };
    assert_eq!(guard("error")["rule"], "events");
    assert_eq!(guard("clicked")["rule"], "exposures");
    // Whoever was seen before has less left to chance.
    let left_out = guard("clicked")["left_out"].as_u64().unwrap();
    assert!(left_out > 10, "{results}");
    drop(weir);
    assert_clean(data.path());
}
