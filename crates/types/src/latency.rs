//! A histogram of latencies that can be merged and whose quantiles are off by at most 1 %.

/// Ratio between the bounds of a bucket. A bucket's values lie within
/// (γ − 1)/(γ + 1) < 1 % of its representative 2γ^i/(γ + 1).
const GAMMA: f64 = 1.02;
/// ln γ.
const LN_GAMMA: f64 = 0.019_802_627_296_179_73;

/// Counts of latencies in logarithmic buckets, for quantiles with a relative error of at most
/// 1 %: the DDSketch of Masson, Rim and Lee (VLDB 2019), section 2.1, without a limit on the
/// number of buckets (one microsecond to one hour needs 1,112 of them).
///
/// Values are nanoseconds. Merging adds bucket by bucket, so it is exact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LatencyHistogram {
    /// The bucket of the first count.
    first: u16,
    /// Neither the first nor the last is 0, so that equal histograms are equal. Dense: adding one
    /// is an index, and merging a loop without branches.
    counts: Vec<u64>,
}

impl LatencyHistogram {
    /// The bucket that a latency falls into.
    pub fn bucket_of(nanoseconds: u64) -> u16 {
        // ln(2^64) / ln(1.02) = 2,241: the index always fits.
        let value = nanoseconds.max(1) as f64;
        (value.ln() / LN_GAMMA).ceil() as u16
    }

    /// Counts one latency.
    pub fn add(&mut self, nanoseconds: u64) {
        self.add_bucket(Self::bucket_of(nanoseconds), 1);
    }

    /// Counts `count` latencies into a bucket that `buckets` or `bucket_of` gave.
    pub fn add_bucket(&mut self, bucket: u16, count: u64) {
        if count > 0 {
            self.cover(bucket, bucket);
            self.counts[usize::from(bucket - self.first)] += count;
        }
    }

    /// Adds all that another histogram counted.
    pub fn merge(&mut self, other: &Self) {
        if other.counts.is_empty() {
            return;
        }
        self.cover(other.first, other.last());
        let at = usize::from(other.first - self.first);
        for (count, more) in self.counts[at..].iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// Makes room for buckets of which the caller fills the ends.
    fn cover(&mut self, first: u16, last: u16) {
        if self.counts.is_empty() {
            self.first = first;
        }
        if first < self.first {
            let missing = usize::from(self.first - first);
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = first;
        }
        let needed = usize::from(last - self.first) + 1;
        if needed > self.counts.len() {
            self.counts.resize(needed, 0);
        }
    }

    fn last(&self) -> u16 {
        self.first + (self.counts.len().max(1) - 1) as u16
    }

    /// How many latencies were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The value that a share `q` of the latencies does not exceed (nearest rank), in
    /// nanoseconds, within 1 %; `None` when nothing was counted.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = ((q.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count);
        let mut seen = 0;
        for (bucket, count) in self.buckets() {
            seen += count;
            if seen >= rank {
                return Some(value_of(bucket));
            }
        }
        None
    }

    /// How many latencies were counted up to each of ascending bounds, in nanoseconds, that are above the one before; and
    /// beyond the last one. A latency within 1 % of a bound may be counted on either side.
    pub fn counts_within(&self, bounds: &[f64]) -> Vec<u64> {
        let mut counts = vec![0; bounds.len() + 1];
        for (bucket, count) in self.buckets() {
            let value = value_of(bucket);
            counts[bounds.partition_point(|bound| value > *bound)] += count;
        }
        counts
    }

    /// The non-empty buckets, ascending.
    pub fn buckets(&self) -> impl Iterator<Item = (u16, u64)> {
        let counts = (self.first..).zip(self.counts.iter().copied());
        counts.filter(|(_, count)| *count > 0)
    }
}

fn value_of(bucket: u16) -> f64 {
    2.0 * GAMMA.powi(i32::from(bucket)) / (GAMMA + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn latencies_are_counted_by_bounds() {
        let mut histogram = LatencyHistogram::default();
        for nanoseconds in [10, 900, 1_100, 5_000_000] {
            histogram.add(nanoseconds);
        }
        assert_eq!(histogram.counts_within(&[1e3, 1e6]), [2, 1, 1]);
        assert_eq!(histogram.counts_within(&[]), [4]);
        assert_eq!(LatencyHistogram::default().counts_within(&[1.0]), [0, 0]);
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(LatencyHistogram::default().quantile(0.5), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_one_percent(
            mut values in prop::collection::vec(1u64..4_000_000_000_000, 1..300),
            q in 0.0..1.0f64,
        ) {
            let mut histogram = LatencyHistogram::default();
            values.iter().for_each(|&v| histogram.add(v));
            values.sort_unstable();
            let rank = (q * values.len() as f64).ceil().max(1.0) as usize;
            let exact = values[rank - 1] as f64;
            let got = histogram.quantile(q).unwrap();
            prop_assert!((got - exact).abs() <= 0.01 * exact, "{got} is not {exact}");
        }

        #[test]
        fn merging_is_adding(
            a in prop::collection::vec(0u64..1_000_000, 0..50),
            b in prop::collection::vec(0u64..1_000_000, 0..50),
        ) {
            let of = |values: &[u64]| {
                let mut histogram = LatencyHistogram::default();
                values.iter().for_each(|&v| histogram.add(v));
                histogram
            };
            let mut merged = of(&a);
            merged.merge(&of(&b));
            prop_assert_eq!(merged, of(&[a, b].concat()));
        }
    }
}
