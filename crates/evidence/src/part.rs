//! Sums by parts of the units: what differs between parts is how much an estimate errs, whatever the predictions of one
//! unit have to do with each other (random groups: Wolter, Introduction to Variance Estimation, 2007, chapter 2).

use crate::exact::ExactSum;
use serde::{Deserialize, Serialize};
use types::{PARTS, PartSums};

/// Which part a unit is in, by a number of its own: the hash of its name, or the order of the id of its only prediction.
pub fn part_of(number: u64) -> u8 {
    // Orders of ids count up, and must not go round the parts in turn: what comes one after the other would be in each alike, and
    // parts would differ by less than chance. The finalizer of splitmix64 (Steele, Lea and Flood, OOPSLA 2014) mixes all bits.
    let mut mixed = number;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (mixed >> (64 - PARTS.trailing_zeros())) as u8
}

/// Sums by part, those that have some.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Parts(Vec<(u8, i64, ExactSum)>);

impl Parts {
    /// Of one part: predictions that count, and the sum of their values.
    pub fn one(part: u8, count: i64, sum: &ExactSum) -> Self {
        let mut parts = Self::default();
        parts.shift(part, count, sum, 1);
        parts
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the sums of others.
    pub fn add(&mut self, other: &Self) {
        for (part, count, sum) in &other.0 {
            self.shift(*part, *count, sum, 1);
        }
    }

    /// Takes away what was added.
    pub fn subtract(&mut self, other: &Self) {
        for (part, count, sum) in &other.0 {
            self.shift(*part, *count, sum, -1);
        }
    }

    fn shift(&mut self, part: u8, count: i64, sum: &ExactSum, sign: i64) {
        let place = self.0.binary_search_by_key(&part, |known| known.0);
        let place = place.unwrap_or_else(|place| {
            self.0.insert(place, (part, 0, ExactSum::default()));
            place
        });
        let own = &mut self.0[place];
        own.1 += sign * count;
        if sign > 0 {
            own.2.add_sum(sum);
        } else {
            own.2.subtract_sum(sum);
        }
        if own.1 == 0 && own.2 == ExactSum::default() {
            self.0.remove(place);
        }
    }

    /// All parts, with sums about a reference point.
    pub fn sums(&self, about: f64) -> Vec<PartSums> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut sums = vec![PartSums::default(); PARTS];
        for (part, count, sum) in &self.0 {
            let mut sum = sum.clone();
            sum.add_multiple(&about.into(), -(*count as f64));
            if let Some(place) = sums.get_mut(usize::from(*part)) {
                *place = PartSums {
                    count: u64::try_from(*count).unwrap_or(0),
                    sum: sum.value(),
                };
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_count_up_and_hashes_are_spread_over_all_parts() {
        for step in [1u64, 1 << 20, 4096 * 1_000_000, 0x1234_5678_9abc_def1] {
            let mut counts = [0u32; PARTS];
            for n in 0..64_000u64 {
                let part =
                    part_of((1_795_749_939_009_382u64 << 12).wrapping_add(n.wrapping_mul(step)));
                counts[usize::from(part)] += 1;
            }
            // A thousand each, within six standard errors.
            assert!(
                counts.iter().all(|n| (800..1200).contains(n)),
                "{step}: {counts:?}"
            );
        }
    }

    #[test]
    fn what_is_taken_away_leaves_nothing() {
        let mut parts = Parts::default();
        let (a, b) = (
            Parts::one(3, 2, &0.1.into()),
            Parts::one(60, 1, &1e15.into()),
        );
        parts.add(&a);
        parts.add(&b);
        let sums = parts.sums(0.05);
        assert_eq!((sums.len(), sums[3].count, sums[60].count), (PARTS, 2, 1));
        assert!(sums[3].sum.abs() < 1e-16);
        parts.subtract(&a);
        assert_eq!(parts, b);
        parts.subtract(&b);
        assert!(parts.is_empty() && parts.sums(1.0).is_empty());
    }
}
