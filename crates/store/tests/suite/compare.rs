//! SQLite does what the plain store in memory does, whatever comes.

use crate::experiments::{clicked, definition, metric_name, score};
use crate::{Backend, Opened, at, entry_of, name, open_memory, open_sqlite, record};
use catalog::random::Dice;
use catalog::{Command, NewVersion, SettingsCommand, decide, decide_settings};
use fastrand::Rng;
use serde_json::json;
use std::ops::RangeInclusive;
use std::sync::Arc;
use store::entry::{FeedbackEntry, encode_feedback};
use store::memory::MemoryStore;
use store::{
    Appended, AuditFilter, ByAttributes, Checkpoint, Delivery, Earlier, ExperimentFilter,
    ExportFilter, Exported, ExportedPrediction, Feedback, FeedbackContent, FeedbackOf, Incoming,
    LogStore, ModelStore, Piece, PredictionFilter, Rollup, Store, UnitFeedback, VersionFilter,
};
use types::{
    Accuracy, Actor, AliasName, BuiltIn, Combine, Condition, Covariate, Described, Evidence,
    Experiment, ExperimentId, ExperimentStatus, KeyHash, KeyId, Line, LookRecord, Metric,
    MetricSums, Missing, ModelId, ModelState, Per, PredictionId, PredictionRecord, Reason,
    ReceiptId, RequestId, RequestKey, RuntimeSpec, Scale, Status, TimeRange, Timestamp, UnitId,
    VerdictKind, Version, VersionKey, VersionStatus, WebhookId,
};

/// Sequences in the everyday suite; `STORE_COMPARED` asks for others.
const SEQUENCES: u64 = 12;
const ROUNDS: i64 = 25;

/// The two stores, and what is known of them.
pub(crate) struct Both {
    pub(crate) random: Rng,
    pub(crate) sqlite: Opened<Store>,
    memory: MemoryStore,
    pub(crate) state: ModelState,
    /// The change before the last, which is applied no second time.
    stale: Option<types::Change>,
    /// What was logged, and what may yet be.
    known: Vec<PredictionRecord>,
    /// Predictions for which something was told.
    told: Vec<PredictionId>,
    receipts: Vec<ReceiptId>,
    pub(crate) now: i64,
    seen: Seen,
}

/// That something was there to be compared.
#[derive(Debug, Default)]
struct Seen {
    values: u64,
    matured: u64,
    events: u64,
    unlike: u64,
    replaced: u64,
    replaced_late: u64,
    joined: usize,
    outcomes: usize,
    exported: usize,
    set_aside: usize,
    of_units: usize,
    segments: usize,
}

/// Asks both the same and compares what they say. What is asked is said twice, so it must not be by chance.
macro_rules! same {
    ($both:expr, $($ask:tt)+) => {{
        let left = $both.sqlite.store.$($ask)+.await.unwrap();
        let right = $both.memory.$($ask)+.await.unwrap();
        assert_eq!(left, right, "{}", stringify!($($ask)+));
        left
    }};
}

impl Both {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Rng::with_seed(seed),
            sqlite: open_sqlite(),
            memory: open_memory().store,
            state: ModelState::new(name("m")),
            stale: None,
            known: Vec::new(),
            told: Vec::new(),
            receipts: Vec::new(),
            now: 0,
            seen: Seen::default(),
        }
    }

    pub(crate) async fn change(&mut self, dice_key: i64) {
        let random = &mut self.random;
        let mut roll = |bound| random.u64(..bound);
        let command = Dice::new(&mut roll, dice_key).command(&self.state, at(self.now));
        self.carry_out(&command).await;
        if let Some(stale) = self.stale.clone().filter(|_| self.random.u8(..4) == 0) {
            let refused = same!(self, apply(vec![stale.clone()]));
            assert!(refused[0].is_err(), "a change was applied twice");
        }
    }

    async fn carry_out(&mut self, command: &Command) {
        let Ok(Some(decided)) = decide(&self.state, command, at(self.now)) else {
            return;
        };
        let applied = same!(self, apply(vec![decided.change.clone()]));
        assert_eq!(applied, [Ok(())], "{command:?}");
        self.stale = Some(decided.change);
        self.state = decided.state;
    }

    /// Begins with an experiment, so that there is something to count from the first entry on.
    pub(crate) async fn begin(&mut self) {
        for number in 1..3 {
            let new = NewVersion {
                key: same!(self, unused_keys()).0,
                model_id: ModelId::from_bits(number),
                version: crate::version_name(&number.to_string()),
                described: Described::default(),
                accuracy: Accuracy::ZERO,
                runtime: RuntimeSpec::default(),
                salt: "salt".into(),
            };
            self.carry_out(&Command::Register(Box::new(new))).await;
        }
        let age = Covariate::Attribute("age".into());
        let spent = Metric {
            window_seconds: 60,
            missing: Missing::Zero,
            covariate: self.random.bool().then_some(age),
            ..score()
        };
        let combine = [Combine::Sum, Combine::Last, Combine::Max][self.random.usize(..3)];
        let revenue = Metric {
            name: metric_name("revenue"),
            per: Per::Unit,
            combine,
            window_seconds: [60, 600, 2000][self.random.usize(..3)],
            missing: [Missing::Zero, Missing::Excluded][self.random.usize(..2)],
            covariate: [spent.covariate.clone(), Some(Covariate::Before)][self.random.usize(..2)]
                .clone(),
            ..spent.clone()
        };
        for metric in [clicked(), spent.clone(), revenue.clone()] {
            self.carry_out(&Command::SetMetric(Box::new(metric))).await;
        }
        let metrics = vec![
            clicked(),
            spent,
            BuiltIn::Error.metric(),
            BuiltIn::LatencyMs.metric(),
            BuiltIn::Correct.metric(),
            revenue,
        ];
        let arms: Vec<&Version> = self.state.versions.iter().collect();
        let id = ExperimentId::from_bits(7);
        let create = Command::CreateExperiment {
            key: same!(self, unused_keys()).1,
            id,
            definition: Box::new(types::ExperimentDefinition {
                dimensions: vec!["country".into(), "beta".into()],
                ..definition(&arms, metrics)
            }),
        };
        self.carry_out(&create).await;
        let scale = Some(Scale {
            floor: 0.0,
            cap: 3.0,
            centre: 0.3,
            line: self.random.bool().then_some(Line {
                mean: 30.0,
                slope: 0.01,
                low: 20.0,
                high: 40.0,
            }),
        });
        let start = Command::StartExperiment {
            scales: vec![scale, scale, None, scale, scale, scale],
            id,
            progress: None,
            revision: None,
            by: Actor::Person,
        };
        self.carry_out(&start).await;
    }

    async fn set(&mut self) {
        let bits = self.random.u64(1..6);
        let id = WebhookId::from_bits(bits);
        let command = match self.random.u8(..7) {
            3 => crate::settings::key(bits),
            4 => SettingsCommand::RevokeKey(KeyId::from_bits(bits)),
            5 => SettingsCommand::RotateKey {
                from: KeyId::from_bits(bits),
                to: KeyId::from_bits(bits + 1),
                hash: KeyHash([bits as u8; 32]),
                until: at(self.now + self.random.i64(-2..3)),
            },
            0 => SettingsCommand::SetDefaultModel(name(["m", "n"][self.random.usize(..2)])),
            1 => SettingsCommand::DeleteWebhook(id),
            _ => crate::settings::webhook(bits),
        };
        let settings = same!(self, settings());
        if let Ok(Some(decided)) = decide_settings(&settings, &command, at(self.now)) {
            let applied = same!(self, apply_settings(decided.change.clone()));
            let again = same!(self, apply_settings(decided.change.clone()));
            assert!(applied.is_ok() && again.is_err());
        }
        let delivery = Delivery {
            attempts: self.random.u32(..9),
            ..Delivery::up_to(self.now)
        };
        same!(
            self,
            keep_uses(vec![(KeyId::from_bits(bits), at(self.now))])
        );
        same!(self, keys());
        same!(self, keep_delivery(id, delivery.clone()));
        same!(self, webhooks());
        same!(self, settings_events());
    }

    async fn look(&mut self) {
        let running = same!(self, experiments(running()));
        let Some(experiment) = running.first() else {
            return;
        };
        let looks = [0, self.random.i64(0..3)].map(|later| Checkpoint {
            key: experiment.key,
            revision: experiment.revision + later,
            progress: experiment.progress.clone(),
            look: LookRecord {
                history: format!("[{}]", self.now),
                verdict: VerdictKind::KeepGoing,
            },
        });
        same!(self, checkpoint(looks.to_vec()));
    }

    /// Entries of every kind: for versions and experiments that are there, that were, and that never were.
    pub(crate) fn entries(&mut self) -> Vec<Vec<u8>> {
        let mut entries = Vec::new();
        for _ in 0..self.random.usize(1..12) {
            entries.push(match self.random.u8(..20) {
                0 => b"nothing that was ever written".to_vec(),
                1..12 => self.prediction(),
                _ => {
                    entries.extend(self.feedback());
                    continue;
                }
            });
        }
        entries
    }

    /// The positions of so many entries, and those between them that could not be read.
    fn positions(&mut self, entries: usize) -> (Vec<u64>, Vec<RangeInclusive<u64>>) {
        let mut next = self.memory.position() + 1;
        let (mut positions, mut missing) = (Vec::new(), Vec::new());
        for place in 0..=entries {
            if self.random.u8(..12) == 0 {
                let last = next + self.random.u64(..1500);
                missing.push(next..=last);
                next = last + 1;
            }
            if place < entries {
                positions.push(next);
                next += 1;
            }
        }
        (positions, missing)
    }

    fn prediction(&mut self) -> Vec<u8> {
        let version = match self.random.u8(..10) {
            0 => VersionKey(self.random.i64(1..8)),
            _ => {
                let live = &self.state.versions;
                let place = self.random.usize(..live.len().max(1));
                live.get(place).map_or(VersionKey(1), |version| version.key)
            }
        };
        self.now += self.random.i64(0..40);
        let micros = self.now * 1_000_000 - self.random.i64(0..20) * 1_000_000;
        let mut record = PredictionRecord {
            epoch: self.state.epoch,
            propensity: 0.25 * self.random.f64().round() + 0.25,
            reason: [
                Reason::Weights,
                Reason::Pinned,
                Reason::Observed,
                Reason::Retry,
            ][self.random.usize(..4)],
            ..record(
                version,
                micros.max(0),
                self.random.f64(),
                self.random.u64(1..1 << 30),
            )
        };
        if self.random.u8(..4) == 0 {
            let earlier = (micros - self.random.i64(0..200_000_000)).max(0);
            record.made_at = Some(Timestamp::from_micros(earlier));
        }
        if self.random.bool() {
            let unit = self.random.u8(..6);
            record.unit_id = UnitId::parse(&format!("user-{unit}")).ok();
        }
        if self.random.bool() {
            let id = RequestId::parse(&format!("request {}", self.random.u8(..6))).ok();
            let body = self.random.u64(..);
            record.request = id.map(|id| RequestKey { id, body });
            let country = self.random.u8(..25);
            let age = self.random.u8(10..50);
            let attributes =
                format!(r#"{{"country": "C{country}", "age": {age}.5, "beta": true}}"#);
            record.attributes = serde_json::from_str(&attributes).unwrap();
            record.alias = AliasName::parse("champion").ok();
        }
        if let Some(running) = self.state.running().filter(|_| self.random.u8(..4) > 0) {
            let arms = &running.definition.arms;
            // A unit keeps its arm while the weights stay.
            let unit = record.unit_id.as_ref();
            let unit = unit.map_or(micros as usize, |u| u.as_str().as_bytes()[5].into());
            record.experiment = Some(running.key);
            record.reason = Reason::Experiment;
            record.version = arms[(unit + record.epoch as usize) % arms.len()].key;
            let answer = record.outcome.answer.as_mut();
            answer.unwrap().0 = record.version;
        }
        match self.random.u8(..10) {
            0 => {
                record.outcome.answer = None;
                let all = types::Failure::ALL;
                record.outcome.failure = Some(all[self.random.usize(..all.len())]);
            }
            1 => record.outcome.answer.as_mut().unwrap().0 = VersionKey(1),
            2 => (record.outcome.answer, record.outcome.rejected) = (None, true),
            _ => {}
        }
        // Some ids are given twice, and some predictions come after their feedback.
        let order = record.id.order() + self.random.u64(..3);
        record.id = PredictionId::new(order, order);
        let bytes = entry_of(&record);
        self.known.push(record);
        bytes
    }

    /// A request, whole or in two parts, of which the second may never have come.
    fn feedback(&mut self) -> Vec<Vec<u8>> {
        let receipt = ReceiptId::new(at(self.now), self.receipts.len() as u64);
        self.receipts.push(receipt);
        let parts = self.random.u32(1..3);
        let came = if self.random.u8(..8) == 0 { 1 } else { parts };
        let part = |part| {
            let request = FeedbackEntry {
                receipt,
                part,
                parts,
                values: self.values(),
            };
            let mut bytes = Vec::new();
            encode_feedback(&request, at(self.now), &mut bytes);
            bytes
        };
        (0..came).map(part).collect()
    }

    fn values(&mut self) -> Vec<(u64, Feedback)> {
        let mut values = Vec::new();
        for line in 1..self.random.u64(2..4) {
            let again = self.told.get(self.random.usize(..2 * self.told.len() + 1));
            let again = again.copied().filter(|id| self.lives(id.order()));
            let id = match self.random.usize(..self.known.len() + 3) {
                // So that values are replaced, some of them late.
                _ if again.is_some() => again.expect("just looked at"),
                // Of a deleted version it depends on how far its rows have gone.
                at if at < self.known.len() && self.lives(self.known[at].id.order()) => {
                    self.known[at].id
                }
                _ => {
                    let micros = (self.now + self.random.i64(0..60)) * 1_000_000;
                    let order = PredictionId::order_at(Timestamp::from_micros(micros));
                    let order = order + self.random.u64(..3);
                    let order = (order..).find(|order| self.lives(*order)).unwrap_or(order);
                    PredictionId::new(order, order)
                }
            };
            let of = match self.random.u8(..6) {
                1..3 => {
                    let outcome = RequestId::parse(&format!("sale {}", self.random.u8(..20))).ok();
                    let at = self.now * 1_000_000 - self.random.i64(-5_000_000..60_000_000);
                    FeedbackOf::Unit(Box::new(UnitFeedback {
                        name: self.random.bool().then(|| name("m")),
                        unit: UnitId::parse(&format!("user-{}", self.random.u8(..6))).unwrap(),
                        at: self.random.bool().then(|| Timestamp::from_micros(at)),
                        outcome: outcome.filter(|_| self.random.bool()),
                    }))
                }
                0 => {
                    let id = RequestId::parse(&format!("request {}", self.random.u8(..8)));
                    let id = id.unwrap();
                    let mut known = self.known.iter();
                    let is = |record: &PredictionRecord| {
                        record
                            .request
                            .as_ref()
                            .is_some_and(|request| request.id == id)
                    };
                    match known.all(|record| !is(record) || self.is_live(record)) {
                        true => FeedbackOf::Request(name("m"), id),
                        false => continue,
                    }
                }
                _ => FeedbackOf::Prediction(id),
            };
            let declared: Vec<_> = self.state.metrics.keys().cloned().collect();
            let content = match self.random.usize(..declared.len() + 3) {
                at if at > 1 && matches!(of, FeedbackOf::Unit(_)) => {
                    FeedbackContent::Value(metric_name("revenue"), self.random.u8(..4).into())
                }
                0 => FeedbackContent::Label(
                    (&[json!("positive"), json!("negative"), json!(0)][self.random.usize(..3)])
                        .into(),
                ),
                1 => FeedbackContent::Value(metric_name("correct"), self.random.u8(..2).into()),
                2 => FeedbackContent::Value(metric_name("unheard"), 1.0),
                at => FeedbackContent::Value(declared[at - 3].clone(), self.random.u8(..3).into()),
            };
            if let FeedbackOf::Prediction(id) = of {
                self.told.push(id);
            }
            let value = Feedback {
                of,
                content,
                replace: self.random.bool(),
            };
            values.push((line, value));
        }
        values
    }

    /// Whether none of the predictions with an id, some of which were given twice, is of a deleted version.
    fn lives(&self, order: u64) -> bool {
        let mut known = self.known.iter();
        known.all(|record| record.id.order() != order || self.is_live(record))
    }

    fn is_live(&self, record: &PredictionRecord) -> bool {
        self.state
            .versions
            .iter()
            .any(|version| version.key == record.version)
    }

    async fn append(&mut self) {
        let entries = self.entries();
        let (positions, missing) = self.positions(entries.len());
        let placed: Vec<(u64, Vec<u8>)> = positions.into_iter().zip(entries).collect();
        let now = at(self.now);
        let left = append_at(&self.sqlite.store, placed.clone(), missing.clone(), now).await;
        let right = append_at(&self.memory, placed, missing, now).await;
        assert_eq!(left.dropped, right.dropped);
        let results_of = |part: &store::Part| {
            let receipts = part
                .results
                .iter()
                .filter_map(|(_, result)| result.as_ref().ok());
            receipts
                .map(|receipt| receipt.experiments.len())
                .sum::<usize>()
        };
        self.seen.of_units += left.parts.iter().map(results_of).sum::<usize>();
        let results = |appended: &Appended| -> Vec<_> {
            let parts = appended.parts.iter();
            parts
                .map(|part| (part.receipt, format!("{:?}", part.results)))
                .collect()
        };
        assert_eq!(results(&left), results(&right));
        let aside = |appended: &Appended| -> Vec<u64> {
            appended
                .set_aside
                .iter()
                .map(|(position, _)| *position)
                .collect()
        };
        assert_eq!(aside(&left), aside(&right));
        self.seen.set_aside += left.set_aside.len();
        assert_eq!(self.sqlite.store.position(), self.memory.position());
    }

    async fn compare_models(&mut self) {
        let limit = Some(self.random.u32(1..5));
        for status in [None, Some(VersionStatus::Active)] {
            same!(
                self,
                versions(VersionFilter {
                    status,
                    limit,
                    ..VersionFilter::default()
                })
            );
        }
        for version in self.state.versions.clone() {
            same!(self, version(version.model_id));
        }
        same!(self, aliases(name("m")));
        same!(self, model(name("m")));
        same!(self, models());
        same!(self, unused_keys());
        same!(self, events_of(name("m")));
        same!(self, due_experiments(at(self.now)));
        same!(self, unreadable());
        let all = same!(self, experiments(ExperimentFilter::default()));
        same!(
            self,
            experiments(ExperimentFilter {
                limit,
                ..ExperimentFilter::default()
            })
        );
        for experiment in all {
            same!(self, experiment(experiment.id));
            let filter = AuditFilter {
                experiment_id: Some(experiment.id),
                limit: 3,
                ..AuditFilter::default()
            };
            same!(self, audit(filter.clone()));
        }
        let newest = same!(self, changed_models(0)).0;
        let after = self.random.i64(0..newest + 2);
        same!(self, changed_models(after));
        for experiments_only in [false, true] {
            let filter = AuditFilter {
                name: self.random.bool().then(|| name("m")),
                experiments_only,
                before: self.random.bool().then_some(after),
                limit: self.random.u32(1..9),
                ..AuditFilter::default()
            };
            same!(self, audit(filter.clone()));
            let filter = AuditFilter {
                before: None,
                ..filter
            };
            same!(self, audit_after(filter.clone(), after));
        }
    }

    async fn compare_log(&mut self) {
        same!(self, log_state());
        same!(self, newest_order());
        for experiment in same!(self, experiments(ExperimentFilter::default())) {
            // Which event of a unit was its first is not told by its rows.
            let plain = |(position, minutes): (u64, Vec<types::MinuteEvidence>)| {
                let arms = minutes.into_iter().map(|minute| {
                    let bad = |slot: &types::ArmSlot| {
                        let events = slot.events.iter().map(|(metric, _, bad)| (*metric, *bad));
                        (slot.calls, events.collect::<Vec<_>>())
                    };
                    let arms = minute
                        .arms
                        .into_iter()
                        .map(|arm| arm.slots.map(|slot| bad(&slot)));
                    (minute.epoch, minute.minute, arms.collect::<Vec<_>>())
                });
                (position, arms.collect::<Vec<_>>())
            };
            let left = self.sqlite.store.minutes(experiment.clone()).await.unwrap();
            let right = self.memory.minutes(experiment).await.unwrap();
            assert_eq!(plain(left), plain(right));
        }
        let running = same!(self, experiments(running()));
        for experiment in running {
            for metric in 0..experiment.definition.metrics.len() {
                let query = Earlier {
                    definition: Arc::new(experiment.definition.clone()),
                    metric,
                    versions: experiment
                        .definition
                        .arms
                        .iter()
                        .map(|arm| arm.key)
                        .collect(),
                    experiment: self.random.bool().then_some(experiment.key),
                    since: self.random.bool().then(|| at(self.now / 2)),
                    now: at(self.now),
                    limit: if self.random.bool() { 1000 } else { 5 },
                };
                let left = self.sqlite.store.earlier_outcomes(query.clone()).await;
                let right = self.memory.earlier_outcomes(query).await;
                let sorted = |found: Result<store::EarlierOutcomes, _>| {
                    let mut found = found.unwrap();
                    found.units.sort_by(|a, b| a.partial_cmp(b).unwrap());
                    found
                };
                assert_eq!(sorted(left), sorted(right));
            }
        }
        for id in 0..6 {
            let bodies = self
                .known
                .iter()
                .filter_map(|known| Some(known.request.as_ref()?.body));
            let bodies: Vec<u64> = bodies.collect();
            let at_random = self.random.usize(..bodies.len() + 1);
            let query = store::RequestQuery {
                body: bodies.get(at_random).copied(),
                name: self.state.name.clone(),
                id: RequestId::parse(&format!("request {id}")).unwrap(),
                since: at(self.random.i64(0..=self.now)),
            };
            let left = self.sqlite.store.of_request(query.clone()).await.unwrap();
            assert_eq!(left, self.memory.of_request(query).await.unwrap());
        }
        let (after, limit) = (self.random.u64(..1 << 40), self.random.usize(1..20));
        let left = self
            .sqlite
            .store
            .request_numbers(after, limit)
            .await
            .unwrap();
        let right = self.memory.request_numbers(after, limit).await.unwrap();
        assert_eq!(left, right);
        let positions = |found: Vec<store::SetAside>| -> Vec<_> {
            found
                .into_iter()
                .map(|aside| (aside.position, aside.bytes, aside.at))
                .collect()
        };
        let left = self.sqlite.store.set_aside(3, 5).await.unwrap();
        let right = self.memory.set_aside(3, 5).await.unwrap();
        assert_eq!(positions(left), positions(right));
        let unit = UnitId::parse(&format!("user-{}", self.random.u8(..8))).unwrap();
        let name = self.random.bool().then(|| self.state.name.clone());
        let limit = self.random.u32(1..20);
        let of_unit = (unit, name, limit);
        let (unit, name, limit) = of_unit.clone();
        let left = self
            .sqlite
            .store
            .outcomes_of(unit, name, limit)
            .await
            .unwrap();
        let (unit, name, limit) = of_unit;
        let right = self.memory.outcomes_of(unit, name, limit).await.unwrap();
        assert_eq!(left, right);
        for range in [TimeRange::ALL, self.range()] {
            let name = self.state.name.clone();
            let query = ByAttributes {
                name: self.random.bool().then_some(name),
                range,
                condition: Condition::parse("age > 30 or country = C3").unwrap(),
                limit: self.random.usize(..200),
            };
            let (left, left_to) = self
                .sqlite
                .store
                .totals_by_attributes(query.clone())
                .await
                .unwrap();
            let (right, right_to) = self.memory.totals_by_attributes(query).await.unwrap();
            assert_eq!((left, left_to), (right, right_to));
            let left = totals(&self.sqlite.store, range).await;
            let right = totals(&self.memory, range).await;
            assert_eq!(left.len(), right.len(), "{range:?}");
            for ((left, one), (right, other)) in left.iter().zip(&right) {
                assert!(
                    left == right && one.agrees_with(other),
                    "{range:?}: {one:?} {other:?}"
                );
            }
            same!(
                self,
                predictions(PredictionFilter {
                    range,
                    limit: 7,
                    ..PredictionFilter::default()
                })
            );
            for metric in [
                "correct",
                "latency_ms",
                "error",
                "confidence",
                "rejected",
                "slow",
            ] {
                let built_in = BuiltIn::find(metric).unwrap();
                self.compare_groups(&built_in.metric(), range).await;
            }
            self.compare_groups(&clicked(), range).await;
        }
        for status in Status::ALL.iter().copied().map(Some) {
            let model_id = self.state.versions.first().map(|version| version.model_id);
            let filter = PredictionFilter {
                status,
                model_id,
                limit: 50,
                ..PredictionFilter::default()
            };
            same!(self, predictions(filter.clone()));
        }
        let position = self.random.u64(..self.memory.position() + 2);
        let limit = self.random.u32(1..9);
        same!(self, predictions_after(position, limit));
        self.seen.joined += same!(self, feedback_after(position, limit)).len();
        self.seen.outcomes += same!(self, outcomes_after(position, limit)).len();
        let models = self.state.versions.iter();
        let of = models.map(|version| ExportFilter {
            model_id: Some(version.model_id),
            ..ExportFilter::default()
        });
        let everything = ExportFilter {
            experiment_id: self
                .state
                .experiments
                .last()
                .map(|experiment| experiment.id),
            ..ExportFilter::default()
        };
        let of: Vec<_> = of.chain([everything, ExportFilter::default()]).collect();
        for filter in of {
            let piece = Piece {
                after: position,
                until: position + self.random.u64(..30_000),
                rows: self.random.usize(1..9),
                bytes: usize::MAX,
            };
            // Where a piece ends is up to a store, as long as nothing lies between its last row and there.
            let rows = |exported: Exported<ExportedPrediction>| exported.rows;
            let of_memory = self.memory.export_predictions(filter.clone(), piece);
            let of_memory = rows(of_memory.await.unwrap());
            let of_store = self.sqlite.store.export_predictions(filter, piece);
            assert_eq!(rows(of_store.await.unwrap()), of_memory);
            self.seen.exported += of_memory.len();
        }
        for record in self.known.clone() {
            same!(self, prediction(record.id));
            if self.is_live(&record) {
                same!(self, feedback_of(record.id));
            }
        }
        for receipt in self.receipts.clone() {
            same!(self, receipt(receipt));
        }
    }

    async fn compare_groups(&mut self, metric: &Metric, range: TimeRange) {
        let groups = |found: Vec<types::LoggedGroup>| -> Vec<_> {
            let each = found.into_iter();
            each.map(|g| {
                (
                    g.period,
                    g.epoch,
                    g.reason,
                    g.version,
                    g.propensity.to_bits(),
                    g.part,
                    g.n,
                    g.sum as f32,
                )
            })
            .collect()
        };
        let left = self
            .sqlite
            .store
            .logged_groups(name("m"), metric.clone(), range, 60_000);
        let right = self
            .memory
            .logged_groups(name("m"), metric.clone(), range, 60_000);
        let (mut left, mut right) = (groups(left.await.unwrap()), groups(right.await.unwrap()));
        left.sort_by(|a, b| a.partial_cmp(b).unwrap());
        right.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(left, right, "{} {range:?}", metric.name);
    }

    async fn compare_segments(&mut self, experiment: &Experiment, now: Timestamp) {
        let left = self.sqlite.store.segments(experiment.clone(), now);
        let right = self.memory.segments(experiment.clone(), now);
        let (left, right) = (left.await.unwrap(), right.await.unwrap());
        let of = |found: &[types::SegmentEvidence]| -> Vec<_> {
            let each = found.iter();
            each.map(|segment| (segment.dimension.clone(), segment.of.clone()))
                .collect()
        };
        assert_eq!(of(&left), of(&right));
        self.seen.segments += left.len();
        for (left, right) in left.into_iter().zip(right) {
            // Whose first event it was is told of all units alone.
            let without_events = |mut evidence: Evidence| {
                let arms = evidence.epochs.iter_mut().flat_map(|epoch| &mut epoch.arms);
                for metric in arms.flat_map(|arm| &mut arm.metrics) {
                    (metric.all.events, metric.matured.events) = (0, 0);
                }
                evidence
            };
            let (left, right) = (
                without_events(left.evidence),
                without_events(right.evidence),
            );
            assert_same_evidence(experiment, &left, &right);
        }
    }

    async fn compare_evidence(&mut self) {
        let now = at(self.now + self.random.i64(0..200));
        for experiment in same!(self, experiments(ExperimentFilter::default())) {
            let left = self
                .sqlite
                .store
                .evidence(experiment.clone(), now)
                .await
                .unwrap();
            let right = self.memory.evidence(experiment.clone(), now).await.unwrap();
            assert_same_evidence(&experiment, &left, &right);
            self.compare_segments(&experiment, now).await;
            self.seen.unlike += left
                .unlike_labels
                .iter()
                .map(|unlike| unlike.count)
                .sum::<u64>();
            for of in &left.corrections {
                self.seen.replaced += of.replaced;
                self.seen.replaced_late += of.late;
            }
            for metric in left
                .epochs
                .iter()
                .flat_map(|e| &e.arms)
                .flat_map(|arm| &arm.metrics)
            {
                self.seen.values += metric.all.values;
                self.seen.matured += u64::from(metric.matured.count < metric.all.count);
                self.seen.events += metric.all.events;
            }
        }
        let left = self.sqlite.store.running_evidence(now).await.unwrap();
        let right = self.memory.running_evidence(now).await.unwrap();
        assert_eq!(left.len(), right.len());
        for (left, right) in left.into_iter().zip(right) {
            let ((experiment, left), (other, right)) = (left.unwrap(), right.unwrap());
            assert_eq!(experiment, other);
            assert_same_evidence(&experiment, &left, &right);
        }
    }

    fn range(&mut self) -> TimeRange {
        let mut ends = [
            self.random.i64(0..self.now + 2),
            self.random.i64(0..self.now + 2),
        ];
        ends.sort_unstable();
        TimeRange {
            since: self.random.bool().then(|| at(ends[0])),
            until: self.random.bool().then(|| at(ends[1] + 1)),
        }
    }
}

/// Stores entries at positions. Somebody waits for every other receipt.
async fn append_at<S: Backend>(
    store: &S,
    entries: Vec<(u64, Vec<u8>)>,
    missing: Vec<RangeInclusive<u64>>,
    now: Timestamp,
) -> Appended {
    let store = store.clone();
    let append = move || {
        let mut appended = Appended::default();
        let each = entries.iter();
        let incoming = Incoming {
            entries: each
                .map(|(position, bytes)| (*position, &bytes[..]))
                .collect(),
            missing: &missing,
            awaited: &|receipt| receipt.to_string().bytes().map(u64::from).sum::<u64>() % 2 == 0,
            now,
        };
        store.append(&incoming, &mut appended).unwrap();
        appended
    };
    tokio::task::spawn_blocking(append).await.unwrap()
}

fn running() -> ExperimentFilter {
    ExperimentFilter {
        status: Some(ExperimentStatus::Running),
        ..ExperimentFilter::default()
    }
}

async fn totals<S: Backend>(store: &S, range: TimeRange) -> Vec<(VersionKey, Rollup)> {
    let totals = store.totals(range).await.unwrap();
    // What no prediction has added to is not told apart from nothing, and hashes are SQLite's.
    let counted = totals.into_iter().filter(|totals| totals.rollup.count > 0);
    let plain = |rollup: Rollup| Rollup {
        hashed: 0,
        ..rollup
    };
    let mut totals: Vec<_> = counted
        .map(|totals| (totals.version, plain(totals.rollup)))
        .collect();
    totals.sort_by_key(|(version, _)| *version);
    totals
}

fn assert_same_evidence(experiment: &Experiment, left: &Evidence, right: &Evidence) {
    assert_eq!(left.outside, right.outside, "{experiment:?}");
    assert_eq!(left.unlike_labels, right.unlike_labels, "{experiment:?}");
    assert_eq!(left.corrections, right.corrections, "{experiment:?}");
    assert_eq!(left.epochs.len(), right.epochs.len());
    for (left, right) in left.epochs.iter().zip(&right.epochs) {
        assert_eq!(
            (left.epoch, left.started_at, &left.shares),
            (right.epoch, right.started_at, &right.shares)
        );
        assert_eq!(left.days, right.days);
        for (left, right) in left.arms.iter().zip(&right.arms) {
            assert_eq!(left.exposures, right.exposures);
            for (left, right) in left.metrics.iter().zip(&right.metrics) {
                assert!(left.all.agrees_with(&right.all), "{left:?} {right:?}");
                // A writer counts a unit with a value where its first value came, however young that was.
                let matured = |sums: &MetricSums| MetricSums {
                    value_units: 0,
                    fresh_values: 0,
                    ..*sums
                };
                let (one, other) = (matured(&left.matured), matured(&right.matured));
                assert!(one.agrees_with(&other), "{left:?} {right:?}");
                assert_eq!(left.bets, right.bets);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_does_what_memory_does() {
    let asked = std::env::var("STORE_COMPARED").ok();
    let sequences = asked.map_or(SEQUENCES, |asked| asked.parse().unwrap());
    let mut seen = Seen::default();
    for seed in 0..sequences {
        let mut both = Both::new(seed);
        both.seen = seen;
        both.begin().await;
        for round in 0..ROUNDS {
            both.now += both.random.i64(0..30);
            let (versions, experiments) = same!(both, unused_keys());
            if both.random.bool() {
                both.change(versions.0.max(experiments.0)).await;
            }
            both.append().await;
            both.look().await;
            both.set().await;
            // What was set aside because its id was taken fits when the rows of a deleted version are gone.
            let (unused, _) = same!(both, unused_keys());
            let deleted = both.state.versions.len() as i64 + 1 < unused.0;
            if both.random.u8(..5) == 0 && !deleted {
                same!(both, retry_set_aside(at(both.now)));
            }
            both.sqlite.store.tidied().await;
            if both.random.u8(..8) == 0 {
                both.sqlite.store = both.sqlite.reopen().await;
            }
            if round % 5 == 4 {
                both.compare_models().await;
                both.compare_log().await;
                both.compare_evidence().await;
            }
        }
        let verified = both.sqlite.verify().await;
        assert_eq!(verified.problems, [""; 0], "seed {seed}");
        seen = both.seen;
    }
    let Seen {
        values,
        matured,
        events,
        unlike,
        replaced,
        replaced_late,
        joined,
        outcomes,
        exported,
        set_aside,
        of_units,
        segments,
    } = seen;
    assert!(
        values > 1000
            && matured > 10
            && events > 100
            && unlike > 20
            && replaced > 20
            && replaced_late > 0,
        "{seen:?}"
    );
    assert!(
        joined > 50
            && outcomes > 20
            && exported > 200
            && set_aside > 50
            && of_units > 20
            && segments > 50,
        "{seen:?}"
    );
}

/// Every method of both traits is called by the suite, which is run on every store.
#[test]
fn every_method_is_called() {
    let traits = include_str!("../../src/traits.rs");
    let suite = [
        include_str!("catalogue.rs"),
        include_str!("compare.rs"),
        include_str!("experiments.rs"),
        include_str!("feedback.rs"),
        include_str!("log.rs"),
        include_str!("settings.rs"),
        include_str!("main.rs"),
    ]
    .concat();
    let suite: String = suite.split_whitespace().collect();
    let methods = traits.lines().filter_map(|line| {
        let (name, _) = line.trim().strip_prefix("fn ")?.split_once('(')?;
        Some(name)
    });
    let methods: Vec<&str> = methods.collect();
    assert!(methods.len() > 30, "{methods:?}");
    for method in methods {
        let called = [
            format!("store.{method}("),
            format!("memory.{method}("),
            format!("same!(self,{method}("),
            format!("same!(both,{method}("),
        ];
        assert!(
            called.iter().any(|call| suite.contains(call)),
            "{method} is not called"
        );
    }
}
