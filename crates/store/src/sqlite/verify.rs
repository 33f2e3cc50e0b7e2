//! Counts everything again from the rows and compares.

mod evidence;

use super::catalog;
use super::feedback;
use super::journal_state::{self, Origin};
use super::predictions::measured;
use super::request_ids;
use super::rewrite;
use super::rollups::{self, Bucket};
use super::row::ByName;
use super::stretches::Stretches;
use super::{DATABASE, ServerId, open_reader, schema, schema_is_known, schema_of};
use crate::{LogState, OpenError, Rollup, StoreError, Tier, request_number};
use ::evidence::Sample;
use rusqlite::{Connection, Row};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use types::{ModelState, PredictionId, Settings, StoredEvent, Timestamp, VersionKey};

/// The most problems that are written out.
const MAX_PROBLEMS: usize = 100;

/// What a recount found.
#[derive(Debug, Default)]
pub struct VerifyReport {
    /// Predictions counted.
    pub predictions: u64,
    /// Roll-ups compared.
    pub rollups: u64,
    /// Sums of evidence compared.
    pub evidence: u64,
    /// Entries of the audit looked at.
    pub audit_entries: u64,
    /// The hash of the newest of them and of all before it, in hexadecimal digits: who keeps it elsewhere can prove later
    /// that nothing of the audit was changed.
    pub audit_chain: String,
    /// Who writes here.
    pub server: ServerId,
    /// The position of its journal that the rows go up to.
    pub position: u64,
    /// What of the journal became no rows.
    pub log: LogState,
    /// Experiments whose evidence cannot be counted again, because retention has removed rows of theirs: their ids, and how many
    /// rows.
    pub not_recountable: Vec<(String, u64)>,
    /// Roll-ups of which retention has removed rows: of these only the rows that are there could be compared.
    pub rollups_in_part: u64,
    /// What does not agree, the first hundred of it; empty when all is well.
    pub problems: Vec<String>,
}

/// Recounts the roll-ups and the evidence of a data directory from its rows, in one snapshot: a server may
/// go on writing meanwhile.
///
/// # Errors
/// When the directory holds no database, one of a newer schema, or one that cannot be read.
pub fn verify(directory: &Path) -> Result<VerifyReport, OpenError> {
    let mut connection = open(directory)?;
    let transaction = connection.transaction()?;
    let server = journal_state::server(&transaction)?;
    let mut recount = Recount {
        connection: &transaction,
        horizon: rollups::minute_horizon(&transaction)?,
        open: HashMap::new(),
        report: VerifyReport {
            server,
            position: journal_state::position(&transaction, &server)?,
            log: journal_state::log_state(&transaction)?,
            ..VerifyReport::default()
        },
    };
    let pages = recount.check_pages();
    recount.ended("the pages", pages)?;
    let catalogue = recount.check_catalogue();
    recount.ended("the catalogue", catalogue)?;
    let rows = recount.count_rows();
    recount.ended("the predictions", rows)?;
    let leftovers = recount.check_leftovers();
    recount.ended("the roll-ups", leftovers)?;
    let hashes = recount.check_row_hashes();
    recount.ended("the rows", hashes)?;
    let evidence = evidence::check(&transaction, &mut recount.report);
    recount.ended("the evidence", evidence)?;
    Ok(recount.report)
}

/// The same of the audit alone: its entries, and the chain that they make. `known` is a hash of the chain that somebody has kept:
/// the entry that it was the end of must be there.
///
/// # Errors
/// As [`verify`].
pub fn verify_audit(directory: &Path, known: Option<&str>) -> Result<VerifyReport, OpenError> {
    let mut connection = open(directory)?;
    let transaction = connection.transaction()?;
    let mut report = VerifyReport::default();
    catalog::changed_rows(&transaction, &mut report)?;
    if let Some(known) = known
        && !catalog::has_chain(&transaction, known)?
    {
        let what = format!(
            "the chain of the audit has no {known}: what it was the end of is gone, or was changed"
        );
        report.problem(what);
    }
    Ok(report)
}

/// A model as it is kept, and what is told of it.
#[derive(Debug)]
pub struct StoredModel {
    /// Its name as it is stored.
    pub name: String,
    /// Its state, or why it cannot be read.
    pub state: Result<ModelState, StoreError>,
    /// Its events, oldest first.
    pub events: Result<Vec<StoredEvent>, StoreError>,
}

/// The models of a data directory with their events, at one moment, so that somebody can compare both.
///
/// # Errors
/// As [`verify`].
pub fn stored_models(directory: &Path) -> Result<Vec<StoredModel>, OpenError> {
    let mut connection = open(directory)?;
    let transaction = connection.transaction()?;
    let gone = || StoreError::Corrupt("its row is gone".into());
    let each = catalog::names(&transaction)?.into_iter();
    let stored = each.map(|(text, name)| {
        let (state, events) = match name {
            Ok(name) => (
                catalog::model(&transaction, &name).and_then(|found| found.ok_or_else(gone)),
                catalog::events_of(&transaction, &name),
            ),
            Err(error) => (Err(error.clone()), Err(error)),
        };
        StoredModel {
            name: text,
            state,
            events,
        }
    });
    Ok(stored.collect())
}

/// The settings of a server as they are kept, and what is told of them.
#[derive(Debug)]
pub struct StoredSettings {
    /// The settings.
    pub settings: Result<Settings, StoreError>,
    /// Their events, oldest first.
    pub events: Result<Vec<StoredEvent>, StoreError>,
}

/// The settings of a data directory with their events, at one moment.
///
/// # Errors
/// As [`verify`].
pub fn stored_settings(directory: &Path) -> Result<StoredSettings, OpenError> {
    let mut connection = open(directory)?;
    let transaction = connection.transaction()?;
    Ok(StoredSettings {
        settings: catalog::settings::settings(&transaction),
        events: catalog::settings::events(&transaction),
    })
}

/// Opens the database of a directory for reading, where it is of the present schema.
pub(super) fn open(directory: &Path) -> Result<Connection, OpenError> {
    let path = directory.join(DATABASE);
    if !path.exists() {
        return Err(OpenError::Directory {
            path: directory.to_owned(),
            reason: format!("it holds no {DATABASE}"),
        });
    }
    let connection = open_reader(&path)?;
    let found = schema_of(&connection)?;
    schema_is_known(found)?;
    if found < schema() {
        return Err(OpenError::Older {
            found,
            known: schema(),
        });
    }
    Ok(connection)
}

struct Recount<'a> {
    connection: &'a Connection,
    horizon: i64,
    /// Buckets that rows may still fall into: rows come in the order of time.
    open: HashMap<Bucket, Rollup>,
    report: VerifyReport,
}

/// What a row adds to roll-ups, whether it was answered rightly, its epoch and its place in a journal.
fn read(row: &Row<'_>) -> Result<(Sample, Option<f64>, i64, Option<Origin>), StoreError> {
    let measured = measured(row)?;
    let stored = rewrite::stored(row)?;
    let sample = Sample::new(measured).hashed(stored.hash());
    Ok((sample, row.get("value")?, stored.epoch, stored.origin))
}

impl VerifyReport {
    /// Names a row that is not what was written.
    pub(super) fn changed(&mut self, what: fmt::Arguments<'_>) {
        self.problem(format!("{what} is not what was written"));
    }

    pub(super) fn problem(&mut self, text: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(text);
        }
    }
}

impl Recount<'_> {
    fn problem(&mut self, text: String) {
        self.report.problem(text);
    }

    /// One part that finds what it cannot read is a problem, and keeps no other from being looked at.
    fn ended(&mut self, part: &str, result: Result<(), StoreError>) -> Result<(), StoreError> {
        match result {
            Err(StoreError::Corrupt(why)) => {
                self.problem(format!("{part} could not be looked at to the end: {why}"));
                Ok(())
            }
            other => other,
        }
    }

    fn check_pages(&mut self) -> Result<(), StoreError> {
        let mut check = self.connection.prepare("PRAGMA quick_check")?;
        let lines = check.query_map([], |row| row.get::<_, String>(0))?;
        for line in lines {
            let line = line?;
            if line != "ok" {
                self.problem(format!("database file: {line}"));
            }
        }
        Ok(())
    }

    /// Rows of the catalogue that a server passes over, because it cannot read them.
    fn check_catalogue(&mut self) -> Result<(), StoreError> {
        for (what, unreadable) in catalog::unreadable(self.connection)? {
            self.problem(format!("{what} cannot be read: {unreadable}"));
        }
        Ok(())
    }

    fn count_rows(&mut self) -> Result<(), StoreError> {
        let stretches = Stretches::read(self.connection)?;
        let requests_until = request_ids::until(self.connection)?;
        // Buckets close in the order of time.
        let mut select = self.connection.prepare(&format!(
            "SELECT {}, v.version_key IS NULL AS lost, v.deleted_at IS NOT NULL AS deleted, f.value \
             FROM predictions p LEFT JOIN versions v ON v.version_key = p.version_key \
             LEFT JOIN feedback f ON f.prediction_order = p.prediction_order AND f.metric = 'correct' \
             ORDER BY p.prediction_order",
            rewrite::COLUMNS
        ))?;
        let mut rows = select.query([])?;
        let mut minute = i64::MIN;
        while let Some(row) = rows.next()? {
            let id = PredictionId::new(row.bits("prediction_order")?, 0);
            let Ok(version) = row.get("version_key").map(VersionKey) else {
                self.problem(format!("prediction {id} names no version"));
                continue;
            };
            if row.get("lost")? {
                self.problem(format!("prediction {id} is of no version"));
            }
            // A deleted version is being purged: its roll-ups go first.
            if row.get("deleted")? {
                continue;
            }
            self.report.predictions += 1;
            let time = id.time();
            if Tier::Minute.start_of(time) > minute {
                minute = Tier::Minute.start_of(time);
                self.close_before(time)?;
            }
            let (sample, correct, epoch, origin) = match read(row) {
                Ok(read) => read,
                Err(error) => {
                    self.problem(format!("prediction {id} cannot be read: {error}"));
                    continue;
                }
            };
            let order = id.order() as i64;
            if let Some(request) = row.get_ref("request_id")?.as_str_or_null().ok().flatten()
                && order <= requests_until
                && !request_ids::is_there(self.connection, (request_number(request), order))?
            {
                self.problem(format!(
                    "prediction {id} would not be found by its request_id"
                ));
            }
            if !stretches.hold(origin, id) {
                self.problem(format!(
                    "prediction {id} would not be found from its position: its stretch does not hold it"
                ));
            }
            for tier in Tier::ALL {
                let start = tier.start_of(time);
                if tier == Tier::Minute && start < self.horizon {
                    continue;
                }
                let bucket = Bucket {
                    tier,
                    start,
                    version,
                    epoch,
                };
                let rollup = self.open.entry(bucket).or_default();
                rollup.add(&sample);
                rollup.add_label(correct);
            }
        }
        self.close(|_| true)
    }

    fn close_before(&mut self, time: Timestamp) -> Result<(), StoreError> {
        self.close(|bucket| bucket.start < bucket.tier.start_of(time))
    }

    fn close(&mut self, closes: impl Fn(&Bucket) -> bool) -> Result<(), StoreError> {
        let closed: Vec<_> = self.open.extract_if(|bucket, _| closes(bucket)).collect();
        for (bucket, counted) in closed {
            self.report.rollups += 1;
            let stored = match rollups::load(self.connection, bucket) {
                Ok(stored) => stored,
                Err(error) => {
                    self.problem(format!("{bucket} cannot be read: {error}"));
                    continue;
                }
            };
            let removed = stored.as_ref().map_or(0, |stored| stored.removed);
            self.report.rollups_in_part += u64::from(removed > 0);
            match stored {
                None => self.problem(format!(
                    "{bucket} is not there, though {} predictions are",
                    counted.count
                )),
                Some(stored) if !counted.agrees_with(&stored) => self.problem(format!(
                    "{bucket}: the rows give {} predictions and {} errors, the roll-up {} and {} \
                     (or other sums differ)",
                    counted.count, counted.errors, stored.count, stored.errors
                )),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Rows that are not what was written.
    fn check_row_hashes(&mut self) -> Result<(), StoreError> {
        feedback::changed_rows(self.connection, &mut self.report)?;
        feedback::outcomes::changed_rows(self.connection, &mut self.report)?;
        catalog::changed_rows(self.connection, &mut self.report)?;
        catalog::settings::check_secrets(self.connection, &mut self.report)?;
        super::evidence::minutes::changed_rows(self.connection, &mut self.report)?;
        super::evidence::changed_rows(self.connection, &mut self.report)
    }

    /// Roll-ups of which no row was counted.
    fn check_leftovers(&mut self) -> Result<(), StoreError> {
        // Of some retention has removed all rows: the sums of their hashes are 0 then.
        let sql = "SELECT count(*) FROM (SELECT tier, start, version_key, epoch FROM rollups \
                   GROUP BY tier, start, version_key, epoch \
                   HAVING sum(removed) = 0 OR sum(count) <> sum(removed) OR max(hashed) > 0 OR max(kept_hash) <> 0 \
                   OR min(kept_hash) <> 0 OR max(content_hash) <> 0 OR min(content_hash) <> 0) r \
                   JOIN versions v USING (version_key) WHERE v.deleted_at IS NULL";
        let stored: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        let compared = self.report.rollups as i64;
        if stored != compared {
            self.problem(format!(
                "{stored} roll-ups are stored, the rows give {compared}"
            ));
        }
        Ok(())
    }
}
