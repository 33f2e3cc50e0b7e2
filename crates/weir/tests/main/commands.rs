//! Commands of the program that tell a running server what to do.

use crate::weir::{Weir, afinn, directory, run, text, vader};
use serde_json::{Value, json};
use std::process::Output;

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_rules_and_aliases_are_set_by_commands() {
    let data = directory();
    let server = Weir::start(data.path());
    let one = server.register("1.0.0", vader()).await;
    let two = server.register("2.0.0", afinn()).await;
    server.activate(&one, 100.0).await;
    server.activate(&two, 0.0).await;
    let weir = |args: &str| run(&server, &args.split(' ').collect::<Vec<_>>());

    let declared = "metrics declare sentiment spent --kind continuous --direction down --per unit --window 7d \
                    --combine sum --lower-bound -1.5 --cap 100 --covariate before";
    let row = said(&weir(declared));
    assert!(
        row.contains("spent") && row.contains("7.0 days") && row.contains("from -1.5"),
        "{row}"
    );
    let (_, metric) = server.get("/metrics/sentiment/spent").await;
    assert_eq!(
        [
            &metric["per"],
            &metric["window_seconds"],
            &metric["cap"],
            &metric["direction"],
            &metric["covariate"]
        ],
        [
            &json!("unit"),
            &json!(604_800),
            &json!(100.0),
            &json!("down"),
            &json!("before")
        ],
        "{metric}"
    );
    let listed = said(&weir("metrics list sentiment"));
    assert!(
        listed.contains("confidence") && listed.contains("built in"),
        "{listed}"
    );
    said(&weir("metrics delete sentiment spent"));
    let refused = weir("metrics delete sentiment spent");
    assert!(!refused.status.success() && text(&refused.stderr).contains("spent"));

    assert!(said(&weir("rules list sentiment")).contains("weir rules set sentiment"));
    let args = [
        "rules",
        "set",
        "sentiment",
        "beta = true and plan != a -> 2.0.0",
        "country in [DE, AT, CH] -> 1.0.0",
    ];
    let rules = said(&run(&server, &args));
    assert!(
        rules.contains("country in [DE, AT, CH]") && rules.contains("2.0.0"),
        "{rules}"
    );
    let asked = json!({"text": "good", "attributes": {"beta": true, "plan": "b"}});
    let (_, reply) = server.post("/predict", asked).await;
    assert_eq!(reply["model_version"], json!("2.0.0"));
    let stale = run(
        &server,
        &[
            "rules",
            "set",
            "sentiment",
            "a = 1 -> 1.0.0",
            "--revision",
            "0",
        ],
    );
    assert!(
        text(&stale.stderr).contains("read it again"),
        "{}",
        text(&stale.stderr)
    );
    said(&weir("rules clear sentiment"));
    assert_eq!(server.get("/rules/sentiment").await.1["rules"], json!([]));

    said(&weir("aliases set sentiment champion 2.0.0"));
    assert!(said(&weir("aliases list sentiment")).contains("@champion"));
    said(&weir("aliases delete sentiment champion"));
    assert!(said(&weir("aliases list sentiment")).contains("no aliases"));

    // A version that gets copies.
    said(&weir(&format!("models deactivate {two}")));
    said(&weir(&format!(
        "models update {two} --status testing --description words --tag a=b"
    )));
    let (_, version) = server.get(&format!("/models/{two}")).await;
    assert_eq!(
        (&version["description"], &version["tags"]),
        (&json!("words"), &json!({"a": "b"}))
    );
    said(&weir(&format!("models shadow {two} 100")));
    assert!(
        said(&weir(&format!("models shadow-report {two}"))).contains("has answered no copies yet")
    );
    server.post("/predict", json!({"text": "good"})).await;
    let report = format!("models shadow-report {two}");
    while !said(&weir(&report)).contains("100.0%") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_names_the_command_and_leaves_nothing_behind() {
    let data = directory();
    let server = Weir::start(data.path());
    let one = server.register("1.0.0", vader()).await;
    server.register("2.0.0", afinn()).await;
    server.activate(&one, 100.0).await;
    let weir = |args: &str| run(&server, &args.split(' ').collect::<Vec<_>>());
    let hint = |args: &str| {
        let output = weir(args);
        assert!(!output.status.success());
        let said = text(&output.stderr);
        let hint = said.lines().find_map(|line| line.strip_prefix("hint: "));
        hint.unwrap_or_else(|| panic!("{said}")).to_owned()
    };
    assert!(hint("models show model-0123456789ab").contains("`weir models list`"));
    assert!(hint("experiment show exp-0123456789ab").contains("`weir experiment list`"));
    assert!(hint("webhooks delete hook-1").contains("`weir webhooks list`"));
    assert!(
        hint("predict good --model-version @x").contains("`weir aliases set NAME ALIAS VERSION`")
    );
    let refused =
        "rollout start --name sentiment --control 1.0.0 --candidate 2.0.0 --primary nothing";
    assert!(hint(refused).contains("`weir metrics declare NAME METRIC --kind KIND`"));

    // What was refused is in no list and in no audit.
    assert!(said(&weir("experiment list")).contains("no such experiments"));
    let (_, audit) = server.get("/audit?limit=100").await;
    let written = |audit: &Value| audit["entries"].as_array().unwrap().len();
    let before = written(&audit);
    weir("rollout start --name sentiment --control 9 --candidate 2.0.0");
    assert_eq!(written(&server.get("/audit?limit=100").await.1), before);

    // A draft is tried before it is started.
    let draft = json!({"name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "error",
        "title": "words"});
    let file = data.path().join("draft.json");
    std::fs::write(&file, draft.to_string()).unwrap();
    said(&weir(&format!("experiment create {}", file.display())));
    let tried = said(&weir("experiment start sentiment --dry-run"));
    assert!(
        tried.starts_with("Dry run") && tried.contains("before: 1.0.0 100 %"),
        "{tried}"
    );
    let list = said(&weir("experiment list"));
    assert!(list.contains("draft") && list.contains("words"), "{list}");
    said(&weir("experiment start sentiment"));
    let list = said(&weir("experiment list --status running"));
    assert!(list.contains("1.0.0 50%, 2.0.0 50%"), "{list}");
    let results = said(&weir("experiment results sentiment"));
    assert!(
        results.contains("always-valid interval") && results.contains("too_little"),
        "{results}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_have_names_times_have_units_and_labels_that_never_match_are_counted() {
    let data = directory();
    let server = Weir::start(data.path());
    server.register("1.0.0", vader()).await;
    let two = server.register("2.0.0", afinn()).await;
    let weir = |args: &str| run(&server, &args.split(' ').collect::<Vec<_>>());
    let refused = |args: &str| {
        let output = weir(args);
        assert!(!output.status.success(), "{args}");
        text(&output.stderr)
    };

    said(&weir("models activate sentiment@1.0.0 100"));
    let shown = said(&weir("models show sentiment@2.0.0"));
    assert!(shown.contains(&two), "{shown}");
    assert!(refused("models delete sentiment@3").contains("sentiment has no version 3"));
    assert!(refused("models delete other@1.0.0").contains("no model other"));

    said(&weir(
        "rollout start --name sentiment --control 1.0.0 --candidate 2.0.0 --steps 10,100 --soak 10m,90",
    ));
    let (_, started) = server.get("/experiments").await;
    let soak = &started[0]["rollout"]["soak_seconds"];
    assert_eq!(soak, &json!([600, 90]), "{started}");
    assert!(
        refused("rollout start --name sentiment --control 1.0.0 --candidate 2.0.0 --soak soon")
            .contains("600, 10m or 4h")
    );

    let (_, reply) = server.post("/predict", json!({"text": "good"})).await;
    let rows = data.path().join("labels.ndjson");
    let row = json!({"prediction_id": reply["prediction_id"], "label": 1});
    std::fs::write(&rows, row.to_string()).unwrap();
    let loaded = said(&weir(&format!("feedback load {}", rows.display())));
    assert!(
        loaded.contains("can never equal the prediction: 1;"),
        "{loaded}"
    );
}
