//! A version that a model service elsewhere runs, called over HTTP.

use crate::RuntimeError;
use crate::gate::Gate;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use types::{HttpBody, HttpEndpoint, HttpSpec, Input, Json, JsonPointer, Output};

/// The statuses by which a model service says that it does not take this input.
const REFUSALS: [StatusCode; 4] = [
    StatusCode::BAD_REQUEST,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::UNPROCESSABLE_ENTITY,
];

/// The statuses by which it says that it has too much to do.
const BUSY: [StatusCode; 2] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// How long a reply that is no answer may take to say why.
const REASON_WITHIN: Duration = Duration::from_millis(250);

/// How much of a strange reply an error message quotes, in characters.
const QUOTED: usize = 200;

/// The connections to model services. Versions with the same connect timeout share a pool.
#[derive(Debug, Clone)]
pub struct HttpClient {
    by_connect_timeout: Arc<Mutex<HashMap<Duration, Client>>>,
    /// Calls that a version may have at once where it does not say.
    concurrency: usize,
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
            by_connect_timeout: Arc::default(),
            concurrency,
        }
    }

    fn client(&self, connect_timeout: Duration) -> Result<Client, RuntimeError> {
        let poisoned = |_| RuntimeError::Failed("a thread panicked while it made a client".into());
        let mut clients = self.by_connect_timeout.lock().map_err(poisoned)?;
        if let Some(client) = clients.get(&connect_timeout) {
            return Ok(client.clone());
        }
        install_tls();
        let client = Client::builder()
            .connect_timeout(connect_timeout)
            // A redirect would send an input to an address that nobody registered.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(&error))?;
        clients.insert(connect_timeout, client.clone());
        Ok(client)
    }
}

/// A model service and how to speak with it.
#[derive(Debug)]
pub struct HttpRuntime {
    client: Client,
    endpoint: HttpEndpoint,
    gate: Gate,
}

impl HttpRuntime {
    pub(crate) fn new(spec: &HttpSpec, client: &HttpClient) -> Result<Self, RuntimeError> {
        let invalid = |error| RuntimeError::Failed(format!("the runtime cannot work: {error}"));
        let endpoint = spec.endpoint().map_err(invalid)?;
        Ok(Self {
            client: client.client(endpoint.connect_timeout)?,
            gate: Gate::new(endpoint.max_concurrency.unwrap_or(client.concurrency)),
            endpoint,
        })
    }

    pub(crate) fn max_reply_bytes(&self) -> u64 {
        self.endpoint.max_reply_bytes
    }

    /// Why the version is not called now, where it keeps failing.
    pub(crate) fn refusing(&self) -> Option<Arc<str>> {
        self.gate.refusing()
    }

    /// Calls the service, where it may be called.
    pub(crate) async fn call(
        &self,
        input: &Input,
        within: Duration,
    ) -> Result<Output, RuntimeError> {
        let gate = &self.gate;
        let pass = gate.enter();
        let pass = pass.map_err(|refused| RuntimeError::Overloaded(refused.to_string()))?;
        let called = self.ask(input, within).await;
        drop(pass);
        let failure = match &called {
            // A service that refuses an input answers.
            Ok(_) | Err(RuntimeError::Rejected(_)) => None,
            Err(error) => Some(error.to_string()),
        };
        gate.ended(failure.as_deref(), Instant::now());
        called
    }

    /// Asks the service with the input that its specification gives for this, whether or not it may be called. Its answer
    /// lets calls in again.
    pub(crate) async fn probe(&self) -> Result<(), RuntimeError> {
        let input = match &self.endpoint.probe {
            Value::String(text) => Input::Text(text.clone()),
            other => Input::Json(other.into()),
        };
        self.ask(&input, Duration::MAX).await?;
        self.gate.answered();
        Ok(())
    }

    async fn ask(&self, input: &Input, within: Duration) -> Result<Output, RuntimeError> {
        let within = within.min(self.endpoint.timeout);
        let exchange = async {
            let response = self
                .request(input)?
                .send()
                .await
                .map_err(|error| failed(&error))?;
            let status = response.status();
            if !status.is_success() {
                let body = beginning(response).await;
                let said = format!("the model service answered {status}: {}", quote(&body));
                return Err(if REFUSALS.contains(&status) {
                    RuntimeError::Rejected(said)
                } else if BUSY.contains(&status) {
                    RuntimeError::Overloaded(said)
                } else {
                    RuntimeError::Failed(said)
                });
            }
            let body = self.read(response).await?;
            self.output(&body)
        };
        let late = |_| RuntimeError::Timeout(within.as_millis());
        tokio::time::timeout(within, exchange).await.map_err(late)?
    }

    fn request(&self, input: &Input) -> Result<reqwest::RequestBuilder, RuntimeError> {
        let post = self.client.post(self.endpoint.url.clone());
        match (self.endpoint.body, input) {
            (HttpBody::Text, Input::Text(text)) => Ok(post
                .header(CONTENT_TYPE, "text/plain; charset=utf-8")
                .body(text.clone())),
            (HttpBody::Text, Input::Json(_)) => Err(RuntimeError::Rejected(
                "this version reads `text`, not `inputs`".into(),
            )),
            (HttpBody::Json, input) => {
                let (json, default) = match input {
                    Input::Text(text) => (Json::text(text), "/text"),
                    Input::Json(json) => (json.clone(), "/inputs"),
                };
                let pointer = self.endpoint.input_pointer.as_ref();
                let pointer = pointer.map_or(default, JsonPointer::as_str);
                Ok(post
                    .header(CONTENT_TYPE, "application/json")
                    .body(placed_at(pointer, json.as_str())))
            }
        }
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, RuntimeError> {
        let limit = self.endpoint.max_reply_bytes;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            if (body.len() + chunk.len()) as u64 > limit {
                return Err(RuntimeError::Failed(format!(
                    "the reply of the model service is larger than {limit} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn output(&self, body: &[u8]) -> Result<Output, RuntimeError> {
        let unreadable = |error: &dyn std::fmt::Display| {
            let reply = quote(body);
            RuntimeError::Failed(format!("the reply is not JSON ({error}): {reply}"))
        };
        let reply: Json = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        let at = |pointer: &Option<JsonPointer>| pointer.as_ref().and_then(|at| reply.at(at));
        if let Some(error) =
            at(&self.endpoint.error_pointer).filter(|error| error.as_str() != "null")
        {
            let text = quote(error.as_str().as_bytes());
            return Err(RuntimeError::Failed(format!(
                "the model service reports {text}"
            )));
        }
        let pointer = &self.endpoint.prediction_pointer;
        let Some(prediction) = reply.at(pointer) else {
            return Err(RuntimeError::Failed(format!(
                "the reply has nothing at {}: {}",
                pointer.as_str(),
                quote(body)
            )));
        };
        let confidence = at(&self.endpoint.confidence_pointer);
        let confidence = match confidence.map(|json| serde_json::from_str(json.as_str())) {
            None | Some(Ok(Value::Null)) => None,
            Some(Ok(Value::Number(number))) => number.as_f64(),
            Some(_) => {
                return Err(RuntimeError::Failed(
                    "the confidence in the reply is no number".into(),
                ));
            }
        };
        Ok(Output {
            prediction,
            confidence,
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
            if body.len() > 4 * QUOTED {
                break;
            }
        }
    };
    // What has come by then is quoted.
    let _ = tokio::time::timeout(REASON_WITHIN, read).await;
    body
}

fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let start: String = text.chars().take(QUOTED).collect();
    format!("{start:?}")
}

/// The innermost cause says what happened ("connection refused"); the outer ones repeat the URL.
fn failed(error: &reqwest::Error) -> RuntimeError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    RuntimeError::Failed(format!("the model service cannot be reached: {cause}"))
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
