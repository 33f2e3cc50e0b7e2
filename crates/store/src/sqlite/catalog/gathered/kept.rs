//! What running experiments have gathered, kept in memory from one look to the next. An experiment of a year has thousands of
//! epochs, of which one or two change between two looks: only those are read again.

use super::{Read, empty_after, outside, read_epoch};
use crate::StoreError;
use crate::sqlite::catalog::experiments::each_running;
use crate::sqlite::{corrections, unlike_labels};
use crate::traits::RunningEvidence;
use rusqlite::{Connection, Transaction};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use types::{Evidence, Experiment, ExperimentKey, Timestamp};

/// The epochs that were written since they were read, of the experiments that are kept.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Changed(Mutex<HashMap<ExperimentKey, HashSet<i64>>>);

impl Changed {
    /// Notes epochs whose change has been committed.
    pub(in crate::sqlite) fn note(&self, epochs: impl Iterator<Item = (ExperimentKey, i64)>) {
        let mut of = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (experiment, epoch) in epochs {
            // Of one that is not kept all is read at the next look.
            if let Some(changed) = of.get_mut(&experiment) {
                changed.insert(epoch);
            }
        }
    }

    /// What has changed of each, to be read by a transaction that begins after this.
    fn take(&self) -> HashMap<ExperimentKey, HashSet<i64>> {
        let mut of = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each = of.iter_mut();
        each.map(|(experiment, changed)| (*experiment, std::mem::take(changed)))
            .collect()
    }

    /// Changes of these are noted from now on, and of no others.
    fn note_of(&self, experiments: &HashSet<ExperimentKey>) {
        let mut of = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        of.retain(|experiment, _| experiments.contains(experiment));
        for experiment in experiments {
            of.entry(*experiment).or_default();
        }
    }
}

/// What is known of the running experiments.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Kept {
    changed: Arc<Changed>,
    known: Mutex<HashMap<ExperimentKey, Known>>,
}

#[derive(Debug)]
struct Known {
    /// When it was read.
    at: Timestamp,
    evidence: Arc<Evidence>,
    /// By epoch.
    read: Vec<Read>,
}

impl Kept {
    pub(in crate::sqlite) fn new(changed: Arc<Changed>) -> Self {
        Self {
            changed,
            known: Mutex::default(),
        }
    }

    /// Every running experiment and what it has gathered until `now`, at one moment.
    pub(in crate::sqlite) fn read(
        &self,
        connection: &mut Connection,
        now: Timestamp,
    ) -> Result<Vec<RunningEvidence>, StoreError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Where reading fails nothing is kept, and all is read at the next look: what had changed is not noted any more.
        let mut before = std::mem::take(&mut *known);
        // What is committed between taking this and the transaction is read now, and again at the next look.
        let mut changed = self.changed.take();
        let transaction = connection.transaction()?;
        let (mut all, mut running) = (Vec::new(), HashSet::new());
        for experiment in each_running(&transaction)? {
            let found = experiment.and_then(|experiment| {
                let key = experiment.key;
                running.insert(key);
                let found = match (before.remove(&key), changed.remove(&key)) {
                    (Some(known), Some(changed)) if known.at <= now => {
                        known.again(&transaction, &experiment, now, &changed)?
                    }
                    (_, Some(_)) => Known::new(&transaction, &experiment, now)?,
                    // Nobody has noted what changed since the transaction began: it cannot be kept yet.
                    (_, None) => {
                        let found = Known::new(&transaction, &experiment, now)?;
                        return Ok((experiment, found.evidence));
                    }
                };
                let evidence = Arc::clone(&found.evidence);
                known.insert(key, found);
                Ok((experiment, evidence))
            });
            all.push(found);
        }
        self.changed.note_of(&running);
        Ok(all)
    }
}

impl Known {
    fn new(
        t: &Transaction<'_>,
        experiment: &Experiment,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let nothing = Self {
            at: now,
            evidence: Arc::default(),
            read: Vec::new(),
        };
        nothing.again(t, experiment, now, &HashSet::new())
    }

    /// Reads what is new, what has changed, and what has matured since.
    fn again(
        mut self,
        t: &Transaction<'_>,
        experiment: &Experiment,
        now: Timestamp,
        changed: &HashSet<i64>,
    ) -> Result<Self, StoreError> {
        // Whoever looked before has done so, and nothing is copied.
        let evidence = Arc::make_mut(&mut self.evidence);
        for (epoch, read) in evidence.epochs.iter_mut().zip(&mut self.read) {
            if changed.contains(&epoch.epoch) || read.has_matured(experiment, now) {
                *read = read_epoch(t, experiment, now, epoch)?;
            }
        }
        let last = evidence.epochs.last().map_or(i64::MIN, |last| last.epoch);
        for mut epoch in empty_after(t, experiment, last)? {
            self.read.push(read_epoch(t, experiment, now, &mut epoch)?);
            evidence.epochs.push(epoch);
        }
        evidence.outside = outside(t, experiment, evidence)?;
        evidence.unlike_labels = unlike_labels::of(t, experiment)?;
        evidence.corrections = corrections::of(t, experiment)?;
        self.at = now;
        Ok(self)
    }
}
