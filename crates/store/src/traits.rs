//! What every store does: remember models and the log. [`MemoryStore`](crate::memory::MemoryStore) defines what that
//! means; the suite of this crate is run on it and on SQLite, and compares both under random operations.

use crate::{
    Alias, Appended, AuditEntry, AuditFilter, ByAttributes, Checkpoint, Delivery, Earlier,
    EarlierOutcomes, ExperimentFilter, ExportFilter, Exported, ExportedPrediction, Incoming,
    LogState, LoggedPrediction, LookPoint, NotApplied, Piece, PlacedFeedback, PlacedOutcome,
    PredictionFilter, RequestQuery, RequestReceipt, SetAside, ShadowOf, ShadowPair, ShadowQuery,
    StoreError, StoredFeedback, StoredKey, StoredOutcome, StoredWebhook, VersionFilter,
    VersionTotals,
};
use std::future::Future;
use std::sync::Arc;
use types::{
    Change, Evidence, Experiment, ExperimentId, ExperimentKey, KeyId, LoggedGroup, Metric,
    MinuteEvidence, ModelId, ModelName, ModelState, PredictionId, ReceiptId, SegmentEvidence,
    Settings, SettingsChange, StoredEvent, TimeRange, Timestamp, UnitId, Version, VersionKey,
    WebhookId,
};

/// A running experiment and what it has gathered; an error where it cannot be read. The store keeps it for the next look:
/// whoever is done with it lets it go.
pub type RunningEvidence = Result<(Experiment, Arc<Evidence>), StoreError>;

/// The state of a model; its name as it is stored, and why, where it cannot be read.
pub type ReadModel = Result<ModelState, (String, StoreError)>;

/// What became of a change.
pub type Applied = Result<(), NotApplied>;

/// Models as they are, and what happened to them.
pub trait ModelStore: Clone + Send + Sync + 'static {
    /// Writes changes, in order and in one transaction: each whole, with its event, or not at all. A change is applied
    /// to the state that it was decided on, and to no other; those of one model that follow each other are applied all
    /// or none, and what cannot be is left out alone.
    ///
    /// # Errors
    /// When nothing can be written now: nothing has changed then. By change: [`NotApplied`].
    fn apply(
        &self,
        changes: Vec<Change>,
    ) -> impl Future<Output = Result<Vec<Applied>, StoreError>> + Send;

    /// Keeps what looks at running experiments have shown, where nothing was decided. It is no change, and has no event.
    ///
    /// # Errors
    /// As [`ModelStore::apply`]; a look at another revision than the present one is [`NotApplied::Moved`].
    fn checkpoint(
        &self,
        looks: Vec<Checkpoint>,
    ) -> impl Future<Output = Result<Vec<Applied>, StoreError>> + Send;

    /// Keeps what looks have shown, for charts. It is no change, and has no event; a point that is there stays.
    ///
    /// # Errors
    /// When nothing can be written now.
    fn keep_points(
        &self,
        points: Vec<LookPoint>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What was kept of an experiment, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn points(
        &self,
        key: ExperimentKey,
    ) -> impl Future<Output = Result<Vec<LookPoint>, StoreError>> + Send;

    /// One version.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn version(
        &self,
        id: ModelId,
    ) -> impl Future<Output = Result<Option<Version>, StoreError>> + Send;

    /// Versions, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn versions(
        &self,
        filter: VersionFilter,
    ) -> impl Future<Output = Result<Vec<Version>, StoreError>> + Send;

    /// The aliases of a model.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn aliases(
        &self,
        name: ModelName,
    ) -> impl Future<Output = Result<Vec<Alias>, StoreError>> + Send;

    /// The state of a model; `None` where nothing has ever happened to it.
    ///
    /// # Errors
    /// When it cannot be read.
    fn model(
        &self,
        name: ModelName,
    ) -> impl Future<Output = Result<Option<ModelState>, StoreError>> + Send;

    /// The states of all models. One that cannot be read is an error by itself.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn models(&self) -> impl Future<Output = Result<Vec<ReadModel>, StoreError>> + Send;

    /// Keys that no version and no experiment has had.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn unused_keys(
        &self,
    ) -> impl Future<Output = Result<(VersionKey, ExperimentKey), StoreError>> + Send;

    /// The events of a model that can be replayed, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn events_of(
        &self,
        name: ModelName,
    ) -> impl Future<Output = Result<Vec<StoredEvent>, StoreError>> + Send;

    /// One experiment.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn experiment(
        &self,
        id: ExperimentId,
    ) -> impl Future<Output = Result<Option<Experiment>, StoreError>> + Send;

    /// Experiments, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn experiments(
        &self,
        filter: ExperimentFilter,
    ) -> impl Future<Output = Result<Vec<Experiment>, StoreError>> + Send;

    /// Scheduled experiments whose time has come.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn due_experiments(
        &self,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Experiment>, StoreError>> + Send;

    /// The audit, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn audit(
        &self,
        filter: AuditFilter,
    ) -> impl Future<Output = Result<Vec<AuditEntry>, StoreError>> + Send;

    /// Entries of the audit after one, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn audit_after(
        &self,
        filter: AuditFilter,
        after: i64,
    ) -> impl Future<Output = Result<Vec<AuditEntry>, StoreError>> + Send;

    /// The id of the newest entry, 0 without one, and the models that entries after `after` are about.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn changed_models(
        &self,
        after: i64,
    ) -> impl Future<Output = Result<(i64, Vec<ModelName>), StoreError>> + Send;

    /// Rows of the catalogue that are passed over because they cannot be read: which, and why.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn unreadable(&self) -> impl Future<Output = Result<Vec<(String, String)>, StoreError>> + Send;

    /// Writes a change of the settings: whole, with its event, or not at all. It is applied to the settings that it was
    /// decided on, and to no others.
    ///
    /// # Errors
    /// As [`ModelStore::apply`].
    fn apply_settings(
        &self,
        change: SettingsChange,
    ) -> impl Future<Output = Result<Applied, StoreError>> + Send;

    /// The settings of the server.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn settings(&self) -> impl Future<Output = Result<Settings, StoreError>> + Send;

    /// The events of the settings, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn settings_events(&self) -> impl Future<Output = Result<Vec<StoredEvent>, StoreError>> + Send;

    /// Every webhook, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn webhooks(&self) -> impl Future<Output = Result<Vec<StoredWebhook>, StoreError>> + Send;

    /// What is kept of every key, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn keys(&self) -> impl Future<Output = Result<Vec<StoredKey>, StoreError>> + Send;

    /// Keeps when keys were used last. It is no change, and has no event; for keys that are gone it is nothing.
    ///
    /// # Errors
    /// When nothing can be written now.
    fn keep_uses(
        &self,
        uses: Vec<(KeyId, Timestamp)>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Keeps how far a webhook was told. It is no change, and has no event; for a webhook that is gone it is nothing.
    ///
    /// # Errors
    /// When nothing can be written now.
    fn keep_delivery(
        &self,
        id: WebhookId,
        delivery: Delivery,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The log of predictions and feedback, and what is counted of it.
pub trait LogStore: Clone + Send + Sync + 'static {
    /// Stores what a journal has to say next, on this thread. Entries up to the position that has been reached are
    /// passed over, so everything counts once however often it is sent.
    ///
    /// # Errors
    /// When nothing can be written now: what was stored before that is in `appended`, and the position says how far it
    /// goes.
    ///
    /// # Panics
    /// Within an async task.
    fn append(&self, incoming: &Incoming<'_>, appended: &mut Appended) -> Result<(), StoreError>;

    /// The position that has been reached.
    fn position(&self) -> u64;

    /// Tries the entries again that were set aside; says how many were taken now.
    ///
    /// # Errors
    /// When nothing can be written.
    fn retry_set_aside(
        &self,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// What an experiment has gathered until `now`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn evidence(
        &self,
        experiment: Experiment,
        now: Timestamp,
    ) -> impl Future<Output = Result<Evidence, StoreError>> + Send;

    /// What an experiment has gathered of each segment until `now`, of those that have gathered something.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn segments(
        &self,
        experiment: Experiment,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<SegmentEvidence>, StoreError>> + Send;

    /// What an experiment met in each minute, oldest first, and the position up to which that is all; nothing where it
    /// keeps no minutes.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn minutes(
        &self,
        experiment: Experiment,
    ) -> impl Future<Output = Result<(u64, Vec<MinuteEvidence>), StoreError>> + Send;

    /// Every running experiment and what it has gathered until `now`, at one moment. One that cannot be read
    /// is an error by itself, so that the others can be looked at.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn running_evidence(
        &self,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<RunningEvidence>, StoreError>> + Send;

    /// What a request became, by what its caller calls it: the attempt that asked the same, where that is asked for, else
    /// the one that was answered, else the first one.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn of_request(
        &self,
        query: RequestQuery,
    ) -> impl Future<Output = Result<Option<LoggedPrediction>, StoreError>> + Send;

    /// At most `limit` requests that have an id, after an order, by their orders and [`request_number`]s.
    ///
    /// [`request_number`]: crate::request_number
    ///
    /// # Errors
    /// When the store cannot be read.
    fn request_numbers(
        &self,
        after: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(u64, i64)>, StoreError>> + Send;

    /// Requests that were mirrored to a version, with both answers, newest first. Those whose prediction is gone are left
    /// out.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn shadow_pairs(
        &self,
        query: ShadowQuery,
    ) -> impl Future<Output = Result<Vec<ShadowPair>, StoreError>> + Send;

    /// What versions made of their copies of a request, in the order in which they answered.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn shadows_of(
        &self,
        mirrored: PredictionId,
    ) -> impl Future<Output = Result<Vec<ShadowOf>, StoreError>> + Send;

    /// The entries of calls that have begun and have no outcome yet, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn begun(&self) -> impl Future<Output = Result<Vec<Vec<u8>>, StoreError>> + Send;

    /// Outcomes of the past. Pinned predictions are left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn earlier_outcomes(
        &self,
        query: Earlier,
    ) -> impl Future<Output = Result<EarlierOutcomes, StoreError>> + Send;

    /// The order of the newest prediction: later ones must be greater.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn newest_order(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// The sums of every version over a stretch of time, the epochs added up.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn totals(
        &self,
        range: TimeRange,
    ) -> impl Future<Output = Result<Vec<VersionTotals>, StoreError>> + Send;

    /// The sums of every version over predictions whose attributes meet a condition; and the time of the oldest that was
    /// looked at, where there are older ones that were not.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn totals_by_attributes(
        &self,
        query: ByAttributes,
    ) -> impl Future<Output = Result<(Vec<VersionTotals>, Option<Timestamp>), StoreError>> + Send;

    /// Logged predictions, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn predictions(
        &self,
        filter: PredictionFilter,
    ) -> impl Future<Output = Result<Vec<LoggedPrediction>, StoreError>> + Send;

    /// One logged prediction.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn prediction(
        &self,
        id: PredictionId,
    ) -> impl Future<Output = Result<Option<LoggedPrediction>, StoreError>> + Send;

    /// Predictions that the journal has after a position, in its order, at most so many. Those of deleted versions are
    /// left out, and so are those of releases that kept no positions. An entry that was set aside and taken later has
    /// its old position: who has read beyond it does not see it.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn predictions_after(
        &self,
        position: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<LoggedPrediction>, StoreError>> + Send;

    /// The values that came for a prediction, by metric.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn feedback_of(
        &self,
        id: PredictionId,
    ) -> impl Future<Output = Result<Vec<StoredFeedback>, StoreError>> + Send;

    /// Values that the journal has after a position, in its order, at most so many; a value that was
    /// replaced is where it was replaced. Those for predictions of deleted versions are left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn feedback_after(
        &self,
        position: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<PlacedFeedback>, StoreError>> + Send;

    /// A piece of the log with the values that have come for its predictions: what [`LogStore::predictions_after`] reads,
    /// of those that a filter takes.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn export_predictions(
        &self,
        filter: ExportFilter,
        piece: Piece,
    ) -> impl Future<Output = Result<Exported<ExportedPrediction>, StoreError>> + Send;

    /// Outcomes of units that the journal has after a position, in its order, at most so many and those that have the
    /// position of the last of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn outcomes_after(
        &self,
        position: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<PlacedOutcome>, StoreError>> + Send;

    /// The outcomes of a unit, of all models or of one, in the order in which they came; at most so many.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn outcomes_of(
        &self,
        unit: UnitId,
        name: Option<ModelName>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<StoredOutcome>, StoreError>> + Send;

    /// What predictions of a model earned on a metric in a stretch of time, grouped by periods of
    /// `period_ms`, epoch, reason, version, propensity and part of the units. Pinned predictions and those that do not count
    /// are left out; all are taken as matured, so the time must end before the newest window. `slow` has no values here,
    /// because its objective is an experiment's.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn logged_groups(
        &self,
        name: ModelName,
        metric: Metric,
        range: TimeRange,
        period_ms: i64,
    ) -> impl Future<Output = Result<Vec<LoggedGroup>, StoreError>> + Send;

    /// What became of the journal beside its rows.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn log_state(&self) -> impl Future<Output = Result<LogState, StoreError>> + Send;

    /// Entries that are set aside, oldest first, after a position and at most so many.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn set_aside(
        &self,
        after: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<SetAside>, StoreError>> + Send;

    /// The receipt of a request, where one is kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn receipt(
        &self,
        id: ReceiptId,
    ) -> impl Future<Output = Result<Option<RequestReceipt>, StoreError>> + Send;
}
