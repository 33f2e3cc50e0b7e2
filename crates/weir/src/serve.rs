//! `weir serve`.

use crate::args::{self, LogFormat, ServeArgs, Written};
use anyhow::Context;
use server::{Border, Clock, Server};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tracing_appender::non_blocking::NonBlockingBuilder;
use tracing_subscriber::EnvFilter;

/// So many log lines may wait to be written.
const MOST_LINES: usize = 4096;

/// SIGXFSZ, on Linux and on macOS.
const FILE_TOO_LARGE: i32 = 25;

pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let config = args.config()?;
    let filter = match std::env::var("WEIR_LOG") {
        Err(_) => EnvFilter::new("info"),
        Ok(said) => EnvFilter::try_new(&said).with_context(|| {
            format!("WEIR_LOG={said} is not valid: say a level such as info, or server=debug,warn")
        })?,
    };
    // A thread of its own writes the lines, so that nobody waits where the reader of stderr does not read. What
    // cannot be written, or not in time, is lost and no more than that.
    let (stderr, _written_at_the_end) = NonBlockingBuilder::default()
        .buffered_lines_limit(MOST_LINES)
        .finish(std::io::stderr());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false);
    match args.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    tokio::runtime::Runtime::new()?.block_on(async {
        // A file that grows beyond `ulimit -f` is an error like any other; unheard, the signal would end the process.
        let _file_too_large = signal(SignalKind::from_raw(FILE_TOO_LARGE))?;
        // Before anything that takes time: unheard, these would end the process. The last two mean nothing to it.
        let mut hangup = signal(SignalKind::hangup())?;
        let mut user = signal(SignalKind::user_defined1())?;
        let _other = signal(SignalKind::user_defined2())?;
        let server = Server::bind(config, Clock::system()).await?;
        let reload = Arc::new(server.reloading());
        let reloads = async {
            loop {
                tokio::select! {
                    _ = hangup.recv() => {
                        // A file that is a pipe, or a name that nobody resolves, may keep this waiting for ever.
                        let (reload, started_with) = (Arc::clone(&reload), args.written.clone());
                        std::thread::spawn(move || reload(read_again(&started_with)));
                    }
                    _ = user.recv() => {}
                }
            }
        };
        if let Some(key) = server.first_key() {
            crate::talk(&format!(
                "The first key of this server, which may do everything. It is shown only this once: keep it.\n\n    {key}\n\n\
                 WEIR_KEY={key} weir keys create --role operator makes others."
            ));
        }
        // The address is what a caller of this needs; one that does not listen is none.
        let _ = writeln!(std::io::stdout(), "{}", server.url());
        tokio::select! {
            ended = server.run(shutdown()?) => ended?,
            () = reloads => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Reads the settings again; what is wrong with them is said, and they stay as they were.
fn read_again(started_with: &Written) -> Option<Border> {
    match args::again(started_with) {
        Ok(again) => {
            if again.for_a_start.is_empty() {
                tracing::info!("the settings were read again");
            } else {
                tracing::warn!(
                    settings = again.for_a_start.join(", "),
                    "the settings were read again; these have changed, and are taken at the next start"
                );
            }
            Some(again.border)
        }
        Err(error) => {
            tracing::error!(%error, "the settings cannot be read again, and stay as they were");
            None
        }
    }
}

/// Ends at the first SIGTERM or SIGINT.
pub(crate) fn shutdown() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
