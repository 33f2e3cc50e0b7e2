//! The chain of the audit: each entry has a hash of itself and of the chain before it, so that nothing in the middle can
//! be changed, left out or put in without all later hashes being others.
//!
//! `chain(n) = SHA-256(chain(n - 1) ‖ columns of n)`, and 32 zero bytes before the first. Texts and what may be missing
//! carry their lengths, so that no two entries are the same bytes.

use sha2::{Digest, Sha256};

/// The hash of an entry and of all before it.
pub(crate) type Chain = [u8; 32];

/// What stands before the first entry.
pub(crate) const BEGINNING: Chain = [0; 32];

/// An entry of the audit as its row has it.
pub(crate) struct AuditRow<'a> {
    pub(crate) at: i64,
    pub(crate) action: &'a str,
    pub(crate) name: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) revision: i64,
    pub(crate) detail: &'a str,
    pub(crate) experiment_key: Option<i64>,
    pub(crate) change: Option<i64>,
    pub(crate) author: Option<&'a str>,
}

impl AuditRow<'_> {
    /// The chain with this entry at its end.
    pub(crate) fn after(&self, before: &Chain) -> Chain {
        let mut hash = Sha256::new();
        hash.update(before);
        let mut number = |number: i64| hash.update(number.to_le_bytes());
        number(self.at);
        number(self.revision);
        for optional in [self.experiment_key, self.change] {
            number(i64::from(optional.is_some()));
            number(optional.unwrap_or_default());
        }
        let texts = [
            Some(self.action),
            Some(self.name),
            self.version,
            Some(self.detail),
            self.author,
        ];
        for text in texts {
            let length = text.map_or(-1, |text| text.len() as i64);
            hash.update(length.to_le_bytes());
            hash.update(text.unwrap_or_default());
        }
        hash.finalize().into()
    }
}

/// In hexadecimal digits, as people see it.
pub(crate) fn to_hex(chain: &Chain) -> String {
    chain.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_and_every_entry_before_is_in_the_chain() {
        let row = || AuditRow {
            at: 1,
            action: "a",
            name: "m",
            version: Some("1"),
            revision: 2,
            detail: "{}",
            experiment_key: None,
            change: Some(0),
            author: None,
        };
        let chain = row().after(&BEGINNING);
        let others = [
            AuditRow { at: 2, ..row() },
            AuditRow {
                action: "am",
                name: "",
                ..row()
            },
            AuditRow {
                version: None,
                ..row()
            },
            AuditRow {
                version: Some(""),
                ..row()
            },
            AuditRow {
                revision: 3,
                ..row()
            },
            AuditRow {
                detail: "",
                author: Some("{}"),
                ..row()
            },
            AuditRow {
                experiment_key: Some(0),
                change: None,
                ..row()
            },
            AuditRow {
                change: None,
                ..row()
            },
            AuditRow {
                author: Some(""),
                ..row()
            },
        ];
        for (place, other) in others.iter().enumerate() {
            assert_ne!(other.after(&BEGINNING), chain, "{place}");
        }
        assert_ne!(row().after(&chain), chain);
        assert_eq!(to_hex(&BEGINNING), "0".repeat(64));
    }
}
