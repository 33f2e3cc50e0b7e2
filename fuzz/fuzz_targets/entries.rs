//! Entries of the journal, whatever stands in their frames.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = store::entry::Entry::decode(data);
    let at = types::Timestamp::from_micros(1);
    if let Ok(bytes) = store::entry::broken_off(data, "it ended", at) {
        store::entry::Entry::decode(&bytes).expect("what was written can be read");
    }
});
