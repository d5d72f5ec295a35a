//! The file, its schema, and the ways to it: a queue of writes and a connection for reads.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use futures_util::future::BoxFuture;
use sqlx::{
    ConnectOptions, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tandem_api_contract::Error;
use tokio::sync::{mpsc, oneshot};

use super::{guard::Guard, writer};

/// Writes that may wait; whoever comes then waits to be let into the queue.
const QUEUE: usize = 1_024;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS state (
    store TEXT NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL, version INTEGER NOT NULL,
    first_write INTEGER NOT NULL, expires INTEGER, PRIMARY KEY (store, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS state_expires ON state (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS lock (
    store TEXT NOT NULL, key TEXT NOT NULL, owner TEXT NOT NULL, expires INTEGER NOT NULL,
    PRIMARY KEY (store, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lock_expires ON lock (expires);
CREATE TABLE IF NOT EXISTS sequence (
    store TEXT NOT NULL, key TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (store, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, store TEXT NOT NULL, topic TEXT NOT NULL,
    data BLOB NOT NULL, metadata TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS event_topic ON event (store, topic, id);
CREATE TABLE IF NOT EXISTS consumer (
    id INTEGER PRIMARY KEY, store TEXT NOT NULL, topic TEXT NOT NULL, name TEXT NOT NULL,
    UNIQUE (store, topic, name)
);
CREATE TABLE IF NOT EXISTS delivery (
    consumer INTEGER NOT NULL, event INTEGER NOT NULL, PRIMARY KEY (consumer, event)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_event ON delivery (event);
";

/// An open data directory.
pub(crate) struct Database {
    /// `None` only while it is being dropped.
    writes: Option<mpsc::Sender<writer::Job>>,
    reads: tokio::sync::Mutex<SqliteConnection>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Database {
    /// Takes the directory and opens the file in it.
    ///
    /// # Errors
    /// If another process has the directory, or the file cannot be opened.
    pub(crate) fn open(directory: &Path) -> Result<Arc<Self>, Error> {
        let guard = Guard::take(directory)?;
        let file = directory.join("tandem.db");
        let (writes, jobs) = mpsc::channel(QUEUE);
        let (opened, answer) = std::sync::mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("embedded-store".into())
            .spawn(move || {
                // Dropped last: the directory is free only when the file is closed.
                let _guard = guard;
                let runtime = match tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                {
                    Ok(runtime) => runtime,
                    Err(error) => {
                        let error = Error::internal(format!("cannot start a runtime: {error}"));
                        let _ = opened.send(Err(error));
                        return;
                    }
                };
                runtime.block_on(async move {
                    match connect(file).await {
                        Err(error) => {
                            let _ = opened.send(Err(error));
                        }
                        Ok((write, read)) => {
                            let _ = opened.send(Ok(read));
                            writer::run(write, jobs).await;
                        }
                    }
                });
            })
            .map_err(|error| Error::internal(format!("cannot start a thread: {error}")))?;
        let read = answer
            .recv()
            .map_err(|_| Error::internal("the embedded store's thread ended before it began"))??;
        Ok(Arc::new(Self {
            writes: Some(writes),
            reads: tokio::sync::Mutex::new(read),
            thread: Mutex::new(Some(thread)),
        }))
    }

    /// Runs `job` in a transaction that it may share with other jobs, and answers when that is
    /// committed. A job that fails must have undone what it did.
    pub(super) async fn write<T, F>(&self, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, Error>>
            + Send
            + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: writer::Job = Box::new(move |connection| {
            Box::pin(async move {
                let result = job(connection).await;
                let reply: writer::Reply = Box::new(move |committed: Result<(), Error>| {
                    let _ = answer.send(committed.and(result));
                });
                reply
            })
        });
        let gone = || {
            Error::unavailable(
                "the embedded store takes no writes: it is closing, or its log says why",
            )
        };
        let writes = self.writes.as_ref().ok_or_else(gone)?;
        writes.send(job).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// The connection for reads, when it is free.
    pub(super) async fn reader(&self) -> tokio::sync::MutexGuard<'_, SqliteConnection> {
        self.reads.lock().await
    }
}

impl Drop for Database {
    /// Waits until what is queued is written and the directory is free.
    fn drop(&mut self) {
        self.writes = None;
        let thread = self
            .thread
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// A connection for writes, with the schema in place, and one for reads.
async fn connect(file: PathBuf) -> Result<(SqliteConnection, SqliteConnection), Error> {
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging();
    let failed = |error: sqlx::Error| {
        Error::internal(format!(
            "cannot open the embedded store '{}': {error}",
            file.display()
        ))
    };
    let mut write = options.clone().connect().await.map_err(failed)?;
    sqlx::raw_sql(SCHEMA)
        .execute(&mut write)
        .await
        .map_err(failed)?;
    let read = options
        .pragma("query_only", "ON")
        .connect()
        .await
        .map_err(failed)?;
    Ok((write, read))
}

/// What SQLite refused.
pub(super) fn refused(error: sqlx::Error) -> Error {
    Error::internal(format!("the embedded store refused: {error}"))
}
