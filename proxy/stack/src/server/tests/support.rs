//! A server over an in-memory stream, and what its service saw.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use tandem_core::ext::{ConnectionInfo, Rejected};
use tandem_core::stats::Registry;
use tandem_core::{Body, Error, HttpService, Request, Response, rescue};
use tandem_model::HttpConnectionManager;
use tandem_model::hcm::RouteSource;
use tandem_model::hcm::{
    CodecType, EscapedSlashes, Http2Options, ServerHeader, StripPort, UnderscoresAction,
};
use tandem_model::route::RouteConfiguration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use crate::server::{Draining, Server};

/// Requests that reached the service and were read to their end, as text.
pub(super) type Seen = Arc<Mutex<Vec<String>>>;

pub(super) struct Served {
    pub(super) client: DuplexStream,
    pub(super) seen: Seen,
    pub(super) stats: Registry,
    pub(super) draining: Arc<Draining>,
    pub(super) task: tokio::task::JoinHandle<()>,
    /// Holds the metrics, which go with the last server that counts by them.
    pub(super) server: Arc<Server>,
}

impl Served {
    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.client.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Everything up to `end`.
    pub(super) async fn until(&mut self, end: &str) -> String {
        let mut got = Vec::new();
        while !got.ends_with(end.as_bytes()) {
            let byte = self.client.read_u8().await;
            let byte = byte.unwrap_or_else(|_| {
                panic!("ended after {:?}", String::from_utf8_lossy(&got));
            });
            got.push(byte);
        }
        String::from_utf8(got).unwrap()
    }

    /// Everything up to the end of the connection.
    pub(super) async fn rest(&mut self) -> String {
        let mut got = Vec::new();
        let _ = self.client.read_to_end(&mut got).await;
        String::from_utf8_lossy(&got).into_owned()
    }

    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn stat(&self, name: &str) -> String {
        let text = self.stats.text(|n| n == name, false);
        text.trim()
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}

pub(super) fn serve(change: impl FnOnce(&mut HttpConnectionManager)) -> Served {
    let seen = Seen::default();
    let service = echo(Arc::clone(&seen));
    serve_with(seen, service, change)
}

pub(super) fn serve_with(
    seen: Seen,
    service: HttpService,
    change: impl FnOnce(&mut HttpConnectionManager),
) -> Served {
    let mut manager = default_manager();
    change(&mut manager);
    let stats = Registry::default();
    let draining = Arc::new(Draining::default());
    let server = Server::new(Arc::new(manager), service, &stats, Arc::clone(&draining));
    let server = Arc::new(server);
    let (client, io) = duplex(64 * 1024);
    let task = tokio::spawn(Arc::clone(&server).serve(io, connection()));
    Served {
        client,
        seen,
        stats,
        draining,
        task,
        server,
    }
}

pub(crate) fn connection() -> Arc<ConnectionInfo> {
    Arc::new(ConnectionInfo {
        id: 1,
        listener: "l".into(),
        ..Default::default()
    })
}

/// Answers with the request's body. `/early` answers before it, `/slow` after an hour,
/// `/broken` breaks off, `/drip` streams without a length, `/trailers` ends with trailers.
pub(super) fn echo(seen: Seen) -> HttpService {
    HttpService::new(tower::service_fn(move |request: Request| {
        let seen = Arc::clone(&seen);
        async move { answer(request, &seen).await }
    }))
}

async fn answer(request: Request, seen: &Seen) -> Result<Response, Error> {
    if let Some(Rejected(reply)) = request.extensions().get::<Rejected>() {
        let line = format!("rejected {}", reply.details);
        seen.lock().unwrap().push(line);
        return Ok(rescue::respond(reply.clone(), false, false));
    }
    assert!(request.extensions().get::<Arc<ConnectionInfo>>().is_some());
    let path = request.uri().path().to_owned();
    let line = format!("{} {path}", request.method());
    match path.as_str() {
        "/early" => return Ok(Response::new(Body::from("early"))),
        "/slow" => tokio::time::sleep(Duration::from_secs(3600)).await,
        "/broken" | "/drip" | "/trailers" => return Ok(streamed(&path)),
        "/close" => {
            let mut response = Response::new(Body::from("bye"));
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert("connection", close);
            return Ok(response);
        }
        _ => {}
    }
    let collected = match request.into_body().collect().await {
        Ok(collected) => collected,
        Err(error) => {
            seen.lock().unwrap().push(format!("{line} failed"));
            let Some(reply) = rescue::reply(&error) else {
                return Err(error);
            };
            return Ok(rescue::respond(reply, false, false));
        }
    };
    let trailers = collected.trailers().map_or(0, http::HeaderMap::len);
    let body = collected.to_bytes();
    let shown = match body.len() {
        0..100 => String::from_utf8_lossy(&body).into_owned(),
        long => long.to_string(),
    };
    seen.lock()
        .unwrap()
        .push(format!("{line} [{shown}] {trailers}"));
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}

fn streamed(path: &str) -> Response {
    let (mut sender, receiver) = tandem_transport::h1::body::channel(None);
    sender.send("part".into());
    match path {
        "/broken" => drop(sender),
        "/drip" => sender.finish(None),
        _ => {
            let mut trailers = http::HeaderMap::new();
            trailers.insert("x-end", HeaderValue::from_static("yes"));
            sender.finish(Some(trailers));
        }
    }
    Response::new(Body::new(receiver))
}

pub(crate) fn default_manager() -> HttpConnectionManager {
    HttpConnectionManager {
        stat_prefix: "h".into(),
        codec: CodecType::Auto,
        routes: RouteSource::Inline(Arc::new(RouteConfiguration::default())),
        http_filters: Vec::new(),
        router: tandem_model::filter::router::Router::default(),
        access_logs: Vec::new(),
        forward_client_cert: Default::default(),
        client_cert_details: Default::default(),
        use_remote_address: false,
        xff_num_trusted_hops: 0,
        skip_xff_append: false,
        append_x_forwarded_port: false,
        internal_address: None,
        internal_unix_sockets: false,
        generate_request_id: true,
        preserve_external_request_id: false,
        always_set_request_id_in_response: false,
        via: None,
        server_name: HeaderValue::from_static("x"),
        server_header: ServerHeader::Overwrite,
        normalize_path: false,
        merge_slashes: false,
        escaped_slashes: EscapedSlashes::KeepUnchanged,
        underscores: UnderscoresAction::Allow,
        strip_port: StripPort::No,
        strip_trailing_host_dot: false,
        scheme: None,
        max_request_headers_kb: 60,
        max_headers_count: 100,
        request_timeout: None,
        request_headers_timeout: None,
        stream_idle_timeout: Some(Duration::from_secs(300)),
        idle_timeout: Some(Duration::from_secs(3600)),
        max_connection_duration: None,
        max_stream_duration: None,
        max_requests_per_connection: 0,
        drain_timeout: Duration::from_secs(5),
        delayed_close_timeout: Duration::from_secs(1),
        upgrades: Vec::new(),
        proxy_100_continue: false,
        accept_http_10: false,
        default_host_for_http_10: "".into(),
        allow_absolute_url: true,
        allow_chunked_length: false,
        enable_trailers: false,
        http2: Http2Options::default(),
    }
}

/// Lets everything that can run, run.
pub(super) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub(super) fn count(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}
