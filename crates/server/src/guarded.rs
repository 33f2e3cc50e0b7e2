//! A connection that may not keep its place by being slow: the head of a request comes within a time, and a caller reads what
//! is written to him.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What the requests of a connection tell the connection: a number that is odd while one of them is answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Busy(Arc<AtomicU64>);

impl Busy {
    /// A request has come whole, so its head has.
    pub(crate) fn begin(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// It is answered: what comes next is another head.
    pub(crate) fn end(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A stream with limits of time.
pub(crate) struct Guarded<T> {
    inner: T,
    busy: Busy,
    /// What it was when it was last looked at: a head that was begun then has come since, where it is another one now.
    seen: u64,
    /// How long a head may take from its first byte, or from the beginning of the connection.
    head_within: Duration,
    /// How long nothing that is written may be taken.
    write_within: Duration,
    /// Until when the head that was begun has to come whole.
    head: Option<Instant>,
    /// Wakes then; made only where it is waited for.
    late: Option<Pin<Box<Sleep>>>,
    write: Option<Pin<Box<Sleep>>>,
}

impl<T> Guarded<T> {
    pub(crate) fn new(inner: T, busy: Busy, head_within: Duration, write_within: Duration) -> Self {
        Self {
            inner,
            busy,
            seen: 0,
            head_within,
            write_within,
            head: Some(until(head_within)),
            late: None,
            write: None,
        }
    }
}

fn until(time: Duration) -> Instant {
    // So far away that it does not come, where it cannot be told.
    let far = Duration::from_secs(86_400 * 365);
    Instant::now() + time.min(far)
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.inner).poll_read(context, buffer);
        let now = this.busy.0.load(Ordering::Relaxed);
        if now != this.seen {
            (this.head, this.late, this.seen) = (None, None, now);
        }
        if now % 2 == 1 {
            return read;
        }
        match read {
            Poll::Ready(read) => {
                if buffer.filled().len() > before && this.head.is_none() {
                    this.head = Some(until(this.head_within));
                }
                Poll::Ready(read)
            }
            Poll::Pending => {
                if let Some(head) = this.head {
                    let late = this.late.get_or_insert_with(|| Box::pin(sleep_until(head)));
                    ready!(late.as_mut().poll(context));
                    let late = "the head of a request did not come in time";
                    return Poll::Ready(Err(Error::new(ErrorKind::TimedOut, late)));
                }
                Poll::Pending
            }
        }
    }
}

impl<T> Guarded<T> {
    /// Ends a connection whose caller has not read for too long.
    fn written<R>(
        &mut self,
        written: Poll<Result<R>>,
        context: &mut Context<'_>,
    ) -> Poll<Result<R>> {
        if written.is_ready() {
            self.write = None;
            return written;
        }
        let within = self.write_within;
        let write = self
            .write
            .get_or_insert_with(|| Box::pin(sleep_until(until(within))));
        ready!(write.as_mut().poll(context));
        let late = "the caller did not read in time";
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, late)))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.written(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.written(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(context);
        self.written(shut, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_is_not_waited_for_and_an_idle_connection_is() {
        let (mut caller, inner) = duplex(64);
        let busy = Busy::default();
        let mut stream = Guarded::new(inner, busy.clone(), SECOND, SECOND);
        let mut byte = [0];
        caller.write_all(b"G").await.unwrap();
        stream.read_exact(&mut byte).await.unwrap();
        let late = stream.read_exact(&mut byte).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);

        let (mut caller, inner) = duplex(64);
        let mut stream = Guarded::new(inner, busy.clone(), SECOND, SECOND);
        caller.write_all(b"G").await.unwrap();
        stream.read_exact(&mut byte).await.unwrap();
        // It has come whole: its body has as long as others say.
        busy.begin();
        let waits = tokio::time::timeout(100 * SECOND, stream.read_exact(&mut byte)).await;
        assert!(waits.is_err());
        // It is answered, and nothing comes for a while.
        busy.end();
        let waits = tokio::time::timeout(100 * SECOND, stream.read_exact(&mut byte)).await;
        assert!(waits.is_err());
        caller.write_all(b"G").await.unwrap();
        stream.read_exact(&mut byte).await.unwrap();
        let late = stream.read_exact(&mut byte).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_not_written_to() {
        let (mut caller, inner) = duplex(8);
        let mut stream = Guarded::new(inner, Busy::default(), SECOND, SECOND);
        stream.write_all(&[1; 8]).await.unwrap();
        let late = stream.write_all(&[1; 8]).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        let mut all = [0; 8];
        caller.read_exact(&mut all).await.unwrap();
        // Slowly is well, as long as something is read.
        let (mut caller, inner) = duplex(1);
        let mut stream = Guarded::new(inner, Busy::default(), SECOND, SECOND);
        let reads = async move {
            let mut byte = [0];
            for _ in 0..10 {
                tokio::time::sleep(SECOND / 2).await;
                caller.read_exact(&mut byte).await.unwrap();
            }
        };
        let ((), written) = tokio::join!(reads, stream.write_all(&[1; 10]));
        written.unwrap();
    }
}
