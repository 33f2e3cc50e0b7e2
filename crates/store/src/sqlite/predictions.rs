//! Predictions as rows.

use super::catalog::first_readable;
use super::hash::PredictionRow;
use super::journal_state::Origin;
use super::request_ids::{Place, REQUESTED, WaitingIds};
use super::row::{ByName, InOrder, corrupt};
use super::{Store, request_ids, rollups};
use crate::entry::PredictionEntry;
use crate::{
    ByAttributes, LoggedPrediction, PredictionFilter, RequestQuery, Rollup, StoreError, Tier,
    VersionTotals, request_number,
};
use evidence::Sample;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};
use std::collections::BTreeMap;
use types::{
    Attributes, Failure, Input, Kept, Measured, ModelName, PredictionId, Reason, RequestId,
    RequestKey, Status, TimeRange, Timestamp, VersionKey, VersionName,
};

impl Store {
    /// Of the orders of predictions up to a limit the greatest, and of those beyond it the least and the greatest; fewer where there
    /// are none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn newest_orders(&self, limit: u64) -> Result<Vec<u64>, StoreError> {
        self.read(move |connection| newest_orders(connection, limit))
            .await
    }

    /// Writes a row that says nothing, to see whether writing works.
    ///
    /// # Errors
    /// When it does not.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let write = |transaction: &Transaction<'_>| {
            transaction.execute("UPDATE state SET probes = probes + 1", [])?;
            Ok(())
        };
        self.change(write).await
    }
}

/// Of the orders up to a limit the greatest, and of those beyond it the least and the greatest.
pub(in crate::sqlite) fn newest_orders(
    connection: &mut Connection,
    limit: u64,
) -> Result<Vec<u64>, StoreError> {
    let mut select = connection.prepare(
        "SELECT max(prediction_order) FROM predictions WHERE prediction_order <= ?1 \
         UNION ALL SELECT min(prediction_order) FROM predictions WHERE prediction_order > ?1 \
         UNION ALL SELECT max(prediction_order) FROM predictions WHERE prediction_order > ?1",
    )?;
    let rows = select.query_map([limit as i64], |row| row.get::<_, Option<i64>>(0))?;
    let found: Vec<Option<i64>> = rows.collect::<Result<_, _>>()?;
    Ok(found
        .into_iter()
        .flatten()
        .map(|order| order as u64)
        .collect())
}

pub(in crate::sqlite) fn newest_order(connection: &mut Connection) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(max(prediction_order), 0) FROM predictions";
    Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))? as u64)
}

pub(in crate::sqlite) fn totals(
    connection: &mut Connection,
    range: TimeRange,
) -> Result<Vec<VersionTotals>, StoreError> {
    let transaction = connection.transaction()?;
    Ok(each(rollups::totals(&transaction, range)?))
}

/// Sums of predictions whose attributes meet a condition, which have no roll-ups: all of them are read.
pub(in crate::sqlite) fn totals_by_attributes(
    connection: &mut Connection,
    query: &ByAttributes,
) -> Result<(Vec<VersionTotals>, Option<Timestamp>), StoreError> {
    let order = |time| PredictionId::order_at(time) as i64;
    let mut select = connection.prepare_cached(&format!(
        "SELECT p.prediction_order, p.version_key, p.attributes, p.kept, {MEASURED}, f.value FROM predictions p \
         CROSS JOIN versions v ON v.version_key = p.version_key \
         LEFT JOIN feedback f ON f.prediction_order = p.prediction_order AND f.metric = 'correct' \
         WHERE v.deleted_at IS NULL AND p.prediction_order >= ?1 AND p.prediction_order < ?2 \
         AND (?3 IS NULL OR v.name = ?3) ORDER BY p.prediction_order DESC"
    ))?;
    let range = query.range;
    let mut rows = select.query(params![
        range.since.map_or(0, order),
        range.until.map_or(i64::MAX, order),
        query.name.as_ref().map(ModelName::as_str),
    ])?;
    let mut totals: BTreeMap<VersionKey, Rollup> = BTreeMap::new();
    let mut oldest = None;
    let mut left = query.limit;
    while let Some(row) = rows.next()? {
        if left == 0 {
            return Ok((each(totals), oldest));
        }
        left -= 1;
        oldest = Some(PredictionId::new(row.bits("prediction_order")?, 0).time());
        // What is not there meets no condition, and does not fail to meet one either.
        if !kept_of(row).is_ok_and(|kept| kept.attributes.is_there()) {
            continue;
        }
        // `verify` names those that cannot be read.
        let attributes: Option<Attributes> = row.json_option("attributes").ok().flatten();
        if !query.condition.is_met(&attributes.unwrap_or_default()) {
            continue;
        }
        if let Ok(measured) = measured(row) {
            let rollup = totals
                .entry(VersionKey(row.get("version_key")?))
                .or_default();
            rollup.add(&Sample::new(measured));
            rollup.add_label(row.get("value")?);
        }
    }
    Ok((each(totals), None))
}

fn each(totals: impl IntoIterator<Item = (VersionKey, Rollup)>) -> Vec<VersionTotals> {
    let each = |(version, rollup)| VersionTotals { version, rollup };
    totals.into_iter().map(each).collect()
}

pub(in crate::sqlite) fn find(
    connection: &mut Connection,
    id: PredictionId,
) -> Result<Option<LoggedPrediction>, StoreError> {
    let sql = format!("{SELECT} AND p.prediction_order = ?1 AND p.random = ?2");
    let mut select = connection.prepare_cached(&sql)?;
    let key = params![id.order() as i64, id.random() as i64];
    Ok(select.query_row(key, read_row).optional()?)
}

const INSERT: &str = "INSERT INTO predictions (prediction_order, random, version_key, served_key, \
     status, reason, epoch, propensity, unit_id, input_kind, input, prediction, confidence, \
     latency_ns, error, experiment_key, server_key, position, attributes, alias, request_id, request_body, \
     made_at, failure, outputs, kept) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)";

pub(super) fn insert(connection: &Connection, p: &PredictionRow<'_>) -> Result<(), StoreError> {
    let (server_key, position) = p.origin.map(|o| (o.server_key, o.position)).unzip();
    connection.prepare_cached(INSERT)?.execute(params![
        p.order,
        p.random,
        p.version,
        p.served,
        p.status,
        p.reason,
        p.epoch,
        p.propensity,
        p.unit_id,
        p.input_kind,
        p.input,
        p.prediction,
        p.confidence,
        p.latency_ns,
        p.error,
        p.experiment,
        server_key,
        position,
        p.attributes,
        p.alias,
        p.request.map(|(id, _)| id),
        p.request.map(|(_, body)| body),
        p.made_at,
        p.failure,
        p.outputs,
        p.kept,
    ])?;
    Ok(())
}

/// The row of a prediction.
pub(super) fn row_of<'a>(prediction: &PredictionEntry<'a>, origin: Origin) -> PredictionRow<'a> {
    let p = prediction;
    PredictionRow {
        order: p.id.order() as i64,
        random: p.id.random() as i64,
        version: p.version.0,
        served: p.served.map(|served| served.0),
        status: status_code(p.status()),
        reason: reason_code(p.reason),
        epoch: p.epoch,
        propensity: p.propensity,
        unit_id: p.unit_id,
        input_kind: i64::from(!p.is_text),
        input: p.input,
        prediction: p.prediction,
        confidence: p.confidence,
        latency_ns: p.latency_ns.map_or(UNTIMED, |latency| latency as i64),
        error: p.error,
        experiment: p.experiment.map(|experiment| experiment.0),
        origin: Some(origin),
        attributes: p.attributes,
        alias: p.alias,
        request: p.request.map(|(id, body)| (id, body as i64)),
        made_at: p.made_at.map(Timestamp::micros),
        failure: p.failure.map(Failure::as_str),
        outputs: p.outputs,
        kept: kept_code(p.kept),
    }
}

/// How far the removal of a deleted version has come: everything up to this order is done.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct PurgeCursor {
    version: i64,
    order: i64,
}

/// Removes what a deleted version left behind among the next `chunk` predictions; says whether there
/// may be more to remove. Beginning again from the start is always right.
pub(super) fn purge(
    transaction: &Transaction<'_>,
    cursor: &mut PurgeCursor,
    chunk: usize,
    removed: &mut Vec<Place>,
) -> Result<bool, StoreError> {
    let deleted = transaction
        .query_row(
            "SELECT version_key, deleted_at FROM versions \
             WHERE deleted_at IS NOT NULL AND purged_at IS NULL LIMIT 1",
            [],
            |row| {
                Ok((
                    row.get::<_, i64>("version_key")?,
                    row.get::<_, i64>("deleted_at")?,
                ))
            },
        )
        .optional()?;
    let Some((version, deleted_at)) = deleted else {
        return Ok(false);
    };
    // Another version may have been deleted since the last chunk.
    if cursor.version != version {
        *cursor = PurgeCursor { version, order: -1 };
    }
    transaction.execute("DELETE FROM rollups WHERE version_key = ?1", [version])?;
    if super::shadows::purge(transaction, version, chunk)? {
        return Ok(true);
    }
    let last = transaction
        .query_row(
            "SELECT prediction_order FROM predictions WHERE prediction_order > ?1 \
             ORDER BY prediction_order LIMIT 1 OFFSET ?2",
            params![cursor.order, chunk as i64 - 1],
            |row| row.get::<_, i64>("prediction_order"),
        )
        .optional()?;
    let range = params![cursor.order, last.unwrap_or(i64::MAX), version];
    transaction.execute(
        "DELETE FROM feedback WHERE prediction_order > ?1 AND prediction_order <= ?2 \
         AND prediction_order IN (SELECT prediction_order FROM predictions \
          WHERE prediction_order > ?1 AND prediction_order <= ?2 AND version_key = ?3)",
        range,
    )?;
    let orders = (cursor.order, last.unwrap_or(i64::MAX));
    *removed = request_ids::remove(transaction, version, orders)?;
    transaction.execute(
        "DELETE FROM predictions WHERE prediction_order > ?1 AND prediction_order <= ?2 \
         AND version_key = ?3",
        range,
    )?;
    cursor.order = last.unwrap_or(i64::MAX);
    if last.is_none() {
        transaction.execute(
            "UPDATE versions SET purged_at = ?2 WHERE version_key = ?1",
            [version, deleted_at],
        )?;
    }
    Ok(true)
}

// [`read_row`] reads these columns in this order. `CROSS JOIN` has SQLite read the predictions in the order of their key.
pub(super) const SELECT: &str = "SELECT p.prediction_order, p.random, v.name, v.model_id, v.version, \
     s.model_id AS served_model_id, p.status, p.reason, p.epoch, p.propensity, p.unit_id, p.input_kind, p.input, \
     p.prediction, p.confidence, p.latency_ns, p.error, e.experiment_id, p.position, p.attributes, p.alias, p.request_id, p.request_body, p.made_at, p.failure, p.outputs, p.kept \
     FROM predictions p CROSS JOIN versions v ON v.version_key = p.version_key \
     LEFT JOIN versions s ON s.version_key = p.served_key \
     LEFT JOIN experiments e ON e.experiment_key = p.experiment_key \
     WHERE v.deleted_at IS NULL";

pub(super) fn list(
    connection: &mut Connection,
    filter: &PredictionFilter,
) -> Result<Vec<LoggedPrediction>, StoreError> {
    let transaction = connection.transaction()?;
    let limit = filter.limit as usize;
    let window = Orders::of(filter);
    let mut restrictions = Restrictions::default();
    restrictions.versions(filter);
    if restrictions.is_empty() && filter.status.is_none() {
        return select(&transaction, filter, window, limit);
    }
    let mut found = Vec::new();
    for hour in hours(&transaction, filter, window)? {
        let hour = window.within(Tier::Hour, hour);
        found.extend(select(&transaction, filter, hour, limit - found.len())?);
        if found.len() == limit {
            break;
        }
    }
    Ok(found)
}

/// A range of orders: from `first`, inclusive, to `end`, exclusive.
#[derive(Clone, Copy)]
struct Orders {
    first: i64,
    end: i64,
}

impl Orders {
    fn of(filter: &PredictionFilter) -> Self {
        let order = |time| PredictionId::order_at(time) as i64;
        let until = filter.range.until.map(order);
        let before = filter.before.map(|id| id.order() as i64);
        Self {
            first: filter.range.since.map_or(0, order),
            end: until.into_iter().chain(before).min().unwrap_or(i64::MAX),
        }
    }

    /// The part of it in a bucket that begins at `start`.
    fn within(self, tier: Tier, start: i64) -> Self {
        let order = |seconds: i64| {
            PredictionId::order_at(Timestamp::from_micros(seconds * 1_000_000)) as i64
        };
        Self {
            first: self.first.max(order(start)),
            end: self
                .end
                .min(order(start + tier.seconds().unwrap_or_default())),
        }
    }
}

/// Conditions, each with its value.
#[derive(Default)]
struct Restrictions {
    sql: String,
    values: Vec<Sql>,
}

impl Restrictions {
    fn add(&mut self, condition: &str, value: Sql) {
        self.values.push(value);
        self.sql
            .push_str(&format!(" AND {condition} ?{}", self.values.len()));
    }

    fn versions(&mut self, filter: &PredictionFilter) {
        if let Some(name) = &filter.name {
            self.add("v.name =", Sql::Text(name.to_string()));
        }
        if let Some(version) = &filter.version {
            self.add("v.version =", Sql::Text(version.to_string()));
        }
        if let Some(model_id) = filter.model_id {
            self.add("v.model_id =", Sql::Text(model_id.to_string()));
        }
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// The hours in which something fits, newest first, in seconds: without them, a search for what is
/// rare would read all that is not.
fn hours(
    transaction: &Transaction<'_>,
    filter: &PredictionFilter,
    window: Orders,
) -> Result<Vec<i64>, StoreError> {
    let mut restrictions = Restrictions::default();
    restrictions.versions(filter);
    let hour_of = |order: i64| Tier::Hour.start_of(PredictionId::new(order as u64, 0).time());
    let tier = Tier::Hour.code();
    restrictions.add("r.tier =", Sql::Integer(tier));
    restrictions.add("r.start >=", Sql::Integer(hour_of(window.first)));
    if window.end < i64::MAX {
        restrictions.add("r.start <=", Sql::Integer(hour_of(window.end)));
    }
    let some = match filter.status {
        None => "r.count > 0",
        Some(Status::Ok) => "r.count > r.errors + r.fallbacks + r.rejected",
        Some(Status::Fallback) => "r.fallbacks > 0",
        Some(Status::Error) => "r.errors > 0",
        Some(Status::Rejected) => "r.rejected > 0",
    };
    let sql = format!(
        "SELECT DISTINCT r.start FROM rollups r JOIN versions v USING (version_key) \
         WHERE v.deleted_at IS NULL AND {some}{} ORDER BY r.start DESC",
        restrictions.sql
    );
    let mut select = transaction.prepare(&sql)?;
    let rows = select.query_map(params_from_iter(restrictions.values), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn select(
    transaction: &Transaction<'_>,
    filter: &PredictionFilter,
    orders: Orders,
    limit: usize,
) -> Result<Vec<LoggedPrediction>, StoreError> {
    let mut restrictions = Restrictions::default();
    restrictions.versions(filter);
    if let Some(status) = filter.status {
        restrictions.add("p.status =", Sql::Integer(status_code(status)));
    }
    restrictions.add("p.prediction_order >=", Sql::Integer(orders.first));
    restrictions.add("p.prediction_order <", Sql::Integer(orders.end));
    let mut select = transaction.prepare_cached(&format!(
        "{SELECT}{} ORDER BY p.prediction_order DESC",
        restrictions.sql
    ))?;
    let rows = select.query_map(params_from_iter(restrictions.values), read_row)?;
    first_readable(rows, limit)
}

/// Reads the columns of [`SELECT`], in its order.
pub(super) fn read_row(row: &Row<'_>) -> rusqlite::Result<LoggedPrediction> {
    let mut row = InOrder::new(row);
    Ok(LoggedPrediction {
        id: PredictionId::new(row.bits()?, row.bits()?),
        name: row.parsed(ModelName::parse)?,
        model_id: row.parsed(str::parse)?,
        version: row.parsed(VersionName::parse)?,
        served_model_id: row.parsed_option(str::parse)?,
        status: status_of(row.get()?).map_err(|_| row.corrupt())?,
        reason: reason_of(row.get()?).ok_or_else(|| row.corrupt())?,
        epoch: row.get()?,
        propensity: row.get()?,
        unit_id: row.get()?,
        input: match row.get()? {
            0i64 => Input::Text(row.get()?),
            _ => Input::Json(row.parsed(|text| serde_json::from_str(text))?),
        },
        prediction: row.json_option()?,
        confidence: row.get()?,
        latency_ns: Some(row.get()?)
            .filter(|latency| *latency != UNTIMED)
            .map(|latency: i64| latency as u64),
        error: row.get()?,
        experiment_id: row.parsed_option(str::parse)?,
        position: row.get::<Option<i64>>()?.map(|position| position as u64),
        attributes: row.json_option()?.unwrap_or_default(),
        alias: row.get()?,
        request: request_of(&mut row)?,
        made_at: row.get::<Option<i64>>()?.map(Timestamp::from_micros),
        failure: row.parsed_option(types::find_word)?,
        outputs: row.json_option()?,
        kept: kept_of_code(row.get()?).ok_or_else(|| row.corrupt())?,
    })
}

fn request_of(row: &mut InOrder<'_>) -> rusqlite::Result<Option<RequestKey>> {
    let id = row.parsed_option(RequestId::parse)?;
    let body: Option<i64> = row.get()?;
    match (id, body) {
        (None, _) => Ok(None),
        (Some(id), Some(body)) => Ok(Some(RequestKey {
            id,
            body: body as u64,
        })),
        (Some(_), None) => Err(row.corrupt()),
    }
}

/// What a request became: the attempt that asked the same, where that is asked for, else the one that was answered, else
/// the first one.
pub(in crate::sqlite) fn of_request(
    connection: &mut Connection,
    query: &RequestQuery,
    waiting: &WaitingIds,
) -> Result<Option<LoggedPrediction>, StoreError> {
    let id = query.id.as_str();
    let number = request_number(id);
    let orders = waiting.orders(number);
    let sql = format!(
        "{SELECT} AND p.prediction_order IN {REQUESTED} AND p.request_id = ?3 AND v.name = ?4 AND p.prediction_order >= ?5 \
         ORDER BY p.request_body IS NOT ?6, p.served_key IS NULL, p.prediction_order LIMIT 1"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let since = PredictionId::order_at(query.since) as i64;
    let body = query.body.map(|body| body as i64);
    let key = params![number, orders, id, query.name.as_str(), since, body];
    Ok(select.query_row(key, read_row).optional()?)
}

/// Numbers of the requests after an order, and the order of the last one.
pub(in crate::sqlite) fn request_numbers(
    connection: &mut Connection,
    (after, limit): (u64, usize),
) -> Result<Vec<(u64, i64)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT p.prediction_order, p.request_id FROM predictions p CROSS JOIN versions v ON v.version_key = p.version_key WHERE v.deleted_at IS NULL \
         AND p.prediction_order > ?1 AND p.request_id IS NOT NULL ORDER BY p.prediction_order LIMIT ?2",
    )?;
    let rows = select.query_map(params![after as i64, limit as i64], |row| {
        let id: String = row.get("request_id")?;
        Ok((row.bits("prediction_order")?, request_number(&id)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn id_of(row: &Row<'_>) -> rusqlite::Result<PredictionId> {
    Ok(PredictionId::new(
        row.bits("prediction_order")?,
        row.bits("random")?,
    ))
}

/// How much of a prediction is there, as its row says it.
pub(super) fn kept_code(kept: Kept) -> Option<i64> {
    (!kept.is_full()).then(|| kept.code() as i64)
}

/// The same as it is read.
pub(super) fn kept_of(row: &Row<'_>) -> rusqlite::Result<Kept> {
    kept_of_code(row.get("kept")?).ok_or_else(|| corrupt("kept"))
}

fn kept_of_code(code: Option<i64>) -> Option<Kept> {
    Kept::of_code(u64::try_from(code.unwrap_or(0)).ok()?)
}

/// What stands in place of a latency that nobody measured.
pub(super) const UNTIMED: i64 = -1;

fn latency_of(row: &Row<'_>) -> rusqlite::Result<Option<u64>> {
    let latency: i64 = row.get("latency_ns")?;
    Ok((latency != UNTIMED).then_some(latency as u64))
}

/// The columns that [`measured`] reads.
pub(super) const MEASURED: &str = "p.status, p.confidence, p.latency_ns";

/// What built-in metrics are made of.
pub(super) fn measured(row: &Row<'_>) -> Result<Measured, StoreError> {
    Ok(Measured {
        status: status_of(row.get("status")?)?,
        latency_ns: latency_of(row)?,
        confidence: row.get("confidence")?,
    })
}

pub(super) fn status_code(status: Status) -> i64 {
    match status {
        Status::Ok => 0,
        Status::Fallback => 1,
        Status::Error => 2,
        Status::Rejected => 3,
    }
}

pub(super) fn status_of(code: i64) -> Result<Status, StoreError> {
    let mut all = Status::ALL.iter().copied();
    let found = all.find(|status| status_code(*status) == code);
    found.ok_or_else(|| StoreError::Corrupt(format!("status {code} of a prediction")))
}

pub(super) fn reason_code(reason: Reason) -> i64 {
    match reason {
        Reason::Weights => 0,
        Reason::Pinned => 1,
        Reason::Experiment => 2,
        Reason::Held => 3,
        Reason::Rule => 4,
        Reason::Retry => 5,
        Reason::Observed => 6,
    }
}

pub(super) fn reason_of(code: i64) -> Option<Reason> {
    let mut all = Reason::ALL.iter().copied();
    all.find(|reason| reason_code(*reason) == code)
}
