//! Webhooks as rows: who is told, and how far each has been told.

use super::{readable, unreadable_rows};
use crate::sqlite::Store;
use crate::sqlite::row::ByName;
use crate::{NewWebhook, StoreError, Webhook};
use rusqlite::{Connection, Row, Transaction, params};
use types::{ModelName, Timestamp, WebhookId};

impl Store {
    /// Makes a webhook, which is told of what happens from now on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn create_webhook(
        &self,
        new: NewWebhook,
        now: Timestamp,
    ) -> Result<Webhook, StoreError> {
        let change = move |t: &Transaction<'_>| {
            t.execute(
                "INSERT INTO webhooks (webhook_id, name, url, secret, created_at, delivered) \
                 SELECT ?1, ?2, ?3, ?4, ?5, COALESCE(MAX(id), 0) FROM audit",
                params![
                    new.id.to_string(),
                    new.name.as_ref().map(ModelName::as_str),
                    new.url,
                    new.secret,
                    now.micros()
                ],
            )?;
            let all = list(t)?;
            let made = all.into_iter().find(|webhook| webhook.id == new.id);
            made.ok_or_else(|| StoreError::Corrupt("a webhook is gone".into()))
        };
        self.change(change).await
    }

    /// Every webhook, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        self.read(|connection| list(connection)).await
    }

    /// Deletes a webhook; says whether there was one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn delete_webhook(&self, id: WebhookId) -> Result<bool, StoreError> {
        let change = move |t: &Transaction<'_>| {
            let sql = "DELETE FROM webhooks WHERE webhook_id = ?1";
            Ok(t.execute(sql, [id.to_string()])? == 1)
        };
        self.change(change).await
    }

    /// Records that a webhook was told of everything up to an entry of the audit.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn webhook_delivered(&self, id: WebhookId, entry: i64) -> Result<(), StoreError> {
        let change = move |t: &Transaction<'_>| {
            t.execute(
                "UPDATE webhooks SET delivered = ?2, attempts = 0, next_attempt_at = 0, \
                 last_error = NULL WHERE webhook_id = ?1",
                params![id.to_string(), entry],
            )?;
            Ok(())
        };
        self.change(change).await
    }

    /// Records a failed delivery and when to try again; `give_up` is the entry that is not tried again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn webhook_failed(
        &self,
        id: WebhookId,
        error: String,
        next_attempt_at: Timestamp,
        give_up: Option<i64>,
    ) -> Result<(), StoreError> {
        let change = move |t: &Transaction<'_>| {
            t.execute(
                "UPDATE webhooks SET last_error = ?2, next_attempt_at = ?3, \
                 attempts = IIF(?4 IS NULL, attempts + 1, 0), \
                 delivered = COALESCE(?4, delivered), given_up = given_up + (?4 IS NOT NULL) \
                 WHERE webhook_id = ?1",
                params![id.to_string(), error, next_attempt_at.micros(), give_up],
            )?;
            Ok(())
        };
        self.change(change).await
    }
}

const SELECT: &str = "SELECT webhook_id, name, url, secret, created_at, delivered, attempts, \
     next_attempt_at, last_error, given_up FROM webhooks ORDER BY webhook_key";

/// Webhooks that cannot be read, and why.
pub(in crate::sqlite) fn unreadable(
    connection: &Connection,
) -> Result<Vec<(String, String)>, StoreError> {
    unreadable_rows(connection, SELECT, "the webhook", read_webhook)
}

fn list(connection: &Connection) -> Result<Vec<Webhook>, StoreError> {
    let mut select = connection.prepare_cached(SELECT)?;
    let rows = select.query_map([], read_webhook)?;
    readable(rows)
}

fn read_webhook(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    Ok(Webhook {
        id: row.parsed("webhook_id", str::parse)?,
        name: row.parsed_option("name", ModelName::parse)?,
        url: row.get("url")?,
        secret: row.get("secret")?,
        created_at: row.time("created_at")?,
        delivered: row.get("delivered")?,
        attempts: row.get("attempts")?,
        next_attempt_at: row.time("next_attempt_at")?,
        last_error: row.get("last_error")?,
        given_up: row.count("given_up")?,
    })
}
