//! Where the predictions of a journal are, so that reading on from a position needs no index.
//!
//! Ids are given when a version is chosen and positions when its call has ended, so the rows of a stretch of the
//! journal lie in a narrow range of ids: one row here says which. An index would cost every prediction more bytes
//! than its position does.

use super::catalog::first_readable;
use super::feedback;
use super::hash::PredictionRow;
use super::journal_state::{Origin, last_position, servers_beyond};
use super::predictions::{SELECT, read_row, status_code};
use crate::{ExportFilter, Exported, ExportedPrediction, LoggedPrediction, Piece, StoreError};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use std::collections::HashMap;
use std::fmt::Write as _;
use types::{ModelName, PredictionId, VersionName};

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
    /// What both have.
    fn within(self, other: Self) -> Self {
        Self {
            lowest: self.lowest.max(other.lowest),
            highest: self.highest.min(other.highest),
        }
    }

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
    let piece = Piece {
        after: position as u64,
        until: i64::MAX as u64,
        rows: limit,
        bytes: usize::MAX,
    };
    let mut gathered = Gathered::new(piece);
    let all = ExportFilter::default();
    gathered.read(connection, &all, usize::MAX, |_, prediction| Ok(prediction))?;
    Ok(gathered.rows)
}

/// Stretches that are looked at for a piece of an export: what is rare does not keep a reader for long.
const LOOKED_AT: usize = 64;

/// A piece of the log as it is exported.
pub(super) fn exported(
    connection: &Connection,
    filter: &ExportFilter,
    piece: Piece,
) -> Result<Exported<ExportedPrediction>, StoreError> {
    let mut gathered = Gathered::new(piece);
    let all = gathered.read(connection, filter, LOOKED_AT, |connection, prediction| {
        Ok(ExportedPrediction {
            feedback: feedback::of_order(connection, prediction.id.order() as i64)?,
            prediction,
        })
    })?;
    Ok(Exported {
        rows: gathered.rows,
        reached: if all { piece.until } else { gathered.reached },
    })
}

/// What is gathered for a piece.
struct Gathered<T> {
    rows: Vec<T>,
    bytes: usize,
    piece: Piece,
    /// Up to here all has been looked at.
    reached: u64,
}

impl<T> Gathered<T> {
    fn new(piece: Piece) -> Self {
        Self {
            rows: Vec::new(),
            bytes: 0,
            piece,
            reached: piece.after,
        }
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.piece.rows || self.bytes >= self.piece.bytes
    }

    /// Reads until there is enough, or so many stretches have been looked at; says whether that was all.
    fn read(
        &mut self,
        connection: &Connection,
        filter: &ExportFilter,
        mut stretches_left: usize,
        make: impl Fn(&Connection, LoggedPrediction) -> Result<T, StoreError>,
    ) -> Result<bool, StoreError> {
        let Some(conditions) = Conditions::of(connection, filter)? else {
            return Ok(true);
        };
        let after = self.piece.after as i64;
        let until = self.piece.until as i64;
        let mut stretches = connection.prepare_cached(
            "SELECT first, lowest, highest FROM stretches WHERE server_key = ?1 AND first > ?2 AND first <= ?3 ORDER BY first",
        )?;
        // Rows are sorted by what is short of them: one may hold a megabyte.
        let mut orders_of = connection.prepare_cached(&format!(
            "SELECT prediction_order, position FROM predictions WHERE prediction_order BETWEEN ?1 AND ?2 AND server_key = ?3 \
             AND position BETWEEN ?4 AND ?5{} ORDER BY position",
            conditions.sql
        ))?;
        let mut row_of =
            connection.prepare_cached(&format!("{SELECT} AND p.prediction_order = ?1"))?;
        for server_key in servers_beyond(connection, after)? {
            // The server that came after it began in the same block of positions.
            let until = until.min(last_position(connection, server_key)?);
            let mut stretches = stretches.query([server_key, after - LONG, until])?;
            while let Some(stretch) = stretches.next()? {
                if self.is_full() || stretches_left == 0 {
                    return Ok(false);
                }
                let ids = Ids::read(stretch).within(conditions.ids);
                let first: i64 = stretch.get("first")?;
                let last = (first + LONG - 1).min(until);
                if ids.lowest <= ids.highest {
                    stretches_left -= 1;
                    let first = first.max(after + 1);
                    let fixed = [ids.lowest, ids.highest, server_key, first, last];
                    let values = fixed.into_iter().map(Sql::Integer);
                    let values = values.chain(conditions.values.iter().cloned());
                    let mut orders = orders_of.query(params_from_iter(values))?;
                    while let Some(order) = orders.next()? {
                        if self.is_full() {
                            return Ok(false);
                        }
                        let rows = row_of.query_map([order.get::<_, i64>(0)?], read_row)?;
                        for prediction in first_readable(rows, 1)? {
                            if filter
                                .condition
                                .as_ref()
                                .is_none_or(|it| prediction.meets(it))
                            {
                                self.bytes += prediction.bytes();
                                self.rows.push(make(connection, prediction)?);
                            }
                        }
                        self.reached = order.get::<_, i64>(1)? as u64;
                    }
                }
                self.reached = last as u64;
            }
        }
        Ok(true)
    }
}

/// What a filter asks of rows.
struct Conditions {
    sql: String,
    values: Vec<Sql>,
    ids: Ids,
}

impl Conditions {
    /// Nothing where no row can meet them.
    fn of(connection: &Connection, filter: &ExportFilter) -> Result<Option<Self>, StoreError> {
        let order = |time| PredictionId::order_at(time) as i64;
        let mut conditions = Self {
            sql: String::new(),
            values: Vec::new(),
            ids: Ids {
                lowest: filter.range.since.map_or(i64::MIN, order),
                highest: filter
                    .range
                    .until
                    .map_or(i64::MAX, |until| order(until) - 1),
            },
        };
        if let Some(status) = filter.status {
            conditions.add("status =", Sql::Integer(status_code(status)));
        }
        if let Some(unit_id) = &filter.unit_id {
            conditions.add("unit_id =", Sql::Text(unit_id.clone()));
        }
        if let Some(experiment) = &filter.experiment_id {
            let key = connection
                .prepare_cached("SELECT experiment_key FROM experiments WHERE experiment_id = ?1")?
                .query_row([experiment.to_string()], |row| row.get(0))
                .optional()?;
            let Some(key) = key else { return Ok(None) };
            conditions.add("experiment_key =", Sql::Integer(key));
        }
        if filter.name.is_some() || filter.version.is_some() || filter.model_id.is_some() {
            let mut select = connection.prepare_cached(
                "SELECT version_key FROM versions WHERE deleted_at IS NULL AND (?1 IS NULL OR name = ?1) \
                 AND (?2 IS NULL OR version = ?2) AND (?3 IS NULL OR model_id = ?3)",
            )?;
            let name = filter.name.as_ref().map(ModelName::as_str);
            let version = filter.version.as_ref().map(VersionName::as_str);
            let model_id = filter.model_id.map(|id| id.to_string());
            let keys =
                select.query_map(params![name, version, model_id], |row| row.get::<_, i64>(0))?;
            let keys = keys
                .map(|key| key.map(|key| key.to_string()))
                .collect::<Result<Vec<_>, _>>()?;
            if keys.is_empty() {
                return Ok(None);
            }
            let _ = write!(conditions.sql, " AND version_key IN ({})", keys.join(", "));
        }
        Ok(Some(conditions))
    }

    fn add(&mut self, condition: &str, value: Sql) {
        self.values.push(value);
        // Five stand before them.
        let _ = write!(self.sql, " AND {condition} ?{}", 5 + self.values.len());
    }
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
