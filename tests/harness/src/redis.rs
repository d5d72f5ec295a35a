//! A real Redis that can be stopped, restarted and paused.

use std::process::Command;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::Process;
use crate::{ports, wait};

/// `redis-server` on a free port, with its data in a folder that goes with the guard.
pub struct Redis {
    port: u16,
    folder: TempDir,
    process: Option<Process>,
}

impl Redis {
    /// Starts it and waits until it answers PING.
    pub async fn start() -> Self {
        let mut redis = Self {
            port: ports::free(),
            folder: TempDir::new().unwrap(),
            process: None,
        };
        redis.restart().await;
        redis
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it; the port refuses connections from now on.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same port with the same (append-only, always synced) data.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn restart(&mut self) {
        self.stop();
        let mut command = Command::new("redis-server");
        command
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(self.folder.path());
        let process = Process::spawn("redis-server", &mut command);
        let ready = wait::until_async(wait::PATIENCE, || async {
            self.command(&["PING"])
                .await
                .is_ok_and(|reply| reply.starts_with("+PONG"))
        });
        assert!(
            ready.await,
            "redis-server did not answer:\n{}",
            process.output()
        );
        self.process = Some(process);
    }

    /// Stops it from answering while its connections stay open (SIGSTOP).
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Ends a [`Redis::pause`].
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Sends one command and returns the reply as Redis wrote it.
    ///
    /// # Errors
    /// When the connection is refused or breaks.
    pub async fn command(&self, words: &[&str]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        // QUIT makes Redis close, so that the end of the reply is the end of the stream.
        request.push_str("*1\r\n$4\r\nQUIT\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await?;
        let reply = String::from_utf8_lossy(&reply).into_owned();
        Ok(reply
            .strip_suffix("+OK\r\n")
            .map_or(reply.clone(), str::to_owned))
    }

    fn signal(&self, signal: &str) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }
}
