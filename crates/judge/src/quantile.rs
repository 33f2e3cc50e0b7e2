//! Differences of latency quantiles: to be shown. Decide on "latency over the objective" as an
//! event instead (see [`crate::events`]).

use crate::bounded::{bernoulli_concentration, ln_bernoulli_mixture};
use crate::sample::Sample;
use crate::special::{bisect, critical_z};

/// The ranks of the order statistics around a quantile: n(ν ± z√(ν(1 − ν)/n)).
pub fn rank_bounds(n: f64, nu: f64, alpha: f64) -> (f64, f64) {
    let half = critical_z(alpha, 2.0) * (nu * (1.0 - nu) * n).sqrt();
    (n * nu - half, n * nu + half)
}

/// n must exceed this for the upper rank to exist: z²ν/(1 − ν).
pub fn min_n(nu: f64, alpha: f64) -> f64 {
    critical_z(alpha, 2.0).powi(2) * nu / (1.0 - nu)
}

/// A sample quantile with the values at [`rank_bounds`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// Observations.
    pub n: f64,
    /// The sample quantile.
    pub value: f64,
    /// The value at the lower rank.
    pub lower: f64,
    /// The value at the upper rank.
    pub upper: f64,
}

impl Quantile {
    /// As a sample for Welch's test. The variance of the quantile itself is ((Y_U − Y_L)/(2z))²
    /// (Deng, Knoblich and Lu, KDD 2018). When observations come in clusters (users), multiply it by
    /// the ratio of clustered to independent variance. `None` at or below [`min_n`].
    pub fn sample(&self, nu: f64, alpha: f64) -> Option<Sample> {
        let deviation = (self.upper - self.lower) / (2.0 * critical_z(alpha, 2.0));
        (self.n > min_n(nu, alpha)).then_some(Sample {
            n: self.n,
            mean: self.value,
            variance: deviation * deviation * self.n,
        })
    }

    /// The same with the factor (n − 1)/n that gbstats applies.
    pub fn sample_with_correction(&self, nu: f64, alpha: f64) -> Option<Sample> {
        let sample = self.sample(nu, alpha)?;
        Some(Sample {
            variance: sample.variance * (self.n - 1.0) / self.n,
            ..sample
        })
    }
}

/// Shape of [`double_stitching_bound`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stitching {
    /// Observations at which the bound begins.
    pub t_opt: f64,
    /// Fineness of the grid of quantiles.
    pub delta: f64,
    /// How the error is shared over epochs.
    pub s: f64,
    /// Spacing of the epochs.
    pub eta: f64,
}

impl Stitching {
    /// The usual shape.
    pub fn from(t_opt: f64) -> Self {
        Self {
            t_opt,
            delta: 0.5,
            s: 1.4,
            eta: 2.0,
        }
    }
}

/// The bound on the count below a quantile that holds for all quantiles and times (Howard and
/// Ramdas, Bernoulli 28(3), 2022, theorem 3); on the scale of counts, so divide by t for a share.
pub fn double_stitching_bound(p: f64, t: f64, alpha: f64, shape: Stitching) -> f64 {
    let Stitching {
        t_opt: m,
        delta,
        s,
        eta,
    } = shape;
    let time = t.max(m);
    let logit = (p / (1.0 - p)).ln();
    let r = if p >= 0.5 {
        p
    } else {
        let shifted = logit + 2.0 * delta * (m * eta / time).sqrt();
        (1.0 / (1.0 + (-shifted).exp())).min(0.5)
    };
    let variance = r * (1.0 - r);
    let grid = (time / m).sqrt() * logit.abs() / (2.0 * delta) + 1.0;
    let zeta = zeta(s);
    let ell = s * (eta * time / m).ln().ln()
        + s * grid.ln()
        + (2.0 * zeta * (2.0 * zeta + 1.0) / (alpha * eta.ln().powf(s))).ln();
    let k1 = (eta.powf(0.25) + eta.powf(-0.25)) / 2f64.sqrt();
    let skew = 0.5 * (eta.sqrt() + 1.0) * (1.0 - 2.0 * p) / 3.0 * ell;
    delta * (eta * time * variance / m).sqrt()
        + (k1 * k1 * variance * time * ell + skew * skew).sqrt()
        + skew
}

/// Riemann's ζ(s) for s > 1, by Euler and Maclaurin.
fn zeta(s: f64) -> f64 {
    let n = 20.0f64;
    let head: f64 = (1..20).map(|k| f64::from(k).powf(-s)).sum();
    let tail = n.powf(1.0 - s) / (s - 1.0) + 0.5 * n.powf(-s);
    let first = s / 12.0 * n.powf(-s - 1.0);
    let second = s * (s + 1.0) * (s + 2.0) / 720.0 * n.powf(-s - 3.0);
    let third = s * (s + 1.0) * (s + 2.0) * (s + 3.0) * (s + 4.0) / 30_240.0 * n.powf(-s - 5.0);
    head + tail + first - second + third
}

/// C of [`empirical_process_bound`] for its leading constant A: the smallest for which theorem 2 of
/// Howard and Ramdas keeps the error at alpha.
pub fn empirical_process_constant(alpha: f64, a: f64) -> f64 {
    let error = |c: f64, eta: f64| {
        let gamma = 2.0 / eta * (a - (2.0 * (eta - 1.0) / c).sqrt()).powi(2);
        if gamma <= 1.0 {
            f64::INFINITY
        } else {
            4.0 * (-gamma * c).exp() * (1.0 + 1.0 / ((gamma - 1.0) * eta.ln()))
        }
    };
    let least = |c: f64| {
        let reachable = |eta: f64| (eta / 2.0).sqrt() + (2.0 * (eta - 1.0) / c).sqrt() < a;
        let (mut low, mut high) = (1.0, bisect(1.0, 2.0 * a * a, reachable));
        let ratio = 0.5 * (5f64.sqrt() - 1.0);
        for _ in 0..100 {
            let (x, y) = (high - ratio * (high - low), low + ratio * (high - low));
            if error(c, x) < error(c, y) {
                high = y;
            } else {
                low = x;
            }
        }
        error(c, 0.5 * (low + high))
    };
    bisect(0.1, 1000.0, |c| least(c) > alpha)
}

/// How far the empirical distribution function strays from the true one, at all points and all
/// times from `t_min`: A√((ln(1 + ln(t/t_min)) + C)/t), A = 0.85 (theorem 2 there). Infinite before.
pub fn empirical_process_bound(t: f64, alpha: f64, t_min: f64, a: f64) -> f64 {
    if t < t_min {
        return f64::INFINITY;
    }
    let c = empirical_process_constant(alpha, a);
    a * (((t / t_min).ln().ln_1p() + c) / t).sqrt()
}

/// The always-valid p-value of equal quantiles in two arms (theorem 5 there): min(1, exp(−min_x
/// [G_a(x) + G_b(x)])), where G(x) is the logarithm of the beta-binomial mixture at the share of the
/// arm below x. Needs all values; both must be sorted.
pub fn p_value_of_two_samples(a: &[f64], b: &[f64], nu: f64, t_opt: f64) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    let (a, b) = (Arm::new(a, nu, t_opt), Arm::new(b, nu, t_opt));
    let points = [&a, &b].into_iter().flat_map(|arm| {
        let inner = arm.values.iter().copied();
        inner.chain([arm.lower, arm.upper])
    });
    // G rises away from an arm's own quantile, so the least sum lies between the two quantiles.
    let (low, high) = (a.lower.min(b.lower), a.upper.max(b.upper));
    let sums = points
        .filter(|x| (low..=high).contains(x))
        .map(|x| a.g(x) + b.g(x));
    let least = sums.fold(f64::INFINITY, f64::min);
    (-least).exp().min(1.0)
}

struct Arm<'a> {
    values: &'a [f64],
    nu: f64,
    k: f64,
    /// The count at which the mixture is smallest.
    minimiser: f64,
    /// The order statistics around it.
    lower: f64,
    upper: f64,
}

impl<'a> Arm<'a> {
    fn new(values: &'a [f64], nu: f64, t_opt: f64) -> Self {
        let k = bernoulli_concentration(t_opt);
        let n = values.len() as f64;
        let f = |x: f64| ln_bernoulli_mixture(x, n, nu, k);
        let ratio = 0.5 * (5f64.sqrt() - 1.0);
        let (mut low, mut high) = (0.0, n);
        for _ in 0..100 {
            let (x, y) = (high - ratio * (high - low), low + ratio * (high - low));
            if f(x) < f(y) {
                high = y;
            } else {
                low = x;
            }
        }
        let minimiser = 0.5 * (low + high);
        let at = |rank: f64| values[(rank.max(1.0) as usize - 1).min(values.len() - 1)];
        Self {
            values,
            nu,
            k,
            minimiser,
            lower: at(minimiser.ceil()),
            upper: at(minimiser.floor() + 1.0),
        }
    }

    fn g(&self, x: f64) -> f64 {
        let count = if x < self.lower {
            self.values.partition_point(|v| *v <= x) as f64
        } else if x > self.upper {
            self.values.partition_point(|v| *v < x) as f64
        } else {
            self.minimiser
        };
        ln_bernoulli_mixture(count, self.values.len() as f64, self.nu, self.k)
    }
}
