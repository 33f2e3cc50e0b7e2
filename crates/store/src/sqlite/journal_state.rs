//! How far the journal has been read, what of it is missing, and what was set aside.

use super::ServerId;
use super::row::ByName;
use crate::{LogState, OpenError, SetAside, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::ops::RangeInclusive;
use std::path::Path;
use types::Timestamp;

pub(in crate::sqlite) fn list_set_aside(
    connection: &mut Connection,
    after: u64,
    limit: u32,
) -> Result<Vec<SetAside>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT position, reason, length(entry) AS bytes, set_aside_at FROM set_aside \
         WHERE position > ?1 ORDER BY position LIMIT ?2",
    )?;
    let rows = select.query_map(params![after as i64, limit], |row| {
        Ok(SetAside {
            position: row.bits("position")?,
            reason: row.get("reason")?,
            bytes: row.count("bytes")?,
            at: row.time("set_aside_at")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn log_state(connection: &Connection) -> Result<LogState, StoreError> {
    let sql = "SELECT (SELECT coalesce(sum(last - first + 1), 0) FROM missing_positions) AS missing, \
               (SELECT count(*) FROM set_aside) AS set_aside, entries_dropped, \
               (SELECT count(*) FROM pending_feedback) AS feedback_waiting, \
               feedback_dropped FROM state";
    Ok(connection.query_row(sql, [], |row| {
        Ok(LogState {
            missing: row.count("missing")?,
            set_aside: row.count("set_aside")?,
            dropped: row.count("entries_dropped")?,
            feedback_waiting: row.count("feedback_waiting")?,
            feedback_dropped: row.count("feedback_dropped")?,
        })
    })?)
}

/// The server that writes here first. It adds nothing to the hashes of its sums, so that those of older releases
/// stay right.
pub(super) const FIRST_SERVER: i64 = 1;

/// Where a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// Whose journal.
    pub(super) server_key: i64,
    /// Its place in it.
    pub(super) position: i64,
}

impl Origin {
    /// As a row has it; none in rows of releases that did not write it.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Option<Self>> {
        let server_key: Option<i64> = row.get("server_key")?;
        let position: Option<i64> = row.get("position")?;
        Ok(server_key.zip(position).map(|(server_key, position)| Self {
            server_key,
            position,
        }))
    }
}

/// Who writes here.
pub(super) fn server(connection: &Connection) -> Result<ServerId, StoreError> {
    let id: Vec<u8> = connection.query_row("SELECT server FROM state", [], |row| row.get(0))?;
    let wrong = |_| StoreError::Corrupt("the id of the server has not 16 bytes".into());
    id.try_into().map_err(wrong)
}

/// Has another server write here, at the positions after those that were counted.
pub(super) fn renew(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    let before = server(&transaction)?;
    let position = position(&transaction, &before)?;
    if position > 0 {
        transaction.execute("UPDATE state SET server = randomblob(16)", [])?;
        let server = server(&transaction)?;
        reach(&transaction, &server, position)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Who writes to a data directory, which a server may be using.
///
/// # Errors
/// When the directory holds no database of this schema.
pub fn server_of(directory: &Path) -> Result<ServerId, OpenError> {
    let connection = super::verify::open(directory)?;
    Ok(server(&connection)?)
}

/// The position that a server's journal has been read to; 0 before it has.
pub(super) fn position(connection: &Connection, server: &ServerId) -> Result<u64, StoreError> {
    let sql = "SELECT position FROM servers WHERE server = ?1";
    let found: Option<i64> = connection
        .query_row(sql, [server], |row| row.get("position"))
        .optional()?;
    Ok(u64::try_from(found.unwrap_or(0)).unwrap_or(0))
}

/// The servers whose journals have been read beyond a position, in the order in which they wrote: a directory that
/// is renewed goes on at the position after.
pub(super) fn servers_beyond(
    connection: &Connection,
    position: i64,
) -> Result<Vec<i64>, StoreError> {
    let mut select = connection
        .prepare_cached("SELECT server_key FROM servers WHERE position > ?1 ORDER BY server_key")?;
    let keys = select.query_map([position], |row| row.get("server_key"))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// The last position of a server's journal.
pub(super) fn last_position(connection: &Connection, server_key: i64) -> Result<i64, StoreError> {
    let mut select =
        connection.prepare_cached("SELECT position FROM servers WHERE server_key = ?1")?;
    Ok(select.query_row([server_key], |row| row.get("position"))?)
}

/// The number by which rows name a server; it gets one where it has none.
pub(super) fn server_key(connection: &Connection, server: &ServerId) -> Result<i64, StoreError> {
    let insert = "INSERT OR IGNORE INTO servers (server, position) VALUES (?1, 0)";
    connection.execute(insert, [server])?;
    let sql = "SELECT server_key FROM servers WHERE server = ?1";
    Ok(connection.query_row(sql, [server], |row| row.get("server_key"))?)
}

pub(super) fn reach(
    connection: &Connection,
    server: &ServerId,
    position: u64,
) -> Result<(), StoreError> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO servers (server, position) VALUES (?1, ?2) ON CONFLICT (server) \
         DO UPDATE SET position = max(position, excluded.position)",
    )?;
    upsert.execute(params![server, position as i64])?;
    Ok(())
}

pub(super) fn note_missing(
    connection: &Connection,
    server: &ServerId,
    missing: &[RangeInclusive<u64>],
    now: Timestamp,
) -> Result<(), StoreError> {
    for positions in missing {
        let (first, last) = (*positions.start() as i64, *positions.end() as i64);
        connection.execute(
            "INSERT OR IGNORE INTO missing_positions VALUES (?1, ?2, ?3, ?4)",
            params![server, first, last, now.micros()],
        )?;
    }
    Ok(())
}

pub(super) fn count_dropped(connection: &Connection, dropped: u64) -> Result<(), StoreError> {
    if dropped > 0 {
        let sql = "UPDATE state SET entries_dropped = entries_dropped + ?1";
        connection.execute(sql, [dropped as i64])?;
    }
    Ok(())
}

pub(super) fn set_aside(
    connection: &Connection,
    server: &ServerId,
    position: u64,
    reason: &str,
    entry: &[u8],
    now: Timestamp,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT OR REPLACE INTO set_aside VALUES (?1, ?2, ?3, ?4, ?5)",
        params![server, position as i64, reason, entry, now.micros()],
    )?;
    Ok(())
}

/// Positions and entries of the next that are set aside, after a position.
pub(super) fn next_set_aside(
    connection: &Connection,
    server: &ServerId,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT position, entry FROM set_aside WHERE server = ?1 AND position > ?2 \
         ORDER BY position LIMIT ?3",
    )?;
    let rows = select.query_map(params![server, after as i64, limit], |row| {
        Ok((row.bits("position")?, row.get("entry")?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn forget_set_aside(
    connection: &Connection,
    server: &ServerId,
    position: u64,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM set_aside WHERE server = ?1 AND position = ?2";
    connection.execute(sql, params![server, position as i64])?;
    Ok(())
}
