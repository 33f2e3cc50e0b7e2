//! What a fixed experiment may claim of a difference, and the interval that goes with it.
//!
//! E = ¼(R₊ + R₋) + ½A: a quarter each on the two directions of [`crate::betting`], which hold for any outcomes, and half
//! on the asymptotic sequence of [`crate::asymptotic`] on the same capped values, which is sharper on common outcomes and
//! counts only once both arms are large for how skewed they are. A mean of e-values is an e-value.
//!
//! The interval has every difference θ that the same kinds of evidence do not exclude. For a difference other than 0 the
//! bets are those of Fan, Grama and Liu (Electronic Journal of Probability 20, 2015), which need sums only. It is about
//! the mean effect so far, and is never intersected over time.

use crate::sample::Interval;
use crate::special::{bisect, root};
use evidence::betting::{BETS, SIZES, Winnings};

/// ln of the mean of the parts of a claim: half on `ln_asymptotic`, a quarter on each direction.
fn ln_mean(ln_more: f64, ln_less: f64, ln_asymptotic: f64) -> f64 {
    let top = ln_more.max(ln_less).max(ln_asymptotic);
    let of = |ln: f64| (ln - top).exp();
    top + (0.25 * (of(ln_more) + of(ln_less)) + 0.5 * of(ln_asymptotic)).ln()
}

/// ln E that the arms differ, from what bets in both directions have won; `ln_asymptotic` is 0 where it does not count.
pub fn ln_e(more: &Winnings, less: &Winnings, ln_asymptotic: f64) -> f64 {
    ln_mean(more.ln_e(), less.ln_e(), ln_asymptotic)
}

/// An arm, for the question whether asymptotic evidence counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Its units.
    pub n: f64,
    /// The variance of their values.
    pub variance: f64,
    /// The skewness of their values.
    pub skewness: f64,
}

/// Whether means of these arms are nearly normal: at least 100 units, 50 times the larger squared skewness, and values
/// that differ.
pub fn is_asymptotic(control: Shape, candidate: Shape) -> bool {
    let squared = |arm: Shape| arm.skewness * arm.skewness;
    let smaller = control.n.min(candidate.n);
    // What is not a number is not enough.
    let enough =
        |arm: Shape| smaller >= 50.0 * squared(arm) && arm.n >= 100.0 && arm.variance > 0.0;
    enough(control) && enough(candidate)
}

/// The units of an epoch as sums, all with one probability to be the candidate's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochSums {
    /// The probability e that a unit is the candidate's, in (0, 1).
    pub share: f64,
    /// The least and the greatest centre m of a unit: the centre of the scale, where it has no line.
    pub centres: (f64, f64),
    /// The width of the scale in the unit that differences are in: 1 where that is the scale's own.
    pub width: f64,
    /// Units of both arms.
    pub n: f64,
    /// ΣX, with X = (1 − e)(g − m) for a unit of the candidate and −e(g − m) for one of the control; m is the unit's own centre.
    pub sum: f64,
    /// ΣX².
    pub sum_squares: f64,
}

impl EpochSums {
    /// Of a binary metric: events and units of the control, and of the candidate.
    pub fn of_counts(share: f64, centre: f64, control: (f64, f64), candidate: (f64, f64)) -> Self {
        let mut sums = Self {
            share,
            centres: (centre, centre),
            width: 1.0,
            n: control.1 + candidate.1,
            sum: 0.0,
            sum_squares: 0.0,
        };
        for (weight, (events, units)) in [(-share, control), (1.0 - share, candidate)] {
            for (g, count) in [(1.0, events), (0.0, units - events)] {
                let x = weight * (g - centre);
                sums.sum += count * x;
                sums.sum_squares += count * x * x;
            }
        }
        sums
    }

    /// The variance of the coin: what a difference of 1 adds to the mean of X.
    fn variance(&self) -> f64 {
        self.share * (1.0 - self.share)
    }

    /// Adds what each bet wins that the difference is above θ, or below it: for each power of θ its factor.
    fn bet(&self, above: bool, bets: &mut Polynomials) {
        let (e, v) = (self.share, self.variance());
        let (low, high) = self.centres;
        let (sign, bound) = if above {
            (1.0, f64::max((1.0 - e) * high, e * (1.0 - low)) + v)
        } else {
            (-1.0, f64::max((1.0 - e) * (1.0 - low), e * high) + v)
        };
        // With a mean of μ = vθ/width: Σ ±(X − μ)/bound and Σ (X − μ)²/bound².
        let mean = v / self.width;
        let sum = [self.sum, -self.n * mean].map(|factor| sign * factor / bound);
        let squares = [
            self.sum_squares,
            -2.0 * mean * self.sum,
            self.n * mean * mean,
        ];
        let squares = squares.map(|factor| factor / (bound * bound));
        for (bet, rho) in bets.iter_mut().zip(SIZES) {
            let lambda = rho * bound / (1.0 + rho * bound);
            let cost = (-lambda).ln_1p() + lambda;
            bet[0] += lambda * sum[0] + cost * squares[0];
            bet[1] += lambda * sum[1] + cost * squares[1];
            bet[2] += cost * squares[2];
        }
    }
}

/// What each bet has won, in ln, as a polynomial of the difference θ that it is about: of degree 2, because sums and sums
/// of squares about a mean are.
type Polynomials = [[f64; 3]; BETS];

/// What bets win on any difference, worked out once for all epochs.
#[derive(Debug, Clone)]
pub struct Beside {
    above: Polynomials,
    below: Polynomials,
}

impl Beside {
    /// Of the units of all epochs.
    pub fn of(epochs: &[EpochSums]) -> Self {
        let of = |above| {
            let mut bets = [[0.0; 3]; BETS];
            for epoch in epochs {
                epoch.bet(above, &mut bets);
            }
            bets
        };
        Self {
            above: of(true),
            below: of(false),
        }
    }

    /// ln of the evidence that the difference is above θ, and that it is below it.
    pub fn ln_e(&self, theta: f64) -> (f64, f64) {
        let of = |bets: &Polynomials| {
            let ln = bets.map(|[constant, once, twice]| constant + theta * (once + theta * twice));
            Winnings::from_logs(ln).ln_e()
        };
        (of(&self.above), of(&self.below))
    }

    /// ln of the evidence against a difference of θ; `ln_asymptotic` is 0 where it does not count.
    pub fn ln_e_against(&self, theta: f64, ln_asymptotic: f64) -> f64 {
        let (above, below) = self.ln_e(theta);
        ln_mean(above, below, ln_asymptotic)
    }
}

/// The difference that the sums say, in their unit; 0 without units.
pub fn estimate(epochs: &[EpochSums]) -> f64 {
    let sum: f64 = epochs.iter().map(|epoch| epoch.sum * epoch.width).sum();
    let weight: f64 = epochs.iter().map(|epoch| epoch.n * epoch.variance()).sum();
    let widest = widest(epochs);
    if weight > 0.0 {
        (sum / weight).clamp(-widest, widest)
    } else {
        0.0
    }
}

fn widest(epochs: &[EpochSums]) -> f64 {
    let widths = epochs.iter().map(|epoch| epoch.width);
    widths.reduce(f64::max).unwrap_or(1.0)
}

/// So many differences between two estimates are looked at for one that is not excluded.
const BETWEEN: u32 = 64;

/// The differences of which the evidence, ln E against each, is below a line: from one end of the widest scale to the other,
/// around the one with the least evidence between two estimates. Bets and asymptotic evidence estimate in two ways, and
/// each may be excluded by the other. Without units it is everything. `None` where the evidence excludes all: no difference that is the
/// same in all epochs fits.
pub fn interval(
    epochs: &[EpochSums],
    other_estimate: f64,
    line: f64,
    ln_e: impl Fn(f64) -> f64,
) -> Option<Interval> {
    let (one, widest) = (estimate(epochs), widest(epochs));
    let between = |step: u32| one + (other_estimate - one) * f64::from(step) / f64::from(BETWEEN);
    let candidates = (0..=BETWEEN).map(|step| (between(step), ln_e(between(step))));
    let least = candidates.min_by(|a, b| a.1.total_cmp(&b.1));
    let (middle, _) = least.filter(|(_, ln_e)| *ln_e < line)?;
    let beyond = |difference: f64| ln_e(difference) - line;
    let end = |limit: f64| {
        let at_limit = beyond(limit);
        if at_limit < 0.0 {
            limit
        } else if at_limit.is_finite() {
            root(middle, limit, beyond)
        } else {
            bisect(middle, limit, |difference| beyond(difference) < 0.0)
        }
    };
    Some(Interval {
        lower: end(-widest),
        upper: end(widest),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asymptotics_wait_for_units_as_many_as_skewness_asks_for() {
        let arm = |n: f64, skewness: f64| Shape {
            n,
            variance: 1.0,
            skewness,
        };
        assert!(is_asymptotic(arm(100.0, 0.0), arm(100.0, 1.4)));
        assert!(!is_asymptotic(arm(99.0, 0.0), arm(100.0, 0.0)));
        // 1 % of buyers: a skewness near 10.
        assert!(!is_asymptotic(arm(4_999.0, 10.0), arm(90_000.0, 10.0)));
        assert!(is_asymptotic(arm(5_000.0, -10.0), arm(90_000.0, 10.0)));
        let same = Shape {
            variance: 0.0,
            ..arm(1e6, 0.0)
        };
        assert!(!is_asymptotic(same, arm(1e6, 0.0)));
        let unknown = arm(1e6, f64::NAN);
        assert!(!is_asymptotic(unknown, unknown));
    }

    #[test]
    fn the_interval_excludes_what_the_evidence_excludes_and_is_everything_without_units() {
        let line = 20f64.ln();
        let nothing = Beside::of(&[]);
        assert_eq!(
            interval(&[], 0.0, line, |theta| nothing.ln_e_against(theta, 0.0)),
            Some(Interval {
                lower: -1.0,
                upper: 1.0
            })
        );
        let young = EpochSums::of_counts(0.05, 0.1, (90.0, 950.0), (9.0, 50.0));
        let old = EpochSums::of_counts(0.5, 0.1, (500.0, 5_000.0), (800.0, 5_000.0));
        let epochs = [young, old];
        let beside = Beside::of(&epochs);
        let of = |theta: f64| beside.ln_e_against(theta, 0.0);
        let holds = |theta: f64| of(theta) < line;
        let found = interval(&epochs, estimate(&epochs), line, of).unwrap();
        assert!(found.lower > 0.0 && found.upper < 0.2, "{found:?}");
        assert!(!holds(found.lower - 1e-9) && holds(found.lower + 1e-9));
        assert!(!holds(found.upper + 1e-9) && holds(found.upper - 1e-9));
    }
}
