//! The HTTP request of a call.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, TE};
use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tandem_api_proto::layotto::{HttpExtension, InvokeServiceRequest, http_extension::Verb};
use tandem_core::{Body, Request};

use super::{headers, rpc};
use crate::status::Error;

/// MOSN's route tables match by it.
const ID: HeaderName = HeaderName::from_static("id");

/// Builds it in HTTP/1.1's form: path in the URI, authority in `host`.
pub(super) fn build(
    message: InvokeServiceRequest,
    metadata: HeaderMap,
    facts: Extensions,
    is_grpc: bool,
) -> Result<Request, Error> {
    let Some(call) = message.message else {
        return Err(invalid("message is required"));
    };
    let host = authority(message.id)?;
    let extension = call.http_extension.unwrap_or_default();
    let value: Bytes = call.data.map(|data| data.value).unwrap_or_default();
    let method = if is_grpc {
        Method::POST
    } else {
        verb(extension.verb, value.is_empty())?
    };
    let uri = target(call.method, &extension)?;

    let mut headers = headers::to_request(metadata);
    headers.entry(ID).or_insert_with(|| host.clone());
    headers.insert(HOST, host);
    if !call.content_type.is_empty() {
        let content_type = HeaderValue::from_maybe_shared(Bytes::from(call.content_type))
            .map_err(|_| invalid("content_type is not a valid header value"))?;
        headers.insert(CONTENT_TYPE, content_type);
    }
    let body = if is_grpc {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        rpc::body(&value)
    } else {
        if !value.is_empty() {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(value.len()));
        }
        Body::from(value)
    };

    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    *request.extensions_mut() = facts;
    Ok(request)
}

/// The id as the authority: a name or an address, with a port or without.
fn authority(id: String) -> Result<HeaderValue, Error> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:[]%".contains(&b);
    if id.is_empty() {
        return Err(invalid("id is required"));
    }
    if !id.bytes().all(plain) {
        return Err(invalid(format!(
            "id {id:?} is not an authority: expected a name, with a port or without"
        )));
    }
    HeaderValue::from_maybe_shared(Bytes::from(id)).map_err(|_| invalid("id is not an authority"))
}

/// Without a verb it is GET, or POST if there is data: no server expects a GET with a body.
fn verb(verb: i32, is_empty: bool) -> Result<Method, Error> {
    Ok(match Verb::try_from(verb) {
        Ok(Verb::None) if is_empty => Method::GET,
        Ok(Verb::None | Verb::Post) => Method::POST,
        Ok(Verb::Get) => Method::GET,
        Ok(Verb::Head) => Method::HEAD,
        Ok(Verb::Put) => Method::PUT,
        Ok(Verb::Delete) => Method::DELETE,
        Ok(Verb::Options) => Method::OPTIONS,
        Ok(Verb::Trace) => Method::TRACE,
        Ok(Verb::Patch) => Method::PATCH,
        Ok(Verb::Connect) => return Err(invalid("verb CONNECT is not supported")),
        Err(_) => return Err(invalid(format!("unknown verb {verb}"))),
    })
}

/// Path and query. Nothing is copied when the method is a whole path and there is no query.
fn target(mut path: String, extension: &HttpExtension) -> Result<Uri, Error> {
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    let query = extension.querystring.trim_start_matches(['?', '&']);
    if !query.is_empty() {
        path.reserve_exact(1 + query.len());
        path.push(if path.contains('?') { '&' } else { '?' });
        path.push_str(query);
    }
    let length = path.len();
    let target = PathAndQuery::from_maybe_shared(Bytes::from(path))
        .map_err(|error| invalid(format!("method and querystring are no path: {error}")))?;
    if target.as_str().len() < length {
        // Parsing ended at the fragment, which no request has.
        return Err(invalid(
            "method and querystring are no path: '#' must be written as %23",
        ));
    }
    Ok(Uri::from(target))
}

fn invalid(text: impl Into<String>) -> Error {
    Error::InvokeArgument(text.into())
}
