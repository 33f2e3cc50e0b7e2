//! Models in a process of their own: each is opened and tried in one before this process opens it, and one that is isolated
//! stays there.
//!
//! The process is this program again, called as `weir model-process`. It reads a line of JSON that says what to open, and
//! answers with one that says what came of it. It has limits of memory and time, and none of the environment. What is isolated
//! goes on: messages of JSON, each behind its length (4 bytes, the lowest first).

use super::engines::Engines;
use super::{Opened, Shown};
use crate::RuntimeError;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Semaphore, watch};
use types::{Failure, Input, Json, OnnxSpec, Output};

/// How models are opened.
#[derive(Debug)]
pub struct Loading {
    /// What runs them.
    pub engines: Arc<Engines>,
    /// This program.
    pub program: PathBuf,
    /// What a process of a model may take of memory, in bytes.
    pub memory_bytes: u64,
    /// How long opening and trying a model may take.
    pub within: Duration,
    /// So many are opened at once: it takes all of a core.
    pub turn: Semaphore,
}

/// What a process is to open.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    path: PathBuf,
    spec: OnnxSpec,
    onnxruntime: Option<PathBuf>,
    memory_bytes: u64,
    seconds: u64,
    /// Whether it goes on.
    stays: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Came {
    Opened(Shown),
    Failed(String),
}

/// An input on its way to a process.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sent {
    Text(String),
    Inputs(String),
}

/// An answer on its way back.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Back {
    Answered {
        prediction: String,
        confidence: Option<f64>,
        outputs: Option<String>,
    },
    Rejected(String),
    Failed(String),
    Panicked(String),
}

/// The largest message.
const MOST_BYTES: u32 = 64 << 20;

/// Opens and tries a model in a process that ends then.
///
/// # Errors
/// Why it cannot be used.
pub(crate) async fn check(
    path: &Path,
    spec: &OnnxSpec,
    loading: &Loading,
) -> Result<(), RuntimeError> {
    try_artifact(path, spec, loading)
        .await
        .map(drop)
        .map_err(RuntimeError::not_loaded)
}

/// The same; says what it found.
///
/// # Errors
/// Why it cannot be used.
pub async fn try_artifact(
    path: &Path,
    spec: &OnnxSpec,
    loading: &Loading,
) -> Result<String, String> {
    let (process, shown) = Process::start(path, spec, loading, false).await?;
    drop(process);
    Ok(format!(
        "{}, run by {}; its probe took {} µs",
        shown.does, shown.engine, shown.probe_us
    ))
}

/// A process that has opened a model. It ends when this is dropped.
#[derive(Debug)]
struct Process {
    /// It is killed when this is dropped.
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    async fn start(
        path: &Path,
        spec: &OnnxSpec,
        loading: &Loading,
        stays: bool,
    ) -> Result<(Self, Shown), String> {
        let _turn = loading
            .turn
            .acquire()
            .await
            .map_err(|error| error.to_string())?;
        let order = Order {
            path: path.to_owned(),
            spec: spec.clone(),
            onnxruntime: loading.engines.onnxruntime().map(Path::to_owned),
            memory_bytes: loading.memory_bytes,
            seconds: loading.within.as_secs().max(1),
            stays,
        };
        let mut command = Command::new(&loading.program);
        command
            .arg("model-process")
            .env_clear()
            .env("ORT_DISABLE_TELEMETRY", "1");
        // What finds libraries and folders of the system; secrets stay here.
        for name in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let not_started = |error| format!("a process for the model cannot be started: {error}");
        let mut child = command.spawn().map_err(not_started)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (mut input, output) = pipes.ok_or("a process for the model has no pipes")?;
        let mut output = BufReader::new(output);
        let opened = async {
            let line = line_of(&order).map_err(|error| error.to_string())?;
            // Where it has ended, what it said is read all the same.
            let _ = input.write_all(&line).await;
            let _ = input.flush().await;
            let mut said = Vec::new();
            let read = (&mut output)
                .take(1 << 20)
                .read_until(b'\n', &mut said)
                .await;
            read.map_err(|error| format!("the process of the model cannot be read: {error}"))?;
            Ok::<_, String>(said)
        };
        let late = |_| {
            let seconds = loading.within.as_secs();
            format!("opening and trying it took more than {seconds} s (--model-load-timeout)")
        };
        let said = tokio::time::timeout(loading.within, opened)
            .await
            .map_err(late)??;
        match serde_json::from_slice(&said) {
            Ok(Came::Opened(shown)) => Ok((
                Self {
                    child,
                    input,
                    output,
                },
                shown,
            )),
            Ok(Came::Failed(why)) => Err(why),
            Err(_) => {
                let ended = tokio::time::timeout(Duration::from_secs(1), child.wait()).await;
                let how = match ended {
                    Ok(Ok(status)) => status.to_string(),
                    _ => "no answer".into(),
                };
                let memory = loading.memory_bytes >> 20;
                Err(format!(
                    "the process that opened it ended ({how}): it may need more than {memory} MiB of memory \
                     (--model-memory-mb), or crash its engine"
                ))
            }
        }
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    async fn run(&mut self, input: &Input) -> std::io::Result<Back> {
        let sent = match input {
            Input::Text(text) => Sent::Text(text.clone()),
            Input::Json(json) => Sent::Inputs(json.as_str().to_owned()),
        };
        let message = serde_json::to_vec(&sent)?;
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        self.input.write_all(&length.to_le_bytes()).await?;
        self.input.write_all(&message).await?;
        self.input.flush().await?;
        let length = self.output.read_u32_le().await?;
        if length > MOST_BYTES {
            return Err(std::io::Error::other("it answers more than is read"));
        }
        let mut message = vec![0; length as usize];
        self.output.read_exact(&mut message).await?;
        Ok(serde_json::from_slice(&message)?)
    }
}

/// A model in processes of its own.
#[derive(Debug)]
pub(crate) struct Apart {
    of: Arc<Of>,
    /// As many as may run.
    places: Semaphore,
}

/// What processes are started of, and those that have nothing to do.
#[derive(Debug)]
struct Of {
    path: PathBuf,
    spec: OnnxSpec,
    loading: Loading,
    idle: Mutex<Vec<Process>>,
    /// Whether one is being started.
    starts: AtomicBool,
    /// Told when it has, or has failed.
    started: watch::Sender<Option<String>>,
}

impl Of {
    /// One that has nothing to do. Those that were ended from outside meanwhile, as where memory is short, are let go.
    fn idle(&self) -> Option<Process> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut process = idle.pop()?;
            if !process.has_ended() {
                return Some(process);
            }
        }
    }

    /// A process: one that has nothing to do, or one that is started. That goes on whether or not its caller waits, because it
    /// may take longer than any call.
    async fn process(self: &Arc<Self>) -> Result<Process, RuntimeError> {
        loop {
            let mut told = self.started.subscribe();
            if let Some(process) = self.idle() {
                return Ok(process);
            }
            if !self.starts.swap(true, Ordering::AcqRel) {
                let of = Arc::clone(self);
                let start = async move {
                    let started = Process::start(&of.path, &of.spec, &of.loading, true).await;
                    let failed = match started {
                        Ok((process, _)) => {
                            of.idle
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push(process);
                            None
                        }
                        Err(why) => Some(why),
                    };
                    of.starts.store(false, Ordering::Release);
                    of.started.send_replace(failed);
                };
                #[expect(
                    clippy::disallowed_methods,
                    reason = "it ends within the time that loading may take, and with the process that it starts"
                )]
                tokio::spawn(start);
            }
            let gone = |_| RuntimeError::not_loaded("the model was unloaded".into());
            told.changed().await.map_err(gone)?;
            let failed = told.borrow().clone();
            if let Some(why) = failed {
                return Err(RuntimeError::not_loaded(why));
            }
        }
    }
}

impl Loading {
    fn again(&self) -> Self {
        Self {
            engines: Arc::clone(&self.engines),
            program: self.program.clone(),
            turn: Semaphore::new(1),
            ..*self
        }
    }
}

impl Apart {
    pub(crate) async fn start(
        path: &Path,
        spec: &OnnxSpec,
        loading: &Loading,
    ) -> Result<(Self, Shown), RuntimeError> {
        let started = Process::start(path, spec, loading, true).await;
        let (process, shown) = started.map_err(RuntimeError::not_loaded)?;
        let of = Of {
            path: path.to_owned(),
            spec: spec.clone(),
            loading: loading.again(),
            idle: Mutex::new(vec![process]),
            starts: AtomicBool::new(false),
            started: watch::Sender::new(None),
        };
        let apart = Self {
            places: Semaphore::new(spec.sessions as usize),
            of: Arc::new(of),
        };
        Ok((apart, shown))
    }

    /// Whoever stops waiting ends the process: what it would answer then is nobody's.
    pub(crate) async fn run(&self, input: &Input) -> Result<Output, RuntimeError> {
        let closed = |_| RuntimeError::not_loaded("the model was unloaded".into());
        let _place = self.places.acquire().await.map_err(closed)?;
        let mut process = self.of.process().await?;
        let ended = |error: std::io::Error| {
            let why = format!("the process of the model ended: {error}");
            RuntimeError::Failed(Failure::Panicked, why)
        };
        let back = process.run(input).await.map_err(ended)?;
        self.of
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(process);
        match back {
            Back::Answered {
                prediction,
                confidence,
                outputs,
            } => {
                let json = |text| {
                    Json::parse(text).map_err(|error| RuntimeError::bad_reply(error.to_string()))
                };
                Ok(Output {
                    prediction: json(prediction)?,
                    confidence,
                    outputs: outputs.map(json).transpose()?,
                })
            }
            Back::Rejected(why) => Err(RuntimeError::rejected(why)),
            Back::Failed(why) => Err(RuntimeError::Failed(Failure::Failed, why)),
            Back::Panicked(why) => Err(RuntimeError::Failed(Failure::Panicked, why)),
        }
    }

    pub(crate) async fn probe(&self) -> Result<Output, RuntimeError> {
        let probe = match &self.of.spec.probe {
            Some(probe) => Input::from(probe),
            None => Input::Text("This is a probe.".into()),
        };
        self.run(&probe).await
    }
}

/// JSON on one line. What people wrote in it may have had several; within texts a break is escaped, so blanks say the same.
fn line_of(said: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(said)?;
    for byte in line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
    line.push(b'\n');
    Ok(line)
}

/// Serves one model on standard input and output, for the server that started this process.
///
/// # Errors
/// When standard input or output fail.
pub fn serve_model() -> std::io::Result<()> {
    use std::io::{BufRead, Write};
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut line = String::new();
    input.read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    limit(&order);
    // Its libraries print to standard error, which goes nowhere.
    let opened = Engines::find(order.onnxruntime.as_deref())
        .and_then(|engines| Opened::open(&order.path, &order.spec, &engines));
    let (opened, came) = match opened {
        Ok((opened, shown)) => (Some(opened), Came::Opened(shown)),
        Err(why) => (None, Came::Failed(why)),
    };
    output.write_all(&line_of(&came)?)?;
    output.flush()?;
    let Some(opened) = opened.filter(|_| order.stays) else {
        return Ok(());
    };
    serve_on(&opened, &mut input, &mut output)
}

fn serve_on(
    opened: &Opened,
    input: &mut impl std::io::Read,
    output: &mut impl std::io::Write,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let gate = crate::gate::Gate::new(1);
    loop {
        let mut length = [0; 4];
        match input.read_exact(&mut length) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let length = u32::from_le_bytes(length);
        if length > MOST_BYTES {
            return Err(std::io::Error::other("a message is too long"));
        }
        let mut message = vec![0; length as usize];
        input.read_exact(&mut message)?;
        let sent = match serde_json::from_slice(&message)? {
            Sent::Text(text) => Input::Text(text),
            Sent::Inputs(text) => Input::Json(Json::parse(text).map_err(std::io::Error::other)?),
        };
        let pass = gate
            .enter(crate::Turn::Own)
            .map_err(std::io::Error::other)?;
        let back = match runtime.block_on(opened.run(&sent, Arc::new(pass))) {
            Ok(Output {
                prediction,
                confidence,
                outputs,
            }) => Back::Answered {
                prediction: prediction.as_str().to_owned(),
                confidence,
                outputs: outputs.map(|outputs| outputs.as_str().to_owned()),
            },
            Err(RuntimeError::Rejected(rejection)) => Back::Rejected(rejection.why),
            Err(RuntimeError::Failed(Failure::Panicked, why)) => Back::Panicked(why),
            Err(error) => Back::Failed(error.to_string()),
        };
        let message = serde_json::to_vec(&back)?;
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        output.write_all(&length.to_le_bytes())?;
        output.write_all(&message)?;
        output.flush()?;
    }
}

/// Takes from this process what a model is not to have: much memory, much time where it does not stay, and core files.
#[cfg(unix)]
fn limit(order: &Order) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let at_most = |most: u64| Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    // What is refused here was limited already.
    let _ = setrlimit(Resource::As, at_most(order.memory_bytes));
    let _ = setrlimit(Resource::Core, at_most(0));
    if !order.stays {
        let _ = setrlimit(Resource::Cpu, at_most(order.seconds.saturating_mul(4)));
    }
}

#[cfg(not(unix))]
fn limit(_: &Order) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_several_lines_is_sent_on_one() {
        let probe = Json::parse("{\n \"a\": [1,\r\n 2], \"b\": \"x\\ny\"\n}".into()).unwrap();
        let line = line_of(&probe).unwrap();
        let said: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(said, probe.value());
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}
