//! The one writer: takes what is queued, runs it in one transaction, syncs once, answers all.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use tandem_api_contract::Error;
use tokio::{sync::mpsc, time::Instant};

use super::{database::refused, now};

/// Called once the fate of the transaction is known.
pub(super) type Reply = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// One write.
pub(super) type Job =
    Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Reply> + Send>;

/// How many writes share a commit at most.
const BATCH: usize = 256;

/// How often what has expired is removed.
const SWEEP: Duration = Duration::from_secs(60);

/// Writes until nobody can send any more.
pub(super) async fn run(mut connection: SqliteConnection, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut swept = Instant::now();
    loop {
        match tokio::time::timeout_at(swept + SWEEP, jobs.recv_many(&mut batch, BATCH)).await {
            Ok(0) => break,
            Ok(_) => commit(&mut connection, &mut batch).await,
            Err(_) => {
                swept = Instant::now();
                if let Err(error) = sweep(&mut connection).await {
                    tracing::warn!(%error, "could not remove what has expired");
                }
            }
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "could not close the embedded store");
    }
}

async fn commit(connection: &mut SqliteConnection, batch: &mut Vec<Job>) {
    let mut replies = Vec::with_capacity(batch.len());
    let begun = sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut *connection)
        .await;
    if let Err(error) = begun {
        // Nobody has the job's answer, so dropping it tells its caller; say why here.
        tracing::error!(%error, "the embedded store cannot write");
        batch.clear();
        return;
    }
    for job in batch.drain(..) {
        replies.push(job(connection).await);
    }
    let committed = sqlx::query("COMMIT").execute(&mut *connection).await;
    if committed.is_err() {
        let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
    }
    let committed = committed.map(drop).map_err(refused);
    for reply in replies {
        reply(committed.clone());
    }
}

async fn sweep(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    for statement in [
        "DELETE FROM state WHERE expires IS NOT NULL AND expires <= ?",
        "DELETE FROM lock WHERE expires <= ?",
    ] {
        sqlx::query(statement)
            .bind(now())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
