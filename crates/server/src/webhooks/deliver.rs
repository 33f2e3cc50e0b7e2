//! Deliveries: in the order of the audit, at least once, each repeated until it is taken or given up. How
//! far a webhook has been told is stored, so a restart loses nothing.

use super::address::{PublicOnly, check_url};
use super::key_of;
use crate::audit::entry;
use crate::state::AppState;
use api::WebhookDelivery;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::{AuditEntry, AuditFilter, Delivery, ModelStore, StoreError, StoredWebhook};
use tokio::task::{self, JoinSet};
use types::{Timestamp, WebhookId};

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
    let delivery = WebhookDelivery {
        r#type: found.action.into(),
        timestamp: found.at.to_string(),
        data: entry(found),
    };
    let body = serde_json::to_string(&delivery).map_err(|error| error.to_string())?;
    let timestamp = now.seconds().to_string();
    let signature = sign(&webhook.secrets.secret, &id, &timestamp, &body).ok_or(
        "the stored secret is not `whsec_` and base64: delete the webhook and make it again",
    )?;
    let sent = client
        .post(&webhook.secrets.url)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
        .body(body)
        .send();
    let response = sent.await.map_err(|error| whole(&error.without_url()))?;
    if response.status().is_success() {
        return Ok(());
    }
    Err(format!("the target answered {}", response.status()))
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
