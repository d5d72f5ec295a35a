//! One log on one worker: entries are made and collected here, never waited for.

use std::sync::{Arc, Mutex, PoisonError, Weak};
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
use tokio::time::MissedTickBehavior;

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
    batches: mpsc::Sender<LogEntries>,
}

#[derive(Debug, Default)]
struct Waiting {
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
            waiting: Mutex::default(),
            batches,
        }
    }

    /// Sends what waits, if it can be sent.
    pub(super) fn flush(&self) {
        self.send(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn is_full(&self, waiting: &Waiting) -> bool {
        waiting.len() > 0 && waiting.bytes >= self.config.buffer_bytes
    }

    fn send(&self, waiting: &mut Waiting) {
        if waiting.len() == 0 {
            return;
        }
        // No place: the service is away or slow. What waits goes on waiting.
        let Ok(place) = self.batches.try_reserve() else {
            return;
        };
        let Waiting { http, tcp, .. } = std::mem::take(waiting);
        self.counters.flushed.add((http.len() + tcp.len()) as u64);
        place.send(match &self.config.entries {
            Entries::Http(_) => LogEntries::HttpLogs(HttpAccessLogEntries { log_entry: http }),
            Entries::Tcp => LogEntries::TcpLogs(TcpAccessLogEntries { log_entry: tcp }),
        });
    }
}

impl EntrySink for Logger {
    fn log(&self, request: &Context<'_>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_full(&waiting) {
            self.send(&mut waiting);
            if self.is_full(&waiting) {
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
    let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match logger.upgrade() {
            Some(logger) => logger.flush(),
            None => return,
        }
    }
}
