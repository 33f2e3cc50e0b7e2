//! What the journal promises: throughput and tails against `/health`, pauses, and backlogs.

use super::BenchArgs;
use super::load::{Measured, Served, body, throughput};
use crate::load::{self, Outcome, Shape, Target};
use crate::table;
use anyhow::{Context, ensure};
use rusqlite::Connection;
use std::path::Path;
use std::time::{Duration, Instant};

/// Connections, the least throughput and the most p99 against `/health`.
const CLOSED: [(u32, f64, f64); 3] = [(1, 0.55, 4.0), (16, 0.60, 4.0), (64, 0.70, 4.0)];

/// Closed loops at several numbers of connections, `fsync`, and an open loop.
pub(super) async fn run(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let commit = Served::start(binary, directory, "commit").await?;
    let fsync = Served::start(binary, directory, "fsync").await?;
    let last = match &args.last_release {
        Some(binary) => Some(Served::start(binary, directory, "commit").await?),
        None => None,
    };
    let body = body();
    let mut measured = Measured::default();
    let mut tails = Measured::default();
    for _ in 0..args.rounds {
        for (connections, least, most) in CLOSED {
            let shape = Shape {
                connections,
                seconds: args.seconds,
                rate: None,
            };
            let health = format!("/health, {connections}");
            commit.catch_up().await?;
            let outcome = commit.health(shape).await?;
            let before = format!("/health of the last release, {connections}");
            if let Some(last) = &last {
                measured.add(before.clone(), None, last.health(shape).await?);
            }
            let against = last.as_ref().map(|_| (before, 1.0));
            measured.add(health.clone(), against, outcome);
            tails.add(health.clone(), None, outcome);
            let predict = format!("/predict commit, {connections}");
            let outcome = commit.predict(&body, shape).await?;
            measured.add(predict.clone(), Some((health.clone(), least)), outcome);
            tails.add(predict, Some((health.clone(), most)), outcome);
            if connections == 64 {
                let outcome = fsync.predict(&body, shape).await?;
                measured.add("/predict fsync, 64".into(), Some((health, 0.5)), outcome);
            }
        }
        let open = Shape {
            connections: 64,
            seconds: args.seconds,
            rate: Some(10_000),
        };
        let health = "/health at 10,000/s";
        tails.add(health.into(), None, commit.health(open).await?);
        let outcome = commit.predict(&body, open).await?;
        tails.add(
            "/predict at 10,000/s".into(),
            Some((health.into(), 3.0)),
            outcome,
        );
    }
    measured.print(
        "The journal, closed loop until the log is counted; ratios of throughput, bars are least",
        throughput,
    );
    tails.print("The same, ratios of p99, bars are most", super::load::tail);
    Ok(())
}

/// Five minutes of a steady load: how often anybody waits for longer than 10 ms.
pub(super) async fn pauses(
    args: &BenchArgs,
    binary: &Path,
    directory: &Path,
) -> anyhow::Result<()> {
    let server = Served::start(binary, directory, "commit").await?;
    let shape = Shape {
        connections: 64,
        seconds: 75 * args.seconds,
        rate: Some(5_000),
    };
    let mut rows = Vec::new();
    let mut allowed = None;
    for name in ["/health", "/predict"] {
        let log = directory.join("requests.db");
        let body = body();
        let url = format!("{}{name}", server.process.line);
        let target = match name {
            "/health" => Target::Get(&url),
            _ => Target::Post(&url, &body),
        };
        let outcome = load::run_logged(target, shape, &log).await?;
        let pauses = count_pauses(&log)?;
        std::fs::remove_file(&log)?;
        let bar = allowed.map_or(String::new(), |bar: u64| bar.to_string());
        allowed = Some(2 * pauses + 5);
        rows.push(vec![
            name.into(),
            format!("{:.0}", outcome.per_second),
            format!("{:.2}", outcome.p99_ms),
            format!("{:.1}", outcome.worst_ms),
            outcome.failures.to_string(),
            pauses.to_string(),
            bar,
        ]);
    }
    table::print(
        "Pauses above 10 ms in five minutes at 5,000/s; bar: twice those of /health and 5",
        &[
            "what",
            "requests/s",
            "p99 ms",
            "worst ms",
            "failures",
            "pauses",
            "bar",
        ],
        &rows,
    );
    Ok(())
}

/// Stretches of time in which replies took longer than 10 ms, from the log of the generator. Those that
/// begin within 10 ms of each other are one.
fn count_pauses(log: &Path) -> anyhow::Result<u64> {
    let database = Connection::open(log)?;
    let mut select =
        database.prepare("SELECT start, duration FROM oha WHERE duration > 0.01 ORDER BY start")?;
    let mut rows = select.query([])?;
    let (mut pauses, mut until) = (0, f64::NEG_INFINITY);
    while let Some(row) = rows.next()? {
        let (start, duration): (f64, f64) = (row.get(0)?, row.get(1)?);
        if start > until + 0.01 {
            pauses += 1;
        }
        until = until.max(start + duration);
    }
    Ok(pauses)
}

/// The most requests a second that keep a p99.
pub(super) async fn frontier(
    args: &BenchArgs,
    binary: &Path,
    directory: &Path,
) -> anyhow::Result<()> {
    let server = Served::start(binary, directory, "commit").await?;
    let body = body();
    let mut rows = Vec::new();
    for most_ms in [1.0, 5.0, 10.0] {
        let mut found = Vec::new();
        for predicts in [false, true] {
            let (mut fits, mut fails) = (0u32, 160_000u32);
            while fails - fits > 2_500 {
                let rate = u32::midpoint(fits, fails);
                let shape = Shape {
                    connections: 64,
                    seconds: args.seconds,
                    rate: Some(rate),
                };
                let outcome = if predicts {
                    server.predict(&body, shape).await?
                } else {
                    server.health(shape).await?
                };
                if keeps(&outcome, rate, most_ms) {
                    fits = rate;
                } else {
                    fails = rate;
                }
            }
            found.push(f64::from(fits));
        }
        rows.push(vec![
            format!("{most_ms}"),
            format!("{:.0}", found[1]),
            format!("{:.0}", found[0]),
            format!("{:.2}", found[1] / found[0]),
        ]);
    }
    table::print(
        "The most requests a second, 64 connections, open loop, that keep a p99",
        &["p99 ms", "/predict", "/health", "ratio"],
        &rows,
    );
    Ok(())
}

/// The rate is held, and the tail too.
fn keeps(outcome: &Outcome, rate: u32, most_ms: f64) -> bool {
    outcome.p99_ms <= most_ms
        && outcome.failures == 0
        && outcome.per_second >= 0.97 * f64::from(rate)
}

/// While another process holds the write lock of the database for 30 s at 5,000/s.
pub(super) async fn backlog(binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let server = Served::start(binary, directory, "commit").await?;
    let database = server.data_dir.join("weir.db");
    let body = body();
    let url = format!("{}/predict", server.process.line);
    let shape = Shape {
        connections: 64,
        seconds: 40,
        rate: Some(5_000),
    };
    let holding = tokio::task::spawn_blocking(move || -> anyhow::Result<Instant> {
        let connection = Connection::open(database)?;
        connection.busy_timeout(Duration::from_secs(60))?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        std::thread::park_timeout(Duration::from_secs(30));
        connection.execute_batch("ROLLBACK")?;
        Ok(Instant::now())
    });
    let load = load::run(Target::Post(&url, &body), shape);
    let caught_up = async {
        let released = holding.await.context("the lock was not held")??;
        server.catch_up_within(1_000).await?;
        Ok::<_, anyhow::Error>(released.elapsed())
    };
    let (outcome, caught_up) = tokio::join!(load, caught_up);
    let (outcome, caught_up) = (outcome?, caught_up?);
    ensure!(
        outcome.per_second > 4_000.0,
        "the load was not there: {outcome:?}"
    );
    let row = vec![
        format!("{:.0}", outcome.per_second),
        outcome.failures.to_string(),
        format!("{:.2}", outcome.p99_ms),
        format!("{:.1}", outcome.worst_ms),
        format!("{:.1}", caught_up.as_secs_f64()),
    ];
    table::print(
        "The database locked by another process for 30 s at 5,000/s; bars: no failure, caught up within 10 s",
        &[
            "requests/s",
            "failures",
            "p99 ms",
            "worst ms",
            "caught up after s",
        ],
        &[row],
    );
    Ok(())
}
