//! Receipts of requests with feedback whose callers did not wait, or were refused something: a row per
//! request, for a week.

use crate::entry::FeedbackEntry;
use crate::receipt::Kept;
use crate::{Part, RequestReceipt, StoreError};
use rusqlite::{Connection, OptionalExtension, params};
use types::{ReceiptId, Timestamp};

/// How long receipts are kept, in microseconds.
const KEPT: i64 = 7 * 86_400 * 1_000_000;
/// How many are kept at most; the oldest go first.
const KEPT_MOST: i64 = 100_000;
/// After so many new ones it is looked whether old ones must go.
const SWEEP_AFTER: u32 = 1000;

/// What the writer remembers of receipts.
#[derive(Default)]
pub(super) struct Receipts {
    since_sweep: u32,
}

impl Receipts {
    /// Keeps what became of a part, where its caller may ask for it later.
    pub(super) fn keep(
        &mut self,
        connection: &Connection,
        part: &Part,
        last: bool,
        awaited: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if !RequestReceipt::is_needed(part, awaited) {
            return Ok(());
        }
        // One part alone has a row only where it was set aside before.
        let known = load(connection, part.receipt)?;
        let receipt = match RequestReceipt::after(known, part, last, awaited) {
            Kept::AsBefore => return Ok(()),
            Kept::Nothing => {
                let sql = "DELETE FROM receipts WHERE receipt = ?1";
                let mut delete = connection.prepare_cached(sql)?;
                delete.execute([part.receipt.to_bytes()])?;
                return Ok(());
            }
            Kept::This(receipt) => receipt,
        };
        write(connection, part.receipt, &receipt, last && awaited)?;
        self.since_sweep += 1;
        if self.since_sweep >= SWEEP_AFTER {
            self.since_sweep = 0;
            sweep(connection, now)?;
        }
        Ok(())
    }

    /// Says that a part was set aside.
    pub(super) fn keep_set_aside(
        &mut self,
        connection: &Connection,
        request: &FeedbackEntry,
    ) -> Result<(), StoreError> {
        let mut receipt = load(connection, request.receipt)?.unwrap_or_default();
        receipt.add(request.parts, &[]);
        receipt.set_aside += request.values.len() as u64;
        write(connection, request.receipt, &receipt, false)
    }

    /// A part that was set aside is tried again.
    pub(super) fn take_back_set_aside(
        &mut self,
        connection: &Connection,
        request: &FeedbackEntry,
    ) -> Result<(), StoreError> {
        let Some(mut receipt) = load(connection, request.receipt)? else {
            return Ok(());
        };
        receipt.done = receipt.done.saturating_sub(1);
        receipt.set_aside = receipt
            .set_aside
            .saturating_sub(request.values.len() as u64);
        write(connection, request.receipt, &receipt, false)
    }

    /// Forgets all, because the database has moved without it.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

fn write(
    connection: &Connection,
    id: ReceiptId,
    receipt: &RequestReceipt,
    awaited: bool,
) -> Result<(), StoreError> {
    let outcome = postcard::to_allocvec(receipt)
        .map_err(|error| StoreError::Corrupt(format!("a receipt: {error}")))?;
    let mut upsert =
        connection.prepare_cached("INSERT OR REPLACE INTO receipts VALUES (?1, ?2, ?3)")?;
    upsert.execute(params![id.to_bytes(), outcome, awaited])?;
    Ok(())
}

pub(super) fn load(
    connection: &Connection,
    id: ReceiptId,
) -> Result<Option<RequestReceipt>, StoreError> {
    let mut select =
        connection.prepare_cached("SELECT outcome FROM receipts WHERE receipt = ?1")?;
    let found: Option<Vec<u8>> = select
        .query_row([id.to_bytes()], |row| row.get(0))
        .optional()?;
    let corrupt = |error| StoreError::Corrupt(format!("the receipt {id}: {error}"));
    found
        .map(|bytes| postcard::from_bytes(&bytes).map_err(corrupt))
        .transpose()
}

fn sweep(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let before = Timestamp::from_micros(now.micros() - KEPT);
    let sql = "DELETE FROM receipts WHERE receipt < ?1";
    connection.execute(sql, [ReceiptId::new(before, 0).to_bytes()])?;
    // Those whose callers know go first.
    connection.execute(
        "DELETE FROM receipts WHERE receipt IN (SELECT receipt FROM receipts \
         ORDER BY awaited DESC, receipt LIMIT max(0, (SELECT count(*) FROM receipts) - ?1))",
        [KEPT_MOST],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_receipts_go_after_a_week_or_when_there_are_too_many() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("schema.sql"))
            .unwrap();
        let day = |n: i64| Timestamp::from_micros(n * 86_400_000_000);
        for n in 1..=20 {
            let id = ReceiptId::new(day(n), 0);
            write(&connection, id, &RequestReceipt::default(), false).unwrap();
        }
        sweep(&connection, day(20)).unwrap();
        assert_eq!(load(&connection, ReceiptId::new(day(12), 0)).unwrap(), None);
        let kept = load(&connection, ReceiptId::new(day(13), 0)).unwrap();
        assert_eq!(kept, Some(RequestReceipt::default()));
    }
}
