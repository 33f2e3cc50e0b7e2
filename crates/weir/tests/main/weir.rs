//! A server process on a directory of its own, and calls to it.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_weir");

pub(crate) struct Weir {
    pub(crate) process: Child,
    pub(crate) address: String,
    pub(crate) http: reqwest::Client,
}

/// The status and the JSON of a reply.
pub(crate) type Reply = (u16, Value);

impl Weir {
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::spawn(serve(data_dir))
    }

    /// Starts a server by a command that ends in `weir serve`.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.as_mut().unwrap())
            .read_line(&mut address)
            .unwrap();
        assert!(
            address.starts_with("http://"),
            "the server did not start: {address:?}"
        );
        // Installed once per process; a second call says so, and that is well.
        let _ = api::Client::new("http://127.0.0.1");
        Self {
            process,
            address: address.trim().to_owned(),
            http: reqwest::Client::new(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.http.get(self.url(path))).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.http.post(self.url(path)).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(self.http.put(self.url(path)).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(self.http.patch(self.url(path)).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(self.http.delete(self.url(path))).await
    }

    /// A POST with a body of one's own.
    pub(crate) async fn raw(&self, path: &str, content_type: &str, body: Vec<u8>) -> Reply {
        let request = self
            .http
            .post(self.url(path))
            .header("content-type", content_type);
        self.send(request.body(body)).await
    }

    /// Asks until the answer fits; fails after a while.
    pub(crate) async fn until(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let asking = async {
            loop {
                let (_, found) = self.get(path).await;
                if fits(&found) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let asked = tokio::time::timeout(Duration::from_secs(60), asking).await;
        asked.unwrap_or_else(|_| panic!("{path} has not become what it should"))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }

    /// Registers a version and gives its `model_id`.
    pub(crate) async fn register(&self, version: &str, runtime: Value) -> String {
        let body =
            json!({"name": "sentiment", "version": version, "accuracy": 0.8, "runtime": runtime});
        let (status, reply) = self.post("/models", body).await;
        assert_eq!(status, 200, "{reply}");
        reply["model_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn activate(&self, id: &str, percent: f64) -> Value {
        let body = json!({"traffic_percent": percent});
        let (status, reply) = self.post(&format!("/models/{id}/activate"), body).await;
        assert_eq!(status, 200, "{reply}");
        reply
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn signal(&mut self, signal: &str) -> std::process::ExitStatus {
        let pid = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        self.process.wait().unwrap()
    }
}

impl Drop for Weir {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn serve(data_dir: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data_dir);
    command.env("WEIR_LOG", "off");
    command
}

pub(crate) fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn vader() -> Value {
    json!({"type": "sentiment", "method": "vader"})
}

pub(crate) fn afinn() -> Value {
    json!({"type": "sentiment", "method": "afinn"})
}

/// `weir verify`: whether the log agrees with its sums.
pub(crate) fn assert_clean(data_dir: &Path) {
    let output = Command::new(BINARY)
        .args(["verify", "--data-dir"])
        .arg(data_dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A command of the program that knows where a server is.
pub(crate) fn command(server: &Weir, args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .args(args)
        .env("WEIR_URL", server.url(""))
        .env("WEIR_PROFILES", "/nonexistent");
    command
}

pub(crate) fn run(server: &Weir, args: &[&str]) -> Output {
    command(server, args).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
