//! Outcomes of units: what users do later, told by another system.

use crate::weir::{Weir, afinn, assert_clean, directory, vader};
use serde_json::{Value, json};

async fn declare(weir: &Weir, metric: &str, body: Value) -> Value {
    let (status, declared) = weir
        .put(&format!("/metrics/sentiment/{metric}"), body)
        .await;
    assert_eq!(status, 200, "{declared}");
    declared
}

/// A running experiment on `revenue` and others per unit.
async fn started(weir: &Weir) -> String {
    for version in ["1.0.0", "2.0.0"] {
        let id = weir.register(version, vader()).await;
        weir.activate(&id, if version == "1.0.0" { 100.0 } else { 0.0 })
            .await;
    }
    let revenue = json!({"kind": "continuous", "direction": "up", "per": "unit", "window_seconds": 3600, "lower_bound": 0});
    let revenue = declare(weir, "revenue", revenue).await;
    assert_eq!(
        (&revenue["missing"], &revenue["combine"]),
        (&json!("zero"), &json!("sum"))
    );
    let bought =
        json!({"kind": "binary", "direction": "up", "per": "unit", "window_seconds": 3600});
    let bought = declare(weir, "bought", bought).await;
    assert_eq!(
        (&bought["missing"], &bought["combine"]),
        (&json!("failure"), &json!("any"))
    );
    let last = json!({"kind": "continuous", "per": "unit", "window_seconds": 3600, "combine": "last", "missing": "excluded"});
    declare(weir, "rating", last).await;
    declare(weir, "clicked", json!({"kind": "binary"})).await;
    let body = json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "weights": {"1.0.0": 50, "2.0.0": 50},
        "primary_metric": "revenue", "secondary_metrics": ["bought", "rating"],
    });
    let (status, created) = weir.post("/experiments", body).await;
    assert_eq!(status, 200, "{created}");
    let id = created["experiment"].as_str().unwrap().to_owned();
    let (status, started) = weir
        .post(&format!("/experiments/{id}/start"), json!({}))
        .await;
    assert_eq!(status, 200, "{started}");
    id
}

fn spent(unit: &str, value: f64) -> Value {
    json!({"unit_id": unit, "metric": "revenue", "value": value})
}

#[tokio::test]
async fn what_a_unit_does_later_counts_for_its_first_exposure() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let experiment = started(&weir).await;
    // Told before the unit was seen: it happened before, so it will not count.
    let (_, early) = weir.post("/feedback", spent("u1", 100.0)).await;
    assert_eq!(
        (&early["unmatched"], &early["receipts"][0]["experiments"]),
        (&json!(1), &json!([])),
        "{early}"
    );
    for unit in ["u1", "u2", "u1", "u3"] {
        let (status, _) = weir
            .post("/predict", json!({"text": "good", "unit_id": unit}))
            .await;
        assert_eq!(status, 200);
    }
    let mut bought = spent("u1", 20.0);
    bought["outcome_id"] = json!("order 1");
    let (_, told) = weir
        .post(
            "/feedback",
            json!([bought, bought, spent("u1", 2.5), spent("u2", 4.0)]),
        )
        .await;
    assert_eq!(
        (&told["recorded"], &told["duplicate"]),
        (&json!(3), &json!(1)),
        "{told}"
    );
    assert_eq!(told["receipts"][0]["experiments"], json!([experiment]));
    assert_eq!(
        (
            &told["receipts"][0]["unit_id"],
            &told["receipts"][0]["prediction_id"]
        ),
        (&json!("u1"), &json!(null))
    );
    let (_, kept) = weir.get("/outcomes?unit_id=u1&name=sentiment").await;
    let kept = kept["outcomes"].as_array().unwrap();
    let short = |at: usize| {
        (
            &kept[at]["value"],
            &kept[at]["outcome_id"],
            &kept[at]["exposed"],
        )
    };
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert_eq!(short(0), (&json!(100.0), &json!(null), &json!(true)));
    assert_eq!(short(1), (&json!(20.0), &json!("order 1"), &json!(true)));
    assert_eq!(
        weir.get("/outcomes?unit_id=nobody").await.1["outcomes"],
        json!([])
    );
    assert_eq!(weir.get("/outcomes?unit_id=").await.0, 422);
    // The same id with another value is another outcome.
    let mut other = bought.clone();
    other["value"] = json!(21.0);
    assert_eq!(weir.post("/feedback", other).await.0, 409);
    // Before the exposure, and it says so.
    let mut before = spent("u3", 7.0);
    before["at"] = json!("2026-01-01T00:00:00Z");
    let (_, told) = weir.post("/feedback", before).await;
    assert_eq!(
        (&told["recorded"], &told["receipts"][0]["not_counted"]),
        (&json!(1), &json!("before_exposure")),
        "{told}"
    );
    weir.signal("-KILL");
    let mut weir = Weir::start(data.path());
    let (_, again) = weir.post("/feedback", bought.clone()).await;
    assert_eq!(again["duplicate"], 1, "{again}");
    weir.signal("-TERM");
    assert_clean(data.path());
    // Two units of three have bought, for 22.5 and 4; squares are of units.
    assert_eq!(
        sums_of(data.path(), "revenue"),
        (3, 3, 26.5, 22.5f64.powi(2) + 16.0)
    );
}

/// Units, predictions that count, and the sums of a metric of the only experiment, from the rows.
fn sums_of(directory: &std::path::Path, metric: &str) -> (i64, i64, f64, f64) {
    let place = ["revenue", "bought", "rating"]
        .iter()
        .position(|known| *known == metric)
        .unwrap();
    let script = format!(
        "import sqlite3,sys\n\
         c = sqlite3.connect(sys.argv[1])\n\
         print(*c.execute('SELECT sum(units), sum(count), sum(sum), sum(sum_squares) FROM evidence WHERE metric = {place} AND start = -1').fetchone())"
    );
    let output = std::process::Command::new("python3")
        .args(["-c", &script])
        .arg(directory.join("weir.db"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let parts: Vec<&str> = text.split_whitespace().collect();
    (
        parts[0].parse().unwrap(),
        parts[1].parse().unwrap(),
        parts[2].parse().unwrap(),
        parts[3].parse().unwrap(),
    )
}

#[tokio::test]
async fn outcomes_combine_as_the_metric_says() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    started(&weir).await;
    for unit in 0..10 {
        weir.post(
            "/predict",
            json!({"text": "good", "unit_id": format!("u{unit}")}),
        )
        .await;
    }
    let outcome = |unit: u32, metric: &str, value: f64| json!({"unit_id": format!("u{unit}"), "metric": metric, "value": value});
    let told = json!([
        outcome(1, "bought", 1.0),
        outcome(1, "bought", 1.0),
        outcome(1, "bought", 0.0),
        outcome(2, "bought", 0.0),
        outcome(1, "rating", 5.0),
        outcome(1, "rating", 3.0),
        outcome(4, "rating", -2.0),
    ]);
    let (_, reply) = weir.post("/feedback", told).await;
    assert_eq!(reply["recorded"], 7, "{reply}");
    for (wrong, status, pointer) in [
        (
            json!({"unit_id": "u1", "metric": "clicked", "value": 1}),
            422,
            "/metric",
        ),
        (
            json!({"unit_id": "u1", "metric": "nonsense", "value": 1}),
            422,
            "/metric",
        ),
        (
            json!({"unit_id": "u1", "metric": "bought", "value": 2}),
            422,
            "/value",
        ),
        (
            json!({"unit_id": "u1", "metric": "revenue", "value": -1}),
            422,
            "/value",
        ),
        (json!({"unit_id": "u1", "label": 1}), 422, "/label"),
        (
            json!({"unit_id": "", "metric": "revenue", "value": 1}),
            422,
            "/unit_id",
        ),
        (
            json!({"unit_id": "u1", "metric": "revenue", "value": 1, "replace": true}),
            422,
            "/replace",
        ),
        (
            json!({"unit_id": "u1", "metric": "revenue", "value": 1, "request_id": "7"}),
            422,
            "/request_id",
        ),
        (
            json!({"unit_id": "u1", "metric": "revenue", "value": 1, "at": "2999-01-01T00:00:00Z"}),
            422,
            "/at",
        ),
        (
            json!({"unit_id": "u1", "metric": "revenue", "value": 1, "at": "1999-01-01T00:00:00Z"}),
            422,
            "/at",
        ),
        (
            json!({"unit_id": "u1", "metric": "revenue", "value": 1, "outcome_id": "\u{7}"}),
            422,
            "/outcome_id",
        ),
        (
            json!({"request_id": "7", "metric": "clicked", "value": 1, "at": "2026-11-01T00:00:00Z"}),
            422,
            "/at",
        ),
    ] {
        let (got, problem) = weir.post("/feedback", wrong.clone()).await;
        assert_eq!(
            (got, &problem["errors"][0]["pointer"]),
            (status, &json!(pointer)),
            "{wrong} {problem}"
        );
    }
    let mut of_nobody = json!({"unit_id": "u1", "metric": "revenue", "value": 1, "name": "nobody"});
    assert_eq!(weir.post("/feedback", of_nobody.clone()).await.0, 404);
    of_nobody["name"] = json!("sentiment");
    assert_eq!(weir.post("/feedback", of_nobody).await.0, 200);
    // By prediction it is refused.
    let (_, predicted) = weir.post("/predict", json!({"text": "good"})).await;
    let by_prediction =
        json!({"prediction_id": predicted["prediction_id"], "metric": "revenue", "value": 1});
    let (status, problem) = weir.post("/feedback", by_prediction).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (422, &json!("/metric")),
        "{problem}"
    );
    for (body, pointer) in [
        (
            json!({"kind": "continuous", "per": "unit"}),
            "/window_seconds",
        ),
        (
            json!({"kind": "binary", "per": "unit", "window_seconds": 5, "combine": "sum"}),
            "/combine",
        ),
        (
            json!({"kind": "continuous", "per": "unit", "window_seconds": 5, "combine": "count"}),
            "/combine",
        ),
        (json!({"kind": "continuous", "combine": "last"}), "/combine"),
    ] {
        let (status, problem) = weir.put("/metrics/sentiment/other", body).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{problem}"
        );
    }
    weir.signal("-TERM");
    assert_clean(data.path());
    assert_eq!(sums_of(data.path(), "bought"), (10, 10, 1.0, 1.0));
    assert_eq!(sums_of(data.path(), "rating"), (2, 2, 1.0, 13.0));
}

#[tokio::test]
async fn a_covariate_is_known_of_units_as_they_came() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    for (version, runtime, percent) in [("1.0.0", vader(), 100.0), ("2.0.0", afinn(), 0.0)] {
        let id = weir.register(version, runtime).await;
        weir.activate(&id, percent).await;
    }
    let of_units = json!({"kind": "continuous", "per": "unit", "window_seconds": 3600});
    for (covariate, change) in [
        (json!({"attribute": "a b"}), json!({})),
        (json!("before"), json!({"per": "prediction"})),
        (
            json!({"attribute": "age"}),
            json!({"kind": "binary", "per": "prediction", "missing": "excluded"}),
        ),
    ] {
        let mut body = of_units.clone();
        let members = body.as_object_mut().unwrap();
        members.extend(change.as_object().unwrap().clone());
        members.insert("covariate".into(), covariate);
        let (status, problem) = weir.put("/metrics/sentiment/revenue", body).await;
        assert_eq!(
            (status, problem["errors"][0]["pointer"].as_str()),
            (422, Some("/covariate")),
            "{problem}"
        );
    }
    for covariate in [json!("after"), json!(3), json!({"attribute": 3}), json!({})] {
        let mut body = of_units.clone();
        body["covariate"] = covariate;
        let (status, problem) = weir.put("/metrics/sentiment/revenue", body).await;
        assert_eq!(
            (status, &problem["code"]),
            (422, &json!("invalid_request")),
            "{problem}"
        );
    }
    let mut before = of_units.clone();
    before["covariate"] = json!("before");
    assert_eq!(
        declare(&weir, "revenue", before).await["covariate"],
        "before"
    );
    let mut age = of_units;
    age["covariate"] = json!({"attribute": "age"});
    assert_eq!(
        declare(&weir, "visits", age).await["covariate"],
        json!({"attribute": "age"})
    );
    let body = json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "weights": {"1.0.0": 50, "2.0.0": 50},
        "primary_metric": "revenue", "secondary_metrics": ["visits"],
    });
    let (_, created) = weir.post("/experiments", body).await;
    let id = created["experiment"].as_str().unwrap().to_owned();
    assert_eq!(
        weir.post(&format!("/experiments/{id}/start"), json!({}))
            .await
            .0,
        200
    );
    // What u1 spent before; u2 has an age, and another one later.
    assert_eq!(weir.post("/feedback", spent("u1", 30.0)).await.0, 200);
    for (unit, attributes) in [
        ("u1", json!({})),
        ("u2", json!({"age": 30})),
        ("u2", json!({"age": 31})),
        ("u3", json!({"age": "old"})),
    ] {
        let body = json!({"text": "good", "unit_id": unit, "attributes": attributes});
        assert_eq!(weir.post("/predict", body).await.0, 200);
    }
    assert_eq!(weir.post("/feedback", spent("u1", 7.0)).await.0, 200);
    let (_, results) = weir.get(&format!("/experiments/{id}/results")).await;
    let known = |at: usize| results["metrics"][at]["comparisons"][0]["covariate"].clone();
    // Nothing has matured.
    assert_eq!(known(0)["of"], 0, "{results}");
    assert_eq!(
        results["metrics"][2]["comparisons"][0]["covariate"],
        json!(null)
    );
    weir.signal("-TERM");
    assert_clean(data.path());
    let database = rusqlite::Connection::open(data.path().join("weir.db")).unwrap();
    let sql =
        "SELECT count(*) FROM evidence WHERE metric = ?1 AND start = -1 AND length(covariate) > 0";
    let with = |metric: i64| database.query_row(sql, [metric], |row| row.get::<_, i64>(0));
    // Of revenue all units are known: who spent nothing before, spent 0.
    assert!(with(0).unwrap() > 0);
    assert_eq!(with(1).unwrap(), 1);
}
