//! Evidence counted again from predictions and feedback, in the plainest way: what a writer adds up piece by piece must
//! come to the same.

use crate::bets::{Bets, Coin, Drawn, Terms};
use crate::covariate::{Covariates, of_attributes};
use crate::exact::ExactSum;
use crate::minute::minute_of;
use crate::outcome::{Exposure, Happened, Outcome, UnitWorth, first_exposed, without_value};
use crate::part::Parts;
use crate::segment::{SegmentValues, Segments};
use crate::unit::{Delta, Happening, UnitOutcome, cutoff, start_of};
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use types::{
    ArmMinute, AtOnce, Attributes, DayEvidence, ExperimentDefinition, Measured, Metric, Per,
    VersionKey,
};

/// A unit of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// By the number of its `unit_id`.
    Named(i64),
    /// A prediction without a `unit_id`, by the order of its id.
    Own(u64),
}

/// A prediction of an experiment.
#[derive(Debug, Clone)]
pub struct Exposed {
    /// The epoch of the weights.
    pub epoch: i64,
    /// The version that was chosen.
    pub version: VersionKey,
    /// Whose it is.
    pub unit: Unit,
    /// The order of its id.
    pub order: u64,
    /// When it was made, in seconds.
    pub seconds: i64,
    /// How it went.
    pub measured: Measured,
    /// What was known of who asked, where the experiment needs it; that of named units is fixed.
    pub attributes: Attributes,
}

/// A value that came for a prediction.
#[derive(Debug, Clone, Copy)]
pub struct Given {
    /// The value.
    pub value: f64,
    /// The sum of 1 for each time that it was counted as the event of its unit, and -1 for each time that it took that back.
    pub event: i64,
    /// The value that had come in time for bets, where one had.
    pub in_time: Option<f64>,
}

/// What was fixed of a named unit in an epoch when it came, by the order in which entries were counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// What was left to chance.
    pub coin: Coin,
    /// When it was exposed first, in seconds.
    pub began: i64,
    /// By metric, without a window: the prediction whose value it has in bets, by the order of its id.
    pub of: Vec<Option<u64>>,
    /// The segments that it belongs to.
    pub segments: Segments,
    /// What was known of it before.
    pub covariates: Covariates,
}

/// Where sums belong: an epoch, the version of an arm, and the place of a metric in the definition; without one they
/// are sums of exposures.
/// The last is the segment, 0 for all units.
pub type Cell = (i64, VersionKey, Option<usize>, u16);

/// What one unit gathered for one metric.
#[derive(Debug, Default)]
struct Gathered {
    count: u64,
    sum: ExactSum,
    /// The sum of the values within floor and cap of the scale.
    within: ExactSum,
    values: i64,
}

/// Counts the evidence of one experiment.
#[derive(Debug)]
pub struct Recount {
    definition: Arc<ExperimentDefinition>,
    at_once: AtOnce,
    /// Only what has matured by then counts, in seconds; all where it is not said.
    matured_at: Option<i64>,
    /// The arm of each unit in each epoch: that of its first exposure there.
    arms: HashMap<(i64, Unit), VersionKey>,
    /// By epoch, arm and segment.
    exposures: HashMap<(i64, VersionKey, u16), Delta>,
    /// The values of the dimensions.
    values: SegmentValues,
    /// The segments of units, where there are some.
    segments: HashMap<(i64, Unit), Segments>,
    /// The covariates of units, where there are some.
    covariates: HashMap<(i64, Unit), Covariates>,
    units: HashMap<(Cell, Unit), Gathered>,
    /// By epoch, version of the arm, and minute. First events are those that were counted so.
    minutes: HashMap<(i64, VersionKey, i64), ArmMinute>,
    terms: HashMap<i64, Terms>,
    facts: HashMap<(i64, Unit), Facts>,
    /// By epoch, unit and metric: its arm, when it was exposed first, in seconds, and its outcome as bets see it.
    outcomes: HashMap<(i64, Unit, usize), (VersionKey, i64, UnitOutcome)>,
    /// Whose first event of a metric was seen.
    had_event: HashSet<(usize, Unit)>,
    /// First events by metric.
    events: Vec<i64>,
}

impl Recount {
    /// Of everything, or of what has matured by a moment, in seconds.
    pub fn new(definition: Arc<ExperimentDefinition>, matured_at: Option<i64>) -> Self {
        Self {
            events: vec![0; definition.metrics.len()],
            at_once: AtOnce::of(&definition),
            definition,
            matured_at,
            arms: HashMap::new(),
            exposures: HashMap::new(),
            values: SegmentValues::default(),
            segments: HashMap::new(),
            covariates: HashMap::new(),
            units: HashMap::new(),
            minutes: HashMap::new(),
            terms: HashMap::new(),
            facts: HashMap::new(),
            outcomes: HashMap::new(),
            had_event: HashSet::new(),
        }
    }

    /// The model that the experiment is about.
    pub fn name(&self) -> &str {
        self.definition.name.as_str()
    }

    /// Says which values of the dimensions are told apart.
    pub fn values(&mut self, values: SegmentValues) {
        self.values = values;
    }

    /// Whether attributes of predictions are needed.
    pub fn needs_attributes(&self) -> bool {
        self.definition.needs_attributes()
    }

    /// Says by which terms bets are made in an epoch.
    pub fn epoch(&mut self, epoch: i64, terms: Terms) {
        self.terms.insert(epoch, terms);
    }

    /// Whether an epoch is known to have scales.
    pub fn has_scales(&self, epoch: i64) -> bool {
        self.terms.get(&epoch).is_some_and(Terms::have_scales)
    }

    /// Says what was fixed of a named unit.
    pub fn fixed(&mut self, epoch: i64, unit: i64, facts: Facts) {
        self.facts.insert((epoch, Unit::Named(unit)), facts);
    }

    /// Counts a prediction, with what came for it by metric.
    /// `outcomes` are those of its unit for a metric per unit, in the order in which they came.
    pub fn add(
        &mut self,
        p: &Exposed,
        given: impl Fn(&Metric) -> Option<Given>,
        outcomes: impl Fn(&Metric) -> Vec<Happened>,
    ) {
        let arms = self.arms.len();
        let arm = *self.arms.entry((p.epoch, p.unit)).or_insert(p.version);
        let new = self.arms.len() > arms;
        let facts = self.facts.get(&(p.epoch, p.unit));
        let coin = facts.map_or(Coin::Fresh, |facts| facts.coin);
        let segments = match p.unit {
            Unit::Named(_) => facts.map(|facts| facts.segments.clone()),
            Unit::Own(_) => {
                let known = |_: usize, _: usize, _: &str| Ok::<(), Infallible>(());
                let segments = self.values.of(&self.definition, &p.attributes, known);
                segments
                    .ok()
                    .map(|found| found.with_part(&self.definition, p.order))
            }
        };
        let covariates = match p.unit {
            Unit::Named(_) => facts.map(|facts| facts.covariates.clone()),
            Unit::Own(_) => Some(of_attributes(&self.definition, &p.attributes)),
        };
        if let Some(covariates) = covariates.filter(|known| new && !known.is_empty()) {
            self.covariates.insert((p.epoch, p.unit), covariates);
        }
        let exposure = Exposure::delta(p.measured.status, new.then_some(coin));
        let all = segments.iter().flat_map(Segments::iter);
        for segment in std::iter::once(0).chain(all) {
            let exposures = self.exposures.entry((p.epoch, arm, segment));
            exposures.or_default().add(&exposure);
        }
        if let Some(segments) = segments.filter(|segments| new && *segments != Segments::default())
        {
            self.segments.insert((p.epoch, p.unit), segments);
        }
        let bad: SmallVec<[usize; 3]> = self.at_once.bad(p.measured).collect();
        let minute = self.at_once.kept.then(|| {
            let minute = (p.epoch, arm, minute_of(p.seconds));
            let sums = self.minutes.entry(minute).or_default();
            let sums = sums.slot(p.seconds);
            sums.calls += 1;
            bad.iter().for_each(|at| sums.add_events(*at, 0, 1));
            minute
        });
        let mut of_units = Vec::new();
        for (at, metric) in self.definition.metrics.iter().enumerate() {
            if metric.per == Per::Unit {
                let exposed = facts.and_then(|facts| *facts.of.get(at)?);
                if let Some(exposed) = exposed.filter(|_| new) {
                    let exposed = exposed as i64;
                    let of_unit = UnitWorth::of(metric, exposed, &outcomes(metric));
                    let unit = (p.epoch, arm, p.unit);
                    of_units.push((unit, at, exposed, of_unit));
                }
                continue;
            }
            let given = given(metric);
            let feedback = given.map(|given| given.value);
            let outcome = Outcome::of(&self.definition, metric, p.measured, feedback);
            let event = if metric.from_feedback() {
                given.map_or(0, |given| given.event)
            } else {
                let bad = outcome.value.is_some_and(|value| metric.is_bad(value));
                i64::from(bad && self.had_event.insert((at, p.unit)))
            };
            self.events[at] += event;
            if event > 0
                && bad.contains(&at)
                && let Some(sums) = minute.and_then(|minute| self.minutes.get_mut(&minute))
            {
                sums.slot(p.seconds).add_events(at, 1, 0);
            }
            let matured = |now| start_of(metric, p.seconds) <= cutoff(metric, now);
            if self.terms.get(&p.epoch).is_some_and(|terms| terms.has(at)) {
                let counted = match given {
                    Some(given) => given.in_time.or_else(|| without_value(metric)),
                    None => outcome.worth(),
                };
                let of = facts.and_then(|facts| *facts.of.get(at)?);
                let taken = metric.window_seconds > 0 || facts.is_none() || of == Some(p.order);
                let began = facts.map_or(p.seconds, |facts| facts.began);
                let happened = Happening {
                    order: p.order,
                    made: p.seconds,
                    at: p.seconds,
                    before: None,
                    after: counted.filter(|_| taken),
                };
                let place = (p.epoch, p.unit, at);
                let (_, _, outcome) =
                    self.outcomes
                        .entry(place)
                        .or_insert((arm, began, UnitOutcome::default()));
                outcome.take(metric, began, &happened);
            }
            if outcome.counts && self.matured_at.is_none_or(matured) {
                let cell = (p.epoch, arm, Some(at), 0);
                let gathered = self.units.entry((cell, p.unit)).or_default();
                gathered.count += 1;
                let worth = outcome.value.unwrap_or(0.0);
                gathered.sum.add(worth);
                let terms = self.terms.get(&p.epoch);
                gathered
                    .within
                    .add(terms.map_or(worth, |terms| terms.within(at, worth)));
                gathered.values += i64::from(outcome.value.is_some());
            }
        }
        for (unit, at, exposed, of_unit) in of_units {
            self.add_unit(unit, at, exposed, of_unit);
        }
    }

    /// Counts a unit that was exposed first at a moment, in microseconds, for a metric per unit.
    fn add_unit(
        &mut self,
        (epoch, arm, unit): (i64, VersionKey, Unit),
        at: usize,
        exposed: i64,
        of_unit: UnitWorth,
    ) {
        let definition = Arc::clone(&self.definition);
        let metric = &definition.metrics[at];
        let began = exposed.div_euclid(1_000_000);
        if self.terms.get(&epoch).is_some_and(|terms| terms.has(at))
            && let Some(worth) = of_unit.worth_in_time(metric)
        {
            let outcome = UnitOutcome::of_one(exposed as u64, Some(worth));
            self.outcomes
                .insert((epoch, unit, at), (arm, began, outcome));
        }
        let Some(gain) = first_exposed(&definition, metric, of_unit) else {
            return;
        };
        if self
            .matured_at
            .is_none_or(|now| start_of(metric, began) <= cutoff(metric, now))
        {
            let cell = (epoch, arm, Some(at), 0);
            let gathered = self.units.entry((cell, unit)).or_default();
            gathered.count += gain.count;
            gathered.sum.add_sum(&gain.sum);
            let terms = self.terms.get(&epoch);
            let within = terms.map_or(gain.after, |terms| terms.within(at, gain.after));
            gathered.within.add(within);
            gathered.values += i64::from(gain.valued);
        }
    }

    /// The sums over units, without events of metrics.
    pub fn sums(&self) -> HashMap<Cell, Delta> {
        let exposures = self.exposures.iter();
        let mut sums: HashMap<Cell, Delta> = exposures
            .map(|((epoch, arm, segment), delta)| ((*epoch, *arm, None, *segment), delta.clone()))
            .collect();
        for ((cell, name), unit) in &self.units {
            let mut of_unit = Delta::of_unit(unit.count, &unit.sum, unit.values);
            let facts = self.facts.get(&(cell.0, *name));
            if facts.is_some_and(|facts| facts.coin != Coin::Fresh) {
                of_unit.fresh_values = 0;
            }
            let covariate = cell.2.and_then(|at| self.covariate((cell.0, *name), at));
            let of_unit = of_unit.with_covariate(covariate);
            for cell in self.cells(*cell, *name) {
                let sums = sums.entry(cell).or_default();
                sums.add(&of_unit);
                if let Some(part) = self.part(cell, *name) {
                    let parts = Parts::one(part, unit.count as i64, &unit.within);
                    sums.parts.add(&parts);
                }
            }
        }
        for ((epoch, unit, at), (version, began, outcome)) in &self.outcomes {
            let (Some(terms), Some(arm)) = (self.terms.get(epoch), self.definition.arm(*version))
            else {
                continue;
            };
            let metric = &self.definition.metrics[*at];
            let facts = self.facts.get(&(*epoch, *unit));
            let coin = facts.map_or(Coin::Fresh, |facts| facts.coin);
            let matured = |now| start_of(metric, *began) <= cutoff(metric, now);
            if let Some(value) = outcome
                .value()
                .filter(|_| self.matured_at.is_none_or(matured))
            {
                let covariate = self.covariate((*epoch, *unit), *at);
                let unit_of = Drawn {
                    arm,
                    coin,
                    covariate,
                };
                let bets = terms.of_unit(*at, unit_of, value);
                let cell = (*epoch, *version, Some(*at), 0);
                for cell in self.cells(cell, *unit) {
                    sums.entry(cell).or_default().bets.add(&bets);
                }
            }
        }
        sums
    }

    /// What was known of a unit before, for the metric at a place.
    fn covariate(&self, unit: (i64, Unit), at: usize) -> Option<f64> {
        *self.covariates.get(&unit)?.get(at)?
    }

    /// Numbers of units by the day on which each came: by epoch, version of the arm, place of the metric, and day. Nothing in
    /// epochs without days.
    pub fn days(&self) -> HashMap<(i64, VersionKey, usize, i64), Bets> {
        let mut days: HashMap<_, Bets> = HashMap::new();
        for ((epoch, unit, at), (version, began, outcome)) in &self.outcomes {
            let terms = self.terms.get(epoch).filter(|terms| terms.has_days(*at));
            let (Some(terms), Some(arm)) = (terms, self.definition.arm(*version)) else {
                continue;
            };
            let facts = self.facts.get(&(*epoch, *unit));
            let coin = facts.map_or(Coin::Fresh, |facts| facts.coin);
            let Some(value) = outcome.value() else {
                continue;
            };
            let unit_of = Drawn {
                arm,
                coin,
                covariate: self.covariate((*epoch, *unit), *at),
            };
            let of_day = terms.of_unit(*at, unit_of, value).of_day();
            if !of_day.is_empty() {
                let place = (*epoch, *version, *at, DayEvidence::of(*began));
                days.entry(place).or_default().add(&of_day);
            }
        }
        days
    }

    /// A cell of all units, and the same of the segments of one.
    fn cells(&self, cell: Cell, unit: Unit) -> impl Iterator<Item = Cell> {
        let (epoch, version, metric, _) = cell;
        let segments = self.segments.get(&(epoch, unit)).into_iter();
        let segments = segments.flat_map(Segments::iter);
        let segments = segments.map(move |segment| (epoch, version, metric, segment));
        std::iter::once(cell).chain(segments)
    }

    /// The part of a unit, where the sums of a cell are kept by parts.
    fn part(&self, (epoch, _, metric, segment): Cell, unit: Unit) -> Option<u8> {
        let metric = &self.definition.metrics[metric?];
        let keeps = self.terms.get(&epoch).is_some_and(Terms::keeps_parts);
        let segments = self
            .segments
            .get(&(epoch, unit))
            .filter(|_| keeps && segment == 0)?;
        segments.part(&self.definition, metric)
    }

    /// What came in each minute, by epoch and version.
    pub fn minutes(&self) -> &HashMap<(i64, VersionKey, i64), ArmMinute> {
        &self.minutes
    }

    /// How many units had an event, by the place of the metric.
    pub fn events(&self) -> &[i64] {
        &self.events
    }
}
