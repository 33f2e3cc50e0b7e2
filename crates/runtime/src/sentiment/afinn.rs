//! A plain weighted word list: the sum of the weights of the words that occur.

use super::read_list;
use foldhash::HashMap;
use std::sync::LazyLock;

static WEIGHTS: LazyLock<HashMap<&str, f64>> = LazyLock::new(|| {
    let weight = |text: &str| {
        text.parse()
            .expect("the list holds numbers: a test reads it all")
    };
    read_list(include_str!("../../data/afinn165.tsv"), weight)
});

/// The sum of the AFINN-165 weights (−5 ... 5 each) of the words of a text. Words are runs of
/// letters, digits, apostrophes and hyphens, whatever their case.
pub fn afinn_score(text: &str) -> f64 {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '-');
    let words = text.split(|c| !inside(c)).filter(|word| !word.is_empty());
    words.filter_map(weight).sum()
}

fn weight(word: &str) -> Option<f64> {
    let plain = |b: u8| b.is_ascii() && !b.is_ascii_uppercase();
    let found = if word.bytes().all(plain) {
        WEIGHTS.get(word)
    } else {
        WEIGHTS.get(word.to_lowercase().as_str())
    };
    found.copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up() {
        assert!(WEIGHTS.len() > 3000);
        for (text, want) in [
            ("", 0.0),
            ("The table is brown.", 0.0),
            ("Good, GOOD and bad!", 3.0),
            ("can't stand", 0.0),
            ("outstanding", 5.0),
        ] {
            assert_eq!(afinn_score(text), want, "{text}");
        }
    }
}
