//! Means and differences after the weights followed the data, where units come back.
//!
//! Each prediction of an arm counts with h/e = 1/√e, where e is the published share of its arm in its epoch: the mean Q of an
//! arm solves Σ (h/e)(M − Q D) = 0 over its units, with M the sum of the values of a unit in an epoch and D how many they are.
//! At the true mean each term has mean 0 given what came before, because e is known then (adaptively weighted scores: Hadad,
//! Hirshberg, Zhan, Wager and Athey, PNAS 118(15), 2021, with h = √e). A unit that comes back in many epochs is one
//! cluster: the error is taken between parts of the units, of which each has all that its units did in all epochs (random
//! groups, by the jackknife), by Student's t. Below shares of 5 to 10 % the intervals are approximate.

use crate::special::{critical_z, student_critical};

/// What an arm has of a part in several epochs, each with its weight.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Part {
    /// Σ M times the weight of its epoch.
    pub values: f64,
    /// Σ D times the weight of its epoch.
    pub counts: f64,
}

impl Part {
    /// Adds what an epoch has, with its weight.
    pub fn add(&mut self, count: f64, sum: f64, weight: f64) {
        self.values += weight * sum;
        self.counts += weight * count;
    }
}

/// With fewer parts of an arm nothing is said of an error.
const LEAST_PARTS: f64 = 10.0;

/// The estimates of all arms; parts are the same for all.
#[derive(Debug, Clone)]
pub struct Clustered {
    /// By arm.
    parts: Vec<Vec<Part>>,
    /// The mean of each arm; `None` without a prediction that counts.
    pub means: Vec<Option<f64>>,
}

impl Clustered {
    /// Of arms, each by part.
    pub fn new(parts: Vec<Vec<Part>>) -> Self {
        let mean = |parts: &Vec<Part>| {
            let (values, counts) = total(parts);
            (counts > 0.0).then(|| values / counts)
        };
        let means = parts.iter().map(mean).collect();
        Self { parts, means }
    }

    /// The standard error of a sum of means, each with a factor, and the degrees of freedom; `None` where too little is known.
    ///
    /// The jackknife: how the sum moves when a part is left out. Parts of different size are as many as they weigh, (Σ D)²/Σ D².
    pub fn error(&self, terms: &[(usize, f64)]) -> Option<(f64, f64)> {
        let mut weighted = Vec::with_capacity(terms.len());
        let mut fewest = f64::INFINITY;
        for (arm, factor) in terms {
            let parts = &self.parts[*arm];
            let (values, counts) = total(parts);
            let squares: f64 = parts.iter().map(|part| part.counts * part.counts).sum();
            fewest = fewest.min(counts * counts / squares);
            weighted.push((parts, factor, (values, counts), self.means[*arm]?));
        }
        // What is not a number is not enough.
        if fewest.is_nan() || fewest < LEAST_PARTS {
            return None;
        }
        let (mut squares, mut n) = (0.0, 0.0);
        for at in 0..self.parts[0].len() {
            let moved = weighted
                .iter()
                .map(|(parts, factor, (values, counts), mean)| {
                    let part = parts[at];
                    **factor * ((values - part.values) / (counts - part.counts) - mean)
                });
            squares += moved.sum::<f64>().powi(2);
            let has = weighted.iter().any(|(parts, ..)| parts[at].counts > 0.0);
            n += f64::from(has);
        }
        Some(((squares * (n - 1.0) / n).sqrt(), fewest - 1.0))
    }

    /// The standard error, greater by what Student's t at level alpha is greater than the normal: what is made of it with
    /// normal quantiles holds then.
    pub fn normal_error(&self, terms: &[(usize, f64)], alpha: f64) -> Option<f64> {
        let (error, degrees) = self.error(terms)?;
        Some(as_normal(error, degrees, alpha))
    }
}

/// A standard error, greater by what Student's t at level alpha is greater than the normal.
pub fn as_normal(error: f64, degrees: f64, alpha: f64) -> f64 {
    error * student_critical(alpha, degrees) / critical_z(alpha, 2.0)
}

/// ΣM and ΣD over all parts.
fn total(parts: &[Part]) -> (f64, f64) {
    let all = parts.iter();
    all.fold((0.0, 0.0), |sum, part| {
        (sum.0 + part.values, sum.1 + part.counts)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts of two arms, with so many values in each: ten, eleven and so on.
    fn arms(parts: usize, weight: f64) -> Vec<Vec<Part>> {
        let part = |arm: usize, at: usize| {
            let mut part = Part::default();
            part.add(10.0 + at as f64, (at * (arm + 1)) as f64 % 7.0, weight);
            part
        };
        (0..2)
            .map(|arm| (0..parts).map(|at| part(arm, at)).collect())
            .collect()
    }

    #[test]
    fn the_error_is_what_parts_differ_by() {
        let found = Clustered::new(arms(20, 1.0));
        // ΣM/ΣD, and how it moves without each part.
        let each = |n: u32| (f64::from(n % 7), f64::from(10 + n));
        let ratio = |without: Option<u32>| {
            let all = (0..20).filter(|n| Some(*n) != without).map(each);
            let (m, d) = all.fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
            m / d
        };
        assert!((found.means[0].unwrap() - ratio(None)).abs() < 1e-12);
        let moved = (0..20).map(|n| (ratio(Some(n)) - ratio(None)).powi(2));
        let want = (moved.sum::<f64>() * 19.0 / 20.0).sqrt();
        let (error, degrees) = found.error(&[(0, 1.0)]).unwrap();
        assert!((error - want).abs() < 1e-12);
        // (Σ D)²/Σ D² of 10 to 29 is 390²/8270.
        assert!((degrees - (390.0 * 390.0 / 8270.0 - 1.0)).abs() < 1e-9);
        assert!(found.normal_error(&[(0, 1.0)], 0.05).unwrap() > error);
    }

    #[test]
    fn who_comes_back_is_no_more_than_one() {
        let once = arms(20, 1.0);
        // The same in nine epochs.
        let again: Vec<Vec<Part>> = (once.iter())
            .map(|parts| {
                let nine = |part: &Part| Part {
                    values: 9.0 * part.values,
                    counts: 9.0 * part.counts,
                };
                parts.iter().map(nine).collect()
            })
            .collect();
        let (once, again) = (Clustered::new(once), Clustered::new(again));
        let difference = [(1, 1.0), (0, -1.0)];
        let (a, b) = (
            once.error(&difference).unwrap(),
            again.error(&difference).unwrap(),
        );
        assert!((a.0 - b.0).abs() < 1e-12 && a.1 == b.1, "{a:?} {b:?}");
        assert_eq!(once.means, again.means);
    }

    #[test]
    fn with_few_parts_nothing_is_said_of_an_error() {
        assert_eq!(Clustered::new(arms(10, 1.0)).error(&[(0, 1.0)]), None);
        assert!(Clustered::new(arms(11, 1.0)).error(&[(0, 1.0)]).is_some());
        let none = Clustered::new(vec![vec![Part::default(); 20]; 2]);
        assert_eq!((none.means[0], none.error(&[(1, 1.0)])), (None, None));
    }
}
