//! Keys of the server itself, as files in the data directory that nobody else may read.

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::OpenOptions;
use std::io::{Error, Read, Write};
use std::path::Path;

const KEY_BYTES: usize = 32;

/// Reads a key of a data directory, which is made where there is none.
///
/// # Errors
/// When it cannot be read or made. `without` says what follows where it is lost.
pub(crate) fn key(directory: &Path, name: &str, without: &str) -> std::io::Result<hmac::Key> {
    let path = directory.join(name);
    let key = match std::fs::File::open(&path) {
        Ok(mut file) => {
            let mut key = Vec::with_capacity(KEY_BYTES);
            file.read_to_end(&mut key)?;
            key
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(directory, name)?,
        Err(error) => return Err(error),
    };
    if key.len() != KEY_BYTES {
        let path = path.display();
        return Err(Error::other(format!(
            "{path} is no key of {KEY_BYTES} bytes; remove it, and {without}"
        )));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::other("the system gives no random bytes"))?;
    Ok(bytes)
}

/// Makes a key. Where another start was faster, its key is taken.
fn make(directory: &Path, name: &str) -> std::io::Result<Vec<u8>> {
    let key = random::<KEY_BYTES>()?;
    let path = directory.join(name);
    let begun = directory.join(format!("{name}.new"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&begun)?;
    file.write_all(&key)?;
    file.sync_all()?;
    std::fs::rename(&begun, &path)?;
    std::fs::File::open(directory)?.sync_all()?;
    Ok(key.to_vec())
}
