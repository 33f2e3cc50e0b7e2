//! What nobody knows is refused, with the name that was meant: a parameter or a field that is passed over in silence does
//! something else than its caller believes (`?dryrun=true` would start an experiment).

use crate::error::{ApiError, ApiResult};
use axum::body::{Body, to_bytes};
use axum::http::Uri;
use hyper::body::Body as _;
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr};

/// What each route reads, by its method and its path.
pub(crate) struct Queries(HashMap<(&'static str, String), Read>);

#[derive(Default)]
struct Read {
    /// Its query parameters.
    names: Vec<String>,
    /// Whether it has a body.
    body: bool,
}

/// What a body may have that nobody reads, in bytes.
const UNREAD: usize = 64 << 10;
/// How long it may take to come.
const UNREAD_FOR: Duration = Duration::from_secs(10);

impl Queries {
    /// As the routes are described.
    pub(crate) fn of(document: &OpenApi) -> Self {
        let mut known = HashMap::new();
        for (path, item) in &document.paths.paths {
            let operations = [
                ("GET", &item.get),
                ("PUT", &item.put),
                ("POST", &item.post),
                ("DELETE", &item.delete),
                ("PATCH", &item.patch),
            ];
            for (method, operation) in operations {
                if let Some(operation) = operation {
                    let read = Read {
                        names: names(operation),
                        body: operation.request_body.is_some(),
                    };
                    known.insert((method, path.clone()), read);
                }
            }
        }
        Self(known)
    }

    /// Whether a route knows all parameters of a query.
    ///
    /// # Errors
    /// Where it does not.
    pub(crate) fn check(&self, method: &'static str, path: &str, uri: &Uri) -> ApiResult<()> {
        let Some(query) = uri.query().filter(|query| !query.is_empty()) else {
            return Ok(());
        };
        // Probes of load balancers and clients of other protocols have parameters of their own.
        if is_lenient(path) {
            return Ok(());
        }
        let none = Read::default();
        let known = self.0.get(&(method, path.to_owned()));
        let known = &known.unwrap_or(&none).names;
        for (name, _) in url::form_urlencoded::parse(query.as_bytes()) {
            if !known.iter().any(|known| *known == name) {
                let pointer = format!("?{}", shown(&name));
                let known = known.iter().map(String::as_str);
                return Err(ApiError::field(pointer, said(&name, known)));
            }
        }
        Ok(())
    }

    /// The body of a call, or nothing of one that a route does not read.
    ///
    /// # Errors
    /// Where it says something to a route that reads none: `{"dry_run": true}` would be passed over in silence.
    pub(crate) async fn check_body(
        &self,
        method: &'static str,
        path: &str,
        body: Body,
    ) -> ApiResult<Body> {
        if body.is_end_stream() || is_lenient(path) {
            return Ok(body);
        }
        let known = self.0.get(&(method, path.to_owned()));
        if known.is_none_or(|known| known.body) {
            return Ok(body);
        }
        let unread = |detail: &str| ApiError::field("", detail);
        let said = tokio::time::timeout(UNREAD_FOR, to_bytes(body, UNREAD)).await;
        let Ok(Ok(said)) = said else {
            return Err(unread("is not read by this call: leave it out"));
        };
        let empty = said.trim_ascii().is_empty();
        match serde_json::from_slice::<Value>(&said) {
            _ if empty => Ok(Body::empty()),
            Ok(Value::Null) => Ok(Body::empty()),
            Ok(Value::Object(members)) if members.is_empty() => Ok(Body::empty()),
            Ok(Value::Object(members)) => {
                let name = members.keys().next().map_or("", String::as_str);
                let names = known.map_or(&[][..], |known| &known.names);
                let detail = if names.iter().any(|known| known == name) {
                    format!("is not read here: it is a query parameter of this call (?{name}=)")
                } else {
                    "is not known: this call reads no body".to_owned()
                };
                Err(ApiError::field(format!("/{}", shown(name)), detail))
            }
            _ => Err(unread("is not read by this call: leave it out")),
        }
    }
}

/// Where parameters that nobody knows are passed over.
fn is_lenient(path: &str) -> bool {
    let begins = |prefix: &str| path.starts_with(prefix);
    path == "/"
        || [
            "/health",
            "/v1/",
            "/v2",
            "/ofrep/",
            "/docs",
            "/assets/",
            "/openapi.json",
        ]
        .into_iter()
        .any(begins)
}

fn names(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten();
    let queries = parameters.filter_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => {
            Some(parameter.name.clone())
        }
        _ => None,
    });
    queries.collect()
}

/// What is said of a name that is not known.
pub(crate) fn said<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(meant) => format!("is not known; perhaps you mean {meant}"),
        None => {
            let known: Vec<&str> = known.collect();
            match known.as_slice() {
                [] => "is not known: this call takes none".into(),
                known => format!("is not known; known are {}", known.join(", ")),
            }
        }
    }
}

/// The name that is nearest, where one is near.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| -> String {
        let letters = text.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
        letters.flat_map(char::to_lowercase).take(100).collect()
    };
    let wanted = plain(name);
    let distance = |known: &str| {
        let known = plain(known);
        let begins =
            wanted.len() >= 3 && (known.starts_with(&wanted) || wanted.starts_with(&known));
        match begins {
            true => 1,
            false => strsim::osa_distance(&wanted, &known),
        }
    };
    let found = known
        .map(|known| (distance(known), known))
        .min_by_key(|(distance, _)| *distance);
    let most = (wanted.chars().count() / 3).max(1);
    found
        .filter(|(distance, _)| *distance <= most)
        .map(|(_, known)| known)
}

/// A name as it is said, which may have been sent by anybody.
fn shown(name: &str) -> String {
    name.chars().take(60).collect()
}

/// What the reader of JSON says of a field that it does not know: the field, and those that it knows.
pub(crate) fn field(error: &str) -> Option<(String, String)> {
    let rest = error.strip_prefix("unknown field `")?;
    let (name, rest) = rest.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    Some((shown(name), said(name, known.into_iter())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_meant_is_said() {
        let known = [
            "name",
            "runtime",
            "unit_id",
            "model_version",
            "dry_run",
            "version",
            "text",
        ];
        for (name, meant) in [
            ("runtme", "runtime"),
            ("unit", "unit_id"),
            ("unitId", "unit_id"),
            ("model_verison", "model_version"),
            ("modelVersion", "model_version"),
            ("dryrun", "dry_run"),
            ("verison", "version"),
            ("txt", "text"),
            ("Name", "name"),
        ] {
            let said = said(name, known.into_iter());
            assert_eq!(
                said,
                format!("is not known; perhaps you mean {meant}"),
                "{name}"
            );
        }
        let said = said("colour", known.into_iter());
        assert!(
            said.starts_with("is not known; known are name, runtime,"),
            "{said}"
        );
    }

    #[test]
    fn what_serde_says_is_understood() {
        let error =
            "unknown field `runtme`, expected one of `name`, `runtime`, `tags` at line 1 column 9";
        let (name, said) = field(error).unwrap();
        assert_eq!(
            (name.as_str(), said.as_str()),
            ("runtme", "is not known; perhaps you mean runtime")
        );
        let (_, said) = field("unknown field `x`, expected `a` or `b`").unwrap();
        assert_eq!(said, "is not known; perhaps you mean a");
        let (_, said) = field("unknown field `long`, there are no fields").unwrap();
        assert_eq!(said, "is not known: this call takes none");
        assert_eq!(field("missing field `name`"), None);
    }
}
