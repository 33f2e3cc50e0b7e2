//! What people are told: an event as a sentence, and as the bodies that Slack and PagerDuty read.

use api::{AuditEntry, WebhookDelivery};
use serde_json::{Value, json};
use types::{Action, WebhookFormat};

/// The longest text, in characters: the limit of a summary of PagerDuty.
const LONGEST: usize = 1000;

/// What has happened, in a sentence or two.
pub(crate) fn said(entry: &AuditEntry) -> String {
    let model = entry.name.as_deref().unwrap_or("The server");
    let experiment = entry.detail["experiment"].as_str();
    let of = experiment.map_or(String::new(), |id| format!(" {id}"));
    let mut text = format!("{model}: experiment{of} {}", happened(entry.action.0));
    let shares = entry.detail["to"].as_object();
    let shares = shares.filter(|to| to.values().all(Value::is_number));
    if let Some(to) = shares.filter(|to| !to.is_empty()) {
        let each = to.iter().map(|(version, percent)| {
            format!("{version} {:.1} %", percent.as_f64().unwrap_or_default())
        });
        text.push_str(&format!(
            " (traffic now: {})",
            each.collect::<Vec<_>>().join(", ")
        ));
    }
    text.push('.');
    if let Some(because) = entry.detail["because"]
        .as_str()
        .filter(|said| !said.is_empty())
    {
        text.push(' ');
        text.push_str(because);
    }
    if text.chars().count() > LONGEST {
        text = text.chars().take(LONGEST - 1).chain(['…']).collect();
    }
    text
}

fn happened(action: Action) -> &'static str {
    match action {
        Action::ExperimentCreated => "was drafted",
        Action::ExperimentScheduled => "was scheduled",
        Action::ExperimentUnscheduled => "is not scheduled any more",
        Action::ExperimentStartFailed => "could not start",
        Action::ExperimentStarted => "started",
        Action::ExperimentDeleted => "was deleted",
        Action::ExperimentAdvanced => "advanced to its next step",
        Action::ExperimentReweighted => "changed its weights",
        Action::ExperimentRescaled => "began to measure on new scales",
        Action::ExperimentRolledBack => "was rolled back: all traffic is on the control",
        Action::ExperimentPromoted => "promoted its candidate: it has all traffic",
        Action::ExperimentHeld => "is held",
        Action::ExperimentReleased => "goes on",
        Action::ExperimentWinner => "found its winner",
        Action::ExperimentPaused => "was paused",
        Action::ExperimentResumed => "was resumed",
        Action::ExperimentStopped => "was stopped",
        Action::ExperimentAborted => "was aborted: all traffic is on the control",
        Action::ExperimentVerdict => "has a new verdict",
        Action::ExperimentEffectChanged => "has an effect that has changed",
        _ => "changed",
    }
}

/// What a test says.
pub(crate) const TEST: &str = "This is a test of a Weir webhook: nothing has happened.";

/// The body of a delivery; nothing where the format has nothing to say of it.
pub(crate) fn body(
    format: WebhookFormat,
    delivery: &WebhookDelivery,
    routing_key: &str,
) -> Option<Value> {
    match format {
        WebhookFormat::Json => serde_json::to_value(delivery).ok(),
        WebhookFormat::Slack => Some(json!({"text": escaped(&delivery.text)})),
        WebhookFormat::Pagerduty => {
            let entry = &delivery.data;
            let experiment = entry.detail["experiment"].as_str();
            let key = format!("weir-{}", experiment.unwrap_or("server"));
            let (event, severity) = alarm(entry.action.0)?;
            Some(json!({
                "routing_key": routing_key,
                "event_action": event,
                "dedup_key": key,
                "payload": {
                    "summary": delivery.text,
                    "source": entry.name.as_deref().unwrap_or("weir"),
                    "severity": severity,
                    "timestamp": delivery.timestamp,
                    "component": "weir",
                    "class": entry.action.to_string(),
                    "custom_details": {"experiment": experiment, "entry": entry.id},
                },
            }))
        }
    }
}

/// The body of a test.
pub(crate) fn test_body(format: WebhookFormat, at: &str, routing_key: &str) -> Value {
    match format {
        WebhookFormat::Json => {
            json!({"type": "webhook.test", "timestamp": at, "text": TEST, "data": null})
        }
        WebhookFormat::Slack => json!({"text": TEST}),
        // An incident that is over as soon as it is told wakes nobody, but a change of a key is found out.
        WebhookFormat::Pagerduty => json!({
            "routing_key": routing_key,
            "event_action": "resolve",
            "dedup_key": "weir-test",
            "payload": {"summary": TEST, "source": "weir", "severity": "info", "timestamp": at},
        }),
    }
}

/// Whom it wakes: what went wrong begins an incident, and what ends it resolves it.
fn alarm(action: Action) -> Option<(&'static str, &'static str)> {
    Some(match action {
        Action::ExperimentRolledBack | Action::ExperimentStartFailed => ("trigger", "error"),
        Action::ExperimentHeld => ("trigger", "warning"),
        Action::ExperimentReleased
        | Action::ExperimentPromoted
        | Action::ExperimentResumed
        | Action::ExperimentStopped
        | Action::ExperimentAborted => ("resolve", "info"),
        _ => return None,
    })
}

/// What Slack would read as a link or a mention.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(action: Action, detail: Value) -> WebhookDelivery {
        let data = AuditEntry {
            id: 7,
            at: "2026-01-31T12:00:00Z".into(),
            action: action.into(),
            name: Some("fraud".into()),
            version: None,
            revision: 3,
            detail,
            author: None,
            chain: None,
        };
        WebhookDelivery {
            r#type: action.into(),
            timestamp: data.at.clone(),
            text: said(&data),
            data,
        }
    }

    #[test]
    fn people_read_sentences() {
        let detail = json!({
            "experiment": "exp-0123456789ab",
            "to": {"1.0.0": 100.0, "2.0.0": 0.0},
            "because": "The candidate fails more often.",
        });
        let told = delivery(Action::ExperimentRolledBack, detail);
        assert_eq!(
            told.text,
            "fraud: experiment exp-0123456789ab was rolled back: all traffic is on the control \
             (traffic now: 1.0.0 100.0 %, 2.0.0 0.0 %). The candidate fails more often."
        );
        let alarm = body(WebhookFormat::Pagerduty, &told, "key").unwrap();
        assert_eq!(alarm["event_action"], "trigger");
        assert_eq!(alarm["routing_key"], "key");
        assert_eq!(alarm["payload"]["severity"], "error");
        // A change of weights wakes nobody.
        let quiet = delivery(Action::ExperimentReweighted, json!({}));
        assert_eq!(body(WebhookFormat::Pagerduty, &quiet, "key"), None);
    }

    #[test]
    fn slack_reads_no_mentions_and_no_books() {
        let detail = json!({"because": format!("<!channel> & {}", "x".repeat(5000))});
        let told = delivery(Action::ExperimentHeld, detail);
        let slack = body(WebhookFormat::Slack, &told, "").unwrap();
        let text = slack["text"].as_str().unwrap();
        assert!(text.contains("&lt;!channel&gt; &amp; x"), "{text}");
        assert!(text.chars().count() < 1100);
    }
}
