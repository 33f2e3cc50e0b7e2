//! Bandits on a real server, and what another policy would have earned.

use crate::weir::{Weir, afinn, assert_clean, directory, serve, vader};
use api::{Client, Feedback, PredictRequest};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn weights_follow_feedback_and_each_prediction_knows_its_propensity() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--tick-ms", "20"]);
    let weir = Weir::spawn(command);
    weir.register("1.0.0", vader()).await;
    weir.register("2.0.0", afinn()).await;
    let (status, draft) = weir
        .post(
            "/experiments",
            json!({
                "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "policy": "bandit",
                "bandit": {"update_seconds": 1, "burn_in_units": 50, "floor": 0.1, "max_change": 1},
                "primary_metric": "correct",
            }),
        )
        .await;
    assert_eq!(status, 200, "{draft}");
    let id = draft["experiment"].as_str().unwrap().to_owned();
    weir.post(&format!("/experiments/{id}/start"), json!({}))
        .await;

    let client = Client::new(&weir.address).unwrap();
    let mut events = client
        .events(&[("experiment", id.as_str()), ("after", "0")])
        .await
        .unwrap();
    let send = async |count: usize, from: usize| {
        let mut labels = Vec::new();
        for unit in from..from + count {
            let request = PredictRequest {
                text: Some("good".into()),
                unit_id: Some(format!("user-{unit}")),
                ..PredictRequest::default()
            };
            let reply = client.predict(&request).await.unwrap();
            // The candidate is right nine times in ten, the control half the time.
            let right = if reply.model_version == "2.0.0" {
                unit % 10 > 0
            } else {
                unit % 2 > 0
            };
            let label = if right { "positive" } else { "negative" };
            labels.push(Feedback {
                prediction_id: Some(reply.prediction_id),
                label: Some(label.into()),
                ..Feedback::default()
            });
        }
        client.feedback(&labels).await.unwrap();
    };
    // Model ids are random, and arms with them: enough units for chance to be five errors away.
    send(2500, 0).await;
    let share = loop {
        let entry = events.next().await.unwrap().unwrap();
        if entry.action == types::Action::ExperimentReweighted {
            assert_eq!(
                entry.detail["because"],
                "thompson computed new weights from the matured evidence."
            );
            break entry.detail["to"]["2.0.0"].as_f64().unwrap() / 100.0;
        }
    };
    // 0.1 + (1 − 2 · 0.1) w, with w near 1.
    assert!(share > 0.85 && share <= 0.9, "{share}");

    send(50, 5000).await;
    let (_, page) = weir.get("/predictions?limit=50").await;
    for prediction in page["predictions"].as_array().unwrap() {
        let candidate = prediction["model_version"] == "2.0.0";
        let published = if candidate { share } else { 1.0 - share };
        let stored = prediction["propensity"].as_f64().unwrap();
        // A later update may have moved it a little more.
        assert!((stored - published).abs() < 0.06, "{prediction} {share}");
    }
    let (_, results) = weir.get(&format!("/experiments/{id}/results")).await;
    let adaptive = &results["metrics"][0]["adaptive"];
    let means: Vec<f64> = (0..2)
        .map(|arm| adaptive["arms"][arm]["estimate"].as_f64().unwrap())
        .collect();
    assert!(
        (means[0] - 0.5).abs() < 0.1 && (means[1] - 0.9).abs() < 0.1,
        "{adaptive}"
    );
    assert!(results["notes"].as_array().unwrap().is_empty(), "{results}");

    // All on the candidate would have earned what the candidate earned.
    let question = json!({"name": "sentiment", "metric": "correct", "weights": {"2.0.0": 1}});
    let (status, answer) = weir.post("/evaluate", question).await;
    assert_eq!(status, 200, "{answer}");
    let value = answer["dr"]["value"].as_f64().unwrap();
    assert!((value - 0.9).abs() < 0.05, "{answer}");
    assert!(answer["logged"].as_f64().unwrap() < value);
    let question = json!({"name": "sentiment", "metric": "correct", "algorithm": "thompson",
        "update_seconds": 1});
    let (status, answer) = weir.post("/evaluate", question).await;
    assert_eq!(status, 200, "{answer}");

    for (question, status, code) in [
        (
            json!({"name": "sentiment", "metric": "nope", "weights": {"2.0.0": 1}}),
            422,
            "invalid_request",
        ),
        (
            json!({"name": "sentiment", "metric": "correct"}),
            422,
            "invalid_request",
        ),
        (
            json!({"name": "sentiment", "metric": "correct", "weights": {"2.0.0": 1},
                "until": "2001-01-01T00:00:00Z"}),
            422,
            "cannot_evaluate",
        ),
    ] {
        let (got, problem) = weir.post("/evaluate", question).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{problem}");
    }
    // Values of the last hour may still come.
    let bought = json!({"kind": "binary", "window_seconds": 3600, "missing": "failure"});
    let (status, declared) = weir.put("/metrics/sentiment/bought", bought).await;
    assert_eq!(status, 200, "{declared}");
    let mut question = json!({"name": "sentiment", "metric": "bought", "weights": {"2.0.0": 1}, "since": page["predictions"][49]["created_at"]});
    let (status, problem) = weir.post("/evaluate", question.clone()).await;
    let told = (status, problem["code"].as_str().unwrap());
    assert_eq!(told, (422, "cannot_evaluate"), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("the 3600 seconds in which a value of bought may come"),
        "{detail}"
    );
    // Nothing is old enough in the whole week either, and that is no mean of those that came.
    question.as_object_mut().unwrap().remove("since");
    let (status, problem) = weir.post("/evaluate", question).await;
    assert_eq!(status, 422, "{problem}");
    drop(weir);
    assert_clean(data.path());
}
