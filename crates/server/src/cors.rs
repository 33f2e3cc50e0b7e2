//! Which web pages may call this server from a browser (CORS). None, unless they are listed.

use crate::state::AppState;
use axum::Router;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LINK, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method};
use std::str::FromStr;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// A scheme, a host and perhaps a port, such as `https://app.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// A text that is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an origin such as https://app.example.com: http or https, a host, a port where it is not the usual one, nothing else"
)]
pub struct InvalidOrigin;

impl Origin {
    /// As browsers send it.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidOrigin)?;
        let default_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(InvalidOrigin),
        };
        // The colons within an IPv6 address stand before its bracket.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port_fits = port.is_none_or(|port| {
            let plain = port.bytes().all(|b| b.is_ascii_digit());
            // Browsers leave the default port out, so an origin with it would match nothing.
            plain && port.parse::<u16>().is_ok_and(|port| port != default_port)
        });
        if !is_host(host) || !port_fits {
            return Err(InvalidOrigin);
        }
        let value = HeaderValue::from_str(text).map_err(|_| InvalidOrigin)?;
        Ok(Self(value))
    }
}

/// A name or an address, as browsers send it: in lower case.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').unwrap_or_default();
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
    !host.is_empty() && host.bytes().all(plain)
}

/// Answers browsers that ask for pages of the origins that are listed. Cookies are never allowed: the session of
/// the dashboard is for its own page. Keys come in a header.
pub(crate) fn allow(router: Router, state: AppState) -> Router {
    let is_listed = move |origin: &HeaderValue, _: &Parts| {
        let border = state.border.load();
        border.cors_origins.iter().any(|listed| listed.0 == *origin)
    };
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_listed))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            CONTENT_TYPE,
            AUTHORIZATION,
            HeaderName::from_static("x-api-key"),
            HeaderName::from_static("x-reason"),
            HeaderName::from_static("traceparent"),
            HeaderName::from_static("tracestate"),
        ])
        .expose_headers([LINK, RETRY_AFTER, HeaderName::from_static("server-timing")]);
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
            "http://[::1]:8080",
            "http://[::1]",
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
            "http://a:80",
            "https://a:443",
            "https://:",
            "https://a:b",
            "https://a:1:2",
            "https://[",
            "https://A.b",
        ] {
            assert_eq!(bad.parse::<Origin>(), Err(InvalidOrigin), "{bad}");
        }
    }
}
