//! What runs a model: ONNX Runtime or tract, behind one trait.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use types::{DataType, Tensor};

/// An input or an output of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) kind: PortKind,
    /// The size of each dimension, where it is fixed.
    pub(crate) dims: Vec<Option<usize>>,
}

/// What goes through it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PortKind {
    /// A tensor.
    Tensor(DataType),
    /// For each row, the probabilities by class: scikit-learn's `ZipMap`.
    Maps,
    /// What nobody can give or read here.
    Other(String),
}

/// What a model takes and gives, and what it says of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signature {
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// An output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Tensor(Tensor),
    /// By row: classes, as JSON, and their probabilities.
    Maps(Vec<Vec<(String, f32)>>),
}

/// Why an engine did not run a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EngineError {
    /// It was stopped.
    #[error("the run was stopped, because nobody waited for it any more")]
    Stopped,
    /// It said why.
    #[error("{0}")]
    Failed(String),
    /// It panicked.
    #[error("the engine panicked: {0}")]
    Panicked(String),
}

impl EngineError {
    pub(crate) fn failed(error: &dyn std::fmt::Display) -> Self {
        // Some say it over many lines, with addresses of their sources.
        let said = error.to_string();
        let mut short: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((end, _)) = short.char_indices().nth(500) {
            short.truncate(end);
            short.push('…');
        }
        Self::Failed(short.trim_end_matches('.').to_owned())
    }
}

/// Stops a run from another thread, where its engine can be stopped.
#[derive(Default)]
pub(crate) struct Stop(Mutex<Stopping>);

#[derive(Default)]
struct Stopping {
    stopped: bool,
    by: Option<Box<dyn Fn() + Send>>,
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stop")
    }
}

impl Stop {
    /// Stops the run, now or when it begins.
    pub(crate) fn stop(&self) {
        let mut stopping = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stopping.stopped = true;
        if let Some(by) = &stopping.by {
            by();
        }
    }

    /// Says how; `false` where it was stopped before it began.
    pub(crate) fn begins(&self, by: impl Fn() + Send + 'static) -> bool {
        let mut stopping = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stopping.by = Some(Box::new(by));
        !stopping.stopped
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .stopped
    }
}

/// A model that is ready to run: one run at a time.
pub(crate) trait Session: Send {
    /// Runs it on inputs in the order of its signature; gives its outputs in their order. Without a stop it runs to its end.
    fn run(&mut self, inputs: Vec<Tensor>, stop: Option<&Stop>) -> Result<Vec<Value>, EngineError>;
}

/// Opens a model file for so many runs at once.
///
/// # Errors
/// When the engine cannot be had, or does not take the file.
pub(crate) fn open(
    engine: Found,
    path: &Path,
    (sessions, threads): (usize, usize),
) -> Result<(Signature, Vec<Box<dyn Session>>), EngineError> {
    match engine {
        Found::Onnxruntime => super::onnxruntime::open(path, sessions, threads),
        #[cfg(feature = "tract")]
        Found::Tract => super::tract::open(path, sessions, threads),
    }
}

/// An engine that this process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Onnxruntime,
    #[cfg(feature = "tract")]
    Tract,
}
