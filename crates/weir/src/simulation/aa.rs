//! A/A experiments on a log of one's own.

use super::{USAGE, bar, percent, threads};
use crate::args::SimulateAaArgs;
use anyhow::Context;
use api::LoggedUnitsRequest;
use judge::fixed::{Proportion, wilson};
use judge::words::{significant, thousands};
use serde_json::json;
use simulate::{AaDesign, AaReport, simulate_aa};
use std::process::ExitCode;

pub(crate) fn play(args: &SimulateAaArgs) -> anyhow::Result<ExitCode> {
    let share = args.share > 0.0 && args.share < 1.0;
    let alpha = types::ALPHAS.contains(&args.alpha);
    for (fits, flag, problem) in [
        (share, "share", "must be between 0 and 1"),
        (alpha, "alpha", "must be at least 1e-9 and below 0.5"),
    ] {
        if !fits {
            crate::talk(&format!("error: --{flag} {problem}"));
            return Ok(ExitCode::from(USAGE));
        }
    }
    let request = LoggedUnitsRequest {
        name: args.model.clone(),
        metric: args.metric.clone(),
        since: args.since.as_deref().map(crate::plan::since).transpose()?,
    };
    let logged = crate::control::logged_units(&args.connect, &request)?;
    let design = AaDesign {
        metric: logged
            .metric
            .declared()
            .context("the server named no metric")?,
        units: logged.units,
        share: args.share,
        alpha: args.alpha,
        runs: args.runs,
        seed: args.seed,
    };
    let progress = bar(design.runs, "experiments");
    let report = simulate_aa(&design, threads(), || progress.inc(1));
    progress.finish_and_clear();
    if args.connect.json {
        let runs = report.runs as f64;
        let report = json!({
            "metric": args.metric,
            "since": logged.since,
            "units": design.units.len(),
            "share": design.share,
            "alpha": design.alpha,
            "seed": design.seed,
            "runs": report.runs,
            "claims": report.claims,
            "false_alarms": report.claims as f64 / runs,
            "coverage": report.covered as f64 / runs,
            "median_width": report.median_width,
            "silent": report.silent,
        });
        crate::out(format_args!("{}", serde_json::to_string_pretty(&report)?));
    } else {
        crate::out(format_args!("{}", text(&design, &report, &logged.since)));
    }
    Ok(ExitCode::SUCCESS)
}

fn text(design: &AaDesign, report: &AaReport, since: &str) -> String {
    let mut lines = vec![format!(
        "{} A/A experiments on {} units of the log since {since}, assigned at random with a candidate's share of {}",
        thousands(report.runs as f64),
        thousands(design.units.len() as f64),
        percent(design.share),
    )];
    if let Some(why) = &report.silent {
        lines.push(format!(
            "nothing can be claimed about {}: {why}",
            design.metric.name
        ));
        return lines.join("\n");
    }
    let share = Proportion {
        successes: report.claims as f64,
        n: report.runs as f64,
    };
    let within = wilson(share, 0.05);
    lines.push(format!(
        "false alarms  {} (95 % interval {} to {}), promised at most {}",
        percent(share.share()),
        percent(within.lower),
        percent(within.upper),
        percent(design.alpha),
    ));
    lines.push(format!(
        "coverage      {} of the experiments held 0 in their interval at every look",
        percent(report.covered as f64 / report.runs as f64)
    ));
    if let Some(width) = report.median_width {
        lines.push(format!(
            "width         {} is the median width of the last interval: with so many units, effects below half of it are not found",
            significant(width, 3)
        ));
    }
    if within.lower > design.alpha {
        lines.push(
            "That is more than promised. Lower the cap of the metric, so that single values count less (PUT /metrics), or ask for a \
             smaller alpha."
                .into(),
        );
    } else if within.upper > design.alpha && share.share() > design.alpha {
        lines.push("More runs tell whether that is chance: --runs 10000.".into());
    }
    lines.push(
        "Each experiment assigns the same units anew, from all versions and in random order: it says nothing about \
         other weeks, or about what an hour does to all units alike. Requests of one person are one unit only if \
         they have the same unit_id."
            .into(),
    );
    lines.join("\n")
}
