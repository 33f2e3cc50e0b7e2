//! `weir audit`: what was changed, whether the audit is whole, and what served at a moment.

use crate::args::{AuditArgs, AuditAtArgs, AuditCommand, AuditListArgs, AuditVerifyArgs};
use crate::control::{Cli, say};
use api::{AuditEntry, Author, ClientError, ErrorCode, Traffic};
use serde_json::json;
use std::collections::BTreeSet;
use std::process::ExitCode;

pub(crate) fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        AuditCommand::Verify(verify) => whole(verify),
        AuditCommand::At(at) => crate::control::run(served(at)),
        AuditCommand::List(list) => crate::control::run(latest(list)),
    }
}

async fn latest(args: &AuditListArgs) -> anyhow::Result<()> {
    let cli = Cli::new(&args.connect)?;
    let limit = args.limit.to_string();
    let mut filter = vec![("limit", limit.as_str())];
    filter.extend(args.name.as_deref().map(|name| ("name", name)));
    let mut entries = cli.client.audit(&filter).await?.entries;
    entries.reverse();
    cli.print(&entries, || match entries.as_slice() {
        [] => "nothing was changed".into(),
        entries => entries.iter().map(entry).collect::<Vec<_>>().join("\n"),
    })
}

/// An entry in one line, with who did it.
pub(crate) fn entry(entry: &AuditEntry) -> String {
    let at = entry.at.get(..19).unwrap_or(&entry.at);
    let action = entry.action.0.as_str();
    let on = entry.name.as_deref().unwrap_or("(server)");
    let version = entry.version.as_ref();
    let version = version.map_or(String::new(), |version| format!(" {version}"));
    let what = crate::control::change(entry);
    let by = by(entry.author.as_ref());
    let why = entry.author.as_ref().and_then(|author| {
        let why = author.reason.as_deref();
        why.filter(|why| entry.detail["because"] != **why)
    });
    let why = why.map_or(String::new(), |why| format!(": {why}"));
    format!("{at}  {action}  {on}{version}{what}  {by}{why}")
}

fn by(author: Option<&Author>) -> String {
    let Some(author) = author else {
        return "by the server".into();
    };
    let who = author.user.as_ref().or(author.key_id.as_ref());
    let who = who.map_or("a caller without a key", String::as_str);
    let from = author.address.as_ref();
    let from = from.map_or(String::new(), |address| format!(" from {address}"));
    format!("by {who}{from}")
}

fn whole(args: &AuditVerifyArgs) -> anyhow::Result<ExitCode> {
    let known = args.expect.as_ref().map(types::ContentHash::as_str);
    let report = store::verify_audit(&args.data_dir, known)?;
    let clean = report.problems.is_empty();
    if args.json {
        let said = json!({
            "clean": clean,
            "entries": report.audit_entries,
            "chain": report.audit_chain,
            "problems": report.problems,
        });
        say(&said.to_string())?;
    } else {
        for problem in &report.problems {
            say(problem)?;
        }
        let verdict = if clean { "whole" } else { "NOT WHOLE" };
        say(&format!(
            "{verdict}: {} entries of the audit, whose chain ends in\n{}",
            report.audit_entries, report.audit_chain
        ))?;
    }
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn served(args: &AuditAtArgs) -> anyhow::Result<()> {
    let cli = Cli::new(&args.connect)?;
    let names = match &args.name {
        Some(name) => BTreeSet::from([name.clone()]),
        None => {
            let versions = cli.client.versions().await?.into_iter();
            versions.map(|version| version.name).collect()
        }
    };
    let at = args.at.to_string();
    let mut found = Vec::new();
    for name in &names {
        match cli.client.traffic_at(name, &at).await {
            Ok(traffic) => found.push(traffic),
            // It came later.
            Err(ClientError::Refused(problem))
                if problem.code == ErrorCode::ModelNotFound && args.name.is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
    cli.print(&found, || match found.as_slice() {
        [] => format!("no model is known to have served at {at}"),
        models => models.iter().map(shown).collect::<Vec<_>>().join("\n"),
    })
}

fn shown(traffic: &Traffic) -> String {
    let shares = traffic
        .versions
        .iter()
        .filter(|version| version.share > 0.0);
    let shares =
        shares.map(|version| format!("{} {:.1} %", version.version, 100.0 * version.share));
    let shares: Vec<String> = shares.collect();
    let shares = match shares.as_slice() {
        [] => "no version was active".into(),
        shares => shares.join(", "),
    };
    let by = traffic.experiment.as_ref();
    let by = by.map_or(String::new(), |id| format!("; the experiment {id} ran"));
    format!("{}: {shares}{by}", traffic.name)
}
