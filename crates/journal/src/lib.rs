//! An append-only journal: bytes get a position and cannot be lost from then on.
//!
//! A [`Journal`] is a folder of segments. A segment is allocated before it is needed, and holds frames:
//! bytes with their length, their position and a checksum. Positions begin at 1, ascend by 1, and are
//! never given twice, whatever happened. Whoever is about to append takes [`Room`] first, so that what
//! must be written can be. A [`Reader`] reads on from any position and says what is missing; what has
//! been read and is kept elsewhere is [let go](Journal::let_go).
//!
//! This crate knows bytes and positions, and nothing of what they mean.
#![warn(missing_docs)]

mod disk;
#[cfg(feature = "faulty")]
pub mod faulty;
mod frame;
mod head;
mod inspect;
mod keeper;
mod open;
mod pins;
mod read;
mod segment;
mod write;

pub use disk::{Disk, DiskFile, Folder};
pub use frame::Frame;
pub use inspect::{Inspected, Torn, inspect};
pub use open::{Cut, OpenError, Opened, is_there, server_of};
pub use pins::Pins;
pub use read::{Batch, Missing, Reader};
pub use write::{AppendError, Journal, Room, SyncFailed};

/// Identifies the server that writes a journal: 128 random bits.
pub type ServerId = [u8; 16];

/// How much a journal may hold.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The size of a segment, in bytes.
    pub segment_bytes: u64,
    /// All segments together, in bytes; at least three segments.
    pub max_bytes: u64,
    /// The largest frame, in bytes; less than half a segment. So much of a segment may stay empty at its
    /// end.
    pub largest_bytes: u64,
    /// Whether [`Journal::sync`] will be called: the segments that it has to sync are remembered.
    pub synced: bool,
    /// Whether there may be none although there was one: what waited in it is lost.
    pub may_be_missing: bool,
}

impl Options {
    /// For a journal of this size: 32 MiB a segment, less where fewer than 16 of them would fit.
    pub fn within(max_bytes: u64, synced: bool) -> Self {
        let segment_bytes = (max_bytes / 16).clamp(LEAST_SEGMENT, 32 << 20);
        Self {
            segment_bytes,
            max_bytes: max_bytes.max(3 * segment_bytes),
            largest_bytes: segment_bytes / 4,
            synced,
            may_be_missing: false,
        }
    }
}

/// The smallest segment, in bytes.
const LEAST_SEGMENT: u64 = 64 << 10;
