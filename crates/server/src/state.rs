//! What every handler shares.

use crate::access::keys::Keys;
use crate::catalogue::Catalogue;
use crate::clock::{Clock, Given, Ids};
use crate::decisions::Tokens;
use crate::error::{ApiError, ApiResult};
use crate::keeping::{self, Hasher};
use crate::log::{self, Log};
use crate::meters::Meters;
use crate::requests::Requests;
use crate::secret_file;
use crate::shadow::Shadows;
use crate::snapshot::{Snapshot, Sources, load_all};
use crate::{
    Border, Config, StartError, events, export, lines, looks, pages, reuse, settings, webhooks,
};
use api::ErrorCode;
use arc_swap::ArcSwap;
use journal::{Folder, Journal, Options, Pins};
use runtime::{Engines, HttpClient, Loader, Loading, Trace};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use store::{Artifacts, Gone, LogStore, ModelStore, OpenOptions, Store};
use tokio::sync::{Mutex, Notify, Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use types::{ExperimentKey, PredictionId};

/// What every handler shares. Clones are handles to the same state.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Shared>);

/// Reports that may read the log row by row at once.
const REPORTS: usize = 2;

/// Models that are opened at once.
const LOADS: usize = 2;
/// Artifacts that are uploaded at once.
const UPLOADS: usize = 4;

pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) log: Log,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) catalogue: Catalogue,
    pub(crate) settings: ArcSwap<types::Settings>,
    /// Held from a decision on the settings to its publication.
    pub(crate) settings_turn: Mutex<()>,
    pub(crate) snapshot: Snapshot,
    /// Requests that their callers have named.
    pub(crate) requests: Requests,
    pub(crate) tokens: Tokens,
    /// Who may call.
    pub(crate) keys: Keys,
    /// What is counted.
    pub(crate) meters: Arc<Meters>,
    /// What was uploaded for versions.
    pub(crate) artifacts: Artifacts,
    /// What is hashed of predictions is hashed by it.
    pub(crate) hasher: Hasher,
    /// Wakes who brings erasures to their end.
    pub(crate) erasing: Notify,
    /// Wakes who says what is kept no longer.
    pub(crate) retaining: Notify,
    /// Held while it is decided what becomes of an artifact.
    pub(crate) artifacts_turn: Mutex<()>,
    /// Artifacts that somebody is about to name.
    pub(crate) pinned: StdMutex<Vec<types::ContentHash>>,
    /// Uploads under way.
    pub(crate) uploads: Semaphore,
    pub(crate) loader: Loader,
    pub(crate) shadows: Shadows,
    /// Taken by each prediction under way.
    pub(crate) permits: Arc<Semaphore>,
    /// For what large bodies have together, in KiB.
    pub(crate) large_bodies: Arc<Semaphore>,
    /// For replies that read much.
    pub(crate) pages: Arc<Semaphore>,
    /// Replies that many people look at.
    pub(crate) shared: Arc<reuse::Shared>,
    /// When points of charts were kept.
    pub(crate) looks: Arc<looks::Looks>,
    /// For tests of webhooks.
    pub(crate) tests: Arc<Semaphore>,
    /// For exports.
    pub(crate) exports: Arc<Semaphore>,
    /// For streams of events.
    pub(crate) streams: Arc<events::Places>,
    /// For reports that read the log row by row.
    pub(crate) reports: Semaphore,
    pub(crate) config: Config,
    /// Who may call the server, as it was read last.
    pub(crate) border: ArcSwap<Border>,
    /// Counts what happens, for those who wait for it.
    pub(crate) news: watch::Sender<u64>,
    /// Cancelled when the server ends, for those who would wait longer.
    pub(crate) closing: CancellationToken,
    /// The newest entry of the audit whose model was published after it.
    pub(crate) published: Mutex<i64>,
    /// Told when what may change while it runs shall be read again.
    pub(crate) reload: Notify,
    /// Told when it is not known whether a change was made.
    pub(crate) unpublished: Notify,
    /// How many units there were when a scale of a metric was looked for last, by experiment and place.
    scales_tried: StdMutex<HashMap<(ExperimentKey, usize), u64>>,
    /// What is due for running experiments and could not be written.
    overdue: StdMutex<Vec<String>>,
    /// Work that goes on without its caller.
    tasks: TaskTracker,
    panics: AtomicU64,
}

impl std::ops::Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// So many experiments and metrics are remembered; above that all are forgotten.
const MOST_TRIED: usize = 10_000;

impl AppState {
    /// A place among the requests under way, for those that do not wait for one.
    pub(crate) fn permit(&self) -> ApiResult<SemaphorePermit<'_>> {
        self.permits.try_acquire().map_err(|_| {
            let detail = "Too many requests are under way; try again in a moment.";
            ApiError::new(ErrorCode::TooManyRequests, detail)
        })
    }

    pub(crate) async fn new(
        store: Store,
        clock: Clock,
        config: &Config,
    ) -> Result<Self, StartError> {
        for (what, why) in store.unreadable().await? {
            tracing::error!("{what} cannot be read, and is passed over: {why}");
        }
        let without = "what was hashed before is compared with nothing any more";
        let key = secret_file::key(&config.data_dir, keeping::FILE, without)?;
        let hasher = Hasher::new(key);
        let hash_labels = hasher.clone();
        store.hash_labels(Arc::new(move |label| hash_labels.json(label)));
        let journal = open_journal(&store, config)?;
        // Ids go on above all that was given, in the store or still in the journal.
        let limit = Given::limit(clock.now());
        let mut given = log::given(&journal, store.position(), limit)?;
        for order in store.newest_orders(limit).await? {
            given.note(order, limit);
        }
        if let Some((_, ahead)) = given.ahead {
            let until = PredictionId::new(ahead, 0).time();
            tracing::warn!(%until, "predictions are dated ahead of the clock, up to this time; new ones are dated by the clock");
        }
        let meters = Arc::new(Meters::default());
        let log = Log::start(
            journal,
            store.clone(),
            clock.clone(),
            config.durability,
            Arc::clone(&meters),
        )?;
        let client = client(config)?;
        let (published, _) = store.changed_models(i64::MAX).await?;
        let catalogue = Catalogue::load(&store, clock.now()).await?;
        let settings = settings::load(&store, clock.now()).await?;
        let engines = match &config.engines {
            Some(engines) => Arc::clone(engines),
            // Nothing is named, so nothing that is named is wrong.
            None => Arc::new(Engines::find(None).map_err(std::io::Error::other)?),
        };
        for line in engines.describe() {
            tracing::info!("{line}");
        }
        let loading = Loading {
            engines,
            program: config.program.clone(),
            memory_bytes: config.model_memory_bytes,
            within: config.model_load_timeout,
            turn: Semaphore::new(LOADS),
        };
        let loader = Loader::new(client, loading, concurrency(config));
        let artifacts = Artifacts::open(&config.data_dir)?;
        let states = catalogue.all();
        let sources = Sources::new(&loader, &artifacts, &hasher);
        load_all(&states, &sources, config.model_load_timeout).await;
        let snapshot = Snapshot::new(&states, &sources);
        let keys = Keys::open(&config.data_dir, &settings, &store.keys().await?)?;
        let state = Self(Arc::new(Shared {
            keys,
            meters,
            ids: Ids::after(given),
            log,
            store,
            clock,
            catalogue,
            settings: ArcSwap::from_pointee(settings),
            settings_turn: Mutex::new(()),
            snapshot,
            requests: Requests::new(config.request_window),
            tokens: Tokens::open(&config.data_dir, config.decision_lasts)?,
            artifacts,
            hasher,
            erasing: Notify::new(),
            retaining: Notify::new(),
            artifacts_turn: Mutex::new(()),
            pinned: StdMutex::default(),
            uploads: Semaphore::new(UPLOADS),
            loader,
            shadows: Shadows::default(),
            permits: Arc::new(Semaphore::new(config.max_predictions)),
            large_bodies: Arc::new(Semaphore::new(lines::LARGE_BODIES)),
            pages: Arc::new(Semaphore::new(pages::AT_ONCE)),
            shared: Arc::default(),
            looks: Arc::default(),
            tests: Arc::new(Semaphore::new(webhooks::TESTS)),
            exports: Arc::new(Semaphore::new(export::AT_ONCE)),
            streams: Arc::default(),
            reports: Semaphore::new(REPORTS),
            config: config.clone(),
            border: ArcSwap::from_pointee(config.border.clone()),
            news: watch::Sender::new(0),
            closing: CancellationToken::new(),
            published: Mutex::new(published),
            reload: Notify::new(),
            unpublished: Notify::new(),
            scales_tried: StdMutex::default(),
            overdue: StdMutex::default(),
            tasks: TaskTracker::new(),
            panics: AtomicU64::new(0),
        }));
        state.choose_default().await;
        state.tidy_artifacts().await;
        Ok(state)
    }

    /// Where versions are loaded from.
    pub(crate) fn sources(&self) -> Sources<'_> {
        Sources::new(&self.loader, &self.artifacts, &self.hasher)
    }

    /// Wakes those who wait for something to happen.
    pub(crate) fn tell(&self) {
        self.news
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Runs work to its end in a task of its own: whoever waits for it may go away. A panic of it is passed on
    /// to who still waits.
    pub(crate) async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        match self.tasks.spawn(carried(work)).await {
            Ok(value) => value,
            // Tasks are not cancelled, so it has panicked.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Runs work in a task of its own, which nobody waits for.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(carried(work));
    }

    /// Returns when all work that goes on without its caller has ended.
    pub(crate) async fn finish_tasks(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Something panicked; it was caught.
    pub(crate) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// How much has panicked and was caught.
    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Looks whether the files that are open are still where they were, and says so once where they are not.
    pub(crate) async fn look_at_files(&self) {
        let state = self.clone();
        let look = move || {
            let gone = state.store.look();
            // Another server may use the directory by now.
            let taken = match &gone {
                Some(Gone::Directory(why)) => Some(why.clone()),
                Some(Gone::Database(_)) | None => None,
            };
            let refused = state.log.look(taken);
            (gone, refused)
        };
        let Ok((gone, refused)) = tokio::task::spawn_blocking(look).await else {
            return;
        };
        if let Some(Gone::Database(why)) = &gone {
            tracing::error!(
                "{why}: answers go on and wait in the journal; put the file back, or stop the server"
            );
        }
        if let Some(why) = &refused {
            tracing::error!(
                "{why}: predictions are refused; put the files back, or stop the server"
            );
        }
    }

    /// What is due for running experiments and could not be written.
    pub(crate) fn overdue(&self) -> Vec<String> {
        self.overdue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether it is time to look for a scale, of which there are so many units now.
    pub(crate) fn try_scale(&self, of: (ExperimentKey, usize), units: u64) -> bool {
        let mut tried = self
            .scales_tried
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if tried.len() >= MOST_TRIED {
            tried.clear();
        }
        let last = tried.entry(of).or_default();
        let due = units > *last + *last / 10;
        if due {
            *last = units;
        }
        due
    }

    pub(crate) fn set_overdue(&self, overdue: Vec<String>) {
        *self.overdue.lock().unwrap_or_else(PoisonError::into_inner) = overdue;
    }
}

/// How many calls of a version may be under way: one that hangs leaves the other half to the others.
fn concurrency(config: &Config) -> usize {
    (config.max_predictions / 2).max(1)
}

/// What model services are called with.
pub(crate) fn client(config: &Config) -> Result<HttpClient, StartError> {
    let client = HttpClient::new(concurrency(config));
    let client = client.with_secrets(config.secrets_dir.clone());
    let Some(path) = &config.upstream_ca else {
        return Ok(client);
    };
    let unusable = |reason: &dyn std::fmt::Display| StartError::UpstreamCa {
        path: path.clone(),
        reason: reason.to_string(),
    };
    let pem = std::fs::read(path).map_err(|error| unusable(&error))?;
    let with = client.with_authorities(&pem);
    with.map_err(|error| unusable(&error))
}

/// Work that goes on elsewhere, and still belongs to the trace that it was begun for.
fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let trace = Trace::current();
    let carried = async move {
        match trace {
            None => work.await,
            Some(trace) => trace.within(work).await,
        }
    };
    carried.in_current_span()
}

/// Opens the database. Where its journal is lost, and that is allowed, it belongs to another server from now on,
/// so that the old journal cannot be taken for the new one when it turns up.
pub(crate) fn open_store(config: &Config) -> Result<Store, StartError> {
    let renewed = config.allow_empty_journal && !journal::is_there(&journal_path(config));
    if renewed {
        tracing::warn!(
            "starting with an empty journal; what waited in the one before is not counted"
        );
    }
    let options = OpenOptions {
        may_be_empty: config.allow_empty,
        renewed,
    };
    Ok(Store::open_with(&config.data_dir, options)?)
}

pub(crate) fn journal_path(config: &Config) -> std::path::PathBuf {
    let path = config.journal_dir.clone();
    path.unwrap_or_else(|| config.data_dir.join("journal"))
}

/// Opens the journal, and says what was found damaged.
pub(crate) fn open_journal(store: &Store, config: &Config) -> Result<Journal, StartError> {
    let path = journal_path(config);
    let failed = |reason| StartError::Journal {
        path: path.clone(),
        reason,
    };
    let folder = Folder::lock(&path).map_err(failed)?;
    if let Err(error) = Pins::sweep(&path) {
        tracing::warn!(%error, "what a backup has left beside the journal cannot be removed");
    }
    let synced = config.durability == crate::Durability::Fsync;
    let options = Options {
        may_be_missing: config.allow_empty_journal,
        ..Options::within(config.journal_max_bytes, synced)
    };
    let (journal, opened) =
        Journal::open(Arc::new(folder), options, store.server(), store.position())
            .map_err(failed)?;
    if let Some(cut) = opened.cut {
        let becomes = if cut.left {
            "is left there until there is room"
        } else {
            "is cut off"
        };
        tracing::warn!(
            bytes = cut.bytes,
            first = cut.positions.start(),
            last = cut.positions.end(),
            "the journal has a torn end, which {becomes}: what stood there was not whole"
        );
    }
    for name in opened.damaged_heads {
        tracing::error!(
            name,
            "the head of a segment of the journal is damaged; its entries are read all the same"
        );
    }
    Ok(journal)
}
