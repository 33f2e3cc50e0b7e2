//! `weir demo`: two real versions, real reviews, and what came of it.

use crate::args::DemoArgs;
use crate::serve::shutdown;
use anyhow::Context;
use api::{Client, Performance, PredictRequest, RegisterVersion};
use indicatif::{ProgressBar, ProgressStyle};
use server::{Clock, Config, Server};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinSet;
use types::{RuntimeSpec, SentimentMethod};

const CONNECTIONS: usize = 16;
/// Version string, method, traffic, description.
const VERSIONS: [(&str, SentimentMethod, f64, &str); 2] = [
    (
        "1.0.0",
        SentimentMethod::Afinn,
        70.0,
        "Weighted word list (AFINN-165)",
    ),
    (
        "2.0.0",
        SentimentMethod::Vader,
        30.0,
        "Word list with rules (VADER)",
    ),
];

struct Review {
    text: &'static str,
    label: &'static str,
}

/// How often a version was right.
#[derive(Default, Clone, Copy)]
struct Tally {
    right: u64,
    labelled: u64,
}

pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    tokio::runtime::Runtime::new()?.block_on(demo(args))
}

async fn demo(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let temporary = tempfile::tempdir().context("cannot make a temporary directory")?;
    let data_dir: PathBuf = args
        .data_dir
        .clone()
        .unwrap_or_else(|| temporary.path().into());
    let server = Server::bind(Config::new(args.listen, data_dir), Clock::system()).await?;
    let address = format!("http://{}", server.address());
    let (stop, stopped) = oneshot::channel::<()>();
    let mut tasks = JoinSet::new();
    tasks.spawn(server.run(async {
        // A dropped sender means that the demo failed: stop as well.
        let _ = stopped.await;
    }));
    let interrupted = shutdown()?;

    let client = Client::new(&address)?;
    register(&client).await?;
    let tallies = replay(&client).await?;
    print_report(&client.performance().await?, &tallies);
    if !args.exit {
        eprintln!("\nThe server stays up at {address} (Ctrl-C ends it). Try:");
        eprintln!("  curl -s {address}/models/performance");
        eprintln!("  curl -s '{address}/predictions?limit=2'");
        eprintln!(
            "  curl -s {address}/predict -H 'content-type: application/json' -d '{{\"text\": \"not bad at all\", \"unit_id\": \"you\"}}'"
        );
        interrupted.await;
    }
    let _ = stop.send(());
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(ExitCode::SUCCESS)
}

async fn register(client: &Client) -> anyhow::Result<()> {
    for (version, method, traffic_percent, description) in VERSIONS {
        let new = RegisterVersion {
            name: "sentiment".into(),
            version: version.into(),
            accuracy: 0.5,
            description: Some(description.into()),
            runtime: Some(RuntimeSpec::Sentiment { method }),
            tags: None,
        };
        let registered = client.register(&new).await?;
        client
            .activate(&registered.model_id, traffic_percent)
            .await?;
    }
    Ok(())
}

fn reviews() -> Vec<Review> {
    let lines = include_str!("../data/reviews.tsv").lines().skip(1);
    let reviews = lines.filter_map(|line| {
        let mut columns = line.splitn(3, '\t').skip(1);
        let rating: f64 = columns.next()?.parse().ok()?;
        let label = if rating > 0.5 {
            "positive"
        } else if rating < -0.5 {
            "negative"
        } else {
            "neutral"
        };
        Some(Review {
            text: columns.next()?,
            label,
        })
    });
    reviews.collect()
}

/// Sends every review through `/predict`, over several connections.
async fn replay(client: &Client) -> anyhow::Result<HashMap<String, Tally>> {
    let reviews = Arc::new(reviews());
    let progress = ProgressBar::new(reviews.len() as u64).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} reviews predicted, {per_sec}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let next = Arc::new(AtomicUsize::new(0));
    let tallies = Arc::new(Mutex::new(HashMap::<String, Tally>::new()));
    let mut workers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (client, reviews, next) = (client.clone(), Arc::clone(&reviews), Arc::clone(&next));
        let (tallies, progress) = (Arc::clone(&tallies), progress.clone());
        workers.spawn(async move {
            while let Some((at, review)) = {
                let at = next.fetch_add(1, Ordering::Relaxed);
                reviews.get(at).map(|review| (at, review))
            } {
                let request = PredictRequest {
                    text: Some(review.text.into()),
                    unit_id: Some(format!("reader-{at}")),
                    ..PredictRequest::default()
                };
                let reply = client.predict(&request).await?;
                let mut tallies = tallies.lock().await;
                let tally = tallies.entry(reply.model_version.into_owned()).or_default();
                tally.labelled += 1;
                tally.right += u64::from(*reply.prediction == review.label);
                progress.inc(1);
            }
            Ok::<(), api::ClientError>(())
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended??;
    }
    progress.finish();
    let tallies = tallies.lock().await;
    Ok(tallies.clone())
}

#[expect(
    clippy::print_stdout,
    reason = "the report is the data of this command"
)]
fn print_report(report: &Performance, tallies: &HashMap<String, Tally>) {
    println!(
        "\n{:<10} {:>8} {:>12} {:>7} {:>9} {:>9} {:>9} {:>11} {:>14}",
        "version",
        "traffic",
        "predictions",
        "errors",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "confidence",
        "labels right"
    );
    let mut models: Vec<_> = report.models.iter().collect();
    models.sort_by(|a, b| a.version.cmp(&b.version));
    for m in models {
        let tally = tallies.get(&m.version).copied().unwrap_or_default();
        let share = 100.0 * tally.right as f64 / tally.labelled.max(1) as f64;
        let ms = |value: Option<f64>| value.map_or("-".into(), |ms| format!("{ms:.4}"));
        println!(
            "{:<10} {:>7}% {:>12} {:>7} {:>9} {:>9} {:>9} {:>11.3} {:>13.1}%",
            m.version,
            m.traffic_percent,
            m.request_count,
            m.error_count,
            ms(m.p50_latency_ms),
            ms(m.p95_latency_ms),
            ms(m.p99_latency_ms),
            m.avg_confidence,
            share,
        );
    }
    println!("\n{} predictions logged.", report.total_requests);
    println!(
        "`labels right` is counted by this demo from the reviews' ratings; the server cannot judge \
         before it takes feedback."
    );
    if let Some(recommendation) = &report.recommendation {
        println!("{recommendation}");
    }
}
