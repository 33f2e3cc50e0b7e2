//! A simulated rollout and a server that gets the same requests decide alike. The server's clock stands still between two looks.

use crate::http_runtime::ModelService;
use api::{Client, ClientError, CreateExperiment, PredictRequest, RegisterVersion};
use serde_json::{Value, json};
use server::{Clock, Config, Looks, Server};
use simulate::ReplayedRollout;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use store::{ModelStore, Store};
use tokio::task::JoinSet;
use types::{Action, ExperimentDefinition, ExperimentId, ExperimentStatus, Timestamp};

/// Seconds of the server's clock when the rollout begins: a whole minute.
const BEGAN: i64 = 1_800_000_000;
/// Requests and seconds between two looks.
const REQUESTS: u64 = 60;
const MINUTE: i64 = 60;
/// After so many looks it is over, decided or not.
const LOOKS: i64 = 40;
/// How many rollouts.
const RUNS: u64 = 20;
/// The control's rate of errors.
const BASE: f64 = 0.05;

/// A request as it was answered: its second, its arm, and whether that failed.
type Answered = (i64, usize, bool);

/// What was decided, and the second of the look.
type Decided = (i64, Action);

fn acts(action: Action) -> bool {
    matches!(
        action,
        Action::ExperimentAdvanced
            | Action::ExperimentRolledBack
            | Action::ExperimentPromoted
            | Action::ExperimentHeld
            | Action::ExperimentReleased
    )
}

/// A rollout over HTTP whose candidate fails `ratio` times as often: what was asked, and what was decided.
async fn served(
    runtime: Value,
    ratio: f64,
    seed: u64,
) -> (ExperimentDefinition, Vec<Answered>, Vec<Decided>) {
    let directory = tempfile::tempdir().unwrap();
    let second = Arc::new(AtomicI64::new(0));
    let read = Arc::clone(&second);
    let clock = Clock::new(move || {
        Timestamp::from_micros((BEGAN + read.load(Ordering::SeqCst)) * 1_000_000)
    });
    let config = Config {
        looks: Looks::WhenAsked,
        ..Config::new(([127, 0, 0, 1], 0).into(), directory.path().into())
    };
    let server = Server::bind(config, clock).await.unwrap();
    let (looker, url) = (server.looker(), server.url());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = server.run(async {
        let _ = stopped.await;
    });
    let play = async {
        let client = Client::new(&url).unwrap();
        let mut ids = Vec::new();
        for (version, path) in [("1", "predict"), ("2", "worse")] {
            let mut runtime = runtime.clone();
            let at = runtime["url"].as_str().unwrap().replace("predict", path);
            (runtime["url"], runtime["timeout_ms"]) = (json!(at), json!(30_000));
            let new = RegisterVersion {
                name: "served".into(),
                version: version.into(),
                accuracy: 0.8,
                runtime: Some(serde_json::from_value(runtime).unwrap()),
                ..RegisterVersion::default()
            };
            ids.push(client.register(&new).await.unwrap().model_id);
        }
        client.activate(&ids[0], 100.0).await.unwrap();
        let experiment: CreateExperiment = serde_json::from_value(json!({
            "name": "served",
            "policy": "rollout",
            "rollout": {
                "steps": [10, 30, 50, 100], "soak_seconds": [120], "min_units": [20, 60, 120, 120],
                "max_step_without_outcomes": 100,
            },
            "control": "1",
            "candidates": ["2"],
            "primary_metric": "correct",
            "guardrails": ["error"],
        }))
        .unwrap();
        let started = client.start_experiment(&experiment).await.unwrap();
        let id = started.experiment.experiment;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut asked = Vec::new();
        for look in 1..=LOOKS {
            second.store(look * MINUTE - 30, Ordering::SeqCst);
            for number in 0..REQUESTS {
                let draw = random.f64();
                // Both versions fail on the first, and the candidate on the second as well.
                let text = match draw {
                    draw if draw < BASE => "fail",
                    draw if draw < BASE * ratio => "harm",
                    _ => "good",
                };
                let request = PredictRequest {
                    name: Some("served".into()),
                    text: Some(format!("{text} {look} {number}")),
                    ..PredictRequest::default()
                };
                let (model_id, failed) = match client.predict(&request).await {
                    Ok(reply) => {
                        let failed = reply.served_model_id != reply.model_id;
                        (reply.model_id.into_owned(), failed)
                    }
                    // Where both fail the caller gets an error, and the log says whose it was.
                    Err(ClientError::Refused(problem)) => {
                        let path = format!("{url}/predictions/{}", problem.prediction_id.unwrap());
                        let logged = reqwest::get(path).await.unwrap();
                        let logged: Value = logged.json().await.unwrap();
                        (logged["model_id"].as_str().unwrap().to_owned(), true)
                    }
                    Err(error) => panic!("{error}"),
                };
                let arm = ids.iter().position(|id| *id == model_id).unwrap();
                asked.push((look * MINUTE - 30, arm, failed));
            }
            second.store(look * MINUTE, Ordering::SeqCst);
            looker.look().await.unwrap();
            if client.experiment(&id).await.unwrap().ended_at.is_some() {
                break;
            }
        }
        let filter = [("experiment", id.as_str()), ("limit", "1000")];
        let audit = client.audit(&filter).await.unwrap();
        let _ = stop.send(());
        (id, asked, audit.entries)
    };
    let (ran, (id, asked, entries)) = tokio::join!(run, play);
    ran.unwrap();
    let store = Store::open(directory.path()).unwrap();
    let id = id.parse::<ExperimentId>().unwrap();
    let experiment = store.experiment(id).await.unwrap().unwrap();
    let decided = entries.iter().rev().filter(|entry| acts(entry.action.0));
    let decided = decided.map(|entry| {
        let at = entry.at.parse::<Timestamp>().unwrap().seconds() - BEGAN;
        (at, entry.action.0)
    });
    (experiment.definition, asked, decided.collect())
}

/// The same requests, simulated.
fn simulated(definition: ExperimentDefinition, asked: &[Answered]) -> Vec<Decided> {
    let mut rollout = ReplayedRollout::new(definition);
    let mut decided = Vec::new();
    for of_look in asked.chunk_by(|a, b| a.0 == b.0) {
        for (at, arm, failed) in of_look {
            rollout.request(*at, *arm, *failed);
        }
        let at = of_look[0].0 + 30;
        if let Some(decision) = rollout.look(at) {
            let action = decision.action();
            decided.extend(acts(action).then_some((at, action)));
            if decision.leads_to() != ExperimentStatus::Running {
                break;
            }
        }
    }
    decided
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulation_decides_what_a_server_decides_on_the_same_requests() {
    let service = ModelService::start();
    let mut runs = JoinSet::new();
    for seed in 0..RUNS {
        let (runtime, ratio) = (service.runtime(), [1.0, 1.0, 3.0, 6.0][seed as usize % 4]);
        runs.spawn(async move {
            let (definition, asked, decided) = Box::pin(served(runtime, ratio, seed)).await;
            assert_eq!(
                simulated(definition, &asked),
                decided,
                "seed {seed}, ratio {ratio}"
            );
            assert!(!decided.is_empty(), "seed {seed}");
            decided.last().map(|(_, action)| action.as_str())
        });
    }
    let ends: BTreeSet<_> = runs.join_all().await.into_iter().flatten().collect();
    // Some went back and some went through, or nothing would have been compared.
    assert_eq!(ends.len(), 2, "{ends:?}");
}
