//! `weir journal`: entries of the log that the database of a running server did not take.

use crate::args::{JournalArgs, JournalCommand};
use crate::control::Cli;
use std::process::ExitCode;

pub(crate) fn run(args: &JournalArgs) -> anyhow::Result<ExitCode> {
    crate::control::run(async {
        let cli = Cli::new(&args.connect)?;
        match &args.command {
            JournalCommand::List => list(&cli).await,
            JournalCommand::Retry => retry(&cli).await,
        }
    })
}

async fn list(cli: &Cli) -> anyhow::Result<()> {
    let mut entries = Vec::new();
    let mut after = Some(0);
    while let Some(position) = after {
        let page = cli.client.set_aside(position).await?;
        after = page.next_after;
        entries.extend(page.entries);
    }
    cli.print(&entries, || {
        if entries.is_empty() {
            return "nothing is set aside".into();
        }
        let line = |entry: &api::SetAside| {
            format!(
                "position {}, {} bytes, set aside at {}: {}",
                entry.position, entry.bytes, entry.set_aside_at, entry.reason
            )
        };
        entries.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

async fn retry(cli: &Cli) -> anyhow::Result<()> {
    let retried = cli.client.retry_set_aside().await?;
    cli.print(&retried, || {
        format!(
            "{} stored, {} still set aside",
            retried.stored, retried.set_aside
        )
    })
}
