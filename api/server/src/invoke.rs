//! InvokeService: a call of the application's, made through the mesh.
//!
//! The call becomes an HTTP request and enters the outbound listener's own service: `id` is
//! the authority, so it selects the virtual host; `method` is the path. Routes, retries,
//! faults, breakers, metrics and logs are those of intercepted traffic, since it is the same
//! code. There is no connection between: nothing is serialised on the way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use prost_types::Any;
use tandem_api_proto::layotto::http_extension::Verb;
use tandem_api_proto::layotto::{CommonInvokeRequest, InvokeResponse, InvokeServiceRequest};
use tandem_core::directory::Directory;
use tandem_core::ext::StreamInfo;
use tandem_core::{Body, HttpService};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};

use crate::status::{Origin, status};

/// Layotto's default time limit of a call; metadata `rpc_request_timeout` says another, in
/// milliseconds.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: &str = "rpc_request_timeout";
/// The largest response body: what gRPC clients accept by default.
const LARGEST_RESPONSE: usize = 4 * 1024 * 1024;

/// Makes calls.
#[derive(Clone, Debug)]
pub(crate) struct Invoker {
    directory: Directory,
    listener: Option<Arc<str>>,
}

impl Invoker {
    /// Calls take the routes of the named listener, or of the only outbound one.
    pub(crate) fn new(directory: Directory, listener: Option<Arc<str>>) -> Self {
        Self {
            directory,
            listener,
        }
    }

    /// Makes one call.
    pub(crate) async fn invoke(
        &self,
        request: Request<InvokeServiceRequest>,
    ) -> Result<Response<InvokeResponse>, Status> {
        let mesh = self.mesh()?;
        let timeout = timeout(request.metadata())?;
        let (request, limit) = (call(request)?, timeout);
        let response = match tokio::time::timeout(limit, mesh.dispatch(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(status(Origin::Mesh, Code::Cancelled, error.to_string())),
            Err(_) => {
                let message = format!("no response within {} ms", limit.as_millis());
                return Err(status(Origin::Mesh, Code::DeadlineExceeded, message));
            }
        };
        let (parts, body) = response.into_parts();
        let body = body.collect_bounded(LARGEST_RESPONSE).await;
        let body =
            body.map_err(|error| status(Origin::Mesh, Code::Unavailable, error.to_string()))?;
        let Some(body) = body else {
            let message = format!("the response is larger than {LARGEST_RESPONSE} bytes");
            return Err(status(Origin::Mesh, Code::ResourceExhausted, message));
        };
        answer(parts.status, parts.headers, &body)
    }

    fn mesh(&self) -> Result<HttpService, Status> {
        self.directory
            .outbound(self.listener.as_deref())
            .map_err(|error| status(Origin::Api, Code::FailedPrecondition, error.to_string()))
    }
}

fn timeout(metadata: &MetadataMap) -> Result<Duration, Status> {
    let Some(value) = metadata.get(TIMEOUT) else {
        return Ok(DEFAULT_TIMEOUT);
    };
    match value.to_str().ok().and_then(|millis| millis.parse().ok()) {
        Some(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        _ => Err(bad(format!(
            "invalid {TIMEOUT} {value:?}: expected milliseconds"
        ))),
    }
}

fn bad(message: String) -> Status {
    status(Origin::Api, Code::InvalidArgument, message)
}

fn call(request: Request<InvokeServiceRequest>) -> Result<tandem_core::Request, Status> {
    let (metadata, extensions, InvokeServiceRequest { id, message }) = request.into_parts();
    let message = message.ok_or_else(|| bad("message is empty".to_owned()))?;
    let CommonInvokeRequest {
        method,
        data,
        content_type,
        http_extension,
    } = message;
    let data = data.map_or_else(Bytes::new, |data| Bytes::from(data.value));
    let (verb, query) = http_extension
        .map(|extension| (extension.verb(), extension.querystring))
        .unwrap_or_default();
    let mut headers = headers(metadata);
    let host = HeaderValue::from_str(&id);
    match host {
        Ok(host) if !host.is_empty() => headers.insert(HOST, host),
        _ => return Err(bad(format!("invalid id {id:?}: expected a host name"))),
    };
    if !content_type.is_empty() {
        let value = HeaderValue::from_str(&content_type)
            .map_err(|_| bad(format!("invalid content_type {content_type:?}")))?;
        headers.insert(CONTENT_TYPE, value);
    }
    if !data.is_empty() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(data.len()));
    }
    let mut request = tandem_core::Request::new(Body::from(data));
    *request.method_mut() = http_method(verb, request.body());
    *request.uri_mut() = uri(&method, &query)?;
    *request.headers_mut() = headers;
    if let Some(info) = extensions.get::<Arc<StreamInfo>>() {
        // The call comes from whoever called the API.
        request
            .extensions_mut()
            .insert(Arc::clone(&info.connection));
    }
    Ok(request)
}

fn uri(method: &str, query: &str) -> Result<Uri, Status> {
    let slash = if method.starts_with('/') { "" } else { "/" };
    let text = match (query.trim_start_matches('?'), method.contains('?')) {
        ("", _) => format!("{slash}{method}"),
        (query, true) => format!("{slash}{method}&{query}"),
        (query, false) => format!("{slash}{method}?{query}"),
    };
    text.parse()
        .map_err(|_| bad(format!("invalid method {text:?}: expected a path")))
}

/// Without a verb it is GET, or POST if there is data: a GET with a body is what no server
/// expects.
fn http_method(verb: Verb, body: &Body) -> Method {
    match verb {
        Verb::None if body.is_empty() => Method::GET,
        Verb::None | Verb::Post => Method::POST,
        Verb::Get => Method::GET,
        Verb::Head => Method::HEAD,
        Verb::Put => Method::PUT,
        Verb::Delete => Method::DELETE,
        Verb::Connect => Method::CONNECT,
        Verb::Options => Method::OPTIONS,
        Verb::Trace => Method::TRACE,
        Verb::Patch => Method::PATCH,
    }
}

/// Metadata become headers, but for those that are about the call to the API itself.
fn headers(metadata: MetadataMap) -> HeaderMap {
    let mut headers = metadata.into_headers();
    for name in [
        "te",
        "content-type",
        "content-length",
        "host",
        TIMEOUT,
        "x-forwarded-proto",
    ] {
        headers.remove(name);
    }
    let own: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("grpc-") || is_hop_by_hop(name))
        .cloned()
        .collect();
    for name in own {
        headers.remove(name);
    }
    headers
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
    )
}

/// Only 200 is a success, as in Layotto; everything else carries status and body in its text.
fn answer(
    code: StatusCode,
    mut headers: HeaderMap,
    body: &Bytes,
) -> Result<Response<InvokeResponse>, Status> {
    let content_type = headers.remove(CONTENT_TYPE);
    // gRPC frames the message itself: a foreign content-length would reset the stream.
    headers.remove(CONTENT_LENGTH);
    let own: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("grpc-") || is_hop_by_hop(name))
        .cloned()
        .collect();
    for name in own {
        headers.remove(name);
    }
    let metadata = MetadataMap::from_headers(headers);
    if code != StatusCode::OK {
        let text = String::from_utf8_lossy(body);
        let message = format!("http response code {}, body: {text}", code.as_u16());
        let mut status = status(Origin::Mesh, Code::Unavailable, message);
        for entry in metadata.iter() {
            if let tonic::metadata::KeyAndValueRef::Ascii(name, value) = entry {
                status.metadata_mut().append(name, value.clone());
            }
        }
        return Err(status);
    }
    let content_type = content_type.and_then(|value| value.to_str().ok().map(str::to_owned));
    let message = InvokeResponse {
        data: Some(Any {
            type_url: String::new(),
            value: body.to_vec(),
        }),
        content_type: content_type.unwrap_or_default(),
    };
    let mut response = Response::new(message);
    *response.metadata_mut() = metadata;
    Ok(response)
}
