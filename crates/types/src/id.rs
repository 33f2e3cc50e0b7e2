//! Identifiers: of a version and of a prediction.

use crate::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A text that is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not an id of the form {0}")]
pub struct InvalidId(&'static str);

/// Identifies a registered version: `model-` and 12 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(u64);

impl ModelId {
    /// From random bits, of which the lowest 48 are kept.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits & LOW_48)
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "model-{:012x}", self.0)
    }
}

impl FromStr for ModelId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        hex_after("model-", text)
            .map(Self)
            .ok_or(InvalidId("model-0123456789ab"))
    }
}

/// Identifies an experiment: `exp-` and 12 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExperimentId(u64);

impl ExperimentId {
    /// From random bits, of which the lowest 48 are kept.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits & LOW_48)
    }
}

impl fmt::Display for ExperimentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exp-{:012x}", self.0)
    }
}

impl FromStr for ExperimentId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        hex_after("exp-", text)
            .map(Self)
            .ok_or(InvalidId("exp-0123456789ab"))
    }
}

/// Identifies a webhook: `hook-` and 12 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WebhookId(u64);

impl WebhookId {
    /// From random bits, of which the lowest 48 are kept.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits & LOW_48)
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hook-{:012x}", self.0)
    }
}

impl FromStr for WebhookId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        hex_after("hook-", text)
            .map(Self)
            .ok_or(InvalidId("hook-0123456789ab"))
    }
}

/// Identifies a key of callers: `key-` and 12 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(u64);

impl KeyId {
    /// From random bits, of which the lowest 48 are kept.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits & LOW_48)
    }

    /// Its digits alone, as they stand in the key itself.
    pub fn digits(self) -> String {
        format!("{:012x}", self.0)
    }

    /// The id of these digits.
    pub fn of_digits(digits: &str) -> Option<Self> {
        hex_after("", digits).map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key-{:012x}", self.0)
    }
}

impl FromStr for KeyId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        hex_after("key-", text)
            .map(Self)
            .ok_or(InvalidId("key-0123456789ab"))
    }
}

/// Identifies the erasure of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErasureId(u64);

impl ErasureId {
    /// From random bits, of which the lowest 48 are kept.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits & LOW_48)
    }
}

impl fmt::Display for ErasureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "erasure-{:012x}", self.0)
    }
}

impl FromStr for ErasureId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        hex_after("erasure-", text)
            .map(Self)
            .ok_or(InvalidId("erasure-0123456789ab"))
    }
}

const LOW_48: u64 = 0xffff_ffff_ffff;

/// The value of 12 lower-case hexadecimal digits after a prefix.
fn hex_after(prefix: &str, text: &str) -> Option<u64> {
    let hex = text.strip_prefix(prefix)?;
    let digits = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if hex.len() != 12 || !digits {
        return None;
    }
    u64::from_str_radix(hex, 16).ok()
}

/// Ids are written as texts, also where they are stored within JSON.
macro_rules! as_text {
    ($($id:ident),*) => {$(
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

as_text!(ModelId, ErasureId, ExperimentId, KeyId);

/// Identifies a logged prediction: a UUID version 7 (RFC 9562, section 5.7).
///
/// The first 60 bits, without the version, are the time in 1/4096 ms (RFC 9562, section 6.2,
/// method 3). A server never gives the same value twice, so these bits, `order`, are the row's
/// key as well: rows are stored, listed and windowed by them. The other bits are random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PredictionId {
    order: u64,
    random: u64,
}

const ORDER_BITS: u64 = (1 << 60) - 1;
const RANDOM_BITS: u64 = (1 << 62) - 1;

impl PredictionId {
    /// From the order (60 bits) and random bits (62 bits); higher bits are dropped.
    pub fn new(order: u64, random: u64) -> Self {
        Self {
            order: order & ORDER_BITS,
            random: random & RANDOM_BITS,
        }
    }

    /// The order that a prediction made at this time has, at the earliest.
    pub fn order_at(time: Timestamp) -> u64 {
        let micros = u64::try_from(time.micros()).unwrap_or(0);
        // The fraction is rounded up, so that `time()` gives the same microsecond back.
        (((micros / 1000) << 12) + (micros % 1000 * 4096).div_ceil(1000)) & ORDER_BITS
    }

    /// The time-ordered part: unique, ascending, 60 bits.
    pub fn order(self) -> u64 {
        self.order
    }

    /// The random part, 62 bits.
    pub fn random(self) -> u64 {
        self.random
    }

    /// When the prediction was made.
    pub fn time(self) -> Timestamp {
        let micros = (self.order >> 12) * 1000 + (((self.order & 0xfff) * 1000) >> 12);
        Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    fn from_u128(value: u128) -> Self {
        let (high, low) = ((value >> 64) as u64, value as u64);
        Self::new((high >> 16) << 12 | high & 0xfff, low)
    }

    fn as_u128(self) -> u128 {
        let (milliseconds, fraction) = (self.order >> 12, self.order & 0xfff);
        let high = milliseconds << 16 | 0x7000 | fraction;
        let low = 1 << 63 | self.random;
        u128::from(high) << 64 | u128::from(low)
    }
}

impl fmt::Display for PredictionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let bytes = self.as_u128().to_be_bytes();
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (index, byte) in bytes.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                at += 1;
            }
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        f.write_str(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"))
    }
}

impl FromStr for PredictionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId("01890a5d-ac96-774b-bcce-b302099a8057 (a UUID version 7)");
        let bytes = text.as_bytes();
        let dashes = [8, 13, 18, 23];
        if bytes.len() != 36 || dashes.iter().any(|&at| bytes[at] != b'-') {
            return Err(invalid);
        }
        let hex: String = text.chars().filter(|&c| c != '-').collect();
        if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(invalid);
        }
        let value = u128::from_str_radix(&hex, 16).map_err(|_| invalid.clone())?;
        if value >> 76 & 15 != 7 || value >> 62 & 3 != 2 {
            return Err(invalid);
        }
        Ok(Self::from_u128(value))
    }
}

/// Identifies a request with feedback: a UUID version 7, by which its receipt is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReceiptId(PredictionId);

impl ReceiptId {
    /// Of a moment and random bits.
    pub fn new(at: Timestamp, random: u64) -> Self {
        Self(PredictionId::new(PredictionId::order_at(at), random))
    }

    /// Reads the 16 bytes that `to_bytes` gives.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(PredictionId::from_u128(u128::from_be_bytes(bytes)))
    }

    /// Its bytes, which sort by time.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.as_u128().to_be_bytes()
    }

    /// When it was given.
    pub fn time(self) -> Timestamp {
        self.0.time()
    }
}

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ReceiptId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn model_ids_are_read_back() {
        let id = ModelId::from_bits(0xabc);
        assert_eq!(id.to_string(), "model-000000000abc");
        assert_eq!("model-000000000abc".parse(), Ok(id));
        for bad in [
            "",
            "model-",
            "model-00000000ABCD",
            "model-0000000000abc",
            "performance",
        ] {
            assert!(bad.parse::<ModelId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn uuids_of_other_versions_are_refused() {
        assert!(
            "01890a5d-ac96-774b-bcce-b302099a8057"
                .parse::<PredictionId>()
                .is_ok()
        );
        assert!(
            "01890a5d-ac96-474b-bcce-b302099a8057"
                .parse::<PredictionId>()
                .is_err()
        );
        assert!(
            "01890a5d-ac96-774b-0cce-b302099a8057"
                .parse::<PredictionId>()
                .is_err()
        );
        assert!(
            "01890a5dac96-774b-bcce-b302099a8057-"
                .parse::<PredictionId>()
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn prediction_ids_round_trip(order in 0..=ORDER_BITS, random in 0..=RANDOM_BITS) {
            let id = PredictionId::new(order, random);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn a_microsecond_survives(micros in 0i64..4_000_000_000_000_000) {
            let time = Timestamp::from_micros(micros);
            let id = PredictionId::new(PredictionId::order_at(time), 0);
            prop_assert_eq!(id.time(), time);
        }

        #[test]
        fn text_and_value_sort_alike(a in 0..=ORDER_BITS, b in 0..=ORDER_BITS) {
            let (a, b) = (PredictionId::new(a, 0), PredictionId::new(b, 0));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
