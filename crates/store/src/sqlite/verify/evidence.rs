//! Counts the evidence of every experiment again, from predictions and feedback alone.

use super::VerifyReport;
use crate::sqlite::erasure::Erasing;
use crate::sqlite::evidence::{
    ALL_TIME, COLUMNS, EXPOSURES, days_of, definition_of, facts_of, in_segment, is_of_all, minutes,
    read_sums, segment_values, terms_of,
};
use crate::sqlite::feedback::outcomes;
use crate::sqlite::predictions::{MEASURED, measured};
use crate::sqlite::row::ByName;
use crate::{StoreError, unit_number};
use ::evidence::{Bets, Delta, Exposed, Given, Recount, Unit};
use rusqlite::{Connection, OptionalExtension, Row, Statement};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use types::{
    ArmMinute, Attributes, ExperimentKey, Metric, MetricSums, PredictionId, Timestamp, VersionKey,
};

/// Epoch, version and the place of the metric, as rows have them.
type Place = (i64, i64, i64);

/// As a person reads it.
fn at(experiment: ExperimentKey, (epoch, version, metric): Place) -> String {
    let of = format!(
        "evidence of experiment number {}, epoch {epoch}, version number {version}",
        experiment.0
    );
    if metric == EXPOSURES {
        format!("{of}, exposures")
    } else {
        format!("{of}, metric number {metric}")
    }
}

/// What a person sees of sums that do not agree.
fn in_short(sums: &MetricSums) -> String {
    format!(
        "{} units, {} predictions, {} values and a sum of {}",
        sums.units,
        sums.count,
        sums.values,
        sums.total()
    )
}

pub(super) fn check(connection: &Connection, report: &mut VerifyReport) -> Result<(), StoreError> {
    let mut counted = count(connection, report)?;
    let mut select = connection.prepare("SELECT DISTINCT experiment_key FROM evidence")?;
    let stored = select.query_map([], |row| row.get("experiment_key"))?;
    for experiment in stored {
        let experiment = ExperimentKey(experiment?);
        if let Entry::Vacant(entry) = counted.entry(experiment) {
            entry.insert(recount_of(connection, experiment, report)?);
        }
    }
    let mut counted: Vec<_> = counted.into_iter().collect();
    counted.sort_by_key(|(experiment, _)| *experiment);
    for (experiment, recount) in counted {
        // One that cannot be read is named with the catalogue.
        if let Some(rows) = removed_of(connection, experiment)? {
            report.not_recountable.push(rows);
        } else if let Some(recount) = recount {
            check_one(connection, experiment, &recount, report)?;
        }
    }
    Ok(())
}

/// The id of an experiment of which rows are removed, and how many.
fn removed_of(
    connection: &Connection,
    experiment: ExperimentKey,
) -> Result<Option<(String, u64)>, StoreError> {
    let sql = "SELECT experiment_id, rows_removed FROM experiments WHERE experiment_key = ?1 AND rows_removed > 0";
    let mut select = connection.prepare_cached(sql)?;
    let found = select.query_row([experiment.0], |row| {
        Ok((row.get("experiment_id")?, row.count("rows_removed")?))
    });
    Ok(found.optional()?)
}

fn recount_of(
    connection: &Connection,
    experiment: ExperimentKey,
    report: &mut VerifyReport,
) -> Result<Option<Recount>, StoreError> {
    // One that cannot be read is named with the catalogue.
    let Ok(definition) = definition_of(connection, experiment) else {
        return Ok(None);
    };
    let definition = Arc::new(definition);
    let mut recount = Recount::new(Arc::clone(&definition), None);
    recount.values(segment_values(connection, experiment)?);
    let sql = "SELECT epoch FROM experiment_epochs WHERE experiment_key = ?1";
    let mut select = connection.prepare_cached(sql)?;
    for epoch in select.query_map([experiment.0], |row| row.get("epoch"))? {
        let epoch = epoch?;
        recount.epoch(epoch, terms_of(connection, experiment, epoch, &definition)?);
    }
    let facts = facts_of(connection, experiment, |epoch, unit, facts| {
        recount.fixed(epoch, unit, facts);
    });
    match facts {
        Err(StoreError::Corrupt(why)) => {
            let key = experiment.0;
            report.problem(format!(
                "units of experiment number {key} cannot be read: {why}"
            ));
        }
        facts => facts?,
    }
    Ok(Some(recount))
}

fn check_one(
    connection: &Connection,
    experiment: ExperimentKey,
    recount: &Recount,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let Stored {
        mut sums,
        mut events,
        incomplete,
    } = stored(connection, experiment, report)?;
    let key = experiment.0;
    for ((epoch, version, metric, segment), mut counted) in recount.sums() {
        let of_metric = metric.map_or(EXPOSURES, |at| at as i64);
        let place = (epoch, version.0, in_segment(of_metric, segment));
        let Some(mut stored) = sums.remove(&place) else {
            if !incomplete {
                let rows = in_short(&counted.sums());
                report.problem(format!(
                    "{}: the rows give {rows}, nothing is stored",
                    at(experiment, place)
                ));
            }
            continue;
        };
        report.evidence += 1;
        let told_apart = recount.has_scales(epoch);
        if metric.is_some() {
            (stored.events, counted.events) = (0, 0);
        }
        // Releases without scales did not tell first exposures apart.
        if !told_apart {
            counted.fresh_values = stored.fresh_values;
        }
        if metric.is_none() && !told_apart {
            (counted.values, counted.value_units) = (stored.values, stored.value_units);
        }
        compare(experiment, place, &stored, &counted, report);
    }
    for (place, mut stored) in sums {
        report.evidence += 1;
        if place.2 != EXPOSURES {
            stored.events = 0;
        }
        compare(experiment, place, &stored, &Delta::default(), report);
    }
    check_days(connection, experiment, recount, incomplete, report)?;
    check_minutes(connection, experiment, recount, incomplete, report)?;
    for (at, counted) in (0..).zip(recount.events()) {
        let stored = events.remove(&at).unwrap_or(0);
        if stored != *counted && !incomplete {
            report.problem(format!(
                "events of experiment {key}, metric {at}: the rows give {counted}, stored are {stored}"
            ));
        }
    }
    Ok(())
}

/// Numbers of units by day.
fn check_days(
    connection: &Connection,
    experiment: ExperimentKey,
    recount: &Recount,
    incomplete: bool,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let key = experiment.0;
    let mut stored: HashMap<_, Bets> = HashMap::new();
    let sql = "SELECT DISTINCT epoch, version_key FROM evidence WHERE experiment_key = ?1";
    let mut select = connection.prepare_cached(sql)?;
    for arm in select.query_map([key], |row| Ok((row.get(0)?, VersionKey(row.get(1)?))))? {
        let (epoch, version) = arm?;
        let read = days_of(connection, (experiment, epoch, version), |at, day, bets| {
            let sums = stored.entry((epoch, version, at, day)).or_default();
            sums.add(bets);
        });
        if let Err(error) = read {
            report.problem(format!(
                "days of experiment number {key} cannot be read: {error}"
            ));
            return Ok(());
        }
    }
    if incomplete {
        return Ok(());
    }
    let mut counted = recount.days();
    let all = stored.keys().chain(counted.keys());
    let places: BTreeSet<_> = all.copied().collect();
    for place in places {
        let (epoch, version, at, day) = place;
        let stored = stored.remove(&place).unwrap_or_default();
        let counted = counted.remove(&place).unwrap_or_default();
        report.evidence += 1;
        if stored != counted {
            report.problem(format!(
                "day {day} of experiment number {key}, epoch {epoch}, version number {}, metric number {at}: the rows give \
                 {} units, stored are {} (or other sums differ)",
                version.0,
                counted.day_sums().units,
                stored.day_sums().units
            ));
        }
    }
    Ok(())
}

/// Predictions of each minute, and those with an event. Which event of a unit was its first is not told by its rows.
fn check_minutes(
    connection: &Connection,
    experiment: ExperimentKey,
    recount: &Recount,
    incomplete: bool,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let stored = match minutes::stored(connection, experiment) {
        Ok(stored) => stored,
        Err(StoreError::Corrupt(why)) => {
            let key = experiment.0;
            report.problem(format!(
                "minutes of experiment number {key} cannot be read: {why}"
            ));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let plain = |sums: &ArmMinute| -> Vec<(u64, Vec<(u32, u64)>)> {
        let slots = sums.slots.iter().map(|slot| {
            let events = slot.events.iter().map(|(metric, _, bad)| (*metric, *bad));
            (slot.calls, events.collect())
        });
        slots.collect()
    };
    for (place, counted) in recount.minutes() {
        let (epoch, version, minute) = *place;
        let known = stored.get(place).map(plain);
        // Epochs of releases without scales had no minutes.
        let kept = recount.has_scales(epoch) && !incomplete;
        if kept && known.as_ref() != Some(&plain(counted)) {
            report.problem(format!(
                "minute {minute} of experiment number {}, epoch {epoch}, version number {}: the rows give {:?}, stored \
                 is {known:?}",
                experiment.0,
                version.0,
                plain(counted)
            ));
        }
    }
    Ok(())
}

fn compare(
    experiment: ExperimentKey,
    place: Place,
    stored: &Delta,
    counted: &Delta,
    report: &mut VerifyReport,
) {
    let others_agree = stored.bets == counted.bets && stored.parts == counted.parts;
    let (stored, counted): (MetricSums, MetricSums) = (stored.sums(), counted.sums());
    if !stored.agrees_with(&counted) || !others_agree {
        report.problem(format!(
            "{}: the rows give {}, stored are {} (or other sums differ)",
            at(experiment, place),
            in_short(&counted),
            in_short(&stored)
        ));
    }
}

/// Counts what the rows say, by experiment; nothing for one whose definition cannot be read.
fn count(
    connection: &Connection,
    report: &mut VerifyReport,
) -> Result<HashMap<ExperimentKey, Option<Recount>>, StoreError> {
    let mut counted = HashMap::new();
    // Evidence knows these units by their new names already.
    let erasing = Erasing::read(connection)?;
    let mut select = connection.prepare(&format!(
        "SELECT p.prediction_order, p.experiment_key, p.epoch, p.version_key, p.unit_id, p.made_at, p.attributes, {MEASURED} \
         FROM predictions p WHERE p.experiment_key IS NOT NULL ORDER BY p.prediction_order"
    ))?;
    let mut feedback = connection.prepare_cached(
        "SELECT metric, value, event, in_time FROM feedback WHERE prediction_order = ?1 AND apart = 0",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let experiment = ExperimentKey(row.get("experiment_key")?);
        let recount = match counted.entry(experiment) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(recount_of(connection, experiment, report)?),
        };
        // One that cannot be read is named where rows are counted.
        let Some(recount) = recount else {
            continue;
        };
        if let Ok(exposed) = exposed(row, &erasing, recount.needs_attributes()) {
            let order: i64 = row.get("prediction_order")?;
            let given = match given(&mut feedback, order) {
                Ok(given) => given,
                Err(StoreError::Corrupt(why)) => {
                    let id = PredictionId::new(order as u64, 0);
                    report.problem(format!(
                        "feedback for the prediction {id} cannot be read: {why}"
                    ));
                    HashMap::new()
                }
                Err(error) => return Err(error),
            };
            let name = recount.name().to_owned();
            let outcomes = |metric: &Metric| {
                let Unit::Named(unit) = exposed.unit else {
                    return Vec::new();
                };
                let of = (name.as_str(), metric.name.as_str());
                let all = (i64::MIN, i64::MAX);
                outcomes::of_unit(connection, of, unit, all).unwrap_or_default()
            };
            let given = |metric: &Metric| given.get(metric.name.as_str()).copied();
            recount.add(&exposed, given, outcomes);
        }
    }
    Ok(counted)
}

fn given(feedback: &mut Statement<'_>, order: i64) -> Result<HashMap<String, Given>, StoreError> {
    let rows = feedback.query_map([order], |row| {
        let given = Given {
            value: row.get("value")?,
            event: row.get("event")?,
            in_time: row.get("in_time")?,
        };
        Ok((row.get("metric")?, given))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn exposed(
    row: &Row<'_>,
    erasing: &Erasing,
    needs_attributes: bool,
) -> Result<Exposed, StoreError> {
    let order = row.bits("prediction_order")?;
    let unit_id: Option<String> = row.get("unit_id")?;
    let made_at: Option<i64> = row.get("made_at")?;
    let made = made_at.map_or_else(
        || PredictionId::new(order, 0).time(),
        Timestamp::from_micros,
    );
    Ok(Exposed {
        epoch: row.get("epoch")?,
        version: VersionKey(row.get("version_key")?),
        order,
        unit: unit_id.map_or(Unit::Own(order), |id| {
            Unit::Named(unit_number(erasing.name(&id, order as i64)))
        }),
        seconds: made.seconds(),
        measured: measured(row)?,
        attributes: match needs_attributes {
            true => row.json_option("attributes")?.unwrap_or_default(),
            false => Attributes::default(),
        },
    })
}

/// What is stored of an experiment, the servers added up.
struct Stored {
    sums: HashMap<Place, Delta>,
    /// First events by the place of the metric.
    events: HashMap<i64, i64>,
    /// A version of it was deleted: its predictions are gone, and its evidence stays as it was.
    incomplete: bool,
}

fn stored(
    connection: &Connection,
    experiment: ExperimentKey,
    report: &mut VerifyReport,
) -> Result<Stored, StoreError> {
    let mut stored = Stored {
        sums: HashMap::new(),
        events: HashMap::new(),
        incomplete: false,
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT e.epoch, e.version_key, e.metric, v.deleted_at IS NOT NULL AS deleted, {COLUMNS} \
         FROM evidence e LEFT JOIN versions v ON v.version_key = e.version_key \
         WHERE e.experiment_key = ?1 AND e.start = ?2"
    ))?;
    let mut rows = select.query([experiment.0, ALL_TIME])?;
    while let Some(row) = rows.next()? {
        let metric: i64 = row.get("metric")?;
        let place: Place = (row.get("epoch")?, row.get("version_key")?, metric);
        if row.get("deleted")? {
            stored.incomplete = true;
            continue;
        }
        match read_sums(row) {
            Ok(sums) => {
                if is_of_all(metric) {
                    *stored.events.entry(metric).or_default() += sums.events;
                }
                stored.sums.entry(place).or_default().add(&sums);
            }
            Err(error) => {
                report.problem(format!("{} cannot be read: {error}", at(experiment, place)))
            }
        }
    }
    Ok(stored)
}
