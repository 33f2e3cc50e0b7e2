//! Evidence by segment: the same sums once more for the segments that a unit belongs to.

use super::{EXPOSURES, OpenEvidence, UnitPlace};
use crate::StoreError;
use crate::sqlite::row::corrupt;
use evidence::{SegmentValues, Segments};
use rusqlite::{Connection, params};
use std::collections::hash_map::Entry;
use types::{Attributes, ExperimentDefinition, ExperimentKey};

/// Sums of a segment stand at the place of the metric and so many times its number; those of its exposures at the last
/// place.
const PER_SEGMENT: i64 = 1000;

/// Where the sums of a metric, or of exposures, are in a segment; 0 is that of all units.
pub(in crate::sqlite) fn in_segment(metric: i64, segment: u16) -> i64 {
    let place = match (metric, segment) {
        (EXPOSURES, 1..) => PER_SEGMENT - 1,
        _ => metric,
    };
    place + PER_SEGMENT * i64::from(segment)
}

/// Whether sums are of all units.
pub(in crate::sqlite) fn is_of_all(metric: i64) -> bool {
    metric < PER_SEGMENT
}

/// The place of the metric of a row, whatever its segment.
pub(super) fn metric_of(place: i64) -> i64 {
    place % PER_SEGMENT
}

/// The values of the dimensions of an experiment, in the order in which they came.
pub(in crate::sqlite) fn segment_values(
    connection: &Connection,
    experiment: ExperimentKey,
) -> Result<SegmentValues, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT dimension, value FROM experiment_segments WHERE experiment_key = ?1 ORDER BY dimension, place",
    )?;
    let mut values = SegmentValues::default();
    let mut rows = select.query([experiment.0])?;
    while let Some(row) = rows.next()? {
        let dimension: i64 = row.get("dimension")?;
        let place = usize::try_from(dimension).map_err(|_| corrupt("dimension"))?;
        values.push(place, row.get("value")?);
    }
    Ok(values)
}

impl OpenEvidence {
    /// The segments of a unit that has come to an epoch: those of its first exposure in the experiment.
    pub(super) fn segments_of_unit(
        &mut self,
        connection: &Connection,
        place: UnitPlace,
        definition: &ExperimentDefinition,
    ) -> Result<Segments, StoreError> {
        if definition.dimensions.is_empty() {
            return Ok(Segments::new());
        }
        if let Some(known) = self.units.segments_elsewhere(connection, place)? {
            return Ok(known);
        }
        let present = self.present.take();
        self.segments_of(connection, place.experiment, definition, present.as_deref())
    }

    /// The segments that attributes, as JSON, belong to. Values that are new are kept.
    pub(super) fn segments_of(
        &mut self,
        connection: &Connection,
        experiment: ExperimentKey,
        definition: &ExperimentDefinition,
        attributes: Option<&str>,
    ) -> Result<Segments, StoreError> {
        if definition.dimensions.is_empty() {
            return Ok(Segments::new());
        }
        let attributes: Attributes = attributes
            .map(serde_json::from_str)
            .transpose()
            .map_err(|_| StoreError::Corrupt("the attributes of a prediction".into()))?
            .unwrap_or_default();
        let known = match self.segments.entry(experiment) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(entry) => entry.insert(segment_values(connection, experiment)?),
        };
        known.of(definition, &attributes, |dimension, place, value| {
            let mut insert = connection.prepare_cached(
                "INSERT INTO experiment_segments (experiment_key, dimension, place, value) VALUES (?1, ?2, ?3, ?4)",
            )?;
            insert.execute(params![experiment.0, dimension as i64, place as i64, value])?;
            Ok(())
        })
    }
}
