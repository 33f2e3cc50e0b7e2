//! Counts the evidence of every experiment again, from predictions and feedback alone.

use super::VerifyReport;
use crate::StoreError;
use crate::sqlite::evidence::{
    ALL_TIME, COLUMNS, EXPOSURES, definition_of, read_sums, unit_number,
};
use crate::sqlite::predictions::{MEASURED, measured};
use ::evidence::{Delta, ExactSum, Exposure, Outcome};
use rusqlite::{Connection, Row};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use types::{ExperimentDefinition, ExperimentKey, Measured, MetricSums};

/// A unit in an epoch; a prediction without a `unit_id` is one of its own.
#[derive(PartialEq, Eq, Hash, Clone, Copy)]
enum Unit {
    Named(i64),
    Own(i64),
}

/// Experiment, epoch, version and metric.
type Place = (i64, i64, i64, i64);

/// What a unit gathered for one metric.
#[derive(Default)]
struct Gathered {
    count: u64,
    sum: ExactSum,
    values: i64,
}

#[derive(Default)]
struct Recount {
    /// `None` where one cannot be read.
    definitions: HashMap<i64, Option<ExperimentDefinition>>,
    units: HashMap<(Place, Unit), Gathered>,
    exposures: HashMap<Place, Delta>,
    exposed: HashSet<(Place, Unit)>,
    /// By experiment and metric: how many first events, of predictions and of feedback.
    events: HashMap<(i64, i64), i64>,
    had_event: HashSet<(i64, i64, Unit)>,
}

pub(super) fn check(connection: &Connection, report: &mut VerifyReport) -> Result<(), StoreError> {
    let mut recount = Recount::default();
    recount.count(connection)?;
    recount.compare(connection, report)
}

impl Recount {
    fn count(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut select = connection.prepare(
            &format!("SELECT p.prediction_order, p.experiment_key, p.epoch, p.version_key, p.unit_id, {MEASURED} \
             FROM predictions p WHERE p.experiment_key IS NOT NULL ORDER BY p.prediction_order"),
        )?;
        let mut feedback = connection
            .prepare("SELECT metric, value, event FROM feedback WHERE prediction_order = ?1")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let order: i64 = row.get("prediction_order")?;
            let experiment: i64 = row.get("experiment_key")?;
            if let Entry::Vacant(place) = self.definitions.entry(experiment) {
                // One that cannot be read is named with the catalogue.
                place.insert(definition_of(connection, ExperimentKey(experiment)).ok());
            }
            let mut values = HashMap::new();
            let mut given = feedback.query([order])?;
            while let Some(row) = given.next()? {
                let value = (row.get::<_, f64>("value")?, row.get::<_, bool>("event")?);
                values.insert(row.get::<_, String>("metric")?, value);
            }
            // One that cannot be read is named where rows are counted.
            if let Ok(prediction) = Prediction::read(row) {
                self.add(&prediction, &values);
            }
        }
        Ok(())
    }

    fn add(&mut self, p: &Prediction, feedback: &HashMap<String, (f64, bool)>) {
        let new = self.exposed.insert((p.place, p.unit));
        let exposures = self.exposures.entry(p.place).or_default();
        exposures.add(&Exposure::delta(p.measured.status, new));
        let (experiment, epoch, version, _) = p.place;
        let Some(Some(definition)) = self.definitions.get(&experiment) else {
            return;
        };
        for (at, metric) in definition.metrics.iter().enumerate() {
            let at = at as i64;
            let given = feedback.get(metric.name.as_str());
            let feedback = given.map(|(value, _)| *value);
            let outcome = Outcome::of(definition, metric, p.measured, feedback);
            let value = outcome.value;
            let first_event = if metric.from_feedback() {
                given.is_some_and(|(_, event)| *event)
            } else {
                value.is_some_and(|value| metric.is_bad(value))
                    && self.had_event.insert((experiment, at, p.unit))
            };
            *self.events.entry((experiment, at)).or_default() += i64::from(first_event);
            if outcome.counts {
                let place = (experiment, epoch, version, at);
                let gathered = self.units.entry((place, p.unit)).or_default();
                gathered.count += 1;
                gathered.sum.add(value.unwrap_or(0.0));
                gathered.values += i64::from(value.is_some());
            }
        }
    }

    fn totals(&self) -> HashMap<Place, Delta> {
        let mut totals = self.exposures.clone();
        for ((place, _), unit) in &self.units {
            let change = Delta::of_unit(unit.count, &unit.sum, unit.values);
            totals.entry(*place).or_default().add(&change);
        }
        totals
    }

    fn compare(
        &self,
        connection: &Connection,
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        let mut totals = self.totals();
        let mut events: HashMap<(i64, i64), i64> = HashMap::new();
        let mut incomplete: HashSet<i64> = HashSet::new();
        let mut select = connection.prepare(&format!(
            "SELECT e.experiment_key, e.epoch, e.version_key, e.metric, v.deleted_at IS NOT NULL AS deleted, \
             {COLUMNS} FROM evidence e LEFT JOIN versions v ON v.version_key = e.version_key \
             WHERE e.start = ?1"
        ))?;
        let mut rows = select.query([ALL_TIME])?;
        // A row for each server.
        let mut all: HashMap<Place, Delta> = HashMap::new();
        while let Some(row) = rows.next()? {
            let place = place_of(row, row.get("metric")?)?;
            // The predictions of a deleted version are gone; its evidence stays as it was.
            if row.get("deleted")? {
                incomplete.insert(place.0);
                totals.remove(&place);
                continue;
            }
            match read_sums(row) {
                Ok(stored) => all.entry(place).or_default().add(&stored),
                Err(error) => {
                    totals.remove(&place);
                    report.problem(format!("evidence {place:?} cannot be read: {error}"));
                }
            }
        }
        for (place, mut stored) in all {
            let mut counted = totals.remove(&place).unwrap_or_default();
            report.evidence += 1;
            if place.3 != EXPOSURES {
                *events.entry((place.0, place.3)).or_default() += stored.events;
                (stored.events, counted.events) = (0, 0);
            }
            let (stored, counted): (MetricSums, MetricSums) = (stored.sums(), counted.sums());
            if !stored.agrees_with(&counted) {
                report.problem(format!(
                    "evidence {place:?} (experiment, epoch, version, metric): the rows give \
                     {counted:?}, stored is {stored:?}"
                ));
            }
        }
        for (place, counted) in totals {
            if !incomplete.contains(&place.0) {
                report.problem(format!("evidence {place:?}: {counted:?} is not stored"));
            }
        }
        for (place, counted) in &self.events {
            let stored = events.get(place).copied().unwrap_or(0);
            if stored != *counted && !incomplete.contains(&place.0) {
                report.problem(format!(
                    "events of (experiment, metric) {place:?}: the rows give {counted}, stored are {stored}"
                ));
            }
        }
        Ok(())
    }
}

fn place_of(row: &Row<'_>, metric: i64) -> rusqlite::Result<Place> {
    Ok((
        row.get("experiment_key")?,
        row.get("epoch")?,
        row.get("version_key")?,
        metric,
    ))
}

struct Prediction {
    place: Place,
    unit: Unit,
    measured: Measured,
}

impl Prediction {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let order: i64 = row.get("prediction_order")?;
        let unit_id: Option<String> = row.get("unit_id")?;
        let measured = measured(row)?;
        Ok(Self {
            place: place_of(row, EXPOSURES)?,
            unit: unit_id.map_or(Unit::Own(order), |id| Unit::Named(unit_number(&id))),
            measured,
        })
    }
}
