//! Rows of predictions that change after they were counted: roll-ups keep what was counted, and follow the hashes of the rows
//! that are there.

use super::hash::PredictionRow;
use super::journal_state::{FIRST_SERVER, Origin};
use super::request_ids::Place;
use super::rollups::{self, Bucket};
use crate::entry::ERASED_ERROR;
use crate::{StoreError, Tier, request_number};
use evidence::RowHash;
use foldhash::{HashMap, HashMapExt};
use rusqlite::{Connection, Row, params};
use types::{Kept, KeptPart, PredictionId, VersionKey};

/// The columns that [`stored`] reads, which come first.
pub(super) const COLUMNS: &str = "p.prediction_order, p.random, p.version_key, p.served_key, p.status, p.reason, p.epoch, \
     p.propensity, p.unit_id, p.input_kind, p.input, p.prediction, p.confidence, p.latency_ns, p.error, p.experiment_key, \
     p.server_key, p.position, p.attributes, p.alias, p.request_id, p.request_body, p.made_at, p.failure, p.outputs, p.kept";

/// A prediction as its row has it. By place: a name is looked for among all names, and there are many rows.
pub(super) fn stored<'a>(row: &'a Row<'_>) -> Result<PredictionRow<'a>, StoreError> {
    let text = |place: usize| {
        let text = row.get_ref(place)?.as_str_or_null();
        text.map_err(|error| StoreError::Corrupt(format!("column {place}: {error}")))
    };
    let server_key: Option<i64> = row.get(16)?;
    let position: Option<i64> = row.get(17)?;
    let origin = server_key
        .zip(position)
        .map(|(server_key, position)| Origin {
            server_key,
            position,
        });
    Ok(PredictionRow {
        order: row.get(0)?,
        random: row.get(1)?,
        version: row.get(2)?,
        served: row.get(3)?,
        status: row.get(4)?,
        reason: row.get(5)?,
        epoch: row.get(6)?,
        propensity: row.get(7)?,
        unit_id: text(8)?,
        input_kind: row.get(9)?,
        input: text(10)?.unwrap_or_default(),
        prediction: text(11)?,
        confidence: row.get(12)?,
        latency_ns: row.get(13)?,
        error: text(14)?,
        experiment: row.get(15)?,
        origin,
        attributes: text(18)?,
        alias: text(19)?,
        request: text(20)?.zip(row.get(21)?),
        made_at: row.get(22)?,
        failure: text(23)?,
        outputs: text(24)?,
        kept: row.get(25)?,
    })
}

/// The same row without what came in and was answered. What is left of its attributes is given.
pub(super) fn without_content<'a>(
    row: &PredictionRow<'a>,
    attributes: Option<&'a str>,
) -> PredictionRow<'a> {
    let known = row.kept.and_then(|code| Kept::of_code(code as u64));
    let has_output = row.prediction.is_some() || row.outputs.is_some();
    let mut kept = known
        .unwrap_or_default()
        .erased(has_output, row.attributes.is_some());
    if attributes.is_some() {
        // What evidence needs is left.
        kept.attributes = KeptPart::Redacted;
    }
    PredictionRow {
        // An input that is JSON stays some.
        input: if row.input_kind == 0 { "" } else { "null" },
        prediction: None,
        outputs: None,
        error: row.error.map(|_| ERASED_ERROR),
        attributes,
        kept: super::predictions::kept_code(kept),
        ..*row
    }
}

/// Writes those columns of a row again that may change.
pub(super) fn update(connection: &Connection, row: &PredictionRow<'_>) -> Result<(), StoreError> {
    let mut update = connection.prepare_cached(
        "UPDATE predictions SET unit_id = ?2, input = ?3, prediction = ?4, error = ?5, attributes = ?6, request_id = ?7, \
         request_body = ?8, outputs = ?9, kept = ?10 WHERE prediction_order = ?1",
    )?;
    update.execute(params![
        row.order,
        row.unit_id,
        row.input,
        row.prediction,
        row.error,
        row.attributes,
        row.request.map(|(id, _)| id),
        row.request.map(|(_, body)| body),
        row.outputs,
        row.kept,
    ])?;
    Ok(())
}

/// Has a request be found no more by its id.
pub(super) fn forget_request(
    connection: &Connection,
    row: &PredictionRow<'_>,
    forgotten: &mut Vec<Place>,
) -> Result<(), StoreError> {
    if let Some((id, _)) = row.request {
        let place = (request_number(id), row.order);
        let mut delete = connection.prepare_cached(
            "DELETE FROM request_ids WHERE number = ?1 AND prediction_order = ?2",
        )?;
        delete.execute([place.0, place.1])?;
        forgotten.push(place);
    }
    Ok(())
}

/// What rows that change, or go, do to the roll-ups that they were counted in.
pub(super) struct Changes {
    /// Minutes before this are folded away.
    horizon: i64,
    by_rollup: HashMap<(Bucket, i64), Changed>,
}

#[derive(Default)]
pub(super) struct Changed {
    /// Rows that go.
    pub(super) removed: u64,
    /// Of these, those whose hashes are in the sums.
    pub(super) hashed: u64,
    /// What is added to the sums of hashes, modulo 2^64.
    pub(super) hash: RowHash,
}

impl Changes {
    pub(super) fn new(connection: &Connection) -> Result<Self, StoreError> {
        Ok(Self {
            horizon: rollups::minute_horizon(connection)?,
            by_rollup: HashMap::new(),
        })
    }

    /// A row becomes another one, or goes where there is none after it.
    pub(super) fn note(&mut self, before: &PredictionRow<'_>, after: Option<&PredictionRow<'_>>) {
        let time = PredictionId::new(before.order as u64, 0).time();
        // Rows of releases that kept no positions kept no hashes either.
        let server_key = before.origin.map(|origin| origin.server_key);
        let old = before.hash();
        let new = after.map(PredictionRow::hash).unwrap_or_default();
        for tier in Tier::ALL {
            let bucket = Bucket {
                tier,
                start: tier.start_of(time),
                version: VersionKey(before.version),
                epoch: before.epoch,
            };
            if tier == Tier::Minute && bucket.start < self.horizon {
                continue;
            }
            let key = (bucket, server_key.unwrap_or(FIRST_SERVER));
            let changed = self.by_rollup.entry(key).or_default();
            changed.removed += u64::from(after.is_none());
            if server_key.is_some() {
                changed.hashed += u64::from(after.is_none());
                let add = |sum: u64, new: u64, old: u64| sum.wrapping_add(new).wrapping_sub(old);
                changed.hash.kept = add(changed.hash.kept, new.kept, old.kept);
                changed.hash.content = add(changed.hash.content, new.content, old.content);
            }
        }
    }

    pub(super) fn write(self, connection: &Connection) -> Result<(), StoreError> {
        for ((bucket, server_key), changed) in self.by_rollup {
            rollups::change(connection, bucket, server_key, &changed)?;
        }
        Ok(())
    }
}
