//! How many units and days an experiment needs, before it begins.

use crate::power::{
    Design, Tightest, power_two_means, sequential, two_means, two_proportions_pooled_unequal,
};
use crate::special::{critical_z, normal_cdf};

/// More power than this cannot be told from certainty.
const MAX_POWER: f64 = 0.999_999;

/// Units a day: days beyond a thousand for each unit are no plan.
const MIN_PER_DAY: f64 = 1e-3;

/// What is planned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanInput {
    /// The control's mean; a share where no standard deviation is given.
    pub baseline: f64,
    /// The smallest effect that matters.
    pub effect: f64,
    /// Whether the effect is relative to the baseline.
    pub relative: bool,
    /// The standard deviation of one unit, for a mean that is no share.
    pub standard_deviation: Option<f64>,
    /// The chance of a false claim, over all candidates, two-sided.
    pub alpha: f64,
    /// The chance of finding the effect.
    pub power: f64,
    /// Arms, the control included.
    pub arms: u32,
    /// The share of the units that each candidate gets; equal shares when left out.
    pub split: Option<f64>,
    /// Whether results are watched while they come in.
    pub sequential: bool,
    /// Units a day.
    pub per_day: Option<f64>,
}

/// What does not fit in a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct InvalidPlan {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// What is needed.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Units of the control, rounded up.
    pub control_units: f64,
    /// Units of each candidate, rounded up.
    pub candidate_units: f64,
    /// Units of all arms.
    pub total_units: f64,
    /// How long that takes.
    pub days: Option<f64>,
    /// The candidate's mean that is looked for.
    pub target: f64,
    /// What is left of alpha for each comparison with the control.
    pub alpha_per_comparison: f64,
    /// Units of a comparison (both arms): what the sequences of an experiment are made tightest for.
    pub planned_units: f64,
    /// How the units were computed.
    pub formula: &'static str,
    /// Effects, absolute, and the units of all arms that they need.
    pub units_by_effect: Vec<(f64, f64)>,
    /// Units of all arms, and the power that they have.
    pub power_by_units: Vec<(f64, f64)>,
}

/// Multiples of the effect, and of the units, at which the curves are given.
const MULTIPLES: [f64; 7] = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0];

/// Plans an experiment.
///
/// # Errors
/// Everything that does not fit.
pub fn plan(input: &PlanInput) -> Result<Plan, Vec<InvalidPlan>> {
    let problems = problems(input);
    if !problems.is_empty() {
        return Err(problems);
    }
    let case = Case::new(input);
    let (control, candidate) = case.units(case.effect);
    let candidates = f64::from(input.arms - 1);
    let total = |(control, candidate): (f64, f64)| control.ceil() + candidates * candidate.ceil();
    let total_units = total((control, candidate));
    let reachable = |effect: &f64| case.reaches(*effect);
    let effects = MULTIPLES.iter().map(|m| m * case.effect).filter(reachable);
    let units = MULTIPLES.iter().map(|m| (m * total_units).ceil());
    Ok(Plan {
        control_units: control.ceil(),
        candidate_units: candidate.ceil(),
        total_units,
        days: input.per_day.map(|per_day| total_units / per_day),
        target: input.baseline + case.effect,
        alpha_per_comparison: case.design.alpha,
        planned_units: control.ceil() + candidate.ceil(),
        formula: case.formula(),
        units_by_effect: effects.map(|e| (e, total(case.units(e)))).collect(),
        power_by_units: units
            .map(|n| (n, case.power(n / total_units * control)))
            .collect(),
    })
}

fn problems(input: &PlanInput) -> Vec<InvalidPlan> {
    let mut found = Vec::new();
    let mut wrong = |field, problem: &str| {
        found.push(InvalidPlan {
            field,
            problem: problem.into(),
        });
    };
    let share = input.standard_deviation.is_none();
    if !input.baseline.is_finite() || share && !(input.baseline > 0.0 && input.baseline < 1.0) {
        wrong(
            "baseline",
            "must be a share above 0 and below 1, or a mean with standard_deviation",
        );
    }
    if input
        .standard_deviation
        .is_some_and(|sd| !(sd.is_finite() && sd > 0.0))
    {
        wrong("standard_deviation", "must be above 0");
    }
    if !input.effect.is_finite() || input.effect == 0.0 {
        wrong("effect", "must be a number other than 0");
    } else if found.is_empty() {
        let effect = absolute(input);
        let target = input.baseline + effect;
        if share && !(target > 0.0 && target < 1.0) {
            found.push(InvalidPlan {
                field: "effect",
                problem: format!("takes the share to {target}, which must be above 0 and below 1"),
            });
        } else if effect == 0.0 || effect.abs() < 1e-9 {
            found.push(InvalidPlan {
                field: "effect",
                problem: "is too small to be found: at least 1e-9".into(),
            });
        }
    }
    let mut wrong = |field, problem: &str| {
        found.push(InvalidPlan {
            field,
            problem: problem.into(),
        });
    };
    if !types::ALPHAS.contains(&input.alpha) {
        wrong("alpha", "must be at least 1e-9 and below 0.5");
    }
    if !(input.power > input.alpha && input.power <= MAX_POWER) {
        wrong("power", "must be above alpha and at most 0.999999");
    }
    if !(2..=21).contains(&input.arms) {
        wrong("arms", "must be from 2 to 21, the control included");
    } else if let Some(split) = input.split {
        let rest = 1.0 - split * f64::from(input.arms - 1);
        if !(split >= 1e-4 && rest >= 1e-4) {
            wrong(
                "split",
                "must be the share of one candidate and leave a share for the control",
            );
        }
    }
    if input
        .per_day
        .is_some_and(|n| !(n.is_finite() && n >= MIN_PER_DAY))
    {
        wrong(
            "per_day",
            "must be at least 0.001, a unit in a thousand days",
        );
    }
    found
}

fn absolute(input: &PlanInput) -> f64 {
    if input.relative {
        input.effect * input.baseline.abs()
    } else {
        input.effect
    }
}

struct Case {
    baseline: f64,
    effect: f64,
    standard_deviation: Option<f64>,
    design: Design,
    /// Units of a candidate per unit of the control.
    ratio: f64,
    sequential: bool,
}

impl Case {
    fn new(input: &PlanInput) -> Self {
        let candidates = f64::from(input.arms - 1);
        let split = input.split.unwrap_or(1.0 / (candidates + 1.0));
        Self {
            baseline: input.baseline,
            effect: absolute(input),
            standard_deviation: input.standard_deviation,
            design: Design {
                alpha: input.alpha / candidates,
                power: input.power,
                sides: 2.0,
            },
            ratio: match input.split {
                None => 1.0,
                Some(_) => split / (1.0 - candidates * split),
            },
            sequential: input.sequential,
        }
    }

    fn formula(&self) -> &'static str {
        match (self.sequential, self.standard_deviation) {
            (true, _) => {
                "the half-width of the asymptotic confidence sequence in place of z times the \
                          standard error, at one look at the end: a lower bound on the power of watching"
            }
            (false, None) => "two proportions, pooled, two-sided, without continuity correction",
            (false, Some(_)) => "two means, Student's t, two-sided",
        }
    }

    fn variances(&self, effect: f64) -> (f64, f64) {
        match self.standard_deviation {
            Some(sd) => (sd * sd, sd * sd),
            None => {
                let bernoulli = |p: f64| p * (1.0 - p);
                (bernoulli(self.baseline), bernoulli(self.baseline + effect))
            }
        }
    }

    /// Whether an effect leaves a share a share.
    fn reaches(&self, effect: f64) -> bool {
        let target = self.baseline + effect;
        self.standard_deviation.is_some() || (target > 0.0 && target < 1.0)
    }

    /// Units of the control and of a candidate.
    fn units(&self, effect: f64) -> (f64, f64) {
        if self.sequential {
            let variances = self.variances(effect);
            let control = sequential(effect, variances, self.ratio, Tightest::AtEnd, self.design);
            return (control, self.ratio * control);
        }
        let candidate = match self.standard_deviation {
            None => {
                let target = self.baseline + effect;
                two_proportions_pooled_unequal(self.baseline, target, self.ratio, self.design)
            }
            Some(sd) => {
                // With k times the units, n per arm of an equal split of the same precision.
                let equal = two_means(effect / sd, self.design);
                equal * (1.0 + self.ratio) / 2.0
            }
        };
        (candidate / self.ratio, candidate)
    }

    /// The power with so many units of the control, at one look.
    fn power(&self, control: f64) -> f64 {
        let candidate = self.ratio * control;
        let (a, b) = self.variances(self.effect);
        let error = (a / control + b / candidate).sqrt();
        let effect = self.effect.abs();
        if self.sequential {
            let total = control + candidate;
            let rho = crate::asymptotic::rho(
                self.design.alpha,
                self.units(self.effect).0 * (1.0 + self.ratio),
            );
            let bound = crate::asymptotic::normal_mixture_bound(total, self.design.alpha, rho);
            return normal_cdf(effect / error - bound / total.sqrt());
        }
        if let Some(sd) = self.standard_deviation {
            let equal = 2.0 / (1.0 / control + 1.0 / candidate);
            return power_two_means(effect / sd, equal.max(2.0), self.design.alpha);
        }
        let mean =
            (self.baseline + self.ratio * (self.baseline + self.effect)) / (1.0 + self.ratio);
        let null = (mean * (1.0 - mean) * (1.0 / control + 1.0 / candidate)).sqrt();
        let z = critical_z(self.design.alpha, self.design.sides) * null;
        normal_cdf((effect - z) / error) + normal_cdf((-effect - z) / error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const USUAL: PlanInput = PlanInput {
        baseline: 0.5,
        effect: 0.05,
        relative: false,
        standard_deviation: None,
        alpha: 0.05,
        power: 0.8,
        arms: 2,
        split: None,
        sequential: false,
        per_day: None,
    };

    #[test]
    fn plans_are_those_of_the_formulas() {
        let ten = PlanInput {
            baseline: 0.1,
            ..USUAL
        };
        for (input, per_arm) in [
            (USUAL, 1565.0),
            (
                PlanInput {
                    relative: true,
                    ..ten
                },
                57_763.0,
            ),
            (PlanInput { arms: 4, ..USUAL }, 2088.0),
            (
                PlanInput {
                    power: 0.9,
                    ..USUAL
                },
                2095.0,
            ),
            (
                PlanInput {
                    sequential: true,
                    ..USUAL
                },
                2991.0,
            ),
            (
                PlanInput {
                    standard_deviation: Some(0.5),
                    ..USUAL
                },
                1571.0,
            ),
        ] {
            let got = plan(&input).unwrap();
            assert_eq!(got.candidate_units, per_arm, "{input:?}");
            assert_eq!(got.control_units, per_arm);
            assert_eq!(got.total_units, per_arm * f64::from(input.arms));
        }
    }

    #[test]
    fn a_plan_says_days_and_what_does_not_fit() {
        let input = PlanInput {
            per_day: Some(313.0),
            ..USUAL
        };
        assert_eq!(plan(&input).unwrap().days, Some(10.0));
        let input = PlanInput {
            effect: 0.6,
            alpha: 0.5,
            arms: 1,
            per_day: Some(0.0),
            ..USUAL
        };
        let fields: Vec<&str> = plan(&input).unwrap_err().iter().map(|p| p.field).collect();
        assert_eq!(fields, ["effect", "alpha", "arms", "per_day"]);
    }

    #[test]
    fn a_plan_is_refused_or_has_numbers_at_the_edges_of_what_may_be_asked() {
        let sequential = |sequential| PlanInput {
            sequential,
            ..USUAL
        };
        for input in [sequential(false), sequential(true)] {
            for alpha in [5e-324, 1e-300, 9e-10, f64::NAN] {
                let problems = plan(&PlanInput { alpha, ..input }).unwrap_err();
                assert_eq!(problems[0].field, "alpha", "{alpha}");
            }
            for (alpha, power) in [
                (1e-9, 0.999_999),
                (1e-9, 1e-6),
                (0.49, 0.999_999),
                (0.49, 0.5),
            ] {
                let plan = plan(&PlanInput {
                    alpha,
                    power,
                    arms: 21,
                    ..input
                })
                .unwrap();
                assert!(
                    plan.total_units.is_finite() && plan.total_units > 0.0,
                    "{alpha} {power}: {plan:?}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn curves_fall_and_rise(
            baseline in 0.05..0.6f64, effect in 0.01..0.1f64, split in 0.05..0.45f64,
            sequential in any::<bool>(), means in any::<bool>(),
        ) {
            let input = PlanInput {
                baseline, effect, split: Some(split), sequential,
                standard_deviation: means.then_some(0.4), ..USUAL
            };
            let plan = plan(&input).unwrap();
            let ratio = plan.candidate_units / plan.control_units;
            prop_assert!((ratio / (split / (1.0 - split)) - 1.0).abs() < 0.05);
            for pair in plan.units_by_effect.windows(2) {
                prop_assert!(pair[1].1 <= pair[0].1, "{:?}", plan.units_by_effect);
            }
            for pair in plan.power_by_units.windows(2) {
                prop_assert!(pair[1].1 >= pair[0].1, "{:?}", plan.power_by_units);
            }
            // At the planned units, the power is the one that was asked for.
            let planned = plan.power_by_units[3];
            prop_assert!((planned.1 - 0.8).abs() < 0.01, "{planned:?}");
        }
    }
}
