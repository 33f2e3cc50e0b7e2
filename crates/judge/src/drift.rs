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

/// The mean of days, each by how much it knows: the reciprocal of its variance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DayMean {
    /// The mean; 0 without days.
    pub mean: f64,
    /// The sum of the reciprocals; the variance of the mean is one over it.
    pub weight: f64,
}

impl DayMean {
    /// Adds a day.
    pub fn push(&mut self, day: Day) {
        let precision = day.variance.recip();
        self.weight += precision;
        self.mean += (day.difference - self.mean) * precision / self.weight;
    }

    /// Of days.
    pub fn of(days: &[Day]) -> Self {
        let mut mean = Self::default();
        days.iter().for_each(|day| mean.push(*day));
        mean
    }
}

/// Evidence that the effect has changed, of days in their order.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Drift {
    before: DayMean,
    /// How many days were compared with those before them, and the sums of what came of it, each standard normal while the
    /// effect stays, and of the squares.
    steps: f64,
    sum: f64,
    squares: f64,
}

/// Variances of the steps that the second mixture bets on.
const SWINGS: [f64; 3] = [0.5, 2.0, 8.0];

/// ln(1 + τ²) of each.
const LN_SPREADS: [f64; 3] = [
    0.405_465_108_108_164_4,
    1.098_612_288_668_109_8,
    2.197_224_577_336_219_6,
];

impl Drift {
    /// Adds the next day; gives how far it is from those before it in standard errors, where there are some.
    pub fn push(&mut self, day: Day) -> Option<f64> {
        let before = self.before;
        self.before.push(day);
        if before.weight == 0.0 {
            return None;
        }
        let error = (day.variance + before.weight.recip()).sqrt();
        let step = (day.difference - before.mean) / error;
        self.steps += 1.0;
        self.sum += step;
        self.squares += step * step;
        Some(step)
    }

    /// E of an effect that moves one way.
    pub fn trend(&self) -> f64 {
        let n = self.steps;
        (self.sum * self.sum / (4.0 + 2.0 * n)).exp() / (1.0 + 0.5 * n).sqrt()
    }

    /// E of an effect that moves to and fro.
    pub fn swing(&self) -> f64 {
        let each = SWINGS.map(|t| {
            let spread = 1.0 + t;
            (-0.5 * self.steps * spread.ln() + self.squares * t / (2.0 * spread)).exp()
        });
        each.iter().sum::<f64>() / SWINGS.len() as f64
    }

    /// The mean of both: it has changed where this reaches 20.
    pub fn e(&self) -> f64 {
        0.5 * (self.trend() + self.swing())
    }

    /// ln of the same, where that is too large for a number.
    pub fn ln_e(&self) -> f64 {
        let n = self.steps;
        let trend = self.sum * self.sum / (4.0 + 2.0 * n) - 0.5 * (0.5 * n).ln_1p();
        let lasts = SWINGS.iter().zip(LN_SPREADS);
        let swings = lasts.map(|(t, ln_spread)| {
            0.5 * (self.squares * t / (1.0 + t) - n * ln_spread) - (SWINGS.len() as f64).ln()
        });
        let all: Vec<f64> = std::iter::once(trend).chain(swings).collect();
        let most = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = all.iter().map(|ln| (ln - most).exp()).sum();
        most + sum.ln() - 2f64.ln()
    }

    /// Whether E may be above 1, told without exponentials: nearly always it is not.
    pub fn may_be_above_1(&self) -> bool {
        let n = self.steps;
        let (trend, swing) = (self.sum * self.sum / (4.0 + 2.0 * n), self.squares / n);
        let lasts = SWINGS.iter().zip(LN_SPREADS);
        let mut swings = lasts.map(|(t, ln_spread)| swing * t / (1.0 + t) > ln_spread);
        n > 0.0 && (trend > 0.5 * (0.5 * n).ln_1p() || swings.any(|above| above))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_above_1_is_never_passed_over(steps in prop::collection::vec(-3.0..3.0f64, 0..40)) {
            let mut drift = Drift::default();
            for difference in steps {
                drift.push(Day { difference, variance: 1.0 });
                prop_assert!(drift.e() <= 1.0 || drift.may_be_above_1(), "{drift:?}");
                prop_assert!((drift.e().ln() - drift.ln_e()).abs() < 1e-9, "{drift:?}");
            }
        }
    }

    #[test]
    fn logarithms_are_those_of_their_spreads() {
        for (t, ln_spread) in SWINGS.iter().zip(LN_SPREADS) {
            assert_eq!((1.0 + t).ln(), ln_spread);
        }
    }
}
