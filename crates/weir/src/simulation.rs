//! `weir simulate`: whole experiments, played through the judge.

mod aa;
mod control;
mod worlds;

use crate::args::{SimulateArgs, SimulateCommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use simulate::{Cell, Design, Report, hostile_cells, simulate, table};
use std::process::ExitCode;

/// What is answered to flags that do not fit, as the flags' own parser does.
const USAGE: u8 = 2;

pub(crate) fn run(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Some(SimulateCommand::Rollout(args)) => return control::rollout(args),
        Some(SimulateCommand::Bandit(args)) => return control::bandit(args),
        Some(SimulateCommand::Worlds(args)) => return worlds::play(args),
        Some(SimulateCommand::Aa(args)) => return aa::play(args),
        Some(SimulateCommand::Tables(args)) => {
            print_methods(args.seed);
            control::print_rules(args.seed);
            crate::out(format_args!(""));
            let cells = hostile_cells("", args.runs, args.seed);
            return worlds::play_each(&cells, args.seed, false);
        }
        None => {}
    }
    if args.table && args.json {
        let (cells, reports) = methods(args.seed);
        let rows = cells.iter().zip(&reports);
        let rows: Vec<Value> = rows.map(|(cell, report)| row_json(cell, report)).collect();
        crate::out(format_args!("{}", serde_json::to_string_pretty(&rows)?));
        return Ok(ExitCode::SUCCESS);
    }
    if args.table {
        print_methods(args.seed);
        return Ok(ExitCode::SUCCESS);
    }
    let design = design(args);
    let problems = design.problems();
    if !problems.is_empty() {
        for problem in problems {
            let flag = problem.field.replace('_', "-");
            crate::talk(&format!("error: --{flag} {}", problem.problem));
        }
        crate::talk("hint: weir simulate --help says what each flag takes");
        return Ok(ExitCode::from(USAGE));
    }
    let report = play([&design]).remove(0);
    if args.json {
        crate::out(format_args!(
            "{}",
            serde_json::to_string_pretty(&report_json(&design, &report))?
        ));
    } else {
        crate::out(format_args!("{}", text(&design, &report)));
    }
    Ok(ExitCode::SUCCESS)
}

fn methods(seed: u64) -> (Vec<Cell>, Vec<Report>) {
    let cells = table(seed);
    let reports = play(cells.iter().map(|cell| &cell.design));
    (cells, reports)
}

/// The table of single methods.
fn print_methods(seed: u64) {
    let (cells, reports) = methods(seed);
    crate::out(format_args!("{HEAD}"));
    for (cell, report) in cells.iter().zip(&reports) {
        crate::out(format_args!("{}", row(cell, report)));
    }
}

fn design(args: &SimulateArgs) -> Design {
    Design {
        method: args.method,
        arms: args.arms,
        base: args.base,
        effect: args.effect,
        drift: args.drift,
        shares: args.shares.0,
        units: args.units,
        peek: args.peek,
        delay: args.delay,
        events: args.events,
        alpha: args.alpha,
        planned_units: args.planned_units,
        runs: args.runs,
        seed: args.seed,
    }
}

fn play<'a>(designs: impl IntoIterator<Item = &'a Design>) -> Vec<Report> {
    let designs: Vec<&Design> = designs.into_iter().collect();
    let progress = bar(
        designs.iter().map(|design| design.runs).sum(),
        "experiments",
    );
    let threads = threads();
    let played = designs.into_iter();
    let reports = played
        .map(|design| simulate(design, threads, || progress.inc(1)))
        .collect();
    progress.finish_and_clear();
    reports
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn bar(length: u64, what: &str) -> ProgressBar {
    let template = format!("{{bar:40}} {{pos}}/{{len}} {what}, {{per_sec}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template);
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

fn report_json(design: &Design, report: &Report) -> Value {
    json!({
        "method": design.method.as_str(),
        "arms": design.arms,
        "base": design.base,
        "effect": design.effect,
        "drift": design.drift,
        "shares": design.shares,
        "units": design.units,
        "peek": design.peek,
        "delay": design.delay,
        "events": design.events,
        "alpha": design.alpha,
        "planned_units": design.planned_units,
        "seed": design.seed,
        "runs": report.runs,
        "claims": report.claims,
        "claims_standard_error": report.claims_error,
        "median_units_to_claim": report.median_units,
        "coverage": report.coverage,
    })
}

fn row_json(cell: &Cell, report: &Report) -> Value {
    let mut row = report_json(&cell.design, report);
    row["case"] = json!(cell.title);
    row["assumptions_hold"] = json!(cell.holds);
    row
}

fn text(design: &Design, report: &Report) -> String {
    let claims = if design.effect == 0.0 && !design.method.is_ordered() {
        "false alarms"
    } else if design.method.is_ordered() {
        "truth excluded"
    } else {
        "power"
    };
    let mut lines = vec![
        format!(
            "{} experiments of {} units, a look every {}, judged by {}",
            report.runs,
            design.units,
            design.peek,
            design.method.as_str()
        ),
        format!(
            "{claims:<20} {} ± {}",
            percent(report.claims),
            percent(report.claims_error)
        ),
    ];
    if let Some(units) = report.median_units {
        lines.push(format!(
            "{:<20} {units} units of all arms, in the middle",
            "time to claim"
        ));
    }
    if let Some(coverage) = report.coverage {
        let all = "of intervals held the truth at every look";
        lines.push(format!("{:<20} {} {all}", "coverage", percent(coverage)));
    }
    lines.join("\n")
}

const HEAD: &str = "| case | base rate | method | runs | false alarms | coverage at all looks | \
     assumptions hold |\n|---|---|---|---|---|---|---|";

fn row(cell: &Cell, report: &Report) -> String {
    format!(
        "| {} | {} | `{}` | {} | {} ± {} | {} | {} |",
        cell.title,
        percent(cell.design.base),
        cell.design.method.as_str(),
        report.runs,
        percent(report.claims),
        percent(report.claims_error),
        report.coverage.map_or("–".into(), percent),
        if cell.holds { "yes" } else { "**no**" },
    )
}
