//! Throughput and latency over HTTP.

use super::BenchArgs;
use crate::fill::TEXT;
use crate::load::{self, Outcome, Shape, Target};
use crate::process::{self, Process};
use crate::table::{self, median};
use api::{Client, RegisterVersion};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use types::{RuntimeSpec, SentimentMethod};

const DURABILITIES: [&str; 2] = ["commit", "fsync"];
const CONNECTIONS: [u32; 3] = [16, 64, 256];
const RATES: [u32; 3] = [2_000, 5_000, 10_000];

/// A server with two versions at 70/30, as in the demo.
pub(super) struct Served {
    pub(super) process: Process,
    pub(super) data_dir: std::path::PathBuf,
    pub(super) durability: &'static str,
}

impl Served {
    pub(super) async fn start(
        binary: &Path,
        directory: &Path,
        durability: &'static str,
    ) -> anyhow::Result<Self> {
        let data_dir = tempfile::tempdir_in(directory)?.keep();
        let process = process::weir(binary, &data_dir, durability)?;
        let client = Client::new(&process.line)?;
        let versions = [
            ("1.0.0", SentimentMethod::Afinn, 70.0),
            ("2.0.0", SentimentMethod::Vader, 30.0),
        ];
        for (version, method, traffic_percent) in versions {
            let new = RegisterVersion {
                name: "sentiment".into(),
                version: version.into(),
                accuracy: 0.5,
                runtime: Some(RuntimeSpec::Sentiment { method }),
                ..RegisterVersion::default()
            };
            let registered = client.register(&new).await?;
            client
                .activate(&registered.model_id, traffic_percent)
                .await?;
        }
        Ok(Self {
            process,
            data_dir,
            durability,
        })
    }

    pub(super) async fn health(&self, shape: Shape) -> anyhow::Result<Outcome> {
        load::run(Target::Get(&format!("{}/health", self.process.line)), shape).await
    }

    /// As fast as replies come: until the log is counted to its end. At a fixed rate: as it comes.
    pub(super) async fn predict(&self, body: &str, shape: Shape) -> anyhow::Result<Outcome> {
        let url = format!("{}/predict", self.process.line);
        self.counted(Target::Post(&url, body), shape).await
    }

    /// The rate is requests divided by the time until nothing waits to be counted.
    pub(super) async fn counted(
        &self,
        target: Target<'_>,
        shape: Shape,
    ) -> anyhow::Result<Outcome> {
        let outcome = load::run(target, shape).await?;
        let start = Instant::now();
        self.catch_up().await?;
        let seconds = f64::from(shape.seconds);
        let requests = outcome.per_second * seconds;
        Ok(Outcome {
            per_second: requests / (seconds + start.elapsed().as_secs_f64()),
            ..outcome
        })
    }

    /// Returns when nothing waits to be counted.
    pub(super) async fn catch_up(&self) -> anyhow::Result<()> {
        self.catch_up_within(0).await
    }

    /// Returns when no more entries than this wait to be counted.
    pub(super) async fn catch_up_within(&self, entries: u64) -> anyhow::Result<()> {
        let url = format!("{}/health/ready", self.process.line);
        loop {
            let ready: serde_json::Value = reqwest::get(&url).await?.json().await?;
            // A server of an older release has no such lag.
            if ready["log"]["lag_entries"].as_u64().unwrap_or(0) <= entries {
                return Ok(());
            }
        }
    }
}

async fn serve_all(binary: &Path, directory: &Path) -> anyhow::Result<Vec<Served>> {
    let mut servers = Vec::new();
    for durability in DURABILITIES {
        servers.push(Served::start(binary, directory, durability).await?);
    }
    Ok(servers)
}

pub(super) fn body() -> String {
    serde_json::json!({ "text": TEXT }).to_string()
}

/// Rounds of what was measured under a name.
pub(super) struct Series {
    name: String,
    /// The series that this one is compared with, and by what it should be at least.
    against: Option<(String, f64)>,
    rounds: Vec<Outcome>,
}

/// Series in the order of their first rounds.
#[derive(Default)]
pub(super) struct Measured(Vec<Series>);

impl Measured {
    pub(super) fn add(&mut self, name: String, against: Option<(String, f64)>, outcome: Outcome) {
        match self.0.iter_mut().find(|series| series.name == name) {
            Some(series) => series.rounds.push(outcome),
            None => self.0.push(Series {
                name,
                against,
                rounds: vec![outcome],
            }),
        }
    }

    fn find(&self, name: &str) -> Option<&Series> {
        self.0.iter().find(|series| series.name == name)
    }

    pub(super) fn print(&self, title: &str, compare: fn(&Series) -> f64) {
        let row = |series: &Series| {
            let of = |get: fn(&Outcome) -> f64| median(series.rounds.iter().map(get));
            let ratio = series.against.as_ref().and_then(|(other, bar)| {
                let ratio = compare(series) / compare(self.find(other)?);
                Some((ratio, *bar))
            });
            let rounds = series.rounds.iter().map(|o| format!("{:.0}", o.per_second));
            vec![
                series.name.clone(),
                format!("{:.0}", of(|o| o.per_second)),
                rounds.collect::<Vec<_>>().join(" "),
                format!("{:.3}", of(|o| o.p50_ms)),
                format!("{:.3}", of(|o| o.p99_ms)),
                series
                    .rounds
                    .iter()
                    .map(|o| o.failures)
                    .sum::<u64>()
                    .to_string(),
                ratio.map_or(String::new(), |(ratio, _)| format!("{ratio:.2}")),
                ratio.map_or(String::new(), |(_, bar)| {
                    if bar > 0.0 {
                        format!("{bar}")
                    } else {
                        String::new()
                    }
                }),
            ]
        };
        let columns = [
            "what",
            "requests/s",
            "rounds",
            "p50 ms",
            "p99 ms",
            "failures",
            "ratio",
            "bar",
        ];
        table::print(title, &columns, &self.0.iter().map(row).collect::<Vec<_>>());
    }
}

pub(super) fn throughput(series: &Series) -> f64 {
    median(series.rounds.iter().map(|o| o.per_second))
}

pub(super) fn tail(series: &Series) -> f64 {
    median(series.rounds.iter().map(|o| o.p99_ms))
}

/// As fast as replies come.
pub(super) async fn closed(
    args: &BenchArgs,
    binary: &Path,
    directory: &Path,
) -> anyhow::Result<()> {
    println!(
        "\nfsync of 4 KiB appends on this disk: {:.0} a second",
        fsyncs(directory)?
    );
    let bare = Process::start(Command::new(std::env::current_exe()?).arg("bare"))?;
    let servers = serve_all(binary, directory).await?;
    let body = body();
    let mut measured = Measured::default();
    for _ in 0..args.rounds {
        for connections in CONNECTIONS {
            let shape = Shape {
                connections,
                seconds: args.seconds,
                rate: None,
            };
            let bare_name = format!("bare server, {connections}");
            let outcome = load::run(Target::Get(&bare.line), shape).await?;
            measured.add(bare_name.clone(), None, outcome);
            // What is lost to the larger request and reply alone, most of it by the generator.
            let outcome = load::run(Target::Post(&bare.line, &body), shape).await?;
            let against = Some((bare_name.clone(), 0.0));
            measured.add(
                format!("bare server, POST, {connections}"),
                against,
                outcome,
            );
            for server in &servers {
                let durability = server.durability;
                let health = format!("/health ({durability}), {connections}");
                let predict = format!("/predict {durability}, {connections}");
                let bar = |value| if connections == 64 { value } else { 0.0 };
                let against = Some((bare_name.clone(), bar(0.95)));
                measured.add(health.clone(), against, server.health(shape).await?);
                let least = match durability {
                    "commit" => 0.70,
                    _ => 0.50,
                };
                let outcome = server.predict(&body, shape).await?;
                measured.add(predict, Some((health, bar(least))), outcome);
            }
        }
    }
    measured.print(
        "Closed loop: connections after the comma; ratios of throughput, bars are least",
        throughput,
    );
    Ok(())
}

/// At fixed rates, latencies counted from when a request was due.
pub(super) async fn rates(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let servers = serve_all(binary, directory).await?;
    let body = body();
    let mut measured = Measured::default();
    for _ in 0..args.rounds {
        for rate in RATES {
            let shape = Shape {
                connections: 64,
                seconds: args.seconds,
                rate: Some(rate),
            };
            for server in &servers {
                let durability = server.durability;
                let health = format!("/health ({durability}) at {rate}/s");
                measured.add(health.clone(), None, server.health(shape).await?);
                let bar = if rate == 5_000 && durability == "commit" {
                    5.0
                } else {
                    0.0
                };
                let outcome = server.predict(&body, shape).await?;
                let name = format!("/predict {durability} at {rate}/s");
                measured.add(name, Some((health, bar)), outcome);
            }
        }
    }
    measured.print(
        "Fixed rates, 64 connections, corrected for coordinated omission; ratios of p99, bars are most",
        tail,
    );
    Ok(())
}

/// The same request with and without a unit.
pub(super) async fn units(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let server = Served::start(binary, directory, "commit").await?;
    let with = serde_json::json!({"text": TEXT, "unit_id": "user-123456"}).to_string();
    let shape = Shape {
        connections: 64,
        seconds: args.seconds,
        rate: None,
    };
    let mut measured = Measured::default();
    // More rounds than elsewhere: the difference looked for is small.
    for _ in 0..args.rounds * 3 {
        let outcome = server.predict(&body(), shape).await?;
        measured.add("without unit_id".into(), None, outcome);
        let outcome = server.predict(&with, shape).await?;
        let against = Some(("without unit_id".into(), 0.95));
        measured.add("with unit_id".into(), against, outcome);
    }
    measured.print(
        "The cost of a unit, commit, 64 connections; ratio of throughput, bar is least",
        throughput,
    );
    Ok(())
}

/// Many connections for a minute.
pub(super) async fn soak(binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let server = Served::start(binary, directory, "commit").await?;
    let shape = Shape {
        connections: 256,
        seconds: 60,
        rate: None,
    };
    let outcome = server.predict(&body(), shape).await?;
    let row = vec![
        format!("{:.0}", outcome.per_second),
        format!("{:.1}", outcome.p99_ms),
        format!("{:.1}", outcome.worst_ms),
        outcome.failures.to_string(),
        format!("{:.0}", server.process.memory_mib("VmRSS:")?),
    ];
    let columns = [
        "requests/s",
        "p99 ms",
        "slowest ms",
        "failures",
        "memory MiB",
    ];
    table::print("256 connections for 60 s, commit", &columns, &[row]);
    Ok(())
}

/// How often a disk takes an append and a sync, one after the other: what a group pays with
/// `fsync`.
fn fsyncs(directory: &Path) -> anyhow::Result<f64> {
    let mut file = File::create(directory.join("fsync"))?;
    let page = [7u8; 4096];
    let start = Instant::now();
    let mut count = 0u32;
    while start.elapsed() < Duration::from_secs(2) {
        file.write_all(&page)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}
