//! A list in the place of an object is refused: its values would be taken for the fields of the object, in their order, and an
//! empty one would set all of them back.

use crate::error::{ApiError, ApiResult};
use crate::extract::pointed;
use axum::http::Method;
use serde_json::Value;
use std::sync::LazyLock;

/// What every call reads, as it is published.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let (_, document) = crate::routes().split_for_parts();
    serde_json::to_value(document).expect("a document is JSON")
});

/// Whether a body has objects wherever its call reads some. What is no JSON is for the reader to say.
///
/// # Errors
/// Where it has a list.
pub(crate) fn check(method: &Method, path: &str, body: &[u8]) -> ApiResult<()> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Ok(());
    };
    let call = &DOCUMENT["paths"][path][method.as_str().to_ascii_lowercase()];
    let schema = &call["requestBody"]["content"]["application/json"]["schema"];
    match list_at(schema, &body, "") {
        Some(pointer) => Err(ApiError::field(
            pointer,
            "must be a JSON object, and not a list",
        )),
        None => Ok(()),
    }
}

/// A schema itself, where it is named elsewhere.
fn meant(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        Some(place) => {
            let place = place.trim_start_matches('#');
            DOCUMENT.pointer(place).map_or(&Value::Null, meant)
        }
        None => schema,
    }
}

/// The schemas of which one has to fit.
fn choices(schema: &Value) -> Option<&Vec<Value>> {
    schema["oneOf"].as_array().or(schema["anyOf"].as_array())
}

/// Whether a JSON value of a type fits; where no type is said, anything does.
fn takes(schema: &Value, name: &str) -> bool {
    let schema = meant(schema);
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().all(|one| takes(one, name));
    }
    match choices(schema) {
        Some(choices) => choices.iter().any(|one| takes(one, name)),
        None => schema["type"].is_null() || has_type(schema, name),
    }
}

fn has_type(schema: &Value, name: &str) -> bool {
    match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == name),
        one => one == name,
    }
}

/// Whether a schema can be meant by an object that says of which `type` it is.
fn is_of(schema: &Value, word: &Value) -> bool {
    let schema = meant(schema);
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().all(|one| is_of(one, word));
    }
    let known = &schema["properties"]["type"];
    let words = known["enum"].as_array();
    words.is_none_or(|words| words.contains(word))
        && (known["const"].is_null() || known["const"] == *word)
}

/// The pointer of a list in the place of an object.
fn list_at(schema: &Value, value: &Value, pointer: &str) -> Option<String> {
    let schema = meant(schema);
    if value.is_array() && takes(schema, "object") && !takes(schema, "array") {
        return Some(pointer.to_owned());
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().find_map(|one| list_at(one, value, pointer));
    }
    if let Some(choices) = choices(schema) {
        let word = &value["type"];
        let fits = |one: &&Value| match value {
            Value::Object(_) => takes(one, "object") && (word.is_null() || is_of(one, word)),
            Value::Array(_) => takes(one, "array"),
            _ => false,
        };
        let found = choices
            .iter()
            .filter(fits)
            .map(|one| list_at(one, value, pointer));
        // One that fits is enough.
        return found.reduce(|a, b| a.and(b)).flatten();
    }
    match value {
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let known = &schema["properties"][name];
            let schema = match known {
                Value::Null => &schema["additionalProperties"],
                known => known,
            };
            list_at(schema, member, &format!("{pointer}/{}", pointed(name)))
        }),
        Value::Array(items) => (0..)
            .zip(items)
            .find_map(|(at, item)| list_at(&schema["items"], item, &format!("{pointer}/{at}"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_no_object_however_deep_it_stands() {
        for (method, path, body, refused) in [
            (
                "PUT",
                "/privacy/{name}",
                r#"{"inputs":["none",50]}"#,
                Some("/inputs"),
            ),
            (
                "PUT",
                "/privacy/{name}",
                r#"{"inputs":[]}"#,
                Some("/inputs"),
            ),
            (
                "PUT",
                "/privacy/{name}",
                r#"{"inputs":{"redact_patterns":["a"]}}"#,
                None,
            ),
            (
                "PUT",
                "/rules/{name}",
                r#"{"rules":[["x = 1","1"]]}"#,
                Some("/rules/0"),
            ),
            (
                "POST",
                "/models",
                r#"{"name":"m","runtime":["sentiment","afinn"]}"#,
                Some("/runtime"),
            ),
            (
                "POST",
                "/models",
                r#"{"name":"m","runtime":{"type":"onnx","labels":["a"]}}"#,
                None,
            ),
            ("POST", "/models", r#"{"tags":[["a","b"]]}"#, Some("/tags")),
            (
                "POST",
                "/experiments",
                r#"{"bandit":["ucb1"]}"#,
                Some("/bandit"),
            ),
            (
                "POST",
                "/experiments",
                r#"{"metrics":["correct"],"rollout":{"steps":[1,5]}}"#,
                None,
            ),
            ("PUT", "/metrics/{name}/{metric}", r#"{"kind":[]}"#, None),
            (
                "PUT",
                "/metrics/{name}/{metric}",
                r#"{"covariate":["country"]}"#,
                Some("/covariate"),
            ),
            (
                "POST",
                "/models",
                r#"{"name":"m","runtime":{"type":"onnx","batch":[]}}"#,
                Some("/runtime/batch"),
            ),
            (
                "POST",
                "/models",
                r#"{"name":"m","runtime":{"type":"openai","prices":[1,2]}}"#,
                Some("/runtime/prices"),
            ),
            (
                "POST",
                "/models",
                r#"{"name":"m","runtime":{"type":"http","template":["{input}"],"probe":[1],"refused_statuses":[400]}}"#,
                None,
            ),
            ("POST", "/models", "[]", Some("")),
            ("POST", "/models", "{", None),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let found = check(&method, path, body.as_bytes());
            let found = found.err().map(|error| {
                let problem: Value = serde_json::from_slice(&error.to_json()).unwrap();
                problem["errors"][0]["pointer"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            });
            assert_eq!(found.as_deref(), refused, "{body}");
        }
    }
}
