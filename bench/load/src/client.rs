//! Connections and the one request they repeat; a response counts only if all of it is right.

use std::io::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::Error;
use crate::args::Args;

type Body = Full<Bytes>;

/// What is sent, where, and what must come back.
pub(crate) struct Target {
    connect: SocketAddr,
    proto: Proto,
    request: Request<Body>,
    expect: Option<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Proto {
    Http1,
    Http2,
    Grpc,
}

/// One place a request can take: an HTTP/1 connection, or one of the streams of an HTTP/2 one.
pub(crate) enum Slot {
    /// A connection for itself.
    Http1(http1::SendRequest<Body>),
    /// A share of a connection.
    Http2(http2::SendRequest<Body>),
}

impl Target {
    /// Reads the target's part of the command line.
    pub(crate) fn parse(args: &Args) -> Result<Self, Error> {
        let proto = match args.need::<String>("proto")?.as_str() {
            "h1" => Proto::Http1,
            "h2" => Proto::Http2,
            "grpc" => Proto::Grpc,
            other => return Err(format!("--proto: expected h1, h2 or grpc, got {other}").into()),
        };
        let authority = args.or("authority", "bench.local".to_owned())?;
        let path = args.or("path", "/".to_owned())?;
        let body = match args.get::<String>("body")? {
            Some(file) => Bytes::from(std::fs::read(file)?),
            None => Bytes::new(),
        };
        let default = if proto == Proto::Grpc {
            Method::POST
        } else {
            Method::GET
        };
        let mut request = Request::builder().method(args.or("method", default)?);
        request = match proto {
            Proto::Http1 => request.uri(path).header("host", authority),
            _ => request
                .uri(format!("http://{authority}{path}"))
                .version(Version::HTTP_2),
        };
        if proto == Proto::Grpc {
            request = request
                .header("content-type", "application/grpc")
                .header("te", "trailers");
        }
        let request = request
            .header("user-agent", "tandem-bench")
            .body(Body::new(body))?;
        let expect = args.get("expect")?;
        Ok(Self {
            connect: args.need("connect")?,
            proto,
            request,
            expect,
        })
    }

    /// Opens one connection and offers `streams` places on it (HTTP/1: always one).
    pub(crate) async fn open(&self, streams: usize) -> Result<Vec<Slot>, Error> {
        let socket = TcpStream::connect(self.connect).await?;
        socket.set_nodelay(true)?;
        let io = TokioIo::new(socket);
        if self.proto == Proto::Http1 {
            let (sender, connection) = http1::handshake(io).await?;
            // An error of the connection reaches the request that it hits.
            tokio::task::spawn_local(async move { drop(connection.await) });
            return Ok(vec![Slot::Http1(sender)]);
        }
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(1 << 24)
            .handshake(io)
            .await?;
        tokio::task::spawn_local(async move { drop(connection.await) });
        Ok((0..streams).map(|_| Slot::Http2(sender.clone())).collect())
    }

    /// Sends the request once, reads all of the response and checks it.
    pub(crate) async fn send(&self, slot: &mut Slot) -> Result<Bytes, Error> {
        let response = match slot {
            Slot::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(self.request.clone()).await?
            }
            Slot::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(self.request.clone()).await?
            }
        };
        let (head, body) = response.into_parts();
        if head.status != StatusCode::OK {
            return Err(format!("status {}", head.status).into());
        }
        let body = body.collect().await?;
        if self.proto == Proto::Grpc {
            check_grpc_status(&head.headers, body.trailers())?;
        }
        let body = body.to_bytes();
        match self.expect {
            Some(expect) if expect != body.len() => {
                Err(format!("expected a body of {expect} bytes, got {}", body.len()).into())
            }
            _ => Ok(body),
        }
    }
}

/// Makes one request and prints its response body.
pub(crate) async fn call(args: &Args) -> Result<(), Error> {
    let target = Target::parse(args)?;
    let mut slots = target.open(1).await?;
    let slot = slots.first_mut().ok_or("the connection offers no place")?;
    let body = target.send(slot).await?;
    Ok(std::io::stdout().write_all(&body)?)
}

fn check_grpc_status(headers: &HeaderMap, trailers: Option<&HeaderMap>) -> Result<(), Error> {
    let find = |name| {
        trailers
            .and_then(|map| map.get(name))
            .or_else(|| headers.get(name))
    };
    match find("grpc-status") {
        Some(status) if status == "0" => Ok(()),
        status => Err(format!("grpc-status {status:?}, message {:?}", find("grpc-message")).into()),
    }
}
