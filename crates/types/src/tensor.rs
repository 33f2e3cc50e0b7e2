//! Tensors, as models take and give them; in JSON as the Open Inference Protocol has them.

mod raw;

use serde::de::{DeserializeSeed, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::fmt::Write;

crate::words! {
    /// What the elements of a tensor are, by the words of the Open Inference Protocol.
    pub enum DataType as "DataType" {
        /// True or false.
        Bool = "BOOL",
        /// A whole number from -128.
        Int8 = "INT8",
        /// A whole number from -32,768.
        Int16 = "INT16",
        /// A whole number of 32 bits.
        Int32 = "INT32",
        /// A whole number of 64 bits.
        Int64 = "INT64",
        /// A whole number up to 255.
        Uint8 = "UINT8",
        /// A whole number up to 65,535.
        Uint16 = "UINT16",
        /// A whole number of 32 bits, from 0.
        Uint32 = "UINT32",
        /// A whole number of 64 bits, from 0.
        Uint64 = "UINT64",
        /// A number of 16 bits (IEEE 754).
        Fp16 = "FP16",
        /// A number of 32 bits.
        Fp32 = "FP32",
        /// A number of 64 bits.
        Fp64 = "FP64",
        /// A text, or any bytes.
        Bytes = "BYTES",
    }
}

/// The elements of a tensor, in the order of its rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Elements {
    /// Truths.
    Bool(Vec<bool>),
    /// Whole numbers of 8 bits.
    Int8(Vec<i8>),
    /// Whole numbers of 16 bits.
    Int16(Vec<i16>),
    /// Whole numbers of 32 bits.
    Int32(Vec<i32>),
    /// Whole numbers of 64 bits.
    Int64(Vec<i64>),
    /// Whole numbers of 8 bits, from 0.
    Uint8(Vec<u8>),
    /// Whole numbers of 16 bits, from 0.
    Uint16(Vec<u16>),
    /// Whole numbers of 32 bits, from 0.
    Uint32(Vec<u32>),
    /// Whole numbers of 64 bits, from 0.
    Uint64(Vec<u64>),
    /// Numbers of 16 bits, as they are stored.
    Fp16(Vec<u16>),
    /// Numbers of 32 bits.
    Fp32(Vec<f32>),
    /// Numbers of 64 bits.
    Fp64(Vec<f64>),
    /// Texts, or any bytes.
    Bytes(Vec<Vec<u8>>),
}

/// Does the same with the elements of whatever type they are.
macro_rules! each {
    ($elements:expr, $values:ident => $do:expr) => {
        match $elements {
            Elements::Bool($values) => $do,
            Elements::Int8($values) => $do,
            Elements::Int16($values) => $do,
            Elements::Int32($values) => $do,
            Elements::Int64($values) => $do,
            Elements::Uint8($values) => $do,
            Elements::Uint16($values) => $do,
            Elements::Uint32($values) => $do,
            Elements::Uint64($values) => $do,
            Elements::Fp16($values) => $do,
            Elements::Fp32($values) => $do,
            Elements::Fp64($values) => $do,
            Elements::Bytes($values) => $do,
        }
    };
}

/// The most dimensions of a tensor.
const MOST_DIMENSIONS: usize = 16;
/// The most elements of a tensor.
pub const MOST_ELEMENTS: usize = 1 << 26;

/// A tensor: its elements are as many as the product of its shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    elements: Elements,
}

/// Why something is no tensor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidTensor(pub String);

fn invalid<T>(why: impl Into<String>) -> Result<T, InvalidTensor> {
    Err(InvalidTensor(why.into()))
}

/// How many elements a shape has.
///
/// # Errors
/// When they are more than any tensor has.
pub fn elements_of(shape: &[usize]) -> Result<usize, InvalidTensor> {
    if shape.len() > MOST_DIMENSIONS {
        return invalid(format!("must have at most {MOST_DIMENSIONS} dimensions"));
    }
    // A dimension of nothing makes the others no smaller: whoever walks along them takes as many steps.
    let steps = shape
        .iter()
        .try_fold(1usize, |steps, size| steps.checked_mul((*size).max(1)));
    match steps {
        Some(steps) if steps <= MOST_ELEMENTS => Ok(shape.iter().product()),
        _ => invalid(format!("must have at most {MOST_ELEMENTS} elements")),
    }
}

impl Elements {
    /// None of a type.
    pub fn none(of: DataType) -> Self {
        match of {
            DataType::Bool => Self::Bool(Vec::new()),
            DataType::Int8 => Self::Int8(Vec::new()),
            DataType::Int16 => Self::Int16(Vec::new()),
            DataType::Int32 => Self::Int32(Vec::new()),
            DataType::Int64 => Self::Int64(Vec::new()),
            DataType::Uint8 => Self::Uint8(Vec::new()),
            DataType::Uint16 => Self::Uint16(Vec::new()),
            DataType::Uint32 => Self::Uint32(Vec::new()),
            DataType::Uint64 => Self::Uint64(Vec::new()),
            DataType::Fp16 => Self::Fp16(Vec::new()),
            DataType::Fp32 => Self::Fp32(Vec::new()),
            DataType::Fp64 => Self::Fp64(Vec::new()),
            DataType::Bytes => Self::Bytes(Vec::new()),
        }
    }

    /// What they are.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Bool(_) => DataType::Bool,
            Self::Int8(_) => DataType::Int8,
            Self::Int16(_) => DataType::Int16,
            Self::Int32(_) => DataType::Int32,
            Self::Int64(_) => DataType::Int64,
            Self::Uint8(_) => DataType::Uint8,
            Self::Uint16(_) => DataType::Uint16,
            Self::Uint32(_) => DataType::Uint32,
            Self::Uint64(_) => DataType::Uint64,
            Self::Fp16(_) => DataType::Fp16,
            Self::Fp32(_) => DataType::Fp32,
            Self::Fp64(_) => DataType::Fp64,
            Self::Bytes(_) => DataType::Bytes,
        }
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        each!(self, values => values.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// So many zeros, or empty texts, of a type.
    pub fn zeros(of: DataType, count: usize) -> Self {
        let mut zeros = Self::none(of);
        each!(&mut zeros, values => values.resize(count, Default::default()));
        zeros
    }

    /// Some of them.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn slice(&self, from: usize, count: usize) -> Self {
        let mut some = Self::none(self.data_type());
        some.extend_from(self, from, count);
        some
    }

    /// Adds some of others of the same type; of another type none are.
    pub fn extend_from(&mut self, others: &Self, from: usize, count: usize) {
        macro_rules! same {
            ($($variant:ident)*) => {
                match (self, others) {
                    $((Self::$variant(values), Self::$variant(others)) => {
                        values.extend_from_slice(&others[from..from + count]);
                    })*
                    _ => {}
                }
            };
        }
        same!(Bool Int8 Int16 Int32 Int64 Uint8 Uint16 Uint32 Uint64 Fp16 Fp32 Fp64 Bytes);
    }

    /// One of them as a number; `None` of a text.
    pub fn number(&self, at: usize) -> Option<f64> {
        Some(match self {
            Self::Bool(values) => f64::from(u8::from(*values.get(at)?)),
            Self::Int8(values) => f64::from(*values.get(at)?),
            Self::Int16(values) => f64::from(*values.get(at)?),
            Self::Int32(values) => f64::from(*values.get(at)?),
            Self::Int64(values) => *values.get(at)? as f64,
            Self::Uint8(values) => f64::from(*values.get(at)?),
            Self::Uint16(values) => f64::from(*values.get(at)?),
            Self::Uint32(values) => f64::from(*values.get(at)?),
            Self::Uint64(values) => *values.get(at)? as f64,
            Self::Fp16(values) => f64::from(half_to_float(*values.get(at)?)),
            Self::Fp32(values) => f64::from(*values.get(at)?),
            Self::Fp64(values) => *values.get(at)?,
            Self::Bytes(_) => return None,
        })
    }

    /// Writes one of them as JSON. Of what JSON has no word for, a number that is none is null, and one without an end the text
    /// `"Infinity"` or `"-Infinity"`; both are read again.
    pub fn write_json(&self, at: usize, json: &mut String) {
        let number = |value: f64, json: &mut String| {
            if value.is_finite() {
                json.push_str(&serde_json::Value::from(value).to_string());
            } else {
                endless(value, json);
            }
        };
        match self {
            Self::Bool(values) => json.push_str(if values[at] { "true" } else { "false" }),
            // The shortest text that is the same number of 32 bits again.
            Self::Fp32(values) if values[at].is_finite() => {
                let _ = write!(json, "{}", Shortest(values[at]));
            }
            Self::Fp32(values) => endless(f64::from(values[at]), json),
            Self::Fp64(values) => number(values[at], json),
            Self::Fp16(values) => number(f64::from(half_to_float(values[at])), json),
            Self::Int8(values) => drop(write!(json, "{}", values[at])),
            Self::Int16(values) => drop(write!(json, "{}", values[at])),
            Self::Int32(values) => drop(write!(json, "{}", values[at])),
            Self::Int64(values) => drop(write!(json, "{}", values[at])),
            Self::Uint8(values) => drop(write!(json, "{}", values[at])),
            Self::Uint16(values) => drop(write!(json, "{}", values[at])),
            Self::Uint32(values) => drop(write!(json, "{}", values[at])),
            Self::Uint64(values) => drop(write!(json, "{}", values[at])),
            Self::Bytes(values) => {
                let text = String::from_utf8_lossy(&values[at]);
                json.push_str(&serde_json::Value::from(text).to_string());
            }
        }
    }
}

/// What JSON has no number for.
fn endless(value: f64, json: &mut String) {
    json.push_str(match value {
        f64::INFINITY => "\"Infinity\"",
        f64::NEG_INFINITY => "\"-Infinity\"",
        _ => "null",
    });
}

/// A number of 32 bits in JSON.
struct Shortest(f32);

impl fmt::Display for Shortest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value) = *self;
        // Plain digits of what is very large or very small would be many.
        let size = value.abs();
        if value != 0.0 && !(1e-5..1e16).contains(&size) {
            return write!(f, "{value:e}");
        }
        write!(f, "{value:?}")
    }
}

impl Tensor {
    /// Of elements in a shape.
    ///
    /// # Errors
    /// When they are not as many as the shape says.
    pub fn new(shape: Vec<usize>, elements: Elements) -> Result<Self, InvalidTensor> {
        let count = elements_of(&shape)?;
        if count != elements.len() {
            let given = elements.len();
            return invalid(format!(
                "has {given} elements, and the shape {shape:?} has {count}"
            ));
        }
        Ok(Self { shape, elements })
    }

    /// How many elements there are along each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements.
    pub fn elements(&self) -> &Elements {
        &self.elements
    }

    /// Its parts.
    pub fn into_parts(self) -> (Vec<usize>, Elements) {
        (self.shape, self.elements)
    }

    /// The same elements in another shape.
    ///
    /// # Errors
    /// When that has more or fewer.
    pub fn reshaped(self, shape: Vec<usize>) -> Result<Self, InvalidTensor> {
        Self::new(shape, self.elements)
    }

    /// Reads JSON: a number, a text or a truth, or arrays of them, nested as deeply as there are dimensions.
    ///
    /// # Errors
    /// When elements are not of this type, or the arrays are of different lengths.
    pub fn from_json(data_type: DataType, json: &str) -> Result<Self, InvalidTensor> {
        let mut reading = Reading {
            elements: Elements::none(data_type),
            shape: Vec::new(),
            rank: None,
        };
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let read = Level {
            reading: &mut reading,
            depth: 0,
        };
        let read = read
            .deserialize(&mut deserializer)
            .and_then(|()| deserializer.end());
        if let Err(error) = read {
            let said = error.to_string();
            // Where in the line says nothing to who sent an array.
            let said = said.split(" at line ").next().unwrap_or_default();
            return invalid(said);
        }
        let Reading {
            elements,
            mut shape,
            ..
        } = reading;
        // Behind an empty array nothing is known of what it would hold.
        if let Some(empty) = shape.iter().position(|size| *size == 0) {
            shape.truncate(empty + 1);
        }
        Self::new(shape, elements)
    }

    /// Reads JSON whose shape is known: flat, or nested in that shape.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn shaped_from_json(
        data_type: DataType,
        shape: &[usize],
        json: &str,
    ) -> Result<Self, InvalidTensor> {
        let count = elements_of(shape)?;
        let read = Self::from_json(data_type, json)?;
        let fits = read.shape == shape || read.shape.len() <= 1 || count == 0;
        if !fits {
            return invalid(format!(
                "is nested as {:?}, and the shape is {shape:?}",
                read.shape
            ));
        }
        read.reshaped(shape.to_vec())
    }

    /// Writes the elements as one flat array.
    pub fn write_flat(&self, json: &mut String) {
        json.push('[');
        for at in 0..self.elements.len() {
            if at > 0 {
                json.push(',');
            }
            self.elements.write_json(at, json);
        }
        json.push(']');
    }

    /// Writes the elements nested as the shape is; without dimensions, one element; without elements, `[]`.
    pub fn write_nested(&self, json: &mut String) {
        if self.elements.is_empty() {
            return json.push_str("[]");
        }
        self.write_level(0, &mut 0, json);
    }

    fn write_level(&self, depth: usize, at: &mut usize, json: &mut String) {
        let Some(size) = self.shape.get(depth) else {
            self.elements.write_json(*at, json);
            *at += 1;
            return;
        };
        json.push('[');
        for item in 0..*size {
            if item > 0 {
                json.push(',');
            }
            self.write_level(depth + 1, at, json);
        }
        json.push(']');
    }
}

/// A tensor that is being read.
struct Reading {
    elements: Elements,
    /// What is known of it: a size for each depth that was seen whole.
    shape: Vec<usize>,
    /// How deeply the first element stood.
    rank: Option<usize>,
}

/// One array of it, or one element.
struct Level<'a> {
    reading: &'a mut Reading,
    depth: usize,
}

impl Level<'_> {
    fn leaf<E: Error>(
        &mut self,
        push: impl FnOnce(&mut Elements) -> Result<(), String>,
    ) -> Result<(), E> {
        let depth = self.depth;
        if *self.reading.rank.get_or_insert(depth) != depth {
            return Err(E::custom("has elements beside arrays"));
        }
        if self.reading.elements.len() >= MOST_ELEMENTS {
            return Err(E::custom(format!(
                "must have at most {MOST_ELEMENTS} elements"
            )));
        }
        push(&mut self.reading.elements).map_err(E::custom)
    }
}

fn misfit(what: impl fmt::Display, of: DataType) -> String {
    format!("has the element {what}, which is no {of}")
}

fn push_integer(elements: &mut Elements, value: i128) -> Result<(), String> {
    let of = elements.data_type();
    let outside = |_| misfit(value, of);
    match elements {
        Elements::Int8(values) => values.push(value.try_into().map_err(outside)?),
        Elements::Int16(values) => values.push(value.try_into().map_err(outside)?),
        Elements::Int32(values) => values.push(value.try_into().map_err(outside)?),
        Elements::Int64(values) => values.push(value.try_into().map_err(outside)?),
        Elements::Uint8(values) => values.push(value.try_into().map_err(outside)?),
        Elements::Uint16(values) => values.push(value.try_into().map_err(outside)?),
        Elements::Uint32(values) => values.push(value.try_into().map_err(outside)?),
        Elements::Uint64(values) => values.push(value.try_into().map_err(outside)?),
        Elements::Bool(values) if value == 0 || value == 1 => values.push(value == 1),
        Elements::Bool(_) | Elements::Bytes(_) => return Err(misfit(value, of)),
        Elements::Fp16(_) | Elements::Fp32(_) | Elements::Fp64(_) => {
            return push_number(elements, value as f64);
        }
    }
    Ok(())
}

fn push_number(elements: &mut Elements, value: f64) -> Result<(), String> {
    let fits = |narrow: f64| narrow.is_finite() || !value.is_finite();
    match elements {
        Elements::Fp16(values) => {
            let half = float_to_half(value as f32);
            if !fits(half_to_float(half).into()) {
                return Err(misfit(value, DataType::Fp16));
            }
            values.push(half);
        }
        Elements::Fp32(values) => {
            if !fits((value as f32).into()) {
                return Err(misfit(value, DataType::Fp32));
            }
            values.push(value as f32);
        }
        Elements::Fp64(values) => values.push(value),
        // Some clients write every number with a fraction.
        whole if value.fract() == 0.0 && value.abs() < 1e18 => {
            return push_integer(whole, value as i128);
        }
        other => return Err(misfit(value, other.data_type())),
    }
    Ok(())
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers, texts or truths, or arrays of them")
    }

    fn visit_bool<E: Error>(mut self, value: bool) -> Result<(), E> {
        self.leaf(|elements| match elements {
            Elements::Bool(values) => {
                values.push(value);
                Ok(())
            }
            Elements::Bytes(_) => Err(misfit(value, DataType::Bytes)),
            numbers => push_integer(numbers, i128::from(value)),
        })
    }

    fn visit_i64<E: Error>(mut self, value: i64) -> Result<(), E> {
        self.leaf(|elements| push_integer(elements, i128::from(value)))
    }

    fn visit_u64<E: Error>(mut self, value: u64) -> Result<(), E> {
        self.leaf(|elements| push_integer(elements, i128::from(value)))
    }

    fn visit_f64<E: Error>(mut self, value: f64) -> Result<(), E> {
        self.leaf(|elements| push_number(elements, value))
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        self.leaf(|elements| match elements {
            Elements::Bytes(values) => {
                values.push(text.as_bytes().to_vec());
                Ok(())
            }
            Elements::Fp16(_) | Elements::Fp32(_) | Elements::Fp64(_) if text == "Infinity" => {
                push_number(elements, f64::INFINITY)
            }
            Elements::Fp16(_) | Elements::Fp32(_) | Elements::Fp64(_) if text == "-Infinity" => {
                push_number(elements, f64::NEG_INFINITY)
            }
            other => Err(misfit(format_args!("{text:?}"), other.data_type())),
        })
    }

    /// JSON has no word for a number that is none: it is null, as in what [`Elements::write_json`] writes.
    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        self.leaf(|elements| match elements {
            Elements::Fp16(_) | Elements::Fp32(_) | Elements::Fp64(_) => {
                push_number(elements, f64::NAN)
            }
            other => Err(misfit("null", other.data_type())),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { reading, depth } = self;
        if depth >= MOST_DIMENSIONS {
            let many = format!("must have at most {MOST_DIMENSIONS} dimensions");
            return Err(A::Error::custom(many));
        }
        if reading.rank.is_some_and(|rank| depth >= rank) {
            return Err(A::Error::custom("has arrays beside elements"));
        }
        let mut count = 0;
        loop {
            let next = Level {
                reading: &mut *reading,
                depth: depth + 1,
            };
            if items.next_element_seed(next)?.is_none() {
                break;
            }
            count += 1;
        }
        // Inner arrays end first, so the sizes of deeper levels may stand before this one is known.
        if reading.shape.len() <= depth {
            reading.shape.resize(depth + 1, usize::MAX);
        }
        match &mut reading.shape[depth] {
            size if *size == usize::MAX => *size = count,
            size if *size == count => {}
            size => {
                let ragged = format!("has arrays of {size} and of {count} elements side by side");
                return Err(A::Error::custom(ragged));
            }
        }
        Ok(())
    }
}

/// A named tensor of the Open Inference Protocol, in JSON.
#[derive(Debug, Deserialize)]
pub struct TensorForm<'a> {
    /// What the model calls it.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its type, in the words of the protocol.
    pub datatype: String,
    /// Its elements, flat or nested.
    #[serde(borrow)]
    pub data: &'a serde_json::value::RawValue,
}

impl TensorForm<'_> {
    /// The tensor.
    ///
    /// # Errors
    /// What is wrong with it, and with which one.
    pub fn tensor(&self) -> Result<Tensor, InvalidTensor> {
        let of =
            |error: &dyn fmt::Display| InvalidTensor(format!("the tensor {} {error}", self.name));
        let data_type: DataType = self
            .datatype
            .parse()
            .map_err(|error| of(&format_args!("has a datatype that {error}")))?;
        Tensor::shaped_from_json(data_type, &self.shape, self.data.get())
            .map_err(|error| of(&error))
    }
}

/// A number of 16 bits (IEEE 754 binary16) as one of 32.
pub fn half_to_float(half: u16) -> f32 {
    let sign = if half & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = ((half >> 10) & 0x1f, f32::from(half & 0x3ff));
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2f32.powi(i32::from(exponent) - 15),
    }
}

/// The nearest number of 16 bits; ties go to the even one.
pub fn float_to_half(float: f32) -> u16 {
    let bits = float.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    if float.is_nan() {
        return sign | 0x7e00;
    }
    let size = float.abs();
    // From here on the nearest one is infinite.
    if size >= 65_520.0 {
        return sign | 0x7c00;
    }
    // The step between neighbours where it stands; below the least normal number it stays.
    let exponent = ((bits >> 23) & 0xff) as i32 - 127;
    let step = 2f32.powi(exponent.max(-14) - 10);
    let steps = size / step;
    let (mut whole, rest) = (steps.floor() as u32, steps - steps.floor());
    if rest > 0.5 || (rest == 0.5 && whole % 2 == 1) {
        whole += 1;
    }
    // A fraction that overflows raises the exponent, which stands right above it.
    let base = if exponent < -14 {
        0
    } else {
        ((exponent + 14) as u32) << 10
    };
    sign | (base + whole) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data_type: DataType, json: &str) -> Result<Tensor, String> {
        Tensor::from_json(data_type, json).map_err(|error| error.to_string())
    }

    #[test]
    fn nested_arrays_are_tensors() {
        let tensor = read(DataType::Fp32, "[[1, 2.5, -3], [4, 5, 1e-7]]").unwrap();
        assert_eq!(tensor.shape(), [2, 3]);
        let mut json = String::new();
        tensor.write_nested(&mut json);
        assert_eq!(json, "[[1.0,2.5,-3.0],[4.0,5.0,1e-7]]");
        assert_eq!(read(DataType::Fp32, &json).unwrap(), tensor);
        let odd = r#"[null,"Infinity","-Infinity",0.5]"#;
        for data_type in [DataType::Fp16, DataType::Fp32, DataType::Fp64] {
            let mut json = String::new();
            read(data_type, odd).unwrap().write_flat(&mut json);
            assert_eq!(json, odd);
        }
        assert_eq!(read(DataType::Int64, "7").unwrap().shape(), [0usize; 0]);
        assert_eq!(read(DataType::Int64, "[]").unwrap().shape(), [0]);
        assert_eq!(read(DataType::Int64, "[[],[]]").unwrap().shape(), [2, 0]);
        assert_eq!(
            read(DataType::Int64, "[1.0, 2]").unwrap().elements(),
            &Elements::Int64(vec![1, 2])
        );
        let texts = read(DataType::Bytes, r#"["a", "é"]"#).unwrap();
        let mut json = String::new();
        texts.write_flat(&mut json);
        assert_eq!(json, r#"["a","é"]"#);
        for (data_type, json, why) in [
            (DataType::Int8, "[300]", "300, which is no INT8"),
            (DataType::Int64, "[1.5]", "1.5, which is no INT64"),
            (DataType::Uint64, "[-1]", "-1, which is no UINT64"),
            (DataType::Fp32, r#"["a"]"#, r#""a", which is no FP32"#),
            (DataType::Fp32, "[1e39]", "which is no FP32"),
            (DataType::Fp16, "[65519, 65520]", "65520, which is no FP16"),
            (DataType::Bytes, "[1]", "1, which is no BYTES"),
            (DataType::Fp32, "[[1],[1,2]]", "arrays of 1 and of 2"),
            (DataType::Fp32, "[1,[2]]", "arrays beside elements"),
            (DataType::Fp32, "[[1],2]", "elements beside arrays"),
            (DataType::Fp32, "[[],1]", "elements"),
            (DataType::Int64, "[null]", "null, which is no INT64"),
            (DataType::Fp32, "[{}]", "map"),
            (DataType::Fp32, "[1", "EOF"),
        ] {
            let error = read(data_type, json).unwrap_err();
            assert!(error.contains(why), "{json}: {error}");
        }
        let deep = format!("{}1{}", "[".repeat(17), "]".repeat(17));
        assert!(read(DataType::Fp32, &deep).is_err());
    }

    #[test]
    fn flat_arrays_fit_any_shape_and_nested_ones_their_own() {
        let shaped = |shape: &[usize], json| Tensor::shaped_from_json(DataType::Int32, shape, json);
        assert_eq!(
            shaped(&[2, 2], "[1,2,3,4]").unwrap(),
            shaped(&[2, 2], "[[1,2],[3,4]]").unwrap()
        );
        assert!(shaped(&[4], "[[1,2],[3,4]]").is_err());
        assert!(shaped(&[2, 3], "[1,2,3,4]").is_err());
        assert!(shaped(&[usize::MAX, 2], "[]").is_err());
        assert_eq!(shaped(&[0, 3], "[]").unwrap().shape(), [0, 3]);
        assert!(shaped(&[1 << 50, 0], "[]").is_err());
        let mut nothing = String::new();
        shaped(&[1 << 20, 0], "[]")
            .unwrap()
            .write_nested(&mut nothing);
        assert_eq!(nothing, "[]");
    }

    #[test]
    fn halves_are_the_nearest() {
        for bits in 0..=u16::MAX {
            let float = half_to_float(bits);
            if !float.is_nan() {
                assert_eq!(float_to_half(float), bits, "{float}");
            }
        }
        assert_eq!(float_to_half(65_519.0), 0x7bff);
        assert_eq!(float_to_half(65_520.0), 0x7c00);
        assert_eq!(half_to_float(float_to_half(0.1)), 0.099_975_586);
        // A tie goes to the even one, also across powers of two.
        assert_eq!(float_to_half(2049.0), float_to_half(2048.0));
        assert_eq!(float_to_half(2051.0), float_to_half(2052.0));
        assert_eq!(float_to_half(1e-9), 0);
    }
}
