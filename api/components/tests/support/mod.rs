//! Components and servers for the tests.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

pub mod redis;

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use tandem_api_contract::{
    component::Status,
    declaration::{Context, Declaration},
    pubsub::{Handler, Message, Verdict},
    registry::{Clients, Registry, Running},
};
use tokio::time::Instant;

/// How long an answer to an event may take where what takes longer shall come again soon.
pub const SOON: &str = "300ms";

/// How long it may take where a verdict is given late, and counts.
pub const LATE: &str = "3s";

/// How long a Redis server may take for a connection or an answer where that is not the question.
const PATIENT: &str = "10s";

/// Components of one back-end under the names `state`, `lock`, `sequencer` and `pubsub`.
pub struct Components {
    pub registry: Registry,
    pub clients: Clients,
    _running: Running,
}

impl Components {
    /// Of `in-memory` or `embedded`.
    pub fn local(back_end: &str, folder: &Path) -> Self {
        Self::local_within(SOON, back_end, folder)
    }

    /// As [`local`](Self::local), with the time that an answer to an event may take.
    pub fn local_within(limit: &str, back_end: &str, folder: &Path) -> Self {
        let pubsub = Declaration::embedded("pubsub", &format!("pubsub.{back_end}"))
            .with("processingTimeout", limit)
            .with("redeliverInterval", "100ms");
        Self::of(&with_pubsub(back_end, pubsub, &[]), folder)
    }

    /// Embedded, with about as many events kept as it says.
    pub fn keeping(events: u32, folder: &Path) -> Self {
        let pubsub = Declaration::embedded("pubsub", "pubsub.embedded")
            .with("maxLenApprox", &events.to_string());
        Self::of(&with_pubsub("embedded", pubsub, &[]), folder)
    }

    /// Of a Redis server.
    pub fn redis(port: u16) -> Self {
        Self::redis_within(SOON, port)
    }

    /// As [`redis`](Self::redis), with the time that an answer to an event may take.
    pub fn redis_within(limit: &str, port: u16) -> Self {
        Self::redis_with(limit, PATIENT, port)
    }

    /// As [`redis`](Self::redis), with the time that the server may take for a connection or an answer.
    pub fn redis_patient_for(patience: &str, port: u16) -> Self {
        Self::redis_with(SOON, patience, port)
    }

    fn redis_with(processing: &str, patience: &str, port: u16) -> Self {
        let host = format!("127.0.0.1:{port}");
        let fields = [
            ("redisHost", &*host),
            ("dialTimeout", patience),
            ("readTimeout", patience),
            ("redisMaxRetryInterval", "200ms"),
        ];
        let mut pubsub = Declaration::embedded("pubsub", "pubsub.redis")
            .with("processingTimeout", processing)
            .with("redeliverInterval", "100ms");
        for (name, value) in fields {
            pubsub = pubsub.with(name, value);
        }
        Self::of(
            &with_pubsub("redis", pubsub, &fields),
            Path::new("/nonexistent"),
        )
    }

    fn of(declarations: &[Declaration], folder: &Path) -> Self {
        let context = Context {
            app_id: "shop".into(),
            data_dir: folder.to_owned(),
            ..Context::default()
        };
        let registry = tandem_api_components::build(declarations, &context).unwrap();
        let running = registry.run();
        Self {
            clients: registry.clients(),
            registry,
            _running: running,
        }
    }

    /// Waits until every component has the given readiness.
    pub async fn wait(&self, ready: bool) {
        eventually("readiness", async || {
            self.registry
                .entries()
                .iter()
                .all(|entry| (entry.readiness.status() == Status::Ready) == ready)
        })
        .await;
    }
}

fn with_pubsub(back_end: &str, pubsub: Declaration, fields: &[(&str, &str)]) -> Vec<Declaration> {
    let mut declarations: Vec<_> = ["state", "lock", "sequencer"]
        .into_iter()
        .map(|block| {
            let declaration = Declaration::embedded(block, &format!("{block}.{back_end}"));
            fields
                .iter()
                .fold(declaration, |declaration, (name, value)| {
                    declaration.with(name, value)
                })
        })
        .collect();
    declarations.push(pubsub);
    declarations
}

/// Waits, at most thirty seconds, until a condition holds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(Instant::now() < end, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Keeps what it gets; fails each message as often as it is told to.
#[derive(Default)]
pub struct Inbox {
    pub messages: Mutex<Vec<String>>,
    pub failures: Mutex<usize>,
    /// How many messages get no answer at all.
    pub silences: Mutex<usize>,
}

impl Inbox {
    pub fn failing(times: usize) -> Arc<Self> {
        Arc::new(Self {
            failures: Mutex::new(times),
            ..Self::default()
        })
    }

    fn stays_silent(&self) -> bool {
        let mut silences = self.silences.lock().unwrap();
        let silent = *silences > 0;
        *silences = silences.saturating_sub(1);
        silent
    }

    pub fn sorted(&self) -> Vec<String> {
        let mut messages = self.messages.lock().unwrap().clone();
        messages.sort();
        messages
    }

    pub async fn wait_for(&self, expected: &[&str]) {
        eventually(&format!("{expected:?}"), async || self.sorted() == expected).await;
    }
}

#[async_trait::async_trait]
impl Handler for Inbox {
    async fn handle(&self, message: Message) -> Verdict {
        if self.stays_silent() {
            return std::future::pending().await;
        }
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Verdict::Retry;
        }
        let text = String::from_utf8(message.data.to_vec()).unwrap();
        self.messages.lock().unwrap().push(text);
        Verdict::Ack
    }
}
