//! How a version is run. The same form is stored and sent, so this one type derives `Serialize`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// How a version is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum RuntimeSpec {
    /// In process: English sentiment by a word list.
    Sentiment {
        /// Which method; `vader` where it is not said.
        #[serde(default)]
        method: SentimentMethod,
    },
    /// By a model service elsewhere, over HTTP.
    Http(HttpSpec),
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
    /// The input that is sent before the version takes traffic, to see that the service answers: a
    /// text, or any JSON for a model that does not read text.
    #[serde(default = "default_probe")]
    pub probe: Value,
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

fn default_probe() -> Value {
    Value::String("This is a probe.".into())
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
        match self {
            Self::Sentiment { .. } => Ok(()),
            Self::Http(http) => http.check(),
        }
    }
}

impl HttpSpec {
    fn check(&self) -> Result<(), InvalidRuntime> {
        let fail = |pointer, problem| Err(InvalidRuntime { pointer, problem });
        let rest = self.url.strip_prefix("http://");
        let Some(rest) = rest.or_else(|| self.url.strip_prefix("https://")) else {
            return fail("/url", "must begin with http:// or https://");
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() {
            return fail("/url", "must name a host");
        }
        if authority.contains('@') {
            return fail(
                "/url",
                "must not hold a user or password: it is stored and shown",
            );
        }
        if self.url.len() > 2000 || self.url.chars().any(|c| c.is_control() || c == ' ') {
            return fail("/url", "must be at most 2,000 characters, without spaces");
        }
        let pointers = [
            ("/input_pointer", self.input_pointer.as_deref()),
            (
                "/prediction_pointer",
                Some(self.prediction_pointer.as_str()),
            ),
            ("/confidence_pointer", self.confidence_pointer.as_deref()),
            ("/error_pointer", self.error_pointer.as_deref()),
        ];
        for (name, pointer) in pointers {
            let pointer = pointer.unwrap_or_default();
            if !(pointer.is_empty() || pointer.starts_with('/')) || pointer.len() > 200 {
                return fail(name, "must be a JSON pointer: empty or beginning with '/'");
            }
        }
        if !(1..=60_000).contains(&self.connect_timeout_ms) {
            return fail("/connect_timeout_ms", "must be from 1 to 60000");
        }
        if !(1..=300_000).contains(&self.timeout_ms) {
            return fail("/timeout_ms", "must be from 1 to 300000");
        }
        if !(1..=64 << 20).contains(&self.max_reply_bytes) {
            return fail("/max_reply_bytes", "must be from 1 to 67108864");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        check(r#"{"type":"http","url":"ftp://x"}"#, Some("/url"));
        check(r#"{"type":"http","url":"http://"}"#, Some("/url"));
        check(
            r#"{"type":"http","url":"http://me:secret@x/"}"#,
            Some("/url"),
        );
        check(
            r#"{"type":"http","url":"http://x","timeout_ms":0}"#,
            Some("/timeout_ms"),
        );
        check(
            r#"{"type":"http","url":"http://x","prediction_pointer":"a"}"#,
            Some("/prediction_pointer"),
        );
    }
}
