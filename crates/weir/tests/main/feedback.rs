//! Feedback over HTTP: one value, a batch, and what is wrong with it.

use crate::weir::{Weir, afinn, assert_clean, directory, vader};
use serde_json::{Value, json};

async fn predicted(weir: &Weir) -> String {
    let (_, reply) = weir
        .post("/predict", json!({"text": "good", "unit_id": "u"}))
        .await;
    reply["prediction_id"].as_str().unwrap().to_owned()
}

async fn server() -> (tempfile::TempDir, Weir) {
    let data = directory();
    let weir = Weir::start(data.path());
    let id = weir.register("1.0.0", afinn()).await;
    weir.activate(&id, 100.0).await;
    (data, weir)
}

#[tokio::test]
async fn one_value_is_answered_as_one() {
    let (data, weir) = server().await;
    let id = predicted(&weir).await;
    let label = |label: &str| json!({"prediction_id": id, "label": label});
    let (status, reply) = weir.post("/feedback", label("positive")).await;
    assert_eq!((status, &reply["recorded"]), (200, &json!(1)));
    let receipt = &reply["receipts"][0];
    assert_eq!(receipt["metric"], "correct");
    assert_eq!(
        (&receipt["value"], &receipt["model_version"]),
        (&json!(1.0), &json!("1.0.0"))
    );
    assert_eq!(
        weir.post("/feedback", label("positive")).await.1["duplicate"],
        json!(1)
    );

    let (status, problem) = weir.post("/feedback", label("negative")).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("feedback_conflict"))
    );
    let mut correction = label("negative");
    correction["replace"] = json!(true);
    assert_eq!(
        weir.post("/feedback", correction).await.1["replaced"],
        json!(1)
    );
    let (_, prediction) = weir.get(&format!("/predictions/{id}")).await;
    assert_eq!(prediction["feedback"][0]["label"], "negative");

    let (_, report) = weir.get("/models/performance").await;
    let model = &report["models"][0];
    assert_eq!(
        (&model["labelled_count"], &model["measured_accuracy"]),
        (&json!(1), &json!(0.0))
    );
    assert!(
        model["measured_accuracy_interval"]["upper"]
            .as_f64()
            .unwrap()
            > 0.5
    );

    for (body, status, code) in [
        (
            json!({"prediction_id": "x", "label": 1}),
            422,
            "invalid_request",
        ),
        (json!({"prediction_id": id}), 422, "invalid_request"),
        (
            json!({"prediction_id": id, "metric": "score"}),
            422,
            "invalid_request",
        ),
        (
            json!({"prediction_id": id, "metric": "score", "value": "5"}),
            422,
            "invalid_request",
        ),
        (
            json!({"prediction_id": id, "metric": "score", "value": 5}),
            404,
            "metric_not_found",
        ),
        (
            json!({"prediction_id": id, "metric": "correct", "value": 0.5}),
            422,
            "invalid_request",
        ),
        (
            json!({"prediction_id": id, "label": 1, "metric": "m", "value": 1}),
            422,
            "invalid_request",
        ),
        (json!("label"), 422, "invalid_request"),
    ] {
        let (got, problem) = weir.post("/feedback", body.clone()).await;
        assert_eq!(
            (got, &problem["code"]),
            (status, &json!(code)),
            "{body}: {problem}"
        );
    }
    let (status, _) = weir.raw("/feedback", "text/plain", b"{}".to_vec()).await;
    assert_eq!(status, 415);
    drop(weir);
    assert_clean(data.path());
}

#[tokio::test]
async fn the_good_lines_of_a_batch_are_stored() {
    let (data, weir) = server().await;
    let (one, two) = (predicted(&weir).await, predicted(&weir).await);
    let metric = json!({"kind": "continuous", "lower_bound": 0, "upper_bound": 10});
    assert_eq!(weir.put("/metrics/sentiment/score", metric).await.0, 200);
    let stranger = "01890a5d-ac96-774b-bcce-b302099a8057";
    let lines = [
        json!({"prediction_id": one, "metric": "score", "value": 7}).to_string(),
        json!({"prediction_id": two, "metric": "score", "value": 11}).to_string(),
        "{\"prediction_id\": \"half a li".into(),
        json!({"prediction_id": stranger, "label": "positive"}).to_string(),
        format!("{{\"prediction_id\": \"{two}\", \"metric\": \"score\", \"value\": NaN}}"),
        format!("{{\"prediction_id\": \"{two}\", \"metric\": \"score\", \"value\": 1e999}}"),
        String::new(),
        json!({"prediction_id": two, "metric": "correct", "value": true}).to_string(),
        json!({"prediction_id": one, "metric": "score", "value": 8}).to_string(),
    ];
    let body = lines.join("\n") + "\n\n";
    let (status, reply) = weir
        .raw("/feedback", "application/x-ndjson", body.into())
        .await;
    assert_eq!(status, 200, "{reply}");
    let count = |name: &str| reply[name].as_u64().unwrap();
    assert_eq!(
        (count("recorded"), count("unmatched"), count("rejected")),
        (2, 1, 5)
    );
    let errors = reply["errors"].as_array().unwrap();
    let lines: Vec<(u64, &str)> = errors
        .iter()
        .map(|e| (e["line"].as_u64().unwrap(), e["code"].as_str().unwrap()))
        .collect();
    let invalid = "invalid_request";
    assert_eq!(
        lines,
        [
            (2, invalid),
            (3, invalid),
            (5, invalid),
            (6, invalid),
            (9, "feedback_conflict")
        ]
    );
    assert!(
        errors[0]["detail"]
            .as_str()
            .unwrap()
            .contains("from 0 to 10"),
        "{reply}"
    );

    // An array, and more than a batch may have.
    let item = json!({"prediction_id": one, "metric": "score", "value": 7});
    let (_, reply) = weir.post("/feedback", json!([item, 5])).await;
    assert_eq!(
        (&reply["duplicate"], &reply["errors"][0]["line"]),
        (&json!(1), &json!(2))
    );
    let (status, problem) = weir
        .post("/feedback", json!([5, {"prediction_id": one}]))
        .await;
    assert_eq!(
        (status, &problem["errors"][1]["pointer"]),
        (422, &json!("/1/label"))
    );
    let many: Vec<&Value> = std::iter::repeat_n(&item, 10_001).collect();
    assert_eq!(weir.post("/feedback", json!(many)).await.0, 422);
    drop(weir);
    assert_clean(data.path());
}

#[tokio::test]
async fn metrics_are_declared_and_kept_while_they_are_counted() {
    let (_data, weir) = server().await;
    let click = json!({"kind": "binary", "window_seconds": 3600});
    let (status, declared) = weir.put("/metrics/sentiment/click", click.clone()).await;
    assert_eq!((status, &declared["missing"]), (200, &json!("failure")));
    let (_, listed) = weir.get("/metrics/sentiment").await;
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["metric"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "error",
            "rejected",
            "latency_ms",
            "slow",
            "confidence",
            "correct",
            "click"
        ]
    );
    for (metric, body) in [
        ("correct", json!({"kind": "binary"})),
        ("a b", json!({"kind": "binary"})),
        ("x", json!({"kind": "binary", "missing": "failure"})),
        (
            "x",
            json!({"kind": "continuous", "lower_bound": 2, "upper_bound": 1}),
        ),
        (
            "x",
            json!({"kind": "continuous", "window_seconds": 99_999_999_999u64}),
        ),
        ("x", json!({"kind": "colour"})),
    ] {
        let (status, problem) = weir
            .put(&format!("/metrics/sentiment/{metric}"), body)
            .await;
        assert_eq!(status, 422, "{metric}: {problem}");
    }
    weir.register("2.0.0", afinn()).await;
    let body = json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "click",
    });
    let (_, draft) = weir.post("/experiments", body).await;
    let path = format!("/experiments/{}", draft["experiment"].as_str().unwrap());
    weir.post(&format!("{path}/start"), json!({})).await;
    let other = json!({"kind": "count"});
    let (status, problem) = weir.put("/metrics/sentiment/click", other.clone()).await;
    assert_eq!((status, &problem["code"]), (409, &json!("metric_in_use")));
    assert_eq!(
        weir.put("/metrics/sentiment/click", click).await.0,
        200,
        "it is the same"
    );
    assert_eq!(weir.delete("/metrics/sentiment/click").await.0, 409);
    weir.post(&format!("{path}/stop"), json!({})).await;
    assert_eq!(weir.delete("/metrics/sentiment/click").await.0, 200);
    assert_eq!(weir.get("/metrics/sentiment/click").await.0, 404);
    assert_eq!(weir.get("/metrics/nobody").await.0, 404);
}

#[tokio::test]
async fn what_came_is_read_on_in_the_order_of_the_journal() {
    let (data, weir) = server().await;
    let mut ids = Vec::new();
    for n in 0..7 {
        let id = predicted(&weir).await;
        if n % 2 == 0 {
            let label = json!({"prediction_id": id, "label": "positive"});
            assert_eq!(weir.post("/feedback", label).await.0, 200);
        }
        ids.push(id);
    }
    for (path, list, all) in [
        ("/predictions", "predictions", ids.clone()),
        (
            "/feedback",
            "feedback",
            ids.iter().step_by(2).cloned().collect(),
        ),
    ] {
        let (mut position, mut read) = (json!(0), Vec::new());
        while read.len() < all.len() {
            let page = format!("{path}?after_position={position}&limit=3");
            let (status, page) = weir.get(&page).await;
            assert_eq!(status, 200, "{page}");
            let found = page[list].as_array().unwrap();
            assert!(!found.is_empty() && found.len() <= 3, "{page}");
            assert_eq!(found.last().unwrap()["position"], page["next_position"]);
            read.extend(
                found
                    .iter()
                    .map(|item| item["prediction_id"].as_str().unwrap().to_owned()),
            );
            position = page["next_position"].clone();
        }
        assert_eq!(read, all, "{path}");
        // Whoever has read all stays where they are.
        let (_, page) = weir.get(&format!("{path}?after_position={position}")).await;
        assert_eq!(
            (&page[list], &page["next_position"]),
            (&json!([]), &position)
        );
    }
    for path in [
        "/predictions?after_position=1&name=sentiment",
        "/predictions?after_position=-1",
        "/feedback?limit=0",
    ] {
        assert_eq!(weir.get(path).await.0, 422, "{path}");
    }
    drop(weir);
    assert_clean(data.path());
}

#[tokio::test]
async fn labels_that_can_never_match_are_told_and_numbers_are_compared_by_value() {
    let data = directory();
    let server = Weir::start(data.path());
    server.register("1", vader()).await;
    let tell = async |prediction: Value, label: Value| {
        let told = json!([{"name": "sentiment", "model_version": "1", "text": "x", "prediction": prediction}]);
        let (_, told) = server.post("/predictions", told).await;
        let id = &told["receipts"][0]["prediction_id"];
        let (_, reply) = server
            .post("/feedback", json!([{"prediction_id": id, "label": label}]))
            .await;
        reply["receipts"][0].clone()
    };
    for (prediction, label) in [
        (json!(1), json!("1")),
        (json!("1.0"), json!(1)),
        (json!(true), json!(true)),
    ] {
        let receipt = tell(prediction, label).await;
        assert_eq!(
            (&receipt["value"], &receipt["warning"]),
            (&json!(1.0), &Value::Null),
            "{receipt}"
        );
    }
    let (_, ready) = server.get("/health/ready").await;
    assert_eq!(ready["status"], "ready", "{ready}");
    for (prediction, label, types) in [
        (json!(false), json!(0), ["a number", "a boolean"]),
        (json!(true), json!(1), ["a number", "a boolean"]),
        (json!(1), json!("yes"), ["a text", "a number"]),
    ] {
        let receipt = tell(prediction, label).await;
        let warning = receipt["warning"].as_str().unwrap();
        assert_eq!(receipt["value"], 0.0);
        assert!(types.iter().all(|of| warning.contains(of)), "{warning}");
    }
    let (status, ready) = server.get("/health/ready").await;
    assert_eq!((status, &ready["status"]), (200, &json!("degraded")));
    let reasons = ready["reasons"].to_string();
    assert!(
        reasons.contains("labels_never_match: sentiment: 2 labels for version 1 have a number"),
        "{reasons}"
    );
    let metrics = server.http.get(server.url("/metrics")).send().await;
    let metrics = metrics.unwrap().text().await.unwrap();
    let series = "weir_labels_never_match{name=\"sentiment\",version=\"1\"} 3\n";
    assert!(metrics.contains(series), "{metrics}");
}

#[tokio::test]
async fn precision_and_recall_tell_what_accuracy_hides() {
    let data = directory();
    let weir = Weir::start(data.path());
    weir.register("1.0.0", vader()).await;
    // 20 predictions of 2 frauds: one is found, one is missed, and one alarm is false.
    let told = (0..20).map(|at| {
        let (prediction, label) = match at {
            0 => ("fraud", "fraud"),
            1 => ("fine", "fraud"),
            2 => ("fraud", "fine"),
            _ => ("fine", "fine"),
        };
        (format!("r-{at}"), prediction, label)
    });
    let told: Vec<_> = told.collect();
    let seen: Vec<_> = told
        .iter()
        .map(|(id, prediction, _)| {
            json!({"name": "sentiment", "model_version": "1.0.0", "text": "x", "prediction": prediction, "request_id": id})
        })
        .collect();
    let (status, reply) = weir.post("/predictions", json!(seen)).await;
    assert_eq!(status, 200, "{reply}");
    let labels: Vec<_> = told
        .iter()
        .map(|(id, _, label)| json!({"name": "sentiment", "request_id": id, "label": label}))
        .collect();
    let (status, reply) = weir.post("/feedback", json!(labels)).await;
    assert_eq!(status, 200, "{reply}");
    let (status, found) = weir
        .get("/models/classification?name=sentiment&positive=fraud")
        .await;
    assert_eq!(status, 200, "{found}");
    let version = &found["versions"][0];
    let counts = [
        "true_positives",
        "false_positives",
        "false_negatives",
        "true_negatives",
    ];
    let counts = counts.map(|name| version[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1, 17]);
    assert_eq!(
        [&version["precision"], &version["recall"], &version["f1"]],
        [&json!(0.5); 3]
    );
    // A class that nobody has is found by nobody.
    let (_, none) = weir
        .get("/models/classification?name=sentiment&positive=17")
        .await;
    assert_eq!(none["versions"][0]["recall"], json!(null));
    let (status, _) = weir
        .get("/models/classification?name=nobody&positive=1")
        .await;
    assert_eq!(status, 404);
    let (status, _) = weir.get("/models/classification?name=sentiment").await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn whole_numbers_keep_their_digits_and_are_compared_by_them() {
    const LONG: &str = "12345678901234567890123";
    const NEAR: &str = "12345678901234567890124";
    let data = directory();
    let server = Weir::start(data.path());
    server.register("1", vader()).await;
    let send = async |path: &str, line: String| {
        let raw = server.raw(path, "application/x-ndjson", line.into_bytes());
        raw.await.1
    };
    let mut ids = Vec::new();
    for (prediction, label, value) in [
        (LONG.to_owned(), LONG.to_owned(), 1.0),
        (LONG.to_owned(), NEAR.to_owned(), 0.0),
        (LONG.to_owned(), format!("\"{LONG}\""), 1.0),
        (
            format!("{{\"id\":[{LONG}]}}"),
            format!("{{\"id\":[{NEAR}]}}"),
            0.0,
        ),
        (
            "9007199254740993".to_owned(),
            "9007199254740992".to_owned(),
            0.0,
        ),
    ] {
        let told = format!(
            "{{\"name\":\"sentiment\",\"model_version\":\"1\",\"text\":\"x\",\"prediction\":{prediction}}}"
        );
        let told = send("/predictions", told).await;
        let id = told["receipts"][0]["prediction_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let line = format!("{{\"prediction_id\":\"{id}\",\"label\":{label}}}");
        let reply = send("/feedback", line.clone()).await;
        let receipt = &reply["receipts"][0];
        assert_eq!(receipt["value"], json!(value), "{line}: {reply}");
        let again = send("/feedback", line).await;
        assert_eq!(again["duplicate"], 1, "{again}");
        let read = reqwest::get(server.url(&format!("/predictions/{id}"))).await;
        let read = read.unwrap().text().await.unwrap();
        assert!(read.contains(&format!("\"label\":{label}")), "{read}");
        ids.push(id);
    }
    // Another number is another label.
    let other = format!("{{\"prediction_id\":\"{}\",\"label\":{NEAR}}}", ids[0]);
    let reply = send("/feedback", other).await;
    let detail = reply["errors"].to_string();
    assert!(detail.contains(LONG), "{reply}");
    let huge = format!("{{\"prediction_id\":\"{}\",\"label\":1e400}}", ids[0]);
    let reply = send("/feedback", huge).await;
    assert!(reply["errors"].to_string().contains("too large"), "{reply}");
}
