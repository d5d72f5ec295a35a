//! Many writes in few statements: each statement is a way to another thread and back, and everybody
//! else's writes wait until the last.

use std::fmt::Write as _;
use std::sync::LazyLock;

use sqlx::SqliteConnection;
use tandem_api_contract::Error;
use tandem_api_contract::state::{Set, Ttl, condition::Condition};

use super::database::refused;
use super::now;
use super::state::{command, write};

/// Writes in one statement.
const ROWS: usize = 64;

/// Writes plain values: their keys must not be under the first-write regime, and keep their expiry.
/// What has expired is written as if it were not there.
static STATEMENT: LazyLock<String> = LazyLock::new(|| {
    let mut sql =
        String::from("INSERT INTO state (store, key, data, version, first_write, expires) VALUES ");
    for row in 0..ROWS {
        let comma = if row == 0 { "" } else { ", " };
        let (key, data) = (3 + 2 * row, 4 + 2 * row);
        let _ = write!(sql, "{comma}(?1, ?{key}, ?{data}, ?2, 0, NULL)");
    }
    sql.push_str(
        " ON CONFLICT (store, key) DO UPDATE SET data = excluded.data, \
         version = CASE WHEN state.expires <= ?2 THEN ?2 ELSE state.version + 1 END, \
         first_write = 0, \
         expires = CASE WHEN state.expires <= ?2 THEN NULL ELSE state.expires END \
         WHERE state.first_write = 0 OR state.expires <= ?2",
    );
    sql
});

/// Writes in order, up to the first error; what was written before it stays.
pub(super) async fn write_all(
    connection: &mut SqliteConnection,
    store: &str,
    mut sets: Vec<Set>,
) -> Result<(), Error> {
    while !sets.is_empty() {
        let rest = sets.split_off(sets.len().min(ROWS));
        let step = std::mem::replace(&mut sets, rest);
        if step.len() == ROWS
            && step.iter().all(is_plain)
            && write_at_once(connection, store, &step).await?
        {
            continue;
        }
        for set in step {
            write(connection, store, set).await?;
        }
    }
    Ok(())
}

/// Whether the statement does with it what [`write`] does.
fn is_plain(set: &Set) -> bool {
    let condition = Condition::of_set(set.etag.as_deref(), set.concurrency);
    set.ttl == Ttl::Unchanged && matches!(condition, Ok(Condition::NotFirstWrite))
}

/// Whether all may be written, and are; else nothing is.
async fn write_at_once(
    connection: &mut SqliteConnection,
    store: &str,
    sets: &[Set],
) -> Result<bool, Error> {
    command(connection, "SAVEPOINT many").await?;
    let mut query = sqlx::query(sqlx::AssertSqlSafe(STATEMENT.as_str()))
        .bind(store)
        .bind(now());
    for set in sets {
        query = query.bind(set.key.as_str()).bind(&set.value[..]);
    }
    let done = query.execute(&mut *connection).await.map_err(refused);
    let all = matches!(&done, Ok(done) if done.rows_affected() == sets.len() as u64);
    if !all {
        command(connection, "ROLLBACK TO many").await?;
    }
    command(connection, "RELEASE many").await?;
    done.map(|_| all)
}
