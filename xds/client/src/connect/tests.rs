//! Channels against servers on sockets.

mod faults;
mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;

use http::{HeaderValue, Request, Response};
use tokio::net::UnixListener;
use tonic::body::Body;
use tower::{ServiceExt, service_fn};

use super::{Address, Channel, Error, Protocol, Server};
use crate::tests::served::{Served, http1, http2, listen, serve};

fn tcp(host: &str, port: u16) -> Address {
    let host = host.to_owned();
    Address::Tcp { host, port }
}

/// Answers with what it saw of the request, and with its own name.
async fn echo(name: &'static str, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let mut response = Response::new(Body::empty());
    let mut say = |key: &'static str, value: String| {
        let value = HeaderValue::from_str(&value).unwrap();
        response.headers_mut().insert(key, value);
    };
    say("uri", request.uri().to_string());
    let headers = request.headers();
    for key in ["host", "authorization"] {
        if let Some(value) = headers.get(key) {
            say(key, value.to_str().unwrap().to_owned());
        }
    }
    say("server", name.to_owned());
    Ok(response)
}

async fn server(name: &'static str) -> (SocketAddr, Served) {
    let (listener, address) = listen().await;
    let echo = service_fn(move |request| echo(name, request));
    (address, serve(listener, move |stream| http2(stream, echo)))
}

async fn get(channel: &Channel) -> Result<Response<hyper::body::Incoming>, Error> {
    let request = Request::builder().uri("/a?b").body(Body::empty());
    channel.clone().oneshot(request.unwrap()).await
}

/// What the server saw or said under `key`.
async fn seen(channel: &Channel, key: &str) -> String {
    let response = get(channel).await.unwrap();
    let value = response.headers().get(key);
    value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn requests_carry_the_authority_and_the_headers_described() {
    let (address, _served) = server("one").await;
    let mut server = Server::new([tcp("localhost", address.port())]);
    let plain = Channel::new(server.clone());
    let port = address.port();
    assert_eq!(
        seen(&plain, "uri").await,
        format!("http://localhost:{port}/a?b")
    );
    server.authority = Some("plane".parse().unwrap());
    let token = HeaderValue::from_static("Bearer x");
    server.headers.insert("authorization", token);
    let described = Channel::new(server);
    assert_eq!(seen(&described, "uri").await, "http://plane/a?b");
    assert_eq!(seen(&described, "authorization").await, "Bearer x");
}

#[tokio::test]
async fn a_unix_socket_is_an_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xds.sock");
    let echo = service_fn(|request| echo("unix", request));
    let listener = UnixListener::bind(&path).unwrap();
    let _served = serve(listener, move |stream| http2(stream, echo));
    let channel = Channel::new(Server::new([Address::Unix(path)]));
    assert_eq!(seen(&channel, "uri").await, "http://localhost/a?b");
}

#[tokio::test]
async fn an_abstract_unix_socket_is_an_endpoint() {
    let name = format!("tandem-xds-{}", std::process::id());
    let echo = service_fn(|request| echo("abstract", request));
    let listener = UnixListener::bind(format!("\0{name}")).unwrap();
    let _served = serve(listener, move |stream| http2(stream, echo));
    let channel = Channel::new(Server::new([Address::Unix(format!("@{name}").into())]));
    assert_eq!(seen(&channel, "server").await, "abstract");
}

#[tokio::test]
async fn http_1_connections_are_used_again_when_they_are_free() {
    let (listener, address) = listen().await;
    let echo = service_fn(|request| echo("one", request));
    let (count, mut connections) = tokio::sync::mpsc::unbounded_channel();
    let _served = serve(listener, move |stream| {
        count.send(()).unwrap();
        http1(stream, echo)
    });
    let channel = Channel::new(Server {
        protocol: Protocol::Http1,
        ..Server::new([tcp("127.0.0.1", address.port())])
    });
    for _ in 0..3 {
        assert_eq!(seen(&channel, "host").await, address.to_string());
        assert_eq!(seen(&channel, "uri").await, "/a?b");
    }
    connections.recv().await.unwrap();
    assert!(connections.try_recv().is_err());
}
