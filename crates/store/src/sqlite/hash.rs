//! Hashes of rows, from what is written and from what is read again: XXH3, which is the same on every machine and in
//! every release.

use super::journal_state::{FIRST_SERVER, Origin};
use evidence::RowHash;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

/// Takes the columns of a row, one after the other. They are hashed at once: that is several times faster than one by
/// one.
pub(super) struct Columns(SmallVec<[u8; 512]>);

impl Columns {
    pub(super) fn new() -> Self {
        Self(SmallVec::new())
    }

    #[inline]
    pub(super) fn number(&mut self, number: i64) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    #[inline]
    pub(super) fn float(&mut self, number: f64) -> &mut Self {
        // 0 and -0 are one number to SQLite.
        self.number((number + 0.0).to_bits() as i64)
    }

    /// With its length, so that two texts do not run together.
    #[inline]
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as i64);
        self.0.extend_from_slice(bytes);
        self
    }

    #[inline]
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    // What may be missing says so, so that it is told from what is empty.

    #[inline]
    pub(super) fn optional_text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            None => self.number(0),
            Some(text) => self.number(1).text(text),
        }
    }

    #[inline]
    pub(super) fn optional_number(&mut self, number: Option<i64>) -> &mut Self {
        match number {
            None => self.number(0),
            Some(number) => self.number(1).number(number),
        }
    }

    #[inline]
    pub(super) fn optional_float(&mut self, number: Option<f64>) -> &mut Self {
        match number {
            None => self.number(0),
            Some(number) => self.number(1).float(number),
        }
    }

    /// Rows of releases that did not write it have the hashes that they had.
    #[inline]
    pub(super) fn origin(&mut self, origin: Option<Origin>) -> &mut Self {
        match origin {
            None => self,
            Some(origin) => self.number(origin.server_key).number(origin.position),
        }
    }

    /// Who wrote a sum.
    #[inline]
    pub(super) fn server(&mut self, server_key: i64) -> &mut Self {
        match server_key {
            FIRST_SERVER => self,
            later => self.number(later),
        }
    }

    pub(super) fn hash(&self) -> u64 {
        xxh3_64(&self.0)
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
    pub(super) origin: Option<Origin>,
    pub(super) attributes: Option<&'a str>,
    pub(super) alias: Option<&'a str>,
    pub(super) request: Option<(&'a str, i64)>,
    pub(super) made_at: Option<i64>,
    pub(super) failure: Option<&'a str>,
    pub(super) outputs: Option<&'a str>,
    pub(super) kept: Option<i64>,
}

impl PredictionRow<'_> {
    pub(super) fn hash(&self) -> RowHash {
        let (mut kept, mut content) = (Columns::new(), Columns::new());
        kept.number(self.order)
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
        kept.origin(self.origin);
        content
            .number(self.order)
            .optional_text(self.unit_id)
            .text(self.input)
            .optional_text(self.prediction)
            .optional_text(self.error);
        // Rows of releases without them have the hashes that they had.
        if let Some(attributes) = self.attributes {
            content.number(1).text(attributes);
        }
        if let Some(alias) = self.alias {
            kept.number(1).text(alias);
        }
        if let Some((id, body)) = self.request {
            content.number(2).text(id);
            kept.number(2).number(body);
        }
        if let Some(made_at) = self.made_at {
            kept.number(3).number(made_at);
        }
        if let Some(failure) = self.failure {
            kept.number(4).text(failure);
        }
        if let Some(outputs) = self.outputs {
            content.number(5).text(outputs);
        }
        if let Some(kept) = self.kept {
            content.number(6).number(kept);
        }
        RowHash {
            kept: kept.hash(),
            content: content.hash(),
        }
    }
}
