//! Labels of running experiments that can never equal what was answered: their types differ.

use super::row::ByName;
use crate::StoreError;
use ::evidence::Exposure;
use rusqlite::{Connection, params};
use types::{Experiment, Mismatch, UnlikeLabels, VersionKey};

/// Takes back what a label was that is replaced, where it was counted, and counts what the new one is. Where the answer is not kept
/// any more, one of the kind that there are most of is taken back.
pub(super) fn change(
    connection: &Connection,
    exposure: &Exposure,
    counted: Option<Option<Mismatch>>,
    now: Option<Mismatch>,
) -> Result<(), StoreError> {
    let of = (exposure.experiment.0, exposure.version.0);
    if let Some(before) = counted {
        let mut take = connection.prepare_cached(
            "UPDATE unlike_labels SET count = count - 1 WHERE (experiment_key, version_key, prediction, label) = \
             (SELECT experiment_key, version_key, prediction, label FROM unlike_labels \
              WHERE experiment_key = ?1 AND version_key = ?2 AND count > 0 \
              AND (?3 IS NULL OR (prediction = ?3 AND label = ?4)) ORDER BY count DESC LIMIT 1)",
        )?;
        let types = before.map(|before| (before.prediction.as_str(), before.label.as_str()));
        let (prediction, label) = types.unzip();
        take.execute(params![of.0, of.1, prediction, label])?;
    }
    if let Some(Mismatch { prediction, label }) = now {
        let mut add = connection.prepare_cached(
            "INSERT INTO unlike_labels VALUES (?1, ?2, ?3, ?4, 1) ON CONFLICT DO UPDATE SET count = count + 1",
        )?;
        add.execute(params![of.0, of.1, prediction.as_str(), label.as_str()])?;
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
