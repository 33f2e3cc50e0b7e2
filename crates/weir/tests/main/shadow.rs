//! Versions that get copies of requests which others have answered.

use crate::weir::{Weir, afinn, assert_clean, directory, vader};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The report of a version, as soon as it has so many pairs.
async fn report(weir: &Weir, id: &str, pairs: u64) -> Value {
    let began = Instant::now();
    loop {
        let (status, report) = weir.get(&format!("/models/{id}/shadow-report")).await;
        assert_eq!(status, 200, "{report}");
        if report["pairs"].as_u64().unwrap() + report["dropped"].as_u64().unwrap() >= pairs {
            return report;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{report}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_shadow_is_compared_pair_by_pair_and_answers_nobody() {
    let directory = directory();
    let weir = Weir::start(directory.path());
    let one = weir.register("1", vader()).await;
    let two = weir.register("2", afinn()).await;
    weir.activate(&one, 100.0).await;
    let path = format!("/models/{two}/shadow");
    let (status, refused) = weir.put(&path, json!({"percent": 100})).await;
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("transition_not_allowed")),
        "{refused}"
    );
    weir.patch(&format!("/models/{two}"), json!({"status": "testing"}))
        .await;
    assert_eq!(weir.put(&path, json!({"percent": 101})).await.0, 422);
    let (status, version) = weir.put(&path, json!({"percent": 100})).await;
    assert_eq!(
        (status, &version["shadow_percent"]),
        (200, &json!(100.0)),
        "{version}"
    );

    let texts = ["It is good", "It is bad", "It is not bad at all", "A table"];
    for text in texts.iter().cycle().take(40) {
        let (status, reply) = weir
            .post("/predict", json!({"text": text, "unit_id": "user"}))
            .await;
        assert_eq!(
            (status, &reply["model_version"]),
            (200, &json!("1")),
            "{reply}"
        );
        let label = json!({"prediction_id": reply["prediction_id"], "label": "positive"});
        assert_eq!(weir.post("/feedback", label).await.0, 200);
    }
    let report = report(&weir, &two, 40).await;
    assert_eq!(
        (
            &report["pairs"],
            &report["both_answered"],
            &report["labelled"]
        ),
        (&json!(40), &json!(40), &json!(40)),
        "{report}"
    );
    let decided: u64 = [
        "both_right",
        "answer_alone_right",
        "shadow_alone_right",
        "neither_right",
    ]
    .iter()
    .map(|kind| report[kind].as_u64().unwrap())
    .sum();
    assert_eq!(decided, 40);
    // `good` is good for both, and only one of them knows what `not` does to `bad`.
    assert_eq!(
        (&report["both_right"], &report["answer_alone_right"]),
        (&json!(10), &json!(10)),
        "{report}"
    );
    assert_eq!(report["agreement"], json!(0.75));
    assert!(report["p_value"].as_f64().unwrap() < 0.01);
    assert!(report["shadow"]["p50_latency_ms"].as_f64().unwrap() > 0.0);

    // One prediction has what the shadow made of it beside what its caller got.
    let (_, listed) = weir.get("/predictions?limit=1").await;
    let id = listed["predictions"][0]["prediction_id"].as_str().unwrap();
    let (_, found) = weir.get(&format!("/predictions/{id}")).await;
    let shadow = &found["shadows"][0];
    assert_eq!(
        (&shadow["model_id"], &shadow["status"], &shadow["error"]),
        (&json!(two), &json!("ok"), &Value::Null),
        "{found}"
    );
    assert_eq!(shadow["prediction"], json!("neutral"), "{found}");
    assert!(listed["predictions"][0].get("shadows").is_none());

    // It is in no figure of the traffic, and in no list.
    let (_, performance) = weir.get("/models/performance").await;
    assert_eq!(performance["total_requests"], json!(40), "{performance}");
    let (_, listed) = weir.get("/predictions?limit=100").await;
    assert_eq!(listed["predictions"].as_array().unwrap().len(), 40);
    // Its share is in the audit, and 0 ends it.
    assert_eq!(weir.put(&path, json!({"percent": 0})).await.0, 200);
    weir.post("/predict", json!({"text": "more"})).await;
    let (_, audit) = weir.get("/audit?limit=1").await;
    assert_eq!(
        audit["entries"][0]["action"],
        json!("version.shadow_set"),
        "{audit}"
    );
    drop(weir);
    assert_clean(directory.path());
}

#[tokio::test]
async fn results_show_a_shadow_beside_each_arm() {
    let directory = directory();
    let weir = Weir::start(directory.path());
    let one = weir.register("1", vader()).await;
    weir.activate(&one, 100.0).await;
    weir.register("2", vader()).await;
    let three = weir.register("3", afinn()).await;
    weir.patch(&format!("/models/{three}"), json!({"status": "testing"}))
        .await;
    let path = format!("/models/{three}/shadow");
    assert_eq!(weir.put(&path, json!({"percent": 100})).await.0, 200);
    // Before the experiment: no part of its results.
    weir.post("/predict", json!({"text": "before"})).await;
    report(&weir, &three, 1).await;
    let body = json!({
        "name": "sentiment", "control": "1", "candidates": ["2"], "primary_metric": "error",
        "weights": {"1": 50, "2": 50}
    });
    let (status, made) = weir.post("/experiments", body).await;
    assert_eq!(status, 200, "{made}");
    let experiment = format!("/experiments/{}", made["experiment"].as_str().unwrap());
    let started = weir.post(&format!("{experiment}/start"), json!({})).await;
    assert_eq!(started.0, 200, "{}", started.1);
    let mut counts = std::collections::BTreeMap::from([("1", 0u64), ("2", 0)]);
    for user in 0..40 {
        let body = json!({"text": "not bad", "unit_id": format!("user {user}")});
        let (_, reply) = weir.post("/predict", body).await;
        let version = reply["model_version"].as_str().unwrap();
        *counts.get_mut(version).unwrap() += 1;
    }
    let report = report(&weir, &three, 41).await;
    assert_eq!(report["dropped"], json!(0), "{report}");
    let by_version = |found: &Value| -> Vec<(String, u64)> {
        let found = found.as_array().unwrap().iter();
        let pair = |entry: &Value| {
            assert_eq!(entry["agreed"], json!(0), "{entry}");
            let version = entry["model_version"].as_str().unwrap().to_owned();
            (version, entry["pairs"].as_u64().unwrap())
        };
        found.map(pair).collect()
    };
    let (_, results) = weir.get(&format!("{experiment}/results")).await;
    let shadows = &results["shadows"];
    assert_eq!(shadows[0]["shadow_version"], json!("3"), "{results}");
    let found = [("1".to_owned(), counts["1"]), ("2".to_owned(), counts["2"])];
    assert_eq!(by_version(shadows), found, "{results}");
    assert_eq!(report["by_version"][0]["pairs"], json!(counts["1"] + 1));
    drop(weir);
    assert_clean(directory.path());
}

#[tokio::test]
async fn a_shadow_that_fails_or_hangs_costs_callers_nothing() {
    let directory = directory();
    let weir = Weir::start(directory.path());
    let one = weir.register("1", vader()).await;
    weir.activate(&one, 100.0).await;
    // It accepts connections, and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let two = weir
        .register(
            "2",
            json!({"type": "http", "url": url, "timeout_ms": 300_000}),
        )
        .await;
    // Its probe is not answered either, so it takes neither traffic nor copies.
    let (status, refused) = weir
        .patch(&format!("/models/{two}"), json!({"description": "hangs"}))
        .await;
    assert_eq!(status, 200, "{refused}");
    let (status, refused) = weir
        .put(&format!("/models/{two}/shadow"), json!({"percent": 100}))
        .await;
    assert_eq!(status, 409, "{refused}");
    drop(listener);
    let (status, _) = weir.post("/predict", json!({"text": "good"})).await;
    assert_eq!(status, 200);
}
