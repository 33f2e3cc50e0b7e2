//! Requests of the Open Inference Protocol, with binary tensors behind their JSON; what is taken is written and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| server::fuzzing::inference(data));
