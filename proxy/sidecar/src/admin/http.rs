//! Serving the endpoints over HTTP/1.1.

use std::convert::Infallible;
use std::sync::Arc;

use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::endpoints::{Admin, Answer};

/// Serves until dropped. One slow client disturbs nobody: each has a task of its own, and its
/// headers must be there within ten seconds.
pub(crate) async fn serve(listener: TcpListener, admin: Arc<Admin>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "admin: cannot accept");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let admin = Arc::clone(&admin);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let admin = Arc::clone(&admin);
                async move { Ok::<_, Infallible>(respond(&admin, &request).await) }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(std::time::Duration::from_secs(10))
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "admin: connection ended");
            }
        });
    }
}

async fn respond(admin: &Arc<Admin>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let Answer {
        status,
        content_type,
        body,
    } = admin
        .answer(
            request.method(),
            request.uri().path(),
            request.uri().query().unwrap_or(""),
        )
        .await;
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        ::http::HeaderValue::from_static(content_type),
    );
    headers.insert(
        "cache-control",
        ::http::HeaderValue::from_static("no-cache, max-age=0"),
    );
    headers.insert(
        "x-content-type-options",
        ::http::HeaderValue::from_static("nosniff"),
    );
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert("allow", ::http::HeaderValue::from_static("POST"));
    }
    response
}
