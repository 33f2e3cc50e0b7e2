//! What a running experiment, feedback and results cost.

use super::BenchArgs;
use super::load::{Measured, Served, throughput};
use super::log::{Log, time};
use crate::fill::TEXT;
use crate::load::{self, Shape, Target};
use crate::process;
use crate::table::{self, median};
use anyhow::{Context, ensure};
use api::{Client, CreateExperiment, Feedback, PredictRequest};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Users of the load.
const USERS: u32 = 100_000;
/// Values in a batch, and batches.
const BATCH: usize = 10_000;
const BATCHES: usize = 10;

pub(super) async fn run(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    predict(args, binary, directory).await?;
    feedback(binary, directory).await?;
    results(args, binary, directory).await
}

fn definition_json() -> Value {
    json!({
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"],
        "weights": {"1.0.0": 70, "2.0.0": 30}, "primary_metric": "correct",
        "secondary_metrics": ["confidence"], "guardrails": ["error", "latency_ms"],
    })
}

fn definition() -> anyhow::Result<CreateExperiment> {
    Ok(serde_json::from_value(definition_json())?)
}

/// The same without the client of this build, which sends fields that a server of an older release does not know.
async fn start_plainly(server: &Served) -> anyhow::Result<()> {
    let url = format!("{}/experiments", server.process.line);
    let client = reqwest::Client::new();
    let created = client.post(&url).json(&definition_json()).send().await?;
    let created: Value = created.error_for_status()?.json().await?;
    let id = created["experiment"]
        .as_str()
        .context("the experiment has an id")?;
    let started = client.post(format!("{url}/{id}/start")).send().await?;
    started.error_for_status()?;
    Ok(())
}

/// A file with a request of each user.
fn requests_of_users(directory: &Path) -> anyhow::Result<PathBuf> {
    let lines = directory.join("users");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&lines)?);
    for user in 0..USERS {
        writeln!(
            file,
            "{}",
            json!({"text": TEXT, "unit_id": format!("user-{user}")})
        )?;
    }
    file.flush()?;
    Ok(lines)
}

/// CPU time of the whole server for a request, until everything is counted: this build and the last release, both with a
/// running experiment.
pub(super) async fn cpu(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let last = args.last_release.as_deref();
    let last = last.context("name the binary of the last release with --last-release")?;
    let lines = requests_of_users(directory)?;
    let mut servers = Vec::new();
    for (name, binary) in [("last release", last), ("this build", binary)] {
        let server = Served::start(binary, directory, "commit").await?;
        start_plainly(&server).await?;
        servers.push((name, server, Vec::new()));
    }
    let shape = Shape {
        connections: 64,
        seconds: args.seconds,
        rate: None,
    };
    for round in 0..=args.rounds {
        for (_, server, rounds) in &mut servers {
            let url = format!("{}/predict", server.process.line);
            let before = server.process.cpu_ticks()?;
            let outcome = load::run(Target::PostLines(&url, &lines), shape).await?;
            server.catch_up().await?;
            ensure!(outcome.failures == 0, "{} failures", outcome.failures);
            let used = (server.process.cpu_ticks()? - before) as f64 * 10_000.0;
            // The first one warms up.
            if round > 0 {
                rounds.push(used / (outcome.per_second * f64::from(shape.seconds)));
            }
        }
    }
    let of_last = median(servers[0].2.iter().copied());
    let rows: Vec<Vec<String>> = servers
        .iter()
        .map(|(name, _, rounds)| {
            let middle = median(rounds.iter().copied());
            vec![
                (*name).to_owned(),
                format!("{middle:.2}"),
                rounds
                    .iter()
                    .map(|us| format!("{us:.1}"))
                    .collect::<Vec<_>>()
                    .join(" "),
                format!("{:.3}", middle / of_last),
            ]
        })
        .collect();
    table::print(
        "CPU time of a request of a running experiment, 64 connections, until counted; bar: ratio 1.02",
        &["server", "µs a request", "rounds", "ratio"],
        &rows,
    );
    Ok(())
}

/// The same requests of many users, with and without an experiment on the same weights.
async fn predict(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let lines = requests_of_users(directory)?;
    let plain = Served::start(binary, directory, "commit").await?;
    let trial = Served::start(binary, directory, "commit").await?;
    Client::new(&trial.process.line)?
        .start_experiment(&definition()?)
        .await?;
    let shape = Shape {
        connections: 64,
        seconds: args.seconds,
        rate: None,
    };
    let mut measured = Measured::default();
    // More rounds than elsewhere: the difference looked for is small.
    for _ in 0..args.rounds * 3 {
        let name = "without an experiment";
        let url = format!("{}/predict", plain.process.line);
        let outcome = plain
            .counted(Target::PostLines(&url, &lines), shape)
            .await?;
        measured.add(name.into(), None, outcome);
        let url = format!("{}/predict", trial.process.line);
        let outcome = trial
            .counted(Target::PostLines(&url, &lines), shape)
            .await?;
        measured.add("with one".into(), Some((name.into(), 0.92)), outcome);
    }
    let title = format!(
        "The cost of a running experiment, {USERS} users, 4 metrics, commit, 64 connections; ratio of \
         throughput, bar is least"
    );
    measured.print(&title, throughput);
    Ok(())
}

/// Labels for predictions of a running experiment, in batches, one after the other.
async fn feedback(binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let server = Served::start(binary, directory, "commit").await?;
    let client = Client::new(&server.process.line)?;
    client.start_experiment(&definition()?).await?;
    let mut ids = Vec::with_capacity(BATCH * BATCHES);
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..16 {
        let client = client.clone();
        workers.spawn(async move {
            let mut ids = Vec::new();
            for n in 0..BATCH * BATCHES / 16 {
                let request = PredictRequest {
                    text: Some(TEXT.into()),
                    unit_id: Some(format!("user-{worker}-{}", n / 2)),
                    ..PredictRequest::default()
                };
                ids.push(client.predict(&request).await?.prediction_id);
            }
            Ok::<_, api::ClientError>(ids)
        });
    }
    while let Some(done) = workers.join_next().await {
        ids.extend(done??);
    }
    let mut rates = Vec::new();
    for batch in ids.chunks(BATCH) {
        let values: Vec<Feedback> = batch
            .iter()
            .map(|id| Feedback {
                prediction_id: Some(id.clone()),
                label: Some("positive".into()),
                ..Feedback::default()
            })
            .collect();
        let start = Instant::now();
        let reply = client.feedback(&values).await?;
        rates.push(batch.len() as f64 / start.elapsed().as_secs_f64());
        ensure!(
            reply.recorded as usize == batch.len(),
            "not all were recorded: {reply:?}"
        );
    }
    let rounds: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
    table::print(
        "Feedback in batches of 10,000 from one client, commit, experiment running; bar: 20,000 a second",
        &["values/s", "batches"],
        &[vec![format!("{:.0}", median(rates)), rounds.join(" ")]],
    );
    Ok(())
}

/// Results by the size of the log.
async fn results(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for predictions in [10_000, args.log] {
        let log = Log::fill(directory, predictions, 0, 2, true)?;
        let server = process::weir(binary, &log.data_dir, "commit")?;
        let client = Client::new(&server.line)?;
        let path = "exp-000000000001";
        let found = client.results(path).await?;
        let units: u64 = found.arms.iter().map(|arm| arm.units).sum();
        let labels: u64 = found.metrics[0]
            .arms
            .iter()
            .map(|arm| arm.predictions)
            .sum();
        rows.push(vec![
            predictions.to_string(),
            units.to_string(),
            labels.to_string(),
            format!(
                "{:.2}",
                time(&format!("{}/experiments/{path}/results", server.line)).await?
            ),
            format!("{:.0}", log.per_second),
            format!("{:.0}", server.memory_mib("VmHWM:")?),
        ]);
    }
    table::print(
        "GET /experiments/{id}/results by the size of the log; bar: 20 ms",
        &[
            "predictions",
            "units",
            "labels",
            "ms",
            "filled/s",
            "server MiB",
        ],
        &rows,
    );
    Ok(())
}

/// The judge alone.
pub(super) fn judge(binary: &Path) -> anyhow::Result<()> {
    println!("\n### 20 metrics, 5 arms, 50 epochs; bar: 5 ms\n");
    let bench = Command::new("cargo")
        .args([
            "bench",
            "--locked",
            "--quiet",
            "--package",
            "judge",
            "--bench",
            "results",
        ])
        .status()?;
    ensure!(bench.success(), "the micro-benchmarks failed");
    let start = Instant::now();
    let simulated = Command::new(binary).arg("simulate").output()?;
    ensure!(simulated.status.success(), "the simulation failed");
    let text = String::from_utf8(simulated.stdout).context("it prints text")?;
    println!(
        "\nweir simulate: {:.2} s (bar: 20 s)\n{text}",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}
