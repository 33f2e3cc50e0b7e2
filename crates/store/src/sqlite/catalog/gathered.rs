//! What experiments have gathered, read back from the sums.

mod kept;

pub(in crate::sqlite) use kept::{Changed, Kept};

use crate::StoreError;
use crate::sqlite::evidence::{
    ALL_TIME, COLUMNS, EXPOSURES, days_of, in_segment, read_sums, segment_values,
};
use crate::sqlite::row::ByName;
use crate::sqlite::{corrections, unlike_labels};
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
    for epoch in &mut evidence.epochs {
        read_epoch(t, experiment, now, epoch)?;
    }
    evidence.outside = outside(t, experiment, &evidence)?;
    evidence.unlike_labels = unlike_labels::of(t, experiment)?;
    evidence.corrections = corrections::of(t, experiment)?;
    Ok(evidence)
}

/// The epochs, with nothing in them.
fn empty(t: &Transaction<'_>, experiment: &Experiment) -> Result<Evidence, StoreError> {
    let epochs = empty_after(t, experiment, i64::MIN)?;
    Ok(Evidence {
        epochs,
        ..Evidence::default()
    })
}

/// The epochs after one, with nothing in them.
fn empty_after(
    t: &Transaction<'_>,
    experiment: &Experiment,
    after: i64,
) -> Result<Vec<EpochEvidence>, StoreError> {
    let mut select = t.prepare_cached(
        "SELECT epoch, shares, started_at, scales FROM experiment_epochs WHERE experiment_key = ?1 \
         AND epoch > ?2 ORDER BY epoch",
    )?;
    let mut rows = select.query([experiment.key.0, after])?;
    let mut epochs = Vec::new();
    while let Some(row) = rows.next()? {
        epochs.push(EpochEvidence {
            epoch: row.get("epoch")?,
            started_at: row.time("started_at")?,
            shares: row.json("shares")?,
            scales: row.json("scales")?,
            arms: no_arms(experiment),
            days: Vec::new(),
        });
    }
    Ok(epochs)
}

/// Arms of which nothing is known.
fn no_arms(experiment: &Experiment) -> Vec<ArmEvidence> {
    let definition = &experiment.definition;
    let empty = ArmEvidence {
        exposures: Exposures::default(),
        metrics: vec![MetricEvidence::default(); definition.metrics.len()],
    };
    vec![empty; definition.arms.len()]
}

/// Reads all that an epoch has of all units, in place of what was known of it.
fn read_epoch(
    t: &Transaction<'_>,
    experiment: &Experiment,
    now: Timestamp,
    epoch: &mut EpochEvidence,
) -> Result<Read, StoreError> {
    epoch.arms = no_arms(experiment);
    let read = add_epoch(t, experiment, now, epoch, 0)?;
    add_days(t, experiment, epoch)?;
    Ok(read)
}

/// Adds the sums of a segment, 0 for all units; says whether there are some.
fn add_sums(
    t: &Transaction<'_>,
    experiment: &Experiment,
    now: Timestamp,
    evidence: &mut Evidence,
    segment: u16,
) -> Result<bool, StoreError> {
    let mut some = false;
    for epoch in &mut evidence.epochs {
        some |= add_epoch(t, experiment, now, epoch, segment)?.some;
    }
    Ok(some)
}

/// What was found in an epoch.
#[derive(Debug, Clone, Default, PartialEq)]
struct Read {
    /// Whether there are exposures.
    some: bool,
    /// The first stretch that had not matured, by metric, where there is one.
    young: Vec<Option<i64>>,
}

impl Read {
    /// Whether a stretch has matured since, at `now`.
    fn has_matured(&self, experiment: &Experiment, now: Timestamp) -> bool {
        let metrics = experiment.definition.metrics.iter().zip(&self.young);
        let mut young = metrics.filter_map(|(metric, young)| Some((metric, (*young)?)));
        young.any(|(metric, start)| start <= evidence::cutoff(metric, now.seconds()))
    }
}

/// Adds the sums of an epoch and a segment, 0 for all units.
fn add_epoch(
    t: &Transaction<'_>,
    experiment: &Experiment,
    now: Timestamp,
    epoch: &mut EpochEvidence,
    segment: u16,
) -> Result<Read, StoreError> {
    let definition = &experiment.definition;
    let mut read = Read {
        some: false,
        young: vec![None; definition.metrics.len()],
    };
    for (arm, place) in definition.arms.iter().zip(&mut epoch.arms) {
        let key = (experiment.key.0, epoch.epoch, arm.key.0);
        let exposures = all_time(t, key, in_segment(EXPOSURES, segment))?;
        read.some |= exposures.count > 0;
        if segment > 0 && exposures.count == 0 {
            continue;
        }
        place.exposures = exposures.exposures(&epoch.scales);
        let metrics = definition.metrics.iter().zip(&mut place.metrics);
        for ((at, (metric, evidence)), young) in (0..).zip(metrics).zip(&mut read.young) {
            let at = in_segment(at, segment);
            let all = all_time(t, key, at)?;
            let mut matured = all.clone();
            if metric.window_seconds > 0 {
                let cutoff = evidence::cutoff(metric, now.seconds());
                let first = take_young(t, key, at, cutoff, &mut matured)?;
                *young = (*young).into_iter().chain(first).min();
            }
            *evidence = MetricEvidence {
                matured: matured.sums(),
                all: all.sums(),
                bets: matured.bets.sums(),
                parts: matured.part_sums(),
            };
        }
    }
    Ok(read)
}

/// Reads what is kept of an epoch by day, the servers added up.
fn add_days(
    t: &Transaction<'_>,
    experiment: &Experiment,
    epoch: &mut EpochEvidence,
) -> Result<(), StoreError> {
    let definition = &experiment.definition;
    if !definition.metrics.iter().any(|m| definition.keeps_days(m)) {
        return Ok(());
    }
    let nothing = vec![vec![Bets::default(); definition.metrics.len()]; definition.arms.len()];
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

/// Takes the stretches that have not matured out of the matured sums, and says which is the first: a bounded number of
/// rows, however long the experiment runs.
fn take_young(
    t: &Transaction<'_>,
    key: Key,
    metric: i64,
    cutoff: i64,
    matured: &mut Delta,
) -> Result<Option<i64>, StoreError> {
    let mut select = t.prepare_cached(&format!(
        "SELECT start, {COLUMNS} FROM evidence WHERE experiment_key = ?1 AND epoch = ?2 \
         AND version_key = ?3 AND metric = ?4 AND start > ?5"
    ))?;
    let mut rows = select.query(params![key.0, key.1, key.2, metric, cutoff.max(ALL_TIME)])?;
    let mut first = None;
    while let Some(row) = rows.next()? {
        let start: i64 = row.get("start")?;
        first = Some(first.map_or(start, |first: i64| first.min(start)));
        matured.subtract(&read_sums(row)?);
    }
    Ok(first)
}

/// Predictions of the experiment's versions in its epochs that are not among its exposures.
fn outside(
    t: &Transaction<'_>,
    experiment: &Experiment,
    evidence: &Evidence,
) -> Result<u64, StoreError> {
    let mut select = t.prepare_cached(
        "SELECT COALESCE(SUM(r.count), 0) AS count FROM experiment_epochs e JOIN rollups r \
         ON r.tier = 0 AND r.start = 0 AND r.version_key = ?2 AND r.epoch = e.epoch \
         WHERE e.experiment_key = ?1",
    )?;
    let mut all = 0i64;
    for arm in &experiment.definition.arms {
        let key = [experiment.key.0, arm.key.0];
        all += select.query_row(key, |row| row.get::<_, i64>("count"))?;
    }
    let arms = evidence.epochs.iter().flat_map(|epoch| &epoch.arms);
    let inside: u64 = arms.map(|gathered| gathered.exposures.predictions).sum();
    Ok(u64::try_from(all).unwrap_or(0).saturating_sub(inside))
}
