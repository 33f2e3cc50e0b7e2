//! Which life of a data directory positions and events belong to. A restore begins another one: what was read after the moment of the
//! backup is not there any more, and other things stand at its positions.

use crate::error::{ApiError, ApiResult};
use crate::state::AppState;
use api::ErrorCode;

impl AppState {
    /// The present one, in eight hexadecimal digits.
    pub(crate) fn generation(&self) -> String {
        let server = self.store.server();
        server[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Whether what is read on from belongs to the present one.
    ///
    /// # Errors
    /// Where it does not.
    pub(crate) fn check_generation(&self, given: Option<&str>) -> ApiResult<()> {
        if given.is_none_or(|given| given == self.generation()) {
            return Ok(());
        }
        let detail = "The server has been restored from a backup since then, and what came after the backup is \
             gone. Read again \
                      from the beginning (`after_position=0`), without `generation`.";
        Err(ApiError::new(ErrorCode::GenerationGone, detail))
    }
}
