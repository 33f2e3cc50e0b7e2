//! What an experiment compares and how, from the body that asks for it.

use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::extract::Fields;
use api::{CreateExperiment, FieldError};
use std::collections::BTreeMap;
use types::{
    Arm, BuiltIn, Condition, EVIDENCE_RULES, ExperimentDefinition, MAX_CANDIDATES, MAX_CELLS,
    MAX_DIMENSIONS, MAX_METRICS, MAX_VALUES, Metric, MetricName, ModelState, Policy, Version,
    is_attribute_name,
};

/// Of a model as it is.
pub(super) fn define(
    mut body: CreateExperiment,
    model: &ModelState,
) -> ApiResult<ExperimentDefinition> {
    let mut fields = Fields::default();
    check_lengths(&mut fields, &body);
    if !fields.is_empty() {
        return fields.finish(None);
    }
    let policy = policy(&mut fields, &mut body);
    let arms = arms(&mut fields, &body, &model.versions);
    let mut metrics = Metrics {
        name: &body.name,
        declared: &model.metrics,
        found: Vec::new(),
    };
    let primary = [body.primary_metric.clone()];
    let primary = metrics.named(&mut fields, "/primary_metric", &primary);
    let secondary = metrics.named(&mut fields, "/secondary_metrics", &body.secondary_metrics);
    let guardrails = body.guardrails.clone().unwrap_or_else(guardrails);
    let guardrails = metrics.named(&mut fields, "/guardrails", &guardrails);
    let metrics = metrics.found;
    if body.title.chars().count() > 200 {
        fields.wrong("/title", "must have at most 200 characters");
    }
    let salt = body.salt.unwrap_or_else(new_salt);
    if salt.is_empty() || salt.chars().count() > 200 {
        fields.wrong("/salt", "must have from 1 to 200 characters");
    }
    let audience = body.audience.as_deref().map(Condition::parse);
    let audience = fields.take_option("/audience", audience);
    for (at, name) in body.dimensions.iter().enumerate() {
        if !is_attribute_name(name) || body.dimensions[..at].contains(name) {
            let detail = "must be the name of an attribute (letters, digits, '_', '-' and '.', beginning with a letter or '_', at \
                          most 64 characters), and given once";
            fields.wrong(&format!("/dimensions/{at}"), detail);
        }
    }
    if body.dimensions.len() > MAX_DIMENSIONS {
        fields.wrong("/dimensions", "must have at most 5 attributes");
    }
    let cells = arms.len() * (metrics.len() + 1) * body.dimensions.len() * (MAX_VALUES + 2);
    if cells > MAX_CELLS {
        let detail = format!(
            "make {cells} sums with these arms and metrics, and an experiment has at most {MAX_CELLS}: leave some out"
        );
        fields.wrong("/dimensions", detail);
    }
    let primary = primary.into_iter().next();
    let definition = primary.map(|primary_metric| ExperimentDefinition {
        name: model.name.clone(),
        title: body.title,
        policy,
        arms,
        primary_metric,
        secondary_metrics: secondary,
        guardrails,
        metrics,
        alpha: body.alpha,
        power: body.power,
        minimum_detectable_effect: body.minimum_detectable_effect,
        relative: body.relative,
        planned_units: body.planned_units,
        enrolment: body.enrolment,
        audience,
        dimensions: body.dimensions,
        salt,
        slo_ms: body.slo_ms,
        burst_protection: body.burst_protection,
        evidence_rules: EVIDENCE_RULES,
    });
    without_problems(fields.finish(definition)?)
}

/// What guards where nothing is said.
fn guardrails() -> Vec<String> {
    [BuiltIn::Error, BuiltIn::Rejected]
        .map(|metric| metric.as_str().to_owned())
        .into()
}

fn new_salt() -> String {
    format!("{:016x}{:016x}", clock::random(), clock::random())
}

fn check_lengths(fields: &mut Fields, body: &CreateExperiment) {
    let weights = body.weights.as_ref().map_or(0, |weights| weights.len());
    let guardrails = body.guardrails.as_ref().map_or(0, Vec::len);
    for (pointer, length, most) in [
        ("/candidates", body.candidates.len(), MAX_CANDIDATES),
        ("/weights", weights, MAX_CANDIDATES + 1),
        (
            "/secondary_metrics",
            body.secondary_metrics.len(),
            MAX_METRICS,
        ),
        ("/guardrails", guardrails, MAX_METRICS),
    ] {
        if length > most {
            fields.wrong(pointer, format!("must be at most {most}"));
        }
    }
}

fn without_problems(definition: ExperimentDefinition) -> ApiResult<ExperimentDefinition> {
    let problems = definition.problems();
    if problems.is_empty() {
        return Ok(definition);
    }
    let field = |problem: types::InvalidExperiment| FieldError {
        pointer: problem.pointer.into(),
        detail: problem.problem,
    };
    Err(ApiError::invalid(problems.into_iter().map(field).collect()))
}

/// The metrics that an experiment names, as they are declared now.
struct Metrics<'a> {
    /// The model.
    name: &'a str,
    declared: &'a BTreeMap<MetricName, Metric>,
    found: Vec<Metric>,
}

impl Metrics<'_> {
    fn named(&mut self, fields: &mut Fields, pointer: &str, names: &[String]) -> Vec<MetricName> {
        let mut named: Vec<MetricName> = Vec::new();
        for text in names {
            let built_in = BuiltIn::find(text).map(BuiltIn::metric);
            let declared = self
                .declared
                .values()
                .find(|metric| metric.name.as_str() == text);
            let Some(metric) = built_in.or_else(|| declared.cloned()) else {
                let detail = format!(
                    "names {text}, which is neither built in nor declared: `PUT /metrics/{}/{text}` declares it",
                    self.name
                );
                fields.wrong(pointer, detail);
                continue;
            };
            if !named.contains(&metric.name) {
                named.push(metric.name.clone());
            }
            if !self.found.contains(&metric) {
                self.found.push(metric);
            }
        }
        named
    }
}

/// The policy with its settings, or their defaults.
fn policy(fields: &mut Fields, body: &mut CreateExperiment) -> Policy {
    let (rollout, bandit) = (body.rollout.take(), body.bandit.take());
    if rollout.is_some() && body.policy != api::Policy::Rollout {
        fields.wrong("/rollout", "is only for the policy rollout");
    }
    if bandit.is_some() && body.policy != api::Policy::Bandit {
        fields.wrong("/bandit", "is only for the policy bandit");
    }
    match body.policy {
        api::Policy::Fixed => Policy::Fixed,
        api::Policy::Bandit => {
            let mut settings = bandit.unwrap_or_default();
            // Said once, so that people see it, and no later release changes it.
            settings.floor = Some(settings.floor(1 + body.candidates.len()));
            Policy::Bandit(settings)
        }
        api::Policy::Rollout => {
            if body.weights.is_some() {
                let detail = "do not go with a rollout: rollout.steps say what the candidate gets";
                fields.wrong("/weights", detail);
            }
            Policy::Rollout(rollout.unwrap_or_default())
        }
    }
}

fn arms(fields: &mut Fields, body: &CreateExperiment, versions: &[Version]) -> Vec<Arm> {
    let mut arms = Vec::new();
    let candidates = body
        .candidates
        .iter()
        .map(|version| ("/candidates", version));
    for (pointer, text) in [("/control", &body.control)].into_iter().chain(candidates) {
        let Some(version) = versions.iter().find(|v| v.version.as_str() == text) else {
            let detail = format!("names {text}, which is not a version of {}", body.name);
            fields.wrong(pointer, detail);
            continue;
        };
        let weight = body
            .weights
            .as_ref()
            .map_or(Some(1.0), |weights| weights.get(text).copied());
        if weight.is_none() {
            fields.wrong("/weights", format!("has no weight for {text}"));
        }
        arms.push(Arm {
            key: version.key,
            model_id: version.model_id,
            version: version.version.clone(),
            weight: weight.unwrap_or(1.0),
        });
    }
    for named in body.weights.iter().flatten().map(|(version, _)| version) {
        if *named != body.control && !body.candidates.contains(named) {
            fields.wrong("/weights", format!("names {named}, which is not an arm"));
        }
    }
    arms
}
