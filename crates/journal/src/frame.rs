//! A frame: the length of its payload, a checksum, its position, and the payload.
//!
//! ```text
//! 0        4        8                16
//! | length | CRC32C |    position    | payload ...
//! ```
//!
//! All little endian. The checksum covers everything but itself, so a frame is good only at the position
//! that it was written for. A length of 0 stands nowhere: zeros are no frame.

/// The bytes before the payload.
pub(crate) const HEAD: usize = 16;

/// Bytes that are to become a frame.
#[derive(Debug)]
pub struct Frame(Vec<u8>);

impl Default for Frame {
    fn default() -> Self {
        Self::with_capacity(512)
    }
}

impl Frame {
    /// An empty one, with room for so many bytes of payload.
    pub fn with_capacity(payload: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEAD + payload);
        bytes.resize(HEAD, 0);
        Self(bytes)
    }

    /// Where the payload is written: what stands there already must stay.
    pub fn payload(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// Forgets the payload.
    pub fn clear(&mut self) {
        self.0.truncate(HEAD);
    }

    /// The bytes that it takes in a segment.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Writes the head for a position, and gives the whole.
    pub(crate) fn seal(&mut self, position: u64) -> &[u8] {
        let length = (self.0.len() - HEAD) as u32;
        self.0[0..4].copy_from_slice(&length.to_le_bytes());
        self.0[8..16].copy_from_slice(&position.to_le_bytes());
        let sum = checksum(&self.0);
        self.0[4..8].copy_from_slice(&sum.to_le_bytes());
        &self.0
    }
}

/// Of a whole frame.
fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[0..4]), &frame[8..])
}

/// What stands at some place of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A good frame of this position, whose payload has this length.
    Good { position: u64, length: usize },
    /// What may be a frame, of which so many bytes are needed to see.
    Short(usize),
    /// Nothing, or damage.
    Bad,
}

/// Looks at the beginning of `bytes`, of which the segment holds `left` at most.
pub(crate) fn look(bytes: &[u8], left: u64) -> Found {
    if left < HEAD as u64 {
        return Found::Bad;
    }
    let Some(head) = bytes.first_chunk::<HEAD>() else {
        return Found::Short(HEAD);
    };
    let (length, sum, position) = read_head(head);
    let whole = HEAD + length as usize;
    if length == 0 || whole as u64 > left {
        return Found::Bad;
    }
    let Some(frame) = bytes.get(..whole) else {
        return Found::Short(whole);
    };
    if checksum(frame) == sum {
        let length = length as usize;
        Found::Good { position, length }
    } else {
        Found::Bad
    }
}

fn read_head(head: &[u8; HEAD]) -> (u32, u32, u64) {
    let [a, b, c, d, e, f, g, h, position @ ..] = *head;
    (
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
        u64::from_le_bytes(position),
    )
}

/// The first good frame at or after a place whose position is one of these: where damage ends.
pub(crate) fn search(
    bytes: &[u8],
    from: usize,
    positions: std::ops::RangeInclusive<u64>,
) -> Option<usize> {
    (from..bytes.len().saturating_sub(HEAD)).find(|&at| {
        let rest = &bytes[at..];
        let Some(head) = rest.first_chunk::<HEAD>() else {
            return false;
        };
        let (length, _, position) = read_head(head);
        length > 0
            && positions.contains(&position)
            && matches!(look(rest, rest.len() as u64), Found::Good { .. })
    })
}

/// The positions that frames of this content can have, when the next one is known: more do not fit. Bytes that
/// look like a frame, and came from outside, say anything.
pub(crate) fn possible(next: Option<u64>, content: &[u8]) -> std::ops::RangeInclusive<u64> {
    let most = content.len() as u64 / (HEAD as u64 + 1);
    next.map_or(1..=u64::MAX, |next| next..=next.saturating_add(most))
}

/// How many frames there may have been in damaged bytes, when the first would have had this position: those
/// that say so themselves; where the damage hides that, the most that fit.
pub(crate) fn count_damaged(mut bytes: &[u8], first: u64) -> u64 {
    let mut count = 0;
    while let Some(head) = bytes.first_chunk::<HEAD>() {
        let (length, _, position) = read_head(head);
        let whole = HEAD + length as usize;
        if length == 0 || position != first + count {
            break;
        }
        count += 1;
        if whole >= bytes.len() {
            return count;
        }
        bytes = &bytes[whole..];
    }
    let written = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    count + (written as u64).div_ceil(HEAD as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(position: u64, payload: &[u8]) -> Vec<u8> {
        let mut frame = Frame::default();
        frame.payload().extend_from_slice(payload);
        frame.seal(position).to_vec()
    }

    #[test]
    fn a_frame_is_read_back_and_no_changed_bit_passes() {
        let bytes = sealed(7, b"what was said");
        let good = Found::Good {
            position: 7,
            length: 13,
        };
        assert_eq!(look(&bytes, 1000), good);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(look(&changed, 1000), good, "bit {bit}");
            assert!(!matches!(
                look(&changed, bytes.len() as u64),
                Found::Good { .. }
            ));
        }
    }

    #[test]
    fn zeros_are_no_frame_and_half_a_frame_asks_for_more() {
        assert_eq!(look(&[0; 64], 64), Found::Bad);
        let bytes = sealed(1, b"abc");
        assert_eq!(look(&bytes[..10], 100), Found::Short(HEAD));
        assert_eq!(look(&bytes[..17], 100), Found::Short(19));
        assert_eq!(look(&bytes[..17], 17), Found::Bad);
    }

    #[test]
    fn a_search_finds_the_next_good_frame_of_the_right_position() {
        let mut bytes = vec![0xff; 40];
        bytes.extend(sealed(3, b"old"));
        bytes.extend(sealed(9, b"new"));
        assert_eq!(search(&bytes, 1, 1..=20), Some(40));
        assert_eq!(search(&bytes, 1, 5..=20), Some(59));
        assert_eq!(search(&bytes, 1, 10..=20), None);
    }

    #[test]
    fn damaged_frames_are_counted_by_what_they_say() {
        let mut bytes = sealed(5, b"one");
        bytes.extend(sealed(6, b"two"));
        bytes[17] ^= 1;
        assert_eq!(count_damaged(&bytes, 5), 2);
        assert_eq!(count_damaged(&[0; 100], 5), 0);
        // Nothing can be made of these: at most one frame fits into each 17 bytes.
        assert_eq!(count_damaged(&[0xff; 35], 5), 3);
    }
}
