//! The bench: a release server, a real load generator, one run, tables.
//!
//! The generator shares the machine with the server, so figures are compared within a run only:
//! rounds alternate between what is compared, and the median of the rounds counts.

mod changes;
mod context;
mod controller;
mod experiment;
mod exposed;
mod journal;
mod load;
mod log;
mod start;

use crate::process;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// What to measure; all of it where nothing is named.
    parts: Vec<Part>,
    /// Alternating rounds.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// The largest log, in predictions.
    #[arg(long, default_value_t = 10_000_000)]
    log: u64,
    /// The binary of the last release, which is measured beside.
    #[arg(long, value_name = "FILE")]
    last_release: Option<PathBuf>,
    /// Where the data directories are made, so that a disk can be chosen.
    #[arg(long, default_value = "target")]
    directory: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Throughput, closed loop.
    Closed,
    /// Latency at fixed rates.
    Rates,
    /// The cost of a `unit_id`.
    Units,
    /// The cost of a `request_id` and attributes, and `/decide` against `/health`
    Context,
    /// 256 connections for a minute.
    Soak,
    /// Reports, memory and disk by the size of the log.
    Log,
    /// Throughput and latency of the journal, closed and open loop, against `/health`.
    Journal,
    /// Five minutes at 5,000 requests a second: pauses.
    Pauses,
    /// The most requests a second at a p99.
    Frontier,
    /// What happens while the database cannot be written for 30 s.
    Backlog,
    /// A change of the catalogue by the number of models.
    Changes,
    /// The time to be ready with 1,000 versions.
    Start,
    /// Micro-benchmarks of routing.
    Route,
    /// The cost of a running experiment, feedback, and results of a large log.
    Experiment,
    /// CPU time of a request of a running experiment, against the last release.
    Cpu,
    /// Keys, `/metrics`, shedding, clients that do nothing, backup and restore.
    Exposed,
    /// Latency while retention removes the largest log: half an hour.
    Retention,
    /// What the controller costs, and how soon it takes a broken candidate back.
    Controller,
    /// Micro-benchmarks of the judge, and the simulation with its defaults.
    Judge,
}

pub(crate) async fn run(args: &BenchArgs) -> anyhow::Result<()> {
    // Installs the TLS provider that every HTTP client of this process needs.
    api::Client::new("http://127.0.0.1")?;
    let binary = process::build()?;
    let parts = if args.parts.is_empty() {
        Part::value_variants()
    } else {
        &args.parts
    };
    let directory = tempfile::tempdir_in(&args.directory)?;
    for part in parts {
        match part {
            Part::Closed => load::closed(args, &binary, directory.path()).await?,
            Part::Rates => load::rates(args, &binary, directory.path()).await?,
            Part::Units => load::units(args, &binary, directory.path()).await?,
            Part::Context => context::context(args, &binary, directory.path()).await?,
            Part::Soak => load::soak(&binary, directory.path()).await?,
            Part::Log => log::run(args, &binary, directory.path()).await?,
            Part::Journal => journal::run(args, &binary, directory.path()).await?,
            Part::Pauses => journal::pauses(args, &binary, directory.path()).await?,
            Part::Frontier => journal::frontier(args, &binary, directory.path()).await?,
            Part::Backlog => journal::backlog(&binary, directory.path()).await?,
            Part::Changes => changes::run(&binary, directory.path()).await?,
            Part::Start => start::run(args, &binary, directory.path()).await?,
            Part::Route => start::route()?,
            Part::Experiment => experiment::run(args, &binary, directory.path()).await?,
            Part::Cpu => experiment::cpu(args, &binary, directory.path()).await?,
            Part::Exposed => exposed::run(args, &binary, directory.path()).await?,
            Part::Retention => exposed::retention(args, &binary, directory.path()).await?,
            Part::Controller => controller::run(args, &binary, directory.path()).await?,
            Part::Judge => experiment::judge(&binary)?,
        }
    }
    Ok(())
}
