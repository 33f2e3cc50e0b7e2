//! Which web pages may call this server from a browser (CORS). None, unless they are listed.

use axum::Router;
use axum::http::header::{CONTENT_TYPE, LINK, RETRY_AFTER};
use axum::http::{HeaderValue, Method};
use std::str::FromStr;
use tower_http::cors::CorsLayer;

/// A scheme, a host and perhaps a port, such as `https://app.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// A text that is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an origin such as https://app.example.com: http or https, a host, perhaps a port, nothing else"
)]
pub struct InvalidOrigin;

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let rest = text.strip_prefix("http://");
        let rest = rest.or_else(|| text.strip_prefix("https://"));
        let plain = |c: char| {
            // An origin is compared letter by letter with what browsers send: lower case.
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | ':' | '[' | ']')
        };
        match rest {
            Some(host) if !host.is_empty() && host.chars().all(plain) => {
                HeaderValue::from_str(text)
                    .map(Self)
                    .map_err(|_| InvalidOrigin)
            }
            _ => Err(InvalidOrigin),
        }
    }
}

/// Answers browsers that ask for pages of these origins. Cookies and other credentials are never
/// allowed: this server has none.
pub(crate) fn allow(router: Router, origins: &[Origin]) -> Router {
    if origins.is_empty() {
        return router;
    }
    let origins: Vec<HeaderValue> = origins.iter().map(|origin| origin.0.clone()).collect();
    let cors = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([CONTENT_TYPE])
        .expose_headers([LINK, RETRY_AFTER]);
    router.layer(cors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_origins_are_taken() {
        for good in [
            "http://localhost:3000",
            "https://app.example.com",
            "http://[::1]:80",
        ] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in [
            "*",
            "null",
            "https://",
            "https://*.example.com",
            "https://a.b/",
            "a.b",
            "ftp://a",
        ] {
            assert_eq!(bad.parse::<Origin>(), Err(InvalidOrigin), "{bad}");
        }
    }
}
