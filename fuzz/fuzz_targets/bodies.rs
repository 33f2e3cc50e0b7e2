//! Bodies of JSON and of a JSON object per line, as calls take them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| server::fuzzing::bodies(data));
