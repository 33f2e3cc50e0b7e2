//! Fills a log through the store's own append path, as fast as it takes records.

use crate::process::memory_mib;
use catalog::{Command, NewVersion, decide};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use store::entry::{FeedbackEntry, encode_feedback, encode_prediction};
use store::{
    Appended, Feedback, FeedbackContent, FeedbackOf, Incoming, LogStore, ModelStore, Store,
};
use types::{
    Accuracy, Arm, BuiltIn, Described, ExperimentDefinition, ExperimentId, ExperimentKey, Input,
    ModelId, ModelName, ModelState, Outcome, Output, Percent, PredictionId, PredictionRecord,
    Reason, ReceiptId, RuntimeSpec, Timestamp, UnitId, VersionKey, VersionName,
};

const DAY: i64 = 86_400_000_000;
/// The text of every prediction: 78 bytes, about what the reviews of the demo have.
pub(crate) const TEXT: &str =
    "the picture is not bad at all, but setting it up was a long and painful affair";

pub(crate) async fn run(
    data_dir: &Path,
    predictions: u64,
    days: u32,
    versions: u32,
    in_experiment: bool,
) -> anyhow::Result<()> {
    let store = Store::open(data_dir)?;
    let now = now();
    let keys = register(&store, versions, now).await?;
    let experiment = if in_experiment {
        Some(experiment(&store, &keys, now).await?)
    } else {
        None
    };
    let span = (i64::from(days) * DAY).max(600_000_000);
    let begin = now.micros() - span;
    let mut random = fastrand::Rng::with_seed(1);
    let mut order = 0;
    let mut labels = Vec::new();
    let mut log = Log::default();
    for n in 0..predictions {
        let micros = begin + (span as f64 * (n as f64 / predictions as f64)) as i64;
        order = PredictionId::order_at(Timestamp::from_micros(micros)).max(order + 1);
        let version = keys[random.usize(..keys.len())];
        let id = PredictionId::new(order, random.u64(..));
        let mut record = record(id, version, &mut random);
        if let Some(experiment) = experiment {
            // A unit keeps its arm.
            let unit = random.u32(..UNITS);
            record.version = keys[unit as usize % 2];
            record.unit_id = UnitId::parse(&format!("user-{unit}")).ok();
            (record.experiment, record.reason) = (Some(experiment.0), Reason::Experiment);
            record.epoch = experiment.1;
            if n % 2 == 0 {
                labels.push(label(id, random.f64() < 0.6));
            }
        }
        log.predict(&record);
        if labels.len() == 250 {
            log.feedback(std::mem::take(&mut labels), now);
        }
        if log.waiting() >= GROUP {
            log.flush(&store).await?;
        }
    }
    log.feedback(labels, now);
    log.flush(&store).await?;
    let (server, position) = (store.server(), store.position());
    store.close().await?;
    // A server expects the journal that these entries might have come from.
    let options = journal::Options {
        may_be_missing: true,
        ..journal::Options::within(64 << 20, false)
    };
    let folder = journal::Folder::new(&data_dir.join("journal"))?;
    let (journal, _) = journal::Journal::open(Arc::new(folder), options, server, position)?;
    journal.close()?;
    println!(
        "filled {predictions} VmRSS={:.1} VmHWM={:.1}",
        memory_mib("self", "VmRSS:")?,
        memory_mib("self", "VmHWM:")?
    );
    Ok(())
}

/// Entries in one transaction, as a server that catches up has it.
const GROUP: usize = 8192;

/// Entries that are to be stored.
#[derive(Default)]
struct Log {
    entries: VecDeque<Vec<u8>>,
}

impl Log {
    fn predict(&mut self, record: &PredictionRecord) {
        let mut bytes = Vec::with_capacity(512);
        encode_prediction(record, record.id.time(), &mut bytes);
        self.entries.push_back(bytes);
    }

    fn feedback(&mut self, values: Vec<Feedback>, now: Timestamp) {
        let request = FeedbackEntry {
            receipt: ReceiptId::new(now, 0),
            part: 0,
            parts: 1,
            values: (1..).zip(values).collect(),
        };
        let mut bytes = Vec::new();
        encode_feedback(&request, now, &mut bytes);
        self.entries.push_back(bytes);
    }

    fn waiting(&self) -> usize {
        self.entries.len()
    }

    async fn flush(&mut self, store: &Store) -> anyhow::Result<()> {
        let entries = std::mem::take(&mut self.entries);
        let store = store.clone();
        let append = move || {
            let next = store.position() + 1;
            let incoming = Incoming {
                entries: (next..).zip(entries.iter().map(Vec::as_slice)).collect(),
                missing: &[],
                awaited: &|_| true,
                now: Timestamp::from_micros(0),
            };
            store.append(&incoming, &mut Appended::default())?;
            store.tidy()
        };
        tokio::task::spawn_blocking(append).await??;
        Ok(())
    }
}

/// How many users an experiment has.
const UNITS: u32 = 1_000_000;

fn label(prediction_id: PredictionId, right: bool) -> Feedback {
    let label = if right { "positive" } else { "negative" };
    Feedback {
        of: FeedbackOf::Prediction(prediction_id),
        content: FeedbackContent::Label(label.into()),
        replace: false,
    }
}

/// Starts an experiment on the first two versions; gives its key and epoch.
async fn experiment(
    store: &Store,
    keys: &[VersionKey],
    now: Timestamp,
) -> anyhow::Result<(ExperimentKey, i64)> {
    let arm = |at: usize| -> anyhow::Result<Arm> {
        Ok(Arm {
            key: keys[at],
            model_id: ModelId::from_bits(at as u64 + 1),
            version: VersionName::parse(&format!("{}.0.0", at + 1))?,
            weight: 1.0,
        })
    };
    let metrics = [
        BuiltIn::Correct,
        BuiltIn::Error,
        BuiltIn::LatencyMs,
        BuiltIn::Confidence,
    ];
    let metrics = metrics.map(BuiltIn::metric);
    let definition = ExperimentDefinition {
        title: "bench".into(),
        secondary_metrics: metrics[2..].iter().map(|m| m.name.clone()).collect(),
        guardrails: vec![metrics[1].name.clone()],
        salt: "bench".into(),
        ..ExperimentDefinition::new(
            ModelName::parse("sentiment")?,
            vec![arm(0)?, arm(1)?],
            metrics.to_vec(),
        )
    };
    let id = ExperimentId::from_bits(1);
    let key = ExperimentKey(1);
    let scales = vec![Some(types::Scale::binary(0.1)); definition.metrics.len()];
    let create = Command::CreateExperiment {
        key,
        id,
        definition: Box::new(definition),
    };
    command(store, create, now).await?;
    let start = Command::StartExperiment {
        id,
        progress: None,
        scales,
        revision: None,
        by: types::Actor::Person,
    };
    Ok((key, command(store, start, now).await?.epoch))
}

/// Carries out a command to the model, as a server does.
async fn command(store: &Store, command: Command, now: Timestamp) -> anyhow::Result<ModelState> {
    let name = ModelName::parse("sentiment")?;
    let state = store.model(name.clone()).await?;
    let state = state.unwrap_or_else(|| ModelState::new(name));
    let Some(decided) = decide(&state, &command, now)? else {
        return Ok(state);
    };
    for applied in store.apply(vec![decided.change]).await? {
        applied?;
    }
    Ok(decided.state)
}

fn now() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "the log must end now, so that windows of the last days hold something"
    )]
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_micros(since.as_micros() as i64)
}

async fn register(store: &Store, versions: u32, now: Timestamp) -> anyhow::Result<Vec<VersionKey>> {
    let mut keys = Vec::new();
    for n in 1..=versions {
        let id = ModelId::from_bits(u64::from(n));
        let key = VersionKey(i64::from(n));
        let new = NewVersion {
            key,
            model_id: id,
            version: VersionName::parse(&format!("{n}.0.0"))?,
            described: Described::default(),
            accuracy: Accuracy::new(0.8)?,
            runtime: RuntimeSpec::default(),
            salt: "bench".into(),
        };
        command(store, Command::Register(Box::new(new)), now).await?;
        let weight = Percent::new(100.0 / f64::from(versions))?;
        command(store, Command::Activate { id, weight }, now).await?;
        keys.push(key);
    }
    Ok(keys)
}

fn record(id: PredictionId, version: VersionKey, random: &mut fastrand::Rng) -> PredictionRecord {
    // A spread like a real service's: most around 20 microseconds, a long tail.
    let latency_ns = (20_000.0 * (-random.f64().max(1e-9).ln()).exp().min(1e5)) as u64;
    let output = Output {
        prediction: types::Json::text("positive"),
        confidence: Some(0.5 + random.f64() / 2.0),
        outputs: None,
    };
    PredictionRecord {
        kept: types::Kept::default(),
        id,
        version,
        reason: Reason::Weights,
        experiment: None,
        epoch: 2,
        propensity: 0.5,
        unit_id: UnitId::parse(&format!("user-{}", random.u32(..1_000_000))).ok(),
        attributes: types::Attributes::default(),
        alias: None,
        request: None,
        made_at: None,
        decided_at: None,
        input: Input::Text(TEXT.into()),
        outcome: Outcome {
            answer: Some((version, output)),
            latency_ns: Some(latency_ns),
            ..Outcome::default()
        },
    }
}
