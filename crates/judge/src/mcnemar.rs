//! Two versions on the same requests: which is right more often?
//!
//! Only the pairs in which one is right and the other is wrong say anything. If both are equally good, each of these is a
//! coin: the count of those that one of them wins is binomial with 1/2 (Q. McNemar, Psychometrika 12, 1947). The test is
//! exact, and doubles the smaller tail. It is for one look: whoever looks often and stops at will is misled by it.

use crate::Interval;
use crate::special::{critical_z, ln_gamma};

/// Pairs of answers to the same requests, of which it is known what was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pairs {
    /// Both are right.
    pub both: u64,
    /// The first one alone is right.
    pub first: u64,
    /// The second one alone is right.
    pub second: u64,
    /// Neither is.
    pub neither: u64,
}

impl Pairs {
    /// How many they are.
    pub fn count(&self) -> u64 {
        self.both + self.first + self.second + self.neither
    }

    /// How much more often the second one is right, as a share of all pairs; `None` without pairs.
    pub fn difference(&self) -> Option<f64> {
        let n = self.count();
        (n > 0).then(|| (self.second as f64 - self.first as f64) / n as f64)
    }

    /// The p-value of both being right equally often: 2 P(X ≤ min(b, c)), X binomial(b + c, 1/2), at most 1.
    pub fn p_value(&self) -> f64 {
        let n = self.first + self.second;
        let fewer = self.first.min(self.second);
        let ln_choose = |k: u64| {
            ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0)
        };
        let ln_half = n as f64 * 0.5f64.ln();
        // Terms fall off fast below the mean: those that are too small to count end the sum.
        let mut tail = 0.0;
        for k in (0..=fewer).rev() {
            let term = (ln_choose(k) + ln_half).exp();
            tail += term;
            if term < tail * 1e-17 {
                break;
            }
        }
        (2.0 * tail).min(1.0)
    }

    /// An interval for the difference (A. Wald's for paired shares, with half a pair added to each kind that decides:
    /// A. Agresti and Y. Min, Statistics in Medicine 24, 2005).
    pub fn interval(&self, alpha: f64) -> Option<Interval> {
        if self.count() == 0 {
            return None;
        }
        let (first, second) = (self.first as f64 + 0.5, self.second as f64 + 0.5);
        let n = self.count() as f64 + 2.0;
        let difference = (second - first) / n;
        let variance = ((first + second) - (second - first).powi(2) / n) / (n * n);
        let z = critical_z(alpha, 2.0);
        let half = z * variance.max(0.0).sqrt();
        Some(Interval {
            lower: (difference - half).max(-1.0),
            upper: (difference + half).min(1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(both: u64, first: u64, second: u64, neither: u64) -> Pairs {
        Pairs {
            both,
            first,
            second,
            neither,
        }
    }

    /// By hand: sums of binomial coefficients over powers of two.
    #[test]
    fn p_values_are_those_of_coins() {
        for (first, second, want) in [
            (0, 0, 1.0),
            (0, 1, 1.0),
            (0, 5, 2.0 / 32.0),
            (1, 5, 2.0 * 7.0 / 64.0),
            (2, 8, 2.0 * 56.0 / 1024.0),
            (10, 10, 1.0),
        ] {
            let got = pairs(7, first, second, 9).p_value();
            assert!((got - want).abs() < 1e-12, "{first} {second}: {got}");
            assert_eq!(got, pairs(0, second, first, 0).p_value());
        }
        // McNemar's own kind of example: 59 against 6 among thousands.
        let p = pairs(1000, 6, 59, 1000).p_value();
        assert!(p < 1e-11 && p > 0.0, "{p}");
        assert!(pairs(0, 400_000, 600_000, 0).p_value() < 1e-300);
    }

    #[test]
    fn intervals_are_around_the_difference() {
        let one = pairs(500, 40, 80, 380);
        assert_eq!(one.difference(), Some(0.04));
        let interval = one.interval(0.05).unwrap();
        assert!(
            interval.lower > 0.018 && interval.upper < 0.062,
            "{interval:?}"
        );
        assert!(interval.lower < 0.04 && interval.upper > 0.04);
        // Nothing decided is not certainty.
        let none = pairs(10, 0, 0, 0).interval(0.05).unwrap();
        assert!(none.lower < -0.1 && none.upper > 0.1, "{none:?}");
        assert_eq!(pairs(0, 0, 0, 0).interval(0.05), None);
    }
}
