//! What language models say of their answers (tokens, cost, time to the first token, length) as values of metrics: they are
//! told of each prediction like any other feedback, so everything that is known of metrics holds for them.

use crate::clock;
use crate::state::AppState;
use catalog::Command;
use journal::Frame;
use std::time::Instant;
use store::entry::{FeedbackEntry, encode_feedback};
use store::{Feedback, FeedbackContent, FeedbackOf};
use types::{
    Combine, Direction, Json, Metric, MetricKind, MetricName, Missing, ModelName, ModelTraffic,
    Per, PredictionId, ReceiptId,
};

/// The metrics, the kind of each and which way is better. They are outputs by the same names.
const METRICS: [(&str, MetricKind, Direction); 5] = [
    ("tokens_in", MetricKind::Count, Direction::Down),
    ("tokens_out", MetricKind::Count, Direction::Down),
    ("cost", MetricKind::Continuous, Direction::Down),
    (
        "time_to_first_token_ms",
        MetricKind::Continuous,
        Direction::Down,
    ),
    ("output_length", MetricKind::Count, Direction::Down),
];

/// Declares the metrics of a model with a language model among its versions, where nobody has.
pub(crate) async fn declare(state: &AppState, name: &ModelName) {
    for (metric, kind, direction) in METRICS {
        let Ok(metric_name) = MetricName::parse(metric) else {
            continue;
        };
        let known = state.catalogue.state(name);
        if known.is_ok_and(|known| known.metrics.contains_key(&metric_name)) {
            continue;
        }
        let metric = Metric {
            name: metric_name,
            kind,
            direction,
            // They come with the answer; the window leaves the log its time to count them.
            window_seconds: 10,
            lower_bound: Some(0.0),
            upper_bound: None,
            missing: Missing::Excluded,
            per: Per::Prediction,
            combine: Combine::default(),
            covariate: None,
            cap: None,
            floor: None,
        };
        if let Err(error) = state
            .command(name, Command::SetMetric(Box::new(metric)))
            .await
        {
            tracing::warn!(%error, %name, "a metric of language models could not be declared");
        }
    }
}

/// Tells the values of an answer, for the metrics that are declared.
pub(super) async fn append(
    state: &AppState,
    traffic: &ModelTraffic,
    id: PredictionId,
    outputs: &Json,
    deadline: Instant,
) {
    let Ok(known) = state.catalogue.state(&traffic.name) else {
        return;
    };
    let outputs = outputs.value();
    let value = |name: &str| {
        let metric = MetricName::parse(name).ok()?;
        let declared = known.metrics.contains_key(&metric);
        let value = outputs.get(name)?.as_f64().filter(|_| declared)?;
        Some(Feedback {
            of: FeedbackOf::Prediction(id),
            content: FeedbackContent::Value(metric, value),
            replace: false,
        })
    };
    let values = METRICS.iter().filter_map(|(name, ..)| value(name));
    let values: Vec<(u64, Feedback)> = (1..).zip(values).collect();
    if values.is_empty() {
        return;
    }
    let now = state.clock.now();
    let entry = FeedbackEntry {
        receipt: ReceiptId::new(now, clock::random()),
        part: 0,
        parts: 1,
        values,
    };
    let mut frame = Frame::default();
    encode_feedback(&entry, now, frame.payload());
    let bytes = frame.payload().len() as u64;
    let appended = match state.log.reserve(bytes, deadline).await {
        Some(mut room) => state
            .log
            .append_frame(&mut room, &mut frame)
            .map_err(|error| error.to_string()),
        None => Err(state.log.why_full()),
    };
    if let Err(reason) = appended {
        tracing::warn!(%id, reason, "the tokens of an answer could not be logged beside it; they are in its outputs");
    }
}
