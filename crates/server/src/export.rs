//! `GET /predictions/export` and `GET /feedback/export`: the log in the order of the journal, as NDJSON, CSV or Parquet.
//!
//! It is read a piece at a time, each in a transaction of its own, so that a caller who reads slowly keeps nothing in the
//! database. While one piece is written in its format, the next one is read.

pub(crate) mod columns;
mod lines;
mod parquet;

use crate::access;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, Params};
use crate::openapi::problems;
use crate::predictions::range;
use crate::results::fresh;
use crate::state::AppState;
use api::ErrorCode;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use columns::{ExportedFeedback, Row};
use futures_util::stream;
use parquet::Parquet;
use serde::Deserialize;
use std::sync::Arc;
use store::{ExportFilter, Exported, ExportedPrediction, LogStore, Piece, StoreError};
use tokio::sync::OwnedSemaphorePermit;
use types::{Condition, ExperimentId, ExportFormat, ModelId, ModelName, Status, VersionName};
use utoipa::IntoParams;

/// Exports that run at a time: each may keep a core busy, and is as slow as its caller.
pub(crate) const AT_ONCE: usize = 4;
/// Rows of a piece.
const PIECE_ROWS: usize = 2048;
/// Its bytes; one more row may go beyond.
const PIECE_BYTES: usize = 2 << 20;
/// Values and outcomes that are read for a piece of feedback: with labels of 10 kB they are 5 MB.
const FEEDBACK_ROWS: usize = 512;

/// Where a whole export ends: go on after it.
const NEXT: HeaderName = HeaderName::from_static("weir-next-position");
/// What positions belong to.
const GENERATION: HeaderName = HeaderName::from_static("weir-generation");

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PredictionParams {
    /// How rows are written; `ndjson` where it is left out.
    #[param(value_type = Option<api::ExportFormat>)]
    format: Option<String>,
    /// Only those of this model.
    name: Option<String>,
    /// Only those meant for the version with this version string.
    version: Option<String>,
    /// Only those meant for this version.
    model_id: Option<String>,
    /// Only those that take part in this experiment.
    experiment: Option<String>,
    #[param(value_type = Option<api::PredictionStatus>)]
    status: Option<String>,
    /// Only those of this unit.
    unit_id: Option<String>,
    /// Only those made at or after this time.
    since: Option<String>,
    /// Only those made before this time.
    until: Option<String>,
    /// A condition on attributes, such as `country in [DE, AT]`.
    r#where: Option<String>,
    /// Begins after this position of the journal; from the beginning where it is left out.
    #[param(minimum = 0)]
    after_position: Option<i64>,
    /// What the position belongs to, as the header `weir-generation` of the export before said.
    generation: Option<String>,
    /// At most this many rows.
    #[param(minimum = 1)]
    limit: Option<i64>,
}

/// Exports logged predictions with the feedback that has come for them, oldest first.
///
/// A whole export ends at the position in the header `weir-next-position`: give it back as `after_position` for what came
/// since. If the export broke off, or had a `limit`, go on after the position of its last row. A value that comes after its
/// prediction was exported is in `GET /feedback/export`.
#[utoipa::path(
    get,
    path = "/predictions/export",
    tag = "predictions",
    params(PredictionParams),
    responses(
        (
            status = 200,
            description = "a row for each prediction; the columns are in docs/export.md",
            content(
                (String = "application/x-ndjson"),
                (String = "text/csv"),
                (Vec<u8> = "application/vnd.apache.parquet"),
            ),
            headers(
                ("weir-next-position" = u64, description = "the position after which to go on"),
                ("weir-generation" = String, description = "what positions belong to"),
            ),
        ),
        problems::NoModel,
        problems::Gone,
        problems::Busy,
        problems::Query,
        problems::Stored,
    )
)]
pub(crate) async fn predictions(
    State(state): State<AppState>,
    Params(params): Params<PredictionParams>,
) -> ApiResult<Response> {
    let mut fields = Fields::default();
    let p = &params;
    let status = p.status.as_deref().map(str::parse::<Status>);
    let filter = ExportFilter {
        name: fields.take_option("?name", p.name.as_deref().map(ModelName::parse)),
        version: fields.take_option("?version", p.version.as_deref().map(VersionName::parse)),
        model_id: fields.take_option(
            "?model_id",
            p.model_id.as_deref().map(str::parse::<ModelId>),
        ),
        status: fields.take_option("?status", status),
        experiment_id: fields.take_option(
            "?experiment",
            p.experiment.as_deref().map(str::parse::<ExperimentId>),
        ),
        unit_id: p.unit_id.clone(),
        range: range(&mut fields, p.since.as_deref(), p.until.as_deref()),
        condition: fields.take_option("?where", p.r#where.as_deref().map(Condition::parse)),
    };
    let asked = Asked::of(
        &mut fields,
        (p.format.as_deref(), p.after_position, p.limit),
        "predictions",
    );
    let asked = fields.finish(asked)?;
    may_be_exported(&state, p.name.as_deref(), p.generation.as_deref())?;
    asked.answer(state, Predictions(filter)).await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedbackParams {
    /// How rows are written; `ndjson` where it is left out.
    #[param(value_type = Option<api::ExportFormat>)]
    format: Option<String>,
    /// Only that of this model.
    name: Option<String>,
    /// Begins after this position of the journal; from the beginning where it is left out.
    #[param(minimum = 0)]
    after_position: Option<i64>,
    /// What the position belongs to, as the header `weir-generation` of the export before said.
    generation: Option<String>,
    /// At most this many rows, and those that came together with the last of them.
    #[param(minimum = 1)]
    limit: Option<i64>,
}

/// Exports feedback, oldest first: values for predictions and outcomes of units.
///
/// A value that was replaced is where it was replaced. Go on as after `GET /predictions/export`.
#[utoipa::path(
    get,
    path = "/feedback/export",
    tag = "feedback",
    params(FeedbackParams),
    responses(
        (
            status = 200,
            description = "a row for each value; the columns are in docs/export.md",
            content(
                (String = "application/x-ndjson"),
                (String = "text/csv"),
                (Vec<u8> = "application/vnd.apache.parquet"),
            ),
            headers(
                ("weir-next-position" = u64, description = "the position after which to go on"),
                ("weir-generation" = String, description = "what positions belong to"),
            ),
        ),
        problems::NoModel,
        problems::Gone,
        problems::Busy,
        problems::Query,
        problems::Stored,
    )
)]
pub(crate) async fn feedback(
    State(state): State<AppState>,
    Params(params): Params<FeedbackParams>,
) -> ApiResult<Response> {
    let mut fields = Fields::default();
    let p = &params;
    let name = fields.take_option("?name", p.name.as_deref().map(ModelName::parse));
    let asked = Asked::of(
        &mut fields,
        (p.format.as_deref(), p.after_position, p.limit),
        "feedback",
    );
    let asked = fields.finish(asked)?;
    may_be_exported(&state, p.name.as_deref(), p.generation.as_deref())?;
    asked.answer(state, Feedback(name)).await
}

/// Whether the caller may have it, the model is there (nobody means one that is not), and positions are still what they were.
fn may_be_exported(
    state: &AppState,
    name: Option<&str>,
    generation: Option<&str>,
) -> ApiResult<()> {
    access::check_option(name)?;
    if let Some(name) = name.filter(|name| state.snapshot.model(name).is_none()) {
        return Err(ApiError::model_not_found(name));
    }
    state.check_generation("?generation", generation)
}

/// What every export is asked for.
struct Asked {
    format: ExportFormat,
    after: u64,
    limit: u64,
    file: &'static str,
}

impl Asked {
    fn of(
        fields: &mut Fields,
        (format, after, limit): (Option<&str>, Option<i64>, Option<i64>),
        file: &'static str,
    ) -> Option<Self> {
        let format = fields.take_option("?format", format.map(types::find_word::<ExportFormat>));
        if limit.is_some_and(|limit| limit < 1) {
            fields.wrong("?limit", "must be 1 or more");
        }
        Some(Self {
            format: format.unwrap_or(ExportFormat::Ndjson),
            after: fields.position(after).unwrap_or(0),
            limit: limit
                .and_then(|limit| limit.try_into().ok())
                .unwrap_or(u64::MAX),
            file,
        })
    }

    async fn answer<S: Source>(self, state: AppState, source: S) -> ApiResult<Response> {
        let place = Arc::clone(&state.exports).try_acquire_owned();
        let place = place.map_err(|_| {
            let detail = format!("{AT_ONCE} exports are running, the most there may be; try again when one has ended.");
            ApiError::new(ErrorCode::TooManyRequests, detail)
        })?;
        let writer = Writer::<S::Row>::new(self.format).map_err(|error| failed(&error))?;
        // What is still on its way to the database is exported next time.
        fresh(&state).await;
        let until = state.store.position();
        if self.after > until {
            let detail = format!("is beyond the end of the log, which is {until}");
            return Err(ApiError::field("?after_position", detail));
        }
        let headers = [
            (CONTENT_TYPE, media_type(self.format).to_owned()),
            (NEXT, until.to_string()),
            (GENERATION, state.generation()),
            (
                CONTENT_DISPOSITION,
                format!(
                    "attachment; filename=\"{}.{}\"",
                    self.file,
                    self.format.as_str()
                ),
            ),
        ];
        let export = Export {
            state,
            source,
            writer: Some(writer),
            after: self.after,
            until,
            left: self.limit,
            read: None,
            _place: place,
        };
        let body = stream::unfold(Some(export), |export| async {
            let mut export = export?;
            match export.next().await {
                Ok(None) => None,
                Ok(Some(bytes)) => Some((Ok(bytes), Some(export))),
                Err(error) => {
                    tracing::error!(%error, "an export broke off");
                    Some((Err(BrokenOff), None))
                }
            }
        });
        Ok((headers, Body::from_stream(body)).into_response())
    }
}

fn failed(error: &dyn std::error::Error) -> ApiError {
    tracing::error!(%error, "an export could not be begun");
    ApiError::new(
        ErrorCode::Internal,
        "The export could not be begun; the log says why.",
    )
}

fn media_type(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Ndjson => "application/x-ndjson",
        ExportFormat::Csv => "text/csv; charset=utf-8; header=present",
        ExportFormat::Parquet => "application/vnd.apache.parquet",
    }
}

/// Where rows come from.
trait Source: Send + Sync + 'static {
    type Row: Row;

    /// The rows of a piece.
    fn read(
        &self,
        state: &AppState,
        piece: Piece,
    ) -> impl Future<Output = Result<Exported<Self::Row>, StoreError>> + Send;
}

struct Predictions(ExportFilter);

impl Source for Predictions {
    type Row = ExportedPrediction;

    async fn read(
        &self,
        state: &AppState,
        piece: Piece,
    ) -> Result<Exported<ExportedPrediction>, StoreError> {
        state.store.export_predictions(self.0.clone(), piece).await
    }
}

struct Feedback(Option<ModelName>);

impl Source for Feedback {
    type Row = ExportedFeedback;

    /// Values for predictions and outcomes of units are in tables of their own, which are put together by position.
    async fn read(
        &self,
        state: &AppState,
        piece: Piece,
    ) -> Result<Exported<ExportedFeedback>, StoreError> {
        // The rare ones of a model are found among as many as a piece has.
        let limit = FEEDBACK_ROWS;
        let values = state
            .store
            .feedback_after(piece.after, limit as u32)
            .await?;
        let outcomes = state
            .store
            .outcomes_after(piece.after, limit as u32)
            .await?;
        let end = |read: usize, last: Option<u64>| match last {
            Some(last) if read >= limit => last.min(piece.until),
            _ => piece.until,
        };
        // What came after the end of the one that was cut may lie before what was not read of it.
        let reached = end(values.len(), values.last().map(|value| value.position));
        let mut reached = reached.min(end(
            outcomes.len(),
            outcomes.last().map(|outcome| outcome.position),
        ));
        let values = values.into_iter().map(ExportedFeedback::Prediction);
        let outcomes = outcomes.into_iter().map(ExportedFeedback::Unit);
        let wanted = |row: &ExportedFeedback| {
            row.position() <= reached && self.0.as_ref().is_none_or(|name| name == row.name())
        };
        let mut rows: Vec<_> = values.chain(outcomes).filter(wanted).collect();
        rows.sort_by_key(ExportedFeedback::position);
        // What came together is never cut.
        if rows.len() > piece.rows
            && let Some(last) = rows.get(piece.rows - 1).map(ExportedFeedback::position)
        {
            rows.retain(|row| row.position() <= last);
            reached = last;
        }
        Ok(Exported { rows, reached })
    }
}

/// An export that runs as its caller reads it.
struct Export<S: Source> {
    state: AppState,
    source: S,
    /// Nothing once it has ended.
    writer: Option<Writer<S::Row>>,
    after: u64,
    until: u64,
    /// Rows that it may still have.
    left: u64,
    /// What was read ahead.
    read: Option<Exported<S::Row>>,
    _place: OwnedSemaphorePermit,
}

/// Ends a body before its end, so that nobody takes it for whole.
#[derive(Debug, thiserror::Error)]
#[error("the export broke off")]
struct BrokenOff;

impl<S: Source> Export<S> {
    /// The next bytes; `None` behind the last.
    async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        while let Some(mut writer) = self.writer.take() {
            let Exported { rows, reached } = match self.read.take() {
                Some(read) => read,
                None => self.piece().await?,
            };
            self.left = self.left.saturating_sub(rows.len() as u64);
            self.after = reached;
            let is_last = self.after >= self.until || self.left == 0;
            let writing = tokio::task::spawn_blocking(move || {
                writer.add(&rows)?;
                if is_last {
                    writer.finish()?;
                }
                let bytes = writer.take()?;
                anyhow::Ok((writer, bytes))
            });
            // The next piece is read while this one is written.
            let bytes = if is_last {
                writing.await??.1
            } else {
                let (written, read) = tokio::join!(writing, self.piece());
                let (writer, bytes) = written??;
                self.writer = Some(writer);
                self.read = Some(read?);
                bytes
            };
            if !bytes.is_empty() {
                return Ok(Some(bytes.into()));
            }
        }
        Ok(None)
    }

    async fn piece(&self) -> Result<Exported<S::Row>, StoreError> {
        let piece = Piece {
            after: self.after,
            until: self.until,
            rows: self.left.min(PIECE_ROWS as u64) as usize,
            bytes: PIECE_BYTES,
        };
        self.source.read(&self.state, piece).await
    }
}

/// Writes rows in a format.
struct Writer<R> {
    format: Format,
    row: std::marker::PhantomData<fn(R)>,
}

enum Format {
    Ndjson(Vec<u8>),
    Csv(Vec<u8>),
    Parquet(Box<Parquet>),
}

impl<R: Row> Writer<R> {
    fn new(format: ExportFormat) -> Result<Self, ::parquet::errors::ParquetError> {
        let format = match format {
            ExportFormat::Ndjson => Format::Ndjson(Vec::new()),
            ExportFormat::Csv => {
                let mut header = Vec::new();
                lines::csv_header::<R>(&mut header);
                Format::Csv(header)
            }
            ExportFormat::Parquet => Format::Parquet(Parquet::new::<R>()?.into()),
        };
        let row = std::marker::PhantomData;
        Ok(Self { format, row })
    }

    fn add(&mut self, rows: &[R]) -> anyhow::Result<()> {
        for row in rows {
            match &mut self.format {
                Format::Ndjson(to) => lines::json(row, to),
                Format::Csv(to) => lines::csv(row, to),
                Format::Parquet(parquet) => parquet.add(row)?,
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        if let Format::Parquet(parquet) = &mut self.format {
            parquet.finish()?;
        }
        Ok(())
    }

    fn take(&mut self) -> anyhow::Result<Vec<u8>> {
        Ok(match &mut self.format {
            Format::Ndjson(to) | Format::Csv(to) => std::mem::take(to),
            Format::Parquet(parquet) => parquet.take()?,
        })
    }
}
