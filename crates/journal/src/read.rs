//! Reading on from a position.

use crate::frame::{self, Found};
use crate::segment::{Segment, read_all, read_tolerantly};
use crate::{Journal, head};
use std::io;
use std::ops::{Range, RangeInclusive};
use std::sync::atomic::Ordering;

/// Positions that cannot be read: their frames are damaged, or never reached the disk.
pub type Missing = RangeInclusive<u64>;

/// What is read at once; more where a frame is larger.
const CHUNK: usize = 1 << 20;

/// Reads the frames of a journal in the order of their positions.
pub struct Reader {
    journal: Journal,
    /// The position that is read next.
    next: u64,
    /// Where it stands; `None` until looked for.
    place: Option<Place>,
}

struct Place {
    segment: Segment,
    offset: u64,
}

/// Frames that were read together. Used again, it needs no new memory.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    frames: Vec<(u64, Range<usize>)>,
    /// What could not be read.
    pub missing: Vec<Missing>,
}

impl Batch {
    /// Positions and payloads, in order.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = (u64, &[u8])> {
        let payload =
            |(position, range): &(u64, Range<usize>)| (*position, &self.bytes[range.clone()]);
        self.frames.iter().map(payload)
    }

    /// The last position that it says something of.
    pub fn last(&self) -> Option<u64> {
        let frame = self.frames.last().map(|(position, _)| *position);
        let missing = self.missing.last().map(|missing| *missing.end());
        frame.max(missing)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
        self.missing.clear();
    }
}

impl Journal {
    /// A reader that begins after a position.
    pub fn read_after(&self, position: u64) -> Reader {
        Reader {
            journal: self.clone(),
            next: position + 1,
            place: None,
        }
    }
}

impl Reader {
    /// Reads what follows: at most so many frames, from one stretch of a segment. Nothing when there is
    /// nothing.
    ///
    /// # Errors
    /// When the disk cannot be read. The same is read the next time.
    pub fn read(&mut self, batch: &mut Batch, frames: usize) -> io::Result<()> {
        batch.clear();
        let last = self.journal.appended();
        while self.next <= last && batch.frames.is_empty() {
            let place = match self.place.take() {
                Some(place) => place,
                None => match self.locate(last, batch) {
                    Some(place) => place,
                    None => return Ok(()),
                },
            };
            self.place = self.read_from(place, last, batch, frames)?;
        }
        Ok(())
    }

    /// The segment that holds what is next; what lies before all segments is missing.
    fn locate(&mut self, last: u64, batch: &mut Batch) -> Option<Place> {
        let state = self.journal.shared.lock();
        let closed = state.closed.iter().map(|closed| &closed.segment);
        let current = state.current.iter().map(|current| &current.segment);
        let all: Vec<&Segment> = closed.chain(current).collect();
        let at = all.partition_point(|segment| segment.first <= self.next);
        let segment = match at.checked_sub(1) {
            Some(at) => all[at].clone(),
            None => match all.first() {
                Some(first) => (*first).clone(),
                None => {
                    drop(state);
                    self.miss(last, batch);
                    return None;
                }
            },
        };
        drop(state);
        if segment.first > self.next {
            self.miss(segment.first - 1, batch);
        }
        Some(Place {
            segment,
            offset: head::BYTES,
        })
    }

    /// Everything from the next position up to this one is missing.
    fn miss(&mut self, until: u64, batch: &mut Batch) {
        if until >= self.next {
            batch.missing.push(self.next..=until);
            self.next = until + 1;
        }
    }

    /// Reads from a place; says where to go on.
    fn read_from(
        &mut self,
        mut place: Place,
        last: u64,
        batch: &mut Batch,
        frames: usize,
    ) -> io::Result<Option<Place>> {
        // A segment that was let go has nothing more to say: what follows is looked for.
        let Some((end, following)) = self.extent(&place.segment) else {
            return Ok(None);
        };
        let salt = self.journal.shared.salt;
        batch.bytes.clear();
        let mut want = CHUNK;
        loop {
            fill(&place, want, end, &mut batch.bytes)?;
            let at_end = place.offset + batch.bytes.len() as u64 >= end || batch.bytes.len() < want;
            let (mut at, mut damaged) = (0, false);
            while batch.frames.len() < frames && self.next <= last {
                let rest = &batch.bytes[at..];
                match frame::look(rest, end.saturating_sub(place.offset + at as u64), salt) {
                    Found::Good { position, length } => {
                        if position > last {
                            self.miss(last, batch);
                            break;
                        }
                        let payload = at + frame::HEAD..at + frame::HEAD + length;
                        at = payload.end;
                        // What was read before is passed over.
                        if position >= self.next {
                            self.miss(position - 1, batch);
                            batch.frames.push((position, payload));
                            self.next = position + 1;
                        }
                    }
                    Found::Short(whole) if !at_end => {
                        want = CHUNK.max(whole);
                        break;
                    }
                    Found::Short(_) | Found::Bad => {
                        damaged = true;
                        break;
                    }
                }
            }
            place.offset += at as u64;
            if !batch.frames.is_empty() || self.next > last {
                // A damaged place is looked at again, alone.
                return Ok(Some(place));
            }
            if damaged {
                return self.pass_damage(place, end, following, last, batch);
            }
        }
    }

    /// Where the frames of a segment end, and the position at which the next segment begins; `None` when it
    /// was let go.
    fn extent(&self, segment: &Segment) -> Option<(u64, Option<u64>)> {
        let state = self.journal.shared.lock();
        let current = state.current.as_ref();
        if let Some(current) = current.filter(|c| c.segment.number == segment.number) {
            return Some((current.end, None));
        }
        let mut closed = state.closed.iter();
        let found = closed.find(|closed| closed.segment.number == segment.number)?;
        let next = closed.next().map(|closed| closed.segment.first);
        let next = next.or(current.map(|current| current.segment.first));
        // Without a next segment nothing more was appended.
        Some((found.end, Some(next.unwrap_or(state.written + 1))))
    }

    /// Goes on behind what is no frame: the end of a segment, or damage.
    fn pass_damage(
        &mut self,
        mut place: Place,
        end: u64,
        following: Option<u64>,
        last: u64,
        batch: &mut Batch,
    ) -> io::Result<Option<Place>> {
        // What the next segment holds is not looked for here.
        let until = following.map_or(last, |first| first - 1);
        if self.next <= until {
            let salt = self.journal.shared.salt;
            self.journal.shared.note_damage(place.segment.number);
            let rest = read_all(&*place.segment.file, place.offset, end)?;
            if let Some(at) = frame::search(&rest, 0, self.next..=until, salt) {
                place.offset += at as u64;
                return Ok(Some(place));
            }
        }
        // Nothing more of this segment can be read.
        self.miss(until, batch);
        match following {
            Some(_) => Ok(None),
            None => {
                place.offset = end;
                Ok(Some(place))
            }
        }
    }

    /// The position that is read next.
    pub fn next_position(&self) -> u64 {
        self.next
    }

    /// Goes back to read on after a position.
    pub fn rewind(&mut self, position: u64) {
        self.next = position + 1;
        self.place = None;
    }

    /// How far it is behind.
    pub fn behind(&self) -> u64 {
        let appended = self.journal.shared.appended.load(Ordering::Acquire);
        (appended + 1).saturating_sub(self.next)
    }
}

/// Reads up to `want` bytes.
fn fill(place: &Place, want: usize, end: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let left = usize::try_from(end - place.offset.min(end)).unwrap_or(usize::MAX);
    bytes.resize(want.min(left), 0);
    let read = read_tolerantly(&*place.segment.file, bytes, place.offset)?;
    bytes.truncate(read);
    Ok(())
}
