//! Inputs of the micro-benchmarks in `benches/`; run them with `cargo bench -p tandem-bench-micro`.
//!
//! They answer what one step of a request costs and how it grows; what a whole request costs is
//! measured by `bench/load/run`.

use http::{HeaderValue, Uri};
use tandem_core::{Body, Request};

/// A GET with the headers that a browser's or a client library's request carries.
pub fn request(authority: &'static str, path: &'static str) -> Request {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static(path);
    for (name, value) in [
        ("host", authority),
        ("user-agent", "tandem-bench"),
        ("accept", "*/*"),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "2f1f3c0e-4d3f-4a52-9a0b-0c6f7f1c9d11"),
        ("content-type", "application/json"),
    ] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    request
}
