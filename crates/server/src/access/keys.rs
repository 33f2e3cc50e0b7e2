//! Keys of callers: `weir_`, the twelve digits of their id, and 32 random bytes.
//!
//! Of the random bytes only a keyed hash is kept: HMAC-SHA256 with a key of the server. They are random, so nobody can guess what
//! has a hash, and a slow one would make nothing safer. Whoever has typed a key into the dashboard has a session: a cookie
//! that says which key it was, signed, and good for as long as that key.

use super::Caller;
use crate::error::{ApiError, ApiResult};
use crate::secret_file;
use api::ErrorCode;
use arc_swap::ArcSwap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, HeaderName, Request};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};
use ring::hmac;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use store::StoredKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use types::{AccessKey, KeyDefinition, KeyHash, KeyId, Settings, Timestamp};

/// The file with the key of the hashes.
const FILE: &str = "access.key";
/// What every key begins with, so that scanners for secrets know it.
const PREFIX: &str = "weir_";
/// Characters of 32 bytes in base64.
const SECRET_LENGTH: usize = 43;
/// The longest header with a key that is looked at.
const MAX_HEADER: usize = 512;
/// Another header that clients have keys in.
static API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The name of the cookie.
pub(crate) const COOKIE_NAME: &str = "weir_session";
/// How long a session lasts, in seconds.
pub(crate) const SESSION_SECONDS: i64 = 12 * 3600;

/// Sessions that were ended and are remembered.
const MOST_ENDED: usize = 10_000;

/// A key that is taken.
#[derive(Debug)]
struct Known {
    hash: KeyHash,
    definition: KeyDefinition,
    /// Its holder, made once for all of his requests.
    holder: Arc<Caller>,
    /// In microseconds; 0 where it was never used.
    last_used: AtomicI64,
    /// What of that is written.
    written: AtomicI64,
    limits: Arc<Limits>,
}

/// How much a key is taken for. It is kept when the settings change, as long as it is the same.
#[derive(Debug)]
struct Limits {
    rate: Option<DefaultDirectRateLimiter>,
    places: Option<Arc<Semaphore>>,
}

impl Limits {
    fn of(definition: &KeyDefinition) -> Self {
        let rate = definition.requests_per_second.map(Quota::per_second);
        let places = definition.concurrent_requests;
        Self {
            rate: rate.map(DefaultDirectRateLimiter::direct),
            places: places.map(|places| Arc::new(Semaphore::new(places.get() as usize))),
        }
    }

    /// A place among the requests of the key, where it has so many.
    fn enter(&self, id: KeyId) -> ApiResult<Option<Arc<OwnedSemaphorePermit>>> {
        let too_many = |what: String, seconds: u64| {
            let detail = format!("The key {id} has reached its limit: {what}.");
            ApiError::new(ErrorCode::TooManyRequests, detail).retry_after(seconds)
        };
        if let Some(rate) = &self.rate
            && let Err(until) = rate.check()
        {
            let wait = until.wait_time_from(DefaultClock::default().now());
            let burst = until.quota().burst_size();
            return Err(too_many(
                format!("{burst} requests a second"),
                wait.as_secs() + 1,
            ));
        }
        let Some(places) = &self.places else {
            return Ok(None);
        };
        let place = Arc::clone(places).try_acquire_owned();
        place.map(|place| Some(Arc::new(place))).map_err(|_| {
            too_many(
                "as many of its requests are under way as it may have at once".into(),
                1,
            )
        })
    }
}

/// The keys that are taken.
pub(crate) struct Keys {
    hasher: hmac::Key,
    known: ArcSwap<HashMap<KeyId, Arc<Known>>>,
    /// Sessions that were ended before their time, and when they would have, in seconds.
    ended: Mutex<HashMap<Vec<u8>, i64>>,
}

impl Keys {
    /// Those of a data directory.
    ///
    /// # Errors
    /// When its key file cannot be read or made.
    pub(crate) fn open(
        directory: &Path,
        settings: &Settings,
        stored: &[StoredKey],
    ) -> std::io::Result<Self> {
        let without =
            "every key is refused from then on: make new ones with `weir keys create --data-dir`";
        let keys = Self {
            hasher: secret_file::key(directory, FILE, without)?,
            known: ArcSwap::default(),
            ended: Mutex::default(),
        };
        keys.publish(settings, stored);
        Ok(keys)
    }

    /// Makes a key: the text that its holder has, and what is kept of it.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(crate) fn make(&self, id: KeyId) -> std::io::Result<(String, KeyHash)> {
        let secret = URL_SAFE_NO_PAD.encode(secret_file::random::<32>()?);
        let text = format!("{PREFIX}{}_{secret}", id.digits());
        Ok((text, self.hash(&secret)))
    }

    fn hash(&self, secret: &str) -> KeyHash {
        let mut hash = [0; 32];
        hash.copy_from_slice(hmac::sign(&self.hasher, secret.as_bytes()).as_ref());
        KeyHash(hash)
    }

    /// Takes over what the settings say. Hashes that are not known come from `stored`; a key without one is refused.
    pub(crate) fn publish(&self, settings: &Settings, stored: &[StoredKey]) {
        let before = self.known.load();
        let known = settings.keys.iter().filter_map(|key| {
            let kept = stored.iter().find(|stored| stored.id == key.id);
            let last = before.get(&key.id);
            let hash = kept.map(|kept| kept.hash).or(last.map(|last| last.hash))?;
            let written = kept.and_then(|kept| kept.last_used_at);
            let written = written.map_or(0, Timestamp::micros);
            let used = last.map_or(0, |last| last.last_used.load(Ordering::Relaxed));
            let known = Known {
                hash,
                holder: Arc::new(Caller::with_key(key.id, &key.definition)),
                definition: key.definition.clone(),
                last_used: used.max(written).into(),
                written: written.into(),
                limits: match last.filter(|last| last.definition == key.definition) {
                    Some(last) => Arc::clone(&last.limits),
                    None => Arc::new(Limits::of(&key.definition)),
                },
            };
            Some((key.id, Arc::new(known)))
        });
        self.known.store(Arc::new(known.collect()));
    }

    /// Whether the hash of every key of the settings is known.
    pub(crate) fn has_all(&self, keys: &[AccessKey]) -> bool {
        let known = self.known.load();
        keys.iter().all(|key| known.contains_key(&key.id))
    }

    /// Whether a key is taken at a moment.
    pub(crate) fn is_good(&self, id: KeyId, now: Timestamp) -> bool {
        let known = self.known.load();
        known
            .get(&id)
            .is_some_and(|known| known.definition.is_good(now))
    }

    /// When a key was used last.
    pub(crate) fn last_used(&self, id: KeyId) -> Option<Timestamp> {
        let known = self.known.load();
        let last = known.get(&id)?.last_used.load(Ordering::Relaxed);
        (last > 0).then(|| Timestamp::from_micros(last))
    }

    /// What is not written yet of when keys were used last.
    pub(crate) fn unwritten(&self) -> Vec<(KeyId, Timestamp)> {
        let known = self.known.load();
        let later = known.iter().filter_map(|(id, known)| {
            let last = known.last_used.load(Ordering::Relaxed);
            (known.written.swap(last, Ordering::Relaxed) < last)
                .then(|| (*id, Timestamp::from_micros(last)))
        });
        later.collect()
    }

    /// Whose key a request brings; nobody's where it brings none.
    ///
    /// # Errors
    /// When it is not good.
    pub(crate) fn caller<B>(
        &self,
        request: &Request<B>,
        now: Timestamp,
    ) -> ApiResult<Option<Arc<Caller>>> {
        let uri = request.uri();
        if has_key(uri.path()) || uri.query().is_some_and(has_key) {
            return Err(refused(
                "The URL contains a key, and logs keep URLs: revoke that key, and send keys as `Authorization: Bearer`.",
            ));
        }
        let found = match (key_of(request.headers())?, session_of(request.headers())) {
            (Some(text), _) => self.of_text(text, now),
            (None, Some(session)) => self.of_session(session, now),
            (None, None) => return Ok(None),
        };
        found.map(Some)
    }

    /// Who has a key.
    ///
    /// # Errors
    /// When it is not good.
    pub(crate) fn of_text(&self, text: &str, now: Timestamp) -> ApiResult<Arc<Caller>> {
        let unknown = || {
            refused(
                "The key is not known: it is mistyped, was revoked, or belongs to another server.",
            )
        };
        let parts = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'));
        let (digits, secret) = parts
            .filter(|(_, secret)| secret.len() == SECRET_LENGTH)
            .ok_or_else(unknown)?;
        let id = KeyId::of_digits(digits).ok_or_else(unknown)?;
        let known = self.known.load();
        let Some(known) = known.get(&id) else {
            // It takes as long as where the id is known.
            let _ = self.is_it(&KeyHash([0; 32]), secret);
            return Err(unknown());
        };
        if !self.is_it(&known.hash, secret) {
            return Err(unknown());
        }
        self.caller_of(id, known, now)
    }

    /// Compares in a time that does not depend on where a difference is.
    fn is_it(&self, hash: &KeyHash, secret: &str) -> bool {
        hmac::verify(&self.hasher, secret.as_bytes(), &hash.0).is_ok()
    }

    fn caller_of(&self, id: KeyId, known: &Known, now: Timestamp) -> ApiResult<Arc<Caller>> {
        if !known.definition.is_good(now) {
            return Err(refused(
                "The key has expired: `weir keys rotate` makes another one.",
            ));
        }
        known.last_used.fetch_max(now.micros(), Ordering::Relaxed);
        Ok(match known.limits.enter(id)? {
            None => Arc::clone(&known.holder),
            place => Arc::new(Caller {
                _place: place,
                ..Caller::clone(&known.holder)
            }),
        })
    }

    /// A session of a key: the value of the cookie.
    pub(crate) fn session(&self, id: KeyId, now: Timestamp) -> String {
        let said = format!("{}.{}", id.digits(), now.seconds() + SESSION_SECONDS);
        let tag = hmac::sign(&self.hasher, session_bytes(&said).as_bytes());
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// Ends the session of a request, which is refused from now on.
    pub(crate) fn end_session(&self, headers: &HeaderMap, now: Timestamp) {
        let session = session_of(headers).filter(|session| self.of_session(session, now).is_ok());
        let tag =
            session.and_then(|session| URL_SAFE_NO_PAD.decode(session.rsplit('.').next()?).ok());
        let Some(tag) = tag else {
            return;
        };
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.retain(|_, expires| *expires > now.seconds());
        // So many people do not sign out within twelve hours; then the oldest are as good as their cookies.
        if ended.len() < MOST_ENDED {
            ended.insert(tag, now.seconds() + SESSION_SECONDS);
        }
    }

    fn of_session(&self, session: &str, now: Timestamp) -> ApiResult<Arc<Caller>> {
        let ended = || refused("The session has ended: sign in with a key again.");
        let (said, tag) = session.rsplit_once('.').ok_or_else(ended)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| ended())?;
        let signed = hmac::verify(&self.hasher, session_bytes(said).as_bytes(), &tag);
        signed.map_err(|_| ended())?;
        let over = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if over.contains_key(&tag) {
            return Err(ended());
        }
        drop(over);
        let (digits, expires) = said.split_once('.').ok_or_else(ended)?;
        let expires: i64 = expires.parse().map_err(|_| ended())?;
        let id = KeyId::of_digits(digits).ok_or_else(ended)?;
        let known = self.known.load();
        let known = known.get(&id).filter(|_| now.seconds() < expires);
        self.caller_of(id, known.ok_or_else(ended)?, now)
    }
}

/// What is signed of a session: it can be no secret of a key, which has no blank.
fn session_bytes(said: &str) -> String {
    format!("session {said}")
}

/// Whether a key stands in a path or a query, escaped or not.
fn has_key(text: &str) -> bool {
    if !text.contains('%') {
        return stands_in(text);
    }
    let mut parts = url::form_urlencoded::parse(text.as_bytes());
    parts.any(|(name, value)| stands_in(&name) || stands_in(&value))
}

fn stands_in(text: &str) -> bool {
    let mut places = text.match_indices(PREFIX);
    places.any(|(at, _)| {
        let rest = &text.as_bytes()[at + PREFIX.len()..];
        let (digits, behind) = rest.split_at(rest.len().min(12));
        digits.len() == 12
            && digits.iter().all(u8::is_ascii_hexdigit)
            && behind.first() == Some(&b'_')
    })
}

/// What is said to whoever has no key.
pub(crate) fn needed() -> ApiError {
    refused(
        "This server needs a key: send `Authorization: Bearer weir_...`; `weir keys create` makes one.",
    )
}

fn refused(detail: &str) -> ApiError {
    ApiError::new(ErrorCode::Unauthenticated, detail)
}

/// The key that a request brings in its headers.
fn key_of(headers: &HeaderMap) -> ApiResult<Option<&str>> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let mut others = headers.get_all(&API_KEY).iter();
    let (value, is_bearer) = match (given.next(), others.next()) {
        (None, None) => return Ok(None),
        (Some(value), None) => (value, true),
        (None, Some(value)) => (value, false),
        (Some(_), Some(_)) => return Err(refused("The request has two keys: send one.")),
    };
    if given.next().is_some() || others.next().is_some() {
        return Err(refused("The request has two keys: send one."));
    }
    let text = value.to_str().ok().filter(|text| text.len() <= MAX_HEADER);
    let text = text.ok_or_else(|| refused("The value that was sent as a key is not a key."))?;
    if !is_bearer {
        return Ok(Some(text.trim()));
    }
    let parts = text.trim().split_once(' ');
    let bearer = parts.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match bearer {
        Some((_, key)) => Ok(Some(key.trim())),
        None => Err(refused("Send the key as `Authorization: Bearer weir_...`.")),
    }
}

/// The session that a request brings.
fn session_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter();
    let cookies = cookies.filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    let found = pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE_NAME).then_some(value)
    });
    found.filter(|session| session.len() <= MAX_HEADER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Role, Scope};

    fn keys() -> (tempfile::TempDir, Keys, String, Settings) {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        let keys = Keys::open(directory.path(), &settings, &[]).unwrap();
        let id = KeyId::from_bits(7);
        let (text, hash) = keys.make(id).unwrap();
        settings.keys.push(AccessKey {
            id,
            created_at: at(0),
            definition: KeyDefinition {
                role: Role::Operator,
                models: Scope::default(),
                description: None,
                expires_at: Some(at(100)),
                requests_per_second: None,
                concurrent_requests: None,
            },
        });
        let stored = StoredKey {
            id,
            hash,
            last_used_at: None,
        };
        keys.publish(&settings, &[stored]);
        (directory, keys, text, settings)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn code(found: ApiResult<Arc<Caller>>) -> Option<ErrorCode> {
        found.err().map(|error| error.code())
    }

    #[test]
    fn a_key_is_taken_whole_and_in_time_and_says_who_it_is() {
        let (directory, keys, text, settings) = keys();
        let caller = keys.of_text(&text, at(50)).unwrap();
        assert_eq!(
            (caller.key, caller.role),
            (Some(KeyId::from_bits(7)), Some(Role::Operator))
        );
        assert_eq!(keys.unwritten(), [(KeyId::from_bits(7), at(50))]);
        assert_eq!(keys.unwritten(), []);
        let refused = Some(ErrorCode::Unauthenticated);
        assert_eq!(code(keys.of_text(&text, at(100))), refused);
        // Wherever it differs, it is refused in the same words: nothing can be learned from that.
        let said = |text: &str| {
            keys.of_text(text, at(1))
                .err()
                .map(|error| error.detail().to_owned())
        };
        let unknown = said("weir_000000000000_").unwrap();
        for place in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[place] = if wrong[place] == b'1' { b'2' } else { b'1' };
            let wrong = String::from_utf8(wrong).unwrap();
            if wrong != text {
                assert_eq!(said(&wrong).as_ref(), Some(&unknown), "{wrong}");
            }
        }
        for wrong in ["", "weir_", &text[..text.len() - 1], &format!("{text}A")] {
            assert_eq!(said(wrong).as_ref(), Some(&unknown), "{wrong}");
        }
        // Nothing of it is kept but its hash, which is another one on another server.
        let other = tempfile::tempdir().unwrap();
        let elsewhere = Keys::open(other.path(), &settings, &[]).unwrap();
        assert_eq!(code(elsewhere.of_text(&text, at(1))), refused);
        assert!(!format!("{:?}", keys.known.load()).contains(&text[18..]));
        drop(directory);
    }

    #[test]
    fn a_session_is_as_good_as_its_key_and_cannot_be_made() {
        let (_directory, keys, _, mut settings) = keys();
        let session = keys.session(KeyId::from_bits(7), at(0));
        assert!(keys.of_session(&session, at(50)).is_ok());
        let refused = Some(ErrorCode::Unauthenticated);
        assert_eq!(code(keys.of_session(&session, at(100))), refused);
        let (said, tag) = session.rsplit_once('.').unwrap();
        let later = said.replace(".43200", ".99999");
        assert_ne!(later, said);
        for forged in [
            format!("{later}.{tag}"),
            said.to_owned(),
            format!("{said}."),
            String::new(),
            "..".into(),
        ] {
            assert_eq!(code(keys.of_session(&forged, at(50))), refused, "{forged}");
        }
        settings.keys.clear();
        keys.publish(&settings, &[]);
        assert_eq!(code(keys.of_session(&session, at(50))), refused);
    }

    #[test]
    fn keys_come_in_one_header() {
        let of = |headers: &[(&str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
            }
            key_of(&map)
                .map(|key| key.map(str::to_owned))
                .map_err(|error| error.code())
        };
        assert_eq!(of(&[]), Ok(None));
        for (name, value) in [
            ("authorization", "Bearer k"),
            ("authorization", " bearer  k "),
            ("x-api-key", "k"),
        ] {
            assert_eq!(of(&[(name, value)]), Ok(Some("k".into())), "{name} {value}");
        }
        let long = format!("Bearer {}", "k".repeat(600));
        for headers in [
            &[("authorization", "Basic k")][..],
            &[("authorization", "k")],
            &[("authorization", "Bearer k"), ("authorization", "Bearer k")],
            &[("authorization", "Bearer k"), ("x-api-key", "k")],
            &[("x-api-key", "k"), ("x-api-key", "k")],
            &[("authorization", &long)],
        ] {
            assert_eq!(of(headers), Err(ErrorCode::Unauthenticated), "{headers:?}");
        }
    }
}
