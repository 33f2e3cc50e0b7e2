//! Is a candidate worse on a guardrail? The evidence for each, by the rule that fits the metric.

use super::bursts::Bursts;
use super::checks::pair_stages;
use super::requests::BadRequests;
use super::{EventComparison, guarded_by};
use crate::events::{DEFAULT_TAU, EventStage, ln_e_one_sided, one_sided_and_ratio};
use crate::limits::Limit;
use evidence::betting::{Bet, Harm, Tolerance, Winnings};
use evidence::{pair_share, questions};
use std::collections::HashMap;
use types::{
    EpochEvidence, Evidence, EvidenceRule, ExperimentDefinition, Metric, MetricKind, MetricSums,
    Scale,
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
    /// The damage limit that requests of units with several of them have passed.
    pub limit: Option<Limit>,
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
            Found::silent("it is unknown whether more values will come: declare window_seconds")
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
        limit: found.limit,
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
    limit: Option<Limit>,
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
            let requests = BadRequests::of(metric, evidence, (at, arm));
            let ln_e = requests.as_ref().map_or(ln_first, |requests| {
                requests.ln_e(&requests.stages(), ln_first, tolerated)
            });
            let costs = |requests: BadRequests| requests.cost(tolerated, line);
            (definition.burst_protection && ln_e >= line)
                || (has_budget(definition) && requests.is_some_and(costs))
        })
    };
    evidence.minutes.is_none() && guards.any(decides)
}

/// Whether a candidate goes back by what it costs.
fn has_budget(definition: &ExperimentDefinition) -> bool {
    let settings = definition.policy.rollout();
    settings.is_some_and(|settings| settings.damage_limits)
}

/// Whether each bad event of a candidate on a metric is of another unit, but for one in twenty.
pub fn bad_units_differ(evidence: &Evidence, (at, arm): (usize, usize)) -> bool {
    let (mut bad, mut units) = (0.0, 0.0);
    for epoch in &evidence.epochs {
        let sums = &epoch.arms[arm].metrics[at].all;
        bad += sums.total();
        units += sums.events as f64;
    }
    bad <= units + units / 20.0
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
    let requests = BadRequests::of(metric, evidence, (at, arm));
    let ln_e = match &requests {
        None => ln_e,
        Some(requests) => requests.ln_e(&requests.stages(), ln_e, tolerated),
    };
    let found = Found::of(ln_e, evidence.epochs.iter().map(units).sum());
    let line = (guarded_by(definition, metric) / definition.alpha).ln();
    let decides = definition.burst_protection && ln_e >= line;
    let spent = requests
        .as_ref()
        .filter(|requests| has_budget(definition) && requests.cost(tolerated, line));
    if !decides && spent.is_none() {
        return found;
    }
    let Some(minutes) = &evidence.minutes else {
        return Found {
            awaits_minutes: true,
            ..found
        };
    };
    let limit = spent
        .and_then(|requests| requests.over_budget(evidence, minutes, (at, arm), (tolerated, line)));
    let found = Found { limit, ..found };
    if !decides {
        return found;
    }
    without_bursts(
        metric,
        evidence,
        (at, arm),
        (requests.as_ref(), tolerated, line),
        found,
    )
}

/// What decides is judged without bursts of its own: first events without those of first events, requests without those of
/// requests.
fn without_bursts(
    metric: &Metric,
    evidence: &Evidence,
    (at, arm): (usize, usize),
    (requests, tolerated, line): (Option<&BadRequests>, f64, f64),
    found: Found,
) -> Found {
    let (Some(minutes), Some(with_bursts)) = (&evidence.minutes, found.ln_e) else {
        return found;
    };
    let first = Bursts::of(evidence, minutes, (at, arm), false);
    let all = requests.map(|_| Bursts::of(evidence, minutes, (at, arm), true));
    let first = match &all {
        Some(all) => first.only_in_bursts_of(all),
        None => first,
    };
    let of_first = ln_e_one_sided(&first.stages(evidence, (at, arm)), tolerated, DEFAULT_TAU);
    let without = match (requests, &all) {
        (Some(requests), Some(all)) => requests.ln_e(&requests.without(all), of_first, tolerated),
        _ => of_first,
    };
    let told = all.as_ref().unwrap_or(&first);
    let held = without < line;
    Found {
        ln_e: Some(without.min(with_bursts)),
        with_bursts: Some(with_bursts),
        burst: told.say(metric).filter(|_| held),
        burst_until: told.last().filter(|_| held),
        ..found
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
        return Found::silent(
            "only bad outcomes are reported, so their rate is unknown: declare missing and window_seconds",
        );
    }
    let requests = BadRequests::of(metric, evidence, pair);
    let tolerated = definition.tolerated_ratio(metric);
    let ln_e = requests.map_or(ln_e, |requests| {
        requests.ln_e(&requests.stages(), ln_e, tolerated)
    });
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
