//! Ratio metrics: a mean per event when the unit, a user, has several.

use crate::sample::{Sample, covariance};

/// Sums over units of a numerator M and a denominator D.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RatioSums {
    /// Units.
    pub n: f64,
    /// ΣM.
    pub sum_m: f64,
    /// ΣM².
    pub sum_mm: f64,
    /// ΣD.
    pub sum_d: f64,
    /// ΣD².
    pub sum_dd: f64,
    /// ΣMD.
    pub sum_md: f64,
}

impl RatioSums {
    /// R = ΣM/ΣD with the variance of one unit by the delta method (Deng, Knoblich and Lu, KDD 2018):
    /// s²_M/D̄² + s²_D M̄²/D̄⁴ − 2 cov M̄/D̄³, moments with n − 1. Where every D is 1 it is the
    /// variance of M. `None` where the denominators sum to 0.
    pub fn sample(&self) -> Option<Sample> {
        if self.sum_d <= 0.0 {
            return None;
        }
        let n = self.n;
        let (m, d) = (self.sum_m / n, self.sum_d / n);
        let variance_m = covariance(n, self.sum_m, self.sum_m, self.sum_mm);
        let variance_d = covariance(n, self.sum_d, self.sum_d, self.sum_dd);
        let covariance = covariance(n, self.sum_m, self.sum_d, self.sum_md);
        let variance = variance_m / (d * d) + variance_d * m * m / d.powi(4)
            - 2.0 * covariance * m / d.powi(3);
        Some(Sample {
            n,
            mean: m / d,
            variance: variance.max(0.0),
        })
    }
}
