//! Labels beside the answers that they are compared with.

use serde_json::Value;

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
