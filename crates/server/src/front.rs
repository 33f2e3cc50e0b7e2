//! The way in: the calls that come thousands of times a second go straight to their handlers, all
//! others through the router.
//!
//! The router boxes a handler, a future and a body for every request. Beside an answer that takes a
//! few microseconds that can be measured (`cargo xtask bench closed`), so `/predict`, `/health`
//! and `/decide` do without. All three are routes as well: what they are, and which methods they know, is said there.

use crate::codec::json as predictions;
use crate::decide;
use crate::error::ApiError;
use crate::state::AppState;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Request, Response};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

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
}

impl Front {
    pub(crate) fn new(state: AppState, router: Router, direct: bool) -> Self {
        Self {
            direct,
            state,
            router: TowerToHyperService::new(router),
        }
    }

    pub(crate) async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        if self.direct && request.method() == Method::GET && request.uri().path() == "/health" {
            return Ok(json(Bytes::from_static(HEALTHY)));
        }
        let state = self.state.clone();
        // A panic is the end of its request and of nothing else.
        let answered = AssertUnwindSafe(self.answer_others(request))
            .catch_unwind()
            .await;
        answered.unwrap_or_else(|_| {
            state.count_panic();
            let problem = ApiError::panicked().into_response();
            Ok(problem.map(Either::Right))
        })
    }

    async fn answer_others(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let (is_post, path) = (request.method() == Method::POST, request.uri().path());
        let plain = is_post && path == "/predict";
        let by_name = is_post && path.starts_with("/models/by-name/") && path.ends_with("/predict");
        let predicts = plain || by_name;
        if self.direct && plain {
            return Ok(
                match predictions::answer(&self.state, request, None).await {
                    Ok(reply) => json(reply.into()),
                    Err(error) => error.into_response().map(Either::Right),
                },
            );
        }
        let decides = is_post && path == "/decide";
        if self.direct && decides {
            return Ok(match decide::answer(&self.state, request).await {
                Ok(reply) => json(reply.into()),
                Err(error) => error.into_response().map(Either::Right),
            });
        }
        let evaluates = is_post && path.starts_with("/ofrep/");
        let infers = is_post && (path.starts_with("/v2/") || path.starts_with("/v1/"));
        let lasts_by_itself = predicts || decides || evaluates || infers;
        let response = if request.method().is_safe() || lasts_by_itself {
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
