//! Outcomes of the past, by which scales of bets are set.

use super::predictions::{MEASURED, measured};
use super::row::ByName;
use crate::log::since_of;
use crate::{Earlier, EarlierOutcomes, StoreError, Tier, unit_number};
use evidence::{
    Outcome, UnitOutcomes, UnitWorth, began_before, covariate_of, earlier_value, matured_before,
    until as until_of, without_value,
};
use rusqlite::{Connection, Row, params};
use std::collections::BTreeMap;
use types::{Attributes, Covariate, Metric, Per, PredictionId, Timestamp};

/// Predictions that are looked at for each outcome that is asked for: units may have several.
const ROWS_PER_OUTCOME: usize = 3;

pub(super) fn earlier(
    connection: &mut Connection,
    query: &Earlier,
) -> Result<EarlierOutcomes, StoreError> {
    let transaction = connection.transaction()?;
    let metric = &query.definition.metrics[query.metric];
    // Those that come later may still get a value.
    let until = matured_before(metric, query.now.seconds());
    let order = |seconds: i64| {
        let micros = seconds.saturating_mul(1_000_000).max(0);
        PredictionId::order_at(Timestamp::from_micros(micros)) as i64
    };
    let per_unit = metric.per == Per::Unit;
    let since = since_of(query);
    let since = since.map_or(0, |since| PredictionId::order_at(since) as i64);
    // The first exposure of a unit is what counts for a metric per unit.
    let ordered = if per_unit { "ASC" } else { "DESC" };
    let keys: Vec<String> = query.versions.iter().map(|key| key.0.to_string()).collect();
    let keys = keys.join(", ");
    let tier = Tier::Hour;
    let mut first = tier.start_of(PredictionId::new(since as u64, 0).time());
    if per_unit && query.experiment.is_none() {
        // The newest hours that have enough, from the first one on.
        let mut counts = transaction.prepare(&format!(
            "SELECT start, sum(count) AS count FROM rollups WHERE tier = ?1 AND version_key IN ({keys}) AND start <= ?2 \
             AND start >= ?3 GROUP BY start ORDER BY start DESC"
        ))?;
        let mut hours = counts.query(params![tier.code(), until, first])?;
        let mut left = (ROWS_PER_OUTCOME * query.limit) as i64;
        while let Some(hour) = hours.next()? {
            left -= hour.get::<_, i64>("count")?;
            if left <= 0 {
                first = hour.get("start")?;
                break;
            }
        }
    }
    let mut found = UnitOutcomes::default();
    let mut exposed: BTreeMap<i64, (i64, Option<f64>)> = BTreeMap::new();
    let mut oldest = None;
    let mut rows_left = ROWS_PER_OUTCOME * query.limit;
    let mut hours = transaction.prepare(&format!(
        "SELECT DISTINCT start FROM rollups WHERE tier = ?1 AND version_key IN ({keys}) AND start <= ?2 AND start >= ?3 \
         ORDER BY start {ordered}"
    ))?;
    let mut select = transaction.prepare(&format!(
        "SELECT p.prediction_order, p.unit_id, p.made_at, p.attributes, {MEASURED}, f.value FROM predictions p \
         LEFT JOIN feedback f ON f.prediction_order = p.prediction_order AND f.metric = ?3 AND f.apart = 0 \
         WHERE p.prediction_order >= ?1 AND p.prediction_order < ?2 AND p.version_key IN ({keys}) \
         AND p.reason IN (0, 2) AND (?4 IS NULL OR p.experiment_key = ?4) ORDER BY p.prediction_order {ordered}"
    ))?;
    let experiment = query.experiment.map(|key| key.0);
    let starts = hours.query_map(params![tier.code(), until, first], |row| {
        row.get::<_, i64>("start")
    })?;
    'hours: for start in starts {
        let start = start?;
        let end = start + tier.seconds().unwrap_or_default();
        let range = params![
            order(start).max(since),
            order(end.min(until)),
            metric.name.as_str(),
            experiment
        ];
        let mut rows = select.query(range)?;
        while let Some(row) = rows.next()? {
            if rows_left == 0 || found.len() + exposed.len() >= query.limit {
                break 'hours;
            }
            rows_left -= 1;
            let time = PredictionId::new(row.bits("prediction_order")?, 0).time();
            oldest = Some(oldest.map_or(time, |oldest: Timestamp| oldest.min(time)));
            if per_unit {
                let made_at: Option<i64> = row.get("made_at")?;
                let unit_id: Option<String> = row.get("unit_id")?;
                if let Some(unit_id) = unit_id {
                    let made = made_at.unwrap_or_else(|| time.micros());
                    let known = exposed.entry(unit_number(&unit_id));
                    known.or_insert((made, attribute(row, metric)));
                }
                continue;
            }
            // `verify` names those that cannot be read.
            if let Ok((unit, Some(worth))) = read(row, query) {
                found.add(unit, worth, attribute(row, metric));
            }
        }
    }
    for (unit, (exposed, covariate)) in exposed {
        let of = (query.definition.name.as_str(), metric.name.as_str());
        let first = match metric.covariate {
            Some(Covariate::Before) => began_before(metric, exposed),
            _ => exposed,
        };
        let range = (first, until_of(metric, exposed));
        let came = super::feedback::outcomes::of_unit(&transaction, of, unit, range)?;
        let worth = UnitWorth::of(metric, exposed, &came);
        if let Some(worth) = worth.value.or_else(|| without_value(metric)) {
            let covariate = covariate.or_else(|| earlier_value(metric, exposed, &came));
            found.add(Some(unit), worth, covariate);
        }
    }
    Ok(outcomes(found, oldest))
}

fn outcomes(found: UnitOutcomes, oldest: Option<Timestamp>) -> EarlierOutcomes {
    EarlierOutcomes {
        units: found.units(),
        oldest,
    }
}

/// The covariate of a row's unit, where an attribute is one.
fn attribute(row: &Row<'_>, metric: &Metric) -> Option<f64> {
    metric.covariate.as_ref()?;
    let attributes: Attributes = row.json_option("attributes").ok()??;
    covariate_of(metric, &attributes)
}

/// The unit of a row, where it is named, and what it is worth, where it counts.
fn read(row: &Row<'_>, query: &Earlier) -> Result<(Option<i64>, Option<f64>), StoreError> {
    let metric = &query.definition.metrics[query.metric];
    let unit_id: Option<String> = row.get("unit_id")?;
    let outcome = Outcome::of(&query.definition, metric, measured(row)?, row.get("value")?);
    Ok((unit_id.as_deref().map(unit_number), outcome.worth()))
}
