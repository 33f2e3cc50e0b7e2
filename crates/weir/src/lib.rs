//! `weir`: flags, configuration and exit codes. Data goes to stdout, talk to stderr.
//!
//! The whole program is in this library, so that it is compiled beside the server and not after it; the binary calls [`main`].

mod args;
mod artifact;
mod audit;
mod backup;
mod control;
mod demo;
mod doctor;
mod journal;
mod keys;
mod load;
mod metrics;
mod models;
mod plan;
mod predictions;
mod privacy;
mod profiles;
mod serve;
mod simulation;
mod table;
mod told;
mod traffic;
mod verify;
mod webhooks;

// It is linked, and nothing of it is named.
use allocator as _;
use args::{Command, LowArgs};
use std::io::Write;
use std::process::ExitCode;

/// Reads the command line, does what it says, and tells how it ended.
pub fn main() -> ExitCode {
    set_surroundings();
    let result = args::parse().map_err(anyhow::Error::from).and_then(run);
    result.unwrap_or_else(|error| {
        talk(&format!("error: {error:#}"));
        if let Some(hint) = hint(&error) {
            talk(&format!("hint: {hint}"));
        }
        ExitCode::FAILURE
    })
}

/// What a library reads when it is loaded, before this program could tell it.
///
/// * Libraries of ONNX Runtime from 1.29 on send what they see of their use to their maker, unless this was set before.
/// * mimalloc keeps what was freed for a second before it gives it back; by then an export has freed 70 MB more.
#[cfg(unix)]
const SURROUNDINGS: [(&str, &str); 2] = [
    ("ORT_DISABLE_TELEMETRY", "1"),
    ("MIMALLOC_PURGE_DELAY", "30"),
];

/// A program cannot set its variables for itself without `unsafe`, so it starts itself once more, in the same process.
#[cfg(unix)]
fn set_surroundings() {
    use std::os::unix::process::CommandExt;
    let missing = SURROUNDINGS
        .into_iter()
        .filter(|(name, _)| std::env::var_os(name).is_none());
    let missing: Vec<(&str, &str)> = missing.collect();
    if missing.is_empty() {
        return;
    }
    let mut typed = std::env::args_os();
    let name = typed.next().unwrap_or_default();
    if let Ok(program) = std::env::current_exe() {
        let mut again = std::process::Command::new(program);
        // It comes back only where it could not be started.
        let error = again.arg0(name).args(typed).envs(missing).exec();
        talk(&format!(
            "note: the program could not be started again: {error}"
        ));
    }
}

#[cfg(not(unix))]
fn set_surroundings() {}

fn run(args: LowArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Serve(serve) => serve::run(&serve),
        Command::Demo(demo) => demo::run(&demo),
        Command::Artifact(artifact) => artifact::run(&artifact),
        Command::Doctor(doctor) => doctor::run(&doctor),
        Command::ModelProcess => {
            server::serve_model()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Journal(journal) => journal::run(&journal),
        Command::Audit(audit) => audit::run(&audit),
        Command::Config(config) => match config.command {
            args::ConfigCommand::Schema => {
                out(format_args!("{:#}", args::schema()));
                Ok(ExitCode::SUCCESS)
            }
            args::ConfigCommand::Check(check) => {
                let config = args::check(&check.file)?;
                let (file, folder) = (&check.file, &config.data_dir);
                if check.json {
                    let said = serde_json::json!({"file": file, "listen": config.listen, "data_dir": folder});
                    out(format_args!("{said:#}"));
                } else {
                    out(format_args!(
                        "{} is good: a server would listen on {} with its data in {}",
                        file.display(),
                        config.listen,
                        folder.display()
                    ));
                }
                Ok(ExitCode::SUCCESS)
            }
        },
        Command::Privacy(args) => privacy::privacy(&args),
        Command::Retention(args) => privacy::retention(&args),
        Command::Erase(args) => privacy::erase(&args),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Keys(keys) => keys::run(&keys),
        Command::Models(models) => models::models(&models),
        Command::Traffic(traffic) => traffic::traffic(&traffic),
        Command::Rules(rules) => traffic::rules(&rules),
        Command::Aliases(aliases) => traffic::aliases(&aliases),
        Command::Metrics(metrics) => metrics::metrics(&metrics),
        Command::Predict(predict) => models::predict(&predict),
        Command::Report(report) => models::report(&report),
        Command::Feedback(feedback) => told::feedback(&feedback),
        Command::Predictions(predictions) => predictions::run(&predictions),
        Command::Import(import) => load::run(&import),
        Command::Webhooks(webhooks) => webhooks::webhooks(&webhooks),
        Command::Reference => {
            out(format_args!("{}", args::reference().trim_end()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions(completions) => {
            args::complete(completions.shell);
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify(verify) => verify::run(&verify),
        Command::Plan(plan) => plan::run(&plan),
        Command::Rollout(rollout) => control::rollout(&rollout),
        Command::Experiment(experiment) => control::experiment(&experiment),
        Command::Evaluate(evaluate) => control::evaluate(&evaluate),
        Command::Simulate(simulate) => simulation::run(&simulate),
    }
}

/// Writes data to the standard output. A reader who has gone, such as `head`, is no failure of this program; a disk that is full
/// is one.
pub(crate) fn write(data: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(data).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result,
    }
}

/// Prints a line of data, or ends the program where it cannot be written.
pub(crate) fn out(line: std::fmt::Arguments<'_>) {
    if let Err(error) = write(format!("{line}\n").as_bytes()) {
        talk(&format!("error: the result cannot be written: {error}"));
        std::process::exit(1);
    }
}

/// Says something to people. Whether somebody listens, or the disk of a log file is full, changes nothing.
pub(crate) fn talk(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", table::shown(text));
}

/// What to do about an error.
fn hint(error: &anyhow::Error) -> Option<String> {
    let opened = error.downcast_ref::<store::OpenError>();
    let started = error.downcast_ref::<server::StartError>();
    let opened = opened.or(match started {
        Some(server::StartError::Open(error)) => Some(error),
        _ => None,
    });
    if let Some(server::StartError::Journal { reason, .. }) = started {
        return Some(journal_hint(reason).into());
    }
    let known = match (opened, started) {
        (Some(store::OpenError::InUse(_)), _) => {
            "stop the other server, or choose another directory with --data-dir"
        }
        (Some(store::OpenError::Emptied { .. }), _) => {
            "put weir.db and weir.db-wal back as they were; --allow-empty starts with what is there, and what is \
             missing is forgotten"
        }
        (Some(store::OpenError::Newer { .. }), _) => "run the newer weir that wrote it",
        (Some(store::OpenError::Older { .. }), _) => {
            "start a server of this release on a copy of the directory first"
        }
        (Some(store::OpenError::Directory { .. }), _) => {
            "check that it exists and may be written, or choose another with --data-dir"
        }
        (_, Some(server::StartError::Listen { .. })) => {
            "choose another address with --listen; port 0 takes a free one"
        }
        _ => {
            if let Some(said) = error.downcast_ref::<api::ClientError>() {
                return client_hint(said);
            }
            return error
                .downcast_ref::<args::InvalidArgs>()
                .map(|error| error.hint.into());
        }
    };
    Some(known.into())
}

fn client_hint(error: &api::ClientError) -> Option<String> {
    match error {
        api::ClientError::Transport(_) => Some(
            "check --url (or WEIR_URL): does a server run there, and is it http or https? For a certificate of your \
             own authority use --ca-file (or WEIR_CA_FILE)"
                .into(),
        ),
        api::ClientError::Refused(problem) if problem.code == api::ErrorCode::Unauthenticated => {
            Some(
                "put a key into WEIR_KEY, or name a file with one (--key-file); if the last one is lost, stop the \
                 server and make another one: `weir keys create --data-dir DIR`"
                    .into(),
            )
        }
        api::ClientError::Refused(problem) => {
            let details = problem.errors.iter().map(|error| &error.detail);
            let mut details = std::iter::once(&problem.detail).chain(details);
            details.find_map(|detail| command_of(detail))
        }
        _ => None,
    }
}

/// Calls that errors of a server advise, and the commands that make them. What a call is about stands between its first
/// words and the end: the first one that fits is meant.
const COMMANDS: [(&str, &str, &str); 16] = [
    ("GET /models", "", "weir models list"),
    (
        "POST /models/",
        "/activate",
        "weir models activate MODEL_ID PERCENT",
    ),
    (
        "POST /models",
        "",
        "weir models register --name NAME --model-version VERSION",
    ),
    (
        "PATCH /models/",
        "",
        "weir models update MODEL_ID --status testing",
    ),
    (
        "PUT /models/",
        "/artifact",
        "weir artifact put MODEL_ID FOLDER",
    ),
    ("GET /experiments", "", "weir experiment list"),
    (
        "POST /experiments/",
        "/stop",
        "weir experiment stop EXPERIMENT",
    ),
    ("PUT /aliases/", "", "weir aliases set NAME ALIAS VERSION"),
    (
        "PUT /metrics/",
        "",
        "weir metrics declare NAME METRIC --kind KIND",
    ),
    ("GET /traffic/", "", "weir traffic show NAME"),
    ("PUT /traffic/", "", "weir traffic set NAME VERSION=PERCENT"),
    ("GET /webhooks", "", "weir webhooks list"),
    ("GET /keys", "", "weir keys list"),
    ("POST /feedback", "", "weir feedback send"),
    ("GET /rules/", "", "weir rules list NAME"),
    ("GET /metrics/", "", "weir metrics list NAME"),
];

/// The command that makes the call which an error advises.
fn command_of(detail: &str) -> Option<String> {
    let calls = detail.split('`').skip(1).step_by(2);
    let command = |call: &str| {
        let fits = |(begins, ends, _): &&(&str, &str, &str)| {
            call.starts_with(begins) && call.ends_with(ends)
        };
        COMMANDS.iter().find(fits).map(|(_, _, command)| *command)
    };
    let command = calls.filter_map(command).next()?;
    Some(format!("here that is `{command}`"))
}

fn journal_hint(error: &::journal::OpenError) -> &'static str {
    match error {
        ::journal::OpenError::Io(_) => {
            "check that it is a folder that may be written, or choose another with --journal-dir"
        }
        ::journal::OpenError::InUse(_) => {
            "stop the other server, or choose another directory with --journal-dir"
        }
        ::journal::OpenError::Newer { .. } => "run the newer weir that wrote it",
        ::journal::OpenError::Missing(_) => {
            "name its folder with --journal-dir, or put it back; --allow-empty-journal starts without it, and \
             what waited in it is lost"
        }
        ::journal::OpenError::Foreign(_) => {
            "put back the `journal` folder that belongs to this database, or move this one away"
        }
    }
}
