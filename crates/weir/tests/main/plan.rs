//! Planning, on the command line and over HTTP.

use crate::weir::{BINARY, Weir, directory};
use serde_json::{Value, json};
use std::process::Command;

fn plan(arguments: &[&str]) -> std::process::Output {
    Command::new(BINARY)
        .arg("plan")
        .args(arguments)
        .output()
        .unwrap()
}

#[tokio::test]
async fn the_common_claim_holds_where_it_holds() {
    let data = directory();
    let weir = Weir::start(data.path());
    for (arguments, body, units) in [
        (
            vec!["--baseline", "0.5", "--effect", "0.05", "--json"],
            json!({"baseline": 0.5, "effect": 0.05}),
            1565.0,
        ),
        (
            vec![
                "--baseline",
                "0.1",
                "--effect",
                "0.05",
                "--relative",
                "--json",
            ],
            json!({"baseline": 0.1, "effect": 0.05, "relative": true}),
            57_763.0,
        ),
    ] {
        let output = plan(&arguments);
        let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(planned["candidate_units"], json!(units));
        let (status, served) = weir.post("/plan", body).await;
        assert_eq!((status, served), (200, planned));
    }
    let output = plan(&["--baseline", "0.5", "--effect", "0.05", "--per-day", "313"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("1,565") && text.contains("10 days"), "{text}");

    let output = plan(&["--baseline", "0.5", "--effect", "0.7"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("effect") && text.contains("hint:"), "{text}");
    let (status, problem) = weir
        .post("/plan", json!({"baseline": 0.5, "effect": 0.7}))
        .await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (422, &json!("/effect"))
    );
}

#[tokio::test]
async fn the_log_tells_what_a_plan_needs() {
    let data = directory();
    let weir = Weir::start(data.path());
    let id = weir.register("1.0.0", crate::weir::vader()).await;
    weir.activate(&id, 100.0).await;
    let declare = json!({"kind": "continuous", "direction": "up"});
    assert_eq!(weir.put("/metrics/sentiment/revenue", declare).await.0, 200);
    let mut feedback = Vec::new();
    for unit in 0..200 {
        let body = json!({"text": "good", "unit_id": format!("u{unit}")});
        let (_, reply) = weir.post("/predict", body).await;
        // A mean of 3 and a variance of 1.
        let value = if unit % 2 == 0 { 2.0 } else { 4.0 };
        feedback.push(
            json!({"prediction_id": reply["prediction_id"], "metric": "revenue", "value": value}),
        );
    }
    let ask = json!({"name": "sentiment", "metric": "revenue"});
    let (status, problem) = weir.post("/plan", ask.clone()).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (422, &json!("/metric")),
        "{problem}"
    );
    assert_eq!(weir.post("/feedback", json!(feedback)).await.0, 200);
    let (status, planned) = weir.post("/plan", ask).await;
    assert_eq!(status, 200, "{planned}");
    let log = &planned["from_log"];
    assert_eq!(
        (&log["baseline"], &log["units"], &log["is_share"]),
        (&json!(3.0), &json!(200), &json!(false))
    );
    let deviation = log["standard_deviation"].as_f64().unwrap();
    assert!(
        (deviation - (200.0f64 / 199.0).sqrt()).abs() < 1e-12,
        "{deviation}"
    );
    let numbers =
        json!({"baseline": 3.0, "standard_deviation": deviation, "effect": 0.1, "relative": true});
    let (_, by_numbers) = weir.post("/plan", numbers).await;
    assert_eq!(planned["total_units"], by_numbers["total_units"]);
    assert_eq!(
        (&log["per_day"], &planned["days"]),
        (&json!(null), &json!(null)),
        "a log of seconds tells no days"
    );

    let asked = plan(&[
        "--model",
        "sentiment",
        "--metric",
        "revenue",
        "--since",
        "14d",
        "--url",
        &weir.address,
    ]);
    let text = String::from_utf8(asked.stdout).unwrap();
    assert!(
        text.contains("from the log: 200 units since") && text.contains("less than a day"),
        "{text}"
    );
    let refused = plan(&[
        "--model",
        "sentiment",
        "--metric",
        "revenue",
        "--since",
        "soon",
        "--url",
        &weir.address,
    ]);
    assert!(!refused.status.success());
    for (body, pointer) in [
        (json!({}), "/baseline"),
        (json!({"name": "sentiment"}), "/metric"),
        (json!({"name": "sentiment", "metric": "slow"}), "/metric"),
        (json!({"name": "sentiment", "metric": "nothing"}), "/metric"),
        // Without one error there is no rate of errors.
        (json!({"name": "sentiment", "metric": "error"}), "/metric"),
        (
            json!({"name": "sentiment", "metric": "error", "baseline": 0.1}),
            "/baseline",
        ),
        (
            json!({"name": "sentiment", "metric": "error", "since": "soon"}),
            "/since",
        ),
    ] {
        let (status, problem) = weir.post("/plan", body.clone()).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{body}: {problem}"
        );
    }
    let (status, _) = weir
        .post("/plan", json!({"name": "x", "metric": "error"}))
        .await;
    assert_eq!(status, 404);
}
