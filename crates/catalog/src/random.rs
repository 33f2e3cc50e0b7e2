//! Random commands for tests: mostly ones that fit the state, and some that do not.

use crate::{Command, ExperimentDecision, NewVersion, Patch};
use serde_json::json;
use types::{
    Accuracy, Actor, AliasName, Arm, Artifact, BuiltIn, ContentHash, Decision, Described,
    DescribedChange, Experiment, ExperimentDefinition, ExperimentId, ExperimentKey, Hold, HttpSpec,
    Json, Keep, Keeping, LookRecord, Metric, MetricName, ModelId, ModelState, Percent, Policy,
    Privacy, Progress, Retention, Rule, RuntimeSpec, Scale, Tags, Timestamp, VerdictKind, Version,
    VersionKey, VersionName, VersionStatus,
};

/// Whole numbers below a bound, by chance.
pub struct Dice<'a> {
    roll: &'a mut dyn FnMut(u64) -> u64,
    /// The key that the next row gets.
    key: i64,
}

impl<'a> Dice<'a> {
    /// From what gives numbers below a bound; keys begin above `key`.
    pub fn new(roll: &'a mut dyn FnMut(u64) -> u64, key: i64) -> Self {
        Self { roll, key }
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.roll)(bound as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'b, T>(&mut self, from: &'b [T]) -> Option<&'b T> {
        (!from.is_empty()).then(|| &from[self.below(from.len())])
    }

    fn percent(&mut self) -> Percent {
        Percent::new(self.below(101) as f64).unwrap_or(Percent::ZERO)
    }

    fn key(&mut self) -> i64 {
        self.key += 1;
        self.key
    }

    fn version(&mut self, state: &ModelState) -> VersionName {
        match self.pick(&state.versions) {
            Some(version) if !self.one_in(20) => version.version.clone(),
            _ => version_name(self.below(12)),
        }
    }

    fn id(&mut self, state: &ModelState) -> ModelId {
        let found = self.pick(&state.versions).map(|version| version.model_id);
        let unknown = self.one_in(20);
        let other = ModelId::from_bits(self.below(1000) as u64);
        found.filter(|_| !unknown).unwrap_or(other)
    }

    fn experiment(&mut self, state: &ModelState) -> ExperimentId {
        let running = state.running().map(|running| running.id);
        match self.pick(&state.experiments) {
            _ if running.is_some() && self.one_in(2) => {
                running.unwrap_or(ExperimentId::from_bits(0))
            }
            Some(experiment) => experiment.id,
            None => ExperimentId::from_bits(self.below(1000) as u64),
        }
    }

    /// A command for a state at a moment.
    pub fn command(&mut self, state: &ModelState, now: Timestamp) -> Command {
        match self.below(20) {
            _ if state.versions.len() < 2 => self.register(),
            0 | 1 => self.register(),
            2 | 3 => Command::Activate {
                id: self.id(state),
                weight: self.percent(),
            },
            4 => Command::Deactivate { id: self.id(state) },
            5 => self.patch(state),
            6 if self.one_in(2) => Command::SetArtifact {
                id: self.id(state),
                artifact: Artifact {
                    sha256: ContentHash::of(&[self.below(4) as u8; 32]),
                    bytes: self.below(1000) as u64,
                },
            },
            6 if self.one_in(3) => Command::SetShadow {
                id: self.id(state),
                percent: self.percent(),
            },
            6 => Command::Delete { id: self.id(state) },
            7 | 8 => self.set_traffic(state),
            9 => Command::SetAlias {
                alias: alias(self.below(3)),
                version: self.version(state),
            },
            10 if self.one_in(3) => self.set_rules(state),
            10 if self.one_in(3) => self.set_privacy(),
            10 if self.one_in(3) => Command::SetRetention(Retention {
                max_rows: self.one_in(2).then_some(1000),
                ..Retention::default()
            }),
            10 => Command::DeleteAlias(alias(self.below(3))),
            11 => Command::SetMetric(Box::new(self.metric())),
            12 => Command::DeleteMetric(metric_name(self.below(3))),
            13 => self.create(state),
            14 => self.schedule(state, now),
            15 | 16 => self.start(state),
            17 if self.one_in(3) => Command::DeleteExperiment(self.experiment(state)),
            18 if self.one_in(8) => Command::MakeWay(None),
            _ => self.step(state),
        }
    }

    fn set_rules(&mut self, state: &ModelState) -> Command {
        let conditions = [
            "beta = true",
            "country in [\"DE\", \"AT\"]",
            "version(app) >= \"2.3\" or not age < 18",
        ];
        let rules = conditions[self.below(3)..].iter().map(|when| Rule {
            when: types::Condition::parse(when).expect("a condition"),
            version: self.version(state),
        });
        Command::SetRules {
            rules: rules.collect(),
            revision: Some(if self.one_in(5) { 0 } else { state.revision }),
        }
    }

    fn set_privacy(&mut self) -> Command {
        let inputs = Keeping {
            keep: [Keep::Full, Keep::Hashed, Keep::None][self.below(3)],
            sample_percent: self.below(101) as f64,
            redact_pointers: vec!["/email".into(); self.below(2)],
            ..Keeping::default()
        };
        Command::SetPrivacy(Box::new(Privacy {
            inputs,
            ..Privacy::default()
        }))
    }

    fn register(&mut self) -> Command {
        let key = self.key();
        Command::Register(Box::new(NewVersion {
            key: VersionKey(key),
            model_id: ModelId::from_bits(0x1000 + key as u64),
            version: version_name(self.below(12)),
            described: Described {
                description: format!("the one with {}", self.below(100)),
                tags: Tags::from([("stage".into(), self.below(3).to_string())]),
            },
            accuracy: Accuracy::new(self.below(101) as f64 / 100.0).unwrap_or(Accuracy::ZERO),
            runtime: match self.below(3) {
                0 => RuntimeSpec::Onnx(Box::default()),
                1 => RuntimeSpec::default(),
                _ => RuntimeSpec::Http(Box::new(HttpSpec {
                    template: Json::parse(r#"{"b": 12345678901234567890, "a":1.0}"#.into()).ok(),
                    ..HttpSpec::to("http://127.0.0.1:9/")
                })),
            },
            salt: format!("salt {}", self.below(100)),
        }))
    }

    fn patch(&mut self, state: &ModelState) -> Command {
        let status = self.below(VersionStatus::ALL.len());
        Command::Patch(Box::new(Patch {
            id: self.id(state),
            described: DescribedChange {
                description: self.one_in(2).then(|| format!("now {}", self.below(5))),
                tags: self.one_in(3).then(Tags::new),
            },
            status: self.one_in(2).then_some(VersionStatus::ALL[status]),
        }))
    }

    fn set_traffic(&mut self, state: &ModelState) -> Command {
        let stale = i64::from(self.one_in(10));
        let count = self.below(3);
        Command::SetTraffic {
            revision: (!self.one_in(10)).then(|| state.revision - stale),
            weights: (0..count)
                .map(|_| (self.version(state), self.percent()))
                .collect(),
            fallback: self.one_in(4).then(|| self.one_in(2)),
        }
    }

    fn metric(&mut self) -> Metric {
        let built_in = BuiltIn::Correct.metric();
        Metric {
            name: metric_name(self.below(3)),
            window_seconds: self.below(3) as u64 * 3600,
            ..built_in
        }
    }

    fn create(&mut self, state: &ModelState) -> Command {
        let arm = |version: &Version| Arm {
            key: version.key,
            model_id: version.model_id,
            version: version.version.clone(),
            weight: 1.0,
        };
        let first = self.below(state.versions.len());
        let arms = [0, 1].map(|n| arm(&state.versions[(first + n) % state.versions.len()]));
        let mut metrics = vec![BuiltIn::Correct.metric(), BuiltIn::Error.metric()];
        metrics.extend(state.metrics.values().next().cloned());
        let mut definition = ExperimentDefinition::new(state.name.clone(), arms.into(), metrics);
        definition.enrolment = if self.one_in(2) { 1.0 } else { 0.25 };
        if self.one_in(2) {
            definition.enrolment = 1.0;
            definition.policy = Policy::Rollout(types::RolloutSettings::default());
        }
        let key = self.key();
        Command::CreateExperiment {
            key: ExperimentKey(key),
            id: ExperimentId::from_bits(0x1000 + key as u64),
            definition: Box::new(definition),
        }
    }

    fn schedule(&mut self, state: &ModelState, now: Timestamp) -> Command {
        let starts_at = self
            .one_in(2)
            .then(|| now.after(std::time::Duration::from_secs(60)));
        Command::ScheduleExperiment {
            id: self.experiment(state),
            starts_at,
            revision: None,
            by: Actor::Person,
            failed: (starts_at.is_none() && self.one_in(2)).then(|| "it did not answer".into()),
        }
    }

    fn start(&mut self, state: &ModelState) -> Command {
        let id = self.experiment(state);
        let found = state.experiment(id);
        let rollout = found.is_some_and(|found| found.definition.policy.rollout().is_some());
        let revision = found.map(|found| found.revision - i64::from(self.one_in(10)));
        Command::StartExperiment {
            id,
            progress: rollout.then(|| Progress::Rollout(types::RolloutProgress::default())),
            scales: self.scales(found),
            revision: revision.filter(|_| self.one_in(2)),
            by: Actor::Person,
        }
    }

    /// A scale for each metric, or none.
    fn scales(&mut self, experiment: Option<&Experiment>) -> Vec<Option<Scale>> {
        let metrics = experiment.map_or(0, |found| found.definition.metrics.len());
        let scale = |_| {
            self.one_in(2).then(|| Scale {
                floor: 0.0,
                cap: 1.0 + self.below(9) as f64,
                centre: self.below(101) as f64 / 100.0,
                line: None,
            })
        };
        (0..metrics).map(scale).collect()
    }

    fn step(&mut self, state: &ModelState) -> Command {
        let id = self.experiment(state);
        let found = state.experiment(id);
        let share = self.below(101) as f64 / 100.0;
        let shares = vec![1.0 - share, share];
        let scales = self.scales(found);
        let decision = match self.below(16) {
            0 | 1 => Decision::Advance { shares },
            2 | 3 => Decision::Reweigh { shares },
            4 => Decision::RollBack,
            5 => Decision::Promote { arm: self.below(3) },
            6 => Decision::Hold(Hold::NoTraffic),
            7 => Decision::Release,
            8 => Decision::Winner { arm: 1 },
            9 => Decision::Pause,
            10 => Decision::Resume,
            11 => Decision::Stop,
            12 => Decision::Abort,
            13 => Decision::Rescale { shares },
            14 => Decision::EffectChanged,
            _ => Decision::Verdict,
        };
        let progress = found.and_then(|found| found.progress.clone());
        let progress = progress.map(|progress| match progress {
            Progress::Rollout(was) => Progress::Rollout(types::RolloutProgress {
                step: was.step + self.below(2),
                paused: self.one_in(3),
                ..was
            }),
            bandit @ Progress::Bandit(_) => bandit,
        });
        let person = self.one_in(2);
        Command::DecideExperiment(Box::new(ExperimentDecision {
            id,
            revision: found.map_or(0, |found| found.revision - i64::from(self.one_in(10))),
            decision,
            by: if person {
                Actor::Person
            } else {
                Actor::Controller
            },
            because: "by chance".into(),
            reason: self.one_in(2).then(|| "it was time".into()),
            progress,
            scales,
            limit: self.one_in(3).then(|| "ill".into()),
            evidence: json!({"looks": self.below(100)}),
            look: (!person).then(|| LookRecord {
                history: "[]".into(),
                verdict: VerdictKind::KeepGoing,
            }),
        }))
    }
}

fn version_name(n: usize) -> VersionName {
    VersionName::parse(&format!("{n}.0.0")).expect("a version string")
}

fn alias(n: usize) -> AliasName {
    AliasName::parse(["champion", "challenger", "shadow"][n]).expect("an alias")
}

fn metric_name(n: usize) -> MetricName {
    MetricName::parse(["clicked", "bought", "came_back"][n]).expect("a metric")
}
