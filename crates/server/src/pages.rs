//! Pages that are bounded in bytes, not only in number: a thousand rows may be a gigabyte.

use crate::access::rights::Row;
use crate::error::{ApiError, ApiResult};
use crate::state::AppState;
use api::ErrorCode;
use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use store::{AuditEntry, LoggedPrediction};
use tokio::sync::OwnedSemaphorePermit;

/// What a page may have, in bytes of what was sent and answered; one more row may go beyond.
pub(crate) const PAGE_BYTES: usize = 8 << 20;
/// Replies that read much which are made, or written to their callers, at a time. Predictions need no place among them.
pub(crate) const AT_ONCE: usize = 8;
/// How long one waits for such a place.
const WAIT: Duration = Duration::from_secs(5);
/// Rows that are read first, before it is known how large they are.
const FIRST: usize = 4;

/// Gathers rows, a few at a time, until there are enough or they are large enough.
pub(crate) struct Gathering<T> {
    rows: Vec<T>,
    bytes: usize,
    most: usize,
}

impl<T: Weighed> Gathering<T> {
    /// For so many rows at most.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            rows: Vec::new(),
            bytes: 0,
            most,
        }
    }

    /// How many to read next; nothing where there are enough.
    pub(crate) fn next(&self) -> Option<u32> {
        let left = self.most - self.rows.len();
        if left == 0 || self.bytes >= PAGE_BYTES {
            return None;
        }
        let each = self.bytes / self.rows.len().max(1);
        let fits = (PAGE_BYTES - self.bytes) / each.max(1);
        let known = if self.rows.is_empty() {
            FIRST
        } else {
            fits.clamp(1, 4 * self.rows.len())
        };
        Some(left.min(known) as u32)
    }

    /// Takes rows over.
    pub(crate) fn take(&mut self, rows: Vec<T>) {
        self.bytes += rows.iter().map(T::bytes).sum::<usize>();
        self.rows.extend(rows);
    }

    pub(crate) fn last(&self) -> Option<&T> {
        self.rows.last()
    }

    pub(crate) fn into_rows(self) -> Vec<T> {
        self.rows
    }
}

/// What takes bytes.
pub(crate) trait Weighed {
    /// About how many.
    fn bytes(&self) -> usize;
}

impl Weighed for LoggedPrediction {
    fn bytes(&self) -> usize {
        LoggedPrediction::bytes(self)
    }
}

impl Weighed for AuditEntry {
    fn bytes(&self) -> usize {
        512 + self.detail.to_string().len()
    }
}

/// A place for a reply that reads much, where a route is one of those.
///
/// # Errors
/// When there is none in time.
pub(crate) async fn place(state: &AppState, row: &Row) -> ApiResult<Option<OwnedSemaphorePermit>> {
    if !row.reads_much {
        return Ok(None);
    }
    let place = Arc::clone(&state.pages).acquire_owned();
    match tokio::time::timeout(WAIT, place).await {
        Ok(Ok(place)) => Ok(Some(place)),
        _ => {
            let detail = "Too many pages and reports are being read; ask again in a moment.";
            Err(ApiError::new(ErrorCode::TooManyRequests, detail))
        }
    }
}

/// A body that keeps its place until it is written, or its caller is gone: its bytes do, which outlive it where they are
/// written slowly.
pub(crate) struct Holding {
    body: axum::body::Body,
    place: Arc<OwnedSemaphorePermit>,
}

impl Holding {
    pub(crate) fn new(body: axum::body::Body, place: OwnedSemaphorePermit) -> Self {
        let place = Arc::new(place);
        Self { body, place }
    }
}

/// Bytes with their place.
struct Held {
    bytes: Bytes,
    _place: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Body for Holding {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let place = Arc::clone(&self.place);
        let held = |bytes| {
            let _place = Arc::clone(&place);
            Bytes::from_owner(Held { bytes, _place })
        };
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(held))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Large(usize);

    impl Weighed for Large {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    fn gathered(each: usize, most: usize) -> (usize, usize) {
        let mut gathering = Gathering::new(most);
        let mut reads = 0;
        while let Some(next) = gathering.next() {
            gathering.take((0..next).map(|_| Large(each)).collect());
            reads += 1;
        }
        (gathering.into_rows().len(), reads)
    }

    #[tokio::test]
    async fn a_place_is_free_when_the_bytes_are_gone() {
        use http_body_util::BodyExt;
        let places = Arc::new(tokio::sync::Semaphore::new(1));
        let place = Arc::clone(&places).try_acquire_owned().unwrap();
        let mut body = Holding::new(axum::body::Body::from("a page"), place);
        let bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
        drop(body);
        assert_eq!(
            (&bytes[..], places.available_permits()),
            (&b"a page"[..], 0)
        );
        drop(bytes);
        assert_eq!(places.available_permits(), 1);
    }

    #[test]
    fn pages_end_by_bytes_and_by_number() {
        assert_eq!(gathered(100, 4), (4, 1));
        assert_eq!(gathered(100, 1000), (1000, 5));
        // No more than the first read goes beyond.
        assert_eq!(gathered(PAGE_BYTES, 1000), (FIRST, 1));
        let (rows, _) = gathered(1 << 20, 1000);
        assert_eq!(rows, 8);
        let (rows, _) = gathered(100 << 10, 1000);
        assert_eq!(rows, 82);
        assert_eq!(gathered(0, 0), (0, 0));
    }
}
