//! A full disk and a read-only one, on a small file system that only the server sees.

use crate::weir::{BINARY, Weir, directory, vader};
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `weir serve` on a file system of its own, mounted at `data_dir` for this process alone.
fn serve_on(data_dir: &Path, mount_options: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-ec"]);
    command.arg(
        "mount -t tmpfs -o \"$1\" tmpfs \"$2\"; \
         exec \"$3\" serve --listen 127.0.0.1:0 --data-dir \"$2\" --journal-max-bytes 1048576 --predict-timeout-ms 300",
    );
    command
        .args(["sh", mount_options])
        .arg(data_dir)
        .arg(BINARY);
    command.env("WEIR_LOG", "off");
    command
}

/// Whether this machine lets a process have a file system of its own. CI must.
fn can_mount() -> bool {
    let mut command = Command::new("unshare");
    command.args([
        "--user",
        "--map-root-user",
        "--mount",
        "mount",
        "-t",
        "tmpfs",
        "tmpfs",
        "/mnt",
    ]);
    let can = command.output().is_ok_and(|output| output.status.success());
    assert!(
        can || std::env::var_os("CI").is_none(),
        "CI cannot mount a file system, so a full disk is not tested"
    );
    can
}

/// Takes all the space there is.
fn fill(ballast: &Path) {
    let mut file = File::create(ballast).unwrap();
    for piece in [vec![1; 1 << 16], vec![1; 512]] {
        while file.write_all(&piece).is_ok() {}
    }
}

#[tokio::test]
async fn a_full_disk_refuses_predictions_until_there_is_space() {
    if !can_mount() {
        return;
    }
    let data = directory();
    let weir = Weir::spawn(serve_on(data.path(), "size=4m"));
    let inside = format!("/proc/{}/root{}", weir.process.id(), data.path().display());
    let inside = PathBuf::from(inside);
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    let request = json!({"text": "good ".repeat(200)});
    let (status, _) = weir.post("/predict", request.clone()).await;
    assert_eq!(status, 200);

    fill(&inside.join("ballast"));
    // There is room left in what the journal has secured.
    let mut answered = 1;
    let problem = loop {
        let (status, reply) = weir.post("/predict", request.clone()).await;
        if status != 200 {
            break (status, reply);
        }
        answered += 1;
        assert!(answered < 20_000, "the disk is never full");
    };
    assert_eq!(problem.0, 503, "{}", problem.1);
    assert_eq!(problem.1["code"], "log_unavailable");
    let (status, ready) = weir.get("/health/ready").await;
    assert_eq!((status, &ready["status"]), (503, &json!("not_ready")));
    assert!(
        ready["reasons"][0].as_str().unwrap().contains("full"),
        "{ready}"
    );
    assert!(answered > 20, "{answered}");
    let new =
        json!({"name": "other", "version": "1", "accuracy": 0.5, "description": "x".repeat(9_000)});
    let (status, problem) = weir.post("/models", new.clone()).await;
    assert_eq!(
        (status, &problem["code"]),
        (503, &json!("store_unavailable"))
    );
    // Reading goes on, and so does the process.
    assert_eq!(weir.get("/health").await.0, 200);
    let (_, models) = weir.get("/models").await;
    assert_eq!(models.as_array().unwrap().len(), 1);

    std::fs::remove_file(inside.join("ballast")).unwrap();
    assert_eq!(weir.get("/health/ready").await.0, 200);
    assert_eq!(weir.post("/predict", request).await.0, 200);
    assert_eq!(weir.post("/models", new).await.0, 200);
    let (_, report) = weir.get("/models/performance").await;
    assert_eq!(report["total_requests"], answered + 1);
    let pid = weir.process.id().to_string();
    let output = Command::new("nsenter")
        .args([
            "--user",
            "--mount",
            "--preserve-credentials",
            "--target",
            &pid,
            BINARY,
        ])
        .args(["verify", "--data-dir"])
        .arg(data.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_read_only_directory_is_refused_with_the_reason() {
    if !can_mount() {
        return;
    }
    let data = directory();
    let output = serve_on(data.path(), "ro").output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        talk.contains("Read-only file system") && talk.contains("hint: "),
        "{talk}"
    );
}
