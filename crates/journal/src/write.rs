//! Appending: room first, then the frame, then, where that is asked for, the disk.
//!
//! A frame is staged, which gives it its position, and written together with those that were staged beside
//! it: of many callers who append at the same time one makes the system call for all.

use crate::disk::Disk;
use crate::frame::{self, Frame, Salt};
use crate::keeper::{Keeper, Wake};
use crate::open::MARK;
use crate::segment::{self, Closed, Segment, Spare};
use crate::{Options, ServerId, head};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A journal that this process appends to. Clones are handles to the same one.
#[derive(Clone)]
pub struct Journal {
    pub(crate) shared: Arc<Shared>,
    keeper: Arc<Keeper>,
}

pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) options: Options,
    pub(crate) server: ServerId,
    pub(crate) salt: Salt,
    pub(crate) state: Mutex<State>,
    /// Bytes for frames that are allocated and promised to nobody.
    pub(crate) free: AtomicI64,
    /// So many bytes were asked for and not free since room was made last.
    pub(crate) wanted: AtomicI64,
    /// The position of the last frame; what is read until there is whole.
    pub(crate) appended: AtomicU64,
    /// All up to this position has reached the disk.
    synced: AtomicU64,
    /// Its files are not where they were: no more room is given.
    gone: AtomicBool,
    pub(crate) wake: Wake,
}

/// The segments.
pub(crate) struct State {
    /// Where frames are appended; `None` while there is none that can be trusted.
    pub(crate) current: Option<Current>,
    /// The position of the last frame that is written.
    pub(crate) written: u64,
    /// The position of the next frame.
    pub(crate) next: u64,
    /// The frames in between, as they will be written.
    pub(crate) staged: Vec<u8>,
    pub(crate) spares: VecDeque<Spare>,
    /// Oldest first.
    pub(crate) closed: VecDeque<Closed>,
    /// Closed ones that no sync has covered.
    pub(crate) unsynced: Vec<Segment>,
    /// The number of the next segment.
    pub(crate) next_number: u64,
    /// Why room could not be made, or a frame not be written, the last time that was tried.
    pub(crate) failure: Option<String>,
}

pub(crate) struct Current {
    pub(crate) segment: Segment,
    /// Where the next frame goes.
    pub(crate) end: u64,
    pub(crate) bytes: u64,
}

/// Bytes that are kept for one frame. Given back when dropped.
#[must_use = "room that is dropped is given back"]
pub struct Room {
    journal: Journal,
    bytes: u64,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The frame is larger than any may be, or than its room, where no more is left.
    #[error("the entry has {bytes} bytes, and there is room for {room}")]
    TooLarge {
        /// The size of the frame.
        bytes: u64,
        /// The room that was kept for it.
        room: u64,
    },
    /// There is no segment to write to.
    #[error("the journal is full")]
    Full,
    /// The disk failed. A part of the frame may have been written; it will not be read.
    #[error("the journal cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// What was appended lately may not have reached the disk, and never will for sure.
#[derive(Debug, thiserror::Error)]
#[error("the journal could not be synced: {source}")]
pub struct SyncFailed {
    /// The positions that may be lost.
    pub positions: std::ops::RangeInclusive<u64>,
    /// What the disk said.
    pub source: io::Error,
}

impl Shared {
    /// What is not in the folder and should be.
    fn missing(&self) -> Option<String> {
        let newest = {
            let state = self.lock();
            let current = state.current.as_ref().map(|current| current.segment.number);
            current.or(state.closed.back().map(|closed| closed.segment.number))
        };
        let names = match self.disk.list() {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Some("its folder is gone".into());
            }
            Err(error) => return Some(format!("its folder cannot be read: {error}")),
        };
        let mut wanted = vec![MARK.to_owned()];
        wanted.extend(newest.map(segment::name));
        let missing = wanted.into_iter().find(|name| !names.contains(name));
        missing.map(|name| format!("the file {name} is gone from its folder"))
    }
}

impl Journal {
    pub(crate) fn start(
        disk: Arc<dyn Disk>,
        options: Options,
        server: ServerId,
        state: State,
    ) -> io::Result<Self> {
        let last = state.written;
        let shared = Arc::new(Shared {
            disk,
            options,
            salt: Salt::of(&server),
            server,
            state: Mutex::new(state),
            free: AtomicI64::new(0),
            appended: AtomicU64::new(last),
            synced: AtomicU64::new(last),
            gone: AtomicBool::new(false),
            wanted: AtomicI64::new(0),
            wake: Wake::default(),
        });
        // The first room is made here, so that a journal that was opened can be written at once.
        shared.keep();
        let keeper = Arc::new(Keeper::start(Arc::clone(&shared))?);
        Ok(Self { shared, keeper })
    }

    /// Keeps room for a frame with so much payload; `None` while there is none.
    pub fn reserve(&self, payload: u64) -> Option<Room> {
        let bytes = (payload + frame::HEAD as u64).min(self.shared.options.largest_bytes);
        if self.shared.gone.load(Ordering::Relaxed) || !self.shared.take(bytes) {
            return None;
        }
        Some(Room {
            journal: self.clone(),
            bytes,
        })
    }

    /// Keeps room for frames with so much payload each, for all of them or none.
    pub fn reserve_all(&self, payloads: &[u64]) -> Option<Vec<Room>> {
        let most = self.shared.options.largest_bytes;
        let bytes = |payload: &u64| (payload + frame::HEAD as u64).min(most);
        let sizes: Vec<u64> = payloads.iter().map(bytes).collect();
        let gone = self.shared.gone.load(Ordering::Relaxed);
        if gone || !self.shared.take(sizes.iter().sum()) {
            return None;
        }
        let room = |bytes| Room {
            journal: self.clone(),
            bytes,
        };
        Some(sizes.into_iter().map(room).collect())
    }

    /// The position of the last frame; 0 before the first.
    pub fn appended(&self) -> u64 {
        self.shared.appended.load(Ordering::Acquire)
    }

    /// The position of the last frame that was staged.
    pub fn staged(&self) -> u64 {
        self.shared.lock().next - 1
    }

    /// The largest payload that a frame can have, in bytes.
    pub fn largest_payload(&self) -> u64 {
        self.shared.options.largest_bytes - frame::HEAD as u64
    }

    /// The bytes that can be promised when nothing waits.
    pub fn capacity(&self) -> u64 {
        let options = &self.shared.options;
        let segments = (options.max_bytes / options.segment_bytes).saturating_sub(1);
        let usable = u64::try_from(self.shared.usable(options.segment_bytes)).unwrap_or(0);
        segments * usable
    }

    /// Bytes that can be promised now.
    pub fn free(&self) -> u64 {
        u64::try_from(self.shared.free.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// What its segments take on the disk.
    pub fn bytes(&self) -> u64 {
        self.shared.lock().bytes()
    }

    /// Why room could not be made, or a frame not be written, while that has not succeeded since.
    pub fn failure(&self) -> Option<String> {
        self.shared.lock().failure.clone()
    }

    /// Looks whether its files are where they were; says what is wrong. What is appended to a file that somebody
    /// has removed is lost with the process, so no more room is given until a look finds it again; or
    /// where room is `refused` for another reason.
    pub fn look(&self, refused: bool) -> Option<String> {
        // A segment may have been let go between the look at the state and that at the folder.
        let gone = self.shared.missing().and_then(|_| self.shared.missing());
        let refused = refused || gone.is_some();
        self.shared.gone.store(refused, Ordering::Relaxed);
        gone
    }

    /// Returns when all that was appended before has reached the disk; gives the last position of it.
    /// Meant for one thread.
    ///
    /// # Errors
    /// When it has not. What was appended since the last sync is in doubt then: what can be read of it
    /// will be. Later frames go to a new segment.
    pub fn sync(&self) -> Result<u64, SyncFailed> {
        let (closed, segments, last) = {
            let mut state = self.shared.lock();
            // What cannot be written now is not confirmed; its callers hear of that by themselves.
            let _ = self.shared.write_staged(&mut state);
            let current = state.current.iter().map(|current| &current.segment);
            let closed: Vec<u64> = state
                .unsynced
                .iter()
                .map(|segment| segment.number)
                .collect();
            let segments: Vec<Segment> = state.unsynced.iter().chain(current).cloned().collect();
            (closed, segments, state.written)
        };
        for segment in &segments {
            if let Err(source) = segment.file.sync() {
                return Err(self.shared.distrust(source));
            }
        }
        let mut state = self.shared.lock();
        // The present segment may have been closed meanwhile, with frames that this sync has not seen.
        state.unsynced.retain(|left| !closed.contains(&left.number));
        self.shared.synced.store(last, Ordering::Release);
        Ok(last)
    }

    /// Removes the segments that hold nothing after this position. What they hold must be kept elsewhere by
    /// then, and have reached the disk there. Says how many are removed.
    ///
    /// # Errors
    /// When a file cannot be removed; it is tried again the next time.
    pub fn let_go(&self, position: u64) -> io::Result<usize> {
        let mut removed = 0;
        loop {
            let (release, oldest) = {
                let state = self.shared.lock();
                match state.release(position) {
                    Some((release, oldest)) => (release, oldest.segment.clone()),
                    None => break,
                }
            };
            let name = segment::name(oldest.number);
            let disk = &self.shared.disk;
            let gone = match release {
                Release::Remove => disk.remove(&name),
                // What is damaged is kept for people to look at.
                Release::SetAside => disk.rename(&name, &segment::damaged_name(oldest.number)),
                Release::Empty => oldest.file.cut(head::BYTES),
            };
            match gone {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut state = self.shared.lock();
            match (release, state.closed.front_mut()) {
                (Release::Empty, Some(last)) => (last.end, last.bytes) = (head::BYTES, head::BYTES),
                _ => drop(state.closed.pop_front()),
            }
            let number = oldest.number;
            state.unsynced.retain(|segment| segment.number != number);
            removed += 1;
        }
        if removed > 0 {
            self.shared.wake.now();
        }
        Ok(removed)
    }

    /// Goes on in another segment where the present one holds a frame up to a position, so that it can be let go. It stays where
    /// there is no other one yet.
    ///
    /// # Errors
    /// When frames that wait cannot be written.
    pub fn roll(&self, position: u64) -> Result<(), AppendError> {
        let mut state = self.shared.lock();
        self.shared.write_staged(&mut state)?;
        let holds_something = state
            .current
            .as_ref()
            .is_some_and(|current| current.segment.first <= position.min(state.written));
        match holds_something && !state.spares.is_empty() {
            true => self.shared.roll(&mut state),
            false => Ok(()),
        }
    }

    /// Whether its files may still hold a frame up to a position.
    pub fn holds(&self, position: u64) -> bool {
        let state = self.shared.lock();
        let current = state.current.as_ref().map(|current| &current.segment);
        let closed = state.closed.front().map(|closed| &closed.segment);
        let oldest = closed.or(current);
        let first = oldest.map_or(state.next, |segment| segment.first);
        first <= position && first < state.next
    }

    /// Whether a segment could be let go once all up to this position is kept elsewhere.
    pub fn could_let_go(&self, position: u64) -> bool {
        self.shared.lock().release(position).is_some()
    }

    /// Ends the journal: what was allocated ahead is given back, and all has reached the disk.
    ///
    /// # Errors
    /// When that fails.
    pub fn close(&self) -> io::Result<()> {
        self.keeper.stop();
        let mut state = self.shared.lock();
        let written = self.shared.write_staged(&mut state);
        for spare in std::mem::take(&mut state.spares) {
            self.shared.disk.remove(&segment::name(spare.number))?;
        }
        self.shared.free.store(0, Ordering::Relaxed);
        if let Some(current) = state.current.take() {
            current.segment.file.cut(current.end)?;
            current.segment.file.sync()?;
            state.close(current, false);
        }
        match written {
            Err(AppendError::Io(error)) => Err(error),
            Err(_) => Err(io::ErrorKind::StorageFull.into()),
            Ok(()) => Ok(()),
        }
    }

    /// Has the frame at a position be in the system's hands, and all before it.
    ///
    /// # Errors
    /// When it is not. It may be written later, with the next frames.
    pub fn write_out(&self, position: u64) -> Result<(), AppendError> {
        if self.appended() >= position {
            return Ok(());
        }
        let mut state = self.shared.lock();
        self.shared.write_staged(&mut state)
    }
}

impl Room {
    /// Appends a frame: it gets the next position, and is in the system's hands when this returns.
    ///
    /// # Errors
    /// When it is not.
    pub fn append(mut self, frame: &mut Frame) -> Result<u64, AppendError> {
        let journal = self.journal.clone();
        let position = self.stage(frame)?;
        journal.write_out(position)?;
        Ok(position)
    }

    /// Gives a frame the next position. It is written with the next call of [`Journal::write_out`], by whoever
    /// makes it.
    ///
    /// # Errors
    /// When it gets none; the room is there as before.
    pub fn stage(&mut self, frame: &mut Frame) -> Result<u64, AppendError> {
        let shared = Arc::clone(&self.journal.shared);
        let bytes = frame.len();
        if bytes > shared.options.largest_bytes {
            let room = shared.options.largest_bytes;
            return Err(AppendError::TooLarge { bytes, room });
        }
        if bytes > self.bytes {
            let more = bytes - self.bytes;
            if !shared.take(more) {
                return Err(AppendError::TooLarge {
                    bytes,
                    room: self.bytes,
                });
            }
            self.bytes = bytes;
        }
        let position = shared.stage(frame)?;
        // What was written stays taken.
        self.bytes -= bytes;
        Ok(position)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let bytes = i64::try_from(self.bytes).unwrap_or(i64::MAX);
        self.journal.shared.free.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Shared {
    /// A panic while the lock was held left the segments whole: what they hold is changed last.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes from what is free, all or nothing.
    fn take(&self, bytes: u64) -> bool {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let enough = |free: i64| (free >= bytes).then(|| free - bytes);
        let taken = self
            .free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, enough);
        if taken.is_err() {
            self.wanted.fetch_max(bytes, Ordering::Relaxed);
        }
        if taken.unwrap_or(0).saturating_sub(bytes) < self.least_free() {
            self.wake.now();
        }
        taken.is_ok()
    }

    /// With less than this, another segment is made ahead.
    pub(crate) fn least_free(&self) -> i64 {
        self.usable(self.options.segment_bytes)
    }

    /// The bytes for frames in a new segment: its end may stay empty, when a large frame does not fit there.
    pub(crate) fn usable(&self, segment_bytes: u64) -> i64 {
        let kept = head::BYTES + self.options.largest_bytes;
        i64::try_from(segment_bytes).unwrap_or(i64::MAX) - i64::try_from(kept).unwrap_or(i64::MAX)
    }

    fn stage(&self, frame: &mut Frame) -> Result<u64, AppendError> {
        let mut state = self.lock();
        if !state.fits(frame.len()) {
            self.write_staged(&mut state)?;
            if !state.fits(frame.len()) {
                self.roll(&mut state)?;
            }
        }
        let position = state.next;
        state
            .staged
            .extend_from_slice(frame.seal(position, self.salt));
        state.next += 1;
        Ok(position)
    }

    /// Writes what is staged; where that fails once more, to a segment in which nothing has failed yet.
    fn write_staged(&self, state: &mut State) -> Result<(), AppendError> {
        if state.staged.is_empty() {
            return Ok(());
        }
        if state.current.is_none() {
            self.roll(state)?;
        }
        if let Err(error) = state.write_staged() {
            state.failure = Some(error.to_string());
            self.roll(state)?;
            state.write_staged().inspect_err(|error| {
                state.failure = Some(error.to_string());
            })?;
            state.failure = None;
        }
        self.appended.store(state.written, Ordering::Release);
        Ok(())
    }

    /// Has the next position reach the disk, as the head of a new segment, before anything is appended.
    pub(crate) fn begin(&self) -> io::Result<()> {
        let mut state = self.lock();
        match self.roll(&mut state) {
            Ok(()) => {}
            Err(AppendError::Io(error)) => return Err(error),
            Err(_) => return Err(io::ErrorKind::StorageFull.into()),
        }
        state
            .current
            .iter()
            .try_for_each(|current| current.segment.file.sync())
    }

    /// The torn end of a segment is cut off: it is a segment like others.
    pub(crate) fn is_cut(&self, number: u64) {
        let mut state = self.lock();
        let mut closed = state.closed.iter_mut();
        if let Some(cut) = closed.find(|closed| closed.segment.number == number) {
            (cut.damaged, cut.bytes) = (false, cut.end);
        }
    }

    /// A segment has damage in it.
    pub(crate) fn note_damage(&self, number: u64) {
        let mut state = self.lock();
        let mut closed = state.closed.iter_mut();
        if let Some(found) = closed.find(|closed| closed.segment.number == number) {
            found.damaged = true;
        }
    }

    /// Goes on in the next segment.
    fn roll(&self, state: &mut State) -> Result<(), AppendError> {
        if let Some(current) = state.current.take() {
            let left = i64::try_from(current.bytes - current.end).unwrap_or(i64::MAX);
            let kept = i64::try_from(self.options.largest_bytes).unwrap_or(i64::MAX);
            self.free.fetch_sub(left - kept, Ordering::Relaxed);
            state.close(current, self.options.synced);
        }
        self.wake.now();
        let spare = state.spares.pop_front().ok_or(AppendError::Full)?;
        let (bytes, usable) = (spare.bytes, self.usable(spare.bytes));
        match spare.begin(state.written + 1) {
            Ok(segment) => {
                state.current = Some(Current {
                    segment,
                    end: head::BYTES,
                    bytes,
                });
                Ok(())
            }
            Err(error) => {
                self.free.fetch_sub(usable, Ordering::Relaxed);
                state.failure = Some(error.to_string());
                Err(error.into())
            }
        }
    }

    /// After a failed sync nobody knows what a file holds: it is left as it is, and another one begun.
    fn distrust(&self, source: io::Error) -> SyncFailed {
        let mut state = self.lock();
        let first = self.synced.load(Ordering::Acquire) + 1;
        let last = state.written;
        state.failure = Some(source.to_string());
        // Where there is no segment to go on with, the next append looks again.
        let _ = self.roll(&mut state);
        state.unsynced.clear();
        self.synced.store(last, Ordering::Release);
        SyncFailed {
            positions: first..=last,
            source,
        }
    }
}

/// What happens with a segment whose frames are all kept elsewhere.
#[derive(Clone, Copy)]
enum Release {
    Remove,
    SetAside,
    /// The very last one stays with nothing but its head, as a sign that there was a journal.
    Empty,
}

impl State {
    /// What can be done with the oldest segment when all up to this position is kept elsewhere.
    fn release(&self, position: u64) -> Option<(Release, &Closed)> {
        let oldest = self.closed.front()?;
        let only = self.closed.len() == 1 && self.current.is_none();
        let release = match (only, oldest.damaged) {
            (false, false) => Release::Remove,
            (false, true) => Release::SetAside,
            (true, false) if oldest.bytes > head::BYTES => Release::Empty,
            (true, _) => return None,
        };
        (oldest.last <= position).then_some((release, oldest))
    }

    /// Whether a frame of this length can be staged for the present segment.
    fn fits(&self, bytes: u64) -> bool {
        let current = self.current.as_ref();
        let staged = self.staged.len() as u64;
        current.is_some_and(|current| current.end + staged + bytes <= current.bytes)
    }

    fn write_staged(&mut self) -> io::Result<()> {
        let current = self.current.as_mut().ok_or(io::ErrorKind::StorageFull)?;
        let frames = &self.staged;
        if current.end + frames.len() as u64 > current.bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        current.segment.file.write_all_at(frames, current.end)?;
        current.end += frames.len() as u64;
        self.staged.clear();
        self.written = self.next - 1;
        Ok(())
    }

    fn close(&mut self, current: Current, remember: bool) {
        if remember {
            self.unsynced.push(current.segment.clone());
        }
        self.closed.push_back(Closed {
            segment: current.segment,
            last: self.written,
            end: current.end,
            bytes: current.bytes,
            damaged: false,
        });
    }

    pub(crate) fn bytes(&self) -> u64 {
        let closed = self.closed.iter().map(|closed| closed.bytes);
        let current = self.current.iter().map(|current| current.bytes);
        let spares = self.spares.iter().map(|spare| spare.bytes);
        closed.chain(current).chain(spares).sum()
    }
}
