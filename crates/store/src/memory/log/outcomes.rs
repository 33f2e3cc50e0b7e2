//! Outcomes of units, as the entries that came.

use super::Log;
use crate::memory::models::Models;
use crate::{
    Feedback, FeedbackContent, FeedbackRefusal, FeedbackResult, Missed, PlacedOutcome, Receipt,
    StoredOutcome, UnitFeedback, unit_number,
};
use evidence::{Happened, Unit, until};
use types::{
    BuiltIn, Experiment, FeedbackStatus, MetricName, ModelName, Per, RequestId, Timestamp, UnitId,
};

/// An outcome of a unit for a model.
#[derive(Debug, Clone)]
pub(super) struct UnitOutcomeRow {
    pub(super) name: ModelName,
    pub(super) metric: MetricName,
    pub(super) unit: i64,
    pub(super) unit_id: String,
    pub(super) position: u64,
    pub(super) outcome_id: Option<RequestId>,
    pub(super) happened: Happened,
    /// Its unit was exposed in an experiment.
    pub(super) joined: bool,
}

impl UnitOutcomeRow {
    fn stored(&self) -> StoredOutcome {
        StoredOutcome {
            name: self.name.clone(),
            metric: self.metric.clone(),
            value: self.happened.value,
            at: Timestamp::from_micros(self.happened.at),
            outcome_id: self.outcome_id.as_ref().map(ToString::to_string),
            received_at: Timestamp::from_micros(self.happened.told),
            joined: self.joined,
        }
    }
}

impl Log {
    /// Stores an outcome of a unit.
    pub(super) fn store_outcome(
        &mut self,
        models: &Models,
        item: &Feedback,
        of: &UnitFeedback,
        (now, position): (Timestamp, u64),
    ) -> FeedbackResult {
        let FeedbackContent::Value(metric, value) = &item.content else {
            let correct = BuiltIn::Correct.metric().name;
            return Err(FeedbackRefusal::PerPrediction(correct));
        };
        let declared = |name: &ModelName| {
            let metrics = models.metrics(name).into_iter();
            metrics
                .chain([BuiltIn::Correct.metric()])
                .find(|known| known.name == *metric)
        };
        let is_per_unit = |name: &ModelName| declared(name).is_some_and(|m| m.per == Per::Unit);
        let names: Vec<ModelName> = match &of.name {
            Some(name) => vec![name.clone()],
            None => models.names().into_iter().filter(is_per_unit).collect(),
        };
        let mut refusals = Vec::new();
        let mut checked = Vec::new();
        for name in names {
            match declared(&name) {
                None => refusals.push(FeedbackRefusal::UnknownMetric {
                    name,
                    metric: metric.clone(),
                }),
                Some(known) if known.per == Per::Prediction => {
                    refusals.push(FeedbackRefusal::PerPrediction(metric.clone()));
                }
                Some(known) => match known.check_value(*value) {
                    Ok(_) => checked.push(name),
                    Err(error) => refusals.push(FeedbackRefusal::Invalid(error.to_string())),
                },
            }
        }
        if checked.is_empty() {
            let unknown = FeedbackRefusal::PerPrediction(metric.clone());
            return Err(refusals.into_iter().next().unwrap_or(unknown));
        }
        let unit = unit_number(of.unit.as_str());
        let of_id = |known: &&UnitOutcomeRow, name: &ModelName| {
            let same = known.name == *name && known.metric == *metric;
            same && known.outcome_id.is_some() && known.outcome_id == of.outcome
        };
        for name in &checked {
            let Some(known) = self.outcomes.iter().find(|known| of_id(known, name)) else {
                continue;
            };
            let happened = known.happened;
            let stored = happened.value;
            let same_time = happened.is_at(of.at.map(Timestamp::micros));
            if !same_time || (known.unit, stored) != (unit, *value) {
                return Err(FeedbackRefusal::OutcomeTaken {
                    stored: stored.to_string(),
                });
            }
        }
        let mut receipt = Receipt::unjoined(item, FeedbackStatus::Duplicate);
        for name in checked {
            let unit = unit_number(of.unit.as_str());
            let happened = Happened {
                at: of.at.map_or(now, |at| at.min(now)).micros(),
                told: now.micros(),
                value: *value,
            };
            if self.outcomes.iter().any(|known| of_id(&known, &name)) {
                continue;
            }
            let of_model: Vec<&Experiment> = models.started(&name).collect();
            let named = Unit::Named(unit);
            let joined = of_model
                .iter()
                .any(|found| found.definition.counts_units() && self.is_exposed(found.key, named));
            if joined {
                receipt.status = FeedbackStatus::Recorded;
            } else if receipt.status == FeedbackStatus::Duplicate {
                receipt.status = FeedbackStatus::Unmatched;
            }
            for experiment in of_model {
                match self.counts_outcome(experiment, unit, metric, happened) {
                    None => {}
                    Some(Ok(())) => receipt.experiments.push(experiment.id),
                    Some(Err(missed)) => receipt.missed = receipt.missed.or(Some(missed)),
                }
            }
            self.outcomes.push(UnitOutcomeRow {
                name,
                metric: metric.clone(),
                unit,
                unit_id: of.unit.to_string(),
                position,
                outcome_id: of.outcome.clone(),
                happened,
                joined,
            });
        }
        if !receipt.experiments.is_empty() {
            receipt.missed = None;
        }
        Ok(receipt)
    }

    /// Whether an outcome counts for an experiment; `None` where the unit was not exposed, or the metric is none of its.
    fn counts_outcome(
        &self,
        experiment: &Experiment,
        unit: i64,
        metric: &MetricName,
        happened: Happened,
    ) -> Option<Result<(), Missed>> {
        let at = experiment.definition.metric(metric.as_str())?;
        let metric = &experiment.definition.metrics[at];
        let mut facts = self.facts.iter();
        let exposed = facts.find_map(|((of, _, known), facts)| {
            let same = *of == experiment.key && *known == unit && metric.per == Per::Unit;
            facts.of.get(at).copied().flatten().filter(|_| same)
        })? as i64;
        Some(if happened.at <= exposed {
            Err(Missed::BeforeExposure)
        } else if happened.at > until(metric, exposed) {
            Err(Missed::AfterWindow)
        } else {
            Ok(())
        })
    }

    /// The outcomes of a unit.
    pub(in crate::memory) fn list_outcomes(
        &self,
        unit: &UnitId,
        name: Option<&ModelName>,
        limit: u32,
    ) -> Vec<StoredOutcome> {
        let unit = unit_number(unit.as_str());
        let of_unit = self
            .outcomes
            .iter()
            .filter(|known| known.unit == unit && name.is_none_or(|name| known.name == *name));
        let stored = of_unit.map(UnitOutcomeRow::stored);
        stored.take(limit as usize).collect()
    }

    /// The outcomes after a position, and never a part of what came together.
    pub(in crate::memory) fn outcomes_after(
        &self,
        position: u64,
        limit: u32,
    ) -> Vec<PlacedOutcome> {
        let later = self
            .outcomes
            .iter()
            .filter(|known| known.position > position);
        let mut found: Vec<PlacedOutcome> = later
            .map(|known| PlacedOutcome {
                position: known.position,
                unit_id: known.unit_id.clone(),
                outcome: known.stored(),
            })
            .collect();
        found.sort_by_key(|placed| placed.position);
        let last = found.get((limit as usize).wrapping_sub(1));
        if let Some(last) = last.map(|last| last.position) {
            found.retain(|placed| placed.position <= last);
        }
        found
    }

    /// The outcomes of a unit for a metric.
    pub(super) fn outcomes_of(
        &self,
        name: &ModelName,
        metric: &MetricName,
        unit: i64,
    ) -> Vec<Happened> {
        let same = |known: &&UnitOutcomeRow| {
            known.name == *name && known.metric == *metric && known.unit == unit
        };
        self.outcomes
            .iter()
            .filter(same)
            .map(|known| known.happened)
            .collect()
    }
}
