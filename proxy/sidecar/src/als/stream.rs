//! The stream to a service: opened when there is something to send, and anew when it ends.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_client::AccessLogServiceClient;
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::{
    Identifier, LogEntries,
};
use futures_util::Stream;
use tandem_model::access_log::GrpcLog;
use tandem_model::bootstrap::Node;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use crate::mesh::Transport;

/// Between the end of a stream and the next one: at first, and when the service stays away.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Who the entries are from, which only the first message of a stream says.
pub(super) fn identifier(node: &Node, log: &str) -> Identifier {
    let locality = &node.locality;
    let locality = core::Locality {
        region: locality.region.to_string(),
        zone: locality.zone.to_string(),
        sub_zone: locality.sub_zone.to_string(),
    };
    let node = core::Node {
        id: node.id.to_string(),
        cluster: node.cluster.to_string(),
        locality: (locality != core::Locality::default()).then_some(locality),
        user_agent_name: "tandem".to_owned(),
        user_agent_version_type: Some(core::node::UserAgentVersionType::UserAgentVersion(
            env!("CARGO_PKG_VERSION").to_owned(),
        )),
        ..core::Node::default()
    };
    Identifier {
        node: Some(node),
        log_name: log.to_owned(),
    }
}

/// Sends every batch, until nobody can make one any more.
pub(super) async fn run(
    log: &GrpcLog,
    transport: Transport,
    identifier: Identifier,
    batches: Receiver<LogEntries>,
) {
    let source = Arc::new(Mutex::new(Source {
        next: None,
        batches,
    }));
    let mut client = AccessLogServiceClient::new(transport);
    let mut pause = PAUSE;
    while Source::wait(&source).await {
        let begun = Instant::now();
        let ended = client
            .stream_access_logs(Messages {
                source: Arc::clone(&source),
                identifier: Some(identifier.clone()),
                asked: false,
            })
            .await;
        if let Err(error) = ended {
            let log = &log.name;
            tracing::debug!(%log, %error, "the stream to an access-log service has ended");
        }
        if begun.elapsed() > LONGEST_PAUSE {
            pause = PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Where messages come from; what a stream that failed has not asked for, the next one sends.
#[derive(Debug)]
struct Source {
    next: Option<LogEntries>,
    batches: Receiver<LogEntries>,
}

impl Source {
    /// Whether there is something to send; waits for it.
    async fn wait(source: &Mutex<Self>) -> bool {
        std::future::poll_fn(|cx| {
            let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
            if source.next.is_none() {
                source.next = ready!(source.batches.poll_recv(cx));
            }
            Poll::Ready(source.next.is_some())
        })
        .await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<LogEntries>> {
        match self.next.take() {
            Some(entries) => Poll::Ready(Some(entries)),
            None => self.batches.poll_recv(cx),
        }
    }
}

/// The messages of one stream.
struct Messages {
    source: Arc<Mutex<Source>>,
    identifier: Option<Identifier>,
    /// Whether somebody has asked for a message before.
    asked: bool,
}

impl Stream for Messages {
    type Item = StreamAccessLogsMessage;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !std::mem::replace(&mut self.asked, true) {
            // The first look comes before there is a connection: what it took would be lost
            // with one that cannot be made.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = {
            let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
            ready!(source.poll_next(cx))
        };
        Poll::Ready(next.map(|entries| StreamAccessLogsMessage {
            identifier: self.identifier.take(),
            log_entries: Some(entries),
        }))
    }
}
