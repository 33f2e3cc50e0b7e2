//! Secrets that requests carry: read where they are, never stored, shown or logged.

use crate::RuntimeError;
use reqwest::header::HeaderValue;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use types::SecretRef;

/// A file is read again after this: whoever turns a key over writes a new one into it.
const READ_EVERY: Duration = Duration::from_secs(10);
/// The longest secret, in bytes.
const MOST: usize = 16 << 10;

/// A secret, with what stands before it in its header.
pub(crate) struct Secret {
    before: &'static str,
    from: From,
    known: Mutex<Option<(Instant, HeaderValue)>>,
}

enum From {
    Env(String),
    File(PathBuf),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Of a version; files are in `directory`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn new(
        of: &SecretRef,
        directory: Option<&PathBuf>,
        before: &'static str,
    ) -> Result<Self, RuntimeError> {
        let from = match of {
            SecretRef::Env(name) => From::Env(name.clone()),
            SecretRef::File(name) => {
                let directory = directory.ok_or_else(|| {
                    let why = "names a secret in a file, and the server has no --secrets-dir";
                    RuntimeError::not_loaded(format!("the version {why}"))
                })?;
                From::File(directory.join(name))
            }
        };
        let secret = Self {
            before,
            from,
            known: Mutex::default(),
        };
        secret.value().map(|_| secret)
    }

    /// The header's value.
    pub(crate) fn value(&self) -> Result<HeaderValue, RuntimeError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read, value)) = &*known
            && (matches!(self.from, From::Env(_)) || read.elapsed() < READ_EVERY)
        {
            return Ok(value.clone());
        }
        let value = match (self.read(), known.take()) {
            (Ok(value), _) => value,
            // A file that is being written anew is empty for a moment: what it said stays.
            (Err(_), Some((_, value))) => value,
            (Err(error), None) => return Err(error),
        };
        *known = Some((Instant::now(), value.clone()));
        Ok(value)
    }

    /// The secret as it was sent last, to be taken out of what a service says.
    pub(crate) fn known(&self) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, value) = known.as_ref()?;
        let text = value.to_str().ok()?;
        Some(text.strip_prefix(self.before)?.to_owned())
    }

    fn read(&self) -> Result<HeaderValue, RuntimeError> {
        let (what, text) = match &self.from {
            From::Env(name) => {
                let value = std::env::var(name).map_err(|_| "is not set".to_owned());
                (format!("the environment variable {name}"), value)
            }
            From::File(path) => {
                // Its place is the operator's business; its name says which one is meant.
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let text = std::fs::read_to_string(path).map_err(|error| error.kind().to_string());
                (format!("the secret {name} in --secrets-dir"), text)
            }
        };
        let unusable =
            |why: &str| RuntimeError::not_loaded(format!("{what} cannot be used: {why}"));
        let text = text.map_err(|why| unusable(&why))?;
        let text = text.trim();
        if text.is_empty() || text.len() > MOST {
            return Err(unusable("it must have 1 to 16,384 bytes"));
        }
        let value = HeaderValue::from_str(&format!("{}{text}", self.before));
        let mut value = value.map_err(|_| unusable("it must be one line of visible ASCII"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}
