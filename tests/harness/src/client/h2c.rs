//! An HTTP/2 client with prior knowledge, for requests that keep to the rules.

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Method, Uri};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::{Request, Response};
use crate::head;
use crate::wait::within;

/// A connection to a proxy.
pub struct Connection {
    send: SendRequest<Bytes>,
    driver: JoinHandle<Result<(), h2::Error>>,
}

impl Connection {
    /// Connects to a port on 127.0.0.1 and exchanges the prefaces.
    ///
    /// # Errors
    /// When nothing listens there, or it does not speak HTTP/2.
    pub async fn open(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(1 << 20)
            .initial_connection_window_size(16 << 20);
        let (send, driver) = builder
            .handshake(stream)
            .await
            .map_err(std::io::Error::other)?;
        Ok(Self {
            send,
            driver: tokio::spawn(driver),
        })
    }

    /// Sends a request and reads the answer; how it broke off is in [`Response::end`].
    pub async fn exchange(&mut self, request: &Request) -> Response {
        let mut response = Response {
            version: "HTTP/2".into(),
            ..Response::default()
        };
        match self.attempt(request, &mut response).await {
            Ok(()) => response.end = "complete".into(),
            Err(error) => response.end = describe(&error),
        }
        response
    }

    /// Whether the connection still takes requests.
    pub async fn is_open(&mut self) -> bool {
        let probe = Request {
            method: "GET".into(),
            path: "/__probe".into(),
            authority: "probe.test".into(),
            ..Request::default()
        };
        let answer = within(super::SILENCE, self.exchange(&probe)).await;
        answer.is_some_and(|response| response.status != 0)
    }

    async fn attempt(&mut self, request: &Request, out: &mut Response) -> Result<(), h2::Error> {
        let (message, has_body) = build(request);
        let mut send = self.send.clone().ready().await?;
        let (mut response, mut stream) = send.send_request(message, !has_body)?;
        if has_body {
            // A refusal that comes early shows in the response, not here.
            let _ = body(&mut stream, request).await;
        }
        loop {
            let interim = std::future::poll_fn(|context| {
                // Either an informational answer, or the final one is there.
                match response.poll_informational(context) {
                    std::task::Poll::Ready(Some(Ok(interim))) => {
                        std::task::Poll::Ready(Some(interim))
                    }
                    std::task::Poll::Ready(_) => std::task::Poll::Ready(None),
                    std::task::Poll::Pending => std::task::Poll::Pending,
                }
            });
            match interim.await {
                Some(interim) => out
                    .interim
                    .push((interim.status().as_u16(), head::from_map(interim.headers()))),
                None => break,
            }
        }
        let response = response.await?;
        out.status = response.status().as_u16();
        out.headers = head::from_map(response.headers());
        let mut body = response.into_body();
        while let Some(data) = body.data().await {
            let data = data?;
            let _ = body.flow_control().release_capacity(data.len());
            out.body.extend_from_slice(&data);
        }
        let trailers = body.trailers().await?;
        out.trailers = trailers.as_ref().map(head::from_map).unwrap_or_default();
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn build(request: &Request) -> (http::Request<()>, bool) {
    let mut uri = Uri::builder()
        .scheme("http")
        .path_and_query(request.path.as_str());
    if !request.authority.is_empty() {
        uri = uri.authority(request.authority.as_str());
    }
    let mut message = http::Request::new(());
    *message.uri_mut() = uri.build().unwrap();
    *message.method_mut() = Method::from_bytes(request.method.as_bytes()).unwrap();
    *message.version_mut() = http::Version::HTTP_2;
    let mut headers = request.headers.clone();
    for (name, _) in &mut headers {
        name.make_ascii_lowercase();
    }
    let framed = !request.chunked && request.trailers.is_empty();
    if let (true, Some(body)) = (framed, &request.body) {
        headers.push(("content-length".into(), body.len().to_string()));
    }
    *message.headers_mut() = head::to_map(&headers);
    let has_body = request.chunked
        || !request.trailers.is_empty()
        || request.body.as_ref().is_some_and(|body| !body.is_empty());
    (message, has_body)
}

async fn body(stream: &mut h2::SendStream<Bytes>, request: &Request) -> Result<(), h2::Error> {
    let mut data = request.body.as_deref().unwrap_or_default();
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let granted = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
        let Some(granted) = granted else {
            return Ok(());
        };
        let (now, later) = data.split_at(granted?.min(data.len()));
        stream.send_data(Bytes::copy_from_slice(now), false)?;
        data = later;
    }
    if request.trailers.is_empty() {
        stream.send_data(Bytes::new(), true)
    } else {
        stream.send_trailers(head::to_map(&request.trailers))
    }
}

fn describe(error: &h2::Error) -> String {
    let reason = error.reason().map(|reason| format!("{reason:?}"));
    let what = match (error.is_reset(), error.is_go_away(), error.is_io()) {
        (true, _, _) => "reset",
        (_, true, _) => "goaway",
        (_, _, true) => "closed",
        _ => "error",
    };
    reason.map_or_else(|| what.to_owned(), |reason| format!("{what}: {reason}"))
}
