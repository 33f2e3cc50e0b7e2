//! Outcomes of units: stored for every model that knows the metric, and counted for the experiments of each.

use super::{OpenFeedback, outcomes};
use crate::sqlite::evidence::{CountedOutcome, OpenEvidence};
use crate::sqlite::journal_state::Origin;
use crate::{
    Feedback, FeedbackContent, FeedbackRefusal, FeedbackResult, Missed, Receipt, StoreError,
    UnitFeedback, unit_number,
};
use evidence::Happened;
use rusqlite::Connection;
use types::{
    BuiltIn, ExperimentId, ExperimentKey, FeedbackStatus, MetricName, ModelName, Per, Timestamp,
};

/// An experiment that has started.
pub(super) struct Started {
    key: ExperimentKey,
    /// In microseconds.
    ended_at: Option<i64>,
}

/// The longest window, and for how long an exposure may be told of later, in microseconds.
const LONGEST: i64 = 2 * 366 * 86_400 * 1_000_000;

/// What became of an outcome of a unit for one model.
struct OutcomeReceipt {
    status: FeedbackStatus,
    experiments: Vec<ExperimentId>,
    missed: Option<Missed>,
}

impl OutcomeReceipt {
    fn of(status: FeedbackStatus) -> Self {
        Self {
            status,
            experiments: Vec::new(),
            missed: None,
        }
    }
}

impl OpenFeedback {
    /// Stores an outcome of a unit for every model that knows the metric, or for the one that is named.
    pub(super) fn store_outcome(
        &mut self,
        connection: &Connection,
        evidence: &mut OpenEvidence,
        (item, of): (&Feedback, &UnitFeedback),
        (now, origin): (Timestamp, Origin),
    ) -> Result<FeedbackResult, StoreError> {
        let FeedbackContent::Value(metric, value) = &item.content else {
            let correct = BuiltIn::Correct.metric().name;
            return Ok(Err(FeedbackRefusal::PerPrediction(correct)));
        };
        let names = match &of.name {
            Some(name) => vec![name.clone()],
            None => self.models_with(connection, metric)?,
        };
        let mut checked = Vec::with_capacity(names.len());
        let mut refusal = None;
        for name in names {
            let declared = self.metrics(connection, &name)?.get(metric.as_str());
            let refused = match declared {
                None => FeedbackRefusal::UnknownMetric {
                    name: name.clone(),
                    metric: metric.clone(),
                },
                Some(declared) if declared.per == Per::Prediction => {
                    FeedbackRefusal::PerPrediction(metric.clone())
                }
                Some(declared) => match declared.check_value(*value) {
                    Ok(_) => {
                        checked.push(name);
                        continue;
                    }
                    Err(error) => FeedbackRefusal::Invalid(error.to_string()),
                },
            };
            refusal = refusal.or(Some(refused));
        }
        if checked.is_empty() {
            let unknown = FeedbackRefusal::PerPrediction(metric.clone());
            return Ok(Err(refusal.unwrap_or(unknown)));
        }
        // All models or none: what is refused has counted for nobody.
        let mut new = Vec::with_capacity(checked.len());
        for name in checked {
            match self.known_outcome(connection, (&name, metric, *value), of)? {
                None => new.push(name),
                Some(Ok(())) => {}
                Some(Err(refusal)) => return Ok(Err(refusal)),
            }
        }
        let mut receipt = Receipt::unjoined(item, FeedbackStatus::Duplicate);
        for name in new {
            let one = self.store_outcome_of(
                connection,
                evidence,
                (&name, metric, *value),
                of,
                (now, origin),
            )?;
            receipt.status = match (receipt.status, one.status) {
                (FeedbackStatus::Recorded, _) | (_, FeedbackStatus::Recorded) => {
                    FeedbackStatus::Recorded
                }
                (FeedbackStatus::Unmatched, _) | (_, FeedbackStatus::Unmatched) => {
                    FeedbackStatus::Unmatched
                }
                (status, _) => status,
            };
            receipt.experiments.extend(one.experiments);
            receipt.missed = receipt.missed.or(one.missed);
        }
        if !receipt.experiments.is_empty() {
            receipt.missed = None;
        }
        Ok(Ok(receipt))
    }

    fn store_outcome_of(
        &mut self,
        connection: &Connection,
        evidence: &mut OpenEvidence,
        (name, metric, value): (&ModelName, &MetricName, f64),
        of: &UnitFeedback,
        (now, origin): (Timestamp, Origin),
    ) -> Result<OutcomeReceipt, StoreError> {
        let unit = unit_number(of.unit.as_str());
        let at = of.at.map_or(now, |at| at.min(now));
        let mut outcome = outcomes::NewOutcome {
            name,
            metric,
            unit,
            of,
            at,
            value,
            received_at: now,
            origin,
            joined: false,
        };
        let experiments = self.experiments_of(connection, name, at)?;
        // Its row is needed to say what the unit is worth, and says whether it was joined.
        for experiment in &experiments {
            outcome.joined |= evidence.has_unit(connection, *experiment, unit)?;
        }
        outcome.insert(connection)?;
        let mut receipt = OutcomeReceipt::of(match outcome.joined {
            true => FeedbackStatus::Recorded,
            false => FeedbackStatus::Unmatched,
        });
        let new = Happened {
            at: at.micros(),
            told: now.micros(),
            value,
        };
        for experiment in experiments {
            let key = (unit, metric.as_str());
            match evidence.outcome(connection, experiment, key, new)? {
                CountedOutcome::Unknown => {}
                CountedOutcome::Missed(missed) => receipt.missed = Some(missed),
                CountedOutcome::Counted => {
                    let id = self.experiment(connection, experiment)?;
                    receipt.experiments.push(id);
                }
            }
        }
        Ok(receipt)
    }

    /// Whether an outcome is stored under its id: the same, or another one.
    fn known_outcome(
        &self,
        connection: &Connection,
        (name, metric, value): (&ModelName, &MetricName, f64),
        of: &UnitFeedback,
    ) -> Result<Option<Result<(), FeedbackRefusal>>, StoreError> {
        let Some(id) = &of.outcome else {
            return Ok(None);
        };
        let unit = unit_number(of.unit.as_str());
        let known = outcomes::stored(connection, name, metric, id.as_str())?;
        Ok(known.map(|(known_unit, known)| {
            let is_at = known.is_at(of.at.map(Timestamp::micros));
            let same = is_at && (known_unit, known.value) == (unit, value);
            let stored = known.value.to_string();
            same.then_some(())
                .ok_or(FeedbackRefusal::OutcomeTaken { stored })
        }))
    }

    /// The models that have declared a metric per unit.
    fn models_with(
        &mut self,
        connection: &Connection,
        metric: &MetricName,
    ) -> Result<Vec<ModelName>, StoreError> {
        let mut select = connection
            .prepare_cached("SELECT name FROM metrics WHERE metric = ?1 ORDER BY name")?;
        let names = select.query_map([metric.as_str()], |row| row.get::<_, String>("name"))?;
        let mut models = Vec::new();
        for name in names {
            let name = ModelName::parse(&name?);
            let Ok(name) = name else { continue };
            let declared = self.metrics(connection, &name)?.get(metric.as_str());
            if declared.is_some_and(|declared| declared.per == Per::Unit) {
                models.push(name);
            }
        }
        Ok(models)
    }

    /// The experiments of a model for which something that happened then may count.
    fn experiments_of(
        &mut self,
        connection: &Connection,
        name: &ModelName,
        at: Timestamp,
    ) -> Result<Vec<ExperimentKey>, StoreError> {
        if !self.started.contains_key(name) {
            let mut select = connection.prepare_cached(
                "SELECT experiment_key, ended_at FROM experiments \
                 WHERE name = ?1 AND started_at IS NOT NULL ORDER BY experiment_key",
            )?;
            let rows = select.query_map([name.as_str()], |row| {
                Ok(Started {
                    key: ExperimentKey(row.get("experiment_key")?),
                    ended_at: row.get("ended_at")?,
                })
            })?;
            let rows = rows.collect::<rusqlite::Result<_>>()?;
            self.started.insert(name.clone(), rows);
        }
        let started = self.started[name].iter();
        let may_count = |started: &&Started| {
            let ended_at = started.ended_at.unwrap_or(i64::MAX);
            at.micros() <= ended_at.saturating_add(LONGEST)
        };
        Ok(started
            .filter(may_count)
            .map(|started| started.key)
            .collect())
    }
}
