//! Signed decisions: what was chosen for somebody, to be given back when it is told what came of it.
//!
//! A token is `postcard` of what was chosen and its HMAC-SHA256, in URL-safe base64. The key is in the data directory, so
//! tokens outlive a restart.

use crate::secret_file;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;
use types::{ExperimentKey, ModelName, Reason, Timestamp, UnitId, VersionKey};

/// The name of the file that holds the key.
const FILE: &str = "decisions.key";
const TAG_BYTES: usize = 32;
/// The longest token that is looked at, in characters: more than any that was given.
const MAX_TOKEN: usize = 4096;
/// The times of tokens are rounded down to this, so that a unit's token stays the same for a while, in seconds.
const ISSUED_EVERY: i64 = 3600;

/// What was chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decision {
    pub(crate) name: ModelName,
    pub(crate) version: VersionKey,
    pub(crate) experiment: Option<ExperimentKey>,
    pub(crate) epoch: i64,
    pub(crate) propensity: f64,
    pub(crate) reason: Reason,
    /// Who it was chosen for; a decision for nobody is a unit of its own.
    pub(crate) unit: UnitId,
    /// When, rounded down, in seconds.
    pub(crate) issued: i64,
}

/// Its form within a token. Another form needs another number in front.
#[derive(Serialize, Deserialize)]
struct Signed<'a> {
    form: u8,
    name: &'a str,
    version: i64,
    experiment: Option<i64>,
    epoch: i64,
    propensity: f64,
    reason: &'a str,
    unit: &'a str,
    issued: i64,
}

const FORM: u8 = 1;

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadToken {
    #[error("is not a token that this server has issued")]
    Unknown,
    #[error("has expired; ask `POST /decide` again")]
    Expired,
}

/// Makes and reads tokens.
pub(crate) struct Tokens {
    key: hmac::Key,
    /// How long a token is taken, in seconds.
    lasts: i64,
}

impl Tokens {
    /// Reads the key of a data directory, which is made where there is none.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub(crate) fn open(directory: &Path, lasts: Duration) -> std::io::Result<Self> {
        let without = "tokens that were given are refused";
        Ok(Self {
            key: secret_file::key(directory, FILE, without)?,
            lasts: i64::try_from(lasts.as_secs()).unwrap_or(i64::MAX),
        })
    }

    /// When a decision that is made now counts as made.
    pub(crate) fn issued(now: Timestamp) -> i64 {
        now.seconds().div_euclid(ISSUED_EVERY) * ISSUED_EVERY
    }

    /// When a decision expires, in seconds.
    pub(crate) fn expires(&self, decision: &Decision) -> i64 {
        // It lasts at least as long as is said.
        let issued = decision.issued.saturating_add(ISSUED_EVERY);
        issued.saturating_add(self.lasts)
    }

    pub(crate) fn sign(&self, decision: &Decision) -> String {
        let signed = Signed {
            form: FORM,
            name: decision.name.as_str(),
            version: decision.version.0,
            experiment: decision.experiment.map(|key| key.0),
            epoch: decision.epoch,
            propensity: decision.propensity,
            reason: decision.reason.as_str(),
            unit: decision.unit.as_str(),
            issued: decision.issued,
        };
        let mut bytes = postcard::to_allocvec(&signed).expect("texts and numbers have a form");
        let tag = hmac::sign(&self.key, &bytes);
        bytes.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a token says.
    ///
    /// # Errors
    /// When it was not given by this server, or has expired.
    pub(crate) fn read(&self, token: &str, now: Timestamp) -> Result<Decision, BadToken> {
        if token.len() > MAX_TOKEN {
            return Err(BadToken::Unknown);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token);
        let bytes = bytes.map_err(|_| BadToken::Unknown)?;
        let at = bytes.len().checked_sub(TAG_BYTES);
        let (bytes, tag) = bytes.split_at(at.ok_or(BadToken::Unknown)?);
        hmac::verify(&self.key, bytes, tag).map_err(|_| BadToken::Unknown)?;
        let decision = decision(bytes).ok_or(BadToken::Unknown)?;
        if now.seconds() >= self.expires(&decision) {
            return Err(BadToken::Expired);
        }
        Ok(decision)
    }
}

fn decision(bytes: &[u8]) -> Option<Decision> {
    let signed: Signed<'_> = postcard::from_bytes(bytes).ok()?;
    let decision = Decision {
        name: ModelName::parse(signed.name).ok()?,
        version: VersionKey(signed.version),
        experiment: signed.experiment.map(ExperimentKey),
        epoch: signed.epoch,
        propensity: signed.propensity,
        reason: signed.reason.parse().ok()?,
        unit: UnitId::parse(signed.unit).ok()?,
        issued: signed.issued,
    };
    (signed.form == FORM).then_some(decision)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision() -> Decision {
        Decision {
            name: ModelName::parse("sentiment").unwrap(),
            version: VersionKey(3),
            experiment: Some(ExperimentKey(2)),
            epoch: 7,
            propensity: 0.25,
            reason: Reason::Experiment,
            unit: UnitId::parse("user-1").unwrap(),
            issued: 7_200,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_token_says_what_was_chosen_until_it_expires_also_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Tokens::open(directory.path(), Duration::from_secs(86_400)).unwrap();
        let token = open().sign(&decision());
        assert_eq!(open().read(&token, at(7_200)), Ok(decision()));
        let last = 7_200 + 3_600 + 86_400;
        assert_eq!(open().read(&token, at(last - 1)), Ok(decision()));
        assert_eq!(open().read(&token, at(last)), Err(BadToken::Expired));
        // Another server knows nothing of it.
        let other = tempfile::tempdir().unwrap();
        let other = Tokens::open(other.path(), Duration::from_secs(86_400)).unwrap();
        assert_eq!(other.read(&token, at(7_200)), Err(BadToken::Unknown));
    }

    #[test]
    fn a_token_that_was_changed_anywhere_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(directory.path(), Duration::from_secs(1)).unwrap();
        let token = tokens.sign(&decision());
        for at_byte in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at_byte] = if changed[at_byte] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(
                tokens.read(&changed, at(7_200)),
                Err(BadToken::Unknown),
                "{at_byte}"
            );
        }
        for text in [
            "",
            "x",
            &token[1..],
            &token[..token.len() - 2],
            &"A".repeat(5_000),
        ] {
            assert_eq!(tokens.read(text, at(7_200)), Err(BadToken::Unknown));
        }
    }

    #[test]
    fn a_broken_key_stops_the_start_and_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE), b"short").unwrap();
        let error = Tokens::open(directory.path(), Duration::from_secs(1));
        assert!(error.is_err_and(|error| error.to_string().contains("decisions.key")));
    }
}
