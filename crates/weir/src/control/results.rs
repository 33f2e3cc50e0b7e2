//! The results of an experiment as lines for a terminal.

use crate::table::fitting;
use api::{
    AdaptiveEstimate, Comparison, ExperimentResults, Interval, MetricResults, SegmentResults,
};
use judge::words::{significant, thousands};
use types::MetricRole;

/// The columns of comparisons. In a narrow terminal means are left out first: differences stay.
const HEAD: [&str; 8] = [
    "metric",
    "version",
    "units",
    "control",
    "candidate",
    "difference",
    "always-valid interval",
    "finding",
];
const SPARE: [&str; 3] = ["control", "candidate", "units"];

/// What is said of an experiment: the verdict, then a line for each comparison, then the segments.
pub(super) fn text(results: &ExperimentResults) -> String {
    let mut lines = vec![
        format!("{}: {}", results.experiment, results.verdict),
        results.summary.clone(),
        String::new(),
    ];
    let mut rows = Vec::new();
    for metric in &results.metrics {
        let arms = metric.arms.iter().skip(1);
        for (arm, found) in arms.zip(&metric.comparisons) {
            rows.push(of_metric(metric, found, arm.mean));
        }
    }
    let adjusted = rows.iter().any(|row| row[0].ends_with(ADJUSTED));
    rows.extend(results.metrics.iter().flat_map(adaptive));
    lines.push(fitting(&HEAD, &rows, &SPARE));
    if adjusted {
        lines.push("* The difference is adjusted by the covariate; means are as measured.".into());
    }
    lines.extend(results.metrics.iter().flat_map(by_day));
    if !results.segments.is_empty() {
        lines.push(String::new());
        lines.push("By segment, with intervals for all of them together:".into());
        let rows: Vec<Vec<String>> = results.segments.iter().flat_map(of_segment).collect();
        let mut head = HEAD;
        head[0] = "metric, segment";
        head[6] = "interval";
        lines.push(fitting(&head, &rows, &SPARE));
    }
    let notes = results.notes.iter();
    let new = notes.filter(|note| !results.summary.contains(note.as_str()));
    lines.extend(new.map(|note| format!("note: {note}")));
    lines.join("\n")
}

/// Stands behind the name of a metric whose difference is adjusted.
const ADJUSTED: &str = " *";

fn of_metric(metric: &MetricResults, found: &Comparison, candidate: Option<f64>) -> Vec<String> {
    let covariate = found.covariate.as_ref();
    let adjusted = covariate.is_some_and(|by| by.variance_reduction >= 0.01);
    let sign = if adjusted { ADJUSTED } else { "" };
    vec![
        format!("{}{sign}", metric.metric.metric),
        found.version.clone(),
        thousands(found.sequential.units as f64),
        number(metric.arms.first().and_then(|control| control.mean)),
        number(candidate),
        signed(found.difference),
        ends(found.sequential.interval.as_ref()),
        found.finding.to_string(),
    ]
}

/// What a bandit's weights do not bias, for one look.
fn adaptive(metric: &MetricResults) -> Vec<Vec<String>> {
    let found = metric
        .adaptive
        .iter()
        .flat_map(|adaptive| &adaptive.differences);
    let row = |found: &AdaptiveEstimate| {
        vec![
            format!("{} (adaptive)", metric.metric.metric),
            found.version.clone(),
            String::new(),
            String::new(),
            String::new(),
            signed(Some(found.estimate)),
            ends(Some(&found.interval)),
            "for one look".to_owned(),
        ]
    };
    found.map(row).collect()
}

/// So many days are shown, the newest.
const DAYS: usize = 14;

/// The effect on the primary metric from day to day, where there are several.
fn by_day(metric: &MetricResults) -> Vec<String> {
    let mut lines = Vec::new();
    if metric.role != MetricRole::Primary {
        return lines;
    }
    for found in &metric.comparisons {
        let days = found.by_day.as_ref().map_or(&[][..], |by_day| &by_day.days);
        if days.len() < 2 {
            continue;
        }
        lines.push(String::new());
        lines.push(format!(
            "{} of {} by day, each with its interval for one look:",
            metric.metric.metric, found.version
        ));
        let row = |day: &api::DayEffect| {
            let when = if day.first == day.last {
                day.first.clone()
            } else {
                format!("{} to {}", day.first, day.last)
            };
            let [control, candidate] = day.units.map(|units| thousands(units as f64));
            vec![
                when,
                signed(Some(day.difference)),
                ends(Some(&day.interval)),
                candidate,
                control,
            ]
        };
        let newest = &days[days.len().saturating_sub(DAYS)..];
        let rows: Vec<Vec<String>> = newest.iter().map(row).collect();
        let head = [
            "day",
            "difference",
            "interval",
            "its units",
            "units of the control",
        ];
        lines.push(fitting(
            &head,
            &rows,
            &["units of the control", "its units"],
        ));
    }
    lines
}

fn of_segment(segment: &SegmentResults) -> Vec<Vec<String>> {
    let value = match &segment.value {
        Some(value) => value.clone(),
        None => format!("({})", segment.kind),
    };
    let mut rows = Vec::new();
    for metric in &segment.metrics {
        let name = format!("{}, {} {value}", metric.metric, segment.dimension);
        for (found, arm) in metric.comparisons.iter().zip(1..) {
            let mean = |arm: usize| number(metric.means.get(arm).copied().flatten());
            let units = |arm: usize| metric.units.get(arm).copied().unwrap_or_default();
            rows.push(vec![
                name.clone(),
                found.version.clone(),
                thousands((units(0) + units(arm)) as f64),
                mean(0),
                mean(arm),
                signed(found.difference),
                ends(found.interval.as_ref()),
                found.finding.to_string(),
            ]);
        }
    }
    rows
}

fn number(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| significant(value, 4))
}

fn signed(value: Option<f64>) -> String {
    let sign = |value: f64| if value > 0.0 { "+" } else { "" };
    value.map_or("-".into(), |value| {
        format!("{}{}", sign(value), significant(value, 3))
    })
}

fn ends(interval: Option<&Interval>) -> String {
    let Some(Interval { lower, upper }) = interval else {
        return "-".into();
    };
    let end = |value: &Option<f64>, none: &str| match value {
        None => none.to_owned(),
        some => signed(*some),
    };
    format!("{} to {}", end(lower, "-∞"), end(upper, "+∞"))
}
