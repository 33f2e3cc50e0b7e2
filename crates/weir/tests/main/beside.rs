//! Beside the path: decisions, predictions that were made elsewhere, exposures, and flags.

use crate::weir::{Weir, assert_clean, directory, vader};
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn started(weir: &Weir) -> String {
    for version in ["1.0.0", "2.0.0"] {
        let id = weir.register(version, vader()).await;
        weir.activate(&id, if version == "1.0.0" { 100.0 } else { 0.0 })
            .await;
    }
    let clicked = json!({"kind": "binary", "direction": "up"});
    assert_eq!(weir.put("/metrics/sentiment/clicked", clicked).await.0, 200);
    let (status, created) = weir
        .post(
            "/experiments",
            json!({"name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "clicked",
                   "weights": {"1.0.0": 50, "2.0.0": 50}}),
        )
        .await;
    assert_eq!(status, 200, "{created}");
    let id = created["experiment"].as_str().unwrap().to_owned();
    let (status, started) = weir
        .post(&format!("/experiments/{id}/start"), json!({}))
        .await;
    assert_eq!(status, 200, "{started}");
    id
}

async fn decided(weir: &Weir, body: Value) -> Value {
    let (status, decision) = weir.post("/decide", body).await;
    assert_eq!(status, 200, "{decision}");
    decision
}

async fn of(weir: &Weir, prediction: &Value) -> Value {
    let path = format!("/predictions/{}", prediction.as_str().unwrap());
    weir.get(&path).await.1
}

async fn units(weir: &Weir, experiment: &str) -> Vec<u64> {
    let (_, results) = weir
        .get(&format!("/experiments/{experiment}/results"))
        .await;
    let arms = results["arms"].as_array().unwrap();
    arms.iter()
        .map(|arm| arm["units"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_decision_becomes_evidence_when_it_is_told_what_came_of_it() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let experiment = started(&weir).await;
    let mut lines = Vec::new();
    let mut arms = BTreeMap::<String, u64>::new();
    for unit in 0..60 {
        let unit = format!("u{unit}");
        let decision = decided(
            &weir,
            json!({"unit_id": unit, "attributes": {"country": "DE"}}),
        )
        .await;
        assert_eq!(
            (&decision["reason"], &decision["propensity"]),
            (&json!("experiment"), &json!(0.5))
        );
        assert_eq!(
            (&decision["experiment"], &decision["unit_id"]),
            (&json!(experiment), &json!(unit))
        );
        assert_eq!(decision["runtime"], vader());
        // The same as in the path.
        let predicted = weir
            .post(
                "/predict",
                json!({"text": "good", "unit_id": format!("other {unit}")}),
            )
            .await
            .1;
        let other = decided(&weir, json!({"unit_id": format!("other {unit}")})).await;
        assert_eq!(other["model_version"], predicted["model_version"]);
        *arms
            .entry(decision["model_version"].as_str().unwrap().into())
            .or_default() += 1;
        lines.push(json!({"token": decision["token"], "request_id": format!("call {unit}"), "prediction": "positive",
                          "confidence": 0.9, "latency_ms": 12.5, "attributes": {"country": "DE"}}));
    }
    let before: u64 = units(&weir, &experiment).await.iter().sum();
    // What was decided counts for nothing until it is told.
    assert_eq!(before, 60);
    let (status, reply) = weir.post("/predictions", json!(lines)).await;
    assert_eq!(
        (status, &reply["recorded"], &reply["rejected"]),
        (200, &json!(60), &json!(0)),
        "{reply}"
    );
    // The same again changes nothing, also after a kill.
    weir.signal("-KILL");
    let mut weir = Weir::start(data.path());
    let (_, again) = weir.post("/predictions", json!(lines)).await;
    assert_eq!(
        (&again["recorded"], &again["duplicate"]),
        (&json!(0), &json!(60)),
        "{again}"
    );
    assert_eq!(units(&weir, &experiment).await.iter().sum::<u64>(), 120);
    let receipt = &reply["receipts"][7];
    let logged = of(&weir, &receipt["prediction_id"]).await;
    assert_eq!(
        (&logged["reason"], &logged["unit_id"]),
        (&json!("experiment"), &json!("u7")),
        "{logged}"
    );
    assert_eq!(
        (&logged["latency_ms"], &logged["prediction"]),
        (&json!(12.5), &json!("positive"))
    );
    assert_eq!(logged["experiment"], json!(experiment));
    // Feedback knows it by both ids.
    let clicked = json!([{"request_id": "call u7", "metric": "clicked", "value": 1},
                         {"prediction_id": receipt["prediction_id"], "metric": "clicked", "value": 1}]);
    let (_, answer) = weir.post("/feedback", clicked).await;
    assert_eq!(
        (&answer["recorded"], &answer["duplicate"]),
        (&json!(1), &json!(1)),
        "{answer}"
    );
    weir.signal("-TERM");
    assert_clean(data.path());
}

#[tokio::test]
async fn tokens_and_lines_that_do_not_fit_are_refused_and_nothing_else_is() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let experiment = started(&weir).await;
    let decision = decided(&weir, json!({"unit_id": "u1"})).await;
    let token = decision["token"].as_str().unwrap();
    let other = if decision["model_version"] == "1.0.0" {
        "2.0.0"
    } else {
        "1.0.0"
    };
    let mut changed = token.to_owned();
    let last = if changed.pop() == Some('A') { 'E' } else { 'A' };
    changed.push(last);
    let refused = [
        (json!({"token": changed, "prediction": 1}), "token_invalid"),
        (json!({"token": "", "prediction": 1}), "token_invalid"),
        (
            json!({"token": token, "unit_id": "u2", "prediction": 1}),
            "token_invalid",
        ),
        (
            json!({"token": token, "name": "topic", "prediction": 1}),
            "token_invalid",
        ),
        (
            json!({"token": token, "model_version": other, "prediction": 1}),
            "token_invalid",
        ),
        (
            json!({"token": token, "propensity": 0.5}),
            "invalid_request",
        ),
        (
            json!({"token": token, "at": "2020-01-01T00:00:00Z"}),
            "invalid_request",
        ),
        (
            json!({"token": token, "at": "2999-01-01T00:00:00Z"}),
            "invalid_request",
        ),
        (
            json!({"token": token, "prediction": 1, "error": "x"}),
            "invalid_request",
        ),
        (
            json!({"token": token, "confidence": 1.5}),
            "invalid_request",
        ),
        (json!({"token": token, "latency_ms": -1}), "invalid_request"),
        (
            json!({"token": token, "attributes": {"a b": 1}}),
            "invalid_request",
        ),
        (
            json!({"token": token, "text": "a", "inputs": 1}),
            "invalid_request",
        ),
        (json!({"token": token, "nonsense": 1}), "invalid_request"),
        (json!({"prediction": 1}), "invalid_request"),
        (
            json!({"model_version": "9.9.9", "prediction": 1}),
            "version_not_found",
        ),
        (
            json!({"name": "nobody", "model_version": "1.0.0"}),
            "model_not_found",
        ),
        (
            json!({"model_version": "1.0.0", "propensity": 0}),
            "invalid_request",
        ),
        (
            json!({"model_version": "1.0.0", "request_id": ""}),
            "invalid_request",
        ),
        (json!(7), "invalid_request"),
    ];
    let mut lines: Vec<Value> = refused.iter().map(|(line, _)| line.clone()).collect();
    lines.push(json!({"token": token, "prediction": "positive"}));
    let (status, reply) = weir.post("/predictions", json!(lines)).await;
    assert_eq!((status, &reply["recorded"]), (200, &json!(1)), "{reply}");
    for ((line, (_, code)), error) in (1..).zip(&refused).zip(reply["errors"].as_array().unwrap()) {
        assert_eq!(
            (&error["line"], &error["code"]),
            (&json!(line), &json!(code)),
            "{error}"
        );
    }
    // A single one is answered as one.
    let (status, problem) = weir.post("/predictions", refused[0].0.clone()).await;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("token_invalid")),
        "{problem}"
    );
    assert_eq!(units(&weir, &experiment).await.iter().sum::<u64>(), 1);
    // Observed predictions are in the log, and in no evidence.
    let observed = json!({"model_version": "1.0.0", "unit_id": "u9", "prediction": "positive", "propensity": 0.25,
                          "at": "2026-11-01T10:00:00Z"});
    let (_, reply) = weir.post("/predictions", observed).await;
    let logged = of(&weir, &reply["receipts"][0]["prediction_id"]).await;
    assert_eq!(
        (&logged["reason"], &logged["propensity"]),
        (&json!("observed"), &json!(0.25)),
        "{logged}"
    );
    assert_eq!(
        (&logged["made_at"], &logged["latency_ms"]),
        (&json!("2026-11-01T10:00:00.000000Z"), &json!(null))
    );
    assert_eq!(units(&weir, &experiment).await.iter().sum::<u64>(), 1);
    weir.signal("-TERM");
    assert_clean(data.path());
}

#[tokio::test]
async fn what_failed_elsewhere_and_was_tried_again_counts_once() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let experiment = started(&weir).await;
    let token = decided(&weir, json!({"unit_id": "u1"})).await["token"].clone();
    let failed = json!({"token": token, "request_id": "7", "error": "timeout"});
    let (_, first) = weir.post("/predictions", failed.clone()).await;
    assert_eq!(first["recorded"], 1, "{first}");
    for _ in 0..2 {
        let (_, again) = weir.post("/predictions", failed.clone()).await;
        assert_eq!(again["duplicate"], 1, "{again}");
        weir.signal("-KILL");
        weir = Weir::start(data.path());
    }
    let good = json!({"token": token, "request_id": "7", "prediction": "positive"});
    let (_, second) = weir.post("/predictions", good.clone()).await;
    assert_eq!(second["receipts"][0]["reason"], "retry", "{second}");
    assert_eq!(weir.post("/predictions", good).await.1["duplicate"], 1);
    let (status, taken) = weir
        .post(
            "/predictions",
            json!({"token": token, "request_id": "7", "prediction": 3}),
        )
        .await;
    assert_eq!((status, &taken["code"]), (409, &json!("request_id_taken")));
    let (_, answer) = weir
        .post("/feedback", json!({"request_id": "7", "label": "positive"}))
        .await;
    let receipt = &answer["receipts"][0];
    assert_eq!(
        (&receipt["prediction_id"], &receipt["value"]),
        (&first["receipts"][0]["prediction_id"], &json!(1.0))
    );
    assert_eq!(units(&weir, &experiment).await.iter().sum::<u64>(), 1);
    weir.signal("-TERM");
    assert_clean(data.path());
}

#[tokio::test]
async fn one_id_is_one_request_of_one_unit() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let experiment = started(&weir).await;
    let token = async |unit: &str| decided(&weir, json!({"unit_id": unit})).await["token"].clone();
    let code = |reply: &Value| reply["errors"][0]["code"].clone();
    // Of two units it is two requests.
    let exposure = async |unit: &str| json!({"token": token(unit).await, "request_id": "view"});
    let both = json!([exposure("a").await, exposure("b").await]);
    let (_, reply) = weir.post("/exposures", both).await;
    assert_eq!(
        (&reply["recorded"], code(&reply)),
        (&json!(1), json!("request_id_taken")),
        "{reply}"
    );
    // So it is without and with a token.
    let plain = json!({"model_version": "1.0.0", "prediction": "good", "request_id": "plain", "unit_id": "c"});
    assert_eq!(
        weir.post("/predictions", plain.clone()).await.1["recorded"],
        1
    );
    let mut with_token = plain.clone();
    with_token.as_object_mut().unwrap().remove("model_version");
    with_token["token"] = token("c").await;
    assert_eq!(weir.post("/predictions", with_token).await.0, 409);
    // A failure that was no exposure takes nobody's exposure away, and one of somebody else is no retry.
    let failed = json!({"model_version": "1.0.0", "error": "timeout", "request_id": "r1"});
    assert_eq!(weir.post("/predictions", failed).await.1["recorded"], 1);
    let good = json!({"token": token("d").await, "prediction": "good", "request_id": "r1"});
    let (_, reply) = weir.post("/predictions", good).await;
    assert_eq!(reply["receipts"][0]["reason"], "experiment", "{reply}");
    let failed = json!({"token": token("e").await, "error": "timeout", "request_id": "r2"});
    assert_eq!(weir.post("/predictions", failed).await.1["recorded"], 1);
    let other = json!({"token": token("f").await, "prediction": "good", "request_id": "r2"});
    assert_eq!(weir.post("/predictions", other).await.0, 409);
    // All attempts sent again are nothing new.
    let of_g = token("g").await;
    let attempts = json!([
        {"token": of_g, "request_id": "r3", "error": "timeout"},
        {"token": of_g, "request_id": "r3", "error": "refused"},
        {"token": of_g, "request_id": "r3", "prediction": "good"},
    ]);
    let (_, first) = weir.post("/predictions", attempts.clone()).await;
    assert_eq!(first["recorded"], 3, "{first}");
    for _ in 0..2 {
        let (_, again) = weir.post("/predictions", attempts.clone()).await;
        assert_eq!(
            (&again["duplicate"], &again["rejected"]),
            (&json!(3), &json!(0)),
            "{again}"
        );
        weir.signal("-KILL");
        weir = Weir::start(data.path());
    }
    // a, d, e and g.
    assert_eq!(units(&weir, &experiment).await.iter().sum::<u64>(), 4);
    weir.signal("-TERM");
    assert_clean(data.path());
}

#[tokio::test]
async fn flags_are_versions_and_an_evaluation_is_no_exposure() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let experiment = started(&weir).await;
    let flag = "/ofrep/v1/evaluate/flags/sentiment";
    let context = |unit: &str| json!({"context": {"targetingKey": unit, "country": "DE", "nested": {"a": 1}, "none": null}});
    let mut tokens = Vec::new();
    for unit in 0..40 {
        let unit = format!("u{unit}");
        let (status, flag) = weir.post(flag, context(&unit)).await;
        let decision = decided(&weir, json!({"unit_id": unit})).await;
        assert_eq!(
            (status, &flag["value"]),
            (200, &decision["model_version"]),
            "{flag}"
        );
        assert_eq!(
            (&flag["reason"], &flag["key"]),
            (&json!("SPLIT"), &json!("sentiment"))
        );
        for (_, value) in flag["metadata"].as_object().unwrap() {
            assert!(!value.is_object() && !value.is_array(), "{flag}");
        }
        tokens.push(json!({"token": flag["metadata"]["token"], "attributes": {"country": "DE"}}));
    }
    assert_eq!(units(&weir, &experiment).await.iter().sum::<u64>(), 0);
    let ndjson: String = tokens.iter().map(|token| format!("{token}\n")).collect();
    let sent = weir
        .http
        .post(weir.url("/exposures"))
        .header("content-type", "application/x-ndjson")
        .body(ndjson);
    let reply: Value = sent.send().await.unwrap().json().await.unwrap();
    assert_eq!(reply["recorded"], 40, "{reply}");
    assert_eq!(units(&weir, &experiment).await.iter().sum::<u64>(), 40);
    for (path, body, status, code) in [
        (
            flag,
            json!({"context": {"country": "DE"}}),
            400,
            "TARGETING_KEY_MISSING",
        ),
        (flag, json!({}), 400, "TARGETING_KEY_MISSING"),
        (flag, json!({"context": 7}), 400, "PARSE_ERROR"),
        (
            flag,
            json!({"context": {"targetingKey": "x".repeat(300)}}),
            400,
            "INVALID_CONTEXT",
        ),
        (
            flag,
            json!({"context": {"targetingKey": "\u{7}"}}),
            400,
            "INVALID_CONTEXT",
        ),
        (
            "/ofrep/v1/evaluate/flags/nothing",
            context("u"),
            404,
            "FLAG_NOT_FOUND",
        ),
    ] {
        let (got, problem) = weir.post(path, body).await;
        assert_eq!(
            (got, &problem["errorCode"]),
            (status, &json!(code)),
            "{problem}"
        );
    }
    // All at once, and nothing where nothing changed.
    let bulk = |tag: Option<String>| {
        let request = weir
            .http
            .post(weir.url("/ofrep/v1/evaluate/flags"))
            .json(&context("u1"));
        match tag {
            Some(tag) => request.header("if-none-match", tag).send(),
            None => request.send(),
        }
    };
    let first = bulk(None).await.unwrap();
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    let body: Value = first.json().await.unwrap();
    assert_eq!(body["flags"][0]["key"], "sentiment", "{body}");
    assert_eq!(bulk(Some(tag.clone())).await.unwrap().status(), 304);
    assert_eq!(
        bulk(Some(format!("\"x\", W/{tag}")))
            .await
            .unwrap()
            .status(),
        304
    );
    assert_eq!(bulk(Some("\"other\"".into())).await.unwrap().status(), 200);
    weir.signal("-TERM");
    assert_clean(data.path());
}
