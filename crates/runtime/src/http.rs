//! A version that a model service elsewhere runs, called over HTTP.

use crate::gate::{Gate, Pass};
use crate::secret::Secret;
use crate::{Calling, Rejection, RuntimeError, Trace};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, RequestBuilder, Response};
use serde_json::Value;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use types::{
    Failure, HeaderText, HttpBody, HttpEndpoint, HttpSpec, Input, Json, JsonPointer, Output,
};

/// How long a connection is kept that has nothing to do: most servers drop theirs after five seconds or more, and a request that meets
/// the end of one is lost.
const IDLE: Duration = Duration::from_secs(4);

/// How long a reply that is no answer may take to say why.
const REASON_WITHIN: Duration = Duration::from_millis(250);

/// A connection that was kept and has ended is found to have within this.
const AT_ONCE: Duration = Duration::from_millis(20);

/// How long a probe of a version that keeps failing may take.
const PROBE_WITHIN: Duration = Duration::from_secs(30);

/// How much of it is read.
const REASON_BYTES: usize = 4 << 10;

/// How much of a strange reply an error message quotes, in characters.
const QUOTED: usize = 200;

/// The connections to model services. Versions that connect alike share a pool.
#[derive(Debug, Clone)]
pub struct HttpClient {
    clients: Arc<Mutex<HashMap<Connects, Client>>>,
    /// Calls that a version may have at once where it does not say.
    concurrency: usize,
    /// Where secrets are files.
    secrets: Option<PathBuf>,
    /// Authorities that services may be certified by, beside those of the system.
    authorities: Vec<Certificate>,
}

/// Ways to connect that versions share.
const MOST_CLIENTS: usize = 64;

/// How connections are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Connects {
    within: Duration,
    /// To this machine: never by a proxy.
    here: bool,
    /// Each for one request.
    fresh: bool,
}

/// Installs what HTTP clients of this process make TLS connections with. Another crate of the process may
/// have installed a provider already: either will do.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl HttpClient {
    /// For versions that may have so many calls at once where they do not say.
    pub fn new(concurrency: usize) -> Self {
        Self {
            clients: Arc::default(),
            concurrency,
            secrets: None,
            authorities: Vec::new(),
        }
    }

    /// With a directory in which secrets are files.
    #[must_use]
    pub fn with_secrets(self, secrets: Option<PathBuf>) -> Self {
        Self { secrets, ..self }
    }

    /// With authorities that services may be certified by, beside those of the system, as PEM.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn with_authorities(self, pem: &[u8]) -> Result<Self, RuntimeError> {
        let unreadable = |error| RuntimeError::not_loaded(format!("no certificates: {error}"));
        let authorities = Certificate::from_pem_bundle(pem).map_err(unreadable)?;
        if authorities.is_empty() {
            return Err(RuntimeError::not_loaded("no certificates are in it".into()));
        }
        Ok(Self {
            authorities,
            ..self
        })
    }

    fn client(&self, connects: Connects) -> Result<Client, RuntimeError> {
        let poisoned =
            |_| RuntimeError::not_loaded("a thread panicked while it made a client".into());
        let mut clients = self.clients.lock().map_err(poisoned)?;
        if let Some(client) = clients.get(&connects) {
            return Ok(client.clone());
        }
        install_tls();
        let mut builder = Client::builder();
        if connects.here {
            builder = builder.no_proxy();
        }
        if connects.fresh {
            builder = builder.pool_max_idle_per_host(0);
        }
        let client = builder
            .connect_timeout(connects.within)
            .pool_idle_timeout(IDLE)
            .gzip(true)
            .tls_certs_merge(self.authorities.iter().cloned())
            // A redirect would send an input to an address that nobody registered.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(&error))?;
        // Versions keep their own: what is forgotten here is only shared no more.
        if clients.len() >= MOST_CLIENTS {
            clients.clear();
        }
        clients.insert(connects, client.clone());
        Ok(client)
    }
}

/// A model service and how to speak with it.
#[derive(Debug)]
pub struct HttpRuntime {
    client: Client,
    /// For a request that has met the end of a connection.
    fresh: Client,
    endpoint: HttpEndpoint,
    headers: HeaderMap,
    secrets: Vec<(HeaderName, Secret)>,
    gate: Gate,
}

/// The headers of each request: those that are said, and those that are secrets.
fn headers_of(
    endpoint: &HttpEndpoint,
    directory: Option<&PathBuf>,
) -> Result<(HeaderMap, Vec<(HeaderName, Secret)>), RuntimeError> {
    let odd =
        |error: &dyn std::fmt::Display| RuntimeError::not_loaded(format!("a header: {error}"));
    let (mut headers, mut secrets) = (HeaderMap::new(), Vec::new());
    for (name, value) in &endpoint.headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|error| odd(&error))?;
        match value {
            HeaderText::Text(text) => {
                let value = HeaderValue::from_str(text).map_err(|error| odd(&error))?;
                headers.insert(name, value);
            }
            HeaderText::Secret(secret) => {
                secrets.push((name, Secret::new(secret, directory, "")?));
            }
        }
    }
    if let Some(bearer) = &endpoint.bearer {
        let secret = Secret::new(bearer, directory, "Bearer ")?;
        secrets.push((AUTHORIZATION, secret));
    }
    Ok((headers, secrets))
}

impl HttpRuntime {
    pub(crate) fn new(spec: &HttpSpec, client: &HttpClient) -> Result<Self, RuntimeError> {
        let invalid = |error| RuntimeError::not_loaded(format!("the runtime cannot work: {error}"));
        Self::to(spec.endpoint().map_err(invalid)?, client)
    }

    pub(crate) fn to(endpoint: HttpEndpoint, client: &HttpClient) -> Result<Self, RuntimeError> {
        let connects = Connects {
            within: endpoint.connect_timeout,
            here: types::leads_here(&endpoint.url),
            fresh: false,
        };
        let (headers, secrets) = headers_of(&endpoint, client.secrets.as_ref())?;
        Ok(Self {
            client: client.client(connects)?,
            fresh: client.client(Connects {
                fresh: true,
                ..connects
            })?,
            headers,
            secrets,
            gate: Gate::new(endpoint.max_concurrency.unwrap_or(client.concurrency)),
            endpoint,
        })
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.endpoint.timeout
    }

    pub(crate) fn max_reply_bytes(&self) -> u64 {
        self.endpoint.max_reply_bytes
    }

    /// Why the version is not called now, where it keeps failing.
    pub(crate) fn refusing(&self) -> Option<Arc<str>> {
        self.gate.refusing()
    }

    /// Whether it is not called now.
    pub(crate) fn is_refusing(&self) -> bool {
        self.gate.is_refusing()
    }

    /// Calls the service, where it may be called.
    pub(crate) async fn call(&self, input: &Input, how: Calling) -> Result<Output, RuntimeError> {
        if self.endpoint.body == HttpBody::Text && matches!(input, Input::Json(_)) {
            // It was not called, so nothing is known of it.
            let why = "this version reads one text (`text`; as a tensor BYTES [1] with the name text), not other inputs";
            return Err(RuntimeError::rejected(why));
        }
        self.call_with(input, how, |reply| self.output(&reply))
            .await
    }

    /// The same, where another protocol says what the reply means.
    pub(crate) async fn call_with<T>(
        &self,
        input: &Input,
        how: Calling,
        read: impl FnOnce(Json) -> Result<T, RuntimeError>,
    ) -> Result<T, RuntimeError> {
        let pass = self.enter(how)?;
        let called = self.ask(input, how.within).await.and_then(read);
        self.note(&pass, called.as_ref().err(), how);
        called
    }

    /// Lets a call in.
    pub(crate) fn enter(&self, how: Calling) -> Result<Pass, RuntimeError> {
        let pass = self.gate.enter(how.turn);
        pass.map_err(|refused| RuntimeError::Overloaded(refused.to_string()))
    }

    /// Takes note of how a call went.
    pub(crate) fn note(&self, pass: &Pass, error: Option<&RuntimeError>, how: Calling) {
        let failure = match error {
            // A service that refuses an input answers.
            None | Some(RuntimeError::Rejected(_)) => None,
            // One that says that it has too much to do is well, and who had little time says nothing.
            Some(RuntimeError::Overloaded(_)) => return,
            Some(RuntimeError::Timeout(_)) if !self.had_its_time(how) => return,
            Some(error) => Some(error.to_string()),
        };
        self.gate.ended(pass, failure.as_deref(), Instant::now());
    }

    /// Whether a call had the time that it is said to need, or as much as any call has.
    fn had_its_time(&self, how: Calling) -> bool {
        how.has_full_time || how.within >= self.endpoint.timeout
    }

    /// Asks the service with the input that its specification gives for this, whether or not it may be called.
    pub(crate) async fn probe(&self) -> Result<(), RuntimeError> {
        let input = Input::from(&self.endpoint.probe);
        let reply = self.ask(&input, Duration::MAX).await?;
        self.output(&reply).map(drop)
    }

    /// Asks one that keeps failing with its probe: where that is answered, calls are let in again.
    pub(crate) async fn try_again(&self, probe: impl Future<Output = Result<(), RuntimeError>>) {
        let asked = tokio::time::timeout(PROBE_WITHIN, probe).await;
        if matches!(asked, Ok(Ok(()) | Err(RuntimeError::Rejected(_)))) {
            self.gate.answered();
        }
    }

    /// Whether it is time to see that a service which has nothing to do is ready.
    pub(crate) fn is_idle(&self) -> bool {
        let interval = self.endpoint.probe_interval;
        interval.is_some_and(|interval| self.gate.is_idle(interval, Instant::now()))
    }

    /// Sees whether it is. A refusal of the probe is an answer.
    pub(crate) async fn see(&self, probe: impl Future<Output = Result<(), RuntimeError>>) {
        let asked = tokio::time::timeout(PROBE_WITHIN, probe).await;
        let failure = match asked {
            Ok(Ok(()) | Err(RuntimeError::Rejected(_))) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(RuntimeError::Timeout(PROBE_WITHIN.as_millis()).to_string()),
        };
        self.gate.probed(failure.as_deref());
    }

    /// Asks the service, whether or not it may be called: its whole reply, which is JSON.
    pub(crate) async fn ask(&self, input: &Input, within: Duration) -> Result<Json, RuntimeError> {
        let within = within.min(self.endpoint.timeout);
        let exchange = async {
            let response = self.open(input).await?;
            let body = self.read(response).await?;
            let unreadable = |error: serde_json::Error| {
                let reply = self.quote(&body);
                RuntimeError::bad_reply(format!("the reply is not JSON ({error}): {reply}"))
            };
            serde_json::from_slice(&body).map_err(unreadable)
        };
        let late = |_| RuntimeError::Timeout(within.as_millis());
        tokio::time::timeout(within, exchange).await.map_err(late)?
    }

    /// Sends a request, until a reply that is an answer begins.
    pub(crate) async fn open(&self, input: &Input) -> Result<Response, RuntimeError> {
        let sent_at = Instant::now();
        let response = match self.request(&self.client, input)?.send().await {
            // A connection that was kept and has ended is met at once, before anything is done with the request. So once
            // more, by one that nobody has used.
            Err(error) if sent_at.elapsed() < AT_ONCE && was_closed(&error) => {
                self.request(&self.fresh, input)?.send().await
            }
            sent => sent,
        };
        let response = response.map_err(|error| failed(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = beginning(response).await;
        let said = format!("the model service answered {status}: {}", self.quote(&body));
        let status = status.as_u16();
        Err(if self.endpoint.refused_statuses.contains(&status) {
            RuntimeError::Rejected(Rejection {
                why: said,
                said: Json::parse(self.without_secrets(&body)).ok(),
            })
        } else if self.endpoint.busy_statuses.contains(&status) {
            RuntimeError::Overloaded(said)
        } else {
            RuntimeError::Failed(Failure::Failed, said)
        })
    }

    fn request(&self, client: &Client, input: &Input) -> Result<RequestBuilder, RuntimeError> {
        let mut post = client.post(self.endpoint.url.clone());
        post = post.headers(self.headers.clone());
        if let Some(trace) = Trace::current() {
            let mut headers = HeaderMap::new();
            trace.add_to(&mut headers);
            post = post.headers(headers);
        }
        for (name, secret) in &self.secrets {
            post = post.header(name, secret.value()?);
        }
        match (self.endpoint.body, input) {
            (HttpBody::Text, Input::Text(text)) => Ok(post
                .header(CONTENT_TYPE, "text/plain; charset=utf-8")
                .body(text.clone())),
            (_, input) => {
                let (json, default) = match input {
                    Input::Text(text) => (Json::text(text), "/text"),
                    Input::Json(json) => (json.clone(), "/inputs"),
                };
                let pointer = self.endpoint.input_pointer.as_ref();
                let pointer = pointer.map_or(default, JsonPointer::as_str);
                let body = match &self.endpoint.template {
                    Some(template) => template.with(json.as_str()),
                    None => placed_at(pointer, json.as_str()),
                };
                Ok(post.header(CONTENT_TYPE, "application/json").body(body))
            }
        }
    }

    /// What a service said, without the secrets that it was sent.
    fn without_secrets(&self, body: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(body).into_owned();
        for (_, secret) in &self.secrets {
            if let Some(secret) = secret.known() {
                text = text.replace(&secret, "[secret]");
            }
        }
        text
    }

    /// The beginning of that.
    fn quote(&self, body: &[u8]) -> String {
        let text = self.without_secrets(body);
        let start: String = text.chars().take(QUOTED).collect();
        format!("{start:?}")
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, RuntimeError> {
        let limit = self.endpoint.max_reply_bytes;
        let mut body = Vec::new();
        let broke_off = |error| {
            let cause = innermost(&error);
            RuntimeError::bad_reply(format!(
                "the reply broke off or cannot be unpacked: {cause}"
            ))
        };
        while let Some(chunk) = response.chunk().await.map_err(broke_off)? {
            if (body.len() + chunk.len()) as u64 > limit {
                return Err(RuntimeError::bad_reply(format!(
                    "the reply of the model service is larger than {limit} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn output(&self, reply: &Json) -> Result<Output, RuntimeError> {
        let at = |pointer: &Option<JsonPointer>| pointer.as_ref().and_then(|at| reply.at(at));
        if let Some(error) =
            at(&self.endpoint.error_pointer).filter(|error| error.as_str() != "null")
        {
            let text = self.quote(error.as_str().as_bytes());
            let said = format!("the model service reports {text}");
            return Err(RuntimeError::Failed(Failure::Failed, said));
        }
        let pointer = &self.endpoint.prediction_pointer;
        let Some(prediction) = reply.at(pointer) else {
            return Err(RuntimeError::bad_reply(format!(
                "the reply has nothing at {}: {}",
                pointer.as_str(),
                self.quote(reply.as_str().as_bytes())
            )));
        };
        let confidence = at(&self.endpoint.confidence_pointer);
        let confidence = match confidence.map(|json| serde_json::from_str(json.as_str())) {
            None | Some(Ok(Value::Null)) => None,
            Some(Ok(Value::Number(number))) => number.as_f64(),
            Some(_) => {
                return Err(RuntimeError::bad_reply(
                    "the confidence in the reply is no number".into(),
                ));
            }
        };
        let mut outputs = Vec::new();
        for (name, pointer) in &self.endpoint.outputs {
            outputs.extend(reply.at(pointer).map(|found| (name.as_str(), found)));
        }
        Ok(Output {
            prediction,
            confidence,
            outputs: (!outputs.is_empty()).then(|| Json::object(&outputs)),
        })
    }
}

/// An object that holds JSON, as it is, at a JSON pointer: `/a/b` gives `{"a":{"b":json}}`.
fn placed_at(pointer: &str, json: &str) -> String {
    let keys: Vec<String> = JsonPointer::parts(pointer)
        .map(|key| Value::String(key).to_string())
        .collect();
    let mut placed = String::with_capacity(json.len() + pointer.len() + 8 * keys.len());
    for key in &keys {
        placed.push('{');
        placed.push_str(key);
        placed.push(':');
    }
    placed.push_str(json);
    placed.extend(keys.iter().map(|_| '}'));
    placed
}

/// The beginning of a body that says why there is no answer. The status has said the rest: however long the body
/// is, and however slowly it comes, it changes nothing.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > REASON_BYTES {
                break;
            }
        }
    };
    // What has come by then is quoted.
    let _ = tokio::time::timeout(REASON_WITHIN, read).await;
    body
}

/// Whether a connection was closed before any byte of an answer came: one that was kept, most likely.
fn was_closed(error: &reqwest::Error) -> bool {
    if error.is_connect() || error.is_timeout() || !error.is_request() {
        return false;
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
        if let Some(error) = cause.downcast_ref::<hyper::Error>()
            && (error.is_incomplete_message() || error.is_closed() || error.is_canceled())
        {
            return true;
        }
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            return matches!(
                error.kind(),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted
            );
        }
    }
    false
}

/// The innermost cause says what happened ("connection refused"); the outer ones repeat the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn failed(error: &reqwest::Error) -> RuntimeError {
    let said = format!("the model service cannot be reached: {}", innermost(error));
    RuntimeError::Failed(Failure::Unreachable, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_placed_by_pointer() {
        assert_eq!(placed_at("", "1"), "1");
        assert_eq!(placed_at("/text", "\"a\""), "{\"text\":\"a\"}");
        let odd = r#"{"b":1, "a":12345678901234567890123,"b":2.0}"#;
        let placed = format!(r#"{{"a\"":{{"b/c":{odd}}}}}"#);
        assert_eq!(placed_at("/a\"/b~1c", odd), placed);
    }
}
