//! From an entry of the log to units, maturity and sums.
//!
//! What a prediction is worth for a metric is said once ([`Outcome`]); what an entry adds to which sum is the
//! difference of two outcomes ([`exposed`], [`valued`]), taken by its unit ([`UnitMetric`]), whose squares are kept
//! by stretch of exposure time. Roll-ups ([`Rollup`]) sum predictions as they are. A writer, a recount and a simulation
//! call the same functions; none of them does IO.
#![warn(missing_docs)]

mod bets;
pub mod betting;
mod covariate;
mod exact;
mod minute;
mod outcome;
mod part;
mod recount;
mod rollup;
mod segment;
mod unit;

pub use bets::{Bets, Coin, Drawn, Seen, Terms, WithoutLines, has_bets, pair_share, questions};
pub use covariate::{Covariates, before, began_before, covariate_of, earlier_value, of_attributes};
pub use exact::ExactSum;
pub use minute::minute_of;
pub use outcome::{
    Came, EarlierUnit, Exposure, Happened, Outcome, Together, UnitOutcomes, UnitWorth, exposed,
    first_exposed, matured_worth, until, valued, without_value,
};
pub use part::{Parts, part_of};
pub use recount::{Cell, Exposed, Facts, Given, Recount, Unit};
pub use rollup::{Rollup, RowHash, Sample, Tier, decode, encode};
pub use segment::{SegmentValues, Segments};
pub use unit::{
    CovariateDelta, Delta, Gain, Happening, UnitMetric, UnitOutcome, cutoff, earlier,
    matured_before, start_of,
};
