//! Backups of a server that goes on, and data directories from them.

use crate::weir::{BINARY, Weir, assert_clean, directory, serve, vader};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn weir(args: &[&str], paths: [(&str, &Path); 2]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(args);
    for (flag, path) in paths {
        command.arg(flag).arg(path);
    }
    command.output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_holds_all_that_was_answered_before_it() {
    let (data, copies) = (directory(), directory());
    let mut command = serve(data.path());
    // Small segments go often.
    command.args(["--journal-max-bytes", "4194304"]);
    let server = Arc::new(Weir::spawn(command));
    let one = server.register("1", vader()).await;
    server.activate(&one, 100.0).await;
    let hook = json!({"url": "https://example.com/secret"});
    assert_eq!(server.post("/webhooks", hook).await.0, 200);
    let mut ids = Vec::new();
    for n in 0..300 {
        let (_, reply) = server
            .post("/predict", json!({"text": format!("good {n}")}))
            .await;
        ids.push(reply["prediction_id"].as_str().unwrap().to_owned());
    }
    let goes_on = Arc::new(AtomicBool::new(true));
    let (load, goes) = (Arc::clone(&server), Arc::clone(&goes_on));
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let mut sent = 0;
        while goes.load(Ordering::Relaxed) {
            assert_eq!(
                load.post("/predict", json!({"text": "bad ".repeat(200)}))
                    .await
                    .0,
                200
            );
            sent += 1;
        }
        sent
    });
    let copy = copies.path().join("copy");
    let made = weir(&["backup"], [("--data-dir", data.path()), ("--to", &copy)]);
    goes_on.store(false, Ordering::Relaxed);
    assert!(made.status.success(), "{made:?}");
    assert!(tasks.join_next().await.unwrap().unwrap() > 0);
    let said = String::from_utf8(made.stdout).unwrap();
    assert!(
        said.contains("predictions in the database up to position"),
        "{said}"
    );
    assert!(!data.path().join(".weir-backup-pins").exists());
    #[cfg(unix)]
    for path in [
        copy.clone(),
        copy.join("weir.db"),
        copy.join("decisions.key"),
        copy.join("journal/server"),
    ] {
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&path).unwrap().permissions(),
        );
        assert_eq!(mode & 0o077, 0, "{path:?} {mode:o}");
    }
    // The first one goes on; what it does from now on is not in the copy.
    let (_, page) = server.get("/predictions?after_position=0&limit=1").await;
    let generation = page["generation"].as_str().unwrap().to_owned();

    let mut cursors = Vec::new();
    for path in ["/predictions?limit=1", "/audit?limit=1"] {
        let (_, page) = server.get(path).await;
        let cursor = page["next_cursor"].as_str().unwrap().to_owned();
        let next = format!("{path}&cursor={cursor}");
        let (status, rest) = server.get(&next).await;
        assert_eq!(status, 200, "{next} {rest}");
        cursors.push((path, cursor));
    }

    let restored = copies.path().join("restored");
    let done = weir(&["restore"], [("--from", &copy), ("--data-dir", &restored)]);
    assert!(done.status.success(), "{done:?}");
    assert!(String::from_utf8(done.stdout).unwrap().contains("clean"));
    assert_clean(&restored);
    let again = Weir::start(&restored);
    for id in &ids {
        assert_eq!(
            again.get(&format!("/predictions/{id}")).await.0,
            200,
            "{id}"
        );
    }
    let (_, hooks) = again.get("/webhooks").await;
    assert_eq!(hooks.as_array().unwrap().len(), 1, "{hooks}");
    assert_eq!(again.post("/predict", json!({"text": "good"})).await.0, 200);
    // Whoever reads on from a position of the other one is told.
    let (status, page) = again.get("/predictions?after_position=0&limit=1").await;
    assert_eq!(status, 200);
    assert_ne!(page["generation"], json!(generation));
    let own = page["generation"].as_str().unwrap();
    for path in ["/predictions", "/feedback"] {
        let at = |generation: &str| format!("{path}?after_position=5&generation={generation}");
        let (status, problem) = again.get(&at(&generation)).await;
        assert_eq!(
            (status, &problem["code"]),
            (410, &json!("generation_gone")),
            "{problem}"
        );
        assert_eq!(again.get(&at(own)).await.0, 200);
    }
    for (path, cursor) in &cursors {
        let (status, problem) = again.get(&format!("{path}&cursor={cursor}")).await;
        assert_eq!(
            (status, &problem["code"]),
            (410, &json!("generation_gone")),
            "{problem}"
        );
        // Those of releases before had no generation.
        let (_, last) = cursor.split_once('.').unwrap();
        let (status, page) = again.get(&format!("{path}&cursor={last}")).await;
        assert_eq!(status, 200, "{page}");
        for wrong in ["nonsense", "nonsense.5", "1.2.3"] {
            let (status, problem) = again.get(&format!("{path}&cursor={wrong}")).await;
            assert_eq!(
                (status, &problem["errors"][0]["pointer"]),
                (422, &json!("?cursor")),
                "{problem}"
            );
        }
    }
    let stream = again
        .http
        .get(again.url("/events"))
        .header("last-event-id", format!("{generation}-3"));
    assert_eq!(stream.send().await.unwrap().status(), 410);
    let (status, problem) = again.get("/events?after=1000000").await;
    assert_eq!(status, 422);
    assert!(
        problem.to_string().contains("beyond the end of the audit"),
        "{problem}"
    );
    drop(again);
    assert_clean(&restored);
}

#[test]
fn what_is_no_whole_backup_is_not_restored() {
    let (data, copies) = (directory(), directory());
    drop(Weir::start(data.path()));
    let copy = copies.path().join("copy");
    let made = weir(&["backup"], [("--data-dir", data.path()), ("--to", &copy)]);
    assert!(made.status.success(), "{made:?}");
    let refused = |args: &[&str], paths: [(&str, &Path); 2], says: &str| {
        let refused = weir(args, paths);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && said.contains(says),
            "{says}: {said}"
        );
    };
    refused(
        &["backup"],
        [("--data-dir", data.path()), ("--to", &copy)],
        "not empty",
    );
    refused(
        &["backup"],
        [
            ("--data-dir", copies.path()),
            ("--to", &copies.path().join("x")),
        ],
        "holds no data",
    );
    refused(
        &["restore"],
        [("--from", &copy), ("--data-dir", data.path())],
        "not empty",
    );
    refused(
        &["restore"],
        [
            ("--from", copies.path()),
            ("--data-dir", &copies.path().join("y")),
        ],
        "is no backup",
    );
    let other = directory();
    drop(Weir::start(other.path()));
    let journal = other.path().join("journal");
    refused(
        &["backup", "--journal-dir", journal.to_str().unwrap()],
        [
            ("--data-dir", data.path()),
            ("--to", &copies.path().join("x")),
        ],
        "is not the journal of this data directory",
    );
    refused(
        &["backup"],
        [
            ("--data-dir", data.path()),
            ("--to", &data.path().join("copy")),
        ],
        "is within the data directory",
    );
    // One at a time, and none beside what another one has left.
    let pins = journal::Pins::new(&data.path().join("journal")).unwrap();
    refused(
        &["backup"],
        [
            ("--data-dir", data.path()),
            ("--to", &copies.path().join("x")),
        ],
        "another backup",
    );
    drop(pins);
    // Into an empty folder that is there already, by a link: both stay what they are.
    let (there, link) = (directory(), copies.path().join("link"));
    std::os::unix::fs::symlink(there.path(), &link).unwrap();
    let restored = weir(&["restore"], [("--from", &copy), ("--data-dir", &link)]);
    assert!(restored.status.success(), "{restored:?}");
    assert!(link.is_symlink() && there.path().join("weir.db").exists());
    assert!(!there.path().join(".weir-unfinished").exists());
    drop(Weir::start(there.path()));
    let database = copy.join("weir.db");
    let mut bytes = std::fs::read(&database).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&database, &bytes).unwrap();
    let place = copies.path().join("z");
    refused(
        &["restore"],
        [("--from", &copy), ("--data-dir", &place)],
        "weir.db differs from what was backed up",
    );
    assert!(!place.exists());
    let manifest = std::fs::read_to_string(copy.join("backup.json")).unwrap();
    std::fs::write(
        copy.join("backup.json"),
        manifest.replace("\"weir.db\"", "\"../weir.db\""),
    )
    .unwrap();
    refused(
        &["restore"],
        [("--from", &copy), ("--data-dir", &place)],
        "outside the backup",
    );
}
