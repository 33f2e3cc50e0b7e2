//! What a report, memory and disk cost by the size of the log.

use super::BenchArgs;
use crate::fill::TEXT;
use crate::process::{self, Process};
use crate::table::{self, median};
use anyhow::ensure;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// How often a report is asked for.
const ASKED: usize = 51;

pub(super) async fn run(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for predictions in [10_000, 1_000_000, args.log] {
        let log = Log::fill(directory, predictions, 0, 2, false)?;
        let server = process::weir(binary, &log.data_dir, "commit")?;
        let all = ask(&server.line, "").await?;
        let beyond_text = log.bytes as f64 / predictions as f64 - TEXT.len() as f64;
        rows.push(vec![
            predictions.to_string(),
            format!("{all:.2}"),
            format!("{:.0}", server.memory_mib("VmHWM:")?),
            log.filler,
            format!("{:.0}", log.per_second),
            format!("{beyond_text:.0}"),
            format!("{:.0}", server.started_in.as_secs_f64() * 1e3),
        ]);
    }
    table::print(
        "By the size of the log, 2 versions; bars: report at most 1.5 x the first, memory under 150 MiB, disk at most 250 bytes",
        &[
            "predictions",
            "report ms",
            "server MiB",
            "appending process",
            "appended/s",
            "disk bytes each beyond text",
            "start ms",
        ],
        &rows,
    );
    spread(args, binary, directory).await
}

/// Over 90 days and 20 versions.
async fn spread(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let log = Log::fill(directory, args.log, 90, 20, false)?;
    let server = process::weir(binary, &log.data_dir, "commit")?;
    let now = std::fs::metadata(log.data_dir.join("weir.db"))?.modified()?;
    let now = now.duration_since(std::time::UNIX_EPOCH)?.as_micros() as i64;
    let minute = 60_000_000;
    let day = 1_440 * minute;
    // Ends that fall on no whole minute, hour or day.
    let windows = [
        ("all of time", None, None),
        ("last 90 days", Some(89 * day + 754_321_987), None),
        (
            "30 days, 60 days ago",
            Some(88 * day + 4_321_987),
            Some(58 * day + 1_234_567),
        ),
        ("last day", Some(day + 1_234_567), None),
        ("last hour", Some(61 * minute + 1_234_567), None),
        (
            "17 minutes, 40 days ago",
            Some(40 * day + 17 * minute),
            Some(40 * day),
        ),
    ];
    let mut rows = Vec::new();
    for (name, since, until) in windows {
        let at = |ago: i64| types::Timestamp::from_micros(now - ago);
        let since = since.map(|ago| format!("since={}&", at(ago)));
        let until = until.map(|ago| format!("until={}", at(ago)));
        let query = format!(
            "?{}{}",
            since.unwrap_or_default(),
            until.unwrap_or_default()
        );
        rows.push(vec![
            name.into(),
            format!("{:.1}", ask(&server.line, &query).await?),
        ]);
    }
    let title = format!(
        "Reports of {} predictions over 90 days and 20 versions; bar: 30 ms",
        args.log
    );
    table::print(&title, &["window", "ms"], &rows);
    Ok(())
}

/// The median time of a report, in milliseconds.
async fn ask(address: &str, query: &str) -> anyhow::Result<f64> {
    time(&format!("{address}/models/performance{query}")).await
}

/// The median time of a GET, in milliseconds.
pub(super) async fn time(url: &str) -> anyhow::Result<f64> {
    let http = reqwest::Client::new();
    let mut times = Vec::new();
    for _ in 0..ASKED {
        let start = Instant::now();
        let reply = http.get(url).send().await?;
        ensure!(
            reply.status().is_success(),
            "{url}: {}",
            reply.text().await?
        );
        reply.bytes().await?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(times))
}

pub(super) struct Log {
    pub(super) data_dir: std::path::PathBuf,
    /// What the process that appended says of its memory.
    filler: String,
    pub(super) per_second: f64,
    bytes: u64,
}

impl Log {
    pub(super) fn fill(
        directory: &Path,
        predictions: u64,
        days: u32,
        versions: u32,
        experiment: bool,
    ) -> anyhow::Result<Self> {
        let data_dir = tempfile::tempdir_in(directory)?.keep();
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("fill")
            .arg(&data_dir)
            .arg(predictions.to_string());
        command.args([
            "--days",
            &days.to_string(),
            "--versions",
            &versions.to_string(),
        ]);
        if experiment {
            command.arg("--experiment");
        }
        let filled = Process::start(&mut command)?;
        let (_, filler) = filled.line.split_once("VmRSS").unwrap_or_default();
        Ok(Self {
            bytes: process::disk_bytes(&data_dir)?,
            filler: format!("RSS{filler}"),
            per_second: predictions as f64 / filled.started_in.as_secs_f64(),
            data_dir,
        })
    }
}
