//! The settings of the server, and how far webhooks were told.

use crate::{Backend, Opened, at, name, register};
use catalog::{DecidedSettings, SettingsCommand, decide_settings, replay_settings};
use store::{AuditFilter, Delivery, NotApplied};
use types::{
    Action, KeyDefinition, KeyHash, KeyId, Role, Scope, Settings, WebhookDefinition, WebhookId,
    WebhookSecrets,
};

/// Carries out a command, as a server does, and checks that rows and events say the same.
pub(crate) async fn set<S: Backend>(store: &S, command: SettingsCommand, now: i64) -> Settings {
    let settings = store.settings().await.unwrap();
    let decided = decide_settings(&settings, &command, at(now)).unwrap();
    let Some(DecidedSettings { change, settings }) = decided else {
        return settings;
    };
    assert_eq!(store.apply_settings(change).await.unwrap(), Ok(()));
    assert_eq!(store.settings().await.unwrap(), settings);
    let events = store.settings_events().await.unwrap();
    assert_eq!(replay_settings(&events).unwrap(), settings);
    settings
}

pub(crate) fn webhook(bits: u64) -> SettingsCommand {
    let secrets = WebhookSecrets {
        url: "https://example.com/the-token".into(),
        secret: "the-secret".into(),
    };
    let definition = WebhookDefinition {
        name: bits.is_multiple_of(2).then(|| name("m")),
        ..WebhookDefinition::default()
    };
    SettingsCommand::CreateWebhook(WebhookId::from_bits(bits), definition, secrets)
}

pub(crate) fn key(bits: u64) -> SettingsCommand {
    let definition = KeyDefinition {
        role: Role::Admin,
        models: Scope::default(),
        description: Some("of the night shift".into()),
        expires_at: bits.is_multiple_of(2).then(|| at(1_000)),
        requests_per_second: None,
        concurrent_requests: None,
    };
    SettingsCommand::CreateKey(
        KeyId::from_bits(bits),
        Box::new(definition),
        KeyHash([bits as u8; 32]),
    )
}

pub(crate) async fn keys_are_settings_and_their_uses_are_kept_beside<S: Backend>(
    opened: Opened<S>,
) {
    let store = &opened.store;
    for bits in [1, 3, 5] {
        set(store, key(bits), 1).await;
    }
    let rotate = |from, until| SettingsCommand::RotateKey {
        from: KeyId::from_bits(from),
        to: KeyId::from_bits(from + 100),
        hash: KeyHash([9; 32]),
        until: at(until),
    };
    set(store, rotate(1, 500), 2).await;
    set(store, rotate(3, 1), 2).await;
    let settings = set(store, SettingsCommand::RevokeKey(KeyId::from_bits(5)), 3).await;
    let [one, one_again, three] = [1, 101, 103].map(KeyId::from_bits);
    let ids: Vec<KeyId> = settings.keys.iter().map(|key| key.id).collect();
    assert_eq!(ids, [one, one_again, three]);
    assert_eq!(settings.keys[0].definition.expires_at, Some(at(500)));
    let gone = KeyId::from_bits(5);
    let uses = vec![(one, at(7)), (gone, at(8)), (three, at(9))];
    store.keep_uses(uses).await.unwrap();
    store.keep_uses(vec![(three, at(10))]).await.unwrap();
    let kept = opened.reopen().await.keys().await.unwrap();
    let found: Vec<_> = kept
        .iter()
        .map(|key| (key.id, key.hash.0[0], key.last_used_at))
        .collect();
    assert_eq!(
        found,
        [
            (one, 1, Some(at(7))),
            (one_again, 9, None),
            (three, 9, Some(at(10)))
        ]
    );
    let filter = AuditFilter {
        limit: 1,
        ..AuditFilter::default()
    };
    let newest = store.audit(filter).await.unwrap();
    assert_eq!(newest[0].action, Action::KeyRevoked);
    assert_eq!(
        (&newest[0].author, newest[0].chain.is_some()),
        (&None, true)
    );
    assert_eq!(opened.verify().await.problems, [""; 0]);
}

pub(crate) async fn settings_are_one_state_like_a_model<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    register(store, 1, "1").await;
    set(store, SettingsCommand::SetDefaultModel(name("m")), 1).await;
    set(store, webhook(5), 2).await;
    let settings = set(store, webhook(6), 3).await;
    assert_eq!((settings.changes, settings.webhooks.len()), (3, 2));
    // Two that were decided on the same settings: only the first is applied.
    let [one, other] = [7, 8].map(|bits| decide_settings(&settings, &webhook(bits), at(4)));
    let [one, other] = [one, other].map(|decided| decided.unwrap().unwrap().change);
    assert_eq!(store.apply_settings(one).await.unwrap(), Ok(()));
    let late = store.apply_settings(other).await.unwrap();
    assert!(matches!(late, Err(NotApplied::Moved(_))), "{late:?}");
    // One that breaks in the middle leaves nothing.
    let settings = store.settings().await.unwrap();
    let gone = SettingsCommand::DeleteWebhook(WebhookId::from_bits(7));
    let mut broken = decide_settings(&settings, &gone, at(5))
        .unwrap()
        .unwrap()
        .change;
    broken.writes.push(broken.writes[0].clone());
    assert!(store.apply_settings(broken).await.unwrap().is_err());
    assert_eq!(store.settings().await.unwrap(), settings);
    set(store, gone, 6).await;
    let filter = AuditFilter {
        limit: 100,
        ..AuditFilter::default()
    };
    let audit = store.audit(filter).await.unwrap();
    let actions: Vec<Action> = audit.iter().map(|entry| entry.action).collect();
    assert_eq!(
        actions[..2],
        [Action::WebhookDeleted, Action::WebhookCreated]
    );
    assert_eq!((audit[0].name.as_str(), audit[5].name.as_str()), ("", "m"));
    // What is secret is told by none.
    assert!(!format!("{audit:?}").contains("the-"));
    // The settings are no model.
    assert_eq!(store.models().await.unwrap().len(), 1);
    assert_eq!(
        store.changed_models(0).await.unwrap(),
        (audit[0].id, vec![name("m")])
    );
    let again = opened.reopen().await;
    assert_eq!(again.settings().await.unwrap().webhooks.len(), 2);
    assert_eq!(opened.verify().await.problems, [""; 0]);
}

pub(crate) async fn webhooks_remember_how_far_they_were_told<S: Backend>(opened: Opened<S>) {
    let store = &opened.store;
    register(store, 1, "1").await;
    let id = WebhookId::from_bits(5);
    set(store, webhook(5), 1).await;
    let made = store.webhooks().await.unwrap().remove(0);
    // Of what happened before nobody is told.
    assert_eq!(made.delivery, Delivery::up_to(1));
    assert_eq!(made.secrets.secret, "the-secret");
    assert!(!format!("{made:?}").contains("the-"), "{made:?}");
    let failed = Delivery {
        attempts: 3,
        next_attempt_at: at(9),
        last_error: Some("refused".into()),
        given_up: 2,
        ..made.delivery
    };
    let events = store.settings_events().await.unwrap();
    store.keep_delivery(id, failed.clone()).await.unwrap();
    assert_eq!(store.webhooks().await.unwrap()[0].delivery, failed);
    // That is no change, and for one that is gone it is nothing.
    assert_eq!(store.settings_events().await.unwrap(), events);
    let gone = WebhookId::from_bits(6);
    store.keep_delivery(gone, failed).await.unwrap();
    set(store, SettingsCommand::DeleteWebhook(id), 2).await;
    assert_eq!(store.webhooks().await.unwrap(), []);
}
