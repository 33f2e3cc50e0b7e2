//! What logged choices earned, added up for the evaluation of other policies.

use super::Store;
use super::predictions::{reason_code, reason_of};
use crate::StoreError;
use rusqlite::params_from_iter;
use rusqlite::types::Value as Sql;
use types::{
    BuiltIn, LoggedGroup, MetricName, ModelName, PredictionId, Reason, TimeRange, VersionKey,
};

impl Store {
    /// What predictions of a model earned on a metric in a stretch of time, grouped by periods of
    /// `period_ms`, epoch, reason, version and propensity. Pinned predictions and those without a
    /// value are left out; `slow` has no values here, because its objective is an experiment's.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn logged_groups(
        &self,
        name: ModelName,
        metric: MetricName,
        range: TimeRange,
        period_ms: i64,
    ) -> Result<Vec<LoggedGroup>, StoreError> {
        self.read(move |connection| {
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
                "SELECT ((p.prediction_order >> 12) - (?2 >> 12)) / ?4, p.epoch, p.reason, \
                 p.version_key, p.propensity, COUNT(*), SUM({value}), SUM({value} * {value}) \
                 FROM predictions p JOIN versions v USING (version_key) {join} \
                 WHERE v.name = ?1 AND p.prediction_order >= ?2 AND p.prediction_order < ?3 \
                 AND p.reason <> ?6 AND {value} IS NOT NULL GROUP BY 1, 2, 3, 4, 5"
            ))?;
            if values.len() == 4 {
                values.push(Sql::Null);
            }
            values.push(Sql::Integer(reason_code(Reason::Pinned)));
            let rows = select.query_map(params_from_iter(values), |row| {
                let reason: i64 = row.get(2)?;
                Ok(LoggedGroup {
                    period: row.get(0)?,
                    epoch: row.get(1)?,
                    reason: reason_of(reason).ok_or(rusqlite::Error::InvalidQuery)?,
                    version: VersionKey(row.get(3)?),
                    propensity: row.get(4)?,
                    n: u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
                    sum: row.get(6)?,
                    sum_squares: row.get(7)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}
