//! `weir audit`: whether the audit is whole, and what served at a moment.

use crate::args::{AuditArgs, AuditAtArgs, AuditCommand, AuditVerifyArgs};
use crate::control::{Cli, say};
use api::{ClientError, ErrorCode, Traffic};
use serde_json::json;
use std::collections::BTreeSet;
use std::process::ExitCode;

pub(crate) fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        AuditCommand::Verify(verify) => whole(verify),
        AuditCommand::At(at) => crate::control::run(served(at)),
    }
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
