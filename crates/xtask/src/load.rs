//! The load generator: `oha`, which keeps connections open, holds rates and corrects for
//! coordinated omission.

use anyhow::{Context, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    /// GET of a URL.
    Get(&'a str),
    /// POST of the same JSON body every time.
    Post(&'a str, &'a str),
    /// The same with a key.
    PostWith(&'a str, &'a str, &'a str),
    /// POST of the lines of a file, one after the other.
    PostLines(&'a str, &'a Path),
}

/// How much of it.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) connections: u32,
    pub(crate) seconds: u32,
    /// Requests a second; as fast as replies come when `None`.
    pub(crate) rate: Option<u32>,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// The slowest reply.
    pub(crate) worst_ms: f64,
    /// Replies other than 200, and requests without one.
    pub(crate) failures: u64,
}

/// Runs the load generator, which shares the machine with the server.
pub(crate) async fn run(target: Target<'_>, shape: Shape) -> anyhow::Result<Outcome> {
    read_from(command(target, shape)).await
}

/// The same, with every request in a SQLite database.
pub(crate) async fn run_logged(
    target: Target<'_>,
    shape: Shape,
    log: &Path,
) -> anyhow::Result<Outcome> {
    let mut command = command(target, shape);
    command.arg("--db-url").arg(log);
    read_from(command).await
}

async fn read_from(mut command: Command) -> anyhow::Result<Outcome> {
    let output = tokio::task::spawn_blocking(move || command.output()).await?;
    let output = output.with_context(|| {
        "cannot run oha; install it with `cargo install oha --locked`, or name it in WEIR_BENCH_OHA"
    })?;
    ensure!(
        output.status.success(),
        "oha failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout)?;
    read(&report).with_context(|| format!("oha reports something else than expected: {report}"))
}

fn command(target: Target<'_>, shape: Shape) -> Command {
    let program = std::env::var_os("WEIR_BENCH_OHA").map_or("oha".into(), PathBuf::from);
    let mut command = Command::new(program);
    // Requests under way at the end are waited for: cut off, they would look like failures.
    command.args([
        "--no-tui",
        "--output-format",
        "json",
        "--wait-ongoing-requests-after-deadline",
    ]);
    command.args(["-c", &shape.connections.to_string()]);
    command.args(["-z", &format!("{}s", shape.seconds)]);
    if let Some(rate) = shape.rate {
        command.args(["-q", &rate.to_string(), "--latency-correction"]);
    }
    match target {
        Target::Get(url) => command.arg(url),
        Target::Post(url, body) => command
            .args(["-m", "POST", "-T", "application/json", "-d", body])
            .arg(url),
        Target::PostWith(url, body, key) => command
            .args(["-m", "POST", "-T", "application/json", "-d", body])
            .args(["-H", &format!("authorization: Bearer {key}")])
            .arg(url),
        Target::PostLines(url, path) => command
            .args(["-m", "POST", "-T", "application/json", "-Z"])
            .arg(path)
            .arg(url),
    };
    command
}

fn read(report: &Value) -> Option<Outcome> {
    let counts = |key: &str| report[key].as_object().cloned();
    let sum = |key: &str, but: &str| -> Option<u64> {
        let counts = counts(key)?;
        let others = counts.iter().filter(|(name, _)| *name != but);
        Some(others.filter_map(|(_, count)| count.as_u64()).sum())
    };
    Some(Outcome {
        per_second: report["summary"]["requestsPerSec"].as_f64()?,
        p50_ms: report["latencyPercentiles"]["p50"].as_f64()? * 1e3,
        p99_ms: report["latencyPercentiles"]["p99"].as_f64()? * 1e3,
        worst_ms: report["summary"]["slowest"].as_f64()? * 1e3,
        failures: sum("statusCodeDistribution", "200")? + sum("errorDistribution", "")?,
    })
}
