//! The way in: the calls that come thousands of times a second go straight to their handlers, all
//! others through the router.
//!
//! The router boxes a handler, a future and a body for every request. Beside an answer that takes a
//! few microseconds that can be measured (`cargo xtask bench closed`), so `/predict`, `/health`
//! and `/decide` do without. All three are routes as well: what they are, and which methods they know, is said there.

use crate::access::rights::{self, Admission, Place};
use crate::access::{self, CALLER};
use crate::codec::json::{self as predictions, Said};
use crate::decide;
use crate::error::{ApiError, ApiResult};
use crate::meters::Meters;
use crate::state::AppState;
use api::ErrorCode;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, Version};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use runtime::Trace;
use std::convert::Infallible;
use std::fmt::Write;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tracing::Instrument;
use types::Right;

/// [`api::Health::healthy`], written once.
const HEALTHY: &[u8] = br#"{"status":"healthy"}"#;

/// A whole reply, or one of the router's.
type Body = Either<Full<Bytes>, axum::body::Body>;

#[derive(Clone)]
pub(crate) struct Front {
    state: AppState,
    router: TowerToHyperService<Router>,
    /// Whether replies need nothing that only the router adds.
    direct: bool,
    /// How long an idle connection is kept: what its caller keeps it for is his to say, and no longer than this.
    hint: HeaderValue,
}

impl Front {
    pub(crate) fn new(state: AppState, router: Router, direct: bool) -> Self {
        let seconds = state.config.idle_timeout.as_secs().max(1);
        let hint = HeaderValue::from_str(&format!("timeout={seconds}"));
        Self {
            hint: hint.expect("digits are ASCII"),
            direct,
            state,
            router: TowerToHyperService::new(router),
        }
    }

    /// Where it is counted what is answered.
    pub(crate) fn meters(&self) -> Arc<Meters> {
        Arc::clone(&self.state.meters)
    }

    pub(crate) async fn answer(
        self,
        request: Request<Incoming>,
        peer: IpAddr,
    ) -> Result<Response<Body>, Infallible> {
        let hint = (request.version() == Version::HTTP_11).then(|| self.hint.clone());
        if self.direct && request.method() == Method::GET && request.uri().path() == "/health" {
            let mut healthy = json(Bytes::from_static(HEALTHY));
            healthy
                .headers_mut()
                .extend(hint.map(|hint| (KEEP_ALIVE, hint)));
            return Ok(healthy);
        }
        let (began, state) = (Instant::now(), self.state.clone());
        // A panic is the end of its request and of nothing else.
        let trace = Trace::of(request.headers());
        let answering = AssertUnwindSafe(self.answer_others(request, peer)).catch_unwind();
        let answered = match trace.map(Arc::new) {
            None => answering.await,
            Some(trace) => {
                // Whatever is said of it in the log names the trace.
                let span = tracing::info_span!("call", trace_id = trace.id());
                trace.within(answering.instrument(span)).await
            }
        };
        let answered = answered.unwrap_or_else(|_| {
            state.count_panic();
            let problem = ApiError::panicked().into_response();
            Ok(problem.map(Either::Right))
        });
        answered.map(|mut response| {
            let took = began.elapsed();
            let (status, extensions) = (response.status().as_u16(), response.extensions());
            let place = extensions.get::<Place>().map(|place| place.0);
            state.meters.called(place, status, took);
            if let Some(code) = extensions.get::<ErrorCode>() {
                state.meters.refused(*code);
            }
            let model = extensions.get::<ModelTime>().map(|model| model.0);
            let timing = timing(took, model);
            response.headers_mut().insert(&TIMING, timing);
            response
                .headers_mut()
                .extend(hint.map(|hint| (KEEP_ALIVE, hint)));
            response
        })
    }

    async fn answer_others(
        self,
        mut request: Request<Incoming>,
        peer: IpAddr,
    ) -> Result<Response<Body>, Infallible> {
        let (is_post, path) = (request.method() == Method::POST, request.uri().path());
        let plain = is_post && path == "/predict";
        let by_name = is_post && path.starts_with("/models/by-name/") && path.ends_with("/predict");
        let predicts = plain || by_name;
        let decides = is_post && path == "/decide";
        if self.direct && (plain || decides) && request.uri().query().is_none() {
            let mut response = match self.answer_directly(request, peer, decides).await {
                Ok(said) => {
                    let mut response = json(said.json.into());
                    if let Some(time) = said.model {
                        response.extensions_mut().insert(time);
                    }
                    response
                }
                Err(error) => error.into_response().map(Either::Right),
            };
            response.extensions_mut().insert(direct_place(decides));
            return Ok(response);
        }
        let evaluates = is_post && path.starts_with("/ofrep/");
        let infers = is_post && (path.starts_with("/v2/") || path.starts_with("/v1/"));
        let lasts_by_itself = predicts || decides || evaluates || infers;
        let changes = !request.method().is_safe() && !lasts_by_itself;
        let admission: Admission = access::admit(&self.state, &request, peer, changes);
        request.extensions_mut().insert(admission);
        let response = if !changes {
            self.router.call(request).await?
        } else {
            // What was asked for is done, and published, whether or not its caller waits for it.
            let router = self.router.clone();
            self.state
                .detached(async move { router.call(request).await })
                .await?
        };
        Ok(response.map(Either::Right))
    }
}

impl Front {
    /// A prediction or a decision, for who may ask for one.
    async fn answer_directly(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        decides: bool,
    ) -> ApiResult<Said> {
        let caller = access::admit(&self.state, &request, peer, false)?;
        caller.require(Right::Predict)?;
        let answer = async {
            match decides {
                true => decide::answer(&self.state, request)
                    .await
                    .map(|json| Said { json, model: None }),
                false => predictions::answer(&self.state, request, None).await,
            }
        };
        match caller.models.is_all() {
            true => answer.await,
            false => CALLER.scope(caller, answer).await,
        }
    }
}

/// How long a model took for a reply: the rest is the server's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelTime(pub(crate) Duration);

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What of the time of a call was whose, in milliseconds (the header `Server-Timing`).
fn timing(took: Duration, model: Option<Duration>) -> HeaderValue {
    let mut text = String::with_capacity(48);
    let own = took.saturating_sub(model.unwrap_or_default());
    let mut say = |what: &str, time: Duration| {
        let micros = time.as_micros();
        let _ = write!(text, "{what};dur={}.{:03}", micros / 1000, micros % 1000);
    };
    say("weir", own);
    if let Some(model) = model {
        say(", model", model);
    }
    HeaderValue::from_str(&text).expect("digits and letters are ASCII")
}

/// The places of the two routes that are gone past, which are looked up once.
fn direct_place(decides: bool) -> Place {
    static PLACES: LazyLock<[Place; 2]> = LazyLock::new(|| {
        let place = |path| rights::of(&Method::POST, path).expect("it has a row");
        [place("/predict"), place("/decide")]
    });
    PLACES[usize::from(decides)]
}

fn json(body: Bytes) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_says_what_the_route_says() {
        let route = serde_json::to_vec(&api::Health::healthy()).unwrap();
        assert_eq!(route, HEALTHY);
    }
}
