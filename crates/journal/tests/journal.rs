//! The journal on a real folder, and on a disk whose power is cut.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use fastrand::Rng;
use journal::faulty::{Fault, FaultyDisk};
use journal::{AppendError, Batch, Disk, Folder, Frame, Journal, OpenError, Options};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SERVER: [u8; 16] = [9; 16];

fn options(segments: u64) -> Options {
    Options {
        segment_bytes: 8 << 10,
        max_bytes: segments * (8 << 10),
        largest_bytes: 1 << 10,
        synced: true,
        may_be_missing: false,
    }
}

fn open(disk: &(impl Disk + Clone + 'static), kept: u64) -> Journal {
    Journal::open(Arc::new(disk.clone()), options(100), SERVER, kept)
        .unwrap()
        .0
}

fn append(journal: &Journal, payload: &[u8]) -> Result<u64, AppendError> {
    // The segments of these tests are so small that room may have to be made first, by another thread.
    let room = loop {
        match journal.reserve(payload.len() as u64) {
            Some(room) => break room,
            None => std::thread::yield_now(),
        }
    };
    let mut frame = Frame::default();
    frame.payload().extend_from_slice(payload);
    room.append(&mut frame)
}

/// Everything after a position, and what is missing.
fn read(journal: &Journal, after: u64) -> (BTreeMap<u64, Vec<u8>>, Vec<u64>) {
    let (mut found, mut missing) = (BTreeMap::new(), Vec::new());
    let mut reader = journal.read_after(after);
    let mut batch = Batch::default();
    while reader.behind() > 0 {
        reader.read(&mut batch, 7).unwrap();
        for (position, payload) in batch.frames() {
            assert!(
                found.insert(position, payload.to_vec()).is_none(),
                "{position} twice"
            );
        }
        missing.extend(batch.missing.iter().cloned().flatten());
    }
    (found, missing)
}

fn payload(random: &mut Rng, position: u64) -> Vec<u8> {
    let mut bytes = position.to_le_bytes().to_vec();
    bytes.extend((0..random.usize(..600)).map(|_| random.u8(..)));
    bytes
}

#[test]
fn what_was_appended_is_read_back_after_any_number_of_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let mut random = Rng::with_seed(1);
    let mut expected = BTreeMap::new();
    let mut kept = 0;
    for round in 0..6 {
        let disk = Arc::new(Folder::new(&path).unwrap());
        let (journal, opened) = Journal::open(disk, options(100), SERVER, kept).unwrap();
        assert_eq!(opened.cut, None);
        for _ in 0..100 {
            let bytes = payload(&mut random, journal.appended() + 1);
            let position = append(&journal, &bytes).unwrap();
            assert!(expected.insert(position, bytes).is_none());
        }
        let (found, missing) = read(&journal, kept);
        assert!(missing.is_empty());
        assert_eq!(
            found,
            expected
                .range(kept + 1..)
                .map(|(p, b)| (*p, b.clone()))
                .collect()
        );
        kept = 100 * round + 50;
        journal.let_go(kept).unwrap();
        if round % 2 == 0 {
            journal.close().unwrap();
        }
    }
    assert_eq!(
        expected.keys().copied().collect::<Vec<_>>(),
        (1..=600).collect::<Vec<_>>()
    );
}

#[test]
fn a_full_journal_refuses_before_anything_is_done_and_goes_on_when_segments_go() {
    let disk = FaultyDisk::default();
    let (journal, _) = Journal::open(Arc::new(disk), options(3), SERVER, 0).unwrap();
    let mut rooms = Vec::new();
    let mut last = 0;
    // The room ahead is made by another thread.
    let until_full = |rooms: &mut Vec<journal::Room>| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let full = journal.bytes() + (8 << 10) > 3 * (8 << 10);
            match journal.reserve(500) {
                Some(room) => rooms.push(room),
                None if full => break,
                None => assert!(std::time::Instant::now() < deadline, "no room is made"),
            }
        }
    };
    until_full(&mut rooms);
    assert!(rooms.len() > 20, "{}", rooms.len());
    // Whatever has room can be written, larger frames included that leave segments half empty.
    for room in rooms.drain(..) {
        let mut frame = Frame::default();
        frame.payload().extend_from_slice(&[7; 500]);
        last = room.append(&mut frame).unwrap();
    }
    until_full(&mut rooms);
    let left = rooms.len();
    drop(rooms);
    assert!(journal.let_go(last - 1).unwrap() > 0);
    let mut rooms = Vec::new();
    until_full(&mut rooms);
    assert!(rooms.len() > left, "{} {left}", rooms.len());
    drop(rooms);
    assert!(matches!(
        append(&journal, &[1; 2000]),
        Err(AppendError::TooLarge { .. })
    ));
}

#[test]
fn damage_in_the_middle_is_told_and_what_follows_is_read() {
    let disk = FaultyDisk::default();
    let journal = open(&disk, 0);
    for position in 1..=100u64 {
        append(&journal, &[position as u8; 200]).unwrap();
    }
    drop(journal);
    // In the third segment, and in the head of the second: 37 frames of 216 bytes fill 8 KiB.
    disk.damage("000000000003.segment", 64 + 216 * 2 + 20);
    disk.damage("000000000002.segment", 3);
    let (journal, opened) = Journal::open(Arc::new(disk), options(100), SERVER, 0).unwrap();
    assert_eq!(opened.damaged_heads, ["000000000002.segment"]);
    let (found, missing) = read(&journal, 0);
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(found.len(), 99);
    assert_eq!(append(&journal, b"next").unwrap(), 101);
}

#[test]
fn journals_of_newer_programs_and_other_servers_are_refused_untouched() {
    let disk = FaultyDisk::default();
    append(&open(&disk, 0), b"mine").unwrap();
    let other = Journal::open(Arc::new(disk.clone()), options(100), [1; 16], 0);
    assert!(matches!(other.err(), Some(OpenError::Foreign(_))));
    assert_eq!(read(&open(&disk, 0), 0).0.len(), 1);
}

#[test]
fn after_a_failed_sync_the_file_is_not_trusted_and_later_frames_are() {
    let disk = FaultyDisk::default();
    let journal = open(&disk, 0);
    append(&journal, b"one").unwrap();
    assert_eq!(journal.sync().unwrap(), 1);
    append(&journal, b"two").unwrap();
    append(&journal, b"three").unwrap();
    disk.fail_syncs();
    let failed = journal.sync().unwrap_err();
    assert_eq!(failed.positions, 2..=3);
    // Segments that were made ahead fail too; one that is made now does not.
    let mut random = Rng::with_seed(1);
    let mut confirmed = 3;
    for _ in 0..200 {
        let bytes = payload(&mut random, 0);
        let position = append(&journal, &bytes).unwrap();
        if journal.sync().is_ok() {
            confirmed = position;
        }
    }
    assert!(confirmed > 3);
    assert_eq!(read(&journal, 0).0.len(), 203);
}

#[test]
fn what_is_appended_during_a_sync_is_confirmed_by_the_next_one() {
    for round in 0..40 {
        let disk = FaultyDisk::default();
        let journal = open(&disk, 0);
        let appending = journal.clone();
        let writer = std::thread::spawn(move || {
            for n in 0..600u64 {
                append(&appending, &[n as u8; 150]).unwrap();
            }
        });
        let mut confirmed = 0;
        while !writer.is_finished() {
            confirmed = journal.sync().unwrap();
        }
        writer.join().unwrap();
        drop(journal);
        let (disk, _) = disk.cut_power(Fault::DropUnsynced, &mut Rng::with_seed(round));
        let (found, missing) = read(&open(&disk, 0), 0);
        assert!(missing.is_empty(), "{missing:?}");
        let last = found.keys().next_back().copied().unwrap_or(0);
        assert!(
            last >= confirmed,
            "{last} is the last of {confirmed} that were confirmed"
        );
    }
}

#[test]
fn a_write_that_fails_half_way_goes_to_the_next_segment() {
    let disk = FaultyDisk::default();
    let journal = open(&disk, 0);
    let mut expected = BTreeMap::new();
    let mut random = Rng::with_seed(5);
    for n in 0..200 {
        if n % 40 == 20 {
            disk.fail_writes();
        }
        let bytes = payload(&mut random, n);
        // Segments that were made ahead fail too; what could not be written is written with the next.
        let position = match append(&journal, &bytes) {
            Ok(position) => position,
            Err(AppendError::Io(_) | AppendError::Full) => journal.staged(),
            Err(error) => panic!("{error}"),
        };
        assert!(expected.insert(position, bytes).is_none());
    }
    let last = journal.staged();
    while journal.write_out(last).is_err() {}
    assert_eq!(read(&journal, 0), (expected.clone(), vec![]));
    drop(journal);
    assert_eq!(read(&open(&disk, 0), 0), (expected, vec![]));
}

#[test]
fn damaged_segments_are_kept_and_a_journal_that_is_gone_is_missed() {
    let disk = FaultyDisk::default();
    let journal = open(&disk, 0);
    for position in 1..=100u64 {
        append(&journal, &[position as u8; 200]).unwrap();
    }
    drop(journal);
    disk.damage("000000000002.segment", 64 + 216 * 2 + 20);
    let journal = open(&disk, 0);
    assert_eq!(read(&journal, 0).1.len(), 1);
    journal.let_go(100).unwrap();
    let names = disk.list().unwrap();
    assert!(
        names.contains(&"000000000002.damaged".to_owned()),
        "{names:?}"
    );
    assert!(
        !names.contains(&"000000000001.segment".to_owned()),
        "{names:?}"
    );

    let empty = FaultyDisk::default();
    let elsewhere = Journal::open(Arc::new(empty.clone()), options(100), SERVER, 100);
    assert!(matches!(elsewhere.err(), Some(OpenError::Missing(100))));
    // Where that is allowed it goes on above, and from then on it is there, appended to or not.
    let allowed = Options {
        may_be_missing: true,
        ..options(100)
    };
    let (journal, _) = Journal::open(Arc::new(empty.clone()), allowed, SERVER, 100).unwrap();
    journal.close().unwrap();
    drop(journal);
    let journal = open(&empty, 100);
    assert_eq!(append(&journal, b"next").unwrap(), 101);
    drop(journal);
    // It is this server's, and nobody else's.
    let other = Journal::open(Arc::new(empty), options(100), [8; 16], 0);
    assert!(matches!(other.err(), Some(OpenError::Foreign(_))));
}

/// The last segment stays, as a sign; it takes next to nothing.
#[test]
fn what_is_let_go_to_the_end_goes_on_where_it_was() {
    let disk = FaultyDisk::default();
    for round in 0..3 {
        let journal = open(&disk, 50 * round);
        for _ in 0..50 {
            append(&journal, &[7; 100]).unwrap();
        }
        let mut reader = journal.read_after(50 * round);
        let mut batch = Batch::default();
        while reader.behind() > 0 {
            reader.read(&mut batch, 9).unwrap();
            assert!(batch.missing.is_empty());
        }
        journal.close().unwrap();
        journal.let_go(50 * (round + 1)).unwrap();
        assert!(!journal.could_let_go(50 * (round + 1)));
        assert_eq!(journal.bytes(), 64);
    }
    assert_eq!(disk.list().unwrap().len(), 2);
}

#[test]
fn room_is_made_for_more_than_is_ahead() {
    let (journal, _) =
        Journal::open(Arc::new(FaultyDisk::default()), options(20), SERVER, 0).unwrap();
    let sizes = vec![100; usize::try_from(journal.capacity() / 2 / 116).unwrap()];
    assert!(journal.free() < 100 * sizes.len() as u64);
    let rooms = loop {
        match journal.reserve_all(&sizes) {
            Some(rooms) => break rooms,
            None => std::thread::yield_now(),
        }
    };
    assert_eq!(rooms.len(), sizes.len());
}

/// Nothing that was confirmed is lost, no position is given twice, and all damage is told.
#[test]
fn power_cuts_lose_nothing_that_was_synced() {
    for round in 0..400 {
        let mut random = Rng::with_seed(round);
        let fault = [Fault::DropUnsynced, Fault::Tear, Fault::FlipBit][round as usize % 3];
        let mut disk = FaultyDisk::default();
        let mut given: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        // What must be there; what is known to be gone.
        let (mut confirmed, mut told) = (BTreeSet::new(), BTreeSet::new());
        let (mut kept, mut flips) = (0, 0);
        for _ in 0..random.u32(2..5) {
            let (journal, opened) =
                Journal::open(Arc::new(disk.clone()), options(1000), SERVER, kept).unwrap();
            assert!(opened.damaged_heads.len() <= flips);
            told.extend(opened.cut.into_iter().flat_map(|cut| cut.positions));
            let (found, missing) = read(&journal, kept);
            told.extend(missing);
            for (position, bytes) in &found {
                assert_eq!(
                    given.get(position),
                    Some(bytes),
                    "{position} was never written so"
                );
            }
            let lost: Vec<u64> = confirmed
                .range(kept + 1..)
                .filter(|position| !found.contains_key(position))
                .copied()
                .collect();
            assert!(lost.len() <= flips, "round {round} {fault:?}: {lost:?}");
            assert!(
                lost.iter().all(|p| told.contains(p)),
                "round {round}: {lost:?} of {told:?}"
            );
            confirmed.retain(|position| !lost.contains(position));
            confirmed.extend(found.keys());
            // What left no trace may be given again: nothing else knows of it either.
            given.retain(|p, _| *p <= kept || confirmed.contains(p) || told.contains(p));
            for _ in 0..random.u32(1..60) {
                let bytes = payload(&mut random, 0);
                let position = append(&journal, &bytes).unwrap();
                assert!(
                    given.insert(position, bytes).is_none(),
                    "{position} was given twice"
                );
                if random.u8(..10) == 0 {
                    let synced = journal.sync().unwrap();
                    confirmed.extend(
                        given
                            .range(..=synced)
                            .map(|(p, _)| p)
                            .filter(|p| !told.contains(p)),
                    );
                }
                if random.u8(..40) == 0 {
                    kept = random.u64(kept..=confirmed.last().map_or(kept, |last| kept.max(*last)));
                    journal.let_go(kept).unwrap();
                }
            }
            drop(journal);
            let (next, flipped) = disk.cut_power(fault, &mut random);
            disk = next;
            flips += usize::from(flipped.is_some());
        }
    }
}
