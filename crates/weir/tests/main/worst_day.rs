//! A caller's worst day: half a body, a connection that says nothing, everybody at once.

use crate::weir::{Weir, assert_clean, directory, serve, vader};
use serde_json::json;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Sends bytes and reads until the server closes the connection.
async fn exchange(weir: &Weir, sent: &str) -> String {
    let address = weir.address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    // The server may cut the connection instead of ending it.
    let _ = stream.read_to_end(&mut reply).await;
    String::from_utf8_lossy(&reply).into_owned()
}

#[tokio::test]
async fn half_a_body_or_half_a_head_is_not_waited_for() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--body-timeout-ms", "500", "--header-timeout-ms", "500"]);
    let weir = Weir::spawn(command);
    let id = weir.register("1.0.0", vader()).await;
    weir.activate(&id, 100.0).await;
    let head = "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let half = format!("{head}content-length: 100\r\n\r\n{{\"text\": \"go");
    let reply = exchange(&weir, &half).await;
    assert!(
        reply.starts_with("HTTP/1.1 408") && reply.contains("body_timeout"),
        "{reply}"
    );
    for (sent, status) in [(head, ""), ("", ""), ("nonsense\r\n\r\n", "HTTP/1.1 400")] {
        let reply = exchange(&weir, sent).await;
        assert!(
            reply.starts_with(status) && (reply.is_empty() || !status.is_empty()),
            "{reply}"
        );
    }
    assert_eq!(weir.get("/predictions").await.1["predictions"], json!([]));
    assert_eq!(weir.post("/predict", json!({"text": "good"})).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_changes_with_one_revision_exactly_one_wins_and_activations_are_all_kept() {
    let data = directory();
    let weir = Arc::new(Weir::start(data.path()));
    let mut ids = Vec::new();
    for version in ["1", "2", "3", "4"] {
        ids.push(weir.register(version, vader()).await);
    }
    let mut activations = JoinSet::new();
    for id in ids.clone() {
        let weir = Arc::clone(&weir);
        activations.spawn(async move { weir.activate(&id, 25.0).await });
    }
    activations.join_all().await;
    let (_, traffic) = weir.get("/traffic/sentiment").await;
    let shares: Vec<_> = traffic["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| &v["share"])
        .collect();
    assert_eq!(shares, [0.25; 4], "{traffic}");

    let mut changes = JoinSet::new();
    for n in 0..10 {
        let weir = Arc::clone(&weir);
        let body = json!({"revision": traffic["revision"], "weights": {"1": n, "2": 100 - n}});
        changes.spawn(async move { weir.put("/traffic/sentiment", body).await.0 });
    }
    let mut statuses = changes.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [&[200][..], &[409; 9]].concat());
    let (_, audit) = weir.get("/audit?name=sentiment").await;
    let actions = audit["entries"].as_array().unwrap();
    let set = actions
        .iter()
        .filter(|entry| entry["action"] == "traffic.set");
    assert_eq!((actions.len(), set.count()), (9, 1), "{audit}");
    assert_clean(data.path());
}
