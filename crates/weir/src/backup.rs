//! `weir backup` and `weir restore`: a copy of a data directory while its server goes on, and a data directory from a copy.
//!
//! The order makes it whole: first the files of the journal are kept from going, then the database is copied as it is at one
//! moment, then the files that the journal has got meanwhile are kept too, and all of them are copied. So everything that
//! the database has not counted by its moment is in the journal of the copy.

use crate::args::{BackupArgs, RestoreArgs};
use crate::control::say;
use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::json;
use server::{Clock, Config};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use types::ContentHash;

/// The form of a copy. Another one needs another number.
const FORM: u32 = 1;
/// What a copy says of itself.
const MANIFEST: &str = "backup.json";
/// Keys of the server in its data directory.
const KEYS: [&str; 3] = ["access.key", "decisions.key", "privacy.key"];

#[derive(Serialize, Deserialize)]
struct Manifest {
    form: u32,
    release: String,
    made_at: String,
    /// Whose journal it goes on with, in hexadecimal digits.
    server: String,
    /// The position of the journal up to which all is in the database.
    position: u64,
    predictions: u64,
    audit_entries: i64,
    files: Vec<Copied>,
}

/// A file of a copy, by its path within it.
#[derive(Serialize, Deserialize)]
struct Copied {
    path: PathBuf,
    bytes: u64,
    sha256: ContentHash,
}

pub(crate) fn backup(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let from = &args.data_dir;
    let journal = args
        .journal_dir
        .clone()
        .unwrap_or_else(|| from.join("journal"));
    ensure!(
        from.join("weir.db").exists(),
        "{} holds no data of a server",
        from.display()
    );
    let to = Unfinished::begin(&args.to)?;
    let pins = Pins::new(&journal)?;
    pins.keep(&journal)?;
    let pages = bar("pages of the database");
    let copied = store::copy_database(from, &to.0, |done, all| {
        pages.set_length(all);
        pages.set_position(done);
    })?;
    pages.finish_and_clear();
    pins.keep(&journal)?;
    private(&to.0.join("weir.db"))?;
    let mut copies = Copies {
        to: &to.0,
        files: vec![hashed(&to.0, Path::new("weir.db"))?],
        progress: bar("bytes of the journal and of artifacts"),
    };
    copies.folder(&pins.0, Path::new("journal"))?;
    copies.folder(&from.join("artifacts"), Path::new("artifacts"))?;
    for key in KEYS.iter().filter(|key| from.join(key).exists()) {
        copies.file(&from.join(key), Path::new(key))?;
    }
    copies.progress.finish_and_clear();
    let manifest = Manifest {
        form: FORM,
        release: env!("CARGO_PKG_VERSION").into(),
        made_at: Clock::system().now().to_string(),
        server: copied
            .server
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        position: copied.position,
        predictions: copied.predictions,
        audit_entries: copied.audit,
        files: copies.files,
    };
    let mut file = private_file(&to.0.join(MANIFEST))?;
    file.write_all(&serde_json::to_vec_pretty(&manifest)?)?;
    file.sync_all()?;
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    to.finish(&args.to)?;
    crate::talk(
        "note: it contains keys, secrets and everything that was sent: only its owner can read it, and it should stay so",
    );
    if args.json {
        let said = json!({
            "to": args.to, "predictions": manifest.predictions, "position": manifest.position,
            "audit_entries": manifest.audit_entries, "files": manifest.files.len(), "bytes": bytes,
        });
        crate::out(format_args!("{said:#}"));
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!(
        "{}: {} predictions in the database up to position {}, {} entries of the audit, {} files, {bytes} bytes",
        args.to.display(),
        manifest.predictions,
        manifest.position,
        manifest.audit_entries,
        manifest.files.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn restore(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let from = &args.from;
    let manifest = fs::read(from.join(MANIFEST));
    let manifest = manifest.with_context(|| {
        format!(
            "{} is no backup: name the folder that `weir backup --to` has made, with {MANIFEST} in it",
            from.display()
        )
    })?;
    let manifest: Manifest =
        serde_json::from_slice(&manifest).context("backup.json cannot be read")?;
    ensure!(
        manifest.form == FORM,
        "the backup was made by a newer release ({}): restore it with that",
        manifest.release
    );
    let to = Unfinished::begin(&args.data_dir)?;
    let progress = bar("bytes");
    progress.set_length(manifest.files.iter().map(|file| file.bytes).sum());
    let mut copies = Copies {
        to: &to.0,
        files: Vec::new(),
        progress,
    };
    for file in &manifest.files {
        let plain = file
            .path
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        ensure!(
            plain,
            "backup.json names {}, which is outside the backup",
            file.path.display()
        );
        copies.file(&from.join(&file.path), &file.path)?;
        let copied = copies
            .files
            .last()
            .map(|copied| (copied.bytes, copied.sha256.clone()));
        ensure!(
            copied == Some((file.bytes, file.sha256.clone())),
            "{} differs from what was backed up: it was changed or cut short",
            file.path.display()
        );
    }
    copies.progress.finish_and_clear();
    let config = Config::new(([127, 0, 0, 1], 0).into(), to.0.clone());
    let runtime = tokio::runtime::Runtime::new()?;
    let position = runtime.block_on(server::settle(&config, Clock::system()))?;
    let report = verified(&to.0)?;
    if !report.problems.is_empty() {
        for problem in &report.problems {
            crate::talk(problem);
        }
        bail!(
            "the restored data is not clean; the backup is unchanged, and nothing was put in place"
        );
    }
    to.finish(&args.data_dir)?;
    if args.json {
        let said = json!({
            "data_dir": args.data_dir, "clean": true, "predictions": report.predictions, "position": position,
        });
        crate::out(format_args!("{said:#}"));
    } else {
        say(&format!(
            "{}: clean, {} predictions up to position {position} ({} of them were still in the journal)",
            args.data_dir.display(),
            report.predictions,
            report.predictions.saturating_sub(manifest.predictions)
        ))?;
    }
    crate::talk(
        "note: it is a new server from now on: positions and events start anew (older ones get 410)",
    );
    crate::talk(
        "note: its keys are those of the backup: revoke again what was revoked since (`weir keys list`)",
    );
    Ok(ExitCode::SUCCESS)
}

/// A folder that is not whole yet, beside the place where it shall be. It goes where it does not come to its end.
struct Unfinished(PathBuf);

impl Unfinished {
    fn begin(place: &Path) -> anyhow::Result<Self> {
        let empty = fs::read_dir(place).map_or(true, |mut found| found.next().is_none());
        ensure!(empty, "{} is there already, and not empty", place.display());
        let name = place.file_name();
        let name = name.with_context(|| format!("{} is no name of a folder", place.display()))?;
        let folder = place.with_file_name(format!(".{}.unfinished", name.to_string_lossy()));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        make_private(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self(folder))
    }

    fn finish(&self, place: &Path) -> anyhow::Result<()> {
        if place.exists() {
            fs::remove_dir(place)?;
        }
        fs::rename(&self.0, place)?;
        let parent = place
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It has another name where it came to its end.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Other names for files of a journal, so that they do not go before they are copied.
struct Pins(PathBuf);

impl Pins {
    fn new(journal: &Path) -> anyhow::Result<Self> {
        let folder = journal.with_file_name(".weir-backup-pins");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        make_private(&folder)?;
        Ok(Self(folder))
    }

    fn keep(&self, journal: &Path) -> anyhow::Result<()> {
        for entry in fs::read_dir(journal).with_context(|| journal.display().to_string())? {
            let entry = entry?;
            let pin = self.0.join(entry.file_name());
            // One that has gone meanwhile is in the database.
            if entry.file_type()?.is_file() && !pin.exists() {
                match fs::hard_link(entry.path(), &pin) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(error.into());
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Copies<'a> {
    to: &'a Path,
    files: Vec<Copied>,
    progress: ProgressBar,
}

impl Copies<'_> {
    /// All files below a folder; none where there is no such folder.
    fn folder(&mut self, from: &Path, path: &Path) -> anyhow::Result<()> {
        if !from.exists() {
            return Ok(());
        }
        let entries = fs::read_dir(from)?.collect::<Result<Vec<_>, _>>()?;
        let mut names: Vec<_> = entries.iter().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            let (from, path) = (from.join(&name), path.join(&name));
            if from.is_dir() {
                self.folder(&from, &path)?;
            } else {
                self.file(&from, &path)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, from: &Path, path: &Path) -> anyhow::Result<()> {
        let to = self.to.join(path);
        if let Some(folder) = to.parent().filter(|folder| !folder.exists()) {
            make_private(folder)?;
        }
        let mut source = File::open(from).with_context(|| from.display().to_string())?;
        let mut file = private_file(&to)?;
        let (mut hasher, mut bytes) = (Sha256::new(), 0);
        each_part(&mut source, |part| {
            hasher.update(part);
            bytes += part.len() as u64;
            self.progress.inc(part.len() as u64);
            file.write_all(part)
        })?;
        file.sync_all()?;
        self.files.push(Copied {
            path: path.to_owned(),
            bytes,
            sha256: ContentHash::of(&hasher.finalize().into()),
        });
        Ok(())
    }
}

/// A file that is in a copy already.
fn hashed(copy: &Path, path: &Path) -> anyhow::Result<Copied> {
    let mut file = File::open(copy.join(path))?;
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    each_part(&mut file, |part| {
        hasher.update(part);
        bytes += part.len() as u64;
        Ok(())
    })?;
    file.sync_all()?;
    Ok(Copied {
        path: path.to_owned(),
        bytes,
        sha256: ContentHash::of(&hasher.finalize().into()),
    })
}

/// Does something with each part of a file.
fn each_part(
    file: &mut File,
    mut with: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut part = vec![0; 1 << 20];
    loop {
        match file.read(&mut part)? {
            0 => return Ok(()),
            length => with(&part[..length])?,
        }
    }
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn private(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let _ = path;
    Ok(())
}

/// Verifies a directory, and shows in a terminal that it goes on.
pub(crate) fn verified(directory: &Path) -> Result<store::VerifyReport, store::OpenError> {
    let spinner = ProgressBar::new_spinner().with_message("counting the log again");
    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed} so far");
    let spinner = style.map_or(spinner.clone(), |style| spinner.with_style(style));
    spinner.enable_steady_tick(Duration::from_millis(200));
    let report = store::verify(directory);
    spinner.finish_and_clear();
    report
}

pub(crate) fn bar(what: &'static str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(&format!("{{bar:40}} {{percent}} % of {{len}} {what}"));
    let bar = ProgressBar::new(0);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}
