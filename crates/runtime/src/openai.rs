//! Versions that are language models behind the chat completions of OpenAI.
//!
//! What a caller sends goes on as it came, but for what the version says: its model, its prompt, its parameters. What the
//! service says is kept whole (`response` of the outputs), because whoever asked in this protocol gets it as it is.

pub(crate) mod stream;

use crate::http::{HttpClient, HttpRuntime};
use crate::{Calling, RuntimeError};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::time::Duration;
use types::{Input, Json, OpenaiSpec, Output, Prices};

/// A language model.
#[derive(Debug)]
pub struct OpenaiRuntime {
    http: HttpRuntime,
    spec: OpenaiSpec,
}

impl OpenaiRuntime {
    pub(crate) fn new(spec: &OpenaiSpec, client: &HttpClient) -> Result<Self, RuntimeError> {
        let invalid = |error| RuntimeError::not_loaded(format!("the runtime cannot work: {error}"));
        Ok(Self {
            http: HttpRuntime::to(spec.endpoint().map_err(invalid)?, client)?,
            spec: spec.clone(),
        })
    }

    pub(crate) fn http(&self) -> &HttpRuntime {
        &self.http
    }

    pub(crate) async fn call(&self, input: &Input, how: Calling) -> Result<Output, RuntimeError> {
        let body = self.body(input, false).map_err(RuntimeError::rejected)?;
        let read = |reply: Json| self.answer(&reply);
        self.http.call_with(&Input::Json(body), how, read).await
    }

    pub(crate) async fn probe(&self) -> Result<(), RuntimeError> {
        let probe = match &self.spec.remote.probe {
            None => Input::Text("Say yes.".into()),
            Some(probe) => Input::from(probe),
        };
        let body = self.body(&probe, false).map_err(RuntimeError::rejected)?;
        let reply = self.http.ask(&Input::Json(body), Duration::MAX).await?;
        self.answer(&reply).map(drop)
    }

    /// What the service is sent. Members keep their order and their numbers.
    fn body(&self, input: &Input, stream: bool) -> Result<Json, String> {
        let asked: Members<'_>;
        let text: String;
        match input {
            Input::Text(said) => {
                text = format!(
                    "{{\"messages\":[{{\"role\":\"user\",\"content\":{}}}]}}",
                    Value::from(said.as_str())
                );
                asked = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            }
            Input::Json(json) => {
                let unfit = |_| "must be a text, or a request for a chat completion: a JSON object with messages";
                asked = serde_json::from_str(json.as_str()).map_err(unfit)?;
            }
        }
        // Of a key that comes twice, the last one is meant, as everywhere.
        let messages = asked.0.iter().rfind(|(key, _)| key == "messages");
        let messages = messages
            .map(|(_, messages)| messages.get().trim())
            .ok_or("has no messages")?;
        let inner = messages
            .strip_prefix('[')
            .and_then(|messages| messages.strip_suffix(']'));
        let inner = inner.ok_or("has messages that are no array")?;
        let mut body = String::from("{");
        let mut say = |key: &str, value: &str| {
            if body.len() > 1 {
                body.push(',');
            }
            body.push_str(&Value::from(key).to_string());
            body.push(':');
            body.push_str(value);
        };
        say("model", &Value::from(self.spec.model.as_str()).to_string());
        match &self.spec.system {
            None => say("messages", messages),
            Some(system) => {
                let system = Value::from(system.as_str());
                let comma = if inner.trim().is_empty() { "" } else { "," };
                say(
                    "messages",
                    &format!("[{{\"role\":\"system\",\"content\":{system}}}{comma}{inner}]"),
                );
            }
        }
        for (key, value) in &asked.0 {
            let ours = ["model", "messages", "stream", "stream_options"].contains(&&**key);
            if !ours && !self.spec.parameters.contains_key(&**key) {
                say(key, value.get());
            }
        }
        for (key, value) in &self.spec.parameters {
            say(key, value.as_str());
        }
        if stream {
            say("stream", "true");
            // Usage is for the log, whether or not the caller wants it.
            say("stream_options", "{\"include_usage\":true}");
        }
        body.push('}');
        Json::parse(body).map_err(|error| format!("is no request: {error}"))
    }

    fn answer(&self, response: &Json) -> Result<Output, RuntimeError> {
        let completion: Completion<'_> =
            serde_json::from_str(response.as_str()).map_err(|error| {
                RuntimeError::bad_reply(format!("the reply is no chat completion: {error}"))
            })?;
        let choice = completion.choices.into_iter().flatten().next();
        let choice =
            choice.ok_or_else(|| RuntimeError::bad_reply("the reply has no choices".into()))?;
        let said = Said {
            usage: completion.usage,
            finish_reason: choice.finish_reason,
            length: choice
                .message
                .content
                .as_ref()
                .map(|content| content.chars().count()),
            first_token_ms: None,
            tool_calls: choice
                .message
                .tool_calls
                .and_then(|calls| serde_json::from_str(calls.get()).ok())
                .filter(|calls: &Value| !calls.is_null()),
            is_estimated: false,
            received: None,
        };
        let prediction = match (choice.message.content, choice.message.tool_calls) {
            (Some(content), _) => Json::text(&content),
            (None, Some(calls)) => Json::parse(calls.get().to_owned()).unwrap_or_default(),
            (None, None) => Json::default(),
        };
        let outputs = said.outputs(self.spec.prices, Some(response));
        Ok(Output {
            prediction,
            confidence: None,
            outputs: Some(outputs),
        })
    }
}

/// The members of an object in their order, as they came, and as often.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Members<'de>, A::Error> {
                let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<Key<'de>, &RawValue>()? {
                    members.push((key.0, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Completion<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    message: Message<'a>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default)]
    content: Option<String>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
}

/// How many tokens went in and came out, as the service counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Usage {
    #[serde(default)]
    pub(crate) prompt_tokens: Option<u64>,
    #[serde(default)]
    pub(crate) completion_tokens: Option<u64>,
}

/// What is known of an answer beside its text.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) usage: Option<Usage>,
    pub(crate) finish_reason: Option<String>,
    /// Characters of the text.
    pub(crate) length: Option<usize>,
    pub(crate) first_token_ms: Option<f64>,
    /// Calls of tools.
    pub(crate) tool_calls: Option<Value>,
    /// Whether the tokens are counted here, because the service has not said them.
    pub(crate) is_estimated: bool,
    /// The text of an answer that did not come to its end, and so is no prediction.
    pub(crate) received: Option<String>,
}

impl Said {
    /// The outputs that are logged: `tokens_in`, `tokens_out`, `cost` where both are known, `time_to_first_token_ms`,
    /// `output_length`, `finish_reason`, `tool_calls`, `received` and the response.
    pub(crate) fn outputs(&self, prices: Option<Prices>, response: Option<&Json>) -> Json {
        let mut outputs = Map::new();
        let mut say = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                outputs.insert(key.into(), value);
            }
        };
        let usage = self.usage.unwrap_or_default();
        say("tokens_in", usage.prompt_tokens.map(Value::from));
        say("tokens_out", usage.completion_tokens.map(Value::from));
        let cost = prices.and_then(|prices| {
            // What is free costs nothing, however much of it there was.
            let price = |tokens: Option<u64>, price: f64| match tokens {
                Some(tokens) => Some(tokens as f64 * price / 1e6),
                None => (price == 0.0).then_some(0.0),
            };
            let input = price(usage.prompt_tokens, prices.input_per_million);
            let output = price(usage.completion_tokens, prices.output_per_million);
            Some(input? + output?)
        });
        say(
            "cost",
            cost.filter(|_| self.usage.is_some()).map(Value::from),
        );
        say(
            "time_to_first_token_ms",
            self.first_token_ms.map(Value::from),
        );
        say("output_length", self.length.map(Value::from));
        say("finish_reason", self.finish_reason.clone().map(Value::from));
        say("tool_calls", self.tool_calls.clone());
        say("received", self.received.clone().map(Value::from));
        say(
            "tokens_are_estimated",
            self.is_estimated.then_some(Value::from(true)),
        );
        let outputs = Json::from(&Value::Object(outputs));
        let Some(response) = response else {
            return outputs;
        };
        let members = outputs.as_str().trim_end_matches('}');
        let comma = if members.len() > 1 { "," } else { "" };
        let whole = format!("{members}{comma}\"response\":{}}}", response.as_str());
        // A response that is nested as deeply as JSON may be has no room for one level more.
        Json::parse(whole).unwrap_or(outputs)
    }
}
