//! CUPED: less variance by what was known of a unit before it was assigned.

use crate::sample::{Sample, covariance};

/// Sums over the units of an arm: the outcome Y and a covariate X from before the assignment, such
/// as the unit's earlier outcome or the control's score of the same input.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairSums {
    /// Units.
    pub n: f64,
    /// ΣY.
    pub sum_y: f64,
    /// ΣY².
    pub sum_yy: f64,
    /// ΣX.
    pub sum_x: f64,
    /// ΣX².
    pub sum_xx: f64,
    /// ΣXY.
    pub sum_xy: f64,
}

impl PairSums {
    fn plus(&self, other: &Self) -> Self {
        Self {
            n: self.n + other.n,
            sum_y: self.sum_y + other.sum_y,
            sum_yy: self.sum_yy + other.sum_yy,
            sum_x: self.sum_x + other.sum_x,
            sum_xx: self.sum_xx + other.sum_xx,
            sum_xy: self.sum_xy + other.sum_xy,
        }
    }

    /// Y − θX.
    fn adjusted(&self, theta: f64) -> Sample {
        let yy = covariance(self.n, self.sum_y, self.sum_y, self.sum_yy);
        let xx = covariance(self.n, self.sum_x, self.sum_x, self.sum_xx);
        let xy = covariance(self.n, self.sum_x, self.sum_y, self.sum_xy);
        Sample {
            n: self.n,
            mean: (self.sum_y - theta * self.sum_x) / self.n,
            variance: (yy + theta * theta * xx - 2.0 * theta * xy).max(0.0),
        }
    }
}

/// θ = Cov(Y, X)/Var(X) over the units of both arms as one sample, grand means included (Deng, Xu,
/// Kohavi and Walker, WSDM 2013); 0 where X does not vary.
pub fn theta(control: &PairSums, candidate: &PairSums) -> f64 {
    let all = control.plus(candidate);
    let variance = covariance(all.n, all.sum_x, all.sum_x, all.sum_xx);
    if variance > 0.0 {
        covariance(all.n, all.sum_x, all.sum_y, all.sum_xy) / variance
    } else {
        0.0
    }
}

/// Both arms with Y − θX in place of Y; a θ of 0 leaves them as they are. Their difference estimates
/// the same effect, their means do not estimate the arms' means.
pub fn adjust(control: &PairSums, candidate: &PairSums, theta: f64) -> (Sample, Sample) {
    (control.adjusted(theta), candidate.adjusted(theta))
}
