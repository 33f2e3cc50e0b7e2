//! Processes that the bench starts: servers that print their address, and what they use.

use anyhow::{Context, ensure};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A process that has printed one line; killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) line: String,
    /// From its start to that line.
    pub(crate) started_in: Duration,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let start = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.as_mut().context("the output is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let started_in = start.elapsed();
        ensure!(!line.is_empty(), "{command:?} ended without a word");
        let line = line.trim().to_owned();
        Ok(Self {
            child,
            line,
            started_in,
        })
    }

    /// A field of `/proc/PID/status` in mebibytes, such as `VmRSS`.
    pub(crate) fn memory_mib(&self, field: &str) -> anyhow::Result<f64> {
        memory_mib(&self.child.id().to_string(), field)
    }

    /// The CPU time it has used, in ticks of 10 ms, by all of its threads: user and system.
    pub(crate) fn cpu_ticks(&self) -> anyhow::Result<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name stands in parentheses and may hold anything; the fields after it are numbered from 3.
        let (_, fields) = stat.rsplit_once(')').context("a name in parentheses")?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut ticks = || anyhow::Ok(fields.next().context("no such field")?.parse::<u64>()?);
        Ok(ticks()? + ticks()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A field of `/proc/{pid}/status` in mebibytes.
pub(crate) fn memory_mib(pid: &str, field: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("no such field")?
        .parse()?;
    Ok(kib / 1024.0)
}

/// `weir serve` on a directory and a free port.
pub(crate) fn weir(binary: &Path, data_dir: &Path, durability: &str) -> anyhow::Result<Process> {
    let mut command = Command::new(binary);
    command
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--durability",
            durability,
        ])
        .arg("--data-dir")
        .arg(data_dir)
        .env("WEIR_LOG", "error");
    Process::start(&mut command)
}

/// Builds the release binary and says where it is.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let built = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--package",
            "weir",
        ])
        .status()?;
    ensure!(built.success(), "the release build failed");
    let this = std::env::current_exe()?;
    let directory = this.parent().context("a binary lies in a directory")?;
    Ok(directory.join("weir"))
}

/// Bytes below a directory.
pub(crate) fn disk_bytes(directory: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
