//! `weir models`, `weir predict`, `weir report`: versions of a running server, and what they do.

use crate::args::{
    ModelsArgs, ModelsCommand, PredictArgs, RegisterArgs, ReportArgs, ShadowReportArgs,
};
use crate::control::{Cli, run};
use crate::table::{fitting, percent, table};
use anyhow::{Context, ensure};
use api::{
    PatchVersion, PredictRequest, RegisterVersion, SetShadow, ShadowPairs, ShadowReport, Version,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read;
use std::process::ExitCode;
use types::{HttpSpec, Json, RuntimeSpec};

pub(crate) fn models(args: &ModelsArgs) -> anyhow::Result<ExitCode> {
    run(async {
        let cli = Cli::new(&args.connect)?;
        match &args.command {
            ModelsCommand::List { name } => {
                let mut versions = cli.client.versions().await?;
                versions.retain(|version| name.as_ref().is_none_or(|name| *name == version.name));
                versions.sort_by(|a, b| (&a.name, &a.created_at).cmp(&(&b.name, &b.created_at)));
                cli.print(&versions, || list(&versions))
            }
            ModelsCommand::Register(register) => {
                let version = cli.client.register(&registered(register)?).await?;
                cli.print(&version, || {
                    format!(
                        "{} is version {} of {}; `weir models activate {} 100` gives it the traffic",
                        version.model_id, version.version, version.name, version.model_id
                    )
                })
            }
            ModelsCommand::Show { model_id } => {
                let version = cli.client.version(&cli.id_of(model_id).await?).await?;
                cli.print(&version, || shown(&version))
            }
            ModelsCommand::Activate {
                model_id,
                traffic_percent,
            } => {
                let version = cli
                    .client
                    .activate(&cli.id_of(model_id).await?, *traffic_percent)
                    .await?;
                cli.print(&version, || weighted(&version))
            }
            ModelsCommand::Deactivate { model_id } => {
                let version = cli.client.deactivate(&cli.id_of(model_id).await?).await?;
                cli.print(&version, || weighted(&version))
            }
            ModelsCommand::Update {
                model_id,
                status,
                description,
                tags,
            } => {
                let body = json!({
                    "status": status,
                    "description": description,
                    "tags": (!tags.is_empty()).then(|| {
                        tags.iter().cloned().collect::<BTreeMap<String, String>>()
                    }),
                });
                let body: PatchVersion = serde_json::from_value(body)?;
                let version = cli
                    .client
                    .patch_version(&cli.id_of(model_id).await?, &body)
                    .await?;
                cli.print(&version, || weighted(&version))
            }
            ModelsCommand::Delete { model_id } => {
                let said = cli
                    .client
                    .delete_version(&cli.id_of(model_id).await?)
                    .await?;
                cli.print(&said, || said.message.clone())
            }
            ModelsCommand::Shadow { model_id, percent } => {
                let body = SetShadow { percent: *percent };
                let version = cli
                    .client
                    .set_shadow(&cli.id_of(model_id).await?, &body)
                    .await?;
                cli.print(&version, || {
                    format!(
                        "version {} of {} gets copies of {} % of the requests",
                        version.version, version.name, version.shadow_percent
                    )
                })
            }
            ModelsCommand::ShadowReport(report) => {
                let found = shadow_report(&cli, report).await?;
                cli.print(&found, || pairs(&found))
            }
        }
    })
}

fn list(versions: &[Version]) -> String {
    if versions.is_empty() {
        return "no version is registered; `weir models register --name NAME --model-version VERSION` registers one".into();
    }
    let row = |version: &Version| {
        let state = match (&version.broken, &version.refusing) {
            (Some(_), _) => "broken".to_owned(),
            (None, Some(_)) => "refusing".to_owned(),
            (None, None) => version.status.to_string(),
        };
        let shadow = version.shadow_percent;
        vec![
            version.name.clone(),
            version.version.clone(),
            version.model_id.clone(),
            state,
            percent(version.traffic_percent),
            if shadow > 0.0 {
                percent(shadow)
            } else {
                "-".to_owned()
            },
            version.runtime.as_ref().map_or("-".to_owned(), |runtime| {
                let kind = serde_json::to_value(runtime).unwrap_or(Value::Null);
                kind["type"].as_str().unwrap_or("-").to_owned()
            }),
            version
                .created_at
                .get(..16)
                .unwrap_or_default()
                .replace('T', " "),
        ]
    };
    let rows: Vec<Vec<String>> = versions.iter().map(row).collect();
    let head = [
        "name",
        "version",
        "model_id",
        "status",
        "traffic",
        "shadow",
        "runtime",
        "registered (UTC)",
    ];
    // The id is what other commands ask for.
    fitting(
        &head,
        &rows,
        &["registered (UTC)", "shadow", "runtime", "traffic"],
    )
}

fn registered(args: &RegisterArgs) -> anyhow::Result<RegisterVersion> {
    let runtime = match (&args.service, &args.runtime) {
        (Some(url), _) => {
            let mut http = HttpSpec::to(url);
            if let Some(probe) = &args.probe {
                http.probe = Json::parse(probe.clone()).context("--probe is no JSON")?;
            }
            http.confidence_pointer.clone_from(&args.confidence_pointer);
            Some(RuntimeSpec::Http(Box::new(http)))
        }
        (None, Some(text)) => {
            // The values of a list would be taken for fields in their order.
            ensure!(
                text.trim_start().starts_with('{'),
                "--runtime must be a JSON object"
            );
            Some(serde_json::from_str(text).context("--runtime is not valid")?)
        }
        (None, None) => None,
    };
    Ok(RegisterVersion {
        name: args.name.clone(),
        version: args.version.clone(),
        accuracy: args.accuracy,
        description: args.description.clone(),
        runtime,
        tags: None,
    })
}

/// All that is known of a version, a line for each.
fn shown(version: &Version) -> String {
    let fields = serde_json::to_value(version).unwrap_or_default();
    let fields = fields.as_object().into_iter().flatten();
    let known = fields.filter(|(_, value)| !value.is_null());
    let line = |(name, value): (&String, &Value)| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        format!("{name:<18} {value}")
    };
    known.map(line).collect::<Vec<_>>().join("\n")
}

fn weighted(version: &Version) -> String {
    let mut said = format!(
        "version {} of {} is {} with a weight of {} %",
        version.version, version.name, version.status, version.traffic_percent
    );
    if let Some(warning) = &version.warning {
        said.push_str(&format!("\nwarning: {warning}"));
    }
    said
}

pub(crate) fn predict(args: &PredictArgs) -> anyhow::Result<ExitCode> {
    run(async {
        let cli = Cli::new(&args.connect)?;
        let text = match args.text.as_deref() {
            Some("-") => {
                let mut text = String::new();
                std::io::stdin()
                    .read_to_string(&mut text)
                    .context("standard input")?;
                Some(text.trim_end_matches('\n').to_owned())
            }
            text => text.map(str::to_owned),
        };
        let inputs = args.inputs.clone().map(types::Json::parse).transpose();
        let attribute = |(name, text): &(String, String)| {
            let value: Value = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
            (name.clone(), value)
        };
        let attributes: Vec<(String, Value)> = args.attributes.iter().map(attribute).collect();
        let request = PredictRequest {
            text,
            inputs: inputs.context("--inputs")?,
            name: args.name.clone(),
            model_version: args.model_version.clone(),
            unit_id: args.unit_id.clone(),
            attributes: (!attributes.is_empty()).then_some(types::Members(attributes)),
            request_id: args.request_id.clone(),
        };
        let reply = cli.client.predict(&request).await?;
        cli.print(&reply, || {
            let confidence = reply.confidence;
            let sure = confidence.map_or(String::new(), |sure| format!(", confidence {sure:.3}"));
            let served = if reply.served_model_id == reply.model_id {
                String::new()
            } else {
                format!(", answered by {} in its place", reply.served_model_id)
            };
            format!(
                "{}\nversion {} of {}{sure}, {:.2} ms{served}\n{}",
                reply.prediction.as_str(),
                reply.model_version,
                reply.name,
                reply.latency_ms,
                reply.prediction_id
            )
        })
    })
}

pub(crate) fn report(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    run(async {
        let cli = Cli::new(&args.connect)?;
        let query = [
            ("name", &args.name),
            ("since", &args.since),
            ("until", &args.until),
        ];
        let query: Vec<(&str, &str)> = query
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
            .collect();
        if let Some(positive) = &args.positive {
            let mut query = query;
            query.push(("positive", positive.as_str()));
            let found = cli.client.classification(&query).await?;
            return cli.print(&found, || classes(&found));
        }
        let report = cli.client.report(&query).await?;
        cli.print(&report, || {
            let row = |of: &api::VersionPerformance| {
                let ms = |value: Option<f64>| value.map_or("-".to_owned(), |ms| format!("{ms:.2}"));
                let share = |count: u64| {
                    if of.request_count == 0 {
                        return "-".to_owned();
                    }
                    format!("{:.2}%", 100.0 * count as f64 / of.request_count as f64)
                };
                vec![
                    of.name.clone(),
                    of.version.clone(),
                    of.status.to_string(),
                    percent(of.traffic_percent),
                    of.request_count.to_string(),
                    share(of.error_count),
                    ms(of.p50_latency_ms),
                    ms(of.p95_latency_ms),
                    ms(of.p99_latency_ms),
                    of.measured_accuracy
                        .map_or("-".to_owned(), |right| format!("{:.1}%", 100.0 * right)),
                    of.labelled_count.to_string(),
                ]
            };
            let rows: Vec<Vec<String>> = report.models.iter().map(row).collect();
            let head = [
                "name", "version", "status", "traffic", "requests", "errors", "p50 ms", "p95 ms",
                "p99 ms", "accuracy", "labels",
            ];
            let spare = ["traffic", "p50 ms", "p99 ms", "status", "labels"];
            let mut lines = vec![fitting(&head, &rows, &spare)];
            let said = report.recommendations.iter();
            lines.extend(said.map(|said| format!("{}: {}", said.name, said.recommendation)));
            lines.join("\n")
        })
    })
}

fn classes(found: &api::Classification) -> String {
    if found.versions.is_empty() {
        return format!("no prediction of {} has a label yet", found.name);
    }
    let share = |share: Option<f64>, interval: Option<&api::Interval>| {
        let Some(share) = share else {
            return "-".to_owned();
        };
        let ends = interval.and_then(|ends| ends.lower.zip(ends.upper));
        let ends = ends.map_or(String::new(), |(lower, upper)| {
            format!(" ({:.1} to {:.1})", 100.0 * lower, 100.0 * upper)
        });
        format!("{:.1}%{ends}", 100.0 * share)
    };
    let row = |of: &api::VersionClassification| {
        vec![
            of.version.clone(),
            of.labelled.to_string(),
            share(of.precision, of.precision_interval.as_ref()),
            share(of.recall, of.recall_interval.as_ref()),
            share(of.f1, None),
            of.true_positives.to_string(),
            of.false_positives.to_string(),
            of.false_negatives.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = found.versions.iter().map(row).collect();
    let head = [
        "version",
        "labels",
        "precision",
        "recall",
        "F1",
        "found",
        "false alarms",
        "missed",
    ];
    format!(
        "{} as {}\n{}",
        found.name,
        found.positive,
        table(&head, &rows)
    )
}

async fn shadow_report(cli: &Cli, args: &ShadowReportArgs) -> anyhow::Result<ShadowReport> {
    let query = [("since", &args.since), ("until", &args.until)];
    let query: Vec<(&str, &str)> = query
        .iter()
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
        .collect();
    Ok(cli
        .client
        .shadow_report(&cli.id_of(&args.model_id).await?, &query)
        .await?)
}

/// Both sides of the pairs, and what the labels say.
fn pairs(found: &ShadowReport) -> String {
    if found.all.pairs == 0 {
        return format!(
            "version {} has answered no copies yet; `weir models shadow {} 10` sends it copies of 10 % of the requests",
            found.model_version, found.model_id
        );
    }
    let milliseconds = |value: Option<f64>| value.map_or("-".to_owned(), |ms| format!("{ms:.2}"));
    let agreed =
        |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.1}%", 100.0 * share));
    let row = |beside: &str, of: &ShadowPairs| {
        vec![
            beside.to_owned(),
            of.pairs.to_string(),
            agreed(of.agreement),
            of.answered.errors.to_string(),
            of.shadow.errors.to_string(),
            milliseconds(of.answered.p50_latency_ms),
            milliseconds(of.shadow.p50_latency_ms),
            of.labelled.to_string(),
            of.accuracy_difference
                .map_or("-".to_owned(), |more| format!("{:+.1}%", 100.0 * more)),
            of.p_value.map_or("-".to_owned(), |p| format!("{p:.2}")),
        ]
    };
    let mut rows = vec![row("all", &found.all)];
    if found.by_version.len() > 1 {
        let each = found.by_version.iter();
        rows.extend(each.map(|beside| row(&beside.model_version, &beside.pairs)));
    }
    let head = [
        "beside",
        "copies",
        "agreed",
        "errors",
        "its errors",
        "p50 ms",
        "its p50",
        "labels",
        "more right",
        "p",
    ];
    format!(
        "the newest {} copies that version {} got, beside what callers got ({} copies were left out)\n{}",
        found.all.pairs,
        found.model_version,
        found.dropped,
        table(&head, &rows)
    )
}
