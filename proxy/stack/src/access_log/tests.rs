use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use tandem_core::error::ResetReason;
use tandem_core::ext::{Protocol, StreamInfo};
use tandem_core::{Body, Error, HttpService, Request, Response, stats};
use tandem_model::access_log::{AccessLog as Config, LogFormat, Output, Sink};
use tandem_model::format::Format;
use tower::{Layer as _, service_fn};

use super::*;
use crate::hcm::Stats;
use crate::server::tests::support::connection;

/// A log over a service, and the file that its lines go to.
struct Rig {
    service: HttpService,
    sinks: Sinks,
    path: std::path::PathBuf,
    registry: stats::Registry,
}

impl Rig {
    fn new(answer: fn() -> Result<Response, Error>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "tandem-log-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        let sinks = Sinks::new(Duration::from_secs(10), 64 * 1024);
        let config = Config {
            output: Output::Lines {
                sink: Sink::File(path.to_str().unwrap().into()),
                format: LogFormat::Text(
                    Format::parse("%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_SENT% %RESP(X-A)%\n")
                        .unwrap(),
                ),
            },
            filter: None,
        };
        let registry = stats::Registry::default();
        let stats = Arc::new(Stats::new(&registry.http("h")));
        let logs = Logs::new(&[Arc::new(config)], &sinks, &EntrySinks::default());
        let layer = AccessLogLayer::new(logs, stats);
        Self {
            service: HttpService::new(
                layer.layer(service_fn(move |_: Request| async move { answer() })),
            ),
            sinks,
            path,
            registry,
        }
    }

    async fn call(&self) -> Result<Response, Error> {
        let mut request = Request::new(Body::empty());
        let info = StreamInfo::new(connection(), Protocol::Http11, 1);
        request.extensions_mut().insert(Arc::new(info));
        self.service.dispatch(request).await
    }

    fn lines(&self) -> String {
        self.sinks.flush();
        std::fs::read_to_string(&self.path).unwrap_or_default()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn with_header(body: Body) -> Result<Response, Error> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert("x-a", http::HeaderValue::from_static("1"));
    Ok(response)
}

fn frames(frames: Vec<Result<&'static str, Error>>) -> Body {
    Body::new(StreamBody::new(futures_util::stream::iter(
        frames.into_iter().map(|frame| {
            frame.map(|data| http_body::Frame::data(Bytes::from_static(data.as_bytes())))
        }),
    )))
}

/// The line waits for the last byte, and says how many there were.
#[tokio::test]
async fn a_whole_answer_is_logged_once_at_its_end() {
    let rig = Rig::new(|| with_header(frames(vec![Ok("ab"), Ok("cde")])));
    let response = rig.call().await.unwrap();
    assert_eq!(rig.lines(), "");
    response.into_body().collect().await.unwrap();
    assert_eq!(rig.lines(), "200 - 5 1\n");
    assert!(
        rig.registry
            .text(|name| name.ends_with("downstream_rq_active"), false)
            .ends_with(": 0\n")
    );
}

#[tokio::test]
async fn an_answer_without_a_body_is_logged_at_once() {
    let rig = Rig::new(|| with_header(Body::empty()));
    let _response = rig.call().await.unwrap();
    assert_eq!(rig.lines(), "200 - 0 1\n");
}

/// Whoever drops the body before its end went away.
#[tokio::test]
async fn a_client_that_leaves_is_logged_as_such() {
    let rig = Rig::new(|| with_header(frames(vec![Ok("ab"), Ok("cde")])));
    let mut body = rig.call().await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(rig.lines(), "200 DC 2 1\n");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_is_logged_too() {
    let rig = Rig::new(|| Ok(Response::new(Body::empty())));
    drop(rig.call());
    assert_eq!(
        rig.lines(),
        "",
        "a request that was never made is no request"
    );
    let mut request = Request::new(Body::empty());
    let info = StreamInfo::new(connection(), Protocol::Http11, 1);
    request.extensions_mut().insert(Arc::new(info));
    drop(rig.service.dispatch(request));
    assert_eq!(rig.lines(), "0 DC 0 -\n");
}

/// An upstream that breaks off is blamed, not the client.
#[tokio::test]
async fn an_answer_that_breaks_off_says_who_broke_it() {
    let rig = Rig::new(|| {
        with_header(frames(vec![
            Ok("ab"),
            Err(Error::upstream_reset(
                ResetReason::ConnectionTermination,
                true,
            )),
        ]))
    });
    let body = rig.call().await.unwrap().into_body();
    assert!(body.collect().await.is_err());
    assert_eq!(rig.lines(), "200 UC 2 1\n");
}

/// Log rotation: after a reopen lines go to a new file of the old name.
#[tokio::test]
async fn rotated_files_are_opened_anew() {
    let rig = Rig::new(|| with_header(Body::empty()));
    let _ = rig.call().await;
    assert_eq!(rig.lines().lines().count(), 1);
    std::fs::remove_file(&rig.path).unwrap();
    rig.sinks.reopen();
    let _ = rig.call().await;
    assert_eq!(rig.lines().lines().count(), 1);
}

/// What a worker cuts off at the end of a drain is logged, and not as the client's doing.
#[test]
fn requests_cut_off_with_their_worker_are_logged() {
    // On a thread of its own, since a worker ends once.
    let worker = std::thread::spawn(|| {
        let rig = Rig::new(|| {
            with_header(Body::new(StreamBody::new(futures_util::stream::pending::<
                Result<_, Error>,
            >())))
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let response = runtime.block_on(rig.call()).unwrap();
        runtime.spawn(response.into_body().collect());
        runtime.block_on(tokio::task::yield_now());
        rig.sinks.end_worker(runtime);
        assert_eq!(rig.lines(), "200 DC 0 1\n");
    });
    worker.join().unwrap();
}

/// Which of some filters hold of an answer to a request of this id.
fn held(
    filters: &[Filter],
    status: u16,
    id: &'static str,
    trailer: Option<&'static str>,
) -> Vec<bool> {
    let info = StreamInfo::new(connection(), Protocol::Http11, 1);
    let _ = info.request_id.set(http::HeaderValue::from_static(id));
    if status == 503 {
        info.add_flags(tandem_core::ResponseFlags::UPSTREAM_OVERFLOW);
    }
    let headers = http::HeaderMap::new();
    let trailers = trailer.map(|status| {
        let name = tandem_core::grpc::GRPC_STATUS;
        http::HeaderMap::from_iter([(name, http::HeaderValue::from_static(status))])
    });
    let context = Context {
        info: &info,
        request: None,
        response: Some((http::StatusCode::from_u16(status).unwrap(), &headers)),
        trailers: trailers.as_ref(),
        duration: Some(Duration::from_millis(20)),
    };
    let held = |filter| filter::holds(filter, &context);
    filters.iter().map(held).collect()
}

/// Filters look at the request's own facts, alone and combined.
#[test]
fn filters_hold_of_some_requests() {
    use tandem_model::FractionalPercent;
    use tandem_model::access_log::{Comparison, Op};
    let at_least = |value| Comparison {
        op: Op::AtLeast,
        value,
        key: None,
    };
    let sampled = Filter::Sampled {
        share: FractionalPercent {
            numerator: 50,
            denominator: 100,
        },
        key: tandem_model::runtime::RuntimeKey::named("test.sampled"),
        independent: false,
    };
    let failed = Filter::StatusCode(at_least(500));
    let filters = [
        failed.clone(),
        Filter::Duration(at_least(21)),
        Filter::ResponseFlags(vec!["UH".into(), "UO".into()]),
        Filter::ResponseFlags(Vec::new()),
        Filter::GrpcStatus {
            statuses: vec![0],
            exclude: true,
        },
        sampled.clone(),
        Filter::All(vec![failed.clone(), sampled.clone()]),
        Filter::Any(vec![failed, sampled]),
        Filter::All(Vec::new()),
    ];
    let (low, high) = ("00000031-1111", "00000032-1111");
    assert_eq!(
        held(&filters, 503, low, None),
        [true, false, true, true, true, true, true, true, true]
    );
    assert_eq!(
        held(&filters, 200, high, Some("0")),
        [false, false, false, false, false, false, false, false, true]
    );
}
