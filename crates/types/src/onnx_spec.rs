//! How a version is run whose artifact is an ONNX model. The same form is stored and sent.

use crate::Json;
use crate::runtime_spec::{InvalidRuntime, MOST_NESTED, through_value};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// What runs a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnnxEngine {
    /// ONNX Runtime where the server has found it, else tract.
    #[default]
    Auto,
    /// ONNX Runtime: Microsoft's library, loaded when the server starts.
    Onnxruntime,
    /// tract: written in Rust, within the server.
    Tract,
}

/// Requests that wait are run together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchSpec {
    /// At most so many together (1 to 1,024); 1 runs each alone.
    #[serde(default = "default_max_size")]
    #[schema(minimum = 1, maximum = 1024)]
    pub max_size: u64,
    /// How long a request that could run waits for others, in milliseconds (0 to 1,000). Without a wait those run
    /// together that came while others ran.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1000)]
    pub max_wait_ms: u64,
}

impl Default for BatchSpec {
    fn default() -> Self {
        Self {
            max_size: default_max_size(),
            max_wait_ms: 0,
        }
    }
}

/// How an ONNX model is run, in process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OnnxSpec {
    /// What runs it.
    #[serde(default)]
    pub engine: OnnxEngine,
    /// What the classes are called, in the order of the probabilities. Without them: what the model or `config.json` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// The names of the numbers of a row, in their order, for a model with one input of several columns: rows can be JSON
    /// objects then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// The output that is the prediction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_output: Option<String>,
    /// The output that has the probabilities of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probabilities_output: Option<String>,
    /// Texts are cut after so many tokens (1 to 32,768); without it, after as many as the model takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 32_768)]
    pub max_tokens: Option<u64>,
    /// How many requests, or batches of them, run at once (1 to 64).
    #[serde(default = "default_one")]
    #[schema(minimum = 1, maximum = 64)]
    pub sessions: u64,
    /// Threads of each of them (1 to 64).
    #[serde(default = "default_one")]
    #[schema(minimum = 1, maximum = 64)]
    pub threads: u64,
    /// Which requests run together.
    #[serde(default)]
    pub batch: BatchSpec,
    /// How long a call may take, in milliseconds (1 to 300,000).
    #[serde(default = "default_timeout_ms")]
    #[schema(minimum = 1, maximum = 300_000)]
    pub timeout_ms: u64,
    /// How many calls it may have at once (1 to 1,000,000), including those that wait; when left out, half of the server's
    /// `--max-predictions`. Calls beyond that are not made: another version answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub max_concurrency: Option<u64>,
    /// Run it in a process of its own: a crash of the engine ends that process, and not the server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub isolate: bool,
    /// The input that it is tried with before it takes traffic; when left out a text, or tensors of zeros.
    #[serde(
        default,
        deserialize_with = "through_value",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<serde_json::Value>)]
    pub probe: Option<Json>,
}

fn default_max_size() -> u64 {
    32
}

fn default_one() -> u64 {
    1
}

fn default_timeout_ms() -> u64 {
    10_000
}

/// The most classes and columns that are named.
const MOST_NAMES: usize = 10_000;

impl Default for OnnxSpec {
    fn default() -> Self {
        serde_json::from_str("{}").expect("every setting has a default")
    }
}

impl OnnxSpec {
    /// Checks what the form of the JSON cannot say.
    ///
    /// # Errors
    /// The first thing that cannot work.
    pub fn check(&self) -> Result<(), InvalidRuntime> {
        let within = |value: u64, least: u64, most: u64, pointer, problem| {
            let fits = (least..=most).contains(&value);
            fits.then_some(())
                .ok_or(InvalidRuntime { pointer, problem })
        };
        let named = |names: &Option<Vec<String>>, pointer| {
            let problem = "must be 1 to 10,000 different names of 1 to 200 characters";
            let Some(names) = names else { return Ok(()) };
            let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
            sorted.sort_unstable();
            sorted.dedup();
            let fits =
                !names.is_empty() && names.len() <= MOST_NAMES && sorted.len() == names.len();
            let short = |name: &String| (1..=200).contains(&name.chars().count());
            let fits = fits && names.iter().all(short);
            fits.then_some(())
                .ok_or(InvalidRuntime { pointer, problem })
        };
        named(&self.labels, "/labels")?;
        named(&self.columns, "/columns")?;
        for (output, pointer) in [
            (&self.prediction_output, "/prediction_output"),
            (&self.probabilities_output, "/probabilities_output"),
        ] {
            let problem = "must have 1 to 1,000 bytes";
            let length = output.as_ref().map_or(1, String::len) as u64;
            within(length, 1, 1000, pointer, problem)?;
        }
        let problem = "must be from 1 to 32768";
        within(
            self.max_tokens.unwrap_or(1),
            1,
            32_768,
            "/max_tokens",
            problem,
        )?;
        within(self.sessions, 1, 64, "/sessions", "must be from 1 to 64")?;
        within(self.threads, 1, 64, "/threads", "must be from 1 to 64")?;
        let size = "must be from 1 to 1024";
        within(self.batch.max_size, 1, 1024, "/batch/max_size", size)?;
        let wait = "must be from 0 to 1000";
        within(self.batch.max_wait_ms, 0, 1000, "/batch/max_wait_ms", wait)?;
        let timeout = "must be from 1 to 300000";
        within(self.timeout_ms, 1, 300_000, "/timeout_ms", timeout)?;
        let calls = "must be from 1 to 1000000";
        let most = self.max_concurrency.unwrap_or(1);
        within(most, 1, 1_000_000, "/max_concurrency", calls)?;
        // Whoever keeps it keeps it within other JSON, and readers have a limit.
        if self.probe.as_ref().map_or(0, Json::depth) > MOST_NESTED {
            return Err(InvalidRuntime {
                pointer: "/probe",
                problem: "must be nested at most 32 levels deep",
            });
        }
        Ok(())
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}
