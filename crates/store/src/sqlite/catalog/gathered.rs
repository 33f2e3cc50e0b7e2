//! What experiments have gathered, read back from the sums.

use super::experiments::each_running;
use crate::StoreError;
use crate::sqlite::evidence::{
    ALL_TIME, COLUMNS, EXPOSURES, days_of, in_segment, read_sums, segment_values,
};
use crate::sqlite::row::ByName;
use crate::traits::RunningEvidence;
use evidence::{Bets, Delta};
use rusqlite::{Connection, Transaction, params};
use std::collections::BTreeMap;
use types::{
    ArmEvidence, DayEvidence, EpochEvidence, Evidence, Experiment, Exposures, MetricEvidence,
    SegmentEvidence, Timestamp,
};

pub(in crate::sqlite) fn evidence(
    connection: &mut Connection,
    experiment: &Experiment,
    now: Timestamp,
) -> Result<Evidence, StoreError> {
    let transaction = connection.transaction()?;
    read_evidence(&transaction, experiment, now)
}

pub(in crate::sqlite) fn running_evidence(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<Vec<RunningEvidence>, StoreError> {
    let transaction = connection.transaction()?;
    let running = each_running(&transaction)?;
    let each = running.into_iter().map(|experiment| {
        let experiment = experiment?;
        let evidence = read_evidence(&transaction, &experiment, now)?;
        Ok((experiment, evidence))
    });
    Ok(each.collect())
}

/// What was gathered of each segment, of those that have something.
pub(in crate::sqlite) fn segments(
    connection: &mut Connection,
    experiment: &Experiment,
    now: Timestamp,
) -> Result<Vec<SegmentEvidence>, StoreError> {
    let transaction = connection.transaction()?;
    let values = segment_values(&transaction, experiment.key)?;
    let empty = empty(&transaction, experiment)?;
    let mut found = Vec::new();
    for (number, dimension, of) in values.all(experiment.definition.dimensions.len()) {
        let Some(dimension) = experiment.definition.dimensions.get(dimension) else {
            continue;
        };
        let mut evidence = empty.clone();
        if add_sums(&transaction, experiment, now, &mut evidence, number)? {
            found.push(SegmentEvidence {
                dimension: dimension.clone(),
                of,
                evidence,
            });
        }
    }
    Ok(found)
}

fn read_evidence(
    t: &Transaction<'_>,
    experiment: &Experiment,
    now: Timestamp,
) -> Result<Evidence, StoreError> {
    let mut evidence = empty(t, experiment)?;
    add_sums(t, experiment, now, &mut evidence, 0)?;
    add_days(t, experiment, &mut evidence)?;
    evidence.outside = outside(t, experiment, &evidence)?;
    Ok(evidence)
}

/// The epochs, with nothing in them.
fn empty(t: &Transaction<'_>, experiment: &Experiment) -> Result<Evidence, StoreError> {
    let definition = &experiment.definition;
    let mut evidence = Evidence::default();
    let mut select = t.prepare_cached(
        "SELECT epoch, shares, started_at, scales FROM experiment_epochs WHERE experiment_key = ?1 \
         ORDER BY epoch",
    )?;
    let mut rows = select.query([experiment.key.0])?;
    let empty = ArmEvidence {
        exposures: Exposures::default(),
        metrics: vec![MetricEvidence::default(); definition.metrics.len()],
    };
    while let Some(row) = rows.next()? {
        evidence.epochs.push(EpochEvidence {
            epoch: row.get("epoch")?,
            started_at: row.time("started_at")?,
            shares: row.json("shares")?,
            scales: row.json("scales")?,
            arms: vec![empty.clone(); definition.arms.len()],
            days: Vec::new(),
        });
    }
    Ok(evidence)
}

/// Adds the sums of a segment, 0 for all units; says whether there are some.
fn add_sums(
    t: &Transaction<'_>,
    experiment: &Experiment,
    now: Timestamp,
    evidence: &mut Evidence,
    segment: u16,
) -> Result<bool, StoreError> {
    let definition = &experiment.definition;
    let mut some = false;
    for epoch in &mut evidence.epochs {
        for (arm, place) in definition.arms.iter().zip(&mut epoch.arms) {
            let key = (experiment.key.0, epoch.epoch, arm.key.0);
            let exposures = all_time(t, key, in_segment(EXPOSURES, segment))?;
            some |= exposures.count > 0;
            if segment > 0 && exposures.count == 0 {
                continue;
            }
            place.exposures = exposures.exposures(&epoch.scales);
            let metrics = definition.metrics.iter().zip(&mut place.metrics);
            for (at, (metric, evidence)) in (0..).zip(metrics) {
                let at = in_segment(at, segment);
                let all = all_time(t, key, at)?;
                let mut matured = all.clone();
                if metric.window_seconds > 0 {
                    let cutoff = evidence::cutoff(metric, now.seconds());
                    take_young(t, key, at, cutoff, &mut matured)?;
                }
                *evidence = MetricEvidence {
                    matured: matured.sums(),
                    all: all.sums(),
                    bets: matured.bets.sums(),
                    parts: matured.part_sums(),
                };
            }
        }
    }
    Ok(some)
}

/// Adds what is kept by day, the servers added up.
fn add_days(
    t: &Transaction<'_>,
    experiment: &Experiment,
    evidence: &mut Evidence,
) -> Result<(), StoreError> {
    let definition = &experiment.definition;
    if !definition.metrics.iter().any(|m| definition.keeps_days(m)) {
        return Ok(());
    }
    let nothing = vec![vec![Bets::default(); definition.metrics.len()]; definition.arms.len()];
    for epoch in &mut evidence.epochs {
        let mut days: BTreeMap<i64, Vec<Vec<Bets>>> = BTreeMap::new();
        for (at, arm) in definition.arms.iter().enumerate() {
            let of = (experiment.key, epoch.epoch, arm.key);
            days_of(t, of, |metric, day, bets| {
                let arms = days.entry(day).or_insert_with(|| nothing.clone());
                if let Some(sums) = arms[at].get_mut(metric) {
                    sums.add(bets);
                }
            })?;
        }
        let sums = |metrics: Vec<Bets>| metrics.iter().map(Bets::day_sums).collect();
        let days = days.into_iter().map(|(day, arms)| DayEvidence {
            day,
            arms: arms.into_iter().map(sums).collect(),
        });
        epoch.days = days.collect();
    }
    Ok(())
}

/// Experiment, epoch and version.
type Key = (i64, i64, i64);

fn all_time(t: &Transaction<'_>, key: Key, metric: i64) -> Result<Delta, StoreError> {
    let mut select = t.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM evidence WHERE experiment_key = ?1 AND epoch = ?2 \
         AND version_key = ?3 AND metric = ?4 AND start = ?5"
    ))?;
    let key = params![key.0, key.1, key.2, metric, ALL_TIME];
    let mut sums = Delta::default();
    // A row for each server.
    for of_server in select.query_map(key, read_sums)? {
        sums.add(&of_server?);
    }
    Ok(sums)
}

/// Takes the stretches that have not matured out of the matured sums: a bounded number of rows,
/// however long the experiment runs.
fn take_young(
    t: &Transaction<'_>,
    key: Key,
    metric: i64,
    cutoff: i64,
    matured: &mut Delta,
) -> Result<(), StoreError> {
    let mut select = t.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM evidence WHERE experiment_key = ?1 AND epoch = ?2 \
         AND version_key = ?3 AND metric = ?4 AND start > ?5"
    ))?;
    let mut rows = select.query(params![key.0, key.1, key.2, metric, cutoff.max(ALL_TIME)])?;
    while let Some(row) = rows.next()? {
        matured.subtract(&read_sums(row)?);
    }
    Ok(())
}

/// Predictions of the experiment's versions in its epochs that are not among its exposures.
fn outside(
    t: &Transaction<'_>,
    experiment: &Experiment,
    evidence: &Evidence,
) -> Result<u64, StoreError> {
    let mut select = t.prepare_cached(
        "SELECT COALESCE(SUM(count), 0) AS count FROM rollups \
         WHERE tier = 0 AND start = 0 AND version_key = ?1 AND epoch = ?2",
    )?;
    let (mut all, mut inside) = (0i64, 0u64);
    for epoch in &evidence.epochs {
        for (arm, gathered) in experiment.definition.arms.iter().zip(&epoch.arms) {
            let key = params![arm.key.0, epoch.epoch];
            all += select.query_row(key, |row| row.get::<_, i64>("count"))?;
            inside += gathered.exposures.predictions;
        }
    }
    Ok(u64::try_from(all).unwrap_or(0).saturating_sub(inside))
}
