//! `/predictions`: the log.

use crate::access;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, Params, TextPath};
use crate::feedback::wire_value;
use crate::openapi::{path, problems};
use crate::pages::{Gathering, PAGE_BYTES};
use crate::results::fresh;
use crate::state::AppState;
use api::{ErrorCode, Kept, KeptPart, LoggedPrediction, PredictionPage, ShadowAnswer};
use axum::Json as Reply;
use axum::extract::State;
use serde::Deserialize;
use store::{LogStore, PredictionFilter, ShadowOf};
use types::{
    Condition, ExperimentId, Input, ModelId, ModelName, PredictionId, Status, TimeRange, Timestamp,
    VersionName,
};
use utoipa::IntoParams;

const DEFAULT_LIMIT: u32 = 50;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    name: Option<String>,
    version: Option<String>,
    model_id: Option<String>,
    #[param(value_type = Option<api::PredictionStatus>)]
    status: Option<String>,
    /// Only those of this unit. As with `where`, at most 50,000 predictions are looked at for a page.
    unit_id: Option<String>,
    /// Only those that take part in this experiment. As with `where`, at most 50,000 are looked at for a page.
    experiment: Option<String>,
    since: Option<String>,
    until: Option<String>,
    /// A condition on attributes, such as `country in [DE, AT]`. At most 50,000 predictions are looked at for a page:
    /// one that holds fewer than `limit`, and a `next_cursor`, is not the last.
    r#where: Option<String>,
    cursor: Option<String>,
    /// Reads on from this position of the journal, in its order: what came after it, oldest first. It goes with
    /// `limit` alone.
    #[param(minimum = 0)]
    after_position: Option<i64>,
    /// What the position belongs to, as the page before said.
    generation: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Lists logged predictions.
#[utoipa::path(
    get,
    path = "/predictions",
    tag = "predictions",
    params(ListParams),
    responses(
        (status = 200, description = "logged predictions, newest first", body = PredictionPage),
        problems::Gone,
        problems::Query,
        problems::Stored,
    )
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(params): Params<ListParams>,
) -> ApiResult<Reply<PredictionPage>> {
    let cursor = state.of_cursor(params.cursor.as_deref())?;
    let Asked { filter, of, after } = check(&params, cursor)?;
    state.check_generation("?generation", params.generation.as_deref())?;
    let limit = filter.limit;
    let log_lag = fresh(&state).await;
    let end = state.store.position();
    if after.is_some_and(|after| after > end) {
        return Err(ApiError::beyond_the_end("?after_position", "log", end));
    }
    let (found, next_cursor, next_position) = match (after, of) {
        (None, None) => {
            let (found, next) = newest(&state, filter).await?;
            (found, next, None)
        }
        (None, Some(wanted)) => {
            let (found, next) = search(&state, filter, &wanted).await?;
            (found, next, None)
        }
        // Whoever has read all asks again from where they are.
        (Some(before), _) => {
            let mut found = Gathering::new(limit as usize);
            let mut after = before;
            while let Some(next) = found.next() {
                let chunk = state.store.predictions_after(after, next).await?;
                let is_last = chunk.len() < next as usize;
                let last = chunk.last().and_then(|prediction| prediction.position);
                after = last.unwrap_or(after);
                found.take(chunk);
                if is_last {
                    break;
                }
            }
            (found.into_rows(), None, Some(after))
        }
    };
    let next_cursor = next_cursor.map(|id| state.cursor(id));
    let predictions = found.into_iter().map(wire).collect();
    Ok(Reply(PredictionPage {
        predictions,
        next_cursor,
        generation: next_position.map(|_| state.generation()),
        next_position,
        log_lag,
    }))
}

/// So many predictions are looked at for a page.
const LOOKED_AT: u32 = 50_000;

/// The newest that fit, as many as a page has, and where to go on, if there may be more.
async fn newest(
    state: &AppState,
    filter: PredictionFilter,
) -> ApiResult<(Vec<store::LoggedPrediction>, Option<PredictionId>)> {
    let mut found = Gathering::new(filter.limit as usize);
    let mut before = filter.before;
    while let Some(limit) = found.next() {
        let chunk = PredictionFilter {
            before,
            limit,
            ..filter.clone()
        };
        let chunk = state.store.predictions(chunk).await?;
        let is_last = chunk.len() < limit as usize;
        before = chunk.last().map(|prediction| prediction.id).or(before);
        found.take(chunk);
        if is_last {
            return Ok((found.into_rows(), None));
        }
    }
    let last = found.last().map(|prediction| prediction.id);
    Ok((found.into_rows(), last))
}

/// What has no index: each prediction is looked at.
#[derive(Default)]
struct Wanted {
    condition: Option<Condition>,
    unit_id: Option<String>,
    experiment: Option<ExperimentId>,
}

impl Wanted {
    fn takes(&self, prediction: &store::LoggedPrediction) -> bool {
        let meets = |condition: &Condition| prediction.meets(condition);
        self.condition.as_ref().is_none_or(meets)
            && (self.unit_id.is_none() || self.unit_id == prediction.unit_id)
            && (self.experiment.is_none() || self.experiment == prediction.experiment_id)
    }
}

/// The newest that are wanted, and where to go on.
async fn search(
    state: &AppState,
    filter: PredictionFilter,
    wanted: &Wanted,
) -> ApiResult<(Vec<store::LoggedPrediction>, Option<PredictionId>)> {
    let mut found = Vec::new();
    let mut before = filter.before;
    let (mut looked_at, mut bytes) = (0, 0);
    while looked_at < LOOKED_AT {
        let chunk = PredictionFilter {
            before,
            limit: LOOKED_AT - looked_at,
            ..filter.clone()
        };
        let (chunk, next) = newest(state, chunk).await?;
        looked_at += chunk.len() as u32;
        for prediction in chunk {
            before = Some(prediction.id);
            if wanted.takes(&prediction) {
                bytes += prediction.bytes();
                found.push(prediction);
            }
            if found.len() == filter.limit as usize || bytes >= PAGE_BYTES {
                return Ok((found, before));
            }
        }
        if next.is_none() {
            return Ok((found, None));
        }
    }
    Ok((found, before))
}

impl ListParams {
    /// Whether only some predictions are asked for.
    fn restricts(&self) -> bool {
        let given = [
            &self.name,
            &self.version,
            &self.model_id,
            &self.status,
            &self.unit_id,
            &self.experiment,
            &self.since,
            &self.until,
            &self.r#where,
            &self.cursor,
        ];
        given.into_iter().any(Option::is_some)
    }
}

/// What is listed.
struct Asked {
    filter: PredictionFilter,
    /// Those that are like this.
    of: Option<Wanted>,
    /// In the order of the journal, from a position on.
    after: Option<u64>,
}

fn check(params: &ListParams, cursor: Option<&str>) -> ApiResult<Asked> {
    let mut fields = Fields::default();
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=1000).contains(&limit) {
        fields.wrong("?limit", "must be from 1 to 1000");
    }
    let after = fields.position(params.after_position);
    if after.is_some() && params.restricts() {
        fields.wrong("?after_position", "goes with `limit` alone");
    }
    let status = params.status.as_deref().map(str::parse::<Status>);
    let filter = PredictionFilter {
        name: fields.take_option("?name", params.name.as_deref().map(ModelName::parse)),
        version: fields.take_option(
            "?version",
            params.version.as_deref().map(VersionName::parse),
        ),
        model_id: fields.take_option(
            "?model_id",
            params.model_id.as_deref().map(str::parse::<ModelId>),
        ),
        status: fields.take_option("?status", status),
        range: range(
            &mut fields,
            params.since.as_deref(),
            params.until.as_deref(),
        ),
        before: fields.take_option("?cursor", cursor.map(str::parse::<PredictionId>)),
        limit,
    };
    let experiment = params.experiment.as_deref().map(str::parse::<ExperimentId>);
    let wanted = Wanted {
        condition: fields.take_option("?where", params.r#where.as_deref().map(Condition::parse)),
        unit_id: params.unit_id.clone(),
        experiment: fields.take_option("?experiment", experiment),
    };
    let given = [&params.r#where, &params.unit_id, &params.experiment];
    let of = given.into_iter().any(Option::is_some).then_some(wanted);
    let asked = fields.finish(Some(Asked { filter, of, after }))?;
    access::check_option(params.name.as_deref())?;
    Ok(asked)
}

/// `since` (inclusive) and `until` (exclusive) of a query.
pub(crate) fn range(fields: &mut Fields, since: Option<&str>, until: Option<&str>) -> TimeRange {
    let since = fields.take_option("?since", since.map(str::parse::<Timestamp>));
    let until = fields.take_option("?until", until.map(str::parse::<Timestamp>));
    if since
        .zip(until)
        .is_some_and(|(since, until)| since >= until)
    {
        fields.wrong("?until", "must be later than `since`");
    }
    TimeRange { since, until }
}

/// Reads a logged prediction, with the feedback that came for it, and what other versions made of copies of its request.
#[utoipa::path(
    get,
    path = "/predictions/{prediction_id}",
    tag = "predictions",
    params(path::Prediction),
    responses(
        (status = 200, description = "the prediction", body = LoggedPrediction),
        problems::NoPrediction,
    )
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    TextPath(text): TextPath<String>,
) -> ApiResult<Reply<LoggedPrediction>> {
    let missing = || {
        let detail = format!("No prediction {text} is logged.");
        ApiError::new(ErrorCode::PredictionNotFound, detail)
    };
    let id: PredictionId = text.parse().map_err(|_| missing())?;
    let behind = fresh(&state).await.is_some();
    let found = match state.store.prediction(id).await? {
        Some(found) => found,
        // It may be among what is still to be counted.
        None if behind => return Err(ApiError::log_behind()),
        None => return Err(missing()),
    };
    if !access::covers(found.name.as_str()) {
        return Err(missing());
    }
    let feedback = state.store.feedback_of(id).await?;
    let feedback = feedback.into_iter().map(wire_value).collect();
    Ok(Reply(LoggedPrediction {
        feedback: Some(feedback),
        shadows: shadows_of(&state, &found).await?,
        ..wire(found)
    }))
}

fn wire(p: store::LoggedPrediction) -> LoggedPrediction {
    let (text, inputs) = match p.input {
        _ if p.kept.input.is_empty() => (None, None),
        Input::Text(text) => (Some(text), None),
        Input::Json(inputs) => (None, Some(inputs)),
    };
    LoggedPrediction {
        prediction_id: p.id.to_string(),
        created_at: p.id.time().to_string(),
        name: p.name.to_string(),
        model_id: p.model_id.to_string(),
        model_version: p.version.to_string(),
        served_model_id: p.served_model_id.map(|id| id.to_string()),
        status: p.status.into(),
        reason: p.reason.into(),
        epoch: p.epoch,
        propensity: p.propensity,
        unit_id: p.unit_id,
        attributes: p.attributes.into(),
        alias: p.alias,
        request_id: p.request.map(|request| request.id.to_string()),
        made_at: p.made_at.map(|at| at.to_string()),
        text,
        inputs,
        prediction: p.prediction,
        confidence: p.confidence,
        outputs: p.outputs,
        latency_ms: p.latency_ns.map(|latency| latency as f64 / 1e6),
        error: p.error,
        failure: p.failure.map(Into::into),
        experiment: p.experiment_id.map(|id| id.to_string()),
        position: p.position,
        kept: (!p.kept.is_full()).then(|| kept(p.kept)),
        feedback: None,
        shadows: Vec::new(),
    }
}

/// What versions made of copies of a request; those that are deleted are left out.
async fn shadows_of(
    state: &AppState,
    found: &store::LoggedPrediction,
) -> ApiResult<Vec<ShadowAnswer>> {
    let shadows = state.store.shadows_of(found.id).await?;
    let Some(model) = state.snapshot.model(found.name.as_str()) else {
        return Ok(Vec::new());
    };
    let versions = &model.traffic().versions;
    let wire = |shadow: ShadowOf| {
        let at = versions
            .iter()
            .position(|version| version.key == shadow.version)?;
        Some(ShadowAnswer {
            model_id: model.model_ids[at].clone(),
            model_version: versions[at].version.to_string(),
            status: shadow.answer.status.into(),
            prediction: shadow.answer.prediction,
            confidence: shadow.answer.confidence,
            latency_ms: shadow.answer.latency_ns.map(|latency| latency as f64 / 1e6),
            error: shadow.error,
        })
    };
    Ok(shadows.into_iter().filter_map(wire).collect())
}

/// How much of a prediction is there.
pub(crate) fn kept(kept: types::Kept) -> Kept {
    Kept {
        inputs: KeptPart::of(kept.input),
        outputs: KeptPart::of(kept.output),
        attributes: KeptPart::of(kept.attributes),
    }
}
