//! The context of a trace that a call belongs to (W3C Trace Context): taken from its headers, and passed on to services.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

/// The header that names the trace and the call.
static PARENT: HeaderName = HeaderName::from_static("traceparent");
/// What systems of traces say to each other.
static STATE: HeaderName = HeaderName::from_static("tracestate");
/// The longest state that is passed on, in bytes: as long as everybody must take.
const MAX_STATE: usize = 512;

tokio::task_local! {
    /// The trace that the present work belongs to.
    static TRACE: Arc<Trace>;
}

/// The context of a trace. Weir makes no spans, so it is passed on as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    parent: HeaderValue,
    state: Option<HeaderValue>,
}

impl Trace {
    /// What the headers of a call say; nothing where they say nothing, or what is none.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(&PARENT).iter();
        let parent = parents.next().filter(|_| parents.next().is_none())?;
        if !is_parent(parent.as_bytes()) {
            return None;
        }
        let mut states = headers.get_all(&STATE).iter();
        let state = states.next().filter(|_| states.next().is_none());
        let state = state.filter(|state| state.len() <= MAX_STATE);
        Some(Self {
            parent: parent.clone(),
            state: state.cloned(),
        })
    }

    /// The trace, as 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        let text = self.parent.to_str().unwrap_or_default();
        text.get(3..35).unwrap_or_default()
    }

    /// Does something as a part of it.
    pub async fn within<T>(self: Arc<Self>, work: impl Future<Output = T>) -> T {
        TRACE.scope(self, work).await
    }

    /// The trace that the present work belongs to.
    pub fn current() -> Option<Arc<Self>> {
        TRACE.try_with(Arc::clone).ok()
    }

    /// Passes it on with a request.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        headers.insert(PARENT.clone(), self.parent.clone());
        if let Some(state) = &self.state {
            headers.insert(STATE.clone(), state.clone());
        }
    }
}

/// `00-` and 32, 16 and 2 hexadecimal digits in lower case, of which neither the trace nor the call is all zeros. Later versions
/// may have more behind it.
fn is_parent(text: &[u8]) -> bool {
    let hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let Some((head, rest)) = text.split_at_checked(55) else {
        return false;
    };
    let (version, dashes) = (&head[..2], [head[2], head[35], head[52]]);
    let (trace, call, flags) = (&head[3..35], &head[36..52], &head[53..55]);
    let ends = match version {
        b"00" => rest.is_empty(),
        b"ff" => false,
        _ => rest.is_empty() || rest[0] == b'-',
    };
    let some = |part: &[u8]| part.iter().any(|b| *b != b'0');
    let digits = [version, trace, call, flags].into_iter().all(hex);
    ends && digits && dashes == [b'-'; 3] && some(trace) && some(call)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_trace_is_passed_over() {
        let of = |parent: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(&PARENT, parent.parse().unwrap());
            Trace::of(&headers).map(|trace| trace.id().to_owned())
        };
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let good = format!("00-{id}-00f067aa0ba902b7-01");
        assert_eq!(of(&good).as_deref(), Some(id));
        assert_eq!(
            of(&format!("01-{id}-00f067aa0ba902b7-01-more")).as_deref(),
            Some(id)
        );
        for bad in [
            String::new(),
            good.to_uppercase(),
            format!("{good}-more"),
            good.replace("00-4", "ff-4"),
            good.replace("00f067aa0ba902b7", "0000000000000000"),
            good.replace(id, &"0".repeat(32)),
            good.replace('-', "_"),
            good[..54].to_owned(),
        ] {
            assert_eq!(of(&bad), None, "{bad}");
        }
        let mut twice = HeaderMap::new();
        twice.append(&PARENT, good.parse().unwrap());
        twice.append(&PARENT, good.parse().unwrap());
        assert_eq!(Trace::of(&twice), None);
    }
}
