//! Conditions on attributes, such as `country in [DE, AT] and version(app_version) >= 2.3`.
//!
//! ```text
//! condition   and-terms joined by `or`
//! and-term    terms joined by `and`
//! term        `not` term | `(` condition `)` | comparison
//! comparison  subject (`=` | `!=` | `<` | `<=` | `>` | `>=`) value
//!             subject [`not`] `in` `[` value, … `]`
//! subject     name | `version(`name`)`
//! value       "text" | word | number | `true` | `false`; of `version(…)`: 2.3.1 or "2.3.1"
//! ```

use crate::attribute::{AttributeValue, Attributes, is_attribute_name};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;

/// The longest condition, in characters.
const MAX_CHARS: usize = 4_000;
/// How deep `not` and parentheses may be nested.
const MAX_DEPTH: usize = 32;

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCondition {
    /// It is too long.
    #[error("must have at most {MAX_CHARS} characters")]
    TooLong,
    /// It is nested too deep.
    #[error("must not be nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// Something else was expected at a place, in characters from 1.
    #[error("cannot be read at character {at}: expected {expected}, found {found}")]
    Expected {
        /// Where.
        at: usize,
        /// What is allowed there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A value cannot be compared so.
    #[error("cannot be read at character {at}: {why}")]
    Comparison {
        /// Where.
        at: usize,
        /// What is wrong, and what to do.
        why: &'static str,
    },
}

/// A condition on attributes. A comparison with an attribute that is missing, or of another kind, is unknown, and so is its
/// negation; who is unknown at the end does not meet the condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// As it was written.
    text: String,
    term: Term,
}

#[derive(Debug, Clone, PartialEq)]
enum Term {
    Any(Vec<Term>),
    All(Vec<Term>),
    Not(Box<Term>),
    Compare(Subject, Compare, Value),
    In(Subject, Vec<Value>),
}

#[derive(Debug, Clone, PartialEq)]
struct Subject {
    name: String,
    /// Compared by the parts of a version, so that 2.10 is above 2.3.
    is_version: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Plain(AttributeValue),
    Version(Version),
}

/// A version by its parts; those that are left out are 0. What follows a `-` comes before the release, as in semantic
/// versioning; what follows a `+` says nothing.
#[derive(Debug, Clone, PartialEq)]
struct Version {
    parts: Vec<u64>,
    before: Option<Vec<Part>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(String),
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let numbers = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (numbers, _) = numbers.split_once('+').unwrap_or((numbers, ""));
        let (numbers, before) = match numbers.split_once('-') {
            Some((numbers, before)) => (numbers, Some(before)),
            None => (numbers, None),
        };
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        };
        let mut parts = numbers
            .split('.')
            .map(number)
            .collect::<Option<Vec<u64>>>()?;
        while parts.len() > 1 && parts.last() == Some(&0) {
            parts.pop();
        }
        let part = |part: &str| number(part).map_or_else(|| Part::Word(part.into()), Part::Number);
        Some(Self {
            parts,
            before: before.map(|before| before.split('.').map(part).collect()),
        })
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.parts
            .cmp(&other.parts)
            .then_with(|| match (&self.before, &other.before) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a), Some(b)) => a.cmp(b),
            })
    }
}

impl Condition {
    /// Reads a condition that somebody gives.
    ///
    /// # Errors
    /// Where it cannot be read, and what was expected there; or it is too long.
    pub fn parse(text: &str) -> Result<Self, InvalidCondition> {
        if text.chars().count() > MAX_CHARS {
            return Err(InvalidCondition::TooLong);
        }
        let mut reader = Reader::new(text)?;
        let term = reader.any(0)?;
        match reader.peek() {
            None => Ok(Self {
                text: text.trim().into(),
                term,
            }),
            Some(_) => Err(reader.expected("`and`, `or` or the end")),
        }
    }

    /// Whether attributes meet it.
    pub fn is_met(&self, attributes: &Attributes) -> bool {
        self.term.holds(attributes) == Some(true)
    }
}

impl Term {
    /// `None` where it is unknown.
    fn holds(&self, attributes: &Attributes) -> Option<bool> {
        match self {
            // One that holds is enough, whatever is unknown of the others.
            Self::Any(terms) => decided(terms, true, attributes),
            Self::All(terms) => decided(terms, false, attributes),
            Self::Not(term) => term.holds(attributes).map(|holds| !holds),
            Self::Compare(subject, compare, value) => {
                let order = subject.order(attributes, value)?;
                Some(match compare {
                    Compare::Equal => order.is_eq(),
                    Compare::NotEqual => order.is_ne(),
                    Compare::Less => order.is_lt(),
                    Compare::LessOrEqual => order.is_le(),
                    Compare::Greater => order.is_gt(),
                    Compare::GreaterOrEqual => order.is_ge(),
                })
            }
            Self::In(subject, values) => {
                let mut known = false;
                for value in values {
                    match subject.order(attributes, value) {
                        Some(Ordering::Equal) => return Some(true),
                        Some(_) => known = true,
                        None => {}
                    }
                }
                known.then_some(false)
            }
        }
    }
}

fn decided(terms: &[Term], by: bool, attributes: &Attributes) -> Option<bool> {
    let mut unknown = false;
    for term in terms {
        match term.holds(attributes) {
            Some(holds) if holds == by => return Some(by),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!by)
}

impl Subject {
    /// How the attribute stands to a value; `None` where it is missing or of another kind.
    fn order(&self, attributes: &Attributes, value: &Value) -> Option<Ordering> {
        let found = attributes.get(&self.name)?;
        match (found, value) {
            (AttributeValue::Text(text), Value::Version(version)) => {
                Some(Version::parse(text)?.compare(version))
            }
            // An app that sends its version as the number 2.
            (AttributeValue::Number(number), Value::Version(version)) => {
                Some(Version::parse(&number.to_string())?.compare(version))
            }
            (AttributeValue::Text(a), Value::Plain(AttributeValue::Text(b))) => Some(a.cmp(b)),
            (AttributeValue::Number(a), Value::Plain(AttributeValue::Number(b))) => {
                a.partial_cmp(b)
            }
            (AttributeValue::Bool(a), Value::Plain(AttributeValue::Bool(b))) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "`{word}`"),
            Self::Text(text) => write!(f, "{}", serde_json::Value::from(text.as_str())),
            Self::Sign(sign) => write!(f, "`{sign}`"),
        }
    }
}

/// The longest first.
const SIGNS: [&str; 12] = [
    "!=", "<=", ">=", "==", "=", "<", ">", "(", ")", "[", "]", ",",
];

/// Words that join conditions, and are no names and no texts.
const KEYWORDS: [&str; 4] = ["and", "or", "not", "in"];

struct Reader {
    /// What stands there, and at which character.
    tokens: Vec<(usize, Token)>,
    next: usize,
    end: usize,
}

impl Reader {
    fn new(text: &str) -> Result<Self, InvalidCondition> {
        let chars: Vec<char> = text.chars().collect();
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < chars.len() {
            let rest = &chars[at..];
            if rest[0].is_whitespace() {
                at += 1;
                continue;
            }
            let starts_with = |sign: &&&str| sign.chars().eq(rest.iter().copied().take(sign.len()));
            let (token, length) = if rest[0] == '"' || rest[0] == '\'' {
                quoted(rest, at)?
            } else if let Some(sign) = SIGNS.iter().find(starts_with) {
                (
                    Token::Sign(if *sign == "==" { "=" } else { sign }),
                    sign.len(),
                )
            } else {
                let ends = |c: &char| c.is_whitespace() || "!<>=()[],\"'".contains(*c);
                let length = rest.iter().position(ends).unwrap_or(rest.len());
                if length == 0 {
                    return Err(InvalidCondition::Expected {
                        at: at + 1,
                        expected: "a name, a value or a comparison",
                        found: format!("`{}`", rest[0]),
                    });
                }
                (Token::Word(rest[..length].iter().collect()), length)
            };
            tokens.push((at + 1, token));
            at += length;
        }
        Ok(Self {
            tokens,
            next: 0,
            end: chars.len() + 1,
        })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    fn took_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.next += usize::from(found);
        found
    }

    fn took_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.next += usize::from(found);
        found
    }

    fn expected(&self, expected: &'static str) -> InvalidCondition {
        InvalidCondition::Expected {
            at: self.at(),
            expected,
            found: self.peek().map_or("the end".into(), ToString::to_string),
        }
    }

    fn sign(&mut self, sign: &'static str, expected: &'static str) -> Result<(), InvalidCondition> {
        if self.took_sign(sign) {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    fn any(&mut self, depth: usize) -> Result<Term, InvalidCondition> {
        let mut terms = vec![self.all(depth)?];
        while self.took_word("or") {
            terms.push(self.all(depth)?);
        }
        Ok(joined(terms, Term::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Term, InvalidCondition> {
        let mut terms = vec![self.term(depth)?];
        while self.took_word("and") {
            terms.push(self.term(depth)?);
        }
        Ok(joined(terms, Term::All))
    }

    fn term(&mut self, depth: usize) -> Result<Term, InvalidCondition> {
        if depth > MAX_DEPTH {
            return Err(InvalidCondition::TooDeep);
        }
        if self.took_word("not") {
            return Ok(Term::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.took_sign("(") {
            let term = self.any(depth + 1)?;
            self.sign(")", "`)`")?;
            return Ok(term);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Term, InvalidCondition> {
        let subject = self.subject()?;
        let at = self.at();
        if self.is_word("not") {
            self.next += 1;
            if !self.took_word("in") {
                return Err(self.expected("`in`"));
            }
            let values = self.values(&subject)?;
            return Ok(Term::Not(Box::new(Term::In(subject, values))));
        }
        if self.took_word("in") {
            let values = self.values(&subject)?;
            return Ok(Term::In(subject, values));
        }
        let compare = match self.peek() {
            Some(Token::Sign("=")) => Compare::Equal,
            Some(Token::Sign("!=")) => Compare::NotEqual,
            Some(Token::Sign("<")) => Compare::Less,
            Some(Token::Sign("<=")) => Compare::LessOrEqual,
            Some(Token::Sign(">")) => Compare::Greater,
            Some(Token::Sign(">=")) => Compare::GreaterOrEqual,
            _ => return Err(self.expected("=, !=, <, <=, >, >=, `in` or `not in`")),
        };
        self.next += 1;
        let value = self.value(&subject)?;
        let ordered = !matches!(compare, Compare::Equal | Compare::NotEqual);
        let has_order = matches!(
            value,
            Value::Version(_) | Value::Plain(AttributeValue::Number(_))
        );
        if ordered && !has_order {
            let why = "only numbers are more or less than others; compare texts by =, != or `in`, and versions with \
                       `version(…)`";
            return Err(InvalidCondition::Comparison { at, why });
        }
        Ok(Term::Compare(subject, compare, value))
    }

    fn subject(&mut self) -> Result<Subject, InvalidCondition> {
        let expected = "the name of an attribute, `version(`, `not` or `(`";
        let name = match self.peek() {
            Some(Token::Word(word)) if !is_keyword(word) => word.clone(),
            _ => return Err(self.expected(expected)),
        };
        let is_called = matches!(self.tokens.get(self.next + 1), Some((_, Token::Sign("("))));
        if name == "version" && is_called {
            self.next += 2;
            let name = match self.peek() {
                Some(Token::Word(word)) if is_attribute_name(word) => word.clone(),
                _ => return Err(self.expected("the name of an attribute")),
            };
            self.next += 1;
            self.sign(")", "`)`")?;
            return Ok(Subject {
                name,
                is_version: true,
            });
        }
        if !is_attribute_name(&name) {
            return Err(self.expected(expected));
        }
        self.next += 1;
        Ok(Subject {
            name,
            is_version: false,
        })
    }

    fn values(&mut self, subject: &Subject) -> Result<Vec<Value>, InvalidCondition> {
        self.sign("[", "a list, such as `[DE, AT]`")?;
        let mut values = vec![self.value(subject)?];
        while self.took_sign(",") {
            values.push(self.value(subject)?);
        }
        self.sign("]", "`,` or `]`")?;
        Ok(values)
    }

    fn value(&mut self, subject: &Subject) -> Result<Value, InvalidCondition> {
        let at = self.at();
        let (text, is_quoted) = match self.peek() {
            Some(Token::Word(word)) if !is_keyword(word) => (word.clone(), false),
            Some(Token::Text(text)) => (text.clone(), true),
            _ => return Err(self.expected("a value")),
        };
        self.next += 1;
        if subject.is_version {
            let why = "a version has numbers with points between them, such as 2.3 or 2.3.1-beta";
            let version = Version::parse(&text);
            return version
                .map(Value::Version)
                .ok_or(InvalidCondition::Comparison { at, why });
        }
        let begins_a_word = text
            .chars()
            .next()
            .is_some_and(|c| c.is_alphabetic() || c == '_');
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        let value = match number {
            _ if is_quoted => AttributeValue::Text(text),
            _ if text.eq_ignore_ascii_case("true") => AttributeValue::Bool(true),
            _ if text.eq_ignore_ascii_case("false") => AttributeValue::Bool(false),
            Some(number) => AttributeValue::Number(number),
            None if begins_a_word => AttributeValue::Text(text),
            None => {
                let why = "this is neither a number nor a word; put texts between quotes, and compare versions with \
                           `version(…)`";
                return Err(InvalidCondition::Comparison { at, why });
            }
        };
        Ok(Value::Plain(value))
    }
}

fn is_keyword(word: &str) -> bool {
    KEYWORDS
        .iter()
        .any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// A text between quotes, and how many characters it takes.
fn quoted(rest: &[char], at: usize) -> Result<(Token, usize), InvalidCondition> {
    let mut text = String::new();
    let mut chars = rest.iter().enumerate().skip(1);
    while let Some((place, &c)) = chars.next() {
        match c {
            '\\' => text.extend(chars.next().map(|(_, c)| c)),
            c if c == rest[0] => return Ok((Token::Text(text), place + 1)),
            c => text.push(c),
        }
    }
    Err(InvalidCondition::Comparison {
        at: at + 1,
        why: "the text has no closing quote",
    })
}

fn joined(mut terms: Vec<Term>, join: fn(Vec<Term>) -> Term) -> Term {
    if terms.len() == 1 {
        terms.remove(0)
    } else {
        join(terms)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
