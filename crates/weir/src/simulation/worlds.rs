//! Worlds that are not kind.

use super::{USAGE, bar, percent, threads};
use crate::args::SimulateWorldsArgs;
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use simulate::{Hostile, HostileReport, hostile_cells, simulate_hostile};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

const HEAD: &str = "| world | runs | back by evidence, claims, or told as changed | back by a limit, or held | promoted | treated units, median \
     | seconds or units, median | 90 % | covered | estimate inside |\n|---|---|---|---|---|---|---|---|---|---|";

/// What became of a world, as it is printed and read again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Played {
    world: String,
    /// One for each run of the command that is in it.
    seeds: Vec<u64>,
    runs: u64,
    by_evidence: f64,
    by_evidence_standard_error: f64,
    by_limit: f64,
    promoted: f64,
    median_treated_units: Option<u64>,
    median_until: Option<u64>,
    until_in_90_percent: Option<u64>,
    coverage: Option<f64>,
    estimate_inside_its_interval: Option<f64>,
}

pub(crate) fn play(args: &SimulateWorldsArgs) -> anyhow::Result<ExitCode> {
    if !args.merge.is_empty() {
        print(&merged(&args.merge)?, args.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.list {
        for cell in hostile_cells(&args.only, 1, 1) {
            crate::out(format_args!("{}", cell.title()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = Chosen {
        flag: "only",
        name: &args.only,
        fits: |_| true,
    };
    of(chosen, (args.runs, args.seed), args.json)
}

/// Worlds of a kind, by a part of their names, and the flag that names it.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'a> {
    pub(super) flag: &'static str,
    pub(super) name: &'a str,
    pub(super) fits: fn(&Hostile) -> bool,
}

/// Plays the worlds that were chosen, each so often.
pub(super) fn of(
    chosen: Chosen<'_>,
    (runs, seed): (u64, u64),
    json: bool,
) -> anyhow::Result<ExitCode> {
    if runs == 0 {
        crate::talk("error: --runs must be at least 1");
        return Ok(ExitCode::from(USAGE));
    }
    let mut cells = hostile_cells(chosen.name, runs, seed);
    cells.retain(chosen.fits);
    if cells.is_empty() {
        let Chosen { flag, name, .. } = chosen;
        crate::talk(&format!("error: --{flag} {name} fits no world"));
        crate::talk("hint: weir simulate worlds --list prints the names of all");
        return Ok(ExitCode::from(USAGE));
    }
    let progress = bar(cells.iter().map(Hostile::runs).sum(), "runs");
    if !json {
        crate::out(format_args!("{HEAD}"));
    }
    let mut all = Vec::new();
    for cell in &cells {
        let report = simulate_hostile(cell, threads(), || progress.inc(1));
        let played = Played::of(cell, seed, &report);
        if json {
            all.push(played);
        } else {
            progress.suspend(|| crate::out(format_args!("{}", played.row())));
        }
    }
    progress.finish_and_clear();
    if json {
        print(&all, true)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(all: &[Played], json: bool) -> anyhow::Result<()> {
    if json {
        crate::out(format_args!("{}", serde_json::to_string_pretty(all)?));
        return Ok(());
    }
    crate::out(format_args!("{HEAD}"));
    for played in all {
        crate::out(format_args!("{}", played.row()));
    }
    Ok(())
}

/// What several files have, added up by world.
fn merged(files: &[PathBuf]) -> anyhow::Result<Vec<Played>> {
    let mut all: Vec<Played> = Vec::new();
    for file in files {
        let name = file.display();
        let text =
            std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
        let played: Vec<Played> = serde_json::from_str(&text)
            .with_context(|| format!("{name} is not what `weir simulate worlds --json` prints"))?;
        for more in played {
            match all.iter_mut().find(|known| known.world == more.world) {
                Some(known) => known
                    .add(&more)
                    .with_context(|| format!("{name} cannot be added"))?,
                None => all.push(more),
            }
        }
    }
    Ok(all)
}

impl Played {
    fn of(cell: &Hostile, seed: u64, report: &HostileReport) -> Self {
        Self {
            world: cell.title().to_owned(),
            seeds: vec![seed],
            runs: report.runs,
            by_evidence: report.found,
            by_evidence_standard_error: report.error,
            by_limit: report.limited,
            promoted: report.promoted,
            median_treated_units: report.median_treated,
            median_until: report.median_until,
            until_in_90_percent: report.ninth_until,
            coverage: report.coverage,
            estimate_inside_its_interval: report.inside,
        }
    }

    /// Adds runs of other seeds. Shares are those of all runs; what is in the middle of all cannot be told from two middles.
    fn add(&mut self, more: &Self) -> anyhow::Result<()> {
        let known: BTreeSet<u64> = self.seeds.iter().copied().collect();
        if let Some(seed) = more.seeds.iter().find(|seed| known.contains(seed)) {
            bail!(
                "the seed {seed} of \"{}\" is there already: its runs would count twice",
                self.world
            );
        }
        let (a, b) = (self.runs as f64, more.runs as f64);
        let both = |x: f64, y: f64| (a * x + b * y) / (a + b);
        self.by_evidence = both(self.by_evidence, more.by_evidence);
        self.by_limit = both(self.by_limit, more.by_limit);
        self.promoted = both(self.promoted, more.promoted);
        let each = |x: Option<f64>, y: Option<f64>| Some(both(x?, y?));
        self.coverage = each(self.coverage, more.coverage);
        self.estimate_inside_its_interval = each(
            self.estimate_inside_its_interval,
            more.estimate_inside_its_interval,
        );
        (
            self.median_treated_units,
            self.median_until,
            self.until_in_90_percent,
        ) = (None, None, None);
        self.runs += more.runs;
        self.seeds.extend(&more.seeds);
        let share = self.by_evidence;
        self.by_evidence_standard_error = (share * (1.0 - share) / self.runs as f64).sqrt();
        Ok(())
    }

    fn row(&self) -> String {
        let number = |n: Option<u64>| n.map_or("–".into(), |n| n.to_string());
        let share = |share: Option<f64>| share.map_or("–".into(), percent);
        format!(
            "| {} | {} | {} ± {} | {} | {} | {} | {} | {} | {} | {} |",
            self.world,
            self.runs,
            percent(self.by_evidence),
            percent(self.by_evidence_standard_error),
            percent(self.by_limit),
            percent(self.promoted),
            number(self.median_treated_units),
            number(self.median_until),
            number(self.until_in_90_percent),
            share(self.coverage),
            share(self.estimate_inside_its_interval),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(seed: u64, runs: u64, found: f64) -> Played {
        Played {
            world: "a world".into(),
            seeds: vec![seed],
            runs,
            by_evidence: found,
            by_evidence_standard_error: 0.0,
            by_limit: 0.0,
            promoted: 1.0 - found,
            median_treated_units: Some(1),
            median_until: Some(2),
            until_in_90_percent: None,
            coverage: Some(found),
            estimate_inside_its_interval: None,
        }
    }

    #[test]
    fn runs_of_several_seeds_add_up_and_none_counts_twice() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let json = |played: &Played| serde_json::to_string(&[played]).unwrap();
        let one = write("1.json", &json(&played(1, 100, 0.04)));
        let two = write("2.json", &json(&played(2, 300, 0.08)));
        let all = merged(&[one.clone(), two]).unwrap();
        let found = &all[0];
        assert_eq!(
            (all.len(), found.runs, &found.seeds[..]),
            (1, 400, &[1, 2][..])
        );
        assert!((found.by_evidence - 0.07).abs() < 1e-12);
        assert!((found.by_evidence_standard_error - (0.07f64 * 0.93 / 400.0).sqrt()).abs() < 1e-12);
        assert_eq!(
            (found.coverage, found.median_until),
            (Some(found.by_evidence), None)
        );
        let twice = merged(&[one.clone(), one]).unwrap_err();
        assert!(
            format!("{twice:#}").contains("would count twice"),
            "{twice:#}"
        );
        let wrong = write("3.json", "{}");
        let wrong = merged(&[wrong]).unwrap_err();
        assert!(format!("{wrong:#}").contains("--json` prints"), "{wrong:#}");
    }
}
