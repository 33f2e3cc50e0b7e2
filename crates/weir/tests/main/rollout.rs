//! Rollouts on a real server: they climb, they come back, they survive, and they refuse.

use crate::http_runtime::ModelService;
use crate::weir::{BINARY, Weir, afinn, assert_clean, directory, serve, vader};
use api::{AuditEntry, Client, EventStream, PredictRequest};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::task::JoinSet;

/// A server that looks at its experiments often.
fn quick(data_dir: &Path) -> Weir {
    let mut command = serve(data_dir);
    command.args(["--tick-ms", "20", "--private-webhooks"]);
    Weir::spawn(command)
}

/// `1.0.0` is the control, `2.0.0` climbs.
fn rollout(settings: impl Into<Value>) -> Value {
    let settings: Value = settings.into();
    json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "policy": "rollout",
        "rollout": settings, "primary_metric": "error",
    })
}

async fn start(weir: &Weir, body: Value) -> String {
    let (status, draft) = weir.post("/experiments", body).await;
    assert_eq!(status, 200, "{draft}");
    let id = draft["experiment"].as_str().unwrap().to_owned();
    let (status, started) = weir
        .post(&format!("/experiments/{id}/start"), json!({}))
        .await;
    assert_eq!(status, 200, "{started}");
    id
}

/// Clients that predict until they are told to stop, and how many answers they had.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    pub(crate) answers: Arc<AtomicUsize>,
    clients: JoinSet<()>,
}

impl Load {
    pub(crate) fn start(weir: &Weir, clients: usize) -> Self {
        let load = Self {
            stop: Arc::default(),
            answers: Arc::default(),
            clients: JoinSet::new(),
        };
        load.with(weir, clients)
    }

    fn with(mut self, weir: &Weir, clients: usize) -> Self {
        for number in 0..clients {
            let client = Client::new(&weir.address).unwrap();
            let (stop, answers) = (Arc::clone(&self.stop), Arc::clone(&self.answers));
            self.clients.spawn(async move {
                let mut unit = number;
                while !stop.load(Ordering::Relaxed) {
                    unit += clients;
                    let request = PredictRequest {
                        text: Some("good".into()),
                        unit_id: Some(format!("user-{unit}")),
                        ..PredictRequest::default()
                    };
                    // Nobody sees a failure, whatever the candidate does.
                    let reply = client.predict(&request).await.unwrap();
                    assert_eq!(reply.prediction.value(), json!("positive"));
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        self
    }

    pub(crate) async fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
    }
}

async fn events(weir: &Weir, id: &str) -> EventStream {
    let client = Client::new(&weir.address).unwrap();
    let filter = [("experiment", id), ("after", "0")];
    client.events(&filter).await.unwrap()
}

/// The events until the one with an action.
async fn until(events: &mut EventStream, action: &str) -> Vec<AuditEntry> {
    let mut seen = Vec::new();
    loop {
        let entry = events.next().await.unwrap().unwrap();
        let found = entry.action.0.as_str() == action;
        seen.push(entry);
        if found {
            return seen;
        }
    }
}

fn shares(seen: &[AuditEntry], version: &str) -> Vec<f64> {
    let shares = seen
        .iter()
        .filter_map(|entry| entry.detail["to"][version].as_f64());
    shares.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_candidate_climbs_to_all_of_the_traffic() {
    let data = directory();
    let weir = quick(data.path());
    weir.register("1.0.0", vader()).await;
    weir.register("2.0.0", afinn()).await;
    let settings = json!({"steps": [10, 50, 100], "soak_seconds": [0], "min_units": [20]});
    let id = start(&weir, rollout(settings)).await;
    let mut stream = events(&weir, &id).await;
    let load = Load::start(&weir, 4);
    let seen = until(&mut stream, "experiment.promoted").await;
    load.end().await;
    assert_eq!(shares(&seen, "2.0.0"), [10.0, 50.0, 98.0, 100.0]);
    let promoted = seen.last().unwrap();
    assert_eq!(promoted.detail["by"], "controller");
    // What it was decided by is on the record.
    assert_eq!(promoted.detail["evidence"]["verdict"], "keep_going");
    assert!(promoted.detail["evidence"]["metrics"][0]["arms"][1]["units"].as_u64() > Some(20));

    let (_, experiment) = weir.get(&format!("/experiments/{id}")).await;
    assert_eq!(experiment["status"], "promoted");
    assert_eq!(experiment["allowed"], json!([]));
    let (_, alias) = weir.get("/aliases/sentiment/champion").await;
    assert_eq!(alias["version"], "2.0.0");
    let (_, traffic) = weir.get("/traffic/sentiment").await;
    assert_eq!(traffic["experiment"], Value::Null);
    let (_, results) = weir.get(&format!("/experiments/{id}/results")).await;
    assert_eq!(results["decided"]["status"], "promoted");
    drop(weir);
    assert_clean(data.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_whose_service_dies_is_taken_back_and_nobody_notices() {
    let data = directory();
    let weir = quick(data.path());
    let service = ModelService::start();
    weir.register("1.0.0", vader()).await;
    weir.register("2.0.0", service.runtime()).await;
    // It would stay at a fifth for an hour.
    let settings = json!({"steps": [20, 100], "soak_seconds": [3600]});
    let id = start(&weir, rollout(settings)).await;
    let mut stream = events(&weir, &id).await;
    let load = Load::start(&weir, 4);
    let before = Load::start(&weir, 1);
    while before.answers.load(Ordering::Relaxed) < 50 {
        tokio::task::yield_now().await;
    }
    before.end().await;
    drop(service);
    let seen = until(&mut stream, "experiment.rolled_back").await;
    load.end().await;
    let back = seen.last().unwrap();
    assert_eq!(back.detail["to"], json!({"1.0.0": 100.0, "2.0.0": 0.0}));
    assert!(
        back.detail["because"]
            .as_str()
            .unwrap()
            .contains("A limit, not a finding")
    );

    let (_, experiment) = weir.get(&format!("/experiments/{id}")).await;
    assert_eq!(experiment["status"], "rolled_back");
    // The failed calls are on the log, with the version that was meant and the one that answered.
    let (_, page) = weir.get("/predictions?status=fallback&limit=1000").await;
    let predictions = page["predictions"].as_array().unwrap();
    assert!(!predictions.is_empty());
    for prediction in predictions {
        assert_eq!(prediction["model_version"], "2.0.0");
        assert_ne!(prediction["served_model_id"], prediction["model_id"]);
        assert_eq!(prediction["experiment"], json!(id));
    }
    // The candidate gets nothing any more.
    let (_, reply) = weir.post("/predict", json!({"text": "good"})).await;
    assert_eq!(reply["model_version"], "1.0.0");
    drop(weir);
    assert_clean(data.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_servers_resume_where_the_events_say() {
    let data = directory();
    let mut id = String::new();
    for round in 0..20usize {
        let mut weir = quick(data.path());
        if round == 0 {
            weir.register("1.0.0", vader()).await;
            weir.register("2.0.0", afinn()).await;
            // Units and not time decide how far it comes, so that it does not come to the end.
            let steps: Vec<f64> = (30..=97).chain([100]).map(f64::from).collect();
            let settings = json!({"steps": steps, "soak_seconds": [0], "min_units": [25]});
            id = start(&weir, rollout(settings)).await;
        }
        let kill_after = 20 + (round * 7919) % 200;
        let answers = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for number in 0..4 {
            let client = Client::new(&weir.address).unwrap();
            let answers = Arc::clone(&answers);
            clients.spawn(async move {
                let request = |unit: usize| PredictRequest {
                    text: Some("good".into()),
                    unit_id: Some(format!("user-{round}-{number}-{unit}")),
                    ..PredictRequest::default()
                };
                let mut unit = 0;
                while client.predict(&request(unit)).await.is_ok() {
                    unit += 1;
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while answers.load(Ordering::Relaxed) < kill_after {
            tokio::task::yield_now().await;
        }
        weir.signal("-KILL");
        clients.join_all().await;

        // The new server looks once, and then no more: read until nothing moves between two reads, and the routes are those
        // of the newest event. An event is on the record a moment before they are published.
        let mut command = serve(data.path());
        command.args(["--tick-ms", "60000"]);
        let still = Weir::spawn(command);
        let entries = async || {
            let (_, page) = still
                .get(&format!("/audit?experiment={id}&limit=1000"))
                .await;
            let mut entries = page["entries"].as_array().unwrap().clone();
            entries.reverse();
            entries
        };
        let (entries, experiment, traffic) = loop {
            let before = entries().await;
            let (_, experiment) = still.get(&format!("/experiments/{id}")).await;
            let (_, traffic) = still.get("/traffic/sentiment").await;
            let newest = &before.last().unwrap()["revision"];
            if entries().await.len() == before.len() && traffic["revision"] == *newest {
                break (before, experiment, traffic);
            }
        };
        let climbed: Vec<f64> = entries
            .iter()
            .filter_map(|entry| entry["detail"]["to"]["2.0.0"].as_f64())
            .collect();
        let ladder: Vec<f64> = (30..30 + climbed.len()).map(|step| step as f64).collect();
        assert_eq!(
            climbed, ladder,
            "no step is skipped, and none is taken twice"
        );
        assert_eq!(experiment["progress"]["step"], json!(climbed.len()));
        let share = experiment["arms"][1]["share"].as_f64().unwrap();
        assert!((100.0 * share - climbed[climbed.len() - 1]).abs() < 1e-9);
        let last = entries
            .iter()
            .rev()
            .find(|e| e["detail"]["to"].is_object())
            .unwrap();
        for version in traffic["versions"].as_array().unwrap() {
            let name = version["version"].as_str().unwrap();
            let to = last["detail"]["to"][name].as_f64().unwrap();
            let percent = version["traffic_percent"].as_f64().unwrap();
            assert!((to - percent).abs() < 1e-9, "{traffic} {last}");
        }
        drop(still);
        assert_clean(data.path());
    }
}

#[tokio::test]
async fn people_intervene_and_are_refused_where_it_does_not_fit() {
    let data = directory();
    let weir = Weir::start(data.path());
    weir.register("1.0.0", vader()).await;
    weir.register("2.0.0", afinn()).await;
    let (_, draft) = weir.post("/experiments", rollout(json!({}))).await;
    let id = draft["experiment"].as_str().unwrap().to_owned();
    let path = |command: &str| format!("/experiments/{id}/{command}");
    let (status, problem) = weir.post(&path("pause"), json!({})).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("experiment_state"))
    );
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("is draft; it accepts: start, delete"),
        "{detail}"
    );

    weir.post(&path("start"), json!({})).await;
    let (status, paused) = weir.post(&path("pause?reason=lunch"), json!({})).await;
    assert_eq!(
        (status, &paused["progress"]["phase"]),
        (200, &json!("paused")),
        "{paused}"
    );
    let (status, problem) = weir.post(&path("advance"), json!({})).await;
    let detail = problem["detail"].as_str().unwrap();
    assert_eq!(status, 409);
    assert!(
        detail.contains("running, paused at step 1 of 5; it accepts: resume"),
        "{detail}"
    );
    weir.post(&path("resume"), json!({})).await;
    let (status, problem) = weir.post(&path("advance?revision=1"), json!({})).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("stale_revision")),
        "{problem}"
    );
    let (_, now) = weir.get(&format!("/experiments/{id}")).await;
    let revision = &now["revision"];
    let (status, advanced) = weir
        .post(&path(&format!("advance?revision={revision}")), json!({}))
        .await;
    assert_eq!(status, 200, "{advanced}");
    assert_eq!(advanced["arms"][1]["share"], 0.05);
    let (status, _) = weir.post(&path("rollback?reason=slow"), json!({})).await;
    assert_eq!(status, 200);
    let (_, page) = weir.get(&format!("/audit?experiment={id}")).await;
    let actions: Vec<&str> = page["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            entry["action"]
                .as_str()
                .unwrap()
                .trim_start_matches("experiment.")
        })
        .collect();
    let expected = [
        "rolled_back",
        "advanced",
        "resumed",
        "paused",
        "started",
        "created",
    ];
    assert_eq!(actions, expected);
    assert_eq!(page["entries"][0]["detail"]["because"], "slow");
    assert_eq!(page["entries"][0]["detail"]["by"], "person");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_rollout_starts_by_itself_or_says_why_not() {
    let data = directory();
    let weir = quick(data.path());
    weir.register("1.0.0", vader()).await;
    let candidate = weir.register("2.0.0", afinn()).await;
    let soon = || {
        #[expect(
            clippy::disallowed_methods,
            reason = "the server's clock is the machine's"
        )]
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let micros = i64::try_from(now.unwrap().as_micros()).unwrap() + 500_000;
        types::Timestamp::from_micros(micros).to_string()
    };
    let (_, draft) = weir.post("/experiments", rollout(json!({}))).await;
    let id = draft["experiment"].as_str().unwrap().to_owned();
    let start = format!("/experiments/{id}/start");
    let (status, problem) = weir
        .post(&format!("{start}?at=2001-01-01T00:00:00Z"), json!({}))
        .await;
    assert_eq!(status, 422, "{problem}");
    let (status, reply) = weir
        .post(&format!("{start}?at={}", soon()), json!({}))
        .await;
    assert_eq!(
        (status, &reply["experiment"]["status"]),
        (200, &json!("scheduled")),
        "{reply}"
    );
    let mut stream = events(&weir, &id).await;
    until(&mut stream, "experiment.started").await;
    let (_, aborted) = weir
        .post(&format!("/experiments/{id}/abort"), json!({}))
        .await;
    assert_eq!(aborted["status"], "aborted", "{aborted}");

    let (_, draft) = weir.post("/experiments", rollout(json!({}))).await;
    let id = draft["experiment"].as_str().unwrap().to_owned();
    let start = format!("/experiments/{id}/start?at={}", soon());
    weir.post(&start, json!({})).await;
    weir.delete(&format!("/models/{candidate}")).await;
    let mut stream = events(&weir, &id).await;
    let failed = until(&mut stream, "experiment.start_failed").await;
    let why = failed.last().unwrap().detail["because"].as_str().unwrap();
    assert!(why.contains("There is no version"), "{why}");
    let (_, experiment) = weir.get(&format!("/experiments/{id}")).await;
    assert_eq!(experiment["status"], "draft");
}

#[tokio::test]
async fn rollouts_that_cannot_be_meant_change_nothing() {
    let data = directory();
    let weir = Weir::start(data.path());
    weir.register("1.0.0", vader()).await;
    weir.register("2.0.0", afinn()).await;
    let with = |changes: Value| {
        let mut body = rollout(json!({}));
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    for (body, pointer) in [
        (rollout(json!({"steps": [5, 1]})), "/rollout/steps"),
        (rollout(json!({"steps": []})), "/rollout/steps"),
        (rollout(json!({"steps": [1, 5]})), "/rollout/steps"),
        (
            rollout(json!({"ratio_margins": [2, 2]})),
            "/rollout/ratio_margins",
        ),
        (
            rollout(json!({"no_traffic_grace_seconds": 0})),
            "/rollout/no_traffic_grace_seconds",
        ),
        (with(json!({"enrolment": 0.5})), "/enrolment"),
        (
            rollout(json!({"soak_seconds": [1, 2]})),
            "/rollout/soak_seconds",
        ),
        (
            rollout(json!({"promotion": "strict", "ratio_margins": [1.0]})),
            "/rollout/ratio_margins",
        ),
        (
            rollout(json!({"absolute_margin": 0})),
            "/rollout/absolute_margin",
        ),
        (
            rollout(json!({"ceilings": {"latency_ms": 0.5}})),
            "/rollout/ceilings",
        ),
        (rollout(json!({"holdback": 0})), "/rollout/holdback"),
        (with(json!({"guardrails": []})), "/guardrails"),
        (with(json!({"candidates": ["1.0.0"]})), "/candidates"),
        (
            with(json!({"candidates": ["1.0.0", "2.0.0"]})),
            "/candidates",
        ),
        (with(json!({"candidates": ["9"]})), "/candidates"),
        (
            with(json!({"weights": {"1.0.0": 1, "2.0.0": 1}})),
            "/weights",
        ),
        (with(json!({"policy": "fixed"})), "/rollout"),
        (with(json!({"bandit": {}})), "/bandit"),
    ] {
        let (status, problem) = weir.post("/experiments", body).await;
        assert_eq!(status, 422, "{pointer}: {problem}");
        let errors = problem["errors"].as_array().unwrap();
        assert!(
            errors.iter().any(|e| e["pointer"] == pointer),
            "{pointer}: {problem}"
        );
    }
    let (status, problem) = weir
        .post("/experiments", rollout(json!({"step": [1]})))
        .await;
    assert_eq!(status, 422, "{problem}");
    let (_, all) = weir.get("/experiments").await;
    assert_eq!(all, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_starts_watches_and_ends_a_rollout() {
    let data = directory();
    let weir = quick(data.path());
    weir.register("1.0.0", vader()).await;
    weir.register("2.0.0", afinn()).await;
    let run = |args: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(args).args(["--url", &weir.address]);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), text, errors)
    };
    let versions = [
        "--name",
        "sentiment",
        "--control",
        "1.0.0",
        "--candidate",
        "2.0.0",
    ];
    let start = [&["rollout", "start"], &versions[..]].concat();
    let (ok, text, _) = run(&[&start[..], &["--dry-run"]].concat());
    assert!(
        ok && text.contains("after: 1.0.0 99 %, 2.0.0 1 %"),
        "{text}"
    );
    let (_, text, _) = run(&["experiment", "list", "--json"]);
    assert_eq!(text.trim(), "[]", "a dry run leaves nothing");
    let (_, audit, _) = run(&["audit", "list", "--json"]);
    assert!(
        audit.contains("version.registered") && !audit.contains("experiment."),
        "{audit}"
    );
    let (ok, text, _) = run(&start);
    assert!(
        ok && text.contains("rollout running, soaking, step 1 of 5"),
        "{text}"
    );
    let (ok, _, errors) = run(&start);
    assert!(!ok && errors.contains("runs on the model"), "{errors}");
    let (ok, text, errors) = run(&["rollout", "advance", "sentiment", "--reason", "it is fine"]);
    assert!(ok && text.contains("2.0.0 5.0 %"), "{text} {errors}");
    let (_, text, _) = run(&["rollout", "status", "sentiment"]);
    let (_, latest) = text.split_once("\nlatest: ").unwrap();
    assert!(
        latest.contains("experiment.advanced  sentiment [")
            && latest.contains("it is fine  by a caller without a key from 127.0.0.1"),
        "{text}"
    );
    let (ok, text, _) = run(&["audit", "list", "--name", "sentiment", "--limit", "2"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(ok && lines.len() == 2, "{text}");
    assert_eq!(lines[1], latest.trim_end(), "the newest is the last");
    let (ok, text, errors) = run(&["rollout", "abort", "sentiment"]);
    assert!(ok && text.contains("aborted"), "{text} {errors}");
    let (ok, text, _) = run(&["rollout", "status", "sentiment"]);
    assert!(ok && text.contains("sentiment: aborted"), "{text}");
    let (ok, _, errors) = run(&["rollout", "status", "nobody"]);
    assert!(
        !ok && errors.contains("no experiment of nobody is known"),
        "{errors}"
    );
    let (_, list, _) = run(&["experiment", "list", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    let id = list[0]["experiment"].as_str().unwrap();
    // How it ended is the exit code.
    let code = |args: &[&str]| {
        let mut command = Command::new(BINARY);
        let output = command
            .args(args)
            .args(["--url", &weir.address])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (ended, text) = code(&["experiment", "watch", id]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        ended == Some(5) && lines.len() == 4 && lines[2].contains("it is fine"),
        "{text}"
    );
    for (command, expected) in [("rollback", 3), ("promote", 0)] {
        assert!(run(&start).0);
        let (ok, text, errors) = run(&["rollout", command, "sentiment"]);
        assert!(ok, "{text} {errors}");
        let (_, list, _) = run(&["experiment", "list", "--json"]);
        let list: Value = serde_json::from_str(&list).unwrap();
        let id = list[0]["experiment"].as_str().unwrap();
        assert_eq!(
            code(&["rollout", "watch", id]).0,
            Some(expected),
            "{command}"
        );
    }
}
