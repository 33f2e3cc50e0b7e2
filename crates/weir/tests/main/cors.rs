//! Browsers that come from other pages.

use crate::weir::{Weir, directory, serve, vader};
use reqwest::{Method, Response};
use serde_json::json;

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
