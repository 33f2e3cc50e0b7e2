//! The results of an experiment as lines for a terminal.

use api::{
    AdaptiveEstimate, Comparison, ExperimentResults, Interval, MetricResults, SegmentResults,
};
use judge::words::{significant, thousands};
use types::MetricRole;

/// What is said of an experiment: the verdict, then a line for each comparison, then the segments.
pub(super) fn text(results: &ExperimentResults) -> String {
    let mut lines = vec![
        format!("{}: {}", results.experiment, results.verdict),
        results.summary.clone(),
        String::new(),
        row([
            "metric",
            "version",
            "units",
            "control",
            "candidate",
            "difference",
            "always-valid interval",
            "finding",
        ]),
    ];
    for metric in &results.metrics {
        let arms = metric.arms.iter().skip(1);
        for (arm, found) in arms.zip(&metric.comparisons) {
            lines.push(of_metric(metric, found, arm.mean));
        }
    }
    if lines.iter().any(|line| line.contains(ADJUSTED)) {
        lines.push("* The difference is adjusted by the covariate; means are as measured.".into());
    }
    lines.extend(results.metrics.iter().flat_map(adaptive));
    lines.extend(results.metrics.iter().flat_map(by_day));
    if !results.segments.is_empty() {
        lines.push(String::new());
        lines.push("By segment, with intervals for all of them together:".into());
        lines.extend(results.segments.iter().flat_map(of_segment));
    }
    let notes = results.notes.iter();
    let new = notes.filter(|note| !results.summary.contains(note.as_str()));
    lines.extend(new.map(|note| format!("note: {note}")));
    lines.join("\n")
}

/// Stands behind the name of a metric whose difference is adjusted.
const ADJUSTED: &str = " *";

fn of_metric(metric: &MetricResults, found: &Comparison, candidate: Option<f64>) -> String {
    let covariate = found.covariate.as_ref();
    let adjusted = covariate.is_some_and(|by| by.variance_reduction >= 0.01);
    let sign = if adjusted { ADJUSTED } else { "" };
    row([
        &format!("{}{sign}", metric.metric.metric),
        &found.version,
        &thousands(found.sequential.units as f64),
        &number(metric.arms.first().and_then(|control| control.mean)),
        &number(candidate),
        &signed(found.difference),
        &ends(found.sequential.interval.as_ref()),
        &found.finding.to_string(),
    ])
}

/// What a bandit's weights do not bias, for one look.
fn adaptive(metric: &MetricResults) -> Vec<String> {
    let found = metric
        .adaptive
        .iter()
        .flat_map(|adaptive| &adaptive.differences);
    let line = |found: &AdaptiveEstimate| {
        row([
            &metric.metric.metric,
            &found.version,
            "",
            "",
            "adaptive",
            &signed(Some(found.estimate)),
            &ends(Some(&found.interval)),
            "for one look",
        ])
    };
    found.map(line).collect()
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
        for day in &days[days.len().saturating_sub(DAYS)..] {
            let when = if day.first == day.last {
                day.first.clone()
            } else {
                format!("{} to {}", day.first, day.last)
            };
            let [control, candidate] = day.units.map(|units| thousands(units as f64));
            lines.push(format!(
                "{when:<24} {:>11} {:>24}  {candidate} units, {control} of the control",
                signed(Some(day.difference)),
                ends(Some(&day.interval)),
            ));
        }
    }
    lines
}

fn of_segment(segment: &SegmentResults) -> Vec<String> {
    let value = match &segment.value {
        Some(value) => value.clone(),
        None => format!("({})", segment.kind),
    };
    let mut lines = Vec::new();
    for metric in &segment.metrics {
        let name = format!("{}, {} {value}", metric.metric, segment.dimension);
        for (found, arm) in metric.comparisons.iter().zip(1..) {
            let mean = |arm: usize| number(metric.means.get(arm).copied().flatten());
            let units = |arm: usize| metric.units.get(arm).copied().unwrap_or_default();
            lines.push(row([
                &name,
                &found.version,
                &thousands((units(0) + units(arm)) as f64),
                &mean(0),
                &mean(arm),
                &signed(found.difference),
                &ends(found.interval.as_ref()),
                &found.finding.to_string(),
            ]));
        }
    }
    lines
}

/// Columns of a terminal; what is longer takes the room that it needs.
fn row(cells: [&str; 8]) -> String {
    let [
        metric,
        version,
        units,
        control,
        candidate,
        difference,
        interval,
        finding,
    ] = cells;
    format!(
        "{metric:<24} {version:<10} {units:>9} {control:>10} {candidate:>10} {difference:>11} {interval:>24}  {finding}"
    )
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
