//! Results by segment: which claims hold for all segments together, and never one from a segment alone.

use super::{ArmResult, Comparison, Finding, arm_result, compare};
use crate::multiplicity::holm;
use types::{ExperimentDefinition, MAX_VALUES, SegmentEvidence, SegmentOf};

/// What the evidence says of a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentResult {
    /// The attribute.
    pub dimension: String,
    /// Which of its values.
    pub of: SegmentOf,
    /// Units exposed, by arm.
    pub units: Vec<u64>,
    /// By metric, in the order of the definition.
    pub metrics: Vec<SegmentMetric>,
}

/// What it says of a metric there.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentMetric {
    /// By arm, the control first.
    pub arms: Vec<ArmResult>,
    /// By candidate.
    pub comparisons: Vec<Comparison>,
}

/// Judges the segments of an experiment. For each metric the family is all segments that there may be (of each dimension its
/// values, the others and those without one) × candidates, whether or not they have come: a family that grew with the data
/// would give each new segment a part of α that was spent already. The always-valid p-values are adjusted by Holm (Scand. J.
/// Stat. 6, 1979), so that at any moment a false claim in any segment has at most the chance α; intervals are at α over the
/// number of segments. Nothing is said of the metric that is `mislabelled`
/// (see [`super::Results::mislabelled`]).
pub fn segments(
    definition: &ExperimentDefinition,
    segments: &[SegmentEvidence],
    mislabelled: Option<usize>,
) -> Vec<SegmentResult> {
    let exposed = |segment: &SegmentEvidence| -> Vec<u64> {
        let arms = 0..definition.arms.len();
        let epochs = &segment.evidence.epochs;
        let units = |arm: usize| epochs.iter().map(|e| e.arms[arm].exposures.units).sum();
        arms.map(units).collect()
    };
    let possible = (definition.dimensions.len() * (MAX_VALUES + 2)).max(segments.len());
    let mut results: Vec<SegmentResult> = segments
        .iter()
        .map(|segment| SegmentResult {
            dimension: segment.dimension.clone(),
            of: segment.of.clone(),
            units: exposed(segment),
            metrics: Vec::with_capacity(definition.metrics.len()),
        })
        .collect();
    for (at, metric) in definition.metrics.iter().enumerate() {
        // What guards and what informs is judged alike, as if it decided.
        let arms = definition.arms.len();
        let alpha = definition.alpha / (possible.max(1) * (arms - 1)) as f64;
        let mut found: Vec<SegmentMetric> = segments
            .iter()
            .map(|SegmentEvidence { evidence, .. }| SegmentMetric {
                arms: (0..arms)
                    .map(|arm| arm_result(definition, evidence, at, arm))
                    .collect(),
                comparisons: (1..arms)
                    .map(|arm| compare::of_part(definition, evidence, (at, arm), alpha))
                    .collect(),
            })
            .collect();
        let all = found.iter().flat_map(|found| &found.comparisons);
        let mut family: Vec<f64> = all.map(|found| found.sequential.p).collect();
        family.resize(possible * (arms - 1), 1.0);
        let adjusted = holm(&family);
        let all = found.iter_mut().flat_map(|found| &mut found.comparisons);
        for (comparison, p) in all.zip(adjusted) {
            if mislabelled == Some(at) {
                comparison.distrust();
                continue;
            }
            comparison.sequential.adjusted_p = p;
            let among = (definition.alpha, possible * (arms - 1));
            comparison.finding = compare::finding(metric, comparison, among);
            if matches!(comparison.finding, Finding::Better | Finding::Worse) {
                comparison.clip(metric);
            }
            comparison.hold_estimates();
        }
        for (result, found) in results.iter_mut().zip(found) {
            result.metrics.push(found);
        }
    }
    results
}
