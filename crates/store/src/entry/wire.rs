//! The wire format of protocol buffers, as far as entries need it: whole numbers of variable length, eight
//! bytes, and bytes with their length.

use super::NotUnderstood;
use serde::Serialize;

const VARINT: u64 = 0;
const FIXED: u64 = 1;
const BYTES: u64 = 2;

/// Writes fields to the end of a buffer.
pub(super) struct Writer<'a>(&'a mut Vec<u8>);

impl<'a> Writer<'a> {
    pub(super) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self(bytes)
    }

    /// A whole number; 0 is the default and is left out.
    pub(super) fn varint(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.tag(field, VARINT);
            self.number(value);
        }
    }

    /// A whole number that may be 0.
    pub(super) fn varint_option(&mut self, field: u32, value: Option<u64>) {
        if let Some(value) = value {
            self.tag(field, VARINT);
            self.number(value);
        }
    }

    /// Eight bytes.
    pub(super) fn fixed(&mut self, field: u32, bits: u64) {
        self.tag(field, FIXED);
        self.0.extend_from_slice(&bits.to_le_bytes());
    }

    /// Bytes.
    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, BYTES);
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// A field as it was read.
    pub(super) fn field(&mut self, tag: u32, field: Field<'_>) {
        match field {
            Field::Varint(value) => self.varint_option(tag, Some(value)),
            Field::Fixed(bits) => self.fixed(tag, bits),
            Field::Bytes(bytes) => self.bytes(tag, bytes),
            Field::Other => {}
        }
    }

    /// Fields that were written before.
    pub(super) fn again(&mut self, fields: &[u8]) {
        self.0.extend_from_slice(fields);
    }

    /// A value as JSON.
    pub(super) fn json(&mut self, field: u32, value: &impl Serialize) {
        self.nested(field, |bytes| {
            serde_json::to_writer(bytes, value)
                .expect("JSON values are JSON, and memory takes them");
        });
    }

    /// A message.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Writer<'_>)) {
        self.nested(field, |bytes| write(&mut Writer(bytes)));
    }

    /// What is written by `write`, behind its length. Five bytes are kept for that: what is inside need not
    /// be moved, and a length may be written longer than it must be.
    fn nested(&mut self, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
        self.tag(field, BYTES);
        let length_at = self.0.len();
        self.0.extend_from_slice(&[0; 5]);
        let begin = self.0.len();
        write(self.0);
        let mut length = self.0.len() - begin;
        for at in length_at..begin {
            let more = if at + 1 < begin { 0x80 } else { 0 };
            self.0[at] = (length & 0x7f) as u8 | more;
            length >>= 7;
        }
    }

    fn tag(&mut self, field: u32, kind: u64) {
        self.number(u64::from(field) << 3 | kind);
    }

    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// A field as it is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
    /// Four bytes, which this program writes nowhere.
    Other,
}

/// The fields of a message, with their numbers.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self) -> Option<(u32, Field<'a>)> {
        let tag = self.number()?;
        let field = u32::try_from(tag >> 3).ok().filter(|field| *field > 0)?;
        let value = match tag & 7 {
            VARINT => Field::Varint(self.number()?),
            FIXED => Field::Fixed(u64::from_le_bytes(self.bytes(8)?.try_into().ok()?)),
            BYTES => {
                let length = usize::try_from(self.number()?).ok()?;
                Field::Bytes(self.bytes(length)?)
            }
            5 => {
                self.bytes(4)?;
                Field::Other
            }
            _ => return None,
        };
        Some((field, value))
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>), NotUnderstood>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.take();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(NotUnderstood::Malformed("it breaks off, or is no message")))
    }
}
