//! `weir demo`: two real versions in an experiment, real reviews with labels, and what the judge says.

mod rollout;

use crate::args::{DemoArgs, DemoKind};
use crate::serve::shutdown;
use anyhow::Context;
use api::{
    Client, ExperimentResults, Feedback, FeedbackReply, Performance, PredictReply, PredictRequest,
    RegisterVersion,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use server::{Clock, Config, Server};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{Seek, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use types::{ContentHash, RuntimeSpec};

const CONNECTIONS: usize = 16;

/// A version of the demonstration: a model that `models/train.py` has trained.
struct Trained {
    version: &'static str,
    /// Its weight in the experiment.
    weight: f64,
    model: &'static [u8],
    description: &'static str,
    /// How often it is right on reviews that it has not seen, as `models/README.md` has it.
    accuracy: f64,
}

const VERSIONS: [Trained; 2] = [
    Trained {
        version: "1.0.0",
        weight: 70.0,
        model: include_bytes!("../models/unigrams.onnx"),
        description: "Single words, learned from 1,500 texts (ONNX, 50 kB)",
        accuracy: 0.478,
    },
    Trained {
        version: "2.0.0",
        weight: 30.0,
        model: include_bytes!("../models/ngrams.onnx"),
        description: "Words, pairs of words and parts of words, learned from 21,000 texts (ONNX, 787 kB)",
        accuracy: 0.628,
    },
];

/// Registers a trained version, and uploads its model.
async fn register(client: &Client, trained: &Trained) -> anyhow::Result<String> {
    let new = RegisterVersion {
        name: "sentiment".into(),
        version: trained.version.into(),
        accuracy: trained.accuracy,
        description: Some(trained.description.into()),
        runtime: Some(RuntimeSpec::Onnx(Box::default())),
        ..RegisterVersion::default()
    };
    let id = client.register(&new).await?.model_id;
    let mut file = tempfile::tempfile()?;
    file.write_all(trained.model)?;
    file.rewind()?;
    let hash = ContentHash::of(&Sha256::digest(trained.model).into());
    let bytes = trained.model.len() as u64;
    let put = client.put_artifact(&id, file, (bytes, hash.as_str()), |_| {});
    put.await?;
    Ok(id)
}

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
    print_report(&client.report(&[]).await?, &received, &results);
    let right = offline(&client).await?;
    print_offline(&right);
    if !args.exit {
        crate::talk(&format!(
            "\nThe server stays up at {address} (Ctrl-C ends it). Try:"
        ));
        crate::talk(&format!("  curl -s {address}/models/performance"));
        crate::talk(&format!(
            "  curl -s {address}/experiments/{experiment}/results"
        ));
        crate::talk(&format!("  curl -s '{address}/predictions?limit=2'"));
        crate::talk(&format!(
            "  curl -s {address}/predict -H 'content-type: application/json' -d '{{\"text\": \"not bad at all\", \"unit_id\": \"you\"}}'"
        ));
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
    for trained in &VERSIONS {
        register(client, trained).await?;
        weights.insert(trained.version, trained.weight);
        crate::talk(&format!("{}  {}", trained.version, trained.description));
    }
    let experiment = serde_json::from_value(json!({
        "name": "sentiment",
        "title": "Does a model that has seen more words pay?",
        "control": VERSIONS[0].version,
        "candidates": [VERSIONS[1].version],
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

/// The reviews that no model has learned from.
fn reviews() -> Vec<Review> {
    let lines = include_str!("../data/reviews.tsv").lines().skip(1);
    let reviews = lines.filter_map(|line| {
        let mut columns = line.splitn(3, '\t');
        // `review_sentence`. The models have learned from three reviews in ten, and are asked about the others.
        let review: u32 = columns.next()?.split('_').next()?.parse().ok()?;
        if review % 10 < 3 {
            return None;
        }
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

/// Sends every review through `/predict`; gives the labels as feedback.
async fn replay(client: &Client) -> anyhow::Result<Vec<Feedback>> {
    ask_all(client, None, |review, reply| Feedback {
        prediction_id: Some(reply.prediction_id),
        label: Some(review.label.into()),
        ..Feedback::default()
    })
    .await
}

/// Asks about every review, over several connections: a version, or whichever is chosen.
async fn ask_all<T: Send + 'static>(
    client: &Client,
    version: Option<&'static str>,
    told: impl Fn(&Review, PredictReply<'static>) -> T + Clone + Send + 'static,
) -> anyhow::Result<Vec<T>> {
    let reviews = Arc::new(reviews());
    let progress = ProgressBar::new(reviews.len() as u64).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} reviews predicted, {per_sec}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (client, reviews, next) = (client.clone(), Arc::clone(&reviews), Arc::clone(&next));
        let (progress, told) = (progress.clone(), told.clone());
        workers.spawn(async move {
            let mut all = Vec::new();
            while let Some((at, review)) = {
                let at = next.fetch_add(1, Ordering::Relaxed);
                reviews.get(at).map(|review| (at, review))
            } {
                let request = PredictRequest {
                    text: Some(review.text.into()),
                    // Who asks for a version is no part of the experiment.
                    unit_id: version.is_none().then(|| format!("reader-{at}")),
                    model_version: version.map(str::to_owned),
                    ..PredictRequest::default()
                };
                let reply = client.predict(&request).await?;
                all.push(told(review, reply));
                progress.inc(1);
            }
            Ok::<_, api::ClientError>(all)
        });
    }
    let mut all = Vec::with_capacity(reviews.len());
    while let Some(ended) = workers.join_next().await {
        all.extend(ended??);
    }
    progress.finish();
    Ok(all)
}

/// How often each version is right on all of these reviews: what nobody knows while an experiment runs.
async fn offline(client: &Client) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let mut right = Vec::new();
    for trained in &VERSIONS {
        let labels = ask_all(client, Some(trained.version), |review, reply| {
            reply.prediction.value() == review.label
        })
        .await?;
        let hits = labels.iter().filter(|hit| **hit).count();
        right.push((trained.version, hits as f64 / labels.len().max(1) as f64));
    }
    Ok(right)
}

fn print_offline(right: &[(&str, f64)]) {
    let each: Vec<String> = right
        .iter()
        .map(|(version, share)| format!("{version} is right on {:.1} %", 100.0 * share))
        .collect();
    crate::out(format_args!(
        "\nOffline, each version asked about every one of these reviews: {}.",
        each.join(", ")
    ));
}

fn print_report(report: &Performance, received: &FeedbackReply, results: &ExperimentResults) {
    crate::out(format_args!(
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
    ));
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
        crate::out(format_args!(
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
        ));
    }
    crate::out(format_args!(
        "\n{} predictions logged, {} labels received. Verdict: {}.",
        report.total_requests, received.recorded, results.verdict
    ));
    crate::out(format_args!("{}", results.summary));
}
