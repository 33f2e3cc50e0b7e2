//! The shell: joins routing, runtimes and the store to network and time.
//!
//! A request for a prediction never reads the database: it uses a snapshot of the routes in memory,
//! which is swapped whenever the catalogue changes. This crate holds no SQL and no statistics.
#![warn(missing_docs)]

mod aliases;
mod audit;
mod clock;
mod error;
mod extract;
mod front;
mod health;
mod listener;
mod models;
mod performance;
mod predict;
mod predictions;
mod snapshot;
mod state;
mod traffic;

pub use clock::Clock;

use axum::Router;
use axum::routing::{get, post};
use error::ApiError;
use state::AppState;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use store::{Durability, OpenError, Store, StoreOptions};
use tokio::net::TcpListener;

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where it keeps its data.
    pub data_dir: PathBuf,
    /// When a reply may leave.
    pub durability: Durability,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// Open connections; more wait in the system's queue.
    pub max_connections: usize,
    /// Predictions under way; more are refused with 429.
    pub max_predictions: usize,
    /// How long the head of a request may take, and how long an idle connection is kept.
    pub header_timeout: Duration,
    /// How long the body of a request may take.
    pub body_timeout: Duration,
    /// How long a prediction may take, fallbacks and the log included.
    pub predict_timeout: Duration,
}

impl Config {
    /// The defaults, for an address and a directory.
    pub fn new(listen: SocketAddr, data_dir: PathBuf) -> Self {
        Self {
            listen,
            data_dir,
            durability: Durability::default(),
            max_body_bytes: 1 << 20,
            max_connections: 4096,
            max_predictions: 1024,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            predict_timeout: Duration::from_secs(30),
        }
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
        /// Why.
        reason: std::io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// A server that has opened its data and listens, but does not answer yet.
pub struct Server {
    config: Config,
    state: AppState,
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Opens the data directory and the address.
    ///
    /// # Errors
    /// When either cannot be used.
    pub async fn bind(config: Config, clock: Clock) -> Result<Self, StartError> {
        let options = StoreOptions {
            durability: config.durability,
            ..StoreOptions::default()
        };
        let store = Store::open(&config.data_dir, options)?;
        let state = AppState::new(store, clock, &config).await?;
        let fail = |reason| StartError::Listen {
            address: config.listen,
            reason,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Self {
            config,
            state,
            listener,
            address,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` ends; then finishes the requests under way and writes out the log.
    ///
    /// # Errors
    /// When the log cannot be written out.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let front = front::Front::new(self.state.clone(), router(self.state.clone()));
        listener::serve(self.listener, front, &self.config, shutdown).await;
        self.state.store.close().await?;
        Ok(())
    }
}

fn router(state: AppState) -> Router {
    Router::new()
        .route("/", get(health::root))
        .route("/health", get(health::health))
        .route("/health/live", get(health::health))
        .route("/health/ready", get(health::ready))
        .route("/models", get(models::list).post(models::register))
        .route("/models/performance", get(performance::performance))
        .route(
            "/models/{model_id}",
            get(models::read)
                .patch(models::patch)
                .delete(models::delete),
        )
        .route("/models/{model_id}/activate", post(models::activate))
        .route("/models/{model_id}/deactivate", post(models::deactivate))
        .route("/predict", post(predict::predict))
        .route("/predictions", get(predictions::list))
        .route("/predictions/{prediction_id}", get(predictions::read))
        .route("/traffic/{name}", get(traffic::read).put(traffic::set))
        .route("/aliases/{name}", get(aliases::list))
        .route(
            "/aliases/{name}/{alias}",
            get(aliases::read).put(aliases::set).delete(aliases::delete),
        )
        .route("/audit", get(audit::list))
        .fallback(|| async { ApiError::path_not_found() })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .with_state(state)
}
