//! How values of a metric become numbers from 0 to 1, so that one unit cannot say more than any other.

use serde::{Deserialize, Serialize};

/// How values become numbers from 0 to 1. It is fixed when an epoch opens, from what had matured before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Values below count as this.
    pub floor: f64,
    /// Values above count as this.
    pub cap: f64,
    /// About where the control is, from 0 to 1: any value is valid, a near one finds harm sooner.
    pub centre: f64,
    /// Where a unit is by its covariate, if that tells: any line is valid, a near one finds everything sooner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Line>,
}

/// What a covariate x says of a unit: that its number is about centre + slope · (x − mean).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The mean of the covariate.
    pub mean: f64,
    /// By how much the number, from 0 to 1, rises with 1 of the covariate.
    pub slope: f64,
    /// A covariate below counts as this.
    pub low: f64,
    /// A covariate above counts as this.
    pub high: f64,
}

impl Line {
    /// Through units, each with its covariate and its number, by least squares; the outermost percent of covariates at each
    /// end count as the one next to them. `None` where they tell nothing: too few, or all alike.
    pub fn through(units: &[(f64, f64)]) -> Option<Self> {
        if units.len() < MIN_NON_ZERO {
            return None;
        }
        let mut sorted: Vec<f64> = units.iter().map(|(x, _)| *x).collect();
        sorted.sort_by(f64::total_cmp);
        let outside = sorted.len() / 100;
        let (low, high) = (sorted[outside], sorted[sorted.len() - 1 - outside]);
        let n = units.len() as f64;
        let inside = |x: f64| x.clamp(low, high);
        let mean = units.iter().map(|(x, _)| inside(*x) / n).sum::<f64>();
        let height = units.iter().map(|(_, g)| g / n).sum::<f64>();
        let (mut squares, mut products) = (0.0, 0.0);
        for (x, g) in units {
            let apart = inside(*x) - mean;
            squares += apart * apart / n;
            products += apart * (g - height) / n;
        }
        let line = Self {
            mean,
            slope: products / squares,
            low,
            high,
        };
        (squares > 0.0 && line.is_one()).then_some(line)
    }

    /// The same line for numbers of another scale.
    #[must_use]
    pub fn on(self, scale: &Scale, other: &Scale) -> Self {
        let width = |scale: &Scale| 0.5 * scale.cap - 0.5 * scale.floor;
        Self {
            slope: self.slope * (width(scale) / width(other)),
            ..self
        }
    }

    fn is_one(&self) -> bool {
        let all = [self.mean, self.slope, self.low, self.high];
        all.iter().all(|number| number.is_finite()) && self.low <= self.high
    }
}

/// Why there is no scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoScale {
    /// Floor and cap would be one.
    #[error("all values are equal")]
    AllEqual,
    /// A declared end leaves nothing on its side.
    #[error("all values lie beyond the declared floor or cap")]
    Beyond,
    /// A scale from few units is a scale by chance.
    #[error("too few units to set a scale: {units} of {wanted}")]
    TooFewUnits {
        /// How many there are.
        units: usize,
        /// How many it takes.
        wanted: usize,
    },
    /// A scale from few values is a scale by chance.
    #[error("too few non-zero values to set a scale: {non_zero} of {wanted}")]
    TooFew {
        /// How many there are.
        non_zero: usize,
        /// How many it takes.
        wanted: usize,
    },
}

/// So many values that are not 0 make a scale.
pub const MIN_NON_ZERO: usize = 20;

impl Scale {
    /// Of a metric that is 0 or 1, around a rate of the control; 0 where none is known.
    pub fn binary(rate: f64) -> Self {
        Self {
            floor: 0.0,
            cap: 1.0,
            centre: rate.clamp(0.0, 1.0),
            line: None,
        }
    }

    /// From values of the control's units: the cap leaves `beyond` percent of those that are not 0 above it, the floor as
    /// many below. Where zeros occur, or `with_zero` says that they may, 0 lies between both.
    ///
    /// # Errors
    /// When they tell no scale.
    pub fn of(values: &[f64], beyond: usize, with_zero: bool) -> Result<Self, NoScale> {
        Self::of_at_least(values, beyond, with_zero, MIN_NON_ZERO)
    }

    /// The same, where so many values that are not 0 are enough.
    ///
    /// # Errors
    /// When they tell no scale.
    pub fn of_at_least(
        values: &[f64],
        beyond: usize,
        with_zero: bool,
        wanted: usize,
    ) -> Result<Self, NoScale> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| *v != 0.0).collect();
        let non_zero = sorted.len();
        if non_zero < wanted.max(1) {
            return Err(NoScale::TooFew { non_zero, wanted });
        }
        sorted.sort_by(f64::total_cmp);
        let outside = non_zero * beyond / 100;
        let (mut floor, mut cap) = (sorted[outside], sorted[non_zero - 1 - outside]);
        if with_zero || non_zero < values.len() {
            (floor, cap) = (floor.min(0.0), cap.max(0.0));
        }
        Self::between(floor, cap, values)
    }

    /// Between declared bounds, its centre from values of the control's units; the middle where there are none.
    ///
    /// # Errors
    /// When the bounds are one, or the wrong way round.
    pub fn between(floor: f64, cap: f64, values: &[f64]) -> Result<Self, NoScale> {
        // Halved, because the difference of two large ends is not finite; what is narrower has no numbers in between.
        let width = 0.5 * cap - 0.5 * floor;
        let least = f64::EPSILON * floor.abs().max(cap.abs());
        if width.is_nan() || width <= least.max(f64::MIN_POSITIVE) {
            return Err(NoScale::AllEqual);
        }
        let mut scale = Self {
            floor,
            cap,
            centre: 0.5,
            line: None,
        };
        if !values.is_empty() {
            let sum: f64 = values.iter().map(|value| scale.number(*value)).sum();
            scale.centre = (sum / values.len() as f64).clamp(0.0, 1.0);
        }
        Ok(scale)
    }

    /// Whether it is one: what was stored may be damaged.
    pub fn is_one(&self) -> bool {
        let ends = self.floor.is_finite() && self.cap.is_finite() && self.floor < self.cap;
        let line = self.line.is_none_or(|line| line.is_one());
        ends && line && (0.0..=1.0).contains(&self.centre)
    }

    /// The centre of a unit with a covariate, from 0 to 1; that of all where it has none, or nothing is known of it.
    pub fn centre_of(&self, covariate: Option<f64>) -> f64 {
        let Some((line, x)) = self.line.zip(covariate) else {
            return self.centre;
        };
        let apart = x.clamp(line.low, line.high) - line.mean;
        (self.centre + line.slope * apart).clamp(0.0, 1.0)
    }

    /// The least and the greatest centre that a unit may have.
    pub fn centres(&self) -> (f64, f64) {
        let Some(line) = self.line else {
            return (self.centre, self.centre);
        };
        let ends = [line.low, line.high].map(|x| self.centre_of(Some(x)));
        (
            ends[0].min(ends[1]).min(self.centre),
            ends[0].max(ends[1]).max(self.centre),
        )
    }

    /// The number of a value, from 0 to 1.
    pub fn number(&self, value: f64) -> f64 {
        // Halved, because the difference of two large bounds is not finite.
        let (value, floor, cap) = (0.5 * value, 0.5 * self.floor, 0.5 * self.cap);
        ((value.clamp(floor, cap) - floor) / (cap - floor)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_scale_is_one_or_says_why_not(values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO, 0..60)) {
            match Scale::of(&values, 1, false) {
                Ok(scale) => {
                    prop_assert!(scale.cap > scale.floor && (0.0..=1.0).contains(&scale.centre));
                    prop_assert!(values.iter().all(|v| (0.0..=1.0).contains(&scale.number(*v))));
                }
                Err(why) => prop_assert!(!why.to_string().is_empty()),
            }
        }
    }

    #[test]
    fn a_scale_needs_values_that_differ() {
        let few = Scale::of(&[0.0, 0.0, 3.0], 1, false);
        assert_eq!(
            few,
            Err(NoScale::TooFew {
                non_zero: 1,
                wanted: 20
            })
        );
        assert_eq!(Scale::of(&[7.0; 50], 1, false), Err(NoScale::AllEqual));
        // With zeros beside them they differ.
        assert!(Scale::of(&[7.0; 50], 1, true).is_ok());
        assert_eq!(Scale::between(5.0, 1.0, &[]), Err(NoScale::AllEqual));
    }
}
