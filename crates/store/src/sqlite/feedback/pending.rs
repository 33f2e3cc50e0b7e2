//! Feedback whose prediction has not been seen: kept for a week, and bounded.

use super::metric_name;
use crate::sqlite::row::ByName;
use crate::{Feedback, FeedbackContent, FeedbackOf, StoreError, request_number};
use rusqlite::{Connection, params};
use std::collections::HashMap;
use types::{BuiltIn, Timestamp};

/// How long it is kept, in microseconds.
const KEPT: i64 = 7 * 86_400 * 1_000_000;
/// How much of it is kept at most.
const KEPT_MOST: usize = 1_000_000;
/// Values that are dropped in one piece.
const DROPPED_AT_ONCE: usize = 10_000;

/// What waits, and how much of it there is.
#[derive(Default)]
pub(super) struct Pending {
    /// `None` until read.
    counts: Option<Counts>,
    /// When old values were looked for last, in microseconds.
    swept_at: i64,
}

/// How many values wait, by what they wait for.
#[derive(Default)]
struct Counts {
    by_number: HashMap<(bool, i64), u32>,
    values: usize,
}

/// What a value waits for, as its row names it.
pub(super) struct Subject<'a> {
    /// The order of a prediction, or the number of a request.
    number: i64,
    /// The other part of a prediction's id.
    random: i64,
    /// The model and the id of a request; empty for a prediction.
    request: (&'a str, &'a str),
}

/// A value that waited.
pub(super) struct Waiting {
    pub(super) content: FeedbackContent,
    pub(super) received_at: Timestamp,
}

impl<'a> Subject<'a> {
    pub(super) fn of(of: &'a FeedbackOf) -> Self {
        match of {
            FeedbackOf::Prediction(id) => Self {
                number: id.order() as i64,
                random: id.random() as i64,
                request: ("", ""),
            },
            // An outcome of a unit waits in its own row.
            FeedbackOf::Unit(_) => Self {
                number: 0,
                random: 0,
                request: ("", ""),
            },
            FeedbackOf::Request(name, id) => Self {
                number: request_number(id.as_str()),
                random: 0,
                request: (name.as_str(), id.as_str()),
            },
        }
    }

    fn place(&self) -> (bool, i64) {
        (!self.request.1.is_empty(), self.number)
    }
}

impl Counts {
    fn add(&mut self, place: (bool, i64)) {
        *self.by_number.entry(place).or_default() += 1;
        self.values += 1;
    }

    fn remove(&mut self, place: (bool, i64)) {
        if let Some(count) = self.by_number.get_mut(&place) {
            *count -= 1;
            self.values -= 1;
            if *count == 0 {
                self.by_number.remove(&place);
            }
        }
    }
}

impl Pending {
    /// The same without what is kept in memory of the rows.
    pub(super) fn forgotten(&self) -> Self {
        Self {
            counts: None,
            swept_at: self.swept_at,
        }
    }

    /// Whether something may wait.
    pub(super) fn has(
        &mut self,
        connection: &Connection,
        subject: &Subject<'_>,
    ) -> Result<bool, StoreError> {
        let counts = self.counts(connection)?;
        Ok(counts.by_number.contains_key(&subject.place()))
    }

    /// Whether something may wait for a request of any model.
    pub(super) fn has_request(
        &mut self,
        connection: &Connection,
        id: &str,
    ) -> Result<bool, StoreError> {
        let counts = self.counts(connection)?;
        if counts.values == 0 {
            return Ok(false);
        }
        Ok(counts.by_number.contains_key(&(true, request_number(id))))
    }

    /// Takes what waits for a prediction or a request.
    pub(super) fn take(
        &mut self,
        connection: &Connection,
        subject: &Subject<'_>,
    ) -> Result<Vec<Waiting>, StoreError> {
        // Read before anything is gone, or it would be taken away twice.
        self.counts(connection)?;
        let mut delete = connection.prepare_cached(
            "DELETE FROM pending_feedback WHERE number = ?1 AND random = ?2 AND name = ?3 AND request_id = ?4 \
             RETURNING metric, value, label, received_at",
        )?;
        let (name, id) = subject.request;
        let key = params![subject.number, subject.random, name, id];
        let rows = delete.query_map(key, |row| {
            Ok((
                row.get::<_, String>("metric")?,
                row.get::<_, Option<f64>>("value")?,
                row.json_option("label").unwrap_or_default(),
                row.time("received_at")?,
            ))
        })?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let mut waiting = Vec::with_capacity(rows.len());
        for (metric, value, label, received_at) in rows {
            self.counts(connection)?.remove(subject.place());
            let content = match (label, value) {
                (Some(label), _) => FeedbackContent::Label(label),
                (None, Some(value)) => FeedbackContent::Value(metric_name(&metric)?, value),
                (None, None) => continue,
            };
            waiting.push((
                metric,
                Waiting {
                    content,
                    received_at,
                },
            ));
        }
        waiting.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(waiting.into_iter().map(|(_, waiting)| waiting).collect())
    }

    /// Keeps a value.
    pub(super) fn keep(
        &mut self,
        connection: &Connection,
        item: &Feedback,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (metric, value, label) = match &item.content {
            FeedbackContent::Label(label) => {
                (BuiltIn::Correct.metric().name, None, Some(label.as_str()))
            }
            FeedbackContent::Value(metric, value) => (metric.clone(), Some(*value), None),
        };
        let mut insert = connection.prepare_cached(
            "INSERT OR IGNORE INTO pending_feedback (number, random, name, request_id, metric, value, label, \
             received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let subject = Subject::of(&item.of);
        let (number, random) = (subject.number, subject.random);
        let (name, id) = subject.request;
        let metric = metric.as_str();
        // Read before the row is there, or it would be counted twice.
        self.counts(connection)?;
        let row = params![number, random, name, id, metric, value, label, now.micros()];
        if insert.execute(row)? == 1 {
            let counts = self.counts(connection)?;
            counts.add(subject.place());
            if counts.values > KEPT_MOST {
                self.drop(connection, "WHERE ?1 IS NOT NULL ORDER BY received_at", 0)?;
            }
        } else if item.replace {
            let mut update = connection.prepare_cached(
                "UPDATE pending_feedback SET value = ?6, label = ?7 \
                 WHERE number = ?1 AND random = ?2 AND name = ?3 AND request_id = ?4 AND metric = ?5",
            )?;
            update.execute(params![number, random, name, id, metric, value, label])?;
        }
        Ok(())
    }

    /// Drops what has waited for a week, looking once an hour, and at once again where there is more than a
    /// chunk of it. Says whether it was time to.
    pub(super) fn sweep(
        &mut self,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if now.micros() - self.swept_at < 3_600_000_000 {
            return Ok(false);
        }
        let dropped = self.drop(connection, "WHERE received_at < ?1", now.micros() - KEPT)?;
        if dropped < DROPPED_AT_ONCE {
            self.swept_at = now.micros();
        }
        Ok(true)
    }

    /// There is more to drop: it is looked for again at once.
    pub(super) fn sweep_again(&mut self) {
        self.swept_at = 0;
    }

    /// Drops at most a chunk, so that no prediction waits for long; says how many values.
    fn drop(
        &mut self,
        connection: &Connection,
        which: &str,
        bound: i64,
    ) -> Result<usize, StoreError> {
        // Read before anything is gone, or it would be taken away twice.
        self.counts(connection)?;
        let mut delete = connection.prepare_cached(&format!(
            "DELETE FROM pending_feedback WHERE (number, random, name, request_id, metric) IN \
             (SELECT number, random, name, request_id, metric FROM pending_feedback {which} LIMIT ?2) \
             RETURNING number, request_id"
        ))?;
        let rows = delete.query_map(params![bound, DROPPED_AT_ONCE as i64], place_of)?;
        let gone = rows.collect::<Result<Vec<_>, _>>()?;
        let counts = self.counts(connection)?;
        for place in &gone {
            counts.remove(*place);
        }
        count_dropped(connection, gone.len() as i64)?;
        Ok(gone.len())
    }

    fn counts(&mut self, connection: &Connection) -> Result<&mut Counts, StoreError> {
        if self.counts.is_none() {
            let mut counts = Counts::default();
            let mut select =
                connection.prepare_cached("SELECT number, request_id FROM pending_feedback")?;
            for place in select.query_map([], place_of)? {
                counts.add(place?);
            }
            self.counts = Some(counts);
        }
        Ok(self.counts.get_or_insert_default())
    }
}

fn place_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<(bool, i64)> {
    let is_request = !row.get_ref("request_id")?.as_str()?.is_empty();
    Ok((is_request, row.get("number")?))
}

/// Counts values that were dropped.
pub(super) fn count_dropped(connection: &Connection, dropped: i64) -> Result<(), StoreError> {
    if dropped > 0 {
        let sql = "UPDATE state SET feedback_dropped = feedback_dropped + ?1";
        connection.execute(sql, [dropped])?;
    }
    Ok(())
}
