//! Webhooks: told in order, told again after a failure, and never where they must not lead.

use crate::weir::{Weir, afinn, directory, serve, vader};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Takes one delivery and answers with a status; gives the head and the body.
async fn take(target: &TcpListener, status: &str) -> (String, Value) {
    let (mut stream, _) = target.accept().await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
        if body.len() >= length {
            let body = serde_json::from_str(body).unwrap();
            let reply =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(reply.as_bytes()).await.unwrap();
            return (head, body);
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let line = head.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim_start_matches(": ")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_until_it_is_taken() {
    let data = directory();
    let mut command = serve(data.path());
    command.arg("--private-webhooks");
    let weir = Weir::spawn(command);
    weir.register("1.0.0", vader()).await;
    weir.register("2.0.0", afinn()).await;
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", target.local_addr().unwrap());
    let (status, made) = weir
        .post("/webhooks", json!({"url": url, "name": "sentiment"}))
        .await;
    assert_eq!(status, 200, "{made}");
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let body = json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "policy": "rollout",
        "primary_metric": "error",
    });
    let (_, draft) = weir.post("/experiments", body).await;
    let id = draft["experiment"].as_str().unwrap();
    weir.post(&format!("/experiments/{id}/start"), json!({}))
        .await;

    let (head, first) = take(&target, "500 Internal Server Error").await;
    assert_eq!(first["type"], "experiment.created");
    let (again, repeated) = take(&target, "200 OK").await;
    assert_eq!(first, repeated);
    assert_eq!(header(&head, "webhook-id"), header(&again, "webhook-id"));
    assert!(header(&again, "webhook-signature").starts_with("v1,"));
    let (_, second) = take(&target, "200 OK").await;
    assert_eq!(second["type"], "experiment.started");
    assert_eq!(second["data"]["detail"]["experiment"], json!(id));

    let (_, all) = weir.get("/webhooks").await;
    assert_eq!(all[0]["secret"], Value::Null, "a secret is told once");
    let webhook = made["webhook"].as_str().unwrap();
    let (status, _) = weir.delete(&format!("/webhooks/{webhook}")).await;
    assert_eq!(status, 200);
    let (status, problem) = weir.delete(&format!("/webhooks/{webhook}")).await;
    assert_eq!(
        (status, &problem["code"]),
        (404, &json!("webhook_not_found"))
    );
}

#[tokio::test]
async fn forbidden_addresses_and_weak_secrets_are_refused() {
    let data = directory();
    // One that was allowed once is not called when that is over.
    let mut command = serve(data.path());
    command.arg("--private-webhooks");
    let mut before = Weir::spawn(command);
    let (status, _) = before
        .post("/webhooks", json!({"url": "http://127.0.0.1:9/"}))
        .await;
    assert_eq!(status, 200);
    before.signal("-TERM");
    let weir = Weir::start(data.path());
    for body in [
        json!({"url": "http://127.0.0.1:9/"}),
        json!({"url": "http://localhost:9/"}),
        json!({"url": "http://[::1]/"}),
        json!({"url": "ftp://example.com/"}),
        json!({"url": "https://example.com/", "secret": "short"}),
    ] {
        let (status, problem) = weir.post("/webhooks", body.clone()).await;
        assert_eq!(status, 422, "{body} {problem}");
    }
    let (status, problem) = weir
        .post(
            "/webhooks",
            json!({"url": "https://example.com/", "name": "nobody"}),
        )
        .await;
    assert_eq!((status, &problem["code"]), (404, &json!("model_not_found")));
    weir.register("1.0.0", vader()).await;
    weir.register("2.0.0", afinn()).await;
    let body = json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "error",
    });
    weir.post("/experiments", body).await;
    let told = async {
        loop {
            let (_, all) = weir.get("/webhooks").await;
            if let Some(error) = all[0]["last_error"].as_str() {
                return error.to_owned();
            }
        }
    };
    let patience = std::time::Duration::from_secs(30);
    let error = tokio::time::timeout(patience, told).await.unwrap();
    assert!(error.contains("private network"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_what_they_asked_for() {
    let data = directory();
    let mut command = serve(data.path());
    command.arg("--private-webhooks");
    let weir = Weir::spawn(command);
    weir.register("1.0.0", vader()).await;
    weir.register("2.0.0", afinn()).await;
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", target.local_addr().unwrap());
    let wanted = json!({"url": url, "format": "slack", "events": ["experiment.started"]});
    let (status, made) = weir.post("/webhooks", wanted).await;
    assert_eq!((status, &made["format"]), (200, &json!("slack")), "{made}");
    let id = made["webhook"].as_str().unwrap();

    // A test goes out at once, and what the target says comes back.
    let path = format!("/webhooks/{id}/test");
    let (test, (_, body)) = tokio::join!(weir.post(&path, json!({})), take(&target, "200 OK"));
    assert_eq!(
        (test.0, &test.1["delivered"]),
        (200, &json!(true)),
        "{}",
        test.1
    );
    assert!(body["text"].as_str().unwrap().contains("test"));
    let (test, _) = tokio::join!(weir.post(&path, json!({})), take(&target, "403 Forbidden"));
    assert_eq!(test.1["delivered"], json!(false));
    assert_eq!(test.1["status"], json!(403));

    // The draft is not told, the start is: in words.
    let body = json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "policy": "rollout",
        "primary_metric": "error",
    });
    let (_, draft) = weir.post("/experiments", body).await;
    let experiment = draft["experiment"].as_str().unwrap();
    weir.post(&format!("/experiments/{experiment}/start"), json!({}))
        .await;
    let (head, told) = take(&target, "200 OK").await;
    let said = told["text"].as_str().unwrap();
    assert!(
        said.starts_with(&format!("sentiment: experiment {experiment} started")),
        "{said}"
    );
    assert!(!head.contains("webhook-signature"));

    for (bad, pointer) in [
        (
            json!({"url": url, "events": ["experiment.exploded"]}),
            "/events/0",
        ),
        (
            json!({"url": url, "events": ["version.registered"]}),
            "/events/0",
        ),
        (json!({"url": url, "format": "pagerduty"}), "/secret"),
        (
            json!({"url": url, "format": "pagerduty", "secret": "short"}),
            "/secret",
        ),
    ] {
        let (status, problem) = weir.post("/webhooks", bad).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{problem}"
        );
    }
    let (status, _) = weir
        .post("/webhooks", json!({"url": url, "format": "email"}))
        .await;
    assert_eq!(status, 422);
    let (status, problem) = weir
        .post("/webhooks/hook-0123456789ab/test", json!({}))
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (404, &json!("webhook_not_found"))
    );
}
