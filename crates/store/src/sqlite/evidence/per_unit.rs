//! Evidence of metrics per unit: what a unit does later counts for its first exposure in the experiment.

use super::{OpenEvidence, unit_place};
use crate::sqlite::feedback::outcomes;
use crate::{Missed, StoreError};
use evidence::{
    Exposure, Happened, Happening, Terms, Together, UnitWorth, first_exposed, until, valued,
};
use rusqlite::Connection;
use smallvec::SmallVec;
use types::{ExperimentDefinition, ExperimentKey, Per, VersionKey};

/// With more outcomes than this, what they make a unit worth is kept in memory: reading all of them for each new one would
/// hold up everybody.
const MANY_OUTCOMES: usize = 4;
/// So many units are kept so; above this all are forgotten.
const MAX_BUSY: usize = 4096;

/// What became of an outcome of a unit in an experiment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::sqlite) enum CountedOutcome {
    /// The unit was not exposed, or the experiment does not count the metric.
    Unknown,
    /// The unit was exposed, and the outcome does not count.
    Missed(Missed),
    /// It counts.
    Counted,
}

impl OpenEvidence {
    /// Counts a unit that has come to an epoch for metrics per unit, where it is its first in the experiment; `made` is when,
    /// in microseconds.
    pub(super) fn expose_unit(
        &mut self,
        connection: &Connection,
        exposure: &Exposure,
        (definition, terms): (&ExperimentDefinition, &Terms),
        made: i64,
    ) -> Result<(), StoreError> {
        let place = unit_place(exposure);
        let name = definition.name.as_str();
        let known = outcomes::are_there(connection)?;
        if known {
            outcomes::join(connection, name, place.unit)?;
        }
        if !self.units.elsewhere(connection, place)?.is_empty() {
            return Ok(());
        }
        let of_unit = definition.metrics.iter().enumerate();
        for (at, metric) in of_unit.filter(|(_, metric)| metric.per == Per::Unit) {
            let came = if known {
                let of = (name, metric.name.as_str());
                outcomes::of_unit(connection, of, place.unit, (made, until(metric, made)))?
            } else {
                Vec::new()
            };
            let of_unit = UnitWorth::of(metric, made, &came);
            let (slot, _) = self.units.open(connection, place, exposure.version)?;
            self.units.at(slot).metric(at).outcome.of = Some(made as u64);
            let Some(gain) = first_exposed(definition, metric, of_unit) else {
                continue;
            };
            let happened = Happening {
                order: made as u64,
                made: exposure.seconds,
                at: exposure.seconds,
                before: None,
                after: of_unit.worth_in_time(metric),
            };
            let mut gains = SmallVec::from_buf([(at, gain)]);
            let rules = (definition, terms);
            self.gain_of_unit(connection, exposure, rules, &mut gains, |_| happened)?;
        }
        Ok(())
    }

    /// Counts an outcome of a unit, which is a row already, where the unit was exposed in an experiment.
    pub(in crate::sqlite) fn outcome(
        &mut self,
        connection: &Connection,
        experiment: ExperimentKey,
        (unit, metric): (i64, &str),
        new: Happened,
    ) -> Result<CountedOutcome, StoreError> {
        self.now = self.now.max(new.told.div_euclid(1_000_000));
        let definition = self.definition(connection, experiment)?;
        let at = definition.metric(metric);
        let at = at.filter(|at| definition.metrics[*at].per == Per::Unit);
        let Some(at) = at else {
            return Ok(CountedOutcome::Unknown);
        };
        let metric = &definition.metrics[at];
        let Some((place, made)) = self.units.first(connection, (experiment, unit), at)? else {
            return Ok(CountedOutcome::Unknown);
        };
        let until = until(metric, made);
        if new.at <= made {
            return Ok(CountedOutcome::Missed(Missed::BeforeExposure));
        }
        if new.at > until {
            return Ok(CountedOutcome::Missed(Missed::AfterWindow));
        }
        let name = (definition.name.as_str(), metric.name.as_str());
        let busy = (experiment, unit, at);
        let (before, after) = if let Some(together) = self.busy.get_mut(&busy) {
            let before = together.worth(metric);
            together.add(metric, made, &new);
            (before, together.worth(metric))
        } else {
            let came = outcomes::of_unit(connection, name, unit, (made, until))?;
            // The new one is the last that came.
            let earlier = came.split_last().map_or(&[][..], |(_, earlier)| earlier);
            let mut together = Together::of(metric, made, earlier);
            let before = together.worth(metric);
            together.add(metric, made, &new);
            let after = together.worth(metric);
            if came.len() > MANY_OUTCOMES {
                if self.busy.len() >= MAX_BUSY {
                    self.busy.clear();
                }
                self.busy.insert(busy, together);
            }
            (before, after)
        };
        let Some(value) = after.value else {
            return Ok(CountedOutcome::Unknown);
        };
        let Some(mut gain) = valued(&definition, metric, before.value, value) else {
            return Ok(CountedOutcome::Unknown);
        };
        let terms = self.terms(connection, experiment, place.epoch, &definition)?;
        let seconds = made.div_euclid(1_000_000);
        let told = new.told.div_euclid(1_000_000);
        gain.delay = told - seconds;
        let exposure = Exposure {
            experiment,
            epoch: place.epoch,
            // That of the unit is known.
            version: VersionKey(0),
            unit: Some(unit),
            seconds,
            order: made as u64,
        };
        let happened = Happening {
            order: made as u64,
            made: seconds,
            at: told,
            before: before.worth_in_time(metric),
            after: after.worth_in_time(metric),
        };
        let mut gains = SmallVec::from_buf([(at, gain)]);
        let rules = (&*definition, &*terms);
        self.gain_of_unit(connection, &exposure, rules, &mut gains, |_| happened)?;
        self.apply(connection)?;
        Ok(CountedOutcome::Counted)
    }
}
