//! Hashed n-grams: what texts are for small linear models.
//!
//! A model file that carries `weir.features` in its metadata says how. The text is read as bytes: letters, digits,
//! apostrophes and all that is not ASCII make words, other visible characters are words of one byte, and ASCII is
//! lowercased. Runs of words, and runs of characters within words, are hashed (FNV-1a, 32 bits) into the rows of a table;
//! row 0 is for padding. `crates/weir/models/train.py` holds the same in Python.

use serde::Deserialize;

/// How texts become numbers of rows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Features {
    kind: String,
    version: u32,
    /// Rows of the table.
    buckets: u32,
    /// The shortest and the longest run of words.
    word_ngrams: [usize; 2],
    /// The shortest and the longest run of characters, where there are some.
    #[serde(default)]
    char_ngrams: Option<[usize; 2]>,
    /// Whether a row counts once, however often it comes.
    binary: bool,
    /// At most so many rows of a text.
    max_features: usize,
}

/// The longest run that is hashed.
const LONGEST: usize = 16;
/// The most rows of a text.
const MOST: usize = 65_536;

/// The largest table.
const MOST_BUCKETS: u32 = 1 << 24;

/// FNV-1a, 32 bits (G. Fowler, L. C. Noll, K.-P. Vo).
#[derive(Clone, Copy)]
struct Hash(u32);

impl Hash {
    const BEGIN: Self = Self(0x811c_9dc5);

    fn with(self, bytes: &[u8]) -> Self {
        let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        Self(bytes.iter().fold(self.0, step))
    }
}

impl Features {
    /// Reads what a model says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        let read: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let run = |[least, most]: [usize; 2]| 1 <= least && least <= most && most <= LONGEST;
        let known = read.kind == "hashed_ngrams" && read.version == 1;
        if !known {
            return Err(format!(
                "{} {} are not known; hashed_ngrams 1 are",
                read.kind, read.version
            ));
        }
        let fits = (2..=MOST_BUCKETS).contains(&read.buckets)
            && run(read.word_ngrams)
            && read.char_ngrams.is_none_or(run)
            && (1..=MOST).contains(&read.max_features);
        fits.then_some(read).ok_or_else(|| {
            "buckets must be from 2 to 16777216, runs from 1 to 16, and max_features from 1 to 65536".into()
        })
    }

    /// Rows of the table that a text stands for, at least one.
    pub(crate) fn rows(&self, text: &str) -> Vec<i64> {
        let lower = text.to_ascii_lowercase();
        let words = words(lower.as_bytes());
        let mut rows = Rows {
            of: self,
            rows: Vec::with_capacity(4 * words.len()),
            seen: if self.binary {
                vec![0; self.buckets.div_ceil(64) as usize]
            } else {
                Vec::new()
            },
        };
        self.word_runs(&words, &mut rows);
        if let Some([least, most]) = self.char_ngrams {
            for length in least..=most {
                for word in words.iter().filter(|word| is_of_word(word[0])) {
                    if rows.is_full() {
                        break;
                    }
                    char_runs(word, length, &mut rows);
                }
            }
        }
        if rows.rows.is_empty() {
            rows.rows.push(0);
        }
        rows.rows
    }

    fn word_runs(&self, words: &[&[u8]], rows: &mut Rows<'_>) {
        let [least, most] = self.word_ngrams;
        for length in least..=most {
            for run in words.windows(length) {
                if rows.is_full() {
                    return;
                }
                let mut hash = Hash::BEGIN.with(b"w").with(run[0]);
                for word in &run[1..] {
                    hash = hash.with(b" ").with(word);
                }
                rows.push(hash);
            }
        }
    }
}

/// The rows of a text, as they are found.
struct Rows<'a> {
    of: &'a Features,
    rows: Vec<i64>,
    /// A bit for each row, where each counts once.
    seen: Vec<u64>,
}

impl Rows<'_> {
    fn is_full(&self) -> bool {
        self.rows.len() >= self.of.max_features
    }

    fn push(&mut self, hash: Hash) {
        let row = 1 + hash.0 % (self.of.buckets - 1);
        if self.is_full() {
            return;
        }
        if let Some(bits) = self.seen.get_mut(row as usize / 64) {
            let bit = 1 << (row % 64);
            if *bits & bit != 0 {
                return;
            }
            *bits |= bit;
        }
        self.rows.push(i64::from(row));
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'\'' || byte >= 0x80
}

fn words(text: &[u8]) -> Vec<&[u8]> {
    let (mut words, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let begin = at;
        while at < text.len() && is_of_word(text[at]) {
            at += 1;
        }
        if at > begin {
            words.push(&text[begin..at]);
            continue;
        }
        if text[at] > b' ' && text[at] != 0x7f {
            words.push(&text[at..=at]);
        }
        at += 1;
    }
    words
}

/// Runs of so many characters of a word between `<` and `>`.
fn char_runs(word: &[u8], length: usize, rows: &mut Rows<'_>) {
    let mut framed = Vec::with_capacity(word.len() + 2);
    framed.push(b'<');
    framed.extend_from_slice(word);
    framed.push(b'>');
    // Where characters begin: bytes that continue one are 10xxxxxx in UTF-8.
    let begins = |at: &usize| framed.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    let begins: Vec<usize> = (0..=framed.len()).filter(begins).collect();
    for run in begins.windows(length + 1) {
        if rows.is_full() {
            return;
        }
        rows.push(Hash::BEGIN.with(b"c").with(&framed[run[0]..run[length]]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts and the rows that the Python of `models/train.py` has found for them.
    #[test]
    fn rows_are_those_that_models_were_trained_on() {
        let features = Features {
            kind: "hashed_ngrams".into(),
            version: 1,
            buckets: 65_536,
            word_ngrams: [1, 2],
            char_ngrams: Some([3, 5]),
            binary: true,
            max_features: 4096,
        };
        let mut count = 0;
        for line in include_str!("../../../weir/models/expected.tsv")
            .lines()
            .skip(1)
        {
            let mut columns = line.split('\t');
            let text: String = serde_json::from_str(columns.next().unwrap()).unwrap();
            let rows = columns.next().unwrap().split(',');
            let rows: Vec<i64> = rows.map(|row| row.parse().unwrap()).collect();
            assert_eq!(features.rows(&text), rows, "{text}");
            count += 1;
        }
        assert!(count > 70);
        // However long a text is, it has no more.
        assert_eq!(features.rows(&"word and word2 ".repeat(100_000)).len(), 27);
        let long: String = (0..100_000).map(|n| format!("w{n} ")).collect();
        assert_eq!(features.rows(&long).len(), 4096);
    }

    #[test]
    fn what_a_model_says_is_checked() {
        let good = r#"{"kind":"hashed_ngrams","version":1,"buckets":4096,"word_ngrams":[1,2],"char_ngrams":[3,5],"binary":true,"max_features":100}"#;
        assert!(Features::parse(good).is_ok());
        for (from, to) in [
            ("hashed_ngrams", "bags"),
            ("\"version\":1", "\"version\":2"),
            ("4096", "1"),
            ("[1,2]", "[2,1]"),
            ("[1,2]", "[0,2]"),
            ("[3,5]", "[3,500]"),
            ("100", "100000000"),
            ("\"binary\"", "\"other\""),
        ] {
            assert!(
                Features::parse(&good.replace(from, to)).is_err(),
                "{from} {to}"
            );
        }
    }
}
