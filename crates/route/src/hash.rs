//! The hash that keeps a unit on its version, frozen as version 1 with the vectors in `vectors/`.
//!
//! SHA-256, because every language and SQL engine has it: anybody can recompute an assignment.

use sha2::{Digest, Sha256};

/// Joins the parts, so that `a, bc` and `ab, c` differ.
const SEPARATOR: [u8; 1] = [0x1f];

/// A hash under way, so that parts shared by many units are hashed once.
#[derive(Clone)]
pub struct Hash(Sha256);

impl Hash {
    /// Begins with a first part.
    pub fn new(part: &str) -> Self {
        Self(Sha256::new_with_prefix(part))
    }

    /// Adds a part.
    #[must_use]
    pub fn part(mut self, part: &str) -> Self {
        self.0.update(SEPARATOR);
        self.0.update(part);
        self
    }

    /// The first 8 bytes, big-endian.
    pub fn finish(self) -> u64 {
        let digest = self.0.finalize();
        let first = digest.first_chunk().expect("a SHA-256 digest has 32 bytes");
        u64::from_be_bytes(*first)
    }
}

/// The first 8 bytes, big-endian, of SHA-256 over the UTF-8 parts joined by 0x1F.
pub fn hash_parts(parts: &[&str]) -> u64 {
    let Some((first, rest)) = parts.split_first() else {
        return Hash::new("").finish();
    };
    let hash = rest
        .iter()
        .fold(Hash::new(first), |hash, part| hash.part(part));
    hash.finish()
}

/// Maps 64 bits to ((h >> 11) + 0.5) / 2^53, rounded to the nearest double (half to even).
///
/// The result lies in (0, 1], and is 1 only for the largest `h >> 11`.
pub fn unit_interval(h: u64) -> f64 {
    ((h >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}
