//! The way in: the calls that come thousands of times a second go straight to their handlers, all
//! others through the router.
//!
//! The router boxes a handler, a future and a body for every request. Beside an answer that takes a
//! few microseconds that can be measured (`cargo xtask bench closed`), so `/predict`, `/health`
//! and `/decide` do without. All three are routes as well: what they are, and which methods they know, is said there.

use crate::access::rights::{self, Admission, Place};
use crate::access::{self, CALLER, border};
use crate::codec;
use crate::codec::json::{self as predictions, Said};
use crate::decide;
use crate::error::{ApiError, ApiResult};
use crate::guarded::Busy;
use crate::meters::Meters;
use crate::state::AppState;
use api::ErrorCode;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use runtime::Trace;
use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
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
    /// The same with what the scripts of other pages need.
    for_pages: TowerToHyperService<Router>,
    /// How long an idle connection is kept: what its caller keeps it for is his to say, and no longer than this.
    hint: HeaderValue,
}

impl Front {
    pub(crate) fn new(state: AppState, router: Router, for_pages: Router) -> Self {
        let seconds = state.config.idle_timeout.as_secs().max(1);
        let hint = HeaderValue::from_str(&format!("timeout={seconds}"));
        Self {
            hint: hint.expect("digits are ASCII"),
            for_pages: TowerToHyperService::new(for_pages),
            state,
            router: TowerToHyperService::new(router),
        }
    }

    /// Whether the scripts of other pages may call, whose replies need what only the router adds.
    fn answers_pages(&self) -> bool {
        !self.state.border.load().cors_origins.is_empty()
    }

    /// Where it is counted what is answered.
    pub(crate) fn meters(&self) -> Arc<Meters> {
        Arc::clone(&self.state.meters)
    }

    pub(crate) async fn answer(
        self,
        request: Request<Incoming>,
        peer: IpAddr,
        busy: Busy,
    ) -> Result<Response<Body>, Infallible> {
        busy.begin();
        let hint = (request.version() == Version::HTTP_11).then(|| self.hint.clone());
        if request.method() == Method::GET
            && request.uri().path() == "/health"
            && border::has_host(&request)
            && !self.answers_pages()
        {
            let mut healthy = json(Bytes::from_static(HEALTHY));
            healthy
                .headers_mut()
                .extend(hint.map(|hint| (KEEP_ALIVE, hint)));
            busy.end();
            return Ok(healthy);
        }
        let (began, state) = (Instant::now(), self.state.clone());
        let trace = Trace::of(request.headers());
        // A panic is the end of its request and of nothing else. Pinned here, because it is large to move.
        let mut answering =
            pin!(AssertUnwindSafe(self.answer_others(request, peer)).catch_unwind());
        let answered = match trace.map(Arc::new) {
            None => answering.as_mut().await,
            Some(trace) => {
                // Whatever is said of it in the log names the trace.
                let span = tracing::info_span!("call", trace_id = trace.id());
                trace.within(answering.as_mut().instrument(span)).await
            }
        };
        let answered = answered.unwrap_or_else(|_| {
            state.count_panic();
            Ok(Answered::problem(ApiError::panicked(), None))
        });
        busy.end();
        answered.map(|answered| {
            let took = began.elapsed();
            let Answered {
                mut response,
                place,
                code,
                model,
            } = answered;
            let status = response.status().as_u16();
            state
                .meters
                .called(place.map(|place| place.0), status, took);
            if let Some(code) = code {
                state.meters.refused(code);
            }
            let headers = response.headers_mut();
            headers.insert(TIMING, timing(took, model));
            if let Some(hint) = hint {
                headers.insert(KEEP_ALIVE, hint);
            }
            response
        })
    }

    async fn answer_others(
        self,
        mut request: Request<Incoming>,
        peer: IpAddr,
    ) -> Result<Answered, Infallible> {
        let (is_post, path) = (request.method() == Method::POST, request.uri().path());
        let plain = is_post && path == "/predict";
        let by_name = is_post && path.starts_with("/models/by-name/") && path.ends_with("/predict");
        let predicts = plain || by_name;
        let decides = is_post && path == "/decide";
        let answers_pages = self.answers_pages();
        if !answers_pages && (plain || decides) && request.uri().query().is_none() {
            let place = Some(direct_place(decides));
            return Ok(match self.answer_directly(request, peer, decides).await {
                Ok(said) => Answered {
                    response: json(said.json.into()),
                    place,
                    code: None,
                    model: said.model.map(|model| model.0),
                },
                Err(error) => Answered::problem(error, place),
            });
        }
        let evaluates = is_post && path.starts_with("/ofrep/");
        let infers = is_post && (path.starts_with("/v2/") || path.starts_with("/v1/"));
        let lasts_by_itself = predicts || decides || evaluates || infers;
        let changes = !request.method().is_safe() && !lasts_by_itself;
        let admission: Admission = access::admit(&self.state, &request, peer, changes);
        // Whoever does not say for whom a request is gets no answer to it, at whatever path.
        let admission = match admission {
            Err(error) if error.code() == ErrorCode::HostMissing => {
                let said = codec::said(request.uri(), error);
                return Ok(Answered::routed(said.map(Either::Right)));
            }
            other => other,
        };
        request.extensions_mut().insert(admission);
        let router = if answers_pages {
            &self.for_pages
        } else {
            &self.router
        };
        let response = if !changes {
            router.call(request).await?
        } else {
            // What was asked for is done, and published, whether or not its caller waits for it.
            let router = router.clone();
            self.state
                .detached(async move { router.call(request).await })
                .await?
        };
        Ok(Answered::routed(response.map(Either::Right)))
    }

    /// A prediction or a decision, for who may ask for one.
    async fn answer_directly(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        decides: bool,
    ) -> ApiResult<Said> {
        let caller = access::admit(&self.state, &request, peer, false)?;
        caller.require(Right::Predict)?;
        if decides {
            let deciding = async {
                let json = decide::answer(&self.state, request).await?;
                Ok(Said { json, model: None })
            };
            return CALLER.scope(caller, deciding).await;
        }
        if caller.models.is_all() {
            return predictions::answer(&self.state, request, None).await;
        }
        // On the heap, because it is large to move, and few keys are for some models only.
        let predicting = Box::pin(predictions::answer(&self.state, request, None));
        CALLER.scope(caller, predicting).await
    }
}

/// A reply, and what is counted of it.
struct Answered {
    response: Response<Body>,
    place: Option<Place>,
    code: Option<ErrorCode>,
    model: Option<Duration>,
}

impl Answered {
    fn problem(error: ApiError, place: Option<Place>) -> Self {
        Self {
            code: Some(error.code()),
            response: error.into_response().map(Either::Right),
            place,
            model: None,
        }
    }

    /// One of the router's, which says in its extensions what is counted.
    fn routed(response: Response<Body>) -> Self {
        let extensions = response.extensions();
        Self {
            place: extensions.get::<Place>().copied(),
            code: extensions.get::<ErrorCode>().copied(),
            model: extensions.get::<ModelTime>().map(|model| model.0),
            response,
        }
    }
}

/// How long a model took for a reply: the rest is the server's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelTime(pub(crate) Duration);

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What of the time of a call was whose, in milliseconds (the header `Server-Timing`).
fn timing(took: Duration, model: Option<Duration>) -> HeaderValue {
    let mut text = Vec::with_capacity(48);
    let own = took.saturating_sub(model.unwrap_or_default());
    text.extend_from_slice(b"weir;dur=");
    write_milliseconds(&mut text, own);
    if let Some(model) = model {
        text.extend_from_slice(b", model;dur=");
        write_milliseconds(&mut text, model);
    }
    HeaderValue::from_maybe_shared(Bytes::from(text)).expect("digits and letters are ASCII")
}

/// Milliseconds with three digits behind the point. It is done for every reply, and takes a third of what `write!` takes.
fn write_milliseconds(text: &mut Vec<u8>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let mut digits = [b'0'; 20];
    let (mut rest, mut at) = (micros, digits.len());
    while rest > 0 || at > digits.len() - 4 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let (whole, fraction) = digits[at..].split_at(digits.len() - at - 3);
    text.extend_from_slice(whole);
    text.push(b'.');
    text.extend_from_slice(fraction);
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
    // With room for those that are added.
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_with_three_digits() {
        let text = |micros, model: Option<u64>| {
            let timing = timing(
                Duration::from_micros(micros),
                model.map(Duration::from_micros),
            );
            timing.to_str().unwrap().to_owned()
        };
        assert_eq!(text(0, None), "weir;dur=0.000");
        assert_eq!(text(7, None), "weir;dur=0.007");
        assert_eq!(
            text(1_234_567, Some(1_000)),
            "weir;dur=1233.567, model;dur=1.000"
        );
        assert_eq!(text(5, Some(9)), "weir;dur=0.000, model;dur=0.009");
    }

    #[test]
    fn the_front_says_what_the_route_says() {
        let route = serde_json::to_vec(&api::Health::healthy()).unwrap();
        assert_eq!(route, HEALTHY);
    }
}
