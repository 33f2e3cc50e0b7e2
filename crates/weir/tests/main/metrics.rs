//! `/metrics`, `Server-Timing` and traces: what a platform engineer sees.

use crate::http_runtime::ModelService;
use crate::weir::{Weir, directory, serve, vader};
use serde_json::json;
use std::collections::BTreeSet;

fn file(path: &str) -> String {
    let path = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

async fn scrape(weir: &Weir) -> String {
    let ask = weir.http.get(weir.url("/metrics"));
    let ask = ask.header(
        "accept",
        "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3",
    );
    let reply = ask.send().await.unwrap();
    assert_eq!(reply.status(), 200);
    let kind = reply.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    reply.text().await.unwrap()
}

/// The series whose name begins so, without their values.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find(|line| line.starts_with(series));
    let line = line.unwrap_or_else(|| panic!("{series} is not in {metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn everything_is_counted_and_every_metric_is_described() {
    let data = directory();
    let weir = Weir::start(data.path());
    let one = weir.register("1", vader()).await;
    weir.activate(&one, 100.0).await;
    let two = weir.register("2", vader()).await;
    for _ in 0..3 {
        assert_eq!(weir.post("/predict", json!({"text": "good"})).await.0, 200);
    }
    assert_eq!(weir.post("/predict", json!({"inputs": [1]})).await.0, 422);
    weir.get("/nothing/here").await;
    weir.post("/webhooks", json!({"url": "https://example.com/"}))
        .await;
    let rollout = json!({"name": "sentiment", "control": "1", "candidates": ["2"], "policy": "rollout", "primary_metric": "error"});
    let (status, made) = weir.post("/experiments", rollout).await;
    assert_eq!(status, 200, "{made}");
    let id = made["experiment"].as_str().unwrap();
    assert_eq!(
        weir.post(&format!("/experiments/{id}/start"), json!({}))
            .await
            .0,
        200
    );
    // What was answered is counted when the log has been read.
    assert_eq!(weir.get("/models/performance").await.0, 200);
    let metrics = scrape(&weir).await;
    for (series, wanted) in [
        (
            "weir_predictions_total{name=\"sentiment\",version=\"1\",status=\"ok\"}",
            3.0,
        ),
        (
            "weir_predictions_total{name=\"sentiment\",version=\"1\",status=\"rejected\"}",
            1.0,
        ),
        (
            "weir_prediction_latency_seconds_count{name=\"sentiment\",version=\"1\"}",
            3.0,
        ),
        (
            "weir_http_requests_total{method=\"POST\",route=\"/predict\",status=\"2xx\"}",
            3.0,
        ),
        (
            "weir_http_requests_total{method=\"POST\",route=\"/predict\",status=\"4xx\"}",
            1.0,
        ),
        (
            "weir_http_requests_total{method=\"other\",route=\"other\",status=\"4xx\"}",
            1.0,
        ),
        ("weir_problems_total{code=\"input_rejected\"}", 1.0),
        ("weir_version_called{name=\"sentiment\",version=\"1\"}", 1.0),
        ("weir_version_share{name=\"sentiment\",version=\"2\"}", 0.01),
        (
            &format!(
                "weir_experiment_step{{name=\"sentiment\",experiment=\"{id}\",policy=\"rollout\"}}"
            ),
            1.0,
        ),
        ("weir_log_writable", 1.0),
    ] {
        assert_eq!(value(&metrics, series), wanted, "{series}");
    }
    assert!(metrics.ends_with("# EOF\n"));
    every_sample_is_described_in_the_older_format(&weir).await;
    let described = file("docs/operations.md");
    let families: BTreeSet<&str> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    for family in &families {
        assert!(
            described.contains(&format!("`{family}")),
            "docs/operations.md has no {family}"
        );
    }
    let alerts = file("deploy/alerts.yml");
    for word in alerts.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
        let family = word.strip_suffix("_total").unwrap_or(word);
        if word.starts_with("weir_") {
            assert!(
                families.contains(family),
                "an alert is on {word}, which is no metric"
            );
        }
    }
    let names = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    for name in names {
        assert!(
            described.contains(&format!("`{name}`")),
            "docs/operations.md has no {name}"
        );
        assert!(
            file("deploy/alerts_test.yml").contains(name),
            "nothing tests {name}"
        );
    }
    drop((weir, two));
}

/// Whoever does not ask for OpenMetrics gets the older format, in which a description has the name of its samples.
async fn every_sample_is_described_in_the_older_format(weir: &Weir) {
    let reply = weir.http.get(weir.url("/metrics")).send().await.unwrap();
    let kind = reply.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    let text = reply.text().await.unwrap();
    let described = |kind: &str| -> BTreeSet<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(kind));
        lines
            .filter_map(|line| line.split(' ').next())
            .map(str::to_owned)
            .collect()
    };
    let (helps, types) = (described("# HELP "), described("# TYPE "));
    assert_eq!(helps, types);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let of_histogram = ["_bucket", "_sum", "_count"].map(|end| name.strip_suffix(end));
        let mut names = of_histogram.into_iter().flatten().chain([name]);
        assert!(names.any(|name| types.contains(name)), "{line}");
    }
    assert!(!text.contains("EOF") && !text.contains("# UNIT"));
}

#[tokio::test]
async fn a_trace_goes_on_to_the_service_and_into_the_log() {
    let (data, logs) = (directory(), directory());
    let log = logs.path().join("log");
    let mut command = serve(data.path());
    command.args(["--log-format", "json"]);
    command
        .env("WEIR_LOG", "debug")
        .stderr(std::fs::File::create(&log).unwrap());
    let mut weir = Weir::spawn(command);
    let service = ModelService::start();
    let id = weir.register("remote", service.runtime()).await;
    weir.activate(&id, 100.0).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let ask = async |text: &str, parent: &str| {
        let request = weir
            .http
            .post(weir.url("/predict"))
            .json(&json!({"text": text}));
        let request = request
            .header("traceparent", parent)
            .header("tracestate", "a=1");
        request.send().await.unwrap()
    };
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let reply = ask("#header traceparent", &parent).await;
    let timing = reply.headers()["server-timing"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        timing.starts_with("weir;dur=") && timing.contains(", model;dur="),
        "{timing}"
    );
    let said: serde_json::Value = reply.json().await.unwrap();
    assert_eq!(said["prediction"], json!(parent), "{said}");
    let said: serde_json::Value = ask("#header tracestate", &parent)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(said["prediction"], json!("a=1"));
    // What is no trace is passed over.
    let said: serde_json::Value = ask("#header traceparent", "nonsense")
        .await
        .json()
        .await
        .unwrap();
    assert_ne!(said["prediction"], json!("nonsense"), "{said}");
    weir.signal("-TERM");
    let lines = std::fs::read_to_string(&log).unwrap();
    for line in lines.lines() {
        let _: serde_json::Value = serde_json::from_str(line).unwrap();
    }
}
