//! One file of the journal.

use crate::disk::{Disk, DiskFile};
use crate::frame::{self, Found, Salt};
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
    /// Some of it cannot be read: it is left as it is.
    pub(crate) damaged: bool,
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

/// What a damaged segment is called when nothing more is read of it.
pub(crate) fn damaged_name(number: u64) -> String {
    format!("{number:012}.damaged")
}

/// The number of the segment with this name. Files that people leave beside segments have others.
pub(crate) fn number_of(found: &str) -> Option<u64> {
    let number = found.strip_suffix(SUFFIX)?.parse().ok()?;
    (name(number) == found).then_some(number)
}

/// What lies around the good frames of a segment.
pub(crate) struct Walked {
    /// Where the last good frame ends.
    pub(crate) end: u64,
    /// Bytes after that, up to the last that is not 0.
    pub(crate) garbage: u64,
    /// These are the beginning of a frame whose writing did not end: nobody was told that it stands there.
    pub(crate) unfinished: bool,
    /// There is damage before a good frame.
    pub(crate) hole: bool,
}

/// Gives the position and payload of every good frame of a segment's content, whose head says that it begins at
/// `first`.
pub(crate) fn walk(
    content: &[u8],
    first: Option<u64>,
    salt: Salt,
    mut each: impl FnMut(u64, &[u8]),
) -> Walked {
    let written = frame::written(content);
    let mut at = head::BYTES as usize;
    let (mut next, mut end, mut hole) = (first, at.min(content.len()), false);
    while at < written {
        match frame::look(&content[at..], (content.len() - at) as u64, salt) {
            Found::Good { position, length } => {
                let payload = at + frame::HEAD;
                at = payload + length;
                each(position, &content[payload..at]);
                (next, end) = (Some(position + 1), at);
            }
            Found::Short(_) | Found::Bad => {
                let positions = frame::possible(next, content);
                match frame::search(content, at + 1, positions, salt) {
                    Some(good) => (at, hole) = (good, true),
                    None => break,
                }
            }
        }
    }
    Walked {
        end: end as u64,
        garbage: written.saturating_sub(end) as u64,
        unfinished: frame::is_unfinished(&content[end..written.max(end)], end, next, salt),
        hole,
    }
}

/// All that a file holds from a place on, up to `until`.
pub(crate) fn read_all(file: &dyn DiskFile, from: u64, until: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(until.saturating_sub(from)).unwrap_or(usize::MAX)];
    let read = read_tolerantly(file, &mut bytes, from)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// The system's word for a disk that cannot read a place.
const EIO: i32 = 5;
/// What is given up where a place cannot be read.
const SECTOR: usize = 4096;

/// Reads as much as there is. Where the disk cannot read a place, zeros stand for it: that is damage like any
/// other, and keeps nobody from reading what follows.
pub(crate) fn read_tolerantly(
    file: &dyn DiskFile,
    bytes: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let mut read = 0;
    let mut piece = usize::MAX;
    while read < bytes.len() {
        let end = bytes.len().min(read.saturating_add(piece));
        match file.read_at(&mut bytes[read..end], offset + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.raw_os_error() == Some(EIO) && piece > SECTOR => piece = SECTOR,
            Err(error) if error.raw_os_error() == Some(EIO) => {
                bytes[read..end].fill(0);
                read = end;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
