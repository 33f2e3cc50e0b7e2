//! SIGKILL under load loses nothing that was answered: predictions, feedback and evidence.

use crate::weir::{Weir, assert_clean, directory, vader};
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;
use tokio::task::JoinSet;

const ROUNDS: usize = 40;
const CLIENTS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn killed_servers_keep_every_answered_prediction_and_value() {
    let data = directory();
    let mut answered = HashSet::new();
    let mut labelled = 0;
    for round in 0..ROUNDS {
        let mut weir = Weir::start(data.path());
        if round == 0 {
            weir.register("1.0.0", vader()).await;
            weir.register("2.0.0", vader()).await;
            let experiment = json!({
                "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"],
                "primary_metric": "correct", "secondary_metrics": ["latency_ms"],
            });
            let (_, draft) = weir.post("/experiments", experiment).await;
            let id = draft["experiment"].as_str().unwrap();
            let (status, _) = weir
                .post(&format!("/experiments/{id}/start"), json!({}))
                .await;
            assert_eq!(status, 200);
        }
        // The moment of the kill is a number of answers that differs from round to round.
        let kill_after = 20 + (round * 7919) % 400;
        let (count, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let client = api::Client::new(&weir.address).unwrap();
            let (count, enough) = (Arc::clone(&count), Arc::clone(&enough));
            clients.spawn(async move {
                let request = api::PredictRequest {
                    text: Some("good".into()),
                    // A user comes back, in this round and in the next.
                    unit_id: (number > 0).then(|| format!("user-{}", number / 2)),
                    ..api::PredictRequest::default()
                };
                let (mut told, mut labels) = (Vec::new(), 0u64);
                while let Ok(reply) = client.predict(&request).await {
                    let label = api::Feedback {
                        prediction_id: Some(reply.prediction_id.clone()),
                        label: Some("positive".into()),
                        ..api::Feedback::default()
                    };
                    told.push(reply.prediction_id);
                    let received = client.feedback(&[label]).await;
                    labels += received.map_or(0, |received| received.recorded);
                    if count.fetch_add(1, Ordering::Relaxed) + 1 == kill_after {
                        enough.notify_one();
                    }
                }
                (told, labels)
            });
        }
        enough.notified().await;
        weir.signal("-KILL");
        for (told, labels) in clients.join_all().await {
            answered.extend(told);
            labelled += labels;
        }
        // Every tenth time; the server that follows counts what waits.
        if round % 10 == 9 {
            assert_clean(data.path());
        }
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
    let models = report["models"].as_array().unwrap();
    let labels: u64 = models
        .iter()
        .map(|m| m["labelled_count"].as_u64().unwrap())
        .sum();
    // A value may have been stored whose receipt was killed on its way.
    assert!(
        (labelled..=labelled + (ROUNDS * CLIENTS) as u64).contains(&labels),
        "{labels} {labelled}"
    );
}
