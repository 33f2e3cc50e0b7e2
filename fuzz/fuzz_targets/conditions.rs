//! Conditions on attributes: what is taken means the same after it was written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use types::{Attributes, Condition};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (text, attributes) = text.split_once('\n').unwrap_or((text, "{}"));
    let attributes: Attributes = serde_json::from_str::<types::Members>(attributes)
        .ok()
        .and_then(|members| Attributes::parse(members.0).ok())
        .unwrap_or_default();
    if let Ok(condition) = Condition::parse(text) {
        let again = Condition::parse(&condition.to_string()).expect("what was written can be read");
        assert_eq!(condition.is_met(&attributes), again.is_met(&attributes));
    }
});
