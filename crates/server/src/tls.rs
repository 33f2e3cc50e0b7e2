//! TLS by rustls: a certificate and a key as files, which are read again when they change.

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, version};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio_rustls::TlsAcceptor;

/// The files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and what leads from it to an authority, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
}

/// Why connections cannot be encrypted.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", file.display())]
pub struct TlsError {
    /// The file that is wrong.
    file: PathBuf,
    /// What is wrong with it.
    reason: String,
}

/// What connections are encrypted with now.
pub(crate) struct Tls {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
    /// When the files were written that were tried last.
    tried: Mutex<Stamp>,
}

/// When both files were written, as far as that is known.
type Stamp = [Option<SystemTime>; 2];

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub(crate) fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let stamp = stamp(&files);
        Ok(Self {
            config: ArcSwap::from_pointee(read(&files)?),
            files,
            tried: Mutex::new(stamp),
        })
    }

    /// For the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }

    /// Reads the files again where they have changed, or where somebody asks for it. What is wrong with them is said, and what was read before stays.
    pub(crate) fn look(&self, asked: bool) {
        let now = stamp(&self.files);
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if *tried == now && !asked {
            return;
        }
        *tried = now;
        drop(tried);
        match read(&self.files) {
            Ok(config) => {
                self.config.store(Arc::new(config));
                tracing::info!("the certificate was read again: new connections have it");
            }
            Err(error) => {
                tracing::error!(%error, "the certificate has changed and cannot be used; the one before stays");
            }
        }
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    let written = |path: &PathBuf| {
        std::fs::metadata(path)
            .and_then(|found| found.modified())
            .ok()
    };
    [written(&files.certificate), written(&files.key)]
}

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let wrong = |file: &PathBuf, reason: &dyn std::fmt::Display| TlsError {
        file: file.clone(),
        reason: reason.to_string(),
    };
    let of = |error: &dyn std::fmt::Display| wrong(&files.certificate, error);
    let chain = CertificateDer::pem_file_iter(&files.certificate).map_err(|error| of(&error))?;
    let chain: Vec<CertificateDer<'static>> = chain
        .collect::<Result<_, _>>()
        .map_err(|error| of(&error))?;
    if chain.is_empty() {
        return Err(of(&"no certificate is in it"));
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong(&files.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| of(&error))?;
    let mut config = builder
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| {
            wrong(
                &files.key,
                &format_args!("does not fit the certificate: {error}"),
            )
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
