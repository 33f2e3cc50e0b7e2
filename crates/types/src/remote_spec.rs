//! How versions are run by servers that speak a protocol which Weir knows. The same forms are stored and sent.

use crate::runtime_spec::{HttpEndpoint, HttpSpec, InvalidRuntime, MOST_NESTED, through_value};
use crate::{HeaderText, Json, SecretRef};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How to reach a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RemoteSpec {
    /// Where the server is: an `http` or `https` URL without user or password, to which the path of each call is added.
    #[schema(pattern = "^https?://", max_length = 2000)]
    pub url: String,
    /// Headers that each request has, by name: texts, or where a secret is (`{"env": NAME}` or `{"file": NAME}`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, HeaderText>,
    /// Where the token is that each request has as `Authorization: Bearer TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<SecretRef>,
    /// How long connecting may take, in milliseconds (1 to 60,000).
    #[serde(default = "connect_timeout_ms")]
    #[schema(minimum = 1, maximum = 60_000)]
    pub connect_timeout_ms: u64,
    /// How long the whole call may take, in milliseconds (1 to 300,000).
    #[serde(default = "timeout_ms")]
    #[schema(minimum = 1, maximum = 300_000)]
    pub timeout_ms: u64,
    /// The largest reply that is read, in bytes (1 to 64 MiB).
    #[serde(default = "max_reply_bytes")]
    #[schema(minimum = 1, maximum = 67_108_864)]
    pub max_reply_bytes: u64,
    /// How many calls it may have at once (1 to 1,000,000); when left out, half of the server's
    /// `--max-predictions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub max_concurrency: Option<u64>,
    /// How often an idle version is sent its probe, in milliseconds (1,000 to 3,600,000). After three probes in a row without an
    /// answer it is not called until one is answered. When left out, no probes are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1000, maximum = 3_600_000)]
    pub probe_interval_ms: Option<u64>,
    /// What it is asked before it takes traffic.
    #[serde(
        default,
        deserialize_with = "through_value",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<Value>)]
    pub probe: Option<Json>,
    /// Settings that are not known: they are refused.
    #[serde(flatten, skip_serializing)]
    #[schema(ignore)]
    pub unknown: BTreeMap<String, Value>,
}

fn connect_timeout_ms() -> u64 {
    1_000
}

fn timeout_ms() -> u64 {
    10_000
}

fn max_reply_bytes() -> u64 {
    8 << 20
}

/// The settings of every service.
const SETTINGS: [&str; 9] = [
    "url",
    "headers",
    "bearer",
    "connect_timeout_ms",
    "timeout_ms",
    "max_reply_bytes",
    "max_concurrency",
    "probe_interval_ms",
    "probe",
];

impl RemoteSpec {
    /// A setting that nobody knows, and those of the runtime (beside its own) that there are.
    fn stranger(&self, own: &[&'static str]) -> Option<(&str, Vec<&'static str>)> {
        let (name, _) = self.unknown.first_key_value()?;
        Some((name, [own, &SETTINGS].concat()))
    }

    /// As a service that is sent whole bodies to a path.
    fn known(&self) -> Result<(), InvalidRuntime> {
        let problem = "has a setting that is not known; /openapi.json lists those that are";
        let known = self.unknown.is_empty();
        known.then_some(()).ok_or(InvalidRuntime {
            pointer: "",
            problem,
        })
    }

    fn http(&self, path: &str, prediction_pointer: &str) -> HttpSpec {
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let mut http = HttpSpec::to(&url);
        http.headers.clone_from(&self.headers);
        http.bearer.clone_from(&self.bearer);
        http.input_pointer = Some(String::new());
        http.prediction_pointer = prediction_pointer.into();
        http.connect_timeout_ms = self.connect_timeout_ms;
        http.timeout_ms = self.timeout_ms;
        http.max_reply_bytes = self.max_reply_bytes;
        http.max_concurrency = self.max_concurrency;
        http.probe_interval_ms = self.probe_interval_ms;
        http
    }
}

/// A model on a server of the Open Inference Protocol: Triton, KServe, MLServer, another Weir.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OipSpec {
    /// The server; `/v2/models/...` is added to its URL.
    #[serde(flatten)]
    pub remote: RemoteSpec,
    /// What the server calls the model.
    pub model: String,
    /// The version on that server; the one that it chooses where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
    /// The input that a text goes to, as one element of BYTES.
    #[serde(default = "text_input")]
    pub text_input: String,
    /// The output that is the prediction; the first one where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_output: Option<String>,
    /// The output that says how sure the model is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_output: Option<String>,
}

fn text_input() -> String {
    "text".into()
}

/// A name as a part of a path.
fn part(name: &str) -> String {
    let mut part = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                part.push(char::from(byte))
            }
            other => part.push_str(&format!("%{other:02X}")),
        }
    }
    part
}

impl OipSpec {
    /// A setting that nobody knows, and those that there are.
    pub fn stranger(&self) -> Option<(&str, Vec<&'static str>)> {
        let own = [
            "model",
            "model_version",
            "text_input",
            "prediction_output",
            "confidence_output",
        ];
        self.remote.stranger(&own)
    }

    /// The same as a service.
    ///
    /// # Errors
    /// The first thing that cannot work.
    pub fn endpoint(&self) -> Result<HttpEndpoint, InvalidRuntime> {
        self.remote.known()?;
        let named =
            |name: &str| (1..=200).contains(&name.chars().count()) && name != "." && name != "..";
        let unnamed = |pointer| InvalidRuntime {
            pointer,
            problem: "must have 1 to 200 characters",
        };
        if !named(&self.model) {
            return Err(unnamed("/model"));
        }
        if !self.model_version.as_deref().is_none_or(named) {
            return Err(unnamed("/model_version"));
        }
        if !named(&self.text_input) {
            return Err(unnamed("/text_input"));
        }
        let version = self
            .model_version
            .as_deref()
            .map_or(String::new(), |version| {
                format!("/versions/{}", part(version))
            });
        let path = format!("/v2/models/{}{version}/infer", part(&self.model));
        self.remote.http(&path, "/outputs").endpoint()
    }
}

/// What a language model costs, in any currency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// For a million tokens that go in.
    #[schema(minimum = 0)]
    pub input_per_million: f64,
    /// For a million tokens that come out.
    #[schema(minimum = 0)]
    pub output_per_million: f64,
}

/// A language model behind the chat completions of OpenAI: that service, or one of the many that speak as it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenaiSpec {
    /// The server; `/chat/completions` is added to its URL, which often ends in `/v1`.
    #[serde(flatten)]
    pub remote: RemoteSpec,
    /// What the server calls the model.
    pub model: String,
    /// What every conversation begins with, as a message of the system: a prompt to be compared with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Parameters of every request (`temperature`, `max_tokens`, ...), which replace those of the caller.
    #[serde(
        default,
        deserialize_with = "each_through_value",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub parameters: BTreeMap<String, Json>,
    /// What tokens cost, for the metric `cost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
}

fn each_through_value<'de, D>(deserializer: D) -> Result<BTreeMap<String, Json>, D::Error>
where
    D: Deserializer<'de>,
{
    let values = BTreeMap::<String, Value>::deserialize(deserializer)?;
    let values = values.into_iter();
    Ok(values
        .map(|(name, value)| (name, Json::from(&value)))
        .collect())
}

/// The longest prompt of a system, in bytes.
const MOST_SYSTEM: usize = 1 << 18;

impl OpenaiSpec {
    /// A setting that nobody knows, and those that there are.
    pub fn stranger(&self) -> Option<(&str, Vec<&'static str>)> {
        self.remote
            .stranger(&["model", "system", "parameters", "prices"])
    }

    /// The same as a service.
    ///
    /// # Errors
    /// The first thing that cannot work.
    pub fn endpoint(&self) -> Result<HttpEndpoint, InvalidRuntime> {
        let fail = |pointer, problem| Err(InvalidRuntime { pointer, problem });
        self.remote.known()?;
        if !(1..=200).contains(&self.model.chars().count()) {
            return fail("/model", "must have 1 to 200 characters");
        }
        if self
            .system
            .as_ref()
            .is_some_and(|system| system.is_empty() || system.len() > MOST_SYSTEM)
        {
            return fail("/system", "must have 1 to 262144 bytes");
        }
        for ours in ["model", "messages", "stream", "stream_options"] {
            if self.parameters.contains_key(ours) {
                return fail(
                    "/parameters",
                    "must not contain model, messages, stream or stream_options",
                );
            }
        }
        if self.parameters_depth() > MOST_NESTED {
            return fail("/parameters", "must be nested at most 32 levels deep");
        }
        let good = |price: f64| (0.0..=1e9).contains(&price);
        if !self
            .prices
            .is_none_or(|prices| good(prices.input_per_million) && good(prices.output_per_million))
        {
            return fail("/prices", "must be numbers from 0 to 1000000000");
        }
        self.remote
            .http("/chat/completions", "/choices/0")
            .endpoint()
    }

    /// How deeply the JSON within it is nested.
    pub(crate) fn depth(&self) -> usize {
        let probe = self.remote.probe.as_ref().map_or(0, Json::depth);
        probe.max(self.parameters_depth())
    }

    fn parameters_depth(&self) -> usize {
        1 + self.parameters.values().map(Json::depth).max().unwrap_or(0)
    }
}
