//! What can go wrong with a store. Absence is no error: it is `None`.

use crate::sqlite::DATABASE;
use rusqlite::ErrorCode;
use std::path::PathBuf;

/// A store that does not answer, or holds what it should not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be written or read now: full, read-only, failing, or shut down.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// A stored value that this program cannot have written, or one that the database will never take.
    #[error("the database holds what it should not: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Whether the same may work later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::FromSqlConversionFailure(_, _, why) => Self::Corrupt(why.to_string()),
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::QueryReturnedNoRows
            | rusqlite::Error::Utf8Error(..) => Self::Corrupt(error.to_string()),
            // A damaged file may be mended or put back; what these say of a row stays true.
            rusqlite::Error::SqliteFailure(failure, _)
                if matches!(
                    failure.code,
                    ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig
                ) =>
            {
                Self::Corrupt(error.to_string())
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be made, read or written.
    #[error("cannot use the data directory {path}: {reason}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another server has it open.
    #[error("another weir server is using the data directory {0}")]
    InUse(PathBuf),
    /// It has held more than is there.
    #[error("the data directory {path} has held more than its {DATABASE} has: {reason}")]
    Emptied {
        /// The directory.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A newer program has written it.
    #[error("the database is of schema {found}, this program knows up to {known}")]
    Newer {
        /// The schema of the database.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// Another program has written it.
    #[error(
        "{DATABASE} is the database of another program: it has the schema {found}, which weir never writes"
    )]
    NotOurs {
        /// The schema that it names.
        found: i64,
    },
    /// An older program has written it, and it is only read here.
    #[error(
        "the database is of schema {found}; a server of this release brings it to {known} when it starts"
    )]
    Older {
        /// The schema of the database.
        found: i64,
        /// The schema that this program reads.
        known: i64,
    },
    /// It fails otherwise.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
