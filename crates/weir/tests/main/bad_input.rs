//! What does not fit is refused with the right status, changes nothing and is not logged.

use crate::weir::{Weir, afinn, assert_clean, directory, vader};
use serde_json::{Value, json};

async fn check(weir: &Weir, path: &str, body: Value, status: u16, code: &str, pointer: &str) {
    let (got, problem) = weir.post(path, body.clone()).await;
    assert_eq!(
        (got, problem["code"].as_str()),
        (status, Some(code)),
        "{path} {body}: {problem}"
    );
    assert!(problem["detail"].as_str().unwrap().len() > 10, "{problem}");
    if !pointer.is_empty() {
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

#[tokio::test]
async fn bad_input_changes_nothing() {
    let data = directory();
    let weir = Weir::start(data.path());
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    let before = (weir.get("/models").await, weir.get("/audit").await);

    let invalid = "invalid_request";
    let good = json!({"name": "m", "version": "1", "accuracy": 0.5});
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    for (key, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(201))),
        ("name", json!("a\u{7}")),
        ("name", json!(7)),
        ("version", json!("")),
        ("accuracy", json!(1.5)),
        ("accuracy", json!(-0.1)),
        ("accuracy", json!("high")),
        ("accuracy", json!(null)),
        ("tags", json!({"a": 1})),
    ] {
        let pointer = if key == "tags" {
            "/tags/a".into()
        } else {
            format!("/{key}")
        };
        check(&weir, "/models", with(key, value), 422, invalid, &pointer).await;
    }
    let deep = json!({"type": "http", "url": "http://127.0.0.1:1/", "probe": nested(33)});
    let deep = with("runtime", deep);
    check(&weir, "/models", deep, 422, invalid, "/runtime/probe").await;
    let ftp = json!({"type": "http", "url": "ftp://x"});
    check(
        &weir,
        "/models",
        with("runtime", ftp),
        422,
        invalid,
        "/runtime/url",
    )
    .await;
    check(&weir, "/models", json!({"name": "m"}), 422, invalid, "").await;
    let twice = json!({"name": "sentiment", "version": "1.0.0", "accuracy": 1});
    check(&weir, "/models", twice, 400, "duplicate_version", "").await;

    let activate = format!("/models/{id}/activate");
    for percent in [json!(-1), json!(100.5), json!("all"), json!(null)] {
        let body = json!({"traffic_percent": percent});
        check(&weir, &activate, body, 422, invalid, "/traffic_percent").await;
    }
    let unknown = "/models/model-000000000000/activate";
    check(
        &weir,
        unknown,
        json!({"traffic_percent": 1}),
        404,
        "version_not_found",
        "",
    )
    .await;

    for (body, status, code, pointer) in [
        (json!({}), 422, invalid, "/text"),
        (json!({"text": ""}), 422, invalid, "/text"),
        (json!({"text": 1}), 422, invalid, "/text"),
        (json!({"text": "a", "inputs": [1]}), 422, invalid, "/inputs"),
        (
            json!({"text": "a", "unit_id": ""}),
            422,
            invalid,
            "/unit_id",
        ),
        (
            json!({"text": "a", "name": "other"}),
            404,
            "model_not_found",
            "",
        ),
        (
            json!({"text": "a", "model_version": "9"}),
            404,
            "version_not_found",
            "",
        ),
    ] {
        check(&weir, "/predict", body, status, code, pointer).await;
    }
    let json_type = "application/json";
    for (body, content_type, status) in [
        (&b"{\"text\": \"a\""[..], json_type, 422),
        (b"{\"text\": NaN}", json_type, 422),
        (b"{\"text\": \"a\"} x", json_type, 422),
        (b"{\"text\": \"\xff\"}", json_type, 422),
        (b"", json_type, 422),
        (b"{\"text\": \"a\"}", "text/plain", 415),
    ] {
        let (got, problem) = weir.raw("/predict", content_type, body.to_vec()).await;
        assert_eq!(got, status, "{problem}");
    }
    let large = format!("{{\"text\": \"{}\"}}", "a".repeat(1 << 20));
    let (status, problem) = weir.raw("/predict", json_type, large.into_bytes()).await;
    assert_eq!((status, &problem["code"]), (413, &json!("body_too_large")));

    assert_eq!(weir.get("/nowhere").await.1["code"], "path_not_found");
    assert_eq!(
        weir.delete("/predict").await.1["code"],
        "method_not_allowed"
    );
    assert_eq!(weir.get("/models/performance?since=soon").await.0, 422);
    assert_eq!(weir.get("/models?status=odd").await.0, 422);
    assert_eq!(weir.get("/predictions?limit=0").await.0, 422);
    assert_eq!(weir.get("/predictions/abc").await.0, 404);
    let patch = json!({"status": "testing"});
    assert_eq!(
        weir.patch(&format!("/models/{id}"), patch).await.1["code"],
        "transition_not_allowed"
    );

    assert_eq!(
        (weir.get("/models").await, weir.get("/audit").await),
        before
    );
    assert_eq!(
        weir.get("/predictions").await.1["predictions"],
        json!([]),
        "something was logged"
    );
}

#[tokio::test]
async fn of_concurrent_registrations_exactly_one_wins() {
    let data = directory();
    let weir = std::sync::Arc::new(Weir::start(data.path()));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let weir = std::sync::Arc::clone(&weir);
        let body = json!({"name": "m", "version": "1", "accuracy": 0.5});
        calls.spawn(async move { weir.post("/models", body).await.0 });
    }
    let mut statuses = calls.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [&[200][..], &[400; 19]].concat());
}

#[tokio::test]
async fn of_several_models_the_default_one_is_meant_or_the_request_says_which() {
    let data = directory();
    let weir = Weir::start(data.path());
    assert_eq!(weir.get("/settings").await.1["default_model"], json!(null));
    let mut ids = Vec::new();
    for name in ["b", "a", "c"] {
        let body = json!({"name": name, "version": "1", "accuracy": 0.5});
        let (_, made) = weir.post("/models", body).await;
        ids.push(made["model_id"].as_str().unwrap().to_owned());
        weir.activate(&ids[ids.len() - 1], 100.0).await;
    }
    let answers = async |name: Option<&str>| {
        let mut body = json!({"text": "good"});
        if let Some(name) = name {
            body["name"] = name.into();
        }
        weir.post("/predict", body).await
    };
    // The first that became active.
    assert_eq!(weir.get("/settings").await.1["default_model"], "b");
    assert_eq!(answers(None).await.1["name"], "b");
    assert_eq!(answers(Some("c")).await.1["name"], "c");
    let set = json!({"name": "a"});
    let (status, settings) = weir.put("/settings/default_model", set.clone()).await;
    assert_eq!((status, &settings["default_model"]), (200, &json!("a")));
    assert_eq!(answers(None).await.1["name"], "a");
    // The same again is no change.
    let (_, again) = weir.put("/settings/default_model", set).await;
    assert_eq!(again["revision"], settings["revision"]);
    let (status, problem) = weir
        .put("/settings/default_model", json!({"name": "unknown"}))
        .await;
    assert_eq!((status, &problem["code"]), (404, &json!("model_not_found")));
    // While it has no active version nobody knows which of the others is meant.
    let deactivate = async |id: &str| {
        let path = format!("/models/{id}/deactivate");
        assert_eq!(weir.post(&path, json!({})).await.0, 200);
    };
    deactivate(&ids[1]).await;
    let (status, problem) = answers(None).await;
    assert_eq!((status, &problem["code"]), (400, &json!("ambiguous_model")));
    assert!(problem["detail"].as_str().unwrap().contains("b, c"));
    deactivate(&ids[2]).await;
    assert_eq!(answers(None).await.1["name"], "b");
    let (_, audit) = weir.get("/audit?limit=1000").await;
    let of_settings = audit["entries"].as_array().unwrap().iter();
    let of_settings: Vec<_> = of_settings
        .filter(|entry| entry["name"].is_null())
        .map(|entry| (&entry["action"], &entry["detail"]["to"]))
        .collect();
    let action = &json!("default_model.set");
    assert_eq!(of_settings, [(action, &json!("a")), (action, &json!("b"))]);
    drop(weir);
    assert_clean(data.path());
    let weir = Weir::start(data.path());
    assert_eq!(weir.get("/settings").await.1["default_model"], "a");
    // Of a model that is gone nothing can be the default.
    assert_eq!(weir.delete(&format!("/models/{}", ids[1])).await.0, 200);
    assert_eq!(weir.get("/settings").await.1["default_model"], "b");
    drop(weir);
    assert_clean(data.path());
}

#[tokio::test]
async fn an_ambiguous_pin_lists_who_could_answer() {
    let data = directory();
    let weir = Weir::start(data.path());
    for name in ["a", "b"] {
        let body = json!({"name": name, "version": "1", "accuracy": 0.5});
        let id = weir.post("/models", body).await.1["model_id"]
            .as_str()
            .unwrap()
            .to_owned();
        weir.patch(&format!("/models/{id}"), json!({"status": "testing"}))
            .await;
    }
    let request = json!({"text": "good", "model_version": "1"});
    let (status, problem) = weir.post("/predict", request).await;
    assert_eq!((status, &problem["code"]), (400, &json!("ambiguous_model")));
    assert!(
        problem["detail"].as_str().unwrap().contains("a, b"),
        "{problem}"
    );
}

#[tokio::test]
async fn what_would_do_something_else_than_it_says_is_refused() {
    let directory = directory();
    let weir = Weir::start(directory.path());
    weir.register("1", vader()).await;
    let kept = json!({"max_age_seconds": 3600});
    assert_eq!(weir.put("/retention/sentiment", kept).await.0, 200);
    let http = |more: Value| {
        let mut runtime = json!({"type": "http", "url": "http://127.0.0.1:1/"});
        runtime["headers"] = more["headers"].clone();
        json!({"name": "a", "version": "1", "accuracy": 0.5, "runtime": runtime})
    };
    for (method, path, body, status, says) in [
        // The values of a list would be taken for fields in their order, and none of them for a reset.
        (
            "PUT",
            "/privacy/sentiment",
            json!({"inputs": []}),
            422,
            "/inputs",
        ),
        (
            "PUT",
            "/rules/sentiment",
            json!({"rules": [["x = 1", "1"]]}),
            422,
            "/rules/0",
        ),
        (
            "POST",
            "/models",
            json!({"name": "a", "version": "1", "accuracy": 0.5, "runtime": ["sentiment"]}),
            422,
            "/runtime",
        ),
        // It would be stored and shown.
        (
            "POST",
            "/models",
            http(json!({"headers": {"x-goog-api-key": "abcdefgh"}})),
            422,
            "/runtime/headers",
        ),
        // Its predictions would be gone before its values come.
        (
            "PUT",
            "/metrics/sentiment/late",
            json!({"kind": "binary", "window_seconds": 604_800}),
            409,
            "kept_too_short",
        ),
        // They fit no model.
        (
            "POST",
            "/keys",
            json!({"role": "viewer", "models": [" fraud-*"]}),
            422,
            "/models/0",
        ),
        (
            "POST",
            "/keys",
            json!({"role": "viewer", "models": ["fraud\u{200b}-*"]}),
            422,
            "/models/0",
        ),
        (
            "POST",
            "/models",
            json!({"name": "\u{fb01}x", "version": "1", "accuracy": 0.5}),
            422,
            "/name",
        ),
        (
            "POST",
            "/models",
            json!({"name": "a", "version": "\u{301}1", "accuracy": 0.5}),
            422,
            "/version",
        ),
    ] {
        let (found, problem) = match method {
            "PUT" => weir.put(path, body.clone()).await,
            _ => weir.post(path, body.clone()).await,
        };
        assert_eq!(found, status, "{body} {problem}");
        assert!(problem.to_string().contains(says), "{body} {problem}");
    }
    let events = weir
        .http
        .get(weir.url("/events"))
        .header("last-event-id", "zzz");
    assert_eq!(events.send().await.unwrap().status(), 422);
    // Whoever does not say for whom a request is gets no answer to it, at whatever path.
    for path in ["/health", "/nowhere"] {
        let mut stream =
            std::net::TcpStream::connect(weir.address.trim_start_matches("http://")).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(&mut stream, &mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 400"), "{path}: {said}");
    }
}

#[tokio::test]
async fn a_template_is_kept_as_it_was_written() {
    let directory = directory();
    let weir = Weir::start(directory.path());
    let template = r#"{"z": 12345678901234567890123, "inputs" : ["{input}"], "a":1.0}"#;
    let body = format!(
        r#"{{"name":"raw","version":"1","accuracy":0.5,"runtime":{{"type":"http","url":"http://127.0.0.1:1/","template":{template}}}}}"#
    );
    let call = weir
        .http
        .post(weir.url("/models"))
        .header("content-type", "application/json");
    let made = call.body(body).send().await.unwrap();
    assert_eq!(made.status(), 200);
    let shown = async |weir: &Weir| {
        let shown = weir.http.get(weir.url("/models")).send().await.unwrap();
        shown.text().await.unwrap().contains(template)
    };
    assert!(shown(&weir).await);
    drop(weir);
    // What its event says is the same.
    assert_clean(directory.path());
    assert!(shown(&Weir::start(directory.path())).await);
}

#[tokio::test]
async fn what_nobody_knows_is_refused_with_the_name_that_was_meant() {
    let directory = directory();
    let weir = Weir::start(directory.path());
    let one = weir.register("1", vader()).await;
    weir.activate(&one, 100.0).await;
    let chat = |more: &str| json!({"type": "openai", "url": "http://127.0.0.1:1/v1", "model": "m", more: "x"});
    for (path, body, pointer, meant) in [
        (
            "/models",
            json!({"name": "a", "version": "1", "accuracy": 0.5, "runtme": vader()}),
            "/runtme",
            "runtime",
        ),
        (
            "/models",
            json!({"name": "a", "version": "1", "accuracy": 0.5, "runtime": {"type": "sentiment", "metod": "afinn"}}),
            "/runtime/metod",
            "method",
        ),
        (
            "/models",
            json!({"name": "a", "version": "1", "accuracy": 0.5, "runtime": chat("sytem")}),
            "/runtime/sytem",
            "system",
        ),
        (
            "/models",
            json!({"name": "a", "version": "1", "accuracy": 0.5, "runtime": chat("timeout")}),
            "/runtime/timeout",
            "timeout_ms",
        ),
        (
            "/predict",
            json!({"text": "good", "unit": "u"}),
            "/unit",
            "unit_id",
        ),
        (
            "/predict",
            json!({"text": "good", "model_verison": "1"}),
            "/model_verison",
            "model_version",
        ),
        (
            "/predict?dryrun=true",
            json!({"text": "good"}),
            "?dryrun",
            "",
        ),
        (
            "/experiments/exp-000000000000/start?dryrun=true",
            json!({}),
            "?dryrun",
            "dry_run",
        ),
        (
            "/experiments/exp-000000000000/stop?reson=x",
            json!({}),
            "?reson",
            "reason",
        ),
    ] {
        let (status, problem) = weir.post(path, body).await;
        assert_eq!(
            (status, &problem["code"]),
            (422, &json!("invalid_request")),
            "{path} {problem}"
        );
        assert_eq!(
            problem["errors"][0]["pointer"],
            json!(pointer),
            "{path} {problem}"
        );
        let detail = problem["errors"][0]["detail"].as_str().unwrap();
        let wanted = match meant {
            "" => "is not known: this call takes none".into(),
            meant => format!("is not known; perhaps you mean {meant}"),
        };
        assert_eq!(detail, wanted, "{path}");
    }
    for (path, pointer) in [
        ("/models?verison=2", "?verison"),
        ("/predictions?modelid=x", "?modelid"),
        ("/models/performance?form=x", "?form"),
    ] {
        let (status, problem) = weir.get(path).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{path}"
        );
    }
    // Readers of other protocols and probes are lenient.
    for path in [
        "/health?t=1",
        "/health/ready?probe=x",
        "/v2/health/live?x=1",
        "/v1/models?limit=5",
    ] {
        assert_eq!(weir.get(path).await.0, 200, "{path}");
    }
    let line = weir
        .post(
            "/feedback",
            json!([{"unit": "u", "metric": "m", "value": 1}]),
        )
        .await;
    assert!(
        line.1
            .to_string()
            .contains("has a field unit, which is not known; perhaps you mean unit_id"),
        "{line:?}"
    );
}

#[tokio::test]
async fn bodies_come_packed_and_with_marks() {
    use std::io::Write;
    let directory = directory();
    let weir = Weir::start(directory.path());
    let one = weir.register("1", vader()).await;
    weir.activate(&one, 100.0).await;
    let packed = |body: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(body).unwrap();
        packer.finish().unwrap()
    };
    let send = async |path: &str, kind: &str, encoding: &str, body: Vec<u8>| {
        let request = weir.http.post(weir.url(path)).body(body);
        let request = request
            .header("content-type", kind)
            .header("content-encoding", encoding);
        let reply = request.send().await.unwrap();
        (
            reply.status().as_u16(),
            reply.json::<Value>().await.unwrap(),
        )
    };
    let (json_type, text) = ("application/json", br#"{"text": "good"}"#);
    assert_eq!(
        send("/predict", json_type, "gzip", packed(text)).await.0,
        200
    );
    assert_eq!(
        send("/predict", json_type, "identity", text.to_vec())
            .await
            .0,
        200
    );
    let marked = [b"\xef\xbb\xbf", &text[..]].concat();
    assert_eq!(
        send("/predict", json_type, "identity", marked.clone())
            .await
            .0,
        200
    );
    assert_eq!(
        send("/predict", json_type, "gzip", packed(&marked)).await.0,
        200
    );
    let (status, problem) = send("/predict", json_type, "br", text.to_vec()).await;
    assert_eq!(
        (status, &problem["code"]),
        (415, &json!("unsupported_media_type")),
        "{problem}"
    );
    let (status, problem) = send("/predict", json_type, "gzip", text.to_vec()).await;
    assert_eq!(status, 422, "{problem}");
    let bomb = packed(&vec![b' '; 64 << 20]);
    let (status, problem) = send("/predict", json_type, "gzip", bomb.clone()).await;
    assert_eq!(
        (status, &problem["code"]),
        (413, &json!("body_too_large")),
        "{problem}"
    );
    assert_eq!(
        send("/feedback", "application/x-ndjson", "gzip", bomb)
            .await
            .0,
        413
    );
    let line = br#"{"unit_id": "u", "metric": "m", "value": 1, "name": "sentiment"}"#;
    let (status, told) = send("/feedback", "application/x-ndjson", "gzip", packed(line)).await;
    assert!(
        status < 500 && told.to_string().contains("metric"),
        "{status} {told}"
    );
}

#[tokio::test]
async fn names_are_told_apart_by_eye() {
    let directory = directory();
    let weir = Weir::start(directory.path());
    for (name, says) in [
        ("..", "steps in a path"),
        (".", "steps in a path"),
        ("fraud\u{200b}", "cannot be seen"),
        ("fraud\u{202e}duarf", "cannot be seen"),
        ("\u{3164}x", "cannot be seen"),
        ("caf\u{65}\u{301}", "composed form"),
    ] {
        for (model, version, pointer) in [(name, "1", "/name"), ("m", name, "/version")] {
            let body = json!({"name": model, "version": version, "accuracy": 0.5});
            let (status, problem) = weir.post("/models", body).await;
            assert_eq!(
                (status, &problem["errors"][0]["pointer"]),
                (422, &json!(pointer)),
                "{problem}"
            );
            assert!(
                problem["errors"][0]["detail"]
                    .as_str()
                    .unwrap()
                    .contains(says),
                "{problem}"
            );
        }
    }
    for name in ["caf\u{e9}", "fraud v2.1", "詐欺", "...", "a..b"] {
        let body = json!({"name": name, "version": "1", "accuracy": 0.5});
        assert_eq!(weir.post("/models", body).await.0, 200, "{name}");
    }
}

/// What a call does not read says nothing to it: a dry run that is asked for in the wrong place is none.
#[tokio::test]
async fn what_nobody_reads_is_refused() {
    let data = directory();
    let weir = Weir::start(data.path());
    let one = weir.register("1", vader()).await;
    weir.register("2", afinn()).await;
    weir.activate(&one, 100.0).await;
    let body = json!({"name": "sentiment", "control": "1", "candidates": ["2"], "primary_metric": "error"});
    let (_, made) = weir.post("/experiments", body).await;
    let experiment = format!("/experiments/{}", made["experiment"].as_str().unwrap());
    let start = format!("{experiment}/start");
    let (status, refused) = weir.post(&start, json!({"dry_run": true})).await;
    assert_eq!(
        (status, &refused["errors"][0]["pointer"]),
        (422, &json!("/dry_run")),
        "{refused}"
    );
    assert!(
        refused["detail"].as_str().unwrap().contains("?dry_run="),
        "{refused}"
    );
    let (status, _) = weir.post(&start, json!([1])).await;
    assert_eq!(
        (status, &weir.get(&experiment).await.1["status"]),
        (422, &json!("draft"))
    );
    let (status, _) = weir
        .post(
            &format!("/models/{one}/deactivate"),
            json!({"takeover": true}),
        )
        .await;
    assert_eq!(status, 422);
    // An empty object says nothing.
    assert_eq!(weir.post(&start, json!({})).await.0, 200);
    // A position that nobody can have is not one after which nothing has come.
    let (status, refused) = weir.get("/predictions?after_position=99999999").await;
    assert_eq!(
        (status, &refused["errors"][0]["pointer"]),
        (422, &json!("?after_position"))
    );
    // Blanks that look like others make no other names.
    for name in ["a\u{a0}b", "a  b", "a\u{2003}b", "a\u{e000}"] {
        let body = json!({"name": name, "version": "1", "accuracy": 0.5});
        assert_eq!(weir.post("/models", body).await.0, 422, "{name:?}");
    }
}
