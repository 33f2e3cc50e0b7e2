//! What is known of a unit by its attributes: the segments that it belongs to, for which the same sums are kept once more,
//! and its covariates.

use super::{EXPOSURES, OpenEvidence, Present, UnitPlace};
use crate::StoreError;
use crate::sqlite::feedback::outcomes;
use crate::sqlite::row::corrupt;
use evidence::{
    Covariates, Exposure, SegmentValues, Segments, before, began_before, of_attributes,
};
use rusqlite::{Connection, params};
use std::collections::hash_map::Entry;
use types::{Attributes, Covariate, ExperimentDefinition, ExperimentKey};

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
    /// What is known of a unit that has come to an epoch: as it was at its first exposure in the experiment.
    pub(super) fn of_named(
        &mut self,
        connection: &Connection,
        place: UnitPlace,
        definition: &ExperimentDefinition,
    ) -> Result<(Segments, Covariates), StoreError> {
        if !definition.needs_attributes() {
            let segments = Segments::default();
            let number = place.unit as u64;
            return Ok((segments.with_part(definition, number), Covariates::new()));
        }
        if let Some((segments, covariates)) = self.units.known_elsewhere(connection, place)? {
            return Ok((
                segments.with_part(definition, place.unit as u64),
                covariates,
            ));
        }
        let Present {
            attributes,
            made,
            known_by,
        } = std::mem::take(&mut self.present);
        let (segments, mut covariates) = self.of_attributes(
            connection,
            place.experiment,
            definition,
            attributes.as_deref(),
        )?;
        for (metric, covariate) in definition.metrics.iter().zip(&mut covariates) {
            if metric.covariate == Some(Covariate::Before) {
                let of = (definition.name.as_str(), metric.name.as_str());
                let window = (began_before(metric, made), made);
                let came = match outcomes::are_there(connection)? {
                    true => outcomes::of_unit(connection, of, place.unit, window)?,
                    false => Vec::new(),
                };
                *covariate = before(metric, made, known_by, &came);
            }
        }
        Ok((
            segments.with_part(definition, place.unit as u64),
            covariates,
        ))
    }

    /// What is known of a unit that is a prediction of its own.
    pub(super) fn of_own(
        &mut self,
        connection: &Connection,
        exposure: &Exposure,
        definition: &ExperimentDefinition,
        attributes: Option<&str>,
    ) -> Result<(Segments, Covariates), StoreError> {
        let experiment = exposure.experiment;
        let (segments, covariates) =
            self.of_attributes(connection, experiment, definition, attributes)?;
        Ok((segments.with_part(definition, exposure.order), covariates))
    }

    /// The segments that attributes, as JSON, belong to, and the covariates that they tell.
    fn of_attributes(
        &mut self,
        connection: &Connection,
        experiment: ExperimentKey,
        definition: &ExperimentDefinition,
        attributes: Option<&str>,
    ) -> Result<(Segments, Covariates), StoreError> {
        if !definition.needs_attributes() {
            return Ok(Default::default());
        }
        let attributes: Attributes = attributes
            .map(serde_json::from_str)
            .transpose()
            .map_err(|_| StoreError::Corrupt("the attributes of a prediction".into()))?
            .unwrap_or_default();
        let segments = self.segments_of(connection, experiment, definition, &attributes)?;
        Ok((segments, of_attributes(definition, &attributes)))
    }

    /// The segments that attributes belong to. Values that are new are kept.
    fn segments_of(
        &mut self,
        connection: &Connection,
        experiment: ExperimentKey,
        definition: &ExperimentDefinition,
        attributes: &Attributes,
    ) -> Result<Segments, StoreError> {
        if definition.dimensions.is_empty() {
            return Ok(Segments::default());
        }
        let known = match self.segments.entry(experiment) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(entry) => entry.insert(segment_values(connection, experiment)?),
        };
        known.of(definition, attributes, |dimension, place, value| {
            let mut insert = connection.prepare_cached(
                "INSERT INTO experiment_segments (experiment_key, dimension, place, value) VALUES (?1, ?2, ?3, ?4)",
            )?;
            insert.execute(params![experiment.0, dimension as i64, place as i64, value])?;
            Ok(())
        })
    }
}
