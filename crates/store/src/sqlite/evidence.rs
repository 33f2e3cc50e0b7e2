//! Evidence as rows: sums per experiment, epoch, arm and metric, kept in the log's transaction. The
//! writer keeps the rows it adds to in memory and writes them once per group.

mod days;
pub(super) mod minutes;
mod per_unit;
mod segments;
mod units;

use super::hash::Columns;
use super::row::{ByName, corrupt};
use crate::StoreError;
use crate::VerifyReport;
use crate::entry::PredictionEntry;
use crate::feedback::Corrects;
pub(super) use days::days_of;
use evidence::{
    Bets, Coin, CovariateDelta, Covariates, Delta, Drawn, ExactSum, Exposure, Facts, Gain,
    Happening, Parts, Seen, SegmentValues, Segments, Terms, Together, UnitMetric, UnitOutcome,
    WithoutLines, cutoff, exposed, minute_of, start_of, valued, without_value,
};
use foldhash::HashMap;
use minutes::{MinutePlace, Minutes};
pub(super) use per_unit::CountedOutcome;
use rusqlite::{Connection, OptionalExtension, Row, params};
use segments::metric_of;
pub(super) use segments::{in_segment, is_of_all, segment_values};
use smallvec::SmallVec;
use std::collections::HashSet;
use std::sync::Arc;
use types::{
    AtOnce, DayEvidence, ExperimentDefinition, ExperimentKey, Measured, Metric, Per, Scale,
    Timestamp, UnitId, VersionKey,
};
pub(in crate::sqlite) use units::rename as rename_unit;
use units::{UnitPlace, Units};

/// The place of exposures among the metrics.
pub(super) const EXPOSURES: i64 = -1;
/// The start of the row that holds all of time.
pub(super) const ALL_TIME: i64 = -1;
/// Rows kept in memory; above this all are forgotten and read again when needed.
const MAX_OPEN: usize = 4096;

/// A value that another one replaces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Old {
    pub(super) value: f64,
    /// As in [`evidence::Given`].
    pub(super) event: i64,
    /// The value that had come in time for bets, where one had.
    pub(super) in_time: Option<f64>,
    /// Evidence has nothing of it.
    pub(super) apart: bool,
}

impl Old {
    /// The value beside which another one is the same or not. A label that evidence has nothing of is no value.
    pub(super) fn beside(&self, label: Option<&str>) -> f64 {
        match self.apart && label.is_none() {
            true => f64::NAN,
            false => self.value,
        }
    }
}

/// What became of a value that came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CountedValue {
    /// What it changes in [`Old::event`].
    pub(super) event: i64,
    /// As in [`Old`].
    pub(super) in_time: Option<f64>,
    /// What it changes in the corrections.
    pub(super) corrects: Corrects,
}

/// The exposure of a prediction; `unit` is the number of its unit.
pub(super) fn exposure_of(
    prediction: &PredictionEntry<'_>,
    experiment: ExperimentKey,
    unit: Option<i64>,
) -> Exposure {
    Exposure {
        experiment,
        epoch: prediction.epoch,
        version: prediction.version,
        unit,
        seconds: prediction.made().seconds(),
        order: prediction.id.order(),
    }
}

/// The place of the unit of an exposure; that of nobody where it has none.
fn unit_place(exposure: &Exposure) -> UnitPlace {
    UnitPlace {
        experiment: exposure.experiment,
        unit: exposure.unit.unwrap_or_default(),
        epoch: exposure.epoch,
    }
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
    sums: Delta,
    changed: bool,
}

/// The evidence that the writer adds to.
#[derive(Default)]
pub(super) struct OpenEvidence {
    /// Whose sums they are.
    server_key: i64,
    experiments: HashMap<ExperimentKey, Arc<ExperimentDefinition>>,
    terms: HashMap<(ExperimentKey, i64), Arc<Terms>>,
    at_once: HashMap<ExperimentKey, AtOnce>,
    segments: HashMap<ExperimentKey, SegmentValues>,
    open: HashMap<Place, Open>,
    touched: Vec<Place>,
    /// Epochs that were written since they were asked for.
    written: HashSet<(ExperimentKey, i64)>,
    /// Of each series of stretches, the newest.
    newest: HashMap<Place, i64>,
    units: Units,
    minutes: Minutes,
    /// What the present prediction or value changes.
    changes: Vec<(Place, Delta)>,
    /// The outcomes of units that have many, put together; by experiment, unit and the place of the metric.
    busy: HashMap<(ExperimentKey, i64, usize), Together>,
    /// What the present prediction says of its unit.
    present: Present,
    /// The newest moment that was seen, in seconds.
    now: i64,
}

/// What a prediction says of its unit.
#[derive(Default)]
struct Present {
    /// Its attributes, as JSON, where evidence needs them.
    attributes: Option<String>,
    /// When it was made, and by when what was known of the unit is known before it, in microseconds.
    made: i64,
    known_by: i64,
}

impl OpenEvidence {
    /// Writes all units to their rows, where they can be renamed. What is kept in memory of a unit by its number goes: who comes
    /// with that name again is somebody else.
    pub(super) fn settle(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.busy.clear();
        self.units.settle(connection)
    }

    pub(super) fn of(server_key: i64) -> Self {
        Self {
            server_key,
            ..Self::default()
        }
    }

    /// Looks at the units of exposures that will be counted next.
    pub(super) fn fetch(&self, exposures: impl Iterator<Item = Exposure>) {
        self.units
            .fetch(exposures.map(|exposure| unit_place(&exposure)));
    }

    /// Counts a prediction of an experiment.
    pub(super) fn expose(
        &mut self,
        connection: &Connection,
        prediction: &PredictionEntry<'_>,
        exposure: Exposure,
    ) -> Result<(), StoreError> {
        let experiment = exposure.experiment;
        self.now = self.now.max(exposure.seconds);
        let definition = self.definition(connection, experiment)?;
        let terms = self.terms(connection, experiment, exposure.epoch, &definition)?;
        let rules = (&*definition, &*terms);
        let measured = prediction.measured();
        let mut gains = exposed(&definition, measured);
        let mut new = Some(Coin::Fresh);
        let mut version = exposure.version;
        let segments;
        if exposure.unit.is_none() {
            let covariates;
            (segments, covariates) =
                self.of_own(connection, &exposure, &definition, prediction.attributes)?;
            let arm = definition.arm(version);
            for (at, gain) in gains {
                let metric = &definition.metrics[at];
                let covariate = covariate_at(&covariates, at);
                let bets = arm.filter(|_| terms.has(at)).map(|arm| {
                    let unit = Drawn {
                        covariate,
                        ..Drawn::fresh(arm)
                    };
                    let bets = terms.of_unit(at, unit, gain.sum.value());
                    OfBets::new(&terms, (at, metric), exposure.seconds, bets)
                });
                let own = &mut UnitMetric::default();
                let parts = terms.parts(&segments, (&definition, at), &gain);
                self.counted(&segments, (covariate, parts)).add_gain(
                    &exposure,
                    (at, metric),
                    &gain,
                    own,
                    bets,
                );
            }
        } else {
            let happened = |gain: &Gain| Happening {
                order: exposure.order,
                made: exposure.seconds,
                at: exposure.seconds,
                before: None,
                after: Some(gain.sum.value()),
            };
            if definition.needs_attributes() {
                self.present = Present {
                    attributes: prediction.attributes.map(str::to_owned),
                    made: prediction.made().micros(),
                    known_by: prediction.known_by(),
                };
            }
            let of_unit = self.gain_of_unit(connection, &exposure, rules, &mut gains, happened)?;
            (version, new) = (of_unit.version, of_unit.new);
            segments = of_unit.segments;
            let is_told = prediction
                .unit_id
                .is_some_and(|unit| !UnitId::is_generated(unit));
            if new.is_some() && is_told && definition.counts_units() {
                let made = prediction.made().micros();
                self.expose_unit(connection, &exposure, rules, made)?;
            }
        }
        let place = Place {
            experiment,
            epoch: exposure.epoch,
            version,
            metric: EXPOSURES,
            start: ALL_TIME,
        };
        let exposures = Exposure::delta(measured.status, new);
        self.count_minute(connection, &definition, (&exposure, version), measured)?;
        for segment in segments.iter() {
            let place = Place {
                metric: in_segment(EXPOSURES, segment),
                ..place
            };
            self.changes.push((place, exposures.clone()));
        }
        self.changes.push((place, exposures));
        self.apply(connection)
    }

    /// Counts a prediction in its minute, where that is kept, when the other sums are about to change.
    fn count_minute(
        &mut self,
        connection: &Connection,
        definition: &ExperimentDefinition,
        (exposure, version): (&Exposure, VersionKey),
        measured: Measured,
    ) -> Result<(), StoreError> {
        let at_once = self.at_once.entry(exposure.experiment);
        let at_once = at_once.or_insert_with(|| AtOnce::of(definition));
        if !at_once.kept {
            return Ok(());
        }
        let place = MinutePlace {
            experiment: exposure.experiment,
            epoch: exposure.epoch,
            version,
            minute: minute_of(exposure.seconds),
        };
        let sums = self.minutes.at(connection, place, self.server_key)?;
        let sums = sums.slot(exposure.seconds);
        sums.calls += 1;
        for at in at_once.bad(measured) {
            let of_metric = |(place, _): &&(Place, Delta)| place.metric == at as i64;
            let mut changes = self.changes.iter().filter(of_metric);
            let first = changes.any(|(_, change)| change.events > 0);
            sums.add_events(at, u64::from(first), 1);
        }
        Ok(())
    }

    /// Counts a value that came for a prediction of an experiment; `old` is the value it replaces.
    /// `None` when the experiment does not count the metric.
    pub(super) fn value(
        &mut self,
        connection: &Connection,
        exposure: &Exposure,
        metric: &str,
        (old, new): (Option<Old>, f64),
        (attributes, now): (Option<&str>, Timestamp),
    ) -> Result<Option<CountedValue>, StoreError> {
        self.now = self.now.max(now.seconds());
        let definition = self.definition(connection, exposure.experiment)?;
        let at = definition.metric(metric);
        let at = at.filter(|at| definition.metrics[*at].per == Per::Prediction);
        let Some(at) = at else {
            return Ok(None);
        };
        let metric = &definition.metrics[at];
        let terms = self.terms(connection, exposure.experiment, exposure.epoch, &definition)?;
        let replaced = old.map(|old| old.value);
        let was_in_time = old.and_then(|old| old.in_time);
        let happened = Happening {
            order: exposure.order,
            made: exposure.seconds,
            at: now.seconds(),
            before: was_in_time.or_else(|| without_value(metric)),
            after: Some(new),
        };
        let mut in_time = false;
        let Some(mut gain) = valued(&definition, metric, replaced, new) else {
            return Ok(None);
        };
        gain.delay = now.seconds() - exposure.seconds;
        // Whether the prediction counts already.
        let counted = gain.count == 0;
        if exposure.unit.is_none() {
            let start = start_of(metric, exposure.seconds);
            let had_event = old.is_some_and(|old| old.event > 0);
            let value = old.map(|old| old.value);
            let mut own = UnitMetric::of_one(start, counted, value, had_event);
            own.outcome = UnitOutcome::of_one(exposure.order, happened.before);
            let (segments, covariates) =
                self.of_own(connection, exposure, &definition, attributes)?;
            let covariate = covariate_at(&covariates, at);
            let bets = match definition.arm(exposure.version) {
                Some(arm) if terms.has(at) => {
                    let unit = Drawn {
                        covariate,
                        ..Drawn::fresh(arm)
                    };
                    let place = (at, unit);
                    take_outcome(&terms, place, metric, exposure.seconds, &happened, &mut own)
                }
                _ => None,
            };
            in_time = bets.is_some();
            let parts = terms.parts(&segments, (&definition, at), &gain);
            self.counted(&segments, (covariate, parts)).add_gain(
                exposure,
                (at, metric),
                &gain,
                &mut own,
                bets,
            );
        } else {
            let mut gains = SmallVec::from_buf([(at, gain)]);
            let rules = (&*definition, &*terms);
            let of_unit =
                self.gain_of_unit(connection, exposure, rules, &mut gains, |_| happened)?;
            in_time |= of_unit.in_time;
        }
        let of_all =
            |(place, _): &&(Place, Delta)| place.metric == at as i64 && place.start == ALL_TIME;
        let changes = self.changes.iter().filter(of_all);
        let event = changes.map(|(_, change)| change.events).sum();
        self.apply(connection)?;
        let now_in_time = if in_time { Some(new) } else { was_in_time };
        Ok(Some(CountedValue {
            event,
            in_time: now_in_time,
            corrects: Corrects::of(metric, (replaced, was_in_time), (new, now_in_time)),
        }))
    }

    /// Whether a unit was exposed in an experiment that has a metric per unit.
    pub(super) fn has_unit(
        &mut self,
        connection: &Connection,
        experiment: ExperimentKey,
        unit: i64,
    ) -> Result<bool, StoreError> {
        let counts = self.definition(connection, experiment)?.counts_units();
        Ok(counts && self.units.has(connection, (experiment, unit))?)
    }

    /// Whether the experiment has a metric per prediction.
    pub(super) fn has_metric(
        &mut self,
        connection: &Connection,
        experiment: ExperimentKey,
        metric: &str,
    ) -> Result<bool, StoreError> {
        let definition = self.definition(connection, experiment)?;
        let at = definition.metric(metric);
        Ok(at.is_some_and(|at| definition.metrics[at].per == Per::Prediction))
    }

    /// Takes gains of a named unit, and what happened for each.
    fn gain_of_unit<A: smallvec::Array<Item = (usize, Gain)>>(
        &mut self,
        connection: &Connection,
        exposure: &Exposure,
        (definition, terms): (&ExperimentDefinition, &Terms),
        gains: &mut SmallVec<A>,
        happened: impl Fn(&Gain) -> Happening,
    ) -> Result<OfUnit, StoreError> {
        let place = unit_place(exposure);
        let (slot, new) = self.units.open(connection, place, exposure.version)?;
        if new {
            let coin = self.coin(connection, place, (definition, terms))?;
            let (segments, covariates) = self.of_named(connection, place, definition)?;
            let unit = self.units.at(slot);
            (unit.coin, unit.began) = (coin, exposure.seconds);
            (unit.segments, unit.covariates) = (segments, covariates);
        }
        for (at, gain) in gains.iter_mut().filter(|(_, gain)| gain.bad) {
            let known = self.units.at(slot).had_event(*at);
            gain.counted_elsewhere =
                !known && self.units.had_event_elsewhere(connection, place, *at)?;
        }
        let unit = self.units.at(slot);
        let of_unit = Exposure {
            version: unit.version,
            ..*exposure
        };
        let (version, coin, began) = (unit.version, unit.coin, unit.began);
        let (segments, covariates) = (unit.segments.clone(), unit.covariates.clone());
        let arm = definition.arm(version);
        let mut in_time = false;
        let mut taken_back = SmallVec::<[usize; 1]>::new();
        for (at, gain) in gains.iter_mut() {
            gain.fresh = coin == Coin::Fresh;
            let metric = &definition.metrics[*at];
            let own = unit.metric(*at);
            let had_event = own.had_event();
            let covariate = covariate_at(&covariates, *at);
            let bets = match arm {
                Some(arm) if terms.has(*at) => {
                    let unit = Drawn {
                        arm,
                        coin,
                        covariate,
                    };
                    let place = (*at, unit);
                    take_outcome(terms, place, metric, began, &happened(gain), own)
                }
                _ => None,
            };
            in_time |= bets.is_some();
            let counted = &mut Counted {
                changes: &mut self.changes,
                now: self.now,
                segments: &segments,
                covariate,
                parts: terms.parts(&segments, (definition, *at), gain),
            };
            counted.add_gain(&of_unit, (*at, metric), gain, own, bets);
            if had_event && !own.had_event() {
                taken_back.push(*at);
            }
        }
        for at in taken_back {
            self.count_event_elsewhere(connection, place, (at, &definition.metrics[at]))?;
        }
        Ok(OfUnit {
            version,
            new: new.then_some(coin),
            in_time,
            segments,
        })
    }

    /// Counts the event of a unit in the first other epoch in which it has a bad value: the one that was counted is taken back.
    fn count_event_elsewhere(
        &mut self,
        connection: &Connection,
        place: UnitPlace,
        (at, metric): (usize, &Metric),
    ) -> Result<(), StoreError> {
        let mut elsewhere = self.units.elsewhere(connection, place)?;
        elsewhere.sort_unstable();
        for (epoch, version) in elsewhere {
            let other = UnitPlace { epoch, ..place };
            let (slot, _) = self.units.open(connection, other, version)?;
            let unit = self.units.at(slot);
            let Some(start) = unit.metric(at).count_event() else {
                continue;
            };
            let (version, segments) = (unit.version, unit.segments.clone());
            let event = Delta {
                events: 1,
                ..Delta::default()
            };
            // What has matured is never told apart again.
            let is_young = metric.bucket_seconds().is_some() && start > cutoff(metric, self.now);
            for segment in std::iter::once(0).chain(segments.iter()) {
                for start in [start, ALL_TIME].into_iter().skip(usize::from(!is_young)) {
                    let place = Place {
                        experiment: place.experiment,
                        epoch,
                        version,
                        metric: in_segment(at as i64, segment),
                        start,
                    };
                    self.changes.push((place, event.clone()));
                }
            }
            return Ok(());
        }
        Ok(())
    }

    /// What is left to chance about a unit that comes to an epoch.
    fn coin(
        &mut self,
        connection: &Connection,
        place: UnitPlace,
        (definition, terms): (&ExperimentDefinition, &Terms),
    ) -> Result<Coin, StoreError> {
        let elsewhere = self.units.elsewhere(connection, place)?;
        let Some(share) = terms.share() else {
            // With more arms only the first exposure in the experiment is left to chance.
            let new = elsewhere.is_empty();
            return Ok(if new { Coin::Fresh } else { Coin::LeftOut });
        };
        let mut seen = SmallVec::<[Seen; 8]>::new();
        for (epoch, version) in elsewhere {
            let then = self.terms(connection, place.experiment, epoch, definition)?;
            match (then.share(), definition.arm(version)) {
                (Some(share), Some(arm)) => seen.push(Seen {
                    share,
                    candidate: arm > 0,
                }),
                // It cannot be told where it was.
                _ => return Ok(Coin::LeftOut),
            }
        }
        Ok(Coin::between(seen, share))
    }

    /// The terms of the bets of an epoch; there are none where its row cannot be read.
    fn terms(
        &mut self,
        connection: &Connection,
        experiment: ExperimentKey,
        epoch: i64,
        definition: &ExperimentDefinition,
    ) -> Result<Arc<Terms>, StoreError> {
        if let Some(terms) = self.terms.get(&(experiment, epoch)) {
            return Ok(Arc::clone(terms));
        }
        let terms = Arc::new(terms_of(connection, experiment, epoch, definition)?);
        self.terms.insert((experiment, epoch), Arc::clone(&terms));
        Ok(terms)
    }

    fn counted<'a>(
        &'a mut self,
        segments: &'a Segments,
        (covariate, parts): (Option<f64>, Parts),
    ) -> Counted<'a> {
        Counted {
            changes: &mut self.changes,
            now: self.now,
            segments,
            covariate,
            parts,
        }
    }

    /// Adds what has changed to the sums.
    fn apply(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut changes = std::mem::take(&mut self.changes);
        for (place, change) in changes.drain(..) {
            self.add(connection, place, &change)?;
            if place.start != ALL_TIME && !days::is_day(place.metric) {
                self.forget_matured(connection, place)?;
            }
        }
        // The room is used again.
        self.changes = changes;
        Ok(())
    }

    fn add(
        &mut self,
        connection: &Connection,
        place: Place,
        change: &Delta,
    ) -> Result<(), StoreError> {
        let open = match self.open.get_mut(&place) {
            Some(open) => open,
            None => {
                let loaded = Open::load(connection, place, self.server_key)?;
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
    fn forget_matured(&mut self, connection: &Connection, place: Place) -> Result<(), StoreError> {
        let begins = self.open.get(&place).is_some_and(|open| open.row.is_none());
        let series = Place { start: 0, ..place };
        if !begins || self.newest.insert(series, place.start) == Some(place.start) {
            return Ok(());
        }
        let definition = self.definition(connection, place.experiment)?;
        let metric = usize::try_from(metric_of(place.metric)).ok();
        let Some(metric) = metric.and_then(|at| definition.metrics.get(at)) else {
            return Ok(());
        };
        // A margin for a clock that goes back a little.
        let before = cutoff(metric, self.now) - 2 * metric.bucket_seconds().unwrap_or(0);
        let mut delete = connection.prepare_cached(
            "DELETE FROM evidence WHERE experiment_key = ?1 AND epoch = ?2 AND version_key = ?3 \
             AND metric = ?4 AND start >= 0 AND start < ?5 AND server_key = ?6",
        )?;
        let p = place;
        delete.execute(params![
            p.experiment.0,
            p.epoch,
            p.version.0,
            p.metric,
            before,
            self.server_key,
        ])?;
        self.open.retain(|other, _| {
            let same = Place { start: 0, ..*other } == series;
            !same || other.start < 0 || other.start >= before
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
            self.written.insert((place.experiment, place.epoch));
            if let Some(open) = self.open.get_mut(&place) {
                open.write(connection, place, self.server_key)?;
            }
        }
        self.units.write(connection)?;
        self.minutes.write(connection, self.server_key)?;
        if self.open.len() > MAX_OPEN {
            self.open.clear();
            self.newest.clear();
        }
        Ok(())
    }

    /// The epochs that were written, once it is committed.
    pub(super) fn committed(&mut self) -> impl Iterator<Item = (ExperimentKey, i64)> + '_ {
        self.written.drain()
    }

    /// Forgets all, because the database has moved without it.
    pub(super) fn forget(&mut self) {
        *self = Self {
            now: self.now,
            ..Self::of(self.server_key)
        };
    }
}

/// What became of gains of a named unit.
struct OfUnit {
    /// Its arm.
    version: VersionKey,
    /// What was left to chance, where it was not seen in the epoch before.
    new: Option<Coin>,
    /// Whether the last one came in time for bets.
    in_time: bool,
    segments: Segments,
}

/// What changes in the bets on a metric.
struct OfBets {
    /// The stretch of the unit.
    start: i64,
    /// The day on which it came, where the metric is counted by day.
    day: Option<i64>,
    change: Bets,
}

impl OfBets {
    /// Of a unit that was seen first at a moment, in seconds.
    fn new(terms: &Terms, (at, metric): (usize, &Metric), began: i64, change: Bets) -> Self {
        Self {
            start: start_of(metric, began),
            day: terms.has_days(at).then(|| DayEvidence::of(began)),
            change,
        }
    }
}

/// Takes what happened to a prediction of a unit; gives what changes in the bets, where it was in time.
fn take_outcome(
    terms: &Terms,
    place: (usize, Drawn),
    metric: &Metric,
    began: i64,
    happened: &Happening,
    unit: &mut UnitMetric,
) -> Option<OfBets> {
    let before = unit.outcome.value();
    unit.outcome.take(metric, began, happened).then(|| {
        let change = terms.change(place, before, unit.outcome.value());
        OfBets::new(terms, (place.0, metric), began, change)
    })
}

/// The covariate of a unit for the metric at a place.
fn covariate_at(covariates: &Covariates, at: usize) -> Option<f64> {
    *covariates.get(at)?
}

/// What the present prediction or value changes.
struct Counted<'a> {
    changes: &'a mut Vec<(Place, Delta)>,
    now: i64,
    segments: &'a Segments,
    /// That of the unit, for the metric.
    covariate: Option<f64>,
    /// What changes in the sums by parts, where they are kept for the metric.
    parts: Parts,
}

impl Counted<'_> {
    /// Takes a gain of a unit for the metric at a place of the definition, and what it changes in the bets.
    fn add_gain(
        &mut self,
        exposure: &Exposure,
        (at, metric): (usize, &Metric),
        gain: &Gain,
        unit: &mut UnitMetric,
        mut bets: Option<OfBets>,
    ) {
        let cutoff = cutoff(metric, self.now);
        let place = |start| Place {
            experiment: exposure.experiment,
            epoch: exposure.epoch,
            version: exposure.version,
            metric: at as i64,
            start,
        };
        let windowed = metric.bucket_seconds().is_some();
        let start = start_of(metric, exposure.seconds);
        let changes = &mut *self.changes;
        if let Some(bets) = &bets
            && let Some(day) = bets.day
        {
            let place = place(DayEvidence::start(day));
            changes.extend(days::change(place, &bets.change));
        }
        let covariate = self.covariate;
        // They go with the first change, which is that of the prediction.
        let mut parts = std::mem::take(&mut self.parts);
        let mut push = |start: i64, change: Delta| {
            // What has matured is never told apart again.
            let mut push_in = |segment: u16, change: Delta| {
                let place = |start| Place {
                    metric: in_segment(at as i64, segment),
                    ..place(start)
                };
                if windowed && start > cutoff {
                    changes.push((place(start), change.clone()));
                }
                changes.push((place(ALL_TIME), change));
            };
            for segment in self.segments.iter() {
                push_in(segment, change.clone());
            }
            let parts = std::mem::take(&mut parts);
            push_in(0, Delta { parts, ..change });
        };
        let (early, late) = gain.timing(metric);
        unit.take(start, gain, cutoff, |start, change| {
            let mut change = change.with_covariate(covariate);
            change.early = i64::from(early && change.fresh_values > 0);
            change.late = i64::from(late && change.values > 0);
            if let Some(bets) = bets.take_if(|bets| bets.start == start) {
                change.bets = bets.change;
            }
            push(start, change);
        });
        if let Some(bets) = bets.filter(|bets| !bets.change.is_empty()) {
            let change = Delta {
                bets: bets.change,
                ..Delta::default()
            };
            push(bets.start, change);
        }
    }
}

impl Open {
    fn load(connection: &Connection, place: Place, server_key: i64) -> Result<Self, StoreError> {
        let mut select = connection.prepare_cached(&format!(
            "SELECT evidence_id, {COLUMNS} FROM evidence WHERE experiment_key = ?1 AND epoch = ?2 \
             AND version_key = ?3 AND metric = ?4 AND start = ?5 AND server_key = ?6"
        ))?;
        let key = params![
            place.experiment.0,
            place.epoch,
            place.version.0,
            place.metric,
            place.start,
            server_key,
        ];
        let found = |row: &Row<'_>| Ok((row.get("evidence_id")?, read_sums(row)?));
        let stored: Option<(i64, Delta)> = select.query_row(key, found).optional()?;
        let (row, sums) = stored.map_or_else(Default::default, |(row, sums)| (Some(row), sums));
        Ok(Self {
            row,
            sums,
            changed: false,
        })
    }

    fn write(
        &mut self,
        connection: &Connection,
        place: Place,
        server_key: i64,
    ) -> Result<(), StoreError> {
        self.changed = false;
        let row = match self.row {
            Some(row) => row,
            None => {
                let mut insert = connection.prepare_cached(
                    "INSERT INTO evidence (experiment_key, epoch, version_key, metric, start, server_key) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?;
                let p = place;
                let key = params![
                    p.experiment.0,
                    p.epoch,
                    p.version.0,
                    p.metric,
                    p.start,
                    server_key
                ];
                *self.row.insert(insert.insert(key)?)
            }
        };
        let mut update = connection.prepare_cached(
            "UPDATE evidence SET units = ?2, count = ?3, sum = ?4, sum_squares = ?5, \
             sum_count_squares = ?6, sum_products = ?7, value_count = ?8, value_units = ?9, \
             events = ?10, exact = ?11, row_hash = ?12, bets = ?13, fresh_values = ?14, \
             early = ?15, late = ?16, covariate = ?17, parts = ?18 WHERE evidence_id = ?1",
        )?;
        let s = &self.sums;
        let exact = exact_parts(s)?;
        let bets = written_bets(s)?;
        let covariate = written_covariate(s)?;
        let parts = written_parts(s)?;
        let row_hash = row_hash(place, server_key, s, [&exact, &bets, &covariate, &parts]);
        update.execute(params![
            row,
            s.units,
            s.count,
            s.sum.value(),
            s.sum_squares.value(),
            s.sum_count_squares,
            s.sum_products.value(),
            s.values,
            s.value_units,
            s.events,
            exact,
            row_hash,
            bets,
            s.fresh_values,
            s.early,
            s.late,
            covariate,
            parts,
        ])?;
        Ok(())
    }
}

fn row_hash(
    place: Place,
    server_key: i64,
    s: &Delta,
    [exact, bets, covariate, parts]: [&[u8]; 4],
) -> i64 {
    let mut columns = Columns::new();
    columns
        .number(place.experiment.0)
        .number(place.epoch)
        .number(place.version.0)
        .number(place.metric)
        .number(place.start)
        .number(s.units)
        .number(s.count)
        .float(s.sum.value())
        .float(s.sum_squares.value())
        .float(s.sum_count_squares)
        .float(s.sum_products.value())
        .number(s.values)
        .number(s.value_units)
        .number(s.events)
        .bytes(exact)
        .server(server_key);
    // Rows of releases that had none have the hashes that they had.
    if !bets.is_empty() {
        columns.bytes(bets);
    }
    if s.fresh_values != 0 {
        columns.text("fresh_values").number(s.fresh_values);
    }
    if (s.early, s.late) != (0, 0) {
        columns.text("timing").number(s.early).number(s.late);
    }
    if !covariate.is_empty() {
        columns.text("covariate").bytes(covariate);
    }
    if !parts.is_empty() {
        columns.text("parts").bytes(parts);
    }
    columns.hash() as i64
}

/// Sums that are not what was written; those of releases that made no hashes are passed over.
pub(super) fn changed_rows(
    connection: &Connection,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let mut select = connection.prepare(&format!(
        "SELECT {COLUMNS}, experiment_key, epoch, version_key, metric, start, sum, sum_squares, sum_products, \
         server_key, row_hash FROM evidence WHERE row_hash IS NOT NULL"
    ))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let hash = |row: &Row<'_>| -> rusqlite::Result<i64> {
            let place = Place {
                experiment: ExperimentKey(row.get("experiment_key")?),
                epoch: row.get("epoch")?,
                version: VersionKey(row.get("version_key")?),
                metric: row.get("metric")?,
                start: row.get("start")?,
            };
            let sums = read_sums(row)?;
            // The plain columns say the same as the exact sums, in short.
            let plain = |name: &str, sum: &ExactSum| {
                Ok::<_, rusqlite::Error>(row.get::<_, f64>(name)? == sum.value())
            };
            let agree = plain("sum", &sums.sum)?
                && plain("sum_squares", &sums.sum_squares)?
                && plain("sum_products", &sums.sum_products)?;
            let exact = row.get_ref("exact")?.as_blob()?;
            let bets = row.get_ref("bets")?.as_blob()?;
            let covariate = row.get_ref("covariate")?.as_blob()?;
            let parts = row.get_ref("parts")?.as_blob()?;
            let blobs = [exact, bets, covariate, parts];
            let hash = row_hash(place, row.get("server_key")?, &sums, blobs);
            Ok(if agree { hash } else { !hash })
        };
        if hash(row).ok() != row.get("row_hash").ok() {
            let number = |name: &str| -> String {
                let number = row.get::<_, i64>(name);
                number.map_or_else(|_| format!("an unreadable {name}"), |n| n.to_string())
            };
            report.changed(format_args!(
                "evidence of experiment number {}, epoch {}, version number {}, metric number {}, from {}",
                number("experiment_key"),
                number("epoch"),
                number("version_key"),
                number("metric"),
                number("start")
            ));
        }
    }
    Ok(())
}

/// The columns that [`read_sums`] reads.
pub(super) const COLUMNS: &str = "units, count, sum, sum_squares, sum_count_squares, sum_products, \
     value_count, value_units, events, exact, bets, fresh_values, early, late, covariate, parts";

pub(super) fn read_sums(row: &Row<'_>) -> rusqlite::Result<Delta> {
    let number = |name: &str| row.get::<_, f64>(name).map(ExactSum::from);
    let exact = row.get_ref("exact")?.as_blob()?;
    let [sum, sum_squares, sum_products] = if exact.is_empty() {
        [
            number("sum")?,
            number("sum_squares")?,
            number("sum_products")?,
        ]
    } else {
        postcard::from_bytes(exact).map_err(|_| corrupt("exact"))?
    };
    Ok(Delta {
        units: row.get("units")?,
        count: row.get("count")?,
        sum,
        sum_squares,
        sum_count_squares: row.get("sum_count_squares")?,
        sum_products,
        values: row.get("value_count")?,
        value_units: row.get("value_units")?,
        fresh_values: row.get("fresh_values")?,
        early: row.get("early")?,
        late: row.get("late")?,
        events: row.get("events")?,
        bets: match row.get_ref("bets")?.as_blob()? {
            [] => Bets::default(),
            bytes => postcard::from_bytes(bytes)
                .or_else(|_| postcard::from_bytes::<WithoutLines>(bytes).map(Into::into))
                .map_err(|_| corrupt("bets"))?,
        },
        covariate: match row.get_ref("covariate")?.as_blob()? {
            [] => None,
            bytes => {
                let covariate: CovariateDelta =
                    postcard::from_bytes(bytes).map_err(|_| corrupt("covariate"))?;
                Some(Box::new(covariate))
            }
        },
        parts: match row.get_ref("parts")?.as_blob()? {
            [] => Parts::default(),
            bytes => postcard::from_bytes(bytes).map_err(|_| corrupt("parts"))?,
        },
    })
}

fn written_bets(sums: &Delta) -> Result<Vec<u8>, StoreError> {
    if sums.bets.is_empty() {
        return Ok(Vec::new());
    }
    postcard::to_allocvec(&sums.bets).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn written_covariate(sums: &Delta) -> Result<Vec<u8>, StoreError> {
    let Some(covariate) = &sums.covariate else {
        return Ok(Vec::new());
    };
    postcard::to_allocvec(covariate).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn written_parts(sums: &Delta) -> Result<Vec<u8>, StoreError> {
    if sums.parts.is_empty() {
        return Ok(Vec::new());
    }
    postcard::to_allocvec(&sums.parts).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// What was fixed of the named units of an experiment when they came to an epoch.
pub(super) fn facts_of(
    connection: &Connection,
    experiment: ExperimentKey,
    mut found: impl FnMut(i64, i64, Facts),
) -> Result<(), StoreError> {
    units::each(connection, experiment, |place, facts| {
        found(place.epoch, place.unit, facts)
    })
}

/// The terms of the bets of an epoch.
pub(super) fn terms_of(
    connection: &Connection,
    experiment: ExperimentKey,
    epoch: i64,
    definition: &ExperimentDefinition,
) -> Result<Terms, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT shares, scales, keeps_parts FROM experiment_epochs WHERE experiment_key = ?1 AND epoch = ?2",
    )?;
    let read = |row: &Row<'_>| {
        let shares: Vec<f64> = row.json("shares").unwrap_or_default();
        let scales: Vec<Option<Scale>> = row.json("scales").unwrap_or_default();
        Ok(match row.get("keeps_parts")? {
            true => Terms::new(definition, &shares, &scales),
            false => Terms::without_parts(definition, &shares, &scales),
        })
    };
    let found = select.query_row(params![experiment.0, epoch], read);
    Ok(found
        .optional()?
        .unwrap_or_else(|| Terms::new(definition, &[], &[])))
}

/// The exact sums, where the plain columns do not say all of them.
fn exact_parts(sums: &Delta) -> Result<Vec<u8>, StoreError> {
    let parts = [&sums.sum, &sums.sum_squares, &sums.sum_products];
    if parts.iter().all(|sum| sum.is_plain()) {
        return Ok(Vec::new());
    }
    postcard::to_allocvec(&parts).map_err(|error| StoreError::Corrupt(error.to_string()))
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
