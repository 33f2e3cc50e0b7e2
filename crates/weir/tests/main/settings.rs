//! Settings: of a start, from a file, and of the server while it runs, whose rows may be damaged.

use crate::weir::{BINARY, Weir, assert_clean, directory, serve};
use rusqlite::Connection;
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// Two models with traffic, the second of them the default, and a webhook for the first.
async fn filled(data: &Path) -> String {
    let mut command = serve(data);
    command.arg("--private-webhooks");
    let weir = Weir::spawn(command);
    for name in ["a", "b"] {
        let body = json!({"name": name, "version": "1", "accuracy": 0.5});
        let (_, made) = weir.post("/models", body).await;
        weir.activate(made["model_id"].as_str().unwrap(), 100.0)
            .await;
    }
    let set = json!({"name": "b"});
    assert_eq!(weir.put("/settings/default_model", set).await.0, 200);
    let body = json!({"url": "http://user:word@127.0.0.1:9/path-token?q=1", "name": "a"});
    let (_, made) = weir.post("/webhooks", body).await;
    assert_eq!(made["url"], "http://127.0.0.1:9/...");
    made["webhook"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn damaged_settings_are_what_their_events_say() {
    for (harm, mends) in [
        ("DELETE FROM settings", false),
        ("UPDATE settings SET changes = 'x'", false),
        ("UPDATE settings SET default_model = x'fe'", true),
        ("UPDATE settings SET default_model = NULL", true),
        ("UPDATE webhooks SET definition = '{}'", true),
        ("UPDATE webhooks SET definition = '['", true),
        ("DELETE FROM secrets WHERE kind = 'webhook.url'", true),
        (
            "UPDATE secrets SET value = 'http://elsewhere.example/' WHERE kind = 'webhook.url'",
            true,
        ),
    ] {
        let data = directory();
        let webhook = filled(data.path()).await;
        let database = Connection::open(data.path().join("weir.db")).unwrap();
        assert!(database.execute(harm, []).unwrap() > 0, "{harm}");
        let mut verify = Command::new(BINARY);
        verify.args(["verify", "--data-dir"]).arg(data.path());
        assert!(!verify.output().unwrap().status.success(), "{harm}");
        let weir = Weir::start(data.path());
        assert_eq!(
            weir.get("/settings").await.1["default_model"],
            "b",
            "{harm}"
        );
        let (_, answer) = weir.post("/predict", json!({"text": "good"})).await;
        assert_eq!(answer["name"], "b", "{harm}");
        assert_eq!(weir.get("/webhooks").await.0, 200, "{harm}");
        if mends {
            // Both are told anew, and nothing of the damage is left.
            let (status, problem) = weir.delete(&format!("/webhooks/{webhook}")).await;
            assert_eq!(status, 200, "{harm}: {problem}");
            for name in ["a", "b"] {
                let set = json!({"name": name});
                assert_eq!(weir.put("/settings/default_model", set).await.0, 200);
            }
            drop(weir);
            assert_clean(data.path());
        }
    }
}

/// A release before kept the model of a webhook in a column of its own.
#[tokio::test]
async fn a_damaged_webhook_keeps_no_directory_from_being_migrated() {
    let data = directory();
    let database = Connection::open(data.path().join("weir.db")).unwrap();
    let dump = include_str!("../../../store/tests/schema_6.sql");
    database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    database.execute_batch(dump).unwrap();
    database
        .execute_batch(
            "INSERT INTO webhooks (webhook_id, name, url, secret, created_at, delivered) VALUES \
             ('hook-000000000001', x'ff', 'https://a.example/', 'whsec_AAAA', 1, 0), \
             ('hook-000000000002', 'm', 'https://b.example/', 'whsec_AAAA', 2, 0), \
             ('hook-000000000003', NULL, 'https://c.example/', 'whsec_AAAA', 3, 0)",
        )
        .unwrap();
    drop(database);
    let mut command = serve(data.path());
    command.arg("--allow-empty-journal");
    let weir = Weir::spawn(command);
    let (_, webhooks) = weir.get("/webhooks").await;
    let names: Vec<_> = webhooks
        .as_array()
        .unwrap()
        .iter()
        .map(|w| &w["name"])
        .collect();
    assert_eq!(names, [&json!("m"), &json!(null)]);
}

#[test]
fn a_wrong_value_in_the_file_is_named_with_the_file() {
    let folder = directory();
    let file = folder.path().join("weir.toml");
    for (text, said) in [
        ("max_connections = 5.0", "--max-connections"),
        (
            "max_predictions = 9223372036854775807",
            "must be a whole number from 1 to",
        ),
        ("listen = [\"127.0.0.1:0\"]", "`listen` must be a text"),
        ("insecure = []", "`insecure` is an empty list"),
        ("cors_origins = []", "`cors_origins` is"),
        ("data_dir = 5", "`data_dir` must be a text: the path"),
        ("tick_ms = \"soon\"", "--tick-ms"),
        ("unheard = 1", "`unheard` is not a setting"),
    ] {
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(BINARY);
        command.arg("serve").arg("--config").arg(&file);
        let output = command.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}: {told}");
        assert!(
            told.contains("weir.toml") && told.contains(said),
            "{text}: {told}"
        );
    }
}

#[test]
fn a_file_is_checked_without_a_server_and_has_a_schema() {
    let files = directory();
    let run = |args: &[&str]| {
        let output = std::process::Command::new(crate::weir::BINARY)
            .arg("config")
            .args(args)
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), said)
    };
    let (well, schema) = run(&["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let known = schema["properties"].as_object().unwrap();
    assert!(
        well && known.len() > 30
            && known["durability"]["enum"] == serde_json::json!(["commit", "fsync"]),
        "{schema}"
    );
    let file = files.path().join("weir.toml");
    for (text, well, says) in [
        (
            "listen = \"127.0.0.1:0\"\ncors_origin = [\"https://a.b\"]\n",
            true,
            "is good",
        ),
        (
            "listn = \"127.0.0.1:0\"\n",
            false,
            "`listn` is not a setting; is `listen` meant?",
        ),
        (
            "listen = \"0.0.0.0:1\"\nauth = \"none\"\n",
            false,
            "--auth none",
        ),
        ("tick_ms = 0\n", false, "tick-ms"),
        (
            "group_role = [\"sre=operator\"]\n",
            false,
            "no proxy is trusted",
        ),
        // It can be read, and has no certificate.
        ("upstream_ca = \"Cargo.toml\"\n", false, "no certificate"),
    ] {
        std::fs::write(&file, text).unwrap();
        let (found, said) = run(&["check", file.to_str().unwrap()]);
        assert_eq!((found, said.contains(says)), (well, true), "{text}: {said}");
        // What the schema has is what is taken.
        let table: toml::Table = toml::from_str(text).unwrap();
        let all_known = table.keys().all(|key| known.contains_key(key));
        assert!(all_known || !well, "{text}");
    }
}
