//! A store in memory, written to be read: it keeps rows in plain maps, and counts sums from them anew whenever it is
//! asked. What depends on the order in which entries came (first events, the arm of a unit) it keeps beside them. It
//! defines what the traits mean, and is slow and forgetful; nothing serves from it.

mod log;
mod models;

use crate::entry::PredictionEntry;
use crate::{
    Alias, Appended, Applied, AuditEntry, AuditFilter, ByAttributes, Checkpoint, Delivery, Earlier,
    EarlierOutcomes, ExperimentFilter, ExportFilter, Exported, ExportedPrediction, Incoming,
    LogState, LogStore, LoggedPrediction, LookPoint, ModelStore, Piece, PlacedFeedback,
    PlacedOutcome, PredictionFilter, ReadModel, RequestQuery, RequestReceipt, RunningEvidence,
    SetAside, ShadowOf, ShadowPair, ShadowQuery, StoreError, StoredFeedback, StoredKey,
    StoredOutcome, StoredWebhook, VersionFilter, VersionTotals,
};
use evidence::Unit;
use log::Log;
use models::Models;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use types::{
    Change, Evidence, Experiment, ExperimentId, ExperimentKey, KeyId, LoggedGroup, Metric,
    MinuteEvidence, ModelId, ModelName, ModelState, PredictionId, ReceiptId, SegmentEvidence,
    Settings, SettingsChange, StoredEvent, TimeRange, Timestamp, Version, VersionKey, WebhookId,
};

/// A store in memory. Clones are handles to the same one.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    models: Models,
    log: Log,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The unit of a prediction: the named one, or the prediction itself.
fn unit_of(prediction: &PredictionEntry<'_>) -> Unit {
    let named = prediction.unit_id.map(crate::unit_number);
    named.map_or(Unit::Own(prediction.id.order()), Unit::Named)
}

impl ModelStore for MemoryStore {
    async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Applied>, StoreError> {
        Ok(self.lock().models.apply(&changes))
    }

    async fn checkpoint(&self, looks: Vec<Checkpoint>) -> Result<Vec<Applied>, StoreError> {
        let mut memory = self.lock();
        let each = looks.into_iter().map(|look| memory.models.checkpoint(look));
        Ok(each.collect())
    }

    async fn keep_points(&self, points: Vec<LookPoint>) -> Result<(), StoreError> {
        self.lock().models.keep_points(points);
        Ok(())
    }

    async fn points(&self, key: ExperimentKey) -> Result<Vec<LookPoint>, StoreError> {
        Ok(self.lock().models.points(key))
    }

    async fn version(&self, id: ModelId) -> Result<Option<Version>, StoreError> {
        let memory = self.lock();
        let found = memory.models.live().find(|version| version.model_id == id);
        Ok(found.cloned())
    }

    async fn versions(&self, filter: VersionFilter) -> Result<Vec<Version>, StoreError> {
        Ok(self.lock().models.versions(&filter))
    }

    async fn aliases(&self, name: ModelName) -> Result<Vec<Alias>, StoreError> {
        Ok(self.lock().models.aliases(&name))
    }

    async fn model(&self, name: ModelName) -> Result<Option<ModelState>, StoreError> {
        Ok(self.lock().models.state(&name))
    }

    async fn models(&self) -> Result<Vec<ReadModel>, StoreError> {
        Ok(self.lock().models.states().map(Ok).collect())
    }

    async fn unused_keys(&self) -> Result<(VersionKey, ExperimentKey), StoreError> {
        Ok(self.lock().models.unused_keys())
    }

    async fn events_of(&self, name: ModelName) -> Result<Vec<StoredEvent>, StoreError> {
        Ok(self.lock().models.events_of(Some(&name)))
    }

    async fn experiment(&self, id: ExperimentId) -> Result<Option<Experiment>, StoreError> {
        Ok(self.lock().models.experiment(id).cloned())
    }

    async fn experiments(&self, filter: ExperimentFilter) -> Result<Vec<Experiment>, StoreError> {
        Ok(self.lock().models.experiments(&filter))
    }

    async fn due_experiments(&self, now: Timestamp) -> Result<Vec<Experiment>, StoreError> {
        Ok(self.lock().models.due(now))
    }

    async fn audit(&self, filter: AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        let mut entries = self.lock().models.audit(&filter);
        entries.reverse();
        let before = filter.before.unwrap_or(i64::MAX);
        entries.retain(|entry| entry.id < before);
        entries.truncate(filter.limit as usize);
        Ok(entries)
    }

    async fn audit_after(
        &self,
        filter: AuditFilter,
        after: i64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let mut entries = self.lock().models.audit(&filter);
        entries.retain(|entry| entry.id > after);
        entries.truncate(filter.limit as usize);
        Ok(entries)
    }

    async fn changed_models(&self, after: i64) -> Result<(i64, Vec<ModelName>), StoreError> {
        Ok(self.lock().models.changed(after))
    }

    async fn unreadable(&self) -> Result<Vec<(String, String)>, StoreError> {
        Ok(Vec::new())
    }

    async fn apply_settings(&self, change: SettingsChange) -> Result<Applied, StoreError> {
        Ok(self.lock().models.apply_settings(change))
    }

    async fn settings(&self) -> Result<Settings, StoreError> {
        Ok(self.lock().models.settings())
    }

    async fn settings_events(&self) -> Result<Vec<StoredEvent>, StoreError> {
        Ok(self.lock().models.events_of(None))
    }

    async fn webhooks(&self) -> Result<Vec<StoredWebhook>, StoreError> {
        Ok(self.lock().models.webhooks())
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        Ok(self.lock().models.keys())
    }

    async fn keep_uses(&self, uses: Vec<(KeyId, Timestamp)>) -> Result<(), StoreError> {
        self.lock().models.keep_uses(&uses);
        Ok(())
    }

    async fn keep_delivery(&self, id: WebhookId, delivery: Delivery) -> Result<(), StoreError> {
        self.lock().models.keep_delivery(id, delivery);
        Ok(())
    }
}

impl LogStore for MemoryStore {
    fn append(&self, incoming: &Incoming<'_>, appended: &mut Appended) -> Result<(), StoreError> {
        let memory = &mut *self.lock();
        memory.log.append(&memory.models, incoming, appended);
        Ok(())
    }

    fn position(&self) -> u64 {
        self.lock().log.position()
    }

    async fn retry_set_aside(&self, now: Timestamp) -> Result<u64, StoreError> {
        let memory = &mut *self.lock();
        Ok(memory.log.retry(&memory.models, now))
    }

    async fn evidence(
        &self,
        experiment: Experiment,
        now: Timestamp,
    ) -> Result<Evidence, StoreError> {
        let memory = self.lock();
        Ok(memory.log.evidence(&memory.models, &experiment, now))
    }

    async fn segments(
        &self,
        experiment: Experiment,
        now: Timestamp,
    ) -> Result<Vec<SegmentEvidence>, StoreError> {
        let memory = self.lock();
        Ok(memory.log.segments(&memory.models, &experiment, now))
    }

    async fn minutes(
        &self,
        experiment: Experiment,
    ) -> Result<(u64, Vec<MinuteEvidence>), StoreError> {
        let memory = self.lock();
        let minutes = memory.log.minutes(&memory.models, &experiment);
        Ok((memory.log.position(), minutes))
    }

    async fn running_evidence(&self, now: Timestamp) -> Result<Vec<RunningEvidence>, StoreError> {
        let memory = self.lock();
        let running = memory.models.running();
        let each = running.map(|experiment| {
            let evidence = memory.log.evidence(&memory.models, experiment, now);
            Ok((experiment.clone(), Arc::new(evidence)))
        });
        Ok(each.collect())
    }

    async fn of_request(
        &self,
        query: RequestQuery,
    ) -> Result<Option<LoggedPrediction>, StoreError> {
        let memory = self.lock();
        Ok(memory.log.of_request(&memory.models, &query))
    }

    async fn request_numbers(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, i64)>, StoreError> {
        let memory = self.lock();
        Ok(memory.log.request_numbers(&memory.models, after, limit))
    }

    async fn shadows_of(&self, mirrored: PredictionId) -> Result<Vec<ShadowOf>, StoreError> {
        Ok(self.lock().log.shadows_of(mirrored))
    }

    async fn shadow_pairs(&self, query: ShadowQuery) -> Result<Vec<ShadowPair>, StoreError> {
        let memory = self.lock();
        Ok(memory.log.shadow_pairs(&memory.models, &query))
    }

    async fn begun(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(self.lock().log.begun())
    }

    async fn earlier_outcomes(&self, query: Earlier) -> Result<EarlierOutcomes, StoreError> {
        let memory = self.lock();
        Ok(memory.log.earlier_outcomes(&memory.models, &query))
    }

    async fn newest_order(&self) -> Result<u64, StoreError> {
        let memory = self.lock();
        Ok(memory.log.newest_order(&memory.models))
    }

    async fn totals(&self, range: TimeRange) -> Result<Vec<VersionTotals>, StoreError> {
        let memory = self.lock();
        Ok(memory.log.totals(&memory.models, range))
    }

    async fn totals_by_attributes(
        &self,
        query: ByAttributes,
    ) -> Result<(Vec<VersionTotals>, Option<Timestamp>), StoreError> {
        let memory = self.lock();
        Ok(memory.log.totals_by_attributes(&memory.models, &query))
    }

    async fn predictions(
        &self,
        filter: PredictionFilter,
    ) -> Result<Vec<LoggedPrediction>, StoreError> {
        let memory = self.lock();
        Ok(memory.log.predictions(&memory.models, &filter))
    }

    async fn prediction(&self, id: PredictionId) -> Result<Option<LoggedPrediction>, StoreError> {
        let memory = self.lock();
        Ok(memory.log.prediction(&memory.models, id))
    }

    async fn predictions_after(
        &self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<LoggedPrediction>, StoreError> {
        let memory = self.lock();
        Ok(memory
            .log
            .predictions_after(&memory.models, position, limit))
    }

    async fn feedback_of(&self, id: PredictionId) -> Result<Vec<StoredFeedback>, StoreError> {
        let memory = self.lock();
        Ok(memory.log.feedback_of(&memory.models, id))
    }

    async fn feedback_after(
        &self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<PlacedFeedback>, StoreError> {
        let memory = self.lock();
        Ok(memory.log.feedback_after(&memory.models, position, limit))
    }

    async fn export_predictions(
        &self,
        filter: ExportFilter,
        piece: Piece,
    ) -> Result<Exported<ExportedPrediction>, StoreError> {
        let memory = self.lock();
        Ok(memory.log.export(&memory.models, &filter, piece))
    }

    async fn outcomes_after(
        &self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<PlacedOutcome>, StoreError> {
        Ok(self.lock().log.outcomes_after(position, limit))
    }

    async fn outcomes_of(
        &self,
        unit: types::UnitId,
        name: Option<ModelName>,
        limit: u32,
    ) -> Result<Vec<StoredOutcome>, StoreError> {
        Ok(self.lock().log.list_outcomes(&unit, name.as_ref(), limit))
    }

    async fn logged_groups(
        &self,
        name: ModelName,
        metric: Metric,
        range: TimeRange,
        period_ms: i64,
    ) -> Result<Vec<LoggedGroup>, StoreError> {
        let memory = self.lock();
        Ok(memory
            .log
            .groups(&memory.models, &name, &metric, range, period_ms))
    }

    async fn log_state(&self) -> Result<LogState, StoreError> {
        Ok(self.lock().log.state())
    }

    async fn set_aside(&self, after: u64, limit: u32) -> Result<Vec<SetAside>, StoreError> {
        Ok(self.lock().log.set_aside(after, limit))
    }

    async fn receipt(&self, id: ReceiptId) -> Result<Option<RequestReceipt>, StoreError> {
        Ok(self.lock().log.receipt(id))
    }
}
