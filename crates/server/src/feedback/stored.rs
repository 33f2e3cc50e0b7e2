//! What is kept of feedback: the values in their order, and what became of a request.

use super::refused;
use crate::access;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, Params, TextPath};
use crate::openapi::{path, problems};
use crate::results::fresh;
use crate::state::AppState;
use api::{
    ErrorCode, FeedbackPage, OutcomePage, PlacedFeedback, ReceiptWord, RequestReceipt,
    StoredFeedback, StoredOutcome,
};
use axum::Json as Reply;
use axum::extract::State;
use serde::Deserialize;
use store::LogStore;
use types::{ModelName, ReceiptId, UnitId};
use utoipa::IntoParams;

const DEFAULT_LIMIT: u32 = 50;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Reads on from this position of the journal; from the beginning where it is left out.
    #[param(minimum = 0)]
    after_position: Option<i64>,
    /// What the position belongs to, as the page before said.
    generation: Option<String>,
    /// At most this many, and what came together with the last of them.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Lists the values that came for predictions, in the order in which they came.
#[utoipa::path(
    get,
    path = "/feedback",
    tag = "feedback",
    params(ListParams),
    responses(
        (status = 200, description = "values, oldest first", body = FeedbackPage),
        problems::Gone,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(params): Params<ListParams>,
) -> ApiResult<Reply<FeedbackPage>> {
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT);
    let mut fields = Fields::default();
    if !(1..=1000).contains(&limit) {
        fields.wrong("?limit", "must be from 1 to 1000");
    }
    let after = fields.position(params.after_position).unwrap_or(0);
    fields.finish(Some(()))?;
    access::check_option(None)?;
    state.check_generation("?generation", params.generation.as_deref())?;
    let log_lag = fresh(&state).await;
    let found = state.store.feedback_after(after, limit).await?;
    let next_position = found.last().map_or(after, |last| last.position);
    let wire = |placed: store::PlacedFeedback| PlacedFeedback {
        prediction_id: placed.prediction_id.to_string(),
        value: wire_value(placed.feedback),
        position: placed.position,
    };
    Ok(Reply(FeedbackPage {
        feedback: found.into_iter().map(wire).collect(),
        next_position,
        generation: state.generation(),
        log_lag,
    }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OutcomeParams {
    /// The unit.
    unit_id: String,
    /// The model; all where none is named.
    name: Option<String>,
}

/// So many outcomes of a unit are listed.
const OUTCOMES: u32 = 1000;

/// Lists the outcomes of a unit, in the order in which they came.
#[utoipa::path(
    get,
    path = "/outcomes",
    tag = "feedback",
    params(OutcomeParams),
    responses(
        (status = 200, description = "outcomes, oldest first", body = OutcomePage),
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn outcomes(
    State(state): State<AppState>,
    Params(params): Params<OutcomeParams>,
) -> ApiResult<Reply<OutcomePage>> {
    let mut fields = Fields::default();
    let unit = fields.take("?unit_id", UnitId::parse(&params.unit_id));
    let name = fields.take_option("?name", params.name.as_deref().map(ModelName::parse));
    let unit = fields.finish(unit)?;
    access::check_option(params.name.as_deref())?;
    let log_lag = fresh(&state).await;
    let found = state.store.outcomes_of(unit, name, OUTCOMES).await?;
    let wire = |outcome: store::StoredOutcome| StoredOutcome {
        name: outcome.name.to_string(),
        metric: outcome.metric.to_string(),
        value: outcome.value,
        at: outcome.at.to_string(),
        outcome_id: outcome.outcome_id,
        received_at: outcome.received_at.to_string(),
        exposed: outcome.joined,
    };
    Ok(Reply(OutcomePage {
        outcomes: found.into_iter().map(wire).collect(),
        log_lag,
    }))
}

pub(crate) fn wire_value(value: store::StoredFeedback) -> StoredFeedback {
    StoredFeedback {
        metric: value.metric.to_string(),
        value: value.value,
        label: value.label,
        received_at: value.received_at.to_string(),
    }
}

/// What became of a request with feedback that was answered by 202, or in which something was refused.
///
/// Receipts are kept for 7 days. A request whose caller was told everything at once has none.
#[utoipa::path(
    get,
    path = "/feedback/receipts/{receipt}",
    tag = "feedback",
    params(path::Receipt),
    responses(
        (status = 200, description = "what became of it so far", body = RequestReceipt),
        problems::NoReceipt,
    ),
)]
pub(crate) async fn receipt(
    State(state): State<AppState>,
    TextPath(text): TextPath<String>,
) -> ApiResult<Reply<RequestReceipt>> {
    let missing = || {
        let detail = format!(
            "There is no receipt {text}: receipts are kept for 7 days, where the answer was not awaited or \
             something was refused."
        );
        ApiError::new(ErrorCode::ReceiptNotFound, detail)
    };
    let id: ReceiptId = text.parse().map_err(|_| missing())?;
    let behind = fresh(&state).await.is_some();
    // Asked first: what is stored between both questions is found by the second.
    let pending = state.log.receipts().is_pending(id);
    match state.store.receipt(id).await? {
        Some(receipt) => Ok(Reply(wire_receipt(id, &receipt, pending || behind))),
        None if pending => Ok(Reply(wire_receipt(
            id,
            &store::RequestReceipt::pending(),
            true,
        ))),
        None if behind => Err(ApiError::log_behind()),
        None => Err(missing()),
    }
}

fn wire_receipt(
    id: ReceiptId,
    receipt: &store::RequestReceipt,
    more_to_come: bool,
) -> RequestReceipt {
    let status = match (receipt.is_complete(), more_to_come) {
        (true, _) => ReceiptWord::Complete,
        (false, true) => ReceiptWord::Pending,
        (false, false) => ReceiptWord::Incomplete,
    };
    let errors = receipt.refusals.iter();
    RequestReceipt {
        receipt: id.to_string(),
        status: status.into(),
        recorded: receipt.recorded,
        duplicate: receipt.duplicate,
        replaced: receipt.replaced,
        unmatched: receipt.unmatched,
        dropped: receipt.dropped,
        set_aside: receipt.set_aside,
        rejected: receipt.refused,
        errors: errors
            .map(|value| refused(&value.refusal).of_line(value.line))
            .collect(),
    }
}
