//! The rules: whether a state takes a command, and what follows.

use crate::command::{Command, ExperimentDecision, NewVersion, Patch};
use crate::event::{CHAMPION, DecidedExperiment, Event, Moved, Patched, Scales};
use crate::refusal::Refusal;
use crate::writes;
use serde_json::Value;
use std::sync::Arc;
use types::{
    Actor, AliasName, Artifact, Change, Decision, Experiment, ExperimentId, ExperimentStatus,
    MAX_RULES, Metric, ModelId, ModelState, Percent, Progress, Retention, Timestamp, Version,
    VersionName, VersionStatus, Write,
};

/// What follows from a command.
#[derive(Debug, Clone)]
pub struct Decided {
    /// What has to be kept.
    pub change: Change,
    /// The state after it.
    pub state: ModelState,
    /// What has happened.
    pub event: Event,
}

/// What a command does to a state at a moment; nothing where all is as it should be already.
///
/// # Errors
/// When the state does not take it.
pub fn decide(
    state: &ModelState,
    command: &Command,
    now: Timestamp,
) -> Result<Option<Decided>, Refusal> {
    let Some(event) = event_of(state, command, now)? else {
        return Ok(None);
    };
    let mut next = state.clone();
    let applied = event.apply(&mut next, now);
    applied.map_err(|error| Refusal::NotThere(error.to_string()))?;
    let mut writes = writes::between(state, &next);
    if let Event::ExperimentDecided(decided) = &event {
        let experiment = state
            .experiment(decided.id)
            .map(|experiment| experiment.key);
        if let Command::DecideExperiment(step) = command {
            let look = experiment.zip(step.look.clone());
            writes.extend(look.map(|(experiment, look)| Write::Look { experiment, look }));
        }
        let ends = decided.decision.leads_to().has_ended() && !decided.evidence.is_null();
        writes.extend(
            experiment
                .filter(|_| ends)
                .map(|experiment| Write::Decided {
                    experiment,
                    results: decided.evidence.to_string(),
                }),
        );
    }
    Ok(Some(Decided {
        change: Change {
            name: state.name.clone(),
            decided_on: state.changes,
            at: now,
            writes,
            event: event.record(state, &next),
        },
        state: next,
        event,
    }))
}

/// The same for a change of the weights by hand that stops a running experiment, where `results` are given: both are
/// decided before one of them is done. The results are those of the experiment with that id, if it runs.
///
/// # Errors
/// When the state does not take one of them.
pub fn decide_by_takeover(
    state: &ModelState,
    results: Option<(ExperimentId, Value)>,
    command: &Command,
    now: Timestamp,
) -> Result<Vec<Decided>, Refusal> {
    let way = decide(state, &Command::MakeWay(results), now)?;
    let free = way.as_ref().map_or(state, |way| &way.state);
    let mut command = command.clone();
    if let Command::SetTraffic { revision, .. } = &mut command {
        at_revision(state, *revision)?;
        // What made way is a change of its own.
        *revision = revision.map(|_| free.revision);
    }
    let moved = decide(free, &command, now)?;
    // Where the command changes nothing, nobody has to make way.
    Ok(moved.map_or_else(Vec::new, |moved| way.into_iter().chain([moved]).collect()))
}

fn event_of(
    state: &ModelState,
    command: &Command,
    now: Timestamp,
) -> Result<Option<Event>, Refusal> {
    let begun = state.changes > 0 || state.revision == 0;
    if !begun && !matches!(command, Command::Baseline) {
        return Err(Refusal::NoBaseline(state.name.clone()));
    }
    match command {
        Command::Register(new) => register(state, new, now),
        Command::Activate { id, weight } => activate(state, *id, *weight),
        Command::Deactivate { id } => deactivate(state, *id),
        Command::Patch(patch) => patched(state, patch),
        Command::SetArtifact { id, artifact } => set_artifact(state, *id, artifact),
        Command::SetShadow { id, percent } => {
            let version = with_id(state, *id)?;
            let (name, from) = (version.version.clone(), version.shadow_percent);
            let event = || Event::VersionShadowSet(name, from, *percent);
            Ok((from != *percent).then(event))
        }
        Command::Delete { id } => delete(state, *id),
        Command::SetTraffic {
            revision,
            weights,
            fallback,
        } => set_traffic(state, *revision, weights, *fallback),
        Command::SetRules { revision, rules } => {
            at_revision(state, *revision)?;
            known(state)?;
            if rules.len() > MAX_RULES {
                return Err(Refusal::TooManyRules(rules.len()));
            }
            for rule in rules {
                named(state, &rule.version)?;
            }
            let event = || Event::RulesSet(state.rules.clone(), rules.clone());
            Ok((state.rules != *rules).then(event))
        }
        Command::SetPrivacy(privacy) => {
            known(state)?;
            let event = || Event::PrivacySet(Box::new(state.privacy.clone()), privacy.clone());
            Ok((state.privacy != **privacy).then(event))
        }
        Command::SetRetention(retention) => {
            known(state)?;
            kept_long_enough(state, retention)?;
            let event = || Event::RetentionSet(state.retention.clone(), retention.clone());
            Ok((state.retention != *retention).then(event))
        }
        Command::SetAlias { alias, version } => {
            named(state, version)?;
            if !state.aliases.contains_key(alias) {
                has_room("aliases", state.aliases.len(), MOST_ALIASES)?;
            }
            let from = target(state, alias);
            Ok(Some(Event::AliasSet(alias.clone(), from, version.clone())))
        }
        Command::DeleteAlias(alias) => {
            let points = state.aliases.contains_key(alias);
            Ok(points.then(|| Event::AliasDeleted(alias.clone(), target(state, alias))))
        }
        Command::SetMetric(metric) => {
            known(state)?;
            let from = state.metrics.get(&metric.name);
            if from == Some(metric) {
                return Ok(None);
            }
            if from.is_none() {
                has_room("declared metrics", state.metrics.len(), MOST_METRICS)?;
            }
            not_counted(state, metric.name.as_str())?;
            waits_within(metric, &state.retention)?;
            let from = from.cloned().map(Box::new);
            Ok(Some(Event::MetricSet(from, metric.clone())))
        }
        Command::DeleteMetric(metric) => {
            known(state)?;
            not_counted(state, metric.as_str())?;
            let declared = state.metrics.get(metric).cloned().map(Box::new);
            Ok(declared.map(|was| Event::MetricDeleted(metric.clone(), Some(was))))
        }
        Command::CreateExperiment {
            key,
            id,
            definition,
        } => {
            known(state)?;
            if state.experiment(*id).is_some() {
                return Err(Refusal::DuplicateExperiment(*id));
            }
            let waits = |experiment: &&Arc<Experiment>| !experiment.status.has_ended();
            let open = state.experiments.iter().filter(waits).count();
            has_room("experiments that have not ended", open, MOST_OPEN)?;
            for arm in &definition.arms {
                named(state, &arm.version)?;
            }
            let draft = Experiment::draft(*key, *id, (**definition).clone(), now);
            Ok(Some(Event::ExperimentCreated(Box::new(draft))))
        }
        Command::ScheduleExperiment {
            id,
            starts_at,
            failed,
            revision,
            by,
        } => {
            fresh(draft(state, *id)?, *revision)?;
            let failed = failed.clone();
            Ok(Some(Event::ExperimentScheduled(
                *id, *starts_at, failed, *by,
            )))
        }
        Command::StartExperiment {
            id,
            progress,
            scales,
            revision,
            by,
        } => start(
            state,
            *id,
            (progress.clone(), scales.clone()),
            *revision,
            *by,
        ),
        Command::DeleteExperiment(id) => {
            let was = Box::new(draft(state, *id)?.definition.clone());
            Ok(Some(Event::ExperimentDeleted(*id, Some(was))))
        }
        Command::DecideExperiment(step) => decide_experiment(state, step),
        Command::MakeWay(results) => make_way(state, results.as_ref()),
        Command::Baseline => {
            Ok((state.changes == 0).then(|| Event::Baseline(Box::new(state.clone()))))
        }
    }
}

/// The most versions of a model, aliases and declared metrics of it, and experiments on it that have not ended.
const MOST_VERSIONS: usize = 1000;
const MOST_ALIASES: usize = 100;
const MOST_METRICS: usize = 100;
const MOST_OPEN: usize = 100;

fn has_room(what: &'static str, present: usize, most: usize) -> Result<(), Refusal> {
    match present < most {
        true => Ok(()),
        false => Err(Refusal::TooMany(what, most)),
    }
}

fn register(
    state: &ModelState,
    new: &NewVersion,
    now: Timestamp,
) -> Result<Option<Event>, Refusal> {
    let name = state.name.clone();
    if state.version(&new.version).is_some() {
        let version = new.version.clone();
        return Err(Refusal::Duplicate { name, version });
    }
    has_room("versions", state.versions.len(), MOST_VERSIONS)?;
    let version = Version {
        key: new.key,
        model_id: new.model_id,
        name,
        version: new.version.clone(),
        described: new.described.clone(),
        accuracy: new.accuracy,
        runtime: new.runtime.clone(),
        artifact: None,
        status: VersionStatus::Inactive,
        traffic_percent: Percent::ZERO,
        shadow_percent: Percent::ZERO,
        created_at: now,
        activated_at: None,
    };
    let salt = match state.salt.as_str() {
        "" => new.salt.clone(),
        salt => salt.to_owned(),
    };
    Ok(Some(Event::VersionRegistered(Box::new(version), salt)))
}

fn activate(state: &ModelState, id: ModelId, weight: Percent) -> Result<Option<Event>, Refusal> {
    let version = with_id(state, id)?;
    no_experiment(state)?;
    may_answer(version, VersionStatus::Active)?;
    let (name, from) = (version.version.clone(), version.traffic_percent);
    Ok(Some(Event::VersionActivated(name, from, weight)))
}

fn deactivate(state: &ModelState, id: ModelId) -> Result<Option<Event>, Refusal> {
    let version = with_id(state, id)?;
    if version.status == VersionStatus::Inactive {
        return Ok(None);
    }
    no_experiment(state)?;
    may_answer(version, VersionStatus::Inactive)?;
    let (name, from) = (version.version.clone(), version.traffic_percent);
    Ok(Some(Event::VersionDeactivated(name, from)))
}

fn patched(state: &ModelState, patch: &Patch) -> Result<Option<Event>, Refusal> {
    let version = with_id(state, patch.id)?;
    let from = Patched {
        status: version.status,
        described: version.described.clone(),
    };
    let to = Patched {
        status: patch.status.unwrap_or(from.status),
        described: from.described.clone().changed(&patch.described),
    };
    if !from.status.may_become(to.status) {
        let (from, to) = (from.status, to.status);
        return Err(Refusal::Transition { from, to });
    }
    if from == to {
        return Ok(None);
    }
    let name = version.version.clone();
    Ok(Some(Event::VersionPatched(
        name,
        Box::new(from),
        Box::new(to),
    )))
}

/// A version has one artifact for ever: what it answered is known to be of that one.
fn set_artifact(
    state: &ModelState,
    id: ModelId,
    artifact: &Artifact,
) -> Result<Option<Event>, Refusal> {
    let version = with_id(state, id)?;
    let name = version.version.clone();
    if !version.runtime.needs_artifact() {
        return Err(Refusal::NoArtifactNeeded(name));
    }
    match &version.artifact {
        Some(known) if known == artifact => Ok(None),
        Some(_) => Err(Refusal::HasArtifact(name)),
        None => Ok(Some(Event::VersionArtifactSet(name, id, artifact.clone()))),
    }
}

fn delete(state: &ModelState, id: ModelId) -> Result<Option<Event>, Refusal> {
    let version = with_id(state, id)?;
    if version.status == VersionStatus::Active {
        return Err(Refusal::Active);
    }
    let (name, status) = (version.version.clone(), version.status);
    let was = Some(Box::new(Version::clone(version)));
    Ok(Some(Event::VersionDeleted(name, id, status, was)))
}

fn set_traffic(
    state: &ModelState,
    given: Option<i64>,
    weights: &[(VersionName, Percent)],
    fallback: Option<bool>,
) -> Result<Option<Event>, Refusal> {
    known(state)?;
    at_revision(state, given)?;
    no_experiment(state)?;
    for (version, _) in weights {
        named(state, version)?;
    }
    let mut moved = Moved::default();
    for version in &state.versions {
        let named = weights.iter().find(|(named, _)| *named == version.version);
        let weight = named.map_or(Percent::ZERO, |(_, weight)| *weight);
        if version.status != VersionStatus::Active && weight == Percent::ZERO {
            continue;
        }
        may_answer(version, VersionStatus::Active)?;
        weigh(&mut moved, version, weight);
    }
    Ok(Some(Event::TrafficSet(moved, fallback)))
}

fn start(
    state: &ModelState,
    id: ExperimentId,
    (progress, scales): (Option<Progress>, Scales),
    revision: Option<i64>,
    by: Actor,
) -> Result<Option<Event>, Refusal> {
    let experiment = experiment(state, id)?;
    fresh(experiment, revision)?;
    draft(state, id)?;
    if let Some(why) = &state.unreadable {
        return Err(Refusal::UnreadableRuns(state.name.clone(), why.clone()));
    }
    if let Some(running) = state.running() {
        return Err(Refusal::AnotherRuns(running.id));
    }
    let definition = &experiment.definition;
    for metric in definition.metrics.iter().filter(|m| m.built_in().is_none()) {
        if state.metrics.get(&metric.name) != Some(metric) {
            return Err(Refusal::MetricChanged(metric.name.clone()));
        }
    }
    for arm in &definition.arms {
        if !state.versions.iter().any(|version| version.key == arm.key) {
            let missing = format!("{} of {}", arm.version, state.name);
            return Err(Refusal::UnknownVersion(missing));
        }
    }
    if definition.policy.rollout().is_some() {
        has_the_traffic(state, experiment)?;
    }
    let effective = experiment.effective_shares();
    let mut moved = Moved::default();
    for version in &state.versions {
        let arm = definition
            .arms
            .iter()
            .position(|arm| arm.key == version.key);
        if arm.is_none() && version.status != VersionStatus::Active {
            continue;
        }
        may_answer(version, VersionStatus::Active)?;
        let weight = arm.map_or(Percent::ZERO, |arm| percent(effective[arm]));
        weigh(&mut moved, version, weight);
    }
    Ok(Some(Event::ExperimentStarted(
        id, moved, progress, scales, by,
    )))
}

/// A rollout gives nearly everything to its control, so that must be the version that has it: with the two
/// mixed up, the start would be the accident that a rollout is there to prevent. A model without traffic has
/// nothing to lose.
fn has_the_traffic(state: &ModelState, experiment: &Experiment) -> Result<(), Refusal> {
    let weight = |version: &&Version| version.traffic_percent.get();
    let control = experiment.definition.control();
    let has = state
        .versions
        .iter()
        .find(|version| version.key == control.key);
    let has = has.as_ref().map_or(0.0, weight);
    let most = state
        .versions
        .iter()
        .max_by(|a, b| weight(a).total_cmp(&weight(b)));
    match most {
        Some(most) if weight(&most) > has => Err(Refusal::ControlWithoutTraffic {
            name: state.name.clone(),
            control: control.version.clone(),
            has,
            most: most.version.clone(),
            most_has: weight(&most),
        }),
        _ => Ok(()),
    }
}

fn decide_experiment(
    state: &ModelState,
    step: &ExperimentDecision,
) -> Result<Option<Event>, Refusal> {
    let experiment = experiment(state, step.id)?;
    if experiment.status != ExperimentStatus::Running {
        return Err(Refusal::ExperimentStatus(experiment.status));
    }
    let (present, given) = (experiment.revision, step.revision);
    if present != given {
        return Err(Refusal::StaleExperiment { present, given });
    }
    let champion = match step.decision {
        Decision::Promote { arm } => {
            let winner = experiment.definition.arms.get(arm);
            let none = || Refusal::NotThere(format!("there is no arm {arm}"));
            named(state, &winner.ok_or_else(none)?.version)?;
            AliasName::parse(CHAMPION).ok()
        }
        _ => None,
    };
    let moved = match shares_after(experiment, &step.decision)? {
        None if step.decision == Decision::Stop => Some(Moved::default()),
        None => None,
        Some(shares) => Some(moved_to(state, experiment, &shares)),
    };
    Ok(Some(Event::ExperimentDecided(Box::new(
        DecidedExperiment {
            id: step.id,
            revision: present + 1,
            decision: step.decision.clone(),
            by: step.by,
            because: step.because.clone(),
            reason: step.reason.clone(),
            progress: step.progress.clone(),
            limit: step.limit.clone(),
            scales: step.scales.clone(),
            moved,
            champion: champion.and_then(|champion| target(state, &champion)),
            evidence: step.evidence.clone(),
        },
    ))))
}

/// Whatever runs stops; nothing happens where nothing runs.
fn make_way(
    state: &ModelState,
    results: Option<&(ExperimentId, Value)>,
) -> Result<Option<Event>, Refusal> {
    let Some(running) = state.running() else {
        return Ok(None);
    };
    let because = "the weights were changed by hand (takeover)";
    let results = results.filter(|(id, _)| *id == running.id);
    decide_experiment(
        state,
        &ExperimentDecision {
            id: running.id,
            revision: running.revision,
            decision: Decision::Stop,
            by: Actor::Person,
            because: because.into(),
            reason: Some(because.into()),
            progress: running.progress.clone(),
            scales: Vec::new(),
            limit: None,
            evidence: results.map_or(Value::Null, |(_, results)| results.clone()),
            look: None,
        },
    )
}

/// Nothing happened to an experiment since a revision, where that matters.
fn fresh(experiment: &Experiment, revision: Option<i64>) -> Result<(), Refusal> {
    let present = experiment.revision;
    match revision.filter(|given| *given != present) {
        Some(given) => Err(Refusal::StaleExperiment { present, given }),
        None => Ok(()),
    }
}

/// The share of all traffic that each arm gets after a decision, where it moves any.
fn shares_after(experiment: &Experiment, decision: &Decision) -> Result<Option<Vec<f64>>, Refusal> {
    let arms = experiment.definition.arms.len();
    let all_on = |winner| (0..arms).map(move |arm| if arm == winner { 1.0 } else { 0.0 });
    Ok(match decision {
        Decision::Advance { shares }
        | Decision::Reweigh { shares }
        | Decision::Rescale { shares } => {
            let sum: f64 = shares.iter().sum();
            let each = shares.iter().all(|share| *share >= 0.0);
            if shares.len() != arms || !each || (sum - 1.0).abs() > 1e-6 {
                return Err(Refusal::Shares(shares.clone(), arms));
            }
            Some(experiment.definition.effective_shares(shares))
        }
        Decision::RollBack | Decision::Abort => Some(all_on(0).collect()),
        Decision::Promote { arm } => Some(all_on(*arm).collect()),
        _ => None,
    })
}

fn moved_to(state: &ModelState, experiment: &Experiment, shares: &[f64]) -> Moved {
    let mut moved = Moved::default();
    for version in &state.versions {
        let mut arms = experiment.definition.arms.iter();
        if let Some(arm) = arms.position(|arm| arm.key == version.key) {
            weigh(&mut moved, version, percent(shares[arm]));
        }
    }
    moved
}

fn weigh(moved: &mut Moved, version: &Version, weight: Percent) {
    let name = &version.version;
    moved.from.insert(name.clone(), version.traffic_percent);
    moved.to.insert(name.clone(), weight);
}

/// In percent, without the last digits that a share such as 0.07 cannot have.
fn percent(share: f64) -> Percent {
    let rounded = (share * 1e11).round() / 1e9;
    Percent::new(rounded.clamp(0.0, 100.0)).unwrap_or(Percent::ZERO)
}

fn known(state: &ModelState) -> Result<(), Refusal> {
    if state.versions.is_empty() {
        return Err(Refusal::UnknownModel(state.name.clone()));
    }
    Ok(())
}

/// Predictions stay until the values of the metrics have come that are declared, or that an experiment runs on.
fn kept_long_enough(state: &ModelState, retention: &Retention) -> Result<(), Refusal> {
    let running = state.running().into_iter();
    let running = running.flat_map(|running| &running.definition.metrics);
    let longest = state.metrics.values().chain(running);
    let longest = longest.max_by_key(|metric| metric.window_seconds);
    longest.map_or(Ok(()), |metric| waits_within(metric, retention))
}

/// The values of a metric come while its predictions are kept.
fn waits_within(metric: &Metric, retention: &Retention) -> Result<(), Refusal> {
    match retention.max_age_seconds {
        Some(age) if metric.window_seconds >= age => Err(Refusal::KeptTooShort {
            metric: metric.name.clone(),
            window: metric.window_seconds,
            age,
        }),
        _ => Ok(()),
    }
}

/// The traffic has not changed since it was read.
fn at_revision(state: &ModelState, given: Option<i64>) -> Result<(), Refusal> {
    let present = state.revision;
    let Some(given) = given.filter(|given| *given != present) else {
        return Ok(());
    };
    let name = state.name.clone();
    Err(Refusal::Stale {
        name,
        present,
        given,
    })
}

fn with_id(state: &ModelState, id: ModelId) -> Result<&Version, Refusal> {
    let mut all = state.versions.iter();
    let found = all.find(|version| version.model_id == id);
    found.ok_or_else(|| Refusal::UnknownVersion(id.to_string()))
}

fn named<'a>(state: &'a ModelState, version: &VersionName) -> Result<&'a Version, Refusal> {
    let unknown = || Refusal::UnknownVersion(format!("{version} of {}", state.name));
    state.version(version).ok_or_else(unknown)
}

/// Where an alias points.
fn target(state: &ModelState, alias: &AliasName) -> Option<VersionName> {
    let key = state.aliases.get(alias)?;
    let found = state.versions.iter().find(|version| version.key == *key);
    found.map(|version| version.version.clone())
}

fn experiment(state: &ModelState, id: ExperimentId) -> Result<&Experiment, Refusal> {
    state.experiment(id).ok_or(Refusal::UnknownExperiment(id))
}

/// An experiment that has not begun.
fn draft(state: &ModelState, id: ExperimentId) -> Result<&Experiment, Refusal> {
    let found = experiment(state, id)?;
    let status = found.status;
    status
        .has_not_begun()
        .then_some(found)
        .ok_or(Refusal::ExperimentStatus(status))
}

/// No experiment sets the weights.
fn no_experiment(state: &ModelState) -> Result<(), Refusal> {
    let running = state.running().map(|running| running.id);
    running.map_or(Ok(()), |id| Err(Refusal::ExperimentRunning(id)))
}

fn not_counted(state: &ModelState, metric: &str) -> Result<(), Refusal> {
    let counts = |running: &&Experiment| running.definition.metric(metric).is_some();
    let running = state.running().filter(counts);
    running.map_or(Ok(()), |running| Err(Refusal::MetricInUse(running.id)))
}

/// Only a person takes a version out of deprecation, and only to inactive.
fn may_answer(version: &Version, to: VersionStatus) -> Result<(), Refusal> {
    match version.status {
        from @ VersionStatus::Deprecated => Err(Refusal::Transition { from, to }),
        _ => Ok(()),
    }
}
