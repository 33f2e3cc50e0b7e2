//! What comes beside an input: the cost of `request_id` and attributes, and `/decide`.

use super::BenchArgs;
use super::load::{Measured, Served, throughput};
use crate::fill::TEXT;
use crate::load::{self, Outcome, Shape, Target};
use anyhow::{Context, ensure};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Requests with an id of their own and five attributes, against those without.
pub(super) async fn context(
    args: &BenchArgs,
    binary: &Path,
    directory: &Path,
) -> anyhow::Result<()> {
    let server = Served::start(binary, directory, "commit").await?;
    let shape = Shape {
        connections: 64,
        seconds: args.seconds,
        rate: None,
    };
    let mut measured = Measured::default();
    let number = Arc::new(AtomicU64::new(0));
    // More rounds than elsewhere: the difference looked for is small.
    for _ in 0..args.rounds * 3 {
        let plain = |_| format!("{{\"text\":\"{TEXT}\"}}");
        measured.add(
            "without".into(),
            None,
            predict(&server, shape, &number, plain).await?,
        );
        let attributes =
            "{\"country\":\"DE\",\"device\":\"phone\",\"age\":30,\"beta\":false,\"plan\":\"pro\"}";
        let alone = move |_| format!("{{\"text\":\"{TEXT}\",\"attributes\":{attributes}}}");
        let against = || Some(("without".to_owned(), 0.0));
        let outcome = predict(&server, shape, &number, alone).await?;
        measured.add("five attributes".into(), against(), outcome);
        let both = move |n: u64| {
            format!(
                "{{\"text\":\"{TEXT}\",\"request_id\":\"order-{n:09}\",\"attributes\":{attributes}}}"
            )
        };
        let outcome = predict(&server, shape, &number, both).await?;
        let against = Some(("without".into(), 0.93));
        measured.add("request_id and five attributes".into(), against, outcome);
        measured.add("/health".into(), None, server.health(shape).await?);
        let decide = format!("{}/decide", server.process.line);
        let body = serde_json::json!({"unit_id": "user-123456"}).to_string();
        let outcome = load::run(Target::Post(&decide, &body), shape).await?;
        measured.add("/decide".into(), Some(("/health".into(), 0.75)), outcome);
    }
    measured.print(
        "What comes beside an input, commit, 64 connections; ratios of throughput, bars are least",
        throughput,
    );
    Ok(())
}

/// Requests of which each has a body of its own, which the load generator does not make; until all are counted.
async fn predict(
    server: &Served,
    shape: Shape,
    number: &Arc<AtomicU64>,
    body: impl Fn(u64) -> String + Clone + Send + 'static,
) -> anyhow::Result<Outcome> {
    let address = server.process.line.trim_start_matches("http://").to_owned();
    let begun = Instant::now();
    let until = begun + Duration::from_secs(shape.seconds.into());
    let mut connections = tokio::task::JoinSet::new();
    for _ in 0..shape.connections {
        let (address, number, body) = (address.clone(), Arc::clone(number), body.clone());
        connections.spawn(async move { ask(&address, until, &number, body).await });
    }
    let mut latencies = Vec::new();
    while let Some(asked) = connections.join_next().await {
        latencies.extend(asked??);
    }
    server.catch_up().await?;
    let seconds = begun.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |part: f64| {
        let place = (latencies.len() as f64 * part) as usize;
        let latency: &Duration = &latencies[place.min(latencies.len() - 1)];
        latency.as_secs_f64() * 1e3
    };
    Ok(Outcome {
        per_second: latencies.len() as f64 / seconds,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        worst_ms: at(1.0),
        failures: 0,
    })
}

/// Asks on one connection until the time is up; gives the latencies.
async fn ask(
    address: &str,
    until: Instant,
    number: &AtomicU64,
    body: impl Fn(u64) -> String,
) -> anyhow::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut latencies = Vec::new();
    let mut reply = Vec::with_capacity(4096);
    while Instant::now() < until {
        let body = body(number.fetch_add(1, Ordering::Relaxed));
        let length = body.len();
        let request = format!(
            "POST /predict HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        reply.clear();
        while !is_whole(&reply)? {
            ensure!(stream.read_buf(&mut reply).await? > 0, "the server hung up");
        }
        ensure!(
            reply.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&reply)
        );
        latencies.push(begun.elapsed());
    }
    Ok(latencies)
}

/// Whether a reply has come to its end, which its head tells.
fn is_whole(reply: &[u8]) -> anyhow::Result<bool> {
    let Some(head) = reply.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(false);
    };
    let text = std::str::from_utf8(&reply[..head])?.to_ascii_lowercase();
    let length = text
        .split("content-length: ")
        .nth(1)
        .context("a reply without a length")?;
    let length: usize = length.split("\r\n").next().unwrap_or_default().parse()?;
    Ok(reply.len() >= head + 4 + length)
}
