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
const MOST_ENTRIES: usize = 1_000;
/// The deepest and the longest path of a file.
const MOST_DEEP: usize = 32;
const LONGEST_PATH: usize = 1024;
/// The longest name and the longest record of it that stand before a file, in bytes.
const LONGEST_RECORD: u64 = 64 << 10;

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
        if self.is_there(&artifact) {
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

    /// Whether the bytes are there, all of them.
    pub fn is_there(&self, artifact: &Artifact) -> bool {
        let content = self.content(&artifact.sha256).metadata();
        content.is_ok_and(|content| content.len() == artifact.bytes)
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
///
/// Long names stand in entries of their own before a file; they are read here, because their readers take whatever length they
/// are said to have.
fn unpack(archive: impl Read, to: &Path, most: u64) -> Result<(), InvalidArtifact> {
    let wrong = |why: String| InvalidArtifact::Archive(why);
    // What a library says of bytes that are no archive has these bytes in it.
    let unreadable = |error: io::Error| match error.raw_os_error() {
        Some(_) => wrong(format!("the archive cannot be read: {error}")),
        None => wrong("the archive cannot be read: it is damaged, or no tar archive".into()),
    };
    // Headers count too: an archive of nothing but headers ends as well.
    let limited = archive.take(most.saturating_add(MOST_ENTRIES as u64 * 4096));
    let mut archive = tar::Archive::new(limited);
    let (mut count, mut left, mut long) = (0, most, None);
    for entry in archive.entries().map_err(unreadable)?.raw(true) {
        let mut entry = entry.map_err(unreadable)?;
        let kind = entry.header().entry_type();
        count += 1;
        if count > 2 * MOST_ENTRIES {
            return Err(wrong(format!(
                "the archive has more than {MOST_ENTRIES} files"
            )));
        }
        if kind.is_gnu_longname()
            || kind.is_pax_local_extensions()
            || kind.is_pax_global_extensions()
        {
            if entry.size() > LONGEST_RECORD {
                return Err(wrong("the archive has a name that is too long".into()));
            }
            let mut record = Vec::new();
            entry.read_to_end(&mut record).map_err(unreadable)?;
            match kind.is_gnu_longname() {
                true => {
                    long = Some(
                        record
                            .split(|byte| *byte == 0)
                            .next()
                            .unwrap_or_default()
                            .to_vec(),
                    )
                }
                false if kind.is_pax_local_extensions() => long = pax_path(&record)?.or(long),
                false => {}
            }
            continue;
        }
        let path = match long.take() {
            Some(long) => PathBuf::from(String::from_utf8_lossy(&long).into_owned()),
            None => entry.path().map_err(unreadable)?.into_owned(),
        };
        let shown: String = path.display().to_string().chars().take(200).collect();
        let Some(inside) = inside(&path) else {
            return Err(wrong(format!(
                "the archive has a path that leads out of it: {shown:?}"
            )));
        };
        let too_long =
            path.as_os_str().len() > LONGEST_PATH || inside.components().count() > MOST_DEEP;
        if too_long {
            return Err(wrong(format!(
                "the archive has a path that is too long or too deep: {shown:?}"
            )));
        }
        // What the archive itself makes impossible is no fault of the disk.
        let cannot = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => wrong(format!("the archive has {shown:?} twice")),
            io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidFilename
            | io::ErrorKind::InvalidInput => wrong(format!(
                "the archive has a path that cannot be: {shown:?}: {error}"
            )),
            _ => error.into(),
        };
        let path = to.join(inside);
        if kind.is_dir() {
            fs::create_dir_all(&path).map_err(cannot)?;
            continue;
        }
        if !kind.is_file() {
            let what = "the archive has something that is neither a file nor a folder";
            return Err(wrong(format!("{what}: {shown:?}")));
        }
        let size = entry.size();
        if size > left {
            return Err(wrong(format!(
                "the files of the archive are more than {most} bytes together"
            )));
        }
        left -= size;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(cannot)?;
        }
        let mut file = File::create_new(&path).map_err(cannot)?;
        let copied = io::copy(&mut entry, &mut file).map_err(unreadable)?;
        if copied != size {
            return Err(wrong("the archive is cut off".into()));
        }
        file.sync_all()?;
    }
    if count == 0 {
        return Err(wrong("the archive is empty".into()));
    }
    Ok(())
}

/// The path that records of pax have for the next file: `length key=value`, one after the other.
fn pax_path(records: &[u8]) -> Result<Option<Vec<u8>>, InvalidArtifact> {
    let odd = || InvalidArtifact::Archive("the archive has a record that cannot be read".into());
    let (mut rest, mut path) = (records, None);
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ').ok_or_else(odd)?;
        let length = std::str::from_utf8(&rest[..space])
            .ok()
            .and_then(|digits| digits.parse::<usize>().ok());
        let length = length
            .filter(|length| (space + 2..=rest.len()).contains(length))
            .ok_or_else(odd)?;
        let record = &rest[space + 1..length - 1];
        if let Some(value) = record.strip_prefix(b"path=") {
            path = Some(value.to_vec());
        } else if record.starts_with(b"size=") || record.starts_with(b"GNU.sparse") {
            return Err(InvalidArtifact::Archive(
                "the archive has a file of a form that is not taken (pax size or sparse)".into(),
            ));
        }
        rest = &rest[length..];
    }
    Ok(path)
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

    /// An archive whose first name is said to have so many bytes.
    fn long_name(bytes: u64) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(bytes);
        header.set_cksum();
        let mut archive = header.as_bytes().to_vec();
        let name = "n".repeat(bytes.min(2048) as usize);
        archive.extend_from_slice(name.as_bytes());
        archive.resize(archive.len().div_ceil(512) * 512, 0);
        archive.extend_from_slice(&tar_of("short", tar::EntryType::Regular, b"x"));
        archive
    }

    #[test]
    fn long_names_are_names() {
        let directory = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::open(directory.path()).unwrap();
        let name = format!("{}/model.onnx", "folder".repeat(30));
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        builder
            .append_data(&mut header, &name, &b"onnx"[..])
            .unwrap();
        let kept = keep(&artifacts, &builder.into_inner().unwrap()).unwrap();
        assert_eq!(
            fs::read(artifacts.path(&kept.sha256).join(name)).unwrap(),
            b"onnx"
        );
        assert_eq!(
            pax_path(b"12 path=a/b\n11 mtime=1\n").unwrap(),
            Some(b"a/b".to_vec())
        );
        for bad in [
            &b"99 path=a\n"[..],
            b"x path=a\n",
            b"0 ",
            b"16 size=12345678\n",
        ] {
            assert!(pax_path(bad).is_err());
        }
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
            (tar_of(".", tar::EntryType::Regular, b"x"), "cannot be"),
            (long_name(1 << 30), "too long"),
            (long_name(2000), "too long or too deep"),
        ] {
            let error = keep(&artifacts, &archive).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let left = fs::read_dir(directory.path().join("artifacts/incoming")).unwrap();
        assert_eq!(left.count(), 0);
        assert!(!directory.path().join("artifacts/out").exists());
    }
}
