//! Where the predictions of a journal are, so that reading on from a position needs no index.
//!
//! Ids are given when a version is chosen and positions when its call has ended, so the rows of a stretch of the
//! journal lie in a narrow range of ids: one row here says which. An index would cost every prediction more bytes
//! than its position does.

use super::hash::PredictionRow;
use super::journal_state::Origin;
use super::predictions::{SELECT, read_row};
use crate::{LoggedPrediction, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Positions of a stretch: few enough to be read for one page.
const LONG: i64 = 4096;

/// The stretch that the writer adds to.
#[derive(Default)]
pub(super) struct OpenStretch {
    stretch: Option<Stretch>,
    changed: bool,
}

#[derive(Clone, Copy)]
struct Stretch {
    server_key: i64,
    first: i64,
    last: i64,
    /// Orders.
    lowest: i64,
    highest: i64,
}

impl OpenStretch {
    /// Adds a row, whose position is greater than those before; one that was set aside has an earlier one.
    pub(super) fn add(
        &mut self,
        connection: &Connection,
        row: &PredictionRow<'_>,
    ) -> Result<(), StoreError> {
        let Some(origin) = row.origin else {
            return Ok(());
        };
        let position = origin.position;
        let holds = |stretch: &Stretch| (stretch.first..stretch.first + LONG).contains(&position);
        let stretch = match &mut self.stretch {
            Some(stretch) if holds(stretch) => stretch,
            _ => {
                self.write(connection)?;
                let known = Stretch::find(connection, origin)?.filter(holds);
                self.stretch.insert(known.unwrap_or(Stretch {
                    server_key: origin.server_key,
                    first: position,
                    last: position,
                    lowest: row.order,
                    highest: row.order,
                }))
            }
        };
        stretch.last = stretch.last.max(position);
        stretch.lowest = stretch.lowest.min(row.order);
        stretch.highest = stretch.highest.max(row.order);
        self.changed = true;
        Ok(())
    }

    /// Writes the stretch, where it has changed.
    pub(super) fn write(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let Some(stretch) = self.stretch.filter(|_| std::mem::take(&mut self.changed)) else {
            return Ok(());
        };
        let mut upsert = connection.prepare_cached(
            "INSERT OR REPLACE INTO stretches (server_key, first, last, lowest, highest) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        upsert.execute(params![
            stretch.server_key,
            stretch.first,
            stretch.last,
            stretch.lowest,
            stretch.highest
        ])?;
        Ok(())
    }
}

impl Stretch {
    /// The last that begins at a place or before it.
    fn find(connection: &Connection, origin: Origin) -> Result<Option<Self>, StoreError> {
        let mut select = connection.prepare_cached(
            "SELECT first, last, lowest, highest FROM stretches WHERE server_key = ?1 AND first <= ?2 \
             ORDER BY first DESC LIMIT 1",
        )?;
        let key = params![origin.server_key, origin.position];
        let read = |row: &Row<'_>| {
            Ok(Self {
                server_key: origin.server_key,
                first: row.get("first")?,
                last: row.get("last")?,
                lowest: row.get("lowest")?,
                highest: row.get("highest")?,
            })
        };
        Ok(select.query_row(key, read).optional()?)
    }
}

pub(super) fn after(
    connection: &Connection,
    server_key: i64,
    position: i64,
    limit: usize,
) -> Result<Vec<LoggedPrediction>, StoreError> {
    let mut stretches = connection.prepare_cached(
        "SELECT first, last, lowest, highest FROM stretches \
         WHERE server_key = ?1 AND first > ?2 AND last > ?3 ORDER BY first",
    )?;
    let mut rows_of = connection.prepare_cached(&format!(
        "{SELECT} AND p.prediction_order BETWEEN ?1 AND ?2 AND p.server_key = ?3 \
         AND p.position > ?4 AND p.position BETWEEN ?5 AND ?6 ORDER BY p.position"
    ))?;
    let mut found = Vec::new();
    // Of stretches that begin before the position, only the nearest can reach beyond it.
    let mut stretches = stretches.query(params![server_key, position - LONG, position])?;
    while let Some(stretch) = stretches.next()?
        && found.len() < limit
    {
        let number = |name: &str| stretch.get::<_, i64>(name);
        let within = params![
            number("lowest")?,
            number("highest")?,
            server_key,
            position,
            number("first")?,
            number("last")?
        ];
        let rows = rows_of.query_map(within, read_row)?;
        found.extend(super::catalog::first_readable(rows, limit - found.len())?);
    }
    Ok(found)
}
