//! `weir traffic`, `weir rules`, `weir aliases`: who gets which version of a model.

use crate::args::{
    AliasesArgs, AliasesCommand, RulesArgs, RulesCommand, TrafficArgs, TrafficCommand,
};
use crate::control::{Cli, run};
use crate::table::{percent, table};
use api::{Alias, Rules, SetAlias, SetRules, SetTraffic, Traffic};
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;

pub(crate) fn traffic(args: &TrafficArgs) -> anyhow::Result<ExitCode> {
    run(async {
        let cli = Cli::new(&args.connect)?;
        match &args.command {
            TrafficCommand::Show { name } => {
                let traffic = cli.client.traffic(name).await?;
                cli.print(&traffic, || split(&traffic))
            }
            TrafficCommand::Set {
                name,
                weights,
                revision,
                fallback,
                takeover,
                dry_run,
            } => {
                let weights: BTreeMap<String, f64> = weights.iter().cloned().collect();
                if *dry_run {
                    let before = cli.client.traffic(name).await?;
                    let said = json!({"dry_run": true, "before": before, "weights": weights});
                    return cli.print(&said, || {
                        let after = weights
                            .iter()
                            .map(|(version, weight)| format!("{version} {weight} %"));
                        format!(
                            "Dry run: nothing changed.\n{}\nafter: {}",
                            split(&before),
                            after.collect::<Vec<_>>().join(", ")
                        )
                    });
                }
                let body = SetTraffic {
                    revision: *revision,
                    weights,
                    fallback: *fallback,
                    takeover: *takeover,
                };
                let traffic = cli.client.set_traffic(name, &body).await?;
                cli.print(&traffic, || split(&traffic))
            }
        }
    })
}

fn split(traffic: &Traffic) -> String {
    let row = |version: &api::TrafficShare| {
        vec![
            version.version.clone(),
            version.model_id.clone(),
            version.status.to_string(),
            percent(version.traffic_percent),
            format!("{:.1}%", 100.0 * version.share),
        ]
    };
    let rows: Vec<Vec<String>> = traffic.versions.iter().map(row).collect();
    let mut lines = vec![format!("{}, revision {}", traffic.name, traffic.revision)];
    if rows.is_empty() {
        lines.push("no version answers; `weir models activate MODEL_ID 100` activates one".into());
    } else {
        let head = [
            "version",
            "model_id",
            "status",
            "weight",
            "share of requests",
        ];
        lines.push(table(&head, &rows));
    }
    let experiment = traffic.experiment.as_ref();
    lines.extend(experiment.map(|id| format!("the experiment {id} sets the weights")));
    lines.extend(
        traffic
            .warning
            .iter()
            .map(|warning| format!("warning: {warning}")),
    );
    lines.join("\n")
}

pub(crate) fn rules(args: &RulesArgs) -> anyhow::Result<ExitCode> {
    run(async {
        let cli = Cli::new(&args.connect)?;
        let rules = match &args.command {
            RulesCommand::List { name } => cli.client.rules(name).await?,
            RulesCommand::Set {
                name,
                rules,
                revision,
            } => {
                let body = SetRules {
                    revision: *revision,
                    rules: rules.clone(),
                };
                cli.client.set_rules(name, &body).await?
            }
            RulesCommand::Clear { name } => {
                let none = SetRules {
                    revision: None,
                    rules: Vec::new(),
                };
                cli.client.set_rules(name, &none).await?
            }
        };
        cli.print(&rules, || in_order(&rules))
    })
}

fn in_order(rules: &Rules) -> String {
    if rules.rules.is_empty() {
        return format!(
            "{0} has no rules; `weir rules set {0} 'beta = true -> 2.0.0'` makes one",
            rules.name
        );
    }
    let row = |(rule, place): (&api::Rule, usize)| {
        let rests = if rule.rests {
            "no: the version gets no traffic"
        } else {
            "yes"
        };
        vec![
            place.to_string(),
            rule.when.clone(),
            rule.model_version.clone(),
            rests.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = rules.rules.iter().zip(1..).map(row).collect();
    table(&["rule", "when", "version", "in effect"], &rows)
}

pub(crate) fn aliases(args: &AliasesArgs) -> anyhow::Result<ExitCode> {
    run(async {
        let cli = Cli::new(&args.connect)?;
        match &args.command {
            AliasesCommand::List { name } => {
                let aliases = cli.client.aliases(name).await?;
                cli.print(&aliases, || names(name, &aliases))
            }
            AliasesCommand::Set {
                name,
                alias,
                version,
            } => {
                let body = SetAlias {
                    version: version.clone(),
                };
                let alias = cli.client.set_alias(name, alias, &body).await?;
                cli.print(&alias, || {
                    format!(
                        "@{} of {} is version {}",
                        alias.alias, alias.name, alias.version
                    )
                })
            }
            AliasesCommand::Delete { name, alias } => {
                let said = cli.client.delete_alias(name, alias).await?;
                cli.print(&said, || said.message.clone())
            }
        }
    })
}

fn names(model: &str, aliases: &[Alias]) -> String {
    if aliases.is_empty() {
        return format!(
            "{model} has no aliases; `weir aliases set {model} champion VERSION` makes one"
        );
    }
    let row = |alias: &Alias| {
        let since = alias.updated_at.get(..16).unwrap_or(&alias.updated_at);
        vec![
            format!("@{}", alias.alias),
            alias.version.clone(),
            alias.model_id.clone(),
            since.replace('T', " "),
        ]
    };
    let rows: Vec<Vec<String>> = aliases.iter().map(row).collect();
    table(&["alias", "version", "model_id", "since (UTC)"], &rows)
}
