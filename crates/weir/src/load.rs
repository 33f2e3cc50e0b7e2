//! `weir import predictions` and `weir feedback load`: files of rows, to a running server.
//!
//! Rows go in batches. How far a file has come stands beside it, so that a run that was cut short is resumed; a row that may
//! have been sent twice for it carries an id by which the server knows it again.

use crate::args::{ImportArgs, ImportCommand, LoadArgs, LoadPredictionsArgs, RowFormat};
use crate::control::Cli;
use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use types::Json;

/// Rows of a batch.
const BATCH: usize = 2000;
/// Bytes of a batch, beyond which it is sent.
const BATCH_BYTES: usize = 4 << 20;
/// Some programs begin a file with it.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// Every server takes a body of so many bytes, whatever its limit is (`server::lines`).
const ALWAYS_TAKEN: usize = 8 << 20;
/// So many refused rows are shown.
const SHOWN: usize = 20;

/// Fields of a prediction as `POST /predictions` takes it.
const PREDICTION: &[&str] = &[
    "token",
    "name",
    "model_version",
    "unit_id",
    "attributes",
    "request_id",
    "text",
    "inputs",
    "prediction",
    "confidence",
    "latency_ms",
    "error",
    "at",
    "propensity",
];
/// Fields of feedback as `POST /feedback` takes it.
const FEEDBACK: &[&str] = &[
    "prediction_id",
    "request_id",
    "name",
    "unit_id",
    "at",
    "outcome_id",
    "label",
    "metric",
    "value",
    "replace",
];
/// Columns of an export that are made by the server that logs a prediction.
const OF_EXPORTS: &[&str] = &[
    "position",
    "prediction_id",
    "model_id",
    "served_model_id",
    "status",
    "reason",
    "epoch",
    "experiment",
    "alias",
    "outputs",
    "failure",
    "kept",
    "feedback",
    "label",
];

/// Columns of an export that say when: the second one counts where it is there.
const MOMENTS: [&str; 2] = ["created_at", "made_at"];

pub(crate) fn run(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let ImportCommand::Predictions(load) = &args.command;
    let mut refused = 0;
    crate::control::run(async {
        let cli = Cli::new(&args.connect)?;
        refused = predictions(&cli, load).await?;
        Ok(())
    })?;
    Ok(exit(refused))
}

/// Rows that were left out are no success.
pub(crate) fn exit(refused: u64) -> ExitCode {
    if refused == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn predictions(cli: &Cli, args: &LoadPredictionsArgs) -> anyhow::Result<u64> {
    let defaults = [("name", &args.name), ("model_version", &args.version)];
    let defaults = defaults
        .into_iter()
        .filter_map(|(field, value)| Some((field, value.clone()?)));
    let kind = Kind {
        what: What::Predictions,
        defaults: defaults.collect(),
    };
    kind.load(cli, &args.load).await
}

pub(crate) async fn feedback(cli: &Cli, args: &LoadArgs) -> anyhow::Result<u64> {
    let kind = Kind {
        what: What::Values,
        defaults: Vec::new(),
    };
    kind.load(cli, args).await
}

/// What rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Predictions,
    /// Feedback.
    Values,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            Self::Predictions => "predictions",
            Self::Values => "values",
        }
    }

    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Predictions => PREDICTION,
            Self::Values => FEEDBACK,
        }
    }
}

/// What rows are, and what they have by default.
struct Kind {
    what: What,
    /// What a row has where it does not say it.
    defaults: Vec<(&'static str, String)>,
}

/// How far a file has come. It stands beside the file.
#[derive(Default, Serialize, Deserialize)]
struct Reached {
    /// Of the file, so that another one of the same name begins anew.
    sha256: String,
    /// What is sent where, and what columns mean: another question begins anew, too.
    #[serde(default)]
    of: String,
    rows: u64,
}

/// What would be sent.
#[derive(Serialize)]
struct DryRun {
    first: Option<Fields>,
    refused: u64,
    rows: u64,
}

/// What became of the rows.
#[derive(Default, Serialize)]
struct Done {
    rows: u64,
    recorded: u64,
    duplicate: u64,
    refused: u64,
    /// Labels of a type that can never equal the prediction.
    warned: u64,
    /// The first of the refused ones.
    errors: Vec<Value>,
}

impl Kind {
    async fn load(&self, cli: &Cli, args: &LoadArgs) -> anyhow::Result<u64> {
        let source = Source::open(&args.file)?;
        let sha256 = source.sha256.as_str();
        let beside = source.beside.as_deref();
        let before = beside.and_then(|beside| std::fs::read(beside).ok());
        let before: Reached = before
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let of = format!(
            "{} {} {:?} {:?}",
            cli.client.address(),
            self.what.as_str(),
            self.defaults,
            args.map
        );
        let same = before.sha256 == sha256 && before.of == of;
        let done_before = if same && !args.restart {
            before.rows
        } else {
            0
        };
        let columns = Columns::new(self.what, &args.map)?;
        let mut rows = Rows::open(&source, args.format, columns)?;
        let bar = ProgressBar::new(source.bytes).with_style(
            ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let mut done = Done::default();
        let mut batch = Batch::default();
        let (mut number, mut first) = (0, None);
        let mut ids = Ids::of(&source);
        while let Some(row) = rows.next()? {
            number += 1;
            let line = row.line;
            let fields = row.fields.map_err(|error| format!("{error:#}"));
            // What was sent before is read all the same: ids count how often a row has come.
            let row = fields.and_then(|fields| self.row(fields, &mut ids));
            if number <= done_before {
                continue;
            }
            match row {
                Ok(row) => {
                    first = first.or_else(|| Some(row.clone()));
                    let mut text = serde_json::to_vec(&row)?;
                    // A cell may be JSON over several lines; a row is one. Texts in JSON have no bare ends of lines.
                    for byte in text.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
                        *byte = b' ';
                    }
                    // A row that is too large for the server goes alone, so that no other one is refused with it.
                    if batch.text.len() + text.len() > BATCH_BYTES {
                        self.send(cli, args, &mut batch, &mut done).await?;
                    }
                    batch.add(line, &text);
                }
                Err(why) => {
                    // What stands before it is sent, as the message says.
                    self.send(cli, args, &mut batch, &mut done).await?;
                    done.refuse(line, &why, args)?;
                }
            }
            if batch.lines.len() >= BATCH || batch.text.len() >= BATCH_BYTES {
                self.send(cli, args, &mut batch, &mut done).await?;
                bar.set_position(rows.read_bytes());
                let sent = done.recorded + done.duplicate;
                bar.set_message(format!("{sent} {}", self.what.as_str()));
                keep(args, beside, (sha256, &of), number)?;
            }
        }
        self.send(cli, args, &mut batch, &mut done).await?;
        keep(args, beside, (sha256, &of), number)?;
        bar.finish_and_clear();
        done.rows = number;
        if args.dry_run {
            let shown = serde_json::to_string(&first)?;
            let would = DryRun {
                first,
                refused: done.refused,
                rows: number,
            };
            return cli
                .print(&would, || {
                    format!("{number} rows would be sent; the first is {shown}")
                })
                .map(|()| done.refused);
        }
        cli.print(&done, || {
            let mut lines = vec![format!(
                "{}: {} rows, {} {} recorded, {} known already, {} refused",
                source.name,
                number,
                done.recorded,
                self.what.as_str(),
                done.duplicate,
                done.refused
            )];
            if done_before > 0 {
                lines.push(format!(
                    "the first {done_before} rows were sent by an earlier run; --restart sends them again"
                ));
            }
            if done.warned > 0 {
                lines.push(format!(
                    "warning: labels of a type that can never equal the prediction: {}; `weir experiment results` and \
                     `GET /health/ready` name the types",
                    done.warned
                ));
            }
            lines.extend(done.errors.iter().map(|error| {
                let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
                format!("line {}: {}", error["line"], text("detail"))
            }));
            lines.join("\n")
        })?;
        Ok(done.refused)
    }

    /// A row as it is sent.
    fn row(&self, mut row: Fields, ids: &mut Ids) -> Result<Fields, String> {
        for (field, value) in &self.defaults {
            let row = row.entry((*field).to_owned());
            row.or_insert_with(|| Cell::One(Json::text(value)));
        }
        // An export says 0 where nobody knew it.
        if let Some(Cell::One(propensity)) = row.get("propensity")
            && propensity.as_str().parse() == Ok(0.0)
        {
            row.remove("propensity");
        }
        // By its content: what was sent before the file was corrected is known again.
        let own = match self.what {
            What::Predictions if !row.contains_key("token") => Some("request_id"),
            What::Values if row.contains_key("unit_id") => Some("outcome_id"),
            _ => None,
        };
        if let Some(field) = own.filter(|field| !row.contains_key(*field)) {
            let id = ids.next(&row);
            row.insert(field.to_owned(), Cell::One(Json::text(&id)));
        }
        if row.is_empty() {
            return Err("the row has no values".into());
        }
        Ok(row)
    }

    async fn send(
        &self,
        cli: &Cli,
        args: &LoadArgs,
        batch: &mut Batch,
        done: &mut Done,
    ) -> anyhow::Result<()> {
        let Batch { lines, text } = std::mem::take(batch);
        let bytes = text.len();
        if lines.is_empty() || args.dry_run {
            return Ok(());
        }
        let answer = match self.what {
            What::Predictions => cli
                .client
                .observe(text)
                .await
                .map(|reply| (reply.recorded, reply.duplicate, 0, reply.errors)),
            What::Values => match cli.client.feedback_lines(text).await {
                Ok(reply) => settled(cli, lines.len() as u64, reply).await.map(|reply| {
                    let new = reply.recorded + reply.replaced + reply.unmatched + reply.dropped;
                    (new, reply.duplicate, reply.warned, reply.errors)
                }),
                Err(error) => Err(error),
            },
        };
        let (recorded, duplicate, warned, errors) = match answer {
            Ok(answer) => answer,
            // All of them were refused: the problem lists the first ones by the lines of the batch.
            Err(api::ClientError::Refused(problem))
                if problem.code == api::ErrorCode::InvalidRequest =>
            {
                for (at, line) in lines.iter().enumerate() {
                    let place = format!("/{at}");
                    let field = |error: &api::FieldError| {
                        let field = error.pointer.strip_prefix(&place)?;
                        let is_here = field.is_empty() || field.starts_with('/');
                        is_here.then(|| format!("{field} {}", error.detail).trim().to_owned())
                    };
                    let why = problem.errors.iter().find_map(field);
                    let why = why.unwrap_or_else(|| problem.detail.clone());
                    done.refuse(*line, &why, args)?;
                }
                return Ok(());
            }
            Err(api::ClientError::Refused(problem))
                if problem.code == api::ErrorCode::BodyTooLarge && lines.len() == 1 =>
            {
                return done.refuse(lines[0], &problem.detail, args);
            }
            // Before it has all of a body that is too large, a server may end the connection.
            Err(api::ClientError::Transport(error))
                if lines.len() == 1
                    && bytes > ALWAYS_TAKEN
                    && !error.is_connect()
                    && !error.is_timeout() =>
            {
                let why = format!(
                    "the connection ended while its {bytes} bytes were sent: they may be more than the server takes"
                );
                return done.refuse(lines[0], &why, args);
            }
            Err(error) => return Err(error.into()),
        };
        done.recorded += recorded;
        done.duplicate += duplicate;
        done.warned += warned;
        for error in errors {
            let line = lines.get((error.line as usize).wrapping_sub(1)).copied();
            done.refuse(line.unwrap_or(error.line), &error.detail, args)?;
        }
        Ok(())
    }
}

/// What became of feedback in the end: a server that is busy accepts it, and says later what it came to.
pub(crate) async fn settled(
    cli: &Cli,
    values: u64,
    mut reply: api::FeedbackReply,
) -> Result<api::FeedbackReply, api::ClientError> {
    let told = |reply: &api::FeedbackReply| {
        reply.recorded
            + reply.duplicate
            + reply.replaced
            + reply.unmatched
            + reply.dropped
            + reply.set_aside
            + reply.rejected
    };
    let Some(receipt) = reply.receipt.clone().filter(|_| told(&reply) < values) else {
        return Ok(reply);
    };
    loop {
        let found = cli.client.receipt(&receipt).await?;
        if found.status.0 != api::ReceiptWord::Pending {
            (reply.recorded, reply.duplicate) = (found.recorded, found.duplicate);
            (reply.replaced, reply.unmatched) = (found.replaced, found.unmatched);
            (reply.dropped, reply.set_aside) = (found.dropped, found.set_aside);
            reply.rejected += found.rejected;
            reply.errors.extend(found.errors);
            return Ok(reply);
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}

impl Done {
    fn refuse(&mut self, line: u64, why: &str, args: &LoadArgs) -> anyhow::Result<()> {
        self.refused += 1;
        if self.errors.len() < SHOWN {
            self.errors.push(json!({"line": line, "detail": why}));
        }
        if args.skip_refused || args.dry_run {
            return Ok(());
        }
        bail!(
            "line {line} of {} is refused: {why}\nThe rows before it were sent; correct the line and run the same \
             command again, or leave refused rows out with --skip-refused",
            named(&args.file)
        )
    }
}

/// Rows that wait to be sent.
#[derive(Default)]
struct Batch {
    /// Their lines in the file.
    lines: Vec<u64>,
    text: Vec<u8>,
}

impl Batch {
    fn add(&mut self, line: u64, row: &[u8]) {
        self.text.extend_from_slice(row);
        self.text.push(b'\n');
        self.lines.push(line);
    }
}

/// Ids of rows that have none: of what a row says, and how many rows of the file before it say the same.
struct Ids {
    file: String,
    seen: HashMap<u64, u32>,
}

impl Ids {
    fn of(source: &Source) -> Self {
        // All pipes have one name: a row is known again when what comes through is corrected and sent again.
        let name = Path::new(&source.name).file_name().unwrap_or_default();
        Self {
            file: name.to_string_lossy().into_owned(),
            seen: HashMap::new(),
        }
    }

    fn next(&mut self, row: &Fields) -> String {
        // By its values: a row that is written otherwise is the same, as long as no number loses a digit by that.
        let written = serde_json::to_string(row).unwrap_or_default();
        let values = serde_json::to_value(row).map(|values| values.to_string());
        let same = |values: &String| types::labels::are_same(&written, values);
        let text = values.ok().filter(same).unwrap_or(written);
        let hash = Sha256::new()
            .chain_update(&self.file)
            .chain_update(&text)
            .finalize();
        let mut begin = [0; 8];
        begin.copy_from_slice(&hash[..8]);
        let seen = self.seen.entry(u64::from_le_bytes(begin)).or_default();
        *seen += 1;
        let hash: String = hash[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("import-{hash}-{seen}")
    }
}

/// The rows as they come: a file, or what the standard input had to say, in a temporary one.
struct Source {
    name: String,
    file: File,
    sha256: String,
    bytes: u64,
    /// Where it is kept how far the file has come. A pipe has no such place: it begins anew.
    beside: Option<PathBuf>,
}

impl Source {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let piped = path == Path::new(PIPED);
        let name = named(path);
        let open = || {
            if !piped {
                return File::open(path);
            }
            let mut file = tempfile::tempfile()?;
            std::io::copy(&mut std::io::stdin().lock(), &mut file)?;
            Ok(file)
        };
        let mut file = open().with_context(|| name.clone())?;
        let (sha256, bytes) = crate::artifact::hash(&mut file).with_context(|| name.clone())?;
        Ok(Self {
            beside: (!piped).then(|| beside(path)),
            name,
            file,
            sha256: sha256.to_string(),
            bytes,
        })
    }
}

/// The name of a file that is the standard input.
const PIPED: &str = "-";

fn named(path: &Path) -> String {
    if path == Path::new(PIPED) {
        return "the standard input".into();
    }
    path.display().to_string()
}

/// Which column is which field.
struct Columns {
    what: What,
    renamed: HashMap<String, String>,
}

impl Columns {
    fn new(what: What, map: &[(String, String)]) -> anyhow::Result<Self> {
        let fields = what.fields();
        for (column, field) in map {
            let known =
                field.is_empty() || fields.contains(&field.split('.').next().unwrap_or_default());
            if !known {
                bail!(
                    "--map {column}={field}: there is no field {field}; the fields are {}",
                    fields.join(", ")
                );
            }
        }
        Ok(Self {
            what,
            renamed: map.iter().cloned().collect(),
        })
    }

    /// The field of a column; nothing where it is left out.
    fn field<'a>(&'a self, column: &'a str) -> anyhow::Result<Option<&'a str>> {
        if let Some(field) = self.renamed.get(column) {
            return Ok(Some(field.as_str()).filter(|field| !field.is_empty()));
        }
        let fields = self.what.fields();
        let first = column.split('.').next().unwrap_or_default();
        let nested = matches!(first, "attributes" | "inputs") && column.contains('.');
        if fields.contains(&column) || (nested && fields.contains(&first)) {
            return Ok(Some(column));
        }
        if self.what == What::Predictions {
            if MOMENTS.contains(&column) {
                return Ok(Some("at"));
            }
            if OF_EXPORTS.contains(&column) {
                return Ok(None);
            }
        }
        bail!(
            "the column {column:?} is not one of the fields ({}); say which field it is with --map {column}=FIELD, \
             or leave it out with --map {column}=",
            fields.join(", ")
        )
    }

    /// Whether each column of a header is a field of its own, and each that is renamed is there.
    fn check(&self, header: &csv::StringRecord) -> anyhow::Result<()> {
        let mut fields: HashMap<&str, &str> = HashMap::new();
        for column in header {
            if let Some(field) = self.field(column)?
                && let Some(other) = fields.insert(field, column)
                && !(MOMENTS.contains(&other) && MOMENTS.contains(&column))
            {
                bail!(
                    "the columns {other:?} and {column:?} are both {field}; leave one out with --map {column}="
                );
            }
        }
        let missing = self
            .renamed
            .keys()
            .find(|name| !header.iter().any(|column| column == *name));
        if let Some(missing) = missing {
            bail!("--map {missing}=…: the file has no column {missing:?}");
        }
        Ok(())
    }

    fn put(&self, row: &mut Fields, column: &str, value: Json) -> anyhow::Result<()> {
        let Some(field) = self.field(column)? else {
            return Ok(());
        };
        let is_null = value == Json::default();
        match field.split_once('.') {
            Some((outer, inner)) if !self.what.fields().contains(&field) => {
                let none = || Cell::Members(BTreeMap::new());
                let outer = row.entry(outer.to_owned()).or_insert_with(none);
                if let (Some(members), false) = (outer.members(), is_null) {
                    members.insert(inner.to_owned(), value);
                }
            }
            _ if is_null => {}
            _ if column == MOMENTS[0] && row.contains_key(field) => {}
            _ => drop(row.insert(field.to_owned(), Cell::One(value))),
        }
        Ok(())
    }
}

/// What a row says, by field. Values are sent as they were written: numbers keep their digits.
type Fields = BTreeMap<String, Cell>;

/// What a field says.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Cell {
    One(Json),
    /// An object whose members stand in columns of their own.
    Members(BTreeMap<String, Json>),
}

impl Cell {
    /// The members, where it is an object.
    fn members(&mut self) -> Option<&mut BTreeMap<String, Json>> {
        if let Self::One(object) = self {
            *self = Self::Members(serde_json::from_str(object.as_str()).ok()?);
        }
        match self {
            Self::Members(members) => Some(members),
            Self::One(_) => None,
        }
    }
}

/// A row of a file.
struct Row {
    line: u64,
    fields: anyhow::Result<Fields>,
}

enum Rows {
    Ndjson {
        lines: BufReader<File>,
        columns: Columns,
        line: u64,
        bytes: u64,
    },
    Csv {
        reader: Box<csv::Reader<File>>,
        header: csv::StringRecord,
        columns: Columns,
    },
}

impl Rows {
    fn open(source: &Source, format: Option<RowFormat>, columns: Columns) -> anyhow::Result<Self> {
        let named = || source.name.clone();
        let ending = Path::new(&source.name)
            .extension()
            .and_then(|ending| ending.to_str());
        let format = match (format, ending) {
            (Some(format), _) => format,
            (None, Some("csv")) => RowFormat::Csv,
            (None, Some("ndjson" | "jsonl")) => RowFormat::Ndjson,
            _ => bail!(
                "{} does not say its format; name it with --format ndjson or csv",
                source.name
            ),
        };
        let file = source.file.try_clone().with_context(named)?;
        if format == RowFormat::Ndjson {
            return Ok(Self::Ndjson {
                lines: BufReader::new(file),
                columns,
                line: 0,
                bytes: 0,
            });
        }
        // A row that has too many columns, or too few, is refused alone.
        let reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
        let mut reader = Box::new(reader);
        let mut header = reader.headers().with_context(named)?.clone();
        header.trim();
        let header = header
            .iter()
            .map(|column| column.trim_start_matches(BYTE_ORDER_MARK))
            .collect::<csv::StringRecord>();
        // Said before anything is sent.
        columns.check(&header)?;
        Ok(Self::Csv {
            reader,
            header,
            columns,
        })
    }

    fn read_bytes(&self) -> u64 {
        match self {
            Self::Ndjson { bytes, .. } => *bytes,
            Self::Csv { reader, .. } => reader.position().byte(),
        }
    }

    fn next(&mut self) -> anyhow::Result<Option<Row>> {
        match self {
            Self::Ndjson {
                lines,
                columns,
                line,
                bytes,
            } => loop {
                let mut text = Vec::new();
                let read = lines
                    .read_until(b'\n', &mut text)
                    .with_context(|| format!("line {}", *line + 1))?;
                if read == 0 {
                    return Ok(None);
                }
                *line += 1;
                *bytes += read as u64;
                let text = std::str::from_utf8(&text).context("is not UTF-8");
                let text = text.map(|text| text.trim_start_matches(BYTE_ORDER_MARK));
                if !text.as_ref().is_ok_and(|text| text.trim().is_empty()) {
                    return Ok(Some(Row {
                        line: *line,
                        fields: text.and_then(|text| of_json(text, columns)),
                    }));
                }
            },
            Self::Csv {
                reader,
                header,
                columns,
            } => {
                let mut record = csv::ByteRecord::new();
                if !reader.read_byte_record(&mut record)? {
                    return Ok(None);
                }
                let line = record.position().map_or(0, csv::Position::line);
                let fields = of_csv(&record, header, columns);
                Ok(Some(Row { line, fields }))
            }
        }
    }
}

fn of_csv(
    record: &csv::ByteRecord,
    header: &csv::StringRecord,
    columns: &Columns,
) -> anyhow::Result<Fields> {
    ensure!(
        record.len() == header.len(),
        "the row has {} columns, where the header has {}",
        record.len(),
        header.len()
    );
    let mut fields = Fields::new();
    for (column, text) in header.iter().zip(record) {
        let text = std::str::from_utf8(text).context("is not UTF-8")?;
        let field = columns.field(column)?.unwrap_or_default();
        columns.put(&mut fields, column, of_text(field, text))?;
    }
    Ok(fields)
}

fn of_json(text: &str, columns: &Columns) -> anyhow::Result<Fields> {
    let row: BTreeMap<String, Json> = serde_json::from_str(text).context("is not a JSON object")?;
    let mut fields = Fields::new();
    for (column, value) in row {
        columns.put(&mut fields, &column, value)?;
    }
    Ok(fields)
}

/// JSON, where a text is some that can be read; else the text.
pub(crate) fn json_or_text(text: &str) -> Json {
    let can_be_read = serde_json::from_str::<Value>(text).is_ok();
    let json = can_be_read.then(|| Json::parse(text.to_owned()).ok());
    json.flatten().unwrap_or_else(|| Json::text(text))
}

/// The value of a field in CSV: empty is none, numbers are numbers where the field is one, and what is any JSON is read as
/// such where it is, else as a text.
fn of_text(field: &str, text: &str) -> Json {
    let any = || json_or_text(text);
    match field.split('.').next().unwrap_or_default() {
        _ if text.is_empty() => Json::default(),
        "confidence" | "latency_ms" | "propensity" | "value" => any(),
        "prediction" | "inputs" | "attributes" | "label" => any(),
        "replace" => Json::from(&json!(matches!(text, "true" | "True" | "TRUE" | "1"))),
        _ => Json::text(text),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".weir-sent");
    name.into()
}

fn keep(
    args: &LoadArgs,
    beside: Option<&Path>,
    (sha256, of): (&str, &str),
    rows: u64,
) -> anyhow::Result<()> {
    let Some(beside) = beside.filter(|_| !args.dry_run) else {
        return Ok(());
    };
    let reached = Reached {
        sha256: sha256.to_owned(),
        of: of.to_owned(),
        rows,
    };
    let folder = beside
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(&serde_json::to_vec(&reached)?)?;
    file.persist(beside).with_context(|| {
        format!(
            "cannot record in {} how far the run has come",
            beside.display()
        )
    })?;
    Ok(())
}
