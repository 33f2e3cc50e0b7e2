//! A data directory that knows itself: files that somebody removes under a running server or between two starts.

use crate::weir::{BINARY, Weir, assert_clean, directory, serve, vader};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn started(data_dir: &Path) -> Weir {
    let mut command = serve(data_dir);
    command.args(["--tick-ms", "100", "--predict-timeout-ms", "300"]);
    Weir::spawn(command)
}

async fn with_a_version(data_dir: &Path) -> Weir {
    let weir = started(data_dir);
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    weir
}

async fn predict(weir: &Weir) -> u16 {
    weir.post("/predict", json!({"text": "good"})).await.0
}

/// Asks for the health until it says something.
async fn until(weir: &Weir, says: impl Fn(&str) -> bool) -> String {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let text = weir.get("/health/ready").await.1.to_string();
        if says(&text) || Instant::now() > end {
            return text;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn without_its_database_a_server_answers_and_counts_nothing() {
    let data = directory();
    let weir = with_a_version(data.path()).await;
    assert_eq!(predict(&weir).await, 200);
    until(&weir, |text| text.contains(r#""lag_entries":0"#)).await;
    let away = data.path().join("elsewhere.db");
    fs::rename(data.path().join("weir.db"), &away).unwrap();
    let health = until(&weir, |text| text.contains("weir.db")).await;
    assert!(health.contains("store_unavailable"), "{health}");
    for _ in 0..5 {
        assert_eq!(predict(&weir).await, 200);
    }
    let (status, problem) = weir
        .post(
            "/models",
            json!({"name": "m", "version": "1", "accuracy": 0.5}),
        )
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (503, &json!("store_unavailable"))
    );
    let lag = until(&weir, |text| text.contains(r#""lag_entries":5"#)).await;
    assert!(lag.contains(r#""lag_entries":5"#), "{lag}");
    // It is found again where it was.
    fs::rename(&away, data.path().join("weir.db")).unwrap();
    let caught_up =
        |text: &str| text.contains(r#""status":"ready""#) && text.contains(r#""lag_entries":0"#);
    let health = until(&weir, caught_up).await;
    assert!(caught_up(&health), "{health}");
    drop(weir);
    drop(started(data.path()));
    assert_clean(data.path());
}

#[tokio::test]
async fn without_its_journal_or_its_lock_a_server_refuses_predictions() {
    for name in ["journal", "weir.lock"] {
        let data = directory();
        let weir = with_a_version(data.path()).await;
        assert_eq!(predict(&weir).await, 200);
        let (there, away) = (data.path().join(name), data.path().join("away"));
        fs::rename(&there, &away).unwrap();
        let health = until(&weir, |text| text.contains("log_unavailable")).await;
        assert!(health.contains("gone"), "{name}: {health}");
        assert_eq!(predict(&weir).await, 503, "{name}");
        assert_eq!(weir.get("/health").await.0, 200);
        fs::rename(&away, &there).unwrap();
        until(&weir, |text| text.contains(r#""status":"ready""#)).await;
        assert_eq!(predict(&weir).await, 200, "{name}");
    }
}

/// What a start says that is refused.
fn refused(data_dir: &Path) -> String {
    let output = serve(data_dir).output().unwrap();
    assert!(!output.status.success(), "it started");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_directory_that_has_held_data_never_begins_anew_in_silence() {
    let killed = directory();
    let mut weir = with_a_version(killed.path()).await;
    assert_eq!(predict(&weir).await, 200);
    weir.signal("-KILL");
    let copy = || {
        let to = directory();
        let from = format!("{}/.", killed.path().display());
        let copied = Command::new("cp")
            .args(["-r", &from])
            .arg(to.path())
            .status()
            .unwrap();
        assert!(copied.success());
        to
    };
    let lose = |path: &Path, what: &str| match what {
        "an empty database beside its log" => fs::write(path.join("weir.db"), "").unwrap(),
        "no database" => fs::remove_file(path.join("weir.db")).unwrap(),
        "no log" => fs::remove_file(path.join("weir.db-wal")).unwrap(),
        _ => {
            fs::remove_file(path.join("weir.db")).unwrap();
            fs::remove_file(path.join("weir.db-wal")).unwrap();
        }
    };
    for what in [
        "an empty database beside its log",
        "no database",
        "no log",
        "nothing of both",
    ] {
        let data = copy();
        lose(data.path(), what);
        let says = refused(data.path());
        assert!(says.contains("has held more"), "{what}: {says}");
        assert!(says.contains("--allow-empty"), "{what}: {says}");
        // And again: looking at it has changed nothing.
        assert_eq!(refused(data.path()), says, "{what}");
        let mut command = serve(data.path());
        command.args(["--allow-empty", "--allow-empty-journal"]);
        // The journal of the database that is gone belongs to nobody now.
        fs::remove_dir_all(data.path().join("journal")).unwrap();
        drop(Weir::spawn(command));
    }
    // As it is it goes on, and so it does when another program has read it in between.
    let data = copy();
    let database = rusqlite::Connection::open(data.path().join("weir.db")).unwrap();
    let sql = "SELECT count(*) FROM versions";
    let versions: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(versions, 1);
    drop(database);
    drop(Weir::start(data.path()));
    assert_clean(data.path());
}

#[tokio::test]
async fn files_are_for_their_owner_alone() {
    let parent = directory();
    let data = parent.path().join("data");
    let weir = with_a_version(&data).await;
    assert_eq!(predict(&weir).await, 200);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let mut seen = 0;
    for folder in [data.clone(), data.join("journal")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen >= 5, "{seen}");
    drop(weir);
    // What an earlier release made is closed to others.
    fs::set_permissions(data.join("weir.db"), fs::Permissions::from_mode(0o644)).unwrap();
    drop(Weir::start(&data));
    assert_eq!(mode(&data.join("weir.db")), 0o600);
}

#[tokio::test]
async fn a_limit_of_file_sizes_is_an_error_like_any_other() {
    let data = directory();
    let mut command = Command::new("bash");
    let script = "ulimit -f 2000; exec \"$0\" serve --listen 127.0.0.1:0 --data-dir \"$1\" \
                  --journal-max-bytes 1048576 --predict-timeout-ms 300";
    command.args(["-c", script, BINARY]).arg(data.path());
    command.env("WEIR_LOG", "off");
    let mut weir = Weir::spawn(command);
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    let text = "good ".repeat(2000);
    let mut statuses = Vec::new();
    while statuses.last() != Some(&503) && statuses.len() < 5_000 {
        statuses.push(weir.post("/predict", json!({"text": text})).await.0);
    }
    let last = statuses.pop();
    assert_eq!(last, Some(503), "after {}", statuses.len());
    assert!(statuses.len() > 20 && statuses.iter().all(|status| *status == 200));
    assert_eq!(weir.get("/health").await.0, 200);
    weir.signal("-TERM");
    drop(Weir::start(data.path()));
    assert_clean(data.path());
}
