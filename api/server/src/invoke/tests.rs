use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use tandem_api_proto::Any;
use tandem_api_proto::layotto::{
    CommonInvokeRequest, HttpExtension, InvokeResponse, InvokeServiceRequest,
};
use tandem_core::error::Kind;
use tandem_core::{Body, Error, HttpService, Request, Response, rescue};
use tonic::{Code, Status};

use crate::grpc::framed;
use crate::testing::{call, filter, filter_with_outbound, frame, process, read, told};

fn message(id: &str, method: &str, data: &'static str) -> InvokeServiceRequest {
    InvokeServiceRequest {
        id: id.into(),
        message: Some(CommonInvokeRequest {
            method: method.into(),
            data: Some(Any {
                type_url: String::new(),
                value: data.into(),
            }),
            content_type: "text/x".into(),
            http_extension: None,
        }),
    }
}

/// Calls with metadata; the outbound stack is a function.
async fn invoke<Work>(
    message: &InvokeServiceRequest,
    metadata: &[(&'static str, &'static str)],
    outbound: impl Fn(Request) -> Work + Clone + Send + Sync + 'static,
) -> Result<(http::HeaderMap, InvokeResponse), Status>
where
    Work: Future<Output = Result<Response, Error>> + Send + 'static,
{
    let process = process(None).await;
    let outbound = HttpService::new(tower::service_fn(outbound));
    let service = filter_with_outbound(&process, outbound);
    let mut request = call("InvokeService", frame(message));
    for (name, value) in metadata {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    read(service.dispatch(request).await.unwrap()).await
}

fn ok(body: impl Into<Body>) -> Response {
    Response::new(body.into())
}

/// What the upstream saw, as text.
async fn echo(request: Request) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let text = format!(
        "{} {} | {} | {}",
        parts.method,
        parts.uri,
        headers.join(", "),
        String::from_utf8_lossy(&body)
    );
    Ok(ok(text))
}

fn text(answer: Result<(http::HeaderMap, InvokeResponse), Status>) -> String {
    let data = answer.unwrap().1.data.unwrap().value;
    String::from_utf8(data.to_vec()).unwrap()
}

#[tokio::test]
async fn a_call_becomes_an_http_request() {
    let mut message = message("orders", "v1/orders", "body");
    message.message.as_mut().unwrap().http_extension = Some(HttpExtension {
        verb: 4,
        querystring: "a=1".into(),
    });
    let metadata = [
        ("x-user", "ada"),
        ("grpc-timeout", "60S"),
        ("grpc-accept-encoding", "gzip"),
        ("rpc_request_timeout", "59000"),
        ("user-agent", "grpc-go"),
    ];
    let seen = text(invoke(&message, &metadata, echo).await);
    assert_eq!(
        seen,
        "PUT /v1/orders?a=1 | content-length: 4, content-type: text/x, host: orders, \
         id: orders, user-agent: grpc-go, x-user: ada | body"
    );
}

/// GET without data and POST with; queries join.
#[tokio::test]
async fn verbs_and_paths_have_defaults() {
    let seen = text(invoke(&message("orders:80", "/x", ""), &[], echo).await);
    assert!(seen.starts_with("GET /x |"), "{seen}");
    assert!(!seen.contains("content-length"), "{seen}");
    let mut with_query = message("orders", "/x?a=1", "d");
    with_query.message.as_mut().unwrap().http_extension = Some(HttpExtension {
        verb: 0,
        querystring: "?b=2".into(),
    });
    let seen = text(invoke(&with_query, &[], echo).await);
    assert!(seen.starts_with("POST /x?a=1&b=2 |"), "{seen}");
}

#[tokio::test]
async fn response_headers_become_metadata() {
    let answer = invoke(&message("orders", "/", ""), &[], async |_| {
        let mut response = ok("abc");
        for (name, value) in [
            ("content-length", "3"),
            ("content-type", "text/y"),
            ("x-tier", "gold"),
            ("connection", "close"),
        ] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        Ok(response)
    })
    .await;
    let (headers, message) = answer.unwrap();
    assert_eq!(headers["x-tier"], "gold");
    assert_eq!(headers[CONTENT_TYPE], "application/grpc");
    assert!(!headers.contains_key(CONTENT_LENGTH) && !headers.contains_key("connection"));
    assert_eq!(message.content_type, "text/y");
    assert_eq!(message.data.unwrap().value, "abc");
}

#[tokio::test]
async fn everything_but_200_is_unavailable() {
    let status = invoke(&message("orders", "/", ""), &[], async |_| {
        let mut response = ok("no such order");
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        Ok(response)
    })
    .await
    .unwrap_err();
    let text = "http response code 404, body: no such order";
    assert_eq!(told(&status), (Code::Unavailable, text, "app"));
}

#[tokio::test]
async fn an_answer_of_the_mesh_says_so() {
    for answered in [true, false] {
        let status = invoke(&message("orders", "/", ""), &[], move |_| async move {
            let error = Error::new(Kind::NoHealthyUpstream);
            if answered {
                let reply = rescue::reply(&error).unwrap();
                return Ok(rescue::respond(reply, false, false));
            }
            Err(error)
        })
        .await
        .unwrap_err();
        let text = "http response code 503, body: no healthy upstream";
        assert_eq!(told(&status), (Code::Unavailable, text, "mesh"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_has_the_time_that_it_says() {
    for (metadata, limit) in [
        (&[("rpc_request_timeout", "200")][..], 200),
        (&[("grpc-timeout", "1S")][..], 1000),
        (
            &[("rpc_request_timeout", "200"), ("grpc-timeout", "1S")],
            200,
        ),
        (
            &[("rpc_request_timeout", "soon"), ("grpc-timeout", "5S")],
            5000,
        ),
    ] {
        let start = tokio::time::Instant::now();
        let status = invoke(&message("orders", "/", ""), metadata, async |_| {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(ok("late"))
        })
        .await
        .unwrap_err();
        let text = format!(
            "request timeout: no answer within {limit} ms (rpc_request_timeout, or the deadline)"
        );
        assert_eq!(told(&status), (Code::DeadlineExceeded, &*text, "mesh"));
        let took = start.elapsed().as_millis();
        assert!((limit..limit + 10).contains(&took), "{took} ms");
    }
}

/// Whoever says nothing has the time that the route gives.
#[tokio::test(start_paused = true)]
async fn a_call_that_says_nothing_waits_as_an_intercepted_one() {
    let (_, answer) = invoke(&message("orders", "/", ""), &[], async |_| {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(ok("late"))
    })
    .await
    .unwrap();
    assert_eq!(answer.data.unwrap().value, "late");
}

#[tokio::test]
async fn calls_that_are_no_requests_are_refused() {
    let mut connect = message("orders", "/", "");
    connect.message.as_mut().unwrap().http_extension = Some(HttpExtension {
        verb: 6,
        querystring: String::new(),
    });
    let empty = InvokeServiceRequest {
        id: "orders".into(),
        message: None,
    };
    for (message, text) in [
        (message("", "/", ""), "id is required"),
        (
            message("a/b", "/", ""),
            "id \"a/b\" is not an authority: expected a name, with a port or without",
        ),
        (empty, "message is required"),
        (connect, "verb CONNECT is not supported"),
    ] {
        let status = invoke(&message, &[], echo).await.unwrap_err();
        assert_eq!(told(&status), (Code::InvalidArgument, text, "api"));
    }
    let status = invoke(&message("orders", "/a b", ""), &[], echo)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn without_an_outbound_listener_it_says_so() {
    let process = process(None).await;
    let request = call("InvokeService", frame(&message("orders", "/", "")));
    let response = filter(&process).dispatch(request).await.unwrap();
    let status = read::<InvokeResponse>(response).await.unwrap_err();
    let text = "invoker not init: no HTTP listener has traffic_direction OUTBOUND";
    assert_eq!(told(&status), (Code::Unknown, text, "api"));
}

fn grpc_call() -> InvokeServiceRequest {
    let mut message = message("orders", "/orders.v1.Orders/Get", "request");
    message.message.as_mut().unwrap().content_type = "application/grpc".into();
    message
}

fn grpc_answer(data: &[u8], status: &'static str) -> Response {
    let mut buffer = framed(data.len());
    buffer.extend_from_slice(data);
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    trailers.insert("grpc-message", "no%20such".parse().unwrap());
    let body = http_body_util::Full::new(buffer.freeze())
        .with_trailers(std::future::ready(Some(Ok(trailers))));
    ok(Body::new(body))
}

/// The body is framed for the application and unframed for the caller.
#[tokio::test]
async fn a_grpc_method_can_be_called() {
    let answer = invoke(&grpc_call(), &[], async |request: Request| {
        assert_eq!(request.method(), http::Method::POST);
        assert_eq!(request.headers()["te"], "trailers");
        let body: Bytes = request.into_body().collect().await?.to_bytes();
        assert_eq!(&body[..], b"\0\0\0\0\x07request");
        Ok(grpc_answer(b"response", "0"))
    })
    .await;
    assert_eq!(answer.unwrap().1.data.unwrap().value, "response");
}

#[tokio::test]
async fn a_grpc_status_comes_back_as_it_is() {
    let status = invoke(&grpc_call(), &[], async |_| Ok(grpc_answer(b"", "5"))).await;
    assert_eq!(
        told(&status.unwrap_err()),
        (Code::NotFound, "no such", "app")
    );
}

/// An application's own headers behind its answer come back behind the answer.
#[tokio::test]
async fn what_follows_a_grpc_answer_comes_back_behind_it() {
    let outbound = HttpService::new(tower::service_fn(async |_| {
        let answer = grpc_answer(b"response", "0").map(|body| {
            Body::new(body.map_frame(|frame| match frame.into_trailers() {
                Ok(mut trailers) => {
                    trailers.insert("x-left", "3".parse().unwrap());
                    http_body::Frame::trailers(trailers)
                }
                Err(frame) => frame,
            }))
        });
        Ok::<_, Error>(answer)
    }));
    let process = process(None).await;
    let service = filter_with_outbound(&process, outbound);
    let request = call("InvokeService", frame(&grpc_call()));
    let body = service.dispatch(request).await.unwrap().into_body();
    let trailers = body.collect().await.unwrap().trailers().cloned().unwrap();
    assert_eq!(trailers["x-left"], "3");
    assert_eq!(trailers["grpc-status"], "0");
    assert!(!trailers.contains_key("grpc-message"), "{trailers:?}");
}

/// With its details and metadata, whether they came with the head or behind it.
#[tokio::test]
async fn a_grpc_status_brings_its_details() {
    let said = |headers: &mut http::HeaderMap| {
        headers.insert("grpc-status", "9".parse().unwrap());
        headers.insert("grpc-status-details-bin", "CAkSAm5v".parse().unwrap());
        headers.insert("x-retry-in", "2".parse().unwrap());
    };
    for at_once in [true, false] {
        let status = invoke(&grpc_call(), &[], move |_| async move {
            let mut trailers = http::HeaderMap::new();
            said(&mut trailers);
            let mut response = ok(Body::empty());
            if at_once {
                *response.headers_mut() = trailers;
            } else {
                let body = http_body_util::Empty::<Bytes>::new()
                    .with_trailers(std::future::ready(Some(Ok(trailers))));
                response = ok(Body::new(body));
            }
            Ok(response)
        })
        .await
        .unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(status.details(), b"\x08\x09\x12\x02no");
        assert_eq!(status.metadata().get("x-retry-in").unwrap(), "2");
    }
}

/// A fragment is not sent, and what came after it would be lost.
#[tokio::test]
async fn a_fragment_is_refused() {
    for (method, query) in [("a", "q=a#b&c=d"), ("a#b", ""), ("a#b", "q=1")] {
        let mut message = message("orders", method, "");
        message.message.as_mut().unwrap().http_extension = Some(HttpExtension {
            verb: 0,
            querystring: query.into(),
        });
        let status = invoke(&message, &[], echo).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{method} {query}");
        assert!(status.message().contains("%23"), "{status}");
    }
    let message = message("orders", "a%23b", "");
    assert!(text(invoke(&message, &[], echo).await).starts_with("GET /a%23b |"));
}

#[tokio::test]
async fn binary_metadata_of_an_http_answer_is_base64() {
    let (metadata, _) = invoke(&message("orders", "a", ""), &[], async |_| {
        let mut response = ok("");
        for (name, value) in [("x-a-bin", "not base64"), ("x-b-bin", "aGk="), ("x-c", "?")] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        Ok(response)
    })
    .await
    .unwrap();
    let values = ["x-a-bin", "x-b-bin", "x-c"].map(|name| metadata[name].to_str().unwrap());
    assert_eq!(values, ["bm90IGJhc2U2NA", "aGk=", "?"]);
}

/// Metadata goes to connections of HTTP/2, which keep it: not what an HTTP/1 application sent with it.
#[tokio::test]
async fn metadata_leaves_its_buffer_behind() {
    let read = Bytes::from(b"x-id: 17".to_vec());
    let part = || http::HeaderValue::from_maybe_shared(read.slice(6..)).unwrap();
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert("x-id", part());
    let answer = super::response::convert(response).await.unwrap();
    let refused = http::HeaderMap::from_iter([("x-id".parse().unwrap(), part())]);
    let refused = super::headers::with_status(refused);
    assert!(read.is_unique());
    assert_eq!(
        (&answer.metadata["x-id"], &refused["x-id"]),
        (&part(), &part())
    );
}
