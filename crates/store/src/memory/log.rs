//! The log, as the entries that came.

mod outcomes;

use super::models::Models;
use super::unit_of;
use crate::entry::{Entry, FeedbackEntry, Kind, PredictionEntry};
use crate::feedback::{Attempt, Corrects, Labelled, Valued, attempt_of};
use crate::log::since_of;
use crate::receipt::Kept;
use crate::{
    Appended, ByAttributes, Counted, Earlier, EarlierOutcomes, ExportFilter, Exported,
    ExportedPrediction, Feedback, FeedbackContent, FeedbackOf, FeedbackRefusal, FeedbackResult,
    Incoming, LogState, LoggedPrediction, Part, Piece, PlacedFeedback, PredictionFilter, Receipt,
    RequestQuery, RequestReceipt, Rollup, SetAside, ShadowAnswer, ShadowOf, ShadowPair,
    ShadowQuery, StoredFeedback, Tier, VersionTotals, part_of, unit_number,
};
use evidence::{
    Bets, Came, Coin, Covariates, Delta, Exposed, Facts, Gain, Given, Outcome, Recount, Sample,
    Seen, SegmentValues, Segments, Unit, UnitOutcomes, UnitWorth, before, covariate_of, cutoff,
    earlier_value, exposed, matured_before, matured_worth, of_attributes, start_of, valued,
    without_value,
};
use outcomes::UnitOutcomeRow;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::sync::Arc;
use types::{
    ArmEvidence, ArmMinute, Attributes, BuiltIn, Corrections, Covariate, DayEvidence, DaySums,
    EpochEvidence, Evidence, Experiment, ExperimentDefinition, ExperimentKey, FeedbackStatus,
    Input, Json, LoggedGroup, Metric, MetricEvidence, MetricName, MetricSums, MinuteEvidence,
    Mismatch, ModelName, Per, PredictionId, Reason, ReceiptId, RequestId, TimeRange, Timestamp,
    UnlikeLabels, VersionKey,
};
use types::{SegmentEvidence, UnitId};

/// How long feedback without a prediction is kept, in microseconds.
const KEPT: i64 = 7 * 86_400 * 1_000_000;
/// How long outcomes of units are kept that were never exposed, in microseconds.
const KEPT_OUTCOMES: i64 = 30 * 86_400 * 1_000_000;

#[derive(Debug, Default)]
pub(super) struct Log {
    position: u64,
    /// Entries of predictions, by the order of the id.
    predictions: BTreeMap<u64, Row>,
    feedback: BTreeMap<(u64, MetricName), Stored>,
    /// What waits for its prediction.
    pending: BTreeMap<(FeedbackOf, MetricName), (FeedbackContent, Timestamp)>,
    feedback_dropped: u64,
    /// Outcomes of units, in the order in which they came.
    outcomes: Vec<UnitOutcomeRow>,
    dropped: u64,
    missing: Vec<RangeInclusive<u64>>,
    /// What versions made of copies, by the order of the id.
    shadows: BTreeMap<u64, (Vec<u8>, PredictionId)>,
    /// Entries of calls that have begun, by the order of the id.
    begun: BTreeMap<u64, Vec<u8>>,
    set_aside: BTreeMap<u64, Aside>,
    receipts: HashMap<ReceiptId, RequestReceipt>,
    /// Where the event of a unit is counted, by experiment and the place of the metric: the epoch, and when its prediction was made,
    /// in seconds.
    had_event: HashMap<(ExperimentKey, usize, Unit), (i64, i64)>,
    /// Such events, by epoch and version beside that.
    events: HashMap<(ExperimentKey, i64, VersionKey, usize), Vec<Noted>>,
    /// By experiment, version, and the place of the metric: how many values took the place of others, and predictions whose
    /// evidence keeps another value than the present one.
    corrections: BTreeMap<(ExperimentKey, VersionKey, usize), (u64, i64)>,
    /// The arm of each unit in each epoch.
    arms: HashMap<(ExperimentKey, i64, Unit), VersionKey>,
    /// The values of the dimensions of each experiment.
    segments: HashMap<ExperimentKey, SegmentValues>,
    /// What was fixed of each named unit in each epoch.
    facts: HashMap<(ExperimentKey, i64, i64), Facts>,
}

#[derive(Debug, Clone)]
struct Row {
    position: u64,
    bytes: Vec<u8>,
}

/// When the prediction of an event was made, in seconds, and 1, or -1 for one that was taken back.
type Noted = (i64, i64);

/// A value that came for a prediction.
#[derive(Debug, Clone)]
struct Stored {
    value: f64,
    /// As JSON.
    label: Option<String>,
    received_at: Timestamp,
    event: i64,
    in_time: Option<f64>,
    /// Evidence has nothing of it: it is a label of such a type.
    apart: Option<Mismatch>,
    position: u64,
}

#[derive(Debug)]
struct Aside {
    reason: String,
    bytes: Vec<u8>,
    at: Timestamp,
}

/// Why an entry cannot be stored.
type Unstorable = String;

impl Row {
    fn prediction(&self) -> PredictionEntry<'_> {
        match Entry::decode(&self.bytes).map(|entry| entry.kind) {
            Ok(Kind::Prediction(prediction)) => prediction,
            other => unreachable!("only predictions are kept here: {other:?}"),
        }
    }
}

impl Log {
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn append(
        &mut self,
        models: &Models,
        incoming: &Incoming<'_>,
        appended: &mut Appended,
    ) {
        let known = self.position;
        let missing = incoming.missing.iter();
        self.missing
            .extend(missing.filter(|missing| *missing.end() > known).cloned());
        for (position, bytes) in &incoming.entries {
            if *position <= self.position {
                continue;
            }
            if let Err(reason) = self.take(models, *position, bytes, incoming, appended) {
                self.put_aside(*position, reason.clone(), bytes, incoming.now, appended);
            }
            self.position = *position;
        }
        let missing = incoming.missing.last().map_or(0, |missing| *missing.end());
        self.position = self.position.max(missing);
    }

    fn take(
        &mut self,
        models: &Models,
        position: u64,
        bytes: &[u8],
        incoming: &Incoming<'_>,
        appended: &mut Appended,
    ) -> Result<(), Unstorable> {
        let entry = Entry::decode(bytes).map_err(|error| error.to_string())?;
        match &entry.kind {
            Kind::Prediction(prediction) => {
                let dropped = self.take_prediction(models, position, prediction, bytes)?;
                appended.dropped += u64::from(dropped);
                self.dropped += u64::from(dropped);
                self.begun.remove(&prediction.id.order());
            }
            Kind::Shadow(shadow, mirrors) => {
                let (_, deleted) = models
                    .known(shadow.version)
                    .ok_or_else(|| format!("the entry is of no version ({})", shadow.version.0))?;
                if self.shadows.contains_key(&shadow.id.order()) {
                    return Err("the id is taken".into());
                }
                if !deleted {
                    self.shadows
                        .insert(shadow.id.order(), (bytes.to_vec(), *mirrors));
                }
                appended.dropped += u64::from(deleted);
                self.dropped += u64::from(deleted);
            }
            Kind::Begun(call) => {
                self.begun.insert(call.id.order(), bytes.to_vec());
            }
            Kind::Feedback(request) => {
                let awaited = (incoming.awaited)(request.receipt);
                let part = self.take_feedback(models, position, request, entry.at, awaited);
                appended.parts.push(part);
            }
        }
        Ok(())
    }

    fn put_aside(
        &mut self,
        position: u64,
        reason: Unstorable,
        bytes: &[u8],
        at: Timestamp,
        appended: &mut Appended,
    ) {
        appended.set_aside.push((position, reason.clone()));
        let bytes = bytes.to_vec();
        self.set_aside.insert(position, Aside { reason, bytes, at });
    }

    /// Says whether it was dropped, because its version is deleted.
    fn take_prediction(
        &mut self,
        models: &Models,
        position: u64,
        prediction: &PredictionEntry<'_>,
        bytes: &[u8],
    ) -> Result<bool, Unstorable> {
        let key = prediction.version;
        let known = models.known(key);
        let (_, deleted) =
            known.ok_or_else(|| format!("the entry is of no version ({})", key.0))?;
        if deleted {
            return Ok(true);
        }
        let order = prediction.id.order();
        if self.predictions.contains_key(&order) {
            return Err("its id was given before".into());
        }
        if let Some(experiment) = prediction.experiment.and_then(|key| models.by_key(key)) {
            let unit = unit_of(prediction);
            let arm = (experiment.key, prediction.epoch, unit);
            if let (Unit::Named(number), false) = (unit, self.arms.contains_key(&arm)) {
                let is_told = prediction
                    .unit_id
                    .is_some_and(|unit| !UnitId::is_generated(unit));
                let is_first = is_told && !self.is_exposed(experiment.key, unit);
                let first_of = |metric: &Metric| {
                    let counts = is_first && metric.per == Per::Unit;
                    counts.then(|| prediction.made().micros() as u64)
                };
                let facts = Facts {
                    coin: self.coin(models, experiment, prediction.epoch, unit),
                    began: prediction.made().seconds(),
                    of: experiment.definition.metrics.iter().map(first_of).collect(),
                    segments: self
                        .segments_of(experiment, prediction)
                        .with_part(&experiment.definition, number as u64),
                    covariates: self.covariates_of(experiment, prediction),
                };
                if experiment.definition.counts_units() {
                    for outcome in &mut self.outcomes {
                        outcome.joined |=
                            outcome.unit == number && outcome.name == experiment.definition.name;
                    }
                }
                let place = (experiment.key, prediction.epoch, number);
                self.facts.insert(place, facts);
            }
            if matches!(unit, Unit::Own(_)) {
                self.segments_of(experiment, prediction);
            }
            let version = *self.arms.entry(arm).or_insert(key);
            for (at, gain) in exposed(&experiment.definition, prediction.measured()) {
                let made = prediction.made();
                self.is_in_time(experiment, prediction, at, made);
                self.note_event(
                    experiment,
                    (prediction.epoch, version, made),
                    at,
                    unit,
                    &gain,
                );
            }
        }
        let bytes = bytes.to_vec();
        self.predictions.insert(order, Row { position, bytes });
        self.join_waiting(models, &FeedbackOf::Prediction(prediction.id), position);
        let request = prediction.request.map(|(id, _)| RequestId::parse(id));
        if let (Some(Ok(request)), Some((version, _))) = (request, models.known(key)) {
            let of = FeedbackOf::Request(version.name.clone(), request);
            self.join_waiting(models, &of, position);
            if prediction.reason == Reason::Retry && prediction.served.is_some() {
                self.compare_again(models, of, position);
            }
        }
        Ok(false)
    }

    /// Whether a unit was exposed in an experiment.
    fn is_exposed(&self, experiment: ExperimentKey, unit: Unit) -> bool {
        let mut arms = self.arms.keys();
        arms.any(|(of, _, known)| *of == experiment && *known == unit)
    }

    /// The segments of a unit that has come to an epoch: those of its first exposure in the experiment.
    fn segments_of(
        &mut self,
        experiment: &Experiment,
        prediction: &PredictionEntry<'_>,
    ) -> Segments {
        if experiment.definition.dimensions.is_empty() {
            return Segments::default();
        }
        if let Unit::Named(number) = unit_of(prediction) {
            let mut facts = self.facts.iter();
            let known = facts.find(|((of, _, unit), _)| *of == experiment.key && *unit == number);
            if let Some((_, known)) = known {
                return known.segments.clone();
            }
        }
        let values = self.segments.entry(experiment.key).or_default();
        let new = |_: usize, _: usize, _: &str| Ok::<(), Infallible>(());
        let segments = values.of(&experiment.definition, &attributes_of(prediction), new);
        segments.unwrap_or_default()
    }

    /// The covariates of a named unit that has come to an epoch: as they were at its first exposure in the experiment.
    fn covariates_of(
        &self,
        experiment: &Experiment,
        prediction: &PredictionEntry<'_>,
    ) -> Covariates {
        let definition = &experiment.definition;
        let Unit::Named(number) = unit_of(prediction) else {
            return Covariates::new();
        };
        let mut facts = self.facts.iter();
        let known = facts.find(|((of, _, unit), _)| *of == experiment.key && *unit == number);
        if let Some((_, known)) = known {
            return known.covariates.clone();
        }
        let mut covariates = of_attributes(definition, &attributes_of(prediction));
        for (metric, covariate) in definition.metrics.iter().zip(&mut covariates) {
            if metric.covariate == Some(Covariate::Before) {
                let came = self.outcomes_of(&definition.name, &metric.name, number);
                let made = prediction.made().micros();
                *covariate = before(metric, made, prediction.known_by(), &came);
            }
        }
        covariates
    }

    /// What is left to chance about a unit that comes to an epoch.
    fn coin(&self, models: &Models, experiment: &Experiment, epoch: i64, unit: Unit) -> Coin {
        let before = self.arms.iter().filter(|((of, other, same), _)| {
            *of == experiment.key && *other != epoch && *same == unit
        });
        let seen = before.map(|((_, other, _), version)| Seen {
            share: models.terms(experiment, *other).share().unwrap_or_default(),
            candidate: experiment.definition.control().key != *version,
        });
        let mut seen = seen.peekable();
        match models.terms(experiment, epoch).share() {
            Some(share) => Coin::between(seen, share),
            None if seen.peek().is_none() => Coin::Fresh,
            None => Coin::LeftOut,
        }
    }

    /// Whether what comes for a prediction now is in time for bets.
    fn is_in_time(
        &mut self,
        experiment: &Experiment,
        prediction: &PredictionEntry<'_>,
        at: usize,
        now: Timestamp,
    ) -> bool {
        let (order, made) = (prediction.id.order(), prediction.made().seconds());
        let mut began = made;
        let mut first = order;
        if let Unit::Named(unit) = unit_of(prediction) {
            let place = (experiment.key, prediction.epoch, unit);
            let Some(facts) = self.facts.get_mut(&place) else {
                return false;
            };
            began = facts.began;
            first = *facts.of[at].get_or_insert(order);
        }
        match experiment.definition.metrics[at].window_seconds as i64 {
            0 => first == order,
            window => made <= began + window && now.seconds() <= began + window,
        }
    }

    /// Counts a bad value as 1, where it is the first of its unit, and one that was the last and is corrected as -1.
    fn note_event(
        &mut self,
        experiment: &Experiment,
        (epoch, version, made): (i64, VersionKey, Timestamp),
        at: usize,
        unit: Unit,
        gain: &Gain,
    ) -> i64 {
        let of_unit = (experiment.key, at, unit);
        let counted = self.had_event.get(&of_unit).copied();
        let (event, made) = match counted {
            None if gain.bad => {
                self.had_event.insert(of_unit, (epoch, made.seconds()));
                (1, made.seconds())
            }
            // The one that is corrected is the last.
            Some((of_epoch, made))
                if of_epoch == epoch
                    && gain.was_bad
                    && !gain.bad
                    && self.bad_values(experiment, at, (epoch, unit)).len() == 1 =>
            {
                self.had_event.remove(&of_unit);
                (-1, made)
            }
            _ => return 0,
        };
        let place = (experiment.key, epoch, version, at);
        self.events.entry(place).or_default().push((made, event));
        if event < 0 {
            return event + self.note_event_elsewhere(experiment, at, unit, epoch);
        }
        event
    }

    /// Counts the event of a unit in the first other epoch in which it has a bad value.
    fn note_event_elsewhere(
        &mut self,
        experiment: &Experiment,
        at: usize,
        unit: Unit,
        but: i64,
    ) -> i64 {
        let epochs = self.arms.keys();
        let epochs = epochs
            .filter(|(of, epoch, known)| *of == experiment.key && *epoch != but && *known == unit);
        let mut epochs: Vec<i64> = epochs.map(|(_, epoch, _)| *epoch).collect();
        epochs.sort_unstable();
        for epoch in epochs {
            let made = self.bad_values(experiment, at, (epoch, unit));
            let Some(first) = made.iter().min() else {
                continue;
            };
            let arm = self.arms[&(experiment.key, epoch, unit)];
            let place = (experiment.key, epoch, arm, at);
            self.events.entry(place).or_default().push((*first, 1));
            self.had_event
                .insert((experiment.key, at, unit), (epoch, *first));
            return 1;
        }
        0
    }

    /// When the predictions of a unit in an epoch were made, in seconds, that have bad values of a metric.
    fn bad_values(&self, experiment: &Experiment, at: usize, of: (i64, Unit)) -> Vec<i64> {
        let metric = &experiment.definition.metrics[at];
        let given = self.feedback.iter().filter(|((_, name), given)| {
            *name == metric.name && given.apart.is_none() && metric.is_bad(given.value)
        });
        let made = given.filter_map(|((order, _), _)| {
            let p = self.predictions.get(order).map(Row::prediction)?;
            let is_of = p.experiment == Some(experiment.key) && (p.epoch, unit_of(&p)) == of;
            is_of.then(|| p.made().seconds())
        });
        made.collect()
    }

    fn join_waiting(&mut self, models: &Models, subject: &FeedbackOf, position: u64) {
        let waiting: Vec<_> = self
            .pending
            .keys()
            .filter(|(of, _)| of == subject)
            .cloned()
            .collect();
        for key in waiting {
            let Some((content, received_at)) = self.pending.remove(&key) else {
                continue;
            };
            let item = Feedback {
                of: subject.clone(),
                content,
                replace: false,
            };
            let joined = self.store(models, &item, received_at, position);
            self.feedback_dropped += u64::from(joined.is_err());
        }
    }

    /// Compares the label that came for a request with the answer that it has now.
    fn compare_again(&mut self, models: &Models, of: FeedbackOf, position: u64) {
        let Ok(Some((row, _))) = self.find(models, &of) else {
            return;
        };
        let key = (row.prediction().id.order(), BuiltIn::Correct.metric().name);
        let Some(known) = self.feedback.get(&key) else {
            return;
        };
        let received_at = known.received_at;
        let label = known.label.as_deref().map(serde_json::from_str);
        if let Some(Ok(label)) = label {
            let item = Feedback {
                of,
                content: FeedbackContent::Label(label),
                replace: false,
            };
            // What is refused stays as it is.
            let _ = self.store(models, &item, received_at, position);
        }
    }

    fn take_feedback(
        &mut self,
        models: &Models,
        position: u64,
        request: &FeedbackEntry,
        at: Timestamp,
        awaited: bool,
    ) -> Part {
        let values = request.values.iter();
        let results = values.map(|(line, item)| (*line, self.store(models, item, at, position)));
        let part = Part {
            receipt: request.receipt,
            parts: request.parts,
            results: results.collect(),
        };
        let last = request.part + 1 >= request.parts;
        let known = self.receipts.get(&part.receipt).cloned();
        match RequestReceipt::after(known, &part, last, awaited) {
            Kept::AsBefore => {}
            Kept::Nothing => drop(self.receipts.remove(&part.receipt)),
            Kept::This(receipt) => drop(self.receipts.insert(part.receipt, receipt)),
        }
        part
    }

    fn store(
        &mut self,
        models: &Models,
        item: &Feedback,
        now: Timestamp,
        position: u64,
    ) -> FeedbackResult {
        self.sweep(now);
        if let FeedbackOf::Unit(of) = &item.of {
            return self.store_outcome(models, item, of, (now, position));
        }
        let Some((row, answer)) = self.find(models, &item.of)? else {
            return Ok(self.keep(item, now));
        };
        let prediction = row.prediction();
        let id = prediction.id;
        let (version, deleted) = models.known(prediction.version).expect("it was stored");
        let answered_by = models.known(answer.prediction().version);
        if deleted || answered_by.is_none_or(|(_, deleted)| deleted) {
            return Ok(Receipt::unjoined(item, FeedbackStatus::Dropped));
        }
        let Valued {
            metric,
            value,
            label,
            mismatch,
        } = value_of(models, item, &answer.prediction(), &version.name)?;
        let key = (id.order(), metric.clone());
        let known = self.feedback.get(&key);
        let beside = |known: &Stored| match known.apart.is_some() && label.is_none() {
            // A label that evidence has nothing of is no value.
            true => f64::NAN,
            false => known.value,
        };
        let stored = known.map(|known| (beside(known), known.label.as_deref()));
        let status = crate::feedback::joined(stored, value, label.as_deref(), item.replace)?;
        let mut receipt = Receipt {
            status,
            prediction_id: Some(id),
            metric: metric.clone(),
            value: Some(value),
            counted: Some(Counted {
                name: version.name.clone(),
                model_id: version.model_id,
                version: version.version.clone(),
                experiment_id: None,
            }),
            experiments: Vec::new(),
            missed: None,
            mismatch,
        };
        let experiment = prediction.experiment.and_then(|key| models.by_key(key));
        let place = experiment.and_then(|found| {
            let at = found.definition.metric(metric.as_str())?;
            (found.definition.metrics[at].per == Per::Prediction).then_some(at)
        });
        // What evidence has counted once stays in it; and what another version answered is wrong, of whatever type it is.
        let counted = known.filter(|known| known.apart.is_none());
        let own = answer.prediction().served == Some(prediction.version);
        let apart = mismatch.filter(|found| found.is_of_label() && own && counted.is_none());
        let was_apart = known.is_some_and(|known| known.apart.is_some());
        let place = match status {
            FeedbackStatus::Duplicate => place.filter(|_| !was_apart),
            _ => place.filter(|_| apart.is_none()),
        };
        let mut event = known.map_or(0, |known| known.event);
        let mut in_time = known.and_then(|known| known.in_time);
        if let Some((experiment, at)) = experiment.zip(place) {
            let definition = &experiment.definition;
            let old = counted.map(|known| known.value);
            let gain = valued(definition, &definition.metrics[at], old, value);
            if gain.is_some() || status == FeedbackStatus::Duplicate {
                receipt.count_for(experiment.id);
            }
            if status != FeedbackStatus::Duplicate {
                let (unit, epoch) = (unit_of(&prediction), prediction.epoch);
                let arm = self.arms.get(&(experiment.key, epoch, unit));
                let arm = arm.copied().unwrap_or(prediction.version);
                if let Some(gain) = &gain {
                    let exposure = (epoch, arm, prediction.made());
                    event += self.note_event(experiment, exposure, at, unit, gain);
                }
                let has_bets = models.terms(experiment, epoch).has(at);
                let counts = gain.is_some();
                let was_in_time = in_time;
                if has_bets && counts && self.is_in_time(experiment, &prediction, at, now) {
                    in_time = Some(value);
                }
                if counts {
                    let corrects = Corrects::of(
                        &definition.metrics[at],
                        (old, was_in_time),
                        (value, in_time),
                    );
                    let place = (experiment.key, prediction.version, at);
                    let known = self.corrections.entry(place).or_default();
                    known.0 += u64::from(corrects.replaced);
                    known.1 += corrects.late;
                }
            }
        }
        if status != FeedbackStatus::Duplicate {
            let value = Stored {
                value,
                label,
                received_at: now,
                event,
                in_time,
                apart,
                position,
            };
            self.feedback.insert(key, value);
        }
        Ok(receipt)
    }

    /// The exposure that feedback is for, and the attempt that has its answer.
    fn find(
        &self,
        models: &Models,
        of: &FeedbackOf,
    ) -> Result<Option<(Row, Row)>, FeedbackRefusal> {
        let (name, id) = match of {
            FeedbackOf::Prediction(id) => {
                let row = self.predictions.get(&id.order());
                let row = row.filter(|row| row.prediction().id == *id);
                return Ok(row.map(|row| (row.clone(), row.clone())));
            }
            FeedbackOf::Request(name, id) => (name, id),
            FeedbackOf::Unit(_) => return Ok(None),
        };
        let attempts = self.predictions.values().filter(|row| {
            let prediction = row.prediction();
            let version = models.known(prediction.version);
            prediction
                .request
                .is_some_and(|(known, _)| known == id.as_str())
                && version.is_some_and(|(version, _)| version.name == *name)
        });
        let attempts: Vec<&Row> = attempts.collect();
        let each = attempts.iter().map(|row| Attempt {
            is_retry: row.prediction().reason == Reason::Retry,
            answered: row.prediction().served.is_some(),
        });
        let found = attempt_of(each)?;
        Ok(found.map(|(exposure, answer)| (attempts[exposure].clone(), attempts[answer].clone())))
    }

    fn keep(&mut self, item: &Feedback, now: Timestamp) -> Receipt {
        let receipt = Receipt::unjoined(item, FeedbackStatus::Unmatched);
        let key = (item.of.clone(), receipt.metric.clone());
        match self.pending.get_mut(&key) {
            // It stays as old as it was.
            Some((content, _)) if item.replace => content.clone_from(&item.content),
            Some(_) => {}
            None => drop(self.pending.insert(key, (item.content.clone(), now))),
        }
        receipt
    }

    fn sweep(&mut self, now: Timestamp) {
        let before = self.pending.len();
        self.pending
            .retain(|_, (_, received_at)| received_at.micros() >= now.micros() - KEPT);
        let outcomes = self.outcomes.len();
        self.outcomes
            .retain(|known| known.joined || known.happened.told >= now.micros() - KEPT_OUTCOMES);
        let dropped = before - self.pending.len() + outcomes - self.outcomes.len();
        self.feedback_dropped += dropped as u64;
    }

    pub(super) fn retry(&mut self, models: &Models, now: Timestamp) -> u64 {
        let mut taken = 0;
        for (position, aside) in std::mem::take(&mut self.set_aside) {
            let incoming = Incoming {
                entries: Vec::new(),
                missing: &[],
                awaited: &|_| false,
                now,
            };
            let mut appended = Appended::default();
            match self.take(models, position, &aside.bytes, &incoming, &mut appended) {
                Ok(()) => taken += 1,
                Err(_) => drop(self.set_aside.insert(position, aside)),
            }
        }
        taken
    }

    /// Predictions whose versions are not deleted, by the order of their ids.
    fn live<'a>(
        &'a self,
        models: &'a Models,
    ) -> impl DoubleEndedIterator<Item = (&'a Row, PredictionEntry<'a>)> {
        let rows = self.predictions.values().map(|row| (row, row.prediction()));
        rows.filter(|(_, prediction)| {
            models
                .known(prediction.version)
                .is_some_and(|(_, deleted)| !deleted)
        })
    }

    pub(super) fn newest_order(&self, models: &Models) -> u64 {
        let newest = self.live(models).next_back();
        newest.map_or(0, |(_, prediction)| prediction.id.order())
    }

    pub(super) fn totals(&self, models: &Models, range: TimeRange) -> Vec<VersionTotals> {
        let mut totals: BTreeMap<VersionKey, Rollup> = BTreeMap::new();
        for (_, prediction) in self
            .live(models)
            .filter(|(_, p)| within(range, p.id.time()))
        {
            let rollup = totals.entry(prediction.version).or_default();
            rollup.add(&Sample::new(prediction.measured()));
            let label = (prediction.id.order(), BuiltIn::Correct.metric().name);
            rollup.add_label(self.feedback.get(&label).map(|label| label.value));
        }
        let each = totals.into_iter();
        each.map(|(version, rollup)| VersionTotals { version, rollup })
            .collect()
    }

    pub(super) fn totals_by_attributes(
        &self,
        models: &Models,
        query: &ByAttributes,
    ) -> (Vec<VersionTotals>, Option<Timestamp>) {
        let newest = self.live(models).rev();
        let of_model = |key| {
            let version = models.known(key);
            let named = query.name.as_ref();
            named.is_none_or(|name| version.is_some_and(|(version, _)| version.name == *name))
        };
        let mut newest =
            newest.filter(|(_, p)| within(query.range, p.id.time()) && of_model(p.version));
        let looked_at: Vec<_> = newest.by_ref().take(query.limit).collect();
        let oldest = looked_at.last().map(|(_, p)| p.id.time());
        let mut totals: BTreeMap<VersionKey, Rollup> = BTreeMap::new();
        let meets = looked_at.iter().filter(|(_, p)| {
            p.kept.attributes.is_there() && query.condition.is_met(&attributes_of(p))
        });
        for (_, prediction) in meets {
            let rollup = totals.entry(prediction.version).or_default();
            rollup.add(&Sample::new(prediction.measured()));
            let label = (prediction.id.order(), BuiltIn::Correct.metric().name);
            rollup.add_label(self.feedback.get(&label).map(|label| label.value));
        }
        let each = totals.into_iter();
        let totals = each.map(|(version, rollup)| VersionTotals { version, rollup });
        (totals.collect(), oldest.filter(|_| newest.next().is_some()))
    }

    pub(super) fn predictions(
        &self,
        models: &Models,
        filter: &PredictionFilter,
    ) -> Vec<LoggedPrediction> {
        let all = self
            .live(models)
            .rev()
            .map(|(row, prediction)| logged(models, row, &prediction));
        let fits = |p: &LoggedPrediction| {
            filter.name.as_ref().is_none_or(|name| p.name == *name)
                && filter
                    .version
                    .as_ref()
                    .is_none_or(|version| p.version == *version)
                && filter.model_id.is_none_or(|id| p.model_id == id)
                && filter.status.is_none_or(|status| p.status == status)
                && within(filter.range, p.id.time())
                && filter
                    .before
                    .is_none_or(|before| p.id.order() < before.order())
        };
        all.filter(fits).take(filter.limit as usize).collect()
    }

    pub(super) fn prediction(&self, models: &Models, id: PredictionId) -> Option<LoggedPrediction> {
        let mut all = self.live(models);
        let (row, prediction) = all.find(|(_, prediction)| prediction.id == id)?;
        Some(logged(models, row, &prediction))
    }

    pub(super) fn of_request(
        &self,
        models: &Models,
        query: &RequestQuery,
    ) -> Option<LoggedPrediction> {
        let attempts = self.live(models).filter(|(_, p)| {
            p.request.is_some_and(|(id, _)| id == query.id.as_str()) && p.id.time() >= query.since
        });
        let attempts = attempts.map(|(row, p)| logged(models, row, &p));
        let mut attempts: Vec<_> = attempts.filter(|p| p.name == query.name).collect();
        let differs = |p: &LoggedPrediction| {
            let body = p.request.as_ref().map(|request| request.body);
            query.body.is_some() && body != query.body
        };
        attempts.sort_by_key(|p| (differs(p), p.served_model_id.is_none(), p.id.order()));
        attempts.into_iter().next()
    }

    pub(super) fn shadows_of(&self, mirrored: PredictionId) -> Vec<ShadowOf> {
        let mut found = Vec::new();
        for (bytes, mirrors) in self.shadows.values() {
            if let Ok(Entry {
                kind: Kind::Shadow(made, _),
                ..
            }) = Entry::decode(bytes)
                && mirrors.order() == mirrored.order()
            {
                found.push(ShadowOf {
                    version: made.version,
                    answer: shadow_answer(&made),
                    error: made.error.map(str::to_owned),
                });
            }
        }
        found
    }

    pub(super) fn shadow_pairs(&self, models: &Models, query: &ShadowQuery) -> Vec<ShadowPair> {
        let mut pairs = Vec::new();
        for (bytes, mirrors) in self.shadows.values().rev() {
            let Ok(Entry {
                kind: Kind::Shadow(made, _),
                ..
            }) = Entry::decode(bytes)
            else {
                continue;
            };
            let mirrored = self
                .live(models)
                .find(|(_, p)| p.id.order() == mirrors.order());
            let Some((_, p)) = mirrored else { continue };
            let elsewhere = query.experiment.is_some() && p.experiment != query.experiment;
            if made.version != query.version || elsewhere || !within(query.range, made.id.time()) {
                continue;
            }
            let correct = MetricName::parse("correct").ok();
            let known = correct.and_then(|metric| self.feedback.get(&(p.id.order(), metric)));
            pairs.push(ShadowPair {
                mirrors: p.id,
                chosen: p.version,
                served: p.served,
                answer: answer(&p, p.status()),
                shadow: shadow_answer(&made),
                label: known.and_then(|known| known.label.as_deref().map(json)),
            });
        }
        pairs.truncate(query.limit);
        pairs
    }

    pub(super) fn begun(&self) -> Vec<Vec<u8>> {
        self.begun.values().cloned().collect()
    }

    pub(super) fn request_numbers(
        &self,
        models: &Models,
        after: u64,
        limit: usize,
    ) -> Vec<(u64, i64)> {
        let later = self.live(models).filter(|(_, p)| p.id.order() > after);
        let numbers = later.filter_map(|(_, p)| Some((p.id.order(), unit_number(p.request?.0))));
        let mut numbers: Vec<_> = numbers.collect();
        numbers.sort_unstable();
        numbers.truncate(limit);
        numbers
    }

    pub(super) fn predictions_after(
        &self,
        models: &Models,
        position: u64,
        limit: u32,
    ) -> Vec<LoggedPrediction> {
        let later = self.live(models).filter(|(row, _)| row.position > position);
        let mut found: Vec<_> = later.map(|(row, p)| logged(models, row, &p)).collect();
        found.sort_by_key(|prediction| prediction.position);
        found.truncate(limit as usize);
        found
    }

    /// All of a piece that a filter takes: there is no reason to end sooner but the number of rows.
    pub(super) fn export(
        &self,
        models: &Models,
        filter: &ExportFilter,
        piece: Piece,
    ) -> Exported<ExportedPrediction> {
        let later = self.predictions_after(models, piece.after, u32::MAX);
        let wanted = later.into_iter().filter(|prediction| {
            prediction.position <= Some(piece.until) && filter.takes(prediction)
        });
        let mut rows: Vec<ExportedPrediction> = wanted
            .map(|prediction| ExportedPrediction {
                feedback: self.feedback_of(models, prediction.id),
                prediction,
            })
            .collect();
        let all = rows.len() <= piece.rows;
        rows.truncate(piece.rows);
        let last = rows.last().and_then(|row| row.prediction.position);
        Exported {
            rows,
            reached: if all {
                piece.until
            } else {
                last.unwrap_or(piece.after)
            },
        }
    }

    pub(super) fn feedback_of(&self, models: &Models, id: PredictionId) -> Vec<StoredFeedback> {
        let there = self.live(models).any(|(_, p)| p.id.order() == id.order());
        let of_prediction = self
            .feedback
            .iter()
            .filter(|((order, _), _)| *order == id.order());
        of_prediction
            .filter(|_| there)
            .map(|((_, metric), value)| value.stored(metric))
            .collect()
    }

    pub(super) fn feedback_after(
        &self,
        models: &Models,
        position: u64,
        limit: u32,
    ) -> Vec<PlacedFeedback> {
        let of: HashMap<u64, LoggedPrediction> = self
            .live(models)
            .map(|(row, p)| (p.id.order(), logged(models, row, &p)))
            .collect();
        let later = self
            .feedback
            .iter()
            .filter(|(_, value)| value.position > position);
        let placed = later.filter_map(|((order, metric), value)| {
            let of = of.get(order)?.clone();
            Some(PlacedFeedback {
                prediction_id: of.id,
                name: of.name,
                model_id: of.model_id,
                version: of.version,
                unit_id: of.unit_id,
                experiment_id: of.experiment_id,
                feedback: value.stored(metric),
                position: value.position,
            })
        });
        let mut found: Vec<PlacedFeedback> = placed.collect();
        found.sort_by_key(|placed| placed.position);
        // What came together is never cut.
        if let Some(last) = found
            .get((limit as usize).wrapping_sub(1))
            .map(|last| last.position)
        {
            found.retain(|placed| placed.position <= last);
        }
        found
    }

    pub(super) fn groups(
        &self,
        models: &Models,
        name: &ModelName,
        metric: &Metric,
        range: TimeRange,
        period_ms: i64,
    ) -> Vec<LoggedGroup> {
        let milliseconds = |time: Timestamp| time.micros().div_euclid(1000);
        let since = range.since.map_or(0, milliseconds);
        let mut groups: BTreeMap<(i64, i64, Reason, VersionKey, u64, u32), LoggedGroup> =
            BTreeMap::new();
        for (_, p) in self.live(models) {
            let of_model = models
                .known(p.version)
                .is_some_and(|(version, _)| version.name == *name);
            let given = self.feedback.get(&(p.id.order(), metric.name.clone()));
            let given = given.filter(|given| given.apart.is_none());
            let value = match metric.built_in().filter(|_| !metric.from_feedback()) {
                Some(built_in) => built_in.value_of(p.measured(), None),
                None => {
                    let came = given.map(|given| Came {
                        value: given.value,
                        at: given.received_at,
                        in_time: given.in_time,
                    });
                    matured_worth(metric, p.id.time(), came)
                }
            };
            let counts =
                of_model && p.reason.is_weighable(p.propensity) && within(range, p.id.time());
            let Some(value) = value.filter(|_| counts) else {
                continue;
            };
            let period = (milliseconds(p.id.time()) - since) / period_ms.max(1);
            let part = part_of(p.unit_id, p.id);
            let key = (
                period,
                p.epoch,
                p.reason,
                p.version,
                p.propensity.to_bits(),
                part,
            );
            let group = groups.entry(key).or_insert(LoggedGroup {
                period,
                epoch: p.epoch,
                reason: p.reason,
                version: p.version,
                propensity: p.propensity,
                part,
                n: 0,
                sum: 0.0,
                sum_squares: 0.0,
            });
            group.n += 1;
            group.sum += value;
            group.sum_squares += value * value;
        }
        groups.into_values().collect()
    }

    pub(super) fn evidence(
        &self,
        models: &Models,
        experiment: &Experiment,
        now: Timestamp,
    ) -> Evidence {
        self.evidence_of(models, experiment, now, 0)
    }

    fn corrections_of(&self, experiment: &Experiment) -> Vec<Corrections> {
        let all = self.corrections.iter();
        let own = all.filter(|((of, ..), counts)| *of == experiment.key && **counts != (0, 0));
        let mut found: Vec<Corrections> = own
            .filter_map(|((_, version, metric), (replaced, late))| {
                Some(Corrections {
                    metric: *metric,
                    arm: experiment.definition.arm(*version)?,
                    replaced: *replaced,
                    late: u64::try_from(*late).unwrap_or(0),
                })
            })
            .collect();
        found.sort();
        found
    }

    /// Labels of an experiment that can never equal what was answered.
    fn unlike_labels(&self, experiment: &Experiment) -> Vec<UnlikeLabels> {
        let definition = &experiment.definition;
        let correct = BuiltIn::Correct.metric().name;
        let mut counts: BTreeMap<(usize, Mismatch), u64> = BTreeMap::new();
        if definition.metric(correct.as_str()).is_none() {
            return Vec::new();
        }
        for ((order, _), stored) in &self.feedback {
            let row = self.predictions.get(order).map(Row::prediction);
            let Some((p, mismatch)) = row.zip(stored.apart) else {
                continue;
            };
            let arm = definition.arm(p.version);
            if let Some(arm) = arm.filter(|_| p.experiment == Some(experiment.key)) {
                *counts.entry((arm, mismatch)).or_default() += 1;
            }
        }
        let each = counts.into_iter();
        each.map(|((arm, mismatch), count)| UnlikeLabels {
            arm,
            mismatch,
            count,
        })
        .collect()
    }

    pub(super) fn segments(
        &self,
        models: &Models,
        experiment: &Experiment,
        now: Timestamp,
    ) -> Vec<SegmentEvidence> {
        let values = self.segments.get(&experiment.key);
        let dimensions = experiment.definition.dimensions.len();
        let all = values.into_iter().flat_map(|values| values.all(dimensions));
        let found = all.filter_map(|(number, dimension, of)| {
            let evidence = self.evidence_of(models, experiment, now, number);
            let evidence = Evidence {
                outside: 0,
                ..evidence
            };
            is_exposed(&evidence).then(|| SegmentEvidence {
                dimension: experiment.definition.dimensions[dimension].clone(),
                of,
                evidence,
            })
        });
        found.collect()
    }

    fn evidence_of(
        &self,
        models: &Models,
        experiment: &Experiment,
        now: Timestamp,
        segment: u16,
    ) -> Evidence {
        let definition = &experiment.definition;
        let counted = self.recount(models, experiment, None);
        let matured = self.recount(models, experiment, Some(now.seconds()));
        let (all, matured) = (counted.sums(), matured.sums());
        let of = |sums: &HashMap<_, Delta>, cell| sums.get(&cell).cloned().unwrap_or_default();
        let mut evidence = Evidence::default();
        let mut inside = 0;
        for (epoch, opened) in models.epochs(experiment.key) {
            let arms = definition.arms.iter().map(|arm| {
                let exposures = of(&all, (epoch, arm.key, None, segment));
                let metrics = (0..definition.metrics.len()).map(|at| {
                    let place = (experiment.key, epoch, arm.key, at);
                    let events = self.events.get(&place).filter(|_| segment == 0);
                    let events = events.map_or(&[][..], Vec::as_slice);
                    let metric = &definition.metrics[at];
                    let due = cutoff(metric, now.seconds());
                    let is_due = |event: &&Noted| start_of(metric, event.0) <= due;
                    let sum = |events: &mut dyn Iterator<Item = &Noted>| {
                        let sum = events.map(|(_, event)| event).sum::<i64>();
                        u64::try_from(sum).unwrap_or(0)
                    };
                    let due = match metric.window_seconds {
                        0 => sum(&mut events.iter()),
                        _ => sum(&mut events.iter().filter(is_due)),
                    };
                    let all = of(&all, (epoch, arm.key, Some(at), segment));
                    let matured = of(&matured, (epoch, arm.key, Some(at), segment));
                    MetricEvidence {
                        all: MetricSums {
                            events: sum(&mut events.iter()),
                            ..all.sums()
                        },
                        matured: MetricSums {
                            events: due,
                            ..matured.sums()
                        },
                        bets: matured.bets.sums(),
                        parts: matured.part_sums(),
                    }
                });
                ArmEvidence {
                    exposures: exposures.exposures(&opened.scales),
                    metrics: metrics.collect(),
                }
            });
            let arms: Vec<ArmEvidence> = arms.collect();
            inside += arms
                .iter()
                .map(|arm| arm.exposures.predictions)
                .sum::<u64>();
            evidence.epochs.push(EpochEvidence {
                epoch,
                started_at: opened.started_at,
                shares: opened.shares.clone(),
                scales: opened.scales.clone(),
                arms,
                days: Vec::new(),
            });
        }
        if segment == 0 {
            evidence.unlike_labels = self.unlike_labels(experiment);
            evidence.corrections = self.corrections_of(experiment);
            add_days(definition, &mut evidence, &counted.days());
        }
        let in_epochs = self.live(models).filter(|(_, p)| {
            evidence.epochs.iter().any(|epoch| epoch.epoch == p.epoch)
                && definition.arms.iter().any(|arm| arm.key == p.version)
        });
        evidence.outside = (in_epochs.count() as u64).saturating_sub(inside);
        evidence
    }

    pub(super) fn minutes(&self, models: &Models, experiment: &Experiment) -> Vec<MinuteEvidence> {
        let definition = &experiment.definition;
        let recount = self.recount(models, experiment, None);
        let mut found: BTreeMap<(i64, i64), Vec<ArmMinute>> = BTreeMap::new();
        for ((epoch, version, minute), sums) in recount.minutes() {
            let arms = found.entry((*minute, *epoch));
            let arms = arms.or_insert_with(|| vec![ArmMinute::default(); definition.arms.len()]);
            if let Some(arm) = definition.arm(*version) {
                arms[arm] = sums.clone();
            }
        }
        let minutes = found.into_iter();
        let minute = |((minute, epoch), arms)| MinuteEvidence {
            epoch,
            minute,
            arms,
        };
        minutes.map(minute).collect()
    }

    /// What the rows of an experiment say, of everything or of what has matured by then.
    fn recount(
        &self,
        models: &Models,
        experiment: &Experiment,
        matured_at: Option<i64>,
    ) -> Recount {
        let definition = Arc::new(experiment.definition.clone());
        let mut recount = Recount::new(definition, matured_at);
        let values = self.segments.get(&experiment.key).cloned();
        recount.values(values.unwrap_or_default());
        for (epoch, _) in models.epochs(experiment.key) {
            recount.epoch(epoch, models.terms(experiment, epoch));
        }
        for ((of, epoch, unit), facts) in &self.facts {
            if *of == experiment.key {
                recount.fixed(*epoch, *unit, facts.clone());
            }
        }
        for row in self.predictions.values() {
            let p = row.prediction();
            if p.experiment == Some(experiment.key) {
                let name = &experiment.definition.name;
                let outcomes = |metric: &Metric| match unit_of(&p) {
                    Unit::Named(unit) => self.outcomes_of(name, &metric.name, unit),
                    Unit::Own(_) => Vec::new(),
                };
                let given = |metric: &Metric| self.given(&p, &metric.name);
                recount.add(&exposed_by(&p), given, outcomes);
            }
        }
        recount
    }

    pub(super) fn earlier_outcomes(&self, models: &Models, query: &Earlier) -> EarlierOutcomes {
        let metric = &query.definition.metrics[query.metric];
        let until = matured_before(metric, query.now.seconds());
        let since = since_of(query);
        let asked = self.live(models).filter(|(_, p)| {
            query.versions.contains(&p.version)
                && p.id.time().seconds() < until
                && since.is_none_or(|since| p.id.time() >= since)
                && p.reason.is_by_chance()
                && (query.experiment.is_none() || p.experiment == query.experiment)
        });
        let mut asked: Vec<_> = asked.map(|(_, p)| p).collect();
        if metric.per == Per::Prediction {
            asked.reverse();
        } else if query.experiment.is_none() {
            let first = self.first_hour(models, query, until);
            asked.retain(|p| Tier::Hour.start_of(p.id.time()) >= first);
        }
        let (mut found, mut oldest) = (UnitOutcomes::default(), None::<Timestamp>);
        let mut exposed: BTreeMap<i64, (i64, Option<f64>)> = BTreeMap::new();
        for p in asked.into_iter().take(3 * query.limit) {
            if found.len() + exposed.len() >= query.limit {
                break;
            }
            let time = p.id.time();
            oldest = Some(oldest.map_or(time, |oldest| oldest.min(time)));
            if metric.per == Per::Unit {
                if let Some(unit) = p.unit_id {
                    let made = p.made().micros();
                    let covariate = covariate_of(metric, &attributes_of(&p));
                    let known = exposed.entry(unit_number(unit));
                    known.or_insert((made, covariate));
                }
                continue;
            }
            let given = self.given(&p, &metric.name).map(|given| given.value);
            let outcome = Outcome::of(&query.definition, metric, p.measured(), given);
            if let Some(worth) = outcome.worth() {
                let covariate = covariate_of(metric, &attributes_of(&p));
                found.add(p.unit_id.map(unit_number), worth, covariate);
            }
        }
        for (unit, (exposed, covariate)) in exposed {
            let name = &query.definition.name;
            let outcomes = self.outcomes_of(name, &metric.name, unit);
            let worth = UnitWorth::of(metric, exposed, &outcomes);
            if let Some(worth) = worth.value.or_else(|| without_value(metric)) {
                let covariate = covariate.or_else(|| earlier_value(metric, exposed, &outcomes));
                found.add(Some(unit), worth, covariate);
            }
        }
        EarlierOutcomes {
            units: found.units(),
            oldest,
        }
    }

    /// The first of the newest hours that have three predictions of the versions for each outcome that is asked for.
    fn first_hour(&self, models: &Models, query: &Earlier, until: i64) -> i64 {
        let since = since_of(query).map_or(0, |since| Tier::Hour.start_of(since));
        let mut hours: BTreeMap<i64, usize> = BTreeMap::new();
        for (_, p) in self.live(models) {
            let hour = Tier::Hour.start_of(p.id.time());
            if query.versions.contains(&p.version) && hour <= until && hour >= since {
                *hours.entry(hour).or_default() += 1;
            }
        }
        let mut left = 3 * query.limit;
        for (hour, count) in hours.iter().rev() {
            left = left.saturating_sub(*count);
            if left == 0 {
                return *hour;
            }
        }
        since
    }

    fn given(&self, prediction: &PredictionEntry<'_>, metric: &MetricName) -> Option<Given> {
        let given = self
            .feedback
            .get(&(prediction.id.order(), metric.clone()))
            .filter(|given| given.apart.is_none())?;
        Some(Given {
            value: given.value,
            event: given.event,
            in_time: given.in_time,
        })
    }

    pub(super) fn state(&self) -> LogState {
        let missing = self
            .missing
            .iter()
            .map(|missing| missing.end() - missing.start() + 1);
        LogState {
            missing: missing.sum(),
            set_aside: self.set_aside.len() as u64,
            dropped: self.dropped,
            feedback_waiting: self.pending.len() as u64,
            feedback_dropped: self.feedback_dropped,
        }
    }

    pub(super) fn set_aside(&self, after: u64, limit: u32) -> Vec<SetAside> {
        let later = self.set_aside.range(after + 1..).take(limit as usize);
        let each = later.map(|(position, aside)| SetAside {
            position: *position,
            reason: aside.reason.clone(),
            bytes: aside.bytes.len() as u64,
            at: aside.at,
        });
        each.collect()
    }

    pub(super) fn receipt(&self, id: ReceiptId) -> Option<RequestReceipt> {
        self.receipts.get(&id).cloned()
    }
}

impl Stored {
    fn stored(&self, metric: &MetricName) -> StoredFeedback {
        let label = self
            .label
            .as_ref()
            .and_then(|label| serde_json::from_str(label).ok());
        StoredFeedback {
            metric: metric.clone(),
            value: self.value,
            label,
            received_at: self.received_at,
        }
    }
}

/// Adds what is kept by day.
fn add_days(
    definition: &ExperimentDefinition,
    evidence: &mut Evidence,
    counted: &HashMap<(i64, VersionKey, usize, i64), Bets>,
) {
    let nothing = vec![vec![DaySums::default(); definition.metrics.len()]; definition.arms.len()];
    for epoch in &mut evidence.epochs {
        let mut days: BTreeMap<i64, Vec<Vec<DaySums>>> = BTreeMap::new();
        let of_epoch = counted.iter().filter(|((of, ..), _)| *of == epoch.epoch);
        for ((_, version, metric, day), bets) in of_epoch {
            if let Some(arm) = definition.arm(*version) {
                let arms = days.entry(*day).or_insert_with(|| nothing.clone());
                arms[arm][*metric] = bets.day_sums();
            }
        }
        let days = days.into_iter();
        epoch.days = days.map(|(day, arms)| DayEvidence { day, arms }).collect();
    }
}

/// Whether something was exposed.
fn is_exposed(evidence: &Evidence) -> bool {
    let mut arms = evidence.epochs.iter().flat_map(|epoch| &epoch.arms);
    arms.any(|arm| arm.exposures.predictions > 0)
}

fn within(range: TimeRange, time: Timestamp) -> bool {
    range.since.is_none_or(|since| time >= since) && range.until.is_none_or(|until| time < until)
}

fn exposed_by(p: &PredictionEntry<'_>) -> Exposed {
    Exposed {
        epoch: p.epoch,
        version: p.version,
        unit: unit_of(p),
        order: p.id.order(),
        seconds: p.made().seconds(),
        measured: p.measured(),
        attributes: attributes_of(p),
    }
}

fn attributes_of(p: &PredictionEntry<'_>) -> Attributes {
    let attributes = p.attributes.map(serde_json::from_str);
    attributes.and_then(Result::ok).unwrap_or_default()
}

fn labelled<'a>(prediction: &'a PredictionEntry<'_>) -> Labelled<'a> {
    Labelled {
        answered: prediction.served.is_some(),
        prediction: prediction.prediction,
        kept: prediction.kept.output,
    }
}

fn value_of(
    models: &Models,
    item: &Feedback,
    prediction: &PredictionEntry<'_>,
    name: &ModelName,
) -> Result<Valued, FeedbackRefusal> {
    let correct = BuiltIn::Correct.metric();
    let (metric, value) = match &item.content {
        FeedbackContent::Label(_) if prediction.rejected => return Err(FeedbackRefusal::Rejected),
        FeedbackContent::Label(label) => {
            return labelled(prediction).compare(label, None).map(Valued::of);
        }
        FeedbackContent::Value(metric, value) => (metric, *value),
    };
    let declared = models.metrics(name).into_iter().chain([correct]);
    let found = declared
        .into_iter()
        .find(|declared| declared.name == *metric);
    if found.as_ref().is_some_and(|found| found.per == Per::Unit) {
        return Err(FeedbackRefusal::PerUnit(metric.clone()));
    }
    let unknown = || FeedbackRefusal::UnknownMetric {
        name: name.clone(),
        metric: metric.clone(),
    };
    let checked = found.ok_or_else(unknown)?.check_value(value);
    let value = checked.map_err(|error| FeedbackRefusal::Invalid(error.to_string()))?;
    Ok(Valued::plain(metric.clone(), value))
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_default()
}

fn logged(models: &Models, row: &Row, p: &PredictionEntry<'_>) -> LoggedPrediction {
    let (version, _) = models.known(p.version).expect("it was stored");
    let served = p.served.and_then(|key| models.known(key));
    let experiment = p.experiment.and_then(|key| models.by_key(key));
    LoggedPrediction {
        id: p.id,
        name: version.name.clone(),
        model_id: version.model_id,
        version: version.version.clone(),
        served_model_id: served.map(|(version, _)| version.model_id),
        status: p.status(),
        reason: p.reason,
        epoch: p.epoch,
        propensity: p.propensity,
        unit_id: p.unit_id.map(str::to_owned),
        attributes: p
            .attributes
            .map(|text| serde_json::from_str(text).unwrap_or_default())
            .unwrap_or_default(),
        alias: p.alias.map(str::to_owned),
        request: p.request.and_then(|(id, body)| {
            let id = types::RequestId::parse(id).ok()?;
            Some(types::RequestKey { id, body })
        }),
        made_at: p.made_at,
        input: if p.is_text {
            Input::Text(p.input.to_owned())
        } else {
            Input::Json(json(p.input))
        },
        prediction: p.prediction.map(json),
        confidence: p.confidence,
        outputs: p.outputs.map(json),
        latency_ns: p.latency_ns,
        error: p.error.map(str::to_owned),
        failure: p.failure,
        experiment_id: experiment.map(|experiment| experiment.id),
        position: Some(row.position),
        kept: p.kept,
    }
}

fn answer(p: &PredictionEntry<'_>, status: types::Status) -> ShadowAnswer {
    ShadowAnswer {
        status,
        prediction: p.prediction.map(json),
        confidence: p.confidence,
        latency_ns: p.latency_ns,
    }
}

fn shadow_answer(made: &PredictionEntry<'_>) -> ShadowAnswer {
    let status = match (made.error, made.rejected) {
        (None, _) => types::Status::Ok,
        (Some(_), true) => types::Status::Rejected,
        (Some(_), false) => types::Status::Error,
    };
    answer(made, status)
}
