//! `weir plan`: what an experiment needs, before it begins.

use crate::args::PlanArgs;
use api::{PlanReply, PlanRequest};
use judge::words::{significant, thousands};
use std::process::ExitCode;

/// What is answered to flags that do not fit, as the flags' own parser does.
const USAGE: u8 = 2;

#[expect(clippy::print_stdout, reason = "the plan is the data of this command")]
pub(crate) fn run(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let request = PlanRequest {
        baseline: args.baseline,
        effect: args.effect,
        relative: args.relative,
        standard_deviation: args.standard_deviation,
        alpha: args.alpha,
        power: args.power,
        arms: args.arms,
        split: args.split,
        sequential: args.sequential,
        per_day: args.per_day,
    };
    let plan = match server::plan(&request) {
        Ok(plan) => plan,
        Err(problems) => {
            for problem in problems {
                let flag = problem.pointer.trim_start_matches('/').replace('_', "-");
                eprintln!("error: --{flag} {}", problem.detail);
            }
            eprintln!("hint: weir plan --help says what each flag takes");
            return Ok(ExitCode::from(USAGE));
        }
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&plan)?);
    } else {
        println!("{}", text(&request, &plan));
    }
    Ok(ExitCode::SUCCESS)
}

fn text(request: &PlanRequest, plan: &PlanReply) -> String {
    let share = request.standard_deviation.is_none();
    let mean = |value: f64| {
        if share {
            format!("{} %", rounded(100.0 * value))
        } else {
            rounded(value)
        }
    };
    let mut lines = vec![format!(
        "To find {} → {} with {} % power at alpha {} (two-sided{}):",
        mean(request.baseline),
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
        format!(
            ", {} days at {} a day",
            rounded(days),
            thousands(request.per_day.unwrap_or(0.0))
        )
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
    lines.push(format!("  by: {}", plan.formula));
    lines.push(format!(
        "  An experiment takes \"planned_units\": {:.0} (both arms of a comparison).",
        plan.planned_units
    ));
    if !request.sequential {
        lines.push(
            "  Good for one look at the end. With --sequential: for looking at any time.".into(),
        );
    }
    lines.push(String::new());
    lines.push(format!("{:>14} {:>14}", "effect", "units in all"));
    for row in &plan.units_by_effect {
        let effect = if share {
            format!("{} points", rounded(100.0 * row.effect))
        } else {
            rounded(row.effect)
        };
        lines.push(format!("{effect:>14} {:>14}", thousands(row.units)));
    }
    lines.push(String::new());
    lines.push(format!("{:>14} {:>14}", "units in all", "power"));
    for row in &plan.power_by_units {
        let power = format!("{} %", rounded(100.0 * row.power));
        lines.push(format!("{:>14} {power:>14}", thousands(row.units)));
    }
    lines.join("\n")
}

/// Four significant digits at most.
fn rounded(value: f64) -> String {
    significant(value, 4)
}
