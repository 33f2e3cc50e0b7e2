//! Predictions that are kept no longer: rows go, or what came in and was answered, piece by piece. Roll-ups and evidence stay
//! as they were counted.

use super::Store;
use super::evidence::{definition_of, segment_values};
use super::request_ids::Place;
use super::rewrite::{self, Changes};
use super::row::ByName;
use crate::StoreError;
use evidence::SegmentValues;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::HashMap;
use types::{
    AttributeValue, Attributes, Covariate, ExperimentDefinition, ExperimentKey, ModelName,
    PredictionId,
};

/// Rows that are looked at in one step: nothing waits for more.
const CHUNK: usize = 100;

/// What of a model is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retain {
    /// The model.
    pub name: ModelName,
    /// Predictions before this order.
    pub rows_until: u64,
    /// And of those before this one what came in and was answered.
    pub content_until: u64,
}

/// What of a model is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retained {
    /// Predictions before this order; 0 where none are.
    pub rows_until: u64,
    /// And of those before this one what came in and was answered.
    pub content_until: u64,
    /// Predictions that were removed.
    pub rows_removed: u64,
    /// Predictions whose content was removed.
    pub content_removed: u64,
}

impl Store {
    /// What retention has removed of a model.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn retained(&self, name: ModelName) -> Result<Retained, StoreError> {
        self.read(move |connection| retained(connection, &name))
            .await
    }

    /// Has predictions go that are kept no longer, in pieces when there is time ([`Store::tidy`]). It stands in place of what was
    /// said before.
    pub fn retain(&self, all: Vec<Retain>) {
        let mut wanted = self.inner.retain.lock();
        let wanted = wanted.as_deref_mut();
        if let Ok(wanted) = wanted {
            *wanted = all;
            self.wants_tidying();
        }
    }

    /// The order from which on a model has at most so many predictions: in whole hours, so a little more may stay. Nothing
    /// where it has fewer.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn order_of_newest(
        &self,
        name: ModelName,
        rows: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.read(move |connection| order_of_newest(connection, &name, rows))
            .await
    }
}

pub(super) fn retained(connection: &Connection, name: &ModelName) -> Result<Retained, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT rows_until, content_until, rows_removed, content_removed FROM retained WHERE name = ?1",
    )?;
    let found = select.query_row([name.as_str()], |row| {
        Ok(Retained {
            rows_until: row.count("rows_until")?,
            content_until: row.count("content_until")?,
            rows_removed: row.count("rows_removed")?,
            content_removed: row.count("content_removed")?,
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

fn order_of_newest(
    connection: &Connection,
    name: &ModelName,
    rows: u64,
) -> Result<Option<u64>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT r.start, sum(r.count - r.removed) AS held FROM rollups r JOIN versions v USING (version_key) \
         WHERE r.tier = ?1 AND v.name = ?2 AND v.deleted_at IS NULL GROUP BY r.start ORDER BY r.start DESC",
    )?;
    let tier = crate::Tier::Hour;
    let mut hours = select.query(params![tier.code(), name.as_str()])?;
    let mut newer = 0;
    while let Some(hour) = hours.next()? {
        newer += hour.count("held")?;
        if newer > rows {
            let start: i64 = hour.get("start")?;
            let wanted = newer - rows;
            return Ok(Some(within_hour(connection, name, start, wanted)?));
        }
    }
    Ok(None)
}

/// The order in an hour before which a model has so many predictions.
fn within_hour(
    connection: &Connection,
    name: &ModelName,
    start: i64,
    before: u64,
) -> Result<u64, StoreError> {
    let at = |seconds: i64| {
        PredictionId::order_at(types::Timestamp::from_micros(seconds * 1_000_000)) as i64
    };
    let mut select = connection.prepare_cached(
        "SELECT p.prediction_order FROM predictions p JOIN versions v USING (version_key) \
         WHERE p.prediction_order >= ?1 AND p.prediction_order < ?2 AND v.name = ?3 AND v.deleted_at IS NULL \
         ORDER BY p.prediction_order LIMIT 1 OFFSET ?4",
    )?;
    let found: Option<i64> = select
        .query_row(
            params![at(start), at(start + 3600), name.as_str(), before as i64],
            |row| row.get("prediction_order"),
        )
        .optional()?;
    Ok(found.unwrap_or_else(|| at(start + 3600)) as u64)
}

/// How far a step went, and which requests are found no more.
pub(super) struct Step {
    pub(super) more: bool,
    pub(super) forgotten: Vec<Place>,
}

/// How far the outcomes of a model's units have been looked at, by their numbers, and for which order.
pub(super) type OutcomeCursors = HashMap<ModelName, (u64, i64)>;

/// Does the next piece of what is to go.
pub(super) fn step(
    transaction: &Transaction<'_>,
    wanted: &[Retain],
    outcomes: &mut OutcomeCursors,
) -> Result<Step, StoreError> {
    for retain in wanted {
        let done = retained(transaction, &retain.name)?;
        if done.rows_until < retain.rows_until {
            let forgotten = remove_rows(transaction, retain, done)?;
            return Ok(Step {
                more: true,
                forgotten,
            });
        }
        if remove_outcomes(transaction, &retain.name, done.rows_until, outcomes)? {
            let forgotten = Vec::new();
            return Ok(Step {
                more: true,
                forgotten,
            });
        }
        if done.content_until.max(done.rows_until) < retain.content_until {
            remove_content(transaction, retain, done)?;
            let forgotten = Vec::new();
            return Ok(Step {
                more: true,
                forgotten,
            });
        }
    }
    Ok(Step {
        more: false,
        forgotten: Vec::new(),
    })
}

/// The versions of a model, as SQL takes a list.
fn versions(t: &Transaction<'_>, name: &ModelName) -> Result<String, StoreError> {
    let sql = "SELECT coalesce(group_concat(version_key), '-1') AS keys FROM versions WHERE name = ?1 AND deleted_at IS NULL";
    Ok(t.query_row(sql, [name.as_str()], |row| row.get("keys"))?)
}

/// Where the next piece of the log ends.
fn end_of_chunk(t: &Transaction<'_>, from: u64, until: u64) -> Result<u64, StoreError> {
    let mut select = t.prepare_cached(
        "SELECT prediction_order FROM predictions WHERE prediction_order >= ?1 AND prediction_order < ?2 \
         ORDER BY prediction_order LIMIT 1 OFFSET ?3",
    )?;
    let found: Option<i64> = select
        .query_row(params![from as i64, until as i64, CHUNK as i64], |row| {
            row.get("prediction_order")
        })
        .optional()?;
    Ok(found.map_or(until, |order| order as u64))
}

fn remove_rows(
    t: &Transaction<'_>,
    retain: &Retain,
    done: Retained,
) -> Result<Vec<Place>, StoreError> {
    let from = done.rows_until;
    let end = end_of_chunk(t, from, retain.rows_until)?;
    let keys = versions(t, &retain.name)?;
    let range = params![from as i64, end as i64];
    let of_model = "prediction_order >= ?1 AND prediction_order < ?2 AND version_key IN";
    let mut changes = Changes::new(t)?;
    let mut forgotten = Vec::new();
    let mut of_experiments: HashMap<i64, i64> = HashMap::new();
    let mut removed = 0u64;
    {
        let sql = format!(
            "SELECT {} FROM predictions p WHERE p.{of_model} ({keys})",
            rewrite::COLUMNS
        );
        let mut select = t.prepare_cached(&sql)?;
        let mut rows = select.query(range)?;
        while let Some(row) = rows.next()? {
            // What cannot be read goes as well; `verify` has named it.
            if let Ok(stored) = rewrite::stored(row) {
                changes.note(&stored, None);
                rewrite::forget_request(t, &stored, &mut forgotten)?;
                if let Some(experiment) = stored.experiment {
                    *of_experiments.entry(experiment).or_default() += 1;
                }
            }
            removed += 1;
        }
    }
    if removed > 0 {
        // Nearly always one model has all of them, and nothing has to be looked up.
        let all = "SELECT count(*) AS rows FROM predictions WHERE prediction_order >= ?1 AND prediction_order < ?2";
        let all = t
            .prepare_cached(all)?
            .query_row(range, |row| row.count("rows"))?;
        let of_these = |column: &str| match all == removed {
            true => String::new(),
            false => format!(
                " AND {column} IN (SELECT prediction_order FROM predictions WHERE {of_model} ({keys}))"
            ),
        };
        for sql in [
            format!(
                "DELETE FROM feedback WHERE prediction_order >= ?1 AND prediction_order < ?2{}",
                of_these("prediction_order")
            ),
            format!(
                "DELETE FROM shadows WHERE mirrors_order >= ?1 AND mirrors_order < ?2{}",
                of_these("mirrors_order")
            ),
            format!(
                "DELETE FROM predictions WHERE prediction_order >= ?1 AND prediction_order < ?2{}",
                of_these("prediction_order")
            ),
        ] {
            t.prepare_cached(&sql)?.execute(range)?;
        }
        changes.write(t)?;
        for (experiment, rows) in of_experiments {
            let sql =
                "UPDATE experiments SET rows_removed = rows_removed + ?2 WHERE experiment_key = ?1";
            t.prepare_cached(sql)?.execute([experiment, rows])?;
        }
    }
    keep(
        t,
        &retain.name,
        Retained {
            rows_until: end,
            rows_removed: done.rows_removed + removed,
            ..done
        },
    )?;
    Ok(forgotten)
}

/// Removes outcomes of units from before an order; says whether there may be more.
fn remove_outcomes(
    t: &Transaction<'_>,
    name: &ModelName,
    until: u64,
    cursors: &mut OutcomeCursors,
) -> Result<bool, StoreError> {
    if until == 0 {
        return Ok(false);
    }
    let before = PredictionId::new(until, 0).time().micros();
    let cursor = cursors.entry(name.clone()).or_insert((until, 0));
    if cursor.0 != until {
        *cursor = (until, 0);
    }
    if cursor.1 == i64::MAX {
        return Ok(false);
    }
    // They come in the order of their numbers, and none before it has happened.
    let mut select = t.prepare_cached(
        "SELECT outcome_number, received_at FROM unit_outcomes WHERE outcome_number > ?1 ORDER BY outcome_number \
         LIMIT 1 OFFSET ?2",
    )?;
    let last: Option<(i64, i64)> = select
        .query_row(params![cursor.1, CHUNK as i64 - 1], |row| {
            Ok((row.get("outcome_number")?, row.get("received_at")?))
        })
        .optional()?;
    let end = last.map_or(i64::MAX, |(number, _)| number);
    t.prepare_cached(
        "DELETE FROM unit_outcomes WHERE outcome_number > ?1 AND outcome_number <= ?2 AND name = ?3 AND at < ?4",
    )?
    .execute(params![cursor.1, end, name.as_str(), before])?;
    let more = last.is_some_and(|(_, received_at)| received_at < before);
    cursor.1 = if more { end } else { i64::MAX };
    Ok(more)
}

fn remove_content(t: &Transaction<'_>, retain: &Retain, done: Retained) -> Result<(), StoreError> {
    let from = done.content_until.max(done.rows_until);
    let end = end_of_chunk(t, from, retain.content_until)?;
    let keys = versions(t, &retain.name)?;
    let range = params![from as i64, end as i64];
    let sql = format!(
        "SELECT {} FROM predictions p WHERE p.prediction_order >= ?1 AND p.prediction_order < ?2 \
         AND p.version_key IN ({keys})",
        rewrite::COLUMNS
    );
    let mut changes = Changes::new(t)?;
    let mut codes = Codes::default();
    let mut changed = 0;
    let mut select = t.prepare_cached(&sql)?;
    let mut rows = select.query(range)?;
    while let Some(row) = rows.next()? {
        let Ok(stored) = rewrite::stored(row) else {
            continue;
        };
        let attributes = codes.left_of(t, stored.attributes, stored.experiment, stored.unit_id)?;
        let without = rewrite::without_content(&stored, attributes.as_deref());
        if without.hash() == stored.hash() {
            continue;
        }
        changes.note(&stored, Some(&without));
        rewrite::update(t, &without)?;
        changed += 1;
    }
    drop(rows);
    t.prepare_cached(&format!(
        "UPDATE shadows SET prediction = NULL, outputs = NULL, error = CASE WHEN error IS NOT NULL THEN '' END \
         WHERE mirrors_order >= ?1 AND mirrors_order < ?2 AND version_key IN ({keys})"
    ))?
    .execute(range)?;
    changes.write(t)?;
    keep(
        t,
        &retain.name,
        Retained {
            content_until: end,
            content_removed: done.content_removed + changed,
            ..done
        },
    )
}

fn keep(t: &Transaction<'_>, name: &ModelName, retained: Retained) -> Result<(), StoreError> {
    let mut upsert =
        t.prepare_cached("INSERT OR REPLACE INTO retained VALUES (?1, ?2, ?3, ?4, ?5)")?;
    upsert.execute(params![
        name.as_str(),
        retained.rows_until as i64,
        retained.content_until as i64,
        retained.rows_removed as i64,
        retained.content_removed as i64,
    ])?;
    Ok(())
}

/// What stands in place of a value that is not told apart from others.
const NOT_TOLD_APART: &str = "[erased]";

/// What of attributes evidence needs to be counted again: the values of the dimensions of an experiment that are told apart,
/// and the covariates of its metrics.
#[derive(Default)]
struct Codes(HashMap<i64, Option<(ExperimentDefinition, SegmentValues)>>);

impl Codes {
    fn left_of(
        &mut self,
        t: &Transaction<'_>,
        attributes: Option<&str>,
        experiment: Option<i64>,
        unit_id: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        // What was known of a named unit is fixed in its row.
        let (Some(attributes), Some(experiment), None) = (attributes, experiment, unit_id) else {
            return Ok(None);
        };
        if let std::collections::hash_map::Entry::Vacant(entry) = self.0.entry(experiment) {
            let key = ExperimentKey(experiment);
            let needed = match definition_of(t, key) {
                Ok(definition) if definition.needs_attributes() => {
                    Some((definition, segment_values(t, key)?))
                }
                Ok(_) | Err(StoreError::Corrupt(_)) => None,
                Err(error) => return Err(error),
            };
            entry.insert(needed);
        }
        let Some(Some((definition, values))) = self.0.get_mut(&experiment) else {
            return Ok(None);
        };
        let Ok(known) = serde_json::from_str::<Attributes>(attributes) else {
            return Ok(None);
        };
        let metrics = definition.metrics.iter();
        let covariates: Vec<&str> = metrics
            .filter_map(|metric| match &metric.covariate {
                Some(Covariate::Attribute(name)) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        let mut left = serde_json::Map::new();
        for (name, value) in known.iter() {
            let dimension = definition.dimensions.iter().position(|known| known == name);
            let told_apart =
                dimension.is_some_and(|dimension| values.is_told_apart(dimension, value));
            let value = match dimension {
                _ if covariates.contains(&name) || told_apart => value.clone(),
                Some(_) => AttributeValue::Text(NOT_TOLD_APART.into()),
                None => continue,
            };
            left.insert(name.to_owned(), serde_json::Value::from(&value));
        }
        Ok((!left.is_empty()).then(|| serde_json::Value::Object(left).to_string()))
    }
}

/// A window, in microseconds, as it is counted for versions of models of which predictions are removed: it begins and ends in
/// whole hours where they are. Only those versions are given for which it is another one.
pub(super) fn in_whole_hours(
    connection: &Connection,
    (since, until): (i64, i64),
) -> Result<HashMap<(i64, i64), Vec<i64>>, StoreError> {
    let hour = 3600 * 1_000_000;
    let begin = |at: i64| at.div_euclid(hour) * hour;
    let mut select = connection.prepare_cached(
        "SELECT v.version_key, r.rows_until FROM retained r JOIN versions v USING (name) WHERE r.rows_until > 0",
    )?;
    let mut rows = select.query([])?;
    let mut found: HashMap<(i64, i64), Vec<i64>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let removed = PredictionId::new(row.bits("rows_until")?, 0)
            .time()
            .micros();
        let inside = |at: i64| at > i64::MIN && at < removed;
        let window = (
            if inside(since) { begin(since) } else { since },
            if inside(until) {
                begin(until - 1) + hour
            } else {
                until
            },
        );
        if window != (since, until) {
            found
                .entry(window)
                .or_default()
                .push(row.get("version_key")?);
        }
    }
    Ok(found)
}

/// The first and the last day, in seconds, of which something was counted.
pub(super) fn days(connection: &Connection) -> Result<Option<(i64, i64)>, StoreError> {
    let sql = "SELECT min(start) AS first, max(start) AS last FROM rollups WHERE tier = ?1";
    let day = crate::Tier::Day.code();
    let found = connection.query_row(sql, [day], |row| {
        let first: Option<i64> = row.get("first")?;
        let last: Option<i64> = row.get("last")?;
        Ok(first.zip(last))
    })?;
    Ok(found)
}
