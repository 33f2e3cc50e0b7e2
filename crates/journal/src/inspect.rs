//! Looking at a journal without changing it: a server may be writing it meanwhile.

use crate::disk::Disk;
use crate::frame::Salt;
use crate::open::MARK;
use crate::read::Missing;
use crate::segment::{self, read_all};
use crate::{OpenError, ServerId, head};
use std::io;
use std::ops::RangeInclusive;

/// What a journal holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    /// The positions that can be read, in order.
    pub present: Vec<RangeInclusive<u64>>,
    /// Positions at which segments begin: everything before was given to a frame.
    begun: Vec<u64>,
    /// Whether a server has ever written here.
    pub marked: bool,
    /// Ends of segments that are no frame.
    pub torn: Vec<Torn>,
}

/// Bytes behind the last good frame of a segment that are no frame. Where a server writes meanwhile it may be
/// one that is being written: it is whole when looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub segment: String,
    /// Where in it.
    pub offset: u64,
    /// How many.
    pub bytes: u64,
    /// They are the beginning of a frame whose writing did not end, as a killed process leaves it: nobody was
    /// told that it stands there. Else they are damaged.
    pub unfinished: bool,
}

impl Inspected {
    /// Frames after a position.
    pub fn waiting_after(&self, position: u64) -> u64 {
        let left = self.present.iter().filter(|range| *range.end() > position);
        left.map(|range| range.end() - (*range.start()).max(position + 1) + 1)
            .sum()
    }

    /// Positions after a position that were given and cannot be read.
    pub fn missing_after(&self, position: u64) -> Vec<Missing> {
        let last = self.present.last().map_or(0, |range| *range.end());
        let begun = self.begun.iter().map(|first| first - 1).max().unwrap_or(0);
        let mut missing = Vec::new();
        let mut next = position + 1;
        for range in &self.present {
            if *range.start() > next {
                missing.push(next..=range.start() - 1);
            }
            next = next.max(range.end() + 1);
        }
        if begun.max(last) >= next {
            missing.push(next..=begun.max(last));
        }
        missing
    }

    fn add(&mut self, position: u64) {
        match self.present.last_mut() {
            Some(last) if *last.end() + 1 == position => *last = *last.start()..=position,
            _ => self.present.push(position..=position),
        }
    }
}

/// Reads all of a journal; `each` is given every frame.
///
/// # Errors
/// When it cannot be read, or is not for this program or this server.
pub fn inspect(
    disk: &dyn Disk,
    server: &ServerId,
    mut each: impl FnMut(u64, &[u8]),
) -> Result<Inspected, OpenError> {
    let mut inspected = Inspected::default();
    let names = disk.list()?;
    inspected.marked = names.iter().any(|name| name == MARK);
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| segment::number_of(name))
        .collect();
    numbers.sort_unstable();
    for number in numbers {
        let content = match read_segment(disk, number) {
            // What it held is kept elsewhere.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            content => content?,
        };
        let head = head::read(&content);
        if let Some(head) = head {
            head.check(server)?;
            inspected.begun.extend(head.first);
        }
        let first = head.and_then(|head| head.first);
        let walked = segment::walk(&content, first, Salt::of(server), |position, payload| {
            inspected.add(position);
            each(position, payload);
        });
        if walked.garbage > 0 {
            inspected.torn.push(Torn {
                segment: segment::name(number),
                offset: walked.end,
                bytes: walked.garbage,
                unfinished: walked.unfinished,
            });
        }
    }
    Ok(inspected)
}

fn read_segment(disk: &dyn Disk, number: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(&segment::name(number))?;
    read_all(&*file, 0, file.data_end()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_lies_between_what_is_present() {
        let inspected = Inspected {
            present: vec![4..=9, 12..=12],
            begun: vec![4, 15],
            ..Inspected::default()
        };
        assert_eq!(inspected.waiting_after(6), 4);
        assert_eq!(inspected.missing_after(2), [3..=3, 10..=11, 13..=14]);
        assert_eq!(inspected.missing_after(10), [11..=11, 13..=14]);
        assert_eq!(inspected.missing_after(14), []);
    }
}
