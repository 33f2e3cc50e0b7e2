//! Keys of callers, and what their holders may do.

use crate::{KeyId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;

crate::words! {
    /// What the holder of a key is there for.
    pub enum Role as "Role" {
        /// Sees models, experiments, results and the audit, but nothing that anybody has sent.
        Viewer = "viewer",
        /// Asks for predictions and decisions, and tells what came of them.
        Predictor = "predictor",
        /// Sees also what was sent and answered, and evaluates it.
        Analyst = "analyst",
        /// Does all of that, and changes models, traffic, experiments and webhooks.
        Operator = "operator",
        /// Does everything, keys included.
        Admin = "admin",
    }
}

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// To see how things are.
    Read,
    /// To ask for predictions and tell what came of them.
    Predict,
    /// To see what was sent and answered.
    Analyse,
    /// To change models, traffic, experiments and webhooks.
    Change,
    /// To give keys.
    Administer,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Read,
        Self::Predict,
        Self::Analyse,
        Self::Change,
        Self::Administer,
    ];
}

impl Role {
    /// Whether it has a right.
    pub fn may(self, right: Right) -> bool {
        match self {
            Self::Viewer => right == Right::Read,
            Self::Predictor => right == Right::Predict,
            Self::Analyst => matches!(right, Right::Read | Right::Analyse),
            Self::Operator => right != Right::Administer,
            Self::Admin => true,
        }
    }

    /// The roles that have a right, in words.
    pub fn with(right: Right) -> String {
        let roles = Self::ALL.iter().filter(|role| role.may(right));
        let words: Vec<&str> = roles.map(|role| role.as_str()).collect();
        match words.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }
}

/// The longest pattern, in characters.
const MAX_PATTERN: usize = 200;
/// The most patterns of a key.
pub const MAX_PATTERNS: usize = 20;

/// A pattern of names of models: `*` stands for any characters, everything else for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamePattern(String);

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a name of a model, in which * may stand for any characters, such as fraud-*: 1 to 200 characters, none of them a control character"
)]
pub struct InvalidPattern;

impl TryFrom<String> for NamePattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        let length = text.chars().count();
        let odd = text.chars().any(char::is_control);
        if length == 0 || length > MAX_PATTERN || odd {
            return Err(InvalidPattern);
        }
        Ok(Self(text))
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> Self {
        pattern.0
    }
}

impl NamePattern {
    /// Whether a name fits. It takes at most the product of both lengths.
    pub fn fits(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut at, mut n) = (0, 0);
        // The last star, and how much of the name it stands for so far.
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at, n));
                    at += 1;
                }
                Some(byte) if *byte == name[n] => {
                    at += 1;
                    n += 1;
                }
                _ => {
                    let Some((star_at, taken)) = star else {
                        return false;
                    };
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    n = taken + 1;
                }
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

/// The models that somebody may deal with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(Vec<NamePattern>);

impl Scope {
    /// Those that fit one of the patterns; all where there are none.
    pub fn new(patterns: Vec<NamePattern>) -> Self {
        Self(patterns)
    }

    /// Whether it is every model.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a model is among them.
    pub fn has(&self, name: &str) -> bool {
        self.is_all() || self.0.iter().any(|pattern| pattern.fits(name))
    }

    /// The patterns.
    pub fn patterns(&self) -> &[NamePattern] {
        &self.0
    }
}

/// A key that callers have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Identifies it. It is the first part of the key itself.
    pub id: KeyId,
    /// When it was made.
    pub created_at: Timestamp,
    /// What its holder may do.
    pub definition: KeyDefinition,
}

/// What the holder of a key may do. It is stored in the form it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDefinition {
    /// What he is there for.
    #[serde(with = "role")]
    pub role: Role,
    /// The models he may deal with.
    #[serde(default)]
    pub models: Scope,
    /// What the key is for.
    #[serde(default)]
    pub description: Option<String>,
    /// From when on it is refused, in microseconds.
    #[serde(default, with = "micros")]
    pub expires_at: Option<Timestamp>,
    /// How many requests a second it is taken for; any number where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<NonZeroU32>,
    /// How many of its requests may be under way at once; any number where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_requests: Option<NonZeroU32>,
}

mod role {
    use super::Role;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(role.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Role, D::Error> {
        let word = String::deserialize(deserializer)?;
        crate::find_word(&word).map_err(D::Error::custom)
    }
}

mod micros {
    use crate::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(Timestamp::micros).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let micros = Option::<i64>::deserialize(deserializer)?;
        Ok(micros.map(Timestamp::from_micros))
    }
}

impl KeyDefinition {
    /// Whether the key is taken at a moment.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires| now < expires)
    }
}

/// What is kept of a key: a keyed hash, of which nothing can be learned. Its `Debug` form says nothing of it all the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(pub [u8; 32]);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> NamePattern {
        NamePattern::try_from(text.to_owned()).expect("a pattern")
    }

    #[test]
    fn patterns_fit_what_they_say() {
        for (of, fits, not) in [
            ("fraud", vec!["fraud"], vec!["Fraud", "fraud2", "", "frau"]),
            ("*", vec!["", "a", "a*b"], vec![]),
            (
                "fraud-*",
                vec!["fraud-", "fraud-eu"],
                vec!["fraud", "a-fraud-eu"],
            ),
            (
                "*-eu",
                vec!["-eu", "fraud-eu", "a-eu-eu"],
                vec!["fraud-eu2"],
            ),
            ("a*b*c", vec!["abc", "a-b-b-c", "abcbc"], vec!["acb", "ab"]),
            ("a.b", vec!["a.b"], vec!["acb"]),
            ("*ä*", vec!["ä", "bär"], vec!["bar"]),
        ] {
            for name in fits {
                assert!(pattern(of).fits(name), "{of} {name}");
            }
            for name in not {
                assert!(!pattern(of).fits(name), "{of} {name}");
            }
        }
        for bad in ["", "a\nb", &"a".repeat(201)] {
            assert!(NamePattern::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_role_may_grows_to_the_admin_who_may_everything() {
        for right in Right::ALL {
            assert!(Role::Admin.may(right));
            assert_eq!(Role::Operator.may(right), right != Right::Administer);
        }
        assert!(!Role::Viewer.may(Right::Analyse) && !Role::Viewer.may(Right::Predict));
        assert!(!Role::Predictor.may(Right::Read) && Role::Predictor.may(Right::Predict));
        assert_eq!(Role::with(Right::Predict), "predictor, operator or admin");
    }
}
