//! Flags of the commands that control experiments of a running server, and of their simulations.

use super::Seconds;
use anyhow::Context;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use types::Algorithm;

/// Which server, and how to print.
#[derive(Args)]
pub(crate) struct ConnectArgs {
    /// A server by its name in the profiles file, or by its address [default: the default server of that
    /// file, else http://127.0.0.1:8000]
    #[arg(long, env = "WEIR_SERVER", value_name = "NAME", global = true)]
    pub(crate) server: Option<String>,
    /// The address of the server, whatever a profile says.
    #[arg(long, env = "WEIR_URL", value_name = "URL", global = true)]
    pub(crate) url: Option<String>,
    /// A file with the key that the server needs [default: the variable WEIR_KEY has the key itself]
    #[arg(long, env = "WEIR_KEY_FILE", value_name = "FILE", global = true)]
    pub(crate) key_file: Option<PathBuf>,
    /// A file of certificate authorities (PEM) to trust for the server, in addition to those of the system.
    #[arg(long, env = "WEIR_CA_FILE", value_name = "FILE", global = true)]
    pub(crate) ca_file: Option<PathBuf>,
    /// Why you do this, for the audit of the server.
    #[arg(long, value_name = "TEXT", global = true)]
    pub(crate) reason: Option<String>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl ConnectArgs {
    /// A client for the server.
    pub(crate) fn client(&self) -> anyhow::Result<api::Client> {
        let url = self.url.as_deref().filter(|url| !url.is_empty());
        let server = self.server.as_deref().filter(|server| !server.is_empty());
        anyhow::ensure!(
            url.is_none() || server.is_none(),
            "both a server ({}) and an address ({}) are named: leave out --server and WEIR_SERVER, or --url and WEIR_URL",
            server.unwrap_or_default(),
            url.unwrap_or_default()
        );
        // The key of a profile goes to its own server only, and no other key goes there.
        let profile = match url {
            Some(_) => None,
            None => crate::profiles::find(server)?,
        };
        let of_profile = |path: fn(&crate::profiles::Profile) -> Option<&PathBuf>| {
            profile.as_ref().and_then(path)
        };
        let key_file = self.key_file.as_ref();
        let key_file = key_file.or(of_profile(|profile| profile.key_file.as_ref()));
        let ca_file = self.ca_file.as_ref();
        let ca_file = ca_file.or(of_profile(|profile| profile.ca_file.as_ref()));
        let key = match key_file {
            Some(path) => Some(
                std::fs::read_to_string(path)
                    .with_context(|| format!("the key file {}", path.display()))?,
            ),
            None if profile.is_some() => None,
            None => key(),
        };
        let read = |path: &PathBuf| {
            std::fs::read(path).with_context(|| format!("the certificates {}", path.display()))
        };
        let authorities = ca_file.map(read).transpose()?;
        let of_profile = profile.as_ref().and_then(|profile| profile.url.as_deref());
        let address = url.or(of_profile).unwrap_or(HERE);
        anyhow::ensure!(
            address.starts_with("http://") || address.starts_with("https://"),
            "the address of the server must begin with http:// or https://, such as {HERE}: it is {address:?}"
        );
        let client = api::Client::new(address)?;
        Ok(client.with(
            key.as_deref(),
            self.reason.as_deref(),
            authorities.as_deref(),
        )?)
    }
}

/// Where a server listens unless it is told otherwise.
const HERE: &str = "http://127.0.0.1:8000";

/// The key of the environment.
fn key() -> Option<String> {
    std::env::var("WEIR_KEY").ok().filter(|key| !key.is_empty())
}

#[derive(Args)]
pub(crate) struct RolloutArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: RolloutCommand,
}

#[derive(Subcommand)]
pub(crate) enum RolloutCommand {
    /// Make a rollout and start it: the candidate gets its first step.
    Start(StartRolloutArgs),
    /// Show how far the rollout is.
    Status(TargetArgs),
    /// Print what happens to it until it ends.
    ///
    /// Exits with 0 when the candidate was promoted, 3 when it was rolled back, 5 when somebody ended it, 1 on an error.
    Watch(WatchArgs),
    /// Keep the weights as they are; harm still takes the candidate back.
    Pause(OneArgs),
    /// Continue; the step is observed again from its beginning.
    Resume(OneArgs),
    /// Take the next step now, or agree to it.
    Advance(OneArgs),
    /// Give everything to the candidate now.
    Promote(PromoteArgs),
    /// Give everything back to the control now, because the candidate is bad.
    Rollback(OneArgs),
    /// Give everything back to the control now.
    Abort(OneArgs),
}

#[derive(Args)]
pub(crate) struct StartRolloutArgs {
    /// The model.
    #[arg(long)]
    pub(crate) name: String,
    /// The version that has the traffic.
    #[arg(long, value_name = "VERSION")]
    pub(crate) control: String,
    /// The version that climbs.
    #[arg(long, value_name = "VERSION")]
    pub(crate) candidate: String,
    /// What people call it.
    #[arg(long, default_value = "")]
    pub(crate) title: String,
    /// The primary metric of its results.
    #[arg(long, value_name = "METRIC", default_value = "error")]
    pub(crate) primary: String,
    /// A metric that must not get worse; say it again for more [default: error and rejected]
    #[arg(long = "guardrail", value_name = "METRIC")]
    pub(crate) guardrails: Vec<String>,
    /// The latency over which a prediction is `slow`, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub(crate) slo_ms: Option<f64>,
    /// The candidate's share at each step, in percent [default: 1,5,25,50,100]
    #[arg(long, value_delimiter = ',', value_name = "PERCENT")]
    pub(crate) steps: Vec<f64>,
    /// How long each step lasts at least, in seconds or with a unit: one for all or one per step
    /// [default: 10m,30m,1h,4h,4h]
    #[arg(long, value_delimiter = ',', value_name = "TIME")]
    pub(crate) soak: Vec<Seconds>,
    /// Units that the candidate needs at a step: one for all or one per step [default: enough to find
    /// twice the control's error rate]
    #[arg(long, value_delimiter = ',', value_name = "UNITS")]
    pub(crate) min_units: Vec<u64>,
    /// Ask for proof that the candidate is not much worse before each step.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Ask a person before each step.
    #[arg(long)]
    pub(crate) approval: bool,
    /// Only say what would change.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print what happens until it ends; the exit code says how, as that of `watch` does.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Stop watching when it is held, with the exit code 4.
    #[arg(long, requires = "watch")]
    pub(crate) exit_on_hold: bool,
}

/// What is watched.
#[derive(Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(crate) which: TargetArgs,
    /// Stop when it is held, with the exit code 4.
    #[arg(long)]
    pub(crate) exit_on_hold: bool,
}

/// Which experiment.
#[derive(Args)]
pub(crate) struct TargetArgs {
    /// The experiment, such as exp-0123456789ab, or a model: then the one that runs on it, or its newest.
    #[arg(value_name = "EXPERIMENT")]
    pub(crate) target: String,
}

#[derive(Args)]
pub(crate) struct PromoteArgs {
    #[command(flatten)]
    pub(crate) one: OneArgs,
    /// The version that is promoted, where there are several candidates.
    #[arg(long, value_name = "VERSION")]
    pub(crate) candidate: Option<String>,
}

/// Which experiment, and how a command to it is recorded.
#[derive(Args)]
pub(crate) struct OneArgs {
    #[command(flatten)]
    pub(crate) which: TargetArgs,
    /// Why, for the record.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// The revision that your decision is based on; the command is refused when the experiment has changed
    /// since.
    #[arg(long)]
    pub(crate) revision: Option<i64>,
}

#[derive(Args)]
pub(crate) struct ExperimentArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: ExperimentCommand,
}

#[derive(Subcommand)]
pub(crate) enum ExperimentCommand {
    /// List experiments, newest first.
    List {
        /// Only those of this model.
        #[arg(long)]
        name: Option<String>,
        /// Only those with this status.
        #[arg(long)]
        status: Option<String>,
    },
    /// Make a draft from a file with the JSON of `POST /experiments`.
    Create {
        /// The file; `-` is the standard input.
        file: PathBuf,
    },
    /// Show one experiment and how far it is.
    Show(TargetArgs),
    /// What the evidence says.
    Results(TargetArgs),
    /// What happened to it, oldest first: why its weights are what they are.
    Events(TargetArgs),
    /// Print what happens to it until it ends.
    ///
    /// Exits with 0 when the candidate was promoted, 3 when it was rolled back, 5 when somebody ended it, 1 on an error.
    Watch(WatchArgs),
    /// Start a draft.
    Start {
        #[command(flatten)]
        which: TargetArgs,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Keep the weights of a rollout or a bandit as they are.
    Pause(OneArgs),
    /// Continue after a pause.
    Resume(OneArgs),
    /// Take the next step of a rollout now.
    Advance(OneArgs),
    /// Give everything to a candidate.
    Promote(PromoteArgs),
    /// Give everything to the control, because the candidates are bad.
    Rollback(OneArgs),
    /// End it with the weights as they are.
    Stop(OneArgs),
    /// End it with everything on the control.
    Abort(OneArgs),
}

#[derive(Args)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// The model.
    #[arg(long)]
    pub(crate) name: String,
    /// The metric.
    #[arg(long)]
    pub(crate) metric: String,
    /// The split, such as 1.0.0=20,2.0.0=80.
    #[arg(long, value_delimiter = ',', value_parser = weight, value_name = "VERSION=WEIGHT",
        required_unless_present = "algorithm", conflicts_with = "algorithm")]
    pub(crate) weights: Vec<(String, f64)>,
    /// Or a bandit: thompson, top_two, track_and_stop, ucb1 or kl_ucb.
    #[arg(long)]
    pub(crate) algorithm: Option<Algorithm>,
    /// The share that every version keeps under the bandit.
    #[arg(long, requires = "algorithm")]
    pub(crate) floor: Option<f64>,
    /// How often the bandit moves the weights.
    #[arg(long, value_name = "SECONDS", requires = "algorithm")]
    pub(crate) update_seconds: Option<u64>,
    /// The first moment of the log that counts: RFC 3339, or how long ago (14d, 6h, 30m) [default: a week ago]
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// The end of that time: the first moment that does not count [default: now]
    #[arg(long)]
    pub(crate) until: Option<String>,
}

fn weight(text: &str) -> Result<(String, f64), String> {
    let parts = text.split_once('=');
    let parsed = parts.and_then(|(version, weight)| Some((version.into(), weight.parse().ok()?)));
    parsed.ok_or_else(|| "must be a version and a number, such as 2.0.0=80".into())
}

#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct SimulateRolloutArgs {
    /// Play a rollout of `simulate worlds` instead, named by a part of its name, such as revenue or outages; only --runs and
    /// --seed go with it.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["rule", "base", "ratio", "drift", "steps", "requests", "look", "delay",
        "missing", "alpha", "table"])]
    pub(crate) world: Option<String>,
    /// Who decides to go back: controller, peeked_z or threshold.
    #[arg(long, default_value = "controller", value_parser = rule, value_name = "RULE")]
    pub(crate) rule: simulate::Rule,
    /// The control's error rate.
    #[arg(long, default_value_t = 0.005)]
    pub(crate) base: f64,
    /// The candidate's error rate over the control's: 1 for a harmless one.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) ratio: f64,
    /// What both rates are multiplied by in the second half of the ladder.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) drift: f64,
    /// The candidate's share at each step, in percent.
    #[arg(long, value_delimiter = ',', default_values_t = [1.0, 5.0, 25.0, 50.0])]
    pub(crate) steps: Vec<f64>,
    /// Requests of a step.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) requests: u64,
    /// Requests between two looks.
    #[arg(long, default_value_t = 200)]
    pub(crate) look: u64,
    /// Requests that come between a request and its outcome.
    #[arg(long, default_value_t = 0)]
    pub(crate) delay: u64,
    /// The share of outcomes that never come.
    #[arg(long, default_value_t = 0.0)]
    pub(crate) missing: f64,
    /// The chance of a false rollback.
    #[arg(long, default_value_t = 0.05)]
    pub(crate) alpha: f64,
    /// How many rollouts.
    #[arg(long, default_value_t = 1000)]
    pub(crate) runs: u64,
    /// Where the randomness begins: the same seed gives the same answer.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Play the table of docs/rollouts.md instead, and print it as Markdown.
    #[arg(long)]
    pub(crate) table: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

fn rule(text: &str) -> Result<simulate::Rule, String> {
    let found = simulate::Rule::ALL.into_iter().find(|r| r.as_str() == text);
    found.ok_or_else(|| "must be controller, peeked_z or threshold".into())
}

#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct SimulateBanditArgs {
    /// Play a bandit of `simulate worlds` instead, named by a part of its name, such as lognormal or "500 users"; only --runs and
    /// --seed go with it.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["algorithm", "rates", "drift", "units", "batch", "delay", "floor",
        "half_life"])]
    pub(crate) world: Option<String>,
    /// How it chooses: thompson, top_two, track_and_stop, ucb1 or kl_ucb.
    #[arg(long, default_value = "thompson")]
    pub(crate) algorithm: Algorithm,
    /// The rate of success of each arm, the control first.
    #[arg(long, value_delimiter = ',', default_values_t = [0.10, 0.12, 0.15])]
    pub(crate) rates: Vec<f64>,
    /// What is added to the rate of the last arm in the second half.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    pub(crate) drift: f64,
    /// Units of all arms when it ends.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) units: u64,
    /// Units between two updates.
    #[arg(long, default_value_t = 200)]
    pub(crate) batch: u64,
    /// Units that come between a unit and its outcome.
    #[arg(long, default_value_t = 0)]
    pub(crate) delay: u64,
    /// The share that every arm keeps [default: 0.05, or 0.2 over the number of arms where that is less]
    #[arg(long)]
    pub(crate) floor: Option<f64>,
    /// After how many updates evidence counts half.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) half_life: Option<u64>,
    /// How many bandits.
    #[arg(long, default_value_t = 1000)]
    pub(crate) runs: u64,
    /// Where the randomness begins: the same seed gives the same answer.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
