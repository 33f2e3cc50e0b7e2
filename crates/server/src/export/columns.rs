//! What an exported row consists of: the same columns in every format.

use std::borrow::Cow;
use store::{ExportedPrediction, PlacedFeedback, PlacedOutcome};
use types::{Input, Timestamp};

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A moment.
    Time,
    /// A text.
    Text,
    /// A text of few different values, such as the name of a model.
    Word,
    /// Any JSON: a text in CSV and Parquet.
    Json,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether it may be empty.
    pub(crate) optional: bool,
}

const fn always(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        optional: false,
    }
}

const fn maybe(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        optional: true,
    }
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Integer(i64),
    Number(f64),
    Time(Timestamp),
    Text(Cow<'a, str>),
    Json(Cow<'a, str>),
}

/// A row that can be exported.
pub(crate) trait Row: Send + Sync + 'static {
    /// Its columns.
    const COLUMNS: &'static [Column];

    /// The values, in the order of the columns.
    fn cells(&self, put: &mut dyn FnMut(Cell<'_>));
}

fn text<'a>(value: impl Into<Cow<'a, str>>) -> Cell<'a> {
    Cell::Text(value.into())
}

fn text_option(value: Option<&str>) -> Cell<'_> {
    value.map_or(Cell::Null, text)
}

fn number_option(value: Option<f64>) -> Cell<'static> {
    value.map_or(Cell::Null, Cell::Number)
}

fn json_option(value: Option<&types::Json>) -> Cell<'_> {
    value.map_or(Cell::Null, |json| Cell::Json(json.as_str().into()))
}

fn json_of(value: &impl serde::Serialize) -> Cell<'static> {
    serde_json::to_string(value).map_or(Cell::Null, |text| Cell::Json(text.into()))
}

impl Row for ExportedPrediction {
    const COLUMNS: &'static [Column] = &[
        always("position", Kind::Integer),
        always("prediction_id", Kind::Text),
        always("created_at", Kind::Time),
        always("name", Kind::Word),
        always("model_id", Kind::Word),
        always("model_version", Kind::Word),
        maybe("served_model_id", Kind::Word),
        always("status", Kind::Word),
        always("reason", Kind::Word),
        always("epoch", Kind::Integer),
        always("propensity", Kind::Number),
        maybe("experiment", Kind::Word),
        maybe("unit_id", Kind::Text),
        maybe("attributes", Kind::Json),
        maybe("alias", Kind::Word),
        maybe("request_id", Kind::Text),
        maybe("made_at", Kind::Time),
        maybe("text", Kind::Text),
        maybe("inputs", Kind::Json),
        maybe("prediction", Kind::Json),
        maybe("confidence", Kind::Number),
        maybe("outputs", Kind::Json),
        maybe("latency_ms", Kind::Number),
        maybe("error", Kind::Word),
        maybe("failure", Kind::Word),
        maybe("kept", Kind::Json),
        maybe("feedback", Kind::Json),
        maybe("label", Kind::Json),
    ];

    fn cells(&self, put: &mut dyn FnMut(Cell<'_>)) {
        let p = &self.prediction;
        put(Cell::Integer(p.position.unwrap_or(0) as i64));
        put(text(p.id.to_string()));
        put(Cell::Time(p.id.time()));
        put(text(p.name.as_str()));
        put(text(p.model_id.to_string()));
        put(text(p.version.as_str()));
        put(p
            .served_model_id
            .map_or(Cell::Null, |id| text(id.to_string())));
        put(text(p.status.as_str()));
        put(text(p.reason.as_str()));
        put(Cell::Integer(p.epoch));
        put(Cell::Number(p.propensity));
        put(p
            .experiment_id
            .map_or(Cell::Null, |id| text(id.to_string())));
        put(text_option(p.unit_id.as_deref()));
        put(if p.attributes.is_empty() {
            Cell::Null
        } else {
            json_of(&p.attributes)
        });
        put(text_option(p.alias.as_deref()));
        put(text_option(
            p.request.as_ref().map(|request| request.id.as_str()),
        ));
        put(p.made_at.map_or(Cell::Null, Cell::Time));
        match &p.input {
            _ if p.kept.input.is_empty() => {
                put(Cell::Null);
                put(Cell::Null);
            }
            Input::Text(input) => {
                put(text(input));
                put(Cell::Null);
            }
            Input::Json(inputs) => {
                put(Cell::Null);
                put(Cell::Json(inputs.as_str().into()));
            }
        }
        put(json_option(p.prediction.as_ref()));
        put(number_option(p.confidence));
        put(json_option(p.outputs.as_ref()));
        put(number_option(
            p.latency_ns.map(|latency| latency as f64 / 1e6),
        ));
        put(text_option(p.error.as_deref()));
        put(text_option(p.failure.map(types::Failure::as_str)));
        put(match p.kept.is_full() {
            true => Cell::Null,
            false => json_of(&crate::predictions::kept(p.kept)),
        });
        let values = self.feedback.iter();
        let values = values.map(|value| (value.metric.as_str(), value.value));
        put(match self.feedback.is_empty() {
            true => Cell::Null,
            false => json_of(&values.collect::<std::collections::BTreeMap<_, _>>()),
        });
        let label = self.feedback.iter().find_map(|value| value.label.as_ref());
        put(label.map_or(Cell::Null, json_of));
    }
}

/// A value that came for a prediction, or for a unit.
#[derive(Debug, Clone)]
pub(crate) enum ExportedFeedback {
    Prediction(PlacedFeedback),
    Unit(PlacedOutcome),
}

impl ExportedFeedback {
    pub(crate) fn position(&self) -> u64 {
        match self {
            Self::Prediction(of) => of.position,
            Self::Unit(of) => of.position,
        }
    }

    pub(crate) fn name(&self) -> &types::ModelName {
        match self {
            Self::Prediction(of) => &of.name,
            Self::Unit(of) => &of.outcome.name,
        }
    }
}

impl Row for ExportedFeedback {
    const COLUMNS: &'static [Column] = &[
        always("position", Kind::Integer),
        always("received_at", Kind::Time),
        always("name", Kind::Word),
        always("metric", Kind::Word),
        always("value", Kind::Number),
        maybe("label", Kind::Json),
        maybe("prediction_id", Kind::Text),
        maybe("model_id", Kind::Word),
        maybe("model_version", Kind::Word),
        maybe("experiment", Kind::Word),
        maybe("unit_id", Kind::Text),
        maybe("at", Kind::Time),
        maybe("outcome_id", Kind::Text),
    ];

    fn cells(&self, put: &mut dyn FnMut(Cell<'_>)) {
        match self {
            Self::Prediction(of) => {
                put(Cell::Integer(of.position as i64));
                put(Cell::Time(of.feedback.received_at));
                put(text(of.name.as_str()));
                put(text(of.feedback.metric.as_str()));
                put(Cell::Number(of.feedback.value));
                put(of.feedback.label.as_ref().map_or(Cell::Null, json_of));
                put(text(of.prediction_id.to_string()));
                put(text(of.model_id.to_string()));
                put(text(of.version.as_str()));
                put(of
                    .experiment_id
                    .map_or(Cell::Null, |id| text(id.to_string())));
                put(text_option(of.unit_id.as_deref()));
                put(Cell::Null);
                put(Cell::Null);
            }
            Self::Unit(of) => {
                put(Cell::Integer(of.position as i64));
                put(Cell::Time(of.outcome.received_at));
                put(text(of.outcome.name.as_str()));
                put(text(of.outcome.metric.as_str()));
                put(Cell::Number(of.outcome.value));
                for _ in 0..5 {
                    put(Cell::Null);
                }
                put(text(of.unit_id.as_str()));
                put(Cell::Time(of.outcome.at));
                put(text_option(of.outcome.outcome_id.as_deref()));
            }
        }
    }
}
