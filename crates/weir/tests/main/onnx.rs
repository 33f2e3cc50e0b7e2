//! Versions that are ONNX models: uploaded, tried, called, restarted, deleted. The models are those of the demonstration,
//! run by the engine that is built in.

use crate::weir::{Weir, assert_clean, directory, serve, vader};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Command;

const UNIGRAMS: &[u8] = include_bytes!("../../models/unigrams.onnx");
const NGRAMS: &[u8] = include_bytes!("../../models/ngrams.onnx");

fn onnx() -> Value {
    json!({"type": "onnx", "engine": "tract"})
}

async fn put(weir: &Weir, path: &str, bytes: Vec<u8>) -> (u16, Value) {
    let response = weir
        .http
        .put(weir.url(path))
        .body(bytes)
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Registers a version and uploads its model.
async fn upload(weir: &Weir, version: &str, runtime: Value, model: &[u8]) -> String {
    let id = weir.register(version, runtime).await;
    let (status, reply) = put(weir, &format!("/models/{id}/artifact"), model.to_vec()).await;
    assert_eq!(status, 200, "{reply}");
    id
}

/// What the large model says of texts, by another implementation: its label and its probabilities.
fn expected() -> Vec<(String, String, Vec<f64>)> {
    let lines = include_str!("../../models/expected.tsv").lines().skip(1);
    let row = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let probabilities = columns[3].split(',').map(|p| p.parse().unwrap());
        (
            serde_json::from_str(columns[0]).unwrap(),
            columns[2].to_owned(),
            probabilities.collect(),
        )
    };
    lines.map(row).collect()
}

/// An archive of a folder with files.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[tokio::test]
async fn a_model_is_uploaded_tried_and_answers_as_where_it_was_trained() {
    let directory = directory();
    let mut weir = Weir::start(directory.path());
    let id = weir.register("1.0.0", onnx()).await;
    let path = format!("/models/{id}/artifact");
    // Nothing is run that is not there, and nothing is taken that cannot be run.
    let (status, refused) = weir
        .post(
            &format!("/models/{id}/activate"),
            json!({"traffic_percent": 100}),
        )
        .await;
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("runtime_not_ready")),
        "{refused}"
    );
    let (status, refused) = weir.get(&path).await;
    assert_eq!(
        (status, &refused["code"]),
        (404, &json!("artifact_not_found")),
        "{refused}"
    );
    for bad in [
        Vec::new(),
        b"no model".to_vec(),
        NGRAMS[..NGRAMS.len() / 2].to_vec(),
        tar(&[("readme.txt", b"no model")]),
        tar(&[("one.onnx", NGRAMS), ("two.onnx", NGRAMS)]),
        b"PK\x03\x04 a zip archive".to_vec(),
    ] {
        let (status, refused) = put(&weir, &path, bad).await;
        assert_eq!(
            (status, &refused["code"]),
            (422, &json!("artifact_invalid")),
            "{refused}"
        );
        let said = refused["detail"].as_str().unwrap();
        assert!(!said.contains(directory.path().to_str().unwrap()), "{said}");
    }
    let kept = std::fs::read_dir(directory.path().join("artifacts"))
        .unwrap()
        .count();
    assert_eq!(kept, 1, "only the place for uploads is left");

    // A folder in a folder, as people pack them.
    let (status, version) = put(
        &weir,
        &path,
        tar(&[("mine/model.onnx", NGRAMS), ("mine/readme.txt", b"hello")]),
    )
    .await;
    assert_eq!(status, 200, "{version}");
    assert_eq!(version["artifact"]["sha256"].as_str().unwrap().len(), 64);
    weir.activate(&id, 100.0).await;
    for (text, label, probabilities) in expected() {
        let inputs = if text.is_empty() {
            continue;
        } else {
            json!({"text": text})
        };
        let (status, reply) = weir.post("/predict", inputs).await;
        assert_eq!(status, 200, "{reply}");
        assert_eq!(reply["prediction"], json!(label), "{text}");
        let classes = ["negative", "neutral", "positive"];
        for (class, want) in classes.iter().zip(&probabilities) {
            let got = reply["outputs"]["probabilities"][class].as_f64().unwrap();
            assert!(
                (got - want).abs() < 1e-5,
                "{text}: {class} {got} instead of {want}"
            );
        }
    }
    let (status, refused) = weir.post("/predict", json!({"inputs": [1, 2]})).await;
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("input_rejected")),
        "{refused}"
    );

    // It is there after a restart, before the first request.
    assert!(weir.signal("-TERM").success());
    let weir = Weir::start(directory.path());
    let (status, reply) = weir.post("/predict", json!({"text": "I love it"})).await;
    assert_eq!(
        (status, &reply["prediction"]),
        (200, &json!("positive")),
        "{reply}"
    );
    let (_, logged) = weir
        .get(&format!(
            "/predictions/{}",
            reply["prediction_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(logged["outputs"], reply["outputs"]);
    drop(weir);
    assert_clean(directory.path());
}

#[tokio::test]
async fn an_artifact_is_kept_once_never_changes_and_goes_with_its_versions() {
    let directory = directory();
    let weir = Weir::start(directory.path());
    let one = upload(&weir, "1", onnx(), UNIGRAMS).await;
    let two = upload(&weir, "2", onnx(), UNIGRAMS).await;
    let kept = || {
        std::fs::read_dir(directory.path().join("artifacts"))
            .unwrap()
            .count()
            - 1
    };
    assert_eq!(kept(), 1);
    // The same again is no change, and another one is refused.
    let path = format!("/models/{one}/artifact");
    assert_eq!(put(&weir, &path, UNIGRAMS.to_vec()).await.0, 200);
    let (status, refused) = put(&weir, &path, NGRAMS.to_vec()).await;
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("artifact_not_allowed")),
        "{refused}"
    );
    assert_eq!(kept(), 1);
    let words = weir.register("3", vader()).await;
    let (status, refused) = put(&weir, &format!("/models/{words}/artifact"), NGRAMS.to_vec()).await;
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("artifact_not_allowed")),
        "{refused}"
    );
    // What came is what was sent.
    let (_, version) = weir.get(&format!("/models/{one}")).await;
    let sha256 = version["artifact"]["sha256"].as_str().unwrap();
    let response = weir.http.get(weir.url(&path)).send().await.unwrap();
    assert_eq!(response.headers()["etag"], format!("\"{sha256}\"").as_str());
    assert_eq!(response.bytes().await.unwrap(), UNIGRAMS);
    let four = weir.register("4", onnx()).await;
    let promised = format!("/models/{four}/artifact?sha256={}", "0".repeat(64));
    let (status, refused) = put(&weir, &promised, UNIGRAMS.to_vec()).await;
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("artifact_invalid")),
        "{refused}"
    );
    // It goes with the last version that has it.
    assert_eq!(weir.delete(&format!("/models/{one}")).await.0, 200);
    assert_eq!(kept(), 1);
    assert_eq!(weir.delete(&format!("/models/{two}")).await.0, 200);
    assert_eq!(kept(), 0);
    drop(weir);
    assert_clean(directory.path());
}

#[tokio::test]
async fn artifacts_are_no_larger_than_they_may_be() {
    let directory = directory();
    let mut command = serve(directory.path());
    command.args(["--max-artifact-bytes", "100000"]);
    let weir = Weir::spawn(command);
    let id = weir.register("1", onnx()).await;
    let path = format!("/models/{id}/artifact");
    let (status, refused) = put(&weir, &path, NGRAMS.to_vec()).await;
    assert_eq!(
        (status, &refused["code"]),
        (413, &json!("body_too_large")),
        "{refused}"
    );
    // Packed, it is small; unpacked, it is not.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed
        .write_all(&tar(&[("model.onnx", &vec![0; 2_000_000])]))
        .unwrap();
    let (status, refused) = put(&weir, &path, packed.finish().unwrap()).await;
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("artifact_invalid")),
        "{refused}"
    );
    assert_eq!(put(&weir, &path, UNIGRAMS.to_vec()).await.0, 200);
}

/// State and parent of a process.
fn stat(pid: &str) -> Option<(String, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
}

fn children_of(pid: u32) -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let all = all.filter_map(|entry| entry.file_name().into_string().ok());
    let is_child =
        |child: &String| stat(child).is_some_and(|(_, parent)| parent == pid.to_string());
    all.filter(is_child).collect()
}

#[tokio::test]
async fn a_model_apart_from_the_server_answers_the_same() {
    let directory = directory();
    let weir = Weir::start(directory.path());
    let here = upload(&weir, "here", onnx(), UNIGRAMS).await;
    let apart = upload(
        &weir,
        "apart",
        json!({"type": "onnx", "engine": "tract", "isolate": true}),
        UNIGRAMS,
    )
    .await;
    weir.activate(&here, 100.0).await;
    weir.activate(&apart, 0.0).await;
    for text in ["I love it", "It broke after a day.", "\u{1f600} élan"] {
        let ask = async |version: &str| {
            let (status, reply) = weir
                .post("/predict", json!({"text": text, "model_version": version}))
                .await;
            assert_eq!(status, 200, "{reply}");
            (reply["prediction"].clone(), reply["outputs"].clone())
        };
        assert_eq!(ask("here").await, ask("apart").await);
    }
    // Whoever is short of memory ends processes that have nothing to do: the next request does not notice.
    let children = children_of(weir.process.id());
    assert_eq!(children.len(), 1, "{children:?}");
    let killed = Command::new("kill").args(["-KILL", &children[0]]).status();
    assert!(killed.unwrap().success());
    // It has ended when its last thread has.
    let threads =
        || std::fs::read_dir(format!("/proc/{}/task", children[0])).map_or(0, Iterator::count);
    while threads() > 1 || stat(&children[0]).is_some_and(|(state, _)| state != "Z") {
        tokio::task::yield_now().await;
    }
    let again = json!({"text": "I love it", "model_version": "apart"});
    let (status, reply) = weir.post("/predict", again).await;
    assert_eq!(status, 200, "{reply}");
    let (status, refused) = weir
        .post(
            "/predict",
            json!({"inputs": {"x": 1}, "model_version": "apart"}),
        )
        .await;
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("input_rejected")),
        "{refused}"
    );
}

#[tokio::test]
async fn clients_of_the_open_inference_protocol_are_answered_in_tensors() {
    let directory = directory();
    let weir = Weir::start(directory.path());
    let id = upload(&weir, "1", onnx(), NGRAMS).await;
    weir.activate(&id, 100.0).await;
    let (status, live) = weir.get("/v2/health/ready").await;
    assert_eq!((status, &live["ready"]), (200, &json!(true)));
    let (_, metadata) = weir.get("/v2/models/sentiment").await;
    assert_eq!(
        metadata["inputs"][0],
        json!({"name": "text", "datatype": "BYTES", "shape": [-1]}),
        "{metadata}"
    );
    let infer = "/v2/models/sentiment/infer";
    let several = json!({
        "id": "mine",
        "parameters": {"unit_id": "user-1", "attributes.country": "DE"},
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [2], "data": ["I love it", "I hate it"]}],
    });
    let (status, reply) = weir.post(infer, several).await;
    assert_eq!(status, 200, "{reply}");
    assert_eq!(
        (&reply["id"], &reply["model_version"]),
        (&json!("mine"), &json!("1"))
    );
    assert_eq!(
        reply["outputs"][0]["data"],
        json!(["positive", "negative"]),
        "{reply}"
    );
    assert_eq!(reply["outputs"][1]["name"], "confidence");
    let (_, logged) = weir
        .get(&format!(
            "/predictions/{}",
            reply["parameters"]["prediction_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        (&logged["unit_id"], &logged["attributes"]),
        (&json!("user-1"), &json!({"country": "DE"}))
    );
    // In the order that was asked for, and packed for who takes it so.
    let texts: Vec<&str> = vec!["I love it"; 100];
    let ordered = json!({
        "outputs": [{"name": "confidence"}, {"name": "prediction"}],
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [100], "data": texts}],
    });
    let (_, reply) = weir.post(infer, ordered.clone()).await;
    assert_eq!(reply["outputs"][0]["name"], "confidence", "{reply}");
    let http = reqwest::Client::builder().no_gzip().build().unwrap();
    let packed = http.post(weir.url(infer)).json(&ordered);
    let packed = packed.header("accept-encoding", "gzip").send().await;
    assert_eq!(packed.unwrap().headers()["content-encoding"], "gzip");
    // The header that says how long the JSON is, is missing: what stands behind the JSON may well be text.
    let mut body = json!({"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1],
        "parameters": {"binary_data_size": 8}}]})
    .to_string()
    .into_bytes();
    body.extend(b"\x04\0\0\0love");
    for (body, why) in [
        (body, "Inference-Header-Content-Length"),
        (b"[]".to_vec(), "a JSON object"),
    ] {
        let (status, refused) = weir.raw(infer, "application/json", body).await;
        assert_eq!(status, 400, "{refused}");
        let said = refused["error"].as_str().unwrap();
        assert!(said.contains(why), "{said}");
    }
    // Ids of rows that are not in the table: the engine may panic, and that is the end of one request. It is the caller's
    // doing, so it takes the version from nobody.
    let ids = |data: Value| json!({"inputs": [{"name": "ids", "datatype": "INT64", "shape": [1, 2], "data": data}]});
    for _ in 0..15 {
        let (status, refused) = weir.post(infer, ids(json!([1, 70_000]))).await;
        assert_eq!(status, 422, "{refused}");
        assert!(refused["error"].is_string(), "{refused}");
    }
    let (status, reply) = weir.post(infer, ids(json!([1, 2]))).await;
    assert_eq!(status, 200, "{reply}");
    assert_eq!(reply["outputs"][0]["shape"], json!([1, 3]), "{reply}");
    for (path, body, want) in [
        (infer, ids(json!([1])), 400),
        (infer, json!({"inputs": []}), 400),
        // A dimension of nothing makes the others no smaller.
        (
            infer,
            json!({"inputs": [{"name": "ids", "datatype": "INT64", "shape": [1u64 << 50, 0], "data": []}]}),
            400,
        ),
        (
            infer,
            json!({"inputs": [{"name": "ids", "datatype": "INT64", "shape": [20_000, 0], "data": []}]}),
            422,
        ),
        (
            infer,
            json!({"inputs": [{"name": "ids", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}),
            422,
        ),
        (
            infer,
            json!({"inputs": [{"name": "other", "datatype": "INT64", "shape": [1], "data": [1]}]}),
            422,
        ),
        ("/v2/models/nobody/infer", ids(json!([1, 2])), 404),
        (
            "/v2/models/sentiment/versions/9/infer",
            ids(json!([1, 2])),
            404,
        ),
    ] {
        let (status, refused) = weir.post(path, body.clone()).await;
        assert_eq!(status, want, "{body}: {refused}");
        assert!(refused["error"].is_string(), "{refused}");
    }
}
