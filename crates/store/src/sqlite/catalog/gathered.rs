//! What experiments have gathered, read back from the sums.

use super::corrupt;
use super::experiments::each_running;
use crate::StoreError;
use crate::sqlite::Store;
use crate::sqlite::evidence::{ALL_TIME, COLUMNS, EXPOSURES, read_sums};
use rusqlite::{OptionalExtension, Transaction, params};
use types::{
    ArmEvidence, EpochEvidence, Evidence, Experiment, Exposures, MetricEvidence, Timestamp,
};

impl Store {
    /// What an experiment has gathered until `now`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn evidence(
        &self,
        experiment: Experiment,
        now: Timestamp,
    ) -> Result<Evidence, StoreError> {
        self.read(move |connection| {
            let transaction = connection.transaction()?;
            read_evidence(&transaction, &experiment, now)
        })
        .await
    }

    /// Every running experiment and what it has gathered until `now`, at one moment. One that cannot be read
    /// is an error by itself, so that the others can be looked at.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn running_evidence(
        &self,
        now: Timestamp,
    ) -> Result<Vec<Result<(Experiment, Evidence), StoreError>>, StoreError> {
        self.read(move |connection| {
            let transaction = connection.transaction()?;
            let running = each_running(&transaction)?;
            let each = running.into_iter().map(|experiment| {
                let experiment = experiment?;
                let evidence = read_evidence(&transaction, &experiment, now)?;
                Ok((experiment, evidence))
            });
            Ok(each.collect())
        })
        .await
    }
}

fn read_evidence(
    t: &Transaction<'_>,
    experiment: &Experiment,
    now: Timestamp,
) -> Result<Evidence, StoreError> {
    let definition = &experiment.definition;
    let mut evidence = Evidence::default();
    let mut select = t.prepare_cached(
        "SELECT epoch, shares, started_at FROM experiment_epochs WHERE experiment_key = ?1 \
         ORDER BY epoch",
    )?;
    let mut rows = select.query([experiment.key.0])?;
    let empty = ArmEvidence {
        exposures: Exposures::default(),
        metrics: vec![MetricEvidence::default(); definition.metrics.len()],
    };
    while let Some(row) = rows.next()? {
        let shares: String = row.get(1)?;
        evidence.epochs.push(EpochEvidence {
            epoch: row.get(0)?,
            started_at: Timestamp::from_micros(row.get(2)?),
            shares: serde_json::from_str(&shares).map_err(|_| corrupt(1))?,
            arms: vec![empty.clone(); definition.arms.len()],
        });
    }
    add_all_time(t, experiment, &mut evidence)?;
    for (at, metric) in definition.metrics.iter().enumerate() {
        if metric.window_seconds > 0 {
            let cutoff = crate::evidence::cutoff(metric, now.seconds());
            take_young(t, experiment, at, cutoff, &mut evidence)?;
        }
    }
    evidence.outside = outside(t, experiment, &evidence)?;
    Ok(evidence)
}

fn add_all_time(
    t: &Transaction<'_>,
    experiment: &Experiment,
    evidence: &mut Evidence,
) -> Result<(), StoreError> {
    let mut select = t.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM evidence WHERE experiment_key = ?1 AND epoch = ?2 \
         AND version_key = ?3 AND metric = ?4 AND start = ?5"
    ))?;
    for epoch in &mut evidence.epochs {
        for (arm, place) in experiment.definition.arms.iter().zip(&mut epoch.arms) {
            let mut sums_of = |metric: i64| {
                let key = params![experiment.key.0, epoch.epoch, arm.key.0, metric, ALL_TIME];
                let sums = select.query_row(key, |row| read_sums(row, 0)).optional()?;
                Ok::<_, StoreError>(sums.unwrap_or_default().sums())
            };
            let exposures = sums_of(EXPOSURES)?;
            place.exposures = Exposures {
                units: exposures.units,
                predictions: exposures.count,
                fallbacks: exposures.events,
            };
            for (metric, evidence) in (0..).zip(&mut place.metrics) {
                let all = sums_of(metric)?;
                *evidence = MetricEvidence { matured: all, all };
            }
        }
    }
    Ok(())
}

/// Takes the stretches that have not matured out of the matured sums: a bounded number of rows,
/// however long the experiment runs.
fn take_young(
    t: &Transaction<'_>,
    experiment: &Experiment,
    metric: usize,
    cutoff: i64,
    evidence: &mut Evidence,
) -> Result<(), StoreError> {
    let mut select = t.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM evidence WHERE experiment_key = ?1 AND epoch = ?2 \
         AND version_key = ?3 AND metric = ?4 AND start > ?5"
    ))?;
    let after = cutoff.max(ALL_TIME);
    for epoch in &mut evidence.epochs {
        for (arm, place) in experiment.definition.arms.iter().zip(&mut epoch.arms) {
            let key = params![
                experiment.key.0,
                epoch.epoch,
                arm.key.0,
                metric as i64,
                after
            ];
            let mut rows = select.query(key)?;
            while let Some(row) = rows.next()? {
                // Events count at once: they are what guards.
                let mut young = read_sums(row, 0)?.sums();
                young.events = 0;
                place.metrics[metric].matured.subtract(&young);
            }
        }
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
        "SELECT count FROM rollups WHERE tier = 0 AND start = 0 AND version_key = ?1 AND epoch = ?2",
    )?;
    let (mut all, mut inside) = (0i64, 0u64);
    for epoch in &evidence.epochs {
        for (arm, gathered) in experiment.definition.arms.iter().zip(&epoch.arms) {
            let key = params![arm.key.0, epoch.epoch];
            all += select
                .query_row(key, |row| row.get(0))
                .optional()?
                .unwrap_or(0);
            inside += gathered.exposures.predictions;
        }
    }
    Ok(u64::try_from(all).unwrap_or(0).saturating_sub(inside))
}
