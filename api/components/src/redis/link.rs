//! A worker's connection to the server: made when first used, made again when lost.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use redis::{Cmd, RedisError, RedisResult, ScriptInvocation, Value};
use tandem_api_contract::{Error, backoff::Backoff};
use tokio::{sync::Mutex, time::Instant};

use super::server::{Connection, Server};

/// Calls in flight share the connection. While it stands, a call takes no lock.
pub(super) struct Link {
    server: Arc<Server>,
    connection: ArcSwapOption<Connection>,
    /// Locked only to connect.
    connecting: Mutex<Attempts>,
}

/// What became of the last attempts to connect.
struct Attempts {
    backoff: Backoff,
    /// Until then calls fail at once, for the reason given.
    refused: Option<(Instant, Error)>,
}

impl Link {
    pub(super) fn new(server: Arc<Server>) -> Self {
        let attempts = Attempts {
            backoff: server.backoff(),
            refused: None,
        };
        Self {
            server,
            connection: ArcSwapOption::empty(),
            connecting: Mutex::new(attempts),
        }
    }

    pub(super) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Sends a command once: it may have effects.
    pub(super) async fn tell(&self, command: &Cmd) -> Result<Value, Error> {
        self.send(command)
            .await
            .map_err(|error| self.explain(&error))
    }

    /// Sends a command that only reads: if the connection breaks, again on a new one.
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, Error> {
        self.ask_raw(command)
            .await
            .map_err(|error| self.explain(&error))
    }

    /// As [`ask`](Self::ask), with the server's own error.
    pub(super) async fn ask_raw(&self, command: &Cmd) -> Result<Value, Failure> {
        let mut retries = self.server.retries();
        loop {
            match self.send(command).await {
                Err(failure) if failure.may_pass(&mut retries) => {}
                done => return done,
            }
        }
    }

    /// Runs a script once.
    pub(super) async fn run<T: redis::FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Error> {
        let done = self.invoke(script).await;
        done.map_err(|error| self.explain(&error))
    }

    /// Runs a script that only reads: if the connection breaks, again on a new one.
    pub(super) async fn ask_script(&self, script: &ScriptInvocation<'_>) -> Result<Value, Error> {
        let mut retries = self.server.retries();
        loop {
            match self.invoke(script).await {
                Err(failure) if failure.may_pass(&mut retries) => {}
                done => return done.map_err(|error| self.explain(&error)),
            }
        }
    }

    async fn invoke<T: redis::FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Failure> {
        let connection = self.connection().await?;
        let done = script.invoke_async(&mut connection.pipeline.clone()).await;
        self.check(&connection, done)
    }

    async fn send(&self, command: &Cmd) -> Result<Value, Failure> {
        let connection = self.connection().await?;
        let done = connection
            .pipeline
            .clone()
            .send_packed_command(command)
            .await;
        // An error of the server arrives as a value.
        let done = done.and_then(Value::extract_error);
        self.check(&connection, done)
    }

    async fn connection(&self) -> Result<Arc<Connection>, Error> {
        match self.standing() {
            Some(connection) => Ok(connection),
            None => self.connect().await,
        }
    }

    fn standing(&self) -> Option<Arc<Connection>> {
        let connection = self.connection.load();
        connection
            .as_ref()
            .filter(|connection| !connection.is_closed())
            .cloned()
    }

    async fn connect(&self) -> Result<Arc<Connection>, Error> {
        let mut attempts = self.connecting.lock().await;
        // Somebody else may have connected, or failed to, while we waited.
        if let Some(connection) = self.standing() {
            return Ok(connection);
        }
        if let Some((until, error)) = &attempts.refused
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        match self.server.connect().await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                attempts.backoff.reset();
                attempts.refused = None;
                self.connection.store(Some(connection.clone()));
                Ok(connection)
            }
            Err(error) => {
                let error = self.server.unavailable(&reason(&error));
                let until = Instant::now() + attempts.backoff.next_delay();
                attempts.refused = Some((until, error.clone()));
                Err(error)
            }
        }
    }

    /// Lets go of a connection that broke.
    fn check<T>(&self, used: &Arc<Connection>, done: RedisResult<T>) -> Result<T, Failure> {
        if let Err(error) = &done
            && is_lost(error)
        {
            let current = self.connection.load();
            if current
                .as_ref()
                .is_some_and(|current| Arc::ptr_eq(current, used))
            {
                self.connection.compare_and_swap(&current, None);
            }
        }
        done.map_err(Failure::Redis)
    }

    pub(super) fn explain(&self, failure: &Failure) -> Error {
        match failure {
            Failure::Connect(error) => error.clone(),
            Failure::Redis(error) if is_lost(error) => self.server.unavailable(&reason(error)),
            Failure::Redis(error) if is_passing(error) => {
                self.server.unavailable(&error.to_string())
            }
            Failure::Redis(error) => self.server.refused(&error.to_string()),
        }
    }
}

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no connection.
    Connect(Error),
    /// What the client or the server said.
    Redis(RedisError),
}

impl Failure {
    /// Whether a read that met this is worth another of the `retries`, which it takes.
    fn may_pass(&self, retries: &mut u32) -> bool {
        match self {
            Self::Redis(error) if *retries > 0 && is_lost(error) && !error.is_timeout() => {
                *retries -= 1;
                true
            }
            Self::Redis(_) | Self::Connect(_) => false,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Connect(error)
    }
}

fn is_lost(error: &RedisError) -> bool {
    error.is_io_error() || error.is_timeout() || error.is_connection_dropped()
}

/// Whether the server says that it cannot answer just now.
fn is_passing(error: &RedisError) -> bool {
    matches!(
        error.code(),
        Some("LOADING" | "BUSY" | "MASTERDOWN" | "TRYAGAIN" | "READONLY")
    )
}

fn reason(error: &RedisError) -> String {
    if error.is_timeout() {
        String::from("no answer in time")
    } else {
        error.to_string()
    }
}
