//! Checks that must hold before any metric is looked at.

use super::{FeedbackCheck, LabelCheck, RatioCheck, WindowCheck};
use crate::asymptotic::p_of_ln_e;
use crate::events::{DEFAULT_TAU, EventStage, ln_e_two_sided};
use crate::srm::{
    ALARM, Allocation, DEFAULT_CONCENTRATION, MIN_UNITS, chi_square, ln_e_sequential,
};
use evidence::pair_share;
use std::collections::HashMap;
use types::{BuiltIn, EpochEvidence, Evidence, ExperimentDefinition, Missing};

/// The units of each epoch against its published shares.
pub(super) fn ratio_check(evidence: &Evidence) -> RatioCheck {
    let allocations: Vec<Allocation> = evidence
        .epochs
        .iter()
        .map(|epoch| {
            // An arm without a share gets no unit, and is no cell of the test.
            let arms = epoch.arms.iter().zip(&epoch.shares);
            let open = arms.filter(|(_, share)| **share > 0.0);
            let (counts, shares) = open
                .map(|(arm, share)| (arm.exposures.first as f64, *share))
                .unzip();
            Allocation { counts, shares }
        })
        .collect();
    let ln_e = ln_e_sequential(&allocations, DEFAULT_CONCENTRATION);
    let p = p_of_ln_e(ln_e);
    RatioCheck {
        p,
        ln_e,
        chi_square_p: chi_square_p(evidence),
        alarm: p < ALARM,
    }
}

/// The test of all epochs: observed units against the sum of what each epoch promised.
fn chi_square_p(evidence: &Evidence) -> Option<f64> {
    let arms = evidence.epochs.first()?.arms.len();
    let (mut counts, mut expected) = (vec![0.0; arms], vec![0.0; arms]);
    for epoch in &evidence.epochs {
        let units = |arm: usize| epoch.arms[arm].exposures.first as f64;
        let total: f64 = (0..arms).map(units).sum();
        for arm in 0..arms {
            counts[arm] += units(arm);
            expected[arm] += total * epoch.shares[arm];
        }
    }
    let enough = counts.iter().all(|&units| units >= MIN_UNITS);
    enough.then(|| chi_square(&counts, &expected).1)
}

/// Whether the first feedback of units comes from the arms as their shares promise: the event
/// e-process on arrivals.
pub(super) fn feedback_checks(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
) -> Vec<FeedbackCheck> {
    let mut checks = Vec::new();
    for (metric, declared) in definition.metrics.iter().enumerate() {
        // Where a missing value counts, more values are the effect itself.
        if !declared.from_feedback() || declared.missing != Missing::Excluded {
            continue;
        }
        for arm in 1..definition.arms.len() {
            let stages = pair_stages(evidence, arm, |epoch, arm| {
                let sums = &epoch.arms[arm].metrics[metric].all;
                // Releases without scales did not tell first exposures apart.
                if epoch.scales.is_empty() {
                    sums.value_units
                } else {
                    sums.fresh_values
                }
            });
            let p = p_of_ln_e(ln_e_two_sided(&stages, 1.0, DEFAULT_TAU));
            checks.push(FeedbackCheck {
                metric,
                arm,
                p,
                alarm: p < ALARM,
            });
        }
    }
    checks
}

/// Of so many labels of an arm, one may be of another type. They are left out of the evidence, and what is left speaks for all.
pub(super) const LABELS_PER_UNLIKE: u64 = 100;

/// Of arms with labels that can never equal what they answered: how many there are.
pub(super) fn label_checks(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
) -> Vec<LabelCheck> {
    let Some(metric) = definition.metric(BuiltIn::Correct.as_str()) else {
        return Vec::new();
    };
    let check = |arm: usize| {
        let found = evidence.unlike_labels.iter();
        let found = found.filter(|found| found.arm == arm);
        let most = found.clone().max_by_key(|found| found.count)?;
        let unlike = found.map(|found| found.count).sum::<u64>();
        let values = |epoch: &EpochEvidence| epoch.arms[arm].metrics[metric].all.values;
        let labels = evidence.epochs.iter().map(values).sum::<u64>() + unlike;
        Some(LabelCheck {
            metric,
            arm,
            unlike,
            labels,
            mismatch: most.mismatch,
            alarm: unlike * LABELS_PER_UNLIKE > labels,
        })
    };
    (0..definition.arms.len()).filter_map(check).collect()
}

/// Whether windows hold the delays of both arms, and whether values come as soon for a candidate as for the control: of
/// first values, those within a quarter of the window, against the arms' parts of all that have come.
pub(super) fn window_checks(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
) -> Vec<WindowCheck> {
    let mut checks = Vec::new();
    for (metric, declared) in definition.metrics.iter().enumerate() {
        if !declared.from_feedback() || declared.window_seconds == 0 {
            continue;
        }
        for arm in 1..definition.arms.len() {
            let mut stages = Vec::new();
            let (mut values, mut late) = ([0u64; 2], [0u64; 2]);
            for epoch in &evidence.epochs {
                let sums = [0, arm].map(|arm| &epoch.arms[arm].metrics[metric].all);
                for at in 0..2 {
                    values[at] += sums[at].values;
                    late[at] += sums[at].late;
                }
                let came = sums.map(|sums| sums.fresh_values as f64);
                if came[0] + came[1] > 0.0 {
                    stages.push(EventStage {
                        share: (came[1] + 0.5) / (came[0] + came[1] + 1.0),
                        treated: sums[1].early as f64,
                        control: sums[0].early as f64,
                    });
                }
            }
            let p = p_of_ln_e(ln_e_two_sided(&stages, 1.0, DEFAULT_TAU));
            let held =
                |at: usize| (values[at] > 0).then(|| 1.0 - late[at] as f64 / values[at] as f64);
            checks.push(WindowCheck {
                metric,
                arm,
                held: held(0).zip(held(1)).map(|(a, b)| a.min(b)),
                timing_p: p,
                timing_alarm: p < ALARM,
            });
        }
    }
    checks
}

/// Counts of a candidate and the control by epoch. Epochs with the same share are one stretch for a
/// likelihood, and epochs without a count say nothing.
pub(super) fn pair_stages(
    evidence: &Evidence,
    arm: usize,
    count: impl Fn(&EpochEvidence, usize) -> u64,
) -> Vec<EventStage> {
    let mut stages: Vec<EventStage> = Vec::new();
    let mut places: HashMap<u64, usize> = HashMap::new();
    for epoch in &evidence.epochs {
        let share = pair_share(&epoch.shares, arm);
        let (treated, control) = (count(epoch, arm) as f64, count(epoch, 0) as f64);
        if treated + control == 0.0 || !(share > 0.0 && share < 1.0) {
            continue;
        }
        let place = *places.entry(share.to_bits()).or_insert(stages.len());
        match stages.get_mut(place) {
            Some(stage) => {
                stage.treated += treated;
                stage.control += control;
            }
            None => stages.push(EventStage {
                share,
                treated,
                control,
            }),
        }
    }
    stages
}
