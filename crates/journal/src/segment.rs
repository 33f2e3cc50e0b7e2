//! One file of the journal.

use crate::disk::{Disk, DiskFile};
use crate::{ServerId, head};
use std::io;
use std::sync::Arc;

/// A segment that frames have been appended to.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) file: Arc<dyn DiskFile>,
    /// The position of its first frame.
    pub(crate) first: u64,
}

/// A segment that nothing is appended to any more.
#[derive(Clone)]
pub(crate) struct Closed {
    pub(crate) segment: Segment,
    /// The position of its last frame; `first - 1` where it has none.
    pub(crate) last: u64,
    /// Where its last frame ends.
    pub(crate) end: u64,
    /// What it takes on the disk.
    pub(crate) bytes: u64,
}

/// A segment that was made ahead.
pub(crate) struct Spare {
    pub(crate) number: u64,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) bytes: u64,
}

impl Spare {
    pub(crate) fn make(
        disk: &dyn Disk,
        number: u64,
        bytes: u64,
        server: &ServerId,
    ) -> io::Result<Self> {
        let file = disk.create(&name(number), bytes, &head::first_part(server))?;
        Ok(Self {
            number,
            file,
            bytes,
        })
    }

    /// Says at which position it begins.
    pub(crate) fn begin(self, first: u64) -> io::Result<Segment> {
        self.file
            .write_all_at(&head::second_part(first), head::BEGINNING)?;
        Ok(Segment {
            number: self.number,
            file: self.file,
            first,
        })
    }
}

const SUFFIX: &str = ".segment";

pub(crate) fn name(number: u64) -> String {
    format!("{number:012}{SUFFIX}")
}

/// The number of the segment with this name.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(SUFFIX)?.parse().ok()
}

/// All that a file holds from a place on, up to `until`.
pub(crate) fn read_all(file: &dyn DiskFile, from: u64, until: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(until.saturating_sub(from)).unwrap_or(usize::MAX)];
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], from + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    bytes.truncate(read);
    Ok(bytes)
}
