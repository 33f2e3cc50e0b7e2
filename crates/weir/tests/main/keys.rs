//! Keys of callers: from the first start to the last key, on a real server.

use crate::weir::{BINARY, Reply, Weir, assert_clean, directory, serve, vader};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

/// A server that needs keys, and the first of them, which it prints once.
fn start(data: &Path, log: &Path) -> (Weir, Option<String>) {
    let mut command = serve(data);
    command.args(["--auth", "required"]);
    command.stderr(std::fs::File::create(log).unwrap());
    let weir = Weir::spawn(command);
    // It is said before the address is.
    let said = std::fs::read_to_string(log).unwrap();
    let key = said
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("weir_"));
    let key = key.map(str::to_owned);
    (weir, key)
}

async fn ask(weir: &Weir, key: Option<&str>, method: &str, path: &str, body: Value) -> Reply {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = weir.http.request(method, weir.url(path)).json(&body);
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let response = request.header("x-reason", "a test").send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

fn keys(weir: &Weir, key: &str, args: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(["keys", "--url", &weir.address, "--reason", "by hand"]);
    command.args(args).env("WEIR_KEY", key).output().unwrap()
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone())
        .unwrap()
        .trim()
        .to_owned()
}

#[tokio::test]
async fn a_server_with_keys_from_the_first_to_the_last() {
    let (data, logs) = (directory(), directory());
    let log = logs.path().join("log");
    let (mut weir, first) = start(data.path(), &log);
    let admin = first.expect("the first key is printed");
    let text = json!({"text": "good"});
    let (status, said) = ask(&weir, None, "POST", "/predict", text.clone()).await;
    assert_eq!(
        (status, &said["code"]),
        (401, &json!("unauthenticated")),
        "{said}"
    );
    let model = json!({"name": "sentiment", "version": "1", "accuracy": 0.5, "runtime": vader()});
    let (status, made) = ask(&weir, Some(&admin), "POST", "/models", model).await;
    assert_eq!(status, 200, "{made}");
    let path = format!("/models/{}/activate", made["model_id"].as_str().unwrap());
    assert_eq!(
        ask(
            &weir,
            Some(&admin),
            "POST",
            &path,
            json!({"traffic_percent": 100})
        )
        .await
        .0,
        200
    );

    let caller = out(&keys(
        &weir,
        &admin,
        &[
            "create",
            "--role",
            "predictor",
            "--models",
            "senti*",
            "--description",
            "shop",
        ],
    ));
    let (status, said) = ask(&weir, Some(&caller), "POST", "/predict", text.clone()).await;
    assert_eq!(status, 200, "{said}");
    for (method, path) in [("GET", "/models"), ("POST", "/keys"), ("GET", "/audit")] {
        let (status, said) = ask(&weir, Some(&caller), method, path, json!({})).await;
        assert_eq!(
            (status, &said["code"]),
            (403, &json!("forbidden")),
            "{path} {said}"
        );
    }
    let id = format!("key-{}", &caller[5..17]);
    let next = out(&keys(
        &weir,
        &admin,
        &["rotate", &id, "--overlap-hours", "1"],
    ));
    for key in [&caller, &next] {
        assert_eq!(
            ask(&weir, Some(key), "POST", "/predict", text.clone())
                .await
                .0,
            200
        );
    }
    out(&keys(&weir, &admin, &["revoke", &id]));
    assert_eq!(
        ask(&weir, Some(&caller), "POST", "/predict", text.clone())
            .await
            .0,
        401
    );
    let listed = out(&keys(&weir, &admin, &["list"]));
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(
        listed.contains("senti*") && !listed.contains(&next[18..]),
        "{listed}"
    );
    let last = keys(
        &weir,
        &admin,
        &["revoke", &format!("key-{}", &admin[5..17])],
    );
    assert!(
        String::from_utf8_lossy(&last.stderr).contains("last key that can give others"),
        "{last:?}"
    );
    let (_, audit) = ask(&weir, Some(&admin), "GET", "/audit?limit=1", json!({})).await;
    let author = &audit["entries"][0]["author"];
    assert_eq!(
        author["key_id"],
        json!(format!("key-{}", &admin[5..17])),
        "{audit}"
    );
    assert_eq!(
        (&author["reason"], &author["address"]),
        (&json!("by hand"), &json!("127.0.0.1"))
    );

    // Nobody is told a key again, and all are good after a restart.
    weir.signal("-TERM");
    for file in std::fs::read_dir(data.path()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            for key in [&admin, &caller, &next] {
                let secret = &key.as_bytes()[18..];
                assert!(
                    !bytes.windows(secret.len()).any(|part| part == secret),
                    "{path:?}"
                );
            }
        }
    }
    let (mut weir, again) = start(data.path(), &log);
    assert_eq!(again, None);
    assert_eq!(
        ask(&weir, Some(&next), "POST", "/predict", text.clone())
            .await
            .0,
        200
    );
    weir.signal("-TERM");

    // Whoever has lost his key makes one beside the server.
    let made = Command::new(BINARY)
        .args(["keys", "create", "--data-dir"])
        .arg(data.path())
        .output()
        .unwrap();
    let found = out(&made);
    let (weir, _) = start(data.path(), &log);
    assert_eq!(
        ask(&weir, Some(&found), "GET", "/keys", json!({})).await.0,
        200
    );
    drop(weir);
    assert_clean(data.path());
}

#[tokio::test]
async fn a_session_is_a_cookie_of_this_site_alone() {
    let (data, logs) = (directory(), directory());
    let (weir, admin) = start(data.path(), &logs.path().join("log"));
    let admin = admin.unwrap();
    let begin = json!({"key": admin});
    let begun = weir
        .http
        .post(weir.url("/session"))
        .json(&begin)
        .send()
        .await
        .unwrap();
    assert_eq!(begun.status(), 200);
    let cookie = begun.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly; SameSite=Strict; Path=/"),
        "{cookie}"
    );
    assert!(!cookie.contains(&admin[18..]));
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let with = async |headers: &[(&str, &str)]| {
        let mut request = weir.http.get(weir.url("/models")).header("cookie", &cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(with(&[]).await, 200);
    assert_eq!(with(&[("sec-fetch-site", "same-origin")]).await, 200);
    assert_eq!(with(&[("origin", "https://evil.example")]).await, 403);
    assert_eq!(with(&[("sec-fetch-site", "cross-site")]).await, 403);
    assert_eq!(with(&[("host", "evil.example")]).await, 403);
    let wrong = json!({"key": "weir_0123456789ab_wrong"});
    let refused = weir
        .http
        .post(weir.url("/session"))
        .json(&wrong)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            refused.status().as_u16(),
            refused.headers().get("set-cookie")
        ),
        (401, None)
    );
    // Probes have no key, and see no more than they need.
    let (status, ready) = weir.get("/health/ready").await;
    assert_eq!(
        (status, &ready["status"], &ready["log"]["position"]),
        (200, &json!("ready"), &json!(0))
    );
    let unkeyed = weir.http.get(weir.url("/models")).send().await.unwrap();
    assert_eq!(
        unkeyed.headers()["www-authenticate"],
        "Bearer realm=\"weir\""
    );
    let in_url = weir.get(&format!("/models?key={admin}")).await;
    assert!(
        in_url.1["detail"]
            .as_str()
            .unwrap()
            .contains("revoke that key"),
        "{in_url:?}"
    );
}

#[test]
fn beyond_this_machine_keys_are_needed_unless_somebody_says_otherwise_twice() {
    let data = directory();
    let mut command = Command::new(BINARY);
    command.args([
        "serve",
        "--listen",
        "0.0.0.0:0",
        "--auth",
        "none",
        "--data-dir",
    ]);
    let refused = command.arg(data.path()).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("--insecure"),
        "{said}"
    );
    for bad in [
        ["--allowed-host", "a:80"],
        ["--group-role", "sre=boss"],
        // Whoever is in no group would be one.
        ["--group-role", "=admin"],
        ["--trusted-proxy", "proxy"],
    ] {
        let mut command = serve(data.path());
        let refused = command.args(bad).output().unwrap();
        assert!(!refused.status.success(), "{bad:?}");
    }
}

#[test]
fn roles_of_groups_are_not_passed_over_where_nobody_needs_a_key() {
    let data = directory();
    let mut command = serve(data.path());
    command.args([
        "--trusted-proxy",
        "127.0.0.1",
        "--group-role",
        "sre=operator",
    ]);
    let refused = command.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("--auth required"),
        "{said}"
    );
}

/// The output of `weir audit`.
fn audit(args: &[&str]) -> Output {
    Command::new(BINARY)
        .arg("audit")
        .args(args)
        .output()
        .unwrap()
}

#[tokio::test]
async fn the_audit_says_what_served_when_and_that_nobody_changed_it() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    let one = weir.register("1", vader()).await;
    let newest = async || weir.get("/audit?limit=1").await.1["entries"][0].clone();
    let registered = newest().await;
    weir.activate(&one, 100.0).await;
    let alone = newest().await;
    let two = weir.register("2", vader()).await;
    weir.activate(&two, 25.0).await;
    let at = |entry: &Value| entry["at"].as_str().unwrap().to_owned();
    for (entry, shares) in [
        (&registered, "sentiment: no version was active"),
        (&alone, "sentiment: 1 100.0 %"),
        (&newest().await, "sentiment: 1 80.0 %, 2 20.0 %"),
    ] {
        let said = out(&audit(&["at", &at(entry), "--url", &weir.address]));
        assert_eq!(said, shares);
    }
    let (status, said) = weir.get("/traffic/sentiment?at=2020-01-01T00:00:00Z").await;
    assert_eq!(
        (status, &said["code"]),
        (404, &json!("model_not_found")),
        "{said}"
    );
    assert!(
        said["detail"].as_str().unwrap().contains("before 2020"),
        "{said}"
    );
    for bad in ["2999-01-01T00:00:00Z", "yesterday"] {
        assert_eq!(
            weir.get(&format!("/traffic/sentiment?at={bad}")).await.0,
            422,
            "{bad}"
        );
    }

    let kept = alone["chain"].as_str().unwrap().to_owned();
    weir.signal("-TERM");
    let directory = data.path().to_str().unwrap();
    let said = out(&audit(&[
        "verify",
        "--data-dir",
        directory,
        "--expect",
        &kept,
    ]));
    assert!(said.starts_with("whole: "), "{said}");
    let other = "0".repeat(64);
    let refused = audit(&["verify", "--data-dir", directory, "--expect", &other]);
    assert!(!refused.status.success(), "{refused:?}");
    let connection = rusqlite::Connection::open(data.path().join("weir.db")).unwrap();
    connection
        .execute_batch("DROP TRIGGER audit_is_never_updated; UPDATE audit SET detail = replace(detail, '100', '1') WHERE id = 2")
        .unwrap();
    drop(connection);
    let broken = audit(&["verify", "--data-dir", directory]);
    let said = String::from_utf8(broken.stdout).unwrap();
    assert!(
        !broken.status.success() && said.contains("breaks at entry 2"),
        "{said}"
    );
}

#[tokio::test]
async fn one_key_leaves_streams_of_events_to_others() {
    let (data, logs) = (directory(), directory());
    let (weir, first) = start(data.path(), &logs.path().join("log"));
    let admin = first.unwrap();
    let viewer = out(&keys(&weir, &admin, &["create", "--role", "viewer"]));
    let open = async |key: &str| {
        let stream = weir.http.get(weir.url("/events")).bearer_auth(key);
        stream.send().await.unwrap()
    };
    let mut streams = Vec::new();
    for _ in 0..64 {
        let stream = open(&viewer).await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    let refused = open(&viewer).await;
    assert_eq!(refused.status(), 429);
    let said = refused.text().await.unwrap();
    assert!(said.contains("close some of them"), "{said}");
    assert_eq!(open(&admin).await.status(), 200);
}

#[tokio::test]
async fn the_audit_says_what_was_deleted_and_a_reason_is_kept_whole_or_refused() {
    let data = directory();
    let weir = Weir::start(data.path());
    let id = weir.register("1", vader()).await;
    let metric =
        json!({"kind": "continuous", "window_seconds": 60, "lower_bound": 0, "upper_bound": 9});
    let (status, said) = weir.put("/metrics/sentiment/spent", metric).await;
    assert_eq!(status, 200, "{said}");
    let hook = json!({"url": "https://example.com/", "name": "sentiment"});
    let (_, hook) = weir.post("/webhooks", hook).await;
    let (_, key) = weir
        .post("/keys", json!({"role": "viewer", "description": "desk"}))
        .await;
    let draft = json!({"name": "sentiment", "control": "1", "candidates": ["2"], "primary_metric": "spent"});
    weir.register("2", vader()).await;
    let (status, draft) = weir.post("/experiments", draft).await;
    assert_eq!(status, 200, "{draft}");
    for path in [
        format!("/experiments/{}", draft["experiment"].as_str().unwrap()),
        "/metrics/sentiment/spent".to_owned(),
        format!("/models/{id}"),
        format!("/webhooks/{}", hook["webhook"].as_str().unwrap()),
        format!("/keys/{}", key["key_id"].as_str().unwrap()),
    ] {
        let (status, said) = weir.delete(&path).await;
        assert_eq!(status, 200, "{path}: {said}");
    }
    let (_, audit) = weir.get("/audit").await;
    let entries = audit["entries"].as_array().unwrap();
    for (action, pointer, was) in [
        (
            "experiment.deleted",
            "/detail/from/primary_metric",
            json!("spent"),
        ),
        ("metric.deleted", "/detail/from/window_seconds", json!(60)),
        (
            "version.deleted",
            "/detail/from/runtime/method",
            json!("vader"),
        ),
        ("webhook.deleted", "/detail/from/name", json!("sentiment")),
        (
            "webhook.deleted",
            "/detail/from/address",
            json!("https://example.com/"),
        ),
        ("key.revoked", "/detail/from/description", json!("desk")),
    ] {
        let mut entries = entries.iter();
        let entry = entries.find(|entry| entry["action"] == action);
        let entry = entry.unwrap_or_else(|| panic!("{action} is not in {audit}"));
        assert_eq!(entry.pointer(pointer), Some(&was), "{entry}");
    }
    let activate = async |reason: &str| {
        let call = weir.http.put(weir.url("/settings/default_model"));
        let call = call
            .header("x-reason", reason)
            .json(&json!({"name": "sentiment"}));
        let reply = call.send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    };
    let (status, said) = activate(&"x".repeat(501)).await;
    assert_eq!(status, 422, "{said}");
    assert!(said.contains("at most 500"), "{said}");
    let (status, said) = activate(&"x".repeat(500)).await;
    assert_eq!(status, 200, "{said}");
    drop(weir);
    assert_clean(data.path());
}
