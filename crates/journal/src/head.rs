//! The head of a segment, in two parts: what it is, written and synced when it is made, and the position at
//! which it begins, written when its first frame is due.

use crate::{OpenError, ServerId};

/// The bytes before the first frame.
pub(crate) const BYTES: u64 = 64;
/// Where the second part stands.
pub(crate) const BEGINNING: u64 = 40;
/// The format that this program writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"weirjrnl";

/// What a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) format: u32,
    pub(crate) server: ServerId,
    /// `None` where nothing was appended, or where that is damaged.
    pub(crate) first: Option<u64>,
}

impl Head {
    /// Whether this program may read what this server has written.
    pub(crate) fn check(&self, server: &ServerId) -> Result<(), OpenError> {
        if self.format > FORMAT {
            return Err(OpenError::Newer {
                found: self.format,
                known: FORMAT,
            });
        }
        if self.server != *server {
            let hex = self.server.iter().map(|byte| format!("{byte:02x}"));
            return Err(OpenError::Foreign(hex.collect()));
        }
        Ok(())
    }
}

/// The first part: magic, format, server, checksum.
pub(crate) fn first_part(server: &ServerId) -> [u8; BEGINNING as usize] {
    let mut bytes = [0; BEGINNING as usize];
    bytes[0..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[12..28].copy_from_slice(server);
    let sum = crc32c::crc32c(&bytes[..28]);
    bytes[28..32].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// The second part: the position of the first frame, and a checksum.
pub(crate) fn second_part(first: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&first.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[..8]);
    bytes[8..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Reads a head; `None` where the first part is none.
pub(crate) fn read(bytes: &[u8]) -> Option<Head> {
    let bytes = bytes.first_chunk::<{ BYTES as usize }>()?;
    let number =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    if &bytes[0..8] != MAGIC || crc32c::crc32c(&bytes[..28]) != number(28) {
        return None;
    }
    let beginning = BEGINNING as usize;
    let first = u64::from(number(beginning)) | u64::from(number(beginning + 4)) << 32;
    let begun = first > 0 && bytes[beginning..beginning + 12] == second_part(first);
    Some(Head {
        format: number(8),
        server: bytes[12..28].try_into().ok()?,
        first: begun.then_some(first),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_back() {
        let mut bytes = [0; BYTES as usize];
        assert_eq!(read(&bytes), None);
        bytes[..40].copy_from_slice(&first_part(&[7; 16]));
        let head = read(&bytes).unwrap();
        assert_eq!(
            (head.format, head.server, head.first),
            (FORMAT, [7; 16], None)
        );
        bytes[40..52].copy_from_slice(&second_part(12_345_678_901));
        assert_eq!(read(&bytes).unwrap().first, Some(12_345_678_901));
        bytes[41] ^= 1;
        assert_eq!(read(&bytes).unwrap().first, None);
        bytes[9] ^= 1;
        assert_eq!(read(&bytes), None);
    }
}
