//! The settings of the server as rows, and how far each webhook has been told.

use super::{bound, readable, to_text, unreadable_rows};
use crate::VerifyReport;
use crate::chain::{AuditRow, to_hex};
use crate::sqlite::erasure;
use crate::sqlite::hash::Columns;
use crate::sqlite::row::ByName;
use crate::sqlite::{Store, newest_event};
use crate::traits::Applied;
use crate::{Delivery, NotApplied, StoreError, StoredKey, StoredWebhook};
use rusqlite::{Connection, Row, Transaction, params};
use std::sync::atomic::Ordering;
use types::{
    AccessKey, KeyHash, KeyId, ModelName, Settings, SettingsChange, SettingsWrite, StoredEvent,
    Timestamp, Webhook, WebhookId, WebhookSecrets,
};

const URL: &str = "webhook.url";
const SECRET: &str = "webhook.secret";
const KEY_HASH: &str = "key.hash";

pub(in crate::sqlite) async fn apply(
    store: &Store,
    change: SettingsChange,
) -> Result<Applied, StoreError> {
    let is_erasure = change.writes.iter().any(|write| {
        matches!(
            write,
            SettingsWrite::BeginErasure(_) | SettingsWrite::EndErasure(_)
        )
    });
    let (applied, newest) = store
        .change(move |t| {
            let applied = super::apply::alone(t, |t| write(t, &change))?;
            Ok::<_, StoreError>((applied, newest_event(t)?))
        })
        .await?;
    store.inner.directory.say(newest);
    if is_erasure {
        store.inner.unclean.store(true, Ordering::Release);
        store.wants_tidying();
    }
    Ok(applied)
}

fn write(t: &Transaction<'_>, change: &SettingsChange) -> Result<Applied, StoreError> {
    let sql = "UPDATE settings SET changes = changes + 1 WHERE changes = ?1";
    if t.execute(sql, [change.decided_on])? != 1 {
        return Ok(Err(NotApplied::Moved("the settings".into())));
    }
    for row in &change.writes {
        let written = match row {
            SettingsWrite::DefaultModel(name) => {
                t.execute("UPDATE settings SET default_model = ?1", [name.as_str()])?
            }
            SettingsWrite::NewWebhook(webhook, secrets) => insert(t, webhook, secrets)?,
            SettingsWrite::DeleteWebhook(id) => {
                t.execute("DELETE FROM secrets WHERE id = ?1", [id.to_string()])?;
                t.execute(
                    "DELETE FROM webhooks WHERE webhook_id = ?1",
                    [id.to_string()],
                )?
            }
            SettingsWrite::NewKey(key, hash) => insert_key(t, key, *hash)?,
            SettingsWrite::SetKey(id, definition) => t.execute(
                "UPDATE access_keys SET definition = ?2 WHERE key_id = ?1",
                params![id.to_string(), bound(&**definition)?],
            )?,
            SettingsWrite::BeginErasure(new) => erasure::insert(t, new, change.at)?,
            SettingsWrite::EndErasure(id) => erasure::end(t, *id, change.at)?,
            SettingsWrite::DeleteKey(id) => {
                t.execute("DELETE FROM secrets WHERE id = ?1", [id.to_string()])?;
                t.execute(
                    "DELETE FROM access_keys WHERE key_id = ?1",
                    [id.to_string()],
                )?
            }
        };
        if written != 1 {
            let what = format!("{written} rows of the settings instead of one for {row:?}");
            return Ok(Err(NotApplied::Refused(what)));
        }
    }
    let event = &change.event;
    let author = event.author.as_ref().map(to_text).transpose()?;
    let row = AuditRow {
        at: change.at.micros(),
        action: event.action.as_str(),
        name: "",
        version: None,
        revision: event.revision,
        detail: &event.detail,
        experiment_key: None,
        change: Some(change.decided_on + 1),
        author: author.as_deref(),
    };
    row.insert(t)?;
    Ok(Ok(()))
}

fn insert(
    t: &Transaction<'_>,
    webhook: &Webhook,
    secrets: &WebhookSecrets,
) -> rusqlite::Result<usize> {
    let id = webhook.id.to_string();
    insert_secret(t, &id, URL, &secrets.url)?;
    insert_secret(t, &id, SECRET, &secrets.secret)?;
    t.execute(
        "INSERT INTO webhooks (webhook_id, created_at, definition, delivered) \
         SELECT ?1, ?2, ?3, COALESCE(MAX(id), 0) FROM audit",
        params![id, webhook.created_at.micros(), bound(&webhook.definition)?],
    )
}

fn insert_key(t: &Transaction<'_>, key: &AccessKey, hash: KeyHash) -> rusqlite::Result<usize> {
    let id = key.id.to_string();
    insert_secret(t, &id, KEY_HASH, &to_hex(&hash.0))?;
    t.execute(
        "INSERT INTO access_keys (key_id, created_at, definition) VALUES (?1, ?2, ?3)",
        params![id, key.created_at.micros(), bound(&key.definition)?],
    )
}

fn insert_secret(t: &Transaction<'_>, id: &str, kind: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO secrets (id, kind, value, row_hash) VALUES (?1, ?2, ?3, ?4)";
    t.execute(sql, params![id, kind, value, hash_of(id, kind, value)])?;
    Ok(())
}

fn hash_of(id: &str, kind: &str, value: &str) -> i64 {
    let mut columns = Columns::new();
    columns.text(id).text(kind).text(value).hash() as i64
}

/// Secrets that are not what was written, or belong to nothing.
pub(in crate::sqlite) fn check_secrets(
    connection: &Connection,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let mut select = connection.prepare(
        "SELECT s.id, s.kind, s.value, s.row_hash, \
         CASE s.kind WHEN 'key.hash' THEN k.key_id IS NULL ELSE w.webhook_id IS NULL END AS lost FROM secrets s \
         LEFT JOIN webhooks w ON w.webhook_id = s.id LEFT JOIN access_keys k ON k.key_id = s.id",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get::<_, String>("id").unwrap_or_default();
        let hash = |row: &Row<'_>| -> rusqlite::Result<bool> {
            let kind = row.get_ref("kind")?.as_str()?;
            let hash = hash_of(&id, kind, row.get_ref("value")?.as_str()?);
            let written: Option<i64> = row.get("row_hash")?;
            let known = [URL, SECRET, KEY_HASH].contains(&kind);
            Ok(written.is_none_or(|written| written == hash) && known)
        };
        if row.get("lost")? || !hash(row).unwrap_or(false) {
            report.changed(format_args!("a secret of {id:?}"));
        }
    }
    Ok(())
}

pub(in crate::sqlite) fn settings(t: &Transaction<'_>) -> Result<Settings, StoreError> {
    let sql = "SELECT changes, default_model FROM settings";
    let mut settings = t.query_row(sql, [], |row| {
        Ok(Settings {
            changes: row.get("changes")?,
            default_model: row.parsed_option("default_model", ModelName::parse)?,
            webhooks: Vec::new(),
            keys: Vec::new(),
        })
    })?;
    let webhooks = list(t)?.into_iter();
    settings.webhooks = webhooks.map(|stored| stored.webhook).collect();
    let mut select = t.prepare_cached(SELECT_KEYS)?;
    settings.keys = readable(select.query_map([], read_key)?)?;
    Ok(settings)
}

const SELECT_KEYS: &str =
    "SELECT key_id, created_at, definition FROM access_keys ORDER BY access_key";

fn read_key(row: &Row<'_>) -> rusqlite::Result<AccessKey> {
    Ok(AccessKey {
        id: row.parsed("key_id", str::parse)?,
        created_at: row.time("created_at")?,
        definition: row.json("definition")?,
    })
}

pub(in crate::sqlite) fn keys(connection: &Connection) -> Result<Vec<StoredKey>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT k.key_id, k.last_used_at, s.value FROM access_keys k \
         JOIN secrets s ON s.id = k.key_id AND s.kind = 'key.hash' ORDER BY k.access_key",
    )?;
    let rows = select.query_map([], |row| {
        let last: Option<i64> = row.get("last_used_at")?;
        Ok(StoredKey {
            id: row.parsed("key_id", str::parse)?,
            hash: row.parsed("value", of_hex)?,
            last_used_at: last.map(Timestamp::from_micros),
        })
    })?;
    readable(rows)
}

fn of_hex(text: &str) -> Result<KeyHash, String> {
    let hash: types::ContentHash = text.parse().map_err(|error| format!("{error}"))?;
    Ok(KeyHash(hash.bytes()))
}

pub(in crate::sqlite) fn keep_uses(
    t: &Transaction<'_>,
    uses: &[(KeyId, Timestamp)],
) -> Result<(), StoreError> {
    let sql = "UPDATE access_keys SET last_used_at = max(coalesce(last_used_at, 0), ?2) WHERE key_id = ?1";
    let mut update = t.prepare_cached(sql)?;
    for (id, at) in uses {
        update.execute(params![id.to_string(), at.micros()])?;
    }
    Ok(())
}

pub(in crate::sqlite) fn events(connection: &Connection) -> Result<Vec<StoredEvent>, StoreError> {
    super::state::events_named(connection, "")
}

const SELECT: &str = "SELECT w.webhook_id, w.created_at, w.definition, w.delivered, w.attempts, w.next_attempt_at, \
     w.last_error, w.given_up, u.value AS url, s.value AS secret FROM webhooks w \
     LEFT JOIN secrets u ON u.id = w.webhook_id AND u.kind = 'webhook.url' \
     LEFT JOIN secrets s ON s.id = w.webhook_id AND s.kind = 'webhook.secret' ORDER BY w.webhook_key";

/// Webhooks that cannot be read, and why.
pub(super) fn unreadable(connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let mut found = unreadable_rows(connection, SELECT, "the webhook", read)?;
    found.extend(unreadable_rows(
        connection,
        SELECT_KEYS,
        "the key",
        read_key,
    )?);
    Ok(found)
}

pub(in crate::sqlite) fn list(connection: &Connection) -> Result<Vec<StoredWebhook>, StoreError> {
    let mut select = connection.prepare_cached(SELECT)?;
    let rows = select.query_map([], read)?;
    readable(rows)
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredWebhook> {
    Ok(StoredWebhook {
        webhook: Webhook {
            id: row.parsed("webhook_id", str::parse)?,
            created_at: row.time("created_at")?,
            definition: row.json("definition")?,
        },
        secrets: WebhookSecrets {
            url: row.get("url")?,
            secret: row.get("secret")?,
        },
        delivery: Delivery {
            delivered: row.get("delivered")?,
            attempts: row.get("attempts")?,
            next_attempt_at: row.time("next_attempt_at")?,
            last_error: row.get("last_error")?,
            given_up: row.count("given_up")?,
        },
    })
}

pub(in crate::sqlite) fn keep_delivery(
    t: &Transaction<'_>,
    id: WebhookId,
    delivery: &Delivery,
) -> Result<(), StoreError> {
    t.execute(
        "UPDATE webhooks SET delivered = ?2, attempts = ?3, next_attempt_at = ?4, last_error = ?5, given_up = ?6 \
         WHERE webhook_id = ?1",
        params![
            id.to_string(),
            delivery.delivered,
            delivery.attempts,
            delivery.next_attempt_at.micros(),
            delivery.last_error,
            delivery.given_up as i64,
        ],
    )?;
    Ok(())
}
