//! Bursts: an outage of a minute is one accident, and not a hundred independent failures.
//!
//! Evidence from events assumes that they are independent. A minute in which the candidate had far more than its usual
//! rate says only that there was a burst, so its events count up to a cap, and the minutes around it up to what is usual.
//! What is kept is never more than what was there, so E of what is kept is at most E of all: the bound on false
//! roll-backs stays exact whatever the constants are. They were chosen by simulation in services with outages of their
//! own in each arm.

use crate::events::EventStage;

/// Events of one minute, of units in an epoch with one split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minute {
    /// The candidate's share of the pair, in (0, 1).
    pub share: f64,
    /// Units of the candidate.
    pub candidate: f64,
    /// Of these, those with an event.
    pub candidate_events: f64,
    /// Units of the control.
    pub control: f64,
    /// Of these, those with an event.
    pub control_events: f64,
}

impl Minute {
    /// The same for a test of events.
    pub fn stage(&self) -> EventStage {
        EventStage {
            share: self.share,
            treated: self.candidate_events,
            control: self.control_events,
        }
    }
}

/// Minutes on each side of a burst that may belong to it.
const AROUND: usize = 2;

/// The candidate's events of each minute that count, the running minute included.
pub fn kept(minutes: &[Minute]) -> Vec<f64> {
    let usual = usual_rate(minutes);
    let (mut control, mut units) = (0.0, 0.0);
    for minute in minutes {
        control += minute.control_events;
        units += minute.control;
    }
    let of_control = control / units;
    let ratio = if of_control > 0.0 {
        (usual / of_control).max(1.0)
    } else {
        1.0
    };
    // What is usual: an outage that hits both arms lifts it, and is no burst.
    let expected: Vec<f64> = minutes
        .iter()
        .map(|minute| {
            let odds = minute.share / (1.0 - minute.share);
            f64::max(
                minute.candidate * usual,
                odds * minute.control_events * ratio,
            )
        })
        .collect();
    let caps: Vec<f64> = expected.iter().copied().map(cap).collect();
    let bursts: Vec<usize> = (0..minutes.len())
        .filter(|at| minutes[*at].candidate_events >= caps[*at] + 1.0)
        .collect();
    let mut kept: Vec<f64> = minutes
        .iter()
        .zip(&caps)
        .map(|(minute, cap)| minute.candidate_events.min(*cap))
        .collect();
    // The first burst of a chain keeps its cap, so that one which does not end is seen.
    let gap_before = |place: usize| {
        place
            .checked_sub(1)
            .map(|before| bursts[place] - bursts[before])
    };
    let first: Vec<usize> = (0..bursts.len())
        .filter(|place| gap_before(*place).is_none_or(|gap| gap > AROUND))
        .map(|place| bursts[place])
        .collect();
    for &burst in &bursts {
        let until = (burst + AROUND).min(minutes.len() - 1);
        for at in burst.saturating_sub(AROUND)..=until {
            if !first.contains(&at) {
                kept[at] = kept[at].min(expected[at]);
            }
        }
    }
    kept
}

/// Events that a minute with so many expected may have.
fn cap(expected: f64) -> f64 {
    expected + expected.sqrt() + 1.0
}

/// Events of the candidate per unit outside the worst minutes; 0 while there are too few to tell.
fn usual_rate(minutes: &[Minute]) -> f64 {
    let worst = minutes.len().div_ceil(10).max(3);
    if minutes.len() <= worst {
        return 0.0;
    }
    let rate = |among: &mut dyn Iterator<Item = (f64, f64)>| {
        let (events, units) = among.fold((0.0, 0.0), |(x, n), (more, units)| (x + more, n + units));
        if units > 0.0 { events / units } else { 0.0 }
    };
    let of = |minute: &Minute| (minute.candidate_events, minute.candidate);
    let mut usual = rate(&mut minutes.iter().map(of));
    for _ in 0..2 {
        let excess = |minute: &&Minute| minute.candidate_events - usual * minute.candidate;
        let mut sorted: Vec<&Minute> = minutes.iter().collect();
        sorted.sort_by(|a, b| excess(a).total_cmp(&excess(b)));
        let calm = &sorted[..minutes.len() - worst];
        usual = rate(&mut calm.iter().copied().map(of));
    }
    for _ in 0..3 {
        let capped = |minute: &Minute| {
            let (events, units) = of(minute);
            (events.min(cap(units * usual)), units)
        };
        usual = rate(&mut minutes.iter().map(capped));
    }
    usual
}
