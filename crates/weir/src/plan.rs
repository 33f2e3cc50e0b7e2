//! `weir plan`: what an experiment needs, before it begins.

use crate::args::PlanArgs;
use anyhow::{Context, bail};
use api::{PlanReply, PlanRequest};
use judge::words::{significant, thousands};
use std::process::ExitCode;
use types::Timestamp;

/// What is answered to flags that do not fit, as the flags' own parser does.
const USAGE: u8 = 2;

pub(crate) fn run(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let request = PlanRequest {
        baseline: args.baseline,
        name: args.model.clone(),
        metric: args.metric.clone(),
        since: args.since.as_deref().map(since).transpose()?,
        effect: args.effect,
        relative: args.relative,
        standard_deviation: args.standard_deviation,
        covariate_correlation: args.covariate_correlation,
        alpha: args.alpha,
        power: args.power,
        arms: args.arms,
        split: args.split,
        sequential: args.sequential,
        per_day: args.per_day,
    };
    if args.model.is_some() {
        let plan = crate::control::run_plan(&args.connect, &request)?;
        print(args, &request, &plan)?;
        return Ok(ExitCode::SUCCESS);
    }
    let plan = match server::plan(&request) {
        Ok(plan) => plan,
        Err(problems) => {
            for problem in problems {
                let flag = problem.pointer.trim_start_matches('/').replace('_', "-");
                crate::talk(&format!("error: --{flag} {}", problem.detail));
            }
            crate::talk("hint: weir plan --help says what each flag takes");
            return Ok(ExitCode::from(USAGE));
        }
    };
    print(args, &request, &plan)?;
    Ok(ExitCode::SUCCESS)
}

fn print(args: &PlanArgs, request: &PlanRequest, plan: &PlanReply) -> anyhow::Result<()> {
    if args.connect.json {
        crate::out(format_args!("{}", serde_json::to_string_pretty(&plan)?));
    } else {
        crate::out(format_args!("{}", text(request, plan)));
    }
    Ok(())
}

/// A time, or so long ago, as a time.
pub(crate) fn since(text: &str) -> anyhow::Result<String> {
    if text.parse::<Timestamp>().is_ok() {
        return Ok(text.to_owned());
    }
    let unit = text.chars().last().unwrap_or_default();
    let seconds = match unit {
        'd' => 86_400,
        'h' => 3600,
        'm' => 60,
        _ => 0,
    };
    let number = text
        .strip_suffix(unit)
        .and_then(|number| number.parse::<u32>().ok());
    let Some(number) = number.filter(|number| seconds > 0 && *number > 0) else {
        bail!("--since takes a time, or how long ago: 14d, 6h or 30m");
    };
    let ago = i64::from(number).checked_mul(seconds * 1_000_000);
    let ago = ago.context("--since is too long ago")?;
    Ok(Timestamp::from_micros(server::Clock::system().now().micros() - ago).to_string())
}

fn text(request: &PlanRequest, plan: &PlanReply) -> String {
    let share = match &plan.from_log {
        Some(log) => log.is_share,
        None => request.standard_deviation.is_none(),
    };
    let log = plan.from_log.as_ref();
    let baseline = log
        .map(|log| log.baseline)
        .or(request.baseline)
        .unwrap_or_default();
    let per_day = request
        .per_day
        .or(log.and_then(|log| log.per_day))
        .unwrap_or_default();
    let mean = |value: f64| {
        if share {
            format!("{} %", rounded(100.0 * value))
        } else {
            rounded(value)
        }
    };
    let mut lines = vec![format!(
        "To find {} → {} with {} % power at alpha {} (two-sided{}):",
        mean(baseline),
        mean(plan.target),
        rounded(100.0 * request.power),
        request.alpha,
        match request.arms {
            2 => String::new(),
            arms => format!(
                ", {} candidates at {} each",
                arms - 1,
                rounded(plan.alpha_per_comparison)
            ),
        },
    )];
    let days = plan.days.map_or(String::new(), |days| {
        format!(", {} days at {} a day", rounded(days), a_day(per_day))
    });
    if plan.control_units == plan.candidate_units {
        lines.push(format!("  {} units per arm", thousands(plan.control_units)));
    } else {
        lines.push(format!(
            "  {} units of the control, {} of each candidate",
            thousands(plan.control_units),
            thousands(plan.candidate_units)
        ));
    }
    lines.push(format!(
        "  {} units in all{days}",
        thousands(plan.total_units)
    ));
    if let Some(log) = log {
        lines.push(format!(
            "  from the log: {} units since {}, {}, standard deviation {}",
            thousands(log.units as f64),
            log.since,
            match log.per_day {
                Some(per_day) => format!("{} a day", a_day(per_day)),
                None => "less than a day of data, so days cannot be estimated".into(),
            },
            rounded(log.standard_deviation)
        ));
    }
    if let Some((log, known)) = log.and_then(|log| Some((log, log.covariate_units?))) {
        lines.push(format!(
            "  its covariate is known for {} of {} units",
            thousands(known as f64),
            thousands(log.units as f64)
        ));
    }
    let correlation = request
        .covariate_correlation
        .or(log.and_then(|log| log.covariate_correlation));
    if let Some(correlation) = correlation {
        lines.push(format!(
            "  a covariate with correlation {}: {} % of the variance is left",
            rounded(correlation),
            rounded(100.0 * (1.0 - correlation * correlation))
        ));
    }
    lines.push(format!("  by: {}", plan.formula));
    lines.push(format!(
        "  An experiment takes \"planned_units\": {:.0} (both arms of a comparison).",
        plan.planned_units
    ));
    if !request.sequential {
        lines.push(
            "  Valid for one look at the end. With --sequential: for looking at any time.".into(),
        );
    }
    lines.push(String::new());
    let has_days = plan.days.is_some();
    let title = if has_days { "days" } else { "" };
    lines.push(
        format!("{:>14} {:>14} {title:>10}", "effect", "units in all")
            .trim_end()
            .to_owned(),
    );
    for row in &plan.units_by_effect {
        let effect = if share {
            format!("{} points", rounded(100.0 * row.effect))
        } else {
            rounded(row.effect)
        };
        let days = row.days.map_or(String::new(), rounded);
        lines.push(
            format!("{effect:>14} {:>14} {days:>10}", thousands(row.units))
                .trim_end()
                .to_owned(),
        );
    }
    lines.push(String::new());
    lines.push(format!("{:>14} {:>14}", "units in all", "power"));
    for row in &plan.power_by_units {
        let power = format!("{} %", rounded(100.0 * row.power));
        lines.push(format!("{:>14} {power:>14}", thousands(row.units)));
    }
    lines.join("\n")
}

/// Units a day: whole ones, where there are at least ten.
fn a_day(units: f64) -> String {
    if units < 10.0 {
        significant(units, 2)
    } else {
        thousands(units.round())
    }
}

/// Four significant digits at most.
fn rounded(value: f64) -> String {
    significant(value, 4)
}
