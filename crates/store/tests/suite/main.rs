//! What every store must do. The cases take an open store, so that another backend can be stamped
//! with them; what is SQLite's own (files, corruption) is in `sqlite`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod catalog;
mod log;
mod sqlite;

use store::{NewVersion, Store, StoreOptions};
use tempfile::TempDir;
use types::{
    Accuracy, Input, ModelId, ModelName, Outcome, Output, PredictionId, PredictionRecord, Reason,
    RuntimeSpec, Tags, Timestamp, Version, VersionKey, VersionName,
};

fn open() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    (directory, store)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn name(text: &str) -> ModelName {
    ModelName::parse(text).unwrap()
}

fn version_name(text: &str) -> VersionName {
    VersionName::parse(text).unwrap()
}

async fn register(store: &Store, id: u64, version: &str) -> Version {
    let new = NewVersion {
        model_id: ModelId::from_bits(id),
        name: name("m"),
        version: version_name(version),
        description: String::new(),
        accuracy: Accuracy::new(0.5).unwrap(),
        tags: Tags::new(),
        runtime: RuntimeSpec::default(),
        salt: "salt".into(),
    };
    store.register(new, at(0)).await.unwrap()
}

/// A prediction at a time, in microseconds, that the version answered.
fn record(version: VersionKey, micros: i64, confidence: f64, latency_ns: u64) -> PredictionRecord {
    let order = PredictionId::order_at(Timestamp::from_micros(micros));
    let output = Output {
        prediction: "positive".into(),
        confidence: Some(confidence),
    };
    PredictionRecord {
        id: PredictionId::new(order, order),
        version,
        reason: Reason::Weights,
        epoch: micros / 7_200_000_000,
        propensity: 0.5,
        unit_id: None,
        input: Input::Text("text".into()),
        outcome: Outcome {
            answer: Some((version, output)),
            error: None,
            latency_ns,
        },
    }
}
