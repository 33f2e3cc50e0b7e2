//! The minutes of an experiment: which bad events of the candidate are part of a burst, and what a burst was.

use crate::burst::{Minute, kept};
use crate::events::EventStage;
use evidence::pair_share;
use std::collections::HashMap;
use types::{Evidence, Metric, MinuteEvidence};

/// The candidate's events by minute, and how many of them count.
pub(super) struct Bursts {
    /// Epoch, minute, events, and those that count.
    minutes: Vec<(i64, i64, f64, f64)>,
}

impl Bursts {
    /// Of first events, or of all bad requests, against the share of the calls.
    pub(super) fn of(
        evidence: &Evidence,
        minutes: &[MinuteEvidence],
        pair: (usize, usize),
        all: bool,
    ) -> Self {
        let open = Self::minutes(evidence, minutes, pair, all);
        let (places, counted): (Vec<_>, Vec<Minute>) = open.into_iter().unzip();
        let kept = kept(&counted);
        let minutes = places.iter().zip(&counted).zip(kept);
        let minutes = minutes.map(|((place, minute), kept)| {
            (place.epoch, place.minute, minute.candidate_events, kept)
        });
        Self {
            minutes: minutes.collect(),
        }
    }

    /// Both arms by minute: units and first events, or all bad requests against the share of the calls.
    pub(super) fn minutes<'a>(
        evidence: &Evidence,
        minutes: &'a [MinuteEvidence],
        (at, arm): (usize, usize),
        all: bool,
    ) -> Vec<(&'a MinuteEvidence, Minute)> {
        let share = |epoch: i64| {
            let found = evidence.epochs.iter().find(|known| known.epoch == epoch)?;
            let calls = |arm: usize| found.arms[arm].metrics[at].all.count as f64;
            let share = if all {
                calls(arm) / (calls(arm) + calls(0))
            } else {
                pair_share(&found.shares, arm)
            };
            (share > 0.0 && share < 1.0).then_some(share)
        };
        let events = |minute: &types::ArmMinute| {
            let (first, bad) = minute.of(at);
            if all { bad as f64 } else { first as f64 }
        };
        let open = minutes.iter().filter_map(|minute| {
            let count = |arm: usize| minute.arms.get(arm);
            let (control, candidate) = (count(0)?, count(arm)?);
            let of = Minute {
                share: share(minute.epoch)?,
                candidate: candidate.calls() as f64,
                candidate_events: events(candidate),
                control: control.calls() as f64,
                control_events: events(control),
            };
            Some((minute, of))
        });
        open.collect()
    }

    /// First events of users come in their first minutes by nature: those of minutes in which all bad requests are no
    /// burst count.
    pub(super) fn only_in_bursts_of(mut self, all: &Self) -> Self {
        for (minute, of_all) in self.minutes.iter_mut().zip(&all.minutes) {
            if of_all.3 >= of_all.2 {
                minute.3 = minute.2;
            }
        }
        self
    }

    /// Events that do not count, by epoch.
    pub(super) fn taken(&self) -> HashMap<i64, f64> {
        let mut taken: HashMap<i64, f64> = HashMap::new();
        for (epoch, _, events, kept) in &self.minutes {
            *taken.entry(*epoch).or_default() += events - kept;
        }
        taken
    }

    /// The stages of the event test with the candidate's events that count. Events of before there were minutes count.
    pub(super) fn stages(&self, evidence: &Evidence, (at, arm): (usize, usize)) -> Vec<EventStage> {
        let less = self.taken();
        let mut stages: Vec<EventStage> = Vec::new();
        let mut places: HashMap<u64, usize> = HashMap::new();
        for epoch in &evidence.epochs {
            let share = pair_share(&epoch.shares, arm);
            let events = |arm: usize| epoch.arms[arm].metrics[at].all.events as f64;
            let treated = (events(arm) - less.get(&epoch.epoch).unwrap_or(&0.0)).max(0.0);
            if treated + events(0) == 0.0 || !(share > 0.0 && share < 1.0) {
                continue;
            }
            let place = *places.entry(share.to_bits()).or_insert(stages.len());
            if place == stages.len() {
                stages.push(EventStage {
                    share,
                    treated: 0.0,
                    control: 0.0,
                });
            }
            stages[place].treated += treated;
            stages[place].control += events(0);
        }
        stages
    }

    /// The last minute of which not all events count.
    pub(super) fn last(&self) -> Option<i64> {
        let cut = self.minutes.iter().filter(|minute| minute.3 < minute.2);
        cut.map(|minute| minute.1).max()
    }

    /// What happened, for people, where anything does not count.
    pub(super) fn say(&self, metric: &Metric) -> Option<String> {
        self.last()?;
        let all: f64 = self.minutes.iter().map(|minute| minute.2).sum();
        let lost = |minute: &&(i64, i64, f64, f64)| minute.2 - minute.3;
        let worst = self
            .minutes
            .iter()
            .max_by(|a, b| lost(a).total_cmp(&lost(b)));
        let (_, worst, ..) = worst?;
        let near = self
            .minutes
            .iter()
            .filter(|minute| (minute.1 - worst).abs() <= 2 && minute.2 > 0.0);
        let (mut events, mut first, mut last) = (0.0, *worst, *worst);
        for minute in near {
            events += minute.2;
            (first, last) = (first.min(minute.1), last.max(minute.1));
        }
        let clock = |minute: i64| {
            format!(
                "{:02}:{:02}",
                minute.rem_euclid(1440) / 60,
                minute.rem_euclid(60)
            )
        };
        Some(format!(
            "most of the evidence comes from one burst ({events:.0} of {all:.0} bad events of {} came between {} and {} UTC)",
            metric.name,
            clock(first),
            clock(last + 1)
        ))
    }
}
