//! Has the effect changed since the experiment began?
//!
//! Each day's difference is compared with the mean of the days before it, in units of what chance does to both: those
//! steps are independent of each other and have mean 0 while the effect stays. Two mixtures are bet on: one finds an
//! effect that moves one way, the other one that moves to and fro. Their mean reaches 20 with a probability of at most
//! 5 %, however often anybody looks; it is approximate as far as a day's difference is nearly normal, which is why a day
//! closes only when each arm has enough units (100, and ten times its squared skewness).

/// A day's difference between candidate and control, and its variance, greater than 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Day {
    /// The difference.
    pub difference: f64,
    /// Its variance.
    pub variance: f64,
}

/// Evidence that the effect has changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// Each day after the first against those before it, standard normal while the effect stays.
    pub steps: Vec<f64>,
    /// E of an effect that moves one way.
    pub trend: f64,
    /// E of an effect that moves to and fro.
    pub swing: f64,
}

/// Variances of the steps that the second mixture bets on.
const SWINGS: [f64; 3] = [0.5, 2.0, 8.0];

impl Drift {
    /// Of days in their order. With fewer than two there is no step, and E is 1.
    pub fn of(days: &[Day]) -> Self {
        let (mut mean, mut weight) = (0.0, 0.0);
        let mut steps = Vec::with_capacity(days.len().saturating_sub(1));
        for day in days {
            let precision = day.variance.recip();
            if weight > 0.0 {
                steps.push((day.difference - mean) / (day.variance + f64::recip(weight)).sqrt());
            }
            weight += precision;
            mean += (day.difference - mean) * precision / weight;
        }
        let n = steps.len() as f64;
        let sum: f64 = steps.iter().sum();
        let squares: f64 = steps.iter().map(|w| w * w).sum();
        let swing = SWINGS.map(|t| {
            let spread = 1.0 + t;
            (-0.5 * n * spread.ln() + squares * t / (2.0 * spread)).exp()
        });
        Self {
            trend: (sum * sum / (4.0 + 2.0 * n)).exp() / (1.0 + 0.5 * n).sqrt(),
            swing: swing.iter().sum::<f64>() / SWINGS.len() as f64,
            steps,
        }
    }

    /// The mean of both: it has changed where this reaches 20.
    pub fn e(&self) -> f64 {
        0.5 * (self.trend + self.swing)
    }
}
