//! `weir privacy`, `weir retention`, `weir erase`: what a running server keeps of predictions, and for how long.

use crate::args::{EraseArgs, PrivacyArgs, RetentionArgs};
use crate::control::Cli;
use anyhow::{Context, ensure};
use api::{Erasure, ErasureStatus, Keep, Keeping, Privacy, Retention, SetPrivacy, SetRetention};
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How often it is asked how far an erasure has come.
const ASK: Duration = Duration::from_millis(500);

pub(crate) fn privacy(args: &PrivacyArgs) -> anyhow::Result<ExitCode> {
    crate::control::run(async {
        let cli = Cli::new(&args.connect)?;
        let privacy = match &args.file {
            None => cli.client.privacy(&args.name).await?,
            Some(file) => cli.client.set_privacy(&args.name, &read(file)?).await?,
        };
        cli.print(&privacy, || rules(&privacy))
    })
}

fn read(file: &Path) -> anyhow::Result<SetPrivacy> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        let cannot = || format!("{} cannot be read", file.display());
        text = std::fs::read_to_string(file).with_context(cannot)?;
    }
    let text = text.trim_start_matches('\u{feff}').trim();
    let wrong = || format!("{}: the rules are not valid", file.display());
    // A list would be taken for the rules in their order, and an empty one for none.
    ensure!(
        text.starts_with('{'),
        "{}: they must be a JSON object",
        wrong()
    );
    serde_json::from_str(text).with_context(wrong)
}

fn rules(privacy: &Privacy) -> String {
    let each = [
        ("inputs", &privacy.inputs),
        ("outputs", &privacy.outputs),
        ("attributes", &privacy.attributes),
    ];
    let line = |(name, keeping): (&str, &Keeping)| {
        let how = match keeping.keep {
            Keep::Full => "kept in full",
            Keep::Hashed => "kept as hashes",
            Keep::None => "not kept",
        };
        let of = match keeping.sample_percent {
            percent if percent < 100.0 && keeping.keep != Keep::None => {
                format!(", of {percent} % of the units")
            }
            _ => String::new(),
        };
        let all = keeping
            .redact_pointers
            .iter()
            .chain(&keeping.redact_patterns);
        let all: Vec<&str> = all.map(String::as_str).collect();
        let without = match all.as_slice() {
            [] => String::new(),
            some => format!("; replaced by [redacted]: {}", some.join(", ")),
        };
        format!("{name:<11} {how}{of}{without}")
    };
    each.map(line).join("\n")
}

pub(crate) fn retention(args: &RetentionArgs) -> anyhow::Result<ExitCode> {
    crate::control::run(async {
        let cli = Cli::new(&args.connect)?;
        let changes = args.for_ever
            || args.max_age.is_some()
            || args.max_rows.is_some()
            || args.content_max_age.is_some();
        let retention = if changes {
            let set = SetRetention {
                max_age_seconds: args.max_age.map(|age| age.0),
                max_rows: args.max_rows,
                content_max_age_seconds: args.content_max_age.map(|age| age.0),
            };
            cli.client.set_retention(&args.name, &set).await?
        } else {
            cli.client.retention(&args.name).await?
        };
        cli.print(&retention, || kept(&retention))
    })
}

fn kept(retention: &Retention) -> String {
    let age = |seconds: u64| match seconds {
        days if days % 86_400 == 0 => format!("{} days", days / 86_400),
        hours if hours % 3600 == 0 => format!("{} hours", hours / 3600),
        seconds => format!("{seconds} seconds"),
    };
    let mut lines = vec![match (retention.max_age_seconds, retention.max_rows) {
        (None, None) => "predictions are kept for ever".to_owned(),
        (Some(seconds), None) => format!("predictions are kept for {}", age(seconds)),
        (None, Some(rows)) => format!("the newest {rows} predictions are kept"),
        (Some(seconds), Some(rows)) => {
            format!(
                "at most {rows} predictions are kept, none older than {}",
                age(seconds)
            )
        }
    }];
    if let Some(seconds) = retention.content_max_age_seconds {
        lines.push(format!(
            "their inputs, outputs and attributes are kept for {}",
            age(seconds)
        ));
    }
    for (what, removed, since) in [
        ("predictions", retention.rows_removed, &retention.rows_since),
        (
            "inputs, outputs and attributes of predictions",
            retention.content_removed,
            &retention.content_since,
        ),
    ] {
        if let Some(since) = since {
            lines.push(format!("{removed} {what} from before {since} were removed"));
        }
    }
    lines.join("\n")
}

pub(crate) fn erase(args: &EraseArgs) -> anyhow::Result<ExitCode> {
    crate::control::run(async {
        let cli = Cli::new(&args.connect)?;
        let Some(unit) = &args.unit else {
            let all = cli.client.erasures().await?;
            return cli.print(&all, || match all.as_slice() {
                [] => "nobody was erased".into(),
                all => all.iter().map(progress).collect::<Vec<_>>().join("\n"),
            });
        };
        let mut erasure = cli.client.erase_unit(unit).await?;
        if args.wait {
            let bar = crate::backup::bar("of the log looked through");
            bar.set_length(100);
            while erasure.status != ErasureStatus::Done {
                bar.set_position(erasure.progress_percent as u64);
                tokio::time::sleep(ASK).await;
                erasure = cli.client.erasure(&erasure.erasure_id).await?;
            }
            bar.finish_and_clear();
        }
        cli.print(&erasure, || progress(&erasure))
    })
}

fn progress(erasure: &Erasure) -> String {
    let id = &erasure.erasure_id;
    let counted = format!(
        "{} predictions and {} related rows (feedback, outcomes, shadows) erased",
        erasure.predictions, erasure.others
    );
    match erasure.status {
        ErasureStatus::Done if erasure.predictions + erasure.others == 0 => {
            format!(
                "{id}  done: nothing was found for this unit_id. Is it spelled as in the requests?"
            )
        }
        ErasureStatus::Done => format!("{id}  done: {counted}"),
        ErasureStatus::Journal => {
            format!("{id}  the journal still holds what was there before: {counted}")
        }
        ErasureStatus::Walking => format!(
            "{id}  {:.1} % of the log looked through: {counted} until now",
            erasure.progress_percent
        ),
    }
}
