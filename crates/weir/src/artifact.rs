//! `weir artifact`: the files of a version, to and from a running server.

use crate::args::{ArtifactArgs, ArtifactCommand, GetArtifactArgs, PutArtifactArgs};
use crate::control::Cli;
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use types::ContentHash;

pub(crate) fn run(args: &ArtifactArgs) -> anyhow::Result<ExitCode> {
    crate::control::run(async {
        let cli = Cli::new(&args.connect)?;
        match &args.command {
            ArtifactCommand::Put(put) => send(&cli, put).await,
            ArtifactCommand::Get(get) => receive(&cli, get).await,
        }
    })
}

async fn send(cli: &Cli, args: &PutArtifactArgs) -> anyhow::Result<()> {
    let named = || args.path.display().to_string();
    let found = std::fs::metadata(&args.path).with_context(named)?;
    let mut file = if found.is_dir() {
        pack(&args.path).with_context(|| format!("cannot pack {}", args.path.display()))?
    } else {
        File::open(&args.path).with_context(named)?
    };
    let (sha256, bytes) = hash(&mut file)?;
    let model_id = cli.id_of(&args.model_id).await?;
    let progress = bar(bytes, "sent");
    let shown = progress.clone();
    let on_part = move |length: usize| shown.inc(length as u64);
    let sent = cli
        .client
        .put_artifact(&model_id, file, (bytes, sha256.as_str()), on_part)
        .await;
    progress.finish_and_clear();
    let version = sent?;
    cli.print(&version, || {
        format!(
            "version {} of {} has the artifact {sha256} ({bytes} bytes)",
            version.version, version.name
        )
    })
}

async fn receive(cli: &Cli, args: &GetArtifactArgs) -> anyhow::Result<()> {
    let path = &args.path;
    if path.exists() {
        bail!("{} is there already", path.display());
    }
    let mut download = cli
        .client
        .artifact(&cli.id_of(&args.model_id).await?)
        .await?;
    let (folder, name) = (path.parent(), path.file_name());
    let folder = folder
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    name.with_context(|| format!("{} is no name of a file", path.display()))?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let progress = bar(download.bytes, "received");
    let mut hasher = Sha256::new();
    while let Some(part) = download.next().await? {
        hasher.update(part.as_ref());
        file.write_all(part.as_ref())?;
        progress.inc(part.as_ref().len() as u64);
    }
    progress.finish_and_clear();
    let came = ContentHash::of(&hasher.finalize().into());
    if download.sha256 != came.as_str() {
        bail!(
            "what came has the SHA-256 {came} instead of {}: it was changed on its way",
            download.sha256
        );
    }
    file.persist_noclobber(path)?;
    cli.print(
        &serde_json::json!({"path": path, "sha256": came, "bytes": download.bytes}),
        || {
            format!(
                "{} has the artifact {came} ({} bytes)",
                path.display(),
                download.bytes
            )
        },
    )
}

fn bar(bytes: u64, what: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(&format!("{{bar:40}} {{bytes}} of {{total_bytes}} {what}"));
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The SHA-256 of a file, and how long it is.
pub(crate) fn hash(file: &mut File) -> std::io::Result<(ContentHash, u64)> {
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    let mut part = vec![0; 1 << 16];
    file.rewind()?;
    loop {
        let read = file.read(&mut part)?;
        if read == 0 {
            break;
        }
        hasher.update(&part[..read]);
        bytes += read as u64;
    }
    file.rewind()?;
    Ok((ContentHash::of(&hasher.finalize().into()), bytes))
}

/// A folder as a tar archive: the same folder is the same archive, whoever packs it and when.
fn pack(folder: &Path) -> anyhow::Result<File> {
    let mut files = Vec::new();
    gather(folder, &mut files)?;
    if files.is_empty() {
        bail!("there are no files in it");
    }
    files.sort();
    let mut archive = tar::Builder::new(tempfile::tempfile()?);
    archive.mode(tar::HeaderMode::Deterministic);
    for path in files {
        let name = path.strip_prefix(folder)?;
        archive.append_path_with_name(&path, name)?;
    }
    Ok(archive.into_inner()?)
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        // What a link leads to is what is meant: caches of models are made of links.
        let found = std::fs::metadata(&path)?;
        match (found.is_dir(), found.is_file()) {
            (true, _) => gather(&path, files)?,
            (_, true) => files.push(path),
            _ => bail!("{} is neither a file nor a folder", path.display()),
        }
    }
    Ok(())
}
