//! Makes versions ready for calls.

use crate::http::{HttpClient, HttpRuntime};
use crate::oip::OipRuntime;
use crate::onnx::OnnxRuntime;
use crate::onnx::child::{Loading, try_artifact};
use crate::openai::OpenaiRuntime;
use crate::{Runtime, RuntimeError};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use types::{OnnxSpec, RuntimeSpec, VersionKey};

/// How long what was loaded is kept for who is going to use it.
const KEPT: Duration = Duration::from_secs(30);
/// How long it is not tried again to load what could not be loaded.
const NOT_AGAIN: Duration = Duration::from_secs(30);

/// How long it is known why something could not be loaded, where nobody wants it any more.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// Which version is to be loaded, and what from.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The version.
    pub key: VersionKey,
    /// How it is run.
    pub spec: RuntimeSpec,
    /// Its files: a file, or a folder.
    pub files: Option<PathBuf>,
}

/// Makes versions ready for calls. What takes long to load is loaded once, and is unloaded when nobody uses it.
#[derive(Debug)]
pub struct Loader {
    client: HttpClient,
    loading: Loading,
    /// Calls that a version may have at once where it does not say.
    concurrency: usize,
    loaded: Mutex<HashMap<VersionKey, Loaded>>,
    /// Held by who loads a version, so that others wait for that instead of doing the same.
    turns: Mutex<HashMap<VersionKey, Arc<tokio::sync::Mutex<()>>>>,
}

/// What became of a version that takes long to load.
#[derive(Debug)]
enum Loaded {
    /// Nobody may use it any more. What was loaded a moment ago is kept for who asked for it.
    Is(Weak<Runtime>, Option<(Instant, Arc<Runtime>)>),
    Failed(Instant, RuntimeError),
}

impl Loader {
    /// With connections to model services, and a way to open models.
    pub fn new(client: HttpClient, loading: Loading, concurrency: usize) -> Self {
        Self {
            client,
            loading,
            concurrency,
            loaded: Mutex::default(),
            turns: Mutex::default(),
        }
    }

    fn loaded(&self) -> MutexGuard<'_, HashMap<VersionKey, Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What calls a version, where that takes no time: it was loaded, or needs no loading. It is not called: see
    /// [`Runtime::probe`].
    ///
    /// # Errors
    /// When it cannot work, or has to be loaded first.
    pub fn at_hand(&self, wanted: &Wanted) -> Result<Arc<Runtime>, RuntimeError> {
        match &wanted.spec {
            RuntimeSpec::Sentiment { method } => Ok(Arc::new(Runtime::Sentiment(*method))),
            RuntimeSpec::Http(spec) => {
                let http = HttpRuntime::new(spec, &self.client)?;
                Ok(Arc::new(Runtime::Http(Box::new(http))))
            }
            RuntimeSpec::Oip(spec) => {
                let oip = OipRuntime::new(spec, &self.client)?;
                Ok(Arc::new(Runtime::Oip(Box::new(oip))))
            }
            RuntimeSpec::Openai(spec) => {
                let openai = OpenaiRuntime::new(spec, &self.client)?;
                Ok(Arc::new(Runtime::Openai(Box::new(openai))))
            }
            RuntimeSpec::Onnx(_) => match self.loaded().get(&wanted.key) {
                _ if wanted.files.is_none() => Err(no_artifact()),
                Some(Loaded::Is(runtime, _)) => runtime.upgrade().ok_or_else(not_yet),
                Some(Loaded::Failed(_, error)) => Err(error.clone()),
                None => Err(not_yet()),
            },
            RuntimeSpec::Unreadable(reason) => Err(RuntimeError::not_loaded(format!(
                "how the version is run cannot be read: {reason}"
            ))),
        }
    }

    /// Loads a version, which may take long.
    ///
    /// # Errors
    /// When it cannot work.
    pub async fn load(&self, wanted: &Wanted) -> Result<Arc<Runtime>, RuntimeError> {
        let (RuntimeSpec::Onnx(spec), Some(files)) = (&wanted.spec, &wanted.files) else {
            return self.at_hand(wanted);
        };
        let turns = || self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = Arc::clone(turns().entry(wanted.key).or_default());
        let _turn = turn.lock().await;
        if let Some(Loaded::Is(runtime, _)) = self.loaded().get(&wanted.key)
            && let Some(runtime) = runtime.upgrade()
        {
            return Ok(runtime);
        }
        let loaded = OnnxRuntime::load(files, spec, &self.loading, self.concurrency).await;
        let now = Instant::now();
        match loaded {
            Ok(onnx) => {
                let runtime = Arc::new(Runtime::Onnx(Box::new(onnx)));
                let kept = Some((now, Arc::clone(&runtime)));
                let is = Loaded::Is(Arc::downgrade(&runtime), kept);
                self.loaded().insert(wanted.key, is);
                Ok(runtime)
            }
            Err(error) => {
                self.loaded()
                    .insert(wanted.key, Loaded::Failed(now, error.clone()));
                Err(error)
            }
        }
    }

    /// Whether it is time to load a version that is not at hand.
    pub fn is_due(&self, wanted: &Wanted) -> bool {
        match (&wanted.spec, self.loaded().get(&wanted.key)) {
            (RuntimeSpec::Onnx(_), _) if wanted.files.is_none() => false,
            (RuntimeSpec::Onnx(_), Some(Loaded::Failed(at, _))) => at.elapsed() >= NOT_AGAIN,
            (RuntimeSpec::Onnx(_), _) => true,
            _ => self.at_hand(wanted).is_ok(),
        }
    }

    /// Opens and tries an artifact in a process of its own; says what it found.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn try_artifact(
        &self,
        files: &std::path::Path,
        spec: &OnnxSpec,
    ) -> Result<String, String> {
        try_artifact(files, spec, &self.loading).await
    }

    /// Which engines run ONNX models, and why: a line each.
    pub fn engines(&self) -> Vec<String> {
        self.loading.engines.describe()
    }

    /// Lets go what was loaded and nobody has taken.
    pub fn let_go(&self) {
        self.loaded().retain(|_, loaded| match loaded {
            Loaded::Is(runtime, kept) => {
                if kept
                    .as_ref()
                    .is_some_and(|(since, _)| since.elapsed() >= KEPT)
                {
                    *kept = None;
                }
                kept.is_some() || runtime.strong_count() > 0
            }
            Loaded::Failed(at, _) => at.elapsed() < FORGOTTEN,
        });
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
    }
}

fn no_artifact() -> RuntimeError {
    RuntimeError::not_loaded(
        "it has no artifact yet: `PUT /models/{model_id}/artifact` takes one".into(),
    )
}

fn not_yet() -> RuntimeError {
    RuntimeError::not_loaded("its model is not loaded yet".into())
}
