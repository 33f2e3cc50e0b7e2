//! Who calls, and what he may.
//!
//! [`border`] keeps other web sites out, [`keys`] says whose key a call brings, [`rights`] has one row for each route. Who calls is
//! known to everything that is done for him ([`CALLER`]), so that each place where a model is found can ask whether he may deal
//! with it ([`check`]), and each change can say whose it was ([`author`]).

pub(crate) mod border;
pub(crate) mod keys;
pub(crate) mod proxy;
pub(crate) mod rights;
#[cfg(test)]
mod tests;

use crate::error::{ApiError, ApiResult};
use crate::state::AppState;
use api::ErrorCode;
use axum::http::{HeaderMap, HeaderName, Request};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use tokio::sync::OwnedSemaphorePermit;
use types::{Author, KeyDefinition, KeyId, Right, Role, Scope};

/// Whether callers need keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Auth {
    /// Nobody does: whoever reaches the server may do everything.
    #[default]
    None,
    /// Everybody does.
    Required,
}

/// Why something was done, in the words of who did it.
static REASON: HeaderName = HeaderName::from_static("x-reason");
/// The longest reason, in characters.
const MAX_REASON: usize = 500;

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The key that he has; none where nobody needs one, or a proxy has said who he is.
    pub(crate) key: Option<KeyId>,
    /// Who he is, where a proxy has said so.
    pub(crate) user: Option<String>,
    /// None where he is nobody.
    pub(crate) role: Option<Role>,
    pub(crate) models: Scope,
    /// The address that the call comes from.
    address: Option<IpAddr>,
    reason: Option<String>,
    /// Among the requests of his key that may be under way at once.
    _place: Option<Arc<OwnedSemaphorePermit>>,
}

tokio::task_local! {
    /// Who the present work is done for; not set where the server does it by itself.
    pub(crate) static CALLER: Arc<Caller>;
}

/// Somebody who may do everything, for calls that are made thousands of times a second.
static ANYBODY: LazyLock<Arc<Caller>> = LazyLock::new(|| Arc::new(Caller::anybody()));

impl Caller {
    fn anybody() -> Self {
        Self {
            key: None,
            user: None,
            role: Some(Role::Admin),
            models: Scope::default(),
            address: None,
            reason: None,
            _place: None,
        }
    }

    /// The holder of a key.
    fn with_key(id: KeyId, definition: &KeyDefinition) -> Self {
        Self {
            key: Some(id),
            role: Some(definition.role),
            models: definition.models.clone(),
            ..Self::anybody()
        }
    }

    /// Somebody who may only do what anybody may.
    pub(crate) fn nobody() -> Self {
        Self {
            role: None,
            ..Self::anybody()
        }
    }

    fn may(&self, right: Right) -> bool {
        self.role.is_some_and(|role| role.may(right))
    }

    /// Whether he has a right.
    ///
    /// # Errors
    /// Where he has not.
    pub(crate) fn require(&self, right: Right) -> ApiResult<()> {
        if self.may(right) {
            return Ok(());
        }
        let roles = Role::with(right);
        let role = self.role.map_or("none", Role::as_str);
        let detail = format!(
            "{} has the role {role}, but this call needs {roles}.",
            self.name()
        );
        Err(ApiError::new(ErrorCode::Forbidden, detail))
    }

    /// What he may see, as a text: the same for all who see the same.
    pub(crate) fn sees(&self) -> String {
        let role = self.role.map_or("none", Role::as_str);
        format!("{role} {:?}", self.models)
    }

    /// Who he is, at the beginning of a sentence.
    fn name(&self) -> String {
        match (&self.key, &self.user) {
            (Some(key), _) => format!("The key {key}"),
            (None, Some(user)) => format!("The user {user}"),
            (None, None) => "A caller without a key".into(),
        }
    }

    /// Whether he may deal with a model.
    ///
    /// # Errors
    /// Where he may not.
    pub(crate) fn check(&self, name: &str) -> ApiResult<()> {
        if self.models.has(name) {
            return Ok(());
        }
        let detail = format!(
            "{} has no access to the model {name}, only to {}.",
            self.name(),
            self.patterns()
        );
        Err(ApiError::new(ErrorCode::Forbidden, detail))
    }

    fn patterns(&self) -> String {
        let patterns = self.models.patterns().iter().cloned();
        patterns.map(String::from).collect::<Vec<_>>().join(", ")
    }
}

/// Says who calls. Where he changes something it is said from where, and why.
///
/// # Errors
/// Where he needs a key, and has none that is good, or comes from another web site.
pub(crate) fn admit<B>(
    state: &AppState,
    request: &Request<B>,
    address: IpAddr,
    changes: bool,
) -> ApiResult<Arc<Caller>> {
    let border = state.border.load();
    border::check(request, &border, state.config.tls.is_some())?;
    let caller = match state.config.auth {
        Auth::None => Arc::clone(&ANYBODY),
        Auth::Required => match state.keys.caller(request, state.clock.now())? {
            Some(caller) => caller,
            // A call with a key is the key's, whatever a proxy says.
            None => {
                let caller = proxy::caller(request.headers(), address, &border.proxy);
                Arc::new(caller.ok_or_else(keys::needed)?)
            }
        },
    };
    if !changes {
        return Ok(caller);
    }
    let mut caller = Arc::unwrap_or_clone(caller);
    caller.address = Some(proxy::address(request.headers(), address, &border.proxy));
    caller.reason = reason(request.headers())?;
    Ok(Arc::new(caller))
}

/// Why something is changed, where it is said.
fn reason(headers: &HeaderMap) -> ApiResult<Option<String>> {
    let Some(said) = headers.get(&REASON) else {
        return Ok(None);
    };
    let wrong = |detail: String| Err(ApiError::new(ErrorCode::InvalidRequest, detail));
    let Ok(said) = std::str::from_utf8(said.as_bytes()) else {
        return wrong("The header X-Reason is no UTF-8.".into());
    };
    let said = said.trim();
    let length = said.chars().count();
    if length > MAX_REASON {
        return wrong(format!(
            "The header X-Reason has {length} characters; at most {MAX_REASON} are kept. Say it in short."
        ));
    }
    Ok((!said.is_empty()).then(|| said.to_owned()))
}

/// Whether who calls may deal with a model.
///
/// # Errors
/// Where he may not.
pub(crate) fn check(name: &str) -> ApiResult<()> {
    CALLER
        .try_with(|caller| caller.check(name))
        .unwrap_or(Ok(()))
}

/// The same, where others are left out.
pub(crate) fn covers(name: &str) -> bool {
    CALLER
        .try_with(|caller| caller.models.has(name))
        .unwrap_or(true)
}

/// Whether who calls may ask about all models at once, where he names none.
///
/// # Errors
/// Where he has to name one of his.
pub(crate) fn check_option(name: Option<&str>) -> ApiResult<()> {
    let check = |caller: &Arc<Caller>| match name {
        Some(name) => caller.check(name),
        None if caller.models.is_all() => Ok(()),
        None => {
            let detail = format!(
                "{} has access to some models only ({}): name one of them.",
                caller.name(),
                caller.patterns()
            );
            Err(ApiError::new(ErrorCode::Forbidden, detail))
        }
    };
    CALLER.try_with(check).unwrap_or(Ok(()))
}

/// The key of who calls.
pub(crate) fn key() -> Option<KeyId> {
    CALLER.try_with(|caller| caller.key).unwrap_or(None)
}

/// Who calls, by his key or the name that a proxy has given; nobody where neither is needed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Who {
    key: Option<KeyId>,
    user: Option<String>,
}

/// Who calls.
pub(crate) fn who() -> Who {
    let who = |caller: &Arc<Caller>| Who {
        key: caller.key,
        user: caller.user.clone(),
    };
    CALLER.try_with(who).unwrap_or_default()
}

/// Whether who calls has a right.
pub(crate) fn may(right: Right) -> bool {
    CALLER.try_with(|caller| caller.may(right)).unwrap_or(true)
}

/// Who asks for the change that is being made.
pub(crate) fn author() -> Option<Box<Author>> {
    let author = |caller: &Arc<Caller>| Author {
        key: caller.key,
        user: caller.user.clone(),
        address: caller.address.map(|address| address.to_string()),
        reason: caller.reason.clone(),
    };
    CALLER.try_with(author).ok().map(Box::new)
}
