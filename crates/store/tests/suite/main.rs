//! What every store must do, stamped on each backend by [`suite!`]. A case that is left out of the
//! list is unused code, which the lints refuse. What is SQLite's own (files, corruption) is in
//! `sqlite`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod catalogue;
mod compare;
mod experiments;
mod feedback;
mod log;
mod removal;
mod settings;
mod sqlite;

use catalog::{Command, NewVersion, Refusal, decide, differences, replay};
use std::sync::atomic::{AtomicU64, Ordering};
use store::entry::{FeedbackEntry, encode_feedback, encode_prediction};
use store::memory::MemoryStore;
use store::{
    Appended, Feedback, FeedbackResult, Incoming, LogStore, ModelStore, Store, StoreError,
    VerifyReport,
};
use tempfile::TempDir;
use types::{
    Accuracy, Described, Input, ModelId, ModelName, ModelState, Outcome, Output, PredictionId,
    PredictionRecord, Reason, ReceiptId, RuntimeSpec, Timestamp, Version, VersionKey, VersionName,
};

/// A store of some kind, and what a test does to it from outside.
trait Backend: ModelStore + LogStore {
    /// The same store, as after a restart.
    async fn again(&self, directory: Option<&TempDir>) -> Self;

    /// Removes what deleted versions have left behind.
    async fn tidied(&self);

    /// What a recount says.
    async fn recount(&self, directory: Option<&TempDir>) -> VerifyReport;
}

impl Backend for Store {
    async fn again(&self, directory: Option<&TempDir>) -> Self {
        self.close().await.unwrap();
        Self::open(directory.unwrap().path()).unwrap()
    }

    async fn tidied(&self) {
        let store = self.clone();
        let tidy = move || while store.tidy().unwrap() {};
        tokio::task::spawn_blocking(tidy).await.unwrap();
    }

    async fn recount(&self, directory: Option<&TempDir>) -> VerifyReport {
        store::verify(directory.unwrap().path()).unwrap()
    }
}

/// It has nothing but rows, so there is nothing to recount, and nothing to tidy.
impl Backend for MemoryStore {
    async fn again(&self, _: Option<&TempDir>) -> Self {
        self.clone()
    }

    async fn tidied(&self) {}

    async fn recount(&self, _: Option<&TempDir>) -> VerifyReport {
        let totals = self.totals(types::TimeRange::ALL).await.unwrap();
        VerifyReport {
            predictions: totals.iter().map(|totals| totals.rollup.count).sum(),
            ..VerifyReport::default()
        }
    }
}

/// A store with nothing in it, and where it is kept.
struct Opened<S> {
    store: S,
    directory: Option<TempDir>,
}

impl<S: Backend> Opened<S> {
    async fn reopen(&self) -> S {
        self.store.again(self.directory.as_ref()).await
    }

    async fn verify(&self) -> VerifyReport {
        self.store.recount(self.directory.as_ref()).await
    }
}

/// Makes a test of every case for a backend, given what opens one.
macro_rules! suite {
    ($backend:ident, $open:path) => {
        suite! { @cases $backend, $open;
            catalogue: rows_and_events_say_the_same_whatever_happens, a_change_is_applied_to_the_state_it_was_decided_on_or_not_at_all,
                changes_are_on_the_record, deletion_takes_predictions_and_aliases_along, versions_are_paged;
            log: every_window_is_exact, calls_that_have_begun_wait_for_their_outcome, shadows_stand_beside_what_they_mirror, predictions_are_read_on_from_a_position, predictions_are_read_back_and_filtered, positions_count_once_and_what_cannot_be_stored_is_set_aside,
                what_is_rare_is_found_in_its_hours, rejected_inputs_have_no_latency, entries_of_deleted_versions_are_dropped_and_counted;
            experiments: evidence_counts_units_once_and_survives_a_recount,
                young_predictions_wait_for_their_window, a_bandit_keeps_sums_by_parts_of_its_units, units_are_counted_by_the_day_on_which_they_came, looks_are_kept_while_an_experiment_runs,
                steps_open_epochs_and_leave_an_event,
                logged_choices_are_added_up_by_epoch_and_propensity;
            settings: settings_are_one_state_like_a_model, keys_are_settings_and_their_uses_are_kept_beside,
                webhooks_remember_how_far_they_were_told;
            feedback: values_are_joined_once_and_can_be_replaced, an_event_is_taken_back_with_the_last_bad_value_of_its_unit,
                an_event_that_is_taken_back_is_counted_in_another_epoch_with_a_bad_value,
                an_event_is_taken_back_where_it_was_counted, a_correction_after_its_window_is_counted, feedback_waits_for_its_prediction, bad_values_are_refused_one_by_one,
                labels_are_counted_in_every_window, receipts_are_kept_where_nobody_waited, corrections_leave_nothing_behind;
        }
    };
    (@cases $backend:ident, $open:path; $($module:ident: $($case:ident),*;)*) => {
        mod $backend {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    crate::$module::$case($open()).await;
                }
            )*)*
        }
    };
}

suite!(on_sqlite, crate::open_sqlite);
suite!(in_memory, crate::open_memory);

fn open_sqlite() -> Opened<Store> {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    Opened {
        store,
        directory: Some(directory),
    }
}

fn open_memory() -> Opened<MemoryStore> {
    Opened {
        store: MemoryStore::default(),
        directory: None,
    }
}

/// Stores entries at the positions that follow, as a journal would have it.
async fn append_entries<S: Backend>(
    store: &S,
    entries: Vec<Vec<u8>>,
) -> Result<Appended, StoreError> {
    let store = store.clone();
    let append = move || {
        let mut appended = Appended::default();
        let next = store.position() + 1;
        let entries = (next..).zip(entries.iter().map(Vec::as_slice)).collect();
        let incoming = Incoming {
            entries,
            missing: &[],
            awaited: &|_| true,
            now: at(0),
        };
        store.append(&incoming, &mut appended).map(|()| appended)
    };
    tokio::task::spawn_blocking(append).await.unwrap()
}

fn entry_of(record: &PredictionRecord) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_prediction(record, record.id.time(), &mut bytes);
    bytes
}

/// Stores a prediction, which nothing keeps from being stored.
async fn append<S: Backend>(store: &S, record: PredictionRecord) {
    let appended = append_entries(store, vec![entry_of(&record)])
        .await
        .unwrap();
    assert_eq!(appended.set_aside, []);
}

/// Stores values that came together, and says what became of each.
async fn feedback<S: Backend>(
    store: &S,
    values: Vec<Feedback>,
    received: Timestamp,
) -> Vec<FeedbackResult> {
    static REQUESTS: AtomicU64 = AtomicU64::new(1);
    let request = FeedbackEntry {
        receipt: ReceiptId::new(received, REQUESTS.fetch_add(1, Ordering::Relaxed)),
        part: 0,
        parts: 1,
        values: (1..).zip(values).collect(),
    };
    let mut bytes = Vec::new();
    encode_feedback(&request, received, &mut bytes);
    let mut appended = append_entries(store, vec![bytes]).await.unwrap();
    let results = appended.parts.remove(0).results;
    results.into_iter().map(|(_, result)| result).collect()
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

/// Carries out a command to the model `m`, as a server does, and checks that rows and events say the same.
async fn command<S: Backend>(
    store: &S,
    command: Command,
    now: Timestamp,
) -> Result<ModelState, Refusal> {
    let state = store.model(name("m")).await.unwrap();
    let state = state.unwrap_or_else(|| ModelState::new(name("m")));
    let Some(decided) = decide(&state, &command, now)? else {
        return Ok(state);
    };
    let applied = store.apply(vec![decided.change]).await.unwrap();
    assert_eq!(applied, [Ok(())]);
    let stored = store.model(name("m")).await.unwrap().unwrap();
    assert_eq!(differences(&stored, &decided.state), [""; 0]);
    Ok(decided.state)
}

/// The state of the model `m` from its events alone.
async fn replayed<S: Backend>(store: &S) -> ModelState {
    let events = store.events_of(name("m")).await.unwrap();
    replay(name("m"), &events).unwrap()
}

async fn register<S: Backend>(store: &S, id: u64, version: &str) -> Version {
    let model_id = ModelId::from_bits(id);
    let new = NewVersion {
        key: store.unused_keys().await.unwrap().0,
        model_id,
        version: version_name(version),
        described: Described::default(),
        accuracy: Accuracy::new(0.5).unwrap(),
        runtime: RuntimeSpec::default(),
        salt: "salt".into(),
    };
    let register = Command::Register(Box::new(new));
    command(store, register, at(0)).await.unwrap();
    store.version(model_id).await.unwrap().unwrap()
}

async fn delete<S: Backend>(store: &S, id: ModelId) {
    command(store, Command::Delete { id }, at(1)).await.unwrap();
}

/// A prediction at a time, in microseconds, that the version answered.
fn record(version: VersionKey, micros: i64, confidence: f64, latency_ns: u64) -> PredictionRecord {
    let order = PredictionId::order_at(Timestamp::from_micros(micros));
    let output = Output {
        prediction: types::Json::text("positive"),
        confidence: Some(confidence),
        outputs: None,
    };
    PredictionRecord {
        kept: types::Kept::default(),
        id: PredictionId::new(order, order),
        version,
        reason: Reason::Weights,
        experiment: None,
        epoch: micros / 7_200_000_000,
        propensity: 0.5,
        unit_id: None,
        attributes: types::Attributes::default(),
        alias: None,
        request: None,
        made_at: None,
        decided_at: None,
        input: Input::Text("text".into()),
        outcome: Outcome {
            answer: Some((version, output)),
            latency_ns: Some(latency_ns),
            ..Outcome::default()
        },
    }
}
