//! The shell: joins routing, runtimes and the store to network and time.
//!
//! A request for a prediction never reads the database: it uses a snapshot of the routes in memory,
//! which is swapped whenever the catalogue changes. This crate holds no SQL and no statistics.
#![warn(missing_docs)]

mod access;
mod aliases;
mod artifacts;
mod audit;
mod catalogue;
mod classification;
mod clock;
mod codec;
mod controller;
mod cors;
mod dashboard;
mod decide;
mod decisions;
mod elsewhere;
mod erasures;
mod error;
mod evaluate;
mod events;
mod experiments;
mod export;
mod extract;
mod feedback;
mod front;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod generation;
mod guarded;
mod gzip;
mod health;
mod interventions;
mod journal_calls;
mod keeping;
mod keys;
mod limits;
mod lines;
mod listener;
mod log;
mod looks;
mod meters;
mod metrics;
mod models;
mod ofrep;
mod openapi;
mod pages;
mod performance;
mod plan;
mod predict;
mod predictions;
mod privacy;
mod prometheus;
mod requests;
mod restore;
mod results;
mod retention;
mod reuse;
mod rules;
mod scales;
mod secret_file;
mod settings;
mod shadow;
mod shapes;
mod snapshot;
mod state;
mod streams;
mod timeline;
mod tls;
mod traffic;
mod unknown;
mod webhooks;

pub use access::Auth;
pub use access::border::Border;
pub use access::proxy::Proxy;
pub use axum::http::HeaderName;
pub use clock::Clock;
pub use cors::{InvalidOrigin, Origin};
pub use keys::make_admin_key;
pub use plan::answer as plan;
pub use restore::settle;
pub use runtime::{Engines, serve_model};
pub use tls::{TlsError, TlsFiles};
pub use unknown::nearest as nearest_name;

use axum::Router;
use axum::http::Uri;
use axum::routing::get;
use error::ApiError;
use futures_util::future::BoxFuture;
use state::AppState;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::OpenError;
use tls::Tls;
use tokio::net::TcpListener;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// When a reply may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// As soon as its entry is in the journal, in the system's hands: a killed process loses nothing that was
    /// answered.
    #[default]
    Commit,
    /// When its entry has reached the disk: a power cut loses nothing that was answered.
    Fsync,
}

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where it keeps its data.
    pub data_dir: PathBuf,
    /// When a reply may leave.
    pub durability: Durability,
    /// Where the journal is kept; in the data directory where it is not said.
    pub journal_dir: Option<PathBuf>,
    /// Whether to start without a journal where there was one: what waited in it is lost.
    pub allow_empty_journal: bool,
    /// Start although the database holds less than it has held: what it held is forgotten.
    pub allow_empty: bool,
    /// What the journal may take on the disk, in bytes: so much can be answered while the database is away.
    pub journal_max_bytes: u64,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// Open connections; more wait in the system's queue.
    pub max_connections: usize,
    /// Predictions under way; more are refused with 429.
    pub max_predictions: usize,
    /// Whether callers need keys.
    pub auth: Auth,
    /// Who may call it, and by which names, at the start; [`Server::reloading`] takes others.
    pub border: Border,
    /// How long the head of a request may take.
    pub header_timeout: Duration,
    /// How long a connection is kept that has nothing to do: longer than load balancers keep theirs.
    pub idle_timeout: Duration,
    /// How long a caller may not read what is written to him.
    pub write_timeout: Duration,
    /// The certificate that connections are encrypted with.
    pub tls: Option<TlsFiles>,
    /// How long the body of a request may take.
    pub body_timeout: Duration,
    /// How long a prediction may take, fallbacks and the wait for room in the log included.
    pub predict_timeout: Duration,
    /// How long a request with feedback waits for its receipt before it is told where to ask for that later.
    pub feedback_wait: Duration,
    /// How long a `request_id` stands for the same request.
    pub request_window: Duration,
    /// How long the token of a decision is taken.
    pub decision_lasts: Duration,
    /// How often running experiments are looked at.
    pub tick: Duration,
    /// Whether they are looked at then.
    pub looks: Looks,
    /// How long the clock must have been steady before something is removed for its age.
    pub steady_for: Duration,
    /// Whether webhooks may lead to addresses of this machine and of private networks.
    pub private_webhooks: bool,
    /// Where secrets are files that versions send to their services.
    pub secrets_dir: Option<PathBuf>,
    /// Certificates (PEM) of authorities that services of versions may be certified by, beside those of the system.
    pub upstream_ca: Option<PathBuf>,
    /// What runs ONNX models; looked for when the server starts where it is not given.
    pub engines: Option<Arc<Engines>>,
    /// This program, which runs models in processes of their own.
    pub program: PathBuf,
    /// The largest artifact, in bytes; what is packed into an archive may be four times as much.
    pub max_artifact_bytes: u64,
    /// What a process that opens a model may take of memory, in bytes.
    pub model_memory_bytes: u64,
    /// How long opening and trying a model may take.
    pub model_load_timeout: Duration,
}

/// When running experiments are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Looks {
    /// At each tick, and at damage limits every ten seconds.
    #[default]
    EachTick,
    /// When a [`Looker`] is asked to, at both: for a clock of one's own, which stands still between two looks.
    WhenAsked,
}

/// Looks at the running experiments of a server.
pub struct Looker(AppState);

impl Looker {
    /// Looks at all of them, and does what is decided.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn look(&self) -> Result<(), store::StoreError> {
        controller::tick(&self.0).await
    }
}

impl Config {
    /// The defaults, for an address and a directory.
    pub fn new(listen: SocketAddr, data_dir: PathBuf) -> Self {
        Self {
            listen,
            data_dir,
            durability: Durability::default(),
            journal_dir: None,
            allow_empty_journal: false,
            allow_empty: false,
            journal_max_bytes: 1 << 30,
            max_body_bytes: 1 << 20,
            max_connections: 4096,
            max_predictions: 1024,
            auth: Auth::None,
            border: Border::default(),
            header_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            tls: None,
            body_timeout: Duration::from_secs(30),
            predict_timeout: Duration::from_secs(30),
            feedback_wait: Duration::from_secs(5),
            request_window: Duration::from_secs(86_400),
            decision_lasts: Duration::from_secs(7 * 86_400),
            tick: Duration::from_secs(30),
            looks: Looks::EachTick,
            steady_for: Duration::from_secs(600),
            private_webhooks: false,
            secrets_dir: None,
            upstream_ca: None,
            engines: None,
            program: std::env::current_exe().unwrap_or_else(|_| "weir".into()),
            max_artifact_bytes: 2 << 30,
            model_memory_bytes: 8 << 30,
            model_load_timeout: Duration::from_secs(60),
        }
    }
}

impl Config {
    /// Whether callers reach it by TLS only.
    pub(crate) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The address cannot be used.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The journal cannot be used.
    #[error("the journal in {}", path.display())]
    Journal {
        /// Where it is kept.
        path: PathBuf,
        /// What the journal said.
        #[source]
        reason: journal::OpenError,
    },
    /// The certificates of authorities cannot be used.
    #[error("--upstream-ca {}: {reason}", path.display())]
    UpstreamCa {
        /// Their file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate cannot be used.
    #[error("the certificate cannot be used: {0}")]
    Tls(#[from] TlsError),
    /// A thread cannot be started, or the journal not be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A server that has opened its data and listens, but does not answer yet.
pub struct Server {
    config: Config,
    state: AppState,
    listener: TcpListener,
    address: SocketAddr,
    first_key: Option<String>,
    tls: Option<Arc<Tls>>,
}

impl Server {
    /// Opens the data directory and the address.
    ///
    /// # Errors
    /// When either cannot be used.
    pub async fn bind(config: Config, clock: Clock) -> Result<Self, StartError> {
        let tls = config.tls.clone().map(Tls::open).transpose()?;
        let store = state::open_store(&config)?;
        let state = AppState::new(store, clock, &config).await?;
        let fail = |reason| StartError::Listen {
            address: config.listen,
            reason,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        // Only now: where the address is taken, nobody would be told the key.
        let first_key = state.first_key().await?;
        Ok(Self {
            config,
            state,
            listener,
            address,
            first_key,
            tls: tls.map(Arc::new),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it is called, and where.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// What has the server take what may change while it runs: its certificate, the clock where that has jumped, and who may
    /// call it, where that is given.
    pub fn reloading(&self) -> impl Fn(Option<Border>) + Send + Sync + use<> {
        let state = self.state.clone();
        move |border| {
            if let Some(border) = border {
                state.border.store(Arc::new(border));
            }
            state.reload.notify_one();
        }
    }

    /// The key for everything that was made because there was none. Nobody is told it again.
    pub fn first_key(&self) -> Option<&str> {
        self.first_key.as_deref()
    }

    /// Looks at running experiments as a tick does, when it is asked to: see [`Looks::WhenAsked`].
    pub fn looker(&self) -> Looker {
        Looker(self.state.clone())
    }

    /// Answers until `shutdown` ends; then finishes the requests under way and writes out the log.
    ///
    /// # Errors
    /// When the log cannot be written out.
    pub fn run(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> BoxFuture<'static, anyhow::Result<()>> {
        self.run_boxed(Box::pin(shutdown))
    }

    /// What answers is compiled where its future becomes one behind a pointer: here, once and optimised, and not by whoever calls.
    #[inline(never)]
    fn run_boxed(self, shutdown: BoxFuture<'static, ()>) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(self.run_until(shutdown))
    }

    async fn run_until(self, shutdown: BoxFuture<'static, ()>) -> anyhow::Result<()> {
        let router = router(self.state.clone());
        let for_pages = cors::allow(router.clone(), self.state.clone());
        let front = front::Front::new(self.state.clone(), router, for_pages);
        let shutdown = async {
            shutdown.await;
            self.state.closing.cancel();
        };
        let serve = listener::serve(
            self.listener,
            front,
            self.tls.clone(),
            &self.config,
            shutdown,
        );
        // It ends when the filter is filled, or when the server does.
        let fill = async {
            requests::fill(&self.state).await;
            predict::end_begun(&self.state).await;
            std::future::pending().await
        };
        let looks = async {
            match self.config.looks {
                Looks::EachTick => tokio::select! {
                    () = Box::pin(controller::run(&self.state)) => {}
                    () = Box::pin(limits::run(&self.state)) => {}
                },
                Looks::WhenAsked => std::future::pending().await,
            }
        };
        tokio::select! {
            () = serve => {}
            () = fill => {}
            () = looks => {}
            () = controller::start(&self.state) => {}
            () = webhooks::run(&self.state) => {}
            () = erasures::run(&self.state) => {}
            () = retention::run(&self.state) => {}
            () = self.state.keep_published() => {}
            () = self.state.keep_probing() => {}
            () = self.state.keep_loading() => {}
            () = keep_certificate(self.tls.as_deref(), &self.state) => {}
        }
        let limit = self.config.predict_timeout + listener::GRACE;
        if tokio::time::timeout(limit, self.state.finish_tasks())
            .await
            .is_err()
        {
            tracing::warn!("some work did not end; the server ends without it");
        }
        self.state.keep_uses().await;
        self.state.log.close().await?;
        self.state.store.close().await?;
        Ok(())
    }
}

/// Looks at what a server would need at its start, and changes nothing.
///
/// # Errors
/// What it would not start with.
pub fn look_at(config: &Config) -> Result<(), String> {
    if let Some(files) = &config.tls {
        Tls::open(files.clone())
            .map_err(|error| format!("the certificate cannot be used: {error}"))?;
    }
    state::client(config).map_err(|error| error.to_string())?;
    may_be_made("data directory", &config.data_dir)?;
    if let Some(journal) = &config.journal_dir {
        may_be_made("journal", journal)?;
    }
    match &config.secrets_dir {
        // One that is not there yet is waited for, as its files are.
        Some(secrets) if secrets.exists() && !secrets.is_dir() => Err(format!(
            "the directory of secrets: {} is no folder",
            secrets.display()
        )),
        _ => Ok(()),
    }
}

/// Whether a folder is there, or can be made in one that is.
fn may_be_made(what: &str, folder: &std::path::Path) -> Result<(), String> {
    let there = folder
        .ancestors()
        .find_map(|path| match std::fs::metadata(path) {
            _ if path.as_os_str().is_empty() => None,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            found => Some((path, found)),
        });
    match there {
        Some((path, Ok(found))) if !found.is_dir() => {
            Err(format!("the {what}: {} is no folder", path.display()))
        }
        Some((path, Err(error))) => Err(format!("the {what} {}: {error}", path.display())),
        _ => Ok(()),
    }
}

/// How often it is looked whether the certificate has changed.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(10);

/// Reads the certificate again when it has changed, for ever. Whoever asks for it says as well that the clock is right.
async fn keep_certificate(tls: Option<&Tls>, state: &AppState) {
    let mut tick = tokio::time::interval(CERTIFICATE_EVERY);
    loop {
        let asked = tokio::select! {
            _ = tick.tick() => false,
            () = state.reload.notified() => true,
        };
        if let Some(tls) = tls {
            tls.look(asked);
        }
        if asked {
            state.clock.believe();
        }
    }
}

fn router(state: AppState) -> Router {
    let (router, document) = routes().split_for_parts();
    let guard = access::rights::Guard::new(state.clone(), &document);
    let guard = axum::middleware::from_fn_with_state(guard, access::rights::guard);
    router
        .route("/assets/{asset}", get(dashboard::read))
        .merge(openapi::pages(document))
        .route_layer(guard)
        .fallback(|uri: Uri| async move { codec::said(&uri, ApiError::path_not_found()) })
        .method_not_allowed_fallback(|uri: Uri| async move {
            codec::said(&uri, ApiError::method_not_allowed())
        })
        .with_state(state)
}

/// What is described. What each needs of who calls is in `access::rights`.
fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(health::root))
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(prometheus::scrape))
        .routes(routes!(models::list, models::register))
        .routes(routes!(performance::performance))
        .routes(routes!(timeline::read))
        .routes(routes!(classification::read))
        .routes(routes!(models::read, models::patch, models::delete))
        .routes(routes!(models::activate))
        .routes(routes!(artifacts::read, artifacts::put))
        .routes(routes!(shadow::set))
        .routes(routes!(shadow::report))
        .routes(routes!(models::deactivate))
        .routes(routes!(codec::json::predict))
        .routes(routes!(codec::json::predict_by_name))
        .routes(routes!(codec::oip::server))
        .routes(routes!(codec::oip::live))
        .routes(routes!(codec::oip::ready))
        .routes(routes!(codec::oip::model))
        .routes(routes!(codec::oip::version))
        .routes(routes!(codec::oip::model_ready))
        .routes(routes!(codec::oip::version_ready))
        .routes(routes!(codec::oip::infer))
        .routes(routes!(codec::oip::infer_version))
        .routes(routes!(codec::openai::complete))
        .routes(routes!(codec::openai::models))
        .routes(routes!(codec::openai::model))
        .routes(routes!(decide::decide))
        .routes(routes!(predictions::list, elsewhere::send))
        .routes(routes!(elsewhere::expose))
        .routes(routes!(ofrep::flag))
        .routes(routes!(ofrep::flags))
        .routes(routes!(export::predictions))
        .routes(routes!(predictions::read))
        .routes(routes!(traffic::read, traffic::set))
        .routes(routes!(rules::read, rules::set))
        .routes(routes!(privacy::read, privacy::set))
        .routes(routes!(privacy::retention, privacy::set_retention))
        .routes(routes!(erasures::erase))
        .routes(routes!(erasures::list, erasures::ask))
        .routes(routes!(erasures::read))
        .routes(routes!(aliases::list))
        .routes(routes!(aliases::read, aliases::set, aliases::delete))
        .routes(routes!(audit::list))
        .routes(routes!(feedback::list, feedback::send))
        .routes(routes!(export::feedback))
        .routes(routes!(feedback::receipt))
        .routes(routes!(feedback::outcomes))
        .routes(routes!(journal_calls::list))
        .routes(routes!(journal_calls::retry))
        .routes(routes!(metrics::list))
        .routes(routes!(metrics::read, metrics::set, metrics::delete))
        .routes(routes!(experiments::list, experiments::create))
        .routes(routes!(experiments::read, experiments::delete))
        .routes(routes!(experiments::start::dry_run))
        .routes(routes!(experiments::start::start))
        .routes(routes!(interventions::intervene))
        .routes(routes!(results::read))
        .routes(routes!(looks::history))
        .routes(routes!(plan::plan))
        .routes(routes!(plan::units))
        .routes(routes!(evaluate::answer))
        .routes(routes!(events::stream))
        .routes(routes!(settings::read))
        .routes(routes!(settings::set_default_model))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::delete))
        .routes(routes!(webhooks::test))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(
            keys::session,
            keys::begin_session,
            keys::end_session
        ))
}
