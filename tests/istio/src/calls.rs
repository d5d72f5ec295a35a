//! What an application does: connections of its own, which it believes go where it asked.

use std::io::{Error, Result};
use std::time::Duration;

use tandem_harness::client::{self, Response, h1};
use tokio::time::timeout;

use crate::network::Machine;

const PATIENCE: Duration = Duration::from_secs(30);

/// A GET.
#[derive(Clone, Debug, Default)]
pub struct Request {
    host: String,
    path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// Of this path from this host.
    pub fn to(host: &str, path: &str) -> Self {
        Self {
            host: host.into(),
            path: path.into(),
            headers: Vec::new(),
        }
    }

    /// With a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn encode(&self) -> Vec<u8> {
        h1::encode(&client::Request {
            method: "GET".into(),
            path: self.path.clone(),
            authority: self.host.clone(),
            headers: self.headers.clone(),
            ..client::Request::default()
        })
    }
}

/// A connection that stays open between requests.
pub struct Connection(h1::Connection);

impl Connection {
    /// Opens one from a machine.
    ///
    /// # Errors
    /// As `connect`.
    pub fn open(from: &Machine, to: &str) -> Result<Self> {
        Ok(Self(h1::Connection::over(from.connect(to)?)))
    }

    /// One request and its answer.
    ///
    /// # Errors
    /// When the answer did not come, or not whole.
    pub async fn call(&mut self, request: &Request) -> Result<Response> {
        self.0.send(&request.encode()).await?;
        let answer = timeout(PATIENCE, self.0.response("GET")).await?;
        let answer = answer.map_err(|ended| Error::other(ended.to_string()))?;
        match &*answer.end {
            "complete" => Ok(answer),
            end => Err(Error::other(end.to_owned())),
        }
    }
}

/// One request on a connection of its own.
///
/// # Errors
/// When there was no connection, or no whole answer.
pub async fn call(from: &Machine, to: &str, request: &Request) -> Result<Response> {
    Connection::open(from, to)?.call(request).await
}

/// The status, or `none`: what checks compare.
pub async fn status(from: &Machine, to: &str, request: &Request) -> String {
    let answer = call(from, to, request).await;
    answer.map_or_else(|_| "none".into(), |answer| answer.status.to_string())
}

/// Sends a line and reads what comes back, up to the end of the line.
pub async fn line(from: &Machine, to: &str, said: &str) -> Result<String> {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::io::BufReader::new(from.connect(to)?);
    stream.write_all(format!("{said}\n").as_bytes()).await?;
    let mut heard = String::new();
    timeout(PATIENCE, stream.read_line(&mut heard)).await??;
    Ok(heard.trim_end().to_owned())
}
