//! The one erased service of the proxy.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::TryFutureExt as _;
use tower::Service;

use crate::{Body, Error};

/// A request as it flows through the proxy.
pub type Request = http::Request<Body>;
/// A response as it flows through the proxy.
pub type Response = http::Response<Body>;
/// A boxed future that may move between threads (tonic asks for that; requests never do).
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An HTTP service behind a pointer: always ready, and cloning it is a reference count.
///
/// Chains are built when configuration lands, never per request. Errors are [`Error`]s until
/// the one rescue near the listener turns them into replies.
#[derive(Clone)]
pub struct HttpService(Arc<dyn Erased>);

impl HttpService {
    /// Erases a service. It must be ready whenever it is called: load is shed by answering.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<Request, Response = Response> + Clone + Send + Sync + 'static,
        S::Error: Into<Error>,
        S::Future: Send + 'static,
    {
        Self(Arc::new(Erase(service)))
    }

    /// A service that only chooses which other one takes a request: no future of its own.
    pub fn choosing<F>(choose: F) -> Self
    where
        F: Fn(Request) -> BoxFuture<Result<Response, Error>> + Send + Sync + 'static,
    {
        Self(Arc::new(Choose(choose)))
    }

    /// Calls it without the need for `&mut`.
    pub fn dispatch(&self, request: Request) -> BoxFuture<Result<Response, Error>> {
        self.0.call(request)
    }

    /// Whether both are the same built service, not merely equal ones.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Service<Request> for HttpService {
    type Response = Response;
    type Error = Error;
    type Future = BoxFuture<Result<Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.0.call(request)
    }
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpService")
    }
}

trait Erased: Send + Sync {
    fn call(&self, request: Request) -> BoxFuture<Result<Response, Error>>;
}

struct Choose<F>(F);

impl<F> Erased for Choose<F>
where
    F: Fn(Request) -> BoxFuture<Result<Response, Error>> + Send + Sync,
{
    fn call(&self, request: Request) -> BoxFuture<Result<Response, Error>> {
        (self.0)(request)
    }
}

struct Erase<S>(S);

impl<S> Erased for Erase<S>
where
    S: Service<Request, Response = Response> + Clone + Send + Sync + 'static,
    S::Error: Into<Error>,
    S::Future: Send + 'static,
{
    fn call(&self, request: Request) -> BoxFuture<Result<Response, Error>> {
        Box::pin(self.0.clone().call(request).err_into())
    }
}
