//! Numbers with a range.

/// Why a number is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("must be a number from {low} to {high}")]
pub struct InvalidNumber {
    low: f64,
    high: f64,
}

macro_rules! ranged {
    ($(#[$doc:meta])* $name:ident, $low:literal, $high:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            /// Checks a number.
            ///
            /// # Errors
            /// When it is outside the range or not a number.
            pub fn new(value: f64) -> Result<Self, InvalidNumber> {
                if ($low..=$high).contains(&value) {
                    Ok(Self(value))
                } else {
                    Err(InvalidNumber { low: $low, high: $high })
                }
            }

            /// The value.
            pub fn get(self) -> f64 {
                self.0
            }
        }
    };
}

ranged!(
    /// What the author of a version claims about it: a share from 0 to 1.
    Accuracy,
    0.0,
    1.0
);
ranged!(
    /// A share of traffic, from 0 to 100.
    Percent,
    0.0,
    100.0
);

impl Accuracy {
    /// Nothing is claimed.
    pub const ZERO: Self = Self(0.0);
}

impl Percent {
    /// No traffic.
    pub const ZERO: Self = Self(0.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_include_their_ends_and_exclude_nan() {
        for good in [0.0, 0.5, 100.0] {
            assert_eq!(Percent::new(good).unwrap().get(), good);
        }
        for bad in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
            assert!(Percent::new(bad).is_err(), "{bad}");
            assert!(Accuracy::new(bad).is_err(), "{bad}");
        }
    }
}
