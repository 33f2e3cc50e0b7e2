//! Segments: the units of an experiment by what was known of them at their first exposure.

use crate::part::part_of;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use types::{AttributeValue, Attributes, ExperimentDefinition, MAX_VALUES, Metric, SegmentOf};

/// The place of all further values of a dimension.
const OTHER: usize = MAX_VALUES;
/// The place of those without the attribute.
const NONE: usize = MAX_VALUES + 1;
/// Numbers that each dimension has.
const PER_DIMENSION: usize = 32;

/// The first number of a part; those of segments are below.
const FIRST_PART: u16 = u16::MAX - 255;

/// What a unit belongs to since it came to the experiment: its segments, one for each dimension, and where parts of the units
/// are kept, its part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Segments(SmallVec<[u16; 4]>);

impl Segments {
    /// The same of a unit with a number, of an experiment that keeps parts; who has one stays there.
    #[must_use]
    pub fn with_part(mut self, definition: &ExperimentDefinition, number: u64) -> Self {
        let has_one = self.0.last().is_some_and(|last| *last >= FIRST_PART);
        let mut metrics = definition.metrics.iter();
        if !has_one && metrics.any(|metric| definition.keeps_parts(metric)) {
            self.0.push(FIRST_PART + u16::from(part_of(number)));
        }
        self
    }

    /// The segments, numbers from 1.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        let all = self.0.iter().copied();
        all.filter(|number| *number < FIRST_PART)
    }

    /// The part, for a metric by whose parts sums are kept.
    pub fn part(&self, definition: &ExperimentDefinition, metric: &Metric) -> Option<u8> {
        let part = self.0.last()?.checked_sub(FIRST_PART)?;
        definition.keeps_parts(metric).then_some(part as u8)
    }
}

/// The values that each dimension of an experiment has had, in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SegmentValues(Vec<Vec<String>>);

impl SegmentValues {
    /// A value that is known, at the next place of a dimension.
    pub fn push(&mut self, dimension: usize, value: String) {
        if self.0.len() <= dimension {
            self.0.resize_with(dimension + 1, Vec::new);
        }
        self.0[dimension].push(value);
    }

    /// The segments of a unit with attributes. A value that is new and has a place is given to `new` with its dimension
    /// and its place.
    pub fn of<E>(
        &mut self,
        definition: &ExperimentDefinition,
        attributes: &Attributes,
        mut new: impl FnMut(usize, usize, &str) -> Result<(), E>,
    ) -> Result<Segments, E> {
        let mut segments = Segments::default();
        for (dimension, name) in definition.dimensions.iter().enumerate() {
            if self.0.len() <= dimension {
                self.0.resize_with(dimension + 1, Vec::new);
            }
            let values = &mut self.0[dimension];
            let place = match attributes.get(name).map(text) {
                None => NONE,
                Some(text) => match values.iter().position(|known| *known == text) {
                    Some(place) => place,
                    None if values.len() >= MAX_VALUES => OTHER,
                    None => {
                        new(dimension, values.len(), &text)?;
                        values.push(text);
                        values.len() - 1
                    }
                },
            };
            segments.0.push(number(dimension, place));
        }
        Ok(segments)
    }

    /// Whether a value of a dimension has a place of its own.
    pub fn is_told_apart(&self, dimension: usize, value: &AttributeValue) -> bool {
        let text = text(value);
        let values = self.0.get(dimension);
        values.is_some_and(|values| values.contains(&text))
    }

    /// The segments that there may be of so many dimensions: number, dimension and value.
    pub fn all(&self, dimensions: usize) -> impl Iterator<Item = (u16, usize, SegmentOf)> + '_ {
        (0..dimensions).flat_map(|dimension| {
            let values = self.0.get(dimension).map_or(&[][..], Vec::as_slice);
            let known = values.iter().cloned().map(SegmentOf::Value);
            let known = known.enumerate();
            let rest = [(OTHER, SegmentOf::Other), (NONE, SegmentOf::None)];
            let all = known.chain(rest);
            all.map(move |(place, value)| (number(dimension, place), dimension, value))
        })
    }
}

fn number(dimension: usize, place: usize) -> u16 {
    (dimension * PER_DIMENSION + place + 1) as u16
}

/// The text by which a value is told from others.
fn text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Text(text) => text.clone(),
        AttributeValue::Number(number) => number.to_string(),
        AttributeValue::Bool(yes) => yes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{ModelName, VersionKey};

    fn definition(dimensions: &[&str]) -> ExperimentDefinition {
        let arm = |n: i64| types::Arm {
            key: VersionKey(n),
            model_id: types::ModelId::from_bits(n as u64),
            version: types::VersionName::parse(&n.to_string()).unwrap(),
            weight: 1.0,
        };
        let metrics = vec![types::BuiltIn::Error.metric()];
        let name = ModelName::parse("m").unwrap();
        ExperimentDefinition {
            dimensions: dimensions.iter().map(ToString::to_string).collect(),
            ..ExperimentDefinition::new(name, vec![arm(1), arm(2)], metrics)
        }
    }

    #[test]
    fn the_first_values_are_told_apart_and_the_rest_counts_together() {
        let definition = definition(&["country", "beta"]);
        let mut values = SegmentValues::default();
        let mut told = Vec::new();
        for n in 0..25 {
            let attributes = format!(r#"{{"country": "c{n}", "beta": {}}}"#, n % 2 == 0);
            let attributes: Attributes = serde_json::from_str(&attributes).unwrap();
            let new = |dimension: usize, place: usize, text: &str| {
                told.push((dimension, place, text.to_owned()));
                Ok::<(), ()>(())
            };
            let segments = values.of(&definition, &attributes, new).unwrap();
            let country = (n as u16 + 1).min(OTHER as u16 + 1);
            assert_eq!(segments.0[..], [country, 33 + (n % 2) as u16]);
        }
        assert_eq!(told.len(), 22);
        let nobody = values.of(&definition, &Attributes::default(), |_, _, _| {
            Ok::<(), ()>(())
        });
        assert_eq!(nobody.unwrap().0[..], [22, 54]);
        let all: Vec<_> = values.all(2).collect();
        assert_eq!(all.len(), 22 + 4);
        assert!(all.contains(&(33, 1, SegmentOf::Value("true".into()))));
        assert!(all.contains(&(54, 1, SegmentOf::None)));
    }
}
