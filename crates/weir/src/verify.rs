//! `weir verify`.

use crate::args::VerifyArgs;
use journal::{Folder, Inspected, inspect};
use std::path::Path;
use std::process::ExitCode;
use store::VerifyReport;
use store::entry::Entry;

#[expect(
    clippy::print_stdout,
    reason = "the result is the data of this command"
)]
pub(crate) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    // The journal first: what is let go meanwhile is in the database that is read after it.
    let path = args.journal_dir.clone();
    let path = path.unwrap_or_else(|| args.data_dir.join("journal"));
    let journal = Waiting::read(&args.data_dir, &path)?;
    let mut report = store::verify(&args.data_dir)?;
    let waiting = journal.check(&mut report);
    let clean = report.problems.is_empty();
    if args.json {
        println!(
            "{}",
            serde_json::json!({
                "clean": clean,
                "predictions": report.predictions,
                "rollups": report.rollups,
                "evidence": report.evidence,
                "position": report.position,
                "waiting": waiting,
                "missing": report.log.missing,
                "set_aside": report.log.set_aside,
                "dropped": report.log.dropped,
                "problems": report.problems,
            })
        );
    } else {
        for problem in &report.problems {
            println!("{problem}");
        }
        let verdict = if clean { "clean" } else { "NOT CLEAN" };
        println!(
            "{verdict}: {} predictions recounted, {} roll-ups and {} sums of evidence compared, {} \
             problems; of the journal {waiting} entries wait to be counted, {} are missing, {} set aside, {} \
             were of deleted versions",
            report.predictions,
            report.rollups,
            report.evidence,
            report.problems.len(),
            report.log.missing,
            report.log.set_aside,
            report.log.dropped
        );
    }
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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
                "journal: it is gone, or elsewhere (--journal-dir names it); what waits in it is not known"
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
