//! The gRPC upstream: every unary call is answered with one message of a fixed size.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::Error;
use crate::args::Args;

/// Serves until it is killed.
pub(crate) async fn run(args: &Args) -> Result<(), Error> {
    let message = message(args.or("size", 1024)?);
    let listener = TcpListener::bind(args.need::<SocketAddr>("listen")?).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let message = message.clone();
        let answer = move |request: Request<Incoming>| {
            let message = message.clone();
            async move {
                // The call is unary: its message is complete before the answer starts.
                request.into_body().collect().await?;
                let frames = [Frame::data(message), Frame::trailers(ok())];
                let body = StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>)));
                let mut response = Response::new(body);
                let kind = HeaderValue::from_static("application/grpc");
                response.headers_mut().insert("content-type", kind);
                Ok::<_, hyper::Error>(response)
            }
        };
        let connection = http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(1024)
            .serve_connection(TokioIo::new(socket), service_fn(answer));
        tokio::task::spawn_local(async move { drop(connection.await) });
    }
}

/// A length-prefixed message of `size` bytes.
fn message(size: u32) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(size);
    bytes.put_bytes(b'x', size as usize);
    bytes.freeze()
}

fn ok() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers
}
