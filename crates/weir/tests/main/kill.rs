//! SIGKILL under load loses nothing that was answered.

use crate::weir::{Weir, assert_clean, directory, vader};
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;
use tokio::task::JoinSet;

const ROUNDS: usize = 20;
const CLIENTS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn killed_servers_keep_every_answered_prediction() {
    let data = directory();
    let mut answered = HashSet::new();
    for round in 0..ROUNDS {
        let mut weir = Weir::start(data.path());
        if round == 0 {
            let id = weir.register("1.0.0", vader()).await;
            weir.activate(&id, 100.0).await;
        }
        // The moment of the kill is a number of answers that differs from round to round.
        let kill_after = 20 + (round * 7919) % 400;
        let (count, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let client = api::Client::new(&weir.address).unwrap();
            let (count, enough) = (Arc::clone(&count), Arc::clone(&enough));
            clients.spawn(async move {
                let request = api::PredictRequest {
                    text: Some("good".into()),
                    ..api::PredictRequest::default()
                };
                let mut told = Vec::new();
                while let Ok(reply) = client.predict(&request).await {
                    told.push(reply.prediction_id);
                    if count.fetch_add(1, Ordering::Relaxed) + 1 == kill_after {
                        enough.notify_one();
                    }
                }
                told
            });
        }
        enough.notified().await;
        weir.signal("-KILL");
        answered.extend(clients.join_all().await.into_iter().flatten());
        assert_clean(data.path());
    }

    let weir = Weir::start(data.path());
    let mut stored = Vec::new();
    let mut path = "/predictions?limit=1000".to_owned();
    loop {
        let (_, page) = weir.get(&path).await;
        let predictions = page["predictions"].as_array().unwrap();
        stored.extend(
            predictions
                .iter()
                .map(|p| p["prediction_id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/predictions?limit=1000&cursor={cursor}");
    }
    let once: HashSet<String> = stored.iter().cloned().collect();
    assert_eq!(once.len(), stored.len(), "a prediction is stored twice");
    let lost: Vec<_> = answered.difference(&once).collect();
    assert!(
        lost.is_empty(),
        "{} of {} answers are lost",
        lost.len(),
        answered.len()
    );
    assert!(answered.len() > ROUNDS * 20);
    let (_, report) = weir.get("/models/performance").await;
    assert_eq!(report["total_requests"], json!(stored.len()));
}
