//! The time to be ready, and the micro-benchmarks of routing.

use super::BenchArgs;
use crate::process;
use crate::table::{self, median};
use anyhow::ensure;
use api::{Client, RegisterVersion};
use std::path::Path;
use std::process::Command;

const VERSIONS: usize = 1_000;

pub(super) async fn run(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let data_dir = tempfile::tempdir_in(directory)?.keep();
    {
        let server = process::weir(binary, &data_dir, "commit")?;
        let client = Client::new(&server.line)?;
        for n in 0..VERSIONS {
            let new = RegisterVersion {
                name: format!("model-{}", n % 10),
                version: n.to_string(),
                accuracy: 0.5,
                ..RegisterVersion::default()
            };
            let registered = client.register(&new).await?;
            client.activate(&registered.model_id, 1.0).await?;
        }
    }
    let mut times = Vec::new();
    for _ in 0..args.rounds * 3 {
        let start = std::time::Instant::now();
        let server = process::weir(binary, &data_dir, "commit")?;
        let ready = reqwest::get(format!("{}/health/ready", server.line)).await?;
        ensure!(ready.status().is_success(), "the server is not ready");
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let rows = [vec![VERSIONS.to_string(), format!("{:.0}", median(times))]];
    table::print(
        "From start to ready; bar: 200 ms",
        &["active versions", "ms"],
        &rows,
    );
    Ok(())
}

/// `cargo bench -p route`, whose own table follows.
pub(super) fn route() -> anyhow::Result<()> {
    println!(
        "\n### Choosing a version; bars: 100 ns without a unit, 1.5 us with one at 4 versions\n"
    );
    let status = Command::new("cargo")
        .args(["bench", "--locked", "--quiet", "--package", "route"])
        .status()?;
    ensure!(status.success(), "the micro-benchmarks failed");
    Ok(())
}
