//! Roll-ups as rows: the open ones are kept in memory by the writer and written whole.

use super::hash::Columns;
use super::predictions::{MEASURED, measured};
use super::retention;
use super::rewrite::Changed;
use super::row::corrupt;
use crate::{Rollup, StoreError, Tier};
use evidence::{RowHash, Sample, decode, encode};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use types::{PredictionId, TimeRange, Timestamp, VersionKey};

/// How long minutes are kept, in seconds.
const MINUTES_KEPT: i64 = 3 * 86_400;
/// Series kept in memory; above this all are forgotten and read again when needed.
const MAX_SERIES: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Bucket {
    pub(super) tier: Tier,
    pub(super) start: i64,
    pub(super) version: VersionKey,
    pub(super) epoch: i64,
}

/// As a person reads it.
impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (version, epoch) = (self.version.0, self.epoch);
        let start = Timestamp::from_micros(self.start.saturating_mul(1_000_000));
        match self.tier {
            Tier::Total => f.write_str("the roll-up of all time")?,
            Tier::Day => write!(f, "the roll-up of the day from {start}")?,
            Tier::Hour => write!(f, "the roll-up of the hour from {start}")?,
            Tier::Minute => write!(f, "the roll-up of the minute from {start}")?,
        }
        write!(f, " for version number {version}, epoch {epoch}")
    }
}

/// The rows of a bucket, by its [key](Bucket::key).
const OF_BUCKET: &str = "tier = ?1 AND start = ?2 AND version_key = ?3 AND epoch = ?4";

impl Bucket {
    fn key(&self) -> [i64; 4] {
        [self.tier.code(), self.start, self.version.0, self.epoch]
    }
}

/// The roll-ups that the writer adds to: of each series, the one of each tier that it added to last.
pub(super) struct OpenRollups {
    /// The server that added them.
    server_key: i64,
    series: HashMap<(VersionKey, i64), Series>,
    /// The series with changes that are not written yet.
    touched: Vec<(VersionKey, i64)>,
    /// The newest hour seen; when it moves, old minutes are folded away.
    newest_hour: i64,
    /// Minutes before this are gone; `None` until read.
    minute_horizon: Option<i64>,
}

/// The open roll-ups of a version in an epoch, by tier.
#[derive(Default)]
struct Series {
    open: [Option<Open>; Tier::ALL.len()],
    touched: bool,
}

struct Open {
    bucket: Bucket,
    /// Its row; `None` before it is written for the first time.
    row: Option<i64>,
    rollup: Rollup,
    changed: bool,
}

impl OpenRollups {
    pub(super) fn of(server_key: i64) -> Self {
        Self {
            server_key,
            series: HashMap::new(),
            touched: Vec::new(),
            newest_hour: 0,
            minute_horizon: None,
        }
    }

    /// Adds a prediction of a version in an epoch.
    pub(super) fn add(
        &mut self,
        transaction: &Connection,
        (version, epoch): (VersionKey, i64),
        time: Timestamp,
        sample: &Sample,
    ) -> Result<(), StoreError> {
        let horizon = self.fold_minutes(transaction, time)?;
        let server_key = self.server_key;
        let series = self.series.entry((version, epoch)).or_default();
        if !series.touched {
            series.touched = true;
            self.touched.push((version, epoch));
        }
        for (tier, slot) in Tier::ALL.into_iter().zip(&mut series.open) {
            let bucket = Bucket {
                tier,
                start: tier.start_of(time),
                version,
                epoch,
            };
            if tier == Tier::Minute && bucket.start < horizon {
                continue;
            }
            let open = match slot.take() {
                Some(open) if open.bucket == bucket => open,
                other => {
                    if let Some(mut other) = other {
                        other.write(transaction, server_key)?;
                    }
                    Open::load(transaction, bucket, server_key)?
                }
            };
            let open = slot.insert(open);
            open.rollup.add(sample);
            open.changed = true;
        }
        Ok(())
    }

    /// Removes minutes that are older than is kept, once an hour; gives the horizon.
    fn fold_minutes(
        &mut self,
        transaction: &Connection,
        time: Timestamp,
    ) -> Result<i64, StoreError> {
        let mut horizon = match self.minute_horizon {
            Some(horizon) => horizon,
            None => minute_horizon(transaction)?,
        };
        let hour = Tier::Hour.start_of(time);
        if hour > self.newest_hour && hour - MINUTES_KEPT > horizon {
            horizon = hour - MINUTES_KEPT;
            let tier = Tier::Minute.code();
            let mut delete =
                transaction.prepare_cached("DELETE FROM rollups WHERE tier = ?1 AND start < ?2")?;
            delete.execute(params![tier, horizon])?;
            let mut update = transaction.prepare_cached("UPDATE state SET minute_horizon = ?1")?;
            update.execute([horizon])?;
            let gone = |b: &Bucket| b.tier == Tier::Minute && b.start < horizon;
            for slot in self.series.values_mut().flat_map(|series| &mut series.open) {
                slot.take_if(|open| gone(&open.bucket));
            }
        }
        self.newest_hour = self.newest_hour.max(hour);
        self.minute_horizon = Some(horizon);
        Ok(horizon)
    }

    /// Writes what has changed.
    pub(super) fn write(&mut self, transaction: &Connection) -> Result<(), StoreError> {
        for key in self.touched.drain(..) {
            let Some(series) = self.series.get_mut(&key) else {
                continue;
            };
            series.touched = false;
            for open in series.open.iter_mut().flatten() {
                open.write(transaction, self.server_key)?;
            }
        }
        if self.series.len() > MAX_SERIES {
            self.series.clear();
        }
        Ok(())
    }

    /// Forgets all, because the database has moved without it.
    pub(super) fn forget(&mut self) {
        *self = Self::of(self.server_key);
    }
}

impl Open {
    fn load(transaction: &Connection, bucket: Bucket, server_key: i64) -> Result<Self, StoreError> {
        let mut select = transaction.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM rollups WHERE {OF_BUCKET} AND server_key = ?5"
        ))?;
        let [tier, start, version, epoch] = bucket.key();
        let found = |row: &Row<'_>| Ok((row.get("rollup_id")?, read(row)?.1));
        let key = params![tier, start, version, epoch, server_key];
        let stored = select.query_row(key, found).optional()?;
        let (row, rollup) = stored.map_or_else(Default::default, |(row, r)| (Some(row), r));
        Ok(Self {
            bucket,
            row,
            rollup,
            changed: false,
        })
    }

    /// Writes the sums, where they have changed. An update by the row's number touches one page;
    /// an insert touches both indexes too, but comes once per bucket.
    fn write(&mut self, transaction: &Connection, server_key: i64) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        if self.row.is_none() {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO rollups (tier, start, version_key, epoch, server_key) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            let [tier, start, version, epoch] = self.bucket.key();
            let row = params![tier, start, version, epoch, server_key];
            self.row = Some(insert.insert(row)?);
        }
        let mut update = transaction.prepare_cached(
            "UPDATE rollups SET count = ?2, errors = ?3, fallbacks = ?4, confidence_count = ?5, \
             confidence_sum = ?6, confidence_sum_squares = ?7, latency_sum_ns = ?8, \
             latency_sum_squares_ms = ?9, latency = ?10, rejected = ?11, hashed = ?12, kept_hash = ?13, \
             content_hash = ?14, row_hash = ?15, removed = ?16 WHERE rollup_id = ?1",
        )?;
        let r = &self.rollup;
        let latency = encode(&r.latency);
        let row_hash = row_hash(self.bucket, server_key, r, &latency);
        update.execute(params![
            self.row,
            r.count as i64,
            r.errors as i64,
            r.fallbacks as i64,
            r.confidence_count as i64,
            r.confidence_sum,
            r.confidence_sum_squares,
            r.latency_sum_ns as i64,
            r.latency_sum_squares_ms,
            latency,
            r.rejected as i64,
            r.hashed as i64,
            r.hash.kept as i64,
            r.hash.content as i64,
            row_hash,
            r.removed as i64,
        ])?;
        Ok(())
    }
}

/// Rows that were counted have changed, or are gone.
pub(super) fn change(
    connection: &Connection,
    bucket: Bucket,
    server_key: i64,
    changed: &Changed,
) -> Result<(), StoreError> {
    let mut open = Open::load(connection, bucket, server_key)?;
    // Without a row of its own it is one of a release that kept none, or the minutes are folded away.
    if open.row.is_none() {
        return Ok(());
    }
    let rollup = &mut open.rollup;
    rollup.removed += changed.removed;
    rollup.hashed = rollup.hashed.saturating_sub(changed.hashed);
    rollup.hash.add(changed.hash);
    open.changed = true;
    open.write(connection, server_key)
}

/// Over what is written of a roll-up; labels are added beside it.
fn row_hash(bucket: Bucket, server_key: i64, r: &Rollup, latency: &[u8]) -> i64 {
    let mut columns = Columns::new();
    columns
        .number(bucket.tier.code())
        .number(bucket.start)
        .number(bucket.version.0)
        .number(bucket.epoch)
        .number(r.count as i64)
        .number(r.errors as i64)
        .number(r.fallbacks as i64)
        .number(r.rejected as i64)
        .number(r.confidence_count as i64)
        .float(r.confidence_sum)
        .float(r.confidence_sum_squares)
        .number(r.latency_sum_ns as i64)
        .float(r.latency_sum_squares_ms)
        .bytes(latency)
        .number(r.hashed as i64)
        .number(r.hash.kept as i64)
        .number(r.hash.content as i64)
        .server(server_key);
    if r.removed > 0 {
        columns.text("removed").number(r.removed as i64);
    }
    columns.hash() as i64
}

/// Adds labels to the roll-up of a bucket; one whose minute is folded away is left out.
pub(super) fn add_labels(
    connection: &Connection,
    bucket: Bucket,
    server_key: i64,
    labelled: i64,
    correct: i64,
) -> Result<(), StoreError> {
    let [tier, start, version, epoch] = bucket.key();
    let mut update = connection.prepare_cached(&format!(
        "UPDATE rollups SET labelled = labelled + ?6, correct = correct + ?7 \
         WHERE {OF_BUCKET} AND server_key = ?5"
    ))?;
    let change = params![tier, start, version, epoch, server_key, labelled, correct];
    if update.execute(change)? == 1 {
        return Ok(());
    }
    // Another server counted the prediction.
    let mut insert = connection.prepare_cached(&format!(
        "INSERT INTO rollups (tier, start, version_key, epoch, server_key, labelled, correct) \
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM rollups WHERE {OF_BUCKET})"
    ))?;
    insert.execute(change)?;
    Ok(())
}

pub(super) fn minute_horizon(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("SELECT minute_horizon FROM state", [], |row| row.get(0))?)
}

/// The columns that [`read`] reads.
const COLUMNS: &str = "rollup_id, version_key, count, errors, fallbacks, confidence_count, \
     confidence_sum, confidence_sum_squares, latency_sum_ns, latency_sum_squares_ms, latency, \
     labelled, correct, rejected, hashed, kept_hash, content_hash, removed";

fn read(row: &Row<'_>) -> rusqlite::Result<(VersionKey, Rollup)> {
    let count = |name| row.get::<_, i64>(name).map(|n| n as u64);
    let blob = row.get_ref("latency")?.as_blob()?;
    let rollup = Rollup {
        count: count("count")?,
        errors: count("errors")?,
        fallbacks: count("fallbacks")?,
        confidence_count: count("confidence_count")?,
        confidence_sum: row.get("confidence_sum")?,
        confidence_sum_squares: row.get("confidence_sum_squares")?,
        latency_sum_ns: count("latency_sum_ns")?,
        latency_sum_squares_ms: row.get("latency_sum_squares_ms")?,
        latency: decode(blob).ok_or_else(|| corrupt("latency"))?,
        labelled: count("labelled")?,
        correct: count("correct")?,
        rejected: count("rejected")?,
        hashed: count("hashed")?,
        hash: RowHash {
            kept: count("kept_hash")?,
            content: count("content_hash")?,
        },
        removed: count("removed")?,
    };
    Ok((VersionKey(row.get("version_key")?), rollup))
}

/// What all servers have stored of a bucket; nothing where none has, and an error where a row is not what was
/// written. Rows of releases that made no hashes are taken to be.
pub(super) fn load(connection: &Connection, bucket: Bucket) -> Result<Option<Rollup>, StoreError> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, server_key, row_hash FROM rollups WHERE {OF_BUCKET}"
    ))?;
    let mut rows = select.query(bucket.key())?;
    let mut all: Option<Rollup> = None;
    while let Some(row) = rows.next()? {
        let (_, rollup) = read(row)?;
        let stored: Option<i64> = row.get("row_hash")?;
        let latency = row.get_ref("latency")?.as_blob_or_null();
        let latency = latency.map_err(rusqlite::Error::from)?.unwrap_or_default();
        let hash = row_hash(bucket, row.get("server_key")?, &rollup, latency);
        if stored.is_some_and(|stored| stored != hash) {
            return Err(StoreError::Corrupt("it is not what was written".into()));
        }
        all.get_or_insert_default().merge(&rollup);
    }
    Ok(all)
}

/// Sums by version over a stretch of time: whole days, hours and minutes from their roll-ups, the
/// ends from the rows, so that every window is exact.
pub(super) fn totals(
    transaction: &Transaction<'_>,
    range: TimeRange,
) -> Result<HashMap<VersionKey, Rollup>, StoreError> {
    let mut sums = Sums {
        transaction,
        horizon: minute_horizon(transaction)?,
        only: None,
        by_version: HashMap::new(),
    };
    if range == TimeRange::ALL && sums.add_buckets(Tier::Total, 0, 1)?.is_empty() {
        return Ok(sums.by_version);
    }
    // Where a total cannot be read, all are counted from what is finer.
    sums.by_version.clear();
    let Some((first, last)) = retention::days(transaction)? else {
        return Ok(sums.by_version);
    };
    let newest: Option<i64> =
        transaction.query_row("SELECT max(prediction_order) FROM predictions", [], |row| {
            row.get(0)
        })?;
    // A window that reaches beyond the data ends on a whole day, so that no row is read for it.
    let end = (last + 86_400) * 1_000_000;
    let since = range.since.map_or(i64::MIN, Timestamp::micros);
    let until = range.until.map_or(i64::MAX, Timestamp::micros);
    let after_newest = newest.map_or(end, |newest| {
        PredictionId::new(newest as u64, 0).time().micros() + 1
    });
    let since = since.max(first * 1_000_000);
    let until = if until >= after_newest { end } else { until };
    sums.cover(since, until, &Tier::TIMED)?;
    let mut by_version = std::mem::take(&mut sums.by_version);
    for (window, versions) in retention::in_whole_hours(transaction, (since, until))? {
        sums.cover(window.0, window.1, &Tier::TIMED)?;
        let mut found = std::mem::take(&mut sums.by_version);
        for version in versions.into_iter().map(VersionKey) {
            match found.remove(&version) {
                Some(rollup) => drop(by_version.insert(version, rollup)),
                None => drop(by_version.remove(&version)),
            }
        }
    }
    Ok(by_version)
}

/// From version, status, confidence, latency and whether it was right.
fn read_row(row: &Row<'_>) -> Result<(VersionKey, Sample, Option<f64>), StoreError> {
    let sample = Sample::new(measured(row)?);
    Ok((
        VersionKey(row.get("version_key")?),
        sample,
        row.get("value")?,
    ))
}

/// A bucket of which some server's roll-up cannot be read: its start, version and epoch.
type Unreadable = (i64, i64, i64);

struct Sums<'a> {
    transaction: &'a Transaction<'a>,
    horizon: i64,
    /// The version and epoch that are counted, where it is not all of them.
    only: Option<(i64, i64)>,
    by_version: HashMap<VersionKey, Rollup>,
}

impl Sums<'_> {
    /// Adds the microseconds from `since` to `until` by the first tier, its ends by the next.
    fn cover(&mut self, since: i64, until: i64, tiers: &[Tier]) -> Result<(), StoreError> {
        if since >= until {
            return Ok(());
        }
        let Some((tier, finer)) = tiers.split_first() else {
            return self.add_rows(since, until);
        };
        let micros = tier.seconds().unwrap_or(1) * 1_000_000;
        let mut first = -(-since).div_euclid(micros) * micros;
        let last = until.div_euclid(micros) * micros;
        if *tier == Tier::Minute {
            first = first.max(self.horizon * 1_000_000);
        }
        if first >= last {
            return self.cover(since, until, finer);
        }
        self.cover(since, first, finer)?;
        let unreadable = self.add_buckets(*tier, first / 1_000_000, last / 1_000_000)?;
        for (start, version, epoch) in unreadable {
            let whole = self.only.replace((version, epoch));
            let since = start * 1_000_000;
            let counted = self.cover(since, since + micros, finer);
            self.only = whole;
            counted?;
        }
        self.cover(last, until, finer)
    }

    /// Adds the roll-ups of a tier, but those of buckets that cannot be read, which it gives, so that all servers'
    /// part of them is counted from what is finer: one bad row must not end every report.
    fn add_buckets(
        &mut self,
        tier: Tier,
        first: i64,
        last: i64,
    ) -> Result<BTreeSet<Unreadable>, StoreError> {
        let mut select = self.transaction.prepare_cached(&format!(
            "SELECT {COLUMNS}, start, epoch FROM rollups WHERE tier = ?1 AND start >= ?2 AND start < ?3 \
             AND (?4 IS NULL OR (version_key = ?4 AND epoch = ?5))"
        ))?;
        let (version, epoch) = self.only.unzip();
        let mut unreadable = BTreeSet::new();
        loop {
            let known = unreadable.len();
            let mut readable: HashMap<VersionKey, Rollup> = HashMap::new();
            let mut rows = select.query(params![tier.code(), first, last, version, epoch])?;
            while let Some(row) = rows.next()? {
                let bucket: Unreadable = (
                    row.get("start")?,
                    row.get("version_key")?,
                    row.get("epoch")?,
                );
                match read(row) {
                    _ if unreadable.contains(&bucket) => {}
                    Ok((version, rollup)) => readable.entry(version).or_default().merge(&rollup),
                    Err(_) => {
                        unreadable.insert(bucket);
                    }
                }
            }
            // What was added before a bucket turned out to be unreadable may be of it.
            if unreadable.len() == known {
                for (version, rollup) in readable {
                    self.by_version.entry(version).or_default().merge(&rollup);
                }
                return Ok(unreadable);
            }
        }
    }

    fn add_rows(&mut self, since: i64, until: i64) -> Result<(), StoreError> {
        let order = |micros| PredictionId::order_at(Timestamp::from_micros(micros)) as i64;
        let mut select = self.transaction.prepare_cached(
            &format!("SELECT p.version_key, {MEASURED}, f.value FROM predictions p \
             LEFT JOIN feedback f ON f.prediction_order = p.prediction_order AND f.metric = 'correct' \
             WHERE p.prediction_order >= ?1 AND p.prediction_order < ?2 \
             AND (?3 IS NULL OR (p.version_key = ?3 AND p.epoch = ?4))"),
        )?;
        let (version, epoch) = self.only.unzip();
        let mut rows = select.query(params![order(since), order(until), version, epoch])?;
        while let Some(row) = rows.next()? {
            // `verify` names those that cannot be read.
            let Ok((version, sample, label)) = read_row(row) else {
                continue;
            };
            let rollup = self.by_version.entry(version).or_default();
            rollup.add(&sample);
            rollup.add_label(label);
        }
        Ok(())
    }
}
