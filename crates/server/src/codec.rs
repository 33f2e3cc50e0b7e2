//! Protocols: each makes a call of what came in, and says in its own words what became of it.

pub(crate) mod json;
pub(crate) mod oip;
pub(crate) mod openai;

use crate::error::ApiError;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

/// An error in the words of the protocol that a path is of.
pub(crate) fn said(uri: &Uri, error: ApiError) -> Response {
    let path = uri.path();
    if path == "/v2" || path.starts_with("/v2/") {
        oip::Problem(error).into_response()
    } else if path.starts_with("/v1/") {
        openai::Problem(error).into_response()
    } else {
        error.into_response()
    }
}
