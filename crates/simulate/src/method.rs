//! How a simulated experiment is judged at a look. [`Method::Verdict`] is what production says, by the function that says
//! it there; the others are single formulas, as they stand in their papers and with no rule added, to compare it with.

use crate::world::{Arm, Design};
use judge::asymptotic::{p_of_ln_e, sequence};
use judge::bounded::bernoulli;
use judge::events::{DEFAULT_TAU, EventStage, ln_e_one_sided, rate_ratio};
use judge::fixed::{Proportion, two_proportions};
use judge::ratio::RatioSums;
use judge::{Effect, Interval, Sample, stage_product};

/// A way to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The asymptotic confidence sequence, units as they are assigned, all epochs pooled: wrong where
    /// weights and base rate change.
    Asymptotic,
    /// The same with events taken for units: wrong where a unit has several.
    AsymptoticByEvent,
    /// A z test at every look: wrong, and what people do.
    PeekedZ,
    /// A z test at the end.
    FixedZ,
    /// The event e-process: a candidate has more bad units.
    Events,
    /// The same with every event counted: wrong where a unit has several.
    EventsByEvent,
    /// The product of one-sided e-values of the epochs: a candidate's rate is higher.
    StageProduct,
    /// Exact sequences of both shares.
    Bernoulli,
    /// The whole verdict, as `GET /experiments/{id}/results` gives it.
    Verdict,
    /// Hedged capital of one arm, in the order of the outcomes.
    Hedged,
    /// Empirical Bernstein of one arm, in the order of the outcomes.
    EmpiricalBernstein,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 11] = [
        Self::Asymptotic,
        Self::AsymptoticByEvent,
        Self::PeekedZ,
        Self::FixedZ,
        Self::Events,
        Self::EventsByEvent,
        Self::StageProduct,
        Self::Bernoulli,
        Self::Verdict,
        Self::Hedged,
        Self::EmpiricalBernstein,
    ];

    /// The word for it on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asymptotic => "asymptotic",
            Self::AsymptoticByEvent => "asymptotic_by_event",
            Self::PeekedZ => "peeked_z",
            Self::FixedZ => "fixed_z",
            Self::Events => "events",
            Self::EventsByEvent => "events_by_event",
            Self::StageProduct => "stage_product",
            Self::Bernoulli => "bernoulli",
            Self::Verdict => "verdict",
            Self::Hedged => "hedged",
            Self::EmpiricalBernstein => "empirical_bernstein",
        }
    }

    /// Whether it follows the order of the outcomes of one arm.
    pub fn is_ordered(self) -> bool {
        matches!(self, Self::Hedged | Self::EmpiricalBernstein)
    }

    /// Whether it does not compare several candidates.
    pub(crate) fn is_for_one_arm(self) -> bool {
        self.is_ordered()
    }
}

/// What a method says at a look of one candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Said {
    /// It claims a difference (or harm).
    pub(crate) claims: bool,
    /// Its interval, on the scale of the difference, or of the ratio of rates.
    pub(crate) interval: Option<Interval>,
}

impl Said {
    const NOTHING: Self = Self {
        claims: false,
        interval: None,
    };
}

/// Judges candidate `arm` by what each epoch has gathered.
pub(crate) fn look(design: &Design, epochs: &[Vec<Arm>], arm: usize, last: bool) -> Said {
    let alpha = design.alpha / (design.arms - 1) as f64;
    let pooled = |arm: usize| {
        let mut sum = Arm::default();
        epochs.iter().for_each(|arms| sum.add(&arms[arm]));
        sum
    };
    let (a, b) = (pooled(0), pooled(arm));
    match design.method {
        Method::Asymptotic => asymptotic(design, alpha, &a, &b),
        Method::AsymptoticByEvent => {
            let (a, b) = (by_event(&a), by_event(&b));
            asymptotic(design, alpha, &a, &b)
        }
        Method::PeekedZ => z(&a, &b, alpha),
        Method::FixedZ if last => z(&a, &b, alpha),
        Method::Events => events(design, epochs, arm, alpha, |arm| arm.bad),
        Method::EventsByEvent => events(design, epochs, arm, alpha, |arm| arm.bad_events),
        Method::StageProduct => stages(design, epochs, arm, alpha),
        Method::Bernoulli => exact(&a, &b, alpha),
        Method::FixedZ | Method::Verdict | Method::Hedged | Method::EmpiricalBernstein => {
            Said::NOTHING
        }
    }
}

/// Every event as if it were a unit.
fn by_event(arm: &Arm) -> Arm {
    Arm {
        units: arm.events,
        bad: arm.bad_events,
        events: arm.events,
        events_squared: arm.events,
        bad_events: arm.bad_events,
        bad_events_squared: arm.bad_events,
    }
}

fn sample(arm: &Arm) -> Option<Sample> {
    if arm.events == arm.units {
        let (bad, units) = (arm.bad as f64, arm.units as f64);
        return (arm.units > 0).then(|| Sample::proportion(bad, units));
    }
    let sums = RatioSums {
        n: arm.units as f64,
        sum_m: arm.bad_events as f64,
        sum_mm: arm.bad_events_squared as f64,
        sum_d: arm.events as f64,
        sum_dd: arm.events_squared as f64,
        sum_md: arm.bad_events_squared as f64,
    };
    sums.sample()
}

fn asymptotic(design: &Design, alpha: f64, a: &Arm, b: &Arm) -> Said {
    let effect = sample(a)
        .zip(sample(b))
        .and_then(|(a, b)| Effect::difference(&a, &b));
    let Some(effect) = effect else {
        return Said::NOTHING;
    };
    let sequence = sequence(&effect, alpha, design.planned_units);
    Said {
        claims: sequence.p <= alpha,
        interval: Some(sequence.interval),
    }
}

fn z(a: &Arm, b: &Arm, alpha: f64) -> Said {
    if a.units == 0 || b.units == 0 {
        return Said::NOTHING;
    }
    let share = |arm: &Arm| Proportion {
        successes: arm.bad as f64,
        n: arm.units as f64,
    };
    let test = two_proportions(share(a), share(b), alpha);
    Said {
        claims: test.p <= alpha,
        interval: Some(test.interval),
    }
}

fn events(
    design: &Design,
    epochs: &[Vec<Arm>],
    arm: usize,
    alpha: f64,
    count: impl Fn(&Arm) -> u64,
) -> Said {
    let by_epoch = design.epochs();
    let stage = |(share, arms): (&f64, &Vec<Arm>)| {
        let shares = design.shares_of(*share);
        EventStage {
            share: shares[arm] / (shares[arm] + shares[0]),
            treated: count(&arms[arm]) as f64,
            control: count(&arms[0]) as f64,
        }
    };
    let stages: Vec<EventStage> = by_epoch.iter().zip(epochs).map(stage).collect();
    let ln_e = ln_e_one_sided(&stages, 1.0, DEFAULT_TAU);
    Said {
        claims: ln_e >= -alpha.ln(),
        interval: Some(rate_ratio(&stages, alpha, DEFAULT_TAU)),
    }
}

fn stages(design: &Design, epochs: &[Vec<Arm>], arm: usize, alpha: f64) -> Said {
    let effects: Vec<Effect> = epochs
        .iter()
        .filter(|arms| arms[arm].units as f64 >= stage_product::MIN_TREATED)
        .filter_map(|arms| {
            let (a, b) = sample(&arms[0]).zip(sample(&arms[arm]))?;
            Effect::difference(&a, &b)
        })
        .collect();
    let ln_e = stage_product::ln_e(&effects, 0.0, alpha, design.planned_units);
    Said {
        claims: p_of_ln_e(ln_e) <= alpha,
        interval: None,
    }
}

fn exact(a: &Arm, b: &Arm, alpha: f64) -> Said {
    let share = |arm: &Arm| bernoulli(arm.bad as f64, arm.units as f64, 0.5 * alpha, 1000.0);
    if a.units == 0 || b.units == 0 {
        return Said::NOTHING;
    }
    let (a, b) = (share(a), share(b));
    let interval = Interval {
        lower: b.lower - a.upper,
        upper: b.upper - a.lower,
    };
    Said {
        claims: !interval.contains(0.0),
        interval: Some(interval),
    }
}
