//! Fixed-horizon tests: right when they are looked at once, at a size that was planned.

use crate::sample::{Effect, Interval, Sample};
use crate::special::{critical_z, normal_cdf, student_critical, student_two_sided};

/// A two-sided test with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// The statistic: t or z.
    pub statistic: f64,
    /// The two-sided p-value.
    pub p: f64,
    /// The interval of level 1 − alpha.
    pub interval: Interval,
}

/// Welch's t test (Biometrika 34, 1947): t = δ/SE with ν = SE⁴/Σ[(s²/n)²/(n − 1)].
/// Assumes independent units and a mean that is near normal.
pub fn welch(effect: &Effect, alpha: f64) -> Test {
    let t = effect.estimate / effect.standard_error;
    let critical = student_critical(alpha, effect.degrees_of_freedom);
    Test {
        statistic: t,
        p: student_two_sided(t, effect.degrees_of_freedom),
        interval: Interval::around(effect.estimate, critical * effect.standard_error),
    }
}

/// Successes among trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportion {
    /// Successes.
    pub successes: f64,
    /// Trials.
    pub n: f64,
}

impl Proportion {
    /// The share.
    pub fn share(self) -> f64 {
        self.successes / self.n
    }

    /// As a sample with variance p(1 − p).
    pub fn sample(self) -> Sample {
        Sample::proportion(self.successes, self.n)
    }
}

/// The z test of two proportions with the pooled variance. The interval is Newcombe's. With
/// nothing or everything a success in both arms, z is 0.
pub fn two_proportions(control: Proportion, candidate: Proportion, alpha: f64) -> Test {
    let pooled = (control.successes + candidate.successes) / (control.n + candidate.n);
    let variance = pooled * (1.0 - pooled) * (1.0 / control.n + 1.0 / candidate.n);
    let difference = candidate.share() - control.share();
    let z = if variance > 0.0 {
        difference / variance.sqrt()
    } else {
        0.0
    };
    Test {
        statistic: z,
        p: (2.0 * normal_cdf(-z.abs())).min(1.0),
        interval: newcombe(control, candidate, alpha),
    }
}

/// Wilson's interval of a proportion (J. Am. Stat. Assoc. 22, 1927).
pub fn wilson(proportion: Proportion, alpha: f64) -> Interval {
    wilson_of(proportion.share(), proportion.n, critical_z(alpha, 2.0))
}

/// The same of a share of `n` units, which may be as many as an estimate is worth, with a critical value of one's own.
pub fn wilson_of(p: f64, n: f64, z: f64) -> Interval {
    let square = z * z / n;
    let center = (p + 0.5 * square) / (1.0 + square);
    let half = z * (p * (1.0 - p) / n + 0.25 * square / n).sqrt() / (1.0 + square);
    Interval {
        lower: if p == 0.0 {
            0.0
        } else {
            (center - half).max(0.0)
        },
        upper: if p == 1.0 {
            1.0
        } else {
            (center + half).min(1.0)
        },
    }
}

/// Newcombe's hybrid of two Wilson intervals for p_B − p_A (Statistics in Medicine 17, 1998,
/// method 10, without continuity correction). It keeps a width where an arm has no event.
pub fn newcombe(control: Proportion, candidate: Proportion, alpha: f64) -> Interval {
    let (a, b) = (wilson(control, alpha), wilson(candidate, alpha));
    let (pa, pb) = (control.share(), candidate.share());
    let difference = pb - pa;
    Interval {
        lower: difference - (pb - b.lower).hypot(a.upper - pa),
        upper: difference + (b.upper - pb).hypot(pa - a.lower),
    }
}

/// Agresti and Caffo's interval for p_B − p_A (American Statistician 54, 2000): Wald's, after one
/// success and one failure more in each arm.
pub fn agresti_caffo(control: Proportion, candidate: Proportion, alpha: f64) -> Interval {
    let more = |p: Proportion| Proportion {
        successes: p.successes + 1.0,
        n: p.n + 2.0,
    };
    wald(more(control), more(candidate), alpha)
}

/// Wald's interval for p_B − p_A: the simplest, and too narrow at few events.
pub fn wald(control: Proportion, candidate: Proportion, alpha: f64) -> Interval {
    let variance = |p: Proportion| p.share() * (1.0 - p.share()) / p.n;
    let error = (variance(control) + variance(candidate)).sqrt();
    Interval::around(
        candidate.share() - control.share(),
        critical_z(alpha, 2.0) * error,
    )
}
