//! `weir metrics`: what the versions of a model are measured by.

use crate::args::{DeclareMetricArgs, MetricsArgs, MetricsCommand};
use crate::control::{Cli, run};
use crate::table::fitting;
use anyhow::Context;
use api::{DeclareMetric, Metric};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

pub(crate) fn metrics(args: &MetricsArgs) -> anyhow::Result<ExitCode> {
    run(async {
        let cli = Cli::new(&args.connect)?;
        match &args.command {
            MetricsCommand::List { name } => {
                let metrics = cli.client.metrics(name).await?;
                cli.print(&metrics, || list(&metrics))
            }
            MetricsCommand::Declare(declare) => {
                let body = declared(declare)?;
                let (name, metric) = (&declare.name, &declare.metric);
                let metric = cli.client.declare_metric(name, metric, &body).await?;
                cli.print(&metric, || list(std::slice::from_ref(&metric)))
            }
            MetricsCommand::Delete { name, metric } => {
                let said = cli.client.delete_metric(name, metric).await?;
                cli.print(&said, || said.message.clone())
            }
        }
    })
}

fn declared(args: &DeclareMetricArgs) -> anyhow::Result<DeclareMetric> {
    let covariate = args.covariate.as_deref().map(|covariate| match covariate {
        "before" => json!("before"),
        attribute => json!({"attribute": attribute}),
    });
    let fields = [
        ("kind", Some(json!(args.kind))),
        ("direction", Some(json!(args.direction))),
        ("window_seconds", args.window.map(|window| json!(window.0))),
        ("per", Some(json!(args.per))),
        ("combine", args.combine.as_ref().map(|how| json!(how))),
        ("missing", args.missing.as_ref().map(|how| json!(how))),
        ("lower_bound", args.lower_bound.map(|value| json!(value))),
        ("upper_bound", args.upper_bound.map(|value| json!(value))),
        ("floor", args.floor.map(|value| json!(value))),
        ("cap", args.cap.map(|value| json!(value))),
        ("covariate", covariate),
    ];
    let fields: Map<String, Value> = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    serde_json::from_value(Value::Object(fields)).context("the metric cannot be declared")
}

fn list(metrics: &[Metric]) -> String {
    let word = |value: Value| value.as_str().unwrap_or("-").to_owned();
    let row = |metric: &Metric| {
        let bounds = match (metric.lower_bound, metric.upper_bound) {
            (None, None) => "-".to_owned(),
            (Some(lower), None) => format!("from {lower}"),
            (None, Some(upper)) => format!("up to {upper}"),
            (Some(lower), Some(upper)) => format!("{lower} to {upper}"),
        };
        let window = if metric.window_seconds == 0 {
            "-".to_owned()
        } else {
            crate::control::lasting(metric.window_seconds as f64)
        };
        vec![
            metric.metric.clone(),
            word(json!(metric.kind)),
            word(json!(metric.direction)),
            word(json!(metric.per)),
            window,
            word(json!(metric.missing)),
            bounds,
            counted(metric),
            if metric.built_in {
                "built in"
            } else {
                "declared"
            }
            .to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = metrics.iter().map(row).collect();
    let head = [
        "metric",
        "kind",
        "better",
        "per",
        "window",
        "missing values",
        "values",
        "counted",
        "source",
    ];
    fitting(
        &head,
        &rows,
        &["source", "values", "counted", "missing values", "better"],
    )
}

/// How values become a number to compare: what is limited, added up, and adjusted by.
fn counted(metric: &Metric) -> String {
    let combine = metric.combine.map(|how| json!(how));
    let combine = combine.and_then(|how| how.as_str().map(str::to_owned));
    let covariate = metric.covariate.as_ref().map(|of| match of {
        types::Covariate::Before => "by its value before".to_owned(),
        types::Covariate::Attribute(name) => format!("by {name}"),
    });
    let parts = [
        combine,
        metric.floor.map(|floor| format!("floor {floor}")),
        metric.cap.map(|cap| format!("cap {cap}")),
        covariate,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return "-".into();
    }
    parts.join(", ")
}
