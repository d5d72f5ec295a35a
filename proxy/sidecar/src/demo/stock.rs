//! The sample service that is called: it knows how many of an item there are.

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::process::Error;

/// Serves until ended: `/items/<id>`, and `/unreliable`, which fails two times out of three.
pub(super) async fn serve(port: u16) -> Result<ExitCode, Error> {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(Error::system("the stock service cannot listen"))?;
    let calls = Arc::new(AtomicU32::new(0));
    loop {
        let (stream, _) = listener.accept().await.map_err(Error::system(
            "the stock service cannot accept a connection",
        ))?;
        let calls = Arc::clone(&calls);
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let answer = answer(request.uri().path(), &calls);
            async move { Ok::<_, Infallible>(answer) }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

fn answer(path: &str, calls: &AtomicU32) -> Response<Full<Bytes>> {
    let (status, body) = match path.strip_prefix("/items/") {
        Some(item) => (
            StatusCode::OK,
            serde_json::json!({ "item": item, "left": 7 }).to_string(),
        ),
        None if path == "/unreliable" && calls.fetch_add(1, Relaxed) % 3 < 2 => {
            (StatusCode::SERVICE_UNAVAILABLE, "try again".to_owned())
        }
        None => (StatusCode::OK, "ok".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}
