//! Entries of the log, as they stand in a server's journal before they are rows.
//!
//! An entry is a message of tagged fields in the wire format of protocol buffers, written and read by hand
//! so that nothing is copied: `protoc --decode_raw` shows one. A field that is not there has its default. A
//! field that this program does not know is passed over, so later releases add fields; an entry of a kind
//! that it does not know is not understood, and set aside.
//!
//! ```text
//! entry       1 at: microseconds since 1970, by the wall clock (an id may be ahead of it)
//!             2 prediction | 3 feedback
//!             | 7 call that has begun: a prediction without what came of it, which comes as a 2 with the same id
//!             | 6 what a version made of a copy of a request: a prediction without input, and 25 and 26
//!             kept for: 4 outcome of a unit
//! prediction  1 order (8 bytes), 2 random (8 bytes), 3 version, 4 reason, 5 experiment, 6 epoch,
//!             7 propensity (8 bytes), 8 unit_id, 9 media type of the input (none: plain text), 10 input,
//!             11 version that answered, 12 its prediction as JSON, 13 confidence (8 bytes), 14 error,
//!             15 latency in nanoseconds, 16 rejected, 17 attributes as JSON, 18 alias,
//!             19 request_id, 20 hash of what was asked (8 bytes), 21 when it was made elsewhere, 22 when its
//!             version was asked for, 23 how it failed, 24 what else was answered as JSON, 25 and 26 order and
//!             random of the prediction that it mirrors (8 bytes each), 27 how much is kept of it; times are
//!             microseconds since 1970
//! feedback    1 receipt (16 bytes), 2 part, 3 parts, 4 values, one after the other
//! value       1 order (8 bytes), 2 random (8 bytes), 3 label as JSON | 4 metric and 5 value (8 bytes),
//!             6 replace, 7 line; 8 model and 9 request_id in place of 1 and 2;
//!             or 10 unit_id, 11 when it happened, microseconds since 1970, 12 outcome_id, and perhaps 8
//! ```

mod wire;

use crate::{Feedback, FeedbackContent, FeedbackOf, UnitFeedback};
use sha2::{Digest, Sha256};
use types::{
    ExperimentKey, Failure, Input, Kept, KeptPart, Measured, MetricName, ModelName, Outcome,
    PredictionId, PredictionRecord, Reason, ReceiptId, RequestId, ShadowRecord, Status, Timestamp,
    UnitId, VersionKey, find_word,
};
use wire::{Field, Fields, Writer};

/// The media type of an input that is no plain text.
const JSON: &str = "application/json";

/// An entry as it is read.
#[derive(Debug, PartialEq)]
pub struct Entry<'a> {
    /// When it was appended, by the wall clock.
    pub at: Timestamp,
    /// What it says.
    pub kind: Kind<'a>,
}

/// What an entry says.
#[derive(Debug, PartialEq)]
pub enum Kind<'a> {
    /// A prediction.
    Prediction(PredictionEntry<'a>),
    /// A call whose answer comes in parts has begun. What came of it is a prediction with the same id.
    Begun(PredictionEntry<'a>),
    /// What a version made of a copy of a request, and the prediction that it mirrors.
    Shadow(PredictionEntry<'a>, PredictionId),
    /// Values that came for predictions: a request, or a part of one.
    Feedback(FeedbackEntry),
}

/// A prediction as it is read: texts stay where they are.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionEntry<'a> {
    /// The id that the caller was given.
    pub id: PredictionId,
    /// The version that was chosen.
    pub version: VersionKey,
    /// Why that version was chosen.
    pub reason: Reason,
    /// The experiment it takes part in.
    pub experiment: Option<ExperimentKey>,
    /// The epoch of the weights.
    pub epoch: i64,
    /// The probability of the choice.
    pub propensity: f64,
    /// Who asked.
    pub unit_id: Option<&'a str>,
    /// What the caller said of who asked, as JSON.
    pub attributes: Option<&'a str>,
    /// The alias that the caller named.
    pub alias: Option<&'a str>,
    /// What the caller calls the request, and a hash of what was asked.
    pub request: Option<(&'a str, u64)>,
    /// When it was made, where that was elsewhere.
    pub made_at: Option<Timestamp>,
    /// When its version was asked for, where that was before.
    pub decided_at: Option<Timestamp>,
    /// Whether the input is plain text; else it is JSON.
    pub is_text: bool,
    /// What came in.
    pub input: &'a str,
    /// The version that answered.
    pub served: Option<VersionKey>,
    /// What it answered, as JSON.
    pub prediction: Option<&'a str>,
    /// How sure it was.
    pub confidence: Option<f64>,
    /// Why the chosen version failed, or refused the input.
    pub error: Option<&'a str>,
    /// How long it took, in nanoseconds.
    pub latency_ns: Option<u64>,
    /// Whether the chosen version refused the input.
    pub rejected: bool,
    /// How the chosen version failed, when it did and that is known.
    pub failure: Option<Failure>,
    /// What else was answered, by name, as JSON.
    pub outputs: Option<&'a str>,
    /// How much of it is here.
    pub kept: Kept,
}

impl PredictionEntry<'_> {
    /// When it was made: elsewhere, or when its id was given.
    pub fn made(&self) -> Timestamp {
        self.made_at.unwrap_or_else(|| self.id.time())
    }

    /// What was told by then was known before it, in microseconds.
    pub fn known_by(&self) -> i64 {
        let made = self.made().micros();
        self.decided_at.map_or(made, |at| at.micros().min(made))
    }

    /// How the call ended.
    pub fn status(&self) -> Status {
        match self.served {
            None if self.rejected => Status::Rejected,
            None => Status::Error,
            Some(served) if served == self.version => Status::Ok,
            Some(_) => Status::Fallback,
        }
    }

    /// What built-in metrics are made of.
    pub(crate) fn measured(&self) -> Measured {
        Measured {
            status: self.status(),
            latency_ns: self.latency_ns,
            confidence: self.confidence,
        }
    }
}

/// Values that came together.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedbackEntry {
    /// By which the receipt is found.
    pub receipt: ReceiptId,
    /// Which part of the request this is, from 0.
    pub part: u32,
    /// How many parts the request has.
    pub parts: u32,
    /// The values, each with the line that it came in.
    pub values: Vec<(u64, Feedback)>,
}

/// Why bytes are no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    /// A newer program wrote it.
    #[error("the entry is of a kind that this release does not know ({0})")]
    UnknownKind(u32),
    /// It is none.
    #[error("the entry cannot be read: {0}")]
    Malformed(&'static str),
}

/// Writes a prediction as an entry, to the end of `bytes`.
pub fn encode_prediction(record: &PredictionRecord, at: Timestamp, bytes: &mut Vec<u8>) {
    encode_record(PREDICTION, record, at, bytes);
}

/// Writes that a call has begun as an entry, to the end of `bytes`.
pub fn encode_begun(record: &PredictionRecord, at: Timestamp, bytes: &mut Vec<u8>) {
    encode_record(BEGUN, record, at, bytes);
}

/// Of a call that has begun and did not end, the prediction that it was: it broke off.
///
/// # Errors
/// When the bytes are no such entry.
pub fn broken_off(begun: &[u8], why: &str, at: Timestamp) -> Result<Vec<u8>, NotUnderstood> {
    // What would not be understood again is not written.
    Entry::decode(begun)?;
    for field in Fields::new(begun) {
        if let (BEGUN, Field::Bytes(message)) = field? {
            let mut bytes = Vec::with_capacity(begun.len() + why.len() + 32);
            let mut entry = Writer::new(&mut bytes);
            entry.varint(1, at.micros() as u64);
            entry.message(PREDICTION, |prediction| {
                prediction.again(message);
                prediction.bytes(14, why.as_bytes());
                prediction.bytes(23, Failure::BrokenOff.as_str().as_bytes());
            });
            return Ok(bytes);
        }
    }
    Err(NotUnderstood::Malformed("it is no call that has begun"))
}

/// Writes what a version made of a copy of a request as an entry, to the end of `bytes`.
pub fn encode_shadow(shadow: &ShadowRecord, at: Timestamp, bytes: &mut Vec<u8>) {
    let mut entry = Writer::new(bytes);
    entry.varint(1, at.micros() as u64);
    entry.message(SHADOW, |message| {
        message.fixed(1, shadow.id.order());
        message.fixed(2, shadow.id.random());
        message.varint(3, shadow.version.0 as u64);
        message.fixed(7, shadow.share.to_bits());
        encode_outcome(message, &shadow.outcome, shadow.kept);
        let output = shadow.kept;
        let kept = Kept {
            output,
            ..Kept::default()
        };
        message.varint(27, kept.code());
        message.fixed(25, shadow.mirrors.order());
        message.fixed(26, shadow.mirrors.random());
    });
}

/// An entry without what a unit sent and was answered, where it is of a unit that is renamed; nothing where it stays as it is.
/// `prediction` gives the new name of a unit that a prediction with an order names, `outcome` that of one to whom something
/// happened.
pub fn erased<'n>(
    bytes: &[u8],
    prediction: impl Fn(&str, u64) -> Option<&'n str>,
    outcome: impl Fn(&str) -> Option<&'n str>,
) -> Option<Vec<u8>> {
    let entry = Entry::decode(bytes).ok()?;
    let mut new = Vec::with_capacity(bytes.len());
    match entry.kind {
        Kind::Prediction(p) | Kind::Begun(p) => {
            let name = prediction(p.unit_id?, p.id.order())?;
            let mut writer = Writer::new(&mut new);
            for field in Fields::new(bytes) {
                match field.ok()? {
                    (kind @ (PREDICTION | BEGUN), Field::Bytes(message)) => {
                        writer.message(kind, |message_of| {
                            write_erased(message_of, message, &p, name);
                        });
                    }
                    (tag, field) => writer.field(tag, field),
                }
            }
        }
        Kind::Feedback(mut feedback) => {
            let mut renamed = false;
            for (_, value) in &mut feedback.values {
                let FeedbackOf::Unit(of) = &mut value.of else {
                    continue;
                };
                if let Some(name) = outcome(of.unit.as_str())
                    && let Ok(name) = UnitId::parse(name)
                {
                    (of.unit, of.outcome) = (name, None);
                    renamed = true;
                }
            }
            if !renamed {
                return None;
            }
            encode_feedback(&feedback, entry.at, &mut new);
        }
        Kind::Shadow(..) => return None,
    }
    Some(new)
}

/// The same of a shadow, whatever it mirrors.
pub fn erased_shadow(bytes: &[u8]) -> Option<Vec<u8>> {
    let Kind::Shadow(shadow, _) = Entry::decode(bytes).ok()?.kind else {
        return None;
    };
    let mut new = Vec::with_capacity(bytes.len());
    let mut writer = Writer::new(&mut new);
    for field in Fields::new(bytes) {
        match field.ok()? {
            (SHADOW, Field::Bytes(message)) => {
                writer.message(SHADOW, |of| write_erased(of, message, &shadow, ""));
            }
            (tag, field) => writer.field(tag, field),
        }
    }
    Some(new)
}

/// The fields of a prediction but for what its unit sent and was answered.
fn write_erased(writer: &mut Writer<'_>, message: &[u8], p: &PredictionEntry<'_>, name: &str) {
    for (tag, field) in Fields::new(message).filter_map(Result::ok) {
        match tag {
            8 => writer.bytes(8, name.as_bytes()),
            // An input that is JSON stays some.
            10 if !p.is_text => writer.bytes(10, b"null"),
            14 => writer.bytes(14, ERASED_ERROR.as_bytes()),
            10 | 12 | 17 | 19 | 20 | 24 | 27 => {}
            _ => writer.field(tag, field),
        }
    }
    let has_output = p.prediction.is_some() || p.outputs.is_some();
    let kept = p.kept.erased(has_output, p.attributes.is_some());
    writer.varint(27, kept.code());
}

/// What stands in place of an error whose words are erased: that something went wrong stays.
pub(crate) const ERASED_ERROR: &str = "what it said is erased";

const PREDICTION: u32 = 2;
const SHADOW: u32 = 6;
const BEGUN: u32 = 7;

fn encode_record(kind: u32, record: &PredictionRecord, at: Timestamp, bytes: &mut Vec<u8>) {
    let mut entry = Writer::new(bytes);
    entry.varint(1, at.micros() as u64);
    entry.message(kind, |prediction| {
        prediction.fixed(1, record.id.order());
        prediction.fixed(2, record.id.random());
        prediction.varint(3, record.version.0 as u64);
        prediction.varint(4, reason_number(record.reason));
        prediction.varint_option(5, record.experiment.map(|key| key.0 as u64));
        prediction.varint(6, record.epoch as u64);
        prediction.fixed(7, record.propensity.to_bits());
        if let Some(unit) = &record.unit_id {
            prediction.bytes(8, unit.as_str().as_bytes());
        }
        match &record.input {
            Input::Text(text) => prediction.bytes(10, text.as_bytes()),
            Input::Json(value) => {
                prediction.bytes(9, JSON.as_bytes());
                prediction.bytes(10, value.as_str().as_bytes());
            }
        }
        encode_outcome(prediction, &record.outcome, record.kept.output);
        prediction.varint(27, record.kept.code());
        if !record.attributes.is_empty() {
            prediction.json(17, &record.attributes);
        }
        if let Some(alias) = &record.alias {
            prediction.bytes(18, alias.as_str().as_bytes());
        }
        if let Some(request) = &record.request {
            prediction.bytes(19, request.id.as_str().as_bytes());
            prediction.fixed(20, request.body);
        }
        prediction.varint_option(21, record.made_at.map(|at| at.micros() as u64));
        prediction.varint_option(22, record.decided_at.map(|at| at.micros() as u64));
    });
}

fn encode_outcome(message: &mut Writer<'_>, outcome: &Outcome, kept: KeptPart) {
    let has_answer = !kept.is_empty();
    if let Some((served, output)) = &outcome.answer {
        message.varint(11, served.0 as u64);
        if has_answer {
            message.bytes(12, output.prediction.as_str().as_bytes());
        }
        if let Some(confidence) = output.confidence {
            message.fixed(13, confidence.to_bits());
        }
        if let Some(outputs) = output.outputs.as_ref().filter(|_| has_answer) {
            message.bytes(24, outputs.as_str().as_bytes());
        }
    }
    if let Some(partial) = outcome.partial.as_ref().filter(|_| has_answer) {
        message.bytes(24, partial.as_str().as_bytes());
    }
    if let Some(error) = &outcome.error {
        message.bytes(14, error.as_bytes());
    }
    message.varint_option(15, outcome.latency_ns);
    message.varint(16, u64::from(outcome.rejected));
    if let Some(failure) = outcome.failure {
        message.bytes(23, failure.as_str().as_bytes());
    }
}

/// Writes values as an entry, to the end of `bytes`.
pub fn encode_feedback(feedback: &FeedbackEntry, at: Timestamp, bytes: &mut Vec<u8>) {
    let mut entry = Writer::new(bytes);
    entry.varint(1, at.micros() as u64);
    entry.message(3, |request| {
        request.bytes(1, &feedback.receipt.to_bytes());
        request.varint(2, u64::from(feedback.part));
        request.varint(3, u64::from(feedback.parts));
        for (line, value) in &feedback.values {
            request.message(4, |message| encode_value(message, *line, value));
        }
    });
}

fn encode_value(message: &mut Writer<'_>, line: u64, value: &Feedback) {
    match &value.of {
        FeedbackOf::Prediction(id) => {
            message.fixed(1, id.order());
            message.fixed(2, id.random());
        }
        FeedbackOf::Request(name, id) => {
            message.bytes(8, name.as_str().as_bytes());
            message.bytes(9, id.as_str().as_bytes());
        }
        FeedbackOf::Unit(of) => {
            if let Some(name) = &of.name {
                message.bytes(8, name.as_str().as_bytes());
            }
            message.bytes(10, of.unit.as_str().as_bytes());
            message.varint_option(11, of.at.map(|at| at.micros() as u64));
            if let Some(id) = &of.outcome {
                message.bytes(12, id.as_str().as_bytes());
            }
        }
    }
    match &value.content {
        FeedbackContent::Label(label) => message.json(3, label),
        FeedbackContent::Value(metric, value) => {
            message.bytes(4, metric.as_str().as_bytes());
            message.fixed(5, value.to_bits());
        }
    }
    message.varint(6, u64::from(value.replace));
    message.varint(7, line);
}

impl<'a> Entry<'a> {
    /// Reads an entry.
    ///
    /// # Errors
    /// When the bytes are none that this program understands.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, NotUnderstood> {
        let mut at = Timestamp::from_micros(0);
        let mut kind = None;
        for field in Fields::new(bytes) {
            match field? {
                (1, Field::Varint(micros)) => at = Timestamp::from_micros(micros as i64),
                (PREDICTION, Field::Bytes(message)) => {
                    kind = Some(Kind::Prediction(decode_prediction(message)?))
                }
                (SHADOW, Field::Bytes(message)) => {
                    kind = Some(Kind::Shadow(
                        decode_prediction(message)?,
                        mirrored(message)?,
                    ))
                }
                (BEGUN, Field::Bytes(message)) => {
                    kind = Some(Kind::Begun(decode_prediction(message)?))
                }
                (3, Field::Bytes(message)) => {
                    kind = Some(Kind::Feedback(decode_feedback(message)?))
                }
                (tag, Field::Bytes(_)) => return Err(NotUnderstood::UnknownKind(tag)),
                _ => {}
            }
        }
        let kind = kind.ok_or(NotUnderstood::Malformed("it says nothing"))?;
        Ok(Self { at, kind })
    }
}

/// The prediction that a shadow mirrors.
fn mirrored(bytes: &[u8]) -> Result<PredictionId, NotUnderstood> {
    let (mut order, mut random) = (None, 0);
    for field in Fields::new(bytes) {
        match field? {
            (25, Field::Fixed(bits)) => order = Some(bits),
            (26, Field::Fixed(bits)) => random = bits,
            _ => {}
        }
    }
    let order = order.ok_or(NotUnderstood::Malformed("it mirrors nothing"))?;
    Ok(PredictionId::new(order, random))
}

fn decode_prediction(bytes: &[u8]) -> Result<PredictionEntry<'_>, NotUnderstood> {
    let (mut order, mut random) = (None, 0);
    let mut body = 0;
    let mut entry = PredictionEntry {
        id: PredictionId::new(0, 0),
        version: VersionKey(0),
        reason: Reason::Weights,
        experiment: None,
        epoch: 0,
        propensity: 0.0,
        unit_id: None,
        attributes: None,
        alias: None,
        request: None,
        made_at: None,
        decided_at: None,
        is_text: true,
        input: "",
        served: None,
        prediction: None,
        confidence: None,
        error: None,
        latency_ns: None,
        rejected: false,
        failure: None,
        outputs: None,
        kept: Kept::default(),
    };
    for field in Fields::new(bytes) {
        match field? {
            (1, Field::Fixed(bits)) => order = Some(bits),
            (2, Field::Fixed(bits)) => random = bits,
            (3, Field::Varint(key)) => entry.version = VersionKey(key as i64),
            (4, Field::Varint(number)) => entry.reason = reason_of(number)?,
            (5, Field::Varint(key)) => entry.experiment = Some(ExperimentKey(key as i64)),
            (6, Field::Varint(epoch)) => entry.epoch = epoch as i64,
            (7, Field::Fixed(bits)) => entry.propensity = f64::from_bits(bits),
            (8, Field::Bytes(text)) => entry.unit_id = Some(utf8(text)?),
            (9, Field::Bytes(media_type)) if media_type == JSON.as_bytes() => entry.is_text = false,
            (9, _) => {
                return Err(NotUnderstood::Malformed(
                    "its input is of an unknown media type",
                ));
            }
            (10, Field::Bytes(text)) => entry.input = utf8(text)?,
            (11, Field::Varint(key)) => entry.served = Some(VersionKey(key as i64)),
            (12, Field::Bytes(json)) => entry.prediction = Some(utf8(json)?),
            (13, Field::Fixed(bits)) => entry.confidence = Some(f64::from_bits(bits)),
            (14, Field::Bytes(text)) => entry.error = Some(utf8(text)?),
            (15, Field::Varint(nanoseconds)) => entry.latency_ns = Some(nanoseconds),
            (16, Field::Varint(number)) => entry.rejected = number != 0,
            (17, Field::Bytes(json)) => entry.attributes = Some(utf8(json)?),
            (18, Field::Bytes(text)) => entry.alias = Some(utf8(text)?),
            (19, Field::Bytes(text)) => entry.request = Some((utf8(text)?, 0)),
            (20, Field::Fixed(bits)) => body = bits,
            (21, Field::Varint(micros)) => {
                entry.made_at = Some(Timestamp::from_micros(micros as i64));
            }
            (23, Field::Bytes(word)) => entry.failure = find_word(utf8(word)?).ok(),
            (24, Field::Bytes(json)) => entry.outputs = Some(utf8(json)?),
            (27, Field::Varint(code)) => {
                let unknown = "it is kept in a way that this release does not know";
                entry.kept = Kept::of_code(code).ok_or(NotUnderstood::Malformed(unknown))?;
            }
            (22, Field::Varint(micros)) => {
                entry.decided_at = Some(Timestamp::from_micros(micros as i64));
            }
            _ => {}
        }
    }
    let order = order.ok_or(NotUnderstood::Malformed("it has no id"))?;
    entry.id = PredictionId::new(order, random);
    entry.request = entry.request.map(|(id, _)| (id, body));
    Ok(entry)
}

fn decode_feedback(bytes: &[u8]) -> Result<FeedbackEntry, NotUnderstood> {
    let mut receipt = None;
    let (mut part, mut parts) = (0, 1);
    let mut values = Vec::new();
    for field in Fields::new(bytes) {
        match field? {
            (1, Field::Bytes(id)) => receipt = id.try_into().ok().map(ReceiptId::from_bytes),
            (2, Field::Varint(number)) => part = number as u32,
            (3, Field::Varint(number)) => parts = number as u32,
            (4, Field::Bytes(value)) => values.push(decode_value(value)?),
            _ => {}
        }
    }
    let receipt = receipt.ok_or(NotUnderstood::Malformed("it has no receipt"))?;
    Ok(FeedbackEntry {
        receipt,
        part,
        parts,
        values,
    })
}

fn decode_value(bytes: &[u8]) -> Result<(u64, Feedback), NotUnderstood> {
    let (mut order, mut random, mut line, mut replace) = (None, 0, 0, false);
    let (mut label, mut metric, mut value) = (None, None, None);
    let (mut name, mut request) = (None, None);
    let (mut unit, mut happened, mut outcome) = (None, None, None);
    for field in Fields::new(bytes) {
        match field? {
            (1, Field::Fixed(bits)) => order = Some(bits),
            (2, Field::Fixed(bits)) => random = bits,
            (3, Field::Bytes(json)) => {
                let parsed = serde_json::from_slice(json);
                label = Some(parsed.map_err(|_| NotUnderstood::Malformed("a label is no JSON"))?);
            }
            (4, Field::Bytes(name)) => {
                let parsed = MetricName::parse(utf8(name)?);
                metric =
                    Some(parsed.map_err(|_| NotUnderstood::Malformed("a metric has no name"))?);
            }
            (5, Field::Fixed(bits)) => value = Some(f64::from_bits(bits)),
            (6, Field::Varint(number)) => replace = number != 0,
            (7, Field::Varint(number)) => line = number,
            (8, Field::Bytes(text)) => name = ModelName::parse(utf8(text)?).ok(),
            (9, Field::Bytes(text)) => request = RequestId::parse(utf8(text)?).ok(),
            (10, Field::Bytes(text)) => unit = UnitId::parse(utf8(text)?).ok(),
            (11, Field::Varint(micros)) => happened = Some(Timestamp::from_micros(micros as i64)),
            (12, Field::Bytes(text)) => outcome = RequestId::parse(utf8(text)?).ok(),
            _ => {}
        }
    }
    let of = match (order, name, request, unit) {
        (Some(order), _, None, None) => FeedbackOf::Prediction(PredictionId::new(order, random)),
        (None, Some(name), Some(id), None) => FeedbackOf::Request(name, id),
        (None, name, None, Some(unit)) => FeedbackOf::Unit(Box::new(UnitFeedback {
            name,
            unit,
            at: happened,
            outcome,
        })),
        _ => return Err(NotUnderstood::Malformed("a value is for no prediction")),
    };
    let content = match (label, metric, value) {
        (Some(label), None, None) => FeedbackContent::Label(label),
        (None, Some(metric), Some(value)) => FeedbackContent::Value(metric, value),
        _ => {
            return Err(NotUnderstood::Malformed(
                "a value is neither a label nor a number",
            ));
        }
    };
    let feedback = Feedback {
        of,
        content,
        replace,
    };
    Ok((line, feedback))
}

fn utf8(bytes: &[u8]) -> Result<&str, NotUnderstood> {
    std::str::from_utf8(bytes).map_err(|_| NotUnderstood::Malformed("a text is not UTF-8"))
}

fn reason_number(reason: Reason) -> u64 {
    match reason {
        Reason::Weights => 0,
        Reason::Pinned => 1,
        Reason::Experiment => 2,
        Reason::Held => 3,
        Reason::Rule => 4,
        Reason::Retry => 5,
        Reason::Observed => 6,
    }
}

fn reason_of(number: u64) -> Result<Reason, NotUnderstood> {
    let mut all = Reason::ALL.iter().copied();
    let found = all.find(|reason| reason_number(*reason) == number);
    found.ok_or(NotUnderstood::Malformed(
        "its version was chosen for an unknown reason",
    ))
}

/// The number of a unit: the first 64 bits of SHA-256.
pub(crate) fn unit_number(unit_id: &str) -> i64 {
    let digest = Sha256::digest(unit_id.as_bytes());
    let first: [u8; 8] = digest[..8].try_into().expect("a digest has 32 bytes");
    i64::from_be_bytes(first)
}

/// Parts that units are dealt into by chance where a spread is taken between them: a power of 2.
pub(crate) const PARTS: u32 = 256;

/// The part of a prediction: that of its unit, or one of its own.
pub(crate) fn part_of(unit_id: Option<&str>, id: PredictionId) -> u32 {
    let number = unit_id.map_or(id.random(), |unit_id| unit_number(unit_id) as u64);
    (number % u64::from(PARTS)) as u32
}

/// The number by which a request is found: the same of its id.
pub fn request_number(request_id: &str) -> i64 {
    unit_number(request_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use types::{AliasName, Outcome, Output, RequestId, RequestKey, UnitId};

    fn record() -> PredictionRecord {
        PredictionRecord {
            kept: types::Kept::default(),
            id: PredictionId::new(123 << 40, 456 << 30),
            version: VersionKey(7),
            reason: Reason::Experiment,
            experiment: Some(ExperimentKey(3)),
            epoch: 12,
            propensity: 0.25,
            unit_id: UnitId::parse("user-1").ok(),
            attributes: serde_json::from_str(r#"{"country": "DE", "age": 30}"#).unwrap(),
            alias: AliasName::parse("champion").ok(),
            request: RequestId::parse("order 7")
                .ok()
                .map(|id| RequestKey { id, body: 1 << 63 }),
            made_at: Some(Timestamp::from_micros(77)),
            decided_at: Some(Timestamp::from_micros(66)),
            input: Input::Text("schön".into()),
            outcome: Outcome {
                answer: Some((
                    VersionKey(8),
                    Output {
                        prediction: (&json!({"label": "positive"})).into(),
                        confidence: Some(0.5),
                        outputs: Some((&json!({"score": 2})).into()),
                    },
                )),
                error: Some("timeout".into()),
                latency_ns: Some(1_234_567),
                rejected: false,
                failure: Some(Failure::Timeout),
                partial: None,
            },
        }
    }

    #[test]
    fn what_has_begun_and_did_not_end_broke_off() {
        let at = Timestamp::from_micros(1_700_000_000_000_000);
        let mut begun = record();
        begun.outcome = Outcome::default();
        let mut bytes = Vec::new();
        encode_begun(&begun, at, &mut bytes);
        let Kind::Begun(before) = Entry::decode(&bytes).unwrap().kind else {
            panic!("it has not begun")
        };
        let later = Timestamp::from_micros(1_700_000_001_000_000);
        let ended = broken_off(&bytes, "the server ended", later).unwrap();
        let entry = Entry::decode(&ended).unwrap();
        assert_eq!(entry.at, later);
        let Kind::Prediction(after) = entry.kind else {
            panic!("it is no prediction")
        };
        assert_eq!(
            (after.status(), after.error),
            (Status::Error, Some("the server ended"))
        );
        let same = PredictionEntry {
            error: None,
            failure: None,
            ..after
        };
        assert_eq!(same, before);
        assert!(broken_off(&ended, "", at).is_err());
    }

    #[test]
    fn predictions_are_read_back() {
        let at = Timestamp::from_micros(1_700_000_000_000_000);
        let mut bytes = Vec::new();
        encode_prediction(&record(), at, &mut bytes);
        let entry = Entry::decode(&bytes).unwrap();
        assert_eq!(entry.at, at);
        let Kind::Prediction(prediction) = entry.kind else {
            panic!("{entry:?}")
        };
        assert_eq!(prediction.status(), Status::Fallback);
        let expected = PredictionEntry {
            kept: types::Kept::default(),
            id: record().id,
            version: VersionKey(7),
            reason: Reason::Experiment,
            experiment: Some(ExperimentKey(3)),
            epoch: 12,
            propensity: 0.25,
            unit_id: Some("user-1"),
            attributes: Some(r#"{"age":30,"country":"DE"}"#),
            alias: Some("champion"),
            request: Some(("order 7", 1 << 63)),
            made_at: Some(Timestamp::from_micros(77)),
            decided_at: Some(Timestamp::from_micros(66)),
            is_text: true,
            input: "schön",
            served: Some(VersionKey(8)),
            prediction: Some(r#"{"label":"positive"}"#),
            confidence: Some(0.5),
            error: Some("timeout"),
            latency_ns: Some(1_234_567),
            rejected: false,
            failure: Some(Failure::Timeout),
            outputs: Some(r#"{"score":2}"#),
        };
        assert_eq!(prediction, expected);

        let mut refused = record();
        refused.input = Input::Json((&json!([1, 2.5])).into());
        (refused.outcome.answer, refused.outcome.rejected) = (None, true);
        bytes.clear();
        encode_prediction(&refused, at, &mut bytes);
        let Kind::Prediction(prediction) = Entry::decode(&bytes).unwrap().kind else {
            panic!("no prediction")
        };
        assert_eq!((prediction.is_text, prediction.input), (false, "[1,2.5]"));
        assert_eq!(prediction.status(), Status::Rejected);
    }

    #[test]
    fn feedback_is_read_back() {
        let value = |content| Feedback {
            of: FeedbackOf::Prediction(PredictionId::new(1, 2)),
            content,
            replace: true,
        };
        let of_request = |content| Feedback {
            of: FeedbackOf::Request(
                ModelName::parse("m").unwrap(),
                RequestId::parse("order 7").unwrap(),
            ),
            ..value(content)
        };
        let of_unit = |content| Feedback {
            of: FeedbackOf::Unit(Box::new(UnitFeedback {
                name: None,
                unit: UnitId::parse("user-1").unwrap(),
                at: Some(Timestamp::from_micros(-5)),
                outcome: RequestId::parse("order 8").ok(),
            })),
            ..value(content)
        };
        let metric = MetricName::parse("clicked").unwrap();
        let feedback = FeedbackEntry {
            receipt: ReceiptId::new(Timestamp::from_micros(5_000_000), 77),
            part: 1,
            parts: 3,
            values: vec![
                (4, value(FeedbackContent::Label(types::Json::default()))),
                (9, value(FeedbackContent::Value(metric.clone(), -1.5))),
                (10, of_request(FeedbackContent::Value(metric.clone(), 2.0))),
                (11, of_unit(FeedbackContent::Value(metric, 3.0))),
            ],
        };
        let at = Timestamp::from_micros(-3);
        let mut bytes = Vec::new();
        encode_feedback(&feedback, at, &mut bytes);
        let entry = Entry::decode(&bytes).unwrap();
        assert_eq!(
            entry,
            Entry {
                at,
                kind: Kind::Feedback(feedback)
            }
        );
    }

    #[test]
    fn what_is_newer_or_broken_is_told_apart() {
        let mut bytes = Vec::new();
        encode_prediction(&record(), Timestamp::from_micros(1), &mut bytes);
        // A later release may add fields to the entry itself.
        Writer::new(&mut bytes).varint(99, 1);
        assert!(Entry::decode(&bytes).is_ok());
        for end in 0..bytes.len() {
            let _ = Entry::decode(&bytes[..end]);
        }
        let mut newer = Vec::new();
        Writer::new(&mut newer).message(8, |begun| begun.varint(1, 1));
        assert_eq!(Entry::decode(&newer), Err(NotUnderstood::UnknownKind(8)));
        assert!(matches!(
            Entry::decode(&[]),
            Err(NotUnderstood::Malformed(_))
        ));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut bytes = Vec::new();
        encode_prediction(&record(), Timestamp::from_micros(1), &mut bytes);
        for _ in 0..20_000 {
            let mut changed = bytes.clone();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..changed.len());
                changed[at] = random.u8(..);
            }
            let _ = Entry::decode(&changed);
        }
    }

    #[test]
    fn what_is_no_call_that_has_begun_did_not_break_off() {
        let at = Timestamp::from_micros(1);
        let broken = |bytes: &[u8]| broken_off(bytes, "the server ended", at);
        let mut begun = Vec::new();
        encode_begun(&record(), at, &mut begun);
        assert!(Entry::decode(&broken(&begun).unwrap()).is_ok());
        // Found by a fuzz target: a message that is none was taken over as it was.
        for bytes in [&[0x3a, 1, 0x31][..], &begun[..begun.len() - 1], &[]] {
            assert!(broken(bytes).is_err(), "{bytes:?}");
        }
    }
}
