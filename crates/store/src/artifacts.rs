//! The files of versions: what was uploaded, each once, by the hash of its bytes.
//!
//! `artifacts/<hash>/content` holds the bytes as they came; of an archive, `artifacts/<hash>/files/` holds what is in it.
//! Beside them stands `artifacts/incoming/`, where uploads are until they are whole. Paths are made of hashes only, and an
//! archive is unpacked by [`unpack`], which takes plain files and folders and nothing that leads elsewhere.

use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use types::{Artifact, ContentHash};

const DIRECTORY: &str = "artifacts";
const INCOMING: &str = "incoming";
const CONTENT: &str = "content";
const FILES: &str = "files";

/// The most files and folders of an archive.
const MOST_ENTRIES: usize = 10_000;

/// The artifacts of a data directory.
#[derive(Debug, Clone)]
pub struct Artifacts {
    root: PathBuf,
}

/// An upload that is not whole yet. It is removed when it is dropped.
#[derive(Debug)]
pub struct Incoming {
    directory: tempfile::TempDir,
    file: File,
    hasher: Sha256,
    bytes: u64,
}

/// Why an upload is no artifact.
#[derive(Debug, thiserror::Error)]
pub enum InvalidArtifact {
    /// It cannot be stored.
    #[error("it cannot be stored: {0}")]
    Io(#[from] io::Error),
    /// It is no archive, or one that leads elsewhere, or one that is too large.
    #[error("{0}")]
    Archive(String),
}

impl Artifacts {
    /// Those of a data directory; what an upload has left behind that was cut off is removed.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let root = data_dir.join(DIRECTORY);
        let incoming = root.join(INCOMING);
        if incoming.exists() {
            fs::remove_dir_all(&incoming)?;
        }
        fs::create_dir_all(&incoming)?;
        Ok(Self { root })
    }

    /// A place for an upload.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn incoming(&self) -> io::Result<Incoming> {
        let directory = tempfile::tempdir_in(self.root.join(INCOMING))?;
        let file = File::create_new(directory.path().join(CONTENT))?;
        Ok(Incoming {
            directory,
            file,
            hasher: Sha256::new(),
            bytes: 0,
        })
    }

    /// Keeps an upload that is whole. Where it is an archive its files become at most so many bytes.
    ///
    /// # Errors
    /// When it cannot be kept; nothing of it is then.
    pub fn keep(&self, incoming: Incoming, most: u64) -> Result<Artifact, InvalidArtifact> {
        let Incoming {
            directory,
            file,
            hasher,
            bytes,
        } = incoming;
        let artifact = Artifact {
            sha256: ContentHash::of(&hasher.finalize().into()),
            bytes,
        };
        let kept = self.root.join(artifact.sha256.as_str());
        if kept.join(CONTENT).exists() {
            return Ok(artifact);
        }
        file.sync_all()?;
        drop(file);
        let content = directory.path().join(CONTENT);
        if let Some(archive) = Archive::of(&content)? {
            let files = directory.path().join(FILES);
            fs::create_dir(&files)?;
            archive.unpack(&content, &files, most)?;
        }
        // What is left of one that could not be removed.
        if kept.exists() {
            fs::remove_dir_all(&kept)?;
        }
        fs::rename(directory.keep(), &kept)?;
        File::open(&self.root)?.sync_all()?;
        Ok(artifact)
    }

    /// The bytes that were uploaded.
    pub fn content(&self, hash: &ContentHash) -> PathBuf {
        self.root.join(hash.as_str()).join(CONTENT)
    }

    /// What a version is run from: a file, or the folder that an archive held.
    pub fn path(&self, hash: &ContentHash) -> PathBuf {
        let files = self.root.join(hash.as_str()).join(FILES);
        if files.exists() {
            files
        } else {
            self.content(hash)
        }
    }

    /// Removes what has none of these hashes; says what it was.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn keep_only(&self, named: &HashSet<ContentHash>) -> io::Result<Vec<ContentHash>> {
        let mut removed = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name();
            let hash = name
                .to_str()
                .and_then(|name| name.parse::<ContentHash>().ok());
            if let Some(hash) = hash.filter(|hash| !named.contains(hash)) {
                fs::remove_dir_all(entry.path())?;
                removed.push(hash);
            }
        }
        Ok(removed)
    }
}

impl Incoming {
    /// Takes bytes in.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// How many came.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// A kind of archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Archive {
    Tar,
    TarGz,
}

impl Archive {
    /// By its first bytes; `None` for a file that is none.
    fn of(path: &Path) -> Result<Option<Self>, InvalidArtifact> {
        let mut start = Vec::new();
        File::open(path)?.take(512).read_to_end(&mut start)?;
        if start.starts_with(&[0x1f, 0x8b]) {
            return Ok(Some(Self::TarGz));
        }
        if start.get(257..262) == Some(b"ustar") {
            return Ok(Some(Self::Tar));
        }
        for (magic, kind) in [
            (&b"PK\x03\x04"[..], "a zip archive"),
            (&b"\x28\xb5\x2f\xfd"[..], "compressed with zstd"),
            (&b"BZh"[..], "compressed with bzip2"),
            (&b"\xfd7zXZ"[..], "compressed with xz"),
            (&b"7z\xbc\xaf"[..], "a 7z archive"),
        ] {
            if start.starts_with(magic) {
                let why = format!(
                    "it is {kind}: send a folder as .tar or .tar.gz, or one ONNX file as it is"
                );
                return Err(InvalidArtifact::Archive(why));
            }
        }
        Ok(None)
    }

    fn unpack(self, content: &Path, to: &Path, most: u64) -> Result<(), InvalidArtifact> {
        let file = BufReader::new(File::open(content)?);
        match self {
            Self::Tar => unpack(file, to, most),
            Self::TarGz => unpack(flate2::read::MultiGzDecoder::new(file), to, most),
        }
    }
}

/// Unpacks a tar archive of plain files and folders.
fn unpack(archive: impl Read, to: &Path, most: u64) -> Result<(), InvalidArtifact> {
    let wrong = |why: String| InvalidArtifact::Archive(why);
    let unreadable = |error: io::Error| wrong(format!("the archive cannot be read: {error}"));
    // Headers count too: an archive of nothing but headers ends as well.
    let limited = archive.take(most.saturating_add(MOST_ENTRIES as u64 * 2048));
    let mut archive = tar::Archive::new(limited);
    let (mut count, mut left) = (0, most);
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        count += 1;
        if count > MOST_ENTRIES {
            return Err(wrong(format!(
                "the archive has more than {MOST_ENTRIES} files"
            )));
        }
        let path = entry.path().map_err(unreadable)?.into_owned();
        let shown = path.display().to_string();
        let Some(inside) = inside(&path) else {
            return Err(wrong(format!(
                "the archive has a path that leads out of it: {shown:?}"
            )));
        };
        let kind = entry.header().entry_type();
        let path = to.join(inside);
        if kind.is_dir() {
            fs::create_dir_all(&path)?;
            continue;
        }
        if matches!(
            kind,
            tar::EntryType::XGlobalHeader | tar::EntryType::XHeader
        ) {
            continue;
        }
        if !kind.is_file() {
            return Err(wrong(format!(
                "the archive has something that is neither a file nor a folder: {shown:?}"
            )));
        }
        if entry.size() > left {
            return Err(wrong(format!(
                "the files of the archive are more than {most} bytes together"
            )));
        }
        left -= entry.size();
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = File::create_new(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => wrong(format!("the archive has {shown:?} twice")),
            _ => error.into(),
        })?;
        let size = entry.size();
        let copied = io::copy(&mut entry, &mut file).map_err(unreadable)?;
        if copied != size {
            return Err(wrong("the archive is cut off".into()));
        }
    }
    if count == 0 {
        return Err(wrong("the archive is empty".into()));
    }
    Ok(())
}

/// A path that stays inside, without `.`; `None` for one that may not.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => inside.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(artifacts: &Artifacts, bytes: &[u8]) -> Result<Artifact, InvalidArtifact> {
        let mut incoming = artifacts.incoming().unwrap();
        for part in bytes.chunks(1000) {
            incoming.write(part).unwrap();
        }
        artifacts.keep(incoming, 100_000)
    }

    /// A tar archive of one entry, whose name is written as it is.
    fn tar_of(name: &str, kind: tar::EntryType, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        let place = &mut header.as_mut_bytes()[..name.len()];
        place.copy_from_slice(name.as_bytes());
        if kind.is_symlink() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, content).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn what_is_uploaded_is_kept_once_until_nobody_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::open(directory.path()).unwrap();
        let one = keep(&artifacts, b"a model").unwrap();
        assert_eq!(
            (one.bytes, &keep(&artifacts, b"a model").unwrap()),
            (7, &one)
        );
        assert_eq!(fs::read(artifacts.path(&one.sha256)).unwrap(), b"a model");
        let two = keep(&artifacts, &[7; 5000]).unwrap();
        assert_ne!(one, two);
        drop(artifacts.incoming().unwrap());
        let named = HashSet::from([one.sha256.clone()]);
        assert_eq!(
            artifacts.keep_only(&named).unwrap(),
            std::slice::from_ref(&two.sha256)
        );
        assert!(!artifacts.content(&two.sha256).exists());
        // An upload that was cut off by the end of the process is gone at the next start.
        std::mem::forget(artifacts.incoming().unwrap());
        let artifacts = Artifacts::open(directory.path()).unwrap();
        let names: Vec<_> = fs::read_dir(directory.path().join("artifacts"))
            .unwrap()
            .collect();
        assert_eq!(names.len(), 2);
        assert_eq!(
            fs::read(artifacts.content(&one.sha256)).unwrap(),
            b"a model"
        );
    }

    #[test]
    fn archives_stay_inside_and_are_no_larger_than_they_may_be() {
        let directory = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::open(directory.path()).unwrap();
        let plain = tar_of("folder/model.onnx", tar::EntryType::Regular, b"onnx");
        let kept = keep(&artifacts, &plain).unwrap();
        let files = artifacts.path(&kept.sha256);
        assert_eq!(fs::read(files.join("folder/model.onnx")).unwrap(), b"onnx");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&plain).unwrap();
        let packed = packed.finish().unwrap();
        let kept = keep(&artifacts, &packed).unwrap();
        assert!(
            artifacts
                .path(&kept.sha256)
                .join("folder/model.onnx")
                .exists()
        );

        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        bomb.write_all(&tar_of("big", tar::EntryType::Regular, &vec![0; 200_000]))
            .unwrap();
        for (archive, why) in [
            (tar_of("../out", tar::EntryType::Regular, b"x"), "leads out"),
            (
                tar_of("/etc/out", tar::EntryType::Regular, b"x"),
                "leads out",
            ),
            (
                tar_of("a/../../out", tar::EntryType::Regular, b"x"),
                "leads out",
            ),
            (
                tar_of("link", tar::EntryType::Symlink, b""),
                "neither a file",
            ),
            (tar_of("link", tar::EntryType::Link, b""), "neither a file"),
            (tar_of("pipe", tar::EntryType::Fifo, b""), "neither a file"),
            (
                tar_of("big", tar::EntryType::Regular, &vec![0; 200_000]),
                "more than 100000",
            ),
            (bomb.finish().unwrap(), "more than 100000"),
            (plain[..600].to_vec(), "cannot be read"),
            (packed[..packed.len() / 2].to_vec(), "cannot be read"),
            (b"PK\x03\x04 and more".to_vec(), "zip"),
        ] {
            let error = keep(&artifacts, &archive).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let left = fs::read_dir(directory.path().join("artifacts/incoming")).unwrap();
        assert_eq!(left.count(), 0);
        assert!(!directory.path().join("artifacts/out").exists());
    }
}
