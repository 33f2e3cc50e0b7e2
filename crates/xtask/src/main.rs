//! What developers run beside the tests: `cargo xtask bench`.
//!
//! Nothing here is part of the product, and no test depends on a figure from here.
#![expect(clippy::print_stdout, reason = "tables are the data of these commands")]

mod bare;
mod bench;
mod fill;
mod load;
mod process;
mod table;

use bench::BenchArgs;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the release build on this machine and print tables.
    Bench(BenchArgs),
    /// Serve a fixed JSON answer with the bare HTTP library (the bench starts this itself).
    Bare {
        /// How long it takes for a POST.
        #[arg(long, default_value_t = 0)]
        after_ms: u64,
    },
    /// Log predictions through the store's own append path (the bench starts this itself).
    Fill {
        /// The data directory.
        data_dir: PathBuf,
        /// How many predictions.
        predictions: u64,
        /// Over how many days, ending now.
        #[arg(long, default_value_t = 0)]
        days: u32,
        /// Meant for how many versions.
        #[arg(long, default_value_t = 2)]
        versions: u32,
        /// In an experiment on the first two versions, with labels for half of them.
        #[arg(long)]
        experiment: bool,
    },
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match Args::parse().command {
            Command::Bench(args) => bench::run(&args).await,
            Command::Bare { after_ms } => bare::serve(Duration::from_millis(after_ms)).await,
            Command::Fill {
                data_dir,
                predictions,
                days,
                versions,
                experiment,
            } => fill::run(&data_dir, predictions, days, versions, experiment).await,
        }
    })
}
