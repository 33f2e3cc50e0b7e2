//! Units as rows, and as entries of the units' journal.

use super::{Unit, UnitPlace};
use crate::StoreError;
use evidence::{Coin, Covariates, Segments, UnitMetric, earlier};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use types::{ExperimentKey, VersionKey};

/// The format of states in which sums are plain numbers: releases before the journal wrote it.
const PLAIN: i64 = 0;
/// The format of states without bets: releases before schema 8 wrote it.
const WITHOUT_BETS: i64 = 1;
/// The format of states without segments: releases before schema 10 wrote it.
const WITHOUT_SEGMENTS: i64 = 2;
/// The format of states without covariates: releases before schema 11 wrote it.
const WITHOUT_COVARIATES: i64 = 3;
/// The format of states without numbers of bad values: releases before schema 17 wrote it.
const WITHOUT_BAD: i64 = 4;
/// The format that is written.
const FORMAT: i64 = 5;

/// The state of a unit as its row has it.
type State<M> = (Coin, i64, M, Segments, Covariates);
/// The same in states without segments.
type WithoutSegments<M> = (Coin, i64, M);
/// The same in states without covariates.
type WithSegments<M> = (Coin, i64, M, Segments);

/// A unit in the journal.
#[derive(Serialize, Deserialize)]
struct Entry<S> {
    experiment: i64,
    unit: i64,
    epoch: i64,
    version: i64,
    state: S,
}

impl<S> Entry<S> {
    fn map<T>(self, state: impl FnOnce(S) -> T) -> Entry<T> {
        Entry {
            experiment: self.experiment,
            unit: self.unit,
            epoch: self.epoch,
            version: self.version,
            state: state(self.state),
        }
    }
}

/// Appends the state of a unit to what will be a row of the journal.
pub(super) fn append(unit: &Unit, bytes: &mut Vec<u8>) -> Result<(), StoreError> {
    let entry = Entry {
        experiment: unit.place.experiment.0,
        unit: unit.place.unit,
        epoch: unit.place.epoch,
        version: unit.version.0,
        state: state_of(unit),
    };
    *bytes =
        postcard::to_extend(&entry, std::mem::take(bytes)).map_err(|error| unwritable(&error))?;
    Ok(())
}

pub(super) fn insert_journal(
    connection: &Connection,
    seq: i64,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached("INSERT INTO unit_journal VALUES (?1, ?2, ?3)")?;
    insert.execute(params![seq, bytes, FORMAT])?;
    Ok(())
}

/// Removes rows of the journal up to one.
pub(super) fn delete_journal(connection: &Connection, until: i64) -> Result<(), StoreError> {
    let mut delete = connection.prepare_cached("DELETE FROM unit_journal WHERE seq <= ?1")?;
    delete.execute([until])?;
    Ok(())
}

/// Reads the journal in order: its rows with their sizes, and the units in each.
pub(super) fn read_journal(
    connection: &Connection,
    mut row_of: impl FnMut(i64, usize),
    mut unit_of: impl FnMut(Unit),
) -> Result<(), StoreError> {
    let corrupt = |_| StoreError::Corrupt("the journal of units".into());
    let mut select =
        connection.prepare("SELECT seq, units, format FROM unit_journal ORDER BY seq")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (seq, format) = (row.get("seq")?, row.get("format")?);
        let mut bytes = row
            .get_ref("units")?
            .as_blob()
            .map_err(rusqlite::Error::from)?;
        row_of(seq, bytes.len());
        while !bytes.is_empty() {
            let entry = take_entry(&mut bytes, format).map_err(corrupt)?;
            let (coin, began, metrics, segments, covariates) = entry.state;
            unit_of(Unit {
                place: UnitPlace {
                    experiment: ExperimentKey(entry.experiment),
                    unit: entry.unit,
                    epoch: entry.epoch,
                },
                version: VersionKey(entry.version),
                coin,
                began,
                metrics,
                segments,
                covariates,
                touched: false,
                journaled: seq,
            });
        }
    }
    Ok(())
}

/// The next entry of a row of the journal.
fn take_entry(bytes: &mut &[u8], format: i64) -> postcard::Result<Entry<State<Vec<UnitMetric>>>> {
    let (entry, rest) = match format {
        PLAIN => {
            let (old, rest): (Entry<Vec<earlier::UnitMetric>>, _) =
                postcard::take_from_bytes(bytes)?;
            (old.map(present), rest)
        }
        WITHOUT_BETS => {
            let (old, rest): (Entry<Vec<earlier::WithoutBets>>, _) =
                postcard::take_from_bytes(bytes)?;
            (old.map(present), rest)
        }
        WITHOUT_SEGMENTS => {
            let (old, rest): (Entry<WithoutSegments<Vec<earlier::WithoutBad>>>, _) =
                postcard::take_from_bytes(bytes)?;
            (old.map(with_none), rest)
        }
        WITHOUT_COVARIATES => {
            let (old, rest): (Entry<WithSegments<Vec<earlier::WithoutBad>>>, _) =
                postcard::take_from_bytes(bytes)?;
            (old.map(without_covariates), rest)
        }
        WITHOUT_BAD => {
            let (old, rest): (Entry<State<Vec<earlier::WithoutBad>>>, _) =
                postcard::take_from_bytes(bytes)?;
            (old.map(without_bad), rest)
        }
        FORMAT => postcard::take_from_bytes(bytes)?,
        _ => return Err(postcard::Error::SerdeDeCustom),
    };
    *bytes = rest;
    Ok(entry)
}

/// Writes the row of a unit.
pub(super) fn upsert(connection: &Connection, unit: &Unit) -> Result<(), StoreError> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO experiment_units (experiment_key, unit, epoch, version_key, state, format) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (experiment_key, unit, epoch) \
         DO UPDATE SET state = excluded.state, format = excluded.format",
    )?;
    let state = postcard::to_allocvec(&state_of(unit)).map_err(|error| unwritable(&error))?;
    let place = unit.place;
    let version = unit.version.0;
    upsert.execute(params![
        place.experiment.0,
        place.unit,
        place.epoch,
        version,
        state,
        FORMAT
    ])?;
    Ok(())
}

/// The unit that a row has, where there is one.
pub(super) fn load(connection: &Connection, place: UnitPlace) -> Result<Option<Unit>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT epoch, version_key, state, format FROM experiment_units \
         WHERE experiment_key = ?1 AND unit = ?2 AND epoch = ?3",
    )?;
    let mut rows = select.query(params![place.experiment.0, place.unit, place.epoch])?;
    rows.next()?.map(|row| read(row, place)).transpose()
}

/// The units of an experiment that have rows.
pub(super) fn each_row(
    connection: &Connection,
    experiment: ExperimentKey,
    mut unit_of: impl FnMut(&Unit),
) -> Result<(), StoreError> {
    let mut select = connection.prepare(
        "SELECT unit, epoch, version_key, state, format FROM experiment_units WHERE experiment_key = ?1",
    )?;
    let mut rows = select.query([experiment.0])?;
    while let Some(row) = rows.next()? {
        let place = UnitPlace {
            experiment,
            unit: row.get("unit")?,
            epoch: row.get("epoch")?,
        };
        unit_of(&read(row, place)?);
    }
    Ok(())
}

/// Whether a row of the unit in another epoch has an event, but for those epochs that are in memory.
pub(super) fn had_event(
    connection: &Connection,
    place: UnitPlace,
    at: usize,
    in_memory: impl Fn(i64) -> bool,
) -> Result<bool, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT epoch, version_key, state, format FROM experiment_units \
         WHERE experiment_key = ?1 AND unit = ?2 AND epoch <> ?3",
    )?;
    let mut rows = select.query(params![place.experiment.0, place.unit, place.epoch])?;
    while let Some(row) = rows.next()? {
        if !in_memory(row.get("epoch")?) && read(row, place)?.had_event(at) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The epochs in which rows of the unit are, beside one, and its arms there.
pub(super) fn elsewhere(
    connection: &Connection,
    place: UnitPlace,
) -> Result<Vec<(i64, VersionKey)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT epoch, version_key FROM experiment_units \
         WHERE experiment_key = ?1 AND unit = ?2 AND epoch <> ?3",
    )?;
    let read = |row: &Row<'_>| Ok((row.get("epoch")?, VersionKey(row.get("version_key")?)));
    let rows = select.query_map(params![place.experiment.0, place.unit, place.epoch], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Where a unit was exposed first, of what is in rows, and when, in microseconds.
pub(super) fn first(
    connection: &Connection,
    (experiment, unit): (ExperimentKey, i64),
    at: usize,
) -> Result<Option<(UnitPlace, i64)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT epoch, version_key, state, format FROM experiment_units \
         WHERE experiment_key = ?1 AND unit = ?2 ORDER BY epoch",
    )?;
    let mut rows = select.query(params![experiment.0, unit])?;
    while let Some(row) = rows.next()? {
        let epoch = row.get("epoch")?;
        let place = UnitPlace {
            experiment,
            unit,
            epoch,
        };
        if let Some(made) = read(row, place)?.exposed_first(at) {
            return Ok(Some((place, made)));
        }
    }
    Ok(None)
}

/// The epochs of an experiment that have evidence: whatever exposes a unit writes some.
pub(super) fn epochs(
    connection: &Connection,
    experiment: ExperimentKey,
) -> Result<Vec<i64>, StoreError> {
    let mut select = connection
        .prepare_cached("SELECT DISTINCT epoch FROM evidence WHERE experiment_key = ?1")?;
    let epochs = select.query_map([experiment.0], |row| row.get("epoch"))?;
    Ok(epochs.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>, place: UnitPlace) -> Result<Unit, StoreError> {
    let blob = row
        .get_ref("state")?
        .as_blob()
        .map_err(rusqlite::Error::from)?;
    let state: postcard::Result<State<_>> = match row.get("format")? {
        PLAIN => postcard::from_bytes::<Vec<earlier::UnitMetric>>(blob).map(present),
        WITHOUT_BETS => postcard::from_bytes::<Vec<earlier::WithoutBets>>(blob).map(present),
        WITHOUT_SEGMENTS => {
            postcard::from_bytes::<WithoutSegments<Vec<earlier::WithoutBad>>>(blob).map(with_none)
        }
        WITHOUT_COVARIATES => postcard::from_bytes::<WithSegments<Vec<earlier::WithoutBad>>>(blob)
            .map(without_covariates),
        WITHOUT_BAD => {
            postcard::from_bytes::<State<Vec<earlier::WithoutBad>>>(blob).map(without_bad)
        }
        FORMAT => postcard::from_bytes(blob),
        _ => Err(postcard::Error::SerdeDeCustom),
    };
    let unreadable = |_| StoreError::Corrupt("the state of a unit".into());
    let (coin, began, metrics, segments, covariates) = state.map_err(unreadable)?;
    let epoch = row.get("epoch")?;
    Ok(Unit {
        place: UnitPlace { epoch, ..place },
        version: VersionKey(row.get("version_key")?),
        coin,
        began,
        metrics,
        segments,
        covariates,
        touched: false,
        journaled: 0,
    })
}

/// The state of a unit of an earlier release: it takes no part in bets.
fn present<M: Into<UnitMetric>>(old: Vec<M>) -> State<Vec<UnitMetric>> {
    let metrics = old.into_iter().map(Into::into).collect();
    (
        Coin::LeftOut,
        0,
        metrics,
        Segments::default(),
        Covariates::new(),
    )
}

fn with_none<M: Into<UnitMetric>>(
    (coin, began, metrics): WithoutSegments<Vec<M>>,
) -> State<Vec<UnitMetric>> {
    without_covariates((coin, began, metrics, Segments::default()))
}

fn without_covariates<M: Into<UnitMetric>>(
    (coin, began, metrics, segments): WithSegments<Vec<M>>,
) -> State<Vec<UnitMetric>> {
    without_bad((coin, began, metrics, segments, Covariates::new()))
}

fn without_bad<M: Into<UnitMetric>>(
    (coin, began, metrics, segments, covariates): State<Vec<M>>,
) -> State<Vec<UnitMetric>> {
    let metrics = metrics.into_iter().map(Into::into).collect();
    (coin, began, metrics, segments, covariates)
}

fn state_of(unit: &Unit) -> (Coin, i64, &[UnitMetric], &Segments, &Covariates) {
    let Unit {
        coin,
        began,
        metrics,
        segments,
        covariates,
        ..
    } = unit;
    (*coin, *began, metrics, segments, covariates)
}

fn unwritable(error: &postcard::Error) -> StoreError {
    StoreError::Corrupt(error.to_string())
}
