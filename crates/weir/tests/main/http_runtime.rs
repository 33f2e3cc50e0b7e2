//! Versions that a model service elsewhere runs, and what happens when it fails.

use crate::weir::{Weir, assert_clean, directory, serve, vader};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

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
    for (text, status, says, failure) in [
        ("fail", 502, "500", "failed"),
        ("report", 502, "asked to report", "failed"),
        ("junk", 502, "not JSON", "bad_reply"),
        ("hang", 504, "300 ms", "timeout"),
    ] {
        let (got, problem) = predict(text).await;
        assert_eq!(got, status, "{problem}");
        let path = format!(
            "/predictions/{}",
            problem["prediction_id"].as_str().unwrap()
        );
        let (_, logged) = weir.get(&path).await;
        assert_eq!(
            (
                &logged["status"],
                &logged["served_model_id"],
                &logged["failure"]
            ),
            (&json!("error"), &json!(null), &json!(failure))
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
    assert_eq!(log["predictions"][0]["failure"], "unreachable");
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

#[tokio::test]
async fn a_version_that_keeps_failing_is_not_called_until_its_probe_is_answered() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let service = ModelService::start();
    let remote = weir.register("remote", service.runtime()).await;
    weir.activate(&remote, 100.0).await;
    let busy = json!({"text": "#busy"});
    let (status, problem) = weir.post("/predict", busy).await;
    assert_eq!(
        (status, &problem["code"]),
        (503, &json!("model_overloaded")),
        "{problem}"
    );
    let local = weir.register("local", vader()).await;
    weir.activate(&local, 0.0).await;
    let logged_error = async |reply: &Value| {
        let path = format!("/predictions/{}", reply["prediction_id"].as_str().unwrap());
        weir.get(&path).await.1["error"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    // One that has too much to do is well, and so is one that refuses.
    for text in ["#busy", "#refuse"] {
        for _ in 0..12 {
            weir.post("/predict", json!({"text": text})).await;
        }
    }
    let (_, version) = weir.get(&format!("/models/{remote}")).await;
    assert_eq!(version.get("refusing"), None, "{version}");
    let mut errors = Vec::new();
    for _ in 0..14 {
        let (status, reply) = weir.post("/predict", json!({"text": "fail"})).await;
        assert_eq!(
            (status, &reply["served_model_id"]),
            (200, &json!(local)),
            "{reply}"
        );
        errors.push(logged_error(&reply).await);
    }
    assert!(errors[0].contains("500"), "{errors:?}");
    assert!(
        errors[13].contains("keeps failing") && errors[13].contains("500"),
        "{errors:?}"
    );
    let path = format!("/models/{remote}");
    let (_, version) = weir.get(&path).await;
    assert!(
        version["refusing"].as_str().unwrap().contains("500"),
        "{version}"
    );
    while weir.get(&path).await.1.get("refusing").is_some() {
        tokio::task::yield_now().await;
    }
    let (_, reply) = weir.post("/predict", json!({"text": "good"})).await;
    assert_eq!(reply["served_model_id"], json!(remote), "{reply}");
    weir.signal("-TERM");
    assert_clean(data.path());
}

#[tokio::test]
async fn a_version_that_hangs_leaves_its_fallback_time_to_answer() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--predict-timeout-ms", "900"]);
    let weir = Weir::spawn(command);
    let service = ModelService::start();
    let mut runtime = service.runtime();
    runtime["timeout_ms"] = json!(10_000);
    runtime["max_concurrency"] = json!(1);
    let remote = weir.register("remote", runtime.clone()).await;
    let local = weir.register("local", vader()).await;
    weir.activate(&remote, 100.0).await;
    weir.activate(&local, 0.0).await;
    let hang = async || weir.post("/predict", json!({"text": "hang"})).await;
    let (one, two) = tokio::join!(hang(), hang());
    let mut errors = Vec::new();
    for (status, reply) in [one, two] {
        assert_eq!(
            (status, &reply["served_model_id"]),
            (200, &json!(local)),
            "{reply}"
        );
        let path = format!("/predictions/{}", reply["prediction_id"].as_str().unwrap());
        errors.push(
            weir.get(&path).await.1["error"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    errors.sort();
    assert!(
        errors[0].starts_with("1 calls of the version"),
        "{errors:?}"
    );
    assert!(errors[1].starts_with("no answer within"), "{errors:?}");
    runtime["max_concurrency"] = json!(0);
    let body = json!({"name": "sentiment", "version": "3", "accuracy": 0.5, "runtime": runtime});
    let (status, problem) = weir.post("/models", body).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (422, &json!("/runtime/max_concurrency")),
        "{problem}"
    );
}

#[tokio::test]
async fn json_goes_out_comes_back_and_is_logged_as_it_came() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let service = ModelService::start();
    let mut runtime = service.runtime();
    runtime["input_pointer"] = json!("/echo");
    runtime["prediction_pointer"] = json!("/echo");
    runtime["confidence_pointer"] = json!("/sure");
    runtime["probe"] = json!({"of": "no text"});
    let id = weir.register("echo", runtime).await;
    weir.activate(&id, 100.0).await;
    let odd =
        r#"{"b": 12345678901234567890123, "a" : [1.0,1e2, 0.1000], "b":"\u00e9", "text": {}}"#;
    let body = format!(r#"{{"inputs": {odd}, "request_id": "one"}}"#);
    let send = async |request: reqwest::RequestBuilder| {
        let request = request.header("content-type", "application/json");
        request.send().await.unwrap().text().await.unwrap()
    };
    let client = reqwest::Client::new();
    let predict = async || send(client.post(weir.url("/predict")).body(body.clone())).await;
    let reply: Value = serde_json::from_str(&predict().await).unwrap();
    let text = predict().await;
    assert!(
        text.contains(odd) && text.contains("\"repeated\":true"),
        "{text}"
    );
    let path = format!("/predictions/{}", reply["prediction_id"].as_str().unwrap());
    let logged = send(client.get(weir.url(&path))).await;
    assert_eq!(logged.matches(odd).count(), 2, "{logged}");
    let deep = format!(r#"{{"inputs": {}{}}}"#, "[".repeat(1000), "]".repeat(1000));
    let (status, problem) = weir.raw("/predict", "application/json", deep.into()).await;
    assert_eq!(status, 422, "{problem}");
    weir.signal("-TERM");
    assert_clean(data.path());
}

#[tokio::test]
async fn services_are_called_as_they_are() {
    let (data, secrets) = (directory(), directory());
    std::fs::write(secrets.path().join("token"), "from-a-file\n").unwrap();
    let mut command = serve(data.path());
    command.arg("--secrets-dir").arg(secrets.path());
    command.env("WEIR_SECRET_KEY", "from-the-environment");
    // Nobody is asked on the way to this machine.
    command.env("HTTP_PROXY", "http://127.0.0.1:9/");
    let mut weir = Weir::spawn(command);
    let service = ModelService::start();
    let mut runtime = service.runtime();
    let settings = json!({
        "headers": {"x-team": "a", "x-key": {"env": "WEIR_SECRET_KEY"}},
        "bearer": {"file": "token"},
        "template": {"asked": "{input}", "about": ["all"]},
        "refused_statuses": [404, 422],
        "busy_statuses": [418],
        "timeout_ms": 3000,
    });
    runtime
        .as_object_mut()
        .unwrap()
        .extend(settings.as_object().unwrap().clone());
    let id = weir.register("remote", runtime.clone()).await;
    weir.activate(&id, 100.0).await;
    let predict = async |text: &str| weir.post("/predict", json!({"text": text})).await;
    for (text, label) in [
        ("#header x-team", "a"),
        ("#header x-key", "from-the-environment"),
        ("#header authorization", "Bearer from-a-file"),
        ("#gzip", "small"),
        ("#drop one", "negative"),
    ] {
        let (status, reply) = predict(text).await;
        assert_eq!(
            (status, &reply["prediction"]),
            (200, &json!(label)),
            "{text}: {reply}"
        );
    }
    for (text, status, code) in [
        ("#status 404", 422, "input_rejected"),
        ("#status 400", 502, "model_failed"),
        ("#status 418", 503, "model_overloaded"),
        ("#status 503", 502, "model_failed"),
        ("#bomb", 502, "model_failed"),
        ("#tell authorization", 502, "model_failed"),
    ] {
        let (got, problem) = predict(text).await;
        assert_eq!(
            (got, problem["code"].as_str()),
            (status, Some(code)),
            "{text}: {problem}"
        );
        let said = problem["detail"].as_str().unwrap();
        assert!(!said.contains("from-a-file"), "{said}");
        assert_eq!(
            said.contains("[secret]"),
            text.starts_with("#tell"),
            "{said}"
        );
    }
    // What is secret is nowhere.
    let (_, version) = weir.get(&format!("/models/{id}")).await;
    assert_eq!(version["runtime"]["bearer"], json!({"file": "token"}));
    for (settings, says) in [
        (json!({"bearer": {"file": "missing"}}), "missing"),
        (json!({"bearer": {"env": "WEIR_SECRET_NONE"}}), "is not set"),
    ] {
        runtime
            .as_object_mut()
            .unwrap()
            .extend(settings.as_object().unwrap().clone());
        let id = weir
            .register(says.replace(' ', "-").as_str(), runtime.clone())
            .await;
        let body = json!({"traffic_percent": 10});
        let (status, problem) = weir.post(&format!("/models/{id}/activate"), body).await;
        assert_eq!(status, 409, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(says),
            "{problem}"
        );
    }
    weir.signal("-TERM");
    assert_clean(data.path());
    let database = std::fs::read(data.path().join("weir.db")).unwrap();
    let database = String::from_utf8_lossy(&database);
    assert!(database.contains("WEIR_SECRET_KEY"));
    // The service has told two of them back, which is logged; the settings hold none.
    let sql = "SELECT count(*) FROM versions WHERE runtime LIKE '%from-%'";
    let connection = rusqlite::Connection::open(data.path().join("weir.db")).unwrap();
    assert_eq!(
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn a_version_whose_secret_comes_late_is_loaded_when_it_comes() {
    let (data, secrets) = (directory(), directory());
    let token = secrets.path().join("token");
    std::fs::write(&token, "first").unwrap();
    let start = || {
        let mut command = serve(data.path());
        command.arg("--secrets-dir").arg(secrets.path());
        Weir::spawn(command)
    };
    let mut weir = start();
    let service = ModelService::start();
    let mut runtime = service.runtime();
    runtime["bearer"] = json!({"file": "token"});
    let id = weir.register("remote", runtime).await;
    weir.activate(&id, 100.0).await;
    weir.signal("-TERM");

    std::fs::remove_file(&token).unwrap();
    let weir = start();
    let ask = async || {
        let asked = json!({"text": "#header authorization"});
        weir.post("/predict", asked).await
    };
    let (status, problem) = ask().await;
    assert_eq!((status, &problem["code"]), (502, &json!("model_failed")));
    let (_, version) = weir.get(&format!("/models/{id}")).await;
    let broken = version["broken"].as_str().unwrap();
    assert!(broken.contains("the secret token"), "{broken}");
    let (status, ready) = weir.get("/health/ready").await;
    let said = ready["reasons"][0].as_str().unwrap_or_default();
    assert_eq!((status, &ready["status"]), (200, &json!("degraded")));
    assert!(
        said.starts_with("version_not_answering: sentiment remote: the secret token"),
        "{ready}"
    );

    std::fs::write(&token, "second").unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    let (status, reply) = loop {
        let (status, reply) = ask().await;
        if status != 502 || Instant::now() > end {
            break (status, reply);
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        (status, &reply["prediction"]),
        (200, &json!("Bearer second")),
        "{reply}"
    );
    let (_, version) = weir.get(&format!("/models/{id}")).await;
    assert_eq!(version["broken"], Value::Null);
}
