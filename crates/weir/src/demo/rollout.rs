//! `weir demo rollout` and `weir demo regression`: the controller at work on real predictions, with time
//! compressed.

use super::{Review, VERSIONS, reviews};
use crate::args::{DemoArgs, DemoKind};
use crate::control::line;
use crate::serve::shutdown;
use anyhow::Context;
use api::{Client, CreateExperiment, Feedback, PredictRequest, RegisterVersion};
use serde_json::json;
use server::{Clock, Config, Server};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use types::Timestamp;

/// How many seconds of the server's clock pass in one.
const FACTOR: u32 = 1200;
const CONNECTIONS: usize = 8;
/// Predictions between two batches of feedback.
const BATCH: usize = 100;
/// Predictions after which the service of the bad candidate ends.
const SERVICE_LASTS: u64 = 8000;

pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    tokio::runtime::Runtime::new()?.block_on(demo(args))
}

async fn demo(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let temporary = tempfile::tempdir().context("cannot make a temporary directory")?;
    let data_dir = args.data_dir.clone();
    let data_dir: PathBuf = data_dir.unwrap_or_else(|| temporary.path().join("weir"));
    let config = Config {
        tick: Duration::from_secs(30) / FACTOR,
        ..Config::new(args.listen, data_dir)
    };
    let weir = Running::start(config, compressed()).await?;
    let interrupted = shutdown()?;
    let client = Client::new(&weir.address)?;
    let regression = args.kind == DemoKind::Regression;
    let service = if regression {
        let elsewhere = temporary.path().join("service");
        let address = ([127, 0, 0, 1], 0).into();
        Some(Running::start(Config::new(address, elsewhere), Clock::system()).await?)
    } else {
        None
    };
    let id = start(&client, service.as_ref().map(|s| s.address.as_str())).await?;
    crate::out(format_args!(
        "A rollout of 2.0.0 over 1.0.0 on real reviews, with time compressed {FACTOR} times: the default \
         soak of\n10 minutes at 1 % takes half a second. A step ends when it has lasted that long and has 50 to 200 \
         units\n(the default asks for about 2,500)."
    ));
    if regression {
        crate::out(format_args!(
            "2.0.0 is run by another service, which dies after {SERVICE_LASTS} predictions."
        ));
    }
    let load = Load::start(&client);
    let mut events = client
        .events(&[("experiment", id.as_str()), ("after", "0")])
        .await?;
    let watch = async {
        let mut dying = service;
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            tokio::select! {
                entry = events.next() => {
                    let Some(entry) = entry? else {
                        anyhow::bail!("the server ended the stream");
                    };
                    crate::out(format_args!("{}", line(&entry)));
                    if entry.action.0.ends_experiment() {
                        return anyhow::Ok(());
                    }
                }
                _ = ticks.tick(), if dying.is_some() => {
                    if load.predictions.load(Ordering::Relaxed) >= SERVICE_LASTS
                        && let Some(service) = dying.take()
                    {
                        service.end().await?;
                        crate::out(format_args!("                    the service of 2.0.0 dies"));
                    }
                }
            }
        }
    };
    watch.await?;
    let totals = load.end().await?;
    crate::out(format_args!(
        "\n{} predictions answered, {} of them by 1.0.0 for 2.0.0; no caller saw a failure.",
        totals.predictions, totals.fallbacks
    ));
    let results = client.results(&id).await?;
    for arm in &results.arms {
        crate::out(format_args!(
            "{:<8} {:>9} units {:>7} fallbacks",
            arm.version, arm.units, arm.fallbacks
        ));
    }
    crate::out(format_args!("{}", results.summary));
    if !args.exit {
        let address = &weir.address;
        crate::talk(&format!(
            "\nThe server stays up at {address} (Ctrl-C ends it). Try:"
        ));
        crate::talk(&format!("  curl -s '{address}/audit?experiment={id}'"));
        crate::talk(&format!("  curl -s {address}/experiments/{id}/results"));
        interrupted.await;
    }
    weir.end().await?;
    Ok(ExitCode::SUCCESS)
}

/// The time of the machine, running faster from now on.
fn compressed() -> Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the demonstration begins now, by the machine's clock"
    )]
    let (began, wall) = (Instant::now(), SystemTime::now());
    let wall = wall
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros();
    Clock::new(move || {
        let since = wall + (began.elapsed() * FACTOR).as_micros();
        Timestamp::from_micros(i64::try_from(since).unwrap_or(i64::MAX))
    })
}

/// A server within this process.
struct Running {
    address: String,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn start(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let server = Server::bind(config, clock).await?;
        let address = format!("http://{}", server.address());
        let (stop, stopped) = oneshot::channel::<()>();
        #[expect(
            clippy::disallowed_methods,
            reason = "`Running` owns it and waits for its end"
        )]
        let task = tokio::spawn(server.run(async {
            // A dropped sender means that the demonstration failed: stop as well.
            let _ = stopped.await;
        }));
        Ok(Self {
            address,
            stop,
            task,
        })
    }

    async fn end(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.task.await?
    }
}

/// Registers both versions and starts the rollout; `service` runs the candidate where there is one.
async fn start(client: &Client, service: Option<&str>) -> anyhow::Result<String> {
    super::register(client, &VERSIONS[0]).await?;
    match service {
        None => super::register(client, &VERSIONS[1]).await?,
        Some(address) => {
            let there = Client::new(address)?;
            let version = super::register(&there, &VERSIONS[1]).await?;
            there.activate(&version, 100.0).await?;
            let forward = serde_json::from_value(json!({
                "type": "http", "url": format!("{address}/predict"),
                "prediction_pointer": "/prediction", "confidence_pointer": "/confidence",
            }))?;
            let new = RegisterVersion {
                name: "sentiment".into(),
                version: VERSIONS[1].version.into(),
                accuracy: VERSIONS[1].accuracy,
                runtime: Some(forward),
                ..RegisterVersion::default()
            };
            client.register(&new).await?.model_id
        }
    };
    let experiment: CreateExperiment = serde_json::from_value(json!({
        "name": "sentiment",
        "title": "A model that has seen more words",
        "policy": "rollout",
        // So few units per step find large harm only; the default asks for enough to find twice the errors.
        "rollout": {"min_units": [50, 100, 200, 200, 200]},
        "control": "1.0.0",
        "candidates": ["2.0.0"],
        "primary_metric": "correct",
        "guardrails": ["error", "correct"],
    }))?;
    Ok(client
        .start_experiment(&experiment)
        .await?
        .experiment
        .experiment)
}

/// Readers who come one after the other, and say what was right.
struct Load {
    stop: Arc<AtomicBool>,
    predictions: Arc<AtomicU64>,
    fallbacks: Arc<AtomicU64>,
    readers: JoinSet<anyhow::Result<()>>,
}

struct Totals {
    predictions: u64,
    fallbacks: u64,
}

impl Load {
    fn start(client: &Client) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            predictions: Arc::default(),
            fallbacks: Arc::default(),
            readers: JoinSet::new(),
        };
        let texts = Arc::new(reviews());
        let next = Arc::new(AtomicU64::new(0));
        for _ in 0..CONNECTIONS {
            let reader = Reader {
                client: client.clone(),
                texts: Arc::clone(&texts),
                next: Arc::clone(&next),
                stop: Arc::clone(&load.stop),
                predictions: Arc::clone(&load.predictions),
                fallbacks: Arc::clone(&load.fallbacks),
            };
            load.readers.spawn(reader.read());
        }
        load
    }

    async fn end(mut self) -> anyhow::Result<Totals> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.readers.join_next().await {
            ended??;
        }
        Ok(Totals {
            predictions: self.predictions.load(Ordering::Relaxed),
            fallbacks: self.fallbacks.load(Ordering::Relaxed),
        })
    }
}

struct Reader {
    client: Client,
    texts: Arc<Vec<Review>>,
    next: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    predictions: Arc<AtomicU64>,
    fallbacks: Arc<AtomicU64>,
}

impl Reader {
    async fn read(self) -> anyhow::Result<()> {
        let mut labels = Vec::with_capacity(BATCH);
        while !self.stop.load(Ordering::Relaxed) {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let review = &self.texts[at as usize % self.texts.len()];
            let request = PredictRequest {
                text: Some(review.text.into()),
                unit_id: Some(format!("reader-{at}")),
                ..PredictRequest::default()
            };
            let reply = self.client.predict(&request).await?;
            self.predictions.fetch_add(1, Ordering::Relaxed);
            if reply.served_model_id != reply.model_id {
                self.fallbacks.fetch_add(1, Ordering::Relaxed);
            }
            labels.push(Feedback {
                prediction_id: Some(reply.prediction_id),
                label: Some(review.label.into()),
                ..Feedback::default()
            });
            if labels.len() == BATCH {
                self.client.feedback(&labels).await?;
                labels.clear();
            }
        }
        Ok(())
    }
}
