//! A person's first hour, step by step.

use crate::weir::{Weir, afinn, assert_clean, directory, vader};
use serde_json::json;

#[tokio::test]
async fn a_first_hour() {
    let data = directory();
    let weir = Weir::start(data.path());
    assert_eq!(
        weir.get("/health").await,
        (200, json!({"status": "healthy"}))
    );
    assert_eq!(weir.get("/health/ready").await.0, 200);
    let (status, problem) = weir.post("/predict", json!({"text": "good"})).await;
    assert_eq!(
        (status, &problem["code"]),
        (503, &json!("no_active_version"))
    );

    // Two versions, 70/30.
    let one = weir.register("1.0.0", afinn()).await;
    let two = weir.register("2.0.0", vader()).await;
    let first = weir.activate(&one, 70.0).await;
    assert!(
        first["warning"].as_str().unwrap().contains("70 %"),
        "{first}"
    );
    assert!(first["activated_at"].is_string());
    let second = weir.activate(&two, 30.0).await;
    assert_eq!(
        (&second["warning"], &second["status"]),
        (&json!(null), &json!("active"))
    );

    // A hundred predictions.
    for n in 0..100 {
        let unit = format!("user-{n}");
        let request = json!({"text": "This is really great!", "unit_id": unit});
        let (status, reply) = weir.post("/predict", request.clone()).await;
        assert_eq!(
            (status, &reply["prediction"]),
            (200, &json!("positive")),
            "{reply}"
        );
        assert_eq!(reply["model_id"], reply["served_model_id"]);
        if n < 5 {
            let again = weir.post("/predict", request).await.1;
            assert_eq!(again["model_id"], reply["model_id"], "a unit moved");
            assert_ne!(again["prediction_id"], reply["prediction_id"]);
        }
    }

    // The split and the report.
    let (_, traffic) = weir.get("/traffic/sentiment").await;
    assert_eq!(traffic["versions"][0]["share"], json!(0.7));
    let (_, report) = weir.get("/models/performance").await;
    assert_eq!(report["total_requests"], json!(105));
    let of = |id: &str| {
        let models = report["models"].as_array().unwrap();
        models.iter().find(|m| m["model_id"] == id).unwrap().clone()
    };
    let (first, second) = (of(&one), of(&two));
    let count = |model: &serde_json::Value| model["request_count"].as_u64().unwrap();
    assert_eq!(count(&first) + count(&second), 105);
    assert!((50..=90).contains(&count(&first)), "{first}");
    assert!(first["p99_latency_ms"].as_f64().unwrap() > 0.0);
    assert!(
        report["recommendation"]
            .as_str()
            .unwrap()
            .starts_with("No recommendation")
    );
    let (_, future) = weir
        .get("/models/performance?since=2100-01-01T00:00:00Z")
        .await;
    assert_eq!(future["total_requests"], json!(0));

    // The log, page by page.
    let (_, page) = weir
        .get("/predictions?limit=60&name=sentiment&status=ok")
        .await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let (_, rest) = weir
        .get(&format!("/predictions?limit=60&cursor={cursor}"))
        .await;
    assert_eq!(rest["predictions"].as_array().unwrap().len(), 45);
    assert_eq!(rest["next_cursor"], json!(null));
    let mut newest = page["predictions"][0].clone();
    let path = format!("/predictions/{}", newest["prediction_id"].as_str().unwrap());
    newest["feedback"] = json!([]);
    assert_eq!(weir.get(&path).await.1, newest);
    assert_eq!(newest["reason"], "weights");

    // Weights at once, with a revision; aliases; the audit.
    let revision = traffic["revision"].as_i64().unwrap();
    let change = json!({"revision": revision, "weights": {"2.0.0": 100}});
    let (status, changed) = weir.put("/traffic/sentiment", change.clone()).await;
    assert_eq!((status, &changed["revision"]), (200, &json!(revision + 1)));
    let (status, stale) = weir.put("/traffic/sentiment", change).await;
    assert_eq!((status, &stale["code"]), (409, &json!("stale_revision")));
    let (_, alias) = weir
        .put("/aliases/sentiment/champion", json!({"version": "2.0.0"}))
        .await;
    assert_eq!(alias["model_id"], json!(two));
    let (_, audit) = weir.get("/audit?name=sentiment").await;
    let actions: Vec<_> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["action"].as_str().unwrap())
        .collect();
    let want = [
        "alias.set",
        "traffic.set",
        "version.activated",
        "version.activated",
        "version.registered",
        "version.registered",
    ];
    assert_eq!(actions, want);

    // Pins, testing, deletion.
    let path = format!("/models/{one}");
    assert_eq!(weir.delete(&path).await.1["code"], "version_active");
    assert_eq!(
        weir.post(&format!("{path}/deactivate"), json!({})).await.1["status"],
        "inactive"
    );
    assert_eq!(
        weir.patch(&path, json!({"status": "testing"})).await.1["status"],
        "testing"
    );
    let pinned = json!({"text": "fine", "model_version": "1.0.0"});
    let (status, reply) = weir.post("/predict", pinned.clone()).await;
    assert_eq!((status, &reply["model_id"]), (200, &json!(one)));
    assert_eq!(
        weir.patch(&path, json!({"status": "deprecated"})).await.0,
        200
    );
    assert_eq!(weir.post("/predict", pinned).await.0, 404);
    assert_eq!(weir.delete(&path).await.0, 200);
    assert_eq!(weir.get(&path).await.0, 404);
    let (_, report) = weir.get("/models/performance").await;
    assert_eq!(report["models"].as_array().unwrap().len(), 1);
    drop(weir);
    assert_clean(data.path());

    // It is all there after a restart.
    let weir = Weir::start(data.path());
    assert_eq!(weir.get("/models/performance").await.1, report);
    assert_eq!(weir.get("/aliases/sentiment/champion").await.1, alias);
}
