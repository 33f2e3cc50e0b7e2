//! Opening: finds out what is there, cuts a torn end, and goes on above everything that was ever given.

use crate::disk::Disk;
use crate::frame::{self, Salt};
use crate::segment::{self, Closed, Segment, read_all};
use crate::write::State;
use crate::{Journal, Options, ServerId, head};
use std::collections::VecDeque;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that says whose journal a place is, as long as there is one.
pub(crate) const MARK: &str = "server";

/// Marks a place as a server's.
fn mark(disk: &dyn Disk, server: &ServerId) -> io::Result<()> {
    disk.create(MARK, head::BEGINNING, &head::first_part(server))
        .map(drop)
}

/// Whether there is a journal in a folder, of whatever server.
pub fn is_there(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    let is_segment = |name: &std::ffi::OsStr| name.to_str().and_then(segment::number_of).is_some();
    let mut names = entries.flatten().map(|entry| entry.file_name());
    names.any(|name| is_segment(&name))
}

/// Whose journal a folder has; `None` where it is marked as nobody's.
///
/// # Errors
/// When the mark is there and cannot be read.
pub fn server_of(folder: &Path) -> io::Result<Option<ServerId>> {
    match std::fs::read(folder.join(MARK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        content => Ok(head_of(content?).map(|head| head.server)),
    }
}

/// What a mark says; nothing where it is damaged.
fn head_of(mut mark: Vec<u8>) -> Option<head::Head> {
    mark.resize(head::BYTES as usize, 0);
    head::read(&mark)
}

/// A place that is marked as another server's is not for this one, though it may be empty.
fn check_mark(disk: &dyn Disk, server: &ServerId) -> Result<(), OpenError> {
    let mark = read_all(&*disk.open(MARK)?, 0, head::BEGINNING)?;
    // Where it says nothing, the segments will.
    head_of(mark).map_or(Ok(()), |head| head.check(server))
}

/// Why a journal cannot be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk fails.
    #[error("the journal cannot be read")]
    Io(#[from] io::Error),
    /// Another process writes it.
    #[error("another weir server is using the journal {0}")]
    InUse(PathBuf),
    /// A newer program has written it.
    #[error("the journal is of format {found}, this program knows up to {known}")]
    Newer {
        /// Its format.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// It was written before, and nothing is there.
    #[error(
        "the journal is gone: the database has counted its entries up to position {0}, and there is none in the \
         folder. After a clean stop nothing waited in it; after a crash, predictions that were answered may be in it"
    )]
    Missing(u64),
    /// Another server has written it.
    #[error(
        "the journal was written for another database, or for this one before --allow-empty-journal ({0})"
    )]
    Foreign(String),
}

/// What was found when a journal was opened.
#[derive(Debug, Default)]
pub struct Opened {
    /// The torn end, where there was one.
    pub cut: Option<Cut>,
    /// Segments whose heads are damaged; what they hold is read all the same.
    pub damaged_heads: Vec<String>,
}

/// A torn end: it is cut off, where nothing keeps from that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// How many bytes.
    pub bytes: u64,
    /// The positions of what may have stood there: they are not given again.
    pub positions: RangeInclusive<u64>,
    /// It is left where it is: there is no room for a segment that says how far positions were given.
    pub left: bool,
}

impl Journal {
    /// Opens the journal on a disk, to be written by `server`. `kept` is the last position that is kept
    /// elsewhere: positions go on above it, too. Where there is one, there was a journal, and its place must not
    /// be empty: what waits in it would be lost.
    ///
    /// # Errors
    /// When it cannot be read, is not for this program or this server, or is gone.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: Options,
        server: ServerId,
        kept: u64,
    ) -> Result<(Self, Opened), OpenError> {
        let mut found = Vec::new();
        let names = disk.list()?;
        let marked = names.iter().any(|name| name == MARK);
        let numbered = names.iter().any(|name| segment::number_of(name).is_some());
        // The last segment is never let go: where there is none, somebody has removed it.
        if kept > 0 && !(marked && numbered) && !options.may_be_missing {
            return Err(OpenError::Missing(kept));
        }
        // A mark without a segment says nothing worth keeping where that is allowed.
        let anew = marked && !numbered && options.may_be_missing;
        if anew {
            disk.remove(MARK)?;
        }
        if anew || !marked {
            mark(&*disk, &server)?;
        }
        check_mark(&*disk, &server)?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|n| segment::number_of(n)).collect();
        numbers.sort_unstable();
        for &number in &numbers {
            found.push(Scanned::read(&*disk, number, &server)?);
        }
        let mut opened = Opened::default();
        let mut torn = None;
        // From here on files are changed.
        let last_begun = found.iter().rposition(|scanned| scanned.begun());
        let mut next = kept + 1;
        let mut closed: VecDeque<Closed> = VecDeque::new();
        for (at, scanned) in found.into_iter().enumerate() {
            if !scanned.begun() {
                disk.remove(&segment::name(scanned.number))?;
                continue;
            }
            if scanned.damaged_head {
                opened.damaged_heads.push(segment::name(scanned.number));
            }
            let before = closed.back().map_or(0, |closed| closed.last);
            let first = scanned.first.or(scanned.first_good).unwrap_or(before + 1);
            let last = scanned.last_good.unwrap_or(first - 1);
            next = next.max(last + 1).max(first);
            if last_begun == Some(at) && scanned.garbage > 0 {
                let lost = scanned.damaged_after(last + 1, Salt::of(&server))?;
                torn = Some((scanned.number, Arc::clone(&scanned.file), scanned.end));
                opened.cut = Some(Cut {
                    bytes: scanned.garbage,
                    positions: last + 1..=last + lost,
                    left: false,
                });
                next = next.max(last + lost + 1);
            }
            closed.push_back(Closed {
                last,
                end: scanned.end,
                bytes: scanned.bytes,
                damaged: scanned.hole || scanned.garbage > 0,
                segment: Segment {
                    number: scanned.number,
                    file: scanned.file,
                    first,
                },
            });
        }
        let empty = closed.is_empty();
        let state = State::opened(next, closed, numbers.last().map_or(1, |last| last + 1));
        let journal = Self::start(disk, options, server, state)?;
        if empty && kept > 0 {
            // Even if nothing is appended there is a segment from now on.
            match journal.shared.begin() {
                Err(error) if error.kind() != io::ErrorKind::StorageFull => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        if let Some((number, file, end)) = torn {
            // The torn end says how far positions may have been given, until a new segment says it. Without room
            // for one it stays, and is found again.
            match journal.shared.begin() {
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    opened.cut.iter_mut().for_each(|cut| cut.left = true);
                }
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    file.cut(end)?;
                    file.sync()?;
                    journal.shared.is_cut(number);
                }
            }
        }
        Ok((journal, opened))
    }
}

impl State {
    /// Whatever was written before is closed, and the next frame begins a new segment.
    fn opened(next: u64, closed: VecDeque<Closed>, next_number: u64) -> Self {
        Self {
            current: None,
            written: next - 1,
            next,
            staged: Vec::new(),
            spares: VecDeque::new(),
            closed,
            unsynced: Vec::new(),
            next_number,
            failure: None,
        }
    }
}

/// What a file was found to hold.
struct Scanned {
    number: u64,
    file: Arc<dyn crate::DiskFile>,
    bytes: u64,
    damaged_head: bool,
    /// The position that its head says it begins at.
    first: Option<u64>,
    first_good: Option<u64>,
    last_good: Option<u64>,
    /// Where the last good frame ends.
    end: u64,
    /// Bytes after that, up to the last that is not 0.
    garbage: u64,
    /// There is damage before a good frame.
    hole: bool,
}

impl Scanned {
    fn read(disk: &dyn Disk, number: u64, server: &ServerId) -> Result<Self, OpenError> {
        let file = disk.open(&segment::name(number))?;
        let bytes = file.len()?;
        let content = read_all(&*file, 0, file.data_end()?)?;
        let head = head::read(&content);
        if let Some(head) = head {
            head.check(server)?;
        }
        let first = head.and_then(|head| head.first);
        let (mut first_good, mut last_good) = (None, None);
        let walked = segment::walk(&content, first, Salt::of(server), |position, _| {
            first_good.get_or_insert(position);
            last_good = Some(position);
        });
        Ok(Self {
            number,
            file,
            bytes,
            damaged_head: head.is_none(),
            first,
            first_good,
            last_good,
            end: walked.end,
            garbage: walked.garbage,
            hole: walked.hole,
        })
    }

    /// Whether something was ever appended to it, as far as can be seen.
    fn begun(&self) -> bool {
        self.first.is_some() || self.last_good.is_some() || self.garbage > 0
    }

    /// How many frames there may have been after the last good one.
    fn damaged_after(&self, first: u64, salt: Salt) -> io::Result<u64> {
        let garbage = read_all(&*self.file, self.end, self.end + self.garbage)?;
        Ok(frame::count_damaged(&garbage, first, salt).max(1))
    }
}
