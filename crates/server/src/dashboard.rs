//! The pages that a browser gets: plain HTML, CSS and JavaScript out of the binary, which ask the API like everybody else.

use crate::gzip;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Only what comes from this server runs, and the page is shown in no other.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

struct Asset {
    name: &'static str,
    content_type: &'static str,
    text: &'static str,
}

/// What the pages are made of. uPlot (MIT) draws the charts; its licence is beside it.
const ASSETS: &[Asset] = &[
    Asset {
        name: "app.js",
        content_type: SCRIPT,
        text: include_str!("../assets/app.js"),
    },
    Asset {
        name: "chart.js",
        content_type: SCRIPT,
        text: include_str!("../assets/chart.js"),
    },
    Asset {
        name: "core.js",
        content_type: SCRIPT,
        text: include_str!("../assets/core.js"),
    },
    Asset {
        name: "experiment.js",
        content_type: SCRIPT,
        text: include_str!("../assets/experiment.js"),
    },
    Asset {
        name: "model.js",
        content_type: SCRIPT,
        text: include_str!("../assets/model.js"),
    },
    Asset {
        name: "overview.js",
        content_type: SCRIPT,
        text: include_str!("../assets/overview.js"),
    },
    Asset {
        name: "plan.js",
        content_type: SCRIPT,
        text: include_str!("../assets/plan.js"),
    },
    Asset {
        name: "predictions.js",
        content_type: SCRIPT,
        text: include_str!("../assets/predictions.js"),
    },
    Asset {
        name: "settings.js",
        content_type: SCRIPT,
        text: include_str!("../assets/settings.js"),
    },
    Asset {
        name: "uplot.js",
        content_type: SCRIPT,
        text: include_str!("../assets/vendor/uplot.js"),
    },
    Asset {
        name: "dashboard.css",
        content_type: STYLE,
        text: include_str!("../assets/dashboard.css"),
    },
    Asset {
        name: "uplot.css",
        content_type: STYLE,
        text: include_str!("../assets/vendor/uplot.css"),
    },
    Asset {
        name: "favicon.svg",
        content_type: "image/svg+xml",
        text: include_str!("../assets/favicon.svg"),
    },
];

pub(crate) fn page(asked: &HeaderMap) -> Response {
    let page = Asset {
        name: "",
        content_type: "text/html; charset=utf-8",
        text: include_str!("../assets/index.html"),
    };
    page.reply(asked)
}

pub(crate) async fn read(Path(name): Path<String>, uri: Uri, asked: HeaderMap) -> Response {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    match found {
        Some(asset) => asset.reply(&asked),
        None => crate::codec::said(&uri, crate::error::ApiError::path_not_found()),
    }
}

impl Asset {
    fn reply(&self, asked: &HeaderMap) -> Response {
        /// What was packed once.
        static PACKED: Mutex<BTreeMap<&str, Bytes>> = Mutex::new(BTreeMap::new());
        let header = |name: HeaderName, value| (name, HeaderValue::from_static(value));
        let headers = [
            header(CONTENT_TYPE, self.content_type),
            // The page belongs to the binary: another version has another.
            header(CACHE_CONTROL, "no-cache"),
            header(CONTENT_SECURITY_POLICY, POLICY),
            header(HeaderName::from_static("x-content-type-options"), "nosniff"),
            header(VARY, "accept-encoding"),
        ];
        if !gzip::is_taken(asked) || self.text.len() < gzip::LEAST {
            return (headers, self.text).into_response();
        }
        let mut packed = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
        let pack = || gzip::packed(self.text.as_bytes());
        let body = packed.entry(self.name).or_insert_with(pack).clone();
        (headers, [(CONTENT_ENCODING, "gzip")], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_page_needs_is_small() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.text.len()).sum();
        let page = include_str!("../assets/index.html");
        assert!(bytes + page.len() < 200_000, "{bytes} bytes");
        // Everything that is named is there, and nothing is asked of another server.
        let texts = || ASSETS.iter().map(|asset| asset.text).chain([page]);
        for text in texts() {
            for named in text.split("/assets/").skip(1) {
                let name = named.split(['"', '\'', ' ']).next().unwrap_or_default();
                assert!(ASSETS.iter().any(|asset| asset.name == name), "{name}");
            }
        }
        for Asset { name, text, .. } in ASSETS
            .iter()
            .filter(|asset| !asset.name.starts_with("uplot"))
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
