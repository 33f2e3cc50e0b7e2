//! Accepts connections, within limits, until told to stop.

use crate::Config;
use crate::front::Front;
use crate::guarded::{Busy, Guarded};
use crate::meters::Meters;
use crate::streams::{Followed, Streams};
use crate::tls::Tls;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// How long to wait after the system refused a connection, for instance for want of files.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);

/// Requests of a connection of HTTP/2 that are under way at once.
const MOST_STREAMS: u32 = 100;
/// What the headers of one of them may have, in bytes.
const MOST_HEADERS: u32 = 64 << 10;
/// What is kept of a reply that nobody reads, in bytes.
const SEND_BUFFER: usize = 256 << 10;

/// How much longer than a prediction requests that are under way may take when the server ends.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// A connection that is counted while it is open.
struct Open(Arc<Meters>);

impl Open {
    fn new(meters: Arc<Meters>) -> Self {
        meters.connections.fetch_add(1, Ordering::Relaxed);
        Self(meters)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What connections are served with.
struct Serving {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    front: Front,
    tls: Option<Arc<Tls>>,
    header_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
}

impl Serving {
    fn new(front: Front, tls: Option<Arc<Tls>>, config: &Config) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            // A head has less time from its first byte on: see `Guarded`.
            .header_read_timeout(config.idle_timeout.max(config.header_timeout))
            // Who sends a whole request and ends his half of the connection has asked all the same.
            .half_close(true);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(MOST_STREAMS)
            .max_header_list_size(MOST_HEADERS)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(config.idle_timeout / 2)
            // Who reads a large reply slowly answers only when he has read what was sent before the question.
            .keep_alive_timeout(config.idle_timeout.max(config.write_timeout));
        Self {
            http1,
            http2,
            front,
            tls,
            header_timeout: config.header_timeout,
            idle_timeout: config.idle_timeout,
            write_timeout: config.write_timeout,
        }
    }

    /// Answers the requests of a connection. A caller that breaks off is no event of ours.
    async fn connection(self: Arc<Self>, stream: TcpStream, peer: IpAddr, watcher: Watcher) {
        let busy = Busy::default();
        let stream = Guarded::new(
            stream,
            busy.clone(),
            self.header_timeout,
            self.write_timeout,
        );
        let Some(tls) = &self.tls else {
            return self.serve_http1(stream, (peer, busy), watcher).await;
        };
        let accepted =
            tokio::time::timeout(self.header_timeout, tls.acceptor().accept(stream)).await;
        let Ok(Ok(stream)) = accepted else {
            return;
        };
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => self.serve_http2(stream, (peer, busy), watcher).await,
            _ => self.serve_http1(stream, (peer, busy), watcher).await,
        }
    }

    async fn serve_http1<S>(&self, stream: S, (peer, busy): (IpAddr, Busy), watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let front = self.front.clone();
        // Nothing around it: the future of an answer is large to move.
        let service = service_fn(move |request| front.clone().answer(request, peer, busy.clone()));
        let connection = self.http1.serve_connection(TokioIo::new(stream), service);
        let _ = watcher.watch(connection).await;
    }

    async fn serve_http2<S>(&self, stream: S, (peer, busy): (IpAddr, Busy), watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Its frames are no heads that could drip: whether anything is asked is looked at instead.
        busy.begin();
        let (front, streams) = (self.front.clone(), Streams::default());
        let open = streams.clone();
        let service = service_fn(move |request| {
            let (front, one) = (front.clone(), open.begin());
            async move {
                let answered = front.answer(request, peer, Busy::default()).await;
                answered.map(|reply| reply.map(|body| Followed::new(body, one)))
            }
        });
        let connection = self.http2.serve_connection(TokioIo::new(stream), service);
        let (first, idle) = (self.header_timeout, self.idle_timeout);
        tokio::select! {
            _ = watcher.watch(connection) => {}
            () = streams.until_over(first, idle, self.write_timeout) => {}
        }
    }
}

pub(crate) async fn serve(
    listener: TcpListener,
    front: Front,
    tls: Option<Arc<Tls>>,
    config: &Config,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(config.max_connections));
    let meters = front.meters();
    let serving = Arc::new(Serving::new(front, tls, config));
    let graceful = GracefulShutdown::new();
    let tasks = TaskTracker::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = async {
            let place = place.await.expect("the semaphore is never closed");
            (place, listener.accept().await)
        };
        let (place, stream) = tokio::select! {
            () = &mut shutdown => break,
            (place, stream) = accepted => (place, stream),
        };
        let (stream, peer) = match stream {
            Ok((stream, peer)) => (stream, peer.ip()),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(REFUSED_PAUSE).await;
                continue;
            }
        };
        // Replies are written whole, so waiting for more to send only adds latency.
        let _ = stream.set_nodelay(true);
        let open = Open::new(Arc::clone(&meters));
        let connection = Arc::clone(&serving).connection(stream, peer, graceful.watcher());
        tasks.spawn(async move {
            connection.await;
            drop((place, open));
        });
    }
    drop(listener);
    tasks.close();
    let ended = async {
        // Connections that are idle end, others with their requests.
        graceful.shutdown().await;
        tasks.wait().await;
    };
    // No request may take longer, but one that waits for a disk that does not write would.
    if tokio::time::timeout(config.predict_timeout + GRACE, ended)
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end; the server ends without them");
    }
}
