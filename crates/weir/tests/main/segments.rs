//! Results by segment.

use crate::weir::{Weir, assert_clean, directory, vader};
use serde_json::{Value, json};

async fn created(weir: &Weir, dimensions: Value) -> (u16, Value) {
    let body = json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "weights": {"1.0.0": 50, "2.0.0": 50},
        "primary_metric": "revenue", "dimensions": dimensions,
    });
    weir.post("/experiments", body).await
}

#[tokio::test]
async fn results_come_by_what_was_known_of_units_at_their_first_exposure() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    for version in ["1.0.0", "2.0.0"] {
        let id = weir.register(version, vader()).await;
        weir.activate(&id, if version == "1.0.0" { 100.0 } else { 0.0 })
            .await;
    }
    let revenue =
        json!({"kind": "continuous", "per": "unit", "window_seconds": 1, "combine": "sum"});
    assert_eq!(weir.put("/metrics/sentiment/revenue", revenue).await.0, 200);
    for (wrong, pointer) in [
        (json!(["a b"]), "/dimensions/0"),
        (json!(["country", "country"]), "/dimensions/1"),
        (json!(["a", "b", "c", "d", "e", "f"]), "/dimensions"),
    ] {
        let (status, problem) = created(&weir, wrong).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{problem}"
        );
    }
    let (status, experiment) = created(&weir, json!(["country", "beta"])).await;
    assert_eq!(
        (status, &experiment["dimensions"]),
        (200, &json!(["country", "beta"])),
        "{experiment}"
    );
    let id = experiment["experiment"].as_str().unwrap();
    assert_eq!(
        weir.post(&format!("/experiments/{id}/start"), json!({}))
            .await
            .0,
        200
    );
    let mut outcomes = Vec::new();
    for unit in 0..60 {
        let name = format!("u{unit}");
        // 30 values of a country: 20 are told apart.
        let attributes = json!({"country": format!("C{}", unit % 30), "beta": unit % 2 == 0});
        weir.post(
            "/predict",
            json!({"text": "good", "unit_id": name, "attributes": attributes}),
        )
        .await;
        // What is said of it later changes nothing, and who says nothing has none.
        weir.post(
            "/predict",
            json!({"text": "good", "unit_id": name, "attributes": {"country": "moved"}}),
        )
        .await;
        weir.post("/predict", json!({"text": "good"})).await;
        outcomes.push(json!({"unit_id": name, "metric": "revenue", "value": unit}));
    }
    assert_eq!(
        weir.post("/feedback", json!(outcomes)).await.1["recorded"],
        60
    );
    let segments = |results: &Value| -> Vec<(String, String, u64)> {
        let each = results["segments"].as_array().unwrap().iter();
        let of = |segment: &Value| {
            let value = segment["value"]
                .as_str()
                .unwrap_or(segment["kind"].as_str().unwrap());
            let units = segment["units"].as_array().unwrap().iter();
            let units = units.map(|units| units.as_u64().unwrap()).sum();
            (
                segment["dimension"].as_str().unwrap().to_owned(),
                value.to_owned(),
                units,
            )
        };
        each.map(of).collect()
    };
    let path = format!("/experiments/{id}/results");
    let before = segments(&weir.get(&path).await.1);
    let find = |dimension: &str, value: &str| {
        let found = before
            .iter()
            .find(|found| found.0 == dimension && found.1 == value);
        found.map(|found| found.2)
    };
    assert_eq!(
        (find("country", "C7"), find("country", "C25")),
        (Some(2), None),
        "{before:?}"
    );
    assert_eq!(
        (find("country", "other"), find("country", "none")),
        (Some(20), Some(60)),
        "{before:?}"
    );
    assert_eq!(
        (
            find("beta", "true"),
            find("beta", "false"),
            find("beta", "none")
        ),
        (Some(30), Some(30), Some(60))
    );
    assert_eq!(find("country", "moved"), None);
    // Each dimension has all units, once.
    for dimension in ["country", "beta"] {
        let units: u64 = before
            .iter()
            .filter(|found| found.0 == dimension)
            .map(|found| found.2)
            .sum();
        assert_eq!(units, 120, "{before:?}");
    }
    weir.signal("-KILL");
    let mut weir = Weir::start(data.path());
    weir.post(
        "/predict",
        json!({"text": "good", "unit_id": "late", "attributes": {"country": "C1", "beta": true}}),
    )
    .await;
    let (_, results) = weir.get(&path).await;
    let after = segments(&results);
    assert!(
        after.contains(&("country".into(), "C1".into(), 3)),
        "{after:?}"
    );
    let revenue = &results["segments"][0]["metrics"][0];
    assert_eq!(
        (&revenue["metric"], &revenue["comparisons"][0]["version"]),
        (&json!("revenue"), &json!("2.0.0"))
    );
    weir.signal("-TERM");
    assert_clean(data.path());
}
