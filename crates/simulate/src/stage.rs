//! An experiment under way in an invented world, with the evidence that the log would have of it: one
//! metric, and one value per unit.

use crate::run::running;
use evidence::{Delta, ExactSum, Parts, part_of};
use judge::control::{Look, Next, step};
use judge::results::{History, Results, View, view};
use std::collections::VecDeque;
use types::{
    ArmEvidence, EpochEvidence, Evidence, Experiment, ExperimentDefinition, Exposures,
    MetricEvidence, MetricSums, Scale, Timestamp,
};

pub(crate) struct Stage {
    pub(crate) experiment: Experiment,
    pub(crate) evidence: Evidence,
    /// By epoch and arm.
    parts: Vec<Vec<Parts>>,
    /// Units so far.
    units: u64,
    pending: VecDeque<Pending>,
}

/// Outcomes that have not come yet.
struct Pending {
    due: u64,
    epoch: usize,
    arms: Vec<(MetricSums, Parts)>,
}

impl Stage {
    /// An experiment that starts at the beginning of time.
    pub(crate) fn new(definition: ExperimentDefinition) -> Self {
        let experiment = running(definition);
        let shares = experiment.shares.clone();
        let mut stage = Self {
            experiment,
            evidence: Evidence {
                minutes: Some(Vec::new()),
                ..Evidence::default()
            },
            parts: Vec::new(),
            units: 0,
            pending: VecDeque::new(),
        };
        stage.open_epoch(shares, Timestamp::from_micros(0));
        stage
    }

    pub(crate) fn open_epoch(&mut self, shares: Vec<f64>, now: Timestamp) {
        let empty = ArmEvidence {
            exposures: Exposures::default(),
            metrics: vec![MetricEvidence::default()],
        };
        self.parts.push(vec![Parts::default(); shares.len()]);
        self.evidence.epochs.push(EpochEvidence {
            epoch: self.evidence.epochs.len() as i64,
            started_at: now,
            arms: vec![empty; shares.len()],
            days: Vec::new(),
            shares: shares.clone(),
            scales: vec![Some(Scale::binary(0.0))],
        });
        self.experiment.shares = shares;
    }

    /// Exposes units in the last epoch, by arm.
    pub(crate) fn expose(&mut self, units: impl IntoIterator<Item = u64>) {
        let arms = self.evidence.epochs.last_mut().map(|epoch| &mut epoch.arms);
        for (arm, units) in arms.into_iter().flatten().zip(units) {
            arm.exposures.units += units;
            arm.exposures.first += units;
            arm.exposures.predictions += units;
        }
    }

    /// Outcomes of the last epoch, by arm, that come when `due` units have.
    pub(crate) fn expect(&mut self, due: u64, arms: Vec<MetricSums>) {
        let epoch = self.evidence.epochs.len() - 1;
        let arms = arms.into_iter().map(|sums| (sums, self.parts_of(&sums)));
        let arms = arms.collect();
        self.pending.push_back(Pending { due, epoch, arms });
    }

    /// The parts of units with one value each, 0 or 1, where they are kept.
    fn parts_of(&mut self, sums: &MetricSums) -> Parts {
        let definition = &self.experiment.definition;
        let mut parts = Parts::default();
        if definition.keeps_parts(&definition.metrics[0]) {
            let ones = sums.total().round() as u64;
            for unit in 0..sums.units {
                self.units += 1;
                let value = f64::from(unit < ones);
                parts.add(&Parts::one(part_of(self.units), 1, &value.into()));
            }
        }
        parts
    }

    /// Counts the outcomes that have come when `seen` units have.
    pub(crate) fn arrive(&mut self, seen: u64) {
        let came = self.pending.partition_point(|waiting| waiting.due <= seen);
        for came in self.pending.drain(..came) {
            let places = self.evidence.epochs[came.epoch].arms.iter_mut();
            let parts = &mut self.parts[came.epoch];
            for ((place, parts), (sums, more)) in places.zip(parts).zip(&came.arms) {
                let metric = &mut place.metrics[0];
                metric.all.add(sums);
                metric.matured.add(sums);
                parts.add(more);
                metric.parts = parts.sums(metric.matured.about);
            }
        }
    }

    /// What the production judge decides by.
    pub(crate) fn results(&self, now: Timestamp) -> Results {
        let (experiment, evidence) = (&self.experiment, &self.evidence);
        view(
            experiment,
            evidence,
            &History::default(),
            now,
            View::Deciding,
        )
    }

    /// What the production controller does next.
    pub(crate) fn look(&self, now: Timestamp) -> Next {
        step(&Look {
            experiment: &self.experiment,
            evidence: &self.evidence,
            results: &self.results(now),
            now,
            complete: true,
        })
    }
}

/// The sums of units with one value each, `ones` of them 1, of which `bad` are bad: what a writer adds for each.
pub(crate) fn sums(units: u64, ones: u64, bad: u64) -> MetricSums {
    let of_one = |value: f64| Delta::of_unit(1, &ExactSum::from(value), 1).sums();
    let mut sums = of_one(1.0).times(ones);
    sums.add(&of_one(0.0).times(units - ones));
    MetricSums {
        events: bad,
        ..sums
    }
}
