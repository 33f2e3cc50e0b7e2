//! `weir doctor`: what this machine offers to a server, and why.

use crate::args::DoctorArgs;
use serde_json::json;
use server::Engines;
use std::process::ExitCode;

pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let engines = Engines::find(args.onnxruntime.as_deref());
    let found = match &engines {
        Ok(engines) => engines.describe(),
        Err(why) => vec![format!("ONNX Runtime is not used: {why}")],
    };
    let runs_onnx = engines.is_ok_and(|engines| engines.run_onnx());
    let release = env!("CARGO_PKG_VERSION");
    if args.json {
        let said = json!({"release": release, "engines": found, "runs_onnx": runs_onnx});
        crate::out(format_args!("{said:#}"));
    } else {
        crate::out(format_args!(
            "weir {release}: what a server that is started here would use"
        ));
        for line in found {
            crate::out(format_args!("{line}"));
        }
        if !runs_onnx {
            crate::out(format_args!(
                "Versions with an ONNX model cannot be served here."
            ));
        }
    }
    Ok(if runs_onnx {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
