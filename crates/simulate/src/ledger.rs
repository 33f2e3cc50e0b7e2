//! The evidence of a simulated experiment, kept by the functions that keep it in production.

use crate::run::running;
use evidence::{Bets, Coin, Delta, Drawn, ExactSum, Parts, Terms, minute_of, part_of};
use judge::control::{Look, Next, step};
use judge::results::{History, Results, View, needs_minutes, view};
use judge::scales::{
    MIN_UNITS, WANTED, better, needs_scale, scale_of, waits_for_centre, waits_for_line,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use types::{
    ArmEvidence, ArmMinute, ArmSlot, DayEvidence, DaySums, Decision, EpochEvidence, Evidence,
    EvidenceRule, Experiment, ExperimentDefinition, Metric, MetricEvidence, MetricSums,
    MinuteEvidence, NoScale, Scale, Timestamp,
};

/// An experiment that runs, its evidence, and what is still to come.
pub(crate) struct Ledger {
    pub(crate) experiment: Experiment,
    pub(crate) evidence: Evidence,
    pub(crate) history: History,
    terms: Vec<Terms>,
    /// By epoch, arm and metric.
    bets: Vec<Vec<Vec<Bets>>>,
    /// The same of parts.
    parts: Vec<Vec<Vec<Parts>>>,
    /// Units of their own so far.
    units: u64,
    /// By epoch and day, then by arm and metric.
    days: BTreeMap<(usize, i64), Vec<Vec<Bets>>>,
    minutes: Vec<MinuteEvidence>,
    /// What counts from a second on, by epoch, arm and metric.
    pending: BTreeMap<(i64, usize, usize, usize), Gained>,
    /// Epochs, arms and metrics whose exact sums have not been rounded since they changed.
    changed: BTreeSet<(usize, usize, usize)>,
    /// What the control's units were worth by metric, the newest last.
    log: Vec<VecDeque<Valued>>,
    /// Outcomes of the first units of the experiment, of metrics that wait for a scale.
    first: Vec<Vec<Valued>>,
}

/// What units have gained for a metric.
#[derive(Default)]
pub(crate) struct Gained {
    pub(crate) sums: MetricSums,
    pub(crate) bets: Bets,
    pub(crate) parts: Parts,
}

/// What a unit was worth, and its covariate, where it has one.
pub(crate) type Valued = (f64, Option<f64>);

/// The scale that units tell.
fn told(
    definition: &ExperimentDefinition,
    metric: &Metric,
    units: &[Valued],
) -> Result<Scale, NoScale> {
    let outcomes: Vec<f64> = units.iter().map(|(value, _)| *value).collect();
    let known = units.iter().filter_map(|(value, x)| Some(((*x)?, *value)));
    let known: Vec<(f64, f64)> = known.collect();
    scale_of(definition, metric, &outcomes, &known)
}

impl Ledger {
    /// An experiment that starts at the beginning of time, whose control has done this before, by metric.
    pub(crate) fn new(definition: ExperimentDefinition, log: Vec<Vec<f64>>) -> Self {
        let plain = |values: Vec<f64>| values.into_iter().map(|value| (value, None)).collect();
        Self::with_covariates(definition, log.into_iter().map(plain).collect())
    }

    /// The same, where the covariates of units in the log are known.
    pub(crate) fn with_covariates(definition: ExperimentDefinition, log: Vec<Vec<Valued>>) -> Self {
        let metrics = definition.metrics.len();
        let mut ledger = Self {
            experiment: running(definition),
            evidence: Evidence::default(),
            history: History::default(),
            terms: Vec::new(),
            bets: Vec::new(),
            parts: Vec::new(),
            units: 0,
            days: BTreeMap::new(),
            minutes: Vec::new(),
            pending: BTreeMap::new(),
            changed: BTreeSet::new(),
            log: log.into_iter().map(VecDeque::from).collect(),
            first: vec![Vec::new(); metrics],
        };
        ledger.experiment.scales = ledger.scales(&[]);
        ledger.open(Timestamp::from_micros(0));
        ledger
    }

    /// The scales that the control's log tells; `known` stay where it tells none.
    fn scales(&self, known: &[Option<Scale>]) -> Vec<Option<Scale>> {
        let definition = &self.experiment.definition;
        let of = |(at, metric): (usize, &Metric)| {
            let units: Vec<Valued> = self.log[at].iter().copied().collect();
            let found = told(definition, metric, &units).ok();
            found
                .filter(|_| needs_scale(metric))
                .or(known.get(at).copied().flatten())
        };
        definition.metrics.iter().enumerate().map(of).collect()
    }

    fn open(&mut self, now: Timestamp) {
        let experiment = &self.experiment;
        let definition = &experiment.definition;
        let arm = ArmEvidence {
            metrics: vec![MetricEvidence::default(); definition.metrics.len()],
            ..ArmEvidence::default()
        };
        self.terms.push(Terms::new(
            definition,
            &experiment.shares,
            &experiment.scales,
        ));
        self.bets.push(vec![
            vec![Bets::default(); definition.metrics.len()];
            definition.arms.len()
        ]);
        self.parts.push(vec![
            vec![Parts::default(); definition.metrics.len()];
            definition.arms.len()
        ]);
        self.evidence.epochs.push(EpochEvidence {
            epoch: self.evidence.epochs.len() as i64,
            started_at: now,
            shares: experiment.shares.clone(),
            scales: experiment.scales.clone(),
            arms: vec![arm; definition.arms.len()],
            days: Vec::new(),
        });
    }

    /// The present epoch, by its place.
    pub(crate) fn epoch(&self) -> usize {
        self.evidence.epochs.len() - 1
    }

    /// What came in the minute of a moment, in seconds, in the present epoch.
    fn minute(&mut self, arm: usize, now: i64) -> &mut ArmSlot {
        let (epoch, minute) = (self.epoch() as i64, minute_of(now));
        let last = self.minutes.last();
        if last.is_none_or(|last| (last.epoch, last.minute) != (epoch, minute)) {
            let arms = self.experiment.definition.arms.len();
            self.minutes.push(MinuteEvidence {
                epoch,
                minute,
                arms: vec![ArmMinute::default(); arms],
            });
        }
        let last = self.minutes.len() - 1;
        self.minutes[last].arms[arm].slot(now)
    }

    /// The terms of the bets of the present epoch.
    pub(crate) fn terms(&self) -> &Terms {
        &self.terms[self.epoch()]
    }

    /// Counts a request of a named unit in the present epoch; `new` is what was left to chance, where it is its first.
    pub(crate) fn expose_unit(&mut self, arm: usize, new: Option<Coin>, now: i64) {
        if self.experiment.definition.keeps_minutes() {
            self.minute(arm, now).calls += 1;
        }
        let epoch = self.epoch();
        let exposures = &mut self.evidence.epochs[epoch].arms[arm].exposures;
        exposures.predictions += 1;
        exposures.units += u64::from(new.is_some());
        exposures.first += u64::from(new == Some(Coin::Fresh));
        exposures.left_out += u64::from(new == Some(Coin::LeftOut));
    }

    /// Counts first and bad events in their minute.
    pub(crate) fn bad(&mut self, arm: usize, metric: usize, now: i64, (first, bad): (u64, u64)) {
        if bad > 0 && self.experiment.definition.keeps_minutes() {
            self.minute(arm, now).add_events(metric, first, bad);
        }
    }

    /// Exposes units of their own in the present epoch.
    pub(crate) fn expose(&mut self, arm: usize, units: u64, now: i64) {
        if self.experiment.definition.keeps_minutes() {
            self.minute(arm, now).calls += units;
        }
        let epoch = self.epoch();
        let exposures = &mut self.evidence.epochs[epoch].arms[arm].exposures;
        exposures.units += units;
        exposures.first += units;
        exposures.predictions += units;
    }

    /// Units of their own that were exposed at a moment, in seconds, and were worth this at once.
    pub(crate) fn worth(
        &mut self,
        arm: usize,
        metric: usize,
        now: i64,
        zeros: u64,
        others: &[f64],
    ) {
        let epoch = self.epoch();
        let declared = &self.experiment.definition.metrics[metric];
        let (mut sums, mut bets) = (MetricSums::default(), Bets::default());
        let mut add = |value: f64, n: u64| {
            let mut of_one = Delta::of_unit(1, &ExactSum::from(value), 1);
            of_one.events = i64::from(declared.is_bad(value));
            sums.add(&of_one.sums().times(n));
            bets.add(
                &self.terms[epoch]
                    .of_unit(metric, Drawn::fresh(arm), value)
                    .times(n),
            );
        };
        if zeros > 0 {
            add(0.0, zeros);
        }
        // All ones of a binary metric are alike.
        if declared.kind == types::MetricKind::Binary {
            if !others.is_empty() {
                add(1.0, others.len() as u64);
            }
        } else {
            others.iter().for_each(|value| add(*value, 1));
        }
        if declared.rule() == EvidenceRule::Events && self.experiment.definition.keeps_minutes() {
            let bad = sums.events;
            let minute = self.minute(arm, now);
            minute.add_events(metric, bad, bad);
        }
        self.remember(
            arm,
            metric,
            zeros,
            others.iter().map(|value| (*value, None)),
        );
        let parts = self.parts_of(metric, zeros, others);
        self.expect(epoch, (arm, metric), now, &Gained { sums, bets, parts });
    }

    /// Remembers what a unit was worth, as the log does it.
    pub(crate) fn note_first(&mut self, arm: usize, metric: usize, value: f64) {
        self.remember(arm, metric, 0, std::iter::once((value, None)));
    }

    /// The parts of units of their own, where they are kept.
    fn parts_of(&mut self, metric: usize, zeros: u64, others: &[f64]) -> Parts {
        let definition = &self.experiment.definition;
        let mut parts = Parts::default();
        if !definition.keeps_parts(&definition.metrics[metric]) {
            return parts;
        }
        let zeros = std::iter::repeat_n(0.0, zeros as usize);
        let terms = &self.terms[self.evidence.epochs.len() - 1];
        for value in zeros.chain(others.iter().copied()) {
            self.units += 1;
            let within = terms.within(metric, value);
            parts.add(&Parts::one(part_of(self.units), 1, &within.into()));
        }
        parts
    }

    /// Units of their own whose covariates are known, that were exposed at a moment, in seconds, and were worth this at once.
    pub(crate) fn worth_with_covariates(
        &mut self,
        arm: usize,
        metric: usize,
        now: i64,
        units: &[Valued],
    ) {
        let epoch = self.epoch();
        let (mut sums, mut bets) = (Delta::default(), Bets::default());
        for (value, covariate) in units {
            let of_one = Delta::of_unit(1, &ExactSum::from(*value), 1);
            sums.add(&of_one.with_covariate(*covariate));
            let unit = Drawn {
                covariate: *covariate,
                ..Drawn::fresh(arm)
            };
            bets.add(&self.terms[epoch].of_unit(metric, unit, *value));
        }
        self.remember(arm, metric, 0, units.iter().copied());
        let sums = sums.sums();
        let gained = Gained {
            sums,
            bets,
            ..Gained::default()
        };
        self.expect(epoch, (arm, metric), now, &gained);
    }

    /// Sums of units that were exposed at a moment and have come: they count when the window has passed.
    pub(crate) fn expect(
        &mut self,
        epoch: usize,
        (arm, metric): (usize, usize),
        now: i64,
        gained: &Gained,
    ) {
        self.evidence.epochs[epoch].arms[arm].metrics[metric]
            .all
            .add(&gained.sums);
        self.count_day((epoch, arm, metric), now, &gained.bets);
        let declared = &self.experiment.definition.metrics[metric];
        let wait = declared.window_seconds as i64 + declared.bucket_seconds().unwrap_or(0);
        if wait == 0 {
            self.count((epoch, arm, metric), gained);
        } else {
            let place = (now + wait, epoch, arm, metric);
            let all = self.pending.entry(place).or_default();
            all.sums.add(&gained.sums);
            all.bets.add(&gained.bets);
            all.parts.add(&gained.parts);
        }
    }

    fn count(&mut self, (epoch, arm, metric): (usize, usize, usize), gained: &Gained) {
        self.bets[epoch][arm][metric].add(&gained.bets);
        self.parts[epoch][arm][metric].add(&gained.parts);
        let place = &mut self.evidence.epochs[epoch].arms[arm].metrics[metric];
        place.matured.add(&gained.sums);
        self.changed.insert((epoch, arm, metric));
    }

    /// Rounds the exact sums that have changed: once for a look, and not for each prediction.
    fn round(&mut self) {
        for (epoch, arm, metric) in std::mem::take(&mut self.changed) {
            let place = &mut self.evidence.epochs[epoch].arms[arm].metrics[metric];
            place.bets = self.bets[epoch][arm][metric].sums();
            place.parts = self.parts[epoch][arm][metric].sums(place.matured.about);
        }
    }

    /// Counts what changes in the bets by the day on which units came, at a moment in seconds.
    fn count_day(&mut self, (epoch, arm, metric): (usize, usize, usize), began: i64, bets: &Bets) {
        if !self.terms[epoch].has_days(metric) {
            return;
        }
        let definition = &self.experiment.definition;
        let (arms, metrics) = (definition.arms.len(), definition.metrics.len());
        let day = DayEvidence::of(began);
        let nothing = || vec![vec![Bets::default(); metrics]; arms];
        let sums = self.days.entry((epoch, day)).or_insert_with(nothing);
        let sums = &mut sums[arm][metric];
        sums.add(&bets.of_day());
        let sums = sums.day_sums();
        let days = &mut self.evidence.epochs[epoch].days;
        let place = days.binary_search_by_key(&day, |known| known.day);
        let place = place.unwrap_or_else(|place| {
            let arms = vec![vec![DaySums::default(); metrics]; arms];
            days.insert(place, DayEvidence { day, arms });
            place
        });
        days[place].arms[arm][metric] = sums;
    }

    /// Takes what has matured. Nothing is judged before.
    pub(crate) fn mature(&mut self, now: i64) {
        let later = self.pending.split_off(&(now + 1, 0, 0, 0));
        for ((_, epoch, arm, metric), gained) in std::mem::replace(&mut self.pending, later) {
            self.count((epoch, arm, metric), &gained);
        }
        self.round();
    }

    fn remember(
        &mut self,
        arm: usize,
        metric: usize,
        zeros: u64,
        others: impl Iterator<Item = Valued> + Clone,
    ) {
        if arm == 0 {
            let log = &mut self.log[metric];
            log.extend(others.clone());
            log.extend(std::iter::repeat_n(
                (0.0, None),
                (zeros as usize).min(WANTED),
            ));
            while log.len() > WANTED {
                log.pop_front();
            }
        }
        let first = &mut self.first[metric];
        let known = self.experiment.scales[metric];
        let declared = &self.experiment.definition.metrics[metric];
        let waits = |scale: Scale| scale.centre == 0.0 || waits_for_line(declared, scale);
        if known.is_none_or(waits) && first.len() < WANTED {
            first.extend(others);
            first.extend(std::iter::repeat_n((0.0, None), zeros as usize));
        }
    }

    /// What the production judge decides by.
    pub(crate) fn results(&self, now: Timestamp) -> Results {
        let needed = needs_minutes(&self.experiment.definition, &self.evidence);
        let with_minutes = needed.then(|| Evidence {
            minutes: Some(self.minutes.clone()),
            ..self.evidence.clone()
        });
        view(
            &self.experiment,
            with_minutes.as_ref().unwrap_or(&self.evidence),
            &self.history,
            now,
            View::Deciding,
        )
    }

    /// What the production controller does next, done to the experiment.
    pub(crate) fn look(&mut self, now: Timestamp) -> Next {
        self.mature(now.seconds());
        let results = self.results(now);
        let next = step(&Look {
            experiment: &self.experiment,
            evidence: &self.evidence,
            results: &results,
            now,
            complete: true,
        });
        self.history = results.history();
        self.experiment.progress.clone_from(&next.progress);
        if let Some(shares) = next.decision.as_ref().and_then(Decision::shares) {
            self.experiment.shares = shares.to_vec();
            if self.experiment.definition.policy.rollout().is_some() {
                self.experiment.scales = self.scales(&self.experiment.scales);
            }
            self.open(now);
        } else if next.decision.is_none() {
            self.rescale(now);
        }
        next
    }

    /// Begins a new epoch where the first units tell a scale that was missing.
    fn rescale(&mut self, now: Timestamp) {
        let definition = &self.experiment.definition;
        let mut found = false;
        for (at, metric) in definition.metrics.iter().enumerate() {
            let known = self.experiment.scales[at];
            let centre = known.is_some_and(|scale| waits_for_centre(definition, metric, scale));
            let line = known.is_some_and(|scale| waits_for_line(metric, scale));
            if (known.is_none() && needs_scale(metric) || centre || line)
                && self.first[at].len() >= MIN_UNITS
                && let Ok(scale) = told(definition, metric, &self.first[at])
                && let Some(scale) = better(scale, known)
            {
                self.experiment.scales[at] = Some(scale);
                found = true;
            }
        }
        if found {
            self.open(now);
        }
    }
}
