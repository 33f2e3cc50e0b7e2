//! How values of a metric become numbers in the epoch that opens: fixed beforehand, from outcomes that had matured, so
//! that no value can choose its own scale.

use types::{
    EvidenceRule, ExperimentDefinition, Line, MIN_NON_ZERO, Metric, MetricKind, MetricRole,
    Missing, NoScale, Scale,
};

/// So many units tell a scale, the newest ones.
pub const WANTED: usize = 10_000;
/// So many are needed at least.
pub const MIN_UNITS: usize = 200;
/// So many of them whose covariate is known tell a line.
const MIN_WITH_COVARIATE: usize = MIN_UNITS / 2;
/// With so many, one value that is not 0 is enough.
const MANY_UNITS: usize = 5_000;
/// Of 100 values that are not 0, so many lie above the cap.
const BEYOND: usize = 1;

/// Whether comparisons on a metric need a scale.
pub fn needs_scale(metric: &Metric) -> bool {
    metric.rule() != EvidenceRule::None
}

/// Whether a scale has to be known before anything can be said: rates have one from 0 to 1.
pub fn waits_for_scale(metric: &Metric) -> bool {
    needs_scale(metric) && metric.kind != MetricKind::Binary
}

/// Whether a rate has a scale around 0 because nothing was known of it, and its first units tell a better one: what came
/// before counts all the same.
pub fn waits_for_centre(definition: &ExperimentDefinition, metric: &Metric, scale: Scale) -> bool {
    let compared = match metric.rule() {
        EvidenceRule::Exposures | EvidenceRule::Arrivals => true,
        EvidenceRule::Events => definition.role(metric) != MetricRole::Guardrail,
        EvidenceRule::None => false,
    };
    metric.kind == MetricKind::Binary && compared && scale.centre == 0.0
}

/// Whether a scale has no line for the covariate of its metric, and the first units may tell one: what came before counts all
/// the same.
pub fn waits_for_line(metric: &Metric, scale: Scale) -> bool {
    metric.covariate.is_some() && scale.line.is_none()
}

/// What of a scale that first units tell takes the place of the known one: all of it where there is none, or where a rate was
/// around 0; where only a line was missing, the line. `None` where nothing does: a rate around 0 stays where its first units are
/// all 0 too.
pub fn better(found: Scale, known: Option<Scale>) -> Option<Scale> {
    let Some(known) = known else {
        return Some(found);
    };
    let found_line = found.line.filter(|_| known.line.is_none());
    if known.centre == 0.0 && found.centre != 0.0 {
        return Some(Scale {
            line: found.line.or(known.line),
            ..found
        });
    }
    found_line.map(|line| Scale {
        // Numbers on the known scale rise as much less steeply as it is wider.
        line: Some(line.on(&found, &known)),
        ..known
    })
}

/// The scale of a metric by outcomes of the past, of the control or of the first units of the experiment; with a line for the
/// covariate by those of them whose covariate is known, each with that, where they are many enough.
///
/// # Errors
/// Why they tell none.
pub fn scale_of(
    definition: &ExperimentDefinition,
    metric: &Metric,
    outcomes: &[f64],
    with_covariates: &[(f64, f64)],
) -> Result<Scale, NoScale> {
    let mut scale = scale_without_line(definition, metric, outcomes)?;
    if with_covariates.len() >= MIN_WITH_COVARIATE {
        let units = with_covariates.iter();
        let units: Vec<(f64, f64)> = units.map(|(x, value)| (*x, scale.number(*value))).collect();
        scale.line = Line::through(&units);
    }
    Ok(scale)
}

fn scale_without_line(
    definition: &ExperimentDefinition,
    metric: &Metric,
    outcomes: &[f64],
) -> Result<Scale, NoScale> {
    if metric.kind == MetricKind::Binary {
        let sum: f64 = outcomes.iter().sum();
        return Ok(Scale::binary(sum / outcomes.len().max(1) as f64));
    }
    // A tolerated ratio is about values from 0 on.
    let ratio = definition.tolerated_ratio(metric) > 1.0 && definition.margin(metric).is_none();
    let declared_floor = metric
        .floor
        .map(|floor| if ratio { floor.min(0.0) } else { floor });
    if let (Some(floor), Some(cap)) = (declared_floor, metric.cap) {
        return Scale::between(floor, cap, outcomes);
    }
    if outcomes.len() < MIN_UNITS {
        return Err(NoScale::TooFewUnits {
            units: outcomes.len(),
            wanted: MIN_UNITS,
        });
    }
    let with_zero = metric.missing == Missing::Zero || ratio;
    let wanted = if outcomes.len() < MANY_UNITS {
        MIN_NON_ZERO
    } else {
        1
    };
    let found = Scale::of_at_least(outcomes, BEYOND, with_zero, wanted)?;
    let (floor, cap) = (
        declared_floor.unwrap_or(found.floor),
        metric.cap.unwrap_or(found.cap),
    );
    if floor >= cap {
        return Err(NoScale::Beyond);
    }
    Scale::between(floor, cap, outcomes)
}
