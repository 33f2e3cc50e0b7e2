//! Labels of running experiments that can never equal what was answered: their types differ.

use super::row::ByName;
use crate::StoreError;
use ::evidence::Exposure;
use rusqlite::{Connection, params};
use types::{Experiment, Mismatch, UnlikeLabels, VersionKey};

/// Counts what a label is, and takes back what the one was that it replaces.
pub(super) fn change(
    connection: &Connection,
    exposure: &Exposure,
    (before, now): (Option<Mismatch>, Option<Mismatch>),
) -> Result<(), StoreError> {
    if before == now {
        return Ok(());
    }
    let mut add = connection.prepare_cached(
        "INSERT INTO unlike_labels VALUES (?1, ?2, ?3, ?4, max(?5, 0)) \
         ON CONFLICT DO UPDATE SET count = max(count + ?5, 0)",
    )?;
    for (mismatch, change) in [(before, -1), (now, 1)] {
        let Some(Mismatch { prediction, label }) = mismatch else {
            continue;
        };
        let (prediction, label) = (prediction.as_str(), label.as_str());
        let (experiment, version) = (exposure.experiment.0, exposure.version.0);
        add.execute(params![experiment, version, prediction, label, change])?;
    }
    Ok(())
}

/// Those of an experiment, by arm and types.
pub(super) fn of(
    connection: &Connection,
    experiment: &Experiment,
) -> Result<Vec<UnlikeLabels>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT version_key, prediction, label, count FROM unlike_labels WHERE experiment_key = ?1 AND count > 0",
    )?;
    let mut rows = select.query([experiment.key.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let version = VersionKey(row.get("version_key")?);
        let Some(arm) = experiment.definition.arm(version) else {
            continue;
        };
        found.push(UnlikeLabels {
            arm,
            mismatch: Mismatch {
                prediction: row.parsed("prediction", str::parse)?,
                label: row.parsed("label", str::parse)?,
            },
            count: row.count("count")?,
        });
    }
    found.sort();
    Ok(found)
}
