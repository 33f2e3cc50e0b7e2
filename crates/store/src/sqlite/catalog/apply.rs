//! Changes as rows. What is written was decided elsewhere; here it is written whole or not at all.

use super::{aliases, experiments, metrics, to_text, versions};
use crate::chain::AuditRow;
use crate::sqlite::{Store, newest_event};
use crate::traits::Applied;
use crate::{Checkpoint, NotApplied, StoreError};
use rusqlite::{Transaction, params};
use types::{Change, ModelName, Timestamp, Write};

pub(in crate::sqlite) async fn apply(
    store: &Store,
    changes: Vec<Change>,
) -> Result<Vec<Applied>, StoreError> {
    let mut writes = changes.iter().flat_map(|change| &change.writes);
    let tidies = writes.any(|write| matches!(write, Write::DeleteVersion(_)));
    let (applied, newest) = store
        .change(move |t| {
            let mut applied = Vec::with_capacity(changes.len());
            for of_model in changes.chunk_by(|one, next| one.name == next.name) {
                let all = alone(t, |t| apply_all(t, of_model))?;
                applied.extend(of_model.iter().map(|_| all.clone()));
            }
            Ok::<_, StoreError>((applied, newest_event(t)?))
        })
        .await?;
    store.inner.directory.say(newest);
    if tidies {
        store.wants_tidying();
    }
    Ok(applied)
}

pub(in crate::sqlite) async fn keep_looks(
    store: &Store,
    looks: Vec<Checkpoint>,
) -> Result<Vec<Applied>, StoreError> {
    store
        .change(move |t| {
            let each = looks.iter().map(|look| alone(t, |t| checkpoint(t, look)));
            each.collect()
        })
        .await
}

/// Does something whole or not at all, in a transaction that goes on with other things.
pub(super) fn alone(
    t: &Transaction<'_>,
    write: impl FnOnce(&Transaction<'_>) -> Result<Applied, StoreError>,
) -> Result<Applied, StoreError> {
    t.execute_batch("SAVEPOINT alone")?;
    let written = write(t);
    match &written {
        Ok(Ok(())) => t.execute_batch("RELEASE alone")?,
        Err(error) if error.may_pass() => return written,
        Ok(Err(_)) | Err(_) => t.execute_batch("ROLLBACK TO alone; RELEASE alone")?,
    }
    Ok(written.unwrap_or_else(|error| Err(NotApplied::Refused(error.to_string()))))
}

fn apply_all(t: &Transaction<'_>, changes: &[Change]) -> Result<Applied, StoreError> {
    for change in changes {
        if let Err(not_applied) = write(t, change)? {
            return Ok(Err(not_applied));
        }
    }
    Ok(Ok(()))
}

fn write(t: &Transaction<'_>, change: &Change) -> Result<Applied, StoreError> {
    let name = change.name.as_str();
    let mut counted = t.execute(
        "UPDATE models SET changes = changes + 1 WHERE name = ?1 AND changes = ?2",
        params![name, change.decided_on],
    )?;
    if counted == 0 && change.decided_on == 0 {
        counted = t.execute(
            "INSERT INTO models (name, salt, revision, epoch, fallback, changes) \
             VALUES (?1, '', 0, 0, 1, 1) ON CONFLICT (name) DO NOTHING",
            [name],
        )?;
    }
    if counted == 0 {
        return Ok(Err(NotApplied::Moved(name.to_owned())));
    }
    for row in &change.writes {
        let written = write_row(t, &change.name, row, change.at)?;
        if written != 1 {
            let what = format!("{written} rows of {name} instead of one for {row:?}");
            return Ok(Err(NotApplied::Refused(what)));
        }
    }
    let event = &change.event;
    let author = event.author.as_ref().map(to_text).transpose()?;
    let row = AuditRow {
        at: change.at.micros(),
        action: event.action.as_str(),
        name,
        version: event.version.as_ref().map(|version| version.as_str()),
        revision: event.revision,
        detail: &event.detail,
        experiment_key: event.experiment_key.map(|key| key.0),
        change: Some(change.decided_on + 1),
        author: author.as_deref(),
    };
    row.insert(t)?;
    Ok(Ok(()))
}

/// Each kind of row is written where it is read.
fn write_row(
    t: &Transaction<'_>,
    name: &ModelName,
    write: &Write,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    match write {
        Write::Model {
            salt,
            revision,
            epoch,
            fallback,
            rules,
            privacy,
            retention,
        } => t.execute(
            "UPDATE models SET salt = ?2, revision = ?3, epoch = ?4, fallback = ?5, rules = ?6, privacy = ?7, retention = ?8 \
             WHERE name = ?1",
            params![
                name.as_str(),
                salt,
                revision,
                epoch,
                fallback,
                super::bound(rules)?,
                super::bound(&**privacy)?,
                super::bound(retention)?,
            ],
        ),
        Write::NewVersion(version) => versions::insert(t, version),
        Write::Weight {
            key,
            status,
            traffic_percent,
            activated_at,
        } => versions::set_weight(t, *key, *status, *traffic_percent, *activated_at),
        Write::Described { key, described } => versions::describe(t, *key, described),
        Write::Artifact { key, artifact } => versions::set_artifact(t, *key, artifact),
        Write::Shadow { key, percent } => versions::set_shadow(t, *key, *percent),
        Write::DeleteVersion(key) => versions::delete(t, *key, at),
        Write::Alias { alias, version } => aliases::set(t, name, alias, *version, at),
        Write::Metric { metric, declared } => {
            metrics::set(t, name, metric, declared.as_deref(), at)
        }
        Write::NewExperiment(experiment) => experiments::insert(t, experiment),
        Write::Experiment(row) => experiments::update(t, row),
        Write::DeleteExperiment(key) => experiments::delete(t, *key),
        Write::Epoch {
            experiment,
            epoch,
            shares,
            scales,
        } => experiments::begin_epoch(t, *experiment, *epoch, (shares, scales), at),
        Write::Look { experiment, look } => experiments::write_look(t, *experiment, look),
        Write::Decided {
            experiment,
            results,
        } => experiments::write_results(t, *experiment, results),
    }
}

fn checkpoint(t: &Transaction<'_>, look: &Checkpoint) -> Result<Applied, StoreError> {
    let progress = look.progress.as_ref().map(to_text).transpose()?;
    let mut update = t.prepare_cached(
        "UPDATE experiments SET progress = ?3, history = ?4, verdict = ?5 \
         WHERE experiment_key = ?1 AND revision = ?2 AND status = 'running'",
    )?;
    let updated = update.execute(params![
        look.key.0,
        look.revision,
        progress,
        look.look.history,
        look.look.verdict.as_str()
    ])?;
    let moved = || NotApplied::Moved("the experiment".into());
    Ok((updated > 0).then_some(()).ok_or_else(moved))
}
