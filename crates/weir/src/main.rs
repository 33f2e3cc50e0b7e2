//! `weir`: flags, configuration and exit codes. Data goes to stdout, talk to stderr.

mod args;
mod control;
mod demo;
mod plan;
mod serve;
mod simulation;
mod verify;

use args::{Command, LowArgs};
use clap::Parser;
use std::process::ExitCode;

/// Records are made by the threads that answer and freed by the one that writes: mimalloc does not
/// make them wait for each other, and is faster besides.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = LowArgs::parse();
    let result = match args.command {
        Command::Serve(serve) => serve::run(&serve),
        Command::Demo(demo) => demo::run(&demo),
        Command::Verify(verify) => verify::run(&verify),
        Command::Plan(plan) => plan::run(&plan),
        Command::Rollout(rollout) => control::rollout(&rollout),
        Command::Experiment(experiment) => control::experiment(&experiment),
        Command::Evaluate(evaluate) => control::evaluate(&evaluate),
        Command::Simulate(simulate) => simulation::run(&simulate),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        if let Some(hint) = hint(&error) {
            eprintln!("hint: {hint}");
        }
        ExitCode::FAILURE
    })
}

/// What to do about an error.
fn hint(error: &anyhow::Error) -> Option<&'static str> {
    let opened = error.downcast_ref::<store::OpenError>();
    let started = error.downcast_ref::<server::StartError>();
    let opened = opened.or(match started {
        Some(server::StartError::Open(error)) => Some(error),
        _ => None,
    });
    Some(match (opened, started) {
        (Some(store::OpenError::InUse(_)), _) => {
            "stop the other server, or choose another directory with --data-dir"
        }
        (Some(store::OpenError::Newer { .. }), _) => "run the newer weir that wrote it",
        (Some(store::OpenError::Directory { .. }), _) => {
            "check that it exists and may be written, or choose another with --data-dir"
        }
        (_, Some(server::StartError::Listen { .. })) => {
            "choose another address with --listen; port 0 takes a free one"
        }
        _ => {
            return error
                .downcast_ref::<args::InvalidArgs>()
                .map(|error| error.hint);
        }
    })
}
