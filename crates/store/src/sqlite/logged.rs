//! What logged choices earned, added up for the evaluation of other policies.

use super::predictions::{reason_code, reason_of};
use super::row::{ByName, corrupt};
use crate::StoreError;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};
use types::{
    BuiltIn, LoggedGroup, MetricName, ModelName, PredictionId, Reason, TimeRange, VersionKey,
};

pub(in crate::sqlite) fn groups(
    connection: &mut Connection,
    name: &ModelName,
    metric: &MetricName,
    range: TimeRange,
    period_ms: i64,
) -> Result<Vec<LoggedGroup>, StoreError> {
    let order = |time| PredictionId::order_at(time) as i64;
    let since = range.since.map_or(0, order);
    let mut values = vec![
        Sql::Text(name.to_string()),
        Sql::Integer(since),
        Sql::Integer(range.until.map_or(i64::MAX, order)),
        Sql::Integer(period_ms.max(1)),
    ];
    let (value, join) = match BuiltIn::find(metric.as_str()) {
        Some(BuiltIn::Error) => ("CAST(p.status IN (1, 2) AS REAL)", ""),
        Some(BuiltIn::Rejected) => ("CAST(p.status = 3 AS REAL)", ""),
        Some(BuiltIn::LatencyMs) => ("IIF(p.status = 3, NULL, p.latency_ns / 1e6)", ""),
        Some(BuiltIn::Confidence) => ("IIF(p.status = 0, p.confidence, NULL)", ""),
        Some(BuiltIn::Slow) => ("NULL", ""),
        Some(BuiltIn::Correct) | None => {
            values.push(Sql::Text(metric.to_string()));
            let join = "JOIN feedback f ON f.prediction_order = p.prediction_order \
                        AND f.metric = ?5";
            ("f.value", join)
        }
    };
    // An order has the milliseconds above its lowest 12 bits.
    let mut select = connection.prepare_cached(&format!(
        "SELECT ((p.prediction_order >> 12) - (?2 >> 12)) / ?4 AS period, p.epoch, p.reason, \
         p.version_key, p.propensity, COUNT(*) AS n, SUM({value}) AS sum, \
         SUM({value} * {value}) AS sum_squares \
         FROM predictions p JOIN versions v USING (version_key) {join} \
         WHERE v.name = ?1 AND p.prediction_order >= ?2 AND p.prediction_order < ?3 \
         AND p.reason <> ?6 AND {value} IS NOT NULL GROUP BY 1, 2, 3, 4, 5"
    ))?;
    if values.len() == 4 {
        values.push(Sql::Null);
    }
    values.push(Sql::Integer(reason_code(Reason::Pinned)));
    let rows = select.query_map(params_from_iter(values), |row| {
        let reason = reason_of(row.get("reason")?);
        Ok(LoggedGroup {
            period: row.get("period")?,
            epoch: row.get("epoch")?,
            reason: reason.ok_or_else(|| corrupt("reason"))?,
            version: VersionKey(row.get("version_key")?),
            propensity: row.get("propensity")?,
            n: row.count("n")?,
            sum: row.get("sum")?,
            sum_squares: row.get("sum_squares")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
