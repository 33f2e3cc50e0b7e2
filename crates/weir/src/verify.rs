//! `weir verify`.

use crate::args::VerifyArgs;
use journal::{Folder, Inspected, inspect};
use std::path::Path;
use std::process::ExitCode;
use store::entry::Entry;
use store::{StoredModel, VerifyReport};

pub(crate) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    // The journal first: what is let go meanwhile is in the database that is read after it.
    let path = args.journal_dir.clone();
    let path = path.unwrap_or_else(|| args.data_dir.join("journal"));
    let journal = Waiting::read(&args.data_dir, &path)?;
    let mut report = crate::backup::verified(&args.data_dir)?;
    let waiting = journal.check(&mut report);
    let models = store::stored_models(&args.data_dir)?;
    report
        .problems
        .extend(models.iter().filter_map(not_replayed));
    report
        .problems
        .extend(settings_not_replayed(&args.data_dir)?);
    let models = models.len();
    let clean = report.problems.is_empty();
    // What retention has removed cannot be counted again.
    let whole = report.not_recountable.is_empty() && report.rollups_in_part == 0;
    if args.json {
        crate::out(format_args!(
            "{}",
            serde_json::json!({
                "clean": clean && whole,
                "agrees": clean,
                "predictions": report.predictions,
                "rollups": report.rollups,
                "evidence": report.evidence,
                "models": models,
                "position": report.position,
                "waiting": waiting,
                "missing": report.log.missing,
                "set_aside": report.log.set_aside,
                "dropped": report.log.dropped,
                "not_recountable": report
                    .not_recountable
                    .iter()
                    .map(|(experiment, rows)| serde_json::json!({"experiment": experiment, "rows_removed": rows}))
                    .collect::<Vec<_>>(),
                "rollups_in_part": report.rollups_in_part,
                "problems": report.problems,
            })
        ));
    } else {
        for problem in &report.problems {
            crate::out(format_args!("{problem}"));
        }
        for (experiment, rows) in &report.not_recountable {
            crate::out(format_args!(
                "not recountable: the evidence of {experiment}, of which retention has removed {rows} predictions"
            ));
        }
        if report.rollups_in_part > 0 {
            crate::out(format_args!(
                "counted in part: {} roll-ups, because retention has removed some of their predictions; what is \
                 left of them was compared",
                report.rollups_in_part
            ));
        }
        let verdict = match (clean, whole) {
            (false, _) => "NOT CLEAN",
            (true, true) => "clean",
            (true, false) => "AGREES IN PART",
        };
        crate::out(format_args!(
            "{verdict}: {} predictions recounted, {} roll-ups and {} sums of evidence compared, {models} models \
             replayed from their events, {} problems; in the journal {waiting} entries wait to be counted, {} are \
             missing, {} set aside, {} belonged to deleted versions",
            report.predictions,
            report.rollups,
            report.evidence,
            report.problems.len(),
            report.log.missing,
            report.log.set_aside,
            report.log.dropped
        ));
    }
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is wrong with settings that are not what their events say; `None` where nothing is.
fn settings_not_replayed(data_dir: &Path) -> anyhow::Result<Option<String>> {
    let stored = store::stored_settings(data_dir)?;
    let (settings, events) = match (stored.settings, stored.events) {
        (Ok(settings), Ok(events)) => (settings, events),
        (Err(error), _) => return Ok(Some(format!("the settings cannot be read: {error}"))),
        (_, Err(error)) => {
            return Ok(Some(format!(
                "the events of the settings cannot be read: {error}"
            )));
        }
    };
    if settings.changes == 0 && events.is_empty() {
        // Their first event is written when a server of this release starts.
        return Ok(None);
    }
    Ok(match catalog::replay_settings(&events) {
        Err((at, error)) => {
            let event = &events[at];
            Some(format!(
                "the event {} of the settings ({}): {error}",
                event.change, event.action
            ))
        }
        Ok(replayed) => {
            (replayed != settings).then(|| "the settings are not what their events say".to_owned())
        }
    })
}

/// What is wrong with a model that is not what its events say; `None` where nothing is.
fn not_replayed(model: &StoredModel) -> Option<String> {
    let name = &model.name;
    let (state, events) = match (&model.state, &model.events) {
        (Ok(state), Ok(events)) => (state, events),
        (Err(error), _) => return Some(format!("the model {name} cannot be read: {error}")),
        (_, Err(error)) => return Some(format!("the events of {name} cannot be read: {error}")),
    };
    let numbers = events.iter().map(|event| event.change);
    if !numbers.eq(1..=state.changes) {
        return Some(format!(
            "{name} has had {} changes, but {} events record them: some are gone",
            state.changes,
            events.len()
        ));
    }
    if state.changes == 0 {
        // Its first event is written when a server of this release starts.
        return None;
    }
    match catalog::replay(state.name.clone(), events) {
        Err((at, error)) => {
            let event = &events[at];
            Some(format!(
                "the event {} of {name} ({}): {error}",
                event.change, event.action
            ))
        }
        Ok(replayed) => {
            let differences = catalog::differences(state, &replayed);
            let what = differences.join(", ");
            (!differences.is_empty())
                .then(|| format!("{name} does not match its events: {what} differ"))
        }
    }
}

/// What the journal holds beside the database.
#[derive(Default)]
struct Waiting {
    inspected: Inspected,
    /// Positions of entries that this release does not understand.
    not_understood: Vec<(u64, String)>,
}

impl Waiting {
    fn read(data_dir: &Path, path: &Path) -> anyhow::Result<Self> {
        if !path.is_dir() {
            return Ok(Self::default());
        }
        let mut not_understood = Vec::new();
        let server = store::server_of(data_dir)?;
        let folder = Folder::new(path)?;
        let mut inspected = inspect(&folder, &server, |position, bytes| {
            if let Err(error) = Entry::decode(bytes) {
                not_understood.push((position, error.to_string()));
            }
        })?;
        if !inspected.torn.is_empty() {
            // A server may have been writing there.
            let again = inspect(&folder, &server, |_, _| {})?.torn;
            let still = |torn: &journal::Torn| again.contains(torn);
            inspected.torn.retain(still);
        }
        Ok(Self {
            inspected,
            not_understood,
        })
    }

    /// Adds what is wrong with what is not in the database yet; says how many entries wait.
    fn check(&self, report: &mut VerifyReport) -> u64 {
        if report.position > 0 && !self.inspected.marked {
            report.problems.push(
                "journal: it is gone, or in another folder (name it with --journal-dir); which entries wait in it is unknown"
                    .into(),
            );
        }
        for missing in self.inspected.missing_after(report.position) {
            let (first, last) = (missing.start(), missing.end());
            report.problems.push(format!(
                "journal: the entries at positions {first} to {last} cannot be read; the next start counts \
                 them as missing"
            ));
        }
        // What a killed process had begun to write was promised to nobody.
        let damaged = self.inspected.torn.iter().filter(|torn| !torn.unfinished);
        for torn in damaged {
            report.problems.push(format!(
                "journal: the last {} bytes of {} cannot be read; the next start counts as missing what they \
                 may have held",
                torn.bytes, torn.segment
            ));
        }
        for (position, error) in &self.not_understood {
            if *position > report.position {
                report
                    .problems
                    .push(format!("journal: position {position}: {error}"));
            }
        }
        self.inspected.waiting_after(report.position)
    }
}
