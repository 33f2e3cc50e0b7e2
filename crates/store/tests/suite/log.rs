//! The prediction log and its sums.

use crate::{Backend, Opened, append, append_entries, at, delete, entry_of, record, register};
use store::{PredictionFilter, Rollup};
use types::{PredictionId, Status, TimeRange, Timestamp, VersionKey};

const HOUR: i64 = 3_600_000_000;

async fn totals<S: Backend>(store: &S, range: TimeRange, version: VersionKey) -> Rollup {
    let all = store.totals(range).await.unwrap();
    all.into_iter()
        .find(|t| t.version == version)
        .map(|t| t.rollup)
        .unwrap_or_default()
}

pub(crate) async fn every_window_is_exact<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let versions = [
        register(store, 1, "1").await.key,
        register(store, 2, "2").await.key,
    ];
    let mut random = fastrand::Rng::with_seed(7);
    // Six days, so that minutes have been folded away; some minutes hold many, most hold none.
    let start = 1_700_000_000_000_000;
    let mut records = Vec::new();
    let mut time = start;
    for n in 0..3_000 {
        time += random.i64(1..2 * 144 * HOUR / 3_000);
        let mut record = record(
            versions[random.usize(..2)],
            time,
            random.f64(),
            random.u64(1..1 << 30),
        );
        match n % 10 {
            0 => record.outcome.answer = None,
            1 => record.outcome.answer.as_mut().unwrap().0 = VersionKey(99),
            _ => {}
        }
        records.push(record);
    }
    // One that comes late, into a minute that is gone.
    records.push(record(versions[0], start + 77, 0.5, 1_000));
    for record in &records {
        append(store, record.clone()).await;
    }

    let mut ranges = vec![TimeRange::ALL];
    for _ in 0..200 {
        let mut ends = [
            start + random.i64(-HOUR..150 * HOUR),
            start + random.i64(-HOUR..150 * HOUR),
        ];
        ends.sort_unstable();
        let [since, until] = ends.map(|end| Some(Timestamp::from_micros(end)));
        let open = random.u8(..6);
        ranges.push(TimeRange {
            since: since.filter(|_| open != 0),
            until: until.filter(|_| open != 1),
        });
    }
    for range in ranges {
        for version in versions {
            let inside = records.iter().filter(|r| {
                let time = r.id.time();
                r.version == version
                    && range.since.is_none_or(|since| time >= since)
                    && range.until.is_none_or(|until| time < until)
            });
            let (mut count, mut errors, mut fallbacks, mut latency, mut confidence) =
                (0, 0, 0, 0, 0.0);
            for r in inside {
                count += 1;
                latency += r.outcome.latency_ns.unwrap();
                match r.status() {
                    Status::Ok => {
                        confidence += r.outcome.answer.as_ref().unwrap().1.confidence.unwrap()
                    }
                    Status::Fallback => fallbacks += 1,
                    Status::Error => errors += 1,
                    Status::Rejected => unreachable!("nothing was"),
                }
            }
            let got = totals(store, range, version).await;
            assert_eq!(
                (
                    got.count,
                    got.errors,
                    got.fallbacks,
                    got.latency_sum_ns,
                    got.latency.count()
                ),
                (count, errors, fallbacks, latency, count),
                "{range:?}"
            );
            assert!((got.confidence_sum - confidence).abs() < 1e-9, "{range:?}");
        }
    }
    let report = opened.verify().await;
    assert_eq!(report.problems, [""; 0]);
    assert_eq!(report.predictions, 3_001);
}

pub(crate) async fn predictions_are_read_back_and_filtered<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let one = register(store, 1, "1").await;
    let two = register(store, 2, "2").await;
    for second in 0..10 {
        let key = if second % 2 == 0 { one.key } else { two.key };
        append(store, record(key, second * 1_000_000, 0.5, 5)).await;
    }
    let id = record(one.key, 0, 0.5, 5).id;
    let found = store.prediction(id).await.unwrap().unwrap();
    assert_eq!(
        (found.model_id, found.served_model_id),
        (one.model_id, Some(one.model_id))
    );
    let other = PredictionId::new(id.order(), id.random() + 1);
    assert_eq!(store.prediction(other).await.unwrap(), None);

    let list = async |filter| {
        let found = store.predictions(filter).await.unwrap();
        found
            .iter()
            .map(|p| p.id.time().seconds())
            .collect::<Vec<_>>()
    };
    let all = PredictionFilter {
        limit: 100,
        ..PredictionFilter::default()
    };
    assert_eq!(list(all.clone()).await, (0..10).rev().collect::<Vec<_>>());
    let of_two = PredictionFilter {
        model_id: Some(two.model_id),
        ..all.clone()
    };
    assert_eq!(list(of_two).await, [9, 7, 5, 3, 1]);
    let range = TimeRange {
        since: Some(at(3)),
        until: Some(at(5)),
    };
    assert_eq!(
        list(PredictionFilter {
            range,
            ..all.clone()
        })
        .await,
        [4, 3]
    );
    let failed = PredictionFilter {
        status: Some(Status::Error),
        ..all.clone()
    };
    assert_eq!(list(failed).await, [0; 0]);
    let newest = store.predictions(all.clone()).await.unwrap()[0].id;
    let page = PredictionFilter {
        before: Some(newest),
        limit: 2,
        ..all
    };
    assert_eq!(list(page).await, [8, 7]);
    assert_eq!(store.newest_order().await.unwrap(), newest.order());
}

pub(crate) async fn positions_count_once_and_what_cannot_be_stored_is_set_aside<S: Backend>(
    opened: Opened<S>,
) {
    let store = &opened.store;
    let version = register(store, 1, "1").await.key;
    append(store, record(version, 1, 0.5, 5)).await;
    // A repeated id, a version that never was, and what is no entry, among others that are well.
    let mut group: Vec<Vec<u8>> = (2..40)
        .map(|n| entry_of(&record(version, n, 0.5, 5)))
        .collect();
    group[7] = entry_of(&record(version, 1, 0.5, 5));
    group[20] = entry_of(&record(VersionKey(77), 500, 0.5, 5));
    group[21] = b"nothing that was ever written".to_vec();
    let appended = append_entries(store, group.clone()).await.unwrap();
    let positions: Vec<u64> = appended
        .set_aside
        .iter()
        .map(|(position, _)| *position)
        .collect();
    assert_eq!(positions, [9, 22, 23]);
    assert_eq!(store.position(), 39);
    assert_eq!(totals(store, TimeRange::ALL, version).await.count, 36);
    let aside = store.set_aside(0, 10).await.unwrap();
    assert_eq!(
        aside.iter().map(|entry| entry.position).collect::<Vec<_>>(),
        positions
    );
    assert!(aside[1].reason.contains("no version"), "{aside:?}");
    assert_eq!(store.log_state().await.unwrap().set_aside, 3);
    assert_eq!(store.retry_set_aside(at(9)).await.unwrap(), 0);
    // What was counted is not counted again, even by a new process.
    let store = opened.reopen().await;
    assert_eq!(store.position(), 39);
    append(&store, record(version, 900, 0.5, 5)).await;
    assert_eq!(totals(&store, TimeRange::ALL, version).await.count, 37);
    assert_eq!(opened.verify().await.problems, [""; 0]);
}

pub(crate) async fn predictions_are_read_on_from_a_position<S: Backend>(opened: Opened<S>) {
    let mut store = opened.store.clone();
    let version = register(&store, 1, "1").await.key;
    let mut random = fastrand::Rng::with_seed(9);
    let mut written = Vec::new();
    let mut group = |random: &mut fastrand::Rng, count: i64| -> Vec<Vec<u8>> {
        let mut entries = Vec::new();
        for _ in 0..count {
            // Ids were given up to ten seconds before, and nothing has the same.
            let n = written.len() as i64;
            let micros = n * 100_000 - random.i64(0..100) * 100_000 + 20_000_000;
            let mut record = record(version, micros, 0.5, 5);
            record.id = PredictionId::new(record.id.order() + n as u64 % 4096, n as u64);
            entries.push(entry_of(&record));
            written.push(record.id);
        }
        entries
    };
    for count in [1, 700, 4000, 30, 5000] {
        let entries = group(&mut random, count);
        let appended = append_entries(&store, entries).await.unwrap();
        assert_eq!(appended.set_aside, []);
        if count == 30 {
            store = opened.reopen().await;
        }
    }
    let (mut position, mut read) = (0, Vec::new());
    loop {
        let limit = random.u32(1..900);
        let page = store.predictions_after(position, limit).await.unwrap();
        let Some(last) = page.last() else { break };
        position = last.position.unwrap();
        read.extend(page.into_iter().map(|found| found.id));
    }
    assert_eq!(read, written);
    assert_eq!((position, opened.verify().await.problems), (9731, vec![]));
}

pub(crate) async fn rejected_inputs_have_no_latency<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let version = register(store, 1, "1").await.key;
    append(store, record(version, 1, 0.5, 4_000_000)).await;
    let mut refused = record(version, 2, 0.5, 100_000_000);
    (refused.outcome.answer, refused.outcome.rejected) = (None, true);
    refused.outcome.error = Some("no text".into());
    append(store, refused.clone()).await;
    let rollup = totals(store, TimeRange::ALL, version).await;
    assert_eq!((rollup.count, rollup.errors, rollup.rejected), (2, 0, 1));
    assert_eq!(
        (rollup.mean_latency_ms(), rollup.latency.count()),
        (Some(4.0), 1)
    );
    let found = store.prediction(refused.id).await.unwrap().unwrap();
    assert_eq!(
        (found.status, found.error.as_deref()),
        (Status::Rejected, Some("no text"))
    );
    for (status, expected) in [(Status::Ok, 1), (Status::Rejected, 1), (Status::Error, 0)] {
        let filter = PredictionFilter {
            status: Some(status),
            limit: 10,
            ..PredictionFilter::default()
        };
        assert_eq!(
            store.predictions(filter).await.unwrap().len(),
            expected,
            "{status}"
        );
    }
    assert_eq!(opened.verify().await.problems, [""; 0]);
}

pub(crate) async fn entries_of_deleted_versions_are_dropped_and_counted<S: Backend>(
    opened: Opened<S>,
) {
    let store = &opened.store;
    let one = register(store, 1, "1").await;
    let two = register(store, 2, "2").await;
    append(store, record(one.key, 1, 0.5, 5)).await;
    delete(store, one.model_id).await;
    // The call was under way.
    let group = [one.key, two.key].map(|key| entry_of(&record(key, 2 + key.0, 0.5, 5)));
    let appended = append_entries(store, group.to_vec()).await.unwrap();
    assert_eq!(appended.dropped, 1);
    assert_eq!(store.log_state().await.unwrap().dropped, 1);
    store.tidied().await;
    let report = opened.verify().await;
    assert_eq!((report.predictions, report.problems), (1, vec![]));
}

pub(crate) async fn what_is_rare_is_found_in_its_hours<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let one = register(store, 1, "1").await;
    let two = register(store, 2, "2").await;
    let mut random = fastrand::Rng::with_seed(3);
    let mut records = Vec::new();
    // Two days; the second version and failures are rare.
    for n in 0..2_000 {
        let key = if random.u8(..) == 0 { two.key } else { one.key };
        let mut record = record(key, n * 86_400_000 + random.i64(0..86_400_000), 0.5, 5);
        match random.u8(..) {
            0..4 => record.outcome.answer = None,
            4..8 => record.outcome.answer.as_mut().unwrap().0 = VersionKey(99),
            8..12 => (record.outcome.answer, record.outcome.rejected) = (None, true),
            _ => {}
        }
        append(store, record.clone()).await;
        records.push(record);
    }
    let versions = [None, Some(&one), Some(&two)];
    let statuses = [
        None,
        Some(Status::Ok),
        Some(Status::Fallback),
        Some(Status::Error),
        Some(Status::Rejected),
    ];
    for (version, status) in versions.iter().flat_map(|v| statuses.map(|s| (v, s))) {
        let since = random.bool().then(|| at(random.i64(0..172_800)));
        let until = random.bool().then(|| at(random.i64(0..172_800)));
        let limit = if random.bool() { 10_000 } else { 7 };
        let fits = records.iter().rev().filter(|r| {
            version.is_none_or(|v| v.key == r.version)
                && status.is_none_or(|s| s == r.status())
                && since.is_none_or(|since| r.id.time() >= since)
                && until.is_none_or(|until| r.id.time() < until)
        });
        let want: Vec<_> = fits.map(|r| r.id).take(limit).collect();
        let filter = PredictionFilter {
            version: version.map(|v| v.version.clone()),
            status,
            range: TimeRange { since, until },
            limit: limit as u32,
            ..PredictionFilter::default()
        };
        let got = store.predictions(filter.clone()).await.unwrap();
        let got: Vec<_> = got.into_iter().map(|p| p.id).collect();
        assert_eq!(got, want, "{filter:?}");
    }
}

pub(crate) async fn calls_that_have_begun_wait_for_their_outcome<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let version = register(store, 1, "1").await;
    let begun = |n: i64| {
        let mut call = record(version.key, 1_700_000_000_000_000 + n, 0.5, 5);
        call.outcome = types::Outcome::default();
        let mut bytes = Vec::new();
        store::entry::encode_begun(&call, at(0), &mut bytes);
        bytes
    };
    let entries: Vec<Vec<u8>> = (0..4).map(begun).collect();
    append_entries(store, entries.clone()).await.unwrap();
    assert_eq!(store.begun().await.unwrap(), entries);
    // None of them is a prediction yet.
    let all = TimeRange::default();
    assert_eq!(totals(store, all, version.key).await.count, 0);
    // One is answered, one breaks off; one begins and ends within a group, with an outcome that comes twice.
    let answered = entry_of(&record(version.key, 1_700_000_000_000_000, 0.5, 5));
    let broken = store::entry::broken_off(&entries[1], "the server ended", at(9)).unwrap();
    let late = entry_of(&record(version.key, 1_700_000_000_000_009, 0.5, 5));
    append_entries(store, vec![answered, broken, begun(9), late])
        .await
        .unwrap();
    assert_eq!(store.begun().await.unwrap(), entries[2..]);
    let rollup = totals(store, all, version.key).await;
    assert_eq!((rollup.count, rollup.errors), (3, 1));
    // What is set aside ends nothing; what is of a deleted version does.
    let unknown = entry_of(&record(VersionKey(99), 1_700_000_000_000_002, 0.5, 5));
    let appended = append_entries(store, vec![unknown]).await.unwrap();
    assert_eq!(appended.set_aside.len(), 1);
    assert_eq!(store.begun().await.unwrap(), entries[2..]);
    delete(store, version.model_id).await;
    let broken = store::entry::broken_off(&entries[2], "", at(9)).unwrap();
    append_entries(store, vec![broken]).await.unwrap();
    assert_eq!(store.begun().await.unwrap(), entries[3..]);
}

pub(crate) async fn shadows_stand_beside_what_they_mirror<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let (one, two) = (register(store, 1, "1").await, register(store, 2, "2").await);
    let answered = record(one.key, 1_700_000_000_000_000, 0.5, 5);
    let shadow = |n: i64, of: types::PredictionId| {
        let made = record(two.key, 1_700_000_000_000_000 + n, 0.7, 9);
        let shadow = types::ShadowRecord {
            kept: types::KeptPart::Full,
            id: made.id,
            version: two.key,
            share: 0.2,
            mirrors: of,
            outcome: made.outcome,
        };
        let mut bytes = Vec::new();
        store::entry::encode_shadow(&shadow, at(0), &mut bytes);
        bytes
    };
    let nothing = PredictionId::new(7, 7);
    let entries = vec![
        entry_of(&answered),
        shadow(1, answered.id),
        shadow(2, nothing),
    ];
    append_entries(store, entries).await.unwrap();
    let query = |limit| store::ShadowQuery {
        version: two.key,
        experiment: None,
        range: TimeRange::ALL,
        limit,
    };
    let pairs = store.shadow_pairs(query(9)).await.unwrap();
    assert_eq!(pairs.len(), 1);
    assert_eq!(
        (pairs[0].mirrors, pairs[0].served),
        (answered.id, Some(one.key))
    );
    assert_eq!(
        (pairs[0].answer.confidence, pairs[0].shadow.confidence),
        (Some(0.5), Some(0.7))
    );
    assert_eq!(
        (pairs[0].shadow.status, pairs[0].shadow.latency_ns),
        (Status::Ok, Some(9))
    );
    assert_eq!(pairs[0].chosen, one.key);
    // By what they mirror they are found as well, and what mirrors something else is not.
    let of_one = store.shadows_of(answered.id).await.unwrap();
    let expected = store::ShadowOf {
        version: two.key,
        answer: pairs[0].shadow.clone(),
        error: None,
    };
    assert_eq!(of_one, [expected]);
    assert_eq!(store.shadows_of(PredictionId::new(1, 1)).await.unwrap(), []);
    let experiment = Some(types::ExperimentKey(7));
    let of_another = store::ShadowQuery {
        experiment,
        ..query(9)
    };
    assert_eq!(store.shadow_pairs(of_another).await.unwrap(), []);
    // They are no predictions.
    assert_eq!(totals(store, TimeRange::ALL, two.key).await.count, 0);
    // An id comes once, and a version is one that there was.
    let again = append_entries(store, vec![shadow(1, answered.id)])
        .await
        .unwrap();
    assert_eq!(again.set_aside.len(), 1);
    assert_eq!(store.shadow_pairs(query(0)).await.unwrap(), []);
    delete(store, two.model_id).await;
    let late = append_entries(store, vec![shadow(3, answered.id)])
        .await
        .unwrap();
    assert_eq!(late.dropped, 1);
}
