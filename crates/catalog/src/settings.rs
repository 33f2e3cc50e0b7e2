//! The settings of a server: what a command does to them, and whether it may. The same means as for models, in small.

use crate::refusal::Refusal;
use crate::replay::NotReplayed;
use serde_json::{Value, json};
use std::sync::Arc;
use types::{
    Action, EventRecord, ModelName, ModelState, Percent, Settings, SettingsChange, SettingsWrite,
    StoredEvent, Timestamp, Webhook, WebhookDefinition, WebhookId, WebhookSecrets,
};

/// The most webhooks.
const MOST_WEBHOOKS: usize = 100;

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
    WebhookDeleted(WebhookId),
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
        SettingsCommand::DeleteWebhook(id) if known(id) => (
            SettingsEvent::WebhookDeleted(*id),
            vec![SettingsWrite::DeleteWebhook(*id)],
        ),
        SettingsCommand::DeleteWebhook(id) => return Err(Refusal::UnknownWebhook(*id)),
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
        },
    };
    Ok(Some(DecidedSettings {
        change,
        settings: next,
    }))
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
            Self::WebhookDeleted(id) => settings.webhooks.retain(|webhook| webhook.id != *id),
        }
        settings.changes += 1;
    }

    fn action(&self) -> Action {
        match self {
            Self::Baseline(_) => Action::SettingsBaseline,
            Self::DefaultModel(..) => Action::DefaultModelSet,
            Self::WebhookCreated(..) => Action::WebhookCreated,
            Self::WebhookDeleted(_) => Action::WebhookDeleted,
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
                json!({
                    "default_model": settings.default_model,
                    "webhooks": webhooks.collect::<Vec<_>>(),
                })
            }
            Self::DefaultModel(from, to) => json!({"from": from, "to": to}),
            Self::WebhookCreated(id, definition) => {
                json!({"webhook": id.to_string(), "definition": definition})
            }
            Self::WebhookDeleted(id) => json!({"webhook": id.to_string()}),
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
                Self::Baseline(Box::new(Settings {
                    changes: 0,
                    default_model: model("default_model")?,
                    webhooks: webhooks.collect::<Option<_>>()?,
                }))
            }
            Action::DefaultModelSet => Self::DefaultModel(model("from")?, model("to")??),
            Action::WebhookCreated => Self::WebhookCreated(id(&detail)?, definition(&detail)?),
            Action::WebhookDeleted => Self::WebhookDeleted(id(&detail)?),
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
            WebhookDefinition { name },
            secrets,
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
            let command = match random.u8(..9) {
                _ if n == 0 => SettingsCommand::Baseline,
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
        assert_eq!(replay_settings(&events), Ok(settings));
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
