//! `weir verify`.

use crate::args::VerifyArgs;
use std::process::ExitCode;

#[expect(
    clippy::print_stdout,
    reason = "the result is the data of this command"
)]
pub(crate) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let report = store::verify(&args.data_dir)?;
    let clean = report.problems.is_empty();
    if args.json {
        println!(
            "{}",
            serde_json::json!({
                "clean": clean,
                "predictions": report.predictions,
                "rollups": report.rollups,
                "evidence": report.evidence,
                "problems": report.problems,
            })
        );
    } else {
        for problem in &report.problems {
            println!("{problem}");
        }
        let verdict = if clean { "clean" } else { "NOT CLEAN" };
        println!(
            "{verdict}: {} predictions recounted, {} roll-ups and {} sums of evidence compared, {} \
             problems",
            report.predictions,
            report.rollups,
            report.evidence,
            report.problems.len()
        );
    }
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
