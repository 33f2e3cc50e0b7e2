//! Worlds that are not kind.

use super::{USAGE, bar, percent, threads};
use crate::args::SimulateWorldsArgs;
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use simulate::{Hostile, HostileReport, hostile_cells, simulate_hostile};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is asked of a world, and with it the columns of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Asked {
    /// What becomes of a candidate.
    #[default]
    Outcome,
    /// Whether it is told that an effect has changed, and what the interval holds.
    Change,
    /// What a bandit holds, names and covers.
    Bandit,
}

impl Asked {
    fn of(cell: &Hostile) -> Self {
        match cell {
            Hostile::Rollout(_) | Hostile::Users(_) | Hostile::Fixed(_) => Self::Outcome,
            Hostile::Change(_) => Self::Change,
            Hostile::Bandit(_) => Self::Bandit,
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Outcome => &[
                "world",
                "runs",
                "back by evidence, or claims",
                "back by a limit",
                "promoted",
                "treated units, median",
                "seconds (units of claims) to it, median",
                "90 %",
            ],
            Self::Change => &[
                "world",
                "runs",
                "told as changed",
                "units, median",
                "the interval held the average effect so far",
                "the estimate was inside",
            ],
            Self::Bandit => &[
                "world",
                "runs",
                "told as changed",
                "held although nothing is wrong",
                "a false winner named",
                "intervals of differences held the truth",
            ],
        }
    }

    fn head(self) -> String {
        let columns = self.columns();
        format!(
            "| {} |\n|{}",
            columns.join(" | "),
            "---|".repeat(columns.len())
        )
    }
}

/// What became of a world, as it is printed and read again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Played {
    world: String,
    #[serde(default)]
    asked: Asked,
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
    let mut cells = match &args.file {
        Some(file) => read(file)?,
        None => hostile_cells("", args.runs, args.seed),
    };
    cells.retain(|cell| cell.title().contains(&args.only));
    if cells.is_empty() {
        return Ok(fits_none("only", &args.only));
    }
    if args.list && args.json {
        crate::out(format_args!("{}", serde_json::to_string_pretty(&cells)?));
        return Ok(ExitCode::SUCCESS);
    }
    if args.list {
        for cell in &cells {
            crate::out(format_args!("{}", cell.title()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let played = cells.into_iter();
    let cells = played.map(|cell| cell.played(args.runs, args.seed));
    play_each(&cells.collect::<Vec<_>>(), args.seed, args.json)
}

/// The worlds of a file.
fn read(file: &Path) -> anyhow::Result<Vec<Hostile>> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    let cells: Vec<Hostile> = serde_json::from_str(&text).with_context(|| {
        format!("{name} has no array of worlds (`weir simulate worlds --list --json` prints some)")
    })?;
    if cells.is_empty() {
        bail!("{name} has no world");
    }
    let mut titles = BTreeSet::new();
    for (at, cell) in cells.iter().enumerate() {
        let title = cell.title();
        let problems = cell.problems();
        if !problems.is_empty() {
            bail!("{name}: [{at}] \"{title}\": {}", problems.join("; "));
        }
        if !titles.insert(title) {
            bail!("{name}: [{at}] \"{title}\" is there twice: give each world a title of its own");
        }
    }
    Ok(cells)
}

fn fits_none(flag: &str, name: &str) -> ExitCode {
    crate::talk(&format!("error: --{flag} {name} matches no world"));
    crate::talk("hint: weir simulate worlds --list prints the names of all");
    ExitCode::from(USAGE)
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
    let mut cells = hostile_cells(chosen.name, runs, seed);
    cells.retain(chosen.fits);
    if cells.is_empty() {
        return Ok(fits_none(chosen.flag, chosen.name));
    }
    play_each(&cells, seed, json)
}

/// Plays worlds, and prints a row of each below the head of its columns.
pub(super) fn play_each(cells: &[Hostile], seed: u64, json: bool) -> anyhow::Result<ExitCode> {
    if cells.iter().any(|cell| cell.runs() == 0) {
        crate::talk("error: --runs must be at least 1");
        return Ok(ExitCode::from(USAGE));
    }
    let progress = bar(cells.iter().map(Hostile::runs).sum(), "runs");
    let mut all = Vec::new();
    let mut head = None;
    for cell in cells {
        let report = simulate_hostile(cell, threads(), || progress.inc(1));
        let played = Played::of(cell, seed, &report);
        if json {
            all.push(played);
        } else {
            progress.suspend(|| print_row(&played, &mut head));
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
    let mut head = None;
    for played in all {
        print_row(played, &mut head);
    }
    Ok(())
}

/// A row, below the head of its columns where it is not there yet.
fn print_row(played: &Played, head: &mut Option<Asked>) {
    if *head != Some(played.asked) {
        let first = if head.is_some() { "\n" } else { "" };
        crate::out(format_args!("{first}{}", played.asked.head()));
        *head = Some(played.asked);
    }
    crate::out(format_args!("{}", played.row()));
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
            asked: Asked::of(cell),
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
        let found = format!(
            "{} ± {}",
            percent(self.by_evidence),
            percent(self.by_evidence_standard_error)
        );
        let cells = match self.asked {
            Asked::Outcome => vec![
                found,
                percent(self.by_limit),
                percent(self.promoted),
                number(self.median_treated_units),
                number(self.median_until),
                number(self.until_in_90_percent),
            ],
            Asked::Change => vec![
                found,
                number(self.median_until),
                share(self.coverage),
                share(self.estimate_inside_its_interval),
            ],
            Asked::Bandit => vec![
                found,
                percent(self.by_limit),
                percent(self.promoted),
                share(self.coverage),
            ],
        };
        format!("| {} | {} | {} |", self.world, self.runs, cells.join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(seed: u64, runs: u64, found: f64) -> Played {
        Played {
            world: "a world".into(),
            asked: Asked::Outcome,
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
    fn worlds_of_a_file_are_read_or_refused_with_their_place() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("worlds.json");
        let mut cells = hostile_cells("bandit: 500 users, arms differ", 1, 1);
        cells.truncate(1);
        let text = serde_json::to_string(&cells).unwrap();
        std::fs::write(&file, &text).unwrap();
        assert_eq!(read(&file).unwrap()[0].title(), cells[0].title());
        let refused = |text: &str| {
            std::fs::write(&file, text).unwrap();
            format!("{:#}", read(&file).unwrap_err())
        };
        let none = refused(&text.replace("\"users\":500", "\"users\":0"));
        assert!(
            none.contains("[0] \"bandit") && none.contains("users must be from 1"),
            "{none}"
        );
        let twice = refused(&serde_json::to_string(&[&cells[0], &cells[0]]).unwrap());
        assert!(twice.contains("is there twice"), "{twice}");
        let empty = refused("[]");
        assert!(empty.contains("has no world"), "{empty}");
        let other = refused("{}");
        assert!(other.contains("has no array of worlds"), "{other}");
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
