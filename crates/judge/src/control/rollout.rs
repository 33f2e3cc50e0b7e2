//! The ladder: hard kill, harm, health, traffic, soak, units, promotion rule, approval, in this order.

use super::{Look, Next, because_held, unhealthy};
use crate::bounded::bernoulli;
use crate::power::{Design, two_proportions_unequal};
use crate::results::{guarded, guards_both, has_several};
use crate::words::{counted, significant};
use types::{
    BuiltIn, Decision, Hold, MetricKind, MetricRole, NoTraffic, Progress, Promotion,
    RolloutProgress, RolloutSettings, Timestamp, Wait,
};

/// The longest time between two looks that counts as observed, in microseconds: a server that was away
/// observed nothing, neither health nor silence.
const LONGEST_GAP: i64 = 90_000_000;
/// How long without a prediction is no traffic, in microseconds.
const NO_TRAFFIC_AFTER: i64 = 600_000_000;
/// A burst that would have decided is watched for so many minutes before the next step.
const FRESH_BURST: i64 = 5;
/// The error rate that the default of the minimal units assumes at least.
const LEAST_BASE: f64 = 0.005;

pub(super) fn step(
    look: &Look<'_>,
    settings: &RolloutSettings,
    mut progress: RolloutProgress,
) -> Next {
    let was = progress.clone();
    progress.waits_for.clear();
    let harm = over_a_ceiling(look, settings).or_else(|| harmed(look));
    if let Some(because) = harm.or_else(|| answers_otherwise(look)) {
        return settled(progress, Some(Decision::RollBack), because);
    }
    if let Some((at, limit)) = look.results.limit().filter(|_| settings.damage_limits) {
        let definition = &look.experiment.definition;
        let candidate = definition.arms[1].version.as_str();
        let because = limit.say(candidate, definition.metrics[at].name.as_str());
        return Next {
            limit: Some((at, limit)),
            ..settled(progress, Some(Decision::RollBack), because)
        };
    }
    let quiet = observe(look, settings, &mut progress);
    progress.units = treated(look);
    progress.min_units = min_units(look, settings, progress.step);
    if progress.paused {
        progress.soaked_micros = 0;
        return settled(progress, None, String::new());
    }
    if quiet == Some(Hold::NoTrafficGraceOver) && settings.no_traffic == NoTraffic::RollBack {
        let because = because_held(Hold::NoTrafficGraceOver).into();
        return settled(progress, Some(Decision::RollBack), because);
    }
    let hold = unhealthy(look, was.held)
        .or(quiet)
        .or_else(|| without_outcomes(look, settings, &progress));
    if let Some(hold) = hold {
        progress.soaked_micros = was.soaked_micros;
        return held(&was, progress, hold);
    }
    if !look.complete {
        return settled(progress, None, String::new());
    }
    progress.waits_for = waits_for(look, settings, &progress);
    if !progress.waits_for.is_empty() {
        return released(&was, progress);
    }
    if progress.units < LEAST_NAMED
        && is_by_units(look)
        && next_share(settings, progress.step) > 50.0
    {
        return held(&was, progress, Hold::TooFewUnits);
    }
    if settings.approval {
        return held(&was, progress, Hold::Approval);
    }
    let few = if is_by_units(look) && progress.units < LEAST_NAMED {
        " (all that its share of the users so far can give)"
    } else {
        ""
    };
    let because = format!(
        "The step has lasted long enough, the candidate has {} units at this step{few}, and no guardrail is harmed.",
        progress.units
    );
    let decision = advance(settings, &mut progress);
    settled(progress, Some(decision), because)
}

/// What the step lacks.
fn waits_for(look: &Look<'_>, settings: &RolloutSettings, progress: &RolloutProgress) -> Vec<Wait> {
    let burst = look.results.burst_until();
    let is_fresh = |minute: i64| look.now.seconds().div_euclid(60) - minute < FRESH_BURST;
    let is_strict = settings.promotion == Promotion::Strict;
    let lacks = [
        (
            Wait::Time,
            progress.soaked_micros < settings.soak_micros(progress.step),
        ),
        (Wait::Units, progress.units < progress.min_units),
        (Wait::Burst, burst.is_some_and(is_fresh)),
        (
            Wait::Proof,
            is_strict && !not_worse(look, settings, progress.step),
        ),
    ];
    let lacks = lacks.into_iter().filter(|(_, lacks)| *lacks);
    lacks.map(|(wait, _)| wait).collect()
}

/// Takes the next step; after the last one the candidate is promoted.
pub(super) fn advance(settings: &RolloutSettings, progress: &mut RolloutProgress) -> Decision {
    if progress.step + 1 >= settings.steps.len() {
        return Decision::Promote { arm: 1 };
    }
    *progress = RolloutProgress {
        step: progress.step + 1,
        looked_at: progress.looked_at,
        predictions: progress.predictions,
        traffic_at: progress.traffic_at,
        ..RolloutProgress::default()
    };
    let share = settings.share(progress.step);
    Decision::Advance {
        shares: vec![1.0 - share, share],
    }
}

fn settled(progress: RolloutProgress, decision: Option<Decision>, because: String) -> Next {
    Next {
        progress: Some(Progress::Rollout(progress)),
        decision,
        because,
        limit: None,
    }
}

fn held(was: &RolloutProgress, mut progress: RolloutProgress, hold: Hold) -> Next {
    progress.held = Some(hold);
    if was.held == Some(hold) {
        return settled(progress, None, String::new());
    }
    settled(
        progress,
        Some(Decision::Hold(hold)),
        because_held(hold).into(),
    )
}

fn released(was: &RolloutProgress, mut progress: RolloutProgress) -> Next {
    progress.held = None;
    let decision = was.held.map(|_| Decision::Release);
    let because = was
        .held
        .map(|hold| format!("The reason for the hold is gone: {}.", hold.as_str()));
    settled(progress, decision, because.unwrap_or_default())
}

/// Counts the time since the last look where predictions have come in it; says when none come any more.
fn observe(
    look: &Look<'_>,
    settings: &RolloutSettings,
    progress: &mut RolloutProgress,
) -> Option<Hold> {
    let predictions = look.results.predictions.iter().sum();
    let now = look.now;
    let came = predictions > progress.predictions;
    let last = progress.looked_at.map(Timestamp::from_micros);
    let gap = last.map_or(0, |last| now.micros_since(last));
    // Where answers are still to be counted, silence says nothing, and time is not observed.
    if gap > LONGEST_GAP || !look.complete {
        progress.traffic_at = progress.traffic_at.map(|at| at.saturating_add(gap));
    } else if came {
        progress.soaked_micros = progress.soaked_micros.saturating_add(gap);
    }
    if came || progress.traffic_at.is_none() {
        progress.traffic_at = Some(now.micros());
    }
    progress.predictions = predictions;
    progress.looked_at = Some(now.micros());
    let traffic_at = Timestamp::from_micros(progress.traffic_at.unwrap_or(now.micros()));
    let silent = now.micros_since(traffic_at);
    let grace = settings.no_traffic_grace_micros();
    if silent >= grace {
        Some(Hold::NoTrafficGraceOver)
    } else if silent >= NO_TRAFFIC_AFTER.min(grace) {
        Some(Hold::NoTraffic)
    } else {
        None
    }
}

/// Whether a ceiling is passed: the exact sequence of the candidate's own share of units with a bad event
/// lies above it. It needs no control, so it also holds when both arms are broken.
fn over_a_ceiling(look: &Look<'_>, settings: &RolloutSettings) -> Option<String> {
    let definition = &look.experiment.definition;
    let family = guarded(definition);
    let epochs = &look.evidence.epochs;
    settings.ceilings.iter().find_map(|(name, ceiling)| {
        let at = definition.metric(name.as_str())?;
        if look.results.mislabelled() == Some(at) {
            return None;
        }
        let sum = |f: &dyn Fn(&types::ArmEvidence) -> u64| -> f64 {
            epochs.iter().map(|epoch| f(&epoch.arms[1])).sum::<u64>() as f64
        };
        let bad = sum(&|arm| arm.metrics[at].all.events);
        // Units by units: who comes back in a later step is one all the same. Whoever was the candidate's before has
        // nothing left to chance.
        let units = if is_by_units(look) {
            sum(&|arm| arm.exposures.units - arm.exposures.left_out.min(arm.exposures.units))
        } else {
            sum(&|arm| arm.metrics[at].all.units)
        };
        let units = units.max(bad);
        if units == 0.0 {
            return None;
        }
        let sequence = bernoulli(bad, units, definition.alpha / family, 1000.0);
        (sequence.lower > *ceiling).then(|| {
            format!(
                "{} has a bad {name} for at least {} % of its units, which is above the ceiling of {} %.",
                definition.arms[1].version,
                significant(100.0 * sequence.lower, 3),
                significant(100.0 * ceiling, 3),
            )
        })
    })
}

/// Whether the candidate answers another type than its labels and the control: whoever reads its answers cannot.
fn answers_otherwise(look: &Look<'_>) -> Option<String> {
    let found = look.results.answers_otherwise()?;
    super::decides(look, found.metric).then(|| {
        let definition = &look.experiment.definition;
        format!(
            "{} of the {} labels for {} have {}, as {} answers, where it answered {}: they can never be equal.",
            found.unlike,
            found.labels,
            definition.arms[found.arm].version,
            found.mismatch.label.with_article(),
            definition.arms[0].version,
            found.mismatch.prediction.with_article(),
        )
    })
}

/// Whether a guardrail is harmed.
fn harmed(look: &Look<'_>) -> Option<String> {
    let (arm, metric) = look.results.harm(&look.experiment.definition).next()?;
    let definition = &look.experiment.definition;
    // Of the last epoch that knows of the candidate: means over several epochs may stand the other way round.
    let epochs = look.evidence.epochs.iter().rev();
    let known = |epoch: &&types::EpochEvidence| epoch.arms[arm].metrics[metric].all.units > 0;
    let last = epochs.into_iter().find(known);
    // Where units have several requests, first ones decide.
    let of_units = guarded_by_first_events(look, metric);
    let mean = |arm: usize| {
        let sums = last.map(|epoch| epoch.arms[arm].metrics[metric].all);
        if of_units {
            let (events, units) = sums.map_or((0, 0), |sums| (sums.events, sums.units));
            return counted(events as f64, units, " units");
        }
        let Some(sums) = sums.filter(|sums| sums.count > 0) else {
            return "nothing".into();
        };
        let mean = sums.about + sums.sum / sums.count as f64;
        match definition.metrics[metric].kind {
            MetricKind::Binary => counted(mean * sums.count as f64, sums.count, ""),
            _ => significant(mean, 3),
        }
    };
    Some(format!(
        "{} is worse than {} on the guardrail {}: {} against {} at this step.",
        definition.arms[arm].version,
        definition.arms[0].version,
        definition.metrics[metric].name,
        mean(arm),
        mean(0)
    ))
}

/// Whether what decides on a guardrail are first bad events of units with several requests.
fn guarded_by_first_events(look: &Look<'_>, metric: usize) -> bool {
    let events = look.experiment.definition.metrics[metric].rule() == types::EvidenceRule::Events;
    events && is_by_units(look)
}

/// The candidate's share at the next step, in percent; all after the last one.
fn next_share(settings: &RolloutSettings, step: usize) -> f64 {
    settings.steps.get(step + 1).copied().unwrap_or(100.0)
}

/// Whether the next step is beyond what is allowed without outcomes, and a metric that needs them has none
/// of the candidate.
fn without_outcomes(
    look: &Look<'_>,
    settings: &RolloutSettings,
    progress: &RolloutProgress,
) -> Option<Hold> {
    if next_share(settings, progress.step) <= settings.max_step_without_outcomes {
        return None;
    }
    let definition = &look.experiment.definition;
    let pending = definition.metrics.iter().enumerate().any(|(at, metric)| {
        let role = look.results.metrics[at].role;
        let counts = role != MetricRole::Secondary && metric.from_feedback();
        let came = look.evidence.epochs.iter();
        counts
            && came
                .map(|epoch| epoch.arms[1].metrics[at].all.values)
                .sum::<u64>()
                == 0
    });
    pending.then_some(Hold::NoOutcomes)
}

/// Whether units have several requests: users, or customers. A few that come back among many do not make them so.
fn is_by_units(look: &Look<'_>) -> bool {
    let epochs = look.evidence.epochs.iter();
    let arms = epochs.flat_map(|epoch| &epoch.arms);
    let (requests, units) = arms.fold((0, 0), |(requests, units), arm| {
        (
            requests + arm.exposures.predictions,
            units + arm.exposures.units,
        )
    });
    has_several(requests, units)
}

/// Units that the candidate needs at a step where the traffic is by units, and there may never be many: so many, unless
/// the share of those that have come promises fewer, and then none.
fn min_named(look: &Look<'_>, settings: &RolloutSettings, step: usize) -> u64 {
    let epochs = look.evidence.epochs.iter();
    let arms = epochs.flat_map(|epoch| &epoch.arms);
    let seen: u64 = arms.map(|arm| arm.exposures.first).sum();
    let promised = seen as f64 * settings.share(step);
    // So many come in all but a few rollouts: two standard deviations below what is promised.
    if promised - 2.0 * promised.sqrt() >= LEAST_NAMED as f64 {
        LEAST_NAMED
    } else {
        0
    }
}

/// So many units of the candidate say something of users.
const LEAST_NAMED: u64 = 20;

/// Units that the candidate has at this step.
fn treated(look: &Look<'_>) -> u64 {
    let epochs = &look.evidence.epochs;
    let Some(last) = epochs.last() else {
        return 0;
    };
    // A step may go on in a new epoch, when a scale is known: who comes back there was counted.
    let same = epochs
        .iter()
        .rev()
        .take_while(|epoch| epoch.shares == last.shares);
    let exposures: Vec<_> = same.map(|epoch| epoch.arms[1].exposures).collect();
    let first = exposures.last().map_or(0, |first| first.units);
    let later = exposures.iter().rev().skip(1);
    first
        + later
            .map(|later| later.units.saturating_sub(later.left_out))
            .sum::<u64>()
}

/// The units that a step needs: as they are set, or as many as find twice the control's rate of bad events
/// in 80 % of cases at one look (one-sided, at alpha).
fn min_units(look: &Look<'_>, settings: &RolloutSettings, step: usize) -> u64 {
    if let Some(units) = settings.min_units(step) {
        return units;
    }
    if is_by_units(look) {
        return min_named(look, settings, step);
    }
    let definition = &look.experiment.definition;
    let rates = definition.metrics.iter().enumerate().filter(|(_, metric)| {
        let guards = definition.guardrails.contains(&metric.name);
        // Beside `error`, an input that is refused is the same kind of event.
        let beside = metric.built_in() == Some(BuiltIn::Rejected) && guards_both(definition);
        metric.kind == MetricKind::Binary && guards && !beside
    });
    let rate = |(at, _): (usize, &types::Metric)| {
        let epochs = look.evidence.epochs.iter();
        let (bad, units) = epochs.fold((0, 0), |(bad, units), epoch| {
            let sums = &epoch.arms[0].metrics[at].all;
            (bad + sums.events, units + sums.units)
        });
        bad as f64 / units.max(1) as f64
    };
    // The rarest event needs the most units.
    let base = rates.map(rate).fold(f64::INFINITY, f64::min);
    let base = if base.is_finite() { base } else { LEAST_BASE };
    let base = base.clamp(LEAST_BASE, 0.25);
    let share = settings.share(step);
    let design = Design {
        alpha: definition.alpha,
        power: 0.8,
        sides: 1.0,
    };
    two_proportions_unequal(base, 2.0 * base, share / (1.0 - share), design).ceil() as u64
}

/// Strict promotion: on every guardrail the candidate is shown not to be much worse.
fn not_worse(look: &Look<'_>, settings: &RolloutSettings, step: usize) -> bool {
    let definition = &look.experiment.definition;
    let guarded = look.results.metrics.iter().zip(&definition.metrics);
    let mut guarded = guarded.filter(|(_, metric)| definition.guardrails.contains(&metric.name));
    guarded.all(|(result, metric)| {
        result.comparisons.iter().all(|comparison| {
            let ratio = comparison.events.map(|events| events.rate_ratio.upper);
            let by_ratio = ratio.is_some_and(|upper| upper < settings.ratio_margin(step));
            // How much worse at most, in the unit of the metric.
            let worst = comparison
                .sequential
                .interval
                .map(|interval| match metric.direction {
                    types::Direction::Up => -interval.lower,
                    types::Direction::Down => interval.upper,
                });
            let by_difference = settings
                .absolute_margin
                .zip(worst)
                .is_some_and(|(margin, worst)| worst < margin);
            by_ratio || by_difference
        })
    })
}
