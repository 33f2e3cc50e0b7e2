//! `weir doctor`: what this machine offers to a server, and why.

use crate::args::DoctorArgs;
use server::Engines;
use std::process::ExitCode;

pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    crate::out(format_args!(
        "weir {}: what a server that is started here would use",
        env!("CARGO_PKG_VERSION")
    ));
    let engines = Engines::find(args.onnxruntime.as_deref());
    match &engines {
        Ok(engines) => engines
            .describe()
            .iter()
            .for_each(|line| crate::out(format_args!("{line}"))),
        Err(why) => crate::out(format_args!("ONNX Runtime is not used: {why}")),
    }
    let runs_onnx = engines.is_ok_and(|engines| engines.run_onnx());
    if !runs_onnx {
        crate::out(format_args!(
            "Versions with an ONNX model cannot be served here."
        ));
    }
    Ok(if runs_onnx {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
