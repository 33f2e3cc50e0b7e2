//! How a version is run. The same form is stored and sent, so this one type is written as it is read.

use crate::{Json, OipSpec, OnnxSpec, OpenaiSpec, RemoteSpec};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use utoipa::ToSchema;

/// How a version is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(
    remote = "Self",
    tag = "type",
    rename_all = "snake_case",
    deny_unknown_fields,
    expecting = "must be an object with a type, such as {\"type\": \"onnx\"}"
)]
pub enum RuntimeSpec {
    /// In process: English sentiment by a word list.
    Sentiment {
        /// Which method; `vader` where it is not said.
        #[serde(default)]
        method: SentimentMethod,
    },
    /// By a model service elsewhere, over HTTP.
    Http(Box<HttpSpec>),
    /// In process: the ONNX model that is the artifact of the version.
    Onnx(Box<OnnxSpec>),
    /// By a model server that speaks the Open Inference Protocol (version 2).
    Oip(Box<OipSpec>),
    /// By a language model behind the chat completions of OpenAI.
    Openai(Box<OpenaiSpec>),
    /// What is stored cannot be read: what is wrong with it.
    #[serde(skip)]
    Unreadable(String),
}

impl Serialize for RuntimeSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// A form with a `type` is read through values, which sort keys and round long numbers. What goes out to a service is taken from
/// the text.
impl<'de> Deserialize<'de> for RuntimeSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Json::deserialize(deserializer)?;
        let mut read = serde_json::Deserializer::from_str(written.as_str());
        let mut spec = Self::deserialize(&mut read).map_err(|error| {
            let said = error.to_string();
            // Where in the runtime says nothing to who reads of the whole body.
            let place = format!(" at line {} column {}", error.line(), error.column());
            D::Error::custom(said.strip_suffix(&place).unwrap_or(&said))
        })?;
        spec.take_text(&written);
        Ok(spec)
    }
}

/// JSON as a value has it, until what was written takes its place.
pub(crate) fn through_value<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<Json>,
{
    Value::deserialize(deserializer).map(|value| Json::from(&value).into())
}

impl Default for RuntimeSpec {
    fn default() -> Self {
        Self::Sentiment {
            method: SentimentMethod::Vader,
        }
    }
}

/// A method of the `sentiment` runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SentimentMethod {
    /// The sum of the weights of the words (AFINN-165).
    Afinn,
    /// VADER: a word list with rules for negation, intensifiers, punctuation, capitals and emoji.
    #[default]
    Vader,
}

/// What is sent to a model service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HttpBody {
    /// A JSON object with the input at `input_pointer`.
    #[default]
    Json,
    /// The text itself, as `text/plain`.
    Text,
}

/// Where a secret is, which is never stored, shown or logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// An environment variable of the server, whose name begins with `WEIR_SECRET_`.
    Env(String),
    /// A file in the server's `--secrets-dir`, by its name.
    File(String),
}

/// The value of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "must be a text, {\"env\": NAME} or {\"file\": NAME}"
)]
pub enum HeaderText {
    /// As it is.
    Text(String),
    /// Where it is.
    Secret(SecretRef),
}

/// What the names of environment variables begin with that may be sent to services: others are nobody's business.
const SECRET_PREFIX: &str = "WEIR_SECRET_";
/// The most outputs of a version that are kept beside its prediction.
const MOST_OUTPUTS: usize = 32;
/// The most headers of a version.
const MOST_HEADERS: usize = 32;

impl SecretRef {
    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Env(name) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let fits = name.starts_with(SECRET_PREFIX) && name.chars().all(plain);
                let fits = fits && name.len() <= 200;
                fits.then_some(())
                    .ok_or("must name an environment variable that begins with WEIR_SECRET_")
            }
            Self::File(name) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
                let fits = !name.is_empty() && name.len() <= 200 && !name.starts_with('.');
                (fits && name.chars().all(plain)).then_some(()).ok_or(
                    "must be the name of a file in --secrets-dir: letters, digits, '-', '_' and '.'",
                )
            }
        }
    }
}

/// Names of headers are tokens (RFC 9110); those of the message itself are made with it.
fn check_headers(headers: &BTreeMap<String, HeaderText>) -> Result<(), &'static str> {
    if headers.len() > MOST_HEADERS {
        return Err("must have at most 32 headers");
    }
    for (name, value) in headers {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || name.len() > 100 || !name.chars().all(token) {
            return Err("has a name that is not a valid header name");
        }
        const OURS: [&str; 11] = [
            "host",
            "content-length",
            "content-encoding",
            "transfer-encoding",
            "connection",
            "content-type",
            "accept-encoding",
            "expect",
            "proxy-authorization",
            "te",
            "upgrade",
        ];
        const SECRET: [&str; 4] = ["authorization", "cookie", "x-api-key", "api-key"];
        let lower = name.to_ascii_lowercase();
        if OURS.contains(&lower.as_str()) {
            return Err("has a header that the server sets itself");
        }
        if SECRET.contains(&lower.as_str()) && matches!(value, HeaderText::Text(_)) {
            return Err(
                "has a secret as a text, which is stored and shown: name it by env or file",
            );
        }
        if headers
            .keys()
            .filter(|other| other.eq_ignore_ascii_case(name))
            .count()
            > 1
        {
            return Err("has a name twice");
        }
        match value {
            HeaderText::Text(text) => {
                let visible = |c: char| matches!(c, ' '..='~');
                if text.len() > 2000 || !text.chars().all(visible) || text.trim() != text {
                    return Err(
                        "has a value that is not one line of visible ASCII of at most 2,000 bytes",
                    );
                }
            }
            HeaderText::Secret(secret) => secret.check()?,
        }
    }
    Ok(())
}

/// The text in a template for which the input stands.
const INPUT: &str = "{input}";

/// A template around an input: what stands before it, between its places, and behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<String>);

impl Template {
    /// Of JSON with the text `"{input}"` where the input is to stand.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(json: &Json) -> Result<Self, &'static str> {
        let text = json.as_str();
        let (mut parts, mut rest) = (Vec::new(), 0);
        let mut at = 0;
        while let Some(begin) = text[at..].find('"').map(|offset| at + offset) {
            let end = end_of_text(text, begin);
            if serde_json::from_str(&text[begin..end]).is_ok_and(|said: String| said == INPUT) {
                if text[end..].trim_start().starts_with(':') {
                    return Err("has \"{input}\" as a key: it can only be a value");
                }
                parts.push(text[rest..begin].to_owned());
                rest = end;
            }
            at = end;
        }
        if parts.is_empty() {
            return Err("needs the text \"{input}\" where the input is to stand");
        }
        parts.push(text[rest..].to_owned());
        Ok(Self(parts))
    }

    /// The JSON with an input, as it is.
    pub fn with(&self, input: &str) -> String {
        self.0.join(input)
    }
}

/// The place behind a JSON string that begins at a quote.
fn end_of_text(json: &str, begin: usize) -> usize {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(begin + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}

/// How to call a model service over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpSpec {
    /// Where to POST: an `http` or `https` URL without user or password.
    #[schema(pattern = "^https?://", max_length = 2000)]
    pub url: String,
    /// What to send.
    #[serde(default)]
    pub body: HttpBody,
    /// JSON pointer (RFC 6901) at which a JSON body holds the input; `""` sends the input bare.
    /// Without it, `/text` for a text and `/inputs` for other inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_pointer: Option<String>,
    /// JSON pointer to the prediction in the reply; `""` is the whole reply.
    #[serde(default = "default_prediction_pointer")]
    pub prediction_pointer: String,
    /// JSON pointer to a number that says how sure the model is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_pointer: Option<String>,
    /// JSON pointer to an error: the call failed when something other than null stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_pointer: Option<String>,
    /// Which other parts of the reply are logged and returned, by name: JSON pointers, at most 32. Parts that a reply
    /// does not have are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// How long connecting may take, in milliseconds (1 to 60,000).
    #[serde(default = "default_connect_timeout_ms")]
    #[schema(minimum = 1, maximum = 60_000)]
    pub connect_timeout_ms: u64,
    /// How long the whole call may take, in milliseconds (1 to 300,000).
    #[serde(default = "default_timeout_ms")]
    #[schema(minimum = 1, maximum = 300_000)]
    pub timeout_ms: u64,
    /// The largest reply that is read, in bytes (1 to 64 MiB).
    #[serde(default = "default_max_reply_bytes")]
    #[schema(minimum = 1, maximum = 67_108_864)]
    pub max_reply_bytes: u64,
    /// How many calls it may have at once (1 to 1,000,000); when left out, half of the server's `--max-predictions`.
    /// Calls beyond that are not made: another version answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub max_concurrency: Option<u64>,
    /// Headers that each request has, by name: texts, or where a secret is (`{"env": NAME}` or `{"file": NAME}`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, HeaderText>,
    /// Where the token is that each request has as `Authorization: Bearer TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<SecretRef>,
    /// The JSON that is sent, with the text `"{input}"` where the input stands in it; in place of `input_pointer`.
    #[serde(
        default,
        deserialize_with = "through_value",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<Value>)]
    pub template: Option<Json>,
    /// The statuses by which the service says that it does not accept this input: the caller gets 422, and the version has
    /// not failed.
    #[serde(default = "default_refused_statuses")]
    pub refused_statuses: Vec<u16>,
    /// The statuses by which the service says that it is overloaded.
    #[serde(default = "default_busy_statuses")]
    pub busy_statuses: Vec<u16>,
    /// How often an idle version is sent its probe, in milliseconds (1,000 to 3,600,000). After three probes in a row without an
    /// answer it is not called until one is answered. When left out, no probes are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1000, maximum = 3_600_000)]
    pub probe_interval_ms: Option<u64>,
    /// The input that is sent before the version takes traffic, to see that the service answers: a
    /// text, or any JSON for a model that does not read text.
    #[serde(default = "default_probe", deserialize_with = "through_value")]
    #[schema(value_type = Value)]
    pub probe: Json,
}

fn default_prediction_pointer() -> String {
    "/prediction".into()
}

fn default_connect_timeout_ms() -> u64 {
    1_000
}

fn default_timeout_ms() -> u64 {
    10_000
}

fn default_max_reply_bytes() -> u64 {
    1 << 20
}

fn default_refused_statuses() -> Vec<u16> {
    vec![400, 413, 415, 422]
}

fn default_busy_statuses() -> Vec<u16> {
    vec![429, 503]
}

/// Whether a JSON pointer has a number among its names.
fn points_into_list(pointer: &str) -> bool {
    let mut names = pointer.split('/').skip(1);
    names.any(|name| {
        name == "-" || !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn default_probe() -> Json {
    Json::text("This is a probe.")
}

/// What is wrong with a runtime, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {problem}")]
pub struct InvalidRuntime {
    /// JSON pointer within the runtime.
    pub pointer: &'static str,
    /// What is wrong there.
    pub problem: &'static str,
}

impl RuntimeSpec {
    /// Checks what the form of the JSON cannot say.
    ///
    /// # Errors
    /// The first thing that cannot work: a URL, a pointer or a limit.
    pub fn check(&self) -> Result<(), InvalidRuntime> {
        if self.url().is_some_and(has_secret) {
            return Err(InvalidRuntime {
                pointer: "/url",
                problem: "has a secret among its parameters, and a URL is stored and shown. Let it go in a header, by \
                          reference: \"headers\": {\"x-api-key\": {\"env\": \"WEIR_SECRET_NAME\"}}",
            });
        }
        if self.headers().is_some_and(has_secret_text) {
            return Err(InvalidRuntime {
                pointer: "/headers",
                problem: "has a secret as a text, which is stored and shown: name it by reference, \
                          {\"env\": \"WEIR_SECRET_NAME\"} or {\"file\": NAME}",
            });
        }
        match self {
            Self::Sentiment { .. } => Ok(()),
            Self::Http(http) if http.template.as_ref().map_or(0, Json::depth) > MOST_NESTED => {
                Err(InvalidRuntime {
                    pointer: "/template",
                    problem: "must be nested at most 32 levels deep",
                })
            }
            // Whoever keeps it keeps it within other JSON, and readers have a limit.
            Self::Http(http) if http.probe.depth() > MOST_NESTED => Err(InvalidRuntime {
                pointer: "/probe",
                problem: "must be nested at most 32 levels deep",
            }),
            Self::Http(http) if http.input_pointer.as_deref().is_some_and(points_into_list) => {
                Err(InvalidRuntime {
                    pointer: "/input_pointer",
                    problem: "must have names only: it makes objects. For a list, say the body in `template`, such as \
                              {\"instances\": [\"{input}\"]}",
                })
            }
            Self::Http(http) => http.endpoint().map(drop),
            Self::Onnx(onnx) => onnx.check(),
            Self::Oip(oip) if deep_probe(&oip.remote) => Err(DEEP_PROBE),
            Self::Openai(openai) if deep_probe(&openai.remote) => Err(DEEP_PROBE),
            Self::Oip(oip) => oip.endpoint().map(drop),
            Self::Openai(openai) => openai.endpoint().map(drop),
            Self::Unreadable(_) => Err(InvalidRuntime {
                pointer: "",
                problem: "cannot be read",
            }),
        }
    }

    /// Takes what goes out from the text of this form.
    fn take_text(&mut self, written: &Json) {
        let at = |pointer: &str| written.at(&JsonPointer(pointer.into()));
        let said = |pointer: &str| at(pointer).filter(|json| json.as_str() != "null");
        match self {
            Self::Http(http) => {
                http.template = said("/template");
                http.probe = at("/probe").unwrap_or_else(default_probe);
            }
            Self::Onnx(onnx) => onnx.probe = said("/probe"),
            Self::Oip(oip) => oip.remote.probe = said("/probe"),
            Self::Openai(openai) => {
                openai.remote.probe = said("/probe");
                let parameters = said("/parameters");
                let parameters = parameters
                    .and_then(|parameters| serde_json::from_str(parameters.as_str()).ok());
                openai.parameters = parameters.unwrap_or_default();
            }
            Self::Sentiment { .. } | Self::Unreadable(_) => {}
        }
    }

    /// The headers of its calls, for one that is called.
    fn headers(&self) -> Option<&BTreeMap<String, HeaderText>> {
        match self {
            Self::Http(http) => Some(&http.headers),
            Self::Oip(oip) => Some(&oip.remote.headers),
            Self::Openai(openai) => Some(&openai.remote.headers),
            Self::Sentiment { .. } | Self::Onnx(_) | Self::Unreadable(_) => None,
        }
    }

    /// Where its service is, for one that is called.
    fn url(&self) -> Option<&str> {
        match self {
            Self::Http(http) => Some(&http.url),
            Self::Oip(oip) => Some(&oip.remote.url),
            Self::Openai(openai) => Some(&openai.remote.url),
            Self::Sentiment { .. } | Self::Onnx(_) | Self::Unreadable(_) => None,
        }
    }

    /// Whether the version needs an artifact.
    pub fn needs_artifact(&self) -> bool {
        matches!(self, Self::Onnx(_))
    }

    /// How deeply the JSON within it is nested.
    pub fn depth(&self) -> usize {
        match self {
            Self::Http(http) => {
                let template = http.template.as_ref().map_or(0, Json::depth);
                http.probe.depth().max(template)
            }
            Self::Onnx(onnx) => onnx.probe.as_ref().map_or(0, Json::depth),
            Self::Oip(oip) => oip.remote.probe.as_ref().map_or(0, Json::depth),
            Self::Openai(openai) => openai.depth(),
            Self::Sentiment { .. } | Self::Unreadable(_) => 0,
        }
    }
}

const DEEP_PROBE: InvalidRuntime = InvalidRuntime {
    pointer: "/probe",
    problem: "must be nested at most 32 levels deep",
};

fn deep_probe(remote: &RemoteSpec) -> bool {
    remote.probe.as_ref().map_or(0, Json::depth) > MOST_NESTED
}

/// How deeply a probe and a template may be nested.
pub(crate) const MOST_NESTED: usize = 32;

/// A place in a JSON document (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPointer(String);

impl JsonPointer {
    /// Checks a pointer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if !(text.is_empty() || text.starts_with('/')) {
            return Err("must be a JSON pointer: empty or beginning with '/'");
        }
        if text.len() > 200 {
            return Err("must have at most 200 bytes");
        }
        let mut escapes = text.split('~').skip(1);
        if !escapes.all(|rest| rest.starts_with(['0', '1'])) {
            return Err("must be a JSON pointer: after '~' comes 0 or 1");
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The keys on the way that a pointer says.
    pub fn parts(pointer: &str) -> impl Iterator<Item = String> {
        let parts = pointer.split('/').skip(1);
        parts.map(|part| part.replace("~1", "/").replace("~0", "~"))
    }
}

/// A model service as it is called: all of it has been checked.
#[derive(Debug, Clone)]
pub struct HttpEndpoint {
    /// Where to POST.
    pub url: url::Url,
    /// What to send.
    pub body: HttpBody,
    /// Where a JSON body holds the input; the default depends on the input.
    pub input_pointer: Option<JsonPointer>,
    /// Where the reply holds the prediction.
    pub prediction_pointer: JsonPointer,
    /// Where it says how sure the model is.
    pub confidence_pointer: Option<JsonPointer>,
    /// Where it says that the call failed.
    pub error_pointer: Option<JsonPointer>,
    /// Where else it says something, by name.
    pub outputs: Vec<(String, JsonPointer)>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the whole call may take.
    pub timeout: Duration,
    /// The largest reply that is read, in bytes.
    pub max_reply_bytes: u64,
    /// How many calls it may have at once, where it is said.
    pub max_concurrency: Option<usize>,
    /// Headers that each request has.
    pub headers: Vec<(String, HeaderText)>,
    /// Where the token of each request is.
    pub bearer: Option<SecretRef>,
    /// What is sent, around the input.
    pub template: Option<Template>,
    /// Statuses that refuse an input.
    pub refused_statuses: Vec<u16>,
    /// Statuses of a service that has too much to do.
    pub busy_statuses: Vec<u16>,
    /// How often the version is sent its probe while nothing is asked of it.
    pub probe_interval: Option<Duration>,
    /// What is sent before the version takes traffic.
    pub probe: Json,
}

impl HttpSpec {
    /// With all defaults, to a URL.
    pub fn to(url: &str) -> Self {
        let spec = serde_json::from_value(serde_json::json!({"url": url}));
        spec.expect("everything but the URL has a default")
    }

    /// Checks all of it, by the same means by which it is used.
    ///
    /// # Errors
    /// The first thing that cannot work.
    pub fn endpoint(&self) -> Result<HttpEndpoint, InvalidRuntime> {
        let fail = |pointer| move |problem| InvalidRuntime { pointer, problem };
        let within = |pointer, value: u64, most: u64, problem| {
            let fits = (1..=most).contains(&value);
            fits.then_some(value)
                .ok_or(InvalidRuntime { pointer, problem })
        };
        let optional = |pointer, text: &Option<String>| {
            let parsed = text.as_deref().map(JsonPointer::parse).transpose();
            parsed.map_err(fail(pointer))
        };
        Ok(HttpEndpoint {
            url: parse_url(&self.url).map_err(fail("/url"))?,
            body: self.body,
            input_pointer: optional("/input_pointer", &self.input_pointer)?,
            prediction_pointer: JsonPointer::parse(&self.prediction_pointer)
                .map_err(fail("/prediction_pointer"))?,
            confidence_pointer: optional("/confidence_pointer", &self.confidence_pointer)?,
            error_pointer: optional("/error_pointer", &self.error_pointer)?,
            outputs: {
                let named = |name: &String| (1..=200).contains(&name.chars().count());
                if self.outputs.len() > MOST_OUTPUTS || !self.outputs.keys().all(named) {
                    let problem =
                        "must be at most 32 JSON pointers, by names of 1 to 200 characters";
                    return Err(fail("/outputs")(problem));
                }
                let outputs = self.outputs.iter();
                let parsed = outputs.map(|(name, at)| Ok((name.clone(), JsonPointer::parse(at)?)));
                parsed.collect::<Result<_, _>>().map_err(fail("/outputs"))?
            },
            connect_timeout: Duration::from_millis(within(
                "/connect_timeout_ms",
                self.connect_timeout_ms,
                60_000,
                "must be from 1 to 60000",
            )?),
            timeout: Duration::from_millis(within(
                "/timeout_ms",
                self.timeout_ms,
                300_000,
                "must be from 1 to 300000",
            )?),
            max_reply_bytes: within(
                "/max_reply_bytes",
                self.max_reply_bytes,
                64 << 20,
                "must be from 1 to 67108864",
            )?,
            max_concurrency: match self.max_concurrency {
                None => None,
                Some(most) => {
                    let problem = "must be from 1 to 1000000";
                    Some(within("/max_concurrency", most, 1_000_000, problem)? as usize)
                }
            },
            headers: {
                check_headers(&self.headers).map_err(fail("/headers"))?;
                let headers = self.headers.iter();
                headers
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect()
            },
            bearer: {
                let bearer = self.bearer.as_ref().map(SecretRef::check).transpose();
                bearer.map_err(fail("/bearer"))?;
                let twice = self
                    .headers
                    .keys()
                    .any(|name| name.eq_ignore_ascii_case("authorization"));
                if twice && self.bearer.is_some() {
                    return Err(fail("/bearer")("stands beside a header authorization"));
                }
                self.bearer.clone()
            },
            template: {
                let template = self.template.as_ref().map(Template::parse).transpose();
                let template = template.map_err(fail("/template"))?;
                let alone = self.body == HttpBody::Json && self.input_pointer.is_none();
                if template.is_some() && !alone {
                    return Err(fail("/template")(
                        "stands in place of body and input_pointer",
                    ));
                }
                template
            },
            refused_statuses: statuses(&self.refused_statuses)
                .map_err(fail("/refused_statuses"))?,
            busy_statuses: {
                let busy = statuses(&self.busy_statuses).map_err(fail("/busy_statuses"))?;
                if busy
                    .iter()
                    .any(|status| self.refused_statuses.contains(status))
                {
                    return Err(fail("/busy_statuses")("has a status that refuses an input"));
                }
                busy
            },
            probe_interval: match self.probe_interval_ms {
                Some(interval) if !(1_000..=3_600_000).contains(&interval) => {
                    return Err(fail("/probe_interval_ms")("must be from 1000 to 3600000"));
                }
                interval => interval.map(Duration::from_millis),
            },
            probe: self.probe.clone(),
        })
    }
}

fn statuses(of: &[u16]) -> Result<Vec<u16>, &'static str> {
    let fits = of.len() <= 50 && of.iter().all(|status| (400..600).contains(status));
    fits.then(|| of.to_vec())
        .ok_or("must be at most 50 statuses from 400 to 599")
}

/// How the names of parameters that hold secrets end.
const SECRETS: [&str; 16] = [
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "apikey",
    "accesskey",
    "authkey",
    "functionskey",
    "subscriptionkey",
    "bearer",
    "jwt",
    "credentials",
    "credential",
    "passphrase",
    "userkey",
];
/// What is shorter is a number, or the name of a page.
const SECRET_LENGTH: usize = 6;
/// Names of parameters that mean many things, and are secrets where their values are long.
const SHORT_SECRETS: [&str; 7] = [
    "key",
    "sig",
    "signature",
    "code",
    "auth",
    "authorization",
    "pass",
];
/// What is shorter is a word.
const LONG_SECRET: usize = 24;

/// Whether a parameter in a URL is a secret by its name.
fn has_secret(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else {
        return false;
    };
    url.query_pairs()
        .any(|(name, value)| is_secret(&name, &value))
}

/// Whether a value is a secret by its name.
fn is_secret(name: &str, value: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    let is_secret = SECRETS.iter().any(|word| name.ends_with(word));
    is_secret && value.len() >= SECRET_LENGTH
        || SHORT_SECRETS.contains(&name.as_str()) && value.len() >= LONG_SECRET
}

/// Whether a header with a text is a secret, by its name or by what it begins with.
fn has_secret_text(headers: &BTreeMap<String, HeaderText>) -> bool {
    headers.iter().any(|(name, value)| match value {
        HeaderText::Text(text) => {
            let scheme = text.split_once(' ').map(|(scheme, _)| scheme);
            let is_bearer = scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"));
            is_secret(name, text) || is_bearer
        }
        HeaderText::Secret(_) => false,
    })
}

/// Whether a URL leads to this machine, where no proxy is asked.
pub fn leads_here(url: &url::Url) -> bool {
    match url.host_str() {
        Some(host) => {
            let host = host.trim_end_matches('.');
            let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
            let here = |address: IpAddr| {
                let address = address.to_canonical();
                address.is_loopback() || address.is_unspecified()
            };
            host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(here)
        }
        None => false,
    }
}

fn parse_url(text: &str) -> Result<url::Url, &'static str> {
    if text.len() > 2000 || text.chars().any(|c| c.is_control() || c == ' ') {
        return Err("must be at most 2,000 characters, without spaces");
    }
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match rest {
        None => return Err("must begin with http:// or https://"),
        // The parser would take the next part for the host.
        Some(rest) if rest.starts_with(['/', '\\']) => return Err("has no host"),
        Some(_) => {}
    }
    let url = url::Url::parse(text).map_err(|error| match error {
        url::ParseError::EmptyHost => "has no host",
        url::ParseError::InvalidPort => "has an invalid port: it must be from 0 to 65535",
        url::ParseError::InvalidIpv4Address | url::ParseError::InvalidIpv6Address => {
            "has an invalid IP address"
        }
        url::ParseError::IdnaError | url::ParseError::InvalidDomainCharacter => {
            "has a host that is no name"
        }
        _ => "is no URL",
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or password: it is stored and shown");
    }
    if url.port() == Some(0) {
        return Err("has port 0, where nothing can listen");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_out_is_kept_as_it_was_written() {
        for form in [
            r#"{"type":"http","url":"http://x","template":{"b": "{input}", "a":1.0},"probe":{"z":1e2, "a":12345678901234567890123}}"#,
            r#"{"type":"oip","url":"http://x","model":"m","probe":[{"z": 1e2, "a":1}]}"#,
            r#"{"type":"openai","url":"http://x","model":"m","parameters":{"response_format":{"z": 1.0, "a":{}}},"probe":"a\u0062"}"#,
            r#"{"type":"onnx","probe":{"z": 1e2, "a":1}}"#,
        ] {
            let spec: RuntimeSpec = serde_json::from_str(form).unwrap();
            assert_eq!(spec.check(), Ok(()), "{form}");
            let stored = serde_json::to_string(&spec).unwrap();
            for part in [
                r#"{"b": "{input}", "a":1.0}"#,
                r#"{"z":1e2, "a":12345678901234567890123}"#,
                r#"{"z": 1e2, "a":1}"#,
                r#"{"z": 1.0, "a":{}}"#,
                r#""a\u0062""#,
            ] {
                assert_eq!(stored.contains(part), form.contains(part), "{stored}");
            }
            assert_eq!(serde_json::from_str::<RuntimeSpec>(&stored).unwrap(), spec);
            let shown = serde_json::to_value(&spec).unwrap();
            assert!(serde_json::from_value::<RuntimeSpec>(shown).is_ok());
        }
        let error = serde_json::from_str::<RuntimeSpec>(r#"{"type":"http","url":3}"#).unwrap_err();
        let said = error.to_string();
        assert!(
            !said
                .trim_end_matches(" at line 1 column 23")
                .contains("line"),
            "{said}"
        );
    }

    fn check(json: &str, want: Option<&str>) {
        let got = match serde_json::from_str::<RuntimeSpec>(json) {
            Err(_) => Some("form"),
            Ok(spec) => spec.check().err().map(|e| e.pointer),
        };
        assert_eq!(got, want, "{json}");
    }

    #[test]
    fn runtimes_are_checked() {
        check(r#"{"type":"sentiment"}"#, None);
        check(r#"{"type":"sentiment","method":"afinn"}"#, None);
        check(r#"{"type":"sentiment","method":"magic"}"#, Some("form"));
        check(r#"{"type":"http","url":"http://127.0.0.1:9/x"}"#, None);
        check(r#"{"type":"http"}"#, Some("form"));
        for (query, pointer) in [
            (
                "version=2&code=en&key=value&max_tokens=5&page_token=2&token=",
                None,
            ),
            ("signature=serving_default&code=classification_v2", None),
            ("api_key=123456", Some("/url")),
            ("a=1&access-token=hunter2", Some("/url")),
            ("API%2DKey=abcdef", Some("/url")),
            ("code=0123456789abcdef01234567", Some("/url")),
            ("key=AIzaSyA-01234567890123456789", Some("/url")),
        ] {
            let url = format!("https://x/y?{query}");
            check(&format!(r#"{{"type":"http","url":"{url}"}}"#), pointer);
        }
        for (settings, pointer) in [
            (r#""type":"oip","url":"http://x","model":"iris""#, None),
            (
                r#""type":"oip","url":"http://x","model":"iris","timeout":3"#,
                Some(""),
            ),
            (r#""type":"oip","url":"http://x""#, Some("form")),
            (
                r#""type":"oip","url":"ftp://x","model":"iris""#,
                Some("/url"),
            ),
            (
                r#""type":"oip","url":"http://x","model":"..""#,
                Some("/model"),
            ),
            (
                r#""type":"openai","url":"http://x/v1","model":"m","system":"Be kind.""#,
                None,
            ),
            (
                r#""type":"openai","url":"http://x/v1","model":"m","bearer":{"env":"HOME"}"#,
                Some("/bearer"),
            ),
            (
                r#""type":"openai","url":"http://x/v1","model":"m","parameters":{"stream":true}"#,
                Some("/parameters"),
            ),
            (
                r#""type":"openai","url":"http://x","model":"m","prices":{"input_per_million":-1,"output_per_million":1}"#,
                Some("/prices"),
            ),
        ] {
            check(&format!("{{{settings}}}"), pointer);
        }
        for (settings, pointer) in [
            ("", None),
            (r#","labels":["no","yes"],"batch":{"max_wait_ms":2}"#, None),
            (r#","labels":["no","no"]"#, Some("/labels")),
            (r#","columns":[]"#, Some("/columns")),
            (r#","sessions":0"#, Some("/sessions")),
            (r#","threads":65"#, Some("/threads")),
            (r#","batch":{"max_size":0}"#, Some("/batch/max_size")),
            (r#","batch":{"size":1}"#, Some("form")),
            (r#","prediction_output":"""#, Some("/prediction_output")),
            (r#","max_tokens":40000"#, Some("/max_tokens")),
            (r#","timeout_ms":0"#, Some("/timeout_ms")),
            (r#","engine":"torch""#, Some("form")),
        ] {
            check(&format!(r#"{{"type":"onnx"{settings}}}"#), pointer);
        }
        check(r#"{"type":"http","url":"ftp://x"}"#, Some("/url"));
        for url in [
            "http://",
            "http://:80/",
            "http://model:99999/",
            "http://model:0/",
            "http://model:-1/",
            "http://[::1/",
            "http://1.2.3.400/",
            "http://mo del/",
            "http://a%00b/",
            "http:///x",
            "http://exa<mple/",
            "https://",
            "http://?x",
            "http://user@x/",
            "http://:secret@x/",
        ] {
            let json = serde_json::json!({"type": "http", "url": url});
            check(&json.to_string(), Some("/url"));
        }
        for url in [
            "http://[::1]:8080/x",
            "https://modèle.example/a?b=c#d",
            "http://x:80",
        ] {
            let json = serde_json::json!({"type": "http", "url": url});
            check(&json.to_string(), None);
        }
        check(
            r#"{"type":"http","url":"http://x","confidence_pointer":"/a~2"}"#,
            Some("/confidence_pointer"),
        );
        check(
            r#"{"type":"http","url":"http://me:secret@x/"}"#,
            Some("/url"),
        );
        check(
            r#"{"type":"http","url":"http://x","timeout_ms":0}"#,
            Some("/timeout_ms"),
        );
        for (settings, pointer) in [
            (
                r#""headers":{"x-team":"a","x-key":{"env":"WEIR_SECRET_A"}}"#,
                None,
            ),
            (
                r#""headers":{"x-max-tokens":"1000000","x-plan":"Basic tier"}"#,
                None,
            ),
            (
                r#""headers":{"x-goog-api-key":"abcdefgh"}"#,
                Some("/headers"),
            ),
            (
                r#""headers":{"X-Vault-Token":"abcdefgh"}"#,
                Some("/headers"),
            ),
            (r#""headers":{"x-who":"bearer abc"}"#, Some("/headers")),
            (r#""headers":{"x-key":{"file":"key"}}"#, None),
            (r#""headers":{"a b":"a"}"#, Some("/headers")),
            (r#""headers":{"Host":"a"}"#, Some("/headers")),
            (r#""headers":{"a":"b\nc"}"#, Some("/headers")),
            (r#""headers":{"a":{"env":"HOME"}}"#, Some("/headers")),
            (r#""headers":{"a":{"file":"../key"}}"#, Some("/headers")),
            (r#""headers":{"a":3}"#, Some("form")),
            (r#""bearer":{"file":"token"}"#, None),
            (r#""bearer":"secret""#, Some("form")),
            (r#""bearer":{"file":".token"}"#, Some("/bearer")),
            (r#""bearer":{"env":"PATH"}"#, Some("/bearer")),
            (r#""headers":{"Authorization":"b"}"#, Some("/headers")),
            (r#""headers":{"a":"1","A":"2"}"#, Some("/headers")),
            (
                r#""bearer":{"file":"a"},"headers":{"Authorization":{"file":"b"}}"#,
                Some("/bearer"),
            ),
            (r#""template":{"a":["{input}"]}"#, None),
            (r#""template":{"a":"input"}"#, Some("/template")),
            (r#""template":{"{input}":1}"#, Some("/template")),
            (
                r#""template":"{input}","input_pointer":"/a""#,
                Some("/template"),
            ),
            (r#""template":"{input}","body":"text""#, Some("/template")),
            (r#""refused_statuses":[404]"#, None),
            (r#""refused_statuses":[200]"#, Some("/refused_statuses")),
            (r#""refused_statuses":[429]"#, Some("/busy_statuses")),
            (r#""busy_statuses":[999]"#, Some("/busy_statuses")),
            (r#""probe_interval_ms":1000"#, None),
            (r#""probe_interval_ms":10"#, Some("/probe_interval_ms")),
            (r#""outputs":{"score":"/score"}"#, None),
            (r#""outputs":{"score":"score"}"#, Some("/outputs")),
            (r#""outputs":{"":"/score"}"#, Some("/outputs")),
        ] {
            check(
                &format!(r#"{{"type":"http","url":"http://x",{settings}}}"#),
                pointer,
            );
        }
        let template = r#"{"b": ["{input}", 12345678901234567890123, "x\"{input}"], "a":"\u007binput}","a":1e2}"#;
        let template = Template::parse(&Json::parse(template.into()).unwrap()).unwrap();
        let sent = template.with("[1.0]");
        let want = r#"{"b": [[1.0], 12345678901234567890123, "x\"{input}"], "a":[1.0],"a":1e2}"#;
        assert_eq!(sent, want);
        check(
            r#"{"type":"http","url":"http://x","prediction_pointer":"a"}"#,
            Some("/prediction_pointer"),
        );
    }
}
