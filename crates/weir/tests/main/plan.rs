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

#[tokio::test]
async fn where_nothing_that_comes_is_a_zero_it_is_one_everywhere() {
    let data = directory();
    let weir = Weir::start(data.path());
    for version in ["1.0.0", "2.0.0"] {
        let id = weir.register(version, crate::weir::vader()).await;
        weir.activate(&id, 50.0).await;
    }
    let revenue = json!({"kind": "continuous", "window_seconds": 5, "missing": "zero"});
    assert_eq!(weir.put("/metrics/sentiment/revenue", revenue).await.0, 200);
    let experiment = json!({"name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"],
        "weights": {"1.0.0": 50, "2.0.0": 50}, "primary_metric": "revenue"});
    let (_, experiment) = weir.post("/experiments", experiment).await;
    let id = experiment["experiment"].as_str().unwrap();
    let start = format!("/experiments/{id}/start");
    assert_eq!(weir.post(&start, json!({})).await.0, 200);
    // One in ten buys, for 20 where the control answers and for 30 where the candidate does; the others send nothing.
    let mut sums = [(0.0, 0.0); 2];
    let mut bought = Vec::new();
    for unit in 0..600 {
        let body = json!({"text": "good", "unit_id": format!("u{unit}")});
        let (_, reply) = weir.post("/predict", body).await;
        let arm = usize::from(reply["model_version"] == "2.0.0");
        sums[arm].0 += 1.0;
        if unit % 10 == 0 {
            let value = [20.0, 30.0][arm];
            sums[arm].1 += value;
            bought.push(json!({"prediction_id": reply["prediction_id"], "metric": "revenue", "value": value}));
        }
    }
    assert_eq!(weir.post("/feedback", json!(bought)).await.0, 200);
    let means = sums.map(|(n, sum)| sum / n);
    let all = (sums[0].1 + sums[1].1) / 600.0;
    let arms = loop {
        let (_, results) = weir.get(&format!("/experiments/{id}/results")).await;
        let arms = results["metrics"][0]["arms"].clone();
        let matured = |arm: usize| arms[arm]["units"].as_f64().unwrap();
        if matured(0) + matured(1) == 600.0 {
            break arms;
        }
    };
    for arm in 0..2 {
        let mean = arms[arm]["mean"].as_f64().unwrap();
        assert!((mean - means[arm]).abs() < 1e-9, "{arms} {means:?}");
    }
    let missing = |arm: usize| arms[arm]["missing"].as_u64().unwrap();
    assert_eq!(missing(0) + missing(1), 540, "{arms}");
    let (status, planned) = weir
        .post("/plan", json!({"name": "sentiment", "metric": "revenue"}))
        .await;
    assert_eq!(status, 200, "{planned}");
    let log = &planned["from_log"];
    assert_eq!(log["units"], 600, "{log}");
    assert!(
        (log["baseline"].as_f64().unwrap() - all).abs() < 1e-9,
        "{log} {all}"
    );
    for (weights, want) in [
        (json!({"1.0.0": 1}), means[0]),
        (json!({"2.0.0": 1}), means[1]),
    ] {
        let question = json!({"name": "sentiment", "metric": "revenue", "weights": weights});
        let (status, answer) = weir.post("/evaluate", question).await;
        assert_eq!(status, 200, "{answer}");
        assert!(
            (answer["logged"].as_f64().unwrap() - all).abs() < 1e-9,
            "{answer}"
        );
        // Weighed by shares that were promised, and not by those that came.
        let value = answer["snips"]["value"].as_f64().unwrap();
        assert!((value - want).abs() < 1e-9, "{answer} {want}");
    }
    drop(weir);
    crate::weir::assert_clean(data.path());
}

#[tokio::test]
async fn a_log_of_ones_own_is_played_as_a_a_experiments() {
    let data = directory();
    let weir = Weir::start(data.path());
    let id = weir.register("1.0.0", crate::weir::vader()).await;
    weir.activate(&id, 100.0).await;
    let clicked = json!({"kind": "binary"});
    assert_eq!(weir.put("/metrics/sentiment/clicked", clicked).await.0, 200);
    let aa = |more: &[&str]| {
        let mut all = vec![
            "simulate",
            "aa",
            "--model",
            "sentiment",
            "--metric",
            "clicked",
        ];
        all.extend(["--url", &weir.address, "--runs", "40"]);
        all.extend(more);
        std::process::Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(all)
            .output()
            .unwrap()
    };
    // Nothing is there yet.
    let refused = aa(&[]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && text.contains("at least 100 are needed"),
        "{text}"
    );
    let mut feedback = Vec::new();
    for unit in 0..600 {
        let body = json!({"text": "good", "unit_id": format!("u{}", unit % 300)});
        let (_, reply) = weir.post("/predict", body).await;
        let value = u8::from(unit % 3 == 0);
        feedback.push(
            json!({"prediction_id": reply["prediction_id"], "metric": "clicked", "value": value}),
        );
    }
    assert_eq!(weir.post("/feedback", json!(feedback)).await.0, 200);
    let ask = json!({"name": "sentiment", "metric": "clicked"});
    let (status, units) = weir.post("/plan/units", ask).await;
    assert_eq!(status, 200, "{units}");
    let units = units["units"].as_array().unwrap();
    let sum = |at: usize| {
        units
            .iter()
            .map(|unit| unit[at].as_f64().unwrap())
            .sum::<f64>()
    };
    assert_eq!((units.len(), sum(0), sum(1)), (300, 600.0, 200.0));
    let played = aa(&["--since", "1d", "--json"]);
    let report: Value = serde_json::from_slice(&played.stdout).unwrap();
    assert_eq!(
        (&report["units"], &report["runs"]),
        (&json!(300), &json!(40))
    );
    assert!(report["false_alarms"].as_f64().unwrap() <= 0.2, "{report}");
    let text = String::from_utf8(aa(&[]).stdout).unwrap();
    assert!(
        text.contains("40 A/A experiments on 300 units")
            && text.contains("promised at most 5.00 %"),
        "{text}"
    );
    for wrong in [["--share", "1"], ["--alpha", "0.5"], ["--since", "soon"]] {
        assert!(!aa(&wrong).status.success(), "{wrong:?}");
    }
    for (body, pointer) in [
        (json!({"name": "sentiment", "metric": "nothing"}), "/metric"),
        (
            json!({"name": "sentiment", "metric": "clicked", "since": "soon"}),
            "/since",
        ),
    ] {
        let (status, problem) = weir.post("/plan/units", body).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{problem}"
        );
    }
    let nobody = json!({"name": "nobody", "metric": "clicked"});
    assert_eq!(weir.post("/plan/units", nobody).await.0, 404);
}
