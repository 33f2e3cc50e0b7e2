//! Special functions, and integrals and roots of concave ones.
//!
//! `statrs` and `libm` give the functions; what is here joins them where their tails or large
//! arguments need another form.

use libm::{erfc, lgamma};
use statrs::function::{beta, erf, gamma};
use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};
use std::sync::LazyLock;

/// ln √(2π).
const LN_SQRT_2_PI: f64 = 0.918_938_533_204_672_8;

/// The density of the standard normal distribution.
pub(crate) fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x - LN_SQRT_2_PI).exp()
}

/// Φ(x), with a relative error near 1e-15 in both tails.
pub(crate) fn normal_cdf(x: f64) -> f64 {
    0.5 * erfc(-x * FRAC_1_SQRT_2)
}

/// ln Φ(x), also where Φ(x) is too small for a double.
pub(crate) fn ln_normal_cdf(x: f64) -> f64 {
    if x > -20.0 {
        return normal_cdf(x).ln();
    }
    // Φ(x) = φ(x)/|x| (1 − 1/x² + 3/x⁴ − 15/x⁶ + …): the first term left out is below 1e-13 here.
    let square = x * x;
    let terms = [1.0, -1.0, 3.0, -15.0, 105.0, -945.0, 10_395.0];
    let series = terms
        .iter()
        .rev()
        .fold(0.0, |sum, term| sum / square + term);
    -0.5 * square - LN_SQRT_2_PI - (-x).ln() + series.ln()
}

/// The quantile of the standard normal distribution: Φ⁻¹(p).
pub(crate) fn normal_quantile(p: f64) -> f64 {
    let x = -SQRT_2 * erf::erfc_inv(2.0 * p);
    // One step of Newton, to the last digits.
    x - (normal_cdf(x) - p) / normal_density(x)
}

/// The upper quantile z with P(|Z| > z) = alpha when `sides` is 2, P(Z > z) = alpha when it is 1.
pub(crate) fn critical_z(alpha: f64, sides: f64) -> f64 {
    -normal_quantile(alpha / sides)
}

/// P(|T| > t) of Student's distribution.
pub(crate) fn student_two_sided(t: f64, degrees: f64) -> f64 {
    beta::beta_reg(0.5 * degrees, 0.5, degrees / (degrees + t * t))
}

/// The t with P(|T| > t) = alpha.
pub(crate) fn student_critical(alpha: f64, degrees: f64) -> f64 {
    let z = critical_z(alpha, 2.0);
    if let Some(t) = student_near(z, alpha, degrees) {
        return t;
    }
    // Student's tails are heavier than the normal's, so the root is above z.
    let mut high = z.max(1.0);
    while student_two_sided(high, degrees) > alpha {
        high *= 2.0;
    }
    root(0.0, high, |t| student_two_sided(t, degrees) - alpha)
}

/// The same with many degrees, by a few steps of Newton from the first terms of its expansion about the normal quantile
/// (Abramowitz and Stegun 26.7.5). `None` where that does not come to rest.
fn student_near(z: f64, alpha: f64, degrees: f64) -> Option<f64> {
    if degrees < 20.0 {
        return None;
    }
    let square = z * z;
    let first = z * (square + 1.0) / 4.0;
    let second = z * (5.0 * square * square + 16.0 * square + 3.0) / 96.0;
    let mut t = z + first / degrees + second / (degrees * degrees);
    let ln_scale = ln_gamma(0.5 * (degrees + 1.0))
        - ln_gamma(0.5 * degrees)
        - 0.5 * (degrees * std::f64::consts::PI).ln();
    for _ in 0..4 {
        let ln_density = ln_scale - 0.5 * (degrees + 1.0) * (t * t / degrees).ln_1p();
        let step = (student_two_sided(t, degrees) - alpha) / (2.0 * ln_density.exp());
        t += step;
        if step.abs() <= 1e-13 * t.abs() {
            return Some(t);
        }
        // Newton doubles the digits: what is left after so small a step is less than is kept.
        if step.abs() <= 1e-8 * t.abs() {
            return (t.is_finite() && t > 0.0).then_some(t);
        }
    }
    None
}

/// P(X² > x) of the chi-square distribution.
pub(crate) fn chi_square_tail(x: f64, degrees: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    gamma::gamma_ur(0.5 * degrees, 0.5 * x)
}

/// ln Γ(x).
pub(crate) fn ln_gamma(x: f64) -> f64 {
    lgamma(x)
}

/// ln Γ(x) − ((x − ½) ln x − x + ln √(2π)), for x ≥ 10 (Abramowitz and Stegun 6.1.41).
fn stirling_rest(x: f64) -> f64 {
    let square = x * x;
    let terms = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
    ];
    terms
        .iter()
        .rev()
        .fold(0.0, |sum, term| sum / square + term)
        / x
}

/// ln B(a, b), also where ln Γ of the arguments would cancel to nothing (a and b up to 1e15).
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = (a.min(b), a.max(b));
    let sum = a + b;
    if small >= 10.0 {
        let rest = stirling_rest(small) + stirling_rest(large) - stirling_rest(sum);
        return -0.5 * large.ln()
            + LN_SQRT_2_PI
            + rest
            + (small - 0.5) * (small / sum).ln()
            + large * (-small / sum).ln_1p();
    }
    if large >= 10.0 {
        let rest = stirling_rest(large) - stirling_rest(sum);
        let by_large = small - small * sum.ln() + (large - 0.5) * (-small / sum).ln_1p();
        return ln_gamma(small) + rest + by_large;
    }
    ln_gamma(small) + ln_gamma(large) - ln_gamma(sum)
}

/// a ln m + b ln(1 − m) − ln B(a, b) at m = a/(a + b), for a and b of at least 10: Stirling's terms cancel
/// on paper, so that large arguments lose no digits.
pub(crate) fn ln_beta_peak(a: f64, b: f64) -> f64 {
    let (small, large) = (a.min(b), a.max(b));
    let sum = a + b;
    let rest = stirling_rest(small) + stirling_rest(large) - stirling_rest(sum);
    0.5 * (large.ln() + (small / sum).ln()) - LN_SQRT_2_PI - rest
}

/// A root of f between `a` and `b`, where its signs differ: Brent's method (1973, chapter 4), to the
/// last digits.
pub(crate) fn root(a: f64, b: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mut a, mut fa) = (a, f(a));
    let (mut b, mut fb) = (b, f(b));
    let (mut c, mut fc, mut step, mut last_step) = (a, fa, b - a, b - a);
    for _ in 0..200 {
        if fb * fc > 0.0 {
            (c, fc, step, last_step) = (a, fa, b - a, b - a);
        }
        if fc.abs() < fb.abs() {
            (a, fa) = (b, fb);
            (b, fb, c, fc) = (c, fc, a, fa);
        }
        let tolerance = 2.0 * f64::EPSILON * b.abs();
        let half = 0.5 * (c - b);
        if half.abs() <= tolerance || fb == 0.0 {
            break;
        }
        let bisected = if last_step.abs() < tolerance || fa.abs() <= fb.abs() {
            true
        } else {
            let s = fb / fa;
            let (mut p, mut q) = if a == c {
                (2.0 * half * s, 1.0 - s)
            } else {
                let (q, r) = (fa / fc, fb / fc);
                let p = s * (2.0 * half * q * (q - r) - (b - a) * (r - 1.0));
                (p, (q - 1.0) * (r - 1.0) * (s - 1.0))
            };
            if p > 0.0 {
                q = -q;
            }
            p = p.abs();
            let most = (3.0 * half * q - (tolerance * q).abs()).min((last_step * q).abs());
            if 2.0 * p < most {
                (last_step, step) = (step, p / q);
                false
            } else {
                true
            }
        };
        if bisected {
            (step, last_step) = (half, half);
        }
        (a, fa) = (b, fb);
        b += if step.abs() > tolerance {
            step
        } else {
            tolerance.copysign(half)
        };
        fb = f(b);
    }
    b
}

/// Where a condition that holds at `yes` and not at `no` changes, to the last digit.
pub(crate) fn bisect(yes: f64, no: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut yes, mut no) = (yes, no);
    for _ in 0..1100 {
        let middle = 0.5 * (yes + no);
        if middle == yes || middle == no {
            break;
        }
        if holds(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    0.5 * (yes + no)
}

/// Nodes of a Gauss–Legendre rule.
pub(crate) const NODES: usize = 16;

/// The rule of Gauss and Legendre with 16 nodes on [−1, 1].
pub(crate) struct GaussLegendre {
    /// Ascending.
    pub(crate) nodes: [f64; NODES],
    pub(crate) weights: [f64; NODES],
    /// Row i integrates from −1 to node i: exact for polynomials of degree 15.
    pub(crate) until: [[f64; NODES]; NODES],
}

/// The rule; made once.
pub(crate) static GAUSS_LEGENDRE: LazyLock<GaussLegendre> = LazyLock::new(GaussLegendre::new);

impl GaussLegendre {
    /// The roots of the Legendre polynomial by Newton, and their weights (Abramowitz and Stegun
    /// 25.4.29).
    fn new() -> Self {
        let n = NODES as f64;
        let (mut nodes, mut weights) = ([0.0; NODES], [0.0; NODES]);
        for index in 0..NODES {
            let mut x = -(PI * (index as f64 + 0.75) / (n + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..10 {
                let (mut before, mut value) = (1.0, x);
                for k in 2..=NODES {
                    let k = k as f64;
                    let next = ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k;
                    (before, value) = (value, next);
                }
                slope = n * (x * value - before) / (x * x - 1.0);
                x -= value / slope;
            }
            nodes[index] = x;
            weights[index] = 2.0 / ((1.0 - x * x) * slope * slope);
        }
        let mut until = [[0.0; NODES]; NODES];
        for (row, &end) in until.iter_mut().zip(&nodes) {
            let half = 0.5 * (end + 1.0);
            for (column, entry) in row.iter_mut().enumerate() {
                let at = |(node, weight): (&f64, &f64)| {
                    weight * lagrange(&nodes, column, half * (node + 1.0) - 1.0)
                };
                *entry = half * nodes.iter().zip(&weights).map(at).sum::<f64>();
            }
        }
        Self {
            nodes,
            weights,
            until,
        }
    }
}

/// The polynomial that is 1 at node `index` and 0 at the others.
fn lagrange(nodes: &[f64; NODES], index: usize, x: f64) -> f64 {
    let others = nodes.iter().enumerate().filter(|(at, _)| *at != index);
    others
        .map(|(_, node)| (x - node) / (nodes[index] - node))
        .product()
}

/// ∫ f from `low` to `high`, by 16 nodes on each of `panels` panels.
pub(crate) fn integrate(low: f64, high: f64, panels: u32, f: impl Fn(f64) -> f64) -> f64 {
    let rule = &*GAUSS_LEGENDRE;
    let half = 0.5 * (high - low) / f64::from(panels);
    let mut sum = 0.0;
    for panel in 0..panels {
        let middle = low + half * (2.0 * f64::from(panel) + 1.0);
        for (node, weight) in rule.nodes.iter().zip(&rule.weights) {
            sum += weight * f(middle + half * node);
        }
    }
    sum * half
}

/// Below its peak by so much, in natural logarithms, an integrand is nothing (e⁻⁴⁵ ≈ 3e-20).
const NEGLIGIBLE: f64 = 45.0;

/// ln ∫ exp(f) over x ≥ `low` (all of the line where it is −∞), for a strictly concave f;
/// `derivatives` gives f′ and −f″. The peak is found, bracketed where f has fallen by 45, and four
/// panels are laid there.
pub(crate) fn ln_integral_of_concave(
    low: f64,
    f: impl Fn(f64) -> f64,
    derivatives: impl Fn(f64) -> (f64, f64),
) -> f64 {
    let peak = if low.is_finite() && derivatives(low).0 <= 0.0 {
        low
    } else {
        peak_of_concave(low, &derivatives)
    };
    let top = f(peak);
    let (slope, curvature) = derivatives(peak);
    let falls = |x: f64| f(x) < top - NEGLIGIBLE;
    let edge = |direction: f64| {
        // Where a parabola with this slope and curvature has fallen: s w + c w²/2 = 45.
        let s = (direction * -slope).max(0.0);
        let guess = 2.0 * NEGLIGIBLE / (s + (s * s + 2.0 * curvature * NEGLIGIBLE).sqrt());
        let (mut inside, mut out) = (0.0, guess);
        while !falls(peak + direction * out) {
            (inside, out) = (out, 1.5 * out);
        }
        // A bracket needs no digits: a few halvings keep the nodes where the mass is.
        for _ in 0..4 {
            let middle = 0.5 * (out + inside);
            if falls(peak + direction * middle) {
                out = middle;
            } else {
                inside = middle;
            }
        }
        peak + direction * out
    };
    let left = if low.is_finite() && !falls(low) {
        low
    } else {
        edge(-1.0)
    };
    let right = edge(1.0);
    let side = |from: f64, to: f64, panels: u32| {
        if from < to {
            integrate(from, to, panels, |x| (f(x) - top).exp())
        } else {
            0.0
        }
    };
    let one_side = left == peak;
    let panels = if one_side { 4 } else { 2 };
    top + (side(left, peak, panels) + side(peak, right, panels)).ln()
}

/// Where the derivative of a strictly concave function is 0, which must be above `low`.
pub(crate) fn peak_of_concave(low: f64, derivatives: &impl Fn(f64) -> (f64, f64)) -> f64 {
    let start = if low.is_finite() { low } else { 0.0 };
    let (slope, curvature) = derivatives(start);
    if slope == 0.0 {
        return start;
    }
    let direction = slope.signum();
    let mut inside = start;
    let mut step = (slope.abs() / curvature).clamp(1e-6, 1.0);
    while derivatives(start + direction * step).0 * direction > 0.0 {
        inside = start + direction * step;
        step *= 2.0;
    }
    root(inside, start + direction * step, |x| derivatives(x).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64, tolerance: f64) {
        assert!(
            (got - want).abs() <= tolerance * want.abs(),
            "{got} is not {want}"
        );
    }

    #[test]
    fn tails_are_exact() {
        // scipy.special, and a continued fraction for the far tail.
        near(normal_quantile(0.975), 1.959_963_984_540_054, 1e-15);
        near(normal_cdf(-10.0), 7.619_853_024_160_526e-24, 1e-13);
        near(ln_normal_cdf(-50.0), -1_254.831_361_139_419_9, 1e-13);
        near(ln_normal_cdf(-20.000_001), ln_normal_cdf(-19.999_999), 1e-6);
        near(student_critical(0.05, 1.0), 12.706_204_736_174_7, 1e-12);
        // With very many degrees the tail itself has fewer digits.
        for (degrees, within) in [(20.0, 1e-11), (21.5, 1e-11), (12_345.0, 1e-10), (1e9, 1e-6)] {
            for alpha in [0.9, 0.5, 0.05, 1e-3, 1e-9] {
                let t = student_critical(alpha, degrees);
                near(student_two_sided(t, degrees) / alpha, 1.0, within);
            }
        }
    }

    #[test]
    fn beta_functions_agree_with_factorials() {
        near(ln_beta(3.0, 4.0), (1.0f64 / 60.0).ln(), 1e-14);
        near(ln_beta(1.0, 1e9), -(1e9f64.ln()), 1e-14);
        // B(a, 1) = 1/a on both sides of the change of formula.
        for a in [9.999, 10.001, 1e12] {
            near(ln_beta(a, 1.0), -f64::ln(a), 1e-13);
        }
        // 9! 9!/19!
        near(ln_beta(10.0, 10.0), (1.0f64 / 923_780.0).ln(), 1e-14);
    }

    #[test]
    fn sixteen_nodes_integrate_polynomials_exactly() {
        near(
            integrate(0.0, 2.0, 1, |x| x.powi(31)),
            2f64.powi(32) / 32.0,
            1e-13,
        );
    }
}
