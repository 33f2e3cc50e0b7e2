//! What of a prediction is kept: the rules of its model, applied before its entry is appended.
//!
//! Where a rule cannot be applied, less is kept and not more: a text that takes too long to look through is left out, and
//! rules that cannot be read keep nothing.

use regex::{Regex, RegexBuilder};
use ring::hmac;
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use types::{
    AttributeValue, Attributes, Input, Json, JsonPointer, Keep, Keeping, Kept, KeptPart, Outcome,
    Output, PredictionRecord, Privacy, ShadowRecord,
};

/// Where the key is kept by which values are hashed.
pub(crate) const FILE: &str = "privacy.key";
/// What stands in place of what is redacted.
const REDACTED: &str = "[redacted]";
/// What stands in place of an error that may repeat what is not kept.
const NOT_KEPT: &str = "what it says is not kept";
/// How long the patterns may look through one prediction. Nearly all take microseconds; what takes longer is left out.
const LOOK_FOR: Duration = Duration::from_millis(20);
/// The longest text that patterns look through, in bytes; what is longer is left out.
const LONGEST: usize = 256 << 10;
/// Texts that are longer than this are looked through aside of the threads that answer, in bytes.
const ASIDE: usize = 8 << 10;
/// What is redacted may become longer by so much, in bytes; what would become longer still is left out.
const LONGER: usize = 1024;
/// How large a pattern may become in memory, in bytes.
const PATTERN_BYTES: usize = 256 << 10;

/// The key by which values are hashed: a value and its hash cannot be brought together without it.
#[derive(Clone)]
pub(crate) struct Hasher(Arc<hmac::Key>);

impl Hasher {
    pub(crate) fn new(key: hmac::Key) -> Self {
        Self(Arc::new(key))
    }

    /// The hash of a value: the same for 1 and 1.0, and for objects whatever the order of their keys.
    pub(crate) fn value(&self, value: &Value) -> String {
        let mut text = String::new();
        plain(value, &mut text);
        self.bytes(text.as_bytes())
    }

    pub(crate) fn json(&self, json: &Json) -> String {
        match serde_json::from_str::<Value>(json.as_str()) {
            Ok(value) => self.value(&value),
            // A number that is too large for any, or half of a surrogate pair.
            Err(_) => self.bytes(json.as_str().as_bytes()),
        }
    }

    /// 64 bits of the hash.
    pub(crate) fn number(&self, bytes: &[u8]) -> u64 {
        let tag = hmac::sign(&self.0, bytes);
        u64::from_be_bytes(tag.as_ref()[..8].try_into().expect("a tag has 32 bytes"))
    }

    /// 128 bits of it are more than enough to tell values apart.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> String {
        let tag = hmac::sign(&self.0, bytes);
        let digits: String = tag.as_ref()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("hmac:{digits}")
    }
}

/// A value in the one form that its hash is made of.
fn plain(value: &Value, text: &mut String) {
    match value {
        // Labels that are texts may be compared with numbers.
        Value::String(number) if serde_json::from_str::<serde_json::Number>(number).is_ok() => {
            if let Ok(number) = serde_json::from_str::<serde_json::Number>(number) {
                plain(&Value::Number(number), text);
            }
        }
        Value::Number(number) => match number.as_f64() {
            // As labels are compared: 1 and 1.0 are the same.
            Some(float)
                if number.is_f64()
                    && float.fract() == 0.0
                    && float.abs() < 9.007_199_254_740_992e15 =>
            {
                text.push_str(&(float as i64).to_string());
            }
            _ => text.push_str(&number.to_string()),
        },
        Value::Array(items) => {
            text.push('[');
            for item in items {
                plain(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in members {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                plain(value, text);
                text.push(',');
            }
            text.push('}');
        }
        other => text.push_str(&other.to_string()),
    }
}

/// Compiles the patterns of one part.
///
/// # Errors
/// The place of the pattern that is wrong, and why.
pub(crate) fn compile(patterns: &[String]) -> Result<Vec<Regex>, (usize, String)> {
    let compiled = patterns.iter().enumerate().map(|(at, pattern)| {
        let regex = RegexBuilder::new(pattern)
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(PATTERN_BYTES)
            .build()
            .map_err(|error| (at, wrong(&error)))?;
        if regex.is_match("") {
            let why = "matches an empty text, so it would match everywhere";
            return Err((at, why.into()));
        }
        Ok(regex)
    });
    compiled.collect()
}

fn wrong(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => {
            "is too large: it would take more than 256 KiB of memory. Most of that is \\w, \\d and \\s, which mean \
             the letters, digits and spaces of all languages: write [A-Za-z0-9_], [0-9] or a space, or begin the \
             pattern with (?-u)"
                .into()
        }
        // The last line says what is wrong; those before it point at the place with characters.
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            let why = last.trim_start_matches("error: ");
            format!("is not a valid regular expression: {why}")
        }
    }
}

/// The rules of a model.
pub(crate) struct Rules {
    inputs: Part,
    outputs: Part,
    attributes: Part,
    salt: String,
    hasher: Hasher,
}

/// The rules of a part of its predictions.
struct Part {
    keep: Keep,
    sample: f64,
    pointers: Vec<Vec<String>>,
    patterns: Vec<Regex>,
}

impl Part {
    fn of(keeping: &Keeping) -> Self {
        let pointers = keeping.redact_pointers.iter();
        let compiled = compile(&keeping.redact_patterns);
        Self {
            keep: match &compiled {
                Ok(_) => keeping.keep,
                Err((at, why)) => {
                    tracing::error!(
                        pattern = at,
                        why,
                        "a pattern cannot be used: nothing is kept"
                    );
                    Keep::None
                }
            },
            sample: keeping.sample_percent,
            pointers: pointers
                .map(|pointer| JsonPointer::parts(pointer).collect())
                .collect(),
            patterns: compiled.unwrap_or_default(),
        }
    }

    /// What is kept of it for a unit, which stands at a place from 0 to 100.
    fn keep(&self, place: f64) -> Keep {
        // 100 percent is everybody.
        match self.sample >= 100.0 || place < self.sample {
            true => self.keep,
            false => Keep::None,
        }
    }

    fn redacts(&self) -> bool {
        !self.pointers.is_empty() || !self.patterns.is_empty()
    }

    /// A JSON text without what is redacted; nothing where all of it is as it was.
    fn redact(&self, json: &str, until: Instant) -> Option<String> {
        let pointers: Vec<&[String]> = self.pointers.iter().map(Vec::as_slice).collect();
        let cut = match pointers.is_empty() {
            true => None,
            false => cut(json, &pointers).unwrap_or_else(|_| Some(quoted(REDACTED))),
        };
        let text = cut.as_deref().unwrap_or(json);
        match aside(text.len(), || look_through(text, &self.patterns, until)) {
            Ok(None) => cut,
            Ok(Some(found)) if found.len() <= json.len() + LONGER => Some(found),
            Ok(Some(_)) | Err(TooLong) => Some(quoted(REDACTED)),
        }
    }

    /// A plain text without what is redacted.
    fn redact_text(&self, text: &str, until: Instant) -> Option<String> {
        let looked = match self.patterns.is_empty() {
            true => return None,
            false => aside(text.len(), || replaced(text, &self.patterns, until)),
        };
        match looked {
            Ok(None) => None,
            Ok(Some(found)) if found.len() <= text.len() + LONGER => Some(found),
            Ok(Some(_)) | Err(TooLong) => Some(REDACTED.into()),
        }
    }
}

impl Rules {
    /// The rules of a model with a salt; nothing where all is kept as it is.
    pub(crate) fn of(privacy: &Privacy, salt: &str, hasher: &Hasher) -> Option<Arc<Self>> {
        (*privacy != Privacy::default()).then(|| {
            Arc::new(Self {
                inputs: Part::of(&privacy.inputs),
                outputs: Part::of(&privacy.outputs),
                attributes: Part::of(&privacy.attributes),
                salt: salt.to_owned(),
                hasher: hasher.clone(),
            })
        })
    }

    /// Where a unit stands, from 0 to 100.
    fn place(&self, unit: &str) -> f64 {
        let digest = Sha256::new()
            .chain_update(self.salt.as_bytes())
            .chain_update(b"\0kept\0")
            .chain_update(unit.as_bytes())
            .finalize();
        let bits = u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"));
        (bits >> 11) as f64 / (1u64 << 53) as f64 * 100.0
    }

    /// A prediction as it is kept.
    pub(crate) fn of_prediction(&self, record: &PredictionRecord) -> PredictionRecord {
        let until = Instant::now() + LOOK_FOR;
        let own = record.id.to_string();
        let unit = record
            .unit_id
            .as_ref()
            .map_or(own.as_str(), |id| id.as_str());
        let place = self.place(unit);
        let (input, input_kept) = self.input(&record.input, place, until);
        let (attributes, attributes_kept) = self.attributes(&record.attributes, place, until);
        let (outcome, output_kept) = self.outcome(&record.outcome, place, until);
        PredictionRecord {
            input,
            attributes,
            outcome,
            kept: Kept {
                input: input_kept,
                output: output_kept,
                attributes: attributes_kept,
            },
            unit_id: record.unit_id.clone(),
            alias: record.alias.clone(),
            request: record.request.clone(),
            ..*record
        }
    }

    /// What a version made of a copy, as it is kept. Its unit is not known here, so it is in the sample as the prediction is
    /// that it mirrors: by that one's `unit`.
    pub(crate) fn of_shadow(&self, shadow: &ShadowRecord, unit: Option<&str>) -> ShadowRecord {
        let until = Instant::now() + LOOK_FOR;
        let own = shadow.mirrors.to_string();
        let place = self.place(unit.unwrap_or(&own));
        let (outcome, kept) = self.outcome(&shadow.outcome, place, until);
        ShadowRecord {
            outcome,
            kept,
            ..*shadow
        }
    }

    fn input(&self, input: &Input, place: f64, until: Instant) -> (Input, KeptPart) {
        let part = &self.inputs;
        let empty = |input: &Input| match input {
            Input::Text(_) => Input::Text(String::new()),
            Input::Json(_) => Input::Json(Json::default()),
        };
        match (part.keep(place), input) {
            (Keep::None, input) => (empty(input), KeptPart::None),
            (Keep::Hashed, Input::Text(text)) => {
                let hash = self.hasher.value(&Value::from(text.as_str()));
                (Input::Text(hash), KeptPart::Hashed)
            }
            (Keep::Hashed, Input::Json(json)) => {
                let hash = Json::text(&self.hasher.json(json));
                (Input::Json(hash), KeptPart::Hashed)
            }
            (Keep::Full, Input::Text(text)) => match part.redact_text(text, until) {
                None => (input.clone(), KeptPart::Full),
                Some(text) => (Input::Text(text), KeptPart::Redacted),
            },
            (Keep::Full, Input::Json(json)) => match redacted(part, json, until) {
                None => (input.clone(), KeptPart::Full),
                Some(json) => (Input::Json(json), KeptPart::Redacted),
            },
        }
    }

    fn attributes(
        &self,
        attributes: &Attributes,
        place: f64,
        until: Instant,
    ) -> (Attributes, KeptPart) {
        let part = &self.attributes;
        let keep = part.keep(place);
        if attributes.is_empty() || (keep == Keep::Full && !part.redacts()) {
            return (attributes.clone(), KeptPart::Full);
        }
        if keep == Keep::None {
            return (Attributes::default(), KeptPart::None);
        }
        let mut changed = false;
        let kept = attributes.map(|name, value| {
            let json = Value::from(value);
            if keep == Keep::Hashed {
                return AttributeValue::Text(self.hasher.value(&json));
            }
            let is_named = |pointer: &Vec<String>| pointer.len() == 1 && matches(&pointer[0], name);
            let text = match value {
                AttributeValue::Text(text) => text.clone(),
                _ => json.to_string(),
            };
            let found = match part.pointers.iter().any(is_named) {
                true => Some(REDACTED.to_owned()),
                false => part.redact_text(&text, until),
            };
            changed |= found.is_some();
            found.map_or_else(|| value.clone(), AttributeValue::Text)
        });
        let part = match (keep, changed) {
            (Keep::Hashed, _) => KeptPart::Hashed,
            (_, true) => KeptPart::Redacted,
            (_, false) => KeptPart::Full,
        };
        (kept, part)
    }

    fn outcome(&self, outcome: &Outcome, place: f64, until: Instant) -> (Outcome, KeptPart) {
        let part = &self.outputs;
        let keep = part.keep(place);
        // An error may repeat what came in.
        let all = keep == Keep::Full && self.inputs.keep(place) == Keep::Full;
        let mut changed = false;
        let error = outcome.error.as_ref().map(|error| {
            if !all || !self.inputs.pointers.is_empty() {
                return NOT_KEPT.to_owned();
            }
            let first = self.inputs.redact_text(error, until);
            let text = first.as_deref().unwrap_or(error);
            let second = part.redact_text(text, until);
            second.or(first).unwrap_or_else(|| error.clone())
        });
        let mut kept_json = |json: &Json| match keep {
            Keep::None => Json::default(),
            Keep::Hashed => Json::text(&self.hasher.json(json)),
            Keep::Full => redacted(part, json, until).map_or_else(
                || json.clone(),
                |json| {
                    changed = true;
                    json
                },
            ),
        };
        let answer = outcome.answer.as_ref().map(|(served, output)| {
            let prediction = kept_json(&output.prediction);
            let outputs = output.outputs.as_ref().map(|outputs| match keep {
                Keep::Hashed => members_hashed(outputs, &self.hasher),
                _ => kept_json(outputs),
            });
            let output = Output {
                prediction,
                confidence: output.confidence,
                outputs,
            };
            (*served, output)
        });
        let partial = outcome.partial.as_ref().map(|partial| match keep {
            Keep::Hashed => members_hashed(partial, &self.hasher),
            _ => kept_json(partial),
        });
        let nothing = answer.is_none() && partial.is_none();
        let kept = match (keep, changed) {
            // There is nothing that could be missing.
            _ if nothing => KeptPart::Full,
            (Keep::None, _) => KeptPart::None,
            (Keep::Hashed, _) => KeptPart::Hashed,
            (Keep::Full, true) => KeptPart::Redacted,
            (Keep::Full, false) => KeptPart::Full,
        };
        let outcome = Outcome {
            answer,
            partial,
            error,
            ..outcome.clone()
        };
        (outcome, kept)
    }
}

fn redacted(part: &Part, json: &Json, until: Instant) -> Option<Json> {
    let text = part.redact(json.as_str(), until)?;
    Some(Json::parse(text).unwrap_or_else(|_| Json::text(REDACTED)))
}

/// An object with the hash of each member.
fn members_hashed(json: &Json, hasher: &Hasher) -> Json {
    let members: serde_json::Map<String, Value> = match serde_json::from_str(json.as_str()) {
        Ok(Value::Object(members)) => members,
        _ => return Json::from(&Value::Object(serde_json::Map::new())),
    };
    let hashed = members.into_iter().map(|(key, value)| {
        let hash = hasher.value(&value);
        (key, Value::from(hash))
    });
    Json::from(&Value::Object(hashed.collect()))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Whether a part of a pointer means a key or a place.
fn matches(part: &str, key: &str) -> bool {
    part == "*" || part == key
}

/// The members of an object as they stand there, those with the same key too; or the items of a list with their places.
struct Members<'a>(Vec<(String, &'a RawValue)>);

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((key, value)) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            members.push((key.into_owned(), value));
        }
        Ok(Members(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(value) = items.next_element()? {
            members.push((members.len().to_string(), value));
        }
        Ok(Members(members))
    }
}

/// A JSON text without what pointers point at; nothing where they point at nothing.
///
/// # Errors
/// When it cannot be read.
fn cut(json: &str, pointers: &[&[String]]) -> serde_json::Result<Option<String>> {
    let is_list = match json.trim_start().as_bytes().first() {
        Some(b'{') => false,
        Some(b'[') => true,
        _ => return Ok(None),
    };
    let mut reader = serde_json::Deserializer::from_str(json);
    let Members(members) = reader.deserialize_any(MembersVisitor)?;
    let mut text = String::with_capacity(json.len());
    let mut changed = false;
    text.push(if is_list { '[' } else { '{' });
    for (at, (key, value)) in members.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        if !is_list {
            text.push_str(&quoted(key));
            text.push(':');
        }
        let below: Vec<&[String]> = pointers
            .iter()
            .filter_map(|pointer| pointer.split_first())
            .filter(|(first, _)| matches(first, key))
            .map(|(_, rest)| rest)
            .collect();
        let found = if below.iter().any(|rest| rest.is_empty()) {
            Some(quoted(REDACTED))
        } else if below.is_empty() {
            None
        } else {
            cut(value.get(), &below)?
        };
        changed |= found.is_some();
        text.push_str(found.as_deref().unwrap_or(value.get()));
    }
    text.push(if is_list { ']' } else { '}' });
    Ok(changed.then_some(text))
}

/// Runs what may take long so that other requests go on.
fn aside<T>(bytes: usize, look: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let many_threads = Handle::try_current()
        .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    match bytes > ASIDE && many_threads {
        true => tokio::task::block_in_place(look),
        false => look(),
    }
}

/// Looking through it took too long.
#[derive(Debug)]
struct TooLong;

/// A text with what patterns find replaced; nothing where they find nothing.
fn replaced(text: &str, patterns: &[Regex], until: Instant) -> Result<Option<String>, TooLong> {
    let mut result: Option<String> = None;
    for pattern in patterns {
        let text = result.as_deref().unwrap_or(text);
        if let Some(found) = replaced_by(text, pattern, until)? {
            result = Some(found);
        }
    }
    Ok(result)
}

fn replaced_by(text: &str, pattern: &Regex, until: Instant) -> Result<Option<String>, TooLong> {
    if text.len() > LONGEST {
        return Err(TooLong);
    }
    let mut result: Option<String> = None;
    let (mut from, mut copied) = (0, 0);
    while from <= text.len() {
        // Each search is linear in the text; many that find little are not, together.
        if Instant::now() > until {
            return Err(TooLong);
        }
        let Some(found) = pattern.find_at(text, from) else {
            break;
        };
        // At the edge of a word, where there is nothing to replace.
        if found.is_empty() {
            from = next_char(text, found.end());
            continue;
        }
        let result = result.get_or_insert_default();
        result.push_str(&text[copied..found.start()]);
        result.push_str(REDACTED);
        (from, copied) = (found.end(), found.end());
    }
    // The last search may have been the long one.
    if Instant::now() > until {
        return Err(TooLong);
    }
    Ok(result.map(|mut result| {
        result.push_str(&text[copied..]);
        result
    }))
}

/// Behind the character at a place.
fn next_char(text: &str, at: usize) -> usize {
    text[at..]
        .chars()
        .next()
        .map_or(at + 1, |c| at + c.len_utf8())
}

/// The same in the texts, keys and numbers of a JSON text, in one pass.
fn look_through(json: &str, patterns: &[Regex], until: Instant) -> Result<Option<String>, TooLong> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let bytes = json.as_bytes();
    let mut result: Option<String> = None;
    let (mut at, mut copied) = (0, 0);
    while at < bytes.len() {
        let end = match bytes[at] {
            b'"' => text_end(bytes, at),
            b'-' | b'0'..=b'9' => number_end(bytes, at),
            _ => {
                at += 1;
                continue;
            }
        };
        let token = &json[at..end];
        let found = if token.starts_with('"') {
            match serde_json::from_str::<String>(token) {
                Ok(text) => replaced(&text, patterns, until)?.map(|text| quoted(&text)),
                // Half of a surrogate pair: what it says cannot be looked at.
                Err(_) => Some(quoted(REDACTED)),
            }
        } else {
            let found = replaced(token, patterns, until)?;
            found.map(|_| quoted(REDACTED))
        };
        if let Some(found) = found {
            let result = result.get_or_insert_default();
            result.push_str(&json[copied..at]);
            result.push_str(&found);
            copied = end;
        }
        at = end;
    }
    Ok(result.map(|mut result| {
        result.push_str(&json[copied..]);
        result
    }))
}

/// Behind a text in quotes that begins at a place.
fn text_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn number_end(bytes: &[u8], from: usize) -> usize {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let length = bytes[from..]
        .iter()
        .take_while(|byte| is_part(byte))
        .count();
    from + length
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hasher() -> Hasher {
        Hasher::new(hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]))
    }

    fn part(pointers: &[&str], patterns: &[&str]) -> Part {
        Part::of(&Keeping {
            redact_pointers: pointers.iter().map(ToString::to_string).collect(),
            redact_patterns: patterns.iter().map(ToString::to_string).collect(),
            ..Keeping::default()
        })
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// What the documentation shows, and what people are likely to write, can be used.
    #[test]
    fn patterns_of_all_languages_fit() {
        let page = include_str!("../../../docs/privacy.md");
        let shown = page
            .split("```json")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        let shown: serde_json::Value = serde_json::from_str(shown.unwrap()).unwrap();
        let shown = shown["inputs"]["redact_patterns"].as_array().unwrap();
        let shown: Vec<String> = shown.iter().map(|it| it.as_str().unwrap().into()).collect();
        assert_eq!(compile(&shown).unwrap().len(), 2);
        let iban = r"[A-Z]{2}\d{2}( ?\w{4}){3,7}( ?\w{1,4})?";
        let (_, why) = compile(&[iban.to_owned()]).unwrap_err();
        assert!(why.contains("(?-u)"), "{why}");
        compile(&[format!("(?-u){iban}")]).unwrap();
    }

    #[test]
    fn what_pointers_point_at_goes_and_the_rest_stays_as_it_came() {
        for (pointers, json, kept) in [
            (
                &["/email"][..],
                r#"{"a": 1.50, "email": "x@y"}"#,
                r#"{"a":1.50,"email":"[redacted]"}"#,
            ),
            // One that stands there twice is there twice.
            (
                &["/email"],
                r#"{"email":1,"email":{"a":2}}"#,
                r#"{"email":"[redacted]","email":"[redacted]"}"#,
            ),
            (
                &["/m/*/content"],
                r#"{"m":[{"role":"user","content":"hi"},{"content":[1]}]}"#,
                r#"{"m":[{"role":"user","content":"[redacted]"},{"content":"[redacted]"}]}"#,
            ),
            (&["/a/1"], r#"{"a":[1,2,3]}"#, r#"{"a":[1,"[redacted]",3]}"#),
            // A key that is written with escapes is the same key.
            (
                &["/email"],
                r#"{"\u0065mail":"x"}"#,
                r#"{"email":"[redacted]"}"#,
            ),
            (
                &["/a~1b"],
                r#"{"a/b":12345678901234567890123}"#,
                r#"{"a/b":"[redacted]"}"#,
            ),
        ] {
            assert_eq!(
                part(pointers, &[]).redact(json, soon()).as_deref(),
                Some(kept),
                "{json}"
            );
        }
        for json in [r#"{"other":1}"#, "[1]", "3", r#""/email""#] {
            assert_eq!(
                part(&["/email/a"], &[]).redact(json, soon()),
                None,
                "{json}"
            );
        }
    }

    #[test]
    fn patterns_find_texts_keys_and_numbers_however_they_are_written() {
        let part = part(&[], &[r"[\w.]+@[\w.]+", r"\b\d{16}\b"]);
        for (json, kept) in [
            (
                r#"{"to":"ask a@b.c now"}"#,
                r#"{"to":"ask [redacted] now"}"#,
            ),
            (r#"{"to":"ask \u0061@b.c"}"#, r#"{"to":"ask [redacted]"}"#),
            (r#"{"a@b.c":1}"#, r#"{"[redacted]":1}"#),
            (r#"[4111111111111111,1]"#, r#"["[redacted]",1]"#),
            (r#"["\ud800 a@b.c"]"#, r#"["[redacted]"]"#),
            (r#""a@b.c and d@e.f""#, r#""[redacted] and [redacted]""#),
        ] {
            assert_eq!(part.redact(json, soon()).as_deref(), Some(kept), "{json}");
        }
        assert_eq!(part.redact(r#"{"to": "nobody", "n": 1.50}"#, soon()), None);
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_refused_with_its_place() {
        let compiled = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            compile(&patterns).map(|compiled| compiled.len())
        };
        assert_eq!(compiled(&[]), Ok(0));
        assert_eq!(compiled(&["a", "(?i)b", "(?x) c # comment"]), Ok(3));
        for (patterns, at) in [
            (&["a", "("][..], 1),
            // It would close the group that it stands in.
            (&["a)(b"], 0),
            (&["x*"], 0),
            (&["(?:a{1000}){1000}"], 0),
        ] {
            assert_eq!(compiled(patterns).unwrap_err().0, at, "{patterns:?}");
        }
    }

    #[test]
    fn what_takes_too_long_to_look_through_is_not_kept() {
        // Each search runs to the end of the text and finds one character.
        let part = part(&[], &[".*[^a-z]|[a-z]"]);
        let text = format!("\"{}\"", "a".repeat(1 << 20));
        let began = Instant::now();
        let kept = part.redact(&text, began + LOOK_FOR);
        assert_eq!(kept.as_deref(), Some(r#""[redacted]""#));
    }

    #[test]
    fn equal_values_have_equal_hashes() {
        let hasher = hasher();
        let of = |value: Value| hasher.value(&value);
        assert_eq!(of(json!(1)), of(json!(1.0)));
        assert_eq!(of(json!(1)), of(json!("1.0")));
        assert_eq!(
            hasher.json(&Json::parse(r#"{"b":1,"a":[2]}"#.into()).unwrap()),
            of(json!({"a": [2.0], "b": 1}))
        );
        let different = [
            json!(1),
            json!("one"),
            json!(true),
            json!(null),
            json!([1]),
            json!({"1": 1}),
            json!([[1], 2]),
            json!([1, 2]),
            json!(9_007_199_254_740_993_u64),
            json!(9_007_199_254_740_992_u64),
        ];
        let hashes: std::collections::HashSet<String> =
            different.iter().map(|value| of(value.clone())).collect();
        assert_eq!(hashes.len(), different.len());
        let other = Hasher::new(hmac::Key::new(hmac::HMAC_SHA256, &[8; 32]));
        assert_ne!(other.value(&json!(1)), of(json!(1)));
    }

    #[test]
    fn a_sample_is_the_same_units_each_time_and_about_as_many_as_were_asked_for() {
        let privacy = Privacy {
            inputs: Keeping {
                sample_percent: 10.0,
                ..Keeping::default()
            },
            ..Privacy::default()
        };
        let rules = Rules::of(&privacy, "salt", &hasher()).unwrap();
        let kept = (0..10_000)
            .filter(|n| rules.inputs.keep(rules.place(&format!("unit {n}"))) == Keep::Full);
        let kept = kept.count();
        // Five standard deviations are 150.
        assert!((850..1150).contains(&kept), "{kept}");
        assert_eq!(rules.place("a"), rules.place("a"));
    }
}
