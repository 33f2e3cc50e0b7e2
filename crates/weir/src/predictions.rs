//! `weir predictions` and `weir feedback export`: the log of a running server, as files and as it comes.

use crate::args::{
    ExportArgs, ExportFeedbackArgs, FilterArgs, Format, PredictionsArgs, PredictionsCommand,
    TailArgs,
};
use crate::control::{Cli, say};
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How often it is asked what has come.
const EVERY: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &PredictionsArgs) -> anyhow::Result<ExitCode> {
    crate::control::run(async {
        let cli = Cli::new(&args.connect)?;
        match &args.command {
            PredictionsCommand::Tail(args) => tail(&cli, args).await,
            PredictionsCommand::Export(args) => {
                let mut query = of(&args.filter);
                query.extend([("since", args.since.clone()), ("until", args.until.clone())]);
                export(&cli, "predictions", query, &args.export).await
            }
            PredictionsCommand::Show { prediction_id } => {
                let found = cli.client.prediction(prediction_id).await?;
                cli.print(&found, || {
                    serde_json::to_string_pretty(&found).unwrap_or_default()
                })
            }
        }
    })
}

pub(crate) async fn export_feedback(cli: &Cli, args: &ExportFeedbackArgs) -> anyhow::Result<()> {
    let query = vec![("name", args.name.clone())];
    export(cli, "feedback", query, &args.export).await
}

type Query = Vec<(&'static str, Option<String>)>;

fn of(filter: &FilterArgs) -> Query {
    vec![
        ("name", filter.name.clone()),
        ("version", filter.version.clone()),
        ("experiment", filter.experiment.clone()),
        ("status", filter.status.clone()),
        ("unit_id", filter.unit_id.clone()),
        ("where", filter.of.clone()),
    ]
}

async fn asked(cli: &Cli, what: &str, query: &Query) -> Result<api::Export, api::ClientError> {
    let given = query.iter();
    let given: Vec<(&str, &str)> = given
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
        .collect();
    cli.client.export(&format!("/{what}/export"), &given).await
}

/// How far a folder has been kept up to date. It stands in the folder.
#[derive(Serialize, Deserialize)]
struct Reached {
    generation: String,
    position: u64,
    /// What was asked: another question needs another folder.
    of: Value,
    format: String,
}

/// Where that stands: exports of both kinds may share a folder.
fn reached_in(folder: &Path, what: &str) -> PathBuf {
    folder.join(format!("{what}-position.json"))
}

async fn export(
    cli: &Cli,
    what: &'static str,
    mut query: Query,
    args: &ExportArgs,
) -> anyhow::Result<()> {
    let question = json!(
        query
            .iter()
            .filter(|(_, value)| value.is_some())
            .collect::<Vec<_>>()
    );
    let before = args
        .into
        .as_deref()
        .map(|folder| reached(folder, what, &question, args.format))
        .transpose()?
        .flatten();
    let format = match before.as_ref() {
        Some(before) => before.format()?,
        None => format_of(args)?,
    };
    let (after, generation) = match &before {
        Some(before) => (Some(before.position), Some(before.generation.clone())),
        None => (args.after_position, args.generation.clone()),
    };
    query.extend([
        ("format", Some(format.as_str().to_owned())),
        ("after_position", after.map(|after| after.to_string())),
        ("generation", generation),
        ("limit", args.limit.map(|limit| limit.to_string())),
    ]);
    let first = after.unwrap_or(0);
    if let Some(path) = args
        .output
        .as_deref()
        .filter(|path| path.is_file() && !args.force)
    {
        bail!("{} exists already; --force overwrites it", path.display());
    }
    let mut export = asked(cli, what, &query).await?;
    let next = export.next_position;
    let path = match (&args.output, &args.into) {
        (Some(path), _) if path == Path::new("-") => None,
        (Some(path), _) => Some(path.clone()),
        (None, Some(folder)) if next > first => {
            let ending = format.as_str();
            Some(folder.join(format!("{what}-{first:015}-{next:015}.{ending}")))
        }
        (None, Some(folder)) => {
            talk(
                cli,
                &format!("{}: nothing new since the last run", folder.display()),
            );
            return Ok(());
        }
        (None, None) => None,
    };
    let bytes = match &path {
        Some(path) if is_stream(path) => to_stream(&mut export, path).await?,
        Some(path) => to_file(&mut export, path).await?,
        None => to_stdout(&mut export).await?,
    };
    if let Some(folder) = &args.into {
        let reached = Reached {
            generation: export.generation.clone(),
            position: next,
            of: question,
            format: format.as_str().to_owned(),
        };
        let text = serde_json::to_vec_pretty(&reached)?;
        write_whole(&reached_in(folder, what), &text)?;
        remove_overtaken(folder, what, first, path.as_deref())?;
    }
    let Some(path) = path else { return Ok(()) };
    let said = json!({
        "path": path,
        "bytes": bytes,
        "next_position": next,
        "generation": export.generation,
    });
    cli.print(&said, || {
        let on = match (&args.into, args.limit) {
            (Some(_), _) => "the same command goes on from there".to_owned(),
            (None, Some(_)) => {
                "with --limit, go on after the position of the last row (--after-position)"
                    .to_owned()
            }
            (None, None) => format!(
                "--after-position {next} --generation {} goes on from there",
                export.generation
            ),
        };
        format!(
            "{}: {bytes} bytes, up to position {next}; {on}",
            path.display()
        )
    })
}

fn talk(cli: &Cli, text: &str) {
    if !cli.is_json() {
        crate::talk(text);
    }
}

fn format_of(args: &ExportArgs) -> anyhow::Result<Format> {
    if let Some(format) = args.format {
        return Ok(format);
    }
    let ending = args.output.as_ref().and_then(|path| path.extension());
    Ok(match ending.and_then(|ending| ending.to_str()) {
        None => Format::Ndjson,
        Some("ndjson" | "jsonl" | "json") => Format::Ndjson,
        Some("csv") => Format::Csv,
        Some("parquet") => Format::Parquet,
        Some(other) => bail!(
            "a file that ends in .{other} does not say its format; name it with --format ndjson, csv or parquet"
        ),
    })
}

impl Reached {
    fn format(&self) -> anyhow::Result<Format> {
        let all = [Format::Ndjson, Format::Csv, Format::Parquet];
        let found = all
            .into_iter()
            .find(|format| format.as_str() == self.format);
        found.with_context(|| format!("there is no format {}", self.format))
    }
}

/// How far a folder has come; nothing where it is new.
fn reached(
    folder: &Path,
    what: &str,
    question: &Value,
    format: Option<Format>,
) -> anyhow::Result<Option<Reached>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = reached_in(folder, what);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if let Some(file) = files_of(folder, what)?.first() {
                bail!(
                    "{} holds {}, but {} is gone, which said how far it has come; choose another folder",
                    folder.display(),
                    file.display(),
                    path.display()
                );
            }
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let before: Reached = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not what an export has written", path.display()))?;
    if before.of != *question {
        bail!(
            "{} holds another export, with other filters; choose another folder",
            folder.display()
        );
    }
    if let Some(format) = format.filter(|format| format.as_str() != before.format) {
        bail!(
            "{} holds another export, as {}; leave out --format {}, or choose another folder",
            folder.display(),
            before.format,
            format.as_str()
        );
    }
    Ok(Some(before))
}

/// The files of a kind of export in a folder.
fn files_of(folder: &Path, what: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let numbers = name
            .strip_prefix(what)
            .and_then(|rest| rest.strip_prefix('-'));
        if numbers.is_some_and(|numbers| numbers.starts_with(|c: char| c.is_ascii_digit())) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Removes what a run wrote that was cut short before it could say how far it had come: the new file begins where that one
/// does, and holds all of it.
fn remove_overtaken(
    folder: &Path,
    what: &str,
    first: u64,
    kept: Option<&Path>,
) -> anyhow::Result<()> {
    let begins = format!("{what}-{first:015}-");
    for path in files_of(folder, what)? {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.starts_with(&begins) && Some(path.as_path()) != kept {
            std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// The file appears under its name when all of it is there.
async fn to_file(export: &mut api::Export, path: &Path) -> anyhow::Result<u64> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let part = tempfile::Builder::new()
        .prefix(".weir-export-")
        .tempfile_in(folder);
    let mut file = part.with_context(|| format!("cannot write into {}", folder.display()))?;
    let bar = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("{spinner} {bytes} written ({bytes_per_sec})")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    let mut bytes = 0;
    while let Some(part) = export.next().await.context("the export broke off")? {
        let part = part.as_ref();
        file.write_all(part).with_context(|| cannot_write(path))?;
        bytes += part.len() as u64;
        bar.set_position(bytes);
    }
    bar.finish_and_clear();
    file.as_file()
        .sync_all()
        .with_context(|| cannot_write(path))?;
    file.persist(path).with_context(|| cannot_write(path))?;
    Ok(bytes)
}

/// Whether something is there that takes bytes and is no file: a device, a pipe. Nothing may take its place.
fn is_stream(path: &Path) -> bool {
    let found = std::fs::metadata(path);
    found.is_ok_and(|found| !found.is_file() && !found.is_dir())
}

async fn to_stream(export: &mut api::Export, path: &Path) -> anyhow::Result<u64> {
    let named = || path.display().to_string();
    let opened = std::fs::OpenOptions::new().write(true).open(path);
    let mut stream = opened.with_context(named)?;
    let mut bytes = 0;
    while let Some(part) = export.next().await.context("the export broke off")? {
        stream.write_all(part.as_ref()).with_context(named)?;
        bytes += part.as_ref().len() as u64;
    }
    stream.flush().with_context(named)?;
    Ok(bytes)
}

fn cannot_write(path: &Path) -> String {
    format!("{} could not be written, and was removed", path.display())
}

fn write_whole(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    let folder: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path).with_context(|| cannot_write(path))?;
    Ok(())
}

async fn to_stdout(export: &mut api::Export) -> anyhow::Result<u64> {
    let mut bytes = 0;
    while let Some(part) = export.next().await.context("the export broke off")? {
        crate::write(part.as_ref()).context("standard output")?;
        bytes += part.as_ref().len() as u64;
    }
    Ok(bytes)
}

async fn tail(cli: &Cli, args: &TailArgs) -> anyhow::Result<()> {
    let filter = of(&args.filter);
    // Positions are dense, so that a look at the last ones that are there reads no more than it has to.
    let mut after = asked(cli, "predictions", &vec![("limit", Some("1".to_owned()))])
        .await?
        .next_position;
    let mut generation = None;
    let mut back = args.last.max(1);
    let mut found = Vec::new();
    let wanted = args.last;
    while wanted > found.len() as u64 {
        let begin = after.saturating_sub(back);
        (found, _, _) = rows(cli, &filter, begin, None).await?;
        if begin == 0 {
            break;
        }
        back *= 8;
    }
    if let Some(row) = found.last() {
        after = after.max(row["position"].as_u64().unwrap_or(0));
    }
    let skipped = found.len().saturating_sub(args.last as usize);
    show(cli, &found[skipped..])?;
    if args.no_follow {
        return Ok(());
    }
    let mut lost = false;
    loop {
        tokio::time::sleep(EVERY).await;
        match rows(cli, &filter, after, generation.as_deref()).await {
            Ok((rows, next, of)) => {
                show(cli, &rows)?;
                (after, generation, lost) = (next, Some(of), false);
            }
            // A server that is restarted comes back; one that refuses does not change its mind.
            Err(error) if may_pass(&error) => {
                if !std::mem::replace(&mut lost, true) {
                    crate::talk(&format!("note: {error:#}; trying again"));
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether it may go by itself: the connection, or too much at a time.
fn may_pass(error: &anyhow::Error) -> bool {
    let found = error.downcast_ref::<api::ClientError>();
    match found {
        Some(api::ClientError::Transport(_)) => true,
        Some(api::ClientError::Refused(problem)) => problem.code.status() == 429,
        _ => false,
    }
}

/// The rows after a position, where to go on, and what that belongs to.
async fn rows(
    cli: &Cli,
    filter: &Query,
    after: u64,
    generation: Option<&str>,
) -> anyhow::Result<(Vec<Value>, u64, String)> {
    let mut query = filter.clone();
    query.push(("after_position", Some(after.to_string())));
    query.push(("generation", generation.map(str::to_owned)));
    let mut export = asked(cli, "predictions", &query).await?;
    let mut text = Vec::new();
    while let Some(part) = export.next().await? {
        text.extend_from_slice(part.as_ref());
    }
    let lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let rows = lines
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()?;
    Ok((rows, export.next_position, export.generation))
}

fn show(cli: &Cli, rows: &[Value]) -> anyhow::Result<()> {
    for row in rows {
        say(&if cli.is_json() {
            row.to_string()
        } else {
            line(row)
        })?;
    }
    Ok(())
}

/// The longest text of a prediction or an input that a line shows.
const SHOWN: usize = 60;

fn line(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().unwrap_or("-");
    let short = |value: &Value| {
        let text = match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut short: String = text
            .replace(['\n', '\t'], " ")
            .chars()
            .take(SHOWN)
            .collect();
        if text.chars().count() > SHOWN {
            short.push('…');
        }
        short
    };
    let input = if row["text"].is_null() {
        &row["inputs"]
    } else {
        &row["text"]
    };
    let at = text("created_at");
    let latency = row["latency_ms"].as_f64();
    let latency = latency.map_or("-".to_owned(), |ms| format!("{ms:.2} ms"));
    format!(
        "{}  {} {}  {:<8} {:>10}  {}  ←  {}  {}",
        at.get(..19).unwrap_or(at),
        text("name"),
        text("model_version"),
        text("status"),
        latency,
        short(&row["prediction"]),
        short(input),
        text("prediction_id"),
    )
}
