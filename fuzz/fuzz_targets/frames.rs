//! A journal one of whose segments holds anything, before and after a good beginning: it opens, and what is read is what
//! was appended, or nothing.
#![no_main]

use journal::faulty::FaultyDisk;
use journal::{Batch, Disk, Frame, Journal, Options};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

const SERVER: [u8; 16] = [9; 16];

fn options() -> Options {
    Options {
        segment_bytes: 4 << 10,
        max_bytes: 64 << 10,
        largest_bytes: 1 << 10,
        synced: true,
        may_be_missing: false,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((place, bytes)) = data.split_first_chunk::<2>() else {
        return;
    };
    let disk = FaultyDisk::default();
    let (journal, _) = Journal::open(Arc::new(disk.clone()), options(), SERVER, 0).expect("an empty folder");
    for n in 0..3u8 {
        let mut frame = Frame::default();
        frame.payload().extend_from_slice(&[n; 40]);
        let room = loop {
            match journal.reserve(40) {
                Some(room) => break room,
                // The thread that makes segments is not there yet.
                None => std::thread::yield_now(),
            }
        };
        room.append(&mut frame).expect("it has room");
    }
    drop(journal);
    let names = disk.list().expect("a disk in memory");
    let place = usize::from(u16::from_le_bytes(*place));
    let name = &names[place % names.len()];
    if let Ok(file) = disk.open(name) {
        let _ = file.write_all_at(bytes, (place / names.len()) as u64 % (4 << 10));
    }
    let Ok((journal, _)) = Journal::open(Arc::new(disk.clone()), options(), SERVER, 0) else {
        return;
    };
    let mut reader = journal.read_after(0);
    let mut batch = Batch::default();
    for _ in 0..100 {
        if reader.behind() == 0 || reader.read(&mut batch, 7).is_err() {
            break;
        }
        for (position, payload) in batch.frames() {
            // The salt of the checksums is the server's, so nothing from outside is a frame.
            assert!(payload.len() == 40 && payload.iter().all(|byte| u64::from(*byte) + 1 == position));
        }
    }
});
