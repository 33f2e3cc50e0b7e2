//! What is removed, and what stays: retention, and the erasure of units. Of SQLite's own: nothing else keeps anything for long.

use crate::compare::Both;
use crate::{
    Backend, Opened, append, append_entries, at, entry_of, name, open_sqlite, record, register,
};
use catalog::{SettingsCommand, decide_settings};
use std::path::Path;
use store::entry::{FeedbackEntry, encode_feedback, encode_shadow};
use store::{
    Feedback, FeedbackContent, FeedbackOf, FeedbackRefusal, LogStore, ModelStore, PredictionFilter,
    Retain, Store, UnitFeedback, VerifyReport,
};
use types::{
    ErasureId, Input, Json, KeptPart, MetricName, NewErasure, PredictionId, PredictionRecord,
    Reason, ReceiptId, RequestId, RequestKey, TimeRange, Timestamp, UnitId,
};

fn unit(text: &str) -> UnitId {
    UnitId::parse(text).unwrap()
}

/// Asks for an erasure of what has been made up to a moment, and of what came up to a position.
async fn erase(
    store: &Store,
    who: &str,
    number: u64,
    until: Timestamp,
    position: u64,
) -> ErasureId {
    let id = ErasureId::from_bits(number);
    let new = NewErasure {
        id,
        unit: unit(who),
        pseudonym: format!("erased:{number:032x}"),
        until_order: PredictionId::order_at(until),
        position,
    };
    set(store, SettingsCommand::BeginErasure(Box::new(new)), until).await;
    id
}

async fn set(store: &Store, command: SettingsCommand, now: Timestamp) {
    let settings = store.settings().await.unwrap();
    let decided = decide_settings(&settings, &command, now).unwrap().unwrap();
    store.apply_settings(decided.change).await.unwrap().unwrap();
}

async fn tidy_once(store: &Store) {
    let store = store.clone();
    tokio::task::spawn_blocking(move || store.tidy().unwrap())
        .await
        .unwrap();
}

fn clean(report: &VerifyReport, when: &str) {
    assert_eq!(report.problems, [""; 0], "{when}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_leaves_sums_that_can_be_counted_again() {
    let mut erased_rows = 0;
    for seed in 0..6 {
        let mut world = Both::new(seed);
        world.begin().await;
        let mut open = Vec::new();
        for round in 0..30 {
            let entries = world.entries();
            let store = world.sqlite.store.clone();
            // Some of what is erased is still in the journal, and some is yet to come.
            let ahead = world.random.usize(..entries.len() + 1);
            let (before, after) = entries.split_at(ahead);
            append_entries(&store, before.to_vec()).await.unwrap();
            if world.random.u8(..3) == 0 {
                let who = format!("user-{}", world.random.u8(..6));
                let until = at(world.now - world.random.i64(-30..30));
                let position = store.position() + world.random.u64(..after.len() as u64 + 1);
                let number = seed << 8 | round;
                open.push(erase(&store, &who, number, until, position).await);
                if world.random.bool() {
                    tidy_once(&store).await;
                }
                clean(&world.sqlite.verify().await, "while it is under way");
            }
            append_entries(&store, after.to_vec()).await.unwrap();
            clean(
                &world.sqlite.verify().await,
                &format!("seed {seed}, round {round}"),
            );
            if world.random.u8(..4) == 0 {
                store.tidied().await;
                clean(&world.sqlite.verify().await, "after the walk");
                for id in open.drain(..) {
                    let erasure = store.erasure(id).await.unwrap().unwrap();
                    assert!(erasure.is_walked());
                    erased_rows += erasure.predictions;
                    let (predictions, others) = (erasure.predictions, erasure.others);
                    let end = SettingsCommand::EndErasure(id, predictions, others);
                    set(&store, end, at(world.now)).await;
                }
            }
            if world.random.u8(..6) == 0 {
                world.change(round as i64).await;
            }
            if world.random.u8(..8) == 0 {
                world.sqlite.store = world.sqlite.reopen().await;
            }
        }
    }
    assert!(erased_rows > 100, "{erased_rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_again_after_an_erasure_is_somebody_else() {
    let opened = open_sqlite();
    let store = &opened.store;
    let spent = types::Metric {
        name: types::MetricName::parse("spent").unwrap(),
        window_seconds: 3600,
        per: types::Per::Unit,
        missing: types::Missing::Zero,
        ..crate::experiments::score()
    };
    let scales = vec![Some(types::Scale {
        floor: 0.0,
        cap: 10.0,
        centre: 0.5,
        line: None,
    })];
    let (experiment, _) = crate::experiments::running_on(store, vec![spent], scales).await;
    let prediction = |seconds: i64| PredictionRecord {
        reason: Reason::Experiment,
        experiment: Some(experiment.key),
        epoch: 1,
        unit_id: Some(unit("a")),
        ..record(
            experiment.definition.arms[1].key,
            seconds * 1_000_000,
            0.5,
            5,
        )
    };
    let sale = |n: i64| Feedback {
        of: FeedbackOf::Unit(Box::new(UnitFeedback {
            name: None,
            unit: unit("a"),
            at: None,
            outcome: RequestId::parse(&format!("sale {n}")).ok(),
        })),
        content: FeedbackContent::Value(types::MetricName::parse("spent").unwrap(), 1.0),
        replace: false,
    };
    append(store, prediction(100)).await;
    // So many that what they make the unit worth is kept in memory.
    for n in 0..8 {
        crate::feedback(store, vec![sale(n)], at(110 + n))
            .await
            .remove(0)
            .unwrap();
    }
    erase(store, "a", 1, at(200), store.position()).await;
    store.tidied().await;
    clean(&opened.verify().await, "after the erasure");
    append(store, prediction(300)).await;
    crate::feedback(store, vec![sale(9)], at(310))
        .await
        .remove(0)
        .unwrap();
    clean(&opened.verify().await, "when the name comes again");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_who_is_erased_is_left_in_the_files() {
    let Opened { store, directory } = open_sqlite();
    let directory = directory.unwrap();
    let version = register(&store, 1, "1").await;
    let revenue = types::Metric {
        name: MetricName::parse("revenue").unwrap(),
        per: types::Per::Unit,
        ..crate::experiments::score()
    };
    crate::experiments::declare(&store, revenue).await;
    let mut entries = Vec::new();
    let mut ids = Vec::new();
    for n in 1..201 {
        let who = ["alice@example.org", "bob@example.org"][n as usize % 2];
        let mut record = record(version.key, n * 1_000_000, 0.5, 5);
        record.unit_id = Some(unit(who));
        // A long one spills onto pages of its own.
        let text = format!("the words of {who} ").repeat(if n % 10 < 2 { 400 } else { 1 });
        record.input = Input::Text(text);
        record.attributes = serde_json::from_str(&format!(r#"{{"mail": "{who}"}}"#)).unwrap();
        record.request = Some(RequestKey {
            id: RequestId::parse(&format!("order of {who} {n}")).unwrap(),
            body: n as u64,
        });
        if let Some((_, output)) = &mut record.outcome.answer {
            output.prediction = Json::text(&format!("said to {who}"));
            output.outputs = Json::parse(format!(r#"{{"to": "{who}"}}"#)).ok();
        }
        ids.push(record.id);
        entries.push(entry_of(&record));
        let mut shadow = Vec::new();
        let made = types::ShadowRecord {
            id: PredictionId::new(record.id.order() + 1, 7),
            version: version.key,
            share: 1.0,
            mirrors: record.id,
            outcome: record.outcome.clone(),
            kept: KeptPart::Full,
        };
        encode_shadow(&made, record.id.time(), &mut shadow);
        entries.push(shadow);
        let values = [
            FeedbackOf::Prediction(record.id),
            FeedbackOf::Unit(Box::new(UnitFeedback {
                name: None,
                unit: unit(who),
                at: None,
                outcome: RequestId::parse(&format!("sale to {who} {n}")).ok(),
            })),
        ];
        let [label, sale] = values;
        let values = vec![
            Feedback {
                of: label,
                content: FeedbackContent::Label(Json::text(&format!("{who} is right"))),
                replace: false,
            },
            // It is refused, and its receipt says what is there.
            Feedback {
                of: FeedbackOf::Prediction(record.id),
                content: FeedbackContent::Label(Json::text(&format!("{who} is wrong"))),
                replace: false,
            },
            Feedback {
                of: sale,
                content: FeedbackContent::Value(MetricName::parse("revenue").unwrap(), 5.0),
                replace: false,
            },
        ];
        let request = FeedbackEntry {
            receipt: ReceiptId::new(at(n), n as u64),
            part: 0,
            parts: 1,
            values: (1..).zip(values).collect(),
        };
        let mut bytes = Vec::new();
        encode_feedback(&request, at(n), &mut bytes);
        entries.push(bytes);
        // What cannot be understood is set aside as it stands.
        if n % 50 == 0 {
            entries.push(format!("garbage of {who}").into_bytes());
        }
    }
    let (stored, waiting) = entries.split_at(400);
    append_entries(&store, stored.to_vec()).await.unwrap();
    let position = store.position() + waiting.len() as u64;
    let id = erase(&store, "alice@example.org", 1, at(1000), position).await;
    store.tidied().await;
    append_entries(&store, waiting.to_vec()).await.unwrap();
    store.tidied().await;
    let erasure = store.erasure(id).await.unwrap().unwrap();
    assert!(erasure.is_walked());
    assert!((50..100).contains(&erasure.predictions), "{erasure:?}");
    let end = SettingsCommand::EndErasure(id, erasure.predictions, erasure.others);
    set(&store, end, at(1001)).await;
    let all = PredictionFilter {
        limit: 1000,
        ..PredictionFilter::default()
    };
    let all = store.predictions(all).await.unwrap();
    assert_eq!(all.len(), 200);
    let gone: Vec<_> = all
        .iter()
        .filter(|p| p.kept.input == KeptPart::Erased)
        .collect();
    assert_eq!(gone.len(), 100);
    for p in gone {
        assert_eq!(
            p.unit_id.as_deref(),
            Some("erased:00000000000000000000000000000001")
        );
        assert!(p.prediction.is_none() && p.outputs.is_none() && p.request.is_none());
        assert!(p.attributes.is_empty() && p.served_model_id.is_some());
    }
    // What is known of the answer is not known to be compared any more, and sums stay as they were.
    let label = Feedback {
        of: FeedbackOf::Prediction(ids[1]),
        content: FeedbackContent::Label("positive".into()),
        replace: true,
    };
    let answer = crate::feedback(&store, vec![label], at(1002)).await;
    assert_eq!(answer, [Err(FeedbackRefusal::AnswerNotKept)]);
    let totals = store.totals(TimeRange::ALL).await.unwrap();
    assert_eq!(
        (totals[0].rollup.count, totals[0].rollup.labelled),
        (200, 166)
    );
    clean(&store::verify(directory.path()).unwrap(), "at the end");
    store.close().await.unwrap();
    drop(store);
    let found = |what: &str| in_files(directory.path(), what);
    std::fs::copy(directory.path().join("weir.db"), "/tmp/erased.db").unwrap();
    assert!(found("bob@example.org") > 500);
    assert_eq!(found("alice@example.org"), 0);
}

/// How often a text stands in the files of a directory.
fn in_files(directory: &Path, text: &str) -> usize {
    let files = std::fs::read_dir(directory).unwrap();
    let count = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        let windows = bytes.windows(text.len());
        windows.filter(|window| *window == text.as_bytes()).count()
    };
    files
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| count(&path))
        .sum()
}

/// What was counted of each version, without what follows the rows, and without floating sums, which are added in any order.
async fn counted(store: &Store) -> Vec<(types::VersionKey, [u64; 9])> {
    let totals = store.totals(TimeRange::ALL).await.unwrap().into_iter();
    let counts = totals.map(|totals| {
        let r = totals.rollup;
        let counts = [
            r.count,
            r.errors,
            r.fallbacks,
            r.rejected,
            r.confidence_count,
            r.latency_sum_ns,
            r.latency.count(),
            r.labelled,
            r.correct,
        ];
        (totals.version, counts)
    });
    let mut counts: Vec<_> = counts.collect();
    counts.sort_unstable();
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_takes_rows_and_leaves_what_was_counted() {
    for seed in 0..4 {
        let mut world = Both::new(seed);
        world.begin().await;
        for round in 0..40 {
            let entries = world.entries();
            let store = world.sqlite.store.clone();
            append_entries(&store, entries).await.unwrap();
            let before = counted(&store).await;
            let order = |seconds: i64| PredictionId::order_at(at(seconds.max(0)));
            if world.random.u8(..3) == 0 {
                let rows = world.now - world.random.i64(100..2000);
                let content = world.now - world.random.i64(0..500);
                store.retain(vec![Retain {
                    name: name("m"),
                    rows_until: order(rows),
                    content_until: order(content),
                }]);
                store.tidied().await;
                let done = store.retained(name("m")).await.unwrap();
                assert!(done.rows_until >= order(rows));
                // It never goes back.
                let oldest = store.predictions_after(0, 1000).await.unwrap();
                let kept = oldest.iter().all(|p| p.id.order() >= done.rows_until);
                assert!(kept, "seed {seed}, round {round}");
                let with_content = oldest.iter().filter(|p| p.kept.is_full());
                let mut with_content = with_content.filter(|p| p.prediction.is_some());
                assert!(with_content.all(|p| p.id.order() >= done.content_until));
            }
            let live = world.state.versions.iter().map(|version| version.key);
            let live: Vec<_> = live.collect();
            let of_live = |counts: Vec<_>| -> Vec<(types::VersionKey, [u64; 9])> {
                let counts = counts.into_iter();
                counts.filter(|(key, _)| live.contains(key)).collect()
            };
            assert_eq!(of_live(before), of_live(counted(&store).await));
            let report = world.sqlite.verify().await;
            let removed = store.retained(name("m")).await.unwrap().rows_removed;
            assert!(report.not_recountable.len() <= usize::from(removed > 0) * 9);
            clean(&report, &format!("seed {seed}, round {round}"));
            if world.random.u8(..6) == 0 {
                world.change(round).await;
            }
            if world.random.u8(..8) == 0 {
                world.sqlite.store = world.sqlite.reopen().await;
            }
        }
        let removed = world.sqlite.store.retained(name("m")).await.unwrap();
        assert!(
            removed.rows_removed > 20 && removed.content_removed > 20,
            "{removed:?}"
        );
    }
}

#[tokio::test]
async fn windows_from_before_what_is_kept_are_counted_in_whole_hours() {
    let Opened { store, directory } = open_sqlite();
    let version = register(&store, 1, "1").await;
    let entries = (0..600).map(|minute| {
        let mut record = record(version.key, minute * 60_000_000, 0.5, 5);
        (record.epoch, record.reason) = (0, Reason::Weights);
        entry_of(&record)
    });
    append_entries(&store, entries.collect()).await.unwrap();
    let kept = store
        .order_of_newest(name("m"), 200)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(PredictionId::new(kept, 0).time(), at(400 * 60));
    assert_eq!(store.order_of_newest(name("m"), 600).await.unwrap(), None);
    let keep = Retain {
        name: name("m"),
        rows_until: kept,
        content_until: 0,
    };
    let count = async |since: i64, until: i64| {
        let range = TimeRange {
            since: Some(at(since * 60)),
            until: Some(at(until * 60)),
        };
        let totals = store.totals(range).await.unwrap();
        totals.iter().map(|totals| totals.rollup.count).sum::<u64>()
    };
    assert_eq!(count(90, 500).await, 410);
    let other = Retain {
        name: name("other"),
        ..keep.clone()
    };
    let connection =
        rusqlite::Connection::open(directory.as_ref().unwrap().path().join("weir.db")).unwrap();
    let sql =
        "INSERT INTO models (name, salt, revision, epoch, fallback) VALUES ('other', '', 1, 1, 1)";
    connection.execute(sql, []).unwrap();
    store.retain(vec![other]);
    store.tidied().await;
    assert!(store.retained(name("other")).await.unwrap().rows_until > 0);
    assert_eq!(
        count(90, 500).await,
        410,
        "what goes of another model is no matter"
    );
    connection
        .execute("DELETE FROM retained WHERE name = 'other'", [])
        .unwrap();
    connection
        .execute("DELETE FROM models WHERE name = 'other'", [])
        .unwrap();
    store.retain(vec![keep]);
    store.tidied().await;
    assert_eq!(store.retained(name("m")).await.unwrap().rows_removed, 400);
    assert_eq!(count(90, 500).await, 440, "from the hour that it begins in");
    assert_eq!(count(90, 110).await, 60);
    assert_eq!(count(450, 500).await, 50);
    assert_eq!(count(0, 600).await, 600);
    assert_eq!(store.order_of_newest(name("m"), 200).await.unwrap(), None);
    let report = store::verify(directory.unwrap().path()).unwrap();
    assert!(report.rollups_in_part > 0);
    clean(&report, "at the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_release_before_has_logged_can_be_removed() {
    let directory = tempfile::tempdir().unwrap();
    let connection = rusqlite::Connection::open(directory.path().join("weir.db")).unwrap();
    connection
        .execute_batch(concat!(
            "PRAGMA foreign_keys = OFF;",
            include_str!("../schema_13.sql")
        ))
        .unwrap();
    drop(connection);
    let store = Store::open(directory.path()).unwrap();
    clean(&store::verify(directory.path()).unwrap(), "as it was");
    let shop = store.model(name("shop")).await.unwrap().unwrap();
    assert_eq!(shop.privacy, types::Privacy::default());
    assert!(shop.retention.is_for_ever());
    let all = store.predictions_after(0, 100).await.unwrap();
    assert!(all.len() == 12 && all.iter().all(|p| p.kept.is_full()));
    let newest = all.iter().map(|p| p.id).max().unwrap();
    let position = store.position();
    let id = erase(&store, "user-1", 1, newest.time(), position).await;
    store.tidied().await;
    clean(
        &store::verify(directory.path()).unwrap(),
        "after the erasure",
    );
    let erasure = store.erasure(id).await.unwrap().unwrap();
    assert!(erasure.is_walked() && erasure.predictions > 0 && erasure.others > 0);
    // All but the newest five.
    let mut ids: Vec<_> = all.iter().map(|p| p.id.order()).collect();
    ids.sort_unstable();
    store.retain(vec![Retain {
        name: name("shop"),
        rows_until: ids[7],
        content_until: ids[9],
    }]);
    store.tidied().await;
    let report = store::verify(directory.path()).unwrap();
    assert_eq!(report.predictions, 5);
    assert!(report.rollups_in_part > 0 && report.not_recountable.len() == 1);
    clean(&report, "after retention");
    assert_eq!(
        counted(&store)
            .await
            .iter()
            .map(|(_, counts)| counts[0])
            .sum::<u64>(),
        12
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_or_replaced_is_gone_from_the_files_too() {
    let Opened { store, directory } = open_sqlite();
    let directory = directory.unwrap();
    let version = register(&store, 1, "1").await;
    let mut entries = Vec::new();
    for n in 1..=200 {
        let mut record = record(version.key, n * 1_000_000, 0.5, 5);
        record.input =
            Input::Text("a secret to be removed ".repeat(if n % 4 == 0 { 500 } else { 1 }));
        entries.push(entry_of(&record));
    }
    append_entries(&store, entries).await.unwrap();
    let of = FeedbackOf::Prediction(record(version.key, 200_000_000, 0.5, 5).id);
    for label in ["the first label", "the second label"] {
        let value = Feedback {
            of: of.clone(),
            content: FeedbackContent::Label(label.into()),
            replace: true,
        };
        crate::feedback(&store, vec![value], at(300)).await[0]
            .as_ref()
            .unwrap();
    }
    store.retain(vec![Retain {
        name: name("m"),
        rows_until: PredictionId::order_at(at(200)),
        content_until: 0,
    }]);
    store.tidied().await;
    assert!(!store.is_unclean());
    assert_eq!(in_files(directory.path(), "the first label"), 0);
    assert!(in_files(directory.path(), "a secret to be removed") > 480);
    store.retain(vec![Retain {
        name: name("m"),
        rows_until: PredictionId::order_at(at(201)),
        content_until: 0,
    }]);
    store.tidied().await;
    for gone in ["the second label", "a secret to be removed"] {
        assert_eq!(in_files(directory.path(), gone), 0, "{gone}");
    }
    // A shadow that comes now mirrors nothing.
    let late = types::ShadowRecord {
        id: PredictionId::new(PredictionId::order_at(at(400)), 7),
        version: version.key,
        share: 1.0,
        mirrors: record(version.key, 200_000_000, 0.5, 5).id,
        outcome: record(version.key, 200_000_000, 0.5, 5).outcome,
        kept: KeptPart::Full,
    };
    let mut bytes = Vec::new();
    encode_shadow(&late, at(400), &mut bytes);
    append_entries(&store, vec![bytes]).await.unwrap();
    let connection = rusqlite::Connection::open(directory.path().join("weir.db")).unwrap();
    let sql = "SELECT count(*) FROM shadows";
    let shadows: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(shadows, 0);
}
