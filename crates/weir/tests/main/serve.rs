//! Starting and stopping.

use crate::weir::{Weir, directory, serve};
use std::process::Output;

fn refused(output: &Output, says: &str) {
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(talk.contains(says) && talk.contains("hint: "), "{talk}");
}

#[tokio::test]
async fn a_directory_has_one_server_and_terminate_ends_it_well() {
    let data = directory();
    let mut weir = Weir::start(data.path());
    refused(&serve(data.path()).output().unwrap(), "another weir server");
    let status = weir.signal("-TERM");
    assert_eq!(status.code(), Some(0));
    Weir::start(data.path());
}

#[test]
fn unguarded_addresses_are_refused() {
    let data = directory();
    let output = serve(data.path())
        .args(["--max-body-bytes", "0"])
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        talk.contains("--max-body-bytes") && talk.contains("from 1 to"),
        "{talk}"
    );
    let mut command = std::process::Command::new(crate::weir::BINARY);
    let output = command
        .args([
            "serve",
            "--listen",
            "0.0.0.0:0",
            "--auth",
            "none",
            "--data-dir",
        ])
        .arg(data.path());
    refused(&output.output().unwrap(), "other machines");
}

#[test]
fn a_newer_database_is_left_alone() {
    let data = directory();
    let path = data.path().join("weir.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    let before = std::fs::read(&path).unwrap();
    refused(&serve(data.path()).output().unwrap(), "schema 999");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
