//! What logged choices earned, added up for the evaluation of other policies.

use super::predictions::{MEASURED, id_of, measured, reason_of};
use super::row::corrupt;
use crate::StoreError;
use rusqlite::{Connection, Row, params};
use std::collections::BTreeMap;
use types::{
    BuiltIn, LoggedGroup, MetricName, ModelName, PredictionId, Reason, TimeRange, Timestamp,
    VersionKey,
};

/// What predictions of a group have in common: the period, the epoch, the reason, the version and the propensity.
type Alike = (i64, i64, Reason, VersionKey, u64);

pub(in crate::sqlite) fn groups(
    connection: &mut Connection,
    name: &ModelName,
    metric: &MetricName,
    range: TimeRange,
    period_ms: i64,
) -> Result<Vec<LoggedGroup>, StoreError> {
    let order = |time| PredictionId::order_at(time) as i64;
    let since = range.since.map_or(0, order);
    let until = range.until.map_or(i64::MAX, order);
    let mut select = connection.prepare_cached(&format!(
        "SELECT p.prediction_order, p.random, p.epoch, p.reason, p.version_key, p.propensity, {MEASURED}, f.value \
         FROM predictions p JOIN versions v USING (version_key) \
         LEFT JOIN feedback f ON f.prediction_order = p.prediction_order AND f.metric = ?4 \
         WHERE v.name = ?1 AND v.deleted_at IS NULL AND p.prediction_order >= ?2 AND p.prediction_order < ?3"
    ))?;
    let mut rows = select.query(params![name.as_str(), since, until, metric.as_str()])?;
    let built_in = BuiltIn::find(metric.as_str()).filter(|metric| *metric != BuiltIn::Correct);
    let mut groups: BTreeMap<Alike, LoggedGroup> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        // `verify` names those that cannot be read.
        let Ok((value, new)) = read(row, built_in, range.since, period_ms) else {
            continue;
        };
        let reason = new.reason;
        let weighable = reason.is_weighable(new.propensity);
        let Some(value) = value.filter(|_| weighable) else {
            continue;
        };
        let alike = (
            new.period,
            new.epoch,
            reason,
            new.version,
            new.propensity.to_bits(),
        );
        let group = groups.entry(alike).or_insert(new);
        group.n += 1;
        group.sum += value;
        group.sum_squares += value * value;
    }
    Ok(groups.into_values().collect())
}

/// The value of a row, and its group without anything in it.
fn read(
    row: &Row<'_>,
    built_in: Option<BuiltIn>,
    since: Option<Timestamp>,
    period_ms: i64,
) -> Result<(Option<f64>, LoggedGroup), StoreError> {
    let value = match built_in {
        // `slow` has no value here: its objective is an experiment's.
        Some(built_in) => built_in.value_of(measured(row)?, None),
        None => row.get("value")?,
    };
    let milliseconds = |time: Timestamp| time.micros().div_euclid(1000);
    let passed = milliseconds(id_of(row)?.time()) - since.map_or(0, milliseconds);
    let group = LoggedGroup {
        period: passed / period_ms.max(1),
        epoch: row.get("epoch")?,
        reason: reason_of(row.get("reason")?).ok_or_else(|| corrupt("reason"))?,
        version: VersionKey(row.get("version_key")?),
        propensity: row.get("propensity")?,
        n: 0,
        sum: 0.0,
        sum_squares: 0.0,
    };
    Ok((value, group))
}
