//! Accepts connections, within limits, until told to stop.

use crate::Config;
use crate::front::Front;
use crate::meters::Meters;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// How long to wait after the system refused a connection, for instance for want of files.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);

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

pub(crate) async fn serve(
    listener: TcpListener,
    front: Front,
    config: &Config,
    shutdown: impl Future<Output = ()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        // Who sends a whole request and ends his half of the connection has asked all the same.
        .half_close(true);
    let places = Arc::new(Semaphore::new(config.max_connections));
    let meters = front.meters();
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
        let front = front.clone();
        let open = Open::new(Arc::clone(&meters));
        let service = service_fn(move |request| front.clone().answer(request, peer));
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tasks.spawn(async move {
            // A caller that breaks off is no event of ours.
            let _ = connection.await;
            drop((place, open));
        });
    }
    drop(listener);
    tasks.close();
    let ended = async {
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
