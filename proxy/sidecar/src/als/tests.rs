use std::time::{Duration, SystemTime};

use envoy_types::pb::envoy::data::accesslog::v3::tls_properties::{
    TlsVersion, certificate_properties::subject_alt_name::San,
};
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::LogEntries;
use http::{HeaderMap, HeaderValue, StatusCode};
use tandem_core::ResponseFlags;
use tandem_core::ext::{
    Certificate, ConnectionInfo, Protocol, StreamInfo, TlsFacts, UpstreamFacts,
};
use tandem_core::format::Context;
use tandem_model::access_log::{Entries, LoggedHeaders};
use tandem_model::config_source::ControlPlane;

use super::*;

fn log(entries: Entries, buffer_bytes: usize) -> Arc<GrpcLog> {
    Arc::new(GrpcLog {
        name: "l".into(),
        service: ControlPlane {
            cluster: "c".into(),
            authority: "c".into(),
            initial_metadata: Vec::new(),
        },
        flush_interval: Duration::from_secs(1),
        buffer_bytes,
        entries,
    })
}

fn over(info: &StreamInfo) -> Context<'_> {
    Context {
        info,
        request: None,
        response: None,
        trailers: None,
        duration: Some(Duration::from_millis(1500)),
    }
}

fn info() -> StreamInfo {
    let remote = Some(([192, 0, 2, 1], 4000).into());
    let connection = ConnectionInfo {
        remote,
        ..ConnectionInfo::default()
    };
    StreamInfo::new(Arc::new(connection), Protocol::Http11, 1)
}

fn requests(batch: Option<LogEntries>) -> usize {
    match batch {
        Some(LogEntries::HttpLogs(logs)) => logs.log_entry.len(),
        Some(LogEntries::TcpLogs(logs)) => logs.log_entry.len(),
        None => 0,
    }
}

/// A full buffer is sent at once; while nobody takes it, one more waits, and the rest is lost.
#[test]
fn what_cannot_be_sent_is_lost_and_counted() {
    let stats = Registry::default();
    let (sender, mut batches) = mpsc::channel(1);
    let config = log(Entries::Http(LoggedHeaders::default()), 1);
    let logger = Logger::new(config, Counters::new(&stats), sender);
    let info = info();
    for _ in 0..5 {
        logger.log(&over(&info));
    }
    let text = stats.text(|name| name.contains("grpc_access_log.logs"), false);
    let name = "access_logs.grpc_access_log.logs";
    assert_eq!(text, format!("{name}_dropped: 3\n{name}_written: 2\n"));
    assert_eq!(requests(batches.try_recv().ok()), 1);
    logger.flush();
    assert_eq!(requests(batches.try_recv().ok()), 1);
    assert!(batches.try_recv().is_err());
}

/// Entries that do not fill the buffer are sent together when the interval is over; the task
/// that sees to it ends with the log.
#[tokio::test(start_paused = true)]
async fn entries_are_sent_after_the_interval() {
    let (sender, mut batches) = mpsc::channel(4);
    let counters = Counters::new(&Registry::default());
    let logger = Arc::new(Logger::new(log(Entries::Tcp, 1 << 14), counters, sender));
    let flushing = tokio::spawn(logger::keep_flushing(
        Arc::downgrade(&logger),
        Duration::from_secs(1),
    ));
    tokio::task::yield_now().await;
    let (begun, info) = (tokio::time::Instant::now(), info());
    logger.log(&over(&info));
    logger.log(&over(&info));
    assert!(batches.try_recv().is_err());
    assert_eq!(requests(batches.recv().await), 2);
    assert!(begun.elapsed() >= Duration::from_millis(900));
    drop(logger);
    flushing.await.unwrap();
}

/// Who ends, and whose listener is gone, sends what waits; a full way to the service is waited
/// for.
#[tokio::test]
async fn what_waits_at_the_end_is_sent() {
    let (sender, mut batches) = mpsc::channel(1);
    let counters = Counters::new(&Registry::default());
    let config = log(Entries::Tcp, 1 << 14);
    let logger = Logger::new(Arc::clone(&config), counters.clone(), sender);
    let info = info();
    logger.log(&over(&info));
    logger.flush();
    logger.log(&over(&info));
    let (_, taken) = tokio::join!(logger.end(), async {
        (
            requests(batches.recv().await),
            requests(batches.recv().await),
        )
    });
    assert_eq!(taken, (1, 1));
    logger.log(&over(&info));
    assert!(batches.recv().await.is_none());

    let (sender, mut batches) = mpsc::channel(1);
    let logger = Logger::new(config, counters, sender);
    logger.log(&over(&info));
    drop(logger);
    assert_eq!(requests(batches.recv().await), 1);
    assert!(batches.recv().await.is_none());
}

/// What there is nothing to say of is left out, and headers have all their values.
#[test]
fn a_request_that_failed_is_told_with_what_is_known() {
    let mut info = info();
    info.client = Some(([198, 51, 100, 1], 0).into());
    info.add_flags(ResponseFlags::UPSTREAM_CONNECTION_FAILURE);
    let _ = info.cluster.set("c".into());
    info.upstream.store(Some(Arc::new(UpstreamFacts {
        host: "[::1]:80".into(),
        cluster: "c".into(),
        hostname: "".into(),
        connection: 0,
        local: None,
        protocol: None,
        tls: None,
    })));
    let mut headers = HeaderMap::new();
    headers.append("x-a", HeaderValue::from_static("1"));
    headers.append("x-a", HeaderValue::from_bytes(b"\xff2").unwrap());
    let wanted = LoggedHeaders {
        response: vec![tandem_model::access_log::LoggedHeader {
            name: "x-a".into(),
            key: tandem_model::format::HeaderKey::Name(http::HeaderName::from_static("x-a")),
        }],
        ..LoggedHeaders::default()
    };
    let context = Context {
        response: Some((StatusCode::SERVICE_UNAVAILABLE, &headers)),
        ..over(&info)
    };
    let entry = entry::http(&context, &wanted);
    let common = entry.common_properties.unwrap();
    let flags = common.response_flags.unwrap();
    assert!(flags.upstream_connection_failure && !flags.no_route_found);
    assert_eq!(common.upstream_cluster, "c");
    assert_eq!(common.upstream_local_address, None);
    assert!(format!("{:?}", common.upstream_remote_address).contains("\"::1\""));
    assert!(format!("{:?}", common.downstream_remote_address).contains("198.51.100.1"));
    let duration = common.duration.unwrap();
    assert_eq!((duration.seconds, duration.nanos), (1, 500_000_000));
    assert_eq!(common.tls_properties, None);
    let response = entry.response.unwrap();
    assert_eq!(response.response_code.unwrap().value, 503);
    assert_eq!(response.response_headers["x-a"], "1,!2");
    assert_eq!(entry.request, Some(Default::default()));
}

#[test]
fn a_client_certificate_is_told() {
    let peer = Certificate {
        subject: "CN=a".into(),
        issuer: "CN=ca".into(),
        uris: vec!["spiffe://a/b".into()],
        not_after: Some(SystemTime::UNIX_EPOCH),
        ..Certificate::default()
    };
    let facts = TlsFacts {
        version: "TLSv1.3",
        cipher: "TLS_AES_128_GCM_SHA256",
        sni: Some("a.test".into()),
        peer: Some(Arc::new(peer)),
        ..TlsFacts::default()
    };
    let told = tls::properties(&facts, &ConnectionInfo::default());
    assert_eq!(told.tls_version(), TlsVersion::TlSv13);
    assert_eq!(told.tls_cipher_suite.unwrap().value, 0x1301);
    assert_eq!(told.tls_sni_hostname, "a.test");
    let peer = told.peer_certificate_properties.unwrap();
    assert_eq!((&*peer.subject, &*peer.issuer), ("CN=a", "CN=ca"));
    assert_eq!(
        peer.subject_alt_name[0].san,
        Some(San::Uri("spiffe://a/b".into()))
    );
    assert_eq!(told.local_certificate_properties, Some(Default::default()));
}
