//! What the methods compare: an arm's mean with the variance of one unit, and the effect between
//! two arms.

/// An arm as the tests see it: how many units, their mean, and the variance of one unit.
///
/// The unit is what was assigned: a user, or a prediction without one. A ratio metric or an
/// adjusted mean has the variance of its linearised unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Units.
    pub n: f64,
    /// The mean, or what stands for it.
    pub mean: f64,
    /// The variance of one unit: the standard error of the mean is √(variance/n).
    pub variance: f64,
}

impl Sample {
    /// A proportion, with the variance p(1 − p) (no Bessel correction).
    pub fn proportion(successes: f64, n: f64) -> Self {
        let mean = successes / n;
        Self {
            n,
            mean,
            variance: mean * (1.0 - mean),
        }
    }

    /// A mean from sums, with the variance of n − 1.
    pub fn from_sums(n: f64, sum: f64, sum_squares: f64) -> Self {
        Self {
            n,
            mean: sum / n,
            variance: covariance(n, sum, sum, sum_squares).max(0.0),
        }
    }
}

/// The covariance of n pairs from their sums, with n − 1.
pub(crate) fn covariance(n: f64, sum_x: f64, sum_y: f64, sum_products: f64) -> f64 {
    if n < 2.0 {
        return 0.0;
    }
    (sum_products - sum_x * sum_y / n) / (n - 1.0)
}

/// How a candidate differs from the control: candidate − control, or that over |control|.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The difference.
    pub estimate: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Welch's degrees of freedom.
    pub degrees_of_freedom: f64,
    /// Units of both arms.
    pub n: f64,
}

impl Effect {
    /// candidate − control. `None` without two units in each arm or without any variance: then
    /// nothing is known of its error.
    pub fn difference(control: &Sample, candidate: &Sample) -> Option<Self> {
        let (a, b) = (
            control.variance / control.n,
            candidate.variance / candidate.n,
        );
        let squared = a + b;
        if !(control.n > 1.0 && candidate.n > 1.0 && squared > 0.0 && squared.is_finite()) {
            return None;
        }
        let degrees = squared * squared / (a * a / (control.n - 1.0) + b * b / (candidate.n - 1.0));
        // Squares of what is very small are 0, and nothing is known then.
        degrees.is_finite().then(|| Self {
            estimate: candidate.mean - control.mean,
            standard_error: squared.sqrt(),
            degrees_of_freedom: degrees,
            n: control.n + candidate.n,
        })
    }

    /// (candidate − control)/|control| by the delta method: its variance is
    /// s²_B/(n_B x̄_A²) + s²_A x̄_B²/(n_A x̄_A⁴). The degrees of freedom are those of the
    /// difference. `None` where the difference is, and for a control of 0.
    pub fn relative(control: &Sample, candidate: &Sample) -> Option<Self> {
        let difference = Self::difference(control, candidate)?;
        let base = control.mean * control.mean;
        let squared = candidate.variance / (candidate.n * base)
            + control.variance * candidate.mean * candidate.mean / (control.n * base * base);
        let effect = Self {
            estimate: difference.estimate / control.mean.abs(),
            standard_error: squared.sqrt(),
            ..difference
        };
        let finite = effect.estimate.is_finite() && effect.standard_error.is_finite();
        (finite && effect.standard_error > 0.0).then_some(effect)
    }
}

/// An interval; an end may be infinite where nothing bounds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

impl Interval {
    /// `center` ± `half_width`.
    pub fn around(center: f64, half_width: f64) -> Self {
        Self {
            lower: center - half_width,
            upper: center + half_width,
        }
    }

    /// Whether it holds a value.
    pub fn contains(self, value: f64) -> bool {
        self.lower <= value && value <= self.upper
    }
}
