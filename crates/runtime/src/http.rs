//! A version that a model service elsewhere runs, called over HTTP.

use crate::RuntimeError;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, Url};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use types::{HttpBody, HttpSpec, Input, Output};

/// How much of a strange reply an error message quotes, in characters.
const QUOTED: usize = 200;

/// The connections to model services. Versions with the same connect timeout share a pool.
#[derive(Debug, Clone, Default)]
pub struct HttpClient {
    by_connect_timeout: Arc<Mutex<HashMap<u64, Client>>>,
}

/// Installs what HTTP clients of this process make TLS connections with. Another crate of the process may
/// have installed a provider already: either will do.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl HttpClient {
    fn client(&self, connect_timeout_ms: u64) -> Result<Client, RuntimeError> {
        let poisoned = |_| RuntimeError::Failed("a thread panicked while it made a client".into());
        let mut clients = self.by_connect_timeout.lock().map_err(poisoned)?;
        if let Some(client) = clients.get(&connect_timeout_ms) {
            return Ok(client.clone());
        }
        install_tls();
        let client = Client::builder()
            .connect_timeout(Duration::from_millis(connect_timeout_ms))
            // A redirect would send an input to an address that nobody registered.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(&error))?;
        clients.insert(connect_timeout_ms, client.clone());
        Ok(client)
    }
}

/// A model service and how to speak with it.
#[derive(Debug)]
pub struct HttpRuntime {
    client: Client,
    url: Url,
    spec: HttpSpec,
}

impl HttpRuntime {
    pub(crate) fn new(spec: &HttpSpec, client: &HttpClient) -> Result<Self, RuntimeError> {
        let invalid = |error| RuntimeError::Failed(format!("the URL is invalid: {error}"));
        Ok(Self {
            client: client.client(spec.connect_timeout_ms)?,
            url: Url::parse(&spec.url).map_err(invalid)?,
            spec: spec.clone(),
        })
    }

    pub(crate) async fn probe(&self) -> Result<(), RuntimeError> {
        let input = match &self.spec.probe {
            Value::String(text) => Input::Text(text.clone()),
            other => Input::Json(other.clone()),
        };
        self.call(&input, Duration::MAX).await.map(drop)
    }

    pub(crate) async fn call(
        &self,
        input: &Input,
        within: Duration,
    ) -> Result<Output, RuntimeError> {
        let within = within.min(Duration::from_millis(self.spec.timeout_ms));
        let exchange = async {
            let response = self
                .request(input)?
                .send()
                .await
                .map_err(|error| failed(&error))?;
            let status = response.status();
            let body = self.read(response).await?;
            if !status.is_success() {
                return Err(RuntimeError::Failed(format!(
                    "the model service answered {status}: {}",
                    quote(&body)
                )));
            }
            self.output(&body)
        };
        let late = |_| RuntimeError::Timeout(within.as_millis());
        tokio::time::timeout(within, exchange).await.map_err(late)?
    }

    fn request(&self, input: &Input) -> Result<reqwest::RequestBuilder, RuntimeError> {
        let post = self.client.post(self.url.clone());
        match (self.spec.body, input) {
            (HttpBody::Text, Input::Text(text)) => Ok(post
                .header(CONTENT_TYPE, "text/plain; charset=utf-8")
                .body(text.clone())),
            (HttpBody::Text, Input::Json(_)) => Err(RuntimeError::WrongInput(
                "this version reads `text`, not `inputs`",
            )),
            (HttpBody::Json, input) => {
                let (value, default) = match input {
                    Input::Text(text) => (Value::String(text.clone()), "/text"),
                    Input::Json(value) => (value.clone(), "/inputs"),
                };
                let pointer = self.spec.input_pointer.as_deref().unwrap_or(default);
                Ok(post.json(&placed_at(pointer, value)))
            }
        }
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, RuntimeError> {
        let limit = self.spec.max_reply_bytes;
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
        let reply: Value = serde_json::from_slice(body).map_err(|error| {
            RuntimeError::Failed(format!("the reply is not JSON ({error}): {}", quote(body)))
        })?;
        let at = |pointer: &Option<String>| pointer.as_ref().and_then(|p| reply.pointer(p));
        if let Some(error) = at(&self.spec.error_pointer).filter(|error| !error.is_null()) {
            let text = quote(error.to_string().as_bytes());
            return Err(RuntimeError::Failed(format!(
                "the model service reports {text}"
            )));
        }
        let pointer = &self.spec.prediction_pointer;
        let Some(prediction) = reply.pointer(pointer) else {
            return Err(RuntimeError::Failed(format!(
                "the reply has nothing at {pointer}: {}",
                quote(body)
            )));
        };
        let confidence = match at(&self.spec.confidence_pointer) {
            None | Some(Value::Null) => None,
            Some(Value::Number(number)) => number.as_f64(),
            Some(_) => {
                return Err(RuntimeError::Failed(
                    "the confidence in the reply is no number".into(),
                ));
            }
        };
        Ok(Output {
            prediction: prediction.clone(),
            confidence,
        })
    }
}

/// An object that holds a value at a JSON pointer: `/a/b` gives `{"a": {"b": value}}`.
fn placed_at(pointer: &str, value: Value) -> Value {
    let keys = pointer.split('/').skip(1);
    let keys: Vec<String> = keys
        .map(|key| key.replace("~1", "/").replace("~0", "~"))
        .collect();
    keys.into_iter().rev().fold(value, |inner, key| {
        Value::Object(Map::from_iter([(key, inner)]))
    })
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
    use serde_json::json;

    #[test]
    fn inputs_are_placed_by_pointer() {
        assert_eq!(placed_at("", json!(1)), json!(1));
        assert_eq!(placed_at("/text", json!("a")), json!({"text": "a"}));
        assert_eq!(placed_at("/a/b~1c", json!([1])), json!({"a": {"b/c": [1]}}));
    }
}
