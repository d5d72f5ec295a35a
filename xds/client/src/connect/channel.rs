//! The service that requests are made of.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tonic::body::Body;
use tower::Service;

use super::dial::dial;
use super::{Address, Error, Protocol, Server};

/// Requests to one control plane. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Channel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    server: Server,
    /// The endpoint that the next connection begins with.
    next: AtomicUsize,
    open: Mutex<Option<Open>>,
}

/// A connection and the authority of its endpoint.
#[derive(Debug)]
struct Open {
    requests: Requests,
    authority: Authority,
}

#[derive(Debug)]
enum Requests {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Channel {
    /// Nothing is connected before the first request.
    pub fn new(server: Server) -> Self {
        let next = rand::random_range(0..server.endpoints.len().max(1));
        Self(Arc::new(Inner {
            server,
            next: AtomicUsize::new(next),
            open: Mutex::new(None),
        }))
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.call(request).await })
    }
}

impl Inner {
    async fn call(&self, mut request: Request<Body>) -> Result<Response<Incoming>, Error> {
        for (name, value) in &self.server.headers {
            request.headers_mut().append(name, value.clone());
        }
        let (requests, authority) = self.acquire().await?;
        match requests {
            Requests::Http2(mut requests) => {
                self.make_absolute(&mut request, authority)?;
                Ok(requests.send_request(request).await?)
            }
            Requests::Http1(mut requests) => {
                add_host(&mut request, &authority)?;
                let response = requests.send_request(request).await?;
                *self.open.lock().await = Some(Open {
                    requests: Requests::Http1(requests),
                    authority,
                });
                Ok(response)
            }
        }
    }

    /// A connection to make one request on. One of HTTP/2 stays for others to use.
    async fn acquire(&self) -> Result<(Requests, Authority), Error> {
        // Requests that come while a connection is made wait for it.
        let mut slot = self.open.lock().await;
        let mut open = slot.take();
        if let Some(last) = &mut open
            && !self.is_usable(last).await
        {
            open = None;
        }
        let open = match open {
            Some(open) => open,
            None => self.connect().await?,
        };
        let authority = open.authority.clone();
        Ok(match open.requests {
            Requests::Http1(requests) => (Requests::Http1(requests), authority),
            Requests::Http2(requests) => {
                let shared = Requests::Http2(requests.clone());
                *slot = Some(Open {
                    requests: shared,
                    ..open
                });
                (Requests::Http2(requests), authority)
            }
        })
    }

    async fn is_usable(&self, open: &mut Open) -> bool {
        match &mut open.requests {
            // Free once the last response was read; one that stalls is not waited for long.
            Requests::Http1(requests) => {
                let ready = timeout(self.server.connect_timeout, requests.ready());
                matches!(ready.await, Ok(Ok(())))
            }
            Requests::Http2(requests) => !requests.is_closed(),
        }
    }

    /// HTTP/2 has scheme and authority in the address.
    fn make_absolute(
        &self,
        request: &mut Request<Body>,
        authority: Authority,
    ) -> Result<(), Error> {
        let mut parts = request.uri().clone().into_parts();
        parts.scheme = Some(match self.server.tls {
            Some(_) => Scheme::HTTPS,
            None => Scheme::HTTP,
        });
        parts.authority = Some(authority);
        *request.uri_mut() = Uri::from_parts(parts).map_err(http::Error::from)?;
        Ok(())
    }

    async fn connect(&self) -> Result<Open, Error> {
        let endpoints = &self.server.endpoints;
        let begin = self.next.fetch_add(1, Ordering::Relaxed);
        let mut last = Error::NoEndpoint;
        for place in 0..endpoints.len() {
            let endpoint = &endpoints[begin.wrapping_add(place) % endpoints.len()];
            match self.open(endpoint).await {
                Ok(open) => return Ok(open),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn open(&self, endpoint: &Address) -> Result<Open, Error> {
        let io = TokioIo::new(dial(&self.server, endpoint).await?);
        let requests = match self.server.protocol {
            Protocol::Http1 => {
                let (requests, connection) = http1::handshake(io).await?;
                // How it ends is told to the requests on it.
                tokio::spawn(connection);
                Requests::Http1(requests)
            }
            Protocol::Http2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.timer(TokioTimer::new());
                if let Some(keep_alive) = self.server.keep_alive {
                    builder
                        .keep_alive_interval(keep_alive.interval)
                        .keep_alive_timeout(keep_alive.timeout)
                        .keep_alive_while_idle(true);
                }
                let (requests, connection) = builder.handshake(io).await?;
                tokio::spawn(connection);
                Requests::Http2(requests)
            }
        };
        Ok(Open {
            requests,
            authority: self.authority(endpoint)?,
        })
    }

    fn authority(&self, endpoint: &Address) -> Result<Authority, Error> {
        if let Some(authority) = &self.server.authority {
            return Ok(authority.clone());
        }
        match endpoint {
            Address::Tcp { .. } => endpoint
                .to_string()
                .parse()
                .map_err(|error| Error::Request(http::Error::from(error))),
            Address::Unix(_) => Ok(Authority::from_static("localhost")),
        }
    }
}

/// HTTP/1 has the authority in a header.
fn add_host(request: &mut Request<Body>, authority: &Authority) -> Result<(), Error> {
    let host = HeaderValue::from_str(authority.as_str()).map_err(http::Error::from)?;
    request.headers_mut().entry(header::HOST).or_insert(host);
    Ok(())
}
