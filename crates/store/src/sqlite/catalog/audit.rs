//! The audit: what every change has left behind.

use super::{experiments, first_readable};
use crate::VerifyReport;
use crate::chain::{AuditRow, BEGINNING, Chain, to_hex};
use crate::sqlite::hash::Columns;
use crate::sqlite::row::ByName;
use crate::{AuditEntry, AuditFilter, StoreError};
use rusqlite::{Connection, Row, Transaction, params};
use serde_json::Value;
use types::ModelName;

pub(in crate::sqlite) fn list(
    connection: &mut Connection,
    filter: &AuditFilter,
) -> Result<Vec<AuditEntry>, StoreError> {
    let sql = "id < ?3 ORDER BY id DESC";
    entries(connection, sql, filter, filter.before.unwrap_or(i64::MAX))
}

pub(in crate::sqlite) fn after(
    connection: &mut Connection,
    filter: &AuditFilter,
    after: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    entries(connection, "id > ?3 ORDER BY id", filter, after)
}

pub(in crate::sqlite) fn changed_models(
    connection: &mut Connection,
    after: i64,
) -> Result<(i64, Vec<ModelName>), StoreError> {
    let transaction = connection.transaction()?;
    let sql = "SELECT COALESCE(MAX(id), 0) FROM audit";
    let newest = transaction.query_row(sql, [], |row| row.get(0))?;
    let mut select = transaction.prepare_cached("SELECT DISTINCT name FROM audit WHERE id > ?1")?;
    let names = select.query_map([after], |row| row.get::<_, String>("name"))?;
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let known = names.iter().filter_map(|name| ModelName::parse(name).ok());
    Ok((newest, known.collect()))
}

/// `rest` places ?3 among the ids and says the order.
fn entries(
    connection: &Connection,
    rest: &str,
    filter: &AuditFilter,
    bound: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    let key = match filter.experiment_id {
        None => None,
        Some(id) => match experiments::find(connection, id)? {
            None => return Ok(Vec::new()),
            Some(experiment) => Some(experiment.key.0),
        },
    };
    let by_experiment = if key.is_some() {
        "experiment_key = ?2"
    } else {
        "?2 IS NULL"
    };
    let of_experiments = if filter.experiments_only {
        "experiment_key IS NOT NULL AND"
    } else {
        ""
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT id, at, action, name, version, revision, detail, author, chain FROM audit \
         WHERE (?1 IS NULL OR name = ?1) AND {by_experiment} AND {of_experiments} {rest}"
    ))?;
    let name = filter.name.as_ref().map(ModelName::as_str);
    let rows = select.query_map(params![name, key, bound], |row| {
        Ok(AuditEntry {
            id: row.get("id")?,
            at: row.time("at")?,
            action: row.parsed("action", str::parse)?,
            name: row.get("name")?,
            version: row.get("version")?,
            revision: row.get("revision")?,
            detail: row.json("detail").unwrap_or(Value::Null),
            author: row.json_option("author").unwrap_or_default(),
            chain: row
                .get::<_, Option<Chain>>("chain")?
                .map(|chain| to_hex(&chain)),
        })
    })?;
    first_readable(rows, filter.limit as usize)
}

impl AuditRow<'_> {
    /// Writes it behind all others.
    pub(super) fn insert(&self, t: &Transaction<'_>) -> rusqlite::Result<()> {
        let chain = self.after(&end_of_chain(t)?);
        t.execute(
            "INSERT INTO audit (at, action, name, version, revision, detail, experiment_key, change, row_hash, \
             author, chain) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                self.at,
                self.action,
                self.name,
                self.version,
                self.revision,
                self.detail,
                self.experiment_key,
                self.change,
                self.hash(),
                self.author,
                chain,
            ],
        )?;
        Ok(())
    }

    fn hash(&self) -> i64 {
        let mut columns = Columns::new();
        columns
            .number(self.at)
            .text(self.action)
            .text(self.name)
            .optional_text(self.version)
            .number(self.revision)
            .text(self.detail)
            .optional_number(self.experiment_key)
            .number(self.change.unwrap_or_default());
        columns.hash() as i64
    }

    /// Does something with an entry where it stands.
    fn read<T>(row: &Row<'_>, with: impl FnOnce(AuditRow<'_>) -> T) -> rusqlite::Result<T> {
        Ok(with(AuditRow {
            at: row.get("at")?,
            action: row.get_ref("action")?.as_str()?,
            name: row.get_ref("name")?.as_str()?,
            version: row.get_ref("version")?.as_str_or_null()?,
            revision: row.get("revision")?,
            detail: row.get_ref("detail")?.as_str()?,
            experiment_key: row.get("experiment_key")?,
            change: row.get("change")?,
            author: row.get_ref("author")?.as_str_or_null()?,
        }))
    }
}

const SELECT: &str = "SELECT id, at, action, name, version, revision, detail, experiment_key, change, author, chain, \
     row_hash FROM audit";

/// The chain so far. Entries of releases that made none are in it all the same: it is counted from the first one.
fn end_of_chain(connection: &Connection) -> rusqlite::Result<Chain> {
    let sql = "SELECT chain FROM audit ORDER BY id DESC LIMIT 1";
    let mut newest = connection.prepare_cached(sql)?;
    let newest = newest.query_row([], |row| row.get::<_, Option<Chain>>(0));
    match newest {
        Ok(Some(chain)) => Ok(chain),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(BEGINNING),
        Err(error) => Err(error),
        Ok(None) => {
            let mut select = connection.prepare(&format!("{SELECT} ORDER BY id"))?;
            let mut rows = select.query([])?;
            let mut chain = BEGINNING;
            while let Some(row) = rows.next()? {
                chain = AuditRow::read(row, |stored| stored.after(&chain))?;
            }
            Ok(chain)
        }
    }
}

/// Whether some entry was the end of the chain with this hash.
pub(in crate::sqlite) fn has_chain(
    connection: &Connection,
    known: &str,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM audit WHERE lower(hex(chain)) = lower(?1))";
    Ok(connection.query_row(sql, [known], |row| row.get(0))?)
}

/// Entries of the audit that are not what was written, and places where the chain breaks. Those of releases that made no
/// hashes are in the chain of the first one after them.
pub(in crate::sqlite) fn changed_rows(
    connection: &Connection,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let mut select = connection.prepare(&format!("{SELECT} ORDER BY id"))?;
    let mut rows = select.query([])?;
    let (mut chain, mut begun) = (BEGINNING, false);
    while let Some(row) = rows.next()? {
        let id: i64 = row.get("id")?;
        let found = AuditRow::read(row, |stored| (stored.hash(), stored.after(&chain))).ok();
        let written: Option<i64> = row.get("row_hash")?;
        if written.is_some() && found.map(|(hash, _)| hash) != written {
            report.changed(format_args!("entry {id} of the audit"));
        }
        let chained: Option<Chain> = row.get("chain").unwrap_or(Some(BEGINNING));
        begun |= chained.is_some();
        if begun && chained != found.map(|(_, chain)| chain) {
            let what = format!(
                "the chain of the audit breaks at entry {id}: it, or what stood before it, was changed, put in or taken out"
            );
            report.problem(what);
        }
        // Behind a break it is looked at anew.
        chain = chained
            .or(found.map(|(_, chain)| chain))
            .unwrap_or(BEGINNING);
        report.audit_entries += 1;
    }
    report.audit_chain = to_hex(&chain);
    Ok(())
}
