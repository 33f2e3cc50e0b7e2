//! Browsers that come from other pages.

use crate::weir::{Weir, directory, serve, vader};
use reqwest::{Method, Response};
use serde_json::json;
use std::time::Duration;

const ALLOWED: &str = "https://app.example.com";

async fn ask(weir: &Weir, method: Method, path: &str, origin: &str) -> Response {
    let request = weir.http.request(method, weir.url(path));
    let request = request
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .json(&json!({"text": "good"}));
    request.send().await.unwrap()
}

fn allowed(response: &Response) -> Option<&str> {
    let value = response.headers().get("access-control-allow-origin");
    assert!(
        !response
            .headers()
            .contains_key("access-control-allow-credentials")
    );
    value.map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn only_listed_origins_may_call() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--cors-origin", &format!("{ALLOWED},http://localhost:3000")]);
    let weir = Weir::spawn(command);
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    for (method, path) in [
        (Method::OPTIONS, "/predict"),
        (Method::POST, "/predict"),
        (Method::GET, "/health"),
        (Method::GET, "/nothing"),
    ] {
        let response = ask(&weir, method.clone(), path, ALLOWED).await;
        assert_eq!(allowed(&response), Some(ALLOWED), "{method} {path}");
        let response = ask(&weir, method, path, "https://evil.example.com").await;
        assert_eq!(allowed(&response), None);
    }
}

#[tokio::test]
async fn none_is_listed_by_default_and_a_star_is_refused() {
    let data = directory();
    let weir = Weir::start(data.path());
    let response = ask(&weir, Method::POST, "/predict", ALLOWED).await;
    assert_eq!(allowed(&response), None);
    drop(weir);
    let output = serve(data.path())
        .args(["--cors-origin", "*"])
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && talk.contains("must be an origin"),
        "{talk}"
    );
}

/// Waits until it holds.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    waited.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test]
async fn who_may_call_is_read_again_and_stays_where_it_cannot_be_read() {
    let data = directory();
    let (file, log) = (data.path().join("weir.toml"), data.path().join("log"));
    let other = "https://other.example.com";
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write(&format!(
        "cors_origin = [\"{ALLOWED}\"]\nmax_connections = 100\n"
    ));
    let mut command = serve(&data.path().join("data"));
    command
        .arg("--config")
        .arg(&file)
        .env("WEIR_LOG", "info")
        .stderr(std::fs::File::create(&log).unwrap());
    let weir = Weir::spawn(command);
    let hang_up = || {
        let pid = weir.process.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-HUP", &pid])
            .status();
        assert!(sent.unwrap().success());
    };
    let said = async |text: &str| std::fs::read_to_string(&log).unwrap().contains(text);
    let may_call = async |origin: &str| {
        let response = ask(&weir, Method::GET, "/health", origin).await;
        allowed(&response) == Some(origin)
    };
    let is_named = async |host: &str| {
        let request = weir.http.get(weir.url("/models")).header("host", host);
        request.send().await.unwrap().status() == 200
    };
    assert!(
        may_call(ALLOWED).await && !may_call(other).await && !is_named("weir.example.com").await
    );

    write(&format!(
        "cors_origin = [\"{other}\"]\nallowed_host = \"weir.example.com\"\nmax_connections = 200\n"
    ));
    hang_up();
    until("the other origin may call", async || may_call(other).await).await;
    assert!(!may_call(ALLOWED).await && is_named("weir.example.com").await);
    until("what a start reads is named", async || {
        said("--max-connections").await
    })
    .await;

    for wrong in [
        "cors_origin = [\"nonsense\"]\n",
        "corsorigin = 1\n",
        "group_role = [\"a=viewer\"]\n",
    ] {
        let before = std::fs::read_to_string(&log).unwrap().len();
        write(wrong);
        hang_up();
        until(wrong, async || {
            let log = std::fs::read_to_string(&log).unwrap();
            log[before..].contains("cannot be read again, and stay as they were")
        })
        .await;
        assert!(may_call(other).await && is_named("weir.example.com").await);
    }

    // Without any, replies are again as plain as they were.
    write("");
    hang_up();
    until("nobody may call", async || !may_call(other).await).await;
    assert!(!is_named("weir.example.com").await);
    let response = ask(&weir, Method::OPTIONS, "/predict", other).await;
    assert_eq!(response.status(), 405);
}
