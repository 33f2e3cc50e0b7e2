//! Versions that a model service elsewhere runs, and what happens when it fails.

use crate::weir::{Weir, assert_clean, directory, vader};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

pub(crate) struct ModelService {
    process: Child,
    port: String,
}

impl ModelService {
    pub(crate) fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/model_service.py");
        let mut command = Command::new("python3");
        command
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().expect("python3 is needed by the tests");
        let mut port = String::new();
        BufReader::new(process.stdout.as_mut().unwrap())
            .read_line(&mut port)
            .unwrap();
        Self {
            process,
            port: port.trim().to_owned(),
        }
    }

    pub(crate) fn runtime(&self) -> Value {
        json!({
            "type": "http",
            "url": format!("http://127.0.0.1:{}/predict", self.port),
            "prediction_pointer": "/result/label",
            "confidence_pointer": "/result/score",
            "error_pointer": "/error",
            "timeout_ms": 300,
        })
    }
}

impl Drop for ModelService {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_failing_version_is_answered_for() {
    let data = directory();
    let weir = Weir::start(data.path());
    let service = ModelService::start();
    let remote = weir.register("remote", service.runtime()).await;
    let local = weir.register("local", vader()).await;
    weir.activate(&remote, 100.0).await;
    let predict = async |text: &str| weir.post("/predict", json!({"text": text})).await;

    let (status, reply) = predict("good").await;
    assert_eq!(
        (status, &reply["prediction"], &reply["confidence"]),
        (200, &json!("positive"), &json!(0.75))
    );
    let (status, reply) = weir.post("/predict", json!({"inputs": [1, 2]})).await;
    assert_eq!((status, &reply["prediction"]), (200, &json!("negative")));

    // Alone, its failures are the caller's, and they are on the log.
    for (text, status, says) in [
        ("fail", 502, "500"),
        ("report", 502, "asked to report"),
        ("junk", 502, "not JSON"),
        ("hang", 504, "300 ms"),
    ] {
        let (got, problem) = predict(text).await;
        assert_eq!(got, status, "{problem}");
        let path = format!(
            "/predictions/{}",
            problem["prediction_id"].as_str().unwrap()
        );
        let (_, logged) = weir.get(&path).await;
        assert_eq!(
            (&logged["status"], &logged["served_model_id"]),
            (&json!("error"), &json!(null))
        );
        assert!(logged["error"].as_str().unwrap().contains(says), "{logged}");
    }

    // With another version active, that one answers; the record keeps both.
    weir.activate(&local, 0.001).await;
    drop(service);
    let (status, reply) = predict("good").await;
    assert_eq!(
        (status, &reply["model_id"], &reply["served_model_id"]),
        (200, &json!(remote), &json!(local))
    );
    let (_, log) = weir.get("/predictions?status=fallback").await;
    assert_eq!(
        log["predictions"][0]["prediction_id"],
        reply["prediction_id"]
    );
    let (_, report) = weir.get("/models/performance?name=sentiment").await;
    let models = report["models"].as_array().unwrap();
    let remote_row = models
        .iter()
        .find(|m| m["model_id"] == json!(remote))
        .unwrap();
    assert_eq!(
        (&remote_row["error_count"], &remote_row["fallback_count"]),
        (&json!(5), &json!(1))
    );

    // The fallback can be turned off.
    let revision = weir.get("/traffic/sentiment").await.1["revision"].clone();
    let off = json!({"revision": revision, "weights": {"remote": 99.999, "local": 0.001}, "fallback": false});
    assert_eq!(weir.put("/traffic/sentiment", off).await.0, 200);
    assert_eq!(predict("good").await.0, 502);

    // A version that does not answer cannot be activated again.
    weir.post(&format!("/models/{remote}/deactivate"), json!({}))
        .await;
    let body = json!({"traffic_percent": 50});
    let (status, problem) = weir.post(&format!("/models/{remote}/activate"), body).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("runtime_not_ready"))
    );
    drop(weir);
    assert_clean(data.path());
}
