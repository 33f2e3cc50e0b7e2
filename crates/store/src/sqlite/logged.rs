//! What logged choices earned, added up for the evaluation of other policies.

use super::predictions::{MEASURED, id_of, measured, reason_of};
use super::row::corrupt;
use crate::{PARTS, StoreError, part_of};
use evidence::{Came, matured_worth};
use rusqlite::{Connection, Row, params};
use std::collections::BTreeMap;
use types::{
    LoggedGroup, Metric, ModelName, PredictionId, Reason, TimeRange, Timestamp, VersionKey,
};

/// What predictions of a group have in common: the period, the epoch, the reason, the version, the propensity and the part.
type Alike = (i64, i64, Reason, VersionKey, u64, u32);

/// Groups in memory, beyond which parts are put together.
const MOST_GROUPS: usize = 2_000_000;

pub(in crate::sqlite) fn groups(
    connection: &mut Connection,
    name: &ModelName,
    metric: &Metric,
    range: TimeRange,
    period_ms: i64,
) -> Result<Vec<LoggedGroup>, StoreError> {
    let order = |time| PredictionId::order_at(time) as i64;
    let since = range.since.map_or(0, order);
    let until = range.until.map_or(i64::MAX, order);
    let mut select = connection.prepare_cached(&format!(
        "SELECT p.prediction_order, p.random, p.epoch, p.reason, p.version_key, p.propensity, p.unit_id, \
         {MEASURED}, f.value, f.received_at, f.in_time \
         FROM predictions p JOIN versions v USING (version_key) \
         LEFT JOIN feedback f ON f.prediction_order = p.prediction_order AND f.metric = ?4 AND f.apart = 0 \
         WHERE v.name = ?1 AND v.deleted_at IS NULL AND p.prediction_order >= ?2 AND p.prediction_order < ?3"
    ))?;
    let mut rows = select.query(params![name.as_str(), since, until, metric.name.as_str()])?;
    let mut groups: BTreeMap<Alike, LoggedGroup> = BTreeMap::new();
    let mut parts = PARTS;
    while let Some(row) = rows.next()? {
        // `verify` names those that cannot be read.
        let Ok((value, new)) = read(row, metric, range.since, period_ms) else {
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
            new.part % parts,
        );
        let group = groups.entry(alike).or_insert(LoggedGroup {
            part: new.part % parts,
            ..new
        });
        group.n += 1;
        group.sum += value;
        group.sum_squares += value * value;
        if groups.len() > MOST_GROUPS && parts > 1 {
            parts /= 2;
            groups = folded(groups, parts);
        }
    }
    Ok(groups.into_values().collect())
}

/// The same in fewer parts.
fn folded(groups: BTreeMap<Alike, LoggedGroup>, parts: u32) -> BTreeMap<Alike, LoggedGroup> {
    let mut fewer: BTreeMap<Alike, LoggedGroup> = BTreeMap::new();
    for ((period, epoch, reason, version, propensity, part), group) in groups {
        let part = part % parts;
        let into = fewer
            .entry((period, epoch, reason, version, propensity, part))
            .or_insert(LoggedGroup {
                part,
                n: 0,
                sum: 0.0,
                sum_squares: 0.0,
                ..group
            });
        into.n += group.n;
        into.sum += group.sum;
        into.sum_squares += group.sum_squares;
    }
    fewer
}

/// The value of a row, and its group without anything in it.
fn read(
    row: &Row<'_>,
    metric: &Metric,
    since: Option<Timestamp>,
    period_ms: i64,
) -> Result<(Option<f64>, LoggedGroup), StoreError> {
    let id = id_of(row)?;
    let value = match metric.built_in().filter(|_| !metric.from_feedback()) {
        // `slow` has no value here: its objective is an experiment's.
        Some(built_in) => built_in.value_of(measured(row)?, None),
        None => matured_worth(metric, id.time(), came(row)?),
    };
    let unit_id: Option<String> = row.get("unit_id")?;
    let milliseconds = |time: Timestamp| time.micros().div_euclid(1000);
    let passed = milliseconds(id.time()) - since.map_or(0, milliseconds);
    let group = LoggedGroup {
        period: passed / period_ms.max(1),
        epoch: row.get("epoch")?,
        reason: reason_of(row.get("reason")?).ok_or_else(|| corrupt("reason"))?,
        version: VersionKey(row.get("version_key")?),
        propensity: row.get("propensity")?,
        part: part_of(unit_id.as_deref(), id),
        n: 0,
        sum: 0.0,
        sum_squares: 0.0,
    };
    Ok((value, group))
}

/// The feedback of a row.
fn came(row: &Row<'_>) -> Result<Option<Came>, StoreError> {
    let Some(value) = row.get("value")? else {
        return Ok(None);
    };
    Ok(Some(Came {
        value,
        at: Timestamp::from_micros(row.get("received_at")?),
        in_time: row.get("in_time")?,
    }))
}
