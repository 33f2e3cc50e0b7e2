//! Connections: encrypted, idle, slow, and named by a name.

use crate::weir::{BINARY, Weir, directory, serve, vader};
use rcgen::{CertificateParams, KeyPair, generate_simple_self_signed};
use serde_json::json;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Writes a certificate for this machine, and gives it as PEM.
fn certificate(folder: &Path) -> String {
    let made = generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.pem()
}

fn client(certificate: &str) -> reqwest::Client {
    let trusted = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    reqwest::Client::builder()
        .tls_certs_only([trusted])
        .pool_max_idle_per_host(0)
        .build()
        .unwrap()
}

#[tokio::test]
async fn connections_are_encrypted_and_a_new_certificate_is_taken_while_it_runs() {
    let (data, files) = (directory(), directory());
    let first = certificate(files.path());
    let mut command = serve(data.path());
    command
        .arg("--tls-certificate")
        .arg(files.path().join("cert.pem"));
    command.arg("--tls-key").arg(files.path().join("key.pem"));
    let log = files.path().join("log");
    command.env("WEIR_LOG", "info");
    command.stderr(std::fs::File::create(&log).unwrap());
    let mut process = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let logged = async |wanted: &str| {
        let began = Instant::now();
        while !std::fs::read_to_string(&log).unwrap().contains(wanted) {
            // No file is looked at by itself for longer than this.
            assert!(
                began.elapsed() < Duration::from_secs(8),
                "{wanted} is not logged"
            );
            tokio::task::yield_now().await;
        }
    };
    let mut address = String::new();
    let mut stdout = std::io::BufReader::new(process.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut address).unwrap();
    let address = address.trim().to_owned();
    assert!(address.starts_with("https://127.0.0.1:"), "{address}");
    // A provider is there for the client of this test.
    let _ = api::Client::new("http://127.0.0.1");
    let get = async |certificate: &str| {
        let asked = client(certificate)
            .get(format!("{address}/health"))
            .send()
            .await;
        asked.map(|reply| reply.status().as_u16())
    };
    assert_eq!(get(&first).await.unwrap(), 200);
    // Who does not speak TLS gets nothing, and harms nobody.
    let plain = address.trim_start_matches("https://");
    let mut stream = TcpStream::connect(plain).unwrap();
    stream
        .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP/1.1 200"), "{said:?}");
    // Files that do not belong together leave what was read before.
    let hangup = || {
        let pid = process.id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args(["-HUP", &pid])
                .status()
                .unwrap()
                .success()
        );
    };
    std::fs::write(
        files.path().join("key.pem"),
        KeyPair::generate().unwrap().serialize_pem(),
    )
    .unwrap();
    hangup();
    logged("the one before stays").await;
    assert_eq!(get(&first).await.unwrap(), 200);
    let second = certificate(files.path());
    hangup();
    logged("was read again").await;
    assert_eq!(get(&second).await.unwrap(), 200);
    assert!(get(&first).await.is_err());
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn certificates_that_cannot_be_used_are_said_at_the_start() {
    let (data, files) = (directory(), directory());
    certificate(files.path());
    let (cert, key, none) = (
        files.path().join("cert.pem"),
        files.path().join("key.pem"),
        files.path().join("none.pem"),
    );
    let other = files.path().join("other.pem");
    std::fs::write(&other, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let empty = files.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let _ = CertificateParams::default();
    for (cert, key, says) in [
        (&none, &key, "none.pem"),
        (&cert, &none, "none.pem"),
        (&cert, &other, "does not fit the certificate"),
        (&empty, &key, "no certificate is in it"),
        (&cert, &empty, "empty.pem"),
    ] {
        let mut command = serve(data.path());
        command
            .arg("--tls-certificate")
            .arg(cert)
            .arg("--tls-key")
            .arg(key);
        let refused = command.output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(
            !refused.status.success() && said.contains(says),
            "{says}: {said}"
        );
    }
    let mut command = serve(data.path());
    let refused = command
        .arg("--tls-certificate")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(!refused.status.success());
}

/// A connection to a server whose limits of time are short.
fn connect(weir: &Weir) -> TcpStream {
    let stream = TcpStream::connect(weir.address.trim_start_matches("http://")).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_kept_longer_than_a_slow_head_is_waited_for() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--header-timeout-ms", "200", "--idle-timeout-ms", "60000"]);
    let weir = Weir::spawn(command);
    let whole = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut idle = connect(&weir);
    idle.write_all(whole).unwrap();
    let mut reply = [0; 1024];
    let length = idle.read(&mut reply).unwrap();
    let said = String::from_utf8_lossy(&reply[..length]).into_owned();
    assert!(
        said.starts_with("HTTP/1.1 200") && said.contains("keep-alive: timeout=60"),
        "{said}"
    );
    // One that says nothing from the beginning, and one whose head does not end, are ended.
    for begun in [&b""[..], b"GET /health HTTP/1.1\r\nhost: loc"] {
        let mut slow = connect(&weir);
        slow.write_all(begun).unwrap();
        let mut rest = Vec::new();
        match slow.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    // That took longer than a head may, and the idle one is still there.
    idle.write_all(whole).unwrap();
    assert!(idle.read(&mut reply).unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_loses_his_connection() {
    let data = directory();
    let mut command = serve(data.path());
    command.args(["--write-timeout-ms", "1000"]);
    let weir = Weir::spawn(command);
    let one = weir.register("1", vader()).await;
    weir.activate(&one, 100.0).await;
    let text = "good ".repeat(100_000);
    for _ in 0..30 {
        assert_eq!(weir.post("/predict", json!({"text": text})).await.0, 200);
    }
    // Of those who ask nothing is kept, so that what is counted is the one who does not read, and who asks.
    let once = reqwest::Client::builder().pool_max_idle_per_host(0);
    let once = once.build().unwrap();
    let connections = async || {
        let metrics = once.get(weir.url("/metrics")).send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let mut lines = metrics.lines();
        let line = lines.find(|line| line.starts_with("weir_connections "));
        line.unwrap()
            .rsplit(' ')
            .next()
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    let kept = connections().await - 1.0;
    let mut stream = connect(&weir);
    // More waits to be read than any system keeps for him; meanwhile the server gives up.
    for _ in 0..40 {
        stream
            .write_all(b"GET /predictions?limit=1000 HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .unwrap();
    }
    let began = Instant::now();
    while connections().await < kept + 2.0 {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "the connection never came"
        );
    }
    while connections().await > kept + 1.0 {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "the connection is still there"
        );
        tokio::task::yield_now().await;
    }
}

#[test]
fn signals_that_mean_nothing_end_nothing_and_names_are_addresses() {
    let data = directory();
    let mut command = std::process::Command::new(BINARY);
    command
        .args(["serve", "--listen", "localhost:0", "--data-dir"])
        .arg(data.path());
    let mut weir = Weir::spawn(command);
    assert!(
        weir.address.starts_with("http://127.0.0.1:"),
        "{}",
        weir.address
    );
    let pid = weir.process.id().to_string();
    for signal in ["-HUP", "-USR1"] {
        assert!(
            std::process::Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
    let mut stream = connect(&weir);
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.contains("200"), "{said}");
    assert!(weir.process.try_wait().unwrap().is_none());
    let mut command = std::process::Command::new(BINARY);
    let refused = command
        .args(["serve", "--listen", "localhost"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("localhost:8000"),
        "{said}"
    );
}
