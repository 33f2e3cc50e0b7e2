//! `weir webhooks`: who is told of what happens.

use crate::args::{CreateWebhookArgs, WebhooksArgs, WebhooksCommand};
use crate::control::{Cli, run};
use crate::table::table;
use anyhow::Context;
use api::{CreateWebhook, Webhook};
use std::process::ExitCode;

pub(crate) fn webhooks(args: &WebhooksArgs) -> anyhow::Result<ExitCode> {
    run(async {
        let cli = Cli::new(&args.connect)?;
        match &args.command {
            WebhooksCommand::List => {
                let webhooks = cli.client.webhooks().await?;
                cli.print(&webhooks, || list(&webhooks))
            }
            WebhooksCommand::Create(create) => {
                let webhook = cli.client.create_webhook(&wanted(create)?).await?;
                cli.print(&webhook, || created(&webhook))
            }
            WebhooksCommand::Test { webhook } => {
                let answer = cli.client.test_webhook(webhook).await?;
                cli.print(&answer, || answer.message.clone())?;
                anyhow::ensure!(answer.delivered, "the test event was not delivered");
                Ok(())
            }
            WebhooksCommand::Delete { webhook } => {
                let said = cli.client.delete_webhook(webhook).await?;
                cli.print(&said, || said.message.clone())
            }
        }
    })
}

fn wanted(args: &CreateWebhookArgs) -> anyhow::Result<CreateWebhook> {
    let key = args.routing_key_file.as_ref();
    let key = key.map(|path| {
        std::fs::read_to_string(path)
            .map(|key| key.trim().to_owned())
            .with_context(|| format!("the routing key {}", path.display()))
    });
    Ok(CreateWebhook {
        url: args.address.clone(),
        name: args.name.clone(),
        secret: key.transpose()?,
        events: args.events.clone(),
        format: serde_json::from_value(args.format.clone().into())
            .context("--format must be json, slack or pagerduty")?,
    })
}

fn created(webhook: &Webhook) -> String {
    let secret = webhook.secret.as_ref();
    let secret = secret.map_or(String::new(), |secret| {
        format!("\nits secret is shown this once: {secret}")
    });
    format!(
        "{} posts to {}; `weir webhooks test {}` tries it{secret}",
        webhook.webhook, webhook.url, webhook.webhook
    )
}

fn list(webhooks: &[Webhook]) -> String {
    if webhooks.is_empty() {
        return "there are no webhooks; `weir webhooks create URL` makes one".into();
    }
    let row = |webhook: &Webhook| {
        let state = match &webhook.last_error {
            Some(error) => format!("failing ({} attempts): {error}", webhook.attempts),
            None => "ok".to_owned(),
        };
        let events = if webhook.events.is_empty() {
            "all".to_owned()
        } else {
            webhook.events.join(", ")
        };
        vec![
            webhook.webhook.clone(),
            webhook.url.clone(),
            webhook.name.clone().unwrap_or_else(|| "all".into()),
            webhook.format.to_string(),
            events,
            state,
        ]
    };
    let rows: Vec<Vec<String>> = webhooks.iter().map(row).collect();
    table(
        &[
            "webhook",
            "address",
            "model",
            "format",
            "events",
            "deliveries",
        ],
        &rows,
    )
}
