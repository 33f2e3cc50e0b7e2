//! `weir keys`: who may call a server.

use crate::args::{CreateKeyArgs, KeysArgs, KeysCommand};
use crate::control::Cli;
use api::{CreateKey, Key, RotateKey};
use server::{Clock, Config};
use std::path::Path;
use std::process::ExitCode;
use types::Timestamp;

pub(crate) fn run(args: &KeysArgs) -> anyhow::Result<ExitCode> {
    crate::control::run(async {
        if let KeysCommand::Create(CreateKeyArgs {
            data_dir: Some(directory),
            ..
        }) = &args.command
        {
            return beside(directory).await;
        }
        let cli = Cli::new(&args.connect)?;
        match &args.command {
            KeysCommand::Create(create) => {
                let key = cli.client.create_key(&asked(create)).await?;
                cli.print(&key, || shown(&key))
            }
            KeysCommand::List => {
                let keys = cli.client.keys().await?;
                cli.print(&keys, || listed(&keys))
            }
            KeysCommand::Rotate(rotate) => {
                let overlap = RotateKey {
                    overlap_seconds: Some(rotate.overlap_hours * 3600),
                };
                let key = cli.client.rotate_key(&rotate.key, &overlap).await?;
                cli.print(&key, || shown(&key))
            }
            KeysCommand::Revoke(one) => {
                let revoked = cli.client.revoke_key(&one.key).await?;
                cli.print(&revoked, || revoked.message.clone())
            }
        }
    })
}

/// Makes a key in a data directory that no server uses.
async fn beside(directory: &Path) -> anyhow::Result<()> {
    let listen = ([127, 0, 0, 1], 0).into();
    let config = Config::new(listen, directory.to_owned());
    let key = server::make_admin_key(&config, Clock::system().now()).await?;
    crate::talk("A key for everything. It is shown this once: keep it.");
    crate::control::say(&key)
}

fn asked(create: &CreateKeyArgs) -> CreateKey {
    let role = create.role.expect("clap asks for it");
    let expires = create.days.map(|days| {
        let micros = Clock::system().now().micros() + i64::from(days) * 86_400 * 1_000_000;
        Timestamp::from_micros(micros).to_string()
    });
    CreateKey {
        role: role.into(),
        models: create.models.clone(),
        description: create.description.clone(),
        expires_at: expires,
        requests_per_second: create.per_second,
        concurrent_requests: create.at_once,
    }
}

/// A key that was just made: the key alone on stdout, so that it can be piped.
fn shown(key: &Key) -> String {
    let models = match key.models.as_slice() {
        [] => "all models".to_owned(),
        patterns => patterns.join(", "),
    };
    crate::talk(&format!(
        "{} ({}, {models}). It is shown this once: keep it.",
        key.key_id, key.role
    ));
    key.key.clone().unwrap_or_default()
}

fn listed(keys: &[Key]) -> String {
    if keys.is_empty() {
        return "there are no keys".into();
    }
    let line = |key: &Key| {
        let or = |text: &Option<String>, other: &str| text.clone().unwrap_or_else(|| other.into());
        let models = if key.models.is_empty() {
            "*".into()
        } else {
            key.models.join(",")
        };
        let per_second = key.requests_per_second;
        let per_second = per_second.map(|limit| format!("  {limit} a second"));
        let at_once = key.concurrent_requests;
        let at_once = at_once.map(|limit| format!("  {limit} at once"));
        format!(
            "{}  {:<9}  {models}  expires {}  last used {}{}{}  {}",
            key.key_id,
            key.role.to_string(),
            or(&key.expires_at, "never"),
            or(&key.last_used_at, "never"),
            per_second.unwrap_or_default(),
            at_once.unwrap_or_default(),
            or(&key.description, "")
        )
        .trim_end()
        .to_owned()
    };
    keys.iter().map(line).collect::<Vec<_>>().join("\n")
}
