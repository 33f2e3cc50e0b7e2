//! Values of running experiments that took the place of others.

use super::row::ByName;
use crate::StoreError;
use crate::feedback::Corrects;
use ::evidence::Exposure;
use rusqlite::{Connection, params};
use types::{Corrections, Experiment, VersionKey};

/// Counts what a value changes.
pub(super) fn change(
    connection: &Connection,
    exposure: &Exposure,
    metric: &str,
    corrects: Corrects,
) -> Result<(), StoreError> {
    if corrects == Corrects::default() {
        return Ok(());
    }
    let mut write = connection.prepare_cached(
        "INSERT INTO corrections VALUES (?1, ?2, ?3, ?4, max(0, ?5)) ON CONFLICT DO UPDATE \
         SET replaced = replaced + excluded.replaced, late = max(0, late + ?5)",
    )?;
    write.execute(params![
        exposure.experiment.0,
        exposure.version.0,
        metric,
        corrects.replaced,
        corrects.late,
    ])?;
    Ok(())
}

/// Those of an experiment, by metric and arm.
pub(super) fn of(
    connection: &Connection,
    experiment: &Experiment,
) -> Result<Vec<Corrections>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT version_key, metric, replaced, late FROM corrections WHERE experiment_key = ?1",
    )?;
    let mut rows = select.query([experiment.key.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let definition = &experiment.definition;
        let metric = definition.metric(row.get_ref("metric")?.as_str().unwrap_or_default());
        let arm = definition.arm(VersionKey(row.get("version_key")?));
        let Some((metric, arm)) = metric.zip(arm) else {
            continue;
        };
        found.push(Corrections {
            metric,
            arm,
            replaced: row.count("replaced")?,
            late: row.count("late")?,
        });
    }
    found.sort();
    Ok(found)
}
