//! Columns read by name. One that does not hold what this program writes is an error that says which.

use rusqlite::Row;
use rusqlite::types::{FromSql, Type};
use serde::de::DeserializeOwned;
use types::Timestamp;

/// A column that holds what this program cannot have written.
pub(super) fn corrupt(name: &str) -> rusqlite::Error {
    let why = format!("{name} is not what this program writes");
    rusqlite::Error::FromSqlConversionFailure(0, Type::Null, why.into())
}

/// Columns read one after the other, in the order of the statement: a search by name for each of 27 columns costs more than
/// reading them does.
pub(super) struct InOrder<'a> {
    row: &'a Row<'a>,
    at: usize,
}

impl<'a> InOrder<'a> {
    pub(super) fn new(row: &'a Row<'a>) -> Self {
        Self { row, at: 0 }
    }

    fn place(&mut self) -> usize {
        self.at += 1;
        self.at - 1
    }

    /// The column that was read last holds what this program cannot have written.
    pub(super) fn corrupt(&self) -> rusqlite::Error {
        let name = self.row.as_ref().column_name(self.at.saturating_sub(1));
        corrupt(name.unwrap_or("a column"))
    }

    pub(super) fn get<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        let place = self.place();
        self.row.get(place)
    }

    /// A number of 64 bits without a sign.
    pub(super) fn bits(&mut self) -> rusqlite::Result<u64> {
        self.get::<i64>().map(|bits| bits as u64)
    }

    /// A text that means something.
    pub(super) fn parsed<T, E>(
        &mut self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> rusqlite::Result<T> {
        let place = self.place();
        let parsed = parse(self.row.get_ref(place)?.as_str()?);
        parsed.map_err(|_| self.corrupt())
    }

    /// The same of a text that may be missing.
    pub(super) fn parsed_option<T, E>(
        &mut self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> rusqlite::Result<Option<T>> {
        let place = self.place();
        let text = self.row.get_ref(place)?.as_str_or_null()?;
        let parsed = text.map(parse).transpose();
        parsed.map_err(|_| self.corrupt())
    }

    pub(super) fn json_option<T: DeserializeOwned>(&mut self) -> rusqlite::Result<Option<T>> {
        self.parsed_option(|text| serde_json::from_str(text))
    }
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
