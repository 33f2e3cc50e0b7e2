//! The requests of a connection that has many at once (HTTP/2): whether one is open, and whether its caller takes what he is
//! given. A connection of one request at a time needs none of this: it stands still as a whole (`guarded`).

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// Bodies are handed on in pieces of so many bytes, so that it shows whether their caller reads on.
const PIECE: usize = 64 << 10;

/// How long one that is open is not looked at.
const A_WHILE: Duration = Duration::from_secs(1);

/// The requests that are open, from their head to the last byte of their reply.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Mutex<Open>>);

struct Open {
    /// When each was handed a piece that it has not asked beyond; nothing where it waits for us.
    streams: HashMap<u64, Option<Instant>>,
    next: u64,
    /// When one was begun or ended last.
    changed: Option<Instant>,
}

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Open {
            streams: HashMap::new(),
            next: 0,
            changed: None,
        })))
    }
}

impl Streams {
    fn change<T>(&self, change: impl FnOnce(&mut Open) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A request, until it is dropped.
    pub(crate) fn begin(&self) -> Stream {
        let number = self.change(|open| {
            open.next += 1;
            open.streams.insert(open.next, None);
            open.changed = Some(Instant::now());
            open.next
        });
        Stream {
            of: self.clone(),
            number,
        }
    }

    /// Returns when the connection has had its time: nothing was asked in the `first` of it, nothing is open for too long, or one
    /// who asked takes nothing of his reply any more.
    pub(crate) async fn until_over(&self, first: Duration, idle: Duration, stalled: Duration) {
        let mut until = first;
        loop {
            tokio::time::sleep(until).await;
            let (left, is_open) = self.change(|open| {
                let given = open.streams.values().flatten();
                let longest = given.map(Instant::elapsed).max().unwrap_or_default();
                let is_open = !open.streams.is_empty();
                let quiet = match open.changed {
                    _ if is_open => Duration::ZERO,
                    None => idle,
                    Some(changed) => changed.elapsed(),
                };
                let left = idle.saturating_sub(quiet);
                (left.min(stalled.saturating_sub(longest)), is_open)
            });
            if left.is_zero() {
                return;
            }
            // Nobody stalls where nothing is open, so thousands of such connections are looked at seldom.
            let most = if is_open { A_WHILE } else { stalled };
            until = left.min(most).max(Duration::from_millis(100));
        }
    }
}

/// One that is open.
pub(crate) struct Stream {
    of: Streams,
    number: u64,
}

impl Stream {
    /// It has been handed a piece, or else waits for one.
    fn note(&self, given: bool) {
        let at = given.then(Instant::now);
        self.of.change(|open| open.streams.insert(self.number, at));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.of.change(|open| {
            open.streams.remove(&self.number);
            open.changed = Some(Instant::now());
        });
    }
}

/// A body whose caller is watched.
pub(crate) struct Followed<B> {
    body: B,
    stream: Stream,
    rest: Bytes,
}

impl<B> Followed<B> {
    pub(crate) fn new(body: B, stream: Stream) -> Self {
        let rest = Bytes::new();
        Self { body, stream, rest }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Followed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.stream.note(false);
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                other => return Poll::Ready(other),
            }
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        self.stream.note(true);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    const FIRST: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(75);
    const STALLED: Duration = Duration::from_secs(30);

    /// How long a connection lasts while this goes on.
    async fn lasts(streams: &Streams, goes_on: impl Future<Output = ()>) -> u64 {
        let began = Instant::now();
        let over = streams.until_over(FIRST, IDLE, STALLED);
        tokio::select! {
            () = over => began.elapsed().as_secs(),
            () = async { goes_on.await; std::future::pending().await } => 0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_lasts_as_long_as_somebody_reads() {
        // Nothing was asked.
        assert_eq!(lasts(&Streams::default(), async {}).await, 10);
        // A reply that is made for an hour, and then read, and then nothing for the idle time.
        let streams = Streams::default();
        let one = streams.begin();
        let work = async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            let mut body = Followed::new(axum::body::Body::from(vec![7; 10 * PIECE]), one);
            while let Some(frame) = body.frame().await {
                assert!(frame.unwrap().into_data().unwrap().len() <= PIECE);
                // A slow one.
                tokio::time::sleep(Duration::from_secs(25)).await;
            }
        };
        assert_eq!(lasts(&streams, work).await, 3600 + 250 + 75);
        // One who takes a piece and no more.
        let streams = Streams::default();
        let one = streams.begin();
        let work = async {
            let mut body = Followed::new(axum::body::Body::from(vec![7; 10 * PIECE]), one);
            body.frame().await;
            tokio::time::sleep(Duration::from_secs(9999)).await;
        };
        let lasted = lasts(&streams, work).await;
        assert!((30..=31).contains(&lasted), "{lasted}");
    }

    #[tokio::test]
    async fn a_body_stays_what_it_is() {
        let text: Vec<u8> = (0..3 * PIECE + 5).map(|n| (n % 251) as u8).collect();
        let stream = Streams::default().begin();
        let mut body = Followed::new(axum::body::Body::from(text.clone()), stream);
        assert_eq!(body.size_hint().exact(), Some(text.len() as u64));
        body.frame().await;
        assert_eq!(body.size_hint().exact(), Some((2 * PIECE + 5) as u64));
        assert!(!body.is_end_stream());
        let rest = body.collect().await.unwrap().to_bytes();
        assert_eq!(rest, text[PIECE..]);
    }
}
