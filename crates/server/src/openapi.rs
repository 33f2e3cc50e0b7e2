//! The description of the API, generated from the handlers, and the pages that show it.

use api::Problem;
use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::map_response;
use axum::response::Response;
use utoipa::OpenApi;
use utoipa::openapi::{RefOr, Schema};
use utoipa_swagger_ui::SwaggerUi;

/// Only what comes from this server runs. Swagger UI sets styles in its page, and has pictures in its sheets.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the document says before the calls are added.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Weir",
        description = "One server between callers and model versions. Errors are problem documents \
                       (RFC 9457) with a stable `code`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(Problem))
)]
pub(crate) struct Document;

/// `/openapi.json`, and `/docs` from the binary.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>(
    mut document: utoipa::openapi::OpenApi,
) -> Router<S> {
    open_parts(&mut document);
    let pages: Router<S> = SwaggerUi::new("/docs")
        .url("/openapi.json", document)
        .into();
    pages.layer(map_response(with_policy))
}

async fn with_policy(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A schema that is one part of `allOf` says nothing of what else may be there: closed, it would refuse the fields of
/// the other parts, and nothing would fit.
fn open_parts(document: &mut utoipa::openapi::OpenApi) {
    let Some(components) = &mut document.components else {
        return;
    };
    let mut parts = Vec::new();
    for schema in components.schemas.values() {
        let RefOr::T(Schema::OneOf(choices)) = schema else {
            continue;
        };
        for choice in &choices.items {
            let RefOr::T(Schema::AllOf(all)) = choice else {
                continue;
            };
            parts.extend(all.items.iter().filter_map(|part| match part {
                RefOr::Ref(part) => part.ref_location.rsplit('/').next().map(str::to_owned),
                RefOr::T(_) => None,
            }));
        }
    }
    for part in parts {
        if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(&part) {
            object.additional_properties = None;
        }
    }
}

/// What paths name.
#[expect(dead_code, reason = "they only describe paths; extractors read them")]
pub(crate) mod path {
    use utoipa::IntoParams;

    macro_rules! paths {
        ($($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)* })*) => {$(
            $(#[$meta])*
            #[derive(IntoParams)]
            #[into_params(parameter_in = Path)]
            pub(crate) struct $name {
                $($(#[$doc])* $field: $type,)*
            }
        )*};
    }

    paths! {
        Version {
            /// `model-` and 12 hexadecimal digits.
            model_id: String,
        }
        Model {
            /// The model.
            name: String,
        }
        Alias {
            /// The model.
            name: String,
            /// The alias.
            alias: String,
        }
        Metric {
            /// The model.
            name: String,
            /// The metric.
            metric: String,
        }
        Experiment {
            /// `exp-` and 12 hexadecimal digits.
            experiment: String,
        }
        Intervention {
            /// `exp-` and 12 hexadecimal digits.
            experiment: String,
            /// What to do.
            intervention: api::Intervention,
        }
        Prediction {
            /// A UUID version 7.
            prediction_id: String,
        }
        Receipt {
            /// A UUID version 7.
            receipt: String,
        }
        Webhook {
            /// `hook-` and 12 hexadecimal digits.
            webhook: String,
        }
        Unit {
            /// As in the requests.
            unit_id: String,
        }
        Erasure {
            /// `erasure-` and 12 hexadecimal digits.
            erasure_id: String,
        }
        Key {
            /// `key-` and 12 hexadecimal digits.
            key: String,
        }
    }
}

/// Groups of error responses that calls share. Of two groups with the same status a call shows the second alone, so no
/// call names two such.
pub(crate) mod problems {
    use api::{ErrorCode, Problem};
    use std::collections::BTreeMap;
    use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
    use utoipa::{IntoResponses, ToSchema};

    macro_rules! problems {
        ($($name:ident = $($code:ident)*;)*) => {$(
            pub(crate) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    of(&[$(ErrorCode::$code),*])
                }
            }
        )*

        #[cfg(test)]
        pub(super) const GROUPS: &[(&str, &[ErrorCode])] =
            &[$((stringify!($name), &[$(ErrorCode::$code),*])),*];
        };
    }

    problems! {
        Stored = Internal StoreUnavailable;
        Query = InvalidRequest;
        Body = BodyTimeout BodyTooLarge UnsupportedMediaType InvalidRequest;
        Duplicate = DuplicateVersion TooMany;
        StillActive = VersionActive;
        NoVersion = VersionNotFound;
        NoModel = ModelNotFound;
        NoModelOrVersion = ModelNotFound VersionNotFound;
        NoArtifact = VersionNotFound ArtifactNotFound;
        ArtifactRefused = ArtifactNotAllowed TooManyRequests;
        Upload = BodyTimeout BodyTooLarge ArtifactInvalid InvalidRequest;
        NoAlias = ModelNotFound AliasNotFound;
        NoPrediction = PredictionNotFound LogBehind Internal StoreUnavailable;
        NoMetric = ModelNotFound MetricNotFound;
        NoExperiment = ExperimentNotFound;
        NoExperimentOrVersion = ExperimentNotFound VersionNotFound;
        NoExperimentOrPath = ExperimentNotFound PathNotFound;
        MetricCounted = MetricInUse TooMany;
        WrongState = ExperimentState;
        WrongStateOrStale = ExperimentState StaleRevision TransitionNotAllowed;
        NoModelOrMetric = ModelNotFound MetricNotFound;
        NoWebhook = WebhookNotFound;
        NoKey = KeyNotFound;
        NoErasure = ErasureNotFound;
        KeptTooShort = KeptTooShort;
        Gone = GenerationGone;
        NotKnown = Unauthenticated;
        CannotAnswer = CannotEvaluate BodyTimeout BodyTooLarge UnsupportedMediaType InvalidRequest;
        CannotStart = ExperimentRunning ExperimentState TransitionNotAllowed RuntimeNotReady;
        Refused = FeedbackConflict RequestIdUsedTwice PredictionRejected AnswerNotKept;
        NotLogged = LogUnavailable Internal StoreUnavailable;
        NoReceipt = ReceiptNotFound LogBehind Internal StoreUnavailable;
        Busy = TooManyRequests;
        NotNow = TransitionNotAllowed TooMany;
        NotAllowed = TransitionNotAllowed ExperimentRunning;
        NotReady = TransitionNotAllowed RuntimeNotReady ExperimentRunning;
        StaleOrNotReady = StaleRevision TransitionNotAllowed RuntimeNotReady ExperimentRunning;
        Decide = AmbiguousModel ModelNotFound VersionNotFound NoActiveVersion BodyTimeout BodyTooLarge UnsupportedMediaType
            InvalidRequest;
        Observe = ModelNotFound VersionNotFound RequestIdTaken TokenInvalid TokenExpired LogBehind TooManyRequests
            LogUnavailable BodyTimeout BodyTooLarge UnsupportedMediaType InvalidRequest Internal StoreUnavailable;
        Predict = AmbiguousModel ModelNotFound VersionNotFound RequestIdTaken AnswerNotKept LogBehind TooManyRequests ModelFailed
            ModelOverloaded NoActiveVersion LogUnavailable ModelTimeout InputRejected BodyTimeout BodyTooLarge UnsupportedMediaType
            InvalidRequest;
    }

    /// One response per status, with the codes that come with it.
    fn of(codes: &[ErrorCode]) -> BTreeMap<String, RefOr<Response>> {
        let mut by_status: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for code in codes {
            let said = format!("`{}`: {}", code.as_str(), code.title());
            by_status
                .entry(code.status().to_string())
                .or_default()
                .push(said);
        }
        let response = |said: Vec<String>| {
            let schema = Ref::from_schema_name(Problem::name());
            let content = ContentBuilder::new().schema(Some(schema)).build();
            ResponseBuilder::new()
                .description(said.join("; "))
                .content("application/problem+json", content)
                .build()
        };
        by_status
            .into_iter()
            .map(|(status, said)| (status, RefOr::T(response(said))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::problems::GROUPS;
    use std::collections::{HashMap, HashSet};
    use std::fs;
    use std::path::Path;

    fn sources(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(fs::read_to_string(path).unwrap());
            }
        }
    }

    /// The generator lets the last group of a status win, and says nothing of it.
    #[test]
    fn no_call_names_two_groups_of_problems_with_the_same_status() {
        let groups: HashMap<&str, &[api::ErrorCode]> = GROUPS.iter().copied().collect();
        let mut found = Vec::new();
        sources(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut found,
        );
        let mut calls = 0;
        for source in &found {
            for call in source.split("#[utoipa::path(\n").skip(1) {
                let call = call.split("\n)]").next().unwrap();
                let mut taken = HashSet::new();
                calls += 1;
                for name in call.split("problems::").skip(1) {
                    let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap();
                    let codes = groups[name].iter();
                    let statuses: HashSet<u16> = codes.map(|code| code.status()).collect();
                    for status in statuses {
                        assert!(
                            taken.insert(status),
                            "{status} twice, the second in {name}:\n{call}"
                        );
                    }
                }
            }
        }
        assert!(calls > 30, "{calls}");
    }
}
