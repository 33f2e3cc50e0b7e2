//! What every handler shares.

use crate::Config;
use crate::clock::{Clock, Ids};
use crate::snapshot::Snapshot;
use arc_swap::ArcSwap;
use runtime::HttpClient;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use store::{Store, StoreError};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// What every handler shares. Clones are handles to the same state.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) client: HttpClient,
    /// Taken by each prediction under way.
    pub(crate) permits: Semaphore,
    pub(crate) limits: Limits,
    /// Counts what happens, for those who wait for it.
    pub(crate) news: watch::Sender<u64>,
    /// Cancelled when the server ends, for those who would wait longer.
    pub(crate) closing: CancellationToken,
    /// The newest entry of the audit that the snapshot knows of.
    published: AtomicI64,
    /// Held while a snapshot is made, so that an older one never replaces a newer one.
    refreshing: Mutex<()>,
}

/// The limits that handlers need.
pub(crate) struct Limits {
    pub(crate) body_bytes: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) predict_timeout: Duration,
    pub(crate) tick: Duration,
    pub(crate) private_webhooks: bool,
}

impl std::ops::Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl AppState {
    pub(crate) async fn new(
        store: Store,
        clock: Clock,
        config: &Config,
    ) -> Result<Self, StoreError> {
        let client = HttpClient::default();
        let snapshot = Snapshot::load(&store, &client, &Snapshot::default()).await?;
        Ok(Self(Arc::new(Shared {
            ids: Ids::after(store.newest_order().await?),
            store,
            clock,
            snapshot: ArcSwap::from_pointee(snapshot),
            client,
            permits: Semaphore::new(config.max_predictions),
            limits: Limits {
                body_bytes: config.max_body_bytes,
                body_timeout: config.body_timeout,
                predict_timeout: config.predict_timeout,
                tick: config.tick,
                private_webhooks: config.private_webhooks,
            },
            news: watch::Sender::new(0),
            closing: CancellationToken::new(),
            published: AtomicI64::new(0),
            refreshing: Mutex::new(()),
        })))
    }

    /// Publishes what the catalogue says now.
    pub(crate) async fn refresh(&self) -> Result<(), StoreError> {
        let _alone = self.refreshing.lock().await;
        let last = self.snapshot.load_full();
        let newest = self.store.newest_audit().await?;
        let next = Snapshot::load(&self.store, &self.client, &last).await?;
        self.snapshot.store(Arc::new(next));
        self.published.store(newest, Ordering::Relaxed);
        self.tell();
        Ok(())
    }

    /// The same where the catalogue has changed since: a caller that breaks off, or a read that fails, may
    /// have left the last change unpublished.
    pub(crate) async fn refresh_if_stale(&self) -> Result<(), StoreError> {
        if self.store.newest_audit().await? == self.published.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.refresh().await
    }

    /// Wakes those who wait for something to happen.
    pub(crate) fn tell(&self) {
        self.news
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}
