//! `/webhooks`: who is told of what happens to experiments, and the task that tells them.

mod address;
mod deliver;
mod words;

pub(crate) use deliver::run;

use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, Json};
use crate::metrics::model;
use crate::openapi::{path, problems};
use crate::state::AppState;
use api::{CreateWebhook, ErrorCode, Message, Webhook, WebhookTest};
use axum::Json as Reply;
use axum::extract::{Path, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use catalog::SettingsCommand;
use reqwest::Url;
use ring::rand::{SecureRandom, SystemRandom};
use store::{Delivery, ModelStore, StoredWebhook};
use types::{Action, WebhookDefinition, WebhookFormat, WebhookId, WebhookSecrets};

/// What the secrets of the Standard Webhooks specification begin with.
const SECRET_PREFIX: &str = "whsec_";

/// So many events a webhook may name.
const MOST_EVENTS: usize = 20;
/// Tests of webhooks that are under way at a time.
pub(crate) const TESTS: usize = 4;

/// Makes a webhook. Its secret is in this reply only.
#[utoipa::path(
    post,
    path = "/webhooks",
    tag = "webhooks",
    request_body = CreateWebhook,
    responses(
        (status = 200, description = "the webhook, with its secret", body = Webhook),
        problems::NoModel,
        problems::NotNow,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    Json(body): Json<CreateWebhook>,
) -> ApiResult<Reply<Webhook>> {
    let name = body.name.as_deref().map(|name| model(&state, name));
    let name = name.transpose()?;
    let mut fields = Fields::default();
    if let Err(problem) = address::check_url(&body.url, state.config.private_webhooks) {
        fields.wrong("/url", problem);
    }
    let format = body.format.0;
    if body.events.len() > MOST_EVENTS {
        fields.wrong("/events", format!("must have at most {MOST_EVENTS} items"));
    }
    for (at, pattern) in body.events.iter().enumerate() {
        let mut all = Action::ALL
            .iter()
            .copied()
            .filter(|action| action.is_of_experiment());
        if !all.any(|action| types::matches_action(pattern, action)) {
            let detail =
                "is not an event of an experiment, such as experiment.promoted or experiment.*";
            fields.wrong(&format!("/events/{at}"), detail);
        }
    }
    let secret = match body.secret {
        Some(key) if format == WebhookFormat::Pagerduty => {
            if key.len() != 32 || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                let detail = "must be the routing key of an integration: 32 letters and digits";
                fields.wrong("/secret", detail);
            }
            key
        }
        None if format == WebhookFormat::Pagerduty => {
            fields.wrong(
                "/secret",
                "is needed: the routing key of your PagerDuty integration",
            );
            String::new()
        }
        None => new_secret()?,
        Some(secret) => {
            if key_of(&secret).is_none_or(|key| !(16..=128).contains(&key.len())) {
                let detail = "must be whsec_ and the base64 of 16 to 128 bytes; leave it out and one \
                              is made";
                fields.wrong("/secret", detail);
            }
            secret
        }
    };
    fields.finish(Some(()))?;
    let id = WebhookId::from_bits(clock::random());
    let address = Some(shown(&body.url));
    let secrets = WebhookSecrets {
        url: body.url,
        secret: secret.clone(),
    };
    let definition = WebhookDefinition {
        name,
        events: body.events,
        format,
        address,
    };
    let create = SettingsCommand::CreateWebhook(id, definition.clone(), secrets.clone());
    let now = state.clock.now();
    state.set(&create).await?;
    // It is made, and only this reply has its secret: that it cannot be read just now is no reason to withhold it.
    let stored = state.store.webhooks().await.unwrap_or_default();
    let made = stored.into_iter().find(|made| made.webhook.id == id);
    let made = made.unwrap_or_else(|| StoredWebhook {
        webhook: types::Webhook {
            id,
            created_at: now,
            definition,
        },
        secrets,
        delivery: Delivery::up_to(0),
    });
    Ok(Reply(Webhook {
        // The others sign nothing, and a routing key is known to whoever has given it.
        secret: Some(secret).filter(|_| format == WebhookFormat::Json),
        ..wire(&made)
    }))
}

/// Every webhook, without the secrets.
#[utoipa::path(
    get,
    path = "/webhooks",
    tag = "webhooks",
    responses(
        (status = 200, description = "the webhooks, oldest first", body = Vec<Webhook>),
        problems::Stored,
    ),
)]
pub(crate) async fn list(State(state): State<AppState>) -> ApiResult<Reply<Vec<Webhook>>> {
    let found = state.store.webhooks().await?;
    Ok(Reply(found.iter().map(wire).collect()))
}

/// Deletes a webhook: nothing more is delivered.
#[utoipa::path(
    delete,
    path = "/webhooks/{webhook}",
    tag = "webhooks",
    params(path::Webhook),
    responses(
        (status = 200, description = "what was deleted", body = Message),
        problems::NoWebhook,
        problems::Stored,
    ),
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    Path(webhook): Path<String>,
) -> ApiResult<Reply<Message>> {
    let id: WebhookId = webhook.parse().map_err(|_| unknown())?;
    state.set(&SettingsCommand::DeleteWebhook(id)).await?;
    Ok(Reply(Message {
        message: format!("The webhook {id} is deleted."),
    }))
}

/// Sends a test event to a webhook now, and says what its target answered. Other deliveries are not
/// affected.
#[utoipa::path(
    post,
    path = "/webhooks/{webhook}/test",
    tag = "webhooks",
    params(path::Webhook),
    responses(
        (status = 200, description = "what became of it", body = WebhookTest),
        problems::NoWebhook,
        problems::Busy,
        problems::Stored,
    ),
)]
pub(crate) async fn test(
    State(state): State<AppState>,
    Path(webhook): Path<String>,
) -> ApiResult<Reply<WebhookTest>> {
    let id: WebhookId = webhook.parse().map_err(|_| unknown())?;
    let found = state.store.webhooks().await?;
    let found = found.into_iter().find(|found| found.webhook.id == id);
    let _place = state.tests.try_acquire().map_err(|_| {
        let detail = "Other webhooks are being tested; try again in a moment.";
        ApiError::new(ErrorCode::TooManyRequests, detail)
    })?;
    Ok(Reply(
        deliver::test(&state, &found.ok_or_else(unknown)?).await,
    ))
}

fn unknown() -> ApiError {
    let detail = "There is no such webhook; `GET /webhooks` lists them.";
    ApiError::new(ErrorCode::WebhookNotFound, detail)
}

fn new_secret() -> ApiResult<String> {
    let mut bytes = [0; 32];
    let failed = |_| ApiError::new(ErrorCode::Internal, "The system gives no random bytes.");
    SystemRandom::new().fill(&mut bytes).map_err(failed)?;
    Ok(format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes)))
}

/// The bytes that a secret stands for.
fn key_of(secret: &str) -> Option<Vec<u8>> {
    STANDARD.decode(secret.strip_prefix(SECRET_PREFIX)?).ok()
}

fn wire(stored: &StoredWebhook) -> Webhook {
    let (webhook, delivery) = (&stored.webhook, &stored.delivery);
    Webhook {
        webhook: webhook.id.to_string(),
        url: shown(&stored.secrets.url),
        name: webhook.definition.name.as_ref().map(ToString::to_string),
        secret: None,
        events: webhook.definition.events.clone(),
        format: webhook.definition.format.into(),
        created_at: webhook.created_at.to_string(),
        last_entry: delivery.delivered,
        attempts: delivery.attempts,
        last_error: delivery.last_error.clone(),
        given_up: delivery.given_up,
    }
}

/// Scheme, host and port. The rest may be a secret: many services tell their callers by the path.
fn shown(url: &str) -> String {
    let Ok(url) = Url::parse(url) else {
        return String::new();
    };
    let origin = url.origin().ascii_serialization();
    let plain = format!("{origin}/");
    if url.as_str() == plain {
        plain
    } else {
        format!("{origin}/...")
    }
}
