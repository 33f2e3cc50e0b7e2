//! Evidence as rows: sums per experiment, epoch, arm and metric, kept in the log's transaction. The
//! writer keeps the rows it adds to in memory and writes them once per group.

mod units;

use crate::StoreError;
use crate::evidence::{Change, Step, UnitMetric, cutoff, start_of};
use foldhash::HashMap;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::sync::Arc;
use types::{
    ExperimentDefinition, ExperimentKey, Missing, PredictionRecord, Status, Timestamp, VersionKey,
};
pub(super) use units::unit_number;
use units::{UnitPlace, Units};

/// The place of exposures among the metrics.
pub(super) const EXPOSURES: i64 = -1;
/// The start of the row that holds all of time.
pub(super) const ALL_TIME: i64 = -1;
/// Rows kept in memory; above this all are forgotten and read again when needed.
const MAX_OPEN: usize = 4096;

/// A prediction's place in an experiment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Exposure {
    pub(super) experiment: ExperimentKey,
    pub(super) epoch: i64,
    pub(super) version: VersionKey,
    /// `None` for a prediction that is a unit of its own.
    pub(super) unit: Option<i64>,
    /// When it was made, in seconds.
    pub(super) seconds: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    experiment: ExperimentKey,
    epoch: i64,
    version: VersionKey,
    metric: i64,
    start: i64,
}

struct Open {
    /// Its row; `None` before it is written for the first time.
    row: Option<i64>,
    sums: Change,
    changed: bool,
}

/// The evidence that the writer adds to.
#[derive(Default)]
pub(super) struct OpenEvidence {
    experiments: HashMap<ExperimentKey, Arc<ExperimentDefinition>>,
    open: HashMap<Place, Open>,
    touched: Vec<Place>,
    /// Of each series of stretches, the newest.
    newest: HashMap<Place, i64>,
    units: Units,
    /// The newest moment that was seen, in seconds.
    now: i64,
}

impl OpenEvidence {
    /// Counts a prediction of an experiment.
    pub(super) fn expose(
        &mut self,
        connection: &Connection,
        record: &PredictionRecord,
        experiment: ExperimentKey,
    ) -> Result<(), StoreError> {
        let exposure = Exposure {
            experiment,
            epoch: record.epoch,
            version: record.version,
            unit: record
                .unit_id
                .as_ref()
                .map(|unit| unit_number(unit.as_str())),
            seconds: record.id.time().seconds(),
        };
        self.now = self.now.max(exposure.seconds);
        let definition = self.definition(connection, experiment)?;
        let status = record.status();
        let (version, new_unit) = match exposure.unit {
            None => (exposure.version, true),
            Some(unit) => {
                let place = UnitPlace {
                    experiment,
                    unit,
                    epoch: exposure.epoch,
                };
                let (unit, new) = self.units.open(connection, place, exposure.version)?;
                (unit.version, new)
            }
        };
        let exposures = Change {
            units: i64::from(new_unit),
            count: 1,
            events: i64::from(status == Status::Fallback),
            ..Change::default()
        };
        let place = Place {
            experiment,
            epoch: exposure.epoch,
            version,
            metric: EXPOSURES,
            start: ALL_TIME,
        };
        self.add(connection, place, &exposures)?;
        for (at, metric) in definition.metrics.iter().enumerate() {
            let built_in = metric.built_in();
            let value = built_in.and_then(|built_in| {
                built_in.value_of(&record.outcome, status != Status::Ok, definition.slo_ms)
            });
            let step = match value {
                Some(value) => Step {
                    count: 1,
                    sum: value,
                    valued: true,
                    bad: metric.is_bad(value),
                },
                // It counts as a failure until its value arrives.
                None if metric.from_feedback() && metric.missing == Missing::Failure => Step {
                    count: 1,
                    sum: 0.0,
                    valued: false,
                    bad: false,
                },
                None => continue,
            };
            let nothing = UnitMetric::default();
            self.step(connection, &exposure, at, step, nothing)?;
        }
        Ok(())
    }

    /// Counts a value that came for a prediction of an experiment; `old` is the value it replaces.
    /// Says whether it was the first event of its unit; `None` when the experiment does not count
    /// the metric.
    pub(super) fn value(
        &mut self,
        connection: &Connection,
        exposure: &Exposure,
        metric: &str,
        (old, new): (Option<f64>, f64),
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError> {
        self.now = self.now.max(now.seconds());
        let definition = self.definition(connection, exposure.experiment)?;
        let Some(at) = definition.metric(metric) else {
            return Ok(None);
        };
        let metric = &definition.metrics[at];
        let counted = old.is_some() || metric.missing == Missing::Failure;
        let step = Step {
            count: u64::from(!counted),
            sum: new - old.unwrap_or(0.0),
            valued: old.is_none(),
            // A first event stands when its value is replaced, and a replacement is no first event.
            bad: old.is_none() && metric.is_bad(new),
        };
        let start = start_of(metric, exposure.seconds);
        let own = UnitMetric::of_one(start, counted, old);
        self.step(connection, exposure, at, step, own).map(Some)
    }

    /// Whether the experiment has a metric.
    pub(super) fn has_metric(
        &mut self,
        connection: &Connection,
        experiment: ExperimentKey,
        metric: &str,
    ) -> Result<bool, StoreError> {
        let definition = self.definition(connection, experiment)?;
        Ok(definition.metric(metric).is_some())
    }

    /// `own` is what is known of a prediction that is a unit of its own. Says whether an event was
    /// counted.
    fn step(
        &mut self,
        connection: &Connection,
        exposure: &Exposure,
        at: usize,
        mut step: Step,
        mut own: UnitMetric,
    ) -> Result<bool, StoreError> {
        let definition = self.definition(connection, exposure.experiment)?;
        let metric = &definition.metrics[at];
        let cutoff = cutoff(metric, self.now);
        let start = start_of(metric, exposure.seconds);
        let (version, changes) = match exposure.unit {
            None => (exposure.version, own.take(start, step, cutoff)),
            Some(unit) => {
                let place = UnitPlace {
                    experiment: exposure.experiment,
                    unit,
                    epoch: exposure.epoch,
                };
                if step.bad && self.units.had_event_elsewhere(connection, place, at)? {
                    step.bad = false;
                }
                let (unit, _) = self.units.open(connection, place, exposure.version)?;
                (unit.version, unit.metric(at).take(start, step, cutoff))
            }
        };
        let event = changes.iter().any(|(_, change)| change.events > 0);
        for (start, change) in changes {
            let place = |start| Place {
                experiment: exposure.experiment,
                epoch: exposure.epoch,
                version,
                metric: at as i64,
                start,
            };
            self.add(connection, place(ALL_TIME), &change)?;
            // What has matured is never told apart again.
            if let Some(bucket) = metric.bucket_seconds()
                && start > cutoff
            {
                self.add(connection, place(start), &change)?;
                self.forget_matured(connection, place(start), cutoff - 2 * bucket)?;
            }
        }
        Ok(event)
    }

    fn add(
        &mut self,
        connection: &Connection,
        place: Place,
        change: &Change,
    ) -> Result<(), StoreError> {
        let open = match self.open.get_mut(&place) {
            Some(open) => open,
            None => {
                let loaded = Open::load(connection, place)?;
                self.open.entry(place).or_insert(loaded)
            }
        };
        open.sums.add(change);
        if !open.changed {
            open.changed = true;
            self.touched.push(place);
        }
        Ok(())
    }

    /// Removes stretches that matured long ago, when a new one begins.
    fn forget_matured(
        &mut self,
        connection: &Connection,
        place: Place,
        before: i64,
    ) -> Result<(), StoreError> {
        let begins = self.open.get(&place).is_some_and(|open| open.row.is_none());
        if !begins
            || self.newest.insert(Place { start: 0, ..place }, place.start) == Some(place.start)
        {
            return Ok(());
        }
        let mut delete = connection.prepare_cached(
            "DELETE FROM evidence WHERE experiment_key = ?1 AND epoch = ?2 AND version_key = ?3 \
             AND metric = ?4 AND start >= 0 AND start < ?5",
        )?;
        let p = place;
        delete.execute(params![
            p.experiment.0,
            p.epoch,
            p.version.0,
            p.metric,
            before
        ])?;
        self.open.retain(|other, _| {
            other.start < 0
                || other.start >= before
                || Place {
                    start: place.start,
                    ..*other
                } != place
        });
        Ok(())
    }

    fn definition(
        &mut self,
        connection: &Connection,
        experiment: ExperimentKey,
    ) -> Result<Arc<ExperimentDefinition>, StoreError> {
        if let Some(definition) = self.experiments.get(&experiment) {
            return Ok(Arc::clone(definition));
        }
        let definition = Arc::new(definition_of(connection, experiment)?);
        self.experiments.insert(experiment, Arc::clone(&definition));
        Ok(definition)
    }

    /// Writes what has changed.
    pub(super) fn write(&mut self, connection: &Connection) -> Result<(), StoreError> {
        for place in self.touched.drain(..) {
            if let Some(open) = self.open.get_mut(&place) {
                open.write(connection, place)?;
            }
        }
        self.units.write(connection)?;
        if self.open.len() > MAX_OPEN {
            self.open.clear();
            self.newest.clear();
        }
        Ok(())
    }

    /// Forgets all, because the database has moved without it.
    pub(super) fn forget(&mut self) {
        *self = Self {
            now: self.now,
            ..Self::default()
        };
    }
}

impl Open {
    fn load(connection: &Connection, place: Place) -> Result<Self, StoreError> {
        let mut select = connection.prepare_cached(&format!(
            "SELECT evidence_id, {COLUMNS} FROM evidence WHERE experiment_key = ?1 AND epoch = ?2 \
             AND version_key = ?3 AND metric = ?4 AND start = ?5"
        ))?;
        let key = params![
            place.experiment.0,
            place.epoch,
            place.version.0,
            place.metric,
            place.start
        ];
        let found = |row: &Row<'_>| Ok((row.get(0)?, read_sums(row, 1)?));
        let stored: Option<(i64, Change)> = select.query_row(key, found).optional()?;
        let (row, sums) = stored.map_or_else(Default::default, |(row, sums)| (Some(row), sums));
        Ok(Self {
            row,
            sums,
            changed: false,
        })
    }

    fn write(&mut self, connection: &Connection, place: Place) -> Result<(), StoreError> {
        self.changed = false;
        let row = match self.row {
            Some(row) => row,
            None => {
                let mut insert = connection.prepare_cached(
                    "INSERT INTO evidence (experiment_key, epoch, version_key, metric, start) \
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?;
                let p = place;
                let key = params![p.experiment.0, p.epoch, p.version.0, p.metric, p.start];
                *self.row.insert(insert.insert(key)?)
            }
        };
        let mut update = connection.prepare_cached(
            "UPDATE evidence SET units = ?2, count = ?3, sum = ?4, sum_squares = ?5, \
             sum_count_squares = ?6, sum_products = ?7, value_count = ?8, value_units = ?9, \
             events = ?10 WHERE evidence_id = ?1",
        )?;
        let s = &self.sums;
        update.execute(params![
            row,
            s.units,
            s.count,
            s.sum,
            s.sum_squares,
            s.sum_count_squares,
            s.sum_products,
            s.values,
            s.value_units,
            s.events,
        ])?;
        Ok(())
    }
}

/// The columns that [`read_sums`] reads.
pub(super) const COLUMNS: &str = "units, count, sum, sum_squares, sum_count_squares, sum_products, \
     value_count, value_units, events";

pub(super) fn read_sums(row: &Row<'_>, first: usize) -> rusqlite::Result<Change> {
    Ok(Change {
        units: row.get(first)?,
        count: row.get(first + 1)?,
        sum: row.get(first + 2)?,
        sum_squares: row.get(first + 3)?,
        sum_count_squares: row.get(first + 4)?,
        sum_products: row.get(first + 5)?,
        values: row.get(first + 6)?,
        value_units: row.get(first + 7)?,
        events: row.get(first + 8)?,
    })
}

pub(super) fn definition_of(
    connection: &Connection,
    experiment: ExperimentKey,
) -> Result<ExperimentDefinition, StoreError> {
    let mut select = connection
        .prepare_cached("SELECT definition FROM experiments WHERE experiment_key = ?1")?;
    let text: String = select.query_row([experiment.0], |row| row.get(0))?;
    serde_json::from_str(&text)
        .map_err(|error| StoreError::Corrupt(format!("the definition of an experiment: {error}")))
}
