//! What fuzz targets call: parsers of what comes from outside, which are no part of the interface.

use crate::codec::oip::round_trip;
use crate::extract::{parse, parse_object};
use crate::lines::item;

/// The largest item of a list.
const MOST: usize = 1 << 20;

/// A request of the Open Inference Protocol: the first two bytes say how long its JSON is, where they are not zero.
pub fn inference(data: &[u8]) {
    if let Some((length, body)) = data.split_first_chunk::<2>() {
        let length = u16::from_le_bytes(*length);
        let length = (length > 0).then(|| length.to_string());
        round_trip(body, length.as_deref());
    }
}

/// A body, as the calls that change something and those for many values take it.
pub fn bodies(data: &[u8]) {
    let _ = parse_object::<api::PredictRequest>(data);
    let _ = parse_object::<api::CreateExperiment>(data);
    let _ = parse::<Vec<api::Feedback>>(data);
    if let Ok(registered) = parse_object::<api::RegisterVersion>(data) {
        drop(serde_json::to_string(&registered));
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for line in text.lines() {
        let _ = item::<api::Feedback>(line, MOST);
    }
    if let Ok(json) = types::Json::parse(text.to_owned()) {
        assert_eq!(
            types::Json::parse(json.as_str().to_owned()).as_ref(),
            Ok(&json)
        );
        drop(json.value());
    }
}
