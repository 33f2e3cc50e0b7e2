//! Hashes of rows, from what is written and from what is read again: XXH3, which is the same on every machine and in
//! every release.

use evidence::RowHash;
use xxhash_rust::xxh3::Xxh3;

/// Takes the columns of a row, one after the other.
pub(super) struct Columns(Xxh3);

impl Columns {
    pub(super) fn new() -> Self {
        Self(Xxh3::new())
    }

    pub(super) fn number(mut self, number: i64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    pub(super) fn float(self, number: f64) -> Self {
        // 0 and -0 are one number to SQLite.
        self.number((number + 0.0).to_bits() as i64)
    }

    /// What may be missing says so, so that it is told from what is empty.
    pub(super) fn optional<T>(self, value: Option<T>, add: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            None => self.number(0),
            Some(value) => add(self.number(1), value),
        }
    }

    /// With its length, so that two texts do not run together.
    pub(super) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self = self.number(bytes.len() as i64);
        self.0.update(bytes);
        self
    }

    pub(super) fn optional_text(self, text: Option<&str>) -> Self {
        self.optional(text, Self::text)
    }

    pub(super) fn optional_number(self, number: Option<i64>) -> Self {
        self.optional(number, Self::number)
    }

    pub(super) fn optional_float(self, number: Option<f64>) -> Self {
        self.optional(number, Self::float)
    }

    pub(super) fn hash(&self) -> u64 {
        self.0.digest()
    }
}

/// A prediction as its row has it.
pub(super) struct PredictionRow<'a> {
    pub(super) order: i64,
    pub(super) random: i64,
    pub(super) version: i64,
    pub(super) served: Option<i64>,
    pub(super) status: i64,
    pub(super) reason: i64,
    pub(super) epoch: i64,
    pub(super) propensity: f64,
    pub(super) unit_id: Option<&'a str>,
    pub(super) input_kind: i64,
    pub(super) input: &'a str,
    pub(super) prediction: Option<&'a str>,
    pub(super) confidence: Option<f64>,
    pub(super) latency_ns: i64,
    pub(super) error: Option<&'a str>,
    pub(super) experiment: Option<i64>,
}

impl PredictionRow<'_> {
    pub(super) fn hash(&self) -> RowHash {
        let kept = Columns::new()
            .number(self.order)
            .number(self.random)
            .number(self.version)
            .optional_number(self.served)
            .number(self.status)
            .number(self.reason)
            .number(self.epoch)
            .float(self.propensity)
            .number(self.input_kind)
            .optional_float(self.confidence)
            .number(self.latency_ns)
            .optional_number(self.experiment);
        let content = Columns::new()
            .number(self.order)
            .optional_text(self.unit_id)
            .text(self.input)
            .optional_text(self.prediction)
            .optional_text(self.error);
        RowHash {
            kept: kept.hash(),
            content: content.hash(),
        }
    }
}
