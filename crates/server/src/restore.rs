//! What was restored becomes a data directory of its own: what its journal held is counted, and it goes on as another server, so
//! that nobody takes its positions for those of the server that was backed up.

use crate::clock::Clock;
use crate::log::Log;
use crate::state::{open_journal, open_store};
use crate::{Config, StartError};
use std::io::Error;
use std::sync::Arc;
use std::time::Duration;
use store::{LogStore, OpenOptions, Store};

/// How long what the journal holds may take to be counted.
const WITHIN: Duration = Duration::from_secs(24 * 3600);

/// Counts what waits in the journal of a data directory that no server uses, and has it go on as another server. Gives the
/// position that was reached.
///
/// # Errors
/// When it cannot be read, or written.
pub async fn settle(config: &Config, clock: Clock) -> Result<u64, StartError> {
    let store = open_store(config)?;
    let journal = open_journal(&store, config)?;
    let log = Log::start(
        journal,
        store.clone(),
        clock,
        config.durability,
        Arc::default(),
    )?;
    let behind = log.catch_up(WITHIN).await;
    log.close().await.map_err(Error::other)?;
    let position = store.position();
    store.close().await.map_err(Error::other)?;
    drop(log);
    drop(store);
    if let Err(lag) = behind {
        let why = format!(
            "{} entries of the journal could not be counted",
            lag.entries
        );
        return Err(Error::other(why).into());
    }
    let path = crate::state::journal_path(config);
    std::fs::remove_dir_all(&path)?;
    let options = OpenOptions {
        renewed: true,
        ..OpenOptions::default()
    };
    let store = Store::open_with(&config.data_dir, options)?;
    let begun = Config {
        allow_empty_journal: true,
        ..config.clone()
    };
    drop(open_journal(&store, &begun)?);
    store.close().await.map_err(Error::other)?;
    Ok(position)
}
