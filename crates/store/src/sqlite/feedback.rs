//! Feedback as rows: joined to its prediction, or kept until that appears.

pub(super) mod outcomes;
mod pending;
mod units;

use super::Store;
use super::catalog::first_readable;
use super::erasure::Erasing;
use super::evidence::{Old, OpenEvidence};
use super::hash::Columns;
use super::journal_state::{Origin, servers_beyond};
use super::predictions::{id_of, kept_of, reason_code, status_of};
use super::request_ids::{OpenRequestIds, REQUESTED};
use super::rollups::{Bucket, add_labels};
use super::row::ByName;
use super::{corrections, unlike_labels};
use crate::VerifyReport;
use crate::entry::{Entry, Kind, PredictionEntry};
use crate::feedback::{Attempt, Labelled, Valued, attempt_of, joined};
use crate::{
    Confusion, ConfusionQuery, Counted, CountedMismatch, Feedback, FeedbackContent, FeedbackOf,
    FeedbackRefusal, FeedbackResult, LabelHash, PlacedFeedback, Receipt, StoreError,
    StoredFeedback, Tier, request_number, unit_number,
};
use ::evidence::Exposure;
use pending::{Pending, Subject, Waiting};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;
use std::sync::Arc;
use types::{
    BuiltIn, ExperimentId, ExperimentKey, FeedbackStatus, InvalidValue, KeptPart, Metric,
    MetricName, Mismatch, ModelId, ModelName, Per, PredictionId, Reason, RequestId, Status,
    Timestamp, VersionKey, VersionName, labels,
};
use units::Started;

pub(in crate::sqlite) fn of_prediction(
    connection: &mut Connection,
    id: PredictionId,
) -> Result<Vec<StoredFeedback>, StoreError> {
    of_order(connection, id.order() as i64)
}

/// The values that came for a prediction, by the number that orders it.
pub(super) fn of_order(
    connection: &Connection,
    order: i64,
) -> Result<Vec<StoredFeedback>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT metric, value, label, received_at FROM feedback \
         WHERE prediction_order = ?1 ORDER BY metric",
    )?;
    let found = select.query_map([order], read_value)?;
    first_readable(found, usize::MAX)
}

/// Values after a position, in the order of the journals that this directory has had.
pub(super) fn after(
    connection: &Connection,
    position: i64,
    limit: usize,
) -> Result<Vec<PlacedFeedback>, StoreError> {
    let mut found = Vec::new();
    for server_key in servers_beyond(connection, position)? {
        if found.len() < limit {
            let most = limit - found.len();
            found.extend(after_of(connection, server_key, position, most)?);
        }
    }
    Ok(found)
}

fn after_of(
    connection: &Connection,
    server_key: i64,
    position: i64,
    limit: usize,
) -> Result<Vec<PlacedFeedback>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT f.prediction_order, p.random, f.metric, f.value, f.label, f.received_at, f.position, \
         v.name, v.model_id, v.version, p.unit_id, e.experiment_id \
         FROM feedback f CROSS JOIN predictions p ON p.prediction_order = f.prediction_order \
         JOIN versions v ON v.version_key = p.version_key AND v.deleted_at IS NULL \
         LEFT JOIN experiments e ON e.experiment_key = p.experiment_key \
         WHERE f.server_key = ?1 AND f.position > ?2 \
         ORDER BY f.position, f.prediction_order, f.metric",
    )?;
    let read = |row: &Row<'_>| {
        Ok(PlacedFeedback {
            prediction_id: id_of(row)?,
            name: row.parsed("name", ModelName::parse)?,
            model_id: row.parsed("model_id", str::parse)?,
            version: row.parsed("version", VersionName::parse)?,
            unit_id: row.get("unit_id")?,
            experiment_id: row.parsed_option("experiment_id", str::parse)?,
            feedback: read_value(row)?,
            position: row.bits("position")?,
        })
    };
    let rows = select.query_map([server_key, position], read)?;
    whole_positions(rows, limit, |placed| placed.position)
}

/// The values of the first positions: at most so many, but never a part of what came together, so that whoever
/// reads on from the last position misses nothing.
fn whole_positions<T>(
    rows: impl Iterator<Item = rusqlite::Result<T>>,
    most: usize,
    position: impl Fn(&T) -> u64,
) -> Result<Vec<T>, StoreError> {
    let mut found: Vec<T> = Vec::new();
    for row in rows {
        let row = match row.map_err(StoreError::from) {
            Ok(row) => row,
            // `verify` names it.
            Err(StoreError::Corrupt(_)) => continue,
            Err(error) => return Err(error),
        };
        let last = found.last().map(&position);
        if found.len() >= most && last != Some(position(&row)) {
            break;
        }
        found.push(row);
    }
    Ok(found)
}

fn read_value(row: &Row<'_>) -> rusqlite::Result<StoredFeedback> {
    Ok(StoredFeedback {
        metric: row.parsed("metric", MetricName::parse)?,
        value: row.get("value")?,
        label: row.json_option("label").unwrap_or_default(),
        received_at: row.time("received_at")?,
    })
}

fn metric_name(text: &str) -> Result<MetricName, StoreError> {
    MetricName::parse(text).map_err(|_| StoreError::Corrupt(format!("the metric {text}")))
}

/// What the writer keeps in memory to join feedback.
pub(super) struct OpenFeedback {
    /// Who writes.
    server_key: i64,
    versions: HashMap<VersionKey, Known>,
    experiments: HashMap<ExperimentKey, ExperimentId>,
    metrics: HashMap<ModelName, HashMap<String, Metric>>,
    /// The experiments of each model that have started.
    started: HashMap<ModelName, Vec<Started>>,
    /// By which predictions are found that their callers have named.
    pub(super) requests: OpenRequestIds,
    /// What waits for its prediction.
    pending: Pending,
    /// Labels by roll-up: how many, and how many of them right.
    labels: HashMap<Bucket, (i64, i64)>,
    /// How labels are hashed, to be compared with hashes of answers.
    pub(super) label_hash: Option<LabelHash>,
    /// Units that are renamed.
    pub(super) erasing: Arc<Erasing>,
}

/// A version as receipts name it.
#[derive(Clone)]
struct Known {
    name: ModelName,
    model_id: ModelId,
    version: VersionName,
}

/// What is known of a prediction.
enum Found {
    Live(Logged),
    /// Which one is meant cannot be said.
    Refused(FeedbackRefusal),
    /// Its version is deleted, and it is on its way out.
    Deleted,
    Nothing,
}

/// A prediction as feedback needs it.
struct Logged {
    id: PredictionId,
    made_at: Option<Timestamp>,
    version: VersionKey,
    known: Known,
    epoch: i64,
    unit_id: Option<String>,
    /// As JSON.
    attributes: Option<String>,
    experiment: Option<ExperimentKey>,
    prediction: Option<String>,
    kept: KeptPart,
    answered_by: Option<VersionKey>,
    rejected: bool,
}

impl Known {
    fn counted(&self) -> Counted {
        Counted {
            name: self.name.clone(),
            model_id: self.model_id,
            version: self.version.clone(),
            experiment_id: None,
        }
    }
}

impl Logged {
    fn labelled(&self) -> Labelled<'_> {
        Labelled {
            answered: self.answered_by.is_some(),
            prediction: self.prediction.as_deref(),
            kept: self.kept,
        }
    }

    fn exposure(&self, experiment: ExperimentKey) -> Exposure {
        Exposure {
            experiment,
            epoch: self.epoch,
            version: self.version,
            unit: self.unit_id.as_deref().map(unit_number),
            seconds: self.made_at.unwrap_or_else(|| self.id.time()).seconds(),
            order: self.id.order(),
        }
    }
}

/// What came for a prediction before, and the label it came from.
fn stored(
    connection: &Connection,
    order: i64,
    metric: &MetricName,
) -> Result<Option<(Old, Option<String>)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT value, event, label, in_time, apart FROM feedback WHERE prediction_order = ?1 AND metric = ?2",
    )?;
    let read = |row: &Row<'_>| {
        let old = Old {
            value: row.get("value")?,
            event: row.get("event")?,
            in_time: row.get("in_time")?,
            apart: row.get("apart")?,
        };
        Ok((old, row.get("label")?))
    };
    Ok(select
        .query_row(params![order, metric.as_str()], read)
        .optional()?)
}

/// Predictions as [`OpenFeedback::logged`] reads them.
const LOGGED: &str = "SELECT p.prediction_order, p.random, p.version_key, p.epoch, p.unit_id, p.experiment_key, \
     p.prediction, p.status, p.reason, p.served_key, p.made_at, p.attributes, p.kept FROM predictions p";

impl OpenFeedback {
    pub(super) fn of(server_key: i64, requests: OpenRequestIds) -> Self {
        Self {
            server_key,
            versions: HashMap::default(),
            experiments: HashMap::default(),
            metrics: HashMap::default(),
            started: HashMap::default(),
            requests,
            pending: Pending::default(),
            labels: HashMap::default(),
            label_hash: None,
            erasing: Arc::default(),
        }
    }

    /// Stores one value.
    pub(super) fn store(
        &mut self,
        connection: &Connection,
        evidence: &mut OpenEvidence,
        item: &Feedback,
        now: Timestamp,
        origin: Origin,
    ) -> Result<FeedbackResult, StoreError> {
        if self.pending.sweep(connection, now)? && outcomes::drop_old(connection, now)? {
            self.pending.sweep_again();
        }
        let found = match &item.of {
            FeedbackOf::Prediction(id) => self.find(connection, *id)?,
            FeedbackOf::Request(name, id) => self.find_request(connection, name, id)?,
            FeedbackOf::Unit(of) => {
                return self.store_outcome(connection, evidence, (item, of), (now, origin));
            }
        };
        match found {
            Found::Live(found) => self.join(connection, evidence, item, &found, (now, origin)),
            Found::Refused(refusal) => Ok(Err(refusal)),
            Found::Deleted => Ok(Ok(Receipt::unjoined(item, FeedbackStatus::Dropped))),
            Found::Nothing => {
                self.pending.keep(connection, item, now)?;
                Ok(Ok(Receipt::unjoined(item, FeedbackStatus::Unmatched)))
            }
        }
    }

    /// Joins what waits for a prediction that has just been logged.
    pub(super) fn appeared(
        &mut self,
        connection: &Connection,
        evidence: &mut OpenEvidence,
        prediction: &PredictionEntry<'_>,
        origin: Origin,
    ) -> Result<(), StoreError> {
        let id = prediction.id;
        self.join_waiting(connection, evidence, &FeedbackOf::Prediction(id), origin)?;
        let Some((request, _)) = prediction.request else {
            return Ok(());
        };
        let retried = prediction.reason == Reason::Retry && prediction.served.is_some();
        if !retried && !self.pending.has_request(connection, request)? {
            return Ok(());
        }
        let known = self.version(connection, prediction.version)?;
        if let (Some(known), Ok(request)) = (known, RequestId::parse(request)) {
            let of = FeedbackOf::Request(known.name, request);
            self.join_waiting(connection, evidence, &of, origin)?;
            if retried {
                self.compare_again(connection, evidence, of, origin)?;
            }
        }
        Ok(())
    }

    /// Compares the label that came for a request with the answer that it has now.
    fn compare_again(
        &mut self,
        connection: &Connection,
        evidence: &mut OpenEvidence,
        of: FeedbackOf,
        origin: Origin,
    ) -> Result<(), StoreError> {
        let FeedbackOf::Request(name, id) = &of else {
            return Ok(());
        };
        let Found::Live(found) = self.find_request(connection, name, id)? else {
            return Ok(());
        };
        let mut select = connection.prepare_cached(
            "SELECT label, received_at FROM feedback \
             WHERE prediction_order = ?1 AND metric = 'correct' AND label IS NOT NULL",
        )?;
        let order = found.id.order() as i64;
        let label = select.query_row([order], |row| {
            Ok((row.json("label")?, row.time("received_at")?))
        });
        if let Some((label, received_at)) = label.optional()? {
            let item = Feedback {
                of,
                content: FeedbackContent::Label(label),
                replace: false,
            };
            let refused = self.store(connection, evidence, &item, received_at, origin)?;
            debug_assert!(refused.is_ok(), "{refused:?}");
        }
        Ok(())
    }

    fn join_waiting(
        &mut self,
        connection: &Connection,
        evidence: &mut OpenEvidence,
        of: &FeedbackOf,
        origin: Origin,
    ) -> Result<(), StoreError> {
        let subject = Subject::of(of);
        if !self.pending.has(connection, &subject)? {
            return Ok(());
        }
        let mut dropped = 0;
        for Waiting {
            content,
            received_at,
        } in self.pending.take(connection, &subject)?
        {
            let item = Feedback {
                of: of.clone(),
                content,
                replace: false,
            };
            let stored = self.store(connection, evidence, &item, received_at, origin)?;
            dropped += i64::from(stored.is_err());
        }
        pending::count_dropped(connection, dropped)
    }

    fn find(&mut self, connection: &Connection, id: PredictionId) -> Result<Found, StoreError> {
        let sql = format!("{LOGGED} WHERE p.prediction_order = ?1 AND p.random = ?2");
        let mut select = connection.prepare_cached(&sql)?;
        let mut rows = select.query(params![id.order() as i64, id.random() as i64])?;
        match rows.next()? {
            Some(row) => self.logged(connection, row),
            None => Ok(Found::Nothing),
        }
    }

    /// The exposure of a request. Its answer is that of the attempt that was answered.
    fn find_request(
        &mut self,
        connection: &Connection,
        name: &ModelName,
        id: &RequestId,
    ) -> Result<Found, StoreError> {
        let sql = format!(
            "{LOGGED} CROSS JOIN versions v ON v.version_key = p.version_key \
             WHERE p.prediction_order IN {REQUESTED} AND p.request_id = ?3 AND v.name = ?4 ORDER BY p.prediction_order"
        );
        let mut select = connection.prepare_cached(&sql)?;
        let number = request_number(id.as_str());
        let orders = self.requests.orders(number);
        let key = params![number, orders, id.as_str(), name.as_str()];
        let mut rows = select.query(key)?;
        let mut attempts = Vec::new();
        while let Some(row) = rows.next()? {
            let attempt = Attempt {
                is_retry: row.get::<_, i64>("reason")? == reason_code(Reason::Retry),
                answered: row.get::<_, Option<i64>>("served_key")?.is_some(),
            };
            attempts.push((attempt, self.logged(connection, row)?));
        }
        let (exposure, answer) = match attempt_of(attempts.iter().map(|(attempt, _)| *attempt)) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Found::Nothing),
            Err(refusal) => return Ok(Found::Refused(refusal)),
        };
        let (prediction, kept, answered_by, rejected) = match &attempts[answer].1 {
            Found::Live(answer) => (
                answer.prediction.clone(),
                answer.kept,
                answer.answered_by,
                answer.rejected,
            ),
            _ => return Ok(Found::Deleted),
        };
        let (_, found) = attempts.swap_remove(exposure);
        Ok(match found {
            Found::Live(exposure) => Found::Live(Logged {
                prediction,
                kept,
                answered_by,
                rejected,
                ..exposure
            }),
            other => other,
        })
    }

    fn logged(&mut self, connection: &Connection, row: &Row<'_>) -> Result<Found, StoreError> {
        let version = VersionKey(row.get("version_key")?);
        let Some(known) = self.version(connection, version)? else {
            return Ok(Found::Deleted);
        };
        let status = status_of(row.get("status")?)?;
        Ok(Found::Live(Logged {
            id: id_of(row)?,
            made_at: row
                .get::<_, Option<i64>>("made_at")?
                .map(Timestamp::from_micros),
            version,
            known,
            epoch: row.get("epoch")?,
            unit_id: self.unit_of(row)?,
            attributes: row.get("attributes")?,
            experiment: row
                .get::<_, Option<i64>>("experiment_key")?
                .map(ExperimentKey),
            prediction: row.get("prediction")?,
            kept: kept_of(row)?.output,
            answered_by: row.get::<_, Option<i64>>("served_key")?.map(VersionKey),
            rejected: status == Status::Rejected,
        }))
    }

    /// Drops what waits for a request that is stored without its name.
    pub(super) fn forget_waiting(
        &mut self,
        connection: &Connection,
        entry: &[u8],
    ) -> Result<(), StoreError> {
        let Ok(Entry {
            kind: Kind::Prediction(prediction),
            ..
        }) = Entry::decode(entry)
        else {
            return Ok(());
        };
        let id = prediction
            .request
            .and_then(|(id, _)| RequestId::parse(id).ok());
        let (Some(id), Some(known)) = (id, self.version(connection, prediction.version)?) else {
            return Ok(());
        };
        let of = FeedbackOf::Request(known.name, id);
        let subject = Subject::of(&of);
        let mut dropped = 0;
        if self.pending.has(connection, &subject)? {
            dropped = self.pending.take(connection, &subject)?.len() as i64;
        }
        pending::count_dropped(connection, dropped)
    }

    /// The unit of a prediction as evidence knows it: a row that is to be erased may still have its old name.
    fn unit_of(&self, row: &Row<'_>) -> Result<Option<String>, StoreError> {
        let unit: Option<String> = row.get("unit_id")?;
        let order = row.get("prediction_order")?;
        Ok(unit.map(|unit| self.erasing.name(&unit, order).to_owned()))
    }

    /// Stores a value for a prediction that is there, beside or in place of what came for it before.
    fn join(
        &mut self,
        connection: &Connection,
        evidence: &mut OpenEvidence,
        item: &Feedback,
        found: &Logged,
        (now, origin): (Timestamp, Origin),
    ) -> Result<FeedbackResult, StoreError> {
        let Valued {
            metric,
            value,
            label,
            mismatch,
        } = match self.value_of(connection, item, found)? {
            Ok(checked) => checked,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let order = found.id.order() as i64;
        let stored = stored(connection, order, &metric)?;
        let known = stored.as_ref();
        let known = known.map(|(old, before)| (old.beside(label.as_deref()), before.as_deref()));
        let status = match joined(known, value, label.as_deref(), item.replace) {
            Ok(status) => status,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut receipt = Receipt {
            status,
            prediction_id: Some(found.id),
            metric: metric.clone(),
            value: Some(value),
            counted: Some(found.known.counted()),
            experiments: Vec::new(),
            missed: None,
            mismatch,
        };
        if status == FeedbackStatus::Duplicate {
            let apart = stored.is_some_and(|(old, _)| old.apart);
            if let Some(experiment) = found.experiment.filter(|_| !apart)
                && evidence.has_metric(connection, experiment, metric.as_str())?
            {
                receipt.count_for(self.experiment(connection, experiment)?);
            }
            return Ok(Ok(receipt));
        }
        let (old, old_label) = stored.unzip();
        let before = old_label
            .flatten()
            .and_then(|old| found.labelled().mismatch(&old));
        // What evidence has counted once stays in it; and what another version answered is wrong, of whatever type it is.
        let counted = old.filter(|old| !old.apart);
        let own = found.answered_by == Some(found.version);
        let unlike = mismatch.filter(|found| found.is_of_label() && own && counted.is_none());
        let apart = unlike.is_some();
        let mut row = FeedbackRow {
            order,
            metric: metric.as_str(),
            value,
            label: label.as_deref(),
            received_at: now.micros(),
            event: old.map_or(0, |old| old.event),
            in_time: old.and_then(|old| old.in_time),
            apart,
            origin: Some(origin),
        };
        if let Some(experiment) = found.experiment.filter(|_| !apart) {
            let exposure = found.exposure(experiment);
            let told = (found.attributes.as_deref(), now);
            let counted =
                evidence.value(connection, &exposure, row.metric, (counted, value), told)?;
            if let Some(counted) = counted {
                row.event += counted.event;
                row.in_time = counted.in_time;
                corrections::change(connection, &exposure, row.metric, counted.corrects)?;
                receipt.count_for(self.experiment(connection, experiment)?);
            }
        }
        row.write(connection)?;
        count_mismatches(connection, found.answered_by, (before, mismatch), now)?;
        let was_apart = old.is_some_and(|old| old.apart);
        if let Some(experiment) = found.experiment.filter(|_| apart || was_apart)
            && evidence.has_metric(connection, experiment, metric.as_str())?
        {
            let exposure = found.exposure(experiment);
            unlike_labels::change(connection, &exposure, was_apart.then_some(before), unlike)?;
        }
        if metric.as_str() == BuiltIn::Correct.as_str() {
            let old = old.map(|old| old.value);
            self.count_label(found, old, value);
        }
        Ok(Ok(receipt))
    }

    fn value_of(
        &mut self,
        connection: &Connection,
        item: &Feedback,
        found: &Logged,
    ) -> Result<Result<Valued, FeedbackRefusal>, StoreError> {
        let (name, value) = match &item.content {
            FeedbackContent::Label(_) if found.rejected => {
                return Ok(Err(FeedbackRefusal::Rejected));
            }
            FeedbackContent::Label(label) => {
                let compared = found.labelled().compare(label, self.label_hash.as_ref());
                return Ok(compared.map(Valued::of));
            }
            FeedbackContent::Value(metric, value) => (metric, *value),
        };
        let unknown = FeedbackRefusal::UnknownMetric {
            name: found.known.name.clone(),
            metric: name.clone(),
        };
        let metrics = self.metrics(connection, &found.known.name)?;
        let Some(metric) = metrics.get(name.as_str()) else {
            return Ok(Err(unknown));
        };
        if metric.per == Per::Unit {
            return Ok(Err(FeedbackRefusal::PerUnit(name.clone())));
        }
        let invalid = |error: InvalidValue| FeedbackRefusal::Invalid(error.to_string());
        let checked = metric.check_value(value).map_err(invalid);
        Ok(checked.map(|value| Valued::plain(name.clone(), value)))
    }

    fn count_label(&mut self, found: &Logged, stored: Option<f64>, value: f64) {
        for tier in Tier::ALL {
            let bucket = Bucket {
                tier,
                start: tier.start_of(found.id.time()),
                version: found.version,
                epoch: found.epoch,
            };
            let (labelled, correct) = self.labels.entry(bucket).or_default();
            *labelled += i64::from(stored.is_none());
            *correct += (value - stored.unwrap_or(0.0)) as i64;
        }
    }

    /// A version that is not deleted.
    fn version(
        &mut self,
        connection: &Connection,
        key: VersionKey,
    ) -> Result<Option<Known>, StoreError> {
        if let Some(known) = self.versions.get(&key) {
            return Ok(Some(known.clone()));
        }
        let mut select = connection.prepare_cached(
            "SELECT name, model_id, version FROM versions \
             WHERE version_key = ?1 AND deleted_at IS NULL",
        )?;
        let row = select.query_row([key.0], |row| {
            let text = |name| row.get::<_, String>(name);
            Ok((text("name")?, text("model_id")?, text("version")?))
        });
        let Some((name, model_id, version)) = row.optional()? else {
            return Ok(None);
        };
        let corrupt = || StoreError::Corrupt(format!("the version {model_id} of {name}"));
        let known = Known {
            name: ModelName::parse(&name).map_err(|_| corrupt())?,
            model_id: model_id.parse().map_err(|_| corrupt())?,
            version: VersionName::parse(&version).map_err(|_| corrupt())?,
        };
        self.versions.insert(key, known.clone());
        Ok(Some(known))
    }

    fn experiment(
        &mut self,
        connection: &Connection,
        key: ExperimentKey,
    ) -> Result<ExperimentId, StoreError> {
        if let Some(id) = self.experiments.get(&key) {
            return Ok(*id);
        }
        let sql = "SELECT experiment_id FROM experiments WHERE experiment_key = ?1";
        let text: String = connection.query_row(sql, [key.0], |row| row.get(0))?;
        let id = text
            .parse()
            .map_err(|_| StoreError::Corrupt(format!("the experiment {text}")))?;
        self.experiments.insert(key, id);
        Ok(id)
    }

    fn metrics(
        &mut self,
        connection: &Connection,
        name: &ModelName,
    ) -> Result<&HashMap<String, Metric>, StoreError> {
        if !self.metrics.contains_key(name) {
            let correct = BuiltIn::Correct.metric();
            let mut metrics = HashMap::from([(correct.name.to_string(), correct)]);
            for metric in super::catalog::metrics::list(connection, name)? {
                metrics.insert(metric.name.to_string(), metric);
            }
            self.metrics.insert(name.clone(), metrics);
        }
        Ok(&self.metrics[name])
    }

    /// Writes the labels of this group to the roll-ups, whose rows must be there.
    pub(super) fn write(&mut self, connection: &Connection) -> Result<(), StoreError> {
        for (bucket, (labelled, correct)) in self.labels.drain() {
            add_labels(connection, bucket, self.server_key, labelled, correct)?;
        }
        self.requests.write(connection)
    }

    /// Forgets all, because the database has moved without it.
    pub(super) fn forget(&mut self) {
        self.forget_catalog();
        self.experiments.clear();
        self.requests.forget();
        self.pending = self.pending.forgotten();
        self.labels.clear();
    }

    /// Forgets what the catalogue may have changed.
    pub(super) fn forget_catalog(&mut self) {
        self.versions.clear();
        self.metrics.clear();
        self.started.clear();
    }
}

/// A value as its row has it.
struct FeedbackRow<'a> {
    order: i64,
    metric: &'a str,
    value: f64,
    label: Option<&'a str>,
    received_at: i64,
    /// As in [`evidence::Given`].
    event: i64,
    /// The value that had come in time for bets, where one had.
    in_time: Option<f64>,
    /// Evidence has nothing of it.
    apart: bool,
    origin: Option<Origin>,
}

impl FeedbackRow<'_> {
    fn hash(&self) -> i64 {
        let mut columns = Columns::new();
        columns
            .number(self.order)
            .text(self.metric)
            .float(self.value)
            .optional_text(self.label)
            .number(self.received_at)
            .number(self.event)
            .origin(self.origin);
        // Rows of releases that did not write it have the hashes that they had.
        if let Some(in_time) = self.in_time {
            columns.text("in_time").float(in_time);
        }
        if self.apart {
            columns.text("apart");
        }
        columns.hash() as i64
    }

    fn write(&self, connection: &Connection) -> Result<(), StoreError> {
        let mut write = connection.prepare_cached(
            "INSERT INTO feedback (prediction_order, metric, value, label, received_at, event, server_key, \
             position, row_hash, in_time, apart) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
             ON CONFLICT (prediction_order, metric) DO UPDATE \
             SET value = excluded.value, label = excluded.label, received_at = excluded.received_at, \
                 event = excluded.event, server_key = excluded.server_key, position = excluded.position, \
                 row_hash = excluded.row_hash, in_time = excluded.in_time, apart = excluded.apart",
        )?;
        let origin = self.origin.map(|o| (o.server_key, o.position));
        let (server_key, position) = origin.unzip();
        write.execute(params![
            self.order,
            self.metric,
            self.value,
            self.label,
            self.received_at,
            self.event,
            server_key,
            position,
            self.hash(),
            self.in_time,
            self.apart,
        ])?;
        Ok(())
    }
}

/// Counts a label that can never equal the prediction of a version, and takes back the one that it replaces.
fn count_mismatches(
    connection: &Connection,
    version: Option<VersionKey>,
    (before, mismatch): (Option<Mismatch>, Option<Mismatch>),
    now: Timestamp,
) -> Result<(), StoreError> {
    if before == mismatch {
        return Ok(());
    }
    let version = version.map_or(0, |version| version.0);
    if let Some(Mismatch { prediction, label }) = before {
        let mut take = connection.prepare_cached(
            "UPDATE label_mismatches SET count = max(count - 1, 0) WHERE version_key = ?1 AND prediction = ?2 AND label = ?3",
        )?;
        take.execute(params![version, prediction.as_str(), label.as_str()])?;
    }
    if let Some(Mismatch { prediction, label }) = mismatch {
        let mut count = connection.prepare_cached(
            "INSERT INTO label_mismatches VALUES (?1, ?2, ?3, 1, ?4) ON CONFLICT (version_key, prediction, label) \
             DO UPDATE SET count = count + 1, last_at = max(last_at, excluded.last_at)",
        )?;
        count.execute(params![
            version,
            prediction.as_str(),
            label.as_str(),
            now.micros()
        ])?;
    }
    Ok(())
}

impl Store {
    /// How predictions of a model and their labels go together, by version: of the newest ones, at most `limit`. A class is
    /// named by its JSON. Only answers of the chosen version count.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn confusion(
        &self,
        query: ConfusionQuery,
    ) -> Result<Vec<(VersionKey, Confusion)>, StoreError> {
        self.read(move |connection| {
            let order = |time| PredictionId::order_at(time) as i64;
            let mut select = connection.prepare_cached(
                "SELECT p.version_key, p.prediction, f.label, f.value FROM feedback f \
                 CROSS JOIN predictions p ON p.prediction_order = f.prediction_order \
                 JOIN versions v ON v.version_key = p.version_key \
                 WHERE f.metric = 'correct' AND f.label IS NOT NULL AND p.prediction IS NOT NULL AND p.status = 0 \
                 AND v.name = ?1 AND v.deleted_at IS NULL \
                 AND f.prediction_order >= ?2 AND f.prediction_order < ?3 \
                 ORDER BY f.prediction_order DESC LIMIT ?4",
            )?;
            let range = query.range;
            let mut rows = select.query(params![
                query.name.as_str(),
                range.since.map_or(0, order),
                range.until.map_or(i64::MAX, order),
                query.limit as i64,
            ])?;
            // By the rule of labels: 1 and 1.0 are the same class. There are few classes, and many rows of each.
            let mut known: HashMap<String, bool> = HashMap::new();
            let mut is_positive = |text: &str| match known.get(text) {
                Some(known) => *known,
                None => {
                    let same = labels::are_same(text, &query.positive);
                    if known.len() < 1000 {
                        known.insert(text.to_owned(), same);
                    }
                    same
                }
            };
            let mut found: HashMap<VersionKey, Confusion> = HashMap::new();
            while let Some(row) = rows.next()? {
                let counts = found.entry(VersionKey(row.get(0)?)).or_default();
                let text = |at| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
                let (predicted, label) = (is_positive(text(1)?), is_positive(text(2)?));
                let right = row.get::<_, f64>(3)? != 0.0;
                match (predicted, label) {
                    (_, true) if right => counts.true_positives += 1,
                    (_, true) => counts.false_negatives += 1,
                    (true, false) if right => counts.true_positives += 1,
                    (true, false) => counts.false_positives += 1,
                    (false, false) => counts.true_negatives += 1,
                }
            }
            Ok(found.into_iter().collect())
        })
        .await
    }

    /// Labels that could never equal a prediction, by version and types, since a moment.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn label_mismatches(
        &self,
        since: Timestamp,
    ) -> Result<Vec<CountedMismatch>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT version_key, prediction, label, count, last_at FROM label_mismatches WHERE last_at >= ?1 AND count > 0 \
                 ORDER BY last_at DESC",
            )?;
            let rows = select.query_map([since.micros()], |row| {
                Ok(CountedMismatch {
                    version: VersionKey(row.get("version_key")?),
                    mismatch: Mismatch {
                        prediction: row.parsed("prediction", str::parse)?,
                        label: row.parsed("label", str::parse)?,
                    },
                    count: row.count("count")?,
                    last_at: row.time("last_at")?,
                })
            })?;
            Ok(rows.collect::<Result<_, rusqlite::Error>>()?)
        })
        .await
    }
}

/// Forgets the label of a prediction; what it was worth stays. Says how many there were.
pub(super) fn forget_labels(connection: &Connection, order: i64) -> Result<usize, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT metric, value, received_at, event, server_key, position, in_time, apart FROM feedback \
         WHERE prediction_order = ?1 AND label IS NOT NULL",
    )?;
    let mut update = connection.prepare_cached(
        "UPDATE feedback SET label = NULL, row_hash = ?3 WHERE prediction_order = ?1 AND metric = ?2",
    )?;
    let mut rows = select.query([order])?;
    let mut changed: Vec<(String, i64)> = Vec::new();
    while let Some(row) = rows.next()? {
        let metric: String = row.get("metric")?;
        let without = FeedbackRow {
            order,
            metric: &metric,
            value: row.get("value")?,
            label: None,
            received_at: row.get("received_at")?,
            event: row.get("event")?,
            in_time: row.get("in_time")?,
            apart: row.get("apart")?,
            origin: Origin::read(row)?,
        };
        let hash = without.hash();
        changed.push((metric, hash));
    }
    drop(rows);
    for (metric, hash) in &changed {
        update.execute(params![order, metric, hash])?;
    }
    Ok(changed.len())
}

/// Rows of feedback that are not what was written; those of releases that made no hashes are passed over.
pub(super) fn changed_rows(
    connection: &Connection,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let mut select = connection.prepare(
        "SELECT prediction_order, metric, value, label, received_at, event, server_key, position, row_hash, in_time, apart \
         FROM feedback WHERE row_hash IS NOT NULL",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let hash = |row: &Row<'_>| -> rusqlite::Result<i64> {
            let stored = FeedbackRow {
                order: row.get("prediction_order")?,
                metric: row.get_ref("metric")?.as_str()?,
                value: row.get("value")?,
                label: row.get_ref("label")?.as_str_or_null()?,
                received_at: row.get("received_at")?,
                event: row.get("event")?,
                in_time: row.get("in_time")?,
                apart: row.get("apart")?,
                origin: Origin::read(row)?,
            };
            Ok(stored.hash())
        };
        if hash(row).ok() != row.get("row_hash").ok() {
            let id = PredictionId::new(row.bits("prediction_order")?, 0);
            report.changed(format_args!("feedback for the prediction {id}"));
        }
    }
    Ok(())
}
