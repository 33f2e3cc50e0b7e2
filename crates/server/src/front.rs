//! The way in: the calls that come thousands of times a second go straight to their handlers, all
//! others through the router.
//!
//! The router boxes a handler, a future and a body for every request. Beside an answer that takes a
//! few microseconds that can be measured (`cargo xtask bench closed`), so `/predict` and `/health`
//! do without. Both are routes as well: what they are, and which methods they know, is said there.

use crate::predict;
use crate::state::AppState;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Request, Response};
use axum::response::IntoResponse;
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;

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
        match (request.method(), request.uri().path()) {
            _ if !self.direct => self.route(request).await,
            (&Method::POST, "/predict") => match predict::answer(&self.state, request).await {
                Ok(reply) => Ok(json(reply.into())),
                Err(error) => Ok(error.into_response().map(Either::Right)),
            },
            (&Method::GET, "/health") => Ok(json(Bytes::from_static(HEALTHY))),
            _ => self.route(request).await,
        }
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let response = self.router.call(request).await?;
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
