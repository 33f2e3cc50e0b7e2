//! Declared metrics as rows.

use super::audit::audit;
use super::{Catalog, corrupt, experiments, readable, to_text, unreadable_rows};
use crate::sqlite::Store;
use crate::{CatalogError, StoreError};
use rusqlite::{Connection, Row, Transaction, params};
use serde_json::json;
use types::{Metric, MetricName, ModelName, Timestamp};

impl Store {
    /// The metrics that were declared for a model.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn metrics(&self, name: ModelName) -> Result<Vec<Metric>, StoreError> {
        self.read(move |connection| list(connection, &name)).await
    }

    /// Declares a metric, or changes its declaration. Values that are stored stay.
    ///
    /// # Errors
    /// [`CatalogError::UnknownModel`], or [`CatalogError::MetricInUse`] while a running experiment
    /// counts it as it was declared.
    pub async fn set_metric(&self, name: ModelName, metric: Metric, now: Timestamp) -> Catalog<()> {
        let change = move |t: &Transaction<'_>| {
            require_model(t, &name)?;
            let before = list(t, &name)?.into_iter().find(|m| m.name == metric.name);
            if before.as_ref() == Some(&metric) {
                return Ok(());
            }
            refuse_in_use(t, &name, &metric.name)?;
            t.execute(
                "INSERT INTO metrics VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name, metric) \
                 DO UPDATE SET definition = excluded.definition, updated_at = excluded.updated_at",
                params![
                    name.as_str(),
                    metric.name.as_str(),
                    to_text(&metric)?,
                    now.micros()
                ],
            )?;
            audit(
                t,
                &name,
                None,
                "metric.set",
                &json!({"from": before, "to": metric}),
                now,
            )
        };
        self.change(change).await
    }

    /// Removes the declaration of a metric; says whether there was one. Values that are stored stay.
    ///
    /// # Errors
    /// [`CatalogError::UnknownModel`], or [`CatalogError::MetricInUse`].
    pub async fn delete_metric(
        &self,
        name: ModelName,
        metric: MetricName,
        now: Timestamp,
    ) -> Catalog<bool> {
        let change = move |t: &Transaction<'_>| {
            require_model(t, &name)?;
            refuse_in_use(t, &name, &metric)?;
            let deleted = t.execute(
                "DELETE FROM metrics WHERE name = ?1 AND metric = ?2",
                [name.as_str(), metric.as_str()],
            )?;
            if deleted > 0 {
                audit(
                    t,
                    &name,
                    None,
                    "metric.deleted",
                    &json!({"metric": metric}),
                    now,
                )?;
            }
            Ok(deleted > 0)
        };
        self.change(change).await
    }
}

pub(in crate::sqlite) fn list(
    connection: &Connection,
    name: &ModelName,
) -> Result<Vec<Metric>, StoreError> {
    let mut select = connection
        .prepare_cached("SELECT metric, definition FROM metrics WHERE name = ?1 ORDER BY metric")?;
    let rows = select.query_map([name.as_str()], read_metric)?;
    readable(rows)
}

/// Metrics that cannot be read, and why.
pub(super) fn unreadable(connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let select = "SELECT metric, definition FROM metrics";
    unreadable_rows(connection, select, "the metric", read_metric)
}

/// From its name and its definition.
fn read_metric(row: &Row<'_>) -> rusqlite::Result<Metric> {
    serde_json::from_str(&row.get::<_, String>(1)?).map_err(|_| corrupt(1))
}

fn require_model(t: &Transaction<'_>, name: &ModelName) -> Catalog<()> {
    let sql = "SELECT count(*) FROM versions WHERE name = ?1 AND deleted_at IS NULL";
    let versions: i64 = t.query_row(sql, [name.as_str()], |row| row.get(0))?;
    if versions == 0 {
        return Err(CatalogError::UnknownModel(name.clone()));
    }
    Ok(())
}

fn refuse_in_use(t: &Transaction<'_>, name: &ModelName, metric: &MetricName) -> Catalog<()> {
    match experiments::running_of(t, name)? {
        Some(experiment) if experiment.definition.metric(metric.as_str()).is_some() => {
            Err(CatalogError::MetricInUse(experiment.id))
        }
        _ => Ok(()),
    }
}
