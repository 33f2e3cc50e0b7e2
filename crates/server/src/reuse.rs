//! Replies that many people look at: whoever says that a reply may be some seconds old (`Cache-Control: max-age=2`) shares it
//! with the others who say so, and it is made once for all of them. Who says nothing gets one of his own.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, Response, StatusCode};
use hyper::body::Body as _;
use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Replies that are kept at a time.
const MOST: usize = 256;
/// The largest that is kept, in bytes.
const LARGEST: u64 = 1 << 20;
/// No reply that is older is given to anybody.
const OLDEST: Duration = Duration::from_secs(10);

/// A reply as it was given.
struct Kept {
    made: Instant,
    headers: HeaderMap,
    body: Bytes,
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
    /// The reply that is there, where it is young enough; else what `make` gives, which is kept for others.
    pub(crate) async fn or_make(
        &self,
        asked: String,
        age: Duration,
        make: impl Future<Output = Response<Body>>,
    ) -> Response<Body> {
        let Some(slot) = self.slot(asked) else {
            return make.await;
        };
        let asked_at = Instant::now();
        let mut kept = slot.lock().await;
        // One that was begun since somebody asked is as new as his own would be.
        let is_new = |kept: &&Kept| kept.made >= asked_at || kept.made.elapsed() <= age;
        if let Some(kept) = kept.as_ref().filter(is_new) {
            return kept.reply();
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
        };
        kept.insert(reply).reply()
    }

    /// The place of a reply; nothing where there are too many.
    fn slot(&self, asked: String) -> Option<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MOST && !slots.contains_key(&asked) {
            // What somebody holds is being made, or read.
            slots.retain(|_, slot| {
                let old = slot.try_lock().is_ok_and(|kept| {
                    kept.as_ref()
                        .is_none_or(|kept| kept.made.elapsed() > OLDEST)
                });
                !old
            });
            if slots.len() >= MOST {
                return None;
            }
        }
        Some(Arc::clone(slots.entry(asked).or_default()))
    }
}

impl Kept {
    fn reply(&self) -> Response<Body> {
        let mut reply = Response::new(Body::from(self.body.clone()));
        *reply.headers_mut() = self.headers.clone();
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn a_reply_is_made_once_for_all_who_take_an_older_one() {
        let (shared, made) = (Shared::default(), AtomicU32::new(0));
        let ask = async |asked: &str, age: Duration| {
            let make = async {
                let number = made.fetch_add(1, Ordering::Relaxed);
                Response::new(Body::from(number.to_string()))
            };
            let reply = shared.or_make(asked.to_owned(), age, make).await;
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
        assert_eq!(shared.or_make("a".into(), age, fail).await.status(), 503);
        let well = async { Response::new(Body::from("y")) };
        assert_eq!(shared.or_make("a".into(), age, well).await.status(), 200);
        for number in 0..2 * MOST {
            let make = async { Response::new(Body::from("z")) };
            shared.or_make(number.to_string(), age, make).await;
        }
        assert!(shared.0.lock().unwrap().len() <= MOST);
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
