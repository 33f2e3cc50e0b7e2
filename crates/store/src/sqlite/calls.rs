//! The calls of the store on SQLite: what each reads is in the module that it names.

use super::{
    Store, append, catalog, evidence, feedback, journal_state, logged, outcomes, predictions,
    receipts, shadows, stretches,
};
use crate::traits::{Applied, LogStore, ModelStore, ReadModel, RunningEvidence};
use crate::{
    Alias, Appended, AuditEntry, AuditFilter, ByAttributes, Checkpoint, Delivery, Earlier,
    EarlierOutcomes, ExperimentFilter, ExportFilter, Exported, ExportedPrediction, Incoming,
    LogState, LoggedPrediction, LookPoint, Piece, PlacedFeedback, PlacedOutcome, PredictionFilter,
    RequestQuery, RequestReceipt, SetAside, ShadowOf, ShadowPair, ShadowQuery, StoreError,
    StoredFeedback, StoredKey, StoredOutcome, StoredWebhook, VersionFilter, VersionTotals,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use types::{
    Change, Evidence, Experiment, ExperimentId, ExperimentKey, KeyId, LoggedGroup, Metric,
    MinuteEvidence, ModelId, ModelName, ModelState, PredictionId, ReceiptId, SegmentEvidence,
    Settings, SettingsChange, StoredEvent, TimeRange, Timestamp, UnitId, Version, VersionKey,
    WebhookId,
};

impl ModelStore for Store {
    async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Applied>, StoreError> {
        catalog::apply::apply(self, changes).await
    }

    async fn checkpoint(&self, looks: Vec<Checkpoint>) -> Result<Vec<Applied>, StoreError> {
        catalog::apply::keep_looks(self, looks).await
    }

    async fn keep_points(&self, points: Vec<LookPoint>) -> Result<(), StoreError> {
        self.change(move |t| catalog::looks::keep(t, &points)).await
    }

    async fn points(&self, key: ExperimentKey) -> Result<Vec<LookPoint>, StoreError> {
        self.read(move |connection| catalog::looks::of(connection, key))
            .await
    }

    async fn version(&self, id: ModelId) -> Result<Option<Version>, StoreError> {
        self.read(move |connection| catalog::versions::find(connection, id))
            .await
    }

    async fn versions(&self, filter: VersionFilter) -> Result<Vec<Version>, StoreError> {
        self.read(move |connection| catalog::versions::list(connection, &filter))
            .await
    }

    async fn aliases(&self, name: ModelName) -> Result<Vec<Alias>, StoreError> {
        self.read(move |connection| catalog::aliases::list(connection, &name))
            .await
    }

    async fn model(&self, name: ModelName) -> Result<Option<ModelState>, StoreError> {
        self.read(move |connection| catalog::model(&connection.transaction()?, &name))
            .await
    }

    async fn models(&self) -> Result<Vec<ReadModel>, StoreError> {
        self.read(catalog::state::models).await
    }

    async fn unused_keys(&self) -> Result<(VersionKey, ExperimentKey), StoreError> {
        self.read(catalog::state::unused_keys).await
    }

    async fn events_of(&self, name: ModelName) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(move |connection| catalog::events_of(connection, &name))
            .await
    }

    async fn experiment(&self, id: ExperimentId) -> Result<Option<Experiment>, StoreError> {
        self.read(move |connection| catalog::experiments::find(connection, id))
            .await
    }

    async fn experiments(&self, filter: ExperimentFilter) -> Result<Vec<Experiment>, StoreError> {
        self.read(move |connection| catalog::experiments::list(connection, &filter))
            .await
    }

    async fn due_experiments(&self, now: Timestamp) -> Result<Vec<Experiment>, StoreError> {
        self.read(move |connection| catalog::experiments::due(connection, now))
            .await
    }

    async fn audit(&self, filter: AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |connection| catalog::audit::list(connection, &filter))
            .await
    }

    async fn audit_after(
        &self,
        filter: AuditFilter,
        after: i64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |connection| catalog::audit::after(connection, &filter, after))
            .await
    }

    async fn changed_models(&self, after: i64) -> Result<(i64, Vec<ModelName>), StoreError> {
        self.read(move |connection| catalog::audit::changed_models(connection, after))
            .await
    }

    async fn unreadable(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.read(|connection| catalog::unreadable(connection))
            .await
    }

    async fn apply_settings(&self, change: SettingsChange) -> Result<Applied, StoreError> {
        catalog::settings::apply(self, change).await
    }

    async fn settings(&self) -> Result<Settings, StoreError> {
        self.read(|connection| catalog::settings::settings(&connection.transaction()?))
            .await
    }

    async fn settings_events(&self) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(|connection| catalog::settings::events(connection))
            .await
    }

    async fn webhooks(&self) -> Result<Vec<StoredWebhook>, StoreError> {
        self.read(|connection| catalog::settings::list(connection))
            .await
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.read(|connection| catalog::settings::keys(connection))
            .await
    }

    async fn keep_uses(&self, uses: Vec<(KeyId, Timestamp)>) -> Result<(), StoreError> {
        self.change(move |t| catalog::settings::keep_uses(t, &uses))
            .await
    }

    async fn keep_delivery(&self, id: WebhookId, delivery: Delivery) -> Result<(), StoreError> {
        self.change(move |t| catalog::settings::keep_delivery(t, id, &delivery))
            .await
    }
}

impl LogStore for Store {
    fn append(&self, incoming: &Incoming<'_>, appended: &mut Appended) -> Result<(), StoreError> {
        append::append(self, incoming, appended)
    }

    fn position(&self) -> u64 {
        self.inner.position.load(Ordering::Acquire)
    }

    async fn retry_set_aside(&self, now: Timestamp) -> Result<u64, StoreError> {
        append::retry_set_aside(self, now).await
    }

    async fn evidence(
        &self,
        experiment: Experiment,
        now: Timestamp,
    ) -> Result<Evidence, StoreError> {
        self.read(move |connection| catalog::gathered::evidence(connection, &experiment, now))
            .await
    }

    async fn segments(
        &self,
        experiment: Experiment,
        now: Timestamp,
    ) -> Result<Vec<SegmentEvidence>, StoreError> {
        self.read(move |connection| catalog::gathered::segments(connection, &experiment, now))
            .await
    }

    async fn minutes(
        &self,
        experiment: Experiment,
    ) -> Result<(u64, Vec<MinuteEvidence>), StoreError> {
        let server = self.server();
        self.read(move |connection| {
            let transaction = connection.transaction()?;
            let position = journal_state::position(&transaction, &server)?;
            let minutes = evidence::minutes::of_experiment(&transaction, &experiment)?;
            Ok((position, minutes))
        })
        .await
    }

    async fn running_evidence(&self, now: Timestamp) -> Result<Vec<RunningEvidence>, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.read(move |connection| inner.kept.read(connection, now))
            .await
    }

    async fn of_request(
        &self,
        query: RequestQuery,
    ) -> Result<Option<LoggedPrediction>, StoreError> {
        let waiting = self.inner.request_ids.clone();
        self.read(move |connection| predictions::of_request(connection, &query, &waiting))
            .await
    }

    async fn request_numbers(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, i64)>, StoreError> {
        self.read(move |connection| predictions::request_numbers(connection, (after, limit)))
            .await
    }

    async fn shadows_of(&self, mirrored: PredictionId) -> Result<Vec<ShadowOf>, StoreError> {
        self.read(move |connection| shadows::of(connection, mirrored))
            .await
    }

    async fn shadow_pairs(&self, query: ShadowQuery) -> Result<Vec<ShadowPair>, StoreError> {
        self.read(move |connection| shadows::pairs(connection, &query))
            .await
    }

    async fn begun(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.read(|connection| {
            let mut select = connection
                .prepare_cached("SELECT entry FROM begun_calls ORDER BY prediction_order")?;
            let rows = select.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn earlier_outcomes(&self, query: Earlier) -> Result<EarlierOutcomes, StoreError> {
        self.read(move |connection| outcomes::earlier(connection, &query))
            .await
    }

    async fn newest_order(&self) -> Result<u64, StoreError> {
        self.read(predictions::newest_order).await
    }

    async fn totals(&self, range: TimeRange) -> Result<Vec<VersionTotals>, StoreError> {
        self.read(move |connection| predictions::totals(connection, range))
            .await
    }

    async fn totals_by_attributes(
        &self,
        query: ByAttributes,
    ) -> Result<(Vec<VersionTotals>, Option<Timestamp>), StoreError> {
        self.read(move |connection| predictions::totals_by_attributes(connection, &query))
            .await
    }

    async fn predictions(
        &self,
        filter: PredictionFilter,
    ) -> Result<Vec<LoggedPrediction>, StoreError> {
        self.read(move |connection| predictions::list(connection, &filter))
            .await
    }

    async fn prediction(&self, id: PredictionId) -> Result<Option<LoggedPrediction>, StoreError> {
        self.read(move |connection| predictions::find(connection, id))
            .await
    }

    async fn predictions_after(
        &self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<LoggedPrediction>, StoreError> {
        self.read(move |connection| {
            let transaction = connection.transaction()?;
            stretches::after(&transaction, position as i64, limit as usize)
        })
        .await
    }

    async fn feedback_of(&self, id: PredictionId) -> Result<Vec<StoredFeedback>, StoreError> {
        self.read(move |connection| feedback::of_prediction(connection, id))
            .await
    }

    async fn feedback_after(
        &self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<PlacedFeedback>, StoreError> {
        self.read(move |connection| {
            let transaction = connection.transaction()?;
            feedback::after(&transaction, position as i64, limit as usize)
        })
        .await
    }

    async fn export_predictions(
        &self,
        filter: ExportFilter,
        piece: Piece,
    ) -> Result<Exported<ExportedPrediction>, StoreError> {
        self.read(move |connection| {
            let transaction = connection.transaction()?;
            stretches::exported(&transaction, &filter, piece)
        })
        .await
    }

    async fn outcomes_after(
        &self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<PlacedOutcome>, StoreError> {
        self.read(move |connection| {
            let transaction = connection.transaction()?;
            feedback::outcomes::after(&transaction, position as i64, limit as usize)
        })
        .await
    }

    async fn outcomes_of(
        &self,
        unit: UnitId,
        name: Option<ModelName>,
        limit: u32,
    ) -> Result<Vec<StoredOutcome>, StoreError> {
        self.read(move |connection| {
            feedback::outcomes::list(connection, &unit, name.as_ref(), limit)
        })
        .await
    }

    async fn logged_groups(
        &self,
        name: ModelName,
        metric: Metric,
        range: TimeRange,
        period_ms: i64,
    ) -> Result<Vec<LoggedGroup>, StoreError> {
        self.read(move |connection| logged::groups(connection, &name, &metric, range, period_ms))
            .await
    }

    async fn log_state(&self) -> Result<LogState, StoreError> {
        self.read(|connection| journal_state::log_state(connection))
            .await
    }

    async fn set_aside(&self, after: u64, limit: u32) -> Result<Vec<SetAside>, StoreError> {
        self.read(move |connection| journal_state::list_set_aside(connection, after, limit))
            .await
    }

    async fn receipt(&self, id: ReceiptId) -> Result<Option<RequestReceipt>, StoreError> {
        self.read(move |connection| receipts::load(connection, id))
            .await
    }
}
