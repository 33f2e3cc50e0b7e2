//! What comes with a request beside its input: attributes, aliases, several at once.

use crate::weir::{Weir, afinn, assert_clean, directory, vader};
use serde_json::{Value, json};

async fn predicted(weir: &Weir, body: Value) -> Value {
    let (status, reply) = weir.post("/predict", body).await;
    assert_eq!(status, 200, "{reply}");
    reply
}

async fn logged(weir: &Weir, reply: &Value) -> Value {
    let id = reply["prediction_id"].as_str().unwrap();
    let (status, logged) = weir.get(&format!("/predictions/{id}")).await;
    assert_eq!(status, 200, "{logged}");
    logged
}

#[tokio::test]
async fn attributes_are_on_the_record_and_bad_ones_are_named() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    let attributes = json!({"country": "DE", "age": 30, "score": 0.5, "beta": true});
    let reply = predicted(&weir, json!({"text": "good", "attributes": attributes})).await;
    assert_eq!(logged(&weir, &reply).await["attributes"], attributes);
    let reply = predicted(&weir, json!({"text": "good"})).await;
    assert_eq!(logged(&weir, &reply).await["attributes"], json!({}));

    for (attributes, pointer) in [
        (r#"{"a": 1, "a": 2}"#.into(), "/attributes/a"),
        (r#"{"": 1}"#.into(), "/attributes/"),
        (r#"{"a/b": 1}"#.into(), "/attributes/a~1b"),
        (r#"{"a": "\u0007"}"#.into(), "/attributes/a"),
        (r#"{"a": {}}"#.into(), "/attributes/a"),
        (r#"{"a": 1e400}"#.into(), "/attributes/a"),
        (r#"[1]"#.into(), "/attributes"),
        (
            serde_json::to_string(
                &(0..33)
                    .map(|n| (format!("a{n}"), n))
                    .collect::<std::collections::BTreeMap<_, _>>(),
            )
            .unwrap(),
            "/attributes",
        ),
    ] {
        let attributes: String = attributes;
        let body = format!(r#"{{"text": "good", "attributes": {attributes}}}"#);
        let (status, problem) = weir.raw("/predict", "application/json", body.into()).await;
        assert_eq!(status, 422, "{attributes}: {problem}");
        assert_eq!(
            problem["errors"][0]["pointer"], pointer,
            "{attributes}: {problem}"
        );
    }
    let (_, page) = weir.get("/predictions").await;
    assert_eq!(page["predictions"].as_array().unwrap().len(), 2);
    for (condition, found) in [
        ("country%20in%20%5BDE%5D", 1),
        ("age%20%3E%2030", 0),
        ("country%20%21%3D%20FR", 1),
    ] {
        let (status, page) = weir.get(&format!("/predictions?where={condition}")).await;
        assert_eq!(
            (status, page["predictions"].as_array().unwrap().len()),
            (200, found),
            "{condition}: {page}"
        );
        assert_eq!(page["next_cursor"], json!(null));
    }
    let (_, report) = weir
        .get("/models/performance?where=country%20%3D%20DE")
        .await;
    assert_eq!(
        (
            &report["total_requests"],
            &report["models"][0]["request_count"]
        ),
        (&json!(1), &json!(1)),
        "{report}"
    );
    assert_eq!(report.get("looked_back_to"), None);
    let (status, problem) = weir.get("/models/performance?where=%3D").await;
    assert_eq!(
        (status, problem["errors"][0]["pointer"].as_str()),
        (422, Some("?where"))
    );
    let (_, page) = weir.get("/predictions?where=beta%3Dtrue&limit=1").await;
    let next = format!(
        "/predictions?where=beta%3Dtrue&cursor={}",
        page["next_cursor"].as_str().unwrap()
    );
    assert_eq!(weir.get(&next).await.1["predictions"], json!([]));
    let (status, problem) = weir.get("/predictions?where=country").await;
    assert_eq!(
        (status, problem["errors"][0]["pointer"].as_str()),
        (422, Some("?where"))
    );
    weir.signal("-TERM");
    assert_clean(data.path());
}

#[tokio::test]
async fn an_alias_names_a_version_as_it_points_when_the_request_comes() {
    let data = directory();
    let weir = Weir::start(data.path());
    let one = weir.register("1.0.0", vader()).await;
    let two = weir.register("2.0.0", afinn()).await;
    weir.activate(&one, 50.0).await;
    weir.activate(&two, 50.0).await;
    let request = json!({"text": "good", "model_version": "@stable"});
    let (status, problem) = weir.post("/predict", request.clone()).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (404, Some("version_not_found"))
    );
    assert!(
        problem["detail"].as_str().unwrap().contains("alias stable"),
        "{problem}"
    );
    for version in ["1.0.0", "2.0.0"] {
        let set = json!({"version": version});
        let (status, reply) = weir.put("/aliases/sentiment/stable", set).await;
        assert_eq!(status, 200, "{reply}");
        let reply = predicted(&weir, request.clone()).await;
        assert_eq!(reply["model_version"], version);
        let logged = logged(&weir, &reply).await;
        assert_eq!(logged["model_version"], version);
        assert_eq!(
            (&logged["alias"], &logged["reason"]),
            (&json!("stable"), &json!("pinned"))
        );
    }
}

#[tokio::test]
async fn several_requests_get_a_reply_or_a_problem_each_in_order() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let one = weir.register("1.0.0", vader()).await;
    let two = weir.register("2.0.0", afinn()).await;
    weir.activate(&one, 50.0).await;
    weir.activate(&two, 50.0).await;
    let batch: Vec<Value> = (0..40)
        .map(|n| match n {
            3 => json!({"text": ""}),
            5 => json!({"text": "good", "name": "nothing"}),
            7 => json!(["good", null, "m"]),
            9 => json!({"text": "good", "unit_id": "somebody"}),
            _ => json!({"text": format!("number {n}")}),
        })
        .collect();
    let (status, replies) = weir.post("/predict", json!(batch)).await;
    assert_eq!(status, 200, "{replies}");
    let replies = replies.as_array().unwrap();
    assert_eq!(replies.len(), 40);
    let mut versions = std::collections::HashSet::new();
    let mut units = std::collections::HashSet::new();
    for (at, reply) in replies.iter().enumerate() {
        let problem = match at {
            3 | 7 => Some((422, "invalid_request")),
            5 => Some((404, "model_not_found")),
            _ => None,
        };
        if let Some((status, code)) = problem {
            assert_eq!(
                (reply["status"].as_u64(), reply["code"].as_str()),
                (Some(status), Some(code)),
                "{reply}"
            );
            continue;
        }
        let logged = logged(&weir, reply).await;
        if at == 9 {
            assert_eq!(logged["unit_id"], "somebody");
            continue;
        }
        assert_eq!(logged["text"], format!("number {at}"));
        versions.insert(reply["model_version"].as_str().unwrap().to_owned());
        units.insert(logged["unit_id"].as_str().unwrap().to_owned());
    }
    assert_eq!((versions.len(), units.len()), (1, 1), "a batch is one unit");

    for (batch, said) in [
        (json!([]), "has none"),
        (json!(vec![json!({"text": "x"}); 101]), "has more"),
    ] {
        let (status, problem) = weir.post("/predict", batch).await;
        assert_eq!(status, 422, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(said),
            "{problem}"
        );
    }
    let (_, page) = weir.get("/predictions?limit=100").await;
    assert_eq!(page["predictions"].as_array().unwrap().len(), 37);
    weir.signal("-TERM");
    assert_clean(data.path());
}

#[tokio::test]
async fn a_path_names_the_model_and_a_second_model_changes_nothing_for_who_names_none() {
    let data = directory();
    let weir = Weir::start(data.path());
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    let body = json!({"name": "other model", "version": "1", "accuracy": 0.5, "runtime": afinn()});
    let (status, other) = weir.post("/models", body).await;
    assert_eq!(status, 200, "{other}");
    let other = weir
        .activate(other["model_id"].as_str().unwrap(), 100.0)
        .await;
    assert_eq!(
        other["warning"],
        "Requests that name no model go to sentiment, the default model; name other model in `name` or in the path."
    );
    let reply = predicted(&weir, json!({"text": "good"})).await;
    assert_eq!(reply["name"], "sentiment");
    let path = "/models/by-name/other%20model/predict";
    for body in [
        json!({"text": "good"}),
        json!({"text": "good", "name": "other model"}),
    ] {
        let (status, reply) = weir.post(path, body).await;
        assert_eq!(
            (status, &reply["name"]),
            (200, &json!("other model")),
            "{reply}"
        );
    }
    let (_, replies) = weir.post(path, json!([{"text": "good"}])).await;
    assert_eq!(replies[0]["name"], "other model");
    let (status, problem) = weir
        .post(path, json!({"text": "good", "name": "sentiment"}))
        .await;
    assert_eq!(
        (status, problem["errors"][0]["pointer"].as_str()),
        (422, Some("/name"))
    );
    let (status, problem) = weir
        .post("/models/by-name/x/predict", json!({"text": "good"}))
        .await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (404, Some("model_not_found"))
    );
}

#[tokio::test]
async fn rules_come_before_the_experiment_and_who_is_outside_its_audience_gets_the_control() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let one = weir.register("1.0.0", vader()).await;
    weir.register("2.0.0", afinn()).await;
    let three = weir.register("3.0.0", afinn()).await;
    weir.activate(&one, 100.0).await;
    let (status, reply) = weir
        .patch(&format!("/models/{three}"), json!({"status": "testing"}))
        .await;
    assert_eq!(status, 200, "{reply}");
    let (_, rules) = weir.get("/rules/sentiment").await;
    assert_eq!(rules["rules"], json!([]));
    let beta = json!({"when": "beta = TRUE", "model_version": "3.0.0"});
    let early =
        json!({"when": "version(app)>=9 or plan in [pro,'team plan']", "model_version": "2.0.0"});
    let set = json!({"revision": rules["revision"], "rules": [beta, early]});
    let (status, rules) = weir.put("/rules/sentiment", set.clone()).await;
    assert_eq!(status, 200, "{rules}");
    assert_eq!(
        rules["rules"],
        json!([
            {"when": "beta = TRUE", "model_version": "3.0.0", "rests": false},
            {"when": "version(app)>=9 or plan in [pro,'team plan']", "model_version": "2.0.0", "rests": true},
        ])
    );
    let (status, problem) = weir.put("/rules/sentiment", set).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (409, Some("stale_revision"))
    );
    for (rule, status, pointer) in [
        (
            json!({"when": "beta <", "model_version": "3.0.0"}),
            422,
            "/rules/0/when",
        ),
        (
            json!({"when": "plan < pro", "model_version": "3.0.0"}),
            422,
            "/rules/0/when",
        ),
        (
            json!({"when": "beta = true", "model_version": ""}),
            422,
            "/rules/0/model_version",
        ),
        (
            json!({"when": "beta = true", "model_version": "9"}),
            404,
            "",
        ),
    ] {
        let set = json!({"revision": rules["revision"], "rules": [rule]});
        let (got, problem) = weir.put("/rules/sentiment", set).await;
        assert_eq!(got, status, "{problem}");
        if !pointer.is_empty() {
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
    }

    let start = json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "correct",
        "audience": "country in [DE, AT]",
    });
    let wrong = json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "correct",
        "audience": "country in DE",
    });
    let (status, problem) = weir.post("/experiments", wrong).await;
    assert_eq!(
        (status, problem["errors"][0]["pointer"].as_str()),
        (422, Some("/audience")),
        "{problem}"
    );
    let (status, made) = weir.post("/experiments", start).await;
    assert_eq!(
        (status, &made["audience"]),
        (200, &json!("country in [DE, AT]")),
        "{made}"
    );
    let id = made["experiment"].as_str().unwrap();
    assert_eq!(
        weir.post(&format!("/experiments/{id}/start"), json!({}))
            .await
            .0,
        200
    );
    // What everybody else gets is what the weights say, also when it is stopped.
    let (_, traffic) = weir.get("/traffic/sentiment").await;
    assert_eq!(traffic["versions"][0]["share"], 1.0, "{traffic}");
    for unit in 0..60 {
        let (attributes, version, reason) = match unit % 3 {
            0 => (
                json!({"country": "DE", "beta": true}),
                Some("3.0.0"),
                "rule",
            ),
            1 => (json!({"country": "FR"}), Some("1.0.0"), "weights"),
            _ => (json!({"country": "AT"}), None, "experiment"),
        };
        let body = json!({"text": "good", "unit_id": format!("u{unit}"), "attributes": attributes});
        let reply = predicted(&weir, body).await;
        if let Some(version) = version {
            assert_eq!(reply["model_version"], version);
        }
        let logged = logged(&weir, &reply).await;
        assert_eq!(logged["reason"], reason);
    }
    let (_, results) = weir.get(&format!("/experiments/{id}/results")).await;
    let exposed = |arm: usize| results["arms"][arm]["units"].as_u64().unwrap();
    assert_eq!(exposed(0) + exposed(1), 20, "{results}");
    assert!(exposed(1) > 0);
    // The second rule no longer rests: its version is a candidate now.
    let reply = predicted(
        &weir,
        json!({"text": "good", "attributes": {"plan": "pro"}}),
    )
    .await;
    assert_eq!(reply["model_version"], "2.0.0");
    weir.signal("-TERM");
    assert_clean(data.path());
    let weir = Weir::start(data.path());
    assert_eq!(
        weir.get("/rules/sentiment").await.1["rules"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let reply = predicted(&weir, json!({"text": "good", "attributes": {"beta": true}})).await;
    assert_eq!(reply["model_version"], "3.0.0");
}

#[tokio::test]
async fn a_request_that_comes_twice_is_one_prediction() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    let request = json!({"text": "good", "request_id": "order 7", "attributes": {"country": "DE"}});
    // Also when all come at once.
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let sent = weir.http.post(weir.url("/predict")).json(&request).send();
        all.spawn(async move {
            let response = sent.await.unwrap();
            (
                response.status().as_u16(),
                response.json::<Value>().await.unwrap(),
            )
        });
    }
    let replies = all.join_all().await;
    let first = |reply: &Value| {
        let mut reply = reply.clone();
        reply.as_object_mut().unwrap().remove("repeated");
        reply
    };
    for (status, reply) in &replies {
        assert_eq!((status, first(reply)), (&200, first(&replies[0].1)));
    }
    let new = replies
        .iter()
        .filter(|(_, reply)| reply["repeated"].is_null());
    assert_eq!(new.count(), 1);
    assert_eq!(logged(&weir, &replies[0].1).await["request_id"], "order 7");
    let other = json!({"text": "bad", "request_id": "order 7", "attributes": {"country": "DE"}});
    let taken = weir.post("/predict", other.clone()).await;
    assert_eq!(
        (taken.0, taken.1["code"].as_str()),
        (409, Some("request_id_taken")),
        "{}",
        taken.1
    );
    assert_eq!(taken.1["prediction_id"], replies[0].1["prediction_id"]);
    // In an array too.
    let (_, both) = weir
        .post(
            "/predict",
            json!([request, {"text": "x", "request_id": "8"}, {"text": "x", "request_id": "8"}]),
        )
        .await;
    assert_eq!(
        (&both[0]["repeated"], &both[2]["repeated"]),
        (&json!(true), &json!(true)),
        "{both}"
    );
    assert_eq!(both[1]["repeated"], json!(null), "{both}");
    for wrong in ["", "\u{7}", &"x".repeat(201)] {
        let (status, problem) = weir
            .post("/predict", json!({"text": "x", "request_id": wrong}))
            .await;
        assert_eq!(
            (status, problem["errors"][0]["pointer"].as_str()),
            (422, Some("/request_id"))
        );
    }
    // After a kill as well.
    weir.signal("-KILL");
    let mut weir = Weir::start(data.path());
    let (status, again) = weir.post("/predict", request.clone()).await;
    assert_eq!((status, first(&again)), (200, first(&replies[0].1)));
    assert_eq!(weir.post("/predict", other).await.0, 409);
    let (_, page) = weir.get("/predictions").await;
    let with_id = page["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["request_id"] == "order 7");
    assert_eq!(with_id.count(), 1, "{page}");
    weir.signal("-TERM");
    assert_clean(data.path());
}

#[tokio::test]
async fn what_failed_is_tried_again_with_the_same_version_outside_evidence() {
    let data = directory();
    let weir = Weir::start(data.path());
    let service = crate::http_runtime::ModelService::start();
    let one = weir.register("1.0.0", service.runtime()).await;
    weir.register("2.0.0", vader()).await;
    weir.activate(&one, 100.0).await;
    let weigh = async |one: f64, two: f64| {
        let (_, traffic) = weir.get("/traffic/sentiment").await;
        let weights = json!({"1.0.0": one, "2.0.0": two});
        let set = json!({"revision": traffic["revision"], "weights": weights, "fallback": false});
        assert_eq!(weir.put("/traffic/sentiment", set).await.0, 200);
    };
    weigh(100.0, 0.0).await;
    let fails = json!({"text": "fail", "request_id": "7"});
    assert_eq!(weir.post("/predict", fails.clone()).await.0, 502);
    assert_eq!(weir.post("/predict", fails).await.0, 502);
    weigh(0.0, 100.0).await;
    let good = json!({"text": "good", "request_id": "7"});
    let reply = predicted(&weir, good.clone()).await;
    assert_eq!(reply["model_version"], "1.0.0");
    let logged = logged(&weir, &reply).await;
    assert_eq!(
        (&logged["reason"], &logged["experiment"]),
        (&json!("retry"), &json!(null))
    );
    assert_eq!(predicted(&weir, good).await["repeated"], true);
    let others = predicted(&weir, json!({"text": "good", "request_id": "8"})).await;
    assert_eq!(others["model_version"], "2.0.0");
    // A label that came before the answer is compared with it when it is there.
    let early = json!({"request_id": "9", "label": "positive"});
    assert_eq!(
        weir.post("/feedback", early.clone()).await.1["unmatched"],
        1
    );
    weigh(100.0, 0.0).await;
    let fails = json!({"text": "fail", "request_id": "9"});
    assert_eq!(weir.post("/predict", fails).await.0, 502);
    let answered = predicted(&weir, json!({"text": "good", "request_id": "9"})).await;
    let early = json!({"request_id": "9", "label": answered["prediction"]});
    let (_, again) = weir.post("/feedback", early).await;
    assert_eq!(
        (&again["duplicate"], &again["receipts"][0]["value"]),
        (&json!(1), &json!(1.0)),
        "{again}"
    );
    weigh(0.0, 100.0).await;
    // Feedback is for the first attempt, which was the exposure, and a label is compared with the answer.
    let (_, page) = weir.get("/predictions?limit=1000").await;
    let attempts = page["predictions"].as_array().unwrap();
    let first = attempts.iter().rfind(|p| p["request_id"] == "7").unwrap();
    let label = json!({"request_id": "7", "label": reply["prediction"]});
    let (status, answer) = weir.post("/feedback", label.clone()).await;
    let receipt = &answer["receipts"][0];
    assert_eq!((status, &receipt["value"]), (200, &json!(1.0)), "{answer}");
    assert_eq!(receipt["prediction_id"], first["prediction_id"]);
    assert_eq!(first["status"], "error");
    let (_, answer) = weir.post("/feedback", label).await;
    assert_eq!(answer["duplicate"], 1, "{answer}");
}

#[tokio::test]
async fn feedback_names_its_prediction_by_the_id_of_its_caller() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    let revenue = json!({"kind": "continuous", "direction": "up"});
    assert_eq!(weir.put("/metrics/sentiment/revenue", revenue).await.0, 200);
    let spent = |request: &str, value: f64| json!({"request_id": request, "metric": "revenue", "value": value});
    // It may come first.
    let (_, answer) = weir
        .post("/feedback", json!([spent("7", 2.5), spent("8", 1.0)]))
        .await;
    assert_eq!(answer["unmatched"], 2, "{answer}");
    assert_eq!(answer["receipts"][0]["prediction_id"], json!(null));
    assert_eq!(answer["receipts"][0]["request_id"], "7");
    let reply = predicted(&weir, json!({"text": "good", "request_id": "7"})).await;
    let (_, answer) = weir.post("/feedback", spent("7", 2.5)).await;
    assert_eq!(answer["duplicate"], 1, "{answer}");
    assert_eq!(
        answer["receipts"][0]["prediction_id"],
        reply["prediction_id"]
    );
    let (_, stored) = weir
        .get(&format!(
            "/predictions/{}",
            reply["prediction_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(stored["feedback"][0]["value"], 2.5, "{stored}");
    let (status, _) = weir.post("/feedback", spent("7", 3.0)).await;
    assert_eq!(status, 409);
    // What waits is kept over a kill.
    weir.signal("-KILL");
    let mut weir = Weir::start(data.path());
    predicted(&weir, json!({"text": "good", "request_id": "8"})).await;
    assert_eq!(
        weir.post("/feedback", spent("8", 1.0)).await.1["duplicate"],
        1
    );
    for (wrong, pointer) in [
        (json!({"metric": "revenue", "value": 1}), "/prediction_id"),
        (
            json!({"request_id": "7", "prediction_id": reply["prediction_id"], "label": 1}),
            "/request_id",
        ),
        (json!({"request_id": "", "label": 1}), "/request_id"),
        (
            json!({"prediction_id": reply["prediction_id"], "name": "sentiment", "label": 1}),
            "/name",
        ),
    ] {
        let (status, problem) = weir.post("/feedback", wrong).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{problem}"
        );
    }
    let mut of_nobody = spent("7", 1.0);
    of_nobody["name"] = json!("nobody");
    assert_eq!(weir.post("/feedback", of_nobody).await.0, 404);
    // With a second model it must be said whose request it was.
    let second = json!({"name": "topic", "version": "1.0.0", "accuracy": 0.5, "runtime": vader()});
    assert_eq!(weir.post("/models", second).await.0, 200);
    let (status, problem) = weir.post("/feedback", spent("7", 1.0)).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (422, &json!("/name")),
        "{problem}"
    );
    weir.signal("-TERM");
    assert_clean(data.path());
}
