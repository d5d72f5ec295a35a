//! Sequences in the table `sequence`.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use tandem_api_contract::{
    Error,
    sequencer::{Segment, Sequencer},
};

use super::database::{Database, refused};

pub(super) struct Sequences {
    store: Arc<str>,
    database: Arc<Database>,
}

impl Sequences {
    pub(super) fn new(store: Arc<str>, database: Arc<Database>) -> Self {
        Self { store, database }
    }
}

#[async_trait]
impl Sequencer for Sequences {
    async fn next_id(&self, key: &str) -> Result<i64, Error> {
        self.segment(key, 1).await.map(|segment| segment.first)
    }

    async fn segment(&self, key: &str, size: u32) -> Result<Segment, Error> {
        let (store, key, size) = (self.store.clone(), key.to_owned(), i64::from(size));
        self.database
            .write(move |connection| {
                async move {
                    let last: i64 = sqlx::query_scalar(
                        "INSERT INTO sequence (store, key, last) VALUES (?, ?, ?) \
                         ON CONFLICT (store, key) DO UPDATE SET last = last + excluded.last \
                         RETURNING last",
                    )
                    .bind(&*store)
                    .bind(&key)
                    .bind(size)
                    .fetch_one(connection)
                    .await
                    .map_err(refused)?;
                    Ok(Segment {
                        first: last - size + 1,
                        last,
                    })
                }
                .boxed()
            })
            .await
    }
}
