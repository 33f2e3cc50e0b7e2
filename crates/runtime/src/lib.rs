//! Calls a version: in process or elsewhere.
//!
//! A [`Runtime`] takes an input and gives an output or says why not. This crate knows nothing of
//! routing, storage or of serving HTTP.
#![warn(missing_docs)]

mod http;
mod sentiment;

pub use http::{HttpClient, install_tls};
pub use sentiment::{afinn_score, compound_of_sum, vader_compound};

use std::time::Duration;
use types::{Input, Output, RuntimeSpec, SentimentMethod};

/// Why a version did not answer. The text is for the operator and for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// The input is not of the kind that the version reads: the caller's fault, not the version's.
    #[error("{0}")]
    WrongInput(&'static str),
    /// The time was up.
    #[error("no answer within {0} ms")]
    Timeout(u128),
    /// The service could not be reached, or did not answer as agreed.
    #[error("{0}")]
    Failed(String),
}

/// A version that can be called.
#[derive(Debug)]
pub enum Runtime {
    /// In process.
    Sentiment(SentimentMethod),
    /// Elsewhere.
    Http(Box<http::HttpRuntime>),
}

impl Runtime {
    /// Prepares a version for calls. This does not call it: see [`Runtime::probe`].
    ///
    /// # Errors
    /// When the specification cannot work.
    pub fn new(spec: &RuntimeSpec, client: &HttpClient) -> Result<Self, RuntimeError> {
        match spec {
            RuntimeSpec::Sentiment { method } => Ok(Self::Sentiment(*method)),
            RuntimeSpec::Http(spec) => {
                http::HttpRuntime::new(spec, client).map(|http| Self::Http(Box::new(http)))
            }
        }
    }

    /// Calls the version, for at most `within`.
    ///
    /// # Errors
    /// When it does not answer in time, or not as agreed.
    pub async fn call(&self, input: &Input, within: Duration) -> Result<Output, RuntimeError> {
        match self {
            Self::Sentiment(method) => sentiment::answer(*method, input, within).await,
            Self::Http(http) => http.call(input, within).await,
        }
    }

    /// Calls the version once with the input that its specification gives for this.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn probe(&self) -> Result<(), RuntimeError> {
        match self {
            Self::Sentiment(_) => Ok(()),
            Self::Http(http) => http.probe().await,
        }
    }
}
