//! The minute that a moment falls into.

/// Both since 1970.
pub fn minute_of(seconds: i64) -> i64 {
    seconds.div_euclid(60)
}
