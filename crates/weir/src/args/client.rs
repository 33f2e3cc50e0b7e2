//! Flags of the commands that ask a running server for what it knows, and tell it what happened.

use super::{Age, ConnectArgs};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct ModelsArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: ModelsCommand,
}

#[derive(Subcommand)]
pub(crate) enum ModelsCommand {
    /// All versions with their status and weight.
    List {
        /// Only those of this model.
        #[arg(long)]
        name: Option<String>,
    },
    /// Register a version. It gets no traffic before it is activated.
    Register(RegisterArgs),
    /// Show one version.
    Show {
        /// Its id, such as model-0123456789ab, or NAME@VERSION.
        #[arg(value_name = "VERSION")]
        model_id: String,
    },
    /// Give a version a weight.
    Activate {
        /// Its id, or NAME@VERSION.
        #[arg(value_name = "VERSION")]
        model_id: String,
        /// Its weight, in percent.
        #[arg(value_name = "PERCENT")]
        traffic_percent: f64,
    },
    /// Take a version out of the traffic.
    Deactivate {
        /// Its id, or NAME@VERSION.
        #[arg(value_name = "VERSION")]
        model_id: String,
    },
    /// Change what is said of a version, or take it out of use.
    ///
    /// Example: weir models update model-0123456789ab --status testing
    Update {
        /// Its id, or NAME@VERSION.
        #[arg(value_name = "VERSION")]
        model_id: String,
        /// The new status; `activate` makes a version active.
        #[arg(long, value_parser = ["inactive", "testing", "deprecated"])]
        status: Option<String>,
        /// The new description.
        #[arg(long)]
        description: Option<String>,
        /// A tag; may be repeated. All tags are set at once: those that you leave out are removed.
        #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
        tags: Vec<(String, String)>,
    },
    /// Delete a version that is not active, with everything that was logged of it.
    Delete {
        /// Its id, or NAME@VERSION.
        #[arg(value_name = "VERSION")]
        model_id: String,
    },
    /// Send a version copies of a share of the requests; callers never see what it answers.
    ///
    /// Example: weir models shadow model-0123456789ab 10
    Shadow {
        /// Its id, or NAME@VERSION.
        #[arg(value_name = "VERSION")]
        model_id: String,
        /// The share, in percent; 0 ends it.
        percent: f64,
    },
    /// How a version answered its copies, beside what callers got.
    ShadowReport(ShadowReportArgs),
}

#[derive(Args)]
pub(crate) struct ShadowReportArgs {
    /// The version that gets the copies: its id, or NAME@VERSION.
    #[arg(value_name = "VERSION")]
    pub(crate) model_id: String,
    /// Only copies of requests at or after this time (RFC 3339).
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Only copies of requests before this time (RFC 3339).
    #[arg(long)]
    pub(crate) until: Option<String>,
}

#[derive(Args)]
pub(crate) struct RegisterArgs {
    /// The model.
    #[arg(long)]
    pub(crate) name: String,
    /// The version within the model.
    #[arg(long = "model-version", value_name = "VERSION", id = "model_version")]
    pub(crate) version: String,
    /// The accuracy that its author claims, from 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    pub(crate) accuracy: f64,
    /// What people should know of it.
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// The address of the service that answers for it.
    #[arg(long = "service", value_name = "URL", conflicts_with = "runtime")]
    pub(crate) service: Option<String>,
    /// What the service is asked before it gets traffic, as JSON, where it does not read texts.
    #[arg(long, value_name = "JSON", requires = "service")]
    pub(crate) probe: Option<String>,
    /// Where the confidence stands in the answer of the service, such as /confidence.
    #[arg(long, value_name = "POINTER", requires = "service")]
    pub(crate) confidence_pointer: Option<String>,
    /// How it is run, as JSON, such as '{"type": "onnx"}' (docs/models.md) [default: sentiment by VADER]
    #[arg(long, value_name = "JSON")]
    pub(crate) runtime: Option<String>,
}

#[derive(Args)]
pub(crate) struct TrafficArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: TrafficCommand,
}

#[derive(Subcommand)]
pub(crate) enum TrafficCommand {
    /// How the requests of a model are split.
    Show {
        /// The model.
        name: String,
    },
    /// Set the weights of a model; active versions that are not named get 0.
    ///
    /// Example: weir traffic set sentiment 1.0.0=90 2.0.0=10
    Set {
        /// The model.
        name: String,
        /// Weights in percent by version.
        #[arg(required = true, value_name = "VERSION=PERCENT", value_parser = weight)]
        weights: Vec<(String, f64)>,
        /// Refuse where the traffic has changed since this revision.
        #[arg(long)]
        revision: Option<i64>,
        /// Whether another version answers when the chosen one fails.
        #[arg(long, value_name = "BOOL")]
        fallback: Option<bool>,
        /// Stop a running experiment for it.
        #[arg(long)]
        takeover: bool,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
}

fn weight(text: &str) -> Result<(String, f64), String> {
    let wrong = || "must be a version and a weight, such as 2.0.0=10".to_owned();
    let (version, weight) = text.rsplit_once('=').ok_or_else(wrong)?;
    let weight = weight.trim_end_matches('%');
    Ok((version.to_owned(), weight.parse().map_err(|_| wrong())?))
}

#[derive(Args)]
pub(crate) struct RulesArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: RulesCommand,
}

#[derive(Subcommand)]
pub(crate) enum RulesCommand {
    /// The rules of a model, in the order in which they are tried.
    List {
        /// The model.
        name: String,
    },
    /// Set all rules of a model at once; the first one that is met is followed.
    ///
    /// Example: weir rules set sentiment 'beta = true -> 2.0.0' 'country in [DE, AT] -> 1.1.0'
    Set {
        /// The model.
        name: String,
        /// Who gets which version.
        #[arg(required = true, value_name = "CONDITION -> VERSION", value_parser = rule)]
        rules: Vec<api::Rule>,
        /// Refuse where the rules or the traffic have changed since this revision.
        #[arg(long)]
        revision: Option<i64>,
    },
    /// Remove all rules of a model.
    Clear {
        /// The model.
        name: String,
    },
}

fn rule(text: &str) -> Result<api::Rule, String> {
    let (when, version) = text
        .rsplit_once("->")
        .ok_or("must be a condition and a version, such as 'beta = true -> 2.0.0'")?;
    Ok(api::Rule {
        when: when.trim().to_owned(),
        model_version: version.trim().to_owned(),
        rests: false,
    })
}

#[derive(Args)]
pub(crate) struct AliasesArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: AliasesCommand,
}

#[derive(Subcommand)]
pub(crate) enum AliasesCommand {
    /// The aliases of a model, and the versions that they stand for.
    List {
        /// The model.
        name: String,
    },
    /// Let an alias stand for a version.
    ///
    /// Example: weir aliases set sentiment champion 2.0.0
    Set {
        /// The model.
        name: String,
        /// The alias.
        alias: String,
        /// The version.
        #[arg(id = "model_version", value_name = "VERSION")]
        version: String,
    },
    /// Delete an alias.
    Delete {
        /// The model.
        name: String,
        /// The alias.
        alias: String,
    },
}

#[derive(Args)]
pub(crate) struct MetricsArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: MetricsCommand,
}

#[derive(Subcommand)]
pub(crate) enum MetricsCommand {
    /// The metrics of a model, the built-in ones first.
    List {
        /// The model.
        name: String,
    },
    /// Declare a metric, or change its declaration. All of it is set at once: what you leave out gets its default.
    ///
    /// Example: weir metrics declare shop revenue --kind continuous --per unit --window 7d
    Declare(Box<DeclareMetricArgs>),
    /// Remove a declaration; the values that came stay.
    Delete {
        /// The model.
        name: String,
        /// The metric.
        metric: String,
    },
}

#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct DeclareMetricArgs {
    /// The model.
    pub(crate) name: String,
    /// The metric.
    pub(crate) metric: String,
    /// What its values are: 0 or 1, any number, or a whole number from 0.
    #[arg(long, value_parser = ["binary", "continuous", "count"])]
    pub(crate) kind: String,
    /// Which way is better.
    #[arg(long, value_parser = ["up", "down"], default_value = "up")]
    pub(crate) direction: String,
    /// Whether each prediction has a value, or each unit.
    #[arg(long, value_parser = ["prediction", "unit"], default_value = "prediction")]
    pub(crate) per: String,
    /// How long after a prediction, or after a unit was first exposed, its values may come, such as 7d or 36h [default: every
    /// value counts at once]
    #[arg(long, value_name = "TIME")]
    pub(crate) window: Option<Age>,
    /// How the outcomes of a unit become its value [default: any for a binary metric, else sum]
    #[arg(long, value_parser = ["sum", "count", "any", "last", "max"])]
    pub(crate) combine: Option<String>,
    /// What counts where no value has come within the window [default: failure for a binary metric with a window, zero for
    /// others per unit, else excluded]
    #[arg(long, value_parser = ["failure", "zero", "excluded"])]
    pub(crate) missing: Option<String>,
    /// The least value that is accepted.
    #[arg(long, value_name = "VALUE")]
    pub(crate) lower_bound: Option<f64>,
    /// The greatest value that is accepted.
    #[arg(long, value_name = "VALUE")]
    pub(crate) upper_bound: Option<f64>,
    /// Lower values count as this one in comparisons.
    #[arg(long, value_name = "VALUE")]
    pub(crate) floor: Option<f64>,
    /// Higher values count as this one in comparisons, so that a single one decides nothing.
    #[arg(long, value_name = "VALUE")]
    pub(crate) cap: Option<f64>,
    /// What was known of a unit before and makes comparisons sharper: an attribute by its name, or `before` for the unit's
    /// own value in the window before.
    #[arg(long, value_name = "ATTRIBUTE")]
    pub(crate) covariate: Option<String>,
}

fn number_or_bool(text: &str) -> Result<f64, String> {
    match text {
        "true" => Ok(1.0),
        "false" => Ok(0.0),
        text => text
            .parse()
            .map_err(|_| "must be a number, true or false".to_owned()),
    }
}

/// A name and a value.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("must be a name and a value, such as country=DE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(Args)]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// The text to predict for; `-` reads it from standard input.
    #[arg(required_unless_present = "inputs", conflicts_with = "inputs")]
    pub(crate) text: Option<String>,
    /// Tensors or other JSON, for models that do not read text.
    #[arg(long, value_name = "JSON")]
    pub(crate) inputs: Option<String>,
    /// The model; needed only when several are active.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The version that must answer: a version or an alias such as @champion.
    #[arg(long, value_name = "VERSION")]
    pub(crate) model_version: Option<String>,
    /// Who asks.
    #[arg(long = "unit", value_name = "UNIT_ID")]
    pub(crate) unit_id: Option<String>,
    /// What is known of who asks; may be repeated.
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) attributes: Vec<(String, String)>,
    /// Your id for the request: a repeat with the same id gets the first answer.
    #[arg(long)]
    pub(crate) request_id: Option<String>,
}

#[derive(Args)]
pub(crate) struct FeedbackArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: FeedbackCommand,
}

#[derive(Subcommand)]
pub(crate) enum FeedbackCommand {
    /// Say what became of a prediction, or of a unit.
    ///
    /// Example: weir feedback send --request order-17 --metric converted --value 1
    Send(Box<SendFeedbackArgs>),
    /// Send a file of feedback: NDJSON or CSV with the fields of `POST /feedback`.
    Load(LoadArgs),
    /// Write all feedback to a file or to standard output, oldest first.
    ///
    /// Example: weir feedback export --format parquet --output feedback.parquet
    Export(ExportFeedbackArgs),
}

#[derive(Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("of").required(true))]
pub(crate) struct SendFeedbackArgs {
    /// The prediction.
    #[arg(long = "prediction", value_name = "PREDICTION_ID", group = "of")]
    pub(crate) prediction_id: Option<String>,
    /// The request, by what you called it.
    #[arg(long = "request", value_name = "REQUEST_ID", group = "of")]
    pub(crate) request_id: Option<String>,
    /// The unit whose outcome it is, for a metric per unit.
    #[arg(long = "unit", value_name = "UNIT_ID", group = "of")]
    pub(crate) unit_id: Option<String>,
    /// The model; needed only when there are several.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What would have been right.
    #[arg(long, conflicts_with_all = ["metric", "value"], required_unless_present = "metric")]
    pub(crate) label: Option<String>,
    /// The metric.
    #[arg(long, requires = "value")]
    pub(crate) metric: Option<String>,
    /// Its value: a number, or true and false for 1 and 0.
    #[arg(long, requires = "metric", value_parser = number_or_bool)]
    pub(crate) value: Option<f64>,
    /// When the outcome of a unit happened (RFC 3339) [default: now]
    #[arg(long)]
    pub(crate) at: Option<String>,
    /// Your id for the outcome of a unit: sending it again changes nothing.
    #[arg(long)]
    pub(crate) outcome_id: Option<String>,
    /// Replace a value that was sent before.
    #[arg(long)]
    pub(crate) replace: bool,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A JSON object a line.
    Ndjson,
    /// Comma-separated values with a header.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// Where an export goes and where it begins.
#[derive(Args)]
pub(crate) struct ExportArgs {
    /// How rows are written [default: by the ending of --output, else ndjson]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// The file to write; `-` is the standard output. It appears when the export is whole [default: standard output]
    #[arg(long, short, value_name = "FILE", conflicts_with = "into")]
    pub(crate) output: Option<PathBuf>,
    /// A folder that is kept up to date: each run adds a file with what came since the run before.
    #[arg(long, value_name = "DIR", conflicts_with = "after_position")]
    pub(crate) into: Option<PathBuf>,
    /// Overwrite a file that exists.
    #[arg(long)]
    pub(crate) force: bool,
    /// Begin after this position, as the previous export printed it.
    #[arg(long, value_name = "POSITION")]
    pub(crate) after_position: Option<u64>,
    /// The generation of that position, as the previous export printed it.
    #[arg(long, requires = "after_position")]
    pub(crate) generation: Option<String>,
    /// Export at most this many rows; of feedback, also those that came together with the last of them.
    #[arg(long, value_name = "ROWS", conflicts_with = "into", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
}

#[derive(Args)]
pub(crate) struct ExportFeedbackArgs {
    #[command(flatten)]
    pub(crate) export: ExportArgs,
    /// Only that of this model.
    #[arg(long)]
    pub(crate) name: Option<String>,
}

#[derive(Args)]
pub(crate) struct PredictionsArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: PredictionsCommand,
}

#[derive(Subcommand)]
pub(crate) enum PredictionsCommand {
    /// Print predictions as they are logged, until it is interrupted.
    ///
    /// Example: weir predictions tail --name sentiment --status error
    Tail(TailArgs),
    /// Write logged predictions, with the feedback that has come for them, to a file or to standard output.
    ///
    /// Example: weir predictions export --name sentiment --since 2026-11-01T00:00:00Z --output november.parquet
    Export(ExportPredictionsArgs),
    /// Show one prediction with its feedback.
    Show {
        /// Its id.
        prediction_id: String,
    },
}

/// Which predictions.
#[derive(Args)]
pub(crate) struct FilterArgs {
    /// Only those of this model.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Only those meant for this version.
    #[arg(long = "model-version", value_name = "VERSION", id = "model_version")]
    pub(crate) version: Option<String>,
    /// Only those that take part in this experiment.
    #[arg(long)]
    pub(crate) experiment: Option<String>,
    /// Only those with this status: ok, fallback, error or rejected.
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only those of this unit.
    #[arg(long = "unit", value_name = "UNIT_ID")]
    pub(crate) unit_id: Option<String>,
    /// Only those whose attributes meet this condition, such as 'country in [DE, AT]'.
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) of: Option<String>,
}

#[derive(Args)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// First print this many that are in the log already.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) last: u64,
    /// Print what is in the log already, and stop.
    #[arg(long)]
    pub(crate) no_follow: bool,
}

#[derive(Args)]
pub(crate) struct ExportPredictionsArgs {
    #[command(flatten)]
    pub(crate) export: ExportArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Only those made at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only those made before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

#[derive(Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: ImportCommand,
}

#[derive(Subcommand)]
pub(crate) enum ImportCommand {
    /// Log past predictions as `observed`: they appear in the log and in reports, but are no evidence in
    /// experiments.
    ///
    /// Example: weir import predictions history.csv --name fraud --model-version 1.4 --map score=confidence
    Predictions(LoadPredictionsArgs),
}

#[derive(Args)]
pub(crate) struct LoadPredictionsArgs {
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    /// The model, for rows that do not say it.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The version, for rows that do not say it.
    #[arg(long = "model-version", value_name = "VERSION", id = "model_version")]
    pub(crate) version: Option<String>,
}

/// A file of rows.
#[derive(Args)]
pub(crate) struct LoadArgs {
    /// The file: NDJSON, or CSV with a header; `-` is the standard input.
    pub(crate) file: PathBuf,
    /// How it is written [default: by its ending]
    #[arg(long, value_enum)]
    pub(crate) format: Option<RowFormat>,
    /// Read a column as another field, such as score=confidence; `note=` leaves a column out; may be repeated.
    #[arg(long = "map", value_name = "COLUMN=FIELD", value_parser = pair)]
    pub(crate) map: Vec<(String, String)>,
    /// Begin with the first row, even if an earlier run has got further.
    #[arg(long)]
    pub(crate) restart: bool,
    /// Go on when rows are refused; the refused rows are listed.
    #[arg(long)]
    pub(crate) skip_refused: bool,
    /// Only read the file and say what would be sent.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    /// A JSON object a line.
    Ndjson,
    /// Comma-separated values with a header.
    Csv,
}

#[derive(Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// Only of this model.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Precision, recall and F1 of this class instead, such as fraud or true.
    #[arg(long, value_name = "CLASS", requires = "name")]
    pub(crate) positive: Option<String>,
    /// Only requests at or after this time (RFC 3339).
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Only requests before this time (RFC 3339).
    #[arg(long)]
    pub(crate) until: Option<String>,
}

#[derive(Args)]
pub(crate) struct WebhooksArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: WebhooksCommand,
}

#[derive(Subcommand)]
pub(crate) enum WebhooksCommand {
    /// List all webhooks and how their deliveries go.
    List,
    /// Have events posted to an address.
    ///
    /// Example: weir webhooks create "$SLACK_URL" --format slack --event experiment.promoted
    Create(CreateWebhookArgs),
    /// Send a test event to one, and say what its receiver answered.
    Test {
        /// Its id.
        webhook: String,
    },
    /// Delete one.
    Delete {
        /// Its id.
        webhook: String,
    },
}

#[derive(Args)]
pub(crate) struct CreateWebhookArgs {
    /// Where deliveries are posted.
    pub(crate) address: String,
    /// Only what happens to experiments of this model.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Only these events, such as experiment.advanced; `*` stands for any ending; may be repeated [default: all]
    #[arg(long = "event", value_name = "EVENT")]
    pub(crate) events: Vec<String>,
    /// What the receiver reads: json, slack or pagerduty.
    #[arg(long, default_value = "json")]
    pub(crate) format: String,
    /// A file with the routing key of your PagerDuty integration.
    #[arg(long, value_name = "FILE")]
    pub(crate) routing_key_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
