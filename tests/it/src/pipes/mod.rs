//! Unix sockets on both sides, beside Envoy: what is answered, and how addresses are written.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tandem_harness::certs::Authority;
use tandem_harness::{Kind, Proxy, ports, wait};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

const BOOTSTRAP: &str = include_str!("bootstrap.yaml");

/// A request's path and whether it says to come from elsewhere.
const REQUESTS: [(&str, bool); 5] = [
    ("/", false),
    ("/", true),
    ("/h2", false),
    ("/h2", true),
    ("/none", false),
];

/// What one proxy does: answers, lines of the log, the mode of the listener's file.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    answers: Vec<String>,
    log: Vec<String>,
    mode: u32,
}

/// HTTP/1.1, TLS with HTTP/2, and bytes alone pass over Unix sockets, with a path or an abstract
/// name, as through Envoy; logs and headers say the same.
#[tokio::test]
async fn unix_sockets_on_both_sides() {
    let envoy = seen(Kind::Envoy).await;
    let tandem = seen(Kind::Tandem).await;
    assert_eq!(envoy.mode, 0o600);
    assert_eq!(tandem, envoy);
}

async fn seen(kind: Kind) -> Seen {
    let folder = TempDir::new().unwrap();
    let issued = Authority::new();
    let leaf = issued.issue(&["back.test"]);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("ca.pem", &issued.pem);
    write("chain.pem", &leaf.chain);
    write("key.pem", &leaf.key);
    let path = folder.path().to_str().unwrap().to_owned();
    // What an earlier process left.
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("front.sock")).unwrap());
    let admin = ports::free();
    let bootstrap = BOOTSTRAP.replace("FOLDER", &path);
    let bootstrap = bootstrap.replace("ADMIN", &admin.to_string());
    let proxy = Proxy::start(kind, &bootstrap, admin).await.unwrap();
    let mut answers = Vec::new();
    for (target, foreign) in REQUESTS {
        answers.push(ask(folder.path(), target, foreign).await);
    }
    // Each request has a line of the TCP proxy and one of each HTTP listener that it reached.
    let log = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    wait::until(wait::PATIENCE, || log().lines().count() >= 14).await;
    let mut lines: Vec<_> = log().lines().map(|line| line.replace(&path, "")).collect();
    lines.sort();
    let file = std::fs::metadata(folder.path().join("front.sock")).unwrap();
    drop(proxy);
    Seen {
        answers,
        log: lines,
        mode: file.permissions().mode() & 0o777,
    }
}

/// Status, what the last hop saw, and the body.
async fn ask(folder: &Path, target: &str, foreign: bool) -> String {
    let mut stream = UnixStream::connect(folder.join("bytes.sock"))
        .await
        .unwrap();
    let from = match foreign {
        true => "x-forwarded-for: 10.1.2.3\r\nx-envoy-max-retries: 2\r\n",
        false => "",
    };
    let head = format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{from}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let kept =
        |line: &&str| line.starts_with("HTTP/") || line.starts_with("x-saw") || !line.contains(':');
    answer.lines().filter(kept).collect::<Vec<_>>().join("\n")
}
