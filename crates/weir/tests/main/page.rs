//! The page and the description of the API in a real browser.

use crate::weir::{Weir, directory, vader};
use serde_json::json;
use std::io::Read;
use std::process::Command;

/// The browser that `test.sh` found, or one that is on the path; `None` when it is to be left out.
fn browser() -> Option<String> {
    if let Ok(named) = std::env::var("WEIR_TEST_BROWSER") {
        return (named != "none").then_some(named);
    }
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let runs = |name: &&&str| Command::new(name).arg("--version").output().is_ok();
    let found = names.iter().find(runs);
    let hint = "run ./test.sh, which installs Chromium, or say WEIR_TEST_BROWSER=none";
    Some((*found.unwrap_or_else(|| panic!("no browser: {hint}"))).to_owned())
}

/// The document after its scripts ran, and what they complained of.
fn load(browser: &str, url: &str) -> (String, String) {
    let profile = directory();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
        ])
        .args([
            "--no-first-run",
            "--disable-background-networking",
            "--disable-sync",
        ])
        .args([
            "--disable-component-update",
            "--enable-logging=stderr",
            "--lang=en",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--virtual-time-budget=6000", "--dump-dom", url])
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    let complaints = talk.lines().filter(|line| line.contains("CONSOLE"));
    let complaints = complaints.collect::<Vec<_>>().join("\n");
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        complaints,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sees_models_and_predictions() {
    let Some(browser) = browser() else {
        return;
    };
    let data = directory();
    let weir = Weir::start(data.path());
    let (empty, complaints) = load(&browser, &weir.address);
    assert!(empty.contains("Ready. 0 predictions logged."), "{empty}");
    assert_eq!(complaints, "");

    for (version, percent) in [("1.0.0", 70.0), ("2.0.0", 30.0)] {
        let id = weir.register(version, vader()).await;
        weir.activate(&id, percent).await;
    }
    let script = "<img src=x onerror=\"document.title='taken'\"> is good";
    for text in ["a good day", script] {
        weir.post("/predict", json!({"text": text})).await;
    }
    // A text model refuses what is no text.
    let (status, _) = weir.post("/predict", json!({"inputs": [1, 2]})).await;
    assert_eq!(status, 422);
    let experiment = json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "error",
        "policy": "rollout",
    });
    let (_, draft) = weir.post("/experiments", experiment).await;
    let id = draft["experiment"].as_str().unwrap();
    weir.post(&format!("/experiments/{id}/start"), json!({}))
        .await;
    weir.post(
        &format!("/experiments/{id}/rollback?reason=%3Cb%3Ecold%3C%2Fb%3E"),
        json!({}),
    )
    .await;
    for (version, percent) in [("1.0.0", 70.0), ("2.0.0", 30.0)] {
        let (_, all) = weir.get("/models").await;
        let all = all.as_array().unwrap();
        let found = all.iter().find(|v| v["version"] == version).unwrap();
        weir.activate(found["model_id"].as_str().unwrap(), percent)
            .await;
    }
    let (page, complaints) = load(&browser, &weir.address);
    for expected in [
        "Ready. 3 predictions logged.",
        "aria-label=\"Traffic: 1.0.0 70 %, 2.0.0 30 %\"",
        "rolled back",
        "1.0.0 100 %, 2.0.0 0 %",
        "&lt;b&gt;cold",
        "class=\"judge\">",
        "<title>Overview · Weir</title>",
    ] {
        assert!(page.contains(expected), "{expected} is not in {page}");
    }
    assert_eq!(complaints, "");
    let (page, complaints) = load(&browser, &format!("{}/#/predictions", weir.address));
    for expected in ["input refused", "a good day", "&lt;img src=x"] {
        assert!(page.contains(expected), "{expected} is not in {page}");
    }
    assert_eq!(complaints, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_reads_the_description_of_the_api_without_the_internet() {
    let Some(browser) = browser() else {
        return;
    };
    let data = directory();
    let weir = Weir::start(data.path());
    let (page, complaints) = load(&browser, &format!("{}/docs/", weir.address));
    assert!(page.contains("/models/{model_id}/activate"), "{page}");
    assert_eq!(complaints, "", "its policy lets it do all that it does");
    let reply = reqwest::get(weir.url("/docs/")).await.unwrap();
    let policy = reply.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
}

/// Pages are small on the wire for whoever takes them packed, and the same for whoever does not.
#[tokio::test]
async fn pages_are_packed_for_browsers() {
    let data = directory();
    let server = Weir::start(data.path());
    for version in 0..20 {
        server.register(&format!("1.{version}.0"), vader()).await;
    }
    let client = reqwest::Client::builder().no_gzip().build().unwrap();
    let ask = async |path: &str, accept: &str, coding: &str| {
        let asked = client
            .get(server.url(path))
            .header("accept", accept)
            .header("cache-control", "no-cache")
            .header("accept-encoding", coding);
        let reply = asked.send().await.unwrap();
        assert_eq!(reply.status(), 200, "{path}");
        assert!(
            reply
                .headers()
                .get_all("vary")
                .iter()
                .any(|vary| { vary.to_str().unwrap().contains("accept-encoding") })
        );
        let packed = reply.headers().contains_key("content-encoding");
        (packed, reply.bytes().await.unwrap())
    };
    for (path, accept) in [
        ("/", "text/html"),
        ("/assets/core.js", "*/*"),
        ("/models", "application/json"),
        ("/models", "application/json"),
    ] {
        let (packed, small) = ask(path, accept, "br, gzip").await;
        let (plain, whole) = ask(path, accept, "identity").await;
        assert!(packed && !plain, "{path}");
        assert!(
            small.len() < whole.len() * 2 / 3,
            "{path}: {} of {}",
            small.len(),
            whole.len()
        );
        let mut again = Vec::new();
        flate2::read::GzDecoder::new(&small[..])
            .read_to_end(&mut again)
            .unwrap();
        if path != "/models" {
            assert_eq!(again, whole, "{path}");
        }
        assert!(again.ends_with(&whole[whole.len() - 2..]), "{path}");
    }
}
