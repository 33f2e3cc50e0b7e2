//! What the controller costs, and how soon it takes a broken candidate back.

use super::BenchArgs;
use super::load::{Measured, throughput};
use crate::fill::TEXT;
use crate::load::{self, Shape, Target};
use crate::process::Process;
use crate::table::{self, median};
use anyhow::{Context, ensure};
use api::{Client, CreateExperiment, PredictRequest, RegisterVersion};
use serde_json::json;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use types::{RuntimeSpec, SentimentMethod};

/// Experiments that run at a time, and units of each.
const EXPERIMENTS: usize = 200;
const UNITS: usize = 300;

pub(super) async fn run(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    many(args, binary, directory).await?;
    back(binary, directory).await
}

/// A server whose talk goes to a file.
fn serve(binary: &Path, data_dir: &Path, tick_ms: u32) -> anyhow::Result<(Process, PathBuf)> {
    fs::create_dir_all(data_dir)?;
    let talk = data_dir.join("stderr");
    let mut command = Command::new(binary);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--tick-ms"])
        .arg(tick_ms.to_string())
        .arg("--data-dir")
        .arg(data_dir)
        .env("WEIR_LOG", "error,server::controller=debug")
        .stderr(File::create(&talk)?);
    Ok((Process::start(&mut command)?, talk))
}

async fn register(
    client: &Client,
    name: &str,
    version: &str,
    runtime: RuntimeSpec,
) -> anyhow::Result<String> {
    let new = RegisterVersion {
        name: name.into(),
        version: version.into(),
        accuracy: 0.5,
        runtime: Some(runtime),
        ..RegisterVersion::default()
    };
    Ok(client.register(&new).await?.model_id)
}

const VADER: RuntimeSpec = RuntimeSpec::Sentiment {
    method: SentimentMethod::Vader,
};

async fn rollout(
    client: &Client,
    name: &str,
    percent: f64,
    guardrails: &[&str],
) -> anyhow::Result<String> {
    // It stays at its first step.
    let body: CreateExperiment = serde_json::from_value(json!({
        "name": name, "control": "1.0.0", "candidates": ["2.0.0"], "policy": "rollout",
        "rollout": {"steps": [percent, 100], "soak_seconds": [86400]}, "primary_metric": "confidence",
        "guardrails": guardrails,
    }))?;
    Ok(client.start_experiment(&body).await?.experiment.experiment)
}

/// 200 rollouts: the time of a tick, and the throughput beside ticks 60 times as often.
async fn many(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let mut servers = Vec::new();
    for (what, tick_ms) in [("a tick a minute", 60_000), ("a tick a second", 1000)] {
        let data_dir = tempfile::tempdir_in(directory)?.keep();
        let (process, talk) = serve(binary, &data_dir, tick_ms)?;
        let client = Client::new(&process.line)?;
        for model in 0..EXPERIMENTS {
            let name = format!("model-{model}");
            for version in ["1.0.0", "2.0.0"] {
                register(&client, &name, version, VADER).await?;
            }
            rollout(&client, &name, 50.0, &["error", "latency_ms"]).await?;
        }
        let mut workers = tokio::task::JoinSet::new();
        for worker in 0..16 {
            let client = client.clone();
            workers.spawn(async move {
                for model in (worker..EXPERIMENTS).step_by(16) {
                    for unit in 0..UNITS {
                        let request = PredictRequest {
                            name: Some(format!("model-{model}")),
                            text: Some(TEXT.into()),
                            unit_id: Some(format!("user-{unit}")),
                            ..PredictRequest::default()
                        };
                        client.predict(&request).await?;
                    }
                }
                Ok::<_, api::ClientError>(())
            });
        }
        while let Some(done) = workers.join_next().await {
            done??;
        }
        servers.push((what, process, talk));
    }
    let mut measured = Measured::default();
    let shape = Shape {
        connections: 64,
        seconds: args.seconds,
        rate: None,
    };
    let body = json!({"name": "model-0", "text": TEXT}).to_string();
    for _ in 0..args.rounds * 3 {
        for (at, (what, process, _)) in servers.iter().enumerate() {
            let url = format!("{}/predict", process.line);
            let outcome = load::run(Target::Post(&url, &body), shape).await?;
            let bar = (at > 0).then(|| (servers[0].0.to_owned(), 0.97));
            measured.add((*what).to_owned(), bar, outcome);
        }
    }
    measured.print(
        "200 rollouts running, commit, 64 connections; ratio of throughput, bar is least",
        throughput,
    );
    let quiet_from = fs::read_to_string(&servers[1].2)?.lines().count();
    // A few ticks without load.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let talk = fs::read_to_string(&servers[1].2)?;
    let ticks: Vec<f64> = talk.lines().filter_map(tick_ms).collect();
    let quiet: Vec<f64> = talk.lines().skip(quiet_from).filter_map(tick_ms).collect();
    ensure!(!ticks.is_empty() && !quiet.is_empty(), "no tick was logged");
    let worst = |ticks: &[f64]| ticks.iter().copied().fold(0.0, f64::max);
    let row = |what: &str, ticks: Vec<f64>| {
        let (count, worst) = (ticks.len(), worst(&ticks));
        let middle = median(ticks);
        vec![
            what.to_owned(),
            count.to_string(),
            format!("{middle:.1}"),
            format!("{worst:.1}"),
        ]
    };
    table::print(
        "A tick over 200 rollouts of 300 units each; bar: 50 ms in total",
        &["what", "ticks", "median ms", "worst ms"],
        &[
            row("without load", quiet),
            row("all, under load too", ticks),
        ],
    );
    Ok(())
}

/// The time of a tick, from the server's talk.
fn tick_ms(line: &str) -> Option<f64> {
    let plain: String = strip_colours(line);
    let micros = plain.split("micros=").nth(1)?;
    let digits: String = micros.chars().take_while(char::is_ascii_digit).collect();
    Some(digits.parse::<f64>().ok()? / 1e3)
}

fn strip_colours(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('\u{1b}') {
        plain.push_str(&rest[..start]);
        rest = rest[start..].split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

/// A candidate whose service dies under load: when it is at 0 %, and what callers saw.
async fn back(binary: &Path, directory: &Path) -> anyhow::Result<()> {
    const TICK_MS: u32 = 1000;
    let there = tempfile::tempdir_in(directory)?.keep();
    let (service, _) = serve(binary, &there, TICK_MS)?;
    let client = Client::new(&service.line)?;
    let version = register(&client, "sentiment", "1.0.0", VADER).await?;
    client.activate(&version, 100.0).await?;
    let remote: RuntimeSpec = serde_json::from_value(json!({
        "type": "http", "url": format!("{}/predict", service.line),
        "prediction_pointer": "/prediction", "confidence_pointer": "/confidence",
    }))?;
    let data_dir = tempfile::tempdir_in(directory)?.keep();
    let (weir, _) = serve(binary, &data_dir, TICK_MS)?;
    let client = Client::new(&weir.line)?;
    register(&client, "sentiment", "1.0.0", VADER).await?;
    register(&client, "sentiment", "2.0.0", remote).await?;
    // A remote version is slower than one in process, so latency guards nothing here.
    let id = rollout(&client, "sentiment", 25.0, &["error"]).await?;
    let mut events = client
        .events(&[("experiment", id.as_str()), ("after", "0")])
        .await?;
    let url = format!("{}/predict", weir.line);
    let body = json!({ "text": TEXT }).to_string();
    let shape = Shape {
        connections: 32,
        seconds: 10,
        rate: Some(2000),
    };
    let under_load = load::run(Target::Post(&url, &body), shape);
    let watch = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        let killed = Instant::now();
        drop(service);
        while let Some(entry) = events.next().await? {
            if entry.action == types::Action::ExperimentRolledBack {
                return anyhow::Ok(killed.elapsed());
            }
        }
        anyhow::bail!("the server ended the stream")
    };
    let (outcome, took) = tokio::join!(under_load, watch);
    let (outcome, took) = (outcome?, took?);
    let report = client.report(&[]).await?;
    let by = |version: &str| report.models.iter().find(|m| m.version == version);
    let candidate = by("2.0.0").context("the candidate is registered")?;
    table::print(
        "A candidate at 25 % whose service is killed at 2,000 requests a second, a tick a second; bar: at \
         0 % within a tick and 1 s, no failure seen",
        &[
            "killed to 0 %, s",
            "requests",
            "failures seen",
            "logged",
            "calls of the candidate that failed",
        ],
        &[vec![
            format!("{:.2}", took.as_secs_f64()),
            format!("{:.0}", outcome.per_second * f64::from(shape.seconds)),
            outcome.failures.to_string(),
            report.total_requests.to_string(),
            candidate.error_count.to_string(),
        ]],
    );
    Ok(())
}
