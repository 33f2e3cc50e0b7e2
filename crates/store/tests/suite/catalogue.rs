//! The states of models, and what changes them.

use crate::{
    Backend, Opened, append, at, command, delete, name, record, register, replayed, version_name,
};
use catalog::random::Dice;
use catalog::{Command, Patch, decide, differences};
use store::{AuditFilter, NotApplied, PredictionFilter, VersionFilter};
use types::{AliasName, DescribedChange, ModelState, Percent, VersionStatus, Write};

/// Sequences of random commands in the everyday suite; `STORE_SEQUENCES` asks for others.
const SEQUENCES: u64 = 20;
const COMMANDS: i64 = 50;

pub(crate) async fn rows_and_events_say_the_same_whatever_happens<S: Backend>(opened: Opened<S>) {
    let asked = std::env::var("STORE_SEQUENCES").ok();
    let sequences = asked.map_or(SEQUENCES, |asked| asked.parse().unwrap());
    let store = &opened.store;
    for seed in 0..sequences {
        let mut random = fastrand::Rng::with_seed(seed);
        // Ids and keys are never given twice.
        let (versions, experiments) = store.unused_keys().await.unwrap();
        let key = versions.0.max(experiments.0);
        let name = name(&format!("model {seed}"));
        let mut state = ModelState::new(name.clone());
        let mut roll = |bound| random.u64(..bound);
        let mut dice = Dice::new(&mut roll, key);
        for n in 0..COMMANDS {
            let command = dice.command(&state, at(n));
            let Ok(Some(decided)) = decide(&state, &command, at(n)) else {
                continue;
            };
            let applied = store.apply(vec![decided.change]).await.unwrap();
            assert_eq!(applied, [Ok(())], "seed {seed}: {command:?}");
            state = decided.state;
        }
        let stored = store.model(name.clone()).await.unwrap().unwrap();
        assert_eq!(differences(&stored, &state), [""; 0], "seed {seed}");
        let events = store.events_of(name.clone()).await.unwrap();
        let numbers: Vec<i64> = events.iter().map(|event| event.change).collect();
        assert_eq!(numbers, (1..=state.changes).collect::<Vec<_>>());
        let replayed = catalog::replay(name, &events).unwrap();
        assert_eq!(differences(&stored, &replayed), [""; 0], "seed {seed}");
    }
    let models = store.models().await.unwrap();
    assert_eq!(models.len() as u64, sequences);
    assert!(models.iter().all(Result::is_ok));
}

pub(crate) async fn a_change_is_applied_to_the_state_it_was_decided_on_or_not_at_all<S: Backend>(
    opened: Opened<S>,
) {
    let store = &opened.store;
    let one = register(store, 1, "1").await;
    let state = store.model(name("m")).await.unwrap().unwrap();
    let activate = |percent| Command::Activate {
        id: one.model_id,
        weight: Percent::new(percent).unwrap(),
    };
    let first = decide(&state, &activate(40.0), at(1)).unwrap().unwrap();
    let second = decide(&state, &activate(60.0), at(2)).unwrap().unwrap();
    // Two that were decided on the same state: together neither is applied, one after the other only the first.
    let both = vec![first.change.clone(), second.change.clone()];
    let applied = store.apply(both).await.unwrap();
    assert!(applied.iter().all(Result::is_err), "{applied:?}");
    assert_eq!(store.model(name("m")).await.unwrap().unwrap(), state);
    assert_eq!(store.apply(vec![first.change]).await.unwrap(), [Ok(())]);
    let moved = store.apply(vec![second.change.clone()]).await.unwrap();
    assert_eq!(moved, [Err(NotApplied::Moved("m".into()))]);
    let stored = store.model(name("m")).await.unwrap().unwrap();
    assert_eq!(stored, first.state);
    // One from the future, and one that breaks in the middle.
    let mut later = second.change.clone();
    later.decided_on = 7;
    let third = decide(&stored, &activate(70.0), at(3)).unwrap().unwrap();
    let mut broken = third.change.clone();
    broken.writes.push(Write::NewVersion(Box::new(one.clone())));
    let applied = store.apply(vec![later, broken]).await.unwrap();
    assert!(applied.iter().all(Result::is_err), "{applied:?}");
    assert_eq!(store.model(name("m")).await.unwrap().unwrap(), stored);
    assert_eq!(store.events_of(name("m")).await.unwrap().len(), 2);
    let applied = store.apply(vec![third.change]).await.unwrap();
    assert_eq!(applied, [Ok(())]);
    assert_eq!(differences(&third.state, &replayed(store).await), [""; 0]);
}

pub(crate) async fn changes_are_on_the_record<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let one = register(store, 1, "1").await;
    register(store, 2, "2").await;
    let weight = Percent::new(70.0).unwrap();
    let id = one.model_id;
    command(store, Command::Activate { id, weight }, at(1))
        .await
        .unwrap();
    let set = Command::SetTraffic {
        revision: Some(3),
        weights: vec![(version_name("2"), Percent::new(100.0).unwrap())],
        fallback: Some(false),
    };
    let state = command(store, set, at(3)).await.unwrap();
    assert_eq!((state.revision, state.epoch, state.fallback), (4, 2, false));
    let filter = AuditFilter {
        limit: 100,
        ..AuditFilter::default()
    };
    let audit = store.audit(filter).await.unwrap();
    assert_eq!(audit.len(), 4);
    assert_eq!(
        (audit[0].action.as_str(), audit[0].revision),
        ("traffic.set", 4)
    );
    assert_eq!(audit[0].detail["from"]["1"], 70.0);
    let filter = AuditFilter {
        name: Some(name("m")),
        before: Some(audit[0].id),
        limit: 1,
        ..AuditFilter::default()
    };
    let older = store.audit(filter).await.unwrap();
    assert_eq!(older[0], audit[1]);
}

pub(crate) async fn deletion_takes_predictions_and_aliases_along<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let one = register(store, 1, "1").await;
    let two = register(store, 2, "2").await;
    for n in 0..5_000 {
        let key = if n % 2 == 0 { one.key } else { two.key };
        append(store, record(key, n, 0.5, 5)).await;
    }
    let set = Command::SetAlias {
        alias: AliasName::parse("champion").unwrap(),
        version: version_name("1"),
    };
    command(store, set, at(1)).await.unwrap();
    delete(store, one.model_id).await;
    assert_eq!(store.version(one.model_id).await.unwrap(), None);
    assert_eq!(store.aliases(name("m")).await.unwrap(), []);
    // The name is free again at once.
    let again = register(store, 3, "1").await;
    assert_ne!(again.key, one.key);
    let versions = store.versions(VersionFilter::default()).await.unwrap();
    assert_eq!(
        versions.iter().map(|v| v.model_id).collect::<Vec<_>>(),
        [again.model_id, two.model_id]
    );
    let rest = PredictionFilter {
        limit: 10_000,
        ..PredictionFilter::default()
    };
    assert_eq!(store.predictions(rest).await.unwrap().len(), 2_500);
    assert_eq!(opened.verify().await.problems, [""; 0]);
}

pub(crate) async fn versions_are_paged<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    let ids = [
        register(store, 1, "1").await.model_id,
        register(store, 2, "2").await.model_id,
        register(store, 3, "3").await.model_id,
    ];
    let patch = Patch {
        id: ids[1],
        described: DescribedChange {
            description: Some("better".into()),
            tags: Some([("team".into(), "search".into())].into()),
        },
        status: Some(VersionStatus::Testing),
    };
    command(store, Command::Patch(Box::new(patch)), at(1))
        .await
        .unwrap();
    let patched = store.version(ids[1]).await.unwrap().unwrap();
    assert_eq!(patched.described.description, "better");
    assert_eq!(patched.described.tags["team"], "search");
    let list = async |filter| {
        let found = store.versions(filter).await.unwrap();
        found.iter().map(|v| v.model_id).collect::<Vec<_>>()
    };
    let testing = VersionFilter {
        status: Some(VersionStatus::Testing),
        name: Some(name("m")),
        ..VersionFilter::default()
    };
    assert_eq!(list(testing).await, [ids[1]]);
    let page = VersionFilter {
        before: Some(patched.key),
        limit: Some(1),
        ..VersionFilter::default()
    };
    assert_eq!(list(page).await, [ids[0]]);
}
