//! Labels beside the answers that they are compared with.

use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::HashMap;

crate::words! {
    /// The type of a JSON value.
    pub enum JsonType as "JsonType" {
        /// A number, or a text that is one where it is compared with a number.
        Number = "number",
        /// A text.
        Text = "text",
        /// True or false.
        Boolean = "boolean",
        /// A list.
        List = "list",
        /// An object.
        Object = "object",
        /// Null.
        Null = "null",
    }
}

impl JsonType {
    /// That of a value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Bool(_) => Self::Boolean,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Object,
            Value::Null => Self::Null,
        }
    }

    /// The same with its article, as in "an object".
    pub fn with_article(self) -> String {
        match self {
            Self::Object => format!("an {self}"),
            Self::Null => self.to_string(),
            _ => format!("a {self}"),
        }
    }
}

/// A label and a prediction of types that can never be equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mismatch {
    /// The type of the prediction.
    pub prediction: JsonType,
    /// That of the label.
    pub label: JsonType,
}

impl Mismatch {
    /// Whether the label is at fault. An answer of null is an answer that was not given, whatever the label: it is wrong.
    pub fn is_of_label(&self) -> bool {
        self.prediction != JsonType::Null
    }
}

/// How many labels of an arm can never equal what it answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnlikeLabels {
    /// The arm, by its place in the definition.
    pub arm: usize,
    /// The types.
    pub mismatch: Mismatch,
    /// How many labels.
    pub count: u64,
}

/// Compares a label with a prediction, both JSON. Numbers are compared by value: 1, 1.0 and, beside a number, "1" are the same, and
/// whole numbers to the last digit, however many there are, in lists and objects too. Everything else is equal as JSON, and what is
/// of another type, or has another type at the same place, never is.
///
/// # Errors
/// The types, where they can never be equal.
pub fn compare(prediction: &str, label: &str) -> Result<bool, Mismatch> {
    let (Some(a), Some(b)) = (read(prediction), read(label)) else {
        return Ok(false);
    };
    match unlike(&a, &b, true) {
        Some(mismatch) => Err(mismatch),
        None => Ok(are_close(&a, &b) && are_exact((&a, prediction), (&b, label))),
    }
}

/// The types of what stands at the same place in a prediction and a label, and can never be equal; of several, one where the label
/// is at fault. Further in, null is what was not found, on either side: a difference like others.
fn unlike(a: &Value, b: &Value, is_whole: bool) -> Option<Mismatch> {
    let worst = |mut found: Box<dyn Iterator<Item = Mismatch> + '_>| {
        let first = found.next()?;
        match first.is_of_label() {
            true => Some(first),
            false => Some(found.find(Mismatch::is_of_label).unwrap_or(first)),
        }
    };
    match (a, b) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b);
            worst(Box::new(pairs.filter_map(|(a, b)| unlike(a, b, false))))
        }
        (Value::Object(a), Value::Object(b)) => {
            let pairs = a.iter().filter_map(|(key, a)| Some((a, b.get(key)?)));
            worst(Box::new(pairs.filter_map(|(a, b)| unlike(a, b, false))))
        }
        (Value::Null, _) | (_, Value::Null) if !is_whole => None,
        _ => {
            let (prediction, label) = (JsonType::of(a), JsonType::of(b));
            (prediction != label && numbers(a, b).is_none())
                .then_some(Mismatch { prediction, label })
        }
    }
}

/// Whether two JSON texts are the same by the rule of [`compare`].
pub fn are_same(a: &str, b: &str) -> bool {
    a == b || compare(a, b) == Ok(true)
}

fn read(json: &str) -> Option<Value> {
    serde_json::from_str(json).ok()
}

/// The same, where whole numbers beyond 2^64 are compared as floating numbers: as such they are read.
fn are_close(a: &Value, b: &Value) -> bool {
    if let Some((a, b)) = numbers(a, b) {
        return a == b;
    }
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| are_close(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(key, a): (&String, &Value)| b.get(key).is_some_and(|b| are_close(a, b));
            a.len() == b.len() && a.iter().all(same)
        }
        _ => a == b,
    }
}

/// Whether the numbers of two values that are [close](are_close) are the same to the last digit, in the texts that they were read from.
fn are_exact((a, a_text): (&Value, &str), (b, b_text): (&Value, &str)) -> bool {
    // Nothing shorter is rounded: 18 digits fit into 64 bits with either sign. Texts are read again at each level, so only where
    // that may be needed.
    const ROUNDED: usize = 19;
    let is_long = |text: &str| {
        let mut runs = text.split(|c: char| !c.is_ascii_digit());
        runs.any(|digits| digits.len() >= ROUNDED)
    };
    if !is_long(a_text) && !is_long(b_text) {
        return true;
    }
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            let texts = |text| serde_json::from_str::<Vec<&RawValue>>(text).unwrap_or_default();
            let (a_texts, b_texts) = (texts(a_text), texts(b_text));
            let a = a.iter().zip(a_texts.iter().map(|text| text.get()));
            let b = b.iter().zip(b_texts.iter().map(|text| text.get()));
            a.zip(b).all(|(a, b)| are_exact(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let texts =
                |text| serde_json::from_str::<HashMap<String, &RawValue>>(text).unwrap_or_default();
            let (a_texts, b_texts) = (texts(a_text), texts(b_text));
            a.iter().all(|(key, a)| {
                let texts = a_texts.get(key).zip(b_texts.get(key)).zip(b.get(key));
                texts.is_some_and(|((a_text, b_text), b)| {
                    are_exact((a, a_text.get()), (b, b_text.get()))
                })
            })
        }
        _ if a.is_number() || b.is_number() => {
            // A text is a number where it stands beside one.
            let digits = |value: &Value, text: &str| {
                Digits::of(value.as_str().map_or(text.trim(), str::trim))
            };
            digits(a, a_text) == digits(b, b_text)
        }
        _ => true,
    }
}

/// The value of a number, exactly. A number without a point and an exponent is what it says; any other one is the floating number
/// that it is read as.
#[derive(Debug, PartialEq)]
enum Digits {
    Whole { negative: bool, digits: String },
    Float(f64),
}

impl Digits {
    fn of(text: &str) -> Self {
        let whole = |text: &str| {
            let digits = text.trim_start_matches('-').trim_start_matches('0');
            Self::Whole {
                negative: text.starts_with('-') && !digits.is_empty(),
                digits: digits.to_owned(),
            }
        };
        if text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-')
        {
            return whole(text);
        }
        match text.parse::<f64>() {
            Ok(float) if float.fract() == 0.0 => whole(&format!("{float:.0}")),
            float => Self::Float(float.unwrap_or(f64::NAN)),
        }
    }
}

/// A number as it is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Whole(i128),
    Float(f64),
}

/// The numbers that two values are, where both are some; a text is one where it is compared with a number.
fn numbers(a: &Value, b: &Value) -> Option<(Number, Number)> {
    number_of(a, b).zip(number_of(b, a))
}

fn number_of(value: &Value, other: &Value) -> Option<Number> {
    let number = match value {
        Value::Number(number) => number.clone(),
        Value::String(text) if other.is_number() => {
            serde_json::from_str::<serde_json::Number>(text.trim()).ok()?
        }
        _ => return None,
    };
    if let Some(whole) = number.as_i128() {
        return Some(Number::Whole(whole));
    }
    let float = number.as_f64()?;
    // Every floating number below 2^127 without a fraction is a whole one.
    let is_whole = float.fract() == 0.0 && float.abs() < 1.0e38;
    Some(match is_whole {
        true => Number::Whole(float as i128),
        false => Number::Float(float),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_are_compared_by_value_or_told_to_be_of_another_type() {
        use JsonType::{Boolean, List, Number, Object, Text};
        let never = |prediction, label| Err(Mismatch { prediction, label });
        for (prediction, label, expected) in [
            (json!("positive"), json!("positive"), Ok(true)),
            (json!("positive"), json!("Positive"), Ok(false)),
            (json!(1.0), json!(1), Ok(true)),
            (json!(1), json!("1"), Ok(true)),
            (json!("1.0"), json!(1), Ok(true)),
            (json!(0.5), json!(" 5e-1 "), Ok(true)),
            (json!(2), json!("1"), Ok(false)),
            // Two texts are texts: they may be names.
            (json!("1"), json!("1.0"), Ok(false)),
            (json!("01"), json!("1"), Ok(false)),
            (
                json!(9_007_199_254_740_993_u64),
                json!(9_007_199_254_740_992_u64),
                Ok(false),
            ),
            (
                json!(9_007_199_254_740_993_u64),
                json!("9007199254740993"),
                Ok(true),
            ),
            (
                json!(18_446_744_073_709_551_615_u64),
                json!(18_446_744_073_709_551_614_u64),
                Ok(false),
            ),
            (json!(1e300), json!(1e300), Ok(true)),
            (json!([1, 2]), json!([1, 2]), Ok(true)),
            (
                json!([1, {"class": 1}]),
                json!([1.0, {"class": "1"}]),
                Ok(true),
            ),
            (json!({"class": 1}), json!({"class": 1.0}), Ok(true)),
            (json!({"class": 1}), json!({"class": 2}), Ok(false)),
            (
                json!({"class": 1}),
                json!({"class": 1, "b": null}),
                Ok(false),
            ),
            (json!(false), json!(0), never(Boolean, Number)),
            (json!(true), json!(1), never(Boolean, Number)),
            (json!(true), json!("true"), never(Boolean, Text)),
            (json!(1), json!("one"), never(Number, Text)),
            (json!([0]), json!([false]), never(Number, Boolean)),
            (
                json!({"class": 0}),
                json!({"class": false}),
                never(Number, Boolean),
            ),
            (
                json!({"a": 1, "b": 2}),
                json!({"a": 3, "b": "two"}),
                never(Number, Text),
            ),
            (json!([["a"]]), json!([[1]]), never(Text, Number)),
            (json!({"a": "x"}), json!({"a": null}), Ok(false)),
            (json!([null]), json!([null]), Ok(true)),
            (json!([1, "a"]), json!([1]), Ok(false)),
            (json!({"label": "a"}), json!("a"), never(Object, Text)),
            (json!(["a"]), json!("a"), never(List, Text)),
        ] {
            let (prediction, label) = (prediction.to_string(), label.to_string());
            assert_eq!(
                compare(&prediction, &label),
                expected,
                "{prediction} {label}"
            );
            let turned = expected.map_err(|found| Mismatch {
                prediction: found.label,
                label: found.prediction,
            });
            assert_eq!(compare(&label, &prediction), turned, "{label} {prediction}");
        }
    }

    #[test]
    fn whole_numbers_are_compared_to_the_last_digit_however_long_they_are() {
        for (a, b, same) in [
            ("12345678901234567890123", "12345678901234567890123", true),
            ("12345678901234567890123", "12345678901234567890124", false),
            ("-12345678901234567890123", "12345678901234567890123", false),
            (
                "12345678901234567890123",
                r#""12345678901234567890123""#,
                true,
            ),
            (
                "12345678901234567890123",
                r#"" 12345678901234567890124""#,
                false,
            ),
            // 2^64 and one more.
            ("18446744073709551616", "18446744073709551617", false),
            ("18446744073709551616", "18446744073709551616.0", true),
            ("18446744073709551617", "1.8446744073709551616e19", false),
            ("100000000000000000000", "1e20", true),
            // Below the least number of 64 bits.
            ("-9999999999999999999", "-9999999999999999998", false),
            ("-9223372036854775809", "-9223372036854775808", false),
            ("1e300", "1.0E+300", true),
            ("0.10000000000000000000000001", "0.1", true),
            (
                r#"{"id": [12345678901234567890123], "a": 1.0}"#,
                r#"{"a":1,"id":[12345678901234567890123]}"#,
                true,
            ),
            (
                r#"{"id": [12345678901234567890123], "a": 1}"#,
                r#"{"a":1,"id":[12345678901234567890124]}"#,
                false,
            ),
            // Of a key that stands there twice, the last one counts.
            (
                r#"{"id":12345678901234567890123,"id":12345678901234567890124}"#,
                r#"{"id":12345678901234567890124}"#,
                true,
            ),
            (
                r#"["12345678901234567890123"]"#,
                r#"["12345678901234567890124"]"#,
                false,
            ),
        ] {
            assert_eq!(compare(a, b), Ok(same), "{a} {b}");
            assert_eq!(compare(b, a), Ok(same), "{b} {a}");
        }
    }
}
