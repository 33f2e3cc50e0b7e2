//! Is a candidate worse on a guardrail? The evidence for each, by the rule that fits the metric.

use super::checks::pair_stages;
use super::{EventComparison, guarded_by, has_several};
use crate::burst::{Minute, kept};
use crate::events::{DEFAULT_TAU, EventStage, ln_e_one_sided, one_sided_and_ratio};
use evidence::betting::{Bet, Harm, Tolerance, Winnings};
use evidence::{pair_share, questions};
use std::collections::HashMap;
use types::{
    Direction, EpochEvidence, Evidence, EvidenceRule, ExperimentDefinition, Metric, MetricKind,
    MetricSums, MinuteEvidence, Scale,
};

/// The evidence that a candidate is worse on a guardrail.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    /// How evidence on the metric is counted.
    pub rule: EvidenceRule,
    /// ln of the e-value; `None` where it is silent.
    pub ln_e: Option<f64>,
    /// It is harmed when that reaches this line, the ln of one over its part of alpha.
    pub line: f64,
    /// What may be worse by a factor without harm.
    pub tolerated_ratio: f64,
    /// The scale of the last epoch, where values need one.
    pub scale: Option<Scale>,
    /// Units of both arms that count.
    pub units: u64,
    /// Units that are left out, because nothing was left to chance when they came back.
    pub left_out: u64,
    /// Why it is silent.
    pub silent: Option<String>,
    /// ln of the e-value of all events, where one burst carries so much of them that the other is less.
    pub with_bursts: Option<f64>,
    /// It would decide, and the minutes that say whether one burst carries the evidence were not asked for.
    pub awaits_minutes: bool,
    /// What a burst was, where it keeps the guardrail from deciding.
    pub burst: Option<String>,
    /// When it was seen last, in minutes since 1970.
    pub burst_until: Option<i64>,
}

/// Of a candidate on the metric at a place of the definition, which guards.
pub(super) fn guard(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
    (at, arm): (usize, usize),
    events: Option<EventComparison>,
) -> Guard {
    let metric = &definition.metrics[at];
    let rule = metric.rule();
    let ln_e = events.map_or(0.0, |events| events.ln_e);
    let found = match rule {
        EvidenceRule::Events => by_events(definition, metric, evidence, (at, arm), ln_e),
        EvidenceRule::Arrivals => by_arrivals(definition, metric, evidence, (at, arm), ln_e),
        EvidenceRule::Exposures => by_exposures(definition, metric, evidence, (at, arm)),
        EvidenceRule::None => {
            Found::silent("nobody knows whether more values are to come: declare window_seconds")
        }
    };
    let sum = |of: fn(&types::Exposures) -> u64| -> u64 {
        let epochs = evidence.epochs.iter();
        let both =
            epochs.map(|epoch| of(&epoch.arms[0].exposures) + of(&epoch.arms[arm].exposures));
        both.sum()
    };
    let of_bets = rule == EvidenceRule::Exposures;
    Guard {
        rule,
        ln_e: found.ln_e,
        line: (guarded_by(definition, metric) / definition.alpha).ln(),
        tolerated_ratio: match last_scale(evidence, at) {
            // A ratio is tolerated from 0 on only.
            Some(scale) if scale.floor != 0.0 => 1.0,
            _ => definition.tolerated_ratio(metric),
        },
        scale: last_scale(evidence, at).filter(|_| metric.kind != MetricKind::Binary),
        units: found.units,
        left_out: if of_bets {
            sum(|exposures| exposures.left_out)
        } else {
            0
        },
        silent: found.silent,
        with_bursts: found.with_bursts,
        awaits_minutes: found.awaits_minutes,
        burst: found.burst,
        burst_until: found.burst_until,
    }
}

/// What a rule finds.
#[derive(Default)]
struct Found {
    ln_e: Option<f64>,
    units: u64,
    silent: Option<String>,
    with_bursts: Option<f64>,
    awaits_minutes: bool,
    burst: Option<String>,
    burst_until: Option<i64>,
}

impl Found {
    fn silent(why: &str) -> Self {
        Self {
            ln_e: None,
            silent: Some(why.into()),
            ..Self::default()
        }
    }

    fn of(ln_e: f64, units: u64) -> Self {
        Self {
            ln_e: Some(ln_e),
            units,
            ..Self::default()
        }
    }
}

fn last_scale(evidence: &Evidence, at: usize) -> Option<Scale> {
    let last = evidence.epochs.last()?;
    last.scales.get(at).copied().flatten()
}

/// Bad events of a metric that is judged by them: first ones against the published shares, or those among the values
/// that have come. Of a metric that is not, nothing.
pub(super) fn events(
    definition: &ExperimentDefinition,
    metric: &Metric,
    evidence: &Evidence,
    (at, arm): (usize, usize),
) -> Option<EventComparison> {
    let stages = match metric.rule() {
        EvidenceRule::Events => first_events(evidence, (at, arm)),
        EvidenceRule::Arrivals => {
            let stage = |split: &Arrived| EventStage {
                share: split.share(),
                treated: split.bad.1,
                control: split.bad.0,
            };
            arrived(metric, evidence, (at, arm))
                .iter()
                .map(stage)
                .collect()
        }
        EvidenceRule::Exposures | EvidenceRule::None => return None,
    };
    let alpha = definition.alpha / guarded_by(definition, metric);
    let tolerated = definition.tolerated_ratio(metric);
    let (ln_e, rate_ratio) = one_sided_and_ratio(&stages, tolerated, alpha, DEFAULT_TAU);
    Some(EventComparison { ln_e, rate_ratio })
}

/// Whether a guardrail would decide by all events, so that the minutes of the evidence are needed to judge it.
pub fn needs_minutes(definition: &ExperimentDefinition, evidence: &Evidence) -> bool {
    let mut guards = definition.metrics.iter().enumerate().filter(|(_, metric)| {
        metric.rule() == EvidenceRule::Events && definition.guardrails.contains(&metric.name)
    });
    let decides = |(at, metric): (usize, &Metric)| {
        let line = (guarded_by(definition, metric) / definition.alpha).ln();
        (1..definition.arms.len()).any(|arm| {
            let stages = first_events(evidence, (at, arm));
            let tolerated = definition.tolerated_ratio(metric);
            let ln_first = ln_e_one_sided(&stages, tolerated, DEFAULT_TAU);
            let requests = Requests::of(metric, evidence, (at, arm));
            requests.map_or(ln_first, |requests| requests.ln_e(ln_first, tolerated)) >= line
        })
    };
    definition.burst_protection && evidence.minutes.is_none() && guards.any(decides)
}

fn first_events(evidence: &Evidence, (at, arm): (usize, usize)) -> Vec<EventStage> {
    pair_stages(evidence, arm, |epoch, arm| {
        epoch.arms[arm].metrics[at].all.events
    })
}

/// First bad events of units; those of one short burst count as one accident.
fn by_events(
    definition: &ExperimentDefinition,
    metric: &Metric,
    evidence: &Evidence,
    (at, arm): (usize, usize),
    ln_e: f64,
) -> Found {
    let units = |epoch: &EpochEvidence| {
        epoch.arms[0].metrics[at].all.units + epoch.arms[arm].metrics[at].all.units
    };
    let tolerated = definition.tolerated_ratio(metric);
    let requests = Requests::of(metric, evidence, (at, arm));
    let ln_e = match &requests {
        None => ln_e,
        Some(requests) => requests.ln_e(ln_e, tolerated),
    };
    let found = Found::of(ln_e, evidence.epochs.iter().map(units).sum());
    let line = (guarded_by(definition, metric) / definition.alpha).ln();
    if ln_e < line || !definition.burst_protection {
        return found;
    }
    let Some(minutes) = &evidence.minutes else {
        return Found {
            awaits_minutes: true,
            ..found
        };
    };
    let kept = Bursts::of(evidence, minutes, (at, arm), requests.is_some());
    let without = match &requests {
        None => ln_e_one_sided(&kept.stages(evidence, (at, arm)), tolerated, DEFAULT_TAU),
        // On requests it only takes away: the bursts must not carry them.
        Some(requests) => {
            let stages = requests.without(&kept);
            if ln_e_one_sided(&stages, tolerated, DEFAULT_TAU) >= line {
                ln_e
            } else {
                ln_e.min(line - 1.0)
            }
        }
    };
    Found {
        ln_e: Some(without.min(ln_e)),
        with_bursts: Some(ln_e),
        burst: (without < line).then(|| kept.say(metric)),
        burst_until: kept.last().filter(|_| without < line),
        ..found
    }
}

/// Sums of bad values, about 0, in place of those of values.
fn bad_sums(metric: &Metric, sums: &MetricSums) -> MetricSums {
    let sums = sums.rebased(0.0);
    match metric.direction {
        Direction::Down => sums,
        // M becomes D − M.
        Direction::Up => MetricSums {
            sum: sums.count as f64 - sums.sum,
            sum_squares: sums.sum_count_squares - 2.0 * sums.sum_products + sums.sum_squares,
            sum_products: sums.sum_count_squares - sums.sum_products,
            ..sums
        },
    }
}

/// Bad requests of units that have several: those of a heavy user are many, and not independent.
struct Requests {
    /// Epoch, and its bad requests against the share of the calls that the candidate had there.
    epochs: Vec<(i64, EventStage)>,
    /// How much more they vary than independent ones.
    dispersion: f64,
    /// Whether enough units have bad requests to say that.
    enough: bool,
}

/// So many units have to have bad requests, as if all had equally many.
const LEAST_EFFECTIVE: f64 = 8.0;

impl Requests {
    /// `None` where requests are units of their own.
    fn of(metric: &Metric, evidence: &Evidence, (at, arm): (usize, usize)) -> Option<Self> {
        let sums = |epoch: &EpochEvidence| {
            let of = |arm: usize| bad_sums(metric, due(metric, &epoch.arms[arm].metrics[at]));
            (of(0), of(arm))
        };
        let each = evidence
            .epochs
            .iter()
            .map(|epoch| (epoch.epoch, sums(epoch)));
        let each: Vec<(i64, (MetricSums, MetricSums))> = each.collect();
        let (requests, units) = each.iter().fold((0, 0), |(requests, units), (_, (a, b))| {
            (requests + a.count + b.count, units + a.units + b.units)
        });
        if !has_several(requests, units) {
            return None;
        }
        let (mut bad, mut calls) = (0.0, 0.0);
        for (_, (control, candidate)) in &each {
            bad += control.total() + candidate.total();
            calls += (control.count + candidate.count) as f64;
        }
        let usual = bad / f64::max(calls, 1.0);
        // φ = Σ_u (k_u − n_u p)²/Σ k over units u, where k_u and n_u are over all epochs. Sums are kept by unit and epoch, and
        // √Σ_u (Σ_e x_ue)² ≤ Σ_e √Σ_u x_ue² (Minkowski), so this is at least φ: it costs power where nobody comes back.
        let spread = |sums: &MetricSums| {
            sums.sum_squares - 2.0 * usual * sums.sum_products
                + usual * usual * sums.sum_count_squares
        };
        let roots: f64 = each
            .iter()
            .map(|(_, (control, candidate))| (spread(control) + spread(candidate)).max(0.0).sqrt())
            .sum();
        let dispersion = if bad > 0.0 {
            (roots * roots / bad).max(1.0)
        } else {
            1.0
        };
        // (Σ k)²/Σ k²: so many units with equally many bad requests would be as few. Where one or two have nearly all of
        // them, nothing says how much users vary.
        let squares = |sums: &MetricSums| sums.sum_squares.max(0.0);
        let roots: f64 = each
            .iter()
            .map(|(_, (control, candidate))| (squares(control) + squares(candidate)).sqrt())
            .sum();
        let effective = if roots > 0.0 {
            bad * bad / (roots * roots)
        } else {
            0.0
        };
        let stage = |(control, candidate): &(MetricSums, MetricSums)| EventStage {
            share: candidate.count as f64 / (candidate.count + control.count).max(1) as f64,
            treated: candidate.total(),
            control: control.total(),
        };
        let open = |stage: &EventStage| stage.share > 0.0 && stage.share < 1.0;
        let epochs = each.iter().map(|(epoch, sums)| (*epoch, stage(sums)));
        Some(Self {
            epochs: epochs.filter(|(_, stage)| open(stage)).collect(),
            dispersion,
            enough: effective >= LEAST_EFFECTIVE,
        })
    }

    /// Half on the first events of units, which is exact; half on all bad requests, with their dispersion, which is
    /// approximate and sooner where few units have many.
    fn ln_e(&self, ln_first: f64, tolerated: f64) -> f64 {
        let stages: Vec<EventStage> = self.epochs.iter().map(|(_, stage)| *stage).collect();
        let of_requests = if self.enough {
            ln_e_one_sided(&stages, tolerated, DEFAULT_TAU) / self.dispersion
        } else {
            0.0
        };
        let top = ln_first.max(of_requests);
        top + (0.5 * ((ln_first - top).exp() + (of_requests - top).exp())).ln()
    }

    /// The same without what bursts take away.
    fn without(&self, bursts: &Bursts) -> Vec<EventStage> {
        let less = bursts.taken();
        let stages = self.epochs.iter().map(|(epoch, stage)| EventStage {
            treated: (stage.treated - less.get(epoch).unwrap_or(&0.0)).max(0.0),
            ..*stage
        });
        stages.collect()
    }
}

/// The candidate's events by minute, and how many of them count.
struct Bursts {
    /// Epoch, minute, events, and those that count.
    minutes: Vec<(i64, i64, f64, f64)>,
}

impl Bursts {
    /// Of first events, or of all bad requests, against the share of the calls.
    fn of(
        evidence: &Evidence,
        minutes: &[MinuteEvidence],
        (at, arm): (usize, usize),
        all: bool,
    ) -> Self {
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
        let (places, counted): (Vec<_>, Vec<Minute>) = open.unzip();
        let kept = kept(&counted);
        let minutes = places.iter().zip(&counted).zip(kept);
        let minutes = minutes.map(|((place, minute), kept)| {
            (place.epoch, place.minute, minute.candidate_events, kept)
        });
        Self {
            minutes: minutes.collect(),
        }
    }

    /// Events that do not count, by epoch.
    fn taken(&self) -> HashMap<i64, f64> {
        let mut taken: HashMap<i64, f64> = HashMap::new();
        for (epoch, _, events, kept) in &self.minutes {
            *taken.entry(*epoch).or_default() += events - kept;
        }
        taken
    }

    /// The stages of the event test with the candidate's events that count. Events of before there were minutes count.
    fn stages(&self, evidence: &Evidence, (at, arm): (usize, usize)) -> Vec<EventStage> {
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
    fn last(&self) -> Option<i64> {
        let cut = self.minutes.iter().filter(|minute| minute.3 < minute.2);
        cut.map(|minute| minute.1).max()
    }

    /// What happened, for people.
    fn say(&self, metric: &Metric) -> String {
        let all: f64 = self.minutes.iter().map(|minute| minute.2).sum();
        let lost = |minute: &&(i64, i64, f64, f64)| minute.2 - minute.3;
        let worst = self
            .minutes
            .iter()
            .max_by(|a, b| lost(a).total_cmp(&lost(b)));
        let Some((_, worst, ..)) = worst else {
            return String::new();
        };
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
        format!(
            "one burst carries the evidence ({events:.0} of {all:.0} bad events of {} came between {} and {} UTC)",
            metric.name,
            clock(first),
            clock(last + 1)
        )
    }
}

/// Values that have come in epochs with one split, and the bad ones among them: of the control, of the candidate.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Arrived {
    /// Of the first of these epochs.
    pub(super) centre: f64,
    pub(super) values: (f64, f64),
    pub(super) bad: (f64, f64),
}

impl Arrived {
    /// The candidate's part of the values that have come.
    pub(super) fn share(&self) -> f64 {
        (self.values.1 + 0.5) / (self.values.0 + self.values.1 + 1.0)
    }
}

/// What a metric counts where values come at their own time: units that are due, where it has a window.
pub(super) fn due<'a>(metric: &Metric, sums: &'a types::MetricEvidence) -> &'a MetricSums {
    if metric.window_seconds > 0 {
        &sums.matured
    } else {
        &sums.all
    }
}

/// By published split.
pub(super) fn arrived(
    metric: &Metric,
    evidence: &Evidence,
    (at, arm): (usize, usize),
) -> Vec<Arrived> {
    let mut found: Vec<Arrived> = Vec::new();
    let mut places: HashMap<u64, usize> = HashMap::new();
    for epoch in &evidence.epochs {
        let share = pair_share(&epoch.shares, arm);
        let of = |arm: usize| due(metric, &epoch.arms[arm].metrics[at]);
        let (control, candidate) = (of(0), of(arm));
        if control.value_units + candidate.value_units == 0 || !(share > 0.0 && share < 1.0) {
            continue;
        }
        let place = *places.entry(share.to_bits()).or_insert(found.len());
        if place == found.len() {
            found.push(Arrived {
                centre: scale_of(epoch, at).map_or(0.0, |scale| scale.centre),
                ..Arrived::default()
            });
        }
        let split = &mut found[place];
        split.values.0 += control.value_units as f64;
        split.values.1 += candidate.value_units as f64;
        split.bad.0 += control.events as f64;
        split.bad.1 += candidate.events as f64;
    }
    found
}

/// Bad values among those that have come. The delay may depend on the arm or on the outcome, not on both.
fn by_arrivals(
    definition: &ExperimentDefinition,
    metric: &Metric,
    evidence: &Evidence,
    pair: (usize, usize),
    ln_e: f64,
) -> Found {
    let (mut values, mut bad) = (0.0, 0.0);
    for split in arrived(metric, evidence, pair) {
        values += split.values.0 + split.values.1;
        bad += split.bad.0 + split.bad.1;
    }
    if values > 0.0 && bad >= values {
        return Found::silent("only bad outcomes report: declare missing and window_seconds");
    }
    let requests = Requests::of(metric, evidence, pair);
    let tolerated = definition.tolerated_ratio(metric);
    let ln_e = requests.map_or(ln_e, |requests| requests.ln_e(ln_e, tolerated));
    Found::of(ln_e, values as u64)
}

/// One number for each unit whose window has passed.
fn by_exposures(
    definition: &ExperimentDefinition,
    metric: &Metric,
    evidence: &Evidence,
    pair: (usize, usize),
) -> Found {
    if !evidence
        .epochs
        .iter()
        .any(|epoch| scale_of(epoch, pair.0).is_some())
    {
        return Found::silent(
            "no scale is set yet: it takes 200 units whose window has passed, 20 of them with a value other than 0 \
             and not all alike",
        );
    }
    // A guardrail asks whether it is worse before anything else.
    let won = winnings(definition, metric, evidence, pair, |_| Some(0));
    let (at, arm) = pair;
    let units = |epoch: &EpochEvidence| {
        epoch.arms[0].metrics[at].bets.units + epoch.arms[arm].metrics[at].bets.units
    };
    Found::of(won.ln_e(), evidence.epochs.iter().map(units).sum())
}

/// The scale of an epoch, where there is a usable one.
pub(super) fn scale_of(epoch: &EpochEvidence, at: usize) -> Option<Scale> {
    let scale = epoch.scales.get(at).copied().flatten();
    scale.filter(Scale::is_one)
}

/// What bets on a question of a metric have won, over all epochs; `which` finds it among those that are asked.
pub(super) fn winnings(
    definition: &ExperimentDefinition,
    metric: &Metric,
    evidence: &Evidence,
    (at, arm): (usize, usize),
    which: impl Fn(&[(Harm, Tolerance)]) -> Option<usize>,
) -> Winnings {
    let mut won = Winnings::default();
    for epoch in &evidence.epochs {
        let Some(scale) = scale_of(epoch, at) else {
            continue;
        };
        let share = pair_share(&epoch.shares, arm);
        let asked = questions(definition, metric, &scale);
        let Some(question) = which(&asked) else {
            continue;
        };
        let (harm, tolerance) = asked[question];
        if !(share > 0.0 && share < 1.0) {
            continue;
        }
        let bet = Bet {
            harm,
            tolerance,
            share,
            centre: scale.centre,
        };
        // The control has sums for each candidate, a candidate its own.
        for (candidate, place) in [(false, arm - 1), (true, 0)] {
            let bets = &epoch.arms[if candidate { arm } else { 0 }].metrics[at].bets;
            if let Some(logs) = bets.logs.get(place * asked.len() + question) {
                won.add(&Winnings::from_logs(*logs));
            }
            if bets.counted > 0 {
                let (ones, counted) = (bets.ones as f64, bets.counted as f64);
                won.add(&Winnings::of_counts(&bet, candidate, ones, counted));
            }
        }
    }
    won
}
