//! Units of which all is erased: what a person sent and was answered until a moment goes, and sums stay.
//!
//! An erasure is asked for with a change of the settings, which tells nobody whose it is. It begins when its unit is renamed
//! where evidence knows units; from then on entries that are still in the journal are renamed before they are stored, and a
//! walk over the log, in pieces, renames what was stored before. A keyed hash, the pseudonym, takes the place of the
//! `unit_id`, so that what belonged together still does, and evidence can be counted again.
//!
//! There is no index on units: the walk looks at every prediction once, for all erasures that have begun by then.

use super::feedback;
use super::hash::PredictionRow;
use super::request_ids::Place;
use super::rewrite::{self, Changes};
use super::row::ByName;
use super::{Store, evidence};
use crate::entry::erased;
use crate::{RequestReceipt, StoreError, unit_number};
use rusqlite::{Connection, Transaction, params};
use std::collections::HashMap;
use std::sync::Arc;
use types::{ErasureId, Timestamp};

/// Predictions that are looked at in one step, and those that are erased at most: nothing waits for more.
const LOOKED_AT: i64 = 5000;
const ERASED_AT_ONCE: i64 = 250;

/// How far an erasure has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredErasure {
    /// Identifies it.
    pub id: ErasureId,
    /// What takes the place of the `unit_id`.
    pub pseudonym: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Predictions up to this order.
    pub until_order: u64,
    /// Where the journal was: entries up to there may still be in its files.
    pub position: u64,
    /// Predictions up to this order have been looked at; `None` before it has begun.
    pub walked_order: Option<u64>,
    /// The order of the oldest prediction in the log, 0 without one: where the walk begins.
    pub first_order: u64,
    /// Predictions that were erased.
    pub predictions: u64,
    /// Rows of other kinds.
    pub others: u64,
    /// When all was erased.
    pub ended_at: Option<Timestamp>,
}

impl StoredErasure {
    /// Whether every prediction has been looked at.
    pub fn is_walked(&self) -> bool {
        self.walked_order >= Some(self.until_order)
    }
}

impl Store {
    /// Erasures, newest first, at most so many.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn erasures(&self, limit: u32) -> Result<Vec<StoredErasure>, StoreError> {
        self.read(move |connection| list(connection, None, limit))
            .await
    }

    /// One of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn erasure(&self, id: ErasureId) -> Result<Option<StoredErasure>, StoreError> {
        let found = self.read(move |connection| list(connection, Some(id), 1));
        Ok(found.await?.into_iter().next())
    }

    /// Those that have not ended, oldest first, at most so many.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open_erasures(&self, limit: u32) -> Result<Vec<StoredErasure>, StoreError> {
        self.read(move |connection| {
            let sql = format!("{SELECT} WHERE ended_at IS NULL ORDER BY erasure_key LIMIT ?1");
            let mut select = connection.prepare_cached(&sql)?;
            let rows = select.query_map([limit], read)?;
            Ok(rows.collect::<Result<_, rusqlite::Error>>()?)
        })
        .await
    }

    /// Whether calls that had begun before an order have no outcome yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn has_begun_before(&self, order: u64) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let sql =
                "SELECT EXISTS (SELECT 1 FROM begun_calls WHERE prediction_order <= ?1) AS has";
            Ok::<_, StoreError>(connection.query_row(sql, [order as i64], |row| row.get("has"))?)
        })
        .await
    }
}

const SELECT: &str = "SELECT erasure_id, pseudonym, requested_at, until_order, position, walked_order, predictions, others, \
     ended_at, coalesce((SELECT min(prediction_order) FROM predictions), 0) AS first_order FROM erasures";

fn list(
    connection: &Connection,
    id: Option<ErasureId>,
    limit: u32,
) -> Result<Vec<StoredErasure>, StoreError> {
    let sql =
        format!("{SELECT} WHERE ?1 IS NULL OR erasure_id = ?1 ORDER BY erasure_key DESC LIMIT ?2");
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params![id.map(|id| id.to_string()), limit], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredErasure> {
    let walked: i64 = row.get("walked_order")?;
    let ended: Option<i64> = row.get("ended_at")?;
    Ok(StoredErasure {
        id: row.parsed("erasure_id", str::parse)?,
        pseudonym: row.get("pseudonym")?,
        requested_at: row.time("requested_at")?,
        until_order: row.bits("until_order")?,
        position: row.bits("position")?,
        walked_order: u64::try_from(walked).ok(),
        first_order: row.count("first_order")?,
        predictions: row.count("predictions")?,
        others: row.count("others")?,
        ended_at: ended.map(Timestamp::from_micros),
    })
}

/// Erasures that have begun and not ended: how units are called in what was logged before them.
#[derive(Debug, Default)]
pub(super) struct Erasing {
    /// By unit, oldest first.
    by_unit: HashMap<String, Vec<Renamed>>,
}

#[derive(Debug)]
struct Renamed {
    key: i64,
    until_order: i64,
    position: u64,
    pseudonym: String,
    walked: i64,
}

impl Erasing {
    /// Those of a database.
    pub(super) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let mut select = connection.prepare_cached(
            "SELECT erasure_key, unit_id, pseudonym, until_order, position, walked_order FROM erasures \
             WHERE unit_id IS NOT NULL AND walked_order >= 0 ORDER BY erasure_key",
        )?;
        let mut rows = select.query([])?;
        let mut by_unit: HashMap<String, Vec<Renamed>> = HashMap::new();
        while let Some(row) = rows.next()? {
            by_unit
                .entry(row.get("unit_id")?)
                .or_default()
                .push(Renamed {
                    key: row.get("erasure_key")?,
                    until_order: row.get("until_order")?,
                    position: row.bits("position")?,
                    pseudonym: row.get("pseudonym")?,
                    walked: row.get("walked_order")?,
                });
        }
        Ok(Self { by_unit })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_unit.is_empty()
    }

    fn of(&self, unit: &str, fits: impl Fn(&Renamed) -> bool) -> Option<&Renamed> {
        self.by_unit.get(unit)?.iter().find(|renamed| fits(renamed))
    }

    /// What a unit is called that a prediction with this order names.
    pub(super) fn name<'a>(&'a self, unit: &'a str, order: i64) -> &'a str {
        let renamed = self.of(unit, |renamed| order <= renamed.until_order);
        renamed.map_or(unit, |renamed| renamed.pseudonym.as_str())
    }

    /// An entry as it is stored, where it is not as it came.
    pub(super) fn rename(&self, position: u64, bytes: &[u8]) -> Option<Vec<u8>> {
        if crate::entry::Entry::decode(bytes).is_err() {
            // Nobody can tell what in it is whose.
            let mut units = self.by_unit.iter();
            let holds = units.any(|(unit, renamed)| {
                let mut renamed = renamed.iter();
                renamed.any(|renamed| position <= renamed.position) && holds(bytes, unit)
            });
            return holds.then(Vec::new);
        }
        erased(
            bytes,
            |unit, order| {
                let renamed = self.of(unit, |renamed| order as i64 <= renamed.until_order)?;
                Some(renamed.pseudonym.as_str())
            },
            |unit| {
                let renamed = self.of(unit, |renamed| position <= renamed.position)?;
                Some(renamed.pseudonym.as_str())
            },
        )
    }
}

/// The next piece of what is to be erased.
pub(super) enum Piece {
    /// There is none.
    Nothing,
    /// Units are renamed where evidence knows them.
    Begin(Vec<Beginning>),
    /// The log is looked through, for these.
    Walk(Walk),
}

/// An erasure that begins.
pub(super) struct Beginning {
    key: i64,
    unit: String,
    pseudonym: String,
}

/// A walk over the log for erasures that have begun.
pub(super) struct Walk {
    erasing: Arc<Erasing>,
    keys: Vec<i64>,
    from: i64,
    until: i64,
}

pub(super) fn next(connection: &Connection, erasing: &Arc<Erasing>) -> Result<Piece, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT erasure_key, unit_id, pseudonym FROM erasures \
         WHERE unit_id IS NOT NULL AND walked_order < 0 ORDER BY erasure_key LIMIT 1000",
    )?;
    let rows = select.query_map([], |row| {
        Ok(Beginning {
            key: row.get("erasure_key")?,
            unit: row.get("unit_id")?,
            pseudonym: row.get("pseudonym")?,
        })
    })?;
    let begins: Vec<Beginning> = rows.collect::<Result<_, _>>()?;
    if !begins.is_empty() {
        return Ok(Piece::Begin(begins));
    }
    let open = erasing.by_unit.values().flatten();
    let open: Vec<&Renamed> = open
        .filter(|renamed| renamed.walked < renamed.until_order)
        .collect();
    // Those that have set out go to the end before others set out, or the newest would hold up the oldest for ever.
    let under_way: Vec<&&Renamed> = open.iter().filter(|renamed| renamed.walked > 0).collect();
    let walking: Vec<&Renamed> = match under_way.iter().map(|renamed| renamed.walked).min() {
        Some(furthest_back) => under_way
            .into_iter()
            .filter(|renamed| renamed.walked == furthest_back)
            .copied()
            .collect(),
        None => open,
    };
    let Some(from) = walking.iter().map(|renamed| renamed.walked).min() else {
        return Ok(Piece::Nothing);
    };
    Ok(Piece::Walk(Walk {
        erasing: Arc::clone(erasing),
        keys: walking.iter().map(|renamed| renamed.key).collect(),
        from,
        until: walking
            .iter()
            .map(|renamed| renamed.until_order)
            .max()
            .unwrap_or(from),
    }))
}

/// Renames units where evidence knows them, and what waits. To be called when the rows of units are up to date.
///
/// What was stored since it was asked for is renamed as well: evidence does not tell it from what came before.
pub(super) fn begin(t: &Transaction<'_>, beginnings: &[Beginning]) -> Result<(), StoreError> {
    for one in beginnings {
        let (old, new) = (unit_number(&one.unit), unit_number(&one.pseudonym));
        evidence::rename_unit(t, old, new)?;
        let mut others = feedback::outcomes::rename(t, (&one.unit, old), (&one.pseudonym, new))?;
        others += blank_receipts(t)?;
        t.prepare_cached(
            "UPDATE erasures SET walked_order = 0, others = others + ?2, until_order = max(until_order, \
             (SELECT coalesce(max(prediction_order), 0) FROM predictions)) WHERE erasure_key = ?1",
        )?
        .execute(params![one.key, others as i64])?;
    }
    // What stands as it was in the journal.
    let erasing = Erasing::read(t)?;
    let mut others = 0;
    for (table, key, position) in [
        ("begun_calls", "prediction_order", "0"),
        ("set_aside", "rowid", "position"),
    ] {
        let mut select = t.prepare(&format!(
            "SELECT {key} AS key, {position} AS position, entry FROM {table}"
        ))?;
        let mut update = t.prepare(&format!("UPDATE {table} SET entry = ?2 WHERE {key} = ?1"))?;
        let mut rows = select.query([])?;
        let mut changed: Vec<(i64, Vec<u8>)> = Vec::new();
        while let Some(row) = rows.next()? {
            let bytes = row
                .get_ref("entry")?
                .as_blob()
                .map_err(rusqlite::Error::from)?;
            if let Some(renamed) = erasing.rename(row.bits("position")?, bytes) {
                changed.push((row.get("key")?, renamed));
            }
        }
        drop(rows);
        for (key, entry) in changed {
            others += update.execute(params![key, entry])? as i64;
        }
    }
    if let Some(first) = beginnings.first() {
        t.execute(
            "UPDATE erasures SET others = others + ?2 WHERE erasure_key = ?1",
            params![first.key, others],
        )?;
    }
    Ok(())
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len().max(1))
        .any(|window| window == text.as_bytes())
}

/// Receipts tell what stood in the way of values that were refused, and whose these are they do not tell: those texts go.
fn blank_receipts(t: &Transaction<'_>) -> Result<u64, StoreError> {
    let mut select = t.prepare("SELECT receipt, outcome FROM receipts")?;
    let mut rows = select.query([])?;
    let mut changed: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes = row
            .get_ref("outcome")?
            .as_blob()
            .map_err(rusqlite::Error::from)?;
        let Ok(mut receipt) = postcard::from_bytes::<RequestReceipt>(bytes) else {
            continue;
        };
        if receipt.blank() {
            let outcome = postcard::to_allocvec(&receipt)
                .map_err(|error| StoreError::Corrupt(format!("a receipt: {error}")))?;
            changed.push((row.get("receipt")?, outcome));
        }
    }
    drop(rows);
    let mut update = t.prepare("UPDATE receipts SET outcome = ?2 WHERE receipt = ?1")?;
    for (receipt, outcome) in &changed {
        update.execute(params![receipt, outcome])?;
    }
    Ok(changed.len() as u64)
}

/// Looks at the next predictions, and erases those that are to be; gives the requests that are found no more by their ids.
pub(super) fn walk(t: &Transaction<'_>, walk: &Walk) -> Result<Vec<Place>, StoreError> {
    let mut last = t.prepare_cached(
        "SELECT prediction_order FROM predictions WHERE prediction_order > ?1 AND prediction_order <= ?2 \
         ORDER BY prediction_order LIMIT 1 OFFSET ?3",
    )?;
    let mut rows = last.query(params![walk.from, walk.until, LOOKED_AT - 1])?;
    let mut end: i64 = match rows.next()? {
        Some(row) => row.get("prediction_order")?,
        None => walk.until,
    };
    drop(rows);
    let units: Vec<&str> = walk.erasing.by_unit.keys().map(String::as_str).collect();
    let units = serde_json::to_string(&units).expect("texts are JSON");
    let mut changes = Changes::new(t)?;
    let mut forgotten = Vec::new();
    let (mut found, mut others): (HashMap<i64, i64>, HashMap<i64, i64>) = Default::default();
    let mut select = t.prepare_cached(&format!(
        "SELECT {} FROM predictions p WHERE p.prediction_order > ?1 AND p.prediction_order <= ?2 \
         AND p.unit_id IN (SELECT value FROM json_each(?3)) ORDER BY p.prediction_order LIMIT ?4",
        rewrite::COLUMNS
    ))?;
    let mut rows = select.query(params![walk.from, end, units, ERASED_AT_ONCE])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        seen += 1;
        let order: i64 = row.get("prediction_order")?;
        if seen == ERASED_AT_ONCE {
            end = order;
        }
        // Where a row cannot be read all of it goes.
        let Ok(stored) = rewrite::stored(row) else {
            t.execute(
                "DELETE FROM predictions WHERE prediction_order = ?1",
                [order],
            )?;
            continue;
        };
        let Some(renamed) = stored.unit_id.and_then(|unit| {
            walk.erasing
                .of(unit, |renamed| order <= renamed.until_order)
        }) else {
            continue;
        };
        let without = PredictionRow {
            unit_id: Some(&renamed.pseudonym),
            request: None,
            ..rewrite::without_content(&stored, None)
        };
        changes.note(&stored, Some(&without));
        rewrite::forget_request(t, &stored, &mut forgotten)?;
        rewrite::update(t, &without)?;
        *found.entry(renamed.key).or_default() += 1;
        let mut beside = feedback::forget_labels(t, order)?;
        beside += forget_shadows(t, order)?;
        *others.entry(renamed.key).or_default() += beside as i64;
    }
    drop(rows);
    changes.write(t)?;
    let mut count = t.prepare_cached(
        "UPDATE erasures SET predictions = predictions + ?2, others = others + ?3 WHERE erasure_key = ?1",
    )?;
    for (key, predictions) in found {
        let others = others.get(&key).copied().unwrap_or_default();
        count.execute([key, predictions, others])?;
    }
    let mut walked =
        t.prepare_cached("UPDATE erasures SET walked_order = ?2 WHERE erasure_key = ?1")?;
    for key in &walk.keys {
        walked.execute([*key, end])?;
    }
    Ok(forgotten)
}

/// What versions made of copies of a request.
fn forget_shadows(t: &Connection, order: i64) -> Result<usize, StoreError> {
    let mut update = t.prepare_cached(
        "UPDATE shadows SET prediction = NULL, outputs = NULL, error = CASE WHEN error IS NOT NULL THEN '' END \
         WHERE mirrors_order = ?1",
    )?;
    Ok(update.execute([order])?)
}

/// What became of a prediction that a shadow mirrors.
pub(super) enum Mirrored {
    /// It is as it was, or its unit is yet to be renamed.
    There,
    /// Its unit is erased.
    Erased,
    /// It is removed.
    Gone,
}

pub(super) fn mirrored(
    connection: &Connection,
    erasing: &Erasing,
    order: i64,
) -> Result<Mirrored, StoreError> {
    let mut select =
        connection.prepare_cached("SELECT unit_id FROM predictions WHERE prediction_order = ?1")?;
    let mut rows = select.query([order])?;
    let Some(row) = rows.next()? else {
        return Ok(Mirrored::Gone);
    };
    let unit = row.get_ref("unit_id")?.as_str_or_null();
    let unit = unit.map_err(rusqlite::Error::from)?.unwrap_or_default();
    let mut renamed = erasing.by_unit.values().flatten();
    Ok(match renamed.any(|renamed| renamed.pseudonym == unit) {
        true => Mirrored::Erased,
        false => Mirrored::There,
    })
}

/// Asks for an erasure; gives the rows that were written.
pub(super) fn insert(
    t: &Transaction<'_>,
    new: &types::NewErasure,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    t.execute(
        "INSERT INTO erasures (erasure_id, pseudonym, unit_id, requested_at, until_order, position, walked_order) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, -1)",
        params![
            new.id.to_string(),
            new.pseudonym,
            new.unit.as_str(),
            at.micros(),
            new.until_order as i64,
            new.position as i64,
        ],
    )
}

/// All of it is erased: nobody knows any more whose it was.
pub(super) fn end(t: &Transaction<'_>, id: ErasureId, at: Timestamp) -> rusqlite::Result<usize> {
    t.execute(
        "UPDATE erasures SET unit_id = NULL, ended_at = ?2 WHERE erasure_id = ?1 AND ended_at IS NULL",
        params![id.to_string(), at.micros()],
    )
}
