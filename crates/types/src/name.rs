//! Names that people choose: checked once at the border, trusted inside.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// The longest name, in characters.
const MAX_CHARS: usize = 200;

/// Why a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// There is nothing in it, or only white space.
    #[error("must not be empty")]
    Empty,
    /// It is longer than 200 characters.
    #[error("must have at most {MAX_CHARS} characters, has {0}")]
    TooLong(usize),
    /// It holds a character that no screen can show.
    #[error("must not contain control characters")]
    Control,
    /// White space at an end, which people cannot see.
    #[error("must not begin or end with white space")]
    Padded,
    /// It is part of a path and of commands.
    #[error("may contain letters, digits, '-', '_' and '.' only")]
    NotPlain,
}

fn check(text: &str) -> Result<(), InvalidName> {
    if text.trim().is_empty() {
        return Err(InvalidName::Empty);
    }
    let chars = text.chars().count();
    if chars > MAX_CHARS {
        return Err(InvalidName::TooLong(chars));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidName::Control);
    }
    if text.trim() != text {
        return Err(InvalidName::Padded);
    }
    Ok(())
}

/// Characters that no screen shows, and that tell two names apart all the same: format characters (Unicode's category Cf),
/// variation selectors, letters that are blank, and what has no character of its own.
fn is_unseen(c: char) -> bool {
    matches!(u32::from(c),
        0xAD | 0x34F | 0x600..=0x605 | 0x61C | 0x6DD | 0x70F | 0x890..=0x891 | 0x8E2 | 0x115F..=0x1160 | 0x17B4..=0x17B5
        | 0x180B..=0x180F | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x2800 | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF
        | 0x16FE4 | 0x1D159 | 0xE000..=0xF8FF | 0xFDD0..=0xFDEF | 0xFFA0 | 0xFFF0..=0xFFFC | 0xFFFE..=0xFFFF | 0x110BD | 0x110CD | 0x13430..=0x13440 | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A
        | 0xE0000..=0x10FFFF)
}

/// Whether a new name is told from others by eye. Names that were taken before are not asked.
///
/// # Errors
/// What is wrong with it.
pub fn check_new_name(text: &str) -> Result<(), &'static str> {
    use unicode_normalization::char::is_combining_mark;
    use unicode_normalization::{UnicodeNormalization, is_nfc};
    if text == "." || text == ".." {
        return Err("must not be . or .., which are steps in a path");
    }
    // The last two of each plane are no characters.
    if text
        .chars()
        .any(|c| is_unseen(c) || u32::from(c) & 0xFFFE == 0xFFFE)
    {
        return Err(
            "must not contain characters that cannot be seen, such as zero-width blanks and marks of direction",
        );
    }
    if text.chars().any(|c| c.is_whitespace() && c != ' ') || text.contains("  ") {
        return Err(
            "must not contain blanks other than single spaces: nobody tells them apart by eye",
        );
    }
    if !is_nfc(text) {
        return Err(
            "must be in composed form (Unicode NFC): the same letters in another form would be another name",
        );
    }
    if text.chars().next().is_some_and(is_combining_mark) {
        return Err("must not begin with a mark that belongs to a letter before it");
    }
    // Those of Latin-1, such as µ, are on keyboards; letters that are made of two of their own script are letters.
    let stands_for_another = |c: char| {
        let mut plain = std::iter::once(c).nfkc();
        let (first, rest) = (plain.next(), plain.next());
        let is_form = matches!(u32::from(c), 0xFB00..=0xFDFF | 0xFE70..=0xFEFF | 0xFF00..=0xFFEF);
        c > 'ÿ' && c.is_alphabetic() && first != Some(c) && (rest.is_none() || is_form)
    };
    if text.chars().any(stands_for_another) {
        return Err(
            "must not contain letters that look like others and are not, such as ligatures and letters of full width",
        );
    }
    Ok(())
}

fn check_plain(text: &str) -> Result<(), InvalidName> {
    check(text)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.chars().all(plain) {
        return Err(InvalidName::NotPlain);
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a text.
            ///
            /// # Errors
            /// When it is empty, padded, over 200 characters or has control characters.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                $check(text)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A name that callers predict against; the unit of routing.
    ModelName,
    check
);
name!(
    /// The version string of a version within its model, such as `2.0.0`.
    VersionName,
    check
);
name!(
    /// Who must keep seeing the same version: a user, a session, a device.
    UnitId,
    check
);
name!(
    /// What a caller calls a request, so that its repeat is known.
    RequestId,
    check
);
name!(
    /// A movable name for a version, such as `champion`.
    AliasName,
    check_plain
);
name!(
    /// What is measured, such as `correct` or `clicked`.
    MetricName,
    check_plain
);

impl UnitId {
    /// A unit of one's own for a decision for nobody.
    pub fn of_decision(random: u64) -> Self {
        Self::parse(&format!("decision-{random:016x}")).expect("it is short and plain")
    }

    /// A unit for the requests of an array that name nobody.
    pub fn of_array(random: [u64; 2]) -> Self {
        let [first, second] = random;
        Self::parse(&format!("batch-{first:016x}{second:016x}")).expect("it is short and plain")
    }

    /// Whether an id is one that was given to a caller who named none: nobody tells what it did later.
    pub fn is_generated(text: &str) -> bool {
        let of_array = text.strip_prefix("batch-").map(|random| (random, 32));
        let of_decision = text.strip_prefix("decision-").map(|random| (random, 16));
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let random = of_array.or(of_decision);
        random.is_some_and(|(random, length)| random.len() == length && random.chars().all(is_hex))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_that_were_given_are_told_from_those_of_callers() {
        assert!(UnitId::is_generated(UnitId::of_decision(7).as_str()));
        assert!(UnitId::is_generated(UnitId::of_array([7, 8]).as_str()));
        for own in [
            "user-1",
            "decision-7",
            "batch-",
            "batch-0000000000000007",
            "decision-00000000000000zz",
        ] {
            assert!(!UnitId::is_generated(own), "{own}");
        }
    }

    #[test]
    fn new_names_are_told_apart_by_eye() {
        for good in ["fraud", "5µm", "modèle 2", "欺诈", "คำ", "a.b"] {
            assert_eq!(check_new_name(good), Ok(()), "{good}");
        }
        for bad in [
            "..",
            "a\u{200b}",
            "a\u{1d159}",
            "a\u{1fffe}",
            "a  b",
            "e\u{301}",
            "\u{301}a",
            "\u{fb01}x",
            "\u{ff41}",
        ] {
            assert!(check_new_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_checked() {
        let long = "x".repeat(201);
        for (text, want) in [
            ("", InvalidName::Empty),
            (" \t", InvalidName::Empty),
            (&long, InvalidName::TooLong(201)),
            ("a\u{0}b", InvalidName::Control),
            ("a\nb", InvalidName::Control),
            (" a", InvalidName::Padded),
        ] {
            assert_eq!(ModelName::parse(text).unwrap_err(), want, "{text:?}");
        }
        assert!(ModelName::parse(&"ü".repeat(200)).is_ok());
        assert_eq!(AliasName::parse("a/b").unwrap_err(), InvalidName::NotPlain);
        assert_eq!(AliasName::parse("champion").unwrap().as_str(), "champion");
    }
}
