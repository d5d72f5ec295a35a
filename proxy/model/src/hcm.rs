//! The HTTP connection manager
//! (`extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`).

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use crate::access_log::AccessLog;
use crate::config_source::Subscribed;
use crate::filter::HttpFilter;
use crate::route::RouteConfiguration;
use crate::scope::ScopedRoutes;

/// Where a connection manager's routes come from (`route_specifier`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteSource {
    /// `route_config`.
    Inline(Arc<RouteConfiguration>),
    /// `rds`: it comes by itself and may be replaced.
    Rds(Subscribed),
    /// `scoped_routes`: each request says by its headers which one it takes.
    Scoped(Arc<ScopedRoutes>),
}

/// Settings of one connection manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConnectionManager {
    /// Prefix of its metrics: `http.<stat_prefix>.`.
    pub stat_prefix: Arc<str>,
    /// How the protocol of a connection is found.
    pub codec: CodecType,
    /// Which route a request takes.
    pub routes: RouteSource,
    /// Filters before the router, in order. The router itself is `router`.
    pub http_filters: Vec<Arc<HttpFilter>>,
    /// The settings of the router filter.
    pub router: crate::filter::router::Router,
    /// Its access logs.
    pub access_logs: Vec<Arc<AccessLog>>,
    /// What becomes of `x-forwarded-client-cert`.
    pub forward_client_cert: ForwardClientCert,
    /// What is said there of the client's certificate.
    pub client_cert_details: ClientCertDetails,
    /// Trust the peer's address and rewrite `x-forwarded-for` as an edge proxy does.
    pub use_remote_address: bool,
    /// Trusted proxies in front; 0 by default.
    pub xff_num_trusted_hops: u32,
    /// Do not append the peer to `x-forwarded-for`.
    pub skip_xff_append: bool,
    /// Append the port of the listener as `x-forwarded-port`.
    pub append_x_forwarded_port: bool,
    /// What is an internal address; `None`: none. Each is an address and a prefix length.
    pub internal_address: Option<Vec<(std::net::IpAddr, u8)>>,
    /// Whether whoever comes by a Unix socket is internal.
    pub internal_unix_sockets: bool,
    /// Give every request an `x-request-id`; default true.
    pub generate_request_id: bool,
    /// Keep an `x-request-id` from outside.
    pub preserve_external_request_id: bool,
    /// Put the request id on the response too.
    pub always_set_request_id_in_response: bool,
    /// The value of the `via` header appended to requests and responses; empty: none.
    pub via: Option<HeaderValue>,
    /// The `server` header's value; default `envoy` in Envoy, `tandem` is never forced.
    pub server_name: HeaderValue,
    /// What to do with the `server` header.
    pub server_header: ServerHeader,
    /// What the scheme of every request becomes (`scheme_header_transformation`): `http` or
    /// `https`; `None`: it stays.
    pub scheme: Option<Arc<str>>,
    /// Normalise the path (RFC 3986) before matching; default false.
    pub normalize_path: bool,
    /// Merge `//` into `/`.
    pub merge_slashes: bool,
    /// What to do with `%2F` and `%5C` in the path.
    pub escaped_slashes: EscapedSlashes,
    /// Header names with underscores.
    pub underscores: UnderscoresAction,
    /// Strip the port from the host.
    pub strip_port: StripPort,
    /// Strip a trailing dot from the host.
    pub strip_trailing_host_dot: bool,
    /// Largest request header section, in KiB; default 60.
    pub max_request_headers_kb: u32,
    /// Most request headers; default 100.
    pub max_headers_count: u32,
    /// Time to receive the whole request; `None`: no limit (default).
    pub request_timeout: Option<Duration>,
    /// Time to receive the request headers; `None`: no limit (default).
    pub request_headers_timeout: Option<Duration>,
    /// Idle time of a stream; default 5 min, `None`: no limit.
    pub stream_idle_timeout: Option<Duration>,
    /// Idle time of a connection without streams; default 1 h, `None`: no limit.
    pub idle_timeout: Option<Duration>,
    /// Longest life of a connection; `None`: no limit (default).
    pub max_connection_duration: Option<Duration>,
    /// Longest life of a stream; `None`: no limit (default).
    pub max_stream_duration: Option<Duration>,
    /// Most requests per connection; 0: no limit.
    pub max_requests_per_connection: u32,
    /// How long after GOAWAY a draining connection still takes streams; default 5 s.
    pub drain_timeout: Duration,
    /// How long a connection lingers after a close was sent; default 1 s.
    pub delayed_close_timeout: Duration,
    /// Upgrades allowed on every route, lower case; the bool says enabled.
    pub upgrades: Vec<(Arc<str>, bool)>,
    /// Pass `Expect: 100-continue` on instead of answering it.
    pub proxy_100_continue: bool,
    /// Accept HTTP/1.0 requests.
    pub accept_http_10: bool,
    /// The host of HTTP/1.0 requests that name none; empty: refused.
    pub default_host_for_http_10: Arc<str>,
    /// Accept absolute-form targets; default true.
    pub allow_absolute_url: bool,
    /// Accept `Content-Length` beside `Transfer-Encoding: chunked` (dropping the former).
    pub allow_chunked_length: bool,
    /// Pass HTTP/1 trailers.
    pub enable_trailers: bool,
    /// HTTP/2 settings.
    pub http2: Http2Options,
}

/// `forward_client_cert_details`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ForwardClientCert {
    /// It is removed.
    #[default]
    Sanitize,
    /// It is passed on, if the client showed a certificate.
    ForwardOnly,
    /// The client's certificate is added to it, if it showed one.
    AppendForward,
    /// It says what the client's certificate says, if it showed one.
    SanitizeSet,
    /// It is passed on.
    AlwaysForwardOnly,
}

/// `set_current_client_cert_details`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientCertDetails {
    /// The subject.
    pub subject: bool,
    /// The certificate.
    pub cert: bool,
    /// The certificate and those that came with it.
    pub chain: bool,
    /// The host names.
    pub dns: bool,
    /// The URIs.
    pub uri: bool,
}

/// `codec_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CodecType {
    /// HTTP/2 if the connection starts with its preface, else HTTP/1.
    #[default]
    Auto,
    /// HTTP/1 only.
    Http1,
    /// HTTP/2 only.
    Http2,
}

/// `server_header_transformation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ServerHeader {
    /// Replace it.
    #[default]
    Overwrite,
    /// Add it where there is none.
    AppendIfAbsent,
    /// Leave it.
    PassThrough,
}

/// `path_with_escaped_slashes_action`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EscapedSlashes {
    /// Leave them (default).
    #[default]
    KeepUnchanged,
    /// 400.
    RejectRequest,
    /// Redirect to the unescaped path (307; gRPC: 400).
    UnescapeAndRedirect,
    /// Unescape and go on.
    UnescapeAndForward,
}

/// `headers_with_underscores_action`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnderscoresAction {
    /// Pass them (default).
    #[default]
    Allow,
    /// 400, or a stream reset on HTTP/2.
    RejectRequest,
    /// Drop the header.
    DropHeader,
}

/// Port stripping before hosts are matched and forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StripPort {
    /// None.
    #[default]
    No,
    /// Only a port equal to the listener's (`strip_matching_host_port`).
    Matching,
    /// Any port (`strip_any_host_port`).
    Any,
}

/// HTTP/2 settings (`config.core.v3.Http2ProtocolOptions`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Http2Options {
    /// Most concurrent streams; default 1024.
    pub max_concurrent_streams: u32,
    /// Initial window of a stream in bytes; default 16 MiB.
    pub initial_stream_window_size: u32,
    /// Initial window of a connection in bytes; default 24 MiB.
    pub initial_connection_window_size: u32,
    /// Ping interval while idle or busy; `None`: no pings.
    pub keepalive_interval: Option<Duration>,
    /// Time to wait for a ping's answer.
    pub keepalive_timeout: Duration,
    /// RFC 8441 CONNECT.
    pub allow_connect: bool,
}

impl Default for Http2Options {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 1024,
            initial_stream_window_size: 16 * 1024 * 1024,
            initial_connection_window_size: 24 * 1024 * 1024,
            keepalive_interval: None,
            keepalive_timeout: Duration::from_secs(10),
            allow_connect: false,
        }
    }
}
