//! Which version answers this request.
//!
//! A model's published traffic becomes a [`Routes`] once, when it changes; [`Routes::assign`] then
//! chooses a version for each request. The choice is a function of its arguments: this crate knows
//! nothing of IO, async, clocks or ambient randomness, so a choice can be replayed and audited.
#![warn(missing_docs)]

mod alias_table;
mod hash;
mod routes;

pub use hash::{Hash, hash_parts, unit_interval};
pub use routes::{Assignment, NoVersion, Routes};
