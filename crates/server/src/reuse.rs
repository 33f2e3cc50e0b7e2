//! Replies that many people look at: whoever says that a reply may be some seconds old (`Cache-Control: max-age=2`) shares it
//! with the others who say so, and it is made once for all of them. Who says nothing gets one of his own.

use crate::gzip;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, VARY};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::body::Body as _;
use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Replies that are kept at a time.
const MOST: usize = 256;
/// The largest that is kept, in bytes.
const LARGEST: u64 = 1 << 20;
/// All that is kept, in bytes.
const IN_ALL: usize = 32 << 20;
/// No reply that is older is given to anybody.
const OLDEST: Duration = Duration::from_secs(10);

/// A reply as it was given.
struct Kept {
    made: Instant,
    headers: HeaderMap,
    body: Bytes,
    /// The same, once somebody has asked for it: it is packed once for all.
    packed: Option<Bytes>,
}

/// The place of a reply. Whoever makes it holds the lock, so that the others wait for it.
type Slot = Arc<Mutex<Option<Kept>>>;

/// The replies, by what was asked and by what its caller may see.
#[derive(Default)]
pub(crate) struct Shared(StdMutex<HashMap<String, Slot>>);

/// How old a reply may be for whoever asks. `no-cache` asks for a new one, which the others share from then on, so that
/// nobody sees less after he has seen more.
pub(crate) fn allowed_age(headers: &HeaderMap) -> Option<Duration> {
    let said = headers.get(CACHE_CONTROL)?.to_str().ok()?;
    said.split(',').find_map(|directive| {
        let directive = directive.trim();
        if directive == "no-cache" {
            return Some(Duration::ZERO);
        }
        let seconds = directive.strip_prefix("max-age=")?.parse().ok()?;
        Some(Duration::from_secs(seconds).min(OLDEST))
    })
}

impl Shared {
    /// The reply that is there, where it is young enough; else what `make` gives, which is kept for others. It is packed for
    /// whoever takes it so.
    pub(crate) async fn or_make(
        &self,
        asked: String,
        (age, packed): (Duration, bool),
        make: impl Future<Output = Response<Body>>,
    ) -> Response<Body> {
        let Some(slot) = self.slot(asked) else {
            return make.await;
        };
        let asked_at = Instant::now();
        let mut kept = slot.lock().await;
        // One that was begun since somebody asked is as new as his own would be.
        let is_new = |kept: &Kept| kept.made >= asked_at || kept.made.elapsed() <= age;
        if let Some(kept) = kept.as_mut().filter(|kept| is_new(kept)) {
            return kept.reply(packed);
        }
        *kept = None;
        let made = Instant::now();
        let (parts, body) = make.await.into_parts();
        let is_small = body
            .size_hint()
            .exact()
            .is_some_and(|bytes| bytes <= LARGEST);
        if parts.status != StatusCode::OK || !is_small {
            return Response::from_parts(parts, body);
        }
        // Its size is known, so it has no more.
        let Ok(body) = to_bytes(body, LARGEST as usize).await else {
            return Response::from_parts(parts, Body::empty());
        };
        let reply = Kept {
            made,
            headers: parts.headers,
            // A copy: what was made may hold a place among large replies until nobody has its bytes any more.
            body: Bytes::copy_from_slice(&body),
            packed: None,
        };
        kept.insert(reply).reply(packed)
    }

    /// The place of a reply; nothing where there are too many.
    fn slot(&self, asked: String) -> Option<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(&asked) {
            return Some(Arc::clone(slot));
        }
        let mut bytes = 0;
        slots.retain(|_, slot| {
            // Somebody makes it, waits for it or is about to: clones are made under the lock of the map alone.
            if Arc::strong_count(slot) > 1 {
                return true;
            }
            let Ok(kept) = slot.try_lock() else {
                return true;
            };
            let young = kept.as_ref().filter(|kept| kept.made.elapsed() <= OLDEST);
            bytes += young.map_or(0, Kept::bytes);
            young.is_some()
        });
        if slots.len() >= MOST || bytes > IN_ALL {
            return None;
        }
        Some(Arc::clone(slots.entry(asked).or_default()))
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        self.body.len() + self.packed.as_ref().map_or(0, Bytes::len)
    }

    fn reply(&mut self, packed: bool) -> Response<Body> {
        let packed = packed && self.body.len() >= gzip::LEAST;
        let body = if packed {
            self.packed.get_or_insert_with(|| gzip::packed(&self.body))
        } else {
            &self.body
        };
        let mut reply = Response::new(Body::from(body.clone()));
        *reply.headers_mut() = self.headers.clone();
        let headers = reply.headers_mut();
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
        if packed {
            headers.remove(CONTENT_LENGTH);
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn a_reply_is_made_once_for_all_who_take_an_older_one() {
        let (shared, made) = (Shared::default(), AtomicU32::new(0));
        let ask = async |asked: &str, age: Duration| {
            let make = async {
                let number = made.fetch_add(1, Ordering::Relaxed);
                Response::new(Body::from(number.to_string()))
            };
            let reply = shared.or_make(asked.to_owned(), (age, false), make).await;
            to_bytes(reply.into_body(), 100).await.unwrap()
        };
        let age = Duration::from_secs(5);
        let (one, two) = tokio::join!(ask("a", age), ask("a", age));
        assert_eq!((&one[..], &two[..]), (&b"0"[..], &b"0"[..]));
        assert_eq!(&ask("b", age).await[..], b"1");
        // Who wants a new one gets it.
        assert_eq!(&ask("a", Duration::ZERO).await[..], b"2");
        assert_eq!(&ask("a", age).await[..], b"2");
    }

    #[tokio::test]
    async fn failures_are_not_kept_and_memory_is_bounded() {
        let shared = Shared::default();
        let fail = async {
            let mut reply = Response::new(Body::from("x"));
            *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            reply
        };
        let age = Duration::from_secs(5);
        assert_eq!(
            shared
                .or_make("a".into(), (age, false), fail)
                .await
                .status(),
            503
        );
        let well = async { Response::new(Body::from("y")) };
        assert_eq!(
            shared
                .or_make("a".into(), (age, false), well)
                .await
                .status(),
            200
        );
        for number in 0..2 * MOST {
            let make = async { Response::new(Body::from("z")) };
            shared.or_make(number.to_string(), (age, false), make).await;
        }
        assert!(shared.0.lock().unwrap().len() <= MOST);
        // In bytes, too: large ones are fewer.
        let shared = Shared::default();
        for number in 0..64 {
            let make = async { Response::new(Body::from(vec![7; LARGEST as usize])) };
            let reply = shared.or_make(number.to_string(), (age, false), make).await;
            assert_eq!(reply.status(), 200);
        }
        let places = shared.0.lock().unwrap().len();
        assert!(places <= 1 + IN_ALL / LARGEST as usize, "{places}");
    }

    #[tokio::test]
    async fn it_is_packed_for_those_who_take_it_so() {
        let shared = Shared::default();
        let age = Duration::from_secs(5);
        let text = "a model ".repeat(1000);
        for packed in [true, false, true] {
            let make = async { Response::new(Body::from(text.clone())) };
            let reply = shared.or_make("a".into(), (age, packed), make).await;
            assert_eq!(reply.headers().contains_key(CONTENT_ENCODING), packed);
            assert_eq!(reply.headers()[VARY], "accept-encoding");
            let body = to_bytes(reply.into_body(), 1 << 20).await.unwrap();
            assert_eq!(body.len() < 1000, packed);
        }
        // It is not worth it for a few bytes.
        let make = async { Response::new(Body::from("short")) };
        let reply = shared.or_make("b".into(), (age, true), make).await;
        assert!(!reply.headers().contains_key(CONTENT_ENCODING));
    }

    #[test]
    fn only_who_says_so_takes_an_older_one() {
        let age = |value: &'static str| {
            let headers = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static(value))]);
            allowed_age(&headers)
        };
        assert_eq!(age("no-cache"), Some(Duration::ZERO));
        assert_eq!(age("max-age=0"), Some(Duration::ZERO));
        assert_eq!(age("no-store"), None);
        assert_eq!(age("max-age=2"), Some(Duration::from_secs(2)));
        assert_eq!(age("no-transform, max-age=3600"), Some(OLDEST));
        assert_eq!(allowed_age(&HeaderMap::new()), None);
    }
}
