//! `weir rollout`, `weir experiment`, `weir evaluate`: experiments of a running server.

mod results;

use crate::args::{
    ConnectArgs, EvaluateArgs, ExperimentArgs, ExperimentCommand, OneArgs, PromoteArgs,
    RolloutArgs, RolloutCommand, StartRolloutArgs, TargetArgs,
};
use anyhow::{Context, bail};
use api::{AuditEntry, Client, CreateExperiment, EvaluateRequest, Experiment, Progress};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use types::{Action, Intervention, Wait};

/// A plan from the log of a running server.
pub(crate) fn run_plan(
    args: &ConnectArgs,
    request: &api::PlanRequest,
) -> anyhow::Result<api::PlanReply> {
    let mut planned = None;
    run(async {
        planned = Some(args.client()?.plan(request).await?);
        Ok(())
    })?;
    planned.context("the server gave no plan")
}

pub(crate) fn logged_units(
    args: &ConnectArgs,
    request: &api::LoggedUnitsRequest,
) -> anyhow::Result<api::LoggedUnits> {
    let mut units = None;
    run(async {
        units = Some(args.client()?.logged_units(request).await?);
        Ok(())
    })?;
    units.context("the server gave no units")
}

/// How a command that watches ends, beside 0 for what was promoted and 1 for an error.
pub(crate) const ROLLED_BACK: u8 = 3;
/// It is held, where that was asked about.
pub(crate) const HELD: u8 = 4;
/// Somebody has ended it.
pub(crate) const ENDED: u8 = 5;

pub(crate) fn rollout(args: &RolloutArgs) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    run(async {
        let cli = Cli::new(&args.connect)?;
        match &args.command {
            RolloutCommand::Start(start) => {
                code = cli.start_rollout(start).await?;
                Ok(())
            }
            RolloutCommand::Status(one) => cli.show(one).await,
            RolloutCommand::Watch(one) => {
                let id = cli.find(&one.which.target).await?;
                code = cli.watch(&id, one.exit_on_hold).await?;
                Ok(())
            }
            RolloutCommand::Pause(one) => cli.intervene(one, Intervention::Pause).await,
            RolloutCommand::Resume(one) => cli.intervene(one, Intervention::Resume).await,
            RolloutCommand::Advance(one) => cli.intervene(one, Intervention::Advance).await,
            RolloutCommand::Promote(promote) => cli.promote(promote).await,
            RolloutCommand::Rollback(one) => cli.intervene(one, Intervention::RollBack).await,
            RolloutCommand::Abort(one) => cli.intervene(one, Intervention::Abort).await,
        }
    })?;
    Ok(code)
}

pub(crate) fn experiment(args: &ExperimentArgs) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    run(async {
        let cli = Cli::new(&args.connect)?;
        match &args.command {
            ExperimentCommand::List { name, status } => {
                cli.list(name.as_deref(), status.as_deref()).await
            }
            ExperimentCommand::Create { file } => cli.create(file).await,
            ExperimentCommand::Show(one) => cli.show(one).await,
            ExperimentCommand::Results(one) => cli.results(one).await,
            ExperimentCommand::Events(one) => cli.events(one).await,
            ExperimentCommand::Watch(one) => {
                let id = cli.find(&one.which.target).await?;
                code = cli.watch(&id, one.exit_on_hold).await?;
                Ok(())
            }
            ExperimentCommand::Start { which, dry_run } => {
                let id = cli.find(&which.target).await?;
                let started = cli.client.start(&id, *dry_run).await?;
                cli.print(&started, || begun(&started))
            }
            ExperimentCommand::Pause(one) => cli.intervene(one, Intervention::Pause).await,
            ExperimentCommand::Resume(one) => cli.intervene(one, Intervention::Resume).await,
            ExperimentCommand::Advance(one) => cli.intervene(one, Intervention::Advance).await,
            ExperimentCommand::Promote(promote) => cli.promote(promote).await,
            ExperimentCommand::Rollback(one) => cli.intervene(one, Intervention::RollBack).await,
            ExperimentCommand::Stop(one) => cli.intervene(one, Intervention::Stop).await,
            ExperimentCommand::Abort(one) => cli.intervene(one, Intervention::Abort).await,
        }
    })?;
    Ok(code)
}

pub(crate) fn evaluate(args: &EvaluateArgs) -> anyhow::Result<ExitCode> {
    run(async {
        let cli = Cli::new(&args.connect)?;
        let weights = args.weights.iter().cloned().collect();
        let question = EvaluateRequest {
            name: args.name.clone(),
            metric: args.metric.clone(),
            weights: args.algorithm.is_none().then_some(weights),
            algorithm: args.algorithm,
            floor: args.floor,
            update_seconds: args.update_seconds,
            since: args.since.as_deref().map(crate::plan::since).transpose()?,
            until: args.until.clone(),
        };
        let reply = cli.client.evaluate(&question).await?;
        cli.print(&reply, || {
            format!(
                "{}\nshares: {}\n{} predictions, worth {:.0} of this policy's; the largest weight is {:.2}; {} \
                 left out where a version had no chance.",
                reply.summary,
                shares(&reply.weights),
                reply.predictions,
                reply.effective_sample_size,
                reply.largest_weight,
                reply.without_support
            )
        })
    })
}

fn shares(weights: &BTreeMap<String, f64>) -> String {
    let each = weights
        .iter()
        .map(|(version, share)| format!("{version} {:.1} %", 100.0 * share));
    each.collect::<Vec<_>>().join(", ")
}

pub(crate) fn run(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Runtime::new()?.block_on(work)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) struct Cli {
    pub(crate) client: Client,
    json: bool,
}

impl Cli {
    pub(crate) fn new(args: &ConnectArgs) -> anyhow::Result<Self> {
        Ok(Self {
            client: args.client()?,
            json: args.json,
        })
    }

    /// The id of a version, which is given by it or as `NAME@VERSION`.
    pub(crate) async fn id_of(&self, version: &str) -> anyhow::Result<String> {
        let Some((name, of)) = version.rsplit_once('@') else {
            return Ok(version.to_owned());
        };
        let versions = self.client.versions().await?;
        let mut own = versions.iter().filter(|version| version.name == name);
        if own.clone().next().is_none() {
            bail!("there is no model {name}; `weir models list` shows all");
        }
        let found = own.find(|version| version.version == of);
        let found = found.with_context(|| {
            format!("{name} has no version {of}; `weir models list --name {name}` shows all")
        })?;
        Ok(found.model_id.clone())
    }

    /// Whether JSON is asked for.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    pub(crate) fn print(
        &self,
        data: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            let said = serde_json::to_string_pretty(data)? + "\n";
            return Ok(crate::write(said.as_bytes())?);
        }
        say(&text())
    }

    /// The experiment that is meant: by its id, or the one that runs on a model, or the newest of the model.
    async fn find(&self, target: &str) -> anyhow::Result<String> {
        if target.starts_with("exp-") {
            return Ok(target.to_owned());
        }
        let running = [("name", target), ("status", "running")];
        for filter in [&running[..], &running[..1]] {
            if let Some(one) = self.client.experiments(filter).await?.first() {
                return Ok(one.experiment.clone());
            }
        }
        bail!("no experiment of {target} is known; `weir experiment list` shows all of them");
    }

    async fn start_rollout(&self, args: &StartRolloutArgs) -> anyhow::Result<ExitCode> {
        let mut settings = json!({});
        if !args.steps.is_empty() {
            settings["steps"] = json!(args.steps);
        }
        if !args.soak.is_empty() {
            let soak: Vec<u64> = args.soak.iter().map(|soak| soak.0).collect();
            settings["soak_seconds"] = json!(soak);
        }
        if !args.min_units.is_empty() {
            settings["min_units"] = json!(args.min_units);
        }
        if args.strict {
            settings["promotion"] = json!("strict");
        }
        settings["approval"] = json!(args.approval);
        let body: CreateExperiment = serde_json::from_value(json!({
            "name": args.name,
            "title": args.title,
            "policy": "rollout",
            "rollout": settings,
            "control": args.control,
            "candidates": [args.candidate],
            "primary_metric": args.primary,
            // The server knows the default.
            "guardrails": (!args.guardrails.is_empty()).then_some(&args.guardrails),
            "slo_ms": args.slo_ms,
        }))?;
        let started = if args.dry_run {
            self.client.try_experiment(&body).await?
        } else {
            self.start_new(&body).await?
        };
        self.print(&started, || begun(&started))?;
        if args.watch && !args.dry_run {
            let id = &started.experiment.experiment;
            return self.watch(id, args.exit_on_hold).await;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn start_new(&self, body: &CreateExperiment) -> anyhow::Result<api::StartedExperiment> {
        // What is refused is mostly found here, where it leaves nothing in the audit.
        self.client.try_experiment(body).await?;
        let draft = self.client.create_experiment(body).await?;
        match self.client.start(&draft.experiment, false).await {
            Ok(started) => Ok(started),
            Err(error) => {
                // Nothing is left behind of what was not started.
                let left = self.client.delete_experiment(&draft.experiment).await;
                if let Err(left) = left {
                    crate::talk(&format!(
                        "note: the draft {} could not be deleted: {left}",
                        draft.experiment
                    ));
                }
                Err(error.into())
            }
        }
    }

    async fn list(&self, name: Option<&str>, status: Option<&str>) -> anyhow::Result<()> {
        let filter = [("name", name), ("status", status)];
        let filter: Vec<(&str, &str)> = filter
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        let found = self.client.experiments(&filter).await?;
        self.print(&found, || listed(&found))
    }

    async fn create(&self, file: &Path) -> anyhow::Result<()> {
        let text = if file == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            text
        } else {
            std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?
        };
        let body: CreateExperiment =
            serde_json::from_str(&text).context("the file is no experiment")?;
        let draft = self.client.create_experiment(&body).await?;
        self.print(&draft, || describe(&draft))
    }

    async fn show(&self, one: &TargetArgs) -> anyhow::Result<()> {
        let id = self.find(&one.target).await?;
        let experiment = self.client.experiment(&id).await?;
        if self.json {
            return self.print(&experiment, String::new);
        }
        let filter = [("experiment", id.as_str()), ("limit", "1")];
        let latest = self.client.audit(&filter).await?.entries;
        let latest = latest.iter().map(crate::audit::entry);
        let lines = std::iter::once(status(&experiment));
        say(&lines.chain(latest).collect::<Vec<_>>().join("\nlatest: "))
    }

    async fn results(&self, one: &TargetArgs) -> anyhow::Result<()> {
        let id = self.find(&one.target).await?;
        let results = self.client.results(&id).await?;
        self.print(&results, || results::text(&results))
    }

    async fn events(&self, one: &TargetArgs) -> anyhow::Result<()> {
        let id = self.find(&one.target).await?;
        let filter = [("experiment", id.as_str()), ("limit", "1000")];
        let mut entries = self.client.audit(&filter).await?.entries;
        entries.reverse();
        self.print(&entries, || {
            let lines: Vec<String> = entries.iter().map(line).collect();
            lines.join("\n")
        })
    }

    async fn intervene(&self, one: &OneArgs, intervention: Intervention) -> anyhow::Result<()> {
        self.give(one, intervention, None).await
    }

    async fn promote(&self, args: &PromoteArgs) -> anyhow::Result<()> {
        self.give(&args.one, Intervention::Promote, args.candidate.as_deref())
            .await
    }

    async fn give(
        &self,
        one: &OneArgs,
        intervention: Intervention,
        version: Option<&str>,
    ) -> anyhow::Result<()> {
        let id = self.find(&one.which.target).await?;
        let revision = one.revision.map(|revision| revision.to_string());
        let query = [
            ("reason", one.reason.as_deref()),
            ("revision", revision.as_deref()),
            ("version", version),
        ];
        let query: Vec<(&str, &str)> = query
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        let experiment = self.client.intervene(&id, intervention, &query).await?;
        self.print(&experiment, || describe(&experiment))
    }

    /// Prints what has happened and what happens, until it has ended.
    async fn watch(&self, id: &str, exit_on_hold: bool) -> anyhow::Result<ExitCode> {
        let filter = [("experiment", id), ("after", "0")];
        let mut events = self.client.events(&filter).await?;
        while let Some(entry) = events.next().await? {
            if self.json {
                crate::write(format!("{}\n", serde_json::to_string(&entry)?).as_bytes())?;
            } else {
                say(&line(&entry))?;
            }
            match entry.action.0 {
                Action::ExperimentRolledBack => return Ok(ROLLED_BACK.into()),
                Action::ExperimentPromoted => return Ok(ExitCode::SUCCESS),
                action if action.ends_experiment() => return Ok(ENDED.into()),
                // What was held before is shown, and waits for nobody.
                Action::ExperimentHeld if exit_on_hold => {
                    let held = self.client.experiment(id).await?;
                    let held = held
                        .progress
                        .is_some_and(|progress| progress.held.is_some());
                    if held {
                        return Ok(HELD.into());
                    }
                }
                _ => {}
            }
        }
        bail!("the server ended the stream")
    }
}

/// Prints a line without what would steer a terminal.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    let line = format!("{}\n", crate::table::shown(text));
    Ok(crate::write(line.as_bytes())?)
}

/// What a start has changed, or would change.
fn begun(started: &api::StartedExperiment) -> String {
    let change = |traffic: &BTreeMap<String, f64>| {
        let each = traffic
            .iter()
            .map(|(version, percent)| format!("{version} {percent} %"));
        each.collect::<Vec<_>>().join(", ")
    };
    let what = if started.dry_run {
        "Dry run: nothing changed.".to_owned()
    } else {
        describe(&started.experiment)
    };
    format!(
        "{what}\ntraffic before: {}; after: {}",
        change(&started.traffic_before),
        change(&started.traffic_after)
    )
}

fn listed(experiments: &[Experiment]) -> String {
    if experiments.is_empty() {
        return "there are no such experiments; `weir rollout start` or `weir experiment create` makes one".into();
    }
    let row = |experiment: &Experiment| {
        let arms = experiment.arms.iter();
        let arms = arms.map(|arm| format!("{} {:.0}%", arm.version, 100.0 * arm.share));
        let progress = experiment.progress.as_ref();
        let step = progress.and_then(|progress| progress.step.zip(progress.steps));
        let step = step.map_or(String::new(), |(step, steps)| {
            format!(", step {step} of {steps}")
        });
        let held = progress.and_then(|progress| progress.held.as_ref());
        let held = held.map_or(String::new(), |held| format!(", held: {}", held.as_str()));
        let started = experiment.started_at.as_deref().unwrap_or("-");
        vec![
            experiment.experiment.clone(),
            experiment.name.clone(),
            policy(experiment).to_owned(),
            format!("{}{step}{held}", experiment.status),
            arms.collect::<Vec<_>>().join(", "),
            started.get(..16).unwrap_or(started).replace('T', " "),
            experiment.title.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = experiments.iter().map(row).collect();
    let head = [
        "experiment",
        "model",
        "policy",
        "status",
        "arms",
        "started (UTC)",
        "title",
    ];
    crate::table::fitting(&head, &rows, &["title", "started (UTC)", "policy"])
}

/// An experiment in a line.
fn describe(experiment: &Experiment) -> String {
    let arms: Vec<String> = experiment
        .arms
        .iter()
        .map(|arm| format!("{} {:.1} %", arm.version, 100.0 * arm.share))
        .collect();
    let policy = policy(experiment);
    let why = experiment.end_reason.as_ref();
    let why = why.map_or(String::new(), |why| {
        format!(" ({})", why.trim_end_matches('.'))
    });
    let progress = experiment.progress.as_ref().map_or(why, phase);
    let allowed: Vec<String> = experiment.allowed.iter().map(ToString::to_string).collect();
    let allowed = match allowed.as_slice() {
        [] => String::new(),
        some => format!(" (takes: {})", some.join(", ")),
    };
    format!(
        "{} {} {policy} {}{progress}: {}{allowed}, revision {}",
        experiment.experiment,
        experiment.name,
        experiment.status,
        arms.join(", "),
        experiment.revision
    )
}

/// Where an experiment is, in some lines.
fn status(experiment: &Experiment) -> String {
    let title = if experiment.title.is_empty() {
        String::new()
    } else {
        format!(" ({})", experiment.title)
    };
    let progress = experiment.progress.as_ref();
    let at = progress.map_or(String::new(), |progress| {
        let step = progress.step.zip(progress.steps);
        let step = step.map_or(String::new(), |(step, steps)| {
            format!(", step {step} of {steps}")
        });
        format!(", {}{step}", progress.phase)
    });
    let mut lines = vec![format!(
        "{}{title}, {} on {}: {}{at}, revision {}",
        experiment.experiment,
        policy(experiment),
        experiment.name,
        experiment.status,
        experiment.revision
    )];
    lines.extend(experiment.arms.iter().map(|arm| {
        let control = if arm.role.0 == types::ArmRole::Control {
            " (control)"
        } else {
            ""
        };
        format!("  {}{control}: {:.1} %", arm.version, 100.0 * arm.share)
    }));
    lines.extend(
        progress
            .and_then(missing)
            .map(|missing| format!("waits for: {missing}")),
    );
    lines.extend(
        progress.and_then(|progress| Some(format!("winner: {}", progress.winner.as_ref()?))),
    );
    lines.extend(
        experiment
            .end_reason
            .as_ref()
            .map(|why| format!("ended: {why}")),
    );
    let allowed: Vec<String> = experiment.allowed.iter().map(ToString::to_string).collect();
    if !allowed.is_empty() {
        lines.push(format!("takes: {}", allowed.join(", ")));
    }
    lines.join("\n")
}

/// What a step of a rollout waits for, and for how long.
fn missing(progress: &Progress) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(held) = &progress.held {
        parts.push(format!("an end of what holds it ({})", held.as_str()));
    }
    if let Some((soaked, soak)) = progress.soaked_seconds.zip(progress.soak_seconds)
        && soaked < soak as f64
    {
        parts.push(format!("time ({soaked:.0} of {soak} s observed)"));
    }
    if let Some((units, needed)) = progress.units.zip(progress.min_units)
        && units < needed
    {
        parts.push(format!("units ({} of {})", grouped(units), grouped(needed)));
    }
    let watched = [
        (
            Wait::Burst,
            "the end of a burst of bad events (5 minutes without one)",
        ),
        (Wait::Proof, "proof that the candidate is not much worse"),
    ];
    let watched = watched
        .iter()
        .filter(|(wait, _)| progress.waits_for.contains(wait));
    parts.extend(watched.map(|(_, text)| (*text).to_owned()));
    let left = progress.seconds_left.filter(|left| *left > 0.0);
    let left = left.map_or(String::new(), |left| format!(", about {}", lasting(left)));
    (!parts.is_empty()).then(|| parts.join(" and ") + &left)
}

fn grouped(number: u64) -> String {
    judge::words::thousands(number as f64)
}

/// A length of time as people say it.
pub(crate) fn lasting(seconds: f64) -> String {
    match seconds {
        ..90.0 => format!("{seconds:.0} s"),
        ..5400.0 => format!("{:.0} min", seconds / 60.0),
        ..129_600.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

fn policy(experiment: &Experiment) -> &'static str {
    match experiment.policy {
        api::Policy::Fixed => "fixed",
        api::Policy::Rollout => "rollout",
        api::Policy::Bandit => "bandit",
    }
}

fn phase(progress: &Progress) -> String {
    let mut text = format!(", {}", progress.phase);
    if let Some(held) = &progress.held {
        text.push_str(&format!(" for {}", held.as_str()));
    }
    if let Some((step, steps)) = progress.step.zip(progress.steps) {
        text.push_str(&format!(", step {step} of {steps}"));
    }
    if let Some((soaked, soak)) = progress.soaked_seconds.zip(progress.soak_seconds) {
        text.push_str(&format!(", {soaked:.0} of {soak} s"));
    }
    // Until the first look nobody knows how many it needs.
    if let Some((units, needed)) = progress.units.zip(progress.min_units)
        && needed > 0
    {
        text.push_str(&format!(", {units} of {needed} units"));
    }
    if let Some(winner) = &progress.winner {
        text.push_str(&format!(", winner {winner}"));
    }
    text
}

/// An event in a line.
pub(crate) fn line(entry: &AuditEntry) -> String {
    let action = entry.action.0.as_str().trim_start_matches("experiment.");
    let at = entry.at.get(..19).unwrap_or(&entry.at);
    format!("{at} {action:<12}{}", change(entry))
}

/// The new weights of an entry and what they were decided by, where it has them.
pub(crate) fn change(entry: &AuditEntry) -> String {
    let of_settings = ["privacy.set", "retention.set", "metric.set"];
    let action = entry.action.0.as_str();
    let to = entry.detail["to"].as_object();
    let weights = to.filter(|to| !to.is_empty() && !of_settings.contains(&action));
    let weights = weights.map(|to| {
        let each = to.iter().map(|(version, percent)| {
            format!("{version} {:.1} %", percent.as_f64().unwrap_or_default())
        });
        format!(" [{}]", each.collect::<Vec<_>>().join(", "))
    });
    let set = to.filter(|_| of_settings.contains(&action)).map(|to| {
        let from = &entry.detail["from"];
        let changed = to
            .iter()
            .filter(|(key, value)| from[key.as_str()] != **value);
        let each = changed.map(|(key, value)| format!("{key} {value}"));
        format!(" [{}]", each.collect::<Vec<_>>().join(", "))
    });
    let weights = weights.or(set).or_else(|| {
        let about = ["erasure", "metric", "alias", "webhook", "key"];
        let mut about = about.iter().filter_map(|what| entry.detail[*what].as_str());
        Some(format!(" {}", about.next()?))
    });
    let why = entry.detail["because"].as_str();
    let why = why.map_or(String::new(), |why| format!(" {why}"));
    weights.unwrap_or_default() + &why
}
