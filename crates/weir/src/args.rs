//! What was typed ([`LowArgs`], [`ServeArgs`]) and what it means ([`server::Config`]).
//!
//! A setting comes from its flag, else from its `WEIR_*` variable, else from the TOML file, else it
//! has a default.

mod client;
mod control;

pub(crate) use client::{
    AliasesArgs, AliasesCommand, CompletionsArgs, CreateWebhookArgs, DeclareMetricArgs, ExportArgs,
    ExportFeedbackArgs, FeedbackArgs, FeedbackCommand, FilterArgs, Format, ImportArgs,
    ImportCommand, LoadArgs, LoadPredictionsArgs, MetricsArgs, MetricsCommand, ModelsArgs,
    ModelsCommand, PredictArgs, PredictionsArgs, PredictionsCommand, RegisterArgs, ReportArgs,
    RowFormat, RulesArgs, RulesCommand, SendFeedbackArgs, ShadowReportArgs, TailArgs, TrafficArgs,
    TrafficCommand, WebhooksArgs, WebhooksCommand,
};
pub(crate) use control::{
    ConnectArgs, EvaluateArgs, ExperimentArgs, ExperimentCommand, OneArgs, PromoteArgs,
    RolloutArgs, RolloutCommand, SimulateBanditArgs, SimulateRolloutArgs, StartRolloutArgs,
    TargetArgs,
};

use clap::parser::ValueSource;
use clap::{
    ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
};
use serde_json::json;
use server::{Border, Config, Engines, HeaderName, Origin, Proxy, TlsFiles};
use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// One server between callers and model versions.
///
/// It registers versions, routes each request to one of them, runs or forwards the call, records
/// every prediction before it answers, joins the feedback that comes later, and judges which version
/// is better.
#[derive(Parser)]
#[command(version)]
pub(crate) struct LowArgs {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve models over HTTP.
    ///
    /// Example: weir serve --listen 127.0.0.1:8000 --data-dir ./weir-data
    Serve(Box<ServeArgs>),
    /// See it work: two trained ONNX versions in an experiment, 70/30, on 2,688 labelled reviews;
    /// `demo rollout` shows a candidate that climbs to 100 %, `demo regression` one that is rolled back.
    Demo(DemoArgs),
    /// Versions of a running server: list, register, activate, shadow, delete.
    ///
    /// Example: weir models register --name fraud --model-version 2.0.0 --service http://127.0.0.1:9000/predict
    Models(ModelsArgs),
    /// How the requests of a model are split: show and set.
    ///
    /// Example: weir traffic set sentiment 1.0.0=90 2.0.0=10
    Traffic(TrafficArgs),
    /// Rules that give certain callers a certain version: list, set, clear.
    ///
    /// Example: weir rules set sentiment 'beta = true -> 2.0.0'
    Rules(RulesArgs),
    /// Names that stand for versions, such as @champion: list, set, delete.
    ///
    /// Example: weir aliases set sentiment champion 2.0.0
    Aliases(AliasesArgs),
    /// What versions are measured by: list, declare, delete.
    ///
    /// Example: weir metrics declare shop converted --kind binary --window 7d
    Metrics(MetricsArgs),
    /// Ask a running server for a prediction.
    ///
    /// Example: weir predict 'not bad at all' --unit user-42
    Predict(Box<PredictArgs>),
    /// Send feedback on predictions and units to a running server, or export it.
    ///
    /// Example: weir feedback send --request order-17 --metric converted --value 1
    Feedback(FeedbackArgs),
    /// Requests, errors, latency and accuracy of every version of a running server.
    ///
    /// Example: weir report --since 2026-11-01T00:00:00Z
    Report(ReportArgs),
    /// The log of predictions of a running server: follow it, or export it.
    ///
    /// Example: weir predictions export --output predictions.parquet
    Predictions(PredictionsArgs),
    /// Import past predictions into the log of a running server.
    Import(ImportArgs),
    /// Start a rollout on a running server, watch it, and intervene.
    ///
    /// Example: weir rollout start --name sentiment --control 1.0.0 --candidate 2.0.0 --watch
    Rollout(RolloutArgs),
    /// Experiments of a running server: list, show, start, watch, end.
    ///
    /// Example: weir experiment results exp-0123456789ab
    Experiment(ExperimentArgs),
    /// What another split, or another policy, would have earned on the log of a running server.
    ///
    /// Example: weir evaluate --name sentiment --metric correct --weights 1.0.0=20,2.0.0=80
    Evaluate(EvaluateArgs),
    /// Upload the files of a version to a running server, or download them.
    ///
    /// Example: weir artifact put model-0123456789ab ./my-model
    Artifact(ArtifactArgs),
    /// Check this machine: which engine would run ONNX models, and why.
    Doctor(DoctorArgs),
    /// Runs one model for the server that has started this process.
    #[command(hide = true)]
    ModelProcess,
    /// Log entries that the database of a running server could not store: list them, try them again.
    ///
    /// Example: weir journal list
    Journal(JournalArgs),
    /// Keys of callers of a running server: make, list, replace, revoke.
    ///
    /// Example: weir keys create --role predictor --models 'fraud-*' --description checkout
    Keys(KeysArgs),
    /// Webhooks, which are told what happens to experiments: make, test, list, delete.
    ///
    /// Example: weir webhooks create "$URL" --event experiment.rolled_back
    Webhooks(WebhooksArgs),
    /// The audit, which records who changed what: list it, check that it was not altered, see what served
    /// at a given time.
    Audit(AuditArgs),
    /// What a running server keeps of the predictions of a model: inputs, outputs and attributes, in full, as hashes or not at all.
    ///
    /// Example: weir privacy sentiment --file rules.json
    Privacy(PrivacyArgs),
    /// How long a running server keeps the predictions of a model: at least an hour.
    ///
    /// All limits are set at once: a limit that you leave out is removed.
    ///
    /// Example: weir retention sentiment --max-age 90d --content-max-age 30d
    Retention(RetentionArgs),
    /// Erase everything that a person has sent and received until now. This cannot be undone.
    ///
    /// Counts stay, and a pseudonym replaces the unit_id. Backups are not changed: see docs/privacy.md.
    ///
    /// Example: weir erase customer-17 --wait --reason 'request 4711'
    Erase(EraseArgs),
    /// Copy a data directory while its server keeps running: database, journal, artifacts, keys and
    /// secrets.
    ///
    /// Example: weir backup --data-dir ./weir-data --to /backups/2026-11-27
    Backup(BackupArgs),
    /// Make a data directory from a backup, and verify that it is complete.
    ///
    /// Example: weir restore --from /backups/2026-11-27 --data-dir ./weir-data
    Restore(RestoreArgs),
    /// Check a settings file without starting a server.
    ///
    /// Example: weir config check weir.toml
    Config(ConfigArgs),
    /// Recount the log and compare it with the stored sums; exits with 0 when nothing disagrees.
    ///
    /// `clean`: everything was recounted, and agrees. `AGREES IN PART`: retention has removed some of it, and the rest
    /// agrees. `NOT CLEAN`: something differs from what was written.
    Verify(VerifyArgs),
    /// Print docs/cli.md.
    #[command(hide = true)]
    Reference,
    /// Print completions for a shell.
    ///
    /// Example: weir completions bash > ~/.local/share/bash-completion/completions/weir
    Completions(CompletionsArgs),
    /// How many units and days an experiment needs.
    ///
    /// Example: weir plan --baseline 0.5 --effect 0.05 --per-day 1000
    Plan(PlanArgs),
    /// Simulate whole experiments: how often the judge is wrong, and how soon it finds a real difference;
    /// `simulate rollout` and `simulate bandit` play the controller.
    ///
    /// Example: weir simulate --base 0.1 --effect 0.02
    Simulate(SimulateArgs),
}

/// A setting has its default in [`Config::new`]; what it may be stands in its parser.
#[derive(Args)]
pub(crate) struct ServeArgs {
    /// A TOML file with these settings, spelled with underscores (data_dir = "...").
    #[arg(long, env = "WEIR_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen on; port 0 takes a free one and prints it.
    #[arg(long, env = "WEIR_LISTEN", value_name = "ADDRESS", default_value_t = defaults().listen, value_parser = address)]
    listen: SocketAddr,
    /// Where the data is kept; one server per directory.
    #[arg(long, env = "WEIR_DATA_DIR", value_name = "DIR", default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// When a reply may be sent.
    #[arg(long, env = "WEIR_DURABILITY", value_enum, default_value = "commit")]
    durability: Durability,
    /// Whether callers need keys [default: none on a loopback address, required on any other]
    #[arg(long, env = "WEIR_AUTH", value_enum)]
    auth: Option<Auth>,
    /// Listen beyond this machine without keys: anybody who reaches the address may do everything.
    #[arg(long, env = "WEIR_INSECURE")]
    insecure: bool,
    /// All settings, as they are written.
    #[arg(skip)]
    pub(crate) written: Written,
    /// A name that the server answers to, beside addresses and names of this machine, such as `weir.example.com`;
    /// `*.example.com` stands for any name below; may be repeated, or separated by commas [default: none]
    #[arg(
        long = "allowed-host",
        env = "WEIR_ALLOWED_HOSTS",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = host_name
    )]
    allowed_hosts: Vec<String>,
    /// The address of a proxy to trust: it says who the user is, and where a call comes from; may be repeated, or
    /// separated by commas [default: none]
    #[arg(
        long = "trusted-proxy",
        env = "WEIR_TRUSTED_PROXIES",
        value_name = "ADDRESS",
        value_delimiter = ','
    )]
    trusted_proxies: Vec<IpAddr>,
    /// The header in which a trusted proxy names the user.
    #[arg(
        long,
        env = "WEIR_USER_HEADER",
        value_name = "HEADER",
        default_value = "x-forwarded-user"
    )]
    user_header: HeaderName,
    /// The header in which a trusted proxy names the user's groups, separated by commas.
    #[arg(
        long,
        env = "WEIR_GROUPS_HEADER",
        value_name = "HEADER",
        default_value = "x-forwarded-groups"
    )]
    groups_header: HeaderName,
    /// The role of a group of users, such as `sre=operator`; `*` is every user of the proxy; may be repeated, or separated
    /// by commas [default: none]
    #[arg(
        long = "group-role",
        env = "WEIR_GROUP_ROLES",
        value_name = "GROUP=ROLE",
        value_delimiter = ',',
        value_parser = group_role
    )]
    group_roles: Vec<(String, types::Role)>,
    /// How log lines are written: as text, or as a JSON object each.
    #[arg(long, env = "WEIR_LOG_FORMAT", value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Where the journal is kept, to have it on a disk of its own [default: in the data directory]
    #[arg(long, env = "WEIR_JOURNAL_DIR", value_name = "DIR")]
    journal_dir: Option<PathBuf>,
    /// Start although the database has lost data, because its file or its write-ahead log is gone, or because it is
    /// an older copy: the missing data is given up. Meant for a single start.
    #[arg(long, env = "WEIR_ALLOW_EMPTY")]
    allow_empty: bool,
    /// Start although the journal is gone: entries that waited in it are lost, and the old journal is refused
    /// from then on. Meant for a single start.
    #[arg(long, env = "WEIR_ALLOW_EMPTY_JOURNAL")]
    allow_empty_journal: bool,
    /// The most disk space that the journal may take, in bytes: it limits how much can be answered while
    /// the database is away. One entry may have a 64th of it, up to 8 MiB.
    #[arg(
        long,
        env = "WEIR_JOURNAL_MAX_BYTES",
        value_name = "BYTES",
        default_value_t = defaults().journal_max_bytes,
        value_parser = clap::value_parser!(u64).range(LEAST_JOURNAL..=MOST_BYTES)
    )]
    journal_max_bytes: u64,
    /// The largest body of a request, in bytes.
    #[arg(
        long,
        env = "WEIR_MAX_BODY_BYTES",
        value_name = "BYTES",
        default_value_t = defaults().max_body_bytes,
        value_parser = body_bytes
    )]
    max_body_bytes: usize,
    /// How many connections may be open at a time.
    #[arg(
        long,
        env = "WEIR_MAX_CONNECTIONS",
        value_name = "N",
        default_value_t = defaults().max_connections,
        value_parser = at_a_time
    )]
    max_connections: usize,
    /// How many predictions may be under way at a time; more get 429.
    #[arg(
        long,
        env = "WEIR_MAX_PREDICTIONS",
        value_name = "N",
        default_value_t = defaults().max_predictions,
        value_parser = at_a_time
    )]
    max_predictions: usize,
    /// A web page whose scripts may call this server, by origin, such as `https://app.example.com`; may be
    /// repeated, or separated by commas [default: none]
    #[arg(
        long = "cors-origin",
        env = "WEIR_CORS_ORIGINS",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    cors_origins: Vec<Origin>,
    /// The certificate of the server (PEM, with its chain): turns on TLS. It is read again when it changes.
    #[arg(
        long,
        env = "WEIR_TLS_CERTIFICATE",
        value_name = "FILE",
        requires = "tls_key"
    )]
    tls_certificate: Option<PathBuf>,
    /// The private key of the certificate (PEM).
    #[arg(
        long,
        env = "WEIR_TLS_KEY",
        value_name = "FILE",
        requires = "tls_certificate"
    )]
    tls_key: Option<PathBuf>,
    /// How long the headers of a request may take to arrive.
    #[arg(
        long,
        env = "WEIR_HEADER_TIMEOUT_MS",
        value_name = "MS",
        default_value_t = Millis(defaults().header_timeout)
    )]
    header_timeout_ms: Millis,
    /// How long an idle connection is kept. It should be longer than a load balancer in front of the server keeps its
    /// own, so that no request arrives on a connection that is being closed.
    #[arg(
        long,
        env = "WEIR_IDLE_TIMEOUT_MS",
        value_name = "MS",
        default_value_t = Millis(defaults().idle_timeout)
    )]
    idle_timeout_ms: Millis,
    /// How long the server waits for a caller that does not read its reply.
    #[arg(
        long,
        env = "WEIR_WRITE_TIMEOUT_MS",
        value_name = "MS",
        default_value_t = Millis(defaults().write_timeout)
    )]
    write_timeout_ms: Millis,
    /// How long the body of a request may take to arrive.
    #[arg(
        long,
        env = "WEIR_BODY_TIMEOUT_MS",
        value_name = "MS",
        default_value_t = Millis(defaults().body_timeout)
    )]
    body_timeout_ms: Millis,
    /// How long a prediction may take, fallbacks included.
    #[arg(
        long,
        env = "WEIR_PREDICT_TIMEOUT_MS",
        value_name = "MS",
        default_value_t = Millis(defaults().predict_timeout)
    )]
    predict_timeout_ms: Millis,
    /// How long a request with feedback waits for its receipt; after that the reply says where to ask for
    /// it later.
    #[arg(
        long,
        env = "WEIR_FEEDBACK_WAIT_MS",
        value_name = "MS",
        default_value_t = Millis(defaults().feedback_wait)
    )]
    feedback_wait_ms: Millis,
    /// For how many hours a repeated `request_id` counts as the same request, up to a month.
    #[arg(
        long,
        env = "WEIR_REQUEST_HOURS",
        value_name = "HOURS",
        default_value_t = 24,
        value_parser = clap::value_parser!(u32).range(1..=744)
    )]
    request_hours: u32,
    /// For how many days a token of `POST /decide` is accepted.
    #[arg(
        long,
        env = "WEIR_DECISION_DAYS",
        value_name = "DAYS",
        default_value_t = 7,
        value_parser = clap::value_parser!(u32).range(1..=366)
    )]
    decision_days: u32,
    /// How often running experiments are checked, up to every 60000 ms. Checking often does no harm: the evidence is
    /// valid at any time.
    #[arg(
        long,
        env = "WEIR_TICK_MS",
        value_name = "MS",
        default_value_t = Millis(defaults().tick),
        value_parser = tick
    )]
    tick_ms: Millis,
    /// Allow webhooks to addresses of this machine and of private networks.
    #[arg(long, env = "WEIR_PRIVATE_WEBHOOKS")]
    private_webhooks: bool,
    /// A folder with secrets as files. Versions behind HTTP may name them in their headers, to send them to
    /// their services.
    #[arg(long, env = "WEIR_SECRETS_DIR", value_name = "DIR")]
    secrets_dir: Option<PathBuf>,
    /// The library of ONNX Runtime that runs ONNX models, or a folder that contains it [default: it is searched for;
    /// `weir doctor` says where it was found]
    #[arg(long, env = "WEIR_ONNXRUNTIME", value_name = "PATH")]
    onnxruntime: Option<PathBuf>,
    /// The largest artifact of a version, in bytes; the unpacked files of an archive may be four times as
    /// large.
    #[arg(
        long,
        env = "WEIR_MAX_ARTIFACT_BYTES",
        value_name = "BYTES",
        default_value_t = defaults().max_artifact_bytes,
        value_parser = clap::value_parser!(u64).range(1..=MOST_BYTES)
    )]
    max_artifact_bytes: u64,
    /// How much memory a process that opens a model may take, in MiB.
    #[arg(
        long,
        env = "WEIR_MODEL_MEMORY_MB",
        value_name = "MIB",
        default_value_t = defaults().model_memory_bytes >> 20,
        value_parser = clap::value_parser!(u64).range(64..=1 << 24)
    )]
    model_memory_mb: u64,
    /// How long opening and trying a model may take.
    #[arg(
        long,
        env = "WEIR_MODEL_LOAD_TIMEOUT_MS",
        value_name = "MS",
        default_value_t = Millis(defaults().model_load_timeout)
    )]
    model_load_timeout_ms: Millis,
    /// A file of certificate authorities (PEM) to trust for model services, in addition to those of the system.
    #[arg(long, env = "WEIR_UPSTREAM_CA", value_name = "FILE")]
    upstream_ca: Option<PathBuf>,
}

/// Where the data is kept where it is not said.
const DATA_DIR: &str = "./weir-data";

fn defaults() -> Config {
    Config::new(SocketAddr::from(([127, 0, 0, 1], 8000)), DATA_DIR.into())
}

/// A time in milliseconds, from 1 to [`MOST_MILLIS`].
#[derive(Clone, Copy)]
struct Millis(Duration);

/// The longest time that a setting may be: 31 days. More is a slip of the finger, and sums of it could not be told.
const MOST_MILLIS: u64 = 31 * 86_400_000;
/// The most that a setting may allow to be kept: a pebibyte.
const MOST_BYTES: u64 = 1 << 50;
/// The largest body that may be allowed: it is held in memory.
const MOST_BODY_BYTES: usize = 1 << 30;

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.as_millis())
    }
}

impl FromStr for Millis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let millis = u64::from_str(text).ok();
        let millis = millis.filter(|millis| (1..=MOST_MILLIS).contains(millis));
        let millis = millis.ok_or_else(|| {
            format!(
                "must be a whole number of milliseconds from 1 to {MOST_MILLIS}, which is 31 days"
            )
        })?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

fn tick(text: &str) -> Result<Millis, String> {
    let millis = Millis::from_str(text)?;
    let most = Duration::from_secs(60);
    Some(millis)
        .filter(|millis| millis.0 <= most)
        .ok_or_else(|| "must be at most 60000".into())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = usize::from_str(text).ok().filter(|number| *number > 0);
    number.ok_or_else(|| "must be a whole number, 1 or more".into())
}

fn body_bytes(text: &str) -> Result<usize, String> {
    let number = at_least_one(text)
        .ok()
        .filter(|number| *number <= MOST_BODY_BYTES);
    number.ok_or_else(|| {
        format!("must be a whole number from 1 to {MOST_BODY_BYTES}, which is 1 GiB")
    })
}

/// What a system could ever have at a time; the semaphores that count it take no more either.
const MOST_AT_A_TIME: usize = 1_000_000_000;

fn at_a_time(text: &str) -> Result<usize, String> {
    let number = at_least_one(text)
        .ok()
        .filter(|number| *number <= MOST_AT_A_TIME);
    number.ok_or_else(|| format!("must be a whole number from 1 to {MOST_AT_A_TIME}"))
}

#[derive(Args)]
pub(crate) struct ArtifactArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: ArtifactCommand,
}

#[derive(Subcommand)]
pub(crate) enum ArtifactCommand {
    /// Upload an ONNX file, or a folder with model.onnx.
    Put(PutArtifactArgs),
    /// Download what was uploaded, as it came.
    Get(GetArtifactArgs),
}

#[derive(Args)]
pub(crate) struct PutArtifactArgs {
    /// The version: its id, or NAME@VERSION.
    #[arg(value_name = "VERSION")]
    pub(crate) model_id: String,
    /// A file, an archive (.tar or .tar.gz), or a folder, which is packed.
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
}

#[derive(Args)]
pub(crate) struct GetArtifactArgs {
    /// The version: its id, or NAME@VERSION.
    #[arg(value_name = "VERSION")]
    pub(crate) model_id: String,
    /// The file to write.
    #[arg(value_name = "FILE")]
    pub(crate) path: PathBuf,
}

#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// The library of ONNX Runtime, or a folder that has it.
    #[arg(long, env = "WEIR_ONNXRUNTIME", value_name = "PATH")]
    pub(crate) onnxruntime: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the demonstration shows.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoKind {
    /// Two versions in an experiment, 70/30.
    Experiment,
    /// A good candidate that climbs to 100 %.
    Rollout,
    /// A bad candidate that is rolled back.
    Regression,
}

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// What it shows.
    #[arg(value_enum, default_value = "experiment")]
    pub(crate) kind: DemoKind,
    /// Where the data is kept [default: a temporary directory, which is removed at the end]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The address to listen on; port 0 takes a free one and prints it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// End after the report instead of staying up.
    #[arg(long)]
    pub(crate) exit: bool,
}

#[derive(Args)]
pub(crate) struct JournalArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: JournalCommand,
}

#[derive(Subcommand)]
pub(crate) enum JournalCommand {
    /// List them, with the reasons.
    List,
    /// Try them again, after the cause has been fixed.
    Retry,
}

#[derive(Args)]
pub(crate) struct KeysArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and print it. It is not shown again.
    Create(CreateKeyArgs),
    /// List the keys, without the keys themselves.
    List,
    /// Make a successor with the same role and models, and print it.
    Rotate(RotateKeyArgs),
    /// Refuse a key from now on.
    Revoke(OneKeyArgs),
}

#[derive(Args)]
pub(crate) struct CreateKeyArgs {
    /// The role of its holder: viewer, predictor, analyst, operator or admin.
    #[arg(long, value_name = "ROLE", value_parser = types::find_word::<types::Role>, required_unless_present = "data_dir")]
    pub(crate) role: Option<types::Role>,
    /// The models it is for; `*` stands for any characters; may be repeated, or separated by commas [default: all]
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// For how many days it is valid [default: for ever]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) days: Option<u32>,
    /// How many requests a second it may make [default: any number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) per_second: Option<u32>,
    /// How many of its requests may be under way at once [default: any number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) at_once: Option<u32>,
    /// Make a key that may do everything, in a data directory whose server is stopped: for when all such
    /// keys are lost.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["role", "models", "description", "days", "per_second", "at_once"])]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct RotateKeyArgs {
    /// The key that is replaced.
    #[arg(value_name = "KEY_ID")]
    pub(crate) key: String,
    /// For how many hours the old key stays valid.
    #[arg(long, value_name = "HOURS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=8784))]
    pub(crate) overlap_hours: u32,
}

#[derive(Args)]
pub(crate) struct OneKeyArgs {
    /// The key.
    #[arg(value_name = "KEY_ID")]
    pub(crate) key: String,
}

#[derive(Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that nobody has changed the audit of a data directory; a server may be using it.
    ///
    /// Prints the hash at the end of its chain. Keep it elsewhere, and give it back with --expect.
    Verify(AuditVerifyArgs),
    /// Which versions of each model served at a given time, and their shares.
    ///
    /// Example: weir audit at 2026-11-26T09:30:00Z --name sentiment
    At(AuditAtArgs),
    /// The latest changes, the newest last: when, what, to which model, why, and by whom.
    ///
    /// Example: weir audit list --name sentiment
    List(AuditListArgs),
}

#[derive(Args)]
pub(crate) struct AuditVerifyArgs {
    /// The data directory.
    #[arg(long, env = "WEIR_DATA_DIR", value_name = "DIR", default_value = DATA_DIR)]
    pub(crate) data_dir: PathBuf,
    /// A hash that this command printed earlier: the chain must still contain it.
    #[arg(long, value_name = "HASH")]
    pub(crate) expect: Option<types::ContentHash>,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct AuditAtArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// The moment (RFC 3339).
    #[arg(value_name = "TIME")]
    pub(crate) at: types::Timestamp,
    /// The model [default: all]
    #[arg(long, value_name = "MODEL")]
    pub(crate) name: Option<String>,
}

#[derive(Args)]
pub(crate) struct AuditListArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// The model [default: all, and the settings of the server]
    #[arg(long, value_name = "MODEL")]
    pub(crate) name: Option<String>,
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
}

#[derive(Args)]
pub(crate) struct PrivacyArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// The model.
    #[arg(value_name = "MODEL")]
    pub(crate) name: String,
    /// A file with rules as JSON, as `PUT /privacy/{name}` takes them; - for stdin. Without it the current rules are
    /// shown.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct RetentionArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// The model.
    #[arg(value_name = "MODEL")]
    pub(crate) name: String,
    /// How old predictions may become, such as 90d or 36h [default: any age]
    #[arg(long, value_name = "AGE")]
    pub(crate) max_age: Option<Age>,
    /// How many predictions are kept [default: any number]
    #[arg(long, value_name = "N")]
    pub(crate) max_rows: Option<u64>,
    /// How old inputs, outputs and attributes may become: less than --max-age [default: as old as
    /// predictions]
    #[arg(long, value_name = "AGE")]
    pub(crate) content_max_age: Option<Age>,
    /// Keep everything.
    #[arg(long, conflicts_with_all = ["max_age", "max_rows", "content_max_age"])]
    pub(crate) for_ever: bool,
}

#[derive(Args)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// The unit_id of the person. Without it the erasures are listed.
    #[arg(value_name = "UNIT")]
    pub(crate) unit: Option<String>,
    /// Wait until all of it is erased.
    #[arg(long, requires = "unit")]
    pub(crate) wait: bool,
}

/// A time in seconds, written with its unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Age(pub(crate) u64);

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = match &text[digits.len()..] {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3600),
            "d" => Some(86_400),
            _ => None,
        };
        let count = u64::from_str(digits).ok();
        let seconds = count
            .zip(unit)
            .and_then(|(count, unit)| count.checked_mul(unit));
        seconds
            .map(Self)
            .ok_or_else(|| "must be a number with a unit: 90d, 36h, 90m or 3600s".into())
    }
}

/// A time in seconds, written with a unit or without.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seconds(pub(crate) u64);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let with_unit = || Age::from_str(text).map(|age| age.0);
        let seconds = u64::from_str(text).or_else(|_| with_unit());
        seconds
            .map(Self)
            .map_err(|_| "must be a number of seconds, or have a unit: 600, 10m or 4h".into())
    }
}

#[derive(Args)]
pub(crate) struct BackupArgs {
    /// The data directory; a server may be using it.
    #[arg(long, env = "WEIR_DATA_DIR", value_name = "DIR", default_value = DATA_DIR)]
    pub(crate) data_dir: PathBuf,
    /// The journal, where it is not in the data directory.
    #[arg(long, env = "WEIR_JOURNAL_DIR", value_name = "DIR")]
    pub(crate) journal_dir: Option<PathBuf>,
    /// The folder to create.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct RestoreArgs {
    /// What `weir backup` has made.
    #[arg(long, value_name = "DIR")]
    pub(crate) from: PathBuf,
    /// The data directory to create; it must not exist yet, or must be empty.
    #[arg(long, env = "WEIR_DATA_DIR", value_name = "DIR", default_value = DATA_DIR)]
    pub(crate) data_dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say whether a server would start with it.
    Check(CheckArgs),
    /// Print a JSON schema of such a file, for editors.
    Schema,
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// The TOML file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// The data directory; a server may be using it.
    #[arg(
        long,
        env = "WEIR_DATA_DIR",
        value_name = "DIR",
        default_value = DATA_DIR
    )]
    pub(crate) data_dir: PathBuf,
    /// The journal, where it is not in the data directory.
    #[arg(long, env = "WEIR_JOURNAL_DIR", value_name = "DIR")]
    pub(crate) journal_dir: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct PlanArgs {
    /// The control's share, such as 0.5, or its mean with --standard-deviation.
    #[arg(long)]
    pub(crate) baseline: Option<f64>,
    /// Take baseline, standard deviation and units a day from the log of this model, from the server at --url.
    #[arg(
        long,
        value_name = "NAME",
        requires = "metric",
        conflicts_with = "baseline"
    )]
    pub(crate) model: Option<String>,
    /// The metric to take them from.
    #[arg(long, requires = "model")]
    pub(crate) metric: Option<String>,
    /// How far back to look in the log: 14d, 6h, 30m, or a time [default: 14d]
    #[arg(long, value_name = "TIME", requires = "model")]
    pub(crate) since: Option<String>,
    /// The smallest effect that matters: 0.05 is 5 points, or with --relative 5 % of the baseline [with --model: 10 % of
    /// the baseline]
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) effect: Option<f64>,
    /// The effect is relative to the baseline.
    #[arg(long)]
    pub(crate) relative: bool,
    /// The standard deviation of one unit, for a mean that is no share.
    #[arg(long, value_name = "SD")]
    pub(crate) standard_deviation: Option<f64>,
    /// How strongly values of units correlate with a covariate, above -1 and below 1: the stronger, the
    /// fewer units are needed.
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub(crate) covariate_correlation: Option<f64>,
    /// The chance of a false claim, over all candidates, two-sided.
    #[arg(long, default_value_t = 0.05)]
    pub(crate) alpha: f64,
    /// The chance of finding the effect.
    #[arg(long, default_value_t = 0.8)]
    pub(crate) power: f64,
    /// Arms, the control included.
    #[arg(long, default_value_t = 2)]
    pub(crate) arms: u32,
    /// The share of the units that each candidate gets [default: equal shares]
    #[arg(long, value_name = "SHARE")]
    pub(crate) split: Option<f64>,
    /// Plan for results that are looked at while they come in.
    #[arg(long)]
    pub(crate) sequential: bool,
    /// Units a day.
    #[arg(long, value_name = "N")]
    pub(crate) per_day: Option<f64>,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Subcommand)]
pub(crate) enum SimulateCommand {
    /// Rollouts: how often a harmless candidate is rolled back, and how many units a bad one reaches.
    ///
    /// Example: weir simulate rollout --base 0.005 --ratio 4
    Rollout(SimulateRolloutArgs),
    /// Bandits: what learning costs, and whether the intervals afterwards are honest.
    ///
    /// Example: weir simulate bandit --rates 0.1,0.12,0.15 --algorithm thompson
    Bandit(SimulateBanditArgs),
    /// A/A experiments on the log of a running server: its units are assigned to two arms at random, again and again. How
    /// often is a difference claimed although there is none?
    ///
    /// Example: weir simulate aa --model sentiment --metric revenue --since 14d
    Aa(SimulateAaArgs),
    /// Difficult worlds (rare and skewed outcomes, outages, late feedback): what becomes of harmless and of bad
    /// candidates in each. Prints Markdown.
    ///
    /// Example: weir simulate worlds --only clicks --runs 200
    Worlds(SimulateWorldsArgs),
    /// All tables of the documentation, one after the other, as Markdown: methods, rules that send a candidate back, worlds, effects
    /// that change, and bandits. Takes hours with many runs.
    ///
    /// Example: weir simulate tables --runs 200
    Tables(SimulateTablesArgs),
}

#[derive(Args)]
pub(crate) struct SimulateTablesArgs {
    /// How many rollouts or experiments in each world; the tables of methods and rules have their own numbers.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) runs: u64,
    /// Where the randomness begins: the same seed gives the same answer.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Args)]
pub(crate) struct SimulateAaArgs {
    /// The model.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: String,
    /// A metric of it.
    #[arg(long, value_name = "METRIC")]
    pub(crate) metric: String,
    /// The log from this time on, or from so long ago (14d, 6h, 30m); two weeks when left out.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// How many experiments.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) runs: u64,
    /// The candidate's share.
    #[arg(long, default_value_t = 0.5)]
    pub(crate) share: f64,
    /// The promised chance of a false claim.
    #[arg(long, default_value_t = 0.05)]
    pub(crate) alpha: f64,
    /// Where the randomness begins: the same seed gives the same answer.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Args)]
pub(crate) struct SimulateWorldsArgs {
    /// Print the names of all worlds without playing them. With --json, print their full definitions, as
    /// --file reads them.
    #[arg(long)]
    pub(crate) list: bool,
    /// Play the worlds of a file instead of those in the documentation: a JSON array like the one that `--list --json` prints,
    /// with numbers of your own.
    ///
    /// Example: weir simulate worlds --only revenue --list --json > mine.json, then edit it
    #[arg(long, value_name = "FILE", conflicts_with = "merge")]
    pub(crate) file: Option<std::path::PathBuf>,
    /// Only the worlds whose name contains this text.
    #[arg(
        long,
        default_value = "",
        value_name = "TEXT",
        hide_default_value = true
    )]
    pub(crate) only: String,
    /// Add up what earlier runs with other seeds have printed with --json, instead of playing.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["only", "runs", "seed"])]
    pub(crate) merge: Vec<std::path::PathBuf>,
    /// How many rollouts or experiments in each.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) runs: u64,
    /// Where the randomness begins: the same seed gives the same answer.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
#[command(allow_negative_numbers = true, args_conflicts_with_subcommands = true)]
pub(crate) struct SimulateArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SimulateCommand>,
    /// How it is judged.
    #[arg(long, default_value = "verdict", value_parser = method, value_name = "METHOD",
        long_help = method_help())]
    pub(crate) method: simulate::Method,
    /// Arms, the control included.
    #[arg(long, default_value_t = 2)]
    pub(crate) arms: usize,
    /// The control's rate of a binary outcome.
    #[arg(long, default_value_t = 0.1)]
    pub(crate) base: f64,
    /// What every candidate adds to the control's rate; 0 for an A/A experiment.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    pub(crate) effect: f64,
    /// What the base rate is multiplied by in the second half.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) drift: f64,
    /// The candidates' share together, by quarter of the experiment.
    #[arg(long, default_value = "0.5,0.5,0.5,0.5", value_parser = shares, value_name = "SHARES")]
    pub(crate) shares: Shares,
    /// Units of all arms when it ends.
    #[arg(long, default_value_t = 40_000)]
    pub(crate) units: u64,
    /// Units of all arms between two looks.
    #[arg(long, default_value_t = 200)]
    pub(crate) peek: u64,
    /// Units of all arms that come between a unit and its outcome.
    #[arg(long, default_value_t = 0)]
    pub(crate) delay: u64,
    /// Events per unit: from 1 to this.
    #[arg(long, default_value_t = 1)]
    pub(crate) events: u64,
    /// The chance of a false claim.
    #[arg(long, default_value_t = 0.05)]
    pub(crate) alpha: f64,
    /// Units at which the sequence is tightest.
    #[arg(long, default_value_t = 5000.0)]
    pub(crate) planned_units: f64,
    /// How many experiments.
    #[arg(long, default_value_t = 2000)]
    pub(crate) runs: u64,
    /// Where the randomness begins: the same seed gives the same answer.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Play the table of docs/statistics.md instead, and print it as Markdown.
    #[arg(long, conflicts_with_all = ["method", "arms", "base", "effect", "drift", "shares", "units",
        "peek", "delay", "events", "alpha", "planned_units", "runs"])]
    pub(crate) table: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Four shares, by quarter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shares(pub(crate) [f64; 4]);

fn shares(text: &str) -> Result<Shares, String> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|n| n.trim().parse()).collect();
    let four = numbers.ok().and_then(|numbers| numbers.try_into().ok());
    four.map(Shares)
        .ok_or_else(|| "must be four numbers, such as 0.05,0.25,0.5,0.5".into())
}

fn method(text: &str) -> Result<simulate::Method, String> {
    let found = simulate::Method::ALL
        .into_iter()
        .find(|m| m.as_str() == text);
    found.ok_or_else(|| format!("must be one of {}", methods()))
}

fn methods() -> String {
    simulate::Method::ALL
        .map(simulate::Method::as_str)
        .join(", ")
}

fn method_help() -> String {
    format!("How it is judged: {}.", methods())
}

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// A JSON object each.
    Json,
}

/// Whether callers need keys.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Auth {
    /// No: whoever reaches the server may do everything.
    None,
    /// Yes, everybody. If no key can make others yet, one is made at the start and printed once.
    Required,
}

/// An address and a port; a name stands for the first of its addresses, of the older kind where it has one.
fn address(text: &str) -> Result<SocketAddr, String> {
    use std::net::ToSocketAddrs;
    let wrong =
        "must be an address and a port, such as 127.0.0.1:8000, [::1]:8000 or localhost:8000";
    let found = text.to_socket_addrs().map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidInput => wrong.to_owned(),
        _ => format!("{wrong} ({error})"),
    })?;
    let all: Vec<SocketAddr> = found.collect();
    let first = all.iter().find(|address| address.is_ipv4()).or(all.first());
    first.copied().ok_or_else(|| wrong.into())
}

/// A name of the server.
fn host_name(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let parts = || name.trim_end_matches('.').split('.');
    let fits = name.chars().all(plain) && parts().all(|part| !part.is_empty() && part != "-");
    match fits {
        // A dot at the end says the same name.
        true => Ok(text.trim_end_matches('.').to_owned()),
        false => Err("must be a name such as weir.example.com, without a port".into()),
    }
}

/// A group and its role.
fn group_role(text: &str) -> Result<(String, types::Role), String> {
    let (group, role) = text
        .split_once('=')
        .ok_or("must be GROUP=ROLE, such as sre=operator")?;
    let role = types::find_word(role.trim()).map_err(|error| format!("the role {error}"))?;
    let group = group.trim();
    if group.is_empty() || group.contains(',') {
        return Err("must name a group before the =, such as sre=operator; * is every user".into());
    }
    Ok((group.to_owned(), role))
}

#[derive(Clone, Copy, ValueEnum)]
enum Durability {
    /// When its entry is in the journal; a killed process loses nothing that was answered.
    Commit,
    /// When its entry has reached the disk; a power cut loses nothing that was answered.
    Fsync,
    /// A setting of older releases: the same as `commit`, which is now as fast.
    #[value(hide = true)]
    Relaxed,
}

/// The smallest journal: a few segments of the smallest size.
const LEAST_JOURNAL: u64 = 1 << 20;

/// Invalid settings.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub(crate) struct InvalidArgs {
    problem: String,
    pub(crate) hint: &'static str,
}

impl ServeArgs {
    /// Who may call, and whether callers need keys.
    ///
    /// # Errors
    /// When the settings do not go together.
    pub(crate) fn who_calls(&self) -> Result<(server::Auth, Border), InvalidArgs> {
        let listen = self.listen;
        let is_here = listen.ip().is_loopback();
        let auth = match (self.auth, self.insecure) {
            (Some(Auth::Required), _) => server::Auth::Required,
            (None, false) if !is_here => server::Auth::Required,
            (Some(Auth::None), false) if !is_here => {
                return Err(InvalidArgs {
                    problem: format!(
                        "{listen} can be reached from other machines, and --auth none asks nobody for a key"
                    ),
                    hint: "leave --auth out and use keys, listen on 127.0.0.1, or say --insecure if the network is guarded otherwise",
                });
            }
            _ => server::Auth::None,
        };
        let border = self.border()?;
        if auth == server::Auth::None && !border.proxy.roles.is_empty() {
            return Err(InvalidArgs {
                problem: "--group-role says what a user may do, and without keys nobody is asked who he is: everybody could do \
                          everything"
                    .into(),
                hint: "add --auth required: then whoever comes by the proxy has the role of his groups, and others need keys",
            });
        }
        Ok((auth, border))
    }

    /// What the settings mean together.
    ///
    /// # Errors
    /// When they do not go together.
    pub(crate) fn config(&self) -> Result<Config, InvalidArgs> {
        let (auth, border) = self.who_calls()?;
        let engines = Engines::find(self.onnxruntime.as_deref());
        let engines = engines.map_err(|why| InvalidArgs {
            problem: format!("--onnxruntime: {why}"),
            hint: "name libonnxruntime.so, or the folder that contains it (`pip install onnxruntime` installs one), \
                 or leave it out",
        })?;
        Ok(Config {
            durability: self.durability.meant(),
            journal_dir: self.journal_dir.clone(),
            allow_empty: self.allow_empty,
            allow_empty_journal: self.allow_empty_journal,
            journal_max_bytes: self.journal_max_bytes,
            max_body_bytes: self.max_body_bytes,
            max_connections: self.max_connections,
            max_predictions: self.max_predictions,
            auth,
            border,
            header_timeout: self.header_timeout_ms.0,
            idle_timeout: self.idle_timeout_ms.0,
            write_timeout: self.write_timeout_ms.0,
            tls: self
                .tls_certificate
                .clone()
                .zip(self.tls_key.clone())
                .map(|(certificate, key)| TlsFiles { certificate, key }),
            body_timeout: self.body_timeout_ms.0,
            predict_timeout: self.predict_timeout_ms.0,
            feedback_wait: self.feedback_wait_ms.0,
            request_window: Duration::from_secs(u64::from(self.request_hours) * 3600),
            decision_lasts: Duration::from_secs(u64::from(self.decision_days) * 86_400),
            tick: self.tick_ms.0,
            private_webhooks: self.private_webhooks,
            secrets_dir: self.secrets_dir.clone(),
            upstream_ca: self.upstream_ca.clone(),
            engines: Some(Arc::new(engines)),
            max_artifact_bytes: self.max_artifact_bytes,
            model_memory_bytes: self.model_memory_mb << 20,
            model_load_timeout: self.model_load_timeout_ms.0,
            ..Config::new(self.listen, self.data_dir.clone())
        })
    }

    /// By which names the server may be called, and who says who calls.
    fn border(&self) -> Result<Border, InvalidArgs> {
        if self.trusted_proxies.is_empty() && !self.group_roles.is_empty() {
            return Err(InvalidArgs {
                problem: "--group-role says what users of a proxy may do, and no proxy is trusted"
                    .into(),
                hint: "name its address with --trusted-proxy, or leave --group-role out",
            });
        }
        Ok(Border {
            allowed_hosts: self.allowed_hosts.clone(),
            cors_origins: self.cors_origins.clone(),
            proxy: Proxy {
                trusted: self.trusted_proxies.clone(),
                user_header: Some(self.user_header.clone()),
                groups_header: Some(self.groups_header.clone()),
                roles: self.group_roles.clone(),
            },
        })
    }
}

/// A JSON schema of a file of settings.
pub(crate) fn schema() -> serde_json::Value {
    let command = LowArgs::command();
    let serve = command.find_subcommand("serve").into_iter();
    let settings = serve.flat_map(|serve| serve.get_arguments());
    let settings = settings.filter(|arg| arg.get_id() != "config" && arg.get_long().is_some());
    let described = settings.map(|arg| {
        let name = arg.get_long().unwrap_or_default().replace('-', "_");
        let one = match arg.get_action().takes_values() {
            false => json!({"type": "boolean"}),
            true if arg.get_value_parser().type_id() == TypeId::of::<PathBuf>() => {
                json!({"type": "string"})
            }
            true => json!({"type": ["string", "integer", "number"]}),
        };
        let mut of = match arg.get_action() {
            ArgAction::Append => {
                json!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
            }
            _ => one,
        };
        let words = arg.get_possible_values();
        if !words.is_empty() {
            let shown = words.iter().filter(|word| !word.is_hide_set());
            let words: Vec<&str> = shown.map(|word| word.get_name()).collect();
            of["enum"] = if arg.get_action().takes_values() {
                json!(words)
            } else {
                json!([true, false])
            };
        }
        of["description"] = json!(arg.get_help().map(ToString::to_string).unwrap_or_default());
        (name, of)
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of weir serve",
        "type": "object",
        "additionalProperties": false,
        "properties": described.collect::<serde_json::Map<_, _>>(),
    })
}

/// What was typed. Settings of a TOML file are taken as if they had been, where neither a flag nor a variable says
/// something else.
///
/// # Errors
/// When the file cannot be read, or has what is no setting or no value of one.
pub(crate) fn parse() -> Result<LowArgs, InvalidArgs> {
    parse_from(std::env::args_os().collect()).map_err(Unparsed::or_end)
}

/// Why there are no arguments.
enum Unparsed {
    /// What was typed is wrong, or asks for a help text.
    Typed(clap::Error),
    /// What the file says is.
    File(InvalidArgs),
}

impl Unparsed {
    /// Ends the program where it is about what was typed.
    fn or_end(self) -> InvalidArgs {
        match self {
            Self::Typed(error) => end(&error),
            Self::File(error) => error,
        }
    }
}

/// The settings of a server by their names, as they are written.
pub(crate) type Written = BTreeMap<String, Vec<OsString>>;

/// What may change while a server runs, by the names of the settings.
const TAKEN: [&str; 6] = [
    "allowed-host",
    "cors-origin",
    "trusted-proxy",
    "user-header",
    "groups-header",
    "group-role",
];

/// What settings say that are read again.
pub(crate) struct Again {
    /// Who may call the server.
    pub(crate) border: Border,
    /// Settings that have changed, and that only a start reads.
    pub(crate) for_a_start: Vec<String>,
}

/// Reads the settings of `weir serve` again: what was typed, with what its file says now.
///
/// # Errors
/// As [`parse`], of which this one returns all.
pub(crate) fn again(started_with: &Written) -> Result<Again, InvalidArgs> {
    let args = parse_from(std::env::args_os().collect()).map_err(|unparsed| match unparsed {
        Unparsed::File(error) => error,
        Unparsed::Typed(error) => InvalidArgs {
            problem: first_paragraph(&error),
            hint: "it was right at the start: a name in it may not be found any more",
        },
    })?;
    let Command::Serve(serve) = args.command else {
        unreachable!("a server was started with it");
    };
    let names = serve.written.keys().chain(started_with.keys());
    let names: BTreeSet<&String> = names.collect();
    let changed = names
        .into_iter()
        .filter(|name| serve.written.get(*name) != started_with.get(*name))
        .filter(|name| !TAKEN.contains(&name.as_str()));
    Ok(Again {
        // What a start would refuse is not taken by half.
        border: serve.who_calls()?.1,
        for_a_start: changed.map(|name| format!("--{name}")).collect(),
    })
}

fn written(serve: &ArgMatches) -> Written {
    let command = LowArgs::command();
    let known = command.find_subcommand("serve").into_iter();
    let known = known.flat_map(|serve| serve.get_arguments());
    let written = known.filter_map(|arg| {
        let values = serve.get_raw(arg.get_id().as_str())?;
        Some((
            arg.get_long()?.to_owned(),
            values.map(OsString::from).collect(),
        ))
    });
    written.collect()
}

/// The settings of a file, as a server that is started with it would have them.
///
/// # Errors
/// As [`parse`], and when they do not go together.
pub(crate) fn check(file: &Path) -> Result<Config, InvalidArgs> {
    let typed = [
        "weir".into(),
        "serve".into(),
        "--config".into(),
        file.into(),
    ];
    match parse_from(typed.into()).map_err(Unparsed::or_end)?.command {
        Command::Serve(serve) => {
            let config = serve.config()?;
            server::look_at(&config).map_err(|why| InvalidArgs {
                problem: format!("{}: {why}", file.display()),
                hint: "a server would not start with it: fix what is named here",
            })?;
            Ok(config)
        }
        _ => unreachable!("that is what was typed"),
    }
}

/// Prints a help text, or what is wrong, and ends. A text that could not be written is no success; a closed pipe is a
/// reader who has seen enough.
fn end(error: &clap::Error) -> ! {
    let printed = error.print().and_then(|()| std::io::stdout().flush());
    let failed = printed.is_err_and(|error| error.kind() != std::io::ErrorKind::BrokenPipe);
    std::process::exit(if failed { 1 } else { error.exit_code() })
}

fn parse_from(typed: Vec<OsString>) -> Result<LowArgs, Unparsed> {
    let (mut args, mut matches) = parsed(&typed).map_err(Unparsed::Typed)?;
    let config = match &args.command {
        Command::Serve(serve) => serve.config.clone(),
        _ => return Ok(args),
    };
    if let (Some(path), Some(("serve", of_serve))) = (&config, matches.subcommand()) {
        let settings = from_file(path, of_serve).map_err(Unparsed::File)?;
        // What comes after `--` is no flag.
        let end = typed.iter().position(|arg| arg == "--");
        let mut all = typed;
        let end = end.unwrap_or(all.len());
        all.splice(end..end, settings);
        // What was typed is right by itself.
        let wrong = |error| Unparsed::File(in_file(path, &first_paragraph(&error)));
        (args, matches) = parsed(&all).map_err(wrong)?;
    }
    if let (Command::Serve(serve), Some(("serve", of_serve))) =
        (&mut args.command, matches.subcommand())
    {
        serve.written = written(of_serve);
    }
    Ok(args)
}

/// What is typed, and as it was written.
fn parsed(typed: &[OsString]) -> Result<(LowArgs, ArgMatches), clap::Error> {
    let matches = LowArgs::command().try_get_matches_from(typed)?;
    Ok((LowArgs::from_arg_matches(&matches)?, matches))
}

/// What is wrong, without the usage: what is missing stands on lines of its own.
fn first_paragraph(error: &clap::Error) -> String {
    let said = error.to_string();
    let lines = said.lines().take_while(|line| !line.is_empty());
    let lines = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    lines.trim_start_matches("error: ").to_owned()
}

fn in_file(path: &Path, problem: &str) -> InvalidArgs {
    InvalidArgs {
        problem: format!("{}: {problem}", path.display()),
        hint: "`weir serve --help` lists the settings; the file spells them with underscores",
    }
}

/// The settings of a file as flags, but for those that `typed` has from elsewhere.
fn from_file(path: &Path, typed: &ArgMatches) -> Result<Vec<OsString>, InvalidArgs> {
    let fail = |problem: String| in_file(path, &problem);
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| fail(error.to_string()))?;
    let command = LowArgs::command();
    let serve = command.find_subcommand("serve").into_iter();
    let known: Vec<&clap::Arg> = serve.flat_map(|serve| serve.get_arguments()).collect();
    let mut flags = Vec::new();
    for (key, value) in table {
        let named = |arg: &&&clap::Arg| {
            let long = arg.get_long().map(|long| long.replace('-', "_"));
            arg.get_id().as_str() == key || long.is_some_and(|long| long == key)
        };
        let arg = known
            .iter()
            .find(named)
            .filter(|arg| arg.get_id() != "config");
        let arg = arg.ok_or_else(|| fail(unknown_setting(&key, &known)))?;
        let elsewhere = typed.value_source(arg.get_id().as_str());
        if elsewhere.is_some_and(|source| source != ValueSource::DefaultValue) {
            continue;
        }
        let flag = format!("--{}", arg.get_long().unwrap_or_default());
        let values = match value {
            toml::Value::Boolean(on) if !arg.get_action().takes_values() => {
                flags.extend(on.then(|| flag.into()));
                continue;
            }
            toml::Value::Array(values) if values.is_empty() => {
                return Err(fail(format!(
                    "`{key}` is an empty list; leave it out instead"
                )));
            }
            toml::Value::Array(values) if matches!(arg.get_action(), ArgAction::Append) => values,
            value => vec![value],
        };
        let path = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
        if path && !values.iter().all(toml::Value::is_str) {
            return Err(fail(format!(
                "`{key}` must be a text: the path of a folder"
            )));
        }
        for value in values {
            let text = text_of(value)
                .ok_or_else(|| fail(format!("`{key}` must be a text, a number, true or false")))?;
            flags.push(format!("{flag}={text}").into());
        }
    }
    Ok(flags)
}

/// What is no setting may be a slip of the pen.
fn unknown_setting(key: &str, known: &[&clap::Arg]) -> String {
    let names = known.iter().filter_map(|arg| arg.get_long());
    match server::nearest_name(key, names) {
        Some(name) => {
            let name = name.replace('-', "_");
            format!("`{key}` is not a setting; is `{name}` meant?")
        }
        None => format!("`{key}` is not a setting"),
    }
}

/// A plain value; nothing for what no setting is.
fn text_of(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        // Whole ones keep their point, so that they are not taken for integers.
        toml::Value::Float(number) => Some(format!("{number:?}")),
        toml::Value::Boolean(on) => Some(on.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

impl Durability {
    fn meant(self) -> server::Durability {
        match self {
            Self::Commit => server::Durability::Commit,
            Self::Relaxed => {
                let note =
                    "note: --durability relaxed is the same as commit now, which answers as fast";
                crate::talk(note);
                server::Durability::Commit
            }
            Self::Fsync => server::Durability::Fsync,
        }
    }
}

/// Prints completions for a shell.
pub(crate) fn complete(shell: clap_complete::Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut LowArgs::command(), "weir", &mut script);
    crate::out(format_args!(
        "{}",
        String::from_utf8_lossy(&script).trim_end()
    ));
}

/// The reference of all commands, as Markdown.
pub(crate) fn reference() -> String {
    let mut text = String::from(
        "# Command line\n\nWritten by `weir reference`; `weir COMMAND --help` prints the same.\n\n\
         Commands of a running server find it by `--server NAME` (a name of the file of profiles), `--url`, or `WEIR_URL`, and send the key \
         of `--key-file` or `WEIR_KEY`. Profiles stand in `weir/profiles.toml` where your settings are (`~/.config`), or where \
         `WEIR_PROFILES` says:\n\n\
         ```toml\ndefault = \"staging\"\n\n[servers.staging]\nurl = \"https://weir.staging.example.com\"\nkey_file = \"/home/me/staging.key\"\n```\n",
    );
    let mut command = LowArgs::command()
        .term_width(110)
        .disable_version_flag(true);
    command.build();
    describe(&mut command, &mut Vec::new(), &mut text);
    text
}

fn describe(command: &mut clap::Command, above: &mut Vec<String>, text: &mut String) {
    above.push(command.get_name().to_owned());
    if above.len() > 1 {
        let depth = "#".repeat(above.len().min(4));
        // Defaults that depend on the machine or its variables are not of this page.
        let help = command.clone().render_long_help().to_string();
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        text.push_str(&format!(
            "\n{depth} {}\n\n```text\n{}\n```\n",
            above.join(" "),
            help.join("\n").trim()
        ));
    }
    let shown = command.get_subcommands_mut();
    for inner in shown.filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        describe(inner, above, text);
    }
    above.pop();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_again_are_settings() {
        let command = LowArgs::command();
        let serve = command.find_subcommand("serve").unwrap();
        let known: Vec<_> = serve
            .get_arguments()
            .filter_map(|arg| arg.get_long())
            .collect();
        assert!(TAKEN.iter().all(|name| known.contains(name)));
    }
}
