//! What the pages of the dashboard are made of, packed for whoever takes it so (`Accept-Encoding: gzip`): a page with a hundred
//! models is a fifth of what it was; and tensors, whose clients ask for it. Other replies to programs are sent as they are, which
//! costs less.

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

/// Less than this, in bytes, is sent as it is.
pub(crate) const LEAST: usize = 1 << 10;

/// Whether somebody takes packed replies.
pub(crate) fn is_taken(headers: &HeaderMap) -> bool {
    let said = headers.get_all(ACCEPT_ENCODING).iter();
    let mut codings = said
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = |weight: &str| weight.parse::<f32>().is_ok_and(|weight| weight == 0.0);
        named && !parts.any(|part| part.strip_prefix("q=").is_some_and(refused))
    })
}

/// The same bytes, packed.
pub(crate) fn packed(bytes: &[u8]) -> Bytes {
    let mut packer = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::fast());
    // Nothing can go wrong in memory.
    let written = packer.write_all(bytes).and_then(|()| packer.finish());
    written.map_or_else(|_| Bytes::new(), Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use std::io::Read;

    #[test]
    fn who_says_so_gets_it_packed() {
        let taken = |value: &'static str| {
            let value = HeaderValue::from_static(value);
            is_taken(&HeaderMap::from_iter([(ACCEPT_ENCODING, value)]))
        };
        assert!(taken("gzip, deflate, br") && taken("br;q=1.0, GZIP;q=0.5"));
        assert!(!taken("br") && !taken("gzip;q=0") && !taken("gzip; q=0.0") && !taken("xgzip"));
        assert!(!is_taken(&HeaderMap::new()));
    }

    #[test]
    fn what_was_packed_is_the_same() {
        for text in ["", "a", &"a model ".repeat(10_000)] {
            let packed = packed(text.as_bytes());
            let mut again = String::new();
            flate2::read::GzDecoder::new(&packed[..])
                .read_to_string(&mut again)
                .unwrap();
            assert_eq!(again, text);
        }
    }
}
