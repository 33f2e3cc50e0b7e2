//! Protocols: each makes a call of what came in, and says in its own words what became of it.

pub(crate) mod json;
pub(crate) mod oip;
pub(crate) mod openai;
