//! Versions that are ONNX models, run in process or in a process of their own.
//!
//! A model is opened once, tried, and then run by threads of its own ([`queue`]), or, where a run takes microseconds, by
//! whoever asks. What a crash of native code can do here is what it can do to any process: `isolate` is for models that are not
//! trusted, and every model is first opened and tried in a process of its own ([`child`]).

mod answer;
pub(crate) mod child;
mod engine;
pub(crate) mod engines;
mod features;
mod model;
mod onnxruntime;
mod queue;
mod tokens;
#[cfg(feature = "tract")]
mod tract;

use crate::gate::{Gate, Pass};
use crate::{Calling, RuntimeError, TensorPort};
use engine::Session;
use engines::Engines;
use model::{Files, Model, Prepared};
use queue::{Queue, run_guarded};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, Instant};
use types::{Input, OnnxSpec, Output};

/// A model whose runs take less than this is run by whoever asks: a thread would cost as much again.
const QUICK: Duration = Duration::from_micros(200);
/// A run of such a model that takes longer than this is slow. That may be the machine's doing: whoever runs may have to wait
/// for a core.
const SLOW: Duration = Duration::from_millis(2);
/// When more than one run in so many is slow, it is the model's.
const SLOW_IN: u32 = 20;
/// How many slow runs more than that are needed to tell.
const SLOW_RUNS: u32 = 50;
/// Longer inputs, in bytes, are made ready on a thread that may be kept busy.
const LONG: usize = 16 << 10;
/// Answers that differ by more than this when inputs run together are other answers.
const SAME: f64 = 1e-3;
/// How many times as long as its probe an input of a quick model may be.
const LIKE_PROBE: usize = 64;

/// A model that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    model: Arc<Model>,
    queue: Arc<Queue>,
    quick: Option<Quick>,
    probe: Input,
}

/// Sessions for whoever asks.
struct Quick {
    sessions: Vec<Mutex<Box<dyn Session>>>,
    next: AtomicUsize,
    is: AtomicBool,
    /// Counts up by [`SLOW_IN`] with each slow run, and down by one with each other.
    slow: AtomicU32,
    /// How long an input may be.
    length: usize,
}

impl std::fmt::Debug for Quick {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Quick")
    }
}

/// What opening a model has shown.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Shown {
    /// What it reads and answers.
    pub(crate) does: String,
    /// What runs it.
    pub(crate) engine: String,
    /// How long its probe took, in microseconds.
    pub(crate) probe_us: u64,
    /// What it answered.
    pub(crate) answered: String,
    /// What it takes, and what it gives.
    pub(crate) ports: (Vec<TensorPort>, Vec<TensorPort>),
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Opened {
    /// Opens a model, and tries it. That may take long, and keeps a thread busy.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn open(
        path: &Path,
        spec: &OnnxSpec,
        engines: &Engines,
    ) -> Result<(Self, Shown), String> {
        let files = Files::find(path)?;
        let engine = engines.choose(spec.engine)?;
        let (count, threads) = (spec.sessions as usize, spec.threads as usize);
        let failed = |error: engine::EngineError| {
            // Where the server keeps it is nobody's business.
            let said = error.to_string();
            let mut said = said.replace(&*files.model.to_string_lossy(), "the file");
            for folder in files.model.ancestors().skip(1).take(3) {
                let folder = folder.to_string_lossy();
                if folder.len() > 1 {
                    said = said.replace(&*folder, "its folder");
                }
            }
            let unreadable = ["Protobuf", "does not contain a graph"];
            if unreadable.iter().any(|sign| said.contains(sign)) {
                return format!(
                    "it is not an ONNX file, or it is cut off ({} says: {said})",
                    engine.name()
                );
            }
            let advice = match (engine.name(), engines.onnxruntime()) {
                ("tract", None) => {
                    "; ONNX Runtime runs more models, and this server has not found it: start it where `onnxruntime` is installed, or \
                     with --onnxruntime PATH"
                }
                _ => "",
            };
            format!("{} does not take the model: {said}{advice}", engine.name())
        };
        let (signature, mut sessions) =
            engine::open(engine, &files.model, (count, threads)).map_err(failed)?;
        let model = Arc::new(Model::new(&files, signature, spec)?);
        let probe = match &spec.probe {
            None => model.probe(),
            Some(json) if model.reads_text() => Input::from(json),
            Some(json) => Input::Json(json.clone()),
        };
        let tried = |error: String| {
            format!(
                "its probe fails: {error}; if the probe does not suit the model, give another one in `probe`"
            )
        };
        let prepared = model.prepare(&probe).map_err(tried)?;
        let session = sessions.first_mut().ok_or("it has no session")?;
        let (answered, took) = try_out(&model, &mut **session, &prepared).map_err(tried)?;
        let shown = Shown {
            does: model.describe(),
            engine: engine.describe(engines),
            probe_us: took.as_micros() as u64,
            answered: answered.prediction.as_str().chars().take(200).collect(),
            ports: model.ports(),
        };
        let together =
            model.takes_batches() && same_together(&model, &mut **session, &prepared, &answered);
        let quick = if took < QUICK && !may_take_long(&files.model) {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let (_, sessions) = engine::open(engine, &files.model, (cores, 1)).map_err(failed)?;
            Some(Quick {
                sessions: sessions.into_iter().map(Mutex::new).collect(),
                next: AtomicUsize::new(0),
                is: AtomicBool::new(true),
                slow: AtomicU32::new(0),
                length: LIKE_PROBE * Model::length(&prepared).max(1) * prepared.rows.max(1),
            })
        } else {
            None
        };
        let threads = |error| format!("its threads cannot be started: {error}");
        let queue =
            Queue::start(Arc::clone(&model), sessions, spec.batch, together).map_err(threads)?;
        Ok((
            Self {
                model,
                queue,
                quick,
                probe,
            },
            shown,
        ))
    }

    /// Runs it on an input. Whoever stops waiting stops the run, where its engine can be stopped.
    async fn run(&self, input: &Input, pass: Arc<Pass>) -> Result<Output, RuntimeError> {
        let prepared = if bytes(input) <= LONG {
            self.model.prepare(input)
        } else {
            let (model, input) = (Arc::clone(&self.model), input.clone());
            let kept = Arc::clone(&pass);
            let made = tokio::task::spawn_blocking(move || {
                let _place = kept;
                model.prepare(&input)
            });
            made.await.unwrap_or_else(|_| {
                Err("the input could not be made ready: reading it panicked".into())
            })
        };
        let mut prepared = prepared.map_err(RuntimeError::rejected)?;
        if let Some(quick) = &self.quick
            && quick.is.load(Ordering::Relaxed)
            && Model::length(&prepared) * prepared.rows <= quick.length
        {
            match quick.run(&self.model, prepared) {
                Ok(answered) => return answered,
                Err(all_run) => prepared = all_run,
            }
        }
        self.queue.enter(prepared, pass).answer().await
    }
}

fn bytes(input: &Input) -> usize {
    match input {
        Input::Text(text) => text.len(),
        Input::Json(json) => json.as_str().len(),
    }
}

impl Quick {
    /// Takes note of how long a run took: a model that often takes long is run by threads that may be kept busy.
    fn note(&self, took: Duration) {
        let slow = self.slow.load(Ordering::Relaxed);
        // Others count at the same time: one more or less changes nothing.
        if took <= SLOW {
            if slow > 0 {
                self.slow.store(slow - 1, Ordering::Relaxed);
            }
        } else if slow >= SLOW_RUNS * SLOW_IN {
            self.is.store(false, Ordering::Relaxed);
        } else {
            self.slow.store(slow + SLOW_IN, Ordering::Relaxed);
        }
    }

    /// Runs it, where a session is free; gives the input back where none is.
    fn run(
        &self,
        model: &Model,
        mut input: Prepared,
    ) -> Result<Result<Output, RuntimeError>, Prepared> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.sessions.len();
        // As many as there are cores: one is free, nearly always.
        let free = (0..count).find_map(|at| match self.sessions[(first + at) % count].try_lock() {
            Ok(session) => Some(session),
            Err(TryLockError::Poisoned(session)) => Some(session.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        let Some(mut session) = free else {
            return Err(input);
        };
        let began = Instant::now();
        let outputs = run_guarded(&mut **session, std::mem::take(&mut input.tensors), None);
        drop(session);
        self.note(began.elapsed());
        let outputs = outputs.map_err(|error| queue::failed(&error, &input));
        Ok(outputs.and_then(|outputs| model.answer(&outputs, 0, &input)))
    }
}

/// Runs a model on its probe: what it answers, and how long that takes when it is warm.
fn try_out(
    model: &Model,
    session: &mut dyn Session,
    probe: &Prepared,
) -> Result<(Output, Duration), String> {
    let mut best = None;
    for _ in 0..3 {
        let began = Instant::now();
        let outputs = run_guarded(session, model.stack(&[probe]), None);
        let outputs = outputs.map_err(|error| error.to_string())?;
        let answered = model
            .answer(&outputs, 0, probe)
            .map_err(|error| error.to_string())?;
        let took = began.elapsed();
        model.fits(&outputs)?;
        match &mut best {
            Some((_, least)) if *least <= took => {}
            best => *best = Some((answered, took)),
        }
        // What takes long needs no second opinion.
        if took > Duration::from_millis(100) {
            break;
        }
    }
    best.ok_or_else(|| "it was not run".into())
}

/// Whether an input is answered the same beside another one: there are models that do not mind their padding, or
/// that count rows in another dimension.
fn same_together(
    model: &Model,
    session: &mut dyn Session,
    probe: &Prepared,
    alone: &Output,
) -> bool {
    let longer = match model.reads_text() {
        true => model.prepare(&Input::Text(
            "This is another probe, which is longer than the first one was.".into(),
        )),
        false => model.prepare(&model.probe()),
    };
    let Ok(longer) = longer else { return false };
    if !model.fit_together(probe, &longer) {
        return false;
    }
    let rows = probe.rows + longer.rows;
    let outputs = run_guarded(session, model.stack(&[probe, &longer]), None);
    let Ok(outputs) = outputs else { return false };
    if !Model::are_by_row(&outputs, rows) {
        return false;
    }
    let Ok(together) = model.answer(&outputs, 0, probe) else {
        return false;
    };
    let near = match (together.confidence, alone.confidence) {
        (Some(one), Some(other)) => (one - other).abs() <= SAME,
        (None, None) => true,
        _ => false,
    };
    near && same_json(&together.prediction.value(), &alone.prediction.value())
}

fn same_json(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap_or(0.0), other.as_f64().unwrap_or(0.0));
            (one - other).abs() <= SAME * (1.0 + one.abs())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| same_json(one, other))
        }
        (one, other) => one == other,
    }
}

/// A version that is an ONNX model.
#[derive(Debug)]
pub struct OnnxRuntime {
    runs: Runs,
    shown: Shown,
    gate: Gate,
    timeout: Duration,
}

/// Where it runs.
#[derive(Debug)]
enum Runs {
    Here(Opened),
    Apart(Box<child::Apart>),
}

/// Operations whose work depends on the numbers that they are given, and not only on how many there are: nobody knows of a
/// model with one of them how long its next run takes.
const UNBOUNDED: [&str; 14] = [
    "Loop",
    "Scan",
    "If",
    "Range",
    "ConstantOfShape",
    "Expand",
    "Tile",
    "Resize",
    "Upsample",
    "Pad",
    "OneHot",
    "NonZero",
    "RandomNormal",
    "SequenceMap",
];
/// A file that is larger than this has no quick model, and is not searched.
const MOST_SEARCHED: u64 = 16 << 20;

/// Whether a model has an operation whose work has no bound: a node says its operation in field 4, behind its length.
fn may_take_long(model: &Path) -> bool {
    let small = model
        .metadata()
        .is_ok_and(|found| found.len() <= MOST_SEARCHED);
    let Some(bytes) = small.then(|| std::fs::read(model).ok()).flatten() else {
        return true;
    };
    UNBOUNDED.iter().any(|name| {
        let mut field = vec![0x22, name.len() as u8];
        field.extend_from_slice(name.as_bytes());
        bytes.windows(field.len()).any(|found| found == field)
    })
}

impl OnnxRuntime {
    /// Opens a model: first in a process of its own, then here, or for ever there.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) async fn load(
        path: &Path,
        spec: &OnnxSpec,
        loading: &child::Loading,
        concurrency: usize,
    ) -> Result<Self, RuntimeError> {
        let (runs, shown) = if spec.isolate {
            let (apart, shown) = child::Apart::start(path, spec, loading).await?;
            (Runs::Apart(Box::new(apart)), shown)
        } else {
            child::check(path, spec, loading).await?;
            let (path, spec, engines) =
                (path.to_owned(), spec.clone(), Arc::clone(&loading.engines));
            let opened = tokio::task::spawn_blocking(move || Opened::open(&path, &spec, &engines));
            let opened = opened
                .await
                .unwrap_or_else(|_| Err("opening it panicked".into()));
            let (opened, shown) = opened.map_err(RuntimeError::not_loaded)?;
            (Runs::Here(opened), shown)
        };
        let most = spec
            .max_concurrency
            .map_or(concurrency, |most| most as usize);
        Ok(Self {
            runs,
            shown,
            gate: Gate::new(most),
            timeout: spec.timeout(),
        })
    }

    pub(crate) async fn call(&self, input: &Input, how: Calling) -> Result<Output, RuntimeError> {
        let pass = self.gate.enter(how.turn);
        let pass = Arc::new(pass.map_err(|refused| RuntimeError::Overloaded(refused.to_string()))?);
        let within = how.within.min(self.timeout);
        let called = self.ask(input, within, &pass).await;
        let failure = match &called {
            Ok(_) | Err(RuntimeError::Rejected(_)) => None,
            Err(RuntimeError::Timeout(_)) if !how.has_full_time && how.within < self.timeout => {
                return called;
            }
            Err(error) => Some(error.to_string()),
        };
        self.gate.ended(&pass, failure.as_deref(), Instant::now());
        called
    }

    async fn ask(
        &self,
        input: &Input,
        within: Duration,
        pass: &Arc<Pass>,
    ) -> Result<Output, RuntimeError> {
        let mut run = std::pin::pin!(async {
            match &self.runs {
                Runs::Here(opened) => opened.run(input, Arc::clone(pass)).await,
                Runs::Apart(apart) => apart.run(input).await,
            }
        });
        // Most are answered at once, and need no timer.
        let at_once =
            std::future::poll_fn(|context| std::task::Poll::Ready(run.as_mut().poll(context)))
                .await;
        match at_once {
            std::task::Poll::Ready(answered) => answered,
            std::task::Poll::Pending => {
                let late = |_| RuntimeError::Timeout(within.as_millis());
                tokio::time::timeout(within, run).await.map_err(late)?
            }
        }
    }

    /// Asks a version that keeps failing with its probe.
    pub(crate) async fn try_again(&self) {
        let tried = match &self.runs {
            Runs::Here(opened) => {
                let Ok(prepared) = opened.model.prepare(&opened.probe) else {
                    return self.gate.answered();
                };
                let apart = Gate::new(1);
                let Ok(pass) = apart.enter(crate::Turn::Own) else {
                    return;
                };
                let mut ticket = opened.queue.enter(prepared, Arc::new(pass));
                tokio::time::timeout(self.timeout, ticket.answer()).await
            }
            Runs::Apart(apart) => tokio::time::timeout(self.timeout, apart.probe()).await,
        };
        if matches!(tried, Ok(Ok(_) | Err(RuntimeError::Rejected(_)))) {
            self.gate.answered();
        }
    }

    pub(crate) fn ports(&self) -> (&[TensorPort], &[TensorPort]) {
        (&self.shown.ports.0, &self.shown.ports.1)
    }

    pub(crate) fn is_refusing(&self) -> bool {
        self.gate.is_refusing()
    }

    pub(crate) fn refusing(&self) -> Option<Arc<str>> {
        self.gate.refusing()
    }
}
