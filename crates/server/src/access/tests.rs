//! Every route, every role, and every kind of key.

use super::rights::{Admission, Of, ROWS, Row};
use super::{Auth, admit};
use crate::state::{AppState, open_store};
use crate::{Clock, Config, router};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use catalog::SettingsCommand;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tower::ServiceExt;
use types::{KeyDefinition, KeyId, NamePattern, Role, Scope, Timestamp};

struct Server {
    state: AppState,
    router: Router,
    _directory: tempfile::TempDir,
}

/// The start of every server's clock here, in seconds.
const BEGAN: i64 = 1_900_000_000;

impl Server {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listen = ([127, 0, 0, 1], 0).into();
        let config = Config {
            auth: Auth::Required,
            // A disk may be busy for long with what was built just before.
            predict_timeout: Duration::from_secs(600),
            ..Config::new(listen, directory.path().to_owned())
        };
        let store = open_store(&config).unwrap();
        let clock = Clock::new(|| Timestamp::from_micros(BEGAN * 1_000_000));
        let state = AppState::new(store, clock, &config).await.unwrap();
        Self {
            router: router(state.clone()),
            state,
            _directory: directory,
        }
    }

    async fn key(&self, role: Role, models: &[&str], expires: Option<i64>) -> String {
        let id = KeyId::from_bits(crate::clock::random());
        let (text, hash) = self.state.keys.make(id).unwrap();
        let patterns = models
            .iter()
            .map(|text| NamePattern::try_from((*text).to_owned()));
        let definition = KeyDefinition {
            role,
            models: Scope::new(patterns.collect::<Result<_, _>>().unwrap()),
            description: None,
            expires_at: expires.map(|at| Timestamp::from_micros((BEGAN + at) * 1_000_000)),
            requests_per_second: None,
            concurrent_requests: None,
        };
        let create = SettingsCommand::CreateKey(id, Box::new(definition), hash);
        self.state.set(&create).await.unwrap();
        text
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Value,
    ) -> (StatusCode, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut request = request.body(Body::from(body.to_string())).unwrap();
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let admission: Admission = admit(&self.state, &request, peer, true);
        request.extensions_mut().insert(admission);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        if response
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind == "text/event-stream")
        {
            return (status, Value::Null);
        }
        let bytes = to_bytes(response.into_body(), 1 << 22).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

/// What a row is called with, so that it is about the model `shop`.
fn call(row: &Row, version: &str, experiment: &str) -> (String, Value) {
    let path = row
        .path
        .replace("{name}", "shop")
        .replace("{model_id}", version)
        .replace("{experiment}", experiment)
        .replace("{version}", "1")
        .replace("{alias}", "champion")
        .replace("{metric}", "clicked")
        .replace("{intervention}", "pause")
        .replace("{webhook}", "hook-000000000000")
        .replace("{key}", "key-000000000000")
        .replace("{prediction_id}", "0190a000-0000-7000-8000-000000000000")
        .replace("{receipt}", "0190a000-0000-7000-8000-000000000000")
        .replace("{asset}", "app.js")
        .replace("{*rest}", "index.css");
    let query = match row.path {
        "/predictions"
        | "/predictions/export"
        | "/feedback/export"
        | "/audit"
        | "/events"
        | "/experiments"
        | "/models"
            if row.method == "GET" =>
        {
            "?name=shop"
        }
        "/outcomes" => "?name=shop&unit_id=u",
        "/models/classification" => "?name=shop&positive=yes",
        _ => "",
    };
    let body = match row.path {
        _ if row.method == "GET" => json!({}),
        "/v1/chat/completions" => json!({"model": "shop", "messages": []}),
        "/decide" => json!({"name": "shop", "unit_id": "u"}),
        "/predict" => json!({"name": "shop", "text": "good"}),
        "/plan" => json!({"name": "shop", "metric": "error", "effect": 0.1}),
        "/plan/units" => json!({"name": "shop", "metric": "error"}),
        "/evaluate" => json!({"name": "shop", "metric": "error", "weights": {"1": 100}}),
        "/experiments" | "/experiments/dry-run" => {
            json!({"name": "shop", "control": "1", "candidates": ["2"], "primary_metric": "error"})
        }
        "/models" => json!({"name": "shop", "version": "9", "accuracy": 0.5}),
        "/predictions" => {
            json!({"name": "shop", "model_version": "1", "text": "a", "prediction": "b"})
        }
        "/ofrep/v1/evaluate/flags" => json!({"context": {"targetingKey": "u"}}),
        "/settings/default_model" => json!({"name": "shop"}),
        _ => json!({}),
    };
    (format!("{path}{query}"), body)
}

#[tokio::test]
async fn every_route_is_for_the_roles_that_its_row_says_and_for_nobody_else() {
    let server = Server::start().await;
    let admin = server.key(Role::Admin, &[], None).await;
    let (status, version) = server
        .ask(
            "POST",
            "/models",
            Some(&admin),
            json!({"name": "shop", "version": "1", "accuracy": 0.5}),
        )
        .await;
    assert_eq!(status, 200, "{version}");
    let version = version["model_id"].as_str().unwrap();
    let (status, made) = server
        .ask(
            "POST",
            "/models",
            Some(&admin),
            json!({"name": "shop", "version": "2", "accuracy": 0.5}),
        )
        .await;
    assert_eq!(status, 200, "{made}");
    let draft =
        json!({"name": "shop", "control": "1", "candidates": ["2"], "primary_metric": "error"});
    let (status, made) = server
        .ask("POST", "/experiments", Some(&admin), draft)
        .await;
    assert_eq!(status, 200, "{made}");
    let experiment = made["experiment"].as_str().unwrap();
    let expired = server.key(Role::Admin, &[], Some(-1)).await;
    let revoked = server.key(Role::Admin, &[], None).await;
    let id = format!("key-{}", &revoked[5..17]);
    assert_eq!(
        server
            .ask("DELETE", &format!("/keys/{id}"), Some(&admin), json!({}))
            .await
            .0,
        200
    );
    let wrong = format!("{}A", &admin[..admin.len() - 1]);
    let wrong = if wrong == admin {
        format!("{}B", &admin[..admin.len() - 1])
    } else {
        wrong
    };
    let mut keys = Vec::new();
    for role in Role::ALL {
        let own = server.key(*role, &["sh*"], None).await;
        let foreign = server.key(*role, &["other", "shop-*"], None).await;
        keys.push((*role, server.key(*role, &[], None).await, own, foreign));
    }
    let (mut cells, mut refused) = (0, 0);
    // What is deleted is deleted at the end.
    let mut rows: Vec<&Row> = ROWS.iter().collect();
    rows.sort_by_key(|row| row.method == "DELETE");
    for row in rows {
        let (path, body) = call(row, version, experiment);
        let named = format!("{} {path}", row.method);
        let mut check = async |key: Option<&str>, wanted: Option<u16>| {
            let (status, said) = server.ask(row.method, &path, key, body.clone()).await;
            let denied = [401, 403].contains(&status.as_u16());
            cells += 1;
            refused += u32::from(denied);
            match wanted {
                Some(wanted) => assert_eq!(status, wanted, "{named} {said}"),
                None => assert!(!denied && status != 500, "{named} {status} {said}"),
            }
        };
        let is_open = row.right.is_none();
        let begins = row.path == "/session" && row.method == "POST";
        for key in [None, Some(&wrong), Some(&expired), Some(&revoked)] {
            let wanted = (!is_open || begins && key.is_none()).then_some(401);
            let wanted = if begins { None } else { wanted };
            check(key.map(String::as_str), wanted).await;
        }
        for (role, all, own, foreign) in &keys {
            let may = row.right.is_none_or(|right| role.may(right));
            check(Some(all), (!may).then_some(403)).await;
            // A key for some models does what is about them, and nothing that is about all.
            let is_all = row.right.is_some() && row.of == Of::All
                || row.path == "/feedback" && row.method == "GET";
            check(Some(own), (!may || is_all).then_some(403)).await;
            let lists = [
                "/metrics",
                "/models",
                "/models/performance",
                "/models/timeline",
                "/experiments",
                "/v1/models",
            ];
            let about_none = [
                "/settings",
                "/feedback",
                "/exposures",
                "/feedback/receipts/{receipt}",
            ];
            let finds_nothing = row.path == "/ofrep/v1/evaluate/flags"
                || row.method == "GET" && lists.contains(&row.path)
                || row.method == "POST" && about_none.contains(&row.path)
                || row.path == "/predictions/{prediction_id}"
                || ["/settings", "/feedback/receipts/{receipt}"].contains(&row.path);
            let lets = may && (is_open || finds_nothing);
            // Of which model a foreign id is, is not said.
            let by_id = matches!(row.of, Of::Version | Of::Experiment);
            let wanted = if may && by_id { 404 } else { 403 };
            check(Some(foreign), (!lets).then_some(wanted)).await;
        }
    }
    assert_eq!(cells, ROWS.len() * (4 + 3 * Role::ALL.len()));
    assert!(refused > cells as u32 / 3, "{refused} of {cells}");
}

#[tokio::test]
async fn a_key_for_some_models_sees_and_changes_no_other() {
    let server = Server::start().await;
    let admin = server.key(Role::Admin, &[], None).await;
    for name in ["shop", "other"] {
        let body = json!({"name": name, "version": "1", "accuracy": 0.5});
        let (_, made) = server.ask("POST", "/models", Some(&admin), body).await;
        let path = format!("/models/{}/activate", made["model_id"].as_str().unwrap());
        let (status, said) = server
            .ask("POST", &path, Some(&admin), json!({"traffic_percent": 100}))
            .await;
        assert_eq!(status, 200, "{said}");
    }
    let own = server.key(Role::Operator, &["other"], None).await;
    for path in ["/models", "/models/performance"] {
        let (status, seen) = server.ask("GET", path, Some(&own), json!({})).await;
        assert_eq!(status, 200);
        let text = seen.to_string();
        assert!(text.contains("other") && !text.contains("shop"), "{seen}");
    }
    for (path, body) in [
        ("/predict", json!({"name": "shop", "text": "good"})),
        // The default model is the other one.
        ("/predict", json!({"text": "good"})),
        ("/predict", json!({"name": "nope", "text": "good"})),
        ("/decide", json!({"name": "shop"})),
        (
            "/evaluate",
            json!({"name": "shop", "metric": "error", "weights": {"1": 100}}),
        ),
    ] {
        let (status, said) = server.ask("POST", path, Some(&own), body).await;
        assert_eq!(
            (status.as_u16(), said["code"].as_str()),
            (403, Some("forbidden")),
            "{path} {said}"
        );
    }
    let (status, said) = server
        .ask(
            "POST",
            "/predict",
            Some(&own),
            json!({"name": "other", "text": "good"}),
        )
        .await;
    assert_eq!(status, 200, "{said}");
    let one = said["prediction_id"].as_str().unwrap();
    let (_, flags) = server
        .ask(
            "POST",
            "/ofrep/v1/evaluate/flags",
            Some(&own),
            json!({"context": {"targetingKey": "u"}}),
        )
        .await;
    assert_eq!(flags["flags"].as_array().unwrap().len(), 1, "{flags}");
    let (status, _) = server
        .ask("GET", &format!("/predictions/{one}"), Some(&own), json!({}))
        .await;
    assert_eq!(status, 200);
    let (_, of_shop) = server
        .ask(
            "POST",
            "/predict",
            Some(&admin),
            json!({"name": "shop", "text": "good"}),
        )
        .await;
    let path = format!(
        "/predictions/{}",
        of_shop["prediction_id"].as_str().unwrap()
    );
    assert_eq!(server.ask("GET", &path, Some(&own), json!({})).await.0, 404);
    let outcome = json!([{"name": "shop", "unit_id": "u", "metric": "m", "value": 1},
                         {"name": "other", "unit_id": "u", "metric": "m", "value": 1}]);
    let (_, told) = server.ask("POST", "/feedback", Some(&own), outcome).await;
    assert!(
        told.to_string().contains("has no access to the model shop"),
        "{told}"
    );
    // Without a name it would be for every model that declares the metric.
    let outcome = json!({"unit_id": "u", "metric": "m", "value": 1});
    let (status, told) = server.ask("POST", "/feedback", Some(&own), outcome).await;
    assert_eq!(
        (status.as_u16(), told["code"].as_str()),
        (403, Some("forbidden")),
        "{told}"
    );
    // Nothing tells a name that the caller has not sent, or whether there is a model of one that he has.
    let predict = async |name: Option<&str>| {
        let body = json!({"name": name, "text": "good"});
        server.ask("POST", "/predict", Some(&own), body).await
    };
    let (_, unnamed) = predict(None).await;
    assert!(!unnamed.to_string().contains("shop"), "{unnamed}");
    let (_, known) = predict(Some("shop")).await;
    let (_, unknown) = predict(Some("nope")).await;
    assert_eq!(
        known.to_string().replace("shop", "nope"),
        unknown.to_string()
    );
    let (_, settings) = server.ask("GET", "/settings", Some(&own), json!({})).await;
    assert_eq!(settings["default_model"], Value::Null);
    // Lists go on to what is his, however much there is of others between.
    for n in 0..5 {
        let body = json!({"name": "shop", "version": format!("more-{n}"), "accuracy": 0.5});
        assert_eq!(
            server.ask("POST", "/models", Some(&admin), body).await.0,
            200
        );
    }
    let (_, listed) = server
        .ask("GET", "/models?limit=2", Some(&own), json!({}))
        .await;
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    // Who did what is in the audit, and nothing of a key but its id.
    let (_, audit) = server.ask("GET", "/audit", Some(&admin), json!({})).await;
    let entries = audit["entries"].as_array().unwrap();
    let newest = entries
        .iter()
        .find(|entry| entry["action"] == "version.activated")
        .unwrap();
    assert_eq!(newest["author"]["address"], "127.0.0.1", "{newest}");
    assert_eq!(newest["author"]["key_id"], format!("key-{}", &admin[5..17]));
    assert!(!audit.to_string().contains(&own[18..]));
}

#[tokio::test]
async fn a_key_is_taken_for_so_many_requests() {
    let server = Server::start().await;
    let admin = server.key(Role::Admin, &[], None).await;
    let body = json!({"role": "viewer", "requests_per_second": 3, "concurrent_requests": 1});
    let (status, made) = server.ask("POST", "/keys", Some(&admin), body).await;
    assert_eq!(
        (status.as_u16(), &made["requests_per_second"]),
        (200, &json!(3)),
        "{made}"
    );
    let key = made["key"].as_str().unwrap();
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(
            server
                .ask("GET", "/models", Some(key), json!({}))
                .await
                .0
                .as_u16(),
        );
    }
    assert_eq!(statuses[..3], [200; 3]);
    assert!(statuses[3..].contains(&429), "{statuses:?}");
    // Another key changes nothing of that, and its holder is not kept from calling.
    let other = server.key(Role::Viewer, &[], None).await;
    assert_eq!(
        server
            .ask("GET", "/models", Some(&other), json!({}))
            .await
            .0,
        200
    );
    for bad in [0, 1_000_001] {
        let body = json!({"role": "viewer", "requests_per_second": bad});
        assert_eq!(server.ask("POST", "/keys", Some(&admin), body).await.0, 422);
    }
}
