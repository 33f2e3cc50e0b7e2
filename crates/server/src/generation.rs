//! Which life of a data directory positions and events belong to. A restore begins another one: what was read after the moment of the
//! backup is not there any more, and other things stand at its positions.

use crate::error::{ApiError, ApiResult};
use crate::state::AppState;
use api::ErrorCode;
use std::fmt::Display;

impl AppState {
    /// The present one, in eight hexadecimal digits.
    pub(crate) fn generation(&self) -> String {
        let server = self.store.server();
        server[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Where the next page goes on, after the id of the last entry of this one. A dot is in no id.
    pub(crate) fn cursor(&self, last: impl Display) -> String {
        format!("{}.{last}", self.generation())
    }

    /// The id that a cursor goes on after. Those of releases before had no generation.
    ///
    /// # Errors
    /// Where it belongs to another generation.
    pub(crate) fn of_cursor<'a>(&self, cursor: Option<&'a str>) -> ApiResult<Option<&'a str>> {
        let Some((generation, last)) = cursor.and_then(|cursor| cursor.split_once('.')) else {
            return Ok(cursor);
        };
        self.check_generation("?cursor", Some(generation))?;
        Ok(Some(last))
    }

    /// Whether what is read on from belongs to the present one; `pointer` names where that was said.
    ///
    /// # Errors
    /// Where it does not, or is none.
    pub(crate) fn check_generation(&self, pointer: &str, given: Option<&str>) -> ApiResult<()> {
        let Some(given) = given.filter(|given| *given != self.generation()) else {
            return Ok(());
        };
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if given.len() != 8 || !given.bytes().all(is_digit) {
            return Err(ApiError::field(
                pointer,
                "must be what the page before said",
            ));
        }
        let again = match pointer {
            "?cursor" => "Begin again without `cursor`.",
            "?generation" => {
                "Read again from the beginning, with `after_position=0` and without `generation`."
            }
            _ => "Listen without `Last-Event-ID`, or with `after`, and read what you need again.",
        };
        let detail = format!(
            "The server has been restored from a backup since then, and what came after the backup is gone. {again}"
        );
        Err(ApiError::new(ErrorCode::GenerationGone, detail))
    }
}
