//! The reference: a server that does nothing but answer, with the HTTP library that Weir uses.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::time::Duration;
use tokio::net::TcpListener;

/// A POST is answered after `after`.
pub(crate) async fn serve(after: Duration) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http.serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| answer(request, after)),
        );
        // The bench kills this process; nothing waits for its connections.
        #[expect(clippy::disallowed_methods, reason = "it ends with the process")]
        tokio::spawn(connection);
    }
}

/// To GET what `/health` answers; to POST, after reading the body, as much as `/predict` answers.
async fn answer(
    request: Request<Incoming>,
    after: Duration,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = if request.method() == Method::POST {
        request.into_body().collect().await?;
        if !after.is_zero() {
            tokio::time::sleep(after).await;
        }
        Bytes::from_static(PREDICTION)
    } else {
        Bytes::from_static(br#"{"status":"healthy"}"#)
    };
    let mut response = Response::new(Full::new(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

const PREDICTION: &[u8] = br#"{"prediction":"negative","confidence":0.7414507772020725,"model_id":"model-0123456789ab","model_version":"1.0.0","latency_ms":0.014213,"prediction_id":"01890a5d-ac96-774b-bcce-b302099a8057","name":"sentiment","experiment":null,"served_model_id":"model-0123456789ab"}"#;
