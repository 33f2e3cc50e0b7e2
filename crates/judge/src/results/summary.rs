//! The verdict in words. Every sentence says a number that is in the results, and none claims more.

use super::{ArmResult, Comparison, MetricResult, Over, Results, Verdict};
use crate::words::{counted, significant, thousands};
use types::{
    DayEvidence, EvidenceRule, ExperimentDefinition, Finding, Metric, MetricKind, MetricRole,
    Timestamp,
};

/// A few sentences for people.
pub(super) fn say(definition: &ExperimentDefinition, results: &Results, ended: bool) -> String {
    let Some(primary) = results
        .metrics
        .iter()
        .position(|m| m.role == MetricRole::Primary)
    else {
        return String::new();
    };
    let words = Words {
        definition,
        results,
        metric: &definition.metrics[primary],
        result: &results.metrics[primary],
        ended,
    };
    let unlike = words.unlike_feedback(primary);
    let changes = changes_of(definition, primary, words.result);
    let changes: String = changes.map(|change| format!(" {change}")).collect();
    format!("{}{}{unlike}{changes}", words.say(), words.covariate())
}

/// What has changed since the experiment began, in sentences: effects, and claims that do not hold any more.
pub fn changes(definition: &ExperimentDefinition, results: &Results) -> Vec<String> {
    let metrics = results.metrics.iter().enumerate();
    let each = metrics.flat_map(|(at, result)| changes_of(definition, at, result));
    each.collect()
}

/// The same of the metric at a place of the definition.
fn changes_of(
    definition: &ExperimentDefinition,
    at: usize,
    result: &MetricResult,
) -> impl Iterator<Item = String> {
    let metric = &definition.metrics[at];
    result.comparisons.iter().flat_map(move |c| {
        let arm = definition.arms[c.arm].version.as_str();
        [
            effect_changed(metric, arm, c),
            no_longer_holds(metric, arm, c),
        ]
        .into_iter()
        .flatten()
    })
}

fn effect_changed(metric: &Metric, arm: &str, c: &Comparison) -> Option<String> {
    let change = c.by_day.as_ref()?.change?;
    let (before, after) = (
        difference(metric, change.before),
        difference(metric, change.after),
    );
    let parts = if is_midnight(change.until) {
        let (until, from) = (end(change.until), begin(change.from));
        format!(
            "{before} for units that came until {until}, {after} for those that came from {from} on"
        )
    } else {
        // Under a bandit, whose users come back.
        format!(
            "{before} for predictions before {}, {after} since then",
            begin(change.until)
        )
    };
    Some(format!(
        "The effect of {arm} on {} has changed: {parts}. The difference and its interval describe the average so far.",
        metric.name,
    ))
}

fn no_longer_holds(metric: &Metric, arm: &str, c: &Comparison) -> Option<String> {
    let claimed = c.claimed?;
    let (until, why) = claimed.until?;
    let why = match why {
        Over::Changed => "the effect has changed".to_owned(),
        Over::Turned(d) => format!("the difference so far was {} then", difference(metric, d)),
        Over::Corrected => "values were corrected".to_owned(),
    };
    Some(format!(
        "{arm} was found to be {} on {} at {}. That claim ended at {}: {why}.",
        if claimed.finding == Finding::Better {
            "better"
        } else {
            "worse"
        },
        metric.name,
        claimed.since,
        until,
    ))
}

fn is_midnight(seconds: i64) -> bool {
    DayEvidence::start(DayEvidence::of(seconds)) == seconds
}

/// When a stretch of time begins, in seconds since 1970: the day, where that is at midnight UTC.
pub fn begin(seconds: i64) -> String {
    let micros = seconds.saturating_mul(1_000_000);
    let text = Timestamp::from_micros(micros).to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    match is_midnight(seconds) {
        true => day.to_owned(),
        false => format!(
            "{day}T{}Z",
            time.split(['.', 'Z']).next().unwrap_or_default()
        ),
    }
}

/// The last of a stretch of time that ends before a moment, in seconds since 1970: the day, where that is at midnight UTC.
pub fn end(seconds: i64) -> String {
    match is_midnight(seconds) {
        true => begin(DayEvidence::start(DayEvidence::of(seconds) - 1)),
        false => begin(seconds),
    }
}

/// A difference of means, with its sign.
fn difference(metric: &Metric, value: f64) -> String {
    let (value, unit) = match metric.kind {
        MetricKind::Binary => (100.0 * value, " points"),
        _ => (value, ""),
    };
    let sign = if value > 0.0 { "+" } else { "" };
    format!("{sign}{}{unit}", short(value).replace('-', "−"))
}

/// What is less is not worth a word.
const MUCH: f64 = 0.01;

struct Words<'a> {
    definition: &'a ExperimentDefinition,
    results: &'a Results,
    metric: &'a Metric,
    result: &'a MetricResult,
    /// Nothing more will come of it.
    ended: bool,
}

impl Words<'_> {
    fn say(&self) -> String {
        match self.results.verdict {
            Verdict::SampleRatioMismatch => format!(
                "Do not trust this experiment: the arms did not get the units that their weights \
                 promise ({}). Find what loses or repeats units of one arm before looking at any \
                 metric.",
                p_value(self.results.sample_ratio.p)
            ),
            Verdict::DifferentialFeedback => format!(
                "Do not compare {}: feedback arrives more often for one arm than its weight promises. \
                 Find out why before looking at outcomes.",
                self.metric.name
            ),
            Verdict::LabelsNeverMatch => self.unlike_labels(),
            Verdict::GuardrailHarmed { arm, metric } => self.harmed(arm, metric),
            Verdict::Winner { arm } => self.winner(arm),
            Verdict::ControlBetter => format!(
                "Keep {}: {}.",
                self.arm(0),
                self.each(|words, c| words.against(c))
            ),
            Verdict::NoRelevantDifference => format!(
                "No candidate differs from {} by as much as {}: {}.",
                self.arm(0),
                self.minimum(),
                self.each(|words, c| words.against(c))
            ),
            Verdict::KeepGoing if self.ended => {
                format!("Undecided: {}.", self.each(|words, c| words.unclear(c)))
            }
            Verdict::KeepGoing => format!(
                "Keep going: {}.{}",
                self.each(|words, c| words.unclear(c)),
                self.needed()
            ),
        }
    }

    fn unlike_labels(&self) -> String {
        let alarms = self.results.labels.iter().filter(|check| check.alarm);
        let each: Vec<String> = alarms
            .map(|check| {
                format!(
                    "{} of the {} labels for {} have {}, where it answered {}",
                    check.unlike,
                    check.labels,
                    self.arm(check.arm),
                    check.mismatch.label.with_article(),
                    check.mismatch.prediction.with_article()
                )
            })
            .collect();
        if let Some(found) = self.results.answers_otherwise() {
            return format!(
                "Do not compare {}: {}. They can never be equal, so they are left out. The labels are as {} answers: it is {} \
                 that answers otherwise.",
                self.metric.name,
                each.join("; "),
                self.arm(0),
                self.arm(found.arm)
            );
        }
        format!(
            "Do not compare {}: {}. They can never be equal, so they are left out. Send them again as the version answers, with \
             \"replace\": true.",
            self.metric.name,
            each.join("; ")
        )
    }

    /// A sentence on what the covariate of the primary metric does, where it does much or is never sent.
    fn covariate(&self) -> String {
        let Some(covariate) = &self.metric.covariate else {
            return String::new();
        };
        let all = self.result.comparisons.iter().filter_map(|c| c.covariate);
        let (units, of, least) = all.fold((0, 0, 1.0f64), |(units, of, least), by| {
            let least = least.min(by.variance_reduction);
            (units + by.units, of + by.of, least)
        });
        if of > 0 && units == 0 {
            return format!(
                " Its covariate ({covariate}) is not known for any unit, so nothing is adjusted by it."
            );
        }
        if units == 0 {
            return String::new();
        }
        if least < MUCH {
            return format!(" Its covariate ({covariate}) explains nothing so far.");
        }
        format!(
            " Adjusted by its covariate ({covariate}), which lowers the variance of the difference by {} %.",
            significant(100.0 * least, 2)
        )
    }

    /// A sentence on metrics other than the primary one whose feedback comes unlike.
    fn unlike_feedback(&self, primary: usize) -> String {
        let unlike = self.results.feedback.iter();
        let unlike = unlike.filter(|check| check.alarm && check.metric != primary);
        let mut names: Vec<&str> = unlike
            .map(|check| self.definition.metrics[check.metric].name.as_str())
            .collect();
        names.dedup();
        if names.is_empty() {
            return String::new();
        }
        format!(
            " Do not compare {}: feedback arrives more often for one arm than its weight promises.",
            names.join(" and ")
        )
    }

    fn arm(&self, at: usize) -> &str {
        self.definition.arms[at].version.as_str()
    }

    fn each(&self, say: impl Fn(&Self, &Comparison) -> String) -> String {
        let said: Vec<String> = self
            .result
            .comparisons
            .iter()
            .map(|c| say(self, c))
            .collect();
        said.join("; ")
    }

    fn winner(&self, arm: usize) -> String {
        let Some(c) = self.result.comparisons.iter().find(|c| c.arm == arm) else {
            return String::new();
        };
        let others = self.result.comparisons.iter().filter(|c| c.arm != arm);
        let also: Vec<&str> = others
            .filter(|c| c.finding == Finding::Better)
            .map(|c| self.arm(c.arm))
            .collect();
        let bandit = matches!(self.definition.policy, types::Policy::Bandit(_));
        let also = if also.is_empty() || bandit {
            String::new()
        } else {
            format!(
                " {} also better than the control; which candidate is best is not tested.",
                if also.len() == 1 {
                    format!("{} is", also[0])
                } else {
                    format!("{} are", also.join(" and "))
                }
            )
        };
        format!(
            "{} is better than {} on {}: {}.{also}",
            self.arm(arm),
            self.arm(0),
            self.metric.name,
            self.numbers(c)
        )
    }

    fn harmed(&self, arm: usize, metric: usize) -> String {
        let guardrail = &self.definition.metrics[metric];
        let result = &self.results.metrics[metric];
        let mean = |at: usize| {
            let arm = &result.arms[at];
            match arm.mean {
                Some(mean) if guardrail.kind == MetricKind::Binary => {
                    counted(mean * arm.predictions as f64, arm.predictions, "")
                }
                _ => self.mean(guardrail, arm),
            }
        };
        let (take, it) = if self.ended {
            (self.arm(arm).to_owned(), "")
        } else {
            (format!("Take {} back:", self.arm(arm)), " it")
        };
        format!(
            "{take}{it} is worse than {} on the guardrail {}: {} against {}. If it were not worse, evidence this \
             strong would appear with a probability of at most {}.",
            self.arm(0),
            guardrail.name,
            mean(arm),
            mean(0),
            short(self.definition.alpha),
        )
    }

    fn against(&self, c: &Comparison) -> String {
        format!("{} is at {}", self.arm(c.arm), self.numbers(c))
    }

    fn unclear(&self, c: &Comparison) -> String {
        let (name, arm) = (&self.metric.name, self.arm(c.arm));
        let control = &self.result.arms[0];
        let candidate = &self.result.arms[c.arm];
        match c.finding {
            Finding::TooLittle if candidate.units == 0 || control.units == 0 => {
                let without = if candidate.units == 0 {
                    arm
                } else {
                    self.arm(0)
                };
                if self.metric.from_feedback() {
                    format!("{without} has no matured feedback for {name} yet")
                } else {
                    format!("{without} has no value of {name} yet")
                }
            }
            Finding::TooLittle => {
                format!("too little is known about {name}: {}", self.too_little())
            }
            Finding::Worse => format!("{arm} is worse, at {}", self.numbers(c)),
            Finding::Better | Finding::Unclear => {
                let interval = c.sequential.interval;
                let parted = interval.is_some_and(|found| found.lower > 0.0 || found.upper < 0.0);
                // A claim that is over has an interval that says otherwise still: what it says is what was.
                let so_far = if parted {
                    "over all of the time so far; what is claimed of it is over, as the notes say"
                } else {
                    "which does not rule out that they are equal"
                };
                format!("{arm} is at {}, {so_far}", self.numbers(c))
            }
        }
    }

    /// What a comparison lacks where both arms have units.
    fn too_little(&self) -> &str {
        if let Some(why) = &self.result.no_scale {
            return why;
        }
        match self.metric.rule() {
            EvidenceRule::None => {
                "without a window it is unknown whether more values will come, so the metric is shown but decides \
                 nothing; declare window_seconds"
            }
            EvidenceRule::Arrivals => "no value has come yet",
            EvidenceRule::Exposures | EvidenceRule::Events => {
                "no scale is set yet, which takes 200 units whose window has passed, 20 of them with a value other \
                 than 0 and not all alike"
            }
        }
    }

    /// Means, difference and always-valid interval.
    fn numbers(&self, c: &Comparison) -> String {
        let result = self.result;
        let mean = |at: usize| self.mean(self.metric, &result.arms[at]);
        let interval = match c.sequential.interval {
            None => String::new(),
            Some(interval) => format!(
                ", always-valid {} % interval {} to {}",
                short(100.0 * (1.0 - self.definition.alpha)),
                self.difference(interval.lower),
                self.difference(interval.upper)
            ),
        };
        let plain = result.arms[c.arm]
            .mean
            .zip(result.arms[0].mean)
            .map(|(b, a)| b - a);
        let differs = |(plain, d): (f64, f64)| (plain - d).abs() > 1e-9 * plain.abs().max(d.abs());
        let adjusted = c.covariate.is_some_and(|by| by.variance_reduction >= MUCH);
        // Means of several epochs are of all requests; the difference is between alike ones.
        let within = if adjusted {
            "as measured; adjusted "
        } else if plain.zip(c.difference).is_some_and(differs) {
            "compared within epochs of constant weights: "
        } else {
            ""
        };
        format!(
            "{} against {} of {} ({within}difference {}{interval})",
            mean(c.arm),
            mean(0),
            self.arm(0),
            c.difference
                .map_or("unknown".into(), |d| self.difference(d)),
        )
    }

    fn needed(&self) -> String {
        let open = self.result.comparisons.iter();
        let open = open.filter(|c| matches!(c.finding, Finding::Unclear | Finding::TooLittle));
        let most = open
            .filter_map(|c| c.needed)
            .max_by(|a, b| a.more.total_cmp(&b.more));
        let Some(needed) = most.filter(|needed| needed.more > 0.0) else {
            return String::new();
        };
        let days = match needed.days {
            None => String::new(),
            Some(days) if days < 1.0 => " (less than a day at the rate so far)".into(),
            Some(days) => format!(" (about {} days at the rate so far)", short(days.ceil())),
        };
        let effect = if needed.for_minimum_effect {
            format!(
                "to detect {} in {:.0} % of cases",
                self.minimum(),
                100.0 * self.definition.power
            )
        } else {
            "if the difference stays as it is".into()
        };
        format!(
            " About {} more units are needed {effect}{days}.",
            thousands(needed.more)
        )
    }

    fn minimum(&self) -> String {
        match self.definition.minimum_detectable_effect {
            None => "what matters".into(),
            Some(effect) if self.definition.relative => {
                format!("{} % (relative)", short(100.0 * effect))
            }
            Some(effect) => self.difference(effect).trim_start_matches('+').to_owned(),
        }
    }

    fn mean(&self, metric: &Metric, arm: &ArmResult) -> String {
        match (arm.mean, metric.kind) {
            (None, _) => "nothing".into(),
            (Some(mean), MetricKind::Binary) => format!("{} %", short(100.0 * mean)),
            (Some(mean), _) => short(mean),
        }
    }

    fn difference(&self, value: f64) -> String {
        difference(self.metric, value)
    }
}

/// A p-value: figures below a ten-thousandth mean nothing more.
fn p_value(p: f64) -> String {
    if p < 1e-4 {
        "p < 0.0001".into()
    } else {
        format!("p = {}", short(p))
    }
}

/// Three significant digits.
fn short(value: f64) -> String {
    significant(value, 3)
}
