//! Where the examples of commands find what they name: `tandem` and `envoy`, `bootstrap.yaml`,
//! `components`, an application `./orders`, and the default ports.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use tandem_harness::netns::Namespace;
use tandem_harness::{Kind as Binary, Process, wait};
use tempfile::TempDir;

use super::blocks::Block;

/// What the application answers, and its exit code when it is asked to end.
const ORDERS: (&str, i32) = ("these are the orders", 7);

const APPLICATION: &str = r#"#!/usr/bin/env python3
import http.server, os, signal

class Orders(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ANSWER")

signal.signal(signal.SIGTERM, lambda *_: os._exit(CODE))
http.server.HTTPServer(("127.0.0.1", 8080), Orders).serve_forever()
"#;

/// A folder and a network.
pub struct World {
    namespace: Namespace,
    folder: TempDir,
    /// What the components name.
    _redis: Process,
}

impl World {
    /// `None`, loudly, where there can be no network of its own.
    pub fn new(bootstrap: &str, components: &[Block]) -> Option<Self> {
        let namespace = match Namespace::new() {
            Ok(namespace) => namespace,
            Err(why) => {
                eprintln!("NOT TESTED: the documentation's commands: {why}");
                return None;
            }
        };
        // The runtime API's default port is one of those that outgoing connections are given.
        let reserved = namespace.sh("echo 34904 > /proc/sys/net/ipv4/ip_local_reserved_ports");
        if let Err(why) = reserved {
            eprintln!("port 34904 may be taken now and then: {why}");
        }
        let folder = TempDir::new().unwrap();
        let within = |name: &str| folder.path().join(name);
        std::fs::write(within("bootstrap.yaml"), bootstrap).unwrap();
        for name in ["components", "bin", "redis"] {
            std::fs::create_dir(within(name)).unwrap();
        }
        for (number, block) in components.iter().enumerate() {
            std::fs::write(within(&format!("components/{number}.yaml")), &block.text).unwrap();
        }
        let binary = std::path::absolute(Binary::Tandem.binary()).unwrap();
        for name in ["bin/tandem", "bin/envoy"] {
            symlink(&binary, within(name)).unwrap();
        }
        let application = APPLICATION
            .replace("ANSWER", ORDERS.0)
            .replace("CODE", &ORDERS.1.to_string());
        std::fs::write(within("orders"), application).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(within("orders"), executable).unwrap();
        let mut redis = namespace.command("redis-server");
        redis.args(["--bind", "127.0.0.1", "--save", "", "--dir"]);
        let redis = Process::spawn("redis-server", redis.arg(within("redis")));
        Some(Self {
            namespace,
            folder,
            _redis: redis,
        })
    }

    fn shell(&self, line: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.folder.path().join("bin");
        let mut command = self.namespace.command("sh");
        command
            .args(["-c", line])
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", bin.display()));
        command
    }

    /// A `tandem run` with nothing but defaults, which answers on all its ports.
    pub async fn sidecar(&self) -> Process {
        let mut command = self.shell("exec tandem run --app-id orders");
        let mut process = Process::spawn("tandem run", &mut command);
        self.until_up(
            "tandem run",
            &mut process,
            "curl -sf http://127.0.0.1:15000/ready",
        )
        .await;
        process
    }

    /// Runs a line that ends by itself, with one of these codes.
    pub fn ends(&self, place: &str, line: &str, codes: &[i32]) {
        let output = self.shell(line).output().unwrap();
        let code = output.status.code();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(
            code.is_some_and(|code| codes.contains(&code)),
            "{place}: {}\n{said}",
            output.status
        );
    }

    /// Runs a line that serves until SIGTERM; its end is the application's, if it starts one.
    pub async fn serves(&self, place: &str, line: &str) {
        let mut command = self.shell(&format!("exec {line}"));
        let mut process = Process::spawn(place, &mut command);
        let starts_orders = line.ends_with(" -- ./orders");
        let question = match starts_orders {
            true => "curl -sf -H 'host: orders' http://127.0.0.1:15001/",
            false => "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:15001/",
        };
        let answer = self.until_up(place, &mut process, question).await;
        if starts_orders {
            assert_eq!(answer, ORDERS.0, "{place}");
        }
        if line.contains(" --resources-path ") {
            process.wait_for_output("component ready").await;
        }
        process.signal("TERM");
        let status = process.wait(wait::PATIENCE).await;
        let expected = if starts_orders { ORDERS.1 } else { 0 };
        assert_eq!(
            status.and_then(|status| status.code()),
            Some(expected),
            "{place}:\n{}",
            process.output()
        );
    }

    /// Waits until a process answers a question, and returns the answer.
    async fn until_up(&self, place: &str, process: &mut Process, question: &str) -> String {
        let mut answer = Err(String::new());
        let asked = || {
            answer = self.namespace.sh(question);
            answer.is_ok() || process.exited().is_some()
        };
        wait::until(wait::PATIENCE, asked).await;
        answer.unwrap_or_else(|why| panic!("{place}: {why}\n{}", process.output()))
    }
}
