//! Rollouts and bandits, played through the controller.

use super::worlds::{self, Chosen};
use super::{USAGE, bar, percent, threads};
use crate::args::{SimulateBanditArgs, SimulateRolloutArgs};
use serde_json::{Value, json};
use simulate::{
    BanditDesign, BanditReport, Hostile, InvalidDesign, RolloutDesign, RolloutReport,
    rollout_table, simulate_bandit, simulate_rollout,
};
use std::process::ExitCode;

pub(crate) fn rollout(args: &SimulateRolloutArgs) -> anyhow::Result<ExitCode> {
    if let Some(world) = &args.world {
        let is_rollout = |cell: &Hostile| matches!(cell, Hostile::Rollout(_) | Hostile::Users(_));
        let chosen = Chosen {
            flag: "world",
            name: world,
            fits: is_rollout,
        };
        return worlds::of(chosen, (args.runs, args.seed), args.json);
    }
    let design = RolloutDesign {
        rule: args.rule,
        base: args.base,
        ratio: args.ratio,
        drift: args.drift,
        steps: args.steps.clone(),
        requests: args.requests,
        look: args.look,
        delay: args.delay,
        missing: args.missing,
        alpha: args.alpha,
        runs: args.runs,
        seed: args.seed,
    };
    let rows = if args.table {
        rollout_table(args.seed)
    } else {
        vec![("", design)]
    };
    if let Some(code) = refused(rows.iter().flat_map(|(_, design)| design.problems())) {
        return Ok(code);
    }
    let reports = play(&rows);
    if args.json {
        let all = rows.iter().zip(&reports);
        let all: Vec<Value> = all
            .map(|((title, d), r)| rollout_json(title, d, r))
            .collect();
        crate::out(format_args!("{}", serde_json::to_string_pretty(&all)?));
    } else if args.table {
        print_rows(&rows, &reports);
    } else {
        crate::out(format_args!("{}", rollout_text(&rows[0].1, &reports[0])));
    }
    Ok(ExitCode::SUCCESS)
}

fn play(rows: &[(&str, RolloutDesign)]) -> Vec<RolloutReport> {
    let progress = bar(rows.iter().map(|(_, design)| design.runs).sum(), "rollouts");
    let each = rows.iter();
    let reports = each.map(|(_, design)| simulate_rollout(design, threads(), || progress.inc(1)));
    let reports = reports.collect();
    progress.finish_and_clear();
    reports
}

fn print_rows(rows: &[(&str, RolloutDesign)], reports: &[RolloutReport]) {
    crate::out(format_args!("{ROLLOUT_HEAD}"));
    for ((title, design), report) in rows.iter().zip(reports) {
        crate::out(format_args!("{}", rollout_row(title, design, report)));
    }
}

/// The table of rules that send a candidate back.
pub(super) fn print_rules(seed: u64) {
    let rows = rollout_table(seed);
    let reports = play(&rows);
    crate::out(format_args!(""));
    print_rows(&rows, &reports);
}

fn refused(problems: impl Iterator<Item = InvalidDesign>) -> Option<ExitCode> {
    let mut any = None;
    for problem in problems {
        let flag = problem.field.replace('_', "-");
        crate::talk(&format!("error: --{flag} {}", problem.problem));
        any = Some(ExitCode::from(USAGE));
    }
    any
}

fn rollout_json(title: &str, design: &RolloutDesign, report: &RolloutReport) -> Value {
    json!({
        "case": title,
        "rule": design.rule.as_str(),
        "base": design.base,
        "ratio": design.ratio,
        "drift": design.drift,
        "steps": design.steps,
        "requests": design.requests,
        "look": design.look,
        "delay": design.delay,
        "missing": design.missing,
        "alpha": design.alpha,
        "seed": design.seed,
        "runs": report.runs,
        "rolled_back": report.rolled_back,
        "rolled_back_standard_error": report.rolled_back_error,
        "promoted": report.promoted,
        "median_treated_units": report.median_treated,
        "median_requests": report.median_requests,
    })
}

const ROLLOUT_HEAD: &str = "| candidate | base rate | rule | runs | rolled back | promoted | treated units \
     until then, median |\n|---|---|---|---|---|---|---|";

fn rollout_row(title: &str, design: &RolloutDesign, report: &RolloutReport) -> String {
    format!(
        "| {title} | {} | `{}` | {} | {} ± {} | {} | {} |",
        percent(design.base),
        design.rule.as_str(),
        report.runs,
        percent(report.rolled_back),
        percent(report.rolled_back_error),
        percent(report.promoted),
        report.median_treated.map_or("–".into(), |n| n.to_string()),
    )
}

fn rollout_text(design: &RolloutDesign, report: &RolloutReport) -> String {
    let (what, passed) = if design.ratio <= 1.0 {
        ("false rollback", "promoted")
    } else {
        ("rolled back", "missed: promoted")
    };
    let mut lines = vec![
        format!(
            "{} rollouts of {} steps of {} requests, a look every {}, decided by {}",
            report.runs,
            design.steps.len(),
            design.requests,
            design.look,
            design.rule.as_str()
        ),
        format!(
            "{what:<20} {} ± {} (one standard error)",
            percent(report.rolled_back),
            percent(report.rolled_back_error)
        ),
        format!("{passed:<20} {}", percent(report.promoted)),
    ];
    if let Some((treated, requests)) = report.median_treated.zip(report.median_requests) {
        lines.push(format!(
            "{:<20} {treated} units of the candidate, {requests} requests (median of those that went back)",
            "until it went back"
        ));
    }
    lines.join("\n")
}

pub(crate) fn bandit(args: &SimulateBanditArgs) -> anyhow::Result<ExitCode> {
    if let Some(world) = &args.world {
        let chosen = Chosen {
            flag: "world",
            name: world,
            fits: |cell| matches!(cell, Hostile::Bandit(_)),
        };
        return worlds::of(chosen, (args.runs, args.seed), args.json);
    }
    let design = BanditDesign {
        algorithm: Some(args.algorithm),
        rates: args.rates.clone(),
        drift: args.drift,
        units: args.units,
        batch: args.batch,
        delay: args.delay,
        floor: args.floor,
        half_life: args.half_life,
        runs: args.runs,
        seed: args.seed,
    };
    if let Some(code) = refused(design.problems().into_iter()) {
        return Ok(code);
    }
    let progress = bar(design.runs, "bandits");
    let report = simulate_bandit(&design, threads(), || progress.inc(1));
    progress.finish_and_clear();
    if args.json {
        crate::out(format_args!(
            "{}",
            serde_json::to_string_pretty(&bandit_json(&design, &report))?
        ));
    } else {
        crate::out(format_args!("{}", bandit_text(&design, &report)));
    }
    Ok(ExitCode::SUCCESS)
}

fn bandit_json(design: &BanditDesign, report: &BanditReport) -> Value {
    json!({
        "algorithm": design.algorithm.map(types::Algorithm::as_str),
        "rates": design.rates,
        "drift": design.drift,
        "units": design.units,
        "batch": design.batch,
        "delay": design.delay,
        "floor": design.floor(),
        "half_life": design.half_life,
        "seed": design.seed,
        "runs": report.runs,
        "regret": report.regret,
        "regret_standard_error": report.regret_error,
        "regret_of_equal_split": report.regret_of_equal_split,
        "best_share": report.best_share,
        "coverage": report.coverage,
        "coverage_standard_error": report.coverage_error,
        "decided": report.decided,
        "wrong": report.wrong,
    })
}

fn bandit_text(design: &BanditDesign, report: &BanditReport) -> String {
    let name = design
        .algorithm
        .map_or("equal split", types::Algorithm::as_str);
    let mut lines = vec![
        format!(
            "{} bandits of {} units, an update every {}, by {name} with a floor of {}",
            report.runs,
            design.units,
            design.batch,
            percent(design.floor())
        ),
        format!(
            "{:<20} {:.1} ± {:.1} successes; an equal split loses {:.1}",
            "regret", report.regret, report.regret_error, report.regret_of_equal_split
        ),
        format!(
            "{:<20} {} of the units",
            "best arm",
            percent(report.best_share)
        ),
        format!(
            "{:<20} {} named one, {} a wrong one",
            "winner",
            percent(report.decided),
            percent(report.wrong)
        ),
    ];
    if let Some(coverage) = report.coverage {
        lines.push(format!(
            "{:<20} {} ± {} of 95 % intervals of differences held the truth",
            "coverage",
            percent(coverage),
            percent(report.coverage_error)
        ));
    }
    lines.join("\n")
}
