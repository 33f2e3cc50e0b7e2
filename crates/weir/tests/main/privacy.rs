//! What is kept of predictions, for how long, and who is erased.

use crate::http_runtime::ModelService;
use crate::weir::{BINARY, Weir, assert_clean, directory, serve, vader};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

async fn predict(server: &Weir, body: Value) -> Value {
    let (status, reply) = server.post("/predict", body).await;
    assert_eq!(status, 200, "{reply}");
    reply
}

async fn logged(server: &Weir, id: &Value) -> Value {
    let (status, found) = server
        .get(&format!("/predictions/{}", id.as_str().unwrap()))
        .await;
    assert_eq!(status, 200, "{found}");
    found
}

#[tokio::test]
async fn rules_are_applied_before_anything_is_written() {
    let data = directory();
    let server = Weir::start(data.path());
    let one = server.register("1", vader()).await;
    server.activate(&one, 100.0).await;
    let (status, privacy) = server.get("/privacy/sentiment").await;
    assert_eq!((status, &privacy["inputs"]["keep"]), (200, &json!("full")));
    let rules = json!({
        "inputs": {"redact_patterns": [r"[\w.]+@[\w.]+"]},
        "outputs": {"keep": "hashed"},
        "attributes": {"keep": "none"},
    });
    let (status, set) = server.put("/privacy/sentiment", rules.clone()).await;
    assert_eq!(status, 200, "{set}");
    let secret = "swordfish@example.org";
    let asked = json!({
        "text": format!("good, says {secret}"),
        "unit_id": "user-1",
        "attributes": {"mail": secret},
        "request_id": "r-1",
    });
    let reply = predict(&server, asked.clone()).await;
    assert_eq!(reply["prediction"], "positive", "the caller gets all of it");
    let found = logged(&server, &reply["prediction_id"]).await;
    assert_eq!(found["text"], "good, says [redacted]");
    assert_eq!(found["attributes"], json!({}));
    assert_eq!(
        found["kept"],
        json!({"inputs": "redacted", "outputs": "hashed", "attributes": "none"})
    );
    let hash = found["prediction"].as_str().unwrap();
    assert!(hash.starts_with("hmac:") && hash.len() == 37, "{hash}");
    // The same answer has the same hash, and labels are compared by it.
    let again = predict(&server, json!({"text": "great and good"})).await;
    let other = logged(&server, &again["prediction_id"]).await;
    assert_eq!(other["prediction"], hash);
    for (label, right) in [("positive", 1.0), ("negative", 0.0)] {
        let id = if right == 1.0 { &reply } else { &again };
        let feedback = json!([{"prediction_id": id["prediction_id"], "label": label}]);
        let (_, receipt) = server.post("/feedback", feedback).await;
        assert_eq!(receipt["receipts"][0]["value"], right, "{receipt}");
    }
    // A repeat cannot be answered with what is not there.
    let (status, refused) = server.post("/predict", asked).await;
    assert_eq!((status, &refused["code"]), (409, &json!("answer_not_kept")));
    assert_eq!(refused["prediction_id"], reply["prediction_id"]);
    // One in ten units in full, and of the others nothing.
    let rules = json!({"inputs": {"sample_percent": 10}});
    assert_eq!(server.put("/privacy/sentiment", rules).await.0, 200);
    let mut kept = 0;
    for n in 0..100 {
        let body = json!({"text": "sampled", "unit_id": format!("user {n}")});
        let reply = predict(&server, body.clone()).await;
        let found = logged(&server, &reply["prediction_id"]).await;
        let is_kept = found["text"] == "sampled";
        assert_eq!(is_kept, found["kept"].is_null(), "{found}");
        kept += usize::from(is_kept);
    }
    assert!((1..30).contains(&kept), "{kept}");
    let (_, audit) = server.get("/audit?name=sentiment&limit=5").await;
    assert_eq!(audit["entries"][0]["action"], "privacy.set");
    drop(server);
    assert_clean(data.path());
    assert!(!holds(data.path(), secret), "it is in a file");
}

/// Whether a text stands in any file below a directory.
fn holds(directory: &Path, text: &str) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn rules_that_make_no_sense_are_refused_with_their_places() {
    let data = directory();
    let server = Weir::start(data.path());
    server.register("1", vader()).await;
    for (rules, pointer) in [
        (
            json!({"inputs": {"redact_patterns": ["a", "("]}}),
            "/inputs/redact_patterns/1",
        ),
        (
            json!({"outputs": {"redact_patterns": ["x*"]}}),
            "/outputs/redact_patterns/0",
        ),
        (
            json!({"inputs": {"redact_patterns": ["(a{1000}){1000}"]}}),
            "/inputs/redact_patterns/0",
        ),
        (
            json!({"inputs": {"sample_percent": 101}}),
            "/inputs/sample_percent",
        ),
        (
            json!({"inputs": {"redact_pointers": ["email"]}}),
            "/inputs/redact_pointers/0",
        ),
        (json!({"inputs": {"keep": "some"}}), "/inputs/keep"),
        (json!({"input": {"keep": "none"}}), "/input"),
        (json!({"inputs": {"kepe": "none"}}), "/inputs/kepe"),
    ] {
        let (status, refused) = server.put("/privacy/sentiment", rules.clone()).await;
        assert_eq!(status, 422, "{rules}: {refused}");
        assert_eq!(
            refused["errors"][0]["pointer"], pointer,
            "{rules}: {refused}"
        );
    }
    for (retention, code) in [
        (json!({"max_age_seconds": 5}), "invalid_request"),
        (json!({"max_rows": 0}), "invalid_request"),
        (
            json!({"max_age_seconds": 7200, "content_max_age_seconds": 7200}),
            "invalid_request",
        ),
        (json!({"max_age": 7200}), "invalid_request"),
    ] {
        let (status, refused) = server.put("/retention/sentiment", retention.clone()).await;
        assert_eq!(
            (status, refused["code"].as_str()),
            (422, Some(code)),
            "{retention}: {refused}"
        );
    }
    let week = json!({"kind": "binary", "window_seconds": 604_800});
    assert_eq!(server.put("/metrics/sentiment/bought", week).await.0, 200);
    let day = json!({"max_age_seconds": 86_400});
    let (status, refused) = server.put("/retention/sentiment", day).await;
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("kept_too_short")),
        "{refused}"
    );
    assert_eq!(server.get("/privacy/nobody").await.0, 404);
    assert_eq!(server.get("/erasures/erasure-0123456789ab").await.0, 404);
    let (status, refused) = server.post("/erasures", json!({"unit_id": ""})).await;
    assert_eq!(status, 422, "{refused}");
}

fn weir(server: &Weir, args: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(args).args(["--url", &server.address]);
    command.output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_is_gone_from_files_replies_and_the_audit() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--predict-timeout-ms", "300"]);
    command.env("WEIR_LOG", "debug");
    let log = data.path().with_extension("log");
    command.stderr(std::fs::File::create(&log).unwrap());
    let mut server = Weir::spawn(command);
    let one = server.register("1", vader()).await;
    server.activate(&one, 100.0).await;
    let (who, words) = ("mallory@example.org", "the words of swordfish");
    let mut ids = Vec::new();
    for n in 0..20 {
        let unit = if n % 2 == 0 { who } else { "trent" };
        let body = json!({
            "text": format!("good: {words} {n}"),
            "unit_id": unit,
            "attributes": {"mail": format!("swordfish {n}")},
            "request_id": format!("order {n}"),
        });
        ids.push(predict(&server, body).await["prediction_id"].clone());
    }
    let (_, before) = server.get("/models/performance").await;
    // The erasure does not wait for what is still in the journal.
    let said = weir(&server, &["erase", who, "--json"]);
    assert!(said.status.success(), "{said:?}");
    let erasure: Value = serde_json::from_slice(&said.stdout).unwrap();
    let path = format!("/erasures/{}", erasure["erasure_id"].as_str().unwrap());
    let done = server
        .until(&path, |erasure| erasure["status"] == "done")
        .await;
    assert_eq!(
        (&done["predictions"], &done["progress_percent"]),
        (&json!(10), &json!(100.0))
    );
    for (n, id) in ids.iter().enumerate() {
        let found = logged(&server, id).await;
        let gone = n % 2 == 0;
        let kept = |part: &str| found["kept"][part] == "erased";
        assert_eq!(
            kept("inputs") && kept("outputs") && kept("attributes"),
            gone,
            "{found}"
        );
        assert_eq!(found["unit_id"] == done["pseudonym"], gone, "{found}");
    }
    let (_, after) = server.get("/models/performance").await;
    assert_eq!(
        before["models"][0]["request_count"],
        after["models"][0]["request_count"]
    );
    let label = json!([{"prediction_id": ids[0], "label": "positive"}]);
    let (_, refused) = server.post("/feedback", label).await;
    assert_eq!(refused["errors"][0]["code"], "answer_not_kept", "{refused}");
    // A request that is erased is not known by its name any more.
    let repeat = json!({"text": "new", "request_id": "order 0"});
    let (status, new) = server.post("/predict", repeat).await;
    assert_eq!((status, &new["repeated"]), (200, &Value::Null), "{new}");
    // Who comes back is a stranger, and stays until erased again.
    let back = predict(&server, json!({"text": "back again", "unit_id": who})).await;
    assert_eq!(
        logged(&server, &back["prediction_id"]).await["unit_id"],
        who
    );
    let (status, again) = server.delete("/units/mallory@example.org").await;
    assert_eq!(status, 202);
    assert_ne!(again["pseudonym"], done["pseudonym"]);
    let path = format!("/erasures/{}", again["erasure_id"].as_str().unwrap());
    server
        .until(&path, |erasure| erasure["status"] == "done")
        .await;
    let (_, audit) = server.get("/audit").await;
    let actions = audit["entries"].as_array().unwrap().iter();
    let actions: Vec<&str> = actions
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions[..4],
        [
            "erasure.ended",
            "erasure.begun",
            "erasure.ended",
            "erasure.begun"
        ]
    );
    // The server need not end for it.
    let gone = async {
        while holds(data.path(), who) || holds(data.path(), "swordfish 2\"") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(30), gone).await;
    assert!(gone.is_ok(), "it stays in the files");
    assert!(server.signal("-TERM").success());
    assert_clean(data.path());
    assert!(!holds(data.path(), who), "the unit is in a file");
    let others = holds(data.path(), "swordfish 1\"") && holds(data.path(), "trent");
    assert!(others, "of others nothing is erased");
    assert!(
        !holds(data.path(), "swordfish 2\""),
        "an attribute is in a file"
    );
    let told = std::fs::read_to_string(&log).unwrap();
    assert!(
        told.contains("a unit is erased") && !told.contains("swordfish"),
        "{told}"
    );
    assert!(!told.contains(who), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_keeps_the_newest_and_all_that_was_counted() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--tick-ms", "50"]);
    let server = Weir::spawn(command);
    let mut versions = Vec::new();
    for version in ["1", "2"] {
        versions.push(server.register(version, vader()).await);
    }
    for id in &versions {
        server.activate(id, 50.0).await;
    }
    let (status, draft) = server
        .post(
            "/experiments",
            json!({"name": "sentiment", "control": "1", "candidates": ["2"], "primary_metric": "correct"}),
        )
        .await;
    assert_eq!(status, 200, "{draft}");
    let experiment = draft["experiment"].as_str().unwrap().to_owned();
    let start = format!("/experiments/{experiment}/start");
    assert_eq!(server.post(&start, json!({})).await.0, 200);
    for n in 0..500 {
        let reply = predict(&server, json!({"text": format!("good {n}")})).await;
        let label = json!([{"prediction_id": reply["prediction_id"], "label": "positive"}]);
        if n % 10 == 0 {
            assert_eq!(server.post("/feedback", label).await.0, 200);
        }
    }
    let results = format!("/experiments/{experiment}/results");
    let (_, before) = server.get(&results).await;
    let said = weir(&server, &["retention", "sentiment", "--max-rows", "100"]);
    assert!(said.status.success(), "{said:?}");
    let kept = server
        .until("/retention/sentiment", |kept| kept["rows_removed"] == 400)
        .await;
    let since = kept["rows_since"].as_str().unwrap();
    let (_, page) = server.get("/predictions?limit=1000").await;
    assert_eq!(page["predictions"].as_array().unwrap().len(), 100);
    let (_, report) = server.get("/models/performance").await;
    assert_eq!(report["total_requests"], 500);
    let (_, after) = server.get(&results).await;
    assert_eq!(before["arms"], after["arms"], "evidence stays");
    // What is said of the log is said of what is there.
    let question = json!({"name": "sentiment", "metric": "correct", "weights": {"1": 1.0}});
    let (_, answer) = server.post("/evaluate", question).await;
    match answer["code"].as_str() {
        // Ten labels are few.
        Some(code) => assert_eq!(code, "cannot_evaluate", "{answer}"),
        None => {
            assert_eq!(answer["since"], since, "{answer}");
            assert!(
                answer["summary"]
                    .as_str()
                    .unwrap()
                    .contains("have been removed"),
                "{answer}"
            );
        }
    }
    let old = json!({"name": "sentiment", "metric": "correct", "weights": {"1": 1.0}, "since": "2020-01-01T00:00:00Z", "until": since});
    let (status, refused) = server.post("/evaluate", old).await;
    assert_eq!((status, &refused["code"]), (422, &json!("cannot_evaluate")));
    assert!(
        refused["detail"].as_str().unwrap().contains("removed"),
        "{refused}"
    );
    let output = Command::new(BINARY)
        .args(["verify", "--data-dir"])
        .arg(data.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let not = format!(
        "not recountable: the evidence of {experiment}, of which retention has removed 400 predictions"
    );
    assert!(said.contains(&not), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_under_way_when_its_unit_is_erased_leaves_nothing() {
    let data = directory();
    let server = Weir::start(data.path());
    let service = ModelService::start();
    let id = server.register("remote", service.runtime()).await;
    server.activate(&id, 100.0).await;
    let (who, words) = ("mallory@example.org", "hang");
    let body =
        json!({"text": words, "unit_id": who, "attributes": {"mail": who}, "request_id": who});
    let asking = server.post("/predict", body);
    // It is under way for 300 ms.
    let erasing = async {
        loop {
            let scraped = server
                .http
                .get(server.url("/metrics"))
                .send()
                .await
                .unwrap();
            if scraped
                .text()
                .await
                .unwrap()
                .contains("weir_predictions_under_way 1")
            {
                break;
            }
        }
        server.delete(&format!("/units/{who}")).await
    };
    let (asked, (status, erasure)) = tokio::join!(asking, erasing);
    assert_eq!((asked.0, status), (504, 202), "{asked:?} {erasure}");
    let path = format!("/erasures/{}", erasure["erasure_id"].as_str().unwrap());
    let done = server
        .until(&path, |erasure| erasure["status"] == "done")
        .await;
    let (_, page) = server.get("/predictions").await;
    assert_eq!(
        page["predictions"][0]["unit_id"], done["pseudonym"],
        "{page}"
    );
    assert_eq!(page["predictions"][0]["status"], "error");
    let gone = async {
        while holds(data.path(), who) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(30), gone).await;
    assert!(gone.is_ok(), "it stays in the files");
    drop(server);
    assert_clean(data.path());
}
