//! Answers that come in parts: server-sent events, as OpenAI's clients read them.
//!
//! Every event goes on as it came: nothing is rebuilt of it. What is needed for the log is read beside that.

use super::{OpenaiRuntime, Said, Usage};
use crate::gate::Pass;
use crate::{Calling, RuntimeError};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use types::{Failure, Input, Json, Output};

/// The most calls of tools of an answer that are put together.
const MOST_CALLS: usize = 256;

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// An event, or a comment that keeps the connection awake, as it came.
    Event(Vec<u8>),
    /// An event that says how many tokens there were, and nothing else: only who asked for it gets it.
    Usage(Vec<u8>),
    /// The end.
    Done(Vec<u8>),
    /// The service says that it failed, in the middle: as it came, and in words.
    Failed(Vec<u8>, String),
}

/// An answer that has begun to come.
#[derive(Debug)]
pub struct OpenStream {
    response: Response,
    pass: Pass,
    how: Calling,
    began: Instant,
    /// How long may pass without anything.
    silence: Duration,
    most: usize,
    events: Events,
    ended: bool,
    text: String,
    /// Whether anything has come.
    begun: bool,
    chunks: u64,
    said: Said,
    finish_reason: Option<String>,
    /// Calls of tools by their places, put together for the log.
    calls: BTreeMap<u64, Map<String, Value>>,
    /// Bytes of the events that these came in.
    called: usize,
}

impl OpenaiRuntime {
    /// Asks for an answer in parts; returns when it begins.
    ///
    /// # Errors
    /// When it does not.
    pub async fn open(&self, input: &Input, how: Calling) -> Result<OpenStream, RuntimeError> {
        let body = self.body(input, true).map_err(RuntimeError::rejected)?;
        let pass = self.http.enter(how)?;
        let began = Instant::now();
        let within = how.within.min(self.http.timeout());
        let late = |_| RuntimeError::Timeout(within.as_millis());
        let body = Input::Json(body);
        let opened = tokio::time::timeout(within, self.http.open(&body)).await;
        let opened = opened.map_err(late).and_then(|opened| opened);
        match opened.and_then(is_stream) {
            Ok(response) => Ok(OpenStream {
                response,
                pass,
                how,
                began,
                silence: self.http.timeout(),
                most: self.http.max_reply_bytes() as usize,
                events: Events::default(),
                ended: false,
                text: String::new(),
                begun: false,
                chunks: 0,
                said: Said::default(),
                finish_reason: None,
                calls: BTreeMap::new(),
                called: 0,
            }),
            Err(error) => {
                self.http.note(&pass, Some(&error), how);
                Err(error)
            }
        }
    }

    /// An answer has ended: well, or not.
    pub fn ended(&self, stream: &OpenStream, error: Option<&RuntimeError>) {
        self.http.note(&stream.pass, error, stream.how);
    }

    /// The whole of an answer that has come to its end.
    pub fn whole(&self, stream: &OpenStream) -> Output {
        let said = stream.said();
        let prediction = match &said.tool_calls {
            Some(calls) if stream.text.is_empty() => calls.into(),
            _ => Json::text(&stream.text),
        };
        Output {
            prediction,
            confidence: None,
            outputs: Some(said.outputs(self.spec.prices, None)),
        }
    }

    /// What is known of an answer that did not.
    pub fn partial(&self, stream: &OpenStream) -> Json {
        let mut said = stream.said();
        said.received = Some(stream.text.clone()).filter(|text| !text.is_empty());
        if said.usage.is_none() {
            // Nearly every event is a token.
            said.usage = Some(Usage {
                prompt_tokens: None,
                completion_tokens: Some(stream.chunks),
            });
            said.is_estimated = true;
        }
        said.outputs(self.spec.prices, None)
    }
}

/// A service that does not know `stream` answers whole, which no client would read as parts.
fn is_stream(response: Response) -> Result<Response, RuntimeError> {
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("text/event-stream")
    {
        return Ok(response);
    }
    let why = format!("the service answers {kind:?}, and was asked for text/event-stream");
    Err(RuntimeError::bad_reply(why))
}

impl OpenStream {
    fn said(&self) -> Said {
        Said {
            usage: self.said.usage,
            finish_reason: self.finish_reason.clone(),
            length: Some(self.text.chars().count()),
            first_token_ms: self.said.first_token_ms,
            is_estimated: false,
            received: None,
            tool_calls: (!self.calls.is_empty())
                .then(|| self.calls.values().cloned().map(Value::Object).collect()),
        }
    }

    /// The next part; `None` where the service has ended without saying so.
    ///
    /// # Errors
    /// When the connection breaks, nothing comes for long, or too much does.
    pub async fn next(&mut self) -> Result<Option<Part>, RuntimeError> {
        loop {
            if let Some(event) = self.events.next(self.ended) {
                self.begun = true;
                return Ok(Some(self.read(event)));
            }
            if self.ended {
                return Ok(None);
            }
            let silence = self.silence;
            let chunk = tokio::time::timeout(silence, self.response.chunk()).await;
            let begun = self.begun;
            let late = |_| {
                let millis = silence.as_millis();
                if !begun {
                    return RuntimeError::Timeout(millis);
                }
                let why = format!("no more of the answer came within {millis} ms");
                RuntimeError::Failed(Failure::BrokenOff, why)
            };
            let broke = |error: reqwest::Error| {
                RuntimeError::Failed(Failure::BrokenOff, format!("the answer broke off: {error}"))
            };
            match chunk.map_err(late)?.map_err(broke)? {
                Some(bytes) => self.events.push(&bytes),
                None => self.ended = true,
            }
            if self.events.waiting() + self.text.len() + self.called > self.most {
                let why = format!("the answer is larger than {} bytes", self.most);
                return Err(RuntimeError::bad_reply(why));
            }
        }
    }

    /// Takes note of an event.
    fn read(&mut self, event: Vec<u8>) -> Part {
        let data = data_of(&event);
        if data.as_deref() == Some("[DONE]") {
            return Part::Done(event);
        }
        let chunk = data
            .as_deref()
            .and_then(|data| serde_json::from_str::<Chunk<'_>>(data).ok());
        let Some(chunk) = chunk else {
            // A comment, or what nobody here understands.
            return Part::Event(event);
        };
        if let Some(error) = chunk.error.filter(|error| error.get() != "null") {
            let said: String = error.get().chars().take(500).collect();
            return Part::Failed(event, format!("the model service reports {said}"));
        }
        // The last one counts: some say it with every event.
        self.said.usage = chunk.usage.or(self.said.usage);
        let choices = chunk.choices.unwrap_or_default();
        let is_usage = choices.is_empty() && chunk.usage.is_some();
        for choice in choices
            .into_iter()
            .filter(|choice| choice.index.unwrap_or(0) == 0)
        {
            let delta = choice.delta.unwrap_or_default();
            let says = delta
                .content
                .as_ref()
                .is_some_and(|content| !content.is_empty())
                || delta.tool_calls.is_some();
            if says {
                self.chunks += 1;
                let since = self.began.elapsed().as_secs_f64() * 1000.0;
                self.said.first_token_ms.get_or_insert(since);
            }
            self.text.push_str(&delta.content.unwrap_or_default());
            for piece in delta.tool_calls.into_iter().flatten() {
                self.called += event.len();
                let place = piece.get("index").and_then(Value::as_u64).unwrap_or(0);
                if self.calls.len() < MOST_CALLS || self.calls.contains_key(&place) {
                    join(self.calls.entry(place).or_default(), piece);
                }
            }
            self.finish_reason = choice.finish_reason.or(self.finish_reason.take());
        }
        if is_usage {
            Part::Usage(event)
        } else {
            Part::Event(event)
        }
    }
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: Option<u64>,
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<Map<String, Value>>>,
}

/// Adds a piece of a call of a tool: texts go on, all else is as it came last.
fn join(call: &mut Map<String, Value>, piece: Map<String, Value>) {
    for (key, value) in piece {
        match (call.get_mut(&key), value) {
            _ if key == "index" => {}
            // A service that repeats its id with each piece means the same one.
            (Some(Value::String(known)), Value::String(more))
                if key == "arguments" || known.is_empty() =>
            {
                known.push_str(&more);
            }
            (Some(Value::Object(known)), Value::Object(more)) => join(known, more),
            (_, Value::Null) => {}
            (_, value) => {
                call.insert(key, value);
            }
        }
    }
}

/// The data of an event: that of its lines, one below the other. `None` for a comment.
fn data_of(event: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(event);
    let lines = text.split(['\n', '\r']);
    let data = lines.filter_map(|line| {
        let data = line.strip_prefix("data:")?;
        Some(data.strip_prefix(' ').unwrap_or(data))
    });
    let data: Vec<&str> = data.collect();
    (!data.is_empty()).then(|| data.join("\n"))
}

/// Cuts bytes into events: each ends with an empty line.
#[derive(Debug, Default)]
struct Events {
    bytes: Vec<u8>,
    /// Where the line begins that is being looked at, and how far that was looked at.
    line: usize,
    looked: usize,
}

impl Events {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// The next event, as it came; at the end also one without its empty line.
    fn next(&mut self, at_end: bool) -> Option<Vec<u8>> {
        // Lines end with \n, \r\n or \r; a \r may be the first half of \r\n.
        let bytes = &self.bytes;
        let (mut at, mut line_begins) = (self.looked, self.line);
        while at < bytes.len() {
            let end = match (bytes[at], bytes.get(at + 1)) {
                (b'\r', Some(b'\n')) => at + 2,
                (b'\r', None) if !at_end => break,
                (b'\r' | b'\n', _) => at + 1,
                _ => {
                    at += 1;
                    continue;
                }
            };
            if line_begins == at {
                let rest = self.bytes.split_off(end);
                (self.line, self.looked) = (0, 0);
                return Some(std::mem::replace(&mut self.bytes, rest));
            }
            (at, line_begins) = (end, end);
        }
        (self.line, self.looked) = (line_begins, at);
        let left = at_end && !self.bytes.trim_ascii().is_empty();
        if !left {
            return None;
        }
        (self.line, self.looked) = (0, 0);
        Some(std::mem::take(&mut self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All events of bytes that come in pieces of so many.
    fn events(bytes: &[u8], piece: usize) -> Vec<String> {
        let mut events = Events::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(piece) {
            events.push(piece);
            while let Some(event) = events.next(false) {
                found.push(String::from_utf8(event).unwrap());
            }
        }
        while let Some(event) = events.next(true) {
            found.push(String::from_utf8(event).unwrap());
        }
        found
    }

    #[test]
    fn events_are_found_however_they_are_cut() {
        let text = "data: {\"a\":\"é\"}\n\n: PROCESSING\n\ndata: one\r\ndata: two\r\n\r\nevent: x\rdata: y\r\rdata: [DONE]";
        let want = [
            "data: {\"a\":\"é\"}\n\n",
            ": PROCESSING\n\n",
            "data: one\r\ndata: two\r\n\r\n",
            "event: x\rdata: y\r\r",
            "data: [DONE]",
        ];
        for piece in 1..=text.len() {
            assert_eq!(events(text.as_bytes(), piece), want, "{piece}");
        }
        assert_eq!(data_of(want[2].as_bytes()).unwrap(), "one\ntwo");
        assert_eq!(data_of(want[1].as_bytes()), None);
        assert_eq!(data_of(want[4].as_bytes()).unwrap(), "[DONE]");
        assert_eq!(events(b"\n\n", 1), ["\n", "\n"]);
        assert!(events(b"", 1).is_empty());
    }
}
