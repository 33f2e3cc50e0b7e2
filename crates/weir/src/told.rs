//! `weir feedback`: what became of predictions and units.

use crate::args::{FeedbackArgs, FeedbackCommand, SendFeedbackArgs};
use crate::control::{Cli, run};
use crate::load;
use anyhow::ensure;
use api::Feedback;
use std::process::ExitCode;
use types::Json;

pub(crate) fn feedback(args: &FeedbackArgs) -> anyhow::Result<ExitCode> {
    let mut refused = 0;
    run(async {
        let cli = Cli::new(&args.connect)?;
        match &args.command {
            FeedbackCommand::Send(send) => one(&cli, send).await,
            FeedbackCommand::Load(args) => {
                refused = load::feedback(&cli, args).await?;
                Ok(())
            }
            FeedbackCommand::Export(args) => crate::predictions::export_feedback(&cli, args).await,
        }
    })?;
    Ok(load::exit(refused))
}

async fn one(cli: &Cli, args: &SendFeedbackArgs) -> anyhow::Result<()> {
    // A label may be any JSON; a word that is none is a text.
    let label = args.label.as_ref();
    let label = label.map(|text| load::json_or_text(text));
    let value = Feedback {
        prediction_id: args.prediction_id.clone(),
        request_id: args.request_id.clone(),
        unit_id: args.unit_id.clone(),
        name: args.name.clone(),
        label: label.filter(|label| *label != Json::default()),
        metric: args.metric.clone(),
        value: args.value.map(Into::into),
        at: args.at.clone(),
        outcome_id: args.outcome_id.clone(),
        replace: args.replace,
    };
    let reply = cli.client.feedback(&[value]).await?;
    let reply = load::settled(cli, 1, reply).await?;
    cli.print(&reply, || {
        let counts = [
            (reply.recorded, "recorded"),
            (reply.duplicate, "known already"),
            (reply.replaced, "in the place of another value"),
            (reply.unmatched, "kept until its prediction is seen, or its unit meets an experiment that counts the metric"),
            (reply.dropped, "dropped: its version is deleted"),
            (reply.set_aside, "set aside by the database"),
        ];
        let said = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(_, what)| *what);
        let said: Vec<&str> = said.collect();
        let mut said: Vec<String> = said.into_iter().map(str::to_owned).collect();
        said.extend(reply.errors.iter().map(|error| error.detail.clone()));
        let warnings = reply.receipts.iter().filter_map(|receipt| receipt.warning.as_ref());
        said.extend(warnings.map(|warning| format!("warning: {warning}")));
        said.join("\n")
    })?;
    ensure!(reply.errors.is_empty(), "the value was refused");
    Ok(())
}
