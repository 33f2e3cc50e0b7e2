//! What is known of each unit of an experiment.
//!
//! Units come back at random, so writing each one's row with each group would rewrite a page per
//! prediction. Instead a group appends the new states of its units to a journal, in one row, and they
//! stay in memory; from there they are written to their rows in the order of their keys, a few with
//! each group, so that neighbours share a page. The journal is read at the start.

use crate::StoreError;
use crate::evidence::{UnitMetric, before};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ops::Bound;
use types::{ExperimentKey, VersionKey};

/// So many units stay in memory before they are written to their rows: about 40 MiB.
const MANY_UNITS: usize = 131_072;
/// So many bytes of journal are kept per unit in memory before all are written to their rows, so that
/// a row is written once for many states; and so many bytes are kept at least.
const JOURNAL_PER_UNIT: usize = 512;
const MUCH_JOURNAL: usize = 4 << 20;
/// Units that are written to their rows with a group, at least, while there are many.
const SWEEP: usize = 64;

/// The number of a unit: the first 64 bits of SHA-256.
pub(in crate::sqlite) fn unit_number(unit_id: &str) -> i64 {
    let digest = Sha256::digest(unit_id.as_bytes());
    let first: [u8; 8] = digest[..8].try_into().expect("a digest has 32 bytes");
    i64::from_be_bytes(first)
}

/// A unit in an epoch of an experiment, in the order of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnitPlace {
    pub(super) experiment: ExperimentKey,
    pub(super) unit: i64,
    pub(super) epoch: i64,
}

/// What is known of a unit in an epoch.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// The arm of its first exposure in the epoch.
    pub(super) version: VersionKey,
    metrics: Vec<UnitMetric>,
    /// It has changed since the last group.
    touched: bool,
}

/// A unit in the journal.
#[derive(Serialize, Deserialize)]
struct Entry<M = UnitMetric> {
    experiment: i64,
    unit: i64,
    epoch: i64,
    version: i64,
    metrics: Vec<M>,
}

/// The format of states in which sums are plain numbers: releases before the journal wrote it.
const PLAIN: i64 = 0;
/// The format that is written: sums are exact.
const FORMAT: i64 = 1;

impl Unit {
    /// What is known of it for the metric at a place of the definition.
    pub(super) fn metric(&mut self, at: usize) -> &mut UnitMetric {
        if self.metrics.len() <= at {
            self.metrics.resize_with(at + 1, UnitMetric::default);
        }
        &mut self.metrics[at]
    }

    fn had_event(&self, at: usize) -> bool {
        self.metrics.get(at).is_some_and(|metric| metric.event)
    }
}

/// The units whose rows are not up to date.
pub(super) struct Units {
    /// More than this many are written to their rows.
    many: usize,
    /// `None` until the journal is read.
    open: Option<BTreeMap<UnitPlace, Unit>>,
    touched: Vec<UnitPlace>,
    journal: Journal,
    /// The last unit that was written to its row.
    cursor: Option<UnitPlace>,
}

impl Default for Units {
    fn default() -> Self {
        Self {
            many: MANY_UNITS,
            open: None,
            touched: Vec::new(),
            journal: Journal::default(),
            cursor: None,
        }
    }
}

#[derive(Default)]
struct Journal {
    /// Its newest row.
    newest: i64,
    /// Its newest row when the present round over the units began: at the end of the round, all that
    /// is in this one and older ones is in the units' rows.
    round_began_at: i64,
    /// Bytes since the last round began, and before.
    bytes: usize,
    older_bytes: usize,
}

impl Units {
    /// A unit, which is taken to have changed, and whether it was never seen before. A new one
    /// belongs to `version`.
    pub(super) fn open(
        &mut self,
        connection: &Connection,
        place: UnitPlace,
        version: VersionKey,
    ) -> Result<(&mut Unit, bool), StoreError> {
        self.read_journal(connection)?;
        let open = self.open.get_or_insert_default();
        let mut new = false;
        let unit = match open.entry(place) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(vacant) => {
                let stored = load(connection, place)?;
                new = stored.is_none();
                vacant.insert(stored.unwrap_or(Unit {
                    version,
                    ..Unit::default()
                }))
            }
        };
        if !unit.touched {
            unit.touched = true;
            self.touched.push(place);
        }
        Ok((unit, new))
    }

    /// Whether an event of the unit was counted in another epoch of the experiment.
    pub(super) fn had_event_elsewhere(
        &mut self,
        connection: &Connection,
        place: UnitPlace,
        at: usize,
    ) -> Result<bool, StoreError> {
        self.read_journal(connection)?;
        let open = self.open.get_or_insert_default();
        let first = UnitPlace {
            epoch: i64::MIN,
            ..place
        };
        let last = UnitPlace {
            epoch: i64::MAX,
            ..place
        };
        let mut others = open
            .range(first..=last)
            .filter(|(other, _)| **other != place);
        if others.any(|(_, unit)| unit.had_event(at)) {
            return Ok(true);
        }
        let mut select = connection.prepare_cached(
            "SELECT epoch, version_key, state, format FROM experiment_units \
             WHERE experiment_key = ?1 AND unit = ?2 AND epoch <> ?3",
        )?;
        let mut rows = select.query(params![place.experiment.0, place.unit, place.epoch])?;
        while let Some(row) = rows.next()? {
            let epoch = row.get(0)?;
            // What is in memory is newer, and was looked at above.
            if !open.contains_key(&UnitPlace { epoch, ..place }) && read(row)?.had_event(at) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Appends the units of this group to the journal, and writes some of all units to their rows
    /// when there are many.
    pub(super) fn write(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if self.touched.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(self.touched.len() * 64);
        let touched = self.touched.len();
        for place in self.touched.drain(..) {
            if let Some(unit) = open.get_mut(&place) {
                unit.touched = false;
                let entry = Entry {
                    experiment: place.experiment.0,
                    unit: place.unit,
                    epoch: place.epoch,
                    version: unit.version.0,
                    metrics: std::mem::take(&mut unit.metrics),
                };
                bytes = postcard::to_extend(&entry, bytes)
                    .map_err(|error| StoreError::Corrupt(error.to_string()))?;
                unit.metrics = entry.metrics;
            }
        }
        // Numbered here, so that a number is not given again when the journal was emptied.
        let seq = self.journal.newest + 1;
        let mut insert =
            connection.prepare_cached("INSERT INTO unit_journal VALUES (?1, ?2, ?3)")?;
        insert.execute(params![seq, bytes, FORMAT])?;
        self.journal.newest = seq;
        self.journal.bytes += bytes.len();
        let many = open.len() > self.many
            || self.journal.bytes + self.journal.older_bytes
                > MUCH_JOURNAL.max(JOURNAL_PER_UNIT * open.len());
        if many {
            self.sweep(connection, 2 * touched + SWEEP)?;
        }
        Ok(())
    }

    /// Writes the next units to their rows; after the last one a round is over.
    fn sweep(&mut self, connection: &Connection, count: usize) -> Result<(), StoreError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let from = self.cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let next = open.range((from, Bound::Unbounded)).take(count);
        let places: Vec<UnitPlace> = next.map(|(place, _)| *place).collect();
        let mut upsert = connection.prepare_cached(
            "INSERT INTO experiment_units (experiment_key, unit, epoch, version_key, state, format) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (experiment_key, unit, epoch) \
             DO UPDATE SET state = excluded.state, format = excluded.format",
        )?;
        for place in &places {
            if let Some(unit) = open.remove(place) {
                let state = postcard::to_allocvec(&unit.metrics)
                    .map_err(|error| StoreError::Corrupt(error.to_string()))?;
                let UnitPlace {
                    experiment,
                    unit: number,
                    epoch,
                } = place;
                let version = unit.version.0;
                upsert.execute(params![experiment.0, number, epoch, version, state, FORMAT])?;
            }
        }
        if places.len() == count {
            self.cursor = places.last().copied();
            return Ok(());
        }
        self.cursor = None;
        let mut delete = connection.prepare_cached("DELETE FROM unit_journal WHERE seq <= ?1")?;
        delete.execute([self.journal.round_began_at])?;
        self.journal.round_began_at = self.journal.newest;
        self.journal.older_bytes = std::mem::take(&mut self.journal.bytes);
        Ok(())
    }

    fn read_journal(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if self.open.is_some() {
            return Ok(());
        }
        let corrupt = || StoreError::Corrupt("the journal of units".into());
        let mut open = BTreeMap::new();
        let mut select =
            connection.prepare("SELECT seq, units, format FROM unit_journal ORDER BY seq")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            self.journal.newest = row.get(0)?;
            let mut bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let format: i64 = row.get(2)?;
            self.journal.bytes += bytes.len();
            while !bytes.is_empty() {
                let entry = take_entry(&mut bytes, format).map_err(|_| corrupt())?;
                let place = UnitPlace {
                    experiment: ExperimentKey(entry.experiment),
                    unit: entry.unit,
                    epoch: entry.epoch,
                };
                let unit = Unit {
                    version: VersionKey(entry.version),
                    metrics: entry.metrics,
                    touched: false,
                };
                // A later row has the newer state.
                open.insert(place, unit);
            }
        }
        self.journal.round_began_at = self.journal.newest;
        self.open = Some(open);
        Ok(())
    }
}

fn load(connection: &Connection, place: UnitPlace) -> Result<Option<Unit>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT epoch, version_key, state, format FROM experiment_units \
         WHERE experiment_key = ?1 AND unit = ?2 AND epoch = ?3",
    )?;
    let mut rows = select.query(params![place.experiment.0, place.unit, place.epoch])?;
    rows.next()?.map(read).transpose()
}

/// From epoch, version, state and its format.
fn read(row: &rusqlite::Row<'_>) -> Result<Unit, StoreError> {
    let blob = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
    let metrics = match row.get(3)? {
        PLAIN => postcard::from_bytes(blob).map(present),
        FORMAT => postcard::from_bytes(blob),
        _ => Err(postcard::Error::SerdeDeCustom),
    };
    Ok(Unit {
        version: VersionKey(row.get(1)?),
        metrics: metrics.map_err(|_| StoreError::Corrupt("the state of a unit".into()))?,
        touched: false,
    })
}

fn present(old: Vec<before::UnitMetric>) -> Vec<UnitMetric> {
    old.into_iter().map(UnitMetric::from).collect()
}

/// The next entry of a row of the journal.
fn take_entry(bytes: &mut &[u8], format: i64) -> postcard::Result<Entry> {
    let (entry, rest) = match format {
        PLAIN => {
            let (old, rest): (Entry<before::UnitMetric>, _) = postcard::take_from_bytes(bytes)?;
            let entry = Entry {
                experiment: old.experiment,
                unit: old.unit,
                epoch: old.epoch,
                version: old.version,
                metrics: present(old.metrics),
            };
            (entry, rest)
        }
        FORMAT => postcard::take_from_bytes(bytes)?,
        _ => return Err(postcard::Error::SerdeDeCustom),
    };
    *bytes = rest;
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Step;
    use std::collections::HashMap;

    /// Units with room for few in memory, as after a start.
    fn few() -> Units {
        Units {
            many: 100,
            ..Units::default()
        }
    }

    #[test]
    fn nothing_is_lost_between_memory_journal_and_rows() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("../schema.sql"))
            .unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let mut units = few();
        let mut expected: HashMap<i64, UnitMetric> = HashMap::new();
        let mut rows_were_written = false;
        for group in 0..400 {
            for _ in 0..random.usize(1..20) {
                let number = random.i64(0..1000);
                let step = Step {
                    count: 1,
                    sum: random.f64().into(),
                    valued: true,
                    bad: random.bool(),
                };
                let place = UnitPlace {
                    experiment: ExperimentKey(1),
                    unit: number,
                    epoch: 1,
                };
                let (unit, new) = units.open(&connection, place, VersionKey(number)).unwrap();
                assert_eq!(new, !expected.contains_key(&number));
                assert_eq!(unit.version, VersionKey(number));
                let known = expected.entry(number).or_default();
                known.take(0, &step, i64::MIN, |_, _| {});
                unit.metric(0).take(0, &step, i64::MIN, |_, _| {});
                assert_eq!(unit.metric(0), known);
            }
            units.write(&connection).unwrap();
            // A start, or a group that failed.
            if group % 37 == 0 {
                units = few();
            }
            let sql = "SELECT count(*) FROM experiment_units";
            let rows: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
            rows_were_written |= rows > 500;
        }
        assert!(rows_were_written, "the rows were never swept");
        let sql = "SELECT count(*) FROM unit_journal";
        let journal: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert!(journal < 100, "the journal has {journal} rows of 400");
        let mut units = few();
        for (number, known) in &expected {
            let place = UnitPlace {
                experiment: ExperimentKey(1),
                unit: *number,
                epoch: 1,
            };
            let (unit, _) = units.open(&connection, place, VersionKey(0)).unwrap();
            assert_eq!(unit.metric(0), known, "unit {number}");
        }
    }
}
