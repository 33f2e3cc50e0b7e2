//! What became of a request with feedback whose caller did not wait for the answer.

use crate::{FeedbackRefusal, FeedbackResult, Part};
use serde::{Deserialize, Serialize};
use types::FeedbackStatus;

/// What stands in place of a value that may belong to somebody of whom all is erased.
const NOT_TOLD: &str = "(erased)";
/// The refusals that a receipt keeps at most.
const MAX_REFUSED: usize = 100;

/// The receipt of a request. Its form is stored, so fields are added at the end only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestReceipt {
    /// How many parts the request was cut into.
    pub parts: u32,
    /// How many of them have been counted.
    pub done: u32,
    /// Values that were stored and counted.
    pub recorded: u64,
    /// Values that were there already.
    pub duplicate: u64,
    /// Values that took the place of others.
    pub replaced: u64,
    /// Values whose prediction has not been seen.
    pub unmatched: u64,
    /// Values of deleted versions.
    pub dropped: u64,
    /// Values that could not be stored for a reason within the store, kept apart.
    pub set_aside: u64,
    /// Values that were refused.
    pub refused: u64,
    /// The first hundred of these.
    pub refusals: Vec<Refused>,
}

/// A value that was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// The line it came in, from 1.
    pub line: u64,
    /// Why it was refused.
    pub refusal: FeedbackRefusal,
}

/// What is kept of a request after one more of its parts.
pub(crate) enum Kept {
    /// What was kept before.
    AsBefore,
    /// Nothing any more: its caller was told, and nothing was refused.
    Nothing,
    /// This.
    This(RequestReceipt),
}

impl RequestReceipt {
    /// Whether somebody may ask for it later than its only part: where nobody waits, or something was refused.
    pub(crate) fn is_needed(part: &Part, awaited: bool) -> bool {
        let refused = part.results.iter().any(|(_, result)| result.is_err());
        part.parts > 1 || !awaited || refused
    }

    /// What is kept after a part: of a request in several parts until the last one is there, and then only where nobody
    /// waits or something was refused.
    pub(crate) fn after(known: Option<Self>, part: &Part, last: bool, awaited: bool) -> Kept {
        if !Self::is_needed(part, awaited) {
            return Kept::AsBefore;
        }
        let mut receipt = known.unwrap_or_default();
        receipt.add(part.parts, &part.results);
        if last && awaited && receipt.refused == 0 {
            return Kept::Nothing;
        }
        Kept::This(receipt)
    }

    /// Forgets the values that stood in the way of those that were refused; says whether there were some.
    pub(crate) fn blank(&mut self) -> bool {
        let mut changed = false;
        for refused in &mut self.refusals {
            if let FeedbackRefusal::Conflict { stored } = &mut refused.refusal
                && stored != NOT_TOLD
            {
                NOT_TOLD.clone_into(stored);
                changed = true;
            }
        }
        changed
    }

    /// Of a request of which nothing has been counted.
    pub fn pending() -> Self {
        Self {
            parts: 1,
            ..Self::default()
        }
    }

    /// Whether all of the request has been counted.
    pub fn is_complete(&self) -> bool {
        self.done >= self.parts
    }

    /// Adds what became of a part.
    pub(crate) fn add(&mut self, parts: u32, results: &[(u64, FeedbackResult)]) {
        self.parts = parts;
        self.done += 1;
        for (line, result) in results {
            match result {
                Ok(receipt) => match receipt.status {
                    FeedbackStatus::Recorded => self.recorded += 1,
                    FeedbackStatus::Duplicate => self.duplicate += 1,
                    FeedbackStatus::Replaced => self.replaced += 1,
                    FeedbackStatus::Unmatched => self.unmatched += 1,
                    FeedbackStatus::Dropped => self.dropped += 1,
                },
                Err(refusal) => {
                    self.refused += 1;
                    if self.refusals.len() < MAX_REFUSED {
                        self.refusals.push(Refused {
                            line: *line,
                            refusal: refusal.clone(),
                        });
                    }
                }
            }
        }
    }
}
