//! The log leaves and comes in: exports in three formats, resumed by position, and imports.

use crate::weir::{BINARY, Weir, command, directory, run as weir, serve, text, vader};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

fn rows(lines: &str) -> Vec<Value> {
    let rows = lines.lines().map(serde_json::from_str);
    rows.collect::<Result<_, _>>().unwrap()
}

async fn export(server: &Weir, query: &str) -> (reqwest::header::HeaderMap, String) {
    let url = server.url(&format!("/predictions/export?{query}"));
    let response = reqwest::get(url).await.unwrap();
    assert_eq!(response.status(), 200, "{query}");
    let headers = response.headers().clone();
    (headers, response.text().await.unwrap())
}

/// A server with one version and five predictions, the second of which has a label.
async fn with_five(data: &Path) -> (Weir, Vec<String>) {
    let server = Weir::start(data);
    let one = server.register("1.0.0", vader()).await;
    server.activate(&one, 100.0).await;
    let mut ids = Vec::new();
    for (at, said) in [
        "good",
        "bad, \"quoted\"\nand long",
        "=1+1",
        "fine",
        "ö \u{1F600}",
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"text": said, "unit_id": format!("user-{at}"), "attributes": {"n": at}});
        let (status, reply) = server.post("/predict", body).await;
        assert_eq!(status, 200, "{reply}");
        ids.push(reply["prediction_id"].as_str().unwrap().to_owned());
    }
    let label = json!({"prediction_id": ids[1], "label": "negative"});
    let (status, reply) = server.post("/feedback", label).await;
    assert_eq!(status, 200, "{reply}");
    (server, ids)
}

#[tokio::test]
async fn an_export_is_resumed_by_position_and_misses_nothing() {
    let data = directory();
    let (server, ids) = with_five(data.path()).await;
    let (headers, all) = export(&server, "").await;
    let all = rows(&all);
    let exported: Vec<&str> = all
        .iter()
        .map(|row| row["prediction_id"].as_str().unwrap())
        .collect();
    assert_eq!(exported, ids);
    assert_eq!(all[1]["feedback"], json!({"correct": 1.0}));
    assert_eq!(all[1]["label"], json!("negative"));
    assert_eq!(all[4]["attributes"], json!({"n": 4}));
    assert_eq!(all[4]["text"], json!("ö \u{1F600}"));

    // In pieces of every size, each after the last position of the one before.
    for limit in 1..=6 {
        let (mut after, mut found) = (0, Vec::new());
        loop {
            let (_, piece) =
                export(&server, &format!("limit={limit}&after_position={after}")).await;
            let piece = rows(&piece);
            let Some(last) = piece.last() else { break };
            after = last["position"].as_u64().unwrap();
            found.extend(piece);
        }
        assert_eq!(found, all, "limit {limit}");
    }

    // What comes later comes after the position that the header said, and nothing else does.
    let next = headers["weir-next-position"].to_str().unwrap().to_owned();
    let generation = headers["weir-generation"].to_str().unwrap().to_owned();
    let (_, none) = export(&server, &format!("after_position={next}")).await;
    assert_eq!(none, "");
    let (_, later) = server.post("/predict", json!({"text": "later"})).await;
    let resumed = format!("after_position={next}&generation={generation}");
    let (_, one) = export(&server, &resumed).await;
    assert_eq!(rows(&one)[0]["prediction_id"], later["prediction_id"]);
    // Positions of another generation are refused.
    let (status, problem) = server
        .get(&format!(
            "/predictions/export?after_position={next}&generation=00000000"
        ))
        .await;
    assert_eq!((status, &problem["code"]), (410, &json!("generation_gone")));
}

#[tokio::test]
async fn filters_take_what_they_say() {
    let data = directory();
    let (server, ids) = with_five(data.path()).await;
    let count = async |query: &str| rows(&export(&server, query).await.1).len();
    assert_eq!(count("name=sentiment").await, 5);
    let (status, problem) = server.get("/predictions/export?name=other").await;
    assert_eq!((status, &problem["code"]), (404, &json!("model_not_found")));
    let (status, problem) = server.get("/predictions/export?after_position=999").await;
    assert_eq!(status, 422, "{problem}");
    assert_eq!(count("version=1.0.0&status=ok").await, 5);
    assert_eq!(count("version=2.0.0").await, 0);
    assert_eq!(count("status=error").await, 0);
    assert_eq!(count("unit_id=user-3").await, 1);
    assert_eq!(count("where=n%20%3E%3D%203").await, 2);
    assert_eq!(count("experiment=exp-0123456789ab").await, 0);
    assert_eq!(count("until=2020-01-01T00:00:00Z").await, 0);
    let (_, third) = server.get(&format!("/predictions/{}", ids[2])).await;
    let since = third["created_at"].as_str().unwrap();
    assert_eq!(count(&format!("since={since}")).await, 3);
    assert_eq!(count(&format!("until={since}")).await, 2);
    for bad in [
        "format=xml",
        "limit=0",
        "after_position=-1",
        "since=yesterday",
        "status=late",
        "names=x",
    ] {
        let (status, problem) = server.get(&format!("/predictions/export?{bad}")).await;
        assert_eq!(
            (status, &problem["code"]),
            (422, &json!("invalid_request")),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn csv_keeps_commas_quotes_and_lines() {
    let data = directory();
    let (server, _) = with_five(data.path()).await;
    let (headers, csv) = export(&server, "format=csv").await;
    assert!(
        headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/csv")
    );
    let (head, first) = csv.split_once('\n').unwrap();
    assert!(head.starts_with("position,prediction_id,created_at,name,"));
    assert!(first.starts_with("1,"));
    assert!(csv.contains("\"bad, \"\"quoted\"\"\nand long\""), "{csv}");
    // A number stays one of the kind that its column has.
    assert!(first.contains(",1.0,"), "{first}");
}

#[tokio::test]
async fn feedback_has_a_stream_of_its_own() {
    let data = directory();
    let (server, ids) = with_five(data.path()).await;
    let metric = json!({"kind": "count", "direction": "up", "per": "unit", "window_seconds": 3600});
    let (status, declared) = server.put("/metrics/sentiment/orders", metric).await;
    assert_eq!(status, 200, "{declared}");
    let outcome = json!({"unit_id": "user-1", "metric": "orders", "value": 3, "outcome_id": "o-1"});
    let (status, told) = server.post("/feedback", outcome).await;
    assert!(status < 300, "{told}");
    let label = json!({"prediction_id": ids[4], "label": "positive"});
    server.post("/feedback", label).await;
    let url = |query: &str| server.url(&format!("/feedback/export{query}"));
    let all = reqwest::get(url("")).await.unwrap().text().await.unwrap();
    let all = rows(&all);
    let metrics: Vec<&str> = all
        .iter()
        .map(|row| row["metric"].as_str().unwrap())
        .collect();
    assert_eq!(metrics, ["correct", "orders", "correct"]);
    assert_eq!(
        (&all[1]["unit_id"], &all[1]["outcome_id"]),
        (&json!("user-1"), &json!("o-1"))
    );
    assert_eq!(all[1]["prediction_id"], Value::Null);
    assert_eq!(all[2]["label"], json!("positive"));
    assert_eq!(all[2]["model_version"], json!("1.0.0"));
    let (mut after, mut found) = (0, Vec::new());
    loop {
        let query = format!("?limit=1&after_position={after}");
        let piece = reqwest::get(url(&query))
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let piece = rows(&piece);
        let Some(last) = piece.last() else { break };
        after = last["position"].as_u64().unwrap();
        found.extend(piece);
    }
    assert_eq!(found, all);
}

/// More than one piece of each: none is missing, and none comes twice.
#[tokio::test]
async fn many_rows_come_in_pieces() {
    let data = directory();
    let server = Weir::start(data.path());
    server.register("1.0.0", vader()).await;
    let (predictions, values) = (5_000, 1_300);
    let lines = |count: usize, line: &dyn Fn(usize) -> Value| {
        let lines = (0..count).map(|n| line(n).to_string() + "\n");
        lines.collect::<String>().into_bytes()
    };
    let made = lines(
        predictions,
        &|n| json!({"name": "sentiment", "model_version": "1.0.0", "text": "a", "prediction": n, "request_id": format!("r{n}")}),
    );
    let ndjson = "application/x-ndjson";
    let (status, said) = server.raw("/predictions", ndjson, made).await;
    assert_eq!(
        (status, &said["recorded"]),
        (200, &json!(predictions)),
        "{said}"
    );
    let told = lines(
        values,
        &|n| json!({"request_id": format!("r{n}"), "label": "x".repeat(n % 100)}),
    );
    let (status, said) = server.raw("/feedback", ndjson, told).await;
    assert!(status == 200 || status == 202, "{said}");
    let of = |text: &str, field: &str| -> Vec<Value> {
        rows(text).iter().map(|row| row[field].clone()).collect()
    };
    let (_, all) = export(&server, "").await;
    let all = of(&all, "prediction");
    assert_eq!(all, (0..predictions).map(|n| json!(n)).collect::<Vec<_>>());
    // With a limit beyond a piece, and the rest after its last position.
    let (_, some) = export(&server, "limit=3000").await;
    let last = rows(&some).last().unwrap()["position"].clone();
    let (_, rest) = export(&server, &format!("after_position={last}")).await;
    let both = [of(&some, "prediction"), of(&rest, "prediction")];
    assert_eq!((both[0].len(), both.concat()), (3000, all));
    let feedback = reqwest::get(server.url("/feedback/export")).await.unwrap();
    let feedback = feedback.text().await.unwrap();
    let ids = of(&feedback, "prediction_id");
    let different: BTreeSet<String> = ids.iter().map(Value::to_string).collect();
    assert_eq!((ids.len(), different.len()), (values, values));
}

#[tokio::test]
async fn without_a_key_nothing_is_exported_where_one_is_needed() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--auth", "required"]);
    let server = Weir::spawn(command);
    let (status, _) = server.get("/predictions/export").await;
    assert_eq!(status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_keeps_a_folder_up_to_date() {
    let data = directory();
    let (server, _) = with_five(data.path()).await;
    let folder = data.path().join("exports");
    let into = [
        "predictions",
        "export",
        "--into",
        folder.to_str().unwrap(),
        "--format",
        "ndjson",
    ];
    let ran = weir(&server, &into);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let ran = weir(&server, &into);
    assert!(ran.status.success() && text(&ran.stderr).contains("nothing new since the last run"));
    server.post("/predict", json!({"text": "one more"})).await;
    assert!(weir(&server, &into).status.success());
    let mut found = 0;
    let mut positions = BTreeSet::new();
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "ndjson") {
            found += 1;
            for row in rows(&std::fs::read_to_string(path).unwrap()) {
                assert!(positions.insert(row["position"].as_u64().unwrap()));
            }
        }
    }
    assert_eq!((found, positions.len()), (2, 6));
    // Feedback may share the folder, and loses nothing by it.
    let feedback = [
        "feedback",
        "export",
        "--into",
        folder.to_str().unwrap(),
        "--format",
        "csv",
    ];
    assert!(weir(&server, &feedback).status.success());
    let files = |begin: &str| {
        let all = std::fs::read_dir(&folder)
            .unwrap()
            .map(|file| file.unwrap().file_name());
        all.filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with(begin) && !name.contains("position")
        })
        .count()
    };
    assert_eq!((files("feedback"), files("predictions")), (1, 2));
    // A run that was cut short before it said how far it had come leaves nothing twice.
    let position = folder.join("predictions-position.json");
    let before = std::fs::read(&position).unwrap();
    server.post("/predict", json!({"text": "cut short"})).await;
    assert!(weir(&server, &into).status.success());
    std::fs::write(&position, before).unwrap();
    server.post("/predict", json!({"text": "and on"})).await;
    // The folder knows its format.
    assert!(weir(&server, &into[..4]).status.success());
    assert_eq!(files("predictions"), 3);
    std::fs::remove_file(&position).unwrap();
    let ran = weir(&server, &into);
    assert!(
        !ran.status.success() && text(&ran.stderr).contains("is gone"),
        "{}",
        text(&ran.stderr)
    );
    std::fs::write(
        &position,
        "{\"generation\": \"x\", \"position\": 1, \"of\": [], \"format\": \"ndjson\"}",
    )
    .unwrap();
    // Another question would leave holes.
    let mut other = into.to_vec();
    other.extend(["--name", "sentiment"]);
    let ran = weir(&server, &other);
    assert!(!ran.status.success() && text(&ran.stderr).contains("another export"));
    // A file that is there stays.
    let file = data.path().join("p.parquet");
    std::fs::write(&file, "mine").unwrap();
    let output = ["predictions", "export", "--output", file.to_str().unwrap()];
    let ran = weir(&server, &output);
    assert!(!ran.status.success() && text(&ran.stderr).contains("--force"));
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    let mut force = output.to_vec();
    force.push("--force");
    assert!(weir(&server, &force).status.success());
    let parquet = std::fs::read(&file).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_has_gone_ends_it_quietly() {
    let data = directory();
    let (server, _) = with_five(data.path()).await;
    for args in [
        &["predictions", "export"][..],
        &["predictions", "tail"],
        &["models", "list"],
        &["completions", "bash"],
    ] {
        let mut child = command(&server, args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        // `tail` goes on until it has something to say.
        if args[1] == "tail" {
            server.post("/predict", json!({"text": "more"})).await;
        }
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{args:?}");
        assert_eq!(text(&ended.stderr), "", "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_no_half_file() {
    let data = directory();
    let (server, _) = with_five(data.path()).await;
    let output = Command::new(BINARY)
        .args(["predictions", "export"])
        .env("WEIR_URL", server.url(""))
        .stdout(
            std::fs::OpenOptions::new()
                .write(true)
                .open("/dev/full")
                .unwrap(),
        )
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(
        text(&output.stderr).contains("No space left"),
        "{}",
        text(&output.stderr)
    );
    // A file can grow no further than its limit allows: as a full disk, but for this process alone.
    let file = data.path().join("small.csv");
    let script = format!(
        "ulimit -f 0; trap '' XFSZ; exec {BINARY} predictions export --output {}",
        file.display()
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .env("WEIR_URL", server.url(""))
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(
        text(&output.stderr).contains("and was removed"),
        "{}",
        text(&output.stderr)
    );
    assert!(!file.exists());
    let left = std::fs::read_dir(data.path()).unwrap();
    let left = left.filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with(".weir-export")
    });
    assert_eq!(left.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_comes_in_once_however_often_it_is_sent() {
    let data = directory();
    let server = Weir::start(data.path());
    server.register("1.0.0", vader()).await;
    let file = data.path().join("history.csv");
    let csv = "id,country,review,verdict,score,when\n\
               u1,DE,\"good, really\",positive,0.9,2026-11-01T12:00:00Z\n\
               u2,,bad,negative,0.8,2026-11-01T12:00:01Z\n";
    std::fs::write(&file, csv).unwrap();
    let path = file.to_str().unwrap();
    let import = [
        "import",
        "predictions",
        path,
        "--name",
        "sentiment",
        "--model-version",
        "1.0.0",
        "--map",
        "id=unit_id",
        "--map",
        "country=attributes.country",
        "--map",
        "review=text",
        "--map",
        "verdict=prediction",
        "--map",
        "score=confidence",
        "--map",
        "when=at",
    ];
    // What is meant by a column is asked before anything is sent.
    let ran = weir(&server, &import[..7]);
    assert!(!ran.status.success() && text(&ran.stderr).contains("--map id=FIELD"));
    let mut dry = import.to_vec();
    let mut twice = import.to_vec();
    twice.extend(["--map", "nothing=text"]);
    let ran = weir(&server, &twice);
    assert!(
        !ran.status.success() && text(&ran.stderr).contains("no column"),
        "{}",
        text(&ran.stderr)
    );
    dry.push("--dry-run");
    let ran = weir(&server, &dry);
    assert!(
        text(&ran.stdout).contains("2 rows would be sent"),
        "{}",
        text(&ran.stderr)
    );
    let ran = weir(&server, &import);
    assert!(
        text(&ran.stdout).contains("2 predictions recorded"),
        "{}",
        text(&ran.stderr)
    );
    let (_, all) = export(&server, "").await;
    let all = rows(&all);
    assert_eq!(all.len(), 2);
    assert_eq!(all[0]["reason"], json!("observed"));
    assert_eq!(all[0]["text"], json!("good, really"));
    assert_eq!(all[0]["attributes"], json!({"country": "DE"}));
    assert_eq!(all[0]["made_at"], json!("2026-11-01T12:00:00.000000Z"));
    assert_eq!(all[1]["attributes"], Value::Null);
    // The same again does nothing, whether it knows how far it was or not.
    let ran = weir(&server, &import);
    assert!(
        text(&ran.stdout).contains("were sent by an earlier run"),
        "{}",
        text(&ran.stdout)
    );
    let mut restart = import.to_vec();
    restart.push("--restart");
    let ran = weir(&server, &restart);
    assert!(
        text(&ran.stdout).contains("2 known already"),
        "{}",
        text(&ran.stdout)
    );

    // An export is a file that can be imported.
    let file = data.path().join("again.ndjson");
    std::fs::write(&file, export(&server, "").await.1).unwrap();
    let other = directory();
    let second = Weir::start(other.path());
    second.register("1.0.0", vader()).await;
    let ran = weir(&second, &["import", "predictions", file.to_str().unwrap()]);
    assert!(
        text(&ran.stdout).contains("2 predictions recorded"),
        "{}",
        text(&ran.stderr)
    );
    let (_, moved) = export(&second, "").await;
    assert_eq!(rows(&moved)[0]["text"], all[0]["text"]);

    // A line that is refused says which one it is; with --skip-refused the others come.
    let file = data.path().join("bad.ndjson");
    let lines = "{\"name\": \"sentiment\", \"model_version\": \"1.0.0\", \"text\": \"a\", \"prediction\": \"x\"}\n\
                 {\"name\": \"sentiment\", \"model_version\": \"9\", \"text\": \"a\", \"prediction\": \"x\"}\n\
                 {broken\n";
    std::fs::write(&file, lines).unwrap();
    let path = file.to_str().unwrap();
    let ran = weir(&server, &["import", "predictions", path]);
    assert!(!ran.status.success(), "{}", text(&ran.stdout));
    assert!(
        text(&ran.stderr).contains("line 2"),
        "{}",
        text(&ran.stderr)
    );
    let ran = weir(
        &server,
        &["import", "predictions", path, "--skip-refused", "--json"],
    );
    assert!(!ran.status.success());
    let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
    // What stood before the refused line was sent, and is known.
    assert_eq!(
        (&said["duplicate"], &said["refused"]),
        (&json!(1), &json!(2)),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_costs_no_other_one() {
    let data = directory();
    let server = Weir::start(data.path());
    server.register("1.0.0", vader()).await;
    let of = ["--name", "sentiment", "--model-version", "1.0.0"];
    let import = |path: &str, flags: &[&str], piped: &[u8]| {
        let args = [&["import", "predictions", path, "--json"], &of[..], flags].concat();
        let mut running = command(&server, &args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        running.stdin.take().unwrap().write_all(piped).unwrap();
        running.wait_with_output().unwrap()
    };
    // Too few columns, too many, and bytes that are no text: three lines of six.
    let file = data.path().join("ragged.csv");
    let csv = b"\xef\xbb\xbftext,prediction\na,x\nb\nc,x,y\n\xff,x\nd,x\n";
    std::fs::write(&file, csv).unwrap();
    let path = file.to_str().unwrap();
    let ran = import(path, &[], b"");
    let said = text(&ran.stderr);
    assert!(
        said.contains("line 3") && said.contains("1 columns, where the header has 2"),
        "{said}"
    );
    let ran = import(path, &["--skip-refused"], b"");
    let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(
        (&said["recorded"], &said["duplicate"], &said["refused"]),
        (&json!(1), &json!(1), &json!(3)),
        "{said}"
    );
    // A row that is too large for the server is refused alone, and others stay whole; a mark before the first one is none.
    let file = data.path().join("large.ndjson");
    let large = format!(
        "\u{feff}{{\"text\": \"one\", \"prediction\": \"x\"}}\n{{\"text\": \"{}\", \"prediction\": \"x\"}}\n\
         {{\"text\": \"two\", \"prediction\": \"x\"}}\n",
        "y".repeat(40 << 20)
    );
    std::fs::write(&file, large).unwrap();
    let ran = import(file.to_str().unwrap(), &["--skip-refused"], b"");
    assert_eq!(text(&ran.stderr), "");
    let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(
        (&said["recorded"], &said["errors"][0]["line"]),
        (&json!(2), &json!(2)),
        "{said}"
    );
    // Through a pipe, too; the same again is known.
    let lines = b"{\"text\": \"piped\", \"prediction\": \"x\"}\n";
    for (field, flags) in [
        ("recorded", ["--format", "ndjson"]),
        ("duplicate", ["--format", "ndjson"]),
    ] {
        let ran = import("-", &flags, lines);
        let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(said[field], json!(1), "{said}");
    }
    // Corrected and sent again, what was sent before is known, too.
    let corrected = [&lines[..], b"{\"text\": \"more\", \"prediction\": \"x\"}\n"].concat();
    let ran = import("-", &["--format", "ndjson"], &corrected);
    let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(
        (&said["recorded"], &said["duplicate"]),
        (&json!(1), &json!(1)),
        "{said}"
    );
    let ran = import("-", &[], lines);
    assert!(text(&ran.stderr).contains("--format ndjson or csv"));
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_have_names() {
    let data = directory();
    let server = Weir::start(data.path());
    server.register("1.0.0", vader()).await;
    let profiles = data.path().join("profiles.toml");
    let file = format!(
        "default = \"here\"\n[servers.here]\nurl = \"{}\"\n",
        server.url("")
    );
    std::fs::write(&profiles, file).unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(BINARY);
        command
            .args(args)
            .env("WEIR_PROFILES", &profiles)
            .env_remove("WEIR_URL");
        command.output().unwrap()
    };
    let ran = run(&["models", "list", "--json"]);
    assert!(text(&ran.stdout).contains("1.0.0"), "{}", text(&ran.stderr));
    let ran = run(&["models", "list", "--server", "here"]);
    assert!(text(&ran.stdout).contains("1.0.0"), "{}", text(&ran.stderr));
    let ran = run(&["models", "list", "--server", "there"]);
    assert!(
        text(&ran.stderr).contains("there is no server there"),
        "{}",
        text(&ran.stderr)
    );
}

#[tokio::test]
async fn what_is_imported_keeps_its_digits() {
    let data = directory();
    let server = Weir::start(data.path());
    server.register("1.0.0", vader()).await;
    let inputs = r#"{"id": 12345678901234567890123, "b": 0.10000000000000000001, "a": [1e2]}"#;
    let row = format!(
        r#"{{"name":"sentiment","model_version":"1.0.0","inputs":{inputs},"attributes":{{"n":1}},"prediction":98765432109876543210987}}"#
    );
    let lines = data.path().join("rows.ndjson");
    std::fs::write(&lines, row).unwrap();
    let csv = data.path().join("rows.csv");
    let quoted = inputs.replace('"', "\"\"");
    let table = format!(
        "name,model_version,inputs,prediction,attributes.n\nsentiment,1.0.0,\"{quoted}\",98765432109876543210987,2\n"
    );
    // A cell over several lines is one row.
    let table = format!("{table}sentiment,1.0.0,\"{{\n \"\"a\"\": 1}}\",1,3\n");
    std::fs::write(&csv, table).unwrap();
    for (file, said_of) in [
        (lines, "1 predictions recorded"),
        (csv, "2 predictions recorded"),
    ] {
        let ran = weir(&server, &["import", "predictions", file.to_str().unwrap()]);
        let said = text(&ran.stdout);
        assert!(said.contains(said_of), "{}", text(&ran.stderr));
    }
    let (_, all) = export(&server, "").await;
    assert_eq!(all.matches(inputs).count(), 2, "{all}");
    assert_eq!(all.matches("98765432109876543210987").count(), 2, "{all}");

    let labels = data.path().join("labels.csv");
    let ids: Vec<Value> = rows(&all)
        .iter()
        .map(|row| row["prediction_id"].clone())
        .collect();
    let ids: Vec<&str> = ids.iter().map(|id| id.as_str().unwrap()).collect();
    let told = format!("prediction_id,label\n{},98765432109876543210988\n", ids[0]);
    std::fs::write(&labels, told).unwrap();
    weir(&server, &["feedback", "load", labels.to_str().unwrap()]);
    let sent = [
        "feedback",
        "send",
        "--prediction",
        ids[1],
        "--label",
        "98765432109876543210987",
    ];
    let ran = weir(&server, &sent);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let (_, all) = export(&server, "").await;
    for (at, right) in [(0, 0.0), (1, 1.0)] {
        assert_eq!(rows(&all)[at]["feedback"]["correct"], right, "{all}");
    }
    assert!(all.contains("\"label\":98765432109876543210988"), "{all}");
    assert!(all.contains("\"label\":98765432109876543210987"), "{all}");
}
