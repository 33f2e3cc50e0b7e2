//! What versions made of copies of requests, as rows, beside the predictions that they mirror.

use super::journal_state::Origin;
use super::predictions::{UNTIMED, status_of};
use super::row::{ByName, corrupt};
use crate::StoreError;
use crate::entry::PredictionEntry;
use crate::log::{ShadowAnswer, ShadowOf, ShadowPair, ShadowQuery};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Transaction, params};
use types::{PredictionId, Status, VersionKey};

pub(super) fn insert(
    connection: &Connection,
    shadow: &PredictionEntry<'_>,
    mirrors: PredictionId,
    origin: Origin,
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO shadows (shadow_order, random, version_key, mirrors_order, share, prediction, confidence, \
         outputs, latency_ns, error, rejected, server_key, position) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    insert.execute(params![
        shadow.id.order() as i64,
        shadow.id.random() as i64,
        shadow.version.0,
        mirrors.order() as i64,
        shadow.propensity,
        shadow.prediction,
        shadow.confidence,
        shadow.outputs,
        shadow.latency_ns.map_or(UNTIMED, |latency| latency as i64),
        shadow.error,
        shadow.rejected,
        origin.server_key,
        origin.position,
    ])?;
    Ok(())
}

/// Removes some of those of a deleted version; says whether there may be more.
pub(super) fn purge(t: &Transaction<'_>, version: i64, chunk: usize) -> Result<bool, StoreError> {
    let removed = t.execute(
        "DELETE FROM shadows WHERE shadow_order IN \
         (SELECT shadow_order FROM shadows WHERE version_key = ?1 LIMIT ?2)",
        params![version, chunk as i64],
    )?;
    Ok(removed == chunk)
}

pub(super) fn pairs(
    connection: &Connection,
    query: &ShadowQuery,
) -> Result<Vec<ShadowPair>, StoreError> {
    let order = |time| PredictionId::order_at(time) as i64;
    let mut select = connection.prepare_cached(
        "SELECT p.prediction_order, p.random, p.version_key, p.served_key, p.status, p.prediction, p.confidence, p.latency_ns, \
         s.prediction AS made, s.confidence AS sure, s.latency_ns AS took, s.error, s.rejected, f.label \
         FROM shadows s CROSS JOIN predictions p ON p.prediction_order = s.mirrors_order \
         LEFT JOIN feedback f ON f.prediction_order = p.prediction_order AND f.metric = 'correct' \
         WHERE s.version_key = ?1 AND s.shadow_order >= ?2 AND s.shadow_order < ?3 \
         AND (?5 IS NULL OR p.experiment_key = ?5) \
         ORDER BY s.shadow_order DESC LIMIT ?4",
    )?;
    let range = query.range;
    let rows = select.query_map(
        params![
            query.version.0,
            range.since.map_or(0, order),
            range.until.map_or(i64::MAX, order),
            query.limit as i64,
            query.experiment.map(|experiment| experiment.0),
        ],
        read,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What versions made of their copies of one request.
pub(super) fn of(
    connection: &Connection,
    mirrored: PredictionId,
) -> Result<Vec<ShadowOf>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT version_key, prediction AS made, confidence AS sure, latency_ns AS took, error, rejected \
         FROM shadows WHERE mirrors_order = ?1 ORDER BY shadow_order",
    )?;
    let rows = select.query_map([mirrored.order() as i64], |row| {
        Ok(ShadowOf {
            version: VersionKey(row.get("version_key")?),
            answer: made(row)?,
            error: row.get("error")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn took(row: &Row<'_>, name: &str) -> rusqlite::Result<Option<u64>> {
    row.get::<_, i64>(name)
        .map(|latency| u64::try_from(latency).ok())
}

/// What a version made of its copy.
fn made(row: &Row<'_>) -> rusqlite::Result<ShadowAnswer> {
    Ok(ShadowAnswer {
        // What was answered may not be kept, what went wrong always leaves something.
        status: match (row.get_ref("error")?, row.get::<_, bool>("rejected")?) {
            (ValueRef::Null, _) => Status::Ok,
            (_, true) => Status::Rejected,
            (_, false) => Status::Error,
        },
        prediction: row.json_option("made")?,
        confidence: row.get("sure")?,
        latency_ns: took(row, "took")?,
    })
}

fn read(row: &Row<'_>) -> rusqlite::Result<ShadowPair> {
    Ok(ShadowPair {
        mirrors: PredictionId::new(row.bits("prediction_order")?, row.bits("random")?),
        chosen: VersionKey(row.get("version_key")?),
        served: row.get::<_, Option<i64>>("served_key")?.map(VersionKey),
        answer: ShadowAnswer {
            status: status_of(row.get("status")?).map_err(|_| corrupt("status"))?,
            prediction: row.json_option("prediction")?,
            confidence: row.get("confidence")?,
            latency_ns: took(row, "latency_ns")?,
        },
        shadow: made(row)?,
        label: row.json_option("label")?,
    })
}
