//! `weir backup` and `weir restore`: a copy of a data directory while its server goes on, and a data directory from a copy.
//!
//! The order makes it whole: first the files of the journal are kept from going, then the database is copied as it is at one
//! moment, then the files that the journal has got meanwhile are kept too, and all of them are copied. So everything that
//! the database has not counted by its moment is in the journal of the copy.

use crate::args::{BackupArgs, RestoreArgs};
use crate::control::say;
use ::journal::{Pins, is_there, server_of};
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
    for (folder, what) in [(from, "data directory"), (&journal, "journal")] {
        ensure!(
            !is_within(&args.to, folder),
            "{} is within the {what} that it is to be a copy of: name another place",
            args.to.display()
        );
    }
    let pins = Pins::new(&journal).map_err(|error| match error.kind() {
        std::io::ErrorKind::ResourceBusy => {
            anyhow::anyhow!(
                "another backup of {} is being made: wait for its end",
                from.display()
            )
        }
        _ => anyhow::Error::from(error).context(journal.display().to_string()),
    })?;
    let unread = || {
        format!(
            "{}: name the folder of the journal with --journal-dir, as for the server",
            journal.display()
        )
    };
    pins.keep(&journal).with_context(unread)?;
    let to = Unfinished::begin(&args.to)?;
    let pages = bar("pages of the database");
    let copied = store::copy_database(from, &to.folder, |done, all| {
        pages.set_length(all);
        pages.set_position(done);
    })?;
    pages.finish_and_clear();
    // A mark that is damaged says nothing; files of a journal there must be.
    let owner = server_of(&journal)?;
    ensure!(
        owner == Some(copied.server) || owner.is_none() && is_there(&journal),
        "{} is not the journal of this data directory: name that with --journal-dir, as for the server",
        journal.display()
    );
    pins.keep(&journal).with_context(unread)?;
    private(&to.folder.join("weir.db"))?;
    let mut copies = Copies {
        to: &to.folder,
        files: vec![hashed(&to.folder, Path::new("weir.db"))?],
        progress: bar("bytes of the journal and of artifacts"),
    };
    copies.folder(pins.folder(), Path::new("journal"))?;
    let artifacts = from.join("artifacts");
    if artifacts.exists() {
        copies.folder(&artifacts, Path::new("artifacts"))?;
    }
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
    let mut file = private_file(&to.folder.join(MANIFEST))?;
    file.write_all(&serde_json::to_vec_pretty(&manifest)?)?;
    file.sync_all()?;
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    to.finish()?;
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
        "the backup was made by another release ({}): restore it with that",
        manifest.release
    );
    ensure!(
        !is_within(&args.data_dir, from),
        "{} is within the backup: name another place",
        args.data_dir.display()
    );
    let to = Unfinished::begin(&args.data_dir)?;
    let progress = bar("bytes");
    progress.set_length(manifest.files.iter().map(|file| file.bytes).sum());
    let mut copies = Copies {
        to: &to.folder,
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
    let config = Config::new(([127, 0, 0, 1], 0).into(), to.folder.clone());
    let runtime = tokio::runtime::Runtime::new()?;
    let position = runtime.block_on(server::settle(&config, Clock::system()))?;
    let report = verified(&to.folder)?;
    if !report.problems.is_empty() {
        for problem in &report.problems {
            crate::talk(problem);
        }
        bail!(
            "the restored data is not clean; the backup is unchanged, and nothing was put in place"
        );
    }
    to.finish()?;
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

/// A folder that is not whole yet. It goes where it does not come to its end.
struct Unfinished {
    folder: PathBuf,
    place: PathBuf,
    /// Within the place where a folder is there already: it may be a mounted one, or belong to somebody, and stays what it is.
    is_within: bool,
}

/// What makes a folder a backup, or the data of a server: it comes last.
const LAST: [&str; 2] = [MANIFEST, "weir.db"];

impl Unfinished {
    fn begin(place: &Path) -> anyhow::Result<Self> {
        // A link leads to where the data is to be.
        let place = match fs::canonicalize(place) {
            Ok(found) => found,
            Err(_) if place.is_symlink() => {
                bail!(
                    "{} leads to a folder that is not there: make that first",
                    place.display()
                )
            }
            Err(_) => place.to_owned(),
        };
        let is_within = place.is_dir();
        let folder = if is_within {
            place.join(".weir-unfinished")
        } else {
            ensure!(
                !place.exists(),
                "{} is there already, and no folder",
                place.display()
            );
            let name = place.file_name();
            let name =
                name.with_context(|| format!("{} is no name of a folder", place.display()))?;
            place.with_file_name(format!(".{}.unfinished", name.to_string_lossy()))
        };
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        if is_within {
            let found = fs::read_dir(&place).with_context(|| place.display().to_string())?;
            // A new file system has a folder of its own.
            let mut found = found
                .flatten()
                .filter(|entry| entry.file_name() != "lost+found");
            let is_empty = found.next().is_none();
            ensure!(
                is_empty,
                "{} is there already, and not empty",
                place.display()
            );
        }
        make_private(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self {
            folder,
            place,
            is_within,
        })
    }

    fn finish(&self) -> anyhow::Result<()> {
        let place = &self.place;
        let synced = if self.is_within {
            let found = fs::read_dir(&self.folder)?.collect::<Result<Vec<_>, _>>()?;
            let mut names: Vec<_> = found.iter().map(fs::DirEntry::file_name).collect();
            names.sort_by_key(|name| LAST.iter().any(|last| name == last));
            for name in names {
                let to = place.join(&name);
                fs::rename(self.folder.join(&name), &to)
                    .with_context(|| to.display().to_string())?;
            }
            fs::remove_dir(&self.folder)?;
            Some(place.as_path())
        } else {
            fs::rename(&self.folder, place).with_context(|| place.display().to_string())?;
            place
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty())
        };
        File::open(synced.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It has another name where it came to its end.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whether a place is a folder, or would be within it.
fn is_within(place: &Path, folder: &Path) -> bool {
    let Ok(folder) = fs::canonicalize(folder) else {
        return false;
    };
    let there = place
        .ancestors()
        .find_map(|part| fs::canonicalize(part).ok());
    there.is_some_and(|there| there.starts_with(folder))
}

struct Copies<'a> {
    to: &'a Path,
    files: Vec<Copied>,
    progress: ProgressBar,
}

impl Copies<'_> {
    /// All files below a folder.
    fn folder(&mut self, from: &Path, path: &Path) -> anyhow::Result<()> {
        let entries = fs::read_dir(from).with_context(|| from.display().to_string())?;
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
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
        ensure!(
            self.to.is_dir(),
            "{} was removed meanwhile",
            self.to.display()
        );
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
