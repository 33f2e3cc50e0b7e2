//! What is known of each unit of an experiment.
//!
//! Units come back at random, so writing each one's row with each group would rewrite a page per
//! prediction. Instead a group appends the new states of its units to a journal, in one row, and they
//! stay in memory. Where too many are there, some are written to their rows with each group, in the
//! order of their keys, so that neighbours share a page, and leave memory. Where the journal has grown
//! far beyond what is in memory, the units that have not changed since are appended to it again, a few
//! with each group, until its older rows can go. The journal is read at the start.

mod stored;

use crate::StoreError;
use evidence::{Coin, Covariates, Facts, Segments, UnitMetric};
use foldhash::HashMap;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use rusqlite::Connection;
use slab::Slab;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher;
use types::{ExperimentKey, VersionKey};

/// So many units stay in memory before some are written to their rows: about 40 MiB.
const MANY_UNITS: usize = 131_072;
/// So many bytes of journal are kept per unit in memory, and so many at least, before those are appended
/// again whose states are in its older rows.
const JOURNAL_PER_UNIT: usize = 1024;
const MUCH_JOURNAL: usize = 4 << 20;
/// Units that are written to their rows, or appended again, with a group, at least.
const LEAST_MOVED_ON: usize = 64;

/// A unit in an epoch of an experiment, in the order of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct UnitPlace {
    pub(super) experiment: ExperimentKey,
    pub(super) unit: i64,
    pub(super) epoch: i64,
}

/// What is known of a unit in an epoch.
#[derive(Debug)]
pub(super) struct Unit {
    place: UnitPlace,
    /// The arm of its first exposure in the epoch.
    pub(super) version: VersionKey,
    /// What was left to chance when it came to the epoch.
    pub(super) coin: Coin,
    /// When it was exposed first in the epoch, in seconds.
    pub(super) began: i64,
    metrics: Vec<UnitMetric>,
    /// What it belongs to, by its attributes when it came to the experiment.
    pub(super) segments: Segments,
    /// What was known of it before it came to the experiment.
    pub(super) covariates: Covariates,
    /// It has changed since the last group.
    touched: bool,
    /// The row of the journal that has its newest state; 0 where none has.
    journaled: i64,
}

impl Unit {
    /// What is known of it for the metric at a place of the definition.
    pub(super) fn metric(&mut self, at: usize) -> &mut UnitMetric {
        if self.metrics.len() <= at {
            self.metrics.resize_with(at + 1, UnitMetric::default);
        }
        &mut self.metrics[at]
    }

    /// When it was exposed first in the experiment, in microseconds, for the metric per unit at a place.
    fn exposed_first(&self, at: usize) -> Option<i64> {
        Some(self.metrics.get(at)?.outcome.of? as i64)
    }

    pub(super) fn had_event(&self, at: usize) -> bool {
        self.metrics.get(at).is_some_and(UnitMetric::had_event)
    }
}

/// Where a unit is in memory, until the group is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot(u32);

/// The units whose rows are not up to date.
pub(super) struct Units {
    /// More than this many are written to their rows.
    many: usize,
    /// `None` until the journal is read.
    open: Option<Open>,
    touched: Vec<Slot>,
    journal: Journal,
    /// The units that are written to their rows next, the next one last.
    leaving: Vec<UnitPlace>,
    /// The epochs of each experiment in which a unit was exposed.
    epochs: HashMap<ExperimentKey, Vec<i64>>,
}

impl Default for Units {
    fn default() -> Self {
        Self {
            many: MANY_UNITS,
            open: None,
            touched: Vec::new(),
            journal: Journal::default(),
            leaving: Vec::new(),
            epochs: HashMap::default(),
        }
    }
}

struct Journal {
    /// Its newest row.
    newest: i64,
    /// Its newest row when the units began to be appended again: at the end of that round, all that is in
    /// this one and older ones is in newer ones, or in the units' rows.
    round_began_at: i64,
    /// So many bytes are kept at least.
    much: usize,
    /// The slot that is looked at next, while a round lasts.
    next: Option<usize>,
    /// Bytes since the last round began, and before.
    bytes: usize,
    older_bytes: usize,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            newest: 0,
            round_began_at: 0,
            much: MUCH_JOURNAL,
            next: None,
            bytes: 0,
            older_bytes: 0,
        }
    }
}

/// The units in memory.
#[derive(Default)]
struct Open {
    units: Slab<Unit>,
    slots: HashTable<u32>,
    hasher: RandomState,
}

impl Open {
    fn find(&self, place: UnitPlace) -> Option<Slot> {
        let hash = self.hasher.hash_one(place);
        let same = |slot: &u32| self.units[*slot as usize].place == place;
        self.slots.find(hash, same).copied().map(Slot)
    }

    fn get(&self, place: UnitPlace) -> Option<&Unit> {
        self.find(place).map(|slot| &self.units[slot.0 as usize])
    }

    fn insert(&mut self, unit: Unit) -> Slot {
        let hash = self.hasher.hash_one(unit.place);
        let slot = u32::try_from(self.units.insert(unit)).expect("memory holds fewer units");
        let (units, hasher) = (&self.units, &self.hasher);
        self.slots.insert_unique(hash, slot, |slot| {
            hasher.hash_one(units[*slot as usize].place)
        });
        Slot(slot)
    }

    fn remove(&mut self, place: UnitPlace) -> Option<Unit> {
        let hash = self.hasher.hash_one(place);
        let same = |slot: &u32| self.units[*slot as usize].place == place;
        let found = self.slots.find_entry(hash, same).ok()?;
        let (slot, _) = found.remove();
        Some(self.units.remove(slot as usize))
    }
}

impl Units {
    /// Looks at units and does nothing else, so that the processor waits for the memory of many at once,
    /// where it would wait for each in turn when it works on them.
    pub(super) fn fetch(&self, places: impl Iterator<Item = UnitPlace>) {
        let Some(open) = &self.open else { return };
        let metrics = places
            .filter_map(|place| open.get(place))
            .flat_map(|unit| &unit.metrics);
        std::hint::black_box(metrics.filter(|metric| metric.had_event()).count());
    }

    /// A unit, which is taken to have changed, and whether it was never seen before. A new one
    /// belongs to `version`.
    pub(super) fn open(
        &mut self,
        connection: &Connection,
        place: UnitPlace,
        version: VersionKey,
    ) -> Result<(Slot, bool), StoreError> {
        self.note_epoch(connection, place)?;
        let open = self.opened(connection)?;
        let mut new = false;
        let slot = match open.find(place) {
            Some(slot) => slot,
            None => {
                let stored = stored::load(connection, place)?;
                new = stored.is_none();
                open.insert(stored.unwrap_or(Unit {
                    place,
                    version,
                    coin: Coin::LeftOut,
                    began: 0,
                    metrics: Vec::new(),
                    segments: Segments::default(),
                    covariates: Covariates::new(),
                    touched: false,
                    journaled: 0,
                }))
            }
        };
        if !std::mem::replace(&mut open.units[slot.0 as usize].touched, true) {
            self.touched.push(slot);
        }
        Ok((slot, new))
    }

    /// The unit at a slot that was opened for the present group.
    pub(super) fn at(&mut self, slot: Slot) -> &mut Unit {
        let open = self.open.get_or_insert_default();
        &mut open.units[slot.0 as usize]
    }

    /// Whether an event of the unit was counted in another epoch of the experiment.
    pub(super) fn had_event_elsewhere(
        &mut self,
        connection: &Connection,
        place: UnitPlace,
        at: usize,
    ) -> Result<bool, StoreError> {
        self.opened(connection)?;
        let (Some(open), Some(epochs)) = (&self.open, self.epochs.get(&place.experiment)) else {
            return Ok(false);
        };
        let mut elsewhere = false;
        for epoch in epochs.iter().copied().filter(|epoch| *epoch != place.epoch) {
            match open.get(UnitPlace { epoch, ..place }) {
                Some(unit) if unit.had_event(at) => return Ok(true),
                Some(_) => {}
                None => elsewhere = true,
            }
        }
        // What is in memory is newer than its row, and was looked at.
        let in_memory = |epoch| open.find(UnitPlace { epoch, ..place }).is_some();
        Ok(elsewhere && stored::had_event(connection, place, at, in_memory)?)
    }

    /// The epochs in which the unit was exposed beside the present one, and its arm there.
    pub(super) fn elsewhere(
        &mut self,
        connection: &Connection,
        place: UnitPlace,
    ) -> Result<Vec<(i64, VersionKey)>, StoreError> {
        self.opened(connection)?;
        let (Some(open), Some(epochs)) = (&self.open, self.epochs.get(&place.experiment)) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        let mut unknown = false;
        for epoch in epochs.iter().copied().filter(|epoch| *epoch != place.epoch) {
            match open.get(UnitPlace { epoch, ..place }) {
                Some(unit) => found.push((epoch, unit.version)),
                None => unknown = true,
            }
        }
        if unknown {
            for row in stored::elsewhere(connection, place)? {
                if !found.iter().any(|(epoch, _)| *epoch == row.0) {
                    found.push(row);
                }
            }
        }
        Ok(found)
    }

    /// Whether a unit was exposed in an experiment.
    pub(super) fn has(
        &mut self,
        connection: &Connection,
        (experiment, unit): (ExperimentKey, i64),
    ) -> Result<bool, StoreError> {
        // No epoch has this number.
        let place = UnitPlace {
            experiment,
            unit,
            epoch: i64::MIN,
        };
        if let Entry::Vacant(entry) = self.epochs.entry(experiment) {
            entry.insert(stored::epochs(connection, experiment)?);
        }
        Ok(!self.elsewhere(connection, place)?.is_empty())
    }

    /// Where a unit was exposed first in an experiment, and when, in microseconds, for the metric per unit at a place.
    pub(super) fn first(
        &mut self,
        connection: &Connection,
        (experiment, unit): (ExperimentKey, i64),
        at: usize,
    ) -> Result<Option<(UnitPlace, i64)>, StoreError> {
        self.opened(connection)?;
        let epochs = match self.epochs.get(&experiment) {
            Some(epochs) => epochs.clone(),
            None => {
                let known = stored::epochs(connection, experiment)?;
                self.epochs.entry(experiment).or_insert(known).clone()
            }
        };
        let mut missing = false;
        for epoch in epochs {
            let place = UnitPlace {
                experiment,
                unit,
                epoch,
            };
            match self.open.as_ref().and_then(|open| open.get(place)) {
                Some(known) => {
                    if let Some(made) = known.exposed_first(at) {
                        return Ok(Some((place, made)));
                    }
                }
                None => missing = true,
            }
        }
        if !missing {
            return Ok(None);
        }
        stored::first(connection, (experiment, unit), at)
    }

    /// The segments and covariates of a unit that was exposed in another epoch of the experiment.
    pub(super) fn known_elsewhere(
        &mut self,
        connection: &Connection,
        place: UnitPlace,
    ) -> Result<Option<(Segments, Covariates)>, StoreError> {
        let Some((epoch, _)) = self.elsewhere(connection, place)?.into_iter().next() else {
            return Ok(None);
        };
        let place = UnitPlace { epoch, ..place };
        if let Some(known) = self.open.as_ref().and_then(|open| open.get(place)) {
            return Ok(Some((known.segments.clone(), known.covariates.clone())));
        }
        let known = stored::load(connection, place)?;
        Ok(known.map(|known| (known.segments, known.covariates)))
    }

    fn note_epoch(&mut self, connection: &Connection, place: UnitPlace) -> Result<(), StoreError> {
        let epochs = match self.epochs.get_mut(&place.experiment) {
            Some(epochs) => epochs,
            None => {
                let known = stored::epochs(connection, place.experiment)?;
                self.epochs.entry(place.experiment).or_insert(known)
            }
        };
        // Nearly always the newest.
        if !epochs.iter().rev().any(|epoch| *epoch == place.epoch) {
            epochs.push(place.epoch);
        }
        Ok(())
    }

    /// The units in memory, after the journal is read.
    fn opened(&mut self, connection: &Connection) -> Result<&mut Open, StoreError> {
        if self.open.is_none() {
            let mut open = Open::default();
            let journal = &mut self.journal;
            stored::read_journal(
                connection,
                |seq, bytes| {
                    journal.newest = seq;
                    journal.bytes += bytes;
                },
                |unit| {
                    // A later row has the newer state.
                    match open.find(unit.place) {
                        Some(slot) => open.units[slot.0 as usize] = unit,
                        None => drop(open.insert(unit)),
                    }
                },
            )?;
            self.open = Some(open);
        }
        Ok(self.open.get_or_insert_default())
    }

    /// Appends the units of this group to the journal; where there are many units, or much journal, moves
    /// some of the others on.
    pub(super) fn write(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if self.touched.is_empty() {
            return Ok(());
        }
        // Numbered here, so that a number is not given again when the journal was emptied.
        let seq = self.journal.newest + 1;
        let mut bytes = Vec::with_capacity(self.touched.len() * 96);
        let moved_on = 2 * self.touched.len() + LEAST_MOVED_ON;
        for slot in self.touched.drain(..) {
            let unit = &mut open.units[slot.0 as usize];
            unit.touched = false;
            unit.journaled = seq;
            stored::append(unit, &mut bytes)?;
        }
        let ended = self.journal.renew(open, seq, moved_on, &mut bytes)?;
        stored::insert_journal(connection, seq, &bytes)?;
        self.journal.newest = seq;
        self.journal.bytes += bytes.len();
        if ended {
            stored::delete_journal(connection, self.journal.end_round())?;
        }
        if open.units.len() > self.many {
            self.write_rows(connection, moved_on)?;
        }
        Ok(())
    }

    /// Writes all units to their rows: none is in memory or in the journal afterwards.
    pub(super) fn settle(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let open = std::mem::take(self.opened(connection)?);
        let mut all: Vec<&Unit> = open.units.iter().map(|(_, unit)| unit).collect();
        all.sort_unstable_by_key(|unit| unit.place);
        for unit in all {
            stored::upsert(connection, unit)?;
        }
        stored::delete_journal(connection, i64::MAX)?;
        self.touched.clear();
        self.leaving.clear();
        self.journal = Journal {
            newest: self.journal.newest,
            much: self.journal.much,
            ..Journal::default()
        };
        Ok(())
    }

    /// Writes the next units to their rows, from where they come back when they are needed.
    fn write_rows(&mut self, connection: &Connection, count: usize) -> Result<(), StoreError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if self.leaving.is_empty() {
            self.leaving
                .extend(open.units.iter().map(|(_, unit)| unit.place));
            self.leaving.sort_unstable_by(|a, b| b.cmp(a));
        }
        let stay = self.leaving.len().saturating_sub(count);
        for place in self.leaving.drain(stay..).rev() {
            if let Some(unit) = open.remove(place) {
                stored::upsert(connection, &unit)?;
            }
        }
        Ok(())
    }
}

/// Renames a unit in its rows, of every experiment.
pub(in crate::sqlite) fn rename(
    connection: &Connection,
    old: i64,
    new: i64,
) -> Result<(), StoreError> {
    let mut select = connection.prepare_cached("SELECT experiment_key FROM experiments")?;
    let experiments = select.query_map([], |row| row.get(0))?;
    let experiments: Vec<i64> = experiments.collect::<Result<_, _>>()?;
    let mut update = connection.prepare_cached(
        "UPDATE experiment_units SET unit = ?3 WHERE experiment_key = ?1 AND unit = ?2",
    )?;
    for experiment in experiments {
        update.execute([experiment, old, new])?;
    }
    Ok(())
}

/// What was fixed of the units of an experiment: those in rows first, then what the journal has of them, which is newer.
pub(super) fn each(
    connection: &Connection,
    experiment: ExperimentKey,
    mut found: impl FnMut(UnitPlace, Facts),
) -> Result<(), StoreError> {
    let mut of = |unit: &Unit| {
        let facts = Facts {
            coin: unit.coin,
            began: unit.began,
            of: unit
                .metrics
                .iter()
                .map(|metric| metric.outcome.of)
                .collect(),
            segments: unit.segments.clone(),
            covariates: unit.covariates.clone(),
        };
        found(unit.place, facts);
    };
    stored::each_row(connection, experiment, &mut of)?;
    let mut of_journal = |unit: Unit| {
        if unit.place.experiment == experiment {
            of(&unit);
        }
    };
    stored::read_journal(connection, |_, _| {}, &mut of_journal)
}

impl Journal {
    /// Appends units again whose newest states are in rows from before the round. Begins a round where
    /// there is much; says whether one ends.
    fn renew(
        &mut self,
        open: &mut Open,
        seq: i64,
        count: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<bool, StoreError> {
        let much = self.much.max(JOURNAL_PER_UNIT * open.units.len());
        if self.next.is_none() {
            if self.bytes + self.older_bytes <= much {
                return Ok(false);
            }
            self.round_began_at = self.newest;
            self.older_bytes += std::mem::take(&mut self.bytes);
            self.next = Some(0);
        }
        let mut renewed = 0;
        let mut slot = self.next.unwrap_or(0);
        // Past the greatest slot all are written.
        let end = open
            .units
            .iter()
            .next_back()
            .map_or(0, |(last, _)| last + 1);
        while slot < end && renewed < count {
            if let Some(unit) = open.units.get_mut(slot)
                && unit.journaled <= self.round_began_at
            {
                unit.journaled = seq;
                stored::append(unit, bytes)?;
                renewed += 1;
            }
            slot += 1;
        }
        self.next = Some(slot);
        Ok(slot >= end)
    }

    /// The round is over; gives the newest row that can go.
    fn end_round(&mut self) -> i64 {
        self.next = None;
        self.older_bytes = 0;
        self.round_began_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evidence::Gain;
    use std::collections::HashMap;

    /// Units with room for few in memory, as after a start.
    fn few() -> Units {
        Units {
            many: 100,
            journal: Journal {
                much: 4096,
                ..Journal::default()
            },
            ..Units::default()
        }
    }

    #[test]
    fn a_unit_is_known_by_its_new_name_alone() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("../schema.sql"))
            .unwrap();
        let sql = "INSERT INTO experiments (experiment_id, name, status, definition, created_at) VALUES ('e', 'm', 'ended', '{}', 0)";
        connection.execute(sql, []).unwrap();
        let mut units = few();
        let place = |unit, epoch| UnitPlace {
            experiment: ExperimentKey(1),
            unit,
            epoch,
        };
        // Some in rows, some in the journal, one in two epochs.
        for unit in 0..300 {
            units
                .open(&connection, place(unit, 1), VersionKey(unit))
                .unwrap();
            units.write(&connection).unwrap();
        }
        units.open(&connection, place(7, 2), VersionKey(7)).unwrap();
        units.write(&connection).unwrap();
        units.settle(&connection).unwrap();
        rename(&connection, 7, -7).unwrap();
        let again = units.open(&connection, place(9, 1), VersionKey(0)).unwrap();
        assert!(!again.1);
        units.write(&connection).unwrap();
        for mut units in [units, few()] {
            for epoch in [1, 2] {
                let (slot, new) = units
                    .open(&connection, place(-7, epoch), VersionKey(0))
                    .unwrap();
                assert!(!new && units.at(slot).version == VersionKey(7));
                let (_, new) = units
                    .open(&connection, place(7, epoch), VersionKey(0))
                    .unwrap();
                assert!(new, "it comes as a stranger");
            }
            for unit in (0..300).filter(|unit| *unit != 7) {
                let (_, new) = units
                    .open(&connection, place(unit, 1), VersionKey(0))
                    .unwrap();
                assert!(!new, "unit {unit}");
            }
        }
    }

    #[test]
    fn nothing_is_lost_between_memory_journal_and_rows() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("../schema.sql"))
            .unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let mut units = few();
        let mut expected: HashMap<i64, UnitMetric> = HashMap::new();
        let mut rows_were_written = false;
        for group in 0..400 {
            for _ in 0..random.usize(1..20) {
                let number = random.i64(0..1000);
                let step = Gain {
                    before: None,
                    after: 0.0,
                    fresh: true,
                    delay: 0,
                    count: 1,
                    sum: random.f64().into(),
                    valued: true,
                    bad: random.bool(),
                    was_bad: false,
                    counted_elsewhere: false,
                };
                let place = UnitPlace {
                    experiment: ExperimentKey(1),
                    unit: number,
                    epoch: 1,
                };
                let (slot, new) = units.open(&connection, place, VersionKey(number)).unwrap();
                let unit = units.at(slot);
                assert_eq!(new, !expected.contains_key(&number));
                assert_eq!(unit.version, VersionKey(number));
                let known = expected.entry(number).or_default();
                known.take(0, &step, i64::MIN, |_, _| {});
                unit.metric(0).take(0, &step, i64::MIN, |_, _| {});
                assert_eq!(unit.metric(0), known);
            }
            units.write(&connection).unwrap();
            // A start, or a group that failed.
            if group % 37 == 0 {
                units = few();
            }
            let sql = "SELECT count(*) FROM experiment_units";
            let rows: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
            rows_were_written |= rows > 500;
        }
        assert!(rows_were_written, "no rows were written");
        let sql = "SELECT count(*) FROM unit_journal";
        let journal: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert!(journal < 100, "the journal has {journal} rows of 400");
        let mut units = few();
        for (number, known) in &expected {
            let place = UnitPlace {
                experiment: ExperimentKey(1),
                unit: *number,
                epoch: 1,
            };
            let (slot, _) = units.open(&connection, place, VersionKey(0)).unwrap();
            assert_eq!(units.at(slot).metric(0), known, "unit {number}");
        }
    }
}
