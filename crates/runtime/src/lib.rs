//! Calls a version: in process or elsewhere.
//!
//! A [`Runtime`] takes an input and gives an output or says why not. This crate knows nothing of
//! routing, storage or of serving HTTP.
#![warn(missing_docs)]

mod gate;
mod http;
mod loader;
mod oip;
mod onnx;
mod openai;
mod secret;
mod sentiment;
mod trace;

pub use gate::PROBE_EVERY;
pub use http::{HttpClient, install_tls};
pub use loader::{Loader, Wanted};
pub use onnx::child::{Loading, serve_model, try_artifact};
pub use onnx::engines::Engines;
pub use openai::OpenaiRuntime;
pub use openai::stream::{OpenStream, Part};
pub use sentiment::{afinn_score, compound_of_sum, vader_compound};
pub use trace::Trace;

use std::sync::Arc;
use std::time::Duration;
use types::{Failure, Input, Json, MAX_VALUE, Output, SentimentMethod};

/// Why a version did not answer. The text is for the operator and for the log.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RuntimeError {
    /// The version does not take this input; another one might not either.
    #[error("{0}")]
    Rejected(Rejection),
    /// It has too much to do, or keeps failing: it was not called, or said so.
    #[error("{0}")]
    Overloaded(String),
    /// The time was up.
    #[error("no answer within {0} ms")]
    Timeout(u128),
    /// It failed in another way.
    #[error("{1}")]
    Failed(Failure, String),
}

/// Why an input is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{why}")]
pub struct Rejection {
    /// For people.
    pub why: String,
    /// What the service behind the version said, where that is JSON: clients of its protocol look for codes in it.
    pub said: Option<Json>,
}

impl From<String> for Rejection {
    fn from(why: String) -> Self {
        Self { why, said: None }
    }
}

impl RuntimeError {
    fn rejected(why: impl Into<String>) -> Self {
        Self::Rejected(Rejection::from(why.into()))
    }

    /// How the version failed; `None` where it has not.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Rejected(_) => None,
            Self::Overloaded(_) => Some(Failure::Overloaded),
            Self::Timeout(_) => Some(Failure::Timeout),
            Self::Failed(failure, _) => Some(*failure),
        }
    }

    fn not_loaded(why: String) -> Self {
        Self::Failed(Failure::NotLoaded, why)
    }

    fn bad_reply(why: String) -> Self {
        Self::Failed(Failure::BadReply, why)
    }
}

/// Whose turn a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The version was chosen for it.
    Own,
    /// Another one was, and failed.
    InPlace,
}

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calling {
    /// Whose turn it is.
    pub turn: Turn,
    /// How long it may take.
    pub within: Duration,
    /// Whether that is as long as any call has. Where it is less, a version that does not answer in time has not failed.
    pub has_full_time: bool,
}

impl Calling {
    /// A version that was chosen, with all the time that a call has.
    pub fn own(within: Duration) -> Self {
        Self {
            turn: Turn::Own,
            within,
            has_full_time: true,
        }
    }
}

/// An input or an output of a version, in the words of the Open Inference Protocol.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TensorPort {
    /// What it is called.
    pub name: String,
    /// What its elements are.
    pub datatype: String,
    /// Its size along each dimension; -1 where that is open.
    pub shape: Vec<i64>,
}

/// A version that can be called.
#[derive(Debug)]
pub enum Runtime {
    /// In process.
    Sentiment(SentimentMethod),
    /// Elsewhere.
    Http(Box<http::HttpRuntime>),
    /// In process, from files.
    Onnx(Box<onnx::OnnxRuntime>),
    /// On a server of the Open Inference Protocol.
    Oip(Box<oip::OipRuntime>),
    /// Behind the chat completions of OpenAI.
    Openai(Box<openai::OpenaiRuntime>),
}

impl Runtime {
    /// Calls the version.
    ///
    /// # Errors
    /// When it refuses the input, does not answer in time, or not as agreed.
    pub async fn call(&self, input: &Input, how: Calling) -> Result<Output, RuntimeError> {
        let output = match self {
            Self::Sentiment(method) => sentiment::answer(*method, input, how.within).await?,
            // On the heap, because it is large and most versions are called in process.
            Self::Http(http) => Box::pin(http.call(input, how)).await?,
            Self::Onnx(onnx) => onnx.call(input, how).await?,
            Self::Oip(oip) => Box::pin(oip.call(input, how)).await?,
            Self::Openai(openai) => Box::pin(openai.call(input, how)).await?,
        };
        match output.confidence {
            Some(confidence) if confidence.abs() > MAX_VALUE => Err(RuntimeError::bad_reply(
                format!("the confidence {confidence} is no number from -1e15 to 1e15"),
            )),
            _ => Ok(output),
        }
    }

    /// Calls the version once with the input that its specification gives for this.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn probe(&self) -> Result<(), RuntimeError> {
        match self {
            // What is run in process was tried when it was loaded.
            Self::Sentiment(_) | Self::Onnx(_) => Ok(()),
            Self::Http(http) => http.probe().await,
            Self::Oip(oip) => oip.probe().await,
            Self::Openai(openai) => openai.probe().await,
        }
    }

    /// Asks a version that keeps failing with its probe. An answer lets calls in again, and so does a refusal of the probe.
    pub async fn try_again(&self) {
        match self {
            Self::Sentiment(_) => {}
            Self::Http(http) => http.try_again(http.probe()).await,
            Self::Oip(oip) => oip.http().try_again(oip.probe()).await,
            Self::Openai(openai) => openai.http().try_again(openai.probe()).await,
            Self::Onnx(onnx) => onnx.try_again().await,
        }
    }

    /// Whether it is time to see that a version which has nothing to do is ready.
    pub fn is_idle(&self) -> bool {
        self.http().is_some_and(http::HttpRuntime::is_idle)
    }

    /// Sees whether it is, by its probe: after some that are not answered it is not called until one is.
    pub async fn see(&self) {
        match self {
            // What runs in process is always there.
            Self::Sentiment(_) | Self::Onnx(_) => {}
            Self::Http(http) => http.see(http.probe()).await,
            Self::Oip(oip) => oip.http().see(oip.probe()).await,
            Self::Openai(openai) => openai.http().see(openai.probe()).await,
        }
    }

    /// The service that is called, where there is one.
    fn http(&self) -> Option<&http::HttpRuntime> {
        match self {
            Self::Sentiment(_) | Self::Onnx(_) => None,
            Self::Http(http) => Some(http),
            Self::Oip(oip) => Some(oip.http()),
            Self::Openai(openai) => Some(openai.http()),
        }
    }

    /// Whether the version is not called now, because it keeps failing.
    pub fn is_refusing(&self) -> bool {
        match self {
            Self::Onnx(onnx) => onnx.is_refusing(),
            other => other.http().is_some_and(http::HttpRuntime::is_refusing),
        }
    }

    /// Why the version is not called now, where it keeps failing.
    pub fn refusing(&self) -> Option<Arc<str>> {
        match self {
            Self::Onnx(onnx) => onnx.refusing(),
            other => other.http().and_then(http::HttpRuntime::refusing),
        }
    }

    /// What it takes and gives, where that is tensors.
    pub fn ports(&self) -> Option<(&[TensorPort], &[TensorPort])> {
        match self {
            Self::Onnx(onnx) => Some(onnx.ports()),
            _ => None,
        }
    }

    /// The largest answer that it may give, in bytes of JSON, about.
    pub fn largest_answer(&self) -> u64 {
        match self {
            Self::Sentiment(_) => 64,
            // Longer ones take more room when they are there.
            Self::Onnx(_) => 64 << 10,
            Self::Http(_) | Self::Oip(_) | Self::Openai(_) => {
                self.http().map_or(0, http::HttpRuntime::max_reply_bytes)
            }
        }
    }
}
