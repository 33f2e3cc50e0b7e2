//! By which ids requests are found.
//!
//! An index on the predictions would cost each new id a page at a random place. So an id waits in memory, and many are
//! added to the table together, in the order of their numbers: each page is written once for all of them. What waits is
//! read from the predictions when a database is opened: `state.request_ids_until` says which are in the table.
//!
//! ```text
//! group ── committed ──▶ recent ── many ──▶ leaving ── a slice with each group ──▶ table
//!                                           up to `until`, an order
//! ```
//!
//! An id whose order is not above `until` goes into the table at once: its prediction was under way for longer than those
//! around it.

use crate::{StoreError, request_number};
use rusqlite::{Connection, params};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Predictions after which what waits begins to be added to the table; sooner where their inputs have so many bytes. While that
/// goes on as many again may come. All of these are read when a database is opened.
const MANY: usize = 1 << 18;
const MUCH: usize = 64 << 20;
/// Ids that are added with a group, beside as many as it has predictions.
const STEP: usize = 4096;

/// The number of a request's id and the order of its prediction.
pub(super) type Place = (i64, i64);

/// Finds, as `{REQUESTED}`, the orders of the predictions of a number, `?1`, with those that memory knows, `?2`.
pub(super) const REQUESTED: &str = "(SELECT prediction_order FROM request_ids WHERE number = ?1 UNION SELECT value FROM json_each(?2))";

/// Ids that are committed and may not be in the table yet, for those who read.
#[derive(Clone, Default)]
pub(super) struct WaitingIds(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    /// Those that are being added to the table.
    leaving: Arc<BTreeSet<Place>>,
    recent: BTreeSet<Place>,
}

impl WaitingIds {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The orders of a number, as JSON. To be asked before the table: what is not here any more is there.
    pub(super) fn orders(&self, number: i64) -> String {
        json(self.lock().orders(number))
    }
}

impl Waiting {
    fn orders(&self, number: i64) -> impl Iterator<Item = i64> {
        orders(&self.leaving, number).chain(orders(&self.recent, number))
    }
}

fn orders(places: &BTreeSet<Place>, number: i64) -> impl Iterator<Item = i64> {
    let range = (number, i64::MIN)..=(number, i64::MAX);
    places.range(range).map(|(_, order)| *order)
}

fn json(orders: impl Iterator<Item = i64>) -> String {
    let orders: Vec<i64> = orders.collect();
    serde_json::to_string(&orders).expect("numbers are JSON")
}

/// The ids that the writer adds.
pub(super) struct OpenRequestIds {
    waiting: WaitingIds,
    /// Those of the present group.
    group: BTreeSet<Place>,
    /// See [`MANY`] and [`STEP`].
    many: usize,
    step: usize,
    /// All ids up to this order are in the table or leaving for it.
    until: i64,
    /// The largest order of a prediction, and how many there are since `until`, and the bytes of their inputs.
    newest: i64,
    predictions: usize,
    bytes: usize,
    /// Predictions of the present group.
    in_group: usize,
    /// What is committed, and what will be with the present group.
    done: Progress,
    doing: Progress,
}

#[derive(Clone, Copy)]
struct Progress {
    /// What the database says of `until`.
    until: i64,
    /// The last one of those that are leaving that is in the table.
    added: Option<Place>,
}

impl OpenRequestIds {
    /// Reads what waits.
    pub(super) fn read(connection: &Connection) -> Result<Self, StoreError> {
        Self::with_steps(connection, (MANY, STEP))
    }

    fn with_steps(
        connection: &Connection,
        (many, step): (usize, usize),
    ) -> Result<Self, StoreError> {
        let until = until(connection)?;
        let progress = Progress { until, added: None };
        let mut ids = Self {
            waiting: WaitingIds::default(),
            group: BTreeSet::new(),
            many,
            step,
            until,
            newest: until,
            predictions: 0,
            bytes: 0,
            in_group: 0,
            done: progress,
            doing: progress,
        };
        let mut select = connection.prepare(
            "SELECT prediction_order, request_id, octet_length(input) AS bytes FROM predictions \
             WHERE prediction_order > ?1 ORDER BY prediction_order",
        )?;
        let mut rows = select.query([until])?;
        while let Some(row) = rows.next()? {
            let id = row.get_ref("request_id")?.as_str_or_null();
            let id = id.map_err(|error| StoreError::Corrupt(format!("request_id: {error}")))?;
            let bytes: i64 = row.get("bytes")?;
            let of = (row.get("prediction_order")?, bytes as usize);
            ids.add(connection, of, id)?;
        }
        ids.committed();
        Ok(ids)
    }

    /// For those who read.
    pub(super) fn waiting(&self) -> WaitingIds {
        self.waiting.clone()
    }

    /// Adds a prediction by its order, with the bytes of its input and the id of its request.
    pub(super) fn add(
        &mut self,
        connection: &Connection,
        (order, bytes): (i64, usize),
        request_id: Option<&str>,
    ) -> Result<(), StoreError> {
        self.newest = self.newest.max(order);
        self.predictions += 1;
        self.bytes += bytes;
        self.in_group += 1;
        match request_id.map(|id| (request_number(id), order)) {
            // It was under way for longer than those around it.
            Some(place) if order <= self.until => insert(connection, place),
            Some(place) => {
                self.group.insert(place);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The orders of a number that may not be in the table, as JSON.
    pub(super) fn orders(&self, number: i64) -> String {
        let waiting = self.waiting.lock();
        json(waiting.orders(number).chain(orders(&self.group, number)))
    }

    /// Adds to the table some of those that are leaving.
    pub(super) fn write(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if self.done.until == self.until {
            return Ok(());
        }
        let leaving = Arc::clone(&self.waiting.lock().leaving);
        let mut left = after(&leaving, self.done.added);
        for place in left.by_ref().take(self.step + self.in_group) {
            insert(connection, *place)?;
            self.doing.added = Some(*place);
        }
        if left.next().is_none() {
            connection
                .prepare_cached("UPDATE state SET request_ids_until = ?1")?
                .execute([self.until])?;
            self.doing.until = self.until;
        }
        Ok(())
    }

    /// The present group is committed.
    pub(super) fn committed(&mut self) {
        let mut waiting = self.waiting.lock();
        waiting.recent.extend(std::mem::take(&mut self.group));
        self.in_group = 0;
        self.done = self.doing;
        if self.done.until != self.until {
            return;
        }
        if self.done.added.is_some() {
            waiting.leaving = Arc::default();
            self.done.added = None;
        }
        if self.predictions >= self.many || self.bytes >= MUCH {
            waiting.leaving = Arc::new(std::mem::take(&mut waiting.recent));
            self.until = self.newest;
            (self.predictions, self.bytes) = (0, 0);
        }
        self.doing = self.done;
    }

    /// The present group was taken back.
    pub(super) fn forget(&mut self) {
        self.group.clear();
        self.in_group = 0;
        self.doing = self.done;
    }

    /// Forgets requests whose predictions are removed.
    pub(super) fn removed(&mut self, places: &[Place]) {
        let mut waiting = self.waiting.lock();
        for place in places {
            waiting.recent.remove(place);
            if waiting.leaving.contains(place) {
                Arc::make_mut(&mut waiting.leaving).remove(place);
            }
        }
    }
}

fn after(places: &BTreeSet<Place>, last: Option<Place>) -> impl Iterator<Item = &Place> {
    let from = last.map_or(Bound::Unbounded, Bound::Excluded);
    places.range((from, Bound::Unbounded))
}

/// All ids of predictions up to this order are in the table.
pub(super) fn until(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT request_ids_until FROM state";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// A start may add again what a crash kept from being counted as added.
fn insert(connection: &Connection, (number, order): Place) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO request_ids VALUES (?1, ?2)")?
        .execute(params![number, order])?;
    Ok(())
}

/// Removes the requests of a version's predictions in a range of orders, from after `first` to `last`.
pub(super) fn remove(
    connection: &Connection,
    version: i64,
    (first, last): (i64, i64),
) -> Result<Vec<Place>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT prediction_order, request_id FROM predictions \
         WHERE prediction_order > ?1 AND prediction_order <= ?2 AND version_key = ?3 AND request_id IS NOT NULL",
    )?;
    let rows = select.query_map([first, last, version], |row| {
        let id: String = row.get("request_id")?;
        Ok((request_number(&id), row.get("prediction_order")?))
    })?;
    let places: Vec<Place> = rows.collect::<Result<_, _>>()?;
    let mut delete = connection
        .prepare_cached("DELETE FROM request_ids WHERE number = ?1 AND prediction_order = ?2")?;
    for (number, order) in &places {
        delete.execute([number, order])?;
    }
    Ok(places)
}

/// Whether a request is in the table.
pub(super) fn is_there(
    connection: &Connection,
    (number, order): Place,
) -> Result<bool, StoreError> {
    let mut select = connection
        .prepare_cached("SELECT 1 FROM request_ids WHERE number = ?1 AND prediction_order = ?2")?;
    Ok(select.exists([number, order])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A log of requests, of which the table and memory are to know all that is committed.
    struct Log {
        connection: Connection,
        ids: OpenRequestIds,
        /// Orders by id, in what is committed and in the present group.
        committed: BTreeMap<String, BTreeSet<i64>>,
        group: Vec<(i64, String)>,
    }

    impl Log {
        fn new() -> Self {
            let connection = Connection::open_in_memory().unwrap();
            let schema = include_str!("schema.sql");
            connection.execute_batch(schema).unwrap();
            let ids = OpenRequestIds::with_steps(&connection, STEPS).unwrap();
            Self {
                connection,
                ids,
                committed: BTreeMap::new(),
                group: Vec::new(),
            }
        }

        fn group(&mut self, predictions: Vec<(i64, Option<String>)>, ends_well: bool) {
            self.connection.execute_batch("BEGIN").unwrap();
            for (order, id) in predictions {
                let insert = "INSERT INTO predictions (prediction_order, random, version_key, status, reason, epoch, \
                    propensity, input_kind, input, latency_ns, request_id) VALUES (?1, 0, 1, 0, 0, 0, 1, 0, '', 0, ?2)";
                self.connection.execute(insert, params![order, id]).unwrap();
                self.ids
                    .add(&self.connection, (order, 10), id.as_deref())
                    .unwrap();
                self.group.extend(id.map(|id| (order, id)));
            }
            for (order, id) in &self.group {
                let waiting = self.ids.orders(request_number(id));
                assert!(self.found(id, &waiting).contains(order));
            }
            self.ids.write(&self.connection).unwrap();
            if ends_well {
                self.connection.execute_batch("COMMIT").unwrap();
                self.ids.committed();
                for (order, id) in self.group.drain(..) {
                    self.committed.entry(id).or_default().insert(order);
                }
            } else {
                self.connection.execute_batch("ROLLBACK").unwrap();
                self.ids.forget();
                self.group.clear();
            }
        }

        /// The orders that a reader finds.
        fn found(&self, id: &str, waiting: &str) -> BTreeSet<i64> {
            let sql = format!(
                "SELECT prediction_order FROM predictions WHERE prediction_order IN {REQUESTED} AND request_id = ?3"
            );
            let mut select = self.connection.prepare_cached(&sql).unwrap();
            let key = params![request_number(id), waiting, id];
            let rows = select.query_map(key, |row| row.get(0)).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        }

        fn check(&self) {
            let waiting = self.ids.waiting();
            for (id, orders) in &self.committed {
                let found = self.found(id, &waiting.orders(request_number(id)));
                assert_eq!(&found, orders, "{id}");
            }
        }

        fn in_the_table(&self) -> i64 {
            let count = "SELECT count(*) FROM request_ids";
            let count = self.connection.query_row(count, [], |row| row.get(0));
            count.unwrap()
        }
    }

    const STEPS: (usize, usize) = (40, 3);

    #[test]
    fn each_committed_request_is_found_at_any_moment() {
        let mut random = fastrand::Rng::with_seed(5);
        let mut log = Log::new();
        let mut order = 0;
        for round in 0..600 {
            let mut predictions = Vec::new();
            for _ in 0..random.usize(0..12) {
                order += 10;
                // Some were under way for long, some ids come again, some predictions have none.
                let late = order - 10 * random.i64(0..30).min(order / 10 - 1) + random.i64(1..10);
                let at = if random.u8(..) < 40 { late } else { order };
                let id = random.u8(..) < 200;
                let id = id.then(|| format!("id {}", random.u32(0..2000)));
                let taken = "SELECT 1 FROM predictions WHERE prediction_order = ?1";
                let taken = log.connection.prepare_cached(taken).unwrap().exists([at]);
                if !taken.unwrap() && predictions.iter().all(|(known, _)| *known != at) {
                    predictions.push((at, id));
                }
            }
            log.group(predictions, random.u8(..) > 30);
            if round % 10 == 0 {
                log.check();
            }
            if random.u8(..) < 8 {
                log.ids = OpenRequestIds::with_steps(&log.connection, STEPS).unwrap();
                log.check();
            }
        }
        let all: usize = log.committed.values().map(BTreeSet::len).sum();
        let inside = log.in_the_table();
        assert!(
            inside as usize > all / 2,
            "{inside} of {all} are in the table"
        );
    }

    #[test]
    fn predictions_without_ids_are_not_read_at_each_start() {
        let mut log = Log::new();
        for order in 1..200 {
            log.group(vec![(order, None)], true);
        }
        assert!(until(&log.connection).unwrap() > 150);
    }

    #[test]
    fn requests_go_with_their_predictions_wherever_they_are() {
        let mut log = Log::new();
        for order in 1..=100 {
            log.group(vec![(order, Some(format!("id {order}")))], true);
        }
        let before = log.in_the_table();
        assert!((40..100).contains(&before), "{before}");
        let removed = remove(&log.connection, 1, (20, 95)).unwrap();
        log.ids.removed(&removed);
        for order in 1..=100 {
            log.ids.write(&log.connection).unwrap();
            log.ids.committed();
            let number = request_number(&format!("id {order}"));
            let waits = log.ids.waiting().orders(number) != "[]";
            let is_there = is_there(&log.connection, (number, order)).unwrap();
            assert_eq!(waits || is_there, !(21..=95).contains(&order), "{order}");
        }
    }
}
