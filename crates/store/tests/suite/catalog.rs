//! The registry, the traffic and the audit.

use crate::{Opened, append, at, name, record, register, version_name};
use store::{
    AuditFilter, CatalogError, PredictionFilter, VersionFilter, VersionPatch, WeightChange,
};
use types::{AliasName, Percent, VersionStatus};

fn percent(value: f64) -> Percent {
    Percent::new(value).unwrap()
}

pub(crate) async fn changes_of_weights_open_epochs_and_are_audited(opened: Opened) {
    let store = &opened.store;
    let one = register(store, 1, "1").await;
    let two = register(store, 2, "2").await;
    let traffic = async || store.traffic(None).await.unwrap().remove(0).0;
    assert_eq!((traffic().await.revision, traffic().await.epoch), (2, 0));
    store
        .activate(one.model_id, percent(70.0), None, at(1))
        .await
        .unwrap();
    store
        .activate(two.model_id, percent(30.0), None, at(2))
        .await
        .unwrap();
    let now = traffic().await;
    assert_eq!((now.revision, now.epoch, now.total_weight()), (4, 2, 100.0));
    let change = WeightChange {
        revision: 4,
        weights: vec![(version_name("2"), percent(100.0))],
        fallback: Some(false),
        takeover: None,
    };
    store
        .set_weights(name("m"), change.clone(), at(3))
        .await
        .unwrap();
    let now = traffic().await;
    assert_eq!((now.revision, now.epoch, now.fallback), (5, 3, false));
    assert_eq!(now.versions[0].weight, Percent::ZERO);
    let stale = store.set_weights(name("m"), change.clone(), at(4)).await;
    assert!(matches!(
        stale,
        Err(CatalogError::Stale {
            present: 5,
            given: 4
        })
    ));
    let unknown = WeightChange {
        revision: 5,
        weights: vec![(version_name("9"), percent(1.0))],
        ..change
    };
    let unknown = store.set_weights(name("m"), unknown, at(4)).await;
    assert!(matches!(unknown, Err(CatalogError::UnknownVersion(_))));
    assert_eq!(traffic().await, now, "a refused change changed something");
    let audit = store
        .audit(AuditFilter {
            limit: 100,
            ..AuditFilter::default()
        })
        .await
        .unwrap();
    assert_eq!(audit.len(), 5);
    assert_eq!(
        (audit[0].action.as_str(), audit[0].revision),
        ("traffic.set", 5)
    );
    assert_eq!(audit[0].detail["from"]["1"], 70.0);
    let older = store
        .audit(AuditFilter {
            name: Some(name("m")),
            before: Some(audit[0].id),
            limit: 1,
            ..AuditFilter::default()
        })
        .await
        .unwrap();
    assert_eq!(older[0], audit[1]);
}

pub(crate) async fn statuses_move_as_allowed(opened: Opened) {
    let store = &opened.store;
    let id = register(store, 1, "1").await.model_id;
    let patch = async |status| {
        let patch = VersionPatch {
            status: Some(status),
            ..VersionPatch::default()
        };
        store.patch(id, patch, at(1)).await.map(|v| v.status)
    };
    assert_eq!(
        patch(VersionStatus::Testing).await.unwrap(),
        VersionStatus::Testing
    );
    assert_eq!(
        patch(VersionStatus::Deprecated).await.unwrap(),
        VersionStatus::Deprecated
    );
    assert!(patch(VersionStatus::Testing).await.is_err());
    assert!(store.activate(id, percent(1.0), None, at(1)).await.is_err());
    assert!(store.deactivate(id, None, at(1)).await.is_err());
    assert_eq!(
        patch(VersionStatus::Inactive).await.unwrap(),
        VersionStatus::Inactive
    );
    let active = store.activate(id, percent(1.0), None, at(5)).await.unwrap();
    assert_eq!(active.activated_at, Some(at(5)));
    assert!(matches!(
        patch(VersionStatus::Testing).await,
        Err(CatalogError::Transition { .. })
    ));
    assert!(matches!(
        store.delete(id, at(1)).await,
        Err(CatalogError::Active)
    ));
}

pub(crate) async fn deletion_takes_predictions_and_aliases_along(opened: Opened) {
    let store = &opened.store;
    let one = register(store, 1, "1").await;
    let two = register(store, 2, "2").await;
    for n in 0..5_000 {
        let key = if n % 2 == 0 { one.key } else { two.key };
        append(store, record(key, n, 0.5, 5)).await;
    }
    let alias = AliasName::parse("champion").unwrap();
    store
        .set_alias(name("m"), alias.clone(), version_name("1"), at(1))
        .await
        .unwrap();
    store.delete(one.model_id, at(2)).await.unwrap();
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
    assert_eq!(opened.verify().problems, [""; 0]);
    assert!(!store.delete_alias(name("m"), alias, at(3)).await.unwrap());
}

pub(crate) async fn descriptions_and_tags_change_and_versions_are_paged(opened: Opened) {
    let store = &opened.store;
    let ids = [
        register(store, 1, "1").await.model_id,
        register(store, 2, "2").await.model_id,
        register(store, 3, "3").await.model_id,
    ];
    let patch = VersionPatch {
        description: Some("better".into()),
        tags: Some([("team".into(), "search".into())].into()),
        status: Some(VersionStatus::Testing),
    };
    let patched = store.patch(ids[1], patch, at(1)).await.unwrap();
    assert_eq!(patched.description, "better");
    assert_eq!(patched.tags["team"], "search");
    assert_eq!(store.version(ids[1]).await.unwrap(), Some(patched.clone()));
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
    store.probe().await.unwrap();
    assert_eq!(store.failure(), None);
    store.close().await.unwrap();
    assert!(store.probe().await.is_err(), "a closed store was written");
}
