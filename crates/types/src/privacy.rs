//! What is kept of the predictions of a model, and for how long.

use crate::{JsonPointer, Percent};
use serde::{Deserialize, Serialize};

/// How much of a part of a prediction is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// All of it, but for what is redacted.
    #[default]
    Full,
    /// A keyed hash: equal values have equal hashes, and nobody can tell the value.
    Hashed,
    /// Nothing.
    None,
}

/// What is kept of one part of the predictions of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keeping {
    /// How much.
    pub keep: Keep,
    /// For how many units: of the others nothing is kept. A prediction without a unit is one by itself.
    pub sample_percent: f64,
    /// What is replaced by `[redacted]`, by its place: JSON pointers, in which `*` stands for every member.
    pub redact_pointers: Vec<String>,
    /// The same by what it looks like: regular expressions, looked for in texts, numbers and keys.
    pub redact_patterns: Vec<String>,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            keep: Keep::Full,
            sample_percent: 100.0,
            redact_pointers: Vec::new(),
            redact_patterns: Vec::new(),
        }
    }
}

/// What is kept of the predictions of a model. It is stored in the form it has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Privacy {
    /// Of what came in.
    pub inputs: Keeping,
    /// Of what was answered, and of what errors say.
    pub outputs: Keeping,
    /// Of what callers said of who asked.
    pub attributes: Keeping,
}

/// The most pointers, and the most patterns, of one part.
pub const MAX_REDACTIONS: usize = 20;
/// The longest pattern, in characters.
pub const MAX_PATTERN: usize = 500;

impl Privacy {
    /// Its parts by their names.
    pub fn parts(&self) -> [(&'static str, &Keeping); 3] {
        [
            ("inputs", &self.inputs),
            ("outputs", &self.outputs),
            ("attributes", &self.attributes),
        ]
    }

    /// What is wrong with it beside its patterns, each by a JSON pointer to its place.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (name, part) in self.parts() {
            if Percent::new(part.sample_percent).is_err() {
                let what = "must be from 0 to 100".to_owned();
                found.push((format!("/{name}/sample_percent"), what));
            }
            for (what, many) in [
                ("redact_pointers", part.redact_pointers.len()),
                ("redact_patterns", part.redact_patterns.len()),
            ] {
                if many > MAX_REDACTIONS {
                    let why = format!("must have at most {MAX_REDACTIONS} entries, has {many}");
                    found.push((format!("/{name}/{what}"), why));
                }
            }
            for (at, pointer) in part.redact_pointers.iter().enumerate() {
                let wrong = match JsonPointer::parse(pointer) {
                    Ok(_) if pointer.is_empty() => {
                        Some("means all of it: use `keep` with `none` for that")
                    }
                    Ok(_) if name == "attributes" && JsonPointer::parts(pointer).count() > 1 => {
                        Some(
                            "must be the name of an attribute behind a slash: attributes hold no others",
                        )
                    }
                    Ok(_) => None,
                    Err(why) => Some(why),
                };
                let at = format!("/{name}/redact_pointers/{at}");
                found.extend(wrong.map(|why| (at, why.to_owned())));
            }
            for (at, pattern) in part.redact_patterns.iter().enumerate() {
                if pattern.chars().count() > MAX_PATTERN {
                    let why = format!("must have at most {MAX_PATTERN} characters");
                    found.push((format!("/{name}/redact_patterns/{at}"), why));
                }
            }
        }
        found
    }
}

/// How long the predictions of a model are kept. What was counted of them stays. It is stored in the form it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// The oldest prediction, in seconds; for ever where it is not said.
    pub max_age_seconds: Option<u64>,
    /// The most predictions.
    pub max_rows: Option<u64>,
    /// How long inputs, outputs, errors and attributes are kept, in seconds: sooner than the rest.
    pub content_max_age_seconds: Option<u64>,
}

/// The shortest time for which something is kept, in seconds: an hour.
pub(crate) const MIN_RETENTION: u64 = 3600;
/// The longest that can be said, in seconds: a hundred years.
pub(crate) const MAX_RETENTION: u64 = 100 * 365 * 86_400;
/// The most predictions that can be said.
pub(crate) const MAX_ROWS: u64 = 1_000_000_000_000;

impl Retention {
    /// Whether nothing is ever removed.
    pub fn is_for_ever(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with it, each by a JSON pointer to its place.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (name, age) in [
            ("max_age_seconds", self.max_age_seconds),
            ("content_max_age_seconds", self.content_max_age_seconds),
        ] {
            if age.is_some_and(|age| !(MIN_RETENTION..=MAX_RETENTION).contains(&age)) {
                let why =
                    format!("must be from {MIN_RETENTION} (an hour) to {MAX_RETENTION} seconds");
                found.push((format!("/{name}"), why));
            }
        }
        if self
            .max_rows
            .is_some_and(|rows| !(1..=MAX_ROWS).contains(&rows))
        {
            let why = format!("must be from 1 to {MAX_ROWS}");
            found.push(("/max_rows".into(), why));
        }
        if let (Some(content), Some(rows)) = (self.content_max_age_seconds, self.max_age_seconds)
            && content >= rows
        {
            let why = "must be less than max_age_seconds: the rest would be gone before it";
            found.push(("/content_max_age_seconds".into(), why.into()));
        }
        found
    }
}

/// How much of a part of one prediction is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum KeptPart {
    /// All of it.
    #[default]
    Full,
    /// Something in it was replaced.
    Redacted,
    /// A keyed hash of it.
    Hashed,
    /// Nothing: it was never kept.
    None,
    /// Nothing any more.
    Erased,
}

impl KeptPart {
    const ALL: [Self; 5] = [
        Self::Full,
        Self::Redacted,
        Self::Hashed,
        Self::None,
        Self::Erased,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Redacted => "redacted",
            Self::Hashed => "hashed",
            Self::None => "none",
            Self::Erased => "erased",
        }
    }

    /// Whether the value itself is there, redacted perhaps.
    pub fn is_there(self) -> bool {
        matches!(self, Self::Full | Self::Redacted)
    }

    /// Whether there is nothing, not even a hash.
    pub fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Erased)
    }
}

/// How much of one prediction is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Kept {
    /// What came in.
    pub input: KeptPart,
    /// What was answered.
    pub output: KeptPart,
    /// What was said of who asked.
    pub attributes: KeptPart,
}

impl Kept {
    /// The same when its content is taken away, of a prediction that has an answer and attributes or not: what was never there is
    /// not erased.
    #[must_use]
    pub fn erased(self, has_output: bool, has_attributes: bool) -> Self {
        let part = |known: KeptPart, is_there: bool| match is_there {
            true => KeptPart::Erased,
            false => known,
        };
        Self {
            input: part(self.input, self.input != KeptPart::None),
            output: part(self.output, has_output),
            attributes: part(self.attributes, has_attributes),
        }
    }

    /// Whether all of it is.
    pub fn is_full(self) -> bool {
        self == Self::default()
    }

    /// A number for it; 0 where all is there.
    pub fn code(self) -> u64 {
        self.input as u64 + 8 * self.output as u64 + 64 * self.attributes as u64
    }

    /// What a number says; `None` where a later release has written it.
    pub fn of_code(code: u64) -> Option<Self> {
        let part = |at: u32| {
            let number = usize::try_from(code >> at & 7).ok()?;
            KeptPart::ALL.get(number).copied()
        };
        (code < 512).then_some(())?;
        Some(Self {
            input: part(0)?,
            output: part(3)?,
            attributes: part(6)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_prediction_fits_into_a_number() {
        for input in KeptPart::ALL {
            for output in KeptPart::ALL {
                for attributes in KeptPart::ALL {
                    let kept = Kept {
                        input,
                        output,
                        attributes,
                    };
                    assert_eq!(Kept::of_code(kept.code()), Some(kept));
                }
            }
        }
        assert_eq!(Kept::default().code(), 0);
        for unknown in [5, 8 * 7, 512, u64::MAX] {
            assert_eq!(Kept::of_code(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_named_by_their_place() {
        let privacy = Privacy {
            inputs: Keeping {
                sample_percent: 101.0,
                redact_pointers: vec!["email".into(), String::new()],
                ..Keeping::default()
            },
            outputs: Keeping {
                redact_patterns: vec!["x".repeat(MAX_PATTERN + 1)],
                ..Keeping::default()
            },
            attributes: Keeping {
                redact_pointers: vec!["/a".into(); MAX_REDACTIONS + 1],
                ..Keeping::default()
            },
        };
        let places: Vec<String> = privacy.problems().into_iter().map(|(at, _)| at).collect();
        assert_eq!(
            places,
            [
                "/inputs/sample_percent",
                "/inputs/redact_pointers/0",
                "/inputs/redact_pointers/1",
                "/outputs/redact_patterns/0",
                "/attributes/redact_pointers",
            ]
        );
        assert_eq!(Privacy::default().problems(), []);
        let retention = Retention {
            max_age_seconds: Some(86_400),
            max_rows: Some(0),
            content_max_age_seconds: Some(86_400),
        };
        assert_eq!(retention.problems().len(), 2);
        for max_rows in [MAX_ROWS + 1, u64::MAX] {
            let many = Retention {
                max_rows: Some(max_rows),
                ..Retention::default()
            };
            assert_eq!(many.problems()[0].0, "/max_rows");
        }
        let short = Retention {
            max_age_seconds: Some(1),
            ..Retention::default()
        };
        assert_eq!(short.problems()[0].0, "/max_age_seconds");
    }
}
