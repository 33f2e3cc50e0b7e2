//! Random sequences of commands, and what must hold after each of them.

use crate::random::Dice;
use crate::{Command, Event, Refusal, decide, decide_by_takeover, differences, replay};
use std::collections::BTreeMap;
use types::{
    Action, EventRecord, Experiment, ExperimentKey, ExperimentStatus, ModelName, ModelState,
    StoredEvent, Timestamp, VersionStatus, Write,
};

/// Sequences of so many commands in the everyday suite; `CATALOG_SEQUENCES` asks for others.
const SEQUENCES: u64 = 300;
const COMMANDS: i64 = 50;

fn sequences() -> u64 {
    let asked = std::env::var("CATALOG_SEQUENCES").ok();
    asked.map_or(SEQUENCES, |asked| asked.parse().unwrap())
}

fn name() -> ModelName {
    ModelName::parse("m").unwrap()
}

/// What was told, and when.
type Told = Vec<(Timestamp, EventRecord)>;

fn replayed(told: &Told) -> ModelState {
    let stored = |(change, (at, event)): (i64, &(Timestamp, EventRecord))| StoredEvent {
        change,
        at: *at,
        action: event.action,
        version: event.version.clone(),
        detail: event.detail.clone(),
    };
    let events: Vec<StoredEvent> = (1..).zip(told).map(stored).collect();
    replay(name(), &events).unwrap()
}

/// What holds of every state that can be.
fn check(state: &ModelState) {
    let running: Vec<&Experiment> = state
        .experiments
        .iter()
        .map(|experiment| &**experiment)
        .filter(|e| e.status == ExperimentStatus::Running)
        .collect();
    assert!(running.len() <= 1, "two experiments run");
    for experiment in &state.experiments {
        let sum: f64 = experiment.shares.iter().sum();
        assert!((sum - 1.0).abs() < 1e-9, "{:?}", experiment.shares);
    }
    if let Some(running) = running.first() {
        let weights: BTreeMap<_, _> = state
            .versions
            .iter()
            .map(|version| (version.key, version.traffic_percent.get()))
            .collect();
        let effective = running.effective_shares();
        for (arm, share) in running.definition.arms.iter().zip(effective) {
            assert!((weights[&arm.key] - 100.0 * share).abs() < 1e-6, "{arm:?}");
        }
        let sum: f64 = weights.values().sum();
        assert!((sum - 100.0).abs() < 1e-6, "{weights:?}");
    }
    for version in &state.versions {
        let idle = version.status != VersionStatus::Active;
        assert!(!idle || version.traffic_percent.get() == 0.0, "{version:?}");
    }
}

#[test]
fn a_state_is_the_replay_of_its_events_whatever_happens() {
    let mut happened: BTreeMap<String, u32> = BTreeMap::new();
    // One of each kind, for the file of those that must be understood for ever.
    let mut examples: BTreeMap<String, String> = BTreeMap::new();
    for seed in 0..sequences() {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut roll = |bound| random.u64(..bound);
        let mut dice = Dice::new(&mut roll, 0);
        let mut state = ModelState::new(name());
        let mut told: Told = Vec::new();
        for n in 0..COMMANDS {
            let now = Timestamp::from_micros(n * 1_000_000);
            let command = dice.command(&state, now);
            let Ok(Some(decided)) = decide(&state, &command, now) else {
                continue;
            };
            check(&decided.state);
            assert_eq!(decided.change.decided_on, state.changes);
            assert_eq!(decided.state.changes, state.changes + 1);
            assert!(decided.state.revision >= state.revision);
            // What has ended stays as it is.
            for ended in state.experiments.iter().filter(|e| e.status.has_ended()) {
                assert_eq!(decided.state.experiment(ended.id), Some(&**ended));
            }
            *happened
                .entry(decided.change.event.action.to_string())
                .or_default() += 1;
            let event = &decided.change.event;
            let detail: serde_json::Value = serde_json::from_str(&event.detail).unwrap();
            let version = event.version.as_ref().map(ToString::to_string);
            let line = serde_json::json!({"action": event.action.as_str(), "version": version, "detail": detail});
            examples.insert(event.action.to_string(), format!("{line}\n"));
            told.push((now, decided.change.event));
            state = decided.state;
        }
        if seed == 7 {
            let baseline = ModelState {
                changes: 0,
                ..state.clone()
            };
            let now = Timestamp::from_micros(COMMANDS * 1_000_000);
            let decided = decide(&baseline, &Command::Baseline, now).unwrap().unwrap();
            let detail: serde_json::Value =
                serde_json::from_str(&decided.change.event.detail).unwrap();
            let line =
                serde_json::json!({"action": "model.baseline", "version": null, "detail": detail});
            examples.insert("model.baseline".into(), format!("{line}\n"));
        }
        assert_eq!(state.changes, told.len() as i64, "an event is missing");
        let differences = differences(&state, &replayed(&told));
        assert!(differences.is_empty(), "seed {seed}: {differences:?}");
    }
    // Everything that can happen has.
    assert_eq!(happened.len(), 35, "{happened:?}");
    if let Ok(path) = std::env::var("CATALOG_EVENTS") {
        std::fs::write(path, examples.into_values().collect::<Vec<_>>().concat()).unwrap();
    }
}

#[test]
fn a_baseline_begins_a_replay() {
    let mut random = fastrand::Rng::with_seed(9);
    let mut roll = |bound| random.u64(..bound);
    let mut dice = Dice::new(&mut roll, 0);
    let mut state = ModelState::new(name());
    for n in 0..200 {
        let now = Timestamp::from_micros(n);
        let command = dice.command(&state, now);
        if let Ok(Some(decided)) = decide(&state, &command, now) {
            state = decided.state;
        }
    }
    // As a release without events left it.
    state.changes = 0;
    let now = Timestamp::from_micros(1000);
    let baseline = decide(&state, &Command::Baseline, now).unwrap().unwrap();
    assert_eq!(baseline.change.decided_on, 0);
    let told = vec![(now, baseline.change.event)];
    assert_eq!(replayed(&told), baseline.state);
    assert!(
        decide(&baseline.state, &Command::Baseline, now)
            .unwrap()
            .is_none()
    );
}

/// Two versions, of which the first has all of the traffic, and a draft that compares them.
fn with_a_draft() -> (ModelState, types::ExperimentId) {
    let mut random = fastrand::Rng::with_seed(1);
    let mut roll = |bound| random.u64(..bound);
    let mut dice = Dice::new(&mut roll, 0);
    let mut state = ModelState::new(name());
    let mut at = 0;
    let mut take = |state: &mut ModelState, command: &Command| {
        at += 1;
        let decided = decide(state, command, Timestamp::from_micros(at)).unwrap();
        *state = decided.unwrap().state;
    };
    while state.versions.len() < 2 {
        let command = dice.command(&state, Timestamp::from_micros(0));
        take(&mut state, &command);
    }
    let all = Command::SetTraffic {
        revision: Some(state.revision),
        weights: vec![(
            state.versions[0].version.clone(),
            types::Percent::new(100.0).unwrap(),
        )],
        fallback: None,
    };
    take(&mut state, &all);
    let arms = state.versions.iter().map(|version| types::Arm {
        key: version.key,
        model_id: version.model_id,
        version: version.version.clone(),
        weight: 1.0,
    });
    let metrics = vec![types::BuiltIn::Correct.metric()];
    let definition = types::ExperimentDefinition::new(name(), arms.collect(), metrics);
    let id = types::ExperimentId::from_bits(7);
    let create = Command::CreateExperiment {
        key: ExperimentKey(7),
        id,
        definition: Box::new(definition),
    };
    take(&mut state, &create);
    (state, id)
}

fn starting(id: types::ExperimentId) -> Command {
    Command::StartExperiment {
        id,
        progress: None,
        scales: Vec::new(),
        revision: None,
        by: types::Actor::Person,
    }
}

#[test]
fn while_an_experiment_runs_nobody_else_sets_the_weights() {
    let (state, id) = with_a_draft();
    let now = Timestamp::from_micros(100);
    let started = decide(&state, &starting(id), now).unwrap().unwrap();
    let opened = |write: &Write| matches!(write, Write::Epoch { epoch: 2, .. });
    assert!(
        started.change.writes.iter().any(opened),
        "{:?}",
        started.change.writes
    );
    let state = started.state;
    let version = state.versions[1].model_id;
    let weight = types::Percent::ZERO;
    let set = Command::SetTraffic {
        revision: Some(state.revision),
        weights: Vec::new(),
        fallback: None,
    };
    for command in [
        Command::Activate {
            id: version,
            weight,
        },
        Command::Deactivate { id: version },
        set,
    ] {
        let refused = decide(&state, &command, now).unwrap_err();
        assert_eq!(refused, Refusal::ExperimentRunning(id), "{command:?}");
    }
    let refused = decide(&state, &starting(id), now).unwrap_err();
    assert_eq!(
        refused,
        Refusal::ExperimentStatus(ExperimentStatus::Running)
    );
    let refused = decide(&state, &Command::Delete { id: version }, now).unwrap_err();
    assert_eq!(refused, Refusal::Active);
}

#[test]
fn a_rollout_begins_with_the_version_that_has_the_traffic() {
    let (mut state, id) = with_a_draft();
    let mut all = state.experiments.iter_mut();
    let draft = all
        .find(|e| e.id == id)
        .map(std::sync::Arc::make_mut)
        .unwrap();
    draft.definition.policy = types::Policy::Rollout(types::RolloutSettings::default());
    draft.definition.arms.reverse();
    let refused = decide(&state, &starting(id), Timestamp::from_micros(9)).unwrap_err();
    let Refusal::ControlWithoutTraffic { has, most_has, .. } = refused else {
        panic!("{refused}");
    };
    assert_eq!((has, most_has), (0.0, 100.0));
}

#[test]
fn what_cannot_be_read_is_no_event() {
    for (action, detail) in [
        ("version.activated", r#"{"from": 0, "to": 1000}"#),
        (
            "version.registered",
            r#"{"model_id": "model-000000000001"}"#,
        ),
        ("experiment.danced", r#"{"experiment": "exp-000000000001"}"#),
        ("traffic.set", "{"),
        ("traffic.set", "[]"),
    ] {
        let version = types::VersionName::parse("1").unwrap();
        assert_eq!(
            Event::read(&name(), action.parse().unwrap(), Some(&version), detail),
            None,
            "{action}"
        );
    }
}

/// Events are kept for ever: what this file holds must be read by every later release, and mean the same.
#[test]
fn events_that_were_kept_are_still_understood() {
    let kept = include_str!("../events.jsonl");
    let mut seen = std::collections::BTreeSet::new();
    for line in kept.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let action: Action = event["action"].as_str().unwrap().parse().unwrap();
        let version = event["version"].as_str();
        let version = version.map(|version| types::VersionName::parse(version).unwrap());
        let detail = event["detail"].to_string();
        let read = Event::read(&name(), action, version.as_ref(), &detail);
        let read = read.unwrap_or_else(|| panic!("{action} is not understood: {detail}"));
        assert_eq!(read.action(), action);
        let state = ModelState::new(name());
        let again: serde_json::Value =
            serde_json::from_str(&read.record(&state, &state).detail).unwrap();
        let once_more = Event::read(&name(), action, version.as_ref(), &again.to_string());
        assert_eq!(once_more, Some(read), "{action}");
        seen.insert(action.to_string());
    }
    assert_eq!(seen.len(), 36, "an event of every kind: {seen:?}");
}

#[test]
fn a_takeover_stops_what_runs_and_is_decided_whole() {
    let (state, id) = with_a_draft();
    let now = Timestamp::from_micros(100);
    let state = decide(&state, &starting(id), now).unwrap().unwrap().state;
    let set = |revision, version: &str| Command::SetTraffic {
        revision: Some(revision),
        weights: vec![(
            types::VersionName::parse(version).unwrap(),
            types::Percent::new(100.0).unwrap(),
        )],
        fallback: None,
    };
    let known = state.versions[1].version.to_string();
    let results = Some((id, serde_json::json!({"summary": "so far"})));
    let take = |command| decide_by_takeover(&state, results.clone(), &command, now);
    let two = take(set(state.revision, &known)).unwrap();
    let actions: Vec<&str> = two.iter().map(|d| d.change.event.action.as_str()).collect();
    assert_eq!(actions, ["experiment.stopped", "traffic.set"]);
    assert!(two[0].change.event.detail.contains("so far"));
    assert_eq!(two[1].change.decided_on, two[0].state.changes);
    // What is refused stops nothing, and says the revision that was given.
    let given = state.revision - 1;
    let refused = take(set(given, &known)).unwrap_err();
    let present = state.revision;
    assert_eq!(
        refused,
        Refusal::Stale {
            name: name(),
            present,
            given
        }
    );
    assert!(matches!(
        take(set(present, "9.9")),
        Err(Refusal::UnknownVersion(_))
    ));
    // Where nothing is to be done, nobody makes way.
    let idle = Command::Deactivate {
        id: state.versions[0].model_id,
    };
    let stopped = decide(&state, &Command::MakeWay(None), now)
        .unwrap()
        .unwrap()
        .state;
    let idle_state = decide(&stopped, &idle, now).unwrap().unwrap().state;
    assert!(
        decide_by_takeover(&idle_state, None, &idle, now)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_decision_about_what_is_not_there_is_refused() {
    let (state, id) = with_a_draft();
    let now = Timestamp::from_micros(100);
    let mut state = decide(&state, &starting(id), now).unwrap().unwrap().state;
    // The row of the candidate cannot be read any more.
    state.versions.truncate(1);
    let step = |decision| {
        Command::DecideExperiment(Box::new(crate::ExperimentDecision {
            id,
            revision: 1,
            decision,
            by: types::Actor::Controller,
            because: String::new(),
            reason: None,
            progress: None,
            scales: Vec::new(),
            limit: None,
            evidence: serde_json::Value::Null,
            look: None,
        }))
    };
    let promoted = decide(&state, &step(types::Decision::Promote { arm: 1 }), now);
    assert!(
        matches!(promoted, Err(Refusal::UnknownVersion(_))),
        "{promoted:?}"
    );
    let promoted = decide(&state, &step(types::Decision::Promote { arm: 9 }), now);
    assert!(
        matches!(promoted, Err(Refusal::NotThere(_))),
        "{promoted:?}"
    );
    // Going back needs the control alone.
    assert!(
        decide(&state, &step(types::Decision::RollBack), now)
            .unwrap()
            .is_some()
    );
}

#[test]
fn what_could_not_be_read_at_the_baseline_may_be_mended() {
    let (mut state, _) = with_a_draft();
    let whole = state.versions[0].clone();
    state.changes = 0;
    state.versions[0].runtime = types::RuntimeSpec::Unreadable("its tags cannot be read".into());
    let now = Timestamp::from_micros(100);
    let baseline = decide(&state, &Command::Baseline, now).unwrap().unwrap();
    let told = vec![(now, baseline.change.event)];
    assert_eq!(differences(&baseline.state, &replayed(&told)), [""; 0]);
    let mut mended = baseline.state;
    mended.versions[0] = whole;
    assert_eq!(differences(&mended, &replayed(&told)), [""; 0]);
    mended.versions[0].traffic_percent = types::Percent::ZERO;
    let found = differences(&mended, &replayed(&told));
    assert_eq!(
        found,
        [format!("the version {}", mended.versions[0].version)]
    );
}

#[test]
fn an_alias_of_a_version_that_cannot_be_read_goes_all_the_same() {
    let (mut state, _) = with_a_draft();
    let alias = types::AliasName::parse("lost").unwrap();
    state.aliases.insert(alias.clone(), types::VersionKey(999));
    let now = Timestamp::from_micros(100);
    let deleted = decide(&state, &Command::DeleteAlias(alias), now)
        .unwrap()
        .unwrap();
    assert!(deleted.state.aliases.is_empty());
    assert!(matches!(
        &deleted.change.writes[..],
        [Write::Alias { version: None, .. }]
    ));
}
