//! Deliveries: in the order of the audit, at least once, each repeated until it is taken or given up. How
//! far a webhook has been told is stored, so a restart loses nothing.

use super::address::{PublicOnly, check_url};
use super::{key_of, words};
use crate::audit::entry;
use crate::state::AppState;
use api::{WebhookDelivery, WebhookTest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::{AuditEntry, AuditFilter, Delivery, ModelStore, StoreError, StoredWebhook};
use tokio::task::{self, JoinSet};
use types::{Timestamp, WebhookFormat, WebhookId};

/// How long a target may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The wait after the first failure; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Failures after which a delivery is given up: after about four hours.
const ATTEMPTS: u32 = 16;
/// How often it is looked whether a delivery is due again.
const POLL: Duration = Duration::from_secs(1);

/// Tells every webhook what happens, for ever. A target that hangs delays no other.
pub(crate) async fn run(state: &AppState) {
    let client = match client(state.config.private_webhooks) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "webhooks cannot be delivered");
            return std::future::pending().await;
        }
    };
    let mut news = state.news.subscribe();
    let mut under_way: HashMap<task::Id, WebhookId> = HashMap::new();
    let mut deliveries: JoinSet<Again> = JoinSet::new();
    // Whether a webhook waits for its next attempt; without one nothing has to be polled.
    let mut retrying = false;
    // Whether something happened while a webhook was being told.
    let mut missed = false;
    let mut look = true;
    loop {
        if look {
            let found = state.store.webhooks().await;
            // What cannot be read now is read again.
            retrying = found.is_err();
            if let Err(error) = &found {
                tracing::warn!(%error, "the webhooks cannot be read: nothing is delivered until they can");
            }
            let now = state.clock.now();
            for webhook in found.unwrap_or_default() {
                // No wait is longer: the clock was ahead when it began.
                let at = webhook.delivery.next_attempt_at;
                let is_ahead = at.micros_since(now) > LONGEST_WAIT.as_micros() as i64;
                if at > now && !is_ahead {
                    retrying = true;
                    continue;
                }
                if under_way.values().any(|id| *id == webhook.webhook.id) {
                    missed = true;
                    continue;
                }
                let (id, state, client) = (webhook.webhook.id, state.clone(), client.clone());
                let delivery = async move { deliver_next(&state, &client, webhook).await };
                under_way.insert(deliveries.spawn(delivery).id(), id);
            }
        }
        look = tokio::select! {
            changed = news.changed() => changed.is_ok(),
            Some(done) = deliveries.join_next_with_id() => {
                let (task, next) = match done {
                    Ok((task, next)) => (task, next),
                    Err(error) => (error.id(), Again::Later),
                };
                under_way.remove(&task);
                retrying |= next == Again::Later;
                next == Again::Now || std::mem::take(&mut missed)
            }
            () = tokio::time::sleep(POLL), if retrying => true,
        };
    }
}

/// When to look for more to tell a webhook.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// There may be more.
    Now,
    /// There was nothing: when something happens.
    News,
    /// It could not be recorded.
    Later,
}

fn client(private: bool) -> reqwest::Result<reqwest::Client> {
    runtime::install_tls();
    let builder = reqwest::Client::builder()
        .timeout(TIMEOUT)
        // A redirect would lead to an address that nobody registered.
        .redirect(reqwest::redirect::Policy::none())
        // A proxy would resolve names itself.
        .no_proxy()
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")));
    let builder = if private {
        builder
    } else {
        builder.dns_resolver(Arc::new(PublicOnly))
    };
    builder.build()
}

/// Tells a webhook of the next entry.
async fn deliver_next(state: &AppState, client: &reqwest::Client, webhook: StoredWebhook) -> Again {
    match try_next(state, client, &webhook).await {
        Ok(true) => Again::Now,
        Ok(false) => Again::News,
        Err(error) => {
            tracing::warn!(%error, webhook = %webhook.webhook.id, "a delivery could not be recorded");
            Again::Later
        }
    }
}

/// Says whether there may be more.
async fn try_next(
    state: &AppState,
    client: &reqwest::Client,
    webhook: &StoredWebhook,
) -> Result<bool, StoreError> {
    let filter = AuditFilter {
        name: webhook.webhook.definition.name.clone(),
        experiments_only: true,
        limit: 1,
        ..AuditFilter::default()
    };
    let told = &webhook.delivery;
    let next = state.store.audit_after(filter, told.delivered).await?;
    let Some(next) = next.into_iter().next() else {
        return Ok(false);
    };
    let (id, entry) = (webhook.webhook.id, next.id);
    if !webhook.webhook.definition.takes(next.action) {
        let passed = Delivery {
            given_up: told.given_up,
            ..Delivery::up_to(entry)
        };
        state.store.keep_delivery(id, passed).await?;
        return Ok(true);
    }
    // A literal address is not resolved, and the setting may have changed since it was registered.
    let sent = match check_url(&webhook.secrets.url, state.config.private_webhooks) {
        Ok(()) => post(client, webhook, next, state.clock.now()).await,
        Err(forbidden) => Err(format!("the URL {forbidden}")),
    };
    let delivery = match sent {
        Ok(()) => Delivery {
            given_up: told.given_up,
            ..Delivery::up_to(entry)
        },
        Err(error) => {
            tracing::warn!(error, webhook = %id, entry, "a delivery failed");
            failed(told, entry, error, state.clock.now())
        }
    };
    state.store.keep_delivery(id, delivery).await?;
    Ok(true)
}

/// After a delivery of an entry has failed: it is tried again later, or given up.
fn failed(told: &Delivery, entry: i64, error: String, now: Timestamp) -> Delivery {
    if told.attempts + 1 >= ATTEMPTS {
        return Delivery {
            last_error: Some(error),
            given_up: told.given_up + 1,
            ..Delivery::up_to(entry)
        };
    }
    let wait = FIRST_WAIT.saturating_mul(1 << told.attempts.min(16));
    let wait = i64::try_from(wait.min(LONGEST_WAIT).as_micros()).unwrap_or(i64::MAX);
    Delivery {
        attempts: told.attempts + 1,
        next_attempt_at: Timestamp::from_micros(now.micros().saturating_add(wait)),
        last_error: Some(error),
        ..told.clone()
    }
}

async fn post(
    client: &reqwest::Client,
    webhook: &StoredWebhook,
    found: AuditEntry,
    now: Timestamp,
) -> Result<(), String> {
    let id = format!("weir-{}", found.id);
    let at = found.at.to_string();
    let action = found.action.into();
    let data = entry(found);
    let delivery = WebhookDelivery {
        r#type: action,
        timestamp: at,
        text: words::said(&data),
        data,
    };
    let format = webhook.webhook.definition.format;
    match words::body(format, &delivery, &webhook.secrets.secret) {
        Some(body) => send(client, webhook, (&id, now), &body.to_string()).await.1,
        None => Ok(()),
    }
}

/// Sends a test event.
pub(super) async fn test(state: &AppState, webhook: &StoredWebhook) -> WebhookTest {
    let now = state.clock.now();
    let allowed = check_url(&webhook.secrets.url, state.config.private_webhooks)
        .map_err(|forbidden| format!("the URL {forbidden}"));
    let client = client(state.config.private_webhooks).map_err(|error| error.to_string());
    let (status, sent) = match allowed.and(client) {
        Ok(client) => {
            let format = webhook.webhook.definition.format;
            let body = words::test_body(format, &now.to_string(), &webhook.secrets.secret);
            let id = format!("weir-test-{}", now.micros());
            send(&client, webhook, (&id, now), &body.to_string()).await
        }
        Err(error) => (None, Err(error)),
    };
    let delivered = sent.is_ok();
    let message = match (sent, status) {
        (Ok(()), Some(status)) => {
            format!("The test event was delivered: the target answered {status}.")
        }
        (Ok(()), None) => "The test event was delivered.".to_owned(),
        (Err(error), _) => format!("The test event was not delivered: {error}."),
    };
    WebhookTest {
        delivered,
        status,
        message,
    }
}

/// Posts a body; gives the status of the answer, and what is wrong with it.
async fn send(
    client: &reqwest::Client,
    webhook: &StoredWebhook,
    (id, now): (&str, Timestamp),
    body: &str,
) -> (Option<u16>, Result<(), String>) {
    let mut request = client
        .post(&webhook.secrets.url)
        .header("content-type", "application/json");
    // The others tell their callers by the address, or by the body.
    if webhook.webhook.definition.format == WebhookFormat::Json {
        let timestamp = now.seconds().to_string();
        let Some(signature) = sign(&webhook.secrets.secret, id, &timestamp, body) else {
            let why = "the stored secret is not `whsec_` and base64: delete the webhook and make it again";
            return (None, Err(why.into()));
        };
        request = request
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature);
    }
    let response = match request.body(body.to_owned()).send().await {
        Ok(response) => response,
        Err(error) => return (None, Err(whole(&error.without_url()))),
    };
    let status = response.status();
    let taken = if status.is_success() {
        Ok(())
    } else {
        Err(format!("the target answered {status}"))
    };
    (Some(status.as_u16()), taken)
}

/// An error with what caused it.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.chars().take(500).collect()
}

/// The signature of the Standard Webhooks specification.
fn sign(secret: &str, id: &str, timestamp: &str, body: &str) -> Option<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key_of(secret)?);
    let signed = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(signed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_are_signed_as_the_specification_says() {
        // The example of the Standard Webhooks libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let got = sign(
            secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        let want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(got.as_deref(), Some(want));
    }
}
