//! JSON as it was written.

use crate::JsonPointer;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// How deeply it may be nested: whoever reads it as a value takes no more.
const MOST_NESTED: usize = 127;

/// Any JSON, as the text that came: no number loses a digit, no key its place, and nothing is made of it that is larger than
/// it. Clones are cheap.
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

/// Why a text is not taken as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJson {
    /// It is none.
    #[error("is no JSON: {0}")]
    Syntax(String),
    /// It is nested too deeply.
    #[error("must be nested at most {MOST_NESTED} levels deep")]
    Nested,
}

impl Json {
    /// Takes a text that is JSON.
    ///
    /// # Errors
    /// When it is none, or nested too deeply.
    pub fn parse(text: String) -> Result<Self, InvalidJson> {
        let raw = RawValue::from_string(text);
        Self::checked(raw.map_err(|error| InvalidJson::Syntax(error.to_string()))?)
    }

    /// A text as a JSON string.
    pub fn text(text: &str) -> Self {
        Self::from(&Value::from(text))
    }

    /// An object with members as they are.
    pub fn object(members: &[(&str, Self)]) -> Self {
        let mut text = String::from("{");
        for (at, (name, value)) in members.iter().enumerate() {
            text.push_str(if at == 0 { "" } else { "," });
            text.push_str(&Value::from(*name).to_string());
            text.push(':');
            text.push_str(value.as_str());
        }
        text.push('}');
        Self(
            RawValue::from_string(text)
                .expect("members are JSON")
                .into(),
        )
    }

    fn checked(raw: Box<RawValue>) -> Result<Self, InvalidJson> {
        if nested(raw.get()) > MOST_NESTED {
            return Err(InvalidJson::Nested);
        }
        Ok(Self(raw.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// What stands at a pointer, as it is; of a key that stands there several times, the last one.
    pub fn at(&self, pointer: &JsonPointer) -> Option<Self> {
        let mut found: &RawValue = &self.0;
        for part in JsonPointer::parts(pointer.as_str()) {
            found = match found.get().as_bytes().first()? {
                b'{' => {
                    let members: HashMap<Cow<'_, str>, &RawValue> =
                        serde_json::from_str(found.get()).ok()?;
                    members.get(part.as_str()).copied()?
                }
                b'[' => {
                    // As in RFC 6901: no sign, and no zero before other digits.
                    let place: usize = part.parse().ok()?;
                    let items: Vec<&RawValue> = serde_json::from_str(found.get()).ok()?;
                    let item = items.get(place).filter(|_| part == place.to_string());
                    item.copied()?
                }
                _ => return None,
            };
        }
        Some(Self(found.to_owned().into()))
    }

    /// How deeply it is nested: a text or a number is not, an empty array is once.
    pub fn depth(&self) -> usize {
        nested(self.as_str())
    }

    /// What it says; null where a number is too large for any, or a text has half of a surrogate pair.
    pub fn value(&self) -> Value {
        serde_json::from_str(self.as_str()).unwrap_or_default()
    }
}

impl From<&str> for Json {
    /// A text, not what it may say as JSON.
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        let raw = serde_json::value::to_raw_value(value);
        Self(raw.expect("a value is JSON").into())
    }
}

impl Default for Json {
    fn default() -> Self {
        Self(RawValue::NULL.to_owned().into())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::checked(Box::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// How deeply a JSON text is nested.
fn nested(json: &str) -> usize {
    let (mut depth, mut most, mut in_text, mut escaped) = (0usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                most = most.max(depth);
            }
            b']' | b'}' if !in_text => depth -= 1,
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_changed_and_nothing_too_deep_is_taken() {
        for text in [
            r#"{"b": 12345678901234567890123, "a" :[1.0, 1e2,{}],"a":"\u00e9\"[[" }"#,
            "1e400",
            r#""\ud800""#,
            "null",
        ] {
            let json = Json::parse(text.into()).unwrap();
            assert_eq!(serde_json::to_string(&json).unwrap(), text);
            let again: Json = serde_json::from_str(text).unwrap();
            assert_eq!(json, again);
        }
        for text in ["", "{", "1 2", "nul", r#"{"a":}"#] {
            assert!(Json::parse(text.into()).is_err(), "{text}");
        }
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Json::parse(deep(127)).is_ok());
        let value = Json::parse(deep(127)).unwrap().value();
        assert!(value.is_array());
        assert_eq!(Json::parse(deep(128)), Err(InvalidJson::Nested));
        assert!(serde_json::from_str::<Json>(&deep(100_000)).is_err());
        let reply = Json::parse(r#"{"a": [{"b~/": 1e3}, [ 2 ]], "a\n": 3}"#.into()).unwrap();
        for (pointer, found) in [
            ("", Some(reply.as_str())),
            ("/a/0/b~0~1", Some("1e3")),
            ("/a/1", Some("[ 2 ]")),
            ("/a\n", Some("3")),
            ("/a/01", None),
            ("/a/2", None),
            ("/b", None),
            ("/a\n/c", None),
        ] {
            let at = reply.at(&JsonPointer::parse(pointer).unwrap());
            assert_eq!(at.as_ref().map(Json::as_str), found, "{pointer}");
        }
        assert_eq!(
            Json::from(&serde_json::json!({"a": [1]})).as_str(),
            r#"{"a":[1]}"#
        );
    }
}
