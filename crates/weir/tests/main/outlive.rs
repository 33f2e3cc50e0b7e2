//! What goes on without its caller, and what harms nobody else.

use crate::http_runtime::ModelService;
use crate::weir::{Weir, afinn, assert_clean, directory, serve, vader};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Sends a request and hangs up without reading the answer.
async fn send_and_leave(weir: &Weir, path: &str, body: &Value) {
    let address = weir.address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

fn listed(reply: &Value) -> &[Value] {
    reply["predictions"].as_array().unwrap()
}

#[tokio::test]
async fn a_call_whose_caller_hangs_up_is_on_the_record_with_its_outcome() {
    let data = directory();
    let weir = Weir::start(data.path());
    let service = ModelService::start();
    let id = weir.register("remote", service.runtime()).await;
    weir.activate(&id, 100.0).await;
    send_and_leave(&weir, "/predict", &json!({"text": "hang"})).await;
    let page = weir
        .until("/predictions", |page| !listed(page).is_empty())
        .await;
    assert_eq!(listed(&page)[0]["status"], "error", "{page}");
    assert!(
        listed(&page)[0]["latency_ms"].as_f64().unwrap() >= 300.0,
        "{page}"
    );
}

#[tokio::test]
async fn a_candidate_that_hangs_is_taken_back_although_its_callers_leave() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--tick-ms", "20"]);
    let weir = Weir::spawn(command);
    let service = ModelService::start();
    weir.register("1.0.0", vader()).await;
    weir.register("2.0.0", service.runtime()).await;
    let id = rollout(
        &weir,
        json!({"steps": [50, 100], "soak_seconds": [0], "min_units": [400]}),
    )
    .await;
    let ended = format!("/experiments/{id}");
    let mut sent = 0;
    loop {
        // Every third one makes the candidate hang; nobody waits for any answer.
        let text = if sent % 3 == 0 { "hang" } else { "good" };
        send_and_leave(
            &weir,
            "/predict",
            &json!({"text": text, "unit_id": format!("user-{sent}")}),
        )
        .await;
        sent += 1;
        if sent % 20 == 0 {
            let (_, experiment) = weir.get(&ended).await;
            if experiment["status"] != "running" {
                assert_eq!(experiment["status"], "rolled_back", "{experiment}");
                return;
            }
        }
        assert!(sent < 5_000, "it is never taken back");
    }
}

async fn rollout(weir: &Weir, settings: Value) -> String {
    let body = json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "policy": "rollout",
        "rollout": settings, "primary_metric": "error",
        // In a test all that happens is one short burst.
        "burst_protection": false,
    });
    let (status, draft) = weir.post("/experiments", body).await;
    assert_eq!(status, 200, "{draft}");
    let id = draft["experiment"].as_str().unwrap().to_owned();
    let (status, started) = weir
        .post(&format!("/experiments/{id}/start"), json!({}))
        .await;
    assert_eq!(status, 200, "{started}");
    id
}

#[tokio::test]
async fn a_command_whose_caller_hangs_up_is_published_at_once() {
    let data = directory();
    let mut command = serve(data.path());
    // No tick will come to the rescue.
    command.args(["--tick-ms", "60000"]);
    let weir = Weir::spawn(command);
    let one = weir.register("1.0.0", vader()).await;
    let two = weir.register("2.0.0", afinn()).await;
    weir.activate(&one, 100.0).await;
    let path = format!("/models/{two}/activate");
    send_and_leave(&weir, &path, &json!({"traffic_percent": 40})).await;
    // `/traffic` says what is published.
    weir.until("/traffic/sentiment", |traffic| {
        traffic["versions"].as_array().unwrap().len() == 2
    })
    .await;
    let id = rollout(&weir, json!({"steps": [50, 100]})).await;
    weir.until("/traffic/sentiment", |traffic| traffic["experiment"] == id)
        .await;
    send_and_leave(&weir, &format!("/experiments/{id}/rollback"), &json!({})).await;
    let traffic = weir
        .until("/traffic/sentiment", |traffic| {
            traffic["experiment"].is_null()
        })
        .await;
    assert_eq!(traffic["versions"][0]["share"], 1.0, "{traffic}");
}

#[tokio::test]
async fn a_version_deleted_during_a_call_leaves_no_row_behind() {
    let data = directory();
    let weir = Weir::start(data.path());
    let service = ModelService::start();
    let id = weir.register("remote", service.runtime()).await;
    weir.activate(&id, 100.0).await;
    send_and_leave(&weir, "/predict", &json!({"text": "hang"})).await;
    // The call holds its permit by the time that a later one is answered.
    weir.post("/predict", json!({"text": "good"})).await;
    weir.post(&format!("/models/{id}/deactivate"), json!({}))
        .await;
    let deleted = weir
        .http
        .delete(weir.url(&format!("/models/{id}")))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.status(), 200);
    let ready = weir
        .until("/health/ready", |ready| ready["log"]["dropped"] == 1)
        .await;
    assert_eq!(ready["status"], "ready", "{ready}");
    drop(weir);
    assert_clean(data.path());
}

#[tokio::test]
async fn a_version_active_at_zero_percent_answers_for_one_that_fails() {
    let data = directory();
    let weir = Weir::start(data.path());
    let service = ModelService::start();
    let remote = weir.register("remote", service.runtime()).await;
    let local = weir.register("local", vader()).await;
    weir.activate(&remote, 100.0).await;
    weir.activate(&local, 0.0).await;
    for _ in 0..30 {
        let (status, reply) = weir.post("/predict", json!({"text": "fail good"})).await;
        assert_eq!(
            (status, &reply["served_model_id"]),
            (200, &json!(local)),
            "{reply}"
        );
    }
}

#[tokio::test]
async fn a_refused_input_is_no_failure_and_no_other_version_is_asked() {
    let data = directory();
    let weir = Weir::start(data.path());
    let service = ModelService::start();
    let remote = weir.register("remote", service.runtime()).await;
    let local = weir.register("local", vader()).await;
    weir.activate(&remote, 100.0).await;
    weir.activate(&local, 0.0).await;
    let (status, problem) = weir.post("/predict", json!({"text": "#refuse"})).await;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("input_rejected")),
        "{problem}"
    );
    assert!(
        problem["detail"].as_str().unwrap().contains("too odd"),
        "{problem}"
    );
    let id = problem["prediction_id"].as_str().unwrap();
    let (_, logged) = weir.get(&format!("/predictions/{id}")).await;
    assert_eq!(
        (&logged["status"], &logged["served_model_id"]),
        (&json!("rejected"), &json!(null))
    );
    let label = json!({"prediction_id": id, "label": "positive"});
    let (status, problem) = weir.post("/feedback", label).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("prediction_rejected")),
        "{problem}"
    );
    let (_, report) = weir.get("/models/performance").await;
    let models = report["models"].as_array().unwrap();
    let remote = models
        .iter()
        .find(|model| model["version"] == "remote")
        .unwrap();
    assert_eq!(
        (
            &remote["request_count"],
            &remote["error_count"],
            &remote["rejected_count"]
        ),
        (&json!(1), &json!(0), &json!(1))
    );
    let (_, page) = weir.get("/predictions?status=rejected").await;
    assert_eq!(listed(&page).len(), 1);
    drop(weir);
    assert_clean(data.path());
}

#[tokio::test]
async fn a_candidate_that_refuses_what_the_control_takes_is_taken_back() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--tick-ms", "20"]);
    let weir = Weir::spawn(command);
    let service = ModelService::start();
    // The control reads JSON, the candidate reads texts only.
    weir.register("1.0.0", service.runtime()).await;
    weir.register("2.0.0", vader()).await;
    let id = rollout(
        &weir,
        json!({"steps": [50, 100], "soak_seconds": [0], "min_units": [4000]}),
    )
    .await;
    for n in 0..4_000 {
        let unit = format!("user-{n}");
        let body = if n % 25 == 0 {
            json!({"inputs": ["good"], "unit_id": unit})
        } else {
            json!({"text": "good", "unit_id": unit})
        };
        weir.post("/predict", body).await;
        if n % 100 == 0 {
            let (_, experiment) = weir.get(&format!("/experiments/{id}")).await;
            if experiment["status"] != "running" {
                assert_eq!(experiment["status"], "rolled_back", "{experiment}");
                let reason = experiment["end_reason"].as_str().unwrap();
                assert!(reason.contains("rejected"), "{reason}");
                return;
            }
        }
    }
    panic!("it is never taken back");
}

#[tokio::test]
async fn numbers_beyond_their_bounds_are_refused_and_corrections_verify() {
    let data = directory();
    let weir = Weir::start(data.path());
    let service = ModelService::start();
    let remote = weir.register("remote", service.runtime()).await;
    weir.activate(&remote, 100.0).await;
    for text in ["#sure 1e200", "#sure -1.1e15", "#sure 1e308"] {
        let (status, problem) = weir.post("/predict", json!({"text": text})).await;
        assert_eq!(status, 502, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains("1e15"),
            "{problem}"
        );
    }
    let (status, _) = weir
        .put(
            "/metrics/sentiment/gain",
            json!({"kind": "continuous", "direction": "up"}),
        )
        .await;
    assert_eq!(status, 200);
    let body = json!({
        "name": "sentiment", "control": "remote", "candidates": ["local"], "primary_metric": "gain",
    });
    weir.register("local", vader()).await;
    let (_, draft) = weir.post("/experiments", body).await;
    let id = draft["experiment"].as_str().unwrap();
    let (status, started) = weir
        .post(&format!("/experiments/{id}/start"), json!({}))
        .await;
    assert_eq!(status, 200, "{started}");
    for (n, first) in [1e12, 1e15, -1e15, 0.1].into_iter().enumerate() {
        let body = json!({"text": "#sure 1e15", "unit_id": format!("user-{}", n % 2)});
        let (status, reply) = weir.post("/predict", body).await;
        assert_eq!(status, 200, "{reply}");
        let value = |value: f64, replace: bool| {
            json!({
                "prediction_id": reply["prediction_id"], "metric": "gain", "value": value,
                "replace": replace,
            })
        };
        let (status, problem) = weir.post("/feedback", value(1e101, false)).await;
        assert_eq!(
            (status, &problem["code"]),
            (422, &json!("invalid_request")),
            "{problem}"
        );
        assert_eq!(weir.post("/feedback", value(first, false)).await.0, 200);
        assert_eq!(
            weir.post("/feedback", value(0.25, true)).await.1["replaced"],
            1
        );
    }
    let (_, results) = weir.get(&format!("/experiments/{id}/results")).await;
    let arms = results["metrics"][0]["arms"].as_array().unwrap();
    for arm in arms.iter().filter(|arm| arm["predictions"] != 0) {
        assert_eq!(arm["mean"], 0.25, "{arm}");
    }
    drop(weir);
    assert_clean(data.path());
}

#[tokio::test]
async fn a_url_that_cannot_be_called_is_refused_and_stores_nothing() {
    let data = directory();
    let weir = Weir::start(data.path());
    for url in [
        "http://model:99999/",
        "http://[::1/",
        "http://model:0/x",
        "http:///x",
    ] {
        let body = json!({
            "name": "m", "version": "1", "accuracy": 0.5, "runtime": {"type": "http", "url": url},
        });
        let (status, problem) = weir.post("/models", body).await;
        assert_eq!(status, 422, "{url}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], "/runtime/url", "{problem}");
    }
    assert_eq!(weir.get("/models").await.1, json!([]));
}

#[tokio::test]
async fn reading_results_writes_nothing() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--tick-ms", "60000"]);
    let weir = Weir::spawn(command);
    weir.register("1.0.0", vader()).await;
    weir.register("2.0.0", afinn()).await;
    let id = rollout(&weir, json!({"steps": [50, 100]})).await;
    for n in 0..300 {
        weir.post(
            "/predict",
            json!({"text": "good", "unit_id": format!("user-{n}")}),
        )
        .await;
    }
    let results = format!("/experiments/{id}/results");
    assert_eq!(
        weir.get(&results).await.1["arms"].as_array().unwrap().len(),
        2
    );
    let database = rusqlite::Connection::open(data.path().join("weir.db")).unwrap();
    let version = || -> i64 {
        database
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .unwrap()
    };
    let before = version();
    for _ in 0..20 {
        weir.get(&results).await;
    }
    assert_eq!(version(), before, "a read has written");
}

#[tokio::test]
async fn a_refusal_counts_as_one_however_long_its_reasons_are() {
    let data = directory();
    let weir = Weir::start(data.path());
    let service = ModelService::start();
    let id = weir.register("remote", service.runtime()).await;
    weir.activate(&id, 100.0).await;
    let (status, problem) = weir
        .post("/predict", json!({"text": "#refuse at length"}))
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("input_rejected")),
        "{problem}"
    );
    assert!(
        problem["detail"].as_str().unwrap().contains("too odd"),
        "{problem}"
    );
}

#[tokio::test]
async fn bodies_that_come_slowly_take_no_place_of_a_prediction() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--max-predictions", "2"]);
    let weir = Weir::spawn(command);
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    let address = weir.address.strip_prefix("http://").unwrap();
    let mut slow = Vec::new();
    for path in ["/feedback", "/predict"] {
        for _ in 0..4 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let half = format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\
                 expect: 100-continue\r\n\r\n"
            );
            stream.write_all(half.as_bytes()).await.unwrap();
            // It is told to go on when its body is waited for.
            let mut told = [0; 25];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut told)
                .await
                .unwrap();
            slow.push(stream);
        }
    }
    assert_eq!(weir.post("/predict", json!({"text": "good"})).await.0, 200);
}

#[tokio::test]
async fn a_version_that_became_unreadable_keeps_its_traffic_and_gets_no_more() {
    let data = directory();
    let weir = Weir::start(data.path());
    let good = weir.register("1.0.0", vader()).await;
    let bad = weir.register("2.0.0", afinn()).await;
    weir.activate(&good, 40.0).await;
    weir.activate(&bad, 60.0).await;
    drop(weir);
    let database = rusqlite::Connection::open(data.path().join("weir.db")).unwrap();
    database
        .execute("UPDATE versions SET tags = '{' WHERE version = '2.0.0'", [])
        .unwrap();
    drop(database);
    let weir = Weir::start(data.path());
    let (_, version) = weir.get(&format!("/models/{bad}")).await;
    assert!(
        version["broken"].as_str().unwrap().contains("tags"),
        "{version}"
    );
    assert_eq!(version["traffic_percent"], 60.0);
    // It is chosen as before; another one answers for it, and that is recorded.
    for _ in 0..40 {
        assert_eq!(weir.post("/predict", json!({"text": "good"})).await.0, 200);
    }
    let (_, log) = weir.get("/predictions?status=fallback").await;
    assert!(!log["predictions"].as_array().unwrap().is_empty());
    // It gets no more, by whatever way.
    let activate = format!("/models/{bad}/activate");
    let (status, problem) = weir.post(&activate, json!({"traffic_percent": 70})).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("runtime_not_ready")),
        "{problem}"
    );
    let (_, traffic) = weir.get("/traffic/sentiment").await;
    let weights = json!({"revision": traffic["revision"], "weights": {"1.0.0": 30, "2.0.0": 70}});
    assert_eq!(weir.put("/traffic/sentiment", weights).await.0, 409);
    let body = json!({"name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"],
        "primary_metric": "correct"});
    let (_, draft) = weir.post("/experiments", body).await;
    let start = format!(
        "/experiments/{}/start",
        draft["experiment"].as_str().unwrap()
    );
    assert_eq!(weir.post(&start, json!({})).await.0, 409);
    let weights = json!({"revision": traffic["revision"], "weights": {"1.0.0": 100}});
    assert_eq!(weir.put("/traffic/sentiment", weights).await.0, 200);
}

#[tokio::test]
async fn one_row_that_cannot_be_read_hides_no_other() {
    let data = directory();
    let weir = Weir::start(data.path());
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    for _ in 0..10 {
        weir.post("/predict", json!({"text": "good"})).await;
    }
    assert_eq!(
        weir.get("/predictions").await.1["predictions"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
    let database = rusqlite::Connection::open(data.path().join("weir.db")).unwrap();
    let newest = "UPDATE predictions SET prediction = '{' WHERE prediction_order = (SELECT \
                  max(prediction_order) FROM predictions)";
    database.execute(newest, []).unwrap();
    // Pages are as long as they should be, so that nobody takes a short one for the last.
    for limit in [3, 9, 100] {
        let (status, page) = weir.get(&format!("/predictions?limit={limit}")).await;
        assert_eq!(status, 200, "{page}");
        assert_eq!(
            page["predictions"].as_array().unwrap().len(),
            limit.min(9),
            "{page}"
        );
    }
}

/// Has the server write a lot of log lines, more than a pipe takes: the same request fails again and again.
async fn have_it_talk(weir: &Weir, data: &std::path::Path) {
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    assert_eq!(weir.post("/predict", json!({"text": "good"})).await.0, 200);
    assert_eq!(weir.get("/models/performance").await.0, 200);
    let database = rusqlite::Connection::open(data.join("weir.db")).unwrap();
    database
        .execute("UPDATE state SET minute_horizon = 'some'", [])
        .unwrap();
    for _ in 0..1000 {
        assert_eq!(weir.get("/models/performance").await.0, 500);
    }
    assert_eq!(weir.get("/health/ready").await.0, 200);
    // The store does not take it; the answer does not depend on that.
    assert_eq!(weir.post("/predict", json!({"text": "good"})).await.0, 200);
}

#[tokio::test]
async fn a_reader_of_the_log_lines_who_stops_stops_nobody() {
    let data = directory();
    let mut command = serve(data.path());
    command.env("WEIR_LOG", "info").stderr(Stdio::piped());
    let mut weir = Weir::spawn(command);
    have_it_talk(&weir, data.path()).await;
    assert_eq!(weir.signal("-TERM").code(), Some(0));
    let mut talk = Vec::new();
    let mut stderr = weir.process.stderr.take().unwrap();
    std::io::Read::read_to_end(&mut stderr, &mut talk).unwrap();
    assert!(talk.len() >= 60 << 10, "there was too little to say");
}

#[tokio::test]
async fn nobody_listening_to_the_log_lines_changes_nothing() {
    let data = directory();
    let mut command = serve(data.path());
    command.env("WEIR_LOG", "info").stderr(Stdio::piped());
    let mut weir = Weir::spawn(command);
    // From now on writing to standard error fails.
    drop(weir.process.stderr.take());
    have_it_talk(&weir, data.path()).await;
    assert_eq!(weir.signal("-TERM").code(), Some(0));
}
