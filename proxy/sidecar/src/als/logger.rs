//! One log on one worker: entries are made and collected here, never waited for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use envoy_types::pb::envoy::data::accesslog::v3::{HttpAccessLogEntry, TcpAccessLogEntry};
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, LogEntries, TcpAccessLogEntries,
};
use prost::Message as _;
use tandem_core::format::Context;
use tandem_core::stats::{Counter, Registry};
use tandem_model::access_log::{Entries, GrpcLog};
use tandem_stack::access_log::EntrySink;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::entry;

/// What becomes of entries, under Envoy's names.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    written: Counter,
    dropped: Counter,
    flushed: Counter,
}

impl Counters {
    pub(super) fn new(stats: &Registry) -> Self {
        let scope = stats.plain("access_logs.grpc_access_log");
        Self {
            written: scope.counter("logs_written"),
            dropped: scope.counter("logs_dropped"),
            flushed: scope.counter("grpc_entries_flushed"),
        }
    }
}

/// Collects the entries of one log.
#[derive(Debug)]
pub(super) struct Logger {
    config: Arc<GrpcLog>,
    counters: Counters,
    /// One worker's alone, so that nobody ever waits for it.
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// To the stream; `None`: it is asked to end.
    batches: Option<mpsc::Sender<LogEntries>>,
    http: Vec<HttpAccessLogEntry>,
    tcp: Vec<TcpAccessLogEntry>,
    bytes: usize,
}

impl Waiting {
    fn len(&self) -> usize {
        self.http.len() + self.tcp.len()
    }
}

impl Logger {
    pub(super) fn new(
        config: Arc<GrpcLog>,
        counters: Counters,
        batches: mpsc::Sender<LogEntries>,
    ) -> Self {
        Self {
            config,
            counters,
            waiting: Mutex::new(Waiting {
                batches: Some(batches),
                http: Vec::new(),
                tcp: Vec::new(),
                bytes: 0,
            }),
        }
    }

    /// Sends what waits, if it can be sent.
    pub(super) fn flush(&self) {
        self.send(&mut self.waiting());
    }

    /// Sends what waits as soon as it can be sent, and nothing more: the stream ends then.
    pub(super) async fn end(&self) {
        let (batches, batch) = {
            let mut waiting = self.waiting();
            let Some(batches) = waiting.batches.take() else {
                return;
            };
            let batch = (waiting.len() > 0).then(|| self.take(&mut waiting));
            (batches, batch)
        };
        if let Some(batch) = batch {
            let _ = batches.send(batch).await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self, waiting: &Waiting) -> bool {
        waiting.len() > 0 && waiting.bytes >= self.config.buffer_bytes
    }

    fn send(&self, waiting: &mut Waiting) {
        if waiting.len() == 0 {
            return;
        }
        // No place: the service is away or slow. What waits goes on waiting.
        let Some(batches) = waiting.batches.clone() else {
            return;
        };
        if let Ok(place) = batches.try_reserve() {
            place.send(self.take(waiting));
        }
    }

    /// What waits, as it is sent.
    fn take(&self, waiting: &mut Waiting) -> LogEntries {
        self.counters.flushed.add(waiting.len() as u64);
        waiting.bytes = 0;
        match &self.config.entries {
            Entries::Http(_) => LogEntries::HttpLogs(HttpAccessLogEntries {
                log_entry: std::mem::take(&mut waiting.http),
            }),
            Entries::Tcp => LogEntries::TcpLogs(TcpAccessLogEntries {
                log_entry: std::mem::take(&mut waiting.tcp),
            }),
        }
    }
}

impl Drop for Logger {
    /// Its listener is gone: what it said last is sent all the same.
    fn drop(&mut self) {
        self.flush();
    }
}

impl EntrySink for Logger {
    fn log(&self, request: &Context<'_>) {
        let mut waiting = self.waiting();
        if self.is_full(&waiting) || waiting.batches.is_none() {
            self.send(&mut waiting);
            if self.is_full(&waiting) || waiting.batches.is_none() {
                self.counters.dropped.inc();
                return;
            }
        }
        self.counters.written.inc();
        match &self.config.entries {
            Entries::Http(headers) => {
                let entry = entry::http(request, headers);
                waiting.bytes += entry.encoded_len();
                waiting.http.push(entry);
            }
            Entries::Tcp => {
                let entry = entry::tcp(request);
                waiting.bytes += entry.encoded_len();
                waiting.tcp.push(entry);
            }
        }
        if self.is_full(&waiting) {
            self.send(&mut waiting);
        }
    }
}

/// Sends what waits again and again, for as long as somebody logs.
pub(super) async fn keep_flushing(logger: Weak<Logger>, interval: Duration) {
    let interval = interval.max(Duration::from_millis(1));
    // The first time is an interval from now, too: what is there already is not hurried.
    let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match logger.upgrade() {
            Some(logger) => logger.flush(),
            None => return,
        }
    }
}
