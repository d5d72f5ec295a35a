//! As much of a Kubernetes API as istiod does not start without: objects in memory, lists, watches,
//! reviews of tokens.
//!
//! It checks no signatures: that a token is accepted here says nothing about the token.

pub mod review;
mod store;
mod target;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use store::{Position, Store};
use target::Target;

/// Where it listens, on the machine of the control plane.
pub const ADDRESS: &str = "127.0.0.1:18443";

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Serves until it is dropped with the task.
pub async fn serve(listener: TcpListener) {
    let store = Arc::new(Store::default());
    for name in ["default", "kube-system", "istio-system"] {
        let target = Target::new("v1", "namespaces", name);
        store.put(
            &target,
            json!({ "metadata": { "labels": { "kubernetes.io/metadata.name": name } } }),
        );
    }
    let mut open = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let store = Arc::clone(&store);
        open.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&store), request));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(store: Arc<Store>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let body: Value = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
    let path = head.uri.path();
    let Some(target) = Target::read(path, head.uri.query().unwrap_or_default()) else {
        return Ok(plain(200, &about(path)));
    };
    // Of some resources istiod asks for the metadata only.
    let accepted = head
        .headers
        .get("accept")
        .and_then(|value| value.to_str().ok());
    let metadata_only = accepted.is_some_and(|accepted| accepted.contains("PartialObjectMetadata"));
    Ok(match head.method {
        Method::GET if target.watch => watch(store, target, metadata_only),
        Method::GET if target.name.is_empty() => plain(200, &store.list(&target, metadata_only)),
        Method::GET => found(store.get(&target)),
        Method::DELETE => found(store.delete(&target)),
        Method::POST if target.resource == "tokenreviews" => plain(201, &review::token(body)),
        Method::POST => match store.get(&target.named(&body)) {
            Some(_) => failure(409, "AlreadyExists"),
            None => plain(201, &store.put(&target.named(&body), body)),
        },
        Method::PUT => plain(200, &store.put(&target, body)),
        Method::PATCH => plain(200, &store.merge(&target, &body)),
        _ => failure(405, "MethodNotAllowed"),
    })
}

/// What it is, for those who ask before they begin.
fn about(path: &str) -> Value {
    match path {
        "/version" => json!({ "major": "1", "minor": "34", "gitVersion": "v1.34.0" }),
        "/api" => json!({ "kind": "APIVersions", "versions": ["v1"] }),
        "/apis" => json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [] }),
        _ => json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion":
            path.trim_start_matches("/apis/").trim_start_matches("/api/"), "resources": [] }),
    }
}

fn found(object: Option<Value>) -> Answer {
    object.map_or_else(|| failure(404, "NotFound"), |object| plain(200, &object))
}

fn failure(code: u16, reason: &str) -> Answer {
    plain(
        code,
        &json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": reason, "message": reason, "code": code }),
    )
}

fn plain(code: u16, value: &Value) -> Answer {
    json_response(code)
        .body(Full::from(value.to_string()).boxed_unsync())
        .unwrap()
}

fn json_response(code: u16) -> hyper::http::response::Builder {
    Response::builder()
        .status(code)
        .header("content-type", "application/json")
}

fn watch(store: Arc<Store>, target: Target, metadata_only: bool) -> Answer {
    let body = StreamBody::new(events(store, target, metadata_only));
    json_response(200).body(body.boxed_unsync()).unwrap()
}

/// One event a line: what there is if that was asked for, then what changes.
fn events(
    store: Arc<Store>,
    target: Target,
    metadata_only: bool,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send {
    let position = store.begin(&target, metadata_only);
    stream::unfold(
        (store, target, position),
        move |(store, target, position)| async move {
            let (lines, position): (String, Position) =
                store.next(&target, position, metadata_only).await;
            Some((
                Ok(Frame::data(Bytes::from(lines))),
                (store, target, position),
            ))
        },
    )
}
