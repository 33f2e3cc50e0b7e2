//! Evidence made for tests.

use evidence::{Bets, Drawn, Terms};
use types::{EpochEvidence, ExperimentDefinition, Scale};

/// Units of each arm with two values, `deviation` around a mean, in an epoch whose scale holds them.
pub(crate) fn with_values(
    epoch: &mut EpochEvidence,
    definition: &ExperimentDefinition,
    at: usize,
    arms: &[(u64, f64, f64)],
) {
    let values: Vec<f64> = arms
        .iter()
        .flat_map(|(_, mean, sd)| [mean - sd, mean + sd])
        .collect();
    let ends = (f64::MAX, f64::MIN);
    let (low, high) = values.iter().fold(ends, |(l, h), v| (l.min(*v), h.max(*v)));
    let scale = Scale::between(low.min(0.0), high, &values[..2]).ok();
    with_scale(epoch, definition, at, scale, arms);
}

/// The same with a scale.
pub(crate) fn with_scale(
    epoch: &mut EpochEvidence,
    definition: &ExperimentDefinition,
    at: usize,
    scale: Option<Scale>,
    arms: &[(u64, f64, f64)],
) {
    epoch.scales.resize(definition.metrics.len(), None);
    epoch.scales[at] = scale;
    let terms = Terms::new(definition, &epoch.shares, &epoch.scales);
    for (arm, (units, mean, sd)) in arms.iter().enumerate() {
        let mut bets = Bets::default();
        for value in [mean - sd, mean + sd] {
            let one = terms.of_unit(at, Drawn::fresh(arm), value);
            (0..units / 2).for_each(|_| bets.add(&one));
        }
        epoch.arms[arm].metrics[at].bets = bets.sums();
    }
}
