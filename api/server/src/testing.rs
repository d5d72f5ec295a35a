//! What the tests of this crate share: a runtime over in-memory components, and a client.

use std::sync::Arc;

use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use tandem_api_components::build;
use tandem_api_contract::declaration::{Context, Declaration};
use tandem_api_proto::Message;
use tandem_core::directory::{Directory, Door, Entry, Role};
use tandem_core::{Body, Error, HttpService, Request, Response};
use tandem_model::filter::runtime::{Api, App, AppProtocol, Runtime};
use tandem_model::listener::TrafficDirection;
use tonic::{Code, Status};

use crate::Process;
use crate::grpc::{framed, unframe};

/// The settings of an application `shop` whose callbacks are at a port.
pub(crate) fn settings(callback_port: Option<u16>) -> Runtime {
    Runtime {
        app: App {
            id: "shop".into(),
            host: "127.0.0.1".into(),
            port: None,
            protocol: AppProtocol::Http,
            callback_port,
            callback_host: "127.0.0.1".into(),
        },
        apis: vec![Api::LayottoGrpc],
        resources_paths: Vec::new(),
        data_dir: None,
        outbound_listener: None,
        default_invoke_port: 80,
    }
}

/// A runtime with one in-memory component of each kind.
pub(crate) async fn process(callback_port: Option<u16>) -> Process {
    let kinds = [
        ("statestore", "state.in-memory"),
        ("lockstore", "lock.in-memory"),
        ("sequencer", "sequencer.in-memory"),
        ("pubsub", "pubsub.in-memory"),
        ("helloworld", "hello.helloworld"),
    ];
    with_components(callback_port, &kinds).await
}

/// A runtime with these components.
pub(crate) async fn with_components(callback_port: Option<u16>, kinds: &[(&str, &str)]) -> Process {
    let declarations: Vec<_> = kinds
        .iter()
        .map(|(name, kind)| Declaration::embedded(name, kind))
        .collect();
    let context = Context {
        app_id: "shop".into(),
        ..Context::default()
    };
    let registry = build(&declarations, &context).unwrap();
    Process::start(Arc::new(settings(callback_port)), registry)
        .await
        .unwrap()
}

/// The filter in front of a service that answers 404 with `not ours`.
pub(crate) fn filter(process: &Process) -> HttpService {
    process.layer(&Directory::default(), not_ours())
}

/// The filter of a worker whose only outbound listener is this service.
pub(crate) fn filter_with_outbound(process: &Process, outbound: HttpService) -> HttpService {
    let directory = Directory::default();
    directory.publish(vec![Entry {
        listener: "outbound".into(),
        direction: TrafficDirection::Outbound,
        role: Role::Proxy,
        addresses: vec![([127, 0, 0, 1], 15001).into()],
        index: Arc::default(),
        doors: Vec::new(),
        default_door: Some(Door {
            service: outbound,
            routes: None,
            encrypted: false,
        }),
    }]);
    process.layer(&directory, not_ours())
}

fn not_ours() -> HttpService {
    HttpService::new(tower::service_fn(async |_| {
        let mut response = Response::new(Body::from("not ours"));
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        Ok::<_, Error>(response)
    }))
}

/// A call of the runtime.
pub(crate) fn call(method: &str, body: Body) -> Request {
    http::Request::builder()
        .method(Method::POST)
        .uri(format!("http://x/spec.proto.runtime.v1.Runtime/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap()
}

/// A message as it is sent.
pub(crate) fn frame(message: &impl Message) -> Body {
    let mut buffer = framed(message.encoded_len());
    message.encode(&mut buffer).unwrap();
    Body::from(buffer.freeze())
}

/// Calls an rpc and reads its answer.
pub(crate) async fn rpc<Resp: Message + Default>(
    service: &HttpService,
    method: &str,
    message: &impl Message,
) -> Result<Resp, Status> {
    let response = service
        .dispatch(call(method, frame(message)))
        .await
        .unwrap();
    Ok(read(response).await?.1)
}

/// Headers and message of an answer, or its status.
pub(crate) async fn read<Resp: Message + Default>(
    response: Response,
) -> Result<(HeaderMap, Resp), Status> {
    assert_eq!(response.status(), 200);
    let (parts, body) = response.into_parts();
    if let Some(status) = Status::from_header_map(&parts.headers) {
        return Err(status);
    }
    let body = body.collect().await.unwrap();
    let status = Status::from_header_map(body.trailers().unwrap()).unwrap();
    if status.code() != Code::Ok {
        return Err(status);
    }
    let message = Resp::decode(unframe(body.to_bytes()).unwrap()).unwrap();
    Ok((parts.headers, message))
}

/// Code, text and origin of a status.
pub(crate) fn told(status: &Status) -> (Code, &str, &str) {
    let origin = status.metadata().get(crate::status::ORIGIN).unwrap();
    (status.code(), status.message(), origin.to_str().unwrap())
}
