//! What each route needs: one row each. A route without a row is refused to everybody, and fails a test.

use super::{CALLER, Caller};
use crate::error::{ApiError, ApiResult};
use crate::pages::{self, Holding};
use crate::state::AppState;
use crate::unknown::Queries;
use crate::{codec, experiments, gzip, models, reuse};
use api::ErrorCode;
use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use types::Right::{self, Administer, Analyse, Change, Predict, Read};
use utoipa::openapi::OpenApi;

/// What a route needs of who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// Nothing where anybody may call it.
    pub(crate) right: Option<Right>,
    pub(crate) of: Of,
    /// Whether its reply may be large, or take long to read: so many are made at a time.
    pub(crate) reads_much: bool,
}

impl Row {
    const fn reads_much(self) -> Self {
        Self {
            reads_much: true,
            ..self
        }
    }
}

/// How it is found which model a call is about, for keys that are for some models only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// About no model, or whoever handles it asks ([`super::check`]) or leaves others out ([`super::covers`]).
    Handler,
    /// About all of them: keys for some models are refused.
    All,
    /// The path names the model.
    Name,
    /// The path names a version of it.
    Version,
    /// The path names an experiment on it.
    Experiment,
}

const fn row(method: &'static str, path: &'static str, right: Right, of: Of) -> Row {
    Row {
        method,
        path,
        right: Some(right),
        of,
        reads_much: false,
    }
}

/// A route that anybody may call, because it says nothing of anybody.
const fn open(method: &'static str, path: &'static str) -> Row {
    Row {
        method,
        path,
        right: None,
        of: Of::Handler,
        reads_much: false,
    }
}

/// One row for each route.
pub(crate) const ROWS: &[Row] = &[
    open("GET", "/"),
    open("GET", "/assets/{asset}"),
    open("GET", "/docs"),
    open("GET", "/docs/"),
    open("GET", "/docs/{*rest}"),
    open("GET", "/openapi.json"),
    open("GET", "/health"),
    open("GET", "/health/live"),
    // It says more to who may read.
    open("GET", "/health/ready"),
    // It reads what is bounded, and is asked when there is too much to do.
    row("GET", "/metrics", Read, Of::Handler),
    open("POST", "/session"),
    open("DELETE", "/session"),
    row("GET", "/models", Read, Of::Handler).reads_much(),
    row("POST", "/models", Change, Of::Handler),
    row("GET", "/models/performance", Read, Of::Handler).reads_much(),
    row("GET", "/models/timeline", Read, Of::Handler).reads_much(),
    row("GET", "/models/classification", Read, Of::Handler).reads_much(),
    row("GET", "/models/{model_id}", Read, Of::Version),
    row("PATCH", "/models/{model_id}", Change, Of::Version),
    row("DELETE", "/models/{model_id}", Change, Of::Version),
    row("POST", "/models/{model_id}/activate", Change, Of::Version),
    row("POST", "/models/{model_id}/deactivate", Change, Of::Version),
    row("GET", "/models/{model_id}/artifact", Analyse, Of::Version),
    row("PUT", "/models/{model_id}/artifact", Change, Of::Version),
    row("PUT", "/models/{model_id}/shadow", Change, Of::Version),
    row("GET", "/models/{model_id}/shadow-report", Read, Of::Version).reads_much(),
    row("POST", "/predict", Predict, Of::Handler),
    row("POST", "/models/by-name/{name}/predict", Predict, Of::Name),
    open("GET", "/v2"),
    open("GET", "/v2/health/live"),
    open("GET", "/v2/health/ready"),
    row("GET", "/v2/models/{name}", Predict, Of::Name),
    row(
        "GET",
        "/v2/models/{name}/versions/{version}",
        Predict,
        Of::Name,
    ),
    row("GET", "/v2/models/{name}/ready", Predict, Of::Name),
    row(
        "GET",
        "/v2/models/{name}/versions/{version}/ready",
        Predict,
        Of::Name,
    ),
    row("POST", "/v2/models/{name}/infer", Predict, Of::Name),
    row(
        "POST",
        "/v2/models/{name}/versions/{version}/infer",
        Predict,
        Of::Name,
    ),
    row("POST", "/v1/chat/completions", Predict, Of::Handler),
    row("GET", "/v1/models", Predict, Of::Handler),
    row("GET", "/v1/models/{name}", Predict, Of::Name),
    row("POST", "/decide", Predict, Of::Handler),
    row("POST", "/ofrep/v1/evaluate/flags/{name}", Predict, Of::Name),
    row("POST", "/ofrep/v1/evaluate/flags", Predict, Of::Handler),
    row("GET", "/predictions", Analyse, Of::Handler).reads_much(),
    row("POST", "/predictions", Predict, Of::Handler),
    row("GET", "/predictions/export", Analyse, Of::Handler),
    row("GET", "/predictions/{prediction_id}", Analyse, Of::Handler),
    // A signed token says which model it is about: who has it was given it.
    row("POST", "/exposures", Predict, Of::Handler),
    row("GET", "/feedback", Analyse, Of::Handler).reads_much(),
    row("GET", "/feedback/export", Analyse, Of::Handler),
    // So is the id of a prediction, which cannot be guessed.
    row("POST", "/feedback", Predict, Of::Handler),
    row("GET", "/feedback/receipts/{receipt}", Predict, Of::Handler),
    row("GET", "/outcomes", Analyse, Of::Handler).reads_much(),
    row("GET", "/traffic/{name}", Read, Of::Name),
    row("PUT", "/traffic/{name}", Change, Of::Name),
    row("DELETE", "/units/{unit_id}", Administer, Of::All),
    row("GET", "/erasures", Administer, Of::All),
    row("POST", "/erasures", Administer, Of::All),
    row("GET", "/erasures/{erasure_id}", Administer, Of::All),
    row("GET", "/privacy/{name}", Read, Of::Name),
    row("PUT", "/privacy/{name}", Administer, Of::Name),
    row("GET", "/retention/{name}", Read, Of::Name),
    row("PUT", "/retention/{name}", Administer, Of::Name),
    row("GET", "/rules/{name}", Read, Of::Name),
    row("PUT", "/rules/{name}", Change, Of::Name),
    row("GET", "/aliases/{name}", Read, Of::Name),
    row("GET", "/aliases/{name}/{alias}", Read, Of::Name),
    row("PUT", "/aliases/{name}/{alias}", Change, Of::Name),
    row("DELETE", "/aliases/{name}/{alias}", Change, Of::Name),
    row("GET", "/metrics/{name}", Read, Of::Name),
    row("GET", "/metrics/{name}/{metric}", Read, Of::Name),
    row("PUT", "/metrics/{name}/{metric}", Change, Of::Name),
    row("DELETE", "/metrics/{name}/{metric}", Change, Of::Name),
    row("GET", "/experiments", Read, Of::Handler).reads_much(),
    row("POST", "/experiments", Change, Of::Handler),
    row("POST", "/experiments/dry-run", Change, Of::Handler),
    row("GET", "/experiments/{experiment}", Read, Of::Experiment),
    row(
        "DELETE",
        "/experiments/{experiment}",
        Change,
        Of::Experiment,
    ),
    row(
        "POST",
        "/experiments/{experiment}/start",
        Change,
        Of::Experiment,
    ),
    row(
        "POST",
        "/experiments/{experiment}/{intervention}",
        Change,
        Of::Experiment,
    ),
    row(
        "GET",
        "/experiments/{experiment}/results",
        Read,
        Of::Experiment,
    )
    .reads_much(),
    row(
        "GET",
        "/experiments/{experiment}/history",
        Read,
        Of::Experiment,
    ),
    row("POST", "/plan", Analyse, Of::Handler).reads_much(),
    row("POST", "/plan/units", Analyse, Of::Handler).reads_much(),
    row("POST", "/evaluate", Analyse, Of::Handler).reads_much(),
    row("GET", "/audit", Read, Of::Handler).reads_much(),
    row("GET", "/events", Read, Of::Handler),
    row("GET", "/settings", Read, Of::Handler),
    row("PUT", "/settings/default_model", Change, Of::All),
    row("GET", "/webhooks", Change, Of::All),
    row("POST", "/webhooks", Change, Of::All),
    row("DELETE", "/webhooks/{webhook}", Change, Of::All),
    row("POST", "/webhooks/{webhook}/test", Change, Of::All),
    // What was set aside is shown as it came.
    row("GET", "/journal/set-aside", Analyse, Of::All).reads_much(),
    row("POST", "/journal/retry", Change, Of::All),
    open("GET", "/session"),
    row("GET", "/keys", Administer, Of::All),
    row("POST", "/keys", Administer, Of::All),
    row("POST", "/keys/{key}/rotate", Administer, Of::All),
    row("DELETE", "/keys/{key}", Administer, Of::All),
];

/// The place of a route in [`ROWS`]: replies have it with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) usize);

/// The place of the row of a route.
pub(crate) fn of(method: &Method, path: &str) -> Option<Place> {
    static BY_ROUTE: LazyLock<HashMap<(&str, &str), usize>> = LazyLock::new(|| {
        let rows = (0..).zip(ROWS);
        rows.map(|(at, row)| ((row.method, row.path), at)).collect()
    });
    // What answers GET answers HEAD.
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    BY_ROUTE.get(&(method, path)).copied().map(Place)
}

/// Whether a route knows another method than the one that was asked for.
fn has_methods(path: &str) -> bool {
    ROWS.iter().any(|row| row.path == path)
}

/// Who calls, or why he is not let in, for the routes behind it.
pub(crate) type Admission = ApiResult<Arc<Caller>>;

/// What the guard knows.
#[derive(Clone)]
pub(crate) struct Guard {
    state: AppState,
    queries: Arc<Queries>,
}

impl Guard {
    /// For routes that are described so.
    pub(crate) fn new(state: AppState, document: &OpenApi) -> Self {
        Self {
            state,
            queries: Arc::new(Queries::of(document)),
        }
    }
}

/// Lets through who has the right that a route needs, for the model that it is about, and says only what the route knows.
pub(crate) async fn guard(
    State(guard): State<Guard>,
    matched: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let place = of(request.method(), matched.as_str());
    let mut response = guard.through(place, &matched, request, next).await;
    if let Some(place) = place {
        response.extensions_mut().insert(place);
        if ROWS[place.0].right.is_some() {
            // What is for one caller is kept by nobody on the way.
            let headers = response.headers_mut();
            headers
                .entry(CACHE_CONTROL)
                .or_insert(HeaderValue::from_static("no-store"));
        }
    }
    response
}

impl Guard {
    async fn through(
        self,
        place: Option<Place>,
        matched: &MatchedPath,
        request: Request,
        next: Next,
    ) -> Response {
        let Self { state, queries } = self;
        let (mut parts, body) = request.into_parts();
        let Some(row) = place.map(|place| &ROWS[place.0]) else {
            let unknown = !has_methods(matched.as_str());
            if unknown {
                return codec::said(&parts.uri, not_declared());
            }
            // The router says which methods there are.
            return next.run(Request::from_parts(parts, body)).await;
        };
        let admission = parts.extensions.remove::<Admission>();
        let admission = admission.unwrap_or_else(|| Err(not_declared()));
        let caller = match admission {
            Ok(caller) => caller,
            // He may call it all the same, and sees what is for nobody.
            Err(error) if row.right.is_none() && forgives(row, error.code()) => {
                Arc::new(Caller::nobody())
            }
            Err(error) => return codec::said(&parts.uri, error),
        };
        let allowed = CALLER.scope(Arc::clone(&caller), allow(&state, row, &caller, &mut parts));
        let allowed = allowed.await;
        let known = allowed.and_then(|()| queries.check(row.method, row.path, &parts.uri));
        let body = match known {
            Ok(()) => queries.check_body(row.method, row.path, body).await,
            Err(error) => Err(error),
        };
        let body = match body {
            Ok(body) => body,
            Err(error) => return codec::said(&parts.uri, error),
        };
        let age = (row.method == "GET" && row.right.is_some() && parts.method == Method::GET)
            .then(|| reuse::allowed_age(&parts.headers))
            .flatten();
        let asked = age.map(|age| {
            // In which form it is wanted is a part of what is asked.
            let forms: Vec<&HeaderValue> = parts.headers.get_all(ACCEPT).iter().collect();
            let of = format!("{} {} {forms:?}", caller.sees(), parts.uri);
            (of, (age, gzip::is_taken(&parts.headers)))
        });
        let answer = async {
            let place = match pages::place(&state, row).await {
                Ok(place) => place,
                Err(error) => return codec::said(&parts.uri, error),
            };
            let answered = CALLER.scope(caller, next.run(Request::from_parts(parts, body)));
            let answered = answered.await;
            match place {
                None => answered,
                Some(place) => answered.map(|body| Body::new(Holding::new(body, place))),
            }
        };
        match asked {
            None => answer.await,
            Some((asked, how)) => state.shared.or_make(asked, how, answer).await,
        }
    }
}

/// Whether what keeps somebody out keeps him from a route that is for everybody.
fn forgives(row: &Row, code: ErrorCode) -> bool {
    code == ErrorCode::Unauthenticated
        || code == ErrorCode::HostNotAllowed && row.path.starts_with("/health")
}

fn not_declared() -> ApiError {
    ApiError::new(
        ErrorCode::Internal,
        "What this route needs is not declared, so nobody may call it.",
    )
}

async fn allow(state: &AppState, row: &Row, caller: &Caller, parts: &mut Parts) -> ApiResult<()> {
    let Some(right) = row.right else {
        return Ok(());
    };
    caller.require(right)?;
    if caller.models.is_all() || row.of == Of::Handler {
        return Ok(());
    }
    let params = RawPathParams::from_request_parts(parts, state).await;
    let params = params.map_err(|_| ApiError::path_not_found())?;
    let of = |wanted: &str| {
        let mut all = params.iter();
        let found = all.find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value).unwrap_or_default()
    };
    match row.of {
        Of::Handler => Ok(()),
        Of::All => super::check_option(None),
        Of::Name => caller.check(of("name")),
        Of::Version => {
            let id = of("model_id");
            let unknown = || ApiError::version_not_found(id);
            let id = id.parse().map_err(|_| unknown())?;
            let version = models::require(state, id).await?;
            // What a foreign id is of is not said.
            let own = caller.models.has(version.name.as_str());
            own.then_some(()).ok_or_else(unknown)
        }
        Of::Experiment => {
            let id = of("experiment");
            let unknown = || ApiError::experiment_not_found(id);
            let id = id.parse().map_err(|_| unknown())?;
            let experiment = experiments::require(state, id).await?;
            let own = caller.models.has(experiment.definition.name.as_str());
            own.then_some(()).ok_or_else(unknown)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_has_one_row_and_every_row_a_route() {
        let (_, document) = crate::routes().split_for_parts();
        let mut described = BTreeSet::new();
        for (path, item) in &document.paths.paths {
            let methods = [
                ("GET", &item.get),
                ("PUT", &item.put),
                ("POST", &item.post),
                ("DELETE", &item.delete),
                ("PATCH", &item.patch),
                ("HEAD", &item.head),
                ("OPTIONS", &item.options),
                ("TRACE", &item.trace),
            ];
            let known = methods.into_iter().filter(|(_, known)| known.is_some());
            described.extend(known.map(|(method, _)| (method, path.as_str())));
        }
        let rows: BTreeSet<_> = ROWS.iter().map(|row| (row.method, row.path)).collect();
        assert_eq!(rows.len(), ROWS.len(), "a row stands twice");
        // Pages are not described.
        let pages = [
            "/assets/{asset}",
            "/docs",
            "/docs/",
            "/docs/{*rest}",
            "/openapi.json",
        ];
        let rows: BTreeSet<_> = rows
            .into_iter()
            .filter(|(_, path)| !pages.contains(path))
            .collect();
        assert_eq!(rows, described);
        for row in ROWS.iter().filter(|row| row.of != Of::Handler) {
            let has = |param: &str| row.path.contains(param);
            let fits = match row.of {
                Of::Handler | Of::All => true,
                Of::Name => has("{name}"),
                Of::Version => has("{model_id}"),
                Of::Experiment => has("{experiment}"),
            };
            assert!(fits, "{row:?}");
        }
    }
}
