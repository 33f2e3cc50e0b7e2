//! The description of the API, generated from the handlers, and the pages that show it.

use api::Problem;
use utoipa::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

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
pub(crate) fn pages(document: utoipa::openapi::OpenApi) -> SwaggerUi {
    SwaggerUi::new("/docs").url("/openapi.json", document)
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
    }
}

/// Groups of error responses that calls share.
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
        )*};
    }

    problems! {
        Stored = Internal StoreUnavailable;
        Query = InvalidRequest;
        Body = BodyTimeout BodyTooLarge UnsupportedMediaType InvalidRequest;
        Duplicate = DuplicateVersion;
        StillActive = VersionActive;
        NoVersion = VersionNotFound;
        NoModel = ModelNotFound;
        NoModelOrVersion = ModelNotFound VersionNotFound;
        NoAlias = ModelNotFound AliasNotFound;
        NoPrediction = PredictionNotFound LogBehind;
        NoMetric = ModelNotFound MetricNotFound;
        NoExperiment = ExperimentNotFound;
        NoExperimentOrPath = ExperimentNotFound PathNotFound;
        MetricCounted = MetricInUse;
        WrongState = ExperimentState;
        WrongStateOrStale = ExperimentState StaleRevision TransitionNotAllowed;
        NoModelOrMetric = ModelNotFound MetricNotFound;
        NoWebhook = WebhookNotFound;
        CannotAnswer = CannotEvaluate;
        CannotStart = ExperimentRunning ExperimentState TransitionNotAllowed RuntimeNotReady;
        Refused = FeedbackConflict PredictionRejected;
        NotLogged = LogUnavailable;
        NoReceipt = ReceiptNotFound LogBehind;
        Busy = TooManyRequests;
        NotNow = TransitionNotAllowed;
        NotAllowed = TransitionNotAllowed ExperimentRunning;
        NotReady = TransitionNotAllowed RuntimeNotReady ExperimentRunning;
        StaleOrNotReady = StaleRevision TransitionNotAllowed RuntimeNotReady ExperimentRunning;
        Predict = AmbiguousModel ModelNotFound VersionNotFound TooManyRequests ModelFailed
            NoActiveVersion LogUnavailable ModelTimeout InputRejected;
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
