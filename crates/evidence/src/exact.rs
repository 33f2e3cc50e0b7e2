//! Sums without rounding, so that what was added can be taken away again and nothing of it stays.
//!
//! A sum is kept as several floating numbers that do not overlap and whose exact sum it is: the expansions
//! of Shewchuk (Adaptive Precision Floating-Point Arithmetic, Discrete & Computational Geometry 18, 1997),
//! grown as in Python's `math.fsum`. Sums of whole numbers need one such number, sums of measurements two
//! or three. Products are split into two numbers by Dekker's method, which is exact too. Values are
//! bounded where they come in, so nothing overflows.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// An exact sum.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ExactSum {
    /// Without zeros, the largest last.
    parts: SmallVec<[f64; 2]>,
}

impl ExactSum {
    /// Adds a number.
    pub fn add(&mut self, number: f64) {
        let mut rest = number;
        let mut kept = 0;
        for at in 0..self.parts.len() {
            let (high, low) = two_sum(rest, self.parts[at]);
            if low != 0.0 {
                self.parts[kept] = low;
                kept += 1;
            }
            rest = high;
        }
        self.parts.truncate(kept);
        if rest != 0.0 {
            self.parts.push(rest);
        }
    }

    /// Adds a sum.
    pub fn add_sum(&mut self, other: &Self) {
        other.parts.iter().for_each(|part| self.add(*part));
    }

    /// Takes a sum away.
    pub fn subtract_sum(&mut self, other: &Self) {
        other.parts.iter().for_each(|part| self.add(-part));
    }

    /// Adds `factor` · `a` · `b`, where `factor` is a power of two.
    pub fn add_product(&mut self, a: &Self, b: &Self, factor: f64) {
        for x in &a.parts {
            for y in &b.parts {
                let (high, low) = two_product(*x, *y);
                self.add(factor * high);
                self.add(factor * low);
            }
        }
    }

    /// Adds `a` · n, where n is a whole number.
    pub fn add_multiple(&mut self, a: &Self, n: f64) {
        for x in &a.parts {
            let (high, low) = two_product(*x, n);
            self.add(high);
            self.add(low);
        }
    }

    /// The nearest floating number, to the last digit or the one beside it.
    pub fn value(&self) -> f64 {
        self.parts.iter().fold(0.0, |sum, part| sum + part)
    }

    /// Whether its value is all of it.
    pub fn is_plain(&self) -> bool {
        self.parts.len() <= 1
    }
}

impl From<f64> for ExactSum {
    fn from(number: f64) -> Self {
        let mut sum = Self::default();
        sum.add(number);
        sum
    }
}

impl PartialEq for ExactSum {
    /// By what they are, not by how they are written.
    fn eq(&self, other: &Self) -> bool {
        let mut difference = self.clone();
        difference.subtract_sum(other);
        difference.parts.is_empty()
    }
}

/// x + y as its nearest floating number and the exact rest (Knuth).
fn two_sum(x: f64, y: f64) -> (f64, f64) {
    let high = x + y;
    let other = high - x;
    (high, (x - (high - other)) + (y - other))
}

/// x · y as its nearest floating number and the exact rest (Dekker, with Veltkamp's split).
fn two_product(x: f64, y: f64) -> (f64, f64) {
    let high = x * y;
    let ((a, b), (c, d)) = (split(x), split(y));
    (high, ((a * c - high) + a * d + b * c) + b * d)
}

/// 2^27 + 1.
const SPLITTER: f64 = 134_217_729.0;

fn split(x: f64) -> (f64, f64) {
    let scaled = SPLITTER * x;
    let high = scaled - (scaled - x);
    (high, x - high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_taken_away_leaves_nothing_behind() {
        let mut sum = ExactSum::default();
        for value in [0.1, 1e15, 1e-9, -3.7, 1e12] {
            sum.add(value);
        }
        for value in [1e15, -3.7, 1e12, 0.1] {
            sum.add(-value);
        }
        assert_eq!(sum.value(), 1e-9);
        sum.add(-1e-9);
        assert_eq!(sum, ExactSum::default());
    }

    #[test]
    fn whole_numbers_need_one_part() {
        let mut sum = ExactSum::default();
        (0..1000).for_each(|n| sum.add(f64::from(n)));
        assert!(sum.is_plain());
        assert_eq!(sum.value(), 499_500.0);
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        let value = (-1e3..1e3f64, -20..12i32).prop_map(|(m, e)| m * 10f64.powi(e));
        proptest::collection::vec(value, 1..60)
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same(mut values in values()) {
            let sum = |values: &[f64]| {
                let mut sum = ExactSum::default();
                values.iter().for_each(|value| sum.add(*value));
                sum
            };
            let forward = sum(&values);
            values.reverse();
            prop_assert_eq!(&forward, &sum(&values));
            values.sort_by(f64::total_cmp);
            let sorted = sum(&values);
            prop_assert_eq!(&forward, &sorted);
            let (a, b) = (forward.value(), sorted.value());
            prop_assert!((a - b).abs() <= f64::EPSILON * a.abs());
        }

        #[test]
        fn a_square_is_the_sum_of_its_products(values in values()) {
            let (mut sum, mut square, mut grown) = (ExactSum::default(), ExactSum::default(), ExactSum::default());
            for value in &values {
                // (S + x)² = S² + 2Sx + x².
                let x = ExactSum::from(*value);
                grown.add_product(&sum, &x, 2.0);
                grown.add_product(&x, &x, 1.0);
                sum.add(*value);
            }
            square.add_product(&sum, &sum, 1.0);
            prop_assert_eq!(&square, &grown);
            let mut tripled = ExactSum::default();
            tripled.add_multiple(&sum, 3.0);
            (0..3).for_each(|_| tripled.subtract_sum(&sum));
            prop_assert_eq!(tripled, ExactSum::default());
        }
    }
}
