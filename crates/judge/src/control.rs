//! What to do next with an experiment: the step from its evidence, or from a person's command, to new
//! weights. One way to change traffic, so one history.
//!
//! The order of what is looked at does not change: harm goes first and asks for no minimum of units, time
//! and people come last. At most one step is taken per look, so that nothing is skipped after a pause of
//! the server.

pub(crate) mod bandit;
mod rollout;

use crate::limits::Limit;
use crate::results::{LabelCheck, Results};
use types::{
    Decision, Evidence, Experiment, Hold, Intervention, MetricRole, Policy, Progress, Timestamp,
};

/// All that a step looks at.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The experiment, which runs.
    pub experiment: &'a Experiment,
    /// What it has gathered.
    pub evidence: &'a Evidence,
    /// What the judge makes of the evidence.
    pub results: &'a Results,
    /// The time of the look.
    pub now: Timestamp,
    /// Whether the evidence holds everything that was answered. Where some of it is still to be counted,
    /// harm that is seen is acted on all the same, and nothing is said to have gone well.
    pub complete: bool,
}

/// The next state of an experiment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Next {
    /// How far it has come.
    pub progress: Option<Progress>,
    /// What is decided, where something is.
    pub decision: Option<Decision>,
    /// Why, in a sentence. Empty where nothing is done.
    pub because: String,
    /// The damage limit that is why, by the place of its guardrail.
    pub limit: Option<(usize, Limit)>,
}

/// A command that an experiment does not take now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the experiment does not take this command now")]
pub struct NotAllowed;

/// How far a policy has come when its experiment starts.
pub fn begin(policy: &Policy) -> Option<Progress> {
    match policy {
        Policy::Fixed => None,
        Policy::Rollout(_) => Some(Progress::Rollout(types::RolloutProgress::default())),
        Policy::Bandit(_) => Some(Progress::Bandit(types::BanditProgress::default())),
    }
}

/// The next state by the evidence.
pub fn step(look: &Look<'_>) -> Next {
    let experiment = look.experiment;
    match (&experiment.definition.policy, &experiment.progress) {
        (Policy::Rollout(settings), Some(Progress::Rollout(progress))) => {
            rollout::step(look, settings, progress.clone())
        }
        (Policy::Bandit(settings), Some(Progress::Bandit(progress))) => {
            bandit::step(look, settings, progress.clone())
        }
        (_, progress) => Next {
            progress: progress.clone(),
            ..Next::default()
        },
    }
}

/// The next state by what a person wants; `arm` is the candidate that [`Intervention::Promote`] means.
///
/// # Errors
/// When the experiment does not allow that now.
pub fn by_person(
    experiment: &Experiment,
    intervention: Intervention,
    arm: usize,
) -> Result<Next, NotAllowed> {
    if !experiment.allowed().contains(&intervention) || arm >= experiment.definition.arms.len() {
        return Err(NotAllowed);
    }
    let mut progress = experiment.progress.clone();
    let decision = match intervention {
        Intervention::Pause | Intervention::Resume => {
            let paused = intervention == Intervention::Pause;
            match progress.as_mut().ok_or(NotAllowed)? {
                Progress::Rollout(progress) => {
                    progress.paused = paused;
                    // A step that was interrupted is observed from its beginning again.
                    progress.soaked_micros = 0;
                    progress.looked_at = None;
                    progress.waits_for.clear();
                }
                Progress::Bandit(progress) => progress.paused = paused,
            }
            if paused {
                Decision::Pause
            } else {
                Decision::Resume
            }
        }
        Intervention::Advance => match (&experiment.definition.policy, &mut progress) {
            (Policy::Rollout(settings), Some(Progress::Rollout(progress))) => {
                rollout::advance(settings, progress)
            }
            _ => return Err(NotAllowed),
        },
        Intervention::Promote => Decision::Promote { arm },
        Intervention::RollBack => Decision::RollBack,
        Intervention::Stop => Decision::Stop,
        Intervention::Abort => Decision::Abort,
        // These are no decisions about a running experiment.
        Intervention::Start | Intervention::Delete => return Err(NotAllowed),
    };
    Ok(Next {
        progress,
        decision: Some(decision),
        because: "A person asked for it.".into(),
        limit: None,
    })
}

/// The p-value that a check which has held must come back above: a test at its border would hold and release
/// again and again, and a look in between would move.
const RELEASE: f64 = 0.01;

/// What keeps the weights where they are whatever the metrics say.
fn unhealthy(look: &Look<'_>, held: Option<Hold>) -> Option<Hold> {
    let fails = |hold: Hold, alarm: bool, p: f64| alarm || held == Some(hold) && p < RELEASE;
    let ratio = &look.results.sample_ratio;
    if fails(Hold::SampleRatioMismatch, ratio.alarm, ratio.p) {
        return Some(Hold::SampleRatioMismatch);
    }
    // Labels that are left out are missing in one arm more than in the other: that comes first.
    let mut labels = look.results.labels.iter();
    // Half as many release it, for the same reason.
    let many = |check: &LabelCheck| {
        check.alarm || held == Some(Hold::LabelsNeverMatch) && check.is_half_of_an_alarm()
    };
    let unlike = labels.any(|check| many(check) && decides(look, check.metric));
    if unlike {
        return Some(Hold::LabelsNeverMatch);
    }
    let mut checks = look.results.feedback.iter();
    let unlike = checks.any(|check| fails(Hold::DifferentialFeedback, check.alarm, check.p));
    unlike.then_some(Hold::DifferentialFeedback)
}

/// Whether a metric has a say in what happens next: it is the primary one, guards, or has a ceiling.
fn decides(look: &Look<'_>, metric: usize) -> bool {
    let definition = &look.experiment.definition;
    let (role, name) = (
        look.results.metrics[metric].role,
        &definition.metrics[metric].name,
    );
    let rollout = definition.policy.rollout();
    role != MetricRole::Secondary
        || rollout.is_some_and(|settings| settings.ceilings.contains_key(name))
}

fn because_held(hold: Hold) -> &'static str {
    match hold {
        Hold::SampleRatioMismatch => {
            "The arms did not get the units that their weights promise, so nothing can be compared."
        }
        Hold::DifferentialFeedback => {
            "Feedback arrives more often for one arm than its weight promises, so outcomes cannot be \
             compared."
        }
        Hold::LabelsNeverMatch => {
            "Many labels are of a type that can never equal what a version answers, so nothing can be said of `correct`. \
             Send them again as the version answers, with \"replace\": true."
        }
        Hold::NoTraffic => "No prediction has come for a while, so there is no new evidence.",
        Hold::NoTrafficGraceOver => "No prediction has come for the whole grace period.",
        Hold::NoOutcomes => "No outcome has come yet for a metric that needs feedback.",
        Hold::TooFewUnits => {
            "Fewer than 20 users or customers have met the candidate, so it does not go beyond half of the traffic \
             by itself; `advance` takes the step."
        }
        Hold::Approval => {
            "All conditions of the step are met; a person has to agree with `advance`."
        }
    }
}

#[cfg(test)]
mod tests;
