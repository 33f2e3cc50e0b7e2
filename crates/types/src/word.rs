//! Closed sets of words: enums that are one word each in JSON, SQL, events and on the command line.

/// One of a few words.
pub trait Word: Copy + PartialEq + 'static {
    /// What documents call the set.
    const NAME: &'static str;
    /// All of them, in the order in which they are listed.
    const ALL: &'static [Self];
    /// What a word means that is not in the set, where that is no error: a later release may have more.
    const OTHER: Option<Self> = None;

    /// The word.
    fn as_str(self) -> &'static str;
}

/// A word that is not in its set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be {0}")]
pub struct UnknownWord(pub String);

/// Finds a word.
///
/// # Errors
/// Where it is not in the set; the error names those that are.
pub fn find_word<W: Word>(text: &str) -> Result<W, UnknownWord> {
    let found = W::ALL.iter().copied().find(|word| word.as_str() == text);
    found.or(W::OTHER).ok_or_else(|| UnknownWord(choice::<W>()))
}

/// The words of a set as a choice: `a, b or c`.
fn choice<W: Word>() -> String {
    let words: Vec<&str> = W::ALL.iter().map(|word| word.as_str()).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Defines an enum of words: its variants with their words, once.
#[macro_export]
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident as $title:literal {
            $($(#[$doc:meta])* $variant:ident = $word:literal,)*
        }
        $(other = $other:ident;)?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl $crate::Word for $name {
            const NAME: &'static str = $title;
            const ALL: &'static [Self] = Self::ALL;
            $(const OTHER: Option<Self> = Some(Self::$other);)?

            fn as_str(self) -> &'static str {
                self.as_str()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(text: &str) -> Result<Self, $crate::UnknownWord> {
                $crate::find_word(text)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::{Action, ArmRole, Status};

    #[test]
    fn a_word_is_found_or_the_choice_is_named() {
        assert_eq!("fallback".parse(), Ok(Status::Fallback));
        for (error, choice) in [
            (
                "Ok".parse::<Status>().err(),
                "ok, fallback, error or rejected",
            ),
            ("arm".parse::<ArmRole>().err(), "control or candidate"),
        ] {
            assert_eq!(
                error.map(|e| e.to_string()),
                Some(format!("must be {choice}"))
            );
        }
        assert_eq!("experiment.danced".parse(), Ok(Action::Unknown));
    }
}
