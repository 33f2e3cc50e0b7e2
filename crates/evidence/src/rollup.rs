//! Sums over many predictions, kept as they are written, so that a report costs the same at a
//! thousand and at a hundred million.

use types::{BuiltIn, LatencyHistogram, Measured, Status, Timestamp};

/// How much time one roll-up covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// All of time.
    Total,
    /// A day, UTC.
    Day,
    /// An hour.
    Hour,
    /// A minute; kept for the last days only.
    Minute,
}

impl Tier {
    /// Every tier, coarsest first.
    pub const ALL: [Self; 4] = [Self::Total, Self::Day, Self::Hour, Self::Minute];

    /// The tiers that cover a stretch of time, coarsest first.
    pub const TIMED: [Self; 3] = [Self::Day, Self::Hour, Self::Minute];

    /// Its length in seconds; `None` for all of time.
    pub fn seconds(self) -> Option<i64> {
        match self {
            Self::Total => None,
            Self::Day => Some(86_400),
            Self::Hour => Some(3_600),
            Self::Minute => Some(60),
        }
    }

    /// The number by which rows name it.
    pub fn code(self) -> i64 {
        match self {
            Self::Total => 0,
            Self::Day => 1,
            Self::Hour => 2,
            Self::Minute => 3,
        }
    }

    /// Where the bucket of a moment begins, in seconds since 1970.
    pub fn start_of(self, time: Timestamp) -> i64 {
        match self.seconds() {
            None => 0,
            Some(seconds) => time.seconds().div_euclid(seconds) * seconds,
        }
    }
}

/// Hashes of a row: over the columns that stay, and over those that may be erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowHash {
    /// Over the columns that stay as long as the row.
    pub kept: u64,
    /// Over inputs, outputs and whoever asked.
    pub content: u64,
}

/// What a roll-up takes of a prediction; made once and added to every tier.
pub struct Sample {
    measured: Measured,
    confidence: Option<f64>,
    latency_bucket: Option<u16>,
    hash: Option<RowHash>,
}

impl Sample {
    /// Of a prediction.
    pub fn new(measured: Measured) -> Self {
        Self {
            measured,
            confidence: BuiltIn::Confidence.value_of(measured, None),
            latency_bucket: measured.latency_ns.map(LatencyHistogram::bucket_of),
            hash: None,
        }
    }

    /// The same with the hash of its row.
    #[must_use]
    pub fn hashed(self, hash: RowHash) -> Self {
        Self {
            hash: Some(hash),
            ..self
        }
    }
}

impl RowHash {
    /// Adds the sums of others, modulo 2^64.
    pub fn add(&mut self, other: Self) {
        self.kept = self.kept.wrapping_add(other.kept);
        self.content = self.content.wrapping_add(other.content);
    }
}

/// Sums over predictions that were meant for one version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rollup {
    /// Predictions, failed ones included.
    pub count: u64,
    /// Predictions that nobody answered.
    pub errors: u64,
    /// Predictions that another version answered.
    pub fallbacks: u64,
    /// Predictions whose input the version refused. They have no latency.
    pub rejected: u64,
    /// Answers of the version itself with a confidence.
    pub confidence_count: u64,
    /// Their sum.
    pub confidence_sum: f64,
    /// The sum of their squares.
    pub confidence_sum_squares: f64,
    /// The sum of the latencies, in nanoseconds.
    pub latency_sum_ns: u64,
    /// The sum of the squares of the latencies, in square milliseconds.
    pub latency_sum_squares_ms: f64,
    /// The histogram of the latencies.
    pub latency: LatencyHistogram,
    /// Predictions with a label.
    pub labelled: u64,
    /// Of these, how many were right.
    pub correct: u64,
    /// Rows whose hashes are in the sums: all, but for those of releases that made none.
    pub hashed: u64,
    /// The sums of the hashes of the rows, modulo 2^64.
    pub hash: RowHash,
    /// Rows that were removed since they were counted: they are in none of the two before it, and in all others.
    pub removed: u64,
}

impl Rollup {
    /// Counts one prediction.
    pub fn add(&mut self, sample: &Sample) {
        self.count += 1;
        if let Some(hash) = sample.hash {
            self.hashed += 1;
            self.hash.add(hash);
        }
        match sample.measured.status {
            Status::Ok => {}
            Status::Fallback => self.fallbacks += 1,
            Status::Error => self.errors += 1,
            Status::Rejected => {
                self.rejected += 1;
                return;
            }
        }
        if let Some(confidence) = sample.confidence {
            self.confidence_count += 1;
            self.confidence_sum += confidence;
            self.confidence_sum_squares += confidence * confidence;
        }
        if let (Some(latency_ns), Some(bucket)) =
            (sample.measured.latency_ns, sample.latency_bucket)
        {
            let milliseconds = latency_ns as f64 / 1e6;
            self.latency_sum_ns += latency_ns;
            self.latency_sum_squares_ms += milliseconds * milliseconds;
            self.latency.add_bucket(bucket, 1);
        }
    }

    /// Counts the value of `correct` that came for a prediction.
    pub fn add_label(&mut self, correct: Option<f64>) {
        self.labelled += u64::from(correct.is_some());
        self.correct += u64::from(correct == Some(1.0));
    }

    /// Adds all that another roll-up counted.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.errors += other.errors;
        self.fallbacks += other.fallbacks;
        self.rejected += other.rejected;
        self.confidence_count += other.confidence_count;
        self.confidence_sum += other.confidence_sum;
        self.confidence_sum_squares += other.confidence_sum_squares;
        self.latency_sum_ns += other.latency_sum_ns;
        self.latency_sum_squares_ms += other.latency_sum_squares_ms;
        self.latency.merge(&other.latency);
        self.labelled += other.labelled;
        self.correct += other.correct;
        self.hashed += other.hashed;
        self.hash.add(other.hash);
        self.removed += other.removed;
    }

    /// Whether a recount found what is stored. Where rows were removed since, only those can be compared that are there.
    pub fn agrees_with(&self, stored: &Self) -> bool {
        if stored.removed == 0 {
            return self.is_as(stored);
        }
        let held = stored.count.saturating_sub(stored.removed);
        let hashes = stored.hashed != held || self.hash == stored.hash;
        self.count == held && hashes && self.errors <= stored.errors
    }

    /// Counts exactly, floating sums to 1e-9 relative.
    fn is_as(&self, other: &Self) -> bool {
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
        // What a sum of numbers of both signs is measured by: √(n Σx²) is no less than Σ|x|.
        let scale = (self.confidence_count as f64 * self.confidence_sum_squares).sqrt();
        let sums_close = (self.confidence_sum - other.confidence_sum).abs() <= 1e-9 * scale;
        // Where rows were counted by a release that made no hashes, their sums cannot be compared.
        let all_hashed = |of: &Self| of.hashed == of.count;
        let hashes = !(all_hashed(self) && all_hashed(other)) || self.hash == other.hash;
        hashes
            && self.count == other.count
            && self.errors == other.errors
            && self.fallbacks == other.fallbacks
            && self.rejected == other.rejected
            && self.confidence_count == other.confidence_count
            && self.latency_sum_ns == other.latency_sum_ns
            && self.latency == other.latency
            && self.labelled == other.labelled
            && self.correct == other.correct
            && sums_close
            && close(self.confidence_sum_squares, other.confidence_sum_squares)
            && close(self.latency_sum_squares_ms, other.latency_sum_squares_ms)
    }

    /// The mean latency in milliseconds.
    pub fn mean_latency_ms(&self) -> Option<f64> {
        let timed = self.latency.count();
        (timed > 0).then(|| self.latency_sum_ns as f64 / timed as f64 / 1e6)
    }

    /// The mean confidence.
    pub fn mean_confidence(&self) -> Option<f64> {
        (self.confidence_count > 0).then(|| self.confidence_sum / self.confidence_count as f64)
    }
}

/// The histogram as stored: for each bucket, the distance from the last one and the count, as
/// variable-length integers (LEB128).
pub fn encode(histogram: &LatencyHistogram) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    let mut last = 0;
    for (bucket, count) in histogram.buckets() {
        push_varint(&mut bytes, u64::from(bucket - last));
        push_varint(&mut bytes, count);
        last = bucket;
    }
    bytes
}

/// Reads what [`encode`] wrote; `None` for anything else.
pub fn decode(mut bytes: &[u8]) -> Option<LatencyHistogram> {
    let mut histogram = LatencyHistogram::default();
    let mut bucket = 0u16;
    while !bytes.is_empty() {
        bucket = bucket.checked_add(u16::try_from(take_varint(&mut bytes)?).ok()?)?;
        histogram.add_bucket(bucket, take_varint(&mut bytes)?);
    }
    Some(histogram)
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_are_read_back() {
        let mut histogram = LatencyHistogram::default();
        for value in [0, 1, 999, 1_000_000, u64::MAX] {
            (0..300).for_each(|_| histogram.add(value));
        }
        assert_eq!(decode(&encode(&histogram)), Some(histogram));
        assert_eq!(decode(&[0x80]), None);
    }
}
