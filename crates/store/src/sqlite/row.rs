//! Columns read by name. One that does not hold what this program writes is an error that says which.

use rusqlite::Row;
use rusqlite::types::Type;
use serde::de::DeserializeOwned;
use types::Timestamp;

/// A column that holds what this program cannot have written.
pub(super) fn corrupt(name: &str) -> rusqlite::Error {
    let why = format!("{name} is not what this program writes");
    rusqlite::Error::FromSqlConversionFailure(0, Type::Null, why.into())
}

pub(super) trait ByName {
    /// A text that means something.
    fn parsed<T, E>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> rusqlite::Result<T>;

    /// The same of a text that may be missing.
    fn parsed_option<T, E>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> rusqlite::Result<Option<T>>;

    fn json<T: DeserializeOwned>(&self, name: &str) -> rusqlite::Result<T> {
        self.parsed(name, |text| serde_json::from_str(text))
    }

    fn json_option<T: DeserializeOwned>(&self, name: &str) -> rusqlite::Result<Option<T>> {
        self.parsed_option(name, |text| serde_json::from_str(text))
    }

    /// Microseconds.
    fn time(&self, name: &str) -> rusqlite::Result<Timestamp>;

    /// A number of things; what is below 0 is none.
    fn count(&self, name: &str) -> rusqlite::Result<u64>;

    /// A number of 64 bits without a sign.
    fn bits(&self, name: &str) -> rusqlite::Result<u64>;
}

impl ByName for Row<'_> {
    fn parsed<T, E>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> rusqlite::Result<T> {
        parse(self.get_ref(name)?.as_str()?).map_err(|_| corrupt(name))
    }

    fn parsed_option<T, E>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> rusqlite::Result<Option<T>> {
        let text = self.get_ref(name)?.as_str_or_null()?;
        text.map(|text| parse(text).map_err(|_| corrupt(name)))
            .transpose()
    }

    fn time(&self, name: &str) -> rusqlite::Result<Timestamp> {
        self.get(name).map(Timestamp::from_micros)
    }

    fn count(&self, name: &str) -> rusqlite::Result<u64> {
        Ok(u64::try_from(self.get::<_, i64>(name)?).unwrap_or(0))
    }

    fn bits(&self, name: &str) -> rusqlite::Result<u64> {
        self.get::<_, i64>(name).map(|bits| bits as u64)
    }
}
