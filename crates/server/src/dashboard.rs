//! The page that a browser gets: plain HTML, CSS and JavaScript out of the binary, which ask the
//! API like everybody else.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};

/// Only what comes from this server runs, and the page is shown in no other.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn page() -> Response {
    asset(
        "text/html; charset=utf-8",
        include_str!("../assets/dashboard.html"),
    )
}

pub(crate) async fn script() -> Response {
    let script = include_str!("../assets/dashboard.js");
    asset("text/javascript; charset=utf-8", script)
}

pub(crate) async fn style() -> Response {
    asset(
        "text/css; charset=utf-8",
        include_str!("../assets/dashboard.css"),
    )
}

fn asset(content_type: &'static str, text: &'static str) -> Response {
    let header = |name: HeaderName, value| (name, HeaderValue::from_static(value));
    let headers = [
        header(CONTENT_TYPE, content_type),
        // The page belongs to the binary: another version has another.
        header(CACHE_CONTROL, "no-cache"),
        header(CONTENT_SECURITY_POLICY, POLICY),
        header(HeaderName::from_static("x-content-type-options"), "nosniff"),
    ];
    (headers, text).into_response()
}
