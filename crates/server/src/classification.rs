//! `GET /models/classification`: precision, recall and F1 of a class. Where one prediction in ten is of it, `correct` says
//! little: who never predicts it is right in nine of ten.

use crate::access;
use crate::error::ApiResult;
use crate::extract::{Fields, Params};
use crate::openapi::problems;
use crate::performance::versions_of;
use crate::predictions::range;
use crate::results::{fresh, interval};
use crate::state::AppState;
use api::{Classification, Interval, VersionClassification};
use axum::Json as Reply;
use axum::extract::State;
use judge::fixed::{Proportion, wilson};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use store::ConfusionQuery;
use types::ModelName;
use utoipa::IntoParams;

/// So many labels are looked at, the newest.
const LOOKED_AT: u64 = 1_000_000;
/// The longest class, in characters.
const LONGEST: usize = 200;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ClassParams {
    /// The model.
    name: String,
    /// The class that counts as positive: JSON such as `true` or `1`, else a text such as `fraud`.
    #[param(max_length = 200)]
    positive: String,
    /// Only predictions made at or after this time.
    since: Option<String>,
    /// Only predictions made before this time.
    until: Option<String>,
}

/// Precision, recall and F1 of the versions of a model for one class, by the newest million labels.
#[utoipa::path(
    get,
    path = "/models/classification",
    tag = "predictions",
    params(ClassParams),
    responses(
        (status = 200, description = "counts and shares by version", body = Classification),
        problems::NoModel,
        problems::Query,
        problems::Busy,
        problems::Stored,
    ),
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    Params(params): Params<ClassParams>,
) -> ApiResult<Reply<Classification>> {
    let mut fields = Fields::default();
    let name = fields.take("?name", ModelName::parse(&params.name));
    let range = range(
        &mut fields,
        params.since.as_deref(),
        params.until.as_deref(),
    );
    if params.positive.chars().count() > LONGEST {
        fields.wrong("?positive", "must have at most 200 characters");
    }
    let name = fields.finish(name)?;
    access::check(name.as_str())?;
    let versions = versions_of(&state, Some(&name)).await?;
    let log_lag = fresh(&state).await;
    let as_json = serde_json::from_str(&params.positive);
    let positive = as_json.unwrap_or_else(|_| Value::from(params.positive));
    let query = ConfusionQuery {
        name: name.clone(),
        positive: positive.to_string(),
        range,
        limit: LOOKED_AT,
    };
    let found: HashMap<_, _> = state.store.confusion(query).await?.into_iter().collect();
    let shown = versions.iter().filter_map(|version| {
        let counts = found.get(&version.key)?;
        let (right, wrong, missed) = (
            counts.true_positives,
            counts.false_positives,
            counts.false_negatives,
        );
        let (precision, precision_interval) = share(right, right + wrong);
        let (recall, recall_interval) = share(right, right + missed);
        let (f1, _) = share(2 * right, 2 * right + wrong + missed);
        Some(VersionClassification {
            model_id: version.model_id.to_string(),
            version: version.version.to_string(),
            labelled: right + wrong + missed + counts.true_negatives,
            true_positives: right,
            false_positives: wrong,
            false_negatives: missed,
            true_negatives: counts.true_negatives,
            precision,
            precision_interval,
            recall,
            recall_interval,
            f1,
        })
    });
    Ok(Reply(Classification {
        name: name.to_string(),
        positive,
        versions: shown.collect(),
        log_lag,
    }))
}

/// A share with its interval; nothing of nothing.
fn share(of: u64, all: u64) -> (Option<f64>, Option<Interval>) {
    if all == 0 {
        return (None, None);
    }
    let proportion = Proportion {
        successes: of as f64,
        n: all as f64,
    };
    (
        Some(of as f64 / all as f64),
        Some(interval(wilson(proportion, 0.05))),
    )
}
