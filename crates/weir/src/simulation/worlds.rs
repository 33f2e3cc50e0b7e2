//! Worlds that are not kind.

use super::{USAGE, bar, percent, threads};
use crate::args::SimulateWorldsArgs;
use serde_json::{Value, json};
use simulate::{Hostile, HostileReport, hostile_cells, simulate_hostile};
use std::process::ExitCode;

const HEAD: &str = "| world | runs | back by evidence, claims, or told as changed | back by a limit, or held | promoted | treated units, median \
     | seconds or units, median | 90 % | covered | estimate inside |\n|---|---|---|---|---|---|---|---|---|---|";

pub(crate) fn play(args: &SimulateWorldsArgs) -> anyhow::Result<ExitCode> {
    let cells = hostile_cells(&args.only, args.runs, args.seed);
    if cells.is_empty() {
        crate::talk(&format!("error: --only {} fits no world", args.only));
        return Ok(ExitCode::from(USAGE));
    }
    let progress = bar(cells.iter().map(Hostile::runs).sum(), "runs");
    if !args.json {
        crate::out(format_args!("{HEAD}"));
    }
    let mut reports = Vec::new();
    for cell in &cells {
        let report = simulate_hostile(cell, threads(), || progress.inc(1));
        if args.json {
            reports.push(as_json(cell, &report));
        } else {
            progress.suspend(|| crate::out(format_args!("{}", row(cell, &report))));
        }
    }
    progress.finish_and_clear();
    if args.json {
        crate::out(format_args!("{}", serde_json::to_string_pretty(&reports)?));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(cell: &Hostile, report: &HostileReport) -> String {
    let share = |share: Option<f64>| share.map_or("–".into(), percent);
    let number = |n: Option<u64>| n.map_or("–".into(), |n| n.to_string());
    format!(
        "| {} | {} | {} ± {} | {} | {} | {} | {} | {} | {} | {} |",
        cell.title(),
        report.runs,
        percent(report.found),
        percent(report.error),
        percent(report.limited),
        percent(report.promoted),
        number(report.median_treated),
        number(report.median_until),
        number(report.ninth_until),
        share(report.coverage),
        share(report.inside),
    )
}

fn as_json(cell: &Hostile, report: &HostileReport) -> Value {
    json!({
        "world": cell.title(),
        "runs": report.runs,
        "by_evidence": report.found,
        "by_evidence_standard_error": report.error,
        "by_limit": report.limited,
        "promoted": report.promoted,
        "median_treated_units": report.median_treated,
        "median_until": report.median_until,
        "until_in_90_percent": report.ninth_until,
        "coverage": report.coverage,
        "estimate_inside_its_interval": report.inside,
    })
}
