//! Planning, on the command line and over HTTP.

use crate::weir::{BINARY, Weir, directory};
use serde_json::{Value, json};
use std::process::Command;

fn plan(arguments: &[&str]) -> std::process::Output {
    Command::new(BINARY)
        .arg("plan")
        .args(arguments)
        .output()
        .unwrap()
}

#[tokio::test]
async fn the_common_claim_holds_where_it_holds() {
    let data = directory();
    let weir = Weir::start(data.path());
    for (arguments, body, units) in [
        (
            vec!["--baseline", "0.5", "--effect", "0.05", "--json"],
            json!({"baseline": 0.5, "effect": 0.05}),
            1565.0,
        ),
        (
            vec![
                "--baseline",
                "0.1",
                "--effect",
                "0.05",
                "--relative",
                "--json",
            ],
            json!({"baseline": 0.1, "effect": 0.05, "relative": true}),
            57_763.0,
        ),
    ] {
        let output = plan(&arguments);
        let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(planned["candidate_units"], json!(units));
        let (status, served) = weir.post("/plan", body).await;
        assert_eq!((status, served), (200, planned));
    }
    let output = plan(&["--baseline", "0.5", "--effect", "0.05", "--per-day", "313"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("1,565") && text.contains("10 days"), "{text}");

    let output = plan(&["--baseline", "0.5", "--effect", "0.7"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("effect") && text.contains("hint:"), "{text}");
    let (status, problem) = weir
        .post("/plan", json!({"baseline": 0.5, "effect": 0.7}))
        .await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (422, &json!("/effect"))
    );
}
