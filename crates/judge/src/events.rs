//! Rare events (errors, timeouts, breaches of an objective): whose was it?
//!
//! Given that an event happened, it was the candidate's with a known probability p_s(r) =
//! s·r/(s·r + 1 − s), where s is the candidate's share of the pair and r the ratio of the rates.
//! That holds whatever the base rate does and however the share changes between stages.
//! Lindon and Malek, NeurIPS 2022; Lindon, Sanden and Shirikian, KDD 2022 (arXiv 2205.14762).
//!
//! Assumes randomised assignment, at most one event per unit in an experiment, and the same
//! opportunity for events in both arms.

use crate::sample::Interval;
use crate::special::{ln_beta, ln_integral_of_concave, peak_of_concave, root};
use std::f64::consts::PI;

/// Events in a stretch of constant weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventStage {
    /// The candidate's share of the units of this pair, in (0, 1).
    pub share: f64,
    /// Units of the candidate with an event.
    pub treated: f64,
    /// Units of the control with an event.
    pub control: f64,
}

/// The width of the mixture over ln r.
pub const DEFAULT_TAU: f64 = 1.0;

/// ℓ(e^x), the log-likelihood of whose the events were at the rate ratio e^x, ready to be evaluated
/// often.
struct Likelihood {
    stages: Vec<Stage>,
    /// Where there are many stages: ℓ around its peak.
    table: Option<Table>,
}

struct Stage {
    /// s/(1 − s), and its logarithm.
    odds: f64,
    ln_odds: f64,
    treated: f64,
    /// Events of both arms.
    events: f64,
}

impl Likelihood {
    fn new(stages: &[EventStage]) -> Self {
        let some = stages.iter().filter(|s| s.treated + s.control > 0.0);
        let each = some.map(|stage| {
            let odds = stage.share / (1.0 - stage.share);
            Stage {
                odds,
                ln_odds: odds.ln(),
                treated: stage.treated,
                events: stage.treated + stage.control,
            }
        });
        let mut likelihood = Self {
            stages: each.collect(),
            table: None,
        };
        if likelihood.stages.len() >= MANY_STAGES {
            likelihood.table = Table::new(&likelihood);
        }
        likelihood
    }

    fn at(&self, x: f64) -> f64 {
        let known = self.table.as_ref().and_then(|table| table.at(x));
        known.unwrap_or_else(|| self.exactly_at(x))
    }

    /// Σ T ln p + C ln(1 − p) = Σ T y − (T + C) ln(1 + e^y) at y = x + ln(s/(1 − s)): above y = 0
    /// as −C y − (T + C) ln(1 + e^−y), which cannot overflow.
    fn exactly_at(&self, x: f64) -> f64 {
        let (up, down) = (x.exp(), (-x).exp());
        let each = self.stages.iter().map(|stage| {
            let y = x + stage.ln_odds;
            if y > 0.0 {
                (stage.treated - stage.events) * y - stage.events * (down / stage.odds).ln_1p()
            } else {
                stage.treated * y - stage.events * (up * stage.odds).ln_1p()
            }
        });
        each.sum()
    }

    /// dℓ/dx = Σ T − (T + C) p, and −d²ℓ/dx² = Σ (T + C) p (1 − p).
    fn derivatives(&self, x: f64) -> (f64, f64) {
        let down = (-x).exp();
        let (mut slope, mut curvature) = (0.0, 0.0);
        for stage in &self.stages {
            let p = 1.0 / (1.0 + down / stage.odds);
            slope += stage.treated - stage.events * p;
            curvature += stage.events * p * (1.0 - p);
        }
        (slope, curvature)
    }

    /// ln ∫ exp(ℓ(base + x) + ln_prior − x²/(2τ²)) over x ≥ `low`.
    fn ln_mixture(&self, base: f64, low: f64, tau: f64, ln_prior: f64) -> f64 {
        let precision = 1.0 / (tau * tau);
        ln_integral_of_concave(
            low,
            |x| self.at(base + x) + ln_prior - 0.5 * precision * x * x,
            |x| {
                let (slope, curvature) = self.derivatives(base + x);
                (slope - precision * x, curvature + precision)
            },
        )
    }

    /// ln of the likelihood mixed over ln r ~ N(0, τ²).
    fn ln_normal_mixture(&self, tau: f64) -> f64 {
        let ln_prior = -0.5 * (2.0 * PI * tau * tau).ln();
        self.ln_mixture(0.0, f64::NEG_INFINITY, tau, ln_prior)
    }
}

/// From so many stages on, a table of ℓ costs less than its values.
const MANY_STAGES: usize = 8;
/// Points of the table.
const POINTS: usize = 28;

/// A polynomial through ℓ at Chebyshev points around its peak, in the barycentric form (Berrut and
/// Trefethen, SIAM Review 46(3), 2004). ℓ has its nearest singularities at a distance of π from the real
/// line, so on an interval of half-width 1 it is exact to rounding.
struct Table {
    middle: f64,
    half: f64,
    points: [f64; POINTS],
    /// ℓ less its peak, which keeps the digits.
    values: [f64; POINTS],
    peak: f64,
}

impl Table {
    /// `None` where ℓ has no peak, or is so flat that an interval which holds all of its mass is too wide.
    fn new(likelihood: &Likelihood) -> Option<Self> {
        let treated: f64 = likelihood.stages.iter().map(|stage| stage.treated).sum();
        let events: f64 = likelihood.stages.iter().map(|stage| stage.events).sum();
        if treated == 0.0 || treated == events {
            return None;
        }
        let middle = peak_of_concave(f64::NEG_INFINITY, &|x| likelihood.derivatives(x));
        let half = 13.0 / likelihood.derivatives(middle).1.sqrt();
        if half.is_nan() || half > 1.0 {
            return None;
        }
        let last = (POINTS - 1) as f64;
        let points = std::array::from_fn(|at| (PI * at as f64 / last).cos());
        let peak = likelihood.exactly_at(middle);
        let values = points.map(|point| likelihood.exactly_at(middle + half * point) - peak);
        Some(Self {
            middle,
            half,
            points,
            values,
            peak,
        })
    }

    /// ℓ at x; `None` outside.
    fn at(&self, x: f64) -> Option<f64> {
        let t = (x - self.middle) / self.half;
        if t.abs() > 1.0 {
            return None;
        }
        let (mut above, mut below) = (0.0, 0.0);
        for (at, (point, value)) in self.points.iter().zip(&self.values).enumerate() {
            let distance = t - point;
            if distance == 0.0 {
                return Some(self.peak + value);
            }
            let sign = if at % 2 == 0 { 1.0 } else { -1.0 };
            let end = at == 0 || at + 1 == POINTS;
            let weight = if end { 0.5 * sign } else { sign } / distance;
            above += weight * value;
            below += weight;
        }
        Some(self.peak + above / below)
    }
}

/// ln E against rate ratios of at most `r0`: a half-normal mixture of width `tau` over
/// ln(r/r0) ≥ 0. Roll back at ln E ≥ ln(G/α) with G guardrails. It holds for the whole composite
/// null because each likelihood ratio is monotone in it.
pub fn ln_e_one_sided(stages: &[EventStage], r0: f64, tau: f64) -> f64 {
    one_sided(&Likelihood::new(stages), r0, tau)
}

/// [`ln_e_one_sided`] and [`rate_ratio`] of the same events, for less than both.
pub fn one_sided_and_ratio(
    stages: &[EventStage],
    r0: f64,
    alpha: f64,
    tau: f64,
) -> (f64, Interval) {
    let likelihood = Likelihood::new(stages);
    (
        one_sided(&likelihood, r0, tau),
        ratio(&likelihood, alpha, tau),
    )
}

fn one_sided(likelihood: &Likelihood, r0: f64, tau: f64) -> f64 {
    if likelihood.stages.is_empty() {
        return 0.0;
    }
    let base = r0.ln();
    let ln_prior = 0.5 * (2.0 / (PI * tau * tau)).ln();
    likelihood.ln_mixture(base, 0.0, tau, ln_prior) - likelihood.at(base)
}

/// ln E against a rate ratio of exactly `r0`, two-sided.
pub fn ln_e_two_sided(stages: &[EventStage], r0: f64, tau: f64) -> f64 {
    let likelihood = Likelihood::new(stages);
    if likelihood.stages.is_empty() {
        return 0.0;
    }
    likelihood.ln_normal_mixture(tau) - likelihood.at(r0.ln())
}

/// The confidence sequence of the rate ratio: {r: ln m − ℓ(r) < ln(1/α)}, an interval because ℓ is
/// concave in ln r. Without an event of the candidate its lower end is 0, without one of the
/// control its upper end is infinite.
pub fn rate_ratio(stages: &[EventStage], alpha: f64, tau: f64) -> Interval {
    ratio(&Likelihood::new(stages), alpha, tau)
}

fn ratio(likelihood: &Likelihood, alpha: f64, tau: f64) -> Interval {
    let treated: f64 = likelihood.stages.iter().map(|stage| stage.treated).sum();
    let events: f64 = likelihood.stages.iter().map(|stage| stage.events).sum();
    let control = events - treated;
    if events == 0.0 {
        return Interval {
            lower: 0.0,
            upper: f64::INFINITY,
        };
    }
    let threshold = likelihood.ln_normal_mixture(tau) + alpha.ln();
    let above = |x: f64| likelihood.at(x) - threshold;
    // Some point of the interval: the most likely ratio, or far enough on the side of an arm that
    // alone has events.
    let (start, step) = if treated > 0.0 && control > 0.0 {
        let peak = peak_of_concave(f64::NEG_INFINITY, &|x| likelihood.derivatives(x));
        let curvature = likelihood.derivatives(peak).1;
        (peak, (2.0 * (above(peak)).max(1e-3) / curvature).sqrt())
    } else {
        let direction = if control == 0.0 { 1.0 } else { -1.0 };
        let mut x = 0.0;
        while above(x) <= 0.0 {
            x = 2.0 * x + direction;
        }
        (x, 1.0)
    };
    let end = |direction: f64| {
        let (mut inside, mut width) = (start, step);
        while above(start + direction * width) > 0.0 {
            inside = start + direction * width;
            width *= 1.5;
        }
        root(inside, start + direction * width, above).exp()
    };
    Interval {
        lower: if treated == 0.0 { 0.0 } else { end(-1.0) },
        upper: if control == 0.0 {
            f64::INFINITY
        } else {
            end(1.0)
        },
    }
}

/// ln of the Dirichlet-mixture e-value that counts fall into cells with the probabilities
/// `theta`: Σ[lnΓ(kθ+n) − lnΓ(kθ)] − [lnΓ(k+n) − lnΓ(k)] − Σ n ln θ, with concentration k. Cells
/// are taken out one after the other, so that only logarithms of beta functions are needed, which
/// keep their digits at large counts.
pub fn ln_e_multinomial(counts: &[f64], theta: &[f64], k: f64) -> f64 {
    let (mut rest_count, mut rest_theta) = (counts.iter().sum::<f64>(), 1.0);
    let mut ln_e = 0.0;
    for (index, (&n, &t)) in counts.iter().zip(theta).enumerate() {
        if index + 1 < counts.len() {
            let (others, other_theta) = (rest_count - n, rest_theta - t);
            ln_e += ln_beta(k * t + n, k * other_theta + others) - ln_beta(k * t, k * other_theta);
            (rest_count, rest_theta) = (others, other_theta);
        }
        if n > 0.0 {
            ln_e -= n * t.ln();
        }
    }
    ln_e
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_likelihood() {
        let stage = |at: u32| EventStage {
            share: 0.01 + 0.017 * f64::from(at),
            treated: f64::from(3 + 5 * at % 17),
            control: f64::from(20 + 7 * at % 31),
        };
        let stages: Vec<EventStage> = (0..50).map(stage).collect();
        let likelihood = Likelihood::new(&stages);
        let table = likelihood.table.as_ref().unwrap();
        for step in -100..=100 {
            let x = table.middle + table.half * f64::from(step) / 100.0;
            let (got, want) = (table.at(x).unwrap(), likelihood.exactly_at(x));
            assert!((got - want).abs() < 1e-9, "{x}: {got} is not {want}");
        }
        assert_eq!(table.at(table.middle + 1.01 * table.half), None);
    }
}
