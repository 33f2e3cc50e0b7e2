//! `weir demo`: two real versions in an experiment, real reviews with labels, and what the judge says.

mod rollout;

use crate::args::{DemoArgs, DemoKind};
use crate::serve::shutdown;
use anyhow::Context;
use api::{
    Client, ExperimentResults, Feedback, FeedbackReply, Performance, PredictRequest,
    RegisterVersion,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use server::{Clock, Config, Server};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use types::{RuntimeSpec, SentimentMethod};

const CONNECTIONS: usize = 16;
/// Version string, method, weight, description.
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

pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    if args.kind != DemoKind::Experiment {
        return rollout::run(args);
    }
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
    let experiment = start(&client).await?;
    let labels = replay(&client).await?;
    let received = client.feedback(&labels).await?;
    let results = client.results(&experiment).await?;
    print_report(&client.performance().await?, &received, &results);
    if !args.exit {
        eprintln!("\nThe server stays up at {address} (Ctrl-C ends it). Try:");
        eprintln!("  curl -s {address}/models/performance");
        eprintln!("  curl -s {address}/experiments/{experiment}/results");
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

/// Registers the versions and compares them: 1.0.0 is the control.
async fn start(client: &Client) -> anyhow::Result<String> {
    let mut weights = BTreeMap::new();
    for (version, method, weight, description) in VERSIONS {
        let new = RegisterVersion {
            name: "sentiment".into(),
            version: version.into(),
            accuracy: 0.5,
            description: Some(description.into()),
            runtime: Some(RuntimeSpec::Sentiment { method }),
            ..RegisterVersion::default()
        };
        client.register(&new).await?;
        weights.insert(version, weight);
    }
    let experiment = serde_json::from_value(json!({
        "name": "sentiment",
        "title": "Do rules beat a word list?",
        "control": VERSIONS[0].0,
        "candidates": [VERSIONS[1].0],
        "weights": weights,
        "primary_metric": "correct",
        "secondary_metrics": ["latency_ms"],
        "guardrails": ["error", "slow"],
        "slo_ms": 50,
        "minimum_detectable_effect": 0.03,
    }))?;
    let started = client.start_experiment(&experiment).await?;
    Ok(started.experiment.experiment)
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

/// Sends every review through `/predict`, over several connections; gives the labels as feedback.
async fn replay(client: &Client) -> anyhow::Result<Vec<Feedback>> {
    let reviews = Arc::new(reviews());
    let progress = ProgressBar::new(reviews.len() as u64).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} reviews predicted, {per_sec}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (client, reviews, next) = (client.clone(), Arc::clone(&reviews), Arc::clone(&next));
        let progress = progress.clone();
        workers.spawn(async move {
            let mut labels = Vec::new();
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
                labels.push(Feedback {
                    prediction_id: Some(reply.prediction_id),
                    label: Some(review.label.into()),
                    ..Feedback::default()
                });
                progress.inc(1);
            }
            Ok::<_, api::ClientError>(labels)
        });
    }
    let mut labels = Vec::with_capacity(reviews.len());
    while let Some(ended) = workers.join_next().await {
        labels.extend(ended??);
    }
    progress.finish();
    Ok(labels)
}

#[expect(
    clippy::print_stdout,
    reason = "the report is the data of this command"
)]
fn print_report(report: &Performance, received: &FeedbackReply, results: &ExperimentResults) {
    println!(
        "\n{:<10} {:>8} {:>12} {:>7} {:>9} {:>9} {:>11} {:>9} {:>18}",
        "version",
        "traffic",
        "predictions",
        "errors",
        "p50 ms",
        "p99 ms",
        "confidence",
        "correct",
        "95 % interval"
    );
    let mut models: Vec<_> = report.models.iter().collect();
    models.sort_by(|a, b| a.version.cmp(&b.version));
    for m in models {
        let ms = |value: Option<f64>| value.map_or("-".into(), |ms| format!("{ms:.4}"));
        let percent = |share: Option<f64>| {
            share.map_or("-".into(), |share| format!("{:.1} %", 100.0 * share))
        };
        let interval = m.measured_accuracy_interval.map_or("-".into(), |ends| {
            format!("{} to {}", percent(ends.lower), percent(ends.upper))
        });
        println!(
            "{:<10} {:>7}% {:>12} {:>7} {:>9} {:>9} {:>11.3} {:>9} {:>18}",
            m.version,
            m.traffic_percent.round(),
            m.request_count,
            m.error_count,
            ms(m.p50_latency_ms),
            ms(m.p99_latency_ms),
            m.avg_confidence,
            percent(m.measured_accuracy),
            interval,
        );
    }
    println!(
        "\n{} predictions logged, {} labels received. Verdict: {}.",
        report.total_requests, received.recorded, results.verdict
    );
    println!("{}", results.summary);
}
