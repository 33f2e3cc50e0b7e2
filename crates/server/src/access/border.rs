//! Keeps other web sites out, on this machine too: a page that somebody looks at can make his browser call any address, and
//! a name that an attacker owns can lead to any address as well (DNS rebinding).
//!
//! So a request must name the server by an address, by a name of this machine, or by one that was allowed; and where a
//! browser says which page a request is from, it must be from here, or from one that was allowed.

use super::proxy::Proxy;
use crate::cors::Origin;
use crate::error::{ApiError, ApiResult};
use api::ErrorCode;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method, Request, Version};
use std::net::{Ipv4Addr, Ipv6Addr};

static SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
static MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Who may call the server, and by which names: what may change while it runs.
#[derive(Debug, Clone, Default)]
pub struct Border {
    /// Names that the server answers to, beside addresses and those of this machine; `*.` stands for any name below.
    pub allowed_hosts: Vec<String>,
    /// The web pages, by origin, whose scripts may call this server; none by default.
    pub cors_origins: Vec<Origin>,
    /// A proxy that says who its users are.
    pub proxy: Proxy,
}

/// Whether a request is from here, as far as a browser would say where it is from.
///
/// # Errors
/// When it is not, or does not say for whom it is.
pub(crate) fn check<B>(request: &Request<B>, border: &Border, is_tls: bool) -> ApiResult<()> {
    let headers = request.headers();
    let host = host_of(request)?;
    let name = name_of(host);
    if !is_here(name)
        && !border
            .allowed_hosts
            .iter()
            .any(|allowed| same(allowed, name))
    {
        let shown: String = name.chars().take(100).collect();
        let detail = format!(
            "The server does not answer to the name {shown:?}: call it by its address, or start it with `--allowed-host NAME`."
        );
        return Err(ApiError::new(ErrorCode::HostNotAllowed, detail));
    }
    if request.method() == Method::OPTIONS {
        // Nothing is done for it, and whether its page may call is said by CORS.
        return Ok(());
    }
    from_here(headers, (host, is_tls), border, is_page(request))
}

/// Whether a request says for whom it is.
pub(crate) fn has_host<B>(request: &Request<B>) -> bool {
    host_of(request).is_ok()
}

/// For whom a request is.
fn host_of<B>(request: &Request<B>) -> ApiResult<&str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let missing = |what: &str| {
        let detail = format!("The request has {what}, but needs exactly one that is valid.");
        ApiError::new(ErrorCode::HostMissing, detail)
    };
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(missing("several `Host` headers")),
        (Some(host), None) => {
            let host = host
                .to_str()
                .map_err(|_| missing("a `Host` header that is not text"))?;
            let named = request.uri().authority();
            match named.is_none_or(|named| named.as_str().eq_ignore_ascii_case(host)) {
                true => Ok(host),
                false => Err(missing("a `Host` header and another host in its target")),
            }
        }
        (None, _) => match request.uri().authority() {
            Some(authority) => Ok(authority.as_str()),
            // Clients of 1996 know no better; they have no pages that could be tricked.
            None if request.version() <= Version::HTTP_10 => Ok("localhost"),
            None => Err(missing("no `Host` header")),
        },
    }
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    let end = match host.strip_prefix('[') {
        Some(rest) => rest.find(']').map_or(host.len(), |at| at + 2),
        None => host.find(':').unwrap_or(host.len()),
    };
    let port = host[end..].strip_prefix(':').unwrap_or(&host[end..]);
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        // What is no port is a part of no name either.
        return "";
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.[]:".contains(&byte);
    if !host.bytes().all(plain) {
        return "";
    }
    host[..end].trim_end_matches('.')
}

/// Whether it is an address or a name of this machine, which nobody else can own.
fn is_here(name: &str) -> bool {
    let inner = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let is_address = match inner {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => name.parse::<Ipv4Addr>().is_ok(),
    };
    let ends = |suffix: &str| {
        let at = name.len().checked_sub(suffix.len());
        at.and_then(|at| name.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    };
    is_address || same("localhost", name) || ends(".localhost")
}

/// Whether an allowed name is meant; `*.` stands for any name below.
fn same(allowed: &str, name: &str) -> bool {
    match allowed.strip_prefix("*.") {
        Some(domain) => {
            let at = name.len().checked_sub(domain.len() + 1);
            let end = at.and_then(|at| name.get(at..));
            end.is_some_and(|end| end.starts_with('.') && end[1..].eq_ignore_ascii_case(domain))
        }
        None => allowed.eq_ignore_ascii_case(name),
    }
}

/// Whether it is a page that a browser shows, with nothing of anybody in it.
fn is_page<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    let shown = path == "/" || path.starts_with("/docs") || path.starts_with("/assets/");
    request.method().is_safe() && shown
}

fn from_here(
    headers: &HeaderMap,
    (host, is_tls): (&str, bool),
    border: &Border,
    is_page: bool,
) -> ApiResult<()> {
    let (origin, site) = (headers.get(ORIGIN), headers.get(&SITE));
    if origin.is_none() && site.is_none() {
        return Ok(());
    }
    let is_twice = |name: &HeaderName| headers.get_all(name).iter().nth(1).is_some();
    if is_twice(&ORIGIN) || is_twice(&SITE) {
        return Err(foreign("several sites"));
    }
    let text = origin.and_then(|origin| origin.to_str().ok());
    let is_ours = site.is_none_or(|site| site == "same-origin" || site == "none");
    if origin.is_some() {
        let of = text.and_then(|origin| origin.split_once("://"));
        // Without TLS a proxy may have it.
        let fits = |scheme: &str| scheme == "https" || scheme == "http" && !is_tls;
        let is_own = is_ours
            && of.is_some_and(|(scheme, authority)| {
                fits(scheme) && authority.eq_ignore_ascii_case(host)
            });
        let mut allowed = border.cors_origins.iter();
        return match is_own || allowed.any(|allowed| Some(allowed.as_str()) == text) {
            true => Ok(()),
            false => Err(foreign(text.unwrap_or("another site"))),
        };
    }
    // Somebody follows a link to the page from elsewhere.
    let follows = is_page && headers.get(&MODE).is_some_and(|mode| mode == "navigate");
    match is_ours || follows {
        true => Ok(()),
        false => Err(foreign("another site")),
    }
}

fn foreign(origin: &str) -> ApiError {
    let shown: String = origin.chars().take(100).collect();
    let detail = format!(
        "The request comes from a web page of {shown}, which may not call this server: allow it with `--cors-origin`."
    );
    ApiError::new(ErrorCode::OriginNotAllowed, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn border() -> Border {
        Border {
            allowed_hosts: vec!["weir.example.com".into(), "*.internal".into()],
            cors_origins: vec!["https://app.example.com".parse().unwrap()],
            ..Border::default()
        }
    }

    fn code(method: &str, path: &str, headers: &[(&str, &str)]) -> Option<ErrorCode> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        check(&request, &border(), false)
            .err()
            .map(|error| error.code())
    }

    #[test]
    fn who_owns_a_name_does_not_own_the_server() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:8000",
            "10.1.2.3:80",
            "[::1]",
            "[::1]:8000",
            "localhost",
            "LocalHost:8000",
            "localhost.",
            "a.localhost:1",
            "weir.example.com",
            "WEIR.example.com:443",
            "a.b.internal",
        ] {
            assert_eq!(code("POST", "/predict", &[("host", host)]), None, "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "internal",
            "xinternal",
            "weir.example.com.evil.example",
            "",
            ":8000",
            "[::1",
            "0x7f.1",
            "2130706433",
            "localhost:evil.example",
            "evil.com#.localhost",
            "evil.com/.localhost",
            "evil.com .localhost",
            "localhost:1@evil",
            "[::1]x",
        ] {
            let found = code("GET", "/health/ready", &[("host", host)]);
            assert_eq!(found, Some(ErrorCode::HostNotAllowed), "{host}");
        }
        let missing = Some(ErrorCode::HostMissing);
        assert_eq!(code("GET", "/models", &[]), missing);
        let two = [("host", "localhost"), ("host", "127.0.0.1")];
        assert_eq!(code("GET", "/models", &two), missing);
    }

    #[test]
    fn a_page_without_tls_is_no_page_of_a_server_with_it() {
        let ask = |origin: &str, is_tls: bool| {
            let request = Request::builder()
                .uri("/models")
                .header("host", "weir.example.com");
            let request = request.header("origin", origin).body(()).unwrap();
            check(&request, &border(), is_tls).is_ok()
        };
        assert!(ask("https://weir.example.com", true));
        assert!(!ask("http://weir.example.com", true));
        assert!(
            ask("https://weir.example.com", false),
            "a proxy may have TLS"
        );
        let absolute = Request::builder().uri("http://evil.example/models");
        let absolute = absolute.header("host", "127.0.0.1").body(()).unwrap();
        assert!(check(&absolute, &border(), false).is_err());
    }

    #[test]
    fn other_sites_do_nothing_and_see_nothing() {
        let host = ("host", "127.0.0.1:8000");
        let with = |method, path, more: &[(&str, &str)]| {
            let headers = [&[host][..], more].concat();
            code(method, path, &headers)
        };
        let refused = Some(ErrorCode::OriginNotAllowed);
        for (more, found) in [
            (&[][..], None),
            (&[("origin", "http://127.0.0.1:8000")][..], None),
            (
                &[
                    ("origin", "https://app.example.com"),
                    ("sec-fetch-site", "cross-site"),
                ],
                None,
            ),
            (&[("origin", "http://127.0.0.1:8001")], refused),
            (&[("origin", "https://evil.example")], refused),
            (&[("origin", "foo://127.0.0.1:8000")], refused),
            (
                &[
                    ("origin", "http://127.0.0.1:8000"),
                    ("sec-fetch-site", "cross-site"),
                ],
                refused,
            ),
            (
                &[
                    ("origin", "http://127.0.0.1:8000"),
                    ("origin", "https://evil.example"),
                ],
                refused,
            ),
            (&[("origin", "null")], refused),
            (&[("origin", "")], refused),
            (&[("sec-fetch-site", "same-origin")], None),
            (&[("sec-fetch-site", "none")], None),
            (&[("sec-fetch-site", "same-site")], refused),
            (&[("sec-fetch-site", "cross-site")], refused),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                ],
                refused,
            ),
        ] {
            for (method, path) in [
                ("GET", "/models"),
                ("POST", "/predict"),
                ("DELETE", "/keys/1"),
            ] {
                assert_eq!(with(method, path, more), found, "{method} {path} {more:?}");
            }
        }
        let link = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
        ];
        assert_eq!(with("GET", "/", &link), None);
        assert_eq!(with("GET", "/", &link[..1]), refused);
        assert_eq!(
            with("OPTIONS", "/predict", &[("origin", "https://evil.example")]),
            None
        );
    }
}
