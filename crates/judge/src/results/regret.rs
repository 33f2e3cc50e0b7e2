//! What a bandit has lost by not knowing the best arm from the beginning.

use super::Results;
use types::{Direction, ExperimentDefinition, Policy};

/// What the predictions of a bandit would have been worth more, all together, had each of them got the best arm: pseudo-regret,
/// Σ predictions × (the best arm's advantage − their arm's), as in Lattimore and Szepesvári, *Bandit Algorithms* (2020), 4.5,
/// by the differences as they are known now. Of a metric per unit each unit counts once. The best of several estimates is
/// a little too good, so early values are a little too high.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regret {
    /// Of the predictions as they were split.
    pub so_far: f64,
    /// Of as many predictions, had they been split into equal parts.
    pub of_equal_split: f64,
}

impl Results {
    /// The regret of a bandit on its primary metric, in units of the metric; `None` of another experiment, and as long as an arm
    /// has no difference to the control.
    ///
    /// The differences are estimates within each epoch of the weights, so that a level that moves is not taken for an
    /// arm's advantage.
    pub fn regret(&self, definition: &ExperimentDefinition) -> Option<Regret> {
        if !matches!(definition.policy, Policy::Bandit(_)) {
            return None;
        }
        let primary = self.metrics.first()?;
        let sign = match definition.metrics.first()?.direction {
            Direction::Up => 1.0,
            Direction::Down => -1.0,
        };
        let mut arms: Vec<(f64, f64)> = Vec::with_capacity(primary.arms.len());
        arms.extend(primary.arms.iter().map(|arm| (arm.predictions as f64, 0.0)));
        for found in &primary.comparisons {
            arms[found.arm].1 = sign * found.difference.filter(|value| value.is_finite())?;
        }
        Some(of(&arms))
    }
}

/// The regret of arms with so many predictions and such advantages.
fn of(arms: &[(f64, f64)]) -> Regret {
    let best = arms.iter().map(|(_, more)| *more).fold(f64::MIN, f64::max);
    let equal = arms.iter().map(|(units, _)| units).sum::<f64>() / arms.len() as f64;
    Regret {
        so_far: arms.iter().map(|(units, more)| units * (best - more)).sum(),
        of_equal_split: arms.iter().map(|(_, more)| equal * (best - more)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_best_arm_would_have_given_more() {
        // 100 units of the control and 900 of an arm that is better by .1; the third is worse than the control.
        let found = of(&[(100.0, 0.0), (900.0, 0.1), (50.0, -0.1)]);
        assert!((found.so_far - (10.0 + 10.0)).abs() < 1e-9, "{found:?}");
        assert!(
            (found.of_equal_split - 350.0 * 0.3).abs() < 1e-9,
            "{found:?}"
        );
        // Where arms do not differ, nothing is lost, and of nothing nothing.
        assert_eq!(of(&[(3.0, 0.0), (4.0, 0.0)]).so_far, 0.0);
        assert_eq!(of(&[(0.0, 0.0), (0.0, 1.0)]).of_equal_split, 0.0);
    }
}
