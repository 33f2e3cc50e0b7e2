//! The pages that a browser gets: plain HTML, CSS and JavaScript out of the binary, which ask the API like everybody else.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};

/// Only what comes from this server runs, and the page is shown in no other.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// What the pages are made of. uPlot (MIT) draws the charts; its licence is beside it.
const ASSETS: &[(&str, &str, &str)] = &[
    ("app.js", SCRIPT, include_str!("../assets/app.js")),
    ("chart.js", SCRIPT, include_str!("../assets/chart.js")),
    ("core.js", SCRIPT, include_str!("../assets/core.js")),
    (
        "experiment.js",
        SCRIPT,
        include_str!("../assets/experiment.js"),
    ),
    ("model.js", SCRIPT, include_str!("../assets/model.js")),
    ("overview.js", SCRIPT, include_str!("../assets/overview.js")),
    ("plan.js", SCRIPT, include_str!("../assets/plan.js")),
    (
        "predictions.js",
        SCRIPT,
        include_str!("../assets/predictions.js"),
    ),
    ("settings.js", SCRIPT, include_str!("../assets/settings.js")),
    (
        "uplot.js",
        SCRIPT,
        include_str!("../assets/vendor/uplot.js"),
    ),
    (
        "dashboard.css",
        STYLE,
        include_str!("../assets/dashboard.css"),
    ),
    (
        "uplot.css",
        STYLE,
        include_str!("../assets/vendor/uplot.css"),
    ),
    (
        "favicon.svg",
        "image/svg+xml",
        include_str!("../assets/favicon.svg"),
    ),
];

pub(crate) fn page() -> Response {
    asset(
        "text/html; charset=utf-8",
        include_str!("../assets/index.html"),
    )
}

pub(crate) async fn read(Path(name): Path<String>, uri: Uri) -> Response {
    let found = ASSETS.iter().find(|(known, ..)| *known == name);
    match found {
        Some((_, content_type, text)) => asset(content_type, text),
        None => crate::codec::said(&uri, crate::error::ApiError::path_not_found()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_page_needs_is_small() {
        let bytes: usize = ASSETS.iter().map(|(.., text)| text.len()).sum();
        let page = include_str!("../assets/index.html");
        assert!(bytes + page.len() < 200_000, "{bytes} bytes");
        // Everything that is named is there, and nothing is asked of another server.
        let texts = || ASSETS.iter().map(|(.., text)| *text).chain([page]);
        for text in texts() {
            for named in text.split("/assets/").skip(1) {
                let name = named.split(['"', '\'', ' ']).next().unwrap_or_default();
                assert!(ASSETS.iter().any(|(known, ..)| known == &name), "{name}");
            }
        }
        for (name, _, text) in ASSETS
            .iter()
            .filter(|(name, ..)| !name.starts_with("uplot"))
        {
            for address in text.split("https://").skip(1) {
                let host = address
                    .split(['/', '"', '\'', ' '])
                    .next()
                    .unwrap_or_default();
                assert_eq!(host, "hooks.example.com", "{name}");
            }
        }
    }
}
