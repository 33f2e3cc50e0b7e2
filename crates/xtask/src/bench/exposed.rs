//! What it costs to stand on a network: keys, `/metrics`, more requests than can be served, clients that do nothing, backup.

use super::BenchArgs;
use super::load::body;
use super::log::{Log, time};
use crate::load::{self, Shape, Target};
use crate::process::{self, Process};
use crate::table::{self, median};
use anyhow::{Context, ensure};
use api::{Client, RegisterVersion, SetRetention};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

pub(super) async fn run(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    keys(binary, directory).await?;
    page(binary, directory).await?;
    shedding(args, binary, directory).await?;
    idle(args, binary, directory).await?;
    streams(binary, directory).await?;
    backup(args, binary, directory).await
}

/// A server with one version, and the key that it asks for.
struct Kept {
    process: Process,
    key: Option<String>,
    client: Client,
}

impl Kept {
    async fn start(
        binary: &Path,
        directory: &Path,
        auth: &str,
        runtime: Option<Value>,
    ) -> anyhow::Result<Self> {
        let data_dir = tempfile::tempdir_in(directory)?.keep();
        let said = data_dir.join("said");
        let mut command = Command::new(binary);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--auth", auth])
            .arg("--data-dir")
            .arg(&data_dir)
            .env("WEIR_LOG", "error")
            .stderr(File::create(&said)?);
        let process = Process::start(&mut command)?;
        let said = std::fs::read_to_string(said)?;
        let key = said
            .split_whitespace()
            .find(|word| word.starts_with("weir_"));
        let key = key.map(str::to_owned);
        ensure!(key.is_some() == (auth == "required"), "no key was printed");
        let client = Client::new(&process.line)?.with(key.as_deref(), None, None)?;
        let new = RegisterVersion {
            name: "sentiment".into(),
            version: "1.0.0".into(),
            accuracy: 0.5,
            runtime: runtime.map(serde_json::from_value).transpose()?,
            ..RegisterVersion::default()
        };
        let registered = client.register(&new).await?;
        client.activate(&registered.model_id, 100.0).await?;
        Ok(Self {
            process,
            key,
            client,
        })
    }

    fn url(&self) -> String {
        format!("{}/predict", self.process.line)
    }
}

/// CPU time of a request with keys and without.
async fn keys(binary: &Path, directory: &Path) -> anyhow::Result<()> {
    const ROUNDS: u32 = 20;
    let shape = Shape {
        connections: 16,
        seconds: 2,
        rate: None,
    };
    let mut servers = Vec::new();
    for auth in ["none", "required"] {
        servers.push(Kept::start(binary, directory, auth, None).await?);
    }
    let body = body();
    let mut micros = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (server, micros) in servers.iter().zip(&mut micros) {
            let url = server.url();
            let target = match &server.key {
                None => Target::Post(&url, &body),
                Some(key) => Target::PostWith(&url, &body, key),
            };
            let before = server.process.cpu_ticks()?;
            let outcome = load::run(target, shape).await?;
            ensure!(outcome.failures == 0, "requests were refused: {outcome:?}");
            let ticks = server.process.cpu_ticks()? - before;
            let requests = outcome.per_second * f64::from(shape.seconds);
            micros.push(ticks as f64 * 1e4 / requests);
        }
    }
    let pairs = micros[1].iter().zip(&micros[0]);
    let ratio = median(pairs.map(|(with, without)| with / without));
    let [without, with] = micros.map(median);
    table::print(
        "CPU time of a request of /predict with keys and without, 20 alternating rounds; bar: 1.05 x",
        &["without, µs", "with, µs", "median of ratios"],
        &[vec![
            format!("{without:.2}"),
            format!("{with:.2}"),
            format!("{ratio:.3}"),
        ]],
    );
    Ok(())
}

/// `/metrics` of 1,000 versions.
async fn page(binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let server = Kept::start(binary, directory, "none", None).await?;
    for model in 0..100 {
        for version in 0..10 {
            let new = RegisterVersion {
                name: format!("model-{model}"),
                version: format!("{version}.0.0"),
                accuracy: 0.5,
                ..RegisterVersion::default()
            };
            let registered = server.client.register(&new).await?;
            if version == 0 {
                server.client.activate(&registered.model_id, 100.0).await?;
            }
        }
    }
    let url = format!("{}/metrics", server.process.line);
    let bytes = reqwest::get(&url).await?.bytes().await?.len();
    table::print(
        "GET /metrics with 1,000 versions; bar: 20 ms",
        &["median ms", "bytes"],
        &[vec![format!("{:.2}", time(&url).await?), bytes.to_string()]],
    );
    Ok(())
}

/// A model service that takes eight calls at a time and 10 ms for each, at .8 and at three times what it can do.
async fn shedding(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    const AT_A_TIME: u32 = 8;
    const MS: u32 = 10;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", "--after-ms", &MS.to_string()]);
    let service = Process::start(&mut command)?;
    let runtime = json!({
        "type": "http", "url": format!("{}/", service.line), "max_concurrency": AT_A_TIME,
        "prediction_pointer": "/prediction", "confidence_pointer": "/confidence",
    });
    let server = Kept::start(binary, directory, "none", Some(runtime)).await?;
    let (url, body, log) = (server.url(), body(), directory.join("shed.db"));
    // What it can do, rather than what the arithmetic says.
    let shape = Shape {
        connections: AT_A_TIME,
        seconds: args.seconds,
        rate: None,
    };
    let most = load::run(Target::Post(&url, &body), shape)
        .await?
        .per_second;
    let (mut rows, mut tails) = (Vec::new(), [Vec::new(), Vec::new()]);
    for (at, share) in [(0, 0.8), (1, 3.0)] {
        let mut admitted = Vec::new();
        for _ in 0..args.rounds {
            let shape = Shape {
                connections: 64,
                seconds: args.seconds,
                rate: Some((most * share) as u32),
            };
            load::run_logged(Target::Post(&url, &body), shape, &log).await?;
            let (p99, of_all) = answered(&log)?;
            std::fs::remove_file(&log)?;
            tails[at].push(p99);
            admitted.push(of_all);
        }
        rows.push(vec![
            format!("{share} x of {most:.0} a second"),
            format!("{:.1}", median(tails[at].iter().copied())),
            format!("{:.2}", median(admitted)),
        ]);
    }
    let [calm, flooded] = tails.map(median);
    table::print(
        &format!(
            "p99 of the admitted under .8 x and 3 x the capacity: {:.2} x; bar: 2 x",
            flooded / calm
        ),
        &["load", "p99 ms of the admitted", "share of all"],
        &rows,
    );
    Ok(())
}

/// The p99 of the requests that were answered with 200, in ms, and their share of all.
fn answered(log: &Path) -> anyhow::Result<(f64, f64)> {
    let database = Connection::open(log)?;
    let mut select =
        database.prepare("SELECT duration FROM oha WHERE status = 200 ORDER BY duration")?;
    let durations = select.query_map([], |row| row.get(0))?;
    let durations: Vec<f64> = durations.collect::<Result<_, _>>()?;
    let all: i64 = database.query_row("SELECT count(*) FROM oha", [], |row| row.get(0))?;
    let p99 = durations
        .get(durations.len() * 99 / 100)
        .context("none was answered")?;
    Ok((p99 * 1e3, durations.len() as f64 / all as f64))
}

/// 10,000 connections on which nothing comes.
async fn idle(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    const CONNECTIONS: usize = 10_000;
    let server = Kept::start(binary, directory, "none", None).await?;
    let (url, body) = (server.url(), body());
    let shape = Shape {
        connections: 64,
        seconds: args.seconds,
        rate: None,
    };
    let before = load::run(Target::Post(&url, &body), shape).await?;
    let memory = server.process.memory_mib("VmRSS:")?;
    let address = server.process.line.trim_start_matches("http://");
    let open = (0..CONNECTIONS).map(|_| TcpStream::connect(address));
    let open: Vec<TcpStream> = open.collect::<Result<_, _>>().context(
        "cannot open 10,000 connections: the limit of open files (`ulimit -n`) must be above that",
    )?;
    let beside = load::run(Target::Post(&url, &body), shape).await?;
    table::print(
        "10,000 idle connections",
        &[
            "connections",
            "requests/s without",
            "with",
            "failures",
            "memory without, MiB",
            "with",
        ],
        &[vec![
            open.len().to_string(),
            format!("{:.0}", before.per_second),
            format!("{:.0}", beside.per_second),
            beside.failures.to_string(),
            format!("{memory:.0}"),
            format!("{:.0}", server.process.memory_mib("VmRSS:")?),
        ]],
    );
    Ok(())
}

/// 1,000 event streams that nobody reads.
async fn streams(binary: &Path, directory: &Path) -> anyhow::Result<()> {
    const STREAMS: usize = 1000;
    let server = Kept::start(binary, directory, "none", None).await?;
    let changes = async |count: u32| {
        let version = &server.client.versions().await?[0].model_id;
        let start = Instant::now();
        for at in 0..count {
            let percent = if at % 2 == 0 { 50.0 } else { 100.0 };
            server.client.activate(version, percent).await?;
        }
        anyhow::Ok(f64::from(count) / start.elapsed().as_secs_f64())
    };
    let before = changes(300).await?;
    let memory = server.process.memory_mib("VmRSS:")?;
    let address = server.process.line.trim_start_matches("http://").to_owned();
    let mut open = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = TcpStream::connect(&address)?;
        stream.write_all(
            format!("GET /events?after=0 HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes(),
        )?;
        open.push(stream);
    }
    let beside = changes(300).await?;
    let url = server.url();
    let shape = Shape {
        connections: 16,
        seconds: 2,
        rate: Some(1000),
    };
    let outcome = load::run(Target::Post(&url, &body()), shape).await?;
    table::print(
        "1,000 event streams that never read",
        &[
            "changes/s without",
            "with",
            "/predict p99 ms",
            "failures",
            "memory without, MiB",
            "with",
        ],
        &[vec![
            format!("{before:.0}"),
            format!("{beside:.0}"),
            format!("{:.2}", outcome.p99_ms),
            outcome.failures.to_string(),
            format!("{memory:.0}"),
            format!("{:.0}", server.process.memory_mib("VmRSS:")?),
        ]],
    );
    Ok(())
}

/// A backup under load, and what is restored from it.
async fn backup(args: &BenchArgs, binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let log = Log::fill(directory, args.log, 0, 2, false)?;
    let server = process::weir(binary, &log.data_dir, "commit")?;
    activate(&server).await?;
    let (url, body) = (format!("{}/predict", server.line), body());
    let shape = Shape {
        connections: 16,
        seconds: 30,
        rate: Some(1000),
    };
    let (to, restored) = (directory.join("backup"), directory.join("restored"));
    let command = |args: [&Path; 5]| {
        let mut command = Command::new(binary);
        command.args(args);
        tokio::task::spawn_blocking(move || -> anyhow::Result<(f64, String)> {
            let start = Instant::now();
            let output = command.output()?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let wrong = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "{command:?}: {said}{wrong}");
            Ok((start.elapsed().as_secs_f64(), said))
        })
    };
    let path = Path::new;
    let copies = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let from = [
            path("backup"),
            path("--data-dir"),
            &log.data_dir,
            path("--to"),
            &to,
        ];
        command(from).await?
    };
    let (load, copied) = tokio::join!(load::run(Target::Post(&url, &body), shape), copies);
    let (load, (backup_seconds, _)) = (load?, copied?);
    let from = [
        path("restore"),
        path("--from"),
        &to,
        path("--data-dir"),
        &restored,
    ];
    let (restore_seconds, said) = command(from).await??;
    let manifest: Value = serde_json::from_slice(&std::fs::read(to.join("backup.json"))?)?;
    let count = Connection::open(restored.join("weir.db"))?;
    let count: i64 = count.query_row("SELECT count(*) FROM predictions", [], |row| row.get(0))?;
    println!("\n{manifest:#}\n{said}");
    table::print(
        &format!(
            "Backup of {} predictions at 1,000 a second, and restore",
            args.log
        ),
        &[
            "backup s",
            "/predict p99 ms",
            "failures",
            "restore and verify s",
            "predictions restored",
        ],
        &[vec![
            format!("{backup_seconds:.1}"),
            format!("{:.2}", load.p99_ms),
            load.failures.to_string(),
            format!("{restore_seconds:.1}"),
            count.to_string(),
        ]],
    );
    std::fs::remove_dir_all(to)?;
    std::fs::remove_dir_all(restored)?;
    Ok(())
}

/// The filled log has versions that nobody is sent to.
async fn activate(server: &Process) -> anyhow::Result<()> {
    let client = Client::new(&server.line)?;
    let version = &client.versions().await?[0];
    client.activate(&version.model_id, 100.0).await?;
    Ok(())
}

/// All of a large log is removed while requests come.
pub(super) async fn retention(
    args: &BenchArgs,
    binary: &Path,
    directory: &Path,
) -> anyhow::Result<()> {
    let log = Log::fill(directory, args.log, 0, 2, false)?;
    let server = process::weir(binary, &log.data_dir, "commit")?;
    activate(&server).await?;
    let client = Client::new(&server.line)?;
    let (url, body) = (format!("{}/predict", server.line), body());
    let shape = Shape {
        connections: 64,
        seconds: 15 * args.seconds,
        rate: Some(5_000),
    };
    let mut failures = 0;
    let mut tail = async || {
        let outcome = load::run(Target::Post(&url, &body), shape).await?;
        failures += outcome.failures;
        anyhow::Ok(outcome.p99_ms)
    };
    let name = client.versions().await?[0].name.clone();
    let keep = |max_rows| SetRetention {
        max_age_seconds: None,
        max_rows,
        content_max_age_seconds: None,
    };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        without.push(tail().await?);
    }
    let start = Instant::now();
    client.set_retention(&name, &keep(Some(1000))).await?;
    let mut removed = 0;
    while removed < args.log {
        with.push(tail().await?);
        let now = client.retention(&name).await?.rows_removed;
        ensure!(now > removed, "nothing is removed any more: {now}");
        removed = now;
    }
    let seconds = start.elapsed().as_secs_f64();
    client.set_retention(&name, &keep(None)).await?;
    for _ in 0..args.rounds {
        without.push(tail().await?);
    }
    let (without, with) = (median(without), median(with));
    table::print(
        &format!(
            "Retention removes {} predictions at 5,000 requests a second: p99 {:.2} x; bar: 1.5 x",
            args.log,
            with / without
        ),
        &["p99 ms without", "with", "removed", "in s", "failures"],
        &[vec![
            format!("{without:.3}"),
            format!("{with:.3}"),
            removed.to_string(),
            format!("{seconds:.0}"),
            failures.to_string(),
        ]],
    );
    Ok(())
}
