//! What an arm met in each minute, as rows. The newest ones are kept in memory, and written once per group.

use super::super::hash::Columns;
use super::super::row::corrupt;
use crate::{StoreError, VerifyReport};
use foldhash::HashMap;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::hash_map::Entry;
use types::{ArmMinute, Experiment, ExperimentKey, MinuteEvidence, VersionKey};

/// Minutes kept in memory; above this all that are written are forgotten.
const MAX_OPEN: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct MinutePlace {
    pub(super) experiment: ExperimentKey,
    pub(super) epoch: i64,
    pub(super) version: VersionKey,
    pub(super) minute: i64,
}

/// The minutes that the writer adds to.
#[derive(Default)]
pub(super) struct Minutes {
    open: HashMap<MinutePlace, (ArmMinute, bool)>,
    touched: Vec<MinutePlace>,
}

impl Minutes {
    /// The sums of a minute, which are taken to change.
    pub(super) fn at(
        &mut self,
        connection: &Connection,
        place: MinutePlace,
        server_key: i64,
    ) -> Result<&mut ArmMinute, StoreError> {
        let (sums, touched) = match self.open.entry(place) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => {
                let sums = load(connection, *place.key(), server_key)?.unwrap_or_default();
                place.insert((sums, false))
            }
        };
        if !std::mem::replace(touched, true) {
            self.touched.push(place);
        }
        Ok(sums)
    }

    pub(super) fn write(
        &mut self,
        connection: &Connection,
        server_key: i64,
    ) -> Result<(), StoreError> {
        for place in self.touched.drain(..) {
            if let Some((sums, touched)) = self.open.get_mut(&place) {
                *touched = false;
                write(connection, place, server_key, sums)?;
            }
        }
        if self.open.len() > MAX_OPEN {
            self.open.clear();
        }
        Ok(())
    }
}

fn load(
    connection: &Connection,
    p: MinutePlace,
    server_key: i64,
) -> Result<Option<ArmMinute>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT sums FROM experiment_minutes WHERE experiment_key = ?1 AND epoch = ?2 \
         AND version_key = ?3 AND minute = ?4 AND server_key = ?5",
    )?;
    let key = params![p.experiment.0, p.epoch, p.version.0, p.minute, server_key];
    Ok(select.query_row(key, read).optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ArmMinute> {
    let bytes = row.get_ref("sums")?.as_blob()?;
    postcard::from_bytes(bytes).map_err(|_| corrupt("sums"))
}

fn write(
    connection: &Connection,
    p: MinutePlace,
    server_key: i64,
    sums: &ArmMinute,
) -> Result<(), StoreError> {
    let bytes = postcard::to_allocvec(sums).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    let mut upsert = connection.prepare_cached(
        "INSERT INTO experiment_minutes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE \
         SET sums = excluded.sums, row_hash = excluded.row_hash",
    )?;
    let hash = row_hash(p, server_key, &bytes);
    upsert.execute(params![
        p.experiment.0,
        p.epoch,
        p.version.0,
        p.minute,
        server_key,
        bytes,
        hash
    ])?;
    Ok(())
}

fn row_hash(p: MinutePlace, server_key: i64, sums: &[u8]) -> i64 {
    let mut columns = Columns::new();
    columns
        .number(p.experiment.0)
        .number(p.epoch)
        .number(p.version.0)
        .number(p.minute)
        .number(server_key)
        .bytes(sums);
    columns.hash() as i64
}

/// The minutes of an experiment in the order of time, the servers added up.
pub(in crate::sqlite) fn of_experiment(
    connection: &Connection,
    experiment: &Experiment,
) -> Result<Vec<MinuteEvidence>, StoreError> {
    let definition = &experiment.definition;
    let mut select = connection.prepare_cached(
        "SELECT epoch, version_key, minute, sums FROM experiment_minutes WHERE experiment_key = ?1",
    )?;
    let mut rows = select.query([experiment.key.0])?;
    let mut found: std::collections::BTreeMap<(i64, i64), Vec<ArmMinute>> = Default::default();
    while let Some(row) = rows.next()? {
        let place = (row.get("minute")?, row.get("epoch")?);
        let Some(arm) = definition.arm(VersionKey(row.get("version_key")?)) else {
            continue;
        };
        let arms = found.entry(place);
        let arms = arms.or_insert_with(|| vec![ArmMinute::default(); definition.arms.len()]);
        arms[arm].add(&read(row)?);
    }
    let minutes = found
        .into_iter()
        .map(|((minute, epoch), arms)| MinuteEvidence {
            epoch,
            minute,
            arms,
        });
    Ok(minutes.collect())
}

/// The sums as they are stored, by epoch, version and minute, the servers added up.
pub(in crate::sqlite) fn stored(
    connection: &Connection,
    experiment: ExperimentKey,
) -> Result<HashMap<(i64, VersionKey, i64), ArmMinute>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT epoch, version_key, minute, sums FROM experiment_minutes WHERE experiment_key = ?1",
    )?;
    let mut rows = select.query([experiment.0])?;
    let mut found: HashMap<(i64, VersionKey, i64), ArmMinute> = HashMap::default();
    while let Some(row) = rows.next()? {
        let place = (
            row.get("epoch")?,
            VersionKey(row.get("version_key")?),
            row.get("minute")?,
        );
        found.entry(place).or_default().add(&read(row)?);
    }
    Ok(found)
}

/// Rows that are not what was written.
pub(in crate::sqlite) fn changed_rows(
    connection: &Connection,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let mut select = connection.prepare(
        "SELECT experiment_key, epoch, version_key, minute, server_key, sums, row_hash \
         FROM experiment_minutes",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let hash = |row: &Row<'_>| -> rusqlite::Result<i64> {
            let place = MinutePlace {
                experiment: ExperimentKey(row.get("experiment_key")?),
                epoch: row.get("epoch")?,
                version: VersionKey(row.get("version_key")?),
                minute: row.get("minute")?,
            };
            let sums = row.get_ref("sums")?.as_blob()?;
            Ok(row_hash(place, row.get("server_key")?, sums))
        };
        if hash(row).ok() != row.get("row_hash").ok() {
            let number = |name: &str| -> String {
                let number = row.get::<_, i64>(name);
                number.map_or_else(|_| format!("an unreadable {name}"), |n| n.to_string())
            };
            report.changed(format_args!(
                "minute {} of experiment number {}, epoch {}, version number {}",
                number("minute"),
                number("experiment_key"),
                number("epoch"),
                number("version_key"),
            ));
        }
    }
    Ok(())
}
