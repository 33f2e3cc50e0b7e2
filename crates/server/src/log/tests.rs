//! Power cuts: the journal on a disk that loses, tears and flips, before a real database that a power cut
//! takes back to where it was last synced.

use super::Log;
use crate::{Clock, Durability};
use catalog::{Command, NewVersion, decide};
use fastrand::Rng;
use journal::faulty::{Fault, FaultyDisk};
use journal::{Journal, Opened, Options};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{LogStore, ModelStore, PredictionFilter, Store};
use types::{
    Accuracy, Input, ModelId, ModelName, ModelState, Outcome, Output, PredictionId,
    PredictionRecord, Reason, RuntimeSpec, Timestamp, VersionKey, VersionName,
};

const ROUNDS: u64 = 100;
/// How long a disk may take that has other things to do.
const PATIENCE: Duration = Duration::from_secs(600);

fn options() -> Options {
    Options {
        segment_bytes: 16 << 10,
        max_bytes: 1 << 20,
        largest_bytes: 2 << 10,
        synced: true,
        may_be_missing: false,
    }
}

async fn register(store: &Store) -> VersionKey {
    let key = VersionKey(1);
    let register = Command::Register(Box::new(NewVersion {
        key,
        model_id: ModelId::from_bits(1),
        version: VersionName::parse("1").unwrap(),
        described: types::Described::default(),
        accuracy: Accuracy::new(0.5).unwrap(),
        runtime: RuntimeSpec::default(),
        salt: "salt".into(),
    }));
    let state = ModelState::new(ModelName::parse("m").unwrap());
    let decided = decide(&state, &register, Timestamp::from_micros(0)).unwrap();
    let change = decided.unwrap().change;
    assert_eq!(store.apply(vec![change]).await.unwrap(), [Ok(())]);
    key
}

fn record(order: u64, version: VersionKey, random: &mut Rng) -> PredictionRecord {
    let output = Output {
        prediction: types::Json::text("positive"),
        confidence: Some(random.f64()),
        outputs: None,
    };
    PredictionRecord {
        kept: types::Kept::default(),
        id: PredictionId::new(order, 7),
        version,
        reason: Reason::Weights,
        experiment: None,
        epoch: 0,
        propensity: 1.0,
        unit_id: None,
        attributes: types::Attributes::default(),
        alias: None,
        request: None,
        made_at: None,
        decided_at: None,
        input: Input::Text("x".repeat(random.usize(1..400))),
        outcome: Outcome {
            answer: Some((version, output)),
            latency_ns: Some(random.u64(1..1000)),
            ..Outcome::default()
        },
    }
}

/// A server's log after a start.
struct Started {
    store: Store,
    log: Log,
    opened: Opened,
}

fn start(directory: &Path, disk: &FaultyDisk) -> Started {
    let store = Store::open(directory).unwrap();
    let disk = Arc::new(disk.clone());
    let position = store.position();
    let (journal, opened) = Journal::open(disk, options(), store.server(), position).unwrap();
    let clock = Clock::new(|| Timestamp::from_micros(5));
    let log = Log::start(
        journal,
        store.clone(),
        clock,
        Durability::Fsync,
        Arc::default(),
    )
    .unwrap();
    Started { store, log, opened }
}

/// The files of a database that is being written, as they are now.
fn copy(directory: &Path) -> [Option<Vec<u8>>; 2] {
    ["weir.db", "weir.db-wal"].map(|name| std::fs::read(directory.join(name)).ok())
}

/// What a power cut leaves of a copy: of the write-ahead log what was synced, and some of the rest perhaps.
fn cut_power([database, log]: [Option<Vec<u8>>; 2], to: &Path, synced: usize, random: &mut Rng) {
    if let Some(database) = database {
        std::fs::write(to.join("weir.db"), database).unwrap();
    }
    if let Some(mut log) = log {
        log.truncate(random.usize(synced.min(log.len())..=log.len()));
        std::fs::write(to.join("weir.db-wal"), log).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn power_cuts_lose_nothing_that_was_answered_under_fsync() {
    let (mut answered_in_all, mut told_in_all) = (0, 0);
    for round in 0..ROUNDS {
        let mut random = Rng::with_seed(round);
        let fault = [Fault::DropUnsynced, Fault::Tear, Fault::FlipBit][round as usize % 3];
        let mut disk = FaultyDisk::default();
        let mut directory = tempfile::tempdir().unwrap();
        let mut given: BTreeMap<u64, PredictionId> = BTreeMap::new();
        let mut answered: BTreeMap<u64, PredictionId> = BTreeMap::new();
        let (mut version, mut flips, mut order) = (None, 0, 0);
        for _ in 0..random.u32(2..4) {
            let Started { store, log, opened } = start(directory.path(), &disk);
            log.catch_up(PATIENCE).await.unwrap();
            let state = store.log_state().await.unwrap();
            let told = state.missing + opened.cut.map_or(0, |cut| cut.positions.count() as u64);
            check(&store, &answered, told, flips).await;
            told_in_all += told;
            let version = match version {
                Some(version) => version,
                None => *version.insert(register(&store).await),
            };
            // What the database has synced so far is what a power cut leaves of it at least.
            let synced = std::fs::metadata(directory.path().join("weir.db-wal"));
            let synced = synced.map_or(0, |log| log.len() as usize);
            let shrunk = disk.shrunk();
            for _ in 0..random.u32(1..80) {
                order += 1;
                let deadline = Instant::now() + PATIENCE;
                let mut room = log.reserve(1000, deadline).await.unwrap();
                let record = record(order, version, &mut random);
                let position = log
                    .append(&mut room, &record, Timestamp::from_micros(5))
                    .unwrap();
                assert!(
                    answered.range(position..).next().is_none(),
                    "{position} was given again"
                );
                given.insert(position, record.id);
                if random.u8(..5) == 0 {
                    log.write_out(position).await.unwrap();
                    log.confirm(position..=position, deadline).await.unwrap();
                    answered.extend(given.range(..=position).map(|(p, id)| (*p, *id)));
                }
            }
            let next = tempfile::tempdir().unwrap();
            // At the same moment, as far as one thread can: one of both is a little behind. That may be the
            // database, unless the journal let something go in between because the database had it.
            let database_first = random
                .bool()
                .then(|| (disk.shrunk(), copy(directory.path())));
            let (left, flipped) = disk.cut_power(fault, &mut random);
            let now = disk.shrunk();
            let copied = match database_first {
                Some((before, copied)) if before == now => copied,
                _ => copy(directory.path()),
            };
            // The database was synced before the journal let something go; it is not known how much of it.
            let synced = if now == shrunk { synced } else { usize::MAX };
            cut_power(copied, next.path(), synced, &mut random);
            disk = left;
            flips += u64::from(flipped.is_some());
            log.close().await.unwrap();
            store.close().await.unwrap();
            directory = next;
            given.retain(|position, _| answered.contains_key(position));
        }
        answered_in_all += answered.len();
        let Started { store, log, opened } = start(directory.path(), &disk);
        log.catch_up(PATIENCE).await.unwrap();
        let state = store.log_state().await.unwrap();
        let told = state.missing + opened.cut.map_or(0, |cut| cut.positions.count() as u64);
        check(&store, &answered, told, flips).await;
        log.close().await.unwrap();
        store.close().await.unwrap();
        let report = store::verify(directory.path()).unwrap();
        assert_eq!(report.problems, [""; 0], "round {round}");
    }
    assert!(answered_in_all > 2_000, "{answered_in_all}");
    assert!(told_in_all > 0, "no damage was ever told");
}

/// All that was answered is there, but for what a flipped bit took, and that is told.
async fn check(store: &Store, answered: &BTreeMap<u64, PredictionId>, told: u64, flips: u64) {
    let filter = PredictionFilter {
        limit: 100_000,
        ..PredictionFilter::default()
    };
    let stored = store.predictions(filter).await.unwrap();
    let mut ids: Vec<PredictionId> = stored.iter().map(|prediction| prediction.id).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "a prediction is stored twice");
    let lost = answered
        .values()
        .filter(|id| ids.binary_search(id).is_err())
        .count() as u64;
    assert!(
        lost <= flips,
        "{lost} answers are lost, {flips} bits flipped"
    );
    assert!(lost <= told, "{lost} answers are lost, {told} were told");
}
