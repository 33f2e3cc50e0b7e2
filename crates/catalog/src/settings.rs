//! The settings of a server: what a command does to them, and whether it may. The same means as for models, in small.

use crate::refusal::Refusal;
use crate::replay::NotReplayed;
use serde_json::{Value, json};
use std::sync::Arc;
use types::{
    AccessKey, Action, ErasureId, EventRecord, KeyDefinition, KeyHash, KeyId, ModelName,
    ModelState, NewErasure, Percent, Role, Settings, SettingsChange, SettingsWrite, StoredEvent,
    Timestamp, Webhook, WebhookDefinition, WebhookId, WebhookSecrets,
};

/// The most webhooks.
const MOST_WEBHOOKS: usize = 100;
/// The most keys.
const MOST_KEYS: usize = 1000;

/// What somebody wants of the settings.
#[derive(Debug, Clone)]
pub enum SettingsCommand {
    /// The model used when a request names none.
    SetDefaultModel(ModelName),
    /// The same, where nobody has set another meanwhile: what [`default_of`] says.
    ChooseDefault {
        /// What was set when it was chosen.
        from: Option<ModelName>,
        /// What it shall be.
        to: ModelName,
    },
    /// Somebody is told from now on. The secrets are kept apart.
    CreateWebhook(WebhookId, WebhookDefinition, WebhookSecrets),
    /// Nobody is told any more.
    DeleteWebhook(WebhookId),
    /// Somebody may call from now on.
    CreateKey(KeyId, Box<KeyDefinition>, KeyHash),
    /// A key is refused from now on.
    RevokeKey(KeyId),
    /// A key gets a successor with the same definition, and is refused from a moment on.
    RotateKey {
        /// The one that is replaced.
        from: KeyId,
        /// Its successor.
        to: KeyId,
        /// The hash of the successor.
        hash: KeyHash,
        /// Until when the old one is taken.
        until: Timestamp,
    },
    /// What a unit sent and was answered is to be erased. Whose it is nobody is told.
    BeginErasure(Box<NewErasure>),
    /// It is: so many predictions, and so many rows of other kinds.
    EndErasure(ErasureId, u64, u64),
    /// The settings as they are become the first event: for those of releases that kept none.
    Baseline,
}

/// What happened to the settings.
#[derive(Debug, Clone, PartialEq)]
enum SettingsEvent {
    Baseline(Box<Settings>),
    /// From, and to.
    DefaultModel(Option<ModelName>, ModelName),
    WebhookCreated(WebhookId, WebhookDefinition),
    /// What it was is not known of releases before.
    WebhookDeleted(WebhookId, Option<WebhookDefinition>),
    KeyCreated(KeyId, Box<KeyDefinition>),
    /// The same.
    KeyRevoked(KeyId, Option<Box<KeyDefinition>>),
    ErasureBegun(ErasureId, String),
    ErasureEnded(ErasureId, u64, u64),
    KeyRotated {
        from: KeyId,
        to: KeyId,
        definition: Box<KeyDefinition>,
        until: Timestamp,
    },
}

/// What follows from a command.
#[derive(Debug, Clone)]
pub struct DecidedSettings {
    /// What has to be kept.
    pub change: SettingsChange,
    /// The settings after it.
    pub settings: Settings,
}

/// What a command does to the settings at a moment; nothing where all is as it should be already.
///
/// # Errors
/// When they do not take it.
pub fn decide_settings(
    settings: &Settings,
    command: &SettingsCommand,
    now: Timestamp,
) -> Result<Option<DecidedSettings>, Refusal> {
    let known = |id: &WebhookId| settings.webhooks.iter().any(|webhook| webhook.id == *id);
    let (event, writes) = match command {
        SettingsCommand::SetDefaultModel(name) => {
            let from = settings.default_model.clone();
            if from.as_ref() == Some(name) {
                return Ok(None);
            }
            let event = SettingsEvent::DefaultModel(from, name.clone());
            (event, vec![SettingsWrite::DefaultModel(name.clone())])
        }
        SettingsCommand::ChooseDefault { from, .. } if settings.default_model != *from => {
            return Ok(None);
        }
        SettingsCommand::ChooseDefault { from, to } => {
            let event = SettingsEvent::DefaultModel(from.clone(), to.clone());
            (event, vec![SettingsWrite::DefaultModel(to.clone())])
        }
        SettingsCommand::CreateWebhook(id, definition, secrets) => {
            if settings.webhooks.len() >= MOST_WEBHOOKS {
                return Err(Refusal::TooManyWebhooks(MOST_WEBHOOKS));
            }
            if known(id) {
                return Err(Refusal::DuplicateWebhook(*id));
            }
            let webhook = Webhook {
                id: *id,
                created_at: now,
                definition: definition.clone(),
            };
            let write = SettingsWrite::NewWebhook(Box::new(webhook), secrets.clone());
            (
                SettingsEvent::WebhookCreated(*id, definition.clone()),
                vec![write],
            )
        }
        SettingsCommand::DeleteWebhook(id) => {
            let mut webhooks = settings.webhooks.iter();
            let was = webhooks.find(|webhook| webhook.id == *id);
            let was = was.ok_or(Refusal::UnknownWebhook(*id))?.definition.clone();
            (
                SettingsEvent::WebhookDeleted(*id, Some(was)),
                vec![SettingsWrite::DeleteWebhook(*id)],
            )
        }
        SettingsCommand::CreateKey(id, definition, hash) => {
            has_room(settings, *id)?;
            let key = AccessKey {
                id: *id,
                created_at: now,
                definition: KeyDefinition::clone(definition),
            };
            let write = SettingsWrite::NewKey(Box::new(key), *hash);
            (
                SettingsEvent::KeyCreated(*id, definition.clone()),
                vec![write],
            )
        }
        SettingsCommand::RevokeKey(id) => {
            let revoked = known_key(settings, *id)?;
            let others = settings.keys.iter().filter(|key| key.id != *id);
            let is_admin = |key: &AccessKey| administers(&key.definition);
            if is_admin(revoked) && !others.into_iter().any(is_admin) {
                return Err(Refusal::LastAdminKey(*id));
            }
            (
                SettingsEvent::KeyRevoked(*id, Some(Box::new(revoked.definition.clone()))),
                vec![SettingsWrite::DeleteKey(*id)],
            )
        }
        SettingsCommand::RotateKey {
            from,
            to,
            hash,
            until,
        } => {
            has_room(settings, *to)?;
            let old = known_key(settings, *from)?;
            let definition = renewed(old, now);
            let key = AccessKey {
                id: *to,
                created_at: now,
                definition: definition.clone(),
            };
            let event = SettingsEvent::KeyRotated {
                from: *from,
                to: *to,
                definition: Box::new(definition),
                until: *until,
            };
            let goes = ends_at(&old.definition, *until, now);
            let goes = match goes {
                None => SettingsWrite::DeleteKey(*from),
                Some(definition) => SettingsWrite::SetKey(*from, Box::new(definition)),
            };
            (
                event,
                vec![SettingsWrite::NewKey(Box::new(key), *hash), goes],
            )
        }
        SettingsCommand::BeginErasure(new) => (
            SettingsEvent::ErasureBegun(new.id, new.pseudonym.clone()),
            vec![SettingsWrite::BeginErasure(new.clone())],
        ),
        SettingsCommand::EndErasure(id, predictions, others) => (
            SettingsEvent::ErasureEnded(*id, *predictions, *others),
            vec![SettingsWrite::EndErasure(*id)],
        ),
        SettingsCommand::Baseline => (
            SettingsEvent::Baseline(Box::new(settings.clone())),
            Vec::new(),
        ),
    };
    let mut next = settings.clone();
    event.apply(&mut next, now);
    let change = SettingsChange {
        decided_on: settings.changes,
        at: now,
        writes,
        event: EventRecord {
            action: event.action(),
            version: None,
            experiment_key: None,
            revision: next.changes,
            detail: event.detail().to_string(),
            author: None,
        },
    };
    Ok(Some(DecidedSettings {
        change,
        settings: next,
    }))
}

/// Whether there is room for a key.
fn has_room(settings: &Settings, id: KeyId) -> Result<(), Refusal> {
    if settings.keys.len() >= MOST_KEYS {
        return Err(Refusal::TooManyKeys(MOST_KEYS));
    }
    match settings.keys.iter().any(|key| key.id == id) {
        true => Err(Refusal::DuplicateKey(id)),
        false => Ok(()),
    }
}

fn known_key(settings: &Settings, id: KeyId) -> Result<&AccessKey, Refusal> {
    let mut keys = settings.keys.iter();
    keys.find(|key| key.id == id).ok_or(Refusal::UnknownKey(id))
}

/// Whether the holder of a key can give others, now and for ever.
pub fn administers(definition: &KeyDefinition) -> bool {
    let for_ever = definition.expires_at.is_none();
    definition.role == Role::Admin && definition.models.is_all() && for_ever
}

/// The definition of a successor: it is taken for as long from now on as the key was from its beginning.
fn renewed(old: &AccessKey, now: Timestamp) -> KeyDefinition {
    let expires_at = old.definition.expires_at.map(|expires| {
        let lasts = expires.micros_since(old.created_at).max(1);
        Timestamp::from_micros(now.micros().saturating_add(lasts))
    });
    KeyDefinition {
        expires_at,
        ..old.definition.clone()
    }
}

/// What becomes of a key that is replaced: it goes at once, or is taken until a moment.
fn ends_at(definition: &KeyDefinition, until: Timestamp, now: Timestamp) -> Option<KeyDefinition> {
    let expires = definition
        .expires_at
        .map_or(until, |known| known.min(until));
    (expires > now).then(|| KeyDefinition {
        expires_at: Some(expires),
        ..definition.clone()
    })
}

/// What makes the model that was active first the default, where none is set, or one of which no version is left.
/// `default` is the state of the one that is set; all `models` are asked for only where another has to be found.
pub fn default_of(
    settings: &Settings,
    default: Option<&ModelState>,
    models: impl FnOnce() -> Vec<Arc<ModelState>>,
) -> Option<SettingsCommand> {
    if default.is_some_and(|model| !model.versions.is_empty()) {
        return None;
    }
    let from = settings.default_model.as_ref();
    let models = models();
    let first = models
        .iter()
        .filter_map(|model| Some((active_since(model)?, &model.name)));
    let (_, to) = first.min()?;
    Some(SettingsCommand::ChooseDefault {
        from: from.cloned(),
        to: to.clone(),
    })
}

/// When a model first had an active version, if one has traffic now.
fn active_since(model: &ModelState) -> Option<Timestamp> {
    let versions = model.versions.iter();
    let first = versions.clone().filter_map(|version| version.activated_at);
    let answers = |version: &&types::Version| version.traffic_percent != Percent::ZERO;
    first
        .min()
        .filter(|_| versions.clone().any(|version| answers(&version)))
}

/// The settings after their events, oldest first.
///
/// # Errors
/// The place of an event that could not be applied, and why.
pub fn replay_settings(events: &[StoredEvent]) -> Result<Settings, (usize, NotReplayed)> {
    let mut settings = Settings::default();
    for (place, stored) in events.iter().enumerate() {
        let event = SettingsEvent::read(stored.action, &stored.detail);
        let event = event.ok_or((place, NotReplayed::Unreadable))?;
        event.apply(&mut settings, stored.at);
    }
    Ok(settings)
}

impl SettingsEvent {
    fn apply(&self, settings: &mut Settings, at: Timestamp) {
        match self {
            Self::Baseline(baseline) => {
                let changes = settings.changes;
                *settings = Settings::clone(baseline);
                settings.changes = changes;
            }
            Self::DefaultModel(_, to) => settings.default_model = Some(to.clone()),
            Self::WebhookCreated(id, definition) => settings.webhooks.push(Webhook {
                id: *id,
                created_at: at,
                definition: definition.clone(),
            }),
            Self::WebhookDeleted(id, _) => settings.webhooks.retain(|webhook| webhook.id != *id),
            Self::KeyCreated(id, definition) => settings.keys.push(AccessKey {
                id: *id,
                created_at: at,
                definition: KeyDefinition::clone(definition),
            }),
            Self::KeyRevoked(id, _) => settings.keys.retain(|key| key.id != *id),
            // They are no settings: the audit tells of them.
            Self::ErasureBegun(..) | Self::ErasureEnded(..) => {}
            Self::KeyRotated {
                from,
                to,
                definition,
                until,
            } => {
                let old = settings.keys.iter().position(|key| key.id == *from);
                if let Some(old) = old {
                    match ends_at(&settings.keys[old].definition, *until, at) {
                        None => drop(settings.keys.remove(old)),
                        Some(ending) => settings.keys[old].definition = ending,
                    }
                }
                settings.keys.push(AccessKey {
                    id: *to,
                    created_at: at,
                    definition: KeyDefinition::clone(definition),
                });
            }
        }
        settings.changes += 1;
    }

    fn action(&self) -> Action {
        match self {
            Self::Baseline(_) => Action::SettingsBaseline,
            Self::DefaultModel(..) => Action::DefaultModelSet,
            Self::WebhookCreated(..) => Action::WebhookCreated,
            Self::WebhookDeleted(..) => Action::WebhookDeleted,
            Self::KeyCreated(..) => Action::KeyCreated,
            Self::KeyRevoked(..) => Action::KeyRevoked,
            Self::ErasureBegun(..) => Action::ErasureBegun,
            Self::ErasureEnded(..) => Action::ErasureEnded,
            Self::KeyRotated { .. } => Action::KeyRotated,
        }
    }

    fn detail(&self) -> Value {
        match self {
            Self::Baseline(settings) => {
                let webhooks = settings.webhooks.iter().map(|webhook| {
                    json!({
                        "webhook": webhook.id.to_string(),
                        "created_at": webhook.created_at.micros(),
                        "definition": webhook.definition,
                    })
                });
                let keys = settings.keys.iter().map(|key| {
                    json!({
                        "key": key.id,
                        "created_at": key.created_at.micros(),
                        "definition": key.definition,
                    })
                });
                json!({
                    "default_model": settings.default_model,
                    "webhooks": webhooks.collect::<Vec<_>>(),
                    "keys": keys.collect::<Vec<_>>(),
                })
            }
            Self::DefaultModel(from, to) => json!({"from": from, "to": to}),
            Self::WebhookCreated(id, definition) => {
                json!({"webhook": id.to_string(), "definition": definition})
            }
            Self::WebhookDeleted(id, from) => {
                json!({"webhook": id.to_string(), "from": from, "to": null})
            }
            Self::KeyCreated(id, definition) => json!({"key": id, "definition": definition}),
            Self::KeyRevoked(id, from) => json!({"key": id, "from": from, "to": null}),
            Self::ErasureBegun(id, pseudonym) => json!({"erasure": id, "pseudonym": pseudonym}),
            Self::ErasureEnded(id, predictions, others) => {
                json!({"erasure": id, "predictions": predictions, "others": others})
            }
            Self::KeyRotated {
                from,
                to,
                definition,
                until,
            } => {
                json!({"from": from, "key": to, "definition": definition, "until": until.micros()})
            }
        }
    }

    /// `None` where it is none of these.
    fn read(action: Action, detail: &str) -> Option<Self> {
        let detail: Value = serde_json::from_str(detail).ok()?;
        let model = |key: &str| -> Option<Option<ModelName>> {
            serde_json::from_value(detail[key].clone()).ok()
        };
        let id = |value: &Value| value["webhook"].as_str()?.parse::<WebhookId>().ok();
        let definition = |value: &Value| {
            serde_json::from_value::<WebhookDefinition>(value["definition"].clone()).ok()
        };
        let key = |value: &Value| serde_json::from_value::<KeyId>(value.clone()).ok();
        let erasure =
            |value: &Value| serde_json::from_value::<ErasureId>(value["erasure"].clone()).ok();
        let of_key = |value: &Value| {
            serde_json::from_value::<KeyDefinition>(value["definition"].clone()).ok()
        };
        Some(match action {
            Action::SettingsBaseline => {
                let webhook = |value: &Value| {
                    Some(Webhook {
                        id: id(value)?,
                        created_at: Timestamp::from_micros(value["created_at"].as_i64()?),
                        definition: definition(value)?,
                    })
                };
                let webhooks = detail["webhooks"].as_array()?.iter().map(webhook);
                let known = |value: &Value| {
                    Some(AccessKey {
                        id: key(&value["key"])?,
                        created_at: Timestamp::from_micros(value["created_at"].as_i64()?),
                        definition: of_key(value)?,
                    })
                };
                let keys = detail["keys"].as_array().into_iter().flatten().map(known);
                Self::Baseline(Box::new(Settings {
                    changes: 0,
                    default_model: model("default_model")?,
                    webhooks: webhooks.collect::<Option<_>>()?,
                    // Those of releases before have none.
                    keys: keys.collect::<Option<_>>()?,
                }))
            }
            Action::DefaultModelSet => Self::DefaultModel(model("from")?, model("to")??),
            Action::WebhookCreated => Self::WebhookCreated(id(&detail)?, definition(&detail)?),
            Action::WebhookDeleted => {
                let was = serde_json::from_value(detail["from"].clone());
                Self::WebhookDeleted(id(&detail)?, was.ok())
            }
            Action::KeyCreated => {
                Self::KeyCreated(key(&detail["key"])?, Box::new(of_key(&detail)?))
            }
            Action::KeyRevoked => {
                let was = serde_json::from_value(detail["from"].clone());
                Self::KeyRevoked(key(&detail["key"])?, was.ok())
            }
            Action::ErasureBegun => {
                let pseudonym = detail["pseudonym"].as_str()?.to_owned();
                Self::ErasureBegun(erasure(&detail)?, pseudonym)
            }
            Action::ErasureEnded => Self::ErasureEnded(
                erasure(&detail)?,
                detail["predictions"].as_u64()?,
                detail["others"].as_u64()?,
            ),
            Action::KeyRotated => Self::KeyRotated {
                from: key(&detail["from"])?,
                to: key(&detail["key"])?,
                definition: Box::new(of_key(&detail)?),
                until: Timestamp::from_micros(detail["until"].as_i64()?),
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(bits: u64) -> SettingsCommand {
        let name = ModelName::parse("m")
            .ok()
            .filter(|_| bits.is_multiple_of(2));
        let secrets = WebhookSecrets {
            url: "https://example.com/token".into(),
            secret: "whsec_never".into(),
        };
        SettingsCommand::CreateWebhook(
            WebhookId::from_bits(bits),
            WebhookDefinition {
                name,
                ..WebhookDefinition::default()
            },
            secrets,
        )
    }

    fn key(bits: u64, now: i64) -> SettingsCommand {
        let definition = KeyDefinition {
            role: Role::ALL[bits as usize % Role::ALL.len()],
            models: types::Scope::default(),
            description: Some("for a test".into()),
            expires_at: bits
                .is_multiple_of(3)
                .then(|| Timestamp::from_micros(now + 50)),
            requests_per_second: None,
            concurrent_requests: None,
        };
        SettingsCommand::CreateKey(
            KeyId::from_bits(bits),
            Box::new(definition),
            KeyHash([7; 32]),
        )
    }

    #[test]
    fn settings_are_the_replay_of_their_events_and_these_hold_no_secret() {
        let mut settings = Settings {
            // Of a release that kept no events.
            webhooks: vec![Webhook {
                id: WebhookId::from_bits(1000),
                created_at: Timestamp::from_micros(5),
                definition: WebhookDefinition::default(),
            }],
            ..Settings::default()
        };
        let mut random = fastrand::Rng::with_seed(3);
        let mut events: Vec<StoredEvent> = Vec::new();
        for n in 0..400 {
            let name = ["m", "n"][random.usize(..2)];
            let command = match random.u8(..15) {
                _ if n == 0 => SettingsCommand::Baseline,
                9 | 10 => key(random.u64(..40), n),
                13 => SettingsCommand::BeginErasure(Box::new(NewErasure {
                    id: ErasureId::from_bits(n as u64),
                    unit: types::UnitId::parse("never told").expect("a unit"),
                    pseudonym: "erased:1".into(),
                    until_order: 1,
                    position: 1,
                })),
                14 => SettingsCommand::EndErasure(ErasureId::from_bits(1), 2, 3),
                11 => SettingsCommand::RevokeKey(KeyId::from_bits(random.u64(..40))),
                12 => SettingsCommand::RotateKey {
                    from: KeyId::from_bits(random.u64(..40)),
                    to: KeyId::from_bits(random.u64(..400)),
                    hash: KeyHash([7; 32]),
                    until: Timestamp::from_micros(random.i64(..400)),
                },
                8 => SettingsCommand::ChooseDefault {
                    from: settings.default_model.clone().filter(|_| random.bool()),
                    to: ModelName::parse(name).expect("a name"),
                },
                0 | 1 => SettingsCommand::SetDefaultModel(ModelName::parse(name).expect("a name")),
                2 => SettingsCommand::DeleteWebhook(WebhookId::from_bits(random.u64(..200))),
                _ => webhook(random.u64(..200)),
            };
            let now = Timestamp::from_micros(n);
            let Ok(Some(decided)) = decide_settings(&settings, &command, now) else {
                continue;
            };
            let event = decided.change.event;
            assert!(!event.detail.contains("never") && !event.detail.contains("token"));
            events.push(StoredEvent {
                change: decided.change.decided_on + 1,
                at: now,
                action: event.action,
                version: None,
                detail: event.detail,
            });
            settings = decided.settings;
            assert_eq!(settings.changes, events.len() as i64);
            assert!(settings.webhooks.len() <= MOST_WEBHOOKS);
        }
        assert!(settings.webhooks.len() > 50, "{}", settings.webhooks.len());
        assert!(settings.keys.len() > 5, "{}", settings.keys.len());
        assert_eq!(replay_settings(&events), Ok(settings));
    }

    #[test]
    fn who_could_give_keys_stays_until_another_one_can() {
        let now = Timestamp::from_micros(10);
        let mut settings = Settings::default();
        let mut set = |command: &SettingsCommand| {
            let decided = decide_settings(&settings, command, now)?;
            settings = decided.map_or(settings.clone(), |decided| decided.settings);
            Ok::<_, Refusal>(())
        };
        // 4 and 14 are admins, 1 is a predictor.
        let id = KeyId::from_bits;
        for bits in [4, 1] {
            assert_eq!(set(&key(bits, 0)), Ok(()));
        }
        let revoke = |bits| SettingsCommand::RevokeKey(id(bits));
        assert_eq!(set(&revoke(4)), Err(Refusal::LastAdminKey(id(4))));
        assert_eq!(set(&key(14, 0)), Ok(()));
        assert_eq!(set(&revoke(4)), Ok(()));
        assert_eq!(set(&revoke(1)), Ok(()));
        assert_eq!(set(&revoke(1)), Err(Refusal::UnknownKey(id(1))));
        let rotate = SettingsCommand::RotateKey {
            from: id(14),
            to: id(15),
            hash: KeyHash([7; 32]),
            until: Timestamp::from_micros(20),
        };
        assert_eq!(set(&rotate), Ok(()));
        assert_eq!(set(&rotate), Err(Refusal::DuplicateKey(id(15))));
        // One that has an end has another one from then on; it cannot be the last.
        let temporary = |bits| match key(bits, 0) {
            SettingsCommand::CreateKey(id, definition, hash) => {
                let expires_at = Some(Timestamp::from_micros(60));
                let definition = KeyDefinition {
                    expires_at,
                    ..*definition
                };
                SettingsCommand::CreateKey(id, Box::new(definition), hash)
            }
            other => other,
        };
        assert_eq!(set(&temporary(24)), Ok(()));
        assert_eq!(set(&revoke(15)), Err(Refusal::LastAdminKey(id(15))));
        let expires: Vec<_> = settings
            .keys
            .iter()
            .map(|key| key.definition.expires_at)
            .collect();
        let at = Timestamp::from_micros;
        assert_eq!(expires, [Some(at(20)), None, Some(at(60))]);
        assert_eq!(
            renewed(&settings.keys[2], at(110)).expires_at,
            Some(at(160))
        );
    }

    /// A model to which things happen from a moment on until it has an active version.
    fn active(name: ModelName, since: i64) -> Arc<ModelState> {
        let mut random = fastrand::Rng::with_seed(1);
        let mut roll = |bound| random.u64(..bound);
        let mut dice = crate::random::Dice::new(&mut roll, 0);
        let mut state = ModelState::new(name);
        for n in since.. {
            let now = Timestamp::from_micros(n);
            if let Ok(Some(decided)) = crate::decide(&state, &dice.command(&state, now), now) {
                state = decided.state;
            }
            if active_since(&state).is_some() {
                break;
            }
        }
        Arc::new(state)
    }

    #[test]
    fn what_was_chosen_by_itself_replaces_nothing_that_a_person_set_meanwhile() {
        let named = |name: &str| ModelName::parse(name).expect("a name");
        let set = |settings: &Settings, command: &SettingsCommand| {
            let decided = decide_settings(settings, command, Timestamp::from_micros(0));
            decided
                .expect("it is allowed")
                .map(|decided| decided.settings)
        };
        // The later one is first in the alphabet.
        let mut models = vec![active(named("n"), 10), active(named("m"), 1_000_000)];
        let [first, second] = [models[0].name.clone(), models[1].name.clone()];
        let nothing = Settings::default();
        let choose = |settings: &Settings, models: &Vec<Arc<ModelState>>| {
            let set =
                |model: &&Arc<ModelState>| Some(&model.name) == settings.default_model.as_ref();
            let default = models.iter().find(set).map(|model| &**model);
            default_of(settings, default, || models.clone())
        };
        let choice = choose(&nothing, &models).expect("a model is active");
        let chosen = set(&nothing, &choice).expect("none was set");
        assert_eq!(chosen.default_model, Some(first.clone()));
        assert!(choose(&chosen, &models).is_none());
        let person = set(&nothing, &SettingsCommand::SetDefaultModel(named("other")));
        assert!(set(&person.expect("it is new"), &choice).is_none());
        // Of a model that is gone nothing can be the default.
        models.remove(0);
        let choice = choose(&chosen, &models).expect("another is active");
        let moved = set(&chosen, &choice).expect("nobody changed it");
        assert_eq!(moved.default_model, Some(second));
    }

    #[test]
    fn what_is_not_there_is_not_deleted_and_nothing_is_told_twice() {
        let settings = Settings::default();
        let now = Timestamp::from_micros(0);
        let id = WebhookId::from_bits(7);
        let deleted = decide_settings(&settings, &SettingsCommand::DeleteWebhook(id), now);
        assert_eq!(deleted.err(), Some(Refusal::UnknownWebhook(id)));
        let set = SettingsCommand::SetDefaultModel(ModelName::parse("m").expect("a name"));
        let once = decide_settings(&settings, &set, now).expect("it is set");
        let again = decide_settings(&once.expect("it is new").settings, &set, now);
        assert!(again.is_ok_and(|again| again.is_none()));
    }
}
