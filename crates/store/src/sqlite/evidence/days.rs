//! Units by the day on which they came to an experiment, beside its other sums: so that it can be seen whether an effect
//! changes.

use super::{COLUMNS, Place, read_sums};
use crate::StoreError;
use crate::sqlite::row::corrupt;
use evidence::{Bets, Delta};
use rusqlite::Connection;
use types::{DayEvidence, ExperimentKey, VersionKey};

/// Sums of days stand so far behind the place of their metric, and start when the day does.
const DAYS: i64 = 1_000_000_000;

/// Whether sums are of a day.
pub(super) fn is_day(place: i64) -> bool {
    place >= DAYS
}

/// What changes in a day, where a metric with this place and start of the day changes so.
pub(super) fn change(place: Place, bets: &Bets) -> Option<(Place, Delta)> {
    let of_day = bets.of_day();
    let place = Place {
        metric: DAYS + place.metric,
        ..place
    };
    let change = |bets| Delta {
        bets,
        ..Delta::default()
    };
    (!of_day.is_empty()).then(|| (place, change(of_day)))
}

/// What an arm has of days in an epoch: by server, the place of the metric, the day and the sums.
pub(in crate::sqlite) fn days_of(
    connection: &Connection,
    (experiment, epoch, version): (ExperimentKey, i64, VersionKey),
    mut found: impl FnMut(usize, i64, &Bets),
) -> Result<(), StoreError> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT metric, start, {COLUMNS} FROM evidence WHERE experiment_key = ?1 AND epoch = ?2 AND version_key = ?3 \
         AND metric >= ?4"
    ))?;
    let mut rows = select.query([experiment.0, epoch, version.0, DAYS])?;
    while let Some(row) = rows.next()? {
        let metric: i64 = row.get("metric")?;
        let metric = usize::try_from(metric - DAYS).map_err(|_| corrupt("metric"))?;
        let day = DayEvidence::of(row.get("start")?);
        found(metric, day, &read_sums(row)?.bets);
    }
    Ok(())
}
