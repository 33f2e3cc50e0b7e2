//! Where the predictions of a journal are, so that reading on from a position needs no index.
//!
//! Ids are given when a version is chosen and positions when its call has ended, so the rows of a stretch of the
//! journal lie in a narrow range of ids: one row here says which. An index would cost every prediction more bytes
//! than its position does.

use super::catalog::first_readable;
use super::hash::PredictionRow;
use super::journal_state::{Origin, servers_beyond};
use super::predictions::{SELECT, read_row};
use crate::{LoggedPrediction, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;
use types::PredictionId;

/// Positions of a stretch: few enough to be read for one page. Every stretch begins at a multiple of it.
const LONG: i64 = 4096;

/// The stretch that the writer adds to.
#[derive(Default)]
pub(super) struct OpenStretch {
    stretch: Option<Stretch>,
    changed: bool,
}

#[derive(Clone, Copy)]
struct Stretch {
    begin: Begin,
    ids: Ids,
}

/// Where a stretch begins, in which server's journal.
type Begin = (i64, i64);

/// The range of ids in which its predictions lie, as the numbers that order them.
#[derive(Clone, Copy)]
struct Ids {
    lowest: i64,
    highest: i64,
}

fn begin_of(origin: Origin) -> Begin {
    let first = origin.position - origin.position.rem_euclid(LONG);
    (origin.server_key, first)
}

impl OpenStretch {
    /// Adds a row.
    pub(super) fn add(
        &mut self,
        connection: &Connection,
        row: &PredictionRow<'_>,
    ) -> Result<(), StoreError> {
        let Some(origin) = row.origin else {
            return Ok(());
        };
        let begin = begin_of(origin);
        let stretch = match &mut self.stretch {
            Some(stretch) if stretch.begin == begin => stretch,
            _ => {
                self.write(connection)?;
                let ids = find(connection, begin)?.unwrap_or(Ids {
                    lowest: row.order,
                    highest: row.order,
                });
                self.stretch.insert(Stretch { begin, ids })
            }
        };
        stretch.ids.lowest = stretch.ids.lowest.min(row.order);
        stretch.ids.highest = stretch.ids.highest.max(row.order);
        self.changed = true;
        Ok(())
    }

    /// Writes the stretch, where it has changed.
    pub(super) fn write(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let Some(Stretch { begin, ids }) =
            self.stretch.filter(|_| std::mem::take(&mut self.changed))
        else {
            return Ok(());
        };
        let mut upsert = connection.prepare_cached(
            "INSERT OR REPLACE INTO stretches (server_key, first, lowest, highest) VALUES (?1, ?2, ?3, ?4)",
        )?;
        upsert.execute(params![begin.0, begin.1, ids.lowest, ids.highest])?;
        Ok(())
    }
}

impl Ids {
    /// An end that cannot be read excludes nothing.
    fn read(row: &Row<'_>) -> Self {
        Self {
            lowest: row.get("lowest").unwrap_or(i64::MIN),
            highest: row.get("highest").unwrap_or(i64::MAX),
        }
    }
}

fn find(connection: &Connection, begin: Begin) -> Result<Option<Ids>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT lowest, highest FROM stretches WHERE server_key = ?1 AND first = ?2",
    )?;
    let found = select.query_row(begin, |row| Ok(Ids::read(row)));
    Ok(found.optional()?)
}

/// Predictions after a position, in the order of the journals that this directory has had.
pub(super) fn after(
    connection: &Connection,
    position: i64,
    limit: usize,
) -> Result<Vec<LoggedPrediction>, StoreError> {
    let mut found = Vec::new();
    for server_key in servers_beyond(connection, position)? {
        add_after(connection, server_key, position, limit, &mut found)?;
    }
    Ok(found)
}

fn add_after(
    connection: &Connection,
    server_key: i64,
    position: i64,
    limit: usize,
    found: &mut Vec<LoggedPrediction>,
) -> Result<(), StoreError> {
    let mut stretches = connection.prepare_cached(
        "SELECT first, lowest, highest FROM stretches WHERE server_key = ?1 AND first > ?2 ORDER BY first",
    )?;
    // Rows are sorted by what is short of them: one may hold a megabyte.
    let mut orders_of = connection.prepare_cached(
        "SELECT prediction_order FROM predictions WHERE prediction_order BETWEEN ?1 AND ?2 AND server_key = ?3 \
         AND position > ?4 AND position BETWEEN ?5 AND ?6 ORDER BY position",
    )?;
    let mut row_of = connection.prepare_cached(&format!("{SELECT} AND p.prediction_order = ?1"))?;
    let mut stretches = stretches.query([server_key, position - LONG])?;
    while found.len() < limit
        && let Some(stretch) = stretches.next()?
    {
        let Ids { lowest, highest } = Ids::read(stretch);
        let first: i64 = stretch.get("first")?;
        let last = first + LONG - 1;
        let within = params![lowest, highest, server_key, position, first, last];
        let mut orders = orders_of.query(within)?;
        while found.len() < limit
            && let Some(order) = orders.next()?
        {
            let order: i64 = order.get("prediction_order")?;
            let rows = row_of.query_map([order], read_row)?;
            found.extend(first_readable(rows, 1)?);
        }
    }
    Ok(())
}

/// All stretches, so that `verify` can see whether each prediction would be found.
pub(super) struct Stretches(HashMap<Begin, Ids>);

impl Stretches {
    pub(super) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let mut select =
            connection.prepare("SELECT server_key, first, lowest, highest FROM stretches")?;
        let rows = select.query_map([], |row| {
            let begin = (row.get("server_key")?, row.get("first")?);
            // Here an end that cannot be read is damage.
            let (lowest, highest) = (row.get("lowest")?, row.get("highest")?);
            Ok((begin, Ids { lowest, highest }))
        })?;
        let read = first_readable(rows, usize::MAX)?;
        Ok(Self(read.into_iter().collect()))
    }

    /// Whether a prediction is where its stretch says.
    pub(super) fn hold(&self, origin: Option<Origin>, id: PredictionId) -> bool {
        let order = id.order() as i64;
        origin.is_none_or(|origin| {
            let ids = self.0.get(&begin_of(origin));
            ids.is_some_and(|ids| (ids.lowest..=ids.highest).contains(&order))
        })
    }
}
