//! What a caller says of who asks: country, device, plan.

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The most that a request may have.
pub const MAX_ATTRIBUTES: usize = 32;
/// The longest name, in characters.
const MAX_NAME: usize = 64;
/// The longest text, in characters.
const MAX_TEXT: usize = 200;
/// Whole numbers beyond this do not all fit into a floating number: 2⁵³.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// Why something is no attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAttribute {
    /// There are too many.
    #[error("must have at most {MAX_ATTRIBUTES} attributes, has {0}")]
    TooMany(usize),
    /// Its name cannot stand in a condition.
    #[error(
        "must have a name of letters, digits, '_', '-' and '.' that begins with a letter or '_' and has at most \
         {MAX_NAME} characters"
    )]
    Name,
    /// Two have one name.
    #[error("is given twice")]
    Twice,
    /// A text is too long.
    #[error("must have at most {MAX_TEXT} characters, has {0}")]
    TooLong(usize),
    /// A text has characters that no screen can show.
    #[error("must not contain control characters")]
    Control,
    /// A number would not be what was sent.
    #[error("must be a number that is finite and below 2^53; send long ids as texts")]
    Number,
    /// It is a list, an object or null.
    #[error("must be a text, a number, or true or false")]
    Kind,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// A text.
    Text(String),
    /// A number, finite.
    Number(f64),
    /// Yes or no.
    Bool(bool),
}

impl AttributeValue {
    /// Checks a value that came as JSON.
    ///
    /// # Errors
    /// When it is no text, number or boolean, or too long or too large.
    pub fn parse(value: serde_json::Value) -> Result<Self, InvalidAttribute> {
        match value {
            serde_json::Value::String(text) => {
                let chars = text.chars().count();
                if chars > MAX_TEXT {
                    return Err(InvalidAttribute::TooLong(chars));
                }
                if text.chars().any(char::is_control) {
                    return Err(InvalidAttribute::Control);
                }
                Ok(Self::Text(text))
            }
            serde_json::Value::Number(number) => {
                let number = number.as_f64().filter(|number| number.is_finite());
                let number =
                    number.filter(|number| number.fract() != 0.0 || number.abs() < MAX_WHOLE);
                number.map(Self::Number).ok_or(InvalidAttribute::Number)
            }
            serde_json::Value::Bool(yes) => Ok(Self::Bool(yes)),
            serde_json::Value::Null
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => Err(InvalidAttribute::Kind),
        }
    }
}

impl AttributeValue {
    /// It as a number: true is 1 and false 0; `None` for a text.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Text(_) => None,
            Self::Number(number) => Some(*number),
            Self::Bool(yes) => Some(f64::from(*yes)),
        }
    }
}

impl From<&AttributeValue> for serde_json::Value {
    fn from(value: &AttributeValue) -> Self {
        serde_json::to_value(value).unwrap_or_default()
    }
}

impl Serialize for AttributeValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            // As people write it: 3, and not 3.0.
            Self::Number(number) if number.fract() == 0.0 && number.abs() < MAX_WHOLE => {
                serializer.serialize_i64(*number as i64)
            }
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Bool(yes) => serializer.serialize_bool(*yes),
        }
    }
}

impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Self::parse(value).map_err(serde::de::Error::custom)
    }
}

/// Whether a text can be the name of an attribute.
pub fn is_attribute_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let first = name.chars().next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name.len() <= MAX_NAME
        && name.chars().all(plain)
}

/// Attributes by name, each once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes(Vec<(String, AttributeValue)>);

impl Attributes {
    /// Checks attributes as they came; the error has the name of the one that is wrong.
    ///
    /// # Errors
    /// When there are too many, a name cannot be one or stands twice, or a value cannot be one.
    pub fn parse(
        given: Vec<(String, serde_json::Value)>,
    ) -> Result<Self, (Option<String>, InvalidAttribute)> {
        if given.len() > MAX_ATTRIBUTES {
            return Err((None, InvalidAttribute::TooMany(given.len())));
        }
        let mut known: Vec<(String, AttributeValue)> = Vec::with_capacity(given.len());
        for (name, value) in given {
            if !is_attribute_name(&name) {
                return Err((Some(name), InvalidAttribute::Name));
            }
            match AttributeValue::parse(value) {
                Ok(value) => known.push((name, value)),
                Err(error) => return Err((Some(name), error)),
            }
        }
        known.sort_by(|a, b| a.0.cmp(&b.0));
        let twice = known.windows(2).find(|two| two[0].0 == two[1].0);
        match twice {
            Some(two) => Err((Some(two[0].0.clone()), InvalidAttribute::Twice)),
            None => Ok(Self(known)),
        }
    }

    /// The value of one.
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        let at = self
            .0
            .binary_search_by(|(known, _)| known.as_str().cmp(name));
        at.ok().map(|at| &self.0[at].1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same names with other values.
    #[must_use]
    pub fn map(&self, mut value: impl FnMut(&str, &AttributeValue) -> AttributeValue) -> Self {
        let each = self.0.iter();
        Self(
            each.map(|(name, known)| (name.clone(), value(name, known)))
                .collect(),
        )
    }

    /// Each, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AttributeValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Members::deserialize(deserializer)?;
        Self::parse(members.0).map_err(|(name, error)| {
            serde::de::Error::custom(format_args!("{}: {error}", name.unwrap_or_default()))
        })
    }
}

/// Members of a JSON object in the order in which they came, those with one name included.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Members(pub Vec<(String, serde_json::Value)>);

impl From<Attributes> for Members {
    fn from(attributes: Attributes) -> Self {
        let value = |value: AttributeValue| {
            serde_json::to_value(value).expect("texts, numbers and booleans are JSON")
        };
        let members = attributes.0.into_iter();
        Self(members.map(|(name, of)| (name, value(of))).collect())
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Attributes, (Option<String>, InvalidAttribute)> {
        Attributes::parse(serde_json::from_str::<Members>(json).unwrap().0)
    }

    #[test]
    fn attributes_are_checked_and_come_back_as_they_were_sent() {
        let found = parse(r#"{"plan": "pro", "age": 3, "beta": true, "score": -0.5}"#).unwrap();
        let json = serde_json::to_string(&found).unwrap();
        assert_eq!(json, r#"{"age":3,"beta":true,"plan":"pro","score":-0.5}"#);
        assert_eq!(found.get("age"), Some(&AttributeValue::Number(3.0)));
        assert_eq!(found.get("country"), None);
        let name = |name: &str| Some(name.to_owned());
        for (json, want) in [
            (r#"{"a": 1, "a": 2}"#, (name("a"), InvalidAttribute::Twice)),
            (r#"{"": 1}"#, (name(""), InvalidAttribute::Name)),
            (r#"{"a b": 1}"#, (name("a b"), InvalidAttribute::Name)),
            (r#"{"1a": 1}"#, (name("1a"), InvalidAttribute::Name)),
            (r#"{"a": null}"#, (name("a"), InvalidAttribute::Kind)),
            (r#"{"a": [1]}"#, (name("a"), InvalidAttribute::Kind)),
            (
                r#"{"a": 9007199254740993}"#,
                (name("a"), InvalidAttribute::Number),
            ),
            (
                r#"{"a": "x\u0000"}"#,
                (name("a"), InvalidAttribute::Control),
            ),
        ] {
            assert_eq!(parse(json), Err(want), "{json}");
        }
        let many: Vec<String> = (0..33).map(|n| format!(r#""a{n}": {n}"#)).collect();
        let many = parse(&format!("{{{}}}", many.join(",")));
        assert_eq!(many, Err((None, InvalidAttribute::TooMany(33))));
        let long = parse(&format!(r#"{{"a": "{}"}}"#, "x".repeat(201)));
        assert_eq!(long, Err((name("a"), InvalidAttribute::TooLong(201))));
    }
}
