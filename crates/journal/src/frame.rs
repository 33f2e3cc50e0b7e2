//! A frame: the length of its payload, its position, two checksums, and the payload.
//!
//! ```text
//! 0        4               8          16       20
//! | length | CRC32C (head) | position | CRC32C | payload ...
//! ```
//!
//! All little endian. The first checksum covers length and position, the second these and the payload, so a
//! frame is good only at the position that it was written for. Both begin with the [`Salt`] of the server:
//! payloads come from outside, and bytes in them that look like a frame must not be read as one when the frame
//! around them is damaged. A length of 0 stands nowhere: zeros are no frame.

use crate::ServerId;

/// The bytes before the payload.
pub(crate) const HEAD: usize = 20;

/// What the checksums of a server begin with. Nobody outside knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Salt(u32);

impl Salt {
    pub(crate) fn of(server: &ServerId) -> Self {
        Self(crc32c::crc32c(server))
    }

    /// Of length and position.
    fn head(self, head: &[u8; HEAD]) -> u32 {
        let sum = crc32c::crc32c_append(self.0, &head[0..4]);
        crc32c::crc32c_append(sum, &head[8..16])
    }
}

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
    pub(crate) fn seal(&mut self, position: u64, salt: Salt) -> &[u8] {
        let length = (self.0.len() - HEAD) as u32;
        if let Some((head, payload)) = self.0.split_first_chunk_mut::<HEAD>() {
            head[0..4].copy_from_slice(&length.to_le_bytes());
            head[8..16].copy_from_slice(&position.to_le_bytes());
            let sum = salt.head(head);
            head[4..8].copy_from_slice(&sum.to_le_bytes());
            let whole = crc32c::crc32c_append(sum, payload);
            head[16..20].copy_from_slice(&whole.to_le_bytes());
        }
        &self.0
    }
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
pub(crate) fn look(bytes: &[u8], left: u64, salt: Salt) -> Found {
    if left < HEAD as u64 {
        return Found::Bad;
    }
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
        return Found::Short(HEAD);
    };
    let Some(Head {
        length,
        position,
        head_sum,
        sum,
    }) = Head::read(head, salt)
    else {
        return Found::Bad;
    };
    let whole = HEAD + length;
    if whole as u64 > left {
        return Found::Bad;
    }
    let Some(payload) = rest.get(..length) else {
        return Found::Short(whole);
    };
    if crc32c::crc32c_append(head_sum, payload) == sum {
        Found::Good { position, length }
    } else {
        Found::Bad
    }
}

/// A head that is whole.
struct Head {
    length: usize,
    position: u64,
    head_sum: u32,
    sum: u32,
}

impl Head {
    fn read(head: &[u8; HEAD], salt: Salt) -> Option<Self> {
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (length, head_sum) = (number(0), number(4));
        if length == 0 || salt.head(head) != head_sum {
            return None;
        }
        Some(Self {
            length: length as usize,
            position: u64::from(number(8)) | u64::from(number(12)) << 32,
            head_sum,
            sum: number(16),
        })
    }
}

/// The first good frame at or after a place whose position is one of these: where damage ends. Payloads are
/// read only behind heads that are whole, so this takes no longer than the bytes are many.
pub(crate) fn search(
    bytes: &[u8],
    from: usize,
    positions: std::ops::RangeInclusive<u64>,
    salt: Salt,
) -> Option<usize> {
    (from..bytes.len().saturating_sub(HEAD)).find(|&at| {
        let rest = &bytes[at..];
        match look(rest, rest.len() as u64, salt) {
            Found::Good { position, .. } => positions.contains(&position),
            Found::Short(_) | Found::Bad => false,
        }
    })
}

/// The positions that frames of this content can have, when the next one is known: more do not fit.
pub(crate) fn possible(next: Option<u64>, content: &[u8]) -> std::ops::RangeInclusive<u64> {
    let most = content.len() as u64 / (HEAD as u64 + 1);
    next.map_or(1..=u64::MAX, |next| next..=next.saturating_add(most))
}

/// Where what was written ends: behind the last byte that is not 0.
pub(crate) fn written(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

/// The kernel copies what is written page by page, and a killed process leaves whole ones.
const PAGE: usize = 4096;

/// Whether what was written at an offset of a file, up to the last byte that is not 0, is the beginning of the frame
/// that comes next and no more: a process was killed in the middle of writing it. It ends with a page then, and the
/// frame does not.
pub(crate) fn is_unfinished(written: &[u8], offset: usize, next: Option<u64>, salt: Salt) -> bool {
    let page = (offset + written.len()).next_multiple_of(PAGE);
    let Some(head) = written.first_chunk::<HEAD>() else {
        return !written.is_empty() && page < offset + HEAD;
    };
    Head::read(head, salt).is_some_and(|head| {
        let expected = next.is_none_or(|next| head.position == next);
        expected && page < offset + HEAD + head.length
    })
}

/// How many frames there may have been in damaged bytes, when the first would have had this position: those
/// that say so themselves; where the damage hides that, the most that fit.
pub(crate) fn count_damaged(mut bytes: &[u8], first: u64, salt: Salt) -> u64 {
    let mut count = 0;
    while let Some(head) = bytes.first_chunk::<HEAD>() {
        let whole = match Head::read(head, salt) {
            Some(head) if head.position == first + count => HEAD + head.length,
            _ => break,
        };
        count += 1;
        if whole >= bytes.len() {
            return count;
        }
        bytes = &bytes[whole..];
    }
    count + (written(bytes) as u64).div_ceil(HEAD as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = Salt(77);

    fn sealed(position: u64, payload: &[u8]) -> Vec<u8> {
        let mut frame = Frame::default();
        frame.payload().extend_from_slice(payload);
        frame.seal(position, SALT).to_vec()
    }

    #[test]
    fn a_frame_is_read_back_and_no_changed_bit_passes() {
        let bytes = sealed(7, b"what was said");
        let good = Found::Good {
            position: 7,
            length: 13,
        };
        assert_eq!(look(&bytes, 1000, SALT), good);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(look(&changed, 1000, SALT), good, "bit {bit}");
            assert!(!matches!(
                look(&changed, bytes.len() as u64, SALT),
                Found::Good { .. }
            ));
        }
    }

    #[test]
    fn zeros_are_no_frame_and_half_a_frame_asks_for_more() {
        assert_eq!(look(&[0; 64], 64, SALT), Found::Bad);
        let bytes = sealed(1, b"abc");
        assert_eq!(look(&bytes[..10], 100, SALT), Found::Short(HEAD));
        assert_eq!(look(&bytes[..21], 100, SALT), Found::Short(23));
        assert_eq!(look(&bytes[..21], 21, SALT), Found::Bad);
    }

    #[test]
    fn a_search_finds_the_next_good_frame_of_the_right_position() {
        let mut bytes = vec![0xff; 40];
        bytes.extend(sealed(3, b"old"));
        bytes.extend(sealed(9, b"new"));
        assert_eq!(search(&bytes, 1, 1..=20, SALT), Some(40));
        assert_eq!(search(&bytes, 1, 5..=20, SALT), Some(63));
        assert_eq!(search(&bytes, 1, 10..=20, SALT), None);
    }

    #[test]
    fn damaged_frames_are_counted_by_what_they_say() {
        let mut bytes = sealed(5, b"one");
        bytes.extend(sealed(6, b"two"));
        bytes[21] ^= 1;
        assert_eq!(count_damaged(&bytes, 5, SALT), 2);
        assert_eq!(count_damaged(&[0; 100], 5, SALT), 0);
        // Nothing can be made of these: at most one frame fits into each 21 bytes.
        assert_eq!(count_damaged(&[0xff; 43], 5, SALT), 3);
    }

    #[test]
    fn a_frame_whose_writing_did_not_end_is_told_from_a_damaged_one() {
        let bytes = sealed(5, b"what was said");
        for cut in 1..bytes.len() {
            // A page ends there, or goes on.
            assert!(
                is_unfinished(&bytes[..cut], PAGE - cut, Some(5), SALT),
                "{cut}"
            );
            assert!(!is_unfinished(&bytes[..cut], 0, Some(5), SALT), "{cut}");
        }
        // The last bytes before the end of the page may be zeros.
        assert!(is_unfinished(&bytes[..25], PAGE - 28, Some(5), SALT));
        assert!(!is_unfinished(&[], 0, Some(5), SALT));
        assert!(!is_unfinished(&bytes, 0, Some(5), SALT), "it is whole");
        let other = is_unfinished(&bytes[..30], PAGE - 30, Some(6), SALT);
        assert!(!other, "another comes next");
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = &changed[..written(&changed)];
            assert!(!is_unfinished(changed, 0, Some(5), SALT), "bit {bit}");
        }
    }

    /// Whoever writes a whole frame into a text cannot have it read, and cannot make damage take long.
    #[test]
    fn payloads_are_not_read_as_frames() {
        let mut text = Vec::new();
        for position in 1..=3 {
            let mut forged = Frame::default();
            forged.payload().extend_from_slice(b"forged");
            text.extend_from_slice(forged.seal(position, Salt(0)));
        }
        let mut bytes = sealed(1, &text);
        assert!(matches!(look(&bytes, 1000, SALT), Found::Good { .. }));
        let after = bytes.len();
        bytes.extend(sealed(2, b"true"));
        bytes[after - 1] ^= 1;
        assert_eq!(search(&bytes, 1, 1..=3, SALT), Some(after));
    }
}
