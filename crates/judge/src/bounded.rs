//! Confidence sequences for one mean of outcomes in [0, 1]: exact at every look, under any adaptive
//! allocation. For ceilings ("fewer than 1 % errors") and bounded scores.
//!
//! The Bernoulli form needs sums only. The others follow the order of the data, so they are for
//! reports over rows. Waudby-Smith and Ramdas, J. R. Stat. Soc. B 86, 2024 (arXiv 2010.09686);
//! Howard, Ramdas, McAuliffe and Sekhon, Annals of Statistics 49(2), 2021.

use crate::sample::Interval;
use crate::special::{bisect, ln_beta, root};

/// The concentration k of the beta-binomial mixture that is tightest near `t_opt` observations,
/// for an alpha of 0.05.
pub fn bernoulli_concentration(t_opt: f64) -> f64 {
    let a = 2.0 * (1.0f64 / 0.05).ln();
    (t_opt / (a + a.ln_1p()) - 1.0).max(1e-3)
}

/// ln of the beta-binomial mixture martingale at the mean p after x successes in n trials:
/// ln B(kp + x, k(1 − p) + n − x) − ln B(kp, k(1 − p)) − x ln p − (n − x) ln(1 − p).
pub fn ln_bernoulli_mixture(successes: f64, n: f64, p: f64, k: f64) -> f64 {
    let failures = n - successes;
    let (a, b) = (k * p, k * (1.0 - p));
    let power = |count: f64, base: f64| if count > 0.0 { count * base.ln() } else { 0.0 };
    ln_beta(a + successes, b + failures)
        - ln_beta(a, b)
        - power(successes, p)
        - power(failures, 1.0 - p)
}

/// The confidence sequence of a proportion: {p: mixture < 1/α}. Without a success its lower end
/// is 0, without a failure its upper end is 1; without a trial it is [0, 1].
pub fn bernoulli(successes: f64, n: f64, alpha: f64, t_opt: f64) -> Interval {
    let k = bernoulli_concentration(t_opt);
    let (share, threshold) = (successes / n, -alpha.ln());
    let f = |p: f64| ln_bernoulli_mixture(successes, n, p, k) - threshold;
    let tiny = f64::MIN_POSITIVE;
    let one = 1.0 - f64::EPSILON / 2.0;
    let outside = |p: f64| f(p) > 0.0;
    Interval {
        lower: if successes > 0.0 && outside(tiny) {
            root(tiny, share.min(one), f)
        } else {
            0.0
        },
        upper: if successes < n && outside(one) {
            root(share.max(tiny), one, f)
        } else {
            1.0
        },
    }
}

/// Running estimates for a bet: λ_t = √(2 ln(2/α)/(σ̂²_{t−1} t ln(1 + t))), with
/// μ̂_t = (½ + Σx)/(t + 1), σ̂²_t = (¼ + Σ(x_i − μ̂_i)²)/(t + 1) and σ̂²_0 = ¼.
struct Bets {
    numerator: f64,
    t: f64,
    sum: f64,
    squares: f64,
}

impl Bets {
    fn new(alpha: f64) -> Self {
        Self {
            numerator: 2.0 * (2.0 / alpha).ln(),
            t: 0.0,
            sum: 0.0,
            squares: 0.0,
        }
    }

    /// The bet on the next observation, which is made before it is seen.
    fn next(&mut self, x: f64) -> f64 {
        let variance = (0.25 + self.squares) / (self.t + 1.0);
        self.t += 1.0;
        let bet = (self.numerator / (variance * self.t * self.t.ln_1p())).sqrt();
        self.sum += x;
        let mean = (0.5 + self.sum) / (self.t + 1.0);
        self.squares += (x - mean) * (x - mean);
        bet
    }
}

/// The bets on each of the observations, not truncated.
pub fn bets(values: &[f64], alpha: f64) -> Vec<f64> {
    let mut bets = Bets::new(alpha);
    values.iter().map(|&x| bets.next(x)).collect()
}

/// ln of the hedged capital at the mean m:
/// K(m) = max{½ Π(1 + λ⁺(x − m)), ½ Π(1 − λ⁻(x − m))}, each side betting at α/2, λ⁺ truncated at
/// ½/m and λ⁻ at ½/(1 − m).
pub fn ln_hedged_capital(values: &[f64], m: f64, alpha: f64) -> f64 {
    ln_capital(values, &bets(values, alpha), m)
}

fn ln_capital(values: &[f64], bets: &[f64], m: f64) -> f64 {
    let (mut above, mut below) = (0.0, 0.0);
    for (&x, &bet) in values.iter().zip(bets) {
        above += (bet.min(0.5 / m) * (x - m)).ln_1p();
        below += (-bet.min(0.5 / (1.0 - m)) * (x - m)).ln_1p();
    }
    above.max(below) - 2f64.ln()
}

/// The hedged-capital confidence sequence at the last look: {m: K(m) < 1/α}, not asymptotic. K is
/// quasi-convex in m, so both ends are found by bisection.
pub fn hedged(values: &[f64], alpha: f64) -> Interval {
    let bets = bets(values, alpha);
    let threshold = -alpha.ln();
    let inside = |m: f64| ln_capital(values, &bets, m) < threshold;
    // The smallest capital is near the mean of the plug-in estimates; search around it.
    let mean = (0.5 + values.iter().sum::<f64>()) / (values.len() as f64 + 1.0);
    let center = lowest(mean, |m| ln_capital(values, &bets, m));
    let end = |edge: f64| {
        if inside(edge) {
            edge.round()
        } else {
            bisect(center, edge, inside)
        }
    };
    Interval {
        lower: end(1e-12),
        upper: end(1.0 - 1e-12),
    }
}

/// The minimum of a quasi-convex function on (0, 1), by golden sections.
fn lowest(start: f64, f: impl Fn(f64) -> f64) -> f64 {
    let ratio = 0.5 * (5f64.sqrt() - 1.0);
    let (mut low, mut high) = (1e-12, 1.0 - 1e-12);
    let mut best = (f(start), start);
    for _ in 0..80 {
        let (x, y) = (high - ratio * (high - low), low + ratio * (high - low));
        let (fx, fy) = (f(x), f(y));
        for candidate in [(fx, x), (fy, y)] {
            if candidate.0 < best.0 {
                best = candidate;
            }
        }
        if fx < fy {
            high = y;
        } else {
            low = x;
        }
    }
    best.1
}

/// The hedged capital at one mean, observation by observation.
pub struct HedgedCapital {
    bets: Bets,
    m: f64,
    above: f64,
    below: f64,
}

impl HedgedCapital {
    /// For the mean `m` in (0, 1).
    pub fn new(m: f64, alpha: f64) -> Self {
        Self {
            bets: Bets::new(alpha),
            m,
            above: 0.0,
            below: 0.0,
        }
    }

    /// Takes an observation in [0, 1], and gives ln K as [`ln_hedged_capital`] does.
    pub fn push(&mut self, x: f64) -> f64 {
        let (bet, m) = (self.bets.next(x), self.m);
        self.above += (bet.min(0.5 / m) * (x - m)).ln_1p();
        self.below += (-bet.min(0.5 / (1.0 - m)) * (x - m)).ln_1p();
        self.above.max(self.below) - 2f64.ln()
    }
}

/// The predictable-mixture empirical-Bernstein sequence, observation by observation, with O(1) state:
/// lower = [Σλx − ln(2/α) − Σ(x − μ̂_{i−1})² ψ(λ)]/Σλ with ψ(λ) = −ln(1 − λ) − λ, λ truncated at ½ and
/// μ̂ the running mean that begins at 0; upper = 1 − the same of 1 − x. Clipped to [0, 1].
pub struct EmpiricalBernstein {
    ln: f64,
    sides: [BernsteinSide; 2],
}

struct BernsteinSide {
    bets: Bets,
    weights: f64,
    gain: f64,
    loss: f64,
    sum: f64,
    n: f64,
}

impl BernsteinSide {
    fn push(&mut self, x: f64) {
        let bet = self.bets.next(x).min(0.5);
        let mean = if self.n > 0.0 { self.sum / self.n } else { 0.0 };
        self.weights += bet;
        self.gain += bet * x;
        self.loss += (x - mean) * (x - mean) * (-(-bet).ln_1p() - bet);
        self.sum += x;
        self.n += 1.0;
    }
}

impl EmpiricalBernstein {
    /// Before any observation.
    pub fn new(alpha: f64) -> Self {
        let side = || BernsteinSide {
            bets: Bets::new(alpha),
            weights: 0.0,
            gain: 0.0,
            loss: 0.0,
            sum: 0.0,
            n: 0.0,
        };
        Self {
            ln: (2.0 / alpha).ln(),
            sides: [side(), side()],
        }
    }

    /// Takes an observation in [0, 1].
    pub fn push(&mut self, x: f64) {
        self.sides[0].push(x);
        self.sides[1].push(1.0 - x);
    }

    /// The sequence at this look.
    pub fn interval(&self) -> Interval {
        let lower = |side: &BernsteinSide| {
            if side.n > 0.0 {
                ((side.gain - self.ln - side.loss) / side.weights).max(0.0)
            } else {
                0.0
            }
        };
        Interval {
            lower: lower(&self.sides[0]),
            upper: 1.0 - lower(&self.sides[1]),
        }
    }
}

/// [`EmpiricalBernstein`] after all of the observations.
pub fn empirical_bernstein(values: &[f64], alpha: f64) -> Interval {
    let mut sequence = EmpiricalBernstein::new(alpha);
    values.iter().for_each(|&x| sequence.push(x));
    sequence.interval()
}

/// The predictable-mixture Hoeffding sequence: ψ = λ²/8 in place of (x − μ̂)² ψ, with
/// λ_t = min(1, √(8 ln(2/α)/(t ln(1 + t)))).
pub fn hoeffding(values: &[f64], alpha: f64) -> Interval {
    let ln = (2.0 / alpha).ln();
    let lower = |values: &mut dyn Iterator<Item = f64>| {
        let (mut weights, mut gain, mut loss, mut t) = (0.0, 0.0, 0.0, 0.0f64);
        for x in values {
            t += 1.0;
            let bet = (8.0 * ln / (t * t.ln_1p())).sqrt().min(1.0);
            weights += bet;
            gain += bet * x;
            loss += bet * bet / 8.0;
        }
        if t > 0.0 {
            ((gain - ln - loss) / weights).max(0.0)
        } else {
            0.0
        }
    };
    Interval {
        lower: lower(&mut values.iter().copied()),
        upper: 1.0 - lower(&mut values.iter().map(|x| 1.0 - x)),
    }
}
